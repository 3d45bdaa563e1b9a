//! The entries that have a word: [`Postings`].

mod and;
mod block;

pub(super) use and::for_each;

use super::ahead::fetch;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use block::Block;

/// A list longer than this is kept in blocks, and one that falls to half of it no longer is.
const FEW: usize = 1024;
/// Numbers in a block, as bits.
const BLOCK_BITS: u32 = 16;

/// A sorted set of entries' numbers: one of the many rare words costs no allocation, one in every file a bit each, and
/// adding and removing touches a few kilobytes at most, whatever the length.
#[derive(Debug)]
pub(super) enum Postings {
    One(u32),
    Few(Vec<u32>),
    Many(Box<Blocks>),
}

/// By the upper bits of the numbers.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    len: usize,
    blocks: Vec<Block>,
}

impl Blocks {
    fn contains(&self, id: u32) -> bool {
        self.blocks.get((id >> BLOCK_BITS) as usize).is_some_and(|block| block.contains(id as u16))
    }

    fn insert(&mut self, id: u32) -> bool {
        let at = (id >> BLOCK_BITS) as usize;
        if self.blocks.len() <= at {
            self.blocks.resize_with(at + 1, Block::default);
        }
        let new = self.blocks[at].insert(id as u16);
        self.len += usize::from(new);
        new
    }

    fn remove(&mut self, id: u32) -> bool {
        let Some(block) = self.blocks.get_mut((id >> BLOCK_BITS) as usize) else { return false };
        let was = block.remove(id as u16);
        self.len -= usize::from(was);
        was
    }

    fn ids(&self) -> Vec<u32> {
        let mut ids = Vec::with_capacity(self.len + 8);
        for (high, block) in self.blocks.iter().enumerate() {
            block.for_each(|low| ids.push((high as u32) << BLOCK_BITS | u32::from(low)));
        }
        ids
    }
}

impl Postings {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Few(ids) => ids.len(),
            Self::Many(blocks) => blocks.len,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn contains(&self, id: u32) -> bool {
        match self {
            Self::One(one) => *one == id,
            Self::Few(ids) => ids.binary_search(&id).is_ok(),
            Self::Many(blocks) => blocks.contains(id),
        }
    }

    /// Reads ahead what [`insert`](Self::insert) of this number will touch, if it is the greatest.
    pub(super) fn fetch(&self, id: u32) {
        match self {
            Self::One(_) => {}
            Self::Few(ids) => fetch(ids.last().copied()),
            Self::Many(blocks) => {
                if let Some(block) = blocks.blocks.get((id >> BLOCK_BITS) as usize) {
                    block.fetch(id as u16);
                }
            }
        }
    }

    /// Adds a number; false if it was there.
    pub(super) fn insert(&mut self, id: u32) -> bool {
        match self {
            Self::One(one) if *one == id => false,
            Self::One(one) => {
                *self = Self::Few(if *one < id { vec![*one, id] } else { vec![id, *one] });
                true
            }
            Self::Few(ids) => {
                if !insert_sorted(ids, id) {
                    return false;
                }
                if ids.len() > FEW {
                    let mut blocks = Box::<Blocks>::default();
                    for id in ids.drain(..) {
                        blocks.insert(id);
                    }
                    *self = Self::Many(blocks);
                }
                true
            }
            Self::Many(blocks) => blocks.insert(id),
        }
    }

    /// Takes a number out; false if it was not there. The last one stays as an empty list.
    pub(super) fn remove(&mut self, id: u32) -> bool {
        match self {
            Self::One(one) if *one == id => {
                *self = Self::Few(Vec::new());
                true
            }
            Self::One(_) => false,
            Self::Few(ids) => remove_sorted(ids, id),
            Self::Many(blocks) => {
                let was = blocks.remove(id);
                if blocks.len < FEW / 2 {
                    *self = Self::Few(blocks.ids());
                }
                was
            }
        }
    }
}

/// Adds a value to a sorted list, which grows by a quarter: most lists are short, and many.
fn insert_sorted<T: Ord + Copy>(list: &mut Vec<T>, value: T) -> bool {
    let at = match list.last() {
        Some(last) if *last >= value => match list.binary_search(&value) {
            Ok(_) => return false,
            Err(at) => at,
        },
        _ => list.len(),
    };
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 4 + 2);
    }
    list.insert(at, value);
    true
}

/// Takes a value out of a sorted list, and gives room back when half of it is free.
fn remove_sorted<T: Ord + Copy>(list: &mut Vec<T>, value: T) -> bool {
    let Ok(at) = list.binary_search(&value) else { return false };
    list.remove(at);
    if list.len() < list.capacity() / 2 {
        list.shrink_to(list.len() + list.len() / 4);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    fn ids(postings: &Postings) -> Vec<u32> {
        match postings {
            Postings::One(one) => vec![*one],
            Postings::Few(ids) => ids.clone(),
            Postings::Many(blocks) => blocks.ids(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Runs of numbers in and out, so that every form is entered and left.
        #[test]
        fn like_a_set(runs in prop::collection::vec((any::<bool>(), 0u32..150_000, 1u32..4000, 1u32..40), 1..24)) {
            let mut set = BTreeSet::from([70_000]);
            let mut postings = Postings::One(70_000);
            for (add, from, count, step) in runs {
                for id in (from..).step_by(step as usize).take(count as usize) {
                    if add {
                        prop_assert_eq!(postings.insert(id), set.insert(id));
                    } else {
                        prop_assert_eq!(postings.remove(id), set.remove(&id));
                    }
                }
                prop_assert_eq!(postings.len(), set.len());
                prop_assert_eq!(postings.is_empty(), set.is_empty());
                prop_assert!(ids(&postings).iter().eq(&set));
                prop_assert!((from..from + 100).all(|id| postings.contains(id) == set.contains(&id)));
            }
        }
    }
}
