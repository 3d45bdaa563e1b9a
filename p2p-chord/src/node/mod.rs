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
mod finger;
mod getting;
mod hand_over;
mod join;
mod lookups;
mod placing;
mod putting;
mod reconcile;
mod republish;
mod small;
mod stabilise;
mod storage;
mod streams;
mod tasks;
mod token;
mod walk;

use crate::api::{Command, Event, Status, Timer};
use crate::config::Config;
use crate::contact::{Contact, RoundTrip};
use crate::error::Error;
use crate::fingers::Fingers;
use crate::id::RingId;
use crate::peer::Peer;
use crate::pending::{Insistence, Pending, Question};
use crate::ring::{Broken, Ring};
use crate::wire::{Answer, Ask, LARGEST, Packet};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use answers::Asked;
use bytes::BytesMut;
use core::net::SocketAddr;
use join::Joining;
use lookups::{Goal, Running};
use p2p_core::{Cx, Datagram, Input, Machine, OpId, OpInput, SocketId};
use storage::Storage;
use streams::Streams;
use token::Tokens;

pub use hand_over::Handed;

type Context<'a> = Cx<'a, Chord>;

/// Zeros up to here are sent behind a question to who gave us no token yet, so that the answer may be as long.
const FIRST_WORD: usize = 300;
/// The same, of a ping: the answer is an address.
const FIRST_PING: usize = 40;

/// Why a question was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Purpose {
    /// To learn our address of a node to join by.
    Greet,
    /// A step of a lookup.
    Step(u32),
    /// A lookup that came to nothing asks who answered for all whom it knows.
    Widen(u32),
    /// Is the node alive that a lookup found?
    Owner(u32),
    /// Who joins wants its successor's list.
    Copy,
    /// Who joins a small ring wants to be known.
    Enter,
    /// Is our successor of this number alive, and who is beside it?
    Stabilise(u8),
    /// Would a node that is said to be nearer be our successor?
    Nearer,
    /// Does a node that notified us answer?
    Rectify,
    /// Is our predecessor alive, now that this node claims to be it?
    Predecessor(Contact),
    /// Does the node answer that is to be our predecessor in place of this one, which is gone?
    Heir(Peer),
    /// That we leave.
    Farewell,
    /// Does a node that wants to enter a small ring answer? It waits for the answer of this number.
    Newcomer { transaction: u32 },
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
    /// To walk on around the ring.
    Walk(u32),
}

impl Purpose {
    /// Whether an answer tells how far a node is, and not how long it takes to ask others or to write to the disk.
    const fn is_answered_at_once(self) -> bool {
        !matches!(self, Self::Put(_) | Self::Keep(_) | Self::Repair | Self::Hand)
    }
}

/// A node on the ring.
#[derive(Clone, Debug)]
pub struct Chord {
    config: Arc<Config>,
    socket: Option<SocketId>,
    /// Where others reach us.
    addr: Option<SocketAddr>,
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
    scratch: BytesMut,
    storage: Box<Storage>,
    streams: Streams,
    walks: Vec<walk::Walk>,
}

#[derive(Clone, Debug)]
enum State {
    Outside,
    /// Asks, and is no member.
    Guest,
    Joining(Box<Joining>),
    Member(Box<Ring>),
}

impl Chord {
    /// A node outside of any ring.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>) -> Self {
        let config = config.into();
        Self {
            fingers: Fingers::new(config.base_bits),
            addr: config.advertised,
            storage: Box::new(Storage::new(config.limits.clone(), config.store.clone())),
            streams: Streams::default(),
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
            scratch: BytesMut::new(),
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
        node.addr = Some(me.addr());
        let ring = Ring::settled(me, node.config.successors, predecessor, successors);
        assert_eq!(ring.check(), Ok(()), "a successor list that is full and in order");
        node.fingers.settle(me, fingers.into_iter());
        node.state = State::Member(Box::new(ring));
        node
    }

    /// Where it is on the ring; `None` before it knows its address.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.addr.map(|addr| Peer::new(self.config.network, addr))
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
        let least = match (to.token, &ask) {
            (0, Ask::Ping) => FIRST_PING,
            // A record may be as long as a datagram.
            (0, Ask::Get { routed: false, .. }) => LARGEST,
            (0, _) => FIRST_WORD,
            _ => 0,
        };
        let packet = Packet::Ask { transaction, token: to.token, member, ask };
        let datagram = packet.encode(self.config.network, least, &mut self.scratch);
        cx.send_to(socket, to.peer.addr(), datagram.clone());
        // Somebody new is hardly much farther than most.
        let patience = match to.round_trip.mean() {
            Some(_) => to.round_trip.patience(),
            None => self.typical.patience() * 3 / 2,
        };
        let patience = patience + insistence.allowance();
        let question =
            Question::new((transaction, to.peer), cx.now(), patience, insistence, purpose, datagram);
        if let Some(at) = self.pending.ask(question) {
            cx.set_timer_at(Timer::Due, at);
        }
    }

    fn answer(&mut self, to: SocketAddr, transaction: u32, answer: Answer, cx: &mut Context<'_>) {
        let Some(socket) = self.socket else { return };
        let token = self.tokens.of(to, cx.now());
        let packet = Packet::Answer { transaction, token, answer };
        let datagram = packet.encode(self.config.network, 0, &mut self.scratch);
        cx.send_to(socket, to, datagram);
    }

    /// What we keep of a peer, if anything.
    fn known(&self, peer: Peer) -> Option<&Contact> {
        let ring =
            self.ring().into_iter().flat_map(|ring| ring.successors().iter().chain(ring.predecessor()));
        ring.chain(self.fingers.contacts()).find(|contact| contact.peer == peer)
    }

    fn datagram(&mut self, datagram: Datagram, cx: &mut Context<'_>) {
        let Ok(packet) = Packet::decode(&datagram.data, self.config.network) else { return };
        match packet {
            Packet::Ask { transaction, token, member, ask } => {
                let is_proven = self.tokens.is_of(token, datagram.peer, cx.now());
                let room = if is_proven { usize::MAX } else { datagram.data.len() };
                self.asked(
                    Asked { from: datagram.peer, transaction, member, is_proven, room, conn: None },
                    ask,
                    cx,
                );
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
        contact.token = token;
        if let Some(took) = took.filter(|_| question.purpose.is_answered_at_once()) {
            contact.round_trip.took(took);
            self.typical.took(took);
        }
        self.note(contact);
        let is_member = answer != Answer::Absent;
        match question.purpose {
            Purpose::Greet => self.greeted(contact, &answer, cx),
            Purpose::Step(lookup) => self.stepped(lookup, contact, answer, cx),
            Purpose::Widen(lookup) => self.widened(lookup, contact, answer, cx),
            Purpose::Owner(lookup) => self.owner_answered(lookup, contact.peer, cx),
            Purpose::Copy => self.copied(contact, answer, cx),
            Purpose::Enter => self.entered(contact, answer, cx),
            Purpose::Stabilise(number) => self.stabilised(number, contact, answer, cx),
            Purpose::Nearer => self.nearer(contact, answer, cx),
            Purpose::Predecessor(new) if !is_member => {
                self.predecessor_failed(contact.peer, new, cx);
            }
            Purpose::Rectify | Purpose::Heir(_) | Purpose::Member if !is_member => {}
            Purpose::Rectify => self.rectify(contact),
            Purpose::Heir(gone) => self.inherits(contact, gone),
            Purpose::Predecessor(_) | Purpose::Farewell => {}
            Purpose::Newcomer { transaction } => self.newcomer_answered(contact, transaction, cx),
            Purpose::Member => self.member_answered(contact),
            Purpose::Finger | Purpose::Repair => {}
            Purpose::Get(task) => self.got(task, contact, answer, cx),
            Purpose::Put(task) => self.put_answered(task, answer, cx),
            Purpose::Keep(placing) => self.copied_to(placing, answer, cx),
            Purpose::Hand => self.handed(contact.peer, cx),
            Purpose::Compare(session) => self.reconciled(session, answer, cx),
            Purpose::Walk(walk) => self.walked_to(walk, contact, answer, cx),
        }
        if is_member {
            self.learn(contact);
        }
    }

    /// Repeats a question with the token that it is to prove our address with.
    fn ask_again(&mut self, question: Question<Purpose>, token: u32, cx: &mut Context<'_>) {
        let Ok(Packet::Ask { ask, token: shown, .. }) =
            Packet::decode(&question.datagram, self.config.network)
        else {
            return;
        };
        let mut contact = self.known(question.to).copied().unwrap_or_else(|| Contact::unmet(question.to));
        // Zero would be no token; one that it was shown and does not know it will not know either.
        if token == 0 || shown == token {
            return self.failed(question, cx);
        }
        contact.token = token;
        self.note(contact);
        self.ask(contact, ask, Insistence::Once, question.purpose, cx);
    }

    /// Keeps what was learnt of a contact wherever it stands.
    fn note(&mut self, contact: Contact) {
        let fingers = self.fingers.contacts_mut();
        let ring = match &mut self.state {
            State::Member(ring) => Some(ring.contacts_mut()),
            _ => None,
        };
        for known in fingers.chain(ring.into_iter().flatten()).filter(|known| known.peer == contact.peer) {
            *known = contact;
        }
    }

    fn overdue(&mut self, cx: &mut Context<'_>) {
        let due = self.pending.due(cx.now());
        if let Some(socket) = self.socket {
            for (peer, datagram) in due.again {
                cx.send_to(socket, peer.addr(), datagram);
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
        self.fingers.lose(peer);
        match question.purpose {
            Purpose::Greet => self.not_greeted(cx),
            Purpose::Step(lookup) => self.step_failed(lookup, peer, cx),
            Purpose::Widen(lookup) => self.step_failed(lookup, peer, cx),
            Purpose::Owner(lookup) => self.owner_failed(lookup, peer, cx),
            Purpose::Copy => self.join_again(cx),
            Purpose::Enter => self.enter_failed(peer, cx),
            Purpose::Stabilise(number) => self.successor_failed(number, peer, cx),
            Purpose::Predecessor(new) => self.predecessor_failed(peer, new, cx),
            Purpose::Nearer
            | Purpose::Rectify
            | Purpose::Heir(_)
            | Purpose::Farewell
            | Purpose::Newcomer { .. }
            | Purpose::Member
            | Purpose::Finger
            | Purpose::Repair => {}
            Purpose::Get(task) => self.not_got(task, peer, cx),
            Purpose::Put(task) => self.not_put(task, cx),
            Purpose::Keep(placing) => self.not_copied(placing, cx),
            Purpose::Hand => self.not_handed(peer, cx),
            Purpose::Compare(session) => self.not_reconciled(session, cx),
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
    }

    fn bound(&mut self, at: SocketAddr, cx: &mut Context<'_>) {
        if self.addr.is_none() && !at.ip().is_unspecified() {
            self.addr = Some(at);
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
            }
            Input::Timer(Timer::Due) => self.overdue(cx),
            Input::Timer(Timer::Stabilise) => self.stabilise(cx),
            Input::Timer(Timer::Finger) => self.fix_finger(cx),
            Input::Timer(Timer::Join) => self.begin_join(cx),
            Input::Timer(Timer::Lookup(lookup)) => self.lookup_late(lookup, cx),
            Input::Timer(Timer::Republish) => self.republish(cx),
            Input::Timer(Timer::Leave) => self.depart(cx),
            Input::Timer(Timer::Task(task)) => self.task_failed(task, Error::Deadline, cx),
            Input::Timer(Timer::Again(task)) => self.look_again(task, cx),
            Input::Timer(Timer::Stream(conn)) => self.stream_late(conn, cx),
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
