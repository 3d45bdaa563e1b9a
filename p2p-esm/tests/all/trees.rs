//! Trees come about, and carry the stream whatever happens to their members.

use crate::group::{Group, repeats};
use p2p_core::{Duration, Instant, Rng};
use p2p_esm::{Command, Config, Shape};
use p2p_sim::{Links, NodeIx, Uniform};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

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

/// Sessions of a minute on average, as many leaving as crashing: how many went, the share of the stream that they were given,
/// and the digest of it all.
fn churn(seed: u64, shape: Shape, members: usize, turns: usize) -> (usize, f64, u64) {
    let mut group = Group::new(seed, Uniform::ms(10..60), config(shape));
    group.add(members);
    let mut dice = Rng::fast_from(seed);
    let mut away = Vec::new();
    let (mut expected, mut given) = (0, 0);
    for _ in 0..turns {
        group.stream(10, EVERY);
        if dice.chance(0.5) {
            let node = *dice.choose(&group.members).expect("members");
            if !away.contains(&node) {
                away.push(node);
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
    (away.len(), share, group.sim.digest())
}

#[test]
fn comings_and_goings() {
    for (seed, shape) in [(31, Shape::SINGLE), (32, Shape::SIX_OF_FOUR)] {
        let (gone, share, _) = churn(seed, shape, 60, 240);
        assert!(gone > 50 && share > 0.998, "seed {seed}: {gone} gone, {share}");
        repeats(|| churn(seed, shape, 16, 40).2);
    }
}

/// Tokens are good for half an hour at most, parents for longer: what they say is believed all the same.
#[test]
fn longer_than_a_token_is_good() {
    for (seed, shape) in [(41, Shape::SINGLE), (42, Shape::SIX_OF_FOUR)] {
        let mut config = config(shape);
        config.rate = 200;
        config.upload = 800;
        let mut group = Group::new(seed, Uniform::ms(10..60), config);
        group.add(6);
        // Forty minutes.
        group.stream(2_400, Duration::from_secs(1));
        group.sim.run_for(Duration::from_secs(3));
        let bad: u64 = group.members.iter().map(|node| group.machine(*node).counts().bad).sum();
        assert_eq!(bad, 0, "seed {seed}: without a valid token");
        for node in group.members.clone() {
            assert_eq!(group.given(node).packets.len(), 2_400, "seed {seed}, {node:?}");
        }
    }
}

/// Some nodes are behind NATs of the common kind: what comes from outside is let in from whom something was sent to within
/// the last half minute.
#[derive(Clone)]
struct Nat {
    links: Uniform,
    inside: Arc<Mutex<BTreeSet<NodeIx>>>,
    sent: BTreeMap<(NodeIx, NodeIx), Instant>,
}

impl Links for Nat {
    fn carry(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Duration> {
        let (is_inside, is_to_inside) = self
            .inside
            .lock()
            .map(|inside| (inside.contains(&from), inside.contains(&to)))
            .unwrap_or_default();
        if is_inside {
            self.sent.insert((from, to), now);
        }
        let is_let_in = self.sent.get(&(to, from)).is_some_and(|at| now.since(*at) < Duration::from_secs(30));
        if is_to_inside && !is_let_in {
            return None;
        }
        self.links.carry(from, to, bytes, now, rng)
    }
}

/// Two of three members are behind NATs. Only who answers is asked to be a parent, so each is found one that it can reach.
#[test]
fn behind_nats() {
    for (seed, shape) in [(51, Shape::SINGLE), (52, Shape::SIX_OF_FOUR)] {
        let inside = Arc::new(Mutex::new(BTreeSet::new()));
        let links = Nat { links: Uniform::ms(10..60), inside: inside.clone(), sent: BTreeMap::new() };
        let mut group = Group::new(seed, links, config(shape));
        let ops: Vec<_> = (0..36)
            .map(|at| {
                let (node, op) = group.begin();
                if at % 3 > 0 {
                    inside.lock().expect("not poisoned").insert(node);
                }
                (node, op)
            })
            .collect();
        let only: Vec<_> = ops.iter().map(|(_, op)| *op).collect();
        assert!(group.sim.finish(&only, Duration::from_secs(30)), "seed {seed}: everybody joins");
        ops.iter().for_each(|(node, _)| group.watch(*node));
        group.stream(200, EVERY);
        let is_behind = |node: NodeIx| inside.lock().expect("not poisoned").contains(&node);
        let feeds =
            |node: &NodeIx| group.machine(*node).children().map(|children| children.len()).sum::<usize>();
        let fed: usize = group.members.iter().filter(|node| is_behind(**node)).map(feeds).sum();
        // One that is reached from everywhere, and passes much on, is gone.
        let open = group.members.iter().copied().filter(|node| !is_behind(*node));
        let victim = open.max_by_key(feeds).expect("somebody is outside");
        println!("seed {seed}: who is behind a NAT feeds {fed}, the one that is killed {}", feeds(&victim));
        group.sim.kill(victim);
        group.stream(200, EVERY);
        group.sim.run_for(Duration::from_secs(3));
        for node in group.members.clone().into_iter().filter(|node| *node != victim) {
            let given = group.given(node);
            assert_eq!(
                (given.packets.len(), given.gaps),
                (400, 0),
                "seed {seed}, {node:?}: {:?}",
                group.machine(node).counts()
            );
        }
    }
}
