//! Arbitrary lives of a client: streams, messages, jobs, timers, sockets, trackers and commands in any order and shape,
//! from a seed. What it says to each peer is read as that peer reads it.

use super::attacker::{bytes, hello};
use super::rig::{Rig, lives};
use super::scene::{torrent, within};
use crate::made::made;
use p2p_bittorrent::metainfo::{Builder, Details};
use p2p_bittorrent::peer::wire::{Decoder, Message, WireLimits};
use p2p_bittorrent::peer::{Block, HandshakeDecoder, wire};
use p2p_bittorrent::picker::Mode;
use p2p_bittorrent::{Bootstrap, Client, Command, Config, InfoHash, Limits, Load, Metainfo, Torrent};
use p2p_core::{Bytes, ConnId, Datagram, FileId, Input, IoError, Rng, Root};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// Seeds of lives that once broke something.
const KNOWN: &[u64] = &[2, 9, 156, 265];
const STEPS: u32 = 1_500;

/// The other end of a stream.
struct Remote {
    /// The torrent that it means, once it greeted.
    torrent: Option<usize>,
    fast: bool,
    hello: Option<HandshakeDecoder>,
    decoder: Decoder,
    /// What the client asked of it and did not take back.
    asked: Vec<Block>,
    /// What it ever asked of the client.
    wanted: BTreeSet<Block>,
    /// The pieces it ever said to have.
    has: BTreeSet<u32>,
    /// The torrent that the client greeted it for.
    meant: Option<InfoHash>,
    /// It said what it has.
    spoke: bool,
    /// A bit of what it said was changed: nobody knows what it asked for.
    garbled: bool,
    /// The block that the client is sending, and how much of it came.
    coming: Option<(Block, usize)>,
}

struct World {
    rig: Rig<Client>,
    limits: Limits,
    torrents: Vec<(Arc<Metainfo>, Bytes)>,
    remotes: BTreeMap<ConnId, Remote>,
    honest: f64,
    fails: f64,
    wrong: f64,
}

fn mode(rng: &mut Rng) -> Mode {
    if rng.chance(0.2) { Mode::Sequential } else { Mode::RarestFirst }
}

fn torrents() -> Vec<(Arc<Metainfo>, Bytes)> {
    let first = torrent();
    let mut data = vec![0; 200_000];
    Rng::fast_from(12).fill(&mut data);
    // Files of odd sizes, small pieces, trackers of all kinds.
    let lens = [0, 1, 16_384, 16_383, 100_000, 67_232];
    let files = lens.iter().enumerate().map(|(n, len)| (vec![format!("{n}.bin")], *len)).collect::<Vec<_>>();
    let mut builder = Builder::folder("trackers", files, Some(16 * 1024)).unwrap();
    for (piece, data) in (0u32..).zip(data.chunks(16 * 1024)) {
        use p2p_core::hash::{Hasher, Sha1};
        builder.set(piece, Sha1::digest(data)).unwrap();
    }
    let details = Details {
        announce: vec![vec![
            "http://10.0.0.7/announce".to_owned(),
            "udp://tracker.example:80".to_owned(),
            "http://tracker.example/announce".to_owned(),
        ]],
        ..Details::default()
    };
    let file = builder.finish(&details).unwrap();
    let second = Metainfo::parse(&file, &p2p_bittorrent::metainfo::Limits::default()).unwrap();
    let one = made(Builder::file("tiny", 5, Some(16 * 1024)).unwrap(), b"hello");
    vec![first, (Arc::new(second), data.into()), (one, Bytes::from_static(b"hello"))]
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Rng::fast_from(seed ^ 0xa77ac);
        let mut config = Config::default();
        config.listen = dice.chance(0.9).then(|| SocketAddr::from(([0, 0, 0, 0], 6881)));
        config.state = dice.chance(0.8).then_some(Root(1));
        config.fast = dice.chance(0.8);
        config.upload_rate = dice.chance(0.2).then_some(100_000);
        config.download_rate = dice.chance(0.2).then_some(100_000);
        config.limits.peers_per_torrent = 2 + dice.index(20);
        config.limits.unknown_streams = 2 + dice.index(8);
        config.limits.greeting_per_address = 1 + dice.index(4);
        config.limits.candidates = 30;
        config.limits.banned = 4;
        config.limits.unwritten = [64 << 10, 2 << 20][dice.index(2)];
        config.limits.requests_in = 16;
        config.limits.read_ahead = 64 << 10;
        let limits = config.limits.clone();
        let mut rig = Rig::new(Client::new(config), seed);
        let torrents = torrents();
        for (metainfo, content) in &torrents {
            // All, some or none of the content is there.
            let share = dice.below(3);
            for file in metainfo.info.files() {
                let at = file.offset as usize;
                let data = &content[at..at + file.len as usize];
                let keep = match share {
                    0 => 0,
                    1 => data.len(),
                    _ => dice.index(data.len() + 1),
                };
                if keep > 0 {
                    rig.files.insert(FileId::new(Root(0), file.path.clone()), data[..keep].to_vec());
                }
            }
        }
        let (honest, fails, wrong) = (
            dice.unit(),
            if dice.chance(0.5) { 0.02 } else { 0.0 },
            if dice.chance(0.2) { 0.01 } else { 0.0 },
        );
        Self { rig, limits, torrents, remotes: BTreeMap::new(), honest, fails, wrong }
    }

    fn hash(&mut self) -> InfoHash {
        let which = self.rig.rng.index(self.torrents.len() + 1);
        self.torrents.get(which).map_or(InfoHash([9; 20]), |(metainfo, _)| metainfo.info.info_hash())
    }

    fn peer(&mut self) -> SocketAddr {
        let host =
            if self.rig.rng.chance(0.3) { [127, 0, 0, 1] } else { [10, 0, 1, self.rig.rng.below(6) as u8] };
        SocketAddr::from((host, 1 + self.rig.rng.below(5) as u16))
    }

    fn step(&mut self) {
        if self.rig.rng.chance(0.03) {
            self.command();
        }
        match self.rig.rng.below(95) {
            0..4 => {
                let peer = self.peer();
                if let Some(conn) = self.rig.accept(peer) {
                    self.remotes.insert(conn, Remote::new());
                }
            }
            4..10 => self.dial_result(),
            10..58 => self.talk(),
            58..76 => self.rig.work(self.fails, self.wrong),
            76..82 => self.rig.pass(),
            82 => self.hang_up(),
            83..86 => {
                if let Some(conn) = self.rig.some_stream(|stream| stream.open) {
                    self.rig.queue(conn);
                }
            }
            86..88 => {
                let well = self.rig.rng.chance(0.9);
                self.rig.settle_sockets(well);
            }
            88..90 => self.rig.resolve(),
            90..93 => self.datagram(),
            _ => self.rig.bother(),
        }
        self.listen_in();
        let load = self.rig.machine.inner().load();
        within(&load, &self.limits);
    }

    fn dial_result(&mut self) {
        let Some(conn) = self.rig.some_stream(|stream| stream.dialled && !stream.open) else { return };
        if self.rig.rng.chance(0.7) {
            let peer = self.peer();
            self.remotes.insert(conn, Remote::new());
            self.rig.opened(conn, peer);
        } else {
            self.rig.closed(conn, Err(IoError::Refused));
        }
    }

    fn hang_up(&mut self) {
        let Some(conn) = self.rig.some_stream(|stream| stream.open) else { return };
        let how = if self.rig.rng.chance(0.5) { Ok(()) } else { Err(IoError::Reset) };
        self.remotes.remove(&conn);
        self.rig.closed(conn, how);
    }

    /// One of the other ends says something: what is sensible, what is not, or what is no message.
    fn talk(&mut self) {
        let Some(conn) = self.rig.some_stream(|stream| stream.open && !stream.paused) else { return };
        let rng = &mut self.rig.rng;
        let Some(remote) = self.remotes.get_mut(&conn) else { return };
        let mut said = Vec::new();
        if remote.torrent.is_none() {
            let meant = |(metainfo, _): &(Arc<Metainfo>, _)| Some(metainfo.info.info_hash()) == remote.meant;
            let which = self.torrents.iter().position(meant).unwrap_or_else(|| rng.index(2));
            match rng.below(40) {
                0 => said.extend(rng.bytes::<70>()),
                1 => said.extend_from_slice(&hello(InfoHash([9; 20]), 1, true)),
                2 => said.extend_from_slice(&hello(self.torrents[which].0.info.info_hash(), 1, true)[..40]),
                3 => said
                    .extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nd8:intervali1800e5:p"),
                _ => {
                    remote.fast = rng.chance(0.5);
                    remote.torrent = Some(which);
                    let id = rng.below(60) as u8;
                    said.extend_from_slice(&hello(self.torrents[which].0.info.info_hash(), id, remote.fast));
                }
            }
        } else {
            for _ in 0..=rng.below(6) {
                remote.say(&self.torrents, self.honest, rng, &mut said);
            }
        }
        if rng.chance(0.02) && !said.is_empty() {
            let at = rng.index(said.len());
            said[at] ^= 1 << rng.below(8);
            remote.garbled = true;
        }
        // Cut anywhere.
        let said = Bytes::from(said);
        let cut = rng.index(said.len() + 1);
        self.rig.data(conn, said.slice(..cut));
        if self.rig.streams.get(&conn).is_some_and(|stream| !stream.paused) {
            self.rig.data(conn, said.slice(cut..));
        }
    }

    fn datagram(&mut self) {
        let Some((&socket, _)) = self.rig.sockets.iter().find(|(_, bound)| **bound) else { return };
        let rng = &mut self.rig.rng;
        let (peer, data) = match self.rig.datagrams.pop() {
            Some((_, request)) if rng.chance(0.8) => {
                // Action and transaction of the request, then anything.
                let mut answer = request.data.get(8..16).unwrap_or_default().to_vec();
                answer.extend(rng.bytes::<30>());
                answer.truncate(rng.index(answer.len() + 1));
                (request.peer, answer)
            }
            _ => (SocketAddr::from(([8, 8, 8, 8], 80)), rng.bytes::<20>().to_vec()),
        };
        self.rig.give(Input::Datagram(socket, Datagram::new(peer, data)));
    }

    fn command(&mut self) {
        let which = self.rig.rng.index(self.torrents.len());
        let mut torrent = Torrent::new(self.torrents[which].0.clone());
        let peers: Vec<SocketAddr> = (0..self.rig.rng.below(6)).map(|_| self.peer()).collect();
        let hash = self.hash();
        let rng = &mut self.rig.rng;
        torrent.order = mode(rng);
        torrent.super_seed = rng.chance(0.2);
        torrent.recheck = rng.chance(0.2);
        torrent.select = rng.chance(0.3).then(|| vec![rng.below(7) as u32]);
        torrent.peers.clone_from(&peers);
        let torrent = Box::new(torrent);
        let command = match rng.below(30) {
            0 => Command::Join(Bootstrap { trackers: vec!["udp://10.0.0.7:80".into()], peers }),
            1..5 => Command::Download(torrent),
            5..9 => Command::Fetch(torrent),
            9..12 => Command::Seed(torrent),
            12 => Command::Verify(torrent),
            13 => Command::Status(hash),
            14 if rng.chance(0.4) => Command::Remove(hash),
            15 => Command::Pause(hash, rng.chance(0.4)),
            14 | 16..19 => Command::AddPeers(hash, peers),
            19 => Command::SetPriority(hash, rng.below(8) as u32, rng.below(9) as u8),
            20 => Command::SetOrder(hash, mode(rng)),
            21 => Command::SetDeadline(hash, rng.below(30) as u32, rng.chance(0.7).then_some(500)),
            22 => Command::SetRates {
                upload: rng.chance(0.5).then(|| rng.below(3) * 50_000),
                download: rng.chance(0.5).then(|| rng.below(3) * 50_000),
            },
            23 => Command::Announce(hash),
            24 => Command::Scrape(hash),
            25 => Command::Recheck(hash),
            26 => Command::AddPeers(hash, peers),
            27 => Command::Status(hash),
            _ => Command::Save(hash),
        };
        self.rig.ask(command);
    }

    /// Reads what the client said to each peer.
    fn listen_in(&mut self) {
        self.remotes.retain(|conn, _| self.rig.streams.contains_key(conn));
        for (conn, stream) in &mut self.rig.streams {
            let Some(remote) = self.remotes.get_mut(conn) else {
                stream.sent.clear();
                continue;
            };
            for mut data in stream.sent.drain(..) {
                remote.hears(&self.torrents, &mut data);
            }
        }
    }

    /// Nothing strange happens any more: what is under way ends, and nothing is left of it.
    fn settle(&mut self) {
        let conns: Vec<ConnId> = self.rig.streams.keys().copied().collect();
        for conn in conns {
            self.rig.closed(conn, Ok(()));
        }
        self.rig.drain();
        for (metainfo, _) in self.torrents.clone() {
            self.rig.ask(Command::Remove(metainfo.info.info_hash()));
        }
        self.rig.drain();
        let load = self.rig.machine.inner().load();
        let mut nothing = Load::default();
        (nothing.banned, nothing.operations) = (load.banned, load.operations);
        assert_eq!(load, nothing, "nothing is left of torrents that were removed");
    }
}

impl Remote {
    fn new() -> Self {
        Self {
            torrent: None,
            fast: false,
            hello: Some(HandshakeDecoder::new()),
            decoder: Decoder::new(&WireLimits::default()),
            asked: Vec::new(),
            wanted: BTreeSet::new(),
            has: BTreeSet::new(),
            meant: None,
            spoke: false,
            garbled: false,
            coming: None,
        }
    }

    fn say(&mut self, torrents: &[(Arc<Metainfo>, Bytes)], honest: f64, rng: &mut Rng, said: &mut Vec<u8>) {
        let Some((metainfo, content)) = self.torrent.and_then(|which| torrents.get(which)) else { return };
        let pieces = metainfo.info.pieces();
        let count = pieces.count();
        let strange = rng.chance(0.004);
        let piece = rng.below(u64::from(count + u32::from(strange))) as u32;
        let blocks = pieces.blocks_in(piece.min(count - 1)) + u32::from(strange);
        let begin = rng.below(u64::from(blocks)) as u32 * 16_384;
        let len = pieces.block_len(piece.min(count - 1), begin / 16_384);
        let block = match rng.below(500) {
            0 => Block { piece: rng.bits() as u32, begin: rng.bits() as u32, len: rng.bits() as u32 },
            _ => Block { piece, begin, len },
        };
        // What it has comes first, from most.
        let kind = match (self.spoke, strange) {
            (false, false) => [0, 0, 2, 3, 4, 8, 12][rng.index(7)],
            (true, false) => 4 + rng.below(28),
            (_, true) => rng.below(32),
        };
        self.spoke = true;
        let message = match kind {
            0 | 1 => {
                let mut bits = vec![0xff; count.div_ceil(8) as usize];
                if let Some(last) = bits.last_mut()
                    && count % 8 != 0
                {
                    *last <<= 8 - count % 8;
                }
                if rng.chance(0.5) {
                    bits[0] = 0;
                }
                self.has.extend(0..count);
                Message::Bitfield(bits.into())
            }
            2 if self.fast => {
                self.has.extend(0..count);
                Message::HaveAll
            }
            3 if self.fast => Message::HaveNone,
            4 => Message::Choke,
            5..8 => Message::Unchoke,
            8 | 9 => Message::Interested,
            10 => Message::NotInterested,
            11 | 12 => {
                self.has.insert(piece);
                Message::Have(piece)
            }
            13..16 => {
                self.wanted.insert(block);
                Message::Request(block)
            }
            16 => Message::Cancel(block),
            17 if self.fast => Message::AllowedFast(piece),
            18 if self.fast => Message::Suggest(piece),
            19 if self.fast => Message::Reject(self.asked.first().copied().unwrap_or(block)),
            20 => Message::KeepAlive,
            21 => {
                let all = [&b"d1:md6:ut_pexi1ee1:pi99e4:reqqi3ee"[..], b"de", b"x"];
                let payload = all[if strange { 2 } else { rng.index(2) }];
                Message::Extended { id: u8::from(rng.chance(0.3)), payload: Bytes::from_static(payload) }
            }
            22 => Message::Port(1),
            23 if rng.chance(0.05) => return said.extend(rng.bytes::<9>()),
            _ => {
                // An answer to the oldest request, mostly.
                let block =
                    if self.asked.is_empty() || rng.chance(0.03) { block } else { self.asked.remove(0) };
                if block.len > 16_384 {
                    return;
                }
                let at = u64::from(block.piece) * u64::from(pieces.piece_len()) + u64::from(block.begin);
                let mut data =
                    content.get(at as usize..at as usize + block.len as usize).unwrap_or_default().to_vec();
                data.resize(block.len as usize, 0);
                if !rng.chance(honest.sqrt())
                    && let Some(first) = data.first_mut()
                {
                    *first ^= 1;
                }
                said.extend(wire::piece_head(block));
                return said.extend(data);
            }
        };
        said.extend_from_slice(&bytes(&message));
    }

    fn hears(&mut self, torrents: &[(Arc<Metainfo>, Bytes)], data: &mut Bytes) {
        if let Some(hello) = &mut self.hello {
            // What is said to a tracker is no greeting.
            match hello.next(data) {
                Ok(Some(hello)) => {
                    self.meant = Some(hello.info_hash);
                    self.hello = None;
                }
                _ => return,
            }
        }
        while let Some(message) = self.decoder.next(data).expect("a client keeps to the protocol") {
            self.understands(torrents, message);
        }
    }

    fn understands(&mut self, torrents: &[(Arc<Metainfo>, Bytes)], message: Message) {
        let (metainfo, content) = &torrents[self.torrent.expect("a client speaks after the greeting")];
        let pieces = metainfo.info.pieces();
        match message {
            Message::Request(block) => {
                assert!(block.piece < pieces.count(), "{block:?}");
                assert_eq!(block.len, pieces.block_len(block.piece, block.begin / 16_384));
                assert!(self.garbled || self.has.contains(&block.piece), "{block:?} asked of who has it not");
                self.asked.push(block);
            }
            Message::Cancel(block) => self.asked.retain(|asked| *asked != block),
            Message::Have(piece) => assert!(piece < pieces.count()),
            Message::Bitfield(bits) => assert_eq!(bits.len(), pieces.count().div_ceil(8) as usize),
            Message::HaveAll | Message::HaveNone | Message::AllowedFast(_) => {
                assert!(self.garbled || self.fast);
            }
            Message::Reject(block) => {
                assert!(self.garbled || self.fast && self.wanted.contains(&block), "{block:?}")
            }
            Message::Piece(block) => {
                assert!(self.garbled || self.wanted.contains(&block), "{block:?} was not asked for");
                self.coming = Some((block, 0));
            }
            Message::Payload(data) => {
                let (block, came) = self.coming.expect("a payload follows its head");
                let at = u64::from(block.piece) * u64::from(pieces.piece_len()) + u64::from(block.begin);
                let at = at as usize + came;
                assert!(content[at..at + data.len()] == data, "what is served is what the torrent has");
                self.coming = Some((block, came + data.len()));
            }
            _ => {}
        }
    }
}

fn life(seed: u64) {
    let mut world = World::new(seed);
    world.rig.settle_sockets(true);
    for _ in 0..3 {
        world.command();
    }
    let steps = world.rig.rng.below(u64::from(STEPS)) + 20;
    for _ in 0..steps {
        world.step();
    }
    if seed.is_multiple_of(3) {
        world.settle();
    }
    world.rig.end();
    // What comes after the end is nobody's.
    assert!(world.rig.ops.is_empty());
}

#[test]
fn any_life_of_a_client() {
    lives(KNOWN, 100, life);
}
