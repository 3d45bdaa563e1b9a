//! Hits by UDP that ultrapeers take for their leaves.

use super::net::{Net, config};
use super::oob::{datagram, hit, line, reach, said_by, sent, vendor};
use super::victim::{LISTENS, Stranger, Victim, guid, head};
use bytes::{BufMut, Bytes, BytesMut};
use p2p_core::{Input, StreamInput};
use p2p_gnutella::Guid;
use p2p_gnutella::ggep::{self, fields::name};
use p2p_gnutella::handshake::Role;
use p2p_gnutella::servent::{Config, Mode, Timer, Wish};
use p2p_gnutella::wire::vendor::{MessageType, SupportedMessages};
use p2p_gnutella::wire::{Frame, Header, Kind, Message, Query, QueryFlags, VendorCode, VendorMessage};
use p2p_sim::NodeIx;
use std::net::SocketAddr;

/// A leaf without UDP, or one that forbids it, at the end of the line.
fn deaf(net: &mut Net, up: NodeIx, allows: bool) -> NodeIx {
    let mut of = config(Mode::Leaf);
    (of.leaf_ultrapeers, of.udp, of.oob_proxy) = (1, false, allows);
    let leaf = net.add(of);
    net.run(1);
    net.join(leaf, &[up]);
    net.run(20);
    leaf
}

#[test]
fn hits_of_a_leaf_without_udp_come_to_its_ultrapeer_and_pass_nobody_else() {
    let (mut net, up, [_, holder]) = line(51, 4);
    net.share(holder, "Coltrane - Blue Train.flac", b"a file");
    net.share(up[0], "blue from next door", b"a file");
    let sibling = deaf(&mut net, up[0], true);
    net.share(sibling, "blue from a sibling", b"a file");
    net.run(20);
    for allows in [true, false] {
        let asker = deaf(&mut net, up[0], allows);
        let before: Vec<_> = up.iter().map(|up| net.counts(*up).hits).collect();
        let op = net.search(asker, Wish::words("blue"));
        net.run(60);
        let mut hits = net.hits(asker, op);
        hits.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<_> = hits.iter().map(|hit| String::from_utf8_lossy(&hit.name).into_owned()).collect();
        assert_eq!(names, ["Coltrane - Blue Train.flac", "blue from a sibling", "blue from next door"]);
        assert_eq!(hits[0].hops == 1, allows, "{hits:?}");
        let came: Vec<_> = up.iter().zip(&before).map(|(up, before)| net.counts(*up).hits - before).collect();
        // The sibling's, and the far one; whose way by links there is leads over others.
        assert_eq!((came[0], came[1..].iter().any(|led| *led > 0)), (2, !allows), "{came:?}");
        assert_eq!(hits[0].servent, net.servent(holder).guid());
    }
}

/// An ultrapeer that is reached, a leaf of it, and a neighbour.
fn scene(config: Config) -> (Victim, Stranger, Stranger) {
    let mut config = config;
    config.reached_at = Some(LISTENS.parse().unwrap());
    let mut victim = Victim::new(config);
    reach(&mut victim);
    let leaf = victim.link(1, Role::Leaf, false);
    let near = victim.link(2, Role::Ultrapeer, false);
    (victim, leaf, near)
}

const FLAGS: u16 = QueryFlags::MARK | QueryFlags::BINARY_HASHES;

/// A query of a leaf, and with what it went on.
fn asked(
    victim: &mut Victim,
    leaf: &mut Stranger,
    number: u32,
    flags: u16,
    extensions: &[u8],
) -> Option<(Guid, Query)> {
    let query = Query {
        flags: QueryFlags(flags),
        text: Bytes::from_static(b"blue"),
        extensions: Bytes::copy_from_slice(extensions),
    };
    let from = victim.sent.len();
    victim.say(leaf, head(guid(number), Kind::QUERY, 1, 0), &Message::Query(query));
    victim.wait(3);
    // Nobody has a table: neighbours are asked in turn.
    for timer in victim.timers.clone() {
        if matches!(timer, Timer::Search(_)) {
            victim.timers.remove(&timer);
            victim.give(Input::Timer(timer));
        }
    }
    let all: Vec<Frame> = [2, 99].iter().flat_map(|of| heard(victim, *of, from)).collect();
    let frame = all.into_iter().find(|frame| frame.header.kind == Kind::QUERY)?;
    assert_eq!(frame.header.hops, 1);
    match Message::parse(Kind::QUERY, &frame.payload) {
        Ok(Message::Query(query)) => Some((frame.header.guid, query)),
        other => panic!("{other:?}"),
    }
}

/// What a stranger of this number heard since.
fn heard(victim: &Victim, number: u8, from: usize) -> Vec<Frame> {
    let addr = SocketAddr::from(([198, 51, 100, number], 40_000));
    let conn = victim.conn_of(addr);
    victim.heard(&Stranger { conn, peer: addr, deflater: None }, from)
}

/// The texts and the field `H` of a query in many ways.
fn extensions(no_proxy: bool) -> Vec<u8> {
    let mut to = BytesMut::new();
    let mut ggep = ggep::Writer::new(&mut to);
    ggep.put(name::MEDIA, &[4]);
    if no_proxy {
        ggep.put(name::NO_PROXY, b"");
    }
    to.put_slice(b"\x1curn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB\0");
    to.to_vec()
}

#[test]
fn a_query_of_a_leaf_goes_on_under_a_name_of_the_ultrapeers() {
    let (mut victim, mut leaf, _) = scene(Config::new(Mode::Ultrapeer));
    let ours: SocketAddr = LISTENS.parse().unwrap();
    let (named, query) = asked(&mut victim, &mut leaf, 1, FLAGS, &extensions(false)).unwrap();
    assert_ne!(named, guid(1));
    assert_eq!(SocketAddr::V4(named.reply_to()), ours);
    assert_eq!(query.flags.0, FLAGS | QueryFlags::OUT_OF_BAND);
    let carried = query.extensions();
    assert!(carried.has(name::SECURE_OOB), "hits bear tokens");
    assert_eq!(carried.data(name::MEDIA).as_deref(), Some(&[4][..]));
    assert_eq!(carried.urns().count(), 1, "what else it said is there still");
    // Who asks for hits by UDP himself, or forbids it, is left alone.
    let mut own = guid(2);
    own.0[..4].copy_from_slice(&[198, 51, 100, 1]);
    let (named, query) = asked(&mut victim, &mut leaf, 3, FLAGS, &extensions(true)).unwrap();
    assert_eq!((named, query.flags.0), (guid(3), FLAGS));
    let from = victim.sent.len();
    let by_himself = Query {
        flags: QueryFlags(FLAGS | QueryFlags::OUT_OF_BAND),
        text: Bytes::from_static(b"blue"),
        extensions: Bytes::new(),
    };
    victim.say(&mut leaf, head(own, Kind::QUERY, 1, 0), &Message::Query(by_himself));
    assert!(victim.timers.contains(&Timer::Search(own)), "it goes by its own name");
    assert!(
        heard(&victim, 2, from)
            .iter()
            .all(|frame| frame.header.guid == own || frame.header.kind != Kind::QUERY)
    );
}

#[test]
fn a_leaf_forbids_it_for_all_of_its_queries_and_allows_it_again() {
    let (mut victim, mut leaf, _) = scene(Config::new(Mode::Ultrapeer));
    let veto = |victim: &mut Victim, leaf: &mut Stranger, version| {
        let message = said_by(&VendorMessage::OobProxyVeto(version));
        victim.say(leaf, Header::neighbour(Guid::ZERO, Kind::VENDOR), &message);
    };
    for (number, version, proxied) in
        [(1, None, false), (2, Some(0), true), (3, Some(2), true), (4, Some(3), false)]
    {
        veto(&mut victim, &mut leaf, version);
        let (named, _) = asked(&mut victim, &mut leaf, number, FLAGS, b"").unwrap();
        assert_eq!(named != guid(number), proxied, "{version:?}");
    }
    // And a leaf of this kind says so to who understands it.
    let mut config = Config::new(Mode::Leaf);
    config.oob_proxy = false;
    let mut victim = Victim::new(config);
    let mut up = victim.dial(1, Role::Ultrapeer);
    for (knows, says) in [(7, 0), (13, 1)] {
        let types = SupportedMessages::new(&[MessageType::new(VendorCode::LIME, knows, 1)]);
        let from = victim.sent.len();
        let said = said_by(&VendorMessage::Supported(types));
        victim.say(&mut up, Header::neighbour(Guid::ZERO, Kind::VENDOR), &said);
        let said = victim.heard(&up, from);
        let vetoes = said.iter().filter_map(|frame| Message::parse(frame.header.kind, &frame.payload).ok());
        let vetoes = vetoes.filter(|message| *message == said_by(&VendorMessage::OobProxyVeto(None)));
        assert_eq!(vetoes.count(), says);
    }
}

/// The hits that the leaf heard since.
fn hits(victim: &Victim, from: usize) -> Vec<Frame> {
    heard(victim, 1, from).into_iter().filter(|frame| frame.header.kind == Kind::QUERY_HIT).collect()
}

#[test]
fn hits_are_claimed_with_a_token_and_led_to_the_leaf_by_the_name_that_it_gave() {
    let (mut victim, mut leaf, mut near) = scene(Config::new(Mode::Ultrapeer));
    let (named, _) = asked(&mut victim, &mut leaf, 1, FLAGS, b"").unwrap();
    let holder = SocketAddr::from(([203, 0, 113, 20], 6_346));
    let offer = |hits| said_by(&VendorMessage::OobReply { version: 3, hits, flags: Some(1) });
    let at = victim.datagrams.len();
    // The name that the leaf gave is no business of others'.
    datagram(&mut victim, holder, Header::neighbour(guid(1), Kind::VENDOR), &offer(2));
    assert_eq!(victim.datagrams.len(), at);
    datagram(&mut victim, holder, Header::neighbour(named, Kind::VENDOR), &offer(2));
    let claim = vendor(&sent(&victim, at)[0].2);
    assert!(matches!(claim, VendorMessage::OobAck { wanted: 2, .. }));
    let token = claim.oob_token().unwrap();
    let from = victim.sent.len();
    let header = head(named, Kind::QUERY_HIT, 1, 0);
    datagram(&mut victim, holder, header, &hit(1, b"1234"));
    datagram(&mut victim, SocketAddr::from(([203, 0, 113, 21], 6_346)), header, &hit(1, &token));
    assert!(hits(&victim, from).is_empty(), "a wrong token, and a token of another address");
    for index in 1..6 {
        datagram(&mut victim, holder, header, &hit(index, &token));
    }
    let led = hits(&victim, from);
    assert_eq!(led.len(), 2, "as many as were claimed");
    for (index, frame) in (1..).zip(&led) {
        assert_eq!((frame.header.guid, frame.header.hops), (guid(1), 1));
        assert_eq!(frame.payload, hit(index, &token).to_bytes(), "as it came");
    }
    // By the links it is the same.
    let from = victim.sent.len();
    victim.say(&mut near, head(named, Kind::QUERY_HIT, 3, 1), &hit(7, b""));
    let led = hits(&victim, from);
    assert_eq!((led.len(), led[0].header.guid, led[0].header.hops), (1, guid(1), 2));
}

#[test]
fn as_many_hits_are_taken_as_a_leaf_can_want_and_none_for_one_that_is_gone() {
    let (mut victim, mut leaf, _) = scene(Config::new(Mode::Ultrapeer));
    let (named, _) = asked(&mut victim, &mut leaf, 1, FLAGS, b"").unwrap();
    let claimed = |victim: &mut Victim, number: u8, hits: u8| -> u32 {
        let at = victim.datagrams.len();
        let holder = SocketAddr::from(([203, 0, 113, number], 6_346));
        let offer = said_by(&VendorMessage::OobReply { version: 3, hits, flags: Some(1) });
        datagram(victim, holder, Header::neighbour(named, Kind::VENDOR), &offer);
        sent(victim, at)
            .iter()
            .map(|(.., message)| match vendor(message) {
                VendorMessage::OobAck { wanted, .. } => u32::from(wanted),
                other => panic!("{other:?}"),
            })
            .sum()
    };
    let all: u32 = (1..100).map(|number| claimed(&mut victim, number, 60)).sum();
    assert_eq!(all, 2 * Config::default().leaf_hits);
    let (named, _) = asked(&mut victim, &mut leaf, 2, FLAGS, b"").unwrap();
    victim.give(Input::Stream(leaf.conn, StreamInput::Closed(Ok(()))));
    let at = victim.datagrams.len();
    let offer = said_by(&VendorMessage::OobReply { version: 3, hits: 3, flags: Some(1) });
    let holder = SocketAddr::from(([203, 0, 113, 200], 6_346));
    datagram(&mut victim, holder, Header::neighbour(named, Kind::VENDOR), &offer);
    assert_eq!(victim.datagrams.len(), at);
}

#[test]
fn names_of_queries_are_kept_for_as_many_as_there_are_searches_of_leaves() {
    let mut config = Config::new(Mode::Ultrapeer);
    config.limits.leaf_searches = 8;
    config.limits.leaf_queries = 10_000;
    let (mut victim, mut leaf, _) = scene(config);
    for number in 0..100 {
        let query =
            Query { flags: QueryFlags(FLAGS), text: Bytes::from_static(b"blue"), extensions: Bytes::new() };
        victim.say(&mut leaf, head(guid(number), Kind::QUERY, 1, 0), &Message::Query(query));
        let load = victim.servent().load();
        assert!(load.offers <= 8 && load.leaf_searches <= 8, "{load:?}");
    }
    assert_eq!(victim.servent().load().offers, 8);
    victim.give(Input::Stream(leaf.conn, StreamInput::Closed(Ok(()))));
    assert_eq!(victim.servent().load().offers, 0);
}
