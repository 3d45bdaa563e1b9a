//! Which blocks a peer is asked for next.

use super::partial::{End, State};
use super::{Has, Mode, PeerKey, PeerSpeed, Picker};
use crate::peer::Block;
use alloc::vec::Vec;
use core::ops::Bound;
use p2p_core::chunk::BLOCK;
use p2p_core::{Duration, Instant, Rng};

/// Partial or urgent pieces that are looked at per choice.
pub(super) const LOOK: usize = 64;
/// Peers that may be asked for one block in the end game.
const ASKERS: usize = 2;
/// Blocks that are looked at per call in the end game.
const END_LOOK: u32 = 1024;
/// Suggestions that are remembered per peer: a pipeline of small pieces.
const SUGGESTED: usize = 64;
/// A slow peer is not given what is due so soon.
const DUE_SOON: Duration = Duration::from_secs(10);

impl Picker {
    /// Appends up to `n` blocks to ask of a peer that has `has` and does not choke us, and notes them as asked.
    #[expect(clippy::too_many_arguments, reason = "one call per decision, all of which it depends on")]
    pub fn pick(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        n: usize,
        now: Instant,
        speed: PeerSpeed,
        rng: &mut Rng,
        out: &mut Vec<Block>,
    ) {
        let n = n.min(self.allowance(peer, now));
        if self.wanted.none() || n == 0 {
            return;
        }
        let end = out.len().saturating_add(n);
        self.pick_urgent(peer, has, end, now, speed, out);
        while out.len() < end {
            let Some((piece, side)) = self.choose(peer, has, now, speed, rng) else { break };
            let before = out.len();
            self.take(peer, piece, side, end, now, out);
            if out.len() == before {
                break;
            }
        }
        // Whoever still owes us blocks is not asked for those of others, and who owes none for a few at a time: what
        // comes twice is lost to everybody.
        if out.len() < end && self.in_end_game() && self.outstanding(peer) == 0 {
            let end = end.min(out.len() + (n / 4).max(1));
            self.pick_again(peer, has, end, now, rng, out);
        }
    }

    /// The same of a peer that chokes us: only among the pieces that it allows all the same (BEP 6).
    pub fn pick_allowed(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        allowed: &[u32],
        n: usize,
        now: Instant,
        out: &mut Vec<Block>,
    ) {
        let end = out.len().saturating_add(n.min(self.allowance(peer, now)));
        for &piece in allowed {
            if out.len() >= end {
                break;
            }
            self.hurry(peer, has, piece, end, now, out);
        }
    }

    /// Appends blocks of a piece that is not chosen for its rarity, if it is of use.
    fn hurry(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        piece: u32,
        end: usize,
        now: Instant,
        out: &mut Vec<Block>,
    ) {
        if has.get(piece) && self.wanted.get(piece) && self.may_hurry(peer, piece) && self.begin(piece) {
            self.take(peer, piece, End::Front, end, now, out);
        }
    }

    fn pick_urgent(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        end: usize,
        now: Instant,
        speed: PeerSpeed,
        out: &mut Vec<Block>,
    ) {
        let mut after = Bound::Unbounded;
        for _ in 0..LOOK {
            if out.len() >= end {
                break;
            }
            let Some(&(due, piece)) = self.urgent.range((after, Bound::Unbounded)).next() else { break };
            after = Bound::Excluded((due, piece));
            if speed == PeerSpeed::Slow && due < now + DUE_SOON {
                continue;
            }
            self.hurry(peer, has, piece, end, now, out);
        }
    }

    /// The piece of which this peer is to be asked next, begun and with a free block.
    fn choose(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        now: Instant,
        speed: PeerSpeed,
        rng: &mut Rng,
    ) -> Option<(u32, End)> {
        let own = self.askers.entry(peer).or_default().own;
        if let Some(piece) = own.filter(|&piece| has.get(piece) && self.owned.contains(&piece)) {
            return Some((piece, End::Front));
        }
        if !self.trusts(peer) {
            return self.choose_for_stranger(peer, has, now, rng);
        }
        if let Some(piece) = self.take_suggestion(peer, has) {
            return Some((piece, End::Front));
        }
        let loose =
            self.loose.iter().take(LOOK).copied().find(|&piece| has.get(piece) && self.may_ask(piece, peer));
        if let Some(piece) = loose {
            self.give(piece, peer, speed);
            return Some((piece, End::Front));
        }
        // Pieces begun are worth nothing to others: no more of them than one and a half per peer.
        let crowded = self.loose.len() + self.owned.len() > self.askers.len() * 3 / 2;
        if crowded && let Some(piece) = self.helped(peer, has, rng) {
            return Some((piece, End::Back));
        }
        if let Some(piece) = self.fresh_for(has, rng) {
            self.begin(piece);
            self.give(piece, peer, speed);
            return Some((piece, End::Front));
        }
        self.helped(peer, has, rng).map(|piece| (piece, End::Back))
    }

    /// A peer suggests that it be asked for this piece (BEP 6): it gets it to itself once it has no other, and has given
    /// what it suggested before. False if that is no news, or of no use.
    pub fn suggested(&mut self, peer: PeerKey, piece: u32) -> bool {
        if !self.wants(piece) {
            return false;
        }
        let suggested = &mut self.askers.entry(peer).or_default().suggested;
        let new = suggested.len() < SUGGESTED && !suggested.contains(&piece);
        if new {
            suggested.push_back(piece);
        }
        new
    }

    /// What a peer suggested is not to be had any more: it chokes us, and may give that to others.
    pub fn unsuggest(&mut self, peer: PeerKey) {
        if let Some(asker) = self.askers.get_mut(&peer) {
            asker.suggested.clear();
        }
    }

    /// The first piece that a peer suggested and that is of use, begun.
    fn take_suggestion(&mut self, peer: PeerKey, has: Has<'_>) -> Option<u32> {
        let piece = self.suggestion(peer, has)?;
        self.begin(piece);
        self.give(piece, peer, PeerSpeed::Fast);
        Some(piece)
    }

    /// The first of what a peer suggested that is of use: a new piece, or one that somebody left.
    pub(super) fn suggestion(&mut self, peer: PeerKey, has: Has<'_>) -> Option<u32> {
        while let Some(piece) = self.askers.get_mut(&peer)?.suggested.pop_front() {
            let open = self.fresh.get(piece) || self.loose.contains(&piece);
            let wanted = self.mode == Mode::RarestFirst && has.get(piece) && self.may_ask(piece, peer);
            if open && wanted && self.may_join(peer, piece) {
                return Some(piece);
            }
        }
        None
    }

    /// Gives a partial piece to one peer alone, if that is fast enough.
    pub(super) fn give(&mut self, piece: u32, peer: PeerKey, speed: PeerSpeed) {
        if speed == PeerSpeed::Slow {
            return;
        }
        let (Some(partial), Some(asker)) = (self.partials.get_mut(&piece), self.askers.get_mut(&peer)) else {
            return;
        };
        partial.owner = Some(peer);
        let before = asker.own.replace(piece);
        self.file(piece);
        if let Some(before) = before {
            self.file(before);
        }
    }

    /// A piece that another peer has to itself and this one could help with.
    fn helped(&self, peer: PeerKey, has: Has<'_>, rng: &mut Rng) -> Option<u32> {
        if self.owned.is_empty() {
            return None;
        }
        let from = rng.below(u64::from(self.pieces.count())) as u32;
        self.owned
            .range(from..)
            .chain(self.owned.range(..from))
            .take(LOOK)
            .copied()
            .find(|&piece| has.get(piece) && self.may_ask(piece, peer))
    }

    /// Appends free blocks of a partial piece up to `end` and notes them as asked of the peer.
    pub(super) fn take(
        &mut self,
        peer: PeerKey,
        piece: u32,
        side: End,
        end: usize,
        now: Instant,
        out: &mut Vec<Block>,
    ) {
        if !self.may_ask(piece, peer) {
            return;
        }
        let asker = self.askers.entry(peer).or_default();
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        asker.last = (piece, now);
        while out.len() < end {
            let Some(block) = partial.next_free(side) else { break };
            partial.set(block, State::Asked, peer);
            asker.outstanding.push_back((piece, block));
            let len = self.pieces.block_len(piece, block);
            out.push(Block { piece, begin: block * BLOCK, len });
        }
        if partial.free() == 0 {
            self.file(piece);
        }
    }

    /// The end game: blocks that others were asked for.
    fn pick_again(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        end: usize,
        now: Instant,
        rng: &mut Rng,
        out: &mut Vec<Block>,
    ) {
        let from = rng.below(u64::from(self.pieces.count())) as u32;
        let mut left = END_LOOK;
        for (&piece, partial) in self.partials.range(from..).chain(self.partials.range(..from)) {
            if left == 0 || out.len() >= end {
                break;
            }
            let open = partial.priority > 0 && partial.is_asked() && has.get(piece);
            if !open || !self.may_ask(piece, peer) || !self.may_hurry(peer, piece) {
                left -= 1;
                continue;
            }
            for block in 0..partial.blocks() {
                if left == 0 || out.len() >= end {
                    break;
                }
                left -= 1;
                if partial.state(block) != Some(State::Asked) || partial.from(block) == peer {
                    continue;
                }
                let extra = self.extra.entry((piece, block)).or_default();
                if extra.len() + 1 < ASKERS && !extra.contains(&peer) {
                    extra.push(peer);
                    let asker = self.askers.entry(peer).or_default();
                    asker.last = (piece, now);
                    asker.outstanding.push_back((piece, block));
                    let len = self.pieces.block_len(piece, block);
                    out.push(Block { piece, begin: block * BLOCK, len });
                }
            }
        }
    }
}
