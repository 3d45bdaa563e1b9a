//! Nobody can have a node send more to somebody than was sent by there.

use crate::alone::{Alone, ME, peers};
use crate::rings::config;
use crate::wire::packets;
use p2p_chord::record::{Kind, Record, SecretKey, Signed};
use p2p_chord::wire::{Ask, Packet};
use p2p_chord::{Command, Config};
use p2p_core::Duration;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// A node of each kind that hears packets.
fn nodes() -> Vec<(&'static str, Alone)> {
    let config = |change: fn(&mut Config)| {
        let mut config = config(4);
        config.quorum = 1;
        change(&mut config);
        config
    };
    let mut member = Alone::member(config(|_| ()));
    // With something to be had, larger than the question.
    let from = SocketAddr::from(([198, 51, 100, 1], 1));
    let token = member.token_of(from);
    let me = member.node.peer().unwrap().id();
    let salts = (0_u32..)
        .map(|salt| Signed::sign(&SecretKey([5; 32]), salt.to_be_bytes().to_vec(), 1, vec![7; 400]).unwrap());
    let signed = salts.into_iter().find(|signed| member.node.owns(signed.key())).unwrap();
    let put = Ask::Put { record: Record::Signed(signed), ttl: 9_000, swap: None, heir: false };
    member.ask(from, token, put);
    assert!(!member.node.store().is_empty() && member.node.owns(me));
    vec![
        ("a member", member),
        ("one in a small ring", Alone::with(config(|_| ()), Some(Command::Join(Vec::new())))),
        (
            "one that joins",
            Alone::with(config(|_| ()), Some(Command::Join(vec![([10, 0, 0, 9], 4000).into()]))),
        ),
        ("one outside", Alone::with(config(|_| ()), None)),
    ]
}

/// Sends these, each from an address of its own that proved nothing, lets a minute pass, and looks who was sent what.
fn nobody_is_sent_more(packets: &[Packet]) {
    for (name, mut node) in nodes() {
        let ring: BTreeSet<SocketAddr> = peers(&node.config).iter().map(|peer| peer.addr()).collect();
        let mut heard: BTreeMap<SocketAddr, (usize, &Packet)> = BTreeMap::new();
        node.sent.clear();
        for (packet, number) in packets.iter().zip(0_u16..) {
            let [a, b] = number.to_be_bytes();
            let from = SocketAddr::from(([203, 0, a, b], 5000));
            let data = node.encode(packet);
            if data.len() <= p2p_chord::wire::LARGEST {
                heard.insert(from, (data.len(), packet));
                node.hear(from, data);
            }
        }
        node.pass(Duration::from_secs(60));
        let mut sent: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        for datagram in node.sent.iter().filter(|datagram| !ring.contains(&datagram.peer)) {
            *sent.entry(datagram.peer).or_default() += datagram.data.len();
        }
        for (to, bytes) in sent {
            let (most, packet) = heard.get(&to).map_or((0, None), |(len, packet)| (*len, Some(packet)));
            assert!(bytes <= most, "{name} sent {bytes} bytes to {to} for {most}: {packet:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn who_proved_nothing_is_sent_no_more_than_it_sent(packets in prop::collection::vec(packets(), 1..40)) {
        nobody_is_sent_more(&packets);
    }
}

/// The questions that cost most to answer, as small as they can be.
#[test]
fn small_questions_have_small_answers() {
    let key = peers(&config(4))[ME].id();
    let mut asks = vec![
        Ask::Ping,
        Ask::Enter,
        Ask::Neighbours { notify: true, known: 0 },
        Ask::Neighbours { notify: false, known: 0 },
        Ask::Step(key),
        Ask::Step(key.plus_power(0)),
        Ask::Leave { predecessor: None },
        Ask::Reach { number: 1 },
        Ask::Called { number: 1 },
        Ask::Others(Vec::new()),
        Ask::Keep(Vec::new()),
    ];
    for kind in [Kind::Value, Kind::Signed, Kind::Provider] {
        asks.extend([true, false].map(|routed| Ask::Get { key, kind, routed }));
    }
    let packet = |ask| Packet::Ask { transaction: 1, token: 0, member: true, ask };
    nobody_is_sent_more(&asks.into_iter().map(packet).collect::<Vec<_>>());
}

/// However many strangers join, notify, tell of others or ask to be called: what a node keeps, and asks, stays as it is.
#[test]
fn a_flood_of_strangers_changes_nothing() {
    let mut config = config(4);
    config.base_bits = 4;
    let mut node = Alone::member(config);
    let before: Vec<_> = node.node.successors().chain(node.node.predecessor()).collect();
    for number in 0..20_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let from = SocketAddr::from(([203, a, b, c], 5000));
        let places = (0..4).map(|last| p2p_chord::Place::V4([192, 0, 2, last], c.into())).collect();
        let asks = [
            Ask::Enter,
            Ask::Neighbours { notify: true, known: 0 },
            Ask::Others(places),
            Ask::Reach { number },
            Ask::Leave { predecessor: Some(p2p_chord::Place::V4([192, 0, 2, 1], 80)) },
        ];
        for ask in asks {
            assert!(node.ask(from, number | 1, ask).len() <= 1);
        }
        node.pass(Duration::from_micros(100));
        assert!(node.node.questions().count() < 20, "{number}");
    }
    let after: Vec<_> = node.node.successors().chain(node.node.predecessor()).collect();
    assert_eq!(before, after);
}

/// Members that prove their addresses can have it ask, but not more than a few things at a time.
#[test]
fn a_flood_of_members_is_asked_a_few_things() {
    let config = config(4);
    let mut node = Alone::member(config);
    let mut most = 0;
    for number in 0..5_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let from = SocketAddr::from(([203, a, b, c], 5000));
        let token = node.token_of(from);
        let places: Vec<_> = (0..200).map(|last| p2p_chord::Place::V4([192, 0, c, last], 81)).collect();
        node.ask(from, token, Ask::Others(places));
        node.ask(from, token, Ask::Neighbours { notify: true, known: 0 });
        node.ask(from, token, Ask::Call { to: p2p_chord::Place::V4([192, 0, 2, 1], 80), number });
        node.ask(from, token, Ask::Reach { number });
        node.pass(Duration::from_millis(1));
        most = most.max(node.node.questions().count());
        assert_eq!(node.node.check(), Ok(()));
    }
    println!("{most} questions at a time");
    assert!(most < 60, "{most} questions at a time");
    assert!(node.node.fingers().count() < 60);
}
