//! Gets where a quarter of a simulated ring lies about lookups.
#![allow(clippy::print_stdout, reason = "it says what it counted")]

use p2p_examples::rings::{Hostile, Lie, Profile, routers};

fn hostile(lie: Lie, ways: u8) -> Hostile {
    let profile = Profile { base_bits: 4, parallel: 3, ..Profile::plain(8) };
    Hostile { nodes: 500, share: 0.25, lie, ways, quorum: 0, gets: 300, profile }
}

#[test]
fn one_way_fails_where_a_quarter_lies() {
    let run = routers(1, &hostile(Lie::Any, 1));
    println!("{} of 300 fail, {:.1} messages", run.failed.len(), run.messages.mean());
    assert!(run.failed.len() > 30);
}

#[test]
fn several_ways_find_what_is_stored() {
    for (seed, lie) in (1..).zip([Lie::Any, Lie::Lead, Lie::Claim, Lie::Absent, Lie::Forge]) {
        let run = routers(seed, &hostile(lie, 24));
        println!(
            "seed {seed}, {lie:?}: {} of 300 fail; {:.1} messages, {:.1} for what is not there ({} of {})",
            run.failed.len(),
            run.messages.mean(),
            run.absent_messages.mean(),
            run.absent,
            run.absent_of
        );
        assert!(run.failed.is_empty(), "seed {seed}, {lie:?}: {:?}", run.failed);
        assert!(run.messages.mean() < 60.0);
        assert_eq!(run.absent, run.absent_of);
    }
}

#[test]
fn the_last_version_is_heard_of_though_liars_tell_older_ones() {
    let run = routers(1, &Hostile { quorum: 10, ..hostile(Lie::Forge, 24) });
    println!("{} of 300 fail, {} old; {:.1} messages", run.failed.len(), run.old, run.messages.mean());
    assert!(run.failed.is_empty() && run.old == 0, "{:?}", run.failed);
    let run = routers(1, &Hostile { quorum: 1, ..hostile(Lie::Forge, 1) });
    assert!(run.old > 30, "by one way and with one replica a liar is believed: {}", run.old);
}
