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

use crate::code::Decoder;
use crate::manifest::{Listed, Manifest};
use crate::number::widen;
use crate::shape::Shape;
use crate::symbol::Symbol;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::{Duration, Instant};

/// Unsigned symbols that are kept beside another one of the same number, until one of them is signed.
const RIVALS: usize = 2;

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

/// What goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A packet of the stream.
    Packet {
        /// Its generation.
        generation: u64,
        /// Its number in that.
        index: u8,
        /// Where it begins, in bytes from where its reader began.
        offset: u64,
        /// As the source sent it.
        data: Bytes,
    },
    /// Packets did not come in time.
    Gap {
        /// Of this generation.
        generation: u64,
        /// So many of it; `None` if not even that is known.
        packets: Option<u8>,
    },
    /// Generations were skipped: the source is too far ahead for what misses to be waited for, or the reader too far
    /// behind for it to be here still.
    Jump {
        /// From this one on.
        from: u64,
        /// Up to this one, which goes out next.
        to: u64,
    },
    /// The stream ended.
    End,
}

/// How far a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The generation of what it is given next.
    pub generation: u64,
    index: u8,
    given: u64,
    ended: bool,
}

impl Cursor {
    /// A reader that begins with this generation.
    #[must_use]
    pub const fn new(generation: u64) -> Self {
        Self { generation, index: 0, given: 0, ended: false }
    }
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

#[derive(Debug, Default)]
struct Slot {
    symbols: Vec<Option<Bytes>>,
    /// The symbols whose digest is signed, or that follow from such ones.
    sound: u64,
    /// Those of them that only follow, and have not come yet.
    derived: u64,
    listed: Option<Listed>,
    /// When it was signed.
    signed: Option<Instant>,
    /// Unsigned symbols of a number that another unsigned one has.
    rivals: Vec<(u8, Bytes)>,
    /// When anything was seen of it, or of a later one.
    seen: Option<Instant>,
}

impl Slot {
    fn reset(&mut self, shape: Shape) {
        self.symbols.clear();
        self.symbols.resize(shape.symbols().into(), None);
        (self.sound, self.derived, self.listed) = (0, 0, None);
        (self.seen, self.signed) = (None, None);
        self.rivals.clear();
    }

    fn is_sound(&self, index: u8) -> bool {
        self.sound >> index & 1 == 1
    }
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
        let shape = self.shape;
        self.see(generation, now);
        let Some(slot) = self.slot(generation) else { return Taken::Ahead };
        let at = usize::from(symbol.index);
        if slot.is_sound(symbol.index) {
            // A tree that is slower than the others still brings its symbols to those that need them.
            let is_late = slot.derived >> symbol.index & 1 == 1
                && slot.symbols[at].as_ref().is_some_and(|derived| *derived == symbol.body);
            slot.derived &= !(u64::from(is_late) << symbol.index);
            return if is_late { Taken::New } else { Taken::Twice };
        }
        let Some(listed) = &slot.listed else {
            return match &slot.symbols[at] {
                None => {
                    slot.symbols[at] = Some(symbol.body.clone());
                    Taken::New
                }
                Some(here) if *here == symbol.body => Taken::Twice,
                Some(_) => {
                    let mut rivals = slot.rivals.iter().filter(|(index, _)| *index == symbol.index);
                    if rivals.any(|(_, body)| *body == symbol.body) {
                        return Taken::Twice;
                    }
                    if slot.rivals.iter().filter(|(index, _)| *index == symbol.index).count() == RIVALS {
                        return Taken::Forged;
                    }
                    slot.rivals.push((symbol.index, symbol.body.clone()));
                    Taken::New
                }
            };
        };
        let digest = Symbol::digest(generation, symbol.index, &symbol.body);
        if listed.digest(shape, symbol.index) != Some(&digest) {
            self.forged += 1;
            return Taken::Forged;
        }
        slot.symbols[at] = Some(symbol.body.clone());
        slot.sound |= 1 << symbol.index;
        self.recover(generation);
        Taken::New
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
            if generation >= self.next.0 && self.slot(generation).is_some_and(|slot| slot.listed.is_none()) {
                new = true;
                self.list(generation, listed, now);
            }
        }
        new
    }

    /// Keeps of what is here of a generation what is signed.
    fn list(&mut self, generation: u64, listed: Listed, now: Instant) {
        let shape = self.shape;
        let mut forged = 0;
        let Some(slot) = self.slot(generation) else { return };
        let rivals = core::mem::take(&mut slot.rivals);
        let first =
            (0..shape.symbols()).filter_map(|index| Some((index, slot.symbols[usize::from(index)].take()?)));
        let candidates: Vec<_> = first.collect();
        for (index, body) in candidates.into_iter().chain(rivals) {
            if listed.digest(shape, index) == Some(&Symbol::digest(generation, index, &body)) {
                slot.symbols[usize::from(index)] = Some(body);
                slot.sound |= 1 << index;
            } else {
                forged += 1;
            }
        }
        (slot.listed, slot.signed) = (Some(listed), Some(now));
        self.forged += forged;
        self.recover(generation);
    }

    /// Gets the packets of a generation back, if enough of it is here.
    fn recover(&mut self, generation: u64) {
        let Some(at) = self.at(generation) else { return };
        let slot = &mut self.slots[at];
        let Some(count) = slot.listed.as_ref().map(|listed| listed.count) else { return };
        // At least one, and at most 64.
        let whole = u64::MAX >> (64 - u32::from(count));
        let enough = slot.sound.count_ones() >= u32::from(count);
        if enough && slot.sound & whole != whole && self.decoder.recover(count, &mut slot.symbols) {
            slot.derived = whole & !slot.sound;
            slot.sound |= whole;
        }
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

    /// What a reader is given next of what went out. A packet that went out as a hole and came after all is given too.
    pub fn read(&self, reader: &mut Cursor) -> Option<Output> {
        if reader.generation < self.base {
            let (from, to) = (reader.generation, self.base);
            (reader.generation, reader.index) = (to, 0);
            return Some(Output::Jump { from, to });
        }
        let Cursor { generation, index, .. } = *reader;
        if self.end.is_some_and(|end| generation >= end) {
            return (!core::mem::replace(&mut reader.ended, true)).then_some(Output::End);
        }
        if (generation, index) >= self.next {
            return None;
        }
        let slot = &self.slots[self.at(generation)?];
        let Some(count) = slot.listed.as_ref().map(|listed| listed.count) else {
            (reader.generation, reader.index) = (generation + 1, 0);
            return Some(Output::Gap { generation, packets: None });
        };
        let past = if generation == self.next.0 { self.next.1 } else { count };
        let found = (index..past).find(|&index| slot.is_sound(index));
        let output = match found {
            Some(found) if found == index => {
                let data = slot.symbols[usize::from(index)].clone()?;
                let offset = reader.given;
                reader.given += data.len() as u64;
                reader.index = index + 1;
                Output::Packet { generation, index, offset, data }
            }
            found => {
                reader.index = found.unwrap_or(past);
                Output::Gap { generation, packets: Some(reader.index - index) }
            }
        };
        if reader.index >= count {
            (reader.generation, reader.index) = (generation + 1, 0);
        }
        Some(output)
    }

    /// When [`Self::advance`] is to be asked again should nothing come in.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let due = self.slots[self.at(self.next.0)?].seen? + self.patience;
        Some(if self.next.0 < self.past.0 { due.max(self.past.1) } else { due })
    }

    /// Generations that miss something, beginning with the oldest, and the numbers that are here of each (bit by bit).
    /// One that is not signed misses its manifest too.
    pub fn missing(&self) -> impl Iterator<Item = Missing> {
        let first = (self.next.0 - self.base) as usize;
        let slots = self.slots.iter().enumerate().skip(first);
        slots.filter_map(|(at, slot)| {
            let generation = self.base + at as u64;
            let since = slot.seen?;
            match &slot.listed {
                None => {
                    let here = slot.symbols.iter().enumerate().filter(|(_, symbol)| symbol.is_some());
                    let here = here.fold(0, |bits, (index, _)| bits | 1 << index);
                    let all = u64::MAX >> (64 - u32::from(self.shape.symbols()));
                    Some(Missing { generation, here, all, wanted: None, since })
                }
                Some(listed) => {
                    let wanted = u32::from(listed.count).saturating_sub(slot.sound.count_ones());
                    // Below 64.
                    let wanted = wanted as u8;
                    (wanted > 0).then_some(Missing {
                        generation,
                        here: slot.sound,
                        all: listed.numbers(self.shape),
                        wanted: Some(wanted),
                        since: slot.signed.map_or(since, |signed| signed.max(since)),
                    })
                }
            }
        })
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

    fn step(&mut self, generation: u64, index: u8) {
        self.next = if index == 0 { (generation + 1, 0) } else { (generation, index) };
        self.trim();
    }

    /// Forgets what is too far behind.
    fn trim(&mut self) {
        while self.base + self.history < self.next.0 {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if let Some(mut slot) = self.slots.pop_front() {
            // Its lists are of use to a later one.
            slot.reset(self.shape);
            if self.slots.len() < self.window {
                self.slots.push_back(slot);
            }
        }
        self.base += 1;
    }

    /// Moves the window so that all before `behind` have room, whatever is lost by that.
    fn make_room(&mut self, behind: u64) {
        let base = behind.saturating_sub(self.window as u64);
        if base <= self.base {
            return;
        }
        if base - self.base >= self.slots.len() as u64 {
            self.slots.clear();
            self.base = base;
        }
        while self.base < base {
            self.forget();
        }
        if self.next.0 < self.base {
            self.next = (self.base, 0);
        }
    }

    /// Anything was seen of this generation: whatever is before it is due too.
    fn see(&mut self, generation: u64, now: Instant) {
        self.heard = self.heard.max(generation + 1);
        let Some(last) = generation.checked_sub(self.base).map(|at| at as usize) else { return };
        if last >= self.window {
            return;
        }
        while self.slots.len() <= last {
            let mut slot = Slot::default();
            slot.reset(self.shape);
            self.slots.push_back(slot);
        }
        // Behind the output nothing is waited for; before it, those that were seen end the search.
        let first = self.next.0.saturating_sub(self.base) as usize;
        for slot in self.slots.range_mut(first.min(last + 1)..=last).rev() {
            if slot.seen.is_some() {
                break;
            }
            slot.seen = Some(now);
        }
    }

    fn at(&self, generation: u64) -> Option<usize> {
        let at = generation.checked_sub(self.base)? as usize;
        (at < self.slots.len()).then_some(at)
    }

    fn slot(&mut self, generation: u64) -> Option<&mut Slot> {
        let at = self.at(generation)?;
        self.slots.get_mut(at)
    }
}

/// A generation that misses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its number.
    pub generation: u64,
    /// The symbols that are here, bit by bit.
    pub here: u64,
    /// Those that there are; all that there can be if its manifest misses.
    pub all: u64,
    /// How many more symbols it takes; `None` if its manifest misses.
    pub wanted: Option<u8>,
    /// When it was first seen that there is such a generation; if its manifest is here, when that came.
    pub since: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Encoder;
    use crate::manifest::Batch;
    use proptest::prelude::*;

    const PATIENCE: Duration = Duration::from_secs(2);

    enum Sent {
        Symbol(Symbol),
        Manifest(Manifest),
    }

    /// What a source sends for these packets, a generation closed early where one says so.
    fn source(shape: Shape, first: u64, packets: &[(Vec<u8>, bool)]) -> Vec<Sent> {
        let (mut encoder, mut batch, mut sent, mut digests) =
            (Encoder::new(shape), Batch::starting(shape, first), Vec::new(), Vec::new());
        let mut generation = first;
        for (at, (packet, early)) in packets.iter().enumerate() {
            let index = encoder.push(packet).unwrap();
            digests.push(Symbol::digest(generation, index, packet));
            sent.push(Sent::Symbol(Symbol {
                generation: generation as u32,
                index,
                body: packet.clone().into(),
            }));
            if *early || encoder.count() == shape.data() || at + 1 == packets.len() {
                let count = encoder.count();
                for (index, body) in (shape.data()..).zip(encoder.close()) {
                    digests.push(Symbol::digest(generation, index, &body));
                    sent.push(Sent::Symbol(Symbol { generation: generation as u32, index, body }));
                }
                batch.push(count, core::mem::take(&mut digests));
                generation += 1;
                if batch.is_full() || at + 1 == packets.len() {
                    sent.push(Sent::Manifest(batch.close(0, at + 1 == packets.len())));
                }
            }
        }
        sent
    }

    /// A symbol that is late, though its packet is known already, goes to those that may need it.
    #[test]
    fn what_is_known_is_passed_on_once() {
        let packets: Vec<_> = (0..4).map(|n| (alloc::vec![n; 9], false)).collect();
        let (mut symbols, mut manifest) = (Vec::new(), None);
        for sent in source(Shape::SIX_OF_FOUR, 0, &packets) {
            match sent {
                Sent::Symbol(symbol) => symbols.push(symbol),
                Sent::Manifest(listed) => manifest = Some(listed),
            }
        }
        let (now, mut playout) =
            (Instant::ZERO, Playout::new(Shape::SIX_OF_FOUR, 0, 16, 8, Duration::from_secs(2)));
        for symbol in &symbols[2..] {
            assert_eq!(playout.insert(symbol, now), Taken::New);
        }
        assert!(playout.sign(manifest.unwrap(), now));
        let mut given = Vec::new();
        drain(&mut playout, &mut Cursor::new(0), now, &mut given);
        assert_eq!(given.len(), 5, "four packets, and the end: {given:?}");
        let other = Symbol { body: Bytes::from_static(b"another"), ..symbols[0].clone() };
        assert_eq!(playout.insert(&other, now), Taken::Twice);
        assert_eq!(playout.insert(&symbols[0], now), Taken::New);
        assert_eq!(playout.insert(&symbols[0], now), Taken::Twice);
        assert_eq!(playout.insert(&symbols[2], now), Taken::Twice);
    }

    /// What goes out, to a reader that was there from the beginning.
    fn drain(playout: &mut Playout, reader: &mut Cursor, now: Instant, into: &mut Vec<Output>) {
        loop {
            let moved = playout.advance(now);
            while let Some(output) = playout.read(reader) {
                into.push(output);
            }
            if !moved {
                return;
            }
        }
    }

    fn stream() -> impl Strategy<Value = Vec<(Vec<u8>, bool)>> {
        let packet = proptest::collection::vec(any::<u8>(), 0..64);
        proptest::collection::vec((packet, proptest::bool::weighted(0.1)), 1..200)
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        proptest::sample::select(alloc::vec![
            Shape::SINGLE,
            Shape::SIX_OF_FOUR,
            Shape::new(5, 16, 4).unwrap(),
            Shape::new(1, 1, 0).unwrap(),
        ])
    }

    proptest! {
        /// Symbols in any order within the window, some twice, as many lost as parity allows, and forgeries among them,
        /// around the turn of the numbers on the wire: every packet comes out once, in order, and nothing else.
        #[test]
        fn whole_and_in_order(
            shape in shapes(),
            packets in stream(),
            first in prop_oneof![Just(0), Just((1_u64 << 32) - 3), Just((7 << 32) - 20)],
            seed: u64,
        ) {
            let mut dice = p2p_core::Rng::fast_from(seed);
            let mut sent = source(shape, first, &packets);
            // Each generation loses as many symbols as it has parity.
            let mut lost = alloc::collections::BTreeMap::<u32, u8>::new();
            sent.retain(|sent| match sent {
                Sent::Symbol(symbol) if dice.below(3) == 0 => {
                    let lost = lost.entry(symbol.generation).or_default();
                    *lost += 1;
                    *lost > shape.parity()
                }
                _ => true,
            });
            // A symbol is passed by some of those behind it.
            for at in 0..sent.len() {
                let with = (at + dice.below(6) as usize).min(sent.len() - 1);
                sent.swap(at, with);
            }
            let mut playout = Playout::new(shape, first, 256, 3, PATIENCE);
            let (mut out, now, mut reader) = (Vec::new(), Instant::ZERO, Cursor::new(first));
            for sent in sent {
                match sent {
                    Sent::Symbol(symbol) => {
                        let number = playout.number(symbol.generation);
                        let forged = Symbol { body: Bytes::from_static(b"forged"), ..symbol.clone() };
                        if dice.below(4) == 0 {
                            playout.insert(&forged, now);
                        }
                        let fits = number >= playout.oldest();
                        let taken = playout.insert(&symbol, now);
                        prop_assert!(taken == Taken::New || !fits || (taken == Taken::Twice), "{:?}", taken);
                        prop_assert_ne!(playout.insert(&symbol, now), Taken::New);
                        if dice.below(4) == 0 {
                            playout.insert(&forged, now);
                        }
                    }
                    Sent::Manifest(manifest) => {
                        prop_assert!(playout.sign(manifest.clone(), now));
                        prop_assert!(!playout.sign(manifest, now));
                    }
                }
                drain(&mut playout, &mut reader, now, &mut out);
            }
            prop_assert_eq!(out.pop(), Some(Output::End));
            let got: Vec<_> = out.iter().map(|output| match output {
                Output::Packet { data, .. } => data.to_vec(),
                other => panic!("{other:?}"),
            }).collect();
            let expected: Vec<_> = packets.iter().map(|(packet, _)| packet.clone()).collect();
            prop_assert_eq!(got, expected);
            prop_assert!(playout.missing().next().is_none());
        }

        /// Whatever is lost, what goes out is a part of the stream in its order, and holes are told in time.
        #[test]
        fn holes_are_told(shape in shapes(), packets in stream(), seed: u64) {
            let mut dice = p2p_core::Rng::fast_from(seed);
            let mut playout = Playout::new(shape, 0, 64, 3, PATIENCE);
            let (mut out, mut now, mut reader) = (Vec::new(), Instant::ZERO, Cursor::new(0));
            let mut sent = source(shape, 0, &packets);
            // The end is heard of.
            let end = sent.pop();
            for sent in sent {
                if dice.below(3) == 0 {
                    continue;
                }
                match sent {
                    Sent::Symbol(symbol) => { playout.insert(&symbol, now); }
                    Sent::Manifest(manifest) => { playout.sign(manifest, now); }
                }
                now += Duration::from_millis(100);
                drain(&mut playout, &mut reader, now, &mut out);
                prop_assert!(playout.due().is_none_or(|due| due > now));
            }
            if let Some(Sent::Manifest(manifest)) = end {
                playout.sign(manifest, now);
            }
            now += PATIENCE;
            drain(&mut playout, &mut reader, now, &mut out);
            prop_assert_eq!(out.last(), Some(&Output::End));
            let mut at = 0;
            for output in out {
                if let Output::Packet { data, .. } = output {
                    let behind = packets[at..].iter().position(|(packet, _)| packet[..] == data[..]);
                    prop_assert!(behind.is_some());
                    at += behind.unwrap() + 1;
                }
            }
        }

        /// Any symbols and manifests: no panic, no more slots than the window has, no `Forged` goes out.
        #[test]
        fn anything(
            inputs in proptest::collection::vec((any::<u32>(), 0..8_u8, any::<bool>(), 0..5_u8), 0..200),
        ) {
            let shape = Shape::SIX_OF_FOUR;
            let mut playout = Playout::new(shape, 5, 16, 4, PATIENCE);
            let (mut now, mut reader) = (Instant::ZERO, Cursor::new(5));
            for (number, index, sign, count) in inputs {
                now += Duration::from_millis(u64::from(number % 1_000));
                if sign {
                    let digests = alloc::vec![[0; 12]; usize::from(count + 2)];
                    let generations = if count == 0 { Vec::new() } else { alloc::vec![Listed { count, digests }] };
                    let first = u64::from(number) << (number % 31);
                    playout.sign(Manifest { first, closed: 0, last: generations.is_empty(), generations }, now);
                } else {
                    playout.insert(&Symbol { generation: number % 64, index, body: Bytes::from_static(b"x") }, now);
                }
                let mut out = Vec::new();
                drain(&mut playout, &mut reader, now, &mut out);
                for output in out {
                    prop_assert!(!matches!(output, Output::Packet { .. }), "nothing was signed");
                }
                prop_assert!(playout.slots.len() <= 16);
            }
        }
    }

    #[test]
    fn a_source_far_ahead_is_followed() {
        let mut playout = Playout::new(Shape::SINGLE, 0, 16, 4, PATIENCE);
        let now = Instant::ZERO;
        let ahead = Symbol { generation: 1_000, index: 0, body: Bytes::from_static(b"x") };
        assert_eq!(playout.insert(&ahead, now), Taken::Ahead, "anybody can say so");
        let listed = Listed { count: 1, digests: alloc::vec![Symbol::digest(1_000, 0, b"x")] };
        assert!(
            playout.sign(
                Manifest { first: 1_000, closed: 0, last: false, generations: alloc::vec![listed] },
                now
            )
        );
        assert_eq!(playout.insert(&ahead, now), Taken::New);
        let (mut reader, mut out) = (Cursor::new(0), Vec::new());
        drain(&mut playout, &mut reader, now, &mut out);
        assert_eq!(out, [Output::Jump { from: 0, to: 985 }]);
        assert_eq!(playout.missing().next().unwrap().generation, 985, "what may still be had is asked for");
        let mut out = Vec::new();
        drain(&mut playout, &mut reader, now + PATIENCE, &mut out);
        assert_eq!(out.len(), 16);
        assert_eq!(
            out.last(),
            Some(&Output::Packet { generation: 1_000, index: 0, offset: 0, data: Bytes::from_static(b"x") })
        );
    }

    #[test]
    fn history_is_kept_for_others() {
        let shape = Shape::SIX_OF_FOUR;
        let packets: Vec<_> = (0..40_u8).map(|n| (alloc::vec![n; 20], false)).collect();
        let mut playout = Playout::new(shape, 0, 16, 4, PATIENCE);
        let now = Instant::ZERO;
        for sent in source(shape, 0, &packets) {
            match sent {
                Sent::Symbol(symbol) => assert_eq!(playout.insert(&symbol, now), Taken::New),
                Sent::Manifest(manifest) => assert!(playout.sign(manifest, now)),
            }
            while playout.advance(now) {}
        }
        assert_eq!(playout.position(), 10);
        assert_eq!(playout.oldest(), 6);
        assert_eq!(playout.symbol(5, 0), None);
        assert_eq!(playout.symbol(6, 3).map(|body| body[0]), Some(27));
        assert!(playout.symbol(9, 5).is_some(), "parity too");
        assert_eq!(playout.symbol(9, 6), None);
        // And for readers of our own: one that is slow, and one that begins late.
        let (mut slow, mut late) = (Cursor::new(2), Cursor::new(8));
        assert_eq!(playout.read(&mut slow), Some(Output::Jump { from: 2, to: 6 }));
        for (reader, first, packets) in [(&mut slow, 24, 16), (&mut late, 32, 8)] {
            let mut out = Vec::new();
            drain(&mut playout, reader, now, &mut out);
            assert_eq!(out.pop(), Some(Output::End));
            assert_eq!(out.len(), packets);
            for (at, output) in out.into_iter().enumerate() {
                let Output::Packet { offset, data, .. } = output else { panic!("{output:?}") };
                assert_eq!((offset, usize::from(data[0])), (20 * at as u64, first + at));
            }
        }
    }

    /// Who begins in the past waits longer for what it has to ask for.
    #[test]
    fn the_past_takes_longer() {
        let shape = Shape::SIX_OF_FOUR;
        let packets: Vec<_> = (0..40_u8).map(|n| (alloc::vec![n; 20], false)).collect();
        let mut playout = Playout::new(shape, 2, 32, 8, PATIENCE);
        let now = Instant::ZERO;
        let until = now + PATIENCE * 3;
        playout.begin_in_the_past(6, until, now);
        assert_eq!(playout.missing().map(|missing| missing.generation).collect::<Vec<_>>(), [2, 3, 4, 5]);
        let (mut reader, mut out) = (Cursor::new(2), Vec::new());
        let sent = source(shape, 0, &packets);
        let give = |playout: &mut Playout, from, to| {
            for sent in &sent {
                match sent {
                    Sent::Symbol(symbol) if (from..to).contains(&symbol.generation) => {
                        playout.insert(symbol, now);
                    }
                    Sent::Symbol(_) => {}
                    Sent::Manifest(manifest) => {
                        playout.sign(manifest.clone(), now);
                    }
                }
            }
        };
        give(&mut playout, 4, 8);
        drain(&mut playout, &mut reader, now + PATIENCE * 2, &mut out);
        assert_eq!(out, [], "it is not too late");
        give(&mut playout, 2, 3);
        drain(&mut playout, &mut reader, now + PATIENCE * 2, &mut out);
        assert_eq!(out.len(), 4);
        out.clear();
        drain(&mut playout, &mut reader, until, &mut out);
        assert_eq!(out[0], Output::Gap { generation: 3, packets: Some(4) });
        assert!(matches!(out[1], Output::Packet { generation: 4, index: 0, offset: 80, .. }), "{out:?}");
    }
}
