//! What one user shares: [`Holdings`].

use alloc::vec::Vec;
use hashbrown::HashTable;

/// Up to so many files a list is searched from end to end: faster than an index, and most lists are about so long.
const SCAN_MOST: usize = 32;

#[derive(Debug, Clone, Copy)]
pub(super) struct Holding {
    pub(super) entry: u32,
    /// The hash of the whole name.
    tag: u32,
}

/// A user's files, in the order in which they were shared (where one is taken out the last one takes its place).
#[derive(Debug, Default)]
pub(super) struct Holdings {
    files: Vec<Holding>,
    /// Places in `files` by the tag, of longer lists.
    places: HashTable<u32>,
    /// What all of them measure together.
    pub(super) bytes: u64,
}

const fn spread(tag: u32) -> u64 {
    (tag as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Holdings {
    pub(super) fn files(&self) -> &[Holding] {
        &self.files
    }

    pub(super) fn entry(&self, at: usize) -> u32 {
        self.files[at].entry
    }

    /// The place of the file with this tag of which `is` says that it is the one.
    pub(super) fn find(&self, tag: u32, mut is: impl FnMut(u32) -> bool) -> Option<usize> {
        if self.places.is_empty() {
            return self.files.iter().position(|file| file.tag == tag && is(file.entry));
        }
        self.places
            .find(spread(tag), |at| {
                let file = self.files[*at as usize];
                file.tag == tag && is(file.entry)
            })
            .map(|at| *at as usize)
    }

    /// Adds a file that is not there.
    pub(super) fn push(&mut self, entry: u32, tag: u32) {
        if self.files.len() == self.files.capacity() {
            self.files.reserve_exact(self.files.len() / 4 + 4);
        }
        self.files.push(Holding { entry, tag });
        let Self { files, places, .. } = self;
        let hash_of = |at: &u32| spread(files[*at as usize].tag);
        if !places.is_empty() {
            places.insert_unique(spread(tag), files.len() as u32 - 1, hash_of);
        } else if files.len() > SCAN_MOST {
            for (at, file) in files.iter().enumerate() {
                places.insert_unique(spread(file.tag), at as u32, hash_of);
            }
        }
    }

    /// Takes out the file at this place.
    pub(super) fn remove(&mut self, at: usize) {
        let Self { files, places, .. } = self;
        let last = files.len() - 1;
        if !places.is_empty() {
            if let Ok(found) = places.find_entry(spread(files[at].tag), |place| *place as usize == at) {
                found.remove();
            }
            if let Some(place) = places.find_mut(spread(files[last].tag), |place| *place as usize == last) {
                *place = at as u32;
            }
        }
        files.swap_remove(at);
        if files.len() <= SCAN_MOST / 2 {
            *places = HashTable::new();
        }
    }
}
