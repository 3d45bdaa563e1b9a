//! [`Bits`]: many bits of which few are set.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Words of a group.
const GROUP: usize = 64;
/// With so many words kept, all are: to put one between others would move too many.
const KEPT_MAX: usize = 1_024;

/// Words of 64 bits, of which only those are kept that are not zero: a table of a few thousand bits of 131,072 takes a
/// tenth of its 16 KiB, and what looks for a bit that is not there finds that in half a kilobyte.
///
/// Once half of the words are kept, all are, and it is a plain list of them.
#[derive(Clone)]
pub(super) struct Bits {
    groups: Box<[Group]>,
    kept: Vec<u64>,
}

/// Which of 64 words are kept, and how many are before them.
#[derive(Clone, Copy, Default)]
struct Group {
    has: u64,
    before: u32,
}

impl PartialEq for Bits {
    fn eq(&self, other: &Self) -> bool {
        self.groups.len() == other.groups.len() && self.words().eq(other.words())
    }
}

impl Eq for Bits {}

impl Bits {
    /// So many words, a power of two of them; none has a bit set.
    pub(super) fn new(words: usize) -> Self {
        Self { groups: vec![Group::default(); words.div_ceil(GROUP)].into(), kept: Vec::new() }
    }

    /// The same with all words kept, to be filled: see [`pack`](Self::pack).
    pub(super) fn open(words: usize) -> Self {
        let mut bits = Self::new(words);
        bits.open_all();
        bits
    }

    fn open_all(&mut self) {
        let mut kept = vec![0; self.groups.len() * GROUP];
        self.words().for_each(|(at, word)| kept[at] = word);
        self.kept = kept;
        for (group, before) in self.groups.iter_mut().zip((0..).step_by(GROUP)) {
            *group = Group { has: u64::MAX, before };
        }
    }

    /// Where a word is kept.
    const fn place(&self, group: Group, at: usize) -> Option<usize> {
        let bit = 1 << (at % GROUP);
        if group.has & bit == 0 {
            return None;
        }
        Some(group.before as usize + (group.has & (bit - 1)).count_ones() as usize)
    }

    /// The word in a place; none has a bit set behind the end.
    pub(super) fn word(&self, at: usize) -> u64 {
        let Some(group) = self.groups.get(at / GROUP) else { return 0 };
        self.place(*group, at).and_then(|place| self.kept.get(place)).copied().unwrap_or_default()
    }

    /// The word in a place, to be changed; `None` behind the end.
    pub(super) fn word_mut(&mut self, at: usize) -> Option<&mut u64> {
        let group = *self.groups.get(at / GROUP)?;
        let place = match self.place(group, at) {
            Some(place) => place,
            None if self.kept.len() >= KEPT_MAX.min(self.groups.len() * GROUP / 2) => {
                self.open_all();
                at
            }
            None => self.keep(at),
        };
        self.kept.get_mut(place)
    }

    /// Keeps a word that was not kept; where.
    fn keep(&mut self, at: usize) -> usize {
        let (which, bit) = (at / GROUP, 1 << (at % GROUP));
        let group = &mut self.groups[which];
        let place = group.before as usize + (group.has & (bit - 1)).count_ones() as usize;
        group.has |= bit;
        self.groups[which + 1..].iter_mut().for_each(|later| later.before += 1);
        if self.kept.len() == self.kept.capacity() {
            self.kept.reserve_exact(4.max(self.kept.len() / 2));
        }
        self.kept.insert(place, 0);
        place
    }

    /// The words that are not zero, each with its place, in order.
    pub(super) fn words(&self) -> impl Iterator<Item = (usize, u64)> {
        let kept = self.groups.iter().enumerate().flat_map(|(which, group)| {
            let mut has = group.has;
            core::iter::from_fn(move || {
                let bit = has.trailing_zeros() as usize;
                has &= has.checked_sub(1)?;
                Some(which * GROUP + bit)
            })
        });
        kept.zip(&self.kept).map(|(at, word)| (at, *word)).filter(|(_, word)| *word != 0)
    }

    /// How many bits are set.
    pub(super) fn count(&self) -> usize {
        self.kept.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Lets go of words that are zero, if they are many.
    pub(super) fn pack(&mut self) {
        let some = self.kept.iter().filter(|word| **word != 0).count();
        if some * 2 >= self.kept.len() {
            return;
        }
        let mut packed = Self::new(self.groups.len() * GROUP);
        packed.kept.reserve_exact(some);
        for (at, word) in self.words() {
            packed.groups[at / GROUP].has |= 1 << (at % GROUP);
            packed.kept.push(word);
        }
        let mut before = 0;
        for group in &mut packed.groups {
            group.before = before;
            before += group.has.count_ones();
        }
        *self = packed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use p2p_core::Rng;

    #[test]
    fn it_is_what_a_list_of_all_words_is() {
        let mut rng = Rng::fast_from(4);
        for words in [1, 2, 64, 128, 2_048, 32_768] {
            let mut bits = Bits::new(words);
            let mut known = BTreeMap::new();
            for round in 0..4_000 {
                let (at, word) = (rng.index(words), rng.bits() * u64::from(rng.chance(0.7)));
                *bits.word_mut(at).unwrap() = word;
                known.insert(at, word);
                if round % 500 == 0 {
                    bits.pack();
                }
                let at = rng.index(words);
                assert_eq!(bits.word(at), known.get(&at).copied().unwrap_or_default());
            }
            let some = known.iter().map(|(at, word)| (*at, *word)).filter(|(_, word)| *word != 0);
            assert!(bits.words().eq(some));
            let mut open = Bits::open(words);
            known.iter().for_each(|(at, word)| *open.word_mut(*at).unwrap() = *word);
            assert!(open == bits);
            open.pack();
            assert!(open == bits && open.count() == bits.count());
            assert_eq!(bits.word(words.max(64)), 0);
            assert!(bits.word_mut(words.max(64)).is_none());
        }
    }

    #[test]
    fn few_bits_are_few_bytes() {
        let mut bits = Bits::open(2_048);
        (0..200).for_each(|at| *bits.word_mut(at * 7).unwrap() = 1);
        bits.pack();
        assert_eq!((bits.kept.capacity(), bits.groups.len()), (200, 32));
        (0..200).for_each(|at| *bits.word_mut(at * 7).unwrap() = 0);
        bits.pack();
        assert_eq!(bits.kept.capacity(), 0);
    }
}
