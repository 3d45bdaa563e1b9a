//! Links between servers: as recorded, with each other, and with who is no server.

use bytes::{Bytes, BytesMut};
use p2p_napster::deflate::{Deflater, InflateError, InflateLimits};
use p2p_napster::link::{Link, LinkError, LinkInput, LinkPeer};
use p2p_napster::wire::{Decoder, Frame, Linked};
use proptest::prelude::*;

use crate::capture::{Conversation, From, conversations};

fn peer(name: &str, password: &str, own_password: &str, level: u8) -> LinkPeer {
    let text = |text: &str| text.as_bytes().into();
    LinkPeer { name: text(name), password: text(password), own_password: text(own_password), level }
}

/// Server B as A knows it, and A as B knows it: with the passwords of the recordings.
fn b(level: u8) -> LinkPeer {
    peer("serverb", "passB", "passA", level)
}

fn a(level: u8) -> LinkPeer {
    peer("servera", "passA", "passB", level)
}

fn first_frame(bytes: &[u8]) -> (Frame, Bytes) {
    let mut decoder = Decoder::new(u16::MAX);
    decoder.push(Bytes::copy_from_slice(bytes));
    let frame = decoder.next().unwrap().unwrap();
    (frame, decoder.into_rest())
}

fn hex(text: &[u8]) -> u64 {
    u64::from_str_radix(std::str::from_utf8(text).unwrap(), 16).unwrap()
}

/// All that comes in pieces: whether the link came up, at which level, and its messages.
fn read(
    link: &mut Link,
    bytes: &[u8],
    piece: usize,
    out: &mut BytesMut,
) -> Result<Vec<LinkInput>, LinkError> {
    let mut inputs = Vec::new();
    for piece in bytes.chunks(piece) {
        link.push(Bytes::copy_from_slice(piece));
        while let Some(input) = link.next(out)? {
            inputs.push(input);
        }
    }
    Ok(inputs)
}

fn kinds(inputs: &[LinkInput]) -> Vec<u16> {
    let kind = |input: &LinkInput| match input {
        LinkInput::Up { .. } => 0,
        LinkInput::Message(frame) => frame.kind,
    };
    inputs.iter().map(kind).collect()
}

fn recorded(name: &str) -> Conversation {
    let is_link = |conversation: &Conversation| {
        conversation.sent_by(From::Client).get(2..4) == Some(&10010u16.to_le_bytes()[..])
    };
    conversations(name).into_iter().find(is_link).unwrap()
}

#[test]
fn both_sides_of_a_recorded_link_can_be_taken() {
    for (name, level) in [("07-link-zlib-level0", 0), ("08-link-zlib-level6", 6)] {
        let link = recorded(name);
        let (from_a, from_b) = (link.sent_by(From::Client), link.sent_by(From::Server));
        let ((hello_a, behind_a), (hello_b, _)) = (first_frame(&from_a), first_frame(&from_b));
        let nonce = |frame: &Frame| match Linked::parse(frame.kind, &frame.body) {
            Ok(Linked::Hello { nonce, .. }) => hex(nonce),
            other => panic!("{other:?}"),
        };
        for piece in [1, 9, usize::MAX] {
            // With the nonce that server B drew, we answer with the bytes that it sent.
            let mut out = BytesMut::new();
            let known = |name: &[u8]| (name == b"servera").then(|| a(level));
            let mut us = Link::answer(
                b"serverb",
                &hello_a,
                known,
                nonce(&hello_b),
                InflateLimits::default(),
                &mut out,
            )
            .unwrap();
            assert_eq!(out, from_b[..out.len()]);
            let inputs = read(&mut us, &behind_a, piece, &mut BytesMut::new()).unwrap();
            assert!(us.is_open() && matches!(inputs[0], LinkInput::Up { level: up } if up == level));
            assert_eq!(kinds(&inputs)[..6], [0, 10023, 2, 606, 10262, 10263]);
            // As many as the transcripts list: 23 and 12, and that it is up.
            assert_eq!(inputs.len(), 24);
            // And server A's side the same.
            let mut out = BytesMut::new();
            let mut us =
                Link::dial(b"servera", b(level), nonce(&hello_a), InflateLimits::default(), &mut out);
            let inputs = read(&mut us, &from_b, piece, &mut out).unwrap();
            assert_eq!(out, from_a[..out.len()]);
            assert_eq!(kinds(&inputs)[..5], [0, 10023, 10262, 606, 10263]);
            assert_eq!(inputs.len(), 13);
        }
    }
}

/// Two of ours, A dialling with the one peer and B answering with the other, until one fails or both are open.
fn meet(of_a: LinkPeer, of_b: LinkPeer) -> Result<(Link, Link), LinkError> {
    let (limits, lower) = (InflateLimits::default(), of_a.level.min(of_b.level));
    let (mut to_a, mut to_b) = (BytesMut::new(), BytesMut::new());
    let mut side_a = Link::dial(b"servera", of_a, 1, limits, &mut to_b);
    let (hello, _) = first_frame(&to_b);
    let mut side_b = Link::answer(b"serverb", &hello, |_| Some(of_b), 2, limits, &mut to_a)?;
    to_b.clear();
    let is_up = |inputs: &[LinkInput]| matches!(inputs, [LinkInput::Up { level }] if *level == lower);
    assert!(is_up(&read(&mut side_a, &to_a, 1, &mut to_b)?));
    assert!(is_up(&read(&mut side_b, &to_b, 1, &mut to_a)?));
    Ok((side_a, side_b))
}

#[test]
fn two_of_ours_link_at_the_lower_level_and_talk() {
    meet(b(3), a(9)).unwrap();
    let (mut a, mut b) = meet(b(9), a(3)).unwrap();
    for i in 0..200 {
        let (mut messages, mut wire) = (BytesMut::new(), BytesMut::new());
        Linked::Clock { origin: b"servera", time: i }.encode(&mut messages);
        Linked::SyncEnd.encode(&mut messages);
        let (from, to) = if i % 2 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
        from.send(&messages, &mut wire);
        let inputs = read(to, &wire, 5, &mut BytesMut::new()).unwrap();
        assert_eq!(kinds(&inputs), [10023, 10262]);
        let LinkInput::Message(frame) = &inputs[0] else { panic!() };
        let expected = Linked::Clock { origin: b"servera", time: i };
        assert_eq!(Linked::parse(frame.kind, &frame.body), Ok(expected));
    }
}

#[test]
fn who_has_not_the_password_gets_no_link() {
    let wrong = |peer: LinkPeer, password: &str| LinkPeer { password: password.as_bytes().into(), ..peer };
    assert_eq!(meet(wrong(b(6), "else"), a(6)).unwrap_err(), LinkError::Password);
    assert_eq!(meet(b(6), wrong(a(6), "else")).unwrap_err(), LinkError::Password);
    assert_eq!(meet(peer("serverc", "passB", "passA", 6), a(6)).unwrap_err(), LinkError::Unknown);
    assert_eq!(meet(b(6), peer("serverc", "passA", "passB", 6)).unwrap_err(), LinkError::Unknown);
}

#[test]
fn a_mirror_is_no_server() {
    // Both show the same password, so our own proof would do, if our own nonce did.
    let mut out = BytesMut::new();
    let same = peer("serverb", "same", "same", 6);
    let mut us = Link::dial(b"servera", same, 7, InflateLimits::default(), &mut out);
    let (hello, _) = first_frame(&out);
    let Ok(Linked::Hello { nonce, level, .. }) = Linked::parse(hello.kind, &hello.body) else { panic!() };
    let mut mirrored = BytesMut::new();
    Linked::Hello { server: b"serverb", nonce, level }.encode(&mut mirrored);
    out.clear();
    assert_eq!(read(&mut us, &mirrored, 1, &mut out).unwrap_err(), LinkError::Nonce);
    assert!(out.is_empty(), "nothing to repeat");
    assert_eq!(us.next(&mut out).unwrap_err(), LinkError::Nonce);
}

#[test]
fn a_handshake_takes_nothing_else() {
    let limits = InflateLimits::default();
    let fresh = || Link::dial(b"servera", b(6), 7, limits, &mut BytesMut::new());
    let said = |messages: &[Linked<'_>]| {
        let mut bytes = BytesMut::new();
        messages.iter().for_each(|message| message.encode(&mut bytes));
        read(&mut fresh(), &bytes, usize::MAX, &mut BytesMut::new()).unwrap_err()
    };
    let hello = |nonce| Linked::Hello { server: b"serverb", nonce, level: 6 };
    assert_eq!(said(&[Linked::Proof(b"x")]), LinkError::Unexpected(10011));
    assert_eq!(said(&[Linked::SyncEnd]), LinkError::Unexpected(10262));
    assert_eq!(said(&[hello(b"short")]), LinkError::Nonce);
    assert_eq!(said(&[hello(b"0123456789ABCDEF"), hello(b"0123456789ABCDEF")]), LinkError::Unexpected(10010));
    assert!(matches!(said(&[hello(&[b'x'; 300])]), LinkError::Frame(_)));
    let first = Frame { kind: 2, body: Bytes::from_static(b"a b 1 \"c\" 1 e 1 1 s 1") };
    let answered = Link::answer(b"serverb", &first, |_| Some(a(6)), 1, limits, &mut BytesMut::new());
    assert_eq!(answered.unwrap_err(), LinkError::Unexpected(2));
    // Before the link is open nothing is sent over it.
    let mut out = BytesMut::new();
    fresh().send(b"early", &mut out);
    assert!(out.is_empty());
}

#[test]
fn a_bomb_ends_an_open_link() {
    let (mut us, _) = meet(b(9), a(9)).unwrap();
    let mut bomb = BytesMut::new();
    Deflater::new(9).write(&vec![0; 8 << 20], &mut bomb);
    let mut count = 0;
    let error = loop {
        if !bomb.is_empty() {
            us.push(bomb.split().freeze());
        }
        match us.next(&mut BytesMut::new()) {
            Ok(Some(_)) => count += 1,
            Ok(None) => panic!("all of it was taken"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, LinkError::Stream(InflateError::Bomb { .. })), "{error:?}");
    assert!(count < (8 << 20) / 4, "{count} empty messages");
}

proptest! {
    #[test]
    fn arbitrary_bytes_bring_up_no_link(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        is_greeted: bool,
        piece in 1usize..50,
    ) {
        let mut us = Link::dial(b"servera", b(6), 7, InflateLimits::default(), &mut BytesMut::new());
        let mut all = BytesMut::new();
        if is_greeted {
            Linked::Hello { server: b"serverb", nonce: b"0123456789ABCDEF", level: 6 }.encode(&mut all);
        }
        all.extend_from_slice(&bytes);
        let inputs = read(&mut us, &all, piece, &mut BytesMut::new());
        prop_assert!(inputs.is_err() || inputs.unwrap().is_empty());
        prop_assert!(!us.is_open());
        let (mut open, _) = meet(b(6), a(6)).unwrap();
        let _ = read(&mut open, &[&[0x78, 0x9c][..], &bytes].concat(), piece, &mut BytesMut::new());
    }
}
