//! Where attacks happen: a victim that fetches from a slow honest seed and serves an honest leech, and an attacker.
//! The victim runs under `Audit`; after every event what it holds is compared with its limits.

use super::attacker::{Attack, Attacker, Heard, Mouth, Script};
use crate::made::made;
use p2p_bittorrent::metainfo::Builder;
use p2p_bittorrent::{
    Client, Command, Config, DropReason, Event, InfoHash, Limits, Load, Metainfo, Progress, Torrent,
};
use p2p_core::{Bytes, Duration, FileId, OpId, Rng, Root};
use p2p_sim::{Audit, Bandwidth, Disk, Either, NodeIx, Setup, Sim, Told, Uniform};
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) const PORT: u16 = 6881;
pub(crate) const PIECE: u32 = 64 * 1024;
/// 20 pieces, the last one short.
pub(crate) const LEN: usize = 19 * PIECE as usize + 40_000;
pub(crate) const PIECES: u32 = 20;

pub(crate) type World = Either<Audit<Client>, Attacker>;

pub(crate) struct Scene {
    pub(crate) sim: Sim<World>,
    pub(crate) metainfo: Arc<Metainfo>,
    pub(crate) content: Bytes,
    pub(crate) file: FileId,
    pub(crate) seed: NodeIx,
    pub(crate) victim: NodeIx,
    pub(crate) attacker: NodeIx,
    pub(crate) other: NodeIx,
    pub(crate) ops: Vec<OpId>,
    pub(crate) limits: Limits,
    /// The most that the victim held of each.
    pub(crate) peak: Load,
}

pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.listen = Some(SocketAddr::from(([0, 0, 0, 0], PORT)));
    config
}

pub(crate) fn client(config: Config) -> World {
    Either::Left(Audit::new(Client::new(config)))
}

/// The torrent of every scene, and its content.
pub(crate) fn torrent() -> (Arc<Metainfo>, Bytes) {
    let mut data = vec![0; LEN];
    Rng::fast_from(11).fill(&mut data);
    let files = vec![(vec!["one.bin".to_owned()], LEN as u64)];
    (made(Builder::folder("attacked", files, Some(PIECE)).unwrap(), &data), data.into())
}

pub(crate) fn hash() -> InfoHash {
    torrent().0.info.info_hash()
}

impl Scene {
    /// A scene whose attacker follows this script once it is told to dial.
    pub(crate) fn new(script: impl FnMut(Heard, &mut Mouth) + Send + 'static) -> Self {
        Self::with(config(), script)
    }

    pub(crate) fn with(config: Config, script: impl FnMut(Heard, &mut Mouth) + Send + 'static) -> Self {
        let (metainfo, content) = torrent();
        let file = FileId::new(Root(0), metainfo.info.files()[0].path.clone());
        let mut sim = Sim::new(1, Uniform::ms(10..30));
        let full = || Setup::new().disk(Disk::default().with_file(file.clone(), content.clone()));
        let seed =
            sim.add_with(full().bandwidth(Bandwidth::bytes(150_000, 10_000_000)), client(self::config()));
        let limits = config.limits.clone();
        let victim = sim.add(client(config));
        let at = SocketAddr::new(sim.addr(victim), PORT);
        let listen = Some(SocketAddr::from(([0, 0, 0, 0], PORT)));
        let script: Script = Box::new(script);
        let attacker = sim.add(Either::Right(Attacker::new(at, listen, script)));
        let other = sim.add(client(self::config()));
        let mut scene = Self {
            sim,
            metainfo,
            content,
            file,
            seed,
            victim,
            attacker,
            other,
            ops: Vec::new(),
            limits,
            peak: Load::default(),
        };
        let op = scene.ask(seed, Command::Seed(Box::new(Torrent::new(scene.metainfo.clone()))));
        assert!(scene.sim.finish(&[op], Duration::from_secs(5)));
        scene
    }

    pub(crate) fn at(&self, node: NodeIx) -> SocketAddr {
        SocketAddr::new(self.sim.addr(node), PORT)
    }

    pub(crate) fn ask(&mut self, node: NodeIx, command: Command) -> OpId {
        self.sim.ask(node, Either::Left(command))
    }

    pub(crate) fn client(&self, node: NodeIx) -> &Client {
        self.sim.machine(node).left().unwrap().inner()
    }

    pub(crate) fn attacker(&self) -> &Attacker {
        self.sim.machine(self.attacker).right().unwrap()
    }

    /// The victim fetches from the seed and dials `more`; the other honest leech knows the victim only.
    pub(crate) fn begin(&mut self, more: &[NodeIx]) {
        let mut peers = vec![self.at(self.seed)];
        peers.extend(more.iter().map(|node| self.at(*node)));
        let torrent = Torrent::new(self.metainfo.clone()).with_peers(peers);
        let victim = self.ask(self.victim, Command::Download(Box::new(torrent)));
        let torrent = Torrent::new(self.metainfo.clone()).with_peers([self.at(self.victim)]);
        let other = self.ask(self.other, Command::Download(Box::new(torrent)));
        self.ops = vec![victim, other];
    }

    /// The attacker dials the victim so often.
    pub(crate) fn strike(&mut self, times: usize) {
        self.sim.ask(self.attacker, Either::Right(Attack::Dial(times)));
    }

    /// Runs until both honest downloads are over, watching what the victim holds, and compares every byte.
    pub(crate) fn finish(&mut self) {
        let ops = self.ops.clone();
        let over =
            self.watch(Duration::from_secs(600), move |sim| ops.iter().all(|op| sim.outcome(*op).is_some()));
        assert!(over, "both honest downloads end: {:?}", self.progress(self.victim));
        for op in &self.ops {
            assert!(matches!(self.sim.outcome(*op), Some(Ok(()))), "{:?}", self.sim.outcome(*op));
        }
        for node in [self.victim, self.other] {
            assert!(self.sim.disk(node).content(&self.file).as_ref() == Some(&self.content), "byte for byte");
        }
    }

    /// The whole of an attack by so many streams: the honest finish, nothing that is held grew past its limit.
    pub(crate) fn play(&mut self, streams: usize) {
        self.begin(&[]);
        self.sim.run_for(Duration::from_secs(1));
        self.strike(streams);
        self.finish();
    }

    /// Runs until `done`, watching what the victim holds.
    pub(crate) fn watch(&mut self, span: Duration, done: impl Fn(&Sim<World>) -> bool) -> bool {
        let (victim, limits) = (self.victim, self.limits.clone());
        let mut peak = self.peak;
        let over = self.sim.wait(span, |sim| {
            let load = sim.machine(victim).left().unwrap().inner().load();
            within(&load, &limits);
            for (most, now) in [
                (&mut peak.streams, load.streams),
                (&mut peak.greeting, load.greeting),
                (&mut peak.peers, load.peers),
                (&mut peak.wants, load.wants),
                (&mut peak.candidates, load.candidates),
            ] {
                *most = now.max(*most);
            }
            done(sim)
        });
        self.peak = peak;
        over
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.sim.events(self.victim).iter().filter_map(|told: &Told<Either<Event, ()>>| told.event.left())
    }

    /// Why the victim dropped the attacker, in order.
    pub(crate) fn drops(&self) -> Vec<DropReason> {
        let attacker = self.sim.addr(self.attacker);
        self.events()
            .filter_map(|event| match event {
                Event::Dropped { peer, why, .. } if peer.ip() == attacker => Some(*why),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn banned(&self) -> Vec<(SocketAddr, DropReason)> {
        self.events()
            .filter_map(|event| match event {
                Event::Banned { peer, why } => Some((*peer, *why)),
                _ => None,
            })
            .collect()
    }

    /// That the honest were not dropped for anything that they are to blame for.
    pub(crate) fn honest_are_not_blamed(&self) {
        let attacker = self.sim.addr(self.attacker);
        for node in [self.seed, self.victim, self.other] {
            for told in self.sim.events(node) {
                if let Either::Left(Event::Dropped { peer, why, .. }) = &told.event {
                    assert!(peer.ip() == attacker || !why.is_offence(), "{peer}: {why}");
                }
            }
        }
    }

    pub(crate) fn progress(&self, node: NodeIx) -> Progress {
        self.client(node).progress(self.metainfo.info.info_hash(), self.sim.now()).unwrap()
    }
}

/// That nothing is held past its limit.
pub(crate) fn within(load: &Load, limits: &Limits) {
    let places = load.torrents * (limits.peers_per_torrent + limits.guests);
    assert!(load.greeting <= limits.unknown_streams, "{load:?}");
    assert!(load.peers <= places, "{load:?}");
    let dialled = load.torrents * limits.dials_per_torrent;
    assert!(load.streams <= load.peers + load.greeting + dialled, "{load:?}");
    assert!(load.wants <= places * limits.requests_in, "{load:?}");
    assert!(load.asked <= places * limits.requests_out, "{load:?}");
    assert!(load.reading <= (places * (limits.read_ahead as usize + 128 * 1024)) as u64, "{load:?}");
    assert!(load.incoming <= (places * 16 * 1024) as u64, "{load:?}");
    // What the streams had at hand when they were paused: the simulator's window of each.
    assert!(load.held <= limits.unwritten + (places * 256 * 1024) as u64, "{load:?}");
    assert!(load.candidates <= load.torrents * limits.candidates, "{load:?}");
    assert!(load.banned <= limits.banned, "{load:?}");
}

/// Plays an attack by one stream and returns why it was dropped.
pub(crate) fn dropped_for(script: impl FnMut(Heard, &mut Mouth) + Send + 'static) -> Vec<DropReason> {
    let mut scene = Scene::new(script);
    scene.play(1);
    scene.honest_are_not_blamed();
    scene.drops()
}

/// Greets, waits for the greeting, then says this once.
pub(crate) fn once(
    fast: bool,
    mut say: impl FnMut(&mut Mouth) + Send + 'static,
) -> impl FnMut(Heard, &mut Mouth) + Send {
    let hash = hash();
    move |heard, mouth| match heard {
        Heard::Open => mouth.raw(super::attacker::hello(hash, mouth.stream as u8, fast)),
        Heard::Hello => say(mouth),
        _ => {}
    }
}

/// Greets, waits for the greeting, then says this at every tick, until its stream is ended.
pub(crate) fn ever(
    fast: bool,
    mut say: impl FnMut(&mut Mouth) + Send + 'static,
) -> impl FnMut(Heard, &mut Mouth) + Send {
    let hash = hash();
    let mut greeted = std::collections::BTreeSet::new();
    move |heard, mouth| match heard {
        Heard::Open => mouth.raw(super::attacker::hello(hash, mouth.stream as u8, fast)),
        Heard::Hello => drop(greeted.insert(mouth.stream)),
        Heard::Tick if greeted.contains(&mouth.stream) => say(mouth),
        _ => {}
    }
}
