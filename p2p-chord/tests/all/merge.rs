//! Rings that came apart, or began apart, become one again.

use crate::rings::{World, add, at, chord, config, draw, faults, joined, lookups_are_right, settle};
use crate::storing::{get, put, value, wide};
use p2p_chord::record::{Kind, Record};
use p2p_chord::{Command, Config, Get, Put};
use p2p_core::{Duration, Rng};
use p2p_sim::{NodeIx, Sim, Uniform};

/// Runs until these are one ring, and gives in how many seconds they were. The rules hold all the time.
fn until_one(sim: &mut World, members: &[NodeIx], r: usize, most: u64) -> u64 {
    for step in 0..most / 5 {
        if faults(sim, members, r).is_empty() {
            return step * 5;
        }
        for _ in 0..5 {
            sim.run_for(Duration::from_secs(1));
            for node in members {
                assert_eq!(chord(sim, *node).check(), Ok(()), "{node:?}");
            }
        }
    }
    let faults = faults(sim, members, r);
    panic!("{} faults after {most} s, first {:?}", faults.len(), faults.first());
}

/// Two rings of so many, and one more node that joins the first and was told an address of the second, too.
fn share_an_address(seed: u64, sizes: [usize; 2], config: &Config) -> (World, Vec<NodeIx>) {
    println!("seed {seed}, {sizes:?}, r {}", config.successors);
    let mut sim = Sim::new(seed, Uniform::ms(10..60));
    let small = 3 * (config.successors + 1);
    let mut ring = |size: usize, first: usize| match size < small {
        true => {
            let mut members = Vec::new();
            for _ in 0..size {
                members.push(add(&mut sim, &members, config));
            }
            members
        }
        false => draw(&mut sim, first..first + size, config),
    };
    let [mut ours, theirs] = [ring(sizes[0], 0), ring(sizes[1], 100_000)];
    let new = sim.add(crate::rings::node(config));
    let by = vec![at(&sim, ours[0]), at(&sim, theirs[0])];
    let op = sim.ask(new, Command::Join(by));
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    assert_eq!(sim.outcome(op), Some(&Ok(())));
    ours.push(new);
    ours.extend(theirs);
    (sim, ours)
}

#[test]
fn two_rings_that_share_an_address_become_one() {
    for (seed, sizes) in (1..).zip([[60, 60], [100, 20], [20, 100]]) {
        let (mut sim, members) = share_an_address(seed, sizes, &wide(4));
        let seconds = until_one(&mut sim, &members, 4, 600);
        println!("one ring after {seconds} s");
        lookups_are_right(&mut sim, &members, seed, 100);
    }
}

#[test]
fn small_rings_become_one_with_small_and_large_ones() {
    // With lists of eight, a ring is small below 27.
    for (seed, sizes, r) in
        [(1, [5, 6], 8), (2, [14, 20], 8), (3, [9, 40], 4), (4, [40, 9], 4), (5, [1, 1], 2)]
    {
        let (mut sim, members) = share_an_address(seed, sizes, &wide(r));
        let seconds = until_one(&mut sim, &members, r, 900);
        println!("one ring after {seconds} s");
        lookups_are_right(&mut sim, &members, seed, 50);
    }
}

#[test]
#[ignore = "a thousand nodes: seconds in release"]
fn two_rings_of_five_hundred_become_one() {
    for seed in 1..=5 {
        let (mut sim, members) = share_an_address(seed, [500, 500], &wide(8));
        // Its address is asked within a minute.
        let seconds = until_one(&mut sim, &members, 8, 360);
        println!("one ring after {seconds} s: {} rounds of stabilising", seconds / 10);
    }
}

/// Half of a ring cannot hear the other half for an hour, while nodes come and go on either side.
fn split_for_an_hour(seed: u64, nodes: usize, every: u64) {
    println!("seed {seed}");
    let mut config = config(4);
    (config.replicas, config.quorum) = (5, 3);
    let (mut sim, members) = joined(seed, nodes, &config);
    settle(&mut sim, &members, 4, 600);
    let mut rng = Rng::fast_from(seed);
    let mut records: Vec<Record> = Vec::new();
    let store = |sim: &mut World, some: &[NodeIx], rng: &mut Rng, records: &mut Vec<Record>| {
        let record = value(rng, 100);
        put(sim, *rng.choose(some).unwrap(), Put::new(record.clone())).unwrap();
        records.push(record);
    };
    for _ in 0..20 {
        store(&mut sim, &members, &mut rng, &mut records);
    }
    sim.run_for(Duration::from_secs(5));
    let mut sides: [Vec<NodeIx>; 2] = [Vec::new(), Vec::new()];
    for (number, member) in members.iter().enumerate() {
        sides[number % 2].push(*member);
    }
    let mut joins = Vec::new();
    for round in 0..3_600 / every {
        sim.partition(&[&sides[0], &sides[1]]);
        sim.run_for(Duration::from_secs(every));
        for side in &mut sides {
            // One crashes, and another one comes.
            let gone = side.remove(rng.index(side.len()));
            sim.kill(gone);
            let new = sim.add(crate::rings::node(&config));
            let by = at(&sim, *rng.choose(side).unwrap());
            joins.push((new, sim.ask(new, Command::Join(vec![by]))));
            side.push(new);
            // Who found no way in while others came and went was told so, and tries again by somebody else.
            for (node, op) in joins.iter_mut().filter(|(node, _)| side.contains(node)) {
                if sim.outcome(*op).is_some_and(Result::is_err) && sim.is_alive(*node) {
                    println!("{node:?} tries again to join");
                    *op = sim.ask(*node, Command::Join(vec![by]));
                }
            }
        }
        if round == 3_600 / every / 2 {
            for side in &sides {
                store(&mut sim, &side[..side.len() / 2], &mut rng, &mut records);
            }
        }
    }
    sim.partition(&[&sides[0], &sides[1]]);
    sim.run_for(Duration::from_secs(120));
    for side in &sides {
        assert!(faults(&sim, side, 4).is_empty(), "each side is a ring");
    }
    sim.heal();
    let all = sides.concat();
    let seconds = until_one(&mut sim, &all, 4, 900);
    println!("one ring {seconds} s after");
    sim.run_for(Duration::from_secs(300));
    for record in records {
        for _ in 0..3 {
            let found = get(&mut sim, *rng.choose(&all).unwrap(), Get::new(record.key(), Kind::Value));
            assert_eq!(found.unwrap().0, core::slice::from_ref(&record));
        }
    }
    lookups_are_right(&mut sim, &all, seed, 100);
}

/// Records of which every copy is far behind those that are responsible once the rings are one: a ring of 20 has them all,
/// and meets one of a hundred.
#[test]
fn records_are_brought_home_when_rings_become_one() {
    let mut config = wide(4);
    (config.replicas, config.quorum) = (5, 3);
    let mut sim = Sim::new(6, Uniform::ms(10..60));
    let few = draw(&mut sim, 0..20, &config);
    let many = draw(&mut sim, 100_000..100_100, &config);
    let mut rng = Rng::fast_from(6);
    let mut records = Vec::new();
    for _ in 0..40 {
        let record = value(&mut rng, 100);
        put(&mut sim, *rng.choose(&few).unwrap(), Put::new(record.clone())).unwrap();
        records.push(record);
    }
    let new = sim.add(crate::rings::node(&config));
    let op = sim.ask(new, Command::Join(vec![at(&sim, few[0]), at(&sim, many[0])]));
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    let all: Vec<NodeIx> = few.into_iter().chain(many).chain([new]).collect();
    until_one(&mut sim, &all, 4, 600);
    sim.run_for(Duration::from_secs(300));
    for record in records {
        let found = get(&mut sim, *rng.choose(&all).unwrap(), Get::new(record.key(), Kind::Value));
        assert_eq!(found.unwrap().0, core::slice::from_ref(&record));
    }
}

#[test]
fn a_ring_that_was_split_for_an_hour_is_one_again() {
    split_for_an_hour(1, 44, 240);
}

#[test]
#[ignore = "eight hours of eighty nodes: seconds in release"]
fn rings_that_were_split_for_an_hour_are_one_again() {
    for seed in 2..10 {
        split_for_an_hour(seed, 80, 60);
    }
}
