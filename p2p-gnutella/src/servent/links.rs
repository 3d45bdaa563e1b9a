//! [`Links`]: the neighbours, and what is written to them.

use super::Servent;
use super::config::Limits;
use super::event::Neighbour;
use super::queue::Queue;
use super::route::decide::Facing;
use super::sieve::{LANE, Sieve};
use crate::Guid;
use crate::deflate::{Deflater, Inflater, LINK, LINK_LEVEL};
use crate::handshake::{self, Role, Version};
use crate::qrp::{Progress, Receiver, RouteError, Table, Wanted};
use crate::wire::{Decoder, Header, Heads, Route};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::{ConnId, Cx, Instant, TokenBucket};

/// A neighbour, by its place and by which neighbour of that place it is: one that is gone is nobody, not another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId(u32);

impl LinkId {
    /// This servent itself.
    pub(crate) const SELF: Self = Self(u32::MAX);
    /// Whoever asked by UDP.
    pub(crate) const BY_UDP: Self = Self(u32::MAX - (1 << 16));

    const fn place(self) -> usize {
        (self.0 & 0xffff) as usize
    }
}

/// Bytes for a neighbour that are gathered before they wait in its queue: more than one burst of an honest one makes.
const GATHERED_MAX: usize = 256 << 10;
/// Whose tables patches with a bit for each slot spoil: gtk-gnutella 1.2.3, which says that it takes them, folds the bits of
/// one that changes a table into the first eighth of it, and is asked for next to nothing after that.
const SPOILT_BY_BITS: &str = "gtk-gnutella";
/// Bits for each slot of a table that everybody takes.
const ENTRY_BITS: u8 = 4;
/// A compressed stream is flushed when so much was written to it.
const FLUSH_BYTES: usize = 4 << 10;

/// Neighbours that are touched ahead: all that a leaf has.
const TOUCHED: usize = 4;

/// A neighbour.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) conn: ConnId,
    /// The other end of the connection.
    pub(crate) addr: SocketAddr,
    /// Where it says that it listens, at that address.
    pub(crate) listens_at: Option<SocketAddr>,
    pub(crate) dialled: bool,
    pub(crate) secured: bool,
    /// Its name, if it told it.
    pub(crate) guid: Option<Guid>,
    pub(crate) peer_role: Role,
    /// A link of 0.4, or of a servent without roles: it knows no tables and no vendor messages, and relays pings.
    pub(crate) plain: bool,
    pub(crate) speaks_bye: bool,
    pub(crate) speaks_vendor: bool,
    pub(crate) takes_tables: bool,
    pub(crate) ext_probes: bool,
    /// Whether it answers queries by UDP.
    pub(crate) guess: bool,
    pub(crate) degree: u16,
    pub(crate) max_ttl: u8,
    pub(crate) decoder: Decoder,
    pub(crate) inflater: Option<Inflater>,
    deflater: Option<Deflater>,
    /// Bytes written since the last flush.
    unflushed: usize,
    out: BytesMut,
    dirty: bool,
    /// Whether the network takes no more just now.
    pub(crate) full: bool,
    pub(crate) queue: Queue,
    /// What it may have.
    pub(crate) receiver: Receiver,
    pub(crate) resets: TokenBucket,
    /// What it knows of what this side may have.
    pub(crate) told: Option<Arc<Table>>,
    /// Bits for each slot of what it is told of a table.
    pub(crate) entry_bits: u8,
    spoilt_by_bits: bool,
    pub(crate) hops_flow: u8,
    /// The version in which it can be asked to lead pushes here, until it was.
    pub(crate) push_proxy: Option<u16>,
    /// The highest version of hits by UDP that it wants nobody to speak for it; 0 for none.
    pub(crate) oob_veto: u8,
    /// Whether it wants to be asked for the newest files.
    pub(crate) whats_new: bool,
    pub(crate) queries: TokenBucket,
    pub(crate) pings: TokenBucket,
    pub(crate) heard_at: Instant,
    pub(crate) pinged_at: Option<Instant>,
}

impl Link {
    /// What is agreed on, as a neighbour.
    pub(crate) fn new(
        conn: ConnId,
        addr: SocketAddr,
        dialled: bool,
        link: &handshake::Link,
        limits: &Limits,
        now: Instant,
    ) -> Self {
        let peer = &link.peer;
        let plain = link.old || peer.ultrapeer.is_none();
        let listens_at = if dialled { Some(addr) } else { peer.listens_at.filter(|at| at.ip() == addr.ip()) };
        let queries = match link.peer_role {
            Role::Leaf => TokenBucket::new(now, limits.leaf_queries.div_ceil(60), limits.leaf_queries),
            Role::Ultrapeer => TokenBucket::new(now, limits.query_rate, limits.query_rate.saturating_mul(4)),
        };
        Self {
            id: LinkId::SELF,
            conn,
            addr,
            listens_at,
            dialled,
            secured: false,
            guid: peer.guid,
            peer_role: link.peer_role,
            plain,
            speaks_bye: peer.bye.is_some(),
            speaks_vendor: peer.vendor_messages.is_some(),
            takes_tables: match link.peer_role {
                Role::Leaf => false,
                // A leaf tells every ultrapeer; an ultrapeer tells those that say that they know what to do with it.
                Role::Ultrapeer if link.role == Role::Leaf => peer.query_routing.is_some(),
                Role::Ultrapeer => peer.ultrapeer_query_routing.is_some(),
            } && !plain,
            ext_probes: peer.ext_probes >= Some(Version(0, 1)),
            guess: peer.guess.is_some(),
            degree: peer.degree.unwrap_or(6),
            max_ttl: peer.max_ttl.unwrap_or(4),
            decoder: Decoder::new(limits.sizes),
            inflater: link.inflate.then(|| Inflater::new(LINK)),
            deflater: link.deflate.then(|| Deflater::new(LINK_LEVEL)),
            unflushed: 0,
            out: BytesMut::new(),
            dirty: false,
            full: false,
            queue: Queue::default(),
            receiver: Receiver::new(limits.table_bits),
            // In sixtieths of a reset.
            resets: TokenBucket::new(now, limits.table_resets, 60 * (limits.table_resets + 1)),
            told: None,
            entry_bits: ENTRY_BITS,
            spoilt_by_bits: peer.user_agent.as_ref().is_some_and(|agent| agent.starts_with(SPOILT_BY_BITS)),
            hops_flow: u8::MAX,
            push_proxy: None,
            oob_veto: 0,
            whats_new: false,
            queries,
            // Ten at once, one in three seconds: in thirds.
            pings: TokenBucket::new(now, 1, 30),
            heard_at: now,
            pinged_at: None,
        }
    }

    /// It takes patches with a bit for each slot: a quarter of what is to be packed here, and unpacked there.
    pub(crate) const fn takes_bits(&mut self) {
        if !self.spoilt_by_bits {
            self.entry_bits = 1;
        }
    }

    pub(crate) fn facing(&self) -> Facing<'_> {
        Facing {
            role: self.peer_role,
            table: self.receiver.table(),
            hops_flow: self.hops_flow,
            whats_new: self.whats_new,
        }
    }

    /// Reads something of what a message of it needs.
    pub(crate) fn touch(&self) -> u64 {
        let (heard, decoded) = (self.heard_at.as_nanos(), self.decoder.len() as u64);
        heard ^ decoded ^ self.queries.rate() ^ self.out.len() as u64 ^ u64::from(self.hops_flow)
    }

    /// As it is told to the application.
    pub(crate) fn told_as(&self) -> Neighbour {
        Neighbour {
            addr: self.addr,
            role: self.peer_role,
            dialled: self.dialled,
            secured: self.secured,
            deflate: (self.inflater.is_some(), self.deflater.is_some()),
            table: self.receiver.table().is_some(),
        }
    }

    /// Bytes that are held for it, both ways.
    pub(crate) fn held(&self) -> usize {
        self.decoder.len() + self.out.len() + self.queue.len()
    }
}

/// The neighbours.
#[derive(Debug, Default)]
pub(crate) struct Links {
    places: Vec<Option<Link>>,
    generation: u16,
    /// In order of their streams, which are numbered as they come: the newest is the last.
    by_conn: Vec<(ConnId, LinkId)>,
    /// The places of those that are ultrapeers.
    ultrapeers: Vec<u16>,
    /// A bit for each place, 64 in a lane: those of leaves.
    leaves: Vec<u64>,
    /// What all of their tables tell.
    sieve: Sieve,
    heads: Heads,
    /// Those that something was written to in this input.
    dirty: Vec<LinkId>,
}

impl Links {
    pub(crate) fn len(&self) -> usize {
        self.by_conn.len()
    }

    pub(crate) fn count(&self, role: Role) -> usize {
        match role {
            Role::Leaf => self.len() - self.ultrapeers.len(),
            Role::Ultrapeer => self.ultrapeers.len(),
        }
    }

    /// Adds a neighbour; `None` if there are as many as can be numbered.
    pub(crate) fn add(&mut self, mut link: Link) -> Option<LinkId> {
        let free = self.places.iter().position(Option::is_none).unwrap_or(self.places.len());
        let place = u16::try_from(free).ok().filter(|place| *place < u16::MAX)?;
        self.generation = self.generation.wrapping_add(1);
        let id = LinkId(u32::from(place) | u32::from(self.generation) << 16);
        link.id = id;
        let at = self.by_conn.partition_point(|(conn, _)| *conn < link.conn);
        self.by_conn.insert(at, (link.conn, id));
        match link.peer_role {
            Role::Ultrapeer => self.ultrapeers.push(place),
            Role::Leaf => {
                let lanes = self.leaves.len().max(free / LANE + 1);
                self.leaves.resize(lanes, 0);
                self.leaves[free / LANE] |= 1 << (free % LANE);
            }
        }
        self.sieve.tell(free, None);
        if free == self.places.len() {
            self.places.push(Some(link));
        } else {
            self.places[free] = Some(link);
        }
        Some(id)
    }

    pub(crate) fn remove(&mut self, id: LinkId) -> Option<Link> {
        let place = self.places.get_mut(id.place())?;
        place.as_ref().filter(|link| link.id == id)?;
        let link = place.take()?;
        self.ultrapeers.retain(|place| usize::from(*place) != id.place());
        if let Some(leaves) = self.leaves.get_mut(id.place() / LANE) {
            *leaves &= !(1 << (id.place() % LANE));
        }
        self.by_conn.retain(|(conn, _)| *conn != link.conn);
        Some(link)
    }

    pub(crate) fn of(&self, conn: ConnId) -> Option<LinkId> {
        let at = self.by_conn.binary_search_by_key(&conn, |(conn, _)| *conn).ok()?;
        Some(self.by_conn[at].1)
    }

    pub(crate) fn get(&self, id: LinkId) -> Option<&Link> {
        self.places.get(id.place())?.as_ref().filter(|link| link.id == id)
    }

    /// Whether it is a neighbour, and a leaf.
    pub(crate) fn is_leaf(&self, id: LinkId) -> bool {
        self.get(id).is_some_and(|link| link.peer_role == Role::Leaf)
    }

    pub(crate) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.places.get_mut(id.place())?.as_mut().filter(|link| link.id == id)
    }

    /// Reads something of what is needed to find a neighbour, and of the first few themselves.
    pub(crate) fn touch(&self) -> u64 {
        let first = self.by_conn.first().map_or(0, |(conn, _)| conn.raw());
        let some = self.iter().take(TOUCHED).map(|link| u64::from(link.id.0) ^ link.queue.len() as u64);
        some.fold(first, |all, one| all ^ one)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.places.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        self.places.iter_mut().flatten()
    }

    /// All neighbours, to be gone through while they change.
    pub(crate) fn ids(&self) -> Vec<LinkId> {
        self.iter().map(|link| link.id).collect()
    }

    /// Writes a message to a neighbour; how many were dropped for it.
    pub(crate) fn send(&mut self, id: LinkId, header: &Header, payload: &[u8], queue_max: usize) -> u64 {
        let Some(link) = self.places.get_mut(id.place()).and_then(Option::as_mut) else { return 0 };
        if link.id != id {
            return 0;
        }
        put(link, &mut self.dirty, &mut self.heads, header, payload, queue_max)
    }

    /// A part of a neighbour's table.
    ///
    /// # Errors
    /// If it makes no sense.
    pub(crate) fn take_route(&mut self, id: LinkId, route: &Route) -> Option<Result<Progress, RouteError>> {
        let link = self.places.get_mut(id.place())?.as_mut().filter(|link| link.id == id)?;
        let taken = link.receiver.take(route);
        // While a patch comes its table is neither the old nor the new one.
        let whole = link.receiver.table().filter(|_| taken == Ok(Progress::Complete));
        self.sieve.tell(id.place(), whole);
        Some(taken)
    }

    /// Writes a message to every neighbour that `gets` it, of those among whom it is spread; to how many of both kinds, and
    /// how many messages were dropped for it.
    pub(crate) fn spread(
        &mut self,
        header: &Header,
        payload: &[u8],
        queue_max: usize,
        among: Among<'_>,
        gets: impl Fn(&Link) -> bool,
    ) -> Spread {
        let Self { places, ultrapeers, leaves, sieve, dirty, heads, .. } = self;
        let (mut spread, all) = (Spread::default(), places.len());
        let mut each = |place: usize| {
            if let Some(Some(link)) = places.get_mut(place)
                && gets(link)
            {
                match link.peer_role {
                    Role::Leaf => spread.leaves += 1,
                    Role::Ultrapeer => spread.ultrapeers += 1,
                }
                spread.dropped += put(link, dirty, heads, header, payload, queue_max);
            }
        };
        match among {
            Among::All => (0..all).for_each(each),
            Among::Leaves(wanted) => sift(leaves, sieve, wanted, each),
            Among::Both { wanted, last } => {
                // Those of the lane that was looked at last.
                let mut may = (usize::MAX, u64::MAX);
                for place in ultrapeers.iter().map(|place| usize::from(*place)) {
                    if last && may.0 != place / LANE {
                        may = (place / LANE, sieve.of(place / LANE, wanted));
                    }
                    if may.1 & 1 << (place % LANE) != 0 {
                        each(place);
                    }
                }
                sift(leaves, sieve, wanted, each);
            }
        }
        spread
    }
}

/// Whom a message may be for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Among<'a> {
    All,
    /// Leaves that may have what is wanted.
    Leaves(&'a Wanted),
    /// Those, and ultrapeers: on the `last` hop those that may have it.
    Both {
        wanted: &'a Wanted,
        last: bool,
    },
}

/// The places of leaves that may have what is wanted.
fn sift(leaves: &[u64], sieve: &Sieve, wanted: &Wanted, mut each: impl FnMut(usize)) {
    for (lane, leaves) in leaves.iter().enumerate().filter(|(_, leaves)| **leaves != 0) {
        let mut some = leaves & sieve.of(lane, wanted);
        while some != 0 {
            each(lane * LANE + some.trailing_zeros() as usize);
            some &= some - 1;
        }
    }
}

/// Where a message went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread {
    pub(crate) ultrapeers: u64,
    pub(crate) leaves: u64,
    /// Messages that were dropped because a neighbour takes too little.
    pub(crate) dropped: u64,
}

fn put(
    link: &mut Link,
    dirty: &mut Vec<LinkId>,
    heads: &mut Heads,
    header: &Header,
    payload: &[u8],
    queue_max: usize,
) -> u64 {
    if !link.full && !link.dirty {
        link.dirty = true;
        dirty.push(link.id);
    }
    if link.full || !link.queue.is_empty() || link.out.len() > GATHERED_MAX {
        return link.queue.push(header.kind, heads.whole(header, payload), queue_max);
    }
    link.out.put_slice(&header.to_bytes(payload.len() as u32));
    link.out.put_slice(payload);
    0
}

impl Link {
    /// Hands what was gathered to the network; whether something waits in a compressor.
    fn hand_out(&mut self, at_once: bool, cx: &mut Cx<'_, Servent>) -> bool {
        self.dirty = false;
        // What waited goes first, as much at once as the network is given before it can say that it is full.
        while !self.full && self.out.len() < GATHERED_MAX {
            let Some(message) = self.queue.pop() else { break };
            self.out.put_slice(&message);
        }
        let Some(deflater) = &mut self.deflater else {
            cx.send(self.conn, self.out.split().freeze());
            return false;
        };
        let mut packed = BytesMut::new();
        deflater.push(&self.out, &mut packed);
        self.unflushed += self.out.len();
        self.out.clear();
        if at_once || self.unflushed >= FLUSH_BYTES {
            deflater.flush(&mut packed);
            self.unflushed = 0;
        }
        cx.send(self.conn, packed.freeze());
        self.unflushed > 0
    }

    /// Hands out all that is left, in a hurry: the link ends.
    pub(crate) fn hand_out_last(&mut self, last: &[u8], cx: &mut Cx<'_, Servent>) {
        self.out.put_slice(last);
        self.hand_out(true, cx);
    }
}

impl Servent {
    /// Hands out what was written in this input.
    pub(super) fn hand_out(&mut self, cx: &mut Cx<'_, Self>) {
        let at_once = self.config.flush_after.is_zero();
        let mut waits = false;
        while let Some(id) = self.links.dirty.pop() {
            if let Some(link) = self.links.get_mut(id) {
                waits |= link.hand_out(at_once, cx);
            }
        }
        if waits && !self.flush_set {
            self.flush_set = true;
            cx.set_timer(super::Timer::Flush, self.config.flush_after);
        }
    }

    /// What was written to compressed streams has waited long enough.
    pub(super) fn flush_due(&mut self, cx: &mut Cx<'_, Self>) {
        self.flush_set = false;
        for link in self.links.iter_mut().filter(|link| link.unflushed > 0) {
            link.hand_out(true, cx);
        }
    }

    /// The network takes more for a neighbour, or no more.
    pub(super) fn link_full(&mut self, id: LinkId, full: bool) {
        let Some(link) = self.links.get_mut(id) else { return };
        link.full = full;
        if !full && !link.dirty {
            link.dirty = true;
            self.links.dirty.push(id);
        }
    }

    /// Writes a message to a neighbour.
    pub(super) fn send(&mut self, id: LinkId, header: &Header, payload: &Bytes) {
        self.counts.messages_out += 1;
        self.counts.crowded_out += self.links.send(id, header, payload, self.config.limits.queue);
    }
}
