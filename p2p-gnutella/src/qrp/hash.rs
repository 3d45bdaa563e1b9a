//! [`WordHash`]: the hash function that all servents share (QRP 1.0, "Hashing details").

use crate::Urn;
use alloc::string::ToString;

/// The golden ratio, as QRP has it.
const FACTOR: u32 = 0x4f1b_bcdc;

/// A hash of a word: the slot in a table of any size is its first bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WordHash(u32);

impl WordHash {
    /// The hash of a word in whatever case.
    ///
    /// Characters are hashed by the low byte of each half of UTF-16, for the first servent was written in Java.
    #[must_use]
    pub fn of(word: &str) -> Self {
        let mut running = Running::default();
        word.chars().flat_map(char::to_lowercase).for_each(|c| running.character(c));
        running.finish()
    }

    /// The hash of a file's name by content. LimeWire's leaves had those in their tables; gtk-gnutella's have not.
    #[must_use]
    pub fn of_urn(urn: &Urn) -> Self {
        Self::of(&urn.to_string())
    }

    /// The slot in a table of 2^`bits`, at least 1 and at most 32 bits.
    #[must_use]
    pub const fn slot(self, bits: u8) -> usize {
        (self.0 >> (32 - bits)) as usize
    }
}

/// The hash of a word whose characters come one by one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Running {
    xor: u32,
    shift: u32,
}

impl Running {
    pub(super) fn character(&mut self, c: char) {
        for half in c.encode_utf16(&mut [0; 2]) {
            self.byte(*half as u8);
        }
    }

    pub(super) const fn byte(&mut self, byte: u8) {
        self.xor ^= (byte as u32) << self.shift;
        self.shift = (self.shift + 8) % 32;
    }

    pub(super) const fn finish(self) -> WordHash {
        WordHash(self.xor.wrapping_mul(FACTOR))
    }
}
