//! What a peer says it has: bitfields out of shape or place, HAVE floods, messages of the fast extension without it.

use super::attacker::{Heard, hello};
use super::scene::{PIECES, Scene, config, dropped_for, ever, hash, once};
use p2p_bittorrent::DropReason;
use p2p_bittorrent::peer::{Block, Message, WireError};
use p2p_core::{Bitfield, Bytes, Duration};

fn says(fast: bool, messages: Vec<Message>) -> Vec<DropReason> {
    dropped_for(once(fast, move |mouth| messages.iter().for_each(|message| mouth.say(message))))
}

fn bitfield(bytes: &'static [u8]) -> Message {
    Message::Bitfield(Bytes::from_static(bytes))
}

#[test]
fn a_bitfield_of_the_wrong_size() {
    assert_eq!(says(false, vec![bitfield(&[255, 255])]), [DropReason::WrongBitfield]);
    assert_eq!(says(false, vec![bitfield(&[])]), [DropReason::WrongBitfield]);
    let longer = says(false, vec![bitfield(&[255, 255, 240, 0])]);
    assert!(
        matches!(longer[..], [DropReason::Malformed(WireError::TooLong { id: 5, limit: 3, .. })]),
        "{longer:?}"
    );
}

#[test]
fn a_bitfield_with_spare_bits() {
    // 20 pieces leave four bits.
    assert_eq!(says(false, vec![bitfield(&[255, 255, 248])]), [DropReason::WrongBitfield]);
    assert_eq!(says(false, vec![bitfield(&[0, 0, 1])]), [DropReason::WrongBitfield]);
}

#[test]
fn a_late_bitfield_adds_and_a_repeated_one_is_borne_for_a_while() {
    // aria2 sends one in place of many HAVEs.
    let late = says(false, vec![Message::Have(3), bitfield(&[255, 0, 0]), bitfield(&[255, 255, 0])]);
    assert_eq!(late, []);
    let again = vec![bitfield(&[255, 0, 0]); 20];
    assert_eq!(says(false, again), [DropReason::MessageFlood]);
}

#[test]
fn have_all_and_have_none_only_as_the_first_word() {
    assert_eq!(says(true, vec![Message::HaveNone, Message::HaveAll]), [DropReason::LateBitfield]);
    assert_eq!(says(true, vec![Message::Have(0), Message::HaveNone]), [DropReason::LateBitfield]);
    assert_eq!(says(true, vec![Message::HaveAll, Message::HaveAll]), [DropReason::LateBitfield]);
}

#[test]
fn a_have_out_of_range() {
    assert_eq!(says(true, vec![Message::Have(PIECES)]), [DropReason::PieceOutOfRange]);
    assert_eq!(says(true, vec![Message::Have(u32::MAX)]), [DropReason::PieceOutOfRange]);
}

#[test]
fn a_have_flood_ends() {
    let drops = dropped_for(ever(true, |mouth| {
        for n in 0..300 {
            mouth.say(&Message::Have(n % 4));
        }
    }));
    assert_eq!(drops, [DropReason::MessageFlood]);
}

#[test]
fn pieces_that_nobody_has_do_not_hold_up_the_honest() {
    // It says that it has everything, one by one, and never lets anybody ask.
    let mut scene =
        Scene::new(once(true, |mouth| (0..PIECES).for_each(|piece| mouth.say(&Message::Have(piece)))));
    scene.play(4);
    scene.honest_are_not_blamed();
}

#[test]
fn messages_of_the_fast_extension_without_it() {
    let block = Block { piece: 0, begin: 0, len: 16384 };
    for message in [
        Message::HaveAll,
        Message::HaveNone,
        Message::Suggest(1),
        Message::AllowedFast(1),
        Message::Reject(block),
    ] {
        assert_eq!(says(false, vec![message]), [DropReason::NotFast]);
    }
}

#[test]
fn allowed_fast_and_suggest_out_of_range() {
    assert_eq!(says(true, vec![Message::AllowedFast(PIECES)]), [DropReason::PieceOutOfRange]);
    assert_eq!(says(true, vec![Message::Suggest(PIECES)]), [DropReason::PieceOutOfRange]);
}

#[test]
fn floods_of_allowed_fast_suggest_and_reject_end() {
    let block = Block { piece: 0, begin: 0, len: 16384 };
    for message in [Message::AllowedFast(1), Message::Suggest(2), Message::Reject(block)] {
        let drops = dropped_for(ever(true, move |mouth| (0..300).for_each(|_| mouth.say(&message))));
        assert_eq!(drops, [DropReason::MessageFlood]);
    }
}

#[test]
fn who_waits_to_be_unchoked_is_told_of_every_piece_once() {
    const STREAMS: usize = 8;
    let said = std::sync::Arc::new(std::sync::Mutex::new(vec![Vec::new(); STREAMS]));
    let (hash, ears) = (hash(), said.clone());
    let mut config = config();
    config.upload_slots = Some(1);
    config.limits.peers_per_address = STREAMS;
    let mut scene = Scene::with(config, move |heard, mouth| match heard {
        Heard::Open => mouth.raw(hello(hash, mouth.stream as u8, false)),
        Heard::Hello => mouth.say(&Message::Interested),
        Heard::Said(Message::Have(piece)) => ears.lock().unwrap()[mouth.stream].push(piece),
        Heard::Said(Message::Bitfield(bits)) => {
            let bits = Bitfield::from_wire(PIECES, &bits).unwrap();
            ears.lock().unwrap()[mouth.stream].extend(bits.ones());
        }
        Heard::Said(_) | Heard::Tick => {}
    });
    scene.begin(&[]);
    scene.sim.run_for(Duration::from_secs(1));
    scene.strike(STREAMS);
    let download = scene.ops[0];
    assert!(scene.watch(Duration::from_secs(60), move |sim| sim.outcome(download).is_some()));
    scene.sim.run_for(Duration::from_secs(1));
    assert_eq!(scene.drops(), []);
    for told in said.lock().unwrap().iter_mut() {
        told.sort_unstable();
        assert_eq!(*told, (0..PIECES).collect::<Vec<_>>());
    }
}
