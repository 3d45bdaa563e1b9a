//! The store on the disk: nothing that was acknowledged is lost, whenever the machine dies.

use crate::rings::{World, at, chord, config, node};
use crate::storing::{get, put, value};
use p2p_chord::record::{Kind, Record};
use p2p_chord::{Command, Config, Error, Event, Get, Put};
use p2p_core::{Duration, FileId, OpId, RelPath, Rng, Root};
use p2p_sim::storage::{Content, DiskFaults};
use p2p_sim::{Disk, NodeIx, Setup, Sim, Uniform};

fn file() -> FileId {
    FileId::new(Root(0), RelPath::local(["records"]).unwrap())
}

/// Two nodes; the first one, with a disk, is responsible for about half of everything, and nobody has copies.
fn pair(seed: u64) -> (World, [NodeIx; 2], Config) {
    let mut sim: World = Sim::new(seed, Uniform::ms(1..5));
    let mut config = config(4);
    (config.replicas, config.quorum) = (1, 1);
    let mut storing = config.clone();
    storing.store = Some(file());
    let disk = Disk::new(Content::Kept).speed(Duration::from_millis(7), Some(1_000_000));
    let first = sim.add_with(Setup::new().disk(disk), node(&storing));
    storing.advertised = Some(at(&sim, first));
    sim.kill(first);
    sim.restart(first, node(&storing));
    let op = sim.ask(first, Command::Join(Vec::new()));
    assert!(sim.finish(&[op], Duration::from_secs(5)));
    let second = sim.add(node(&config));
    let op = sim.ask(second, Command::Join(vec![at(&sim, first)]));
    assert!(sim.finish(&[op], Duration::from_secs(5)));
    (sim, [first, second], storing)
}

/// Whether the file ends within an entry.
fn is_torn(content: &[u8]) -> bool {
    let mut rest = content;
    while !rest.is_empty() {
        let Some((len, _)) = rest.split_first_chunk::<4>() else { return true };
        let Some(next) = rest.get(12 + u32::from_le_bytes(*len) as usize..) else { return true };
        rest = next;
    }
    false
}

fn restart(sim: &mut World, [first, second]: [NodeIx; 2], storing: &Config) {
    sim.restart(first, node(storing));
    let op = sim.ask(first, Command::Join(vec![at(sim, second)]));
    assert!(sim.finish(&[op], Duration::from_secs(30)));
    assert_eq!(sim.outcome(op), Some(&Ok(())));
}

#[test]
fn whenever_it_is_killed_what_was_acknowledged_is_there() {
    let (mut tore, mut lost) = (0, 0);
    for seed in 1..=30 {
        println!("seed {seed}");
        let (mut sim, nodes, storing) = pair(seed);
        let [first, second] = nodes;
        let mut rng = Rng::fast_from(seed);
        let mut safe: Vec<Record> = Vec::new();
        // Three lives.
        for _ in 0..3 {
            let mut asked: Vec<(Record, OpId)> = Vec::new();
            for _ in 0..20 {
                let len = rng.index(900);
                let record = value(&mut rng, len);
                asked.push((record.clone(), sim.ask(second, Command::Put(Put::new(record)))));
                sim.run_for(Duration::from_millis(rng.below(8)));
            }
            sim.kill(first);
            tore += u32::from(sim.disk(first).content(&file()).is_some_and(|content| is_torn(&content)));
            for (record, op) in asked {
                if sim.outcome(op) == Some(&Ok(())) {
                    safe.push(record);
                } else {
                    lost += 1;
                    sim.cancel(op);
                }
            }
            restart(&mut sim, nodes, &storing);
            sim.run_for(Duration::from_secs(2));
            for record in &safe {
                let got = get(&mut sim, second, Get::new(record.key(), Kind::Value));
                assert_eq!(got.map(|(found, _)| found), Ok(vec![record.clone()]));
            }
        }
        assert!(safe.len() > 20, "{} were acknowledged", safe.len());
        let held = chord(&sim, first).store().len();
        assert!(held > 5, "the first node has {held} of them");
    }
    println!("{tore} files were torn, {lost} puts were under way");
    assert!(tore > 5 && lost > 50);
}

#[test]
fn the_file_is_written_anew_when_most_of_it_is_past() {
    let (mut sim, nodes, storing) = pair(1);
    let mut rng = Rng::fast_from(1);
    let record = std::iter::repeat_with(|| value(&mut rng, 60_000))
        .find(|record| chord(&sim, nodes[0]).owns(record.key()))
        .unwrap();
    let mut most = 0;
    // The same record for ever shorter and longer times: each longer one is noted, and no more than that.
    for round in 0..200 {
        let ttl = Duration::from_secs(1_000 + round);
        put(&mut sim, nodes[1], Put { ttl, ..Put::new(record.clone()) }).unwrap();
        most = most.max(sim.disk(nodes[0]).len(&file()).unwrap());
    }
    assert!(most < 90_000, "{most} bytes for one record that stays longer and longer");
    // Many records that are forgotten soon.
    for _ in 0..60 {
        let record = value(&mut rng, 60_000);
        put(&mut sim, nodes[1], Put { ttl: Duration::from_secs(5), ..Put::new(record) }).unwrap();
        sim.run_for(Duration::from_secs(1));
        most = most.max(sim.disk(nodes[0]).len(&file()).unwrap());
    }
    println!("{most} bytes at most");
    assert!(most < 3_000_000);
    sim.kill(nodes[0]);
    restart(&mut sim, nodes, &storing);
    assert!(get(&mut sim, nodes[1], Get::new(record.key(), Kind::Value)).is_ok());
}

/// A new file is written piece by piece, and whenever the node dies in between, the old one is there.
#[test]
fn whenever_it_is_killed_while_the_file_is_written_anew_nothing_is_lost() {
    let mut under_way = 0;
    for seed in 1..=5 {
        println!("seed {seed}");
        let (mut sim, nodes, storing) = pair(seed);
        let mut rng = Rng::fast_from(seed);
        let mut own = |sim: &World, len: usize| {
            std::iter::repeat_with(|| value(&mut rng, len))
                .find(|record| chord(sim, nodes[0]).owns(record.key()))
                .unwrap()
        };
        let safe: Vec<Record> = (0..20).map(|_| own(&sim, 60_000)).collect();
        for record in &safe {
            put(&mut sim, nodes[1], Put::new(record.clone())).unwrap();
        }
        let new = FileId::new(Root(0), RelPath::local(["records.new"]).unwrap());
        let is_being_written = |sim: &mut World| sim.disk(nodes[0]).len(&new).is_some_and(|len| len > 0);
        // What is forgotten at once, until most of the file is past.
        let mut asked = Vec::new();
        for _ in 0..200 {
            if is_being_written(&mut sim) {
                break;
            }
            let record = own(&sim, 60_000);
            asked.push(
                sim.ask(nodes[1], Command::Put(Put { ttl: Duration::from_secs(1), ..Put::new(record) })),
            );
            sim.run_for(Duration::from_millis(200));
        }
        assert!(is_being_written(&mut sim));
        sim.run_for(Duration::from_millis(450 * (seed - 1)));
        under_way += u32::from(is_being_written(&mut sim));
        asked.into_iter().for_each(|op| sim.cancel(op));
        sim.kill(nodes[0]);
        restart(&mut sim, nodes, &storing);
        sim.run_for(Duration::from_secs(2));
        for record in &safe {
            let got = get(&mut sim, nodes[1], Get::new(record.key(), Kind::Value));
            assert_eq!(got.map(|(found, _)| found), Ok(vec![record.clone()]));
        }
    }
    println!("{under_way} times the new file was being written");
    assert!((2..5).contains(&under_way), "before and after it is in place");
}

#[test]
fn a_full_disk_and_an_unreadable_file_are_told() {
    let (mut sim, nodes, storing) = pair(2);
    let mut rng = Rng::fast_from(1);
    let mut own = |sim: &World| {
        std::iter::repeat_with(|| value(&mut rng, 500))
            .find(|record| chord(sim, nodes[0]).owns(record.key()))
            .unwrap()
    };
    let first = own(&sim);
    put(&mut sim, nodes[1], Put::new(first.clone())).unwrap();
    sim.disk(nodes[0]).set_capacity(0);
    let second = own(&sim);
    let refused = put(&mut sim, nodes[1], Put::new(second));
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    assert!(sim.events(nodes[0]).iter().any(|told| matches!(told.event, Event::StoreFailed(_))));
    sim.disk(nodes[0]).set_capacity(u64::MAX);
    let third = own(&sim);
    put(&mut sim, nodes[1], Put::new(third.clone())).unwrap();
    sim.run_for(Duration::from_secs(1));
    sim.kill(nodes[0]);
    restart(&mut sim, nodes, &storing);
    assert!(get(&mut sim, nodes[1], Get::new(third.key(), Kind::Value)).is_ok());
    assert!(get(&mut sim, nodes[1], Get::new(first.key(), Kind::Value)).is_ok());
    // A device that cannot read: the node is a member all the same.
    sim.kill(nodes[0]);
    let faults = DiskFaults { read: 1.0, write: 0.0 };
    sim.set_faults(p2p_sim::Faults { disk: faults, ..p2p_sim::Faults::default() });
    restart(&mut sim, nodes, &storing);
    assert!(sim.events(nodes[0]).iter().any(|told| matches!(told.event, Event::StoreUnreadable(_))));
    let fourth = own(&sim);
    put(&mut sim, nodes[1], Put::new(fourth)).unwrap();
}

#[test]
fn who_stops_has_written_everything() {
    let (mut sim, nodes, storing) = pair(3);
    let mut rng = Rng::fast_from(1);
    let records: Vec<Record> = (0..30).map(|_| value(&mut rng, 400)).collect();
    for record in &records {
        put(&mut sim, nodes[1], Put::new(record.clone())).unwrap();
    }
    let had = chord(&sim, nodes[0]).store().len();
    sim.stop(nodes[0]);
    sim.run_for(Duration::from_secs(8));
    assert!(!sim.is_alive(nodes[0]));
    // It handed everything over as well.
    assert_eq!(chord(&sim, nodes[1]).store().len(), 30);
    restart(&mut sim, nodes, &storing);
    assert!(had > 5 && chord(&sim, nodes[0]).store().len() >= had);
}
