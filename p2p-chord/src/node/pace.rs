//! How often a node asks its successor: as nodes come and go, so often ([`Pace`]).
//!
//! Lists are as old as the rounds that they came through, and how much they err by is that age beside how long nodes stay.
//! So the time between two rounds follows how long nodes stay, as far as a node sees that in its own list: each that
//! comes and goes brings two new names into it.

use p2p_core::{Duration, Instant};

/// Rounds in the time that a node stays: one name of 120 is out of date at the most then.
const ROUNDS: u32 = 120;
/// How long what was seen counts, on average.
const MEMORY: u32 = 120_000;
/// What counts as having been watched at first.
const FIRST: u32 = 5_000;
/// And how long nodes stay, for who has just joined: it does not know yet.
const SHORT: u32 = 120_000;

/// How long nodes stay, by what was seen of late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// When it was looked last.
    at: Instant,
    /// How long names were watched, one after the other: milliseconds for each place of the list.
    watched: u32,
    /// New names since, in thousandths.
    changes: u32,
}

impl Pace {
    /// Of a newcomer in a list of so many places: at first it expects much to change, and is known to few.
    pub(super) fn newcomer(now: Instant, places: usize) -> Self {
        let changes = FIRST as usize * places * 2_000 / SHORT as usize;
        Self { at: now, watched: FIRST, changes: u32::try_from(changes).unwrap_or(u32::MAX) }
    }

    /// So many new names are in the list.
    pub(super) fn saw(&mut self, new: usize) {
        self.changes =
            self.changes.saturating_add(u32::try_from(new).unwrap_or(u32::MAX).saturating_mul(1_000));
    }

    /// A round begins in a list of so many places: when the next one is to, from `quickest` to `slowest`.
    pub(super) fn next(
        &mut self,
        now: Instant,
        places: usize,
        quickest: Duration,
        slowest: Duration,
    ) -> Duration {
        if self.watched == 0 {
            (self.at, self.watched) = (now, FIRST);
        }
        let past = u32::try_from(now.since(self.at).as_millis()).unwrap_or(u32::MAX).min(MEMORY);
        self.at = now;
        let left = |of: u32| (u64::from(of) * u64::from(MEMORY - past) / u64::from(MEMORY)) as u32;
        self.watched = left(self.watched).saturating_add(past).max(1);
        self.changes = left(self.changes);
        if self.changes == 0 {
            return slowest;
        }
        let watched = u64::from(self.watched) * places as u64;
        // Two changes for each that stays: thousandths of them, and milliseconds.
        let stay = watched.saturating_mul(2_000) / u64::from(self.changes);
        Duration::from_millis(stay / u64::from(ROUNDS)).max(quickest).min(slowest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The mean of the time between rounds, in milliseconds, where each of 8 places changes twice in so many seconds.
    fn mean(stay: u64) -> u64 {
        let mut pace = Pace::default();
        let (mut now, mut seen) = (Instant::ZERO, 0);
        let (mut sum, mut rounds) = (0, 0);
        while now < Instant::ZERO + Duration::from_secs(3_600) {
            let all = now.since(Instant::ZERO).as_millis() as u64 * 16 / (stay * 1_000);
            pace.saw((all - seen) as usize);
            seen = all;
            let next = pace.next(now, 8, Duration::from_secs(1), Duration::from_secs(10));
            now += next;
            if now > Instant::ZERO + Duration::from_secs(600) {
                sum += next.as_millis() as u64;
                rounds += 1;
            }
        }
        sum / rounds
    }

    #[test]
    fn rounds_follow_how_long_nodes_stay() {
        for (stay, at_least, at_most) in [(60, 1_000, 1_000), (240, 1_900, 2_100), (600, 4_600, 5_400)] {
            let mean = mean(stay);
            assert!((at_least..=at_most).contains(&mean), "{stay} s: {mean} ms");
        }
        assert_eq!(mean(3_600), 10_000);
    }

    #[test]
    fn nothing_changes_and_nothing_is_hurried() {
        let mut pace = Pace::default();
        let slowest = Duration::from_secs(10);
        assert_eq!(pace.next(Instant::ZERO, 8, Duration::from_secs(1), slowest), slowest);
        pace.saw(8);
        let hurried = pace.next(Instant::ZERO + slowest, 8, Duration::from_secs(1), slowest);
        assert!(hurried < Duration::from_secs(2), "{hurried:?}");
    }

    #[test]
    fn a_newcomer_begins_in_a_hurry_and_calms_down() {
        let mut now = Instant::ZERO;
        let mut pace = Pace::newcomer(now, 8);
        let mut next = || {
            let next = pace.next(now, 8, Duration::from_millis(500), Duration::from_secs(10));
            now += next;
            next
        };
        let all: Vec<Duration> = (0..20).map(|_| next()).collect();
        assert!(all[0] < Duration::from_millis(1_100) && all.is_sorted(), "{all:?}");
        assert_eq!(all[19], Duration::from_secs(10), "{all:?}");
    }
}
