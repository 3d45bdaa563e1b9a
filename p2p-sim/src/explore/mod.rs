//! Every order of events there is, over real machines: [`Explorer`].
//!
//! A simulation takes one course of many. An explorer takes them all: from a state of a few machines it tries each
//! letter (datagram) on its way, each timer that may ring, each crash and each return as the next step, and goes on from
//! every state that it did not see before. Machines are the real ones; what it must be told of them are [`Rules`]. It
//! checks that a rule holds in every state, and that from every state a goal is reached once nobody crashes or comes up
//! any more; if not, a [`Counterexample`] lists the steps that lead there.
//!
//! # What is explored
//!
//! - **Letters** overtake each other at will, and are lost only when their receiver crashes. A letter to a node that is
//!   down is lost at once. Machines with streams, jobs or names to resolve are not for this explorer.
//! - **Time** stands still at [`NOW`]. Which timers may ring is said by the rules, and what the passing of time would
//!   have changed in a machine is done by [`Rules::prepare`]. A rule by which a question fails only if whoever was asked
//!   is down is perfect failure detection.
//! - **Crashes and returns** are bounded by [`Explorer::crashes`] and [`Explorer::boots`]. What is left of both counts as
//!   part of a state.
//! - **Dice** are seeded by node and by how many inputs it had, so that numbers drawn to tell things apart do tell them
//!   apart, and two states that differ in nothing else are one if the rules leave the numbers out. Choices that a machine
//!   leaves to its dice are not explored: one of them is taken.
//! - **Convergence**: from each state in which nothing is under way, rounds are run in which every periodic timer rings
//!   once, node by node, until the goal holds. Every other state comes to such a one by steps that are explored (were
//!   there a circle of steps without periodic timers, the explorer would say that there is no rest). So the goal can be
//!   reached from every state; that nothing leads away from it again is for [`Rules::check`] or a longer exploration.
//!
//! # What makes it smaller, and why that is sound
//!
//! - States are told apart by 128 bits of what counts in them: nodes by number, letters as a heap without order. With
//!   10^8 states the chance that any two of them are taken for one is below 10^-22.
//! - Nodes are told apart by number only, so rules leave out names that mean nothing else (the numbers of questions).
//! - A step may carry with it what commutes with all that could happen before it: [`Rules::is_prompt`] for letters and
//!   [`Rules::prompt_nudge`] for timers. That is Lipton's reduction (1975, "Reduction: a method of proving properties of
//!   parallel programs"): if the sending is a right mover up to the arrival (nobody sees the difference that it makes to
//!   the sender, and nothing that it depends on changes), or the arrival is a left mover back to the sending (it has the
//!   same effect at any time), then each course is equal to one in which both happen together. It is for the rules to
//!   show that; [`Explored::rests_sum`] of a small case with and without tells whether any state of rest was lost.
//! - No other order is left out: letters to one node do not commute, and another node could always send it one more.

mod rules;
mod trail;
mod world;

pub use rules::Rules;
pub use trail::Counterexample;
pub use world::{Letter, NOW, Node, Nudge, World};

use p2p_core::Machine;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;

/// In which order states are visited. All of them are in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// The nearest first: a counterexample is as short as can be.
    Breadth,
    /// The newest first: few states are kept in memory.
    Depth,
}

/// Visits every state that a few machines can get into.
pub struct Explorer<M: Machine + Clone, R: Rules<M>> {
    start: World<M>,
    rules: R,
    order: Order,
    most: usize,
    rounds: usize,
}

/// What was visited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// Different states.
    pub states: usize,
    /// Steps from one to another, or back to the same.
    pub transitions: u64,
    /// States with nothing under way, from each of which the goal was reached, as far as [`Rules::rest`] tells them apart.
    pub rests: usize,
    /// The sum of their fingerprints: explorations that come to rest in the same states have the same.
    pub rests_sum: u128,
    /// Rounds that took at most.
    pub rounds: usize,
    /// Whether these are all states there are.
    pub complete: bool,
}

impl<M: Machine + Clone, R: Rules<M>> std::fmt::Debug for Explorer<M, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explorer").field("start", &self.start).finish_non_exhaustive()
    }
}

impl<M: Machine + Clone, R: Rules<M>> Explorer<M, R> {
    /// Nodes at these addresses, all of them down.
    pub fn new(addrs: impl IntoIterator<Item = SocketAddr>, rules: R) -> Self {
        let start = World::new(addrs.into_iter().collect());
        Self { start, rules, order: Order::Breadth, most: usize::MAX, rounds: 64 }
    }

    /// A node is up in the beginning.
    pub fn up(&mut self, node: usize, machine: M, command: Option<M::Command>) {
        self.start.boot(node, machine, command);
        self.start.prompt(&self.rules);
    }

    /// Before it begins, every timer rings so many times and all comes to rest each time.
    ///
    /// # Panics
    /// If it does not.
    pub fn settle(&mut self, rounds: usize) {
        for _ in 0..rounds {
            let rest = self.start.come_to_rest(&self.rules).and_then(|_| self.start.round(&self.rules));
            assert!(rest.is_some(), "no rest in the beginning");
        }
    }

    /// Crashes that may happen.
    pub const fn crashes(&mut self, crashes: u8) {
        self.start.crashes = crashes;
    }

    /// How often nodes that are down may come up, all of them together.
    pub const fn boots(&mut self, boots: u8) {
        self.start.boots = boots;
    }

    /// In which order states are visited: breadth first unless said.
    pub const fn order(&mut self, order: Order) {
        self.order = order;
    }

    /// States to visit at most.
    pub const fn most(&mut self, states: usize) {
        self.most = states;
    }

    /// Rounds in which the goal must be reached from a state with nothing under way: 64 unless said.
    pub const fn rounds(&mut self, rounds: usize) {
        self.rounds = rounds;
    }

    /// The state in which it begins.
    pub const fn start(&self) -> &World<M> {
        &self.start
    }

    /// Visits the states.
    ///
    /// # Errors
    /// The first state that breaks a rule, or from which the goal is not reached, and how it came about.
    pub fn run(&self) -> Result<Explored, Box<Counterexample>> {
        let mut run = Run::new(&self.rules, self.rounds);
        let mut start = self.start.clone();
        let mut steps = Vec::new();
        let mut open = VecDeque::new();
        run.visit(&mut start, (0, 0)).map_err(|fault| self.trail(&run, fault))?;
        open.push_back((0_u32, start));
        while let Some((id, world)) = match self.order {
            Order::Breadth => open.pop_front(),
            Order::Depth => open.pop_back(),
        } {
            world.steps(&self.rules, &mut steps);
            for (number, step) in steps.iter().enumerate() {
                let mut next = world.clone();
                next.apply(*step, &self.rules);
                run.explored.transitions += 1;
                let new =
                    run.visit(&mut next, (id, number as u16)).map_err(|fault| self.trail(&run, fault))?;
                if new {
                    open.push_back((run.parents.len() as u32 - 1, next));
                }
            }
            if run.parents.len() >= self.most {
                break;
            }
        }
        run.explored.states = run.parents.len();
        run.explored.complete = open.is_empty();
        Ok(run.explored)
    }

    /// The steps that led to the newest state.
    fn trail(&self, run: &Run<'_, R>, fault: Fault) -> Box<Counterexample> {
        let mut numbers = Vec::new();
        let mut at = run.parents.len() - 1;
        while at > 0 {
            let (parent, number) = run.parents[at];
            numbers.push(number);
            at = parent as usize;
        }
        numbers.reverse();
        Box::new(trail::follow(self.start.clone(), &self.rules, &numbers, fault, run.parents.len()))
    }
}

/// What a run remembers.
struct Run<'a, R> {
    rules: &'a R,
    rounds: usize,
    seen: HashSet<u128, BuildHasherDefault<Already>>,
    /// The state that each was found from, and by the step of which number.
    parents: Vec<(u32, u16)>,
    /// States at rest, as they are counted.
    rests: HashSet<u128, BuildHasherDefault<Already>>,
    /// States at rest from which the goal is reached.
    good: HashSet<u128, BuildHasherDefault<Already>>,
    explored: Explored,
}

impl<'a, R> Run<'a, R> {
    fn new(rules: &'a R, rounds: usize) -> Self {
        Self {
            rules,
            rounds,
            seen: HashSet::default(),
            parents: Vec::new(),
            rests: HashSet::default(),
            good: HashSet::default(),
            explored: Explored::default(),
        }
    }

    /// Whether a state is new; then it is looked at.
    fn visit<M: Machine + Clone>(&mut self, world: &mut World<M>, from: (u32, u16)) -> Result<bool, Fault>
    where
        R: Rules<M>,
    {
        let print = world.fingerprint(self.rules);
        if !self.seen.insert(print) {
            return Ok(false);
        }
        self.parents.push(from);
        self.rules.check(world).map_err(|what| Fault { what, later: None })?;
        if world.is_at_rest(self.rules) {
            let sketch = world.sketch(self.rules);
            if self.rests.insert(sketch) {
                self.explored.rests += 1;
                self.explored.rests_sum = self.explored.rests_sum.wrapping_add(sketch);
            }
            self.converge(world, print)?;
        }
        Ok(true)
    }

    /// From a state at rest the goal is reached if nobody crashes or comes up any more. Every other state comes to rest
    /// by steps that are explored.
    fn converge<M: Machine + Clone>(&mut self, world: &World<M>, print: u128) -> Result<(), Fault>
    where
        R: Rules<M>,
    {
        let mut world = world.clone();
        let mut path = Vec::from([print]);
        for round in 0..=self.rounds {
            if path.last().is_some_and(|last| self.good.contains(last)) || self.rules.goal(&world).is_ok() {
                self.good.extend(path);
                return Ok(());
            }
            self.explored.rounds = self.explored.rounds.max(round + 1);
            let rest = world.round(self.rules);
            rest.ok_or_else(|| Fault { what: "it never comes to rest".into(), later: None })?;
            path.push(world.fingerprint(self.rules));
        }
        let Err(why) = self.rules.goal(&world) else { return Ok(()) };
        let what = format!("after {} rounds in which nobody crashed or came up: {why}", self.rounds);
        Err(Fault { what, later: Some(self.rules.picture(&world)) })
    }
}

/// What is wrong with a state, and what becomes of it if that is the fault.
struct Fault {
    what: String,
    later: Option<String>,
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u128(&mut self, print: u128) {
        self.0 = print as u64;
    }
}
