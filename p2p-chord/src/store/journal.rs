//! How a store reaches the disk: [`Journal`], entries appended one after the other, written in groups.
//!
//! ```text
//!            load             entries                written           synced
//!  Loading ────────► Idle ────────────► Writing ───────────► Syncing ──────────► Idle: whoever waited is told
//!     │                │ much is past                                              ▲
//!     │                └─────────────► Replacing (the whole file, put in place) ───┘
//!     └─► the file cannot be read: it is left as it is, and nothing is written
//! ```
//!
//! An entry is its length (4 bytes, little-endian), a checksum (8 bytes, SipHash-1-3 with the key 0, little-endian) and a
//! [`Held`] or a new time of one, in postcard. What follows an entry that is not whole is not read: it was never synced, so
//! nobody was told that it is stored. The file is then written anew.

use super::{Held, Name};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::hash::Hasher as _;
use p2p_core::{FileId, IoError, Job, JobDone, JobId, Span};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// Bytes of the file that may be past before it is written anew, beyond as many as are of use.
const SLACK: u64 = 1 << 20;
/// Bytes before an entry.
const HEAD: usize = 12;

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// A record is new, or in place of another version.
    Held(Held),
    /// A record stays longer, until then.
    Longer(Name, u64),
    /// A record is new that is kept in the stead of others, or stays longer.
    Lodged(Held),
}

impl Entry {
    /// That what is held stays longer.
    pub(crate) fn longer(held: &Held) -> Self {
        Self::Longer(Name::of(&held.record), held.expires)
    }

    pub(crate) fn encode(&self, to: &mut BytesMut) {
        // Nothing that it is made of can fail to be written into memory.
        let body = postcard::to_allocvec(self).unwrap_or_default();
        to.extend_from_slice(&(body.len() as u32).to_le_bytes());
        to.extend_from_slice(&checksum(&body).to_le_bytes());
        to.extend_from_slice(&body);
    }
}

fn checksum(body: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(body);
    hasher.finish()
}

/// The entries of a file, and how many bytes of it are whole.
pub(crate) fn entries(data: &[u8]) -> (Vec<Entry>, usize) {
    let (mut entries, mut whole) = (Vec::new(), 0);
    while let Some((head, rest)) = data.get(whole..).and_then(<[u8]>::split_first_chunk::<HEAD>) {
        let [a, b, c, d, sum @ ..] = *head;
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some(body) = rest.get(..len).filter(|body| checksum(body) == u64::from_le_bytes(sum)) else {
            break;
        };
        // One of a later version of this program is passed over.
        entries.extend(postcard::from_bytes::<Entry>(body));
        whole += HEAD + len;
    }
    (entries, whole)
}

/// The journal; `W` is whoever waits for an entry to be safe.
#[derive(Clone, Debug)]
pub(crate) struct Journal<W> {
    file: Option<FileId>,
    state: State<W>,
    /// Where the next entry goes.
    end: u64,
    next: BytesMut,
    next_waiting: Vec<W>,
    /// A write failed, or the file is not whole: the next one says everything anew.
    behind: bool,
}

#[derive(Clone, Debug)]
enum State<W> {
    Loading(Option<JobId>),
    /// The file cannot be read. Nothing is written over it.
    Unreadable,
    Idle,
    Busy(JobId, Step, Vec<W>),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Writing { len: u64 },
    Syncing { len: u64 },
    Replacing { len: u64 },
}

/// What an answered job means.
#[derive(Debug)]
pub(crate) enum Progress<W> {
    /// The job was of somebody else.
    NotMine,
    /// What is stored.
    Loaded(Bytes),
    /// What was stored cannot be read.
    Lost(IoError),
    /// These entries are safe, or are not.
    Settled(Vec<W>, Result<(), IoError>),
    /// It goes on.
    Under,
}

impl<W> Journal<W> {
    pub(crate) fn new(file: Option<FileId>) -> Self {
        Self {
            file,
            state: State::Loading(None),
            end: 0,
            next: BytesMut::new(),
            next_waiting: Vec::new(),
            behind: false,
        }
    }

    /// Begins: the job that loads, or none if nothing is stored.
    pub(crate) fn load(&mut self, limit: u64) -> Option<Job> {
        let Some(file) = self.file.clone() else {
            self.state = State::Idle;
            return None;
        };
        Some(Job::Load { file, limit })
    }

    /// The number of the job that [`load`](Self::load), [`work`](Self::work) or [`done`](Self::done) asked for.
    pub(crate) fn asked(&mut self, job: JobId) {
        match &mut self.state {
            State::Loading(id) => *id = Some(job),
            State::Busy(id, ..) => *id = job,
            State::Idle | State::Unreadable => {}
        }
    }

    /// Whether there is a file that what is stored is to be on.
    pub(crate) const fn is_kept(&self) -> bool {
        self.file.is_some() && !matches!(self.state, State::Unreadable)
    }

    /// Whether nothing is under way and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        !matches!(self.state, State::Busy(..)) && self.next.is_empty()
    }

    /// Appends an entry. Without a file, whoever waits is given back: there is nothing to wait for.
    pub(crate) fn append(&mut self, entry: &Entry) {
        if self.is_kept() {
            entry.encode(&mut self.next);
        }
    }

    /// Somebody waits until what was appended is safe; given back if there is nothing to wait for.
    pub(crate) fn wait(&mut self, waiting: W) -> Option<W> {
        if !self.is_kept() || self.next.is_empty() {
            return Some(waiting);
        }
        self.next_waiting.push(waiting);
        None
    }

    /// The next job, if one is needed and none is under way. `live` is how many bytes are of use, `whole` writes them.
    pub(crate) fn work(&mut self, live: u64, whole: impl FnOnce(&mut BytesMut)) -> Option<Job> {
        let (Some(file), State::Idle) = (self.file.clone(), &self.state) else { return None };
        if self.next.is_empty() {
            return None;
        }
        let waiting = core::mem::take(&mut self.next_waiting);
        let none = JobId::from_raw(0);
        if self.behind || self.end > live.saturating_mul(2).saturating_add(SLACK) {
            self.next.clear();
            let mut all = BytesMut::new();
            whole(&mut all);
            let len = all.len() as u64;
            self.state = State::Busy(none, Step::Replacing { len }, waiting);
            return Some(Job::Replace { file, data: all.freeze() });
        }
        let data = self.next.split().freeze();
        let len = data.len() as u64;
        self.state = State::Busy(none, Step::Writing { len }, waiting);
        let spans = Vec::from([Span { file, offset: self.end, len }]);
        Some(Job::Write { spans, data: Vec::from([data]), digest: None })
    }

    /// A job is done; and the next step of the same write, if there is one.
    pub(crate) fn done(&mut self, job: JobId, done: JobDone) -> (Progress<W>, Option<Job>) {
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Loading(id) if id == Some(job) => (self.loaded(done), None),
            State::Busy(id, step, waiting) if id == job => self.stepped(step, waiting, done),
            other => {
                self.state = other;
                (Progress::NotMine, None)
            }
        }
    }

    fn loaded(&mut self, done: JobDone) -> Progress<W> {
        match done {
            JobDone::Read(Ok(data)) => Progress::Loaded(data),
            JobDone::Read(Err(IoError::NotFound)) => Progress::Loaded(Bytes::new()),
            JobDone::Read(Err(why)) => self.lost(why),
            _ => self.lost(IoError::Other),
        }
    }

    fn lost(&mut self, why: IoError) -> Progress<W> {
        self.state = State::Unreadable;
        self.next.clear();
        Progress::Lost(why)
    }

    /// Of a file of so many bytes, so many are whole.
    pub(crate) const fn set_whole(&mut self, whole: usize, len: usize) {
        self.end = whole as u64;
        self.behind = whole < len;
    }

    /// Whoever waited for a file that cannot be read.
    pub(crate) fn give_up(&mut self) -> Vec<W> {
        core::mem::take(&mut self.next_waiting)
    }

    fn stepped(&mut self, step: Step, waiting: Vec<W>, done: JobDone) -> (Progress<W>, Option<Job>) {
        let result = match done {
            JobDone::Written { result, .. } | JobDone::Done(result) => result,
            _ => Err(IoError::Other),
        };
        match (step, result) {
            (_, Err(why)) => {
                self.behind = true;
                (Progress::Settled(waiting, Err(why)), None)
            }
            (Step::Writing { len }, Ok(())) => {
                let Some(file) = self.file.clone() else { return (Progress::Under, None) };
                self.state = State::Busy(JobId::from_raw(0), Step::Syncing { len }, waiting);
                (Progress::Under, Some(Job::Sync { file }))
            }
            (Step::Syncing { len }, Ok(())) => {
                self.end += len;
                (Progress::Settled(waiting, Ok(())), None)
            }
            (Step::Replacing { len }, Ok(())) => {
                (self.end, self.behind) = (len, false);
                (Progress::Settled(waiting, Ok(())), None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::store::Prefix;
    use proptest::prelude::*;

    fn all() -> (Vec<Entry>, BytesMut) {
        let held = |number: u8| Held {
            record: Record::Value(Bytes::from(alloc::vec![number; usize::from(number)])),
            expires: u64::from(number),
            publisher: Prefix::of([10, 0, 0, number].into()),
        };
        let mut entries: Vec<Entry> = (0..20).map(|number| Entry::Held(held(number))).collect();
        entries.push(Entry::longer(&held(3)));
        let mut data = BytesMut::new();
        entries.iter().for_each(|entry| entry.encode(&mut data));
        (entries, data)
    }

    #[test]
    fn entries_come_back_as_they_went() {
        let (written, data) = all();
        assert_eq!(entries(&data), (written, data.len()));
    }

    proptest! {
        #[test]
        fn of_a_torn_file_the_beginning_is_read(cut in 0usize..1_000, junk in prop::collection::vec(any::<u8>(), 0..40)) {
            let (written, data) = all();
            let cut = cut.min(data.len());
            let torn = [&data[..cut], &junk[..]].concat();
            let (read, whole) = entries(&torn);
            prop_assert!(whole <= cut || junk.is_empty() || data.get(cut..whole) == torn.get(cut..whole));
            prop_assert_eq!(&written[..read.len()], &read[..]);
            prop_assert!(cut < data.len() || read.len() == written.len());
        }
    }
}
