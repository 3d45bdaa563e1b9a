//! What happened to each node of a ring is recorded, and played again to the same effects.

use crate::rings::{PORT, config};
use p2p_chord::{Chord, Command, Config, RingId};
use p2p_core::{Duration, Rng};
use p2p_sim::{Audit, NodeIx, Recorder, Sim, Uniform};
use std::net::SocketAddr;

type Watched = Recorder<Audit<Chord>>;

fn node(config: &Config) -> Audit<Chord> {
    Audit::new(Chord::new(config.clone()))
}

fn run(seed: u64) -> (Sim<Watched>, Vec<(NodeIx, Config)>) {
    let mut sim: Sim<Watched> = Sim::new(seed, Uniform::ms(10..60).loss(0.02));
    let mut nodes: Vec<(NodeIx, Config)> = Vec::new();
    for _ in 0..30 {
        let mut config = config(3);
        let founder = nodes.first().map(|(first, _)| SocketAddr::new(sim.addr(*first), PORT));
        if founder.is_none() {
            config.advertised = Some(SocketAddr::new(NodeIx::new(0).usual_addr(), PORT));
        }
        let new = sim.add(Recorder::new(node(&config), 100_000));
        sim.run_for(Duration::from_secs(1));
        sim.ask(new, Command::Join(founder.into_iter().collect()));
        sim.run_for(Duration::from_secs(5));
        nodes.push((new, config));
    }
    let mut rng = Rng::fast_from(seed);
    for round in 0..40 {
        let (node, _) = nodes[rng.index(nodes.len())];
        sim.ask(node, Command::Lookup(RingId::random(&mut rng)));
        if round % 10 == 9 {
            // What is recorded has gaps of time then, and no two runs may differ by them.
            sim.freeze(node, Duration::from_secs(20));
            sim.kill(nodes[10 + round / 10].0);
        }
        sim.run_for(Duration::from_secs(3));
    }
    (sim, nodes)
}

#[test]
fn a_ring_is_played_again() {
    let seed = 11;
    eprintln!("seed {seed}");
    let (sim, nodes) = run(seed);
    for (at, config) in &nodes {
        let trace = sim.machine(*at).trace();
        assert!(trace.steps().len() > 100 && !trace.is_cut());
        let again = trace.replay(node(config)).expect("the same effects");
        let (was, is) = (sim.machine(*at).inner().inner(), again.inner());
        assert!(was.successors().eq(is.successors()) && was.predecessor() == is.predecessor());
        assert!(was.fingers().eq(is.fingers()) && was.is_member() == is.is_member());
    }
    assert_eq!(sim.digest(), run(seed).0.digest());
}
