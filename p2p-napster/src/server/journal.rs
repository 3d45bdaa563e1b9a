//! How accounts and bans reach the disk: [`Journal`], lines appended one after the other, written in groups.
//!
//! ```text
//!            load             records                written           synced
//!  Loading ────────► Idle ────────────► Writing ───────────► Syncing ──────────► Idle: whoever waited is told
//!     │                │ much is past                                              ▲
//!     │                └─────────────► Replacing (the whole file, put in place) ───┘
//!     └─► Failed: nobody may log in, for anybody's nick might be registered
//! ```
//!
//! Records that come while a write is under way make up the next one, so a storm of registrations costs few writes.

use super::record::Record;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use p2p_core::{FileId, IoError, Job, JobDone, JobId, Span};

/// Bytes of the file that may be past before it is written anew, beyond as many as are of use.
const SLACK: u64 = 1 << 20;

/// The journal; `W` is whoever waits for a record to be safe.
#[derive(Debug)]
pub(super) struct Journal<W> {
    file: Option<FileId>,
    state: State<W>,
    /// Where the next line goes.
    end: u64,
    /// Bytes of lines that are still true.
    live: u64,
    next: BytesMut,
    next_waiting: Vec<W>,
    /// A write failed: the next one says everything anew.
    behind: bool,
}

#[derive(Debug)]
enum State<W> {
    Loading(Option<JobId>),
    Failed,
    Idle,
    Busy(JobId, Step, Vec<W>),
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Writing { len: u64 },
    Syncing { len: u64 },
    Replacing { len: u64 },
}

/// What an answered job means.
#[derive(Debug)]
pub(super) enum Progress<W> {
    /// The job was of somebody else.
    NotMine(JobDone),
    /// The stored lines, to be taken over.
    Loaded(Bytes),
    /// What was stored cannot be read.
    Lost(IoError),
    /// These records are safe, or are not.
    Settled(Vec<W>, Result<(), IoError>),
    /// It goes on.
    Under,
}

impl<W> Journal<W> {
    pub(super) fn new(file: Option<FileId>) -> Self {
        Self {
            file,
            state: State::Loading(None),
            end: 0,
            live: 0,
            next: BytesMut::new(),
            next_waiting: Vec::new(),
            behind: false,
        }
    }

    /// Begins: the job that loads, or none if nothing is stored.
    pub(super) fn load(&mut self, limit: u64) -> Option<Job> {
        let Some(file) = self.file.clone() else {
            self.state = State::Idle;
            return None;
        };
        Some(Job::Load { file, limit })
    }

    /// The number of the job that [`load`](Self::load) or [`work`](Self::work) asked for.
    pub(super) fn asked(&mut self, job: JobId) {
        match &mut self.state {
            State::Loading(id) => *id = Some(job),
            State::Busy(id, ..) => *id = job,
            State::Idle | State::Failed => {}
        }
    }

    /// Whether it knows what is stored.
    pub(super) const fn is_ready(&self) -> bool {
        matches!(self.state, State::Idle | State::Busy(..))
    }

    /// Whether nothing is under way and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        !matches!(self.state, State::Busy(..)) && self.next.is_empty() && self.next_waiting.is_empty()
    }

    /// Appends a record. Without a file, whoever waits is given back: there is nothing to wait for.
    pub(super) fn append(&mut self, record: &Record<'_>, waiting: Option<W>) -> Option<W> {
        if self.file.is_none() {
            return waiting;
        }
        record.encode(&mut self.next);
        self.next_waiting.extend(waiting);
        None
    }

    /// The next job, if one is needed and none is under way. `whole` writes all that is true at the moment.
    pub(super) fn work(&mut self, whole: impl FnOnce(&mut BytesMut)) -> Option<Job> {
        let (Some(file), State::Idle) = (self.file.clone(), &self.state) else { return None };
        if self.next.is_empty() {
            return None;
        }
        let waiting = core::mem::take(&mut self.next_waiting);
        let none = JobId::from_raw(0);
        if self.behind || self.end > self.live.saturating_mul(2).saturating_add(SLACK) {
            let mut all = BytesMut::new();
            whole(&mut all);
            // Records that wait for the disk are not true yet, but will be.
            all.extend_from_slice(&self.next.split());
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
    pub(super) fn done(&mut self, job: JobId, done: JobDone) -> (Progress<W>, Option<Job>) {
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Loading(id) if id == Some(job) => (self.loaded(done), None),
            State::Busy(id, step, waiting) if id == job => self.stepped(step, waiting, done),
            other => {
                self.state = other;
                (Progress::NotMine(done), None)
            }
        }
    }

    fn loaded(&mut self, done: JobDone) -> Progress<W> {
        match done {
            JobDone::Read(Ok(data)) => {
                self.end = data.len() as u64;
                Progress::Loaded(data)
            }
            JobDone::Read(Err(IoError::NotFound)) => Progress::Loaded(Bytes::new()),
            JobDone::Read(Err(why)) => self.lost(why),
            _ => self.lost(IoError::Other),
        }
    }

    fn lost(&mut self, why: IoError) -> Progress<W> {
        self.state = State::Failed;
        Progress::Lost(why)
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
                (self.end, self.live, self.behind) = (len, len, false);
                (Progress::Settled(waiting, Ok(())), None)
            }
        }
    }

    /// What is true takes so many bytes.
    pub(super) const fn set_live(&mut self, bytes: u64) {
        self.live = bytes;
    }
}

/// The records of what was stored, and how many lines are not whole.
pub(super) fn records(data: &[u8]) -> (Vec<Record<'static>>, usize) {
    let mut torn = 0;
    let lines = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.filter_map(|line| {
        let record = Record::parse(line);
        torn += usize::from(record.is_none());
        record
    });
    (records.collect(), torn)
}
