//! A disk that answers when the test says so.

use bytes::Bytes;
use p2p_core::{Entry, FileId, IoError, Stat};
use p2p_transport_tokio::{Memory, Storage};
use std::io::IoSlice;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

#[derive(Debug, Default)]
struct State {
    open: bool,
    inside: usize,
    most: usize,
    done: usize,
}

/// Files in memory behind a gate: while it is shut, every job waits in it. Clones are the same disk.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    memory: Arc<Memory>,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Gate {
    pub(crate) fn shut() -> Self {
        Self { memory: Arc::new(Memory::new(1 << 26)), state: Arc::default() }
    }

    /// Lets all go on, now and later.
    pub(crate) fn open(&self) {
        self.state.0.lock().unwrap().open = true;
        self.state.1.notify_all();
    }

    /// How many jobs were in it at once, at most.
    pub(crate) fn most(&self) -> usize {
        self.state.0.lock().unwrap().most
    }

    /// How many it did.
    pub(crate) fn done(&self) -> usize {
        self.state.0.lock().unwrap().done
    }

    /// Waits until that many jobs stand before the gate.
    pub(crate) async fn wait_for(&self, inside: usize) {
        let shared = Arc::clone(&self.state);
        let waiting = tokio::task::spawn_blocking(move || {
            let (state, wake) = &*shared;
            let few = |state: &mut State| state.inside < inside;
            let limit = Duration::from_secs(300);
            let (_state, late) = wake.wait_timeout_while(state.lock().unwrap(), limit, few).unwrap();
            assert!(!late.timed_out(), "the jobs come to the disk");
        });
        waiting.await.unwrap();
    }

    fn pass<T>(&self, job: impl FnOnce(&Memory) -> T) -> T {
        let (state, wake) = &*self.state;
        {
            let mut state = state.lock().unwrap();
            state.inside += 1;
            state.most = state.most.max(state.inside);
            wake.notify_all();
            drop(wake.wait_while(state, |state| !state.open).unwrap());
        }
        let done = job(&self.memory);
        let mut state = state.lock().unwrap();
        state.inside -= 1;
        state.done += 1;
        done
    }
}

impl Storage for Gate {
    fn read(&self, file: &FileId, offset: u64, into: &mut [u8]) -> Result<(), IoError> {
        self.pass(|memory| memory.read(file, offset, into))
    }

    fn write(&self, file: &FileId, offset: u64, data: &[IoSlice<'_>]) -> Result<(), IoError> {
        self.pass(|memory| memory.write(file, offset, data))
    }

    fn load(&self, file: &FileId, limit: u64) -> Result<Bytes, IoError> {
        self.pass(|memory| memory.load(file, limit))
    }

    fn replace(&self, file: &FileId, data: &[u8]) -> Result<(), IoError> {
        self.pass(|memory| memory.replace(file, data))
    }

    fn sync(&self, file: &FileId) -> Result<(), IoError> {
        self.pass(|memory| memory.sync(file))
    }

    fn stat(&self, file: &FileId) -> Result<Option<Stat>, IoError> {
        self.pass(|memory| memory.stat(file))
    }

    fn list(&self, dir: &FileId, limit: u32) -> Result<Vec<Entry>, IoError> {
        self.pass(|memory| memory.list(dir, limit))
    }

    fn rename(&self, from: &FileId, to: &FileId) -> Result<(), IoError> {
        self.pass(|memory| memory.rename(from, to))
    }

    fn truncate(&self, file: &FileId, len: u64) -> Result<(), IoError> {
        self.pass(|memory| memory.truncate(file, len))
    }

    fn remove(&self, file: &FileId) -> Result<(), IoError> {
        self.pass(|memory| memory.remove(file))
    }
}
