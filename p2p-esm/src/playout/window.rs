//! Which generations are kept: the window moves with the output, or with what the source signed.

use super::Playout;
use super::slot::Slot;
use p2p_core::Instant;

impl Playout {
    /// Moves the output there; with number 0, to the generation behind.
    pub(super) fn step(&mut self, generation: u64, index: u8) {
        self.next = if index == 0 { (generation + 1, 0) } else { (generation, index) };
        self.trim();
    }

    /// Forgets what is too far behind.
    fn trim(&mut self) {
        while self.base + self.history < self.next.0 {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if let Some(mut slot) = self.slots.pop_front() {
            // Its lists are of use to a later one.
            slot.reset(self.shape);
            if self.slots.len() < self.window {
                self.slots.push_back(slot);
            }
        }
        self.base += 1;
    }

    /// Moves the window so that all before `behind` have room, whatever is lost by that.
    pub(super) fn make_room(&mut self, behind: u64) {
        let base = behind.saturating_sub(self.window as u64);
        if base <= self.base {
            return;
        }
        if base - self.base >= self.slots.len() as u64 {
            self.slots.clear();
            self.base = base;
        }
        while self.base < base {
            self.forget();
        }
        if self.next.0 < self.base {
            self.next = (self.base, 0);
        }
    }

    /// Anything was seen of this generation: whatever is before it is due too.
    pub(super) fn see(&mut self, generation: u64, now: Instant) {
        self.heard = self.heard.max(generation + 1);
        let Some(last) = generation.checked_sub(self.base).map(|at| at as usize) else { return };
        if last >= self.window {
            return;
        }
        while self.slots.len() <= last {
            let mut slot = Slot::default();
            slot.reset(self.shape);
            self.slots.push_back(slot);
        }
        // Behind the output nothing is waited for; before it, those that were seen end the search.
        let first = self.next.0.saturating_sub(self.base) as usize;
        for slot in self.slots.range_mut(first.min(last + 1)..=last).rev() {
            if slot.seen.is_some() {
                break;
            }
            slot.seen = Some(now);
        }
    }

    /// Where its slot is.
    pub(super) fn at(&self, generation: u64) -> Option<usize> {
        let at = generation.checked_sub(self.base)? as usize;
        (at < self.slots.len()).then_some(at)
    }
}
