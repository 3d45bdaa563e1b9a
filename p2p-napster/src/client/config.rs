//! How a client behaves, and how much strangers can make it hold.

use crate::transfer::slots::SlotLimits;
use alloc::string::String;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{Duration, Root};

/// How a [`Client`](crate::Client) behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The nick to log in with. Servers of the time take at most 19 bytes without spaces.
    pub nick: Bytes,
    /// Its password. It goes to every server that is joined, in clear, as the protocol has it.
    pub password: Bytes,
    /// Told when an account is registered; many servers want one.
    pub email: Bytes,
    /// The program's name told to servers, at most 32 bytes.
    pub agent: String,
    /// The zlib level, 1 to 9, that servers are asked for: what is said in both directions is compressed then, with
    /// 363 kB of state here. A server that does not know it goes on in clear. `None` asks for nothing.
    pub zlib: Option<u8>,
    /// The link's speed as the protocol counts it: 0 unknown, 7 cable, 10 T3 or more.
    pub speed: u8,
    /// Where to listen for other clients; `None` for a client that cannot be reached (it gets files of those that can
    /// be, and gives files by dialling). Port 0 takes any free one.
    pub listen: Option<SocketAddr>,
    /// The root that downloads go to.
    pub downloads: Root,
    /// Whether ports below 1024 are dialled when a server says so.
    pub low_ports: bool,
    /// How long to wait between two searches once [`search_burst`](Self::search_burst) are used up. Servers answer
    /// hasty clients with complaints, or not at all.
    pub search_every: Duration,
    /// Searches that may follow each other at once.
    pub search_burst: u32,
    /// The first wait before a server is dialled again; doubled each time, with a jitter of half of it.
    pub retry_from: Duration,
    /// The longest such wait.
    pub retry_to: Duration,
    /// How long to wait before a holder whose queue is full is asked again.
    pub queue_retry: Duration,
    /// How often an operation that waits for a file is told its progress, and the news are told that of an upload.
    pub report_every: Duration,
    /// How long `Stop` waits for what was received to be written.
    pub farewell: Duration,
    /// Bounds on everything a stranger can make grow.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nick: Bytes::new(),
            password: Bytes::new(),
            email: Bytes::from_static(b"anon"),
            agent: concat!("p2p ", env!("CARGO_PKG_VERSION")).into(),
            zlib: None,
            speed: 0,
            listen: Some(SocketAddr::from(([0, 0, 0, 0], 6699))),
            downloads: Root(0),
            low_ports: false,
            search_every: Duration::from_secs(2),
            search_burst: 10,
            retry_from: Duration::from_secs(2),
            retry_to: Duration::from_secs(300),
            queue_retry: Duration::from_secs(45),
            report_every: Duration::from_millis(500),
            farewell: Duration::from_secs(5),
            limits: Limits::default(),
        }
    }
}

/// Bounds on everything that strangers, servers included, can make a client hold or wait for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Uploads, and the queue for them. Four at once keep a link of the time busy; 200 in the queue are a day's work.
    pub uploads: SlotLimits,
    /// Streams of the data port that have not said what they want; past it the one that waits longest is dropped.
    pub greeting_streams: usize,
    /// How long a stream of the data port may take to say what it wants, and to answer what it is asked.
    pub greeting: Duration,
    /// How long a transfer may go without a byte.
    pub silence: Duration,
    /// How long a server may take to answer a login.
    pub login: Duration,
    /// How long a server or a user may take to answer a question. Searches over linked servers take up to 180 s.
    pub answer: Duration,
    /// How long a search may last: what linked servers are given, and a little more.
    pub search: Duration,
    /// Hits of one search; the rest is dropped. Servers of the time gave 100, the most generous some thousand.
    pub hits: usize,
    /// Searches that wait for the one under way.
    pub searches: usize,
    /// Other questions (whois, browse, ping) under way.
    pub questions: usize,
    /// Files of another client listed by one browse; the rest is dropped.
    pub browse: usize,
    /// Downloads not finished.
    pub downloads: usize,
    /// Holders of one file that are tried.
    pub sources: usize,
    /// Holders that give one file at once, each a range of it. More would take places in their queues from others.
    pub ranges: usize,
    /// The shortest range that another holder is asked for: below it the asking takes longer than the giving.
    pub range_min: u64,
    /// Attempts at one holder without a new byte before it is given up.
    pub attempts: u32,
    /// Received bytes of one download on their way to the disk past which its holder is not read.
    pub unwritten: u64,
    /// Bytes of a file read at once for an upload; as much again may wait in the stream.
    pub read: u64,
    /// Malformed messages of a server before it is left.
    pub malformed: u32,
    /// Digests of shared files under way.
    pub digests: usize,
    /// Requests for our list (640) that were accepted and not fetched.
    pub list_requests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            uploads: SlotLimits {
                all: 4,
                per_user: 2,
                queue: 200,
                queue_per_user: 20,
                begin_within: Duration::from_secs(60),
                place_lasts: Duration::from_secs(180),
            },
            greeting_streams: 32,
            greeting: Duration::from_secs(30),
            silence: Duration::from_secs(90),
            login: Duration::from_secs(30),
            answer: Duration::from_secs(30),
            search: Duration::from_secs(200),
            hits: 10_000,
            searches: 64,
            questions: 256,
            browse: 50_000,
            downloads: 10_000,
            sources: 32,
            ranges: 4,
            range_min: 512 * 1024,
            attempts: 3,
            unwritten: 4 << 20,
            read: 256 * 1024,
            malformed: 100,
            digests: 4,
            list_requests: 16,
        }
    }
}
