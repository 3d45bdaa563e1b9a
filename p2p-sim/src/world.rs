//! What lies between the nodes: links, partitions and faults.

use crate::faults::{Faults, Gaps};
use crate::links::Links;
use crate::node::NodeIx;
use p2p_core::{Duration, Instant, Rng};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct World {
    links: Box<dyn Links>,
    pub(crate) rng: Rng,
    pub(crate) faults: Faults,
    pub(crate) gaps: Option<Gaps>,
    /// The part of the network each node is in; empty if there is one part only.
    parts: Vec<u32>,
    /// Directions in which nothing passes.
    cuts: BTreeSet<(u32, u32)>,
    /// Nodes whose packets wait until then.
    clogs: BTreeMap<u32, Instant>,
}

/// What a packet to oneself takes.
const LOOPBACK: Duration = Duration::from_micros(20);
/// TCP's shortest time to send again (RFC 6298 has 1 s; what systems do is a fifth of it).
const RETRY: Duration = Duration::from_millis(200);

impl World {
    pub(crate) fn new(links: Box<dyn Links>, rng: Rng) -> Self {
        Self {
            links,
            rng,
            faults: Faults::default(),
            gaps: None,
            parts: Vec::new(),
            cuts: BTreeSet::new(),
            clogs: BTreeMap::new(),
        }
    }

    pub(crate) fn partition(&mut self, groups: &[&[NodeIx]], nodes: usize) {
        self.parts = vec![0; nodes];
        for (part, group) in groups.iter().enumerate() {
            for node in *group {
                if let Some(place) = self.parts.get_mut(node.index()) {
                    *place = part as u32 + 1;
                }
            }
        }
    }

    pub(crate) fn heal(&mut self) {
        self.parts = Vec::new();
        self.cuts.clear();
    }

    pub(crate) fn cut(&mut self, from: NodeIx, to: NodeIx) {
        self.cuts.insert((from.raw(), to.raw()));
    }

    pub(crate) fn clog(&mut self, node: NodeIx, until: Instant) {
        self.clogs.insert(node.raw(), until);
    }

    /// Nothing passes from one to the other.
    pub(crate) fn apart(&self, from: u32, to: u32) -> bool {
        if from == to {
            return false;
        }
        if !self.cuts.is_empty() && self.cuts.contains(&(from, to)) {
            return true;
        }
        if self.gaps.is_some_and(|gaps| gaps.between(NodeIx::new(from), NodeIx::new(to))) {
            return true;
        }
        if self.parts.is_empty() {
            return false;
        }
        let part = |node: u32| self.parts.get(node as usize).copied().unwrap_or(0);
        part(from) != part(to)
    }

    fn chance(&mut self, p: f64) -> bool {
        p > 0.0 && self.rng.chance(p)
    }

    /// The fault that all packets share: spikes, and clogged nodes.
    fn held_up(&mut self, from: u32, to: u32, now: Instant) -> Duration {
        let mut extra = Duration::ZERO;
        let (share, most) = self.faults.spikes;
        if self.chance(share) {
            extra = self.rng.phase(most);
        }
        if !self.clogs.is_empty() {
            for node in [from, to] {
                match self.clogs.get(&node) {
                    Some(until) if *until > now => extra = extra.max(until.since(now)),
                    Some(_) => drop(self.clogs.remove(&node)),
                    None => {}
                }
            }
        }
        extra
    }

    /// How long a datagram sent at `at` takes, to one node or to a group; `None` if it is lost.
    pub(crate) fn datagram(
        &mut self,
        from: u32,
        to: u32,
        to_group: bool,
        bytes: usize,
        at: Instant,
    ) -> Option<Duration> {
        if from == to {
            return Some(LOOPBACK);
        }
        if self.chance(self.faults.loss) {
            return None;
        }
        let (sender, receiver) = (NodeIx::new(from), NodeIx::new(to));
        let mut delay = if to_group {
            self.links.carry_group(sender, receiver, bytes, at, &mut self.rng)?
        } else {
            self.links.carry(sender, receiver, bytes, at, &mut self.rng)?
        };
        let (share, most) = self.faults.reorder;
        if self.chance(share) {
            delay += self.rng.phase(most);
        }
        Some(delay + self.held_up(from, to, at))
    }

    /// How long a burst of a stream takes; what is lost is sent again.
    pub(crate) fn burst(&mut self, from: u32, to: u32, bytes: usize, at: Instant) -> Duration {
        if from == to {
            return LOOPBACK;
        }
        let (mut waited, mut retry) = (Duration::ZERO, RETRY);
        for _ in 0..8 {
            if !self.chance(self.faults.loss) {
                let (from, to) = (NodeIx::new(from), NodeIx::new(to));
                if let Some(delay) = self.links.carry(from, to, bytes, at + waited, &mut self.rng) {
                    return waited + delay + self.held_up(from.raw(), to.raw(), at);
                }
            }
            waited += retry;
            retry *= 2;
        }
        waited
    }

    pub(crate) fn duplicates(&mut self) -> bool {
        self.chance(self.faults.duplicate)
    }

    pub(crate) fn resets(&mut self) -> bool {
        self.chance(self.faults.reset)
    }

    pub(crate) fn insecure(&mut self) -> bool {
        self.chance(self.faults.insecure)
    }
}
