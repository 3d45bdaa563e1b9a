//! Rates: [`TokenBucket`] for one flow, [`PerKey`] for a bounded table of them, both on the driver's time.

use crate::time::{Duration, Instant};
use alloc::collections::{BTreeMap, BTreeSet};

const SECOND: u64 = 1_000_000_000;

/// So many tokens a second, with so many saved up at most. A token is whatever the owner counts: bytes, packets.
///
/// All arithmetic is in integers and exact. A clock that jumps ahead fills the bucket once; one that jumps back costs
/// at most the tokens that would have come in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBucket {
    rate: u64,
    burst: i64,
    /// Negative: a debt.
    level: i64,
    /// A part of the next token, in billionths.
    part: u32,
    at: Instant,
}

impl TokenBucket {
    /// `rate` tokens a second, at most `burst` of them saved up; full at `now`. A `rate` of `u64::MAX` has no limit,
    /// a rate of 0 never gets another token.
    #[must_use]
    pub fn new(now: Instant, rate: u64, burst: u64) -> Self {
        let burst = i64::try_from(burst).unwrap_or(i64::MAX);
        Self { rate, burst, level: burst, part: 0, at: now }
    }

    /// One without a limit: everything is available at once.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self { rate: u64::MAX, burst: i64::MAX, level: i64::MAX, part: 0, at: Instant::ZERO }
    }

    /// Whether it has no limit.
    #[must_use]
    pub const fn is_unlimited(&self) -> bool {
        self.rate == u64::MAX
    }

    /// Tokens a second.
    #[must_use]
    pub const fn rate(&self) -> u64 {
        self.rate
    }

    /// Takes `n` tokens if there are so many; else none.
    pub fn take(&mut self, now: Instant, n: u64) -> bool {
        // Also when there are not enough: a clock that has jumped back goes on from here.
        self.refill(now);
        let enough = self.available(now) >= n;
        if enough {
            self.spend(now, n);
        }
        enough
    }

    /// Takes `n` tokens, into debt if there are not so many: for what was received anyway, or is sent whole. Nothing is
    /// available until the debt is paid.
    pub fn spend(&mut self, now: Instant, n: u64) {
        if self.is_unlimited() {
            return;
        }
        self.refill(now);
        self.level = self.level.saturating_sub_unsigned(n);
    }

    /// How many tokens there are.
    #[must_use]
    pub fn available(&self, now: Instant) -> u64 {
        if self.is_unlimited() {
            return u64::MAX;
        }
        u64::try_from(self.filled(now).0).unwrap_or(0)
    }

    /// When there will be `n` tokens if none are taken before: `now` if there are already, `None` if never (more than
    /// the bucket holds, or no rate).
    #[must_use]
    pub fn when(&self, now: Instant, n: u64) -> Option<Instant> {
        if self.available(now) >= n {
            return Some(now);
        }
        if self.rate == 0 || i64::try_from(n).map_or(true, |n| n > self.burst) {
            return None;
        }
        let (level, part) = self.filled(now);
        let lacking = (i128::from(n) - i128::from(level)) * i128::from(SECOND) - i128::from(part);
        let wait = u128::try_from(lacking).unwrap_or(0).div_ceil(u128::from(self.rate));
        let at = u64::try_from(wait).ok()?.checked_add(now.as_nanos())?;
        Some(Instant::from_nanos(at))
    }

    /// Changes rate and burst from `now` on. What was saved up stays, as far as it fits; so does a debt.
    pub fn set_rate(&mut self, now: Instant, rate: u64, burst: u64) {
        self.refill(now);
        self.burst = i64::try_from(burst).unwrap_or(i64::MAX);
        self.level = self.level.min(self.burst);
        self.rate = rate;
    }

    fn refill(&mut self, now: Instant) {
        (self.level, self.part) = self.filled(now);
        // After a jump back, time is counted from there.
        self.at = now;
    }

    /// Level and part at `now`.
    fn filled(&self, now: Instant) -> (i64, u32) {
        let nanos = now.as_nanos().saturating_sub(self.at.as_nanos());
        if nanos == 0 || self.level >= self.burst {
            return (self.level, self.part);
        }
        // Cannot overflow: (2^64 - 1)^2 + 10^9 < 2^128.
        let gained = u128::from(nanos) * u128::from(self.rate) + u128::from(self.part);
        // The narrow division is many times faster and nearly always enough.
        let (tokens, part) = match u64::try_from(gained) {
            Ok(gained) => (u128::from(gained / SECOND), (gained % SECOND) as u32),
            Err(_) => (gained / u128::from(SECOND), (gained % u128::from(SECOND)) as u32),
        };
        let room = u128::from(self.burst.abs_diff(self.level));
        if tokens >= room {
            return (self.burst, 0);
        }
        (self.level.saturating_add_unsigned(tokens as u64), part)
    }
}

/// One token bucket per key (an address, a user) in a table that holds a bounded number of them; all have the same
/// rate and burst.
///
/// A key that is not in the table has a full bucket, so a full bucket need not be kept: those are dropped as they fill.
/// If a new key finds the table full, the bucket that will be full soonest makes room; what that key had spent is
/// forgiven. Whoever floods from many addresses thus pushes out his own one-packet buckets, never those of the heaviest
/// users. Every call takes logarithmic time.
#[derive(Debug, Clone)]
pub struct PerKey<K> {
    rate: u64,
    burst: u64,
    cap: usize,
    /// When each bucket will be full, which says all about it.
    full_at: BTreeMap<K, Instant>,
    order: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Clone> PerKey<K> {
    /// A table of at most `cap` keys (at least one), each with `rate` tokens a second and at most `burst` saved up. A
    /// `rate` of `u64::MAX` has no limit.
    #[must_use]
    pub fn new(cap: usize, rate: u64, burst: u64) -> Self {
        Self { rate, burst, cap: cap.max(1), full_at: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Takes `n` tokens of a key's bucket if there are so many; else none.
    pub fn take(&mut self, now: Instant, key: &K, n: u64) -> bool {
        if self.rate == u64::MAX || n == 0 {
            return true;
        }
        if n > self.burst {
            return false;
        }
        // A few each time keeps every call short, and more than the one that this call may add.
        for _ in 0..4 {
            if self.order.first().is_none_or(|(at, _)| *at > now) {
                break;
            }
            self.drop_first();
        }
        let most = self.time_of(self.burst);
        let mut known = self.full_at.get(key).copied();
        if let Some(old) = known
            && old > now + most
        {
            // The clock has jumped back, or the bucket would be emptier than empty: it fills from here.
            self.put(key, known, now + most);
            known = Some(now + most);
        }
        let was = known.unwrap_or(now).max(now);
        let full_at = was + self.time_of(n);
        if full_at > now + most {
            return false;
        }
        if known.is_none() && self.full_at.len() >= self.cap {
            self.drop_first();
        }
        self.put(key, known, full_at);
        true
    }

    /// How many tokens a key has.
    #[must_use]
    pub fn available(&self, now: Instant, key: &K) -> u64 {
        if self.rate == u64::MAX {
            return u64::MAX;
        }
        let lacking = self.full_at.get(key).map_or(0, |at| at.since(now).as_nanos());
        let spent = (lacking * u128::from(self.rate)).div_ceil(u128::from(SECOND));
        self.burst.saturating_sub(u64::try_from(spent).unwrap_or(u64::MAX))
    }

    /// How many keys the table holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.full_at.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.full_at.is_empty()
    }

    /// Notes when a key's bucket will be full, in place of what was known of it.
    fn put(&mut self, key: &K, known: Option<Instant>, full_at: Instant) {
        if let Some(old) = known {
            self.order.remove(&(old, key.clone()));
        }
        self.full_at.insert(key.clone(), full_at);
        self.order.insert((full_at, key.clone()));
    }

    fn drop_first(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.full_at.remove(&key);
        }
    }

    /// How long `n` tokens take to come, rounded up: in the disfavour of the key by a nanosecond at most.
    fn time_of(&self, n: u64) -> Duration {
        let nanos = (u128::from(n) * u128::from(SECOND)).div_ceil(u128::from(self.rate.max(1)));
        match u64::try_from(nanos) {
            Ok(nanos) if self.rate > 0 => Duration::from_nanos(nanos),
            _ => Duration::from_nanos(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn takes_what_there_is_and_says_when_there_is_more() {
        let mut bucket = TokenBucket::new(at(0), 1_000, 500);
        assert!(bucket.take(at(0), 500) && !bucket.take(at(0), 1));
        assert_eq!(bucket.when(at(0), 100), Some(at(100)));
        assert!(!bucket.take(at(99), 100) && bucket.take(at(100), 100));
        assert_eq!(bucket.when(at(100), 501), None);
        assert_eq!(bucket.available(at(10_000)), 500);
    }

    #[test]
    fn debt_is_paid_before_anything_is_available() {
        let mut bucket = TokenBucket::new(at(0), 1_000, 100);
        bucket.spend(at(0), 1_100);
        assert_eq!(bucket.available(at(999)), 0);
        assert_eq!(bucket.when(at(0), 1), Some(at(1_001)));
        assert_eq!(bucket.available(at(1_001)), 1);
    }

    #[test]
    fn slow_rates_lose_nothing_to_rounding() {
        // One token in 3 s, looked at 1,000 times a second.
        let mut bucket = TokenBucket::new(at(0), 1, 10);
        bucket.spend(at(0), 10);
        for ms in 0..=9_999 {
            bucket.spend(at(ms), 0);
        }
        assert_eq!(bucket.available(at(10_000)), 10);
    }

    #[test]
    fn jumps_of_the_clock_are_harmless() {
        let decade = 10 * 365 * 86_400 * 1_000;
        let mut bucket = TokenBucket::new(at(decade), 1_000, 500);
        assert!(bucket.take(at(decade), 500));
        assert!(!bucket.take(at(5), 1), "a jump back gives nothing");
        assert!(bucket.take(at(6), 1), "but time goes on from there");
        assert_eq!(bucket.available(at(decade)), 500);
        assert_eq!(bucket.available(Instant::MAX), 500);
        let mut table = PerKey::new(4, 1_000, 500);
        assert!(table.take(at(decade), &1, 500) && !table.take(at(decade), &1, 1));
        assert!(!table.take(at(5), &1, 1) && table.take(at(6), &1, 1));
        assert!(table.take(at(decade), &2, 1));
        assert!(!table.take(at(506), &2, 1) && table.take(at(507), &2, 1));
        assert!(table.take(Instant::MAX, &1, 0));
    }

    #[test]
    fn no_limit_and_no_rate() {
        let mut bucket = TokenBucket::unlimited();
        bucket.spend(at(0), u64::MAX);
        assert!(bucket.take(at(0), u64::MAX) && bucket.when(at(3), u64::MAX) == Some(at(3)));
        bucket.set_rate(at(5), 10, 20);
        assert_eq!(bucket.available(at(5)), 20);
        bucket.set_rate(at(5), 0, 20);
        assert!(bucket.take(at(5), 20) && bucket.when(at(5), 1).is_none());
        assert_eq!(bucket.available(Instant::MAX), 0);
        let mut table = PerKey::new(1, u64::MAX, 0);
        assert!(table.take(at(0), &1, u64::MAX) && table.is_empty());
        let mut table = PerKey::new(1, 0, 2);
        assert!(!table.take(at(0), &1, 3));
    }

    #[test]
    fn each_key_has_its_own_and_full_ones_are_forgotten() {
        let mut table = PerKey::new(100, 10, 2);
        for key in 0..50 {
            assert!(table.take(at(0), &key, 1) && table.take(at(0), &key, 1) && !table.take(at(0), &key, 1));
        }
        assert_eq!((table.len(), table.available(at(0), &7), table.available(at(100), &7)), (50, 0, 1));
        assert!(table.take(at(100), &7, 1) && !table.take(at(100), &7, 1));
        for ms in 0..20 {
            table.take(at(1_000 + ms), &99, 1);
        }
        assert_eq!(table.len(), 1, "all but the one in use have filled up");
    }

    #[test]
    fn a_flood_of_keys_does_not_forgive_the_heaviest() {
        let mut table = PerKey::new(8, 1, 10);
        assert!(table.take(at(0), &u32::MAX, 10));
        for key in 0..10_000 {
            assert!(table.take(at(1), &key, 1));
            assert!(table.len() <= 8);
        }
        assert!(!table.take(at(1), &u32::MAX, 1));
    }

    proptest! {
        #[test]
        fn never_more_than_burst_plus_rate(
            rate in 1u64..1_000_000, burst in 1u64..1_000_000,
            asks in prop::collection::vec((0u64..400, 0u64..100_000), 1..60),
        ) {
            let mut bucket = TokenBucket::new(at(0), rate, burst);
            let mut table = PerKey::new(2, rate, burst);
            let (mut ms, mut taken, mut of_key) = (0, 0, 0);
            for (later, n) in asks {
                ms += later;
                taken += if bucket.take(at(ms), n) { n } else { 0 };
                of_key += if table.take(at(ms), &0, n) { n } else { 0 };
                let most = u128::from(burst) + u128::from(rate) * u128::from(ms) / 1_000;
                prop_assert!(u128::from(taken) <= most && u128::from(of_key) <= most);
            }
        }

        #[test]
        fn when_is_the_first_instant(
            rate in 1u64..u64::MAX, burst in 1u64..u64::MAX, debt: u64, n: u64, now in 0u64..1 << 62,
        ) {
            let now = Instant::from_nanos(now);
            let mut bucket = TokenBucket::new(now, rate, burst);
            bucket.spend(now, debt);
            if let Some(then) = bucket.when(now, n) {
                prop_assert!(bucket.available(then) >= n);
                if then > now {
                    prop_assert!(bucket.available(Instant::from_nanos(then.as_nanos() - 1)) < n);
                    prop_assert!(bucket.clone().take(then, n));
                }
            }
        }

        #[test]
        fn nothing_overflows(rate: u64, burst: u64, steps in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u8>()), 0..20)) {
            let mut bucket = TokenBucket::new(Instant::ZERO, rate, burst);
            let mut table = PerKey::new(3, rate, burst);
            for (now, n, key) in steps {
                let now = Instant::from_nanos(now);
                bucket.take(now, n);
                bucket.spend(now, n >> 1);
                let _ = bucket.when(now, n);
                table.take(now, &key, n);
                prop_assert!(table.available(now, &key) <= burst || rate == u64::MAX);
                prop_assert!(table.len() <= 3);
            }
        }
    }
}
