//! What can be asked of a node, and what it tells: [`Command`], [`Event`], [`Timer`].

use crate::error::Error;
use crate::id::RingId;
use crate::lookup::Report;
use crate::peer::Peer;
use crate::record::{Kind, Record};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{ConnId, Duration, IoError};

/// What can be asked of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Become a member of the ring that these are in; of a new one if there are none.
    Join(Vec<SocketAddr>),
    /// Find who is responsible for a place. Answered by [`Event::Owners`].
    Lookup(RingId),
    /// Leave the ring, telling the neighbours.
    Leave,
    /// Store a record. Answered by [`Event::Stored`].
    Put(Put),
    /// Get what is stored under a key. Answered by [`Event::Found`].
    Get(Get),
    /// Say that something can be had from this node, and say so again until [`Command::Withdraw`]. Answered by
    /// [`Event::Stored`] once it is said for the first time.
    Provide(Provide),
    /// Put what this node put under a key no more again. It is forgotten when its time is over.
    Withdraw(RingId, Kind),
    /// A lookup, put, get or provide that may take so long, instead of [`Config::patience`](crate::Config::patience).
    Within(Duration, Box<Self>),
    /// Walk around the ring from successor to successor, and tell what each node says of its neighbours: an
    /// [`Event::Met`] for each, [`Event::Walked`] at the end.
    Walk {
        /// Nodes after which it ends at the latest.
        most: usize,
    },
    /// Say how it is: [`Event::Status`].
    Status,
}

/// What can be had from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provide {
    /// Under which key: [`Provider::place_of`](crate::record::Provider::place_of) for a file,
    /// [`place_of_name`](crate::record::Provider::place_of_name) for a name.
    pub key: RingId,
    /// At which port; the address is the node's own.
    pub port: u16,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
    /// Bytes of the content.
    pub size: u64,
}

/// A record to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The record.
    pub record: Record,
    /// How long it is to be kept; most nodes keep nothing longer than 25 hours.
    pub ttl: Duration,
    /// For a signed record: only in place of the version with this sequence number (compare-and-swap).
    pub swap: Option<u64>,
    /// Whether this node puts it again whenever half of that time is over, as long as it runs or until
    /// [`Command::Withdraw`].
    pub again: bool,
}

impl Put {
    /// A record, to be kept for a day.
    #[must_use]
    pub const fn new(record: Record) -> Self {
        Self { record, ttl: Duration::from_secs(24 * 3_600), swap: None, again: false }
    }
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Get {
    /// The key.
    pub key: RingId,
    /// Which kind of record.
    pub kind: Kind,
    /// How many replicas are to be heard before the newest version counts; replicas that have an older one or none are
    /// then given it ("read repair"). 1: the first one that has it. Where some lie, and a get goes by several ways, more than
    /// there are replicas ([`Config::replicas`](crate::Config::replicas)) makes it hear all of them: as many liars as that may
    /// be named in one answer, and all tell the same old version.
    pub quorum: u8,
    /// By how many ways it is looked for, each of which begins at another node ("redundant routing"), should some of
    /// those on the way lie; 0: as [`Config::ways`](crate::Config::ways) says. The second way is only taken where the
    /// first one led to nothing.
    pub ways: u8,
    /// Whether only who is responsible is asked. Else, with a quorum of 1, somebody on the way may answer who was asked for
    /// the same often: with a version that was true half a minute ago, or less
    /// ([`Limits::cache_mutable`](crate::store::Limits::cache_mutable)).
    pub fresh: bool,
}

impl Get {
    /// The first record of a key and kind.
    #[must_use]
    pub const fn new(key: RingId, kind: Kind) -> Self {
        Self { key, kind, quorum: 1, ways: 0, fresh: false }
    }
}

/// What a node tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Datagrams are heard here.
    Listening(SocketAddr),
    /// It is a member of the ring, here.
    Joined(Peer),
    /// The first of these is responsible for the place, the others follow it on the ring.
    Owners {
        /// The place.
        target: RingId,
        /// Who is responsible, and successors of theirs as far as they were named.
        owners: Vec<Peer>,
        /// What it cost.
        report: Report,
    },
    /// Others cannot reach it where those that it joins by see it: it is behind a NAT or a firewall, say. It is a guest
    /// now, which asks, puts and gets, and is no member; it may be asked to join again.
    Unreachable(SocketAddr),
    /// Nobody it knows answers. It goes on asking.
    Isolated,
    /// These records are stored under the key; all of them were verified.
    Found {
        /// The key.
        key: RingId,
        /// One, or providers.
        records: Vec<Record>,
        /// Whether somebody gave it who is not responsible for it and keeps it because many ask.
        cached: bool,
        /// What it cost.
        report: Report,
    },
    /// A record is stored.
    Stored {
        /// Its key.
        key: RingId,
        /// How many nodes have it; more may follow.
        copies: u8,
        /// What it cost, with what the node that is responsible spent on the copies so far.
        report: Report,
    },
    /// Something that this node puts again and again could not be put this time. It goes on trying.
    NotAgain {
        /// Its key.
        key: RingId,
        /// Why.
        error: Error,
    },
    /// A put, a get or a lookup ends without success, as its operation's end says.
    Failed {
        /// The key, or the place.
        key: RingId,
        /// What it cost.
        report: Report,
    },
    /// What was stored before is there again.
    Loaded {
        /// Records that are not past their time.
        records: usize,
    },
    /// What was stored before cannot be read. The file is left as it is; what is stored now is in memory only.
    StoreUnreadable(IoError),
    /// Something could not be written to the disk; whoever wanted it stored is told that it is not.
    StoreFailed(IoError),
    /// No stream can come in: values above a thousand bytes cannot be had from this node, or stored there.
    NoStreams(IoError),
    /// A walk came to a node.
    Met {
        /// The node.
        peer: Peer,
        /// Whether it holds the ring for small, so that everybody in it knows everybody.
        small: bool,
        /// Its predecessor, as far as it knows.
        predecessor: Option<Peer>,
        /// Its successors, nearest first.
        successors: Vec<Peer>,
        /// Those between the node before it on the walk and this one that did not answer.
        silent: Vec<Peer>,
    },
    /// A walk is over.
    Walked {
        /// Nodes that were met.
        nodes: usize,
        /// Whether it came back to where it began.
        closed: bool,
    },
    /// How a node is.
    Status(Status),
    /// No datagram can be heard or sent: nothing will ever be done.
    NoSocket(IoError),
}

/// How a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Where it is, once it knows that.
    pub peer: Option<Peer>,
    /// Whether it is a member of a ring.
    pub member: bool,
    /// Whether that is so small that everybody in it knows everybody.
    pub small: bool,
    /// Nodes in its list of successors.
    pub successors: usize,
    /// Its fingers.
    pub fingers: usize,
    /// Records that it holds.
    pub records: usize,
    /// Bytes that they count for.
    pub bytes: usize,
    /// Puts and gets of its own that are under way.
    pub tasks: usize,
}

/// A node's timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The next question may be overdue.
    Due,
    /// To ask the successor.
    Stabilise,
    /// To look after a finger.
    Finger,
    /// To try again to join.
    Join,
    /// A lookup takes too long.
    Lookup(u32),
    /// Handing everything over before it leaves takes too long.
    Leave,
    /// A put or a get takes too long.
    Task(u32),
    /// Something is to be put again.
    Republish,
    /// A put or a get tries again.
    Again(u32),
    /// A stream takes too long.
    Stream(ConnId),
    /// What was passed on is not answered: it is looked for step by step.
    Route(u32),
    /// To tell others who came and who went.
    News,
    /// To look for rings of the same network that are apart from ours.
    Merge,
    /// Nobody has called yet to show that others can reach it.
    Reach,
}
