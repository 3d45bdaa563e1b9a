//! Accounts and bans on the disk: nothing that was acknowledged is lost, whenever the machine dies.

use super::rig::{Rig, config, lines, store_file};
use p2p_core::{Input, IoError, JobDone, JobId};
use p2p_napster::server::{Banned, Config, Server, ServerCommand, ServerError, ServerEvent};
use p2p_napster::wire::Level;

fn stored() -> Config {
    let mut config = config();
    config.store = Some(store_file());
    config
}

fn reborn(rig: Rig) -> Rig {
    Rig::of(Server::new(stored()), rig.files)
}

fn register(nick: &str) -> ServerCommand {
    ServerCommand::Register {
        nick: nick.as_bytes().into(),
        password: b"pw".as_slice().into(),
        level: Level::Admin,
    }
}

fn can_log_in(rig: &mut Rig, nick: &str, password: &str) -> bool {
    let conn = rig.connect("10.0.0.77");
    let heard = rig.exchange(conn, 2, format!("{nick} {password} 0 \"probe\" 4"));
    rig.leave(conn);
    heard[0].0 == 3
}

#[test]
fn accounts_and_bans_outlive_the_machine() {
    let mut rig = Rig::with(stored());
    let conn = rig.connect("10.0.0.1");
    rig.say(conn, 6, "alice secret 0 \"probe\" 4 a@b");
    rig.ask(register("boss"));
    rig.ask(register("gone"));
    rig.ask(ServerCommand::Unregister(b"gone"[..].into()));
    let who = Banned::parse(b"10.9.0.0/16");
    rig.ask(ServerCommand::Ban { who, reason: b"spam"[..].into(), during: None });
    assert!(rig.finished.values().all(Result::is_ok));
    let mut rig = reborn(rig);
    assert_eq!(rig.news, [ServerEvent::Loaded { accounts: 2, bans: 1, torn: 0 }]);
    assert!(can_log_in(&mut rig, "alice", "secret") && !can_log_in(&mut rig, "alice", "other"));
    assert!(can_log_in(&mut rig, "boss", "pw"));
    let conn = rig.connect("10.9.1.1");
    let heard = rig.exchange(conn, 2, "eve pw 0 \"probe\" 4");
    assert_eq!(lines(&heard), ["0 You are banned from this server: spam"]);
}

/// The power goes after each job, and in the middle of each write: who was told "3" can log in for ever, with that
/// password only.
#[test]
fn whenever_it_dies_what_was_acknowledged_is_there() {
    let mut tore = 0;
    for jobs in 0..14 {
        for torn in [None, Some(0), Some(1), Some(40), Some(120)] {
            let mut rig = Rig::with(stored());
            rig.manual = true;
            let conns: Vec<_> = (0..3)
                .map(|i| {
                    let conn = rig.connect(&format!("10.0.0.{i}"));
                    rig.say(conn, 6, format!("user{i} secret{i} 0 \"probe\" 4 a@b"));
                    conn
                })
                .collect();
            for _ in 0..jobs {
                rig.work_one();
            }
            let write = rig.jobs.values().find(|job| matches!(job, p2p_core::Job::Write { .. })).cloned();
            if let (Some(bytes), Some(p2p_core::Job::Write { spans, data, .. })) = (torn, write) {
                tore += 1;
                let data: Vec<u8> = data.concat().into_iter().take(bytes).collect();
                let file = rig.files.entry(store_file()).or_default();
                let at = spans[0].offset as usize;
                file.resize(file.len().max(at + data.len()), 0);
                file[at..at + data.len()].copy_from_slice(&data);
            }
            let acknowledged: Vec<bool> =
                conns.iter().map(|conn| rig.hear(*conn).iter().any(|(kind, _)| *kind == 3)).collect();
            if jobs == 13 {
                assert_eq!(acknowledged, [true; 3], "so many jobs are enough");
            }
            let mut rig = reborn(rig);
            for (i, acknowledged) in acknowledged.into_iter().enumerate() {
                if acknowledged {
                    assert!(
                        can_log_in(&mut rig, &format!("user{i}"), &format!("secret{i}")),
                        "{jobs} {torn:?}"
                    );
                    assert!(!can_log_in(&mut rig, &format!("user{i}"), "another"), "{jobs} {torn:?}");
                }
            }
            // And what is stored from now on is read the next time, behind whatever was torn.
            rig.ask(register("later"));
            let mut rig = reborn(rig);
            assert!(can_log_in(&mut rig, "later", "pw"), "{jobs} {torn:?}");
        }
    }
    assert!(tore > 4, "{tore}");
}

#[test]
fn a_storm_of_registrations_is_written_in_groups() {
    let mut rig = Rig::with(stored());
    rig.manual = true;
    while rig.work_one() {}
    for i in 0..200 {
        let conn = rig.connect(&format!("10.0.{}.{}", i / 100, i % 100));
        rig.say(conn, 6, format!("user{i} secret 0 \"probe\" 4 a@b"));
    }
    let (mut writes, mut ran) = (0, 0);
    while let Some(job) = rig.jobs.values().next().cloned() {
        // The disk is ten times slower than the hashing.
        let is_disk = !matches!(job, p2p_core::Job::Derive { .. });
        if is_disk && ran % 10 != 0 && rig.jobs.len() > 1 {
            let (id, job) = rig.jobs.pop_first().unwrap();
            rig.work_one();
            rig.jobs.insert(id, job);
        } else {
            writes += usize::from(matches!(job, p2p_core::Job::Write { .. }));
            rig.work_one();
        }
        ran += 1;
    }
    assert_eq!(rig.server.counts().accounts, 200);
    assert!(writes < 60, "{writes}");
}

#[test]
fn what_cannot_be_stored_is_not_acknowledged_and_said_again_later() {
    let mut rig = Rig::with(stored());
    rig.disk_fails = true;
    let conn = rig.connect("10.0.0.1");
    let heard = rig.exchange(conn, 6, "alice secret 0 \"probe\" 4 a@b");
    assert_eq!(lines(&heard), ["0 Your nick could not be registered, try again later"]);
    assert!(!rig.is_open(conn));
    assert!(rig.news.contains(&ServerEvent::StoreFailed(IoError::NoSpace)));
    let who = Banned::parse(b"eve");
    let op = rig.ask(ServerCommand::Ban { who, reason: b""[..].into(), during: None });
    assert_eq!(rig.finished[&op], Err(ServerError::Store(IoError::NoSpace)));
    // The disk has room again: the ban, which holds since, is stored with the next change.
    rig.disk_fails = false;
    rig.ask(register("boss"));
    let mut rig = reborn(rig);
    assert_eq!(rig.news, [ServerEvent::Loaded { accounts: 1, bans: 1, torn: 0 }]);
    assert!(!can_log_in(&mut rig, "eve", "pw") && can_log_in(&mut rig, "boss", "pw"));
}

#[test]
fn nobody_logs_in_while_accounts_are_unknown() {
    let mut fresh = Rig::idle(Server::new(stored()), Default::default());
    fresh.manual = true;
    fresh.give(Input::Start);
    assert!(!can_log_in(&mut fresh, "alice", "pw"), "they are being read");
    let job: JobId = *fresh.jobs.keys().next().unwrap();
    fresh.give(Input::Job(job, JobDone::Read(Err(IoError::Device))));
    assert!(fresh.news.contains(&ServerEvent::StoreUnreadable(IoError::Device)));
    assert!(!can_log_in(&mut fresh, "alice", "pw"), "they cannot be read");
}

#[test]
fn what_is_past_is_thrown_away() {
    let mut rig = Rig::with(stored());
    rig.ask(register("boss"));
    let level = |i: u32| if i.is_multiple_of(2) { Level::User } else { Level::Admin };
    for i in 0..12_000 {
        rig.ask(ServerCommand::SetLevel(b"boss"[..].into(), level(i)));
        rig.finished.clear();
        rig.news.clear();
    }
    let len = rig.files[&store_file()].len();
    assert!(len < 1_200_000, "{len}");
    let mut rig = reborn(rig);
    assert_eq!(rig.news, [ServerEvent::Loaded { accounts: 1, bans: 0, torn: 0 }]);
    assert!(can_log_in(&mut rig, "boss", "pw"));
}

#[test]
fn a_stop_waits_for_the_disk() {
    let mut rig = Rig::with(stored());
    let user = rig.user("alice");
    rig.manual = true;
    rig.ask(ServerCommand::Ban { who: Banned::parse(b"eve"), reason: b""[..].into(), during: None });
    rig.give(Input::Stop);
    assert!(!rig.halted && !rig.is_open(user));
    while rig.work_one() {}
    assert!(rig.halted);
}
