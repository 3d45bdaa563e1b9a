//! The dice of a machine: seeded from 32 bytes, fast in a simulator, cryptographically strong in a real driver.

use alloc::boxed::Box;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A source of random numbers whose every draw follows from its seed.
#[derive(Clone, Debug)]
pub struct Rng(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Fast(Xoshiro256PlusPlus),
    Strong(Box<ChaCha12Rng>),
}

impl Rng {
    /// Dice for simulations and tests (xoshiro256++): 32 bytes of state, predictable from a few outputs.
    #[must_use]
    pub fn fast(seed: [u8; 32]) -> Self {
        Self(Kind::Fast(Xoshiro256PlusPlus::from_seed(seed)))
    }

    /// The same, from a number.
    #[must_use]
    pub fn fast_from(seed: u64) -> Self {
        Self(Kind::Fast(Xoshiro256PlusPlus::seed_from_u64(seed)))
    }

    /// Dice for the real world (ChaCha12): seed it from the operating system, and nobody can guess a draw from
    /// earlier ones.
    #[must_use]
    pub fn strong(seed: [u8; 32]) -> Self {
        Self(Kind::Strong(Box::new(ChaCha12Rng::from_seed(seed))))
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        match &mut self.0 {
            Kind::Fast(rng) => rng.next_u64(),
            Kind::Strong(rng) => rng.next_u64(),
        }
    }

    /// A number below `bound`, all equally likely; 0 if `bound` is 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire 2019, "Fast random integer generation in an interval": reject the few values that would bias.
        if bound == 0 {
            return 0;
        }
        loop {
            let wide = u128::from(self.bits()) * u128::from(bound);
            // The threshold is below the bound, so hardly ever is there anything to divide.
            let low = wide as u64;
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (wide >> 64) as u64;
            }
        }
    }

    /// An index into something of `len` elements; 0 if it is empty.
    #[inline]
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Fills `into` with random bytes.
    pub fn fill(&mut self, into: &mut [u8]) {
        match &mut self.0 {
            Kind::Fast(rng) => rng.fill_bytes(into),
            Kind::Strong(rng) => rng.fill_bytes(into),
        }
    }

    /// One element, all equally likely; `None` of an empty slice.
    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.index(from.len()))
    }

    /// Puts the elements into an order, all orders equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }

    /// A time between nothing and `span`, all equally likely: the phase of periodic work, or the jitter of a retry.
    pub fn phase(&mut self, span: core::time::Duration) -> core::time::Duration {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        core::time::Duration::from_nanos(self.below(nanos))
    }

    /// New dice whose draws follow from this one's state and are independent of its later draws.
    pub fn split(&mut self) -> Self {
        let seed = self.bytes();
        match self.0 {
            Kind::Fast(_) => Self::fast(seed),
            Kind::Strong(_) => Self::strong(seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_is_even_and_in_range() {
        let mut rng = Rng::fast_from(1);
        let mut seen = [0u32; 7];
        for _ in 0..70_000 {
            seen[rng.index(7)] += 1;
        }
        assert!(seen.iter().all(|&n| (9_500..10_500).contains(&n)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }

    #[test]
    fn same_seed_same_draws_in_both_kinds() {
        for make in [Rng::fast, Rng::strong] {
            let (mut a, mut b) = (make([3; 32]), make([3; 32]));
            assert_eq!(a.bytes::<37>(), b.bytes::<37>());
            assert_eq!(a.split().bits(), b.split().bits());
            assert_ne!(a.bits(), make([4; 32]).bits());
        }
    }
}
