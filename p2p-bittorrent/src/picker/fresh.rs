//! Which new piece to begin: the rarest that a peer has, ties at random.

use super::has::word;
use super::order::Class;
use super::{Has, Mode, Picker};
use p2p_core::Rng;

/// Pieces that are chosen at random before rarest first begins (Cohen 2003: the first; all clients take some more).
const RANDOM_FIRST: u32 = 4;
/// Pieces that are looked at in vain, from the rarest on, before the peer's own pieces are walked instead.
pub(super) const MISSES: usize = 256;
/// Pieces of the peer's own among which the rarest is then taken.
const SAMPLE: u32 = 64;

impl Picker {
    /// A piece to begin.
    pub(super) fn fresh_for(&mut self, has: Has<'_>, rng: &mut Rng) -> Option<u32> {
        if self.fresh.none() {
            return None;
        }
        match self.mode {
            Mode::Sequential => self.first_fresh(has),
            Mode::RarestFirst | Mode::Random => self.rarest_fresh(has, rng),
        }
    }

    fn first_fresh(&mut self, has: Has<'_>) -> Option<u32> {
        let words = self.words();
        while self.fresh_front < words && word(&self.fresh, self.fresh_front) == 0 {
            self.fresh_front += 1;
        }
        (self.fresh_front..words).find_map(|at| first_bit(at, word(&self.fresh, at) & has.word(at)))
    }

    fn rarest_fresh(&self, has: Has<'_>, rng: &mut Rng) -> Option<u32> {
        let mut misses = MISSES;
        let random = self.mode == Mode::Random || self.had < RANDOM_FIRST;
        // Nobody has what lies on level 0, unless there is a seed.
        let lowest = usize::from(self.seeds == 0);
        for priority in (1..=7).rev() {
            let class = Class::Open(priority);
            let all = self.order.class(class);
            if all.is_empty() {
                continue;
            }
            let skipped = if lowest == 0 { 0 } else { self.order.at(class, 0).len() };
            if random {
                match search(all.get(skipped..).unwrap_or_default(), has, rng, &mut misses) {
                    Search::Found(piece) => return Some(piece),
                    Search::GaveUp => return self.sampled_fresh(has, rng),
                    Search::None => continue,
                }
            }
            let mut left = all.len() - skipped;
            for level in lowest..self.order.levels() {
                if left == 0 {
                    break;
                }
                let bucket = self.order.at(class, level);
                left -= bucket.len();
                match search(bucket, has, rng, &mut misses) {
                    Search::Found(piece) => return Some(piece),
                    Search::GaveUp => return self.sampled_fresh(has, rng),
                    Search::None => {}
                }
            }
        }
        None
    }

    /// A piece to begin that as many peers as possible have.
    pub(super) fn commonest_fresh(&self, has: Has<'_>, rng: &mut Rng) -> Option<u32> {
        let mut misses = MISSES;
        for class in (1..=7).rev().map(Class::Open) {
            for level in (1..self.order.levels()).rev() {
                match search(self.order.at(class, level), has, rng, &mut misses) {
                    Search::Found(piece) => return Some(piece),
                    Search::GaveUp => return None,
                    Search::None => {}
                }
            }
        }
        None
    }

    /// The rarest among some of the peer's own pieces: for peers that lack what is rare.
    fn sampled_fresh(&self, has: Has<'_>, rng: &mut Rng) -> Option<u32> {
        let words = self.words();
        let start = rng.index(words);
        let mut seen = 0;
        let mut best: Option<((u8, usize), u32)> = None;
        for step in 0..words {
            let at = (start + step) % words;
            let mut bits = word(&self.fresh, at) & has.word(at);
            while let Some(piece) = first_bit(at, bits) {
                bits &= !(1 << (63 - piece % 64));
                if let Some((Class::Open(priority), level)) = self.order.find(piece) {
                    let rank = (7 - priority.min(7), level);
                    if best.is_none_or(|(least, _)| rank < least) {
                        best = Some((rank, piece));
                    }
                    seen += 1;
                }
            }
            if seen >= SAMPLE {
                break;
            }
        }
        best.map(|(_, piece)| piece)
    }

    pub(super) const fn words(&self) -> usize {
        self.pieces.count().div_ceil(64) as usize
    }

    pub(super) fn set_fresh(&mut self, piece: u32, on: bool) {
        if on {
            self.fresh.set(piece);
            self.fresh_front = self.fresh_front.min(piece as usize / 64);
        } else {
            self.fresh.clear(piece);
        }
    }
}

pub(super) enum Search {
    Found(u32),
    None,
    GaveUp,
}

/// Looks for a piece that the peer has, from a random place on: all are equally rare.
pub(super) fn search(among: &[u32], has: Has<'_>, rng: &mut Rng, misses: &mut usize) -> Search {
    if among.is_empty() {
        return Search::None;
    }
    let (before, after) = among.split_at(rng.index(among.len()));
    for &piece in after.iter().chain(before) {
        if has.get(piece) {
            return Search::Found(piece);
        }
        if *misses == 0 {
            return Search::GaveUp;
        }
        *misses -= 1;
    }
    Search::None
}

fn first_bit(at: usize, bits: u64) -> Option<u32> {
    (bits != 0).then(|| at as u32 * 64 + bits.leading_zeros())
}
