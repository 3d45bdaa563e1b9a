//! The running digest of everything that happens: order matters, speed too, secrecy does not.

use core::fmt;
use core::hash::{Hash, Hasher};

/// A 64-bit running digest by folded multiplication; the same in every build and on every machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fold(u64);

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Fold {
    pub(crate) const fn new() -> Self {
        Self(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) const fn value(self) -> u64 {
        self.0
    }

    pub(crate) const fn mix(&mut self, word: u64) {
        let wide = ((self.0 ^ word) as u128) * (FACTOR as u128);
        self.0 = (wide as u64) ^ ((wide >> 64) as u64) ^ word.rotate_left(29);
    }

    /// All bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last));
    }

    /// The length, the first 16 bytes and the last 8: payloads are long, and what differs shows in what follows.
    pub(crate) fn sample(&mut self, bytes: &[u8]) {
        if bytes.len() <= 24 {
            return self.bytes(bytes);
        }
        self.bytes(&bytes[..16]);
        self.bytes(&bytes[bytes.len() - 8..]);
        self.mix(bytes.len() as u64);
    }

    /// Which variant of an enum it is.
    pub(crate) fn variant<T>(&mut self, of: &T) {
        core::mem::discriminant(of).hash(self);
    }
}

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }
}

impl fmt::Write for Fold {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Byte by byte, so that it does not matter how the text was cut.
        text.bytes().for_each(|byte| self.mix(u64::from(byte)));
        Ok(())
    }
}
