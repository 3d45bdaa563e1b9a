//! The [`Client`] machine: many torrents, their peers and trackers, behind one [`handle`](Machine::handle).
//!
//! ```text
//!  stream in ── greet ── message ─┬─ have, bitfield ──────── picker ── interest
//!                                 ├─ request ── wants ── read job ── piece out
//!                                 └─ piece ── store ── write job ── digest ─┬─ verified ── HAVE to all
//!                                                                           └─ failed ──── suspects
//! ```

mod choking;
mod commands;
mod door;
mod download;
mod files;
mod first_seed;
mod jobs;
mod load;
mod messages;
mod probe;
mod stop;
mod swarm;
mod trackers;
mod upload;

pub(crate) use files::Saving;
pub use load::Load;

use crate::config::Config;
use crate::error::Error;
use crate::event::{Bootstrap, Command, Event};
use crate::info_hash::{InfoHash, PeerId};
use crate::peer::session::Peer;
use crate::peer::wire::Block;
use crate::picker::PeerKey;
use crate::torrent::Torrent;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::BytesMut;
use core::hash::BuildHasherDefault;
use core::net::{IpAddr, SocketAddr};
use p2p_core::limit::TokenBucket;
use p2p_core::{ConnId, Cx, Digest, Input, Instant, JobId, ListenerId, Machine, OpId, OpInput, StreamInput};

/// The machine's own name for one of its torrents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TorrentKey(pub(crate) u32);

/// The timers of a [`Client`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// A stream must have greeted by now.
    Greeting(ConnId),
    /// A torrent's housekeeping while it has peers: chokes, time-outs, dials.
    Round(TorrentKey),
    /// A torrent's trackers are due.
    Announce(TorrentKey),
    /// A torrent's received blocks have waited long enough.
    Flush(TorrentKey),
    /// A torrent's resume data is to be written.
    Save(TorrentKey),
    /// A torrent's progress is to be told.
    Report(TorrentKey),
    /// The upload limit lets more out.
    Upload,
    /// The download limit lets more be asked for.
    Download,
    /// Stopping has taken long enough.
    Farewell,
}

/// What a job was for.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    LoadResume,
    Stat(u32),
    /// The same file under its own name.
    StatElsewhere(u32),
    Check(u32),
    Empty,
    Write {
        piece: u32,
        begin: u32,
        len: u32,
    },
    Reread(u32),
    /// A block of a piece that failed, digested before it is fetched again.
    Suspect {
        piece: u32,
        block: u32,
    },
    /// The same block of the piece once it verified.
    Acquit {
        piece: u32,
        block: u32,
    },
    /// Our block of a verified piece, to be compared with what a peer gave as that.
    Probe {
        peer: PeerKey,
        piece: u32,
        given: Box<Digest>,
    },
    /// All of that piece, if they differ.
    ProbeDoubt {
        peer: PeerKey,
        piece: u32,
    },
    Upload(ConnId),
    Reader(OpId),
    SaveSync(u32),
    SaveStat(u32),
    Save,
}

/// A map from handles, which are small increasing numbers: hashed by one multiplication, the same in every run.
pub(crate) type HandleMap<K, V> = hashbrown::HashMap<K, V, BuildHasherDefault<HandleHasher>>;

/// The peers of all torrents, by their streams.
pub(crate) type Peers = HandleMap<ConnId, Box<Peer>>;

/// Spreads an increasing number over 64 bits (Fibonacci hashing, Knuth volume 3, section 6.4).
#[derive(Default, Clone, Copy)]
pub(crate) struct HandleHasher(u64);

impl core::hash::Hasher for HandleHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        let mixed = (self.0 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// A BitTorrent client as a state machine: it seeds and downloads any number of torrents.
///
/// See the [crate's page](crate) for how to run one.
pub struct Client {
    config: Config,
    id: PeerId,
    listener: Option<ListenerId>,
    listening: Option<SocketAddr>,
    joining: Vec<OpId>,
    bootstrap: Bootstrap,
    torrents: BTreeMap<TorrentKey, Box<Torrent>>,
    by_hash: BTreeMap<InfoHash, TorrentKey>,
    next_torrent: u32,
    peers: Peers,
    next_peer: PeerKey,
    /// Inbound streams that have not said which torrent they are for.
    greeting: BTreeSet<(IpAddr, ConnId)>,
    jobs: HandleMap<JobId, (TorrentKey, Work)>,
    /// Torrents that are forgotten while jobs of theirs are under way: which, and how many jobs.
    lingering: BTreeMap<TorrentKey, (InfoHash, u32)>,
    ops: BTreeMap<OpId, TorrentKey>,
    trackers: trackers::Routes,
    upload_bucket: TokenBucket,
    download_bucket: TokenBucket,
    upload_waits: bool,
    download_waits: bool,
    banned: BTreeSet<IpAddr>,
    /// Payload bytes in memory, and of these on their way to the disk.
    held: u64,
    writing: u64,
    disk_behind: bool,
    stopping: Option<stop::Stopping>,
    halted: bool,
    out: BytesMut,
    /// Where heads of blocks are written, many to an allocation.
    heads: BytesMut,
    picked: Vec<Block>,
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client")
            .field("listening", &self.listening)
            .field("torrents", &self.torrents.len())
            .field("peers", &self.peers.len())
            .finish_non_exhaustive()
    }
}

/// Bytes of messages to an allocation: some thirty requests, or eighty heads of blocks.
const SAYING: usize = 1024;

/// This machine's context.
pub(crate) type Context<'a> = Cx<'a, Client>;

impl Client {
    /// A client that has no torrents yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let bucket = |rate: Option<u64>| {
            rate.map_or_else(TokenBucket::unlimited, |rate| TokenBucket::new(Instant::ZERO, rate, rate))
        };
        Self {
            upload_bucket: bucket(config.upload_rate),
            download_bucket: bucket(config.download_rate),
            config,
            id: PeerId([0; 20]),
            listener: None,
            listening: None,
            joining: Vec::new(),
            bootstrap: Bootstrap::default(),
            torrents: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            next_torrent: 0,
            peers: HandleMap::default(),
            next_peer: 0,
            greeting: BTreeSet::new(),
            jobs: HandleMap::default(),
            lingering: BTreeMap::new(),
            ops: BTreeMap::new(),
            trackers: trackers::Routes::default(),
            upload_waits: false,
            download_waits: false,
            banned: BTreeSet::new(),
            held: 0,
            writing: 0,
            disk_behind: false,
            stopping: None,
            halted: false,
            out: BytesMut::with_capacity(SAYING),
            heads: BytesMut::with_capacity(SAYING),
            picked: Vec::new(),
        }
    }

    /// Where it listens for peers, once it does.
    #[must_use]
    pub const fn listening(&self) -> Option<SocketAddr> {
        self.listening
    }

    /// How a torrent is doing.
    #[must_use]
    pub fn progress(&self, info_hash: InfoHash, now: Instant) -> Option<crate::Progress> {
        let key = self.by_hash.get(&info_hash)?;
        let torrent = self.torrents.get(key)?;
        Some(torrent.progress(self.seeds_of(torrent), now))
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        let mut id = cx.rng().bytes::<20>();
        id[..8].copy_from_slice(&self.config.peer_id_prefix);
        self.id = PeerId(id);
        self.identify(cx);
        self.listener = self.config.listen.map(|at| cx.listen(at));
    }

    fn listener(
        &mut self,
        listener: ListenerId,
        at: Result<SocketAddr, p2p_core::IoError>,
        cx: &mut Context<'_>,
    ) {
        if self.listener != Some(listener) {
            return;
        }
        match at {
            Ok(at) => {
                self.listening = Some(at);
                cx.tell(Event::Listening(at));
                self.listening_on(at.port());
                self.start_announcing(cx);
                for op in core::mem::take(&mut self.joining) {
                    cx.finish(op, Ok(()));
                }
            }
            Err(why) => {
                self.listener = None;
                self.listening = None;
                self.listening_on(0);
                self.start_announcing(cx);
                let at = self.config.listen.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
                let error = Error::Listen { at, why };
                for op in core::mem::take(&mut self.joining) {
                    cx.finish(op, Err(error.clone()));
                }
                cx.tell(Event::NotListening(error));
            }
        }
    }

    /// Torrents that waited for the port to be known announce themselves.
    fn start_announcing(&mut self, cx: &mut Context<'_>) {
        let keys: Vec<TorrentKey> =
            self.torrents.values().filter(|torrent| torrent.is_active()).map(|torrent| torrent.key).collect();
        for key in keys {
            self.start_trackers(key, cx);
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_>) {
        match timer {
            Timer::Greeting(conn) => self.greeting_late(conn, cx),
            Timer::Round(key) => self.round(key, cx),
            Timer::Announce(key) => self.announce_due(key, cx),
            Timer::Flush(key) => self.flush_due(key, cx),
            Timer::Save(key) => self.save_due(key, cx),
            Timer::Report(key) => self.report(key, cx),
            Timer::Upload => self.upload_refilled(cx),
            Timer::Download => self.download_refilled(cx),
            Timer::Farewell => self.farewell_over(cx),
        }
    }

    fn stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Context<'_>) {
        if self.trackers.owns_conn(conn) {
            return self.tracker_stream(conn, input, cx);
        }
        match input {
            StreamInput::Open { peer, listener: Some(_) } => self.accepted(conn, peer, cx),
            StreamInput::Open { peer, listener: None } => self.dialled(conn, peer, cx),
            StreamInput::Data(data) => self.data(conn, data, cx),
            StreamInput::Full => {
                if let Some(peer) = self.peers.get_mut(&conn) {
                    peer.full = true;
                }
            }
            StreamInput::Ready => {
                if let Some(peer) = self.peers.get_mut(&conn) {
                    peer.full = false;
                    self.serve(conn, cx);
                }
            }
            StreamInput::Secured(_) => {}
            StreamInput::Closed(how) => self.closed(conn, how, cx),
        }
    }
}

impl Machine for Client {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => self.start(cx),
            Input::Op(op, OpInput::Ask(command)) => self.command(op, command, cx),
            Input::Op(op, OpInput::Full) => self.reader_full(op, true, cx),
            Input::Op(op, OpInput::Ready) => self.reader_full(op, false, cx),
            Input::Op(op, OpInput::Cancel) => self.cancel(op, cx),
            Input::Timer(timer) => self.timer(timer, cx),
            Input::Stream(conn, input) => self.stream(conn, input, cx),
            Input::Listener(listener, at) => self.listener(listener, at, cx),
            Input::Bound(socket, at) => self.tracker_socket(socket, at, cx),
            Input::Datagram(socket, datagram) => self.tracker_datagram(socket, &datagram, cx),
            Input::Resolved(lookup, found) => self.tracker_resolved(lookup, found, cx),
            Input::Job(job, done) => self.job(job, done, cx),
            Input::Stop => self.stop(cx),
        }
        self.check_stopped(cx);
    }
}
