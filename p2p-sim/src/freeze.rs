//! A process that is stopped for a while and goes on (a suspended laptop, a signal, a long collection of garbage):
//! its machine gets no input, while the system below it goes on receiving.

use crate::node::NodeIx;
use crate::sim::{Happening, Sim};
use p2p_core::{ConnId, Duration, Input, Instant, Machine};
use std::collections::VecDeque;

/// A node that is frozen.
pub(crate) struct Frozen<M: Machine> {
    until: Instant,
    inputs: VecDeque<Input<M>>,
    /// Bytes of the datagrams among them.
    datagrams: usize,
    /// Streams that are not read meanwhile, and were before.
    unread: Vec<ConnId>,
}

impl<M: Machine> Sim<M> {
    /// Freezes a node for so long; if it is frozen already, until the later of both ends. It gets no input meanwhile, and
    /// all of them afterwards, in their order: timers late, commands, answers, and datagrams as far as
    /// [`Options::datagram_queue`](crate::Options) goes. Its streams are not read, so their senders stop in the end.
    pub fn freeze(&mut self, node: NodeIx, span: Duration) {
        let index = node.raw();
        let until = self.now + span;
        let place = &mut self.nodes[node.index()];
        if !place.alive {
            return;
        }
        if let Some(frozen) = self.frozen.get_mut(&index) {
            frozen.until = frozen.until.max(until);
        } else {
            place.frozen = true;
            let unread = self.stop_reading(index);
            let frozen = Frozen { until, inputs: VecDeque::new(), datagrams: 0, unread };
            self.frozen.insert(index, frozen);
        }
        self.push_at(until, Happening::Thaw { node: index });
    }

    /// Whether a node is frozen.
    #[must_use]
    pub fn is_frozen(&self, node: NodeIx) -> bool {
        self.nodes[node.index()].frozen
    }

    /// Keeps an input for when the node goes on.
    pub(crate) fn hold(&mut self, node: u32, input: Input<M>) {
        let Some(frozen) = self.frozen.get_mut(&node) else { return };
        if let Input::Datagram(_, datagram) = &input {
            if frozen.datagrams > self.options.datagram_queue {
                self.traffic.dropped += 1;
                return;
            }
            frozen.datagrams += datagram.data.len();
        }
        frozen.inputs.push_back(input);
    }

    pub(crate) fn thaw(&mut self, node: u32) {
        if self.frozen.get(&node).is_none_or(|frozen| frozen.until > self.now) {
            return;
        }
        let Some(frozen) = self.frozen.remove(&node) else { return };
        self.nodes[node as usize].frozen = false;
        for input in frozen.inputs {
            self.give(node, input);
        }
        for conn in frozen.unread {
            self.pause(node, conn, false);
        }
    }
}
