//! Keeping the ring right: stabilise, rectify, leave.

use super::hand_over::Leaving;
use super::{Chord, Context, Purpose, State, answers::Asked, entering, peers};
use crate::api::{Event, Timer};
use crate::block::Block;
use crate::contact::Contact;
use crate::peer::{Peer, Place};
use crate::pending::{Insistence, Question};
use crate::wire::{Answer, Ask};
use crate::{Error, NetworkId};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::OpId;

/// Times that somebody is of no use, because it knows of us and hardly anybody else, before we are of its opinion: four
/// rounds at least.
const ALONE: u8 = 24;

impl Chord {
    /// Time to ask the successor who is between us.
    pub(super) fn stabilise(&mut self, cx: &mut Context<'_>) {
        if self.config.classic {
            return self.classic_stabilise(cx);
        }
        self.count_entering(cx);
        let (slowest, quickest) = (self.config.stabilise, self.config.quickest);
        let every = match self.ring().filter(|ring| !ring.is_small()).map(|ring| ring.successors().len()) {
            Some(_) if self.is_entering() => entering::AGAIN.min(slowest),
            Some(places) => self.pace.next(cx.now(), places, quickest, slowest),
            None => slowest,
        };
        // From half to one and a half of the period, so that no two nodes keep step.
        let after = every / 2 + cx.rng().phase(every);
        cx.set_timer(Timer::Stabilise, after);
        self.look_after_copies(cx);
        if self.is_small() {
            return self.meet_members(cx);
        }
        let is_entering = self.is_entering();
        let under_way = |purpose: &Purpose| match purpose {
            Purpose::Stabilise(_) => true,
            // Whoever our successor hears before itself may be dead, and it finds that out sooner than we do.
            Purpose::Nearer => !is_entering,
            _ => false,
        };
        if !self.is_asking(under_way) {
            self.ask_successor(0, cx);
        }
    }

    /// Asks our successor of this number, because those before it are dead; if all are, whoever else we know.
    pub(super) fn ask_successor(&mut self, number: u8, cx: &mut Context<'_>) {
        let Some(ring) = self.ring() else { return };
        let known = if number == 0 { ring.heard() } else { 0 };
        let contact = ring.successors().get(usize::from(number)).copied();
        let Some(contact) = contact.or_else(|| self.last_resort()) else { return cx.tell(Event::Isolated) };
        let ask = Ask::Neighbours { notify: true, known };
        self.ask(contact, ask, Insistence::Thrice, Purpose::Stabilise(number), cx);
    }

    pub(super) fn stabilised(&mut self, number: u8, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        if self.config.classic {
            return self.classic_stabilised(contact, answer, cx);
        }
        if self.is_small() {
            let is_large = matches!(answer, Answer::Neighbours { small: false, .. });
            self.member_told(answer, cx);
            if is_large && self.is_small() {
                // It went into a large ring, of which we know too few.
                self.look_by([contact], cx);
            }
            return;
        }
        let Answer::Neighbours { small, predecessor, successors } = answer else {
            return self.successor_failed(number, contact.peer, cx);
        };
        // Meanwhile somebody may have come between, who answered.
        let asked = self.ring().and_then(|ring| ring.successors().get(usize::from(number)));
        if asked.is_some_and(|asked| asked.peer != contact.peer)
            && self.ring().is_some_and(|ring| !ring.is_nearer_successor(contact.peer))
        {
            return;
        }
        if let Some(list) = successors
            && !self.follow(contact, small, list, cx)
            && small
        {
            // It fell out of the ring, and will find that out: the ring goes on without it.
            return self.successor_failed(number, contact.peer, cx);
        }
        self.was_before(contact, predecessor, cx);
        self.look_between(predecessor, cx);
    }

    /// A node that was said to be between us and our successor answered.
    pub(super) fn nearer(&mut self, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        if self.config.classic {
            return;
        }
        let Answer::Neighbours { small, predecessor, successors: Some(list) } = answer else { return };
        if self.ring().is_some_and(|ring| ring.is_nearer_successor(contact.peer)) {
            // What our successor said before would take us back to it.
            self.pending.forget(|purpose| matches!(purpose, Purpose::Stabilise(_)));
            self.follow(contact, small, list, cx);
            self.was_before(contact, predecessor, cx);
            self.look_between(predecessor, cx);
        }
    }

    /// Our list is this node, which may be in a `small` ring, and what follows it. Tells whether it is of use.
    ///
    /// A list that names us among the first is of a ring that is too small for it, if it is our successor's: between us
    /// and that one, and between that one and us, there is nobody else. Somebody that we only turned to because our list
    /// is dead may simply be before us, and its list as dead as ours: it is asked many times before we believe that
    /// nobody else is there, while others are looked for ([`last_resort`](Self::last_resort)).
    pub(super) fn follow(
        &mut self,
        contact: Contact,
        small: bool,
        list: Vec<Place>,
        cx: &mut Context<'_>,
    ) -> bool {
        let list = peers(self.config.network, list);
        let Some(ring) = self.ring_mut().filter(|ring| !ring.is_small()) else { return true };
        let me = ring.me();
        let is_new = |peer: &&Peer| ring.successors().iter().all(|successor| successor.peer != **peer);
        let some = ring.successors().len().saturating_sub(1);
        let new = core::iter::once(&contact.peer).chain(list.iter().take(some)).filter(is_new).count();
        let is_ahead = ring.is_nearer_successor(contact.peer)
            || ring.successors().iter().any(|successor| successor.peer == contact.peer);
        if ring.follow(contact, &list) {
            self.pace.saw(new);
            self.alone = 0;
            return true;
        }
        let is_among_first = list.iter().rev().skip(1).any(|peer| *peer == me);
        if !(is_among_first && is_ahead) {
            let has_us = is_among_first || small && list.contains(&me);
            self.alone = self.alone.saturating_add(u8::from(has_us));
            if !has_us || self.alone < ALONE {
                return false;
            }
        }
        self.alone = 0;
        if let Some(ring) = self.ring_mut() {
            ring.become_small(core::iter::once(contact));
        }
        self.meet(&list, cx);
        true
    }

    /// Asks our successor's predecessor, if it is between us.
    pub(super) fn look_between(&mut self, predecessor: Option<Place>, cx: &mut Context<'_>) {
        let Some(ring) = self.ring().filter(|ring| !ring.is_small()) else { return };
        let peer = predecessor.and_then(|place| place.peer(self.config.network));
        let nearer = peer.filter(|peer| ring.is_nearer_successor(*peer));
        let unknown = peer.filter(|peer| ring.predecessor().is_none() && *peer != ring.me());
        self.is_named_between(nearer);
        let is_asked = |peer: Peer| {
            let is =
                |question: &Question<Purpose>| question.to == peer && question.purpose == Purpose::Nearer;
            self.pending.iter().any(is)
        };
        if nearer.is_some_and(is_asked) {
            return;
        }
        if let Some(peer) = nearer {
            let ask = Ask::Neighbours { notify: true, known: 0 };
            self.ask(Contact::unmet(peer), ask, Insistence::Thrice, Purpose::Nearer, cx);
        } else if let Some(peer) = unknown
            && !self.is_asking(|purpose| *purpose == Purpose::Follow)
        {
            // We have just joined: who was before our successor is before us, and is to know of us now and not only when
            // it asks our successor the next time.
            self.ask(Contact::unmet(peer), Ask::Follow, Insistence::Twice, Purpose::Follow, cx);
        }
    }

    /// A member says that it would be our successor.
    pub(super) fn followed(&mut self, from: SocketAddr, cx: &mut Context<'_>) {
        let peer = Peer::new(self.config.network, from);
        let Some(ring) = self.ring().filter(|ring| !ring.is_small()) else { return };
        // Whether there is room for one more of its block beside our successor, that one knows.
        let is_limited = self.config.neighbours_alike > 0 && Block::of(peer.addr()).is_some();
        if !(self.config.classic || is_limited)
            && ring.is_nearer_successor(peer)
            && !self.is_asking(|purpose| *purpose == Purpose::Nearer)
        {
            let ask = Ask::Neighbours { notify: true, known: 0 };
            self.ask(Contact::unmet(peer), ask, Insistence::Twice, Purpose::Nearer, cx);
        }
    }

    /// A successor is dead: the next one is asked. The list stays as it is until one answers, and we stay a member:
    /// if whoever loses its whole list went, those before it would lose theirs, and so on around the ring.
    pub(super) fn successor_failed(&mut self, number: u8, peer: Peer, cx: &mut Context<'_>) {
        self.fingers.lose(peer);
        if self.config.classic {
            return self.classic_successor_failed(peer, cx);
        }
        match self.ring_mut() {
            Some(ring) if ring.is_small() => ring.lose(peer),
            Some(_) => self.ask_successor(number.saturating_add(1), cx),
            None => {}
        }
    }

    /// Whom to follow when the whole list is dead: the nearest finger, else who is before us, else whom we joined by.
    /// Whoever is skipped that way is found back from there, predecessor by predecessor. Who has no finger gets one by way
    /// of its predecessor, by which all lookups go that find nobody else alive.
    fn last_resort(&mut self) -> Option<Contact> {
        if let Some(finger) = self.fingers.contacts().next() {
            return Some(*finger);
        }
        let me = self.peer()?;
        let mut others = self.bootstrap.iter().map(|addr| Peer::new(self.config.network, *addr));
        let before = self.ring()?.predecessor().map(|before| before.peer);
        // Each in turn: the first one is the last to be asked the next time.
        self.resort = self.resort.wrapping_add(1);
        let all = before.into_iter().chain(&mut others).filter(|peer| *peer != me);
        let all: Vec<Peer> = all.collect();
        let turn = usize::from(self.resort) % (all.len() + 1);
        // One turn in as many is a rest until the next round.
        all.get(turn).copied().map(Contact::unmet)
    }

    /// Whether it changes anything that a member there holds itself for our predecessor.
    pub(super) fn is_news(&self, from: SocketAddr) -> bool {
        let ring = self.ring().filter(|ring| !ring.is_small() && !self.config.classic);
        // Nearly always it is our predecessor, and its address says as much as its place.
        ring.is_some_and(|ring| {
            !ring.me().is_at(from) && ring.predecessor().is_none_or(|before| !before.peer.is_at(from))
        })
    }

    /// Whether there are not too many of its block of addresses beside us already.
    pub(super) fn has_room_beside(&self, new: Peer) -> bool {
        let beside = self.successors().chain(self.predecessor()).chain(self.peer());
        let beside = beside.filter(|peer| *peer != new).map(|peer| peer.addr());
        Block::has_room(new.addr(), self.config.neighbours_alike, beside)
    }

    /// A member holds itself for our predecessor ("rectify"). Its token says that it hears us: nobody enters our state who
    /// did not answer.
    pub(super) fn notified(&mut self, asked: Asked, cx: &mut Context<'_>) {
        if !(self.config.classic || self.is_news(asked.from) && asked.is_proven) {
            return;
        }
        let new = Contact::unmet(Peer::new(self.config.network, asked.from));
        let new = new.or_met(self.known(new.peer));
        if self.config.classic {
            return self.classic_notified(new);
        }
        if !self.has_room_beside(new.peer) {
            return;
        }
        let Some(ring) = self.ring_mut() else { return };
        if ring.is_nearer_predecessor(new.peer) {
            ring.precede(new);
        } else if let Some(before) = ring.predecessor().copied()
            && !self.is_asking(|purpose| matches!(purpose, Purpose::Predecessor(_)))
        {
            // Twice, not thrice: until that is known nobody is responsible for a place before the new one that this node
            // speaks for, and who is taken for dead wrongly notifies us again.
            let ask = Ask::Neighbours { notify: false, known: 0 };
            self.ask(before, ask, Insistence::Twice, Purpose::Predecessor(new), cx);
        }
    }

    /// Who is before us, as we were told when we joined, answers.
    pub(super) fn follows(&mut self, contact: Contact) {
        if !self.has_room_beside(contact.peer) {
            return;
        }
        if let Some(ring) = self.ring_mut().filter(|ring| !ring.is_small())
            && ring.is_nearer_predecessor(contact.peer)
        {
            ring.precede(contact);
        }
    }

    /// Our predecessor is dead, and another one claims its place.
    pub(super) fn predecessor_failed(&mut self, dead: Peer, new: Contact, cx: &mut Context<'_>) {
        if self.config.classic {
            return self.classic_predecessor_failed(dead);
        }
        let is_still =
            self.ring().and_then(|ring| ring.predecessor()).is_some_and(|before| before.peer == dead);
        // One heir at a time: else each round would ask once more while an answer is slow.
        if is_still && !self.is_asking(|purpose| matches!(purpose, Purpose::Heir(_))) {
            self.ask_member(new, Purpose::Heir(dead), cx);
        }
    }

    /// Who is to follow our dead or leaving predecessor answers.
    pub(super) fn inherits(&mut self, contact: Contact, gone: Peer) {
        if let Some(ring) = self.ring_mut().filter(|ring| !ring.is_small())
            && ring.predecessor().is_none_or(|before| before.peer == gone)
            && contact.peer != ring.me()
        {
            ring.precede(contact);
        }
    }

    /// A member leaves.
    pub(super) fn leaves(&mut self, from: SocketAddr, predecessor: Option<Place>, cx: &mut Context<'_>) {
        let network = self.config.network;
        let gone = Peer::new(network, from);
        self.fingers.lose(gone);
        self.miss(gone);
        let Some(ring) = self.ring_mut() else { return };
        if ring.is_small() {
            return ring.lose(gone);
        }
        let is_head = ring.successors().first().is_some_and(|head| head.peer == gone);
        let is_before = ring.predecessor().is_some_and(|before| before.peer == gone);
        if is_before && let Some(heir) = heir(network, predecessor) {
            self.ask_member(heir, Purpose::Heir(gone), cx);
        }
        if is_head && !self.is_asking(|purpose| matches!(purpose, Purpose::Stabilise(_))) {
            self.ask_successor(1, cx);
        }
    }

    /// Leaves the ring, and says so to both neighbours.
    pub(super) fn leave(&mut self, op: OpId, cx: &mut Context<'_>) {
        if !self.is_member() {
            return cx.finish(op, Err(Error::NotJoined));
        }
        if self.begin_to_leave(Leaving::Op(op), cx) {
            self.depart(cx);
        }
    }

    /// Everything is handed over: it goes.
    pub(super) fn go(&mut self, cx: &mut Context<'_>) {
        self.say_farewell(cx);
        self.fail_entering(Error::Cancelled, cx);
        self.state = State::Outside;
        cx.clear_timer(Timer::Stabilise);
        cx.clear_timer(Timer::Finger);
        cx.clear_timer(Timer::News);
        cx.clear_timer(Timer::Merge);
    }

    pub(super) fn say_farewell(&mut self, cx: &mut Context<'_>) {
        let Some(ring) = self.ring() else { return };
        let predecessor = ring.predecessor().copied();
        let ask = Ask::Leave { predecessor: predecessor.map(|at| at.peer.place()) };
        // In a small ring everybody keeps us in mind.
        let told: Vec<Contact> = match ring.is_small() {
            true => ring.successors().to_vec(),
            false => ring.successors().first().copied().into_iter().chain(predecessor).collect(),
        };
        for contact in told {
            self.ask(contact, ask.clone(), Insistence::Thrice, Purpose::Farewell, cx);
        }
    }
}

fn heir(network: NetworkId, place: Option<Place>) -> Option<Contact> {
    place.and_then(|place| place.peer(network)).map(Contact::unmet)
}
