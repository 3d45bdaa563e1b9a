//! zlib streams: text passes, bombs and junk do not.

use bytes::{Bytes, BytesMut};
use p2p_core::deflate::{Deflater, INFLATED_MAX, InflateError, InflateLimits, Inflater};
use proptest::prelude::*;

/// All that comes out of a stream that comes in pieces, or why it stops; never more at a time than promised.
fn inflate(stream: &[u8], piece: usize, limits: InflateLimits) -> Result<Vec<u8>, (usize, InflateError)> {
    let (mut inflater, mut out) = (Inflater::new(limits), Vec::new());
    for piece in stream.chunks(piece) {
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            let some = inflater.read(&mut input).map_err(|error| (out.len(), error))?;
            assert!(some.len() <= INFLATED_MAX);
            if some.is_empty() {
                break;
            }
            out.extend_from_slice(&some);
        }
        assert!(input.is_empty());
    }
    Ok(out)
}

fn deflate(parts: &[&[u8]], level: u8) -> Vec<u8> {
    let (mut deflater, mut out) = (Deflater::new(level), BytesMut::new());
    parts.iter().for_each(|part| deflater.write(part, &mut out));
    out.to_vec()
}

#[test]
fn a_stream_begins_and_is_flushed_as_zlib_does() {
    assert_eq!(deflate(&[b"abc"], 6)[..2], [0x78, 0x9c]);
    assert_eq!(deflate(&[b"abc"], 0)[..2], [0x78, 0x01]);
    for level in 0..=9 {
        let stream = deflate(&[b"abc", b"abcabcabc"], level);
        assert!(stream.ends_with(&[0, 0, 0xff, 0xff]), "level {level}: {stream:x?}");
        assert_eq!(inflate(&stream, 1, InflateLimits::default()).unwrap(), b"abcabcabcabc");
    }
}

#[test]
fn each_write_can_be_read_at_once() {
    let (mut deflater, mut inflater) = (Deflater::new(6), Inflater::new(InflateLimits::default()));
    for i in 0..2000u32 {
        let text = format!(
            "\"C:\\mp3\\song number {i}.mp3\" 00000000000000000000000000000000 4000000 128 44100 {i}"
        );
        let mut out = BytesMut::new();
        deflater.write(text.as_bytes(), &mut out);
        let mut input = out.freeze();
        assert_eq!(inflater.read(&mut input).unwrap(), text);
        assert!(inflater.read(&mut input).unwrap().is_empty() && input.is_empty());
    }
}

#[test]
fn what_is_pushed_is_read_after_a_flush_and_takes_less_room() {
    let messages: Vec<String> =
        (0..200u32).map(|i| format!("query {i:03} \u{0}blue train {}", i % 7)).collect();
    for level in [0, 1, 6, 9] {
        let (mut deflater, mut out) = (Deflater::new(level), BytesMut::new());
        for message in &messages {
            deflater.push(message.as_bytes(), &mut out);
        }
        assert_eq!(deflater.is_unflushed(), level != 0, "level {level}");
        deflater.flush(&mut out);
        let together = out.len();
        deflater.flush(&mut out);
        assert_eq!(out.len(), together, "there was nothing left to flush");
        assert_eq!(inflate(&out, 1, InflateLimits::default()).unwrap(), messages.concat().as_bytes());
        let parts: Vec<&[u8]> = messages.iter().map(|message| message.as_bytes()).collect();
        if level > 0 {
            assert!(together * 2 < deflate(&parts, level).len(), "{together}");
        }
    }
}

#[test]
fn small_things_by_themselves() {
    let text = b"<?xml?>".repeat(40);
    let packed = p2p_core::deflate::deflate(&text);
    assert!(packed.len() < 40 && packed.starts_with(&[0x78]));
    assert_eq!(p2p_core::deflate::inflate(&packed, text.len()).unwrap(), text);
    let short = p2p_core::deflate::inflate(&packed, text.len() - 1);
    assert!(matches!(short, Err(InflateError::Bomb { .. })), "{short:?}");
    for cut in 0..packed.len() {
        assert_eq!(p2p_core::deflate::inflate(&packed[..cut], 1_000), Err(InflateError::Corrupt), "{cut}");
    }
    assert!(p2p_core::deflate::inflate(b"no zlib", 1_000).is_err());
    let bomb = p2p_core::deflate::deflate(&vec![0; 10 << 20]);
    assert!(bomb.len() < 12_000 && p2p_core::deflate::inflate(&bomb, 1 << 16).is_err());
}

#[test]
fn a_bomb_is_found_after_its_slack() {
    let limits = InflateLimits::default();
    let zeros = vec![0; 50 << 20];
    let bomb = deflate(&[&zeros], 9);
    assert!(bomb.len() < 200_000);
    for piece in [1, 1000, usize::MAX] {
        let (out, error) = inflate(&bomb, piece, limits).unwrap_err();
        assert!(matches!(error, InflateError::Bomb { .. }), "{error:?}");
        // One input may take its whole ratio, as far as the window holds.
        assert!(out < (limits.slack as usize) + 50 * 1000 + (64 << 10), "{out} bytes in pieces of {piece}");
    }
    // Empty messages, as many as a server's list of nothing: the same bomb in this protocol's clothes.
    let empty = [0, 0, 0, 0].repeat(1 << 20);
    assert!(inflate(&deflate(&[&empty], 6), 1448, limits).is_err());
}

#[test]
fn junk_and_ends_are_errors_that_stay() {
    let limits = InflateLimits::default();
    assert_eq!(inflate(&[0xff; 4000], usize::MAX, limits), Err((0, InflateError::Corrupt)));
    let mut inflater = Inflater::new(limits);
    let mut junk = Bytes::from_static(b"no zlib at all");
    for _ in 0..3 {
        assert_eq!(inflater.read(&mut junk), Err(InflateError::Corrupt));
    }
    // "abc" as a stream with an end and its checksum.
    let ended = [0x78, 0x9c, 0x4b, 0x4c, 0x4a, 0x06, 0x00, 0x02, 0x4d, 0x01, 0x27];
    assert_eq!(inflate(&ended, usize::MAX, limits), Err((3, InflateError::Ended)));
    let mut wrong = ended;
    wrong[10] ^= 1;
    assert_eq!(inflate(&wrong, usize::MAX, limits).unwrap_err().1, InflateError::Corrupt);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..6),
        repeats in 1usize..20,
        level in 0u8..=9,
        piece in 1usize..5000,
    ) {
        let parts: Vec<_> = parts.iter().map(|part| part.repeat(repeats)).collect();
        let slices: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
        let stream = deflate(&slices, level);
        prop_assert_eq!(inflate(&stream, piece, InflateLimits::default()).unwrap(), parts.concat());
    }

    #[test]
    fn arbitrary_bytes_are_bounded(bytes in prop::collection::vec(any::<u8>(), 0..3000), piece in 1usize..3000) {
        let limits = InflateLimits { ratio: 10, slack: 1000 };
        let stream = [&[0x78, 0x9c][..], &bytes].concat();
        let most = 1000 + stream.len() * 10 + (64 << 10);
        match inflate(&stream, piece, limits) {
            Ok(out) => prop_assert!(out.len() <= most),
            Err((out, _)) => prop_assert!(out <= most),
        }
    }
}
