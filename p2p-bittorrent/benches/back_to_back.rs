//! Two clients back to back in memory: what the machine itself costs, without sockets, disk and hashing.
//!
//! One seeds, one fetches; every `Send` of one is a `Data` of the other, every read is a slice of one buffer, every
//! write is dropped, and digests are answered from a table. Prints payload per second, inputs per second and heap
//! allocations per block. `cargo bench -p p2p-bittorrent --bench back_to_back [GiB]`
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use p2p_bittorrent::metainfo::{Builder, CreateOptions};
use p2p_core::Machine as _;
use p2p_bittorrent::{Client, Command, Config, Event, Metainfo, Timer, Torrent};
use p2p_core::hash::{Hasher, Sha1};
use p2p_core::{
    Bytes, ConnId, Cx, Digest, DigestKind, Digester, Effect, Input, Instant, Job, JobDone, OpId, OpInput, Rng, Source,
    Stat, StreamInput, UnixTime,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

const PIECE: u32 = 1 << 20;
/// Bytes in one `Data`, as a driver's receive buffer would give them.
const BUFFER: usize = 256 * 1024;

struct Node {
    client: Client,
    source: Source,
    inbox: VecDeque<Input<Client>>,
    timers: BTreeMap<Timer, Instant>,
    has_files: bool,
    inputs: u64,
}

struct World {
    nodes: [Node; 2],
    /// The stream between them: its handle at either end.
    conns: [Option<ConnId>; 2],
    now: Instant,
    content: Bytes,
    piece_digest: Digest,
    file_len: u64,
    payload: u64,
    done: bool,
}

impl World {
    fn step(&mut self, who: usize, effects: &mut Vec<Effect<Client>>) -> bool {
        let Some(input) = self.nodes[who].inbox.pop_front() else { return false };
        let node = &mut self.nodes[who];
        node.inputs += 1;
        node.client.handle(input, &mut Cx::new(self.now, UnixTime::from_secs(0), &mut node.source, effects));
        let mut run: Vec<Bytes> = Vec::new();
        for effect in effects.drain(..) {
            self.carry_out(who, effect, &mut run);
        }
        true
    }

    fn carry_out(&mut self, who: usize, effect: Effect<Client>, _run: &mut Vec<Bytes>) {
        match effect {
            Effect::Send(_, data) => {
                if let Some(conn) = self.conns[1 - who] {
                    for at in (0..data.len()).step_by(BUFFER) {
                        let part = data.slice(at..data.len().min(at + BUFFER));
                        self.nodes[1 - who].inbox.push_back(Input::Stream(conn, StreamInput::Data(part)));
                    }
                }
            }
            Effect::Connect(conn, ..) => {
                let other = ConnId::from_raw(self.nodes[1 - who].source.draw());
                self.conns[who] = Some(conn);
                self.conns[1 - who] = Some(other);
                let peer = "10.0.0.1:1".parse().unwrap();
                self.nodes[who].inbox.push_back(Input::Stream(conn, StreamInput::Open { peer, listener: None }));
                let listener = Some(p2p_core::ListenerId::from_raw(1));
                self.nodes[1 - who].inbox.push_back(Input::Stream(other, StreamInput::Open { peer, listener }));
            }
            Effect::Run(id, job) => {
                let done = self.job(who, job);
                self.nodes[who].inbox.push_back(Input::Job(id, done));
            }
            Effect::SetTimer(timer, at) => {
                self.nodes[who].timers.insert(timer, at);
            }
            Effect::ClearTimer(timer) => {
                self.nodes[who].timers.remove(&timer);
            }
            Effect::Finish(_, result) => {
                result.unwrap();
                if who == 1 {
                    self.done = true;
                }
            }
            Effect::Event(_, Event::Stopped(_, error)) => panic!("{error}"),
            _ => {}
        }
    }

    fn job(&mut self, who: usize, job: Job) -> JobDone {
        match job {
            Job::Read { spans } => {
                let len: u64 = spans.iter().map(|span| span.len).sum();
                JobDone::Read(Ok(self.content.slice(..len as usize)))
            }
            Job::Write { data, .. } => {
                self.payload += data.iter().map(|data| data.len() as u64).sum::<u64>();
                // The driver declines to hash on the way, so the piece is "read back": answered from the table.
                JobDone::Written { result: Ok(()), digest: None }
            }
            Job::DigestSpans { .. } => JobDone::Digest(Ok(self.piece_digest)),
            Job::Stat { .. } => JobDone::Stat(Ok(self.nodes[who].has_files.then_some(Stat {
                len: self.file_len,
                modified: UnixTime::from_secs(1),
            }))),
            Job::Load { .. } => JobDone::Read(Err(p2p_core::IoError::NotFound)),
            _ => JobDone::Done(Ok(())),
        }
    }

    /// Runs until nothing is left to do now, then moves the clock to the next timer.
    fn run(&mut self) {
        let mut effects = Vec::new();
        while !self.done {
            let mut busy = false;
            for who in 0..2 {
                for _ in 0..64 {
                    busy |= self.step(who, &mut effects);
                }
            }
            self.now = self.now + p2p_core::Duration::from_micros(20);
            if busy {
                continue;
            }
            let next = |node: &Node| node.timers.iter().map(|(timer, at)| (*at, *timer)).min();
            let (who, (at, timer)) =
                (0..2).filter_map(|who| Some((who, next(&self.nodes[who])?))).min_by_key(|(_, next)| *next).unwrap();
            self.now = self.now.max(at);
            self.nodes[who].timers.remove(&timer);
            self.nodes[who].inbox.push_back(Input::Timer(timer));
        }
    }
}

fn torrent(len: u64) -> (Arc<Metainfo>, Digest) {
    let mut builder =
        Builder::new("zeros", vec![(vec!["zeros".into()], len)], Some(PIECE)).unwrap();
    let zeros = vec![0; PIECE as usize];
    let hash = Sha1::digest(&zeros);
    for piece in 0..(len / u64::from(PIECE)) as u32 {
        builder.set(piece, hash);
    }
    let mut digester = Digester::new(DigestKind::Sha1);
    digester.update(&zeros);
    let file = builder.finish(&CreateOptions::default()).unwrap();
    (Arc::new(Metainfo::parse(&file).unwrap()), digester.finish())
}

fn main() {
    let gib: u64 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(4);
    let len = gib << 30;
    let (metainfo, piece_digest) = torrent(len);
    let node = |seed: u64, has_files| Node {
        client: Client::new({
            let mut config = Config::default();
            config.listen = None;
            config.state = None;
            config
        }),
        source: Source::new(Rng::fast_from(seed)),
        inbox: VecDeque::from([Input::Start]),
        timers: BTreeMap::new(),
        has_files,
        inputs: 0,
    };
    let mut world = World {
        nodes: [node(1, true), node(2, false)],
        conns: [None; 2],
        now: Instant::ZERO,
        content: vec![0; 1 << 20].into(),
        piece_digest,
        file_len: len,
        payload: 0,
        done: false,
    };
    let seed = Command::Seed(Box::new(Torrent::new(metainfo.clone())));
    world.nodes[0].inbox.push_back(Input::Op(OpId::from_raw(1), OpInput::Ask(seed)));
    let mut effects = Vec::new();
    while world.step(0, &mut effects) {}
    let fetch = Torrent::new(metainfo).with_peers(["10.0.0.2:2".parse().unwrap()]);
    world.nodes[1].inbox.push_back(Input::Op(OpId::from_raw(1), OpInput::Ask(Command::Download(Box::new(fetch)))));
    let began = std::time::Instant::now();
    let counted = allocation_counter::measure(|| world.run());
    let took = began.elapsed().as_secs_f64();
    assert_eq!(world.payload, len, "every byte was written once");
    let blocks = len / 16384;
    let inputs: u64 = world.nodes.iter().map(|node| node.inputs).sum();
    println!(
        "{gib} GiB in {took:.2} s: {:.2} GiB/s of payload, {:.2} M inputs/s, {:.2} allocations per block",
        gib as f64 / took,
        inputs as f64 / took / 1e6,
        counted.count_total as f64 / blocks as f64,
    );
}
