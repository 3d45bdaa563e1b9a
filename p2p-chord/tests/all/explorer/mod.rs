//! Every order in which messages, time-outs, crashes and joins can happen in small rings of real nodes.
//!
//! A ring is drawn as a text, `BB.mB`: around it, in order, a node of the *base* (r + 1 members that never crash, Zave
//! 2015), another member in the beginning, or a node that is not in yet. Within the numbers of crashes and joins that a
//! test gives, any node that is not of the base may crash at any time, also while it joins, and any that is down may
//! join, also again, by the first node of the base. A crash must leave a live entry in each list, and in each that is on its
//! way: Zave's operating assumption. Silence counts as death once all that the dead one said has been heard.
//!
//! # What is explored
//!
//! Every order in which letters arrive, stabilisations begin, questions to who is gone are given up, nodes crash, join and come
//! back. With an *overlap* of 1 or 2 nobody begins to stabilise while so many others wait for answers (of any kind: who joins
//! is one of them); without, any number do. It is a bound like those of crashes and joins: with more under way more can happen.
//! In each state the invariant holds: no node twice in a list, lists in order and
//! full, a live member in each, and r + 1 members that nobody's list skips; and from each state in which nothing is under way,
//! to one of which each other one leads, every list and predecessor becomes right in a few rounds.
//!
//! # What is left out of the machine
//!
//! - *Fingers*: none are looked after or learnt. They are where a lookup may begin, and whom to turn to should a whole
//!   list be dead, which the operating assumption excludes. Lookups ask one node at a time.
//! - *Other rings* (`Timer::Merge`): in one ring that is a lookup of a node's own place, and what comes of it is the step
//!   that is explored here as `nearer`, of a member that answers and lies between a node and its successor. Zave's proof asks
//!   no more of it, whoever named it. Rings that are two are none of her rules' until they are one, so the tests of
//!   `merge` look at those.
//! - *Who is not heard*: a node that its successor hears and it does not is named to who looks for a place. That is for
//!   links by which some hear each other and others do not (tests of `links`).
//! - *Leaving*, which is a crash with notice, *storage*, and letters that are lost on the way, which differ from late ones
//!   only by being asked again.
//!
//! # What is left out of the states, and which letters arrive at once
//!
//! What the ring cannot change by ([`Chord::outline`]), what the receiver of an answer does not read, and the orders of what
//! commutes: see `movers`, with the reasons. [`compare_with_full`] explores with all of that left in, too, and finds
//! the same states of rest.

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
    assert!(Ring::new("BB.B", 1, 2, 1).explore_all().states > 700);
}

#[test]
fn two_join_at_once() {
    assert!(Ring::new("BB..B", 0, 2, 2).explore_all().states > 4_000);
}

/// Explores these one after the other, and tells how much that was.
fn explore_each(rings: impl IntoIterator<Item = Ring>) {
    let mut all = (0, 0);
    for ring in rings {
        let explored = ring.explore_all();
        all = (all.0 + explored.states, all.1 + explored.transitions);
    }
    println!("note: {} states and {} transitions in all", all.0, all.1);
}

/// The ways to place so many of the base among so many nodes, but for turns of the ring.
fn placements(nodes: usize, base: u32) -> impl Iterator<Item = String> {
    let turned = move |places: u32, by: usize| (places >> by | places << (nodes - by)) & ((1 << nodes) - 1);
    let is_least = move |places: &u32| (1..nodes).all(|by| turned(*places, by) >= *places);
    let least = (0..1 << nodes).filter(move |places: &u32| places.count_ones() == base).filter(is_least);
    least.map(move |places| {
        (0..nodes).map(|node| if places >> node & 1 == 1 { 'B' } else { '.' }).collect::<String>()
    })
}

fn with_members(pattern: &str) -> String {
    pattern.replace('.', "m")
}

#[test]
fn each_placement_once() {
    assert_eq!(placements(6, 3).collect::<Vec<_>>(), ["BBB...", "BB.B..", "B.BB..", "B.B.B."]);
    assert_eq!(placements(7, 4).count(), 5);
    assert_eq!(placements(9, 4).count(), 14);
}

#[test]
fn any_number_of_messages_on_their_way() {
    explore_each([
        Ring::new("BBB...", 1, 1, usize::MAX),
        Ring::new("BBmB", 1, 1, usize::MAX),
        Ring::new("BBBmmm", 2, 0, usize::MAX),
    ]);
}

#[test]
#[ignore = "hundreds of thousands of steps: seconds in release"]
fn any_number_of_messages_of_two_who_join() {
    explore_each([
        Ring::new("BB.B", 1, 2, usize::MAX),
        Ring::new("BB..B", 0, 2, usize::MAX),
        Ring::new("BBB...", 0, 2, usize::MAX),
        Ring::new("BBBmmm", 1, 1, usize::MAX),
        Ring::new("BBBmmm", 3, 0, usize::MAX),
    ]);
}

#[test]
#[ignore = "two million states: half a minute in release"]
fn six_nodes_with_lists_of_two() {
    explore_each(placements(6, 3).map(|pattern| Ring::new(&pattern, 1, 3, 1)));
    explore_each(placements(6, 3).map(|pattern| Ring::new(&pattern, 1, 2, 2)));
    explore_each(placements(6, 3).map(|pattern| Ring::new(&with_members(&pattern), 2, 2, 1)));
}

#[test]
#[ignore = "millions of states: half a minute in release"]
fn seven_nodes_with_lists_of_three() {
    explore_each(placements(7, 4).map(|pattern| Ring::new(&pattern, 1, 3, 1)));
    explore_each(placements(7, 4).map(|pattern| Ring::new(&with_members(&pattern), 2, 2, 1)));
}

#[test]
#[ignore = "millions of states: half a minute in release"]
fn seven_nodes_that_wait_for_answers_at_once() {
    explore_each(placements(7, 4).map(|pattern| Ring::new(&pattern, 1, 2, 2)));
}

#[test]
#[ignore = "by hand: ten million states, minutes in release"]
fn nine_nodes_with_lists_of_three() {
    explore_each(placements(9, 4).map(|pattern| Ring::new(&pattern, 1, 3, 1)));
    explore_each(placements(9, 4).map(|pattern| Ring::new(&with_members(&pattern), 2, 2, 1)));
}

#[test]
#[ignore = "by hand: ten million states, minutes in release"]
fn nine_nodes_that_wait_for_answers_at_once() {
    explore_each(placements(9, 4).map(|pattern| Ring::new(&pattern, 1, 2, 2)));
}

/// What is left out of a state, and letters that arrive at once, lose no state of rest.
fn compare_with_full(mut ring: Ring) {
    let short = ring.explore_all();
    ring.detail = Detail::Full;
    let full = ring.explore_all();
    assert_eq!((short.rests, short.rests_sum), (full.rests, full.rests_sum), "where it comes to rest");
    assert!(full.states > 20 * short.states);
}

#[test]
fn what_is_left_out_leads_nowhere_else() {
    compare_with_full(Ring::new("BB.B", 0, 1, usize::MAX));
    // One that crashes and is back.
    compare_with_full(Ring::new("BBmB", 1, 1, 1));
}

#[test]
#[ignore = "hundreds of thousands of states: seconds in release"]
fn what_is_left_out_leads_nowhere_else_with_more_under_way() {
    compare_with_full(Ring::new("BB.B", 1, 1, usize::MAX));
    compare_with_full(Ring::new("BBmB", 1, 1, 2));
}

/// States that are taken for one are left by as many steps, to states that are taken for one: else it would matter which
/// of them is met first.
#[test]
fn the_order_of_visits_makes_no_difference() {
    let ring = Ring::new("BBmB", 1, 1, usize::MAX);
    let explore = |order| {
        let mut explorer = ring.explorer();
        explorer.order(order);
        let explored = explorer.run().unwrap_or_else(|example| panic!("{example}"));
        (explored.states, explored.transitions, explored.rests, explored.rests_sum)
    };
    assert_eq!(explore(Order::Depth), explore(Order::Breadth));
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
