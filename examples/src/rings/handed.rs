//! A ring in one loop: what a node sends is handed to its receiver at once, without sockets or time.

use p2p_chord::{Chord, Command, Config, Peer};
use p2p_core::{
    Cx, Datagram, Effect, Input, Instant, Machine as _, OpId, OpInput, Rng, SocketId, Source, UnixTime,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// All nodes, and what is on its way between them.
#[derive(Debug)]
pub struct Handed {
    nodes: Vec<(SocketAddr, Chord, Source)>,
    index: BTreeMap<SocketAddr, usize>,
    wire: VecDeque<(usize, Datagram)>,
    effects: Vec<Effect<Chord>>,
    messages: u64,
    succeeded: usize,
}

impl Handed {
    /// A ring of so many nodes that all know it as it is, with all other nodes as candidates for fingers.
    #[must_use]
    pub fn settled(count: usize, config: &Config) -> Self {
        let at = |node: usize| SocketAddr::from(([10, 0, (node >> 8) as u8, node as u8], 4000));
        let mut peers: Vec<Peer> = (0..count).map(|node| Peer::new(config.network, at(node))).collect();
        peers.sort_by_key(Peer::id);
        let around = |place: usize| peers[place % count];
        let nodes = peers.iter().enumerate().map(|(place, me)| {
            let successors: Vec<Peer> = (1..=config.successors).map(|step| around(place + step)).collect();
            let fingers = (config.successors + 1..count).map(|step| around(place + step));
            let chord = Chord::settled(config.clone(), *me, around(place + count - 1), &successors, fingers);
            (me.addr(), chord, Source::new(Rng::fast_from(place as u64)))
        });
        let nodes: Vec<_> = nodes.collect();
        let index = nodes.iter().enumerate().map(|(node, (addr, ..))| (*addr, node)).collect();
        let (wire, effects) = (VecDeque::new(), Vec::new());
        let mut ring = Self { nodes, index, wire, effects, messages: 0, succeeded: 0 };
        (0..count).for_each(|node| ring.input(node, Input::Start));
        ring
    }

    /// Asks each of these of a node by chance, one after the other; how many succeed, and how many messages they cost.
    pub fn ask(&mut self, rng: &mut Rng, commands: Vec<Command>) -> (usize, u64) {
        let before = (self.succeeded, self.messages);
        for (op, command) in (1..).zip(commands) {
            let node = rng.index(self.nodes.len());
            self.input(node, Input::Op(OpId::from_raw(op), OpInput::Ask(command)));
            while let Some((to, datagram)) = self.wire.pop_front() {
                self.input(to, Input::Datagram(SocketId::from_raw(1), datagram));
            }
        }
        (self.succeeded - before.0, self.messages - before.1)
    }

    fn input(&mut self, node: usize, input: Input<Chord>) {
        let (addr, chord, source) = &mut self.nodes[node];
        let civil = UnixTime::from_secs(1_767_225_600);
        chord.handle(input, &mut Cx::new(Instant::ZERO, civil, source, &mut self.effects));
        for effect in self.effects.drain(..) {
            match effect {
                Effect::SendTo(_, datagram) => {
                    let to = self.index[&datagram.peer];
                    self.wire.push_back((to, Datagram { peer: *addr, ..datagram }));
                    self.messages += 1;
                }
                Effect::Finish(_, result) => self.succeeded += usize::from(result.is_ok()),
                _ => {}
            }
        }
    }
}
