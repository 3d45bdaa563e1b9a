//! What is kept of a lookup under way: [`Running`].

use super::View;
use super::lookups::Goal;
use crate::lookup::Lookup;
use crate::peer::Peer;
use alloc::vec::Vec;
use core::hash::{Hash as _, Hasher};
use p2p_core::Instant;

/// A lookup and what it is for.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) lookup: Lookup,
    pub(super) goal: Goal,
    /// Who was named as responsible, once somebody was.
    pub(super) owners: Vec<Peer>,
    /// Those that said themselves that they live, and when that was last heard.
    pub(super) alive: Vec<(Peer, Instant)>,
    /// The number of the question that is passed on for it, if one was.
    pub(super) route: Option<u32>,
    /// Until when it last waited for somebody who was named as responsible and is dead.
    pub(super) waited: Instant,
    pub(super) doubt: Doubt,
    /// Those that said that they are no members yet, as often as they did.
    pub(super) early: Vec<Peer>,
}

/// Somebody was named who is dead, so whoever named it knew little of late: nodes that are nearer may know of one that
/// joined before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Doubt {
    None,
    /// They are being asked.
    Open,
    Settled,
}

impl Running {
    /// See [`Chord::touch`](super::Chord::touch).
    pub(super) fn touch(&self) -> u64 {
        self.lookup.touch() ^ u64::from(self.route.is_some())
    }

    /// Bytes on the heap, with itself.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>()
            + self.lookup.memory()
            + self.owners.capacity() * size_of::<Peer>()
            + self.alive.capacity() * size_of::<(Peer, Instant)>()
            + self.early.capacity() * size_of::<Peer>()
    }

    /// This one says that it lives.
    pub(super) fn hear(&mut self, peer: Peer, now: Instant) {
        self.alive.retain(|(other, _)| *other != peer);
        self.alive.push((peer, now));
    }

    /// Whether this one said that it lives.
    pub(super) fn has_heard(&self, peer: Peer) -> bool {
        self.alive.iter().any(|(other, _)| *other == peer)
    }

    /// Whether it says so just now. What it said before others were waited for may be true no more.
    pub(super) fn hears(&self, peer: Peer, now: Instant) -> bool {
        self.alive.contains(&(peer, now))
    }

    /// All that its later course depends on.
    pub(super) fn essence(&self, view: View, into: &mut impl Hasher) {
        let goal = core::mem::discriminant(&self.goal);
        (goal, &self.owners, self.route.is_some(), &self.doubt).hash(into);
        self.alive.iter().for_each(|(peer, _)| peer.hash(into));
        self.early.hash(into);
        self.lookup.essence(view, into);
    }
}
