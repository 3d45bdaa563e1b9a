//! Every word, once, with the entries that have it: [`Dictionary`].

use super::arena::{Arena, NOWHERE};
use super::key::HashKey;
use super::paged::Paged;
use super::postings::Postings;
use super::table::Table;
use super::words::words;
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
    /// The folder of the name that was added last: a user's files lie in few, and come one folder after the other.
    folder: Vec<u8>,
    of_folder: Vec<Looked>,
    /// The rest of the name that is being added.
    of_base: Vec<Looked>,
}

/// A word that was looked up.
#[derive(Debug, Clone, Copy)]
struct Looked {
    hash: u32,
    /// [`NOWHERE`] if it is a new one.
    number: u32,
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
            folder: Vec::new(),
            of_folder: Vec::new(),
            of_base: Vec::new(),
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

    fn look_up_all(&self, text: &[u8], most: usize, looked: &mut Vec<Looked>) -> bool {
        looked.clear();
        for word in words(text) {
            if looked.len() == most {
                return false;
            }
            let hash = self.key.hash_word(word);
            looked.push(Looked { hash, number: self.number(word, hash).unwrap_or(NOWHERE) });
        }
        true
    }

    /// Looks up the words of a name, which is folder and base, to [`add`](Self::add) an entry of that name next. False if
    /// there are more than `most`.
    pub(super) fn look_up(&mut self, [folder, base]: [&[u8]; 2], most: usize) -> bool {
        let (mut of_folder, mut of_base) =
            (core::mem::take(&mut self.of_folder), core::mem::take(&mut self.of_base));
        let mut fits = true;
        if self.folder != folder {
            self.folder.clear();
            fits = self.look_up_all(folder, most, &mut of_folder);
            if fits {
                self.folder.extend_from_slice(folder);
            } else {
                of_folder.clear();
            }
        }
        fits = fits && self.look_up_all(base, most - of_folder.len(), &mut of_base);
        (self.of_folder, self.of_base) = (of_folder, of_base);
        fits
    }

    /// An entry has this name, which was looked up just now.
    pub(super) fn add(&mut self, [folder, base]: [&[u8]; 2], entry: u32) {
        let (mut of_folder, mut of_base) =
            (core::mem::take(&mut self.of_folder), core::mem::take(&mut self.of_base));
        // No list is touched before the ends of all are under way.
        for looked in of_folder.iter().chain(&of_base).filter(|looked| looked.number != NOWHERE) {
            self.words[looked.number].entries.fetch(entry);
        }
        self.add_all(folder, &mut of_folder, entry);
        self.add_all(base, &mut of_base, entry);
        (self.of_folder, self.of_base) = (of_folder, of_base);
    }

    /// What was new gets its number.
    fn add_all(&mut self, text: &[u8], looked: &mut [Looked], entry: u32) {
        for (at, looked) in looked.iter_mut().enumerate() {
            match looked.number {
                NOWHERE => {
                    if let Some(word) = words(text).nth(at) {
                        looked.number = self.add_new(word, looked.hash, entry);
                    }
                }
                number => {
                    self.words[number].entries.insert(entry);
                }
            }
        }
    }

    /// An entry has this word, which was not there when the first word of its name was added. Its number.
    fn add_new(&mut self, text: &[u8], hash: u32, entry: u32) -> u32 {
        // The name may have it twice.
        if let Some(number) = self.number(text, hash) {
            self.words[number].entries.insert(entry);
            return number;
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
        number
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
            // It may have been one of these.
            self.folder.clear();
            self.of_folder.clear();
        }
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.words.len() - self.free.len()
    }
}
