//! What relaying costs the machine itself: decode, look whether it was here before, route, encode. It allocates nothing for
//! a message; counts do not depend on the computer.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use bytes::{Bytes, BytesMut};
use p2p_core::{
    ConnId, Cx, Duration, Effect, Input, Instant, ListenerId, Machine, Rng, Source, StreamInput, UnixTime,
};
use p2p_gnutella::handshake::{Event, Handshake, Introduction, Role, Terms};
use p2p_gnutella::qrp::{Cut, Table, update};
use p2p_gnutella::servent::{Config, Mode};
use p2p_gnutella::wire::{Frame, Header, Kind, Message};
use p2p_gnutella::{Guid, Servent};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::net::SocketAddr;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// An ultrapeer, driven by hand.
struct Driver {
    machine: Servent,
    source: Source,
    effects: Vec<Effect<Servent>>,
    listener: ListenerId,
    sent_bytes: usize,
    now: Instant,
}

impl Driver {
    fn new() -> Self {
        let mut config = Config::new(Mode::Ultrapeer);
        config.limits.query_rate = u64::MAX;
        config.limits.routes = 128 << 10;
        let mut rng = Rng::fast_from(1);
        let machine = Servent::new(config, &mut rng);
        let now = Instant::ZERO + Duration::from_secs(1);
        let (source, effects) = (Source::new(rng), Vec::new());
        let mut driver =
            Self { machine, source, effects, listener: ListenerId::from_raw(0), sent_bytes: 0, now };
        for effect in driver.raw(Input::Start) {
            if let Effect::Listen(id, ..) = effect {
                driver.listener = id;
            }
        }
        let listener = driver.listener;
        driver.raw(Input::Listener(listener, Ok("203.0.113.1:6346".parse().unwrap())));
        driver
    }

    fn raw(&mut self, input: Input<Servent>) -> Vec<Effect<Servent>> {
        self.run(input);
        std::mem::take(&mut self.effects)
    }

    fn run(&mut self, input: Input<Servent>) {
        let mut cx =
            Cx::new(self.now, UnixTime::from_secs(1_800_000_000), &mut self.source, &mut self.effects);
        self.machine.handle(input, &mut cx);
    }

    /// Gives bytes, and takes what is sent as a network does.
    fn data(&mut self, conn: ConnId, bytes: Bytes) {
        self.run(Input::Stream(conn, StreamInput::Data(bytes)));
        for effect in self.effects.drain(..) {
            if let Effect::Send(_, bytes) = effect {
                self.sent_bytes += bytes.len();
            }
        }
    }

    /// Links somebody, with a table of these words.
    fn link(&mut self, number: u8, words: &[&str]) -> ConnId {
        let conn = ConnId::from_raw(self.source.draw());
        let peer = SocketAddr::from(([198, 51, 100, number], 40_000));
        self.run(Input::Stream(conn, StreamInput::Open { peer, listener: Some(self.listener) }));
        let mut us = Introduction::new(Role::Ultrapeer, Guid([number; 16]), "neighbour/1");
        (us.accepts_deflate, us.sends_deflate) = (false, false);
        let mut out = BytesMut::new();
        let mut handshake = Handshake::dial(&us, peer.ip(), &mut out);
        let effects = self.raw(Input::Stream(conn, StreamInput::Data(out.split().freeze())));
        let sent = |effect: &Effect<Servent>| match effect {
            Effect::Send(_, bytes) => Some(bytes.to_vec()),
            _ => None,
        };
        let answer: Vec<u8> = effects.iter().filter_map(sent).flatten().collect();
        assert!(matches!(handshake.push(answer.into()), Ok(Some(Event::Answered))));
        handshake.agree(&us, peer.ip(), Terms::default(), &mut out).unwrap();
        let mut table = Table::new(16);
        words.iter().for_each(|word| table.insert_name(word, Cut::NONE));
        for route in update(None, &table, 4) {
            let header = Header { guid: Guid::ZERO, kind: Kind::ROUTE, ttl: 1, hops: 0 };
            Frame { header, payload: Message::Route(route).to_bytes() }.encode(&mut out);
        }
        self.data(conn, out.freeze());
        conn
    }
}

/// Queries of two words, each with a name of its own.
fn stream(rng: &mut Rng, messages: usize, ttl: u8) -> Bytes {
    let mut out = BytesMut::new();
    for at in 0..messages {
        let text = format!("word{} quartz song", at % 1_000);
        let payload = [b"\xb9\0", text.as_bytes(), b"\0\xc3\x82PR\x40\x1curn:\0"].concat().into();
        let header = Header { guid: Guid::of_message(rng), kind: Kind::QUERY, ttl, hops: 1 };
        Frame { header, payload }.encode(&mut out);
    }
    out.freeze()
}

fn feed(driver: &mut Driver, from: ConnId, stream: &Bytes) {
    for at in (0..stream.len()).step_by(16 << 10) {
        driver.data(from, stream.slice(at..stream.len().min(at + (16 << 10))));
    }
}

#[test]
fn the_machine_allocates_nothing_per_relayed_message() {
    let mut driver = Driver::new();
    let from = driver.link(1, &[]);
    (2..18).for_each(|number| {
        driver.link(number, &["quartz song"]);
    });
    let mut rng = Rng::fast_from(2);
    // Tables of GUIDs and buffers grow to what they will be.
    let warm = stream(&mut rng, 150_000, 4);
    feed(&mut driver, from, &warm);
    let queries = stream(&mut rng, 20_000, 4);
    let before = driver.machine.counts();
    let region = Region::new(ALLOCATOR);
    feed(&mut driver, from, &queries);
    let counted = region.change();
    let after = driver.machine.counts();
    assert_eq!(after.queries_in - before.queries_in, 20_000);
    assert_eq!(after.queries_out - before.queries_out, 16 * 20_000);
    let per_message = (counted.allocations + counted.reallocations) as f64 / (16.0 * 20_000.0);
    assert!(per_message <= 0.01, "{per_message:.4} allocations per relayed message");
    // And a duplicate costs none at all, but what straddles two chunks.
    let region = Region::new(ALLOCATOR);
    feed(&mut driver, from, &queries);
    let counted = region.change();
    assert_eq!(driver.machine.counts().duplicates, 20_000);
    assert!(counted.allocations <= 2 * queries.len() / (16 << 10) + 8, "{counted:?}");
}

/// How fast that is, told and not asserted.
#[test]
#[ignore = "a measurement: in release, with nothing else running"]
fn how_many_messages_a_second() {
    const MESSAGES: usize = 200_000;
    for fanout in [0, 1, 4, 16] {
        let mut driver = Driver::new();
        let from = driver.link(1, &[]);
        (0..fanout).for_each(|number| {
            driver.link(2 + number, &["quartz song"]);
        });
        let mut rng = Rng::fast_from(3);
        for (what, ttl) in [("led on", 4), ("last hop", 2)] {
            let queries = stream(&mut rng, MESSAGES, ttl);
            let mut times = [0.0; 2];
            for time in &mut times {
                #[expect(clippy::disallowed_methods, reason = "it is the time that is wanted")]
                let began = std::time::Instant::now();
                feed(&mut driver, from, &queries);
                *time = began.elapsed().as_secs_f64();
            }
            let rates = times.map(|time| MESSAGES as f64 / time);
            eprintln!(
                "fan-out {fanout}, {what}: {:.0} in, {:.0} out a second; {:.0} duplicates",
                rates[0],
                rates[0] * f64::from(fanout),
                rates[1]
            );
        }
    }
}
