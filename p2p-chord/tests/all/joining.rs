//! Ways into a ring that are not straight.

use crate::rings::{at, chord, drawn_up, node, owners};
use crate::storing::wide;
use p2p_chord::{Command, Error, Peer};
use p2p_core::Duration;
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
