//! Flooding, as papers count it, with the real machines.

use super::net::Graph;
use p2p_core::Rng;
use p2p_gnutella::servent::{Config, Strategy, Wish};

#[test]
fn a_full_flood_takes_twice_the_edges_less_the_tree() {
    for seed in 0..16 {
        let mut rng = Rng::fast_from(seed);
        let nodes = 2 + rng.index(40);
        let edges = nodes + rng.index(2 * nodes);
        let graph = Graph::random(nodes, edges, &mut rng);
        let (mut net, at) = graph.build(seed, &Config::flooding(60));
        let source = at[rng.index(nodes)];
        net.search(source, Wish::words("nothing has this name"));
        net.run(10);
        let (edges, nodes) = (graph.edges.len() as u64, nodes as u64);
        assert_eq!(net.sum(|counts| counts.queries_out), 2 * edges - (nodes - 1), "messages");
        assert_eq!(net.sum(|counts| counts.queries_new), nodes - 1, "servents reached");
        assert_eq!(net.sum(|counts| counts.duplicates), 2 * edges - 2 * (nodes - 1), "duplicates");
    }
}

#[test]
fn a_ttl_bounds_a_flood_to_the_message() {
    for seed in 100..108 {
        let mut rng = Rng::fast_from(seed);
        let graph = Graph::random(40, 70, &mut rng);
        let source = rng.index(40);
        let (distances, ttl) = (graph.distances(source), 1 + rng.index(4));
        let (mut net, at) = graph.build(seed, &Config::flooding(7));
        net.search(at[source], Wish::words("nothing").by(Strategy::Flood(ttl as u8)));
        net.run(10);
        let inner = (0..40).filter(|node| (1..ttl).contains(&distances[*node]));
        let messages = graph.degree(source) + inner.map(|node| graph.degree(node) - 1).sum::<usize>();
        let reached = distances.iter().filter(|distance| (1..=ttl).contains(*distance)).count();
        assert_eq!(net.sum(|counts| counts.queries_out), messages as u64, "TTL {ttl}");
        assert_eq!(net.sum(|counts| counts.queries_new), reached as u64, "TTL {ttl}");
    }
}

#[test]
fn hits_come_back_along_the_path_each_once() {
    let mut rng = Rng::fast_from(5);
    let graph = Graph::random(60, 100, &mut rng);
    let distances = graph.distances(0);
    let (mut net, at) = graph.build(5, &Config::flooding(20));
    let holders: Vec<usize> = (1..60).step_by(7).collect();
    for holder in &holders {
        net.share(at[*holder], &format!("Blue Train take {holder}.ogg"), b"a file");
    }
    net.share(at[3], "Giant Steps.ogg", b"a file");
    let op = net.search(at[0], Wish::words("train blue"));
    net.run(60);
    let mut hits = net.hits(at[0], op);
    hits.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(net.outcome(op), Some(Ok(())));
    let mut wanted: Vec<_> = holders.iter().map(|holder| format!("Blue Train take {holder}.ogg")).collect();
    wanted.sort();
    let names: Vec<_> = hits.iter().map(|hit| String::from_utf8(hit.name.to_vec()).unwrap()).collect();
    assert_eq!(names, wanted);
    for hit in &hits {
        let holder = at.iter().position(|node| net.servent(*node).guid() == hit.servent).unwrap();
        assert_eq!(usize::from(hit.hops) + 1, distances[holder], "by the shortest way");
    }
    let relayed: usize = holders.iter().map(|holder| distances[*holder] - 1).sum();
    assert_eq!(net.sum(|counts| counts.hits), (relayed + holders.len()) as u64, "and to nobody else");
    assert_eq!(net.sum(|counts| counts.astray), 0);
}

#[test]
fn an_expanding_ring_ends_with_the_first_hit() {
    // A line: the file is five hops away, so rings of 1, 3 and 5 are asked.
    let graph = Graph { nodes: 10, edges: (0..9).map(|at| (at, at + 1)).collect() };
    let (mut net, at) = graph.build(6, &Config::flooding(9));
    net.share(at[5], "far away", b"a file");
    let op = net.search(at[0], Wish::words("far away").by(Strategy::ExpandingRing(9)));
    net.run(60);
    assert_eq!(net.outcome(op), Some(Ok(())));
    assert_eq!(net.hits(at[0], op).len(), 1);
    assert_eq!(net.sum(|counts| counts.queries_out), 1 + 3 + 5);
}

#[test]
fn links_of_both_versions_on_one_port() {
    use super::net::{Net, config};
    use p2p_gnutella::handshake::Role;
    use p2p_gnutella::servent::Mode;
    let mut net = Net::new(8);
    let new = net.add(config(Mode::Ultrapeer));
    let other = net.add(config(Mode::Ultrapeer));
    let old = net.add(Config::flooding(7));
    net.run(1);
    net.join(other, &[new]);
    net.join(old, &[new]);
    net.run(10);
    assert_eq!(net.servent(new).neighbours().count(), 2);
    assert!(net.servent(new).neighbours().all(|neighbour| neighbour.role == Role::Ultrapeer));
    assert_eq!(
        net.servent(new).neighbours().filter(|neighbour| neighbour.deflate == (true, true)).count(),
        1
    );
    net.share(other, "from 0.6", b"a file");
    net.share(old, "from 0.4", b"a file");
    net.run(20);
    let (by_old, by_new) = (net.search(old, Wish::words("from")), net.search(other, Wish::words("from")));
    net.run(30);
    assert_eq!(net.hits(old, by_old).len(), 1, "0.4 finds what 0.6 has");
    assert_eq!(net.hits(other, by_new).len(), 1, "and the other way round");
}
