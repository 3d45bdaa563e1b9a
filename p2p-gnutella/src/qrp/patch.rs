//! [`update`]: the messages that make a neighbour's copy of a table the newest.

use super::Table;
use super::table::STRIDE;
use crate::wire::{Compressor, Patch, Route};
use alloc::vec;
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
    if entry_bits == 1 {
        return old.iter().zip(new.as_bytes()).map(|(old, new)| old ^ new).collect();
    }
    // One less than infinity is one hop; one more makes it none.
    let entry = |changed: u8, new: u8, bit: u8| match (changed & 0x80 >> bit, new & 0x80 >> bit) {
        (0, _) => 0u8,
        (_, 0) => INFINITY - 1,
        _ => (INFINITY - 1).wrapping_neg(),
    };
    // Most of a table stays as it is.
    let width = usize::from(entry_bits);
    let mut entries = vec![0; old.len() * width];
    let strides =
        old.chunks(STRIDE).zip(new.as_bytes().chunks(STRIDE)).zip(entries.chunks_mut(STRIDE * width));
    for ((old, new), entries) in strides.filter(|((old, new), _)| old != new) {
        for ((old, new), entries) in old.iter().zip(new).zip(entries.chunks_mut(width)) {
            let of = |bit: usize| entry(old ^ new, *new, bit as u8);
            if width == 4 {
                (0..4).for_each(|at| entries[at] = of(2 * at) << 4 | of(2 * at + 1) & 0x0f);
            } else {
                (0..8).for_each(|at| entries[at] = of(at));
            }
        }
    }
    entries
}
