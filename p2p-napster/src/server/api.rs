//! What can be asked of a server, and what it tells: commands, events, counts, errors, timers.

use super::accounts::Account;
use super::bans::{Ban, Banned};
use super::changes::{Batch, Change};
use super::config::Limits;
use super::link::LinkEnd;
use crate::wire::Level;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{ConnId, Duration, IoError};

/// What can be asked of a server.
#[derive(Clone)]
#[non_exhaustive]
pub enum ServerCommand {
    /// Register a nick, or give it another password and level.
    Register {
        /// The nick.
        nick: Box<[u8]>,
        /// Its password, of which only a hash is kept.
        password: Bytes,
        /// What it may do.
        level: Level,
    },
    /// Forget a registered nick.
    Unregister(Box<[u8]>),
    /// Change what a registered nick may do.
    SetLevel(Box<[u8]>, Level),
    /// Close a user's connection.
    Kill {
        /// Whose.
        nick: Box<[u8]>,
        /// Why; the user is told.
        reason: Box<[u8]>,
    },
    /// Ban a nick or a network, and close the connections of those it is about.
    Ban {
        /// Whom.
        who: Banned,
        /// Why.
        reason: Box<[u8]>,
        /// For how long; for ever if `None`.
        during: Option<Duration>,
    },
    /// Lift a ban.
    Unban(Banned),
    /// Keep a nick or a network from speaking.
    Muzzle {
        /// Whom.
        who: Banned,
        /// Why.
        reason: Box<[u8]>,
        /// For how long; for ever if `None`.
        during: Option<Duration>,
    },
    /// Let them speak again.
    Unmuzzle(Banned),
    /// A batch of [`ServerEvent::Changes`] is on the device, or could not be kept.
    Kept {
        /// Which batch.
        batch: Batch,
        /// Whether it is kept. If not, who waits for it is told so; what holds all the same comes again later.
        result: Result<(), IoError>,
    },
    /// Tell everybody.
    Announce(Bytes),
    /// Change the lines of the message of the day.
    Motd(Vec<Bytes>),
    /// Change the limits. Nobody is dropped; all have the new rates at once, with their bursts to spend.
    SetLimits(Box<Limits>),
    /// Answer with [`ServerEvent::Bans`].
    Bans,
    /// Answer with [`ServerEvent::Accounts`].
    Accounts,
    /// Answer with [`ServerEvent::Stats`].
    Stats,
}

impl core::fmt::Debug for ServerCommand {
    // By hand: a password is in no log.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Register { nick, level, .. } => {
                f.debug_struct("Register").field("nick", nick).field("level", level).finish_non_exhaustive()
            }
            Self::Unregister(nick) => f.debug_tuple("Unregister").field(nick).finish(),
            Self::SetLevel(nick, level) => f.debug_tuple("SetLevel").field(nick).field(level).finish(),
            Self::Kill { nick, reason } => {
                f.debug_struct("Kill").field("nick", nick).field("reason", reason).finish()
            }
            Self::Ban { who, reason, during } => f
                .debug_struct("Ban")
                .field("who", who)
                .field("reason", reason)
                .field("during", during)
                .finish(),
            Self::Unban(who) => f.debug_tuple("Unban").field(who).finish(),
            Self::Muzzle { who, reason, during } => f
                .debug_struct("Muzzle")
                .field("who", who)
                .field("reason", reason)
                .field("during", during)
                .finish(),
            Self::Unmuzzle(who) => f.debug_tuple("Unmuzzle").field(who).finish(),
            Self::Kept { batch, result } => {
                f.debug_struct("Kept").field("batch", batch).field("result", result).finish()
            }
            Self::Announce(text) => f.debug_tuple("Announce").field(text).finish(),
            Self::Motd(lines) => f.debug_tuple("Motd").field(lines).finish(),
            Self::SetLimits(limits) => f.debug_tuple("SetLimits").field(limits).finish(),
            Self::Bans => f.write_str("Bans"),
            Self::Accounts => f.write_str("Accounts"),
            Self::Stats => f.write_str("Stats"),
        }
    }
}

/// What a server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// It listens at this address.
    Listening(SocketAddr),
    /// A socket could not be opened, or is no more.
    Down(IoError),
    /// Accounts and bans became different. With [`Config::keep`](super::Config::keep), keep all of it or nothing, and
    /// say so with [`ServerCommand::Kept`]: until then no other batch comes, and those whom it is about wait. What was
    /// kept goes to [`Server::with_accounts`](super::Server::with_accounts),
    /// [`with_bans`](super::Server::with_bans) and [`with_muzzles`](super::Server::with_muzzles) at the next start.
    Changes {
        /// Which batch.
        batch: Batch,
        /// What is true from now on, one change for each account and ban at most.
        changes: Vec<Change>,
    },
    /// Another server is linked, and is told everything; its stream is compressed at this level.
    LinkUp {
        /// Its name.
        server: Box<[u8]>,
        /// The zlib level, 0 to 9.
        level: u8,
    },
    /// A link ended, or could not be made. Everybody behind it is gone from here.
    LinkDown {
        /// The other server's name.
        server: Box<[u8]>,
        /// Why.
        why: LinkEnd,
    },
    /// Somebody who wanted to link was not let.
    LinkRefused {
        /// Where it dialled from.
        from: SocketAddr,
        /// Why not.
        why: LinkEnd,
    },
    /// The answer to [`ServerCommand::Bans`]: bans, then muzzles.
    Bans(Vec<(Banned, Ban)>, Vec<(Banned, Ban)>),
    /// The answer to [`ServerCommand::Accounts`].
    Accounts(Vec<Account>),
    /// The answer to [`ServerCommand::Stats`].
    Stats(ServerStats),
}

/// What a server did since it started, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ServerStats {
    /// Users logged in here.
    pub users: u64,
    /// Links with other servers.
    pub links: u64,
    /// Users of those, and of the servers behind them.
    pub linked_users: u64,
    /// Files that those share.
    pub linked_files: u64,
    /// Connections open, of IPv4.
    pub connections_v4: u64,
    /// Connections open, of IPv6.
    pub connections_v6: u64,
    /// Registered nicks.
    pub accounts: u64,
    /// Channels.
    pub channels: u64,
    /// Files shared by all users.
    pub files: u64,
    /// And their bytes.
    pub bytes: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// Logins refused: a wrong password, a taken nick, a ban.
    pub refused: u64,
    /// Shares taken into the index.
    pub shares: u64,
    /// Searches answered.
    pub searches: u64,
    /// Results of those.
    pub results: u64,
    /// Downloads brought about: both sides were told.
    pub downloads: u64,
    /// Messages, of all kinds, from clients.
    pub messages: u64,
    /// What was over a rate or a limit.
    pub throttled: u64,
    /// Messages that are none of their type, and of types that are unknown.
    pub malformed: u64,
    /// Connections closed because their other end did not read.
    pub unread: u64,
}

/// Why a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// There is nobody of that nick.
    #[error("no such user")]
    Unknown,
    /// Nobody can have that nick, or that password.
    #[error("invalid nick or password")]
    Invalid,
    /// A limit is reached.
    #[error("too many of them")]
    Full,
    /// It holds, but could not be kept: a restart ends it.
    #[error("not kept: {0}")]
    Kept(IoError),
    /// The password could not be hashed.
    #[error("the password could not be hashed: {0}")]
    Hash(IoError),
    /// No such batch of changes is under way.
    #[error("no such batch of changes is under way")]
    NoBatch,
    /// The machine is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// The timers of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerTimer {
    /// Some users are told the counts.
    Stats,
    /// What could not be kept is told again.
    Keep,
    /// A client did not log in.
    Login(ConnId),
    /// A client did not read.
    Unread(ConnId),
    /// The rest of what a client sent is looked at: it was too much at once.
    Resume(ConnId),
    /// A configured link, by its number, is dialled.
    Dial(u32),
    /// A link has not come up, or is told the time.
    Link(ConnId),
    /// Linked servers are told what users share now.
    Counts,
    /// A search over links has taken long enough.
    Search(u64),
}
