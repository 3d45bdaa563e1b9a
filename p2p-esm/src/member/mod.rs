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
mod colour;
mod flow;
mod gossip;
mod join;
mod lan;
mod looks;
mod pace;
mod parents;
mod precedence;
mod questions;
mod repair;
mod source;
mod tree;
mod viewers;
mod witness;

use crate::announcement::Announcement;
use crate::api::{Command, Event, Point, Timer};
use crate::config::Config;
use crate::error::Error;
use crate::group::{Broadcast, GroupKey};
use crate::lan::Island;
use crate::manifest::{self, Checker};
use crate::playout::Playout;
use crate::seal::Seal;
use crate::symbol;
use crate::view::View;
use crate::wire::{self, Answer, Ask, FIRST_WORD, MemberId, Packet, Refusal, Tell, TreeStatus};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{Cx, Datagram, Duration, Input, Instant, IoError, Machine, OpId, OpInput, SocketId, Tokens};
use questions::{Purpose, Question, Questions, UNKNOWN};
use repair::Repair;
use source::Source;
use tree::Tree;
use viewers::Viewer;
use witness::Witness;

type Context<'a> = Cx<'a, Esm>;

/// An answer may be late by so much.
const SLACK: Duration = Duration::from_millis(100);
/// Questions under way at most.
const MOST_QUESTIONS: usize = 256;

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
    /// When the timer fires that looks after places.
    tick_at: Instant,
    leaving: Option<(Option<OpId>, Instant)>,
}

/// What a member counted since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Symbols that were new.
    pub symbols: u64,
    /// Symbols that were here already, or came when their generation was forgotten: those that came down a tree.
    pub twice: u64,
    /// The same of those that may have been asked for: they came from who is no parent in their tree.
    pub asked_twice: u64,
    /// Manifests that were here already.
    pub signed_twice: u64,
    /// Datagrams that are of no use: symbols and manifests that the source did not sign, or nobody expects; what has no
    /// valid token, and what is no packet of the group.
    pub bad: u64,
    /// Answers that nobody asked for, or that came too late.
    pub unasked: u64,
    /// Symbols sent on, or sent again.
    pub sent: u64,
    /// Their bytes, and those of manifests, heads of UDP and IP not counted.
    pub sent_bytes: u64,
    /// Bytes of everything else that was sent, heads of UDP and IP not counted.
    pub control: u64,
    /// Datagrams of everything else.
    pub control_sent: u64,
    /// Parents that were lost.
    pub lost_parents: u64,
    /// Parents that were left because of what they sent.
    pub liars: u64,
    /// Parents that were left because they brought too little.
    pub poor: u64,
    /// How often it took another tree for its own.
    pub recoloured: u64,
    /// Symbols and manifests sent to the group of the LAN.
    pub multicast: u64,
    /// Symbols that came by the group of the LAN.
    pub group: u64,
    /// Those of them that were here already.
    pub group_twice: u64,
    /// Beacons sent.
    pub beacons: u64,
    /// What came to the group from farther away than the LAN, or by another interface.
    pub far: u64,
}

impl Counts {
    fn sends(&mut self, copies: u64, len: usize) {
        self.sent += copies;
        self.sent_bytes += copies * len as u64;
    }
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

    fn send(&mut self, to: SocketAddr, datagram: Bytes, cx: &mut Context<'_>) {
        if let Some(socket) = self.socket {
            self.counts.control += datagram.len() as u64;
            self.counts.control_sent += 1;
            cx.send_to(socket, to, datagram);
        }
    }

    /// Asks, with what is known of the one that is asked. Gives nothing back: what comes of it is an input.
    fn ask(&mut self, to: SocketAddr, ask: Ask, purpose: Purpose, cx: &mut Context<'_>) {
        self.ask_within(to, ask, purpose, None, cx);
    }

    fn ask_within(
        &mut self,
        to: SocketAddr,
        ask: Ask,
        purpose: Purpose,
        patience: Option<Duration>,
        cx: &mut Context<'_>,
    ) {
        let Some(tag) = self.tag() else { return };
        if self.questions.len() >= MOST_QUESTIONS {
            return;
        }
        let known = self.view.get(to);
        let token = known.map_or(0, |known| known.token);
        let usual = known.and_then(|known| known.round_trip).map_or(UNKNOWN, |took| took * 2 + SLACK);
        let now = cx.now();
        // Any number will do that nobody can guess.
        let transaction = cx.rng().bits() as u32;
        let due = now + patience.unwrap_or(usual);
        self.questions.push(Question { transaction, to, asked: now, due, purpose, proved: token != 0 });
        let padding = if token == 0 { FIRST_WORD } else { 0 };
        let packet = Packet::Ask { transaction, token, from: self.me, ask };
        self.send(to, packet.encode(tag, padding), cx);
        self.wake(cx);
    }

    fn wake(&self, cx: &mut Context<'_>) {
        if let Some(due) = self.questions.due() {
            cx.set_timer_at(Timer::Overdue, due);
        }
    }

    fn tell(&mut self, to: SocketAddr, token: u32, tell: Tell, cx: &mut Context<'_>) {
        let Some(tag) = self.tag() else { return };
        let packet = Packet::Tell { token, from: self.me, tell };
        self.send(to, packet.encode(tag, 0), cx);
    }

    /// Tells a member whose token we have from its answers.
    fn tell_known(&mut self, to: SocketAddr, tell: Tell, cx: &mut Context<'_>) {
        let token = self.view.get(to).map_or(0, |known| known.token);
        self.tell(to, token, tell, cx);
    }

    fn datagram(&mut self, datagram: &Datagram, cx: &mut Context<'_>) {
        match datagram.data.first() {
            Some(&symbol::KIND) => self.symbol(datagram, cx),
            Some(&manifest::KIND) => {
                self.manifest(datagram, false, cx);
            }
            Some(&wire::KIND) => {
                self.packet(datagram, cx);
                self.pace(cx);
            }
            _ => self.counts.bad += 1,
        }
    }

    fn packet(&mut self, datagram: &Datagram, cx: &mut Context<'_>) {
        let Some(tag) = self.tag() else { return };
        let Ok(packet) = Packet::decode(&datagram.data, tag) else {
            self.counts.bad += 1;
            return;
        };
        let peer = datagram.peer;
        match packet {
            Packet::Ask { transaction, token, from, ask } => {
                if from == self.me {
                    return;
                }
                let now = cx.now();
                let proved = self.tokens.is_of(token, peer, now);
                let mut answer = if proved || matches!(ask, Ask::Hello | Ask::Probe) {
                    self.answer(peer, from, ask, cx)
                } else {
                    Answer::Prove
                };
                let reply = |answer| Packet::Answer {
                    transaction,
                    token: self.tokens.of(peer, now),
                    from: self.me,
                    answer,
                };
                let mut wire = reply(answer.clone()).encode(tag, 0);
                if !proved && wire.len() > datagram.data.len() {
                    answer = Answer::Prove;
                    wire = reply(answer).encode(tag, 0);
                }
                // What is shorter than an answer can be is no question of ours.
                if proved || wire.len() <= datagram.data.len() {
                    self.send(peer, wire, cx);
                }
                if proved {
                    self.view.note(from, peer, now);
                }
            }
            Packet::Answer { transaction, token, from, answer } => {
                let Some(question) = self.questions.answered(transaction, peer) else {
                    self.counts.unasked += 1;
                    return;
                };
                self.wake(cx);
                let now = cx.now();
                if self.questions.ends_silence() {
                    self.seek_anew(now);
                }
                let took = now.since(question.asked);
                self.view.note(from, peer, now);
                if let Some(known) = self.view.get_mut(peer) {
                    known.token = token;
                    known.silent = 0;
                    known.round_trip = Some(known.round_trip.map_or(took, |mean| (mean * 7 + took) / 8));
                }
                self.answered(question, from, answer, cx);
            }
            Packet::Tell { token, from, tell } => {
                if self.tokens.is_of(token, peer, cx.now()) {
                    self.told(peer, from, tell, cx);
                } else {
                    self.counts.bad += 1;
                }
            }
        }
    }

    fn answer(&mut self, peer: SocketAddr, from: MemberId, ask: Ask, cx: &mut Context<'_>) -> Answer {
        match ask {
            Ask::Hello => self.describe(peer, cx),
            Ask::Probe => self.status(peer, cx),
            Ask::Adopt { tree, token, as_child, flow } => {
                self.adopt((from, peer), (tree, flow), token, as_child, cx)
            }
        }
    }

    fn answered(&mut self, question: Question, from: MemberId, answer: Answer, cx: &mut Context<'_>) {
        let to = question.to;
        match (answer, question.purpose) {
            (Answer::Prove, _) if !question.proved => self.ask_again(question, cx),
            (Answer::Broadcast { announcement, heard, oldest, sample }, Purpose::Hello) => {
                self.view.learn(&sample, cx.now());
                self.greeted(&announcement, (heard, oldest), cx);
            }
            (Answer::Status { heard, trees, sample }, purpose) => {
                self.ask_for_newer(to, heard, cx);
                let now = cx.now();
                self.view.learn(&sample, now);
                // Who is in no tree time and again, as most hosts of a LAN, is nobody's parent: others need not be told of
                // it.
                let is_outside = |trees: &[TreeStatus]| trees.iter().all(|tree| tree.depth == u8::MAX);
                let mut is_of_use = true;
                if let Some(known) = self.view.get_mut(to) {
                    let was_outside = known.status.as_ref().is_some_and(|(_, trees)| is_outside(trees));
                    is_of_use = !(was_outside && is_outside(&trees));
                    known.status = Some((now, trees));
                }
                if !is_of_use && purpose == Purpose::Probe && !self.is_near(to, now) {
                    self.view.forget(to, now);
                }
                if let Purpose::Child(_) = purpose {
                    self.child_answered(to, now);
                }
                if purpose == Purpose::Probe {
                    self.seek_all(cx);
                }
            }
            (Answer::Adopted(place), Purpose::Doubt(tree)) => {
                self.stays(tree, to, cx);
                self.placed(to, tree, place, cx);
            }
            // It looks for a parent itself: all of its children would only be in its way.
            (Answer::Refused { why: Refusal::Unsettled, .. }, Purpose::Doubt(tree)) => {
                self.trusted(tree, to, cx)
            }
            (Answer::Refused { why: _, instead }, Purpose::Doubt(tree)) => {
                self.view.learn(&instead, cx.now());
                self.lost(tree, to, cx);
            }
            (Answer::Adopted(place), Purpose::Adopt(tree)) => {
                self.adopted(tree, (from, to), place, false, cx)
            }
            (Answer::Adopted(place), Purpose::Better(tree)) => {
                self.adopted(tree, (from, to), place, true, cx)
            }
            (Answer::Refused { why, instead }, Purpose::Adopt(tree) | Purpose::Better(tree)) => {
                self.view.learn(&instead, cx.now());
                self.refused(tree, to, why, cx);
            }
            _ => self.unanswered(question, cx),
        }
    }

    /// The first time it was asked without a token; now there is one.
    fn ask_again(&mut self, question: Question, cx: &mut Context<'_>) {
        let ask = match question.purpose {
            Purpose::Hello => Ask::Hello,
            Purpose::Probe | Purpose::Child(_) => Ask::Probe,
            Purpose::Adopt(tree) | Purpose::Better(tree) | Purpose::Doubt(tree) => {
                self.adopt_me(question.to, tree, cx.now())
            }
        };
        self.ask(question.to, ask, question.purpose, cx);
    }

    /// Nobody answered, or not what was asked.
    fn unanswered(&mut self, question: Question, cx: &mut Context<'_>) {
        match question.purpose {
            Purpose::Hello => self.greet_next(cx),
            Purpose::Probe => self.view.unanswered(question.to, cx.now() + SLACK),
            Purpose::Child(tree) => self.child_is_silent(question.to, tree, cx),
            // It sent something meanwhile: the answer was lost, or is late.
            Purpose::Doubt(tree) if self.was_fed(tree, question.to, question.asked) => {
                self.trusted(tree, question.to, cx);
            }
            Purpose::Doubt(tree) => {
                self.view.forget(question.to, cx.now());
                if self.is_parent(question.to, tree) {
                    // Should it be there after all, it is not to send to us what another one does.
                    self.tell_known(question.to, Tell::Gone { trees: 1 << tree }, cx);
                }
                self.lost(tree, question.to, cx);
            }
            Purpose::Adopt(tree) | Purpose::Better(tree) => {
                self.view.unanswered(question.to, cx.now() + SLACK);
                self.turned_down(tree, question.to, cx);
            }
        }
    }

    fn told(&mut self, peer: SocketAddr, from: MemberId, tell: Tell, cx: &mut Context<'_>) {
        match tell {
            Tell::Place { tree, place, heard } => {
                if self.is_parent(peer, tree) {
                    self.ask_for_newer(peer, heard, cx);
                }
                self.placed(peer, tree, place, cx);
            }
            Tell::Move { tree, to } => self.sent_away(peer, tree, to, cx),
            Tell::Here { trees, claim } => self.child_is_here((peer, from), trees, claim, cx.now()),
            Tell::Gone { trees } => self.child_is_gone(peer, trees),
            Tell::Miss(wants) => self.missed(peer, &wants, cx),
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
                Timer::Playout => self.play(cx),
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
