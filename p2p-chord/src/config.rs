//! How a node behaves: [`Config`].

use crate::id::NetworkId;
use crate::record::Record;
use crate::store::Limits;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use p2p_core::{Duration, FileId};

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
    /// Nodes that have a record, the one that is responsible included: 8. At most [`Self::successors`] and one.
    pub replicas: usize,
    /// Copies after which a put is done: 5, more than half.
    pub quorum: usize,
    /// Nodes that a put or a get asks at a time on its way: 1, which costs the fewest messages. More are faster where
    /// many nodes are dead.
    pub careful: usize,
    /// How often it compares what it is responsible for with one of the replicas: every 30 s, so each of 7 in turn
    /// within 4 minutes. New replicas are given everything at once.
    pub compare: Duration,
    /// How long a provider is kept after the node said last that it is one: 2 h. It says so again every hour.
    pub provide: Duration,
    /// How much it stores.
    pub limits: Limits,
    /// Where it keeps what it stores, so that it is there when it starts again; `None`: in memory only.
    pub store: Option<FileId>,
    /// Whether it stores a record that somebody puts from this address; by default each one that is sound. A copy is
    /// asked about with the address of whoever hands it over. A value in fragments is asked about whole by who cuts it, and
    /// fragment by fragment by who is to keep one; pointers are asked about too, where loads are bounded.
    pub wants: fn(&Record, SocketAddr) -> bool,
    /// Whether near nodes are preferred as fingers, and fingers are learnt from all that answers. Without, a finger is
    /// the first node of its slot, as in the paper.
    pub proximity: bool,
    /// Whether it takes part in the ring. A node that others cannot reach only asks.
    pub routes: bool,
    /// For tests: the rules of 2001, by which a ring can come apart for ever. It shows that those tests would see it.
    #[doc(hidden)]
    pub classic: bool,
    /// Whether a record is kept by those of a node's list that have least, rather than by the first of them, with a pointer
    /// at its place. With lists of 20 ([`Self::successors`]) none of 10,000 nodes has more than 1.25 times the mean then,
    /// which is ten times else; a get costs two messages more, a put four. All nodes of a ring are to have the same.
    pub bounded: bool,
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
            replicas: 8,
            quorum: 5,
            careful: 1,
            compare: Duration::from_secs(30),
            provide: Duration::from_secs(7_200),
            limits: Limits::default(),
            store: None,
            wants: |_, _| true,
            proximity: true,
            routes: true,
            classic: false,
            bounded: false,
        }
    }
}
