//! The four primitives in the simulator: with loss, with a source that crashes, with a source behind a firewall; and on
//! loopback sockets, by programs that know nothing of Gnutella.

use super::files::content;
use super::net::config;
use bytes::Bytes;
use p2p_core::system::{Item, System, SystemError};
use p2p_core::{
    Chunk, Duration, Fetch, FileId, Join, Keywords, OpId, Publish, Reach, RelPath, Rng, Root, Search,
};
use p2p_gnutella::servent::Event;
use p2p_gnutella::servent::{Bootstrap, Config, Error, Hit, Mode, Shared, Wish};
use p2p_gnutella::transfer::{self, Wanted};
use p2p_gnutella::{Magnet, Servent, Urn};
use p2p_sim::{Audit, Bandwidth, Disk, NodeIx, Setup, Sim, Uniform};
use p2p_transport_tokio::{Memory, Options, Running, Storage, spawn};
use std::net::SocketAddr;

/// Bytes a second that every node sends and takes.
const LINE: u64 = 1 << 20;

struct Net {
    sim: Sim<Audit<Servent>>,
    seed: u64,
}

fn file(name: &str) -> FileId {
    FileId::new(Root(0), RelPath::local([name]).unwrap())
}

fn leaf() -> Config {
    config(Mode::Leaf)
}

fn walled() -> Config {
    let mut config = leaf();
    config.listen = None;
    config
}

impl Net {
    /// Three ultrapeers, each linked to both others.
    fn new(seed: u64, loss: f64) -> (Self, [NodeIx; 3]) {
        eprintln!("seed {seed}");
        let mut net = Self { sim: Sim::new(seed, Uniform::ms(5..40).loss(loss)), seed };
        let mut of = config(Mode::Ultrapeer);
        of.degree = 2;
        let up = [(); 3].map(|()| net.add(of.clone(), Disk::default()));
        net.sim.run_for(Duration::from_secs(1));
        (net, up)
    }

    fn servent(&self, config: Config) -> Servent {
        let nodes = self.sim.nodes().count() as u64;
        Servent::new(config, &mut Rng::fast_from(self.seed * 1_000 + nodes))
    }

    fn add(&mut self, config: Config, disk: Disk) -> NodeIx {
        let servent = self.servent(config);
        let line = Bandwidth::bytes(LINE, LINE);
        self.sim.add_with(Setup::new().disk(disk).bandwidth(line), Audit::new(servent))
    }

    fn addr(&self, node: NodeIx) -> SocketAddr {
        SocketAddr::new(self.sim.addr(node), 6346)
    }

    fn holder(&mut self, config: Config, name: &str, bytes: &'static [u8]) -> NodeIx {
        self.add(config, Disk::default().with_file(file(name), bytes))
    }

    /// Runs an operation to its end, which must be a good one.
    fn run(&mut self, node: NodeIx, command: p2p_gnutella::servent::Command, secs: u64) -> OpId {
        let op = self.sim.ask(node, command);
        let ended = self.sim.finish(&[op], Duration::from_secs(secs));
        assert!(
            ended && self.sim.outcome(op) == Some(&Ok(())),
            "seed {}: {:?}",
            self.seed,
            self.sim.outcome(op)
        );
        op
    }

    fn join(&mut self, node: NodeIx, peers: &[NodeIx]) {
        let peers = peers.iter().map(|peer| self.addr(*peer)).collect();
        self.run(node, Servent::join(Bootstrap { peers, ..Bootstrap::default() }), 120);
    }

    fn publish(&mut self, node: NodeIx, name: &str) {
        self.run(node, Servent::publish(Shared { file: file(name) }), 60);
    }

    /// Searches until somebody has told of as many holders.
    fn search(&mut self, node: NodeIx, wish: &Wish, holders: usize) -> Vec<Hit> {
        for _ in 0..20 {
            let op = self.sim.ask(node, Servent::search(wish.clone()));
            self.sim.run_for(Duration::from_secs(20));
            let told = self.sim.take_events(node).into_iter().filter(|told| told.op == Some(op));
            let hits: Vec<Hit> = told.filter_map(|told| Servent::hit(told.event)).collect();
            if hits.len() >= holders {
                return hits;
            }
        }
        panic!("seed {}: not found", self.seed);
    }

    fn chunks(&mut self, node: NodeIx, op: OpId) -> Vec<Chunk> {
        let told = self.sim.take_events(node).into_iter().filter(|told| told.op == Some(op));
        told.filter_map(|told| Servent::chunk(told.event)).collect()
    }

    /// What was told of the content, which is in order, and all of it.
    fn got(&mut self, node: NodeIx, op: OpId) -> Vec<u8> {
        let mut all = Vec::new();
        for chunk in self.chunks(node, op) {
            assert_eq!(chunk.offset, all.len() as u64, "in order");
            all.extend_from_slice(&chunk.data);
        }
        all
    }
}

const SONG: &str = "Some Band - The Song.mp3";

fn wish() -> Wish {
    Keywords::new("band song").into()
}

#[test]
fn all_four_with_loss() {
    assert_eq!(<Servent as Publish>::REACH, Reach::Local);
    for seed in [21, 22] {
        let (mut net, up) = Net::new(seed, 0.03);
        let bytes = content(1_200_000);
        let giver = net.holder(leaf(), SONG, bytes);
        let taker = net.add(leaf(), Disk::default());
        net.join(up[1], &up[..1]);
        net.join(up[2], &up[..2]);
        net.join(giver, &up[..2]);
        net.join(taker, &up[2..]);
        net.publish(giver, SONG);
        let hit = net.search(taker, &wish(), 1).remove(0);
        let op = net.run(taker, Servent::fetch(hit.wanted()), 600);
        assert!(net.got(taker, op) == bytes, "seed {seed}");
        assert_eq!(net.sim.disk(taker).content(&file(SONG)).as_deref(), Some(bytes));
    }
}

#[test]
fn a_source_that_crashes_is_gone_on_without() {
    let (mut net, up) = Net::new(23, 0.0);
    let bytes = content(6_000_000);
    let givers = [(); 2].map(|()| net.holder(leaf(), SONG, bytes));
    let taker = net.add(leaf(), Disk::default());
    net.join(up[1], &up[..1]);
    net.join(up[2], &up[..2]);
    for giver in givers {
        net.join(giver, &up[..1]);
        net.publish(giver, SONG);
    }
    net.join(taker, &up[2..]);
    let hits = net.search(taker, &wish(), 2);
    let addr = net.addr(givers[0]);
    let first = hits.iter().find(|hit| SocketAddr::V4(hit.addr) == addr).unwrap();
    // Whoever else has it is found meanwhile.
    let op = net.sim.ask(taker, Servent::fetch(first.wanted()));
    net.sim.run_for(Duration::from_millis(500));
    let have = |net: &Net| net.sim.machine(taker).inner().transfers().load();
    assert_eq!(have(&net).sources, 1);
    assert_eq!(net.sim.outcome(op), None, "not all of it is here");
    net.sim.kill(givers[0]);
    assert!(net.sim.finish(&[op], Duration::from_secs(900)));
    assert_eq!(net.sim.outcome(op), Some(&Ok(())));
    assert!(net.got(taker, op) == bytes);
}

#[test]
fn a_source_behind_a_firewall_connects() {
    let (mut net, up) = Net::new(24, 0.01);
    let bytes = content(900_000);
    let giver = net.holder(walled(), SONG, bytes);
    let taker = net.add(leaf(), Disk::default());
    net.join(up[1], &up[..1]);
    net.join(up[2], &up[..2]);
    net.join(giver, &up[..1]);
    net.join(taker, &up[2..]);
    net.publish(giver, SONG);
    let hit = net.search(taker, &wish(), 1).remove(0);
    assert_eq!(hit.push, Some(true));
    let op = net.run(taker, Servent::fetch(hit.wanted()), 600);
    assert!(net.got(taker, op) == bytes);
}

#[test]
fn a_link_is_enough_and_who_knows_the_root_reads_while_it_comes() {
    let (mut net, up) = Net::new(25, 0.0);
    let bytes = content(9_000_000);
    let giver = net.holder(leaf(), SONG, bytes);
    let taker = net.add(leaf(), Disk::default());
    net.join(up[1], &up[..1]);
    net.join(giver, &up[..1]);
    net.join(taker, &up[1..2]);
    net.publish(giver, SONG);
    let urn = net.sim.machine(giver).inner().transfers().library().files().next().unwrap().urn();
    assert!(matches!(urn, Urn::Bitprint(..)));
    let link: Magnet = Magnet::new(urn).to_string().parse().unwrap();
    let op = net.sim.ask(taker, Servent::fetch(Wanted::of_magnet(&link).unwrap()));
    let mut all = Vec::new();
    let mut early = 0;
    while net.sim.outcome(op).is_none() {
        net.sim.run_for(Duration::from_millis(100));
        let running = net.sim.outcome(op).is_none();
        for chunk in net.chunks(taker, op) {
            assert_eq!(chunk.offset, all.len() as u64);
            all.extend_from_slice(&chunk.data);
            early += usize::from(running);
        }
        assert!(net.sim.now().since(p2p_core::Instant::ZERO).as_secs() < 2_000);
    }
    assert!(all == bytes && early > 5, "{early} chunks came before the end");
}

#[test]
fn what_is_nowhere_is_not_fetched_and_cancelling_says_so() {
    let (mut net, up) = Net::new(26, 0.0);
    let taker = net.add(leaf(), Disk::default());
    net.join(taker, &up[..1]);
    let op = net.sim.ask(taker, Servent::fetch(Wanted::new(p2p_core::hash::Sha1Hash([9; 20]))));
    net.sim.run_for(Duration::from_secs(100));
    assert_eq!(net.sim.outcome(op), None, "somebody may come who has it");
    net.sim.cancel(op);
    net.sim.run_for(Duration::from_secs(1));
    assert_eq!(net.sim.outcome(op), Some(&Err(Error::Transfer(transfer::Error::Cancelled))));
}

#[test]
fn locators_are_text() {
    let urn = "urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB";
    let wanted: Wanted = urn.parse().unwrap();
    assert_eq!(wanted, Wanted::try_from(Bytes::from_static(urn.as_bytes())).unwrap());
    assert!("urn:md5:AAAAAAAAAAAAAAAAAAAAAA".parse::<Wanted>().is_err());
    assert!("magnet:?kt=words".parse::<Wanted>().is_err());
    assert!(Wanted::try_from(Bytes::from_static(b"\xff")).is_err());
    let to: Bootstrap = "192.0.2.1:6346, udp:cache.example:9999 http://cache.example/gwc".parse().unwrap();
    assert_eq!((to.peers.len(), to.udp_caches.len(), to.web_caches.len()), (1, 1, 1));
    for bad in ["192.0.2.1", "udp:cache", "udp::1", "192.0.2.1:6346 nothing"] {
        assert!(bad.parse::<Bootstrap>().is_err(), "{bad}");
    }
}

/// A servent on a loopback socket, and where it listens.
async fn running(number: u64, mode: Mode, files: &[(&str, &[u8])]) -> (Running<Servent>, SocketAddr) {
    let memory = Memory::new(16 << 20);
    for (name, bytes) in files {
        memory.replace(&file(name), bytes).unwrap();
    }
    let mut config = Config::new(mode);
    config.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.tables_every = Duration::from_millis(50);
    config.flush_after = Duration::ZERO;
    let mut rng = Rng::fast_from(number);
    let options = Options::default().with_storage(memory);
    let mut running = spawn(Servent::new(config, &mut rng), options);
    loop {
        if let Event::Listening(at) = running.news.next().await.unwrap() {
            return (running, at);
        }
    }
}

#[tokio::test]
async fn one_of_a_list_of_systems() {
    let bytes = content(300_001);
    let (index, at) = running(1, Mode::Ultrapeer, &[]).await;
    let (alice, _) = running(2, Mode::Leaf, &[(SONG, bytes)]).await;
    let (bob, _) = running(3, Mode::Leaf, &[]).await;
    let systems: Vec<Box<dyn System>> = vec![Box::new(alice.node.clone()), Box::new(bob.node.clone())];
    for system in &systems {
        let can = system.abilities();
        assert_eq!(system.name(), "gnutella");
        assert_eq!((can.join, can.publish, can.search, can.fetch), (true, Some(Reach::Local), true, true));
        system.join(&at.to_string()).await.unwrap();
    }
    systems[0].publish(Item { name: SONG.into(), data: Bytes::new() }).await.unwrap();
    let nowhere = systems[0].publish(Item { name: "nowhere".into(), data: Bytes::new() }).await.unwrap_err();
    assert!(matches!(nowhere, SystemError::Failed(_)), "{nowhere}");
    let found = loop {
        // Its ultrapeer may not have its words yet; a search of a leaf goes on for minutes.
        let mut search = systems[1].search("the song").unwrap();
        if let Ok(found) = tokio::time::timeout(Duration::from_millis(500), search.try_next()).await {
            break found.unwrap().unwrap();
        }
    };
    assert_eq!((&*found.title, found.len), (SONG, Some(300_001)));
    let mut chunks = systems[1].fetch(&found.locator).unwrap();
    let mut fetched = Vec::new();
    while let Some(chunk) = chunks.try_next().await.unwrap() {
        assert_eq!(chunk.offset, fetched.len() as u64);
        fetched.extend_from_slice(&chunk.data);
    }
    assert!(fetched == bytes);
    assert!(systems[1].join("nowhere").await.is_err());
    let nonsense = systems[1].fetch(&"no locator".into()).unwrap_err();
    assert!(matches!(nonsense, SystemError::Meaningless { .. }), "{nonsense}");
    for running in [alice, bob, index] {
        running.stop().await;
    }
}
