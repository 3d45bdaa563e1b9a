//! Rings in the simulator: how they are made, and what a right one is.

use p2p_chord::{Chord, Command, Config, Event, Peer};
use p2p_core::{Duration, OpId};
use p2p_sim::{Audit, NodeIx, Sim, Uniform};
use std::net::SocketAddr;

pub(crate) const PORT: u16 = 4000;

pub(crate) type World = Sim<Audit<Chord>>;

pub(crate) fn config(r: usize) -> Config {
    let mut config = Config::default();
    config.listen = SocketAddr::from(([0, 0, 0, 0], PORT));
    config.successors = r;
    config
}

pub(crate) fn node(config: &Config) -> Audit<Chord> {
    Audit::new(Chord::new(config.clone()))
}

pub(crate) fn at(sim: &World, node: NodeIx) -> SocketAddr {
    SocketAddr::new(sim.addr(node), PORT)
}

pub(crate) fn chord(sim: &World, node: NodeIx) -> &Chord {
    sim.machine(node).inner()
}

/// A ring that so many nodes join one after the other, by the first one; each is in before the next one comes.
pub(crate) fn joined(seed: u64, nodes: usize, config: &Config) -> (World, Vec<NodeIx>) {
    let mut sim = Sim::new(seed, Uniform::ms(10..60));
    let mut members: Vec<NodeIx> = Vec::new();
    for _ in 0..nodes {
        let new = add(&mut sim, &members, config);
        members.push(new);
    }
    (sim, members)
}

/// One more node joins by the first member.
pub(crate) fn add(sim: &mut World, members: &[NodeIx], config: &Config) -> NodeIx {
    let (node, op) = begin(sim, members, config);
    assert!(sim.finish(&[op], Duration::from_secs(120)), "{node:?} joins");
    assert_eq!(sim.outcome(op), Some(&Ok(())), "{node:?} joins");
    node
}

pub(crate) fn begin(sim: &mut World, members: &[NodeIx], config: &Config) -> (NodeIx, OpId) {
    let by = members.first().map(|first| at(sim, *first));
    let node = sim.add(node(config));
    if by.is_none() {
        // The founder has nobody to tell it its address.
        let mut config = config.clone();
        config.advertised = Some(at(sim, node));
        sim.kill(node);
        sim.restart(node, self::node(&config));
    }
    let op = sim.ask(node, Command::Join(by.into_iter().collect()));
    (node, op)
}

/// What is not as in the one right ring of these nodes: every list the next `r`, every predecessor the one before.
pub(crate) fn faults(sim: &World, members: &[NodeIx], r: usize) -> Vec<String> {
    let mut nodes: Vec<(Peer, &Chord)> = members
        .iter()
        .map(|node| chord(sim, *node))
        .filter_map(|chord| Some((chord.peer()?, chord)))
        .collect();
    assert_eq!(nodes.len(), members.len());
    nodes.sort_by_key(|(peer, _)| peer.id());
    let around = |at: usize| nodes[at % nodes.len()].0;
    let mut faults = Vec::new();
    for (at, (peer, chord)) in nodes.iter().enumerate() {
        if let Err(broken) = chord.check() {
            faults.push(format!("{peer:?}: {broken}"));
        }
        let length = if chord.is_small() { nodes.len() - 1 } else { r };
        let right: Vec<Peer> = (1..=length).map(|step| around(at + step)).collect();
        let has: Vec<Peer> = chord.successors().collect();
        if has != right {
            faults.push(format!("{peer:?} has successors {has:?}, not {right:?}"));
        }
        let before = (nodes.len() > 1).then(|| around(at + nodes.len() - 1));
        if chord.predecessor() != before {
            faults.push(format!("{peer:?} has predecessor {:?}, not {before:?}", chord.predecessor()));
        }
    }
    faults
}

/// Runs until the ring is right, and gives in how many seconds it was.
pub(crate) fn settle(sim: &mut World, members: &[NodeIx], r: usize, seconds: u64) -> u64 {
    for second in 0..seconds {
        if faults(sim, members, r).is_empty() {
            return second;
        }
        sim.run_for(Duration::from_secs(1));
        for node in members {
            assert_eq!(chord(sim, *node).check(), Ok(()), "{node:?}");
        }
    }
    panic!("the ring is not right after {seconds} s: {:#?}", faults(sim, members, r));
}

/// Who is responsible for these places, as the members have it, compared with who is.
pub(crate) fn lookups_are_right(sim: &mut World, members: &[NodeIx], seed: u64, count: usize) -> f64 {
    let mut rng = p2p_core::Rng::fast_from(seed);
    let mut peers: Vec<Peer> = members.iter().filter_map(|node| chord(sim, *node).peer()).collect();
    peers.sort_by_key(Peer::id);
    let mut asked = Vec::new();
    for _ in 0..count {
        let target = p2p_chord::RingId::random(&mut rng);
        let node = *rng.choose(members).expect("members");
        asked.push((node, target, sim.ask(node, Command::Lookup(target))));
    }
    let ops: Vec<OpId> = asked.iter().map(|(.., op)| *op).collect();
    assert!(sim.finish(&ops, Duration::from_secs(60)));
    let mut hops = 0.0;
    for (node, target, op) in asked {
        assert_eq!(sim.outcome(op), Some(&Ok(())), "{node:?} looks up {target}");
        let right = peers.iter().find(|peer| peer.id() >= target).unwrap_or(&peers[0]);
        let told = sim.events(node).iter().find(|told| told.op == Some(op)).expect("an answer");
        let Event::Owners { owners, report, .. } = &told.event else { panic!("{told:?}") };
        assert_eq!(owners[0], *right, "{node:?} looks up {target}");
        hops += f64::from(report.hops);
    }
    hops / count as f64
}

/// A ring of so many nodes that is right from the beginning, and fingers with it.
pub(crate) fn drawn_up(seed: u64, nodes: usize, config: &Config) -> (World, Vec<NodeIx>) {
    let mut sim = Sim::new(seed, Uniform::ms(10..60));
    let members = draw(&mut sim, 0..nodes, config);
    (sim, members)
}

/// One more ring like that, of the nodes with these numbers.
pub(crate) fn draw(sim: &mut World, numbers: core::ops::Range<usize>, config: &Config) -> Vec<NodeIx> {
    let nodes = numbers.len();
    let at = |index: usize| {
        SocketAddr::from(([10, (index >> 16) as u8 + 1, (index >> 8) as u8, index as u8], PORT))
    };
    let mut peers: Vec<Peer> = numbers.map(|index| Peer::new(config.network, at(index))).collect();
    peers.sort_by_key(Peer::id);
    let around = |at: usize| peers[at % nodes];
    let mut members = Vec::new();
    for (place, me) in peers.iter().enumerate() {
        let successors: Vec<Peer> = (1..=config.successors).map(|step| around(place + step)).collect();
        let fingers = (config.successors + 1..nodes).map(|step| around(place + step));
        let node = Chord::settled(config.clone(), *me, around(place + nodes - 1), &successors, fingers);
        members.push(sim.add_with(p2p_sim::Setup::new().addr(me.addr().ip()), Audit::new(node)));
    }
    members
}

/// The members from the one responsible for a place on.
pub(crate) fn owners(sim: &World, members: &[NodeIx], place: p2p_chord::RingId) -> Vec<NodeIx> {
    let mut nodes: Vec<(Peer, NodeIx)> =
        members.iter().filter_map(|node| Some((chord(sim, *node).peer()?, *node))).collect();
    nodes.sort_by_key(|(peer, _)| place.distance_to(peer.id()));
    nodes.into_iter().map(|(_, node)| node).collect()
}
