//! A hash table of numbers that grows little by little: [`Table`].

use alloc::boxed::Box;
use hashbrown::HashTable;

/// Numbers by a 32-bit hash of what they stand for. It is made of small tables, each of which grows for itself: moving
/// a million entries at once would stall everybody.
#[derive(Debug, Default)]
pub(super) struct Table {
    parts: Box<[HashTable<u32>]>,
    shift: u32,
}

/// The small tables take a hash's low bits for the place and its top bits for the tag.
const fn spread(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Table {
    /// One of `1 << bits` parts, from 1 to 16 bits.
    pub(super) fn new(bits: u32) -> Self {
        Self { parts: (0..1 << bits).map(|_| HashTable::new()).collect(), shift: 32 - bits }
    }

    pub(super) fn find(&self, hash: u32, mut eq: impl FnMut(u32) -> bool) -> Option<u32> {
        self.parts[(hash >> self.shift) as usize].find(spread(hash), |number| eq(*number)).copied()
    }

    /// Adds a number that is not there. `hash_of` says the hash of any number that is there.
    pub(super) fn insert(&mut self, hash: u32, number: u32, hash_of: impl Fn(u32) -> u32) {
        let part = &mut self.parts[(hash >> self.shift) as usize];
        part.insert_unique(spread(hash), number, |number| spread(hash_of(*number)));
    }

    /// Puts `by` in the place of `number`, or takes `number` out.
    pub(super) fn replace(&mut self, hash: u32, number: u32, by: Option<u32>) {
        let part = &mut self.parts[(hash >> self.shift) as usize];
        if let Ok(mut found) = part.find_entry(spread(hash), |other| *other == number) {
            match by {
                Some(by) => *found.get_mut() = by,
                None => drop(found.remove()),
            }
        }
    }
}
