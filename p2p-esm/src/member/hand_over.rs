//! A change of parents by number: the new one begins with a generation, and the former one ends before it, so that no
//! symbol comes twice and none is missed ([`HandOver`]).
//!
//! ```text
//!  former                child                 new
//!    │                     │ Adopt, from 8 ──────► │
//!    │ symbols of 6 ─────► │                       │
//!    │                     │ ◄──────────── Adopted │
//!    │ ◄────────── until 8 │                       │
//!    │ symbols of 7 ─────► │                       │
//!    │                     │ ◄──────── symbols of 8
//! ```
//! The number is one that the former parent will not have begun to send when it hears of it, by how long generations took
//! of late. Should it have, a few symbols come twice; should the new parent have sent it already, it sends it again.

use super::{Esm, State};
use crate::member::tree::Tree;
use crate::shape::Shape;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// What is said may take so much longer than it did of late.
const SPARE: Duration = Duration::from_millis(30);
/// A generation that is farther away is not waited for: the former parent ends at once.
const FARTHEST: Duration = Duration::from_millis(1_500);
/// What the former parent sent last may be under way for so long after what the new one sent first is here.
const UNDER_WAY: Duration = Duration::from_millis(300);
/// Of how long a generation takes, the newest one says an eighth.
const LEARNS: u32 = 8;

/// What two parents have between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandOver {
    former: SocketAddr,
    /// The new parent begins with this generation.
    from: u64,
    /// When it does, about.
    pub(super) due: Instant,
    /// The newest generation of which the former one sent a symbol.
    newest: u64,
}

impl HandOver {
    /// Whether what the former parent sends may still come.
    fn is_under_way(&self, now: Instant) -> bool {
        now < self.due + UNDER_WAY
    }
}

/// The first generation that may miss symbols of a tree, where a symbol of `newest` came: all of it if there are more.
pub(super) const fn behind(newest: u64, shape: Shape) -> u64 {
    if shape.symbols() > shape.trees() { newest } else { newest.saturating_add(1) }
}

impl Tree {
    /// A symbol came down the tree: how fast its generations follow each other.
    pub(super) fn turn(&mut self, generation: u64, now: Instant) {
        if generation <= self.newest {
            return;
        }
        if let Some(turned) = self.turned {
            let more = u32::try_from(generation - self.newest).unwrap_or(u32::MAX);
            let each = now.since(turned) / more;
            // A stream that paused says little of how fast it is.
            let each = each.min(if self.every.is_zero() { FARTHEST } else { self.every * 2 + SPARE });
            self.every =
                if self.every.is_zero() { each } else { (self.every * (LEARNS - 1) + each) / LEARNS };
        }
        (self.newest, self.turned) = (generation, Some(now));
    }

    /// The first generation that the parent will not have sent yet when it hears of it, after so long.
    fn unsent(&self, after: Duration, now: Instant) -> Option<u64> {
        let since = now.since(self.turned?);
        let flows = !self.every.is_zero() && since < self.every * 2 + SPARE;
        if !flows {
            return None;
        }
        let more = (since + after + SPARE).as_nanos() / self.every.as_nanos() + 1;
        let more = u32::try_from(more).ok().filter(|more| self.every * *more <= FARTHEST + since)?;
        let begun = self.hand_over.map_or(0, |hand_over| hand_over.from);
        Some((self.newest + u64::from(more)).max(begun))
    }

    /// From this generation on another parent sends.
    pub(super) fn hands_over(&mut self, former: SocketAddr, from: u64, now: Instant) -> HandOver {
        let more = u32::try_from(from.saturating_sub(self.newest)).unwrap_or(u32::MAX);
        let due = self.turned.map_or(now, |turned| turned + (self.every * more).min(2 * FARTHEST)).max(now);
        let hand_over = HandOver { former, from, due, newest: self.newest };
        self.hand_over = Some(hand_over);
        hand_over
    }

    /// A symbol came that the former parent still had to send. False if it is none of these.
    pub(super) fn came_by_former(&mut self, peer: SocketAddr, generation: u64, now: Instant) -> bool {
        let by_former = self.hand_over.as_mut().filter(|hand_over| {
            hand_over.former == peer && generation < hand_over.from && hand_over.is_under_way(now)
        });
        let Some(hand_over) = by_former else { return false };
        hand_over.newest = hand_over.newest.max(generation);
        self.turn(generation, now);
        true
    }

    /// Whether no later generation came by whoever sends this one: what misses of it may be on its way.
    pub(super) fn is_newest(&self, generation: u64, now: Instant) -> bool {
        let by_former = self.hand_over.filter(|hand_over| generation < hand_over.from);
        by_former.filter(|hand_over| hand_over.is_under_way(now)).map_or(self.newest, |former| former.newest)
            <= generation
    }

    /// How many generations from this one on another one than the parent had to send.
    pub(super) fn hand_over_before(&self, first: u64) -> usize {
        self.hand_over.map_or(0, |hand_over| hand_over.from.saturating_sub(first) as usize)
    }
}

impl Esm {
    /// With which generation another one is to begin, should it become the parent in place of one that serves.
    pub(super) fn hand_over_at(&self, to: SocketAddr, tree: u8, now: Instant) -> Option<u64> {
        let State::Live(live) = &self.state else { return None };
        let at = live.trees.get(usize::from(tree))?;
        let parent = at.parent.as_ref().filter(|parent| !parent.doubted && !parent.rests)?;
        let is_change = parent.addr != to && (parent.moves || at.bettering == Some(to));
        let took = self.view.get(to)?.round_trip.filter(|_| is_change)?;
        at.unsent(took + parent.round_trip, now)
    }
}
