//! [`Table`]: a bit for each hash.

use super::WordHash;
use super::words::{Cut, beginnings, canonical, words};
use crate::Urn;
use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

/// The fewest bits of a slot's number: 8 slots, the table of who shares nothing.
pub const BITS_MIN: u8 = 3;
/// The most: 2 Mi slots, 256 KiB. gtk-gnutella takes no more.
pub const BITS_MAX: u8 = 21;
/// The share of slots that should be set at most: so often does a word that nobody has look as if somebody had it.
pub const FILL_MAX: f64 = 0.01;

/// Bytes that are looked at together.
pub(super) const STRIDE: usize = 32;

/// The bytes that are not zero, and where each is: few in tables and patches, so many are passed over at once.
pub(super) fn not_zero(bytes: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let strides = bytes.chunks(STRIDE).enumerate();
    let some = strides.filter(|(_, stride)| stride.iter().fold(0, |all, byte| all | byte) != 0);
    some.flat_map(|(at, stride)| {
        stride
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte != 0)
            .map(move |(byte, is)| (at * STRIDE + byte, *is))
    })
}

/// A table of bits: 2^bits slots, an eighth as many bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Table {
    bits: u8,
    /// Slot 0 is the highest bit of the first byte, as on the wire.
    bytes: Box<[u8]>,
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
        Self { bits, bytes: vec![0; 1 << (bits - 3)].into() }
    }

    /// The table of a servent with files of these names, of at least 2^`bits_min` slots (16 is what LimeWire had for all),
    /// and by how much of a word its files are found: it is made as large and has as few beginnings of words as it takes to
    /// keep to [`FILL_MAX`], which 2^[`BITS_MAX`] slots do with the whole words of 10,000 files and more.
    #[must_use]
    pub fn of_names<'a>(names: impl Iterator<Item = &'a str> + Clone, bits_min: u8) -> (Self, Cut) {
        let mut best = (Self::new(BITS_MAX), Cut::NONE);
        for cut in [Cut::MOST, Cut(2), Cut(1), Cut::NONE] {
            best = (Self::new(BITS_MAX), cut);
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
        self.bytes.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// The share of slots that are set: how often a word that nobody has looks as if somebody had it.
    #[must_use]
    pub fn fill(&self) -> f64 {
        self.set_count() as f64 / f64::from(self.slots())
    }

    /// Puts a word in.
    pub fn insert(&mut self, word: WordHash) {
        let slot = word.slot(self.bits);
        self.bytes[slot / 8] |= 0x80 >> (slot % 8);
    }

    /// Whether a word is in it, or looks as if it were.
    #[must_use]
    pub fn has(&self, word: WordHash) -> bool {
        let slot = word.slot(self.bits);
        self.bytes[slot / 8] & 0x80 >> (slot % 8) != 0
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
            self.bytes.iter_mut().zip(&other.bytes).for_each(|(byte, more)| *byte |= more);
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
        let mut other = Self::new(bits);
        other.union(self);
        other
    }

    /// A bit for each slot, the first in the highest bit of the first byte.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) const fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    pub(super) fn set(&mut self, slot: usize) {
        if let Some(byte) = self.bytes.get_mut(slot / 8) {
            *byte |= 0x80 >> (slot % 8);
        }
    }

    pub(super) fn clear(&mut self, slot: usize) {
        if let Some(byte) = self.bytes.get_mut(slot / 8) {
            *byte &= !(0x80 >> (slot % 8));
        }
    }

    pub(super) fn set_slots(&self) -> impl Iterator<Item = usize> {
        not_zero(&self.bytes).flat_map(|(at, byte)| {
            (0..8).filter(move |bit| byte & 0x80 >> bit != 0).map(move |bit| at * 8 + bit)
        })
    }
}
