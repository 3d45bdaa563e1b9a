//! What members are given when their parent dies: ten seconds of stream, then one that passes it on is killed, again and
//! again.

use super::{Audience, Setting};
use crate::rings::Spread;
use p2p_core::{Duration, Rng};
use p2p_sim::{Links, NodeIx};

/// The children of killed parents.
#[derive(Debug, Clone)]
pub struct Orphans {
    /// Members that were killed.
    pub killed: usize,
    /// How long it took until a child had another parent in that tree, in milliseconds since the death.
    pub adopted: Spread,
    /// Children that had none after five seconds.
    pub unadopted: usize,
    /// How long nothing went out, in milliseconds.
    pub pause: Spread,
    /// Packets that never went out, of all orphans.
    pub lost: u64,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// Kills so many members that pass the stream on, one every five seconds.
#[must_use]
pub fn orphans(seed: u64, members: usize, kills: usize, links: impl Links, setting: Setting) -> Orphans {
    let mut dice = Rng::fast_from(seed);
    let mut audience = Audience::new(seed, links, setting);
    (0..members).for_each(|_| {
        audience.join();
    });
    audience.stream(Duration::from_secs(60));
    let (mut killed, mut adopted, mut unadopted, mut pause, mut lost) = (0, Vec::new(), 0, Vec::new(), 0);
    while killed < kills {
        let sim = &audience.sim;
        let passes_on: Vec<NodeIx> = sim
            .nodes()
            .filter(|node| *node != audience.source && sim.is_alive(*node))
            .filter(|node| sim.machine(*node).children().any(|children| !children.is_empty()))
            .collect();
        let Some(victim) = dice.choose(&passes_on).copied() else { break };
        let trees = (0_u8..).zip(sim.machine(victim).children());
        let orphans: Vec<(u8, NodeIx)> = trees
            .flat_map(|(tree, children)| children.into_iter().map(move |child| (tree, child)))
            .filter_map(|(tree, child)| Some((tree, sim.node_at(child.ip())?)))
            // Who was killed before is in its list until it is found to be silent.
            .filter(|(_, child)| sim.is_alive(*child))
            // Some are on their way to another parent.
            .filter(|(tree, child)| {
                let parent = sim.machine(*child).parents().nth(usize::from(*tree)).flatten();
                parent.is_some_and(|parent| parent.ip() == sim.addr(victim))
            })
            .collect();
        audience.forget_pauses();
        let before: Vec<_> = orphans.iter().map(|(_, node)| audience.given(*node)).collect();
        let (died, _) = (audience.sim.now(), audience.take_parents());
        audience.sim.kill(victim);
        killed += 1;
        audience.stream(Duration::from_secs(5));
        let parents = audience.take_parents();
        for ((tree, node), before) in orphans.iter().zip(before) {
            match parents.iter().find(|(_, child, at)| child == node && at == tree) {
                Some((at, ..)) => adopted.push(at.since(died).as_secs_f64() * 1e3),
                None => unadopted += 1,
            }
            let (Some(before), Some(after)) = (before, audience.given(*node)) else { continue };
            pause.push(after.pause.as_secs_f64() * 1e3);
            lost += (after.last - before.last) - (after.packets - before.packets);
        }
    }
    let spread = |numbers: Vec<f64>| numbers.into_iter().collect();
    let digest = audience.sim.digest();
    Orphans { killed, adopted: spread(adopted), unadopted, pause: spread(pause), lost, digest }
}
