//! Operators: levels, killing, bans by network with an end, muzzles, redirects.

use super::rig::{Rig, lines};
use p2p_core::Duration;
use p2p_napster::server::{ServerCommand, ServerError};
use p2p_napster::wire::Level;

#[test]
fn a_kill_needs_a_higher_level() {
    let mut rig = Rig::new();
    let (boss, eve) = (rig.operator("boss", Level::Moderator), rig.user("eve"));
    assert_eq!(lines(&rig.exchange(eve, 610, "boss")), ["404 kill failed: permission denied"]);
    let admin = rig.operator("admin", Level::Admin);
    assert_eq!(lines(&rig.exchange(boss, 610, "admin")), ["404 kill failed: permission denied"]);
    assert_eq!(lines(&rig.exchange(boss, 610, "nobody")), ["404 kill failed: no such user"]);
    rig.hear(admin);
    rig.say(boss, 610, "EVE \"be gone\"");
    assert_eq!(lines(&rig.hear(eve)), ["404 You were killed by boss: be gone", "316 0"]);
    assert!(!rig.is_open(eve));
    assert_eq!(lines(&rig.hear(admin)), ["404 boss killed EVE: be gone"]);
}

#[test]
fn a_ban_of_a_network_holds_for_its_time() {
    let mut rig = Rig::new();
    let admin = rig.operator("admin", Level::Admin);
    let (near, far) = (rig.user_at("near", "10.7.3.4", 0), rig.user_at("far", "10.8.3.4", 0));
    assert_eq!(lines(&rig.exchange(near, 612, "far")), ["404 permission denied"]);
    rig.say(admin, 612, "10.7.0.0/16 3600 \"no more\"");
    assert!(!rig.is_open(near) && rig.is_open(far));
    let login = |rig: &mut Rig, ip: &str| {
        let conn = rig.connect(ip);
        lines(&rig.exchange(conn, 2, "again pw 0 \"probe\" 4"))[0].clone()
    };
    assert_eq!(login(&mut rig, "10.7.255.1"), "0 You are banned from this server: no more");
    assert_eq!(login(&mut rig, "10.6.255.1"), "3 anon@servera");
    let listed = lines(&rig.exchange(admin, 615, ""));
    assert!(
        listed[0].starts_with(r#"616 10.7.0.0/16 admin \"no more\" 17000"#) && listed[0].ends_with(" 3600")
    );
    assert_eq!(listed[1..], ["615 "]);
    rig.pass(Duration::from_secs(3_601));
    assert_eq!(login(&mut rig, "10.7.255.1"), "0 again is already active");
    // By nick, for ever, until it is lifted.
    rig.say(admin, 612, "far \"\"");
    assert!(!rig.is_open(far));
    rig.hear(admin);
    assert_eq!(lines(&rig.exchange(admin, 615, "")), ["629 far", "615 "]);
    rig.say(admin, 614, "FAR");
    assert_eq!(lines(&rig.exchange(admin, 615, "")), ["615 "]);
    assert_eq!(lines(&rig.exchange(admin, 614, "far")), ["404 far is not banned"]);
}

#[test]
fn nobody_bans_the_mightier_or_himself() {
    let mut rig = Rig::new();
    let (elite, admin) = (rig.operator("elite", Level::Elite), rig.operator("admin", Level::Admin));
    for who in ["elite", "10.0.0.0/8", "0.0.0.0/0"] {
        assert_eq!(lines(&rig.exchange(admin, 612, who)), ["404 permission denied"], "{who}");
    }
    assert!(rig.is_open(elite) && rig.is_open(admin));
}

#[test]
fn the_muzzled_are_not_heard_and_search_on() {
    let mut rig = Rig::new();
    let (boss, eve, bob) = (rig.operator("boss", Level::Moderator), rig.user("eve"), rig.user("bob"));
    rig.say(eve, 400, "#c");
    rig.hear(eve);
    rig.say(boss, 622, "eve 60 \"calm down\"");
    for (kind, text) in [(205, "bob hi"), (402, "#c hi"), (824, "#c \"waves\"")] {
        let heard = lines(&rig.exchange(eve, kind, text));
        assert_eq!(heard, ["404 You have been muzzled: nobody hears you"], "{kind}");
    }
    assert_eq!(lines(&rig.exchange(eve, 200, "FILENAME CONTAINS \"x\"")), ["202 "]);
    rig.pass(Duration::from_secs(61));
    rig.say(eve, 205, "bob hi");
    assert_eq!(lines(&rig.hear(bob)).last().unwrap(), "205 eve hi");
    rig.say(boss, 622, "eve");
    rig.say(boss, 623, "eve");
    rig.hear(bob);
    rig.say(eve, 205, "bob again");
    assert_eq!(lines(&rig.hear(bob)), ["205 eve again"]);
}

#[test]
fn levels_are_given_by_those_above() {
    let mut rig = Rig::new();
    let (admin, bob) = (rig.operator("admin", Level::Admin), rig.user("bob"));
    rig.operator("elite", Level::Elite);
    let denied = ["404 set user level failed: permission denied"];
    assert_eq!(lines(&rig.exchange(bob, 606, "bob Elite")), denied);
    assert_eq!(lines(&rig.exchange(admin, 606, "bob Elite")), denied);
    assert_eq!(lines(&rig.exchange(admin, 606, "elite User")), denied);
    rig.say(admin, 606, "bob Moderator");
    assert_eq!(lines(&rig.hear(bob)), ["404 admin set your user level to Moderator"]);
    rig.say(bob, 627, "hello");
    assert_eq!(lines(&rig.hear(admin)), ["627 bob hello"]);
    rig.say(admin, 628, "to all");
    assert_eq!(lines(&rig.hear(bob)), ["627 bob hello", "628 admin to all"]);
    assert_eq!(lines(&rig.exchange(admin, 611, "elite")), ["404 nuke failed: permission denied"]);
    rig.ask(ServerCommand::Register {
        nick: b"old"[..].into(),
        password: b"x".as_slice().into(),
        level: Level::User,
    });
    assert_eq!(lines(&rig.exchange(admin, 611, "old")), [""; 0]);
    assert_eq!(lines(&rig.exchange(admin, 611, "old")), ["404 nuke failed: no such account"]);
}

#[test]
fn ports_speeds_and_redirects() {
    let mut rig = Rig::new();
    let (admin, bob) = (rig.operator("admin", Level::Admin), rig.user("bob"));
    rig.say(admin, 613, "bob 1234");
    assert_eq!(lines(&rig.hear(bob)), ["613 1234"]);
    rig.say(admin, 625, "bob 3");
    assert_eq!(lines(&rig.exchange(bob, 600, "bob")), ["601 bob 3"]);
    rig.say(admin, 821, "bob 10.9.9.9 8888");
    rig.say(admin, 822, "bob meta.example:8875");
    assert_eq!(lines(&rig.hear(bob)), ["821 10.9.9.9 8888", "822 meta.example:8875"]);
    for (kind, text) in
        [(613, "admin 1"), (625, "admin 1"), (821, "admin h 1"), (822, "admin h"), (831, ""), (801, "")]
    {
        assert_eq!(lines(&rig.exchange(bob, kind, text)), ["404 permission denied"], "{kind}");
    }
    assert_eq!(lines(&rig.exchange(admin, 831, "")).len(), 3);
}

#[test]
fn the_application_has_all_of_it() {
    let mut rig = Rig::new();
    let bob = rig.user("bob");
    let op = rig.ask(ServerCommand::Kill { nick: b"bob"[..].into(), reason: b"why"[..].into() });
    assert_eq!(rig.finished[&op], Ok(()));
    assert!(!rig.is_open(bob));
    let op = rig.ask(ServerCommand::Kill { nick: b"bob"[..].into(), reason: b"why"[..].into() });
    assert_eq!(rig.finished[&op], Err(ServerError::Unknown));
    let op = rig.ask(ServerCommand::SetLevel(b"nobody"[..].into(), Level::Admin));
    assert_eq!(rig.finished[&op], Err(ServerError::Unknown));
    let alice = rig.user("alice");
    rig.ask(ServerCommand::Announce(b"closing".as_slice().into()));
    assert_eq!(lines(&rig.hear(alice)), ["628 servera closing"]);
    rig.ask(ServerCommand::Motd(vec![b"new".as_slice().into()]));
    assert_eq!(lines(&rig.exchange(alice, 621, "")).last().unwrap(), "621 new");
    assert!(rig.is_open(alice), "reloaded without dropping anybody");
}
