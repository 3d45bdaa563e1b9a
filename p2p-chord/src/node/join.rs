//! Becoming a member: [`Joining`].

use super::{Chord, Context, Goal, Pace, Purpose, State, View, peers};
use crate::api::Timer;
use crate::contact::Contact;
use crate::error::Error;
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::ring::Ring;
use crate::wire::{Answer, Ask};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{Hash as _, Hasher};
use core::net::SocketAddr;
use p2p_core::{Duration, OpId};

/// Between two attempts, and once more for each attempt.
const AGAIN: Duration = Duration::from_secs(1);
/// Attempts by all bootstrap nodes before somebody who waits is told. A node that lost its ring goes on for ever.
const ATTEMPTS: u32 = 5;
/// Longest wait between two attempts, in attempts.
const SLOWEST: u32 = 30;

/// A node on its way into a ring.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    /// Who waits for it; nobody if the node lost its ring.
    pub(super) op: Option<OpId>,
    /// Nodes to join by that were not asked in this attempt.
    pub(super) left: Vec<SocketAddr>,
    attempts: u32,
    /// Somebody is to call us, to see whether others can.
    pub(super) awaited: Option<super::reach::Awaited>,
    /// Somebody to join by answered, whatever became of it.
    was_greeted: bool,
    /// Who may be our successor, should the one that is asked for its list not answer: the next last.
    heirs: Vec<Peer>,
    /// Members of a small ring that were asked to let us in.
    entering: Vec<Peer>,
    /// And those that did.
    met: Vec<Contact>,
    /// Who asked us to be let in, although we are not in ourselves: they are to know us once we are, for it may be that
    /// nobody else tells them of us.
    knocked: Vec<Peer>,
}

impl Joining {
    /// All that its later course depends on, but for how often it was tried: nobody explores five attempts.
    pub(super) fn essence(&self, view: View, into: &mut impl Hasher) {
        (self.op.is_some(), self.awaited, &self.left, &self.heirs, &self.entering, &self.knocked).hash(into);
        view.hash_contacts(&self.met, into);
    }
}

impl Chord {
    pub(super) fn join(&mut self, op: OpId, bootstrap: Vec<SocketAddr>, cx: &mut Context<'_>) {
        if !matches!(self.state, State::Outside | State::Guest) {
            return cx.finish(op, Err(Error::Joined));
        }
        if self.socket.is_none() {
            return cx.finish(op, Err(Error::NoSocket(p2p_core::IoError::Other)));
        }
        self.bootstrap.clone_from(&bootstrap);
        let is_first = bootstrap.is_empty();
        self.set_out(Some(op), bootstrap);
        if !is_first {
            return self.begin_join(cx);
        }
        match self.peer() {
            Some(me) if self.config.classic => {
                self.become_member(Ring::classic_joined(me, self.config.successors, me), cx);
            }
            Some(me) => self.become_member(Ring::alone(me, self.config.successors), cx),
            None => self.fail_join(Error::NoAddress, cx),
        }
    }

    fn set_out(&mut self, op: Option<OpId>, mut left: Vec<SocketAddr>) {
        left.reverse();
        let joining = Joining {
            op,
            left,
            attempts: 0,
            awaited: None,
            was_greeted: false,
            heirs: Vec::new(),
            entering: Vec::new(),
            met: Vec::new(),
            knocked: Vec::new(),
        };
        self.state = State::Joining(Box::new(joining));
    }

    pub(super) fn joining(&mut self) -> Option<&mut Joining> {
        match &mut self.state {
            State::Joining(joining) => Some(joining),
            _ => None,
        }
    }

    /// Asks the next node to join by where we are.
    pub(super) fn begin_join(&mut self, cx: &mut Context<'_>) {
        let network = self.config.network;
        let Some(joining) = self.joining() else { return };
        (joining.entering, joining.met) = (Vec::new(), Vec::new());
        joining.awaited = None;
        let Some(addr) = joining.left.pop() else { return self.join_again(cx) };
        self.ping(Contact::unmet(Peer::new(network, addr)), Purpose::Greet, cx);
    }

    pub(super) fn not_greeted(&mut self, cx: &mut Context<'_>) {
        self.begin_join(cx);
    }

    pub(super) fn greeted(&mut self, contact: Contact, answer: &Answer, cx: &mut Context<'_>) {
        let Answer::Pong(place) = answer else { return };
        let Some(joining) = self.joining() else { return };
        joining.was_greeted = true;
        if self.config.advertised.is_none() {
            // Where it is heard of, whatever its own machine calls that.
            self.me = Some(Peer::new(self.config.network, SocketAddr::from(*place)));
        }
        match self.config.routes {
            true => self.have_us_called(contact, cx),
            false => self.be_guest(contact, cx),
        }
    }

    /// Looks for our place by way of somebody who is in.
    pub(super) fn look_for_place(&mut self, contact: Contact, cx: &mut Context<'_>) {
        let Some(me) = self.peer() else { return };
        // Behind us, not at us: some may not know yet that we were gone.
        self.look_up_from(me.id().plus_power(0), Goal::Join, [contact], cx);
    }

    /// The lookup of our own place ended: the first that is not ourselves is our successor.
    pub(super) fn found_place(&mut self, owners: &[Peer], cx: &mut Context<'_>) {
        let me = self.peer();
        let mut heirs: Vec<Peer> = owners.iter().copied().filter(|peer| Some(*peer) != me).collect();
        if let Some(me) = me.filter(|_| self.config.classic) {
            let Some(successor) = heirs.first() else { return self.join_again(cx) };
            return self.become_member(Ring::classic_joined(me, self.config.successors, *successor), cx);
        }
        heirs.reverse();
        let Some(joining) = self.joining() else { return };
        joining.heirs = heirs;
        self.copy_next(cx);
    }

    /// Asks the first of those behind our place for its list that was not asked. Whoever named them may not know yet
    /// that the ones before it are dead: then it is our successor.
    pub(super) fn copy_next(&mut self, cx: &mut Context<'_>) {
        let Some(successor) = self.joining().and_then(|joining| joining.heirs.pop()) else {
            return self.join_again(cx);
        };
        let ask = Ask::Neighbours { notify: false, known: 0 };
        self.ask(Contact::unmet(successor), ask, Insistence::Thrice, Purpose::Copy, cx);
    }

    /// Our successor gave us its list.
    pub(super) fn copied(&mut self, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let (network, r, me) = (self.config.network, self.config.successors, self.peer());
        let Some(joining) = self.joining() else { return };
        let (Answer::Neighbours { small, predecessor, successors: Some(list) }, Some(me)) = (answer, me)
        else {
            return self.copy_next(cx);
        };
        let mut list = peers(network, list);
        // It may not know yet that we were gone.
        list.retain(|peer| *peer != me);
        if small {
            list.push(contact.peer);
            joining.entering.clone_from(&list);
            for peer in list {
                self.ask_to_enter(peer, cx);
            }
            return;
        }
        match Ring::joined(me, r, contact, &list) {
            Some(mut ring) => {
                ring.was_told(predecessor.and_then(|place| place.peer(network)));
                self.become_member(ring, cx);
            }
            None => self.join_again(cx),
        }
    }

    /// A member of a small ring let us in, and said whom it knows.
    pub(super) fn entered(&mut self, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let (network, me) = (self.config.network, self.peer());
        // The ring may have become large by us. Who is on its way in itself is heard of again once it is in.
        let Answer::Neighbours { successors, .. } = &answer else {
            return self.enter_failed(contact.peer, cx);
        };
        let successors = successors.clone();
        let Some(joining) = self.joining() else {
            // It had knocked while we were on our way.
            self.member_answered(contact);
            return self.member_told(answer, cx);
        };
        joining.entering.retain(|peer| *peer != contact.peer);
        joining.met.push(contact);
        let mut new = peers(network, successors.unwrap_or_default());
        let is_known = |peer: &Peer| {
            joining.entering.contains(peer)
                || joining.met.iter().any(|met| met.peer == *peer)
                || Some(*peer) == me
        };
        new.retain(|peer| !is_known(peer));
        joining.entering.extend(&new);
        for peer in new {
            self.ask_to_enter(peer, cx);
        }
        self.enter_if_known(cx);
    }

    pub(super) fn enter_failed(&mut self, peer: Peer, cx: &mut Context<'_>) {
        if let Some(joining) = self.joining() {
            joining.entering.retain(|entering| *entering != peer);
            self.enter_if_known(cx);
        }
    }

    /// A member of a small ring is who is known to all its members.
    fn enter_if_known(&mut self, cx: &mut Context<'_>) {
        let (r, me) = (self.config.successors, self.peer());
        let Some(joining) = self.joining().filter(|joining| joining.entering.is_empty()) else { return };
        let Some(me) = me.filter(|_| !joining.met.is_empty()) else { return self.join_again(cx) };
        let mut ring = Ring::alone(me, r);
        for contact in &joining.met {
            ring.enter(*contact);
        }
        let mut knocked = core::mem::take(&mut joining.knocked);
        knocked.retain(|peer| !ring.successors().iter().any(|contact| contact.peer == *peer));
        self.become_member(ring, cx);
        for peer in knocked {
            self.ask_to_enter(peer, cx);
        }
    }

    /// Somebody asks us to let it in, and we are on our way in ourselves.
    pub(super) fn knocks(&mut self, peer: Peer) {
        let most = 3 * (self.config.successors + 1);
        if let Some(joining) = self.joining()
            && joining.knocked.len() < most
            && !joining.knocked.contains(&peer)
        {
            joining.knocked.push(peer);
        }
    }

    fn become_member(&mut self, ring: Ring, cx: &mut Context<'_>) {
        let op = self.joining().and_then(|joining| joining.op);
        self.pending.forget(|purpose| matches!(purpose, Purpose::Greet | Purpose::Copy | Purpose::Enter));
        cx.clear_timer(Timer::Join);
        self.pace = Pace::newcomer(cx.now(), ring.successors().len());
        self.state = State::Member(ring);
        self.set_timers(cx);
        self.enter_by_successor(op, cx);
        self.stabilise(cx);
    }

    /// This way in failed: by the next node at once, by the first one again after a while.
    pub(super) fn join_again(&mut self, cx: &mut Context<'_>) {
        let bootstrap = self.bootstrap.clone();
        let Some(joining) = self.joining() else { return };
        if !joining.left.is_empty() {
            return self.begin_join(cx);
        }
        joining.attempts += 1;
        if joining.op.is_some() && joining.attempts >= ATTEMPTS {
            let error = if joining.was_greeted { Error::NoRoute } else { Error::NoBootstrap };
            return self.fail_join(error, cx);
        }
        joining.left = bootstrap;
        joining.left.reverse();
        let after = AGAIN * joining.attempts.min(SLOWEST) + cx.rng().phase(AGAIN);
        cx.set_timer(Timer::Join, after);
    }

    pub(super) fn fail_join(&mut self, error: Error, cx: &mut Context<'_>) {
        self.fail_entering(error, cx);
        let Some(joining) = self.joining() else { return };
        if let Some(op) = joining.op {
            cx.finish(op, Err(error));
        }
        self.state = State::Outside;
        cx.clear_timer(Timer::Join);
        cx.clear_timer(Timer::Reach);
    }

    /// Whoever asked to join does not want to any more.
    pub(super) fn cancel_join(&mut self, op: OpId, cx: &mut Context<'_>) {
        if self.joining().is_some_and(|joining| joining.op == Some(op)) {
            self.fail_join(Error::Cancelled, cx);
        } else if self.is_entering_for(op) {
            self.fail_join(Error::Cancelled, cx);
            self.go(cx);
        }
    }
}
