//! What keeps tracker URLs from harm: which addresses may be asked, and how often after garbage.

use crate::compact;
use alloc::collections::BTreeMap;
use core::net::{IpAddr, SocketAddr};
use p2p_core::http::{Scheme, Url};
use p2p_core::{Duration, Instant};

/// Addresses whose misbehaviour is remembered: more than a client has trackers; beyond, the oldest is forgiven.
const PENALTIES_MOST: usize = 1024;
/// Trackers whose UDP connection id is kept.
const CONNECTIONS_MOST: usize = 256;
/// How long an address is left alone after an answer that is none: three tries within any hour at most.
pub(super) const GARBAGE_PENALTY: Duration = Duration::from_secs(20 * 60);
/// BEP 15: a client uses a connection id for one minute.
const CONNECTION_LIFE: Duration = Duration::from_secs(60);

/// Whether this URL may be asked at this address. A torrent names URLs, and its reader's computer is where requests
/// come from; so (as libtorrent does since its audit of 2020):
///
/// - an address that is not of the public Internet is asked over HTTP only at `/announce` (`/announce.php`,
///   `/announce/...`, and `/scrape` alike): no torrent presses buttons of a router or of a service on this host. Over
///   UDP nothing but a tracker understands the datagram, so there is no such rule;
/// - once a request went to the public Internet, no redirect leads it back (`after_global`).
pub(super) fn may_ask(url: &Url, ip: IpAddr, after_global: bool) -> bool {
    if compact::is_global(ip) {
        return true;
    }
    if after_global || ip.is_unspecified() || ip.is_multicast() {
        return false;
    }
    let path = url.path();
    let known = |prefix| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('.'))
    };
    url.scheme == Scheme::Udp || ((known("/announce") || known("/scrape")) && !path.contains(".."))
}

/// Which addresses are left alone, and until when.
#[derive(Debug, Clone, Default)]
pub(super) struct Penalties(BTreeMap<SocketAddr, Instant>);

impl Penalties {
    pub(super) fn add(&mut self, addr: SocketAddr, until: Instant) {
        if self.0.len() >= PENALTIES_MOST
            && !self.0.contains_key(&addr)
            && let Some(soonest) = self.0.iter().min_by_key(|(_, until)| **until).map(|(addr, _)| *addr)
        {
            self.0.remove(&soonest);
        }
        self.0.insert(addr, until);
    }

    /// Until when this address is left alone.
    pub(super) fn until(&mut self, addr: SocketAddr, now: Instant) -> Option<Instant> {
        let until = *self.0.get(&addr)?;
        if until <= now {
            self.0.remove(&addr);
            return None;
        }
        Some(until)
    }
}

/// The UDP connection ids of a client's trackers, shared by all its torrents.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(BTreeMap<SocketAddr, (u64, Instant)>);

impl Connections {
    pub(super) fn fresh(&self, tracker: SocketAddr, now: Instant) -> Option<u64> {
        self.0.get(&tracker).filter(|(_, since)| now.since(*since) < CONNECTION_LIFE).map(|(id, _)| *id)
    }

    pub(super) fn keep(&mut self, tracker: SocketAddr, id: u64, now: Instant) {
        if self.0.len() >= CONNECTIONS_MOST {
            self.0.retain(|_, (_, since)| now.since(*since) < CONNECTION_LIFE);
        }
        if self.0.len() >= CONNECTIONS_MOST {
            self.0.pop_first();
        }
        self.0.insert(tracker, (id, now));
    }

    pub(super) fn forget(&mut self, tracker: SocketAddr) {
        self.0.remove(&tracker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_asked_of_the_own_network() {
        let ip: IpAddr = "127.0.0.1".parse().unwrap();
        for (url, allowed) in [
            ("http://x/announce", true),
            ("http://x/announce.php?x", true),
            ("http://x/announce/key", true),
            ("http://x/scrape?info_hash=1", true),
            ("udp://x:80", true),
            ("http://x/", false),
            ("http://x/announcement", false),
            ("http://x/announce/../admin", false),
            ("http://x/api/reboot?/announce", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(may_ask(&url, ip, false), allowed, "{url}");
            assert!(!may_ask(&url, ip, true), "{url}");
            assert!(may_ask(&url, [8, 8, 8, 8].into(), true));
            assert!(!may_ask(&url, [0, 0, 0, 0].into(), false));
        }
    }

    #[test]
    fn penalties_and_connections_end_and_are_bounded() {
        let addr = |n: u32| SocketAddr::from((n.to_be_bytes(), 80));
        let at = |s| Instant::ZERO + Duration::from_secs(s);
        let (mut penalties, mut connections) = (Penalties::default(), Connections::default());
        for n in 0..3_000u32 {
            penalties.add(addr(n), at(5_000 + u64::from(n)));
            connections.keep(addr(n), n.into(), at(n.into()));
        }
        assert!(penalties.0.len() <= PENALTIES_MOST && connections.0.len() <= CONNECTIONS_MOST);
        assert_eq!(penalties.until(addr(2_999), at(0)), Some(at(7_999)));
        assert_eq!(penalties.until(addr(2_999), at(7_999)), None);
        assert_eq!(connections.fresh(addr(2_999), at(3_058)), Some(2_999));
        assert_eq!(connections.fresh(addr(2_999), at(3_059)), None);
    }
}
