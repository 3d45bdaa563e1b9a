//! [`update`]: the messages that make a neighbour's copy of a table the newest.

use super::Table;
use super::runs::deflate_runs;
use crate::wire::{Compressor, Patch, Route};
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;

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
    let packed = deflate_runs(&plain);
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
    let old = old.unwrap_or(&none);
    let width = usize::from(entry_bits);
    let mut entries = vec![0; new.bytes_len() * width];
    // Most of a table is empty, and stays as it is.
    let gone = old.words().map(|(at, old)| (at, old, new.word(at))).filter(|(.., new)| *new == 0);
    let words = new.words().map(|(at, new)| (at, old.word(at), new)).chain(gone);
    for (at, old, new) in words.filter(|(_, old, new)| old != new) {
        let bytes = old.to_be_bytes().into_iter().zip(new.to_be_bytes());
        for ((old, new), entries) in bytes.zip(entries.chunks_mut(width).skip(8 * at)) {
            put_entries(old ^ new, new, entries);
        }
    }
    entries
}

/// What changes of eight slots, in as many bytes as a slot has bits.
fn put_entries(changed: u8, new: u8, to: &mut [u8]) {
    // One less than infinity is one hop; one more makes it none.
    let of = |bit: usize| match (changed & 0x80 >> bit, new & 0x80 >> bit) {
        (0, _) => 0u8,
        (_, 0) => INFINITY - 1,
        _ => (INFINITY - 1).wrapping_neg(),
    };
    match to {
        [flipped] => *flipped = changed,
        halves @ [_, _, _, _] => {
            halves
                .iter_mut()
                .zip((0..).step_by(2))
                .for_each(|(to, bit)| *to = of(bit) << 4 | of(bit + 1) & 0x0f);
        }
        all => all.iter_mut().zip(0..).for_each(|(to, bit)| *to = of(bit)),
    }
}
