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
    /// Texts of words that do not fit their place.
    texts: Arena,
    /// Words of the name that is being added, by hash and number; kept for its room.
    adding: Vec<(u32, u32)>,
}

/// Bytes of a text that lies beside its list: nearly all are so short.
const SHORT: usize = 18;

/// 48 bytes: who looks a word up finds its text and its list in the same place, for every other place is as likely as
/// not to be far from the processor.
#[derive(Debug)]
struct Word {
    entries: Postings,
    /// Where a text that is not [`SHORT`] lies.
    long: u32,
    len: u16,
    short: [u8; SHORT],
}

impl Dictionary {
    pub(super) fn new(key: HashKey) -> Self {
        Self {
            key,
            table: Table::new(8),
            words: Paged::default(),
            free: Vec::new(),
            texts: Arena::default(),
            adding: Vec::new(),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.texts.has_room()
    }

    fn number(&self, text: &[u8], hash: u32) -> Option<u32> {
        self.table.find(hash, |number| {
            let word = &self.words[number];
            let len = usize::from(word.len);
            len == text.len()
                && match word.short.get(..len) {
                    Some(short) => short.eq_ignore_ascii_case(text),
                    None => self.texts.slice(word.long, 0, len).eq_ignore_ascii_case(text),
                }
        })
    }

    /// Where a word stands, and the entries that have it.
    pub(super) fn find(&self, word: &[u8]) -> Option<(u32, &Postings)> {
        let number = self.number(word, self.key.hash_word(word))?;
        Some((number, &self.words[number].entries))
    }

    /// An entry has these words. All are looked up before the first list is touched, so that the waits for memory
    /// overlap.
    pub(super) fn add(&mut self, words: &[&[u8]], entry: u32) {
        let mut adding = core::mem::take(&mut self.adding);
        adding.clear();
        adding.extend(words.iter().map(|word| (self.key.hash_word(word), NOWHERE)));
        for ((hash, number), word) in adding.iter_mut().zip(words) {
            *number = self.number(word, *hash).unwrap_or(NOWHERE);
        }
        for ((hash, number), word) in adding.iter().zip(words) {
            match *number {
                NOWHERE => self.add_new(word, *hash, entry),
                number => {
                    self.words[number].entries.insert(entry);
                }
            }
        }
        self.adding = adding;
    }

    /// An entry has this word, which was not there when the first word of its name was added.
    fn add_new(&mut self, text: &[u8], hash: u32, entry: u32) {
        // The name may have it twice.
        if let Some(number) = self.number(text, hash) {
            self.words[number].entries.insert(entry);
            return;
        }
        let mut short = [0; SHORT];
        let long = match short.get_mut(..text.len()) {
            Some(short) => {
                short.copy_from_slice(text);
                short.make_ascii_lowercase();
                NOWHERE
            }
            None => self.texts.put(&[&text.to_ascii_lowercase()]),
        };
        let word = Word { entries: Postings::One(entry), long, len: text.len() as u16, short };
        let number = match self.free.pop() {
            Some(number) => {
                self.words[number] = word;
                number
            }
            None => self.words.push(word),
        };
        self.table.insert(hash, number);
    }

    /// An entry with this word is gone.
    pub(super) fn remove(&mut self, text: &[u8], entry: u32) {
        let hash = self.key.hash_word(text);
        let Some(number) = self.number(text, hash) else { return };
        let word = &mut self.words[number];
        word.entries.remove(entry);
        if word.entries.is_empty() {
            if word.long != NOWHERE {
                self.texts.remove(core::mem::replace(&mut word.long, NOWHERE), text.len());
            }
            self.table.replace(hash, number, None);
            self.free.push(number);
        }
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.words.len() - self.free.len()
    }
}
