//! How a node behaves: [`Config`].

use crate::id::NetworkId;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use p2p_core::Duration;

/// How a node behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Which ring.
    pub network: NetworkId,
    /// Where it hears datagrams. Port 0: any free one.
    pub listen: SocketAddr,
    /// Where others reach it, if not at [`Self::listen`] and not where a bootstrap node sees it.
    pub advertised: Option<SocketAddr>,
    /// Entries of a successor list, the paper's r: 8. Each step must find one of them alive: with 8, half of all nodes
    /// may die at once and one lookup in 256 passes a node that lost all.
    pub successors: usize,
    /// Fingers have base `2^base_bits`: 1, the paper's. With 4, lookups take less than half as many hops and tables
    /// are four times as large.
    pub base_bits: u8,
    /// How often it asks its successor ("stabilise"): every 10 s.
    pub stabilise: Duration,
    /// How often it looks after one finger: every 10 s.
    pub fix_finger: Duration,
    /// Nodes that a lookup asks at a time: 3.
    pub parallel: usize,
    /// How long a lookup may take in all: 20 s.
    pub patience: Duration,
    /// Lookups that may be under way at a time.
    pub lookups: usize,
    /// Whether near nodes are preferred as fingers, and fingers are learnt from all that answers. Without, a finger is
    /// the first node of its slot, as in the paper.
    pub proximity: bool,
    /// Whether it takes part in the ring. A node that others cannot reach only asks.
    pub routes: bool,
    /// For tests: the rules of 2001, by which a ring can come apart for ever. It shows that those tests would see it.
    #[doc(hidden)]
    pub classic: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            network: NetworkId::named("p2p-chord"),
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            advertised: None,
            successors: 8,
            base_bits: 1,
            stabilise: Duration::from_secs(10),
            fix_finger: Duration::from_secs(10),
            parallel: 3,
            patience: Duration::from_secs(20),
            lookups: 256,
            proximity: true,
            routes: true,
            classic: false,
        }
    }
}
