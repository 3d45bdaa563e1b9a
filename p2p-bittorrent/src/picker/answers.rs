//! What becomes of a request: its block comes, or is refused, late, or wrong.

use super::asker::take_out;
use super::order::Class;
use super::partial::{NOBODY, State};
use super::probe::Probe;
use super::{PeerKey, Picker, Received, Standing};
use crate::peer::Block;
use alloc::vec::Vec;
use p2p_core::chunk::BLOCK;

impl Picker {
    /// The number of a block inside its piece; `None` if it is no block of this torrent.
    fn number(&self, block: Block) -> Option<(u32, u32)> {
        let number = block.begin / BLOCK;
        let right = block.begin.is_multiple_of(BLOCK)
            && block.len > 0
            && block.len == self.pieces.block_len(block.piece, number);
        right.then_some((block.piece, number))
    }

    /// A block came from a peer. Its piece is not verified by that: see [`Picker::verified`] and [`Picker::failed`].
    pub fn received(&mut self, peer: PeerKey, block: Block) -> Received {
        let Some((piece, number)) = self.number(block) else { return Received::Unasked };
        if !self.askers.get_mut(&peer).is_some_and(|asker| asker.strike((piece, number))) {
            return Received::Unasked;
        }
        if self.had(piece) {
            let probe = self.askers.get_mut(&peer).is_some_and(|asker| asker.is_probe((piece, number)));
            return if probe { Received::Probe } else { Received::Duplicate };
        }
        self.begin(piece);
        let Some(partial) = self.partials.get_mut(&piece) else { return Received::Duplicate };
        let mut others = Vec::new();
        match partial.state(number) {
            None | Some(State::Received) => return Received::Duplicate,
            Some(State::Free) => {}
            Some(State::Asked) => {
                if let Some(extra) = self.extra.remove(&(piece, number)) {
                    others = extra;
                }
                others.retain(|&other| other != peer);
                if partial.from(number) != peer {
                    others.push(partial.from(number));
                }
            }
        }
        partial.set(number, State::Received, peer);
        if let Some(asker) = self.askers.get_mut(&peer).filter(|asker| asker.standing != Standing::Proven) {
            asker.unproven += 1;
        }
        let (piece_complete, filed) = (partial.is_complete(), partial.free() > 0);
        for other in &others {
            if let Some(asker) = self.askers.get_mut(other)
                && take_out(&mut asker.outstanding, (piece, number))
            {
                asker.remember((piece, number));
            }
        }
        if !filed {
            self.file(piece);
        }
        Received::Wanted { piece_complete, others }
    }

    /// A peer will not answer this request (BEP 6).
    pub fn rejected(&mut self, peer: PeerKey, block: Block) {
        let Some(request) = self.number(block) else { return };
        if let Some(asker) = self.askers.get_mut(&peer)
            && take_out(&mut asker.outstanding, request)
        {
            asker.not_answered(request);
            self.unreserve_piece(request.0, peer);
            self.release(peer, request);
        }
    }

    /// One request is not waited for any longer, or a cancel was sent; if its answer comes all the same, it is taken.
    pub fn timed_out(&mut self, peer: PeerKey, block: Block) {
        let Some(request) = self.number(block) else { return };
        if let Some(asker) = self.askers.get_mut(&peer)
            && take_out(&mut asker.outstanding, request)
        {
            asker.remember(request);
            asker.not_answered(request);
            self.unreserve_piece(request.0, peer);
            self.release(peer, request);
        }
    }

    fn unreserve_piece(&mut self, piece: u32, peer: PeerKey) {
        if self.reserved.get(&piece) == Some(&peer) {
            self.reserved.remove(&piece);
        }
    }

    /// A peer choked us: all its requests are released. With the fast extension, call [`Picker::rejected`] for each
    /// reject that follows instead.
    pub fn choked(&mut self, peer: PeerKey) {
        self.unreserve(peer);
        let Some(asker) = self.askers.get_mut(&peer) else { return };
        asker.suggested.clear();
        if matches!(asker.probe, Probe::Asked(_)) {
            asker.probe = Probe::Due;
        }
        if let Some(own) = asker.own.take() {
            self.file(own);
        }
        while let Some(asker) = self.askers.get_mut(&peer)
            && let Some(request) = asker.outstanding.pop_front()
        {
            asker.remember(request);
            self.release(peer, request);
        }
    }

    /// Requests of this peer that are not answered.
    #[must_use]
    pub fn outstanding(&self, peer: PeerKey) -> usize {
        self.askers.get(&peer).map_or(0, |asker| asker.outstanding.len())
    }

    /// The peer is no longer expected to send this block.
    fn release(&mut self, peer: PeerKey, (piece, block): (u32, u32)) {
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        if partial.state(block) != Some(State::Asked) {
            return;
        }
        let extra = self.extra.get_mut(&(piece, block));
        if partial.from(block) != peer {
            if let Some(extra) = extra {
                extra.retain(|&other| other != peer);
            }
            return;
        }
        if let Some(next) = extra.and_then(Vec::pop) {
            partial.set(block, State::Asked, next);
            return;
        }
        self.extra.remove(&(piece, block));
        partial.set(block, State::Free, NOBODY);
        if partial.is_untouched() {
            self.abandon(piece);
        } else {
            self.file(piece);
        }
    }

    /// The digest of a piece is right: it is had from now on.
    pub fn verified(&mut self, piece: u32) {
        if piece >= self.pieces.count() || self.had(piece) {
            return;
        }
        self.trust_givers(piece);
        self.abandon(piece);
        self.reserved.remove(&piece);
        self.order.set_class(piece, Class::Had);
        self.set_fresh(piece, false);
        self.wanted.clear(piece);
        self.had += 1;
        self.set_deadline(piece, None);
    }

    /// The digest of a piece is wrong: it is to be fetched again. Says of whom each of its blocks came.
    pub fn failed(&mut self, piece: u32) -> Vec<(u32, PeerKey)> {
        let Some(partial) = self.partials.get(&piece) else { return Vec::new() };
        let received = (0..partial.blocks()).filter(|&block| partial.state(block) == Some(State::Received));
        let from = received.map(|block| (block, partial.from(block))).filter(|&(_, peer)| peer != NOBODY);
        let contributors: Vec<(u32, PeerKey)> = from.collect();
        self.distrust(&contributors);
        self.write_failed(piece);
        contributors
    }

    /// What was received of a piece is lost, by no peer's fault; it is to be fetched again.
    pub fn write_failed(&mut self, piece: u32) {
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        for block in 0..partial.blocks() {
            if partial.state(block) == Some(State::Received) {
                if let Some(asker) = self.askers.get_mut(&partial.from(block)) {
                    asker.unproven = asker.unproven.saturating_sub(1);
                }
                partial.set(block, State::Free, NOBODY);
            }
        }
        partial.accused.clear();
        if partial.is_untouched() {
            self.abandon(piece);
        } else {
            self.file(piece);
        }
    }
}
