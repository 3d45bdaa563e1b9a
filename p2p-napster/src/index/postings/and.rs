//! The entries that have all of these words and none of those: [`for_each`].

use super::block::{Bitmap, Block, SPARSE, WORDS, has};
use super::{BLOCK_BITS, Blocks, Postings};
use alloc::vec::Vec;
use core::ops::ControlFlow;

/// Candidates of a short list that are looked at together: enough for their cache misses to overlap, few enough that
/// little is done in vain when the first of them are all that is wanted.
const CHUNK: usize = 64;

/// Calls `each` with every number that is in all of `wanted` and in none of `unwanted`, some at a time and in rising
/// order, until it breaks. The shortest list leads; where all are dense they are compared 64 numbers at a time. `wanted` is sorted on
/// the way; none at all gives nothing.
pub(in crate::index) fn for_each(
    wanted: &mut [&Postings],
    unwanted: &[&Postings],
    each: &mut impl FnMut(&[u32]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    wanted.sort_by_key(|postings| (matches!(postings, Postings::Many(_)), postings.len()));
    let Some((first, others)) = wanted.split_first() else { return ControlFlow::Continue(()) };
    match first {
        Postings::One(one) => led_by_few(&[*one], others, unwanted, each),
        Postings::Few(ids) => led_by_few(ids, others, unwanted, each),
        Postings::Many(_) => {
            let wanted: Vec<&Blocks> = wanted
                .iter()
                .filter_map(
                    |postings| if let Postings::Many(blocks) = postings { Some(&**blocks) } else { None },
                )
                .collect();
            led_by_blocks(&wanted, unwanted, each)
        }
    }
}

fn led_by_few(
    ids: &[u32],
    others: &[&Postings],
    unwanted: &[&Postings],
    each: &mut impl FnMut(&[u32]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut left = [0; CHUNK];
    for chunk in ids.chunks(CHUNK) {
        let mut len = chunk.len();
        left[..len].copy_from_slice(chunk);
        for (postings, wanted) in others
            .iter()
            .map(|postings| (*postings, true))
            .chain(unwanted.iter().map(|postings| (*postings, false)))
        {
            len = match postings {
                Postings::One(one) => retain(&mut left[..len], |id| (*one == id) == wanted),
                Postings::Few(ids) => retain_sorted(&mut left[..len], ids, wanted),
                Postings::Many(blocks) => retain(&mut left[..len], |id| blocks.contains(id) == wanted),
            };
        }
        each(&left[..len])?;
    }
    ControlFlow::Continue(())
}

fn led_by_blocks(
    wanted: &[&Blocks],
    unwanted: &[&Postings],
    each: &mut impl FnMut(&[u32]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let count = wanted.iter().map(|blocks| blocks.blocks.len()).min().unwrap_or(0);
    let (mut sparse, mut dense): (Vec<&[u16]>, Vec<&Bitmap>) = (Vec::new(), Vec::new());
    let (mut denied, mut against): (Vec<&Bitmap>, Vec<&Postings>) = (Vec::new(), Vec::new());
    for high in 0..count {
        sparse.clear();
        dense.clear();
        denied.clear();
        against.clear();
        for blocks in wanted {
            match &blocks.blocks[high] {
                Block::Sparse(lows) => sparse.push(lows),
                Block::Dense(bitmap) => dense.push(bitmap),
            }
        }
        for postings in unwanted {
            match postings {
                Postings::Many(blocks) => match blocks.blocks.get(high) {
                    Some(Block::Dense(bitmap)) => denied.push(bitmap),
                    Some(block) if block.len() > 0 => against.push(postings),
                    _ => {}
                },
                _ => against.push(postings),
            }
        }
        let mut ids = [0; CHUNK];
        let mut each = |lows: &[u16]| {
            for lows in lows.chunks(CHUNK) {
                let mut len = 0;
                for low in lows {
                    let id = (high as u32) << BLOCK_BITS | u32::from(*low);
                    ids[len] = id;
                    len += usize::from(!against.iter().any(|postings| postings.contains(id)));
                }
                each(&ids[..len])?;
            }
            ControlFlow::Continue(())
        };
        sparse.sort_by_key(|lows| lows.len());
        match sparse.split_first() {
            Some((first, others)) => in_sparse(first, others, &dense, &denied, &mut each)?,
            None => in_dense(&dense, &denied, &mut each)?,
        }
    }
    ControlFlow::Continue(())
}

fn in_sparse(
    lows: &[u16],
    others: &[&[u16]],
    dense: &[&Bitmap],
    denied: &[&Bitmap],
    each: &mut impl FnMut(&[u16]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut left = [0; SPARSE];
    // Lists that are nearly as long as the shortest are gone through once and not once for each chunk.
    let size = if others.is_empty() { 4 * CHUNK } else { left.len() };
    for chunk in lows.chunks(size) {
        let mut len = chunk.len();
        left[..len].copy_from_slice(chunk);
        // The rarest words first: they leave the fewest.
        for lows in others {
            len = if len * 8 < lows.len() {
                retain(&mut left[..len], |low| has(lows, low))
            } else {
                let mut marks = [0u64; WORDS];
                for low in *lows {
                    marks[usize::from(low >> 6)] |= 1 << (low & 63);
                }
                retain(&mut left[..len], |low| marks[usize::from(low >> 6)] >> (low & 63) & 1 != 0)
            };
        }
        for bitmap in dense {
            len = retain(&mut left[..len], |low| bitmap.contains(low));
        }
        for bitmap in denied {
            len = retain(&mut left[..len], |low| !bitmap.contains(low));
        }
        each(&left[..len])?;
    }
    ControlFlow::Continue(())
}

fn in_dense(
    dense: &[&Bitmap],
    denied: &[&Bitmap],
    each: &mut impl FnMut(&[u16]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some((first, others)) = dense.split_first() else { return ControlFlow::Continue(()) };
    let (mut lows, mut len) = ([0; 2 * CHUNK], 0);
    for (at, word) in first.words.iter().enumerate() {
        let mut word = *word;
        for bitmap in others {
            word &= bitmap.words[at];
        }
        for bitmap in denied {
            word &= !bitmap.words[at];
        }
        while word != 0 {
            lows[len] = (at as u16) << 6 | word.trailing_zeros() as u16;
            len += 1;
            word &= word - 1;
        }
        // There is always room for the 64 of another word.
        if len >= CHUNK {
            each(&lows[..len])?;
            len = 0;
        }
    }
    each(&lows[..len])
}

/// Moves what is kept to the front, and returns how many that are.
fn retain<T: Copy>(left: &mut [T], keep: impl Fn(T) -> bool) -> usize {
    let mut kept = 0;
    for at in 0..left.len() {
        let value = left[at];
        left[kept] = value;
        kept += usize::from(keep(value));
    }
    kept
}

/// Keeps what is in `list` (or is not, if `wanted` is false); both are sorted. Skips ahead in doubling steps.
fn retain_sorted<T: Ord + Copy>(left: &mut [T], list: &[T], wanted: bool) -> usize {
    let Some(first) = left.first().copied() else { return 0 };
    let mut rest = &list[list.partition_point(|other| *other < first)..];
    let mut kept = 0;
    for at in 0..left.len() {
        let value = left[at];
        let mut step = 1;
        while step < rest.len() && rest[step] < value {
            step *= 2;
        }
        let (from, to) = (step / 2, rest.len().min(step + 1));
        if from < to {
            rest = &rest[from + rest[from..to].partition_point(|other| *other < value)..];
        }
        left[kept] = value;
        kept += usize::from((rest.first() == Some(&value)) == wanted);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A set of about `per_mille` of the numbers below 140,000, by a cheap hash.
    fn set(per_mille: u32, salt: u32) -> Vec<u32> {
        (0..140_000)
            .filter(|id: &u32| (id ^ salt).wrapping_mul(0x9e37_79b1) >> 12 < per_mille * 1049)
            .collect()
    }

    fn postings(ids: &[u32]) -> Postings {
        let mut postings = Postings::Few(Vec::new());
        for id in ids {
            postings.insert(*id);
        }
        postings
    }

    fn density() -> impl Strategy<Value = (u32, u32)> {
        (prop_oneof![0u32..8, 8u32..40, 40u32..1000], any::<u32>())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn like_a_scan(
            wanted in prop::collection::vec(density(), 1..4),
            unwanted in prop::collection::vec(density(), 0..3),
            most in prop_oneof![Just(usize::MAX), 1usize..200],
        ) {
            let sets = |of: &[(u32, u32)]| of.iter().map(|(d, salt)| set(*d, *salt)).collect::<Vec<_>>();
            let (wanted, unwanted) = (sets(&wanted), sets(&unwanted));
            let scan: Vec<u32> = (0..140_000)
                .filter(|id| wanted.iter().all(|set| set.binary_search(id).is_ok()))
                .filter(|id| !unwanted.iter().any(|set| set.binary_search(id).is_ok()))
                .take(most)
                .collect();
            let lists = |of: &[Vec<u32>]| of.iter().map(|set| postings(set)).collect::<Vec<_>>();
            let (wanted, unwanted) = (lists(&wanted), lists(&unwanted));
            let mut found: Vec<u32> = Vec::new();
            let _ = for_each(&mut wanted.iter().collect::<Vec<_>>(), &unwanted.iter().collect::<Vec<_>>(), &mut |ids: &[u32]| {
                found.extend(ids.iter().take(most - found.len()));
                if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            prop_assert_eq!(found, scan);
        }
    }
}
