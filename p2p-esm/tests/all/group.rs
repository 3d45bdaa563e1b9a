//! A group in the simulator: its source, its members, and what each of them was given.

use crate::player::Player;
use bytes::Bytes;
use p2p_core::{Duration, Instant, OpId};
use p2p_esm::playout::Output;
use p2p_esm::{Command, Config, Esm, Event, SourceKey};
use p2p_sim::{Audit, Links, NodeIx, Setup, Sim};
use std::collections::BTreeMap;
use std::net::SocketAddr;

pub(crate) const PORT: u16 = 4000;

pub(crate) struct Group {
    pub(crate) sim: Sim<Audit<Player>>,
    pub(crate) source: NodeIx,
    pub(crate) members: Vec<NodeIx>,
    pub(crate) config: Config,
    /// Bytes of a packet.
    pub(crate) packet: usize,
    pub(crate) key: SourceKey,
    /// Packets that were sent.
    pub(crate) sent: Vec<Bytes>,
    sent_at: Vec<Instant>,
    watching: BTreeMap<NodeIx, OpId>,
}

/// Runs it twice: the same seed gives the same digest of all that happened.
pub(crate) fn repeats(run: impl Fn() -> u64) {
    let (first, second) = (run(), run());
    assert_eq!(first, second, "the same seed gives the same run");
}

/// What a member was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// Packets, by their number in the stream.
    pub(crate) packets: Vec<usize>,
    pub(crate) gaps: usize,
    pub(crate) ended: bool,
}

impl Group {
    pub(crate) fn new(seed: u64, links: impl Links, mut config: Config) -> Self {
        config.listen = SocketAddr::from(([0, 0, 0, 0], PORT));
        let key = SourceKey::new([9; 32]);
        let mut sim = Sim::new(seed, links);
        let mut at_source = config.clone();
        at_source.source = Some(key.clone());
        let source = sim.add(Audit::new(Player::Member(Box::new(Esm::new(at_source)))));
        let op = sim.ask(source, Command::Broadcast);
        assert!(sim.finish(&[op], Duration::from_secs(1)));
        assert_eq!(sim.outcome(op), Some(&Ok(())));
        let (members, sent, watching) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { sim, source, members, config, packet: 200, key, sent, sent_at: Vec::new(), watching }
    }

    pub(crate) fn at(&self, node: NodeIx) -> SocketAddr {
        SocketAddr::new(self.sim.addr(node), PORT)
    }

    /// One more member begins to join by the source.
    pub(crate) fn begin(&mut self) -> (NodeIx, OpId) {
        self.begin_in(Setup::new(), self.config.clone())
    }

    /// The same, with settings of its own.
    pub(crate) fn begin_in(&mut self, setup: Setup, config: Config) -> (NodeIx, OpId) {
        let node = self.sim.add_with(setup, Audit::new(Player::Member(Box::new(Esm::new(config)))));
        self.members.push(node);
        (node, self.join(node))
    }

    /// Members that do something beside what they should once they are told to.
    pub(crate) fn add_others(&mut self, count: usize, other: impl Fn(Box<Esm>) -> Player) {
        let ops: Vec<_> = (0..count)
            .map(|_| {
                let member = Box::new(Esm::new(self.config.clone()));
                let node = self.sim.add(Audit::new(other(member)));
                self.members.push(node);
                (node, self.join(node))
            })
            .collect();
        let only: Vec<_> = ops.iter().map(|(_, op)| *op).collect();
        assert!(self.sim.finish(&only, Duration::from_secs(30)), "everybody joins");
        ops.into_iter().for_each(|(node, _)| self.watch(node));
    }

    pub(crate) fn join(&mut self, node: NodeIx) -> OpId {
        let by = vec![self.at(self.source)];
        self.sim.ask(node, Command::Join { group: self.key.group(), by })
    }

    /// So many members join at once; gives after how long they all have a place in every tree.
    pub(crate) fn add(&mut self, count: usize) {
        let ops: Vec<_> = (0..count).map(|_| self.begin()).collect();
        let only: Vec<_> = ops.iter().map(|(_, op)| *op).collect();
        if !self.sim.finish(&only, Duration::from_secs(30)) {
            for (node, op) in &ops {
                let machine = self.machine(*node);
                let parents: Vec<_> = machine.parents().collect();
                println!("{node:?} {:?} {parents:?} {:?}", self.sim.outcome(*op), machine.counts());
            }
            panic!("everybody joins");
        }
        for (node, op) in ops {
            assert_eq!(self.sim.outcome(op), Some(&Ok(())), "{node:?} joins");
            self.watch(node);
        }
    }

    pub(crate) fn watch(&mut self, node: NodeIx) {
        let op = self.sim.ask(node, Command::Watch);
        self.watching.insert(node, op);
    }

    /// The source sends so many packets, one every `every`.
    pub(crate) fn stream(&mut self, packets: usize, every: Duration) {
        for _ in 0..packets {
            let mut packet = vec![0; self.packet];
            packet[..8].copy_from_slice(&(self.sent.len() as u64).to_be_bytes());
            let packet = Bytes::from(packet);
            self.sent.push(packet.clone());
            self.sent_at.push(self.sim.now());
            self.sim.ask(self.source, Command::Send(vec![packet]));
            self.sim.run_for(every);
        }
    }

    /// What a member was given so far; each packet must be as it was sent.
    pub(crate) fn given(&self, node: NodeIx) -> Given {
        let mut given = Given::default();
        let Some(op) = self.watching.get(&node) else { return given };
        for told in self.sim.events(node).iter().filter(|told| told.op == Some(*op)) {
            match &told.event {
                Event::Output(Output::Packet { data, .. }) => {
                    let number = u64::from_be_bytes(data[..8].try_into().expect("a number")) as usize;
                    assert_eq!(self.sent.get(number), Some(data), "{node:?} was given what was not sent");
                    given.packets.push(number);
                }
                Event::Output(Output::Gap { .. } | Output::Jump { .. }) => given.gaps += 1,
                Event::Output(Output::End) => given.ended = true,
                other => panic!("{other:?}"),
            }
        }
        assert!(given.packets.is_sorted_by(|a, b| a < b), "in order, each once");
        given
    }

    /// How late a member was given the packets from the `first` one on.
    pub(crate) fn lateness(&self, node: NodeIx, first: usize) -> Vec<Duration> {
        let told = self.sim.events(node).iter().filter(|told| told.op == self.watching.get(&node).copied());
        told.filter_map(|told| {
            let Event::Output(Output::Packet { data, .. }) = &told.event else { return None };
            let number = u64::from_be_bytes(data[..8].try_into().expect("a number")) as usize;
            (number >= first).then(|| told.at.since(self.sent_at[number]))
        })
        .collect()
    }

    pub(crate) fn machine(&self, node: NodeIx) -> &Esm {
        self.sim.machine(node).inner().member()
    }

    /// Hops from the source to a member in a tree; `None` if it is cut off, or there is a loop.
    pub(crate) fn depth(&self, node: NodeIx, tree: usize) -> Option<usize> {
        let (mut at, mut depth) = (node, 0);
        while at != self.source {
            let parent = self.machine(at).parents().nth(tree)??;
            at = self.sim.node_at(parent.ip())?;
            depth += 1;
            if depth > self.members.len() {
                return None;
            }
        }
        Some(depth)
    }
}
