//! What a node of a ring of 256 holds in memory, counted by the allocator, and that [`Chord::memory`] says the same.
//! `sim chord state` has the figures of larger rings.

use p2p_chord::{Chord, Command, Config, RingId};
use p2p_core::{Duration, Rng};
use p2p_sim::{NodeIx, Sim, Uniform};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::net::SocketAddr;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SEED: u64 = 1;
const PORT: u16 = 4000;

/// Bytes that are allocated now.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    (stats.bytes_allocated as isize - stats.bytes_deallocated as isize + stats.bytes_reallocated) as usize
}

#[test]
fn a_node_of_256_holds_less_than_8_kib() {
    eprintln!("seed {SEED}");
    let mut config = Config::default();
    config.listen = SocketAddr::from(([0, 0, 0, 0], PORT));
    let config = std::sync::Arc::new(config);
    let mut sim: Sim<Chord> = Sim::new(SEED, Uniform::ms(10..60));
    let mut nodes: Vec<NodeIx> = Vec::new();
    let mut rng = Rng::fast_from(SEED);
    for _ in 0..256 {
        let mut own = config.clone();
        if nodes.is_empty() {
            let addr = SocketAddr::new(NodeIx::new(0).usual_addr(), PORT);
            let mut founder = (*config).clone();
            founder.advertised = Some(addr);
            own = std::sync::Arc::new(founder);
        }
        let by = rng.choose(&nodes).map(|node| SocketAddr::new(sim.addr(*node), PORT));
        let node = sim.add(Chord::new(own));
        sim.run_for(Duration::from_millis(1));
        let op = sim.ask(node, Command::Join(by.into_iter().collect()));
        assert!(sim.finish(&[op], Duration::from_secs(60)));
        nodes.push(node);
    }
    // Upkeep, and lookups under way.
    sim.on_event(|_, _, _, _| false);
    for _ in 0..600 {
        let node = *rng.choose(&nodes).expect("nodes");
        sim.ask(node, Command::Lookup(RingId::random(&mut rng)));
        sim.run_for(Duration::from_millis(500));
    }
    let (mut sum, mut said, mut most) = (0, 0, 0);
    for node in &nodes {
        let machine = std::mem::replace(sim.machine_mut(*node), Chord::new(config.clone()));
        let memory = machine.memory();
        let before = held();
        drop(machine);
        let bytes = before - held() + size_of::<Chord>();
        (sum, said, most) = (sum + bytes, said + memory, most.max(bytes));
    }
    let mean = sum / nodes.len();
    eprintln!("{mean} bytes a node, {most} at most, {} of them in place", size_of::<Chord>());
    assert!(mean <= 4 << 10, "{mean}");
    assert!(most <= 8 << 10, "{most}");
    let off = (said as f64 / sum as f64 - 1.0).abs();
    assert!(off < 0.1, "it says {} bytes a node", said / nodes.len());
}
