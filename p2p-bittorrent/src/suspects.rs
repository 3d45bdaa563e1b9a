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

    /// A piece failed; `blocks` came from these peers. Digests of all of them are due.
    pub(crate) fn open(&mut self, piece: u32, blocks: impl IntoIterator<Item = (u32, SocketAddr)>) {
        if self.pieces.len() >= PIECES && !self.pieces.contains_key(&piece) {
            self.pieces.pop_first();
        }
        let case = self.pieces.entry(piece).or_default();
        for (block, from) in blocks {
            case.blocks.entry(block).or_default().push(Evidence { from, digest: None });
            case.digests_due += 1;
        }
    }

    /// The digest of a failed piece's block; true when it was the last one due, and the piece may be fetched again.
    pub(crate) fn digested(&mut self, piece: u32, block: u32, digest: Option<Digest>) -> bool {
        let Some(case) = self.pieces.get_mut(&piece) else { return true };
        if let Some(evidence) = case.blocks.get_mut(&block).and_then(|all| all.last_mut()) {
            evidence.digest = digest;
        }
        case.digests_due = case.digests_due.saturating_sub(1);
        case.digests_due == 0
    }

    /// The blocks of a piece that are to be digested again, now that it verified.
    pub(crate) fn blocks(&self, piece: u32) -> Vec<u32> {
        self.pieces.get(&piece).map(|case| case.blocks.keys().copied().collect()).unwrap_or_default()
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
