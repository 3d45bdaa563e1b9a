//! The primitives, all four of them: [`Join`], [`Publish`], [`Search`], [`Fetch`].
//!
//! What is searched for is an exact key; what is found are the records under it. A record is fetched by the same key, and
//! comes whole and verified; a file is fetched from a provider, which is none of the ring's business.

use crate::api::{Command, Event, Get, Provide, Put};
use crate::node::Chord;
use crate::record::Record;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Chunk, Fetch, Join, Publish, Reach, Search};

/// What can be published on the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A record: the item itself.
    Record(Box<Put>),
    /// "I have this": who wants it comes to this node.
    Provide(Provide),
}

/// Members of the ring to join by; none to begin a new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bootstrap(pub Vec<SocketAddr>);

/// The records of a kind under a key: one, or providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit(pub Vec<Record>);

impl Join for Chord {
    type Bootstrap = Bootstrap;

    fn join(to: Bootstrap) -> Command {
        Command::Join(to.0)
    }
}

impl Publish for Chord {
    type Item = Item;
    /// The node that is responsible for the item's key, and the next few.
    const REACH: Reach = Reach::Overlay;

    fn publish(item: Item) -> Command {
        match item {
            Item::Record(put) => Command::Put(*put),
            Item::Provide(provide) => Command::Provide(provide),
        }
    }
}

impl Search for Chord {
    /// A key and a kind.
    type Query = Get;
    type Hit = Hit;

    fn search(query: Get) -> Command {
        Command::Get(query)
    }

    fn hit(event: Event) -> Option<Hit> {
        match event {
            Event::Found { records, .. } => Some(Hit(records)),
            _ => None,
        }
    }
}

impl Fetch for Chord {
    /// A key and a kind.
    type Locator = Get;

    /// The value of the record comes as one chunk: its hash is the key, or its signature is of the key.
    fn fetch(what: Get) -> Command {
        Command::Get(what)
    }

    fn chunk(event: Event) -> Option<Chunk> {
        let Event::Found { records, .. } = event else { return None };
        let data = records.first()?.value()?.clone();
        Some(Chunk { offset: 0, data })
    }
}
