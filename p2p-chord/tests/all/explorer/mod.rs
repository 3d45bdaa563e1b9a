//! Every order in which messages, time-outs, crashes and joins can happen in small rings of real nodes.
//!
//! A ring is drawn as a text, `BB.mB`: around it, in order, a node of the *base* (r + 1 members that never crash, Zave
//! 2015), another member in the beginning, or a node that is not in yet. Within the numbers of crashes and joins that a
//! test gives, any node that is not of the base may crash at any time, also while it joins, and any that is down may
//! join, also again, by the first node of the base. Fingers are not looked after, and lookups ask one node at a time.
//!
//! Nor does anybody look for other rings (`Timer::Merge`): in one ring that is a lookup of a node's own place, and what comes
//! of it is the step that is explored here as `nearer`, of a member that answers and lies between a node and its successor.
//! Zave's proof asks no more of it, whoever named it. Rings that are two are none of her rules' until they are one, so the
//! tests of `merge` look at those.

mod classic;
mod movers;
mod rules;

use p2p_chord::{Chord, Config, Peer};
use p2p_sim::explore::{Explored, Explorer, Order};
use rules::{Crashes, Detail, Zave};
use std::net::SocketAddr;

/// A ring to be explored.
#[derive(Clone, Debug)]
struct Ring {
    /// Around it.
    pattern: String,
    r: usize,
    crashes: u8,
    joins: u8,
    /// Nodes that wait for an answer while another one begins to stabilise.
    overlap: usize,
    detail: Detail,
    /// States to visit.
    most: usize,
}

impl Ring {
    fn new(pattern: &str, crashes: u8, joins: u8, overlap: usize) -> Self {
        let r = pattern.matches('B').count().saturating_sub(1);
        let (pattern, detail) = (pattern.to_owned(), Detail::Movers);
        Self { pattern, r, crashes, joins, overlap, detail, most: usize::MAX }
    }

    fn rules(&self) -> Zave {
        let mut config = Config::default();
        config.successors = self.r;
        config.parallel = 1;
        // No fingers are learnt of answers.
        config.proximity = false;
        let mut peers: Vec<Peer> = (1..=self.pattern.len() as u8)
            .map(|host| Peer::new(config.network, SocketAddr::from(([10, 0, 0, host], 4000))))
            .collect();
        peers.sort_by_key(Peer::id);
        Zave {
            config,
            peers,
            base: self.pattern.chars().map(|place| place == 'B').collect(),
            door: self.pattern.find('B').unwrap_or(0),
            overlap: self.overlap,
            detail: self.detail,
            crashes: Crashes::Sparing,
            checks: true,
        }
    }

    fn explorer(&self) -> Explorer<Chord, Zave> {
        let rules = self.rules();
        let places = self.pattern.char_indices().filter(|(_, place)| *place != '.');
        let members: Vec<usize> = places.map(|(node, _)| node).collect();
        let mut explorer = Explorer::new(rules.peers.iter().map(Peer::addr), rules.clone());
        for node in &members {
            explorer.up(*node, rules.settled(&members, *node), None);
        }
        explorer.settle(2);
        explorer.crashes(self.crashes);
        explorer.boots(self.joins);
        explorer.most(self.most);
        explorer.order(Order::Depth);
        explorer
    }

    fn explore(&self) -> Explored {
        let explored = self.explorer().run().unwrap_or_else(|example| panic!("{self:?}\n{example}"));
        println!("{self:?}\n  {explored:?}");
        explored
    }

    /// All of it.
    fn explore_all(&self) -> Explored {
        let explored = self.explore();
        assert!(explored.complete, "{self:?}");
        explored
    }
}

#[test]
fn nodes_join_and_crash_in_the_smallest_ring() {
    assert!(Ring::new("BB.B", 1, 2, 1).explore_all().states > 1_000);
}

#[test]
fn two_join_at_once() {
    assert!(Ring::new("BB..B", 0, 2, 2).explore_all().states > 400);
}

/// Explores these one after the other, and tells how much that was.
fn explore_each(rings: impl IntoIterator<Item = Ring>) {
    let mut all = (0, 0);
    for ring in rings {
        let explored = ring.explore_all();
        all = (all.0 + explored.states, all.1 + explored.transitions);
    }
    println!("{} states and {} transitions in all", all.0, all.1);
}

/// The ways to place three of the base among six, and four among seven, but for turns of the ring.
const SIX: [&str; 4] = ["BBB...", "BB.B..", "BB..B.", "B.B.B."];
const SEVEN: [&str; 5] = ["BBBB...", "BBB.B..", "BBB..B.", "BB.BB..", "BB.B.B."];

fn with_members(pattern: &str) -> String {
    pattern.replace('.', "m")
}

#[test]
#[ignore = "three quarters of a million states: half a minute in release"]
fn any_number_of_messages_on_their_way() {
    explore_each([
        Ring::new("BB..B", 1, 2, usize::MAX),
        Ring::new("BB...B", 0, 3, usize::MAX),
        Ring::new("BBmmmB", 3, 0, usize::MAX),
        Ring::new("BBB.B", 1, 2, usize::MAX),
    ]);
}

#[test]
#[ignore = "millions of states: minutes in release"]
fn six_nodes_with_lists_of_two() {
    explore_each(SIX.map(|pattern| Ring::new(pattern, 1, 3, 1)));
    explore_each(SIX.map(|pattern| Ring::new(pattern, 1, 2, 2)));
    explore_each(SIX.map(|pattern| Ring::new(&with_members(pattern), 2, 2, 1)));
}

#[test]
#[ignore = "millions of states: minutes in release"]
fn seven_nodes_with_lists_of_three() {
    explore_each(SEVEN.map(|pattern| Ring::new(pattern, 1, 3, 1)));
    explore_each(SEVEN.map(|pattern| Ring::new(pattern, 1, 2, 2)));
    explore_each(SEVEN.map(|pattern| Ring::new(&with_members(pattern), 2, 2, 1)));
}

#[test]
#[ignore = "fifty times as many states: seconds in release"]
fn what_is_left_out_leads_nowhere_else() {
    for crashes in [0, 1] {
        let mut ring = Ring::new("BB.B", crashes, 1, usize::MAX);
        let short = ring.explore_all();
        ring.detail = Detail::Full;
        let full = ring.explore_all();
        assert_eq!((short.rests, short.rests_sum), (full.rests, full.rests_sum), "where it comes to rest");
        assert!(full.states > 15 * short.states);
    }
}

/// `RING=BB.B CRASHES=1 JOINS=2 OVERLAP=1 cargo test --release -p p2p-chord --test all explorer::by_hand -- --ignored
/// --nocapture`; `MOST=1000000` states, `FULL=1` leaves nothing out.
#[test]
#[ignore = "explores what the environment asks for"]
fn by_hand() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<usize>().unwrap());
    let pattern = std::env::var("RING").unwrap_or_else(|_| "BB.B".into());
    let (crashes, joins) = (number("CRASHES").unwrap_or(1), number("JOINS").unwrap_or(2));
    let overlap = number("OVERLAP").unwrap_or(usize::MAX);
    let mut ring = Ring::new(&pattern, crashes as u8, joins as u8, overlap);
    ring.most = number("MOST").unwrap_or(usize::MAX);
    ring.detail = if number("FULL") == Some(1) { Detail::Full } else { Detail::Movers };
    ring.explore();
}
