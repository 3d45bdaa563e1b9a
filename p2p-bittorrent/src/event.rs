//! What a client is asked, and what it tells: [`Command`], [`Event`] and the reports in them.

use crate::candidates::PeerSource;
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::info_hash::InfoHash;
use crate::metainfo::Metainfo;
use crate::picker::Mode;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Bitfield, Chunk, Root};

/// A torrent, and how it is to be treated.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Torrent {
    /// What it is.
    pub metainfo: Arc<Metainfo>,
    /// The root that its files live in.
    pub root: Root,
    /// Peers known beforehand.
    pub peers: Vec<SocketAddr>,
    /// The files wanted, by index; all if `None`.
    pub select: Option<Vec<u32>>,
    /// In which order pieces are asked for.
    pub order: Mode,
    /// Whether a seed shows each peer one piece at a time (BEP 16).
    pub super_seed: bool,
    /// Whether every piece is digested at the start, whatever resume data says.
    pub recheck: bool,
}

impl Torrent {
    /// A torrent with nothing out of the ordinary, in the first root.
    #[must_use]
    pub fn new(metainfo: Arc<Metainfo>) -> Self {
        Self {
            metainfo,
            root: Root(0),
            peers: Vec::new(),
            select: None,
            order: Mode::RarestFirst,
            super_seed: false,
            recheck: false,
        }
    }

    /// The same, with these peers to start from.
    #[must_use]
    pub fn with_peers(mut self, peers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.peers.extend(peers);
        self
    }

    /// The same, in this root.
    #[must_use]
    pub const fn in_root(mut self, root: Root) -> Self {
        self.root = root;
        self
    }
}

/// Where to find peers, for every torrent of a client.
#[derive(Debug, Clone, Default)]
pub struct Bootstrap {
    /// Announce URLs used beside those of each torrent; never for private torrents (BEP 27).
    pub trackers: Vec<String>,
    /// Peers to try for every torrent.
    pub peers: Vec<SocketAddr>,
}

/// What the application may ask of a [`Client`](crate::Client).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// Use these sources of peers; finishes once the client listens (or at once if it does not listen).
    Join(Bootstrap),
    /// Add a torrent if it is not here, download what is wanted of it, and finish when that is verified. The torrent
    /// stays, seeding, until removed. Answers: [`Event::Checked`], then [`Event::Progress`].
    Download(Box<Torrent>),
    /// The same, answering also with the content: verified [`Event::Chunk`]s in order of the torrent's bytes, read
    /// back from storage no faster than they are taken. Of a selection, only the selected files' bytes.
    Fetch(Box<Torrent>),
    /// Add a torrent of which everything is here; finishes once it is checked and can be asked for.
    Seed(Box<Torrent>),
    /// Check a torrent's files and finish; answers [`Event::Checked`], then [`Event::Status`]. The torrent is not
    /// started, nor kept.
    Verify(Box<Torrent>),
    /// Stop a torrent and forget it; its files stay.
    Remove(InfoHash),
    /// Stop a torrent's transfers and leave its swarm, or go back.
    Pause(InfoHash, bool),
    /// More peers for a torrent.
    AddPeers(InfoHash, Vec<SocketAddr>),
    /// A file's priority: 0 not wanted, 1 lowest, 4 usual, 7 highest.
    SetPriority(InfoHash, u32, u8),
    /// In which order pieces are asked for from now on.
    SetOrder(InfoHash, Mode),
    /// This piece is wanted within this many milliseconds; sooner comes first. `None` takes the wish back.
    SetDeadline(InfoHash, u32, Option<u32>),
    /// The most payload bytes per second of all torrents: sent, and asked for.
    SetRates {
        /// Sent; `None` for no limit.
        upload: Option<u64>,
        /// Asked for; `None` for no limit.
        download: Option<u64>,
    },
    /// Announce to the trackers now.
    Announce(InfoHash),
    /// Ask the trackers how many seeds and leechers there are; answers [`Event::Scraped`].
    Scrape(InfoHash),
    /// Digest every piece again.
    Recheck(InfoHash),
    /// Answers [`Event::Status`] once.
    Status(InfoHash),
    /// Write resume data now; finishes when it is written.
    Save(InfoHash),
}

/// What a client tells: answers of operations, and news.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// News: peers are listened for here.
    Listening(SocketAddr),
    /// News: the listening socket could not be had, or broke.
    NotListening(Error),
    /// A torrent's files were looked at.
    Checked {
        /// Which.
        info_hash: InfoHash,
        /// Pieces that are here.
        have: u32,
        /// Pieces it has.
        pieces: u32,
        /// How many had to be digested, because resume data did not vouch for them.
        digested: u32,
    },
    /// How a torrent is doing, told at most every [`Config::report_every`](crate::Config::report_every).
    Progress(Box<Progress>),
    /// A piece of content.
    Chunk(Chunk),
    /// News: all that is wanted of a torrent is verified.
    Complete(InfoHash),
    /// News: a torrent stopped, and why. Nothing that was verified is lost; `Pause(.., false)` tries again.
    Stopped(InfoHash, Error),
    /// A torrent in full.
    Status(Box<Status>),
    /// News: a tracker answered.
    Announced {
        /// Which torrent.
        info_hash: InfoHash,
        /// The tracker's URL.
        tracker: Arc<str>,
        /// How many peers it named (of which a bounded number is kept), or what it said instead.
        result: Result<u32, String>,
    },
    /// What a tracker says of a torrent's swarm.
    Scraped {
        /// Which torrent.
        info_hash: InfoHash,
        /// The tracker's URL.
        tracker: Arc<str>,
        /// Peers that have everything.
        seeds: u64,
        /// Peers that have not.
        leechers: u64,
    },
    /// News: a peer's connection ended, or could not be made.
    Dropped {
        /// The torrent it was for; `None` if it had not said, or is unknown here.
        info_hash: Option<InfoHash>,
        /// Its address.
        peer: SocketAddr,
        /// Why.
        why: DropReason,
    },
    /// News: a peer is banned.
    Banned {
        /// Its address.
        peer: SocketAddr,
        /// What it did.
        why: DropReason,
    },
}

/// How a torrent is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Which torrent.
    pub info_hash: InfoHash,
    /// What it is doing.
    pub state: State,
    /// Bytes of it that are verified.
    pub verified: u64,
    /// Bytes of it that are wanted (all, or the selected files' pieces).
    pub wanted: u64,
    /// Bytes of what is wanted that are verified.
    pub wanted_verified: u64,
    /// Payload received since it was added, duplicates and lies included.
    pub downloaded: u64,
    /// Payload sent since it was added.
    pub uploaded: u64,
    /// Payload received that was of no use: duplicates, lies, blocks never asked for.
    pub wasted: u64,
    /// Payload received per second, over the last seconds.
    pub rate_in: u64,
    /// Payload sent per second.
    pub rate_out: u64,
    /// Connected peers.
    pub peers: u32,
    /// Of these, seeds.
    pub seeds: u32,
    /// Copies of the torrent among the connected peers, in thousandths: below 1,000 some piece cannot be had from
    /// any of them. 1,000 or more with what is here says "this will finish".
    pub availability: u32,
}

/// What a torrent is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Its files are being looked at.
    Checking,
    /// It is fetching.
    Downloading,
    /// All that is wanted is here.
    Seeding,
    /// The application paused it.
    Paused,
    /// It stopped with an error.
    Failed,
}

/// A torrent in full.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// The figures.
    pub progress: Progress,
    /// Verified pieces.
    pub have: Bitfield,
    /// Why it stopped, if it did.
    pub error: Option<Error>,
    /// The connected peers.
    pub peers: Vec<PeerStatus>,
    /// Addresses known to dial.
    pub candidates: u32,
}

/// A connected peer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PeerStatus {
    /// Its address.
    pub addr: SocketAddr,
    /// How it was found.
    pub source: PeerSource,
    /// What it calls itself, at most 64 bytes, as it said it: escape before showing.
    pub agent: String,
    /// Pieces it has.
    pub pieces: u32,
    /// Payload per second from it.
    pub rate_in: u64,
    /// Payload per second to it.
    pub rate_out: u64,
    /// Payload from it.
    pub downloaded: u64,
    /// Payload to it.
    pub uploaded: u64,
    /// It chokes us.
    pub choking_us: bool,
    /// We choke it.
    pub choked: bool,
    /// We want something of it.
    pub interesting: bool,
    /// It wants something of us.
    pub interested: bool,
    /// It promised blocks and gave none for a minute.
    pub snubbed: bool,
}
