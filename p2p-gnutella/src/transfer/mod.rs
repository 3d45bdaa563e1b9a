//! Files between servents: [`Transfers`] serves what is shared, and fetches what is wanted from many at once.
//!
//! ```text
//!  door ── open ──┬─ GET, HEAD ── guest ──┬─ slot ── read jobs ── stream       (uploads)
//!                 │                       ├─ queue, tree, list, push proxy
//!                 └─ GIV ─────┐           └─ next request
//!  Fetch ── sources ── dial ──┴─ giver ── HEAD ── tree ── ranges ── write jobs with the slice's digest ──┬─ good
//!             ▲  push, mesh      ▲                                                                      │
//!             └── rest, queue ───┴────────────────── a bad slice names its giver ◄── verified ◄─────────┘
//! ```
//!
//! It is a [`Machine`] that listens nowhere: its owner, the servent, hands over streams that are no links
//! ([`open`](Transfers::open)) and inputs of streams and jobs that it [owns](Transfers::owns), and does what it
//! [asks](Transfers::next_ask) of the overlay. It owns the [`Library`] and hands its jobs over.
//!
//! Nothing that a source says is believed. A range that came is verified against the tree, a tree against its root, a root that
//! only a source told against what other sources give, and the whole against the SHA-1 that was asked for.

mod browse;
mod config;
mod download;
mod event;
mod files;
mod finish;
mod give;
mod giver;
mod guest;
mod heads;
pub mod http;
mod kept;
pub mod mesh;
mod pages;
mod reading;
mod receive;
mod serve;
mod share;
pub mod slices;
pub mod slots;
mod source;
mod sources;
mod trees;
mod upload;

pub use config::{Config, Limits};
pub use event::{Ask, Command, Error, Event, Progress, SourceError, Wanted};
pub use source::Locator;

use crate::handshake::Greeting;
use crate::head::HeadReader;
use crate::library::Library;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::{IpAddr, SocketAddr};
use download::Download;
use giver::GiverStream;
use guest::Guest;
use mesh::Mesh;
use p2p_core::hash::Sha1Hash;
use p2p_core::limit::{PerKey, TokenBucket};
use p2p_core::{
    ConnId, Cx, FileId, Input, Instant, IoError, JobDone, JobId, Machine, OpId, OpInput, StreamInput,
};
use reading::Reader;
use slots::Slots;

/// The timers of [`Transfers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// The watched folders are to be looked through.
    Scan,
    /// A stream has waited long enough.
    Stream(ConnId),
    /// Uploads may send again.
    Rate,
    /// A download looks after its sources.
    Download(u32),
}

/// What a job is for.
#[derive(Debug)]
enum Work {
    /// A part of a file for a guest.
    Read(ConnId),
    /// A tree for a guest.
    Tree(ConnId, Sha1Hash),
    /// Of a download, and of which of its lives.
    Download(u32, files::Step),
}

/// A stream.
#[derive(Debug)]
enum Stream {
    Guest(Guest),
    Giver(GiverStream),
    /// A servent that we were asked to connect to, and the number of the file that it wants.
    Giving(u32),
    /// A servent that connects because it was told to, from where, and what it says.
    Taking(SocketAddr, HeadReader),
    /// A push proxy that is asked to tell a source of a download to connect.
    Proxy(sources::ProxyAsked),
    Browse(browse::Listing),
}

type Context<'a> = Cx<'a, Transfers>;

/// Uploads, downloads, and the library.
pub struct Transfers {
    config: Config,
    library: Library,
    streams: BTreeMap<ConnId, Stream>,
    jobs: BTreeMap<JobId, Work>,
    slots: Slots,
    bucket: TokenBucket,
    /// Guests that wait for the bucket, in turn.
    throttled: VecDeque<ConnId>,
    browsers: PerKey<IpAddr>,
    pushers: PerKey<IpAddr>,
    mesh: Mesh,
    /// Whether there is an IPv6 address here.
    ipv6: bool,
    downloads: BTreeMap<u32, Download>,
    by_sha1: BTreeMap<Sha1Hash, u32>,
    next_download: u32,
    /// Who waits for something to be shared.
    sharing: Vec<(OpId, FileId)>,
    asks: VecDeque<Ask>,
    /// Streams that a part closed while another looked at them, and so on, are gone from `streams` at once.
    stopping: bool,
    halted: bool,
}

impl core::fmt::Debug for Transfers {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Transfers")
            .field("shared", &self.library.len())
            .field("streams", &self.streams.len())
            .field("downloads", &self.downloads.len())
            .finish_non_exhaustive()
    }
}

/// What is held that strangers could make grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Load {
    /// Streams.
    pub streams: usize,
    /// Uploads.
    pub uploads: usize,
    /// Places taken in the queue.
    pub queued: usize,
    /// Bytes of heads that have not come whole, and of requests that came too early.
    pub heard: usize,
    /// Received bytes that are not on the disk.
    pub unwritten: u64,
    /// Alternates.
    pub alternates: usize,
    /// Sources of downloads.
    pub sources: usize,
    /// What the overlay has not taken.
    pub asks: usize,
}

/// Asks of the overlay that may wait: it takes them after every input.
const ASKS_MAX: usize = 1_024;
/// Addresses whose listings and pushes are counted.
const COUNTED_MAX: usize = 4_096;

impl Transfers {
    /// Nothing is known or under way yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let browse_every = config.limits.browse_every.as_secs().max(1);
        let burst = config.upload_rate.clamp(1, 1 << 40);
        Self {
            library: Library::new(config.library.clone()),
            streams: BTreeMap::new(),
            jobs: BTreeMap::new(),
            slots: Slots::new(config.limits.uploads.clone()),
            bucket: if config.upload_rate == u64::MAX {
                TokenBucket::unlimited()
            } else {
                TokenBucket::new(Instant::ZERO, config.upload_rate, burst)
            },
            throttled: VecDeque::new(),
            // A second is a token.
            browsers: PerKey::new(COUNTED_MAX, 1, browse_every),
            pushers: PerKey::new(COUNTED_MAX, 1, 30),
            mesh: Mesh::default(),
            ipv6: false,
            downloads: BTreeMap::new(),
            by_sha1: BTreeMap::new(),
            next_download: 0,
            sharing: Vec::new(),
            asks: VecDeque::new(),
            stopping: false,
            halted: false,
            config,
        }
    }

    /// The shared files.
    #[must_use]
    pub const fn library(&self) -> &Library {
        &self.library
    }

    /// The shared files, to make their [table](Library::table).
    pub const fn library_mut(&mut self) -> &mut Library {
        &mut self.library
    }

    /// Others reach us here, or cannot.
    pub const fn set_address(&mut self, address: Option<SocketAddr>) {
        self.config.address = address;
    }

    /// Whether there is an IPv6 address, so that those of others are of use.
    pub const fn set_ipv6(&mut self, has: bool) {
        self.ipv6 = has;
    }

    /// What is said of what this servent can do.
    pub(super) const fn features(&self) -> &'static str {
        if self.ipv6 { http::FEATURES6 } else { http::FEATURES }
    }

    /// Whether a stream is one of these.
    #[must_use]
    pub fn owns(&self, conn: ConnId) -> bool {
        self.streams.contains_key(&conn)
    }

    /// Whether a job is one of these.
    #[must_use]
    pub fn owns_job(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job) || self.library.owns(job)
    }

    /// What is wanted of the overlay, one thing at a time.
    pub fn next_ask(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// Whether every slot for uploads is taken.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.slots.served() >= self.config.limits.uploads.uploads
    }

    /// Who else has a shared file, those first who proved it.
    #[must_use]
    pub fn alternates(&self, sha1: &Sha1Hash, most: usize) -> Vec<SocketAddr> {
        self.mesh.tell(sha1, core::net::Ipv4Addr::UNSPECIFIED.into(), most, true)
    }

    /// Whether a file is fetched just now.
    #[must_use]
    pub fn fetches(&self, sha1: &Sha1Hash) -> bool {
        self.by_sha1.contains_key(sha1)
    }

    /// Somebody is said to have a file that is fetched.
    pub fn found(&mut self, sha1: &Sha1Hash, source: Locator, cx: &mut Context<'_>) {
        if let Some(key) = self.by_sha1.get(sha1).copied() {
            self.add_source(key, source, cx);
            self.tend(key, cx);
        }
    }

    fn ask_overlay(&mut self, ask: Ask) {
        if self.asks.len() < ASKS_MAX && !self.asks.contains(&ask) {
            self.asks.push_back(ask);
        }
    }

    /// What is held.
    #[must_use]
    pub fn load(&self) -> Load {
        let heard = |stream: &Stream| match stream {
            Stream::Guest(guest) => guest.held(),
            Stream::Giver(giver) => giver.head.len(),
            Stream::Taking(_, head) => head.len(),
            Stream::Proxy(proxy) => proxy.head.len(),
            Stream::Browse(listing) => listing.held(),
            Stream::Giving(_) => 0,
        };
        Load {
            streams: self.streams.len(),
            uploads: self.slots.served(),
            queued: self.slots.waiting(),
            heard: self.streams.values().map(heard).sum(),
            unwritten: self.downloads.values().map(Download::unwritten).sum(),
            alternates: self.mesh.len(),
            sources: self.downloads.values().map(|download| download.sources.len()).sum(),
            asks: self.asks.len(),
        }
    }

    /// Takes over a stream that somebody opened and that is no link, with what it said so far. Whether it was taken: one of
    /// another greeting was not, and one for which there is no room was closed.
    pub fn open(
        &mut self,
        conn: ConnId,
        peer: SocketAddr,
        greeting: Greeting,
        first: Bytes,
        cx: &mut Context<'_>,
    ) -> bool {
        let stream = match greeting {
            Greeting::Http => Stream::Guest(Guest::new(peer)),
            Greeting::Giv => Stream::Taking(peer, HeadReader::default()),
            _ => return false,
        };
        let guests =
            self.streams.values().filter(|stream| matches!(stream, Stream::Guest(_) | Stream::Taking(..)));
        if self.stopping || guests.count() >= self.config.limits.guests {
            cx.close(conn);
            return true;
        }
        self.streams.insert(conn, stream);
        cx.set_timer(Timer::Stream(conn), self.config.limits.head);
        self.heard(conn, first, cx);
        true
    }

    /// Forgets a stream and closes it: at once, or after what was sent.
    fn drop_stream(&mut self, conn: ConnId, at_once: bool, cx: &mut Context<'_>) -> Option<Stream> {
        let stream = self.streams.remove(&conn)?;
        cx.clear_timer(Timer::Stream(conn));
        if at_once {
            cx.abort(conn);
        } else {
            cx.close(conn);
        }
        Some(stream)
    }

    fn heard(&mut self, conn: ConnId, data: Bytes, cx: &mut Context<'_>) {
        match self.streams.get(&conn) {
            Some(Stream::Guest(_)) => self.guest_said(conn, data, cx),
            Some(Stream::Giver(_)) => self.giver_said(conn, data, cx),
            Some(Stream::Taking(..)) => self.taking_said(conn, data, cx),
            Some(Stream::Proxy(_)) => self.proxy_said(conn, data, cx),
            Some(Stream::Browse(_)) => self.listing_said(conn, data, cx),
            // Nothing is to be said before we do.
            Some(Stream::Giving(_)) => drop(self.drop_stream(conn, true, cx)),
            None => {}
        }
    }

    fn stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Context<'_>) {
        match input {
            StreamInput::Open { peer, .. } => self.opened(conn, peer, cx),
            StreamInput::Data(data) => self.heard(conn, data, cx),
            StreamInput::Full => self.guest_full(conn, true, cx),
            StreamInput::Ready => self.guest_full(conn, false, cx),
            StreamInput::Closed(how) => self.closed(conn, how, cx),
            StreamInput::Secured(_) => {}
        }
    }

    /// A stream that we dialled is open.
    fn opened(&mut self, conn: ConnId, peer: SocketAddr, cx: &mut Context<'_>) {
        match self.streams.get(&conn) {
            Some(Stream::Giver(_)) => self.giver_opened(conn, peer, cx),
            Some(Stream::Giving(_)) => self.giving_opened(conn, peer, cx),
            Some(Stream::Proxy(_)) => self.proxy_opened(conn, cx),
            Some(Stream::Browse(_)) => self.listing_opened(conn, cx),
            _ => {}
        }
    }

    /// The other end finished, or the stream broke; the handle is dead.
    fn closed(&mut self, conn: ConnId, how: Result<(), IoError>, cx: &mut Context<'_>) {
        let Some(stream) = self.streams.remove(&conn) else { return };
        cx.clear_timer(Timer::Stream(conn));
        match stream {
            Stream::Guest(guest) => self.guest_gone(conn, &guest, cx),
            Stream::Giver(giver) => {
                self.giver_gone(&giver, SourceError::Connection(how.err().unwrap_or(IoError::Reset)), cx)
            }
            Stream::Proxy(proxy) => self.proxy_gone(&proxy, cx),
            Stream::Browse(listing) => self.listing_gone(listing, how, cx),
            Stream::Giving(_) | Stream::Taking(..) => {}
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_>) {
        match timer {
            Timer::Scan => self.scan(cx),
            Timer::Rate => self.rate_due(cx),
            Timer::Download(key) => self.tend(key, cx),
            Timer::Stream(conn) => match self.streams.get(&conn) {
                Some(Stream::Guest(_)) => self.guest_late(conn, cx),
                Some(Stream::Giver(_)) => self.giver_late(conn, cx),
                Some(_) => {
                    if let Some(stream) = self.drop_stream(conn, true, cx) {
                        match stream {
                            Stream::Proxy(proxy) => self.proxy_gone(&proxy, cx),
                            Stream::Browse(listing) => {
                                self.listing_gone(listing, Err(IoError::TimedOut), cx);
                            }
                            _ => {}
                        }
                    }
                }
                None => {}
            },
        }
    }

    fn scan(&mut self, cx: &mut Context<'_>) {
        self.library.scan(cx);
        if !self.config.scan_every.is_zero() {
            cx.set_timer(Timer::Scan, self.config.scan_every);
        }
    }

    fn job(&mut self, job: JobId, done: JobDone, cx: &mut Context<'_>) {
        if self.library.owns(job) {
            let news = self.library.job(job, done, cx);
            return self.library_told(news, cx);
        }
        match self.jobs.remove(&job) {
            Some(Work::Read(conn)) => self.part_read(conn, done, cx),
            Some(Work::Tree(conn, sha1)) => self.tree_read(conn, sha1, done, cx),
            Some(Work::Download(key, step)) => self.stepped(key, step, done, cx),
            None => {}
        }
    }

    fn op(&mut self, op: OpId, input: OpInput<Command>, cx: &mut Context<'_>) {
        match input {
            OpInput::Ask(_) if self.stopping => cx.finish(op, Err(Error::Stopping)),
            OpInput::Ask(Command::Download(wanted)) => self.fetch(op, wanted, None, cx),
            OpInput::Ask(Command::Fetch(wanted)) => self.fetch(op, wanted, Some(Reader::default()), cx),
            OpInput::Ask(Command::Sources(sha1, sources)) => {
                let key = self.by_sha1.get(&sha1).copied();
                if let Some(key) = key {
                    sources.into_iter().for_each(|source| self.add_source(key, source, cx));
                    self.tend(key, cx);
                }
                cx.finish(op, key.map(|_| ()).ok_or(Error::Unknown));
            }
            OpInput::Ask(Command::Share(file)) => self.share(op, file, cx),
            OpInput::Ask(Command::Unshare(file)) => {
                let was = self.library.leave(&file);
                cx.finish(op, if was { Ok(()) } else { Err(Error::NotShared) });
            }
            OpInput::Ask(Command::Rescan) => {
                self.scan(cx);
                cx.finish(op, Ok(()));
            }
            OpInput::Ask(Command::Browse(addr)) => self.browse(op, addr, cx),
            OpInput::Cancel => self.cancel(op, cx),
            OpInput::Full => self.reader_full(op, true, cx),
            OpInput::Ready => self.reader_full(op, false, cx),
        }
    }

    fn check_stopped(&mut self, cx: &mut Context<'_>) {
        if self.stopping && !self.halted && self.downloads.is_empty() {
            self.halted = true;
            cx.halt();
        }
    }

    /// Everybody is sent away, and what was received is kept.
    fn stop(&mut self, cx: &mut Context<'_>) {
        self.stopping = true;
        let conns: Vec<ConnId> = self.streams.keys().copied().collect();
        for conn in conns {
            match self.drop_stream(conn, false, cx) {
                Some(Stream::Guest(guest)) => self.guest_gone(conn, &guest, cx),
                Some(Stream::Browse(listing)) => self.listing_gone(listing, Err(IoError::Stopped), cx),
                _ => {}
            }
        }
        for (op, _) in core::mem::take(&mut self.sharing) {
            cx.finish(op, Err(Error::Stopping));
        }
        let keys: Vec<u32> = self.downloads.keys().copied().collect();
        keys.into_iter().for_each(|key| self.put_aside(key, Error::Stopping, cx));
    }
}

impl Machine for Transfers {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        if self.halted {
            return;
        }
        match input {
            Input::Start => self.scan(cx),
            Input::Op(op, input) => self.op(op, input, cx),
            Input::Timer(timer) => self.timer(timer, cx),
            Input::Stream(conn, input) => self.stream(conn, input, cx),
            Input::Job(job, done) => self.job(job, done, cx),
            Input::Stop => self.stop(cx),
            Input::Listener(..) | Input::Bound(..) | Input::Datagram(..) | Input::Resolved(..) => {}
        }
        self.check_stopped(cx);
    }
}
