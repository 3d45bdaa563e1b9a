//! Hits by UDP for leaves that cannot take them (OOB proxying, out-of-band 3): [`Proxied`].
//!
//! A leaf's query that asks for no hits by UDP goes on under a name of this ultrapeer's, with its address in it, and its hits
//! come here straight from who has them. They are led to the leaf under the name that the leaf gave. So they pass nobody else,
//! and nobody learns by the query whose it is. A leaf may forbid it, for one query (`NP`) or for all (LIME/13).

use super::Servent;
use super::links::LinkId;
use super::queries::Seen;
use crate::Guid;
use crate::ggep::fields::name;
use crate::wire::vendor::{MessageType, SupportedMessages};
use crate::wire::{Header, Kind, Message, Query, QueryFlags, QueryHit, VendorCode, VendorMessage};
use alloc::collections::BTreeMap;
use bytes::Bytes;
use p2p_core::{Cx, Duration, Instant};

/// Forbids it.
pub(super) const VETO: MessageType = MessageType::new(VendorCode::LIME, 13, 1);
/// The version of the protocol that is spoken for leaves: hits bear tokens.
const VERSION: u8 = 3;
/// Hits that are taken for a query, for each that ends its search: some are of the same file.
const SPARE: u32 = 2;

/// Queries of leaves that went on under other names.
#[derive(Debug)]
pub(super) struct Proxied {
    cap: usize,
    /// By the name that they went on with.
    queries: BTreeMap<Guid, Own>,
    /// That name, by the name that the leaf gave.
    names: BTreeMap<Guid, Guid>,
}

/// A query as its leaf knows it.
#[derive(Debug)]
struct Own {
    leaf: LinkId,
    name: Guid,
    since: Instant,
    /// Hits that may be claimed yet.
    left: u32,
}

impl Proxied {
    /// As many at once as `cap`.
    pub(super) const fn new(cap: usize) -> Self {
        Self { cap, queries: BTreeMap::new(), names: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.queries.len()
    }

    fn forget(&mut self, now: Instant, life: Duration) {
        self.queries.retain(|_, own| now.since(own.since) < life);
        let queries = &self.queries;
        self.names.retain(|_, name| queries.contains_key(name));
    }

    /// A leaf is gone: its queries are nobody's.
    pub(super) fn drop_of(&mut self, leaf: LinkId) {
        self.queries.retain(|_, own| own.leaf != leaf);
        let queries = &self.queries;
        self.names.retain(|_, name| queries.contains_key(name));
    }

    /// Whose query this is, and the name that he gave it.
    pub(super) fn of(&self, name: &Guid) -> Option<(LinkId, Guid)> {
        self.queries.get(name).map(|own| (own.leaf, own.name))
    }

    /// The name that a query goes by, of the name that its leaf gave.
    pub(super) fn name_of(&self, own: &Guid) -> Guid {
        self.names.get(own).copied().unwrap_or(*own)
    }

    /// How many hits of it may be claimed yet.
    pub(super) fn left(&self, name: &Guid) -> usize {
        self.queries.get(name).map_or(0, |own| own.left as usize)
    }

    /// So many are.
    pub(super) fn claim(&mut self, name: &Guid, hits: u8) {
        if let Some(own) = self.queries.get_mut(name) {
            own.left = own.left.saturating_sub(hits.into());
        }
    }
}

impl Servent {
    /// A leaf's query as it goes on, if its hits are to come here by UDP: another name, and another payload.
    pub(super) fn proxy(
        &mut self,
        leaf: LinkId,
        stepped: &Header,
        query: &Query,
        cx: &mut Cx<'_, Self>,
    ) -> Option<(Guid, Bytes)> {
        let to = self.hits_come_to().filter(|_| self.config.oob_proxy)?;
        let forbids = self.links.get(leaf).is_none_or(|link| link.oob_veto >= VERSION);
        let asked = query.flags.has(QueryFlags::OUT_OF_BAND);
        if forbids || asked || !query.flags.is_marked() || query.extensions().has(name::NO_PROXY) {
            return None;
        }
        let now = cx.now();
        // Whoever has a file may think about it for as long as an offer stands.
        self.proxied.forget(now, self.config.search_for + super::oob::LIFE);
        if self.proxied.queries.len() >= self.proxied.cap {
            return None;
        }
        let goes_by = Guid::out_of_band(to, cx.rng());
        let extensions = match query.extensions().has(name::SECURE_OOB) {
            true => query.extensions.clone(),
            false => query.extensions().with(name::SECURE_OOB, b""),
        };
        let flags = QueryFlags(query.flags.0 | QueryFlags::OUT_OF_BAND);
        let payload = Message::Query(Query { flags, text: query.text.clone(), extensions }).to_bytes();
        let left = self.config.leaf_hits.saturating_mul(SPARE);
        self.proxied.queries.insert(goes_by, Own { leaf, name: stepped.guid, since: now, left });
        self.proxied.names.insert(stepped.guid, goes_by);
        // Hits may come by links all the same, and the query may come back.
        self.queries.insert(now, goes_by, Seen { link: leaf, ttl: u8::MAX });
        Some((goes_by, payload))
    }

    /// Whether the leaf of a query under another name is still there.
    pub(super) fn has_leaf_of(&self, name: &Guid) -> bool {
        self.proxied.of(name).is_some_and(|(leaf, _)| self.links.get(leaf).is_some())
    }

    /// A hit by UDP of a query that went on for a leaf.
    pub(super) fn hit_for_leaf(&mut self, header: &Header, hit: &QueryHit) {
        let Some((leaf, name)) = self.proxied.of(&header.guid) else { return };
        let hops = header.hops.saturating_add(1);
        let header = Header { guid: name, kind: Kind::QUERY_HIT, ttl: 1, hops };
        self.lead(LinkId::BY_UDP, leaf, &header, &Message::QueryHit(hit.clone()).to_bytes());
    }

    /// An ultrapeer is told that it shall not take hits for this leaf, if that is so and it understands that.
    pub(super) fn veto(&mut self, id: LinkId, types: &SupportedMessages) {
        if !self.config.oob_proxy && types.has(VETO) {
            self.say(id, &Message::Vendor(VendorMessage::OobProxyVeto(None).to_vendor()));
        }
    }
}
