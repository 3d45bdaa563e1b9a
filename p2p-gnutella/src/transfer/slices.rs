//! [`Slices`]: which parts of a file are here, are on their way, and from whom.
//!
//! A file is divided into slices, of which each is verified by itself if there is a tree. A source claims a range, which is
//! made of whole slices where it can be, so that one that is bad has one giver.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

/// A source, by its number in the download.
pub type Giver = u32;

/// Bytes of a slice where there is no tree to say it.
pub const PLAIN_LEN: u64 = 512 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes of it came.
    Open(u64),
    /// All of it came, and is to be verified.
    Whole,
    /// It is verified, or nothing can be.
    Good,
}

#[derive(Debug)]
struct Slice {
    state: State,
    givers: Vec<Giver>,
}

/// The slices of a file, and who gives which.
#[derive(Debug)]
pub struct Slices {
    size: u64,
    len: u64,
    slices: Vec<Slice>,
    claims: BTreeMap<Giver, Range<u64>>,
    good: u64,
    /// All slices before this one are not open.
    first_open: usize,
}

impl Slices {
    /// A file of which nothing is here; slices of `len` bytes, at least one.
    #[must_use]
    pub fn new(size: u64, len: u64) -> Self {
        let len = len.max(1);
        let count = usize::try_from(size.div_ceil(len)).unwrap_or(usize::MAX);
        let slices = (0..count).map(|_| Slice { state: State::Open(0), givers: Vec::new() }).collect();
        Self { size, len, slices, claims: BTreeMap::new(), good: 0, first_open: 0 }
    }

    /// Bytes of the file.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of a slice; the last one may be shorter.
    #[must_use]
    pub const fn slice_len(&self) -> u64 {
        self.len
    }

    /// How many slices there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.slices.len()
    }

    /// Bytes of good slices.
    #[must_use]
    pub const fn good_bytes(&self) -> u64 {
        self.good
    }

    /// Whether all slices are good.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.good == self.size
    }

    /// Whether a slice is good.
    #[must_use]
    pub fn is_good(&self, slice: usize) -> bool {
        self.slices.get(slice).is_some_and(|slice| slice.state == State::Good)
    }

    /// Where the good bytes end that begin here.
    #[must_use]
    pub fn good_from(&self, from: u64) -> u64 {
        let first = usize::try_from(from / self.len.max(1)).unwrap_or(usize::MAX);
        let good = (first..self.count()).take_while(|slice| self.is_good(*slice)).last();
        good.map_or(from, |last| self.range(last).end)
    }

    /// Where a slice lies.
    #[must_use]
    pub const fn range(&self, slice: usize) -> Range<u64> {
        let start = slice as u64 * self.len;
        let end = start.saturating_add(self.len);
        start..if end < self.size { end } else { self.size }
    }

    /// The parts that are good, in order and apart.
    #[must_use]
    pub fn good_ranges(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for at in (0..self.count()).filter(|at| self.is_good(*at)) {
            let range = self.range(at);
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        ranges
    }

    /// Says of a slice that it was here before.
    pub fn found_good(&mut self, slice: usize) {
        let range = self.range(slice);
        if let Some(slice) = self.slices.get_mut(slice)
            && slice.state != State::Good
        {
            slice.state = State::Good;
            self.good += range.end - range.start;
        }
    }

    fn have(&self, slice: usize) -> Option<u64> {
        let range = self.range(slice);
        let State::Open(have) = self.slices.get(slice)?.state else { return None };
        let claimed =
            |claim: &Range<u64>| !claim.is_empty() && claim.start < range.end && claim.end > range.start;
        (!self.claims.values().any(claimed)).then_some(have)
    }

    /// The range that a source is to be asked for: the first from slice `from` on that nobody gives (and from the beginning
    /// again), at most about `most` bytes, and of what it has if it has a part only. `None` if there is no such range.
    ///
    /// Those who fetch from each other begin anywhere, so that they have something to give.
    pub fn claim(
        &mut self,
        giver: Giver,
        most: u64,
        available: Option<&[Range<u64>]>,
        from: usize,
    ) -> Option<Range<u64>> {
        self.release(giver);
        let is_open = |slice: &Slice| matches!(slice.state, State::Open(_));
        while self.slices.get(self.first_open).is_some_and(|slice| !is_open(slice)) {
            self.first_open += 1;
        }
        let most = most.max(1);
        let from = from.clamp(self.first_open, self.count());
        for slice in (from..self.count()).chain(self.first_open..from) {
            let Some(have) = self.have(slice) else { continue };
            let own = self.range(slice);
            let start = own.start + have;
            let reach = match available {
                None => self.size,
                Some(ranges) => match ranges.iter().find(|range| range.contains(&start)) {
                    Some(range) => range.end.min(self.size),
                    None => continue,
                },
            };
            let mut end = own.end;
            let mut next = slice + 1;
            while end - start < most && self.have(next) == Some(0) {
                let more = self.range(next);
                if more.end - start > most || more.end > reach {
                    break;
                }
                end = more.end;
                next += 1;
            }
            // A slice may be longer than what is asked for at once.
            let range = start..end.min(reach).min(start.saturating_add(most));
            self.claims.insert(giver, range.clone());
            return Some(range);
        }
        None
    }

    /// Whether there is something that nobody gives.
    #[must_use]
    pub fn has_free(&self) -> bool {
        (self.first_open..self.count()).any(|slice| self.have(slice).is_some())
    }

    /// Takes half of what another source was asked for and has not given yet, if that is enough to be worth it. The other
    /// keeps the first half.
    pub fn split(
        &mut self,
        giver: Giver,
        least: u64,
        available: Option<&[Range<u64>]>,
    ) -> Option<(Giver, Range<u64>)> {
        let left = |claim: &Range<u64>| claim.end - claim.start;
        let (victim, claim) = self
            .claims
            .iter()
            .filter(|(other, claim)| **other != giver && left(claim) >= least.max(2 * self.len))
            .max_by_key(|(_, claim)| left(claim))?;
        let victim = *victim;
        let middle = claim.start + left(claim) / 2;
        let border = middle.next_multiple_of(self.len);
        let range = border..claim.end;
        let has = available.is_none_or(|ranges| {
            ranges.iter().any(|part| part.start <= range.start && part.end >= range.end)
        });
        if range.is_empty() || !has {
            return None;
        }
        self.claims.get_mut(&victim)?.end = border;
        self.claims.insert(giver, range.clone());
        Some((victim, range))
    }

    /// What a source is to give still.
    #[must_use]
    pub fn claimed(&self, giver: Giver) -> Option<Range<u64>> {
        self.claims.get(&giver).cloned()
    }

    /// A source gives a part of its claim only: what is before `from` is for others.
    pub fn narrow(&mut self, giver: Giver, from: u64, to: u64) {
        if let Some(claim) = self.claims.get_mut(&giver) {
            let start = from.max(claim.start);
            *claim = start..to.min(claim.end).max(start);
        }
    }

    /// Nothing more comes of a source's claim: the rest is for others.
    pub fn release(&mut self, giver: Giver) {
        if let Some(claim) = self.claims.remove(&giver)
            && !claim.is_empty()
        {
            let slice = usize::try_from(claim.start / self.len).unwrap_or(usize::MAX);
            self.first_open = self.first_open.min(slice);
        }
    }

    /// Bytes of a source that follow what it gave of its claim: how many of them belong to the next slice, which one that
    /// is, and whether it is whole with them. `None` if nothing of its claim is left, or what it gives would leave a gap.
    pub fn take(&mut self, giver: Giver, most: u64) -> Option<Taken> {
        let claim = self.claims.get_mut(&giver).filter(|claim| !claim.is_empty())?;
        let start = claim.start;
        let at = usize::try_from(start / self.len).ok()?;
        let slice_start = at as u64 * self.len;
        let slice_end = slice_start.saturating_add(self.len).min(self.size);
        let end = claim.end.min(slice_end).min(start.saturating_add(most));
        let slice = self.slices.get_mut(at)?;
        if slice.state != State::Open(start - slice_start) {
            return None;
        }
        claim.start = end;
        if !slice.givers.contains(&giver) {
            slice.givers.push(giver);
        }
        let whole = end == slice_end;
        slice.state = if whole { State::Whole } else { State::Open(end - slice_start) };
        Some(Taken { slice: at, offset: start, len: end - start, whole })
    }

    /// A slice that is whole was verified. Gives who gave it; one that is bad is open again.
    pub fn verified(&mut self, slice: usize, good: bool) -> Vec<Giver> {
        let range = self.range(slice);
        let Some(of) = self.slices.get_mut(slice).filter(|slice| slice.state == State::Whole) else {
            return Vec::new();
        };
        if good {
            of.state = State::Good;
            self.good += range.end - range.start;
        } else {
            of.state = State::Open(0);
            self.first_open = self.first_open.min(slice);
        }
        core::mem::take(&mut of.givers)
    }

    /// A slice that was good is not, as was found when it was looked at again.
    pub fn spoiled(&mut self, slice: usize) {
        let range = self.range(slice);
        if let Some(of) = self.slices.get_mut(slice)
            && of.state == State::Good
        {
            of.state = State::Open(0);
            self.good -= range.end - range.start;
            self.first_open = self.first_open.min(slice);
        }
    }
}

/// Bytes that belong to one slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The slice.
    pub slice: usize,
    /// Where they lie in the file.
    pub offset: u64,
    /// How many they are.
    pub len: u64,
    /// Whether the slice is whole with them.
    pub whole: bool,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use p2p_core::Rng;
    use proptest::prelude::*;

    #[test]
    fn claims_are_of_whole_slices() {
        let mut slices = Slices::new(1_050, 100);
        assert_eq!(slices.claim(1, 250, None, 0), Some(0..200));
        assert_eq!(
            slices.claim(2, 50, None, 0),
            Some(200..250),
            "a slice may be longer than what is asked for"
        );
        assert_eq!(slices.claim(3, 10_000, None, 0), Some(300..1_050));
        assert_eq!(slices.claim(4, 100, None, 0), None);
        let (victim, range) = slices.split(4, 1, None).unwrap();
        assert_eq!((victim, range), (3, 700..1_050));
        assert_eq!(slices.claimed(3), Some(300..700));
        assert_eq!(slices.take(2, 1_000), Some(Taken { slice: 2, offset: 200, len: 50, whole: false }));
        assert_eq!(slices.take(2, 1_000), None);
        assert_eq!(slices.claim(5, 1_000, None, 0), Some(250..300), "from where it is here");
    }

    #[test]
    fn of_a_part_only_what_is_there() {
        let mut slices = Slices::new(1_000, 100);
        assert_eq!(slices.claim(1, 1_000, Some(&[150..380, 700..750]), 0), Some(200..300));
        assert_eq!(slices.claim(2, 1_000, Some(&[150..380, 700..750]), 0), Some(300..380));
        assert_eq!(slices.claim(3, 1_000, Some(&[150..380, 700..750]), 0), Some(700..750));
        assert_eq!(slices.claim(4, 1_000, Some(&[150..380, 701..750]), 0), None);
        assert_eq!(slices.claim(4, 1_000, Some(&[]), 0), None);
    }

    proptest! {
        /// Whatever sources do, no byte is claimed by two, none is lost, and in the end all slices are good.
        #[test]
        fn every_byte_comes_once(seed: u64, size in 1u64..5_000, len in 1u64..700) {
            let mut rng = Rng::fast_from(seed);
            let mut slices = Slices::new(size, len);
            let mut steps = 0;
            let mut bytes_of: BTreeMap<usize, u64> = BTreeMap::new();
            while !slices.is_complete() {
                steps += 1;
                prop_assert!(steps < 200_000, "no end with seed {seed}");
                let giver = rng.below(4) as Giver;
                match rng.below(6) {
                    0 => slices.release(giver),
                    1 if slices.claimed(giver).is_none_or(|claim| claim.is_empty()) => {
                        let most = 1 + rng.below(1_500);
                        if slices.claim(giver, most, None, rng.index(slices.count())).is_none() {
                            slices.split(giver, 1, None);
                        }
                    }
                    _ => {
                        let Some(taken) = slices.take(giver, 1 + rng.below(600)) else { continue };
                        let have = bytes_of.entry(taken.slice).or_default();
                        prop_assert_eq!(slices.range(taken.slice).start + *have, taken.offset);
                        *have += taken.len;
                        if taken.whole {
                            let range = slices.range(taken.slice);
                            prop_assert_eq!(*have, range.end - range.start);
                            let good = !rng.chance(0.2);
                            prop_assert!(!slices.verified(taken.slice, good).is_empty());
                            bytes_of.remove(&taken.slice);
                        }
                    }
                }
                let mut claims: Vec<Range<u64>> =
                    (0..4).filter_map(|giver| slices.claimed(giver)).filter(|claim| !claim.is_empty()).collect();
                claims.sort_by_key(|claim| claim.start);
                prop_assert!(claims.windows(2).all(|pair| pair[0].end <= pair[1].start), "{claims:?}");
            }
            let good = slices.good_ranges();
            prop_assert!(good.len() == 1 && good[0] == (0..size), "{good:?}");
        }
    }
}
