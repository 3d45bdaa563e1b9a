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
mod entering;
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
mod named;
mod pace;
mod placing;
mod putting;
mod questions;
mod reach;
mod reconcile;
mod recursive;
mod redundant;
mod republish;
mod running;
mod small;
mod stabilise;
mod storage;
mod strays;
mod streams;
mod sweep;
mod tasks;
mod unheard;
mod walk;

use crate::api::{Command, Event, Status, Timer};
use crate::block::is_local;
use crate::config::Config;
use crate::contact::{Contact, RoundTrip};
use crate::error::Error;
use crate::fingers::Fingers;
use crate::id::RingId;
use crate::peer::Peer;
use crate::pending::Pending;
use crate::ring::{Broken, Ring};
use crate::wire::{Answer, Ask, Packet, Route};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use answers::Asked;
use core::net::SocketAddr;
use entering::Entering;
use everybody::Everybody;
use join::Joining;
use lookups::Goal;
use merge::Merging;
use p2p_core::{Cx, Datagram, Input, Machine, OpId, OpInput, SocketId, Tokens};
use pace::Pace;
use questions::Purpose;
use recursive::Routed;
use running::Running;
use storage::Storage;
use streams::Streams;
use unheard::Unheard;

pub(crate) use essence::View;
pub use hand_over::Handed;
pub use lodging::least_laden;
pub(crate) use storage::Shared;
pub use strays::Strays;

type Context<'a> = Cx<'a, Chord>;

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
    /// How often somebody knew of us and of nobody else to follow, since we followed somebody last.
    alone: u8,
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
    pace: Pace,
    /// Our successor may not know of us yet.
    entering: Option<Entering>,
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
            alone: 0,
            walks: Vec::new(),
            pace: Pace::default(),
            entering: None,
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
        let lookup = self.lookups.first_key_value().map_or(0, |(_, running)| running.touch());
        ring ^ self.fingers.touch() ^ self.pending.touch() ^ lookup
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

    /// Keeps what was learnt of a contact wherever it stands.
    fn note(&mut self, contact: Contact) {
        if let State::Member(ring) = &mut self.state {
            ring.note(contact);
        }
        if let Some(me) = self.me {
            self.fingers.note(me, contact);
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
    let mut peers = Vec::with_capacity(places.len());
    peers.extend(places.into_iter().filter_map(|place| place.peer(network)));
    peers
}
