//! Ways into a ring that are not straight.

use crate::rings::{World, at, chord, drawn_up, node, owners};
use crate::storing::wide;
use p2p_chord::{Command, Error, Event, Peer};
use p2p_core::{Duration, OpId};
use p2p_sim::NodeIx;
use std::net::SocketAddr;

/// Whoever is asked to join by names a node that is dead, and nothing is mended meanwhile.
#[test]
fn who_is_told_of_a_dead_successor_joins_by_the_next_one() {
    for seed in 0..4 {
        let mut config = wide(4);
        config.stabilise = Duration::from_secs(1 << 30);
        config.fix_finger = config.stabilise;
        let (mut sim, members) = drawn_up(seed, 40, &config);
        let new = sim.add(node(&config));
        let place = Peer::new(config.network, SocketAddr::new(sim.addr(new), 4000)).id();
        let behind = owners(&sim, &members, place);
        for dead in &behind[..2] {
            sim.kill(*dead);
        }
        let door = behind[20];
        let join = sim.ask(new, Command::Join(vec![at(&sim, door)]));
        assert!(sim.finish(&[join], Duration::from_secs(120)));
        assert_eq!(sim.outcome(join), Some(&Ok(())), "seed {seed}");
        let right: Vec<Peer> = behind[2..6].iter().map(|node| chord(&sim, *node).peer().unwrap()).collect();
        let has: Vec<Peer> = chord(&sim, new).successors().collect();
        assert_eq!(has, right, "seed {seed}");
    }
}

/// Nobody there is one thing, nobody there who can let one in is another.
#[test]
fn who_cannot_join_is_told_why() {
    let config = wide(4);
    let (mut sim, members) = drawn_up(1, 20, &config);
    let stranger = sim.add(node(&config));
    let new = sim.add(node(&config));
    let by = vec![at(&sim, stranger)];
    let in_vain = sim.ask(new, Command::Join(by));
    assert!(sim.finish(&[in_vain], Duration::from_secs(300)));
    assert_eq!(sim.outcome(in_vain), Some(&Err(Error::NoRoute)), "it answers, and is no member");
    let nobody = SocketAddr::from(([10, 99, 0, 1], 4000));
    let in_vain = sim.ask(new, Command::Join(vec![nobody]));
    assert!(sim.finish(&[in_vain], Duration::from_secs(300)));
    assert_eq!(sim.outcome(in_vain), Some(&Err(Error::NoBootstrap)));
    let join = sim.ask(new, Command::Join(vec![nobody, at(&sim, members[3])]));
    assert!(sim.finish(&[join], Duration::from_secs(300)));
    assert_eq!(sim.outcome(join), Some(&Ok(())));
}

/// A ring of which nothing is mended, a newcomer on its way in by its tenth successor, and who is behind its place, of whom
/// the first is dead: the second takes that one for its predecessor.
fn behind_a_dead_one(seed: u64) -> (World, NodeIx, OpId, Vec<NodeIx>) {
    let mut config = wide(4);
    config.stabilise = Duration::from_secs(1 << 30);
    config.fix_finger = config.stabilise;
    let (mut sim, members) = drawn_up(seed, 40, &config);
    let new = sim.add(node(&config));
    let place = Peer::new(config.network, SocketAddr::new(sim.addr(new), 4000)).id();
    let mut behind = owners(&sim, &members, place);
    sim.kill(behind.remove(0));
    let join = sim.ask(new, Command::Join(vec![at(&sim, behind[9])]));
    (sim, new, join, behind)
}

#[test]
fn a_join_is_over_when_the_successor_knows_of_it() {
    for seed in 0..8 {
        let (mut sim, new, join, behind) = behind_a_dead_one(seed);
        let me = Peer::new(wide(4).network, at(&sim, new));
        // As soon as it is a member itself, and not yet of its successor's knowing.
        assert!(sim.wait(Duration::from_secs(60), |sim| chord(sim, new).is_member()));
        assert_ne!(chord(&sim, behind[0]).predecessor(), Some(me));
        assert_eq!(sim.outcome(join), None, "seed {seed}");
        let early = sim.ask(behind[15], Command::Lookup(me.id()));
        assert!(sim.finish(&[join], Duration::from_secs(60)));
        assert_eq!(sim.outcome(join), Some(&Ok(())));
        assert_eq!(chord(&sim, behind[0]).predecessor(), Some(me), "seed {seed}");
        // From then on everybody finds it, and who began to look before that finds it or its successor.
        let lookups: Vec<OpId> =
            behind[1..30].iter().map(|node| sim.ask(*node, Command::Lookup(me.id()))).collect();
        assert!(sim.finish(&lookups, Duration::from_secs(20)));
        assert!(sim.finish(&[early], Duration::from_secs(20)));
        for asker in &behind[1..30] {
            let events = sim.take_events(*asker);
            let named = events.into_iter().filter_map(|told| match told.event {
                Event::Owners { owners, .. } => Some((told.op, owners[0])),
                _ => None,
            });
            for (op, named) in named {
                let successor = chord(&sim, behind[0]).peer();
                assert!(named == me || op == Some(early) && Some(named) == successor, "seed {seed}");
            }
        }
    }
}

#[test]
fn a_join_ends_once_whatever_comes_between() {
    let (mut sim, new, join, _) = behind_a_dead_one(1);
    assert!(sim.wait(Duration::from_secs(60), |sim| chord(sim, new).is_member()));
    sim.cancel(join);
    assert!(sim.finish(&[join], Duration::from_secs(1)));
    assert_eq!(sim.outcome(join), Some(&Err(Error::Cancelled)));
    assert!(!chord(&sim, new).is_member());

    let (mut sim, new, join, _) = behind_a_dead_one(2);
    assert!(sim.wait(Duration::from_secs(60), |sim| chord(sim, new).is_member()));
    let leave = sim.ask(new, Command::Leave);
    assert!(sim.finish(&[join, leave], Duration::from_secs(20)));
    assert_eq!(sim.outcome(join), Some(&Err(Error::Cancelled)));
    assert_eq!(sim.outcome(leave), Some(&Ok(())));
    assert!(!chord(&sim, new).is_member());

    let (mut sim, new, join, _) = behind_a_dead_one(3);
    assert!(sim.wait(Duration::from_secs(60), |sim| chord(sim, new).is_member()));
    sim.stop(new);
    assert!(sim.finish(&[join], Duration::from_secs(20)));
    assert_eq!(sim.outcome(join), Some(&Err(Error::Stopped)));
}
