//! Super-seeding (BEP 16): a lone seed shows each peer one piece at a time and the next when another peer has it.

use crate::picker::PeerKey;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use p2p_core::Rng;

/// What a super-seed showed to whom.
#[derive(Debug)]
pub(crate) struct SuperSeed {
    /// Per piece: peers that were shown it or said they have it.
    spread: Vec<u16>,
    /// The piece each peer was shown last.
    shown: BTreeMap<PeerKey, u32>,
}

impl SuperSeed {
    pub(crate) fn new(pieces: u32) -> Self {
        Self { spread: vec![0; pieces as usize], shown: BTreeMap::new() }
    }

    /// The next piece to show a peer: one of those spread least that it has not.
    pub(crate) fn show(&mut self, peer: PeerKey, has: impl Fn(u32) -> bool, rng: &mut Rng) -> Option<u32> {
        let mut best: Option<(u16, u32)> = None;
        let mut ties = 0;
        for (piece, &spread) in (0u32..).zip(&self.spread) {
            if has(piece) || best.is_some_and(|(least, _)| least < spread) {
                continue;
            }
            if best.is_some_and(|(least, _)| least == spread) {
                ties += 1;
                if rng.below(ties) != 0 {
                    continue;
                }
            } else {
                ties = 1;
            }
            best = Some((spread, piece));
        }
        let (_, piece) = best?;
        self.count(piece);
        self.shown.insert(peer, piece);
        Some(piece)
    }

    /// A peer says it has a piece: the peers to be shown their next one, because theirs has spread.
    pub(crate) fn peer_has(&mut self, peer: PeerKey, piece: u32) -> Vec<PeerKey> {
        if self.shown.get(&peer) != Some(&piece) {
            self.count(piece);
        }
        self.shown
            .iter()
            .filter(|(key, shown)| **key != peer && **shown == piece)
            .map(|(key, _)| *key)
            .collect()
    }

    /// A peer left. What it was shown and did not spread is rare again.
    pub(crate) fn gone(&mut self, peer: PeerKey) {
        if let Some(piece) = self.shown.remove(&peer)
            && let Some(spread) = self.spread.get_mut(piece as usize)
        {
            *spread = spread.saturating_sub(1);
        }
    }

    fn count(&mut self, piece: u32) {
        if let Some(spread) = self.spread.get_mut(piece as usize) {
            *spread = spread.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_piece_each_until_it_spreads() {
        let mut rng = Rng::fast_from(1);
        let mut seed = SuperSeed::new(4);
        let first = seed.show(1, |_| false, &mut rng).unwrap();
        let second = seed.show(2, |_| false, &mut rng).unwrap();
        assert_ne!(first, second, "the least spread piece is shown");
        assert!(seed.peer_has(1, first).is_empty(), "having it yourself earns nothing");
        assert_eq!(seed.peer_has(2, first), [1], "passing it on earns the next");
        let third = seed.show(1, |piece| piece == first, &mut rng).unwrap();
        assert!(third != first && third != second);
        seed.gone(2);
        seed.gone(1);
        assert_eq!(seed.shown.len(), 0);
    }
}
