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
    /// asked about with the address of whoever hands it over.
    pub wants: fn(&Record, SocketAddr) -> bool,
    /// Whether near nodes are preferred as fingers, and fingers are learnt from all that answers. Without, a finger is
    /// the first node of its slot, as in the paper.
    pub proximity: bool,
    /// Whether it takes part in the ring. A node that others cannot reach only asks.
    pub routes: bool,
    /// For tests: the rules of 2001, by which a ring can come apart for ever. It shows that those tests would see it.
    #[doc(hidden)]
    pub classic: bool,
    /// How a member's lookups find their way; who is no member always asks step by step.
    pub routing: Routing,
    /// Questions of others that it passes on at a time: 256, of about 300 bytes each. Who is told that it is too busy
    /// takes another way.
    pub passing: usize,
    /// Nodes of a slot of which a finger is the nearest by round trip, where [`Self::proximity`] is on: 16, the first
    /// ones (PNS(16)). Each is asked once as a slot is filled, and again in one of 32 turns.
    pub sample: u8,
    /// Members that it knows at most, where it is to know everybody: then a lookup takes one hop. 0, as by default: it
    /// knows its successors and fingers only. Each takes 38 bytes, and about two messages' worth of 10 bytes for each
    /// time that it comes and goes; good for up to some thousands. All members of a ring should have it alike; where
    /// there are more, those that do not fit are found by fingers.
    pub everybody: usize,
}

/// How a lookup finds its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Routing {
    /// Step by step: who looks asks each node on the way itself. It sees for itself that each is nearer than the last,
    /// and waits for no node that another one is patient with.
    #[default]
    Iterative,
    /// Passed on from node to node and answered straight by whoever is responsible: 0.6 to 0.8 of the time, because a
    /// hop is one way and not there and back, and each asks only nodes whose round trip it knows. What is not answered
    /// in time is looked for step by step.
    Recursive,
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
            routing: Routing::Iterative,
            passing: 256,
            sample: 16,
            everybody: 0,
        }
    }
}
