//! The [`Servent`] machine: links to other servents, and what goes over them.
//!
//! ```text
//!  a stream ── door ── handshake ── link ─┬─ pings, pongs ── host cache
//!                                         ├─ tables of words, both ways
//!                                         ├─ queries ── seen before? ── own names ── hit, the way back
//!                                         │               └── neighbours: by TTL, table, role
//!                                         └─ hits, pushes ── the way back
//!  a search ── one neighbour after the other, as few as it takes ── hits
//! ```

mod commands;
mod config;
mod datagrams;
mod dial;
mod door;
mod dynamic;
mod elect;
mod error;
mod event;
mod guess;
mod guided;
mod heads;
mod hits;
mod hosts;
mod links;
mod messages;
mod oob;
mod pings;
mod primitives;
mod probes;
mod proxied;
mod queries;
mod queue;
mod reach;
mod route;
mod searches;
mod sieve;
mod stop;
#[cfg(feature = "node")]
mod system;
mod tables;
mod transfers;
mod vendor;

pub use config::{Config, Limits, Mode};
pub use error::Error;
pub use event::{Bootstrap, Command, Counts, Event, Hit, Neighbour, Parting, Shared, Strategy, Wish};
#[cfg(feature = "node")]
pub use system::{BootstrapError, ItemError, LocatorError};

use crate::Guid;
use crate::handshake::{Introduction, Role};
use crate::transfer::{self, Transfers};
use crate::wire::Families;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use door::Visitor;
use dynamic::Dynamic;
use heads::Heads;
use hosts::Hosts;
use links::{LinkId, Links};
use oob::OutOfBand;
use p2p_core::limit::PerKey;
use p2p_core::{
    ConnId, Cx, Input, Instant, IoError, ListenerId, Machine, OpId, OpInput, Rng, SocketId, StreamInput,
    TokenBucket,
};
use pings::Pongs;
use proxied::Proxied;
use queries::Seen;
use reach::Reached;
use route::table::Routes;
use searches::Searches;
use tables::Updates;
use transfers::Errands;

/// The timers of a [`Servent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// Links are to be looked after.
    Tend,
    /// What was written to compressed streams is to be flushed.
    Flush,
    /// Tables are to be told, if they changed.
    Tables,
    /// A stream has taken long enough to become something.
    Door(ConnId),
    /// A join has waited long enough.
    Join(OpId),
    /// A search may go on to another neighbour, or end.
    Search(Guid),
    /// Stopping has taken long enough.
    Farewell,
    /// Of the transfers.
    Transfer(transfer::Timer),
}

/// A servent of the Gnutella network as a state machine.
///
/// See the [crate's page](crate) for what it is made of.
pub struct Servent {
    config: Config,
    guid: Guid,
    role: Role,
    started: Instant,
    role_since: Instant,
    /// When it had an ultrapeer last ([`Mode::Auto`]).
    guided_at: Instant,
    /// How often it was an ultrapeer that had no leaf, one time after the other.
    unneeded: u32,
    listener: Option<ListenerId>,
    listening: Option<SocketAddr>,
    socket: Option<SocketId>,
    /// Where neighbours see this servent, the newest word of theirs.
    seen_at: Option<Ipv4Addr>,
    seen_at6: Option<Ipv6Addr>,
    reached: Reached,
    /// Neighbours that asked to be dialled or pinged.
    calls: TokenBucket,
    visitors: BTreeMap<ConnId, Visitor>,
    /// Streams of each address in a minute.
    knocks: PerKey<IpAddr>,
    links: Links,
    queries: Routes<Seen>,
    pings: Routes<LinkId>,
    pushes: Routes<LinkId>,
    /// Who asked by UDP.
    guesses: Routes<SocketAddr>,
    oob: OutOfBand,
    /// Queries of leaves whose hits come here.
    proxied: Proxied,
    /// Questions about files of leaves.
    heads: Heads,
    transfers: Transfers,
    /// What the overlay does for them.
    errands: Errands,
    /// Searches that nobody asked for but transfers.
    requeries: TokenBucket,
    /// Whether what is shared, or what leaves share, may have changed since tables were told.
    tables_stale: bool,
    updates: Updates,
    tables_set: bool,
    flush_set: bool,
    /// When links are looked after next.
    tends_at: Option<Instant>,
    searches: Searches,
    dynamics: BTreeMap<Guid, Dynamic>,
    hosts: Hosts,
    pongs: Pongs,
    joins: BTreeMap<OpId, bool>,
    datagrams: TokenBucket,
    /// Datagrams of each address in a second.
    udp_knocks: PerKey<IpAddr>,
    /// Host caches that are asked once the port is bound.
    udp_waiting: Vec<SocketAddr>,
    /// The body of an answer about web caches that is being written.
    web_body: Vec<u8>,
    pushes_told: TokenBucket,
    counts: Counts,
    stopping: bool,
    /// Byes were sent, or have had their time.
    farewell_over: bool,
    halted: bool,
}

impl core::fmt::Debug for Servent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Servent")
            .field("role", &self.role)
            .field("listening", &self.listening)
            .field("links", &self.links.len())
            .field("visitors", &self.visitors.len())
            .finish_non_exhaustive()
    }
}

/// What a servent holds that strangers could make grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Streams that have not become anything.
    pub visitors: usize,
    /// Neighbours.
    pub links: usize,
    /// Bytes that wait for neighbours, or of messages of theirs whose end has not come.
    pub held: usize,
    /// GUIDs that are remembered, of queries, pings, and servents.
    pub routes: usize,
    /// Searches of leaves.
    pub leaf_searches: usize,
    /// Addresses that are known.
    pub hosts: usize,
    /// Offers of hits by UDP, claims, queries of leaves whose hits come by UDP, and what leaves are asked of files.
    pub offers: usize,
    /// What transfers hold.
    pub transfers: transfer::Load,
}

impl Servent {
    /// A servent that is nowhere yet. What it is called, and what hides its tables from who would fill them, is drawn from
    /// `rng`.
    #[must_use]
    pub fn new(config: Config, rng: &mut Rng) -> Self {
        let limits = &config.limits;
        let role = match config.mode {
            Mode::Leaf | Mode::Auto => Role::Leaf,
            Mode::Ultrapeer | Mode::Flat => Role::Ultrapeer,
        };
        let guid = Guid::of_servent(rng);
        let of_transfers =
            transfer::Config { servent: guid, agent: config.user_agent.clone(), ..config.transfers.clone() };
        Self {
            guid,
            role,
            started: Instant::ZERO,
            role_since: Instant::ZERO,
            guided_at: Instant::ZERO,
            unneeded: 0,
            listener: None,
            listening: None,
            socket: None,
            seen_at: None,
            seen_at6: None,
            reached: Reached::new(rng),
            // In sixtieths.
            calls: TokenBucket::new(Instant::ZERO, limits.calls, limits.calls.saturating_mul(60)),
            visitors: BTreeMap::new(),
            // In sixtieths of a stream.
            knocks: PerKey::new(limits.addresses, limits.per_address, limits.per_address.saturating_mul(60)),
            links: Links::default(),
            queries: Routes::new(limits.routes, limits.route_age, rng),
            pings: Routes::new(limits.routes.div_ceil(8), limits.route_age, rng),
            pushes: Routes::new(limits.push_routes, limits.route_age * 2, rng),
            guesses: Routes::new(limits.offers, limits.route_age, rng),
            oob: OutOfBand::new(limits.offers, limits.addresses, rng),
            proxied: Proxied::new(limits.leaf_searches),
            heads: Heads::new(limits.offers),
            transfers: Transfers::new(of_transfers),
            errands: Errands::default(),
            // In sixtieths.
            requeries: TokenBucket::new(Instant::ZERO, limits.requeries, limits.requeries.saturating_mul(60)),
            tables_stale: false,
            updates: Updates::default(),
            tables_set: false,
            flush_set: false,
            tends_at: None,
            searches: Searches::default(),
            dynamics: BTreeMap::new(),
            hosts: Hosts::new(limits.hosts),
            pongs: Pongs::new(limits.pongs),
            joins: BTreeMap::new(),
            datagrams: TokenBucket::new(Instant::ZERO, limits.datagrams, limits.datagrams),
            udp_knocks: PerKey::new(limits.addresses, 1, 5),
            udp_waiting: Vec::new(),
            web_body: Vec::new(),
            // In sixtieths.
            pushes_told: TokenBucket::new(Instant::ZERO, limits.pushes, limits.pushes.saturating_mul(60)),
            counts: Counts::default(),
            stopping: false,
            farewell_over: false,
            halted: false,
            config,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn guid(&self) -> Guid {
        self.guid
    }

    /// What it is just now.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Where it listens, once it does.
    #[must_use]
    pub const fn listening(&self) -> Option<SocketAddr> {
        self.listening
    }

    /// What it did so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Its neighbours.
    pub fn neighbours(&self) -> impl Iterator<Item = Neighbour> {
        self.links.iter().map(links::Link::told_as)
    }

    /// What it holds that strangers could make grow.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            visitors: self.visitors.len(),
            links: self.links.len(),
            held: self.links.iter().map(links::Link::held).sum(),
            routes: self.queries.len() + self.pings.len() + self.pushes.len() + self.guesses.len(),
            offers: self.oob.len() + self.proxied.len() + self.heads.len(),
            leaf_searches: self.dynamics.values().filter(|dynamic| !dynamic.is_own()).count(),
            hosts: self.hosts.len(),
            transfers: self.transfers.load(),
        }
    }

    /// Reads something of each part of memory that the next message needs: for
    /// [`Sim::look_into`](https://docs.rs/p2p-sim) and drivers like it. The number means nothing.
    #[must_use]
    pub fn touch(&self) -> u64 {
        self.links.touch()
            ^ self.counts.messages_in
            ^ self.config.silence.as_nanos() as u64
            ^ self.pings.len() as u64
    }

    /// Reads something of what the first message of these bytes needs, which come on a stream.
    #[must_use]
    pub fn touch_for(&self, conn: ConnId, data: &[u8]) -> u64 {
        use crate::wire::{Header, Kind};
        let link = self.links.of(conn).and_then(|id| self.links.get(id)).map_or(0, links::Link::touch);
        let Some(head) = data.first_chunk() else { return link };
        let (header, _) = Header::parse(head);
        match header.kind {
            Kind::QUERY | Kind::QUERY_HIT => link ^ u64::from(self.queries.get(&header.guid).is_some()),
            _ => link,
        }
    }

    /// Where others reach it, as far as that is known: what messages carry.
    fn reached_at(&self) -> SocketAddrV4 {
        let port = self.config.reached_at.or(self.listening).map_or(0, |at| at.port());
        let v4 = |at: SocketAddr| match at {
            SocketAddr::V4(v4) if !v4.ip().is_unspecified() => Some(v4),
            _ => None,
        };
        // Of a port that takes IPv6 alone they see another.
        let takes = self.listening.is_none_or(|at| at.is_ipv4() || at.ip().is_unspecified());
        let seen = || Some(SocketAddrV4::new(self.seen_at.filter(|_| takes)?, port));
        let listening = || self.listening.and_then(v4);
        (self.config.reached_at.and_then(v4).or_else(seen).or_else(listening))
            .unwrap_or_else(|| SocketAddrV4::new(crate::wire::NO_ADDRESS, port))
    }

    /// Its IPv6 address, if it has one that others reach, at the same port.
    fn reached_at6(&self) -> Option<Ipv6Addr> {
        let v6 = |at: SocketAddr| match at.ip() {
            IpAddr::V6(v6) if !v6.is_unspecified() && v6.to_ipv4_mapped().is_none() => Some(v6),
            _ => None,
        };
        // Who can dial by IPv6 need not listen there.
        let seen = self.seen_at6.filter(|_| self.listening.is_none_or(|at| at.is_ipv6()));
        (self.config.reached_at.and_then(v6)).or(seen).or_else(|| self.listening.and_then(v6))
    }

    /// Which addresses are of use to it: of IPv6 if it has such a one, and of IPv4 if it has that, or none at all.
    fn families(&self) -> Families {
        let v6 = self.reached_at6().or(self.seen_at6).is_some();
        let v4 = self.seen_at.is_some() || *self.reached_at().ip() != crate::wire::NO_ADDRESS;
        Families { v4: v4 || !v6, v6 }
    }

    /// Whether nobody can dial it: it does not listen, or nobody of those could who were asked to.
    fn is_firewalled(&self) -> bool {
        let listens = self.listening.is_some() || self.config.reached_at.is_some();
        !listens || self.reached.tcp == Some(false)
    }

    /// What it tells of itself in handshakes.
    fn introduction(&self) -> Introduction {
        let mut us = Introduction::new(self.role, self.guid, self.config.user_agent.clone());
        us.guess = self.config.guess && self.socket.is_some() && self.role == Role::Ultrapeer;
        us.tls = self.config.tls;
        if us.tls {
            // Streams that begin with a hello are taken.
            us.features.push("tls/1.0".into());
        }
        us.degree = self.config.degree;
        us.max_ttl = self.config.max_ttl;
        us.accepts_deflate = self.config.deflate;
        // A compressor is 320 kB: leaves are written plain streams.
        us.sends_deflate = self.config.deflate;
        let at = self.reached_at();
        let v4 = (*at.ip() != crate::wire::NO_ADDRESS).then_some(SocketAddr::V4(at));
        let v6 = self.reached_at6().map(|v6| SocketAddr::from((v6, at.port())));
        if v6.is_some() {
            // IPv6-Ready, section 5.1.
            us.features.push(if v4.is_some() { "IP/6.0" } else { "IP/6.4" }.into());
        }
        us.listens_at = v4.or(v6).filter(|_| !self.is_firewalled());
        us
    }

    fn listener(&mut self, listener: ListenerId, at: Result<SocketAddr, IoError>, cx: &mut Cx<'_, Self>) {
        if self.listener != Some(listener) {
            return;
        }
        match at {
            Ok(at) => {
                self.listening = Some(at);
                if self.config.udp && self.socket.is_none() {
                    self.socket = Some(cx.bind(at));
                    self.udp_bound(cx);
                }
                cx.tell(Event::Listening(at));
            }
            Err(why) => {
                self.listener = None;
                self.listening = None;
                let at = self.config.listen.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
                cx.tell(Event::NotListening(Error::Listen { at, why }));
            }
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Cx<'_, Self>) {
        match timer {
            Timer::Tend => self.tend(cx),
            Timer::Flush => self.flush_due(cx),
            Timer::Tables => self.tables_due(cx),
            Timer::Door(conn) => self.visitor_late(conn, cx),
            Timer::Join(op) => self.join_late(op, cx),
            Timer::Search(guid) => self.search_due(guid, cx),
            Timer::Farewell => self.farewell_over(cx),
            Timer::Transfer(timer) => {
                self.with_transfers(cx, |transfers, cx| transfers.handle(Input::Timer(timer), cx));
            }
        }
    }

    fn stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Cx<'_, Self>) {
        let Some(id) = self.links.of(conn) else {
            if self.transfers.owns(conn) {
                return self.with_transfers(cx, |transfers, cx| {
                    transfers.handle(Input::Stream(conn, input), cx);
                });
            }
            return self.visitor(conn, input, cx);
        };
        match input {
            StreamInput::Data(data) => self.heard(id, data, cx),
            StreamInput::Full => self.link_full(id, true),
            StreamInput::Ready => self.link_full(id, false),
            StreamInput::Closed(_) => self.part(id, Parting::Closed, cx),
            StreamInput::Open { .. } | StreamInput::Secured(_) => {}
        }
    }

    fn op(&mut self, op: OpId, input: OpInput<Command>, cx: &mut Cx<'_, Self>) {
        match input {
            OpInput::Ask(command) => self.command(op, command, cx),
            OpInput::Cancel => self.cancel(op, cx),
            // Hits and progress are few, and a search ends by itself.
            OpInput::Full | OpInput::Ready => {}
        }
    }
}

impl Machine for Servent {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        if self.halted {
            return;
        }
        match input {
            Input::Start => {
                self.started = cx.now();
                self.listener = self.config.listen.map(|at| cx.listen(at));
                self.tend_by(cx.now(), cx);
                self.with_transfers(cx, |transfers, cx| transfers.handle(Input::Start, cx));
            }
            Input::Op(op, input) => self.op(op, input, cx),
            Input::Timer(timer) => self.timer(timer, cx),
            Input::Stream(conn, input) => self.stream(conn, input, cx),
            Input::Listener(listener, at) => self.listener(listener, at, cx),
            Input::Bound(socket, Err(_)) if self.socket == Some(socket) => self.socket = None,
            Input::Datagram(socket, datagram) if self.socket == Some(socket) => self.datagram(datagram, cx),
            Input::Resolved(lookup, found) => self.resolved(lookup, found, cx),
            Input::Stop => self.stop(cx),
            Input::Job(job, done) => {
                self.with_transfers(cx, |transfers, cx| transfers.handle(Input::Job(job, done), cx));
            }
            Input::Bound(..) | Input::Datagram(..) => {}
        }
        self.check_halted(cx);
        if !self.halted {
            self.hand_out(cx);
        }
    }
}
