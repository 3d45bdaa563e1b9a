//! Fingers are near: of the first nodes of each slot, the nearest (PNS(16), Gummadi et al. 2003).

use crate::rings::{PORT, World, chord, config};
use p2p_chord::{Chord, Config, Peer};
use p2p_core::Duration;
use p2p_sim::{Audit, Coordinates, NodeIx, Setup};
use std::collections::BTreeMap;
use std::net::SocketAddr;

const NODES: usize = 200;

/// A ring whose lists are right and that has no fingers yet, in the order of the ring.
fn without_fingers(config: &Config, links: Coordinates) -> (World, Vec<(Peer, NodeIx)>) {
    let mut sim = World::new(1, links);
    let at = |index: usize| SocketAddr::from(([10, 0, (index >> 8) as u8, index as u8], PORT));
    let mut peers: Vec<Peer> = (1..=NODES).map(|index| Peer::new(config.network, at(index))).collect();
    peers.sort_by_key(Peer::id);
    let around = |at: usize| peers[at % NODES];
    let members = (0..NODES).map(|place| {
        let successors: Vec<Peer> = (1..=config.successors).map(|step| around(place + step)).collect();
        let before = around(place + NODES - 1);
        let node = Chord::settled(config.clone(), around(place), before, &successors, []);
        let setup = Setup::new().addr(around(place).addr().ip());
        (around(place), sim.add_with(setup, Audit::new(node)))
    });
    let members = members.collect();
    (sim, members)
}

/// Of all slots that have nodes behind the successor list: the delay of the finger, and of the nearest of the first so
/// many nodes of it.
fn delays(
    sim: &World,
    members: &[(Peer, NodeIx)],
    links: &Coordinates,
    of: usize,
) -> Vec<(Duration, Duration)> {
    let mut delays = Vec::new();
    for (place, (me, node)) in members.iter().enumerate() {
        let away = |peer: &Peer| me.id().distance_to(peer.id()).highest_bit().unwrap();
        let r = chord(sim, *node).successors().count();
        let delay = |to: NodeIx| links.delay(*node, to);
        let mut slots = BTreeMap::<u32, Vec<Duration>>::new();
        for (peer, to) in (r + 1..NODES).map(|step| members[(place + step) % NODES]) {
            slots.entry(away(&peer)).or_default().push(delay(to));
        }
        let mut fingers = BTreeMap::new();
        for peer in chord(sim, *node).fingers() {
            fingers.insert(away(&peer), delay(sim.node_at(peer.addr().ip()).unwrap()));
        }
        for (slot, slot_delays) in slots {
            let nearest = slot_delays.into_iter().take(of).min().unwrap();
            delays.push((fingers.get(&slot).copied().unwrap_or(Duration::from_secs(1)), nearest));
        }
    }
    delays
}

#[test]
fn a_finger_is_the_nearest_of_the_first_sixteen_of_its_slot() {
    let links = Coordinates::new(3, Duration::from_millis(2), Duration::from_millis(80));
    let mut config = config(8);
    config.fix_finger = Duration::from_secs(2);
    config.stabilise = Duration::from_secs(60);
    config.compare = Duration::from_secs(60);
    let (mut sim, members) = without_fingers(&config, links.clone());
    sim.run_for(Duration::from_secs(45));
    let all = delays(&sim, &members, &links, 16);
    // Another one takes its place only if it is nearer by a fifth.
    let near =
        |(finger, nearest): &&(Duration, Duration)| *finger <= *nearest * 5 / 4 + Duration::from_millis(1);
    let near = all.iter().filter(near).count();
    let first = delays(&sim, &members, &links, 1);
    let sum = |delays: &[(Duration, Duration)]| delays.iter().map(|(_, other)| *other).sum::<Duration>();
    let fingers: Duration = all.iter().map(|(finger, _)| *finger).sum();
    println!(
        "{near} of {} are; {fingers:?} in all, {:?} for the nearest of 16, {:?} for the first ones",
        all.len(),
        sum(&all),
        sum(&first)
    );
    assert!(all.len() > NODES * 4 && near * 100 >= all.len() * 98);
    assert!(fingers <= sum(&all) * 11 / 10 && fingers < sum(&first) * 2 / 3);
}

#[test]
fn without_regard_to_distance_a_finger_is_the_first_of_its_slot() {
    let links = Coordinates::new(3, Duration::from_millis(2), Duration::from_millis(80));
    let mut config = config(8);
    config.proximity = false;
    config.fix_finger = Duration::from_secs(2);
    config.stabilise = Duration::from_secs(60);
    let (mut sim, members) = without_fingers(&config, links.clone());
    sim.run_for(Duration::from_secs(45));
    // Of one, the nearest is the first.
    let all = delays(&sim, &members, &links, 1);
    let first = all.iter().filter(|(finger, first)| finger == first).count();
    println!("{first} of {}", all.len());
    assert!(first * 100 >= all.len() * 98);
}
