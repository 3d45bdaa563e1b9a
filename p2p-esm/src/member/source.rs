//! What only the source does: it cuts, codes and signs ([`Source`]).

use crate::code::Encoder;
use crate::group::Broadcast;
use crate::manifest::{Batch, Manifest};
use crate::seal::Seal;
use crate::shape::LARGEST_PACKET;
use crate::symbol::{Symbol, SymbolDigest};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use p2p_core::limit::TokenBucket;
use p2p_core::{Instant, OpId};

/// What the source sends next.
#[derive(Clone, Debug)]
pub(super) enum Outgoing {
    Symbol(Symbol),
    Manifest(Manifest),
}

/// The source of a broadcast.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) key: SigningKey,
    broadcast: Broadcast,
    encoder: Encoder,
    batch: Batch,
    generation: u64,
    digests: Vec<SymbolDigest>,
    /// Packets that wait for their turn.
    queue: VecDeque<Portion>,
    pace: TokenBucket,
    /// It was said that the stream ended.
    pub(super) is_ended: bool,
}

/// Packets that were asked to be sent together.
#[derive(Debug)]
struct Portion {
    op: OpId,
    packets: VecDeque<Bytes>,
    last: bool,
}

/// What was saved up of the pace is so much of a second at most.
const BURST: u32 = 50;

impl Source {
    pub(super) fn new(key: SigningKey, broadcast: Broadcast, first: u64, pace: u32, now: Instant) -> Self {
        let shape = broadcast.shape;
        let burst = u64::from(pace / BURST).max(4 * LARGEST_PACKET as u64);
        let pace = match pace {
            0 => TokenBucket::unlimited(),
            pace => TokenBucket::new(now, pace.into(), burst),
        };
        Self {
            key,
            broadcast,
            encoder: Encoder::new(shape),
            batch: Batch::starting(shape, first),
            generation: first,
            digests: Vec::new(),
            queue: VecDeque::new(),
            pace,
            is_ended: false,
        }
    }

    /// More packets to be sent, each no longer than one may be.
    pub(super) fn queue(&mut self, op: OpId, packets: Vec<Bytes>, last: bool) {
        self.queue.push_back(Portion { op, packets: packets.into(), last });
    }

    /// Takes what may be sent by now: what is to be sent by that. Gives the operations that are done, and when there may
    /// be more.
    pub(super) fn pour(
        &mut self,
        seal: Option<&Seal>,
        now: Instant,
        unix_micros: u64,
        out: &mut Vec<Outgoing>,
    ) -> (Vec<OpId>, Option<Instant>) {
        let mut done = Vec::new();
        while let Some(portion) = self.queue.front_mut() {
            if let Some(packet) = portion.packets.front() {
                if !self.pace.take(now, packet.len() as u64) {
                    let more = self.pace.when(now, packet.len() as u64);
                    self.sign(unix_micros, out);
                    return (done, more);
                }
                if let Some(packet) = portion.packets.pop_front() {
                    self.push(packet, seal, unix_micros, out);
                }
                continue;
            }
            let Some(Portion { op, last, .. }) = self.queue.pop_front() else { break };
            if last {
                self.end(unix_micros, out);
            }
            done.push(op);
        }
        self.sign(unix_micros, out);
        (done, None)
    }

    /// Signs what is enough for a signature, once all is taken that goes out now.
    fn sign(&mut self, unix_micros: u64, out: &mut Vec<Outgoing>) {
        if self.batch.is_full() {
            out.push(Outgoing::Manifest(self.batch.close(unix_micros, false)));
        }
    }

    /// Forgets what was not sent; whose it was.
    pub(super) fn unsent(&mut self) -> impl Iterator<Item = OpId> {
        core::mem::take(&mut self.queue).into_iter().map(|portion| portion.op)
    }

    /// Forgets what was not sent of this one. False if there is none.
    pub(super) fn forget(&mut self, op: OpId) -> bool {
        let before = self.queue.len();
        self.queue.retain(|portion| portion.op != op);
        self.queue.len() < before
    }

    /// The stream ends here.
    pub(super) fn end(&mut self, unix_micros: u64, out: &mut Vec<Outgoing>) {
        self.is_ended = true;
        self.flush(unix_micros, true, out);
    }

    fn push(&mut self, packet: Bytes, seal: Option<&Seal>, unix_micros: u64, out: &mut Vec<Outgoing>) {
        let packet = seal.map_or_else(
            || packet.clone(),
            |seal| seal.close(self.generation, self.encoder.count(), &packet),
        );
        let Some(index) = self.encoder.push(&packet) else { return };
        self.digests.push(Symbol::digest(self.generation, index, &packet));
        // The low 32 bits are what the wire has.
        out.push(Outgoing::Symbol(Symbol { generation: self.generation as u32, index, body: packet }));
        if self.encoder.count() == self.broadcast.shape.data() {
            self.close(out);
            if !self.batch.has_room() {
                out.push(Outgoing::Manifest(self.batch.close(unix_micros, false)));
            }
        }
    }

    fn close(&mut self, out: &mut Vec<Outgoing>) {
        let (count, generation, first) = (self.encoder.count(), self.generation, self.broadcast.shape.data());
        for (index, body) in (first..).zip(self.encoder.close()) {
            self.digests.push(Symbol::digest(generation, index, &body));
            out.push(Outgoing::Symbol(Symbol { generation: generation as u32, index, body }));
        }
        self.batch.push(count, core::mem::take(&mut self.digests));
        self.generation += 1;
    }

    /// Whether there is anything that is not signed.
    pub(super) fn is_open(&self) -> bool {
        self.encoder.count() > 0 || !self.batch.is_empty()
    }

    /// Closes and signs what there is; `last` if nothing follows.
    pub(super) fn flush(&mut self, unix_micros: u64, last: bool, out: &mut Vec<Outgoing>) {
        if self.encoder.count() > 0 {
            self.close(out);
        }
        if last || !self.batch.is_empty() {
            out.push(Outgoing::Manifest(self.batch.close(unix_micros, last)));
        }
    }
}
