//! Disk work and digests on a few threads of their own, started when first needed.

use crate::ready::{Ready, lock};
use crate::storage::Storage;
use bytes::{Buf, Bytes};
use p2p_core::{Cost, DigestKind, Digester, FileId, IoError, Job, JobDone, JobId, Root, Span};
use std::collections::VecDeque;
use std::io::IoSlice;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Bytes read at once to digest them, and written at once after digesting them: small enough for a processor's
/// second-level cache.
const STRIDE: usize = 128 * 1024;
/// Answers to `Read` up to this come in buffers that are used again.
const POOLED: usize = 256 * 1024;
/// Bytes of unused buffers that are kept for the next `Read`.
const KEPT: usize = 2 * 1024 * 1024;

/// The workers of one driver.
pub(crate) struct Pool {
    desk: Arc<Counter>,
    threads: usize,
    most: usize,
    /// Jobs asked for in this turn, handed over at its end.
    batch: Vec<(JobId, Job)>,
    pending: usize,
    limit: usize,
}

struct Counter {
    queue: Mutex<Queue>,
    wake: Condvar,
    done: Mutex<Vec<(JobId, JobDone)>>,
    ready: Arc<Ready>,
    storage: Arc<dyn Storage>,
    buffers: Arc<Buffers>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<(JobId, Job)>,
    idle: usize,
    closing: bool,
}

impl Pool {
    pub(crate) fn new(storage: Arc<dyn Storage>, ready: &Arc<Ready>, most: usize, limit: usize) -> Self {
        let desk = Counter {
            queue: Mutex::default(),
            wake: Condvar::new(),
            done: Mutex::default(),
            ready: Arc::clone(ready),
            storage,
            buffers: Arc::default(),
        };
        Self { desk: Arc::new(desk), threads: 0, most: most.max(1), batch: Vec::new(), pending: 0, limit }
    }

    /// Takes a job for the next [`hand_over`](Self::hand_over), or refuses it.
    pub(crate) fn take(&mut self, id: JobId, job: Job) -> Option<JobDone> {
        if self.pending >= self.limit {
            return Some(refuse(job, IoError::Limit));
        }
        self.pending += 1;
        self.batch.push((id, job));
        None
    }

    /// Jobs that were taken and are not answered.
    pub(crate) const fn pending(&self) -> usize {
        self.pending
    }

    /// Gives the batch to the workers, all at once: waking threads is dear.
    pub(crate) fn hand_over(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let fresh = self.batch.len();
        let (idle, waiting) = {
            let mut queue = lock(&self.desk.queue);
            queue.jobs.extend(self.batch.drain(..));
            (queue.idle, queue.jobs.len())
        };
        for _ in 0..fresh.min(idle) {
            self.desk.wake.notify_one();
        }
        // All that wait count: a thread that was woken for an earlier batch may still look idle.
        for _ in idle..waiting {
            if self.threads >= self.most {
                break;
            }
            let desk = Arc::clone(&self.desk);
            let name = format!("p2p-work-{}", self.threads);
            if std::thread::Builder::new().name(name).spawn(move || work(&desk)).is_err() {
                break;
            }
            self.threads += 1;
        }
        if self.threads == 0 {
            // No thread to be had: better no answer from a disk than none at all.
            let jobs = std::mem::take(&mut lock(&self.desk.queue).jobs);
            let refused = jobs.into_iter().map(|(id, job)| (id, refuse(job, IoError::Limit)));
            lock(&self.desk.done).extend(refused);
            self.desk.ready.nudge();
        }
    }

    /// What was done since the last call.
    pub(crate) fn results(&mut self, into: &mut Vec<(JobId, JobDone)>) {
        into.clear();
        if self.pending > 0 {
            std::mem::swap(&mut *lock(&self.desk.done), into);
            self.pending = self.pending.saturating_sub(into.len());
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        lock(&self.desk.queue).closing = true;
        self.desk.wake.notify_all();
    }
}

fn work(desk: &Counter) {
    let mut scratch = Vec::new();
    loop {
        let (id, job) = {
            let mut queue = lock(&desk.queue);
            loop {
                if let Some(job) = queue.jobs.pop_front() {
                    break job;
                }
                if queue.closing {
                    return;
                }
                queue.idle += 1;
                queue = desk.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.idle -= 1;
            }
        };
        let broken = unanswered(&job, IoError::Other);
        let perform = || perform(&*desk.storage, &desk.buffers, job, &mut scratch);
        // A storage that panics fails one job; its thread and its machine go on.
        let done = catch_unwind(AssertUnwindSafe(perform)).unwrap_or(broken);
        let first = {
            let mut all = lock(&desk.done);
            all.push((id, done));
            all.len() == 1
        };
        if first {
            desk.ready.nudge();
        }
    }
}

/// The answer to a job that is not begun. The digest of what is not written goes on all the same.
fn refuse(job: Job, error: IoError) -> JobDone {
    match job {
        Job::Write { data, digest: Some(mut digest), .. } => {
            data.iter().for_each(|part| digest.update(part));
            JobDone::Written { result: Err(error), digest: Some(digest) }
        }
        job => unanswered(&job, error),
    }
}

/// The answer to a job of which nothing is known but that it failed.
const fn unanswered(job: &Job, error: IoError) -> JobDone {
    match job {
        Job::Read { .. } | Job::Load { .. } => JobDone::Read(Err(error)),
        Job::Write { .. } => JobDone::Written { result: Err(error), digest: None },
        Job::Digest { .. } | Job::DigestSpans { .. } => JobDone::Digest(Err(error)),
        Job::Stat { .. } => JobDone::Stat(Err(error)),
        Job::List { .. } => JobDone::List(Err(error)),
        Job::Derive { .. } => JobDone::Derived(Err(error)),
        Job::Replace { .. }
        | Job::Sync { .. }
        | Job::Rename { .. }
        | Job::Truncate { .. }
        | Job::Remove { .. } => JobDone::Done(Err(error)),
    }
}

fn perform(storage: &dyn Storage, buffers: &Arc<Buffers>, job: Job, scratch: &mut Vec<u8>) -> JobDone {
    match job {
        Job::Read { spans } => JobDone::Read(read(storage, buffers, &spans)),
        Job::Write { spans, data, mut digest } => {
            let result = write(storage, &spans, data, digest.as_deref_mut());
            JobDone::Written { result, digest }
        }
        Job::Digest { kind, data } => {
            let mut digester = Digester::new(kind);
            data.iter().for_each(|part| digester.update(part));
            JobDone::Digest(Ok(digester.finish()))
        }
        Job::DigestSpans { kind, spans } => JobDone::Digest(digest_spans(storage, kind, &spans, scratch)),
        Job::Load { file, limit } => JobDone::Read(storage.load(&file, limit)),
        Job::Replace { file, data } => JobDone::Done(storage.replace(&file, &data)),
        Job::Sync { file } => JobDone::Done(storage.sync(&file)),
        Job::Stat { file } => JobDone::Stat(storage.stat(&file)),
        Job::List { dir, limit } => JobDone::List(storage.list(&dir, limit)),
        Job::Rename { from, to } => JobDone::Done(storage.rename(&from, &to)),
        Job::Truncate { file, len } => JobDone::Done(storage.truncate(&file, len)),
        Job::Remove { file } => JobDone::Done(storage.remove(&file)),
        Job::Derive { password, salt, cost } => JobDone::Derived(derive(&password, &salt, cost)),
    }
}

fn read(storage: &dyn Storage, buffers: &Arc<Buffers>, spans: &[Span]) -> Result<Bytes, IoError> {
    let len = spans.iter().try_fold(0u64, |sum, span| sum.checked_add(span.len)).ok_or(IoError::Limit)?;
    let len =
        usize::try_from(len).ok().and_then(|len| u32::try_from(len).ok()).ok_or(IoError::Limit)? as usize;
    let mut buffer = Buffer::new(buffers, len);
    let mut rest = buffer.bytes_mut();
    for span in spans {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(span.len as usize);
        fill(storage, &span.file, span.offset, part)?;
        rest = after;
    }
    Ok(Bytes::from_owner(buffer))
}

/// Reads a part of a file, or of the root of zeros.
fn fill(storage: &dyn Storage, file: &FileId, offset: u64, into: &mut [u8]) -> Result<(), IoError> {
    if file.root() == Root::ZEROS {
        into.fill(0);
        return Ok(());
    }
    storage.read(file, offset, into)
}

/// Writes the data over the spans, stride by stride, and digests each stride just before it is written.
fn write(
    storage: &dyn Storage,
    spans: &[Span],
    data: Vec<Bytes>,
    mut digest: Option<&mut Digester>,
) -> Result<(), IoError> {
    let mut data = VecDeque::from(data);
    let mut result = Ok(());
    let mut stride = Vec::new();
    let mut spans = spans.iter();
    let mut at = spans.next().map(|span| (&span.file, span.offset, span.len));
    while !data.is_empty() {
        while let Some((_, _, 0)) = at {
            at = spans.next().map(|span| (&span.file, span.offset, span.len));
        }
        // What no span has room for is digested all the same: the digest is of all of the data.
        let room = at.map_or(STRIDE, |(_, _, left)| usize::try_from(left).unwrap_or(STRIDE).min(STRIDE));
        let mut n = 0;
        stride.clear();
        while let Some(part) = data.front_mut()
            && n < room
        {
            let cut = part.split_to(part.len().min(room - n));
            if !part.has_remaining() {
                data.pop_front();
            }
            n += cut.len();
            if let Some(digest) = digest.as_deref_mut() {
                digest.update(&cut);
            }
            stride.push(cut);
        }
        match &mut at {
            Some((file, offset, left)) => {
                if result.is_ok() && file.root() != Root::ZEROS {
                    let slices: Vec<_> = stride.iter().map(|part| IoSlice::new(part)).collect();
                    result = storage.write(file, *offset, &slices);
                }
                *offset = offset.saturating_add(n as u64);
                *left -= n as u64;
            }
            None => result = result.and(Err(IoError::Short)),
        }
    }
    let wanting = at.is_some_and(|(_, _, left)| left > 0) || spans.any(|span| span.len > 0);
    if wanting { result.and(Err(IoError::Short)) } else { result }
}

fn digest_spans(
    storage: &dyn Storage,
    kind: DigestKind,
    spans: &[Span],
    scratch: &mut Vec<u8>,
) -> Result<p2p_core::Digest, IoError> {
    scratch.resize(STRIDE, 0);
    let mut digester = Digester::new(kind);
    for span in spans {
        let (mut offset, mut left) = (span.offset, span.len);
        while left > 0 {
            let n = usize::try_from(left).unwrap_or(STRIDE).min(STRIDE);
            let part = scratch.get_mut(..n).ok_or(IoError::Other)?;
            fill(storage, &span.file, offset, part)?;
            digester.update(part);
            offset = offset.saturating_add(n as u64);
            left -= n as u64;
        }
    }
    Ok(digester.finish())
}

#[cfg(feature = "password")]
fn derive(password: &[u8], salt: &[u8; 16], cost: Cost) -> Result<[u8; 32], IoError> {
    let params =
        argon2::Params::new(cost.memory, cost.passes, 1, Some(32)).map_err(|_| IoError::Unsupported)?;
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut key = [0; 32];
    argon.hash_password_into(password, salt, &mut key).map_err(|_| IoError::Other)?;
    Ok(key)
}

#[cfg(not(feature = "password"))]
fn derive(_: &[u8], _: &[u8; 16], _: Cost) -> Result<[u8; 32], IoError> {
    Err(IoError::Unsupported)
}

/// Buffers for answers to `Read` that were dropped and can be used again.
#[derive(Default)]
struct Buffers(Mutex<Vec<Vec<u8>>>);

struct Buffer {
    data: Vec<u8>,
    len: usize,
    home: Arc<Buffers>,
}

impl Buffer {
    fn new(home: &Arc<Buffers>, len: usize) -> Self {
        // Powers of two from 16 KiB on; what is larger than the largest is made for the occasion.
        let class = len.next_power_of_two().max(16 * 1024);
        let found = {
            let mut free = lock(&home.0);
            let at = free.iter().rposition(|data| data.len() == class);
            at.map(|at| free.swap_remove(at))
        };
        let fresh = || vec![0; if class > POOLED { len } else { class }];
        Self { data: found.unwrap_or_else(fresh), len, home: Arc::clone(home) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.data.get_mut(..self.len).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.data.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.data.len() > POOLED || !self.data.len().is_power_of_two() {
            return;
        }
        let mut free = lock(&self.home.0);
        let kept: usize = free.iter().map(Vec::len).sum();
        if kept + self.data.len() <= KEPT {
            free.push(std::mem::take(&mut self.data));
        }
    }
}
