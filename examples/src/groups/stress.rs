//! How often a packet crosses the links of the network below, and how much of them it takes: against native multicast,
//! for which both are 1 (Chu et al. 2000).

use super::{Audience, Setting};
use crate::rings::Spread;
use p2p_core::{Duration, Instant, Rng};
use p2p_esm::lan::Lan;
use p2p_sim::topology::{Shape, TransitStub};
use p2p_sim::{Links, NodeIx, Setup};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Datagrams and bytes between two LANs.
type Crossed = BTreeMap<(usize, usize), (u64, u64)>;

/// LANs at the routers of a generated internet.
#[derive(Clone)]
struct Map {
    net: TransitStub,
    /// Hosts of a LAN follow each other.
    hosts: usize,
    /// Datagrams and bytes of the stream between two LANs, while it is counted.
    crossed: Arc<Mutex<Option<Crossed>>>,
    /// What is no longer than this is no part of the stream.
    control: usize,
}

impl Map {
    /// A LAN hangs on the router where the node of its number does.
    fn lan(&self, node: NodeIx) -> NodeIx {
        NodeIx::new((node.index() / self.hosts) as u32)
    }

    fn delay(&self, from: NodeIx, to: NodeIx) -> Duration {
        let (a, b) = (self.lan(from), self.lan(to));
        if a == b { INSIDE } else { self.net.delay(a, b) }
    }
}

/// Within a LAN.
const INSIDE: Duration = Duration::from_micros(200);

impl Links for Map {
    fn carry(&mut self, from: NodeIx, to: NodeIx, bytes: usize, _: Instant, _: &mut Rng) -> Option<Duration> {
        let (a, b) = (self.lan(from), self.lan(to));
        if a == b {
            return Some(INSIDE);
        }
        if bytes > self.control
            && let Ok(mut crossed) = self.crossed.lock()
            && let Some(crossed) = &mut *crossed
        {
            let sum = crossed.entry((a.index(), b.index())).or_default();
            *sum = (sum.0 + 1, sum.1 + bytes as u64);
        }
        Some(self.net.delay(a, b))
    }
}

/// What it took.
#[derive(Debug, Clone)]
pub struct Stress {
    /// How often a packet crosses the link that it crosses most often, the mean of all packets.
    pub worst: f64,
    /// The mean of all links that are crossed.
    pub mean: f64,
    /// Delay of each link, times how often it is crossed, of all links: in terms of what native multicast takes.
    pub usage: f64,
    /// Delay by the first tree, divided by the direct one, of the hosts of all LANs but the source's.
    pub penalty: Spread,
    /// Symbols that came into a LAN from outside, of those of the stream: mean and most of all LANs but the source's.
    pub into: (f64, f64),
    /// Packets that each member was given, of those that were sent from its first one on, at least.
    pub delivered: f64,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// 4 x 8 transit routers with three stub domains of ten routers each: 992; links of 20, 5 and 1 ms.
const NET: Shape = Shape {
    transits: 4,
    routers: 8,
    stubs: 3,
    hosts: 10,
    between: Duration::from_millis(20),
    transit: Duration::from_millis(20),
    access: Duration::from_millis(5),
    local: Duration::from_millis(1),
};

/// The links of a way, without those to the hosts.
fn way(net: &TransitStub, from: usize, to: usize) -> Vec<u64> {
    let mut links = net.route(NodeIx::new(from as u32), NodeIx::new(to as u32));
    links.retain(|link| link >> 60 != 3);
    links
}

fn delay(link: u64) -> f64 {
    match link >> 60 {
        1 => 1.0,
        2 => 5.0,
        _ => 20.0,
    }
}

/// Milliseconds from the source to a host by the first tree; `None` if it is in none.
fn by_tree(audience: &Audience, links: &Map, host: NodeIx) -> Option<f64> {
    let (source, sim) = (audience.source, &audience.sim);
    let parent = |node: NodeIx| sim.node_at(sim.machine(node).parents().next()??.ip());
    let (mut at, mut way, mut hops) = (host, Duration::ZERO, 0);
    while at != source {
        // What it has not from a parent it has from the host of its LAN that has one.
        let first = links.lan(at).index() * links.hosts;
        let near = (first..first + links.hosts).map(|node| NodeIx::new(node as u32));
        let forwards = |node: &NodeIx| *node != at && (*node == source || parent(*node).is_some());
        let next = parent(at).or_else(|| near.clone().find(forwards))?;
        way += links.delay(at, next);
        at = next;
        hops += 1;
        if hops > 1_000 {
            return None;
        }
    }
    Some(way.as_secs_f64() * 1e3)
}

/// So many LANs with so many hosts each, the source in the first one; with multicast in the LANs, or without.
#[must_use]
pub fn stress(
    seed: u64,
    (lans, hosts): (usize, usize),
    multicast: bool,
    setting: Setting,
    after: Duration,
) -> Stress {
    let net = TransitStub::new(seed, NET);
    let crossed = Arc::default();
    let links = Map { net: net.clone(), hosts, crossed, control: setting.packet };
    let (crossed, map) = (links.crossed.clone(), links.clone());
    let lan = || multicast.then(Lan::anywhere);
    let mut audience = Audience::begun(seed, links, setting, Setup::new().lan(0), lan());
    let nodes: Vec<_> = (1..lans * hosts)
        .map(|host| audience.join_as(Setup::new().lan((host / hosts) as u32), setting.degree, lan()))
        .collect();
    audience.stream(after);
    let first = audience.sent();
    if let Ok(mut crossed) = crossed.lock() {
        *crossed = Some(BTreeMap::new());
    }
    audience.stream(Duration::from_secs(20));
    let counted = crossed.lock().ok().and_then(|mut crossed| crossed.take()).unwrap_or_default();
    let packets = (audience.sent() - first) as f64;
    let penalty = nodes
        .iter()
        .filter(|node| map.lan(**node).index() > 0)
        .map(|node| {
            let direct = map.delay(audience.source, *node).as_secs_f64() * 1e3;
            by_tree(&audience, &map, *node).map_or(f64::INFINITY, |way| way / direct)
        })
        .collect();
    // What was sent last is signed, and comes.
    audience.sim.run_for(setting.patience);
    // With parity a packet is more than one symbol.
    let symbols = packets * setting.shape.expansion();
    let mut links: BTreeMap<u64, u64> = BTreeMap::new();
    let mut into = vec![0; lans];
    for ((from, to), (datagrams, _)) in counted {
        way(&net, from, to).into_iter().for_each(|link| *links.entry(link).or_default() += datagrams);
        into[to] += datagrams;
    }
    let native: BTreeSet<u64> = (1..lans).flat_map(|lan| way(&net, 0, lan)).collect();
    let native: f64 = native.into_iter().map(delay).sum();
    let taken: f64 = links.iter().map(|(link, times)| delay(*link) * *times as f64).sum();
    let all: u64 = links.values().sum();
    let shares = into[1..].iter().map(|datagrams| f64::from(*datagrams as u32) / symbols);
    let delivered = nodes.iter().map(|node| {
        audience
            .given(*node)
            .map_or(0.0, |given| given.packets as f64 / (audience.sent() - given.first) as f64)
    });
    Stress {
        worst: links.values().max().copied().unwrap_or(0) as f64 / symbols,
        mean: all as f64 / links.len().max(1) as f64 / symbols,
        usage: taken / symbols / native,
        into: (shares.clone().sum::<f64>() / (lans - 1) as f64, shares.fold(0.0, f64::max)),
        delivered: delivered.fold(1.0, f64::min),
        penalty,
        digest: audience.sim.digest(),
    }
}
