//! Why an operation of a client failed.

use crate::transfer::address::BadAddress;
use crate::transfer::intake::Useless;
use crate::wire::text::shown;
use bytes::Bytes;
use p2p_core::IoError;

/// Why an operation of a client failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server, and no metaserver, was given.
    #[error("no server is known")]
    NoServer,
    /// Not logged in anywhere.
    #[error("not logged in")]
    Offline,
    /// The connection to the server ended before it answered.
    #[error("the server is gone")]
    ServerGone,
    /// The server did not let us in; these are its words.
    #[error("the server refuses: {}", shown(.0))]
    Refused(Bytes),
    /// The nick is taken, or no nick, says a server that was asked to register it.
    #[error("the nick cannot be registered: {}", shown(.0))]
    Nick(Bytes),
    /// A server or a metaserver could not be reached.
    #[error("no connection to the server: {0}")]
    Unreachable(IoError),
    /// A metaserver has no server for us now.
    #[error("the metaserver knows no free server")]
    Busy,
    /// What a server said cannot be read on.
    #[error("the server does not speak the protocol")]
    Garbled,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The server knows no such user.
    #[error("no such user")]
    NoSuchUser,
    /// No holder gave the file; this is what became of the last one.
    #[error("the file cannot be had: {0}")]
    Source(#[from] SourceError),
    /// A name that cannot be shared: too long, or empty.
    #[error("a name that cannot be shared")]
    BadName,
    /// A file of that name is not shared.
    #[error("not shared")]
    NotShared,
    /// The same file is being downloaded already.
    #[error("being downloaded already")]
    Downloading,
    /// The disk failed while doing this; what was written before is kept.
    #[error("{doing} {path}: {why}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// The file's path below its root.
        path: alloc::string::String,
        /// The reason.
        why: IoError,
    },
    /// The data port could not be had.
    #[error("listening on {at}: {why}")]
    Listen {
        /// The address asked for.
        at: core::net::SocketAddr,
        /// The reason.
        why: IoError,
    },
    /// One of [`Limits`](crate::client::Limits) is reached.
    #[error("the client's limit of {what} is reached")]
    Limit {
        /// What there are too many of.
        what: &'static str,
    },
    /// A message that the client says by itself, when it is time.
    #[error("message {0} is said by the client itself")]
    Own(u16),
    /// Nobody waits for it any more.
    #[error("cancelled")]
    Cancelled,
    /// The client is stopping.
    #[error("the client is stopping")]
    Stopping,
}

/// What became of one holder of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The user is not there, says the server.
    #[error("the user is not online")]
    Offline,
    /// The user refuses.
    #[error("the user refuses")]
    Refused,
    /// The user did not answer, or did not come.
    #[error("the user does not answer")]
    Silent,
    /// Neither end can be dialled.
    #[error("both ends are behind firewalls")]
    Firewalled,
    /// The server gave an address that is not dialled.
    #[error("{0}: not dialled")]
    Address(#[from] BadAddress),
    /// The user could not be dialled, or the connection broke.
    #[error("connection: {0}")]
    Connection(IoError),
    /// What the user sent is not the file.
    #[error(transparent)]
    Useless(#[from] Useless),
    /// The user ended the transfer early, again and again; what came is kept.
    #[error("it ends at {have} of {size} bytes")]
    Short {
        /// Bytes that are here.
        have: u64,
        /// Bytes of the file.
        size: u64,
    },
}
