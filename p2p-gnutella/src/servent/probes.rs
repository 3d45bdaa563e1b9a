//! Questions by UDP of who is no neighbour: what time it is (`msg/time_sync`), who the neighbours are (the crawler), what there
//! is of a file (`heads`).

use super::Servent;
use crate::Guid;
use crate::handshake::Role;
use crate::wire::vendor::{CrawlerPing, CrawlerPong, Stamp};
use crate::wire::{Header, Message, VendorMessage, put_v4};
use bytes::BytesMut;
use core::net::{SocketAddr, SocketAddrV4};
use p2p_core::{Cx, UnixTime};

/// Neighbours of a kind that a crawler is told at most: 600 bytes together.
const CRAWLED: usize = 50;

/// A time as it is sent.
fn stamp(at: UnixTime) -> Stamp {
    // Both wrap in 2106, as the form has it.
    let micros = at.as_nanos() / 1_000;
    Stamp { seconds: (micros / 1_000_000) as u32, micros: (micros % 1_000_000) as u32 }
}

impl Servent {
    /// A question by UDP. Whoever asks may be another, so few are answered.
    pub(super) fn asked_by_datagram(
        &mut self,
        peer: SocketAddr,
        header: Header,
        said: &VendorMessage,
        cx: &mut Cx<'_, Self>,
    ) {
        let came = stamp(cx.unix_now());
        let (guid, answer) = match said {
            VendorMessage::TimeSyncRequest(_) => {
                // Its second half is when the answer left, which here is when the question came.
                let mut guid = header.guid;
                guid.0[8..].copy_from_slice(&came.to_bytes());
                (guid, VendorMessage::TimeSync(0, came))
            }
            VendorMessage::HeadPing(ping) => return self.head_by_datagram(peer, header.guid, ping, cx),
            VendorMessage::HeadPong(pong) => return self.head_told(peer, header.guid, pong, cx),
            VendorMessage::CrawlerPing(ping) if self.role == Role::Ultrapeer => {
                (header.guid, VendorMessage::CrawlerPong(self.crawled(*ping)))
            }
            _ => {
                self.counts.datagrams_dropped += 1;
                return;
            }
        };
        if self.may_answer(peer, cx) {
            self.answer_by_udp(peer, guid, &answer, cx);
        }
    }

    pub(super) fn answer_by_udp(
        &mut self,
        peer: SocketAddr,
        guid: Guid,
        answer: &VendorMessage,
        cx: &mut Cx<'_, Self>,
    ) {
        let message = Message::Vendor(answer.to_vendor());
        self.send_by_udp(peer, Header::neighbour(guid, message.kind()), &message, cx);
    }

    /// The neighbours, as a crawler is told: their addresses and no more.
    fn crawled(&self, asked: CrawlerPing) -> CrawlerPong {
        let mut rest = BytesMut::new();
        let counts = [(Role::Ultrapeer, asked.ultrapeers), (Role::Leaf, asked.leaves)].map(|(role, most)| {
            let v4 = |at: SocketAddr| match at {
                SocketAddr::V4(v4) => Some(v4),
                SocketAddr::V6(_) => None,
            };
            let at = |link: &super::links::Link| -> Option<SocketAddrV4> {
                (link.peer_role == role).then(|| v4(link.listens_at.unwrap_or(link.addr)))?
            };
            let told = self.links.iter().filter_map(at).take(CRAWLED.min(most.into()));
            told.map(|at| put_v4(at, &mut rest)).count() as u8
        });
        CrawlerPong { ultrapeers: counts[0], leaves: counts[1], features: 0, rest: rest.freeze() }
    }
}
