//! What a parent brings, against what the source signed: who forges symbols is left, and who brings too few of them
//! ([`Witness`]).
//!
//! Symbols are passed on before they are signed, so who got a forged one from its parent cannot tell whether that one
//! forged it. The nearer to the source, the sooner a parent is left: all behind an honest member wait for it to leave a
//! liar above it first. Each needs a batch with a forged symbol in it for every hop.

use super::{Context, Esm, Live, State};
use crate::member::tree::Parent;
use crate::shape::Shape;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// Unsigned symbols that are noted at most: several batches.
const MOST_NOTED: usize = 256;
/// What a parent brings is judged over so many symbols, and so long, at least.
const ENOUGH: u32 = 24;
const WINDOW: Duration = Duration::from_secs(2);
/// So much longer for each hop above.
const HOP: Duration = Duration::from_millis(500);
/// Who brings fewer of a hundred symbols in time is left: parity and repair are for less than that.
const LEAST: u32 = 60;
/// Who was left is not asked again for so long.
const SHUNNED: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
struct Noted {
    generation: u64,
    index: u8,
    /// By its address, and whether it had a stamp of that one.
    from: (SocketAddr, bool),
    body: Bytes,
}

/// Unsigned symbols, and who they came from.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness(VecDeque<Noted>);

impl Witness {
    /// Notes an unsigned symbol.
    pub(super) fn note(&mut self, generation: u64, index: u8, from: (SocketAddr, bool), body: Bytes) {
        if self.0.len() == MOST_NOTED {
            self.0.pop_front();
        }
        self.0.push_back(Noted { generation, index, from, body });
    }
}

/// What a parent brought of late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought {
    since: Instant,
    /// Symbols that came in time.
    came: u32,
    /// Those that the source signed meanwhile.
    due: u32,
    /// Batches in which it sent what the source did not sign.
    pub(super) forged: u32,
}

impl Brought {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: now, came: 0, due: 0, forged: 0 }
    }

    /// A symbol came that was not signed long ago.
    pub(super) const fn came(&mut self) {
        self.came = self.came.saturating_add(1);
    }

    /// So many were signed. Whether it brings too few.
    fn was_due(&mut self, symbols: u32, hops: u32, now: Instant) -> bool {
        self.due = self.due.saturating_add(symbols);
        if self.due < ENOUGH || now.since(self.since) < WINDOW + HOP * hops {
            return false;
        }
        let is_poor = u64::from(self.came) * 100 < u64::from(self.due) * u64::from(LEAST);
        *self = Self { forged: self.forged, ..Self::new(now) };
        is_poor
    }
}

impl Parent {
    fn hops(&self) -> u32 {
        // At most 24.
        self.place.path.len() as u32
    }
}

impl Live {
    /// Symbols of a tree in generations of so many packets.
    fn symbols_of(shape: Shape, tree: u8, counts: &[u8]) -> u32 {
        let of = |count: &u8| {
            let numbers = (0..*count).chain(shape.data()..shape.symbols());
            numbers.filter(|index| shape.tree(*index) == tree).count() as u32
        };
        counts.iter().map(of).sum()
    }
}

impl Esm {
    /// A manifest is here of the generations from `first` on that have so many packets: parents are judged by it.
    pub(super) fn judge_parents(&mut self, first: u64, counts: &[u8], cx: &mut Context<'_>) {
        let now = cx.now();
        let State::Live(live) = &mut self.state else { return };
        let (shape, behind) = (live.broadcast.shape, first + counts.len() as u64);
        let mut liars: Vec<(SocketAddr, bool)> = Vec::new();
        let playout = &live.playout;
        live.witness.0.retain(|noted| {
            if noted.generation >= behind {
                return true;
            }
            let is_here = noted.generation >= playout.oldest() && playout.is_listed(noted.generation);
            let is_sound = || match playout.symbol(noted.generation, noted.index) {
                Some(body) => *body == noted.body,
                // Forged ones that came before it may have left no place for the right one.
                None => playout.is_signed(noted.generation, noted.index, &noted.body),
            };
            if is_here && !liars.contains(&noted.from) && !is_sound() {
                liars.push(noted.from);
            }
            !is_here && noted.generation + 64 >= behind
        });
        for (from, is_stamped) in liars {
            self.is_forged(from, is_stamped, cx);
        }
        let State::Live(live) = &mut self.state else { return };
        let mut left = Vec::new();
        for (tree, at) in (0_u8..).zip(&mut live.trees) {
            // What is before the parent's first generation had to come from another one.
            let before = at.hand_over_before(first).min(counts.len());
            let Some(parent) = at.parent.as_mut().filter(|parent| !parent.rests) else { continue };
            let hops = parent.hops();
            let due = Live::symbols_of(shape, tree, &counts[before..]);
            let is_poor = parent.brought.was_due(due, hops, now);
            let lies = parent.brought.forged > hops;
            if lies || is_poor {
                left.push((tree, parent.addr, lies));
            }
        }
        for (tree, addr, lies) in left {
            if lies {
                self.counts.liars += 1;
            } else {
                self.counts.poor += 1;
            }
            self.leave_parent(tree, addr, SHUNNED, cx);
        }
    }
}
