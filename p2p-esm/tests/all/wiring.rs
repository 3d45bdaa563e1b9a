//! LANs, and what lies between them: [`Wiring`], with what switches and access points do to multicast.

use p2p_core::{Duration, Instant, Rng};
use p2p_sim::{Links, NodeIx};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// Heads of IPv4 and UDP.
const HEADS: usize = 28;
/// Whatever is as long is a symbol, where packets are.
const SYMBOL: usize = 1_000;

/// The network, as a test changes it and looks at it.
#[derive(Clone, Default)]
pub(crate) struct Wiring(Arc<Mutex<Wires>>);

#[derive(Default)]
pub(crate) struct Wires {
    lan_of: BTreeMap<NodeIx, u32>,
    /// LANs in which no multicast passes.
    pub(crate) blocked: BTreeSet<u32>,
    /// Hosts that get no multicast.
    pub(crate) deaf: BTreeSet<NodeIx>,
    /// Hosts whose multicast nobody gets.
    pub(crate) mute: BTreeSet<NodeIx>,
    /// The share of multicast that is lost, for each receiver.
    pub(crate) loss: f64,
    /// Hosts that nothing from outside reaches, and that reach nobody there.
    pub(crate) cut_off: BTreeSet<NodeIx>,
    /// What came into each LAN from outside, heads included: all of it, and symbols.
    pub(crate) into: BTreeMap<u32, (u64, u64)>,
    /// Multicast datagrams that are as long as symbols, by sender, and when the last one was sent.
    pub(crate) cast: BTreeMap<NodeIx, (u64, Instant)>,
}

impl Wiring {
    pub(crate) fn get(&self) -> MutexGuard<'_, Wires> {
        self.0.lock().expect("no test holds it while it panics")
    }

    pub(crate) fn place(&self, node: NodeIx, lan: u32) {
        self.get().lan_of.insert(node, lan);
    }
}

impl Wires {
    fn are_near(&self, a: NodeIx, b: NodeIx) -> bool {
        matches!((self.lan_of.get(&a), self.lan_of.get(&b)), (Some(a), Some(b)) if a == b)
    }
}

/// Within a LAN.
const NEAR: Duration = Duration::from_micros(300);

impl Links for Wiring {
    fn carry(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        bytes: usize,
        _: Instant,
        rng: &mut Rng,
    ) -> Option<Duration> {
        let mut wires = self.get();
        if wires.are_near(from, to) {
            return Some(NEAR);
        }
        if wires.cut_off.contains(&from) || wires.cut_off.contains(&to) {
            return None;
        }
        if let Some(lan) = wires.lan_of.get(&to).copied() {
            let (all, symbols) = wires.into.entry(lan).or_default();
            let length = (bytes + HEADS) as u64;
            *all += length;
            *symbols += if bytes >= SYMBOL { length } else { 0 };
        }
        // 10 to 40 ms, always the same between two nodes, and a little jitter.
        let (a, b) = (from.index().min(to.index()) as u64, from.index().max(to.index()) as u64);
        let mixed = (a * 1_000_003 + b).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        Some(Duration::from_micros(10_000 + mixed % 30_000) + rng.phase(Duration::from_millis(1)))
    }

    fn carry_group(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Duration> {
        let mut wires = self.get();
        if bytes > 150 {
            let (count, last) = wires.cast.entry(from).or_default();
            // Receivers follow each other at once.
            *count += 1;
            *last = now;
        }
        let is_blocked = wires.lan_of.get(&from).is_some_and(|lan| wires.blocked.contains(lan));
        let lost = wires.loss > 0.0 && rng.chance(wires.loss);
        (!is_blocked && !lost && !wires.deaf.contains(&to) && !wires.mute.contains(&from)).then_some(NEAR)
    }
}
