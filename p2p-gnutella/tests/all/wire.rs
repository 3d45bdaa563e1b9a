//! Messages: heads, every kind by value, hits from both ends, datagrams, and payloads of any content.

use bytes::{Bytes, BytesMut};
use p2p_core::Rng;
use p2p_core::deflate::deflate;
use p2p_gnutella::ggep::{Writer, fields::name};
use p2p_gnutella::huge::parse_tth;
use p2p_gnutella::wire::frame::{UDP_DEFLATE_WELCOME, UDP_DEFLATED};
use p2p_gnutella::wire::vendor::{
    CrawlerPing, CrawlerPong, HeadCode, HeadPing, HeadPong, HeadReport, MessageType, Stamp, VendorMessage,
};
use p2p_gnutella::wire::{
    Bye, Decoder, Extensions, Frame, FrameError, HEADER_LEN, Header, Heads, HitBuilder, HitFlags, Horizon,
    Kind, Message, Ping, Pong, Push, Query, QueryFlags, QueryHit, SizeLimits, Triple, Undeliverable, Vendor,
    VendorCode, put_content, put_v4,
};
use p2p_gnutella::{Guid, Urn};
use proptest::prelude::*;
use std::net::SocketAddrV4;

fn addr(text: &str) -> SocketAddrV4 {
    text.parse().unwrap()
}

fn header(kind: Kind, ttl: u8, hops: u8) -> Header {
    Header { guid: Guid([7; 16]), kind, ttl, hops }
}

fn parse(kind: Kind, payload: &'static [u8]) -> Message {
    Message::parse(kind, &Bytes::from_static(payload)).unwrap()
}

#[test]
fn a_step_takes_one_and_gives_one() {
    let step =
        |ttl, hops, max| header(Kind::QUERY, ttl, hops).stepped(max).map(|header| (header.ttl, header.hops));
    assert_eq!(step(4, 0, 7), Ok((3, 1)));
    assert_eq!(step(1, 3, 7), Ok((0, 4)));
    // A TTL of 7 where 4 is the most: gtk-gnutella trims it.
    assert_eq!(step(7, 0, 4), Ok((3, 1)));
    assert_eq!(step(255, 0, 7), Ok((6, 1)));
    assert_eq!(step(0, 0, 7), Err(Undeliverable::NoTtl));
    assert_eq!(step(1, 7, 7), Err(Undeliverable::TooFar(7)));
    assert_eq!(step(255, 255, 255), Err(Undeliverable::TooFar(255)));
    assert_eq!(step(255, 254, 255), Ok((0, 255)));
    for ttl in 1..=255 {
        for hops in 0..=254 {
            if let Ok(header) = header(Kind::PING, ttl, hops).stepped(7) {
                assert!(header.ttl + header.hops <= 7 && header.hops == hops + 1 && header.ttl < ttl);
            }
        }
    }
    let answer = header(Kind::QUERY, 1, 3).answer(Kind::QUERY_HIT, 2);
    assert_eq!((answer.kind, answer.ttl, answer.hops), (Kind::QUERY_HIT, 5, 0));
    assert_eq!(header(Kind::QUERY, 1, 255).answer(Kind::QUERY_HIT, 2).ttl, 255);
}

/// The bytes of the annotated 0.4 protocol: no extensions, no flags, no trailer.
#[test]
fn messages_of_0_4() {
    let Message::Ping(ping) = parse(Kind::PING, b"") else { panic!() };
    assert_eq!(ping, Ping::default());
    let Message::Pong(pong) = parse(Kind::PONG, b"\xca\x18\xc0\x00\x02\x01\x05\0\0\0\x09\0\0\0") else {
        panic!()
    };
    assert_eq!((pong.addr, pong.files, pong.kilobytes), (addr("192.0.2.1:6346"), 5, 9));
    assert!(pong.extensions().is_empty() && !pong.is_ultrapeer());
    let Message::Query(query) = parse(Kind::QUERY, b"\x10\0blue train\0") else { panic!() };
    assert_eq!((&query.text[..], query.flags.is_marked()), (&b"blue train"[..], false));
    assert!(query.flags.max_hits().is_none() && !query.is_whats_new());
    let hit = b"\x02\xca\x18\xc0\x00\x02\x01\x38\0\0\0\x01\0\0\0\x64\0\0\0a.mp3\0\0\x02\0\0\0\xc8\0\0\0b.mp3\0\0GGGGGGGGGGGGGGGG";
    let Message::QueryHit(hit) = parse(Kind::QUERY_HIT, hit) else { panic!() };
    let records: Vec<_> =
        hit.records.iter().map(|record| (record.index, record.size(), record.name)).collect();
    assert_eq!(records, [(1, 100, &b"a.mp3"[..]), (2, 200, b"b.mp3")]);
    assert_eq!((hit.servent, hit.speed, hit.trailer(), hit.needs_push()), (Guid([b'G'; 16]), 56, None, None));
    let Message::Push(push) = parse(Kind::PUSH, b"GGGGGGGGGGGGGGGG\x05\0\0\0\xc0\x00\x02\x01\xca\x18") else {
        panic!()
    };
    assert_eq!((push.servent, push.index, push.addr), (Guid([b'G'; 16]), 5, addr("192.0.2.1:6346")));
}

#[test]
fn what_is_too_short_says_where() {
    for (kind, shortest) in [
        (Kind::PONG, 14),
        (Kind::BYE, 2),
        (Kind::ROUTE, 6),
        (Kind::VENDOR, 8),
        (Kind::PUSH, 26),
        (Kind::QUERY, 3),
        (Kind::QUERY_HIT, 27),
        (Kind::HORIZON, 24),
    ] {
        let zeros = Bytes::from(vec![0; shortest]);
        assert!(Message::parse(kind, &zeros).is_ok(), "{kind:?}");
        for len in 0..shortest {
            let cut = Message::parse(kind, &zeros.slice(..len));
            assert_eq!(cut.unwrap_err().at, len, "{kind:?} of {len}");
        }
    }
    assert!(Message::parse(Kind::QUERY, &Bytes::from_static(b"\x80\0no end")).is_err());
    assert!(Message::parse(Kind::HORIZON, &Bytes::from(vec![0; 25])).is_err());
}

#[test]
fn flags_of_a_query() {
    // As gtk-gnutella's leaf sends them, and as its ultrapeer passes them on.
    let (leaf, relayed) = (QueryFlags(0xbd00), QueryFlags(0xb900));
    assert!(
        leaf.has(QueryFlags::OUT_OF_BAND) && leaf.has(QueryFlags::BINARY_HASHES | QueryFlags::LEAF_GUIDED)
    );
    assert!(!leaf.has(QueryFlags::FIREWALLED));
    assert_eq!(leaf.without(QueryFlags::OUT_OF_BAND), relayed);
    assert_eq!(
        (QueryFlags(0x8010).max_hits(), QueryFlags(0x0010).max_hits(), leaf.max_hits()),
        (Some(16), None, None)
    );
    assert!(!QueryFlags(0x4000).has(QueryFlags::FIREWALLED), "without the mark it is a speed");
}

#[test]
fn an_ultrapeer_is_known_by_what_it_shares() {
    for (shared, ultrapeer, leaf) in [
        (0, 8, 0),
        (8, 8, 9),
        (9, 16, 9),
        (1_000, 1_024, 1_000),
        (1_024, 1_024, 1_025),
        (u32::MAX, 1 << 31, u32::MAX),
    ] {
        assert_eq!(
            (Pong::told_kilobytes(shared, true), Pong::told_kilobytes(shared, false)),
            (ultrapeer, leaf)
        );
    }
    let pong = |kilobytes| Pong { addr: addr("1.2.3.4:5"), files: 0, kilobytes, extensions: Bytes::new() };
    for shared in (0..70_000).chain([u32::MAX]) {
        assert!(pong(Pong::told_kilobytes(shared, true)).is_ultrapeer());
        assert!(!pong(Pong::told_kilobytes(shared, false)).is_ultrapeer());
    }
}

#[test]
fn a_hit_is_made_and_read() {
    let urn: Urn = "urn:bitprint:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB.LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ"
        .parse()
        .unwrap();
    let mut builder = HitBuilder::new(addr("198.51.100.1:6346"), 16);
    assert!(builder.is_empty());
    assert!(builder.record(1, 5_000, b"plain name.txt", |to| put_content(&urn, false, to)));
    assert!(builder.record(2, 6 << 30, b"with\0nul.bin", |to| put_content(&urn, true, to)));
    assert!(builder.record(3, 7, b"bad extensions", |to| to.extend_from_slice(b"ok\0lost")));
    let hit = builder.finish(VendorCode(*b"RUST"), HitFlags::new(true, false, true), Guid([9; 16]), |to| {
        let mut proxies = Vec::new();
        put_v4(addr("203.0.113.9:6347"), &mut proxies);
        Writer::new(to).put(name::PUSH, &proxies);
    });
    let payload = Message::QueryHit(hit.clone()).to_bytes();
    let Message::QueryHit(read) = Message::parse(Kind::QUERY_HIT, &payload).unwrap() else { panic!() };
    assert_eq!(read, hit);
    let records: Vec<_> = read.records.iter().collect();
    let (tth, sha1) = (parse_tth("LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ"), urn.sha1());
    assert_eq!((records[0].sha1(), records[0].tth(), records[0].size()), (sha1, tth, 5_000));
    assert_eq!((records[1].sha1(), records[1].tth(), records[1].size()), (sha1, tth, 6 << 30));
    assert_eq!((records[1].name, records[1].small_size), (&b"with nul.bin"[..], u32::MAX));
    assert_eq!(records[2].extensions, Extensions(b"ok"));
    assert_eq!(read.needs_push(), Some(true));
    let trailer = read.trailer().unwrap();
    let flags = trailer.flags();
    assert_eq!((flags.busy(), flags.uploaded(), flags.ggep()), (Some(false), Some(true), Some(true)));
    assert!(trailer.extensions().has(name::PUSH));
    let mut many = HitBuilder::new(addr("1.2.3.4:5"), 0);
    assert_eq!((0..300).filter(|at| many.record(*at, 1, b"x", |_| {})).count(), 255);
    assert_eq!(many.len(), 255);
}

/// LimeWire's hits: the open data is 4 bytes long, and the XML at the end is deflated, in clear, or missing.
#[test]
fn xml_stands_at_the_end() {
    let xml = b"<?xml version=\"1.0\"?><audios/>";
    let hit = |private: &[u8], xml_len: u16, flags: [u8; 2]| {
        let mut payload = b"\0\xca\x18\xc0\x00\x02\x01\0\0\0\0LIME\x04".to_vec();
        payload.extend(flags);
        payload.extend(xml_len.to_le_bytes());
        payload.extend(private);
        payload.extend([b'G'; 16]);
        let payload = Bytes::from(payload);
        let Message::QueryHit(hit) = Message::parse(Kind::QUERY_HIT, &payload).unwrap() else { panic!() };
        assert_eq!(Message::QueryHit(hit.clone()).to_bytes(), payload);
        hit
    };
    let read = |hit: &QueryHit| hit.trailer().unwrap().private.xml().map(std::borrow::Cow::into_owned);
    let ggep = b"\x01\xc3\x82BH\x40";
    for packed in [
        [&b"{deflate}"[..], &deflate(xml), &[0]].concat(),
        [&b"{plaintext}"[..], xml, &[0]].concat(),
        [&b"{}"[..], xml, &[0]].concat(),
        [&xml[..], &[0]].concat(),
        xml.to_vec(),
    ] {
        let hit = hit(&[&ggep[..], &packed].concat(), packed.len() as u16, [0x3d, 0x31]);
        assert_eq!(read(&hit).unwrap(), xml);
        assert!(hit.trailer().unwrap().extensions().has(name::BROWSE));
    }
    assert_eq!(read(&hit(b"{deflate}junk\0", 14, [0, 0])), None);
    // More XML than there is, none, and flags that do not announce GGEP.
    let silent = hit(ggep, 500, [0x1d, 0x11]);
    assert!(read(&silent).is_none() && silent.trailer().unwrap().extensions().is_empty());
    let bomb = [&b"{deflate}"[..], &deflate(&vec![0; 1 << 20])].concat();
    assert_eq!(read(&hit(&bomb, bomb.len() as u16, [0, 0])), None);
}

#[test]
fn a_bye_says_why() {
    let bye = Bye::new(413, "No reset\r\nX: y", "p2p/0.1");
    assert_eq!(&bye.text[..], b"No reset  X: y\r\nServer: p2p/0.1\r\n\r\n\0");
    assert_eq!(bye.sentence(), b"No reset  X: y");
    assert_eq!(Bye::new(200, "Servent shutdown", "").text, &b"Servent shutdown\0"[..]);
    assert_eq!(Message::parse(Kind::BYE, &Message::Bye(bye.clone()).to_bytes()), Ok(Message::Bye(bye)));
    let Message::Bye(short) = parse(Kind::BYE, b"\xc8\0") else { panic!() };
    assert_eq!((short.code, short.sentence()), (200, &b""[..]));
}

#[test]
fn horizons_are_read_and_doubted() {
    let near = Triple { servents: 1, files: 2, kibibytes: 151 };
    let far = Triple { servents: 2, files: 3, kibibytes: 2_592 };
    let horizon = Horizon::new(&[near, far]);
    assert!(horizon.is_sane() && horizon.iter().collect::<Vec<_>>() == [near, far]);
    assert!(
        !Horizon::new(&[far, near]).is_sane() && !Horizon::new(&[near, Triple { files: 1, ..far }]).is_sane()
    );
}

#[test]
fn vendor_messages_come_back() {
    let urn: Urn = "urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB".parse().unwrap();
    let report = HeadReport {
        code: HeadCode(1 | 4),
        vendor: Some(VendorCode::GTKG),
        queue: Some(-3),
        alternates: vec![addr("192.0.2.1:6346").into(), addr("192.0.2.2:1").into()],
    };
    let v1 = HeadPong::V1 {
        flags: 2 | 4,
        code: 1,
        rest: Bytes::from_static(b"GTKG\x7f\0\x02PP\0\x06\xc0\x00\x02\x01\xca\x18"),
    };
    let told = v1.report().unwrap();
    assert_eq!(
        (told.queue, told.vendor, &told.alternates[..]),
        (Some(127), Some(VendorCode::GTKG), &[addr("192.0.2.1:6346").into()][..])
    );
    assert_eq!(HeadPong::new(&report).report(), Some(report.clone()));
    let none = HeadPong::V1 { flags: 0, code: 0, rest: Bytes::new() };
    assert_eq!(none.report().unwrap().code.file(), HeadCode::NOT_FOUND);
    assert_eq!(HeadPong::V1 { flags: 2, code: 1, rest: Bytes::from_static(b"GTKG\0\0\xffx") }.report(), None);
    let through = HeadPing::new(&urn, HeadPing::ALTERNATES).through(Guid([5; 16]));
    assert_eq!((through.leaf(), through.urn()), (Some(Guid([5; 16])), Some(urn)));
    let mut neighbours = BytesMut::new();
    for (at, leaf) in [("192.0.2.1:1", b"en"), ("192.0.2.2:2", b"de"), ("192.0.2.3:3", b"fr")] {
        put_v4(addr(at), &mut neighbours);
        neighbours.extend_from_slice(leaf);
    }
    let pong =
        CrawlerPong { ultrapeers: 2, leaves: 9, features: CrawlerPing::LOCALE, rest: neighbours.freeze() };
    let seen: Vec<_> = pong.neighbours().map(|(addr, ultrapeer)| (addr.port(), ultrapeer)).collect();
    assert_eq!(seen, [(1, true), (2, true), (3, false)]);
    for message in [
        VendorMessage::HopsFlow(3),
        VendorMessage::TcpConnectBack(6346),
        VendorMessage::UdpConnectBack(6346, Some(Guid([1; 16]))),
        VendorMessage::UdpConnectBack(6346, None),
        VendorMessage::QueryStatusRequest,
        VendorMessage::QueryStatus(0xffff),
        VendorMessage::TimeSyncRequest(1),
        VendorMessage::TimeSync(0, Stamp { seconds: 5, micros: 6 }),
        VendorMessage::PushProxyCancel,
        VendorMessage::NodeInfoRequest(0x10),
        VendorMessage::CrawlerPing(CrawlerPing { ultrapeers: 255, leaves: 0, features: 8 }),
        VendorMessage::CrawlerPong(pong),
        VendorMessage::oob_ack(255, b""),
        VendorMessage::oob_ack(10, b"token"),
        VendorMessage::OobReply { version: 1, hits: 3, flags: None },
        VendorMessage::OobReply { version: 3, hits: 255, flags: Some(1) },
        VendorMessage::OobProxyVeto(None),
        VendorMessage::OobProxyVeto(Some(3)),
        VendorMessage::PushProxyRequest(2),
        VendorMessage::PushProxyAck(Err(6346)),
        VendorMessage::PushProxyAck(Ok(addr("192.0.2.1:6346"))),
        VendorMessage::HeadPing(HeadPing::new(&urn, HeadPing::RANGES)),
        VendorMessage::HeadPing(through),
        VendorMessage::HeadPong(v1),
        VendorMessage::HeadPong(HeadPong::new(&report)),
        VendorMessage::Other(Vendor {
            of: MessageType::new(VendorCode(*b"SWAP"), 1, 9),
            body: Bytes::from_static(b"x"),
        }),
    ] {
        let vendor = message.to_vendor();
        assert_eq!((vendor.of, vendor.read().unwrap()), (message.of(), message.clone()), "{message:?}");
        let payload = Message::Vendor(vendor.clone()).to_bytes();
        assert_eq!(Message::parse(Kind::VENDOR, &payload), Ok(Message::Vendor(vendor.clone())));
        assert_eq!(Message::parse(Kind::STANDARD, &payload), Ok(Message::Standard(vendor)));
    }
    assert_eq!(VendorMessage::oob_ack(1, b"t").oob_token().unwrap(), "t");
    assert!(VendorMessage::oob_ack(1, b"").oob_token().is_none());
    let stamp = Stamp { seconds: 0x68f3_8e4a, micros: 0x0009_c78d };
    assert_eq!(
        (Stamp::from_bytes(stamp.to_bytes()), stamp.to_bytes()),
        (stamp, *b"\x68\xf3\x8e\x4a\x00\x09\xc7\x8d")
    );
}

#[test]
fn what_is_relayed_is_not_copied() {
    let payload = Bytes::from_static(b"\x80\0a query that goes on\0");
    let mut stream = BytesMut::new();
    Frame { header: header(Kind::QUERY, 4, 0), payload }.encode(&mut stream);
    let (chunk, mut decoder) = (stream.freeze(), Decoder::new(SizeLimits::default()));
    decoder.push(chunk.clone());
    let frame = decoder.next().unwrap().unwrap();
    assert_eq!(frame.payload.as_ptr(), chunk[HEADER_LEN..].as_ptr());
    let mut heads = Heads::new();
    let stepped = frame.header.stepped(7).unwrap();
    let (head, whole) = (heads.head(&stepped, &frame.payload), heads.whole(&stepped, &frame.payload));
    assert_eq!([&head[..], &frame.payload].concat(), whole);
    assert_eq!(&whole[17..19], [3, 1]);
    assert_eq!(whole[HEADER_LEN..], chunk[HEADER_LEN..]);
    // One as long as it gets fits too.
    let long = Bytes::from(vec![1; 70_000]);
    assert_eq!(heads.whole(&stepped, &long).len(), 70_023);
}

#[test]
fn datagrams_are_one_message_each() {
    let limits = SizeLimits::default();
    let text = b"\x80\0blue blue blue blue blue blue blue blue blue blue\0";
    let frame = Frame { header: header(Kind::QUERY, 1, 0), payload: Bytes::from_static(text) };
    let mut plain = BytesMut::new();
    frame.encode(&mut plain);
    assert_eq!(Frame::from_datagram(plain.clone().freeze(), &limits), Ok(frame.clone()));
    let mut deflated = BytesMut::new();
    let packed = Frame { header: header(Kind::QUERY, 1 | UDP_DEFLATED, 0), payload: deflate(text).into() };
    packed.encode(&mut deflated);
    assert!(deflated.len() < plain.len());
    assert_eq!(Frame::from_datagram(deflated.freeze(), &limits), Ok(frame.clone()));
    let welcome = Frame { header: header(Kind::PING, 1 | UDP_DEFLATE_WELCOME, 0), ..frame };
    let mut asked = BytesMut::new();
    welcome.encode(&mut asked);
    assert_eq!(Frame::from_datagram(asked.freeze(), &limits).unwrap().header.ttl, 9);
    for len in 0..plain.len() {
        let cut = Frame::from_datagram(plain.clone().freeze().slice(..len), &limits);
        assert_eq!(cut, Err(FrameError::Datagram(len)));
    }
    plain.extend_from_slice(b"x");
    assert_eq!(Frame::from_datagram(plain.clone().freeze(), &limits), Err(FrameError::Datagram(plain.len())));
}

fn message() -> impl Strategy<Value = (Kind, Vec<u8>)> {
    let kinds = [0x00, 0x01, 0x02, 0x30, 0x31, 0x32, 0x40, 0x44, 0x80, 0x81, 0xcd, 0x99];
    let byte = prop_oneof![4 => any::<u8>(), 2 => Just(0), 1 => Just(0xc3), 1 => Just(1)];
    (prop::sample::select(kinds.to_vec()).prop_map(Kind), prop::collection::vec(byte, 0..160))
}

proptest! {
    #[test]
    fn what_is_read_is_written((kind, payload) in message()) {
        let payload = Bytes::from(payload);
        if let Ok(message) = Message::parse(kind, &payload) {
            prop_assert_eq!(message.kind(), kind);
            prop_assert_eq!(&message.to_bytes(), &payload, "{:?}", message);
            match message {
                Message::QueryHit(hit) => {
                    prop_assert_eq!(hit.records.iter().count(), hit.records.len());
                    for record in hit.records.iter() {
                        let _ = (record.size(), record.sha1(), record.tth(), record.created());
                    }
                    if let Some(trailer) = hit.trailer() {
                        let _ = (trailer.private.xml(), trailer.extensions().iter().count());
                    }
                }
                Message::Vendor(vendor) => drop(vendor.read()),
                Message::Query(query) => drop(p2p_gnutella::qrp::Wanted::of(&query)),
                _ => {}
            }
        }
    }

    #[test]
    fn every_vendor_message_is_read(
        of in prop::sample::select(vec![
            ([0; 4], 0u16), ([0; 4], 10), (*b"BEAR", 4), (*b"BEAR", 7), (*b"BEAR", 11), (*b"BEAR", 12), (*b"GTKG", 7),
            (*b"GTKG", 9), (*b"GTKG", 10), (*b"GTKG", 21), (*b"GTKG", 22), (*b"LIME", 5), (*b"LIME", 6), (*b"LIME", 11),
            (*b"LIME", 12), (*b"LIME", 13), (*b"LIME", 21), (*b"LIME", 22), (*b"LIME", 23), (*b"LIME", 24),
        ]),
        version in 0u16..4,
        body in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let of = MessageType::new(VendorCode(of.0), of.1, version);
        let vendor = Vendor { of, body: body.into() };
        if let Ok(message) = vendor.read() {
            let again = message.to_vendor();
            prop_assert!(vendor.body.starts_with(&again.body), "{:?}", message);
            prop_assert_eq!(again.read(), Ok(message.clone()));
            match message {
                VendorMessage::HeadPong(pong) => drop(pong.report()),
                VendorMessage::HeadPing(ping) => drop((ping.urn(), ping.leaf())),
                VendorMessage::CrawlerPong(pong) => prop_assert!(pong.neighbours().count() <= 10),
                VendorMessage::Supported(types) => prop_assert!(types.iter().count() <= 8),
                _ => {}
            }
        }
    }

    #[test]
    fn a_stream_is_the_same_however_it_is_cut(messages in prop::collection::vec(message(), 0..8), cuts in prop::collection::vec(1usize..60, 1..40), seed in any::<u64>()) {
        let mut rng = Rng::fast_from(seed);
        let frames: Vec<_> = messages.into_iter().map(|(kind, payload)| Frame {
            header: Header { guid: Guid(rng.bytes()), kind, ttl: rng.bits() as u8, hops: rng.bits() as u8 },
            payload: payload.into(),
        }).collect();
        let mut stream = BytesMut::new();
        frames.iter().for_each(|frame| frame.encode(&mut stream));
        let (mut decoder, mut read, mut rest) = (Decoder::new(SizeLimits::default()), Vec::new(), stream.freeze());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            decoder.push(rest.split_to((*cut).min(rest.len())));
            while let Some(frame) = decoder.next().unwrap() {
                read.push(frame);
            }
        }
        prop_assert!(decoder.is_empty());
        prop_assert_eq!(read, frames);
    }
}

#[test]
fn a_query_is_made() {
    let mut extensions = BytesMut::new();
    Writer::new(&mut extensions).put(name::WHATS_NEW, &[1]);
    let query = Query {
        flags: QueryFlags(QueryFlags::MARK),
        text: Bytes::from_static(p2p_gnutella::wire::WHATS_NEW),
        extensions: extensions.freeze(),
    };
    let Message::Query(read) =
        Message::parse(Kind::QUERY, &Message::Query(query.clone()).to_bytes()).unwrap()
    else {
        panic!()
    };
    assert!(read == query && read.is_whats_new());
    let push = Push { servent: Guid([1; 16]), index: 0, addr: addr("192.0.2.1:1"), extensions: Bytes::new() };
    assert_eq!(Message::parse(Kind::PUSH, &Message::Push(push.clone()).to_bytes()), Ok(Message::Push(push)));
}
