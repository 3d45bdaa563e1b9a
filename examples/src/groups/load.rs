//! Who carries the stream: what each member sends, and who sends nothing (Birrer and Bustamante 2007, table VII).

use super::{Audience, Setting};
use crate::rings::Spread;
use p2p_core::Duration;
use p2p_sim::Links;

/// What members send.
#[derive(Debug, Clone)]
pub struct Load {
    /// How many members.
    pub members: usize,
    /// Children of each in all trees, those on their way to another parent included, as shares of the stream.
    pub degree: Spread,
    /// Symbols that each sent, as shares of all that were.
    pub sent: Spread,
    /// Members that have no child in any tree, of all.
    pub idle: f64,
    /// Members that have children in more than one tree, of all.
    pub mixed: f64,
    /// Trees in which a member had no parent, of all.
    pub missing: f64,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// Members join over ten seconds; it is looked at them for a minute, after so long.
#[must_use]
pub fn load(seed: u64, members: usize, links: impl Links, setting: Setting, after: Duration) -> Load {
    let mut audience = Audience::new(seed, links, setting);
    let nodes: Vec<_> = (0..members)
        .map(|_| {
            audience.sim.run_for(Duration::from_secs(10) / members.max(1) as u32);
            audience.join()
        })
        .collect();
    audience.stream(after);
    const LOOKS: u32 = 12;
    let trees = f64::from(setting.shape.trees());
    let sent = |audience: &Audience, at: usize| audience.sim.machine(nodes[at]).counts().sent;
    let before: Vec<u64> = (0..members).map(|at| sent(&audience, at)).collect();
    let first = audience.sent();
    let (mut degree, mut idle, mut mixed, mut missing) = (vec![0.0_f64; members], 0, 0, 0);
    for _ in 0..LOOKS {
        audience.stream(Duration::from_secs(5));
        for (most, node) in degree.iter_mut().zip(&nodes) {
            let machine = audience.sim.machine(*node);
            let children: Vec<usize> = machine.children().map(|children| children.len()).collect();
            *most = most.max(children.iter().sum::<usize>() as f64 / trees);
            idle += usize::from(children.iter().all(|children| *children == 0));
            mixed += usize::from(children.iter().filter(|children| **children > 0).count() > 1);
            missing += machine.parents().filter(Option::is_none).count();
        }
    }
    let symbols = (audience.sent() - first) as f64 * setting.shape.expansion();
    let shares =
        before.iter().enumerate().map(|(at, before)| (sent(&audience, at) - before) as f64 / symbols);
    let looks = f64::from(LOOKS) * members as f64;
    Load {
        members,
        sent: shares.collect(),
        degree: degree.into_iter().collect(),
        idle: f64::from(idle as u32) / looks,
        mixed: f64::from(mixed as u32) / looks,
        missing: f64::from(missing as u32) / looks / trees,
        digest: audience.sim.digest(),
    }
}
