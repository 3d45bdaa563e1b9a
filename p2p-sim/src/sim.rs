//! The simulation: nodes, virtual time, and the loop that gives machines their inputs.

use crate::agenda::Agenda;
use crate::faults::{Faults, Gaps};
use crate::fold::Fold;
use crate::freeze::Frozen;
use crate::known::Known;
use crate::links::Links;
use crate::node::{FIRST_ADDR, Fired, NO_LAN, Node, NodeIx, Told};
use crate::pipes::{Bandwidth, NO_PIPE, Pipe, Way};
use crate::report::Traffic;
use crate::storage::{Content, Disk};
use crate::wires::Wires;
use crate::world::World;
use bytes::Bytes;
use core::net::IpAddr;
use p2p_core::{
    ConnId, Cx, Duration, Effect, Input, Instant, IoError, Job, JobId, Machine, OpId, OpInput, Rng, SocketId,
    Source, UnixTime,
};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What is the same for all nodes of a simulation. Change it with [`Sim::options`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Bytes in the send queue of a stream at which its machine is told `Full`.
    pub high: usize,
    /// Bytes in the send queue at which it is told `Ready` again.
    pub low: usize,
    /// Bytes sent and not read at which a paused reader stops its sender.
    pub window: usize,
    /// The most bytes of one stream that go on the wire before it is another's turn.
    pub quantum: usize,
    /// Bytes of datagrams that may wait for the wire before more are dropped.
    pub datagram_queue: usize,
    /// The largest datagram; larger ones are dropped.
    pub mtu: usize,
    /// How long dialling lasts when nobody answers.
    pub connect_timeout: Duration,
    /// How long a stream with something under way lasts when the other end cannot be reached.
    pub stream_timeout: Duration,
    /// How long a machine may take to halt after it was asked to stop.
    pub grace: Duration,
    /// How long a job takes, beside what the disk's speed adds. One that takes no time is done right after the effects
    /// of the input that asked for it, before anything else of that instant.
    pub job_time: Duration,
    /// How long a name takes to be resolved.
    pub resolve_time: Duration,
    /// Whether multicast leaves the sender's local network whatever its hop limit (a network as protocols of overlay
    /// multicast compare themselves with). If not, it does so with a hop limit above 1.
    pub multicast_everywhere: bool,
    /// The civil time of the simulation's beginning.
    pub epoch: UnixTime,
    /// What disks are made of that nodes were not given.
    pub content: Content,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            high: 64 * 1024,
            low: 32 * 1024,
            window: 256 * 1024,
            quantum: 16 * 1024,
            datagram_queue: 256 * 1024,
            mtu: 65_507,
            connect_timeout: Duration::from_secs(30),
            stream_timeout: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            job_time: Duration::ZERO,
            resolve_time: Duration::ZERO,
            multicast_everywhere: false,
            // 2026-01-01 00:00 UTC.
            epoch: UnixTime::from_secs(1_767_225_600),
            content: Content::Kept,
        }
    }
}

/// What is particular to one node.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    addr: Option<IpAddr>,
    lan: Option<u32>,
    bandwidth: Option<Bandwidth>,
    disk: Option<Disk>,
    clock: i64,
}

impl Setup {
    /// A node like any other: the next address of 10.0.0.0/8, no limit of bandwidth, an empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With this address.
    #[must_use]
    pub const fn addr(mut self, addr: IpAddr) -> Self {
        self.addr = Some(addr);
        self
    }

    /// In this local network.
    #[must_use]
    pub const fn lan(mut self, lan: u32) -> Self {
        self.lan = Some(lan);
        self
    }

    /// With this bandwidth.
    #[must_use]
    pub const fn bandwidth(mut self, bandwidth: Bandwidth) -> Self {
        self.bandwidth = Some(bandwidth);
        self
    }

    /// With this disk.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = Some(disk);
        self
    }

    /// With a civil clock that is so many nanoseconds ahead.
    #[must_use]
    pub const fn clock(mut self, nanos: i64) -> Self {
        self.clock = nanos;
        self
    }
}

/// What waits in the agenda.
pub(crate) enum Happening<M: Machine> {
    Timer {
        node: u32,
        mark: u32,
        name: M::Timer,
    },
    /// `received` is whether the receiver's bandwidth was already asked.
    Datagram {
        to: u32,
        from: u32,
        to_port: u16,
        from_port: u16,
        ttl: u8,
        received: bool,
        data: Bytes,
    },
    /// A dialler's first packet comes in.
    Dial(Way),
    /// A dial that cannot come to anything.
    Fail {
        way: Way,
        error: IoError,
    },
    /// Something of a lane arrives.
    Arrive(Way),
    /// Something of a lane is received.
    Deliver(Way),
    /// The send queue passed a mark.
    Mark {
        way: Way,
        full: bool,
    },
    Secured {
        way: Way,
        refused: bool,
    },
    /// A node's wire is free.
    Sent {
        node: u32,
    },
    Job {
        place: u32,
    },
    /// An answer to an effect.
    Answer {
        node: u32,
        life: u32,
        input: Box<Input<M>>,
    },
    /// A frozen node goes on.
    Thaw {
        node: u32,
    },
    /// The grace period is over.
    Grace {
        node: u32,
        life: u32,
    },
}

pub(crate) struct Working {
    pub(crate) node: u32,
    pub(crate) life: u32,
    pub(crate) id: JobId,
    pub(crate) job: Job,
}

struct Operation<M: Machine> {
    node: u32,
    outcome: Option<Result<(), M::Error>>,
}

/// Reads what a machine needs for these bytes of a stream.
type TouchFor<M> = fn(&M, ConnId, &[u8]) -> u64;

type Hook<M> = Box<dyn FnMut(Instant, NodeIx, Option<OpId>, &<M as Machine>::Event) -> bool + Send>;

/// A simulation of nodes that run the same kind of machine (two kinds: [`Either`](crate::Either)).
///
/// Everything that happens follows from the seed and from what is called in which order.
pub struct Sim<M: Machine> {
    pub(crate) now: Instant,
    pub(crate) agenda: Agenda<Happening<M>>,
    pub(crate) nodes: Vec<Node<M>>,
    pub(crate) wires: Wires,
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) world: World,
    pub(crate) options: Options,
    pub(crate) traffic: Traffic,
    /// Counts inputs and events: what happens in one of them happens together.
    pub(crate) batch: u64,
    pub(crate) jobs: Vec<Option<Working>>,
    pub(crate) free_jobs: Vec<u32>,
    /// Jobs of this input that take no time.
    pub(crate) at_once: VecDeque<Working>,
    pub(crate) names: BTreeMap<String, Vec<IpAddr>>,
    /// Addresses that nodes were given, looked up only.
    pub(crate) addrs: HashMap<IpAddr, u32>,
    pub(crate) groups: BTreeMap<IpAddr, Vec<(u32, SocketId)>>,
    pub(crate) known: Known,
    pub(crate) frozen: BTreeMap<u32, Frozen<M>>,
    dice: Rng,
    fold: Fold,
    effects: Vec<Effect<M>>,
    /// Streams of limited uplinks that got something to send in this input.
    pub(crate) unpumped: Vec<Way>,
    ops: Vec<Operation<M>>,
    hook: Option<Hook<M>>,
    pub(crate) touch: Option<fn(&M) -> u64>,
    pub(crate) touch_for: Option<TouchFor<M>>,
}

impl<M: Machine> core::fmt::Debug for Sim<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sim")
            .field("now", &self.now)
            .field("nodes", &self.nodes.len())
            .field("streams", &self.wires.len())
            .field("waiting", &self.agenda.len())
            .finish_non_exhaustive()
    }
}

impl<M: Machine> Sim<M> {
    /// A simulation without nodes, at instant zero.
    #[must_use]
    pub fn new(seed: u64, links: impl Links) -> Self {
        let mut dice = Rng::fast_from(seed);
        let world = World::new(Box::new(links), dice.split());
        Self {
            now: Instant::ZERO,
            agenda: Agenda::new(),
            nodes: Vec::new(),
            wires: Wires::default(),
            pipes: Vec::new(),
            world,
            options: Options::default(),
            traffic: Traffic::default(),
            batch: 0,
            jobs: Vec::new(),
            free_jobs: Vec::new(),
            at_once: VecDeque::new(),
            names: BTreeMap::new(),
            addrs: HashMap::new(),
            groups: BTreeMap::new(),
            known: Known::default(),
            frozen: BTreeMap::new(),
            dice,
            fold: Fold::new(),
            effects: Vec::new(),
            unpumped: Vec::new(),
            ops: Vec::new(),
            hook: None,
            touch: None,
            touch_for: None,
        }
    }

    /// What is the same for all nodes, to be changed before they are added.
    pub const fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Adds a node like any other and starts it.
    pub fn add(&mut self, machine: M) -> NodeIx {
        self.add_with(Setup::default(), machine)
    }

    /// Adds a node and starts it.
    pub fn add_with(&mut self, setup: Setup, machine: M) -> NodeIx {
        let index = self.nodes.len() as u32;
        let addr = setup.addr.unwrap_or_else(|| NodeIx::new(index).usual_addr());
        if setup.addr.is_some() {
            self.addrs.insert(addr, index);
        }
        let mut node = Node::new(machine, Source::new(self.dice.split()), addr);
        node.lan = setup.lan.unwrap_or(NO_LAN);
        node.clock = setup.clock;
        node.disk = setup.disk.map(Box::new);
        self.nodes.push(node);
        let node = NodeIx::new(index);
        if let Some(bandwidth) = setup.bandwidth {
            self.set_bandwidth(node, bandwidth);
        }
        self.give(index, Input::Start);
        node
    }

    /// Makes room for so many nodes more.
    pub fn reserve(&mut self, nodes: usize) {
        self.nodes.reserve_exact(nodes);
    }

    /// How many nodes were added.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no node was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes, dead ones too.
    pub fn nodes(&self) -> impl Iterator<Item = NodeIx> + use<M> {
        (0..self.nodes.len() as u32).map(NodeIx::new)
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Asks a node for something. If the node is dead, the operation never ends.
    pub fn ask(&mut self, node: NodeIx, command: M::Command) -> OpId {
        self.ops.push(Operation { node: node.raw(), outcome: None });
        let op = OpId::from_raw(self.ops.len() as u64);
        self.give(node.raw(), Input::Op(op, OpInput::Ask(command)));
        op
    }

    fn say(&mut self, op: OpId, input: OpInput<M::Command>) {
        let at = op.raw().wrapping_sub(1) as usize;
        let Some(operation) = self.ops.get(at) else { return };
        if operation.outcome.is_none() {
            self.give(operation.node, Input::Op(op, input));
        }
    }

    /// Says that nobody waits for an operation any more.
    pub fn cancel(&mut self, op: OpId) {
        self.say(op, OpInput::Cancel);
    }

    /// Says that the reader of an operation's answers does not keep up (`true`), or does again.
    pub fn lag(&mut self, op: OpId, full: bool) {
        self.say(op, if full { OpInput::Full } else { OpInput::Ready });
    }

    /// How an operation ended; `None` if it did not yet.
    #[must_use]
    pub fn outcome(&self, op: OpId) -> Option<&Result<(), M::Error>> {
        self.ops.get(op.raw().wrapping_sub(1) as usize)?.outcome.as_ref()
    }

    /// The node that was asked for an operation.
    #[must_use]
    pub fn node_of(&self, op: OpId) -> Option<NodeIx> {
        self.ops.get(op.raw().wrapping_sub(1) as usize).map(|op| NodeIx::new(op.node))
    }

    /// What a node told and nobody took yet.
    #[must_use]
    pub fn events(&self, node: NodeIx) -> &[Told<M::Event>] {
        &self.nodes[node.index()].told
    }

    /// Takes what a node told.
    pub fn take_events(&mut self, node: NodeIx) -> Vec<Told<M::Event>> {
        std::mem::take(&mut self.nodes[node.index()].told)
    }

    /// Shows every event to `hook` as it is told; it is kept for [`take_events`](Self::take_events) if the hook
    /// answers `true`.
    pub fn on_event(
        &mut self,
        hook: impl FnMut(Instant, NodeIx, Option<OpId>, &M::Event) -> bool + Send + 'static,
    ) {
        self.hook = Some(Box::new(hook));
    }

    /// Lets machines be looked into shortly before they get their inputs, all those of a millisecond one after the
    /// other: `touch` reads something of each part of a machine's memory. Where there are more machines than the
    /// processor's caches hold, most of the time goes into waiting for memory, and so they wait for it side by side.
    /// Nothing but speed follows from it.
    pub fn look_into(&mut self, touch: fn(&M) -> u64) {
        self.touch = Some(touch);
    }

    /// The same for what comes on a stream: `touch` is told which and what, and reads what the machine needs for that.
    pub fn look_into_for(&mut self, touch: fn(&M, ConnId, &[u8]) -> u64) {
        self.touch_for = Some(touch);
    }

    /// A node's machine, alive or dead.
    #[must_use]
    pub fn machine(&self, node: NodeIx) -> &M {
        &self.nodes[node.index()].machine
    }

    /// A node's machine, to be changed from outside.
    pub fn machine_mut(&mut self, node: NodeIx) -> &mut M {
        &mut self.nodes[node.index()].machine
    }

    /// Whether a node runs.
    #[must_use]
    pub fn is_alive(&self, node: NodeIx) -> bool {
        self.nodes[node.index()].alive
    }

    /// A node's address.
    #[must_use]
    pub fn addr(&self, node: NodeIx) -> IpAddr {
        self.nodes[node.index()].addr
    }

    /// The node at an address.
    #[must_use]
    pub fn node_at(&self, addr: IpAddr) -> Option<NodeIx> {
        if let Some(index) = self.addrs.get(&addr) {
            return Some(NodeIx::new(*index));
        }
        let IpAddr::V4(v4) = addr else { return None };
        let index = u32::from(v4).wrapping_sub(FIRST_ADDR);
        // All have the usual ones: no need to look at a node that is far away in memory.
        if self.addrs.is_empty() {
            return ((index as usize) < self.nodes.len()).then_some(NodeIx::new(index));
        }
        self.nodes.get(index as usize).filter(|node| node.addr == addr).map(|_| NodeIx::new(index))
    }

    /// A node's disk, made if it has none.
    pub fn disk(&mut self, node: NodeIx) -> &mut Disk {
        let content = self.options.content;
        self.nodes[node.index()].disk.get_or_insert_with(|| Box::new(Disk::new(content)))
    }

    /// The bytes that a node sent and received.
    #[must_use]
    pub fn bytes(&self, node: NodeIx) -> (u64, u64) {
        let node = &self.nodes[node.index()];
        (node.sent, node.received)
    }

    /// How many streams a node holds, open or being dialled.
    #[must_use]
    pub fn streams(&self, node: NodeIx) -> usize {
        self.nodes[node.index()].conns.len()
    }

    /// The timers that a node has set, in order of their names.
    #[must_use]
    pub fn timers(&self, node: NodeIx) -> Vec<(M::Timer, Instant)> {
        self.nodes[node.index()].timers.pending()
    }

    /// What was sent, lost and delivered so far.
    #[must_use]
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// A digest of everything that happened: equal for equal seeds and calls, in every build.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.fold.value()
    }

    /// Names a buffer that many nodes will hold slices of: see [`Content::Shared`].
    pub fn share(&mut self, content: Bytes) {
        self.known.share(content);
    }

    /// Names a host, for `resolve` and for dialling by name. Several addresses may share a name.
    pub fn name(&mut self, host: impl Into<String>, addr: IpAddr) {
        self.names.entry(host.into()).or_default().push(addr);
    }

    /// Gives a node another bandwidth; for what is not yet on the wire.
    pub fn set_bandwidth(&mut self, node: NodeIx, bandwidth: Bandwidth) {
        let place = &mut self.nodes[node.index()].pipe;
        if let Some(pipe) = self.pipes.get_mut(*place as usize) {
            pipe.rates = bandwidth;
        } else if bandwidth != Bandwidth::UNLIMITED {
            debug_assert_eq!(*place, NO_PIPE);
            *place = self.pipes.len() as u32;
            self.pipes.push(Pipe::new(bandwidth));
        }
    }

    /// Puts a node into a local network: multicast with a hop limit of 1 stays within it.
    pub fn set_lan(&mut self, node: NodeIx, lan: u32) {
        self.nodes[node.index()].lan = lan;
    }

    /// Sets a node's civil clock so many nanoseconds ahead of the simulation's.
    pub fn set_clock_offset(&mut self, node: NodeIx, nanos: i64) {
        self.nodes[node.index()].clock = nanos;
    }

    /// Lets things go wrong at random from now on.
    pub const fn set_faults(&mut self, faults: Faults) {
        self.world.faults = faults;
    }

    /// Parts the network: nothing passes between groups. Nodes in no group, and later ones, form one of their own.
    /// Streams stay, and wait.
    pub fn partition(&mut self, groups: &[&[NodeIx]]) {
        self.world.partition(groups, self.nodes.len());
    }

    /// Lets nothing pass in one direction.
    pub fn cut(&mut self, from: NodeIx, to: NodeIx) {
        self.world.cut(from, to);
    }

    /// Lets some pairs of nodes never hear each other, whatever else is done: see [`Gaps`].
    pub const fn set_gaps(&mut self, gaps: Gaps) {
        self.world.gaps = Some(gaps);
    }

    /// Ends all partitions and cuts.
    pub fn heal(&mut self) {
        self.world.heal();
    }

    /// Holds up all packets from and to a node for so long.
    pub fn clog(&mut self, node: NodeIx, span: Duration) {
        self.world.clog(node, self.now + span);
    }

    /// Asks a node's machine to end. It is dead when it halts, or after the grace period.
    pub fn stop(&mut self, node: NodeIx) {
        let life = self.nodes[node.index()].life;
        self.push_after(self.options.grace, Happening::Grace { node: node.raw(), life });
        self.give(node.raw(), Input::Stop);
    }

    /// Crashes a node: its streams are reset, what it had not synced to its disk may be lost.
    pub fn kill(&mut self, node: NodeIx) {
        if self.nodes[node.index()].alive {
            self.end(node.raw(), true);
            if let Some(disk) = &mut self.nodes[node.index()].disk {
                disk.crash(&mut self.world.rng);
            }
        }
    }

    /// Starts a dead node again (a living one is killed first) with another machine, at the same address and with
    /// the same disk.
    pub fn restart(&mut self, node: NodeIx, machine: M) {
        self.kill(node);
        let place = &mut self.nodes[node.index()];
        place.machine = machine;
        place.alive = true;
        self.give(node.raw(), Input::Start);
    }

    /// A node is no more: nothing of it waits, its ports are free.
    pub(crate) fn end(&mut self, node: u32, crashed: bool) {
        let place = &mut self.nodes[node as usize];
        place.alive = false;
        if std::mem::take(&mut place.frozen) {
            self.frozen.remove(&node);
        }
        place.life = place.life.wrapping_add(1);
        place.timers.clear_all();
        place.listeners = Vec::new();
        let sockets = std::mem::take(&mut place.sockets);
        if sockets.len() > 0 && !self.groups.is_empty() {
            self.groups.values_mut().for_each(|members| members.retain(|(member, _)| *member != node));
        }
        for pointer in self.nodes[node as usize].conns.take() {
            self.let_go(pointer, crashed);
        }
    }

    /// Runs for a span of virtual time.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    /// Runs until an instant.
    pub fn run_until(&mut self, at: Instant) {
        while self.step(at) {}
        self.now = self.now.max(at);
    }

    /// Runs while a condition holds, which is looked at after every event. `false` if nothing was left to happen
    /// while it still held.
    pub fn run_while(&mut self, mut condition: impl FnMut(&Self) -> bool) -> bool {
        while condition(self) {
            if !self.step(Instant::MAX) {
                return false;
            }
        }
        true
    }

    /// Runs until something is done, for a span at most. Whether it was done.
    pub fn wait(&mut self, span: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let limit = self.now + span;
        while !done(self) {
            if !self.step(limit) {
                self.now = limit;
                return done(self);
            }
        }
        true
    }

    /// Runs until operations are over, for a span at most. Whether they are.
    pub fn finish(&mut self, ops: &[OpId], span: Duration) -> bool {
        let mut left = 0;
        // Those before `left` are over.
        self.wait(span, |sim| {
            while ops.get(left).is_some_and(|op| sim.outcome(*op).is_some()) {
                left += 1;
            }
            left == ops.len()
        })
    }

    pub(crate) fn push_at(&mut self, at: Instant, what: Happening<M>) {
        self.agenda.push(at.max(self.now).as_nanos(), what);
    }

    pub(crate) fn push_after(&mut self, span: Duration, what: Happening<M>) {
        self.agenda.push((self.now + span).as_nanos(), what);
    }

    /// Answers an effect; the machine hears of it after the effects of this input.
    pub(crate) fn answer(&mut self, node: u32, after: Duration, input: Input<M>) {
        let life = self.nodes[node as usize].life;
        self.push_after(after, Happening::Answer { node, life, input: Box::new(input) });
    }

    /// Lets the next thing happen, if it is not later than `limit`.
    fn step(&mut self, limit: Instant) -> bool {
        let Some((at, what)) = self.agenda.pop(limit.as_nanos()) else { return false };
        self.look_ahead();
        self.now = Instant::from_nanos(at);
        self.batch += 1;
        match what {
            Happening::Timer { node, mark, name } => {
                match self.nodes[node as usize].timers.fire(&name, mark, self.now) {
                    Fired::Now => self.give(node, Input::Timer(name)),
                    Fired::Later(at) => self.push_at(at, Happening::Timer { node, mark, name }),
                    Fired::Stale => {}
                }
            }
            Happening::Datagram { to, from, to_port, from_port, ttl, received, data } => {
                self.datagram_came(to, from, to_port, from_port, ttl, received, data);
            }
            Happening::Dial(way) => self.dialled(way),
            Happening::Fail { way, error } => self.sever(way, error),
            Happening::Arrive(way) => self.arrived(way),
            Happening::Deliver(way) => self.deliver(way),
            Happening::Mark { way, full } => self.passed_mark(way, full),
            Happening::Secured { way, refused } => self.secured(way, refused),
            Happening::Sent { node } => self.turn_over(node),
            Happening::Job { place } => self.job_done(place),
            Happening::Answer { node, life, input } => {
                if self.nodes[node as usize].life == life && self.still_wanted(node, &input) {
                    self.give(node, *input);
                }
            }
            Happening::Thaw { node } => self.thaw(node),
            Happening::Grace { node, life } => {
                let place = &self.nodes[node as usize];
                if place.alive && place.life == life {
                    self.end(node, true);
                }
            }
        }
        true
    }

    /// Gives a machine an input and carries out the effects, and then does the jobs that take no time, in their order:
    /// nothing else that happens at this instant comes between.
    pub(crate) fn give(&mut self, index: u32, input: Input<M>) {
        self.give_one(index, input);
        while let Some(working) = self.at_once.pop_front() {
            if let Some((node, input)) = self.work(working) {
                self.give_one(node, input);
            }
        }
    }

    fn give_one(&mut self, index: u32, input: Input<M>) {
        let node = &mut self.nodes[index as usize];
        if !node.alive {
            return;
        }
        if node.frozen {
            return self.hold(index, input);
        }
        self.traffic.inputs += 1;
        self.batch += 1;
        self.fold.mix(self.now.as_nanos());
        self.fold.mix(u64::from(index));
        fold_input(&mut self.fold, &input, &self.known);
        let civil = self.options.epoch.as_nanos().saturating_add(self.now.as_nanos());
        let civil = UnixTime::from_nanos(civil.saturating_add_signed(node.clock));
        let mut effects = std::mem::take(&mut self.effects);
        node.machine.handle(input, &mut Cx::new(self.now, civil, &mut node.source, &mut effects));
        self.look_at_streams(index, &effects);
        for effect in effects.drain(..) {
            if !self.nodes[index as usize].alive {
                break;
            }
            self.carry_out(index, effect);
        }
        self.effects = effects;
        if !self.unpumped.is_empty() {
            self.pump_all();
        }
    }

    /// A machine told something, or ended an operation.
    pub(crate) fn heard(&mut self, node: u32, op: Option<OpId>, event: M::Event) {
        self.fold.mix(op.map_or(0, OpId::raw));
        self.fold.variant(&event);
        let keep = match &mut self.hook {
            Some(hook) => hook(self.now, NodeIx::new(node), op, &event),
            None => true,
        };
        if keep {
            self.nodes[node as usize].told.push(Told { at: self.now, op, event });
        }
    }

    pub(crate) fn finished(&mut self, op: OpId, result: Result<(), M::Error>) {
        self.fold.mix(op.raw());
        self.fold.mix(u64::from(result.is_ok()));
        if let Some(place) = self.ops.get_mut(op.raw().wrapping_sub(1) as usize)
            && place.outcome.is_none()
        {
            place.outcome = Some(result);
        }
    }
}

fn fold_input<M: Machine>(fold: &mut Fold, input: &Input<M>, known: &Known) {
    use p2p_core::StreamInput;
    match input {
        Input::Start => fold.mix(1),
        Input::Op(op, input) => {
            fold.mix(op.raw() << 8 | 2);
            fold.variant(input);
        }
        Input::Timer(name) => {
            fold.mix(3);
            fold.variant(name);
        }
        Input::Stream(conn, input) => {
            fold.mix(conn.raw() << 8 | 4);
            match input {
                StreamInput::Data(data) => fold_bytes(fold, data, known),
                StreamInput::Closed(result) | StreamInput::Secured(result) => {
                    fold.variant(input);
                    fold.variant(result);
                }
                _ => fold.variant(input),
            }
        }
        Input::Listener(id, at) => {
            fold.mix(id.raw() << 8 | 5);
            fold.mix(at.map_or(0, |at| u64::from(at.port())));
        }
        Input::Bound(id, at) => {
            fold.mix(id.raw() << 8 | 6);
            fold.mix(at.map_or(0, |at| u64::from(at.port())));
        }
        Input::Datagram(id, datagram) => {
            fold.mix(id.raw() << 8 | 7);
            fold.mix(u64::from(datagram.peer.port()));
            fold.sample(&datagram.data);
        }
        Input::Resolved(id, found) => {
            fold.mix(id.raw() << 8 | 8);
            fold.mix(found.as_ref().map_or(0, |found| found.len() as u64));
        }
        Input::Job(id, done) => {
            fold.mix(id.raw() << 8 | 9);
            fold_done(fold, done, known);
        }
        Input::Stop => fold.mix(10),
    }
}

/// Slices of shared content are told apart by what they are of it, without a look at memory that nobody else reads.
fn fold_bytes(fold: &mut Fold, data: &Bytes, known: &Known) {
    match known.place(data) {
        Some((which, at)) => {
            fold.mix((which as u64) << 32 | data.len() as u64);
            fold.mix(at as u64);
        }
        None => fold.sample(data),
    }
}

fn fold_done(fold: &mut Fold, done: &p2p_core::JobDone, known: &Known) {
    use p2p_core::JobDone;
    fold.variant(done);
    match done {
        JobDone::Read(Ok(data)) => fold_bytes(fold, data, known),
        JobDone::Digest(Ok(digest)) => fold.bytes(digest.as_ref()),
        JobDone::Stat(Ok(stat)) => fold.mix(stat.map_or(u64::MAX, |stat| stat.len)),
        JobDone::List(Ok(entries)) => fold.mix(entries.len() as u64),
        JobDone::Written { result, .. } | JobDone::Done(result) => fold.mix(u64::from(result.is_ok())),
        _ => fold.mix(0),
    }
}
