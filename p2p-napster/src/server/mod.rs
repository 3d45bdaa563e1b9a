//! The index server: [`Server`], a machine that knows who shares what, brings users together, and never sees a file.
//!
//! ```text
//!              2, 6                  hashed               3, motd, counts
//!  Greeting ─────────► Checking ───────────────► Online ──────────────────► everything else
//!     │ 7, 11, 4, 14: answered   │ wrong: 0, close    │ 748 (the same nick again), kill, ban: 316, close
//!     └ any other: 0, close      └ in time, or close  └ reads nothing, or more than the bounds allow: close
//! ```
//!
//! A first message 10010 makes a connection a link to another server: its users are in the same table, with a home elsewhere,
//! and who says what they do is that server.
//!
//! A message costs the same whoever else is there: users, sessions and nicks are found by hashing, each timer is of one
//! session, and what everybody gets (the counts) is spread over its period. What a search finds goes out in one piece.

mod accounts;
mod admin;
mod answers;
mod api;
mod bans;
mod browse;
mod card;
mod changes;
mod channel;
mod chat;
mod commands;
mod config;
mod dispatch;
mod goodbye;
mod hit;
mod keeping;
mod link;
mod login;
mod nick;
mod password;
mod people;
mod search;
mod session;
mod share;
mod transfer;
mod users;
mod view;
mod zlib;

pub use accounts::{Account, Hashed};
pub use api::{ServerCommand, ServerError, ServerEvent, ServerStats, ServerTimer};
pub use bans::{Ban, Banned, Network};
pub use changes::{Batch, Change};
pub use config::{Config, Limits, Rate};
pub use link::{LinkConfig, LinkEnd};
pub use view::{ServerLoad, Who};

use crate::index::{self, Index, UserId};
use accounts::Accounts;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bans::Bans;
use bytes::BytesMut;
use changes::Changes;
use channel::Channel;
use hashbrown::HashMap;
use keeping::Waiting;
use link::Links;
use p2p_core::limit::PerKey;
use p2p_core::{ConnId, Cx, Input, Instant, ListenerId, Machine, OpInput, StreamInput};
use password::Passwords;
use session::{Address, Session, State};
use users::{HandleHash, NickHash, Users};
use zlib::ZlibCount;

/// Ticks in which everybody is told the counts once.
const STATS_PARTS: usize = 60;

/// The index server: see the [module](self).
#[derive(Debug)]
pub struct Server {
    config: Config,
    index: Index,
    users: Users,
    sessions: HashMap<ConnId, Box<Session>, HandleHash>,
    /// How many of those came over IPv6.
    sessions_v6: usize,
    addresses: HashMap<u128, Box<Address>, NickHash>,
    logins: PerKey<u128>,
    accounts: Accounts,
    bans: Bans,
    muzzles: Bans,
    changes: Changes<Waiting>,
    passwords: Passwords,
    /// Nicks, in lower case, that are being registered, and by whom.
    reserved: BTreeMap<Box<[u8]>, ConnId>,
    channels: BTreeMap<Box<[u8]>, Channel>,
    /// Who has a nick, in lower case, on the hotlist.
    watchers: BTreeMap<Box<[u8]>, BTreeSet<UserId>>,
    listeners: BTreeSet<ListenerId>,
    /// The part of the table that is told the counts next.
    stats_part: usize,
    started: Instant,
    stats: ServerStats,
    /// What is being written; kept for its room.
    out: BytesMut,
    /// Bytes that this input made the server send.
    answered: usize,
    /// Connections that did not read, to be closed at the end of this input.
    doomed: Vec<ConnId>,
    /// Connections whose messages lie in zlib streams.
    zlib: ZlibCount,
    links: Links,
    stopping: bool,
}

impl Server {
    /// A server that knows nobody yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let limits = &config.limits;
        let (rate, burst) = limits.logins.tokens();
        Self {
            index: Index::new(index::Limits::default(), [0; 2]),
            users: Users::new(NickHash::default()),
            sessions: HashMap::default(),
            sessions_v6: 0,
            addresses: HashMap::default(),
            logins: PerKey::new(limits.addresses, rate, burst),
            accounts: Accounts::default(),
            bans: Bans::default(),
            muzzles: Bans::default(),
            changes: Changes::default(),
            passwords: Passwords::default(),
            reserved: BTreeMap::new(),
            channels: BTreeMap::new(),
            watchers: BTreeMap::new(),
            listeners: BTreeSet::new(),
            stats_part: 0,
            started: Instant::ZERO,
            stats: ServerStats::default(),
            out: BytesMut::new(),
            answered: 0,
            doomed: Vec::new(),
            zlib: ZlibCount::default(),
            links: Links::default(),
            stopping: false,
            config,
        }
    }

    /// The same, with these accounts from the beginning: what was kept of [`ServerEvent::Changes`].
    #[must_use]
    pub fn with_accounts(mut self, accounts: impl IntoIterator<Item = Account>) -> Self {
        for account in accounts.into_iter().take(self.config.limits.accounts) {
            self.accounts.insert(account);
        }
        self
    }

    /// The same, with these bans.
    #[must_use]
    pub fn with_bans(mut self, bans: impl IntoIterator<Item = (Banned, Ban)>) -> Self {
        for (who, ban) in bans {
            self.bans.insert(who, ban, self.config.limits.bans, p2p_core::UnixTime::default());
        }
        self
    }

    /// The same, with these muzzles.
    #[must_use]
    pub fn with_muzzles(mut self, muzzles: impl IntoIterator<Item = (Banned, Ban)>) -> Self {
        for (who, ban) in muzzles {
            self.muzzles.insert(who, ban, self.config.limits.bans, p2p_core::UnixTime::default());
        }
        self
    }

    fn start(&mut self, cx: &mut Cx<'_, Self>) {
        // Keys that no stranger can know: neither nicks nor words can be chosen to collide.
        let limits =
            index::Limits { files: self.config.limits.files_per_user as usize, ..Default::default() };
        self.index = Index::new(limits, [cx.rng().bits(), cx.rng().bits()]);
        let hash = NickHash::draw(cx.rng());
        self.users = Users::new(hash);
        self.addresses = HashMap::with_hasher(hash);
        self.started = cx.now();
        for at in self.config.listen.clone() {
            self.listeners.insert(cx.listen(at));
        }
        for at in self.config.listen_secured.clone() {
            self.listeners.insert(cx.listen_secured(at, p2p_core::Security::Server));
        }
        self.set_stats_timer(cx);
        self.start_links(cx);
    }

    fn set_stats_timer(&self, cx: &mut Cx<'_, Self>) {
        if !self.config.stats_every.is_zero() {
            cx.set_timer(ServerTimer::Stats, self.config.stats_every / STATS_PARTS as u32);
        }
    }

    /// Tells the counts to one part of everybody.
    fn tell_stats(&mut self, cx: &mut Cx<'_, Self>) {
        let conns: Vec<ConnId> = self
            .users
            .part(self.stats_part, STATS_PARTS)
            .filter(|user| user.home.is_none())
            .map(|user| user.conn)
            .collect();
        self.stats_part = (self.stats_part + 1) % STATS_PARTS;
        if !conns.is_empty() {
            let mut out = self.buffer();
            self.put_counts(&mut out);
            let counts = out.split().freeze();
            self.out = out;
            for conn in conns {
                self.send(cx, conn, counts.clone());
            }
        }
        self.set_stats_timer(cx);
    }

    fn timer(&mut self, cx: &mut Cx<'_, Self>, timer: ServerTimer) {
        match timer {
            ServerTimer::Stats => self.tell_stats(cx),
            ServerTimer::Keep => self.tell_changes(cx),
            ServerTimer::Login(conn) => self.too_slow(cx, conn),
            ServerTimer::Unread(conn) => self.unread(cx, conn),
            ServerTimer::Resume(conn) => self.resume(cx, conn),
            ServerTimer::Dial(at) => self.dial_link(cx, at as usize),
            ServerTimer::Link(conn) => self.link_timer(cx, conn),
            ServerTimer::Counts => self.tell_share_counts(),
            ServerTimer::Search(number) => self.end_search(cx, number),
        }
    }

    fn stop(&mut self, cx: &mut Cx<'_, Self>) {
        for listener in core::mem::take(&mut self.listeners) {
            cx.unlisten(listener);
        }
        self.stopping = true;
        self.stop_links(cx);
        let conns: BTreeSet<ConnId> = self.sessions.keys().copied().collect();
        for conn in conns {
            self.drop_session(cx, conn, false);
        }
        // What could not be kept before has another chance.
        self.tell_changes(cx);
    }
}

impl Machine for Server {
    type Command = ServerCommand;
    type Event = ServerEvent;
    type Error = ServerError;
    type Timer = ServerTimer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        self.answered = 0;
        match input {
            Input::Start => self.start(cx),
            Input::Stream(conn, input) if self.links.owns(conn) => self.link_stream(cx, conn, input),
            Input::Stream(conn, StreamInput::Data(data)) => self.data(cx, conn, data),
            Input::Stream(conn, input) => self.stream(cx, conn, input),
            Input::Timer(timer) => self.timer(cx, timer),
            Input::Op(op, OpInput::Ask(command)) => self.command(cx, op, command),
            Input::Job(job, done) => self.job(cx, job, done),
            Input::Listener(listener, at) => {
                if at.is_err() {
                    self.listeners.remove(&listener);
                }
                cx.tell(at.map_or_else(ServerEvent::Down, ServerEvent::Listening));
            }
            Input::Stop => self.stop(cx),
            // Answers go out as they are made; nothing is resolved, and no datagram is asked for.
            Input::Op(..) | Input::Resolved(..) | Input::Bound(..) | Input::Datagram(..) => {}
        }
        self.drop_doomed(cx);
        self.flush_links(cx);
        // Once nothing is under way any more, it is done.
        if self.stopping && !self.changes.is_told() {
            cx.halt();
        }
    }
}
