//! The primitives of the overlay: [`Join`], [`Publish`], [`Search`]. Fetching is the transfers' half.

use super::Servent;
use super::event::{Bootstrap, Command, Event, Hit, SharedName, Wish};
use p2p_core::{Join, Publish, Reach, Search};

impl Join for Servent {
    /// Servents, UDP host caches, web caches.
    type Bootstrap = Bootstrap;

    fn join(to: Bootstrap) -> Command {
        Command::Join(to)
    }
}

impl Publish for Servent {
    /// A name that is found.
    type Item = SharedName;
    /// Nothing is sent: queries come to who has the file. A leaf's ultrapeers learn which words to ask it for.
    const REACH: Reach = Reach::Local;

    fn publish(item: SharedName) -> Command {
        Command::Share(item)
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
