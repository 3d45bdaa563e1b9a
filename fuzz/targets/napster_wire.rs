//! Messages of servers and clients: a stream cut anywhere, and each message read, written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_core::Bytes;
use p2p_fuzz::{BytesMut, Script};
use p2p_napster::deflate::{InflateLimits, Inflater};
use p2p_napster::wire::text::shown;
use p2p_napster::wire::{Decoder, Frame, FrameError, Linked, ToClient, ToServer};

/// The frames of a stream, and how it ends.
fn frames(bytes: &[u8], limit: u16, cut: usize) -> (Vec<Frame>, Result<usize, FrameError>) {
    let (mut decoder, mut all) = (Decoder::new(limit), Vec::new());
    for part in bytes.chunks(cut) {
        decoder.push(Bytes::copy_from_slice(part));
        loop {
            match decoder.next() {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break,
                Err(why) => return (all, Err(why)),
            }
        }
    }
    let left = decoder.len();
    (all, Ok(left))
}

fn stable(kind: u16, body: &[u8]) {
    macro_rules! stable {
        ($($enum:ident)+) => {$(
            match $enum::parse(kind, body) {
                Ok(message) => {
                    assert_eq!(message.kind(), kind);
                    let mut out = BytesMut::new();
                    message.encode(&mut out);
                    // What grew over the longest message was cut. A quote in a word becomes an apostrophe; beyond that
                    // what was written is read and written as the same.
                    if body.len() < 10_000 {
                        let mut twice = BytesMut::new();
                        let again = $enum::parse(kind, &out[4..]);
                        again.unwrap_or_else(|why| panic!("{message:?}: {why}")).encode(&mut twice);
                        assert_eq!(twice, out, "{message:?}");
                    }
                }
                Err(why) => assert!(why.at <= body.len()),
            }
        )+};
    }
    stable!(ToServer ToClient Linked);
    let _ = shown(body).to_string();
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let (cut, limit) =
        (usize::from(script.byte()) + 1, if script.byte() & 1 == 0 { 2_048 } else { u16::MAX });
    let kind = u16::from_le_bytes([script.byte(), script.byte()]);
    let rest = script.rest();
    let (whole, end) = frames(rest, limit, usize::MAX);
    assert_eq!(frames(rest, limit, cut), (whole.clone(), end));
    for frame in &whole {
        stable(frame.kind, &frame.body);
    }
    // As a body of any type, and of those that there are.
    stable(kind, rest);
    for kind in
        [2, 6, 100, 200, 201, 203, 204, 212, 216, 501, 604, 607, 620, 641, 870, 10015, 10016, 10018, 10300]
    {
        stable(kind, rest);
    }
    // A zlib stream that a stranger sends is bounded whatever it says.
    let mut inflater = Inflater::new(InflateLimits::default());
    let mut input = Bytes::copy_from_slice(rest);
    let mut out = 0;
    while let Ok(some) = inflater.read(&mut input) {
        if some.is_empty() {
            break;
        }
        out += some.len();
    }
    assert!(out <= (1 << 20) + rest.len() * 1_100, "{out} of {}", rest.len());
});
