//! What only the source does: it cuts, codes and signs ([`Source`]).

use crate::code::Encoder;
use crate::group::Broadcast;
use crate::manifest::{Batch, Manifest};
use crate::symbol::{Symbol, SymbolDigest};
use alloc::vec::Vec;
use bytes::Bytes;
use ed25519_dalek::SigningKey;

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
}

impl Source {
    pub(super) fn new(key: SigningKey, broadcast: Broadcast, first: u64) -> Self {
        let shape = broadcast.shape;
        Self {
            key,
            broadcast,
            encoder: Encoder::new(shape),
            batch: Batch::starting(shape, first),
            generation: first,
            digests: Vec::new(),
        }
    }

    /// The next packet; what is to be sent by that. The packet is no longer than one may be.
    pub(super) fn push(&mut self, packet: Bytes, unix_micros: u64, out: &mut Vec<Outgoing>) {
        let Some(index) = self.encoder.push(&packet) else { return };
        self.digests.push(Symbol::digest(self.generation, index, &packet));
        // The low 32 bits are what the wire has.
        out.push(Outgoing::Symbol(Symbol { generation: self.generation as u32, index, body: packet }));
        if self.encoder.count() == self.broadcast.shape.data() {
            self.close(out);
            if self.batch.is_full() {
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
