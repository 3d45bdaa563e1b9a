//! The entries of each md5 and size: [`Twins`].

use super::arena::NOWHERE;
use super::entry::Entry;
use super::key::HashKey;
use super::paged::Paged;
use super::table::Table;

/// The first entry of each md5 and size; the others are linked behind it.
#[derive(Debug)]
pub(super) struct Twins {
    key: HashKey,
    firsts: Table,
}

impl Twins {
    pub(super) fn new(key: HashKey) -> Self {
        Self { key, firsts: Table::new(10) }
    }

    /// Reads ahead what [`link`](Self::link) will touch.
    pub(super) fn fetch(&self, hash: u32) {
        self.firsts.fetch(hash);
    }

    fn first(&self, entries: &Paged<Entry>, hash: u32, md5: &[u8; 16], size: u64) -> Option<u32> {
        self.firsts.find(hash, |id| entries[id].size() == size && entries[id].md5() == Some(md5))
    }

    /// Puts an entry before the first of its md5 and size: nothing is touched but these two.
    /// `hash` is of those two, if the md5 says something.
    pub(super) fn link(&mut self, entries: &mut Paged<Entry>, id: u32, hash: Option<u32>) {
        let (Some(hash), Some(md5), size) = (hash, entries[id].md5(), entries[id].size()) else { return };
        match self.first(entries, hash, md5, size) {
            None => self.firsts.insert(hash, id),
            Some(first) => {
                self.firsts.replace(hash, first, Some(id));
                entries[first].twins[0] = id;
                entries[id].twins[1] = first;
            }
        }
    }

    pub(super) fn unlink(&mut self, entries: &mut Paged<Entry>, id: u32, hash: Option<u32>) {
        let Entry { twins: [before, after], .. } = entries[id];
        let Some(hash) = hash else { return };
        if before == NOWHERE {
            self.firsts.replace(hash, id, (after != NOWHERE).then_some(after));
        } else {
            entries[before].twins[1] = after;
        }
        if after != NOWHERE {
            entries[after].twins[0] = before;
        }
    }

    /// The entries of an md5 and a size, the newest first.
    pub(super) fn of(&self, entries: &Paged<Entry>, md5: &[u8; 16], size: u64) -> impl Iterator<Item = u32> {
        let first = self.first(entries, self.key.hash_digest(md5, size), md5, size);
        core::iter::successors(first, |id| Some(entries[*id].twins[1]).filter(|next| *next != NOWHERE))
    }
}
