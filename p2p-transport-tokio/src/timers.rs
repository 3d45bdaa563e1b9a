//! Timers by name: set, replaced, cleared, taken when due.

use p2p_core::Instant;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Timers<T> {
    names: BTreeMap<T, Instant>,
    due: BTreeSet<(Instant, T)>,
}

impl<T: Copy + Ord> Timers<T> {
    pub(crate) const fn new() -> Self {
        Self { names: BTreeMap::new(), due: BTreeSet::new() }
    }

    pub(crate) fn set(&mut self, name: T, at: Instant) {
        if let Some(before) = self.names.insert(name, at) {
            // Many are set again and again to what they are.
            if before == at {
                return;
            }
            self.due.remove(&(before, name));
        }
        self.due.insert((at, name));
    }

    pub(crate) fn clear(&mut self, name: T) {
        if let Some(before) = self.names.remove(&name) {
            self.due.remove(&(before, name));
        }
    }

    /// The one that is due next.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes one that is due at `now`.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        let (_, name) = self.due.pop_first()?;
        self.names.remove(&name);
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_replaces_and_order_is_by_time() {
        let mut timers = Timers::new();
        let at = Instant::from_nanos;
        timers.set('a', at(5));
        timers.set('b', at(3));
        timers.set('a', at(1));
        timers.set('c', at(2));
        timers.clear('c');
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.pop(at(0)), None);
        assert_eq!(timers.pop(at(4)), Some('a'));
        assert_eq!(timers.pop(at(4)), Some('b'));
        assert_eq!(timers.pop(at(9)), None);
        assert_eq!(timers.next(), None);
    }
}
