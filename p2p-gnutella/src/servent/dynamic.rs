//! Dynamic querying (dynamic querying 0.1, LimeWire 2003): a query goes to one neighbour after the other, as far as it takes
//! to find enough and no farther.
//!
//! ```text
//!  leaves that may match ── probe: TTL 1 to neighbours whose tables match ── wait ─┐
//!                                                                                   ▼
//!          ┌──────── found enough, reached enough, nobody left: over ◄──── how popular is it?
//!          └─ wait as many hops ◄── one neighbour, the smallest TTL that will do ◄──┘
//! ```

use super::links::LinkId;
use super::{Servent, Timer};
use crate::Guid;
use crate::handshake::Role;
use crate::qrp::Wanted;
use crate::wire::{Header, Kind, Query, QueryFlags, QueryHit};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::{Cx, Instant};

/// Neighbours that are asked at once, to learn how popular something is.
const PROBES: usize = 3;
/// Results that are told apart; more than enough end any search.
const FOUND_MAX: usize = 1_024;
/// Where nothing was found yet, the next neighbour may reach so many times what was reached before: what is rare takes few
/// steps, and what is not does not bring thousands of hits at once.
const GROWTH: u64 = 4;

/// Whether a leaf says that it tells how many hits its query has.
fn is_guided(payload: &[u8]) -> bool {
    let flags = payload.first_chunk().map_or(0, |flags| u16::from_be_bytes(*flags));
    QueryFlags(flags).has(QueryFlags::LEAF_GUIDED)
}

/// A query under way.
#[derive(Debug)]
pub(super) struct Dynamic {
    payload: Bytes,
    /// Who asks: a leaf, or this servent.
    source: LinkId,
    /// The hops that it has when it leaves here.
    hops: u8,
    found: BTreeSet<(Guid, u32)>,
    /// How many the leaf says that it has.
    told: u32,
    /// Whether the leaf tells that when it is asked.
    guided: bool,
    target: u32,
    /// Ultrapeers that were reached, by what neighbours say of themselves.
    horizon: u64,
    asked: Vec<(LinkId, u8)>,
    ends_at: Instant,
}

impl Dynamic {
    pub(super) fn is_own(&self) -> bool {
        self.source == LinkId::SELF
    }

    pub(super) fn is_of(&self, link: LinkId) -> bool {
        self.source == link
    }

    /// The leaf tells how many hits it has; all ones: it wants no more.
    pub(super) fn told(&mut self, hits: u16) {
        self.told = if hits == u16::MAX { u32::MAX } else { hits.into() };
    }

    /// Takes results into account, each once however often it is told.
    pub(super) fn found(&mut self, hit: &QueryHit) {
        for record in hit.records.iter() {
            if self.found.len() < FOUND_MAX {
                self.found.insert((hit.servent, record.index));
            }
        }
    }
}

/// Ultrapeers within reach of one that links to `degree` (dynamic querying 0.1, "theoretical horizon").
pub(super) fn reach(degree: u16, ttl: u8) -> u64 {
    let branch = u64::from(degree.saturating_sub(1));
    (0..ttl)
        .scan(1u64, |layer, _| {
            let hosts = *layer;
            *layer = layer.saturating_mul(branch);
            Some(hosts)
        })
        .fold(0, u64::saturating_add)
}

/// The smallest TTL that will do, at most `max`: with what was found among `horizon` ultrapeers so far, and as many
/// neighbours left as there are.
fn next_ttl(found: u32, target: u32, horizon: u64, left: usize, degree: u16, max: u8) -> u8 {
    let wanted = if found == 0 {
        horizon.max(1).saturating_mul(GROWTH)
    } else {
        let lacking = u64::from(target.saturating_sub(found));
        (lacking * horizon.max(1) / u64::from(found)).div_ceil(left.max(1) as u64)
    };
    let max = max.max(1);
    (1..=max).find(|ttl| reach(degree, *ttl) >= wanted).unwrap_or(max)
}

impl Servent {
    /// A leaf asks: its other leaves at once, and neighbours one by one.
    pub(super) fn leaf_query(
        &mut self,
        from: LinkId,
        stepped: &Header,
        query: &Query,
        payload: &Bytes,
        wanted: Wanted,
        cx: &mut Cx<'_, Self>,
    ) {
        let leaves_searches = self.dynamics.values().filter(|dynamic| !dynamic.is_own()).count();
        if leaves_searches >= self.config.limits.leaf_searches {
            self.counts.flooded += 1;
            return;
        }
        self.relay_to_leaves(from, &Header { ttl: 1, ..*stepped }, payload, &wanted);
        let proxied = self.proxy(from, stepped, query, cx);
        let (guid, payload) =
            proxied.as_ref().map_or((stepped.guid, payload), |(guid, changed)| (*guid, changed));
        self.begin_dynamic(guid, payload, wanted, from, stepped.hops, self.config.leaf_hits, cx);
    }

    /// Begins to ask neighbours for a leaf, or for this servent.
    #[expect(clippy::too_many_arguments, reason = "what a query is, and for whom")]
    pub(super) fn begin_dynamic(
        &mut self,
        guid: Guid,
        payload: &Bytes,
        wanted: Wanted,
        source: LinkId,
        hops: u8,
        target: u32,
        cx: &mut Cx<'_, Self>,
    ) {
        let mut dynamic = Dynamic {
            // It is kept for minutes: a slice would keep all that came with it.
            payload: Bytes::copy_from_slice(payload),
            source,
            hops,
            found: BTreeSet::new(),
            told: 0,
            guided: source != LinkId::SELF && is_guided(payload),
            target,
            horizon: 1,
            asked: Vec::new(),
            ends_at: cx.now() + self.config.search_for,
        };
        let header = Header { guid, kind: Kind::QUERY, ttl: 1, hops };
        let mut tables = 0;
        let mut matching = Vec::new();
        for link in self.links.iter().filter(|link| link.peer_role == Role::Ultrapeer && link.id != source) {
            if let Some(table) = link.receiver.table() {
                tables += 1;
                if table.may_match(&wanted) && hops < link.hops_flow {
                    matching.push(link.id);
                }
            }
        }
        cx.rng().shuffle(&mut matching);
        let probed = matching.len().min(PROBES);
        // Tables that do not match say as much as their owners would.
        dynamic.horizon += match matching.len() {
            0 => tables,
            many => (tables * probed as u64).div_ceil(many as u64),
        };
        for id in matching.into_iter().take(PROBES) {
            dynamic.asked.push((id, 1));
            self.ask_neighbour(id, &header, &dynamic.payload);
        }
        // Own leaves are asked in any case, and take a hop to answer.
        let wait = self.config.hop_wait;
        self.dynamics.insert(guid, dynamic);
        cx.set_timer(Timer::Search(guid), wait);
    }

    fn ask_neighbour(&mut self, id: LinkId, header: &Header, payload: &Bytes) {
        self.counts.queries_out += 1;
        self.send(id, header, payload);
    }

    /// Goes on to the next neighbour; whether it is over.
    pub(super) fn dynamic_due(&mut self, guid: Guid, cx: &mut Cx<'_, Self>) -> bool {
        let Some(dynamic) = self.dynamics.get_mut(&guid) else { return true };
        let found = (dynamic.found.len() as u32).max(dynamic.told);
        let asked = |id: LinkId| dynamic.asked.iter().find(|(of, _)| *of == id).map(|(_, ttl)| *ttl);
        let mut left = Vec::new();
        for link in self.links.iter() {
            let takes = match asked(link.id) {
                None => true,
                // Who was probed may be asked for more, if it understands that.
                Some(ttl) => ttl == 1 && link.ext_probes,
            };
            let is_asked = link.peer_role == Role::Ultrapeer && dynamic.hops < link.hops_flow;
            if takes && is_asked && link.id != dynamic.source {
                left.push((link.id, link.degree, link.max_ttl));
            }
        }
        let enough = found >= dynamic.target
            || dynamic.horizon >= self.config.horizon_max
            || cx.now() >= dynamic.ends_at;
        // Who was probed told what is near it: others come first.
        let fresh: Vec<_> = left.iter().filter(|(id, ..)| asked(*id).is_none()).copied().collect();
        let next = cx.rng().choose(if fresh.is_empty() { &left } else { &fresh }).copied();
        let Some((id, degree, their_max)) = next.filter(|_| !enough) else {
            self.dynamics.remove(&guid);
            return true;
        };
        let max = self.config.max_ttl.min(their_max);
        let ttl = next_ttl(found, dynamic.target, dynamic.horizon, left.len(), degree, max);
        // The same TTL again would be a duplicate to it.
        let ttl = if asked(id).is_some() { ttl.max(2) } else { ttl };
        dynamic.asked.retain(|(of, _)| *of != id);
        // Never a second time.
        dynamic.asked.push((id, ttl.max(2)));
        dynamic.horizon = dynamic.horizon.saturating_add(reach(degree, ttl));
        let header = Header { guid, kind: Kind::QUERY, ttl, hops: dynamic.hops };
        let (payload, leaf) = (dynamic.payload.clone(), dynamic.guided.then_some(dynamic.source));
        if let Some(leaf) = leaf {
            let name = self.proxied.of(&guid).map_or(guid, |(_, name)| name);
            self.ask_status(leaf, name);
        }
        self.ask_neighbour(id, &header, &payload);
        cx.set_timer(Timer::Search(guid), self.config.hop_wait * ttl.into());
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_horizon_is_that_of_the_proposal() {
        assert_eq!(reach(32, 3), 993);
        assert_eq!((reach(10, 1), reach(10, 2), reach(10, 3)), (1, 10, 91));
        assert_eq!(reach(u16::MAX, u8::MAX), u64::MAX, "whatever a neighbour says");
    }

    #[test]
    fn what_is_popular_needs_a_low_ttl() {
        assert_eq!(next_ttl(25, 50, 10, 10, 10, 4), 1);
        assert_eq!(next_ttl(3, 50, 10, 10, 10, 4), 3);
        assert_eq!(next_ttl(1, 50, 500, 5, 10, 4), 4);
        // Nothing was found: step by step.
        assert_eq!([1, 11, 102, 1_000].map(|horizon| next_ttl(0, 50, horizon, 9, 10, 4)), [2, 3, 4, 4]);
    }
}
