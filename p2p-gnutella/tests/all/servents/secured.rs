//! Links that go on with TLS.

use super::victim::Victim;
use bytes::{Bytes, BytesMut};
use p2p_core::{Effect, Input, OpId, OpInput, Security, StreamInput};
use p2p_gnutella::Guid;
use p2p_gnutella::handshake::{Event as Shaken, Handshake, Introduction, Role, Terms};
use p2p_gnutella::servent::{Bootstrap, Command, Config, Event, Mode};
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
            Effect::Secure(of, how) if of == conn => secured.push(how),
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
