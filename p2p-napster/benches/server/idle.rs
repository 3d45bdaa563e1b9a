//! Users who only are there: their memory, and what a message of others costs among them.

use super::allocated;
use super::clock::cpu;
use super::figures::{Figures, Goal};
use super::sizes::fill;
use super::workload::{Sort, Workload, login, put};
use super::world::World;
use bytes::Bytes;
use p2p_core::{ConnId, Duration, Rng};
use p2p_napster::server::Config;

/// Those who are busy, and their files.
const BUSY: usize = 100;
const FILES: usize = 100;
/// Rounds, of which the median counts.
const ROUNDS: usize = 15;

/// What each busy user says in a round: it searches, says something to another, shares a file and takes it back.
fn messages(load: &Workload, user: u64, rng: &mut Rng) -> (Bytes, usize) {
    let mut text = Vec::new();
    put(&mut text, 200, load.query(Sort::Song, rng).as_bytes());
    let other = format!("user{}", (user + 1) % BUSY as u64);
    put(&mut text, 205, format!("{other} have you got the other one too").as_bytes());
    put(&mut text, 603, other.as_bytes());
    put(
        &mut text,
        100,
        b"\"C:\\My Music\\Somebody - Something.mp3\" 0123456789abcdef0123456789abcdef 4000000 128 44100 250",
    );
    put(&mut text, 102, b"C:\\My Music\\Somebody - Something.mp3");
    put(&mut text, 750, b"");
    (text.into(), 6)
}

/// Median CPU microseconds of a message.
fn message(world: &mut World, load: &Workload, conns: &[ConnId]) -> f64 {
    let rng = &mut Rng::fast_from(5);
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let said: Vec<(Bytes, usize)> =
                (0..conns.len() as u64).map(|user| messages(load, user, rng)).collect();
            let count: usize = said.iter().map(|(_, count)| count).sum();
            let began = cpu();
            for (conn, (text, _)) in conns.iter().zip(&said) {
                world.data(*conn, text);
            }
            let spent = cpu() - began;
            // Nobody is to be held back by its rate.
            world.pass(Duration::from_secs(30));
            spent.as_secs_f64() * 1e6 / count as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

pub(crate) fn run(figures: &mut Figures, crowds: &[usize]) {
    let load = Workload::new(BUSY * FILES, super::SEED);
    let mut config = Config::default();
    // What everybody is told by the minute is no message of anybody.
    config.stats_every = Duration::ZERO;
    let mut world = World::new(config);
    let (conns, _, _) = fill(&mut world, &load, BUSY, FILES);
    figures.title("Idle users");
    message(&mut world, &load, &conns);
    let alone = message(&mut world, &load, &conns);
    figures.add("CPU of a message among 0 idle users", alone, "us", Goal::None);
    let mut idle = 0;
    for crowd in crowds.iter().copied() {
        let before = allocated();
        let (from, mut spent) = (idle, Duration::ZERO);
        world.longest = Some(Duration::ZERO);
        for user in from..crowd {
            let mut text = Vec::new();
            put(&mut text, 2, login(10_000 + user as u64).as_bytes());
            let text = text.into();
            let began = cpu();
            let conn = world.connect(10_000 + user as u64);
            world.data(conn, &text);
            spent += cpu() - began;
        }
        idle = crowd;
        let longest = world.longest.take().unwrap_or_default();
        assert_eq!(world.stats().users, (BUSY + idle) as u64, "all of them are logged in");
        let each = (allocated() - before) as f64 / (crowd - from) as f64;
        figures.add(
            &format!("memory of an idle user, {crowd} of them: allocated"),
            each,
            "bytes",
            Goal::AtMost(2048.0),
        );
        figures.add("CPU of a login", spent.as_secs_f64() * 1e6 / (crowd - from) as f64, "us", Goal::None);
        figures.add(
            "the longest input of those logins",
            longest.as_secs_f64() * 1e3,
            "ms",
            Goal::AtMost(2.0),
        );
        let among = message(&mut world, &load, &conns);
        figures.add(&format!("CPU of a message among {crowd} idle users"), among, "us", Goal::None);
        figures.add("times that without", among / alone, "times", Goal::AtMost(1.2));
    }
}
