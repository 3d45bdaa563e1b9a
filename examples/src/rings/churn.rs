//! Nodes come and go: Stoica et al. 2003, table III, and crashes as in Rhea et al. 2004 (Bamboo).
//!
//! # When a lookup is wrong
//!
//! The paper's lookup succeeds if it reaches the node that is the current successor of the place. Here the simulator, which
//! sees everything, watches who that is: the first node behind the place that lives and is a member. A node is one from the
//! moment its join is finished, as it is told who asked it to join, until it crashes, or ends to leave and so tells
//! nobody any more that it is there. Nothing is left out: neither newcomers whom nobody knows yet nor dead nodes that
//! nobody misses yet.
//!
//! A lookup rests on a last word: the packet upon whose arrival it ends. Two things are asked of the node that it names:
//! - was it responsible when that packet was *sent*? This is the paper's question ([`Course::wrong`]), as strict as it can be
//!   put where messages take time: it is not enough to have been responsible at some moment of the lookup.
//! - was it still, when the packet *arrived*? This is more than anybody can promise: somebody who says that it lives
//!   may crash while that is under way. Those that were overtaken are [`Course::gone`] and [`Course::preceded`]; with
//!   delays of 40 ms and sessions of a mean of 10 minutes, 0.7 of 10,000 at the least, with 2 minutes 3.3.
//!
//! A lookup that ends without a result counts against both.

mod verdict;
mod watch;
mod words;

use super::profile::PORT;
use super::{Profile, Settled};
use p2p_chord::{Chord, Command, Event, Peer, Report, RingId};
use p2p_core::{Duration, Instant, OpId, Rng};
use p2p_sim::churn::{Arrivals, Session};
use p2p_sim::{NodeIx, Sim, Uniform};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use verdict::History;
use words::Words;

/// How nodes come and go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Going {
    /// So many a second join, and as many leave and say so, both at random times.
    Leave(f64),
    /// Each stays for a session and crashes; another one joins at once in its place.
    Crash(Session),
}

/// A ring with churn.
#[derive(Debug, Clone, Copy)]
pub struct Churn {
    /// Nodes, about.
    pub nodes: usize,
    /// How they come and go.
    pub going: Going,
    /// How nodes are set.
    pub profile: Profile,
    /// Lookups that count.
    pub lookups: usize,
    /// How many of them begin a second, at random times from random members.
    pub rate: f64,
    /// How long it goes on before lookups count.
    pub warm_up: Duration,
}

/// What became of the lookups, and what it all cost.
#[derive(Debug, Clone, Default)]
pub struct Course {
    /// Lookups.
    pub lookups: usize,
    /// Lookups that named a node that was not responsible when the last word was given on which they rest.
    pub wrong: usize,
    /// Lookups that named one that was, and crashed or left before that word arrived.
    pub gone: usize,
    /// Lookups that named one that was, before which another one finished its join until that word arrived.
    pub preceded: usize,
    /// Lookups that ended without a result.
    pub failed: usize,
    /// Sums over all lookups with a result.
    pub hops: u64,
    /// Questions that were not answered in time, of all lookups.
    pub timeouts: u64,
    /// Seconds that the lookups with a result took, in all.
    pub seconds: f64,
    /// The longest of them.
    pub slowest: f64,
    /// Nodes that joined, and those that could not.
    pub joined: (usize, usize),
    /// Node-seconds of which messages and bytes are counted.
    pub node_seconds: f64,
    /// Datagrams sent by all nodes while lookups counted: everything, lookups too.
    pub messages: u64,
    /// Their bytes, with 28 of heads of IP and UDP for each.
    pub bytes: u64,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
    /// What is known of each lookup that was not right, and of each that failed.
    pub faults: Vec<String>,
}

impl Course {
    /// Lookups that named a node that was not responsible when they ended, and those that failed.
    #[must_use]
    pub const fn missed(&self) -> usize {
        self.wrong + self.gone + self.preceded + self.failed
    }

    /// Messages that a node sends a second.
    #[must_use]
    pub fn messages_rate(&self) -> f64 {
        self.messages as f64 / self.node_seconds
    }

    /// Bytes that a node sends a second.
    #[must_use]
    pub fn bytes_rate(&self) -> f64 {
        self.bytes as f64 / self.node_seconds
    }

    /// Of 10,000 lookups so many.
    #[must_use]
    pub fn of_10_000(&self, lookups: usize) -> f64 {
        lookups as f64 * 1e4 / self.lookups.max(1) as f64
    }
}

/// Heads of IPv4 and UDP.
const HEADS: u64 = 28;
/// How long a node runs on after it left.
const LINGER: Duration = Duration::from_secs(1);
/// How closely it is watched who is responsible.
const STEP: Duration = Duration::from_millis(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Arrive,
    Depart,
    Crash(NodeIx),
    Lookup,
}

struct Lookup {
    target: RingId,
    began: Instant,
    history: History,
    /// If it counts.
    counts: bool,
}

/// When, to whom, for which lookup, and what.
type Told = Arc<Mutex<Vec<(Instant, NodeIx, OpId, Peer, Report)>>>;

struct Run<'a> {
    churn: &'a Churn,
    sim: Sim<Chord>,
    rng: Rng,
    /// All that live and were members, or will be.
    places: BTreeMap<RingId, NodeIx>,
    alive: Vec<NodeIx>,
    joining: Vec<(OpId, NodeIx)>,
    /// When those joined that did.
    since: BTreeMap<NodeIx, Instant>,
    leaving: Vec<(OpId, NodeIx)>,
    /// Those that left, and when they end: somebody may not have heard them yet.
    left: Vec<(Instant, NodeIx)>,
    under_way: BTreeMap<OpId, Lookup>,
    agenda: BTreeMap<(Instant, u64), Happens>,
    number: u64,
    told: Told,
    words: Words,
    course: Course,
}

impl Churn {
    /// Runs it.
    #[must_use]
    pub fn run(&self, seed: u64) -> Course {
        let words = Words::default();
        let ring = Settled::new(seed, self.nodes, &self.profile, words.over(Uniform::ms(20..60)), None);
        let mut sim = ring.sim;
        let told = Told::default();
        let tell = told.clone();
        sim.on_event(move |now, node, op, event| {
            if let (Some(op), Event::Owners { owners, report, .. }) = (op, event)
                && let Ok(mut told) = tell.lock()
                && let Some(owner) = owners.first()
            {
                told.push((now, node, op, *owner, *report));
            }
            false
        });
        let mut run = Run {
            churn: self,
            rng: Rng::fast_from(seed ^ 0xc4),
            places: ring.members.iter().map(|(peer, node)| (peer.id(), *node)).collect(),
            alive: sim.nodes().collect(),
            sim,
            joining: Vec::new(),
            since: BTreeMap::new(),
            leaving: Vec::new(),
            left: Vec::new(),
            under_way: BTreeMap::new(),
            agenda: BTreeMap::new(),
            number: 0,
            told,
            words,
            course: Course::default(),
        };
        run.go();
        run.course.digest = run.sim.digest();
        run.course
    }
}

impl Run<'_> {
    fn plan(&mut self, at: Instant, what: Happens) {
        self.number += 1;
        self.agenda.insert((at, self.number), what);
    }

    /// The next of independent events, so many a second.
    fn next(&mut self, per_second: f64, what: Happens) {
        let at = Arrivals::Poisson { per_second }.draw(1, self.sim.now(), &mut self.rng)[0];
        self.plan(at, what);
    }

    fn stay(&mut self, node: NodeIx) {
        if let Going::Crash(session) = self.churn.going {
            let at = self.sim.now() + session.draw(&mut self.rng);
            self.plan(at, Happens::Crash(node));
        }
    }

    fn go(&mut self) {
        match self.churn.going {
            Going::Leave(rate) => {
                self.next(rate, Happens::Arrive);
                self.next(rate, Happens::Depart);
            }
            Going::Crash(_) => self.alive.clone().into_iter().for_each(|node| self.stay(node)),
        }
        self.next(self.churn.rate, Happens::Lookup);
        let warm = self.sim.now() + self.churn.warm_up;
        let mut before = None;
        while self.course.lookups < self.churn.lookups {
            let now = self.sim.now();
            if now >= warm {
                let traffic = self.sim.traffic().datagrams;
                let from = *before.get_or_insert((traffic.sent, traffic.sent_bytes));
                self.course.messages = traffic.sent - from.0;
                self.course.bytes = traffic.sent_bytes - from.1 + HEADS * self.course.messages;
                self.course.node_seconds += self.alive.len() as f64 * STEP.as_secs_f64();
            }
            self.sim.run_until(now + STEP);
            self.watch();
            while let Some((&(at, number), &what)) = self.agenda.first_key_value() {
                if at > self.sim.now() {
                    break;
                }
                self.agenda.remove(&(at, number));
                self.happen(what, self.sim.now() >= warm);
            }
            self.watch_owners(self.sim.now());
        }
    }

    fn happen(&mut self, what: Happens, counts: bool) {
        match (what, self.churn.going) {
            (Happens::Arrive, Going::Leave(rate)) => {
                self.next(rate, what);
                self.arrive();
            }
            (Happens::Depart, Going::Leave(rate)) => {
                self.next(rate, what);
                let members: Vec<NodeIx> = self.members();
                if let Some(node) = self.rng.choose(&members).copied() {
                    let op = self.sim.ask(node, Command::Leave);
                    self.leaving.push((op, node));
                }
            }
            (Happens::Crash(node), _) => {
                self.bury(node);
                self.arrive();
            }
            (Happens::Lookup, _) => {
                self.next(self.churn.rate, what);
                let members = self.members();
                let Some(node) = self.rng.choose(&members).copied() else { return };
                let target = RingId::random(&mut self.rng);
                let began = self.sim.now();
                let op = self.sim.ask(node, Command::Lookup(target));
                self.under_way.insert(op, Lookup { target, began, history: History::default(), counts });
            }
            _ => {}
        }
    }

    /// Members that are not about to leave.
    fn members(&self) -> Vec<NodeIx> {
        let leaves = |node: &NodeIx| self.leaving.iter().any(|(_, leaver)| leaver == node);

        self.alive.iter().copied().filter(|node| self.is_member(*node) && !leaves(node)).collect()
    }

    fn is_member(&self, node: NodeIx) -> bool {
        self.sim.is_alive(node) && self.sim.machine(node).is_member()
    }

    fn arrive(&mut self) {
        let members = self.members();
        let by: Vec<SocketAddr> = (0..3)
            .filter_map(|_| self.rng.choose(&members).map(|node| SocketAddr::new(self.sim.addr(*node), PORT)))
            .collect();
        let config = self.churn.profile.config();
        let network = config.network;
        let node = self.sim.add(Chord::new(config));
        self.sim.run_for(Duration::from_nanos(1));
        let peer = Peer::new(network, SocketAddr::new(self.sim.addr(node), PORT));
        self.places.insert(peer.id(), node);
        self.alive.push(node);
        let op = self.sim.ask(node, Command::Join(by));
        self.joining.push((op, node));
        self.stay(node);
    }

    fn bury(&mut self, node: NodeIx) {
        self.sim.kill(node);
        self.alive.retain(|other| *other != node);
        self.places.retain(|_, other| *other != node);
        // Nobody waits for its lookups any more.
        let sim = &self.sim;
        self.under_way.retain(|op, _| sim.node_of(*op) != Some(node));
    }
}
