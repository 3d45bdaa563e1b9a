//! A first seed at work: it suggests to each peer whom it serves what nobody else is to have first (see [`Offers`]).

use super::{Client, Context, Peers};
use crate::offers::Offers;
use crate::peer::wire::{Message, encode};
use crate::picker::PeerKey;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use p2p_core::ConnId;

/// So many seconds of what a peer takes are offered ahead: it asks for a second ahead, and another one is on its way.
const AHEAD: u64 = 2;
/// The most pieces offered ahead.
const MOST: u64 = 32;

impl Client {
    /// A peer's turn begins: first it is to have the rest of what it has in part.
    pub(super) fn offer_first(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(peer) = self.peers.get(&conn).filter(|peer| peer.fast) else { return };
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key)) else { return };
        let (peers, among) = (&self.peers, &torrent.peers);
        if let Some(offers) = &mut torrent.offers {
            for piece in offers.unchoked(peer.key, |piece| is_had(peers, among, piece)) {
                encode(&Message::Suggest(piece), &mut self.out);
            }
        }
        self.offer(conn, cx);
    }

    /// Names pieces to a peer that asks for what was named to it before.
    fn offer(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(peer) = self.peers.get(&conn) else { return };
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key)) else { return };
        if !peer.fast || torrent.fetched || !torrent.is_seed() || torrent.super_seed.is_some() {
            return;
        }
        let count = torrent.have.len();
        let rate = peer.rate_out.per_second(cx.now());
        let ahead = (rate * AHEAD / u64::from(torrent.pieces().piece_len())).clamp(1, MOST) as usize;
        let offers = torrent.offers.get_or_insert_with(|| Offers::new(count, cx.rng()));
        let (peers, among) = (&self.peers, &torrent.peers);
        let has = |piece| is_had(peers, among, piece);
        while let Some(piece) = offers.next(peer.key, ahead, has) {
            encode(&Message::Suggest(piece), &mut self.out);
        }
    }

    /// A peer asks for some of a piece.
    pub(super) fn taken(&mut self, conn: ConnId, piece: u32, cx: &mut Context<'_>) {
        let Some(peer) = self.peers.get(&conn) else { return };
        let offers = peer.torrent.and_then(|key| self.torrents.get_mut(&key)?.offers.as_mut());
        if offers.is_some_and(|offers| offers.asked(peer.key, piece)) {
            self.offer(conn, cx);
        }
    }

    /// Offers to a peer that is being choked go to others, but for pieces that it has in part. Which ones they were.
    pub(super) fn take_offers_back(&mut self, conn: ConnId) -> Vec<u32> {
        let Some(peer) = self.peers.get(&conn) else { return Vec::new() };
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key)) else {
            return Vec::new();
        };
        torrent.offers.as_mut().map(|offers| offers.choked(peer.key)).unwrap_or_default()
    }
}

/// Whether any of these peers has a piece.
pub(super) fn is_had(peers: &Peers, among: &BTreeMap<PeerKey, ConnId>, piece: u32) -> bool {
    among.values().filter_map(|conn| peers.get(conn)).any(|peer| peer.pieces.has(piece))
}
