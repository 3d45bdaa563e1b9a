//! The peer wire: bytes as the BEPs give them, every way of splitting them, and junk.

use bytes::{Bytes, BytesMut};
use core::net::Ipv4Addr;
use p2p_bittorrent::peer::wire::{encode, piece_head};
use p2p_bittorrent::peer::{
    Block, Decoder, ExtendedHandshake, Handshake, HandshakeDecoder, HandshakeError, Message, PeerIds,
    Registry, Reserved, WireError, WireLimits, allowed_fast,
};
use p2p_bittorrent::{InfoHash, PeerId};
use p2p_core::Rng;

fn all(decoder: &mut Decoder, mut input: Bytes) -> Result<Vec<Message>, WireError> {
    let mut messages = Vec::new();
    while let Some(message) = decoder.next(&mut input)? {
        messages.push(message);
    }
    assert!(input.is_empty());
    Ok(messages)
}

/// Joins what was cut: neighbouring segments of one payload.
fn joined(messages: Vec<Message>) -> Vec<Message> {
    let mut out: Vec<Message> = Vec::new();
    for message in messages {
        if let (Some(Message::Payload(before)), Message::Payload(more)) = (out.last_mut(), &message) {
            *before = [&before[..], &more[..]].concat().into();
        } else {
            out.push(message);
        }
    }
    out
}

#[test]
fn messages_as_the_beps_give_them() {
    let block = Block { piece: 1, begin: 0x4000, len: 0x4000 };
    let cases: [(&[u8], Message); 18] = [
        (&[0, 0, 0, 0], Message::KeepAlive),
        (&[0, 0, 0, 1, 0], Message::Choke),
        (&[0, 0, 0, 1, 1], Message::Unchoke),
        (&[0, 0, 0, 1, 2], Message::Interested),
        (&[0, 0, 0, 1, 3], Message::NotInterested),
        (&[0, 0, 0, 5, 4, 0, 0, 1, 2], Message::Have(258)),
        (&[0, 0, 0, 3, 5, 0xff, 0x80], Message::Bitfield(Bytes::from_static(&[0xff, 0x80]))),
        (&[0, 0, 0, 13, 6, 0, 0, 0, 1, 0, 0, 64, 0, 0, 0, 64, 0], Message::Request(block)),
        (&[0, 0, 0, 13, 8, 0, 0, 0, 1, 0, 0, 64, 0, 0, 0, 64, 0], Message::Cancel(block)),
        (&[0, 0, 0, 3, 9, 0x1a, 0xe1], Message::Port(6881)),
        (&[0, 0, 0, 5, 13, 0, 0, 0, 7], Message::Suggest(7)),
        (&[0, 0, 0, 1, 14], Message::HaveAll),
        (&[0, 0, 0, 1, 15], Message::HaveNone),
        (&[0, 0, 0, 13, 16, 0, 0, 0, 1, 0, 0, 64, 0, 0, 0, 64, 0], Message::Reject(block)),
        (&[0, 0, 0, 5, 17, 0, 0, 0, 7], Message::AllowedFast(7)),
        (&[0, 0, 0, 2, 20, 3], Message::Extended { id: 3, payload: Bytes::new() }),
        (&[0, 0, 0, 4, 20, 0, b'd', b'e'], Message::Extended { id: 0, payload: Bytes::from_static(b"de") }),
        (&[0, 0, 64, 9, 7, 0, 0, 0, 1, 0, 0, 64, 0], Message::Piece(block)),
    ];
    for (bytes, message) in cases {
        let mut out = BytesMut::new();
        encode(&message, &mut out);
        assert_eq!(&out[..], bytes, "{message:?}");
        assert_eq!(all(&mut Decoder::default(), out.freeze()).unwrap(), [message]);
    }
    assert_eq!(piece_head(block), [0, 0, 64, 9, 7, 0, 0, 0, 1, 0, 0, 64, 0]);
}

#[test]
fn a_payload_is_never_copied() {
    let mut wire = BytesMut::from(&piece_head(Block { piece: 0, begin: 0, len: 1000 })[..]);
    wire.extend_from_slice(&[7; 1000]);
    let wire = wire.freeze();
    let mut decoder = Decoder::default();
    for (from, to) in [(0, 5), (5, 300), (300, 1013)] {
        for message in all(&mut decoder, wire.slice(from..to)).unwrap() {
            if let Message::Payload(segment) = message {
                assert!(wire.as_ptr_range().contains(&segment.as_ptr()));
            }
        }
    }
    assert!(decoder.is_idle());
}

#[test]
fn wrong_lengths_and_exceeded_limits_are_told() {
    let limits = WireLimits { block: 16384, bitfield: 10, extended: 100, unknown: 50 };
    let error = |bytes: &[u8]| all(&mut Decoder::new(&limits), Bytes::copy_from_slice(bytes)).unwrap_err();
    assert_eq!(error(&[0, 0, 0, 2, 0, 0]), WireError::Length { id: 0, len: 2 });
    assert_eq!(error(&[0, 0, 0, 4, 4]), WireError::Length { id: 4, len: 4 });
    assert_eq!(error(&[0, 0, 0, 8, 7]), WireError::Length { id: 7, len: 8 });
    assert_eq!(error(&[0, 0, 0, 1, 20]), WireError::Length { id: 20, len: 1 });
    assert_eq!(error(&[0, 0, 64, 10, 7]), WireError::TooLong { id: 7, len: 16385, limit: 16384 });
    assert_eq!(error(&[0, 0, 0, 12, 5]), WireError::TooLong { id: 5, len: 11, limit: 10 });
    assert_eq!(error(&[0, 0, 0, 103, 20]), WireError::TooLong { id: 20, len: 101, limit: 100 });
    assert_eq!(error(&[255; 5]), WireError::TooLong { id: 255, len: u32::MAX - 1, limit: 50 });
}

#[test]
fn what_is_not_understood_is_skipped() {
    let wire = [&[0, 0, 0, 4, 99, 1, 2, 3][..], &[0, 0, 0, 1, 1]].concat();
    for cut in 0..wire.len() {
        let mut decoder = Decoder::default();
        let mut messages = all(&mut decoder, Bytes::copy_from_slice(&wire[..cut])).unwrap();
        messages.extend(all(&mut decoder, Bytes::copy_from_slice(&wire[cut..])).unwrap());
        assert_eq!(messages, [Message::Unknown { id: 99, len: 3 }, Message::Unchoke]);
    }
}

#[test]
fn handshakes_come_in_any_parts() {
    let ours = Handshake {
        reserved: Reserved::OURS.with_dht(true),
        info_hash: InfoHash([0xaa; 20]),
        peer_id: PeerId(*b"-P20010-abcdefghijkl"),
    };
    let bytes = ours.encode();
    assert_eq!(&bytes[..20], b"\x13BitTorrent protocol");
    assert_eq!(&bytes[20..28], &[0, 0, 0, 0, 0, 0x10, 0, 0x05]);
    assert!(ours.reserved.extended() && ours.reserved.fast() && ours.reserved.dht() && !ours.reserved.v2());
    assert!(!ours.reserved.common(Reserved::OURS).dht());
    for cut in 0..68 {
        let mut decoder = HandshakeDecoder::new();
        assert_eq!(decoder.next(&mut Bytes::copy_from_slice(&bytes[..cut])), Ok(None));
        assert_eq!(decoder.info_hash().is_some(), cut >= 48);
        let mut rest = Bytes::from([&bytes[cut..], b"more"].concat());
        assert_eq!(decoder.next(&mut rest), Ok(Some(ours)));
        assert_eq!(&rest[..], b"more");
    }
    let mut decoder = HandshakeDecoder::new();
    assert_eq!(decoder.next(&mut Bytes::from_static(b"\x13BitTorrenX")), Err(HandshakeError::Protocol));
    assert_eq!(decoder.held(), b"\x13BitTorrenX");
}

#[test]
fn the_extended_handshake_as_bep_10_gives_it() {
    const OURS: Registry = Registry::new(&["ut_pex", "ut_metadata", "LT_metadata"]);
    let example = b"d1:md11:LT_metadatai1e7:\xc2\xb5T_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e";
    let mut ids = PeerIds::new();
    let theirs = ExtendedHandshake::decode(example, OURS, &mut ids).unwrap();
    assert_eq!((theirs.port, theirs.version.as_deref()), (Some(6881), Some("\u{b5}Torrent 1.2")));
    assert_eq!((ids.id(OURS, "LT_metadata"), ids.id(OURS, "ut_pex")), (Some(1), None));
    ExtendedHandshake::decode(b"d1:md11:LT_metadatai0e6:ut_pexi9eee", OURS, &mut ids).unwrap();
    assert_eq!((ids.id(OURS, "LT_metadata"), ids.id(OURS, "ut_pex")), (None, Some(9)));
    assert_eq!((OURS.name(3), OURS.name(0), OURS.name(4)), (Some("LT_metadata"), None, None));

    let ours = ExtendedHandshake {
        port: Some(6881),
        version: Some("p2p 0.1".into()),
        reqq: Some(512),
        your_ip: Some("10.0.0.1".parse().unwrap()),
        ipv4: Some(Ipv4Addr::LOCALHOST),
        ipv6: Some("::1".parse().unwrap()),
        metadata_size: Some(31235),
        upload_only: true,
    };
    let payload = ours.encode(OURS);
    let mut ids = PeerIds::new();
    assert_eq!(ExtendedHandshake::decode(&payload, OURS, &mut ids).unwrap(), ours);
    assert_eq!(ids.id(OURS, "ut_metadata"), Some(2));
    let bare = ExtendedHandshake::default().encode(Registry::default());
    assert_eq!(&bare[..], b"d1:mdee");
    assert!(ExtendedHandshake::decode(b"le", OURS, &mut ids).unwrap().port.is_none());
    assert!(ExtendedHandshake::decode(b"d1:pi6881e", OURS, &mut ids).is_err());
}

#[test]
fn allowed_fast_as_bep_6_gives_it() {
    let hash = InfoHash([0xaa; 20]);
    let ip = Ipv4Addr::new(80, 4, 4, 200);
    let seven = [1059, 431, 808, 1217, 287, 376, 1188];
    assert_eq!(allowed_fast(&hash, ip, 7, 1313), seven);
    assert_eq!(allowed_fast(&hash, ip, 9, 1313), [&seven[..], &[353, 508]].concat());
    let mut few = allowed_fast(&hash, ip, 10, 3);
    few.sort_unstable();
    assert_eq!(few, [0, 1, 2]);
    assert!(allowed_fast(&hash, ip, 10, 0).is_empty());
}

fn message(rng: &mut Rng) -> Message {
    let number = |rng: &mut Rng| rng.bits() as u32;
    let bytes =
        |rng: &mut Rng, most| (0..rng.index(most)).map(|_| rng.bits() as u8).collect::<Vec<_>>().into();
    let block = |rng: &mut Rng| Block { piece: number(rng), begin: number(rng), len: number(rng) };
    match rng.below(17) {
        0 => Message::KeepAlive,
        1 => Message::Choke,
        2 => Message::Unchoke,
        3 => Message::Interested,
        4 => Message::NotInterested,
        5 => Message::HaveAll,
        6 => Message::HaveNone,
        7 => Message::Have(number(rng)),
        8 => Message::Suggest(number(rng)),
        9 => Message::AllowedFast(number(rng)),
        10 => Message::Port(rng.bits() as u16),
        11 => Message::Request(block(rng)),
        12 => Message::Cancel(block(rng)),
        13 => Message::Reject(block(rng)),
        14 => Message::Bitfield(bytes(rng, 200)),
        15 => Message::Extended { id: rng.bits() as u8, payload: bytes(rng, 300) },
        // A whole block: `encode_all` writes its head.
        _ => Message::Payload(bytes(rng, 2000)),
    }
}

/// The wire of these messages, and what is to come out of it.
fn encode_all(messages: Vec<Message>) -> (Bytes, Vec<Message>) {
    let mut wire = BytesMut::new();
    let mut expected = Vec::new();
    for message in messages {
        if let Message::Payload(bytes) = &message {
            let head = Message::Piece(Block { piece: 5, begin: 0, len: bytes.len() as u32 });
            encode(&head, &mut wire);
            expected.push(head);
            if bytes.is_empty() {
                continue;
            }
        }
        encode(&message, &mut wire);
        expected.push(message);
    }
    (wire.freeze(), expected)
}

#[test]
fn any_split_gives_the_same_messages() {
    for seed in 0..500 {
        let mut rng = Rng::fast_from(seed);
        let messages = (0..rng.index(20)).map(|_| message(&mut rng)).collect();
        let (wire, expected) = encode_all(messages);
        let most = [2, 20, 400][rng.index(3)];
        let (mut decoder, mut rest, mut got) = (Decoder::default(), wire, Vec::new());
        while !rest.is_empty() {
            let part = rest.split_to(rng.index(most).min(rest.len()));
            got.extend(all(&mut decoder, part).unwrap());
        }
        assert!(decoder.is_idle());
        assert_eq!(joined(got), expected, "seed {seed}");
    }
}

#[test]
fn junk_is_harmless() {
    for seed in 0..2000 {
        let mut rng = Rng::fast_from(seed);
        let mut decoder = Decoder::default();
        let mut ids = PeerIds::new();
        for _ in 0..rng.index(20) {
            // Mostly small numbers, so that lengths and ids are often right.
            let junk = |rng: &mut Rng| if rng.chance(0.9) { rng.below(24) as u8 } else { rng.bits() as u8 };
            let part: Vec<u8> = (0..rng.index(80)).map(|_| junk(&mut rng)).collect();
            let _ = ExtendedHandshake::decode(&part, Registry::new(&["ut_pex"]), &mut ids);
            let mut input = Bytes::from(part);
            let (before, mut steps) = (input.len(), 0);
            while let Ok(Some(_)) = decoder.next(&mut input) {
                steps += 1;
                // Every message takes something off the input, or is a body of no bytes.
                assert!(steps <= before + 1);
            }
        }
    }
}
