//! How many nodes the simulator carries, and how fast: a ring that is whole, its upkeep, and lookups.

use super::{Profile, Settled};
use crate::cost::Cost;
use p2p_chord::{Command, RingId};
use p2p_core::{Duration, Rng};
use p2p_sim::Uniform;

/// What a ring of so many nodes cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// How many nodes.
    pub nodes: usize,
    /// Datagrams that reached a machine.
    pub messages: u64,
    /// All inputs of machines: these, and timers.
    pub inputs: u64,
    /// Lookups that were asked for, and those that did not end well.
    pub lookups: (usize, usize),
    /// CPU seconds to draw up the ring.
    pub built: f64,
    /// CPU seconds to run it.
    pub cpu: f64,
    /// The most memory that the process held, in bytes, all rings before this one included.
    pub peak: u64,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// Runs a ring of so many nodes for a span of virtual time, in which every node looks up a place every `every` on
/// average.
#[must_use]
pub fn scale(seed: u64, nodes: usize, span: Duration, every: Duration, profile: &Profile) -> Scale {
    let start = Cost::so_far().unwrap_or_default();
    let mut ring = Settled::new(seed, nodes, profile, Uniform::ms(20..60), None);
    let built = Cost::so_far().unwrap_or_default();
    let mut rng = Rng::fast_from(seed ^ 0x5ca1e);
    let step = Duration::from_millis(10);
    let a_step = nodes as f64 * step.as_secs_f64() / every.as_secs_f64();
    let mut owed = 0.0;
    let mut asked = Vec::new();
    let end = ring.sim.now() + span;
    while ring.sim.now() < end {
        owed += a_step;
        while owed >= 1.0 {
            owed -= 1.0;
            let node = p2p_sim::NodeIx::new(rng.below(nodes as u64) as u32);
            asked.push(ring.sim.ask(node, Command::Lookup(RingId::random(&mut rng))));
        }
        ring.sim.run_for(step);
    }
    let cost = Cost::so_far().unwrap_or_default();
    let under_way = Duration::from_secs(20);
    ring.sim.finish(&asked, under_way);
    let failed = asked.iter().filter(|op| ring.sim.outcome(**op) != Some(&Ok(()))).count();
    let traffic = ring.sim.traffic();
    Scale {
        nodes,
        messages: traffic.datagrams.delivered,
        inputs: traffic.inputs,
        lookups: (asked.len(), failed),
        built: built.cpu - start.cpu,
        cpu: cost.cpu - built.cpu,
        peak: cost.peak,
        digest: ring.sim.digest(),
    }
}
