//! What the machine allocates: nothing per block in steady state, and little for what is idle. Counts do not depend on
//! the computer; `examples/measure/idle.py` measures whole programs.

#[path = "../benches/pair/mod.rs"]
mod pair;

use p2p_bittorrent::metainfo::{Limits, Metainfo};
use p2p_bittorrent::peer::{ExtendedHandshake, Handshake, Message, Registry, Reserved, wire};
use p2p_bittorrent::{Client, Command, Config, PeerId, Torrent};
use p2p_core::{
    Bytes, ConnId, Cx, Duration, Effect, Input, Instant, Job, JobDone, ListenerId, Machine, OpId, OpInput,
    Rng, Source, StreamInput, UnixTime,
};
use pair::Pair;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MIB: u64 = 1 << 20;

/// The allocator counts for all threads: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Jobs are asked for by the run, of 8 and of 16 blocks, and each has its lists; nothing is allocated for a block.
#[test]
fn nothing_is_allocated_per_block() {
    let _alone = alone();
    let mut pair = Pair::new(256);
    pair.run_to(64 * MIB);
    let region = Region::new(ALLOCATOR);
    let from = pair.written;
    pair.run_to(192 * MIB);
    let counted = region.change();
    let blocks = (pair.written - from) / (16 * 1024);
    let per_block = (counted.allocations + counted.reallocations) as f64 / blocks as f64;
    assert!(per_block <= 0.45, "{per_block:.3} allocations per block");
    assert!(pair.finish());
}

/// A client whose disk is empty and whose peers say what they are told to.
struct Idle {
    client: Client,
    source: Source,
    now: Instant,
    timers: BTreeMap<p2p_bittorrent::Timer, Instant>,
    inputs: VecDeque<Input<Client>>,
    effects: Vec<Effect<Client>>,
    dropped: usize,
}

const LISTENER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 6881);

impl Idle {
    fn new() -> Self {
        let mut config = Config::default();
        config.state = None;
        config.limits.peers_per_torrent = 10_000;
        config.limits.unknown_streams = 10_000;
        config.listen = Some(LISTENER);
        let mut idle = Self {
            client: Client::new(config),
            source: Source::new(Rng::fast_from(1)),
            now: Instant::from_nanos(1_000_000_000),
            timers: BTreeMap::new(),
            inputs: VecDeque::new(),
            effects: Vec::new(),
            dropped: 0,
        };
        idle.give(Input::Start);
        idle
    }

    fn give(&mut self, input: Input<Client>) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            let mut effects = std::mem::take(&mut self.effects);
            let mut cx = Cx::new(self.now, UnixTime::from_secs(1), &mut self.source, &mut effects);
            self.client.handle(input, &mut cx);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Listen(id, at, _) => self.inputs.push_back(Input::Listener(id, Ok(at))),
                    Effect::Run(id, Job::Stat { .. }) => {
                        self.inputs.push_back(Input::Job(id, JobDone::Stat(Ok(None))));
                    }
                    Effect::SetTimer(timer, at) => drop(self.timers.insert(timer, at)),
                    Effect::ClearTimer(timer) => drop(self.timers.remove(&timer)),
                    Effect::Abort(_) | Effect::Close(_) => self.dropped += 1,
                    _ => {}
                }
            }
            self.effects = effects;
        }
    }

    /// Adds a torrent that nobody waits for.
    fn add(&mut self, number: u64, pieces: usize) -> p2p_bittorrent::InfoHash {
        let text = format!(
            "d4:infod6:lengthi{}e4:name8:{number:08}12:piece lengthi16384e6:pieces{}:{}ee",
            pieces * 16_384,
            pieces * 20,
            "x".repeat(pieces * 20)
        );
        let metainfo = Arc::new(Metainfo::parse(text.as_bytes(), &Limits::default()).expect("a torrent"));
        let info_hash = metainfo.info.info_hash();
        let op = OpId::from_raw(number + 1);
        self.give(Input::Op(op, OpInput::Ask(Command::Download(Box::new(Torrent::new(metainfo))))));
        self.give(Input::Op(op, OpInput::Cancel));
        info_hash
    }

    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some((&timer, &at)) = self.timers.iter().min_by_key(|(_, at)| **at)
            && at <= until
        {
            self.timers.remove(&timer);
            self.now = at;
            self.give(Input::Timer(timer));
        }
        self.now = until;
    }
}

/// Bytes that were allocated since and are still.
fn kept(region: &Region<'_, System>) -> f64 {
    let change = region.change();
    // What reallocation added or took away is in both already.
    change.bytes_allocated as f64 - change.bytes_deallocated as f64
}

#[test]
fn an_idle_torrent_is_small_and_sets_no_timer() {
    const TORRENTS: u64 = 500;
    let _alone = alone();
    let mut idle = Idle::new();
    idle.add(0, 256);
    idle.pass(Duration::from_secs(60));
    let region = Region::new(ALLOCATOR);
    for number in 1..=TORRENTS {
        idle.add(number, 256);
    }
    idle.pass(Duration::from_secs(60));
    let each = kept(&region) / TORRENTS as f64;
    // 5,120 bytes of these are the hashes.
    assert!((5_120.0..6_400.0).contains(&each), "{each:.0} bytes per torrent");
    assert_eq!(idle.timers.len(), 0, "{:?}", idle.timers);
}

#[test]
fn an_idle_peer_is_small() {
    const PIECES: usize = 8_192;
    const PEERS: u64 = 200;
    let _alone = alone();
    let mut idle = Idle::new();
    let info_hash = idle.add(0, PIECES);
    let connect = |idle: &mut Idle, number: u64| {
        let conn = ConnId::from_raw(1_000 + number);
        let peer = SocketAddr::from(([10, 1, (number >> 8) as u8, number as u8], 6_881));
        idle.give(Input::Stream(conn, StreamInput::Open { peer, listener: Some(ListenerId::from_raw(1)) }));
        let mut said = bytes::BytesMut::new();
        let mut id = [0; 20];
        id[12..].copy_from_slice(&number.to_be_bytes());
        let hello = Handshake { reserved: Reserved::OURS, info_hash, peer_id: PeerId(id) };
        said.extend_from_slice(&hello.encode());
        wire::encode(&Message::Bitfield(Bytes::from(vec![0x55; PIECES / 8])), &mut said);
        let version = Some("qBittorrent/4.5.2".into());
        let extended = ExtendedHandshake { version, reqq: Some(500), ..ExtendedHandshake::default() };
        let payload = extended.encode(Registry::new(&["ut_metadata", "ut_pex"]));
        wire::encode(&Message::Extended { id: 0, payload }, &mut said);
        idle.give(Input::Stream(conn, StreamInput::Data(said.freeze())));
    };
    for number in 0..50 {
        connect(&mut idle, number);
    }
    idle.pass(Duration::from_secs(30));
    let region = Region::new(ALLOCATOR);
    for number in 50..50 + PEERS {
        connect(&mut idle, number);
    }
    idle.pass(Duration::from_secs(30));
    let each = kept(&region) / PEERS as f64;
    // 1,024 bytes of these are what it has.
    assert!((1_024.0..1_650.0).contains(&each), "{each:.0} bytes per peer");
    assert_eq!(idle.dropped, 0);
}
