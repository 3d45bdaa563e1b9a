//! What is noted beside a file that is on its way, so that a later run goes on: `.have`.
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 8 | `p2pfile1` |
//! | 32 | SHA-256 of the whole file |
//! | 8 | its size, big-endian |
//! | 4 | bytes of a chunk, big-endian |
//! | rest | a bit for each chunk, the first the highest of its byte: whether it is here |
//!
//! It may be wrong after a crash of the machine: then the whole file's digest does not fit, and what it vouched for is
//! fetched again.

use super::chunks::Chunks;
use alloc::vec::Vec;
use bytes::Bytes;

const MAGIC: &[u8; 8] = b"p2pfile1";
/// Bytes before the bits.
const HEAD: usize = 52;

/// The longest such file of so many chunks.
pub(super) const fn most(chunks: u32) -> u64 {
    HEAD as u64 + (chunks as u64).div_ceil(8)
}

fn head(sha256: &[u8; 32], size: u64, len: u32) -> Vec<u8> {
    [&MAGIC[..], sha256, &size.to_be_bytes(), &len.to_be_bytes()].concat()
}

pub(super) fn encode(sha256: &[u8; 32], size: u64, len: u32, chunks: &Chunks) -> Bytes {
    let mut note = head(sha256, size, len);
    note.extend(chunks.bitmap());
    note.into()
}

/// The chunks that are here, if the note is of this file.
pub(super) fn decode(note: &[u8], sha256: &[u8; 32], size: u64, len: u32) -> Option<Chunks> {
    let bits = note.strip_prefix(&head(sha256, size, len)[..])?;
    let mut chunks = Chunks::new(size, len);
    if bits.len() != chunks.count().div_ceil(8) {
        return None;
    }
    for chunk in 0..chunks.count() as u32 {
        if bits[chunk as usize / 8] & (0x80 >> (chunk % 8)) != 0 {
            chunks.resume(chunk);
        }
    }
    Some(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_here_is_here_again(size in 1u64..20_000, here in prop::collection::vec(0u32..200, 0..50)) {
            let mut chunks = Chunks::new(size, 100);
            here.iter().for_each(|chunk| chunks.resume(*chunk));
            let note = encode(&[1; 32], size, 100, &chunks);
            prop_assert!(note.len() as u64 <= most(chunks.count() as u32));
            prop_assert_eq!(decode(&note, &[1; 32], size, 100), Some(chunks));
            for (sha256, of, len) in [([2; 32], size, 100), ([1; 32], size + 1, 100), ([1; 32], size, 99)] {
                prop_assert_eq!(decode(&note, &sha256, of, len), None);
            }
            prop_assert_eq!(decode(&note[..note.len() - 1], &[1; 32], size, 100), None);
        }

        #[test]
        fn junk_is_no_note(junk in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(&junk, &[1; 32], 1_000, 100), None);
        }
    }
}
