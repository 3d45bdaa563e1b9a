//! The explorer, on machines so small that all their states can be counted by hand.

use p2p_core::{Cx, Duration, Input, Machine, SocketId};
use p2p_sim::explore::{Explored, Explorer, Letter, Node, Nudge, Order, Rules, World};
use std::hash::{Hash as _, Hasher};
use std::net::SocketAddr;

/// Sends its number to the hub once, at a command; keeps the last number that it heard, and how many.
#[derive(Clone, Default)]
struct Register {
    number: u8,
    socket: Option<SocketId>,
    last: u8,
    heard: u8,
    /// Drawn for nothing: no two states would be the same by it.
    noise: u64,
}

impl Machine for Register {
    type Command = ();
    type Event = ();
    type Error = std::fmt::Error;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        self.noise = cx.rng().bits();
        match input {
            Input::Start => {
                self.socket = Some(cx.bind(addr(self.number)));
                cx.set_timer((), Duration::from_secs(1));
            }
            Input::Timer(()) if self.number > 0 => {
                let socket = self.socket.expect("bound at the start");
                cx.send_to(socket, addr(0), vec![self.number]);
            }
            Input::Datagram(_, datagram) => (self.last, self.heard) = (datagram.data[0], self.heard + 1),
            _ => {}
        }
    }
}

fn addr(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 1))
}

#[derive(Clone, Copy)]
struct Hub {
    /// Letters of this node arrive at once.
    prompt: Option<usize>,
    /// This must not be the last that the hub hears of two.
    never_last: u8,
    /// So many must be heard in the end.
    wanted: u8,
}

impl Rules<Register> for Hub {
    fn node(&self, node: &Node<Register>, mut into: &mut dyn Hasher) {
        (node.machine().last, node.machine().heard, node.is_set(())).hash(&mut into);
    }

    fn letter(&self, letter: &Letter, _: &World<Register>, mut into: &mut dyn Hasher) {
        letter.data.hash(&mut into);
    }

    fn is_prompt(&self, letter: &Letter, _: &World<Register>) -> bool {
        self.prompt == Some(letter.from)
    }

    fn nudges(&self, node: usize, world: &World<Register>) -> Vec<Nudge<()>> {
        let is_set = world.node(node).is_some_and(|node| node.is_set(()));
        let nudge = Nudge { timer: (), why: "sends", about: None, periodic: true };
        if is_set && node > 0 { vec![nudge] } else { Vec::new() }
    }

    fn may_crash(&self, node: usize, _: &World<Register>) -> bool {
        node == 1
    }

    fn boots(&self, node: usize, _: &World<Register>) -> usize {
        usize::from(node == 1)
    }

    fn boot(&self, node: usize, _: usize) -> (Register, ()) {
        (Register { number: node as u8, ..Register::default() }, ())
    }

    fn check(&self, world: &World<Register>) -> Result<(), String> {
        let hub = world.machine(0).ok_or("the hub is gone")?;
        if hub.heard == 2 && hub.last == self.never_last {
            return Err(format!("{} was last", hub.last));
        }
        Ok(())
    }

    fn goal(&self, world: &World<Register>) -> Result<(), String> {
        let heard = world.machine(0).map_or(0, |hub| hub.heard);
        if heard >= self.wanted { Ok(()) } else { Err(format!("{heard} were heard")) }
    }
}

const FINE: Hub = Hub { prompt: None, never_last: 9, wanted: 2 };

fn explorer(rules: Hub) -> Explorer<Register, Hub> {
    let mut explorer = Explorer::new((0..3).map(addr), rules);
    for number in 0..3 {
        explorer.up(usize::from(number), Register { number, ..Register::default() }, None);
    }
    explorer
}

fn run(explorer: &Explorer<Register, Hub>) -> Explored {
    explorer.run().unwrap_or_else(|example| panic!("{example}"))
}

#[test]
fn every_state_is_visited_once() {
    // Each of two numbers is unsent, on its way or heard: nine, and one more for which of both was heard last.
    for order in [Order::Breadth, Order::Depth] {
        let mut explorer = explorer(FINE);
        explorer.order(order);
        let explored = run(&explorer);
        assert_eq!((explored.states, explored.transitions), (10, 12));
        // Nothing is under way where nothing is on its way: four, and that one more.
        assert_eq!((explored.rests, explored.complete), (5, true));
    }
}

#[test]
fn what_arrives_at_once_saves_states() {
    let explored = run(&explorer(Hub { prompt: Some(1), ..FINE }));
    assert_eq!(explored.states, 7, "one of both is never on its way");
    assert_eq!(explored.rests_sum, run(&explorer(FINE)).rests_sum);
}

#[test]
fn a_fault_is_told_by_its_shortest_way() {
    let example = explorer(Hub { never_last: 1, ..FINE }).run().expect_err("1 can be last");
    assert_eq!(example.fault, "1 was last");
    assert_eq!(example.steps.len(), 4, "{example}");
    assert_eq!(example.steps.iter().filter(|step| *step == "2: sends").count(), 1, "{example}");
    assert_eq!(example.steps.last().map(String::as_str), Some("0 hears of 1: 1 bytes"));
}

#[test]
fn a_goal_that_a_crash_puts_out_of_reach_is_told() {
    let mut explorer = explorer(FINE);
    explorer.crashes(1);
    let example = explorer.run().expect_err("1 never sends");
    assert_eq!(example.steps, ["1 crashes"], "{example}");
    assert!(example.fault.ends_with("1 were heard"), "{example}");
    // What comes up again does its part.
    explorer.boots(1);
    assert!(explorer.run().is_err(), "it may also stay down");
}

#[test]
fn a_limit_is_kept_and_told() {
    let mut explorer = explorer(FINE);
    explorer.most(4);
    let explored = run(&explorer);
    assert!(!explored.complete && explored.states < 10);
}
