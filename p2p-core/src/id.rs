//! Identifiers on a ring or in a metric space: [`Id`], `N` big-endian bytes with the arithmetic of both.

use crate::rng::Rng;
use core::fmt;
use core::str::FromStr;

/// An identifier of `N` bytes, the most significant first: a number modulo 2^(8 `N`).
///
/// Chord's ring counts clockwise with it, Kademlia's DHT compares by exclusive or. Each system wraps it in a type of
/// its own, so that a ring's identifier is not compared by exclusive or by mistake.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<const N: usize>(pub [u8; N]);

/// Why text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Not two digits per byte.
    #[error("not as many digits as the identifier has")]
    Length,
    /// Not a hexadecimal digit.
    #[error("not a hexadecimal digit")]
    Digit,
}

/// The word of up to 8 bytes.
fn word(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The least significant bytes of a word.
fn put(into: &mut [u8], mut word: u64) {
    for byte in into.iter_mut().rev() {
        *byte = word as u8;
        word >>= 8;
    }
}

impl<const N: usize> Id<N> {
    /// How many bits it has.
    pub const BITS: u32 = 8 * N as u32;
    /// Zero.
    pub const ZERO: Self = Self([0; N]);
    /// The largest: all bits one.
    pub const MAX: Self = Self([0xff; N]);

    /// A random one, all equally likely.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        Self(rng.bytes())
    }

    /// Its bytes, the most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// The sum, modulo 2^(8 `N`).
    #[must_use]
    pub fn wrapping_add(self, other: Self) -> Self {
        let mut sum = self.0;
        let mut carry = 0u128;
        // Eight bytes at a time from the end; the first word is shorter where `N` is no multiple of 8.
        for (to, with) in sum.rchunks_mut(8).zip(other.0.rchunks(8)) {
            let whole = u128::from(word(to)) + u128::from(word(with)) + carry;
            put(to, whole as u64);
            carry = whole >> 64;
        }
        Self(sum)
    }

    /// The difference, modulo 2^(8 `N`).
    #[must_use]
    pub fn wrapping_sub(self, other: Self) -> Self {
        let mut left = self.0;
        let mut borrow = false;
        for (to, less) in left.rchunks_mut(8).zip(other.0.rchunks(8)) {
            let (part, under) = word(to).overflowing_sub(word(less));
            let (part, under_too) = part.overflowing_sub(u64::from(borrow));
            put(to, part);
            borrow = under || under_too;
        }
        Self(left)
    }

    /// How far it is clockwise (upwards, around zero) from here to `to`; zero only if they are equal.
    #[must_use]
    pub fn clockwise_to(self, to: Self) -> Self {
        to.wrapping_sub(self)
    }

    /// Whether this lies on the arc `(from, to]` clockwise: Chord's "is `to` responsible for it". From a point to
    /// itself the arc is the whole ring.
    #[must_use]
    pub fn in_arc_to(self, from: Self, to: Self) -> bool {
        from == to || (self != from && from.clockwise_to(self) <= from.clockwise_to(to))
    }

    /// Whether this lies on the arc `[from, to)` clockwise. From a point to itself the arc is the whole ring.
    #[must_use]
    pub fn in_arc_from(self, from: Self, to: Self) -> bool {
        from == to || from.clockwise_to(self) < from.clockwise_to(to)
    }

    /// Whether this lies strictly between `from` and `to` clockwise. From a point to itself that is everywhere but at
    /// the point.
    #[must_use]
    pub fn between(self, from: Self, to: Self) -> bool {
        self != from && self != to && self.in_arc_from(from, to)
    }

    /// Kademlia's distance: bit by bit, exclusive or. Compare two as numbers.
    #[must_use]
    pub fn xor(self, other: Self) -> Self {
        let mut bytes = self.0;
        bytes.iter_mut().zip(&other.0).for_each(|(to, with)| *to ^= with);
        Self(bytes)
    }

    /// How many bits from the front on are zero: of a distance, how many the two ends share.
    #[must_use]
    pub fn leading_zeros(self) -> u32 {
        let whole = self.0.iter().take_while(|byte| **byte == 0).count();
        8 * whole as u32 + self.0.get(whole).map_or(0, |byte| byte.leading_zeros())
    }

    /// How many bits from the front on this has in common with `other`.
    #[must_use]
    pub fn leading_bits(self, other: Self) -> u32 {
        self.xor(other).leading_zeros()
    }

    /// Bit `k`, counted from the most significant; false outside.
    #[must_use]
    pub fn bit(self, k: u32) -> bool {
        self.0.get(k as usize / 8).is_some_and(|byte| byte << (k % 8) & 0x80 != 0)
    }

    /// This plus 2^`k`, around zero: where Chord's finger `k` points. The same as this if `k` is not below
    /// [`BITS`](Self::BITS).
    #[must_use]
    pub fn plus_power(self, k: u32) -> Self {
        let mut power = [0; N];
        if let Some(byte) = power.iter_mut().rev().nth(k as usize / 8) {
            *byte = 1 << (k % 8);
        }
        self.wrapping_add(Self(power))
    }
}

impl<const N: usize> Default for Id<N> {
    fn default() -> Self {
        Self::ZERO
    }
}

impl<const N: usize> From<[u8; N]> for Id<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> AsRef<[u8]> for Id<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> fmt::Display for Id<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Id<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> FromStr for Id<N> {
    type Err = IdError;

    /// Two hexadecimal digits per byte, in either case.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != 2 * N {
            return Err(IdError::Length);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(IdError::Digit);
        let mut bytes = [0; N];
        for (to, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *to = pair.iter().try_fold(0, |byte, half| Ok(byte << 4 | digit(*half)? as u8))?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    /// Sixteen bytes, so that `u128` is the model.
    fn id(number: u128) -> Id<16> {
        Id(number.to_be_bytes())
    }

    #[test]
    fn the_finger_table_of_the_paper() {
        // Chord (SIGCOMM 2001), figure 4: node 8 on a ring of 6 bits, its upper bits here.
        let at = |number: u8| Id([number << 2]);
        let starts: [u8; 6] = core::array::from_fn(|k| at(8).plus_power(k as u32 + 2).0[0] >> 2);
        assert_eq!(starts, [9, 10, 12, 16, 24, 40]);
        // Key 54 belongs to node 56, and key 60 past zero to node 1.
        assert!(at(54).in_arc_to(at(51), at(56)) && at(60).in_arc_to(at(56), at(1)));
        assert!(!at(51).in_arc_to(at(51), at(56)) && at(56).in_arc_to(at(51), at(56)));
        assert!(at(51).in_arc_from(at(51), at(56)) && !at(56).in_arc_from(at(51), at(56)));
        assert!(
            at(7).in_arc_to(at(7), at(7)) && at(3).in_arc_from(at(7), at(7)) && !at(7).between(at(7), at(7))
        );
    }

    #[test]
    fn odd_lengths_carry_through_all_words() {
        let one = Id::<20>::ZERO.plus_power(0);
        assert_eq!(Id::<20>::MAX.wrapping_add(one), Id::ZERO);
        assert_eq!(Id::<20>::ZERO.wrapping_sub(one), Id::MAX);
        assert_eq!(Id::<20>::ZERO.plus_power(159).to_string(), "8000000000000000000000000000000000000000");
        assert_eq!(one.plus_power(160), one);
        assert_eq!((Id::<20>::ZERO.leading_zeros(), one.leading_zeros(), one.bit(159)), (160, 159, true));
        assert!(!one.bit(158) && !one.bit(160));
    }

    #[test]
    fn text() {
        let id: Id<3> = "00aBff".parse().unwrap();
        assert_eq!((id, id.to_string().as_str()), (Id([0, 0xab, 0xff]), "00abff"));
        for (bad, error) in [
            ("00abf", IdError::Length),
            ("", IdError::Length),
            ("00abf+", IdError::Digit),
            ("éabf", IdError::Length),
            ("éabff", IdError::Digit),
        ] {
            assert_eq!(bad.parse::<Id<3>>(), Err(error), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn is_a_number(a: u128, b: u128, c: u128, k in 0u32..128) {
            let (x, y, z) = (id(a), id(b), id(c));
            prop_assert_eq!(x.wrapping_add(y), id(a.wrapping_add(b)));
            prop_assert_eq!(x.clockwise_to(y), id(b.wrapping_sub(a)));
            prop_assert_eq!(x.xor(y), id(a ^ b));
            prop_assert_eq!(x.leading_bits(y), (a ^ b).leading_zeros());
            prop_assert_eq!(x.plus_power(k), id(a.wrapping_add(1 << k)));
            prop_assert_eq!(x.bit(k), a >> (127 - k) & 1 == 1);
            prop_assert_eq!(x < y, a < b);
            prop_assert_eq!(x.to_string().parse(), Ok(x));
            // Two arcs that meet make a ring: whoever is on one is not on the other.
            if x != y {
                prop_assert!(z.in_arc_to(x, y) != z.in_arc_to(y, x));
                prop_assert!(z.in_arc_from(x, y) != z.in_arc_from(y, x));
            }
        }
    }
}
