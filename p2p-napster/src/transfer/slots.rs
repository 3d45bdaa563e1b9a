//! Whom to serve now, and who waits: [`Slots`].
//!
//! A request (607) is accepted while there is room, and the place is kept for a moment until its data connection comes.
//! Otherwise it gets a place in the queue, which lasts as long as its owner asks again now and then.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::{Duration, Instant};

/// A nick as a key: nicks are compared without regard to the case of ASCII letters.
#[must_use]
pub fn folded(nick: &[u8]) -> Bytes {
    nick.to_ascii_lowercase().into()
}

/// How many are served, and for how long places are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotLimits {
    /// Uploads at once, those that were accepted and have not begun included.
    pub all: usize,
    /// Of these, of one user.
    pub per_user: usize,
    /// Requests in the queue.
    pub queue: usize,
    /// Of these, of one user.
    pub queue_per_user: usize,
    /// How long an accepted request may take to begin.
    pub begin_within: Duration,
    /// How long a place in the queue lasts without being asked for again.
    pub place_lasts: Duration,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Now.
    Accept,
    /// So many are before it.
    Wait(u32),
}

#[derive(Debug)]
struct Waiting {
    nick: Bytes,
    name: Bytes,
    until: Instant,
}

/// Uploads that were accepted, are under way, or wait.
#[derive(Debug)]
pub struct Slots {
    limits: SlotLimits,
    /// Accepted, not begun: until when.
    accepted: BTreeMap<(Bytes, Bytes), Instant>,
    /// Under way, by user.
    running: BTreeMap<Bytes, usize>,
    queue: Vec<Waiting>,
}

impl Slots {
    /// Nobody yet.
    #[must_use]
    pub const fn new(limits: SlotLimits) -> Self {
        Self { limits, accepted: BTreeMap::new(), running: BTreeMap::new(), queue: Vec::new() }
    }

    /// A user asks for a file.
    pub fn ask(&mut self, now: Instant, nick: &[u8], name: &[u8]) -> Verdict {
        self.forget(now);
        let key = (folded(nick), Bytes::copy_from_slice(name));
        if let Some(until) = self.accepted.get_mut(&key) {
            *until = now + self.limits.begin_within;
            return Verdict::Accept;
        }
        let place = self.queue.iter().position(|waits| waits.nick == key.0 && waits.name == key.1);
        let ahead = place.unwrap_or(self.queue.len());
        let free = self.limits.all.saturating_sub(self.in_use());
        if self.of_user(&key.0) < self.limits.per_user && self.could_begin(ahead) < free {
            if let Some(place) = place {
                self.queue.remove(place);
            }
            self.accepted.insert(key, now + self.limits.begin_within);
            return Verdict::Accept;
        }
        let until = now + self.limits.place_lasts;
        if let Some(place) = place {
            self.queue[place].until = until;
        } else if self.queue.len() < self.limits.queue
            && self.queue.iter().filter(|waits| waits.nick == key.0).count() < self.limits.queue_per_user
        {
            self.queue.push(Waiting { nick: key.0, name: key.1, until });
        }
        Verdict::Wait(u32::try_from(ahead).unwrap_or(u32::MAX))
    }

    /// Whether this request was accepted and has not begun.
    #[must_use]
    pub fn is_accepted(&self, now: Instant, nick: &[u8], name: &[u8]) -> bool {
        let key = (folded(nick), Bytes::copy_from_slice(name));
        self.accepted.get(&key).is_some_and(|until| *until > now)
    }

    /// An accepted request begins; false if it was not accepted. Owes [`end`](Self::end).
    pub fn begin(&mut self, now: Instant, nick: &[u8], name: &[u8]) -> bool {
        let key = (folded(nick), Bytes::copy_from_slice(name));
        let began = self.accepted.remove(&key).is_some_and(|until| until > now);
        if began {
            *self.running.entry(key.0).or_default() += 1;
        }
        began
    }

    /// An upload that began has ended.
    pub fn end(&mut self, nick: &[u8]) {
        let key = folded(nick);
        if let Some(count) = self.running.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.running.remove(&key);
            }
        }
    }

    /// Uploads accepted or under way.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.accepted.len() + self.running.values().sum::<usize>()
    }

    /// Requests in the queue.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many of the first so many in the queue could be served now: who has all the places that one user may have
    /// keeps none from others.
    fn could_begin(&self, of: usize) -> usize {
        let mut begun: BTreeMap<&Bytes, usize> = BTreeMap::new();
        let eligible = self.queue.iter().take(of).filter(|waits| {
            let count = begun.entry(&waits.nick).or_insert_with(|| self.of_user(&waits.nick));
            *count += 1;
            *count <= self.limits.per_user
        });
        eligible.count()
    }

    fn of_user(&self, nick: &Bytes) -> usize {
        let accepted = self.accepted.keys().filter(|(owner, _)| owner == nick).count();
        accepted + self.running.get(nick).copied().unwrap_or(0)
    }

    fn forget(&mut self, now: Instant) {
        self.accepted.retain(|_, until| *until > now);
        self.queue.retain(|waits| waits.until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SlotLimits = SlotLimits {
        all: 2,
        per_user: 1,
        queue: 3,
        queue_per_user: 2,
        begin_within: Duration::from_secs(30),
        place_lasts: Duration::from_secs(300),
    };

    fn at(secs: u64) -> Instant {
        Instant::from_nanos(secs * 1_000_000_000)
    }

    #[test]
    fn places_are_given_in_order() {
        let mut slots = Slots::new(LIMITS);
        assert_eq!(slots.ask(at(0), b"a", b"x"), Verdict::Accept);
        assert!(slots.begin(at(1), b"A", b"x"));
        assert_eq!(slots.ask(at(1), b"a", b"y"), Verdict::Wait(0));
        assert_eq!(slots.ask(at(1), b"b", b"x"), Verdict::Accept, "what is before it cannot begin");
        assert_eq!(slots.ask(at(1), b"c", b"x"), Verdict::Wait(1));
        slots.end(b"a");
        // One place is free now: it is for who came first.
        assert_eq!(slots.ask(at(2), b"c", b"x"), Verdict::Wait(1));
        assert_eq!(slots.ask(at(2), b"a", b"y"), Verdict::Accept);
        assert_eq!(slots.in_use(), 2);
    }

    #[test]
    fn a_place_that_nobody_takes_is_free_again() {
        let mut slots = Slots::new(LIMITS);
        assert_eq!(slots.ask(at(0), b"a", b"x"), Verdict::Accept);
        assert_eq!(slots.ask(at(0), b"b", b"x"), Verdict::Accept);
        assert_eq!(slots.ask(at(1), b"c", b"x"), Verdict::Wait(0));
        assert!(!slots.begin(at(31), b"a", b"x"));
        assert_eq!(slots.ask(at(31), b"c", b"x"), Verdict::Accept);
        assert!(!slots.begin(at(31), b"c", b"y"));
    }

    #[test]
    fn the_queue_is_bounded_and_forgets() {
        let mut slots = Slots::new(SlotLimits { all: 0, ..LIMITS });
        for name in [b"1", b"2", b"3"] {
            slots.ask(at(0), b"greedy", name);
        }
        assert_eq!(slots.waiting(), 2);
        slots.ask(at(0), b"other", b"1");
        slots.ask(at(0), b"third", b"1");
        assert_eq!(slots.waiting(), 3);
        assert_eq!(slots.ask(at(400), b"third", b"1"), Verdict::Wait(0));
        assert_eq!(slots.waiting(), 1);
    }
}
