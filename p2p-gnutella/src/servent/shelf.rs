//! [`Shelf`]: the names that queries are held against, and the table of their words.

use super::event::SharedName;
use crate::Urn;
use crate::qrp::{Cut, FILL_MAX, Table, Wanted, canonical, finds};
use crate::wire::Query;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Bits of the table of who shares little: what LimeWire had for all.
const TABLE_BITS: u8 = 16;
/// Names that are tried in a table of that size first.
const FEW: usize = 100;

/// What is shared, as far as searching needs it.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    files: Vec<Shelved>,
    next_index: u32,
    /// Made when it is first asked for after a change.
    table: Option<(Arc<Table>, Cut)>,
}

/// A name that is found.
#[derive(Debug)]
pub(crate) struct Shelved {
    /// What hits call it: its number never serves another.
    pub(crate) index: u32,
    pub(crate) file: SharedName,
    canonical: String,
}

impl Shelf {
    pub(crate) const fn len(&self) -> usize {
        self.files.len()
    }

    /// The size of all in kB.
    pub(crate) fn kilobytes(&self) -> u32 {
        let bytes: u64 = self.files.iter().map(|shelved| shelved.file.size).sum();
        u32::try_from(bytes / 1_000).unwrap_or(u32::MAX)
    }

    /// Adds a name, in place of one that is the same.
    pub(crate) fn add(&mut self, file: SharedName) {
        self.files.retain(|shelved| shelved.file.name != file.name);
        self.next_index += 1;
        let canonical = canonical(&file.name);
        self.files.push(Shelved { index: self.next_index, file, canonical });
        self.table = None;
    }

    /// Takes a name away; whether it was there.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.files.len();
        self.files.retain(|shelved| shelved.file.name != name);
        self.table = None;
        self.files.len() < before
    }

    /// The table of all names and URNs, and by how much of a word they are found.
    pub(crate) fn table(&mut self) -> (Arc<Table>, Cut) {
        if let Some((table, cut)) = &self.table {
            return (table.clone(), *cut);
        }
        let names = self.files.iter().map(|shelved| &*shelved.file.name);
        // Few names fit into the smallest table with all that stands for them.
        let mut small = Table::new(TABLE_BITS);
        names.clone().take(FEW + 1).for_each(|name| small.insert_name(name, Cut::MOST));
        let (mut table, cut) = if self.files.len() <= FEW && small.fill() <= FILL_MAX {
            (small, Cut::MOST)
        } else {
            Table::of_names(names, TABLE_BITS)
        };
        for urn in self.files.iter().filter_map(|shelved| shelved.file.urn) {
            // Searches are for SHA-1s.
            let sha1 = urn.sha1().map_or(urn, Urn::Sha1);
            table.insert_urn(&sha1);
        }
        let table = Arc::new(table);
        self.table = Some((table.clone(), cut));
        (table, cut)
    }

    /// The files that match, at most `most`: nothing that the table does not hold.
    pub(crate) fn matching(&mut self, query: &Query, wanted: &Wanted, most: usize) -> Vec<&Shelved> {
        if self.files.is_empty() || wanted.is_empty() {
            return Vec::new();
        }
        let (table, cut) = self.table();
        if !table.may_match(wanted) {
            return Vec::new();
        }
        let words = canonical(&String::from_utf8_lossy(&query.text));
        let urns: Vec<_> = query.extensions().urns().filter_map(|urn| urn.sha1()).collect();
        let is_named = |shelved: &&Shelved| {
            shelved.file.urn.and_then(|urn| urn.sha1()).is_some_and(|sha1| urns.contains(&sha1))
        };
        let found =
            self.files.iter().filter(|shelved| is_named(shelved) || finds(&shelved.canonical, &words, cut));
        found.take(most).collect()
    }
}
