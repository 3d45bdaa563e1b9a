//! Which pieces someone has: [`Bitfield`], in the order of the wire and counted as it changes.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

/// A fixed number of bits, most significant bit of the first byte first (the order of BitTorrent's `bitfield`, BEP 3).
///
/// The number of ones is kept, so [`count`](Self::count), [`is_full`](Self::is_full) and [`none`](Self::none) are
/// free. Everything that walks the bits does so 64 at a time. One without bits holds no memory.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Bitfield {
    bytes: Box<[u8]>,
    len: u32,
    ones: u32,
}

/// Why bytes are not a bitfield of the expected length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BitfieldError {
    /// Not as many bytes as the bits need.
    #[error("a bitfield of {got} bytes where {wanted} are needed")]
    Size {
        /// How many bytes there are.
        got: usize,
        /// How many there must be.
        wanted: usize,
    },
    /// A bit past the last one is set; BEP 3 has such a connection dropped.
    #[error("a spare bit is set")]
    Spare,
}

/// How many bytes `len` bits fill.
const fn bytes_for(len: u32) -> usize {
    len.div_ceil(8) as usize
}

impl Bitfield {
    /// `len` bits, all zero.
    #[must_use]
    pub fn new(len: u32) -> Self {
        Self { bytes: vec![0; bytes_for(len)].into(), len, ones: 0 }
    }

    /// `len` bits, all one.
    #[must_use]
    pub fn full(len: u32) -> Self {
        let mut bytes: Box<[u8]> = vec![0xff; bytes_for(len)].into();
        if let (Some(last), spare @ 1..) = (bytes.last_mut(), bytes_for(len) * 8 - len as usize) {
            *last <<= spare;
        }
        Self { bytes, len, ones: len }
    }

    /// The `len` bits that a peer sent.
    ///
    /// # Errors
    /// If the size is wrong, or a bit past the last one is set.
    pub fn from_wire(len: u32, bytes: &[u8]) -> Result<Self, BitfieldError> {
        let wanted = bytes_for(len);
        if bytes.len() != wanted {
            return Err(BitfieldError::Size { got: bytes.len(), wanted });
        }
        let spare = wanted * 8 - len as usize;
        if bytes.last().is_some_and(|last| (last.trailing_zeros() as usize) < spare) {
            return Err(BitfieldError::Spare);
        }
        let mut bits = Self { bytes: bytes.into(), len, ones: 0 };
        bits.ones = (0..bits.words()).map(|at| bits.word(at).count_ones()).sum();
        Ok(bits)
    }

    /// The bytes as they go over the wire; spare bits are zero.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bits there are.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are no bits at all (see [`none`](Self::none) for no ones).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many ones there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.ones
    }

    /// Whether all bits are one. True of one without bits.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.ones == self.len
    }

    /// Whether all bits are zero. True of one without bits.
    #[must_use]
    pub const fn none(&self) -> bool {
        self.ones == 0
    }

    /// Bit `i`; false outside.
    #[must_use]
    pub fn get(&self, i: u32) -> bool {
        // Spare bits are zero, so only the byte has to exist.
        self.bytes.get(i as usize / 8).is_some_and(|byte| byte & mask(i) != 0)
    }

    /// Sets bit `i`; whether it was zero before. Does nothing outside.
    pub fn set(&mut self, i: u32) -> bool {
        if i >= self.len || self.get(i) {
            return false;
        }
        if let Some(byte) = self.bytes.get_mut(i as usize / 8) {
            *byte |= mask(i);
            self.ones += 1;
        }
        true
    }

    /// Clears bit `i`; whether it was one before. Does nothing outside.
    pub fn clear(&mut self, i: u32) -> bool {
        if !self.get(i) {
            return false;
        }
        if let Some(byte) = self.bytes.get_mut(i as usize / 8) {
            *byte &= !mask(i);
            self.ones -= 1;
        }
        true
    }

    /// Where the ones are, in order.
    pub fn ones(&self) -> impl Iterator<Item = u32> + '_ {
        Scan::new(self.words(), |at| self.word(at))
    }

    /// Where the zeros are, in order.
    pub fn zeros(&self) -> impl Iterator<Item = u32> + '_ {
        let len = self.len;
        Scan::new(self.words(), |at| !self.word(at)).take_while(move |i| *i < len)
    }

    /// Whether a bit is one here and not in `other` (bits that `other` lacks count as zero).
    #[must_use]
    pub fn has_any_not_in(&self, other: &Self) -> bool {
        self.ones > other.ones || (0..self.words()).any(|at| self.word(at) & !other.word(at) != 0)
    }

    /// How many bits are one here and not in `other`.
    #[must_use]
    pub fn count_not_in(&self, other: &Self) -> u32 {
        (0..self.words()).map(|at| (self.word(at) & !other.word(at)).count_ones()).sum()
    }

    /// Where bits are one here and not in `other`, in order.
    pub fn ones_not_in<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u32> + 'a {
        Scan::new(self.words(), |at| self.word(at) & !other.word(at))
    }

    const fn words(&self) -> usize {
        self.bytes.len().div_ceil(8)
    }

    /// Bits `64 * at` and on, the first of them the most significant; zeros past the end.
    fn word(&self, at: usize) -> u64 {
        let Some(rest) = self.bytes.get(at * 8..) else { return 0 };
        if let Some(whole) = rest.first_chunk() {
            return u64::from_be_bytes(*whole);
        }
        let mut part = [0; 8];
        part.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        u64::from_be_bytes(part)
    }
}

impl fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitfield({}/{})", self.ones, self.len)
    }
}

const fn mask(i: u32) -> u8 {
    0x80 >> (i % 8)
}

/// Walks the ones of words that a closure computes.
struct Scan<F> {
    word_at: F,
    words: usize,
    next: usize,
    word: u64,
}

impl<F: FnMut(usize) -> u64> Scan<F> {
    const fn new(words: usize, word_at: F) -> Self {
        Self { word_at, words, next: 0, word: 0 }
    }
}

impl<F: FnMut(usize) -> u64> Iterator for Scan<F> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        while self.word == 0 {
            if self.next == self.words {
                return None;
            }
            self.word = (self.word_at)(self.next);
            self.next += 1;
        }
        let bit = self.word.leading_zeros();
        self.word &= !(1 << (63 - bit));
        Some((self.next as u32 - 1) * 64 + bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn wire_order_is_most_significant_bit_first() {
        let mut bits = Bitfield::new(10);
        assert!(bits.set(0) && bits.set(9) && !bits.set(9) && !bits.set(10));
        assert_eq!(bits.as_bytes(), [0b1000_0000, 0b0100_0000]);
        assert_eq!(bits.count(), 2);
        assert!(bits.clear(0) && !bits.clear(0) && !bits.clear(11));
        assert_eq!(bits.as_bytes(), [0, 0b0100_0000]);
        assert!(!bits.get(10) && !bits.get(u32::MAX));
    }

    #[test]
    fn wrong_sizes_and_spare_bits_are_refused() {
        assert_eq!(Bitfield::from_wire(9, &[0]), Err(BitfieldError::Size { got: 1, wanted: 2 }));
        assert_eq!(Bitfield::from_wire(8, &[0, 0]), Err(BitfieldError::Size { got: 2, wanted: 1 }));
        assert_eq!(Bitfield::from_wire(9, &[0, 0b0100_0000]), Err(BitfieldError::Spare));
        assert_eq!(Bitfield::from_wire(9, &[0, 1]), Err(BitfieldError::Spare));
        assert_eq!(Bitfield::from_wire(9, &[0, 0x80]).unwrap().count(), 1);
        assert_eq!(Bitfield::from_wire(8, &[0xff]), Ok(Bitfield::full(8)));
    }

    #[test]
    fn one_without_bits_is_full_and_none() {
        let bits = Bitfield::from_wire(0, &[]).unwrap();
        assert!(bits.is_empty() && bits.is_full() && bits.none() && !bits.get(0));
        assert_eq!((bits.ones().count(), bits.zeros().count()), (0, 0));
        assert_eq!(size_of::<Bitfield>(), 24);
    }

    #[test]
    fn full_ones_and_zeros_meet_at_every_length() {
        for len in 0..200 {
            let full = Bitfield::full(len);
            assert!(full.is_full());
            assert_eq!(Bitfield::from_wire(len, full.as_bytes()).as_ref(), Ok(&full));
            assert!(full.ones().eq(0..len) && full.zeros().next().is_none());
            assert!(Bitfield::new(len).zeros().eq(0..len));
            assert_eq!(full.has_any_not_in(&Bitfield::new(len)), len > 0);
            assert_eq!(full.count_not_in(&Bitfield::default()), len);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_list_of_bools(
            a in prop::collection::vec(any::<bool>(), 0..300),
            b in prop::collection::vec(any::<bool>(), 0..300),
            flips in prop::collection::vec((any::<bool>(), 0u32..320), 0..40),
        ) {
            let build = |from: &[bool]| {
                let mut bits = Bitfield::new(from.len() as u32);
                for (i, _) in from.iter().enumerate().filter(|(_, one)| **one) {
                    bits.set(i as u32);
                }
                bits
            };
            let (mut model, mut bits, other) = (a.clone(), build(&a), build(&b));
            for (on, i) in flips {
                let was = model.get(i as usize).copied();
                let changed = if on { bits.set(i) } else { bits.clear(i) };
                prop_assert_eq!(changed, was == Some(!on));
                if let Some(bit) = model.get_mut(i as usize) {
                    *bit = on;
                }
            }
            let places = |one: bool| (0..model.len()).filter(|i| model[*i] == one).map(|i| i as u32).collect::<Vec<_>>();
            prop_assert_eq!(bits.ones().collect::<Vec<_>>(), places(true));
            prop_assert_eq!(bits.zeros().collect::<Vec<_>>(), places(false));
            prop_assert_eq!(bits.count() as usize, places(true).len());
            let missing: Vec<u32> = places(true).into_iter().filter(|i| b.get(*i as usize) != Some(&true)).collect();
            prop_assert_eq!(&bits.ones_not_in(&other).collect::<Vec<_>>(), &missing);
            prop_assert_eq!(bits.count_not_in(&other) as usize, missing.len());
            prop_assert_eq!(bits.has_any_not_in(&other), !missing.is_empty());
            prop_assert_eq!(Bitfield::from_wire(bits.len(), bits.as_bytes()), Ok(bits));
        }

        #[test]
        fn any_bytes_are_taken_or_refused(len in 0u32..100, bytes in prop::collection::vec(any::<u8>(), 0..16)) {
            if let Ok(bits) = Bitfield::from_wire(len, &bytes) {
                prop_assert_eq!(bits.as_bytes(), &bytes[..]);
                prop_assert_eq!(bits.ones().count() as u32, bits.count());
            }
        }
    }
}
