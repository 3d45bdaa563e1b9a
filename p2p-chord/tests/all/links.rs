//! Pairs of nodes that never hear each other, or only one way, while everybody else hears both.

use crate::rings::{World, at, chord, draw, owners};
use crate::storing::{told, value, wide};
use p2p_chord::record::Kind;
use p2p_chord::{Command, Event, Get, Peer, Put, RingId};
use p2p_core::{Duration, Instant, OpId, Rng};
use p2p_sim::{Links, NodeIx, Sim, Uniform};

/// Of a hundred pairs some never hear each other.
struct Broken {
    links: Uniform,
    seed: u64,
    percent: u64,
    /// Only one of the two does not hear the other.
    one_way: bool,
}

impl Broken {
    fn is_cut(&self, from: NodeIx, to: NodeIx) -> bool {
        let (a, b) = (from.index() as u64, to.index() as u64);
        let (low, high) = (a.min(b), a.max(b));
        let mut rng = Rng::fast_from(self.seed ^ (low << 32 | high));
        rng.below(100) < self.percent && (!self.one_way || rng.chance(0.5) == (a < b))
    }
}

impl Links for Broken {
    fn carry(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Duration> {
        if self.is_cut(from, to) { None } else { self.links.carry(from, to, bytes, now, rng) }
    }
}

/// Of lookups, puts and gets, how many in a thousand fail; of lookups, how many end at another node than the one that
/// is responsible where everybody hears everybody; and those of which whoever asked hears that one both ways.
#[derive(Debug)]
struct Failures {
    lookups: usize,
    elsewhere: usize,
    wrong: usize,
    puts: usize,
    gets: usize,
}

fn ring(seed: u64, nodes: usize, percent: u64, one_way: bool) -> (World, Vec<NodeIx>) {
    let mut config = wide(8);
    config.fix_finger = Duration::from_secs(5);
    let links = Broken { links: Uniform::ms(10..60), seed, percent, one_way };
    let mut sim = Sim::new(seed, links);
    let members = draw(&mut sim, 0..nodes, &config);
    (sim, members)
}

fn failures(seed: u64, nodes: usize, percent: u64, one_way: bool, count: usize) -> Failures {
    let (mut sim, members) = ring(seed, nodes, percent, one_way);
    let links = Broken { links: Uniform::ms(10..60), seed, percent, one_way };
    // Time enough for nodes to give up those that they do not hear.
    sim.run_for(Duration::from_secs(300));
    let mut rng = Rng::fast_from(seed);
    let ask = |sim: &mut World, rng: &mut Rng, command: Command| {
        let node = *rng.choose(&members).unwrap();
        let op = sim.ask(node, command);
        (node, op)
    };
    let ok = |sim: &World, op: OpId| sim.outcome(op) == Some(&Ok(()));
    let mut failures = Failures { lookups: 0, elsewhere: 0, wrong: 0, puts: 0, gets: 0 };
    let mut keys = Vec::new();
    for _ in 0..count / 50 {
        let targets: Vec<RingId> = (0..50).map(|_| RingId::random(&mut rng)).collect();
        let lookups: Vec<_> =
            targets.iter().map(|target| ask(&mut sim, &mut rng, Command::Lookup(*target))).collect();
        let records: Vec<_> = (0..50).map(|_| value(&mut rng, 100)).collect();
        let puts: Vec<_> = records
            .iter()
            .map(|record| ask(&mut sim, &mut rng, Command::Put(Put::new(record.clone()))))
            .collect();
        let ops: Vec<OpId> = lookups.iter().chain(&puts).map(|(_, op)| *op).collect();
        assert!(sim.finish(&ops, Duration::from_secs(60)));
        for ((node, op), target) in lookups.into_iter().zip(targets) {
            if !ok(&sim, op) {
                failures.lookups += 1;
                continue;
            }
            let Event::Owners { owners: found, .. } = told(&sim, node, op) else { panic!("{op:?}") };
            let owner = owners(&sim, &members, target)[0];
            let right: Peer = chord(&sim, owner).peer().unwrap();
            let hears = !links.is_cut(node, owner) && !links.is_cut(owner, node);
            failures.elsewhere += usize::from(found[0] != right);
            failures.wrong += usize::from(found[0] != right && hears);
        }
        for ((_, op), record) in puts.into_iter().zip(&records) {
            match ok(&sim, op) {
                true => keys.push(record.key()),
                false => failures.puts += 1,
            }
        }
    }
    sim.run_for(Duration::from_secs(10));
    for some in keys.chunks(50) {
        let gets: Vec<OpId> = some
            .iter()
            .map(|key| ask(&mut sim, &mut rng, Command::Get(Get::new(*key, Kind::Value))).1)
            .collect();
        assert!(sim.finish(&gets, Duration::from_secs(60)));
        failures.gets += gets.into_iter().filter(|op| !ok(&sim, *op)).count();
    }
    println!("seed {seed}: {failures:?} of {count} each; {percent} % of pairs, one way {one_way}");
    for node in &members {
        assert_eq!(chord(&sim, *node).check(), Ok(()), "{node:?} at {}", at(&sim, *node));
    }
    failures
}

#[test]
fn one_pair_in_twenty_hears_nothing_of_each_other() {
    let failures = failures(1, 100, 5, false, 400);
    assert!(
        failures.lookups + failures.wrong <= 4 && failures.puts <= 4 && failures.gets <= 4,
        "{failures:?}"
    );
}

#[test]
fn one_pair_in_twenty_hears_one_way_only() {
    let failures = failures(2, 100, 5, true, 400);
    assert!(failures.lookups <= 4 && failures.wrong <= 4, "{failures:?}");
    assert!(failures.puts <= 4 && failures.gets <= 4, "{failures:?}");
}

/// Li et al. 2005: of Chord's lookups among 1,024 nodes 2.9 to 4.8 % fail where 5 % of pairs hear nothing of each other.
#[test]
#[ignore = "ten rings: half a minute in release"]
fn lookups_where_pairs_do_not_hear_each_other() {
    for one_way in [false, true] {
        let all: Vec<Failures> = (1..=5).map(|seed| failures(seed, 200, 5, one_way, 1_000)).collect();
        let share = |of: fn(&Failures) -> usize| all.iter().map(of).sum::<usize>() as f64 / 5_000.0;
        println!(
            "one way {one_way}: {:.4} of lookups fail, {:.4} end elsewhere, {:.4} although the owner is heard; \
             {:.4} of puts and {:.4} of gets fail",
            share(|run| run.lookups),
            share(|run| run.elsewhere),
            share(|run| run.wrong),
            share(|run| run.puts),
            share(|run| run.gets)
        );
        assert!(share(|run| run.lookups) + share(|run| run.wrong) <= 0.029, "as the least of Li et al.");
        assert!(share(|run| run.puts) <= 0.01 && share(|run| run.gets) <= 0.01);
    }
}
