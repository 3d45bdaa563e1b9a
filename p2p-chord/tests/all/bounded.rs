//! Bounded loads: nobody keeps much more than others, and everything is found.

use crate::copies::all_are_found;
use crate::rings::{World, chord, config, drawn_up, owners, settle};
use crate::storing::{get, put, value, wide};
use p2p_chord::record::{Kind, Record, SecretKey, Signed};
use p2p_chord::store::Refusal;
use p2p_chord::{Config, Error, Get, Put};
use p2p_core::{Duration, Rng};
use p2p_sim::NodeIx;

fn bounded(replicas: usize) -> Config {
    let mut config = wide(20);
    config.bounded = true;
    (config.replicas, config.quorum) = (replicas, replicas.div_ceil(2));
    config
}

fn fill(sim: &mut World, members: &[NodeIx], rng: &mut Rng, count: usize) -> Vec<Record> {
    let records: Vec<Record> = (0..count).map(|_| value(rng, 40)).collect();
    // They ask each other how laden they are.
    sim.run_for(Duration::from_secs(12));
    let mut again = 0;
    for record in &records {
        let (_, report) = put(sim, *rng.choose(members).unwrap(), Put::new(record.clone())).unwrap();
        again += usize::from(report.timeouts > 0);
    }
    assert!(again * 20 <= count, "{again} of {count} puts had to be repeated");
    records
}

/// The most that one has, by the mean.
fn most(loads: &[u32]) -> f64 {
    f64::from(*loads.iter().max().unwrap()) * loads.len() as f64 / f64::from(loads.iter().sum::<u32>())
}

#[test]
fn nobody_has_much_more_than_others() {
    let loads = |config: &Config| {
        let (mut sim, members) = drawn_up(1, 45, config);
        let mut rng = Rng::fast_from(1);
        let records = fill(&mut sim, &members, &mut rng, 700);
        all_are_found(&mut sim, &members, &mut rng, &records[..50]);
        members.iter().map(|node| chord(&sim, *node).load()).collect::<Vec<u32>>()
    };
    let mut as_usual = bounded(1);
    as_usual.bounded = false;
    let plain = loads(&as_usual);
    let even = loads(&bounded(1));
    println!("{:.2} times the mean, and {:.2} with bounded loads: {even:?}", most(&plain), most(&even));
    assert_eq!(plain.iter().sum::<u32>(), 700);
    assert!((700..715).contains(&even.iter().sum::<u32>()));
    assert!(most(&even) <= 1.25 && most(&plain) > 2.0);
}

#[test]
fn copies_are_spread_and_found_after_half_of_who_has_them_died() {
    for seed in [1] {
        println!("seed {seed}");
        let config = bounded(4);
        let (mut sim, mut members) = drawn_up(seed, 45, &config);
        let mut rng = Rng::fast_from(seed);
        let records = fill(&mut sim, &members, &mut rng, 60);
        let loads: Vec<u32> = members.iter().map(|node| chord(&sim, *node).load()).collect();
        assert!((240..248).contains(&loads.iter().sum::<u32>()));
        all_are_found(&mut sim, &members, &mut rng, &records);
        // One after the other, with time in between to find somebody else.
        for _ in 0..14 {
            let dead = members.swap_remove(rng.index(members.len()));
            sim.kill(dead);
            sim.run_for(Duration::from_secs(90));
        }
        settle(&mut sim, &members, 20, 300);
        sim.run_for(Duration::from_secs(120));
        all_are_found(&mut sim, &members, &mut rng, &records);
        let loads: Vec<u32> = members.iter().map(|node| chord(&sim, *node).load()).collect();
        println!("{} copies of {} records: {loads:?}", loads.iter().sum::<u32>(), records.len());
        assert!(loads.iter().sum::<u32>() >= 4 * 60, "as many as before");
    }
}

#[test]
fn versions_replace_each_other_where_they_are() {
    let (mut sim, members) = drawn_up(3, 60, &bounded(3));
    let mut rng = Rng::fast_from(3);
    fill(&mut sim, &members, &mut rng, 100);
    let secret = SecretKey([9; 32]);
    let sign = |seq: u64, text: &'static str| Record::Signed(Signed::sign(&secret, "", seq, text).unwrap());
    let key = sign(1, "").key();
    let newest = |sim: &mut World, node: NodeIx, record: &Record| {
        let (found, _) = get(sim, node, Get::new(key, Kind::Signed)).unwrap();
        assert_eq!(found, core::slice::from_ref(record));
        let (found, _) = get(sim, node, Get { quorum: 2, ..Get::new(key, Kind::Signed) }).unwrap();
        assert_eq!(found, core::slice::from_ref(record));
    };
    put(&mut sim, members[0], Put::new(sign(5, "five"))).unwrap();
    newest(&mut sim, members[9], &sign(5, "five"));
    let refused = |has| Err(Error::Refused(Refusal::Older { has }));
    assert_eq!(put(&mut sim, members[1], Put::new(sign(4, "four"))), refused(5), "older");
    assert_eq!(put(&mut sim, members[1], Put::new(sign(5, "other"))), refused(5), "the same number");
    let swap = |seq, text, swap| Put { swap: Some(swap), ..Put::new(sign(seq, text)) };
    let has = Some(5);
    let swapped = Err(Error::Refused(Refusal::Swap { has }));
    assert_eq!(put(&mut sim, members[9], swap(7, "seven", 4)), swapped);
    put(&mut sim, members[9], swap(7, "seven", 5)).unwrap();
    newest(&mut sim, members[20], &sign(7, "seven"));
    // The owner is gone: whoever is behind it has the pointer.
    let owner = owners(&sim, &members, key)[0];
    sim.kill(owner);
    let asker = *members.iter().find(|node| **node != owner).unwrap();
    newest(&mut sim, asker, &sign(7, "seven"));
}

#[test]
fn small_rings_keep_what_they_can() {
    let mut config = config(6);
    config.bounded = true;
    (config.replicas, config.quorum) = (3, 2);
    let (mut sim, members) = crate::rings::joined(4, 2, &config);
    let mut rng = Rng::fast_from(4);
    let records = fill(&mut sim, &members, &mut rng, 20);
    all_are_found(&mut sim, &members, &mut rng, &records);
    assert!(members.iter().all(|node| chord(&sim, *node).load() == 20));
}
