//! Looking ahead: most of a large simulation's time goes into waiting for memory, so what is needed soon is touched
//! side by side before it is needed one after another. Nothing but speed follows from it.

use crate::pipes::Pipe;
use crate::sim::{Happening, Sim};
use p2p_core::{Effect, Machine};
use std::hint::black_box;

/// Fewer effects are hardly on several streams.
const MANY: usize = 4;

impl<M: Machine> Sim<M> {
    /// Touches what the next events will need.
    pub(crate) fn look_ahead(&mut self) {
        let happenings = self.agenda.ahead();
        let mut touched = 0;
        for what in happenings.clone() {
            touched ^= match what {
                Happening::Arrive(way) | Happening::Deliver(way) => self.wires.touch(*way),
                Happening::Sent { node } => {
                    let pipe = self.pipes.get(self.nodes[*node as usize].pipe as usize);
                    pipe.and_then(Pipe::next).map_or(0, |way| self.wires.touch(way))
                }
                // Nodes with the packet itself, then, in a second pass, what these point to.
                Happening::Datagram { to, data, .. } => {
                    self.nodes[*to as usize].touch() ^ u64::from(data.first().copied().unwrap_or(0))
                }
                Happening::Timer { node, .. } => self.nodes[*node as usize].touch(),
                _ => 0,
            };
        }
        black_box(touched);
        // Then whoever a stream's next chunk is for, and last what machines say that they need.
        let mut touched = 0;
        for what in happenings.clone() {
            if let Happening::Arrive(way) | Happening::Deliver(way) = what
                && let Some(node) = self.wires.receiver(*way).and_then(|node| self.nodes.get(node as usize))
            {
                touched ^= node.touch();
            }
        }
        black_box(touched);
        let (mut touched, machines) = (0, happenings.clone().filter(|_| self.touch.is_some()));
        for what in machines {
            let node = match what {
                Happening::Datagram { to: node, .. } | Happening::Timer { node, .. } => Some(*node),
                Happening::Arrive(way) | Happening::Deliver(way) => self.wires.receiver(*way),
                _ => None,
            };
            if let (Some(touch), Some(node)) =
                (self.touch, node.and_then(|node| self.nodes.get(node as usize)))
            {
                touched ^= touch(&node.machine);
            }
        }
        black_box(touched);
        let Some(touch) = self.touch_for else { return };
        let mut touched = 0;
        for what in happenings {
            if let Happening::Arrive(way) | Happening::Deliver(way) = what
                && let Some((node, conn, data)) = self.wires.coming(*way)
                && let Some(node) = self.nodes.get(node as usize)
            {
                touched ^= touch(&node.machine, conn, data);
            }
        }
        black_box(touched);
    }

    /// Touches what a machine's effects will need, if it sends on many streams at once.
    pub(crate) fn look_at_streams(&self, node: u32, effects: &[Effect<M>]) {
        if effects.len() < MANY {
            return;
        }
        let conns = &self.nodes[node as usize].conns;
        let mut touched = 0;
        for effect in effects {
            if let Effect::Send(id, _) = effect {
                touched ^= conns.find(*id).map_or(0, |pointer| self.wires.touch_at(pointer));
            }
        }
        black_box(touched);
    }
}
