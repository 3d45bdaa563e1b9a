//! Values in fragments: any seven of fourteen are enough, lost ones are made again, and wrong ones are refused.

use crate::rings::{World, add, chord, config, drawn_up, joined, owners, settle};
use crate::storing::{get, put, wide};
use p2p_chord::record::{Coded, ENOUGH, FRAGMENTS, Kind, Record};
use p2p_chord::{Command, Config, Error, Get, Put, RingId};
use p2p_core::{Duration, Rng, UnixTime};
use p2p_sim::{Faults, NodeIx};
use std::collections::BTreeSet;

fn coded(rng: &mut Rng, len: usize) -> Record {
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    Record::Coded(Coded::new(bytes).unwrap())
}

/// Lists long enough that each of fourteen nodes has one fragment.
fn long() -> Config {
    wide(16)
}

/// The numbers of the fragments that these nodes have.
fn numbers(sim: &World, nodes: &[NodeIx], key: RingId) -> Vec<BTreeSet<usize>> {
    let of = |node: &NodeIx| {
        let store = chord(sim, *node).store();
        let number = |held: &p2p_chord::store::Held| match &held.record {
            Record::Fragment(fragment) => fragment.number(),
            other => panic!("{other:?}"),
        };
        store.find(key, Kind::Coded, UnixTime::default()).map(number).collect()
    };
    nodes.iter().map(of).collect()
}

fn different(sim: &World, nodes: &[NodeIx], key: RingId) -> usize {
    numbers(sim, nodes, key).into_iter().flatten().collect::<BTreeSet<_>>().len()
}

fn is_found(sim: &mut World, node: NodeIx, record: &Record) {
    let (found, _) = get(sim, node, Get::new(record.key(), Kind::Coded)).unwrap();
    assert_eq!(found, core::slice::from_ref(record));
}

#[test]
fn what_is_put_in_fragments_is_found_by_everybody() {
    let (mut sim, members) = drawn_up(1, 64, &long());
    let mut rng = Rng::fast_from(1);
    for len in [0, 1, 100, 5_000, 8_000, 64 * 1024] {
        let record = coded(&mut rng, len);
        let (copies, report) = put(&mut sim, members[0], Put::new(record.clone())).unwrap();
        println!("{len} bytes: {copies} fragments, {report:?}");
        sim.run_for(Duration::from_secs(3));
        let holders = &owners(&sim, &members, record.key())[..FRAGMENTS];
        for (place, has) in numbers(&sim, holders, record.key()).into_iter().enumerate() {
            // Who does not know yet how long it takes may put it twice.
            assert!(has.contains(&place), "{has:?} at {place}");
        }
        for node in members.iter().step_by(5) {
            is_found(&mut sim, *node, &record);
        }
    }
    let nothing = get(&mut sim, members[0], Get::new(RingId::random(&mut rng), Kind::Coded));
    assert_eq!(nothing, Err(Error::Absent));
}

/// Fewer nodes than fragments: some have several, down to a ring of one.
#[test]
fn small_rings_have_fragments_too() {
    let mut rng = Rng::fast_from(2);
    for nodes in [1, 2, 3, 9] {
        let (mut sim, members) = joined(nodes as u64, nodes, &config(3));
        let record = coded(&mut rng, 30_000);
        put(&mut sim, members[0], Put::new(record.clone())).unwrap();
        sim.run_for(Duration::from_secs(3));
        assert_eq!(different(&sim, &members, record.key()), FRAGMENTS);
        for node in &members {
            is_found(&mut sim, *node, &record);
        }
    }
}

#[test]
fn any_seven_may_be_lost() {
    for seed in 1..=3 {
        println!("seed {seed}");
        let (mut sim, members) = drawn_up(seed, 64, &long());
        let mut rng = Rng::fast_from(seed);
        let record = coded(&mut rng, 20_000);
        put(&mut sim, members[0], Put::new(record.clone())).unwrap();
        sim.run_for(Duration::from_secs(3));
        let mut holders = owners(&sim, &members, record.key());
        holders.truncate(FRAGMENTS);
        rng.shuffle(&mut holders);
        holders[..FRAGMENTS - ENOUGH].iter().for_each(|node| sim.kill(*node));
        let alive: Vec<NodeIx> = members.iter().copied().filter(|node| sim.is_alive(*node)).collect();
        for node in alive.iter().step_by(7) {
            is_found(&mut sim, *node, &record);
        }
        // One more is one too many, and that is said at once rather than after all patience.
        sim.kill(holders[FRAGMENTS - ENOUGH]);
        let asker = *alive.iter().find(|node| !holders.contains(node)).unwrap();
        let began = sim.now();
        assert!(get(&mut sim, asker, Get::new(record.key(), Kind::Coded)).is_err());
        println!("not found after {:?}", sim.now().since(began));
    }
}

/// In six steps three nodes of ten die, with time to make fragments again in between.
#[test]
fn lost_fragments_are_made_again() {
    let config = long();
    let (mut sim, mut members) = drawn_up(3, 60, &config);
    let mut rng = Rng::fast_from(3);
    let records: Vec<Record> = (0..8).map(|at| coded(&mut rng, 400 * at)).collect();
    for record in &records {
        put(&mut sim, members[0], Put::new(record.clone())).unwrap();
    }
    sim.run_for(Duration::from_secs(3));
    for step in 0..6 {
        for _ in 0..3 {
            let dead = members.swap_remove(rng.index(members.len()));
            sim.kill(dead);
        }
        sim.run_for(Duration::from_secs(180));
        let record = &records[step % records.len()];
        is_found(&mut sim, members[step], record);
    }
    settle(&mut sim, &members, 16, 300);
    sim.run_for(Duration::from_secs(600));
    for record in &records {
        let holders = &owners(&sim, &members, record.key())[..FRAGMENTS];
        let has = numbers(&sim, holders, record.key());
        assert!(has.iter().all(|has| !has.is_empty()), "each has one: {has:?}");
        assert!(different(&sim, holders, record.key()) >= FRAGMENTS - 1, "of different numbers: {has:?}");
    }
    let given: u64 = members.iter().map(|node| chord(&sim, *node).handed_over().records).sum();
    println!("{given} fragments were given");
}

#[test]
fn who_joins_and_who_leaves() {
    let mut config = config(13);
    config.base_bits = 4;
    let (mut sim, mut members) = joined(1, 43, &config);
    settle(&mut sim, &members, 13, 300);
    let mut rng = Rng::fast_from(4);
    let records: Vec<Record> = (0..10).map(|at| coded(&mut rng, 900 * at)).collect();
    for record in &records {
        put(&mut sim, members[0], Put::new(record.clone())).unwrap();
    }
    sim.run_for(Duration::from_secs(3));
    for _ in 0..4 {
        let new = add(&mut sim, &members, &config);
        members.push(new);
        for record in &records {
            is_found(&mut sim, new, record);
        }
        let leaver = members.swap_remove(rng.index(members.len()));
        let op = sim.ask(leaver, Command::Leave);
        assert!(sim.finish(&[op], Duration::from_secs(6)));
        sim.run_for(Duration::from_secs(60));
    }
    settle(&mut sim, &members, 13, 300);
    sim.run_for(Duration::from_secs(600));
    for record in &records {
        let holders = &owners(&sim, &members, record.key())[..FRAGMENTS];
        let has = numbers(&sim, holders, record.key());
        assert!(has.iter().all(|has| !has.is_empty()), "each has one: {has:?}");
        assert!(different(&sim, holders, record.key()) >= FRAGMENTS - 2, "{has:?}");
        is_found(&mut sim, members[0], record);
    }
}

#[test]
fn a_storm_of_faults_and_a_partition() {
    for seed in 1..=2 {
        println!("seed {seed}");
        let (mut sim, members) = drawn_up(seed, 60, &long());
        let mut rng = Rng::fast_from(seed);
        sim.set_faults(Faults { loss: 0.1, duplicate: 0.02, ..Faults::default() });
        let records: Vec<Record> = (0..10).map(|at| coded(&mut rng, 100 + 900 * at)).collect();
        for record in &records {
            put(&mut sim, *rng.choose(&members).unwrap(), Put::new(record.clone())).unwrap();
        }
        sim.run_for(Duration::from_secs(5));
        // A quarter is cut off; those that are left read everything.
        let (away, rest): (Vec<NodeIx>, Vec<NodeIx>) = members.iter().partition(|_| rng.chance(0.25));
        sim.partition(&[&away, &rest]);
        let enough = |sim: &World, record: &Record| {
            let holders = owners(sim, &members, record.key());
            holders[..FRAGMENTS].iter().filter(|node| rest.contains(node)).count() >= ENOUGH
        };
        let mut read = 0;
        let readable: Vec<&Record> = records.iter().filter(|record| enough(&sim, record)).collect();
        for record in readable {
            let node = *rng.choose(&rest).unwrap();
            let got = get(&mut sim, node, Get::new(record.key(), Kind::Coded));
            read += usize::from(got.is_ok_and(|(found, _)| found[0] == *record));
        }
        println!("{read} of {} are read in a part of the ring", records.len());
        assert!(read >= 9);
        sim.heal();
        sim.set_faults(Faults::default());
        settle(&mut sim, &members, 16, 600);
        for record in &records {
            is_found(&mut sim, members[7], record);
        }
    }
}

/// What is stored and sent for values of 16 KiB: fourteen fragments, and eight copies.
#[test]
fn fragments_cost_a_quarter_of_eight_copies() {
    let bytes = |record: fn(Vec<u8>) -> Record| {
        let mut config = long();
        (config.stabilise, config.fix_finger) = (Duration::from_secs(1 << 30), Duration::from_secs(1 << 30));
        let (mut sim, members) = drawn_up(6, 64, &config);
        let mut rng = Rng::fast_from(6);
        let stored =
            |sim: &World| members.iter().map(|node| chord(sim, *node).store().bytes()).sum::<usize>();
        let sent = |sim: &World| {
            let traffic = sim.traffic();
            traffic.datagrams.sent_bytes + traffic.stream.sent_bytes
        };
        let quiet = sent(&sim);
        for _ in 0..20 {
            let mut value = vec![0; 16 << 10];
            rng.fill(&mut value);
            put(&mut sim, members[0], Put::new(record(value))).unwrap();
        }
        sim.run_for(Duration::from_secs(3));
        (stored(&sim) as f64 / 20.0 / 16_384.0, (sent(&sim) - quiet) as f64 / 20.0 / 16_384.0)
    };
    let copies = bytes(|value| Record::Value(value.into()));
    let fragments = bytes(|value| Record::Coded(Coded::new(value).unwrap()));
    println!("stored and sent for each byte: {copies:.2?} in eight copies, {fragments:.2?} in fragments");
    assert!(fragments.0 < copies.0 / 3.0 && fragments.1 < copies.1 / 2.0);
}
