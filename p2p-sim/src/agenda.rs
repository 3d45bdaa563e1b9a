//! What is to happen, in order of time and then of asking: a wheel of three levels with a heap behind it.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A tick is 2^20 ns, about a millisecond.
const TICK: u32 = 20;
/// Slots of a level: 256 ticks, then 256 times 256, then 256 times that (4.9 hours).
const SLOTS: usize = 256;
const LEVELS: usize = 3;
/// Events that are looked at side by side: what they need is to fit into the cache that is nearest but one.
const AHEAD: usize = 64;
/// The next ones are looked at when so few are left.
const SEEN: usize = 4;

#[derive(Debug)]
struct Entry<E> {
    at: u64,
    seq: u64,
    what: E,
}

impl<E> Entry<E> {
    const fn key(&self) -> (u64, u64) {
        (self.at, self.seq)
    }
}

// Reversed, so that the heap's greatest is the earliest.
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

#[derive(Debug)]
struct Level<E> {
    slots: Box<[Vec<Entry<E>>]>,
    taken: [u64; SLOTS / 64],
}

impl<E> Level<E> {
    fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), taken: [0; SLOTS / 64] }
    }

    fn push(&mut self, slot: usize, entry: Entry<E>) {
        self.taken[slot / 64] |= 1 << (slot % 64);
        self.slots[slot].push(entry);
    }

    /// The first slot that holds something, from `from` on.
    fn next(&self, from: usize) -> Option<usize> {
        let mut word = from / 64;
        let mut mask = u64::MAX.checked_shl((from % 64) as u32).unwrap_or(0);
        while word < self.taken.len() {
            let bits = self.taken[word] & mask;
            if bits != 0 {
                return Some(word * 64 + bits.trailing_zeros() as usize);
            }
            word += 1;
            mask = u64::MAX;
        }
        None
    }

    fn clear(&mut self, slot: usize) {
        self.taken[slot / 64] &= !(1 << (slot % 64));
    }
}

/// Events by time. Events of one instant come out in the order in which they were put in.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    seq: u64,
    len: usize,
    /// The tick whose events are in `current`.
    tick: u64,
    /// The events of this tick that were there when it began, latest first.
    current: Vec<Entry<E>>,
    /// So many of them, from the latest on, nobody looked at yet.
    unseen: usize,
    /// Those that came later, for this tick.
    near: BinaryHeap<Entry<E>>,
    levels: [Level<E>; LEVELS],
    /// Beyond the third level.
    far: BinaryHeap<Entry<E>>,
}

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Self {
            seq: 0,
            len: 0,
            tick: 0,
            current: Vec::new(),
            unseen: 0,
            near: BinaryHeap::new(),
            levels: [Level::new(), Level::new(), Level::new()],
            far: BinaryHeap::new(),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, at: u64, what: E) {
        let seq = self.seq;
        self.seq += 1;
        self.len += 1;
        self.place(Entry { at, seq, what });
    }

    fn place(&mut self, entry: Entry<E>) {
        let tick = entry.at >> TICK;
        if tick <= self.tick {
            return self.near.push(entry);
        }
        for (depth, level) in self.levels.iter_mut().enumerate() {
            let shift = 8 * depth as u32;
            // The same slot one level up: this level's slots tell them apart.
            if tick >> (shift + 8) == self.tick >> (shift + 8) {
                return level.push((tick >> shift) as usize % SLOTS, entry);
            }
        }
        self.far.push(entry);
    }

    /// Takes the first event that is not later than `limit`.
    pub(crate) fn pop(&mut self, limit: u64) -> Option<(u64, E)> {
        loop {
            let from_near = match (self.current.last(), self.near.peek()) {
                (Some(a), Some(b)) => b.key() < a.key(),
                (None, Some(_)) => true,
                (Some(_), None) => false,
                (None, None) => {
                    if !self.advance(limit >> TICK) {
                        return None;
                    }
                    continue;
                }
            };
            let next = if from_near { self.near.peek()? } else { self.current.last()? };
            if next.at > limit {
                return None;
            }
            let entry = if from_near { self.near.pop()? } else { self.current.pop()? };
            self.len -= 1;
            return Some((entry.at, entry.what));
        }
    }

    /// Some of what comes next, each once, shortly before it comes: mostly none.
    pub(crate) fn ahead(&mut self) -> impl Iterator<Item = &E> + Clone {
        let mut some = 0..0;
        if self.unseen > 0 && self.current.len() < self.unseen + SEEN {
            let end = self.unseen.min(self.current.len());
            self.unseen = end.saturating_sub(AHEAD);
            some = self.unseen..end;
        }
        self.current[some].iter().rev().map(|entry| &entry.what)
    }

    /// Goes on to the next tick that holds events, or opens a slot of a higher level; not past `limit`.
    fn advance(&mut self, limit: u64) -> bool {
        let first = &mut self.levels[0];
        if let Some(slot) = first.next(self.tick as usize % SLOTS + 1) {
            let tick = self.tick / SLOTS as u64 * SLOTS as u64 + slot as u64;
            if tick > limit {
                return false;
            }
            self.tick = tick;
            first.clear(slot);
            std::mem::swap(&mut self.current, &mut first.slots[slot]);
            // Keep what a usual tick needs, and give back what a burst left.
            if first.slots[slot].capacity() > 64 + 8 * self.current.len() {
                first.slots[slot] = Vec::new();
            }
            self.unseen = self.current.len();
            self.current.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.key()));
            return true;
        }
        for depth in 1..LEVELS {
            let shift = 8 * depth as u32;
            let here = self.tick >> shift;
            let level = &mut self.levels[depth];
            if let Some(slot) = level.next(here as usize % SLOTS + 1) {
                let tick = (here / SLOTS as u64 * SLOTS as u64 + slot as u64) << shift;
                if tick > limit {
                    return false;
                }
                self.tick = tick;
                level.clear(slot);
                for entry in std::mem::take(&mut level.slots[slot]) {
                    self.place(entry);
                }
                return true;
            }
        }
        let Some(first) = self.far.peek() else { return false };
        let top = first.at >> TICK >> (8 * LEVELS as u32);
        let tick = top << (8 * LEVELS as u32);
        if tick > limit {
            return false;
        }
        self.tick = self.tick.max(tick);
        while self.far.peek().is_some_and(|entry| entry.at >> TICK >> (8 * LEVELS as u32) == top) {
            if let Some(entry) = self.far.pop() {
                self.place(entry);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p2p_core::Rng;

    #[test]
    fn comes_out_in_order_of_time_then_of_asking() {
        let mut rng = Rng::fast_from(5);
        let mut agenda = Agenda::new();
        let mut now = 0;
        let (mut put, mut got) = (0u64, 0u64);
        let mut last = (0, 0);
        for _ in 0..20_000 {
            for _ in 0..rng.below(4) {
                // From "at once" to days ahead, often equal.
                let span = 1u64 << rng.below(48);
                let at = now + if rng.chance(0.2) { 0 } else { rng.below(span) & !0xfff };
                agenda.push(at, put);
                put += 1;
            }
            let limit = now + (1 << rng.below(34));
            while let Some((at, seq)) = agenda.pop(limit) {
                assert!((at, seq) > last || got == 0, "{last:?} then {:?}", (at, seq));
                assert!(at <= limit && at >= now);
                last = (at, seq);
                now = at;
                got += 1;
                if rng.chance(0.3) {
                    break;
                }
            }
            now = now.max(last.0);
        }
        while agenda.pop(u64::MAX).is_some() {
            got += 1;
        }
        assert_eq!(put, got);
        assert_eq!(agenda.len(), 0);
    }

    #[test]
    fn stops_at_the_limit_without_losing_what_comes_then_in_between() {
        let mut agenda = Agenda::new();
        agenda.push(3_600_000_000_000, 'z');
        assert!(agenda.pop(1_000).is_none());
        agenda.push(2_000, 'a');
        assert_eq!(agenda.pop(u64::MAX), Some((2_000, 'a')));
        assert_eq!(agenda.pop(u64::MAX), Some((3_600_000_000_000, 'z')));
    }
}
