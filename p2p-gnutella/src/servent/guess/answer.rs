//! Who is asked by UDP: files of its own, and of its leaves.

use super::{KEY_BYTES, VERSION};
use crate::Guid;
use crate::ggep;
use crate::ggep::fields::{Scp, name};
use crate::handshake::Role;
use crate::qrp::Wanted;
use crate::servent::Servent;
use crate::servent::links::LinkId;
use crate::servent::pings::Packed;
use crate::servent::queries::Seen;
use crate::wire::{Header, Kind, Message, Pong, Query, QueryFlags};
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::Cx;

/// The longest hit of a leaf that is sent on by UDP.
const HIT_MAX: usize = 2_000;
/// What is between who asks and who is asked, and no business of leaves.
const STRIPPED: [&str; 3] = [name::QUERY_KEY, name::CACHED_PONGS, name::DEFLATED_UDP];

impl Servent {
    /// Whether it answers queries by UDP.
    pub(in crate::servent) fn is_guessed(&self) -> bool {
        self.config.guess && self.role == Role::Ultrapeer && self.socket.is_some()
    }

    /// A pong with the key that queries from this address have to show.
    pub(in crate::servent) fn with_key(&self, pong: &mut Pong, peer: SocketAddr, cx: &Cx<'_, Self>) {
        let mut extensions = BytesMut::from(&pong.extensions[..]);
        ggep::Writer::new(&mut extensions).put(name::QUERY_KEY, &self.oob.token(peer, cx.now()));
        pong.extensions = extensions.freeze();
    }

    /// A query by UDP, of who shows the key that a pong gave to his address. It is for this servent and, at an ultrapeer, for
    /// its leaves.
    pub(in crate::servent) fn query_by_datagram(
        &mut self,
        peer: SocketAddr,
        header: Header,
        query: &Query,
        cx: &mut Cx<'_, Self>,
    ) {
        let now = cx.now();
        let key = query.extensions().data(name::QUERY_KEY).filter(|key| KEY_BYTES.contains(&key.len()));
        let seen = self.queries.get(&header.guid).is_some();
        let Some(key) = key.filter(|_| self.config.guess && !seen && self.may_answer(peer, cx)) else {
            self.counts.datagrams_dropped += 1;
            return;
        };
        let asks_for = query.extensions().data(name::CACHED_PONGS).map(|data| Scp::parse(&data));
        let answer = Header { guid: header.guid, kind: Kind::PONG, ttl: 1, hops: 0 };
        if !self.oob.is_token(&key, peer, now) {
            // A key of yesterday, or of somebody else: that address is told a new one, as a ping for it would be.
            let mut pong = self.own_pong(now, &Packed::default(), false);
            self.with_key(&mut pong, peer, cx);
            self.counts.datagrams_dropped += 1;
            return self.send_by_udp(peer, answer, &Message::Pong(pong), cx);
        }
        self.counts.queries_in += 1;
        self.counts.queries_new += 1;
        self.queries.insert(now, header.guid, Seen { link: LinkId::BY_UDP, ttl: u8::MAX });
        self.guesses.insert(now, header.guid, peer);
        let packed = asks_for.map_or_else(Packed::default, |scp| self.guessed_for(scp, peer));
        let pong = self.own_pong(now, &packed, false);
        self.send_by_udp(peer, answer, &Message::Pong(pong), cx);
        self.hits_by_udp(peer, header.guid, query, &[], usize::MAX, cx);
        let mut query = query.clone();
        query.extensions = query.extensions().without(&STRIPPED);
        // Hits of leaves go to who asks and to nobody else.
        if SocketAddr::V4(header.guid.reply_to()) != peer {
            query.flags = query.flags.without(QueryFlags::OUT_OF_BAND);
        }
        let wanted = Wanted::of(&query);
        let header = Header { ttl: 1, hops: 1, ..header };
        self.relay_to_leaves(LinkId::BY_UDP, &header, &Message::Query(query).to_bytes(), &wanted);
    }

    /// A hit of a leaf for who asked by UDP.
    pub(in crate::servent) fn hit_to_guesser(&mut self, guid: Guid, payload: &Bytes, cx: &mut Cx<'_, Self>) {
        let Some(peer) = self.guesses.get(&guid).filter(|_| payload.len() <= HIT_MAX) else {
            self.counts.astray += 1;
            return;
        };
        self.counts.hits += 1;
        let header = Header { guid, kind: Kind::QUERY_HIT, ttl: 1, hops: 1 };
        self.send_by_udp(peer, header, &Message::Other(Kind::QUERY_HIT, payload.clone()), cx);
    }

    /// What an ultrapeer's pong has to say of it.
    pub(in crate::servent) fn put_guess(&self, ggep: &mut ggep::Writer<'_>) {
        if self.is_guessed() {
            ggep.put(name::GUESS, &[VERSION]);
        }
    }
}
