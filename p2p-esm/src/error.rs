//! Why something asked of a member was not done: [`Error`].

use p2p_core::IoError;

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The member hears nothing: its socket could not be bound.
    #[error("no socket: {0}")]
    NoSocket(IoError),
    /// It has no key to sign a stream with.
    #[error("no key to broadcast with")]
    NoKey,
    /// What it has for a key, or was given for one, is none.
    #[error("not a key")]
    BadKey,
    /// It takes part in a broadcast already.
    #[error("takes part already")]
    Busy,
    /// It takes part in none.
    #[error("takes part in no broadcast")]
    NotJoined,
    /// Nobody of those to join by takes part in the broadcast, or none answered.
    #[error("nobody answered who takes part in the broadcast")]
    NoBroadcast,
    /// A packet is longer than can be sent.
    #[error("a packet is longer than {} bytes", crate::LARGEST_PACKET)]
    TooLong,
    /// The group is closed, and its key was not given, or another one was.
    #[error("the group is closed, and this is not its key")]
    Closed,
    /// The stream has ended.
    #[error("the stream has ended")]
    Ended,
    /// It only watches.
    #[error("not the source")]
    NotTheSource,
    /// It leaves, or was asked to stop.
    #[error("stopped")]
    Stopped,
    /// Nobody wanted it any more.
    #[error("cancelled")]
    Cancelled,
}
