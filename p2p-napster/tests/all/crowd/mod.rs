//! A crowd on two linked servers: the real machines, in the simulator. Users share what a catalogue has by its popularity,
//! search, come and go and crash; the servers' link parts, one server crashes, everybody comes back. In the end each
//! server's index is what a model says, and so is what searches find.

mod catalogue;
mod run;

use run::Crowd;

/// What a run must come to.
fn passes(crowd: &Crowd) {
    let first = run::run(crowd);
    eprintln!("{first:?}");
    assert!(
        first.searches > crowd.users as u64 / 2 && first.found > 0 && first.over_links > 0,
        "nobody searched"
    );
    assert!(first.crashed > 0 && first.left > 0 && first.moved > 0, "nothing happened");
    assert_eq!(first.linked, 3, "at the start, after the split, after the crash");
    let again = run::run(crowd);
    assert_eq!(again, first, "the same seed gives the same run");
}

#[test]
fn five_hundred_users() {
    passes(&Crowd { users: 500, seed: 7, ..Crowd::default() });
}

#[test]
fn other_seeds_end_in_other_runs() {
    let run = |seed| run::run(&Crowd { users: 100, seed, ..Crowd::default() });
    assert_ne!(run(1).digest, run(2).digest);
}

#[test]
#[ignore = "minutes in release, an hour in debug: `.ci/long` runs it"]
fn a_hundred_thousand_users() {
    passes(&Crowd { users: 100_000, seed: 1, scale: 10.0, ..Crowd::default() });
}
