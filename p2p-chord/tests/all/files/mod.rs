//! Files from their holders: whole, from several at once, gone on with; and whoever cheats is named.

mod archive;
mod crook;
mod serving;

use crook::{Crook, Vice};
use p2p_chord::files::{Command, Config, Error, Event, Fault, Fetch, Files};
use p2p_core::hash::{Hasher as _, Sha256};
use p2p_core::{Bytes, Duration, FileId, OpId, RelPath, Rng, Root};
use p2p_sim::storage::Content;
use p2p_sim::{Audit, Bandwidth, Disk, Either, EitherError, NodeIx, Setup, Sim, Uniform};
use proptest::prelude::*;
use std::net::SocketAddr;

type World = Sim<Either<Audit<Files>, Crook>>;

fn file(name: &str) -> FileId {
    FileId::new(Root(0), RelPath::local([name]).unwrap())
}

fn content(len: usize, seed: u64) -> Bytes {
    let mut content = vec![0; len];
    Rng::fast_from(seed).fill(&mut content);
    content.into()
}

fn config() -> Config {
    let mut config = Config::default();
    config.listen = Some(SocketAddr::from(([0, 0, 0, 0], 80)));
    config.limits.chunk = 10_000;
    config
}

fn honest(sim: &mut World, content: &Bytes) -> NodeIx {
    let disk = Disk::new(Content::Kept).with_file(file("shared"), content.clone());
    let bandwidth = Bandwidth { up: Some(400_000), down: None };
    let setup = Setup::new().disk(disk).bandwidth(bandwidth);
    let node = sim.add_with(setup, Either::Left(Audit::new(Files::new(config()))));
    let op = sim.ask(node, Either::Left(Command::Share(file("shared"))));
    assert!(sim.finish(&[op], Duration::from_secs(5)));
    node
}

fn at(sim: &World, node: NodeIx) -> SocketAddr {
    SocketAddr::new(sim.addr(node), 80)
}

fn fetcher(sim: &mut World) -> NodeIx {
    let mut config = config();
    config.listen = None;
    let setup = Setup::new().disk(Disk::new(Content::Kept));
    sim.add_with(setup, Either::Left(Audit::new(Files::new(config))))
}

fn begin(sim: &mut World, node: NodeIx, content: &Bytes, holders: &[NodeIx]) -> OpId {
    let holders = holders.iter().map(|holder| at(sim, *holder)).collect();
    let sha256 = Sha256::digest(content).0;
    let fetch = Fetch { sha256, size: content.len() as u64, holders, to: file("got"), read: false };
    sim.ask(node, Either::Left(Command::Fetch(fetch)))
}

fn outcome(sim: &World, op: OpId) -> Result<(), Error> {
    match sim.outcome(op) {
        Some(Ok(())) => Ok(()),
        Some(Err(EitherError::Of(Either::Left(error)))) => Err(*error),
        other => panic!("{other:?}"),
    }
}

fn fetch(sim: &mut World, node: NodeIx, content: &Bytes, holders: &[NodeIx]) -> Result<(), Error> {
    let op = begin(sim, node, content, holders);
    assert!(sim.finish(&[op], Duration::from_secs(600)), "it does not end");
    outcome(sim, op)
}

fn dropped(sim: &mut World, node: NodeIx) -> Vec<(SocketAddr, Fault)> {
    let events = sim.take_events(node).into_iter();
    let dropped = events.filter_map(|told| match told.event {
        Either::Left(Event::Dropped { holder, why }) => Some((holder, why)),
        _ => None,
    });
    dropped.collect()
}

/// Nothing is left beside the file.
fn is_clean(sim: &mut World, node: NodeIx) -> bool {
    let files: Vec<FileId> = sim.disk(node).files().cloned().collect();
    files == [file("got")]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_file_comes_whole_from_any_number_of_holders(
        size in prop_oneof![Just(0usize), Just(1), Just(9_999), Just(10_000), Just(10_001), 0usize..400_000],
        holders in 1usize..6,
        seed in any::<u64>(),
    ) {
        let mut sim: World = Sim::new(seed, Uniform::ms(1..30));
        let content = content(size, seed);
        let holders: Vec<NodeIx> = (0..holders).map(|_| honest(&mut sim, &content)).collect();
        let node = fetcher(&mut sim);
        prop_assert_eq!(fetch(&mut sim, node, &content, &holders), Ok(()));
        prop_assert_eq!(sim.disk(node).content(&file("got")), Some(content.clone()));
        prop_assert!(is_clean(&mut sim, node));
        prop_assert_eq!(dropped(&mut sim, node), []);
        // Again: it is there already, so nobody is asked.
        let before = sim.bytes(node);
        prop_assert_eq!(fetch(&mut sim, node, &content, &holders), Ok(()));
        prop_assert_eq!(sim.bytes(node), before);
    }
}

#[test]
fn several_holders_are_faster_than_one() {
    let took = |count: usize| {
        let mut sim: World = Sim::new(1, Uniform::ms(1..30));
        let content = content(2_000_000, 1);
        let holders: Vec<NodeIx> = (0..count).map(|_| honest(&mut sim, &content)).collect();
        let node = fetcher(&mut sim);
        let began = sim.now();
        assert_eq!(fetch(&mut sim, node, &content, &holders), Ok(()));
        sim.now().since(began).as_secs_f64()
    };
    let (one, four) = (took(1), took(4));
    println!("2 MB from one holder at 400 kB/s: {one:.1} s, from four: {four:.1} s");
    assert!(one > 5.0 && four < one / 3.0);
}

#[test]
fn whoever_cheats_is_named_and_the_file_comes_from_the_others() {
    let content = content(200_000, 2);
    for (vice, fault) in [
        (Vice::Lies, Some(Fault::Content)),
        (Vice::Short, None),
        (Vice::Size, Some(Fault::Size)),
        (Vice::Loris, Some(Fault::Slow)),
        (Vice::Mute, Some(Fault::Slow)),
        (Vice::Busy, None),
        (Vice::Lacks, Some(Fault::Lacks)),
        (Vice::Junk, Some(Fault::Malformed)),
        (Vice::Endless, Some(Fault::Malformed)),
        (Vice::Other, Some(Fault::Malformed)),
        (Vice::None, None),
    ] {
        for seed in 1..=3 {
            let mut sim: World = Sim::new(seed, Uniform::ms(1..30));
            let crook = sim.add(Either::Right(Crook::new(vice, content.clone())));
            let honest = [honest(&mut sim, &content), honest(&mut sim, &content)];
            // Slow enough that the crook has its turn, and its time.
            for node in honest {
                sim.set_bandwidth(node, Bandwidth { up: Some(4_000), down: None });
            }
            let node = fetcher(&mut sim);
            let result = fetch(&mut sim, node, &content, &[crook, honest[0], honest[1]]);
            assert_eq!(result, Ok(()), "{vice:?}, seed {seed}");
            assert_eq!(sim.disk(node).content(&file("got")), Some(content.clone()), "{vice:?}");
            assert!(is_clean(&mut sim, node), "{vice:?}");
            let dropped = dropped(&mut sim, node);
            let crook = at(&sim, crook);
            match fault {
                Some(fault) => assert_eq!(dropped, [(crook, fault)], "{vice:?}, seed {seed}"),
                None => assert!(dropped.iter().all(|(holder, _)| *holder == crook), "{vice:?}: {dropped:?}"),
            }
        }
    }
}

#[test]
fn of_liars_alone_nothing_comes_under_its_name() {
    for seed in 1..=5 {
        let mut sim: World = Sim::new(seed, Uniform::ms(1..30));
        let content = content(100_000, 3);
        let liars: Vec<NodeIx> =
            (0..3).map(|_| sim.add(Either::Right(Crook::new(Vice::Lies, content.clone())))).collect();
        let node = fetcher(&mut sim);
        assert_eq!(fetch(&mut sim, node, &content, &liars), Err(Error::NoHolder));
        assert_eq!(sim.disk(node).content(&file("got")), None);
        let mut dropped = dropped(&mut sim, node);
        dropped.sort_unstable_by_key(|(holder, _)| *holder);
        let all: Vec<_> = liars.iter().map(|liar| (at(&sim, *liar), Fault::Content)).collect();
        assert_eq!(dropped, all, "seed {seed}");
    }
}

#[test]
fn one_of_many_liars_does_not_hide_behind_the_others() {
    for seed in 1..=5 {
        let mut sim: World = Sim::new(seed, Uniform::ms(1..30));
        let content = content(400_000, 4);
        let mut holders: Vec<NodeIx> =
            (0..3).map(|_| sim.add(Either::Right(Crook::new(Vice::Lies, content.clone())))).collect();
        holders.push(honest(&mut sim, &content));
        let node = fetcher(&mut sim);
        assert_eq!(fetch(&mut sim, node, &content, &holders), Ok(()), "seed {seed}");
        let dropped = dropped(&mut sim, node);
        let honest = at(&sim, holders[3]);
        assert!(
            dropped.iter().all(|(holder, why)| *holder != honest && *why == Fault::Content),
            "{dropped:?}"
        );
    }
}

#[test]
fn a_fetch_goes_on_where_it_was_killed() {
    let mut sim: World = Sim::new(5, Uniform::ms(1..30));
    let content = content(4_000_000, 5);
    let holder = honest(&mut sim, &content);
    let node = fetcher(&mut sim);
    begin(&mut sim, node, &content, &[holder]);
    // What came is noted every five seconds.
    sim.run_for(Duration::from_millis(6_000));
    sim.kill(node);
    let mut config = config();
    config.listen = None;
    sim.restart(node, Either::Left(Audit::new(Files::new(config))));
    let (_, before) = sim.bytes(node);
    assert_eq!(fetch(&mut sim, node, &content, &[holder]), Ok(()));
    assert_eq!(sim.disk(node).content(&file("got")), Some(content));
    let (_, after) = sim.bytes(node);
    println!("of 4,000,000 bytes, {} came after the crash", after - before);
    assert!(after - before < 2_500_000, "most of it was there");
    assert!(is_clean(&mut sim, node));
}

#[test]
fn what_was_noted_wrongly_is_fetched_again_and_nobody_is_blamed() {
    let mut sim: World = Sim::new(6, Uniform::ms(1..30));
    let content = content(1_000_000, 6);
    let holder = honest(&mut sim, &content);
    let node = fetcher(&mut sim);
    let op = begin(&mut sim, node, &content, &[holder]);
    sim.run_for(Duration::from_millis(1_500));
    sim.cancel(op);
    sim.run_for(Duration::from_secs(1));
    // A disk that lost what it said it had.
    sim.disk(node).spoil(&file("got.part"), 5, 100);
    assert_eq!(fetch(&mut sim, node, &content, &[holder]), Ok(()));
    assert_eq!(sim.disk(node).content(&file("got")), Some(content));
    assert_eq!(dropped(&mut sim, node), []);
}

#[test]
fn a_holder_that_dies_is_made_up_for() {
    let mut sim: World = Sim::new(7, Uniform::ms(1..30));
    let content = content(2_000_000, 7);
    let holders = [honest(&mut sim, &content), honest(&mut sim, &content)];
    let node = fetcher(&mut sim);
    let op = begin(&mut sim, node, &content, &holders);
    sim.run_for(Duration::from_secs(1));
    sim.kill(holders[0]);
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    assert_eq!(outcome(&sim, op), Ok(()));
    assert_eq!(sim.disk(node).content(&file("got")), Some(content));
}

#[test]
fn what_cannot_be_is_said() {
    let mut sim: World = Sim::new(8, Uniform::ms(1..30));
    let content = content(50_000, 8);
    let holder = honest(&mut sim, &content);
    // Another file of that name.
    let setup = Setup::new().disk(Disk::new(Content::Kept).with_file(file("got"), &b"something else"[..]));
    let node = sim.add_with(setup, Either::Left(Audit::new(Files::new(config()))));
    assert_eq!(fetch(&mut sim, node, &content, &[holder]), Err(Error::Exists));
    // No room.
    let setup = Setup::new().disk(Disk::new(Content::Kept).capacity(20_000));
    let node = sim.add_with(setup, Either::Left(Audit::new(Files::new(config()))));
    assert!(matches!(fetch(&mut sim, node, &content, &[holder]), Err(Error::Disk(_))));
    // Nobody.
    let node = fetcher(&mut sim);
    assert_eq!(fetch(&mut sim, node, &content, &[]), Err(Error::NoHolder));
    // Larger than anything.
    let huge = Fetch { sha256: [0; 32], size: u64::MAX, holders: Vec::new(), to: file("huge"), read: false };
    let op = sim.ask(node, Either::Left(Command::Fetch(huge)));
    assert!(sim.finish(&[op], Duration::from_secs(1)));
    assert_eq!(outcome(&sim, op), Err(Error::TooLarge));
    // Nothing of the kind.
    let op = sim.ask(node, Either::Left(Command::Share(file("none"))));
    assert!(sim.finish(&[op], Duration::from_secs(1)));
    assert!(matches!(outcome(&sim, op), Err(Error::Disk(_))));
}
