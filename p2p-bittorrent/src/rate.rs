//! How fast a peer is, and how many requests are worth having outstanding with it.

use p2p_core::{Duration, Instant};

const SLOTS: usize = 5;
const SLOT_NANOS: u64 = 4_000_000_000;
const TICK_NANOS: u64 = 250_000_000;

/// Bytes per second over the last 16 to 20 seconds, the window of Cohen 2003; 28 bytes.
///
/// Five buckets of four seconds. A clock that stands still or jumps, in either direction, gives a wrong figure for
/// one window and nothing worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    slots: [u32; SLOTS],
    /// Number of the newest bucket since the epoch.
    newest: u32,
    /// When measuring began, in quarter seconds since the epoch.
    began: u32,
}

impl Rate {
    /// Begins measuring.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { slots: [0; SLOTS], newest: slot(now), began: (now.as_nanos() / TICK_NANOS) as u32 }
    }

    /// Counts bytes that passed now. More than 4 GiB in four seconds count as 4 GiB.
    pub fn add(&mut self, bytes: u64, now: Instant) {
        self.turn(now);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if let Some(newest) = self.slots.first_mut() {
            *newest = newest.saturating_add(bytes);
        }
    }

    /// Bytes per second.
    #[must_use]
    pub fn per_second(&self, now: Instant) -> u64 {
        if self.slots == [0; SLOTS] {
            return 0;
        }
        let mut rate = *self;
        rate.turn(now);
        let sum: u64 = rate.slots.iter().map(|&bytes| u64::from(bytes)).sum();
        let into_slot = now.as_nanos() % SLOT_NANOS;
        let window = (SLOTS as u64 - 1) * SLOT_NANOS + into_slot;
        // A peer that has been here for two seconds is judged by two seconds, but never by less than one.
        let age = now.as_nanos().saturating_sub(u64::from(self.began) * TICK_NANOS);
        let millis = window.min(age).max(1_000_000_000) / 1_000_000;
        sum * 1000 / millis
    }

    fn turn(&mut self, now: Instant) {
        let current = slot(now);
        let passed = current.saturating_sub(self.newest) as usize;
        if passed > 0 {
            if passed < SLOTS {
                self.slots.copy_within(..SLOTS - passed, passed);
            }
            self.slots.iter_mut().take(passed).for_each(|slot| *slot = 0);
            self.newest = current;
        }
    }
}

const fn slot(now: Instant) -> u32 {
    // 2^32 slots are 544 years, nearly all that an instant can say.
    (now.as_nanos() / SLOT_NANOS) as u32
}

/// Bytes of one request.
const BLOCK: u64 = 16 * 1024;
/// Requests on the way before anything is known; two, so that one is in the peer's queue while another is sent.
const FIRST: u16 = 4;
const LEAST: u16 = 2;
/// What lies in the peer's queue beyond the delay of the path: hides its disk, our timers, and every path.
const MARGIN: Duration = Duration::from_millis(1000);
/// No more than this is ever asked for ahead; a slow link is blocked by it for so long.
const MOST: Duration = Duration::from_secs(3);
/// A shorter round says more about the receive buffer than about the peer.
const ROUND: Duration = Duration::from_millis(1);

/// How many requests to keep outstanding with one peer.
///
/// The peer's rate, measured over one pipeline of blocks, times the smallest delay ever seen between a request and
/// its answer plus one second; at least 2 and at most what the peer takes. From 4 it at most doubles per round of
/// answers, as TCP starts. At 10 kB/s that is two blocks; at 100 Mbit/s it is a second of data.
#[derive(Clone, Copy, Debug)]
pub struct Pipeline {
    round_began: Instant,
    round_bytes: u64,
    /// Smallest delay in microseconds; `u32::MAX` while unknown.
    delay: u32,
    target: u16,
    limit: u16,
    answers: u16,
}

impl Pipeline {
    /// Requests that a peer takes if it does not say (`reqq` of BEP 10).
    pub const PEER_TAKES: u16 = 250;
    /// Requests that we take, and say so.
    pub const WE_TAKE: u16 = 512;

    /// The pipeline of a peer that takes `limit` requests.
    #[must_use]
    pub const fn new(limit: u16, now: Instant) -> Self {
        let target = if limit < FIRST { limit } else { FIRST };
        Self { round_began: now, round_bytes: 0, delay: u32::MAX, target, limit, answers: 0 }
    }

    /// The peer's own limit became known. Zero is taken as one, or nothing would ever be asked.
    pub fn set_limit(&mut self, limit: u16) {
        self.limit = limit.max(1);
        self.target = self.target.min(self.limit);
    }

    /// Begins anew after a pause: the peer unchoked us. What was learnt of the path is kept.
    pub fn restart(&mut self, now: Instant) {
        self.target = FIRST.min(self.limit);
        self.answers = 0;
        self.round_bytes = 0;
        self.round_began = now;
    }

    /// A block of `len` bytes came, `delay` after it was asked for (if that is known).
    pub fn received(&mut self, len: u32, delay: Option<Duration>, now: Instant) {
        if let Some(delay) = delay {
            self.delay = self.delay.min(u32::try_from(delay.as_micros()).unwrap_or(u32::MAX));
        }
        self.answers = self.answers.saturating_add(1);
        self.round_bytes = self.round_bytes.saturating_add(u64::from(len));
        let took = now.since(self.round_began);
        if self.answers < self.target || took < ROUND {
            return;
        }
        let delay = if self.delay == u32::MAX {
            Duration::ZERO
        } else {
            Duration::from_micros(u64::from(self.delay))
        };
        let ahead = (delay + MARGIN).min(MOST).as_micros();
        let bytes = u128::from(self.round_bytes) * ahead / took.as_micros().max(1);
        let blocks = u16::try_from(bytes.div_ceil(u128::from(BLOCK))).unwrap_or(u16::MAX);
        self.target = blocks.min(self.target.saturating_mul(2)).max(LEAST).min(self.limit);
        self.answers = 0;
        self.round_bytes = 0;
        self.round_began = now;
    }

    /// Requests to have outstanding.
    #[must_use]
    pub const fn target(&self) -> usize {
        self.target as usize
    }

    /// Requests to send now, with `outstanding` unanswered.
    #[must_use]
    pub const fn room(&self, outstanding: usize) -> usize {
        self.target().saturating_sub(outstanding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_steady_stream_is_measured_and_forgotten() {
        let mut rate = Rate::new(at(1_000));
        for ms in (1_000..61_000).step_by(100) {
            rate.add(1_000, at(ms));
        }
        let measured = rate.per_second(at(61_000));
        assert!((9_500..=10_500).contains(&measured), "{measured}");
        assert_eq!(rate.per_second(at(82_000)), 0);
        assert!(size_of::<Rate>() <= 32);
    }

    #[test]
    fn a_newcomer_is_judged_by_its_age() {
        let mut rate = Rate::new(at(7_000));
        rate.add(20_000, at(7_500));
        assert_eq!(rate.per_second(at(9_000)), 10_000);
    }

    #[test]
    fn clock_jumps_are_harmless() {
        let mut rate = Rate::new(at(100_000));
        rate.add(5_000, at(101_000));
        rate.add(5_000, at(3));
        assert!(rate.per_second(at(1)) > 0);
        rate.add(u64::MAX, Instant::MAX);
        rate.add(u64::MAX, Instant::MAX);
        assert!(rate.per_second(Instant::MAX) > 0);
        assert!(rate.per_second(Instant::ZERO) > 0);
    }

    /// A peer behind a path of `delay` ms with an uplink of `rate` bytes per second, first come first served.
    fn settle(rate: u64, delay: u64, limit: u16, millis: u64) -> (Pipeline, u64) {
        let mut pipeline = Pipeline::new(limit, at(0));
        let mut queue = alloc::collections::VecDeque::new();
        let (mut now, mut free, mut bytes) = (0u64, 0u64, 0u64);
        while now < millis * 1000 {
            while pipeline.room(queue.len()) > 0 {
                free = free.max(now + delay * 500) + BLOCK * 1_000_000 / rate;
                queue.push_back((now, free + delay * 500));
            }
            let (asked, arrives) = queue.pop_front().unwrap();
            now = arrives;
            bytes += BLOCK;
            let instant = Instant::from_nanos(now * 1000);
            pipeline.received(BLOCK as u32, Some(Duration::from_micros(now - asked)), instant);
        }
        (pipeline, bytes * 1_000_000 / now)
    }

    #[test]
    fn a_slow_uplink_is_not_buried_and_a_fast_one_not_starved() {
        let (slow, _) = settle(12_500, 50, 250, 120_000);
        assert!(slow.target() <= 3, "{slow:?}");
        let (shared, _) = settle(10_000, 300, 250, 120_000);
        assert!(shared.target() <= 3, "{shared:?}");
        let (home, rate) = settle(1_250_000, 80, 250, 30_000);
        assert!(home.target() <= 120 && rate > 1_150_000, "{home:?} {rate}");
        let (fibre, rate) = settle(12_500_000, 200, 512, 10_000);
        assert!(fibre.target() == 512 && rate > 11_000_000, "{fibre:?} {rate}");
    }
}
