//! Our server and our clients with each other, in the simulator: the way of a file from one user to another.

use bytes::Bytes;
use p2p_core::{Duration, FileId, Join, Keywords, Publish, RelPath, Rng, Root, Search};
use p2p_napster::client::{self, Bootstrap, Command, Event, Hit, Query, SharedFile, Wanted};
use p2p_napster::server::Server;
use p2p_napster::{Client, server};
use p2p_sim::{Disk, Either, NodeIx, Setup, Sim, Uniform};
use std::net::SocketAddr;

const SPAN: Duration = Duration::from_secs(60);
const NAME: &[u8] = b"C:\\music\\Some Band - The Song.mp3";

struct World {
    sim: Sim<Either<Server, Client>>,
    server: SocketAddr,
    /// What clients ask for at their login.
    zlib: Option<u8>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut sim = Sim::new(seed, Uniform::ms(10..50));
        let server = sim.add(Either::Left(Server::new(server::Config::default())));
        let server = SocketAddr::new(sim.addr(server), 8888);
        Self { sim, server, zlib: None }
    }

    /// A client that is logged in.
    fn client(&mut self, nick: &'static str, port: Option<u16>, disk: Disk) -> NodeIx {
        let mut config = client::Config::default();
        config.nick = Bytes::from_static(nick.as_bytes());
        config.password = Bytes::from_static(b"secret");
        config.zlib = self.zlib;
        config.listen = port.map(|port| SocketAddr::from(([0, 0, 0, 0], port)));
        let node = self.sim.add_with(Setup::new().disk(disk), Either::Right(Client::new(config)));
        self.done(node, Client::join(Bootstrap::servers([self.server])));
        node
    }

    /// What an operation told that ended well.
    fn done(&mut self, node: NodeIx, command: Command) -> Vec<Event> {
        let op = self.sim.ask(node, Either::Right(command));
        self.sim.finish(&[op], SPAN);
        let outcome = self.sim.outcome(op);
        assert!(matches!(outcome, Some(Ok(()))), "{outcome:?}");
        let told = self.sim.take_events(node).into_iter().filter(|told| told.op == Some(op));
        told.filter_map(|told| if let Either::Right(event) = told.event { Some(event) } else { None })
            .collect()
    }

    fn search(&mut self, node: NodeIx, words: &str) -> Vec<Hit> {
        let found = self.done(node, Client::search(Query::from(Keywords::new(words))));
        found.into_iter().filter_map(Client::hit).collect()
    }
}

fn song(len: usize) -> Bytes {
    let mut song = vec![0; len];
    Rng::fast_from(len as u64).fill(&mut song);
    // Digits at the beginning look like more of the size, which has no end.
    song.iter_mut().take(3).for_each(|byte| *byte = b'7');
    song.into()
}

fn shared() -> FileId {
    FileId::new(Root(1), RelPath::from_parts(["song.mp3"]).unwrap())
}

/// Alice shares, Bob finds and fetches; the bytes are the same.
fn from_alice_to_bob(alice_port: Option<u16>, bob_port: Option<u16>, len: usize) {
    share_and_fetch(&mut World::new(len as u64), alice_port, bob_port, len);
}

fn share_and_fetch(world: &mut World, alice_port: Option<u16>, bob_port: Option<u16>, len: usize) {
    let song = song(len);
    let alice =
        world.client("alice", alice_port, Disk::new(Default::default()).with_file(shared(), song.clone()));
    world.done(alice, Client::publish(SharedFile::new(NAME, shared())));
    let bob = world.client("bob", bob_port, Disk::new(Default::default()));
    assert!(world.search(bob, "song nobody").is_empty());
    let hits = world.search(bob, "band song");
    assert_eq!(hits.len(), 1, "{hits:?}");
    assert_eq!((&hits[0].name[..], hits[0].size, &hits[0].nick[..]), (NAME, len as u64, &b"alice"[..]));
    let told = world.done(bob, Command::Download(Box::new(Wanted::from(&hits[0]))));
    let saved = told
        .iter()
        .find_map(|event| if let Event::Saved { file, len } = event { Some((file, *len)) } else { None });
    let (file, saved) = saved.expect("where it was saved");
    assert_eq!(saved, len as u64);
    assert!(world.sim.disk(bob).content(file) == Some(song), "the bytes differ");
}

#[test]
fn a_file_goes_from_one_to_another() {
    for len in [1, 10, 16_384, 300_031, 300_032, 300_033, 2_000_000] {
        from_alice_to_bob(Some(6699), Some(6699), len);
    }
}

#[test]
fn with_compressed_streams_it_is_the_same() {
    for (zlib, alice_port) in [(1, Some(6699)), (6, None), (9, Some(6699)), (200, None)] {
        let mut world = World::new(zlib.into());
        world.zlib = Some(zlib);
        share_and_fetch(&mut world, alice_port, Some(6699), 70_000);
    }
}

#[test]
fn a_firewalled_user_pushes() {
    for len in [1, 1_000_000] {
        from_alice_to_bob(None, Some(6699), len);
    }
}

#[test]
fn of_two_firewalled_users_neither_hangs() {
    let mut world = World::new(3);
    let alice = world.client("alice", None, Disk::new(Default::default()).with_file(shared(), song(5_000)));
    world.done(alice, Client::publish(SharedFile::new(NAME, shared())));
    let bob = world.client("bob", None, Disk::new(Default::default()));
    assert!(world.search(bob, "song").is_empty(), "it could not be fetched");
    let wanted = Wanted::new(&b"alice"[..], NAME);
    let op = world.sim.ask(bob, Either::Right(Command::Download(Box::new(wanted))));
    assert!(world.sim.finish(&[op], Duration::from_secs(3_600)), "it says no in time");
    assert!(world.sim.outcome(op).is_some_and(Result::is_err));
}

#[test]
fn who_leaves_is_not_found() {
    let mut world = World::new(4);
    let alice =
        world.client("alice", Some(6699), Disk::new(Default::default()).with_file(shared(), song(5_000)));
    world.done(alice, Client::publish(SharedFile::new(NAME, shared())));
    let bob = world.client("bob", Some(6699), Disk::new(Default::default()));
    assert_eq!(world.search(bob, "song").len(), 1);
    world.sim.kill(alice);
    world.sim.run_for(Duration::from_secs(5));
    assert!(world.search(bob, "song").is_empty());
}
