//! Small simulated swarms, several seeds each: everybody finishes, near the bound, and nothing depends on the build.

use p2p_bittorrent::picker::Mode;
use p2p_examples::swarm::{Scenario, run};

#[test]
fn a_crowd_finishes_near_its_bound() {
    for seed in 1..=3 {
        let run = run(&Scenario::flash_crowd(60).with_pieces(40), seed);
        assert!(run.finished, "seed {seed}: {run:?}");
        // A swarm this small spends a third of its time on getting started.
        assert!(run.stretch() < 1.6, "seed {seed}: {}", run.stretch());
        assert!(run.wasted < 0.06, "seed {seed}: {}", run.wasted);
        assert!(run.overhead < 0.01, "seed {seed}: {}", run.overhead);
    }
}

/// The first seed's uplink is the bottleneck: what it sends twice delays everybody.
#[test]
fn a_seed_no_faster_than_its_peers_sends_nearly_nothing_twice() {
    for seed in 1..=2 {
        let swarm = Scenario::homogeneous(30).with_pieces(48);
        assert_eq!(swarm.bound_in_parts(), 52.0, "48 s for the content, 4 for the last piece to reach all");
        let run = run(&swarm, seed);
        assert!(run.finished, "seed {seed}: {run:?}");
        // A piece takes five seconds to each of five peers, and then as long again: 10 s are half of what is lost here.
        assert!(run.last / swarm.bound_in_parts() < 1.25, "seed {seed}: {}", run.last);
    }
}

#[test]
fn a_weak_seed_sends_each_piece_about_once() {
    let run = run(&Scenario::weak_seed(40).with_pieces(40), 1);
    assert!(run.finished, "{run:?}");
    assert!(run.stretch() < 1.9, "{}", run.stretch());
}

#[test]
fn whoever_gives_does_not_wait_for_those_who_do_not() {
    for seed in 1..=2 {
        let scenario = Scenario::free_riders(300).with_pieces(40);
        let run = run(&scenario, seed);
        let [givers, riders] = &run.groups[..] else { panic!("{run:?}") };
        assert_eq!((givers.finished, riders.finished), (270, 30), "seed {seed}: {run:?}");
        assert!(givers.times[1] * 1.25 < riders.times[1], "seed {seed}: {run:?}");
    }
}

#[test]
fn rarest_first_is_worth_something_at_a_weak_seed() {
    let rarest = Scenario::weak_seed(100).with_pieces(100);
    let mut random = rarest.clone();
    random.order = Mode::Random;
    let (rarest, random) = (run(&rarest, 1), run(&random, 1));
    assert!(rarest.finished && random.finished);
    assert!(rarest.last * 1.05 < random.last, "{} against {}", rarest.last, random.last);
}

#[test]
fn a_fifth_of_liars_keeps_nobody_from_finishing() {
    for seed in 1..=2 {
        let run = run(&Scenario::liars(50).with_pieces(40), seed);
        assert!(run.finished, "seed {seed}: {run:?}");
        assert!(run.banned > 0, "seed {seed}: somebody was found out");
        // A tenth of a full torrent, so ten times the share that each liar met costs: 7.5 to 8.1 % over four seeds.
        assert!(run.wasted < 0.12, "seed {seed}: {}", run.wasted);
    }
}

#[test]
fn equal_seeds_give_equal_runs_in_every_build() {
    let crowd = Scenario::flash_crowd(20).with_pieces(20);
    let (one, again, other) = (run(&crowd, 7), run(&crowd, 7), run(&crowd, 8));
    assert_eq!(one, again);
    assert_ne!(one.digest, other.digest);
    assert_eq!(one.digest, EXPECTED, "{:#018x}", one.digest);
}

/// Of a debug build; a release build must say the same. It changes whenever the client or the simulator does otherwise
/// what it did.
const EXPECTED: u64 = 0x1353_bb2b_db36_0b31;
