//! Finding out who lied: [`Suspects`] keeps the digests of a failed piece's blocks and who sent each, until the piece
//! verifies and shows which blocks were wrong.

use crate::picker::PeerKey;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::Digest;

/// Failed pieces whose evidence is kept at a time; past that the oldest is dropped, and its liars are found another
/// time.
const PIECES: usize = 64;
/// Times that a piece may fail and its blocks be kept; past that the oldest are forgotten.
const TIMES: usize = 8;
/// Peers remembered after they left.
const LEFT: usize = 64;

/// One block of a failed piece.
#[derive(Debug, Clone)]
struct Evidence {
    from: SocketAddr,
    digest: Option<Digest>,
}

/// The evidence of a torrent.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    pieces: BTreeMap<u32, Case>,
    /// Peers that left: blocks of theirs may still turn out wrong.
    left: VecDeque<(PeerKey, SocketAddr)>,
}

#[derive(Debug, Default)]
struct Case {
    blocks: BTreeMap<u32, Vec<Evidence>>,
    digests_due: u32,
    /// Peers that were to give the piece alone, the last ones; they did not give all of it.
    tried: VecDeque<PeerKey>,
}

impl Suspects {
    /// A peer left.
    pub(crate) fn remember(&mut self, peer: PeerKey, addr: SocketAddr) {
        if self.left.len() >= LEFT {
            self.left.pop_front();
        }
        self.left.push_back((peer, addr));
    }

    /// The address of a peer that left, if it was not long ago.
    pub(crate) fn remembered(&self, peer: PeerKey) -> Option<SocketAddr> {
        self.left.iter().find(|(key, _)| *key == peer).map(|(_, addr)| *addr)
    }

    /// Whether evidence of this piece is kept.
    pub(crate) fn has(&self, piece: u32) -> bool {
        self.pieces.contains_key(&piece)
    }

    /// A piece failed; `blocks` came from these peers. If true, digests of all of them are due; else there is no room
    /// for more evidence.
    pub(crate) fn open(&mut self, piece: u32, blocks: impl IntoIterator<Item = (u32, SocketAddr)>) -> bool {
        if self.pieces.len() >= PIECES && !self.pieces.contains_key(&piece) {
            // What still waits for digests is not to be forgotten: its piece waits with it.
            let done = self.pieces.iter().find(|(_, case)| case.digests_due == 0).map(|(piece, _)| *piece);
            let Some(done) = done else { return false };
            self.pieces.remove(&done);
        }
        let case = self.pieces.entry(piece).or_default();
        for (block, from) in blocks {
            let all = case.blocks.entry(block).or_default();
            if all.len() >= TIMES {
                all.remove(0);
            }
            all.push(Evidence { from, digest: None });
            case.digests_due += 1;
        }
        case.digests_due > 0
    }

    /// No digest that was due will come.
    pub(crate) fn close(&mut self) {
        self.pieces.clear();
    }

    /// The digest of a failed piece's block; true when it was the last one due, and the piece may be fetched again.
    pub(crate) fn digested(&mut self, piece: u32, block: u32, digest: Option<Digest>) -> bool {
        let Some(case) = self.pieces.get_mut(&piece) else { return false };
        if let Some(evidence) = case.blocks.get_mut(&block).and_then(|all| all.last_mut()) {
            evidence.digest = digest;
        }
        case.digests_due = case.digests_due.saturating_sub(1);
        case.digests_due == 0
    }

    /// In how many open cases a peer gave a block.
    pub(crate) fn cases_of(&self, addr: SocketAddr) -> usize {
        let gave = |case: &&Case| case.blocks.values().flatten().any(|evidence| evidence.from == addr);
        self.pieces.values().filter(gave).count()
    }

    /// How lately a peer was to give a piece alone: 0 is never.
    pub(crate) fn tried(&self, piece: u32, peer: PeerKey) -> usize {
        let tried = self.pieces.get(&piece).map(|case| &case.tried);
        tried.and_then(|tried| tried.iter().position(|key| *key == peer)).map_or(0, |at| at + 1)
    }

    /// A peer is to give a piece alone.
    pub(crate) fn try_alone(&mut self, piece: u32, peer: PeerKey) {
        let Some(case) = self.pieces.get_mut(&piece) else { return };
        case.tried.retain(|key| *key != peer);
        if case.tried.len() >= LEFT {
            case.tried.pop_front();
        }
        case.tried.push_back(peer);
    }

    /// The blocks of a piece that are to be digested again, now that it verified.
    pub(crate) fn blocks(&self, piece: u32) -> Vec<u32> {
        self.pieces.get(&piece).map(|case| case.blocks.keys().copied().collect()).unwrap_or_default()
    }

    /// The right digest of a block cannot be had: nobody is known to have sent another one. Who sent it.
    pub(crate) fn forget(&mut self, piece: u32, block: u32) -> Vec<SocketAddr> {
        let Some(case) = self.pieces.get_mut(&piece) else { return Vec::new() };
        let evidence = case.blocks.remove(&block).unwrap_or_default();
        if case.blocks.is_empty() {
            self.pieces.remove(&piece);
        }
        evidence.into_iter().map(|e| e.from).collect()
    }

    /// The right digest of a block: who sent another one, and who sent this one.
    pub(crate) fn acquit(
        &mut self,
        piece: u32,
        block: u32,
        right: Digest,
    ) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
        let Some(case) = self.pieces.get_mut(&piece) else { return (Vec::new(), Vec::new()) };
        let evidence = case.blocks.remove(&block).unwrap_or_default();
        if case.blocks.is_empty() {
            self.pieces.remove(&piece);
        }
        let (liars, honest): (Vec<Evidence>, Vec<Evidence>) =
            evidence.into_iter().partition(|e| e.digest.is_some_and(|digest| digest != right));
        let from = |all: Vec<Evidence>| all.into_iter().map(|e| e.from).collect();
        (from(liars), from(honest))
    }
}
