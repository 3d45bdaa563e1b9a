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
    /// How often it asks its successor ("stabilise"): every 10 s, and more often where nodes come and go (see
    /// [`Self::quickest`]).
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
    /// By how many ways a get looks for a record that says nothing else: 1. With 24, 999 gets of 1,000 succeed where a
    /// quarter of 10,000 nodes lie about what they are asked on the way; what is found by the first way costs no more
    /// than otherwise, and what is stored nowhere several times as much.
    pub ways: u8,
    /// How often it asks an address of somebody that it does not hear from any more, or by which it joined, whether
    /// there is another ring of the network: every minute, in rings of more than 64 as many times more rarely, so that
    /// the ring as a whole asks once a second. Rings that came apart, or began apart, so become one again.
    pub merge: Duration,
    /// Of one block of addresses (an IPv4 /24, an IPv6 /48) it has so many fingers at most, asks so many in a lookup at
    /// most unless they are the nearest, and lets so many name themselves as nearer: 4. Whoever has one address can be at
    /// 65,536 places of the ring. 0: any number. Private and local addresses are of no block.
    pub alike: usize,
    /// A node of a block of which there are so many beside it already, itself and its predecessor included, it does not
    /// take as predecessor, and not into a small ring: 0, any number. It is for networks that are spread over many blocks; one of which all nodes are in one
    /// block would never grow.
    pub neighbours_alike: usize,
    /// Whether it has somebody call it before it becomes a member, to see whether others can reach it; where
    /// [`Self::advertised`] says where, it is believed.
    pub dial_back: bool,
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
    /// Whether a record is kept by those of a node's list that have least, rather than by the first of them, with a pointer
    /// at its place. With lists of 20 ([`Self::successors`]) none of 10,000 nodes has more than 1.25 times the mean then,
    /// which is ten times else; a get costs two messages more, a put four. All nodes of a ring are to have the same.
    pub bounded: bool,
    /// Each slot of a finger is cut into `2^part_bits` parts with a finger each, up to 3: 0. With base 16 and 32 successors
    /// paths among 2^16 nodes are of 3.7 hops then, 3.6 with 1, and 3.3 with 2 ([`Self::base16`]), and so four times as many
    /// fingers.
    pub part_bits: u8,
    /// How often it asks its successor at most: every second. From what it sees in its list it knows how long nodes stay, and
    /// asks 120 times in as long: every 10 s where they stay for 20 minutes or longer, every second where for 2. As
    /// [`Self::stabilise`]: always as often.
    pub quickest: Duration,
}

impl Config {
    /// The base-16 profile, for who would rather keep a larger table than go more hops: fingers of base 16, four in each
    /// slot, and 32 successors. Paths among 2^16 nodes are of 3.3 hops, where base 2 and 8 successors take twice as many, and
    /// a node of 100,000 holds 11 KB instead of 2 (`sim chord hops`, `sim chord state`). Each of its fingers is looked after as often as
    /// with base 2 all in all, and so each one more rarely: [`Self::fix_finger`] says how often.
    #[must_use]
    pub fn base16() -> Self {
        Self { successors: 32, base_bits: 4, part_bits: 2, ..Self::default() }
    }
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
            ways: 1,
            dial_back: true,
            alike: 4,
            neighbours_alike: 0,
            merge: Duration::from_secs(60),
            classic: false,
            routing: Routing::Iterative,
            passing: 256,
            sample: 16,
            everybody: 0,
            bounded: false,
            part_bits: 0,
            quickest: Duration::from_secs(1),
        }
    }
}
