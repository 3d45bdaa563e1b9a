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
#[repr(C)]
pub(crate) struct End {
    pub(crate) id: ConnId,
    pub(crate) node: u32,
    /// The machine holds a handle to it.
    pub(crate) held: bool,
    /// The machine does not read.
    pub(crate) paused: bool,
    /// It is being secured: nothing is read meanwhile.
    pub(crate) securing: bool,
}

/// One direction of a stream, named by its sending side.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Lane {
    /// In order: what arrived, and when it is all received; what is under way, and when it arrives; what is not yet sent.
    chunks: VecDeque<(Instant, Chunk)>,
    arrived: u32,
    flying: u32,
    /// Bytes not yet sent.
    pub(crate) queued: usize,
    /// Sent, and not yet read by the other machine.
    pub(crate) unread: usize,
    /// When the last sent will arrive.
    pub(crate) until: Instant,
    /// The input or event that sent it: what one batch sends arrives together.
    pub(crate) batch: u64,
    /// Bytes may leave: this end knows that the stream is open.
    pub(crate) open: bool,
    /// The machine was told that the queue is full.
    pub(crate) full: bool,
    /// Waits for its turn.
    pub(crate) in_turn: bool,
    /// The end is sent; nothing may follow.
    pub(crate) ended: bool,
    /// The other end cannot be reached; more stands in [`Wire::stalls`].
    pub(crate) stalled: bool,
    /// What ends it when the queue is empty.
    pub(crate) last: Option<Result<(), IoError>>,
}

impl Lane {
    const fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            arrived: 0,
            flying: 0,
            queued: 0,
            unread: 0,
            until: Instant::ZERO,
            batch: 0,
            open: false,
            full: false,
            in_turn: false,
            ended: false,
            stalled: false,
            last: None,
        }
    }

    const fn sent(&self) -> usize {
        (self.arrived + self.flying) as usize
    }

    /// Whether nothing waits to be sent.
    pub(crate) fn is_drained(&self) -> bool {
        self.chunks.len() == self.sent()
    }

    /// Puts something behind what waits to be sent.
    pub(crate) fn queue(&mut self, data: Bytes) {
        self.queued += data.len();
        self.chunks.push_back((Instant::ZERO, Chunk::Data(data)));
    }

    /// The length of what is to be sent next.
    pub(crate) fn next_len(&self) -> Option<usize> {
        self.chunks.get(self.sent()).map(|(_, chunk)| chunk.len())
    }

    /// How many chunks wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.chunks.len() - self.sent()
    }

    /// How many chunks go in the next turn, and their bytes: a whole quantum, and the few bytes of a head that goes with
    /// it. A longer chunk is cut.
    pub(crate) fn turn(&mut self, quantum: usize) -> (usize, usize) {
        let (at, most) = (self.sent(), quantum + quantum / 16);
        if let Some((_, Chunk::Data(data))) = self.chunks.get_mut(at)
            && data.len() > most
        {
            let first = data.split_to(quantum);
            self.chunks.insert(at, (Instant::ZERO, Chunk::Data(first)));
        }
        let (mut count, mut bytes) = (0, 0);
        while bytes < quantum
            && let Some((_, next)) = self.chunks.get(at + count)
            && bytes + next.len() <= most
        {
            bytes += next.len();
            count += 1;
        }
        (count, bytes)
    }

    /// Sends the next of what waits, to arrive then; its length.
    pub(crate) fn launch(&mut self, arrives: Instant) -> Option<usize> {
        let at = self.sent();
        let (when, chunk) = self.chunks.get_mut(at)?;
        *when = arrives;
        self.queued -= chunk.len();
        self.flying += 1;
        Some(chunk.len())
    }

    /// Puts something before what waits to be sent.
    pub(crate) fn pass(&mut self, chunk: Chunk) {
        self.queued += chunk.len();
        match self.sent() {
            // Nothing waits, as nearly always.
            sent if sent == self.chunks.len() => self.chunks.push_back((Instant::ZERO, chunk)),
            sent => self.chunks.insert(sent, (Instant::ZERO, chunk)),
        }
    }

    /// When the last of what is under way arrives.
    pub(crate) fn last_arrival(&self) -> Option<Instant> {
        let at = self.sent().checked_sub(1).filter(|_| self.flying > 0)?;
        self.chunks.get(at).map(|(when, _)| *when)
    }

    /// The first of what is under way, and when it arrives.
    pub(crate) fn first_flying(&self) -> Option<&(Instant, Chunk)> {
        self.chunks.get(self.arrived as usize).filter(|_| self.flying > 0)
    }

    /// How many chunks with data came in by now, and their bytes: what was sent together is received together, as the
    /// segments of one burst are. An end comes by itself.
    pub(crate) fn burst(&self, now: Instant) -> (usize, usize) {
        let flying = self.chunks.range(self.arrived as usize..self.sent());
        let come = flying.take_while(|(at, chunk)| *at <= now && !matches!(chunk, Chunk::End(_)));
        let (count, bytes) = come.fold((0, 0), |(count, bytes), (_, chunk)| (count + 1, bytes + chunk.len()));
        (count.max(1), bytes)
    }

    /// The first of what is under way arrives, when nothing waits to be read: takes it.
    pub(crate) fn land(&mut self) -> Option<Chunk> {
        debug_assert_eq!(self.arrived, 0, "it would pass what came before");
        self.flying -= 1;
        self.take_first()
    }

    /// Takes the first chunk. An empty lane begins again at the front of its buffer: a ring that goes round by one
    /// place at a time finds each place cold.
    fn take_first(&mut self) -> Option<Chunk> {
        let (_, chunk) = self.chunks.pop_front()?;
        if self.chunks.is_empty() {
            self.chunks.clear();
        }
        Some(chunk)
    }

    /// The first of what is under way arrives, to be read then.
    pub(crate) fn land_for(&mut self, read: Instant) {
        if let Some((when, _)) = self.chunks.get_mut(self.arrived as usize) {
            *when = read;
            self.arrived += 1;
            self.flying -= 1;
        }
    }

    /// When the last of what arrived can be read.
    pub(crate) fn last_readable(&self) -> Option<Instant> {
        let at = (self.arrived as usize).checked_sub(1)?;
        self.chunks.get(at).map(|(when, _)| *when)
    }

    /// Whether something arrived that is not read.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.arrived > 0
    }

    /// Takes the first of what arrived, if it can be read by now.
    pub(crate) fn read(&mut self, now: Instant) -> Option<Chunk> {
        let (when, _) = self.chunks.front().filter(|_| self.arrived > 0)?;
        if *when > now {
            return None;
        }
        self.arrived -= 1;
        self.take_first()
    }

    /// Puts what was read and given back before all that arrived.
    pub(crate) fn give_back(&mut self, data: Bytes, now: Instant) {
        self.unread += data.len();
        self.chunks.push_front((now, Chunk::Data(data)));
        self.arrived += 1;
    }

    /// Drops what arrived and is not read.
    pub(crate) fn drop_arrived(&mut self) {
        self.chunks.drain(..self.arrived as usize);
        self.arrived = 0;
    }

    /// Drops what has not left.
    pub(crate) fn drop_queue(&mut self) {
        self.chunks.truncate(self.sent());
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

/// A stream. Side 0 dialled, side 1 accepted. In this order in memory: what every chunk needs comes first.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Wire {
    pub(crate) epoch: u32,
    pub(crate) phase: Phase,
    /// The dialler asked for it to be secured.
    pub(crate) secured: bool,
    pub(crate) ends: [End; 2],
    pub(crate) lanes: [Lane; 2],
    /// Of lanes whose other end cannot be reached: since when, how often tried, and when next.
    pub(crate) stalls: [(Instant, u32, Instant); 2],
    /// Each end's address, as the other end sees it.
    pub(crate) addrs: [SocketAddr; 2],
    /// When dialling ends in vain.
    pub(crate) deadline: Instant,
    pub(crate) tries: u32,
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
    pub(crate) fn dial(
        &mut self,
        ends: [End; 2],
        addrs: [SocketAddr; 2],
        deadline: Instant,
        secured: bool,
    ) -> Way {
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
            secured,
            ends,
            lanes: [Lane::new(), Lane::new()],
            stalls: [(Instant::ZERO, 0, Instant::ZERO); 2],
            addrs,
            deadline,
            tries: 0,
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

    /// Reads something of everything that a stream's next chunk needs, so that it is at hand then.
    pub(crate) fn touch(&self, way: Way) -> u64 {
        self.touch_at(pointer(way.slot, way.side as usize))
    }

    /// The same by what a handle points to.
    pub(crate) fn touch_at(&self, pointer: u32) -> u64 {
        let (slot, side) = parts(pointer);
        let Some(Slot::Used(wire)) = self.slots.get(slot as usize) else { return 0 };
        let lane = &wire.lanes[side];
        let first = lane.chunks.front().map_or(0, |(at, _)| at.as_nanos());
        first ^ u64::from(wire.epoch) ^ u64::from(lane.arrived) ^ u64::from(lane.stalled)
    }

    /// Whom the next chunk of a way is for.
    pub(crate) fn receiver(&self, way: Way) -> Option<u32> {
        match self.slots.get(way.slot as usize) {
            Some(Slot::Used(wire)) => Some(wire.ends[1 - way.side as usize].node),
            _ => None,
        }
    }

    /// What comes next by a way, if that is data: for whom, and the stream as it is named there.
    pub(crate) fn coming(&self, way: Way) -> Option<(u32, ConnId, &[u8])> {
        let Some(Slot::Used(wire)) = self.slots.get(way.slot as usize) else { return None };
        let end = &wire.ends[1 - way.side as usize];
        match wire.lanes[way.side as usize].chunks.front() {
            Some((_, Chunk::Data(data))) if end.held => Some((end.node, end.id, data)),
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
    pub(crate) const fn new(node: Option<NodeIx>, id: ConnId, held: bool) -> Self {
        let node = match node {
            Some(node) => node.raw(),
            None => NOBODY,
        };
        Self { id, node, held, paused: false, securing: false }
    }
}
