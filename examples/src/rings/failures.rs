//! Many nodes die at once and nothing is repaired: Stoica et al. 2003, table II.

use super::{Profile, Settled, Spread};
use p2p_core::Rng;
use p2p_sim::{NodeIx, Uniform};

/// What lookups cost when so many nodes are dead.
#[derive(Debug, Clone)]
pub struct Failures {
    /// Lookups that ended without a result.
    pub failed: usize,
    /// Of these, those that were not through with the dead within their time.
    pub late: usize,
    /// Lookups that named a node that is not responsible: with dead nodes in lists, the first one named may be dead.
    pub dead: usize,
    /// Nodes on a path.
    pub hops: Spread,
    /// Questions that were not answered in time.
    pub timeouts: Spread,
    /// Times at which a lookup could do nothing but wait for one of these.
    pub stalls: Spread,
    /// Questions and answers.
    pub messages: Spread,
}

/// A ring of so many nodes of which this share dies.
#[must_use]
pub fn failures(seed: u64, nodes: usize, share: f64, lookups: usize, profile: &Profile) -> Failures {
    let mut ring = Settled::new(seed, nodes, profile, Uniform::ms(20..60), None);
    let mut all: Vec<NodeIx> = ring.sim.nodes().collect();
    Rng::fast_from(seed ^ 0xdead).shuffle(&mut all);
    for node in all.iter().take((nodes as f64 * share) as usize) {
        ring.sim.kill(*node);
    }
    let results = ring.look_up(lookups, 200, seed);
    let of = |figure: fn(&p2p_chord::Report) -> u16| {
        results.iter().flatten().map(|(report, _)| f64::from(figure(report))).collect::<Spread>()
    };
    Failures {
        failed: results.iter().filter(|result| result.is_none()).count(),
        late: ring.late,
        dead: results.iter().flatten().filter(|(_, right)| !right).count(),
        hops: of(|report| report.hops),
        timeouts: of(|report| report.timeouts),
        stalls: of(|report| report.stalls),
        messages: of(|report| report.messages),
    }
}
