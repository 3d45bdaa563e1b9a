//! Whether others can reach a node: before it becomes a member it has somebody call it back whom it never talked to.
//!
//! ```text
//!            Reach(number)                Call(address, number)
//!   who joins ─────────────► who it joins by ─────────────────────► another member
//!        ▲                                                              │
//!        └──────────────────────── Called(number) ──────────────────────┘
//! ```
//!
//! A NAT lets in what comes from where something was sent to, so whoever it joins by proves nothing; what comes from a
//! stranger does. A node that nobody can call stays a guest, asks what it likes, and says so
//! ([`Event::Unreachable`]): as a member, it would be a hole in the ring. In a ring of one there is nobody else to call,
//! and where [`Config::advertised`](crate::Config::advertised) says where others reach it, it is believed.

use super::{Chord, Context, Purpose, State, answers::Asked};
use crate::api::{Event, Timer};
use crate::contact::Contact;
use crate::peer::{Peer, Place};
use crate::pending::Insistence;
use crate::wire::{Answer, Ask};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::Duration;

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Calls that are asked for from one node to join by: who is to call may be dead, and packets are lost.
const CALLS: u8 = 4;
/// Calls, and requests to call, that a node may have under way for others.
const FOR_OTHERS: usize = 32;

/// A call that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Awaited {
    number: u32,
    /// Whom we join by.
    door: Contact,
    calls: u8,
}

impl Chord {
    /// Has somebody call us, if we have to know whether others can; else goes on at once.
    pub(super) fn have_us_called(&mut self, door: Contact, cx: &mut Context<'_>) {
        if !self.config.dial_back || self.config.advertised.is_some() {
            return self.look_for_place(door, cx);
        }
        self.ask_for_call(Awaited { number: cx.rng().bits() as u32, door, calls: 0 }, cx);
    }

    fn ask_for_call(&mut self, awaited: Awaited, cx: &mut Context<'_>) {
        let Some(joining) = self.joining() else { return };
        joining.awaited = Some(Awaited { calls: awaited.calls + 1, ..awaited });
        let ask = Ask::Reach { number: awaited.number };
        self.ask(awaited.door, ask, Insistence::Thrice, Purpose::Reach, cx);
    }

    /// Whom we join by said whether somebody will call us.
    pub(super) fn call_is_coming(&mut self, contact: Contact, answer: &Answer, cx: &mut Context<'_>) {
        let Some(joining) = self.joining() else { return };
        let Some(awaited) = &mut joining.awaited else { return };
        awaited.door = contact;
        if *answer == Answer::Absent {
            // There is nobody else, or the node is no member, which the lookup will find out.
            joining.awaited = None;
            return self.look_for_place(contact, cx);
        }
        cx.set_timer(Timer::Reach, PATIENCE);
    }

    /// Somebody called us.
    pub(super) fn called(&mut self, from: SocketAddr, number: u32, cx: &mut Context<'_>) {
        let awaited = self.joining().and_then(|joining| joining.awaited);
        let Some(awaited) = awaited.filter(|awaited| awaited.number == number) else { return };
        if from == awaited.door.peer.addr() {
            return;
        }
        if let Some(joining) = self.joining() {
            joining.awaited = None;
        }
        self.pending.forget(|purpose| *purpose == Purpose::Reach);
        cx.clear_timer(Timer::Reach);
        self.look_for_place(awaited.door, cx);
    }

    /// Nobody called in time.
    pub(super) fn not_called(&mut self, cx: &mut Context<'_>) {
        let me = self.me.map(|me| me.addr());
        let Some(joining) = self.joining() else { return };
        let Some(awaited) = joining.awaited.take() else { return };
        if awaited.calls < CALLS {
            return self.ask_for_call(awaited, cx);
        }
        // It may be the node that we join by that has nobody call us.
        if !joining.left.is_empty() {
            return self.begin_join(cx);
        }
        self.be_guest(awaited.door, cx);
        if let Some(at) = me {
            cx.tell(Event::Unreachable(at));
        }
    }

    /// Asks from now on, and is no member.
    pub(super) fn be_guest(&mut self, door: Contact, cx: &mut Context<'_>) {
        let Some(me) = self.peer() else { return };
        self.fingers.consider(me, door);
        let op = self.joining().and_then(|joining| joining.op);
        self.state = State::Guest;
        if let Some(op) = op {
            cx.finish(op, Ok(()));
        }
    }

    /// Somebody who joins is to be called by somebody else.
    pub(super) fn asked_for_call(&mut self, asked: Asked, number: u32, cx: &mut Context<'_>) -> Answer {
        let them = Peer::new(self.config.network, asked.from);
        let ring =
            self.ring().into_iter().flat_map(|ring| ring.successors().iter().chain(ring.predecessor()));
        let others = self.fingers.contacts().chain(ring).filter(|contact| contact.peer != them);
        let mut others: Vec<Contact> = others.copied().collect();
        // What is at the same address may be let in by the same box.
        let is_elsewhere = |contact: &Contact| contact.peer.addr().ip() != asked.from.ip();
        if others.iter().any(is_elsewhere) {
            others.retain(is_elsewhere);
        }
        let Some(caller) = cx.rng().choose(&others).copied() else { return Answer::Absent };
        if !self.is_calling_enough() {
            let ask = Ask::Call { to: Place::from(asked.from), number };
            self.ask(caller, ask, Insistence::Twice, Purpose::Told, cx);
        }
        Answer::Pong(Place::from(asked.from))
    }

    /// Whoever waits asks again.
    fn is_calling_enough(&self) -> bool {
        self.pending.iter().filter(|question| question.purpose == Purpose::Told).count() >= FOR_OTHERS
    }

    /// We are to call somebody who joins by another member.
    pub(super) fn asked_to_call(
        &mut self,
        asked: Asked,
        to: Place,
        number: u32,
        cx: &mut Context<'_>,
    ) -> Answer {
        if !self.is_member() || !asked.member {
            return Answer::Absent;
        }
        if let Some(peer) = to.peer(self.config.network).filter(|_| !self.is_calling_enough()) {
            self.ask(Contact::unmet(peer), Ask::Called { number }, Insistence::Once, Purpose::Told, cx);
        }
        Answer::Pong(Place::from(asked.from))
    }
}
