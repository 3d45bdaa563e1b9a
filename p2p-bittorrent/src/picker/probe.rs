//! What a stranger is worth, for one block: while strangers are not trusted and no trusted peer gives, one is asked for a
//! block of a piece that we have before it gives a piece alone. What it answers can be compared at once, where a lie in a
//! new piece shows only when all of that is here.
//!
//! The block is lost, so nobody is probed as long as no piece failed, nor while trusted peers give: with their help a
//! block that is of use shows the same. Who passes is not trusted for that, as it may know that it was a probe; it only
//! may do what anybody could who has no piece in common with us.

use super::fresh::{MISSES, Search, search};
use super::order::Class;
use super::{Asker, Has, PeerKey, Picker, Standing};
use crate::peer::Block;
use p2p_core::chunk::BLOCK;
use p2p_core::{Instant, Rng};

/// How far the probe of a peer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Probe {
    /// It was not asked.
    #[default]
    Due,
    /// It was asked for this block: piece and number.
    Asked((u32, u32)),
    /// Its answer is being compared.
    Given,
    /// It gave the right block, or none can be had of it.
    Done,
}

impl Probe {
    /// Whether its outcome is waited for.
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Asked(_) | Self::Given)
    }
}

impl Asker {
    /// Whether a block that came was asked for as a probe.
    pub(super) fn is_probe(&mut self, request: (u32, u32)) -> bool {
        let is = self.probe == Probe::Asked(request);
        if is {
            self.probe = Probe::Given;
        }
        is
    }

    /// A request will not be answered, or not in time: who does not take a probe has to do without.
    pub(super) fn not_answered(&mut self, request: (u32, u32)) {
        if self.probe == Probe::Asked(request) {
            self.probe = Probe::Done;
        }
    }
}

impl Picker {
    /// A block of a verified piece to ask of a peer before [`pick`](Self::pick) lets it give a piece alone; noted as
    /// asked. [`Received::Probe`](super::Received::Probe) says when it is here; then [`probed`](Self::probed) is due, and
    /// nothing is picked for the peer before.
    pub fn probe(&mut self, peer: PeerKey, has: Has<'_>, now: Instant, rng: &mut Rng) -> Option<Block> {
        if !self.is_wary() || self.wanted.none() || self.trusts(peer) {
            return None;
        }
        if self.askers.get(&peer).is_some_and(|asker| asker.probe != Probe::Due)
            || !self.goes_alone(peer, now)
            || self.allowance(peer, now) == 0
        {
            return None;
        }
        let Search::Found(piece) = search(self.order.class(Class::Had), has, rng, &mut { MISSES }) else {
            return None;
        };
        let number = rng.below(u64::from(self.pieces.blocks_in(piece))) as u32;
        let asker = self.askers.entry(peer).or_default();
        asker.probe = Probe::Asked((piece, number));
        asker.outstanding.push_back((piece, number));
        asker.last = (asker.last.0, now);
        Some(Block { piece, begin: number * BLOCK, len: self.pieces.block_len(piece, number) })
    }

    /// What a peer gave as a probe was compared. If it is `right`, or nothing can be said, the peer is asked on; if not,
    /// it is to be dropped.
    pub fn probed(&mut self, peer: PeerKey, right: bool) {
        let Some(asker) = self.askers.get_mut(&peer) else { return };
        asker.probe = Probe::Done;
        if !right {
            asker.standing = Standing::Suspect;
            asker.accused = true;
        }
    }
}
