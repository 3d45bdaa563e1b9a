//! Links that end: by a crash, by a network that parts, on purpose; and what is left when they are back.

use super::world::{LONG, SPAN, World, config, nicks};
use bytes::Bytes;
use p2p_core::{Duration, Rng};
use p2p_napster::client::{Chat, Command, Event};
use p2p_napster::server::LinkEnd;

fn pass(world: &mut World) {
    world.sim.run_for(Duration::from_secs(5));
}

#[test]
fn a_crashed_server_takes_its_users_along_and_brings_them_back() {
    let mut world = World::pair(1);
    let (ann, bob) = (world.client("ann", 0), world.client("bob", 1));
    world.done(ann, Command::Watch(Bytes::from_static(b"bob")));
    for node in [ann, bob] {
        world.done(node, Command::Enter(Bytes::from_static(b"#talk")));
    }
    world.share(bob, "C:\\Band - Song.mp3");
    pass(&mut world);
    world.told(ann);
    world.take_news(0);
    let beta = world.servers[1];
    world.sim.kill(beta);
    pass(&mut world);
    assert_eq!(world.who(0), nicks(&[("ann", 0)]));
    let counts = world.server(0).counts();
    assert_eq!((counts.linked_users, counts.linked_files, counts.links), (0, 0, 0));
    let told = world.told(ann);
    assert!(told.iter().any(|event| matches!(event, Event::SignedOff(nick) if nick == "bob")), "{told:?}");
    assert!(
        told.iter().any(|event| matches!(event, Event::Chat(Chat::Parted { nick, .. }) if nick == "bob"))
    );
    assert!(matches!(world.ends(0)[..], [LinkEnd::Io(_) | LinkEnd::Closed, ..]));
    assert!(world.search(ann, "band").is_empty());
    world.restart(1);
    assert!(world.wait_linked(LONG), "no link");
    assert!(world.sim.wait(
        LONG,
        |sim| matches!(sim.machine(beta), p2p_sim::Either::Left(beta) if beta.counts().users == 1)
    ));
    pass(&mut world);
    assert_eq!(world.who(0), nicks(&[("ann", 0), ("bob", 1)]));
    world.assert_alike();
    assert_eq!(world.search(ann, "band").len(), 1);
}

#[test]
fn a_network_that_parts_leaves_no_ghosts() {
    let mut world = World::pair(2);
    let ann = world.client("ann", 0);
    let bob = world.client("bob", 1);
    let eve = world.client("eve", 1);
    pass(&mut world);
    // Long enough that both know that the other tells the time.
    world.sim.run_for(Duration::from_secs(200));
    // Beta and its users are cut off.
    let beta = world.servers[1];
    world.sim.partition(&[&[beta, bob, eve]]);
    world.sim.run_for(Duration::from_secs(30));
    world.sim.ask(eve, p2p_sim::Either::Right(Command::Leave));
    world.sim.run_for(LONG);
    assert_eq!((world.who(0), world.who(1)), (nicks(&[("ann", 0)]), nicks(&[("bob", 1)])));
    let ends = [world.ends(0), world.ends(1)];
    assert!(ends.iter().all(|ends| matches!(ends[0], LinkEnd::Io(_) | LinkEnd::Silent)), "{ends:?}");
    // Dials into the void, further and further apart: some twelve minutes have passed.
    assert!((5..12).contains(&ends[0].len()), "{ends:?}");
    world.sim.heal();
    assert!(world.wait_linked(LONG), "no link");
    pass(&mut world);
    assert_eq!(world.who(0), nicks(&[("ann", 0), ("bob", 1)]));
    world.assert_alike();
    let _ = ann;
}

#[test]
fn of_two_with_one_nick_the_older_stays_on_both_sides() {
    for (seed, first) in [(3, 0), (4, 1)] {
        let mut world = World::new(seed, vec![config(0, &[(1, true)], 6), config(1, &[(0, false)], 6)]);
        let (alpha, beta) = (world.servers[0], world.servers[1]);
        world.sim.cut(alpha, beta);
        let older = world.client("sam", first);
        world.sim.run_for(Duration::from_secs(30));
        let younger = world.client("Sam", 1 - first);
        // Their clients come back by themselves, and then are told that the nick is taken.
        world.told(older);
        world.told(younger);
        world.sim.heal();
        assert!(world.wait_linked(LONG), "no link");
        world.sim.run_for(Duration::from_secs(60));
        assert_eq!(world.who(0), nicks(&[("sam", first)]), "seed {seed}");
        world.assert_alike();
        let out = |events: Vec<Event>| events.iter().any(|event| matches!(event, Event::LoggedOut(_)));
        assert!(!out(world.told(older)) && out(world.told(younger)));
    }
}

#[test]
fn channels_of_two_sides_become_one() {
    let mut world = World::new(5, vec![config(0, &[(1, true)], 6), config(1, &[(0, false)], 6)]);
    let (alpha, beta) = (world.servers[0], world.servers[1]);
    world.sim.cut(alpha, beta);
    let (ann, bob) = (world.client("ann", 0), world.client("bob", 1));
    for node in [ann, bob] {
        world.done(node, Command::Enter(Bytes::from_static(b"#both")));
    }
    world.sim.heal();
    assert!(world.wait_linked(LONG));
    pass(&mut world);
    let both = ["ann", "bob"].map(String::from).into();
    assert_eq!(
        (world.members(0, "#both"), world.members(1, "#both")),
        (both, ["ann", "bob"].map(String::from).into())
    );
    world.done(bob, Command::Say { channel: Bytes::from_static(b"#both"), text: Bytes::from_static(b"hi") });
    pass(&mut world);
    assert!(
        world
            .told(ann)
            .iter()
            .any(|event| matches!(event, Event::Chat(Chat::Said { nick, .. }) if nick == "bob"))
    );
}

#[test]
fn both_dial_and_one_link_stays() {
    for seed in 10..20 {
        let mut world = World::new(seed, vec![config(0, &[(1, true)], 6), config(1, &[(0, true)], 6)]);
        world.client("ann", 0);
        world.client("bob", 1);
        world.sim.run_for(LONG);
        assert_eq!(world.who(0), nicks(&[("ann", 0), ("bob", 1)]), "seed {seed}");
        world.assert_alike();
        assert_eq!((world.server(0).counts().links, world.server(1).counts().links), (1, 1));
        let streams = |world: &World, n: usize| world.sim.streams(world.servers[n]);
        assert_eq!((streams(&world, 0), streams(&world, 1)), (2, 2), "a link and a user each");
    }
}

#[test]
fn a_circle_of_servers_is_not_closed() {
    for seed in 20..30 {
        let configs = vec![
            config(0, &[(1, true), (2, false)], 6),
            config(1, &[(0, false), (2, true)], 6),
            config(2, &[(1, false), (0, true)], 6),
        ];
        let mut world = World::new(seed, configs);
        for (n, nick) in ["ann", "bob", "eve"].into_iter().enumerate() {
            world.client(nick, n);
        }
        world.sim.run_for(LONG);
        let all = nicks(&[("ann", 0), ("bob", 1), ("eve", 2)]);
        for n in 0..3 {
            assert_eq!(world.who(n), all, "seed {seed}, {n}");
        }
        let links: u64 = (0..3).map(|n| world.server(n).counts().links).sum();
        assert_eq!(links, 4, "two links, each at both ends: seed {seed}");
        // One link of the two is lost for good: the one that was refused takes its place.
        let (alpha, beta) = (world.servers[0], world.servers[1]);
        world.sim.cut(alpha, beta);
        world.sim.cut(beta, alpha);
        world.sim.run_for(LONG * 2);
        for n in 0..3 {
            assert_eq!(world.who(n), all, "seed {seed}, {n} after the cut");
        }
    }
}

/// Users come and go on two servers whose link comes and goes; in the end both know the same.
#[test]
fn after_any_splits_both_know_the_same() {
    for seed in 40..44 {
        let mut world = World::pair(seed);
        let mut dice = Rng::fast_from(seed);
        let nodes: Vec<_> = (0..12).map(|n| (world.client(&format!("user{n}"), n % 2), n % 2)).collect();
        for step in 0..40 {
            match dice.below(6) {
                0 => {
                    let (alpha, beta) = (world.servers[0], world.servers[1]);
                    world.sim.cut(alpha, beta);
                    world.sim.cut(beta, alpha);
                }
                1 | 2 => world.sim.heal(),
                3 if step % 8 == 3 => world.restart(dice.index(2)),
                _ => {
                    let (node, at) = nodes[dice.index(nodes.len())];
                    if dice.chance(0.5) {
                        world.sim.ask(node, p2p_sim::Either::Right(Command::Leave));
                    } else {
                        world.join(node, at);
                    }
                }
            }
            let span = Duration::from_secs(1 + dice.below(120));
            world.sim.run_for(span);
        }
        world.sim.heal();
        world.sim.run_for(LONG * 2);
        assert!(world.wait_linked(SPAN), "seed {seed}: no link");
        world.assert_alike();
        let here: usize = (0..2).map(|n| world.server(n).counts().users as usize).sum();
        assert_eq!(world.who(0).len(), here, "seed {seed}");
    }
}
