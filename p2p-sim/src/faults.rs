//! What goes wrong, all of it drawn from the seed: [`Faults`] at random, and a [`Plan`] of larger calamities.

use crate::node::NodeIx;
use crate::storage::DiskFaults;
use p2p_core::{Duration, Instant, Rng};

/// Faults that strike single packets, streams and jobs. All probabilities are from 0 to 1 and 0 by default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// A packet is lost, on top of what the links lose. On a stream it is sent again and comes late.
    pub loss: f64,
    /// A datagram comes twice.
    pub duplicate: f64,
    /// A datagram is overtaken: the probability, and the most that it comes later.
    pub reorder: (f64, Duration),
    /// A packet or a burst of a stream is held up: the probability, and the most that it comes later.
    pub spikes: (f64, Duration),
    /// A stream breaks at a send.
    pub reset: f64,
    /// Securing a stream fails.
    pub insecure: f64,
    /// What goes wrong on disks.
    pub disk: DiskFaults,
}

impl Faults {
    /// A moderate mixture of everything: no fault so common that nothing could work.
    #[must_use]
    pub fn storm(rng: &mut Rng) -> Self {
        let mut share = |most: f64| if rng.chance(0.5) { rng.unit() * most } else { 0.0 };
        Self {
            loss: share(0.1),
            duplicate: share(0.05),
            reorder: (share(0.2), Duration::from_millis(200)),
            spikes: (share(0.02), Duration::from_secs(3)),
            reset: share(0.002),
            insecure: share(0.02),
            disk: DiskFaults { read: share(0.01), write: share(0.01) },
        }
    }
}

/// Pairs of nodes that never hear each other, though others hear both: as between two networks whose operators do not
/// agree, or past a firewall in one direction. So links are *not transitive* (measured in one pair of 20 to 100 at a
/// time: Freedman et al. 2005), and *asymmetric*.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gaps {
    /// Which pairs.
    pub seed: u64,
    /// The share of all pairs between which nothing passes in either direction, from 0 to 1.
    pub pairs: f64,
    /// The share of all directions, of which there are two for each pair, in which nothing passes.
    pub directions: f64,
}

impl Gaps {
    /// Whether nothing passes from one to the other. It follows from the numbers of both, and nothing is kept.
    #[must_use]
    pub fn between(&self, from: NodeIx, to: NodeIx) -> bool {
        let (a, b) = (from.index() as u64, to.index() as u64);
        let struck = |share: f64, kind: u64, a: u64, b: u64| {
            share > 0.0 && mixed(self.seed ^ kind, a << 32 | b) as f64 / (u64::MAX as f64) < share
        };
        struck(self.pairs, 0, a.min(b), a.max(b)) || struck(self.directions, 0x5eed, a, b)
    }
}

/// A hash of two numbers (splitmix64's finish, twice).
pub(crate) const fn mixed(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut round = 0;
    while round < 2 {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z = (z ^ (z >> 31)).wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        round += 1;
    }
    z ^ (z >> 29)
}

/// A calamity.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Act {
    /// The named nodes are parted from the others.
    Part(Vec<NodeIx>),
    /// All partitions end.
    Heal,
    /// Packets from and to a node wait for so long.
    Clog(NodeIx, Duration),
    /// A node is frozen for so long, and goes on.
    Freeze(NodeIx, Duration),
    /// A node crashes.
    Kill(NodeIx),
    /// A crashed node starts again; the player has the machine.
    Restart(NodeIx),
    /// A node's civil clock jumps by so many nanoseconds.
    Clock(NodeIx, i64),
}

/// Calamities and when they strike, in order of time.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What happens when.
    pub acts: Vec<(Instant, Act)>,
}

impl Plan {
    /// Draws `count` calamities for nodes 0 to `nodes`, from `from` on for `span`. Every killed node is restarted and
    /// every partition healed by the end, so what a protocol promises must hold after it.
    #[must_use]
    pub fn draw(seed: u64, nodes: u32, count: u32, from: Instant, span: Duration) -> Self {
        let mut rng = Rng::fast_from(seed ^ 0xfa01_7500);
        let end = from + span;
        let mut acts: Vec<(Instant, Act)> = Vec::new();
        let mut down: Vec<(Instant, Instant, NodeIx)> = Vec::new();
        for _ in 0..count {
            let at = from + rng.phase(span);
            let upto = at + rng.phase(end.since(at));
            let node = NodeIx::new(rng.below(u64::from(nodes)) as u32);
            match rng.below(4) {
                0 => {
                    let mut side: Vec<NodeIx> = (0..nodes).map(NodeIx::new).collect();
                    rng.shuffle(&mut side);
                    side.truncate(1 + rng.index((nodes as usize / 2).max(1)));
                    side.sort_unstable();
                    acts.extend([(at, Act::Part(side)), (upto, Act::Heal)]);
                }
                1 => acts.push((at, Act::Clog(node, rng.phase(Duration::from_secs(5)).min(upto.since(at))))),
                2 => {
                    // A node is down once at a time.
                    if down.iter().all(|(a, b, other)| *other != node || upto < *a || at > *b) {
                        down.push((at, upto, node));
                        acts.extend([(at, Act::Kill(node)), (upto, Act::Restart(node))]);
                    }
                }
                _ => {
                    let day = 86_400_000_000_000;
                    acts.push((at, Act::Clock(node, rng.below(2 * day) as i64 - day as i64)));
                }
            }
        }
        acts.push((end, Act::Heal));
        acts.sort_by_key(|(at, _)| *at);
        Self { acts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_as_many_as_asked_for_and_as_asked_for() {
        let nodes = || (0..300).map(NodeIx::new);
        let count = |gaps: Gaps| {
            let all = nodes().flat_map(|a| nodes().map(move |b| (a, b))).filter(|(a, b)| a != b);
            let struck: Vec<_> = all.filter(|(a, b)| gaps.between(*a, *b)).collect();
            let both = struck.iter().filter(|(a, b)| gaps.between(*b, *a)).count();
            (struck.len() as f64 / (300.0 * 299.0), both as f64 / struck.len().max(1) as f64)
        };
        let (share, both) = count(Gaps { seed: 3, pairs: 0.05, directions: 0.0 });
        assert!((share / 0.05 - 1.0).abs() < 0.05, "{share}");
        assert_eq!(both, 1.0);
        let (share, both) = count(Gaps { seed: 3, pairs: 0.0, directions: 0.05 });
        assert!((share / 0.05 - 1.0).abs() < 0.05, "{share}");
        assert!(both < 0.1, "{both}");
        assert_eq!(count(Gaps { seed: 3, pairs: 0.0, directions: 0.0 }), (0.0, 0.0));
    }

    #[test]
    fn a_plan_mends_what_it_breaks() {
        for seed in 0..200 {
            let plan = Plan::draw(seed, 9, 40, Instant::from_nanos(5), Duration::from_secs(60));
            let mut down = std::collections::BTreeSet::new();
            let mut parted = false;
            let mut last = Instant::ZERO;
            for (at, act) in &plan.acts {
                assert!(*at >= last);
                last = *at;
                match act {
                    Act::Kill(node) => assert!(down.insert(*node)),
                    Act::Restart(node) => assert!(down.remove(node)),
                    Act::Part(side) => parted = !side.is_empty() && side.len() < 9,
                    Act::Heal => parted = false,
                    _ => {}
                }
            }
            assert!(down.is_empty() && !parted);
        }
    }
}
