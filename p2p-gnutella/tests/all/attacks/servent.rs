//! What strangers try, against the machine itself: bounded memory and work, and honest neighbours served.

use crate::servents::victim::{Victim, guid, head, query};
use bytes::{Bytes, BytesMut};
use p2p_core::hash::Sha1Hash;
use p2p_core::{Datagram, Effect, Input, Rng, StreamInput, Target};
use p2p_gnutella::handshake::Role;
use p2p_gnutella::qrp::{Cut, Table, update};
use p2p_gnutella::servent::{Config, Mode, Parting, Timer};
use p2p_gnutella::wire::vendor::{HeadPing, MessageType};
use p2p_gnutella::wire::{
    Compressor, Frame, Header, HitBuilder, HitFlags, Kind, Message, Patch, Ping, Pong, Push, Query,
    QueryFlags, Route, Vendor, VendorCode, VendorMessage,
};
use p2p_gnutella::{Guid, Urn};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

fn ultrapeer() -> Victim {
    Victim::new(Config::new(Mode::Ultrapeer))
}

#[test]
fn a_ttl_of_255_is_cut_and_hops_of_255_go_nowhere() {
    let mut victim = ultrapeer();
    let (mut a, b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    let from = victim.sent.len();
    victim.say(&mut a, head(guid(1), Kind::QUERY, 255, 0), &query("far"));
    victim.say(&mut a, head(guid(2), Kind::QUERY, 255, 255), &query("wraps"));
    victim.say(&mut a, head(guid(3), Kind::QUERY, 0, 3), &query("dead"));
    victim.say(&mut a, head(guid(4), Kind::QUERY, 7, 6), &query("last"));
    let heard: Vec<_> =
        victim.heard(&b, from).iter().map(|f| (f.header.guid, f.header.ttl, f.header.hops)).collect();
    assert_eq!(heard, [(guid(1), 6, 1)], "together seven at most");
    assert_eq!(victim.servent().counts().malformed, 2);
}

#[test]
fn loops_and_reused_guids_are_dropped() {
    let mut victim = ultrapeer();
    let (mut a, mut b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    let c = victim.link(3, Role::Ultrapeer, false);
    let from = victim.sent.len();
    for _ in 0..50 {
        victim.say(&mut a, head(guid(1), Kind::QUERY, 4, 1), &query("again"));
        victim.say(&mut b, head(guid(1), Kind::QUERY, 4, 2), &query("another text"));
    }
    assert_eq!(victim.heard(&c, from).len(), 1);
    assert_eq!(victim.servent().counts().duplicates, 99);
}

#[test]
fn a_probe_may_be_followed_once_a_ttl_and_by_its_sender_only() {
    let mut victim = ultrapeer();
    let (mut a, mut b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    let c = victim.link(3, Role::Ultrapeer, false);
    victim.share("probed");
    let from = victim.sent.len();
    victim.say(&mut a, head(guid(1), Kind::QUERY, 1, 0), &query("probed"));
    assert_eq!(victim.heard(&c, from).len(), 0);
    victim.say(&mut b, head(guid(1), Kind::QUERY, 3, 0), &query("probed"));
    assert_eq!(victim.heard(&c, from).len(), 0, "it is not his");
    victim.say(&mut a, head(guid(1), Kind::QUERY, 3, 0), &query("probed"));
    victim.say(&mut a, head(guid(1), Kind::QUERY, 3, 0), &query("probed"));
    assert_eq!(victim.heard(&c, from).len(), 1);
    let hits = victim.heard(&a, from).iter().filter(|frame| frame.header.kind == Kind::QUERY_HIT).count();
    assert_eq!(hits, 1, "what is here is told once");
}

#[test]
fn a_hit_nobody_asked_for_goes_nowhere() {
    let mut victim = ultrapeer();
    let (mut a, mut b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    victim.say(&mut a, head(guid(1), Kind::QUERY, 3, 0), &query("mine"));
    let mut hit = HitBuilder::new(SocketAddrV4::new([1, 2, 3, 4].into(), 5), 6);
    hit.record(1, 2, b"mine.txt", |_| {});
    let hit = Message::QueryHit(hit.finish(VendorCode(*b"EVIL"), HitFlags::default(), Guid([8; 16]), |_| {}));
    let from = victim.sent.len();
    victim.say(&mut b, head(guid(7), Kind::QUERY_HIT, 3, 0), &hit);
    victim.say(&mut a, head(guid(1), Kind::QUERY_HIT, 3, 0), &hit);
    assert!(
        victim.heard(&a, from).is_empty() && victim.heard(&b, from).is_empty(),
        "nor back to who sent it"
    );
    assert_eq!(victim.servent().counts().astray, 2);
    victim.say(&mut b, head(guid(1), Kind::QUERY_HIT, 3, 0), &hit);
    assert_eq!(victim.heard(&a, from).len(), 1);
    // A servent's name is led to who last had a hit of it; a push with another goes nowhere.
    let push = |servent| {
        Message::Push(Push {
            servent,
            index: 0,
            addr: SocketAddrV4::new([9, 9, 9, 9].into(), 9),
            extensions: Bytes::new(),
        })
    };
    victim.say(&mut a, head(guid(20), Kind::PUSH, 4, 0), &push(Guid([8; 16])));
    victim.say(&mut a, head(guid(21), Kind::PUSH, 4, 0), &push(Guid([66; 16])));
    assert_eq!(victim.heard(&b, from).iter().filter(|frame| frame.header.kind == Kind::PUSH).count(), 1);
}

#[test]
fn a_flood_of_queries_is_bounded_in_memory_and_in_what_goes_on() {
    let mut config = Config::new(Mode::Ultrapeer);
    config.limits.query_rate = 100;
    config.limits.routes = 1_000;
    let mut victim = Victim::new(config);
    let (mut a, b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    let from = victim.sent.len();
    for number in 0..5_000 {
        victim.say(&mut a, head(guid(number), Kind::QUERY, 4, 1), &query("flood"));
    }
    assert_eq!(victim.heard(&b, from).len(), 400, "a burst of four seconds");
    assert_eq!(victim.servent().counts().flooded, 4_600);
    for _ in 0..100 {
        victim.wait(4);
        for _ in 0..400 {
            let drawn = Guid(victim.source.rng.bytes());
            victim.say(&mut a, head(drawn, Kind::QUERY, 4, 1), &query("flood"));
        }
        assert!(victim.servent().load().routes <= 1_000 + 2 * 125);
    }
}

#[test]
fn a_neighbour_that_takes_nothing_costs_its_queue() {
    let mut victim = ultrapeer();
    let (mut a, b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    victim.give(Input::Stream(b.conn, StreamInput::Full));
    let from = victim.sent.len();
    for number in 0..8_000 {
        victim.say(&mut a, head(guid(number), Kind::QUERY, 4, 1), &query("while it sleeps"));
    }
    assert!(victim.heard(&b, from).is_empty());
    let held = victim.servent().load().held;
    assert!((60_000..=66_000).contains(&held), "{held} bytes");
    assert!(victim.servent().counts().crowded_out > 6_000);
    victim.give(Input::Stream(b.conn, StreamInput::Ready));
    let heard = victim.heard(&b, from);
    assert_eq!(heard.last().unwrap().header.guid, guid(7_999), "the newest is what it gets");
    assert_eq!(victim.servent().load().held, 0);
}

#[test]
fn a_decompression_bomb_ends_its_link() {
    let mut victim = ultrapeer();
    let mut a = victim.link(1, Role::Ultrapeer, true);
    // Zeros: pings without a TTL, 23 bytes each, a thousand to one.
    let (mut deflater, mut bomb) = (a.deflater.take().unwrap(), BytesMut::new());
    let zeros = vec![0; 1 << 20];
    (0..64).for_each(|_| deflater.write(&zeros, &mut bomb));
    for chunk in bomb.chunks(16 << 10) {
        if victim.is_closed(a.conn) {
            break;
        }
        victim.data(a.conn, Bytes::copy_from_slice(chunk));
    }
    assert!(victim.is_closed(a.conn));
    assert!(matches!(victim.parted()[..], [Parting::Garbled(_)]));
    let counts = victim.servent().counts();
    assert!(counts.messages_in < 200_000, "{} messages of 2.9 million", counts.messages_in);
}

#[test]
fn a_patch_that_overflows_its_table_ends_its_link() {
    for (number, bad) in [
        Patch {
            number: 1,
            count: 1,
            compressor: Compressor::None,
            entry_bits: 8,
            data: vec![1; 60_000].into(),
        },
        Patch { number: 2, count: 2, compressor: Compressor::None, entry_bits: 8, data: vec![1; 10].into() },
        Patch { number: 1, count: 1, compressor: Compressor::Zlib, entry_bits: 8, data: vec![1; 10].into() },
    ]
    .into_iter()
    .enumerate()
    {
        let mut victim = ultrapeer();
        let mut a = victim.link(1, Role::Leaf, false);
        let from = victim.sent.len();
        let header = head(Guid::ZERO, Kind::ROUTE, 1, 0);
        victim.say(&mut a, header, &Message::Route(Route::Reset { slots: 1 << 13, infinity: 7 }));
        victim.say(&mut a, header, &Message::Route(Route::Patch(bad)));
        assert!(victim.is_closed(a.conn), "{number}");
        let bye = victim.heard(&a, from).pop().unwrap();
        assert!(
            matches!(Message::parse(bye.header.kind, &bye.payload), Ok(Message::Bye(bye)) if bye.code == 413)
        );
    }
    // A patch before any reset, as gtk-gnutella answers it; and resets without end.
    let mut victim = ultrapeer();
    let (mut a, mut b) = (victim.link(1, Role::Leaf, false), victim.link(2, Role::Leaf, false));
    let header = head(Guid::ZERO, Kind::ROUTE, 1, 0);
    let mut table = Table::new(16);
    table.insert_name("a name", Cut::NONE);
    let messages = update(None, &table, 4);
    victim.say(&mut a, header, &Message::Route(messages[1].clone()));
    assert!(victim.is_closed(a.conn));
    for _ in 0..5 {
        assert!(!victim.is_closed(b.conn));
        victim.say(&mut b, header, &Message::Route(messages[0].clone()));
    }
    victim.say(&mut b, header, &Message::Route(messages[0].clone()));
    assert!(victim.is_closed(b.conn), "a reset costs its table's size");
}

#[test]
fn a_leaf_that_relays_is_told_to_go() {
    let mut victim = ultrapeer();
    let mut a = victim.link(1, Role::Leaf, false);
    let from = victim.sent.len();
    victim.say(&mut a, head(guid(1), Kind::QUERY, 3, 2), &query("not mine"));
    let bye = victim.heard(&a, from).pop().unwrap();
    assert!(
        matches!(Message::parse(bye.header.kind, &bye.payload), Ok(Message::Bye(bye)) if bye.code == 414)
    );
    assert!(victim.is_closed(a.conn));
}

#[test]
fn oversized_and_empty_messages() {
    let mut victim = ultrapeer();
    let (mut a, mut b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    for kind in [Kind::QUERY, Kind::QUERY_HIT, Kind::PONG, Kind::PUSH, Kind::ROUTE, Kind::VENDOR, Kind(0x99)]
    {
        victim.say(&mut a, head(guid(1), kind, 3, 0), &Message::Other(kind, Bytes::new()));
    }
    assert!(!victim.is_closed(a.conn), "an empty message is dropped and no more");
    // A head that promises 4 GB: nothing is waited for, nothing allocated.
    let mut promise = head(guid(9), Kind::QUERY, 3, 0).to_bytes(u32::MAX).to_vec();
    promise.extend([0; 100]);
    victim.data(a.conn, promise);
    assert!(victim.is_closed(a.conn));
    assert_eq!(victim.servent().load().held, 0);
    let from = victim.sent.len();
    victim.say(&mut b, head(guid(10), Kind::PING, 1, 0), &Message::Ping(Ping { extensions: Bytes::new() }));
    assert_eq!(victim.heard(&b, from).len(), 1, "others are served");
}

#[test]
fn pings_again_and_again_are_answered_a_few_times() {
    let mut victim = ultrapeer();
    let mut a = victim.link(1, Role::Ultrapeer, false);
    let from = victim.sent.len();
    for number in 0..1_000 {
        victim.say(
            &mut a,
            head(guid(number), Kind::PING, 7, 0),
            &Message::Ping(Ping { extensions: Bytes::new() }),
        );
    }
    assert_eq!(victim.heard(&a, from).len(), 10);
}

#[test]
fn slow_loris_and_header_floods_hold_a_place_for_a_while() {
    let mut config = Config::new(Mode::Ultrapeer);
    config.limits.visitors = 8;
    config.limits.per_address = 1_000;
    let mut victim = Victim::new(config);
    let mut slow = Vec::new();
    for number in 0..20 {
        let conn = victim.open(SocketAddr::from(([198, 51, 100, number], 1_000)));
        victim.data(conn, &b"GNUTELLA CONN"[..]);
        slow.push(conn);
        assert!(victim.servent().load().visitors <= 8);
    }
    assert!(slow[..12].iter().all(|conn| victim.is_closed(*conn)), "the oldest make room");
    let late = slow[15];
    victim.give(Input::Timer(Timer::Door(late)));
    assert!(victim.is_closed(late), "and none may take for ever");
    // Headers without end.
    let conn = victim.open(SocketAddr::from(([198, 51, 100, 77], 1_000)));
    victim.data(conn, &b"GNUTELLA CONNECT/0.6\r\n"[..]);
    for _ in 0..10_000 {
        if victim.is_closed(conn) {
            break;
        }
        victim.data(conn, &b"X-More: and more\r\n"[..]);
    }
    assert!(victim.is_closed(conn));
    let other = victim.link(90, Role::Ultrapeer, false);
    assert!(!victim.is_closed(other.conn), "somebody else gets in");
}

#[test]
fn one_address_cannot_take_all_places() {
    let mut victim = ultrapeer();
    let mut taken = 0;
    for port in 0..100 {
        let conn = victim.open(SocketAddr::from(([198, 51, 100, 5], 1_000 + port)));
        taken += usize::from(!victim.is_closed(conn));
    }
    assert_eq!(taken, 20);
    let other = victim.link(90, Role::Ultrapeer, false);
    assert!(!victim.is_closed(other.conn));
}

#[test]
fn pings_by_udp_are_answered_a_few_times_each() {
    let mut victim = ultrapeer();
    let mut ping = BytesMut::new();
    let payload = Bytes::from_static(b"\xc3\x83SCP\x41\x01");
    Frame { header: head(guid(1), Kind::PING, 1, 0), payload }.encode(&mut ping);
    let (ping, socket) = (ping.freeze(), victim.socket.unwrap());
    for _ in 0..1_000 {
        let peer = SocketAddr::from(([192, 0, 2, 66], 9_999));
        victim.give(Input::Datagram(socket, Datagram::new(peer, ping.clone())));
    }
    assert_eq!(victim.datagrams.len(), 5, "whoever's address that is");
    for number in 0..10_000u32 {
        let [a, b, c, d] = number.to_be_bytes();
        let peer = SocketAddr::from(([100 + a, b, c, d], 9_999));
        victim.give(Input::Datagram(socket, Datagram::new(peer, ping.clone())));
    }
    assert_eq!(victim.datagrams.len(), 200, "and in all");
    for rubbish in [&b""[..], &b"GET / HTTP/1.1"[..], &[0xff; 200]] {
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        victim.give(Input::Datagram(socket, Datagram::new(peer, rubbish.to_vec())));
    }
    assert_eq!(victim.datagrams.len(), 200);
}

#[test]
fn pongs_and_addresses_fill_no_memory() {
    let mut victim = ultrapeer();
    let mut a = victim.link(1, Role::Ultrapeer, false);
    for number in 0..20_000u32 {
        let addr = SocketAddrV4::new(Ipv4Addr::from(0x0b00_0000 + number), 6346);
        let pong = Pong { addr, files: 1, kilobytes: 64, extensions: Bytes::new() };
        victim.say(&mut a, head(guid(number), Kind::PONG, 3, 2), &Message::Pong(pong));
    }
    assert!(victim.servent().load().hosts <= 1_000);
}

/// A datagram of a stranger.
fn datagram(victim: &mut Victim, from: SocketAddr, header: Header, message: &Message) {
    let mut data = BytesMut::new();
    Frame { header, payload: message.to_bytes() }.encode(&mut data);
    let socket = victim.socket.unwrap();
    victim.give(Input::Datagram(socket, Datagram::new(from, data.freeze())));
}

/// A query whose hits are to go by UDP to the address in its name.
fn out_of_band(text: &str) -> Message {
    Message::Query(Query {
        flags: QueryFlags(QueryFlags::MARK | QueryFlags::OUT_OF_BAND),
        text: Bytes::copy_from_slice(text.as_bytes()),
        extensions: Bytes::new(),
    })
}

/// Names of queries whose hits are to go to somebody who asked for nothing.
fn aimed(number: u32) -> Guid {
    let mut guid = guid(number);
    guid.0[4..8].copy_from_slice(&number.to_le_bytes());
    guid.0[..4].copy_from_slice(&[203, 0, 113, 66]);
    guid.0[13..15].copy_from_slice(&53u16.to_le_bytes());
    guid
}

const AIMED_AT: ([u8; 4], u16) = ([203, 0, 113, 66], 53);

#[test]
fn oob_amplification_by_queries_that_name_another() {
    let mut victim = ultrapeer();
    victim.share("bait");
    let mut a = victim.link(1, Role::Ultrapeer, false);
    let mut bytes = 0;
    for number in 0..1_000 {
        let query = out_of_band("bait");
        bytes += 23 + query.to_bytes().len();
        victim.say(&mut a, head(aimed(number), Kind::QUERY, 3, 2), &query);
    }
    let sent: usize = victim.datagrams.iter().map(|datagram| datagram.data.len()).sum();
    assert_eq!(victim.datagrams.len(), 10, "an address is offered ten, and one a second");
    assert!(sent <= 330 && sent * 50 < bytes, "{sent} bytes for {bytes}");
    assert!(victim.servent().load().offers <= 10);
    // Claims in his name bring pings, each shorter than the claim.
    let at = victim.datagrams.len();
    let ack = Message::Vendor(VendorMessage::oob_ack(255, b"abcd").to_vendor());
    for number in 0..1_000 {
        datagram(&mut victim, AIMED_AT.into(), Header::neighbour(aimed(number), Kind::VENDOR), &ack);
        datagram(&mut victim, AIMED_AT.into(), Header::neighbour(aimed(number), Kind::VENDOR), &ack);
    }
    assert_eq!(victim.datagrams.len() - at, 10, "a claim each");
    assert!(victim.datagrams[at..].iter().all(|ping| ping.data.len() == 23));
    // Pongs that guess the name of a ping bring nothing.
    let at = victim.datagrams.len();
    let pong = Message::Pong(Pong {
        addr: SocketAddrV4::new([203, 0, 113, 66].into(), 53),
        files: 0,
        kilobytes: 0,
        extensions: Bytes::new(),
    });
    for number in 0..10_000 {
        datagram(&mut victim, AIMED_AT.into(), head(guid(number), Kind::PONG, 1, 0), &pong);
    }
    assert_eq!(victim.datagrams.len(), at);
}

#[test]
fn a_neighbour_names_no_address_but_its_own() {
    let mut victim = ultrapeer();
    let (mut a, mut leaf) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Leaf, false));
    let b = victim.link(3, Role::Ultrapeer, false);
    let flags = |victim: &Victim, from| -> Vec<u16> {
        let heard = victim.heard(&b, from).into_iter().filter(|frame| frame.header.kind == Kind::QUERY);
        heard.map(|frame| u16::from_be_bytes(*frame.payload.first_chunk().unwrap())).collect()
    };
    let from = victim.sent.len();
    victim.say(&mut a, head(aimed(1), Kind::QUERY, 3, 0), &out_of_band("first hop"));
    assert_eq!(flags(&victim, from), [QueryFlags::MARK], "it goes on without the flag");
    let mut own = aimed(2);
    own.0[..4].copy_from_slice(&[198, 51, 100, 1]);
    let from = victim.sent.len();
    victim.say(&mut a, head(own, Kind::QUERY, 3, 0), &out_of_band("its own"));
    assert_eq!(flags(&victim, from), [QueryFlags::MARK | QueryFlags::OUT_OF_BAND]);
    // A leaf's is asked on step by step.
    let from = victim.sent.len();
    victim.say(&mut leaf, head(aimed(3), Kind::QUERY, 3, 0), &out_of_band("of a leaf"));
    victim.wait(3);
    victim.give(Input::Timer(Timer::Search(aimed(3))));
    victim.wait(3);
    victim.give(Input::Timer(Timer::Search(aimed(3))));
    assert_eq!(flags(&victim, from), [QueryFlags::MARK]);
}

#[test]
fn who_asks_to_be_dialled_gets_no_other_dialled() {
    let mut victim = ultrapeer();
    let mut a = victim.link(1, Role::Leaf, false);
    let mut dialled = Vec::new();
    for port in 1..=1_000 {
        let said = Message::Vendor(VendorMessage::TcpConnectBack(port).to_vendor());
        let mut bytes = BytesMut::new();
        Frame { header: Header::neighbour(Guid::ZERO, Kind::VENDOR), payload: said.to_bytes() }
            .encode(&mut bytes);
        let input = Input::Stream(a.conn, StreamInput::Data(bytes.freeze()));
        for effect in victim.give_raw(input) {
            if let Effect::Connect(_, Target::Addr(to), _) = effect {
                dialled.push(to);
            }
        }
    }
    assert_eq!(dialled.len(), 30, "in a minute, by all");
    assert!(dialled.iter().all(|to| to.ip() == a.peer.ip()));
    assert_eq!(victim.servent().load().visitors, 30);
    let at = victim.datagrams.len();
    for port in 1..=1_000 {
        let said = Message::Vendor(VendorMessage::UdpConnectBack(port, None).to_vendor());
        victim.say(&mut a, Header::neighbour(guid(1), Kind::VENDOR), &said);
    }
    assert_eq!(victim.datagrams.len(), at, "pings count too");
}

#[test]
fn vendor_messages_of_all_kinds_and_of_none() {
    let mut victim = ultrapeer();
    let mut a = victim.link(1, Role::Ultrapeer, false);
    let from = victim.sent.len();
    for vendor in
        [VendorCode::BEAR, VendorCode::GTKG, VendorCode::LIME, VendorCode::NONE, VendorCode(*b"EVIL")]
    {
        for selector in 0..30 {
            for version in 0..4 {
                for len in [0, 1, 2, 3, 9, 18, 300] {
                    let of = MessageType::new(vendor, selector, version);
                    let said = Message::Vendor(Vendor { of, body: vec![0xff; len].into() });
                    victim.say(&mut a, Header::neighbour(guid(1), Kind::VENDOR), &said);
                    datagram(&mut victim, AIMED_AT.into(), Header::neighbour(guid(1), Kind::VENDOR), &said);
                }
            }
        }
    }
    assert!(!victim.is_closed(a.conn));
    assert!(victim.heard(&a, from).len() <= 20, "few of them are questions");
    // As many pings as it can be asked for in a minute, and a few answers.
    assert!(victim.datagrams.len() <= 40);
}

#[test]
fn a_guid_of_another_servent_moves_no_pushes() {
    // A leaf asks for pushes to the name of another leaf.
    let mut victim = ultrapeer();
    let (mut own, mut thief) = (victim.link(1, Role::Leaf, false), victim.link(2, Role::Leaf, false));
    let mut asker = victim.link(3, Role::Ultrapeer, false);
    let request = Message::Vendor(VendorMessage::PushProxyRequest(2).to_vendor());
    victim.say(&mut own, Header::neighbour(Guid([1; 16]), Kind::VENDOR), &request);
    victim.say(&mut thief, Header::neighbour(Guid([1; 16]), Kind::VENDOR), &request);
    let from = victim.sent.len();
    let push = Push {
        servent: Guid([1; 16]),
        index: 0,
        addr: SocketAddrV4::new([9, 9, 9, 9].into(), 9),
        extensions: Bytes::new(),
    };
    victim.say(&mut asker, head(guid(9), Kind::PUSH, 4, 0), &Message::Push(push));
    let pushes = |to: &crate::servents::victim::Stranger| {
        victim.heard(to, from).iter().filter(|frame| frame.header.kind == Kind::PUSH).count()
    };
    assert_eq!((pushes(&own), pushes(&thief)), (1, 0));
}

/// Anybody can send hits in the name of another, from anywhere.
#[test]
fn hits_in_the_name_of_a_neighbour_move_neither_its_pushes_nor_questions_about_its_files() {
    let mut victim = ultrapeer();
    let mut own = victim.link(1, Role::Leaf, false);
    let mut thief = victim.link(2, Role::Leaf, false);
    let mut asker = victim.link(3, Role::Ultrapeer, false);
    let hit = |servent: Guid| {
        let mut hit = HitBuilder::new(SocketAddrV4::new([9, 9, 9, 9].into(), 9), 1);
        hit.record(1, 1, b"blue", |_| {});
        let flags = HitFlags::new(true, false, false);
        Message::QueryHit(hit.finish(VendorCode(*b"EVIL"), flags, servent, |_| {}))
    };
    victim.say(&mut asker, head(guid(7), Kind::QUERY, 2, 0), &query("blue"));
    for servent in [[1; 16], [77; 16]] {
        victim.say(&mut thief, head(guid(7), Kind::QUERY_HIT, 3, 0), &hit(Guid(servent)));
    }
    let mut heard = |victim: &mut Victim, servent: Guid, number| {
        let from = victim.sent.len();
        let addr = SocketAddrV4::new([9, 9, 9, 9].into(), 9);
        let push = Push { servent, index: 0, addr, extensions: Bytes::new() };
        victim.say(&mut asker, head(guid(number), Kind::PUSH, 4, 0), &Message::Push(push));
        let ping = HeadPing::new(&Urn::Sha1(Sha1Hash([1; 20])), 0).through(servent);
        let ping = Message::Vendor(VendorMessage::HeadPing(ping).to_vendor());
        victim.say(&mut asker, Header::neighbour(guid(number + 1), Kind::VENDOR), &ping);
        [&own, &thief].map(|leaf| victim.heard(leaf, from).len())
    };
    assert_eq!(heard(&mut victim, Guid([1; 16]), 20), [2, 0], "by its name");
    assert_eq!(heard(&mut victim, Guid([77; 16]), 30), [0, 2], "who is no neighbour, by the way of its hits");
    // Nor do they keep it from asking for pushes.
    let request = Message::Vendor(VendorMessage::PushProxyRequest(2).to_vendor());
    let from = victim.sent.len();
    victim.say(&mut own, Header::neighbour(Guid([1; 16]), Kind::VENDOR), &request);
    assert_eq!(victim.heard(&own, from).len(), 1, "it is told where they go");
}

#[test]
fn arbitrary_bytes_break_nothing() {
    for seed in 0..20 {
        let mut rng = Rng::fast_from(seed);
        let mut victim = ultrapeer();
        let deflate = rng.chance(0.3);
        let mut a = victim.link(1, Role::Ultrapeer, deflate);
        let b = victim.link(2, Role::Leaf, false);
        for _ in 0..200 {
            if victim.is_closed(a.conn) {
                break;
            }
            let kinds = [0x00, 0x01, 0x02, 0x30, 0x31, 0x32, 0x40, 0x80, 0x81, 0xcd];
            let kind = Kind(*rng.choose(&kinds).unwrap());
            let len = rng.index(80);
            let mut payload = vec![0; len];
            rng.fill(&mut payload);
            // Bye ends it, which is right.
            let kind = if kind == Kind::BYE { Kind::PING } else { kind };
            let header = Header {
                guid: guid(rng.below(8) as u32),
                kind,
                ttl: rng.below(9) as u8,
                hops: rng.below(4) as u8,
            };
            victim.say(&mut a, header, &Message::Other(kind, payload.into()));
        }
        assert!(!victim.is_closed(b.conn), "seed {seed}");
    }
}
