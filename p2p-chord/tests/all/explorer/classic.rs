//! The rules of 2001 are caught on both of Zave's counterexamples, and ours are not.

use super::Ring;
use super::rules::{Crashes, Zave};
use p2p_chord::{Chord, Command, Peer};
use p2p_sim::explore::{Explorer, Order};

/// More states than these take a few seconds.
const STATES: usize = 300_000;

/// Rules without a base, for nodes of which any one may crash.
fn rules(nodes: usize, classic: bool) -> Zave {
    let mut rules = Ring::new(&"m".repeat(nodes), 0, 0, 1).rules();
    rules.config.successors = 2;
    rules.config.classic = classic;
    rules.crashes = Crashes::Quiet;
    rules.checks = false;
    rules
}

/// Zave 2015, figure 3: 48 begins alone, 37 and 62 join it at once and have nobody else in their lists, and it fails.
fn begun_alone(classic: bool) -> Explorer<Chord, Zave> {
    let mut rules = rules(3, classic);
    rules.door = 1;
    let founder = rules.node(1);
    let mut explorer = Explorer::new(rules.peers.iter().map(Peer::addr), rules.clone());
    explorer.up(1, founder, Some(Command::Join(Vec::new())));
    explorer.boots(2);
    explorer.crashes(1);
    explorer.order(Order::Breadth);
    explorer.most(STATES);
    explorer
}

/// Figure 4: 3, 20, 31, 45 and 52 are 0 to 4; 45 is an appendage, and 52 and 45 have lists that look fine.
fn looking_fine(classic: bool, crashes: u8) -> Explorer<Chord, Zave> {
    const VIEWS: [(Option<usize>, [usize; 2]); 5] =
        [(Some(4), [1, 2]), (Some(0), [2, 4]), (Some(1), [4, 0]), (None, [1, 2]), (Some(2), [0, 3])];
    let rules = rules(5, classic);
    let mut explorer = Explorer::new(rules.peers.iter().map(Peer::addr), rules.clone());
    for (node, (before, list)) in VIEWS.into_iter().enumerate() {
        let mut config = rules.config.clone();
        config.listen = rules.peers[node].addr();
        let list = list.map(|at| rules.peers[at]);
        let machine = Chord::classic(config, rules.peers[node], before.map(|at| rules.peers[at]), &list);
        explorer.up(node, machine, None);
    }
    explorer.crashes(crashes);
    explorer.most(STATES);
    explorer
}

#[test]
fn a_ring_that_began_with_one_node_comes_apart() {
    let example = begun_alone(true).run().expect_err("figure 3");
    println!("{example}");
    assert!(example.steps.iter().any(|step| step == "1 crashes"));
}

#[test]
fn a_small_ring_that_began_with_one_node_does_not() {
    let explored = begun_alone(false).run().unwrap_or_else(|example| panic!("{example}"));
    println!("{explored:?}");
    assert!(explored.complete);
}

#[test]
fn lists_that_look_fine_put_the_ring_out_of_order() {
    let example = looking_fine(true, 1).run().expect_err("figure 4");
    println!("{example}");
    assert!(example.steps.iter().any(|step| step == "0 crashes"));
    // It is the crash that does it.
    let explored = looking_fine(true, 0).run().unwrap_or_else(|example| panic!("{example}"));
    println!("{explored:?}");
}
