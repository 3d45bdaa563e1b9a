//! Which chunks of a file are here, and who gave them: [`Chunks`].

use alloc::vec::Vec;
use core::ops::Range;

/// Who gave a chunk: the number of a holder; `None`: it came in an earlier run.
pub(super) type Giver = Option<u16>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Missing,
    Asked,
    Writing(Giver),
    Here(Giver),
}

/// The chunks of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    size: u64,
    len: u32,
    states: Vec<State>,
    /// None before this one is missing.
    low: usize,
    here: usize,
}

impl Chunks {
    /// All of them missing. `size` and `len` are such that 32 bits number them.
    pub(super) fn new(size: u64, len: u32) -> Self {
        let count = size.div_ceil(u64::from(len.max(1)));
        let states = alloc::vec![State::Missing; usize::try_from(count).unwrap_or(0)];
        Self { size, len: len.max(1), states, low: 0, here: 0 }
    }

    pub(super) const fn count(&self) -> usize {
        self.states.len()
    }

    /// The bytes of a chunk.
    pub(super) fn range(&self, chunk: u32) -> Range<u64> {
        let from = u64::from(chunk) * u64::from(self.len);
        from.min(self.size)..(from + u64::from(self.len)).min(self.size)
    }

    /// Bytes of all that are here.
    pub(super) fn bytes(&self) -> u64 {
        let all = self.here as u64 * u64::from(self.len);
        // The last one may be shorter.
        let last_is_here = matches!(self.states.last(), Some(State::Here(_)));
        let short = self.count() as u64 * u64::from(self.len) - self.size;
        if last_is_here { all - short } else { all }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.here == self.count()
    }

    /// The first one that is missing; it is held for asked for from here on.
    pub(super) fn next(&mut self) -> Option<u32> {
        let at = self.low + self.states.get(self.low..)?.iter().position(|state| *state == State::Missing)?;
        self.states[at] = State::Asked;
        self.low = at + 1;
        Some(at as u32)
    }

    /// Nobody is asked for it any more.
    pub(super) fn give_back(&mut self, chunk: u32) {
        if let Some(state @ State::Asked) = self.states.get_mut(chunk as usize) {
            *state = State::Missing;
            self.low = self.low.min(chunk as usize);
        }
    }

    /// It came. Whether it is to be written: another holder may have been faster.
    pub(super) fn came(&mut self, chunk: u32, giver: Giver) -> bool {
        match self.states.get_mut(chunk as usize) {
            Some(state @ State::Asked) => {
                *state = State::Writing(giver);
                true
            }
            _ => false,
        }
    }

    pub(super) fn written(&mut self, chunk: u32) {
        if let Some(state) = self.states.get_mut(chunk as usize)
            && let State::Writing(giver) = *state
        {
            *state = State::Here(giver);
            self.here += 1;
        }
    }

    /// It is here since an earlier run.
    pub(super) fn resume(&mut self, chunk: u32) {
        if let Some(state @ State::Missing) = self.states.get_mut(chunk as usize) {
            *state = State::Here(None);
            self.here += 1;
        }
    }

    /// How many are neither here nor on their way to the disk.
    pub(super) fn wanted(&self) -> usize {
        self.states.iter().filter(|state| matches!(state, State::Missing | State::Asked)).count()
    }

    /// Who gave this one.
    pub(super) fn giver(&self, chunk: u32) -> Giver {
        match self.states.get(chunk as usize) {
            Some(State::Here(giver)) => *giver,
            _ => None,
        }
    }

    /// Who gave each one that is here.
    pub(super) fn givers(&self) -> impl Iterator<Item = (u32, Giver)> {
        (0..).zip(&self.states).filter_map(|(chunk, state)| match state {
            State::Here(giver) => Some((chunk, *giver)),
            _ => None,
        })
    }

    /// All that this one did not give are missing again.
    pub(super) fn keep_only(&mut self, giver: Giver) {
        for state in &mut self.states {
            match state {
                State::Here(of) if *of == giver && giver.is_some() => {}
                _ => *state = State::Missing,
            }
        }
        self.low = 0;
        self.here = self.states.iter().filter(|state| matches!(state, State::Here(_))).count();
    }

    /// A bit for each one that is here, the first one the highest of its byte.
    pub(super) fn bitmap(&self) -> Vec<u8> {
        let mut bits = alloc::vec![0; self.count().div_ceil(8)];
        for (chunk, _) in self.givers() {
            bits[chunk as usize / 8] |= 0x80 >> (chunk % 8);
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    #[test]
    fn the_last_one_is_shorter() {
        let mut chunks = Chunks::new(2_500, 1_000);
        assert_eq!((chunks.count(), chunks.range(2)), (3, 2_000..2_500));
        for _ in 0..3 {
            let chunk = chunks.next().unwrap();
            assert!(chunks.came(chunk, Some(1)) && !chunks.came(chunk, Some(2)), "the first one counts");
            chunks.written(chunk);
        }
        assert!(chunks.is_whole() && chunks.next().is_none());
        assert_eq!((chunks.bytes(), chunks.bitmap()), (2_500, [0xe0].to_vec()));
    }

    proptest! {
        #[test]
        fn agrees_with_a_table(size in 1u64..5_000, steps in prop::collection::vec((0u8..6, 0u32..50, 0u16..3), 0..200)) {
            let mut chunks = Chunks::new(size, 100);
            // Missing: not there. Asked: None. Here: its giver.
            let mut model: BTreeMap<u32, Option<Giver>> = BTreeMap::new();
            for (step, chunk, giver) in steps {
                match step {
                    0 | 1 => {
                        let expected = (0..chunks.count() as u32).find(|chunk| !model.contains_key(chunk));
                        prop_assert_eq!(chunks.next(), expected);
                        model.extend(expected.map(|chunk| (chunk, None)));
                    }
                    2 => {
                        chunks.give_back(chunk);
                        if model.get(&chunk) == Some(&None) {
                            model.remove(&chunk);
                        }
                    }
                    3 | 4 => {
                        let is_wanted = model.get(&chunk) == Some(&None);
                        prop_assert_eq!(chunks.came(chunk, Some(giver)), is_wanted);
                        if is_wanted {
                            chunks.written(chunk);
                            model.insert(chunk, Some(Some(giver)));
                        }
                    }
                    _ => {
                        chunks.keep_only(Some(giver));
                        model.retain(|_, of| *of == Some(Some(giver)));
                    }
                }
                let here: Vec<(u32, Giver)> =
                    model.iter().filter_map(|(chunk, of)| of.map(|of| (*chunk, of))).collect();
                prop_assert_eq!(chunks.givers().collect::<Vec<_>>(), here.clone());
                let bytes: u64 = here.iter().map(|(chunk, _)| chunks.range(*chunk)).map(|part| part.end - part.start).sum();
                prop_assert_eq!(chunks.bytes(), bytes);
                prop_assert_eq!(chunks.is_whole(), here.len() == chunks.count());
            }
        }
    }
}
