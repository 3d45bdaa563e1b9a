//! Leaves and ultrapeers: tables, the last hop, dynamic queries, pushes, roles.

use super::net::{Net, config};
use super::victim::Victim;
use p2p_core::hash::{Hasher as _, Sha1};
use p2p_core::{Duration, Effect, Input};
use p2p_gnutella::handshake::Role;
use p2p_gnutella::servent::{Config, Event, Mode, Neighbour, Parting, Timer, Wish};
use p2p_gnutella::transfer;
use p2p_sim::NodeIx;
use std::net::SocketAddrV4;

/// A ring of ultrapeers, each with so many leaves of its own.
fn ring(seed: u64, ultrapeers: usize, leaves: usize) -> (Net, Vec<NodeIx>, Vec<NodeIx>) {
    let mut net = Net::new(seed);
    let mut of = config(Mode::Ultrapeer);
    of.degree = 2;
    let up: Vec<_> = (0..ultrapeers).map(|_| net.add(of.clone())).collect();
    let mut leaf = config(Mode::Leaf);
    leaf.leaf_ultrapeers = 1;
    let under: Vec<_> = (0..ultrapeers * leaves).map(|_| net.add(leaf.clone())).collect();
    net.run(1);
    for (at, node) in up.iter().enumerate() {
        net.join(*node, &[up[(at + 1) % ultrapeers]]);
    }
    for (at, node) in under.iter().enumerate() {
        net.join(*node, &[up[at / leaves]]);
    }
    net.run(20);
    for node in &under {
        assert_eq!(net.servent(*node).neighbours().count(), 1, "a leaf has its ultrapeer");
    }
    (net, up, under)
}

#[test]
fn a_leaf_finds_what_another_ultrapeers_leaf_has() {
    let (mut net, _, leaves) = ring(1, 5, 3);
    net.share(leaves[7], "Coltrane - Blue Train.flac", b"blue");
    net.share(leaves[8], "Coltrane - Giant Steps.flac", b"a file");
    net.run(20);
    let urn = net.servent(leaves[7]).transfers().library().files().next().unwrap().urn();
    assert_eq!(urn.sha1(), Some(Sha1::digest(b"blue")));
    let words = net.search(leaves[0], Wish::words("blue coltrane"));
    let by_urn = net.search(leaves[1], Wish::urn(urn));
    net.run(60);
    for (leaf, op) in [(leaves[0], words), (leaves[1], by_urn)] {
        let hits = net.hits(leaf, op);
        assert_eq!(hits.len(), 1, "{hits:?}");
        assert_eq!(hits[0].name, "Coltrane - Blue Train.flac");
        assert_eq!(hits[0].urn, Some(urn));
        assert_eq!(hits[0].servent, net.servent(leaves[7]).guid());
        assert_eq!(hits[0].addr, SocketAddrV4::new([10, 0, 0, 13].into(), 6346), "where it was seen");
    }
    // Nobody was asked who cannot have it.
    for (at, leaf) in leaves.iter().enumerate() {
        let asked = net.counts(*leaf).queries_in;
        assert_eq!(asked, if at == 7 { 2 } else { 0 }, "leaf {at}");
    }
}

#[test]
fn tables_follow_what_is_shared() {
    let (mut net, _, leaves) = ring(2, 3, 2);
    let file = net.share(leaves[5], "passing strange", b"a file");
    net.run(20);
    let before = net.search(leaves[0], Wish::words("strange"));
    net.run(40);
    assert_eq!(net.hits(leaves[0], before).len(), 1);
    net.transfer(leaves[5], transfer::Command::Unshare(file));
    net.run(20);
    let asked = net.counts(leaves[5]).queries_in;
    let after = net.search(leaves[0], Wish::words("strange"));
    net.run(40);
    assert_eq!(net.hits(leaves[0], after).len(), 0);
    assert_eq!(net.counts(leaves[5]).queries_in, asked, "its ultrapeer knows that it has it no more");
}

#[test]
fn a_dynamic_query_ends_when_it_has_enough() {
    // One ultrapeer linked to twelve, each of which has leaves with the same file.
    let mut net = Net::new(3);
    let mut of = config(Mode::Ultrapeer);
    of.degree = 12;
    of.own_hits = 6;
    let asker = net.add(of);
    let mut others = config(Mode::Ultrapeer);
    others.degree = 1;
    let others: Vec<_> = (0..12).map(|_| net.add(others.clone())).collect();
    net.run(1);
    for other in &others {
        net.share(*other, "popular song", b"a file");
    }
    net.share(others[4], "rare song", b"a file");
    net.join(asker, &others);
    net.run(20);
    assert_eq!(net.servent(asker).neighbours().count(), 12);
    let popular = net.search(asker, Wish::words("popular"));
    net.run(200);
    let hits = net.hits(asker, popular).len();
    assert_eq!(net.outcome(popular), Some(Ok(())));
    assert!((6..=8).contains(&hits), "{hits} hits where 6 are enough");
    let before = net.counts(asker).queries_out;
    assert_eq!(before, hits as u64, "a message for each");
    let rare = net.search(asker, Wish::words("rare"));
    net.run(200);
    assert_eq!(net.hits(asker, rare).len(), 1);
    assert_eq!(net.outcome(rare), Some(Ok(())));
}

#[test]
fn who_stops_says_bye() {
    let (mut net, up, leaves) = ring(5, 3, 1);
    net.sim.stop(up[0]);
    net.run(2);
    let parted = |node: NodeIx, net: &Net| {
        net.sim.events(node).iter().any(|told| matches!(told.event, Event::Parted(_, Parting::Bye(200))))
    };
    assert!(parted(leaves[0], &net) && parted(up[1], &net) && parted(up[2], &net));
    assert!(!net.sim.is_alive(up[0]));
}

#[test]
fn a_leaf_that_is_up_and_reachable_becomes_an_ultrapeer() {
    let mut net = Net::new(6);
    let up = net.add(config(Mode::Ultrapeer));
    let mut of = config(Mode::Auto);
    of.ultrapeer_uptime = Duration::from_secs(60);
    let hopeful = net.add(of.clone());
    of.uplink_kilobytes = 1;
    let weak = net.add(of);
    net.run(1);
    net.join(hopeful, &[up]);
    net.join(weak, &[up]);
    net.run(30);
    assert_eq!([hopeful, weak].map(|node| net.servent(node).role()), [Role::Leaf; 2]);
    // Somebody of 0.4 dials both, so both are reachable.
    let old = net.add(Config::flooding(4));
    net.run(1);
    net.join(old, &[hopeful, weak]);
    net.run(120);
    assert_eq!(net.servent(hopeful).role(), Role::Ultrapeer);
    assert_eq!(net.servent(weak).role(), Role::Leaf);
    let at = net.addr(hopeful);
    let is_hopeful = |neighbour: &Neighbour| neighbour.addr.ip() == at.ip();
    let linked = net.servent(up).neighbours().find(is_hopeful).unwrap();
    assert_eq!(linked.role, Role::Ultrapeer, "and is linked to as one");
}

#[test]
fn the_same_seed_gives_the_same_network() {
    let run = |seed| {
        let (mut net, _, leaves) = ring(seed, 5, 3);
        net.share(leaves[7], "Blue Train", b"a file");
        net.run(20);
        net.search(leaves[0], Wish::words("train"));
        net.run(60);
        net.sim.digest()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn silent_neighbours_are_pinged_and_given_up() {
    let (mut net, up, leaves) = ring(9, 3, 1);
    net.run(600);
    for node in leaves.iter().chain(&up) {
        assert!(net.servent(*node).neighbours().count() > 0, "who answers stays");
    }
    let lost = net.addr(up[0]);
    net.sim.cut(up[0], leaves[0]);
    net.sim.cut(leaves[0], up[0]);
    net.run(300);
    let of_leaf: Vec<_> = net.servent(leaves[0]).neighbours().map(|neighbour| neighbour.addr).collect();
    assert!(!of_leaf.contains(&lost) && of_leaf.len() == 1, "it found another: {of_leaf:?}");
    assert_eq!(net.servent(up[0]).neighbours().filter(|neighbour| neighbour.role == Role::Leaf).count(), 0);
}

/// An ultrapeer asks a leaf for what its newest table has, long before it tells others of it, and nobody for what no leaf has.
#[test]
fn a_leaf_is_asked_for_its_newest_file_at_once() {
    let mut net = Net::new(12);
    let mut of = config(Mode::Ultrapeer);
    of.tables_every = Duration::from_secs(36_000);
    let up = net.add(of);
    let leaves: Vec<_> = (0..3).map(|_| net.add(config(Mode::Leaf))).collect();
    net.run(1);
    for leaf in &leaves {
        net.join(*leaf, &[up]);
    }
    net.run(20);
    for (name, word) in [("Blue Train", "train"), ("Giant Steps", "steps"), ("Blue Monk", "monk")] {
        net.share(leaves[0], name, b"a file");
        net.run(20);
        let before = net.counts(up).queries_to_leaves;
        let found = net.search(leaves[1], Wish::words(word));
        let none = net.search(leaves[1], Wish::words("quartz"));
        net.run(20);
        assert_eq!((net.hits(leaves[1], found).len(), net.hits(leaves[1], none).len()), (1, 0), "{word}");
        assert_eq!(net.counts(up).queries_to_leaves - before, 1, "{word}");
    }
}

/// One question and one answer for each link, every minute between ultrapeers and every other minute to leaves; nobody looks
/// after links in between.
#[test]
fn silence_costs_little() {
    let (mut net, up, leaves) = ring(11, 3, 1);
    net.run(600);
    let sent = |net: &Net| net.sum(|counts| counts.messages_out);
    let before = (sent(&net), net.sim.traffic().inputs);
    net.run(3_600);
    let (messages, inputs) = (sent(&net) - before.0, net.sim.traffic().inputs - before.1);
    assert!((450..=3 * 120 + 3 * 60).contains(&messages), "{messages}");
    // Each message comes, and most of them are flushed; a tick of five seconds would be 720 more for each servent.
    assert!(inputs <= 2 * messages + 6 * 100, "{inputs} inputs for {messages} messages");
    for node in leaves.iter().chain(&up) {
        assert!(net.servent(*node).neighbours().count() > 0, "and all are linked");
    }
}

#[test]
fn a_dynamic_query_finds_what_there_is() {
    use super::net::Graph;
    let mut rng = p2p_core::Rng::fast_from(21);
    let graph = Graph::random(60, 120, &mut rng);
    let mut of = config(Mode::Ultrapeer);
    of.fixed = true;
    of.degree = 4;
    let (mut net, up) = graph.build(21, &of);
    let mut leaf = config(Mode::Leaf);
    leaf.fixed = true;
    let leaves: Vec<_> = up.iter().map(|_| net.add(leaf.clone())).collect();
    net.run(1);
    let holders = [7, 13, 28, 34, 45, 59];
    for holder in holders {
        net.share(leaves[holder], "wanted thing", b"a file");
    }
    for (at, leaf) in leaves.iter().enumerate() {
        net.join(*leaf, &[up[at]]);
    }
    net.run(30);
    let op = net.search(up[0], Wish::words("wanted"));
    net.run(250);
    let distances = graph.distances(0);
    let far: Vec<_> = holders
        .iter()
        .map(|holder| (*holder, distances[*holder], net.counts(up[*holder]).queries_new))
        .collect();
    let found = net.hits(up[0], op).len();
    assert_eq!(found, 6, "{far:?}");
}

#[test]
fn who_has_nobody_to_say_goodbye_to_ends_at_once() {
    for linked in [false, true] {
        let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
        if linked {
            victim.link(1, Role::Ultrapeer, false);
        }
        let is_over = |victim: &mut Victim, input| {
            victim.give_raw(input).iter().any(|effect| matches!(effect, Effect::Halt))
        };
        assert_eq!(is_over(&mut victim, Input::Stop), !linked);
        assert!(!linked || is_over(&mut victim, Input::Timer(Timer::Farewell)));
    }
}
