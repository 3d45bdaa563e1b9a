//! One file of several holders, each of whom gives a range: faster, never other bytes, and nothing is lost by a crash.

use super::crowd::{Crowd, Manners};
use super::rig::{Rig, config, down, noise, part};
use p2p_core::{Duration, Rng};
use p2p_napster::client::{Config, Error, Event, SourceError};
use std::collections::BTreeMap;

const SIZE: usize = 300_000;

/// Ranges of a size that a test can play with.
fn small() -> Config {
    let mut config = config();
    config.limits.range_min = 20_000;
    config
}

fn honest() -> Manners {
    Manners::default()
}

/// Runs a download of a crowd to its end; it must be saved, and be this.
fn saved(crowd: &mut Crowd, file: &[u8]) -> usize {
    let mut rig = Rig::online(small());
    let op = rig.download(crowd.wanted());
    let steps = crowd.run(&mut rig, &mut Rng::fast_from(1), op);
    assert_eq!(rig.finished[&op], Ok(()));
    assert!(rig.saved().unwrap().1 == file, "the bytes differ");
    assert_eq!(rig.disk.len(), 1, "nothing else is left: {:?}", rig.disk.keys());
    rig.check_folder();
    steps
}

#[test]
fn several_holders_give_one_file() {
    let file = noise(SIZE, 1);
    let mut one = Crowd::new(1_000).with(&file, honest());
    let alone = saved(&mut one, &file);
    let mut four = (0..4).fold(Crowd::new(1_000), |crowd, _| crowd.with(&file, honest()));
    let together = saved(&mut four, &file);
    assert!(together * 2 < alone, "{together} steps of four holders, {alone} of one");
    let gave: usize = four.holders.iter().map(|holder| holder.gave).sum();
    // Overlaps, and what was on its way as a range ended.
    assert!(gave < SIZE + 60_000, "{gave} bytes for {SIZE}");
    for holder in &four.holders {
        assert!(holder.gave > SIZE / 20, "{} gave {}", holder.nick, holder.gave);
    }
}

#[test]
fn no_more_holders_at_once_than_the_limit() {
    let file = noise(SIZE, 2);
    let mut crowd = (0..6).fold(Crowd::new(500), |crowd, _| crowd.with(&file, honest()));
    let mut config = small();
    config.limits.ranges = 3;
    let mut rig = Rig::online(config);
    let op = rig.download(crowd.wanted());
    let mut rng = Rng::fast_from(2);
    while !rig.finished.contains_key(&op) {
        crowd.step(&mut rig, &mut rng);
        assert!(rig.client.inner().load().streams <= 3);
    }
    assert_eq!(rig.finished[&op], Ok(()));
}

#[test]
fn who_ignores_the_offset_gives_no_range() {
    let file = noise(SIZE, 3);
    let teknap = Manners { ignores_offset: true, ..honest() };
    let mut crowd = Crowd::new(1_000).with(&file, honest()).with(&file, teknap);
    saved(&mut crowd, &file);
    assert_eq!(crowd.holders[1].asked.len(), 1, "it is asked for a range once");
    assert!(crowd.holders[1].gave < 5_000, "and not listened to for long: {}", crowd.holders[1].gave);
    // The first holder ignores it, and the others give ranges all the same.
    let mut crowd = Crowd::new(1_000).with(&file, teknap).with(&file, honest());
    saved(&mut crowd, &file);
    assert!(crowd.holders[1].gave > SIZE / 4);
    // All of them do.
    let mut crowd = Crowd::new(1_000).with(&file, teknap).with(&file, teknap);
    saved(&mut crowd, &file);
}

#[test]
fn ranges_of_other_bytes_are_thrown_away() {
    let (file, other) = (noise(SIZE, 4), noise(SIZE, 5));
    let mut crowd = Crowd::new(1_000).with(&file, honest()).with(&other, honest());
    saved(&mut crowd, &file);
    assert_eq!(crowd.holders[1].asked.len(), 1, "it is not asked again");
    // Two against one: whoever gives the beginning counts, and the file is one of the two and no mixture.
    let mut crowd = Crowd::new(1_000).with(&other, honest()).with(&file, honest()).with(&file, honest());
    saved(&mut crowd, &other);
    // It differs only where the ranges meet, or only behind it.
    let mut rng = Rng::fast_from(6);
    for _ in 0..20 {
        let mut other = file.clone();
        other[rng.index(SIZE)] ^= 1;
        let mut crowd = Crowd::new(3_000).with(&file, honest()).with(&other, honest());
        let mut rig = Rig::online(small());
        let op = rig.download(crowd.wanted());
        crowd.run(&mut rig, &mut rng, op);
        assert_eq!(rig.finished[&op], Ok(()));
        let got = rig.saved().unwrap().1;
        // A byte that differs outside of every overlap cannot be found out: no digest covers it.
        assert!(got == file || got == other);
    }
}

#[test]
fn a_holder_that_dies_is_replaced() {
    let file = noise(SIZE, 7);
    let dies = Manners { stops_after: Some(40_000), resets: true, ..honest() };
    let mut crowd = Crowd::new(1_000).with(&file, dies).with(&file, dies).with(&file, honest());
    saved(&mut crowd, &file);
    // giFT loses the last block, whichever range it gives; the end is got of the other.
    let gift = Manners { loses: 2_048, ..honest() };
    let mut crowd = Crowd::new(1_000).with(&file, gift).with(&file, gift).with(&file, honest());
    saved(&mut crowd, &file);
    // Holders that cannot be dialled bring ranges, too.
    let pushes = Manners { firewalled: true, ..honest() };
    let mut crowd = Crowd::new(1_000).with(&file, honest()).with(&file, pushes);
    saved(&mut crowd, &file);
    assert!(crowd.holders[1].gave > SIZE / 4, "{}", crowd.holders[1].gave);
    // One that counts what is left, one that queues first, one that refuses, one that says nothing.
    let mut crowd = Crowd::new(1_000)
        .with(&file, Manners { counts_rest: true, ..honest() })
        .with(&file, Manners { queue: 2, ..honest() })
        .with(&file, Manners { refuses: true, ..honest() })
        .with(&file, Manners { silent: true, ..honest() });
    saved(&mut crowd, &file);
}

#[test]
fn a_small_file_is_of_one_holder() {
    let file = noise(39_000, 8);
    let mut crowd = Crowd::new(1_000).with(&file, honest()).with(&file, honest());
    saved(&mut crowd, &file);
    assert!(crowd.holders[1].asked.is_empty());
}

/// A holder of random manners.
fn drawn(rng: &mut Rng) -> Manners {
    Manners {
        ignores_offset: rng.chance(0.3),
        counts_rest: rng.chance(0.2),
        stops_after: rng.chance(0.3).then(|| 5_000 + rng.index(100_000)),
        loses: if rng.chance(0.2) { rng.index(3_000) } else { 0 },
        resets: rng.chance(0.3),
        queue: if rng.chance(0.3) { 2 } else { 0 },
        refuses: rng.chance(0.1),
        firewalled: rng.chance(0.2),
        silent: rng.chance(0.1),
    }
}

/// Whatever the holders do, the file is right or there is an error; and a client that is killed at any moment goes on
/// with what its disk has.
#[test]
fn killed_at_any_moment_it_goes_on() {
    let (mut all_kills, mut with_ranges) = (0, 0);
    for seed in 0..60 {
        eprintln!("seed {seed}");
        let mut rng = Rng::fast_from(seed);
        let file = noise(50_000 + rng.index(400_000), seed);
        let mut crowd = Crowd::new(500 + rng.index(3_000)).with(&file, drawn(&mut rng));
        for _ in 0..rng.index(4) {
            crowd = crowd.with(&file, drawn(&mut rng));
        }
        // One is always of use at last.
        crowd = crowd.with(&file, honest());
        let mut disk = BTreeMap::new();
        let (mut kills, mut here) = (0, 0);
        loop {
            let mut rig = Rig::with(small(), disk);
            crowd.part();
            rig.log_in();
            let op = rig.download(crowd.wanted());
            let lives = if kills < 4 { rng.index(200) } else { 100_000 };
            for _ in 0..lives {
                if rig.finished.contains_key(&op) {
                    break;
                }
                crowd.step(&mut rig, &mut rng);
                // Nothing that was on the disk is lost, but what of an overlap is there twice and what ranges of
                // less than an overlap had.
                let now = rig.kept();
                assert!(now + 20_000 >= here, "seed {seed}: {now} bytes after {here}");
                here = here.max(now).min(file.len());
            }
            match rig.finished.get(&op) {
                Some(Ok(())) => {
                    assert!(rig.saved().unwrap().1 == file, "seed {seed}: the bytes differ");
                    assert_eq!(rig.disk.len(), 1, "seed {seed}: {:?}", rig.disk.keys());
                    rig.check_folder();
                    break;
                }
                Some(Err(why)) => panic!("seed {seed}: {why}: {:?}", crowd.holders),
                None => {
                    assert!(kills < 4, "seed {seed}: not done: {:?}", rig.client.inner());
                    kills += 1;
                    all_kills += 1;
                    with_ranges += usize::from(rig.disk.len() > 2);
                    disk = rig.disk;
                }
            }
        }
    }
    assert!(all_kills > 60 && with_ranges > 20, "{all_kills} kills, {with_ranges} of them with ranges");
}

#[test]
fn a_cancelled_download_keeps_its_ranges() {
    let file = noise(SIZE, 9);
    let mut crowd = Crowd::new(1_000).with(&file, honest()).with(&file, honest());
    let mut rig = Rig::online(small());
    let op = rig.download(crowd.wanted());
    let mut rng = Rng::fast_from(9);
    for _ in 0..100 {
        crowd.step(&mut rig, &mut rng);
    }
    rig.give(p2p_core::Input::Op(op, p2p_core::OpInput::Cancel));
    assert_eq!(rig.finished[&op], Err(Error::Cancelled));
    let kept = rig.kept();
    let gave: usize = crowd.holders.iter().map(|holder| holder.gave).sum();
    assert_eq!((kept, rig.disk.len()), (gave, 4), "every byte that came is on the disk");
    assert_eq!(rig.client.inner().load().downloads, 0);
    let again = rig.download(crowd.wanted());
    crowd.run(&mut rig, &mut rng, again);
    assert_eq!(rig.finished[&again], Ok(()));
    assert!(rig.saved().unwrap().1 == file);
    let total: usize = crowd.holders.iter().map(|holder| holder.gave).sum();
    assert!(total < SIZE + 30_000, "{total}: what was here was not fetched again");
}

#[test]
fn progress_counts_ranges_and_says_who_failed() {
    let file = noise(SIZE, 10);
    let mut crowd = Crowd::new(2_000)
        .with(&file, honest())
        .with(&file, Manners { refuses: true, ..honest() })
        .with(&file, honest());
    let mut rig = Rig::online(small());
    let op = rig.download(crowd.wanted());
    crowd.run(&mut rig, &mut Rng::fast_from(3), op);
    let mut most = 0;
    let mut refused = Vec::new();
    for event in rig.take_events() {
        if let Event::Progress(progress) = event {
            assert!(progress.have <= SIZE as u64 + 3 * 1_024, "{}", progress.have);
            most = most.max(progress.have);
            if let p2p_napster::client::State::Trying(SourceError::Refused) = progress.state {
                refused.push(progress.nick);
            }
        }
    }
    assert_eq!(most, SIZE as u64);
    assert_eq!(refused, ["holder1"]);
}

#[test]
fn a_broken_range_file_costs_only_itself() {
    let file = noise(SIZE, 11);
    // The cut of this size is 20,000: ranges at its multiples. One is longer than the file, one is of another file.
    // One has no mark, one says more than it has, and of the last more was written than is marked.
    let mut disk: BTreeMap<_, _> = [
        part("Band - Song.mp3.300000.part", &file[..30_000]),
        part("Band - Song.mp3.300000.280000.part", &noise(40_000, 1)),
        part("Band - Song.mp3.300000.100000.part", &noise(30_000, 2)),
        part("Band - Song.mp3.300000.140000.part", &file[140_000..150_000]),
        part("Band - Song.mp3.300000.160000.part", &file[160_000..170_000]),
        part("Band - Song.mp3.300000.200000.part", &file[200_000..260_000]),
    ]
    .into_iter()
    .flatten()
    .collect();
    disk.remove(&down("Band - Song.mp3.300000.140000.part.kept"));
    disk.insert(down("Band - Song.mp3.300000.160000.part.kept"), b"10001".to_vec());
    disk.get_mut(&down("Band - Song.mp3.300000.200000.part")).unwrap().extend([0; 5_000]);
    let mut crowd = Crowd::new(1_000).with(&file, honest());
    let mut rig = Rig::with(small(), disk);
    rig.log_in();
    let op = rig.download(crowd.wanted());
    crowd.run(&mut rig, &mut Rng::fast_from(1), op);
    assert_eq!(rig.finished[&op], Ok(()));
    assert!(rig.saved().unwrap().1 == file);
    assert_eq!(rig.disk.len(), 1, "{:?}", rig.disk.keys());
    let gave = crowd.holders[0].gave;
    assert!(gave < SIZE - 30_000 - 60_000 + 10_000, "{gave}");
    rig.pass(Duration::from_secs(1));
}
