//! What one user shares: [`Holdings`].

use super::table::{Narrow, Part, Wide};
use alloc::vec::Vec;

/// A user's files, in the order in which they were shared (where one is taken out the last one takes its place).
#[derive(Debug, Default)]
pub(super) struct Holdings {
    files: Vec<u32>,
    /// Places in `files` by the tag: the hash of the whole name.
    places: Places,
    /// What all of them measure together.
    pub(super) bytes: u64,
}

/// Nobody has more files than the narrow ones can number, unless the operator says so.
#[derive(Debug)]
enum Places {
    Narrow(Part<Narrow>),
    Wide(Part<Wide>),
}

impl Default for Places {
    fn default() -> Self {
        Self::Narrow(Part::default())
    }
}

impl Places {
    fn find(&self, tag: u32, is: impl FnMut(u32) -> bool) -> Option<u32> {
        match self {
            Self::Narrow(part) => part.find(tag, is),
            Self::Wide(part) => part.find(tag, is),
        }
    }

    /// Adds the last place.
    fn push(&mut self, tag: u32, at: u32, tag_of: impl Fn(u32) -> u32) {
        if let Self::Narrow(_) = self
            && at >= u32::from(u16::MAX)
        {
            let mut part = Part::default();
            for at in 0..at {
                part.insert(tag_of(at), at);
            }
            *self = Self::Wide(part);
        }
        match self {
            Self::Narrow(part) => part.insert(tag, at),
            Self::Wide(part) => part.insert(tag, at),
        }
    }

    fn replace(&mut self, tag: u32, at: u32, by: Option<u32>) {
        match self {
            Self::Narrow(part) => part.replace(tag, at, by),
            Self::Wide(part) => part.replace(tag, at, by),
        }
    }
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

    /// Adds a file that is not there. `tag_of` says the tag of any entry that is there.
    pub(super) fn push(&mut self, entry: u32, tag: u32, tag_of: impl Fn(u32) -> u32) {
        if self.files.len() == self.files.capacity() {
            self.files.reserve_exact(self.files.len() / 4 + 4);
        }
        let Self { files, places, .. } = self;
        places.push(tag, files.len() as u32, |at| tag_of(files[at as usize]));
        files.push(entry);
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
