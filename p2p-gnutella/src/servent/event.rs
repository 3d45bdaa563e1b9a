//! What a servent is asked, and what it tells.

use crate::handshake::Role;
use crate::transfer::{self, Locator, Wanted};
use crate::wire::{NO_ADDRESS, VendorCode};
use crate::{Guid, Magnet, Urn};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use p2p_core::http::percent_encode;
use p2p_core::{FileId, Keywords};

/// Whom to ask first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// Servents.
    pub peers: Vec<SocketAddr>,
    /// UDP host caches: a name or an address, and a port.
    pub udp_caches: Vec<(String, u16)>,
    /// Web caches (GWebCache 2): `http://host:port/path`.
    pub web_caches: Vec<String>,
}

/// How a search of one's own goes on from neighbour to neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// As the role has it: a leaf leaves it to its ultrapeers, an ultrapeer asks dynamically, a flat servent floods.
    #[default]
    Usual,
    /// To all neighbours at once, with this TTL.
    Flood(u8),
    /// Floods with a TTL of 1, 3, 5 and on to this, each if the one before found nothing (Lv et al. 2002, section 4).
    ExpandingRing(u8),
    /// By UDP to one ultrapeer after the other, as many as this at most, neighbours or not, until 200 files are found (GUESS
    /// 0.2): for what is so rare that it is farther than queries go. It asks slowly, some ten a second at the most, for
    /// [`Config::search_for`](super::Config::search_for); it needs a UDP port.
    Guess(u16),
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Words, all of which a name must have; those between quotation marks next to each other, in this order. Empty if the file is named by its content.
    pub words: String,
    /// The file, by its content.
    pub urn: Option<Urn>,
    /// Whether the newest files are asked for, whatever they are.
    pub newest: bool,
    /// How neighbours are asked.
    pub strategy: Strategy,
}

impl Wish {
    /// Files with these words in their names.
    #[must_use]
    pub fn words(words: impl Into<String>) -> Self {
        Self { words: words.into(), urn: None, newest: false, strategy: Strategy::Usual }
    }

    /// This file, by its content.
    #[must_use]
    pub const fn urn(urn: Urn) -> Self {
        Self { words: String::new(), urn: Some(urn), newest: false, strategy: Strategy::Usual }
    }

    /// The newest files that are near: those of neighbours and of their leaves.
    #[must_use]
    pub const fn newest() -> Self {
        Self { words: String::new(), urn: None, newest: true, strategy: Strategy::Usual }
    }

    /// The same, by another strategy.
    #[must_use]
    pub fn by(self, strategy: Strategy) -> Self {
        Self { strategy, ..self }
    }
}

impl From<Keywords> for Wish {
    fn from(words: Keywords) -> Self {
        Self::words(words.iter().collect::<Vec<_>>().join(" "))
    }
}

/// A file that is shared, or a folder whose files are, and those of the folders below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Which.
    pub file: FileId,
}

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its name, as its holder wrote it. A stranger did: it is no path.
    pub name: Bytes,
    /// Its size in bytes.
    pub size: u64,
    /// Its holder's number for it.
    pub index: u32,
    /// Its name by content, if its holder told it.
    pub urn: Option<Urn>,
    /// Where its holder serves it.
    pub addr: SocketAddrV4,
    /// Where it serves it by IPv6, if it says so.
    pub addr6: Option<SocketAddrV6>,
    /// Its holder, whom a push is for.
    pub servent: Guid,
    /// Whether the holder has to be asked for a connection; `None` if it does not say.
    pub push: Option<bool>,
    /// Whether all upload slots of the holder are taken; `None` if it does not say.
    pub busy: Option<bool>,
    /// Servents that lead pushes to the holder.
    pub push_proxies: Vec<SocketAddr>,
    /// Others who have it, as the holder says.
    pub alternates: Vec<SocketAddr>,
    /// Whether the holder says what else it shares ([`transfer::Command::Browse`]).
    pub browsable: bool,
    /// Who made the holder's program.
    pub vendor: VendorCode,
    /// How many servents the hit has passed; 0 of one's own neighbour, or of a hit by UDP.
    pub hops: u8,
}

impl Hit {
    /// Who has the file, for a download of it.
    #[must_use]
    pub fn locator(&self) -> Locator {
        // Who has both is reached by both, but not by everybody.
        let (at, other) = match self.addr6.map(SocketAddr::V6) {
            Some(v6) if *self.addr.ip() == NO_ADDRESS => (v6, None),
            v6 => (SocketAddr::V4(self.addr), v6),
        };
        let dialled = self.push != Some(true);
        Locator {
            addr: dialled.then_some(at),
            other: other.filter(|_| dialled),
            servent: Some(self.servent),
            number: Some(self.index),
            proxies: self.push_proxies.clone(),
        }
    }

    /// A link to the file with who has it: by its content, if it has a SHA-1, and else by number and name of this holder.
    /// `None` if it has none and its holder can be told by nobody that somebody wants it. Of the holder's names by content
    /// the SHA-1 alone: a stranger wrote the others.
    #[must_use]
    pub fn magnet(&self) -> Option<Magnet> {
        let sha1 = self.urn.and_then(|urn| urn.sha1());
        let mut magnet = Magnet::default();
        magnet.urns.extend(sha1.map(Urn::Sha1));
        magnet.name = Some(String::from_utf8_lossy(&self.name).into_owned());
        magnet.size = Some(self.size);
        let path = sha1.map_or_else(
            || {
                let mut path = format!("get/{}/", self.index);
                percent_encode(&self.name, &mut path);
                path
            },
            |sha1| format!("uri-res/N2R?{}", Urn::Sha1(sha1)),
        );
        if self.push == Some(true) {
            let proxies = self.push_proxies.iter();
            magnet.sources = proxies.map(|proxy| format!("push://{}:{proxy}/{path}", self.servent)).collect();
        } else {
            magnet.sources.push(format!("http://{}/{path}", self.addr));
        }
        if sha1.is_some() {
            let others = self.alternates.iter();
            magnet.sources.extend(others.map(|other| format!("http://{other}/{path}")));
        }
        Some(magnet).filter(|magnet| sha1.is_some() || !magnet.sources.is_empty())
    }

    /// What to ask for to fetch the file: it is known by its SHA-1, or else by its holder's number and name
    /// ([`Wanted::numbered`]). The root of its tree is left out, for a stranger wrote it; that is asked for and held against
    /// what comes.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        let Some(sha1) = self.urn.and_then(|urn| urn.sha1()) else {
            return Wanted::numbered(self.locator(), self.name.clone(), Some(self.size));
        };
        let mut wanted = Wanted::new(sha1);
        wanted.size = Some(self.size);
        wanted.name = String::from_utf8_lossy(&self.name).into_owned();
        wanted.sources.push(self.locator());
        wanted.sources.extend(self.alternates.iter().map(|other| Locator::at(*other)));
        wanted
    }
}

/// What a servent is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Become a part of the network. Ends with the first neighbour.
    Join(Bootstrap),
    /// Search. Answered by [`Event::Hit`]s until it ends.
    Search(Wish),
    /// Share, fetch, list what another shares: answered by [`Event::Transfer`]s.
    Transfer(transfer::Command),
    /// Tell the neighbours: answered by [`Event::Neighbours`].
    Neighbours,
    /// Tell the addresses that are known, to be kept: answered by [`Event::Hosts`].
    Hosts,
    /// Take back what [`Event::Hosts`] told.
    Remember(Bytes),
}

/// A neighbour, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The other end of the connection.
    pub addr: SocketAddr,
    /// What it is.
    pub role: Role,
    /// Whether it was dialled.
    pub dialled: bool,
    /// Whether what goes either way is secured.
    pub secured: bool,
    /// Whether what it sends, and what it is sent, is compressed.
    pub deflate: (bool, bool),
    /// Whether its table is known.
    pub table: bool,
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Parting {
    /// The neighbour said bye.
    #[error("it said bye: {0}")]
    Bye(u16),
    /// The connection ended.
    #[error("the connection ended")]
    Closed,
    /// It was silent too long.
    #[error("it was silent")]
    Silent,
    /// Its stream makes no sense.
    #[error("its stream makes no sense: {0}")]
    Garbled(String),
    /// It did what it must not.
    #[error("{0}")]
    Misbehaved(&'static str),
    /// This side ended it.
    #[error("this side ended it")]
    Ours,
}

/// What a servent tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// It listens there.
    Listening(SocketAddr),
    /// It cannot listen.
    NotListening(super::Error),
    /// There is a new neighbour.
    Linked(Neighbour),
    /// A neighbour is gone.
    Parted(SocketAddr, Parting),
    /// Who was dialled refused, or could not be reached (code 0).
    Refused(SocketAddr, u16, String),
    /// It is this from here on.
    Became(Role),
    /// Whether others reach it: somebody did, or nobody of those who were asked to; `None` if nobody was asked.
    Reached {
        /// Whether it can be dialled.
        tcp: Option<bool>,
        /// Whether datagrams come to it that it did not ask for.
        udp: Option<bool>,
    },
    /// A file was found.
    Hit(Box<Hit>),
    /// Of what is shared, served and fetched.
    Transfer(transfer::Event),
    /// The neighbours.
    Neighbours(Vec<Neighbour>),
    /// The addresses that are known, as lines of text.
    Hosts(Bytes),
}

/// What a servent did, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that came, of all kinds.
    pub messages_in: u64,
    /// Messages that were sent or queued, of all kinds.
    pub messages_out: u64,
    /// Queries that came.
    pub queries_in: u64,
    /// Queries that were sent on, to whomever.
    pub queries_out: u64,
    /// Those of them that went to leaves.
    pub queries_to_leaves: u64,
    /// Queries that had come already.
    pub duplicates: u64,
    /// Queries that nobody here was asked yet.
    pub queries_new: u64,
    /// Hits that were led on, or told.
    pub hits: u64,
    /// Hits and pushes that no way is known for.
    pub astray: u64,
    /// Messages that could not be taken: no TTL, too many hops, malformed, of a kind that is not spoken.
    pub malformed: u64,
    /// Queries dropped because a neighbour sent too many.
    pub flooded: u64,
    /// Messages dropped because a neighbour took too little.
    pub crowded_out: u64,
    /// Streams that were not taken, or ended before they became anything.
    pub turned_away: u64,
    /// Datagrams that were not answered, being too many or no messages.
    pub datagrams_dropped: u64,
}
