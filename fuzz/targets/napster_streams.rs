//! zlib streams, and the handshake and the messages of a link, cut anywhere.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use p2p_fuzz::Script;
use p2p_napster::deflate::{Deflater, InflateLimits, Inflater};
use p2p_napster::link::{Link, LinkPeer};
use p2p_napster::wire::message::{encapsulated, split_origin};
use p2p_napster::wire::{Decoder, Linked, ToClient, ToServer};

fn peer() -> LinkPeer {
    let text = |text: &str| text.as_bytes().into();
    LinkPeer { name: text("b"), password: text("x"), own_password: text("x"), level: 6 }
}

/// What is inflated of a stranger's stream never passes its bound.
fn inflate(bytes: &[u8], piece: usize) {
    let limits = InflateLimits { ratio: 20, slack: 4_096 };
    let (mut inflater, mut written, mut read) = (Inflater::new(limits), 0, 0);
    for part in bytes.chunks(piece) {
        let mut input = Bytes::copy_from_slice(part);
        read += part.len();
        loop {
            match inflater.read(&mut input) {
                Ok(some) if some.is_empty() => break,
                Ok(some) => written += some.len(),
                Err(_) => return,
            }
            assert!(written <= read * 20 + 4_096, "{written} of {read}");
        }
    }
}

/// What was written in pieces is read again, at every level.
fn round_trip(bytes: &[u8], level: u8, piece: usize) {
    let mut wire = BytesMut::new();
    let mut deflater = Deflater::new(level);
    for part in bytes.chunks(piece) {
        deflater.write(part, &mut wire);
    }
    let mut inflater = Inflater::new(InflateLimits { ratio: u32::MAX, slack: u32::MAX });
    let (mut input, mut out) = (wire.freeze(), Vec::new());
    loop {
        let some = inflater.read(&mut input).expect("our own stream");
        if some.is_empty() {
            break;
        }
        out.extend_from_slice(&some);
    }
    assert_eq!(out, bytes);
}

fn messages(bytes: &[u8]) {
    let mut decoder = Decoder::new(u16::MAX);
    decoder.push(Bytes::copy_from_slice(bytes));
    while let Ok(Some(frame)) = decoder.next() {
        let Ok(message) = Linked::parse(frame.kind, &frame.body) else { continue };
        let mut out = BytesMut::new();
        message.encode(&mut out);
        let again = Linked::parse(message.kind(), &out[4..]).expect("what was written is read");
        assert_eq!(format!("{again:?}").len(), format!("{message:?}").len());
        match message {
            Linked::Encapsulated { frame, .. } => {
                if let Ok((kind, body)) = encapsulated(frame) {
                    let _ = ToClient::parse(kind, body);
                }
            }
            Linked::Other(kind, body) => {
                if let Ok((_, rest)) = split_origin(body) {
                    let _ = ToServer::parse(kind, rest);
                }
            }
            _ => {}
        }
    }
}

fn link(bytes: &[u8], piece: usize) {
    let mut out = BytesMut::new();
    let mut link = Link::dial(b"a", peer(), 7, InflateLimits::default(), &mut out);
    for part in bytes.chunks(piece) {
        link.push(Bytes::copy_from_slice(part));
        while let Ok(Some(_)) = link.next(&mut out) {}
        assert!(!link.is_open(), "nobody guesses a proof");
        assert!(link.held() <= 300 + part.len() + usize::from(u16::MAX));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let (kind, piece) = (script.byte(), 1 + usize::from(script.byte()));
    let rest = script.rest();
    match kind % 4 {
        0 => inflate(rest, piece),
        1 => round_trip(rest, (kind / 4) % 10, piece),
        2 => messages(rest),
        _ => link(rest, piece),
    }
});
