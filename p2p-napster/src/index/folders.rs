//! Folders, each once for all the files that lie in it: [`Folders`].

use super::arena::{Arena, NOWHERE};
use super::key::HashKey;
use super::table::Table;

/// References (4 bytes), hash (4), length (2), text. A folder is named by where it lies.
const HEAD: usize = 10;

#[derive(Debug)]
pub(super) struct Folders {
    key: HashKey,
    table: Table,
    texts: Arena,
}

impl Folders {
    pub(super) fn new(key: HashKey) -> Self {
        Self { key, table: Table::new(6), texts: Arena::default() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.texts.has_room()
    }

    /// The text of a folder; none for [`NOWHERE`].
    pub(super) fn text(&self, folder: u32) -> &[u8] {
        if folder == NOWHERE {
            return &[];
        }
        self.texts.slice(folder, HEAD, HEAD + usize::from(self.texts.u16_at(folder, 8)))
    }

    /// One more file lies in this folder, which gets a place if it has none yet.
    pub(super) fn enter(&mut self, text: &[u8]) -> u32 {
        if text.is_empty() {
            return NOWHERE;
        }
        let hash = self.key.hash(text);
        if let Some(folder) = self.table.find(hash, |folder| self.text(folder) == text) {
            let count = self.texts.u32_at(folder, 0);
            self.texts.set_u32(folder, 0, count + 1);
            return folder;
        }
        let len = text.len() as u16;
        let folder = self.texts.put(&[&1u32.to_le_bytes(), &hash.to_le_bytes(), &len.to_le_bytes(), text]);
        self.table.insert(hash, folder);
        folder
    }

    /// One file less lies in it.
    pub(super) fn leave(&mut self, folder: u32) {
        if folder == NOWHERE {
            return;
        }
        match self.texts.u32_at(folder, 0) - 1 {
            0 => {
                let (hash, len) = (self.texts.u32_at(folder, 4), self.texts.u16_at(folder, 8));
                self.table.replace(hash, folder, None);
                self.texts.remove(folder, HEAD + usize::from(len));
            }
            count => self.texts.set_u32(folder, 0, count),
        }
    }
}
