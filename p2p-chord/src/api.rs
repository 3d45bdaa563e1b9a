//! What can be asked of a node, and what it tells: [`Command`], [`Event`], [`Timer`].

use crate::id::RingId;
use crate::lookup::Report;
use crate::peer::Peer;
use alloc::vec::Vec;
use core::net::SocketAddr;

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
    /// Nobody it knows answers. It goes on asking.
    Isolated,
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
}
