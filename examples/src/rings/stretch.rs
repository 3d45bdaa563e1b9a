//! How long lookups take, beside a question straight to whoever is responsible: Stoica et al. 2003, table IV.

use super::{Profile, Settled, Space, Spread};
use p2p_chord::{Command, Event, Peer, RingId};
use p2p_core::{Duration, Instant, OpId, Rng};
use p2p_sim::{Links, NodeIx, TransitStub};
use std::sync::{Arc, Mutex};

/// A side of the cube, one way.
const SIDE: Duration = Duration::from_millis(100);
/// Lookups under way at a time.
const AT_A_TIME: usize = 200;

/// A network whose delays can be asked for.
pub trait Delays: Links + Clone {
    /// Its name in a report.
    const NAME: &'static str;

    /// The network of a seed.
    fn of_seed(seed: u64) -> Self;

    /// How long a packet takes from one to the other.
    fn delay(&self, from: NodeIx, to: NodeIx) -> Duration;
}

impl Delays for Space {
    const NAME: &'static str = "3-d space";

    fn of_seed(seed: u64) -> Self {
        Self::new(seed, SIDE)
    }

    fn delay(&self, from: NodeIx, to: NodeIx) -> Duration {
        Self::delay(self, from, to)
    }
}

impl Delays for TransitStub {
    const NAME: &'static str = "transit-stub";

    fn of_seed(seed: u64) -> Self {
        Self::new(seed, p2p_sim::topology::Shape::default())
    }

    fn delay(&self, from: NodeIx, to: NodeIx) -> Duration {
        Self::delay(self, from, to)
    }
}

/// Which lookup ended, when, whom it found, and what it cost.
type Found = (OpId, Instant, Peer, p2p_chord::Report);

/// How long lookups took.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// Times as long as a question straight to whoever is responsible, and its answer.
    pub stretch: Spread,
    /// Milliseconds.
    pub millis: Spread,
    /// Nodes on a path, the one responsible included.
    pub hops: Spread,
    /// Messages of a lookup.
    pub messages: Spread,
    /// Lookups that found nobody, or somebody else.
    pub wrong: usize,
    /// Nodes that were not answered by in time, in all.
    pub timeouts: u64,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// How long so many lookups take in a ring that is right and whose nodes have met those that they know, which takes
/// `warm`.
#[must_use]
pub fn stretch<L: Delays>(
    seed: u64,
    nodes: usize,
    lookups: usize,
    profile: &Profile,
    warm: Duration,
) -> Stretch {
    let links = L::of_seed(seed);
    let delay = |from, to| links.delay(from, to);
    let mut ring = Settled::new(seed, nodes, profile, links.clone(), Some(&delay));
    ring.sim.run_for(warm);
    let told = Arc::new(Mutex::new(Vec::<Found>::new()));
    let tell = told.clone();
    ring.sim.on_event(move |at, _, op, event| {
        if let (Some(op), Event::Owners { owners, report, .. }) = (op, event)
            && let (Ok(mut told), Some(owner)) = (tell.lock(), owners.first())
        {
            told.push((op, at, *owner, *report));
        }
        false
    });
    let mut rng = Rng::fast_from(seed ^ 0x57ec);
    let (mut rows, mut wrong) = (Vec::new(), 0);
    let all: Vec<NodeIx> = ring.sim.nodes().collect();
    for first in (0..lookups).step_by(AT_A_TIME) {
        let since = ring.sim.now();
        let asked: Vec<(OpId, NodeIx, RingId)> = (first..lookups.min(first + AT_A_TIME))
            .filter_map(|_| {
                let (node, target) = (*rng.choose(&all)?, RingId::random(&mut rng));
                Some((ring.sim.ask(node, Command::Lookup(target)), node, target))
            })
            .collect();
        let ops: Vec<OpId> = asked.iter().map(|(op, ..)| *op).collect();
        ring.sim.finish(&ops, Duration::from_secs(120));
        let mut told = told.lock().map(|mut told| std::mem::take(&mut *told)).unwrap_or_default();
        told.sort_unstable_by_key(|(op, ..)| *op);
        for (op, from, target) in asked {
            let answer = told.binary_search_by_key(&op, |(op, ..)| *op).ok().map(|at| told[at]);
            match answer.filter(|(_, _, owner, _)| Some(*owner) == ring.owner(target)) {
                Some((_, at, owner, report)) => {
                    let to = ring.sim.node_at(owner.addr().ip());
                    let straight = to.map_or(Duration::ZERO, |to| links.delay(from, to) * 2);
                    rows.push((at.since(since), straight, report));
                }
                None => wrong += 1,
            }
        }
    }
    let away = rows.iter().filter(|(_, straight, _)| *straight > Duration::ZERO);
    Stretch {
        stretch: away.map(|(took, straight, _)| took.as_secs_f64() / straight.as_secs_f64()).collect(),
        millis: rows.iter().map(|(took, ..)| took.as_secs_f64() * 1e3).collect(),
        hops: rows.iter().map(|(.., report)| f64::from(report.hops)).collect(),
        messages: rows.iter().map(|(.., report)| f64::from(report.messages)).collect(),
        wrong,
        timeouts: rows.iter().map(|(.., report)| u64::from(report.timeouts)).sum(),
        digest: ring.sim.digest(),
    }
}
