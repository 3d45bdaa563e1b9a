//! Hits by UDP, whether others reach a servent, and what is asked by UDP beside that.

use super::net::{Net, config};
use super::victim::{LISTENS, Stranger, Victim, guid, head, query};
use bytes::{Bytes, BytesMut};
use p2p_core::{Datagram, Input};
use p2p_gnutella::Guid;
use p2p_gnutella::ggep::{self, fields::name};
use p2p_gnutella::handshake::Role;
use p2p_gnutella::servent::{Config, Event, Mode, Timer, Wish};
use p2p_gnutella::wire::vendor::{CrawlerPing, MessageType, Stamp, SupportedMessages};
use p2p_gnutella::wire::{
    Frame, Header, HitBuilder, HitFlags, Kind, Message, Ping, Pong, Query, QueryFlags, SizeLimits,
    VendorCode, VendorMessage,
};
use p2p_sim::NodeIx;
use std::net::{SocketAddr, SocketAddrV4};

/// A line of ultrapeers, with a leaf at each end.
pub(super) fn line(seed: u64, ultrapeers: usize) -> (Net, Vec<NodeIx>, [NodeIx; 2]) {
    let mut net = Net::new(seed);
    let mut of = config(Mode::Ultrapeer);
    of.degree = 2;
    let up: Vec<_> = (0..ultrapeers).map(|_| net.add(of.clone())).collect();
    let mut leaf = config(Mode::Leaf);
    leaf.leaf_ultrapeers = 1;
    let ends = [net.add(leaf.clone()), net.add(leaf)];
    net.run(1);
    for two in up.windows(2) {
        net.join(two[1], &[two[0]]);
    }
    net.run(1);
    net.join(ends[0], &[up[0]]);
    net.join(ends[1], &[up[ultrapeers - 1]]);
    net.run(20);
    (net, up, ends)
}

fn reached(net: &Net, node: NodeIx) -> Option<(Option<bool>, Option<bool>)> {
    net.sim.events(node).iter().rev().find_map(|told| match told.event {
        Event::Reached { tcp, udp } => Some((tcp, udp)),
        _ => None,
    })
}

#[test]
fn a_leaf_is_told_that_it_is_reached() {
    let (net, _, ends) = line(31, 3);
    for end in ends {
        assert_eq!(reached(&net, end), Some((Some(true), Some(true))));
    }
}

#[test]
fn hits_go_straight_to_who_asked() {
    let (mut net, up, [asker, holder]) = line(32, 4);
    net.share(holder, "Coltrane - Blue Train.flac", b"a file");
    net.share(up[0], "blue from next door", b"a file");
    net.run(20);
    let op = net.search(asker, Wish::words("blue"));
    net.run(60);
    let mut hits = net.hits(asker, op);
    hits.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(hits.len(), 2, "{hits:?}");
    assert_eq!((&hits[0].name[..], hits[0].hops), (&b"Coltrane - Blue Train.flac"[..], 0));
    assert_eq!(hits[0].servent, net.servent(holder).guid());
    // What goes over the links is the neighbour's own hit and nothing else.
    assert_eq!(up.iter().map(|up| net.counts(*up).hits).sum::<u64>(), 0, "nobody led a hit on");
    // Who does not want that gets them by the way that the query went.
    let mut of = config(Mode::Leaf);
    of.leaf_ultrapeers = 1;
    // Nor has anybody take them for it.
    (of.out_of_band, of.oob_proxy) = (false, false);
    let old = net.add(of);
    net.run(1);
    net.join(old, &[up[0]]);
    net.run(20);
    let op = net.search(old, Wish::words("coltrane"));
    net.run(60);
    let hops: Vec<_> = net.hits(old, op).iter().map(|hit| hit.hops).collect();
    assert!(matches!(hops[..], [2..=9]), "{hops:?}");
}

#[test]
fn a_leaf_tells_how_many_hits_it_has_and_its_ultrapeer_stops() {
    // Its ultrapeer sees no hit, and would ask all of its neighbours.
    let run = |out_of_band: bool| {
        let mut net = Net::new(33);
        let mut of = config(Mode::Ultrapeer);
        (of.degree, of.leaf_hits) = (12, 5);
        let middle = net.add(of.clone());
        let mut leaf = config(Mode::Leaf);
        (leaf.leaf_ultrapeers, leaf.out_of_band) = (1, out_of_band);
        let asker = net.add(leaf.clone());
        of.degree = 1;
        let others: Vec<_> = (0..12).map(|_| net.add(of.clone())).collect();
        let holders: Vec<_> = (0..12).map(|_| net.add(leaf.clone())).collect();
        net.run(1);
        net.join(middle, &others);
        net.join(asker, &[middle]);
        for (at, holder) in holders.iter().enumerate() {
            net.share(*holder, "popular song", b"a file");
            net.join(*holder, &[others[at]]);
        }
        net.run(30);
        let op = net.search(asker, Wish::words("popular"));
        net.run(210);
        (net.hits(asker, op).len(), net.counts(middle).queries_out)
    };
    let (by_udp, by_links) = (run(true), run(false));
    assert!((5..=7).contains(&by_links.0), "{by_links:?}");
    assert!((5..=8).contains(&by_udp.0), "{by_udp:?} where {by_links:?} by links");
}

#[test]
fn the_newest_files_of_neighbours_and_their_leaves() {
    let (mut net, up, [asker, _]) = line(34, 4);
    let near = {
        let mut of = config(Mode::Leaf);
        of.leaf_ultrapeers = 1;
        net.add(of)
    };
    net.run(1);
    net.join(near, &[up[1]]);
    net.share(up[0], "of its ultrapeer", b"a file");
    net.share(up[1], "of the next", b"a file");
    net.share(near, "of a leaf of that", b"a file");
    net.share(up[2], "of one farther", b"a file");
    net.run(30);
    let asked = |net: &Net| up.iter().map(|up| net.counts(*up).queries_new).collect::<Vec<_>>();
    let before = asked(&net);
    net.search(asker, Wish::newest());
    net.run(60);
    let new: Vec<_> = asked(&net).iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(new, [1, 1, 0, 0]);
    assert_eq!(net.counts(near).queries_new, 1, "a leaf is asked whatever its table");
}

/// A datagram of a stranger.
pub(super) fn datagram(victim: &mut Victim, from: SocketAddr, header: Header, message: &Message) {
    let mut data = BytesMut::new();
    Frame { header, payload: message.to_bytes() }.encode(&mut data);
    let socket = victim.socket.unwrap();
    victim.give(Input::Datagram(socket, Datagram::new(from, data.freeze())));
}

pub(super) fn said_by(said: &VendorMessage) -> Message {
    Message::Vendor(said.to_vendor())
}

/// The datagrams that went out since, as messages.
pub(super) fn sent(victim: &Victim, from: usize) -> Vec<(SocketAddr, Header, Message)> {
    let frame = |datagram: &Datagram| {
        let frame = Frame::from_datagram(datagram.data.clone(), &SizeLimits::default()).unwrap();
        let message = Message::parse(frame.header.kind, &frame.payload).unwrap();
        (datagram.peer, frame.header, message)
    };
    victim.datagrams[from..].iter().map(frame).collect()
}

pub(super) fn vendor(message: &Message) -> VendorMessage {
    match message {
        Message::Vendor(vendor) => vendor.read().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A query whose hits are to go to this address.
fn out_of_band(text: &str, secured: bool) -> Message {
    let mut extensions = BytesMut::new();
    if secured {
        ggep::Writer::new(&mut extensions).put(name::SECURE_OOB, b"");
    }
    Message::Query(Query {
        flags: QueryFlags(QueryFlags::MARK | QueryFlags::OUT_OF_BAND),
        text: Bytes::copy_from_slice(text.as_bytes()),
        extensions: extensions.freeze(),
    })
}

/// The name of a query whose hits are to go here.
pub(super) fn to(addr: SocketAddrV4, number: u32) -> Guid {
    let mut guid = guid(number);
    guid.0[4..8].copy_from_slice(&number.to_le_bytes());
    guid.0[..4].copy_from_slice(&addr.ip().octets());
    guid.0[13..15].copy_from_slice(&addr.port().to_le_bytes());
    guid
}

const ASKER: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(203, 0, 113, 9), 7_000);

#[test]
fn what_is_said_until_hits_are_sent() {
    for secured in [true, false] {
        let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
        victim.share("blue train");
        let mut a = victim.link(1, Role::Ultrapeer, false);
        let name = to(ASKER, 1);
        victim.say(&mut a, head(name, Kind::QUERY, 3, 1), &out_of_band("train", secured));
        let (peer, header, message) = sent(&victim, 0).remove(0);
        assert_eq!((peer, header), (ASKER.into(), Header::neighbour(name, Kind::VENDOR)));
        let version = if secured { 3 } else { 2 };
        assert_eq!(vendor(&message), VendorMessage::OobReply { version, hits: 1, flags: Some(0) });
        assert_eq!(victim.datagrams[0].data.len(), 33);
        let token = if secured { &b"mine"[..] } else { b"" };
        let ack = said_by(&VendorMessage::oob_ack(10, token));
        datagram(&mut victim, ASKER.into(), Header::neighbour(name, Kind::VENDOR), &ack);
        let (peer, ping, message) = sent(&victim, 1).remove(0);
        assert!(matches!(message, Message::Ping(_)), "it shall show that it is there");
        assert_eq!(peer, ASKER.into());
        let pong = Message::Pong(Pong { addr: ASKER, files: 0, kilobytes: 0, extensions: Bytes::new() });
        let elsewhere = SocketAddr::from(([203, 0, 113, 10], 7_000));
        datagram(&mut victim, elsewhere, Header { kind: Kind::PONG, ..ping }, &pong);
        assert_eq!(victim.datagrams.len(), 2, "the name of a ping is good for one address");
        datagram(&mut victim, ASKER.into(), Header { kind: Kind::PONG, ..ping }, &pong);
        let (peer, header, message) = sent(&victim, 2).remove(0);
        assert_eq!((peer, header.guid), (ASKER.into(), name));
        let Message::QueryHit(hit) = message else { panic!() };
        assert_eq!(hit.records.iter().next().unwrap().name, b"blue train");
        let bears = hit.trailer().unwrap().extensions().data(name::SECURE_OOB).map(|data| data.into_owned());
        assert_eq!(bears.unwrap_or_default(), token);
        datagram(&mut victim, ASKER.into(), Header { kind: Kind::PONG, ..ping }, &pong);
        assert_eq!(victim.datagrams.len(), 3, "once");
        assert_eq!(victim.servent().load().offers, 0);
    }
}

/// A hit that bears a token, if there is one.
pub(super) fn hit(index: u32, token: &[u8]) -> Message {
    let mut hit = HitBuilder::new(SocketAddrV4::new([203, 0, 113, 20].into(), 6_346), 6);
    hit.record(index, 2, b"blue train", |_| {});
    let flags = HitFlags::new(false, false, false);
    Message::QueryHit(hit.finish(VendorCode(*b"TEST"), flags, Guid([8; 16]), |private| {
        if !token.is_empty() {
            ggep::Writer::new(private).put(name::SECURE_OOB, token);
        }
    }))
}

/// What a stranger has to say so that a servent believes that it is reached.
pub(super) fn reach(victim: &mut Victim) {
    let mut b = victim.link(99, Role::Ultrapeer, false);
    let types = SupportedMessages::new(&[
        MessageType::new(VendorCode::BEAR, 7, 1),
        MessageType::new(VendorCode::GTKG, 7, 2),
    ]);
    let from = victim.sent.len();
    victim.say(
        &mut b,
        Header::neighbour(Guid::ZERO, Kind::VENDOR),
        &said_by(&VendorMessage::Supported(types)),
    );
    let asked = victim.heard(&b, from);
    let port = LISTENS.parse::<SocketAddr>().unwrap().port();
    let back = asked.iter().find_map(|frame| match Message::parse(frame.header.kind, &frame.payload) {
        Ok(Message::Vendor(said)) if said.read() == Ok(VendorMessage::UdpConnectBack(port, None)) => {
            Some(frame.header.guid)
        }
        _ => None,
    });
    let ping = Message::Ping(Ping { extensions: Bytes::new() });
    datagram(victim, b.peer, head(back.unwrap(), Kind::PING, 1, 0), &ping);
    assert!(victim.told.iter().any(|event| matches!(event, Event::Reached { udp: Some(true), .. })));
}

#[test]
fn hits_are_taken_of_who_was_claimed_from_and_with_the_token() {
    let mut config = Config::new(Mode::Ultrapeer);
    config.reached_at = Some(LISTENS.parse().unwrap());
    let mut victim = Victim::new(config);
    reach(&mut victim);
    let b = victim.link(1, Role::Ultrapeer, false);
    let from = victim.sent.len();
    victim.search(Wish::words("train"));
    // Nobody has a table, so one neighbour is asked after a while.
    let name = match victim.asked(&b, from) {
        Some(name) => name,
        None => {
            let timers: Vec<_> = victim.timers.iter().copied().collect();
            let search = timers.into_iter().find(|timer| matches!(timer, Timer::Search(_))).unwrap();
            victim.wait(3);
            victim.give(Input::Timer(search));
            let Timer::Search(name) = search else { unreachable!() };
            name
        }
    };
    assert_eq!(SocketAddr::V4(name.reply_to()), LISTENS.parse().unwrap());
    let holder = SocketAddr::from(([203, 0, 113, 20], 6_346));
    let at = victim.datagrams.len();
    let offer = said_by(&VendorMessage::OobReply { version: 3, hits: 2, flags: Some(1) });
    datagram(&mut victim, holder, Header::neighbour(name, Kind::VENDOR), &offer);
    datagram(&mut victim, holder, Header::neighbour(name, Kind::VENDOR), &offer);
    datagram(&mut victim, holder, Header::neighbour(guid(5), Kind::VENDOR), &offer);
    let claims = sent(&victim, at);
    assert_eq!(claims.len(), 1, "an offer is claimed once, and none of what nobody asked for");
    let claim = vendor(&claims[0].2);
    let token = claim.oob_token().unwrap();
    assert!(matches!(claim, VendorMessage::OobAck { wanted: 2, .. }));
    let found = |victim: &Victim| victim.told.iter().filter(|event| matches!(event, Event::Hit(_))).count();
    let header = head(name, Kind::QUERY_HIT, 1, 0);
    datagram(&mut victim, holder, header, &hit(1, b""));
    datagram(&mut victim, holder, header, &hit(1, b"1234"));
    datagram(&mut victim, SocketAddr::from(([203, 0, 113, 21], 6_346)), header, &hit(1, &token));
    assert_eq!(found(&victim), 0, "no token, a wrong one, and one of another address");
    (1..6).for_each(|index| datagram(&mut victim, holder, header, &hit(index, &token)));
    assert_eq!(found(&victim), 2, "as many as were offered");
}

#[test]
fn who_nobody_can_dial_says_so_in_its_hits() {
    let mut victim = Victim::new(Config::new(Mode::Leaf));
    victim.share("behind a wall");
    let mut a = victim.dial(1, Role::Ultrapeer);
    let types = SupportedMessages::new(&[
        MessageType::new(VendorCode::BEAR, 7, 1),
        MessageType::new(VendorCode::LIME, 21, 2),
    ]);
    let from = victim.sent.len();
    victim.say(
        &mut a,
        Header::neighbour(Guid::ZERO, Kind::VENDOR),
        &said_by(&VendorMessage::Supported(types)),
    );
    let port = LISTENS.parse::<SocketAddr>().unwrap().port();
    let asked = victim.heard(&a, from);
    assert_eq!(
        asked
            .iter()
            .filter_map(|frame| Message::parse(frame.header.kind, &frame.payload).ok())
            .collect::<Vec<_>>(),
        [said_by(&VendorMessage::TcpConnectBack(port))]
    );
    let pushed = |victim: &mut Victim, a: &mut Stranger, number| {
        let from = victim.sent.len();
        victim.say(a, head(guid(number), Kind::QUERY, 1, 0), &query("wall"));
        let hit =
            victim.heard(a, from).into_iter().find(|frame| frame.header.kind == Kind::QUERY_HIT).unwrap();
        match Message::parse(Kind::QUERY_HIT, &hit.payload) {
            Ok(Message::QueryHit(hit)) => hit.needs_push(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(pushed(&mut victim, &mut a, 1), Some(false), "nobody had to dial it yet");
    victim.wait(31);
    let from = victim.sent.len();
    victim.give(Input::Timer(Timer::Tend));
    assert!(victim.told.iter().any(|event| matches!(event, Event::Reached { tcp: Some(false), .. })));
    let proxy = (victim.servent().guid(), said_by(&VendorMessage::PushProxyRequest(2)));
    let said = victim.heard(&a, from).into_iter().filter_map(|frame| {
        Some((frame.header.guid, Message::parse(frame.header.kind, &frame.payload).ok()?))
    });
    assert_eq!(
        said.collect::<Vec<_>>(),
        [proxy],
        "from here on pushes are led here, and that is asked for once"
    );
    victim.give(Input::Timer(Timer::Tend));
    assert_eq!(pushed(&mut victim, &mut a, 2), Some(true));
    // Somebody does after all.
    let conn = victim.open(SocketAddr::from(([198, 51, 100, 1], 9_999)));
    victim.data(conn, &b"\n\n"[..]);
    assert_eq!(pushed(&mut victim, &mut a, 3), Some(false));
}

#[test]
fn queries_by_udp_need_the_key_that_a_pong_gave() {
    let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
    victim.share("guess what");
    let peer = SocketAddr::from(([203, 0, 113, 40], 5_000));
    let asks = |key: &[u8]| {
        let mut extensions = BytesMut::new();
        ggep::Writer::new(&mut extensions).put(name::QUERY_KEY, key);
        extensions.freeze()
    };
    datagram(
        &mut victim,
        peer,
        head(guid(1), Kind::PING, 1, 0),
        &Message::Ping(Ping { extensions: asks(b"") }),
    );
    let Message::Pong(pong) = &sent(&victim, 0)[0].2 else { panic!() };
    let key = pong.extensions().data(name::QUERY_KEY).unwrap().into_owned();
    let asked = |victim: &mut Victim, peer, number, key: &[u8]| {
        let at = victim.datagrams.len();
        let query = Query {
            flags: QueryFlags(QueryFlags::MARK),
            text: Bytes::from_static(b"guess"),
            extensions: asks(key),
        };
        datagram(victim, peer, head(guid(number), Kind::QUERY, 1, 0), &Message::Query(query));
        // What is said beside is a pong: that it was heard, or a key that counts.
        sent(victim, at).iter().filter(|(.., message)| matches!(message, Message::QueryHit(_))).count()
    };
    assert_eq!(asked(&mut victim, peer, 10, b""), 0);
    assert_eq!(asked(&mut victim, SocketAddr::from(([203, 0, 113, 41], 5_000)), 11, &key), 0);
    assert_eq!(asked(&mut victim, peer, 12, &key), 1);
    assert_eq!(asked(&mut victim, peer, 12, &key), 0, "it was asked that before");
}

#[test]
fn crawlers_and_clocks_are_answered_a_few_times() {
    let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
    let _a = victim.link(1, Role::Ultrapeer, false);
    let peer = SocketAddr::from(([203, 0, 113, 50], 5_000));
    let ping = CrawlerPing { ultrapeers: 255, leaves: 255, features: 0xff };
    datagram(
        &mut victim,
        peer,
        Header::neighbour(guid(1), Kind::VENDOR),
        &said_by(&VendorMessage::CrawlerPing(ping)),
    );
    let VendorMessage::CrawlerPong(pong) = vendor(&sent(&victim, 0)[0].2) else { panic!() };
    assert_eq!((pong.ultrapeers, pong.leaves, pong.neighbours().count()), (1, 0, 1));
    datagram(
        &mut victim,
        peer,
        Header::neighbour(guid(2), Kind::VENDOR),
        &said_by(&VendorMessage::TimeSyncRequest(0)),
    );
    let (_, header, message) = sent(&victim, 1).remove(0);
    let came = Stamp { seconds: 1_800_000_000, micros: 0 };
    assert_eq!(vendor(&message), VendorMessage::TimeSync(0, came));
    assert_eq!(header.guid.0[..8], guid(2).0[..8], "when it was asked is its own word");
    assert_eq!(header.guid.0[8..], came.to_bytes());
    for _ in 0..1_000 {
        datagram(
            &mut victim,
            peer,
            Header::neighbour(guid(3), Kind::VENDOR),
            &said_by(&VendorMessage::CrawlerPing(ping)),
        );
    }
    assert!(victim.datagrams.len() <= 5);
}

#[test]
fn ipv6_in_pongs_and_hits() {
    let v6 = "[2001:db8::77]:6346".parse::<std::net::SocketAddrV6>().unwrap();
    let mut config = Config::new(Mode::Ultrapeer);
    config.reached_at = Some(v6.into());
    let mut victim = Victim::new(config);
    victim.share("over six");
    let mut a = victim.link(1, Role::Ultrapeer, false);
    // Its own pong, and what it tells who wants IPv6 and nothing else.
    let told = "[2001:db8::5]:7000".parse::<SocketAddr>().unwrap();
    let mut six = BytesMut::new();
    let mut ggep = ggep::Writer::new(&mut six);
    ggep.put(name::ULTRAPEER, &[2, 9, 9]);
    ggep.put(name::IPV6, &"2001:db8::5".parse::<std::net::Ipv6Addr>().unwrap().octets());
    let none = SocketAddrV4::new(p2p_gnutella::wire::NO_ADDRESS, 7_000);
    let pong = Pong { addr: none, files: 0, kilobytes: 0, extensions: six.freeze() };
    victim.say(&mut a, head(guid(1), Kind::PONG, 1, 0), &Message::Pong(pong));
    let mut scp = BytesMut::new();
    ggep::Writer::new(&mut scp).put(name::CACHED_PONGS, &[0x0c]);
    let from = victim.sent.len();
    victim.say(&mut a, head(guid(2), Kind::PING, 1, 0), &Message::Ping(Ping { extensions: scp.freeze() }));
    let frame = victim.heard(&a, from).remove(0);
    let Ok(Message::Pong(pong)) = Message::parse(frame.header.kind, &frame.payload) else { panic!() };
    assert_eq!(pong.extensions().data(name::IPV6).unwrap()[..], v6.ip().octets());
    let list = pong.extensions().data(name::HOSTS6).unwrap();
    let hosts: Vec<SocketAddr> = p2p_gnutella::wire::Hosts6(&list).iter().map(SocketAddr::V6).collect();
    assert_eq!(hosts, [told]);
    assert!(!pong.extensions().has(name::HOSTS));
    // A hit that is made, and one that is read.
    let from = victim.sent.len();
    victim.say(&mut a, head(guid(3), Kind::QUERY, 1, 0), &query("six"));
    let frame =
        victim.heard(&a, from).into_iter().find(|frame| frame.header.kind == Kind::QUERY_HIT).unwrap();
    let Ok(Message::QueryHit(hit)) = Message::parse(Kind::QUERY_HIT, &frame.payload) else { panic!() };
    let says = hit.trailer().unwrap().extensions().data(name::IPV6).map(|data| data.into_owned());
    assert_eq!(says.unwrap(), v6.ip().octets());
    let from = victim.sent.len();
    victim.search(Wish::words("six").by(p2p_gnutella::servent::Strategy::Flood(2)));
    let asked = victim.asked(&a, from).unwrap();
    victim.say(&mut a, head(asked, Kind::QUERY_HIT, 2, 0), &Message::QueryHit(hit));
    let found = victim.told.iter().find_map(|event| match event {
        Event::Hit(hit) => Some((hit.addr6, hit.locator().addr)),
        _ => None,
    });
    // The stranger saw it at an IPv4 address too.
    assert_eq!(found, Some((Some(v6), Some("203.0.113.1:6346".parse().unwrap()))));
}

#[test]
fn links_over_ipv6() {
    let mut net = Net::new(35);
    let setup = |host: u16| {
        p2p_sim::Setup::new().addr(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host).into())
    };
    let mut of = config(Mode::Ultrapeer);
    of.listen = Some(SocketAddr::from(([0u16; 8], 6_346)));
    let up: Vec<_> = (1..4).map(|host| net.add_with(setup(host), of.clone())).collect();
    net.run(1);
    net.join(up[1], &[up[0]]);
    net.join(up[2], &[up[1]]);
    net.run(30);
    net.share(up[0], "far over six", b"a file");
    net.run(10);
    let op = net.search(up[2], Wish::words("six"));
    net.run(60);
    let hits = net.hits(up[2], op);
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].addr6.map(SocketAddr::V6), Some(net.addr(up[0])));
    assert_eq!(hits[0].locator().addr, Some(net.addr(up[0])), "it has no other");
}
