//! How a store reaches the disk: [`Journal`], entries appended one after the other, written in groups.
//!
//! ```text
//!            load             entries                written           synced
//!  Loading ────────► Idle ────────────► Writing ───────────► Syncing ──────────► Idle: whoever waited is told
//!     │                │ much is past                                              ▲
//!     │                └─► a new file: Emptying ──► Copying, Copying, … ──► Syncing ──► Renaming ┘
//!     └─► the file cannot be read: it is left as it is, and nothing is written
//! ```
//!
//! The new file is written a piece at a time, so that a large store is not in memory twice; what is appended meanwhile
//! comes behind the last piece, and so counts.
//!
//! An entry is its length (4 bytes, little-endian), a checksum (8 bytes, SipHash-1-3 with the key 0, little-endian) and a
//! [`Held`] or a new time of one, in postcard. What follows an entry that is not whole is not read: it was never synced, so
//! nobody was told that it is stored. The file is then written anew.

use super::{Held, Name, Store};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::hash::Hasher as _;
use p2p_core::{FileId, IoError, Job, JobDone, JobId, RelPath, Span};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// Bytes of the file that may be past before it is written anew, beyond as many as are of use.
const SLACK: u64 = 1 << 20;
/// Bytes of the new file that are written at a time, or one entry.
const PIECE: usize = 1 << 20;
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

/// The file that takes the place of this one.
fn new_of(file: &FileId) -> Option<FileId> {
    let path = RelPath::local(alloc::format!("{}.new", file.path()).split('/')).ok()?;
    Some(FileId::new(file.root(), path))
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
    /// A new file is written: the next piece is to be made.
    Copying(Copying),
    Busy(JobId, Step, Vec<W>),
}

/// How far the new file is.
#[derive(Clone, Copy, Debug, Default)]
struct Copying {
    /// Where the last piece ended.
    from: Option<Place>,
    len: u64,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Writing {
        len: u64,
    },
    Syncing {
        len: u64,
    },
    /// What was left of an earlier attempt goes.
    Emptying,
    /// A piece of the new file, so many bytes; the last one if `next` says nothing.
    Piece {
        next: Option<Place>,
        before: u64,
        len: u64,
    },
    SyncingNew {
        len: u64,
    },
    Renaming {
        len: u64,
    },
}

/// Which entry comes first of those that a piece begins with: the first behind this name, in the store or in what is kept in
/// the stead of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) lodged: bool,
    pub(crate) behind: Option<Name>,
}

/// Writes entries from a place on until there are enough, and says where it stopped; `None` at the end.
pub(crate) fn piece(
    from: Option<Place>,
    store: &Store,
    lodged: Option<&Store>,
    to: &mut BytesMut,
) -> Option<Place> {
    let from = from.unwrap_or(Place { lodged: false, behind: None });
    if !from.lodged {
        for (name, held) in store.behind(from.behind) {
            Entry::Held(held.clone()).encode(to);
            if to.len() >= PIECE {
                return Some(Place { lodged: false, behind: Some(*name) });
            }
        }
    }
    for (name, held) in lodged.into_iter().flat_map(|store| store.behind(from.behind.filter(|_| from.lodged)))
    {
        Entry::Lodged(held.clone()).encode(to);
        if to.len() >= PIECE {
            return Some(Place { lodged: true, behind: Some(*name) });
        }
    }
    None
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
            State::Idle | State::Copying(_) | State::Unreadable => {}
        }
    }

    /// Whether there is a file that what is stored is to be on.
    pub(crate) const fn is_kept(&self) -> bool {
        self.file.is_some() && !matches!(self.state, State::Unreadable)
    }

    /// Whether nothing is under way and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        !matches!(self.state, State::Busy(..) | State::Copying(_)) && self.next.is_empty()
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

    /// The next job, if one is needed and none is under way. `live` is how many bytes are of use, `piece` writes some of
    /// them from a place on and says where it stopped, if not at the end.
    pub(crate) fn work(
        &mut self,
        live: u64,
        piece: impl FnOnce(Option<Place>, &mut BytesMut) -> Option<Place>,
    ) -> Option<Job> {
        let file = self.file.clone()?;
        let none = JobId::from_raw(0);
        match self.state {
            State::Idle if self.next.is_empty() => None,
            State::Idle => {
                let is_past = self.end > live.saturating_mul(2).saturating_add(SLACK);
                if let Some(new) = new_of(&file).filter(|_| self.behind || is_past) {
                    self.state = State::Busy(none, Step::Emptying, Vec::new());
                    return Some(Job::Truncate { file: new, len: 0 });
                }
                let data = self.next.split().freeze();
                let len = data.len() as u64;
                let waiting = core::mem::take(&mut self.next_waiting);
                self.state = State::Busy(none, Step::Writing { len }, waiting);
                let spans = Vec::from([Span { file, offset: self.end, len }]);
                Some(Job::Write { spans, data: Vec::from([data]), digest: None })
            }
            State::Copying(Copying { from, len: before }) => {
                let new = new_of(&file)?;
                let mut data = BytesMut::new();
                let next = piece(from, &mut data);
                let mut waiting = Vec::new();
                if next.is_none() {
                    // What came in the meantime, in its newest state.
                    data.extend_from_slice(&self.next.split());
                    waiting = core::mem::take(&mut self.next_waiting);
                }
                let len = data.len() as u64;
                self.state = State::Busy(none, Step::Piece { next, before, len }, waiting);
                let spans = Vec::from([Span { file: new, offset: before, len }]);
                Some(Job::Write { spans, data: Vec::from([data.freeze()]), digest: None })
            }
            State::Loading(_) | State::Unreadable | State::Busy(..) => None,
        }
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
            (Step::Emptying, Ok(())) => {
                self.state = State::Copying(Copying::default());
                (Progress::Under, None)
            }
            (Step::Piece { next: Some(next), before, len }, Ok(())) => {
                self.state = State::Copying(Copying { from: Some(next), len: before + len });
                (Progress::Under, None)
            }
            (Step::Piece { next: None, before, len }, Ok(())) => {
                let job = self.file.as_ref().and_then(new_of).map(|file| Job::Sync { file });
                let step = Step::SyncingNew { len: before + len };
                self.state = State::Busy(JobId::from_raw(0), step, waiting);
                (Progress::Under, job)
            }
            (Step::SyncingNew { len }, Ok(())) => {
                let files = self.file.clone().and_then(|to| Some((new_of(&to)?, to)));
                self.state = State::Busy(JobId::from_raw(0), Step::Renaming { len }, waiting);
                (Progress::Under, files.map(|(from, to)| Job::Rename { from, to }))
            }
            (Step::Renaming { len }, Ok(())) => {
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

    #[test]
    fn a_large_store_is_written_in_pieces() {
        let now = p2p_core::UnixTime::from_secs(1);
        let fill = |count: u32, len: usize| {
            let mut store = Store::new(crate::store::Limits::default());
            for number in 0..count {
                let mut bytes = alloc::vec![1; len];
                bytes[..4].copy_from_slice(&number.to_be_bytes());
                let publisher = Prefix::of([10, 0, 0, 1].into());
                let held = Held { record: Record::Value(bytes.into()), expires: 1_000, publisher };
                store.put(held, None, now).unwrap();
            }
            store
        };
        let (store, kept) = (fill(60, 50_000), fill(3_000, 500));
        let (mut from, mut all, mut pieces) = (None, Vec::new(), 0);
        loop {
            let mut data = BytesMut::new();
            let next = piece(from, &store, Some(&kept), &mut data);
            assert!(data.len() <= PIECE + 50_100);
            let (some, whole) = entries(&data);
            assert_eq!(whole, data.len());
            all.extend(some);
            pieces += 1;
            let Some(next) = next else { break };
            from = Some(next);
        }
        let right = store.iter().map(|held| Entry::Held(held.clone()));
        let right: Vec<Entry> = right.chain(kept.iter().map(|held| Entry::Lodged(held.clone()))).collect();
        assert_eq!((all, pieces), (right, 5));
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
