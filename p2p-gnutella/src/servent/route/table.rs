//! [`Routes`]: where a GUID came from, for as long as answers may come.

use crate::Guid;
use core::hash::{BuildHasher, Hasher};
use core::mem;
use hashbrown::HashMap;
use p2p_core::{Duration, Instant, Rng};

/// What is remembered of GUIDs: two generations, of which the younger takes what is new. Once it is full, or old enough, the
/// elder is forgotten as a whole, and its memory serves the next: nothing is looked for to be dropped, and nothing allocated
/// once both have been full.
#[derive(Debug)]
pub(crate) struct Routes<V> {
    young: HashMap<Guid, V, Keyed>,
    old: HashMap<Guid, V, Keyed>,
    began: Instant,
    age: Duration,
    /// Entries of a generation.
    cap: usize,
}

impl<V: Copy> Routes<V> {
    /// At most `cap` entries, each for `age` at least if there is room.
    pub(crate) fn new(cap: usize, age: Duration, rng: &mut Rng) -> Self {
        let key = Keyed(rng.bits(), rng.bits());
        Self {
            young: HashMap::with_hasher(key),
            old: HashMap::with_hasher(key),
            began: Instant::ZERO,
            age,
            cap: cap.div_ceil(2).max(1),
        }
    }

    /// What is remembered of a GUID.
    pub(crate) fn get(&self, guid: &Guid) -> Option<V> {
        self.young.get(guid).or_else(|| self.old.get(guid)).copied()
    }

    /// Remembers something of a GUID, in place of what was remembered of it.
    pub(crate) fn insert(&mut self, now: Instant, guid: Guid, value: V) {
        if self.young.len() >= self.cap || now > self.began + self.age {
            mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.began = now;
        }
        self.young.insert(guid, value);
    }

    /// How many GUIDs are remembered, some perhaps twice.
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

/// Hashes 16 bytes that a stranger chose, by a key that he does not know.
#[derive(Clone, Copy, Debug)]
struct Keyed(u64, u64);

impl BuildHasher for Keyed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { state: self.0, key: self.1 }
    }
}

/// Multiplies and folds, eight bytes at a time.
struct Folded {
    state: u64,
    key: u64,
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.key | 1);
        self.state = (product as u64).rotate_left(23) ^ (product >> 64) as u64 ^ self.key;
    }

    /// The length of an array is always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guid(at: u32) -> Guid {
        let mut bytes = [7; 16];
        bytes[..4].copy_from_slice(&at.to_le_bytes());
        Guid(bytes)
    }

    #[test]
    fn it_is_bounded_by_number_and_forgets_the_oldest() {
        let mut routes = Routes::new(100, Duration::from_secs(60), &mut Rng::fast_from(1));
        for at in 0..10_000 {
            routes.insert(Instant::ZERO, guid(at), at);
            assert!(routes.len() <= 100);
            assert_eq!(routes.get(&guid(at)), Some(at));
            assert_eq!(routes.get(&guid(at.saturating_sub(49))), Some(at.saturating_sub(49)), "half is kept");
        }
        assert_eq!(routes.get(&guid(9_000)), None);
    }

    #[test]
    fn it_forgets_by_time() {
        let mut routes = Routes::new(100, Duration::from_secs(60), &mut Rng::fast_from(1));
        let at = |secs: u64| Instant::ZERO + Duration::from_secs(secs);
        routes.insert(at(100), guid(1), ());
        routes.insert(at(150), guid(2), ());
        routes.insert(at(170), guid(3), ());
        assert!(routes.get(&guid(1)).is_some(), "its age is the least that it is remembered");
        routes.insert(at(240), guid(4), ());
        assert!(routes.get(&guid(1)).is_none() && routes.get(&guid(3)).is_some());
    }

    /// Names that differ in a few bits share no more places than names drawn at random would.
    #[test]
    fn names_that_look_alike_are_spread() {
        let keyed = Keyed(0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321);
        let mut seen = [0u32; 1 << 12];
        (0..1 << 14).for_each(|at| seen[(keyed.hash_one(guid(at)) >> 52) as usize] += 1);
        let most = seen.iter().max().copied().unwrap_or_default();
        assert!(most <= 20, "{most} in one place where 4 are the mean");
    }
}
