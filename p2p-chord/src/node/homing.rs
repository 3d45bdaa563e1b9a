//! Records that a node holds and that are another's by far are brought to whom they belong: [`Homing`].
//!
//! When two rings become one, all that have a record may find themselves far behind those that are to have it now, who
//! never compare what they hold with such a node. So whoever has another predecessor looks, from the farthest place of which
//! it has a record on, who is responsible there, and compares with that one, until it comes to places of which it is a
//! replica itself. Where one node joined that is one lookup.

use super::reconcile::Why;
use super::{Chord, Context, Goal};
use crate::contact::Contact;
use crate::id::RingId;
use crate::peer::Peer;
use crate::ring::Ring;
use p2p_core::Instant;

/// Nodes that records are brought to at a time: the rest when the predecessor changes again.
const STEPS: u8 = 32;

/// Records being brought home.
#[derive(Clone, Debug)]
pub(super) struct Homing {
    /// Behind this place, all is yet to be looked at.
    behind: RingId,
    steps: u8,
    /// Not before: the ring may just be changing.
    due: Instant,
}

impl Chord {
    /// Another node is before us: what we hold may be others'.
    pub(super) fn begin_homing(&mut self, cx: &mut Context<'_>) {
        let Some(me) = self.peer().filter(|_| !self.storage.store.is_empty() && !self.is_small()) else {
            return;
        };
        let due = cx.now() + 3 * self.config.stabilise;
        self.merging().homing = Some(Homing { behind: me.id(), steps: 0, due });
    }

    /// Goes on with it, once a round.
    pub(super) fn bring_home(&mut self, cx: &mut Context<'_>) {
        let Some(homing) = self.merging.as_deref().and_then(|merging| merging.homing.as_ref()) else {
            return;
        };
        let behind = homing.behind;
        if homing.due > cx.now() || self.is_looking_for(Goal::Home) {
            return;
        }
        // Once around, and no farther.
        let own = |ring: &Ring, key: RingId| {
            ring.is_small() || ring.owns(key) || !key.in_arc_to(behind, ring.me().id())
        };
        match (self.storage.store.first_behind(behind), self.ring()) {
            (Some(key), Some(ring)) if homing.steps < STEPS && !own(ring, key) => {
                self.look_up(key, Goal::Home, cx);
            }
            _ => self.merging().homing = None,
        }
    }

    /// These are responsible for a place of which we have records.
    pub(super) fn home_found(&mut self, owners: &[Peer], cx: &mut Context<'_>) {
        let (me, replicas) = (self.peer(), self.config.replicas);
        let Some(homing) = &mut self.merging().homing else { return };
        let Some(owner) = owners.first().filter(|_| !owners.iter().take(replicas).any(|at| Some(*at) == me))
        else {
            // We are one of those that are to have it, and all that is nearer.
            self.merging().homing = None;
            return;
        };
        let behind = core::mem::replace(&mut homing.behind, owner.id());
        homing.steps += 1;
        self.reconcile(Contact::unmet(*owner), (behind, owner.id()), Why::Leaving, cx);
        self.bring_home(cx);
    }
}
