//! The four primitives on a ring of the simulator.

use crate::rings::{chord, config, joined, node, settle};
use bytes::Bytes;
use p2p_chord::record::{Kind, Provider, Record};
use p2p_chord::{Bootstrap, Chord, Get, Hit, Item, Provide, Put};
use p2p_core::{Duration, Fetch, Join, Publish, Reach, Search};

#[test]
fn join_publish_search_and_fetch() {
    let config = config(3);
    let (mut sim, members) = joined(1, 20, &config);
    settle(&mut sim, &members, 3, 300);
    let by = chord(&sim, members[4]).peer().unwrap().addr();
    let new = sim.add(node(&config));
    let mut done = |node, command| {
        let op = sim.ask(node, command);
        assert!(sim.finish(&[op], Duration::from_secs(60)));
        assert_eq!(sim.outcome(op), Some(&Ok(())));
        let events = sim.take_events(node).into_iter().filter(|told| told.op == Some(op));
        events.map(|told| told.event).collect::<Vec<_>>()
    };
    done(new, Chord::join(Bootstrap(vec![by])));
    assert_eq!(Chord::REACH, Reach::Overlay);
    let record = Record::Value(Bytes::from_static(b"some words"));
    done(new, Chord::publish(Item::Record(Box::new(Put::new(record.clone())))));
    let get = Get::new(record.key(), Kind::Value);
    let hits: Vec<Hit> = done(members[9], Chord::search(get)).into_iter().filter_map(Chord::hit).collect();
    assert_eq!(hits, [Hit(vec![record])]);
    let chunks: Vec<_> = done(members[3], Chord::fetch(get)).into_iter().filter_map(Chord::chunk).collect();
    assert_eq!((chunks.len(), chunks[0].offset, &chunks[0].data[..]), (1, 0, &b"some words"[..]));
    let key = Provider::place_of(&[4; 32]);
    done(members[7], Chord::publish(Item::Provide(Provide { key, port: 80, sha256: [4; 32], size: 10 })));
    let found = done(members[2], Chord::search(Get::new(key, Kind::Provider)));
    let Some(Hit(providers)) = found.into_iter().find_map(Chord::hit) else { panic!("nobody has it") };
    assert!(matches!(providers[..], [Record::Provider(Provider { size: 10, .. })]));
}
