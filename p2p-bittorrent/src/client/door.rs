//! The door of a full seed: newcomers are let in as guests until they have said which pieces they have.
//!
//! What a peer lacks is not to be seen from outside. One that lacks the few pieces that only this seed still has can
//! finish nowhere else, and outside it is one of a crowd that dials for each place that falls free. So a few at a time
//! come in beyond the limit; who is nearly done takes the place of one that is not, all others go again at once.

use super::choking::candidate;
use super::{Client, Context, TorrentKey};
use crate::drop_reason::DropReason;
use crate::peer::session::{Peer, Pieces};
use p2p_core::{ConnId, Duration, Instant};

/// Who has not said by then what it has goes as well.
const PATIENCE: Duration = Duration::from_secs(10);

impl Client {
    /// Whether somebody may come in although a torrent's places are taken.
    pub(super) fn takes_guest(&self, key: TorrentKey) -> bool {
        self.torrents.get(&key).is_some_and(|torrent| {
            // A super-seed shows everybody another piece, so guests would cost it some.
            let shows_all = torrent.is_complete() && torrent.super_seed.is_none();
            let guests =
                torrent.peers.values().filter(|&conn| self.peers.get(conn).is_some_and(|at| at.guest));
            shows_all && guests.count() < self.config.limits.guests
        })
    }

    /// A guest that has said what it has gets a place or leaves.
    pub(super) fn seat_guest(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        if !self.peers.get(&conn).is_some_and(|peer| peer.guest && !matches!(peer.pieces, Pieces::Unsaid)) {
            return;
        }
        // What is said to others on the way goes through the same buffer.
        self.send_out(conn, cx);
        let Some(guest) = self.peers.get(&conn) else { return };
        let Some(torrent) = guest.torrent.and_then(|key| self.torrents.get(&key)) else { return };
        let (pieces, now) = (torrent.pieces(), cx.now());
        let turn = u64::from(pieces.piece_len());
        let is_nearly_done = |peer: &Peer| candidate(peer, &pieces, now).nearly;
        let seated = || {
            let peers = torrent.peers.values().filter_map(|conn| self.peers.get_key_value(conn));
            peers.filter(|(_, peer)| !peer.guest)
        };
        let makes_room = if seated().count() < self.config.limits.peers_per_torrent {
            None
        } else {
            let least = seated()
                .filter(|(_, peer)| is_nearly_done(guest) && peer.am_choking && !is_nearly_done(peer))
                .min_by_key(|(_, peer)| (peer.uploaded < turn, peer.connected_at, peer.key));
            let Some((&other, _)) = least else {
                return self.drop_peer(conn, DropReason::NoRoom, cx);
            };
            Some(other)
        };
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.guest = false;
        }
        if let Some(other) = makes_room {
            self.drop_peer(other, DropReason::MadeRoom, cx);
        }
    }
}

/// Whether a guest has been at the door for too long.
pub(super) fn is_overdue(peer: &Peer, now: Instant) -> bool {
    peer.guest && now.since(peer.connected_at) >= PATIENCE
}
