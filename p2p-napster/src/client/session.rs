//! The connection to a server: dialling, logging in, and going on to the next one; in clear, or compressed, or secured.
//!
//! ```text
//!  off ── join ── next endpoint ─┬─ metaserver ── "ip:port" ──┐
//!            ▲                   └─ server ───────────────────┴─ dial ─┬─ 2 ───────────────── 3 ── online
//!            │                                                        └─ 7 ── 8 ── 6 ──────── 3 ── online
//!            └── wait with jitter ◄── refused, broken, silent, garbled
//! ```

use super::ask::Bootstrap;
use super::connection::Connection;
use super::downloads::Stage;
use super::event::Event;
use super::{Client, Context, Error, Timer};
use crate::deflate::LEVEL_MAX;
use crate::wire::message::{Login, Speed, ToServer};
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use p2p_core::{ConnId, Duration, OpId, Security, StreamInput, Target};

/// The longest answer of a metaserver: `255.255.255.255:65535` and an end of line.
const META_ANSWER: usize = 32;

/// The connection to a server, or the way there.
#[derive(Debug, Default)]
pub(super) struct Session {
    bootstrap: Bootstrap,
    joining: Vec<OpId>,
    phase: Phase,
    /// The endpoint to try next.
    next: usize,
    /// Failures since somebody let us in.
    failures: u32,
    /// Whether a server has let us in since the join; until then each is tried once.
    was_online: bool,
    /// Counts logins, so that each file is told once in each.
    pub(super) number: u64,
    /// Whether the stream takes no more for now.
    pub(super) full: bool,
    pub(super) malformed: u32,
    /// A stream that the other end has closed: nothing can be done to it any more.
    closed: Option<ConnId>,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Off,
    /// The data port is not known yet.
    Port,
    /// Until the timer.
    Waiting,
    Meta(ConnId, Option<IpAddr>, Vec<u8>),
    Dialling(ConnId),
    Login(Connection),
    Online(Connection),
}

impl Session {
    pub(super) const fn owns(&self, conn: ConnId) -> bool {
        match &self.phase {
            Phase::Meta(own, ..) | Phase::Dialling(own) => own.raw() == conn.raw(),
            Phase::Login(link) | Phase::Online(link) => link.conn.raw() == conn.raw(),
            Phase::Off | Phase::Port | Phase::Waiting => false,
        }
    }

    /// The stream to the server that has let us in.
    pub(super) const fn online(&self) -> Option<ConnId> {
        match &self.phase {
            Phase::Online(link) => Some(link.conn),
            _ => None,
        }
    }

    /// Its address.
    pub(super) fn server(&self) -> Option<IpAddr> {
        match &self.phase {
            Phase::Online(link) => Some(link.server.ip()),
            _ => None,
        }
    }

    pub(super) fn held(&self) -> usize {
        match &self.phase {
            Phase::Login(link) | Phase::Online(link) => link.held(),
            Phase::Meta(_, _, text) => text.len(),
            _ => 0,
        }
    }

    /// Whether this operation waited for a login; it does not any more.
    pub(super) fn join_cancelled(&mut self, op: OpId) -> bool {
        let before = self.joining.len();
        self.joining.retain(|waits| *waits != op);
        self.joining.len() < before
    }

    /// No server is tried any more.
    pub(super) fn forget_servers(&mut self) {
        self.bootstrap = Bootstrap::default();
    }

    fn endpoints(&self) -> usize {
        self.bootstrap.len()
    }
}

impl Client {
    pub(super) const fn is_online(&self) -> bool {
        self.session.online().is_some()
    }

    pub(super) fn join(&mut self, op: OpId, bootstrap: Bootstrap, cx: &mut Context<'_>) {
        if bootstrap.len() == 0 {
            return cx.finish(op, Err(Error::NoServer));
        }
        self.disconnect(&Error::Cancelled, cx);
        self.session.bootstrap = bootstrap;
        self.session.joining.push(op);
        self.session.next = 0;
        self.session.failures = 0;
        self.session.was_online = false;
        if self.listener.is_some() && self.listening.is_none() {
            self.session.phase = Phase::Port;
        } else {
            self.connect_next(cx);
        }
    }

    /// Logs out and stays so.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>) {
        self.session.forget_servers();
        self.disconnect(&Error::Cancelled, cx);
    }

    /// The data port is known, or there is none.
    pub(super) fn port_known(&mut self, cx: &mut Context<'_>) {
        if matches!(self.session.phase, Phase::Port) {
            self.connect_next(cx);
        } else {
            let port = self.port();
            self.say(&ToServer::DataPort(port), cx);
        }
    }

    /// Ends the connection, or the way there; those who wait for it are told.
    pub(super) fn disconnect(&mut self, why: &Error, cx: &mut Context<'_>) {
        let was = core::mem::take(&mut self.session.phase);
        cx.clear_timer(Timer::Reconnect);
        cx.clear_timer(Timer::Login);
        match was {
            Phase::Meta(conn, ..) | Phase::Dialling(conn) => cx.abort(conn),
            Phase::Login(link) => cx.abort(link.conn),
            Phase::Online(link) => {
                cx.close(link.conn);
                self.logged_out(why, cx);
            }
            Phase::Off | Phase::Port | Phase::Waiting => {}
        }
        for op in core::mem::take(&mut self.session.joining) {
            cx.finish(op, Err(why.clone()));
        }
    }

    /// Tries the next server or metaserver.
    pub(super) fn connect_next(&mut self, cx: &mut Context<'_>) {
        let endpoints = self.session.endpoints();
        if endpoints == 0 || self.stopping {
            self.session.phase = Phase::Off;
            return;
        }
        let index = self.session.next % endpoints;
        self.session.next = (index + 1) % endpoints;
        let Bootstrap { secured, servers, metaservers, .. } = &self.session.bootstrap;
        let (plain, meta) =
            (index.checked_sub(secured.len()), index.checked_sub(secured.len() + servers.len()));
        self.session.phase = if let Some(server) = secured.get(index) {
            let name = match server {
                Target::Addr(at) => at.ip().to_string(),
                Target::Name { host, .. } => host.clone(),
            };
            Phase::Dialling(cx.connect_secured(server.clone(), Security::Client(name)))
        } else if let Some(server) = plain.and_then(|index| servers.get(index)) {
            Phase::Dialling(cx.connect(server.clone()))
        } else if let Some(meta) = meta.and_then(|index| metaservers.get(index)) {
            Phase::Meta(cx.connect(meta.clone()), None, Vec::new())
        } else {
            Phase::Off
        };
        cx.set_timer(Timer::Login, self.config.limits.login);
    }

    pub(super) fn session_stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Context<'_>) {
        match input {
            StreamInput::Open { peer, .. } => self.session_open(conn, peer, cx),
            StreamInput::Data(data) => match &mut self.session.phase {
                Phase::Meta(..) => self.meta_data(&data, cx),
                Phase::Login(link) | Phase::Online(link) => {
                    link.push(data);
                    self.read_messages(conn, cx);
                }
                _ => {}
            },
            StreamInput::Full => self.session.full = true,
            StreamInput::Ready => {
                self.session.full = false;
                self.announce(cx);
            }
            StreamInput::Secured(_) => {}
            StreamInput::Closed(how) => {
                self.session.closed = Some(conn);
                let why = match (&self.session.phase, how) {
                    (Phase::Meta(..), Ok(())) => return self.meta_answer(true, cx),
                    (Phase::Login(_) | Phase::Online(_), _) => Error::ServerGone,
                    (_, Err(why)) => Error::Unreachable(why),
                    (_, Ok(())) => Error::ServerGone,
                };
                self.session_failed(why, cx);
            }
        }
    }

    fn session_open(&mut self, conn: ConnId, peer: SocketAddr, cx: &mut Context<'_>) {
        match &mut self.session.phase {
            Phase::Meta(_, at, _) => *at = Some(peer.ip()),
            Phase::Dialling(_) => {
                self.session.phase = Phase::Login(Connection::new(conn, peer));
                self.session.malformed = 0;
                self.session.full = false;
                cx.set_timer(Timer::Login, self.config.limits.login);
                let nick = self.config.nick.clone();
                if self.session.bootstrap.register {
                    self.say_before(&ToServer::CheckNick(&nick), cx);
                } else {
                    self.log_in(false, cx);
                }
            }
            _ => {}
        }
    }

    /// Sends what was written for the server, if there is one that has let us in.
    pub(super) fn send_out(&mut self, cx: &mut Context<'_>) {
        let data = self.out.split().freeze();
        let Phase::Online(link) = &mut self.session.phase else { return };
        cx.send(link.conn, link.written(data));
    }

    /// Says something before the server has let us in.
    fn say_before(&mut self, message: &ToServer<'_>, cx: &mut Context<'_>) {
        if let Phase::Login(link) = &self.session.phase {
            message.encode(&mut self.out);
            cx.send(link.conn, self.out.split().freeze());
        }
    }

    /// Logs in; the first time, if it `registers`.
    fn log_in(&mut self, registers: bool, cx: &mut Context<'_>) {
        let (nick, password) = (self.config.nick.clone(), self.config.password.clone());
        let (agent, email) = (self.config.agent.clone(), self.config.email.clone());
        let zlib = self.config.zlib.map(|level| level.clamp(1, LEVEL_MAX));
        if let Phase::Login(link) = &mut self.session.phase {
            link.asked = zlib;
        }
        let login = Login {
            nick: &nick,
            password: &password,
            port: self.port(),
            client: agent.as_bytes(),
            speed: Speed(self.config.speed),
            email: registers.then_some(&email[..]),
            unused: None,
            zlib,
        };
        let message = if registers { ToServer::Register(login) } else { ToServer::Login(login) };
        self.say_before(&message, cx);
    }

    /// 8 (`Ok`), 9 or 10: whether the nick can be registered.
    pub(super) fn nick_checked(&mut self, free: Result<(), (u16, Bytes)>, cx: &mut Context<'_>) {
        // Who did not ask is not told: no server shall make anybody register.
        if !matches!(self.session.phase, Phase::Login(_)) || !self.session.bootstrap.register {
            return;
        }
        match free {
            Ok(()) => self.log_in(true, cx),
            // It may be ours.
            Err((9, _)) => self.log_in(false, cx),
            Err((_, text)) => self.session_failed(Error::Nick(text), cx),
        }
    }

    /// 3: the server has let us in, with this zlib level if it has one.
    pub(super) fn logged_in(&mut self, zlib: Option<u8>, cx: &mut Context<'_>) {
        let Phase::Login(link) = &mut self.session.phase else { return };
        if !link.acknowledged(zlib) {
            // Nothing behind this could be read.
            return self.session_failed(Error::Garbled, cx);
        }
        let Phase::Login(link) = core::mem::take(&mut self.session.phase) else { return };
        let server = link.server;
        self.session.phase = Phase::Online(link);
        self.session.number += 1;
        self.session.failures = 0;
        self.session.was_online = true;
        self.session.bootstrap.register = false;
        cx.clear_timer(Timer::Login);
        cx.tell(Event::LoggedIn { server });
        for op in core::mem::take(&mut self.session.joining) {
            cx.finish(op, Ok(()));
        }
        self.announce_all(cx);
        for nick in self.watched.clone() {
            self.say(&ToServer::HotlistInitial(&nick), cx);
        }
        for nick in self.ignored.clone() {
            self.say(&ToServer::Ignore(&nick), cx);
        }
        for channel in self.channels.clone() {
            self.say(&ToServer::JoinChannel(&channel), cx);
        }
        let waiting: Vec<u32> = self.downloads_in(|stage| matches!(stage, Stage::Offline));
        for key in waiting {
            self.ask_source(key, cx);
        }
        self.next_search(cx);
    }

    pub(super) fn login_late(&mut self, cx: &mut Context<'_>) {
        if !self.is_online() {
            self.session_failed(Error::TimedOut, cx);
        }
    }

    /// Breaks a stream off, unless the other end did.
    fn abandon(&self, conn: ConnId, cx: &mut Context<'_>) {
        if self.session.closed != Some(conn) {
            cx.abort(conn);
        }
    }

    /// The way to a server, or the connection, has ended. The next one is tried after a while.
    pub(super) fn session_failed(&mut self, why: Error, cx: &mut Context<'_>) {
        let was = core::mem::take(&mut self.session.phase);
        cx.clear_timer(Timer::Login);
        match was {
            Phase::Meta(conn, ..) | Phase::Dialling(conn) => self.abandon(conn, cx),
            Phase::Login(link) => self.abandon(link.conn, cx),
            Phase::Online(link) => {
                self.abandon(link.conn, cx);
                self.logged_out(&why, cx);
            }
            Phase::Off | Phase::Port | Phase::Waiting => return,
        }
        self.session.failures = self.session.failures.saturating_add(1);
        let tried_all = self.session.failures as usize >= self.session.endpoints();
        if !self.session.was_online && tried_all {
            for op in core::mem::take(&mut self.session.joining) {
                cx.finish(op, Err(why.clone()));
            }
            self.session.bootstrap = Bootstrap::default();
            return;
        }
        self.session.phase = Phase::Waiting;
        let wait = if !self.session.was_online { Duration::ZERO } else { self.patience(cx) };
        cx.set_timer(Timer::Reconnect, wait);
    }

    /// How long to wait before the next attempt: doubled each time, and drawn from its upper half, so that a server that
    /// comes back is not met by all its users at once.
    fn patience(&self, cx: &mut Context<'_>) -> Duration {
        let doublings = self.session.failures.saturating_sub(1).min(16);
        let span = self.config.retry_from.saturating_mul(1 << doublings).min(self.config.retry_to);
        span / 2 + cx.rng().phase(span / 2)
    }

    fn logged_out(&mut self, why: &Error, cx: &mut Context<'_>) {
        cx.tell(Event::LoggedOut(why.clone()));
        let why = match why {
            Error::Cancelled | Error::Stopping => why,
            _ => &Error::ServerGone,
        };
        self.searches_failed(why, cx);
        self.questions_failed(why, cx);
        // What was asked is asked again at the next server; streams that are open go on.
        for key in self.downloads_in(Stage::needs_server) {
            self.set_stage(key, Stage::Offline, cx);
        }
    }

    fn meta_data(&mut self, data: &[u8], cx: &mut Context<'_>) {
        if let Phase::Meta(_, _, text) = &mut self.session.phase {
            let room = META_ANSWER - text.len().min(META_ANSWER);
            text.extend_from_slice(&data[..data.len().min(room)]);
            let full = text.len() >= META_ANSWER;
            self.meta_answer(full, cx);
        }
    }

    /// `ip:port` of a server; `whole` says that no more comes.
    fn meta_answer(&mut self, whole: bool, cx: &mut Context<'_>) {
        let Phase::Meta(conn, at, text) = &self.session.phase else { return };
        let (conn, end) = (*conn, text.iter().position(|byte| matches!(byte, b'\n' | b'\r' | 0)));
        if end.is_none() && !whole {
            return;
        }
        let line = &text[..end.unwrap_or(text.len())];
        let answer = core::str::from_utf8(line).ok().and_then(|line| line.trim().parse::<SocketAddr>().ok());
        let here = at.is_some_and(|at| at.is_loopback());
        let Some(server) = answer else {
            let why = if line.is_empty() { Error::Busy } else { Error::Garbled };
            return self.session_failed(why, cx);
        };
        // A loopback address is how metaservers say that all servers are full.
        let plausible = match server.ip() {
            IpAddr::V4(ip) if ip.is_loopback() && !here => return self.session_failed(Error::Busy, cx),
            IpAddr::V4(ip) => ip != Ipv4Addr::UNSPECIFIED && !ip.is_multicast() && !ip.is_broadcast(),
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
        };
        if !plausible || server.port() == 0 || (server.port() < 1024 && !self.config.low_ports) {
            return self.session_failed(Error::Garbled, cx);
        }
        self.abandon(conn, cx);
        self.session.phase = Phase::Dialling(cx.connect(Target::Addr(server)));
        cx.set_timer(Timer::Login, self.config.limits.login);
    }

    /// The messages that are here.
    fn read_messages(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        loop {
            // Each message may end the connection.
            let next = match &mut self.session.phase {
                Phase::Login(link) | Phase::Online(link) if link.conn == conn => link.next(),
                _ => return,
            };
            match next {
                Ok(Some(frame)) => self.message(frame.kind, &frame.body, cx),
                Ok(None) => return,
                Err(why) => return self.session_failed(why, cx),
            }
        }
    }
}
