//! Looking after the fingers, one at a time.

use super::{Chord, Context, Goal, Purpose};
use crate::api::Timer;
use crate::block::Block;
use crate::contact::Contact;
use crate::fingers::{Fingers, Slot};
use crate::peer::Peer;

impl Chord {
    /// Time to look after one finger: is it alive, or is there one by now?
    pub(super) fn fix_finger(&mut self, cx: &mut Context<'_>) {
        let every = self.config.fix_finger;
        let after = every / 2 + cx.rng().phase(every);
        cx.set_timer(Timer::Finger, after);
        let Some(slot) = self.next_slot() else { return };
        match self.fingers.get(slot).copied() {
            Some(contact) => self.ping(contact, Purpose::Finger, cx),
            None => {
                let Some(me) = self.peer() else { return };
                let target = me.id().plus(self.fingers.begin(slot));
                self.look_up(target, Goal::Finger(slot), cx);
            }
        }
    }

    /// The slots behind the end of the successor list, round and round.
    fn next_slot(&mut self) -> Option<Slot> {
        let ring = self.ring().filter(|ring| !ring.is_small())?;
        let reach = ring.me().id().distance_to(ring.successors().last()?.peer.id());
        let first = Fingers::number(self.fingers.slot(reach)?);
        let next = self.finger.max(first);
        let slot = self.fingers.nth(next).or_else(|| self.fingers.nth(first))?;
        self.finger = Fingers::number(slot) + 1;
        Some(slot)
    }

    /// Who is responsible for the beginning of a slot serves for all of it, if it lies there.
    pub(super) fn finger_found(&mut self, slot: Slot, owners: &[Peer], cx: &mut Context<'_>) {
        let Some(me) = self.peer() else { return };
        let lies_there = |peer: &&Peer| self.fingers.slot(me.id().distance_to(peer.id())) == Some(slot);
        if let Some(peer) = owners.iter().find(lies_there) {
            self.ping(Contact::unmet(*peer), Purpose::Finger, cx);
        }
    }

    /// Somebody answered: it may be of use as a finger.
    pub(super) fn learn(&mut self, contact: Contact) {
        let Some(me) = self.peer().filter(|_| self.config.proximity) else { return };
        let distance = me.id().distance_to(contact.peer.id());
        let within = self.ring().is_some_and(|ring| {
            let last = ring.successors().last();
            ring.is_small() || last.is_none_or(|last| distance <= me.id().distance_to(last.peer.id()))
        });
        if !within && contact.peer != me && self.has_room_for(contact.peer) {
            self.fingers.consider(me, contact);
        }
    }

    /// Whether there are not too many fingers of its block of addresses in other slots.
    fn has_room_for(&self, peer: Peer) -> bool {
        let Some(me) = self.peer() else { return false };
        let slot = |of: Peer| self.fingers.slot(me.id().distance_to(of.id()));
        let others = self.fingers.contacts().map(|contact| contact.peer);
        let others = others.filter(|other| slot(*other) != slot(peer)).map(|other| other.addr());
        Block::has_room(peer.addr(), self.config.alike, others)
    }
}
