//! [`Index`]: which files have a word in their names.

use crate::qrp::{Cut, words};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

/// Letters that a beginning of a word has at least to find it.
const BEGINNING_MIN: usize = 4;

/// Words to the numbers of the files whose names have them, in order.
#[derive(Debug, Default)]
pub(super) struct Index {
    words: BTreeMap<Box<str>, Vec<u32>>,
}

impl Index {
    /// Adds a file by its canonical name. Numbers only grow.
    pub(super) fn insert(&mut self, number: u32, canonical: &str) {
        for word in words(canonical) {
            match self.words.get_mut(word) {
                Some(numbers) if numbers.last() == Some(&number) => {}
                Some(numbers) => numbers.push(number),
                None => {
                    self.words.insert(word.into(), Vec::from([number]));
                }
            }
        }
    }

    /// Takes a file out again.
    pub(super) fn remove(&mut self, number: u32, canonical: &str) {
        for word in words(canonical) {
            let Some(numbers) = self.words.get_mut(word) else { continue };
            if let Ok(at) = numbers.binary_search(&number) {
                numbers.remove(at);
            }
            if numbers.is_empty() {
                self.words.remove(word);
            }
        }
    }

    /// The lists of the words that a word of a query finds: itself, and longer ones by at most `cut` letters.
    fn lists<'a>(&'a self, wanted: &'a str, cut: Cut) -> impl Iterator<Item = &'a Vec<u32>> {
        let letters = wanted.chars().count();
        let longest = if letters >= BEGINNING_MIN { letters + usize::from(cut.0) } else { letters };
        self.words
            .range::<str, _>((Bound::Included(wanted), Bound::Unbounded))
            .take_while(move |(word, _)| word.starts_with(wanted))
            .filter(move |(word, _)| word.chars().count() <= longest)
            .map(|(_, numbers)| numbers)
    }

    /// The files that may have all words of a canonical query, in order: those of its rarest word.
    pub(super) fn candidates(&self, query: &str, cut: Cut) -> Vec<u32> {
        let rarest = words(query).min_by_key(|word| self.lists(word, cut).map(Vec::len).sum::<usize>());
        let Some(rarest) = rarest else { return Vec::new() };
        let mut numbers: Vec<u32> = self.lists(rarest, cut).flatten().copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}
