//! Trees come about, and carry the stream whatever happens to their members.

use crate::group::Group;
use p2p_core::Duration;
use p2p_esm::{Command, Config, Shape};
use p2p_sim::Uniform;

const EVERY: Duration = Duration::from_millis(50);

fn config(shape: Shape) -> Config {
    let mut config = Config::default();
    config.shape = shape;
    // Twenty packets of 200 bytes a second.
    config.rate = 4_000;
    config.upload = 16_000;
    config
}

#[test]
fn everybody_is_given_everything() {
    for (seed, shape) in
        [(1, Shape::SIX_OF_FOUR), (2, Shape::SINGLE), (3, Shape::new(5, 16, 4).expect("a shape"))]
    {
        let mut group = Group::new(seed, Uniform::ms(10..60), config(shape));
        group.add(40);
        let members = group.members.clone();
        let depths: Vec<_> = (0..usize::from(shape.trees()))
            .map(|tree| members.iter().map(|node| group.depth(*node, tree)).max())
            .collect();
        assert!(depths.iter().all(|depth| matches!(depth, Some(Some(1..=12)))), "seed {seed}: {depths:?}");
        group.stream(200, EVERY);
        group.sim.ask(group.source, Command::Leave);
        group.sim.run_for(Duration::from_secs(5));
        for node in members {
            let given = group.given(node);
            assert_eq!(
                given.packets.len(),
                200,
                "seed {seed}, {node:?}: {given:?}, {:?}",
                group.machine(node).counts()
            );
            assert!(
                given.ended && given.gaps == 0,
                "seed {seed}, {node:?}: {} gaps, {}",
                given.gaps,
                given.ended
            );
        }
    }
}

/// Members of which others are children, killed one after the other.
#[test]
fn who_passes_on_is_killed() {
    for (seed, shape) in [(11, Shape::SINGLE), (12, Shape::SIX_OF_FOUR)] {
        let mut group = Group::new(seed, Uniform::ms(10..60), config(shape));
        group.add(40);
        group.stream(40, EVERY);
        let mut dead = Vec::new();
        for _ in 0..6 {
            let passes_on =
                |group: &Group, node| group.machine(node).children().any(|children| !children.is_empty());
            let node =
                group.members.iter().copied().find(|node| !dead.contains(node) && passes_on(&group, *node));
            let node = node.expect("somebody passes the stream on");
            group.sim.kill(node);
            dead.push(node);
            group.stream(40, EVERY);
        }
        group.sim.run_for(Duration::from_secs(3));
        let sent = group.sent.len();
        for node in group.members.clone().into_iter().filter(|node| !dead.contains(node)) {
            let given = group.given(node);
            assert_eq!(
                (given.packets.len(), given.gaps),
                (sent, 0),
                "seed {seed}, {node:?}: {:?}",
                group.machine(node).counts()
            );
        }
    }
}

/// Three datagrams of a hundred are lost on each link.
#[test]
fn links_that_lose() {
    let links = Uniform::ms(10..60).loss(0.03);
    for (seed, shape) in [(21, Shape::SINGLE), (22, Shape::SIX_OF_FOUR)] {
        let mut group = Group::new(seed, links.clone(), config(shape));
        group.add(40);
        group.stream(300, EVERY);
        group.sim.run_for(Duration::from_secs(3));
        for node in group.members.clone() {
            let given = group.given(node);
            assert!(
                given.packets.len() >= 299,
                "seed {seed}, {node:?}: {} {:?}",
                given.packets.len(),
                group.machine(node).counts()
            );
        }
    }
}

/// Sessions of a minute on average, as many leaving as crashing.
#[test]
fn comings_and_goings() {
    for (seed, shape) in [(31, Shape::SINGLE), (32, Shape::SIX_OF_FOUR)] {
        let mut group = Group::new(seed, Uniform::ms(10..60), config(shape));
        group.add(60);
        let mut dice = p2p_core::Rng::fast_from(seed);
        let mut away = Vec::new();
        let (mut gone, mut expected, mut given) = (0, 0, 0);
        for _ in 0..240 {
            group.stream(10, EVERY);
            if dice.chance(0.5) {
                let node = *dice.choose(&group.members).expect("members");
                if !away.contains(&node) {
                    away.push(node);
                    gone += 1;
                    let all = group.given(node);
                    let (first, last) =
                        (all.packets.first().copied().unwrap_or(0), all.packets.last().copied().unwrap_or(0));
                    expected += last + 1 - first;
                    given += all.packets.len();
                    if dice.chance(0.5) {
                        group.sim.kill(node)
                    } else {
                        group.sim.stop(node)
                    }
                    let (new, op) = group.begin();
                    assert!(group.sim.finish(&[op], Duration::from_secs(20)), "{new:?} joins");
                    group.watch(new);
                }
            }
        }
        let share = f64::from(given as u32) / f64::from(expected as u32);
        assert!(gone > 50 && share > 0.998, "seed {seed}: {gone} gone, {share}");
    }
}
