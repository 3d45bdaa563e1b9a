//! The hosts of a LAN are one node of the trees: they find each other, one of them forwards each tree, and whoever fails is
//! replaced before anybody misses a packet.

use crate::group::Group;
use crate::wiring::Wiring;
use p2p_core::{Duration, OpId};
use p2p_esm::lan::Lan;
use p2p_esm::{Config, Event, Shape};
use p2p_sim::{NodeIx, Setup};

/// A hundred packets a second.
const EVERY: Duration = Duration::from_millis(10);

struct Islands {
    group: Group,
    wiring: Wiring,
}

impl Islands {
    fn new(seed: u64, shape: Shape, packet: usize) -> Self {
        let mut config = Config::default();
        config.shape = shape;
        config.rate = packet as u32 * 100;
        config.upload = config.rate * 6;
        let wiring = Wiring::default();
        let mut group = Group::new(seed, wiring.clone(), config);
        group.packet = packet;
        Self { group, wiring }
    }

    /// So many hosts of a LAN begin to join.
    fn begin(&mut self, lan: u32, hosts: usize) -> Vec<(NodeIx, OpId)> {
        (0..hosts).map(|_| self.begin_one(lan, Lan::anywhere())).collect()
    }

    fn begin_one(&mut self, lan: u32, with: Lan) -> (NodeIx, OpId) {
        let mut config = self.group.config.clone();
        config.lan = Some(with);
        let (node, op) = self.group.begin_in(Setup::new().lan(lan), config);
        self.wiring.place(node, lan);
        (node, op)
    }

    fn finish(&mut self, begun: Vec<(NodeIx, OpId)>) -> Vec<NodeIx> {
        let ops: Vec<_> = begun.iter().map(|(_, op)| *op).collect();
        assert!(self.group.sim.finish(&ops, Duration::from_secs(30)), "everybody joins");
        for (node, op) in &begun {
            assert_eq!(self.group.sim.outcome(*op), Some(&Ok(())), "{node:?} joins");
            self.group.watch(*node);
        }
        begun.into_iter().map(|(node, _)| node).collect()
    }

    fn add(&mut self, lan: u32, hosts: usize) -> Vec<NodeIx> {
        let begun = self.begin(lan, hosts);
        self.finish(begun)
    }

    /// Who sends a tree to the group.
    fn forwarders(&self, hosts: &[NodeIx], tree: usize) -> Vec<NodeIx> {
        let sim = &self.group.sim;
        let sends = |node: &&NodeIx| {
            sim.is_alive(**node) && self.group.machine(**node).forwards().nth(tree) == Some(true)
        };
        hosts.iter().filter(sends).copied().collect()
    }

    /// Everybody was given everything that was sent since, without a gap.
    fn all_given(&self, hosts: &[NodeIx], since: usize) {
        for node in hosts {
            let given = self.group.given(*node);
            let first = *given.packets.first().expect("it was given something");
            assert!(first <= since + 40, "{node:?} begins with {first}");
            assert_eq!(
                (given.packets.len(), given.gaps),
                (self.group.sent.len() - first, 0),
                "{node:?} from {first} on: {:?}",
                self.group.machine(*node).counts()
            );
        }
    }
}

#[test]
fn one_copy_into_each_lan() {
    let mut islands = Islands::new(41, Shape::SIX_OF_FOUR, 1_316);
    let lan = islands.add(1, 8);
    islands.group.stream(200, EVERY);
    islands.wiring.get().into.clear();
    let sent = islands.group.sent.len();
    islands.group.stream(500, EVERY);
    let (all, symbols) = islands.wiring.get().into[&1];
    let stream = (islands.group.sent.len() - sent) as f64 * 1_316.0 * Shape::SIX_OF_FOUR.expansion();
    let (all, symbols) = (all as f64 / stream, symbols as f64 / stream);
    println!("into the LAN: symbols {symbols:.4}, all {all:.4} of the stream times the expansion");
    for tree in 0..6 {
        assert_eq!(islands.forwarders(&lan, tree).len(), 1, "tree {tree}");
    }
    islands.group.sim.run_for(Duration::from_secs(1));
    islands.all_given(&lan, 0);
    assert!(symbols <= 1.06, "{symbols}");
    let (mut came, mut twice) = (0, 0);
    for node in &lan {
        let counts = islands.group.machine(*node).counts();
        came += counts.group;
        twice += counts.group_twice;
        println!("{node:?}: {counts:?}");
    }
    assert!(came > 1_000 && twice * 50 <= came, "{twice} of {came} came twice");
}
