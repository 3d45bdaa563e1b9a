//! All pieces in one array, sorted by what we want of them and by how many peers have them.
//!
//! The array is cut into buckets, one per (class, availability). A piece that one more peer has is swapped with the
//! last of its bucket and the border moves past it: constant work. The memory is twelve bytes per piece: the array, its
//! inverse, and beside it the bucket, which could be found from the borders, but they lie far apart in memory.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use p2p_core::{Bitfield, Rng};

/// What we want of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Verified.
    Had,
    /// Begun: some of its blocks were asked for or received.
    Partial,
    /// Not begun; a priority from 1 to 7, or 0 for pieces that are not wanted.
    Open(u8),
}

const CLASSES: usize = 10;
/// Class by index, those that pieces most often go between next to each other.
const BY_INDEX: [Class; CLASSES] = [
    Class::Had,
    Class::Partial,
    Class::Open(4),
    Class::Open(7),
    Class::Open(6),
    Class::Open(5),
    Class::Open(3),
    Class::Open(2),
    Class::Open(1),
    Class::Open(0),
];

impl Class {
    const fn index(self) -> usize {
        match self {
            Self::Had => 0,
            Self::Partial => 1,
            Self::Open(4) => 2,
            Self::Open(7..) => 3,
            Self::Open(6) => 4,
            Self::Open(5) => 5,
            Self::Open(3) => 6,
            Self::Open(2) => 7,
            Self::Open(1) => 8,
            Self::Open(0) => 9,
        }
    }
}

/// Where a piece is.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Its index in `pieces`.
    at: u32,
    bucket: u32,
}

#[derive(Debug)]
pub(super) struct Order {
    /// The pieces, bucket after bucket.
    pieces: Box<[u32]>,
    /// Where each piece lies in `pieces`.
    places: Box<[Place]>,
    /// Where each bucket begins, and the end of the last; bucket = class index * levels + level.
    starts: Vec<u32>,
    /// Availabilities from 0 to `levels - 1` have buckets.
    levels: usize,
}

impl Order {
    pub(super) fn new(count: u32, have: &Bitfield, rng: &mut Rng) -> Self {
        let levels = 8;
        let mut pieces: Box<[u32]> = (0..count).collect();
        rng.shuffle(&mut pieces);
        let (had, open): (Vec<u32>, Vec<u32>) = pieces.iter().partition(|&&piece| have.get(piece));
        for (to, from) in pieces.iter_mut().zip(had.iter().chain(&open)) {
            *to = *from;
        }
        let had = had.len() as u32;
        let starts = (0..=CLASSES * levels)
            .map(|bucket| match bucket {
                0 => 0,
                _ if bucket <= Class::Open(4).index() * levels => had,
                _ => count,
            })
            .collect();
        let mut order =
            Self { pieces, places: vec![Place::default(); count as usize].into(), starts, levels };
        order.find_places();
        order
    }

    pub(super) const fn levels(&self) -> usize {
        self.levels
    }

    fn bucket(&self, piece: u32) -> Option<usize> {
        self.places.get(piece as usize).map(|place| place.bucket as usize)
    }

    /// The class of a piece and how many peers have it, seeds aside.
    pub(super) fn find(&self, piece: u32) -> Option<(Class, usize)> {
        let bucket = self.bucket(piece)?;
        Some((*BY_INDEX.get(bucket / self.levels)?, bucket % self.levels))
    }

    fn span(&self, first: usize, past: usize) -> &[u32] {
        let start = |bucket| self.starts.get(bucket).map_or(0, |&start| start as usize);
        self.pieces.get(start(first)..start(past)).unwrap_or_default()
    }

    /// The pieces of a class that exactly `level` peers have.
    pub(super) fn at(&self, class: Class, level: usize) -> &[u32] {
        let bucket = class.index() * self.levels + level;
        self.span(bucket, bucket + 1)
    }

    /// The pieces of a class, rarest first.
    pub(super) fn class(&self, class: Class) -> &[u32] {
        self.span(class.index() * self.levels, (class.index() + 1) * self.levels)
    }

    /// How many pieces exactly `level` peers have, those that we have aside or alone.
    pub(super) fn at_level(&self, level: usize, had: bool) -> usize {
        let classes = BY_INDEX.iter().filter(|&&class| (class == Class::Had) == had);
        classes.map(|&class| self.at(class, level).len()).sum()
    }

    pub(super) fn set_class(&mut self, piece: u32, class: Class) {
        let Some(from) = self.bucket(piece) else { return };
        let to = class.index() * self.levels + from % self.levels;
        self.carry(piece, from, to);
    }

    /// One more peer has the piece.
    pub(super) fn raise(&mut self, piece: u32) {
        let Some(mut from) = self.bucket(piece) else { return };
        if from % self.levels == self.levels - 1 {
            self.grow();
            from = self.bucket(piece).unwrap_or(from);
        }
        self.carry(piece, from, from + 1);
    }

    /// One peer less has the piece.
    pub(super) fn lower(&mut self, piece: u32) {
        let Some(from) = self.bucket(piece) else { return };
        if from % self.levels > 0 {
            self.carry(piece, from, from - 1);
        }
    }

    /// Carries a piece over the borders between two buckets.
    fn carry(&mut self, piece: u32, from: usize, to: usize) {
        let mut at = self.places[piece as usize].at;
        for border in from + 1..=to {
            self.starts[border] -= 1;
            at = self.swap(at, self.starts[border]);
        }
        for border in (to + 1..=from).rev() {
            at = self.swap(at, self.starts[border]);
            self.starts[border] += 1;
        }
        self.places[piece as usize].bucket = to as u32;
    }

    fn swap(&mut self, a: u32, b: u32) -> u32 {
        if a != b {
            self.pieces.swap(a as usize, b as usize);
            self.places[self.pieces[a as usize] as usize].at = a;
            self.places[self.pieces[b as usize] as usize].at = b;
        }
        b
    }

    /// One more (or one less) peer has all of these: piece by piece if they are few, else one pass over everything.
    pub(super) fn shift(&mut self, bits: &Bitfield, up: bool) {
        if u64::from(bits.count()) * 4 < self.pieces.len() as u64 {
            bits.ones().for_each(|piece| if up { self.raise(piece) } else { self.lower(piece) });
            return;
        }
        if up && self.top_is_used() {
            self.grow();
        }
        let levels = self.levels;
        let moved = |piece: u32, bucket: usize| match (bits.get(piece), up) {
            (true, true) => bucket + 1,
            (true, false) if !bucket.is_multiple_of(levels) => bucket - 1,
            _ => bucket,
        };
        let mut fill = vec![0u32; CLASSES * levels + 1];
        self.each(|piece, bucket| fill[moved(piece, bucket) + 1] += 1);
        for bucket in 0..CLASSES * levels {
            fill[bucket + 1] += fill[bucket];
        }
        let starts = fill.clone();
        let mut pieces: Box<[u32]> = vec![0; self.pieces.len()].into();
        self.each(|piece, bucket| {
            let next = &mut fill[moved(piece, bucket)];
            pieces[*next as usize] = piece;
            *next += 1;
        });
        self.starts = starts;
        self.pieces = pieces;
        self.find_places();
    }

    /// Notes where each piece is, after many moved.
    fn find_places(&mut self) {
        for bucket in 0..CLASSES * self.levels {
            for at in self.starts[bucket]..self.starts[bucket + 1] {
                self.places[self.pieces[at as usize] as usize] = Place { at, bucket: bucket as u32 };
            }
        }
    }

    /// One peer less has every single piece: the borders move, the pieces stay.
    pub(super) fn lower_all(&mut self) {
        for class in 0..CLASSES {
            let base = class * self.levels;
            // Level 0 takes in level 1, and so on; the top level becomes empty.
            for level in 1..self.levels {
                self.starts[base + level] = self.starts[base + level + 1];
            }
        }
        self.find_places();
    }

    fn each(&self, mut visit: impl FnMut(u32, usize)) {
        for bucket in 0..CLASSES * self.levels {
            self.span(bucket, bucket + 1).iter().for_each(|&piece| visit(piece, bucket));
        }
    }

    fn top_is_used(&self) -> bool {
        BY_INDEX.iter().any(|&class| !self.at(class, self.levels - 1).is_empty())
    }

    /// Makes room for twice the availability.
    fn grow(&mut self) {
        let (old, new) = (self.levels, self.levels * 2);
        let mut starts = Vec::with_capacity(CLASSES * new + 1);
        for class in 0..CLASSES {
            starts.extend_from_slice(&self.starts[class * old..(class + 1) * old]);
            starts.resize((class + 1) * new, self.starts[(class + 1) * old]);
        }
        starts.push(self.pieces.len() as u32);
        self.starts = starts;
        self.levels = new;
        self.find_places();
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!(self.starts.len(), CLASSES * self.levels + 1);
        assert!(self.starts.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", self.starts);
        assert_eq!(self.starts.last().copied(), Some(self.pieces.len() as u32));
        for (at, &piece) in self.pieces.iter().enumerate() {
            let place = self.places[piece as usize];
            assert_eq!(place.at, at as u32);
            let bucket = place.bucket as usize;
            assert!((self.starts[bucket]..self.starts[bucket + 1]).contains(&place.at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p2p_core::Rng;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Raise(u32),
        Lower(u32),
        Class(u32, usize),
        Shift(Vec<u32>, bool),
        LowerAll,
    }

    fn step() -> impl Strategy<Value = Step> {
        let pieces = || prop::collection::vec(0..40u32, 0..60);
        prop_oneof![
            8 => (0..40u32).prop_map(Step::Raise),
            4 => (0..40u32).prop_map(Step::Lower),
            4 => (0..40u32, 0..CLASSES).prop_map(|(piece, class)| Step::Class(piece, class)),
            3 => (pieces(), any::<bool>()).prop_map(|(pieces, up)| Step::Shift(pieces, up)),
            1 => Just(Step::LowerAll),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_table(steps in prop::collection::vec(step(), 0..150), seed: u64) {
            let mut have = Bitfield::new(40);
            have.set(3);
            let mut order = Order::new(40, &have, &mut Rng::fast_from(seed));
            let mut model = [(Class::Open(4), 0usize); 40];
            model[3].0 = Class::Had;
            for step in steps {
                match step {
                    Step::Raise(piece) => {
                        order.raise(piece);
                        model[piece as usize].1 += 1;
                    }
                    Step::Lower(piece) => {
                        order.lower(piece);
                        model[piece as usize].1 = model[piece as usize].1.saturating_sub(1);
                    }
                    Step::Class(piece, class) => {
                        order.set_class(piece, BY_INDEX[class]);
                        model[piece as usize].0 = BY_INDEX[class];
                    }
                    Step::Shift(pieces, up) => {
                        let mut bits = Bitfield::new(40);
                        pieces.iter().for_each(|&piece| { bits.set(piece); });
                        order.shift(&bits, up);
                        for piece in bits.ones() {
                            let level = &mut model[piece as usize].1;
                            *level = if up { *level + 1 } else { level.saturating_sub(1) };
                        }
                    }
                    Step::LowerAll => {
                        order.lower_all();
                        model.iter_mut().for_each(|piece| piece.1 = piece.1.saturating_sub(1));
                    }
                }
                order.check();
                for (piece, expected) in model.iter().enumerate() {
                    prop_assert_eq!(order.find(piece as u32), Some(*expected));
                }
            }
        }
    }
}
