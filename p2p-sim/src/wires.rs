//! Streams: what is queued, under way and waiting to be read, for both directions of every connection.

use crate::node::NodeIx;
use crate::pipes::Way;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{ConnId, Instant, IoError};
use std::collections::VecDeque;

/// What goes over a wire.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// The other end accepted.
    Open,
    Data(Bytes),
    /// The last.
    End(Result<(), IoError>),
}

impl Chunk {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            _ => 0,
        }
    }
}

/// One end of a stream.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) node: u32,
    pub(crate) id: ConnId,
    /// This end's address, as the other end sees it.
    pub(crate) addr: SocketAddr,
    /// The machine holds a handle to it.
    pub(crate) held: bool,
    /// The machine does not read.
    pub(crate) paused: bool,
}

/// One direction of a stream, named by its sending side.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Not yet sent.
    pub(crate) queue: VecDeque<Bytes>,
    pub(crate) queued: usize,
    /// Sent, and when it arrives.
    pub(crate) flight: VecDeque<(Instant, Chunk)>,
    /// Arrived, and when it is all received.
    pub(crate) inbox: VecDeque<(Instant, Chunk)>,
    /// Sent, and not yet read by the other machine.
    pub(crate) unread: usize,
    /// When the last sent will arrive.
    pub(crate) until: Instant,
    /// The input or event that sent it: what one batch sends arrives together.
    pub(crate) batch: u64,
    /// The other end cannot be reached: since when, how often tried, and when next.
    pub(crate) stalled: Option<(Instant, u32, Instant)>,
    /// Bytes may leave: this end knows that the stream is open.
    pub(crate) open: bool,
    /// The machine was told that the queue is full.
    pub(crate) full: bool,
    /// Waits for its turn, or has it.
    pub(crate) in_turn: bool,
    /// What ends it when the queue is empty.
    pub(crate) last: Option<Result<(), IoError>>,
    /// The end is sent; nothing may follow.
    pub(crate) ended: bool,
}

impl Lane {
    const fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            queued: 0,
            flight: VecDeque::new(),
            inbox: VecDeque::new(),
            unread: 0,
            until: Instant::ZERO,
            batch: 0,
            stalled: None,
            open: false,
            full: false,
            in_turn: false,
            last: None,
            ended: false,
        }
    }

    /// Drops what has not left.
    pub(crate) fn drop_queue(&mut self) {
        self.queue = VecDeque::new();
        self.queued = 0;
    }
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The dialler waits for an answer.
    Dialling,
    /// Accepted.
    Open,
}

/// A stream. Side 0 dialled, side 1 accepted.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) epoch: u32,
    pub(crate) phase: Phase,
    pub(crate) ends: [End; 2],
    pub(crate) lanes: [Lane; 2],
    /// When dialling ends in vain.
    pub(crate) deadline: Instant,
    pub(crate) tries: u32,
    /// The dialler asked for it to be secured.
    pub(crate) secured: bool,
}

/// All streams, in slots that are used again.
#[derive(Debug, Default)]
pub(crate) struct Wires {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
enum Slot {
    Free { epoch: u32 },
    Used(Box<Wire>),
}

impl Wires {
    pub(crate) fn dial(&mut self, ends: [End; 2], deadline: Instant, secured: bool) -> Way {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(Slot::Free { epoch: 0 });
                (self.slots.len() - 1) as u32
            }
        };
        let epoch = match &self.slots[slot as usize] {
            Slot::Free { epoch } => epoch.wrapping_add(1),
            Slot::Used(wire) => wire.epoch,
        };
        self.slots[slot as usize] = Slot::Used(Box::new(Wire {
            epoch,
            phase: Phase::Dialling,
            ends,
            lanes: [Lane::new(), Lane::new()],
            deadline,
            tries: 0,
            secured,
        }));
        Way { slot, epoch, side: 0 }
    }

    /// The stream that a way belongs to, if it is still there.
    pub(crate) fn find(&mut self, way: Way) -> Option<&mut Wire> {
        match self.slots.get_mut(way.slot as usize) {
            Some(Slot::Used(wire)) if wire.epoch == way.epoch => Some(wire),
            _ => None,
        }
    }

    /// The stream in a slot that a handle points to.
    pub(crate) fn at(&mut self, slot: u32) -> Option<&mut Wire> {
        match self.slots.get_mut(slot as usize) {
            Some(Slot::Used(wire)) => Some(wire),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Box<Wire>> {
        let place = self.slots.get_mut(slot as usize)?;
        let epoch = match place {
            Slot::Used(wire) => wire.epoch,
            Slot::Free { .. } => return None,
        };
        self.free.push(slot);
        match std::mem::replace(place, Slot::Free { epoch }) {
            Slot::Used(wire) => Some(wire),
            Slot::Free { .. } => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

/// What a handle of a node points to: slot and side.
pub(crate) const fn pointer(slot: u32, side: usize) -> u32 {
    slot * 2 + side as u32
}

pub(crate) const fn parts(pointer: u32) -> (u32, usize) {
    (pointer / 2, (pointer % 2) as usize)
}

/// No such node: nobody is at the address.
pub(crate) const NOBODY: u32 = u32::MAX;

impl End {
    pub(crate) const fn new(node: Option<NodeIx>, id: ConnId, addr: SocketAddr, held: bool) -> Self {
        let node = match node {
            Some(node) => node.raw(),
            None => NOBODY,
        };
        Self { node, id, addr, held, paused: false }
    }
}
