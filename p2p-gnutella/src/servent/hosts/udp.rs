//! UDP host caches (gtk-gnutella's `udp_host_cache`): a ping with `SCP` by UDP is answered by a pong with addresses.

use crate::Guid;
use crate::ggep;
use crate::ggep::fields::{Scp, name};
use crate::servent::Servent;
use crate::servent::links::LinkId;
use crate::servent::pings::Packed;
use crate::wire::{Header, Kind, Message, Ping, Pong};
use alloc::vec::Vec;
use bytes::BytesMut;
use core::net::SocketAddr;
use p2p_core::{Cx, IoError, LookupId};

/// Addresses of a name that are asked.
const ASKED: usize = 2;

impl Servent {
    /// Asks a UDP host cache, once its name is resolved.
    pub(in crate::servent) fn ask_udp_cache(&mut self, host: &str, port: u16, cx: &mut Cx<'_, Self>) {
        match host.trim_matches(['[', ']']).parse() {
            Ok(ip) => self.ping_by_udp(SocketAddr::new(ip, port), cx),
            // The answer is asked whatever lookup it is of: nothing else is resolved.
            Err(_) => {
                cx.resolve(host, port);
            }
        }
    }

    pub(in crate::servent) fn resolved(
        &mut self,
        _: LookupId,
        found: Result<Vec<SocketAddr>, IoError>,
        cx: &mut Cx<'_, Self>,
    ) {
        for addr in found.unwrap_or_default().into_iter().take(ASKED) {
            self.ping_by_udp(addr, cx);
        }
    }

    fn ping_by_udp(&mut self, addr: SocketAddr, cx: &mut Cx<'_, Self>) {
        if self.socket.is_none() {
            // It does not listen yet: the port is bound within the same breath as the listener.
            self.udp_waiting.push(addr);
            return;
        }
        let mut extensions = BytesMut::new();
        ggep::Writer::new(&mut extensions).put(name::CACHED_PONGS, &[self.asks_for()]);
        let guid = Guid::of_message(cx.rng());
        self.pings.insert(cx.now(), guid, LinkId::SELF);
        let header = Header { guid, kind: Kind::PING, ttl: 1, hops: 0 };
        self.send_by_udp(addr, header, &Message::Ping(Ping { extensions: extensions.freeze() }), cx);
    }

    /// The port is bound: those that waited are asked.
    pub(in crate::servent) fn udp_bound(&mut self, cx: &mut Cx<'_, Self>) {
        for addr in core::mem::take(&mut self.udp_waiting) {
            self.ping_by_udp(addr, cx);
        }
    }

    /// Answers a ping, if not too many were answered: the address may be another's, and an answer is longer than a ping.
    pub(in crate::servent) fn ping_by_datagram(
        &mut self,
        peer: SocketAddr,
        header: Header,
        ping: &Ping,
        cx: &mut Cx<'_, Self>,
    ) {
        if self.reached.is_asked(&header.guid) {
            self.was_reached_by_udp(cx);
        }
        if !self.may_answer(peer, cx) {
            return;
        }
        let now = cx.now();
        let asked = ping.extensions().data(name::CACHED_PONGS).map(|data| Scp::parse(&data));
        let wants_key = self.config.guess && ping.extensions().has(name::QUERY_KEY);
        let packed = match asked {
            None => Packed::default(),
            // Who asks for a key looks for those who give one.
            Some(scp) if wants_key => self.guessed_for(scp, peer),
            Some(scp) => self.packed_for(scp, peer),
        };
        let mut pong = self.own_pong(now, &packed, asked.is_some());
        if wants_key {
            self.with_key(&mut pong, peer, cx);
        }
        let header = Header { guid: header.guid, kind: Kind::PONG, ttl: 1, hops: 0 };
        self.send_by_udp(peer, header, &Message::Pong(pong), cx);
    }

    /// Learns of a pong that was asked for, and of no other.
    pub(in crate::servent) fn pong_by_datagram(
        &mut self,
        peer: SocketAddr,
        header: Header,
        pong: &Pong,
        cx: &mut Cx<'_, Self>,
    ) {
        let is_walk = self.pong_to_walk(peer, header, pong);
        let is_asked = is_walk || self.pings.get(&header.guid) == Some(LinkId::SELF);
        if !self.proves(peer, &header.guid, cx) && !is_asked {
            self.counts.datagrams_dropped += 1;
            return;
        }
        self.learn(pong, cx.now());
        self.fill(cx);
    }
}
