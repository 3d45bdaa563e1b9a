//! Pings and pongs: answered from what is known, led on only among servents of 0.4.

use super::links::{Among, Link, LinkId};
use super::{Mode, Servent};
use crate::Guid;
use crate::ggep;
use crate::ggep::fields::{Scp, Slots, name};
use crate::handshake::Role;
use crate::wire::{Header, Hosts, Hosts6, Kind, Message, Ping, Pong, put_v4, put_v6};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use p2p_core::{Cx, Duration, Instant};

/// How long a pong is worth passing on (pong caching 0.1: three seconds).
const FRESH: Duration = Duration::from_secs(3);
/// Pongs that answer a ping (pong caching 0.1: ten).
const ANSWERS: usize = 10;
/// Addresses for who asked for some.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    v4: Vec<SocketAddrV4>,
    v6: Vec<SocketAddrV6>,
}

/// Addresses in a pong that was asked for some.
const PACKED: usize = 10;

/// Pongs of others, to answer pings with.
#[derive(Debug)]
pub(super) struct Pongs {
    cap: usize,
    kept: VecDeque<(Instant, LinkId, Bytes, u8)>,
}

impl Pongs {
    pub(super) const fn new(cap: usize) -> Self {
        Self { cap, kept: VecDeque::new() }
    }

    fn keep(&mut self, now: Instant, from: LinkId, payload: &Bytes, hops: u8) {
        while self.kept.len() >= self.cap.max(1) || self.kept.front().is_some_and(|kept| now > kept.0 + FRESH)
        {
            self.kept.pop_front();
        }
        self.kept.push_back((now, from, Bytes::copy_from_slice(payload), hops));
    }

    /// The newest, but none of who asks.
    fn fresh(&self, now: Instant, not_of: LinkId) -> impl Iterator<Item = &(Instant, LinkId, Bytes, u8)> {
        self.kept.iter().rev().filter(move |kept| now <= kept.0 + FRESH && kept.1 != not_of).take(ANSWERS)
    }
}

/// Adds an address, if it is not there and there is room.
fn add<A: PartialEq>(list: &mut Vec<A>, addr: A) {
    if list.len() < PACKED && !list.contains(&addr) {
        list.push(addr);
    }
}

impl Servent {
    /// The pong of this servent. `packed` are addresses of others; `by` what is asked for in particular.
    pub(super) fn own_pong(&mut self, now: Instant, packed: &Packed, is_cache: bool) -> Pong {
        let mut extensions = BytesMut::new();
        if self.config.mode != Mode::Flat {
            // What stands there always, and whole.
            extensions.reserve(64);
            let mut ggep = ggep::Writer::new(&mut extensions);
            ggep.put(name::VENDOR, b"P2PR\x01");
            if self.role == Role::Ultrapeer {
                let free = |role, most: usize| {
                    u8::try_from(most.saturating_sub(self.links.count(role))).unwrap_or(u8::MAX)
                };
                let slots = Slots {
                    version: 0x02,
                    leaves: free(Role::Leaf, self.config.limits.leaves),
                    ultrapeers: free(Role::Ultrapeer, usize::from(self.config.degree)),
                };
                ggep.put(name::ULTRAPEER, &slots.to_bytes());
            }
            self.put_guess(&mut ggep);
            let uptime = now.since(self.started).as_secs();
            ggep.put(name::UPTIME, &ggep::fields::put_number(uptime));
            if is_cache {
                ggep.put(name::UDP_HOST_CACHE, b"");
            }
            if let Some(v6) = self.reached_at6() {
                ggep.put(name::IPV6, &v6.octets());
            }
            if !packed.v4.is_empty() {
                let mut list = BytesMut::new();
                packed.v4.iter().for_each(|addr| put_v4(*addr, &mut list));
                ggep.put(name::HOSTS, &list);
            }
            if !packed.v6.is_empty() {
                let mut list = BytesMut::new();
                packed.v6.iter().for_each(|addr| put_v6(*addr, &mut list));
                ggep.put(name::HOSTS6, &list);
            }
        }
        let library = self.transfers.library();
        Pong {
            addr: self.reached_at(),
            files: u32::try_from(library.len()).unwrap_or(u32::MAX),
            kilobytes: Pong::told_kilobytes(
                u32::try_from(library.total() / 1_000).unwrap_or(u32::MAX),
                self.role == Role::Ultrapeer,
            ),
            extensions: extensions.freeze(),
        }
    }

    /// Addresses for who asks for some with `SCP`.
    pub(super) fn packed_for(&self, asked: Scp, who: SocketAddr) -> Packed {
        self.packed(asked, who, self.hosts.to_tell(PACKED, true, Some(who)), |_| true)
    }

    /// Addresses of those who answer queries by UDP, for who asks for some with `SCP`.
    pub(super) fn guessed_for(&self, asked: Scp, who: SocketAddr) -> Packed {
        self.packed(asked, who, self.hosts.guessed(PACKED, Some(who)), |link| link.guess)
    }

    fn packed(
        &self,
        asked: Scp,
        who: SocketAddr,
        known: Vec<SocketAddr>,
        is_such: impl Fn(&Link) -> bool,
    ) -> Packed {
        let neighbours = self.links.iter().filter(|link| link.peer_role == Role::Ultrapeer && is_such(link));
        let near = neighbours.filter(|link| link.addr != who).filter_map(|link| link.listens_at);
        let mut packed = Packed::default();
        for addr in near.chain(known) {
            match addr {
                SocketAddr::V4(v4) if asked.wants_ipv4() => add(&mut packed.v4, v4),
                SocketAddr::V6(v6) if asked.wants_ipv6() => add(&mut packed.v6, v6),
                _ => {}
            }
        }
        packed
    }

    /// A ping of a neighbour.
    pub(super) fn ping(
        &mut self,
        id: LinkId,
        header: Header,
        ping: &Ping,
        payload: &Bytes,
        cx: &mut Cx<'_, Self>,
    ) {
        let now = cx.now();
        let Ok(stepped) = header.stepped(self.config.hops_max) else {
            self.counts.malformed += 1;
            return;
        };
        let Some(link) = self.links.get_mut(id) else { return };
        let (addr, plain) = (link.addr, link.plain);
        // Whoever asks again and again gets nothing: each answer is ten times its question.
        if !link.pings.take(now, 3) {
            return;
        }
        if self.pings.get(&header.guid).is_some() {
            return;
        }
        self.pings.insert(now, header.guid, id);
        let asked = ping.extensions().data(name::CACHED_PONGS).map(|data| Scp::parse(&data));
        let packed = asked.map_or_else(Packed::default, |scp| self.packed_for(scp, addr));
        let pong = Message::Pong(self.own_pong(now, &packed, false)).to_bytes();
        let answer = stepped.answer(Kind::PONG, self.config.answer_slack);
        self.send(id, &answer, &pong);
        if stepped.ttl == 0 {
            return;
        }
        if plain && self.config.mode == Mode::Flat {
            // As in 0.4: everybody is asked.
            let queue = self.config.limits.queue;
            let spread =
                self.links.spread(&stepped, payload, queue, Among::All, |link| link.id != id && link.plain);
            self.counts.messages_out += spread.ultrapeers;
            return;
        }
        let cached: Vec<(Bytes, u8)> =
            self.pongs.fresh(now, id).map(|(_, _, payload, hops)| (payload.clone(), *hops)).collect();
        for (payload, hops) in cached {
            self.send(id, &Header { hops, ..answer }, &payload);
        }
    }

    /// A pong of a neighbour.
    pub(super) fn pong(
        &mut self,
        id: LinkId,
        header: Header,
        pong: &Pong,
        payload: &Bytes,
        cx: &mut Cx<'_, Self>,
    ) {
        let now = cx.now();
        self.learn(pong, now);
        // Its own pong tells where it listens.
        if let Some(link) = self.links.get_mut(id)
            && header.hops == 0
            && link.listens_at.is_none()
            && link.addr.ip() == *pong.addr.ip()
            && pong.addr.port() != 0
        {
            link.listens_at = Some(pong.addr.into());
        }
        let Ok(stepped) = header.stepped(self.config.hops_max.saturating_mul(2)) else {
            self.counts.malformed += 1;
            return;
        };
        if self.config.mode != Mode::Flat {
            self.pongs.keep(now, id, payload, stepped.hops);
            return;
        }
        match self.pings.get(&header.guid) {
            Some(to) if to == LinkId::SELF => {}
            Some(to) if to != id && stepped.ttl > 0 => self.send(to, &stepped, payload),
            _ => self.counts.astray += 1,
        }
    }

    /// Remembers what a pong tells of servents.
    pub(super) fn learn(&mut self, pong: &Pong, now: Instant) {
        let slots = pong.extensions().data(name::ULTRAPEER).and_then(|data| Slots::parse(&data));
        self.hosts.heard_of(pong.addr.into(), slots.is_some() || pong.is_ultrapeer(), now);
        let is_ultrapeer = slots.is_some() || pong.is_ultrapeer();
        if pong.extensions().has(name::GUESS) {
            self.hosts.is_guessed(pong.addr.into());
        }
        if let Some(v6) = pong.extensions().ipv6() {
            self.hosts.heard_of((v6, pong.addr.port()).into(), is_ultrapeer, now);
        }
        if let Some(list) = pong.extensions().data(name::HOSTS6) {
            for addr in Hosts6(&list).iter().take(crate::handshake::TRIES_MAX) {
                self.hosts.heard_of(addr.into(), true, now);
            }
        }
        if let Some(list) = pong.extensions().data(name::HOSTS) {
            for addr in Hosts(&list).iter().take(crate::handshake::TRIES_MAX) {
                self.hosts.heard_of(addr.into(), true, now);
            }
        }
    }

    /// What addresses it asks for.
    pub(super) fn asks_for(&self) -> u8 {
        let ultrapeers = if self.role == Role::Ultrapeer { Scp::ULTRAPEER } else { 0 };
        ultrapeers | if self.reached_at6().is_some() { Scp::IPV6 } else { 0 }
    }

    /// Asks a new neighbour for addresses.
    pub(super) fn ping_for_hosts(&mut self, id: LinkId, cx: &mut Cx<'_, Self>) {
        let mut extensions = BytesMut::new();
        ggep::Writer::new(&mut extensions).put(name::CACHED_PONGS, &[self.asks_for()]);
        let ping = Message::Ping(Ping { extensions: extensions.freeze() });
        let header = Header { guid: Guid::of_message(cx.rng()), kind: Kind::PING, ttl: 2, hops: 0 };
        self.pings.insert(cx.now(), header.guid, LinkId::SELF);
        self.send(id, &header, &ping.to_bytes());
    }

    /// Asks a silent neighbour for a sign of life.
    pub(super) fn ping_silent(&mut self, id: LinkId, cx: &mut Cx<'_, Self>) {
        let header = Header { guid: Guid::of_message(cx.rng()), kind: Kind::PING, ttl: 1, hops: 0 };
        self.pings.insert(cx.now(), header.guid, LinkId::SELF);
        if let Some(link) = self.links.get_mut(id) {
            link.pinged_at = Some(cx.now());
        }
        self.send(id, &header, &Bytes::new());
    }
}
