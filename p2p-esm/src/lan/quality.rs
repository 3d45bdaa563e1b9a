//! How much of what is sent to the group is heard, and who sent what was not signed: [`Quality`].
//!
//! A symbol that comes before its manifest is noted with its sender; once the manifest is here the sender is praised or
//! blamed. Of whom nothing was signed yet the symbol waits here until then: so nobody can fill with rubbish the places of
//! what is to come. An address on a datagram, which anybody in the LAN can write, decides nothing of the output.

use crate::playout::Playout;
use crate::shape::Shape;
use crate::symbol::Symbol;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// Unsigned symbols that are noted at most: several batches.
const MOST_NOTED: usize = 256;
/// What is heard is judged over so long, and so many symbols, at least.
const WINDOW: Duration = Duration::from_secs(2);
const ENOUGH: u32 = 48;
/// Who hears less than this share of the symbols, in percent, does better without: more parity than usual makes good for,
/// and the rest would be asked for again by unicast.
const LEAST: u32 = 75;
/// It begins again once it hears so many percent.
const WELL: u32 = 90;

/// What came of the symbols of one sender when their manifest came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) from: SocketAddr,
    pub(crate) tree: u8,
    pub(crate) sound: bool,
}

/// What was heard in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// Enough to take it all from the group.
    Well,
    /// Neither.
    Fair,
    /// Too little.
    Poor,
}

#[derive(Clone, Debug)]
struct Noted {
    generation: u64,
    index: u8,
    from: SocketAddr,
    body: Bytes,
    /// It is not in the playout.
    waits: bool,
}

/// What is heard on the group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quality {
    noted: VecDeque<Noted>,
    came: u32,
    expected: u32,
    /// Since when these count.
    since: Option<Instant>,
}

impl Quality {
    /// Notes an unsigned symbol; one that `waits` is put into the playout once its manifest is here.
    pub(crate) fn note(&mut self, generation: u64, index: u8, from: SocketAddr, body: Bytes, waits: bool) {
        if self.noted.len() == MOST_NOTED {
            self.noted.pop_front();
        }
        self.noted.push_back(Noted { generation, index, from, body, waits });
    }

    /// A signed symbol came by the group.
    pub(crate) const fn came(&mut self) {
        self.came = self.came.saturating_add(1);
    }

    /// So many symbols of a batch were sent to the group. It is counted from behind the first of them on: what came of those may
    /// be a part.
    pub(crate) fn expect(&mut self, symbols: u32, now: Instant) {
        match self.since {
            None => (self.came, self.since) = (0, Some(now)),
            Some(_) => self.expected = self.expected.saturating_add(symbols),
        }
    }

    /// Another host begins to send: what was under way then says nothing.
    pub(crate) const fn begin(&mut self) {
        (self.expected, self.since) = (0, None);
    }

    /// All generations before `behind` are signed, or forgotten: what was noted of them is judged.
    pub(crate) fn judge(
        &mut self,
        behind: u64,
        shape: Shape,
        playout: &mut Playout,
        now: Instant,
    ) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        self.noted.retain(|noted| {
            if noted.generation >= behind {
                return true;
            }
            if noted.generation >= playout.oldest() && playout.is_listed(noted.generation) {
                if noted.waits {
                    // The low 32 bits are what the wire has.
                    let generation = noted.generation as u32;
                    playout.insert(&Symbol { generation, index: noted.index, body: noted.body.clone() }, now);
                }
                let sound = playout.symbol(noted.generation, noted.index) == Some(&noted.body);
                verdicts.push(Verdict { from: noted.from, tree: shape.tree(noted.index), sound });
                return false;
            }
            // Its manifest may be late.
            noted.generation + 64 >= behind
        });
        let sound = verdicts.iter().filter(|verdict| verdict.sound).count();
        self.came = self.came.saturating_add(u32::try_from(sound).unwrap_or(u32::MAX));
        verdicts
    }

    /// How well the group was heard, once there is enough to say.
    pub(crate) fn hearing(&mut self, now: Instant) -> Option<Hearing> {
        if self.expected < ENOUGH || now.since(self.since?) < WINDOW {
            return None;
        }
        let percent = u64::from(self.came) * 100 / u64::from(self.expected);
        (self.came, self.expected, self.since) = (0, 0, Some(now));
        Some(match percent {
            percent if percent < u64::from(LEAST) => Hearing::Poor,
            percent if percent < u64::from(WELL) => Hearing::Fair,
            _ => Hearing::Well,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch every so often, of which so many symbols come before it is known how many there are.
    fn hear(quality: &mut Quality, now: &mut Instant, every: u64, came: u32) -> Option<Hearing> {
        loop {
            *now += Duration::from_millis(every);
            (0..came).for_each(|_| quality.came());
            quality.expect(16, *now);
            if let Some(hearing) = quality.hearing(*now) {
                return Some(hearing);
            }
            if quality.expected > 1_000 {
                return None;
            }
        }
    }

    #[test]
    fn shares() {
        // Few batches in a window, and many.
        for every in [800, 80] {
            let (mut quality, mut now) = (Quality::default(), Instant::ZERO);
            for (came, hearing) in [
                (16, Hearing::Well),
                (15, Hearing::Well),
                (13, Hearing::Fair),
                (11, Hearing::Poor),
                (0, Hearing::Poor),
                (16, Hearing::Well),
            ] {
                assert_eq!(hear(&mut quality, &mut now, every, came), Some(hearing), "{came} of 16");
            }
            // From another one: what came of the first batch is not known.
            quality.begin();
            quality.expect(16, now);
            assert_eq!(hear(&mut quality, &mut now, every, 16), Some(Hearing::Well));
        }
        let mut quality = Quality::default();
        quality.expect(16, Instant::ZERO);
        quality.expect(16, Instant::ZERO);
        assert_eq!(quality.hearing(Instant::ZERO + Duration::from_secs(9)), None, "too little to say");
    }

    #[test]
    fn what_is_noted_is_bounded() {
        let mut quality = Quality::default();
        let from = SocketAddr::from(([10, 0, 0, 1], 1));
        for n in 0..10_000 {
            quality.note(n, 0, from, Bytes::from_static(b"x"), true);
        }
        assert_eq!(quality.noted.len(), MOST_NOTED);
    }
}
