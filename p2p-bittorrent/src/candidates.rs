//! Addresses of peers that may be dialled: [`Candidates`], a bounded list with back-off.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant, Rng};

/// Who told us of a peer. Other sources (DHT, PEX, local discovery) are other variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PeerSource {
    /// The application.
    User,
    /// A tracker.
    Tracker,
    /// It dialled us.
    Inbound,
}

#[derive(Debug, Clone)]
struct Candidate {
    source: PeerSource,
    fails: u8,
    not_before: Instant,
    busy: bool,
    /// It is us, or it lied: never to be dialled.
    never: bool,
}

/// Known addresses of a torrent's peers: bounded, each tried again later and later while it does not answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Candidates {
    known: BTreeMap<SocketAddr, Candidate>,
}

/// After this many failed dials in a row an address is forgotten: at most 3 tries per address and hour even if a
/// tracker names it again and again, which keeps a hostile tracker from aiming us at a victim.
const TRIES: u8 = 3;
const HOUR: Duration = Duration::from_secs(3600);

impl Candidates {
    /// Remembers an address; false if it was known, is no address to dial, or there is no room.
    pub(crate) fn add(&mut self, addr: SocketAddr, source: PeerSource, limit: usize, now: Instant) -> bool {
        if addr.port() == 0 || addr.ip().is_unspecified() || addr.ip().is_multicast() {
            return false;
        }
        if let Some(known) = self.known.get_mut(&addr) {
            // The user knows better than our memory of failures.
            if source == PeerSource::User && !known.busy && !known.never {
                known.fails = 0;
                known.not_before = now;
                return true;
            }
            return false;
        }
        if self.known.len() >= limit {
            let Some(worst) = self
                .known
                .iter()
                .filter(|(_, c)| !c.busy && (c.fails > 0 || c.never))
                .max_by_key(|(_, c)| (c.fails, c.not_before))
                .map(|(addr, _)| *addr)
            else {
                return false;
            };
            self.known.remove(&worst);
        }
        self.known.insert(addr, Candidate { source, fails: 0, not_before: now, busy: false, never: false });
        true
    }

    /// An address to dial now, marked as busy; those the user named come first, then a random one.
    pub(crate) fn next(&mut self, now: Instant, rng: &mut Rng) -> Option<(SocketAddr, PeerSource)> {
        let best = |c: &Candidate| (c.source, c.fails);
        let mut chosen: Option<((PeerSource, u8), SocketAddr)> = None;
        let mut ties = 0;
        for (addr, candidate) in &self.known {
            if candidate.busy || candidate.never || candidate.not_before > now {
                continue;
            }
            let rank = best(candidate);
            match &chosen {
                Some((leader, _)) if *leader < rank => continue,
                Some((leader, _)) if *leader == rank => {
                    ties += 1;
                    if rng.below(ties) != 0 {
                        continue;
                    }
                }
                _ => ties = 1,
            }
            chosen = Some((rank, *addr));
        }
        let ((source, _), addr) = chosen?;
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.busy = true;
        }
        Some((addr, source))
    }

    /// When the next address becomes ready, if one waits.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.known.values().filter(|c| !c.busy && !c.never).map(|c| c.not_before).min()
    }

    /// A dialled address could not be reached, or its handshake failed.
    pub(crate) fn failed(&mut self, addr: SocketAddr, now: Instant, rng: &mut Rng) {
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.busy = false;
            candidate.fails = candidate.fails.saturating_add(1);
            let wait = if candidate.fails >= TRIES {
                HOUR
            } else {
                // 5 s, then 25 s: a peer that is just starting is soon found, a dead one soon left alone.
                Duration::from_secs(5u64.pow(u32::from(candidate.fails)))
            };
            candidate.not_before = now + wait + rng.phase(wait / 4);
        }
    }

    /// A peer that was connected is gone; it may be dialled again after a while.
    pub(crate) fn gone(&mut self, addr: SocketAddr, wait: Duration, now: Instant) {
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.busy = false;
            candidate.fails = 0;
            candidate.not_before = now + wait;
        }
    }

    /// Never dial this one (it is us, or it lied).
    pub(crate) fn forget(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.never = true;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(n: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], n))
    }

    #[test]
    fn bounded_and_backing_off() {
        let mut list = Candidates::default();
        let mut rng = Rng::fast_from(1);
        let now = Instant::ZERO;
        for port in 0..2_000 {
            list.add(addr(port), PeerSource::Tracker, 100, now);
        }
        assert_eq!(list.len(), 100);
        assert!(!list.add(addr(0), PeerSource::User, 100, now), "port 0 cannot be dialled");
        let mut dialled = 0;
        let mut at = now;
        // One hostile hour: however often the tracker repeats an address, it is tried three times.
        while at < now + Duration::from_secs(3_000) {
            while let Some((addr, _)) = list.next(at, &mut rng) {
                dialled += 1;
                list.failed(addr, at, &mut rng);
                list.add(addr, PeerSource::Tracker, 100, at);
            }
            at += Duration::from_secs(1);
        }
        assert_eq!(dialled, 300);
    }

    #[test]
    fn the_users_peers_first() {
        let mut list = Candidates::default();
        let mut rng = Rng::fast_from(2);
        list.add(addr(1), PeerSource::Tracker, 10, Instant::ZERO);
        list.add(addr(2), PeerSource::User, 10, Instant::ZERO);
        assert_eq!(list.next(Instant::ZERO, &mut rng), Some((addr(2), PeerSource::User)));
        assert_eq!(list.next(Instant::ZERO, &mut rng), Some((addr(1), PeerSource::Tracker)));
        assert_eq!(list.next(Instant::ZERO, &mut rng), None);
        list.gone(addr(1), Duration::from_secs(60), Instant::ZERO);
        assert_eq!(list.next(Instant::ZERO + Duration::from_secs(59), &mut rng), None);
        assert_eq!(list.next_due(), Some(Instant::ZERO + Duration::from_secs(60)));
        assert_eq!(
            list.next(Instant::ZERO + Duration::from_secs(60), &mut rng),
            Some((addr(1), PeerSource::Tracker))
        );
    }
}
