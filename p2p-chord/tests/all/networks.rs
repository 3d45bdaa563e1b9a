//! Two rings that meet by accident stay two.

use crate::rings::{World, add, at, chord, config, faults, node, settle};
use p2p_chord::{Command, Config, Error, NetworkId};
use p2p_core::Duration;
use p2p_sim::{NodeIx, Sim, Uniform};

fn other() -> Config {
    let mut other = config(2);
    other.network = NetworkId::named("another");
    other
}

fn grow(sim: &mut World, nodes: usize, config: &Config) -> Vec<NodeIx> {
    let mut members = Vec::new();
    for _ in 0..nodes {
        let new = add(sim, &members, config);
        members.push(new);
    }
    members
}

/// On the same port each, in one network, and some of one ring come back at addresses that the other one knows.
#[test]
fn rings_of_two_networks_never_mix() {
    let mut sim = Sim::new(7, Uniform::ms(10..60));
    let mut ours = grow(&mut sim, 20, &config(2));
    let mut theirs = grow(&mut sim, 20, &other());
    settle(&mut sim, &ours, 2, 200);
    settle(&mut sim, &theirs, 2, 200);
    // Whoever is told an address of the other ring does not get in there.
    let lost = sim.add(node(&other()));
    let by = at(&sim, ours[0]);
    let join = sim.ask(lost, Command::Join(vec![by]));
    assert!(sim.finish(&[join], Duration::from_secs(300)));
    assert_eq!(sim.outcome(join), Some(&Err(Error::NoBootstrap)));
    assert!(chord(&sim, ours[0]).strays().network > 0, "dropped and counted");
    // Three machines change sides, at once and without a word.
    for moved in ours.drain(4..7).collect::<Vec<_>>() {
        sim.kill(moved);
        sim.restart(moved, node(&other()));
        let by = at(&sim, theirs[0]);
        let join = sim.ask(moved, Command::Join(vec![by]));
        theirs.push(moved);
        assert!(sim.finish(&[join], Duration::from_secs(120)));
        assert_eq!(sim.outcome(join), Some(&Ok(())));
    }
    settle(&mut sim, &ours, 2, 300);
    settle(&mut sim, &theirs, 2, 300);
    sim.run_for(Duration::from_secs(600));
    assert!(faults(&sim, &ours, 2).is_empty() && faults(&sim, &theirs, 2).is_empty());
    let strays: u32 = theirs.iter().map(|node| chord(&sim, *node).strays().network).sum();
    assert!(strays > 0, "what the first ring still sent to the three that left it");
}
