//! A neighbour that is up to no good, or only broken: played by the test over a real link.

use super::neighbour::{Neighbour, ends, nicks, refusals, rig, rig_with};
use crate::server::rig::{frame, lines};
use bytes::BytesMut;
use p2p_core::Duration;
use p2p_napster::deflate::{Deflater, InflateError};
use p2p_napster::link::LinkError;
use p2p_napster::server::LinkEnd;
use p2p_napster::wire::text::{Fault, Malformed};
use p2p_napster::wire::{Level, Linked};

#[test]
fn who_is_not_agreed_on_gets_no_link() {
    let mut rig = rig_with(|config| {
        config.links[1].address = Some(std::net::SocketAddr::from(([10, 9, 0, 9], 8888)).into());
    });
    let unknown = Neighbour::dial(&mut rig, "stranger", "theirs", "10.9.0.1");
    assert!(!unknown.is_up(&rig));
    // The right name from another address than its own.
    let moved = Neighbour::dial(&mut rig, "serverc", "theirs", "10.9.0.1");
    assert!(!moved.is_up(&rig));
    assert_eq!(refusals(&rig), [LinkError::Unknown.into(), LinkError::Unknown.into()]);
    let wrong = Neighbour::dial(&mut rig, "serverb", "guessed", "10.9.0.1");
    assert!(!wrong.is_up(&rig));
    assert_eq!(ends(&rig), [LinkError::Password.into()]);
    // Nor may passwords be tried as fast as one likes.
    for _ in 0..200 {
        Neighbour::dial(&mut rig, "serverb", "guessed", "10.9.0.1");
    }
    assert!(ends(&rig).len() < 60, "{}", ends(&rig).len());
    // A proof without a first line is no login.
    let conn = rig.connect("10.9.0.2");
    rig.say(conn, 10011, "00");
    assert_eq!(lines(&rig.hear(conn)), ["0 invalid command"]);
    assert_eq!(rig.server.counts().links, 0);
}

/// What opennap told every linked server (capture 07): whatever a user or an operator calls a password stays here.
#[test]
fn bad_input_05_no_password_goes_over_a_link() {
    let mut rig = rig();
    let mut other = Neighbour::up(&mut rig, "serverb");
    let conn = rig.connect("10.0.0.1");
    rig.say(conn, 6, "ann hunter2first 6699 \"probe\" 7 a@b.c");
    rig.say(conn, 701, "hunter2second");
    rig.say(conn, 11, "ann hunter2third");
    let conn = rig.connect("10.0.0.2");
    rig.say(conn, 2, "bob hunter2fourth 6699 \"probe\" 7");
    let boss = rig.user("boss");
    rig.say(boss, 753, "ann hunter2fifth \"forgotten\"");
    // One who was there before the link is told by it, too.
    let mut third = Neighbour::up(&mut rig, "serverc");
    let told = [other.hear(&mut rig), third.hear(&mut rig)];
    for told in &told {
        for nick in ["ann", "bob", "boss"] {
            let login = format!("2 {nick} ");
            assert!(told.iter().any(|line| line.starts_with(&login)), "{nick}: {told:#?}");
        }
        assert!(!told.iter().any(|line| line.contains("hunter2")), "{told:#?}");
    }
}

#[test]
fn a_client_s_colon_is_a_part_of_a_nick() {
    let mut rig = rig();
    let (ann, bob) = (rig.user("ann"), rig.user("bob"));
    assert_eq!(lines(&rig.exchange(ann, 205, ":bob bob hi")), ["404 :bob is not online"]);
    assert!(rig.hear(bob).is_empty());
    for (kind, text) in
        [(10000, "bob"), (10018, ":servera bob x"), (10012, "bob 7 7"), (10204, ":servera #a b")]
    {
        rig.exchange(ann, kind, text);
        assert!(rig.hear(bob).is_empty() && rig.is_open(bob));
    }
    assert_eq!(nicks(&rig), ["ann", "bob"]);
}

#[test]
fn nobody_speaks_for_a_user_elsewhere() {
    let mut rig = rig();
    let (ann, bob) = (rig.user("ann"), rig.user("bob"));
    let mut other = Neighbour::up(&mut rig, "serverb");
    let mut third = Neighbour::up(&mut rig, "serverc");
    other.user(&mut rig, "yuri", "serverb", 1_000);
    third.user(&mut rig, "zoe", "serverc", 1_000);
    third.hear(&mut rig);
    // In the name of one of ours, of one behind another link, of nobody, of us.
    for name in ["ann", "zoe", "nobody", "servera", "serverc"] {
        for text in ["bob hi", "zoe hi"] {
            other.raw(&mut rig, 205, &format!(":{name} {text}"));
        }
        other.raw(&mut rig, 402, &format!(":{name} #talk hi"));
        other.raw(&mut rig, 610, &format!(":{name} bob out"));
        other.raw(&mut rig, 10000, name);
        other.say(&mut rig, &[Linked::ShareCount { nick: name.as_bytes(), files: 9, kilobytes: 9 }]);
    }
    assert_eq!(lines(&rig.hear(bob)), Vec::<String>::new());
    assert!(third.hear(&mut rig).is_empty() && rig.is_open(ann));
    assert_eq!(rig.server.counts().linked_files, 0);
    assert_eq!(nicks(&rig), ["ann", "bob", "yuri", "zoe"]);
    // In the name of its own it arrives, and goes on.
    other.raw(&mut rig, 205, ":yuri bob hi");
    other.raw(&mut rig, 205, ":yuri zoe hi");
    assert_eq!(lines(&rig.hear(bob)), ["205 yuri hi"]);
    assert_eq!(third.hear(&mut rig), ["205 :yuri zoe hi"]);
    // An operator of the other side is believed as far as it is trusted: not at all.
    other.say(&mut rig, &[Linked::SetLevel { origin: b"serverb", nick: b"yuri", level: Level::Elite }]);
    for (kind, text) in [(610, "bob out"), (612, "bob"), (606, "bob Elite"), (628, "hear me"), (622, "bob")] {
        other.raw(&mut rig, kind, &format!(":yuri {text}"));
        other.raw(&mut rig, kind, &format!(":serverb {text}"));
    }
    assert_eq!(lines(&rig.hear(bob)), Vec::<String>::new());
    assert!(rig.is_open(bob) && other.is_up(&rig));
}

#[test]
fn an_answer_for_a_client_cannot_be_an_order() {
    let mut rig = rig();
    let bob = rig.user("bob");
    let mut other = Neighbour::up(&mut rig, "serverb");
    // Upgrades, ends, other servers, tests of ports, logins, channels that it is not in.
    for kind in [0, 3, 5, 201, 202, 316, 403, 405, 613, 621, 628, 748, 821, 822, 900, 901, 10018] {
        let inner = frame(kind, b"somewhere 1");
        other.say(&mut rig, &[Linked::Encapsulated { origin: b"serverb", nick: b"bob", frame: &inner }]);
    }
    assert!(rig.hear(bob).is_empty() && rig.is_open(bob) && other.is_up(&rig));
    let inner = frame(404, b"a notice");
    other.say(&mut rig, &[Linked::Encapsulated { origin: b"serverb", nick: b"bob", frame: &inner }]);
    assert_eq!(lines(&rig.hear(bob)), ["404 a notice"]);
}

#[test]
fn a_list_whose_end_does_not_come_ends_with_its_owner() {
    let mut rig = rig();
    let (ann, bob) = (rig.user("ann"), rig.user("bob"));
    let mut other = Neighbour::up(&mut rig, "serverb");
    for nick in ["yuri", "zoe"] {
        other.user(&mut rig, nick, "serverb", 1_000);
    }
    let entry = frame(212, b"yuri \"C:\\a.mp3\" 0 1 2 3 4");
    let end = frame(213, b"yuri 16777343");
    for nick in ["yuri", "zoe"] {
        assert!(rig.exchange(bob, 211, nick).is_empty() && rig.exchange(ann, 211, nick).is_empty());
    }
    other.say(&mut rig, &[Linked::Encapsulated { origin: b"serverb", nick: b"bob", frame: &entry }]);
    other.say(&mut rig, &[Linked::Encapsulated { origin: b"serverb", nick: b"bob", frame: &end }]);
    assert_eq!(rig.hear(bob).len(), 2);
    // One goes, then the link: each waiting list ends once, and one that has ended does not.
    other.raw(&mut rig, 10000, "zoe");
    assert_eq!(lines(&rig.hear(bob)), ["210 zoe", "213 zoe"]);
    assert_eq!(lines(&rig.hear(ann)), ["210 zoe", "213 zoe"]);
    rig.leave(other.conn);
    assert!(rig.hear(bob).is_empty());
    assert_eq!(lines(&rig.hear(ann)), ["210 yuri", "213 yuri"]);
}

#[test]
fn an_address_is_told_to_who_asked_for_it() {
    let mut rig = rig();
    let bob = rig.user("bob");
    let mut other = Neighbour::up(&mut rig, "serverb");
    other.user(&mut rig, "yuri", "serverb", 1_000);
    other.raw(&mut rig, 641, ":yuri bob");
    assert!(rig.hear(bob).is_empty());
    other.hear(&mut rig);
    // As opennap-ng has it: our side knows the address.
    assert!(rig.exchange(bob, 640, "yuri").is_empty());
    assert_eq!(other.hear(&mut rig), ["640 :bob yuri"]);
    other.raw(&mut rig, 641, ":yuri bob");
    assert_eq!(lines(&rig.hear(bob)), ["641 yuri 16777343 6699"]);
}

#[test]
fn what_cannot_be_read_ends_the_link() {
    let missing = |kind, at| LinkEnd::Malformed { kind, why: Malformed { at, fault: Fault::Missing } };
    let no_origin = |kind| LinkEnd::Malformed { kind, why: Malformed { at: 0, fault: Fault::Origin } };
    let cases: [(u16, &str, LinkEnd); 6] = [
        (2, "yuri pw", missing(2, 7)),
        (205, "yuri bob hi", no_origin(205)),
        (10018, ":serverb bob x", missing(10018, 1)),
        (10010, "serverb 0123456789ABCDEF 6", LinkEnd::Unexpected(10010)),
        (10023, ":serverb 1", LinkEnd::Clock(1_700_000_999)),
        (10019, "serverx 1 servera 1 2", LinkEnd::Loop((*b"servera").into())),
    ];
    for (kind, text, expected) in cases {
        let mut rig = rig();
        let bob = rig.user("bob");
        let mut other = Neighbour::up(&mut rig, "serverb");
        other.user(&mut rig, "yuri", "serverb", 1_000);
        other.raw(&mut rig, kind, text);
        assert_eq!(ends(&rig), [expected], "{kind} {text}");
        assert!(!other.is_up(&rig));
        // Nobody behind it is left, and nobody else noticed.
        assert_eq!(nicks(&rig), ["bob"]);
        assert_eq!(lines(&rig.exchange(bob, 214, "")), ["214 1 0 0"]);
        // It may come back.
        Neighbour::up(&mut rig, "serverb");
    }
}

#[test]
fn a_link_cannot_bring_more_than_the_limits_allow() {
    let mut rig = rig_with(|config| {
        (config.limits.linked_users, config.limits.linked_servers) = (50, 5);
        (config.limits.channels, config.limits.channel_members) = (3, 4);
    });
    let mut other = Neighbour::up(&mut rig, "serverb");
    for n in 0..50 {
        other.user(&mut rig, &format!("user{n}"), "serverb", 1_000);
        for channel in 0..9 {
            other.raw(&mut rig, 400, &format!(":user{n} #chan{channel}"));
        }
    }
    let counts = rig.server.counts();
    assert_eq!((counts.linked_users, counts.channels), (50, 3));
    assert_eq!(rig.server.members(b"#chan0").count(), 4);
    other.user(&mut rig, "one-more", "serverb", 1_000);
    assert_eq!(ends(&rig), [LinkEnd::TooMany("users")]);
    assert_eq!((rig.server.counts().linked_users, rig.server.counts().channels), (0, 0));
    let mut other = Neighbour::up(&mut rig, "serverb");
    for n in 0..5 {
        other.raw(&mut rig, 10019, &format!("serverb 1 far{n} 1 1"));
    }
    assert_eq!(ends(&rig)[1..], [LinkEnd::TooMany("servers")]);
}

#[test]
fn counts_of_nonsense_add_up() {
    let mut rig = rig();
    let bob = rig.user("bob");
    let mut other = Neighbour::up(&mut rig, "serverb");
    for n in 0..20 {
        let nick = format!("user{n}");
        other.user(&mut rig, &nick, "serverb", 1_000);
        for files in [u32::MAX, 0, u32::MAX] {
            other.say(&mut rig, &[Linked::ShareCount { nick: nick.as_bytes(), files, kilobytes: u64::MAX }]);
        }
    }
    assert_eq!(rig.server.counts().linked_files, 20 * u64::from(u32::MAX));
    assert_eq!(rig.exchange(bob, 214, "").len(), 1);
    rig.leave(other.conn);
    assert_eq!(rig.server.counts().linked_files, 0);
}

#[test]
fn a_bomb_or_no_stream_ends_the_link() {
    let mut rig = rig();
    let other = Neighbour::up(&mut rig, "serverb");
    rig.data(other.conn, &[0xff; 4_000]);
    assert_eq!(ends(&rig), [LinkError::Stream(InflateError::Corrupt).into()]);
    let other = Neighbour::dial(&mut rig, "serverb", "theirs", "10.9.0.1");
    let mut bomb = BytesMut::new();
    Deflater::new(9).write(&frame(205, &[b'x'; 60_000]).repeat(200), &mut bomb);
    rig.data(other.conn, &bomb);
    assert!(!other.is_up(&rig));
    assert_eq!(ends(&rig).len(), 2);
}

#[test]
fn who_tells_the_time_and_then_nothing_is_gone() {
    let mut rig = rig();
    let mut other = Neighbour::up(&mut rig, "serverb");
    other.clock(&mut rig);
    rig.pass(Duration::from_secs(150));
    assert!(other.is_up(&rig));
    other.clock(&mut rig);
    rig.pass(Duration::from_secs(150));
    assert!(other.is_up(&rig));
    rig.pass(Duration::from_secs(150));
    assert_eq!(ends(&rig), [LinkEnd::Silent]);
    // A server that never tells it again, as opennap-ng, is not held to it.
    let other = Neighbour::up(&mut rig, "serverb");
    rig.pass(Duration::from_secs(3_600));
    assert!(other.is_up(&rig));
}

#[test]
fn a_handshake_that_does_not_end_is_ended() {
    let mut rig = rig();
    let conn = rig.connect("10.9.0.1");
    rig.clients.get_mut(&conn).unwrap().raw = Some(Vec::new());
    rig.say(conn, 10010, "serverb 0123456789ABCDEF 6");
    assert!(rig.is_open(conn));
    rig.pass(Duration::from_secs(31));
    assert_eq!(ends(&rig), [LinkEnd::Silent]);
    assert!(!rig.is_open(conn));
}
