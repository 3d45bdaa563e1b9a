//! Who stores how much: [`Usages`], by block of addresses, with the heaviest at hand.

use super::name::{Name, Prefix};
use alloc::collections::{BTreeMap, BTreeSet};

/// What each publisher stores.
#[derive(Clone, Debug, Default)]
pub(super) struct Usages {
    /// Records and bytes.
    of: BTreeMap<Prefix, (usize, usize)>,
    by_bytes: BTreeSet<(usize, Prefix)>,
    /// What each one has, by when it is forgotten.
    records: BTreeSet<(Prefix, u64, Name)>,
}

impl Usages {
    pub(super) const fn new() -> Self {
        Self { of: BTreeMap::new(), by_bytes: BTreeSet::new(), records: BTreeSet::new() }
    }

    /// Records and bytes of a publisher.
    pub(super) fn of(&self, publisher: Prefix) -> (usize, usize) {
        self.of.get(&publisher).copied().unwrap_or_default()
    }

    pub(super) fn heaviest(&self) -> Option<(Prefix, usize)> {
        self.by_bytes.last().map(|(bytes, publisher)| (*publisher, *bytes))
    }

    /// What is forgotten first of a publisher.
    pub(super) fn first_of(&self, publisher: Prefix) -> Option<Name> {
        let from = (publisher, 0, Name::first_of(crate::RingId::new([0; 20])));
        self.records.range(from..).next().filter(|(of, ..)| *of == publisher).map(|(.., name)| *name)
    }

    pub(super) fn add(&mut self, publisher: Prefix, bytes: usize, (expires, name): (u64, Name)) {
        let (records, had) = self.of(publisher);
        self.set(publisher, had, (records + 1, had + bytes));
        self.records.insert((publisher, expires, name));
    }

    pub(super) fn take(&mut self, publisher: Prefix, bytes: usize, (expires, name): (u64, Name)) {
        let (records, had) = self.of(publisher);
        self.set(publisher, had, (records.saturating_sub(1), had.saturating_sub(bytes)));
        self.records.remove(&(publisher, expires, name));
    }

    pub(super) fn postpone(&mut self, publisher: Prefix, (expires, name): (u64, Name), to: u64) {
        self.records.remove(&(publisher, expires, name));
        self.records.insert((publisher, to, name));
    }

    fn set(&mut self, publisher: Prefix, had: usize, (records, bytes): (usize, usize)) {
        self.by_bytes.remove(&(had, publisher));
        if records == 0 {
            self.of.remove(&publisher);
        } else {
            self.of.insert(publisher, (records, bytes));
            self.by_bytes.insert((bytes, publisher));
        }
    }
}
