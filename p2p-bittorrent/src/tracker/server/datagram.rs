//! A tracker's answers over UDP, none of them longer than its request until the client's address is known to be its own.

use super::{Refusal, Tracker};
use crate::tracker::udp::{self, Request, Response};
use bytes::{BufMut, BytesMut};
use core::net::{IpAddr, SocketAddr};
use p2p_core::{Cx, Datagram, Instant, SocketId};

/// A connection id is good in the slot of time in which it was given and in the next: for two to four minutes (BEP 15:
/// at least two).
const SLOT_SECS: u64 = 120;
/// Peers of IPv6 in one datagram: 76 * 18 + 20 bytes fit into the smallest path of today's networks.
const V6_MOST: usize = 76;

impl Tracker {
    /// The id that a client at this address gets in a slot of time: a keyed hash of both, so that nothing is kept for
    /// whoever asks, and nobody makes an id up. The port is left out, for some routers change it.
    fn connection_id(&self, ip: IpAddr, slot: u64) -> u64 {
        let mut text = [0; 24];
        let octets = match ip.to_canonical() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let (head, tail) = text.split_at_mut(octets.len());
        head.copy_from_slice(&octets);
        tail.copy_from_slice(&slot.to_be_bytes());
        self.connection_key.hash(&text)
    }

    fn is_connected(&self, now: Instant, client: SocketAddr, id: u64) -> bool {
        let slot = slot(now);
        // The first slot has none before it.
        let before = slot.checked_sub(1);
        id == self.connection_id(client.ip(), slot)
            || before.is_some_and(|slot| id == self.connection_id(client.ip(), slot))
    }

    pub(super) fn datagram(&mut self, cx: &mut Cx<'_, Self>, socket: SocketId, datagram: &Datagram) {
        let Ok(request) = Request::decode(&datagram.data) else {
            self.stats.malformed += 1;
            return;
        };
        let client = datagram.peer;
        let v6 = client.ip().to_canonical().is_ipv6();
        let mut out = BytesMut::new();
        match request {
            // No token is taken: a spoofed address would lose its tokens to the spoofer. 16 bytes answer 16.
            Request::Connect { transaction } => {
                let connection = self.connection_id(client.ip(), slot(cx.now()));
                Response::Connect { transaction, connection }.encode(v6, &mut out);
            }
            Request::Announce { connection, transaction, .. }
            | Request::Scrape { connection, transaction, .. }
                if !self.is_connected(cx.now(), client, connection) =>
            {
                self.stats.malformed += 1;
                put_error(transaction, "bad connection id", &mut out);
                // Of 25 bytes, for 36 at least.
                if out.len() > datagram.data.len() {
                    return;
                }
            }
            Request::Announce { transaction, announce, .. } => match self.announce(cx, client, &announce) {
                Ok((counts, mut wish)) => {
                    (wish.v4, wish.v6) = (!v6, v6);
                    if v6 {
                        wish.most = wish.most.min(V6_MOST);
                    }
                    self.pick(cx, &wish);
                    let peers = if v6 { &self.picked_v6 } else { &self.picked_v4 };
                    out.reserve(20 + peers.len());
                    let interval = self.config.interval.as_secs();
                    udp::put_announce_head(
                        transaction,
                        interval,
                        counts.complete,
                        counts.incomplete,
                        &mut out,
                    );
                    out.put_slice(peers);
                }
                // Silence costs the least, and clients take it for a lost packet and wait longer each time.
                Err(Refusal::Throttled) => return,
                Err(refusal) => put_error(transaction, refusal.text(), &mut out),
            },
            Request::Scrape { transaction, hashes, .. } => match self.scrape(cx.now(), client, &hashes) {
                Ok(counts) => Response::Scrape { transaction, counts }.encode(v6, &mut out),
                Err(_) => return,
            },
        }
        cx.send_to(socket, client, out);
    }
}

fn put_error(transaction: u32, message: &str, into: &mut BytesMut) {
    Response::Error { transaction, message: message.into() }.encode(false, into);
}

const fn slot(now: Instant) -> u64 {
    now.as_nanos() / (SLOT_SECS * 1_000_000_000)
}
