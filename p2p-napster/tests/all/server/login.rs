//! Logging in, registering, logging in again, and what may be said before.

use super::rig::{Rig, config, lines};
use p2p_core::{Duration, Job};
use p2p_napster::server::{Rate, ServerCommand, ServerEvent};
use p2p_napster::wire::Level;

fn kinds(heard: &[(u16, Vec<u8>)]) -> Vec<u16> {
    heard.iter().map(|(kind, _)| *kind).filter(|kind| *kind != 621).collect()
}

#[test]
fn a_login_is_acknowledged_with_the_motd_and_the_counts() {
    let mut config = config();
    config.motd = vec![b"Welcome".as_slice().into(), b"".as_slice().into()];
    let mut rig = Rig::with(config);
    let conn = rig.connect("10.0.0.1");
    let heard = rig.exchange(conn, 2, "alice secret 6699 \"probe v1\" 4");
    assert_eq!(kinds(&heard), [3, 214]);
    assert_eq!(lines(&heard)[..3], ["3 anon@servera", &lines(&heard)[1], "621 SERVER servera"]);
    assert_eq!(lines(&heard)[3..], ["621 Welcome", "621 ", "214 0 0 0"]);
    assert_eq!(rig.clients[&conn].writes, 1, "one write");
    assert!(rig.timers.keys().all(|timer| format!("{timer:?}") == "Stats"), "no deadline is left");
}

#[test]
fn nicks_are_checked_and_versions_answered() {
    let mut rig = Rig::new();
    rig.user("taken");
    let conn = rig.connect("10.0.0.1");
    assert_eq!(lines(&rig.exchange(conn, 7, "free")), ["8 "]);
    assert_eq!(lines(&rig.exchange(conn, 7, "TAKEN")), ["9 "]);
    assert_eq!(lines(&rig.exchange(conn, 7, "a b")), ["10 "]);
    assert_eq!(lines(&rig.exchange(conn, 4, "2.0")), ["4 "]);
    assert_eq!(lines(&rig.exchange(conn, 14, "NAME:x ADDRESS:y")), [""; 0]);
    assert_eq!(kinds(&rig.exchange(conn, 2, "free pw 0 \"v2.0\" 8")), [3, 214]);
}

#[test]
fn a_registered_nick_needs_its_password() {
    let mut rig = Rig::new();
    let conn = rig.connect("10.0.0.1");
    assert_eq!(kinds(&rig.exchange(conn, 6, "alice secret 6699 \"probe\" 4 a@b.c")), [3, 214]);
    rig.leave(conn);
    let conn = rig.connect("10.0.0.1");
    assert_eq!(lines(&rig.exchange(conn, 2, "ALICE wrong 6699 \"probe\" 4")), ["0 Invalid Password"]);
    assert!(!rig.is_open(conn));
    let conn = rig.connect("10.0.0.2");
    assert_eq!(lines(&rig.exchange(conn, 11, "alice secret")), ["12 "]);
    assert_eq!(kinds(&rig.exchange(conn, 2, "alice secret 6699 \"probe\" 4")), [3, 214]);
    // Who registers what is his meant to log in.
    let conn = rig.connect("10.0.0.2");
    assert_eq!(kinds(&rig.exchange(conn, 6, "alice secret 6699 \"probe\" 4 a@b.c")), [3, 214]);
    let conn = rig.connect("10.0.0.3");
    assert_eq!(lines(&rig.exchange(conn, 11, "alice wrong")), ["0 Invalid Password"]);
    assert!(!rig.is_open(conn));
    let conn = rig.connect("10.0.0.3");
    assert_eq!(lines(&rig.exchange(conn, 11, "nobody wrong")), ["0 Invalid Password"]);
}

#[test]
fn a_second_login_pushes_out_a_ghost_and_nobody_else() {
    let mut rig = Rig::new();
    let ghost = rig.user_at("alice", "10.0.0.1", 6699);
    let other = rig.connect("10.0.0.2");
    assert_eq!(lines(&rig.exchange(other, 2, "Alice pw 0 \"probe\" 4")), ["0 Alice is already active"]);
    assert!(!rig.is_open(other) && rig.is_open(ghost));
    let again = rig.connect("10.0.0.1");
    assert_eq!(kinds(&rig.exchange(again, 2, "alice pw 0 \"probe\" 4")), [3, 214]);
    assert_eq!(kinds(&rig.hear(ghost)), [748, 404, 316]);
    assert!(!rig.is_open(ghost) && rig.is_open(again));
    assert_eq!(rig.server.counts().users, 1);
    // A registered one is pushed out from everywhere, for its password was right.
    let first = rig.connect("10.0.0.3");
    rig.say(first, 6, "bob pw 0 \"probe\" 4 b@c");
    let second = rig.connect("10.0.0.4");
    assert_eq!(kinds(&rig.exchange(second, 2, "bob pw 0 \"probe\" 4")), [3, 214]);
    assert!(!rig.is_open(first) && rig.is_open(second));
}

#[test]
fn passwords_are_hashed_away_from_the_machine_a_few_at_a_time() {
    let mut config = config();
    config.limits.derivations = 2;
    let mut rig = Rig::with(config);
    let op = rig.ask(ServerCommand::Register {
        nick: b"alice"[..].into(),
        password: b"secret".as_slice().into(),
        level: Level::User,
    });
    assert_eq!(rig.finished[&op], Ok(()));
    rig.manual = true;
    let conns: Vec<_> = (0..5)
        .map(|i| {
            let conn = rig.connect(&format!("10.0.0.{i}"));
            rig.say(conn, 2, "alice secret 0 \"probe\" 4");
            assert!(rig.clients[&conn].paused, "not read meanwhile");
            conn
        })
        .collect();
    assert_eq!(rig.jobs.len(), 2);
    assert!(rig.jobs.values().all(|job| matches!(job, Job::Derive { .. })));
    // What comes behind the login waits for it, and somebody else is served meanwhile.
    rig.say(conns[0], 750, "");
    let other = rig.user("carol");
    assert_eq!(lines(&rig.exchange(other, 750, "")), ["750 servera "]);
    // One leaves: its password need not be hashed.
    rig.leave(conns[4]);
    for _ in 0..4 {
        assert!(rig.work_one());
    }
    assert!(!rig.work_one());
    assert_eq!(lines(&rig.hear(conns[0])).iter().filter(|line| *line == "750 servera ").count(), 1);
    // Each pushed out the one before.
    assert_eq!(
        conns.iter().map(|conn| rig.is_open(*conn)).collect::<Vec<_>>(),
        [false, false, false, true, false]
    );
}

#[test]
fn no_password_is_told_or_logged() {
    let mut rig = Rig::new();
    let conn = rig.connect("10.0.0.1");
    rig.say(conn, 6, "alice hunter2hunter2 6699 \"probe\" 4 a@b.c");
    rig.manual = true;
    let conn = rig.connect("10.0.0.2");
    rig.say(conn, 2, "alice hunter2hunter2 6699 \"probe\" 4");
    let all = format!("{:?} {:?} {:?}", rig.server, rig.news, rig.jobs);
    assert!(rig.news.iter().any(|news| matches!(news, ServerEvent::Changes { .. })));
    assert!(all.contains("alice") && !all.contains("hunter2"), "{all}");
}

#[test]
fn too_many_logins_of_an_address_are_refused_with_the_reason() {
    let mut config = config();
    config.limits.logins = Rate::new(6, 3);
    let mut rig = Rig::with(config);
    let tries = |rig: &mut Rig, ip: &str, n: usize| {
        (0..n)
            .filter(|_| {
                let conn = rig.connect(ip);
                let heard = rig.exchange(conn, 2, "x pw 0 \"probe\" 4");
                rig.leave(conn);
                let text = lines(&heard)[0].clone();
                assert!(
                    text == "3 anon@servera" || text.starts_with("0 Connecting too fast: 6 logins"),
                    "{text}"
                );
                text.starts_with('3')
            })
            .count()
    };
    assert_eq!(tries(&mut rig, "10.0.0.1", 5), 3);
    assert_eq!(tries(&mut rig, "10.0.0.2", 1), 1);
    rig.pass(Duration::from_secs(10));
    assert_eq!(tries(&mut rig, "10.0.0.1", 3), 1);
}

#[test]
fn registered_only_and_closed_registration() {
    let mut config = config();
    config.registered_only = true;
    config.open_registration = false;
    let mut rig = Rig::with(config);
    for kind in [2, 6] {
        let conn = rig.connect("10.0.0.1");
        let heard = rig.exchange(conn, kind, "alice pw 0 \"probe\" 4 a@b");
        assert_eq!(lines(&heard), ["0 Only registered nicks can log in here"]);
    }
    let op = rig.operator("boss", Level::Elite);
    assert!(rig.is_open(op));
}

#[test]
fn a_level_is_told_behind_the_acknowledgement() {
    let mut rig = Rig::new();
    rig.ask(ServerCommand::Register {
        nick: b"boss"[..].into(),
        password: b"pw".as_slice().into(),
        level: Level::Admin,
    });
    let conn = rig.connect("10.0.0.1");
    let heard = rig.exchange(conn, 2, "boss pw 0 \"probe\" 4");
    assert_eq!(kinds(&heard), [3, 214, 404]);
    assert_eq!(lines(&heard).last().unwrap(), "404 Server servera set your user level to Admin.");
}

#[test]
fn everybody_gets_the_counts_once_a_minute() {
    let mut rig = Rig::new();
    let conns: Vec<_> = (0..100).map(|i| rig.user(&format!("user{i}"))).collect();
    rig.pass(Duration::from_secs(60));
    for conn in conns {
        assert_eq!(lines(&rig.hear(conn)), ["214 100 0 0"]);
    }
}
