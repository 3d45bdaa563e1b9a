//! The symbols of one generation, and what is signed of them: [`Slot`].

use super::Taken;
use crate::code::Decoder;
use crate::manifest::Listed;
use crate::shape::Shape;
use crate::symbol::Symbol;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::Instant;

/// Unsigned symbols that are kept beside another one of the same number, until one of them is signed.
const RIVALS: usize = 2;

#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) symbols: Vec<Option<Bytes>>,
    /// The symbols whose digest is signed, or that follow from such ones.
    pub(super) sound: u64,
    /// Those of them that only follow, and have not come yet.
    pub(super) derived: u64,
    pub(super) listed: Option<Listed>,
    /// When it was signed.
    pub(super) signed: Option<Instant>,
    /// Unsigned symbols of a number that another unsigned one has.
    rivals: Vec<(u8, Bytes)>,
    /// When anything was seen of it, or of a later one.
    pub(super) seen: Option<Instant>,
}

impl Slot {
    /// Of no generation yet.
    pub(super) fn reset(&mut self, shape: Shape) {
        self.symbols.clear();
        self.symbols.resize(shape.symbols().into(), None);
        (self.sound, self.derived, self.listed) = (0, 0, None);
        (self.seen, self.signed) = (None, None);
        self.rivals.clear();
    }

    /// Whether this symbol is here, and signed.
    pub(super) fn is_sound(&self, index: u8) -> bool {
        self.sound >> index & 1 == 1
    }

    /// Whether the source signed this as the symbol of that number, as far as is known.
    pub(super) fn is_signed(&self, shape: Shape, generation: u64, index: u8, body: &[u8]) -> bool {
        let listed = self.listed.as_ref().and_then(|listed| listed.digest(shape, index));
        listed.is_some_and(|digest| *digest == Symbol::digest(generation, index, body))
    }

    /// Takes a symbol of this generation that came in.
    pub(super) fn take(&mut self, shape: Shape, generation: u64, symbol: &Symbol) -> Taken {
        let at = usize::from(symbol.index);
        if self.is_sound(symbol.index) {
            // A tree that is slower than the others still brings its symbols to those that need them.
            let is_late = self.derived >> symbol.index & 1 == 1
                && self.symbols[at].as_ref().is_some_and(|derived| *derived == symbol.body);
            self.derived &= !(u64::from(is_late) << symbol.index);
            return if is_late { Taken::New } else { Taken::Twice };
        }
        if self.listed.is_none() {
            return self.take_unsigned(symbol);
        }
        if !self.is_signed(shape, generation, symbol.index, &symbol.body) {
            return Taken::Forged;
        }
        self.symbols[at] = Some(symbol.body.clone());
        self.sound |= 1 << symbol.index;
        Taken::New
    }

    fn take_unsigned(&mut self, symbol: &Symbol) -> Taken {
        let here = &mut self.symbols[usize::from(symbol.index)];
        match here {
            None => *here = Some(symbol.body.clone()),
            Some(here) if *here == symbol.body => return Taken::Twice,
            Some(_) => {
                let rivals = self.rivals.iter().filter(|(index, _)| *index == symbol.index);
                let (mut others, mut is_here) = (0, false);
                for (_, body) in rivals {
                    (others, is_here) = (others + 1, is_here || *body == symbol.body);
                }
                if is_here {
                    return Taken::Twice;
                }
                if others == RIVALS {
                    return Taken::Forged;
                }
                self.rivals.push((symbol.index, symbol.body.clone()));
            }
        }
        Taken::New
    }

    /// Keeps of what is here what is signed. Gives how many symbols are not.
    pub(super) fn list(&mut self, shape: Shape, generation: u64, listed: Listed) -> u64 {
        let mut forged = 0;
        let rivals = core::mem::take(&mut self.rivals);
        let is_signed = |index: u8, body: &[u8]| {
            listed.digest(shape, index) == Some(&Symbol::digest(generation, index, body))
        };
        for (index, symbol) in (0_u8..).zip(&mut self.symbols) {
            if symbol.as_ref().is_some_and(|body| is_signed(index, body)) {
                self.sound |= 1 << index;
            } else {
                forged += u64::from(symbol.take().is_some());
            }
        }
        for (index, body) in rivals {
            if is_signed(index, &body) {
                self.symbols[usize::from(index)] = Some(body);
                self.sound |= 1 << index;
            } else {
                forged += 1;
            }
        }
        self.listed = Some(listed);
        forged
    }

    /// Gets its packets back, if enough of it is here.
    pub(super) fn recover(&mut self, decoder: &mut Decoder) {
        let Some(count) = self.listed.as_ref().map(|listed| listed.count) else { return };
        // At least one, and at most 64.
        let whole = u64::MAX >> (64 - u32::from(count));
        let enough = self.sound.count_ones() >= u32::from(count);
        if enough && self.sound & whole != whole && decoder.recover(count, &mut self.symbols) {
            self.derived = whole & !self.sound;
            self.sound |= whole;
        }
    }
}
