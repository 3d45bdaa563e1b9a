//! Nodes that others cannot reach are guests, and know it.

use crate::rings::{World, add, at, chord, config, faults, lookups_are_right, node, settle};
use crate::storing::{get, put, value};
use p2p_chord::record::Kind;
use p2p_chord::{Command, Config, Event, Get, Put};
use p2p_core::{Duration, Instant, Rng};
use p2p_sim::{Links, NodeIx, Sim, Uniform};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Some nodes stand behind NATs that let in only what comes from where they sent something within two minutes.
struct Nats {
    links: Uniform,
    behind: Arc<Mutex<BTreeSet<NodeIx>>>,
    sent: BTreeMap<(NodeIx, NodeIx), Instant>,
}

impl Links for Nats {
    fn carry(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Duration> {
        let behind = self.behind.lock().unwrap();
        if behind.contains(&from) {
            self.sent.insert((from, to), now);
        }
        let is_open =
            |sent: Option<&Instant>| sent.is_some_and(|sent| now.since(*sent) < Duration::from_secs(120));
        if behind.contains(&to) && !is_open(self.sent.get(&(to, from))) {
            return None;
        }
        drop(behind);
        self.links.carry(from, to, bytes, now, rng)
    }
}

fn ring(seed: u64, nodes: usize, config: &Config) -> (World, Vec<NodeIx>, Arc<Mutex<BTreeSet<NodeIx>>>) {
    let behind: Arc<Mutex<BTreeSet<NodeIx>>> = Arc::default();
    let links = Nats { links: Uniform::ms(10..60), behind: behind.clone(), sent: BTreeMap::new() };
    let mut sim = Sim::new(seed, links);
    let mut members = Vec::new();
    for _ in 0..nodes {
        let new = add(&mut sim, &members, config);
        members.push(new);
    }
    (sim, members, behind)
}

fn is_told(sim: &World, node: NodeIx) -> bool {
    sim.events(node).iter().any(|told| matches!(told.event, Event::Unreachable(_)))
}

#[test]
fn who_cannot_be_reached_is_a_guest_and_says_so() {
    for (seed, nodes) in [(1, 40), (2, 6), (3, 2)] {
        println!("seed {seed}, {nodes} nodes");
        let mut config = config(4);
        (config.replicas, config.quorum) = (5, 2);
        let (mut sim, members, behind) = ring(seed, nodes, &config);
        settle(&mut sim, &members, 4, 300);
        let guests: Vec<NodeIx> = (0..6).map(|_| sim.add(node(&config))).collect();
        behind.lock().unwrap().extend(&guests);
        let by = vec![at(&sim, members[0])];
        let joins: Vec<_> = guests.iter().map(|guest| sim.ask(*guest, Command::Join(by.clone()))).collect();
        assert!(sim.finish(&joins, Duration::from_secs(60)));
        for (guest, join) in guests.iter().zip(&joins) {
            assert_eq!(sim.outcome(*join), Some(&Ok(())));
            assert!(!chord(&sim, *guest).is_member() && is_told(&sim, *guest));
        }
        sim.run_for(Duration::from_secs(300));
        assert!(faults(&sim, &members, 4).is_empty(), "the ring is as it was");
        // A guest puts and gets, and finds its way after hours, too.
        let mut rng = Rng::fast_from(seed);
        let record = value(&mut rng, 200);
        put(&mut sim, guests[0], Put::new(record.clone())).unwrap();
        sim.run_for(Duration::from_secs(3_600));
        let found = get(&mut sim, guests[1], Get::new(record.key(), Kind::Value)).unwrap();
        assert_eq!(found.0, [record]);
        lookups_are_right(&mut sim, &members, seed, 50);
        // The port is opened: it may be a member.
        behind.lock().unwrap().clear();
        let join = sim.ask(guests[2], Command::Join(by));
        assert!(sim.finish(&[join], Duration::from_secs(60)));
        assert!(chord(&sim, guests[2]).is_member());
        let all: Vec<NodeIx> = members.iter().copied().chain([guests[2]]).collect();
        settle(&mut sim, &all, 4, 300);
    }
}

/// Whom it joins by may be what keeps others away: then the next one is asked.
#[test]
fn a_node_to_join_by_that_has_nobody_call_makes_no_guest() {
    let config = config(4);
    let (mut sim, members, _) = ring(4, 30, &config);
    settle(&mut sim, &members, 4, 300);
    let new = sim.add(node(&config));
    // The first one cannot ask anybody to call.
    for member in &members[1..] {
        sim.cut(members[0], *member);
    }
    let by = vec![at(&sim, members[0]), at(&sim, members[1])];
    let join = sim.ask(new, Command::Join(by));
    assert!(sim.finish(&[join], Duration::from_secs(120)));
    assert_eq!(sim.outcome(join), Some(&Ok(())));
    assert!(chord(&sim, new).is_member() && !is_told(&sim, new));
}

/// Lost packets make nobody a guest.
#[test]
fn a_lossy_network_makes_no_guests() {
    let config = config(4);
    let mut sim = Sim::new(5, Uniform::ms(10..60).loss(0.1));
    let mut members = Vec::new();
    for _ in 0..40 {
        let new = add(&mut sim, &members, &config);
        members.push(new);
    }
    for member in &members {
        assert!(chord(&sim, *member).is_member() && !is_told(&sim, *member));
    }
}
