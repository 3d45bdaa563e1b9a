//! Walking around the ring, from successor to successor: how the nodes themselves see it.

use super::{Chord, Context, Purpose, peers};
use crate::api::Event;
use crate::contact::Contact;
use crate::error::Error;
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::wire::{Answer, Ask};
use alloc::vec::Vec;
use p2p_core::OpId;

/// Walks under way at a time.
const WALKS: usize = 8;

/// A walk under way.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    number: u32,
    op: OpId,
    /// Where it began; nobody answered yet if `None`.
    first: Option<Peer>,
    /// Who answered last.
    last: Option<Peer>,
    /// Whom to ask should the next one not answer, the nearest last.
    next: Vec<Peer>,
    /// Those behind the last one that did not answer.
    silent: Vec<Peer>,
    met: usize,
    most: usize,
}

impl Chord {
    pub(super) fn walk(&mut self, op: OpId, most: usize, cx: &mut Context<'_>) {
        let me = self.peer().filter(|_| self.is_member());
        let mut next: Vec<Peer> = self.fingers().take(16).collect();
        next.reverse();
        next.extend(self.successors().take(1).chain(me));
        if next.is_empty() {
            return cx.finish(op, Err(Error::NotJoined));
        }
        if self.walks.len() >= WALKS {
            return cx.finish(op, Err(Error::Busy));
        }
        let number = cx.rng().bits() as u32;
        let walk =
            Walk { number, op, first: None, last: None, next, silent: Vec::new(), met: 0, most: most.max(1) };
        self.walks.push(walk);
        self.walk_on(number, cx);
    }

    fn walk_of(&mut self, number: u32) -> Option<&mut Walk> {
        self.walks.iter_mut().find(|walk| walk.number == number)
    }

    /// Asks the next node; one's own part of the ring is known.
    fn walk_on(&mut self, number: u32, cx: &mut Context<'_>) {
        let me = self.peer().filter(|_| self.is_member());
        let Some(walk) = self.walk_of(number) else { return };
        let Some(peer) = walk.next.pop() else { return self.end_walk(number, Err(Error::NoRoute), cx) };
        if let (Some(first), Some(last)) = (walk.first, walk.last) {
            // Whoever is not farther around than the last one has been met, or should have been.
            let is_around = first.id().distance_to(peer.id()) <= first.id().distance_to(last.id());
            if is_around || walk.met >= walk.most {
                let event = Event::Walked { nodes: walk.met, closed: peer == first };
                let op = walk.op;
                cx.answer(op, event);
                return self.end_walk(number, Ok(()), cx);
            }
        }
        if Some(peer) == me {
            let answer = self.neighbours(0);
            return self.walked_to(number, Contact::unmet(peer), answer, cx);
        }
        let ask = Ask::Neighbours { notify: false, known: 0 };
        self.ask(Contact::unmet(peer), ask, Insistence::Thrice, Purpose::Walk(number), cx);
    }

    pub(super) fn walked_to(&mut self, number: u32, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let network = self.config.network;
        let Answer::Neighbours { small, predecessor, successors } = answer else {
            return self.not_walked_to(number, contact.peer, cx);
        };
        let successors = peers(network, successors.unwrap_or_default());
        let predecessor = predecessor.and_then(|place| place.peer(network));
        let Some(walk) = self.walk_of(number) else { return };
        let peer = contact.peer;
        walk.first.get_or_insert(peer);
        walk.last = Some(peer);
        walk.met += 1;
        walk.next.clone_from(&successors);
        walk.next.reverse();
        let silent = core::mem::take(&mut walk.silent);
        let op = walk.op;
        let is_alone = successors.is_empty();
        cx.answer(op, Event::Met { peer, small, predecessor, successors, silent });
        if is_alone {
            cx.answer(op, Event::Walked { nodes: 1, closed: true });
            return self.end_walk(number, Ok(()), cx);
        }
        self.walk_on(number, cx);
    }

    pub(super) fn not_walked_to(&mut self, number: u32, peer: Peer, cx: &mut Context<'_>) {
        if let Some(walk) = self.walk_of(number) {
            walk.silent.push(peer);
            self.walk_on(number, cx);
        }
    }

    fn end_walk(&mut self, number: u32, result: Result<(), Error>, cx: &mut Context<'_>) {
        let Some(at) = self.walks.iter().position(|walk| walk.number == number) else { return };
        let walk = self.walks.swap_remove(at);
        self.pending.forget(|purpose| *purpose == Purpose::Walk(number));
        cx.finish(walk.op, result);
    }

    /// Nobody waits for it any more. Whether it was a walk.
    pub(super) fn cancel_walk(&mut self, op: OpId, cx: &mut Context<'_>) -> bool {
        let number = self.walks.iter().find(|walk| walk.op == op).map(|walk| walk.number);
        if let Some(number) = number {
            self.end_walk(number, Err(Error::Cancelled), cx);
        }
        number.is_some()
    }

    pub(super) fn stop_walks(&mut self, cx: &mut Context<'_>) {
        while let Some(number) = self.walks.first().map(|walk| walk.number) {
            self.end_walk(number, Err(Error::Stopped), cx);
        }
    }
}
