//! Queries by UDP to one ultrapeer after the other.

use super::net::{Net, config};
use super::oob::{datagram, line, sent};
use super::victim::{Victim, guid, head};
use bytes::{Bytes, BytesMut};
use p2p_core::{Duration, Effect, Input, OpId, OpInput};
use p2p_gnutella::Guid;
use p2p_gnutella::ggep::{self, fields::name};
use p2p_gnutella::handshake::Role;
use p2p_gnutella::qrp::{Table, update};
use p2p_gnutella::servent::{Command, Config, Error, Event, Mode, Strategy, Timer, Wish};
use p2p_gnutella::wire::{
    Header, HitBuilder, HitFlags, Kind, Message, Ping, Pong, Query, QueryFlags, VendorCode, put_v4,
};
use p2p_sim::NodeIx;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// A line of ultrapeers that stays one, with a leaf at each end.
fn fixed_line(seed: u64, ultrapeers: usize) -> (Net, Vec<NodeIx>, [NodeIx; 2]) {
    let mut net = Net::new(seed);
    let of = |mode| {
        let mut of = config(mode);
        of.fixed = true;
        of
    };
    let up: Vec<_> = (0..ultrapeers).map(|_| net.add(of(Mode::Ultrapeer))).collect();
    let ends = [net.add(of(Mode::Leaf)), net.add(of(Mode::Leaf))];
    net.run(1);
    for two in up.windows(2) {
        net.join(two[1], &[two[0]]);
    }
    net.join(ends[0], &[up[0]]);
    net.join(ends[1], &[up[ultrapeers - 1]]);
    net.run(20);
    (net, up, ends)
}

#[test]
fn what_is_farther_than_queries_go_is_found_by_asking_one_after_the_other() {
    const MANY: usize = 14;
    let (mut net, up, [asker, holder]) = fixed_line(41, MANY);
    net.share(holder, "Coltrane - Blue Train.flac", b"a file");
    net.run(20);
    let usual = net.search(asker, Wish::words("coltrane"));
    net.run(210);
    assert!(net.hits(asker, usual).is_empty(), "it is too far");
    let before: Vec<_> = up.iter().map(|up| net.counts(*up).queries_in).collect();
    let datagrams = net.sim.traffic().datagrams.sent;
    let op = net.search(asker, Wish::words("coltrane").by(Strategy::Guess(100)));
    net.run(30);
    let hits = net.hits(asker, op);
    assert_eq!(hits.len(), 1, "{hits:?}");
    assert_eq!(
        (&hits[0].name[..], hits[0].servent),
        (&b"Coltrane - Blue Train.flac"[..], net.servent(holder).guid())
    );
    assert_eq!(net.outcome(op), Some(Ok(())), "it is over once all are asked");
    let asked: Vec<_> =
        up.iter().zip(&before).map(|(up, before)| net.counts(*up).queries_in - before).collect();
    assert_eq!(asked, [1; MANY], "everybody once");
    // A ping, a pong with a key, a query, a pong with others: and the hit.
    assert_eq!(net.sim.traffic().datagrams.sent - datagrams, 4 * MANY as u64 + 1);
    // With a bound, it goes no farther.
    let op = net.search(asker, Wish::words("coltrane").by(Strategy::Guess(5)));
    let asked = |net: &Net| up.iter().map(|up| net.counts(*up).queries_in).sum::<u64>();
    let before = asked(&net);
    net.run(60);
    assert_eq!((asked(&net) - before, net.outcome(op)), (5, Some(Ok(()))));
}

#[test]
fn hits_of_leaves_come_straight_to_who_can_be_reached() {
    let (mut net, up, [asker, holder]) = line(42, 12);
    net.share(holder, "Coltrane - Blue Train.flac", b"a file");
    net.run(20);
    let led: u64 = up.iter().map(|up| net.counts(*up).hits).sum();
    let op = net.search(asker, Wish::words("coltrane").by(Strategy::Guess(100)));
    net.run(60);
    assert_eq!(net.hits(asker, op).len(), 1);
    assert_eq!(up.iter().map(|up| net.counts(*up).hits).sum::<u64>(), led, "no ultrapeer led it");
}

/// What a servent sends by UDP of itself, with the time.
struct Walker {
    victim: Victim,
    name: Guid,
    time: Duration,
    pings: Vec<SocketAddr>,
    queries: Vec<(Duration, SocketAddr)>,
    op: OpId,
    over: bool,
    /// Others that each pong names.
    tells: u8,
}

const KEY: &[u8] = b"a key";

fn ultrapeer(number: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(203, 0, (number >> 8) as u8, number as u8), 6_346)
}

impl Walker {
    /// A leaf that knows so many ultrapeers, and asks `most` of them.
    fn new(known: u16, most: u16, tells: u8) -> Self {
        let mut victim = Victim::new(Config::new(Mode::Leaf));
        let lines: String = (1..=known).map(|n| format!("{} U 1800000000\n", ultrapeer(n))).collect();
        victim.give(Input::Op(OpId::from_raw(1), OpInput::Ask(Command::Remember(lines.into()))));
        let op = OpId::from_raw(2);
        let wish = Wish::words("train").by(Strategy::Guess(most));
        victim.give(Input::Op(op, OpInput::Ask(Command::Search(wish))));
        let search = victim.timers.iter().find(|timer| matches!(timer, Timer::Search(_)));
        let Some(&Timer::Search(name)) = search else { panic!("no search") };
        let mut walker = Self {
            victim,
            name,
            time: Duration::ZERO,
            pings: Vec::new(),
            queries: Vec::new(),
            op,
            over: false,
            tells,
        };
        walker.time = Duration::from_secs(3);
        walker.victim.wait_for(walker.time);
        walker
    }

    /// The next step, and what answers it; how long until the one after.
    fn step(&mut self, answers: bool) -> bool {
        let mut next = None;
        let mut datagrams = Vec::new();
        for effect in self.victim.give_raw(Input::Timer(Timer::Search(self.name))) {
            match effect {
                Effect::SendTo(_, datagram) => datagrams.push(datagram),
                Effect::SetTimer(Timer::Search(name), at) if name == self.name => next = Some(at),
                Effect::Finish(op, _) if op == self.op => self.over = true,
                Effect::Event(_, event) => self.victim.told.push(event),
                _ => {}
            }
        }
        assert!(datagrams.len() <= 2, "a ping and a query at the most");
        let at = self.victim.datagrams.len();
        self.victim.datagrams.extend(datagrams);
        for (peer, header, message) in sent(&self.victim, at) {
            match message {
                Message::Ping(ping) => {
                    assert!(ping.extensions().has(name::QUERY_KEY) && header.ttl == 1);
                    self.pings.push(peer);
                    if answers {
                        let pong = self.pong(self.pings.len() as u16);
                        datagram(&mut self.victim, peer, head(header.guid, Kind::PONG, 1, 0), &pong);
                    }
                }
                Message::Query(query) => {
                    assert_eq!(query.extensions().data(name::QUERY_KEY).as_deref(), Some(KEY));
                    assert_eq!((header.guid, header.ttl, &query.text[..]), (self.name, 1, &b"train"[..]));
                    self.queries.push((self.time, peer));
                }
                other => panic!("{other:?}"),
            }
        }
        let Some(next) = next else { return false };
        let pause = next.since(self.victim.now());
        self.victim.wait_for(pause);
        self.time += pause;
        true
    }

    /// Of an ultrapeer that gives a key, and names others whom nobody heard of.
    fn pong(&self, number: u16) -> Message {
        let mut extensions = BytesMut::new();
        let mut ggep = ggep::Writer::new(&mut extensions);
        ggep.put(name::QUERY_KEY, KEY);
        if self.tells > 0 {
            let mut list = BytesMut::new();
            (0..self.tells).for_each(|n| put_v4(ultrapeer(1_000 + number * 256 + u16::from(n)), &mut list));
            ggep.put(name::HOSTS, &list);
        }
        Message::Pong(Pong { addr: ultrapeer(1), files: 0, kilobytes: 0, extensions: extensions.freeze() })
    }

    fn walk(&mut self, answers: bool) {
        for _ in 0..10_000 {
            if self.over || !self.step(answers) {
                return;
            }
        }
        panic!("it never ends");
    }
}

#[test]
fn nobody_is_asked_twice_and_nobody_fast() {
    let mut walker = Walker::new(100, 60, 0);
    walker.walk(true);
    assert!(walker.over);
    assert_eq!(walker.queries.len(), 60);
    let peers: BTreeSet<_> = walker.queries.iter().map(|(_, peer)| *peer).collect();
    assert_eq!(peers.len(), 60);
    let pinged: BTreeSet<_> = walker.pings.iter().collect();
    assert_eq!((pinged.len(), walker.pings.len()), (60, 60), "no key is asked for in vain");
    for (n, two) in walker.queries.windows(2).enumerate() {
        // GUESS, section 2.1.
        let least = if n < 20 { Duration::from_millis(200) } else { Duration::from_millis(20) };
        assert!(two[1].0 - two[0].0 >= least, "{n}");
    }
}

#[test]
fn addresses_that_pongs_make_up_are_asked_for_no_more_than_their_number() {
    let mut walker = Walker::new(5, 20, 200);
    walker.walk(true);
    assert_eq!((walker.queries.len(), walker.pings.len()), (20, 20));
    // None of them answers: a ping each, and nothing more, for as many as it holds.
    let mut walker = Walker::new(100, 20, 0);
    walker.walk(false);
    assert!(walker.over && walker.queries.is_empty());
    assert_eq!(walker.pings.len(), 80);
}

#[test]
fn only_who_was_asked_has_hits_and_only_pings_of_a_search_bring_keys() {
    let mut walker = Walker::new(3, 10, 0);
    walker.step(true);
    let pinged = walker.pings[0];
    // A key that nobody asked for.
    let pong = walker.pong(1);
    let other = SocketAddr::V4(ultrapeer(77));
    datagram(&mut walker.victim, other, head(guid(1), Kind::PONG, 1, 0), &pong);
    let hit = {
        let mut hit = HitBuilder::new(ultrapeer(9), 6);
        hit.record(1, 2, b"blue train", |_| {});
        let flags = HitFlags::new(false, false, false);
        Message::QueryHit(hit.finish(VendorCode(*b"TEST"), flags, Guid([8; 16]), |_| {}))
    };
    let found =
        |walker: &Walker| walker.victim.told.iter().filter(|event| matches!(event, Event::Hit(_))).count();
    let header = head(walker.name, Kind::QUERY_HIT, 1, 0);
    datagram(&mut walker.victim, pinged, header, &hit);
    assert_eq!(found(&walker), 0, "it was not asked yet");
    walker.step(true);
    assert_eq!(walker.queries[0].1, pinged);
    datagram(&mut walker.victim, other, header, &hit);
    assert_eq!(found(&walker), 0);
    datagram(&mut walker.victim, pinged, header, &hit);
    datagram(&mut walker.victim, pinged, header, &hit);
    assert_eq!(found(&walker), 1, "once");
    walker.walk(true);
    assert!(walker.queries.iter().all(|(_, peer)| *peer != other));
    assert_eq!(walker.queries.len(), 3);
}

/// As gtk-gnutella acknowledges a query: by the pong of another ultrapeer.
#[test]
fn whose_pong_acknowledges_a_query_is_asked_next() {
    let mut walker = Walker::new(1, 10, 0);
    while walker.queries.is_empty() {
        walker.step(true);
    }
    let (_, asked) = walker.queries[0];
    for (guess, number) in [(false, 500), (true, 501)] {
        let mut extensions = BytesMut::new();
        if guess {
            ggep::Writer::new(&mut extensions).put(name::GUESS, &[2]);
        }
        let pong = Pong { addr: ultrapeer(number), files: 0, kilobytes: 0, extensions: extensions.freeze() };
        datagram(&mut walker.victim, asked, head(walker.name, Kind::PONG, 1, 1), &Message::Pong(pong));
    }
    walker.walk(true);
    let asked: Vec<_> = walker.queries.iter().map(|(_, peer)| *peer).collect();
    assert_eq!(asked, [asked[0], SocketAddr::V4(ultrapeer(501))]);
}

#[test]
fn who_gives_no_key_is_not_asked() {
    let mut walker = Walker::new(4, 10, 0);
    for key in [&b""[..], b"abc", &[7; 17]] {
        walker.step(false);
        let at = walker.victim.datagrams.len() - 1;
        let (peer, header, _) = sent(&walker.victim, at).remove(0);
        let mut extensions = BytesMut::new();
        ggep::Writer::new(&mut extensions).put(name::QUERY_KEY, key);
        let pong = Message::Pong(Pong {
            addr: ultrapeer(1),
            files: 0,
            kilobytes: 0,
            extensions: extensions.freeze(),
        });
        datagram(&mut walker.victim, peer, head(header.guid, Kind::PONG, 1, 0), &pong);
    }
    walker.walk(false);
    assert!(walker.over && walker.queries.is_empty());
}

#[test]
fn a_search_by_udp_needs_a_port_and_somebody_and_there_are_few_at_once() {
    let ask = |victim: &mut Victim, op: u64| -> Option<Error> {
        let wish = Wish::words("train").by(Strategy::Guess(10));
        let effects = victim.give_raw(Input::Op(OpId::from_raw(op), OpInput::Ask(Command::Search(wish))));
        effects.into_iter().find_map(|effect| match effect {
            Effect::Finish(_, Err(why)) => Some(why),
            _ => None,
        })
    };
    let mut victim = Victim::new(Config::new(Mode::Leaf));
    assert_eq!(ask(&mut victim, 2), Some(Error::Alone));
    let known = Bytes::from(format!("{} U 1800000000\n", ultrapeer(1)));
    victim.give(Input::Op(OpId::from_raw(1), OpInput::Ask(Command::Remember(known.clone()))));
    for op in 3..7 {
        assert_eq!(ask(&mut victim, op), None);
    }
    assert_eq!(ask(&mut victim, 7), Some(Error::TooMany));
    let mut config = Config::new(Mode::Leaf);
    config.udp = false;
    let mut victim = Victim::new(config);
    victim.give(Input::Op(OpId::from_raw(1), OpInput::Ask(Command::Remember(known))));
    assert_eq!(ask(&mut victim, 2), Some(Error::NoDatagrams));
}

/// A query by UDP with this key, and hits to go to the address in its name.
fn asks(key: &[u8]) -> Message {
    let mut extensions = BytesMut::new();
    let mut ggep = ggep::Writer::new(&mut extensions);
    ggep.put(name::SECURE_OOB, b"");
    ggep.put(name::QUERY_KEY, key);
    ggep.put(name::CACHED_PONGS, b"");
    Message::Query(Query {
        flags: QueryFlags(QueryFlags::MARK | QueryFlags::OUT_OF_BAND),
        text: Bytes::from_static(b"guess"),
        extensions: extensions.freeze(),
    })
}

#[test]
fn who_is_asked_tells_others_and_leads_to_leaves_what_is_theirs() {
    let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
    let mut leaf = victim.link(1, Role::Leaf, false);
    let (table, _) = Table::of_names(["guess what"].into_iter(), 10);
    for route in update(None, &table, 1) {
        let header = Header::neighbour(guid(900), Kind::ROUTE);
        victim.say(&mut leaf, header, &Message::Route(route));
    }
    let peer = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 40), 5_000));
    let mut extensions = BytesMut::new();
    ggep::Writer::new(&mut extensions).put(name::QUERY_KEY, b"");
    let ping = Message::Ping(Ping { extensions: extensions.freeze() });
    datagram(&mut victim, peer, head(guid(1), Kind::PING, 1, 0), &ping);
    let Message::Pong(pong) = &sent(&victim, 0)[0].2 else { panic!() };
    assert_eq!(pong.extensions().data(name::GUESS).as_deref(), Some(&[2][..]), "version 0.2");
    let key = pong.extensions().data(name::QUERY_KEY).unwrap().into_owned();
    // A key that is none is answered with one, by a pong that is no longer than that.
    let at = victim.datagrams.len();
    datagram(&mut victim, peer, head(guid(2), Kind::QUERY, 1, 0), &asks(b"old key!"));
    let [(to, header, Message::Pong(again))] = &sent(&victim, at)[..] else { panic!() };
    assert_eq!((*to, header.guid), (peer, guid(2)));
    assert_eq!(again.extensions().data(name::QUERY_KEY).as_deref(), Some(&key[..]));
    for (named, keeps) in [([203, 0, 113, 40], true), ([203, 0, 113, 41], false)] {
        let mut id = guid(3 + u32::from(named[3]));
        id.0[..4].copy_from_slice(&named);
        id.0[13..15].copy_from_slice(&5_000u16.to_le_bytes());
        let (at, from) = (victim.datagrams.len(), victim.sent.len());
        datagram(&mut victim, peer, head(id, Kind::QUERY, 1, 0), &asks(&key));
        let [(_, header, Message::Pong(_))] = &sent(&victim, at)[..] else { panic!() };
        assert_eq!(header.guid, id, "it is acknowledged by its name");
        let led = victim.heard(&leaf, from);
        let Ok(Message::Query(query)) = Message::parse(Kind::QUERY, &led[0].payload) else { panic!() };
        assert_eq!((led.len(), led[0].header.ttl, led[0].header.hops), (1, 1, 1));
        assert!(!query.extensions().has(name::QUERY_KEY) && !query.extensions().has(name::CACHED_PONGS));
        assert!(query.extensions().has(name::SECURE_OOB));
        assert_eq!(query.flags.has(QueryFlags::OUT_OF_BAND), keeps, "hits of leaves go to nobody else");
    }
}
