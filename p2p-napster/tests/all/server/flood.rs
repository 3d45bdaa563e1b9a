//! Clients that ask without end and do not read: section 7 of the facts, number 9.

use super::rig::{Rig, config, frame};
use p2p_core::{Duration, Input, StreamInput};
use p2p_napster::server::Rate;

/// A thousand searches of a hundred hits each by somebody who reads nothing: he is cut off after so many bytes.
#[test]
fn bad_input_09_a_thousand_searches_of_who_does_not_read() {
    let mut config = config();
    (config.limits.shares, config.limits.searches) = (Rate::UNLIMITED, Rate::UNLIMITED);
    config.limits.searches_per_address = Rate::UNLIMITED;
    let mut rig = Rig::with(config);
    let (alice, eve) = (rig.user("alice"), rig.user("eve"));
    for n in 0..200 {
        rig.say(alice, 100, format!("\"Some Band - Song {n}.mp3\" 0 {n} 128 44100 60"));
    }
    let before = rig.clients[&eve].bytes;
    rig.give(Input::Stream(eve, StreamInput::Full));
    let search = frame(200, b"FILENAME CONTAINS \"song\" MAX_RESULTS 100");
    let all = search.repeat(1_000);
    for part in all.chunks(16_384) {
        if rig.is_open(eve) {
            rig.data(eve, part);
        }
        rig.settle();
    }
    let queued = rig.clients[&eve].bytes - before;
    assert!(queued <= 200 * 1_024, "{queued} bytes for who reads none");
    // Cut off at once, or as soon as a minute has passed.
    rig.pass(Duration::from_secs(61));
    assert!(!rig.is_open(eve));
    // Nobody else notices.
    let bob = rig.user("bob");
    let found = rig.exchange(bob, 200, "FILENAME CONTAINS \"song\" MAX_RESULTS 100");
    assert_eq!(found.len(), 101);
}

/// Who asks faster than the rate is told so and read more slowly, and everybody else is served at once.
#[test]
fn who_asks_too_fast_is_slowed_down_and_nobody_else() {
    let mut rig = Rig::new();
    let (eve, bob) = (rig.user("eve"), rig.user("bob"));
    let search = frame(200, b"FILENAME CONTAINS \"song\" MAX_RESULTS 100");
    rig.hear(eve);
    rig.data(eve, &search.repeat(500));
    rig.settle();
    let heard = rig.hear(eve);
    let ends = heard.iter().filter(|(kind, _)| *kind == 202).count();
    assert!(ends <= 25 && heard.iter().any(|(kind, _)| *kind == 404), "{ends} searches at once");
    assert_eq!(rig.exchange(bob, 200, "FILENAME CONTAINS \"song\" MAX_RESULTS 100").len(), 1);
    rig.pass(Duration::from_secs(60));
    let ends = rig.hear(eve).iter().filter(|(kind, _)| *kind == 202).count();
    assert!((25..=35).contains(&ends), "{ends} searches in a minute");
    assert!(rig.is_open(eve));
}
