//! Arbitrary lives of a tracker and of a maker of torrents, from a seed.

use super::rig::{Rig, lives};
use p2p_bittorrent::creator::{Config as CreatorConfig, Create, Creator};
use p2p_bittorrent::tracker::udp::Request;
use p2p_bittorrent::tracker::{Announce, Config, Tracker, TrackerCommand};
use p2p_bittorrent::{InfoHash, PeerId};
use p2p_core::{ConnId, Datagram, FileId, Input, IoError, RelPath, Rng, Root};
use std::net::SocketAddr;

fn tracker(seed: u64) -> Rig<Tracker> {
    let mut config = Config::default();
    config.limits.torrents = 50;
    config.limits.peers = 200;
    config.limits.swarm = 20;
    config.limits.addresses = 10;
    config.limits.connections = 12;
    config.limits.connections_per_address = 3;
    config.limits.burst = 40;
    config.limits.whitelist = 5;
    Rig::new(Tracker::new(config), seed)
}

fn peer(rng: &mut Rng) -> SocketAddr {
    match rng.below(4) {
        0 => SocketAddr::from(([0x2001, 0xdb8, 0, rng.below(3) as u16, 0, 0, 0, 1], rng.bits() as u16)),
        _ => SocketAddr::from(([8, 8, 0, rng.below(9) as u8], rng.bits() as u16)),
    }
}

fn hash(rng: &mut Rng) -> InfoHash {
    let mut hash = [0; 20];
    hash[0] = rng.below(80) as u8;
    InfoHash(hash)
}

/// What is asked over HTTP: right, nearly right, or noise.
fn request(rng: &mut Rng) -> Vec<u8> {
    let hash = hash(rng);
    let text: String = hash.0.iter().map(|byte| format!("%{byte:02x}")).collect();
    let line = match rng.below(8) {
        0 => format!("GET /scrape?info_hash={text} HTTP/1.1\r\n\r\n"),
        1 => format!("GET /announce?info_hash={text}&port=0&peer_id=short HTTP/1.1\r\n\r\n"),
        2 => "POST /announce HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n".to_owned(),
        3 => format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(rng.index(9_000))),
        4 => return rng.bytes::<50>().to_vec(),
        _ => format!(
            "GET /announce?info_hash={text}&peer_id=-XX0000-012345678901&port={}&left={}&numwant={}&event={}{} HTTP/1.{}\r\nHost: t\r\n\r\n",
            rng.below(70_000),
            rng.below(3),
            rng.below(300),
            ["started", "stopped", "completed", "paused", ""][rng.index(5)],
            ["", "&compact=1", "&compact=0", "&ip=1.2.3.4", "&no_peer_id=1"][rng.index(5)],
            rng.below(2),
        ),
    };
    let mut bytes = line.into_bytes();
    if rng.chance(0.1) {
        let at = rng.index(bytes.len());
        bytes[at] = rng.bits() as u8;
    }
    bytes
}

fn asked_over_udp(rng: &mut Rng, connection: u64) -> Vec<u8> {
    let transaction = rng.bits() as u32;
    let request = match rng.below(4) {
        0 => Request::Connect { transaction },
        1 => Request::Scrape {
            connection,
            transaction,
            hashes: (0..rng.below(80)).map(|_| hash(rng)).collect(),
        },
        2 => return rng.bytes::<98>()[..rng.index(98)].to_vec(),
        _ => {
            let mut announce = Announce::new(hash(rng), PeerId([1; 20]), rng.bits() as u16);
            announce.left = Some(rng.below(2));
            Request::Announce { connection, transaction, announce, url_data: Vec::new() }
        }
    };
    let mut out = bytes::BytesMut::new();
    request.encode(&mut out);
    out.to_vec()
}

fn life_of_a_tracker(seed: u64) {
    let mut rig = tracker(seed);
    rig.settle_sockets(true);
    let mut connection = 0;
    for _ in 0..500 {
        let mut dice = rig.rng.split();
        match dice.below(20) {
            0..3 => drop(rig.accept(peer(&mut dice))),
            3..9 => {
                if let Some(conn) = rig.some_stream(|stream| stream.open && !stream.paused) {
                    let bytes = request(&mut dice);
                    let cut = dice.index(bytes.len() + 1);
                    rig.data(conn, bytes[..cut].to_vec());
                    if dice.chance(0.9) {
                        rig.data(conn, bytes[cut..].to_vec());
                    }
                }
            }
            9 => {
                if let Some(conn) = rig.some_stream(|_| true) {
                    rig.closed(conn, if dice.chance(0.5) { Ok(()) } else { Err(IoError::Reset) });
                }
            }
            10 => {
                if let Some(conn) = rig.some_stream(|_| true) {
                    rig.queue(conn);
                }
            }
            11..16 => {
                let Some((&socket, _)) = rig.sockets.iter().find(|(_, bound)| **bound) else { continue };
                let (from, data) = (peer(&mut dice), asked_over_udp(&mut dice, connection));
                rig.datagrams.clear();
                rig.give(Input::Datagram(socket, Datagram::new(from, data.clone())));
                for (_, answer) in &rig.datagrams {
                    assert_eq!(answer.peer, from, "who asks is answered, and nobody else");
                    if answer.data.first_chunk() == Some(&[0, 0, 0, 0]) {
                        connection = u64::from_be_bytes(*answer.data[8..].first_chunk().unwrap());
                    }
                    // An id belongs to an address: with another's, no answer is longer than what was asked.
                    let error = answer.data.first_chunk() == Some(&[0, 0, 0, 3]);
                    assert!(!error || answer.data.len() <= data.len());
                }
                assert!(rig.datagrams.len() <= 1);
            }
            16 => {
                let command = match dice.below(4) {
                    0 => TrackerCommand::Allow(hash(&mut dice)),
                    1 => TrackerCommand::Disallow(hash(&mut dice)),
                    2 => TrackerCommand::Whitelist(dice.chance(0.3)),
                    _ => TrackerCommand::Stats,
                };
                rig.ask(command);
            }
            17 => rig.settle_sockets(dice.chance(0.98)),
            18 => rig.bother(),
            _ => rig.pass(),
        }
        assert!(rig.streams.len() <= 12, "{}", rig.streams.len());
        rig.streams.values_mut().for_each(|stream| stream.sent.clear());
    }
    rig.end();
    assert!(rig.ops.is_empty() && rig.most_effects < 200);
}

#[test]
fn any_life_of_a_tracker() {
    lives(&[], 60, life_of_a_tracker);
}

fn life_of_a_creator(seed: u64) {
    let mut config = CreatorConfig::default();
    config.files = 3;
    let mut rig = Rig::new(Creator::new(config), seed);
    let names = ["one", "two", "empty"];
    for (name, len) in names.iter().zip([200_000, 16_384, 0]) {
        let file = FileId::new(Root(0), RelPath::from_parts([*name]).unwrap());
        rig.files.insert(file, vec![7; len]);
    }
    let steps = 20 + rig.rng.below(200);
    for _ in 0..steps {
        match rig.rng.below(10) {
            0 | 1 => {
                let all = ["one", "two", "empty", "gone", "..", "", "a/b", "con"];
                let mut wanted = Create::new(all[rig.rng.index(all.len())]);
                wanted.piece_len = rig.rng.chance(0.5).then(|| 1 << rig.rng.below(32));
                wanted.dated = rig.rng.chance(0.5);
                rig.ask(wanted);
            }
            2 => rig.bother(),
            3 => rig.pass(),
            _ => rig.work(0.05, 0.02),
        }
        assert!(rig.jobs.len() <= 8 * (rig.ops.len() + 8) + 64, "{}", rig.jobs.len());
    }
    rig.end();
    assert!(rig.ops.is_empty());
}

#[test]
fn any_life_of_a_creator() {
    lives(&[], 200, life_of_a_creator);
}

#[test]
fn the_rig_can_fail() {
    // A machine that sends to a stream that it closed.
    struct Wrong;
    impl p2p_core::Machine for Wrong {
        type Command = ();
        type Event = ();
        type Error = std::convert::Infallible;
        type Timer = ();
        fn handle(&mut self, input: Input<Self>, cx: &mut p2p_core::Cx<'_, Self>) {
            if matches!(input, Input::Start) {
                let conn: ConnId = cx.connect(SocketAddr::from(([10, 0, 0, 1], 1)));
                cx.abort(conn);
                cx.send(conn, &b"late"[..]);
            }
        }
    }
    assert!(std::panic::catch_unwind(|| Rig::new(Wrong, 1)).is_err());
}
