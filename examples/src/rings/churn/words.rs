//! When the packets of the last moments were sent: [`Words`].

use p2p_core::{Duration, Instant, Rng};
use p2p_sim::{Links, NodeIx};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Packets that are under way: when and where each arrives, and when it was sent.
#[derive(Clone, Default)]
pub(super) struct Words(Arc<Mutex<BTreeMap<(Instant, NodeIx), Instant>>>);

/// Links whose packets are noted.
pub(super) struct Overheard<L> {
    links: L,
    words: Words,
}

impl Words {
    /// Notes what these links carry.
    pub(super) fn over<L: Links>(&self, links: L) -> Overheard<L> {
        Overheard { links, words: self.clone() }
    }

    /// When what arrives at this moment was sent; `None` if nothing does.
    pub(super) fn sent(&self, arrives: Instant, to: NodeIx) -> Option<Instant> {
        self.0.lock().ok()?.get(&(arrives, to)).copied()
    }

    /// Forgets what arrived before.
    pub(super) fn forget_before(&self, before: Instant) {
        if let Ok(mut words) = self.0.lock() {
            *words = words.split_off(&(before, NodeIx::new(0)));
        }
    }
}

impl<L: Links> Links for Overheard<L> {
    fn carry(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Duration> {
        let delay = self.links.carry(from, to, bytes, now, rng)?;
        if let Ok(mut words) = self.words.0.lock() {
            words.insert((now + delay, to), now);
        }
        Some(delay)
    }
}
