//! [`Wanted`]: what a query looks for, as hashes, to be held against the tables of many neighbours.

use super::hash::Running;
use super::words::{canonical, words};
use super::{Table, WordHash};
use crate::wire::Query;

/// The most words and URNs of a query that are looked at; with fewer words a query reaches more neighbours.
pub const WANTED_MAX: usize = 16;
/// Letters of a word that counts. Not all servents have shorter ones in their tables.
const LETTERS_MIN: usize = 3;

/// What a query looks for. A query in ASCII is hashed without allocating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    words: [WordHash; WANTED_MAX],
    word_count: u8,
    urns: [WordHash; WANTED_MAX],
    urn_count: u8,
    newest: bool,
}

impl Wanted {
    /// What a query looks for: the words of its text, and the names of files by content.
    #[must_use]
    pub fn of(query: &Query) -> Self {
        let mut wanted = match str::from_utf8(&query.text) {
            Ok(text) => Self::of_text(text),
            // Servents of before 2003 wrote Latin-1.
            Err(_) => Self::of_text(
                &query.text.iter().map(|byte| char::from(*byte)).collect::<alloc::string::String>(),
            ),
        };
        wanted.newest = query.is_whats_new();
        for urn in query.extensions().urns().take(WANTED_MAX) {
            wanted.urns[usize::from(wanted.urn_count)] = WordHash::of_urn(&urn);
            wanted.urn_count += 1;
        }
        wanted
    }

    /// The words of a text.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let mut wanted = Self::default();
        for shortest in [LETTERS_MIN, 1] {
            if text.is_ascii() {
                wanted.ascii(text.as_bytes(), shortest);
            } else {
                let canonical = canonical(text);
                let long = words(&canonical).filter(|word| word.chars().count() >= shortest);
                long.for_each(|word| wanted.word(WordHash::of(word)));
            }
            // If no word is long enough, the short ones have to do.
            if wanted.word_count > 0 {
                break;
            }
        }
        wanted
    }

    /// Whether nothing is looked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.word_count == 0 && self.urn_count == 0
    }

    /// Whether the newest files are asked for, of which no table tells.
    #[must_use]
    pub const fn is_newest(&self) -> bool {
        self.newest
    }

    /// The words that count.
    #[must_use]
    pub fn words(&self) -> &[WordHash] {
        &self.words[..usize::from(self.word_count)]
    }

    /// The names of files by content.
    #[must_use]
    pub fn urns(&self) -> &[WordHash] {
        &self.urns[..usize::from(self.urn_count)]
    }

    fn word(&mut self, hash: WordHash) {
        if let Some(place) = self.words.get_mut(usize::from(self.word_count)) {
            *place = hash;
            self.word_count += 1;
        }
    }

    fn ascii(&mut self, text: &[u8], shortest: usize) {
        for word in text.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| word.len() >= shortest) {
            let mut running = Running::default();
            word.iter().for_each(|byte| running.byte(byte.to_ascii_lowercase()));
            self.word(running.finish());
        }
    }
}

impl Table {
    /// Whether a holder of this table may have what is wanted: a file by one of the names by content, or files with all of
    /// the words. Nothing that is wanted matches nothing.
    #[must_use]
    pub fn may_match(&self, wanted: &Wanted) -> bool {
        wanted.urns().iter().any(|urn| self.has(*urn))
            || !wanted.words().is_empty() && wanted.words().iter().all(|word| self.has(*word))
    }
}
