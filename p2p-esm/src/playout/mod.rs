//! From symbols in any order to packets in theirs: [`Playout`].
//!
//! ```text
//!       history, for who asks        the next packet        what came ahead of it
//!   ┌───┬───┬───┬───┬───┬───┬───┬───┬───┬───┬───┬───┬───┬───┐
//!   │   │   │   │   │   │   │   │ ▲ │   │   │   │   │   │   │   one slot a generation
//!   └───┴───┴───┴───┴───┴───┴───┴───┴───┴───┴───┴───┴───┴───┘
//!   base                        next                        base + window
//! ```
//! A packet goes out once its digest is signed and all before it are out ([`Playout::advance`]). What misses is waited for
//! until [`Playout::patience`] after anything of its generation, or of a later one, was seen; then it is skipped. What
//! went out is there to be read ([`Playout::read`]) as long as it is history, so a reader may begin in the past, and be slow.

mod missing;
mod reader;
mod slot;
#[cfg(test)]
mod tests;
mod window;

pub use missing::Missing;
pub use reader::{Cursor, Output};

use crate::code::Decoder;
use crate::manifest::Manifest;
use crate::number::widen;
use crate::shape::Shape;
use crate::symbol::Symbol;
use alloc::collections::VecDeque;
use bytes::Bytes;
use p2p_core::{Duration, Instant};
use slot::Slot;

/// What came of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is new, though it may be known already what is in it: pass it on.
    New,
    /// It is here already.
    Twice,
    /// Its generation is forgotten, or behind the end of the stream.
    Late,
    /// It is too far ahead to be kept.
    Ahead,
    /// It is not what the source signed, or there are too many others of its number that all but one were forged.
    Forged,
}

/// The symbols of some generations, and how far the output is.
#[derive(Debug)]
pub struct Playout {
    shape: Shape,
    decoder: Decoder,
    patience: Duration,
    window: usize,
    history: u64,
    base: u64,
    slots: VecDeque<Slot>,
    /// The next packet to go out.
    next: (u64, u8),
    /// Generations before this one were there before we were: they are waited for until then.
    past: (u64, Instant),
    /// One behind the last generation of which anything is known.
    heard: u64,
    /// One behind the last generation of the stream, once that is known.
    end: Option<u64>,
    forged: u64,
    lost: u64,
}

impl Playout {
    /// The output begins with generation `from`. At most `window` generations are kept, `history` of them behind the
    /// output; a packet is waited for as long as `patience`.
    #[must_use]
    pub fn new(shape: Shape, from: u64, window: usize, history: usize, patience: Duration) -> Self {
        Self {
            shape,
            decoder: Decoder::new(shape),
            patience,
            window: window.max(1),
            history: history as u64,
            base: from,
            slots: VecDeque::new(),
            next: (from, 0),
            past: (from, Instant::ZERO),
            heard: from,
            end: None,
            forged: 0,
            lost: 0,
        }
    }

    /// All before generation `heard` are there already: what is to go out of them has to be asked for, and is waited for
    /// until `until`.
    pub fn begin_in_the_past(&mut self, heard: u64, until: Instant, now: Instant) {
        self.past = (heard, until);
        if let Some(last) = heard.checked_sub(1).filter(|last| *last >= self.base) {
            self.see(last, now);
        }
    }

    /// How long a packet is waited for.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// The generation of the next packet to go out.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.next.0
    }

    /// One behind the last generation of which anything came.
    #[must_use]
    pub const fn heard(&self) -> u64 {
        self.heard
    }

    /// Generations before this one were there before we were.
    #[must_use]
    pub const fn past(&self) -> u64 {
        self.past.0
    }

    /// Packets that did not come in time.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Of symbol `index` of the generations behind the output that are kept: how many came, and how many there are.
    #[must_use]
    pub fn came(&self, index: u8) -> (u32, u32) {
        // No more than there are slots.
        let behind = (self.next.0 - self.base) as usize;
        let slots = self.slots.iter().take(behind).filter_map(|slot| Some((slot, slot.listed.as_ref()?)));
        slots.fold((0, 0), |(came, all), (slot, listed)| {
            let is_one = index < listed.count || index >= self.shape.data();
            let has_come = slot.is_sound(index) && slot.derived >> index & 1 == 0;
            (came + u32::from(is_one && has_come), all + u32::from(is_one))
        })
    }

    /// Symbols that were dropped because the source did not sign them.
    #[must_use]
    pub const fn forged(&self) -> u64 {
        self.forged
    }

    /// The full number of a generation, of which the wire has 32 bits.
    #[must_use]
    pub const fn number(&self, low: u32) -> u64 {
        widen(low, self.heard)
    }

    /// Takes a symbol that came in.
    pub fn insert(&mut self, symbol: &Symbol, now: Instant) -> Taken {
        let generation = self.number(symbol.generation);
        if symbol.index >= self.shape.symbols() {
            self.forged += 1;
            return Taken::Forged;
        }
        if generation < self.base || self.end.is_some_and(|end| generation >= end) {
            return Taken::Late;
        }
        if generation - self.base >= self.window as u64 {
            // Only what is signed moves the window.
            return Taken::Ahead;
        }
        self.see(generation, now);
        let Some(slot) = self.at(generation).and_then(|at| self.slots.get_mut(at)) else {
            return Taken::Ahead;
        };
        let taken = slot.take(self.shape, generation, symbol);
        match taken {
            Taken::New => slot.recover(&mut self.decoder),
            Taken::Forged => self.forged += u64::from(slot.listed.is_some()),
            Taken::Twice | Taken::Late | Taken::Ahead => {}
        }
        taken
    }

    /// Takes what the source signed. True if any of it is new: pass it on.
    pub fn sign(&mut self, manifest: Manifest, now: Instant) -> bool {
        let behind = manifest.first.saturating_add(manifest.generations.len() as u64);
        let mut new = false;
        if manifest.last && self.end.is_none() {
            self.end = Some(behind);
            new = true;
        }
        self.make_room(behind);
        // The end alone says as well that all before it was sent.
        if behind > self.next.0 && (manifest.last || !manifest.generations.is_empty()) {
            self.see(behind - 1, now);
        }
        for (generation, listed) in (manifest.first..).zip(manifest.generations) {
            let is_ahead = generation >= self.next.0;
            let Some(slot) = self.at(generation).filter(|_| is_ahead).and_then(|at| self.slots.get_mut(at))
            else {
                continue;
            };
            if slot.listed.is_none() {
                new = true;
                self.forged += slot.list(self.shape, generation, listed);
                slot.signed = Some(now);
                slot.recover(&mut self.decoder);
            }
        }
        new
    }

    /// Moves the output on by a packet, or past what is given up. False if neither can be by now.
    pub fn advance(&mut self, now: Instant) -> bool {
        let (generation, index) = self.next;
        if self.end.is_some_and(|end| generation >= end) {
            return false;
        }
        let Some(slot) = self.at(generation).map(|at| &self.slots[at]) else { return false };
        let count = slot.listed.as_ref().map_or(0, |listed| listed.count);
        if index < count && slot.is_sound(index) {
            self.step(generation, if index + 1 < count { index + 1 } else { 0 });
            return true;
        }
        if self.due().is_none_or(|due| now < due) {
            return false;
        }
        // What is sound behind the hole still goes out.
        let sound = slot.sound;
        let behind = (index..count).find(|&later| sound >> later & 1 == 1);
        // Of one that is not signed nobody knows how many packets it has.
        let most = if count == 0 { self.shape.data() } else { count };
        self.lost += u64::from(behind.unwrap_or(most) - index);
        self.step(generation, behind.unwrap_or(0));
        true
    }

    /// When [`Self::advance`] is to be asked again should nothing come in.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let due = self.slots[self.at(self.next.0)?].seen? + self.patience;
        Some(if self.next.0 < self.past.0 { due.max(self.past.1) } else { due })
    }
    /// A symbol that is here and signed.
    #[must_use]
    pub fn symbol(&self, generation: u64, index: u8) -> Option<&Bytes> {
        let slot = &self.slots[self.at(generation)?];
        (index < self.shape.symbols() && slot.is_sound(index))
            .then(|| slot.symbols[usize::from(index)].as_ref())
            .flatten()
    }

    /// A symbol that is here, signed or not yet.
    #[must_use]
    pub fn held(&self, generation: u64, index: u8) -> Option<&Bytes> {
        let slot = &self.slots[self.at(generation)?];
        slot.symbols.get(usize::from(index))?.as_ref()
    }

    /// Whether this is what the source signed as a symbol, whether or not that is here. False where its manifest is not.
    #[must_use]
    pub fn is_signed(&self, generation: u64, index: u8, body: &[u8]) -> bool {
        self.at(generation).is_some_and(|at| self.slots[at].is_signed(self.shape, generation, index, body))
    }

    /// Whether the manifest of a generation is here.
    #[must_use]
    pub fn is_listed(&self, generation: u64) -> bool {
        self.at(generation).is_some_and(|at| self.slots[at].listed.is_some())
    }

    /// The number of the oldest generation that is here.
    #[must_use]
    pub const fn oldest(&self) -> u64 {
        self.base
    }
}
