//! Suspects and liars: what may be asked of a peer after a piece failed that it had a part in, and who is to blame.
//!
//! A block cannot be verified, only a whole piece. Everybody is trusted until a piece fails; whoever gave a part of it is
//! then a suspect. A piece has blocks of at most one suspect: it gives a block to a piece that trusted peers have nearly
//! completed, or gets one piece to itself, and nothing more is asked of it until that is verified. Then it is trusted
//! again; or it is accused, its blocks alone are fetched again, and the rest of the piece is kept.

use super::partial::{End, NOBODY, State};
use super::{Has, LOOK, PeerKey, PeerSpeed, Picker};
use alloc::vec::Vec;
use p2p_core::Rng;

/// Blocks whose proof a suspect may owe while others are trusted.
const TRIAL: usize = 1;

impl Picker {
    /// How many blocks may be asked of a peer now, as far as trust goes.
    pub(super) fn allowance(&self, peer: PeerKey) -> usize {
        let Some(asker) = self.askers.get(&peer) else { return usize::MAX };
        // Unless nobody else gives anything: better of a liar than of nobody.
        let others = || self.askers.iter().any(|(key, other)| *key != peer && !other.outstanding.is_empty());
        if asker.accused && others() {
            return 0;
        }
        // What it has to itself it may go on with.
        if asker.trusted || asker.own.is_some_and(|own| self.owned.contains(&own)) {
            return usize::MAX;
        }
        match self.owed(peer) {
            0 => usize::MAX,
            owed => TRIAL.saturating_sub(owed),
        }
    }

    /// Blocks whose proof a suspect owes, or will.
    fn owed(&self, peer: PeerKey) -> usize {
        self.askers.get(&peer).map_or(0, |asker| asker.outstanding.len() + asker.unproven as usize)
    }

    /// How many more blocks may be asked of a peer of a piece that it shares with others.
    pub(super) fn share(&self, peer: PeerKey, piece: u32) -> usize {
        let alone = self.partials.get(&piece).is_none_or(|partial| partial.owner == Some(peer));
        if alone || self.trusts(peer) { usize::MAX } else { TRIAL.saturating_sub(self.owed(peer)) }
    }

    /// Whether a peer had no part in a piece that failed, or had one since in a piece that verified.
    #[must_use]
    pub fn trusts(&self, peer: PeerKey) -> bool {
        self.askers.get(&peer).is_none_or(|asker| asker.trusted)
    }

    pub(super) fn trusts_anybody(&self) -> bool {
        self.askers.values().any(|asker| asker.trusted)
    }

    /// Whether a peer may give blocks of a partial piece.
    pub(super) fn may_join(&self, peer: PeerKey, piece: u32) -> bool {
        if self.trusts(peer) || !self.trusts_anybody() {
            return true;
        }
        let suspect = self.partials.get(&piece).and_then(|partial| partial.suspect);
        suspect.is_none_or(|other| other == peer)
    }

    /// The piece of which a suspect is to be asked: one that others have nearly completed, so that it is soon known
    /// what its blocks are worth.
    pub(super) fn choose_for_suspect(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        rng: &mut Rng,
    ) -> Option<(u32, End)> {
        if self.owed(peer) >= TRIAL {
            return None;
        }
        if self.trusts_anybody() {
            let begun = self.loose.iter().take(LOOK).chain(self.owned.iter().take(LOOK));
            let open = begun
                .copied()
                .filter(|&piece| has.get(piece) && self.may_join(peer, piece) && self.may_ask(piece, peer));
            let nearest = open.min_by_key(|piece| self.partials.get(piece).map_or(u32::MAX, |p| p.free()));
            if let Some(piece) = nearest {
                return Some((piece, End::Back));
            }
        }
        if let Some(piece) = self.fresh_for(has, rng) {
            self.begin(piece);
            self.give(piece, peer, PeerSpeed::Medium);
            return Some((piece, End::Front));
        }
        // Better with a suspect too many than not at all.
        let loose =
            self.loose.iter().take(LOOK).copied().find(|&piece| has.get(piece) && self.may_ask(piece, peer));
        loose.or_else(|| self.helped(peer, has, rng)).map(|piece| (piece, End::Back))
    }

    /// A piece verified: whoever gave a part of it told the truth.
    pub(super) fn trust_givers(&mut self, piece: u32) {
        let givers: Vec<PeerKey> = self.contributors(piece).map(|(_, peer)| peer).collect();
        for peer in givers {
            if let Some(asker) = self.askers.get_mut(&peer) {
                asker.trusted = true;
                asker.unproven = 0;
            }
        }
    }

    pub(super) fn distrust(&mut self, peer: PeerKey) {
        if let Some(asker) = self.askers.get_mut(&peer) {
            asker.trusted = false;
            asker.unproven = 0;
        }
    }

    /// The digest of a piece is wrong: the one peer to be accused of it, if all others that had a part are trusted.
    /// Nothing more is asked of that peer until [`acquitted`](Self::acquitted).
    pub fn accuse(&mut self, piece: u32) -> Option<PeerKey> {
        let mut suspects: Vec<PeerKey> =
            self.contributors(piece).map(|(_, peer)| peer).filter(|peer| !self.trusts(*peer)).collect();
        suspects.sort_unstable();
        suspects.dedup();
        let [only] = suspects[..] else { return None };
        if let Some(asker) = self.askers.get_mut(&only) {
            asker.accused = true;
        }
        Some(only)
    }

    /// The blocks of a failed piece that an accused peer gave are to be fetched again, the others are kept. Returns how
    /// many bytes that is.
    pub fn fetch_again(&mut self, piece: u32, accused: PeerKey) -> u32 {
        let pieces = self.pieces;
        let Some(partial) = self.partials.get_mut(&piece) else { return 0 };
        let (mut bytes, mut blocks) = (0, 0);
        for block in 0..partial.blocks() {
            if partial.state(block) == Some(State::Received) && partial.from(block) == accused {
                partial.set(block, State::Free, NOBODY);
                bytes += pieces.block_len(piece, block);
                blocks += 1;
            }
        }
        if let Some(asker) = self.askers.get_mut(&accused) {
            asker.unproven = asker.unproven.saturating_sub(blocks);
        }
        partial.suspect = None;
        if partial.is_untouched() {
            self.abandon(piece);
        } else {
            self.file(piece);
        }
        bytes
    }

    /// An accused peer told the truth after all.
    pub fn acquitted(&mut self, peer: PeerKey) {
        if let Some(asker) = self.askers.get_mut(&peer) {
            asker.accused = false;
            asker.unproven = 0;
        }
    }
}
