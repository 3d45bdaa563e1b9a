//! Whois, hotlists, ignore lists, private messages, pings.

use super::rig::{Rig, config, lines};
use p2p_core::Duration;
use p2p_napster::wire::Level;

#[test]
fn whois_and_whowas() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.user_at("alice", "10.0.0.1", 6699), rig.user("bob"));
    rig.say(alice, 400, "#b");
    rig.say(alice, 400, "#a");
    rig.say(alice, 218, "");
    rig.say(alice, 220, "");
    rig.pass(Duration::from_secs(90));
    assert_eq!(
        lines(&rig.exchange(bob, 603, "ALICE")),
        [r##"604 alice \"User\" 90 \"#b #a \" \"Active\" 0 1 1 7 \"probe\""##]
    );
    let boss = rig.operator("boss", Level::Moderator);
    rig.say(alice, 219, "");
    let seen = lines(&rig.exchange(boss, 603, "alice"));
    let port = 40_000 + alice.raw();
    assert_eq!(
        seen,
        [format!(
            r##"604 alice \"User\" 90 \"#b #a \" \"Active\" 0 0 1 7 \"probe\" 1 0 10.0.0.1 {port} 6699 \"\""##
        )]
    );
    rig.leave(boss);
    let heard = lines(&rig.exchange(bob, 603, "boss"));
    assert!(heard[0].starts_with(r#"605 boss \"Moderator\" 17000"#), "{heard:?}");
}

#[test]
fn a_hotlist_tells_who_comes_and_goes() {
    let mut config = config();
    config.limits.list = 2;
    let mut rig = Rig::with(config);
    let bob = rig.user("bob");
    assert_eq!(lines(&rig.exchange(bob, 207, "Alice")), ["301 Alice"]);
    let alice = rig.user("alice");
    assert_eq!(lines(&rig.hear(bob)), ["209 alice 7"]);
    assert_eq!(lines(&rig.exchange(bob, 207, "alice")), ["301 alice", "209 alice 7"]);
    rig.leave(alice);
    assert_eq!(lines(&rig.hear(bob)), ["210 alice"]);
    assert_eq!(lines(&rig.exchange(bob, 208, "carol")), ["301 carol"]);
    assert_eq!(lines(&rig.exchange(bob, 208, "dave")), ["302 dave"], "the list is full");
    rig.say(bob, 303, "alice");
    rig.user("alice");
    assert_eq!(lines(&rig.hear(bob)), [""; 0]);
    assert_eq!(lines(&rig.exchange(bob, 207, "bad nick*")), ["301 bad"], "a field ends at a space");
    assert_eq!(lines(&rig.exchange(bob, 207, "a*")), ["302 a*"]);
    // Who has gone is told nothing more, and leaves nothing behind.
    rig.leave(bob);
    rig.user("carol");
}

#[test]
fn the_ignored_are_not_heard() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.user("alice"), rig.user("bob"));
    rig.say(bob, 100, "\"C:\\some song.mp3\" 0 1 128 44100 1");
    assert_eq!(lines(&rig.exchange(alice, 322, "Bob")), ["322 Bob"]);
    assert_eq!(lines(&rig.exchange(alice, 322, "bob")), ["325 bob"]);
    assert_eq!(lines(&rig.exchange(bob, 205, "alice hello")), ["404 alice is ignoring you"]);
    assert_eq!(lines(&rig.exchange(bob, 751, "alice")), ["404 alice is ignoring you"]);
    for kind in [400, 402] {
        rig.say(alice, kind, "#c x");
        rig.say(bob, kind, "#c x");
    }
    assert!(!lines(&rig.hear(alice)).iter().any(|line| line == "403 #c bob x"));
    // Nor are their files found.
    assert_eq!(lines(&rig.exchange(alice, 200, "FILENAME CONTAINS \"song\"")), ["202 "]);
    assert_eq!(lines(&rig.exchange(alice, 320, "")), ["321 Bob", "320 1"]);
    assert_eq!(lines(&rig.exchange(alice, 323, "bob")), ["323 bob"]);
    assert_eq!(lines(&rig.exchange(alice, 323, "bob")), ["324 bob"]);
    rig.say(bob, 205, "alice  hello  there ");
    assert_eq!(lines(&rig.hear(alice)), ["205 bob  hello  there "]);
    rig.say(alice, 322, "carol");
    assert_eq!(lines(&rig.exchange(alice, 326, "")), ["326 1"]);
}

#[test]
fn pings_speeds_and_ports() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.user("alice"), rig.user("bob"));
    rig.say(bob, 751, "alice 12345");
    assert_eq!(lines(&rig.hear(alice)), ["751 bob 12345"]);
    rig.say(alice, 752, "bob 12345");
    assert_eq!(lines(&rig.hear(bob)), ["752 alice 12345"]);
    assert_eq!(lines(&rig.exchange(bob, 751, "nobody")), ["404 nobody is not online"]);
    rig.say(alice, 700, "9");
    assert_eq!(lines(&rig.exchange(bob, 600, "alice")), ["601 alice 9"]);
    rig.say(bob, 626, "alice");
    assert_eq!(lines(&rig.hear(alice)), ["626 bob"]);
    // The server dials nobody, whatever port is given.
    rig.say(alice, 300, "22");
    assert_eq!(lines(&rig.exchange(bob, 750, "")), ["750 servera "]);
}

#[test]
fn a_password_is_changed_by_its_owner() {
    let mut rig = Rig::new();
    let alice = rig.connect("10.0.0.1");
    rig.say(alice, 6, "alice first 0 \"probe\" 4 a@b");
    rig.say(alice, 701, "second");
    rig.leave(alice);
    let mut login = |password: &str| {
        let conn = rig.connect("10.0.0.1");
        rig.exchange(conn, 2, format!("alice {password} 0 \"probe\" 4"))[0].0
    };
    assert_eq!((login("first"), login("second")), (0, 3));
}
