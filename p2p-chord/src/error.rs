//! Why something asked of a node was not done: [`Error`].

use crate::record::RecordError;
use crate::store::Refusal;
use p2p_core::IoError;

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The node hears nothing: its socket could not be bound.
    #[error("no socket: {0}")]
    NoSocket(IoError),
    /// Nobody of those that were to be asked first answered.
    #[error("nobody answered of those to join by")]
    NoBootstrap,
    /// The node does not know at which address others reach it, and nobody is there to tell.
    #[error("the address at which others reach this node is not known")]
    NoAddress,
    /// It is a member of a ring already, or about to be.
    #[error("joined already")]
    Joined,
    /// It is not in a ring, and knows nobody to ask.
    #[error("not joined")]
    NotJoined,
    /// Everybody on the way that could be asked failed to answer.
    #[error("no way to the node that is responsible")]
    NoRoute,
    /// It took too long.
    #[error("not done in time")]
    Deadline,
    /// Nothing is stored under the key.
    #[error("nothing is stored there")]
    Absent,
    /// The record is not sound, or too large.
    #[error("{0}")]
    Record(RecordError),
    /// The node that is responsible does not store the record.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// Too many things are under way.
    #[error("too much under way")]
    Busy,
    /// The node leaves, or was asked to stop.
    #[error("stopped")]
    Stopped,
    /// Nobody wanted it any more.
    #[error("cancelled")]
    Cancelled,
}
