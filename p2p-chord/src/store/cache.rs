//! Records that a node has though they are none of its business, because many ask it for them on their way: [`Cache`].
//!
//! Nobody can put anything here: a node that is asked for the same key again and again fetches it itself, from who is
//! responsible, and keeps it for as long as it would be kept there, and a short time only if it can change.

use crate::id::RingId;
use crate::record::{Kind, Record};
use crate::store::Limits;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use p2p_core::{Duration, Instant};

/// A key and a kind.
type Name = (RingId, Kind);

/// Questions on the way for a key within [`WINDOW`] that make it hot.
const HOT: u8 = 4;
const WINDOW: Duration = Duration::from_secs(30);
/// Keys that are counted at a time. With more, those that were asked for once are forgotten.
const COUNTED: usize = 256;
/// Bytes beside each record.
const OVERHEAD: usize = 160;

/// Records that many ask for on their way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cache {
    entries: BTreeMap<Name, Entry>,
    /// By when they were asked for last.
    used: BTreeMap<u64, Name>,
    tick: u64,
    bytes: usize,
    /// How often keys were asked for that are not here.
    asked: BTreeMap<Name, u8>,
    since: Instant,
}

#[derive(Clone, Debug)]
struct Entry {
    records: Vec<(Record, Instant)>,
    used: u64,
    bytes: usize,
}

impl Cache {
    /// What there is of a key, with the seconds that each record is good for.
    pub(crate) fn find(&mut self, name: Name, now: Instant) -> Vec<(Record, u32)> {
        let Some(entry) = self.entries.get_mut(&name) else { return Vec::new() };
        let left = |until: Instant| u32::try_from(until.since(now).as_secs()).unwrap_or(u32::MAX);
        // What has less than a second left has none by the time it is there.
        let good = entry.records.iter().filter(|(_, until)| left(*until) > 0);
        let records: Vec<(Record, u32)> =
            good.map(|(record, until)| (record.clone(), left(*until))).collect();
        if records.is_empty() {
            self.remove(name);
            return records;
        }
        self.used.remove(&entry.used);
        self.tick += 1;
        entry.used = self.tick;
        self.used.insert(self.tick, name);
        records
    }

    /// Somebody asked on its way for what is not here. Whether many did.
    pub(crate) fn is_hot(&mut self, name: Name, now: Instant) -> bool {
        if now.since(self.since) >= WINDOW || self.asked.len() >= COUNTED {
            self.since = now;
            self.asked.retain(|_, times| {
                *times /= 2;
                *times > 0
            });
        }
        if self.asked.len() >= COUNTED {
            return false;
        }
        let times = self.asked.entry(name).or_default();
        *times = times.saturating_add(1);
        let is_hot = *times >= HOT;
        if is_hot {
            self.asked.remove(&name);
        }
        is_hot
    }

    /// Takes what was fetched: records with the seconds that each is kept where it came from.
    pub(crate) fn keep(&mut self, name: Name, records: Vec<(Record, u32)>, limits: &Limits, now: Instant) {
        self.remove(name);
        let until = |(record, left): (Record, u32)| {
            let left = Duration::from_secs(u64::from(left)).min(limits.ttl);
            let most = if record.kind() == Kind::Value { left } else { limits.cache_mutable };
            (record, now + left.min(most))
        };
        let records: Vec<(Record, Instant)> = records.into_iter().map(until).collect();
        let bytes = records.iter().map(|(record, _)| record.wire_len() + OVERHEAD).sum();
        if records.is_empty() || bytes > limits.cache_bytes {
            return;
        }
        while self.bytes + bytes > limits.cache_bytes
            && let Some((_, name)) = self.used.first_key_value()
        {
            self.remove(*name);
        }
        self.tick += 1;
        self.bytes += bytes;
        self.used.insert(self.tick, name);
        self.entries.insert(name, Entry { records, used: self.tick, bytes });
    }

    fn remove(&mut self, name: Name) {
        if let Some(entry) = self.entries.remove(&name) {
            self.used.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Provider, SecretKey, Signed};
    use alloc::vec;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn value(number: u8) -> Record {
        Record::Value(vec![number; 100].into())
    }

    #[test]
    fn nothing_is_kept_longer_than_where_it_came_from() {
        let limits = Limits::default();
        let mut cache = Cache::default();
        let name = |record: &Record| (record.key(), record.kind());
        let signed = Record::Signed(Signed::sign(&SecretKey([1; 32]), "", 1, "text").unwrap());
        let key = RingId::new([1; 20]);
        let place = crate::Place::V4([10, 0, 0, 1], 80);
        let provider = Record::Provider(Provider { key, at: place, sha256: [0; 32], size: 1 });
        for (record, left, good) in
            [(value(1), 100, 100), (signed.clone(), 100, 30), (signed, 10, 10), (provider, 7_200, 30)]
        {
            cache.keep(name(&record), vec![(record.clone(), left)], &limits, at(5));
            assert_eq!(cache.find(name(&record), at(5)), [(record.clone(), good)]);
            let last = cache.find(name(&record), at(5 + u64::from(good) - 1));
            assert_eq!(last, [(record.clone(), 1)]);
            assert_eq!(cache.find(name(&record), at(5 + u64::from(good))), []);
            assert_eq!(cache.bytes(), 0);
        }
    }

    #[test]
    fn what_was_not_asked_for_makes_room() {
        let limits = Limits { cache_bytes: 2_000, ..Limits::default() };
        let mut cache = Cache::default();
        for number in 0..100 {
            let record = value(number);
            cache.keep((record.key(), Kind::Value), vec![(record, 100)], &limits, at(0));
            assert!(cache.bytes() <= 2_000);
            // The first one is asked for all the time.
            assert_eq!(cache.find((value(0).key(), Kind::Value), at(1)).len(), 1);
        }
        let huge = Record::Value(vec![0; 3_000].into());
        cache.keep((huge.key(), Kind::Value), vec![(huge.clone(), 100)], &limits, at(0));
        assert_eq!(cache.find((huge.key(), Kind::Value), at(1)), []);
    }

    #[test]
    fn keys_are_hot_that_are_asked_for_often_and_few_are_counted() {
        let mut cache = Cache::default();
        let name = |number: u32| (RingId::of(&number.to_be_bytes()), Kind::Value);
        let asked: Vec<bool> = (0..8).map(|_| cache.is_hot(name(0), at(1))).collect();
        assert_eq!(asked, [false, false, false, true, false, false, false, true]);
        for second in 0..100 {
            assert!(!cache.is_hot(name(0), at(100 + 30 * second)), "twice a minute");
        }
        for number in 1..10_000 {
            assert!(!cache.is_hot(name(number), at(4_000)));
            assert!(cache.asked.len() <= COUNTED);
        }
    }
}
