//! The node: [`Chord`], one place on the ring behind one UDP socket.
//!
//! ```text
//!            Join                  where am I        who is my successor      its list
//!  Outside ───────────► Greeting ────────────► Looking ────────────────► Copying ─────────► Member
//!     ▲  │ (nobody: a new ring)                                             │ small ring      │ ▲
//!     │  └──────────────────────────────────────────────────────────────────┼─────────────────┘ │
//!     │                                                                     └──► Entering ──────┘
//!     └── Leave
//! ```

mod answers;
mod classic;
mod disk;
mod essence;
mod everybody;
mod finger;
mod getting;
mod hand_over;
mod homing;
mod join;
mod lodging;
mod lookups;
mod memory;
mod mending;
mod merge;
mod placing;
mod putting;
mod reach;
mod reconcile;
mod recursive;
mod redundant;
mod republish;
mod small;
mod stabilise;
mod storage;
mod strays;
mod streams;
mod sweep;
mod tasks;
mod token;
mod unheard;
mod walk;

use crate::api::{Command, Event, Status, Timer};
use crate::block::is_local;
use crate::config::Config;
use crate::contact::{Contact, RoundTrip};
use crate::error::Error;
use crate::fingers::{Fingers, Slot};
use crate::id::RingId;
use crate::peer::Peer;
use crate::pending::{Insistence, Pending, Question, Sent};
use crate::ring::{Broken, Ring};
use crate::wire::{Answer, Ask, LARGEST, Packet, Route};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use answers::Asked;
use core::net::SocketAddr;
use everybody::Everybody;
use join::Joining;
use lookups::{Goal, Running};
use merge::Merging;
use p2p_core::{Cx, Datagram, Input, Machine, OpId, OpInput, SocketId};
use recursive::Routed;
use storage::Storage;
use streams::Streams;
use token::Tokens;
use unheard::Unheard;

pub use hand_over::Handed;
pub use lodging::least_laden;
pub(crate) use storage::Shared;
pub use strays::Strays;

type Context<'a> = Cx<'a, Chord>;

/// Zeros up to here are sent behind a question to who gave us no token yet, so that the answer may be as long.
const FIRST_WORD: usize = 300;
/// The same, of a ping: the answer is an address.
const FIRST_PING: usize = 40;
/// The same, of who asks who is before us: the answer is a few addresses.
const FIRST_BEFORE: usize = 64;

/// Why a question was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Purpose {
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
    const fn is_answered_at_once(self) -> bool {
        !matches!(self, Self::Put(_) | Self::Keep(_) | Self::Lodge(_) | Self::Repair | Self::Hand)
    }

    /// The lookup that it is part of.
    const fn lookup(&self) -> Option<u32> {
        match self {
            Self::Step(lookup) | Self::Widen(lookup) | Self::Owner(lookup) | Self::Route(lookup) => {
                Some(*lookup)
            }
            _ => None,
        }
    }
}

/// A node on the ring.
#[derive(Clone, Debug)]
pub struct Chord {
    config: Arc<Config>,
    socket: Option<SocketId>,
    /// Where others reach us, and so where we are on the ring.
    me: Option<Peer>,
    /// Our predecessor, when it was last looked at whether it is another one: the beginning of its place.
    noticed: u64,
    state: State,
    fingers: Fingers,
    /// The slot that is looked after next.
    finger: u16,
    pending: Pending<Purpose>,
    lookups: BTreeMap<u32, Box<Running>>,
    next_lookup: u32,
    tokens: Tokens,
    /// How long answers take, whoever gives them.
    typical: RoundTrip,
    /// Whom to ask should everybody be lost.
    bootstrap: Vec<SocketAddr>,
    /// How often that was the case.
    resort: u8,
    storage: Box<Storage>,
    streams: Streams,
    /// Everybody on the ring, if it is to know them.
    everybody: Option<Box<Everybody>>,
    strays: Strays,
    /// Where others of the network may be; nowhere, mostly.
    merging: Option<Box<Merging>>,
    /// Whom our successor hears before itself, and we do not.
    unheard: Option<Box<Unheard>>,
    walks: Vec<walk::Walk>,
}

#[derive(Clone, Debug)]
enum State {
    Outside,
    /// Asks, and is no member.
    Guest,
    Joining(Box<Joining>),
    // In place: every message needs it.
    Member(Ring),
}

impl Chord {
    /// A node outside of any ring.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>) -> Self {
        let config = config.into();
        Self {
            fingers: Fingers::new(config.base_bits, config.part_bits),
            me: config.advertised.map(|addr| Peer::new(config.network, addr)),
            noticed: 0,
            storage: Box::new(Storage::new(&config)),
            streams: Streams::default(),
            everybody: Everybody::new(config.everybody),
            strays: Strays::default(),
            merging: None,
            unheard: None,
            config,
            socket: None,
            state: State::Outside,
            finger: 0,
            pending: Pending::new(),
            lookups: BTreeMap::new(),
            next_lookup: 0,
            tokens: Tokens::default(),
            typical: RoundTrip::default(),
            bootstrap: Vec::new(),
            resort: 0,
            walks: Vec::new(),
        }
    }

    /// A member of a large ring with this view of it, for who knows better: a simulation that begins with a whole
    /// ring, a node that saved its view. Whoever is named is asked before anything is built upon it.
    ///
    /// # Panics
    /// If the list is not [`Config::successors`] nodes in clockwise order from `me`.
    #[must_use]
    pub fn settled(
        config: impl Into<Arc<Config>>,
        me: Peer,
        predecessor: Peer,
        successors: &[Peer],
        fingers: impl IntoIterator<Item = Peer>,
    ) -> Self {
        let mut node = Self::new(config);
        node.me = Some(me);
        let ring = Ring::settled(me, node.config.successors, predecessor, successors);
        assert_eq!(ring.check(), Ok(()), "a successor list that is full and in order");
        node.fingers.settle(me, fingers.into_iter());
        node.state = State::Member(ring);
        node
    }

    /// Where it is on the ring; `None` before it knows its address.
    #[must_use]
    pub const fn peer(&self) -> Option<Peer> {
        self.me
    }

    /// Whether it is a member of a ring.
    #[must_use]
    pub const fn is_member(&self) -> bool {
        matches!(self.state, State::Member(_))
    }

    /// Whether it is a member of a small ring, in which everybody knows everybody.
    #[must_use]
    pub fn is_small(&self) -> bool {
        self.ring().is_some_and(Ring::is_small)
    }

    /// Its predecessor, as far as it knows.
    #[must_use]
    pub fn predecessor(&self) -> Option<Peer> {
        self.ring()?.predecessor().map(|contact| contact.peer)
    }

    /// Its successors, nearest first; all other members in a small ring.
    pub fn successors(&self) -> impl Iterator<Item = Peer> {
        self.ring().into_iter().flat_map(|ring| ring.successors().iter().map(|contact| contact.peer))
    }

    /// Its fingers, nearest first.
    pub fn fingers(&self) -> impl Iterator<Item = Peer> {
        self.fingers.contacts().map(|contact| contact.peer)
    }

    /// Whether it holds itself responsible for a place.
    #[must_use]
    pub fn owns(&self, place: RingId) -> bool {
        self.ring().is_some_and(|ring| ring.owns(place))
    }

    /// Checks Zave's rules of successor lists: no node twice, in order, and full in a large ring.
    ///
    /// # Errors
    /// The rule that is broken, which is a bug.
    pub fn check(&self) -> Result<(), Broken> {
        self.ring().map_or(Ok(()), Ring::check)
    }

    /// Reads something of each part of memory that the next message needs: for
    /// [`Sim::look_into`](https://docs.rs/p2p-sim) and drivers like it. The number means nothing.
    #[must_use]
    pub fn touch(&self) -> u64 {
        let ring = self.ring().map_or(0, Ring::touch);
        ring ^ self.fingers.touch() ^ self.pending.touch() ^ self.tokens.touch()
    }

    fn tell_status(&self, op: OpId, cx: &mut Context<'_>) {
        let store = self.store();
        let status = Status {
            peer: self.peer(),
            member: self.is_member(),
            small: self.is_small(),
            successors: self.successors().count(),
            fingers: self.fingers().count(),
            records: store.len(),
            bytes: store.bytes(),
            tasks: self.storage.tasks.len(),
        };
        cx.answer(op, Event::Status(status));
        cx.finish(op, Ok(()));
    }

    fn ring(&self) -> Option<&Ring> {
        match &self.state {
            State::Member(ring) => Some(ring),
            _ => None,
        }
    }

    fn ring_mut(&mut self) -> Option<&mut Ring> {
        match &mut self.state {
            State::Member(ring) => Some(ring),
            _ => None,
        }
    }

    /// Asks a node something.
    fn ask(&mut self, to: Contact, ask: Ask, insistence: Insistence, purpose: Purpose, cx: &mut Context<'_>) {
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

    /// Whether it can be asked at all. Who is in the world at large asks nobody in its own network because a stranger named
    /// it: what listens there may be anything.
    fn is_within_reach(&self, peer: Peer) -> bool {
        let addr = peer.addr();
        let is_abroad =
            self.me.is_some_and(|me| !is_local(me.addr().ip()) && !me.addr().ip().is_unspecified());
        !is_abroad || !is_local(addr.ip()) || self.bootstrap.contains(&addr)
    }

    fn answer(&mut self, to: SocketAddr, transaction: u32, answer: Answer, cx: &mut Context<'_>) {
        let Some(socket) = self.socket else { return };
        let token = self.tokens.of(to, cx.now());
        let packet = Packet::Answer { transaction, token, answer };
        cx.send_to(socket, to, packet.datagram(self.config.network, 0).0);
    }

    /// What we keep of a peer, if anything.
    fn known(&self, peer: Peer) -> Option<&Contact> {
        let in_ring = self.ring().and_then(|ring| ring.find(peer));
        in_ring.or_else(|| self.fingers.find(self.me?, peer))
    }

    fn datagram(&mut self, datagram: Datagram, cx: &mut Context<'_>) {
        let packet = match Packet::decode(&datagram.data, self.config.network) {
            Ok(packet) => packet,
            Err(why) => return self.strays.count(why),
        };
        match packet {
            // What could be answered with more than there is of it.
            Packet::Ask { ask: Ask::Route(_), .. } if datagram.data.len() < Route::LEAST => {}
            Packet::Ask { transaction, token, member, ask } => {
                let is_proven = self.tokens.is_of(token, datagram.peer, cx.now());
                let room = if is_proven { usize::MAX } else { datagram.data.len() };
                self.asked(
                    Asked { from: datagram.peer, transaction, member, is_proven, room, conn: None },
                    ask,
                    cx,
                );
            }
            Packet::Answer {
                transaction,
                token,
                answer: Answer::Routed { hops, messages, timeouts, owners },
            } => {
                let routed = Routed { hops, messages, timeouts, owners };
                self.routed(datagram.peer, transaction, token, routed, cx);
            }
            Packet::Answer { transaction, token, answer } => {
                self.answered(datagram.peer, transaction, token, answer, cx);
            }
        }
    }

    fn answered(
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
        if let Some(took) = took.filter(|_| question.purpose.is_answered_at_once()) {
            contact.round_trip.took(took);
            self.typical.took(took);
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

    /// Keeps what was learnt of a contact wherever it stands.
    fn note(&mut self, contact: Contact) {
        if let State::Member(ring) = &mut self.state {
            ring.note(contact);
        }
        if let Some(me) = self.me {
            self.fingers.note(me, contact);
        }
    }

    fn overdue(&mut self, cx: &mut Context<'_>) {
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

    fn command(&mut self, op: OpId, command: Command, cx: &mut Context<'_>) {
        match command {
            Command::Join(bootstrap) => self.join(op, bootstrap, cx),
            Command::Lookup(target) => self.look_up(target, Goal::Op(op), cx),
            Command::Leave => self.leave(op, cx),
            Command::Put(put) => self.put(op, put, cx),
            Command::Get(get) => self.get(op, get, cx),
            Command::Provide(provide) => self.provide(op, provide, cx),
            Command::Withdraw(key, kind) => self.withdraw(op, key, kind, cx),
            Command::Within(span, command) => {
                self.command(op, *command, cx);
                self.limit(op, span, cx);
            }
            Command::Walk { most } => self.walk(op, most, cx),
            Command::Status => self.tell_status(op, cx),
        }
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        self.tokens = Tokens::draw(cx.rng(), now);
        self.socket = Some(cx.bind(self.config.listen));
        self.load_store(cx);
        if self.is_member() {
            self.set_timers(cx);
        }
    }

    fn set_timers(&self, cx: &mut Context<'_>) {
        for (timer, every) in
            [(Timer::Stabilise, self.config.stabilise), (Timer::Finger, self.config.fix_finger)]
        {
            let phase = cx.rng().phase(every);
            cx.set_timer(timer, phase);
        }
        if self.everybody.is_some() {
            let phase = cx.rng().phase(self.config.stabilise);
            cx.set_timer(Timer::News, phase);
        }
        // Soon at first: who just joined may have been told of more than one ring.
        let phase = cx.rng().phase(self.config.merge);
        cx.set_timer(Timer::Merge, phase);
    }

    fn bound(&mut self, at: SocketAddr, cx: &mut Context<'_>) {
        if self.me.is_none() && !at.ip().is_unspecified() {
            self.me = Some(Peer::new(self.config.network, at));
        }
        self.listen(at, cx);
        cx.tell(Event::Listening(at));
    }

    /// Ends everything that is under way.
    fn stop(&mut self, cx: &mut Context<'_>) {
        self.fail_join(Error::Stopped, cx);
        self.stop_lookups(cx);
        self.stop_tasks(cx);
        self.stop_walks(cx);
        if self.begin_to_leave(hand_over::Leaving::Stop, cx) {
            self.depart(cx);
        }
    }
}

impl Machine for Chord {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => self.start(cx),
            Input::Datagram(_, datagram) => {
                self.datagram(datagram, cx);
                self.notice_predecessor(cx);
                self.notice_members();
            }
            Input::Timer(Timer::Due) => self.overdue(cx),
            Input::Timer(Timer::Stabilise) => self.stabilise(cx),
            Input::Timer(Timer::Finger) => self.fix_finger(cx),
            Input::Timer(Timer::Join) => self.begin_join(cx),
            Input::Timer(Timer::Reach) => self.not_called(cx),
            Input::Timer(Timer::Merge) => self.look_for_others(cx),
            Input::Timer(Timer::Lookup(lookup)) => self.lookup_late(lookup, cx),
            Input::Timer(Timer::Republish) => self.republish(cx),
            Input::Timer(Timer::Leave) => self.depart(cx),
            Input::Timer(Timer::Task(task)) => self.task_failed(task, Error::Deadline, cx),
            Input::Timer(Timer::Again(task)) => self.look_again(task, cx),
            Input::Timer(Timer::Stream(conn)) => self.stream_late(conn, cx),
            Input::Timer(Timer::Route(lookup)) => self.route_late(lookup, cx),
            Input::Timer(Timer::News) => self.tell_news(cx),
            Input::Stream(conn, input) => self.stream(conn, input, cx),
            Input::Listener(listener, at) => self.listening(listener, at, cx),
            Input::Op(op, OpInput::Ask(command)) => self.command(op, command, cx),
            Input::Op(op, OpInput::Cancel) => self.cancel(op, cx),
            Input::Bound(_, Ok(at)) => self.bound(at, cx),
            Input::Bound(_, Err(error)) => {
                self.socket = None;
                cx.tell(Event::NoSocket(error));
                self.fail_join(Error::NoSocket(error), cx);
            }
            Input::Stop => self.stop(cx),
            Input::Job(job, done) => self.job(job, done, cx),
            Input::Op(..) | Input::Resolved(..) => {}
        }
    }
}

/// Peers of a list in a message.
fn peers(network: crate::NetworkId, places: Vec<crate::Place>) -> Vec<Peer> {
    places.into_iter().filter_map(|place| place.peer(network)).collect()
}
