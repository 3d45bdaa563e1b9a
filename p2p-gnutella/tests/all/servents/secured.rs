//! Links that go on with TLS.

use super::victim::Victim;
use bytes::{Bytes, BytesMut};
use p2p_core::{Effect, Input, OpId, OpInput, Security, StreamInput};
use p2p_gnutella::Guid;
use p2p_gnutella::handshake::{Event as Shaken, Handshake, Introduction, Role, Terms};
use p2p_gnutella::servent::{Bootstrap, Command, Config, Event, Mode, Timer};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const PEER: ([u8; 4], u16) = ([198, 51, 100, 9], 6_346);
const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));

fn stranger(tls: bool) -> Introduction {
    let mut us = Introduction::new(Role::Ultrapeer, Guid([9; 16]), "stranger/1");
    (us.accepts_deflate, us.sends_deflate, us.tls) = (false, false, tls);
    us
}

/// Dials a stranger who can go on with TLS or not; what is done once it has agreed, and how much of that is said.
fn dial(victim: &mut Victim, tls: bool) -> (p2p_core::ConnId, Vec<Security>, Vec<u8>) {
    let peer = SocketAddr::from(PEER);
    let join = Command::Join(Bootstrap { peers: vec![peer], ..Bootstrap::default() });
    let effects = victim.give_raw(Input::Op(OpId::from_raw(1), OpInput::Ask(join)));
    let dialled = effects.iter().find_map(|effect| match effect {
        Effect::Connect(conn, ..) => Some(*conn),
        _ => None,
    });
    let (conn, from) = (dialled.unwrap(), victim.sent.len());
    victim.give(Input::Stream(conn, StreamInput::Open { peer, listener: None }));
    let mut handshake = Handshake::accept();
    assert!(matches!(handshake.push(victim.heard_raw(conn, from).into()), Ok(Some(Shaken::Asked))));
    let mut out = BytesMut::new();
    handshake.agree(&stranger(tls), OURS, Terms::default(), &mut out);
    let (mut secured, mut said) = (Vec::new(), Vec::new());
    for effect in victim.give_raw(Input::Stream(conn, StreamInput::Data(out.freeze()))) {
        match effect {
            Effect::Secure(of, how, _) if of == conn => secured.push(how),
            Effect::Send(of, bytes) if of == conn => said.extend_from_slice(&bytes),
            Effect::Event(_, event) => victim.told.push(event),
            _ => {}
        }
    }
    (conn, secured, said)
}

fn linked(victim: &Victim) -> Option<bool> {
    victim.told.iter().find_map(|event| match event {
        Event::Linked(neighbour) => Some(neighbour.secured),
        _ => None,
    })
}

#[test]
fn who_is_dialled_and_can_is_spoken_to_in_tls() {
    let mut config = Config::new(Mode::Leaf);
    config.tls = true;
    let mut victim = Victim::new(config.clone());
    let (conn, secured, said) = dial(&mut victim, true);
    assert_eq!(secured, [Security::Client("198.51.100.9".into())]);
    let text = String::from_utf8(said).unwrap();
    assert!(text.ends_with("Connection: Upgrade\r\n\r\n"), "the third leg and nothing more: {text}");
    assert_eq!(linked(&victim), None);
    let from = victim.sent.len();
    victim.give(Input::Stream(conn, StreamInput::Secured(Ok(()))));
    assert_eq!(linked(&victim), Some(true));
    assert!(!victim.heard_raw(conn, from).is_empty(), "now it says what it says first");
    // Who cannot is linked to in the clear; so is everybody by who does not want it.
    for (wants, can) in [(true, false), (false, true)] {
        config.tls = wants;
        let mut victim = Victim::new(config.clone());
        let (_, secured, _) = dial(&mut victim, can);
        assert_eq!((secured.len(), linked(&victim)), (0, Some(false)));
    }
}

#[test]
fn what_cannot_be_secured_is_no_link() {
    let mut config = Config::new(Mode::Leaf);
    config.tls = true;
    let mut victim = Victim::new(config);
    let (conn, ..) = dial(&mut victim, true);
    victim.data(conn, Bytes::from_static(b"in the clear"));
    victim.give(Input::Stream(conn, StreamInput::Secured(Err(p2p_core::IoError::Insecure))));
    victim.give(Input::Stream(conn, StreamInput::Closed(Err(p2p_core::IoError::Insecure))));
    assert_eq!(linked(&victim), None);
    assert!(victim.told.iter().any(|event| matches!(event, Event::Refused(_, 0, _))));
    assert_eq!((victim.servent().load().visitors, victim.servent().load().links), (0, 0));
}

/// A stranger dials and asks for TLS, with a third leg that says this, and `behind` it in the same read; what is done then.
fn dialled(victim: &mut Victim, third: &[u8], behind: &[u8]) -> (p2p_core::ConnId, Vec<(Security, Bytes)>) {
    let conn = victim.open(SocketAddr::from(PEER));
    let mut out = BytesMut::new();
    let mut handshake = Handshake::dial(&stranger(true), OURS, &mut out);
    let from = victim.sent.len();
    victim.data(conn, out.split().freeze());
    let answer = victim.heard_raw(conn, from);
    assert!(String::from_utf8_lossy(&answer).contains("Connection: Upgrade\r\n"), "it would");
    assert!(matches!(handshake.push(answer.into()), Ok(Some(Shaken::Answered))));
    let mut secured = Vec::new();
    for effect in victim.give_raw(Input::Stream(conn, StreamInput::Data([third, behind].concat().into()))) {
        match effect {
            Effect::Secure(of, how, unread) if of == conn => secured.push((how, unread)),
            Effect::Event(_, event) => victim.told.push(event),
            Effect::Send(of, _) => assert_ne!(of, conn, "nothing is said before it is secured"),
            _ => {}
        }
    }
    (conn, secured)
}

const THIRD: &[u8] = b"GNUTELLA/0.6 200 OK\r\nConnection: Upgrade\r\n\r\n";

fn able() -> Victim {
    let mut config = Config::new(Mode::Ultrapeer);
    config.tls = true;
    Victim::new(config)
}

#[test]
fn who_dials_and_can_is_taken_with_the_hello_that_came_behind() {
    for hello in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00 and what belongs to it"] {
        let mut victim = able();
        let (conn, secured) = dialled(&mut victim, THIRD, hello);
        assert_eq!(secured, [(Security::Server, Bytes::copy_from_slice(hello))]);
        assert_eq!(linked(&victim), None);
        let from = victim.sent.len();
        victim.give(Input::Stream(conn, StreamInput::Secured(Ok(()))));
        assert_eq!(linked(&victim), Some(true));
        assert!(!victim.heard_raw(conn, from).is_empty(), "now it says what it says first");
    }
}

#[test]
fn who_does_not_confirm_is_linked_to_in_the_clear() {
    let mut victim = able();
    // What it said in its first leg is no word of its third.
    let conn = victim.open(SocketAddr::from(PEER));
    let mut out = BytesMut::new();
    let _ = Handshake::dial(&stranger(true), OURS, &mut out);
    let first = String::from_utf8(out.to_vec())
        .unwrap()
        .replace("Upgrade: TLS", "Connection: Upgrade\r\nUpgrade: TLS");
    victim.data(conn, first);
    victim.data(conn, &b"GNUTELLA/0.6 200 OK\r\n\r\n"[..]);
    assert_eq!(linked(&victim), Some(false));
}

#[test]
fn who_dials_and_cannot_be_secured_is_no_link() {
    let mut victim = able();
    let (conn, _) = dialled(&mut victim, THIRD, b"garbage");
    victim.give(Input::Stream(conn, StreamInput::Secured(Err(p2p_core::IoError::Insecure))));
    victim.give(Input::Stream(conn, StreamInput::Closed(Err(p2p_core::IoError::Insecure))));
    assert_eq!(linked(&victim), None);
    assert_eq!((victim.servent().load().visitors, victim.servent().load().links), (0, 0));
    // One that never gets on with it has as long as everybody.
    let (conn, _) = dialled(&mut victim, THIRD, b"\x16");
    victim.give(Input::Timer(Timer::Door(conn)));
    assert!(victim.is_closed(conn));
    assert_eq!(victim.servent().load().visitors, 0);
}

#[test]
fn a_stream_may_begin_with_a_hello() {
    let hello = &b"\x16\x03\x01\x02\x00 and what belongs to it"[..];
    let mut victim = able();
    let conn = victim.open(SocketAddr::from(PEER));
    let mut secured = Vec::new();
    for effect in victim.give_raw(Input::Stream(conn, StreamInput::Data(Bytes::from_static(hello)))) {
        if let Effect::Secure(of, how, unread) = effect {
            secured.push((of, how, unread));
        }
    }
    assert_eq!(secured, [(conn, Security::Server, Bytes::from_static(hello))]);
    victim.give(Input::Stream(conn, StreamInput::Secured(Ok(()))));
    // Inside, nothing is upgraded once more, and a hello is none.
    let mut out = BytesMut::new();
    let _ = Handshake::dial(&stranger(true), OURS, &mut out);
    let from = victim.sent.len();
    victim.data(conn, out.freeze());
    let answer = String::from_utf8(victim.heard_raw(conn, from)).unwrap();
    assert!(answer.starts_with("GNUTELLA/0.6 200") && !answer.contains("Upgrade:"), "{answer}");
    victim.data(conn, &b"GNUTELLA/0.6 200 OK\r\n\r\n"[..]);
    assert_eq!(linked(&victim), Some(true));
    let conn = victim.open(SocketAddr::from(PEER));
    victim.data(conn, hello);
    victim.give(Input::Stream(conn, StreamInput::Secured(Ok(()))));
    victim.data(conn, hello);
    assert!(victim.is_closed(conn));
    // Who speaks no TLS takes none.
    let mut plain = Victim::new(Config::new(Mode::Ultrapeer));
    let conn = plain.open(SocketAddr::from(PEER));
    plain.data(conn, hello);
    assert!(plain.is_closed(conn));
}

#[test]
fn who_was_dialled_and_could_not_be_secured_is_asked_for_no_tls_the_next_time() {
    let mut config = Config::new(Mode::Leaf);
    config.tls = true;
    let mut victim = Victim::new(config);
    let (conn, ..) = dial(&mut victim, true);
    victim.give(Input::Stream(conn, StreamInput::Secured(Err(p2p_core::IoError::Insecure))));
    victim.give(Input::Stream(conn, StreamInput::Closed(Err(p2p_core::IoError::Insecure))));
    victim.wait(31);
    let peer = SocketAddr::from(PEER);
    let again = victim.give_raw(Input::Timer(Timer::Tend));
    let conn = again.iter().find_map(|effect| match effect {
        Effect::Connect(conn, to, _) if *to == peer.into() => Some(*conn),
        _ => None,
    });
    let (conn, from) = (conn.unwrap(), victim.sent.len());
    victim.give(Input::Stream(conn, StreamInput::Open { peer, listener: None }));
    let first = String::from_utf8(victim.heard_raw(conn, from)).unwrap();
    assert!(first.starts_with("GNUTELLA CONNECT/0.6") && !first.contains("Upgrade:"), "{first}");
}
