//! Asks the choker whom of a torrent's peers to unchoke, and tells them.

use super::swarm::ROUND;
use super::{Client, Context, Peers, TorrentKey};
use crate::choke::{self, Candidate, Choker, Role, Slots};
use crate::config::Config;
use crate::peer::session::Peer;
use crate::peer::wire::Message;
use crate::picker::PeerKey;
use crate::torrent::Torrent;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use p2p_core::{ConnId, Instant};

impl Client {
    /// Chooses whom to choke and unchoke.
    pub(super) fn choose(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let (role, pieces) = (role(torrent), torrent.pieces());
        let turn = u64::from(pieces.piece_len());
        let mut candidates = candidates(&self.peers, &torrent.peers, &pieces, now, |_| true);
        for candidate in &mut candidates {
            if torrent.owes_rest(candidate.key, candidate.given) {
                // Its turn goes on.
                candidate.given = candidate.given.min(turn - 1);
            }
        }
        let rate = torrent.rate_out.per_second(now);
        let choker = torrent.choker.get_or_insert_with(|| choker(&self.config, turn));
        let chosen = choker.round(now, role, rate, &candidates, cx.rng());
        let changed = |peer: &&Candidate| peer.unchoked != chosen.binary_search(&peer.key).is_ok();
        let conn = |peer: &Candidate| Some((*torrent.peers.get(&peer.key)?, peer.unchoked));
        let changes: Vec<(ConnId, bool)> = candidates.iter().filter(changed).filter_map(conn).collect();
        for (conn, choke) in changes {
            self.set_choke(conn, choke, cx);
        }
    }

    /// Gives free upload slots to waiting peers at once.
    pub(super) fn fill_slots(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let (role, pieces) = (role(torrent), torrent.pieces());
        let turn = u64::from(pieces.piece_len());
        let choker = torrent.choker.get_or_insert_with(|| choker(&self.config, turn));
        if !choker.has_room(role, torrent.served as usize) {
            return;
        }
        let candidates = candidates(&self.peers, &torrent.peers, &pieces, now, |peer| {
            peer.is_interested || !peer.am_choking
        });
        debug_assert_eq!(
            candidates.iter().filter(|peer| peer.interested && peer.unchoked).count(),
            torrent.served as usize
        );
        let chosen: Vec<u32> = choker.fill(role, &candidates, cx.rng()).to_vec();
        for peer in chosen {
            if let Some(conn) = self.torrents.get(&key).and_then(|torrent| torrent.peers.get(&peer)).copied()
            {
                self.set_choke(conn, false, cx);
            }
        }
    }

    /// A seed gave a peer what a turn is worth: somebody who never had one may take its place.
    pub(super) fn turn_over(&mut self, key: TorrentKey, conn: ConnId, cx: &mut Context<'_>) {
        let now = cx.now();
        let settled = self
            .peers
            .get(&conn)
            .and_then(|peer| peer.unchoked_at)
            .is_some_and(|since| now.since(since) >= ROUND);
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let pieces = torrent.pieces();
        let candidates = candidates(&self.peers, &torrent.peers, &pieces, now, |peer| {
            peer.waits() && (settled || peer.unchoked_at.is_none())
        });
        let next = torrent.choker.as_mut().and_then(|choker| choker.relieve(&candidates, cx.rng()));
        if let Some(next) = next.and_then(|peer| torrent.peers.get(&peer)).copied() {
            self.set_choke(conn, true, cx);
            self.set_choke(next, false, cx);
        }
    }

    pub(super) fn set_choke(&mut self, conn: ConnId, choke: bool, cx: &mut Context<'_>) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if peer.am_choking == choke {
            return;
        }
        peer.am_choking = choke;
        if peer.is_interested
            && let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key))
        {
            torrent.count_served(!choke);
        }
        if choke {
            crate::peer::wire::encode(&Message::Choke, &mut self.out);
            let unbegun = self.take_offers_back(conn);
            self.reject_waiting(conn, &unbegun);
        } else {
            peer.unchoked_at = Some(cx.now());
            peer.uploaded_before = peer.uploaded;
            // Suggestions come first: they are for the first thing that it asks for.
            self.offer_first(conn, cx);
            crate::peer::wire::encode(&Message::Unchoke, &mut self.out);
        }
        self.send_out(conn, cx);
    }
}

pub(super) fn role(torrent: &Torrent) -> Role {
    if torrent.is_complete() {
        Role::Seed
    } else if torrent.have.count() < choke::BEGINNER {
        Role::Beginner
    } else {
        Role::Leech
    }
}

fn choker(config: &Config, turn: u64) -> Box<Choker> {
    let usual = choke::Config::default();
    let slots = config.upload_slots.map_or(usual.slots, Slots::Fixed);
    Box::new(Choker::new(choke::Config { slots, turn, ..usual }))
}

/// Those of a torrent's peers among whom is chosen.
fn candidates(
    peers: &Peers,
    among: &BTreeMap<PeerKey, ConnId>,
    pieces: &p2p_core::Pieces,
    now: Instant,
    is: impl Fn(&Peer) -> bool,
) -> Vec<Candidate> {
    let peers = among.values().filter_map(|conn| peers.get(conn)).filter(|peer| !peer.guest && is(peer));
    peers.map(|peer| candidate(peer, pieces, now)).collect()
}

pub(super) fn candidate(peer: &Peer, torrent: &p2p_core::Pieces, now: Instant) -> Candidate {
    let has = peer.pieces.count(torrent.count());
    Candidate {
        key: peer.key,
        interested: peer.is_interested,
        unchoked: !peer.am_choking,
        snubbed: peer.snubbed,
        rate_in: peer.rate_in.per_second(now),
        rate_out: peer.rate_out.per_second(now),
        unchoked_at: peer.unchoked_at,
        given: peer.uploaded - peer.uploaded_before,
        connected_at: peer.connected_at,
        empty: has == 0 && peer.uploaded < u64::from(torrent.piece_len()),
        nearly: torrent.count() - has <= torrent.count() / 8 && peer.uploaded < torrent.total() / 8,
    }
}
