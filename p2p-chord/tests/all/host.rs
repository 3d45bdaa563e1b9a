//! Machines at several places of the ring.

use crate::rings::{PORT, config};
use crate::storing::value;
use p2p_chord::record::{Kind, Record};
use p2p_chord::store::Refusal;
use p2p_chord::{Command, Config, Error, Event, Get, Host, Peer, Provide, Put, RingId};
use p2p_core::{Duration, FileId, OpId, RelPath, Rng, Root};
use p2p_sim::storage::Content;
use p2p_sim::{Audit, Disk, NodeIx, Setup, Sim, Uniform};
use std::net::SocketAddr;

type World = Sim<Audit<Host>>;

fn host(sim: &World, node: NodeIx) -> &Host {
    sim.machine(node).inner()
}

fn at(sim: &World, node: NodeIx) -> SocketAddr {
    SocketAddr::new(sim.addr(node), PORT)
}

fn thrice() -> Config {
    let mut config = config(6);
    (config.replicas, config.quorum) = (3, 2);
    config
}

/// One more machine at so many places joins.
fn add(sim: &mut World, members: &[NodeIx], config: &Config, places: u8) -> NodeIx {
    let node = sim.add(Audit::new(Host::new(config, places)));
    let mut config = config.clone();
    config.advertised = Some(at(sim, node));
    sim.kill(node);
    sim.restart(node, Audit::new(Host::new(&config, places)));
    let by = members.first().map(|first| at(sim, *first));
    let op = sim.ask(node, Command::Join(by.into_iter().collect()));
    assert!(sim.finish(&[op], Duration::from_secs(300)));
    assert_eq!(sim.outcome(op), Some(&Ok(())), "{node:?} joins");
    node
}

fn run(sim: &mut World, node: NodeIx, command: Command) -> (OpId, Result<(), Error>) {
    let op = sim.ask(node, command);
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    (op, *sim.outcome(op).unwrap())
}

fn get(sim: &mut World, node: NodeIx, wanted: Get) -> Result<Vec<Record>, Error> {
    let (op, result) = run(sim, node, Command::Get(wanted));
    result.map(|()| {
        let told = sim.events(node).iter().find(|told| told.op == Some(op)).expect("an answer");
        let Event::Found { records, .. } = &told.event else { panic!("{told:?}") };
        records.clone()
    })
}

/// All places, in the order of the ring, are right.
fn settle(sim: &mut World, members: &[NodeIx]) {
    for _ in 0..400 {
        let mut places: Vec<(Peer, Vec<Peer>, Option<Peer>)> = Vec::new();
        for node in members {
            for place in host(sim, *node).places() {
                assert_eq!(place.check(), Ok(()));
                places.push((place.peer().unwrap(), place.successors().collect(), place.predecessor()));
            }
        }
        places.sort_by_key(|(peer, ..)| peer.id());
        let around = |step: usize| places[step % places.len()].0;
        let is_right = (0..places.len()).all(|at| {
            let (_, list, before) = &places[at];
            list.iter().take(6).enumerate().all(|(step, peer)| *peer == around(at + 1 + step))
                && *before == Some(around(at + places.len() - 1))
        });
        if is_right {
            return;
        }
        sim.run_for(Duration::from_secs(1));
    }
    panic!("the ring is not right");
}

#[test]
fn machines_at_several_places_come_and_go_and_nothing_is_lost() {
    for seed in 1..=2 {
        println!("seed {seed}");
        let config = thrice();
        let mut sim: World = Sim::new(seed, Uniform::ms(10..60));
        let mut members = Vec::new();
        // As much as each can do.
        for places in [1, 5, 2, 8, 3, 5, 1, 4] {
            let new = add(&mut sim, &members, &config, places);
            members.push(new);
        }
        settle(&mut sim, &members);
        let ports: Vec<u16> = host(&sim, members[3]).peers().map(|peer| peer.addr().port()).collect();
        assert_eq!(ports, (PORT..PORT + 8).collect::<Vec<u16>>());
        let mut rng = Rng::fast_from(seed);
        // Some by datagram, some by stream.
        let records: Vec<Record> = (0..40).map(|at| value(&mut rng, 60 * at)).collect();
        for record in &records {
            let node = *rng.choose(&members).unwrap();
            let (_, result) = run(&mut sim, node, Command::Put(Put::new(record.clone())));
            assert_eq!(result, Ok(()));
        }
        let found = |sim: &mut World, members: &[NodeIx], rng: &mut Rng| {
            for record in &records {
                let node = *rng.choose(members).unwrap();
                let wanted = Get::new(record.key(), Kind::Value);
                assert_eq!(get(sim, node, wanted), Ok(vec![record.clone()]));
            }
        };
        found(&mut sim, &members, &mut rng);
        for places in [6, 1, 3] {
            let new = add(&mut sim, &members, &config, places);
            members.push(new);
            found(&mut sim, &members, &mut rng);
        }
        // Who leaves does so at all places.
        let leaver = members.swap_remove(4);
        assert_eq!(run(&mut sim, leaver, Command::Leave).1, Ok(()));
        assert!(host(&sim, leaver).places().all(|place| !place.is_member()));
        settle(&mut sim, &members);
        sim.run_for(Duration::from_secs(400));
        found(&mut sim, &members, &mut rng);
        // One that stops ends once all places are done.
        let stopped = members.swap_remove(1);
        sim.stop(stopped);
        sim.run_for(Duration::from_secs(30));
        assert!(!sim.is_alive(stopped));
        found(&mut sim, &members, &mut rng);
        // Two places are gone at once, and two of three copies with them at worst.
        let dead = members.swap_remove(2);
        sim.kill(dead);
        settle(&mut sim, &members);
        found(&mut sim, &members, &mut rng);
        assert!(members.iter().all(|node| Audit::violations(sim.machine(*node)).is_empty()));
    }
}

#[test]
fn operations_go_to_the_place_that_is_nearest() {
    let config = thrice();
    let mut sim: World = Sim::new(5, Uniform::ms(10..60));
    let mut members = Vec::new();
    for _ in 0..5 {
        let new = add(&mut sim, &members, &config, 8);
        members.push(new);
    }
    settle(&mut sim, &members);
    let mut rng = Rng::fast_from(5);
    let (node, peers) = (members[2], host(&sim, members[2]).peers().collect::<Vec<_>>());
    for peer in peers {
        // Itself is responsible for the place: no question is needed.
        let (op, result) = run(&mut sim, node, Command::Lookup(peer.id()));
        assert_eq!(result, Ok(()));
        let told = sim.events(node).iter().find(|told| told.op == Some(op)).unwrap();
        let Event::Owners { owners, .. } = &told.event else { panic!("{told:?}") };
        assert_eq!(owners[0], peer);
    }
    // What is put again and again by one place is withdrawn from that one.
    for _ in 0..8 {
        let key = RingId::random(&mut rng);
        let provide = Provide { key, port: 80, sha256: [1; 32], size: 1 };
        assert_eq!(run(&mut sim, node, Command::Provide(provide)).1, Ok(()));
        assert_eq!(get(&mut sim, members[0], Get::new(key, Kind::Provider)).unwrap().len(), 1);
        assert_eq!(run(&mut sim, node, Command::Withdraw(key, Kind::Provider)).1, Ok(()));
        assert_eq!(run(&mut sim, node, Command::Withdraw(key, Kind::Provider)).1, Err(Error::Absent));
    }
    assert_eq!(run(&mut sim, node, Command::Join(Vec::new())).1, Err(Error::Joined));
}

/// However many places a machine has, it stores what it may store once, and of each publisher likewise.
#[test]
fn places_share_their_limits() {
    let mut config = thrice();
    (config.replicas, config.quorum) = (1, 1);
    (config.limits.publisher_records, config.limits.records) = (30, 50);
    let mut sim: World = Sim::new(6, Uniform::ms(1..5));
    let first = add(&mut sim, &[], &config, 10);
    let guests: Vec<NodeIx> = (0..4)
        .map(|_| {
            let mut config = config.clone();
            config.routes = false;
            let guest = sim.add(Audit::new(Host::new(&config, 1)));
            let op = sim.ask(guest, Command::Join(vec![at(&sim, first)]));
            assert!(sim.finish(&[op], Duration::from_secs(60)));
            assert_eq!(sim.outcome(op), Some(&Ok(())));
            guest
        })
        .collect();
    let mut rng = Rng::fast_from(6);
    let (mut stored, mut quota) = (0, 0);
    for _ in 0..60 {
        match run(&mut sim, guests[0], Command::Put(Put::new(value(&mut rng, 100)))).1 {
            Ok(()) => stored += 1,
            Err(Error::Refused(Refusal::Quota)) => quota += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((stored, quota), (30, 30));
    assert_eq!(host(&sim, first).stored().0, 30);
    let used = host(&sim, first).places().filter(|place| !place.store().is_empty()).count();
    assert!(used > 3, "at {used} places");
}

#[test]
fn each_place_has_a_file_of_its_own() {
    let mut sim: World = Sim::new(7, Uniform::ms(1..5));
    let mut config = thrice();
    (config.replicas, config.quorum) = (1, 1);
    config.store = Some(FileId::new(Root(0), RelPath::local(["kept", "records"]).unwrap()));
    let node = sim.add_with(Setup::new().disk(Disk::new(Content::Kept)), Audit::new(Host::new(&config, 4)));
    config.advertised = Some(at(&sim, node));
    let mut rng = Rng::fast_from(7);
    let records: Vec<Record> = (0..30).map(|_| value(&mut rng, 300)).collect();
    for life in 0..3 {
        sim.kill(node);
        sim.restart(node, Audit::new(Host::new(&config, 4)));
        assert_eq!(run(&mut sim, node, Command::Join(Vec::new())).1, Ok(()));
        sim.run_for(Duration::from_secs(2));
        for record in &records {
            if life == 0 {
                assert_eq!(run(&mut sim, node, Command::Put(Put::new(record.clone()))).1, Ok(()));
            }
            let wanted = Get::new(record.key(), Kind::Value);
            assert_eq!(get(&mut sim, node, wanted), Ok(vec![record.clone()]));
        }
    }
    let file = |number: &str| FileId::new(Root(0), RelPath::local(["kept", number]).unwrap());
    let is_there = |number: &&'static str| sim.disk(node).len(&file(number)).is_some();
    assert_eq!(["records", "records-1", "records-2", "records-3"].into_iter().filter(is_there).count(), 4);
}
