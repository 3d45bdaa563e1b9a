//! How a servent that knows nobody finds somebody.

use super::net::{Net, PORT, config};
use p2p_core::Duration;
use p2p_gnutella::handshake::Role;
use p2p_gnutella::servent::{Bootstrap, Command, Error, Event, Mode, Wish};
use p2p_sim::NodeIx;

/// Fifty ultrapeers that know each other.
fn network(seed: u64) -> (Net, Vec<NodeIx>) {
    let mut net = Net::new(seed);
    let mut of = config(Mode::Ultrapeer);
    of.degree = 5;
    of.limits.ultrapeers = 8;
    let nodes: Vec<_> = (0..50).map(|_| net.add(of.clone())).collect();
    net.run(1);
    for at in 1..nodes.len() {
        net.join(nodes[at], &[nodes[at / 2]]);
    }
    net.run(120);
    (net, nodes)
}

fn cold(net: &mut Net) -> NodeIx {
    let node = net.add(config(Mode::Leaf));
    net.run(1);
    node
}

#[test]
fn a_cold_leaf_finds_three_ultrapeers_in_five_seconds() {
    let (mut net, nodes) = network(11);
    let some = net.addr(nodes[20]);
    net.sim.name("cache.example", some.ip());
    let ways = [
        Bootstrap { peers: vec![some], ..Bootstrap::default() },
        Bootstrap { udp_caches: vec![("cache.example".into(), PORT)], ..Bootstrap::default() },
        Bootstrap { web_caches: vec![format!("http://{some}/gwc")], ..Bootstrap::default() },
    ];
    for way in ways {
        let node = cold(&mut net);
        let op = net.sim.ask(node, Command::Join(way.clone()));
        net.run(5);
        assert_eq!(net.outcome(op), Some(Ok(())), "{way:?}");
        assert_eq!(net.servent(node).neighbours().count(), 3, "{way:?}");
    }
}

#[test]
fn who_knows_nobody_is_told_so() {
    let mut net = Net::new(12);
    let node = cold(&mut net);
    let nobody = net.sim.ask(node, Command::Join(Bootstrap::default()));
    let dead = Bootstrap { peers: vec!["10.0.9.9:6346".parse().unwrap()], ..Bootstrap::default() };
    let dead = net.sim.ask(node, Command::Join(dead));
    let bad = net
        .sim
        .ask(node, Command::Join(Bootstrap { web_caches: vec!["no url".into()], ..Bootstrap::default() }));
    net.run(120);
    assert_eq!(net.outcome(nobody), Some(Err(Error::NobodyKnown)));
    assert_eq!(net.outcome(dead), Some(Err(Error::NoNeighbour)));
    assert_eq!(net.outcome(bad), Some(Err(Error::NoNeighbour)));
}

#[test]
fn what_was_kept_brings_it_back() {
    let (mut net, nodes) = network(13);
    let node = cold(&mut net);
    net.join(node, &[nodes[9]]);
    net.run(60);
    let op = net.sim.ask(node, Command::Hosts);
    net.run(1);
    let kept = net.sim.events(node).iter().find_map(|told| match &told.event {
        Event::Hosts(text) if told.op == Some(op) => Some(text.clone()),
        _ => None,
    });
    let again = cold(&mut net);
    net.sim.ask(again, Command::Remember(kept.unwrap()));
    net.sim.run_for(Duration::from_secs(5));
    assert_eq!(net.servent(again).neighbours().count(), 3);
}

/// Whether each has a neighbour, and one of them leads.
fn is_network(net: &Net, nodes: &[NodeIx]) -> bool {
    let is_linked = |node: &NodeIx| net.servent(*node).neighbours().count() > 0;
    nodes.iter().all(is_linked) && nodes.iter().any(|node| net.servent(*node).role() == Role::Ultrapeer)
}

#[test]
fn those_that_know_only_each_other_begin_a_network() {
    for (seed, size) in [(21, 2), (22, 2), (23, 5), (24, 12)] {
        let mut net = Net::new(seed);
        let nodes: Vec<_> = (0..size).map(|_| net.add(config(Mode::Auto))).collect();
        net.run(1);
        // Each knows the one before, and that one does not know of it.
        for pair in nodes.windows(2) {
            net.join(pair[1], &[pair[0]]);
        }
        net.run(150);
        assert!(is_network(&net, &nodes), "{size} servents");
        net.share(nodes[0], "blue train", b"music");
        net.run(20);
        let last = nodes[size - 1];
        let op = net.search(last, Wish::words("train"));
        net.run(20);
        assert_eq!(net.hits(last, op).len(), 1, "{size} servents");
    }
}

#[test]
fn who_is_not_needed_as_an_ultrapeer_goes_back_and_never_the_last() {
    let mut net = Net::new(25);
    let nodes: Vec<_> = (0..2).map(|_| net.add(config(Mode::Auto))).collect();
    net.run(1);
    // At the same time, each the other.
    net.join(nodes[0], &[nodes[1]]);
    net.join(nodes[1], &[nodes[0]]);
    net.run(150);
    let mut apart = 0;
    for _ in 0..150 {
        net.run(60);
        apart += u32::from(!is_network(&net, &nodes));
    }
    assert!(apart <= 1, "{apart} minutes of 150 without a link");
    let leads = nodes.iter().filter(|node| net.servent(**node).role() == Role::Ultrapeer).count();
    assert_eq!(leads, 1, "one is enough");
}

#[test]
fn who_nobody_reaches_waits_for_an_ultrapeer() {
    let mut net = Net::new(26);
    let node = net.add(config(Mode::Auto));
    let dead = Bootstrap { peers: vec!["10.0.9.9:6346".parse().unwrap()], ..Bootstrap::default() };
    net.sim.ask(node, Command::Join(dead));
    net.run(600);
    assert_eq!(net.servent(node).role(), Role::Leaf);
}
