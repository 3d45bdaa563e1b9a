//! 1,000 users who share 10,000, 100,000 and a million files: shares, searches, memory, a logout.

use super::allocated;
use super::clock::{cpu, resident};
use super::figures::{Figures, Goal};
use super::workload::{Sort, Workload, login, put};
use super::world::World;
use bytes::Bytes;
use p2p_core::{ConnId, Duration, Rng};
use p2p_napster::server::Config;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

const USERS: usize = 1_000;
/// Searches of a sort.
const SEARCHES: usize = 5_000;
/// So few results that a search has about as many of them at every size.
const FEW: u32 = 10;
/// What is measured at the largest size only.
const LARGEST: usize = 1_000_000;

/// Logs a user in.
pub(crate) fn enter(world: &mut World, user: u64) -> ConnId {
    let conn = world.connect(user);
    let mut text = Vec::new();
    put(&mut text, 2, login(user).as_bytes());
    world.data(conn, &text.into());
    conn
}

/// Users with so many files each, the CPU time of the sharing, and how many files they are.
pub(crate) fn fill(
    world: &mut World,
    load: &Workload,
    users: usize,
    each: usize,
) -> (Vec<ConnId>, f64, usize) {
    let conns: Vec<ConnId> = (0..users as u64).map(|user| enter(world, user)).collect();
    let (mut spent, mut shared, mut text) = (Duration::ZERO, 0, Vec::new());
    for (user, conn) in conns.iter().enumerate() {
        text.clear();
        shared += load.shares(user as u64, each, &mut text);
        let messages = Bytes::copy_from_slice(&text);
        let began = cpu();
        world.data(*conn, &messages);
        spent += cpu() - began;
        world.pass(Duration::from_millis(1));
    }
    (conns, spent.as_secs_f64(), shared)
}

/// How many of the users' files are different ones.
fn different(load: &Workload, each: usize) -> usize {
    let (mut known, mut text) = (HashSet::new(), Vec::new());
    for user in 0..USERS as u64 {
        text.clear();
        load.shares(user, each, &mut text);
        let mut left = &text[..];
        while let Some((head, rest)) = left.split_first_chunk::<4>() {
            let (message, rest) = rest.split_at(usize::from(u16::from_le_bytes([head[0], head[1]])));
            let mut hasher = DefaultHasher::new();
            message.hash(&mut hasher);
            known.insert(hasher.finish());
            left = rest;
        }
    }
    known.len()
}

/// Mean CPU microseconds of a search of this sort for at most so many results, and mean results.
fn search(world: &mut World, load: &Workload, conns: &[ConnId], sort: Sort, most: u32) -> (f64, f64) {
    let rng = &mut Rng::fast_from(11 + sort as u64);
    let queries: Vec<Bytes> = (0..SEARCHES)
        .map(|_| {
            let mut text = Vec::new();
            let query = load.query(sort, rng).replace("MAX_RESULTS 100", &format!("MAX_RESULTS {most}"));
            put(&mut text, 200, query.as_bytes());
            text.into()
        })
        .collect();
    let before = world.stats();
    let mut spent = Duration::ZERO;
    for (at, queries) in queries.chunks(conns.len()).enumerate() {
        let began = cpu();
        for (conn, query) in conns.iter().zip(queries) {
            world.data(*conn, query);
        }
        spent += cpu() - began;
        world.pass(Duration::from_secs(10 + at as u64));
    }
    let after = world.stats();
    assert_eq!(after.searches - before.searches, SEARCHES as u64, "every search was answered");
    let count = SEARCHES as f64;
    (spent.as_secs_f64() * 1e6 / count, (after.results - before.results) as f64 / count)
}

pub(crate) fn run(figures: &mut Figures, sizes: &[usize]) {
    let (mut song, mut few) = (Vec::new(), Vec::new());
    for files in sizes.iter().copied() {
        figures.title(&format!("{files} files of {USERS} users"));
        let load = Workload::new(files, super::SEED);
        let mut world = World::new(Config::default());
        let (before, resident_before) = (allocated(), resident());
        let (conns, seconds, shared) = fill(&mut world, &load, USERS, files / USERS);
        let (grown, resident_grown) = (allocated() - before, resident().saturating_sub(resident_before));
        assert_eq!(world.stats().files, shared as u64, "every file is shared");
        figures.add(
            "different files, names included",
            different(&load, files / USERS) as f64,
            "",
            Goal::None,
        );
        let each = |of: usize| of as f64 / shared as f64;
        figures.add("CPU of a share", seconds * 1e6 / shared as f64, "us", Goal::AtMost(3.0));
        figures.add("shares a second", shared as f64 / seconds, "", Goal::AtLeast(100_000.0));
        // The users themselves weigh in a small index.
        let goal = if files >= LARGEST { Goal::AtMost(150.0) } else { Goal::None };
        figures.add("memory of a shared file, users included: allocated", each(grown), "bytes", goal);
        figures.add("memory of a shared file: resident", each(resident_grown as usize), "bytes", Goal::None);
        for sort in Sort::ALL {
            let (micros, results) = search(&mut world, &load, &conns, sort, 100);
            let goal = match sort {
                Sort::Song => Goal::AtMost(30.0),
                Sort::TwoCommon => Goal::AtMost(100.0),
                _ => Goal::None,
            };
            let name = format!("CPU of a search: {} ({results:.1} results)", sort.name());
            figures.add(&name, micros, "us", goal);
            if sort == Sort::Song {
                song.push((micros, results));
            }
        }
        let (micros, results) = search(&mut world, &load, &conns, Sort::Song, FEW);
        let name = format!("CPU of a search: song, {FEW} at most ({results:.1} results)");
        figures.add(&name, micros, "us", Goal::None);
        few.push((micros, results));
        if files >= LARGEST || sizes.len() == 1 {
            further_holders(figures, &mut world, &load, files / USERS);
            logout(figures, &mut world, files);
        }
    }
    if let [first, .., last] = song[..] {
        let name = "growth of a song search, smallest to largest";
        figures.add(name, last.0 / first.0, "times", Goal::AtMost(2.0));
        // Where there are more files more of them are found, and written.
        figures.add("  of its results", last.1 / first.1, "times", Goal::None);
        figures.add("  for each result", last.0 / last.1 / (first.0 / first.1), "times", Goal::None);
    }
    if let [first, .., last] = few[..] {
        figures.add(&format!("  of one for {FEW} results at most"), last.0 / first.0, "times", Goal::None);
        figures.add("    of its results", last.1 / first.1, "times", Goal::None);
    }
}

/// Others share what the first 100 share.
fn further_holders(figures: &mut Figures, world: &mut World, load: &Workload, each: usize) {
    let first = USERS as u64;
    let conns: Vec<ConnId> = (first..first + 100).map(|user| enter(world, user)).collect();
    let (mut text, mut shared, mut spent) = (Vec::new(), 0, Duration::ZERO);
    let before = allocated();
    for (user, conn) in conns.iter().enumerate() {
        text.clear();
        shared += load.shares(user as u64, each, &mut text);
        let messages = Bytes::copy_from_slice(&text);
        let began = cpu();
        world.data(*conn, &messages);
        spent += cpu() - began;
    }
    drop(text);
    let grown = allocated() as f64 - before as f64;
    figures.add(
        "CPU of a further holder's share",
        spent.as_secs_f64() * 1e6 / shared as f64,
        "us",
        Goal::None,
    );
    figures.add(
        "memory of a further holder of a file: allocated",
        grown / shared as f64,
        "bytes",
        Goal::AtMost(60.0),
    );
}

/// Somebody with 5,000 files leaves.
fn logout(figures: &mut Figures, world: &mut World, files: usize) {
    let load = Workload::new(files, super::SEED);
    let mut longest: f64 = 0.0;
    let (mut all, mut coming): (f64, f64) = (0.0, 0.0);
    for user in 2_000..2_005 {
        let conn = enter(world, user);
        let mut text = Vec::new();
        let shared = load.shares(user, 5_000, &mut text) as u64;
        let messages = text.into();
        let before = world.stats().files;
        world.longest = Some(Duration::ZERO);
        world.data(conn, &messages);
        coming = coming.max(world.longest.take().unwrap_or_default().as_secs_f64());
        assert_eq!(world.stats().files, before + shared);
        world.longest = Some(Duration::ZERO);
        let began = cpu();
        world.leave(conn);
        world.pass(Duration::from_secs(1));
        all = all.max((cpu() - began).as_secs_f64());
        longest = longest.max(world.longest.take().unwrap_or_default().as_secs_f64());
        assert_eq!(world.stats().files, before, "what it shared is gone");
    }
    figures.add("logout with 5,000 files, the slowest of 5", all * 1e3, "ms", Goal::AtMost(5.0));
    figures.add("its longest input", longest * 1e3, "ms", Goal::AtMost(2.0));
    figures.add("the longest input of 5 users who share 5,000", coming * 1e3, "ms", Goal::AtMost(2.0));
}
