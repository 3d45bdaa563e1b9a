//! How far members are from the source by a tree, against the way that the network has: section 6 of the facts' papers
//! call it relative delay penalty (Chu et al. 2000).

use super::{Audience, Delays, HEADS, Setting};
use crate::rings::Spread;
use p2p_core::{Duration, Rng};
use p2p_esm::Counts;

/// Hosts whose direct way is shorter than this are left out: next to nothing is many times nothing.
const NEAR: Duration = Duration::from_millis(10);

/// A tree after a while.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// How many members.
    pub members: usize,
    /// Delay by the tree, divided by the direct one.
    pub penalty: Spread,
    /// Milliseconds by the tree.
    pub delay: Spread,
    /// Hops.
    pub depth: Spread,
    /// Members that pass nothing on.
    pub leaves: usize,
    /// Members that were in no tree when it was looked.
    pub lost: usize,
    /// Bytes that each member sent in a second beside the stream, heads of UDP and IP included.
    pub control: f64,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// Members at so many random hosts, of which the first is the source's, after so long.
#[must_use]
pub fn overlay(seed: u64, members: usize, delays: &Delays, setting: Setting, after: Duration) -> Overlay {
    let mut hosts: Vec<usize> = (0..delays.sites()).collect();
    Rng::fast_from(seed).shuffle(&mut hosts);
    hosts.truncate(members);
    let links = delays.links(&hosts);
    let mut audience = Audience::new(seed, links.clone(), setting);
    let nodes: Vec<_> = (1..members).map(|_| audience.join()).collect();
    audience.stream(after);
    let before: Vec<_> = nodes.iter().map(|node| audience.sim.machine(*node).counts()).collect();
    const LOOK: Duration = Duration::from_secs(30);
    audience.stream(LOOK);
    let source = audience.source;
    let (mut penalty, mut delay, mut depths, mut leaves, mut lost) =
        (Vec::new(), Vec::new(), Vec::new(), 0, 0);
    let mut control = 0.0;
    for (node, before) in nodes.iter().zip(before) {
        let counts = audience.sim.machine(*node).counts();
        let sent = |counts: Counts| counts.control.all().with_heads(HEADS);
        control += (sent(counts) - sent(before)) as f64;
        if audience.sim.machine(*node).children().all(|children| children.is_empty()) {
            leaves += 1;
        }
        // Up the first tree.
        let (mut at, mut way, mut depth) = (*node, Duration::ZERO, 0);
        while at != source {
            let parent = audience.sim.machine(at).parents().next().flatten();
            let Some(parent) = parent.and_then(|parent| audience.sim.node_at(parent.ip())) else { break };
            way += links.delay(parent, at);
            at = parent;
            depth += 1;
            if depth > members {
                break;
            }
        }
        if at != source {
            lost += 1;
            continue;
        }
        depths.push(f64::from(depth as u32));
        delay.push(way.as_secs_f64() * 1e3);
        let direct = links.delay(source, *node);
        if direct >= NEAR {
            penalty.push(way.as_secs_f64() / direct.as_secs_f64());
        }
    }
    let control = control / nodes.len().max(1) as f64 / LOOK.as_secs_f64();
    let spread = |numbers: Vec<f64>| numbers.into_iter().collect::<Spread>();
    Overlay {
        members,
        penalty: spread(penalty),
        delay: spread(delay),
        depth: spread(depths),
        leaves,
        lost,
        control,
        digest: audience.sim.digest(),
    }
}
