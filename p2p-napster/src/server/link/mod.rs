//! Links with other servers: their users are ours too, as far as messages can carry them.
//!
//! ```text
//!  ours ── 607, 205, 402 ... as ":nick ..." ──► the server that somebody is on, which decides
//!       ◄── 10018: what that server would have told its own client ─────────────────────────
//! ```
//!
//! Servers form a tree. Who comes and goes is told to everybody; a message for one user goes the one way there is; what a
//! server would answer to a client goes back encapsulated. A link that would close a circle is refused or closed, and what
//! a server says is only believed of users behind its link, up to the level that the operator trusts it with.
//!
//! [`meet`] dials, answers and ends links; [`sync`] tells a new neighbour everything; [`map`] knows the servers;
//! [`people`] the users behind them; [`channels`] what they are in; [`dispatch`] reads messages; [`route`] writes them;
//! [`search`] asks around; [`lists`] are browsed; [`orders`] are what operators may do to links.
//!
//! Passwords are never sent, though opennap-ng sends them: see [`LinkConfig`].

mod bans;
mod channels;
mod dispatch;
mod lists;
mod map;
mod meet;
mod orders;
mod people;
mod route;
mod search;
mod sync;

use crate::deflate::InflateError;
use crate::index::UserId;
use crate::link::{Link, LinkError, LinkPeer};
use crate::wire::{FrameError, Level, Malformed};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::BytesMut;
use lists::Lists;
use map::ServerMap;
use p2p_core::{ConnId, Instant, IoError, Target};
use search::Searches;

/// Another server that this one links with, as both operators agreed.
///
/// No user's password is ever told to it, though opennap-ng tells its own in clear: where one stands in message 2 we write
/// `*`. opennap-ng compares it with the account of that nick, if it has one: a user of ours whose nick is registered there
/// is not let in there, and is seen by our side only. It is not logged out here unless that server is trusted to do so.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkConfig {
    /// Its name, the passwords, and the zlib level.
    pub peer: LinkPeer,
    /// Where it is. Who dials from another address than this is refused; a host's name is not looked up for that.
    pub address: Option<Target>,
    /// Whether we dial it; for each link one side has to. If both do, one connection stays.
    pub dial: bool,
    /// The highest level that its users have here, whatever it says of them: by default they are [`Level::User`]. With
    /// more than that its moderators can throw our users out, and its administrators ban here.
    pub trust: Level,
}

impl LinkConfig {
    /// A link that waits for the other to dial.
    #[must_use]
    pub const fn new(peer: LinkPeer) -> Self {
        Self { peer, address: None, dial: false, trust: Level::User }
    }

    /// The same, dialled by us.
    #[must_use]
    pub fn dial(mut self, address: impl Into<Target>) -> Self {
        self.address = Some(address.into());
        self.dial = true;
        self
    }

    /// The same, with users up to this level.
    #[must_use]
    pub const fn trust(mut self, trust: Level) -> Self {
        self.trust = trust;
        self
    }
}

/// Why a link ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkEnd {
    /// The other end closed it.
    #[error("closed")]
    Closed,
    /// The connection broke, or could not be made.
    #[error("{0}")]
    Io(IoError),
    /// The handshake failed, or the stream could not be read.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A message that cannot be read.
    #[error("message {kind}: {why}")]
    Malformed {
        /// Its type.
        kind: u16,
        /// What is wrong with it.
        why: Malformed,
    },
    /// A message of the handshake, on an open link.
    #[error("message {0} on an open link")]
    Unexpected(u16),
    /// The link would close a circle of servers.
    #[error("server {} is linked already", .0.escape_ascii())]
    Loop(Box<[u8]>),
    /// More users or servers than the limits allow.
    #[error("too many {0} behind it")]
    TooMany(&'static str),
    /// Its clock differs from ours by so many seconds.
    #[error("its clock is {0} s off")]
    Clock(u64),
    /// It does not read what it is sent.
    #[error("it does not read")]
    Unread,
    /// It did not finish the handshake, or says nothing any more.
    #[error("it is silent")]
    Silent,
    /// The same server linked again.
    #[error("it linked anew")]
    Replaced,
    /// An operator said so.
    #[error("ended by an operator")]
    Ordered,
    /// This server stops.
    #[error("stopping")]
    Stopping,
}

impl From<FrameError> for LinkEnd {
    fn from(why: FrameError) -> Self {
        Self::Link(why.into())
    }
}

impl From<InflateError> for LinkEnd {
    fn from(why: InflateError) -> Self {
        Self::Link(why.into())
    }
}

/// Where a user is that is not on this server.
#[derive(Debug)]
pub(super) struct Home {
    /// The server's name.
    pub(super) server: Arc<[u8]>,
    /// The port of its connection there.
    pub(super) port: u16,
    /// What it shares.
    pub(super) kilobytes: u64,
}

/// The connection to a neighbour.
#[derive(Debug)]
struct Neighbour {
    link: Link,
    /// Which of the configured links.
    at: usize,
    /// Both have shown their passwords.
    is_up: bool,
    /// Our port of the connection, or theirs.
    port: u16,
    /// Messages of this input, which are sent as one.
    pending: BytesMut,
    full: bool,
    /// Bytes sent while it was full.
    unread: usize,
    /// When something came last.
    heard: Instant,
    /// Clocks that came: who sends them goes on sending them.
    clocks: u32,
    /// Users behind it.
    users: usize,
}

/// What is known of a configured link that is not there.
#[derive(Debug, Default)]
struct Dial {
    conn: Option<ConnId>,
    failures: u32,
    /// An operator ended the link: it is not dialled again by itself.
    ended: bool,
}

/// All links of a server.
#[derive(Debug, Default)]
pub(super) struct Links {
    open: BTreeMap<ConnId, Neighbour>,
    dials: Vec<Dial>,
    map: ServerMap,
    /// Files and kB of all users behind links.
    files: u64,
    kilobytes: u64,
    /// Users behind links.
    users: usize,
    /// Links with pending messages.
    dirty: BTreeSet<ConnId>,
    /// Our users whose count of files changed since it was told.
    uncounted: BTreeSet<UserId>,
    searches: Searches,
    lists: Lists,
    /// Links that turned out to close a circle, and the server that can be reached otherwise.
    circles: Vec<(ConnId, Box<[u8]>)>,
    /// The user behind a link whose message is being done: answers go there.
    acting: Option<UserId>,
}

impl Links {
    /// Whether a connection is a link, or is to be one.
    pub(super) fn owns(&self, conn: ConnId) -> bool {
        self.open.contains_key(&conn) || self.dials.iter().any(|dial| dial.conn == Some(conn))
    }

    /// Connections that are links or are to be, bytes that they hold, searches that wait, servers behind them.
    pub(super) fn load(&self) -> (usize, usize, usize, usize) {
        let held = self.open.values().map(|other| other.link.held() + other.pending.len()).sum();
        let dialled = self.dials.iter().filter_map(|dial| dial.conn);
        let links = self.open.len() + dialled.filter(|conn| !self.open.contains_key(conn)).count();
        (links, held, self.searches.len(), self.map.len())
    }

    fn are_any_up(&self) -> bool {
        self.open.values().any(|neighbour| neighbour.is_up)
    }

    /// Users, files and kB behind all links.
    pub(super) const fn totals(&self) -> (usize, u64, u64) {
        (self.users, self.files, self.kilobytes)
    }

    /// How many are up.
    pub(super) fn count(&self) -> usize {
        self.open.values().filter(|neighbour| neighbour.is_up).count()
    }

    /// The user behind a link on whose behalf something is done.
    pub(super) const fn acting(&self) -> Option<UserId> {
        self.acting
    }
}
