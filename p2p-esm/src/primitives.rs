//! The primitives that live streaming has: [`Join`], [`Publish`], [`Fetch`]. A stream is known by its key; there is no
//! search.

use crate::api::{Command, Event, Point};
use crate::group::GroupKey;
use crate::member::Esm;
use crate::playout::Output;
use crate::shape::LARGEST_PACKET;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{Chunk, Fetch, Join, Publish, Reach};

/// How a member becomes a part of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bootstrap {
    /// It is its source.
    Source,
    /// It joins others.
    Group {
        /// Whose stream.
        group: GroupKey,
        /// Members, or the source itself.
        by: Vec<SocketAddr>,
    },
}

/// The next part of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// Its packets, each at most [`LARGEST_PACKET`] bytes.
    pub packets: Vec<Bytes>,
    /// Whether the stream ends behind it.
    pub last: bool,
}

impl Item {
    /// Any number of bytes, cut into packets.
    #[must_use]
    pub fn of(mut data: Bytes, last: bool) -> Self {
        let mut packets = Vec::with_capacity(data.len().div_ceil(LARGEST_PACKET));
        while !data.is_empty() {
            packets.push(data.split_to(data.len().min(LARGEST_PACKET)));
        }
        Self { packets, last }
    }
}

impl Join for Esm {
    type Bootstrap = Bootstrap;

    fn join(to: Bootstrap) -> Command {
        match to {
            Bootstrap::Source => Command::Broadcast,
            Bootstrap::Group { group, by } => Command::Join { group, by },
        }
    }
}

impl Publish for Esm {
    /// The next part of the source's stream.
    type Item = Item;
    /// Children in the trees, and theirs.
    const REACH: Reach = Reach::Overlay;

    /// Finishes when the part is on its way.
    fn publish(item: Item) -> Command {
        if item.last { Command::SendLast(item.packets) } else { Command::Send(item.packets) }
    }
}

impl Fetch for Esm {
    /// Where to begin: the stream is the group's that was joined.
    type Locator = Point;

    /// Packets come in order as the source signed them, until the stream ends. What is lost for good is missing:
    /// [`Event::Output`] tells holes, a chunk does not.
    fn fetch(from: Point) -> Command {
        Command::WatchFrom(from)
    }

    fn chunk(event: Event) -> Option<Chunk> {
        match event {
            Event::Output(Output::Packet { offset, data, .. }) => Some(Chunk { offset, data }),
            _ => None,
        }
    }
}
