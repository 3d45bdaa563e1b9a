//! The beginning of a link in any order of legs, a zlib stream, and the messages about a routing table.
#![no_main]

use bytes::{Bytes, BytesMut};
use core::net::{IpAddr, Ipv4Addr};
use libfuzzer_sys::fuzz_target;
use p2p_fuzz::Script;
use p2p_gnutella::Guid;
use p2p_gnutella::deflate::{Inflater, LINK};
use p2p_gnutella::handshake::{
    Event, Handshake, Introduction, Policy, Role, Situation, Terms, Verdict, greeting,
};
use p2p_gnutella::qrp::{Cut, Receiver, Table, Wanted, canonical, finds, update};
use p2p_gnutella::wire::{Kind, Message};

const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn handshake(bytes: &[u8], piece: usize, dial: bool) {
    let mut out = BytesMut::new();
    let mut us = Introduction::new(Role::Ultrapeer, Guid([1; 16]), "fuzz");
    us.tls = true;
    let mut handshake = if dial { Handshake::dial(&us, THERE, &mut out) } else { Handshake::accept() };
    let situation = Situation { leaf_place: true, ultrapeer_place: true, linked: false };
    for part in bytes.chunks(piece) {
        let mut part = Bytes::copy_from_slice(part);
        loop {
            match handshake.push(core::mem::take(&mut part)) {
                Ok(Some(Event::Asked | Event::Answered)) => {
                    let verdict = Policy::default().judge(&us, handshake.peer(), situation, dial);
                    match verdict {
                        Verdict::Refuse(refusal) => return handshake.refuse(&us, THERE, &refusal, &mut out),
                        Verdict::Crawl => return handshake.tell_crawler(&us, &[], &[], &mut out),
                        _ => {}
                    }
                    if handshake.agree(&us, THERE, Terms::default(), &mut out).is_some() {
                        return;
                    }
                }
                Ok(None) => break,
                _ => return,
            }
        }
    }
}

fn inflate(bytes: &[u8], piece: usize) {
    let (mut inflater, mut written, mut read) = (Inflater::new(LINK), 0, 0);
    for part in bytes.chunks(piece) {
        let mut input = Bytes::copy_from_slice(part);
        read += part.len();
        loop {
            match inflater.read(&mut input) {
                Ok(some) if some.is_empty() => break,
                Ok(some) => written += some.len(),
                Err(_) => return,
            }
            assert!(written <= read * LINK.ratio as usize + LINK.slack as usize);
        }
    }
}

/// Messages, each behind its length.
fn routes(mut bytes: &[u8]) {
    let mut receiver = Receiver::new(14);
    while let Some((len, rest)) = bytes.split_first() {
        let (message, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        bytes = rest;
        let Ok(Message::Route(route)) = Message::parse(Kind::ROUTE, &Bytes::copy_from_slice(message)) else {
            continue;
        };
        if receiver.take(&route).is_err() {
            return;
        }
        assert!(receiver.table().is_none_or(|table| table.bits() <= 14));
    }
}

/// No name is missing in its table, nor in a neighbour's copy.
fn names(bytes: &[u8], entry_bits: u8) {
    let text = String::from_utf8_lossy(bytes);
    let Some((name, query)) = text.split_once('\n') else { return };
    let mut table = Table::new(10);
    table.insert_name(name, Cut(2));
    let mut receiver = Receiver::new(10);
    for message in update(None, &table, entry_bits) {
        receiver.take(&message).expect("our own");
    }
    let copy = receiver.table().expect("whole");
    assert_eq!(copy, &table);
    if finds(&canonical(name), &canonical(query), Cut(2)) {
        assert!(copy.may_match(&Wanted::of_text(query)), "{query:?} of {name:?}");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let (kind, piece) = (script.byte(), 1 + usize::from(script.byte()));
    let rest = script.rest();
    let _ = greeting(rest);
    match kind % 5 {
        0 => handshake(rest, piece, false),
        1 => handshake(rest, piece, true),
        2 => inflate(rest, piece),
        3 => routes(rest),
        _ => names(rest, [1, 4, 8][usize::from(kind) / 5 % 3]),
    }
});
