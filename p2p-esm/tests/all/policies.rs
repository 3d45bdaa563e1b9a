//! Narada's mesh in the place of probes: the same members, asked for in the same way, given the same.

use crate::group::Group;
use p2p_core::Duration;
use p2p_esm::{Config, Policy, Shape};
use p2p_sim::Uniform;

const EVERY: Duration = Duration::from_millis(50);

fn config(policy: Policy) -> Config {
    let mut config = Config::default();
    config.shape = Shape::SINGLE;
    config.policy = policy;
    // Twenty packets of 200 bytes a second.
    config.rate = 4_000;
    config.upload = 16_000;
    config
}

/// Bytes beside the stream that all members sent so far.
fn control(group: &Group) -> u64 {
    group.members.iter().map(|node| group.machine(*node).counts().control.all().bytes).sum()
}

/// Everybody is given everything, in either way.
#[test]
fn trees_come_about_in_both_ways() {
    let control_of = |policy| {
        let seed = 81;
        let mut group = Group::new(seed, Uniform::ms(10..60), config(policy));
        group.add(24);
        group.stream(200, EVERY);
        let before = control(&group);
        group.stream(300, EVERY);
        for node in &group.members {
            let depth = group.depth(*node, 0);
            assert!(matches!(depth, Some(1..=12)), "seed {seed}, {policy:?}, {node:?}: {depth:?}");
        }
        group.sim.run_for(Duration::from_secs(3));
        for node in &group.members {
            let given = group.given(*node);
            assert_eq!((given.packets.len(), given.gaps), (500, 0), "seed {seed}, {policy:?}, {node:?}");
            let children = group.machine(*node).children().map(|children| children.len()).max();
            // A parent and at most that many children, one let in who was cut off.
            assert!(children <= Some(5), "seed {seed}, {policy:?}, {node:?}: {children:?}");
        }
        control(&group) - before
    };
    let (tree, mesh) = (control_of(Policy::Tree), control_of(Policy::Mesh));
    println!("{tree} bytes of control, {mesh} by a mesh");
}

/// Parents die one after the other: a neighbour takes their place.
#[test]
fn who_passes_on_in_a_mesh_is_killed() {
    let seed = 82;
    let mut group = Group::new(seed, Uniform::ms(10..60), config(Policy::Mesh));
    group.add(24);
    group.stream(300, EVERY);
    let mut dead = Vec::new();
    for _ in 0..3 {
        let passes_on = |node| {
            group.machine(node).children().any(|children| !children.is_empty()) && !dead.contains(&node)
        };
        let node = group.members.iter().copied().find(|node| passes_on(*node));
        let node = node.expect("somebody passes the stream on");
        group.sim.kill(node);
        dead.push(node);
        group.stream(300, EVERY);
    }
    group.stream(300, EVERY);
    group.sim.run_for(Duration::from_secs(3));
    for node in group.members.iter().filter(|node| !dead.contains(node)) {
        assert!(group.depth(*node, 0).is_some(), "seed {seed}, {node:?} is in no tree");
        // After the last death a mesh has had its time to mend.
        let last = group.given(*node).packets.iter().filter(|packet| **packet >= 1_400).count();
        assert_eq!(last, 100, "seed {seed}, {node:?}: {:?}", group.machine(*node).counts());
    }
}
