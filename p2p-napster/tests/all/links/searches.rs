//! Searches over links, and what a neighbour may answer to them.

use super::neighbour::{Neighbour, rig};
use crate::server::rig::lines;
use p2p_core::Duration;

const SONG: &str = "\"C:\\Band - Song.mp3\" 11111111111111111111111111111111 5000000 192 44100 200";

/// The name under which a neighbour was last asked.
fn asked(heard: &[String]) -> String {
    let search = heard.iter().rfind(|line| line.starts_with("10015 ")).expect("a search");
    search.split(' ').nth(2).unwrap().to_owned()
}

#[test]
fn searches_of_links_are_answered_and_their_answers_checked() {
    let mut rig = rig();
    let (ann, bob) = (rig.user("ann"), rig.user("bob"));
    rig.say(ann, 100, SONG);
    let mut other = Neighbour::up(&mut rig, "serverb");
    let mut third = Neighbour::up(&mut rig, "serverc");
    other.user(&mut rig, "yuri", "serverb", 1_000);
    third.user(&mut rig, "zoe", "serverc", 1_000);
    other.hear(&mut rig);
    third.hear(&mut rig);
    // What cannot be searched for ends at once.
    for text in ["nobody AAAA FILENAME CONTAINS \"song\"", "yuri BBBB nonsense"] {
        other.raw(&mut rig, 10015, text);
        assert_eq!(other.hear(&mut rig), [format!("10017 {}", text.split(' ').nth(1).unwrap())]);
    }
    assert!(third.hear(&mut rig).is_empty());
    // A search passes through; what is found goes back under the name that the asker gave it.
    other.raw(&mut rig, 10015, "yuri XYZ FILENAME CONTAINS \"song\" MAX_RESULTS 10");
    let heard = other.hear(&mut rig);
    assert!(heard.len() == 1 && heard[0].starts_with("10016 XYZ ann "), "{heard:?}");
    let id = asked(&third.hear(&mut rig));
    assert_ne!(id, "XYZ");
    // Of the wrong link, or of somebody who is not there, or of no search.
    other.raw(&mut rig, 10016, &format!("{id} yuri {SONG}"));
    other.raw(&mut rig, 10017, &id);
    third.raw(&mut rig, 10016, &format!("{id} yuri {SONG}"));
    third.raw(&mut rig, 10016, &format!("ZZZZZZZZ zoe {SONG}"));
    assert!(other.hear(&mut rig).is_empty());
    third.raw(&mut rig, 10016, &format!("{id} zoe {SONG}"));
    third.raw(&mut rig, 10017, &id);
    third.raw(&mut rig, 10016, &format!("{id} zoe {SONG}"));
    let heard = other.hear(&mut rig);
    assert!(
        heard.len() == 2 && heard[0].starts_with("10016 XYZ zoe ") && heard[1] == "10017 XYZ",
        "{heard:?}"
    );
    // One of ours asks both; a flood of hits is cut where it asked for no more.
    rig.say(bob, 200, "FILENAME CONTAINS \"song\" MAX_RESULTS 4");
    let heard = lines(&rig.hear(bob));
    assert!(heard.len() == 1 && heard[0].contains(" ann "), "{heard:?}");
    let id = asked(&third.hear(&mut rig));
    for _ in 0..50 {
        third.raw(&mut rig, 10016, &format!("{id} zoe {SONG}"));
    }
    let heard = lines(&rig.hear(bob));
    assert_eq!(heard.iter().map(|line| &line[..3]).collect::<Vec<_>>(), ["201", "201", "201", "202"]);
    // While it searched it was not read; now it is again.
    assert!(!rig.clients[&bob].paused);
    assert_eq!(rig.exchange(bob, 750, "").len(), 1);
}

#[test]
fn names_of_files_cannot_break_out_of_their_field() {
    let mut rig = rig();
    let bob = rig.user("bob");
    let mut other = Neighbour::up(&mut rig, "serverb");
    other.user(&mut rig, "yuri", "serverb", 1_000);
    rig.say(bob, 200, "FILENAME CONTAINS \"song\"");
    let id = asked(&other.hear(&mut rig));
    for name in ["song\x1b[2J.mp3", "song\r\n.mp3", "song\0.mp3"] {
        other.raw(&mut rig, 10016, &format!("{id} yuri \"{name}\" 0 1 2 3 4"));
    }
    other.raw(&mut rig, 10017, &id);
    assert_eq!(lines(&rig.hear(bob)), ["202 "]);
}

#[test]
fn who_searches_over_links_is_read_on_when_that_is_done() {
    let mut rig = rig();
    let bob = rig.user("bob");
    let mut other = Neighbour::up(&mut rig, "serverb");
    other.hear(&mut rig);
    rig.say(bob, 200, "FILENAME CONTAINS \"first\"");
    rig.say(bob, 200, "FILENAME CONTAINS \"second\"");
    assert!(rig.clients[&bob].paused && rig.hear(bob).is_empty());
    let heard = other.hear(&mut rig);
    assert_eq!(heard.len(), 1, "{heard:?}");
    // The link ends: so does the first search, and the second finds nobody to ask.
    rig.leave(other.conn);
    assert_eq!(lines(&rig.hear(bob)), ["202 ", "202 "]);
    assert!(!rig.clients[&bob].paused);
    // Somebody who leaves in the middle is forgotten.
    let mut other = Neighbour::up(&mut rig, "serverb");
    rig.say(bob, 200, "FILENAME CONTAINS \"third\"");
    rig.leave(bob);
    let id = asked(&other.hear(&mut rig));
    other.raw(&mut rig, 10016, &format!("{id} yuri {SONG}"));
    other.raw(&mut rig, 10017, &id);
    rig.pass(Duration::from_secs(20));
    assert!(other.is_up(&rig));
}

#[test]
fn no_more_than_the_limit_of_searches_wait() {
    let mut rig = super::neighbour::rig_with(|config| config.limits.linked_searches = 2);
    let users = ["a", "b", "c"].map(|nick| rig.user(nick));
    let mut other = Neighbour::up(&mut rig, "serverb");
    other.hear(&mut rig);
    for user in users {
        rig.say(user, 200, "FILENAME CONTAINS \"song\"");
    }
    assert_eq!(other.hear(&mut rig).len(), 2);
    let waits = users.map(|user| rig.hear(user).is_empty());
    assert_eq!(waits, [true, true, false], "the third has what this server has");
    rig.pass(Duration::from_secs(11));
    assert_eq!(users.map(|user| lines(&rig.hear(user)).len()), [1, 1, 0]);
}
