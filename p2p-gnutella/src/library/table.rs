//! The table of the library: every word and name by content that a search of it finds.

use super::SharedFile;
use crate::Urn;
use crate::qrp::{BITS_MAX, BITS_MIN, Cut, FILL_MAX, Table};

/// So many files fit into a table of 2^[`FEW_BITS`] slots with 60 words and beginnings each.
const FEW: usize = 20;
const FEW_BITS: u8 = 17;

/// The smallest table that keeps to [`FILL_MAX`] with as long beginnings of words as it takes, of at least 2^`bits_min`
/// slots, and by how much of a word files are found.
pub(super) fn of_files<'a>(
    files: impl Iterator<Item = &'a SharedFile> + Clone,
    bits_min: u8,
) -> (Table, Cut) {
    // The largest is 256 KiB, for those who share thousands.
    let large =
        if files.clone().nth(FEW).is_none() { FEW_BITS.max(bits_min.min(BITS_MAX)) } else { BITS_MAX };
    let mut best = (Table::new(BITS_MIN), Cut::NONE);
    for cut in [Cut::MOST, Cut(2), Cut(1), Cut::NONE] {
        best = (Table::open(large), cut);
        for file in files.clone() {
            best.0.insert_name(file.name(), cut);
            best.0.insert_urn(&Urn::Sha1(file.sha1));
        }
        // A smaller table has at most as many slots set.
        let set = best.0.set_count();
        let fits = |bits: &u8| set as f64 <= FILL_MAX * f64::from(1u32 << bits);
        if let Some(bits) = (bits_min.clamp(BITS_MIN, large)..=large).find(fits) {
            return (best.0.resized(bits), cut);
        }
    }
    best
}
