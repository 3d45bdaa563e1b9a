//! A search that asks one ultrapeer after the other by UDP: [`Walk`].

use super::KEY_BYTES;
use crate::Guid;
use crate::ggep;
use crate::ggep::fields::name;
use crate::handshake::Role;
use crate::servent::event::Wish;
use crate::servent::hosts::is_sane;
use crate::servent::links::LinkId;
use crate::servent::{Servent, Timer};
use crate::wire::{Header, Hosts, Hosts6, Kind, Message, Ping, Pong, QueryHit};
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::{Cx, Duration, Instant};

/// Results at which nobody more is asked (GUESS, section 2.1: 200 at most).
const ENOUGH: usize = 200;
/// How many are asked slowly, to learn whether the file is rare at all (section 2.1: 20).
const SLOW: usize = 20;
/// What is waited between those (at least 200 ms), and then (at least 20 ms).
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(100)];
/// How long a key may take.
const KEY_WAIT: Duration = Duration::from_secs(3);
/// Keys that are asked for ahead.
const AHEAD: usize = 16;
/// Addresses that are taken of one pong.
const TOLD: usize = 10;
/// Addresses for each that is to be asked: many will be gone.
const SPARE: usize = 4;

/// A search that asks one ultrapeer after the other.
#[derive(Debug)]
pub(in crate::servent) struct Walk {
    wish: Wish,
    /// The most that are asked.
    most: usize,
    ends_at: Instant,
    /// Everybody who was heard of: nobody is asked twice.
    known: BTreeSet<SocketAddr>,
    /// Who is to be asked for a key.
    waiting: VecDeque<SocketAddr>,
    /// Who was, when, and by a ping of what name.
    pinged: VecDeque<(Instant, SocketAddr, Guid)>,
    /// Who gave one.
    ready: VecDeque<(SocketAddr, Bytes)>,
    /// Who was asked for the file.
    asked: BTreeSet<SocketAddr>,
}

impl Walk {
    pub(in crate::servent) fn new(wish: Wish, most: usize, ends_at: Instant) -> Self {
        Self {
            wish,
            most,
            ends_at,
            known: BTreeSet::new(),
            waiting: VecDeque::new(),
            pinged: VecDeque::new(),
            ready: VecDeque::new(),
            asked: BTreeSet::new(),
        }
    }

    /// Whether a datagram of this search may come from there.
    pub(in crate::servent) fn has_asked(&self, peer: SocketAddr) -> bool {
        self.asked.contains(&peer)
    }

    fn hear_of(&mut self, addr: SocketAddr) {
        if is_sane(addr) && self.known.len() < self.most.saturating_mul(SPARE) && self.known.insert(addr) {
            self.waiting.push_back(addr);
        }
    }

    /// Those whose key does not come are let go.
    fn forget(&mut self, now: Instant) {
        while self.pinged.front().is_some_and(|(since, ..)| now.since(*since) >= KEY_WAIT) {
            self.pinged.pop_front();
        }
    }

    /// Whether all that will be asked is asked.
    fn is_over(&self, found: usize, now: Instant) -> bool {
        let nobody = self.waiting.is_empty() && self.pinged.is_empty() && self.ready.is_empty();
        found >= ENOUGH || self.asked.len() >= self.most || now >= self.ends_at || nobody
    }

    /// Who is to be asked for a key next.
    fn next_ping(&mut self) -> Option<SocketAddr> {
        let ahead = self.ready.len() + self.pinged.len();
        (ahead < AHEAD && self.asked.len() + ahead < self.most).then(|| self.waiting.pop_front()).flatten()
    }

    /// Whether this pong answers a ping of the search: the key it brings counts, if it is one.
    fn has_key(&mut self, peer: SocketAddr, guid: Guid, pong: &Pong) -> bool {
        let of = |(_, addr, ping): &(Instant, SocketAddr, Guid)| *addr == peer && *ping == guid;
        let Some(at) = self.pinged.iter().position(of) else { return false };
        self.pinged.remove(at);
        if let Some(key) = pong.extensions().data(name::QUERY_KEY)
            && KEY_BYTES.contains(&key.len())
        {
            self.ready.push_back((peer, Bytes::copy_from_slice(&key)));
        }
        true
    }

    fn pause(&self) -> Duration {
        PAUSES[usize::from(self.asked.len() > SLOW)]
    }
}

/// The servents that a pong tells of. In answer to a query it may be that of another who answers them (GUESS, section 2.2.1).
fn told_by(pong: &Pong) -> Vec<SocketAddr> {
    let mut told = Vec::new();
    if pong.extensions().has(name::GUESS) {
        told.push(SocketAddr::V4(pong.addr));
    }
    if let Some(list) = pong.extensions().data(name::HOSTS) {
        told.extend(Hosts(&list).iter().take(TOLD).map(SocketAddr::V4));
    }
    if let Some(list) = pong.extensions().data(name::HOSTS6) {
        told.extend(Hosts6(&list).iter().take(TOLD).map(SocketAddr::V6));
    }
    told
}

impl Servent {
    /// A search begins to ask one ultrapeer after the other.
    pub(in crate::servent) fn begin_walk(&mut self, wish: &Wish, most: u16, cx: &mut Cx<'_, Self>) -> Walk {
        let most = usize::from(most).min(self.config.limits.guessed);
        let mut walk = Walk::new(wish.clone(), most, cx.now() + self.config.search_for);
        let mut first = self.hosts.guessed(usize::MAX, None);
        cx.rng().shuffle(&mut first);
        let others = self.hosts.to_tell(usize::MAX, true, None);
        let ours: SocketAddr = self.reached_at().into();
        // Those who said that they answer, then others.
        for addr in
            first.into_iter().chain(others).filter(|addr| *addr != ours && Some(*addr) != self.listening)
        {
            walk.hear_of(addr);
        }
        // An ultrapeer's neighbours are asked on their links.
        if self.role == Role::Ultrapeer {
            for link in self.links.iter() {
                walk.known.insert(link.listens_at.unwrap_or(link.addr));
            }
            let known = self.links.iter().filter_map(|link| link.listens_at);
            let linked: BTreeSet<SocketAddr> = known.collect();
            walk.waiting.retain(|addr| !linked.contains(addr));
        }
        walk
    }

    /// Asks the next; whether nobody more is to be asked.
    pub(in crate::servent) fn walk_due(&mut self, guid: Guid, cx: &mut Cx<'_, Self>) -> bool {
        let now = cx.now();
        let scp = self.asks_for();
        let hits_to = self.hits_come_to();
        let Some((_, own)) = self.searches.of(&guid) else { return true };
        let (found, by_udp) = (own.found(), hits_to.is_some() && own.hits_to() == hits_to);
        let Some(walk) = own.walk() else { return true };
        walk.forget(now);
        if walk.is_over(found, now) {
            return true;
        }
        let ping = walk.next_ping();
        let ready = walk.ready.pop_front();
        if let Some((peer, _)) = &ready {
            walk.asked.insert(*peer);
        }
        let (pause, wish) = (walk.pause(), walk.wish.clone());
        if let Some(peer) = ping {
            let name = Guid::of_message(cx.rng());
            if let Some(walk) = self.searches.of(&guid).and_then(|(_, own)| own.walk()) {
                walk.pinged.push_back((now, peer, name));
            }
            let mut extensions = BytesMut::new();
            let mut ggep = ggep::Writer::new(&mut extensions);
            ggep.put(name::QUERY_KEY, b"");
            ggep.put(name::CACHED_PONGS, &[scp]);
            let header = Header { guid: name, kind: Kind::PING, ttl: 1, hops: 0 };
            self.send_by_udp(peer, header, &Message::Ping(Ping { extensions: extensions.freeze() }), cx);
        }
        if let Some((peer, key)) = ready {
            let query = self.query_of(&wish, by_udp, &key);
            let header = Header { guid, kind: Kind::QUERY, ttl: 1, hops: 0 };
            self.counts.queries_out += 1;
            self.send_by_udp(peer, header, &Message::Query(query), cx);
        }
        cx.set_timer(Timer::Search(guid), pause);
        false
    }

    /// A pong by UDP; whether it is one of a search that goes on.
    pub(in crate::servent) fn pong_to_walk(&mut self, peer: SocketAddr, header: Header, pong: &Pong) -> bool {
        let ours: SocketAddr = self.reached_at().into();
        let listening = self.listening;
        let walk = self.searches.walks().find_map(|(guid, walk)| {
            // An answer to a query bears its name.
            let is_his =
                *guid == header.guid && walk.has_asked(peer) || walk.has_key(peer, header.guid, pong);
            is_his.then_some(walk)
        });
        let Some(walk) = walk else { return false };
        for addr in told_by(pong).into_iter().filter(|addr| *addr != ours && Some(*addr) != listening) {
            walk.hear_of(addr);
        }
        true
    }

    /// A hit by UDP of an ultrapeer that was asked for it; whether it is one.
    pub(in crate::servent) fn hit_of_walk(
        &mut self,
        peer: SocketAddr,
        guid: Guid,
        hit: &QueryHit,
        cx: &mut Cx<'_, Self>,
    ) -> bool {
        let walk = self.searches.of(&guid).and_then(|(_, own)| own.walk());
        if !walk.is_some_and(|walk| walk.has_asked(peer)) {
            return false;
        }
        self.own_hit(guid, hit, 0, cx);
        true
    }

    /// An ultrapeer's neighbours are asked on their links: they need no key.
    pub(in crate::servent) fn walk_by_links(&mut self, guid: Guid) {
        if self.role != Role::Ultrapeer {
            return;
        }
        let Some((_, own)) = self.searches.of(&guid) else { return };
        let (payload, wanted) = own.asks();
        let header = Header { guid, kind: Kind::QUERY, ttl: 1, hops: 0 };
        self.relay(LinkId::SELF, &header, &payload, &wanted);
    }
}
