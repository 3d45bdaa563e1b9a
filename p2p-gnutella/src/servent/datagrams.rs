//! Datagrams: what comes by UDP, to who knows about it.
//!
//! Who sent a datagram is a stranger's word until he has shown that he hears what is sent there: nothing that is longer than
//! what came goes to anybody who has not, but what buckets allow ([`Limits::datagrams`](super::Limits::datagrams)).

use super::Servent;
use crate::wire::{Frame, Header, Message};
use bytes::BytesMut;
use core::net::SocketAddr;
use p2p_core::{Cx, Datagram};

impl Servent {
    /// A datagram came.
    pub(super) fn datagram(&mut self, datagram: Datagram, cx: &mut Cx<'_, Self>) {
        let Datagram { peer, data, .. } = datagram;
        let frame = Frame::from_datagram(data, &self.config.limits.sizes);
        let message = frame
            .ok()
            .and_then(|frame| Some((frame.header, Message::parse(frame.header.kind, &frame.payload).ok()?)));
        let Some((header, message)) = message else {
            self.counts.datagrams_dropped += 1;
            return;
        };
        match message {
            Message::Ping(ping) => self.ping_by_datagram(peer, header, &ping, cx),
            Message::Pong(pong) => self.pong_by_datagram(peer, header, &pong, cx),
            Message::Query(query) => self.query_by_datagram(peer, header, &query, cx),
            Message::Push(push) => self.push_by_datagram(peer, header, &push, cx),
            Message::QueryHit(hit) => self.hit_by_datagram(peer, header, &hit, cx),
            Message::Vendor(vendor) | Message::Standard(vendor) => {
                self.vendor_by_datagram(peer, header, &vendor, cx);
            }
            _ => self.counts.datagrams_dropped += 1,
        }
    }

    /// Whether something may be answered whose sender has proved nothing: one address cannot use up what there is for all.
    pub(super) fn may_answer(&mut self, peer: SocketAddr, cx: &mut Cx<'_, Self>) -> bool {
        let may = self.udp_knocks.take(cx.now(), &peer.ip(), 1) && self.datagrams.take(cx.now(), 1);
        self.counts.datagrams_dropped += u64::from(!may);
        may
    }

    /// Sends a message by UDP, if there is a port.
    pub(super) fn send_by_udp(
        &mut self,
        to: SocketAddr,
        header: Header,
        message: &Message,
        cx: &mut Cx<'_, Self>,
    ) {
        let Some(socket) = self.socket else { return };
        // Nearly all are shorter.
        let mut datagram = BytesMut::with_capacity(256);
        Frame { header, payload: message.to_bytes() }.encode(&mut datagram);
        cx.send_to(socket, to, datagram.freeze());
    }
}
