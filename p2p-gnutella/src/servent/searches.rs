//! Searches of this servent: [`Searches`], and how they go on.

use super::event::{Strategy, Wish};
use super::guess::ask::Walk;
use super::links::LinkId;
use super::queries::Seen;
use super::{Error, Mode, Servent, Timer};
use crate::Guid;
use crate::ggep::{self, fields::name};
use crate::handshake::Role;
use crate::library::Phrases;
use crate::qrp::Wanted;
use crate::wire::{Header, Kind, Message, Query, QueryFlags, SEPARATOR, WHATS_NEW};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use bytes::{BufMut, Bytes, BytesMut};
use core::net::SocketAddrV4;
use p2p_core::{Cx, Duration, OpId};

/// The longest text of a query: what gtk-gnutella leads on is 256 bytes with all that is around it.
const TEXT_MAX: usize = 180;

/// The searches of this servent.
#[derive(Debug, Default)]
pub(super) struct Searches {
    by_guid: BTreeMap<Guid, Own>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Own {
    /// Who is told; nobody if others are looked for who have what is fetched.
    op: Option<OpId>,
    payload: Bytes,
    /// Where hits can be sent by UDP.
    hits_to: Option<SocketAddrV4>,
    wanted: Wanted,
    phrases: Phrases,
    strategy: Strategy,
    ttl: u8,
    /// What was told, to tell it once.
    told: BTreeSet<(Guid, u32)>,
    /// How many of them its ultrapeers were told of, if it is a leaf's.
    status: usize,
    /// Whether all that will be asked is asked.
    ending: bool,
    /// Whom it asks by UDP, if it asks one after the other.
    walk: Option<Box<Walk>>,
}

impl Own {
    /// How many more files may be told.
    pub(super) fn left(&self, most: usize) -> usize {
        most.saturating_sub(self.told.len())
    }

    /// How many files were told.
    pub(super) fn found(&self) -> usize {
        self.told.len()
    }

    /// Whom it asks by UDP.
    pub(super) fn walk(&mut self) -> Option<&mut Walk> {
        self.walk.as_deref_mut()
    }

    /// Where hits can be sent by UDP, as its name says.
    pub(super) const fn hits_to(&self) -> Option<SocketAddrV4> {
        self.hits_to
    }

    /// What neighbours are asked.
    pub(super) fn asks(&self) -> (Bytes, Wanted) {
        (self.payload.clone(), self.wanted)
    }

    /// How many files were told, if that is so many more than when it was asked last.
    pub(super) fn more_found(&mut self, step: usize) -> Option<usize> {
        let found = self.told.len();
        let is_more = found > 0 && (self.status == 0 || found >= self.status + step);
        is_more.then(|| {
            self.status = found;
            found
        })
    }

    /// Whether a file of a servent was not told yet, and may be.
    pub(super) fn is_new(&mut self, servent: Guid, index: u32, most: usize) -> bool {
        self.told.len() < most && self.told.insert((servent, index))
    }

    /// Whether a name is what was asked for; others find by words alone.
    pub(super) fn admits(&self, name: &[u8]) -> bool {
        self.phrases.are_in_bytes(name)
    }
}

impl Searches {
    pub(super) fn len(&self) -> usize {
        self.by_guid.len()
    }

    pub(super) fn of(&mut self, guid: &Guid) -> Option<(Option<OpId>, &mut Own)> {
        self.by_guid.get_mut(guid).map(|own| (own.op, own))
    }

    /// Those that ask one after the other.
    pub(super) fn walks(&mut self) -> impl Iterator<Item = (&Guid, &mut Walk)> {
        self.by_guid.iter_mut().filter_map(|(guid, own)| Some((guid, own.walk.as_deref_mut()?)))
    }

    /// Ends a search.
    pub(super) fn remove(&mut self, op: OpId) -> Option<Guid> {
        let guid = *self.by_guid.iter().find(|(_, own)| own.op == Some(op))?.0;
        self.by_guid.remove(&guid).map(|_| guid)
    }

    /// Ends all of them.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Option<OpId>> {
        core::mem::take(&mut self.by_guid).into_values().map(|own| own.op)
    }
}

/// Tells who asked for it that a search ended.
fn end(op: Option<OpId>, result: Result<(), Error>, cx: &mut Cx<'_, Servent>) {
    if let Some(op) = op {
        cx.finish(op, result);
    }
}

impl Servent {
    /// Begins a search.
    pub(super) fn search(&mut self, op: Option<OpId>, wish: &Wish, cx: &mut Cx<'_, Self>) {
        if wish.words.len() > TEXT_MAX {
            return end(op, Err(Error::TooLong(wish.words.len())), cx);
        }
        if self.searches.len() >= self.config.limits.own_searches {
            return end(op, Err(Error::TooMany), cx);
        }
        let hits_to = self.hits_come_to();
        let query = self.query_of(wish, hits_to.is_some(), &[]);
        let wanted = Wanted::of(&query);
        if wanted.is_empty() {
            return end(op, Err(Error::EmptyQuery), cx);
        }
        if let Strategy::Guess(_) = wish.strategy {
            if self.socket.is_none() {
                return end(op, Err(Error::NoDatagrams), cx);
            }
            if self.searches.walks().count() >= self.config.limits.walks {
                return end(op, Err(Error::TooMany), cx);
            }
        }
        let is_alone = match wish.strategy {
            Strategy::Guess(_) => self.hosts.is_empty(),
            _ => self.links.len() == 0,
        };
        if is_alone {
            return end(op, Err(Error::Alone), cx);
        }
        let walk = match wish.strategy {
            Strategy::Guess(most) => Some(Box::new(self.begin_walk(wish, most, cx))),
            _ => None,
        };
        let ttl = match wish.strategy {
            Strategy::Guess(_) => 1,
            Strategy::ExpandingRing(_) => 1,
            Strategy::Flood(ttl) => ttl,
            // Neighbours, and those of a leaf's ultrapeers: of what is new there is enough.
            Strategy::Usual if wish.newest => {
                if self.role == Role::Leaf {
                    2
                } else {
                    1
                }
            }
            Strategy::Usual => self.config.max_ttl,
        };
        let payload = Message::Query(query).to_bytes();
        let own = Own {
            op,
            payload,
            hits_to,
            wanted,
            phrases: Phrases::of(&wish.words),
            strategy: wish.strategy,
            ttl,
            told: BTreeSet::new(),
            status: 0,
            ending: false,
            walk,
        };
        self.ask(own, cx);
    }

    /// What neighbours are asked, and by UDP who gave this key.
    pub(super) fn query_of(&self, wish: &Wish, hits_by_udp: bool, key: &[u8]) -> Query {
        let mut extensions = BytesMut::new();
        let mut ggep = ggep::Writer::new(&mut extensions);
        if wish.newest {
            ggep.put(name::WHATS_NEW, &[1]);
        }
        if hits_by_udp {
            ggep.put(name::SECURE_OOB, b"");
        }
        if let Some(wants) = self.families().field() {
            ggep.put(name::IPV6_WANTED, wants);
        }
        if !hits_by_udp && !self.config.oob_proxy && self.role == Role::Leaf && self.config.mode != Mode::Flat
        {
            ggep.put(name::NO_PROXY, b"");
        }
        if !key.is_empty() {
            ggep.put(name::QUERY_KEY, key);
            // Others who may be asked are welcome.
            ggep.put(name::CACHED_PONGS, b"");
        }
        if let Some(urn) = &wish.urn {
            if !extensions.is_empty() {
                extensions.put_u8(SEPARATOR);
            }
            // Tables and indices have SHA-1s.
            let urn = urn.sha1().map_or(*urn, crate::Urn::Sha1);
            extensions.put_slice(urn.to_string().as_bytes());
            extensions.put_u8(0);
        }
        let mut flags = QueryFlags::MARK | QueryFlags::BINARY_HASHES;
        if self.is_firewalled() {
            flags |= QueryFlags::FIREWALLED;
        }
        if hits_by_udp {
            flags |= QueryFlags::OUT_OF_BAND;
        }
        if self.role == Role::Leaf && self.config.mode != Mode::Flat && key.is_empty() {
            flags |= QueryFlags::LEAF_GUIDED;
        }
        let words = if wish.newest { WHATS_NEW } else { wish.words.as_bytes() };
        Query {
            flags: QueryFlags(flags),
            text: words.iter().copied().filter(|byte| *byte != 0).collect(),
            extensions: extensions.freeze(),
        }
    }

    /// Asks neighbours, by a name of its own.
    fn ask(&mut self, mut own: Own, cx: &mut Cx<'_, Self>) {
        let guid = match own.hits_to {
            Some(to) => Guid::out_of_band(to, cx.rng()),
            None => Guid::of_message(cx.rng()),
        };
        self.queries.insert(cx.now(), guid, Seen::OWN);
        if own.walk.is_some() {
            self.searches.by_guid.insert(guid, own);
            self.walk_by_links(guid);
            // Whoever is near has time to answer before others are asked.
            return cx.set_timer(Timer::Search(guid), self.config.hop_wait);
        }
        let (payload, wanted, ttl) = (own.payload.clone(), own.wanted, own.ttl);
        let usual = own.strategy == Strategy::Usual && self.config.mode != Mode::Flat;
        if usual && self.role == Role::Ultrapeer && !wanted.is_newest() {
            self.searches.by_guid.insert(guid, own);
            let header = Header { guid, kind: Kind::QUERY, ttl: 1, hops: 0 };
            self.relay_to_leaves(LinkId::SELF, &header, &payload, &wanted);
            return self.begin_dynamic(guid, &payload, wanted, LinkId::SELF, 0, self.config.own_hits, cx);
        }
        let header = Header { guid, kind: Kind::QUERY, ttl, hops: 0 };
        self.relay(LinkId::SELF, &header, &payload, &wanted);
        // A leaf's ultrapeers ask on for it.
        let wait = if usual { self.config.search_for } else { self.ring_wait(ttl) };
        own.ending = !matches!(own.strategy, Strategy::ExpandingRing(max) if ttl < max);
        self.searches.by_guid.insert(guid, own);
        cx.set_timer(Timer::Search(guid), wait);
    }

    /// A search ended: another may have waited for it.
    fn search_over(&mut self, op: Option<OpId>, cx: &mut Cx<'_, Self>) {
        end(op, Ok(()), cx);
        self.search_for_transfers(cx);
    }

    /// How long hits from so far take.
    fn ring_wait(&self, ttl: u8) -> Duration {
        self.config.hop_wait * ttl.into()
    }

    /// A search may go on, or end.
    pub(super) fn search_due(&mut self, guid: Guid, cx: &mut Cx<'_, Self>) {
        if self.dynamics.contains_key(&guid) {
            let over = self.dynamic_due(guid, cx);
            if let (true, Some(own)) = (over, self.searches.by_guid.get_mut(&guid)) {
                own.ending = true;
                cx.set_timer(Timer::Search(guid), self.config.hop_wait);
            }
            return;
        }
        if self.searches.of(&guid).is_some_and(|(_, own)| own.walk.is_some() && !own.ending) {
            if self.walk_due(guid, cx) {
                // The last may answer yet.
                if let Some((_, own)) = self.searches.of(&guid) {
                    own.ending = true;
                }
                cx.set_timer(Timer::Search(guid), self.config.hop_wait);
            }
            return;
        }
        let Some(own) = self.searches.by_guid.remove(&guid) else { return };
        if own.ending || !own.told.is_empty() || self.links.len() == 0 {
            return self.search_over(own.op, cx);
        }
        let Strategy::ExpandingRing(max) = own.strategy else { return self.search_over(own.op, cx) };
        self.ask(Own { ttl: own.ttl.saturating_add(2).min(max), ..own }, cx);
    }
}
