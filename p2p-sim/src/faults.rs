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
