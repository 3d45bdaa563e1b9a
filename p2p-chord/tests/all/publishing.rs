//! What is published is found, said again, and forgotten when nobody says it any more.

use crate::rings::{World, at, chord, drawn_up};
use crate::storing::{get, put, value, wide};
use p2p_chord::record::{Kind, Provider, Record};
use p2p_chord::{Command, Error, Get, Provide, Put, RingId};
use p2p_core::{Duration, Rng, UnixTime};
use p2p_sim::NodeIx;
use std::net::{IpAddr, SocketAddr};

fn now_held(sim: &World, members: &[NodeIx], key: RingId, kind: Kind) -> usize {
    // The simulation's civil time begins with 2026.
    let now = UnixTime::from_nanos(1_767_225_600_000_000_000 + sim.now().as_nanos());
    let has = |node: &&NodeIx| chord(sim, **node).store().find(key, kind, now).next().is_some();
    members.iter().filter(has).count()
}

#[test]
fn providers_are_found_republished_and_forgotten() {
    let mut config = wide(8);
    config.provide = Duration::from_secs(600);
    let (mut sim, members) = drawn_up(2, 64, &config);
    let key = Provider::place_of(&[9; 32]);
    let provide = |size| Command::Provide(Provide { key, port: 80, sha256: [9; 32], size });
    let ops: Vec<_> = members[..5].iter().map(|node| sim.ask(*node, provide(77))).collect();
    assert!(sim.finish(&ops, Duration::from_secs(20)));
    assert!(ops.iter().all(|op| sim.outcome(*op) == Some(&Ok(()))));
    let asked = Get::new(key, Kind::Provider);
    let addresses = |sim: &mut World| {
        let Ok((found, _)) = get(sim, members[30], asked) else { return Vec::new() };
        let mut found: Vec<IpAddr> = found
            .iter()
            .map(|record| match record {
                Record::Provider(provider) => SocketAddr::from(provider.at).ip(),
                other => panic!("{other:?}"),
            })
            .collect();
        found.sort();
        found
    };
    let mut expected: Vec<IpAddr> = members[..5].iter().map(|node| at(&sim, *node).ip()).collect();
    expected.sort();
    assert_eq!(addresses(&mut sim), expected);
    // They say so again every 5 minutes.
    sim.run_for(Duration::from_secs(3_000));
    assert_eq!(addresses(&mut sim), expected);
    // One crashes, one does not offer it any more: they are forgotten.
    sim.kill(members[0]);
    let op = sim.ask(members[1], Command::Withdraw(key, Kind::Provider));
    sim.run_for(Duration::from_secs(700));
    assert_eq!(sim.outcome(op), Some(&Ok(())));
    let mut expected: Vec<IpAddr> = members[2..5].iter().map(|node| at(&sim, *node).ip()).collect();
    expected.sort();
    assert_eq!(addresses(&mut sim), expected);
    assert!(now_held(&sim, &members[1..], key, Kind::Provider) >= 8);
}

#[test]
fn values_are_forgotten_when_their_time_is_over_unless_they_are_put_again() {
    let (mut sim, members) = drawn_up(3, 64, &wide(8));
    let mut rng = Rng::fast_from(1);
    let [once, again] = [value(&mut rng, 100), value(&mut rng, 100)];
    let ttl = Duration::from_secs(300);
    put(&mut sim, members[0], Put { ttl, ..Put::new(once.clone()) }).unwrap();
    put(&mut sim, members[0], Put { ttl, again: true, ..Put::new(again.clone()) }).unwrap();
    sim.run_for(Duration::from_secs(280));
    assert!(get(&mut sim, members[9], Get::new(once.key(), Kind::Value)).is_ok());
    sim.run_for(Duration::from_secs(30));
    assert_eq!(get(&mut sim, members[9], Get::new(once.key(), Kind::Value)), Err(Error::Absent));
    sim.run_for(Duration::from_secs(2_000));
    assert!(get(&mut sim, members[9], Get::new(again.key(), Kind::Value)).is_ok());
    let all: usize = members.iter().map(|node| chord(&sim, *node).store().len()).sum();
    assert!((8..=10).contains(&all), "{all} copies of one record");
}

#[test]
fn what_is_put_again_outlives_what_nodes_keep_at_most() {
    let mut config = wide(8);
    // Two days are long: the ring is looked after less often.
    config.stabilise = Duration::from_secs(600);
    (config.fix_finger, config.compare) = (config.stabilise, config.stabilise);
    let (mut sim, members) = drawn_up(3, 20, &config);
    let record = value(&mut Rng::fast_from(1), 100);
    let ttl = Duration::from_secs(90 * 86_400);
    put(&mut sim, members[0], Put { ttl, again: true, ..Put::new(record.clone()) }).unwrap();
    put(&mut sim, members[1], Put { ttl, ..Put::new(value(&mut Rng::fast_from(2), 100)) }).unwrap();
    sim.run_for(Duration::from_secs(2 * 86_400));
    assert!(get(&mut sim, members[9], Get::new(record.key(), Kind::Value)).is_ok());
    let kept: Vec<usize> = members.iter().map(|node| chord(&sim, *node).store().len()).collect();
    assert!(kept.iter().all(|records| *records <= 1), "what was put once is forgotten: {kept:?}");
}
