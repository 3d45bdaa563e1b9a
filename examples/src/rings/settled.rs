//! Rings that are drawn up at once, with every list and finger right: [`Settled`].

use super::profile::{PORT, Profile};
use p2p_chord::{Chord, Command, Config, Error, Event, Peer, Report, RingId};
use p2p_core::{Duration, Machine, OpId};
use p2p_sim::{Links, NodeIx, Sim};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// A ring in the simulator, and what its lookups told.
pub struct Settled {
    /// The simulator.
    pub sim: Sim<Chord>,
    /// The nodes in the order of the ring.
    pub members: Vec<(Peer, NodeIx)>,
    /// Lookups that were not through when their time was.
    pub late: usize,
    told: Arc<Mutex<Vec<(OpId, Peer, Report)>>>,
}

/// Adds all nodes of a ring to a simulation that has none, each as it is once everything is known; the nodes in the order of
/// the ring. With `delay`, a finger is the nearest of the first few nodes of its slot.
pub(super) fn draw_up<M: Machine>(
    sim: &mut Sim<M>,
    nodes: usize,
    profile: &Profile,
    config: &Arc<Config>,
    delay: Option<&dyn Fn(NodeIx, NodeIx) -> Duration>,
    machine: impl Fn(Chord, Peer) -> M,
) -> Vec<(Peer, NodeIx)> {
    let peer = |node: NodeIx| Peer::new(config.network, SocketAddr::new(node.usual_addr(), PORT));
    let mut members: Vec<(Peer, NodeIx)> =
        (0..nodes as u32).map(NodeIx::new).map(|node| (peer(node), node)).collect();
    members.sort_unstable_by_key(|(peer, _)| peer.id());
    let mut places = vec![0; nodes];
    for (place, (_, node)) in members.iter().enumerate() {
        places[node.index()] = place;
    }
    sim.reserve(nodes);
    for place in places {
        let around = |step: usize| members[(place + step) % nodes].0;
        let successors: Vec<Peer> = (1..=profile.successors).map(around).collect();
        let fingers = fingers(&members, place, profile, delay);
        let me = around(0);
        let chord = Chord::settled(config.clone(), me, around(nodes - 1), &successors, fingers);
        sim.add(machine(chord, me));
    }
    members
}

impl Settled {
    /// A ring of so many nodes. With `delay`, a finger is the nearest of the first few nodes of its slot.
    #[must_use]
    pub fn new(
        seed: u64,
        nodes: usize,
        profile: &Profile,
        links: impl Links,
        delay: Option<&dyn Fn(NodeIx, NodeIx) -> Duration>,
    ) -> Self {
        let config = Arc::new(profile.config());
        let mut sim = Sim::new(seed, links);
        sim.look_into(Chord::touch);
        let members = draw_up(&mut sim, nodes, profile, &config, delay, |chord, _| chord);
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        sim.on_event(move |_, _, op, event| {
            if let (Some(op), Event::Owners { owners, report, .. }) = (op, event)
                && let Ok(mut told) = tell.lock()
                && let Some(owner) = owners.first()
            {
                told.push((op, *owner, *report));
            }
            false
        });
        sim.run_for(Duration::from_nanos(1));
        Self { sim, members, late: 0, told }
    }

    /// The member responsible for a place among those that live.
    #[must_use]
    pub fn owner(&self, place: RingId) -> Option<Peer> {
        let from = self.members.partition_point(|(peer, _)| peer.id() < place);
        let around = self.members[from..].iter().chain(&self.members[..from]);
        around.into_iter().find(|(_, node)| self.sim.is_alive(*node)).map(|(peer, _)| *peer)
    }

    /// Looks up so many random places from random living nodes, some at a time; each lookup's report, and whether it
    /// found who is responsible. What failed is `None`.
    pub fn look_up(&mut self, count: usize, at_a_time: usize, seed: u64) -> Vec<Option<(Report, bool)>> {
        let mut rng = p2p_core::Rng::fast_from(seed);
        let alive: Vec<NodeIx> = self.sim.nodes().filter(|node| self.sim.is_alive(*node)).collect();
        let mut results = Vec::with_capacity(count);
        while results.len() < count {
            let now = at_a_time.min(count - results.len());
            let asked: Vec<(OpId, RingId)> = (0..now)
                .filter_map(|_| {
                    let (node, target) = (*rng.choose(&alive)?, RingId::random(&mut rng));
                    Some((self.sim.ask(node, Command::Lookup(target)), target))
                })
                .collect();
            let ops: Vec<OpId> = asked.iter().map(|(op, _)| *op).collect();
            self.sim.finish(&ops, Duration::from_secs(120));
            let mut told = self.told.lock().map(|mut told| std::mem::take(&mut *told)).unwrap_or_default();
            told.sort_unstable_by_key(|(op, ..)| *op);
            for (op, target) in asked {
                self.late += usize::from(self.sim.outcome(op) == Some(&Err(Error::Deadline)));
                let found = told.binary_search_by_key(&op, |(op, ..)| *op).ok().map(|at| told[at]);
                results.push(found.map(|(_, owner, report)| (report, Some(owner) == self.owner(target))));
            }
        }
        results
    }
}

/// The fingers of a member: of each slot that begins behind its successors the first node, or the nearest of some.
fn fingers(
    members: &[(Peer, NodeIx)],
    place: usize,
    profile: &Profile,
    delay: Option<&dyn Fn(NodeIx, NodeIx) -> Duration>,
) -> Vec<Peer> {
    let (me, node) = members[place];
    let count = members.len();
    let last = members[(place + profile.successors) % count].0;
    let reach = me.id().distance_to(last.id());
    let (bits, parts) = (u32::from(profile.base_bits), u32::from(profile.part_bits));
    let digits = (1_u32 << bits) - 1;
    let mut found = Vec::new();
    // From the farthest slot down; below the end of the list there are none.
    for digit in (0..RingId::BITS.div_ceil(bits)).rev() {
        // The shortest slots have no parts.
        let (parts, low) = match (digit * bits).checked_sub(parts) {
            Some(low) => (parts, low),
            None => (0, digit * bits),
        };
        for times in (1 << parts..(digits + 1) << parts).rev() {
            let (begin, end) = (distance(times, low), distance(times + 1, low));
            let (begin, end) = match (begin, end) {
                (Some(begin), end) => (begin, end.unwrap_or(RingId::new([0xff; 20]))),
                (None, _) => continue,
            };
            if end <= reach {
                return found;
            }
            let first = members.partition_point(|(peer, _)| peer.id() < me.id().plus(begin)) % count;
            let lies_there = |(peer, _): &&(Peer, NodeIx)| {
                let away = me.id().distance_to(peer.id());
                away >= begin && away < end && away > reach
            };
            let some =
                (0..profile.nearest_of).map(|step| &members[(first + step) % count]).take_while(lies_there);
            let finger = match delay {
                Some(delay) => some.min_by_key(|(_, other)| delay(node, *other)),
                None => some.into_iter().next(),
            };
            found.extend(finger.map(|(peer, _)| *peer));
        }
    }
    found
}

/// So many times 2^`power`; `None` if that is around the ring or farther.
fn distance(times: u32, power: u32) -> Option<RingId> {
    let mut sum = RingId::new([0; 20]);
    for bit in (0..32).filter(|bit| times >> bit & 1 == 1) {
        if power + bit >= RingId::BITS {
            return None;
        }
        sum = sum.plus_power(power + bit);
    }
    Some(sum)
}
