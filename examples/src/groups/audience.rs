//! A group in virtual time: its source, its members, and what they were given ([`Audience`]).

use p2p_core::{Bytes, Duration, Instant, OpId};
use p2p_esm::lan::Lan;
use p2p_esm::playout::Output;
use p2p_esm::{Command, Config, Esm, Event, GroupKey, Policy, Shape, SourceKey, Verified};
use p2p_sim::{Links, NodeIx, Setup, Sim};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

const PORT: u16 = 4000;

/// How the members of a group are set.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// How the stream is cut.
    pub shape: Shape,
    /// Bytes of a packet.
    pub packet: usize,
    /// Packets in a second.
    pub packets: u32,
    /// How many times the stream each member may send.
    pub degree: f64,
    /// How long a packet is waited for.
    pub patience: Duration,
    /// How long the source lets a generation be open.
    pub flush: Duration,
    /// How parents are found.
    pub policy: Policy,
}

impl Setting {
    /// Bytes in a second.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.packet as u32 * self.packets
    }

    /// Bytes in a second that so many times the stream are.
    fn upload(&self, degree: f64) -> u32 {
        // A twentieth is for heads, and nobody is to miss a place by rounding.
        (f64::from(self.rate()) * degree * 1.06) as u32
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        config.listen = SocketAddr::from(([0, 0, 0, 0], PORT));
        config.shape = self.shape;
        config.rate = self.rate();
        config.upload = self.upload(self.degree);
        config.patience = self.patience;
        config.flush = self.flush;
        config.policy = self.policy;
        // Others ask for what is as old as the patience at most; what is kept for nobody is most of a member's memory.
        let packets = 2.0 * self.patience.as_secs_f64() * f64::from(self.packets);
        config.history = ((packets / f64::from(self.shape.data())) as usize).clamp(32, config.history);
        config
    }
}

/// A source, and members that come and go.
pub struct Audience {
    /// The simulation.
    pub sim: Sim<Esm>,
    /// The source.
    pub source: NodeIx,
    setting: Setting,
    config: Arc<Config>,
    group: GroupKey,
    joining: Vec<(NodeIx, OpId, Instant)>,
    /// Seconds from asking to join to a place in every tree.
    pub joins: Vec<f64>,
    given: Arc<Mutex<Record>>,
}

/// What was sent, and what came of it.
#[derive(Debug, Default)]
struct Record {
    sent: Vec<Instant>,
    members: Vec<Option<Given>>,
    /// When each member asked to join.
    begun: BTreeMap<NodeIx, Instant>,
    /// Seconds from that to the first packet.
    waits: Vec<f64>,
    /// Of every packet that went out, in milliseconds since it was sent.
    delay: f64,
    packets: u64,
    /// Who got a parent in which tree, and when.
    parents: Vec<(Instant, NodeIx, u8)>,
}

/// What one member was given since it watches.
#[derive(Debug, Clone, Copy)]
pub struct Given {
    /// The number of the first packet.
    pub first: u64,
    /// The number of the last one.
    pub last: u64,
    /// How many went out.
    pub packets: u64,
    /// When the last one did.
    pub at: Instant,
    /// The longest time in which none did.
    pub pause: Duration,
}

impl Audience {
    /// A source that broadcasts.
    ///
    /// # Panics
    /// If it cannot, which is a fault of the machine.
    #[must_use]
    pub fn new(seed: u64, links: impl Links, setting: Setting) -> Self {
        Self::begun(seed, links, setting, Setup::new(), None)
    }

    /// The same, at a place of its own, and in a LAN if it has one.
    ///
    /// # Panics
    /// If it cannot, which is a fault of the machine.
    #[must_use]
    pub fn begun(seed: u64, links: impl Links, setting: Setting, at: Setup, lan: Option<Lan>) -> Self {
        let key = SourceKey::new([9; 32]);
        let mut config = setting.config();
        config.verified = Some(Verified::default());
        let config_of_members = Arc::new(config.clone());
        config.source = Some(key.clone());
        config.lan = lan;
        let mut sim = Sim::new(seed, links);
        sim.look_into(Esm::touch);
        let source = sim.add_with(at, Esm::new(config));
        let op = sim.ask(source, Command::Broadcast);
        assert!(sim.finish(&[op], Duration::from_secs(1)) && sim.outcome(op) == Some(&Ok(())), "a source");
        let given: Arc<Mutex<Record>> = Arc::default();
        let record = given.clone();
        sim.on_event(move |now, node, _, event| {
            let Ok(mut record) = record.lock() else { return false };
            match event {
                Event::Output(Output::Packet { data, .. }) => {
                    if let Some(number) = data.first_chunk() {
                        record.note(node, u64::from_be_bytes(*number), now);
                    }
                }
                Event::Parent { tree, parent: Some(_) } => record.parents.push((now, node, *tree)),
                _ => {}
            }
            false
        });
        let (joining, joins) = (Vec::new(), Vec::new());
        Self { sim, source, setting, config: config_of_members, group: key.group(), joining, joins, given }
    }

    /// One more member joins, by the source.
    pub fn join(&mut self) -> NodeIx {
        self.begin(Setup::new(), self.config.clone())
    }

    /// One that may send so many times the stream.
    pub fn join_as(&mut self, at: Setup, degree: f64, lan: Option<Lan>) -> NodeIx {
        let mut config = (*self.config).clone();
        config.upload = self.setting.upload(degree);
        config.lan = lan;
        self.begin(at, Arc::new(config))
    }

    fn begin(&mut self, at: Setup, config: Arc<Config>) -> NodeIx {
        let node = self.sim.add_with(at, Esm::new(config));
        if let Ok(mut record) = self.given.lock() {
            record.begun.insert(node, self.sim.now());
        }
        let by = vec![SocketAddr::new(self.sim.addr(self.source), PORT)];
        let op = self.sim.ask(node, Command::Join { group: self.group, by });
        self.joining.push((node, op, self.sim.now()));
        node
    }

    /// Forgets all but what a member was given: it is gone.
    pub fn forget(&mut self, node: NodeIx) {
        *self.sim.machine_mut(node) = Esm::new(self.config.clone());
    }

    /// The source sends for so long; whoever has joined meanwhile watches.
    pub fn stream(&mut self, span: Duration) {
        let until = self.sim.now() + span;
        let every = Duration::from_secs(1) / self.setting.packets;
        while self.sim.now() < until {
            let sent = self.given.lock().map_or(0, |mut record| {
                record.sent.push(self.sim.now());
                record.sent.len() as u64 - 1
            });
            let mut packet = vec![0; self.setting.packet.max(8)];
            packet[..8].copy_from_slice(&sent.to_be_bytes());
            self.sim.ask(self.source, Command::Send(vec![Bytes::from(packet)]));
            self.sim.run_for(every);
            self.watch();
        }
    }

    fn watch(&mut self) {
        let (sim, joins) = (&mut self.sim, &mut self.joins);
        let now = sim.now();
        self.joining.retain(|(node, op, since)| match sim.outcome(*op) {
            None => sim.is_alive(*node),
            Some(Ok(())) => {
                joins.push(now.since(*since).as_secs_f64());
                sim.ask(*node, Command::Watch);
                false
            }
            Some(Err(_)) => false,
        });
    }

    /// How many packets were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.given.lock().map_or(0, |record| record.sent.len() as u64)
    }

    /// How many of them were sent before.
    #[must_use]
    pub fn sent_before(&self, at: Instant) -> u64 {
        self.given.lock().map_or(0, |record| record.sent.partition_point(|sent| *sent < at) as u64)
    }

    /// What a member was given.
    #[must_use]
    pub fn given(&self, node: NodeIx) -> Option<Given> {
        self.given.lock().ok()?.members.get(node.index()).copied().flatten()
    }

    /// Who got a parent in which tree, and when, since it was asked last.
    pub fn take_parents(&self) -> Vec<(Instant, NodeIx, u8)> {
        self.given.lock().map_or_else(|_| Vec::new(), |mut record| std::mem::take(&mut record.parents))
    }

    /// Seconds from asking to join to the first packet, of those that were given one.
    #[must_use]
    pub fn waits(&self) -> Vec<f64> {
        self.given.lock().map_or_else(|_| Vec::new(), |record| record.waits.clone())
    }

    /// Forgets the longest pause of every member.
    pub fn forget_pauses(&self) {
        if let Ok(mut record) = self.given.lock() {
            record.members.iter_mut().flatten().for_each(|given| given.pause = Duration::ZERO);
        }
    }

    /// Milliseconds from the source to the output, the mean of all packets.
    #[must_use]
    pub fn delay(&self) -> f64 {
        self.given.lock().map_or(0.0, |record| record.delay / record.packets.max(1) as f64)
    }
}

impl Record {
    fn note(&mut self, node: NodeIx, number: u64, now: Instant) {
        if let Some(sent) = self.sent.get(number as usize) {
            self.delay += now.since(*sent).as_secs_f64() * 1e3;
            self.packets += 1;
        }
        if self.members.len() <= node.index() {
            self.members.resize(node.index() + 1, None);
        }
        if self.members[node.index()].is_none()
            && let Some(begun) = self.begun.remove(&node)
        {
            self.waits.push(now.since(begun).as_secs_f64());
        }
        let new = Given { first: number, last: number, packets: 0, at: now, pause: Duration::ZERO };
        let given = self.members[node.index()].get_or_insert(new);
        given.last = number;
        given.packets += 1;
        given.pause = given.pause.max(now.since(given.at));
        given.at = now;
    }
}
