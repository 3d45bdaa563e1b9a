//! What gtk-gnutella 1.2.3-14 said to this servent, recorded while both ran: what had gone wrong, and what had not
//! been seen before.

use super::oob::{datagram, reach, said_by, sent, vendor};
use super::victim::{LISTENS, Stranger, Victim, guid, head};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use p2p_gnutella::ggep::fields::name;
use p2p_gnutella::handshake::Role;
use p2p_gnutella::qrp::{Receiver, Wanted};
use p2p_gnutella::servent::{Config, Event, Mode, Strategy, Wish};
use p2p_gnutella::wire::vendor::{Feature, Features, HeadCode, HeadPing, HeadReport};
use p2p_gnutella::wire::{
    Extensions, Families, Frame, Header, Kind, Message, Route, VendorCode, VendorMessage,
};
use p2p_gnutella::{Guid, Urn};
use std::net::SocketAddr;

fn bytes(hex: &str) -> Bytes {
    HEXLOWER.decode(hex.as_bytes()).unwrap().into()
}

fn name_of(hex: &str) -> Guid {
    Guid(bytes(hex)[..].try_into().unwrap())
}

fn message(kind: Kind, hex: &str) -> Message {
    Message::parse(kind, &bytes(hex)).unwrap()
}

/// A query of the gtk-gnutella leaf at 203.0.113.2, by way of an ultrapeer: hits are wanted by UDP, with a token.
fn ask(victim: &mut Victim, way: &mut Stranger, name: Guid) {
    let query = message(Kind::QUERY, "bd00746f70617a00c302534f4082505240");
    victim.say(way, head(name, Kind::QUERY, 2, 2), &query);
}

/// Its claim of the hits: one, and the token that they shall bear.
const CLAIM: &str = "4c494d450b00030001c382534f44bd920b09";
const TOKEN: [u8; 4] = [0xbd, 0x92, 0x0b, 0x09];
const PONG: &str = "ca18cb0071020100000000000000c30256434547544b478302445542540183544c5340";

#[test]
fn hits_go_at_once_to_who_heard_a_ping_lately() {
    let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
    victim.share("oscar topaz small.txt");
    let mut way = victim.link(1, Role::Ultrapeer, false);
    let asker: SocketAddr = "203.0.113.2:6346".parse().unwrap();
    let first = name_of("cb00710231029b3614cf4308deca18eb");
    ask(&mut victim, &mut way, first);
    let (peer, _, offer) = sent(&victim, 0).remove(0);
    assert_eq!(peer, asker);
    assert_eq!(vendor(&offer), VendorMessage::OobReply { version: 3, hits: 1, flags: Some(0) });
    datagram(&mut victim, asker, head(first, Kind::VENDOR, 9, 0), &message(Kind::VENDOR, CLAIM));
    let (_, ping, what) = sent(&victim, 1).remove(0);
    assert!(matches!(what, Message::Ping(_)), "it is a stranger");
    let pong = message(Kind::PONG, PONG);
    datagram(&mut victim, asker, Header { kind: Kind::PONG, ..ping }, &pong);
    let is_hit = |victim: &Victim, at: usize, name: Guid| {
        let (peer, header, hit) = sent(victim, at).remove(0);
        assert_eq!((peer, header.guid), (asker, name));
        let Message::QueryHit(hit) = hit else { panic!("{hit:?}") };
        let private = hit.trailer().unwrap();
        assert_eq!(private.extensions().data(name::SECURE_OOB).as_deref(), Some(&TOKEN[..]));
    };
    is_hit(&victim, 2, first);
    // It answers one ping in a minute: the next claim would wait for a pong that never comes.
    victim.wait(8);
    let second = Guid([&[203, 0, 113, 2][..], &[7; 9], &[0xca, 0x18, 0]].concat().try_into().unwrap());
    ask(&mut victim, &mut way, second);
    datagram(&mut victim, asker, head(second, Kind::VENDOR, 9, 0), &message(Kind::VENDOR, CLAIM));
    is_hit(&victim, 4, second);
    // Ten minutes later it is a stranger again.
    victim.wait(601);
    let third = Guid([&[203, 0, 113, 2][..], &[8; 9], &[0xca, 0x18, 0]].concat().try_into().unwrap());
    ask(&mut victim, &mut way, third);
    datagram(&mut victim, asker, head(third, Kind::VENDOR, 9, 0), &message(Kind::VENDOR, CLAIM));
    assert!(matches!(sent(&victim, 6).remove(0).2, Message::Ping(_)));
}

#[test]
fn a_push_by_udp_reaches_the_leaf_that_it_is_for() {
    let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
    let mut leaf = victim.link(1, Role::Leaf, false);
    let asker: SocketAddr = "198.51.100.1:6346".parse().unwrap();
    // The push of one gtk-gnutella for another, which asked for it long ago and has shared nothing since.
    let servent = name_of("ada0310247a5190a93ee574ba5f8adea");
    let push = bytes("ada0310247a5190a93ee574ba5f8adea00000000c6336401ca18c383544c5340");
    let header = head(name_of("48903102ac9a9190d216e9f805c76eda"), Kind::PUSH, 4, 0);
    let told = |victim: &mut Victim, leaf: &Stranger| -> Vec<Frame> {
        let from = victim.sent.len();
        datagram(victim, asker, header, &Message::parse(Kind::PUSH, &push).unwrap());
        victim.heard(leaf, from)
    };
    assert!(told(&mut victim, &leaf).is_empty(), "it is nobody's here");
    let request = said_by(&VendorMessage::PushProxyRequest(2));
    victim.say(&mut leaf, Header::neighbour(servent, Kind::VENDOR), &request);
    for later in [1, 3_600] {
        victim.wait(later);
        let frames = told(&mut victim, &leaf);
        assert_eq!(frames.len(), 1, "after {later} s");
        assert_eq!((frames[0].header.kind, &frames[0].payload), (Kind::PUSH, &push));
    }
    // Whoever sends many of them makes the leaf dial few.
    let many: usize = (0..50).map(|_| told(&mut victim, &leaf).len()).sum();
    assert!(many <= 6, "{many}");
}

#[test]
fn a_push_by_udp_for_itself_is_heeded() {
    let mut victim = Victim::new(Config::new(Mode::Leaf));
    victim.share("a song");
    let name = victim.servent().guid();
    let push = [&name.0[..], &[0; 4], &[198, 51, 100, 1, 0xca, 0x18]].concat();
    let from = victim.connects;
    datagram(
        &mut victim,
        "198.51.100.1:6346".parse().unwrap(),
        head(guid(1), Kind::PUSH, 1, 0),
        &Message::parse(Kind::PUSH, &push.into()).unwrap(),
    );
    assert_eq!(victim.connects, from + 1);
}

/// Which of its files is asked for by UDP, and of a leaf by way of its ultrapeer; by one that runs both protocols.
#[test]
fn what_it_asks_of_a_file_is_what_we_ask() {
    let asks = |hex: &str| {
        let Ok(Message::Vendor(said)) = Message::parse(Kind::VENDOR, &bytes(hex)) else { panic!() };
        assert_eq!(Message::Vendor(said.clone()).to_bytes(), bytes(hex));
        let Ok(VendorMessage::HeadPing(ping)) = said.read() else { panic!() };
        ping
    };
    let both = Families { v4: true, v6: true };
    let ours = |urn: &str| {
        let urn = Urn::parse(urn.as_bytes()).unwrap();
        HeadPing::new(&urn, HeadPing::ALTERNATES).wanting(both)
    };
    let of_it = asks(
        "4c494d45170002001275726e3a736861313a3652555246335744565935474135525751464e44434e564d534a543345504e5ac382493640",
    );
    assert_eq!(of_it, ours("urn:sha1:6RURF3WDVY5GA5RWQFNDCNVMSJT3EPNZ"));
    let of_leaf = asks(
        "4c494d45170002001275726e3a736861313a504a373656414a343436534d56374e495a52323553324c335632473753423747c3045055534850adf23102bb65f136eb0afd29bdc93a2482493640",
    );
    let leaf = name_of("adf23102bb65f136eb0afd29bdc93a24");
    let ours = ours("urn:sha1:PJ76VAJ446SMV7NIZR25S2L3V2G7SB7G");
    assert_eq!(of_leaf, ours.through(leaf));
    assert_eq!((of_leaf.leaf(), of_leaf.extensions().families()), (Some(leaf), both));
    // What else is asked for stays, whatever is said first.
    let alone = HeadPing::new(&of_leaf.urn().unwrap(), HeadPing::ALTERNATES);
    assert_eq!(alone.clone().through(leaf).wanting(both), of_leaf);
    assert_eq!(alone.clone().wanting(Families { v4: true, v6: false }), alone);
}

/// Of a file that a leaf of its has, of one that it has itself, and of one that it has not.
#[test]
fn what_it_answers_of_a_file_is_understood() {
    for (hex, code, queue) in [
        ("4c494d4518000200c301434101015141fd01564447544b4781464101", HeadCode::COMPLETE, Some(-3)),
        ("4c494d4518000200c301434101015141fc01564447544b4781464101", HeadCode::COMPLETE, Some(-4)),
        ("4c494d4518000200c381434100", HeadCode::NOT_FOUND, None),
    ] {
        let Ok(Message::Vendor(said)) = Message::parse(Kind::VENDOR, &bytes(hex)) else { panic!() };
        assert_eq!(Message::Vendor(said.clone()).to_bytes(), bytes(hex));
        let Ok(VendorMessage::HeadPong(pong)) = said.read() else { panic!() };
        let vendor = queue.map(|_| VendorCode(*b"GTKG"));
        assert_eq!(pong.report(), Some(HeadReport { code, vendor, queue, alternates: Vec::new() }));
    }
}

/// A query without `SO`, two hops from who asked, is answered in version 2. The hit names its holder at both addresses.
#[test]
fn an_offer_of_version_2_is_claimed_in_version_2() {
    let mut config = Config::new(Mode::Ultrapeer);
    config.reached_at = Some(LISTENS.parse().unwrap());
    let mut victim = Victim::new(config);
    reach(&mut victim);
    let a = victim.link(1, Role::Ultrapeer, false);
    let from = victim.sent.len();
    victim.search(Wish::words("granite").by(Strategy::Flood(3)));
    let name = victim.asked(&a, from).unwrap();
    let holder: SocketAddr = "198.51.100.2:6346".parse().unwrap();
    let at = victim.datagrams.len();
    let offer = bytes("4c494d450c0002000101");
    let header = Header::neighbour(name, Kind::VENDOR);
    datagram(&mut victim, holder, header, &Message::parse(Kind::VENDOR, &offer).unwrap());
    let claims = sent(&victim, at);
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].0, claims[0].1), (holder, header));
    assert_eq!(claims[0].2.to_bytes(), bytes("4c494d450b00020001"), "what it took for a claim");
    let hit = bytes(
        "01ca18c63364021000000002000000a0f0190064656c7461206772616e697465206c65616620617263686976652e7a697000c301486d02826d8966c780e7017a67cea3b97ed90e166608eb67870f863f1bcd74563c112c3a3edcf2c6f7906cf094fde98243544428fd0b6b0047544b47022c29c30547544b475653010102030065e3bd800000000e0705a331000301365020010db8000a0000000000000000000203544c5340824248401ac73102c00b225de84ac5fc6ceeeb49",
    );
    let header = head(name, Kind::QUERY_HIT, 1, 0);
    let message = Message::parse(Kind::QUERY_HIT, &hit).unwrap();
    assert_eq!(message.to_bytes(), hit);
    for _ in 0..3 {
        datagram(&mut victim, holder, header, &message);
    }
    let hits: Vec<_> = victim
        .told
        .iter()
        .filter_map(|event| match event {
            Event::Hit(hit) => Some(hit),
            _ => None,
        })
        .collect();
    assert_eq!(hits.len(), 1);
    assert_eq!(
        (hits[0].addr, &hits[0].name[..]),
        ("198.51.100.2:6346".parse().unwrap(), &b"delta granite leaf archive.zip"[..])
    );
    assert_eq!(hits[0].addr6, Some("[2001:db8:a::2]:6346".parse().unwrap()));
    assert_eq!((hits[0].push, hits[0].browsable, hits[0].vendor), (Some(false), true, VendorCode(*b"GTKG")));
}

/// Of one that runs both protocols, by UDP to a push proxy.
#[test]
fn its_push_names_both_addresses() {
    let hex = "adf23102bb65f136eb0afd29bdc93a2400000000c6336401ca18c303544c5340813650\
               20010db8000a00000000000000000001";
    let Ok(Message::Push(push)) = Message::parse(Kind::PUSH, &bytes(hex)) else { panic!() };
    assert_eq!(Message::Push(push.clone()).to_bytes(), bytes(hex));
    assert_eq!(push.addr, "198.51.100.1:6346".parse().unwrap());
    assert_eq!(push.target(), SocketAddr::V4(push.addr));
    assert_eq!(Extensions(&push.extensions).ipv6(), Some("2001:db8:a::1".parse().unwrap()));
}

/// It says that it takes patches with a bit for each slot, and spoils a table that it knows by one. Others do not.
#[test]
fn what_changes_of_a_table_is_told_gtk_gnutella_with_four_bits_for_each_slot() {
    assert_eq!(bits_of_patches("gtk-gnutella/1.2.3 (2023-01-01; GTK2; Linux x86_64)"), [4, 4]);
    assert_eq!(bits_of_patches("stranger/1"), [4, 1], "once it said so");
}

/// The bits for each slot of what a neighbour is told: the empty table, and what changed.
fn bits_of_patches(agent: &str) -> Vec<u8> {
    let mut config = Config::new(Mode::Leaf);
    config.limits.per_address = 100;
    let mut victim = Victim::new(config);
    let mut up = victim.dial_to(1, Role::Ultrapeer, agent);
    let features = Features::new(&[Feature { name: VendorCode(*b"QRP1"), version: 1 }]);
    let said = said_by(&VendorMessage::Features(features));
    victim.say(&mut up, Header::neighbour(Guid::ZERO, Kind::VENDOR), &said);
    victim.share("oscar marble one.zip");
    victim.wait(61);
    victim.give(p2p_core::Input::Timer(p2p_gnutella::servent::Timer::Tables));
    let mut copy = Receiver::new(17);
    let mut bits = Vec::new();
    let is_leg = |sent: &(_, Bytes)| sent.0 == up.conn && sent.1.starts_with(b"GNUTELLA");
    let from = victim.sent.iter().rposition(is_leg).unwrap() + 1;
    for frame in victim.heard(&up, from).iter().filter(|frame| frame.header.kind == Kind::ROUTE) {
        let Ok(Message::Route(route)) = Message::parse(Kind::ROUTE, &frame.payload) else { panic!() };
        if let Route::Patch(patch) = &route {
            bits.push(patch.entry_bits);
        }
        copy.take(&route).unwrap();
    }
    assert!(copy.table().unwrap().may_match(&Wanted::of_text("marble")));
    bits
}
