//! The machine: [`Esm`], one member of a group, behind one UDP socket.
//!
//! ```text
//!          Join              what is broadcast        a parent in every tree
//!  Idle ─────────► Greeting ───────────────────► Live ──────────────────────► joined
//!   ▲  │ Broadcast (the source)                   ▲ │
//!   │  └──────────────────────────────────────────┘ │ Leave, Stop: children move first
//!   └───────────────────────────────────────────────┘
//! ```

mod children;
mod choice;
mod colour;
mod counts;
mod doubt;
mod flow;
mod gossip;
mod hand_over;
mod join;
mod lan;
mod letters;
mod looks;
mod mesh;
mod pace;
mod parents;
mod places;
mod precedence;
mod questions;
mod repair;
mod said;
mod seek;
mod source;
mod stamps;
mod tree;
mod viewers;
mod witness;

pub use counts::Counts;
pub use said::{Said, Sent};

use crate::announcement::Announcement;
use crate::api::{Command, Event, Point, Timer};
use crate::config::Config;
use crate::error::Error;
use crate::group::{Broadcast, GroupKey};
use crate::lan::Island;
use crate::manifest::Checker;
use crate::mesh::Mesh;
use crate::playout::Playout;
use crate::seal::Seal;
use crate::view::View;
use crate::wire::MemberId;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Cx, Duration, Input, Instant, IoError, Machine, OpId, OpInput, SocketId, Tokens};
use questions::Questions;
use repair::Repair;
use source::Source;
use tree::Tree;
use viewers::Viewer;
use witness::Witness;

type Context<'a> = Cx<'a, Esm>;

/// An answer may be late by so much.
const SLACK: Duration = Duration::from_millis(100);

/// A member of a group: its source, or one that watches and passes on.
#[derive(Debug)]
pub struct Esm {
    config: Arc<Config>,
    me: MemberId,
    socket: Option<SocketId>,
    bound: Option<Result<SocketAddr, IoError>>,
    tokens: Tokens,
    view: View,
    questions: Questions,
    state: State,
    lan: Option<Island>,
    counts: Counts,
}

#[derive(Debug)]
enum State {
    Idle,
    Greeting { op: OpId, group: GroupKey, by: Vec<SocketAddr>, at: usize },
    Live(Box<Live>),
}

/// A broadcast that the member takes part in.
#[derive(Debug)]
struct Live {
    tag: [u8; 4],
    announcement: Announcement,
    broadcast: Broadcast,
    checker: Checker,
    playout: Playout,
    trees: Vec<Tree>,
    source: Option<Source>,
    repair: Repair,
    witness: Witness,
    /// One behind the newest generation that is signed.
    signed: u64,
    /// Until then parents are asked to stamp what they send: somebody sent symbols in the name of one.
    wary: Instant,
    /// Whom it joined by: they are asked again should nobody else be known.
    doors: Vec<SocketAddr>,
    /// Who waits for a place in every tree.
    joining: Option<OpId>,
    /// Whoever is given the stream.
    viewers: Vec<Viewer>,
    /// Of a closed group whose key we have.
    seal: Option<Seal>,
    /// Symbols in a second, all trees together, that it may send.
    copies: u16,
    /// The tree in which it passes symbols on: one of them, so that who fails is missed in one tree only.
    own: usize,
    next_probe: Instant,
    next_place: Instant,
    next_better: Instant,
    next_gone: Instant,
    next_colour: Instant,
    /// If parents follow from one.
    mesh: Option<Box<Mesh>>,
    /// When the timer fires that looks after places.
    tick_at: Instant,
    /// When the one does that moves the output on.
    play_at: Instant,
    leaving: Option<(Option<OpId>, Instant)>,
}

impl Esm {
    /// A member that takes part in nothing yet.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>) -> Self {
        Self {
            config: config.into(),
            me: MemberId(0),
            socket: None,
            bound: None,
            tokens: Tokens::default(),
            view: View::default(),
            questions: Questions::default(),
            state: State::Idle,
            lan: None,
            counts: Counts::default(),
        }
    }

    /// What it counted.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Where its parents are reached, tree by tree; those that rest do not count.
    pub fn parents(&self) -> impl Iterator<Item = Option<SocketAddr>> {
        let live = if let State::Live(live) = &self.state { Some(live) } else { None };
        live.into_iter()
            .flat_map(|live| &live.trees)
            .map(|tree| tree.parent.as_ref().filter(|parent| !parent.rests).map(|parent| parent.addr))
    }

    /// Where its children are reached, tree by tree.
    pub fn children(&self) -> impl Iterator<Item = Vec<SocketAddr>> {
        let live = if let State::Live(live) = &self.state { Some(live) } else { None };
        live.into_iter()
            .flat_map(|live| &live.trees)
            .map(|tree| tree.children.iter().map(|child| child.addr).collect())
    }

    /// Milliseconds from the source to it, tree by tree, as far as it knows.
    pub fn delays(&self) -> impl Iterator<Item = Option<u16>> {
        let live = if let State::Live(live) = &self.state { Some(live) } else { None };
        live.into_iter()
            .flat_map(|live| &live.trees)
            .map(|tree| tree.parent.as_ref().map(tree::Parent::delay))
    }

    /// Reads something of each part of memory that the next symbol needs: for
    /// [`Sim::look_into`](https://docs.rs/p2p-sim) and drivers like it. The number means nothing.
    #[must_use]
    pub fn touch(&self) -> u64 {
        let State::Live(live) = &self.state else { return 0 };
        let next = live.playout.held(live.playout.position(), 0).map_or(0, |held| held.len() as u64);
        let parent = |tree: &Tree| tree.parent.as_ref().map_or(0, |parent| parent.place.path.len() as u64);
        let child = |tree: &Tree| tree.children.first().map_or(0, |child| u64::from(child.token));
        let trees = live.trees.iter().fold(0, |sum, tree| sum ^ parent(tree) ^ child(tree));
        next ^ trees ^ live.signed ^ live.tick_at.as_nanos()
    }

    fn live(&mut self) -> Option<&mut Live> {
        match &mut self.state {
            State::Live(live) => Some(live),
            State::Idle | State::Greeting { .. } => None,
        }
    }

    fn tag(&self) -> Option<[u8; 4]> {
        match &self.state {
            State::Idle => None,
            State::Greeting { group, .. } => Some(group.tag()),
            State::Live(live) => Some(live.tag),
        }
    }

    fn command(&mut self, op: OpId, command: Command, cx: &mut Context<'_>) {
        match command {
            Command::Broadcast => self.broadcast(op, cx),
            Command::Send(packets) => self.publish(op, packets, false, cx),
            Command::SendLast(packets) => self.publish(op, packets, true, cx),
            Command::Join { group, by } => self.join(op, group, by, cx),
            Command::Watch => self.watch(op, Point::Now, cx),
            Command::WatchFrom(from) => self.watch(op, from, cx),
            Command::Look => self.look(op, cx),
            Command::Leave => self.leave(Some(op), cx),
        }
    }

    fn cancelled(&mut self, op: OpId, cx: &mut Context<'_>) {
        if self.viewer_is_gone(op, cx) || self.is_not_sent(op, cx) {
            return;
        }
        match &mut self.state {
            State::Greeting { op: greeting, .. } if *greeting == op => {
                self.state = State::Idle;
                self.exit_lan(cx);
                cx.finish(op, Err(Error::Cancelled));
            }
            // It stays a member: whoever joined may have a stream to watch yet.
            State::Live(live) if live.joining == Some(op) => {
                live.joining = None;
                cx.finish(op, Err(Error::Cancelled));
            }
            State::Live(live) => {
                if let Some((leaving, _)) = &mut live.leaving
                    && *leaving == Some(op)
                {
                    *leaving = None;
                    cx.finish(op, Err(Error::Cancelled));
                }
            }
            State::Idle | State::Greeting { .. } => {}
        }
    }
}

impl Machine for Esm {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => {
                self.me = MemberId(cx.rng().bits());
                let now = cx.now();
                self.tokens = Tokens::draw(cx.rng(), now);
                self.socket = Some(cx.bind(self.config.listen));
            }
            Input::Bound(socket, bound) if Some(socket) == self.socket => {
                self.bound = Some(bound);
                match bound {
                    Ok(addr) => {
                        cx.tell(Event::Listening(addr));
                        self.greet_next(cx);
                    }
                    Err(error) => {
                        self.socket = None;
                        self.end(Error::NoSocket(error), cx);
                    }
                }
            }
            Input::Bound(socket, bound) => self.lan_bound(socket, bound, cx),
            Input::Datagram(socket, datagram) if self.is_by_group(socket) => self.by_group(&datagram, cx),
            Input::Datagram(_, datagram) => self.datagram(&datagram, cx),
            Input::Timer(timer) => match timer {
                Timer::Overdue => {
                    for question in self.questions.overdue(cx.now()) {
                        self.unanswered(question, cx);
                    }
                    self.wake(cx);
                    self.pace(cx);
                }
                Timer::Tick => self.tick(cx),
                Timer::Flush => self.flush(cx),
                Timer::Pace => self.pour(cx),
                Timer::Lan => {
                    self.lan_tick(cx);
                    self.pace(cx);
                }
                Timer::Playout => {
                    if let Some(live) = self.live() {
                        live.play_at = Instant::ZERO;
                    }
                    self.play(cx);
                }
                Timer::Repair => self.repair(cx),
            },
            Input::Op(op, OpInput::Ask(command)) => self.command(op, command, cx),
            Input::Op(op, OpInput::Cancel) => self.cancelled(op, cx),
            Input::Stop => match self.state {
                State::Live(_) => self.leave(None, cx),
                State::Idle | State::Greeting { .. } => {
                    self.end(Error::Stopped, cx);
                    cx.halt();
                }
            },
            Input::Op(op, OpInput::Full) => self.viewer_is(op, true, cx),
            Input::Op(op, OpInput::Ready) => self.viewer_is(op, false, cx),
            Input::Stream(..) | Input::Listener(..) | Input::Resolved(..) | Input::Job(..) => {}
        }
    }
}
