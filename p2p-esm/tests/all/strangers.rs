//! Somebody far away who writes any address on its datagrams, and hears nothing of what is answered.

use crate::group::Group;
use crate::player::{Forgery, Player};
use bytes::{Bytes, BytesMut};
use p2p_core::{Datagram, Duration, Rng};
use p2p_esm::symbol::{self, Symbol};
use p2p_esm::wire::{
    self, Answer, AsChild, Ask, Flow, Known, LARGEST, MemberId, Packet, Place, Refusal, Route, Tell,
    TreeStatus, Want, WireError,
};
use p2p_esm::{Config, Counts, Shape, manifest};
use p2p_sim::{NodeIx, Uniform};
use proptest::prelude::*;
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const EVERY: Duration = Duration::from_millis(50);

/// A group whose members are all attacked while so many packets are sent, and what they counted meanwhile, all together.
fn attacked(seed: u64, shape: Shape, packets: usize, forgery: Forgery) -> (Group, Counts) {
    let mut config = Config::default();
    config.shape = shape;
    // Twenty packets of 200 bytes a second.
    config.rate = 4_000;
    config.upload = 16_000;
    let mut group = Group::new(seed, Uniform::ms(10..60), config);
    group.add_others(20, |member| Player::Target(member, None));
    group.stream(100, EVERY);
    for node in group.members.clone() {
        if let Player::Target(_, attack) = group.sim.machine_mut(node).inner_mut() {
            *attack = Some(forgery);
        }
    }
    let lost = |group: &Group| {
        group.members.iter().map(|node| group.machine(*node).counts().lost_parents).sum::<u64>()
    };
    let lost_before = lost(&group);
    group.stream(packets, EVERY);
    group.sim.run_for(Duration::from_secs(3));
    let mut sum = Counts::default();
    for node in &group.members {
        let given = group.given(*node).packets.iter().filter(|packet| **packet >= 100).count();
        let counts = group.machine(*node).counts();
        assert_eq!(given, packets, "seed {seed}, {node:?}: {counts:?}");
        sum.bad += counts.bad;
        sum.unasked += counts.unasked;
        sum.liars += counts.liars;
        sum.poor += counts.poor;
        sum.stamps += counts.stamps;
    }
    sum.lost_parents = lost(&group) - lost_before;
    (group, sum)
}

/// The symbol that a parent sends next, before it does: three times another one, and once with a stamp.
fn next_symbols(datagram: &Datagram, rng: &mut Rng) -> Vec<Datagram> {
    let data = symbol::unstamped(&datagram.data).map_or_else(|| datagram.data.clone(), |(_, data)| data);
    let Some((head, [a, b, c, d, index, ..])) =
        data.split_at_checked(5).filter(|(head, _)| head[0] == symbol::KIND)
    else {
        return Vec::new();
    };
    let generation = u32::from_be_bytes([*a, *b, *c, *d]).wrapping_add(1);
    let forge = |has_stamp: bool| {
        let (body, mut wire) = (Bytes::copy_from_slice(&rng.bytes::<200>()), BytesMut::new());
        let tag = [head[1], head[2], head[3], head[4]];
        Symbol { generation, index: *index, body }.encode(tag, &mut wire);
        let data = if has_stamp { symbol::stamped(&wire, rng.bits() as u32) } else { wire.freeze() };
        Datagram { data, ..datagram.clone() }
    };
    [false, false, false, true].map(forge).into()
}

/// Forged symbols come in the name of every parent: parents stamp theirs, and nobody leaves one for what it did not send.
#[test]
fn symbols_in_a_parents_name() {
    for (seed, shape) in [(111, Shape::SINGLE), (112, Shape::SIX_OF_FOUR)] {
        let (mut group, sum) = attacked(seed, shape, 400, next_symbols);
        println!("seed {seed}: {sum:?}");
        assert!(sum.stamps > 0 && sum.bad > 10_000, "seed {seed}: {sum:?}");
        assert_eq!((sum.liars, sum.poor), (0, 0), "seed {seed}: nobody is blamed for others");
        // Once it is over, a new member gets its symbols as they came: they cost no more than before.
        for node in group.members.clone() {
            if let Player::Target(_, attack) = group.sim.machine_mut(node).inner_mut() {
                *attack = None;
            }
        }
        group.stream(130, EVERY * 10);
        let (late, op) = group.begin();
        assert!(group.sim.finish(&[op], Duration::from_secs(10)));
        group.watch(late);
        group.stream(100, EVERY);
        assert_eq!(group.machine(late).counts().stamps, 0);
        assert!(group.given(late).packets.len() >= 80, "seed {seed}: {:?}", group.machine(late).counts());
    }
}

std::thread_local! {
    /// The first manifest that went by in this test.
    static FIRST: RefCell<Option<Bytes>> = const { RefCell::new(None) };
}

/// The first manifest once more, whatever comes.
fn first_manifest(datagram: &Datagram, _: &mut Rng) -> Vec<Datagram> {
    let first = FIRST.with_borrow_mut(|first| {
        if first.is_none() && datagram.data.first() == Some(&manifest::KIND) {
            *first = Some(datagram.data.clone());
        }
        first.clone()
    });
    first.map(|data| Datagram { data, ..datagram.clone() }).into_iter().collect()
}

/// What the source signed long ago comes again and again in the name of every parent: nobody passes it on.
#[test]
fn manifests_of_long_ago() {
    let sent = |forgery: Option<Forgery>| {
        let mut config = Config::default();
        config.shape = Shape::SINGLE;
        (config.rate, config.upload) = (4_000, 16_000);
        (config.history, config.window) = (8, 200);
        let mut group = Group::new(113, Uniform::ms(10..60), config);
        group.add_others(20, |member| Player::Target(member, forgery));
        group.stream(400, EVERY);
        group.sim.run_for(Duration::from_secs(3));
        let counts = |node: &NodeIx| group.machine(*node).counts();
        let given = group.members.iter().map(|node| group.given(*node).packets.len()).sum::<usize>();
        let bad: u64 = group.members.iter().map(|node| counts(node).signed_twice).sum();
        (group.members.iter().map(|node| counts(node).sent).sum::<u64>(), given, bad)
    };
    let (quiet, replayed) = (sent(None), sent(Some(first_manifest)));
    println!("{quiet:?}, replayed {replayed:?}");
    assert!(replayed.2 > 5_000 && replayed.1 >= quiet.1, "{quiet:?}, replayed {replayed:?}");
    assert!(replayed.0 <= quiet.0 * 11 / 10, "{quiet:?}, replayed {replayed:?}");
}

/// A question, an answer and what needs none, of any kind.
fn any_letters(anybody: SocketAddr, rng: &mut Rng) -> [Packet; 3] {
    let known = Known { id: MemberId(rng.bits()), addr: anybody, age: 0 };
    // A way that leads through all that it may, so it may be taken for a loop.
    let place = Place { delay: 1, path: vec![MemberId(rng.bits()); 3], above: Some(anybody) };
    let (tree, trees) = (rng.below(6) as u8, u64::MAX);
    let tell = match rng.below(8) {
        0 => Tell::Gone { trees },
        1 => Tell::Move { tree, to: Some(known) },
        2 => Tell::Replaced { tree, to: Some(known) },
        3 => Tell::Place { tree, place: place.clone(), heard: rng.bits() as u32 },
        4 => Tell::Here { trees, claim: u16::MAX },
        5 => Tell::Miss(vec![Want { generation: 1, here: 0, count: 6, manifest: true }]),
        6 => Tell::Unlink,
        _ => Tell::Routes {
            source: Some(known.id),
            uses: 1,
            routes: vec![Route { id: known.id, addr: anybody, number: 1, delay: 0 }],
        },
    };
    let (transaction, token) = (rng.bits() as u32, rng.bits() as u32);
    let answer = match rng.below(6) {
        0 => Answer::Prove,
        1 => Answer::Nothing,
        2 => Answer::Adopted(place),
        3 => Answer::Refused { why: Refusal::Leaving, instead: vec![known; 8] },
        4 => Answer::Linked,
        _ => {
            let status = TreeStatus { depth: 1, room: 255, delay: 0, far: u16::MAX };
            Answer::Status { heard: rng.bits() as u32, trees: vec![status; 6], sample: vec![known; 8] }
        }
    };
    let as_child = AsChild {
        native: true,
        spare: 255,
        claim: u16::MAX,
        distance: 0,
        urgent: true,
        orphan: true,
        doubts: false,
        island: false,
        stamped: true,
        within: u16::MAX,
    };
    let ask = match rng.below(5) {
        0 => Ask::Hello,
        1 => Ask::Probe,
        2 => Ask::Link { token, astray: true },
        3 => Ask::Routes(known.id),
        _ => Ask::Adopt { tree, token, as_child, flow: Flow::All },
    };
    let from = known.id;
    [
        Packet::Tell { token, from, tell },
        Packet::Answer { transaction, token, from, answer },
        Packet::Ask { transaction, token, from, ask },
    ]
}

/// Whatever members say to each other, without the tokens and numbers that only the two of them know: in the name of who
/// sent something just now, and of others.
fn letters(datagram: &Datagram, rng: &mut Rng) -> Vec<Datagram> {
    // What comes of it is not to bring forth more.
    let Some((&symbol::KIND, [a, b, c, d, ..])) = datagram.data.split_first() else { return Vec::new() };
    let tag = [*a, *b, *c, *d];
    let anybody = SocketAddr::from((Ipv4Addr::from(0x0a01_0000 | rng.bits() as u32 & 0xffff), 4_000));
    let packets = any_letters(anybody, rng);
    let names = [datagram.peer, anybody];
    let forge = |packet: &Packet| packet.encode(tag, 512);
    let said = packets.iter().flat_map(|packet| names.map(|peer| (peer, forge(packet))));
    let said = said.map(|(peer, data)| Datagram { peer, data, ..datagram.clone() });
    // And what is no letter at all, or half of one; symbols are another test's.
    let mut junk = rng.bytes::<64>().to_vec();
    junk[0] = 0xe0 + (junk[0] & 6);
    junk[1..5].copy_from_slice(&tag);
    let half = packets[0].encode(tag, 0);
    let half = half.slice(..half.len() / 2);
    let junk = [Bytes::from(junk), half].map(|data| Datagram { data, ..datagram.clone() });
    said.chain(junk).collect()
}

/// Nothing of it is believed, and none of it is kept: what a member knows takes no more room than among friends.
#[test]
fn letters_in_others_names() {
    for (seed, shape) in [(113, Shape::SINGLE), (114, Shape::SIX_OF_FOUR)] {
        let room = |forgery: Forgery| {
            let (group, sum) = attacked(seed, shape, 200, forgery);
            let most = group.members.iter().map(|node| format!("{:?}", group.machine(*node)).len()).max();
            (most.unwrap_or(0), sum)
        };
        let (friends, quiet) = room(|_, _| Vec::new());
        let (strangers, sum) = room(letters);
        println!(
            "seed {seed}: {friends} bytes, {strangers} among strangers; {} and {} parents lost",
            quiet.lost_parents, sum.lost_parents
        );
        assert!(sum.bad > 5_000 && sum.unasked > 5_000, "seed {seed}: {sum:?}");
        assert_eq!((sum.liars, sum.poor), (0, 0), "seed {seed}");
        // Now and then one goes among friends, too.
        assert!(sum.lost_parents <= quiet.lost_parents + 5, "seed {seed}: {quiet:?}, {sum:?}");
        assert!(strangers < friends * 5 / 4, "seed {seed}: {friends} bytes, {strangers} among strangers");
    }
}

proptest! {
    /// What was encoded is decoded; of what was changed on its way nothing worse comes than another letter.
    #[test]
    fn letters_come_back(seed: u64, is_ipv6: bool, padding in 0..600_usize, at: prop::sample::Index, bit in 0..8_u8) {
        let mut rng = Rng::fast_from(seed);
        let ip = if is_ipv6 { Ipv6Addr::from(rng.bytes::<16>()).into() } else { IpAddr::from(rng.bytes::<4>()) };
        let tag = *b"abcd";
        for packet in any_letters(SocketAddr::new(ip, rng.bits() as u16), &mut rng) {
            let wire = packet.encode(tag, padding);
            prop_assert_eq!(Packet::decode(&wire, tag), Ok(packet));
            prop_assert_eq!(Packet::decode(&wire, *b"abce"), Err(WireError::Group));
            let mut changed = wire.to_vec();
            changed[at.index(wire.len())] ^= 1 << bit;
            changed.truncate(wire.len() - at.index(2) * at.index(wire.len()));
            if let Ok(other) = Packet::decode(&changed, tag) {
                prop_assert_eq!(Packet::decode(&other.encode(tag, 0), tag), Ok(other));
            }
        }
    }

    #[test]
    fn junk_is_told(mut junk in prop::collection::vec(any::<u8>(), 0..1_300), has_head: bool) {
        if has_head && junk.len() > 6 {
            junk[..6].copy_from_slice(&[wire::KIND, b'a', b'b', b'c', b'd', wire::VERSION]);
        }
        match Packet::decode(&junk, *b"abcd") {
            Ok(packet) => prop_assert_eq!(Packet::decode(&packet.encode(*b"abcd", 0), *b"abcd"), Ok(packet)),
            Err(_) if junk.len() > LARGEST => {}
            Err(error) => prop_assert!(!has_head || junk.len() <= 6 || error == WireError::Malformed),
        }
    }
}
