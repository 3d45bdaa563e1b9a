//! Hits out of band (out-of-band 2 and 3): by UDP, straight from who has a file to who looks for it, whose address is in the
//! GUID of the query.
//!
//! ```text
//!  who has it                                          who looks for it
//!     offer: so many hits (LIME/12, 33 bytes)  ───────►
//!     ◄─────────── claim: so many, and a token (LIME/11)
//!     ping, named after a token  ─────────────────────►
//!     ◄──────────────────────────────────────────  pong
//!     hits, which bear the claimer's token  ──────────►
//! ```
//!
//! Whoever asks can write another's address into a GUID, and a claim can come from a forged one. So a claim is answered with a
//! ping, which is shorter than it, and the hits go to who shows by the pong that he heard that: to others than neighbours, and
//! once in ten minutes, for gtk-gnutella answers one ping a minute. The other way round hits are
//! taken from who was claimed from, as many as he offered, and in version 3 with the token that his address was told.

use super::hits::Carried;
use super::hosts::is_sane;
use super::links::LinkId;
use super::{Mode, Servent};
use crate::Guid;
use crate::ggep::fields::name;
use crate::qrp::Wanted;
use crate::wire::{Header, Kind, Message, Ping, Query, QueryFlags, QueryHit, Vendor, VendorMessage};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use p2p_core::limit::PerKey;
use p2p_core::{Cx, Duration, Instant, Rng, Tokens};

/// How long an offer stands, and a claim.
pub(super) const LIFE: Duration = Duration::from_secs(60);
/// How long it counts that an address heard a ping. gtk-gnutella answers one in a minute of each address.
const HEARD_FOR: Duration = Duration::from_secs(600);
/// The longest token that hits are made to bear.
const TOKEN_MAX: usize = 16;
/// Bytes of records of a hit by UDP: with all that is around them less than an Ethernet frame.
const DATAGRAM_BYTES: usize = 1_000;
/// Stands for that many hits and more in offers and claims.
const MANY: u8 = u8::MAX;

/// Hits that wait to be claimed.
#[derive(Debug)]
struct Offer {
    guid: Guid,
    to: Ipv4Addr,
    /// The query: what it finds is looked for again, so that what waits is small.
    query: Bytes,
    since: Instant,
    claimed: Option<Claimed>,
}

/// By whom, how many, and what they shall bear.
#[derive(Debug)]
struct Claimed {
    peer: SocketAddr,
    wanted: u8,
    token: Bytes,
}

/// Hits that were claimed of somebody.
#[derive(Debug)]
struct Claim {
    guid: Guid,
    from: SocketAddr,
    since: Instant,
    left: u16,
    secured: bool,
}

/// What is offered and claimed by UDP.
#[derive(Debug)]
pub(super) struct OutOfBand {
    tokens: Tokens,
    offers: VecDeque<Offer>,
    claims: VecDeque<Claim>,
    /// Addresses that have shown that they hear what is sent there, the newest last.
    heard: VecDeque<(SocketAddr, Instant)>,
    cap: usize,
    /// Offers to an address: it may never have asked.
    told: PerKey<Ipv4Addr>,
}

impl OutOfBand {
    /// As many offers and as many claims at once as `cap`; for so many addresses it is counted what they were sent.
    pub(super) fn new(cap: usize, addresses: usize, rng: &mut Rng) -> Self {
        Self {
            tokens: Tokens::draw(rng, Instant::ZERO),
            offers: VecDeque::new(),
            claims: VecDeque::new(),
            heard: VecDeque::new(),
            cap: cap.max(1),
            told: PerKey::new(addresses, 1, 10),
        }
    }

    /// How many offers and claims wait.
    pub(super) fn len(&self) -> usize {
        self.offers.len() + self.claims.len()
    }

    /// What an address has to show.
    pub(super) fn token(&self, peer: SocketAddr, now: Instant) -> [u8; 4] {
        self.tokens.of(peer, now).to_le_bytes()
    }

    /// Whether an address shows what it was told.
    pub(super) fn is_token(&self, shown: &[u8], peer: SocketAddr, now: Instant) -> bool {
        shown.try_into().is_ok_and(|bytes| self.tokens.is_of(u32::from_le_bytes(bytes), peer, now))
    }

    fn has_heard(&self, peer: SocketAddr, now: Instant) -> bool {
        self.heard.iter().any(|(at, since)| *at == peer && now.since(*since) < HEARD_FOR)
    }

    fn hears(&mut self, peer: SocketAddr, now: Instant) {
        self.heard.retain(|(at, since)| *at != peer && now.since(*since) < HEARD_FOR);
        if self.heard.len() >= self.cap {
            self.heard.pop_front();
        }
        self.heard.push_back((peer, now));
    }

    fn forget(&mut self, now: Instant) {
        self.offers.retain(|offer| now.since(offer.since) < LIFE);
        self.claims.retain(|claim| now.since(claim.since) < LIFE);
    }
}

/// A payload of a query whose hits are not to go by UDP.
fn in_band(payload: &Bytes) -> Bytes {
    let mut bytes = payload.to_vec();
    if let Some(high) = bytes.first_mut() {
        *high &= !((QueryFlags::OUT_OF_BAND >> 8) as u8);
    }
    bytes.into()
}

impl Servent {
    /// Where hits of its own searches can be sent by UDP, if they can.
    pub(super) fn hits_come_to(&self) -> Option<SocketAddrV4> {
        let at = self.reached_at();
        let can = self.config.out_of_band
            && self.config.mode != Mode::Flat
            && self.socket.is_some()
            && self.reached.udp == Some(true)
            && is_sane(at.into());
        can.then_some(at)
    }

    /// A query as it goes on: a neighbour that asks may name his own address for hits by UDP and nobody else's.
    pub(super) fn checked(
        &self,
        from: LinkId,
        header: &Header,
        query: &mut Query,
        payload: &Bytes,
    ) -> Option<Bytes> {
        if header.hops > 0 || !query.flags.has(QueryFlags::OUT_OF_BAND) {
            return None;
        }
        let own = self.links.get(from).map(|link| link.addr.ip());
        if own == Some((*header.guid.reply_to().ip()).into()) {
            return None;
        }
        query.flags = query.flags.without(QueryFlags::OUT_OF_BAND);
        Some(in_band(payload))
    }

    /// Offers hits by UDP, if that is asked for; whether they need not go back by the way that the query came.
    pub(super) fn offer(
        &mut self,
        stepped: &Header,
        query: &Query,
        payload: &Bytes,
        hits: usize,
        cx: &mut Cx<'_, Self>,
    ) -> bool {
        let to = stepped.guid.reply_to();
        // A neighbour that asks is told at once.
        let asked = query.flags.has(QueryFlags::OUT_OF_BAND) && stepped.hops > 1 && self.config.out_of_band;
        if !asked || self.socket.is_none() || !is_sane(to.into()) || to == self.reached_at() {
            return false;
        }
        let now = cx.now();
        self.oob.forget(now);
        if self.oob.offers.len() >= self.oob.cap
            || self.oob.offers.iter().any(|offer| offer.guid == stepped.guid)
            || !self.oob.told.take(now, to.ip(), 1)
            || !self.datagrams.take(now, 1)
        {
            return false;
        }
        let offer = Offer {
            guid: stepped.guid,
            to: *to.ip(),
            query: Bytes::copy_from_slice(payload),
            since: now,
            claimed: None,
        };
        self.oob.offers.push_back(offer);
        let said = VendorMessage::OobReply {
            version: if query.extensions().has(name::SECURE_OOB) { 3 } else { 2 },
            hits: u8::try_from(hits).unwrap_or(MANY),
            flags: Some(u8::from(self.reached.udp == Some(true))),
        };
        self.say_by_udp(to.into(), stepped.guid, &said, cx);
        true
    }

    fn say_by_udp(&mut self, to: SocketAddr, guid: Guid, said: &VendorMessage, cx: &mut Cx<'_, Self>) {
        let message = Message::Vendor(said.to_vendor());
        self.send_by_udp(to, Header::neighbour(guid, message.kind()), &message, cx);
    }

    /// A vendor message by UDP.
    pub(super) fn vendor_by_datagram(
        &mut self,
        peer: SocketAddr,
        header: Header,
        vendor: &Vendor,
        cx: &mut Cx<'_, Self>,
    ) {
        match vendor.read() {
            Ok(VendorMessage::OobReply { version, hits, .. }) => {
                self.offered(peer, header.guid, version, hits, cx);
            }
            Ok(said @ VendorMessage::OobAck { wanted, .. }) => {
                let token = said.oob_token().unwrap_or_default();
                self.claimed(peer, header.guid, wanted, token, cx);
            }
            Ok(said) => self.asked_by_datagram(peer, header, &said, cx),
            Err(_) => self.counts.datagrams_dropped += 1,
        }
    }

    /// Somebody has hits of a search of this servent: they are claimed, once.
    fn offered(&mut self, peer: SocketAddr, guid: Guid, version: u16, hits: u8, cx: &mut Cx<'_, Self>) {
        let now = cx.now();
        self.oob.forget(now);
        let most = self.config.limits.hits;
        let for_leaf = if self.has_leaf_of(&guid) { self.proxied.left(&guid) } else { 0 };
        let left = self.searches.of(&guid).map_or(for_leaf, |(_, own)| own.left(most));
        let wanted = left.min(hits.into());
        let again = self.oob.claims.iter().any(|claim| claim.guid == guid && claim.from == peer);
        if wanted == 0 || again || self.oob.claims.len() >= self.oob.cap || !self.datagrams.take(now, 1) {
            self.counts.datagrams_dropped += 1;
            return;
        }
        let secured = version >= 3;
        let left = if hits == MANY && for_leaf == 0 { most as u16 } else { wanted as u16 };
        self.oob.claims.push_back(Claim { guid, from: peer, since: now, left, secured });
        let token = self.oob.token(peer, now);
        let wanted = wanted as u8;
        self.proxied.claim(&guid, wanted);
        let said = VendorMessage::oob_ack(wanted, if secured { &token } else { &[] });
        self.say_by_udp(peer, guid, &said, cx);
    }

    /// Hits of this servent are claimed: whoever does shall show that he is where he seems to be, if he did not lately and is
    /// no neighbour.
    fn claimed(&mut self, peer: SocketAddr, guid: Guid, wanted: u8, token: Bytes, cx: &mut Cx<'_, Self>) {
        let now = cx.now();
        self.oob.forget(now);
        let waits = |offer: &&mut Offer| {
            offer.guid == guid && SocketAddr::from((offer.to, peer.port())) == peer && offer.claimed.is_none()
        };
        let offer = self.oob.offers.iter_mut().find(waits);
        let Some(offer) = offer.filter(|_| wanted > 0 && token.len() <= TOKEN_MAX) else {
            self.counts.datagrams_dropped += 1;
            return;
        };
        offer.claimed = Some(Claimed { peer, wanted, token });
        if self.oob.has_heard(peer, now) || self.links.iter().any(|link| link.listens_at == Some(peer)) {
            return self.send_claimed(peer, cx);
        }
        let mut nonce = Guid::of_message(cx.rng());
        nonce.0[..4].copy_from_slice(&self.oob.token(peer, now));
        let header = Header { guid: nonce, kind: Kind::PING, ttl: 1, hops: 0 };
        self.send_by_udp(peer, header, &Message::Ping(Ping { extensions: Bytes::new() }), cx);
    }

    /// A pong came: whoever sent it may have shown that he is where he seems to be. Whether he has.
    pub(super) fn proves(&mut self, peer: SocketAddr, guid: &Guid, cx: &mut Cx<'_, Self>) -> bool {
        let now = cx.now();
        if !self.oob.is_token(&guid.0[..4], peer, now) {
            return false;
        }
        self.oob.hears(peer, now);
        self.send_claimed(peer, cx);
        true
    }

    /// Sends what is claimed by who is known to be there.
    fn send_claimed(&mut self, peer: SocketAddr, cx: &mut Cx<'_, Self>) {
        let is_his = |offer: &Offer| offer.claimed.as_ref().is_some_and(|claimed| claimed.peer == peer);
        let (his, others) = core::mem::take(&mut self.oob.offers).into_iter().partition(is_his);
        self.oob.offers = others;
        let his: VecDeque<Offer> = his;
        for offer in his {
            let Some(Claimed { wanted, token, .. }) = offer.claimed else { continue };
            let Ok(Message::Query(query)) = Message::parse(Kind::QUERY, &offer.query) else { continue };
            let most = if wanted == MANY { usize::MAX } else { wanted.into() };
            self.hits_by_udp(peer, offer.guid, &query, &token, most, cx);
        }
    }

    /// Sends hits to who is known to be there.
    pub(super) fn hits_by_udp(
        &mut self,
        peer: SocketAddr,
        guid: Guid,
        query: &Query,
        token: &[u8],
        most: usize,
        cx: &mut Cx<'_, Self>,
    ) {
        let wanted = Wanted::of(query);
        let hits: Vec<Bytes> = self.own_hits(query, &wanted, Carried { bytes: DATAGRAM_BYTES, token, most });
        let header = Header { guid, kind: Kind::QUERY_HIT, ttl: 1, hops: 0 };
        for hit in hits {
            self.send_by_udp(peer, header, &Message::Other(Kind::QUERY_HIT, hit), cx);
        }
    }

    /// A hit by UDP.
    pub(super) fn hit_by_datagram(
        &mut self,
        peer: SocketAddr,
        header: Header,
        hit: &QueryHit,
        cx: &mut Cx<'_, Self>,
    ) {
        let now = cx.now();
        self.oob.forget(now);
        let bears = hit
            .trailer()
            .and_then(|trailer| trailer.extensions().data(name::SECURE_OOB).map(|data| data.into_owned()));
        let is_token = bears.is_some_and(|token| self.oob.is_token(&token, peer, now));
        let count = hit.records.len() as u16;
        if self.hit_of_walk(peer, header.guid, hit, cx) {
            return;
        }
        let claim = self.oob.claims.iter_mut().find(|claim| {
            claim.guid == header.guid && claim.from == peer && claim.left > 0 && (is_token || !claim.secured)
        });
        let Some(claim) = claim else {
            self.counts.datagrams_dropped += 1;
            return;
        };
        claim.left = claim.left.saturating_sub(count.max(1));
        if let Some(dynamic) = self.dynamics.get_mut(&header.guid) {
            dynamic.found(hit);
        }
        if self.proxied.of(&header.guid).is_some() {
            return self.hit_for_leaf(&header, hit);
        }
        self.own_hit(header.guid, hit, 0, cx);
        self.tell_found(header.guid);
    }
}
