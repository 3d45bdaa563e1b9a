//! Hits and pushes: those of this servent, and those of others on their way.

use super::Servent;
use super::event::{Event, Hit};
use super::links::LinkId;
use crate::Guid;
use crate::ggep;
use crate::ggep::fields::{name, put_h, put_number};
use crate::handshake::Role;
use crate::library::SharedFile;
use crate::qrp::Wanted;
use crate::wire::{
    Families, Header, HitBuilder, HitFlags, Kind, Message, Push, Query, QueryFlags, QueryHit, SEPARATOR,
    VendorCode, lists,
};
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::net::{SocketAddr, SocketAddrV6};
use p2p_core::Cx;

/// This program's vendor code.
pub(super) const VENDOR: VendorCode = VendorCode(*b"P2PR");
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
/// Others that a record of a hit names, each of 6 bytes.
const ALTERNATES: usize = 5;
/// Others of a record that are read.
const ALTERNATES_MAX: usize = 16;

/// What a record says of a file beside its name and size: its name by content, `H` for who welcomes it and else as text with
/// the root of its tree beside it, when it was last changed, and others who have it.
fn put_file(file: &SharedFile, others: &[SocketAddr], families: Families, binary: bool, to: &mut BytesMut) {
    let hash = binary.then(|| put_h(&file.urn())).flatten();
    if hash.is_none() {
        to.put_slice(crate::Urn::Sha1(file.sha1).to_string().as_bytes());
        to.put_u8(SEPARATOR);
    }
    let mut ggep = ggep::Writer::nul_free(to);
    match hash {
        Some(hash) => ggep.put(name::H, &hash),
        None => ggep.put(name::TTH, &file.tth.0),
    }
    ggep.put(name::CREATED, &put_number(file.modified.as_secs()));
    let (v4, v6) = lists(others, families);
    if !v4.is_empty() {
        ggep.put(name::ALT, &v4);
    }
    if !v6.is_empty() {
        ggep.put(name::ALT6, &v6);
    }
}

impl Servent {
    /// The hits that what is shared makes of a query.
    pub(super) fn own_hits(&mut self, query: &Query, wanted: &Wanted, carried: Carried<'_>) -> Vec<Bytes> {
        let library = self.transfers.library();
        if !query.is_whats_new() && !library.may_match(wanted) {
            return Vec::new();
        }
        let firewalled = self.is_firewalled();
        // Who cannot be dialled has nothing for who cannot either.
        if firewalled && query.flags.has(QueryFlags::FIREWALLED) {
            return Vec::new();
        }
        let asked = query.flags.max_hits().map_or(usize::MAX, usize::from);
        let most = self.config.hits_of_query.min(asked).min(carried.most);
        let found = library.matching(query, most);
        // Words that are there need not be in one name.
        if found.is_empty() {
            return Vec::new();
        }
        let (addr, speed) = (self.reached_at(), self.config.speed);
        let at6 = self.reached_at6();
        let proxies = self.proxies();
        // Lists in IPv6 are for who asks for them.
        let families = query.extensions().families();
        let binary = query.flags.has(QueryFlags::BINARY_HASHES);
        let flags = HitFlags::new(firewalled, self.transfers.is_busy(), false);
        let mut hits = Vec::new();
        let mut open = HitBuilder::new(addr, speed);
        let close = |builder: HitBuilder, hits: &mut Vec<Bytes>| {
            let hit = builder.finish(VENDOR, flags, self.guid, |private| {
                let mut ggep = ggep::Writer::new(private);
                ggep.put(name::BROWSE, b"");
                if firewalled {
                    let (v4, v6) = lists(&proxies[..proxies.len().min(PROXIES)], families);
                    if !v4.is_empty() {
                        ggep.put(name::PUSH, &v4);
                    }
                    if !v6.is_empty() {
                        ggep.put(name::PUSH6, &v6);
                    }
                }
                if let Some(v6) = at6 {
                    ggep.put(name::IPV6, &v6.octets());
                }
                if !carried.token.is_empty() {
                    ggep.put(name::SECURE_OOB, carried.token);
                }
            });
            hits.push(Message::QueryHit(hit).to_bytes());
        };
        for file in found {
            let others = self.transfers.alternates(&file.sha1, ALTERNATES);
            open.record(file.number, file.size, file.name().as_bytes(), |to| {
                put_file(file, &others, families, binary, to);
            });
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
    fn proxies(&self) -> Vec<SocketAddr> {
        let ultrapeers = self.links.iter().filter(|link| link.peer_role == Role::Ultrapeer);
        ultrapeers.filter_map(|link| link.listens_at).collect()
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
        if let Some(dynamic) = self.dynamics.get_mut(&self.proxied.name_of(&header.guid)) {
            dynamic.found(&hit);
        }
        if seen.link == LinkId::BY_UDP {
            return self.hit_to_guesser(header.guid, payload, cx);
        }
        if seen.link == LinkId::SELF {
            return self.own_hit(header.guid, &hit, header.hops, cx);
        }
        // A leaf knows its query by the name that it gave.
        let guid = self.proxied.of(&header.guid).map_or(header.guid, |(_, name)| name);
        self.lead(from, seen.link, &Header { guid, ..stepped }, payload);
    }

    /// Leads a hit or a push to a neighbour that is there still, never to where it came from.
    pub(super) fn lead(&mut self, from: LinkId, to: LinkId, stepped: &Header, payload: &Bytes) {
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
        let trailer = hit.trailer();
        let private = trailer.as_ref().map(|trailer| trailer.extensions());
        let proxies =
            private.map_or_else(Vec::new, |private| private.addresses(name::PUSH, name::PUSH6, PROXIES));
        let v6 = private.and_then(|private| private.ipv6());
        let addr6 = v6.map(|v6| SocketAddrV6::new(v6, hit.addr.port(), 0, 0));
        let browsable = private.is_some_and(|private| private.data(name::BROWSE).is_some());
        for record in hit.records.iter() {
            let Some((op, own)) = self.searches.of(&guid) else { return };
            if !own.admits(record.name) || !own.is_new(hit.servent, record.index, most) {
                continue;
            }
            let sha1 = record.sha1();
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
                addr6,
                servent: hit.servent,
                push: trailer.as_ref().and_then(|trailer| trailer.flags().push()),
                busy: trailer.as_ref().and_then(|trailer| trailer.flags().busy()),
                push_proxies: proxies.clone(),
                alternates: record.extensions.addresses(name::ALT, name::ALT6, ALTERNATES_MAX),
                browsable,
                vendor: trailer.as_ref().map_or(VendorCode::NONE, |trailer| trailer.vendor),
                hops,
            };
            if let Some(sha1) = sha1 {
                self.feed(&sha1, told.locator(), &told.alternates, cx);
            }
            if let Some(op) = op {
                cx.answer(op, Event::Hit(Box::new(told)));
            }
        }
    }

    /// The neighbour of this name, however long ago it told it. No two have the same.
    pub(super) fn called(&self, servent: &Guid) -> Option<LinkId> {
        self.links.iter().find(|link| link.guid == Some(*servent)).map(|link| link.id)
    }

    /// The neighbour by way of which a servent is told to connect, or is asked: itself, or the way of its hits. Its name goes
    /// first, for only a neighbour can take one, and none that another has: hits in the name of others can be sent from
    /// anywhere.
    pub(super) fn way_to(&self, servent: &Guid) -> Option<LinkId> {
        let by_hits = || self.pushes.get(servent).filter(|way| self.links.get(*way).is_some());
        self.called(servent).or_else(by_hits)
    }

    /// A push by UDP, as gtk-gnutella asks push proxies: for this servent, or for a leaf of its.
    pub(super) fn push_by_datagram(
        &mut self,
        peer: SocketAddr,
        header: Header,
        push: &Push,
        cx: &mut Cx<'_, Self>,
    ) {
        if push.servent == self.guid {
            if self.pushes_told.take(cx.now(), 60) {
                self.give(push, cx);
            }
            return;
        }
        let Some(way) = self.way_to(&push.servent).filter(|way| self.links.is_leaf(*way)) else {
            self.counts.astray += 1;
            return;
        };
        if self.may_answer(peer, cx) {
            let header = Header { ttl: 1, hops: header.hops.saturating_add(1), ..header };
            self.send(way, &header, &Message::Push(push.clone()).to_bytes());
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
                self.give(&push, cx);
            }
            return;
        }
        match self.way_to(&push.servent) {
            Some(to) => self.lead(from, to, &stepped, payload),
            None => self.counts.astray += 1,
        }
    }
}
