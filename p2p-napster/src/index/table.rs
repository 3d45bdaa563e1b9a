//! A hash table of numbers that grows little by little: [`Table`], and the small table that it is made of: [`Part`].

use super::ahead::fetch;
use super::arena::NOWHERE;
use alloc::boxed::Box;
use alloc::vec;

/// A number, or none, with the hash of what it stands for, or as much of the hash as there is room for.
pub(super) trait Slot: Copy + PartialEq {
    /// No number.
    const FREE: Self;
    fn new(hash: u32, number: u32) -> Self;
    /// The hash, its lower bits zero.
    fn hash(self) -> u32;
    fn number(self) -> u32;
}

/// Numbers up to `u32::MAX - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wide {
    hash: u32,
    number: u32,
}

impl Slot for Wide {
    const FREE: Self = Self { hash: 0, number: NOWHERE };
    fn new(hash: u32, number: u32) -> Self {
        Self { hash, number }
    }
    fn hash(self) -> u32 {
        self.hash
    }
    fn number(self) -> u32 {
        self.number
    }
}

/// Numbers up to 65,534, and 16 bits of the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Narrow {
    hash: u16,
    number: u16,
}

impl Slot for Narrow {
    const FREE: Self = Self { hash: 0, number: u16::MAX };
    fn new(hash: u32, number: u32) -> Self {
        Self { hash: (hash >> 16) as u16, number: number as u16 }
    }
    fn hash(self) -> u32 {
        u32::from(self.hash) << 16
    }
    fn number(self) -> u32 {
        u32::from(self.number)
    }
}

/// Numbers by a 32-bit hash, in one array: an ordered hash table (Amble and Knuth, "Ordered hash tables", 1974).
///
/// The hash says where a number's home is, as a share of the array; from there on numbers lie side by side in the order
/// of their hashes. So a look-up reads one place of memory, ends as soon as it meets a greater hash, and looks at what a
/// number stands for only where all of the hash is the same; and growing reads nothing else at all. Which hashes fall
/// together must not be for strangers to choose.
#[derive(Debug)]
pub(super) struct Part<S> {
    slots: Box<[S]>,
    /// So many of the slots are homes; the few behind them are for what is pushed behind the last home.
    homes: u32,
    len: u32,
}

impl<S> Default for Part<S> {
    fn default() -> Self {
        Self { slots: Box::default(), homes: 0, len: 0 }
    }
}

impl<S: Slot> Part<S> {
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * u64::from(self.homes)) >> 32) as usize
    }

    /// The slots in which a hash may lie, and where they begin.
    fn under(&self, slot: S) -> (usize, impl Iterator<Item = &S>) {
        let home = self.home(slot.hash());
        let behind = self.slots.get(home..).unwrap_or_default();
        (home, behind.iter().take_while(move |other| **other != S::FREE && other.hash() <= slot.hash()))
    }

    /// Reads ahead where a hash lies.
    fn fetch(&self, hash: u32) {
        if let Some(slot) = self.slots.get(self.home(hash)) {
            fetch(slot.hash());
        }
    }

    /// The number under this hash that is the one.
    pub(super) fn find(&self, hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let slot = S::new(hash, 0);
        let (_, mut slots) = self.under(slot);
        slots.find(|other| other.hash() == slot.hash() && is(other.number())).map(|slot| slot.number())
    }

    /// Adds a number that is not there.
    pub(super) fn insert(&mut self, hash: u32, number: u32) {
        if self.len >= self.homes - self.homes / 8 {
            self.grow();
        }
        while !self.put(S::new(hash, number)) {
            self.grow();
        }
        self.len += 1;
    }

    /// Puts a slot in its order; false if what is pushed on by it reaches the end.
    fn put(&mut self, slot: S) -> bool {
        let home = self.home(slot.hash());
        let Some(behind) = self.slots.get_mut(home..) else { return false };
        let Some(free) = behind.iter().position(|slot| *slot == S::FREE) else { return false };
        let at = behind[..free].iter().position(|other| other.hash() > slot.hash()).unwrap_or(free);
        behind.copy_within(at..free, at + 1);
        behind[at] = slot;
        true
    }

    /// By an eighth.
    fn grow(&mut self) {
        let old = core::mem::take(&mut self.slots);
        loop {
            self.homes += self.homes / 8 + 4;
            self.slots = vec![S::FREE; self.homes as usize + self.homes as usize / 32 + 4].into();
            // They come in their order, so each lies behind the one before.
            let placed = old.iter().filter(|slot| **slot != S::FREE).try_fold(0, |end, slot| {
                let at = self.home(slot.hash()).max(end);
                *self.slots.get_mut(at)? = *slot;
                Some(at + 1)
            });
            if placed.is_some() {
                return;
            }
        }
    }

    /// Puts `by` in the place of `number`, or takes `number` out.
    pub(super) fn replace(&mut self, hash: u32, number: u32, by: Option<u32>) {
        let slot = S::new(hash, number);
        let (home, mut slots) = self.under(slot);
        let Some(mut at) = slots.position(|other| *other == slot).map(|at| home + at) else { return };
        if let Some(number) = by {
            drop(slots);
            self.slots[at] = S::new(hash, number);
            return;
        }
        drop(slots);
        // Those behind it that are not at home move up.
        while let Some(next) = self.slots.get(at + 1).copied()
            && next != S::FREE
            && self.home(next.hash()) <= at
        {
            self.slots[at] = next;
            at += 1;
        }
        self.slots[at] = S::FREE;
        self.len -= 1;
    }
}

/// Numbers by a 32-bit hash of what they stand for, in many small tables, each of which grows for itself: moving a
/// million numbers at once would stall everybody.
#[derive(Debug)]
pub(crate) struct Table {
    parts: Box<[Part<Wide>]>,
    bits: u32,
}

impl Table {
    /// One of `1 << bits` parts, from 1 to 16 bits.
    pub(crate) fn new(bits: u32) -> Self {
        Self { parts: (0..1 << bits).map(|_| Part::default()).collect(), bits }
    }

    /// The part of a hash, and the rest of the hash.
    const fn split(&self, hash: u32) -> (usize, u32) {
        ((hash >> (32 - self.bits)) as usize, hash << self.bits)
    }

    /// Reads ahead where a hash lies.
    pub(super) fn fetch(&self, hash: u32) {
        let (part, rest) = self.split(hash);
        self.parts[part].fetch(rest);
    }

    pub(crate) fn find(&self, hash: u32, is: impl FnMut(u32) -> bool) -> Option<u32> {
        let (part, rest) = self.split(hash);
        self.parts[part].find(rest, is)
    }

    /// Adds a number that is not there.
    pub(crate) fn insert(&mut self, hash: u32, number: u32) {
        let (part, rest) = self.split(hash);
        self.parts[part].insert(rest, number);
    }

    /// Puts `by` in the place of `number`, or takes `number` out.
    pub(crate) fn replace(&mut self, hash: u32, number: u32, by: Option<u32>) {
        let (part, rest) = self.split(hash);
        self.parts[part].replace(rest, number, by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn check<S: Slot>(part: &Part<S>, set: &BTreeSet<(u32, u32)>) {
        let used: Vec<(usize, S)> =
            part.slots.iter().copied().enumerate().filter(|(_, slot)| *slot != S::FREE).collect();
        assert_eq!((used.len(), part.len as usize), (set.len(), set.len()));
        assert!(used.is_sorted_by_key(|(_, slot)| slot.hash()));
        for (at, slot) in used {
            let home = part.home(slot.hash());
            assert!(home <= at && part.slots[home..at].iter().all(|slot| *slot != S::FREE));
        }
        for (hash, number) in set {
            assert_eq!(part.find(*hash, |other| other == *number), Some(*number));
        }
    }

    fn steps() -> impl Strategy<Value = Vec<(bool, u32, u32)>> {
        let hash = prop_oneof![any::<u32>(), 0u32..9 << 16, u32::MAX - (40 << 16)..];
        prop::collection::vec((any::<bool>(), hash, 0u32..50), 1..400)
    }

    /// Hashes from all over, many that are the same, and many at the end of the array.
    fn like_a_set<S: Slot>(steps: Vec<(bool, u32, u32)>) {
        let (mut part, mut set) = (Part::<S>::default(), BTreeSet::new());
        for (add, hash, number) in steps {
            // A number stands for one thing, which has one hash.
            let number = (number << 8) | (hash % 251);
            if add && set.insert((hash, number)) {
                part.insert(hash, number);
            } else if let Some((hash, number)) = set.range((hash, number)..).next().copied() {
                set.remove(&(hash, number));
                if number % 2 == 0 {
                    part.replace(hash, number, None);
                } else {
                    part.replace(hash, number, Some(60_000));
                    part.replace(hash, 60_000, None);
                }
            }
            assert_eq!(part.find(hash, |number| number == 60_000), None);
        }
        check(&part, &set);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn wide_slots_like_a_set(steps in steps()) {
            like_a_set::<Wide>(steps);
        }

        #[test]
        fn narrow_slots_like_a_set(steps in steps()) {
            like_a_set::<Narrow>(steps);
        }
    }
}
