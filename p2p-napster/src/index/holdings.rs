//! What one user shares: [`Holdings`].

use super::table::Part;
use alloc::vec::Vec;

/// A user's files, in the order in which they were shared (where one is taken out the last one takes its place).
#[derive(Debug, Default)]
pub(super) struct Holdings {
    files: Vec<u32>,
    /// Places in `files` by the tag: the hash of the whole name.
    places: Part,
    /// What all of them measure together.
    pub(super) bytes: u64,
}

impl Holdings {
    /// The entries.
    pub(super) fn files(&self) -> &[u32] {
        &self.files
    }

    /// The place of the file with this tag of which `is` says that it is the one.
    pub(super) fn find(&self, tag: u32, mut is: impl FnMut(u32) -> bool) -> Option<usize> {
        self.places.find(tag, |at| is(self.files[at as usize])).map(|at| at as usize)
    }

    /// Adds a file that is not there.
    pub(super) fn push(&mut self, entry: u32, tag: u32) {
        if self.files.len() == self.files.capacity() {
            self.files.reserve_exact(self.files.len() / 4 + 4);
        }
        self.places.insert(tag, self.files.len() as u32);
        self.files.push(entry);
    }

    /// Takes out the file at this place, which has this tag. `tag_of` says the tag of any entry that is there.
    pub(super) fn remove(&mut self, at: usize, tag: u32, tag_of: impl Fn(u32) -> u32) {
        let last = self.files.len() - 1;
        self.places.replace(tag, at as u32, None);
        let moved = self.files.pop();
        if let (Some(moved), Some(place)) = (moved, self.files.get_mut(at)) {
            *place = moved;
            self.places.replace(tag_of(moved), last as u32, Some(at as u32));
        }
    }
}
