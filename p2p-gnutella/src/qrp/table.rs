//! [`Table`]: a bit for each hash.

use super::WordHash;
use super::bits::Bits;
use super::words::{Cut, beginnings, canonical, words};
use crate::Urn;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// The fewest bits of a slot's number: 8 slots, the table of who shares nothing.
pub const BITS_MIN: u8 = 3;
/// The most: 2 Mi slots, 256 KiB. gtk-gnutella takes no more.
pub const BITS_MAX: u8 = 21;
/// The share of slots that should be set at most: so often does a word that nobody has look as if somebody had it.
pub const FILL_MAX: f64 = 0.01;

/// Slots of a word.
const WORD: usize = 64;
/// The first of them.
const FIRST: u64 = 1 << 63;

/// A table of bits: 2^bits slots. It takes no more memory than what is in it, see [`update`](super::update) for what it is
/// on the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Table {
    bits: u8,
    /// Slot 0 is the highest bit of the first word.
    set: Bits,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("bits", &self.bits).field("set", &self.set_count()).finish()
    }
}

impl Table {
    /// A table of 2^`bits` slots, none of them set; at least [`BITS_MIN`] and at most [`BITS_MAX`] bits.
    #[must_use]
    pub fn new(bits: u8) -> Self {
        let bits = bits.clamp(BITS_MIN, BITS_MAX);
        Self { bits, set: Bits::new((1usize << bits).div_ceil(WORD)) }
    }

    /// The same, to be filled with much: [`pack`](Self::pack) it then.
    pub(crate) fn open(bits: u8) -> Self {
        let bits = bits.clamp(BITS_MIN, BITS_MAX);
        Self { bits, set: Bits::open((1usize << bits).div_ceil(WORD)) }
    }

    /// Gives back the memory of what is not set.
    pub(crate) fn pack(&mut self) {
        self.set.pack();
    }

    /// The table of a servent with files of these names, of at least 2^`bits_min` slots (16 is what LimeWire had for all),
    /// and by how much of a word its files are found: it is made as large and has as few beginnings of words as it takes to
    /// keep to [`FILL_MAX`], which 2^[`BITS_MAX`] slots do with the whole words of 10,000 files and more.
    #[must_use]
    pub fn of_names<'a>(names: impl Iterator<Item = &'a str> + Clone, bits_min: u8) -> (Self, Cut) {
        let mut best = (Self::new(BITS_MIN), Cut::NONE);
        for cut in [Cut::MOST, Cut(2), Cut(1), Cut::NONE] {
            best = (Self::open(BITS_MAX), cut);
            names.clone().for_each(|name| best.0.insert_name(name, cut));
            // A smaller table has at most as many slots set.
            let set = best.0.set_count();
            let fits = |bits: &u8| set as f64 <= FILL_MAX * f64::from(1u32 << bits);
            if let Some(bits) = (bits_min.clamp(BITS_MIN, BITS_MAX)..=BITS_MAX).find(fits) {
                return (best.0.resized(bits), cut);
            }
        }
        best
    }

    /// Bits of a slot's number.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// How many slots there are.
    #[must_use]
    pub const fn slots(&self) -> u32 {
        1 << self.bits
    }

    /// How many are set.
    #[must_use]
    pub fn set_count(&self) -> usize {
        self.set.count()
    }

    /// The share of slots that are set: how often a word that nobody has looks as if somebody had it.
    #[must_use]
    pub fn fill(&self) -> f64 {
        self.set_count() as f64 / f64::from(self.slots())
    }

    /// Puts a word in.
    pub fn insert(&mut self, word: WordHash) {
        self.set(word.slot(self.bits));
    }

    /// Whether a word is in it, or looks as if it were.
    #[must_use]
    pub fn has(&self, word: WordHash) -> bool {
        let slot = word.slot(self.bits);
        self.set.word(slot / WORD) & FIRST >> (slot % WORD) != 0
    }

    /// Puts in what stands for a file's name: its words, and their beginnings.
    pub fn insert_name(&mut self, name: &str, cut: Cut) {
        for word in words(&canonical(name)) {
            beginnings(word, cut).for_each(|beginning| self.insert(WordHash::of(beginning)));
        }
    }

    /// Puts in the name of a file by its content.
    pub fn insert_urn(&mut self, urn: &Urn) {
        self.insert(WordHash::of_urn(urn));
    }

    /// Puts in all that is in another table, of whatever size: a slot of a smaller one stands for several here.
    pub fn union(&mut self, other: &Self) {
        if other.bits == self.bits {
            for (at, word) in other.set.words() {
                if let Some(own) = self.set.word_mut(at) {
                    *own |= word;
                }
            }
            return;
        }
        for slot in other.set_slots() {
            if other.bits > self.bits {
                self.set(slot >> (other.bits - self.bits));
            } else {
                let more = self.bits - other.bits;
                (slot << more..(slot + 1) << more).for_each(|slot| self.set(slot));
            }
        }
    }

    /// The same in another size: what is larger holds no more of the truth than before.
    #[must_use]
    pub fn resized(&self, bits: u8) -> Self {
        let mut other = Self::open(bits);
        other.union(self);
        other.pack();
        other
    }

    /// A bit for each slot, the first in the highest bit of the first byte.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.bytes_len()];
        for (at, word) in self.set.words() {
            let place = bytes.iter_mut().skip(at * WORD / 8);
            place.zip(word.to_be_bytes()).for_each(|(byte, is)| *byte = is);
        }
        bytes
    }

    /// How many bytes that are.
    pub(super) const fn bytes_len(&self) -> usize {
        1 << (self.bits - 3)
    }

    /// The eight bytes of [`to_bytes`](Self::to_bytes) from eight times `at` on.
    pub(super) fn word(&self, at: usize) -> u64 {
        self.set.word(at)
    }

    /// Those of them that are not zero, in order.
    pub(super) fn words(&self) -> impl Iterator<Item = (usize, u64)> {
        self.set.words()
    }

    /// Changes the bits of a byte of [`to_bytes`](Self::to_bytes) that are set in `byte`.
    pub(super) fn flip(&mut self, at: usize, byte: u8) {
        if let Some(word) = self.set.word_mut(at * 8 / WORD).filter(|_| at < 1 << (self.bits - 3)) {
            *word ^= u64::from(byte) << (56 - 8 * (at % 8));
        }
    }

    pub(super) fn set(&mut self, slot: usize) {
        if let Some(word) = self.set.word_mut(slot / WORD).filter(|_| slot < 1 << self.bits) {
            *word |= FIRST >> (slot % WORD);
        }
    }

    pub(super) fn clear(&mut self, slot: usize) {
        if let Some(word) = self.set.word_mut(slot / WORD).filter(|_| slot < 1 << self.bits) {
            *word &= !(FIRST >> (slot % WORD));
        }
    }

    /// Which of 2^`bits` buckets of slots have any set, of a hash that begins with the bucket's number; some perhaps twice.
    pub(crate) fn buckets(&self, bits: u8) -> impl Iterator<Item = usize> {
        let (less, more) = (self.bits.saturating_sub(bits), bits.saturating_sub(self.bits));
        self.set_slots().map(move |slot| slot >> less).flat_map(move |at| at << more..(at + 1) << more)
    }

    pub(super) fn set_slots(&self) -> impl Iterator<Item = usize> {
        self.set.words().flat_map(|(at, mut word)| {
            core::iter::from_fn(move || {
                let bit = word.leading_zeros() as usize;
                word &= !FIRST.checked_shr(bit as u32)?;
                Some(at * WORD + bit)
            })
        })
    }
}
