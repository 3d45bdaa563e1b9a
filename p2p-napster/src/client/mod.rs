//! The [`Client`] machine: one login, the files shared and wanted, and the streams of the data port.
//!
//! ```text
//!  server ── messages ─┬─ 201, 212, 604, ... ── answers to who asked
//!                      ├─ 204 ── dial ── "1" ── GET ── size ── intake ── part ── write jobs ── sync ── rename
//!                      ├─ 607 ── slots ── 608 ─┬─ accepted: GET ─┐
//!                      └─ 501 ── dial ── SEND ─┴─────────────────┴─ read jobs ── stream
//! ```

mod ask;
mod browse;
mod commands;
mod config;
mod connection;
mod data;
mod downloads;
mod error;
mod event;
mod helpers;
mod jobs;
mod joining;
mod messages;
mod primitives;
mod questions;
mod ranges;
mod recalling;
mod receiving;
mod searches;
mod session;
mod shares;
mod stop;
#[cfg(feature = "node")]
mod system;
mod uploads;

pub use ask::{Bootstrap, Bound, Charset, Command, Media, Query, SharedFile, Source, Wanted};
pub use config::{Config, Limits};
pub use error::{Error, SourceError};
pub use event::{Chat, Event, Hit, Progress, State, Suggestion, Whois};
#[cfg(feature = "node")]
pub use system::{BootstrapError, ItemError, LocatorError};

use crate::transfer::slots::{Slots, folded};
use crate::wire::message::ToServer;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use data::Stream;
use downloads::Download;
use p2p_core::limit::TokenBucket;
use p2p_core::{ConnId, Cx, Input, Instant, IoError, JobId, ListenerId, Machine, OpId, OpInput, StreamInput};
use questions::Question;
use searches::Searches;
use session::Session;
use shares::Shares;

/// The timers of a [`Client`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// The next server is to be tried.
    Reconnect,
    /// The server must have let us in by now.
    Login,
    /// More of what is shared may be told.
    Announce,
    /// The search under way has lasted long enough.
    Search,
    /// The next search may be sent.
    NextSearch,
    /// A question has waited long enough.
    Question(OpId),
    /// A download has waited long enough for whatever it waits for.
    Download(u32),
    /// A stream of the data port has waited long enough.
    Stream(ConnId),
    /// The second write of a stream is due, or what has no end of its own counts as ended.
    Word(ConnId),
    /// Stopping has taken long enough.
    Farewell,
}

/// What a job is for.
#[derive(Debug, Clone)]
enum Work {
    ShareStat(Bytes),
    ShareDigest(Bytes),
    PartMark(u32),
    PartStat(u32),
    PartRead(u32),
    Seam(u32),
    TakeOver(u32),
    Write(u32),
    Create(u32),
    Sync(u32),
    TargetStat(u32),
    Rename(u32),
    Upload(ConnId),
}

/// This machine's context.
type Context<'a> = Cx<'a, Client>;

/// A Napster client as a state machine: logged in at one server at a time, with any number of transfers.
///
/// See the [crate's page](crate) for how to run one.
pub struct Client {
    config: Config,
    listener: Option<ListenerId>,
    listening: Option<SocketAddr>,
    session: Session,
    shares: Shares,
    searches: Searches,
    questions: BTreeMap<OpId, Question>,
    downloads: BTreeMap<u32, Download>,
    next_download: u32,
    /// Counts uploads, so that each has a number.
    uploads: u64,
    download_ops: BTreeMap<OpId, u32>,
    slots: Slots,
    /// Until when those that asked for our list may fetch it.
    list_requests: Vec<Instant>,
    streams: BTreeMap<ConnId, Stream>,
    jobs: BTreeMap<JobId, Work>,
    watched: BTreeSet<Bytes>,
    /// Nicks in lower case.
    ignored: BTreeSet<Bytes>,
    channels: BTreeSet<Bytes>,
    /// Starts and ends of transfers told to the server: some count them, and complain of more than two a minute.
    tallies: TokenBucket,
    stopping: bool,
    halted: bool,
    out: BytesMut,
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client")
            .field("online", &self.is_online())
            .field("listening", &self.listening)
            .field("shares", &self.shares.len())
            .field("downloads", &self.downloads.len())
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client that is nowhere yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let gap = u64::try_from(config.search_every.as_millis()).unwrap_or(u64::MAX);
        Self {
            slots: Slots::new(config.limits.uploads),
            searches: Searches::new(gap, config.search_burst),
            config,
            listener: None,
            listening: None,
            session: Session::default(),
            shares: Shares::default(),
            questions: BTreeMap::new(),
            downloads: BTreeMap::new(),
            next_download: 0,
            uploads: 0,
            download_ops: BTreeMap::new(),
            list_requests: Vec::new(),
            streams: BTreeMap::new(),
            jobs: BTreeMap::new(),
            watched: BTreeSet::new(),
            ignored: BTreeSet::new(),
            channels: BTreeSet::new(),
            // In thirds of a message a second: one every 30 s.
            tallies: TokenBucket::new(Instant::ZERO, 1, 60),
            stopping: false,
            halted: false,
            out: BytesMut::new(),
        }
    }

    /// Where it listens for other clients, once it does.
    #[must_use]
    pub const fn listening(&self) -> Option<SocketAddr> {
        self.listening
    }

    /// How much it holds that strangers could make grow.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            streams: self.streams.len(),
            uploads: self.slots.in_use(),
            queued: self.slots.waiting(),
            questions: self.questions.len(),
            searches: self.searches.len(),
            downloads: self.downloads.len(),
            unwritten: self.downloads.values().map(Download::unwritten).sum(),
            session: self.session.held(),
            heard: self.streams.values().map(Stream::held).sum(),
        }
    }

    fn listener(&mut self, listener: ListenerId, at: Result<SocketAddr, IoError>, cx: &mut Context<'_>) {
        if self.listener != Some(listener) {
            return;
        }
        match at {
            Ok(at) => {
                self.listening = Some(at);
                cx.tell(Event::Listening(at));
            }
            Err(why) => {
                self.listener = None;
                self.listening = None;
                let at = self.config.listen.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
                cx.tell(Event::NotListening(Error::Listen { at, why }));
            }
        }
        self.port_known(cx);
    }

    /// The port told to servers; 0 says that nobody can dial us.
    fn port(&self) -> u16 {
        self.listening.map_or(0, |at| at.port())
    }

    /// Says something to the server, if there is one that has let us in.
    fn say(&mut self, message: &ToServer<'_>, cx: &mut Context<'_>) {
        if self.is_online() {
            message.encode(&mut self.out);
            self.send_out(cx);
        }
    }

    fn is_self(&self, nick: &[u8]) -> bool {
        crate::wire::text::same_nick(nick, &self.config.nick)
    }

    fn is_ignored(&self, nick: &[u8]) -> bool {
        !self.ignored.is_empty() && self.ignored.contains(&folded(nick))
    }

    /// Tells the server that transfers begin or end, where it would not complain.
    fn tally(&mut self, message: &ToServer<'_>, cx: &mut Context<'_>) {
        if self.tallies.take(cx.now(), 30) {
            self.say(message, cx);
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_>) {
        match timer {
            Timer::Reconnect => self.connect_next(cx),
            Timer::Login => self.login_late(cx),
            Timer::Announce => self.announce(cx),
            Timer::Search => self.search_late(cx),
            Timer::NextSearch => self.next_search(cx),
            Timer::Question(op) => self.question_late(op, cx),
            Timer::Download(key) => self.download_late(key, cx),
            Timer::Stream(conn) => self.stream_late(conn, cx),
            Timer::Word(conn) => self.word_due(conn, cx),
            Timer::Farewell => self.farewell_over(cx),
        }
    }

    fn stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Context<'_>) {
        if self.session.owns(conn) {
            self.session_stream(conn, input, cx);
        } else {
            self.data_stream(conn, input, cx);
        }
    }

    fn op(&mut self, op: OpId, input: OpInput<Command>, cx: &mut Context<'_>) {
        match input {
            OpInput::Ask(command) => self.command(op, command, cx),
            OpInput::Full => self.reader_full(op, true, cx),
            OpInput::Ready => self.reader_full(op, false, cx),
            OpInput::Cancel => self.cancel(op, cx),
        }
    }
}

/// What a client holds that strangers could make grow: counts, and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Load {
    /// Streams of the data port.
    pub streams: usize,
    /// Uploads accepted or under way.
    pub uploads: usize,
    /// Requests in the upload queue.
    pub queued: usize,
    /// Questions without an answer.
    pub questions: usize,
    /// Searches, under way or waiting.
    pub searches: usize,
    /// Downloads not finished.
    pub downloads: usize,
    /// Received bytes not on the disk yet.
    pub unwritten: u64,
    /// Bytes of a server's message whose end has not come.
    pub session: usize,
    /// Bytes of the data port's streams that were not understood yet.
    pub heard: usize,
}

impl Machine for Client {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        if self.halted {
            return;
        }
        match input {
            Input::Start => self.listener = self.config.listen.map(|at| cx.listen(at)),
            Input::Op(op, input) => self.op(op, input, cx),
            Input::Timer(timer) => self.timer(timer, cx),
            Input::Stream(conn, input) => self.stream(conn, input, cx),
            Input::Listener(listener, at) => self.listener(listener, at, cx),
            Input::Job(job, done) => self.job(job, done, cx),
            Input::Stop => self.stop(cx),
            Input::Bound(..) | Input::Datagram(..) | Input::Resolved(..) => {}
        }
        self.check_stopped(cx);
    }
}
