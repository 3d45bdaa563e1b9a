//! What section 7 of the facts tried on servers of the time, numbers 1, 4, 6, 8 and 10 (7 and 9 are in `search`, 11 in
//! `metaserver`): a clear answer or a closed connection, and nobody else notices.

use super::rig::{Rig, config, frame, lines};
use p2p_core::{ConnId, Duration};
use p2p_napster::server::Rate;

/// A server that does not slow down who tries thousands of things.
fn patient() -> Rig {
    let mut config = config();
    let limits = &mut config.limits;
    for rate in [
        &mut limits.logins,
        &mut limits.shares,
        &mut limits.shares_per_address,
        &mut limits.searches,
        &mut limits.searches_per_address,
        &mut limits.messages,
        &mut limits.messages_per_address,
    ] {
        *rate = Rate::UNLIMITED;
    }
    Rig::with(config)
}

/// Somebody who has nothing to do with it, and a song of theirs.
fn bystander(rig: &mut Rig) -> ConnId {
    let alice = rig.user_at("alice", "10.9.9.9", 6_699);
    rig.say(alice, 100, "\"Honest Band - Honest Song.mp3\" 0 1000 128 44100 60");
    alice
}

/// The bystander is served as ever, and a newcomer too.
fn check(rig: &mut Rig, alice: ConnId) {
    assert!(rig.is_open(alice));
    rig.hear(alice);
    rig.settle();
    let counts = lines(&rig.exchange(alice, 603, "alice"));
    assert!(counts.iter().any(|line| line.starts_with("604 alice ")), "{counts:?}");
    let bob = rig.user_at("honest_bob", "10.9.9.8", 6_699);
    let found = lines(&rig.exchange(bob, 200, "FILENAME CONTAINS \"honest song\" MAX_RESULTS 10"));
    assert_eq!(found.len(), 2, "{found:?}");
    rig.leave(bob);
}

#[test]
fn bad_input_01_a_channel_level_of_many_words() {
    let mut rig = patient();
    let alice = bystander(&mut rig);
    let eve = rig.user("eve");
    rig.exchange(eve, 400, "#a");
    for words in [2, 3, 24, 25, 500] {
        let heard = rig.exchange(eve, 823, vec!["#a"; words].join(" "));
        assert!(!heard.is_empty() && rig.is_open(eve), "{words} words");
    }
    check(&mut rig, alice);
}

/// Every type, with what might be its fields and what cannot be.
fn bodies() -> Vec<&'static str> {
    vec![
        "",
        "alice",
        "alice \"Honest Band - Honest Song.mp3\" 5",
        "#a alice some words and \"a quote\" 1 2 3",
        "\"unclosed",
        "-1 99999999999999999999 \"\" \"\"",
    ]
}

fn kinds() -> impl Iterator<Item = u16> {
    (0..1_100).chain(9_990..10_310).chain([0xfffe, 0xffff])
}

#[test]
fn bad_input_04_an_abrupt_end_after_every_type() {
    let mut rig = patient();
    let alice = bystander(&mut rig);
    for kind in kinds() {
        for body in bodies() {
            let eve = rig.user_at("eve", "10.6.6.6", 6_699);
            rig.say(eve, 400, "#a");
            rig.say(eve, kind, body);
            rig.leave(eve);
            rig.hear(alice);
        }
        // Half of a message, too.
        let eve = rig.user_at("eve", "10.6.6.6", 0);
        let half = frame(kind, b"alice \"Honest Band\"");
        rig.data(eve, &half[..half.len() / 2]);
        rig.leave(eve);
    }
    check(&mut rig, alice);
    // Nothing of them is left: the same nick is free, the channel is gone.
    let eve = rig.connect("10.6.6.7");
    assert_eq!(lines(&rig.exchange(eve, 7, "eve")), ["8 "]);
    assert_eq!(lines(&rig.exchange(alice, 617, "")), ["617 "]);
}

#[test]
fn bad_input_04_every_type_in_one_connection() {
    let mut rig = patient();
    let alice = bystander(&mut rig);
    for body in bodies() {
        let mut eve = rig.user_at("eve", "10.6.6.6", 6_699);
        for kind in kinds() {
            if !rig.is_open(eve) {
                eve = rig.user_at("eve", "10.6.6.6", 6_699);
            }
            rig.say(eve, kind, body);
            rig.hear(alice);
        }
        rig.leave(eve);
    }
    check(&mut rig, alice);
}

#[test]
fn bad_input_06_numbers_do_not_wrap_and_slots_are_not_held() {
    let mut rig = patient();
    let alice = bystander(&mut rig);
    // A port that does not fit is no login, and nothing that wrapped.
    let eve = rig.connect("10.6.6.6");
    let heard = lines(&rig.exchange(eve, 2, "eve pw 99999 \"probe\" 7"));
    assert!(heard[0].starts_with("0 ") && !rig.is_open(eve), "{heard:?}");
    // A size is what was said, up to a tebibyte, and beyond that it is that.
    let eve = rig.user("eve");
    for (size, shown) in [("99999999999", "99999999999"), ("18446744073709551615", "1099511627775")] {
        rig.say(eve, 100, format!("\"big {size}.mp3\" 0 {size} 128 44100 60"));
        let found =
            lines(&rig.exchange(alice, 200, format!("FILENAME CONTAINS \"big {size}\" MAX_RESULTS 5")));
        assert!(found[0].contains(&format!(" {shown} 128 ")), "{found:?}");
    }
    for size in ["18446744073709551616", "-1", "x"] {
        let heard = lines(&rig.exchange(eve, 100, format!("\"odd.mp3\" 0 {size} 128 44100 60")));
        assert!(heard.len() == 1 && heard[0].starts_with("404 "), "{heard:?}");
    }
    // 203 for a file that is not shared asks nobody.
    rig.hear(alice);
    assert_eq!(lines(&rig.exchange(eve, 203, "alice \"/etc/passwd\"")), ["206 alice \\\"/etc/passwd\\\""]);
    assert_eq!(lines(&rig.hear(alice)), [""; 0]);
    // A head and then silence: before the login it has 30 s.
    let silent = rig.connect("10.6.6.7");
    rig.data(silent, &[10, 0, 2, 0]);
    rig.pass(Duration::from_secs(29));
    assert!(rig.is_open(silent));
    rig.pass(Duration::from_secs(2));
    assert!(!rig.is_open(silent));
    check(&mut rig, alice);
}

#[test]
fn bad_input_08_spoofed_shares() {
    let mut rig = patient();
    let alice = bystander(&mut rig);
    let eve = rig.user("eve");
    // Any digest, size and rate is taken as it is said, and says nothing of other files.
    rig.say(eve, 100, "\"Honest Band - Honest Song.mp3\" 0 1000 128 44100 60");
    rig.say(eve, 100, "\"spoof.mp3\" ffffffffffffffffffffffffffffffff 0 65536 0 0");
    assert_eq!(lines(&rig.hear(eve)), [""; 0]);
    // What would be a trick on whoever reads it is refused, each time with the reason.
    for name in ["\x1b[2J.mp3", "a\0b.mp3", "a\nb.mp3", "a\x7f.mp3", ""] {
        let heard = lines(&rig.exchange(eve, 100, format!("\"{name}\" 0 1 128 44100 60")));
        assert!(heard.len() == 1 && heard[0].starts_with("404 share failed: "), "{name:?}: {heard:?}");
    }
    // Names that only a careless client is hurt by are names.
    let long = format!("../../{}.mp3", "x".repeat(1_900));
    let words = format!("{} tail.mp3", (0..400).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" "));
    for (name, word) in [("../../../evil.mp3", "evil"), (&*long, "mp3"), (&*words, "tail")] {
        let heard = lines(&rig.exchange(eve, 100, format!("\"{name}\" 0 1 128 44100 60")));
        if heard.is_empty() {
            let found = rig.exchange(alice, 200, format!("FILENAME CONTAINS \"{word}\" MAX_RESULTS 50"));
            assert!(found.iter().any(|(kind, _)| *kind == 201), "{word}");
        } else {
            assert!(heard[0].starts_with("404 "), "{heard:?}");
        }
    }
    // The same name twice is one file, and unsharing it once is enough.
    for _ in 0..3 {
        rig.say(eve, 100, "\"twice.mp3\" 0 1 128 44100 60");
    }
    let found = rig.exchange(alice, 200, "FILENAME CONTAINS \"twice\" MAX_RESULTS 50");
    assert_eq!(found.iter().filter(|(kind, _)| *kind == 201).count(), 1);
    rig.say(eve, 102, "twice.mp3");
    assert_eq!(lines(&rig.exchange(alice, 200, "FILENAME CONTAINS \"twice\" MAX_RESULTS 50")), ["202 "]);
    // Folders of every length, with half of a file and without one.
    for len in [0, 1, 253, 254, 255, 256, 1_500, 1_990] {
        let dir = "d".repeat(len);
        for rest in
            ["", " \"a.mp3\"", " \"a.mp3\" 0 1 128", " \"a.mp3\" 0 1 128 44100 60", " \"\" 0 1 128 44100 60"]
        {
            rig.say(eve, 870, format!("\"{dir}\"{rest}"));
            if !rig.is_open(eve) {
                panic!("{len} bytes of folder, {rest:?}");
            }
        }
    }
    rig.hear(eve);
    rig.leave(eve);
    let found = rig.exchange(alice, 200, "FILENAME CONTAINS \"mp3\" MAX_RESULTS 50");
    assert_eq!(found.iter().filter(|(kind, _)| *kind == 201).count(), 0, "who leaves takes all of it along");
    check(&mut rig, alice);
}

#[test]
fn bad_input_10_nothing_but_a_login_before_the_login() {
    let mut rig = patient();
    let alice = bystander(&mut rig);
    for kind in kinds().filter(|kind| ![2, 4, 6, 7, 11, 14, 920, 10_010, 10_011].contains(kind)) {
        for body in ["", "alice \"x\" 1"] {
            let eve = rig.connect("10.6.6.6");
            let heard = lines(&rig.exchange(eve, kind, body));
            assert!(
                heard == ["0 invalid command"] || heard == ["0 invalid parameters"],
                "{kind} {body}: {heard:?}"
            );
            assert!(!rig.is_open(eve));
        }
    }
    // A link of nobody that this server knows, and the second step of one first.
    for kind in [10_010, 10_011] {
        for body in ["", "mallory 0123456789abcdef 1", "0123456789ABCDEF0123456789ABCDEF"] {
            let eve = rig.connect("10.6.6.6");
            rig.exchange(eve, kind, body);
            rig.pass(Duration::from_secs(31));
            assert!(!rig.is_open(eve), "{kind} {body}");
        }
    }
    // Questions are answered some times.
    let eve = rig.connect("10.6.6.6");
    for n in 0..100 {
        rig.say(eve, 7, "alice");
        assert_eq!(rig.is_open(eve), n < 20);
    }
    check(&mut rig, alice);
}

#[test]
fn bad_input_10_frames_of_every_length() {
    let mut rig = patient();
    let alice = bystander(&mut rig);
    for (head, open) in [
        ([0xff, 0xff, 2, 0], false),
        ([0x01, 0x08, 2, 0], false),
        ([0x00, 0x08, 2, 0], true),
        ([0, 0, 0xff, 0xff], false),
    ] {
        let eve = rig.connect("10.6.6.6");
        rig.data(eve, &head);
        assert_eq!(rig.is_open(eve), open, "{head:?}");
        // And the same of a user, who may say more, but not longer things.
        let eve = rig.user_at("eve", "10.6.6.6", 6_699);
        rig.data(eve, &head);
        assert_eq!(rig.is_open(eve), head[1] <= 8 && head[..2] != [1, 8], "{head:?}");
        rig.leave(eve);
    }
    // One byte a second: a login has 30 of them.
    let eve = rig.connect("10.6.6.6");
    for byte in frame(2, b"eve pw 6699 \"a client that types slowly\" 7").iter() {
        if !rig.is_open(eve) {
            break;
        }
        rig.data(eve, &[*byte]);
        rig.pass(Duration::from_secs(1));
    }
    assert!(!rig.is_open(eve) && rig.hear(eve).is_empty());
    check(&mut rig, alice);
}

#[test]
fn bad_input_10_logins_that_are_none() {
    let mut rig = patient();
    let alice = bystander(&mut rig);
    let long = "n".repeat(1_900);
    let nicks = [&*long, "eve%n%n", ":eve", "#eve", "e\0ve", "e\x1bve", "\"\"", "e*", "e?", "-e\u{7f}"];
    for nick in nicks {
        let eve = rig.connect("10.6.6.6");
        let heard = rig.exchange(eve, 2, format!("{nick} pw 6699 \"probe\" 7"));
        // Strange but harmless nicks may be let in; then nobody is tricked by them.
        if heard.first().is_some_and(|(kind, _)| *kind == 3) {
            assert!(nick.bytes().all(|byte| byte.is_ascii_graphic()), "{nick:?}");
            assert!(!nick.starts_with([':', '#']), "{nick:?}");
        } else {
            assert!(!rig.is_open(eve), "{nick:?}: {heard:?}");
            assert!(matches!(heard.first(), Some((0 | 10, _))), "{nick:?}: {heard:?}");
        }
        rig.leave(eve);
    }
    for text in [
        "eve",
        "eve pw",
        "eve pw 6699",
        "eve pw x \"probe\" 7",
        "eve pw 6699 \"unterminated 7",
        "eve pw -1 \"probe\" 7",
        "eve pw 6699 \"probe\" 7 mail x 99",
        "eve pw 6699 \"probe\" 7 mail x -1",
    ] {
        let eve = rig.connect("10.6.6.6");
        let heard = rig.exchange(eve, 2, text);
        assert_eq!(heard.len() == 1 && heard[0].0 == 0, !rig.is_open(eve), "{text}: {heard:?}");
        rig.leave(eve);
    }
    // Twice in one connection: the second is no command of a user.
    let eve = rig.user_at("eve", "10.6.6.6", 6_699);
    rig.exchange(eve, 2, "mallory pw 6699 \"probe\" 7");
    let whois = lines(&rig.exchange(alice, 603, "mallory"));
    assert!(whois.iter().all(|line| !line.starts_with("604 ")), "{whois:?}");
    // Two at once of one nick: one of them is it.
    let (one, two) = (rig.connect("10.6.6.7"), rig.connect("10.6.6.8"));
    rig.say(one, 2, "twin pw 6699 \"probe\" 7");
    rig.say(two, 2, "twin pw 6699 \"probe\" 7");
    assert!(rig.is_open(one) && !rig.is_open(two));
    check(&mut rig, alice);
}
