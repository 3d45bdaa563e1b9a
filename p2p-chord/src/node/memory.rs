//! How much memory a node holds: [`Chord::memory`].

use super::Chord;
use super::storage::Storage;
use alloc::collections::BTreeMap;
use core::mem::size_of;

/// Bytes of a map on the heap, about: its nodes have room for 11 entries and are two thirds full on average, but for the
/// first one.
pub(crate) fn of_map<K, V>(map: &BTreeMap<K, V>) -> usize {
    let entry = size_of::<K>() + size_of::<V>();
    match map.len() {
        0 => 0,
        1..=11 => 11 * entry + 16,
        more => more * entry * 3 / 2,
    }
}

impl Chord {
    /// Bytes of memory that it holds, on the heap and in itself, but for what it shares with others: the configuration,
    /// and the values of records. Exact for the ring and the routing table; within a few percent for the rest.
    #[must_use]
    pub fn memory(&self) -> usize {
        let lookups =
            of_map(&self.lookups) + self.lookups.values().map(|running| running.memory()).sum::<usize>();
        size_of::<Self>()
            + self.ring().map_or(0, crate::ring::Ring::memory)
            + self.fingers.memory()
            + self.pending.memory()
            + lookups
            + self.bootstrap.capacity() * size_of::<core::net::SocketAddr>()
            + size_of::<Storage>()
            + self.storage.memory()
    }
}
