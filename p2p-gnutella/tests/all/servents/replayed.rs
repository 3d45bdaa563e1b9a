//! Recorded sessions of gtk-gnutella, played to the machine in place of who they were with: it links in the roles that were
//! recorded, says what gtk-gnutella said first, in the same order, and takes all that follows.

use super::victim::Victim;
use crate::capture::{Conversation, From, record};
use bytes::Bytes;
use p2p_core::{ConnId, Effect, Input, OpId, OpInput, StreamInput};
use p2p_gnutella::deflate::{Inflater, LINK};
use p2p_gnutella::handshake::{Event as Shaken, Handshake, Introduction, Role, Terms};
use p2p_gnutella::servent::{Bootstrap, Command, Config, Event, Mode, Parting};
use p2p_gnutella::wire::{Decoder, Kind, Message, Route, SizeLimits};
use p2p_gnutella::{Guid, wire};
use std::net::SocketAddr;

/// What a side said behind the handshake, and whether it is compressed.
type Said = (Vec<u8>, bool);

/// What was said on a link first, by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum First {
    Supported,
    Features,
    Reset,
    Patch,
    Ping,
    Other(Kind),
}

fn firsts(stream: &[u8], inflate: bool) -> Vec<First> {
    let mut plain = Vec::new();
    if inflate {
        let (mut inflater, mut input) = (Inflater::new(LINK), Bytes::copy_from_slice(stream));
        while let Ok(some) = inflater.read(&mut input) {
            if some.is_empty() {
                break;
            }
            plain.extend_from_slice(&some);
        }
    } else {
        plain = stream.to_vec();
    }
    let mut decoder = Decoder::new(SizeLimits::default());
    decoder.push(plain.into());
    let mut firsts: Vec<First> = Vec::new();
    while let Ok(Some(frame)) = decoder.next() {
        let Ok(message) = Message::parse(frame.header.kind, &frame.payload) else { continue };
        firsts.push(match message {
            Message::Vendor(vendor)
                if vendor.of == wire::vendor::MessageType::new(wire::VendorCode::NONE, 0, 0) =>
            {
                First::Supported
            }
            Message::Vendor(vendor) if vendor.of.selector == 10 => First::Features,
            Message::Route(Route::Reset { .. }) => First::Reset,
            Message::Route(_) => First::Patch,
            Message::Ping(_) => First::Ping,
            other => First::Other(other.kind()),
        });
    }
    // Parts of one patch are one.
    firsts.dedup();
    firsts
}

/// What of a link's beginning is compared: which of the five come, each at its first place.
fn compared(mut firsts: Vec<First>) -> Vec<First> {
    let mut seen = Vec::new();
    firsts.retain(|first| {
        let is_new = !matches!(first, First::Other(_)) && !seen.contains(first);
        seen.push(*first);
        is_new
    });
    firsts
}

/// The streams of a recorded link behind its handshake: of who dialled, of who was dialled; `None` if it became none.
fn recorded(conversation: &Conversation) -> Option<(Role, [Said; 2])> {
    let ip = (*conversation.client.ip()).into();
    let mut nothing = bytes::BytesMut::new();
    let us = Introduction::new(Role::Ultrapeer, Guid::ZERO, "p2p/0.1");
    let mut side = |from: From| {
        let mut handshake = match from {
            From::Client => Handshake::accept(),
            From::Server => Handshake::dial(&us, ip, &mut nothing),
        };
        let mut event = handshake.push(conversation.sent_by(from).into()).ok()??;
        loop {
            event = match event {
                Shaken::Asked => {
                    handshake.agree(&us, ip, Terms::default(), &mut nothing);
                    handshake.push(Bytes::new()).ok()??
                }
                Shaken::Answered => {
                    let link = handshake.agree(&us, ip, Terms::default(), &mut nothing)?;
                    return Some((link.peer_role, link.rest.to_vec(), link.inflate));
                }
                Shaken::Linked(link) => return Some((link.peer_role, link.rest.to_vec(), link.inflate)),
                Shaken::Refused(..) => return None,
            };
        }
    };
    let (role, of_client, client_packs) = side(From::Client)?;
    let (_, of_server, server_packs) = side(From::Server)?;
    Some((role, [(of_client, client_packs), (of_server, server_packs)]))
}

/// What a machine said on a stream, behind its handshake.
fn said(victim: &Victim, conn: ConnId) -> Said {
    let all = victim.heard_raw(conn, 0);
    let text = String::from_utf8_lossy(&all);
    // Who dialled wrote two legs, who was dialled one.
    let legs = if text.starts_with("GNUTELLA CONNECT") { 2 } else { 1 };
    let mut at = 0;
    for _ in 0..legs {
        at += all[at..].windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    }
    let head = String::from_utf8_lossy(&all[..at]).to_ascii_lowercase();
    (all[at..].to_vec(), head.contains("content-encoding: deflate"))
}

/// Probes send what makes no sense: a patch of a table that was not begun, a query of 70 kB.
const SENSELESS: [u8; 2] = [21, 26];
/// Who has a higher number is a probe, and says what it is made to say.
const PROBES: u8 = 21;

fn check(victim: &Victim, conn: ConnId, conversation: &Conversation, theirs: Option<&Said>) {
    let number = conversation.client.ip().octets()[3];
    let what = format!("{} to {}: {:?}", conversation.client, conversation.server, victim.servent().counts());
    assert!(victim.told.iter().any(|event| matches!(event, Event::Linked(_))), "{what}");
    let ended = victim.parted().into_iter().any(|why| !matches!(why, Parting::Bye(_) | Parting::Closed));
    let plays_server = !victim.heard_raw(conn, 0).starts_with(b"GNUTELLA CONNECT");
    assert_eq!(ended, plays_server && SENSELESS.contains(&number), "{what}");
    let (ours, packs) = said(victim, conn);
    let mut ours = compared(firsts(&ours, packs));
    let Some(theirs) = theirs else { return };
    let theirs = compared(firsts(&theirs.0, theirs.1));
    // Sessions of probes ended before gtk-gnutella pinged.
    if number >= PROBES && !theirs.contains(&First::Ping) {
        ours.retain(|first| *first != First::Ping);
    }
    assert_eq!(ours, theirs, "{what}");
}

#[test]
fn as_the_one_that_was_dialled() {
    for name in ["gtkg-plain", "gtkg-deflate"] {
        for conversation in record(name).conversations.iter().filter(|conversation| conversation.is_link()) {
            let Some((_, [_, of_server])) = recorded(conversation) else { continue };
            let mut config = Config::new(Mode::Ultrapeer);
            config.flush_after = p2p_core::Duration::ZERO;
            let mut victim = Victim::new(config);
            let conn = victim.open(SocketAddr::V4(conversation.client));
            for piece in conversation.pieces.iter().filter(|piece| piece.from == From::Client) {
                let Some(bytes) = &piece.bytes else { break };
                if victim.is_closed(conn) {
                    break;
                }
                victim.data(conn, bytes.clone());
            }
            check(&victim, conn, conversation, Some(&of_server));
        }
    }
}

#[test]
fn as_the_one_that_dialled() {
    for name in ["gtkg-plain", "gtkg-deflate"] {
        for conversation in record(name).conversations.iter().filter(|conversation| conversation.is_link()) {
            let Some((role, [of_client, _])) = recorded(conversation) else { continue };
            let mut config = Config::new(if role == Role::Leaf { Mode::Leaf } else { Mode::Ultrapeer });
            config.flush_after = p2p_core::Duration::ZERO;
            let mut victim = Victim::new(config);
            let peers = vec![SocketAddr::V4(conversation.server)];
            let join = Command::Join(Bootstrap { peers, ..Bootstrap::default() });
            let effects = victim.give_raw(Input::Op(OpId::from_raw(1), OpInput::Ask(join)));
            let dialled = effects.iter().find_map(|effect| match effect {
                Effect::Connect(conn, ..) => Some(*conn),
                _ => None,
            });
            let conn = dialled.unwrap();
            let peer = SocketAddr::V4(conversation.server);
            victim.give(Input::Stream(conn, StreamInput::Open { peer, listener: None }));
            for piece in conversation.pieces.iter().filter(|piece| piece.from == From::Server) {
                let Some(bytes) = &piece.bytes else { break };
                if victim.is_closed(conn) {
                    break;
                }
                victim.data(conn, bytes.clone());
            }
            let is_probe = conversation.client.ip().octets()[3] >= PROBES;
            check(&victim, conn, conversation, (!is_probe).then_some(&of_client));
        }
    }
}
