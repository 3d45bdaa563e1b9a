//! The primitives that BitTorrent has: [`Join`], [`Publish`], [`Fetch`]. It has no search of its own.

use crate::client::Client;
use crate::event::{Bootstrap, Command, Event, Torrent};
use alloc::boxed::Box;
use p2p_core::{Chunk, Fetch, Join, Publish, Reach};

impl Join for Client {
    /// Trackers and peers for every torrent of the client.
    type Bootstrap = Bootstrap;

    fn join(to: Bootstrap) -> Command {
        Command::Join(to)
    }
}

impl Publish for Client {
    /// A torrent of which everything is here.
    type Item = Torrent;
    /// Trackers are told, and whoever they tell.
    const REACH: Reach = Reach::Overlay;

    fn publish(item: Torrent) -> Command {
        Command::Seed(Box::new(item))
    }
}

impl Fetch for Client {
    /// What the torrent is; its swarm knows where it is.
    type Locator = Torrent;

    fn fetch(what: Torrent) -> Command {
        Command::Fetch(Box::new(what))
    }

    fn chunk(event: Event) -> Option<Chunk> {
        match event {
            Event::Chunk(chunk) => Some(chunk),
            _ => None,
        }
    }
}
