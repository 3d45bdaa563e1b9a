//! A node of Chord, alone, in a small ring, or in a large one: datagrams, streams, answers of jobs that fail, timers and
//! commands, in any order. The rules of its lists hold after each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_chord::record::{Kind, Provider, Record, SecretKey, Signed};
use p2p_chord::store::{Digest, Held};
use p2p_chord::wire::{Answer, Ask, Packet};
use p2p_chord::{Chord, Command, Config, Get, NetworkId, Peer, Place, Provide, Put, RingId};
use p2p_core::{Bytes, Duration, FileId, RelPath, Root};
use p2p_fuzz::{Bench, BytesMut, Script};
use std::net::SocketAddr;

const NETWORK: NetworkId = NetworkId(7);

fn at(host: u8) -> SocketAddr {
    SocketAddr::from(([10, host % 4, 0, host], 4_000))
}

fn place(script: &mut Script<'_>) -> Place {
    match script.byte() {
        255 => Place::V4([0; 4], 0),
        254 => Place::V6([script.byte(); 16], 4_000),
        host => Place::from(at(host)),
    }
}

fn places(script: &mut Script<'_>) -> Vec<Place> {
    (0..script.byte() % 40).map(|_| place(script)).collect()
}

fn id(script: &mut Script<'_>) -> RingId {
    match script.byte() % 3 {
        0 => Peer::new(NETWORK, at(script.byte())).id(),
        1 => Record::Value(value(script)).key(),
        _ => RingId::new([script.byte(); 20]),
    }
}

fn value(script: &mut Script<'_>) -> Bytes {
    let len = [0, 10, 1_500, 70_000][script.below(4)];
    vec![script.byte() % 4; len].into()
}

fn kind(script: &mut Script<'_>) -> Kind {
    [Kind::Value, Kind::Signed, Kind::Provider][script.below(3)]
}

fn record(script: &mut Script<'_>) -> Record {
    match script.byte() % 4 {
        0 | 1 => Record::Value(value(script)),
        2 => {
            let (seq, value) = (u64::from(script.byte() % 4), value(script));
            let mut signed = Signed::sign(&SecretKey([1; 32]), Bytes::new(), seq, value.slice(..value.len().min(99)));
            if let Ok(signed) = &mut signed {
                signed.signature[0][0] ^= script.byte() & 1;
            }
            signed.map_or_else(|_| Record::Value(Bytes::new()), Record::Signed)
        }
        _ => Record::Provider(Provider {
            key: RingId::new([3; 20]),
            at: place(script),
            sha256: [script.byte(); 32],
            size: u64::from(script.byte()),
        }),
    }
}

fn held(script: &mut Script<'_>) -> Vec<Held> {
    let some = script.byte() % 5;
    let held = |script: &mut Script<'_>| Held {
        record: record(script),
        expires: Bench::<Chord>::CIVIL + u64::from(script.byte()) * 60,
        publisher: p2p_chord::store::Prefix::of(at(script.byte()).ip()),
    };
    (0..some).map(|_| held(script)).collect()
}

/// What was added to the first twelve questions.
fn later_ask(script: &mut Script<'_>, which: u8) -> Ask {
    let number = u32::from(script.byte());
    match which {
        0 | 1 => Ask::News { level: script.byte() % 12, came: places(script), gone: places(script) },
        2 | 3 => Ask::Members { from: id(script), to: id(script), known: number % 2 },
        4 => Ask::Before,
        5 => Ask::Follow,
        6 => Ask::Others(places(script)),
        7 => Ask::Reach { number },
        8 => Ask::Call { to: place(script), number },
        9 => Ask::Called { number },
        10 => Ask::Load,
        _ => Ask::Numbers(id(script)),
    }
}

fn ask(script: &mut Script<'_>) -> Ask {
    let which = script.byte();
    if let Some(later) = which.checked_sub(240) {
        return later_ask(script, later);
    }
    match which % 12 {
        0 => Ask::Ping,
        1 | 2 => Ask::Neighbours { notify: script.byte() & 1 == 1, known: u32::from(script.byte() % 2) },
        3 => Ask::Enter,
        4 => Ask::Step(id(script)),
        5 => Ask::Leave { predecessor: (script.byte() & 1 == 1).then(|| place(script)) },
        6 => Ask::Get { key: id(script), kind: kind(script), routed: script.byte() & 1 == 1 },
        7 | 8 => Ask::Put {
            record: record(script),
            ttl: u32::from(script.byte()) * 100,
            swap: (script.byte() & 1 == 1).then(|| u64::from(script.byte() % 4)),
            heir: script.byte() & 1 == 1,
        },
        9 => Ask::Keep(held(script)),
        10 => {
            let digest = |script: &mut Script<'_>| Digest { records: u32::from(script.byte() % 3), sum: 5 };
            let arcs: Vec<_> = (0..script.byte() % 20).map(|_| (id(script), digest(script))).collect();
            let coded = arcs.len() % 4 == 3;
            Ask::Compare { key: 1, from: id(script), arcs, coded }
        }
        _ => Ask::Exchange {
            key: 1,
            from: id(script),
            to: id(script),
            both: script.byte() & 1 == 1,
            have: (0..script.byte() % 100).map(|n| [n; 8]).collect(),
            coded: which > 127,
        },
    }
}

/// What was added to the first twelve answers.
fn later_answer(script: &mut Script<'_>, which: u8) -> Answer {
    match which {
        0 | 1 => Answer::Members((script.byte() & 3 != 3).then(|| places(script))),
        2 => Answer::Numbers(id(script), u16::from(script.byte())),
        3 => Answer::Cached((0..script.byte() % 4).map(|_| (record(script), 60)).collect()),
        4 => Answer::Passed,
        5 => Answer::Busy,
        6 => Answer::Differ((0..script.byte() % 9).map(|arc| (arc, 5)).collect()),
        _ => Answer::Lodged { load: u32::from(script.byte()), refusal: None },
    }
}

fn answer(script: &mut Script<'_>) -> Answer {
    let which = script.byte();
    if let Some(later) = which.checked_sub(240) {
        return later_answer(script, later);
    }
    match which % 12 {
        0 => Answer::Pong(place(script)),
        1 | 2 => Answer::Neighbours {
            small: script.byte() & 1 == 1,
            predecessor: (script.byte() & 1 == 1).then(|| place(script)),
            successors: (script.byte() & 3 != 3).then(|| places(script)),
        },
        3 => Answer::Owners(places(script)),
        4 => Answer::Closer(places(script)),
        5 => Answer::Prove,
        6 => Answer::Absent,
        7 => Answer::Records((0..script.byte() % 4).map(|_| (record(script), 60)).collect()),
        8 => Answer::Large,
        9 => Answer::Stored { copies: script.byte(), messages: 9 },
        10 => Answer::Kept((0..script.byte() % 4).map(|_| None).collect()),
        _ => Answer::Lacking((0..script.byte() % 9).collect()),
    }
}

fn command(script: &mut Script<'_>) -> Command {
    match script.byte() % 12 {
        0 => Command::Join((0..script.byte() % 3).map(at).collect()),
        1 => Command::Lookup(id(script)),
        2 => Command::Leave,
        3..=5 => Command::Put(Put {
            again: script.byte() & 1 == 1,
            ttl: Duration::from_secs(u64::from(script.byte()) * 60),
            ..Put::new(record(script))
        }),
        6 | 7 => Command::Get(Get { quorum: script.byte() % 4, ..Get::new(id(script), kind(script)) }),
        8 => Command::Provide(Provide { key: id(script), port: 80, sha256: [1; 32], size: 1 }),
        9 => Command::Withdraw(id(script), kind(script)),
        10 => Command::Walk { most: usize::from(script.byte()) },
        _ => Command::Status,
    }
}

/// The token that the node gave to an address, if it ever answered it.
fn token(bench: &Bench<Chord>, to: SocketAddr) -> u32 {
    let last = bench.last_to(to).map(|last| Packet::decode(last, NETWORK));
    match last {
        Some(Ok(Packet::Answer { token, .. })) => token,
        _ => 0,
    }
}

/// A node as the script's first byte says, and the nodes that it knows.
fn node(kind: u8) -> Chord {
    let mut config = Config::default();
    config.network = NETWORK;
    config.listen = at(1);
    config.advertised = Some(at(1));
    config.successors = 3;
    config.replicas = 3;
    config.quorum = 2;
    config.lookups = 16;
    config.routes = kind & 4 == 0;
    config.limits.bytes = 200_000;
    config.limits.records = 64;
    if kind & 8 == 8 {
        let name = RelPath::from_parts(["records"]).expect("a plain name");
        config.store = Some(FileId::new(Root(0), name));
    }
    if kind & 3 != 3 {
        return Chord::new(config);
    }
    let me = Peer::new(NETWORK, at(1));
    let mut others: Vec<Peer> = (2..40).map(|host| Peer::new(NETWORK, at(host))).collect();
    others.sort_by_key(|peer| me.id().distance_to(peer.id()));
    let before = others[others.len() - 1];
    Chord::settled(config, me, before, &others[..3], others[3..].iter().copied())
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let kind = script.byte();
    let mut bench = Bench::new(node(kind), Vec::new());
    bench.settle();
    if kind & 3 == 2 {
        bench.ask(Command::Join(Vec::new()));
    }
    let mut scratch = BytesMut::new();
    while !script.is_over() {
        match script.byte() {
            0..30 => bench.ask(command(&mut script)),
            30..45 => bench.settle(),
            45..130 => {
                // Somebody asks, with the token that was given there or without.
                let from = at(script.byte());
                let token = if script.byte() & 1 == 0 { 0 } else { token(&bench, from) };
                let member = script.byte() & 1 == 1;
                let packet = Packet::Ask { transaction: u32::from(script.byte()), token, member, ask: ask(&mut script) };
                bench.datagram(from, packet.encode(NETWORK, 0, &mut scratch));
            }
            130..220 => {
                // Somebody answers something that was asked.
                let questions: Vec<(u32, Peer)> =
                    bench.machine.inner().questions().map(|(transaction, to, _)| (transaction, to)).collect();
                let Some((transaction, to)) = questions.get(script.below(questions.len())) else { continue };
                let answer = answer(&mut script);
                let packet = Packet::Answer { transaction: *transaction, token: 5, answer };
                bench.datagram(to.addr(), packet.encode(NETWORK, 0, &mut scratch));
            }
            220 => bench.datagram(at(script.byte()), Bytes::copy_from_slice(script.bytes())),
            _ => bench.step(&mut script, &mut |script| {
                let packet = match script.byte() & 1 {
                    0 => Packet::Ask { transaction: 1, token: 0, member: true, ask: ask(script) },
                    _ => Packet::Answer { transaction: 1, token: 0, answer: answer(script) },
                };
                let packet = packet.encode(NETWORK, 0, &mut BytesMut::new());
                [&(packet.len() as u32).to_be_bytes()[..], &packet].concat()
            }),
        }
        let node = bench.machine.inner();
        assert_eq!(node.check(), Ok(()));
        assert!(node.store().len() <= 64 && node.store().bytes() <= 200_000);
    }
});
