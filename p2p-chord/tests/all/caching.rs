//! What many ask for is kept by nodes on the way, and nobody gets from them what has passed its time.

use crate::rings::{World, chord, drawn_up, owners};
use crate::storing::{get, put, told, value, wide};
use p2p_chord::record::{Kind, Record, SecretKey, Signed};
use p2p_chord::{Command, Error, Event, Get, Put};
use p2p_core::{Duration, Rng};
use p2p_sim::NodeIx;

/// A ring with base 2, so that ways are long.
fn ring(seed: u64) -> (World, Vec<NodeIx>) {
    let mut config = wide(8);
    config.base_bits = 1;
    drawn_up(seed, 200, &config)
}

/// Asks from all members that have it not; how often somebody on the way gave it, and which versions came.
fn ask_all(sim: &mut World, members: &[NodeIx], wanted: Get) -> (usize, Vec<Record>) {
    let (mut cached, mut came) = (0, Vec::new());
    for node in members {
        let op = sim.ask(*node, Command::Get(wanted));
        assert!(sim.finish(&[op], Duration::from_secs(60)));
        if let Event::Found { records, cached: from_cache, .. } = told(sim, *node, op) {
            cached += usize::from(*from_cache);
            came.extend(records.iter().cloned());
        }
    }
    (cached, came)
}

#[test]
fn a_hot_key_is_answered_on_the_way_and_no_longer_than_it_lives() {
    let (mut sim, members) = ring(1);
    let mut rng = Rng::fast_from(1);
    let record = value(&mut rng, 3_000);
    let wanted = Get::new(record.key(), Kind::Value);
    let began = sim.now();
    put(&mut sim, members[0], Put { ttl: Duration::from_secs(120), ..Put::new(record.clone()) }).unwrap();
    sim.run_for(Duration::from_secs(2));
    let (first, _) = ask_all(&mut sim, &members, wanted);
    let (second, came) = ask_all(&mut sim, &members, wanted);
    println!("{first} and {second} of {} gets were answered on the way", members.len());
    assert!(second > members.len() / 5, "{second}");
    assert!(came.iter().all(|came| *came == record) && came.len() == members.len());
    // The owner is asked less often, but by who insists.
    let (fresh, _) = ask_all(&mut sim, &members[..50], Get { fresh: true, ..wanted });
    assert_eq!(fresh, 0);
    // One second past its time nobody has it.
    let passed = sim.now().since(began);
    sim.run_for(Duration::from_secs(121).saturating_sub(passed));
    for node in members.iter().step_by(3) {
        assert_eq!(get(&mut sim, *node, wanted), Err(Error::Absent));
    }
}

#[test]
fn what_can_change_is_old_for_half_a_minute_at_most() {
    let (mut sim, members) = ring(2);
    let secret = SecretKey([4; 32]);
    let sign = |seq: u64| Record::Signed(Signed::sign(&secret, "", seq, format!("version {seq}")).unwrap());
    let wanted = Get::new(sign(1).key(), Kind::Signed);
    put(&mut sim, members[0], Put::new(sign(1))).unwrap();
    sim.run_for(Duration::from_secs(2));
    ask_all(&mut sim, &members, wanted);
    put(&mut sim, members[0], Put::new(sign(2))).unwrap();
    sim.run_for(Duration::from_secs(3));
    let (cached, came) = ask_all(&mut sim, &members[..60], wanted);
    let old = came.iter().filter(|came| **came == sign(1)).count();
    println!("{cached} of 60 were answered on the way, {old} with the old version");
    assert!(old > 0 && old <= cached);
    let (cached, came) = ask_all(&mut sim, &members[..60], Get { fresh: true, ..wanted });
    assert_eq!(cached, 0);
    assert!(came.iter().all(|came| *came == sign(2)));
    sim.run_for(Duration::from_secs(30));
    let (_, came) = ask_all(&mut sim, &members, wanted);
    assert!(came.iter().all(|came| *came == sign(2)), "nobody has the old one");
}

#[test]
fn caching_can_be_switched_off() {
    let mut config = wide(8);
    config.base_bits = 1;
    config.limits.cache_bytes = 0;
    let (mut sim, members) = drawn_up(3, 100, &config);
    let record = value(&mut Rng::fast_from(1), 300);
    put(&mut sim, members[0], Put::new(record.clone())).unwrap();
    sim.run_for(Duration::from_secs(2));
    for _ in 0..2 {
        let (cached, came) = ask_all(&mut sim, &members, Get::new(record.key(), Kind::Value));
        assert_eq!((cached, came.len()), (0, members.len()));
    }
    let others = owners(&sim, &members, record.key()).split_off(8);
    assert!(others.iter().all(|node| chord(&sim, *node).store().is_empty()));
}
