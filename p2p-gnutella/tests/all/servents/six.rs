//! IPv6 beside IPv4 and alone: addresses in hits, pushes and requests, to those to whom they are of use.

use super::net::{Net, config};
use super::victim::{LISTENS, Stranger, Victim, guid, head};
use bytes::{Bytes, BytesMut};
use p2p_core::hash::{Hasher as _, Sha1};
use p2p_core::{Effect, FileId, Input, RelPath, Root, StreamInput};
use p2p_gnutella::ggep::{self, fields::name};
use p2p_gnutella::handshake::Role;
use p2p_gnutella::servent::{Config, Event, Mode, Strategy, Wish};
use p2p_gnutella::transfer::{self, Wanted};
use p2p_gnutella::wire::{
    Families, HitBuilder, HitFlags, Kind, Message, NO_ADDRESS, Push, Query, QueryFlags, VendorCode, lists,
};
use p2p_gnutella::{Guid, Urn};
use p2p_sim::{NodeIx, Setup};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

const OURS: &str = "[2001:db8::77]:6346";

fn v6(text: &str) -> SocketAddrV6 {
    text.parse().unwrap()
}

/// One that is reached over both.
fn both() -> Victim {
    let mut config = Config::new(Mode::Ultrapeer);
    config.reached_at = Some(OURS.parse().unwrap());
    Victim::new(config)
}

/// A query with this in `I6`.
fn query(wants: Option<&[u8]>) -> Message {
    let mut extensions = BytesMut::new();
    if let Some(wants) = wants {
        ggep::Writer::new(&mut extensions).put(name::IPV6_WANTED, wants);
    }
    Message::Query(Query {
        flags: QueryFlags(QueryFlags::MARK | QueryFlags::BINARY_HASHES),
        text: Bytes::from_static(b"over six"),
        extensions: extensions.freeze(),
    })
}

#[test]
fn who_wants_which_addresses_is_said_in_a_field() {
    let of = |field: Option<&[u8]>| Families::of(field);
    assert_eq!(of(None), Families { v4: true, v6: false });
    assert_eq!(of(Some(b"")), Families { v4: true, v6: true });
    assert_eq!(of(Some(&[0])), Families { v4: true, v6: true });
    assert_eq!(of(Some(&[1])), Families { v4: false, v6: true });
    let addrs: Vec<SocketAddr> = vec!["192.0.2.1:1".parse().unwrap(), OURS.parse().unwrap()];
    let (four, six) = lists(&addrs, of(Some(b"")));
    assert_eq!((four.len(), six.len()), (6, 18));
    assert_eq!(p2p_gnutella::wire::read_lists(Some(&four), Some(&six), 5), addrs);
    assert!(lists(&addrs, of(None)).1.is_empty() && lists(&addrs, of(Some(&[1]))).0.is_empty());
}

/// Others who have a file, as strangers say over HTTP; and what a hit says of them then.
#[test]
fn others_are_told_to_those_to_whom_they_are_of_use() {
    let mut victim = both();
    victim.share("over six");
    let sha1 = Sha1::digest(&[0; 10]);
    let urn = Urn::Sha1(sha1);
    let asks = |victim: &mut Victim, from: &str, lines: &str| {
        let conn = victim.open(from.parse().unwrap());
        let at = victim.sent.len();
        victim.data(conn, format!("GET /uri-res/N2R?{urn} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"));
        let answer = victim.heard_raw(conn, at);
        let head = String::from_utf8_lossy(&answer).into_owned();
        head.lines().find_map(|line| line.strip_prefix("X-Alt: ").map(str::to_owned)).unwrap_or_default()
    };
    assert_eq!(asks(&mut victim, "203.0.113.1:1", "X-Alt: 192.0.2.9, [2001:db8::9]:6346\r\n"), "192.0.2.9");
    assert_eq!(asks(&mut victim, "203.0.113.2:1", ""), "192.0.2.9");
    let all = "192.0.2.9,[2001:db8::9]:6346";
    assert_eq!(asks(&mut victim, "203.0.113.3:1", "X-Features: queue/0.1, IP/6.0\r\n"), all);
    assert_eq!(asks(&mut victim, "[2001:db8::3]:1", ""), all);
    let mut a = victim.link(1, Role::Ultrapeer, false);
    let told = |victim: &mut Victim, a: &mut Stranger, number, wants| {
        let from = victim.sent.len();
        victim.say(a, head(guid(number), Kind::QUERY, 1, 0), &query(wants));
        let frame = victim.heard(a, from).into_iter().find(|frame| frame.header.kind == Kind::QUERY_HIT);
        let Ok(Message::QueryHit(hit)) = Message::parse(Kind::QUERY_HIT, &frame.unwrap().payload) else {
            panic!()
        };
        let record = hit.records.iter().next().unwrap();
        [name::ALT, name::ALT6].map(|name| record.extensions.data(name).map_or(0, |data| data.len()))
    };
    assert_eq!(told(&mut victim, &mut a, 1, None), [6, 0]);
    assert_eq!(told(&mut victim, &mut a, 2, Some(b"")), [6, 18]);
    assert_eq!(told(&mut victim, &mut a, 3, Some(&[1])), [0, 18]);
}

#[test]
fn what_hits_say_of_others_and_of_push_proxies_is_told() {
    let mut victim = both();
    let mut a = victim.link(1, Role::Ultrapeer, false);
    let from = victim.sent.len();
    victim.search(Wish::words("six").by(Strategy::Flood(2)));
    let asked = victim.heard(&a, from).into_iter().find(|frame| frame.header.kind == Kind::QUERY).unwrap();
    let Ok(Message::Query(query)) = Message::parse(Kind::QUERY, &asked.payload) else { panic!() };
    // The stranger saw it at an IPv4 address too.
    assert_eq!(query.extensions().families(), Families { v4: true, v6: true });
    let list = |addr: SocketAddr| lists(&[addr], Families { v4: true, v6: true });
    let mut hit = HitBuilder::new(SocketAddrV4::new(NO_ADDRESS, 7_000), 6);
    hit.record(1, 2, b"over six", |to| {
        let mut ggep = ggep::Writer::nul_free(to);
        ggep.put(name::ALT, &list("192.0.2.9:1".parse().unwrap()).0);
        ggep.put(name::ALT6, &list("[2001:db8::9]:2".parse().unwrap()).1);
    });
    let hit = hit.finish(VendorCode(*b"TEST"), HitFlags::new(true, false, false), Guid([8; 16]), |private| {
        let mut ggep = ggep::Writer::new(private);
        ggep.put(name::PUSH6, &list("[2001:db8::10]:3".parse().unwrap()).1);
        ggep.put(name::IPV6, &v6("[2001:db8::8]:7000").ip().octets());
    });
    victim.say(&mut a, head(asked.header.guid, Kind::QUERY_HIT, 2, 0), &Message::QueryHit(hit));
    let found = victim.told.iter().find_map(|event| match event {
        Event::Hit(hit) => Some((**hit).clone()),
        _ => None,
    });
    let found = found.unwrap();
    let addrs = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
    assert_eq!(found.alternates, addrs(&["192.0.2.9:1", "[2001:db8::9]:2"]));
    assert_eq!(found.push_proxies, addrs(&["[2001:db8::10]:3"]));
    assert_eq!(found.locator().proxies, found.push_proxies);
    let dialled = |addr: &str| {
        let at = p2p_gnutella::servent::Hit { push: None, addr: addr.parse().unwrap(), ..found.clone() };
        (at.locator().addr, at.locator().other)
    };
    let six = Some("[2001:db8::8]:7000".parse().unwrap());
    assert_eq!(dialled("127.0.0.0:7000"), (six, None));
    assert_eq!(dialled("192.0.2.8:7000"), (Some("192.0.2.8:7000".parse().unwrap()), six));
    assert_eq!(found.addr6, Some(v6("[2001:db8::8]:7000")));
}

/// A neighbour sees it at an address of the other family, to which it listens not: it can dial there, and nobody it.
#[test]
fn where_it_listens_not_is_told_to_nobody() {
    let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
    victim.share("over six");
    let peer: SocketAddr = "[2001:db8::3]:40000".parse().unwrap();
    let conn = victim.open(peer);
    let legs = "GNUTELLA CONNECT/0.6\r\nX-Ultrapeer: True\r\nX-Query-Routing: 0.2\r\n\
                X-Ultrapeer-Query-Routing: 0.1\r\nX-Degree: 32\r\nX-Max-TTL: 4\r\nX-Dynamic-Querying: 0.1\r\n\
                Remote-IP: 2001:db8::77\r\n\r\n";
    victim.data(conn, legs);
    victim.data(conn, "GNUTELLA/0.6 200 OK\r\n\r\n");
    let mut asker = Stranger { conn, peer, deflater: None };
    let from = victim.sent.len();
    victim.say(&mut asker, head(guid(1), Kind::QUERY, 1, 0), &query(Some(b"")));
    let frame = victim.heard(&asker, from).into_iter().find(|frame| frame.header.kind == Kind::QUERY_HIT);
    let Ok(Message::QueryHit(hit)) = Message::parse(Kind::QUERY_HIT, &frame.unwrap().payload) else {
        panic!()
    };
    assert_eq!(hit.addr, LISTENS.parse().unwrap());
    assert_eq!(hit.trailer().unwrap().extensions().ipv6(), None);
    let from = victim.sent.len();
    victim.search(Wish::words("six").by(Strategy::Flood(2)));
    let asked =
        victim.heard(&asker, from).into_iter().find(|frame| frame.header.kind == Kind::QUERY).unwrap();
    let Ok(Message::Query(query)) = Message::parse(Kind::QUERY, &asked.payload) else { panic!() };
    assert_eq!(query.extensions().families(), Families { v4: true, v6: true });
}

/// A servent has two addresses, and is a neighbour by one of them.
#[test]
fn a_neighbours_other_address_is_not_dialled_for_ever() {
    let mut victim = Victim::new(Config::new(Mode::Leaf));
    let peer: SocketAddr = "198.51.100.9:6346".parse().unwrap();
    let known = p2p_gnutella::servent::Command::Remember("198.51.100.9:6346 U 1800000000\n".into());
    let op = p2p_core::OpId::from_raw(1);
    let mut dials = 0;
    let mut effects = victim.give_raw(Input::Op(op, p2p_core::OpInput::Ask(known)));
    for _ in 0..120 {
        for effect in effects {
            let Effect::Connect(conn, ..) = effect else { continue };
            dials += 1;
            victim.give(Input::Stream(conn, StreamInput::Open { peer, listener: None }));
            victim.data(conn, "GNUTELLA/0.6 409 Already connected to this GUID\r\n\r\n");
        }
        victim.wait(31);
        effects = victim.give_raw(Input::Timer(p2p_gnutella::servent::Timer::Tend));
    }
    assert!((1..=4).contains(&dials), "{dials}");
}

#[test]
fn pushes_name_both_addresses_and_are_heeded_at_the_one_there_is() {
    let four = LISTENS.parse::<SocketAddrV4>().unwrap();
    let six = v6(OURS);
    let two = Push::new(Guid([1; 16]), 0, Some(four), Some(six));
    let only = Push::new(Guid([1; 16]), 0, None, Some(six));
    let old = Push::new(Guid([1; 16]), 0, Some(four), None);
    assert!(old.extensions.is_empty());
    assert_eq!((only.addr, two.addr), (SocketAddrV4::new(NO_ADDRESS, 6_346), four));
    assert_eq!([two, only.clone(), old].map(|push| push.target()), [four.into(), six.into(), four.into()]);
    // Somebody who has IPv6 alone asks for a connection.
    let mut victim = both();
    victim.share("over six");
    let a = victim.link(1, Role::Ultrapeer, false);
    let push = Push { servent: victim.servent().guid(), ..only };
    let mut bytes = BytesMut::new();
    p2p_gnutella::wire::Frame {
        header: head(guid(1), Kind::PUSH, 3, 1),
        payload: Message::Push(push).to_bytes(),
    }
    .encode(&mut bytes);
    let effects = victim.give_raw(Input::Stream(a.conn, StreamInput::Data(bytes.freeze())));
    let dialled = effects.iter().find_map(|effect| match effect {
        Effect::Connect(_, to, _) => Some(to.clone()),
        _ => None,
    });
    assert_eq!(dialled, Some(SocketAddr::V6(six).into()));
}

#[test]
fn only_who_speaks_ipv6_is_told_of_others_there() {
    let mut config = Config::new(Mode::Ultrapeer);
    config.limits.leaves = 0;
    let mut victim = Victim::new(config);
    let lines = "192.0.2.5:6346 U 1800000000\n[2001:db8::5]:6346 U 1800000000\n";
    let op = p2p_core::OpId::from_raw(1);
    let known = p2p_gnutella::servent::Command::Remember(lines.into());
    victim.give(Input::Op(op, p2p_core::OpInput::Ask(known)));
    for (from, features, told) in [
        ("203.0.113.1:1", "", "192.0.2.5:6346"),
        ("203.0.113.2:1", "X-Features: IP/6.0\r\n", "both"),
        ("[2001:db8::3]:1", "", "both"),
    ] {
        let conn = victim.open(from.parse().unwrap());
        let at = victim.sent.len();
        let says =
            format!("GNUTELLA CONNECT/0.6\r\nX-Ultrapeer: False\r\nX-Query-Routing: 0.2\r\n{features}\r\n");
        victim.data(conn, says);
        let answer = String::from_utf8(victim.heard_raw(conn, at)).unwrap();
        let line = answer.lines().find_map(|line| line.strip_prefix("X-Try-Ultrapeers: ")).unwrap();
        let both = line.contains("192.0.2.5:6346") && line.contains("[2001:db8::5]:6346");
        assert!(if told == "both" { both } else { line == told }, "{from} {line}");
    }
}

/// Two ultrapeers and leaves of them where there is no IPv4 at all.
fn net(seed: u64) -> (Net, [NodeIx; 2], [NodeIx; 3]) {
    let mut net = Net::new(seed);
    let setup = |host: u16| Setup::new().addr(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host).into());
    let of = |mode| {
        let mut of = config(mode);
        of.listen = Some(SocketAddr::from(([0u16; 8], 6_346)));
        of.leaf_ultrapeers = 1;
        of
    };
    let mut walled = of(Mode::Leaf);
    walled.listen = None;
    let up = [1, 2].map(|host| net.add_with(setup(host), of(Mode::Ultrapeer)));
    let open = [3, 4].map(|host| net.add_with(setup(host), of(Mode::Leaf)));
    let behind = net.add_with(setup(5), walled);
    net.run(1);
    net.join(up[1], &[up[0]]);
    net.join(open[0], &[up[0]]);
    net.join(open[1], &[up[0]]);
    net.join(behind, &[up[1]]);
    net.run(40);
    (net, up, [open[0], open[1], behind])
}

fn saved(net: &mut Net, node: NodeIx, name: &str) -> Option<Bytes> {
    net.sim.disk(node).content(&FileId::new(Root(0), RelPath::local([name]).unwrap()))
}

#[test]
fn who_is_behind_a_firewall_is_told_to_connect_and_others_find_who_fetched() {
    let (mut net, up, [asker, other, behind]) = net(61);
    let bytes: &'static [u8] = Vec::leak((0..900_000u32).map(|n| (n % 251) as u8).collect());
    net.share(behind, "behind a wall.bin", bytes);
    net.run(20);
    let op = net.search(asker, Wish::words("wall"));
    net.run(30);
    let hit = net.hits(asker, op).remove(0);
    assert_eq!((hit.push, hit.push_proxies.clone()), (Some(true), vec![net.addr(up[1])]));
    // By the way that its hit came.
    let mut wanted = hit.wanted();
    wanted.sources[0].proxies.clear();
    let op = net.transfer(asker, transfer::Command::Download(wanted));
    net.run(40);
    assert_eq!(net.outcome(op), Some(Ok(())));
    assert_eq!(saved(&mut net, asker, "behind a wall.bin").as_deref(), Some(bytes));
    // By its ultrapeer, asked over HTTP.
    let mut wanted = Wanted::new(Sha1::digest(bytes));
    wanted.name = "by proxy".into();
    wanted.sources.push(transfer::Locator::pushed(net.servent(behind).guid(), vec![net.addr(up[1])]));
    let op = net.transfer(other, transfer::Command::Download(wanted));
    net.run(60);
    assert_eq!(net.outcome(op), Some(Ok(())));
    assert_eq!(saved(&mut net, other, "by proxy").as_deref(), Some(bytes));
    // The first has told where it is: whoever searches hears of it.
    let op = net.search(other, Wish::words("wall"));
    net.run(30);
    let hits = net.hits(other, op);
    let of_behind = hits.iter().find(|hit| hit.servent == net.servent(behind).guid()).unwrap();
    assert!(of_behind.alternates.contains(&net.addr(asker)), "{of_behind:?}");
}
