//! The server has started again, and everybody comes back with 330 files.

use super::allocated;
use super::clock::cpu;
use super::figures::{Figures, Goal};
use super::workload::{Workload, login, put};
use super::world::World;
use bytes::Bytes;
use p2p_core::{ConnId, Duration};
use p2p_napster::server::Config;

const FILES: usize = 330;

pub(crate) fn run(figures: &mut Figures, users: usize) {
    figures.title(&format!("Restart storm: {users} unregistered users with {FILES} files each"));
    let load = Workload::new(users * FILES, super::SEED);
    let mut world = World::new(Config::default());
    let before = allocated();
    let (mut spent, mut text, mut files) = (Duration::ZERO, Vec::new(), 0);
    let mut conns: Vec<ConnId> = Vec::with_capacity(users);
    let began = cpu();
    for user in 0..users as u64 {
        conns.push(world.connect(user));
    }
    spent += cpu() - began;
    world.longest = Some(Duration::ZERO);
    for (user, conn) in conns.iter().enumerate() {
        text.clear();
        put(&mut text, 2, login(user as u64).as_bytes());
        files += load.shares(user as u64, FILES, &mut text);
        let messages = Bytes::copy_from_slice(&text);
        let began = cpu();
        world.data(*conn, &messages);
        spent += cpu() - began;
        if user % 100 == 0 {
            world.pass(Duration::from_millis(1));
        }
    }
    drop((text, conns));
    let longest = world.longest.take().unwrap_or_default();
    let stats = world.stats();
    assert_eq!((stats.users, stats.files), (users as u64, files as u64), "all are back");
    let memory = (allocated() - before) as f64;
    figures.add("CPU of all of it", spent.as_secs_f64(), "s", Goal::AtMost(40.0));
    figures.add("memory: allocated", memory / 1e6, "MB", Goal::AtMost(600.0));
    figures.add("memory of a shared file, users included", memory / files as f64, "bytes", Goal::None);
    figures.add("longest input", longest.as_secs_f64() * 1e3, "ms", Goal::AtMost(2.0));
}
