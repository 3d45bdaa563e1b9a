//! Why an operation of a servent failed.

use core::net::SocketAddr;
use p2p_core::IoError;

/// Why an operation of a servent failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody was named who could be dialled, and nobody is known.
    #[error("no servent is known to begin with")]
    NobodyKnown,
    /// Nobody that was dialled became a neighbour in time.
    #[error("nobody that was dialled became a neighbour")]
    NoNeighbour,
    /// There is no neighbour that could be asked.
    #[error("no neighbour to ask")]
    Alone,
    /// It has no UDP port, which what was asked for needs.
    #[error("no UDP port")]
    NoDatagrams,
    /// A query without words and without the name of a file.
    #[error("nothing is looked for")]
    EmptyQuery,
    /// A query or a name that is longer than others take.
    #[error("{0} bytes are more than servents take")]
    TooLong(usize),
    /// As many searches as may be are under way.
    #[error("too many searches at once")]
    TooMany,
    /// Sharing or fetching failed.
    #[error(transparent)]
    Transfer(#[from] crate::transfer::Error),
    /// Nobody waits for it any more.
    #[error("cancelled")]
    Cancelled,
    /// The servent ends.
    #[error("the servent ends")]
    Stopped,
    /// It cannot listen.
    #[error("cannot listen at {at}: {why}")]
    Listen {
        /// Where.
        at: SocketAddr,
        /// Why not.
        why: IoError,
    },
}
