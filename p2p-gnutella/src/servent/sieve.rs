//! [`Sieve`]: whose tables may have what a query wants, of 64 neighbours at one look.

use crate::qrp::{Table, Wanted, WordHash};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Neighbours of a lane.
pub(super) const LANE: usize = 64;
/// Bits of a bucket's number: a table has what its owner shares in about as many slots, so most buckets are empty of it.
const BUCKET_BITS: u8 = 9;
const BUCKETS: usize = 1 << BUCKET_BITS;

/// For each bucket of slots, which neighbours' tables have any of these set: a look at one word of memory does for what else
/// takes two looks into each of 64 tables that lie far from each other. It says too much, never too little, and its owner
/// looks at the tables of those that it names.
///
/// Neighbours go by their places. A lane of 64 of them is 4 KiB, and is there once one of them has a table.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    lanes: Vec<Option<Box<[u64]>>>,
}

impl Sieve {
    /// A neighbour's table, as it is from now on; without one it may have anything, as far as is known here.
    pub(super) fn tell(&mut self, place: usize, table: Option<&Table>) {
        let (lane, bit) = (place / LANE, 1u64 << (place % LANE));
        if table.is_none() && self.lanes.get(lane).is_none_or(Option::is_none) {
            return;
        }
        if self.lanes.len() <= lane {
            self.lanes.resize(lane + 1, None);
        }
        let buckets = self.lanes[lane].get_or_insert_with(|| vec![u64::MAX; BUCKETS].into());
        let Some(table) = table else { return buckets.iter_mut().for_each(|bucket| *bucket |= bit) };
        buckets.iter_mut().for_each(|bucket| *bucket &= !bit);
        table.buckets(BUCKET_BITS).for_each(|at| buckets[at] |= bit);
    }

    /// Those of a lane that may have what is wanted, a bit for each.
    pub(super) fn of(&self, lane: usize, wanted: &Wanted) -> u64 {
        let Some(Some(buckets)) = self.lanes.get(lane) else { return u64::MAX };
        if wanted.is_newest() || wanted.is_empty() {
            // No table tells of that.
            return u64::MAX;
        }
        let has = |hash: &WordHash| buckets[hash.slot(BUCKET_BITS)];
        let words = match wanted.words() {
            [] => 0,
            words => words.iter().map(has).fold(u64::MAX, |all, has| all & has),
        };
        wanted.urns().iter().map(has).fold(words, |any, has| any | has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qrp::Cut;
    use alloc::format;

    /// Whatever tables are, of whatever size, and however they change: nobody is left out whose table may match.
    #[test]
    fn it_leaves_out_nobody_who_may_have_it_and_most_of_the_others() {
        let mut sieve = Sieve::default();
        assert_eq!(sieve.of(0, &Wanted::of_text("word")), u64::MAX, "nothing is known of anybody");
        let mut tables = Vec::new();
        for place in 0..150usize {
            let mut table = Table::new([3, 8, 9, 10, 16, 17, 21][place % 7]);
            for word in 0..place % 30 {
                table.insert_name(&format!("w{place}x{word}"), Cut::NONE);
            }
            sieve.tell(place, Some(&table));
            tables.push(Some(table));
        }
        for gone in [3, 70, 140] {
            tables[gone] = None;
            sieve.tell(gone, None);
        }
        let (mut named, mut all) = (0, 0);
        for at in 0..150 {
            let wanted = Wanted::of_text(&format!("w{at}x0"));
            for (place, table) in tables.iter().enumerate() {
                let is_named = sieve.of(place / LANE, &wanted) & 1 << (place % LANE) != 0;
                assert!(is_named || !table.as_ref().is_none_or(|table| table.may_match(&wanted)));
                if table.as_ref().is_some_and(|table| table.bits() >= 16) {
                    all += 1;
                    named += u32::from(is_named);
                }
            }
        }
        assert!(named * 10 < all, "{named} of {all} are looked at");
        assert_eq!(sieve.of(3, &Wanted::of_text("word")), u64::MAX, "of those there is no table");
        assert_eq!(sieve.of(0, &Wanted::default()), u64::MAX, "nothing that a table tells of");
    }
}
