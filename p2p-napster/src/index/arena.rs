//! Many short texts without a header each: [`Arena`].

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Texts lie on 2-byte units, so that 32 bits number 8 GiB of them.
const UNIT: usize = 2;
const PAGE: usize = 1 << 16;
const PAGE_UNITS: u32 = (PAGE / UNIT) as u32;
/// The longest text.
pub(super) const LONGEST: usize = PAGE;
/// No place.
pub(super) const NOWHERE: u32 = u32::MAX;

/// What a text takes at least: the room of one that is gone holds a number.
const SHORTEST: usize = 4;

/// Texts of up to a page, named by where they lie. Who puts one in remembers how long it is. The room of one that is
/// taken out is given to the next of its length (in units).
#[derive(Debug, Default)]
pub(super) struct Arena {
    pages: Vec<Box<[u8]>>,
    /// Units of the last page that are used.
    used: u32,
    /// By length in units: the first free room, which holds the place of the next one.
    free: Vec<u32>,
}

impl Arena {
    /// Whether there are numbers left for another text.
    pub(super) fn has_room(&self) -> bool {
        self.pages.len() < (NOWHERE / PAGE_UNITS) as usize
    }

    /// From the beginning of a text to somewhere behind its end.
    pub(super) fn from(&self, at: u32) -> &[u8] {
        &self.pages[(at / PAGE_UNITS) as usize][(at % PAGE_UNITS) as usize * UNIT..]
    }

    /// The bytes `from..to` of a text.
    pub(super) fn slice(&self, at: u32, from: usize, to: usize) -> &[u8] {
        &self.from(at)[from..to]
    }

    pub(super) fn u16_at(&self, at: u32, offset: usize) -> u16 {
        self.from(at)[offset..].first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes))
    }

    pub(super) fn u32_at(&self, at: u32, offset: usize) -> u32 {
        self.from(at)[offset..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// Writes a number into a text.
    pub(super) fn set_u32(&mut self, at: u32, offset: usize, value: u32) {
        self.at_mut(at)[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn at_mut(&mut self, at: u32) -> &mut [u8] {
        &mut self.pages[(at / PAGE_UNITS) as usize][(at % PAGE_UNITS) as usize * UNIT..]
    }

    /// Puts in a text of these parts: at least one byte, and at most [`LONGEST`] together.
    pub(super) fn put(&mut self, parts: &[&[u8]]) -> u32 {
        let at = self.room(parts.iter().map(|part| part.len()).sum());
        let mut to = self.at_mut(at);
        for part in parts {
            let (head, tail) = to.split_at_mut(part.len());
            head.copy_from_slice(part);
            to = tail;
        }
        at
    }

    fn room(&mut self, len: usize) -> u32 {
        let units = len.max(SHORTEST).div_ceil(UNIT) as u32;
        if let Some(first) = self.free.get(units as usize).copied().filter(|first| *first != NOWHERE) {
            self.free[units as usize] = self.u32_at(first, 0);
            return first;
        }
        if self.pages.is_empty() || self.used + units > PAGE_UNITS {
            self.pages.push(vec![0; PAGE].into_boxed_slice());
            self.used = 0;
        }
        let at = (self.pages.len() - 1) as u32 * PAGE_UNITS + self.used;
        self.used += units;
        at
    }

    /// Takes out a text of `len` bytes.
    pub(super) fn remove(&mut self, at: u32, len: usize) {
        let units = len.max(SHORTEST).div_ceil(UNIT);
        if self.free.len() <= units {
            self.free.resize(units + 1, NOWHERE);
        }
        let next = core::mem::replace(&mut self.free[units], at);
        self.set_u32(at, 0, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_used_again_and_texts_do_not_touch() {
        let mut arena = Arena::default();
        let mut texts = Vec::new();
        for round in 0..20u8 {
            for i in 0..3000usize {
                let text = vec![round ^ i as u8; 1 + i % 97];
                texts.push((arena.put(&[&text[..i % 7 % text.len()], &text[i % 7 % text.len()..]]), text));
            }
            let mut left = Vec::new();
            for (i, (at, text)) in texts.drain(..).enumerate() {
                assert_eq!(arena.slice(at, 0, text.len()), text);
                if i % 3 == 0 {
                    left.push((at, text));
                } else {
                    arena.remove(at, text.len());
                }
            }
            texts = left;
        }
        // 3000 texts of 50 bytes come and two thirds go: about 1500 are there at last, 4500 at most.
        assert!(arena.pages.len() <= 5, "{} pages", arena.pages.len());
    }
}
