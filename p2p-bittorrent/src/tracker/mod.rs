//! Trackers in both roles: their two protocols, the [`Announcer`] of a client, and the server, [`Tracker`].
//!
//! A client tells a tracker that it takes part in a torrent and is told of others who do. The words are BEP 3's over
//! HTTP ([`http`]; with BEP 7, 23, 24, 31, 48) and BEP 15's over UDP ([`udp`]; with BEP 41).
//!
//! - [`Announcer`] is a part of a client, one per torrent: which tracker of its tiers (BEP 12) is asked when.
//! - [`Tracker`] is a [`Machine`](p2p_core::Machine) of its own: it remembers who takes part in what.

mod announcer;
mod attempt;
mod guard;
pub mod http;
mod identity;
mod server;
mod swarm_store;
pub mod udp;

pub use announcer::{Announcer, Failure, Owner, Pending, TRACKERS_MOST, Totals, Update};
pub use identity::{Identity, Policy, Sockets};
pub use server::{Config, Limits, Stats, Tracker, TrackerCommand, TrackerError, TrackerEvent, TrackerTimer};

use crate::{InfoHash, PeerId};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use p2p_core::Duration;

/// Longest text of a stranger that is kept (a failure's reason, a warning), in bytes: what fits into a log line.
pub const TEXT_MOST: usize = 512;

/// Why a client announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Event {
    /// The interval is over.
    #[default]
    Regular,
    /// The download became complete while the client took part.
    Completed,
    /// The client begins to take part.
    Started,
    /// The client no longer takes part.
    Stopped,
}

impl Event {
    /// Its number in BEP 15.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Regular => 0,
            Self::Completed => 1,
            Self::Started => 2,
            Self::Stopped => 3,
        }
    }

    /// The event of this number; [`Event::Regular`] of an unknown one.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Completed,
            2 => Self::Started,
            3 => Self::Stopped,
            _ => Self::Regular,
        }
    }

    /// Its word in BEP 3; `None` of a regular announce, which has no such key.
    #[must_use]
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Regular => None,
            Self::Completed => Some("completed"),
            Self::Started => Some("started"),
            Self::Stopped => Some("stopped"),
        }
    }

    /// The event of this word; [`Event::Regular`] of an unknown one (BEP 21's `paused` is one).
    #[must_use]
    pub fn from_word(word: &[u8]) -> Self {
        match word {
            b"completed" => Self::Completed,
            b"started" => Self::Started,
            b"stopped" => Self::Stopped,
            _ => Self::Regular,
        }
    }
}

/// An announce, over either protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The client.
    pub peer_id: PeerId,
    /// Where it accepts peers; 0 if it accepts none.
    pub port: u16,
    /// Bytes sent to peers since it started.
    pub uploaded: u64,
    /// Bytes received from peers since it started.
    pub downloaded: u64,
    /// Bytes still lacking; `None` if not known (a magnet link without metadata).
    pub left: Option<u64>,
    /// Why.
    pub event: Event,
    /// How many peers it wants; the tracker's choice if `None`.
    pub want: Option<u32>,
    /// Proves to the tracker that a client whose address changed is the same.
    pub key: Option<u32>,
    /// Where the client says it is, if not where its packets come from. Trackers do well to ignore it.
    pub ip: Option<IpAddr>,
    /// Whether it takes compact peers (BEP 23).
    pub compact: bool,
    /// Whether it does without the peer ids of peers that are not compact.
    pub no_peer_id: bool,
    /// What an earlier answer said to repeat.
    pub tracker_id: Option<Box<[u8]>>,
}

impl Announce {
    /// A regular announce with nothing transferred, nothing known to be lacking, and no wishes.
    #[must_use]
    pub const fn new(info_hash: InfoHash, peer_id: PeerId, port: u16) -> Self {
        Self {
            info_hash,
            peer_id,
            port,
            uploaded: 0,
            downloaded: 0,
            left: None,
            event: Event::Regular,
            want: None,
            key: None,
            ip: None,
            compact: true,
            no_peer_id: false,
            tracker_id: None,
        }
    }
}

/// A tracker's answer to an announce.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnnounceReply {
    /// Seconds until the next regular announce is due.
    pub interval: Option<u64>,
    /// Seconds before which no further announce is welcome.
    pub min_interval: Option<u64>,
    /// Seeds.
    pub complete: Option<u64>,
    /// Peers that still lack something.
    pub incomplete: Option<u64>,
    /// Who else takes part.
    pub peers: Vec<SocketAddr>,
    /// To be repeated in later announces.
    pub tracker_id: Option<Box<[u8]>>,
    /// The client's address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// Something that a person should read; the announce worked all the same.
    pub warning: Option<String>,
}

/// A tracker's answer to an announce, or its refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Peers.
    Announce(AnnounceReply),
    /// A refusal.
    Failure {
        /// Why, for people.
        reason: String,
        /// When to come back, if the tracker says (BEP 31).
        retry: Option<Retry>,
    },
}

/// When to come back after a refusal (BEP 31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Not at all.
    Never,
    /// After so long.
    After(Duration),
}

/// A tracker's numbers of one torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scraped {
    /// Seeds.
    pub complete: u64,
    /// How often it was downloaded as a whole.
    pub downloaded: u64,
    /// Peers that still lack something.
    pub incomplete: u64,
}
