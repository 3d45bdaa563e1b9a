//! 65,536 numbers of which some are in a set: [`Block`].

use super::super::ahead::fetch;
use super::{insert_sorted, remove_sorted};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A block with more numbers than this is a bitmap. One of 4096 would take the same room, but two lists of as many are
/// slow to compare, and few words are that common.
pub(super) const SPARSE: usize = 1024;
/// Of 64 bits, in a bitmap.
pub(super) const WORDS: usize = 1024;

/// A set of 16-bit numbers.
#[derive(Debug)]
pub(super) enum Block {
    Sparse(Vec<u16>),
    Dense(Box<Bitmap>),
}

#[derive(Debug)]
pub(super) struct Bitmap {
    len: usize,
    pub(super) words: [u64; WORDS],
}

impl Bitmap {
    pub(super) fn contains(&self, low: u16) -> bool {
        self.words[usize::from(low >> 6)] >> (low & 63) & 1 != 0
    }
}

impl Default for Block {
    fn default() -> Self {
        Self::Sparse(Vec::new())
    }
}

impl Block {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Sparse(lows) => lows.len(),
            Self::Dense(bitmap) => bitmap.len,
        }
    }

    pub(super) fn contains(&self, low: u16) -> bool {
        match self {
            Self::Sparse(lows) => has(lows, low),
            Self::Dense(bitmap) => bitmap.contains(low),
        }
    }

    /// Reads ahead what [`insert`](Self::insert) of this number will touch, if it is the greatest.
    pub(super) fn fetch(&self, low: u16) {
        match self {
            Self::Sparse(lows) => fetch(lows.last().copied()),
            Self::Dense(bitmap) => fetch((bitmap.len, bitmap.words[usize::from(low >> 6)])),
        }
    }

    pub(super) fn insert(&mut self, low: u16) -> bool {
        match self {
            Self::Sparse(lows) => {
                if !insert_sorted(lows, low) {
                    return false;
                }
                if lows.len() > SPARSE {
                    let mut bitmap = Box::new(Bitmap { len: lows.len(), words: [0; WORDS] });
                    for low in lows {
                        bitmap.words[usize::from(*low >> 6)] |= 1 << (*low & 63);
                    }
                    *self = Self::Dense(bitmap);
                }
                true
            }
            Self::Dense(bitmap) => {
                let new = !bitmap.contains(low);
                bitmap.words[usize::from(low >> 6)] |= 1 << (low & 63);
                bitmap.len += usize::from(new);
                new
            }
        }
    }

    pub(super) fn remove(&mut self, low: u16) -> bool {
        match self {
            Self::Sparse(lows) => remove_sorted(lows, low),
            Self::Dense(bitmap) => {
                let was = bitmap.contains(low);
                bitmap.words[usize::from(low >> 6)] &= !(1 << (low & 63));
                bitmap.len -= usize::from(was);
                if bitmap.len < SPARSE / 2 {
                    let mut lows = Vec::with_capacity(bitmap.len);
                    self.for_each(|low| lows.push(low));
                    *self = Self::Sparse(lows);
                }
                was
            }
        }
    }

    pub(super) fn for_each(&self, mut each: impl FnMut(u16)) {
        match self {
            Self::Sparse(lows) => lows.iter().for_each(|low| each(*low)),
            Self::Dense(bitmap) => {
                for (at, word) in bitmap.words.iter().enumerate() {
                    bits(*word, |bit| each((at as u16) << 6 | bit));
                }
            }
        }
    }
}

/// Whether a sorted list has a number: looked for around where it would lie if all were evenly spread, which most lists
/// nearly are, for files come in any order. That is one or two lines of memory where a binary search reads five, and no
/// branch that depends on them.
pub(super) fn has(lows: &[u16], low: u16) -> bool {
    const WINDOW: usize = 64;
    let guess = (usize::from(low) * lows.len()) >> 16;
    let from = guess.saturating_sub(WINDOW / 2).min(lows.len().saturating_sub(WINDOW));
    let to = lows.len().min(from + WINDOW);
    let window = &lows[from..to];
    let (Some(first), Some(last)) = (window.first(), window.last()) else { return false };
    if *first <= low && low <= *last {
        window.iter().fold(false, |found, other| found | (*other == low))
    } else if low < *first {
        lows[..from].binary_search(&low).is_ok()
    } else {
        lows[to..].binary_search(&low).is_ok()
    }
}

/// The places of a word's bits, from the lowest.
fn bits(mut word: u64, mut each: impl FnMut(u16)) {
    while word != 0 {
        each(word.trailing_zeros() as u16);
        word &= word - 1;
    }
}
