//! How a servent behaves, and how much strangers can make it hold.

use crate::handshake::Policy;
use crate::transfer;
use crate::wire::SizeLimits;
use alloc::string::String;
use core::net::SocketAddr;
use p2p_core::Duration;

/// What a servent is to be to its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A leaf, always.
    Leaf,
    /// An ultrapeer, always.
    Ultrapeer,
    /// A leaf that becomes an ultrapeer once it has what that takes, at once where it finds none, and goes back where it is
    /// not needed.
    Auto,
    /// Neither, as in 0.4: every neighbour relays everything, and tells nothing of itself.
    Flat,
}

/// How a servent behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// What it is to its neighbours.
    pub mode: Mode,
    /// The program's name, as neighbours are told.
    pub user_agent: String,
    /// Where it listens, for links and all else by TCP and by UDP; `None` for one that only dials. Port 0 takes any.
    pub listen: Option<SocketAddr>,
    /// Where others reach it, if that is not where it listens. Without it, it is what neighbours see.
    pub reached_at: Option<SocketAddr>,
    /// Whether only those are dialled that a join names, and those always: a graph that somebody else draws.
    pub fixed: bool,
    /// Whether it binds a UDP port, for host caches and hits out of band.
    pub udp: bool,
    /// Whether hits of far queries are offered by UDP, and asked for by it where others reach this servent.
    pub out_of_band: bool,
    /// Whether hits for leaves that cannot take them by UDP are taken for them, by an ultrapeer that can; and of a leaf,
    /// whether its ultrapeers may.
    pub oob_proxy: bool,
    /// Whether queries by UDP are answered (GUESS 0.2), of who shows the key that he was given.
    pub guess: bool,
    /// Whom it links to.
    pub policy: Policy,
    /// Ultrapeers that a leaf links to: each is one more that asks it, and one less to lose.
    pub leaf_ultrapeers: usize,
    /// Ultrapeers that an ultrapeer links to. Under 15 LimeWire refuses it.
    pub degree: u16,
    /// The TTL of its queries; over 4 others refuse it.
    pub max_ttl: u8,
    /// How far a message may have come and still go, in hops together.
    pub hops_max: u8,
    /// How many more hops an answer may take than its question did.
    pub answer_slack: u8,
    /// Hits of a search of its own, at which no neighbour more is asked (dynamic querying 0.1: 150).
    pub own_hits: u32,
    /// Hits of a leaf's search, at which no neighbour more is asked (50: the leaf has others that ask too).
    pub leaf_hits: u32,
    /// How long a neighbour is given for each hop before the next is asked (dynamic querying 0.1: 2,400 ms).
    pub hop_wait: Duration,
    /// Ultrapeers that a search may reach at most (dynamic querying 0.1: 200,000).
    pub horizon_max: u64,
    /// How long a search lasts.
    pub search_for: Duration,
    /// Whether compressed streams are read, and written to ultrapeers.
    pub deflate: bool,
    /// Whether links go on with TLS where both can, and streams that begin with a hello are taken. The driver needs a
    /// connector that can in both roles, and that takes the certificates of strangers: nobody is known by his, so it keeps
    /// out who listens, not who stands between. Who cannot is linked to in the clear.
    pub tls: bool,
    /// How long what is written to a compressed stream may wait to be joined by more; zero flushes at once.
    pub flush_after: Duration,
    /// How often a changed table is told, at most.
    pub tables_every: Duration,
    /// How often links are looked after at most: dialled, pinged, given up. Where nothing is due, nobody looks.
    pub tend_every: Duration,
    /// Silence between ultrapeers after which who dialled pings the other, and after twice of it the other him; the link ends
    /// if there is no answer within as much again.
    pub silence: Duration,
    /// The same between a leaf and an ultrapeer. A leaf may hear of no query for hours, and there are many of them
    /// (gtk-gnutella: 120 s, six times of what it is between its ultrapeers).
    pub leaf_silence: Duration,
    /// How long before an address that failed is dialled again.
    pub redial_after: Duration,
    /// Uptime from which a leaf may become an ultrapeer where there are some ([`Mode::Auto`]).
    pub ultrapeer_uptime: Duration,
    /// Its uplink in kB/s, as far as it is known: who has less than 15 stays a leaf.
    pub uplink_kilobytes: u32,
    /// The speed in kbit/s that its hits tell.
    pub speed: u32,
    /// The most hits of a query that are answered with.
    pub hits_of_query: usize,
    /// How files are shared, served and fetched. Its name, agent and address are the servent's, whatever it says.
    pub transfers: transfer::Config,
    /// Bounds on everything that strangers can make grow.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            user_agent: concat!("p2p/", env!("CARGO_PKG_VERSION")).into(),
            listen: Some(SocketAddr::from(([0, 0, 0, 0], 6346))),
            reached_at: None,
            fixed: false,
            udp: true,
            out_of_band: true,
            oob_proxy: true,
            guess: true,
            policy: Policy::default(),
            leaf_ultrapeers: 3,
            degree: 32,
            max_ttl: 4,
            hops_max: 7,
            answer_slack: 2,
            own_hits: 150,
            leaf_hits: 50,
            hop_wait: Duration::from_millis(2_400),
            horizon_max: 200_000,
            search_for: Duration::from_secs(200),
            deflate: true,
            tls: false,
            flush_after: Duration::from_millis(200),
            tables_every: Duration::from_secs(60),
            tend_every: Duration::from_secs(5),
            silence: Duration::from_secs(60),
            leaf_silence: Duration::from_secs(120),
            redial_after: Duration::from_secs(30),
            ultrapeer_uptime: Duration::from_secs(3_600),
            uplink_kilobytes: 64,
            speed: 1_000,
            hits_of_query: 64,
            transfers: transfer::Config::default(),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// A leaf or an ultrapeer, as in the network of today.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// The servent of 0.4 that papers measured: no roles, no tables, every query to every neighbour as far as this TTL
    /// allows. It links to those whom a join names and to whoever dials it, and pings nobody by itself.
    #[must_use]
    pub fn flooding(ttl: u8) -> Self {
        let limits = Limits {
            query_rate: u64::MAX,
            ultrapeers: usize::from(u16::MAX),
            per_address: u64::MAX,
            visitors: usize::from(u16::MAX),
            ..Limits::default()
        };
        Self {
            mode: Mode::Flat,
            fixed: true,
            udp: false,
            policy: Policy { roles: false, ..Policy::default() },
            max_ttl: ttl,
            hops_max: ttl.max(7),
            deflate: false,
            limits,
            ..Self::default()
        }
    }
}

/// Bounds on everything that strangers can make a servent hold or do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Leaves of an ultrapeer: LimeWire had 30, gtk-gnutella has more. Each is up to 64 KB.
    pub leaves: usize,
    /// Links to ultrapeers, dialled or accepted.
    pub ultrapeers: usize,
    /// Streams that have not become a link, nor anything else; past it the oldest is dropped.
    pub visitors: usize,
    /// How long a stream may take to become one.
    pub greeting: Duration,
    /// Streams of one address in a minute. gtk-gnutella bans after two; a NAT has many servents behind it.
    pub per_address: u64,
    /// Addresses that those are counted for.
    pub addresses: usize,
    /// The longest messages.
    pub sizes: SizeLimits,
    /// GUIDs that are remembered at once: 32 bytes and a bit each, in two generations of half as many.
    pub routes: usize,
    /// How long a GUID is remembered at least, if there is room: the longest that hits take, and a little more.
    pub route_age: Duration,
    /// Servents that pushes can be led to.
    pub push_routes: usize,
    /// Queries of one neighbour in a second; what is more is dropped. Neighbours of a large network send some hundred.
    pub query_rate: u64,
    /// Queries of one leaf in a minute. People do not type faster.
    pub leaf_queries: u64,
    /// Resets of a table in a minute, beside the first: each costs its size.
    pub table_resets: u64,
    /// Bits of a neighbour's table: as many as gtk-gnutella takes. Who shares 10,000 files has that many; it is held in 100
    /// kB then, and in 256 KiB were it full.
    pub table_bits: u8,
    /// Bytes that wait for a neighbour; past it the oldest queries are dropped first.
    pub queue: usize,
    /// Searches of leaves under way.
    pub leaf_searches: usize,
    /// Searches of its own under way.
    pub own_searches: usize,
    /// Searches that ask one after the other by UDP, at once.
    pub walks: usize,
    /// Ultrapeers that such a search asks; the proposal allows 10,000. It holds the addresses of four times as many.
    pub guessed: usize,
    /// Hits of a search of its own that are told; and as many are remembered, to tell none twice.
    pub hits: usize,
    /// Addresses of the host cache.
    pub hosts: usize,
    /// Pongs of others that are kept, for three seconds of answers each.
    pub pongs: usize,
    /// Dials under way.
    pub dials: usize,
    /// Datagrams answered in a second, of all and of one address: an answer is larger than its question.
    pub datagrams: u64,
    /// Offers of hits by UDP that wait to be claimed.
    pub offers: usize,
    /// Neighbours in a minute that are dialled or pinged because they ask for it, to learn whether they can be.
    pub calls: u64,
    /// Pushes for this servent that are heeded in a minute.
    pub pushes: u64,
    /// Searches in a minute for others who have what is fetched. The network is for people who search, not for programs.
    pub requeries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            leaves: 100,
            ultrapeers: 40,
            visitors: 64,
            greeting: Duration::from_secs(20),
            per_address: 20,
            addresses: 1_024,
            sizes: SizeLimits::default(),
            routes: 64 << 10,
            route_age: Duration::from_secs(300),
            push_routes: 16 << 10,
            query_rate: 2_000,
            leaf_queries: 60,
            table_resets: 4,
            table_bits: 21,
            queue: 64 << 10,
            leaf_searches: 256,
            own_searches: 64,
            walks: 4,
            guessed: 1_000,
            hits: 4_096,
            hosts: 1_000,
            pongs: 60,
            dials: 8,
            datagrams: 200,
            offers: 256,
            calls: 30,
            pushes: 60,
            requeries: 6,
        }
    }
}
