//! Disks that fill up, fail, or lose what was written last; resume data that lies.

use super::scene::{LEN, PIECE, Scene, config};
use p2p_bittorrent::picker::Mode;
use p2p_bittorrent::{Command, Error, Event, Progress, Torrent};
use p2p_core::{Bytes, Duration, FileId, IoError, OpId, RelPath, Root};
use p2p_sim::either::EitherError;
use p2p_sim::storage::DiskFaults;
use p2p_sim::{Either, Faults};

/// A scene in which nobody attacks.
fn peaceful() -> Scene {
    Scene::with(config(), |_, _| {})
}

fn fetch(scene: &mut Scene) -> OpId {
    // In order: a simulated disk takes room for what lies before a piece, too.
    let mut torrent = Torrent::new(scene.metainfo.clone()).with_peers([scene.at(scene.seed)]);
    torrent.order = Mode::Sequential;
    scene.ask(scene.victim, Command::Download(Box::new(torrent)))
}

fn is_whole(scene: &mut Scene) -> bool {
    scene.sim.disk(scene.victim).content(&scene.file).as_ref() == Some(&scene.content)
}

/// That every piece that counts as had is the torrent's on the disk.
fn had_is_true(scene: &mut Scene) {
    let hash = scene.metainfo.info.info_hash();
    let op = scene.ask(scene.victim, Command::Status(hash));
    let have = scene.sim.events(scene.victim).iter().rev().find_map(|told| match &told.event {
        Either::Left(Event::Status(status)) if told.op == Some(op) => Some(status.have.clone()),
        _ => None,
    });
    let (have, disk) = (have.unwrap(), scene.sim.disk(scene.victim).content(&scene.file));
    let disk = disk.unwrap_or_default();
    for piece in have.ones() {
        let at = (piece * PIECE) as usize..((piece + 1) * PIECE).min(LEN as u32) as usize;
        assert!(disk.get(at.clone()) == Some(&scene.content[at]), "piece {piece} is had");
    }
}

fn failure(scene: &Scene, op: OpId) -> IoError {
    match scene.sim.outcome(op) {
        Some(Err(EitherError::Of(Either::Left(Error::Disk { why, .. })))) => *why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_disk_that_is_full_again_and_again_costs_time_and_no_byte() {
    let mut scene = peaceful();
    let mut room = 100_000;
    scene.sim.disk(scene.victim).set_capacity(room);
    let mut verified = 0;
    for round in 0.. {
        let op = fetch(&mut scene);
        assert!(scene.sim.finish(&[op], Duration::from_secs(600)), "round {round} ends");
        had_is_true(&mut scene);
        if matches!(scene.sim.outcome(op), Some(Ok(()))) {
            break;
        }
        assert_eq!(failure(&scene, op), IoError::NoSpace);
        let now = scene.progress(scene.victim).verified;
        assert!(now >= verified, "what was verified stays: {verified}, then {now}");
        verified = now;
        let load = scene.client(scene.victim).load();
        scene.sim.run_for(Duration::from_secs(5));
        assert_eq!((load.held, load.peers), (0, 0), "nothing waits for a disk that is full");
        room += 250_000;
        scene.sim.disk(scene.victim).set_capacity(room);
    }
    assert!(is_whole(&mut scene));
    // What the disk holds is what was verified, not zeros in places.
    let op = scene.ask(scene.victim, Command::Verify(Box::new(Torrent::new(scene.metainfo.clone()))));
    assert!(scene.sim.finish(&[op], Duration::from_secs(60)));
    assert!(matches!(scene.sim.outcome(op), Some(Ok(()))));
}

#[test]
fn a_restart_after_a_full_disk_finds_what_was_verified() {
    let mut scene = peaceful();
    scene.sim.disk(scene.victim).set_capacity(700_000);
    let op = fetch(&mut scene);
    assert!(scene.sim.finish(&[op], Duration::from_secs(600)));
    assert_eq!(failure(&scene, op), IoError::NoSpace);
    let verified = scene.progress(scene.victim).verified;
    assert!(verified > 0);
    scene.sim.run_for(Duration::from_secs(5));
    scene.sim.stop(scene.victim);
    scene.sim.run_for(Duration::from_secs(15));
    scene.sim.disk(scene.victim).set_capacity(u64::MAX);
    scene.sim.restart(scene.victim, super::scene::client(config()));
    let op = fetch(&mut scene);
    scene.sim.run_for(Duration::from_millis(500));
    assert!(scene.progress(scene.victim).verified >= verified);
    assert!(scene.sim.finish(&[op], Duration::from_secs(600)));
    assert!(is_whole(&mut scene));
}

#[test]
fn reads_that_fail_stop_the_torrent_with_the_reason_and_it_goes_on() {
    let mut scene = peaceful();
    let op = fetch(&mut scene);
    assert!(scene.sim.finish(&[op], Duration::from_secs(600)));
    // The disk of who has everything breaks while it serves.
    let faults = |read| Faults { disk: DiskFaults { read, write: 0.0 }, ..Faults::default() };
    scene.sim.set_faults(faults(1.0));
    let at = scene.at(scene.victim);
    let torrent = Torrent::new(scene.metainfo.clone()).with_peers([at]);
    let other = scene.ask(scene.other, Command::Download(Box::new(torrent)));
    scene.sim.run_for(Duration::from_secs(60));
    let why = scene.events().find_map(|event| match event {
        Event::Stopped(_, Error::Disk { doing, why, .. }) => Some((*doing, *why)),
        _ => None,
    });
    assert_eq!(why, Some(("reading", IoError::Device)));
    assert_eq!(scene.progress(scene.victim).verified, LEN as u64, "nothing verified is lost");
    scene.sim.set_faults(Faults::default());
    let hash = scene.metainfo.info.info_hash();
    scene.ask(scene.victim, Command::Pause(hash, false));
    scene.ask(scene.other, Command::AddPeers(hash, vec![at]));
    assert!(scene.sim.finish(&[other], Duration::from_secs(600)));
    assert!(matches!(scene.sim.outcome(other), Some(Ok(()))));
}

#[test]
fn writes_and_reads_that_fail_now_and_then_never_make_a_wrong_byte_count() {
    for seed in 0..6 {
        let mut scene = peaceful();
        let share = 0.02 * f64::from(1 + seed);
        scene
            .sim
            .set_faults(Faults { disk: DiskFaults { read: share / 4.0, write: share }, ..Faults::default() });
        let hash = scene.metainfo.info.info_hash();
        let mut op = fetch(&mut scene);
        for _ in 0..200 {
            scene.sim.run_for(Duration::from_secs(3));
            had_is_true(&mut scene);
            if let Some(outcome) = scene.sim.outcome(op) {
                if outcome.is_ok() {
                    break;
                }
                op = fetch(&mut scene);
            }
            let (seed, at) = (scene.seed, scene.at(scene.seed));
            scene.ask(seed, Command::Pause(hash, false));
            scene.ask(scene.victim, Command::AddPeers(hash, vec![at]));
        }
        scene.sim.set_faults(Faults::default());
        let seed = scene.seed;
        scene.ask(seed, Command::Pause(hash, false));
        let op = fetch(&mut scene);
        assert!(scene.sim.finish(&[op], Duration::from_secs(600)), "{:?}", scene.progress(scene.victim));
        assert!(is_whole(&mut scene));
    }
}

#[test]
fn a_check_that_fails_forgets_nothing() {
    let mut scene = peaceful();
    let op = fetch(&mut scene);
    assert!(scene.sim.finish(&[op], Duration::from_secs(600)));
    scene.sim.run_for(Duration::from_secs(40));
    scene.sim.set_faults(Faults { disk: DiskFaults { read: 1.0, write: 0.0 }, ..Faults::default() });
    let hash = scene.metainfo.info.info_hash();
    scene.ask(scene.victim, Command::Recheck(hash));
    scene.sim.run_for(Duration::from_secs(40));
    assert!(scene.events().any(|event| matches!(event, Event::Stopped(_, Error::Disk { .. }))));
    scene.sim.set_faults(Faults::default());
    // What was written down before is still believed.
    scene.sim.stop(scene.victim);
    scene.sim.run_for(Duration::from_secs(15));
    scene.sim.restart(scene.victim, super::scene::client(config()));
    let op = scene.ask(scene.victim, Command::Seed(Box::new(Torrent::new(scene.metainfo.clone()))));
    assert!(scene.sim.finish(&[op], Duration::from_secs(60)));
    assert!(matches!(scene.sim.outcome(op), Some(Ok(()))));
    assert_eq!(checked(&scene), Some((20, 0)), "and nothing had to be digested");
}

fn checked(scene: &Scene) -> Option<(u32, u32)> {
    let told = scene.sim.events(scene.victim).iter().rev();
    told.filter_map(|told| told.event.left()).find_map(|event| match event {
        Event::Checked { have, digested, .. } => Some((*have, *digested)),
        _ => None,
    })
}

#[test]
fn a_crash_at_any_time_tears_writes_and_nothing_wrong_is_believed() {
    for crash in 1..12 {
        let mut config = config();
        config.save_after = Duration::from_secs(1);
        let mut scene = Scene::with(config.clone(), |_, _| {});
        fetch(&mut scene);
        scene.sim.run_for(Duration::from_millis(900 * crash));
        scene.sim.kill(scene.victim);
        scene.sim.restart(scene.victim, super::scene::client(config));
        let op = fetch(&mut scene);
        scene.sim.run_for(Duration::from_millis(300));
        had_is_true(&mut scene);
        assert!(scene.sim.finish(&[op], Duration::from_secs(600)));
        assert!(is_whole(&mut scene), "crash {crash}");
        assert!(scene.banned().is_empty(), "torn writes of ours are no lies of others");
        scene.honest_are_not_blamed();
    }
}

/// Where resume data is.
fn resume_file(scene: &Scene) -> FileId {
    let name = format!("{}.resume", scene.metainfo.info.info_hash());
    FileId::new(Root(0), RelPath::from_parts([".p2p-resume", name.as_str()]).unwrap())
}

/// Fetches, stops, puts other resume data in place, and starts again: the download must end whole.
fn with_resume(change: impl Fn(&[u8]) -> Vec<u8>) -> Progress {
    let mut scene = peaceful();
    fetch(&mut scene);
    scene.sim.run_for(Duration::from_secs(5));
    scene.sim.stop(scene.victim);
    scene.sim.run_for(Duration::from_secs(15));
    let file = resume_file(&scene);
    let before = scene.sim.disk(scene.victim).content(&file).expect("resume data is written");
    let after = Bytes::from(change(&before));
    let disk = scene.sim.disk(scene.victim).clone().with_file(file, after);
    *scene.sim.disk(scene.victim) = disk;
    scene.sim.restart(scene.victim, super::scene::client(config()));
    let op = fetch(&mut scene);
    scene.sim.run_for(Duration::from_millis(300));
    had_is_true(&mut scene);
    let progress = scene.progress(scene.victim);
    assert!(scene.sim.finish(&[op], Duration::from_secs(600)));
    assert!(is_whole(&mut scene));
    progress
}

#[test]
fn resume_data_that_is_garbage_or_cut_is_as_good_as_none() {
    let sound = with_resume(<[u8]>::to_vec);
    assert!(sound.verified > 0);
    for change in
        [|_: &[u8]| b"garbage".to_vec(), |data: &[u8]| data[..data.len() / 2].to_vec(), |_: &[u8]| Vec::new()]
    {
        // The pieces are digested instead.
        assert_eq!(with_resume(change).verified, sound.verified);
    }
}

#[test]
fn resume_data_leads_nowhere_else() {
    // It holds no names: whatever is put into it, the files are the torrent's.
    let evil = with_resume(|data| {
        let mut data = data.to_vec();
        let at = data.len() - 1;
        data.splice(at..at, b"5:zpath11:../../../ete".iter().copied());
        data
    });
    assert!(evil.verified > 0);
}
