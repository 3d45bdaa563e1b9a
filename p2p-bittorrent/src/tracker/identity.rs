//! Who announces, and how: what all announcers of one client share.

use super::guard::{Connections, Penalties};
use crate::PeerId;
use alloc::string::String;
use core::net::SocketAddr;
use p2p_core::{Duration, Rng, SocketId};

/// How announcers behave. The defaults are what trackers expect.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Policy {
    /// Peers asked for. 80: more than a torrent dials before the next announce.
    pub want: u32,
    /// Peers kept of one answer, however many it names. 200: the most that trackers give when asked for more.
    pub peers_most: usize,
    /// The shortest interval that a tracker can impose. 60 s: a tracker that says 0 would be flooded by its own word.
    pub interval_least: Duration,
    /// The longest. 1 h: after longer, one lost answer costs half a day.
    pub interval_most: Duration,
    /// The interval if a tracker names none. 30 min, BEP 3's custom.
    pub interval_default: Duration,
    /// The wait after the first failure; it doubles with each. 5 s.
    pub retry_first: Duration,
    /// The longest wait after failures. 1 h.
    pub retry_most: Duration,
    /// How long an HTTP exchange may take, look-up included. 30 s.
    pub http_timeout: Duration,
    /// The longest HTTP body. 1 MiB: ten thousand times what 200 compact peers take would help nobody.
    pub body_most: usize,
    /// The wait for the first UDP answer; it doubles with each repetition (BEP 15: 15 s).
    pub udp_timeout: Duration,
    /// Repetitions of a UDP request before the next tracker gets its turn. 3, not BEP 15's 8, which last an hour.
    pub udp_retries: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            want: 80,
            peers_most: 200,
            interval_least: Duration::from_secs(60),
            interval_most: Duration::from_secs(3600),
            interval_default: Duration::from_secs(1800),
            retry_first: Duration::from_secs(5),
            retry_most: Duration::from_secs(3600),
            http_timeout: Duration::from_secs(30),
            body_most: 1 << 20,
            udp_timeout: Duration::from_secs(15),
            udp_retries: 3,
        }
    }
}

/// The sockets for UDP trackers: one of each address family serves all torrents of a client.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sockets {
    /// For IPv4 trackers.
    pub v4: Option<SocketId>,
    /// For IPv6 trackers.
    pub v6: Option<SocketId>,
}

impl Sockets {
    pub(super) const fn of(&self, addr: SocketAddr) -> Option<SocketId> {
        if addr.is_ipv4() { self.v4 } else { self.v6 }
    }
}

/// What all announcers of one client share: who it is, and what it knows of trackers' addresses.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its peer id.
    pub peer_id: PeerId,
    /// Where it accepts peers; 0 if it accepts none.
    pub port: u16,
    /// Its secret towards trackers, by which they know it again at another address.
    pub key: u32,
    /// What it calls itself over HTTP.
    pub user_agent: String,
    /// Its UDP sockets; a family without one is not asked over UDP.
    pub sockets: Sockets,
    /// How it behaves.
    pub policy: Policy,
    pub(super) connections: Connections,
    pub(super) penalties: Penalties,
}

impl Identity {
    /// A client of this name, that accepts peers at this port, without UDP sockets so far.
    #[must_use]
    pub fn new(peer_id: PeerId, port: u16, rng: &mut Rng) -> Self {
        Self {
            peer_id,
            port,
            key: rng.bits() as u32,
            user_agent: concat!("p2p/", env!("CARGO_PKG_VERSION")).into(),
            sockets: Sockets::default(),
            policy: Policy::default(),
            connections: Connections::default(),
            penalties: Penalties::default(),
        }
    }
}
