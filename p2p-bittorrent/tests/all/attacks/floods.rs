//! Messages that cost their sender nothing: keep-alives, flapping, extended messages.

use super::scene::{Scene, dropped_for, ever, once};
use p2p_bittorrent::DropReason;
use p2p_bittorrent::peer::Message;
use p2p_core::Bytes;

fn flood(messages: &'static [Message]) -> Vec<DropReason> {
    dropped_for(ever(true, |mouth| {
        for _ in 0..150 {
            messages.iter().for_each(|message| mouth.say(message));
        }
    }))
}

#[test]
fn a_keep_alive_flood_ends() {
    assert_eq!(flood(&[Message::KeepAlive, Message::KeepAlive]), [DropReason::MessageFlood]);
}

#[test]
fn flapping_between_interested_and_not_ends() {
    assert_eq!(flood(&[Message::Interested, Message::NotInterested]), [DropReason::MessageFlood]);
}

#[test]
fn flapping_between_choke_and_unchoke_ends() {
    assert_eq!(flood(&[Message::Choke, Message::Unchoke]), [DropReason::MessageFlood]);
}

#[test]
fn ports_and_unknown_messages_without_end() {
    assert_eq!(flood(&[Message::Port(1), Message::Unknown { id: 77, len: 0 }]), [DropReason::MessageFlood]);
}

#[test]
fn extended_messages_of_extensions_that_nobody_offered_end() {
    let drops = dropped_for(ever(true, |mouth| {
        for id in 1..=250 {
            mouth.say(&Message::Extended { id, payload: Bytes::from_static(b"de") });
        }
    }));
    assert_eq!(drops, [DropReason::MessageFlood]);
}

#[test]
fn extension_handshakes_without_end() {
    let drops = dropped_for(ever(true, |mouth| {
        for _ in 0..300 {
            mouth.say(&Message::Extended { id: 0, payload: Bytes::from_static(b"d1:md6:ut_pexi1eee") });
        }
    }));
    assert_eq!(drops, [DropReason::MessageFlood]);
}

fn extension_handshake(payload: Vec<u8>) -> Vec<DropReason> {
    let payload = Bytes::from(payload);
    dropped_for(once(true, move |mouth| mouth.say(&Message::Extended { id: 0, payload: payload.clone() })))
}

#[test]
fn an_extension_handshake_that_is_no_bencode() {
    assert_eq!(extension_handshake(b"hello".to_vec()), [DropReason::BadExtensionHandshake]);
    assert_eq!(extension_handshake(vec![]), [DropReason::BadExtensionHandshake]);
    assert_eq!(extension_handshake(b"d1:v999999999999:x".to_vec()), [DropReason::BadExtensionHandshake]);
}

#[test]
fn an_extension_handshake_nested_without_end() {
    let mut deep = vec![b'l'; 200_000];
    deep.extend(vec![b'e'; 200_000]);
    assert_eq!(extension_handshake(deep), [DropReason::BadExtensionHandshake]);
    let mut deep = b"d1:m".to_vec();
    deep.extend(vec![b'l'; 100]);
    deep.extend(vec![b'e'; 101]);
    assert_eq!(extension_handshake(deep), [DropReason::BadExtensionHandshake]);
}

#[test]
fn an_extension_handshake_that_is_huge() {
    let mut huge = b"d1:v900000:".to_vec();
    huge.extend(vec![b'x'; 900_000]);
    huge.push(b'e');
    assert_eq!(extension_handshake(huge), [DropReason::BadExtensionHandshake]);
}

#[test]
fn a_hostile_name_and_limits_in_an_extension_handshake_are_cut() {
    let mut said = b"d4:reqqi0e1:v2000:".to_vec();
    said.extend(vec![0x1b; 2000]);
    said.push(b'e');
    let payload = Bytes::from(said);
    let mut scene = Scene::new(once(true, move |mouth| {
        mouth.say(&Message::Extended { id: 0, payload: payload.clone() });
    }));
    scene.play(1);
    assert_eq!(scene.drops(), []);
}
