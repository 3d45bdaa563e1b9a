//! How long paths are: Stoica et al. 2001, section 6.3.

use super::{Profile, Settled, Spread};
use p2p_sim::Uniform;

/// Path lengths of a ring.
#[derive(Debug, Clone)]
pub struct Hops {
    /// How many nodes.
    pub nodes: usize,
    /// Nodes on a path, the one responsible included.
    pub hops: Spread,
    /// Lookups that found nobody, or somebody else.
    pub wrong: usize,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// Path lengths of so many lookups in a ring that is right.
#[must_use]
pub fn hops(seed: u64, nodes: usize, lookups: usize, profile: &Profile) -> Hops {
    let mut ring = Settled::new(seed, nodes, profile, Uniform::ms(20..60), None);
    let results = ring.look_up(lookups, 1_000, seed);
    let wrong = results.iter().filter(|result| !matches!(result, Some((_, true)))).count();
    let hops = results.iter().flatten().map(|(report, _)| f64::from(report.hops)).collect();
    Hops { nodes, hops, wrong, digest: ring.sim.digest() }
}
