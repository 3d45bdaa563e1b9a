//! Rings of which everybody knows everybody, while nodes come and go: what a lookup costs, and what knowing all does.

use super::profile::PORT;
use super::{Profile, Settled, Spread};
use p2p_chord::{Chord, Command};
use p2p_core::{Duration, Rng};
use p2p_sim::{NodeIx, Uniform};
use std::net::SocketAddr;

/// Everybody learns of everybody in this time, before anybody comes or goes.
const WARM: Duration = Duration::from_secs(240);
/// One node in so many is away at first.
const AWAY: usize = 20;
/// How long a part of a run is, in which some lookups are made.
const PART: Duration = Duration::from_secs(20);

/// What a ring did in which everybody knows everybody.
#[derive(Debug, Clone)]
pub struct OneHop {
    /// Nodes on a path, the one responsible included; 0 where that was who asked.
    pub hops: Spread,
    /// Lookups that found nobody, or somebody else.
    pub wrong: usize,
    /// Lookups.
    pub lookups: usize,
    /// Bytes in datagrams that each node that stayed sent in a second, those of lookups included.
    pub bytes: Spread,
    /// Members known to each node that is there, of all that are there.
    pub known: Spread,
    /// Nodes that came, and as many went.
    pub changes: usize,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// So many nodes, each of which stays for `session` on average (exponential), for `span`.
#[must_use]
pub fn one_hop(
    seed: u64,
    nodes: usize,
    session: Duration,
    span: Duration,
    lookups: usize,
    profile: &Profile,
) -> OneHop {
    let mut ring = Settled::new(seed, nodes, profile, Uniform::ms(20..60), None);
    let mut rng = Rng::fast_from(seed ^ 0x0e07);
    let mut alive: Vec<NodeIx> = ring.sim.nodes().collect();
    rng.shuffle(&mut alive);
    ring.sim.run_for(WARM);
    let mut away = alive.split_off(nodes - nodes / AWAY);
    for node in &away {
        ring.sim.kill(*node);
    }
    ring.sim.run_for(WARM);
    let since = ring.sim.now();
    let before: Vec<u64> = ring.sim.nodes().map(|node| ring.sim.bytes(node).0).collect();
    let mut changed = vec![false; nodes];
    let config = profile.config();
    let rate = alive.len() as f64 / session.as_secs_f64();
    let mut next = since;
    let (mut changes, mut wrong, mut hops) = (0, 0, Vec::new());
    let parts = (span.as_nanos() / PART.as_nanos()).max(1) as usize;
    for part in 0..parts {
        let end = since + PART * part as u32;
        while next < end {
            ring.sim.run_until(next);
            next += gap(rate, &mut rng);
            // One goes, and one comes that was away.
            let goes = alive.swap_remove(rng.index(alive.len()));
            let comes = away.swap_remove(rng.index(away.len()));
            ring.sim.kill(goes);
            let mut config = config.clone();
            let addr = SocketAddr::new(comes.usual_addr(), PORT);
            config.advertised = Some(addr);
            ring.sim.restart(comes, Chord::new(config));
            let by = SocketAddr::new(alive[rng.index(alive.len())].usual_addr(), PORT);
            ring.sim.ask(comes, Command::Join(vec![by]));
            (changed[goes.index()], changed[comes.index()]) = (true, true);
            alive.push(comes);
            away.push(goes);
            changes += 1;
        }
        ring.sim.run_until(end);
        for result in ring.look_up(lookups / parts, lookups / parts, rng.bits()) {
            match result {
                Some((report, true)) => hops.push(f64::from(report.hops)),
                _ => wrong += 1,
            }
        }
    }
    let took = ring.sim.now().since(since).as_secs_f64();
    let stayed = ring.sim.nodes().filter(|node| !changed[node.index()] && ring.sim.is_alive(*node));
    let bytes = stayed.map(|node| (ring.sim.bytes(node).0 - before[node.index()]) as f64 / took).collect();
    let others = (alive.len() - 1) as f64;
    let known = alive.iter().map(|node| ring.sim.machine(*node).members_known() as f64 / others).collect();
    let lookups = hops.len() + wrong;
    let hops = hops.into_iter().collect();
    OneHop { hops, wrong, lookups, bytes, known, changes, digest: ring.sim.digest() }
}

/// To the next of events that come so often a second, without memory.
fn gap(rate: f64, rng: &mut Rng) -> Duration {
    Duration::from_secs_f64(-(1.0 - rng.unit()).ln() / rate)
}
