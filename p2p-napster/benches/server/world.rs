//! One server machine in memory: what it is given comes at once, what it sends is counted and dropped.

use bytes::Bytes;
use p2p_core::{
    ConnId, Cx, Duration, Effect, Input, Instant, ListenerId, Machine, OpId, OpInput, Rng, Source,
    StreamInput, UnixTime,
};
use p2p_napster::server::{Config, Server, ServerCommand, ServerEvent, ServerStats, ServerTimer};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What came in one read of a socket: a segment of a network.
pub(crate) const SEGMENT: usize = 1460;

pub(crate) struct World {
    server: Server,
    pub(crate) now: Instant,
    source: Source,
    effects: Vec<Effect<Server>>,
    timers: BTreeMap<ServerTimer, Instant>,
    stats: ServerStats,
    /// Bytes that the server sent, and in how many pieces.
    pub(crate) sent: u64,
    pub(crate) sends: u64,
    /// Streams that it closed.
    pub(crate) closed: u64,
    next_op: u64,
    /// The CPU time of the longest input since this was set to zero, if it is measured.
    pub(crate) longest: Option<Duration>,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let mut world = Self {
            server: Server::new(config),
            now: Instant::ZERO + Duration::from_secs(1_000),
            source: Source::new(Rng::fast_from(7)),
            effects: Vec::new(),
            timers: BTreeMap::new(),
            stats: ServerStats::default(),
            sent: 0,
            sends: 0,
            closed: 0,
            next_op: 1,
            longest: None,
        };
        world.give(Input::Start);
        world
    }

    pub(crate) fn give(&mut self, input: Input<Server>) {
        let began = self.longest.map(|_| super::clock::cpu());
        let civil = UnixTime::from_secs(1_700_000_000 + self.now.as_nanos() / 1_000_000_000);
        self.server.handle(input, &mut Cx::new(self.now, civil, &mut self.source, &mut self.effects));
        if let (Some(longest), Some(began)) = (&mut self.longest, began) {
            *longest = (*longest).max(super::clock::cpu() - began);
        }
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Send(_, data) => {
                    self.sent += data.len() as u64;
                    self.sends += 1;
                }
                Effect::Close(_) | Effect::Abort(_) => self.closed += 1,
                Effect::SetTimer(timer, at) => drop(self.timers.insert(timer, at)),
                Effect::ClearTimer(timer) => drop(self.timers.remove(&timer)),
                Effect::Event(_, ServerEvent::Stats(stats)) => self.stats = stats,
                _ => {}
            }
        }
    }

    /// Lets what is due now go off.
    pub(crate) fn settle(&mut self) {
        while let Some(timer) = self.timers.iter().find(|(_, at)| **at <= self.now).map(|(timer, _)| *timer) {
            self.timers.remove(&timer);
            self.give(Input::Timer(timer));
        }
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.now += span;
        self.settle();
    }

    /// A connection of a user with an address of its own.
    pub(crate) fn connect(&mut self, user: u64) -> ConnId {
        let conn = ConnId::from_raw(self.source.draw());
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0x0a00_0001 + user as u32)), 40_000);
        let listener = Some(ListenerId::from_raw(1));
        self.give(Input::Stream(conn, StreamInput::Open { peer, listener }));
        conn
    }

    /// Data of a stream, as a driver reads it: segment by segment.
    pub(crate) fn data(&mut self, conn: ConnId, data: &Bytes) {
        for at in (0..data.len()).step_by(SEGMENT) {
            let segment = data.slice(at..data.len().min(at + SEGMENT));
            self.give(Input::Stream(conn, StreamInput::Data(segment)));
        }
    }

    pub(crate) fn leave(&mut self, conn: ConnId) {
        self.give(Input::Stream(conn, StreamInput::Closed(Ok(()))));
    }

    /// What the server counted.
    pub(crate) fn stats(&mut self) -> ServerStats {
        let op = OpId::from_raw(self.next_op);
        self.next_op += 1;
        self.give(Input::Op(op, OpInput::Ask(ServerCommand::Stats)));
        self.stats
    }
}
