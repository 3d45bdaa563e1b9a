//! The four primitives. A system has a trait or has it not; each is a pure mapping onto its commands and events.

use crate::machine::Machine;
use bytes::Bytes;

/// Become a part of the system.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be joined",
    note = "see the table of systems in the README"
)]
pub trait Join: Machine {
    /// Whom to ask first.
    type Bootstrap;
    /// The command that joins. Its operation finishes when the node is a part of the system.
    fn join(to: Self::Bootstrap) -> Self::Command;
}

/// Make something findable.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot publish",
    note = "see the table of systems in the README"
)]
pub trait Publish: Machine {
    /// What is published.
    type Item;
    /// Who learns of it.
    const REACH: Reach;
    /// The command that publishes. Its operation finishes when those of [`REACH`](Self::REACH) were told.
    fn publish(item: Self::Item) -> Self::Command;
}

/// Find what others published.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no search of its own",
    note = "see the table of systems in the README"
)]
pub trait Search: Machine {
    /// What can be searched for: `Keywords` (or a type made from them), or an exact identifier.
    type Query;
    /// What is found.
    type Hit;
    /// The command that searches. Hits come as events of its operation until it finishes.
    fn search(query: Self::Query) -> Self::Command;
    /// The hit in an event, if it is one.
    fn hit(event: Self::Event) -> Option<Self::Hit>;
}

/// Get a thing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot fetch",
    note = "see the table of systems in the README"
)]
pub trait Fetch: Machine {
    /// What names the thing, and often where it is.
    type Locator;
    /// The command that fetches. Chunks come as events of its operation, verified and in order, until it finishes.
    fn fetch(what: Self::Locator) -> Self::Command;
    /// The chunk in an event, if it is one.
    fn chunk(event: Self::Event) -> Option<Chunk>;
}

/// Who learns of what a node publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Nobody until asked: queries come to the node (Gnutella).
    Local,
    /// A server of the system (Napster).
    Server,
    /// A better-placed peer (KaZaA).
    Supernode,
    /// Whoever the overlay makes responsible (Chord, BitTorrent's trackers and DHT, Freenet).
    Overlay,
}

/// A verified part of a fetched thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins, in bytes from the thing's beginning.
    pub offset: u64,
    /// The bytes.
    pub data: Bytes,
}
