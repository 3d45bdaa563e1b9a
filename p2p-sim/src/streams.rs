//! The life of streams: dialling, sending by turns, arriving, reading, ending.

use crate::node::NodeIx;
use crate::pipes::{Pipe, Way, wire_time};
use crate::sim::{Happening, Sim};
use crate::wires::{Chunk, End, NOBODY, Phase, parts, pointer};
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{ConnId, Duration, Input, Instant, IoError, Machine, Security, StreamInput, Target};

/// How long a sender waits before it tries an unreachable receiver for the `tries`th time: doubling, but so that a
/// healed network is whole again within seconds.
fn patience(tries: u32) -> Duration {
    Duration::from_millis(500 << tries.min(3)).min(Duration::from_secs(3))
}

/// Bytes that fit into one packet: TCP's over Ethernet.
const PACKET: usize = 1460;

const fn other(side: u8) -> usize {
    1 - side as usize
}

impl<M: Machine> Sim<M> {
    pub(crate) fn connect(&mut self, node: u32, id: ConnId, target: Target, security: &Security) {
        let secured = *security != Security::None;
        let addr = match target {
            Target::Addr(addr) => Ok(addr),
            Target::Name { host, port } => self
                .lookup(&host)
                .and_then(|found| found.first().copied().ok_or(IoError::Unresolved))
                .map(|ip| SocketAddr::new(ip, port)),
        };
        // What cannot be resolved gets a wire to nobody all the same: the machine may close it before it hears so.
        let (addr, error) = match addr {
            Ok(addr) => (addr, None),
            Err(error) => (SocketAddr::from(([0, 0, 0, 0], 0)), Some(error)),
        };
        let to = match error {
            None if addr.ip().is_loopback() => Some(NodeIx::new(node)),
            None => self.node_at(addr.ip()),
            Some(_) => None,
        };
        let place = &mut self.nodes[node as usize];
        let ip = if addr.ip().is_loopback() { addr.ip() } else { place.addr };
        let from = SocketAddr::new(ip, place.free_port());
        let ends = [End::new(Some(NodeIx::new(node)), id, true), End::new(to, ConnId::from_raw(0), false)];
        let way = self.wires.dial(ends, [from, addr], self.now + self.options.connect_timeout, secured);
        self.nodes[node as usize].conns.insert(id, pointer(way.slot, 0));
        self.traffic.dialled += 1;
        if let Some(error) = error {
            return self.push_after(self.options.resolve_time, Happening::Fail { way, error });
        }
        let delay = match to {
            Some(to) => self.world.burst(node, to.raw(), 0, self.now),
            None => Duration::ZERO,
        };
        self.push_after(delay, Happening::Dial(way));
    }

    /// The dialler's first packet is there, or would be.
    pub(crate) fn dialled(&mut self, way: Way) {
        let Some(wire) = self.wires.find(way) else { return };
        let (from, to, port) = (wire.ends[0].node, wire.ends[1].node, wire.addrs[1].port());
        let unreachable = to == NOBODY
            || !self.nodes[to as usize].alive
            || self.world.apart(from, to)
            || self.world.apart(to, from);
        if unreachable {
            if self.now >= wire.deadline {
                return self.sever(way, IoError::TimedOut);
            }
            let at = (self.now + Duration::from_secs(1 << wire.tries.min(3))).min(wire.deadline);
            wire.tries += 1;
            return self.push_at(at, Happening::Dial(way));
        }
        let listener =
            self.nodes[to as usize].listeners.iter().find(|listener| listener.port == port).copied();
        let back = Way { side: 1, ..way };
        let Some(listener) = listener.filter(|listener| !listener.local || from == to) else {
            return self.depart(back, Chunk::End(Err(IoError::Refused)));
        };
        if wire.secured || listener.secured {
            self.traffic.secured += 1;
            if self.world.insecure() {
                return self.depart(back, Chunk::End(Err(IoError::Insecure)));
            }
        }
        let peer = wire.addrs[0];
        let id = ConnId::from_raw(self.nodes[to as usize].source.draw());
        self.nodes[to as usize].conns.insert(id, pointer(way.slot, 1));
        wire.phase = Phase::Open;
        wire.ends[1].id = id;
        wire.ends[1].held = true;
        wire.lanes[1].open = true;
        self.traffic.accepted += 1;
        self.depart(back, Chunk::Open);
        self.give(to, Input::Stream(id, StreamInput::Open { peer, listener: Some(listener.id) }));
    }

    /// The way that a node's handle sends by.
    fn way(&mut self, node: u32, id: ConnId) -> Option<Way> {
        let (slot, side) = parts(self.nodes[node as usize].conns.find(id)?);
        let epoch = self.wires.at(slot)?.epoch;
        Some(Way { slot, epoch, side: side as u8 })
    }

    /// The pipe of a node whose uplink is limited, for what goes to another node.
    fn uplink(&mut self, from: u32, to: u32) -> Option<&mut Pipe> {
        if from == to {
            return None;
        }
        self.pipes.get_mut(self.nodes[from as usize].pipe as usize).filter(|pipe| pipe.rates.up.is_some())
    }

    pub(crate) fn send(&mut self, node: u32, id: ConnId, data: Bytes) {
        let Some(pointer) = self.nodes[node as usize].conns.find(id) else { return };
        let (slot, side) = parts(pointer);
        let Some(wire) = self.wires.at(slot) else { return };
        let way = Way { slot, epoch: wire.epoch, side: side as u8 };
        let to = &wire.ends[other(way.side)];
        let (to_node, paused) = (to.node, to.paused);
        // Nobody will read it: the other end is closed, and its news are under way.
        if data.is_empty() || (wire.phase == Phase::Open && !to.held) {
            return;
        }
        let lane = &mut wire.lanes[side];
        if lane.ended || lane.last.is_some() {
            return;
        }
        let free = lane.open && lane.is_drained() && !(paused && lane.unread >= self.options.window);
        if free && to_node != NOBODY && self.uplink(node, to_node).is_none() {
            return self.depart(way, Chunk::Data(data));
        }
        let Some(wire) = self.wires.find(way) else { return };
        let lane = &mut wire.lanes[side];
        lane.queue(data);
        let ready = lane.open && !lane.in_turn;
        if lane.queued > self.options.high && !lane.full {
            lane.full = true;
            self.push_after(Duration::ZERO, Happening::Mark { way, full: true });
        }
        if ready && self.unpumped.last() != Some(&way) {
            self.unpumped.push(way);
        }
    }

    /// Lets go what an input left: all that it sent on a stream goes as one.
    pub(crate) fn pump_all(&mut self) {
        let mut ways = std::mem::take(&mut self.unpumped);
        for way in ways.drain(..) {
            if !self.pass_between(way) {
                self.pump(way);
            }
        }
        self.unpumped = ways;
    }

    /// What fits into a packet need not wait for its turn; whether it was such.
    fn pass_between(&mut self, way: Way) -> bool {
        let (window, quantum, now) = (self.options.window, self.options.quantum, self.now);
        let Some(wire) = self.wires.find(way) else { return true };
        let (from, to) = (wire.ends[way.side as usize].node, wire.ends[other(way.side)].node);
        let paused = wire.ends[other(way.side)].paused;
        let lane = &wire.lanes[way.side as usize];
        let bytes = lane.queued;
        if lane.in_turn || !lane.open || bytes == 0 || bytes > PACKET || (paused && lane.unread >= window) {
            return false;
        }
        let Some(left) = self.uplink(from, to).and_then(|pipe| pipe.packet_out(bytes, quantum, now)) else {
            return false;
        };
        self.set_off(way, usize::MAX, left);
        self.end_if_drained(way, left);
        true
    }

    /// Lets go what may go: by turns if the uplink is limited, at once if not.
    fn pump(&mut self, way: Way) {
        let (window, low) = (self.options.window, self.options.low);
        loop {
            let Some(wire) = self.wires.find(way) else { return };
            let (from, to) = (wire.ends[way.side as usize].node, wire.ends[other(way.side)].node);
            let paused = wire.ends[other(way.side)].paused;
            let lane = &mut wire.lanes[way.side as usize];
            if !lane.open || lane.in_turn {
                return;
            }
            if lane.is_drained() {
                return self.end_if_drained(way, self.now);
            }
            if paused && lane.unread >= window {
                return;
            }
            if self.uplink(from, to).is_some() {
                if let Some(wire) = self.wires.find(way) {
                    wire.lanes[way.side as usize].in_turn = true;
                }
                if let Some(pipe) = self.uplink(from, to) {
                    pipe.turns.push_back(way);
                }
                return self.next_turn(from);
            }
            self.set_off(way, 1, self.now);
            self.ready_below(way, low);
        }
    }

    /// Tells the machine that the queue has room again.
    fn ready_below(&mut self, way: Way, low: usize) {
        let Some(wire) = self.wires.find(way) else { return };
        let lane = &mut wire.lanes[way.side as usize];
        if lane.full && lane.queued <= low {
            lane.full = false;
            self.push_after(Duration::ZERO, Happening::Mark { way, full: false });
        }
    }

    /// The end follows the last that was queued.
    fn end_if_drained(&mut self, way: Way, leaves: Instant) {
        let Some(wire) = self.wires.find(way) else { return };
        let lane = &mut wire.lanes[way.side as usize];
        if lane.is_drained()
            && let Some(last) = lane.last.take()
        {
            self.depart_at(way, leaves, Chunk::End(last));
        }
    }

    /// Puts the next stream's bytes on a node's wire, if that is free. When they will have left is known at once.
    fn next_turn(&mut self, node: u32) {
        let (quantum, window, now) = (self.options.quantum.max(1), self.options.window, self.now);
        let place = self.nodes[node as usize].pipe as usize;
        while let Some(pipe) = self.pipes.get_mut(place).filter(|pipe| !pipe.busy) {
            let Some(way) = pipe.turns.pop_front() else { return };
            let Some(wire) = self.wires.find(way) else { continue };
            let paused = wire.ends[other(way.side)].paused;
            let lane = &mut wire.lanes[way.side as usize];
            let (count, bytes) = lane.turn(quantum);
            let more = lane.waiting() > count;
            lane.in_turn = more;
            if bytes == 0 || (paused && lane.unread >= window) {
                lane.in_turn = false;
                continue;
            }
            let left = pipe.turn_done(bytes, now);
            pipe.busy = true;
            pipe.again = more.then_some(way);
            self.push_at(left, Happening::Sent { node });
            self.set_off(way, count, left);
            self.ready_below(way, self.options.low);
            self.end_if_drained(way, left);
        }
    }

    /// The bytes of a turn have left.
    pub(crate) fn turn_over(&mut self, node: u32) {
        let Some(pipe) = self.pipes.get_mut(self.nodes[node as usize].pipe as usize) else { return };
        pipe.busy = false;
        let again = pipe.again.take();
        pipe.turns.extend(again);
        self.next_turn(node);
    }

    fn depart(&mut self, way: Way, chunk: Chunk) {
        self.depart_at(way, self.now, chunk);
    }

    /// Sends something that did not wait in the queue on its way, where it comes then.
    fn depart_at(&mut self, way: Way, leaves: Instant, chunk: Chunk) {
        let Some(wire) = self.wires.find(way) else { return };
        let lane = &mut wire.lanes[way.side as usize];
        if !lane.ended {
            lane.ended = matches!(chunk, Chunk::End(_));
            lane.pass(chunk);
            self.set_off(way, 1, leaves);
        }
    }

    /// Sends so many chunks of a queue on their way, where they come then. What one batch sends arrives together.
    fn set_off(&mut self, way: Way, count: usize, leaves: Instant) {
        let batch = self.batch;
        let Some(wire) = self.wires.find(way) else { return };
        let (from, to) = (wire.ends[way.side as usize].node, wire.ends[other(way.side)].node);
        let lane = &mut wire.lanes[way.side as usize];
        let Some(len) = lane.next_len() else { return };
        if lane.batch != batch {
            lane.batch = batch;
            lane.until = lane.until.max(leaves + self.world.burst(from, to, len, leaves));
        }
        let at = lane.until;
        // An event waits for everything under way; what arrives together needs one.
        let covered = lane.last_arrival() == Some(at);
        let (mut bytes, mut broken) = (0, false);
        for _ in 0..count {
            let Some(len) = lane.launch(at) else { break };
            bytes += len;
            broken |= len > 0 && self.world.resets();
            self.traffic.stream.sent(len);
        }
        lane.unread += bytes;
        self.nodes[from as usize].sent += bytes as u64;
        if !covered {
            self.push_at(at, Happening::Arrive(way));
        }
        if broken {
            self.break_off(way);
        }
    }

    /// A fault: both ends are told that the other broke off.
    fn break_off(&mut self, way: Way) {
        self.traffic.resets += 1;
        for side in [0, 1] {
            let way = Way { side, ..way };
            if let Some(wire) = self.wires.find(way) {
                wire.lanes[side as usize].drop_queue();
                wire.lanes[side as usize].last = None;
            }
            self.depart(way, Chunk::End(Err(IoError::Reset)));
        }
    }

    pub(crate) fn arrived(&mut self, way: Way) {
        let now = self.now;
        let side = way.side as usize;
        while let Some(wire) = self.wires.find(way) {
            let (from, to) = (wire.ends[side].node, wire.ends[other(way.side)].node);
            let lane = &mut wire.lanes[side];
            let Some((_, chunk)) = lane.first_flying().filter(|(at, _)| *at <= now) else { return };
            if self.world.apart(from, to) || self.world.apart(to, from) {
                return self.stall(way);
            }
            let at_once = matches!(chunk, Chunk::End(Err(_)) | Chunk::Open);
            lane.stalled = false;
            if at_once {
                // Nobody reads any more what came before a breach.
                lane.drop_arrived();
                let Some(chunk) = lane.land() else { return };
                self.hand(way, chunk);
                continue;
            }
            let reader = &wire.ends[other(way.side)];
            let waits = lane.is_waiting() || reader.paused || reader.securing;
            let (count, bytes) = lane.burst(now);
            let done = self.received_at(from, to, bytes);
            let Some(wire) = self.wires.find(way) else { return };
            let lane = &mut wire.lanes[side];
            let covered = lane.last_readable() == Some(done) && done > now;
            for _ in 0..count {
                lane.land_for(done);
            }
            if done <= now && !waits {
                self.deliver(way);
            } else if !covered {
                self.push_at(done, Happening::Deliver(way));
            }
        }
    }

    /// When bytes that came in now are received.
    fn received_at(&mut self, from: u32, to: u32, bytes: usize) -> Instant {
        let now = self.now;
        let (from_pipe, to_pipe) = (self.nodes[from as usize].pipe, self.nodes[to as usize].pipe);
        let spread = match self.pipes.get(from_pipe as usize).and_then(|pipe| pipe.rates.up) {
            Some(rate) => wire_time(bytes, rate),
            None => 0,
        };
        match self.pipes.get_mut(to_pipe as usize) {
            Some(pipe) if from != to && bytes > 0 => pipe.stream_in(bytes, spread, now),
            Some(_) | None => now,
        }
    }

    /// The receiver cannot be reached: tries again later, and gives up in the end.
    fn stall(&mut self, way: Way) {
        let (now, timeout) = (self.now, self.options.stream_timeout);
        let Some(wire) = self.wires.find(way) else { return };
        let stalled = &mut wire.lanes[way.side as usize].stalled;
        let stall = &mut wire.stalls[way.side as usize];
        let (since, tries) = match *stall {
            (_, _, next) if *stalled && next > now => return,
            (since, tries, _) if *stalled => (since, tries + 1),
            _ => (now, 0),
        };
        if now.since(since) >= timeout {
            return self.sever(way, IoError::TimedOut);
        }
        let next = now + patience(tries);
        *stalled = true;
        *stall = (since, tries, next);
        self.push_at(next, Happening::Arrive(way));
    }

    /// Gives what was received to its reader, as far as it reads.
    pub(crate) fn deliver(&mut self, way: Way) {
        while let Some(wire) = self.wires.find(way) {
            let reader = &wire.ends[other(way.side)];
            if reader.paused || reader.securing {
                return;
            }
            let Some(chunk) = wire.lanes[way.side as usize].read(self.now) else { return };
            self.hand(way, chunk);
        }
    }

    /// Hands one thing to the machine at the other end.
    fn hand(&mut self, way: Way, chunk: Chunk) {
        let Some(wire) = self.wires.find(way) else { return };
        let end = &wire.ends[other(way.side)];
        let (node, id, held, peer) = (end.node, end.id, end.held, wire.addrs[way.side as usize]);
        match chunk {
            Chunk::Data(data) => {
                wire.lanes[way.side as usize].unread -= data.len();
                if held {
                    self.nodes[node as usize].received += data.len() as u64;
                    self.traffic.stream.delivered(data.len());
                    self.give(node, Input::Stream(id, StreamInput::Data(data)));
                }
            }
            Chunk::Open => {
                wire.lanes[other(way.side)].open = true;
                let back = Way { side: other(way.side) as u8, ..way };
                if held {
                    self.give(node, Input::Stream(id, StreamInput::Open { peer, listener: None }));
                }
                self.pump(back);
            }
            Chunk::End(result) => {
                // The side that sent it holds no handle any more, except where a fault broke the stream.
                let still = wire.ends[way.side as usize].held;
                wire.ends[other(way.side)].held = false;
                let lane = &mut wire.lanes[other(way.side)];
                lane.drop_queue();
                lane.last = None;
                if !still {
                    self.wires.remove(way.slot);
                }
                if held {
                    self.nodes[node as usize].conns.remove(id);
                    self.give(node, Input::Stream(id, StreamInput::Closed(result)));
                }
            }
        }
    }

    /// The send queue passed a mark.
    pub(crate) fn passed_mark(&mut self, way: Way, full: bool) {
        let Some(wire) = self.wires.find(way) else { return };
        let end = &wire.ends[way.side as usize];
        if end.held {
            let (node, id) = (end.node, end.id);
            let input = if full { StreamInput::Full } else { StreamInput::Ready };
            self.give(node, Input::Stream(id, input));
        }
    }

    pub(crate) fn pause(&mut self, node: u32, id: ConnId, paused: bool) {
        let Some(way) = self.way(node, id) else { return };
        let towards = Way { side: other(way.side) as u8, ..way };
        let Some(wire) = self.wires.find(way) else { return };
        wire.ends[way.side as usize].paused = paused;
        if !paused {
            if wire.lanes[towards.side as usize].is_waiting() {
                self.push_after(Duration::ZERO, Happening::Deliver(towards));
            }
            self.pump(towards);
        }
    }

    /// Reads no stream of a node any more; those that it did.
    pub(crate) fn stop_reading(&mut self, node: u32) -> Vec<ConnId> {
        let mut stopped = self.nodes[node as usize].conns.ids();
        stopped.retain(|id| {
            let end = self.way(node, *id).and_then(|way| {
                let side = way.side as usize;
                self.wires.find(way).map(|wire| &mut wire.ends[side])
            });
            end.is_some_and(|end| !std::mem::replace(&mut end.paused, true))
        });
        stopped
    }

    pub(crate) fn close(&mut self, node: u32, id: ConnId, abort: bool) {
        let Some(way) = self.way(node, id) else { return };
        self.nodes[node as usize].conns.remove(id);
        self.let_go(pointer(way.slot, way.side as usize), abort);
    }

    /// An end whose handle is gone: what is queued is sent first, or dropped.
    pub(crate) fn let_go(&mut self, pointer: u32, abort: bool) {
        let (slot, side) = parts(pointer);
        let Some(wire) = self.wires.at(slot) else { return };
        let way = Way { slot, epoch: wire.epoch, side: side as u8 };
        wire.ends[side].held = false;
        wire.ends[side].paused = false;
        let unread = &mut wire.lanes[1 - side];
        unread.drop_arrived();
        unread.drop_queue();
        unread.last = None;
        let alone = !wire.ends[1 - side].held;
        let lane = &mut wire.lanes[side];
        if alone && (wire.phase == Phase::Open || abort || lane.is_drained()) {
            self.wires.remove(slot);
            return;
        }
        if abort {
            lane.drop_queue();
            lane.last = None;
            self.depart(way, Chunk::End(Err(IoError::Reset)));
        } else {
            lane.last = Some(Ok(()));
            self.pump(way);
        }
    }

    /// Ends a stream at once at both ends.
    pub(crate) fn sever(&mut self, way: Way, error: IoError) {
        if self.wires.find(way).is_none() {
            return;
        }
        let Some(wire) = self.wires.remove(way.slot) else { return };
        for end in wire.ends.into_iter().filter(|end| end.held) {
            self.nodes[end.node as usize].conns.remove(end.id);
            self.give(end.node, Input::Stream(end.id, StreamInput::Closed(Err(error))));
        }
    }

    /// Secures an end: nothing is encrypted, but what is given back is read again, and nothing between.
    pub(crate) fn secure(&mut self, node: u32, id: ConnId, unread: Bytes) {
        let Some(way) = self.way(node, id) else { return };
        let now = self.now;
        let Some(wire) = self.wires.find(way) else { return };
        wire.ends[way.side as usize].securing = true;
        if !unread.is_empty() {
            self.nodes[node as usize].received -= unread.len() as u64;
            self.traffic.stream.given_back(unread.len());
            wire.lanes[other(way.side)].give_back(unread, now);
        }
        self.traffic.secured += 1;
        let refused = self.world.insecure();
        self.push_after(Duration::ZERO, Happening::Secured { way, refused });
    }

    pub(crate) fn secured(&mut self, way: Way, refused: bool) {
        let Some(wire) = self.wires.find(way) else { return };
        let end = &mut wire.ends[way.side as usize];
        end.securing = false;
        if !end.held {
            return;
        }
        let (node, id) = (end.node, end.id);
        let result = if refused { Err(IoError::Insecure) } else { Ok(()) };
        self.give(node, Input::Stream(id, StreamInput::Secured(result)));
        if !refused {
            return self.deliver(Way { side: other(way.side) as u8, ..way });
        }
        // The machine may have closed it on hearing so.
        if self.way(node, id) == Some(way) {
            self.nodes[node as usize].conns.remove(id);
            self.let_go(pointer(way.slot, way.side as usize), true);
            self.give(node, Input::Stream(id, StreamInput::Closed(Err(IoError::Insecure))));
        }
    }
}
