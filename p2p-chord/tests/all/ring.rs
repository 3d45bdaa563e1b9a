//! The ring stays right: nodes join alone and at once, crash, leave, come back, and are cut off.

use crate::rings::{
    World, add, at, begin, chord, config, faults, joined, lookups_are_right, node, owners, settle,
};
use p2p_chord::{Command, Event};
use p2p_core::Duration;
use p2p_sim::NodeIx;

#[test]
fn small_rings_know_everybody() {
    for seed in 1..=5 {
        let config = config(3);
        let (mut sim, members) = joined(seed, 11, &config);
        eprintln!("seed {seed}");
        settle(&mut sim, &members, 3, 60);
        assert!(members.iter().all(|node| chord(&sim, *node).is_small()), "3 (r + 1) is 12");
        lookups_are_right(&mut sim, &members, seed, 50);
    }
}

#[test]
fn a_ring_grows_large_one_by_one() {
    for seed in 1..=5 {
        eprintln!("seed {seed}");
        let config = config(3);
        let (mut sim, members) = joined(seed, 40, &config);
        let seconds = settle(&mut sim, &members, 3, 300);
        eprintln!("right after {seconds} s");
        assert!(members.iter().all(|node| !chord(&sim, *node).is_small()));
        lookups_are_right(&mut sim, &members, seed, 200);
    }
}

#[test]
fn many_join_at_once() {
    for seed in 1..=5 {
        eprintln!("seed {seed}");
        let config = config(3);
        let (mut sim, mut members) = joined(seed, 5, &config);
        let new: Vec<_> = (0..45).map(|_| begin(&mut sim, &members[..1], &config)).collect();
        let ops: Vec<_> = new.iter().map(|(_, op)| *op).collect();
        members.extend(new.iter().map(|(node, _)| *node));
        assert!(sim.finish(&ops, Duration::from_secs(120)));
        assert!(ops.iter().all(|op| sim.outcome(*op) == Some(&Ok(()))));
        settle(&mut sim, &members, 3, 600);
        lookups_are_right(&mut sim, &members, seed, 200);
    }
}

#[test]
fn crashes_are_survived_and_the_dead_come_back() {
    for seed in 1..=5 {
        eprintln!("seed {seed}");
        let config = config(4);
        let (mut sim, members) = joined(seed, 40, &config);
        settle(&mut sim, &members, 4, 300);
        // Half of them, at once.
        let (dead, alive): (Vec<NodeIx>, Vec<NodeIx>) =
            members.iter().partition(|node| node.index() % 2 == 1);
        dead.iter().for_each(|node| sim.kill(*node));
        settle(&mut sim, &alive, 4, 600);
        lookups_are_right(&mut sim, &alive, seed, 100);
        for dead in &dead {
            let mut config = config.clone();
            config.advertised = Some(at(&sim, *dead));
            sim.restart(*dead, node(&config));
            let by = at(&sim, alive[0]);
            sim.ask(*dead, Command::Join(vec![by]));
        }
        sim.run_for(Duration::from_secs(10));
        settle(&mut sim, &members, 4, 600);
        lookups_are_right(&mut sim, &members, seed, 100);
    }
}

#[test]
fn who_leaves_says_so() {
    let config = config(3);
    let (mut sim, mut members) = joined(7, 40, &config);
    settle(&mut sim, &members, 3, 300);
    for _ in 0..10 {
        let leaver = members.swap_remove(1);
        let op = sim.ask(leaver, Command::Leave);
        assert!(sim.finish(&[op], Duration::from_secs(1)));
        sim.run_for(Duration::from_secs(1));
        // No lookup has to wait for a dead one where it counts.
        let nodes: Vec<_> = members.iter().map(|node| chord(&sim, *node).predecessor()).collect();
        assert!(!nodes.contains(&chord(&sim, leaver).peer()), "its successor has another predecessor");
    }
    settle(&mut sim, &members, 3, 300);
    let extra = add(&mut sim, &members, &config);
    members.push(extra);
    settle(&mut sim, &members, 3, 300);
}

#[test]
fn whoever_is_cut_off_joins_again() {
    let config = config(3);
    let (mut sim, members) = joined(3, 30, &config);
    settle(&mut sim, &members, 3, 300);
    let alone = members[17];
    let rest: Vec<NodeIx> = members.iter().copied().filter(|node| *node != alone).collect();
    sim.partition(&[&[alone], &rest]);
    settle(&mut sim, &rest, 3, 300);
    sim.run_for(Duration::from_secs(120));
    assert!(sim.events(alone).iter().any(|told| told.event == Event::Isolated));
    assert!(!faults(&sim, &members, 3).is_empty());
    sim.heal();
    settle(&mut sim, &members, 3, 300);
}

/// A ring, and two of its members that follow each other. The founder, by which all joined, is neither.
fn with_neighbours(seed: u64) -> (World, Vec<NodeIx>, [NodeIx; 2]) {
    eprintln!("seed {seed}");
    let (mut sim, members) = joined(seed, 30, &config(3));
    settle(&mut sim, &members, 3, 300);
    let around = owners(&sim, &members, chord(&sim, members[0]).peer().unwrap().id());
    let pair = [around[7], around[8]];
    (sim, members, pair)
}

/// They lose everybody else, and are a small ring of two, but look for others long before that.
#[test]
fn two_that_are_cut_off_are_a_small_ring_until_they_find_the_others() {
    for seed in 1..=3 {
        let (mut sim, members, pair) = with_neighbours(seed);
        let rest: Vec<NodeIx> = members.iter().copied().filter(|node| !pair.contains(node)).collect();
        sim.partition(&[&pair, &rest]);
        sim.run_for(Duration::from_secs(30));
        assert!(pair.iter().all(|node| !chord(&sim, *node).is_small()));
        settle(&mut sim, &rest, 3, 300);
        let seconds = settle(&mut sim, &pair, 3, 900);
        eprintln!("two after {seconds} s");
        assert!(pair.iter().all(|node| chord(&sim, *node).is_small()));
        lookups_are_right(&mut sim, &pair, seed, 10);
        sim.heal();
        let seconds = settle(&mut sim, &members, 3, 600);
        eprintln!("one ring after {seconds} s");
        lookups_are_right(&mut sim, &members, seed, 100);
    }
}

/// One that hears its predecessor only does not draw that one out of the ring.
#[test]
fn who_hears_nobody_but_its_predecessor_falls_out_alone() {
    for seed in 1..=3 {
        let (mut sim, members, [before, alone]) = with_neighbours(seed);
        let rest: Vec<NodeIx> = members.iter().copied().filter(|node| *node != alone).collect();
        for other in rest.iter().filter(|node| **node != before) {
            sim.cut(*other, alone);
            sim.cut(alone, *other);
        }
        let mut small = 0;
        for _ in 0..900 {
            sim.run_for(Duration::from_secs(1));
            small += usize::from(chord(&sim, alone).is_small());
            assert!(rest.iter().all(|node| !chord(&sim, *node).is_small()));
        }
        eprintln!("in a small ring for {small} s");
        lookups_are_right(&mut sim, &rest, seed, 100);
        sim.heal();
        let seconds = settle(&mut sim, &members, 3, 600);
        eprintln!("one ring after {seconds} s");
        lookups_are_right(&mut sim, &members, seed, 100);
    }
}
