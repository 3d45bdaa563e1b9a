//! Searches as no client sends them, section 7 of the facts, numbers 7 and 9.

use super::rig::{Rig, config, lines};
use p2p_napster::server::Rate;

fn patient() -> Rig {
    let mut config = config();
    (config.limits.shares, config.limits.shares_per_address) = (Rate::UNLIMITED, Rate::UNLIMITED);
    (config.limits.searches, config.limits.searches_per_address) = (Rate::UNLIMITED, Rate::UNLIMITED);
    Rig::with(config)
}

#[test]
fn bad_input_07_a_word_in_thousands_of_files_is_still_found() {
    let mut rig = patient();
    let (alice, eve) = (rig.user("alice"), rig.user("eve"));
    rig.say(alice, 100, "\"Poison Band - Rare Song.mp3\" 0 1000 128 44100 60");
    // As many files as a user may share, each with the word, to make it one that nobody can search.
    for n in 0..5_000 {
        rig.say(eve, 100, format!("\"poison band number{n}.mp3\" 0 {n} 128 44100 60"));
    }
    rig.settle();
    let bob = rig.user("bob");
    for words in ["poison rare", "rare poison band", "poison number4999"] {
        let found = lines(&rig.exchange(bob, 200, format!("FILENAME CONTAINS \"{words}\" MAX_RESULTS 10")));
        assert_eq!(found.len(), 2, "{words}: {found:?}");
    }
    let found = rig.exchange(bob, 200, "FILENAME CONTAINS \"poison\" MAX_RESULTS 10");
    assert_eq!(found.iter().filter(|(kind, _)| *kind == 201).count(), 10, "and alone");
    // More than he may is refused.
    let heard = lines(&rig.exchange(eve, 100, "\"poison one more.mp3\" 0 1 128 44100 60"));
    assert!(heard.len() == 1 && heard[0].starts_with("404 share failed"), "{heard:?}");
}

#[test]
fn bad_input_09_searches_that_nobody_would_make() {
    let mut rig = patient();
    let (alice, bob) = (rig.user("alice"), rig.user("bob"));
    for n in 0..300 {
        rig.say(alice, 100, format!("\"Some Band - Song {n}.mp3\" 0 {n} 128 44100 60"));
    }
    let hits = |rig: &mut Rig, query: &str| {
        let heard = rig.exchange(bob, 200, query);
        assert_eq!(heard.last(), Some(&(202, Vec::new())), "{query}: nobody waits without end");
        assert!(rig.is_open(bob), "{query}");
        let count = heard.iter().filter(|(kind, _)| *kind == 201).count();
        let notices = heard.iter().filter(|(kind, _)| *kind == 404).count();
        assert_eq!(heard.len(), count + notices + 1, "{query}");
        (count, notices)
    };
    // Words without end.
    let many: Vec<String> = (0..380).map(|n| format!("w{n}")).collect();
    assert_eq!(hits(&mut rig, &format!("FILENAME CONTAINS \"{}\" MAX_RESULTS 10", many.join(" "))).0, 0);
    let same = vec!["song"; 380].join(" ");
    assert_eq!(hits(&mut rig, &format!("FILENAME CONTAINS \"{same}\" MAX_RESULTS 10")).0, 10);
    // Results without end: what the server gives at most.
    for (max, count) in [("0", 100), ("100000000000000", 100), ("18446744073709551615", 100), ("7", 7)] {
        let query = format!("FILENAME CONTAINS \"song\" MAX_RESULTS {max}");
        assert_eq!(hits(&mut rig, &query), (count, 0), "{max}");
    }
    // What is no search at all is said to be none.
    for query in [
        "FILENAME CONTAINS \"song\" MAX_RESULTS -5",
        "FILENAME CONTAINS \"song\" MAX_RESULTS 99999999999999999999999",
        "FILENAME CONTAINS \"song\" BITRATE \"MORE THAN\" 5",
        "FILENAME CONTAINS \"song",
        "FILENAME CONTAINS \"song\" \"",
        "FILENAME CONTAINS",
        "FILENAME CONTAINS \"\" MAX_RESULTS 100",
        "FILENAME EXCLUDES \"song\" MAX_RESULTS 100",
        "FILENAME CONTAINS \"-\" MAX_RESULTS 100",
        "FILENAME CONTAINS \"-song\" MAX_RESULTS 100",
        "FILENAME CONTAINS \"- -\" MAX_RESULTS 100",
        "MAX_RESULTS 100",
        "",
        "nonsense",
        "\"\"",
    ] {
        assert_eq!(hits(&mut rig, query), (0, 1), "{query}");
    }
    // Without quotes a word is a word; and two that are in every file.
    assert_eq!(hits(&mut rig, "FILENAME CONTAINS song MAX_RESULTS 5").0, 5);
    assert_eq!(hits(&mut rig, "FILENAME CONTAINS \"some band\" MAX_RESULTS 100"), (100, 0));
    assert_eq!(hits(&mut rig, "FILENAME CONTAINS \"some band -band\" MAX_RESULTS 100").0, 0);
    // A hundred clauses of one sort.
    let clauses = "BITRATE \"AT LEAST\" 1 ".repeat(70);
    assert_eq!(hits(&mut rig, &format!("FILENAME CONTAINS \"song\" MAX_RESULTS 3 {clauses}")).0, 3);
    let clauses = "BITRATE \"AT LEAST\" 1 ".repeat(90);
    assert!(hits(&mut rig, &format!("FILENAME CONTAINS \"song\" {clauses}")).0 <= 100);
}
