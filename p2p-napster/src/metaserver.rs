//! The metaserver: [`Metaserver`], a machine that tells whoever connects which server to use.
//!
//! A client connects (port 8875), reads one line `ip:port` and logs in there. Nothing it says is read. A server whose
//! address begins with `127.` means "busy" to real clients, so one on loopback is of use only in tests.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use p2p_core::limit::PerKey;
use p2p_core::{ConnId, Cx, Input, IoError, Machine, OpId, OpInput, StreamInput};

/// How a metaserver behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MetaserverConfig {
    /// Where it listens; 8875 is where clients look.
    pub listen: SocketAddr,
    /// The servers that it sends clients to, in turn, from a random one on.
    pub servers: Vec<SocketAddr>,
    /// Connections a second from one address, after `burst`. 10.
    pub rate: u64,
    /// Connections at once from one address. 100: many behind one router.
    pub burst: u64,
}

/// The most servers of a list: a network had 160.
const SERVERS: usize = 10_000;
/// Addresses whose rate is remembered: 15 MB.
const ADDRESSES: usize = 100_000;

impl Default for MetaserverConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([0, 0, 0, 0], 8875)), servers: Vec::new(), rate: 10, burst: 100 }
    }
}

/// What can be asked of a metaserver.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum MetaserverCommand {
    /// Send clients to these from now on.
    Servers(Vec<SocketAddr>),
}

/// What a metaserver tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetaserverEvent {
    /// It listens at this address.
    Listening(SocketAddr),
    /// Its socket could not be opened, or is no more.
    Down(IoError),
}

/// Why a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaserverError {
    /// More servers than 10,000.
    #[error("too many servers")]
    TooMany,
}

/// A metaserver has no timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetaserverTimer {}

/// Tells each client one server of a list, in turn.
#[derive(Debug)]
pub struct Metaserver {
    config: MetaserverConfig,
    next: usize,
    throttle: PerKey<IpAddr>,
    told: BTreeMap<SocketAddr, u64>,
}

impl Metaserver {
    /// A metaserver of these servers.
    #[must_use]
    pub fn new(mut config: MetaserverConfig) -> Self {
        config.servers.truncate(SERVERS);
        let throttle = PerKey::new(ADDRESSES, config.rate, config.burst);
        Self { config, next: 0, throttle, told: BTreeMap::new() }
    }

    /// How many clients were sent to each server.
    #[must_use]
    pub const fn told(&self) -> &BTreeMap<SocketAddr, u64> {
        &self.told
    }

    fn answer(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, peer: SocketAddr) {
        if self.config.servers.is_empty() || !self.throttle.take(cx.now(), &peer.ip().to_canonical(), 1) {
            cx.abort(conn);
            return;
        }
        self.next %= self.config.servers.len();
        let server = self.config.servers[self.next];
        self.next += 1;
        *self.told.entry(server).or_default() += 1;
        // One line of some twenty bytes fits in any socket's buffer: who does not read holds nothing here.
        cx.send(conn, format!("{server}\n"));
        cx.close(conn);
    }

    fn command(&mut self, cx: &mut Cx<'_, Self>, op: OpId, command: MetaserverCommand) {
        let MetaserverCommand::Servers(servers) = command;
        if servers.len() > SERVERS {
            cx.finish(op, Err(MetaserverError::TooMany));
            return;
        }
        self.told.retain(|server, _| servers.contains(server));
        self.config.servers = servers;
        cx.finish(op, Ok(()));
    }
}

impl Machine for Metaserver {
    type Command = MetaserverCommand;
    type Event = MetaserverEvent;
    type Error = MetaserverError;
    type Timer = MetaserverTimer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => {
                self.next = cx.rng().index(self.config.servers.len());
                cx.listen(self.config.listen);
            }
            Input::Op(op, OpInput::Ask(command)) => self.command(cx, op, command),
            Input::Stream(conn, StreamInput::Open { peer, .. }) => self.answer(cx, conn, peer),
            Input::Listener(_, at) => {
                cx.tell(at.map_or_else(MetaserverEvent::Down, MetaserverEvent::Listening));
            }
            Input::Stop => cx.halt(),
            // A stream is closed as it opens; there are no timers, jobs or names.
            _ => {}
        }
    }
}
