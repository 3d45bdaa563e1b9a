//! Why an operation of the client failed.

use p2p_core::IoError;

/// Why an operation of the client failed, or a torrent stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No torrent with this info-hash is in the client.
    #[error("no such torrent")]
    Unknown,
    /// The torrent was removed while the operation waited for it.
    #[error("the torrent was removed")]
    Removed,
    /// To be seeded, but pieces of it are missing or differ.
    #[error("{missing} of {pieces} pieces are missing or differ")]
    Incomplete {
        /// Pieces that are not there, or not as the torrent has them.
        missing: u32,
        /// Pieces of the torrent.
        pieces: u32,
    },
    /// The disk failed while doing this; nothing that was verified is lost.
    #[error("{doing} {path}: {why}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// The file's path below its root.
        path: alloc::string::String,
        /// The reason.
        why: IoError,
    },
    /// The listening socket could not be had.
    #[error("listening on {at}: {why}")]
    Listen {
        /// The address asked for.
        at: core::net::SocketAddr,
        /// The reason.
        why: IoError,
    },
    /// One of [`Limits`](crate::Limits) is reached.
    #[error("the client's limit of {what} is reached")]
    Limit {
        /// What there are too many of.
        what: &'static str,
    },
    /// A file index or piece index that the torrent has not.
    #[error("the torrent has no such {what}")]
    OutOfRange {
        /// What there is none of.
        what: &'static str,
    },
    /// The torrent would lie where the client keeps resume data.
    #[error("the torrent's name is that of the folder of resume data")]
    OwnFolder,
    /// The client is stopping.
    #[error("the client is stopping")]
    Stopping,
}
