//! One torrent of a client: what is here of it, who is connected, and what is under way.

use crate::candidates::Candidates;
use crate::check::Check;
use crate::choke::Choker;
use crate::client::{Saving, TorrentKey};
use crate::error::Error;
use crate::event::{Progress, State};
use crate::info_hash::InfoHash;
use crate::metainfo::{Layout, Metainfo, Part};
use crate::offers::Offers;
use crate::picker::{Mode, PeerKey, Picker};
use crate::rate::Rate;
use crate::reader::Reader;
use crate::store::Store;
use crate::super_seed::SuperSeed;
use crate::suspects::Suspects;
use crate::tracker::Announcer;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Bitfield, ConnId, FileId, Instant, OpId, Span};

/// What a torrent is doing, with what that needs.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Its files are being looked at.
    Checking(Box<Check>),
    /// In its swarm.
    Active,
    /// The application paused it.
    Paused,
    /// It stopped with an error.
    Failed(Error),
}

/// Why an operation waits for a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Until what is wanted is verified.
    Download,
    /// Until it is checked, and all there.
    Seed,
    /// Until it is checked.
    Verify,
    /// Until resume data is written.
    Save,
    /// Until a tracker answered a scrape.
    Scrape,
}

#[derive(Debug)]
pub(crate) struct Torrent {
    pub(crate) key: TorrentKey,
    pub(crate) metainfo: Arc<Metainfo>,
    pub(crate) layout: Layout,
    pub(crate) phase: Phase,
    pub(crate) have: Bitfield,
    /// `have` is what is there. While it is not, it is neither written down nor gone by.
    pub(crate) checked: bool,
    /// The application wants it to rest.
    pub(crate) paused: bool,
    /// The application added it; else it is only here to be verified.
    pub(crate) kept: bool,
    /// Priorities of the files, if any is not the usual.
    pub(crate) priorities: Option<Box<[u8]>>,
    pub(crate) order: Mode,
    /// Present while something is missing and somebody may be asked for it, or something of it is known.
    pub(crate) picker: Option<Box<Picker>>,
    pub(crate) store: Store,
    pub(crate) peers: BTreeMap<PeerKey, ConnId>,
    pub(crate) dialling: u32,
    pub(crate) candidates: Candidates,
    /// When trackers may be asked for more peers out of turn, and how often they were.
    pub(crate) more_at: Instant,
    pub(crate) more_asked: u8,
    /// Rounds in which next to nobody gave us what we lack, in a row.
    pub(crate) hungry: u8,
    pub(crate) announcer: Box<Announcer>,
    /// Pieces that were verified while there were peers, in order. Each peer was told of so many of them.
    pub(crate) gained: Gained,
    /// Present while there are peers.
    pub(crate) choker: Option<Box<Choker>>,
    /// Peers that are interested and not choked.
    pub(crate) served: u16,
    pub(crate) rate_in: Rate,
    pub(crate) rate_out: Rate,
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    pub(crate) wasted: u64,
    pub(crate) suspects: Suspects,
    /// Of failed pieces whose blocks are being digested, the peers to blame, if some stand out.
    pub(crate) accused: BTreeMap<u32, Vec<PeerKey>>,
    pub(crate) super_seed: Option<Box<SuperSeed>>,
    /// Present while we seed what we had from the start, and somebody is served.
    pub(crate) offers: Option<Box<Offers>>,
    pub(crate) readers: Vec<Reader>,
    pub(crate) waiting: Vec<(OpId, Goal)>,
    /// Files written to since resume data was last written: what is in them may not be on the device yet.
    pub(crate) unsynced: BTreeSet<u32>,
    pub(crate) saving: Option<Box<Saving>>,
    /// Something changed while resume data was being written.
    pub(crate) save_again: bool,
    pub(crate) complete_told: bool,
    /// A piece was verified that came from a peer.
    pub(crate) fetched: bool,
    pub(crate) timers: Timers,
    /// Jobs under way that hold the torrent's files.
    pub(crate) jobs: u32,
}

/// Pieces in the order in which they were gained; small while there are none, as in most torrents.
#[derive(Debug, Default)]
pub(crate) struct Gained(
    #[expect(clippy::box_collection, reason = "an idle torrent has none")] Option<Box<Vec<u32>>>,
);

impl Gained {
    pub(crate) fn push(&mut self, piece: u32) {
        self.0.get_or_insert_default().push(piece);
    }

    pub(crate) fn pieces(&self) -> &[u32] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

/// Which of a torrent's timers are set, so that an idle torrent sets none.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Timers {
    pub(crate) round: bool,
    pub(crate) rounds: u32,
    pub(crate) flush: bool,
    pub(crate) save: bool,
    pub(crate) report: bool,
}

impl Torrent {
    pub(crate) fn info_hash(&self) -> InfoHash {
        self.metainfo.info.info_hash()
    }

    pub(crate) fn pieces(&self) -> p2p_core::Pieces {
        *self.metainfo.info.pieces()
    }

    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active)
    }

    /// A peer became one that is interested and not choked, or is so no more.
    pub(crate) const fn count_served(&mut self, is: bool) {
        self.served = if is { self.served + 1 } else { self.served - 1 };
    }

    /// Where a run of a piece is stored.
    pub(crate) fn spans(&self, piece: u32, begin: u32, len: u32) -> Vec<Span> {
        spans(&self.layout, piece, begin, len)
    }

    /// The file that a byte of a piece is in, as text for people.
    pub(crate) fn path_at(&self, piece: u32, begin: u32) -> String {
        let span = self.metainfo.info.spans(piece, begin, 1).find_map(|span| self.layout.file(span.file));
        span.map(|file| file.path().as_str().into()).unwrap_or_default()
    }

    /// Whether every piece is here.
    pub(crate) fn is_seed(&self) -> bool {
        self.have.is_full()
    }

    /// Whether all that is wanted is here.
    pub(crate) fn is_complete(&self) -> bool {
        match (&self.picker, &self.priorities) {
            (Some(picker), _) => picker.is_complete(),
            (None, None) => self.have.is_full(),
            (None, Some(_)) => self.have.zeros().all(|piece| self.piece_priority(piece) == 0),
        }
    }

    /// Whether a peer that was `given` so much in its turn is to have the rest of a piece that nobody else was given,
    /// before its turn ends. A turn can last twice as long by that, no longer.
    pub(crate) fn owes_rest(&self, peer: PeerKey, given: u64) -> bool {
        let pieces = self.pieces();
        given < 2 * u64::from(pieces.piece_len())
            && self.offers.as_ref().is_some_and(|offers| offers.in_mid_piece(peer))
    }

    /// A file's priority, 0 to 7.
    pub(crate) fn file_priority(&self, file: u32) -> u8 {
        self.priorities.as_ref().and_then(|all| all.get(file as usize).copied()).unwrap_or(USUAL)
    }

    /// A piece's priority: the highest of the files it touches.
    pub(crate) fn piece_priority(&self, piece: u32) -> u8 {
        if self.priorities.is_none() {
            return USUAL;
        }
        let info = &self.metainfo.info;
        info.spans(piece, 0, info.pieces().len_of(piece))
            .filter(|span| !span.padding)
            .map(|span| self.file_priority(span.file as u32))
            .max()
            .unwrap_or(0)
    }

    /// Where a peer is or was that gave blocks.
    pub(crate) fn address_of(&self, peer: PeerKey, peers: &crate::client::Peers) -> Option<SocketAddr> {
        match self.peers.get(&peer) {
            Some(conn) => peers.get(conn).map(|peer| peer.addr),
            None => self.suspects.remembered(peer),
        }
    }

    /// Bytes of verified pieces.
    pub(crate) fn verified_bytes(&self) -> u64 {
        let pieces = self.pieces();
        let count = self.have.count();
        let Some(last) = pieces.count().checked_sub(1) else { return 0 };
        let full = u64::from(count) * u64::from(pieces.piece_len());
        if self.have.get(last) { full - u64::from(pieces.piece_len() - pieces.len_of(last)) } else { full }
    }

    /// Bytes still to be had of the whole torrent, as trackers are told it.
    pub(crate) fn left(&self) -> u64 {
        self.pieces().total() - self.verified_bytes()
    }

    pub(crate) fn state(&self) -> State {
        match &self.phase {
            Phase::Checking(_) => State::Checking,
            Phase::Active if self.is_complete() => State::Seeding,
            Phase::Active => State::Downloading,
            Phase::Paused => State::Paused,
            Phase::Failed(_) => State::Failed,
        }
    }

    pub(crate) fn progress(&self, seeds: u32, now: Instant) -> Progress {
        let verified = self.verified_bytes();
        let (wanted, wanted_verified) =
            if self.priorities.is_none() { (self.pieces().total(), verified) } else { self.wanted_bytes() };
        Progress {
            info_hash: self.info_hash(),
            state: self.state(),
            verified,
            wanted,
            wanted_verified,
            downloaded: self.downloaded,
            uploaded: self.uploaded,
            wasted: self.wasted,
            rate_in: self.rate_in.per_second(now),
            rate_out: self.rate_out.per_second(now),
            peers: self.peers.len() as u32,
            seeds,
            availability: match &self.picker {
                Some(picker) => {
                    let copies = picker.copies();
                    copies.whole.saturating_mul(1000).saturating_add(copies.more)
                }
                None if self.have.is_full() => (seeds + 1).saturating_mul(1000),
                // Nobody else is here.
                None => (u64::from(self.have.count()) * 1000 / u64::from(self.have.len()).max(1)) as u32,
            },
        }
    }

    fn wanted_bytes(&self) -> (u64, u64) {
        let pieces = self.pieces();
        let mut sum = (0, 0);
        for piece in (0..pieces.count()).filter(|&piece| self.piece_priority(piece) > 0) {
            let len = u64::from(pieces.len_of(piece));
            sum.0 += len;
            if self.have.get(piece) {
                sum.1 += len;
            }
        }
        sum
    }
}

/// Where a run of a piece is stored; padding is read from, and written to, the root of zeros.
pub(crate) fn spans(layout: &Layout, piece: u32, begin: u32, len: u32) -> Vec<Span> {
    let part = |part| match part {
        Part::Stored(span) => span,
        Part::Zeros(len) => Span { file: FileId::zeros(), offset: 0, len },
    };
    layout.parts(piece, begin, len).map(part).collect()
}

/// The priority of a file that nothing was said about.
pub(crate) const USUAL: u8 = 4;
