//! What relaying allocates: nothing for a message. Counts do not depend on the computer.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use bytes::{Bytes, BytesMut};
use p2p_core::Rng;
use p2p_gnutella::Guid;
use p2p_gnutella::qrp::{Cut, Table, Wanted};
use p2p_gnutella::wire::{Decoder, Frame, Header, Heads, Kind, Message, SizeLimits};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What a neighbour sends: queries of two words with a GGEP field and a URN.
fn stream(messages: usize) -> Bytes {
    let mut rng = Rng::fast_from(3);
    let mut out = BytesMut::new();
    for at in 0..messages {
        let text = format!("word{} quartz song", at % 1_000);
        let payload = [b"\xb9\0", text.as_bytes(), b"\0\xc3\x82PR\x40\x1curn:\0"].concat().into();
        let header = Header { guid: Guid::of_message(&mut rng), kind: Kind::QUERY, ttl: 3, hops: 1 };
        Frame { header, payload }.encode(&mut out);
    }
    out.freeze()
}

/// Decodes, steps, reads, holds against the tables of 16 neighbours, and writes once for all of them. How many copies go out.
fn relay(stream: &Bytes, chunk: usize, tables: &[Table], queue: &mut Vec<Bytes>) -> usize {
    let (mut decoder, mut heads, mut out) = (Decoder::new(SizeLimits::default()), Heads::new(), 0);
    for at in (0..stream.len()).step_by(chunk) {
        decoder.push(stream.slice(at..stream.len().min(at + chunk)));
        while let Some(frame) = decoder.next().unwrap() {
            let header = frame.header.stepped(7).unwrap();
            let Message::Query(query) = Message::parse(header.kind, &frame.payload).unwrap() else {
                panic!()
            };
            let wanted = Wanted::of(&query);
            let whole = heads.whole(&header, &frame.payload);
            for table in tables.iter().filter(|table| table.may_match(&wanted)) {
                assert_eq!(table.bits(), 16);
                queue.push(whole.clone());
                out += 1;
            }
        }
        // The network takes it.
        queue.clear();
    }
    out
}

fn tables() -> Vec<Table> {
    let mut table = Table::new(16);
    ["quartz song", "word1 word2 word3"].iter().for_each(|name| table.insert_name(name, Cut::MOST));
    (0..1_000).for_each(|at| table.insert_name(&format!("word{at}"), Cut::NONE));
    vec![table; 16]
}

#[test]
fn relaying_allocates_nothing_per_message() {
    let (stream, tables) = (stream(10_000), tables());
    let mut queue = Vec::with_capacity(16 * 1_024);
    assert_eq!(relay(&stream, 16 << 10, &tables, &mut queue), 160_000);
    let region = Region::new(ALLOCATOR);
    relay(&stream, 16 << 10, &tables, &mut queue);
    let counted = region.change();
    let per_message = (counted.allocations + counted.reallocations) as f64 / 10_000.0;
    // A block of heads for some fifty messages, and what straddles two chunks.
    assert!(per_message <= 0.05, "{per_message:.3} allocations per message");
}

/// How fast that is, told and not asserted.
#[test]
#[ignore = "a measurement: in release, with nothing else running"]
fn how_many_messages_a_second() {
    let (stream, tables) = (stream(200_000), tables());
    let mut queue = Vec::with_capacity(16 * 1_024);
    for fanout in [0, 1, 16] {
        #[expect(clippy::disallowed_methods, reason = "it is the time that is wanted")]
        let began = std::time::Instant::now();
        relay(&stream, 16 << 10, &tables[..fanout], &mut queue);
        let rate = 200_000.0 / began.elapsed().as_secs_f64();
        eprintln!("fan-out {fanout}: {rate:.0} in, {:.0} out a second", rate * fanout as f64);
    }
}
