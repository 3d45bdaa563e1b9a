//! The handshake and messages of a peer, cut anywhere: the cuts change nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_bittorrent::peer::handshake::HandshakeDecoder;
use p2p_bittorrent::peer::wire::{Decoder, Message, WireLimits};
use p2p_core::Bytes;

/// All that is said, payload joined, and whether it ended in an error.
fn said(bytes: &[u8], cut: usize) -> (Vec<Message>, Vec<u8>, bool) {
    let limits = WireLimits { bitfield: 64, extended: 4096, ..WireLimits::default() };
    let mut decoder = Decoder::new(&limits);
    let (mut messages, mut payload) = (Vec::new(), Vec::new());
    for part in bytes.chunks(cut) {
        let mut part = Bytes::copy_from_slice(part);
        loop {
            match decoder.next(&mut part) {
                Ok(Some(Message::Payload(data))) => payload.extend_from_slice(&data),
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => return (messages, payload, true),
            }
        }
    }
    (messages, payload, false)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else { return };
    let whole = said(bytes, usize::MAX);
    assert_eq!(said(bytes, usize::from(*cut) + 1), whole);
    let mut handshake = HandshakeDecoder::new();
    for part in bytes.chunks(usize::from(*cut) + 1) {
        let mut part = Bytes::copy_from_slice(part);
        if !matches!(handshake.next(&mut part), Ok(None)) {
            break;
        }
    }
});
