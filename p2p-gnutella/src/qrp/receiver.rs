//! [`Receiver`]: the table that a neighbour sends, as it comes.

use super::{BITS_MAX, BITS_MIN, Table};
use crate::wire::{Compressor, Patch, Route};
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::deflate::{InflateError, InflateLimits, Inflater, inflate_into};

/// A neighbour's table.
///
/// It is changed as parts come, so nothing is kept of them. While a patch of several parts is compressed a decompressor is held
/// (43 kB), and what comes out goes into the table at once: a bomb stops where the table ends.
#[derive(Debug)]
pub struct Receiver {
    bits_max: u8,
    infinity: u8,
    table: Option<Table>,
    /// Whether a whole patch has come since the last reset.
    complete: bool,
    sequence: Option<Sequence>,
}

/// A patch that is coming.
#[derive(Debug)]
struct Sequence {
    /// The part that is to come next.
    next: u8,
    count: u8,
    compressor: Compressor,
    entry_bits: u8,
    inflater: Option<Inflater>,
    /// Bytes of the patch so far, as they are without compression.
    at: usize,
}

/// What a message changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The table begins anew.
    Reset,
    /// A patch goes on.
    Part,
    /// A patch is complete.
    Complete,
    /// Nothing: a variant that nobody agreed on.
    Ignored,
}

/// Why a message makes no sense. A table that lacks a change is worth nothing, so the link is to be closed, with
/// [`bye_code::ROUTE_SEQUENCE`](crate::wire::bye_code::ROUTE_SEQUENCE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// A size that is no power of two, or none that is taken.
    #[error("a table of {0} slots")]
    Slots(u32),
    /// A distance for nothing that leaves no other.
    #[error("infinity is {0}")]
    Infinity(u8),
    /// A patch of no table.
    #[error("a patch before a reset")]
    NoReset,
    /// A part that is not the next one of its patch, or differs from those before it.
    #[error("part {number} of {count}, where {next} was to come")]
    Sequence {
        /// The number of the part.
        number: u8,
        /// How many it says there are.
        count: u8,
        /// The number that was to come.
        next: u8,
    },
    /// A way of compressing that nobody agreed on.
    #[error("unknown compressor {0:?}")]
    Compressor(Compressor),
    /// Other bits for each slot than 1, 4 or 8.
    #[error("{0} bits for each slot")]
    EntryBits(u8),
    /// A patch of more than the table's slots.
    #[error("a patch longer than its table")]
    TooLong,
    /// A patch of less than the table's slots.
    #[error("a patch shorter than its table")]
    TooShort,
    /// A patch that cannot be inflated.
    #[error("a patch that cannot be inflated")]
    Corrupt,
}

impl Receiver {
    /// No table yet; at most one of 2^`bits_max` slots is taken: 17 of a leaf, 21 at most.
    #[must_use]
    pub const fn new(bits_max: u8) -> Self {
        Self { bits_max, infinity: 0, table: None, complete: false, sequence: None }
    }

    /// The neighbour's table; `None` until one was sent whole, and till then a neighbour is to be sent everything (QRP) or, a
    /// leaf, nothing.
    #[must_use]
    pub fn table(&self) -> Option<&Table> {
        self.table.as_ref().filter(|_| self.complete)
    }

    /// Whether a patch has begun and not ended: it holds 43 kB if it is compressed.
    #[must_use]
    pub const fn is_receiving(&self) -> bool {
        self.sequence.is_some()
    }

    /// Takes a message. What it costs is proportional to its length, and to the table's once in a patch.
    ///
    /// # Errors
    /// If it makes no sense; the table is not to be used any more.
    pub fn take(&mut self, route: &Route) -> Result<Progress, RouteError> {
        match route {
            Route::Reset { slots, infinity } => self.reset(*slots, *infinity),
            Route::Patch(patch) => self.patch(patch),
            Route::Other(..) => Ok(Progress::Ignored),
        }
    }

    fn reset(&mut self, slots: u32, infinity: u8) -> Result<Progress, RouteError> {
        let bits = slots.trailing_zeros() as u8;
        let allowed = BITS_MIN..=self.bits_max.min(BITS_MAX);
        if !slots.is_power_of_two() || !allowed.contains(&bits) {
            return Err(RouteError::Slots(slots));
        }
        if infinity < 2 {
            return Err(RouteError::Infinity(infinity));
        }
        self.sequence = None;
        self.complete = false;
        self.infinity = infinity;
        self.table = Some(Table::new(bits));
        Ok(Progress::Reset)
    }

    fn patch(&mut self, patch: &Patch) -> Result<Progress, RouteError> {
        let table = self.table.as_mut().ok_or(RouteError::NoReset)?;
        let sequence = match &mut self.sequence {
            Some(sequence) => sequence,
            none => none.insert(Sequence::begin(patch)?),
        };
        let (number, count, next) = (patch.number, patch.count, sequence.next);
        if number != next
            || count != sequence.count
            || patch.compressor != sequence.compressor
            || patch.entry_bits != sequence.entry_bits
        {
            return Err(RouteError::Sequence { number, count, next });
        }
        sequence.data(&patch.data, table, self.infinity)?;
        if number < count {
            sequence.next += 1;
            return Ok(Progress::Part);
        }
        if sequence.at < sequence.len(table) {
            return Err(RouteError::TooShort);
        }
        self.sequence = None;
        self.complete = true;
        table.pack();
        Ok(Progress::Complete)
    }
}

impl Sequence {
    fn begin(patch: &Patch) -> Result<Self, RouteError> {
        let Patch { number, count, compressor, entry_bits, .. } = *patch;
        if number != 1 || count == 0 {
            return Err(RouteError::Sequence { number, count, next: 1 });
        }
        if !matches!(entry_bits, 1 | 4 | 8) {
            return Err(RouteError::EntryBits(entry_bits));
        }
        let inflater = match compressor {
            // Of a part that is all, whatever is short is inflated in one go.
            Compressor::Zlib if count == 1 => None,
            Compressor::None => None,
            Compressor::Zlib => Some(Inflater::new(InflateLimits::NONE)),
            Compressor::Other(_) => return Err(RouteError::Compressor(compressor)),
        };
        Ok(Self { next: 1, count, compressor, entry_bits, inflater, at: 0 })
    }

    /// Bytes of the whole patch without compression.
    const fn len(&self, table: &Table) -> usize {
        table.bytes_len() * self.entry_bits as usize
    }

    fn data(&mut self, data: &Bytes, table: &mut Table, infinity: u8) -> Result<(), RouteError> {
        let mut inflater = match (self.compressor, self.inflater.take()) {
            (Compressor::Zlib, Some(inflater)) => inflater,
            (Compressor::Zlib, None) if self.len(table) <= WHOLE_MAX => {
                let (mut short, mut long) = ([0; SHORT_MAX], Vec::new());
                let whole = match self.len(table) {
                    len @ ..=SHORT_MAX => &mut short[..len],
                    len => {
                        long.resize(len, 0);
                        &mut long[..]
                    }
                };
                let len = match inflate_into(data, whole) {
                    Ok(len) => len,
                    Err(InflateError::Bomb { .. }) => return Err(RouteError::TooLong),
                    Err(_) => return Err(RouteError::Corrupt),
                };
                return self.plain(whole.get(..len).unwrap_or_default(), table, infinity);
            }
            // The table is the limit.
            (Compressor::Zlib, None) => Inflater::new(InflateLimits::NONE),
            _ => return self.plain(data, table, infinity),
        };
        let mut input = data.clone();
        loop {
            match inflater.read(&mut input) {
                Ok(some) if some.is_empty() => break,
                Ok(some) => self.plain(&some, table, infinity)?,
                // It ends with the last part; who sends more behind it sends nothing.
                Err(InflateError::Ended) => break,
                Err(_) => return Err(RouteError::Corrupt),
            }
        }
        self.inflater = Some(inflater);
        Ok(())
    }

    /// Applies bytes of the patch as they are without compression.
    fn plain(&mut self, bytes: &[u8], table: &mut Table, infinity: u8) -> Result<(), RouteError> {
        if bytes.len() > self.len(table) - self.at {
            return Err(RouteError::TooLong);
        }
        let at = self.at;
        self.at += bytes.len();
        // Zeros change nothing, and are most of a patch.
        for (place, byte) in not_zero(bytes) {
            let at = at + place;
            match self.entry_bits {
                1 => table.flip(at, byte),
                4 => {
                    change(table, at * 2, byte.cast_signed() >> 4, infinity);
                    change(table, at * 2 + 1, (byte << 4).cast_signed() >> 4, infinity);
                }
                _ => change(table, at, byte.cast_signed(), infinity),
            }
        }
        Ok(())
    }
}

/// A slot's distance changes by `delta`. Only whether there is a distance is kept, so one that grew counts as gone only if
/// it must be: grown by all that lies between one hop and infinity.
fn change(table: &mut Table, slot: usize, delta: i8, infinity: u8) {
    match delta {
        0 => {}
        ..0 => table.set(slot),
        1.. if i16::from(delta) >= i16::from(infinity) - 1 => table.clear(slot),
        1.. => {}
    }
}

/// Bytes of a patch that are inflated in one go: those of a table of 2^17 slots with four bits for each.
const WHOLE_MAX: usize = 64 << 10;
/// Of those the ones that need no memory but the stack: with a bit for each.
const SHORT_MAX: usize = 16 << 10;
/// Bytes that are looked at together.
const STRIDE: usize = 32;

/// The bytes that are not zero, and where each is: few in patches, so many are passed over at once.
fn not_zero(bytes: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let strides = bytes.chunks(STRIDE).enumerate();
    let some = strides.filter(|(_, stride)| stride.iter().fold(0, |all, byte| all | byte) != 0);
    some.flat_map(|(at, stride)| {
        stride
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte != 0)
            .map(move |(byte, is)| (at * STRIDE + byte, *is))
    })
}
