//! Every word, once, with the entries that have it: [`Dictionary`].

use super::arena::{Arena, NOWHERE};
use super::key::HashKey;
use super::paged::Paged;
use super::postings::Postings;
use super::table::Table;
use alloc::vec::Vec;

/// Words in ASCII lower case and their lists.
#[derive(Debug)]
pub(super) struct Dictionary {
    key: HashKey,
    table: Table,
    words: Paged<Word>,
    /// Numbers of words that are gone.
    free: Vec<u32>,
    /// Length (2 bytes), text.
    texts: Arena,
}

#[derive(Debug)]
struct Word {
    text: u32,
    hash: u32,
    entries: Postings,
}

impl Dictionary {
    pub(super) fn new(key: HashKey) -> Self {
        Self { key, table: Table::new(8), words: Paged::default(), free: Vec::new(), texts: Arena::default() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.texts.has_room()
    }

    fn number(&self, word: &[u8], hash: u32) -> Option<u32> {
        self.table.find(hash, |number| {
            let at = self.words[number].text;
            usize::from(self.texts.u16_at(at, 0)) == word.len()
                && self.texts.slice(at, 2, 2 + word.len()).eq_ignore_ascii_case(word)
        })
    }

    /// Where a word stands, and the entries that have it.
    pub(super) fn find(&self, word: &[u8]) -> Option<(u32, &Postings)> {
        let number = self.number(word, self.key.hash_word(word))?;
        Some((number, &self.words[number].entries))
    }

    /// An entry has this word.
    pub(super) fn add(&mut self, word: &[u8], entry: u32) {
        let hash = self.key.hash_word(word);
        if let Some(number) = self.number(word, hash) {
            self.words[number].entries.insert(entry);
            return;
        }
        let text = self.texts.put(&[&(word.len() as u16).to_le_bytes(), &word.to_ascii_lowercase()]);
        let word = Word { text, hash, entries: Postings::One(entry) };
        let number = match self.free.pop() {
            Some(number) => {
                self.words[number] = word;
                number
            }
            None => self.words.push(word),
        };
        let words = &self.words;
        self.table.insert(hash, number, |number| words[number].hash);
    }

    /// An entry with this word is gone.
    pub(super) fn remove(&mut self, word: &[u8], entry: u32) {
        let hash = self.key.hash_word(word);
        let Some(number) = self.number(word, hash) else { return };
        let found = &mut self.words[number];
        found.entries.remove(entry);
        if found.entries.is_empty() {
            self.texts.remove(core::mem::replace(&mut found.text, NOWHERE), 2 + word.len());
            self.table.replace(hash, number, None);
            self.free.push(number);
        }
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.words.len() - self.free.len()
    }
}
