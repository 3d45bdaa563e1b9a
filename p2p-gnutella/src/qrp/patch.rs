//! [`update`]: the messages that make a neighbour's copy of a table the newest.

use super::Table;
use crate::wire::{Compressor, Patch, Route};
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::deflate::deflate;

/// The distance that stands for nothing: files are one hop away, so two is as good as none (gtk-gnutella).
pub const INFINITY: u8 = 2;
/// Bytes of a part: what a neighbour of 2002 would wait for. Longer only if there were more parts than can be counted.
pub const PART_LEN: usize = 2_048;
/// The most parts: they are counted in a byte.
const PARTS_MAX: usize = 255;

/// The messages that make `new` of what a neighbour knows as `old`, in the order in which they are to be sent; none if it
/// knows it already. A neighbour that knows nothing, or a table of another size, is told to begin anew.
///
/// `entry_bits` are the bits for each slot: 1 for neighbours with the feature `QRP1`, else 4, or 8.
#[must_use]
pub fn update(old: Option<&Table>, new: &Table, entry_bits: u8) -> Vec<Route> {
    let old = old.filter(|old| old.bits() == new.bits());
    if old == Some(new) {
        return Vec::new();
    }
    let mut messages = Vec::new();
    if old.is_none() {
        messages.push(Route::Reset { slots: new.slots(), infinity: INFINITY });
    }
    let plain = differences(old, new, entry_bits);
    let packed = deflate(&plain);
    let (compressor, data) =
        if packed.len() < plain.len() { (Compressor::Zlib, packed) } else { (Compressor::None, plain) };
    let data = Bytes::from(data);
    let part_len = PART_LEN.max(data.len().div_ceil(PARTS_MAX));
    let count = data.len().div_ceil(part_len) as u8;
    for (number, at) in (1..=count).zip((0..data.len()).step_by(part_len)) {
        let data = data.slice(at..data.len().min(at + part_len));
        messages.push(Route::Patch(Patch { number, count, compressor, entry_bits, data }));
    }
    messages
}

/// What changes, with so many bits for each slot.
fn differences(old: Option<&Table>, new: &Table, entry_bits: u8) -> Vec<u8> {
    let none = Table::new(new.bits());
    let old = old.unwrap_or(&none).as_bytes();
    let changed = old.iter().zip(new.as_bytes()).map(|(old, new)| old ^ new);
    if entry_bits == 1 {
        return changed.collect();
    }
    // One less than infinity is one hop; one more makes it none.
    let entry = |changed: u8, new: u8, bit: u8| match (changed & 0x80 >> bit, new & 0x80 >> bit) {
        (0, _) => 0u8,
        (_, 0) => INFINITY - 1,
        _ => (INFINITY - 1).wrapping_neg(),
    };
    let eights = changed.zip(new.as_bytes());
    if entry_bits == 4 {
        let fours = eights.flat_map(|(changed, new)| {
            [0, 2, 4, 6].map(|bit| entry(changed, *new, bit) << 4 | entry(changed, *new, bit + 1) & 0x0f)
        });
        return fours.collect();
    }
    eights.flat_map(|(changed, new)| [0, 1, 2, 3, 4, 5, 6, 7].map(|bit| entry(changed, *new, bit))).collect()
}
