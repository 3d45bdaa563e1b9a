//! What several stores of one machine hold together: [`Account`].

use super::name::Prefix;
use alloc::collections::BTreeMap;

/// Records and bytes, in all and of each publisher.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(super) records: usize,
    pub(super) bytes: usize,
    of: BTreeMap<Prefix, (usize, usize)>,
}

impl Account {
    /// Records and bytes of a publisher.
    pub(super) fn of(&self, publisher: Prefix) -> (usize, usize) {
        self.of.get(&publisher).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, publisher: Prefix, bytes: usize) {
        self.records += 1;
        self.bytes += bytes;
        let (of_records, of_bytes) = self.of.entry(publisher).or_default();
        (*of_records, *of_bytes) = (*of_records + 1, *of_bytes + bytes);
    }

    pub(super) fn take(&mut self, publisher: Prefix, bytes: usize) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        let Some((of_records, of_bytes)) = self.of.get_mut(&publisher) else { return };
        (*of_records, *of_bytes) = (of_records.saturating_sub(1), of_bytes.saturating_sub(bytes));
        if *of_records == 0 {
            self.of.remove(&publisher);
        }
    }
}
