//! [`Table`]: a bit for each hash.

use super::WordHash;
use super::words::{beginnings, canonical, words};
use crate::Urn;
use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

/// The fewest bits of a slot's number: 8 slots, the table of who shares nothing.
pub const BITS_MIN: u8 = 3;
/// The most: 2 Mi slots, 256 KiB. gtk-gnutella takes no more.
pub const BITS_MAX: u8 = 21;
/// The share of slots that may be set: so often does a word that nobody has look as if somebody had it.
pub const FILL_MAX: f64 = 0.01;

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

    /// The table of a servent with files of these names, of the size that keeps to [`FILL_MAX`] as far as
    /// [`BITS_MAX`] allows, and of at least `bits_min` bits (16 is what LimeWire had for all).
    #[must_use]
    pub fn of_names<'a>(names: impl IntoIterator<Item = &'a str>, bits_min: u8) -> Self {
        let mut table = Self::new(BITS_MAX);
        names.into_iter().for_each(|name| table.insert_name(name));
        let set = table.set_count();
        // A smaller table has at most as many slots set.
        let fits = |bits: &u8| set as f64 <= FILL_MAX * (1u32 << bits) as f64;
        let bits = (bits_min.clamp(BITS_MIN, BITS_MAX)..BITS_MAX).find(fits).unwrap_or(BITS_MAX);
        table.resized(bits)
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

    /// Puts in what stands for a file's name, and for the folders before it if they are part of it.
    pub fn insert_name(&mut self, name: &str) {
        for word in words(&canonical(name)) {
            beginnings(word).for_each(|beginning| self.insert(WordHash::of(beginning)));
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
        self.bytes.iter().enumerate().filter(|(_, byte)| **byte != 0).flat_map(|(at, byte)| {
            (0..8).filter(move |bit| byte & 0x80 >> bit != 0).map(move |bit| at * 8 + bit)
        })
    }
}
