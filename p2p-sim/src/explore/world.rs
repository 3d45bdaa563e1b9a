//! A state of the whole: [`World`], its [`Node`]s and the [`Letter`]s on their way, and what one [`Step`] makes of it.

use super::Rules;
use bytes::Bytes;
use p2p_core::{
    Cx, Datagram, Effect, Input, Instant, Machine, OpId, OpInput, Rng, SocketId, Source, UnixTime,
};
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::collections::VecDeque;
use std::hash::Hash as _;
use std::net::SocketAddr;
use std::rc::Rc;

/// Time stands still at this instant: what depends on time is the rules' business.
pub const NOW: Instant = Instant::from_nanos(1_000_000_000_000_000);

/// Letters that follow from each other for ever, if there are so many.
const ENDLESS: usize = 10_000;

/// A machine that runs, and what its driver would keep for it.
#[derive(Clone)]
pub struct Node<M: Machine> {
    machine: M,
    timers: Vec<M::Timer>,
    socket: Option<SocketId>,
    next: u64,
    life: u32,
    digest: Option<u128>,
}

/// A datagram on its way. It may overtake any other, and is lost only if its receiver crashes.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The sender's number.
    pub from: usize,
    /// The receiver's number.
    pub to: usize,
    /// The payload.
    pub data: Bytes,
    /// It was sent when a timer rang or the application asked, or later in the same step by the same node; not because a
    /// letter came that had been on its way.
    pub unprompted: bool,
}

/// A timer that may ring, and about whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nudge<T> {
    /// The timer.
    pub timer: T,
    /// Why it may ring, in words.
    pub why: &'static str,
    /// The node that it is about: the one whose answer is overdue, say.
    pub about: Option<usize>,
    /// It rings again and again. One that does not is part of what is under way: there is no rest before it rang.
    pub periodic: bool,
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<T> {
    /// The letter of this number arrives.
    Deliver(usize),
    Nudge(usize, Nudge<T>),
    Crash(usize),
    /// A node that is down comes up, in the variant of this number.
    Boot(usize, usize),
}

#[derive(Clone)]
struct Slot<M: Machine> {
    up: Option<Rc<Node<M>>>,
    boots: u32,
    inputs: u32,
}

/// A state of the whole.
#[derive(Clone)]
pub struct World<M: Machine> {
    addrs: Rc<[SocketAddr]>,
    slots: Vec<Slot<M>>,
    letters: Vec<Letter>,
    /// What was sent in this step to nodes that are down.
    lost: Vec<Letter>,
    /// Whose timer rang in this step.
    rang: Option<usize>,
    pub(super) crashes: u8,
    pub(super) boots: u8,
}

impl<M: Machine> std::fmt::Debug for World<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("up", &(0..self.len()).filter(|node| self.is_up(*node)).collect::<Vec<_>>())
            .field("letters", &self.letters)
            .field("crashes", &self.crashes)
            .field("boots", &self.boots)
            .finish_non_exhaustive()
    }
}

impl<M: Machine> std::fmt::Debug for Node<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("timers", &self.timers).finish_non_exhaustive()
    }
}

impl<M: Machine> Node<M> {
    /// Its machine.
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// How often it had come up when it came up last.
    pub const fn life(&self) -> u32 {
        self.life
    }

    /// Whether a timer is set.
    pub fn is_set(&self, timer: M::Timer) -> bool {
        self.timers.binary_search(&timer).is_ok()
    }
}

impl<M: Machine + Clone> World<M> {
    /// Nodes at these addresses, all of them down.
    pub(super) fn new(addrs: Vec<SocketAddr>) -> Self {
        let slots = addrs.iter().map(|_| Slot { up: None, boots: 0, inputs: 0 }).collect();
        Self {
            addrs: addrs.into(),
            slots,
            letters: Vec::new(),
            lost: Vec::new(),
            rang: None,
            crashes: 0,
            boots: 0,
        }
    }
}

impl<M: Machine> World<M> {
    /// How many nodes there are, up or down. They are numbered from 0.
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// A node's address.
    pub fn addr(&self, node: usize) -> SocketAddr {
        self.addrs[node]
    }

    /// The number of the node at an address.
    pub fn at(&self, addr: SocketAddr) -> Option<usize> {
        self.addrs.iter().position(|at| *at == addr)
    }

    /// A node that is up.
    pub fn node(&self, node: usize) -> Option<&Node<M>> {
        self.slots[node].up.as_deref()
    }

    /// The machine of a node that is up.
    pub fn machine(&self, node: usize) -> Option<&M> {
        self.node(node).map(Node::machine)
    }

    /// Whether a node is up.
    pub fn is_up(&self, node: usize) -> bool {
        self.slots[node].up.is_some()
    }

    /// How often a node came up.
    pub fn boots_of(&self, node: usize) -> u32 {
        self.slots[node].boots
    }

    /// The letters on their way.
    pub fn letters(&self) -> &[Letter] {
        &self.letters
    }

    /// Crashes that may still happen.
    pub const fn crashes_left(&self) -> u8 {
        self.crashes
    }

    /// How often a node may still come up.
    pub const fn boots_left(&self) -> u8 {
        self.boots
    }
}

impl<M: Machine + Clone> World<M> {
    /// Gives a node its machine and its socket, and asks for what the application wants of it.
    pub(super) fn boot(&mut self, node: usize, machine: M, command: Option<M::Command>) {
        self.slots[node].boots += 1;
        let life = self.slots[node].boots;
        let new = Node { machine, timers: Vec::new(), socket: None, next: 1, life, digest: None };
        self.slots[node].up = Some(Rc::new(new));
        // A life's first draw is its own, so that what is drawn for good (keys, say) differs from life to life and yet
        // is the same whatever happened before.
        let seed = 1 << 40 | (node as u64) << 16 | u64::from(life);
        self.give_with(seed, node, Input::Start, true);
        if let Some(command) = command {
            self.give(node, Input::Op(OpId::from_raw(1), OpInput::Ask(command)), true);
        }
    }

    pub(super) fn crash(&mut self, node: usize) {
        self.slots[node].up = None;
        self.letters.retain(|letter| letter.to != node);
    }

    /// Dice never repeat along a path: what is drawn to be told apart is told apart.
    fn give(&mut self, node: usize, input: Input<M>, unprompted: bool) {
        let slot = &mut self.slots[node];
        slot.inputs += 1;
        let seed = (node as u64) << 32 | u64::from(slot.inputs);
        self.give_with(seed, node, input, unprompted);
    }

    fn give_with(&mut self, seed: u64, node: usize, input: Input<M>, unprompted: bool) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(up) = &mut self.slots[node].up else { return };
            let up = Rc::make_mut(up);
            up.digest = None;
            let mut source = Source::resume(Rng::fast_from(seed), up.next);
            let mut effects = Vec::new();
            up.machine.handle(input, &mut Cx::new(NOW, UnixTime::default(), &mut source, &mut effects));
            up.next = source.next();
            for effect in effects {
                self.carry_out(effect, node, unprompted, &mut inputs);
            }
        }
    }

    fn carry_out(
        &mut self,
        effect: Effect<M>,
        node: usize,
        unprompted: bool,
        inputs: &mut VecDeque<Input<M>>,
    ) {
        if let Effect::SendTo(_, datagram) = effect {
            let Some(to) = self.at(datagram.peer) else { return };
            let unprompted = unprompted || self.rang == Some(node);
            let letter = Letter { from: node, to, data: datagram.data, unprompted };
            let into = if self.is_up(to) { &mut self.letters } else { &mut self.lost };
            return into.push(letter);
        }
        if matches!(effect, Effect::Halt) {
            return self.crash(node);
        }
        let Some(up) = &mut self.slots[node].up else { return };
        let up = Rc::make_mut(up);
        match effect {
            Effect::Bind(socket, _) => {
                up.socket = Some(socket);
                inputs.push_back(Input::Bound(socket, Ok(self.addrs[node])));
            }
            Effect::SetTimer(timer, _) => {
                if let Err(at) = up.timers.binary_search(&timer) {
                    up.timers.insert(at, timer);
                }
            }
            Effect::ClearTimer(timer) => up.timers.retain(|set| *set != timer),
            // Who listens hears nobody: a stream that is dialled is not explored.
            Effect::Listen(..) | Effect::Unlisten(_) => {}
            Effect::Event(..) | Effect::Finish(..) | Effect::Unbind(_) => {}
            other => panic!("the explorer has datagrams and timers only: {other:?}"),
        }
    }

    /// Delivers the letter of this number.
    pub(super) fn deliver(&mut self, at: usize) {
        let letter = self.letters.remove(at);
        let Some(socket) = self.node(letter.to).and_then(|node| node.socket) else { return };
        let datagram = Datagram::new(self.addrs[letter.from], letter.data);
        self.give(letter.to, Input::Datagram(socket, datagram), false);
    }

    /// One step, and what follows from it at once.
    pub(super) fn apply<R: Rules<M>>(&mut self, step: Step<M::Timer>, rules: &R) {
        match step {
            Step::Deliver(at) => self.deliver(at),
            Step::Nudge(node, nudge) => {
                self.rang = Some(node);
                self.nudge(node, nudge, rules);
            }
            Step::Crash(node) => {
                self.crashes -= 1;
                self.crash(node);
            }
            Step::Boot(node, variant) => {
                self.boots -= 1;
                let (machine, command) = rules.boot(node, variant);
                self.boot(node, machine, Some(command));
            }
        }
        self.prompt(rules);
        self.rang = None;
    }

    fn nudge<R: Rules<M>>(&mut self, node: usize, nudge: Nudge<M::Timer>, rules: &R) {
        let Some(up) = &mut self.slots[node].up else { return };
        let up = Rc::make_mut(up);
        up.timers.retain(|set| *set != nudge.timer);
        rules.prepare(&nudge, &mut up.machine);
        self.give(node, Input::Timer(nudge.timer), true);
    }

    /// Does what needs no step of its own.
    pub(super) fn prompt<R: Rules<M>>(&mut self, rules: &R) {
        for _ in 0..ENDLESS {
            if let Some(letter) = self.lost.pop() {
                if let Some(nudge) = rules.prompt_nudge(&letter, self) {
                    self.nudge(letter.from, nudge, rules);
                }
                continue;
            }
            let prompt = (0..self.letters.len()).find(|at| rules.is_prompt(&self.letters[*at], self));
            let Some(at) = prompt else { return };
            self.deliver(at);
        }
        let letters = self.letters.iter().map(|letter| rules.describe(letter, self));
        panic!("prompt letters without end: {:?}\n{}", letters.collect::<Vec<_>>(), rules.picture(self));
    }

    /// All that can happen next.
    pub(super) fn steps<R: Rules<M>>(&self, rules: &R, steps: &mut Vec<Step<M::Timer>>) {
        steps.clear();
        steps.extend((0..self.letters.len()).map(Step::Deliver));
        for node in 0..self.len() {
            if self.is_up(node) {
                steps.extend(rules.nudges(node, self).into_iter().map(|nudge| Step::Nudge(node, nudge)));
                if self.crashes > 0 && rules.may_crash(node, self) {
                    steps.push(Step::Crash(node));
                }
            } else if self.boots > 0 {
                steps.extend((0..rules.boots(node, self)).map(|variant| Step::Boot(node, variant)));
            }
        }
    }

    /// What tells this state from others.
    pub(super) fn fingerprint<R: Rules<M>>(&mut self, rules: &R) -> u128 {
        let mut whole = SipHasher13::new();
        for slot in &mut self.slots {
            let digest = slot.up.as_mut().map(|up| match up.digest {
                Some(digest) => digest,
                None => {
                    let mut hasher = SipHasher13::new();
                    rules.node(up, &mut hasher);
                    *Rc::make_mut(up).digest.insert(hasher.finish128().as_u128())
                }
            });
            digest.hash(&mut whole);
        }
        // Letters are a heap: their order means nothing.
        let mut letters = 0_u128;
        for letter in &self.letters {
            let mut hasher = SipHasher13::new();
            (letter.from, letter.to).hash(&mut hasher);
            rules.letter(letter, self, &mut hasher);
            letters = letters.wrapping_add(hasher.finish128().as_u128());
        }
        (letters, self.crashes, self.boots).hash(&mut whole);
        whole.finish128().as_u128()
    }

    /// What tells this state of rest from others, as far as they are counted.
    pub(super) fn sketch<R: Rules<M>>(&self, rules: &R) -> u128 {
        let mut whole = SipHasher13::new();
        for slot in &self.slots {
            slot.up.is_some().hash(&mut whole);
            if let Some(up) = &slot.up {
                rules.rest(up, &mut whole);
            }
        }
        (self.crashes, self.boots).hash(&mut whole);
        whole.finish128().as_u128()
    }

    /// Whether nothing is under way.
    pub(super) fn is_at_rest<R: Rules<M>>(&self, rules: &R) -> bool {
        self.letters.is_empty()
            && (0..self.len()).all(|node| rules_nudges(rules, node, self).all(|nudge| nudge.periodic))
    }

    /// Lets all that is under way end, first come, first served. Gives how many steps that took, or `None` if there is
    /// no end to it.
    pub(super) fn come_to_rest<R: Rules<M>>(&mut self, rules: &R) -> Option<usize> {
        for steps in 0..ENDLESS {
            let step = if self.letters.is_empty() {
                let overdue = |node| {
                    let mut nudges = rules_nudges(rules, node, self);
                    nudges.find(|nudge| !nudge.periodic).map(|nudge| Step::Nudge(node, nudge))
                };
                (0..self.len()).find_map(overdue)
            } else {
                Some(Step::Deliver(0))
            };
            let Some(step) = step else { return Some(steps) };
            self.apply(step, rules);
        }
        None
    }

    /// Every periodic timer of every node rings once, and all comes to rest after each.
    pub(super) fn round<R: Rules<M>>(&mut self, rules: &R) -> Option<()> {
        for node in 0..self.len() {
            let periodic: Vec<_> = rules_nudges(rules, node, self).filter(|nudge| nudge.periodic).collect();
            for nudge in periodic {
                self.apply(Step::Nudge(node, nudge), rules);
                self.come_to_rest(rules)?;
            }
        }
        Some(())
    }
}

fn rules_nudges<M: Machine + Clone, R: Rules<M>>(
    rules: &R,
    node: usize,
    world: &World<M>,
) -> impl Iterator<Item = Nudge<M::Timer>> {
    let nudges = if world.is_up(node) { rules.nudges(node, world) } else { Vec::new() };
    nudges.into_iter()
}
