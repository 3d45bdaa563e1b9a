//! Which sockets can go on: one list per driver that their wakers push onto.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Takes a lock; no code of others runs under the locks of this crate, so a poisoned one holds a sound state.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The list, and the driver's task if it sleeps.
#[derive(Default)]
pub(crate) struct Ready {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    slots: Vec<u32>,
    nudged: bool,
    driver: Option<Waker>,
}

impl Ready {
    fn push(&self, slot: u32) {
        let driver = {
            let mut inner = lock(&self.inner);
            inner.slots.push(slot);
            inner.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Wakes the driver for something that has no slot: results of jobs.
    pub(crate) fn nudge(&self) {
        let driver = {
            let mut inner = lock(&self.inner);
            inner.nudged = true;
            inner.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Moves the list to the end of `into`.
    pub(crate) fn take(&self, into: &mut Vec<u32>) {
        let mut inner = lock(&self.inner);
        inner.nudged = false;
        if into.is_empty() {
            std::mem::swap(&mut inner.slots, into);
        } else {
            into.append(&mut inner.slots);
        }
    }

    /// Leaves the driver's waker here unless something is ready. Says whether the driver may sleep.
    pub(crate) fn park(&self, waker: &Waker) -> bool {
        let mut inner = lock(&self.inner);
        if inner.nudged || !inner.slots.is_empty() {
            return false;
        }
        inner.driver = Some(waker.clone());
        true
    }
}

/// The waker of one slot. However often it is woken, it is on the list once.
pub(crate) struct SlotWaker {
    slot: u32,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl SlotWaker {
    pub(crate) fn new(slot: u32, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self { slot, queued: AtomicBool::new(false), ready: Arc::clone(ready) })
    }

    /// To be called before the slot is polled: wakes from here on count.
    pub(crate) fn begin(&self) {
        self.queued.store(false, Ordering::Release);
    }
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.ready.push(self.slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_listed_once_until_it_is_polled() {
        let ready = Arc::new(Ready::default());
        let waker = SlotWaker::new(7, &ready);
        let mut list = Vec::new();
        for _ in 0..3 {
            waker.wake_by_ref();
        }
        assert!(!ready.park(Waker::noop()));
        ready.take(&mut list);
        assert_eq!(list, [7]);
        waker.wake_by_ref();
        list.clear();
        ready.take(&mut list);
        assert!(list.is_empty(), "not polled yet");
        waker.begin();
        waker.wake_by_ref();
        ready.take(&mut list);
        assert_eq!(list, [7]);
        assert!(ready.park(Waker::noop()));
        ready.nudge();
        assert!(!ready.park(Waker::noop()));
    }
}
