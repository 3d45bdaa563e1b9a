//! What a stranger can try, an attack for each test: memory and work stay within what was paid for.

use bytes::{Bytes, BytesMut};
use p2p_core::deflate::deflate;
use p2p_core::http::{HeadError, MAX_HEAD, MAX_HEADERS};
use p2p_gnutella::Guid;
use p2p_gnutella::deflate::{INFLATED_MAX, InflateError, Inflater, LINK};
use p2p_gnutella::ggep::{Field, MAGIC};
use p2p_gnutella::handshake::{Handshake, HandshakeError, TRIES_MAX};
use p2p_gnutella::head::HeadReader;
use p2p_gnutella::qrp::{Progress, Receiver, RouteError, WANTED_MAX, Wanted};
use p2p_gnutella::wire::frame::UDP_DEFLATED;
use p2p_gnutella::wire::{
    Compressor, Decoder, Extensions, Frame, FrameError, HEADER_LEN, Header, Kind, Message, Patch, Route,
    SizeLimits, Undeliverable,
};

fn header(kind: Kind, ttl: u8, hops: u8) -> Header {
    Header { guid: Guid([7; 16]), kind, ttl, hops }
}

#[test]
fn a_bomb_in_a_link_ends_it() {
    let bomb = deflate(&vec![0; 64 << 20]);
    let (mut inflater, mut input, mut out) = (Inflater::new(LINK), Bytes::from(bomb), 0);
    let why = loop {
        match inflater.read(&mut input) {
            Ok(some) => {
                assert!(!some.is_empty() && some.len() <= INFLATED_MAX);
                out += some.len();
            }
            Err(why) => break why,
        }
    };
    assert!(matches!(why, InflateError::Bomb { .. }), "{why}");
    let slack = LINK.slack as usize;
    // 64 kB went in at most before it was noticed, each worth a hundred.
    assert!(out <= slack + 100 * (64 << 10), "{out}");
}

#[test]
fn a_bomb_in_a_datagram_is_dropped() {
    let mut data = BytesMut::new();
    let payload = deflate(&vec![0; 10 << 20]).into();
    Frame { header: header(Kind::QUERY, UDP_DEFLATED | 1, 0), payload }.encode(&mut data);
    assert!(data.len() < 11_000);
    assert_eq!(Frame::from_datagram(data.freeze(), &SizeLimits::default()), Err(FrameError::Inflate));
}

#[test]
fn bombs_in_every_field_of_a_message_cost_what_is_asked_for() {
    // A hundred fields of 1 kB, each of which would be 1 MB. Nothing is inflated before it is asked for, and then within
    // its limit.
    let bomb = deflate(&vec![0; 1 << 20]);
    let field =
        [&[0x21, b'H', 0x80 | (bomb.len() >> 6) as u8, 0x40 | (bomb.len() & 63) as u8][..], &bomb].concat();
    let block = [&[MAGIC][..], &field.repeat(100)].concat();
    let extensions = Extensions(&block);
    assert_eq!(extensions.fields().count(), 100);
    assert_eq!((extensions.urns().count(), extensions.data("H")), (0, None));
    assert!(Field::parse(&field).unwrap().0.data().is_err());
}

#[test]
fn a_bomb_in_a_table_stops_where_the_table_ends() {
    let mut receiver = Receiver::new(17);
    receiver.take(&Route::Reset { slots: 1 << 16, infinity: 7 }).unwrap();
    let data = Bytes::from(deflate(&vec![0xff; 64 << 20]));
    let parts: Vec<Bytes> =
        (0..data.len()).step_by(600).map(|at| data.slice(at..data.len().min(at + 600))).collect();
    let count = parts.len().min(255) as u8;
    let mut taken = 0;
    let why = parts.into_iter().zip(1..).find_map(|(data, number)| {
        let patch = Patch { number, count, compressor: Compressor::Zlib, entry_bits: 8, data };
        taken += 1;
        receiver.take(&Route::Patch(patch)).err()
    });
    assert_eq!((why, taken), (Some(RouteError::TooLong), 1), "64 kB of 600 bytes");
}

#[test]
fn resets_by_the_thousand_allocate_one_table() {
    let mut receiver = Receiver::new(17);
    for _ in 0..2_000 {
        assert_eq!(receiver.take(&Route::Reset { slots: 1 << 17, infinity: 2 }), Ok(Progress::Reset));
        // A patch that is begun and never ended is forgotten.
        let data = Bytes::from_static(&[0x78]);
        let begun = Patch { number: 1, count: 255, compressor: Compressor::Zlib, entry_bits: 1, data };
        assert_eq!(receiver.take(&Route::Patch(begun)), Ok(Progress::Part));
    }
    assert!(receiver.is_receiving() && receiver.table().is_none());
}

#[test]
fn a_ttl_of_255_lives_no_longer_than_others() {
    let mut at = header(Kind::QUERY, 255, 0);
    assert_eq!(at.stepped(7).map(|next| (next.ttl, next.hops)), Ok((6, 1)), "it is cut at once");
    let mut steps = 0;
    while let Ok(next) = at.stepped(7) {
        at = next;
        steps += 1;
        if at.ttl == 0 {
            break;
        }
    }
    assert_eq!((steps, at.hops), (7, 7));
}

#[test]
fn hops_do_not_overflow() {
    assert_eq!(header(Kind::QUERY, 5, 255).stepped(255), Err(Undeliverable::TooFar(255)));
    assert_eq!(header(Kind::QUERY, 5, 255).stepped(7), Err(Undeliverable::TooFar(255)));
    assert_eq!(header(Kind::PING, 0, 0).stepped(7), Err(Undeliverable::NoTtl));
}

#[test]
fn a_length_is_not_believed() {
    for (kind, len) in
        [(Kind::QUERY, 70_003), (Kind::QUERY_HIT, u32::MAX), (Kind::PING, 1 << 31), (Kind(0x99), 65_537)]
    {
        let mut decoder = Decoder::new(SizeLimits::default());
        decoder.push(Bytes::copy_from_slice(&header(kind, 1, 0).to_bytes(len)));
        let why = decoder.next().unwrap_err();
        assert!(matches!(why, FrameError::TooLong { len: said, .. } if said == len), "{why}");
        assert_eq!(decoder.next(), Err(why), "it stays so");
    }
    // One within the limit is waited for, and holds what has come.
    let mut decoder = Decoder::new(SizeLimits::default());
    decoder.push(Bytes::copy_from_slice(&header(Kind::QUERY_HIT, 1, 0).to_bytes(60_000)));
    assert_eq!((decoder.next(), decoder.len()), (Ok(None), HEADER_LEN));
    for _ in 0..1_000 {
        decoder.push(Bytes::from_static(&[0; 59]));
        assert_eq!(decoder.next(), Ok(None));
    }
    assert_eq!(decoder.len(), HEADER_LEN + 59_000);
}

#[test]
fn half_a_message_holds_half_a_message() {
    // Of a chunk of 64 kB only what is left behind the last whole message is kept.
    let mut stream = BytesMut::new();
    Frame { header: header(Kind::QUERY_HIT, 1, 0), payload: vec![0; 60_000].into() }.encode(&mut stream);
    stream.extend_from_slice(&header(Kind::QUERY, 1, 0).to_bytes(100));
    let chunk = stream.freeze();
    let mut decoder = Decoder::new(SizeLimits::default());
    decoder.push(chunk.clone());
    assert!(decoder.next().unwrap().is_some() && decoder.next() == Ok(None));
    assert_eq!(decoder.len(), HEADER_LEN);
    // Nobody else holds the chunk.
    assert!(chunk.try_into_mut().is_ok());
}

#[test]
fn empty_messages_are_messages() {
    let mut decoder = Decoder::new(SizeLimits::default());
    let empty: Vec<u8> = (0..=255u8).flat_map(|kind| header(Kind(kind), 1, 0).to_bytes(0)).collect();
    decoder.push(empty.into());
    for kind in 0..=255u8 {
        let frame = decoder.next().unwrap().unwrap();
        assert!(frame.header.kind == Kind(kind) && frame.payload.is_empty());
        let taken = Message::parse(frame.header.kind, &frame.payload).is_ok();
        let needs = [1, 2, 0x30, 0x31, 0x32, 0x40, 0x80, 0x81, 0xcd];
        assert_eq!(taken, !needs.contains(&kind), "{kind:#x}");
    }
}

#[test]
fn a_hit_that_says_255_records_has_as_many_as_there_are() {
    let hit = |count: u8, records: &[u8]| {
        let mut payload = vec![count, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        payload.extend(records);
        payload.extend([b'G'; 16]);
        Message::parse(Kind::QUERY_HIT, &payload.into())
    };
    let record = [&[1, 0, 0, 0, 2, 0, 0, 0][..], b"a\0\0"].concat();
    assert!(hit(255, &record.repeat(3)).is_err() && hit(3, &record.repeat(3)).is_ok());
    // What is behind the records is the trailer, whatever it is; the GUID is never a part of a record.
    let Ok(Message::QueryHit(less)) = hit(1, &record.repeat(3)) else { panic!() };
    assert_eq!((less.records.len(), less.trailer.len()), (1, 22));
    assert!(hit(1, &[1, 0, 0, 0, 2, 0, 0, 0, b'a', 0]).is_err());
    assert!(hit(1, &[0; 9]).is_err());
}

#[test]
fn header_floods_end_the_handshake() {
    let mut endless = Handshake::accept();
    let mut pushed = 0;
    let why = loop {
        pushed += 100;
        match endless.push(Bytes::from_static(&[b'a'; 100])) {
            Ok(None) => {}
            other => break other.unwrap_err(),
        }
    };
    assert_eq!((why, pushed), (HandshakeError::Head(HeadError::TooLong), (MAX_HEAD / 100 + 1) * 100));
    let lines = |count: usize, line: &str| {
        let text = format!("GNUTELLA CONNECT/0.6\r\n{}\r\n", line.repeat(count));
        HeadReader::new().read(&mut Bytes::from(text)).map(|head| head.unwrap().headers.len())
    };
    assert_eq!(lines(MAX_HEADERS, "a: b\r\n"), Ok(MAX_HEADERS));
    assert_eq!(lines(MAX_HEADERS + 1, "a: b\r\n"), Err(HeadError::TooManyHeaders));
    assert_eq!(lines(MAX_HEADERS + 1, " folded\r\n"), Err(HeadError::TooManyHeaders));
    // Just as long as may be.
    let longest = |len: usize| {
        let text = format!("GNUTELLA CONNECT/0.6\r\na: {}\r\n\r\n", "b".repeat(len));
        (text.len(), HeadReader::new().read(&mut Bytes::from(text)).is_ok())
    };
    assert_eq!(longest(MAX_HEAD - 29), (MAX_HEAD, true));
    assert_eq!(longest(MAX_HEAD - 28), (MAX_HEAD + 1, false));
}

#[test]
fn a_slow_handshake_holds_what_it_sent() {
    let mut reader = HeadReader::new();
    for at in 0..1_000 {
        assert_eq!(reader.read(&mut Bytes::from_static(b"a")), Ok(None));
        assert_eq!(reader.len(), at + 1);
    }
}

#[test]
fn lists_of_addresses_are_cut() {
    let many: Vec<String> = (0..500u32).map(|i| format!("192.0.{}.{}", i / 250, i % 250)).collect();
    let text = format!(
        "GNUTELLA CONNECT/0.6\r\nX-Try-Ultrapeers: {}\r\nX-Features: {}\r\nUser-Agent: {}\r\n\r\n",
        many[..300].join(","),
        "a/1,".repeat(300),
        "é".repeat(500)
    );
    let mut hears = Handshake::accept();
    hears.push(text.into()).unwrap();
    let peer = hears.peer();
    assert_eq!((peer.ultrapeers.len(), peer.features.len()), (TRIES_MAX, TRIES_MAX));
    assert_eq!(peer.user_agent.as_ref().unwrap().len(), 128);
}

#[test]
fn bytes_before_an_answer_are_bounded() {
    let mut hears = Handshake::accept();
    hears.push(Bytes::from_static(b"GNUTELLA CONNECT/0.6\r\n\r\n")).unwrap();
    for _ in 0..MAX_HEAD / 64 {
        assert!(matches!(hears.push(Bytes::from_static(&[0; 64])), Ok(None)));
    }
    assert!(matches!(hears.push(Bytes::from_static(&[0; 64])), Err(HandshakeError::Turn)));
}

#[test]
fn a_query_of_a_thousand_words_costs_sixteen() {
    let text: String = (0..1_000).map(|i| format!("w{i:03} ")).collect();
    assert_eq!(Wanted::of_text(&text).words().len(), WANTED_MAX);
    // And one of one endless word no more than its length.
    assert_eq!(Wanted::of_text(&"x".repeat(4_000)).words().len(), 1);
    let urns =
        b"\x80\0\0".to_vec().into_iter().chain(b"urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB\x1c".repeat(90));
    let Ok(Message::Query(query)) = Message::parse(Kind::QUERY, &urns.collect()) else { panic!() };
    assert_eq!(Wanted::of(&query).urns().len(), WANTED_MAX);
}
