//! Connections: from their opening to their end, read frame by frame, and held back when they ask for too much.

use super::config::Limits;
use super::users::Rates;
use super::{Server, ServerTimer};
use crate::deflate::Streams;
use crate::index::UserId;
use crate::wire::frame::FROM_CLIENT_MAX;
use crate::wire::{Decoder, Frame, ToClient};
use alloc::boxed::Box;
use alloc::format;
use bytes::{Bytes, BytesMut};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use p2p_core::{ConnId, Cx, Duration, Instant, StreamInput};

/// Bytes that a connection may bring while it is not read: a driver that pauses late brings one chunk, not ten.
const HELD_BYTES: usize = 512 * 1024;

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: SocketAddr,
    pub(super) state: State,
    decoder: Decoder,
    /// What the messages lie in, if the client asked for zlib.
    pub(super) streams: Option<Box<Streams>>,
    /// It does not read what we send.
    full: bool,
    /// What was sent to it meanwhile.
    unread: usize,
    /// It asked for too much, and is read on in time.
    held: bool,
    /// Its search is under way over links.
    searching: bool,
    /// When it was last told so.
    told: Option<Instant>,
    /// Messages before its login.
    pub(super) greetings: u32,
}

/// A stream that cannot be read on.
#[derive(Debug)]
struct Unreadable;

impl Session {
    /// Adds what came; how much of it is held.
    fn push(&mut self, data: Bytes) -> usize {
        match &mut self.streams {
            Some(streams) => streams.push(data),
            None => self.decoder.push(data),
        }
        self.held()
    }

    /// Bytes that came and were not looked at.
    pub(super) fn held(&self) -> usize {
        self.decoder.len() + self.streams.as_ref().map_or(0, |streams| streams.waiting())
    }

    /// The next message that is whole.
    fn next(&mut self) -> Result<Option<Frame>, Unreadable> {
        loop {
            if let Some(frame) = self.decoder.next().map_err(|_| Unreadable)? {
                return Ok(Some(frame));
            }
            let Some(streams) = &mut self.streams else { return Ok(None) };
            let inflated = streams.read().map_err(|_| Unreadable)?;
            if inflated.is_empty() {
                return Ok(None);
            }
            self.decoder.push(inflated);
        }
    }

    /// Whether what it sends is looked at.
    fn is_read(&self) -> bool {
        !self.full && !self.held && !self.searching && self.state != State::Checking
    }

    /// Everything that came and was not read: what follows is of another kind.
    pub(super) fn take_rest(&mut self) -> Bytes {
        core::mem::replace(&mut self.decoder, Decoder::new(FROM_CLIENT_MAX)).into_rest()
    }
}

/// What a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody yet.
    Greeting,
    /// Its password is being hashed, or its registration stored.
    Checking,
    /// A user.
    Online(UserId),
}

/// The connections of one address, and what they may still do together.
#[derive(Debug)]
pub(super) struct Address {
    sessions: usize,
    pub(super) rates: Rates,
}

/// What a rate is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Share,
    Search,
    Message,
}

impl Action {
    const fn plural(self) -> &'static str {
        match self {
            Self::Share => "shared files",
            Self::Search => "searches",
            Self::Message => "messages",
        }
    }

    const fn per_minute(self, limits: &Limits) -> u64 {
        match self {
            Self::Share => limits.shares.per_minute,
            Self::Search => limits.searches.per_minute,
            Self::Message => limits.messages.per_minute,
        }
    }
}

/// Who is held responsible for an address: itself, or in IPv6 its /64, which one customer has at least.
pub(super) fn origin(ip: IpAddr) -> u128 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Ipv4Addr::to_ipv6_mapped(&ip).to_bits(),
        IpAddr::V6(ip) => Ipv6Addr::to_bits(ip) >> 64 << 64,
    }
}

impl Server {
    pub(super) fn stream(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, input: StreamInput) {
        match input {
            StreamInput::Open { peer, .. } => self.open(cx, conn, peer),
            StreamInput::Data(data) => self.data(cx, conn, data),
            StreamInput::Full => self.set_full(cx, conn),
            StreamInput::Ready => self.set_ready(cx, conn),
            StreamInput::Closed(_) => {
                self.forget_session(cx, conn);
            }
            StreamInput::Secured(_) => {}
        }
    }

    fn open(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, peer: SocketAddr) {
        let limits = &self.config.limits;
        let origin = origin(peer.ip());
        let of_address = self.addresses.get(&origin).map_or(0, |address| address.sessions);
        let full = self.sessions.len() >= limits.connections;
        if full || of_address >= limits.connections_per_address || self.stopping {
            self.stats.throttled += 1;
            let text = if full {
                format!("This server is full ({} connections)", self.sessions.len())
            } else {
                format!("Too many connections from your address ({of_address})")
            };
            let mut out = BytesMut::new();
            ToClient::LoginError(text.as_bytes()).encode(&mut out);
            cx.send(conn, out);
            cx.close(conn);
            return;
        }
        let new = || Box::new(Address { sessions: 0, rates: Rates::of_address(limits, cx.now()) });
        self.addresses.entry(origin).or_insert_with(new).sessions += 1;
        let session = Session {
            peer: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
            state: State::Greeting,
            decoder: Decoder::new(FROM_CLIENT_MAX),
            streams: None,
            full: false,
            unread: 0,
            held: false,
            searching: false,
            told: None,
            greetings: 0,
        };
        self.sessions_v6 += usize::from(session.peer.is_ipv6());
        self.sessions.insert(conn, Box::new(session));
        cx.set_timer(ServerTimer::Login(conn), self.config.limits.login_patience);
    }

    pub(super) fn data(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, data: Bytes) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        if session.push(data) > HELD_BYTES {
            self.drop_session(cx, conn, true);
            return;
        }
        self.frames(cx, conn);
    }

    /// Takes the messages that are whole, until the session is held back.
    fn frames(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        loop {
            let Some(session) = self.sessions.get_mut(&conn) else { return };
            if !session.is_read() {
                return;
            }
            match session.next() {
                Ok(Some(frame)) => self.message(cx, conn, &frame),
                Ok(None) => return,
                // Too long, or no zlib stream, or a bomb: nothing that follows could be read.
                Err(Unreadable) => {
                    self.stats.malformed += 1;
                    self.drop_session(cx, conn, false);
                    return;
                }
            }
            if self.answered > self.config.limits.answer_bytes {
                // The rest waits for its turn: others', and the send queue's word.
                self.hold(cx, conn, Duration::ZERO);
            }
        }
    }

    fn message(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, frame: &Frame) {
        self.stats.messages += 1;
        match self.sessions.get(&conn).map(|session| session.state) {
            Some(State::Greeting) => self.greeting(cx, conn, frame),
            Some(State::Online(user)) => self.online(cx, conn, user, frame),
            Some(State::Checking) | None => {}
        }
    }

    /// The session is checked: it is read on when that is done.
    pub(super) fn set_checking(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.state = State::Checking;
            // From here on it is the server that takes time.
            cx.clear_timer(ServerTimer::Login(conn));
            cx.pause(conn, true);
        }
    }

    /// What is checked is known: goes on as `state`.
    pub(super) fn set_state(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, state: State) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        let was = core::mem::replace(&mut session.state, state);
        let reads = session.is_read();
        if state == State::Greeting {
            cx.set_timer(ServerTimer::Login(conn), self.config.limits.login_patience);
        } else {
            cx.clear_timer(ServerTimer::Login(conn));
        }
        if was == State::Checking && reads {
            cx.pause(conn, false);
        }
    }

    /// Goes on with what came while the session was checked.
    pub(super) fn go_on(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        self.frames(cx, conn);
    }

    /// Counts what a user did against its rate and its address's. Past them it is read more slowly, and told so.
    pub(super) fn pace(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, what: Action, n: u64) {
        let now = cx.now();
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        let Some(of_user) = self.users.get_mut(user) else { return };
        let Some(of_address) = self.addresses.get_mut(&origin(session.peer.ip())) else { return };
        let mut wait = Duration::ZERO;
        for rates in [&mut of_user.rates, &mut of_address.rates] {
            let bucket = match what {
                Action::Share => &mut rates.shares,
                Action::Search => &mut rates.searches,
                Action::Message => &mut rates.messages,
            };
            bucket.spend(now, n);
            if !bucket.has_any(now) {
                wait = wait.max(bucket.wait(now));
            }
        }
        if wait.is_zero() {
            return;
        }
        self.stats.throttled += 1;
        let told = session.told.is_some_and(|told| now.since(told) < Duration::from_secs(60));
        if !told {
            session.told = Some(now);
            let most = what.per_minute(&self.config.limits);
            let text = format!("You are sending too fast: {most} {} a minute are read", what.plural());
            self.notice(cx, conn, &text);
        }
        self.hold(cx, conn, wait);
    }

    fn hold(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, wait: Duration) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.held = true;
        cx.pause(conn, true);
        cx.set_timer(ServerTimer::Resume(conn), wait);
    }

    pub(super) fn resume(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.held = false;
        if session.is_read() {
            cx.pause(conn, false);
        }
        self.frames(cx, conn);
    }

    /// Whether a search of it is under way over links: it is read on when that is done.
    pub(super) fn set_searching(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, searching: bool) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.searching = searching;
        if searching {
            cx.pause(conn, true);
        } else if session.is_read() {
            cx.pause(conn, false);
            self.frames(cx, conn);
        }
    }

    fn set_full(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        if !session.full {
            session.full = true;
            session.unread = 0;
            cx.pause(conn, true);
            cx.set_timer(ServerTimer::Unread(conn), self.config.limits.unread_patience);
        }
    }

    fn set_ready(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.full = false;
        cx.clear_timer(ServerTimer::Unread(conn));
        if session.is_read() {
            cx.pause(conn, false);
        }
        self.frames(cx, conn);
    }

    /// Queues bytes for a connection. One that does not read gets no more than the limit, and then is closed.
    pub(super) fn send(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, data: Bytes) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        self.answered += data.len();
        if session.full {
            session.unread += data.len();
            if session.unread > self.config.limits.unread_bytes {
                // Closed at the end of this input: a loop over users may be under way.
                self.doomed.push(conn);
                return;
            }
        }
        let data = match &mut session.streams {
            Some(streams) => streams.write(&data),
            None => data,
        };
        cx.send(conn, data);
    }

    /// Closes those that turned out not to read.
    pub(super) fn drop_doomed(&mut self, cx: &mut Cx<'_, Self>) {
        while let Some(conn) = self.doomed.pop() {
            if self.sessions.contains_key(&conn) {
                self.stats.unread += 1;
                self.drop_session(cx, conn, true);
            }
        }
    }

    pub(super) fn too_slow(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        if self.sessions.get(&conn).is_some_and(|session| session.state == State::Greeting) {
            self.drop_session(cx, conn, true);
        }
    }

    pub(super) fn unread(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        if self.sessions.get(&conn).is_some_and(|session| session.full) {
            self.stats.unread += 1;
            self.drop_session(cx, conn, true);
        }
    }

    /// Ends a connection, and logs its user out. `abort`: what is queued is lost.
    pub(super) fn drop_session(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, abort: bool) {
        if !self.forget_session(cx, conn) {
            return;
        }
        if abort {
            cx.abort(conn);
        } else {
            cx.close(conn);
        }
    }

    /// A connection is something else than a client from here on: what it sent and was not read.
    pub(super) fn release_session(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) -> Option<Bytes> {
        let rest = self.sessions.get_mut(&conn)?.take_rest();
        self.forget_session(cx, conn);
        Some(rest)
    }

    fn forget_session(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) -> bool {
        let Some(session) = self.sessions.remove(&conn) else { return false };
        self.sessions_v6 -= usize::from(session.peer.is_ipv6());
        let origin = origin(session.peer.ip());
        if let Some(address) = self.addresses.get_mut(&origin) {
            address.sessions -= 1;
            if address.sessions == 0 {
                self.addresses.remove(&origin);
            }
        }
        if let Some(streams) = &session.streams {
            self.end_zlib(streams);
        }
        if session.state == State::Greeting {
            cx.clear_timer(ServerTimer::Login(conn));
        }
        if session.full {
            cx.clear_timer(ServerTimer::Unread(conn));
        }
        if session.held {
            cx.clear_timer(ServerTimer::Resume(conn));
        }
        if let State::Online(user) = session.state {
            self.logout(cx, user);
        }
        true
    }
}
