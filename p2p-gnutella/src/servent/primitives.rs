//! The primitives, all four of them: [`Join`], [`Publish`], [`Search`], [`Fetch`].

use super::Servent;
use super::event::{Bootstrap, Command, Event, Hit, Shared, Wish};
use crate::transfer::{self, Wanted};
use p2p_core::{Chunk, Fetch, Join, Publish, Reach, Search};

impl Join for Servent {
    /// Servents, UDP host caches, web caches.
    type Bootstrap = Bootstrap;

    fn join(to: Bootstrap) -> Command {
        Command::Join(to)
    }
}

impl Publish for Servent {
    /// A file, or a folder whose files are shared.
    type Item = Shared;
    /// Nothing is sent: queries come to who has the file. A leaf's ultrapeers learn which words to ask it for.
    const REACH: Reach = Reach::Local;

    /// Ends when what is there is digested, and so can be found and served. It is watched from then on.
    fn publish(item: Shared) -> Command {
        Command::Transfer(transfer::Command::Share(item.file))
    }
}

impl Search for Servent {
    /// Words, or the name of a file by its content.
    type Query = Wish;
    type Hit = Hit;

    fn search(query: Wish) -> Command {
        Command::Search(query)
    }

    fn hit(event: Event) -> Option<Hit> {
        match event {
            Event::Hit(hit) => Some(*hit),
            _ => None,
        }
    }
}

impl Fetch for Servent {
    /// The digest of a file, and who may have it: of a [`Hit`], of a [`Magnet`](crate::Magnet), of a
    /// [`Urn`](crate::Urn) alone.
    type Locator = Wanted;

    /// The file is fetched to its folder, and its content told in order. Chunks come once all of it has the SHA-1 that was
    /// asked for, or from the beginning if the root of the tiger tree was given that each of them is held against.
    fn fetch(what: Wanted) -> Command {
        Command::Transfer(transfer::Command::Fetch(what))
    }

    fn chunk(event: Event) -> Option<Chunk> {
        match event {
            Event::Transfer(transfer::Event::Chunk(chunk)) => Some(chunk),
            _ => None,
        }
    }
}
