//! Looking after the fingers, one at a time.

use super::{Chord, Context, Goal, Purpose, peers};
use crate::api::Timer;
use crate::block::Block;
use crate::config::Routing;
use crate::contact::Contact;
use crate::fingers::{Fingers, Slot};
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::wire::{Answer, Ask};
use alloc::vec::Vec;

/// One of so many turns of a slot, the first nodes of it are asked again how far they are: some are new.
const SAMPLE_AGAIN: u64 = 32;

impl Chord {
    /// Time to look after one finger: is it alive, or is there one by now?
    pub(super) fn fix_finger(&mut self, cx: &mut Context<'_>) {
        let every = self.config.fix_finger;
        let after = every / 2 + cx.rng().phase(every);
        cx.set_timer(Timer::Finger, after);
        if self.everybody.is_some() {
            self.compare_members(cx);
        }
        self.meet_successor(cx);
        let Some(slot) = self.next_slot() else { return };
        match self.fingers.get(slot).copied() {
            Some(contact) if self.config.proximity => {
                self.ping(contact, Purpose::Finger, cx);
                if cx.rng().below(SAMPLE_AGAIN) == 0 {
                    self.look_up_slot(slot, cx);
                }
            }
            // The first node of a slot is another one as soon as one comes in before it.
            _ => self.look_up_slot(slot, cx),
        }
    }

    /// Who passes questions on does so at once only to whom it has shown its address, so it meets all that it knows.
    fn meet_successor(&mut self, cx: &mut Context<'_>) {
        if self.config.routing == Routing::Iterative {
            return;
        }
        let list = self.ring().filter(|ring| !ring.is_small()).map(|ring| ring.successors());
        let unmet = list.into_iter().flatten().find(|contact| contact.round_trip.mean().is_none());
        if let Some(unmet) = unmet.copied() {
            self.ask(unmet, Ask::Ping, Insistence::Twice, Purpose::Finger, cx);
        }
    }

    fn look_up_slot(&mut self, slot: Slot, cx: &mut Context<'_>) {
        let Some(ring) = self.ring() else { return };
        let me = ring.me().id();
        let begin = self.fingers.begin(slot);
        // Of the slot in which the list ends, what lies behind it.
        let last = ring.successors().last().map(|last| last.peer.id());
        let behind = last.filter(|last| me.distance_to(*last) >= begin).map(|last| last.plus_power(0));
        self.look_up(behind.unwrap_or_else(|| me.plus(begin)), Goal::Finger(slot), cx);
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

    /// Who is responsible for the beginning of a slot serves for all of it, if it lies there; so do those behind it.
    pub(super) fn finger_found(&mut self, slot: Slot, owners: &[Peer], cx: &mut Context<'_>) {
        let there = self.in_slot(slot, owners);
        let some = if self.config.proximity { self.config.sample.max(1) } else { 1 };
        self.sample(slot, there, some, cx);
    }

    fn in_slot(&self, slot: Slot, peers: &[Peer]) -> Vec<Peer> {
        let Some(me) = self.peer() else { return Vec::new() };
        let lies_there = |peer: &&Peer| self.fingers.slot(me.id().distance_to(peer.id())) == Some(slot);
        peers.iter().filter(lies_there).copied().collect()
    }

    /// Asks the first so many nodes of a slot how far they are, the last of those that are known by asking it who is
    /// behind it. The nearest becomes the finger as they answer (see [`Fingers::consider`]).
    fn sample(&mut self, slot: Slot, mut nodes: Vec<Peer>, some: u8, cx: &mut Context<'_>) {
        nodes.truncate(usize::from(some));
        let left = some - nodes.len() as u8;
        let last = if left > 0 { nodes.pop() } else { None };
        for peer in nodes {
            self.ask(Contact::unmet(peer), Ask::Ping, Insistence::Twice, Purpose::Finger, cx);
        }
        if let Some(last) = last {
            let ask = Ask::Neighbours { notify: false, known: 0 };
            self.ask(Contact::unmet(last), ask, Insistence::Twice, Purpose::Sample(slot, left), cx);
        }
    }

    /// A node of a slot said who is behind it.
    pub(super) fn sampled(&mut self, slot: Slot, left: u8, answer: Answer, cx: &mut Context<'_>) {
        let Answer::Neighbours { successors: Some(list), .. } = answer else { return };
        let there = self.in_slot(slot, &peers(self.config.network, list));
        self.sample(slot, there, left, cx);
    }

    /// Somebody answered: it may be of use as a finger.
    pub(super) fn learn(&mut self, contact: Contact) {
        if let Some(me) = self.peer().filter(|me| self.config.proximity && self.is_behind_list(*me, contact))
        {
            self.fingers.consider(me, contact);
        }
    }

    /// Who was found first in a slot answers.
    pub(super) fn finger_answered(&mut self, contact: Contact) {
        if let Some(me) = self.peer().filter(|me| !self.config.proximity && self.is_behind_list(*me, contact))
        {
            self.fingers.replace(me, contact);
        }
    }

    /// Whether a node is farther than those in the successor list, which need no finger.
    fn is_behind_list(&self, me: Peer, contact: Contact) -> bool {
        let distance = me.id().distance_to(contact.peer.id());
        let within = self.ring().is_some_and(|ring| {
            let last = ring.successors().last();
            ring.is_small() || last.is_none_or(|last| distance <= me.id().distance_to(last.peer.id()))
        });
        !within && contact.peer != me && self.has_room_for(contact.peer)
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
