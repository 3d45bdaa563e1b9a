//! Questions, what they are asked for, and what becomes of them when they are answered, or not: [`Purpose`].

use super::{Chord, Context};
use crate::api::Timer;
use crate::contact::Contact;
use crate::fingers::Slot;
use crate::peer::Peer;
use crate::pending::{Insistence, Question, Sent};
use crate::wire::{Answer, Ask, LARGEST, Packet, Route};
use core::net::SocketAddr;

/// Zeros up to here are sent behind a question to who gave us no token yet, so that the answer may be as long.
const FIRST_WORD: usize = 300;
/// The same, of a ping: the answer is an address.
const FIRST_PING: usize = 40;
/// The same, of who asks who is before us: the answer is a few addresses.
const FIRST_BEFORE: usize = 64;

/// Why a question was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// To learn our address of a node to join by.
    Greet,
    /// A step of a lookup.
    Step(u32),
    /// A lookup that came to nothing asks who answered for all whom it knows.
    Widen(u32),
    /// Is the node alive that a lookup found, and is nobody before it who is responsible?
    Owner(u32),
    /// Who joins wants its successor's list.
    Copy,
    /// Who joins a small ring wants to be known.
    Enter,
    /// Is our successor of this number alive, and who is beside it?
    Stabilise(u8),
    /// Would a node that is said to be nearer be our successor?
    Nearer,
    /// Is our predecessor alive, now that this node claims to be it?
    Predecessor(Contact),
    /// Does the node answer that is to be our predecessor in place of this one, which is gone?
    Heir(Peer),
    /// That we leave.
    Farewell,
    /// Does a node answer that others hold for a member of our small ring?
    Member,
    /// Is a finger alive?
    Finger,
    /// To get what a task wants.
    Get(u32),
    /// To put what a task has.
    Put(u32),
    /// To have a copy kept of what is being placed.
    Keep(u32),
    /// To have copies kept, whatever becomes of it.
    Repair,
    /// To have copies kept that are waiting in line.
    Hand,
    /// To compare what both hold.
    Compare(u32),
    /// The first hop of a lookup's question that is passed on.
    Route(u32),
    /// To pass somebody's question on.
    Pass,
    /// Who is behind a node of a finger's slot? So many more are to be asked how far they are.
    Sample(Slot, u8),
    /// To tell who came and who went.
    News,
    /// To learn who is there, where everybody is to know everybody.
    Members,
    /// A step on one of several ways.
    Way(u32),
    /// To get something from one of those that several ways led to.
    Replica(u32),
    /// Would a member of what may be another ring be our successor?
    Other,
    /// Who is before us is to know of us.
    Follow,
    /// To tell of another ring, or of somebody to be called.
    Told,
    /// To be called by somebody else than the node that we join by.
    Reach,
    /// To have a record kept by somebody who has little.
    Lodge(u32),
    /// How much somebody has.
    Load,
    /// To make a fragment that somebody lacks.
    Mend,
    /// To learn who is to have copies of what this node may have no more business with.
    Sweep,
    /// To walk on around the ring.
    Walk(u32),
}

impl Purpose {
    /// Whether an answer tells how far a node is, and not how long it takes to ask others or to write to the disk.
    pub(super) const fn is_answered_at_once(self) -> bool {
        !matches!(self, Self::Put(_) | Self::Keep(_) | Self::Lodge(_) | Self::Repair | Self::Hand)
    }

    /// The lookup that it is part of.
    pub(super) const fn lookup(&self) -> Option<u32> {
        match self {
            Self::Step(lookup) | Self::Widen(lookup) | Self::Owner(lookup) | Self::Route(lookup) => {
                Some(*lookup)
            }
            _ => None,
        }
    }
}

impl Chord {
    /// Asks a node something.
    pub(super) fn ask(
        &mut self,
        to: Contact,
        ask: Ask,
        insistence: Insistence,
        purpose: Purpose,
        cx: &mut Context<'_>,
    ) {
        let Some(socket) = self.socket else { return };
        let to = to.or_met(self.known(to.peer));
        let mut transaction = cx.rng().bits() as u32;
        while self.pending.contains(transaction) {
            transaction = transaction.wrapping_add(1);
        }
        let member = self.config.routes && self.is_member();
        let least = match (to.token(), &ask) {
            (_, Ask::Route(_)) => Route::LEAST,
            (0, Ask::Ping) => FIRST_PING,
            // Whoever is called sent nothing to us.
            (0, Ask::Called { .. }) => 0,
            (0, Ask::Before) => FIRST_BEFORE,
            // A record may be as long as a datagram.
            (0, Ask::Get { routed: false, .. }) => LARGEST,
            (0, _) => FIRST_WORD,
            _ => 0,
        };
        let packet = Packet::Ask { transaction, token: to.token(), member, ask };
        let (datagram, len) = packet.datagram(self.config.network, least);
        let sent = Sent::new(&datagram, len);
        if self.is_within_reach(to.peer) {
            cx.send_to(socket, to.peer.addr(), datagram);
        }
        let patience = match to.round_trip.mean() {
            Some(_) => to.round_trip.patience(),
            None => self.typical.patience_with_new(),
        };
        let patience = patience + insistence.allowance();
        let question = Question::new((transaction, to.peer), cx.now(), patience, insistence, purpose, sent);
        if let Some(at) = self.pending.ask(question) {
            cx.set_timer_at(Timer::Due, at);
        }
    }

    pub(super) fn answered(
        &mut self,
        from: SocketAddr,
        transaction: u32,
        token: u32,
        answer: Answer,
        cx: &mut Context<'_>,
    ) {
        let Some((question, took)) = self.pending.answered(transaction, from, cx.now()) else { return };
        if answer == Answer::Prove {
            return self.ask_again(question, token, cx);
        }
        let mut contact = self.known(question.to).copied().unwrap_or_else(|| Contact::unmet(question.to));
        contact.set_token(token);
        if question.purpose.is_answered_at_once() {
            if question.repeated {
                contact.round_trip.took_at_most(took);
            } else {
                contact.round_trip.took(took);
                self.typical.took(took);
            }
        }
        self.note(contact);
        let is_member = answer != Answer::Absent;
        // Who left, or has not joined, says that it is there, too.
        if is_member && !matches!(answer, Answer::Pong(_)) {
            self.meet_one(contact.peer);
        }
        match question.purpose {
            Purpose::Greet => self.greeted(contact, &answer, cx),
            Purpose::Step(lookup) => self.stepped(lookup, contact, answer, cx),
            Purpose::Widen(lookup) => self.widened(lookup, contact, answer, cx),
            Purpose::Owner(lookup) => self.owner_answered(lookup, contact.peer, &answer, cx),
            Purpose::Copy => self.copied(contact, answer, cx),
            Purpose::Enter => self.entered(contact, answer, cx),
            Purpose::Stabilise(number) => self.stabilised(number, contact, answer, cx),
            Purpose::Nearer => self.nearer(contact, answer, cx),
            Purpose::Predecessor(new) if !is_member => {
                self.predecessor_failed(contact.peer, new, cx);
            }
            Purpose::Heir(_) | Purpose::Member | Purpose::Other | Purpose::Follow if !is_member => {}
            Purpose::Follow => self.follows(contact),
            Purpose::Other => self.other_answered(contact, answer, cx),
            Purpose::Reach => self.call_is_coming(contact, &answer, cx),
            Purpose::Heir(gone) => self.inherits(contact, gone),
            Purpose::Predecessor(_) | Purpose::Farewell | Purpose::Told => {}
            Purpose::Member => self.member_answered(contact),
            Purpose::Finger => self.finger_answered(contact),
            Purpose::Repair => {}
            Purpose::Get(task) => self.got(task, contact, answer, cx),
            Purpose::Put(task) => self.put_answered(task, answer, cx),
            Purpose::Keep(placing) => self.copied_to(placing, contact.peer, answer, cx),
            Purpose::Hand => self.handed(contact.peer, cx),
            Purpose::Compare(session) => self.reconciled(session, answer, cx),
            Purpose::Route(_) | Purpose::Pass if answer == Answer::Passed => {}
            Purpose::Route(_) | Purpose::Pass => self.pass_by(&question, false, cx),
            Purpose::Sample(slot, left) => self.sampled(slot, left, answer, cx),
            Purpose::News => {}
            Purpose::Members => self.told_members(&question, answer, cx),
            Purpose::Way(task) => self.way_told(task, contact, answer, cx),
            Purpose::Replica(task) => self.replica_told(task, contact, answer, cx),
            Purpose::Lodge(number) => self.lodge_answered(number, contact.peer, answer, cx),
            Purpose::Load => self.load_answered(contact.peer, &answer, cx),
            Purpose::Mend => self.mend_answered(contact, answer, cx),
            Purpose::Sweep => self.sweep_answered(answer, cx),
            Purpose::Walk(walk) => self.walked_to(walk, contact, answer, cx),
        }
        if is_member {
            self.learn(contact);
        } else {
            self.fingers.lose(contact.peer);
            self.miss(contact.peer);
        }
    }

    /// Repeats a question with the token that it is to prove our address with.
    fn ask_again(&mut self, question: Question<Purpose>, token: u32, cx: &mut Context<'_>) {
        let Ok(Packet::Ask { mut ask, token: shown, .. }) =
            Packet::decode(question.sent.packet(), self.config.network)
        else {
            return;
        };
        let mut contact = self.known(question.to).copied().unwrap_or_else(|| Contact::unmet(question.to));
        // Zero would be no token; one that it was shown and does not know it will not know either.
        if token == 0 || shown == token {
            return self.failed(question, cx);
        }
        contact.set_token(token);
        self.note(contact);
        if let Ask::Route(route) = &mut ask {
            route.messages = route.messages.saturating_add(2);
        }
        // As patiently as before: a lost datagram is no more a death than it was.
        let insistence = match question.repeats {
            _ if matches!(question.purpose, Purpose::Put(_)) => Insistence::Slowly,
            0 => Insistence::Once,
            1 => Insistence::Twice,
            _ => Insistence::Thrice,
        };
        self.ask(contact, ask, insistence, question.purpose, cx);
    }

    pub(super) fn overdue(&mut self, cx: &mut Context<'_>) {
        let due = self.pending.due(cx.now());
        if let Some(socket) = self.socket {
            for (peer, datagram) in due.again {
                if self.is_within_reach(peer) {
                    cx.send_to(socket, peer.addr(), datagram);
                }
            }
        }
        if let Some(next) = due.next {
            cx.set_timer_at(Timer::Due, next);
        }
        for question in due.failed {
            self.failed(question, cx);
        }
    }

    /// A question was not answered, however often it was asked.
    fn failed(&mut self, question: Question<Purpose>, cx: &mut Context<'_>) {
        let peer = question.to;
        self.keep_in_mind(peer, cx);
        self.fingers.lose(peer);
        self.miss(peer);
        match question.purpose {
            Purpose::Greet | Purpose::Reach => self.not_greeted(cx),
            Purpose::Step(lookup) => self.step_failed(lookup, peer, cx),
            Purpose::Widen(lookup) => self.step_failed(lookup, peer, cx),
            Purpose::Owner(lookup) => self.owner_failed(lookup, peer, question.asked, cx),
            Purpose::Copy => self.copy_next(cx),
            Purpose::Enter => self.enter_failed(peer, cx),
            Purpose::Stabilise(number) => self.successor_failed(number, peer, cx),
            Purpose::Predecessor(new) => self.predecessor_failed(peer, new, cx),
            Purpose::Nearer => self.is_not_heard(peer),
            Purpose::Heir(_)
            | Purpose::Farewell
            | Purpose::Member
            | Purpose::Finger
            | Purpose::Sample(..)
            | Purpose::Other
            | Purpose::Told
            | Purpose::Follow
            | Purpose::Repair => {}
            Purpose::Route(_) | Purpose::Pass => self.pass_by(&question, true, cx),
            Purpose::News => self.news_failed(&question, cx),
            Purpose::Members => {}
            Purpose::Get(task) => self.not_got(task, peer, cx),
            Purpose::Put(task) => self.not_put(task, cx),
            Purpose::Keep(placing) => self.not_copied(placing, peer, cx),
            Purpose::Hand => self.not_handed(peer, cx),
            Purpose::Compare(session) => self.not_reconciled(session, cx),
            Purpose::Way(task) => self.way_failed(task, peer, cx),
            Purpose::Replica(task) => self.replica_failed(task, peer, cx),
            Purpose::Lodge(number) => self.lodge_unanswered(number, peer, cx),
            Purpose::Load => {}
            Purpose::Mend => self.mend_unanswered(peer, cx),
            Purpose::Sweep => self.sweep_ends(),
            Purpose::Walk(walk) => self.not_walked_to(walk, peer, cx),
        }
    }
}
