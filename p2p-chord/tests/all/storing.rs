//! Records on the ring: stored, found again, and still there when nodes are not.

use crate::rings::{World, chord, config, drawn_up, joined, owners, settle};
use bytes::Bytes;
use p2p_chord::record::{Kind, Record, SecretKey, Signed};
use p2p_chord::{Command, Config, Error, Event, Get, Put, Report, RingId};
use p2p_core::{Duration, OpId, Rng};
use p2p_sim::{Audit, NodeIx};

pub(crate) fn value(rng: &mut Rng, len: usize) -> Record {
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    Record::Value(Bytes::from(bytes))
}

pub(crate) fn told(sim: &World, node: NodeIx, op: OpId) -> &Event {
    &sim.events(node).iter().find(|told| told.op == Some(op)).expect("an answer").event
}

/// Puts a record, and gives copies and cost.
pub(crate) fn put(sim: &mut World, node: NodeIx, put: Put) -> Result<(u8, Report), Error> {
    let op = sim.ask(node, Command::Put(put));
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    sim.outcome(op).unwrap().map(|()| match told(sim, node, op) {
        Event::Stored { copies, report, .. } => (*copies, *report),
        other => panic!("{other:?}"),
    })
}

pub(crate) fn get(sim: &mut World, node: NodeIx, get: Get) -> Result<(Vec<Record>, Report), Error> {
    let op = sim.ask(node, Command::Get(get));
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    sim.outcome(op).unwrap().map(|()| match told(sim, node, op) {
        Event::Found { records, report, .. } => (records.clone(), *report),
        other => panic!("{other:?}"),
    })
}

pub(crate) fn holders(sim: &World, members: &[NodeIx], key: RingId, kind: Kind) -> usize {
    let now = p2p_core::UnixTime::default();
    members.iter().filter(|node| chord(sim, **node).store().find(key, kind, now).next().is_some()).count()
}

pub(crate) fn wide(r: usize) -> Config {
    let mut config = config(r);
    config.base_bits = 4;
    config
}

#[test]
fn what_is_put_is_found_by_everybody() {
    for seed in 1..=3 {
        println!("seed {seed}");
        let mut config = config(4);
        (config.replicas, config.quorum) = (4, 3);
        let (mut sim, members) = joined(seed, 30, &config);
        settle(&mut sim, &members, 4, 300);
        let mut rng = Rng::fast_from(seed);
        for len in [0, 1, 100, 1_000, 1_200, 64 * 1024] {
            let record = value(&mut rng, len);
            let (copies, _) =
                put(&mut sim, *rng.choose(&members).unwrap(), Put::new(record.clone())).unwrap();
            assert!(copies >= 3);
            sim.run_for(Duration::from_secs(3));
            assert_eq!(holders(&sim, &members, record.key(), Kind::Value), 4, "{len} bytes");
            for node in &members {
                let (found, _) = get(&mut sim, *node, Get::new(record.key(), Kind::Value)).unwrap();
                assert_eq!(found, core::slice::from_ref(&record));
            }
        }
        let nothing = RingId::random(&mut rng);
        assert_eq!(get(&mut sim, members[0], Get::new(nothing, Kind::Value)), Err(Error::Absent));
        assert_eq!(get(&mut sim, members[0], Get::new(nothing, Kind::Provider)), Err(Error::Absent));
    }
}

#[test]
fn small_rings_store_too() {
    let mut config = config(3);
    (config.replicas, config.quorum) = (4, 3);
    let (mut sim, members) = joined(1, 3, &config);
    let mut rng = Rng::fast_from(1);
    for node in &members {
        let record = value(&mut rng, 200);
        let (copies, _) = put(&mut sim, *node, Put::new(record.clone())).unwrap();
        assert_eq!(copies, 3, "there are no more nodes");
        for node in &members {
            assert!(get(&mut sim, *node, Get::new(record.key(), Kind::Value)).is_ok());
        }
    }
}

/// The table of issue 4: N = 256, 8 replicas, values of 100 bytes, random nodes; every datagram counts, the proofs of
/// addresses and all acknowledgements included. Fingers have base 16.
#[test]
fn few_messages_for_each_put_and_get() {
    let mut config = wide(8);
    // Nothing else is said while messages are counted.
    config.stabilise = Duration::from_secs(1_000_000);
    config.fix_finger = config.stabilise;
    let (mut sim, members) = drawn_up(5, 256, &config);
    let mut rng = Rng::fast_from(5);
    // Who talks to each other for the first time proves its address; here they have met, as they do on a ring that is
    // looked after.
    for _ in 0..1_000 {
        put(&mut sim, *rng.choose(&members).unwrap(), Put::new(value(&mut rng, 100))).unwrap();
    }
    let (count, mut keys) = (300, Vec::new());
    let datagrams = |sim: &World| sim.traffic().datagrams.sent as f64;
    sim.run_for(Duration::from_secs(5));
    let before = datagrams(&sim);
    for _ in 0..count {
        let record = value(&mut rng, 100);
        put(&mut sim, *rng.choose(&members).unwrap(), Put::new(record.clone())).unwrap();
        keys.push(record.key());
    }
    sim.run_for(Duration::from_secs(5));
    let between = datagrams(&sim);
    for key in &keys {
        get(&mut sim, *rng.choose(&members).unwrap(), Get::new(*key, Kind::Value)).unwrap();
    }
    sim.run_for(Duration::from_secs(5));
    let (puts, gets) = (between - before, datagrams(&sim) - between);
    let (puts, gets) = (puts / f64::from(count), gets / f64::from(count));
    println!("messages: {puts:.2} a put, {gets:.2} a get");
    assert!(gets <= 6.0 && puts <= 22.0);
}

#[test]
fn the_owner_crashes_and_half_of_the_replicas() {
    for seed in 1..=3 {
        println!("seed {seed}");
        let config = wide(8);
        let (mut sim, members) = drawn_up(seed, 64, &config);
        let mut rng = Rng::fast_from(seed);
        let records: Vec<Record> = (0..20).map(|_| value(&mut rng, 300)).collect();
        for record in &records {
            put(&mut sim, *rng.choose(&members).unwrap(), Put::new(record.clone())).unwrap();
        }
        sim.run_for(Duration::from_secs(3));
        let record = &records[0];
        let replicas = owners(&sim, &members, record.key());
        replicas[..4].iter().for_each(|node| sim.kill(*node));
        let alive: Vec<NodeIx> = members.iter().copied().filter(|node| sim.is_alive(*node)).collect();
        for node in alive.iter().step_by(5) {
            let (found, report) = get(&mut sim, *node, Get::new(record.key(), Kind::Value)).unwrap();
            assert_eq!(found, core::slice::from_ref(record), "{report:?}");
        }
        // And it can be put where the owner was.
        let (copies, report) = put(&mut sim, alive[0], Put::new(record.clone())).unwrap();
        println!("{copies} copies, {report:?}");
    }
}

#[test]
fn the_newest_version_is_found_by_a_quorum_and_repaired() {
    let config = wide(8);
    let (mut sim, members) = drawn_up(3, 64, &config);
    let secret = SecretKey([7; 32]);
    let sign =
        |seq: u64| Record::Signed(Signed::sign(&secret, "salt", seq, format!("version {seq}")).unwrap());
    let key = sign(1).key();
    put(&mut sim, members[0], Put::new(sign(1))).unwrap();
    sim.run_for(Duration::from_secs(3));
    // The owner misses the second version.
    let replicas = owners(&sim, &members, key);
    let asker = *members.iter().find(|node| !replicas[..10].contains(node)).unwrap();
    let rest: Vec<NodeIx> = members.iter().copied().filter(|node| *node != replicas[0]).collect();
    sim.partition(&[&[replicas[0]], &rest]);
    let (copies, report) = put(&mut sim, asker, Put::new(sign(2))).unwrap();
    println!("{copies} copies without the owner: {report:?}");
    sim.heal();
    let wanted = Get { quorum: 5, ..Get::new(key, Kind::Signed) };
    let (found, _) = get(&mut sim, asker, wanted).unwrap();
    assert_eq!(found, [sign(2)]);
    sim.run_for(Duration::from_secs(3));
    let now = p2p_core::UnixTime::default();
    let at_owner: Vec<_> = chord(&sim, replicas[0]).store().find(key, Kind::Signed, now).collect();
    assert_eq!(at_owner[0].record, sign(2), "read repair");
}

#[test]
fn versions_replace_each_other_in_order_and_by_compare_and_swap() {
    let config = wide(8);
    let (mut sim, members) = drawn_up(4, 64, &config);
    let secret = SecretKey([9; 32]);
    let sign = |seq, text: &'static str| Record::Signed(Signed::sign(&secret, "", seq, text).unwrap());
    put(&mut sim, members[0], Put::new(sign(5, "five"))).unwrap();
    let refused = |has| Err(Error::Refused(p2p_chord::store::Refusal::Older { has }));
    assert_eq!(put(&mut sim, members[9], Put::new(sign(4, "four"))), refused(5), "older");
    assert_eq!(put(&mut sim, members[9], Put::new(sign(5, "other"))), refused(5), "the same number");
    assert!(put(&mut sim, members[9], Put::new(sign(5, "five"))).is_ok(), "once more");
    let swap = |seq, text, swap| Put { swap: Some(swap), ..Put::new(sign(seq, text)) };
    let has = Some(5);
    let swapped = Err(Error::Refused(p2p_chord::store::Refusal::Swap { has }));
    assert_eq!(put(&mut sim, members[9], swap(7, "seven", 4)), swapped);
    assert!(put(&mut sim, members[9], swap(7, "seven", 5)).is_ok());
    let (found, _) = get(&mut sim, members[20], Get::new(sign(7, "seven").key(), Kind::Signed)).unwrap();
    assert_eq!(found, [sign(7, "seven")]);
    assert!(members.iter().all(|node| Audit::violations(sim.machine(*node)).is_empty()));
}
