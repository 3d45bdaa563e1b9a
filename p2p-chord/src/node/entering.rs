//! The last step into a large ring: our successor knows of us: [`Entering`].
//!
//! ```text
//!   newcomer               its successor        who was before it
//!      │── Neighbours, notify ──►│                      │
//!      │◄── who was before it ───│ from here on it says that the newcomer is before it
//!   a member: the join is over   │                      │
//!      │── Follow ──────────────────────────────────────►│
//! ```
//!
//! Until then its successor is responsible for what will be the newcomer's, and says so; so nobody may count on the newcomer
//! yet. To who asks whether it is there ([`Ask::Before`](crate::wire::Ask)) it says that it is not yet: whoever was sent by
//! the successor asks that one again. If a newcomer were a member at once, and its successor held a dead node for its
//! predecessor, lookups would name the successor for as long as it takes to find that out, and be wrong.

use super::{Chord, Context};
use crate::api::Event;
use crate::contact::Contact;
use crate::error::Error;
use crate::peer::{Peer, Place};
use p2p_core::{Duration, OpId};

/// Its successor is asked so often whether it knows us by now.
pub(super) const AGAIN: Duration = Duration::from_millis(300);
/// Rounds after which we are a member whatever our successor says: it may hear somebody between us whom we do not hear, and
/// then never follow us.
const ROUNDS: u8 = 32;

/// A member of whom its successor may not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entering {
    /// Who waits for it.
    op: Option<OpId>,
    /// How often our successor was asked.
    rounds: u8,
}

impl Chord {
    /// Our successor is to know of us, and then whoever wanted us to join is told.
    pub(super) fn enter_by_successor(&mut self, op: Option<OpId>, cx: &mut Context<'_>) {
        self.entering = Some(Entering { op, rounds: 0 });
        if self.config.classic || self.is_small() {
            self.has_entered(cx);
        }
    }

    /// Whether our successor may not know of us yet.
    pub(super) const fn is_entering(&self) -> bool {
        self.entering.is_some()
    }

    /// One more round.
    pub(super) fn count_entering(&mut self, cx: &mut Context<'_>) {
        let is_small = self.is_small();
        let Some(entering) = &mut self.entering else { return };
        entering.rounds += 1;
        if is_small || entering.rounds > ROUNDS {
            self.has_entered(cx);
        }
    }

    /// Whom we notified says who was before it when it heard of us. Where that one is farther than we are, we are now.
    pub(super) fn was_before(&mut self, contact: Contact, before: Option<Place>, cx: &mut Context<'_>) {
        if !self.is_entering() {
            return;
        }
        let before = before.and_then(|place| place.peer(self.config.network));
        let Some(ring) = self.ring_mut().filter(|ring| !ring.is_small()) else { return };
        let me = ring.me();
        if ring.successors().first().is_none_or(|head| head.peer != contact.peer) {
            return;
        }
        let is_between = |peer: Peer| peer.id().between(me.id(), contact.peer.id());
        if before.is_some_and(is_between) {
            return;
        }
        if before.is_some_and(|before| before != me) {
            // Others may have come between since we were given its list.
            ring.was_told(before);
        }
        self.has_entered(cx);
    }

    fn has_entered(&mut self, cx: &mut Context<'_>) {
        let (Some(entering), Some(me)) = (self.entering.take(), self.me) else { return };
        cx.tell(Event::Joined(me));
        if let Some(op) = entering.op {
            cx.finish(op, Ok(()));
        }
    }

    /// We go before our successor knew us.
    pub(super) fn fail_entering(&mut self, error: Error, cx: &mut Context<'_>) {
        if let Some(op) = self.entering.take().and_then(|entering| entering.op) {
            cx.finish(op, Err(error));
        }
    }

    /// Whether this operation waits for our successor.
    pub(super) fn is_entering_for(&self, op: OpId) -> bool {
        self.entering.is_some_and(|entering| entering.op == Some(op))
    }
}
