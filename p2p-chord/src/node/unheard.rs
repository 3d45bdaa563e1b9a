//! Somebody between us and our successor whom our successor hears and we do not: [`Unheard`].
//!
//! Where packets between two nodes are lost for good, each takes the other for dead. If these are neighbours, the first
//! would say that what the second is responsible for is its successor's, who knows better: some would find a record
//! and some would not (Freedman et al. 2005, "Non-transitive connectivity and DHTs"). Our successor asks its predecessor
//! whether it lives whenever we notify it, so one whom it names again after that lives. We name it to who asks, and
//! follow it no more than before: nobody is in our list who did not answer.

use super::Chord;
use crate::id::RingId;
use crate::peer::Peer;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Rounds in which our successor has to name somebody whom we do not hear.
const ROUNDS: u8 = 2;

/// Somebody whom our successor names and we do not hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Unheard {
    peer: Peer,
    /// Rounds in which it did not answer, as far as they count.
    rounds: u8,
}

impl Chord {
    /// Our successor named this one as its predecessor.
    pub(super) fn is_named_between(&mut self, named: Option<Peer>) {
        if self.unheard.as_deref().is_some_and(|unheard| named != Some(unheard.peer)) {
            self.unheard = None;
        }
    }

    /// One that was named did not answer.
    pub(super) fn is_not_heard(&mut self, peer: Peer) {
        let before = self.unheard.as_deref().filter(|unheard| unheard.peer == peer);
        let rounds = before.map_or(0, |unheard| unheard.rounds);
        self.unheard = Some(Box::new(Unheard { peer, rounds: (rounds + 1).min(ROUNDS) }));
    }

    /// Those who are responsible for a place, by our list, with the one before them whom we do not hear.
    pub(super) fn with_unheard(&self, place: RingId, mut owners: Vec<Peer>) -> Vec<Peer> {
        let Some(ring) = self.ring().filter(|ring| !ring.is_small()) else { return owners };
        let is_its = |unheard: &&Unheard| {
            unheard.rounds >= ROUNDS && place.in_arc_to(ring.me().id(), unheard.peer.id())
        };
        if let Some(unheard) = self.unheard.as_deref().filter(is_its)
            && owners
                .first()
                .is_some_and(|first| ring.successors().first().is_some_and(|head| head.peer == *first))
        {
            owners.insert(0, unheard.peer);
        }
        owners
    }
}
