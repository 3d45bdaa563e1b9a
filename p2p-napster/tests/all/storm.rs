//! Downloads in a storm: loss, delays, broken streams, bad disks, partitions, crashes of everybody. Every one ends with the
//! right bytes or a typed error, and what was safe on a disk is never fetched again.

use bytes::Bytes;
use p2p_core::{Duration, FileId, Instant, Join, OpId, Publish, RelPath, Rng, Root};
use p2p_napster::client::{self, Bootstrap, Command, Event, SharedFile, State, Wanted};
use p2p_napster::server::Server;
use p2p_napster::{Client, server};
use p2p_sim::either::EitherError;
use p2p_sim::faults::{Act, Plan};
use p2p_sim::{Bandwidth, Disk, Either, Faults, NodeIx, Setup, Sim, Uniform};
use std::net::SocketAddr;

const NICKS: [&str; 6] = ["", "alice", "bob", "carol", "dave", "erin"];
/// Nodes 1 to 3 share, 4 and 5 download.
const SHARERS: std::ops::Range<usize> = 1..4;
const TAKERS: std::ops::Range<usize> = 4..6;
const FILES: usize = 3;
const SIZE: usize = 600_000;

fn name(file: usize) -> String {
    format!("C:\\music\\Some Band - Song {file}.mp3")
}

fn content(file: usize) -> Bytes {
    let mut bytes = vec![0; SIZE + file * 77_777];
    Rng::fast_from(file as u64).fill(&mut bytes);
    bytes.into()
}

fn stored(file: usize) -> FileId {
    FileId::new(Root(1), RelPath::from_parts([&*format!("{file}.mp3")]).unwrap())
}

fn machine(node: usize) -> Either<Server, Client> {
    if node == 0 {
        return Either::Left(Server::new(server::Config::default()));
    }
    let mut config = client::Config::default();
    config.nick = Bytes::from_static(NICKS[node].as_bytes());
    config.password = Bytes::from_static(b"secret");
    // One of those who share cannot be dialled.
    config.listen = (node != 2).then(|| SocketAddr::from(([0, 0, 0, 0], 6_699)));
    config.limits.range_min = 50_000;
    Either::Right(Client::new(config))
}

/// One who downloads: which file, by which operation, and what is safe of it.
#[derive(Default)]
struct Taker {
    file: usize,
    op: Option<OpId>,
    safe: u64,
    errors: usize,
}

struct Storm {
    seed: u64,
    sim: Sim<Either<Server, Client>>,
    takers: Vec<Taker>,
    /// What every client was asked and has to be asked again if it fails: to join, and to share.
    standing: Vec<(NodeIx, OpId, Command)>,
    /// Crashes in the middle of a file, and in the middle of ranges of one.
    crashes: [usize; 2],
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut sim = Sim::new(seed, Uniform::ms(5..40));
        for node in 0..NICKS.len() {
            let disk = SHARERS.contains(&node).then(|| {
                (0..FILES).fold(Disk::new(Default::default()), |disk, file| {
                    disk.with_file(stored(file), content(file))
                })
            });
            let setup = Setup::new().bandwidth(Bandwidth::bytes(60_000, 400_000));
            sim.add_with(setup.disk(disk.unwrap_or_else(|| Disk::new(Default::default()))), machine(node));
        }
        let takers = TAKERS.map(|_| Taker::default()).collect();
        let mut storm = Self { seed, sim, takers, standing: Vec::new(), crashes: [0; 2] };
        for node in 1..NICKS.len() {
            storm.settle_in(node);
        }
        storm
    }

    /// What a user asks of a client that has just been started.
    fn settle_in(&mut self, node: usize) {
        let server = SocketAddr::new(self.sim.addr(NodeIx::new(0)), 8_888);
        let at = NodeIx::new(node as u32);
        self.standing.retain(|(node, ..)| *node != at);
        self.ask(at, Client::join(Bootstrap::servers([server])));
        if SHARERS.contains(&node) {
            for file in 0..FILES {
                let item = SharedFile::new(name(file).into_bytes(), stored(file));
                self.ask(at, Client::publish(item));
            }
        }
    }

    fn ask(&mut self, node: NodeIx, command: Command) {
        let op = self.sim.ask(node, Either::Right(command.clone()));
        self.standing.push((node, op, command));
    }

    fn mark(&mut self, taker: usize, ending: &str) -> u64 {
        let file = self.takers[taker].file;
        let part = format!("Some Band - Song {file}.mp3.{}{ending}.part.kept", content(file).len());
        let mark = FileId::new(Root(0), RelPath::from_parts([&*part]).unwrap());
        let disk = self.sim.disk(NodeIx::new((TAKERS.start + taker) as u32));
        let digits = disk.content(&mark);
        digits.map_or(0, |digits| std::str::from_utf8(&digits).unwrap().parse().unwrap())
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Part(side) => {
                let others: Vec<_> = self.sim.nodes().filter(|node| !side.contains(node)).collect();
                self.sim.partition(&[side, &others]);
            }
            Act::Heal => self.sim.heal(),
            Act::Clog(node, span) => self.sim.clog(*node, *span),
            Act::Kill(node) => {
                self.sim.kill(*node);
                if TAKERS.contains(&node.index()) {
                    let taker = node.index() - TAKERS.start;
                    let safe = self.mark(taker, "");
                    let disk = self.sim.disk(*node);
                    let ranges =
                        disk.files().filter(|file| file.path().as_str().matches('.').count() > 3).count();
                    self.crashes[0] += usize::from(safe > 0);
                    self.crashes[1] += usize::from(ranges > 0);
                    let taker = &mut self.takers[taker];
                    (taker.op, taker.safe) = (None, safe);
                }
            }
            Act::Restart(node) => {
                self.sim.restart(*node, machine(node.index()));
                if node.index() > 0 {
                    self.settle_in(node.index());
                }
            }
            Act::Clock(node, nanos) => self.sim.set_clock_offset(*node, *nanos),
            _ => {}
        }
    }

    /// Looks after those who download: what ended is looked at, the next is asked for.
    fn look(&mut self) {
        let failed = |(node, op, _): &(NodeIx, OpId, Command)| {
            self.sim.is_alive(*node) && matches!(self.sim.outcome(*op), Some(Err(_)))
        };
        let (again, standing) = std::mem::take(&mut self.standing).into_iter().partition(failed);
        self.standing = standing;
        let again: Vec<(NodeIx, OpId, Command)> = again;
        for (node, _, command) in again {
            self.ask(node, command);
        }
        for taker in 0..self.takers.len() {
            let node = NodeIx::new((TAKERS.start + taker) as u32);
            if !self.sim.is_alive(node) {
                continue;
            }
            let (seed, op, file) = (self.seed, self.takers[taker].op, self.takers[taker].file);
            let mut saved = None;
            for told in self.sim.take_events(node) {
                match told.event {
                    Either::Right(Event::Saved { file, .. }) if told.op == op => saved = Some(file),
                    Either::Right(Event::Progress(progress))
                        if told.op == op && progress.state == State::Receiving =>
                    {
                        let safe = self.takers[taker].safe;
                        assert!(
                            progress.have >= safe,
                            "seed {seed}: {} after {safe} were safe",
                            progress.have
                        );
                    }
                    _ => {}
                }
            }
            match op.and_then(|op| self.sim.outcome(op)) {
                None if op.is_some() => continue,
                None => {}
                Some(Ok(())) => {
                    let file_id = saved.unwrap_or_else(|| panic!("seed {seed}: nothing was saved"));
                    let right = self.sim.disk(node).content(&file_id) == Some(content(file));
                    assert!(right, "seed {seed}: the bytes of {file_id:?} differ");
                    self.takers[taker].file += 1;
                    self.takers[taker].safe = 0;
                }
                Some(Err(EitherError::Of(Either::Right(_)))) => {
                    self.takers[taker].errors += 1;
                    let safe = self.mark(taker, "");
                    self.takers[taker].safe = safe;
                }
                Some(Err(_)) => unreachable!("a client's error"),
            }
            self.takers[taker].op = None;
            let file = self.takers[taker].file;
            if file < FILES {
                let size = content(file).len() as u64;
                let mut wanted =
                    Wanted::new(NICKS[SHARERS.start].as_bytes(), name(file).into_bytes()).sized(size);
                for node in SHARERS.skip(1) {
                    wanted = wanted.or(NICKS[node].as_bytes(), name(file).into_bytes());
                }
                let command = Either::Right(Command::Download(Box::new(wanted)));
                self.takers[taker].op = Some(self.sim.ask(node, command));
            }
        }
    }

    fn run_until(&mut self, at: Instant) {
        while self.sim.now() < at {
            let next = (self.sim.now() + Duration::from_secs(1)).min(at);
            self.sim.run_until(next);
            self.look();
        }
    }
}

/// Runs a storm; crashes in the middle of a file and of ranges, and errors.
fn run(seed: u64) -> ([usize; 2], usize) {
    eprintln!("seed {seed}");
    let mut storm = Storm::new(seed);
    let mut rng = Rng::fast_from(seed);
    storm.sim.set_faults(Faults::storm(&mut rng));
    let from = storm.sim.now();
    let plan = Plan::draw(seed, NICKS.len() as u32, 12, from, Duration::from_secs(90));
    for (at, act) in &plan.acts {
        storm.run_until(*at);
        storm.act(act);
    }
    // Then all is well again, and everything must come to its end.
    storm.sim.set_faults(Faults::default());
    let end = storm.sim.now() + Duration::from_secs(3_600);
    while storm.sim.now() < end && storm.takers.iter().any(|taker| taker.file < FILES) {
        let next = storm.sim.now() + Duration::from_secs(1);
        storm.run_until(next);
    }
    for (taker, node) in storm.takers.iter().zip(TAKERS) {
        assert_eq!(taker.file, FILES, "seed {seed}: {} has not got everything", NICKS[node]);
        let node = NodeIx::new(node as u32);
        let load = storm.sim.machine(node).right().unwrap().load();
        assert_eq!((load.downloads, load.unwritten), (0, 0), "seed {seed}");
    }
    let errors = storm.takers.iter().map(|taker| taker.errors).sum();
    (storm.crashes, errors)
}

fn run_all(seeds: std::ops::Range<u64>) {
    let (mut crashes, mut errors) = ([0; 2], 0);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let (some, failed) = run(seed);
        crashes = [crashes[0] + some[0], crashes[1] + some[1]];
        errors += failed;
    }
    // The storms were storms.
    assert!(crashes[0] as u64 * 4 > count && crashes[1] > 0, "{crashes:?} crashes in {count} storms");
    assert!(errors > 0 || count < 100, "no download failed at all");
}

#[test]
fn downloads_in_a_storm() {
    run_all(0..8);
}

#[test]
#[ignore = "takes minutes; .ci/long runs it"]
fn downloads_in_many_storms() {
    run_all(1_000..1_400);
}
