//! The primitives, all four of them: [`Join`], [`Publish`], [`Search`], [`Fetch`].

use super::Client;
use super::ask::{Bootstrap, Command, Query, SharedFile, Wanted};
use super::event::{Event, Hit};
use alloc::boxed::Box;
use p2p_core::{Chunk, Fetch, Join, Publish, Reach, Search};

impl Join for Client {
    /// Servers and metaservers.
    type Bootstrap = Bootstrap;

    fn join(to: Bootstrap) -> Command {
        Command::Join(to)
    }
}

impl Publish for Client {
    /// A file, and what it is called.
    type Item = SharedFile;
    /// The server that the client is logged in at is told, and those linked to it ask that one.
    const REACH: Reach = Reach::Server;

    fn publish(item: SharedFile) -> Command {
        Command::Share(Box::new(item))
    }
}

impl Search for Client {
    /// Words, and what the files must be like.
    type Query = Query;
    type Hit = Hit;

    fn search(query: Query) -> Command {
        Command::Search(Box::new(query))
    }

    fn hit(event: Event) -> Option<Hit> {
        match event {
            Event::Hit(hit) => Some(*hit),
            _ => None,
        }
    }
}

impl Fetch for Client {
    /// Who has it, under which name, and how large it is.
    type Locator = Wanted;

    /// Chunks come in order and are as many bytes as were advertised; where another holder goes on, the end of what is
    /// here was compared with what that one has. More cannot be verified: a Napster digest covers the beginning of a
    /// file only, and how much of it depends on the program that made it.
    fn fetch(what: Wanted) -> Command {
        Command::Fetch(Box::new(what))
    }

    fn chunk(event: Event) -> Option<Chunk> {
        match event {
            Event::Chunk(chunk) => Some(chunk),
            _ => None,
        }
    }
}
