//! Hits and pushes: those of this servent, and those of others on their way.

use super::event::{Event, Hit};
use super::links::LinkId;
use super::{Error, Servent};
use crate::Guid;
use crate::ggep;
use crate::ggep::fields::name;
use crate::handshake::Role;
use crate::qrp::Wanted;
use crate::wire::{
    Header, HitBuilder, HitFlags, Hosts, Kind, Message, Push, Query, QueryFlags, QueryHit, VendorCode,
    put_content, put_v4,
};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddrV4;
use p2p_core::{Cx, OpId};

/// This program's vendor code.
const VENDOR: VendorCode = VendorCode(*b"P2PR");
/// Bytes of records, at which a hit is full: those of more than some kB are dropped on their way.
const HIT_BYTES: usize = 2 << 10;
/// How hits are carried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried<'a> {
    /// Bytes of records, at which one is full.
    pub(super) bytes: usize,
    /// What they bear to be believed; nothing if it is empty.
    pub(super) token: &'a [u8],
    /// The most results.
    pub(super) most: usize,
}

impl Carried<'_> {
    /// On the way that the query came.
    pub(super) const BY_LINK: Self = Self { bytes: HIT_BYTES, token: &[], most: usize::MAX };
}

/// Push proxies that a hit names.
const PROXIES: usize = 4;

impl Servent {
    /// The hits that what is shared makes of a query.
    pub(super) fn own_hits(&mut self, query: &Query, wanted: &Wanted, carried: Carried<'_>) -> Vec<Bytes> {
        if self.shelf.len() == 0 {
            return Vec::new();
        }
        let firewalled = self.is_firewalled();
        // Who cannot be dialled has nothing for who cannot either.
        if firewalled && query.flags.has(QueryFlags::FIREWALLED) {
            return Vec::new();
        }
        let (addr, speed) = (self.reached_at(), self.config.speed);
        let proxies: Vec<SocketAddrV4> = self.proxies();
        let asked = query.flags.max_hits().map_or(usize::MAX, usize::from);
        let most = self.config.hits_of_query.min(asked).min(carried.most);
        let binary = query.flags.has(QueryFlags::BINARY_HASHES);
        let mut hits = Vec::new();
        let mut open = HitBuilder::new(addr, speed);
        let close = |builder: HitBuilder, hits: &mut Vec<Bytes>| {
            let flags = HitFlags::new(firewalled, false, false);
            let hit = builder.finish(VENDOR, flags, self.guid, |private| {
                let mut ggep = ggep::Writer::new(private);
                if firewalled && !proxies.is_empty() {
                    let mut list = BytesMut::new();
                    proxies.iter().take(PROXIES).for_each(|proxy| put_v4(*proxy, &mut list));
                    ggep.put(name::PUSH, &list);
                }
                if !carried.token.is_empty() {
                    ggep.put(name::SECURE_OOB, carried.token);
                }
            });
            hits.push(Message::QueryHit(hit).to_bytes());
        };
        for found in self.shelf.matching(query, wanted, most) {
            let file = &found.file;
            let extend = |to: &mut BytesMut| {
                if let Some(urn) = &file.urn {
                    put_content(urn, binary, to);
                }
            };
            open.record(found.index, file.size, file.name.as_bytes(), extend);
            if open.bytes_len() >= carried.bytes || open.len() == usize::from(u8::MAX) {
                close(core::mem::replace(&mut open, HitBuilder::new(addr, speed)), &mut hits);
            }
        }
        if !open.is_empty() {
            close(open, &mut hits);
        }
        hits
    }

    /// Ultrapeers that lead pushes here: those that this leaf links to.
    fn proxies(&self) -> Vec<SocketAddrV4> {
        let of = |at| match at {
            core::net::SocketAddr::V4(v4) => Some(v4),
            core::net::SocketAddr::V6(_) => None,
        };
        self.links
            .iter()
            .filter(|link| link.peer_role == Role::Ultrapeer)
            .filter_map(|link| link.listens_at.and_then(of))
            .collect()
    }

    /// A hit of a neighbour.
    pub(super) fn hit(&mut self, from: LinkId, header: Header, payload: &Bytes, cx: &mut Cx<'_, Self>) {
        let Ok(stepped) = header.stepped(self.config.hops_max.saturating_mul(2)) else {
            self.counts.malformed += 1;
            return;
        };
        let Some(seen) = self.queries.get(&header.guid) else {
            self.counts.astray += 1;
            return;
        };
        let Ok(Message::QueryHit(hit)) = Message::parse(header.kind, payload) else {
            self.counts.malformed += 1;
            return;
        };
        self.pushes.insert(cx.now(), hit.servent, from);
        if let Some(dynamic) = self.dynamics.get_mut(&header.guid) {
            dynamic.found(&hit);
        }
        if seen.link == LinkId::BY_UDP {
            return self.hit_to_guesser(header.guid, payload, cx);
        }
        if seen.link == LinkId::SELF {
            return self.own_hit(header.guid, &hit, header.hops, cx);
        }
        self.lead(from, seen.link, &stepped, payload);
    }

    /// Leads a hit or a push to a neighbour that is there still, never to where it came from.
    fn lead(&mut self, from: LinkId, to: LinkId, stepped: &Header, payload: &Bytes) {
        // Without a TTL it may reach a leaf still, but no ultrapeer.
        let reaches = self.links.get(to).is_some_and(|link| stepped.ttl > 0 || link.peer_role == Role::Leaf);
        if !reaches || to == from {
            self.counts.astray += 1;
            return;
        }
        if stepped.kind == Kind::QUERY_HIT {
            self.counts.hits += 1;
        }
        self.send(to, &Header { ttl: stepped.ttl.max(1), ..*stepped }, payload);
    }

    /// A hit for a search of this servent.
    pub(super) fn own_hit(&mut self, guid: Guid, hit: &QueryHit, hops: u8, cx: &mut Cx<'_, Self>) {
        let most = self.config.limits.hits;
        let Some((op, own)) = self.searches.of(&guid) else { return };
        let trailer = hit.trailer();
        let private = trailer.as_ref().map(|trailer| trailer.extensions());
        let proxies = private.and_then(|private| private.data(name::PUSH));
        for record in hit.records.iter() {
            let sha1 = record.sha1();
            if !own.is_new(hit.servent, record.index, most) {
                continue;
            }
            let urn = sha1.map(|sha1| match record.tth() {
                Some(tth) => crate::Urn::Bitprint(sha1, tth),
                None => crate::Urn::Sha1(sha1),
            });
            self.counts.hits += 1;
            let told = Hit {
                name: Bytes::copy_from_slice(record.name),
                size: record.size(),
                index: record.index,
                urn,
                addr: hit.addr,
                servent: hit.servent,
                push: trailer.as_ref().and_then(|trailer| trailer.flags().push()),
                busy: trailer.as_ref().and_then(|trailer| trailer.flags().busy()),
                push_proxies: proxies
                    .as_ref()
                    .map_or_else(Vec::new, |data| Hosts(data).iter().take(PROXIES).collect()),
                vendor: trailer.as_ref().map_or(VendorCode::NONE, |trailer| trailer.vendor),
                hops,
            };
            cx.answer(op, Event::Hit(Box::new(told)));
        }
    }

    /// A push of a neighbour.
    pub(super) fn push(
        &mut self,
        from: LinkId,
        header: Header,
        push: Push,
        payload: &Bytes,
        cx: &mut Cx<'_, Self>,
    ) {
        let Ok(stepped) = header.stepped(self.config.hops_max.saturating_mul(2)) else {
            self.counts.malformed += 1;
            return;
        };
        if push.servent == self.guid {
            // It may name anybody: a servent dials few of them.
            if self.pushes_told.take(cx.now(), 60) {
                cx.tell(Event::PushAsked(push));
            }
            return;
        }
        // A leaf is asked for by its own name, whether a hit of it came by here or not.
        match self.pushes.get(&push.servent) {
            Some(to) => self.lead(from, to, &stepped, payload),
            None => self.counts.astray += 1,
        }
    }

    /// Sends a push of this servent along the way that hits of the other came.
    pub(super) fn send_push(
        &mut self,
        op: OpId,
        servent: Guid,
        index: u32,
        to: SocketAddrV4,
        cx: &mut Cx<'_, Self>,
    ) {
        let way = self.pushes.get(&servent).filter(|way| self.links.get(*way).is_some());
        let Some(way) = way else { return cx.finish(op, Err(Error::NoWay)) };
        let push = Push { servent, index, addr: to, extensions: Bytes::new() };
        let ttl = self.config.hops_max;
        let header = Header { guid: Guid::of_message(cx.rng()), kind: Kind::PUSH, ttl, hops: 0 };
        self.send(way, &header, &Message::Push(push).to_bytes());
        cx.finish(op, Ok(()));
    }
}
