//! Networks of servents, and graphs to link them by.

use p2p_core::{Duration, FileId, OpId, RelPath, Rng, Root};
use p2p_gnutella::servent::{Bootstrap, Command, Config, Counts, Error, Event, Hit, Mode, Wish};
use p2p_gnutella::{Servent, transfer};
use p2p_sim::{Audit, NodeIx, Setup, Sim, Uniform};
use std::net::SocketAddr;

pub(crate) const PORT: u16 = 6346;

pub(crate) struct Net {
    pub(crate) sim: Sim<Audit<Servent>>,
    seed: u64,
}

/// A servent of a test network: it pings UDP caches and all, but needs no hour to become what it is to be.
pub(crate) fn config(mode: Mode) -> Config {
    let mut config = Config::new(mode);
    config.limits.per_address = 1_000;
    config.tables_every = Duration::from_secs(5);
    config
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        eprintln!("seed {seed}");
        Self { sim: Sim::new(seed, Uniform::fixed(Duration::from_millis(20))), seed }
    }

    pub(crate) fn add(&mut self, config: Config) -> NodeIx {
        self.add_with(Setup::new(), config)
    }

    pub(crate) fn add_with(&mut self, setup: Setup, config: Config) -> NodeIx {
        let drawn = self.seed.wrapping_mul(1_000_003) + self.sim.nodes().count() as u64;
        self.sim.add_with(setup, Audit::new(Servent::new(config, &mut Rng::fast_from(drawn))))
    }

    pub(crate) fn addr(&self, node: NodeIx) -> SocketAddr {
        SocketAddr::new(self.sim.addr(node), PORT)
    }

    pub(crate) fn run(&mut self, secs: u64) {
        self.sim.run_for(Duration::from_secs(secs));
    }

    pub(crate) fn join(&mut self, node: NodeIx, peers: &[NodeIx]) -> OpId {
        let peers = peers.iter().map(|peer| self.addr(*peer)).collect();
        self.sim.ask(node, Command::Join(Bootstrap { peers, ..Bootstrap::default() }))
    }

    /// Lays a file of this name on a node's disk, with this content, and shares it.
    pub(crate) fn share(&mut self, node: NodeIx, name: &str, content: &'static [u8]) -> FileId {
        let file = FileId::new(Root(0), RelPath::local([name]).unwrap());
        let disk = std::mem::take(self.sim.disk(node));
        *self.sim.disk(node) = disk.with_file(file.clone(), content);
        self.transfer(node, transfer::Command::Share(file.clone()));
        file
    }

    pub(crate) fn transfer(&mut self, node: NodeIx, command: transfer::Command) -> OpId {
        self.sim.ask(node, Command::Transfer(command))
    }

    pub(crate) fn search(&mut self, node: NodeIx, wish: Wish) -> OpId {
        self.sim.ask(node, Command::Search(wish))
    }

    /// The hits that a search told so far.
    pub(crate) fn hits(&self, node: NodeIx, op: OpId) -> Vec<Hit> {
        let told = self.sim.events(node).iter().filter(|told| told.op == Some(op));
        told.filter_map(|told| match &told.event {
            Event::Hit(hit) => Some((**hit).clone()),
            _ => None,
        })
        .collect()
    }

    pub(crate) fn outcome(&self, op: OpId) -> Option<Result<(), Error>> {
        self.sim.outcome(op).cloned()
    }

    pub(crate) fn servent(&self, node: NodeIx) -> &Servent {
        self.sim.machine(node).inner()
    }

    pub(crate) fn counts(&self, node: NodeIx) -> Counts {
        self.servent(node).counts()
    }

    /// A sum over all servents.
    pub(crate) fn sum(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        self.sim.nodes().map(|node| of(&self.counts(node))).sum()
    }
}

/// An undirected graph without loops or double edges: who links to whom, the lower number first.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) nodes: usize,
    pub(crate) edges: Vec<(usize, usize)>,
}

impl Graph {
    /// A connected graph: a random tree, and other edges drawn at random.
    pub(crate) fn random(nodes: usize, edges: usize, rng: &mut Rng) -> Self {
        let mut set: std::collections::BTreeSet<_> = (1..nodes).map(|node| (rng.index(node), node)).collect();
        while set.len() < edges.min(nodes * (nodes - 1) / 2) {
            let (a, b) = (rng.index(nodes), rng.index(nodes));
            if a != b {
                set.insert((a.min(b), a.max(b)));
            }
        }
        Self { nodes, edges: set.into_iter().collect() }
    }

    pub(crate) fn degree(&self, node: usize) -> usize {
        self.edges.iter().filter(|(a, b)| *a == node || *b == node).count()
    }

    /// How far each node is from one.
    pub(crate) fn distances(&self, from: usize) -> Vec<usize> {
        let mut distances = vec![usize::MAX; self.nodes];
        distances[from] = 0;
        let (mut front, mut far) = (vec![from], 0);
        while !front.is_empty() {
            far += 1;
            let mut next = Vec::new();
            for node in front {
                for (a, b) in &self.edges {
                    let other = if *a == node {
                        *b
                    } else if *b == node {
                        *a
                    } else {
                        continue;
                    };
                    if distances[other] == usize::MAX {
                        distances[other] = far;
                        next.push(other);
                    }
                }
            }
            front = next;
        }
        distances
    }

    /// Links servents as the graph says, each edge dialled by its second node.
    pub(crate) fn build(&self, seed: u64, config: &Config) -> (Net, Vec<NodeIx>) {
        let mut net = Net::new(seed);
        let nodes: Vec<_> = (0..self.nodes).map(|_| net.add(config.clone())).collect();
        net.run(1);
        for (at, node) in nodes.iter().enumerate() {
            let peers: Vec<_> = self.edges.iter().filter(|(_, b)| *b == at).map(|(a, _)| nodes[*a]).collect();
            if !peers.is_empty() {
                net.join(*node, &peers);
            }
        }
        net.run(5);
        let links: usize = nodes.iter().map(|node| net.servent(*node).neighbours().count()).sum();
        assert_eq!(links, 2 * self.edges.len(), "every edge is a link");
        (net, nodes)
    }
}
