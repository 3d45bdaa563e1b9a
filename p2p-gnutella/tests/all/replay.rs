//! The captures: every handshake a byte at a time, every message read and written again.

use crate::capture::{Conversation, From, record};
use bytes::{Bytes, BytesMut};
use p2p_core::Rng;
use p2p_gnutella::Guid;
use p2p_gnutella::deflate::{Deflater, Inflater, LINK, LINK_LEVEL};
use p2p_gnutella::ggep::fields::{GtkgVersion, PeerVersion, Slots, name, number};
use p2p_gnutella::handshake::{Event, Handshake, Introduction, Link, Role, Terms};
use p2p_gnutella::huge::{Urn, parse_tth};
use p2p_gnutella::qrp::{Cut, Progress, Receiver, Wanted};
use p2p_gnutella::wire::vendor::{Features, MessageType, SupportedMessages};
use p2p_gnutella::wire::{Decoder, Extension, Frame, Kind, Message, SizeLimits, VendorCode, VendorMessage};
use std::collections::BTreeMap;
use std::net::IpAddr;

fn us(role: Role) -> Introduction {
    Introduction::new(role, Guid::of_servent(&mut Rng::fast_from(1)), "p2p/0.1")
}

/// How a recorded handshake ended for one side of it.
pub(crate) enum Ended {
    Linked(Box<Link>),
    Refused(u16, String),
    Unfinished,
}

/// One side of a recorded conversation, read as whoever was on its other side, `piece` bytes at a time.
pub(crate) fn read_side(conversation: &Conversation, from: From, piece: usize) -> Ended {
    let addr = IpAddr::V4(*conversation.client.ip());
    let mut out = BytesMut::new();
    let us = us(Role::Ultrapeer);
    let mut handshake = match from {
        From::Client => Handshake::accept(),
        From::Server => Handshake::dial(&us, addr, &mut out),
    };
    let sent = conversation.sent_by(from);
    let mut pieces = sent.chunks(piece);
    while let Some(bytes) = pieces.next() {
        let mut event = handshake.push(Bytes::copy_from_slice(bytes)).unwrap();
        // What came early is looked at once the leg before it is answered.
        while let Some(happened) = event.take() {
            let mut link = match happened {
                Event::Asked => match handshake.agree(&us, addr, Terms::default(), &mut out) {
                    None => {
                        event = handshake.push(Bytes::new()).unwrap();
                        continue;
                    }
                    Some(old) => Box::new(old),
                },
                Event::Answered => Box::new(handshake.agree(&us, addr, Terms::default(), &mut out).unwrap()),
                Event::Linked(link) => link,
                Event::Refused(code, reason) => return Ended::Refused(code, reason),
            };
            let rest: Vec<u8> = pieces.by_ref().flatten().copied().collect();
            link.rest = [&link.rest[..], &rest].concat().into();
            return Ended::Linked(link);
        }
    }
    Ended::Unfinished
}

/// The messages of a link, as they are after inflating, and what is left over.
fn frames(link: &Link, piece: usize) -> (Vec<Frame>, usize) {
    let limits = SizeLimits::default();
    let mut plain = Vec::new();
    if link.inflate {
        let mut inflater = Inflater::new(LINK);
        for bytes in link.rest.chunks(piece) {
            let mut input = Bytes::copy_from_slice(bytes);
            loop {
                let some = inflater.read(&mut input).unwrap();
                if some.is_empty() {
                    break;
                }
                plain.extend_from_slice(&some);
            }
        }
    } else {
        plain.extend_from_slice(&link.rest);
    }
    let (mut decoder, mut frames) = (Decoder::new(limits), Vec::new());
    for bytes in plain.chunks(piece) {
        decoder.push(Bytes::copy_from_slice(bytes));
        loop {
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                // A probe of 70 kB.
                Err(_) => return (frames, decoder.len()),
            }
        }
    }
    let mut again = BytesMut::new();
    frames.iter().for_each(|frame| frame.encode(&mut again));
    assert_eq!(&again[..], &plain[..again.len()], "written as it came");
    (frames, decoder.len())
}

/// Reads a message in every way that there is.
fn read_whole(frame: &Frame) -> Message {
    let Frame { header, payload } = frame;
    let message = Message::parse(header.kind, payload).unwrap_or_else(|why| panic!("{frame:?}: {why}"));
    assert_eq!(message.kind(), header.kind);
    assert_eq!(message.to_bytes(), payload, "{message:?}");
    let extensions = match &message {
        Message::Ping(ping) => vec![ping.extensions()],
        Message::Pong(pong) => vec![pong.extensions()],
        Message::Push(push) => vec![push.extensions()],
        Message::Query(query) => vec![query.extensions()],
        Message::QueryHit(hit) => {
            assert_eq!(hit.records.iter().count(), hit.records.len());
            let trailer = hit.trailer().unwrap();
            hit.records.iter().map(|record| record.extensions).chain([trailer.extensions()]).collect()
        }
        Message::Vendor(vendor) => {
            // A probe sent that without its body.
            if (vendor.of.selector, vendor.body.len()) == (22, 0) {
                assert!(vendor.read().is_err());
                return message;
            }
            let said = vendor.read().unwrap_or_else(|why| panic!("{vendor:?}: {why}"));
            assert!(!matches!(said, VendorMessage::Other(_)), "{vendor:?}");
            let again = said.to_vendor();
            assert_eq!(again.of, vendor.of);
            // Another sent eight zeros too many in a request for a time sync.
            let behind = vendor.body.strip_prefix(&again.body[..]).unwrap();
            assert!(behind.is_empty() || behind == [0; 8] && vendor.of.selector == 9, "{vendor:?}");
            Vec::new()
        }
        _ => Vec::new(),
    };
    for extension in extensions.iter().flat_map(|extensions| extensions.iter()) {
        match extension {
            Extension::Ggep(field) => assert!(field.data().is_ok(), "{field:?}"),
            Extension::Text(text) => assert!(text.starts_with(b"urn:"), "{text:?}"),
            Extension::Malformed(why, _) => panic!("{message:?}: {why}"),
        }
    }
    message
}

fn links(name: &str) -> Vec<(Conversation, From, Box<Link>)> {
    let mut all = Vec::new();
    for conversation in record(name).conversations.into_iter().filter(Conversation::is_link) {
        for from in [From::Client, From::Server] {
            if let Ended::Linked(link) = read_side(&conversation, from, usize::MAX) {
                let pieces = Vec::new();
                let (client, server) = (conversation.client, conversation.server);
                all.push((Conversation { client, server, pieces }, from, link));
            }
        }
    }
    all
}

#[test]
fn every_handshake_is_read_a_byte_at_a_time() {
    let mut outcomes = BTreeMap::<String, usize>::new();
    for name in ["gtkg-plain", "gtkg-deflate"] {
        for conversation in record(name).conversations.iter().filter(|conversation| conversation.is_link()) {
            for from in [From::Client, From::Server] {
                let said = |ended: Ended| match ended {
                    Ended::Linked(link) => {
                        format!(
                            "{from:?} {:?} inflate {} rest {} {:?}",
                            link.peer_role,
                            link.inflate,
                            link.rest.len(),
                            link.peer
                        )
                    }
                    Ended::Refused(code, reason) => format!("{code} {reason}"),
                    Ended::Unfinished => format!("{from:?} unfinished"),
                };
                let whole = said(read_side(conversation, from, usize::MAX));
                assert_eq!(said(read_side(conversation, from, 1)), whole);
                let short: String = whole.split(" rest").next().unwrap().into();
                *outcomes.entry(short).or_default() += 1;
            }
        }
    }
    let expected = OUTCOMES.map(|(outcome, count)| (outcome.to_owned(), count));
    assert_eq!(outcomes, BTreeMap::from(expected), "{outcomes:#?}");
}

/// How the recorded handshakes end, and how often.
const OUTCOMES: [(&str, usize); 12] = [
    ("204 Shielded leaf node (4 peers max)", 2),
    ("403 Gnet connection not compressed", 1),
    ("403 Normal nodes refused", 2),
    ("429 Banned for 5m 0s", 1),
    ("Client Leaf inflate false", 4),
    ("Client Leaf inflate true", 2),
    ("Client Ultrapeer inflate false", 15),
    ("Client Ultrapeer inflate true", 1),
    // Probes that were refused, or went.
    ("Client unfinished", 21),
    ("Server Ultrapeer inflate false", 6),
    ("Server Ultrapeer inflate true", 21),
    // 0.4, garbage, and who was banned got no answer.
    ("Server unfinished", 10),
];

#[test]
fn every_message_is_written_as_it_came() {
    let mut kinds = BTreeMap::<(&str, Kind), usize>::new();
    for name in ["gtkg-plain", "gtkg-deflate"] {
        for (conversation, from, link) in links(name) {
            let (whole, left) = frames(&link, usize::MAX);
            assert_eq!(frames(&link, 1).0, whole, "{}", conversation.client);
            for frame in &whole {
                read_whole(frame);
                *kinds.entry((name, frame.header.kind)).or_default() += 1;
            }
            // Only the probe with the query of 70 kB leaves something.
            assert!(left == 0 || from == From::Client && left > 60_000, "{left} bytes are left over");
        }
        for datagram in record(name).datagrams {
            let frame = Frame::from_datagram(datagram.bytes.clone().into(), &SizeLimits::default()).unwrap();
            let mut again = BytesMut::new();
            frame.encode(&mut again);
            assert_eq!(again, datagram.bytes, "{} to {}", datagram.from, datagram.to);
            read_whole(&frame);
            *kinds.entry((name, frame.header.kind)).or_default() += 1;
        }
    }
    assert_eq!(kinds, BTreeMap::from(KINDS), "{kinds:#?}");
}

/// The recorded messages, as many as another program counted in the plain record.
const KINDS: [((&str, Kind), usize); 19] = [
    (("gtkg-deflate", Kind::PING), 77),
    (("gtkg-deflate", Kind::PONG), 97),
    (("gtkg-deflate", Kind::BYE), 1),
    (("gtkg-deflate", Kind::ROUTE), 47),
    (("gtkg-deflate", Kind::VENDOR), 55),
    (("gtkg-deflate", Kind::PUSH), 1),
    (("gtkg-deflate", Kind::QUERY), 32),
    (("gtkg-deflate", Kind::QUERY_HIT), 22),
    (("gtkg-deflate", Kind(0x99)), 8),
    (("gtkg-deflate", Kind::HORIZON), 27),
    (("gtkg-plain", Kind::PING), 90),
    (("gtkg-plain", Kind::PONG), 108),
    (("gtkg-plain", Kind::BYE), 2),
    (("gtkg-plain", Kind::ROUTE), 16),
    (("gtkg-plain", Kind::VENDOR), 45),
    (("gtkg-plain", Kind::PUSH), 3),
    (("gtkg-plain", Kind::QUERY), 8),
    (("gtkg-plain", Kind::QUERY_HIT), 7),
    (("gtkg-plain", Kind::HORIZON), 38),
];

/// The messages that one side of a recorded link sent.
fn sent(name: &str, client: &str, server: &str, from: From) -> Vec<Message> {
    let is_it = |(conversation, side, _): &(Conversation, From, Box<Link>)| {
        conversation.client.ip().to_string() == client
            && conversation.server.ip().to_string() == server
            && *side == from
    };
    let (.., link) = links(name).into_iter().find(is_it).unwrap();
    frames(&link, usize::MAX).0.iter().map(read_whole).collect()
}

#[test]
fn tables_are_received_and_hold_what_ours_would() {
    // Who sends a table, to whom, and the names of its files.
    let alpha = ["alpha quartz song.mp3", "bravo zebra document.txt"];
    let charlie = ["charlie quartz archive.zip"];
    let delta = ["delta quartz leaf photo.jpg"];
    for (client, server, from, names) in [
        ("198.51.100.1", "203.0.113.1", From::Client, &alpha[..]),
        ("198.51.100.1", "203.0.113.1", From::Server, &charlie),
        ("198.51.100.2", "198.51.100.1", From::Client, &delta),
        ("198.51.100.2", "203.0.113.1", From::Client, &delta),
    ] {
        let mut receiver = Receiver::new(17);
        let mut complete = 0;
        for message in sent("gtkg-plain", client, server, from) {
            let Message::Route(route) = message else { continue };
            if receiver.take(&route).unwrap() == Progress::Complete {
                complete += 1;
                let table = receiver.table().unwrap();
                for name in names {
                    // Each of our words and beginnings of words is in it.
                    let mut both = table.clone();
                    both.insert_name(name, Cut::MOST);
                    assert!(&both == table, "{name}");
                    assert!(table.may_match(&Wanted::of_text(name)));
                }
                assert!(!table.may_match(&Wanted::of_text("nobody has this")));
            }
        }
        assert!(complete > 0 && !receiver.is_receiving());
    }
}

#[test]
fn hits_tell_what_the_files_are() {
    let messages = sent("gtkg-plain", "198.51.100.1", "203.0.113.1", From::Server);
    let hit = messages.iter().find_map(|message| match message {
        Message::QueryHit(hit) => Some(hit),
        _ => None,
    });
    let hit = hit.unwrap();
    let record = hit.records.iter().next().unwrap();
    assert_eq!(
        (record.name, record.index, record.size()),
        (&b"charlie quartz archive.zip"[..], 1, 2_500_000)
    );
    let sha1 = "urn:sha1:WWGRI4MKNVGVEZJPP76TXPECPUNWOJXP".parse::<Urn>().unwrap();
    assert_eq!((record.sha1(), record.tth()), (sha1.sha1(), parse_tth(CHARLIE_TTH)));
    assert_eq!(record.created(), Some(0x68f3_8d9b));
    let trailer = hit.trailer().unwrap();
    assert_eq!(trailer.vendor, VendorCode::GTKG);
    let flags = trailer.flags();
    let told = (flags.push(), flags.busy(), flags.uploaded(), flags.measured(), flags.ggep());
    assert_eq!(told, (Some(false), Some(false), Some(false), None, Some(true)));
    assert!(trailer.extensions().has(name::BROWSE) && trailer.private.xml().is_none());
    let version = GtkgVersion::parse(&trailer.extensions().data(name::GTKG_VERSION).unwrap()).unwrap();
    assert_eq!(version.version, [1, 2, 3]);
    assert_eq!(hit.servent.to_string(), "a7af3102b2cdefc7e9ee4efde9d9c75f");
}

/// The root of charlie's tiger tree, as its holder says in `X-Thex-URI`.
const CHARLIE_TTH: &str = "R534UNZUNIGKWWWIQELPIYQMPHT7ZRWW6H5NTKA";

#[test]
fn pongs_and_first_messages_tell_what_a_servent_is() {
    let messages = sent("gtkg-plain", "198.51.100.1", "203.0.113.1", From::Server);
    let pong = messages.iter().find_map(|message| match message {
        Message::Pong(pong) => Some(pong),
        _ => None,
    });
    let pong = pong.unwrap();
    assert!(pong.is_ultrapeer() && (pong.files, pong.kilobytes) == (1, 2048));
    let slots = Slots::parse(&pong.extensions().data(name::ULTRAPEER).unwrap()).unwrap();
    assert_eq!(slots, Slots { version: 2, leaves: 255, ultrapeers: 49 });
    let vendor = PeerVersion::parse(&pong.extensions().data(name::VENDOR).unwrap()).unwrap();
    assert_eq!(vendor, PeerVersion { vendor: VendorCode::GTKG, version: Some(0x83) });
    assert_eq!(number(&pong.extensions().data(name::UPTIME).unwrap()), Some(14));
    let said = messages.iter().filter_map(|message| match message {
        Message::Vendor(vendor) => vendor.read().ok(),
        _ => None,
    });
    for message in said {
        match message {
            VendorMessage::Supported(types) => {
                assert_eq!(types.iter().count(), 26);
                assert!(types.has(MessageType::new(VendorCode::LIME, 23, 2)));
                assert!(!types.has(MessageType::new(VendorCode::LIME, 23, 3)));
                let list: Vec<_> = types.iter().collect();
                assert_eq!(SupportedMessages::new(&list), types);
            }
            VendorMessage::Features(features) => {
                assert_eq!((features.version(b"QRP1"), features.version(b"TLS!")), (Some(1), None));
                let list: Vec<_> = features.iter().collect();
                assert_eq!((list.len(), Features::new(&list)), (5, features));
            }
            _ => {}
        }
    }
}

#[test]
fn a_recorded_stream_is_as_long_when_it_is_deflated_here() {
    let mut lens = (0, 0);
    for (_, _, link) in links("gtkg-deflate").into_iter().filter(|(.., link)| link.inflate) {
        let (mut deflater, mut out) = (Deflater::new(LINK_LEVEL), BytesMut::new());
        for frame in frames(&link, usize::MAX).0 {
            let mut whole = BytesMut::new();
            frame.encode(&mut whole);
            deflater.write(&whole, &mut out);
        }
        lens.0 += link.rest.len();
        lens.1 += out.len();
    }
    // The worst case here: each message is flushed by itself.
    assert!(lens.1 < lens.0 * 2, "{lens:?}");
}
