//! Queries: seen before, held against what is shared, led on.

use super::event::Parting;
use super::hits::Carried;
use super::links::{Among, LinkId};
use super::route::decide;
use super::{Mode, Servent};
use crate::handshake::Role;
use crate::qrp::Wanted;
use crate::wire::{Header, Message, Query, bye_code};
use bytes::Bytes;
use p2p_core::Cx;

/// What is remembered of a query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Where it came from, and its hits go.
    pub(super) link: LinkId,
    /// The highest TTL that it came with.
    pub(super) ttl: u8,
}

impl Seen {
    /// A query of this servent.
    pub(super) const OWN: Self = Self { link: LinkId::SELF, ttl: u8::MAX };
}

impl Servent {
    /// A query of a neighbour.
    pub(super) fn query(&mut self, from: LinkId, header: Header, payload: &Bytes, cx: &mut Cx<'_, Self>) {
        self.counts.queries_in += 1;
        let now = cx.now();
        let Some(link) = self.links.get_mut(from) else { return };
        if !link.queries.take(now, 1) {
            self.counts.flooded += 1;
            return;
        }
        let (peer_role, ext_probes) = (link.peer_role, link.ext_probes);
        let Ok(stepped) = header.stepped(self.config.hops_max) else {
            self.counts.malformed += 1;
            return;
        };
        if peer_role == Role::Leaf && header.hops > 0 {
            let why = Parting::Misbehaved("a leaf that relays");
            return self.say_bye(from, bye_code::LEAF_RELAYS, "Leaf node relayed query", why, cx);
        }
        // A probe may be followed by the same query with a higher TTL, of who sent the probe and nobody else.
        let further = match self.queries.get(&header.guid) {
            Some(seen) if ext_probes && seen.link == from && header.ttl > seen.ttl => true,
            Some(_) => {
                self.counts.duplicates += 1;
                return;
            }
            None => false,
        };
        let Ok(Message::Query(mut query)) = Message::parse(header.kind, payload) else {
            self.counts.malformed += 1;
            return;
        };
        let changed = self.checked(from, &header, &mut query, payload);
        let payload = changed.as_ref().unwrap_or(payload);
        self.queries.insert(now, header.guid, Seen { link: from, ttl: header.ttl });
        let wanted = Wanted::of(&query);
        if !further {
            self.counts.queries_new += 1;
            self.answer_query(from, &stepped, &query, payload, &wanted, cx);
        }
        // Of what is new there is enough near.
        let stepped =
            if wanted.is_newest() { Header { ttl: stepped.ttl.min(1), ..stepped } } else { stepped };
        match (self.role, peer_role) {
            // Leaves lead nothing on.
            (Role::Leaf, _) => {}
            (Role::Ultrapeer, Role::Leaf) if self.config.mode != Mode::Flat && !wanted.is_newest() => {
                self.leaf_query(from, &stepped, &query, payload, wanted, cx);
            }
            (Role::Ultrapeer, _) => self.relay(from, &stepped, payload, &wanted),
        }
    }

    /// Answers a query with what is shared, on the link that it came by.
    fn answer_query(
        &mut self,
        from: LinkId,
        stepped: &Header,
        query: &Query,
        payload: &Bytes,
        wanted: &Wanted,
        cx: &mut Cx<'_, Self>,
    ) {
        let hits = self.own_hits(query, wanted, Carried::BY_LINK);
        // A hit begins with the number of its records.
        let records = hits.iter().filter_map(|hit| hit.first()).map(|count| usize::from(*count)).sum();
        if records > 0 && self.offer(stepped, query, payload, records, cx) {
            return;
        }
        for hit in hits {
            let header = stepped.answer(crate::wire::Kind::QUERY_HIT, self.config.answer_slack);
            self.send(from, &header, &hit);
        }
    }

    /// Leads a query on to whom it is for.
    pub(super) fn relay(&mut self, from: LinkId, stepped: &Header, payload: &Bytes, wanted: &Wanted) {
        let (ttl, hops) = (stepped.ttl, stepped.hops);
        // Without a TTL it is for leaves alone, and they would not take it with none.
        let stepped = Header { ttl: ttl.max(1), ..*stepped };
        let among = match ttl {
            0 => Among::Leaves(wanted),
            _ => Among::Both { wanted, last: ttl == 1 },
        };
        let spread = self.links.spread(&stepped, payload, self.config.limits.queue, among, |link| {
            link.id != from && decide::gets(link.facing(), ttl, hops, wanted)
        });
        self.count_spread(spread);
    }

    /// Leads a query on to the leaves that it is for, whatever its TTL.
    pub(super) fn relay_to_leaves(
        &mut self,
        from: LinkId,
        header: &Header,
        payload: &Bytes,
        wanted: &Wanted,
    ) {
        let header = Header { ttl: header.ttl.max(1), ..*header };
        let among = Among::Leaves(wanted);
        let spread = self.links.spread(&header, payload, self.config.limits.queue, among, |link| {
            link.id != from && decide::gets(link.facing(), 1, header.hops, wanted)
        });
        self.count_spread(spread);
    }

    pub(super) const fn count_spread(&mut self, spread: super::links::Spread) {
        let sent = spread.ultrapeers + spread.leaves;
        self.counts.queries_out += sent;
        self.counts.queries_to_leaves += spread.leaves;
        self.counts.messages_out += sent;
        self.counts.crowded_out += spread.dropped;
    }
}
