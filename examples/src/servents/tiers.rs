//! Two tiers of real servents: leaves behind ultrapeers, with tables and dynamic queries.

use super::Graph;
use p2p_core::{Duration, FileId, OpId, RelPath, Rng, Root};
use p2p_gnutella::servent::{Bootstrap, Command, Config, Event, Mode, Strategy, Wish};
use p2p_gnutella::{Servent, transfer};
use p2p_sim::{NodeIx, Sim, Uniform};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// What the tiers are.
#[derive(Clone, Debug)]
pub struct Tiers {
    /// Ultrapeers, and to how many others each links.
    pub ultrapeers: usize,
    /// Neighbours of an ultrapeer.
    pub degree: usize,
    /// Leaves, with three ultrapeers each.
    pub leaves: usize,
    /// The TTL of floods, and the most of a dynamic query.
    pub ttl: u8,
    /// Shares of the leaves that have what is looked for, one after the other.
    pub replications: Vec<f64>,
    /// Queries of each.
    pub queries: usize,
}

/// What queries took in the mean, at one replication.
#[derive(Clone, Copy, Debug, Default)]
pub struct TiersRun {
    /// The share of the leaves that has it.
    pub replication: f64,
    /// A flood with tables: messages in all.
    pub flood: f64,
    /// Of them those to leaves.
    pub flood_to_leaves: f64,
    /// A dynamic query with a target of 50 hits: messages in all.
    pub dynamic: f64,
    /// The hits that it found.
    pub found: f64,
    /// A dynamic query of one who wants a single hit: messages in all.
    pub one: f64,
    /// The share of those that found any.
    pub one_found: f64,
}

fn config(tiers: &Tiers, mode: Mode, wanted: u32) -> Config {
    let mut config = Config::new(mode);
    config.fixed = true;
    config.udp = false;
    config.degree = tiers.degree as u16;
    config.limits.ultrapeers = tiers.degree * 2;
    config.limits.leaves = tiers.leaves;
    config.limits.per_address = u64::MAX;
    config.limits.query_rate = u64::MAX;
    config.max_ttl = tiers.ttl;
    config.own_hits = wanted;
    // The network is built in minutes of virtual time, in which neighbours are told tables once.
    config.tables_every = Duration::from_secs(30);
    config.deflate = false;
    config
}

/// Of so many ultrapeers the last wants a single hit of its searches.
const MODEST: usize = 2;
/// Hits that the others want.
const WANTED: u32 = 50;

/// Runs floods and dynamic queries over two tiers.
#[must_use]
pub fn tiers(tiers: &Tiers, seed: u64) -> Vec<TiersRun> {
    let mut rng = Rng::fast_from(seed);
    let graph = Graph::regular(tiers.ultrapeers, tiers.degree, &mut rng);
    let mut sim: Sim<Servent> = Sim::new(seed, Uniform::fixed(Duration::from_millis(50)));
    let up: Vec<NodeIx> = (0..tiers.ultrapeers)
        .map(|at| {
            let wanted = if at % MODEST == MODEST - 1 { 1 } else { WANTED };
            sim.add(Servent::new(config(tiers, Mode::Ultrapeer, wanted), &mut rng))
        })
        .collect();
    let leaves: Vec<NodeIx> = (0..tiers.leaves)
        .map(|_| sim.add(Servent::new(config(tiers, Mode::Leaf, WANTED), &mut rng)))
        .collect();
    sim.run_for(Duration::from_secs(1));
    for (run, replication) in tiers.replications.iter().enumerate() {
        let mut order: Vec<usize> = (0..leaves.len()).collect();
        rng.shuffle(&mut order);
        let copies = (replication * leaves.len() as f64).round() as usize;
        for leaf in order.into_iter().take(copies) {
            let Ok(name) = RelPath::local([&*format!("wanted{run} thing")]) else { continue };
            let file = FileId::new(Root(0), name);
            let disk = std::mem::take(sim.disk(leaves[leaf]));
            *sim.disk(leaves[leaf]) = disk.with_file(file.clone(), &b"."[..]);
            sim.ask(leaves[leaf], Command::Transfer(transfer::Command::Share(file)));
        }
    }
    let at = |sim: &Sim<Servent>, node: NodeIx| SocketAddr::new(sim.addr(node), 6346);
    for (number, node) in up.iter().enumerate() {
        let lower = graph.neighbours(number).iter().filter(|other| (**other as usize) < number);
        let peers: Vec<_> = lower.map(|other| at(&sim, up[*other as usize])).collect();
        if !peers.is_empty() {
            sim.ask(*node, Command::Join(Bootstrap { peers, ..Bootstrap::default() }));
        }
    }
    for leaf in &leaves {
        let mut peers = Vec::new();
        while peers.len() < 3.min(up.len()) {
            let peer = at(&sim, up[rng.index(up.len())]);
            if !peers.contains(&peer) {
                peers.push(peer);
            }
        }
        sim.ask(*leaf, Command::Join(Bootstrap { peers, ..Bootstrap::default() }));
    }
    sim.run_for(Duration::from_secs(90));
    let hits: Arc<Mutex<std::collections::BTreeMap<OpId, u64>>> = Arc::default();
    let told = hits.clone();
    sim.on_event(move |_, _, op, event| {
        if let (Some(op), Event::Hit(_), Ok(mut told)) = (op, event, told.lock()) {
            *told.entry(op).or_insert(0) += 1;
        }
        false
    });
    let count = |sim: &Sim<Servent>| {
        up.iter().map(|node| sim.machine(*node).counts()).fold((0, 0), |(all, to_leaves), counts| {
            (all + counts.queries_out, to_leaves + counts.queries_to_leaves)
        })
    };
    // Messages, those of them to leaves, and hits.
    let mut ask = |source: usize, run: usize, strategy: Strategy| {
        let before = count(&sim);
        let wish = Wish::words(format!("wanted{run}")).by(strategy);
        let op = sim.ask(up[source], Command::Search(wish));
        sim.run_for(Duration::from_secs(210));
        let after = count(&sim);
        let found = hits.lock().map_or(0, |hits| hits.get(&op).copied().unwrap_or(0));
        [after.0 - before.0, after.1 - before.1, found].map(|sum| sum as f64 / tiers.queries as f64)
    };
    let mut runs = Vec::new();
    for (run, replication) in tiers.replications.iter().enumerate() {
        let mut sums = TiersRun { replication: *replication, ..TiersRun::default() };
        for _ in 0..tiers.queries {
            let source = rng.index(tiers.ultrapeers / MODEST) * MODEST;
            let [messages, to_leaves, _] = ask(source, run, Strategy::Flood(tiers.ttl));
            sums.flood += messages;
            sums.flood_to_leaves += to_leaves;
            let [messages, _, found] = ask(source, run, Strategy::Usual);
            sums.dynamic += messages;
            sums.found += found;
            let [messages, _, found] = ask(source + MODEST - 1, run, Strategy::Usual);
            sums.one += messages;
            sums.one_found += if found > 0.0 { 1.0 / tiers.queries as f64 } else { 0.0 };
        }
        runs.push(sums);
    }
    runs
}
