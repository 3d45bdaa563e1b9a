//! Accounts and bans for whoever keeps them: nobody is answered before what it is about is kept, and what is kept is
//! there again, whenever the machine dies.

use super::rig::{Rig, config, lines};
use p2p_core::{Duration, Input, IoError};
use p2p_napster::server::{
    Account, Ban, Banned, Change, Config, Server, ServerCommand, ServerError, ServerEvent,
};
use p2p_napster::wire::Level;
use std::collections::BTreeMap;

fn kept() -> Config {
    let mut config = config();
    config.keep = true;
    config
}

fn rig() -> Rig {
    Rig::keeping(Server::new(kept()), true)
}

/// The machine dies; another one is given what was kept.
fn reborn(rig: &Rig) -> Rig {
    let mut accounts: BTreeMap<Vec<u8>, Account> = BTreeMap::new();
    let (mut bans, mut muzzles) = (BTreeMap::<Banned, Ban>::new(), BTreeMap::<Banned, Ban>::new());
    for change in rig.kept.iter().flatten().cloned() {
        match change {
            Change::Account(account) => drop(accounts.insert(account.nick.to_ascii_lowercase(), account)),
            Change::Unregistered(nick) => drop(accounts.remove(&nick.to_ascii_lowercase())),
            Change::Banned(who, ban) => drop(bans.insert(who, ban)),
            Change::Unbanned(who) => drop(bans.remove(&who)),
            Change::Muzzled(who, ban) => drop(muzzles.insert(who, ban)),
            Change::Unmuzzled(who) => drop(muzzles.remove(&who)),
            other => panic!("{other:?} is new"),
        }
    }
    let server =
        Server::new(kept()).with_accounts(accounts.into_values()).with_bans(bans).with_muzzles(muzzles);
    let mut reborn = Rig::keeping(server, true);
    reborn.kept.clone_from(&rig.kept);
    reborn
}

fn register(nick: &str) -> ServerCommand {
    ServerCommand::Register {
        nick: nick.as_bytes().into(),
        password: b"pw".as_slice().into(),
        level: Level::Admin,
    }
}

fn ban(who: &str) -> ServerCommand {
    ServerCommand::Ban { who: Banned::parse(who.as_bytes()), reason: b"spam"[..].into(), during: None }
}

fn can_log_in(rig: &mut Rig, nick: &str, password: &str) -> bool {
    let conn = rig.connect("10.0.0.77");
    let heard = rig.exchange(conn, 2, format!("{nick} {password} 0 \"probe\" 4"));
    rig.leave(conn);
    heard[0].0 == 3
}

#[test]
fn accounts_bans_and_muzzles_outlive_the_machine() {
    let mut rig = rig();
    let conn = rig.connect("10.0.0.1");
    rig.say(conn, 6, "alice secret 0 \"probe\" 4 a@b");
    rig.ask(register("boss"));
    rig.ask(register("gone"));
    rig.ask(ServerCommand::Unregister(b"gone"[..].into()));
    rig.ask(ban("10.9.0.0/16"));
    rig.ask(ban("lifted"));
    rig.ask(ServerCommand::Unban(Banned::parse(b"LIFTED")));
    let who = Banned::parse(b"alice");
    rig.ask(ServerCommand::Muzzle { who, reason: b""[..].into(), during: None });
    assert!(rig.finished.values().all(Result::is_ok), "{:?}", rig.finished);
    let mut rig = reborn(&rig);
    assert_eq!(rig.server.counts().accounts, 2);
    assert!(can_log_in(&mut rig, "alice", "secret") && !can_log_in(&mut rig, "alice", "other"));
    assert!(can_log_in(&mut rig, "boss", "pw") && can_log_in(&mut rig, "lifted", "any"));
    let conn = rig.connect("10.9.1.1");
    let heard = rig.exchange(conn, 2, "eve pw 0 \"probe\" 4");
    assert_eq!(lines(&heard), ["0 You are banned from this server: spam"]);
    let alice = rig.connect("10.0.0.1");
    rig.say(alice, 2, "alice secret 0 \"probe\" 4");
    assert_eq!(lines(&rig.exchange(alice, 205, "boss hi")), ["404 You have been muzzled: nobody hears you"]);
}

/// The machine dies after each step: who was told "3", or whose command ended, is there for ever, with that password
/// only.
#[test]
fn whenever_it_dies_what_was_acknowledged_is_there() {
    let (mut lost, mut had) = (0, 0);
    for steps in 0..14 {
        let mut rig = rig();
        rig.manual = true;
        let conns: Vec<_> = (0..3)
            .map(|i| {
                let conn = rig.connect(&format!("10.0.0.{i}"));
                rig.say(conn, 6, format!("user{i} secret{i} 0 \"probe\" 4 a@b"));
                conn
            })
            .collect();
        let op = rig.ask(ban("eve"));
        for step in 0..steps {
            if step % 2 == 1 || !rig.work_one() {
                rig.keep();
            }
        }
        let acknowledged: Vec<bool> =
            conns.iter().map(|conn| rig.hear(*conn).iter().any(|(kind, _)| *kind == 3)).collect();
        let banned = rig.finished.get(&op) == Some(&Ok(()));
        let mut rig = reborn(&rig);
        for (i, acknowledged) in acknowledged.into_iter().enumerate() {
            if acknowledged {
                assert!(can_log_in(&mut rig, &format!("user{i}"), &format!("secret{i}")), "{steps}");
                assert!(!can_log_in(&mut rig, &format!("user{i}"), "another"), "{steps}");
                had += 1;
            } else {
                lost += 1;
            }
        }
        if banned {
            assert!(!can_log_in(&mut rig, "eve", "pw"), "{steps}");
        }
        assert!(banned || steps < 2, "{steps}");
    }
    assert!(had > 5 && lost > 5, "{had} {lost}");
}

#[test]
fn nobody_is_answered_before_it_is_kept() {
    let mut rig = rig();
    let boss = rig.operator("boss", Level::Admin);
    let conn = rig.connect("10.0.0.1");
    rig.manual = true;
    rig.say(conn, 6, "alice secret 0 \"probe\" 4 a@b");
    while rig.work_one() {}
    assert!(rig.hear(conn).is_empty(), "it is not kept yet");
    // Neither may somebody else have the nick meanwhile, nor is an operator told of a ban.
    let other = rig.connect("10.0.0.2");
    assert_eq!(lines(&rig.exchange(other, 2, "ALICE pw 0 \"probe\" 4")), ["0 ALICE is already active"]);
    assert_eq!(lines(&rig.exchange(boss, 612, "eve \"be gone\"")), [""; 0]);
    let op = rig.ask(ServerCommand::SetLevel(b"boss"[..].into(), Level::Elite));
    assert!(rig.keep(), "the registration");
    assert_eq!(rig.hear(conn)[0].0, 3);
    assert!(rig.hear(boss).is_empty() && !rig.finished.contains_key(&op), "they are in the next batch");
    assert!(rig.keep() && !rig.keep());
    assert_eq!(lines(&rig.hear(boss)), ["404 boss banned eve: be gone"]);
    assert_eq!(rig.finished[&op], Ok(()));
}

#[test]
fn without_a_keeper_all_are_answered_at_once() {
    let mut rig = Rig::new();
    let op = rig.ask(ban("eve"));
    assert_eq!(rig.finished[&op], Ok(()));
    let told =
        |news: &ServerEvent| matches!(news, ServerEvent::Changes { changes, .. } if changes.len() == 1);
    assert_eq!(rig.news.iter().filter(|news| told(news)).count(), 1, "{:?}", rig.news);
}

#[test]
fn a_storm_of_registrations_is_kept_in_groups() {
    let mut rig = rig();
    rig.manual = true;
    for i in 0..200 {
        let conn = rig.connect(&format!("10.0.{}.{}", i / 100, i % 100));
        rig.say(conn, 6, format!("user{i} secret 0 \"probe\" 4 a@b"));
    }
    // The store is ten times slower than the hashing.
    let mut hashed = 0;
    while rig.work_one() {
        hashed += 1;
        if hashed % 10 == 0 {
            rig.keep();
        }
    }
    while rig.keep() {}
    assert_eq!(rig.server.counts().accounts, 200);
    assert_eq!(rig.kept.iter().flatten().count(), 200);
    assert!(rig.kept.len() < 40, "{}", rig.kept.len());
}

#[test]
fn of_many_changes_of_one_thing_the_last_is_kept() {
    let mut rig = rig();
    rig.ask(register("boss"));
    rig.kept.clear();
    rig.manual = true;
    let level = |i: u32| if i.is_multiple_of(2) { Level::User } else { Level::Moderator };
    for i in 0..12_000 {
        rig.ask(ServerCommand::SetLevel(b"boss"[..].into(), level(i)));
    }
    while rig.keep() {}
    let levels: Vec<Level> = rig
        .kept
        .iter()
        .flatten()
        .map(
            |change| if let Change::Account(account) = change { account.level } else { panic!("{change:?}") },
        )
        .collect();
    assert_eq!(levels, [Level::User, Level::Moderator]);
    assert!(rig.finished.len() >= 12_000 && rig.finished.values().all(Result::is_ok));
}

#[test]
fn what_cannot_be_kept_is_not_acknowledged_and_said_again_later() {
    let mut rig = rig();
    let boss = rig.operator("boss", Level::Admin);
    rig.store_fails = true;
    let conn = rig.connect("10.0.0.1");
    let heard = rig.exchange(conn, 6, "alice secret 0 \"probe\" 4 a@b");
    assert_eq!(lines(&heard), ["0 Your nick could not be registered, try again later"]);
    assert!(!rig.is_open(conn));
    assert_eq!(rig.server.counts().accounts, 1);
    let op = rig.ask(ban("eve"));
    assert_eq!(rig.finished[&op], Err(ServerError::Kept(IoError::NoSpace)));
    rig.hear(boss);
    let heard = lines(&rig.exchange(boss, 612, "mal"));
    assert_eq!(heard, ["404 this holds until a restart, it could not be kept: no space left"]);
    // They hold all the same, and are kept when the disk has room again; the registration is forgotten.
    for banned in ["eve", "mal"] {
        assert!(!can_log_in(&mut rig, banned, "pw"));
    }
    rig.store_fails = false;
    let before = rig.kept.len();
    rig.pass(Duration::from_secs(31));
    let kept: Vec<_> = rig.kept[before..].iter().flatten().collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    let mut rig = reborn(&rig);
    assert!(!can_log_in(&mut rig, "eve", "pw") && !can_log_in(&mut rig, "mal", "pw"));
    assert!(can_log_in(&mut rig, "alice", "anything"), "nobody registered it");
}

/// A store that hangs for ever costs a bounded list.
#[test]
fn past_the_limit_of_changes_nobody_registers_or_bans() {
    let mut config = kept();
    config.limits.changes = 3;
    let mut rig = Rig::keeping(Server::new(config), true);
    rig.manual = true;
    let ops: Vec<_> = (0..5).map(|i| rig.ask(ban(&format!("eve{i}")))).collect();
    assert_eq!(rig.finished.get(&ops[2]), None);
    assert_eq!(rig.finished[&ops[3]], Err(ServerError::Full));
    let conn = rig.connect("10.0.0.1");
    let heard = rig.exchange(conn, 6, "alice secret 0 \"probe\" 4 a@b");
    assert_eq!(lines(&heard), ["0 This server is busy, try again later"]);
    rig.work();
    assert_eq!(rig.finished[&ops[2]], Ok(()));
    let conn = rig.connect("10.0.0.1");
    rig.manual = false;
    assert_eq!(rig.exchange(conn, 6, "alice secret 0 \"probe\" 4 a@b")[0].0, 3);
}

/// Somebody registers a nick, and the application gives it away while the password is hashed, or the account kept.
#[test]
fn the_application_gives_a_nick_away_that_is_being_registered() {
    for hashed in [false, true] {
        let mut rig = rig();
        rig.manual = true;
        let conn = rig.connect("10.0.0.1");
        rig.say(conn, 6, "alice secret 0 \"probe\" 4 a@b");
        if hashed {
            rig.work_one();
        }
        rig.ask(register("alice"));
        // The application's password is hashed first.
        if let Some(last) = rig.jobs.pop_last() {
            let first = std::mem::replace(&mut rig.jobs, [last].into());
            rig.work_one();
            rig.jobs.extend(first);
        }
        rig.work();
        assert_eq!(lines(&rig.hear(conn)), ["0 alice is already active"], "{hashed}");
        let mut rig = reborn(&rig);
        assert!(can_log_in(&mut rig, "alice", "pw") && !can_log_in(&mut rig, "alice", "secret"), "{hashed}");
    }
}

#[test]
fn a_word_on_no_batch_is_an_error() {
    let mut rig = rig();
    rig.ask(ban("eve"));
    let mut batches = rig.news.iter().filter_map(|news| match news {
        ServerEvent::Changes { batch, .. } => Some(*batch),
        _ => None,
    });
    let old = batches.next_back().unwrap();
    let op = rig.ask(ServerCommand::Kept { batch: old, result: Err(IoError::Device) });
    assert_eq!(rig.finished[&op], Err(ServerError::NoBatch));
}

#[test]
fn a_stop_waits_until_all_is_kept() {
    let mut rig = rig();
    let user = rig.user("alice");
    rig.manual = true;
    let ops = [rig.ask(ban("eve")), rig.ask(ban("mal"))];
    rig.give(Input::Stop);
    assert!(!rig.halted && !rig.is_open(user));
    assert!(rig.keep() && !rig.halted, "there is another batch");
    assert!(rig.keep() && rig.halted);
    assert!(ops.iter().all(|op| rig.finished[op] == Ok(())));
    // What cannot be kept holds up no stop.
    let mut full = self::rig();
    full.manual = true;
    full.store_fails = true;
    let op = full.ask(ban("eve"));
    full.give(Input::Stop);
    assert!(full.keep() && full.halted);
    assert_eq!(full.finished[&op], Err(ServerError::Kept(IoError::NoSpace)));
}
