//! Archives: a ring of nodes that publish files under names and fetch them from each other.

use super::{content, file};
use p2p_chord::archive::{Command, Error, Event, Item, Obtain, What};
use p2p_chord::files::{self, Files};
use p2p_chord::{Archive, Chord, Command as Ask, Config, Event as Told};
use p2p_core::hash::{Hasher as _, Sha256};
use p2p_core::{Bytes, Duration, OpId};
use p2p_sim::storage::Content;
use p2p_sim::{Audit, Disk, NodeIx, Setup, Sim, Uniform};
use std::net::SocketAddr;

type World = Sim<Audit<Archive>>;

fn archive(at: Option<SocketAddr>) -> Audit<Archive> {
    let mut config = Config::default();
    config.listen = SocketAddr::from(([0, 0, 0, 0], 4000));
    config.advertised = at;
    let mut files = files::Config::default();
    files.listen = Some(SocketAddr::from(([0, 0, 0, 0], 80)));
    files.limits.chunk = 20_000;
    Audit::new(Archive::new(Chord::new(config), Files::new(files)))
}

fn join(to: &[SocketAddr]) -> Command {
    Command::Ring(Ask::Join(to.to_vec()))
}

fn ring(seed: u64, nodes: usize) -> (World, Vec<NodeIx>) {
    let mut sim: World = Sim::new(seed, Uniform::ms(5..30));
    let first = SocketAddr::from(([10, 0, 0, 1], 4000));
    let mut members = Vec::new();
    for number in 0..nodes {
        let setup = Setup::new().disk(Disk::new(Content::Kept));
        let node = sim.add_with(setup, archive((number == 0).then_some(first)));
        let by = if number == 0 { join(&[]) } else { join(&[first]) };
        let op = sim.ask(node, by);
        assert!(sim.finish(&[op], Duration::from_secs(60)));
        members.push(node);
    }
    (sim, members)
}

fn publish(sim: &mut World, node: NodeIx, name: &str, content: &Bytes) {
    *sim.disk(node) = Disk::new(Content::Kept).with_file(file("mine"), content.clone());
    let op = sim.ask(node, Command::Publish(Item { name: name.into(), file: file("mine") }));
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    assert_eq!(sim.outcome(op), Some(&Ok(())));
}

fn obtain(sim: &mut World, node: NodeIx, what: What, sha256: Option<[u8; 32]>) -> OpId {
    let obtain = Obtain { what, sha256, to: file("got"), read: true };
    sim.ask(node, Command::Obtain(obtain))
}

fn chunks(sim: &mut World, node: NodeIx) -> Vec<u8> {
    let mut all = Vec::new();
    for told in sim.take_events(node) {
        if let Event::Files(files::Event::Chunk(chunk)) = told.event {
            assert_eq!(chunk.offset, all.len() as u64);
            all.extend_from_slice(&chunk.data);
        }
    }
    all
}

#[test]
fn what_one_publishes_others_fetch_by_name_and_by_content() {
    let (mut sim, members) = ring(1, 8);
    let content = content(500_000, 1);
    publish(&mut sim, members[1], "song", &content);
    let sha256 = Sha256::digest(&content).0;
    for (node, what) in [(5, What::Name("song".into())), (6, What::Content(sha256))] {
        let op = obtain(&mut sim, members[node], what, None);
        assert!(sim.finish(&[op], Duration::from_secs(60)));
        assert_eq!(sim.outcome(op), Some(&Ok(())));
        assert_eq!(sim.disk(members[node]).content(&file("got")), Some(content.clone()));
        assert_eq!(chunks(&mut sim, members[node]), content);
    }
    let op = obtain(&mut sim, members[7], What::Name("no such song".into()), None);
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    assert_eq!(sim.outcome(op), Some(&Err(Error::Ring(p2p_chord::Error::Absent))));
}

#[test]
fn a_name_is_what_most_have_and_a_digest_is_itself() {
    let (mut sim, members) = ring(2, 8);
    let (right, wrong) = (content(50_000, 2), content(50_000, 3));
    publish(&mut sim, members[1], "song", &right);
    publish(&mut sim, members[2], "song", &right);
    publish(&mut sim, members[3], "song", &wrong);
    let op = obtain(&mut sim, members[5], What::Name("song".into()), None);
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    assert_eq!(chunks(&mut sim, members[5]), right);
    let wanted = Some(Sha256::digest(&wrong).0);
    let op = obtain(&mut sim, members[6], What::Name("song".into()), wanted);
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    assert_eq!(chunks(&mut sim, members[6]), wrong);
}

#[test]
fn holders_that_go_are_looked_for_again() {
    let (mut sim, members) = ring(3, 8);
    let content = content(3_000_000, 4);
    publish(&mut sim, members[1], "song", &content);
    for node in &members {
        sim.set_bandwidth(*node, p2p_sim::Bandwidth { up: Some(300_000), down: None });
    }
    let op = obtain(&mut sim, members[5], What::Name("song".into()), None);
    sim.run_for(Duration::from_secs(4));
    assert!(sim.outcome(op).is_none());
    // The only holder dies; another one comes.
    sim.kill(members[1]);
    publish(&mut sim, members[2], "another name", &content);
    assert!(sim.finish(&[op], Duration::from_secs(120)));
    assert_eq!(sim.outcome(op), Some(&Ok(())));
    assert_eq!(chunks(&mut sim, members[5]), content);
}

#[test]
fn all_ends_when_it_is_stopped_or_cancelled() {
    for after in [1, 300, 1_000, 5_000] {
        let (mut sim, members) = ring(4, 5);
        let content = content(3_000_000, 5);
        publish(&mut sim, members[1], "song", &content);
        sim.set_bandwidth(members[1], p2p_sim::Bandwidth { up: Some(300_000), down: None });
        let fetch = obtain(&mut sim, members[2], What::Name("song".into()), None);
        let cancelled = obtain(&mut sim, members[3], What::Name("song".into()), None);
        let share = sim.ask(members[2], Command::Publish(Item { name: "x".into(), file: file("none") }));
        sim.run_for(Duration::from_millis(after));
        sim.cancel(cancelled);
        sim.stop(members[2]);
        sim.run_for(Duration::from_secs(20));
        assert!(!sim.is_alive(members[2]), "after {after} ms");
        for op in [fetch, cancelled, share] {
            assert!(sim.outcome(op).is_some(), "after {after} ms");
        }
    }
}

#[test]
fn walking_shows_the_ring() {
    let (mut sim, members) = ring(5, 30);
    sim.run_for(Duration::from_secs(120));
    sim.kill(members[7]);
    for node in [0, 20] {
        sim.take_events(members[node]);
        let op = sim.ask(members[node], Command::Ring(Ask::Walk { most: 1_000 }));
        assert!(sim.finish(&[op], Duration::from_secs(60)));
        let mut met = Vec::new();
        let mut end = None;
        for told in sim.take_events(members[node]) {
            match told.event {
                Event::Ring(Told::Met { peer, .. }) => met.push(peer),
                Event::Ring(Told::Walked { nodes, closed }) => end = Some((nodes, closed)),
                _ => {}
            }
        }
        assert_eq!(end, Some((29, true)), "{met:?}");
        let first = met[0].id();
        assert!(met.is_sorted_by_key(|peer| first.distance_to(peer.id())) && met.len() == 29);
    }
    // As far as was asked.
    let op = sim.ask(members[3], Command::Ring(Ask::Walk { most: 5 }));
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    let told = sim.take_events(members[3]).into_iter();
    let met = told.filter(|told| matches!(told.event, Event::Ring(Told::Met { .. }))).count();
    assert_eq!(met, 5);
}
