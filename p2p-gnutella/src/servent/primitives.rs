//! The primitives, all four of them: [`Join`], [`Publish`], [`Search`], [`Fetch`].

use super::Servent;
use super::event::{Bootstrap, Command, Event, Hit, Wish};
use p2p_core::{Join, Search};

impl Join for Servent {
    /// Servents, UDP host caches, web caches.
    type Bootstrap = Bootstrap;

    fn join(to: Bootstrap) -> Command {
        Command::Join(to)
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
