//! What nodes hold in memory.

use super::{Profile, Settled, Spread};
use p2p_chord::{Command, RingId};
use p2p_core::{Duration, Rng};
use p2p_sim::{NodeIx, Uniform};

/// Bytes that each node of a ring holds, itself and on the heap, after so long of upkeep, in which each looked up a place
/// every 10 s.
#[must_use]
pub fn state(seed: u64, nodes: usize, span: Duration, profile: &Profile) -> Spread {
    let mut ring = Settled::new(seed, nodes, profile, Uniform::ms(20..60), None);
    let mut rng = Rng::fast_from(seed ^ 0x57a7e);
    let step = Duration::from_millis(100);
    for _ in 0..span.as_millis() / step.as_millis() {
        for _ in 0..(nodes / 100).max(1) {
            let node = NodeIx::new(rng.below(nodes as u64) as u32);
            ring.sim.ask(node, Command::Lookup(RingId::random(&mut rng)));
        }
        ring.sim.run_for(step);
    }
    ring.sim.nodes().map(|node| ring.sim.machine(node).memory() as f64).collect()
}
