//! Before anybody is a peer: slow and silent streams, too many of them, handshakes that lie.

use super::attacker::{Heard, Mouth, hello};
use super::scene::{PIECES, Scene, config, dropped_for, hash, once};
use p2p_bittorrent::peer::Message;
use p2p_bittorrent::{Command, DropReason, Event, InfoHash, Torrent};
use p2p_core::{Bitfield, Bytes, Duration};

fn silent(_: Heard, _: &mut Mouth) {}

#[test]
fn a_handshake_of_another_protocol() {
    for first in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x13BitTorrent protoco1", b"\x16\x03\x01\x02\x00"] {
        let drops = dropped_for(move |heard, mouth: &mut Mouth| {
            if matches!(heard, Heard::Open) {
                mouth.raw(first);
            }
        });
        assert_eq!(drops, [DropReason::NotBitTorrent]);
    }
}

#[test]
fn a_slow_loris_in_the_handshake() {
    // A byte a second: it would take 68 seconds.
    let greeting = hello(hash(), 1, true);
    let mut scene = Scene::new(move |heard, mouth: &mut Mouth| {
        if matches!(heard, Heard::Tick) && mouth.step.is_multiple_of(10) && mouth.step > 0 {
            let at = mouth.step as usize / 10 - 1;
            mouth.raw(greeting.slice(at.min(67)..(at + 1).min(68)));
        }
    });
    scene.play(1);
    scene.watch(Duration::from_secs(10), |_| false);
    assert_eq!(scene.drops(), [DropReason::NoHandshake]);
}

#[test]
fn a_slow_loris_in_a_message_holds_nobody_up_and_is_dropped_when_it_rests() {
    let hash = hash();
    let mut scene = Scene::new(move |heard, mouth: &mut Mouth| match heard {
        Heard::Open => mouth.raw(hello(hash, 1, true)),
        // 200 kB are promised, and come one a second for a while.
        Heard::Hello => mouth.raw(vec![0, 3, 13, 64, 20, 1]),
        Heard::Tick if mouth.step.is_multiple_of(10) && mouth.step < 1_000 => mouth.raw(vec![0]),
        _ => {}
    });
    scene.play(1);
    assert_eq!(scene.drops(), []);
    scene.watch(Duration::from_secs(400), |_| false);
    assert_eq!(scene.drops(), [DropReason::Silent]);
}

#[test]
fn streams_of_one_address_that_say_nothing() {
    let mut scene = Scene::new(silent);
    scene.play(500);
    scene.watch(Duration::from_secs(10), |_| false);
    scene.honest_are_not_blamed();
    let drops = scene.drops();
    let many = drops.iter().filter(|why| **why == DropReason::TooManyOfAddress).count();
    let late = drops.iter().filter(|why| **why == DropReason::NoHandshake).count();
    assert_eq!((many, late), (500 - scene.limits.greeting_per_address, scene.limits.greeting_per_address));
    assert_eq!(scene.peak.greeting, scene.limits.greeting_per_address);
}

#[test]
fn half_open_streams_of_many_addresses_make_room_for_who_greets() {
    // One address stands for many: the limit per address is out of the way.
    let mut config = config();
    config.limits.greeting_per_address = usize::MAX;
    let mut scene = Scene::with(config, silent);
    scene.begin(&[]);
    // A wave of them before any honest peer greets, and one after the other from then on.
    for _ in 0..50 {
        scene.strike(40);
        scene.watch(Duration::from_millis(100), |_| false);
    }
    scene.finish();
    scene.honest_are_not_blamed();
    assert_eq!(scene.peak.greeting, scene.limits.unknown_streams);
    let made_room = scene.drops().iter().filter(|why| **why == DropReason::TooManyGreeting).count();
    assert!(made_room >= 50 * 40 - 2 * scene.limits.unknown_streams, "{made_room}");
}

#[test]
fn many_peers_of_one_address() {
    let mut scene = Scene::new(once(true, |mouth| mouth.say(&Message::HaveNone)));
    scene.play(6);
    let drops = scene.drops();
    assert_eq!(drops, vec![DropReason::TooManyOfAddress; 6 - scene.limits.peers_per_address]);
}

#[test]
fn peers_that_only_take_a_place_make_room() {
    let mut config = config();
    config.limits.peers_per_torrent = 5;
    config.limits.peers_per_address = usize::MAX;
    let mut scene = Scene::with(config, once(true, |mouth| mouth.say(&Message::HaveNone)));
    let seed = scene.at(scene.seed);
    let torrent = Torrent::new(scene.metainfo.clone()).with_peers([seed]);
    let victim = scene.ask(scene.victim, Command::Download(Box::new(torrent)));
    assert!(scene.sim.finish(&[victim], Duration::from_secs(60)));
    scene.strike(7);
    scene.sim.run_for(Duration::from_secs(70));
    assert_eq!(scene.drops(), [DropReason::NoRoom; 2]);
    // The honest leech comes when all places are taken.
    let at = scene.at(scene.victim);
    let torrent = Torrent::new(scene.metainfo.clone()).with_peers([at]);
    let other = scene.ask(scene.other, Command::Download(Box::new(torrent)));
    scene.ops = vec![victim, other];
    scene.finish();
    assert_eq!(scene.drops(), [DropReason::NoRoom, DropReason::NoRoom, DropReason::MadeRoom]);
}

/// A seed with eight places, all of them had by peers that want everything, five of them unchoked; later ones say this of what they have.
fn a_full_seed(latecomer: impl Fn(usize, &mut Mouth) + Send + 'static) -> Scene {
    let mut config = config();
    config.limits.peers_per_torrent = 8;
    config.limits.peers_per_address = usize::MAX;
    config.limits.greeting_per_address = usize::MAX;
    let says = move |mouth: &mut Mouth| match mouth.stream {
        0..8 => {
            mouth.say(&Message::HaveNone);
            mouth.say(&Message::Interested);
        }
        later => latecomer(later - 8, mouth),
    };
    let mut scene = Scene::with(config, once(true, says));
    let seed = scene.at(scene.seed);
    let torrent = Torrent::new(scene.metainfo.clone()).with_peers([seed]);
    let victim = scene.ask(scene.victim, Command::Download(Box::new(torrent)));
    assert!(scene.sim.finish(&[victim], Duration::from_secs(60)));
    scene.strike(8);
    scene.watch(Duration::from_secs(5), |_| false);
    assert_eq!((scene.drops(), scene.client(scene.victim).load().peers), (vec![], 8));
    scene
}

/// So many of the first pieces.
fn has(pieces: u32) -> Message {
    let mut bits = Bitfield::new(PIECES);
    for piece in 0..pieces {
        bits.set(piece);
    }
    Message::Bitfield(Bytes::copy_from_slice(bits.as_bytes()))
}

#[test]
fn a_full_seed_lets_in_who_is_nearly_done() {
    // 17 of 20 is not within an eighth of all, 18 is.
    let mut scene = a_full_seed(|at, mouth| {
        mouth.say(&has([17, 18, 1][at]));
        mouth.say(&Message::Interested);
    });
    for dropped in [DropReason::NoRoom, DropReason::MadeRoom, DropReason::NoRoom] {
        scene.strike(1);
        scene.watch(Duration::from_secs(2), |_| false);
        assert_eq!(scene.drops().last(), Some(&dropped));
    }
    assert_eq!((scene.drops().len(), scene.client(scene.victim).load().peers), (3, 8));
    assert_eq!(scene.peak.peers, 9);
}

#[test]
fn guests_of_a_full_seed_are_few_and_do_not_stay() {
    // They greet, and say nothing of what they have.
    let mut scene = a_full_seed(|_, _| {});
    scene.strike(100);
    scene.watch(Duration::from_secs(2), |_| false);
    let guests = scene.limits.guests;
    assert_eq!(scene.drops().len(), 100 - guests);
    scene.watch(Duration::from_secs(20), |_| false);
    assert_eq!(scene.drops(), [DropReason::NoRoom; 100]);
    assert_eq!((scene.client(scene.victim).load().peers, scene.peak.peers), (8, 8 + guests));
}

#[test]
fn the_same_peer_twice() {
    let hash = hash();
    let mut scene = Scene::new(move |heard, mouth: &mut Mouth| {
        if matches!(heard, Heard::Open) {
            mouth.raw(hello(hash, 9, true));
        }
    });
    scene.play(3);
    assert_eq!(scene.drops(), [DropReason::Twin, DropReason::Twin]);
}

#[test]
fn a_handshake_for_a_torrent_that_is_not_here() {
    let drops = dropped_for(|heard, mouth: &mut Mouth| {
        if matches!(heard, Heard::Open) {
            mouth.raw(hello(InfoHash([7; 20]), 1, true));
        }
    });
    assert_eq!(drops, [DropReason::UnknownTorrent]);
}

#[test]
fn a_peer_that_was_dialled_answers_for_another_torrent() {
    let mut scene = Scene::new(|heard, mouth: &mut Mouth| {
        if matches!(heard, Heard::Hello) {
            mouth.raw(hello(InfoHash([7; 20]), 1, true));
        }
    });
    let attacker = scene.attacker;
    scene.begin(&[attacker]);
    scene.finish();
    assert_eq!(scene.drops()[..1], [DropReason::UnknownTorrent]);
}

#[test]
fn a_peer_that_answers_with_our_own_id() {
    // What the victim says first is said back to it.
    let mut scene = Scene::new(|_: Heard, _: &mut Mouth| {});
    let victim = scene.at(scene.victim);
    scene.begin(&[]);
    let hash = scene.metainfo.info.info_hash();
    scene.ask(scene.victim, Command::AddPeers(hash, vec![victim]));
    scene.finish();
    let ourselves = scene
        .events()
        .filter(|event| matches!(event, Event::Dropped { why: DropReason::Ourselves, .. }))
        .count();
    assert_eq!(ourselves, 2, "both ends of one dial, and no other");
}

#[test]
fn a_peer_that_falls_silent_is_dropped() {
    let mut scene = Scene::new(once(true, |mouth| mouth.raw(Bytes::new())));
    scene.play(1);
    scene.watch(Duration::from_secs(200), |_| false);
    assert_eq!(scene.drops(), [DropReason::Silent]);
}
