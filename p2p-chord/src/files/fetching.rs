//! A file on its way in: [`Fetching`], from what is there already to a verified file under its name.

use super::api::{Error, Event, Fault, Fetch, Timer};
use super::chunks::{Chunks, Giver};
use super::holders::{Holder, Link};
use super::jobs::Errand;
use super::sharing::{digest, sha256_of};
use super::{Context, Files, resume};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use alloc::{boxed::Box, format};
use bytes::Bytes;
use p2p_core::hash::{Hasher as _, Sha256};
use p2p_core::{Chunk, ConnId, Digest, Duration, FileId, IoError, Job, JobDone, OpId, RelPath, Span};

/// How often it is told how a fetch goes, and how many times that until what came is noted.
const REPORT: Duration = Duration::from_millis(500);
const NOTE: u32 = 10;
/// Digests of chunks under way at a time.
const DIGESTS: usize = 4;
/// Bytes of a chunk that is told.
const TOLD: u64 = 256 * 1024;

/// Where a fetch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// Is a file of that name there?
    Looking,
    /// Is it the one that is wanted?
    Matching,
    /// What came in an earlier run?
    Resuming,
    Getting,
    /// Is it what was wanted?
    Checking,
    /// It is not: what did each one give? These chunks are to be digested yet.
    Blaming(Vec<u32>),
    /// It is, at another attempt: who gave something else before?
    Naming(Vec<u32>),
    Syncing,
    Renaming,
    Clearing,
    Telling(u64),
}

/// A file on its way in.
#[derive(Debug)]
pub(super) struct Fetching {
    pub(super) fetch: Fetch,
    part: FileId,
    note: FileId,
    pub(super) chunks: Chunks,
    pub(super) holders: Vec<Holder>,
    pub(super) links: BTreeMap<ConnId, Link>,
    pub(super) phase: Phase,
    /// Only this holder is asked, to find out who lied.
    pub(super) trial: Option<u16>,
    /// What was given at an attempt that failed, and by whom.
    before: BTreeMap<u32, (Giver, [u8; 32])>,
    /// Chunks on their way to the disk, or digests of chunks.
    pub(super) writes: usize,
    full: bool,
    /// A read for whoever is told is under way.
    reads: bool,
    ticks: u32,
}

/// The file beside this one with more behind its name.
fn beside(file: &FileId, ending: &str) -> Option<FileId> {
    let mut parts: Vec<&str> = file.path().parts().collect();
    let name = format!("{}{ending}", parts.pop()?);
    parts.push(&name);
    Some(FileId::new(file.root(), RelPath::local(parts).ok()?))
}

impl Files {
    pub(super) fn fetch(&mut self, op: OpId, mut fetch: Fetch, cx: &mut Context<'_>) {
        let limits = &self.config.limits;
        if fetch.size.div_ceil(u64::from(limits.chunk.max(1))) > u64::from(limits.chunks) {
            return cx.finish(op, Err(Error::TooLarge));
        }
        let is_same = |other: &Fetching| other.fetch.to == fetch.to;
        if self.fetches.len() >= limits.fetches || self.fetches.values().any(|other| is_same(other)) {
            return cx.finish(op, Err(Error::Busy));
        }
        let (Some(part), Some(note)) = (beside(&fetch.to, ".part"), beside(&fetch.to, ".have")) else {
            return cx.finish(op, Err(Error::Disk(IoError::BadName)));
        };
        let mut holders = core::mem::take(&mut fetch.holders);
        holders.sort_unstable();
        holders.dedup();
        // Whoever fetches the same at the same time begins elsewhere.
        cx.rng().shuffle(&mut holders);
        holders.truncate(limits.known.min(usize::from(u16::MAX)));
        let chunks = Chunks::new(fetch.size, limits.chunk);
        let job = Job::Stat { file: fetch.to.clone() };
        let fetching = Fetching {
            fetch,
            part,
            note,
            chunks,
            holders: holders.into_iter().map(Holder::new).collect(),
            links: BTreeMap::new(),
            phase: Phase::Looking,
            trial: None,
            before: BTreeMap::new(),
            writes: 0,
            full: false,
            reads: false,
            ticks: 0,
        };
        self.fetches.insert(op, Box::new(fetching));
        self.step(op, Phase::Looking, job, cx);
    }

    fn step(&mut self, op: OpId, phase: Phase, job: Job, cx: &mut Context<'_>) {
        if let Some(fetching) = self.fetches.get_mut(&op) {
            fetching.phase = phase;
            let job = cx.run(job);
            self.jobs.insert(job, Errand::Step(op));
        }
    }

    /// The job of a step is done.
    pub(super) fn stepped(&mut self, op: OpId, done: JobDone, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        let (to, size, sha256) = (fetching.fetch.to.clone(), fetching.fetch.size, fetching.fetch.sha256);
        let is_it = |digest: &Digest| sha256_of(*digest) == sha256;
        match (fetching.phase.clone(), done) {
            (Phase::Looking, JobDone::Stat(Ok(None))) => {
                let limit = resume::most(self.config.limits.chunks);
                let file = fetching.note.clone();
                self.step(op, Phase::Resuming, Job::Load { file, limit }, cx);
            }
            (Phase::Looking, JobDone::Stat(Ok(Some(stat)))) if stat.len == size => {
                self.step(op, Phase::Matching, digest(to, 0..size), cx);
            }
            (Phase::Looking, JobDone::Stat(Ok(Some(_)))) => self.end_fetch(op, Err(Error::Exists), cx),
            (Phase::Matching, JobDone::Digest(Ok(digest))) if is_it(&digest) => self.saved(op, cx),
            (Phase::Matching, JobDone::Digest(Ok(_))) => self.end_fetch(op, Err(Error::Exists), cx),
            (Phase::Resuming, JobDone::Read(note)) => {
                let noted =
                    note.ok().and_then(|note| resume::decode(&note, &sha256, size, self.config.limits.chunk));
                if let Some(noted) = noted {
                    fetching.chunks = noted;
                }
                self.begin_getting(op, cx);
            }
            (Phase::Checking, JobDone::Digest(Ok(digest))) if is_it(&digest) => self.name_liars(op, cx),
            // What was noted as here was not.
            (Phase::Checking, JobDone::Digest(Ok(_) | Err(IoError::Short | IoError::NotFound))) => {
                self.blame(op, cx);
            }
            (Phase::Syncing, JobDone::Done(Ok(()))) => {
                let job = Job::Rename { from: fetching.part.clone(), to };
                self.step(op, Phase::Renaming, job, cx);
            }
            (Phase::Renaming, JobDone::Done(Ok(()))) => {
                let job = Job::Remove { file: fetching.note.clone() };
                self.step(op, Phase::Clearing, job, cx);
            }
            (Phase::Clearing, JobDone::Done(_)) => self.saved(op, cx),
            (Phase::Telling(at), JobDone::Read(Ok(data))) => self.told(op, at, data, cx),
            (_, done) => {
                let why = error_of(&done).unwrap_or(IoError::Other);
                self.end_fetch(op, Err(Error::Disk(why)), cx);
            }
        }
    }

    fn begin_getting(&mut self, op: OpId, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        if fetching.fetch.size == 0 {
            if fetching.fetch.sha256 != Sha256::digest(&[]).0 {
                return self.end_fetch(op, Err(Error::NoHolder), cx);
            }
            let job = Job::Replace { file: fetching.fetch.to.clone(), data: Bytes::new() };
            return self.step(op, Phase::Renaming, job, cx);
        }
        cx.set_timer(Timer::Report(op), REPORT);
        self.get_on(op, cx);
    }

    /// Goes on asking holders, or checks what came.
    pub(super) fn get_on(&mut self, op: OpId, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        fetching.phase = Phase::Getting;
        if !fetching.chunks.is_whole() {
            return self.ask_holders(op, cx);
        }
        let job = digest(fetching.part.clone(), 0..fetching.fetch.size);
        self.hang_up(op, cx);
        self.step(op, Phase::Checking, job, cx);
    }

    /// A chunk came from a holder.
    pub(super) fn write_chunk(&mut self, op: OpId, chunk: u32, data: Vec<Bytes>, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        let part = fetching.chunks.range(chunk);
        let file = fetching.part.clone();
        let spans = Vec::from([Span { file, offset: part.start, len: part.end - part.start }]);
        fetching.writes += 1;
        let job = cx.run(Job::Write { spans, data, digest: None });
        self.jobs.insert(job, Errand::Write(op, chunk));
    }

    pub(super) fn written(
        &mut self,
        op: OpId,
        chunk: u32,
        result: Result<(), IoError>,
        cx: &mut Context<'_>,
    ) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        fetching.writes -= 1;
        if let Err(why) = result {
            return self.end_fetch(op, Err(Error::Disk(why)), cx);
        }
        fetching.chunks.written(chunk);
        if fetching.phase == Phase::Getting {
            self.get_on(op, cx);
        }
    }

    /// The whole is not what was wanted.
    fn blame(&mut self, op: OpId, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        let mut givers: Vec<Giver> = fetching.chunks.givers().map(|(_, giver)| giver).collect();
        givers.sort_unstable();
        givers.dedup();
        match givers[..] {
            // All of it is of one holder, in a trial or by itself: it lied.
            [Some(liar)] => {
                fetching.chunks.keep_only(None);
                fetching.trial = None;
                self.drop_holder(op, liar, Fault::Content, cx);
                self.try_next(op, cx);
            }
            // Something went wrong with what was noted, and nobody gave anything else.
            [None] | [] => {
                fetching.chunks.keep_only(None);
                self.get_on(op, cx);
            }
            _ => {
                let all: Vec<u32> = fetching.chunks.givers().map(|(chunk, _)| chunk).collect();
                fetching.phase = Phase::Blaming(all);
                self.digest_chunks(op, cx);
            }
        }
    }

    /// Goes on with a trial if one was under way, else with everybody.
    pub(super) fn try_next(&mut self, op: OpId, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        if fetching.before.is_empty() {
            return self.get_on(op, cx);
        }
        // Who gave most has least to give again.
        let gave = |holder: u16| fetching.before.values().filter(|(of, _)| *of == Some(holder)).count();
        let eligible = (0u16..).zip(&fetching.holders).filter(|(_, holder)| !holder.is_dropped());
        let Some(next) = eligible.map(|(number, _)| number).max_by_key(|number| gave(*number)) else {
            return self.end_fetch(op, Err(Error::NoHolder), cx);
        };
        fetching.trial = Some(next);
        fetching.chunks.keep_only(Some(next));
        self.hang_up(op, cx);
        self.get_on(op, cx);
    }

    /// The whole is right. Who gave something else before?
    fn name_liars(&mut self, op: OpId, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        let trial = fetching.trial;
        let doubtful = fetching.before.iter().filter(|(_, (giver, _))| giver.is_some() && *giver != trial);
        fetching.phase = Phase::Naming(doubtful.map(|(chunk, _)| *chunk).collect());
        self.digest_chunks(op, cx);
    }

    /// Asks for the digests of the chunks that are in question, a few at a time.
    fn digest_chunks(&mut self, op: OpId, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        let (Phase::Blaming(chunks) | Phase::Naming(chunks)) = &mut fetching.phase else { return };
        while fetching.writes < DIGESTS
            && let Some(chunk) = chunks.pop()
        {
            fetching.writes += 1;
            let job = cx.run(digest(fetching.part.clone(), fetching.chunks.range(chunk)));
            self.jobs.insert(job, Errand::Chunk(op, chunk));
        }
        if fetching.writes > 0 {
            return;
        }
        if matches!(fetching.phase, Phase::Blaming(_)) {
            return self.try_next(op, cx);
        }
        let file = fetching.part.clone();
        self.step(op, Phase::Syncing, Job::Sync { file }, cx);
    }

    pub(super) fn chunk_digested(
        &mut self,
        op: OpId,
        chunk: u32,
        digest: Result<Digest, IoError>,
        cx: &mut Context<'_>,
    ) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        fetching.writes -= 1;
        let digest = match digest {
            Ok(digest) => sha256_of(digest),
            Err(why) => return self.end_fetch(op, Err(Error::Disk(why)), cx),
        };
        if matches!(fetching.phase, Phase::Blaming(_)) {
            fetching.before.insert(chunk, (fetching.chunks.giver(chunk), digest));
        } else if let Some((Some(liar), before)) = fetching.before.get(&chunk).copied()
            && before != digest
        {
            self.drop_holder(op, liar, Fault::Content, cx);
        }
        self.digest_chunks(op, cx);
    }

    fn saved(&mut self, op: OpId, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        cx.clear_timer(Timer::Report(op));
        let size = fetching.fetch.size;
        cx.answer(op, Event::Saved { file: fetching.fetch.to.clone(), size });
        if !fetching.fetch.read {
            return self.end_fetch(op, Ok(()), cx);
        }
        fetching.phase = Phase::Telling(0);
        self.tell_on(op, cx);
    }

    /// Tells the next part of a verified file, if whoever listens keeps up.
    fn tell_on(&mut self, op: OpId, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        let Phase::Telling(at) = fetching.phase else { return };
        if at >= fetching.fetch.size {
            return self.end_fetch(op, Ok(()), cx);
        }
        if fetching.full || fetching.reads {
            return;
        }
        fetching.reads = true;
        let len = (fetching.fetch.size - at).min(TOLD);
        let spans = Vec::from([Span { file: fetching.fetch.to.clone(), offset: at, len }]);
        self.step(op, Phase::Telling(at), Job::Read { spans }, cx);
    }

    fn told(&mut self, op: OpId, at: u64, data: Bytes, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        fetching.reads = false;
        fetching.phase = Phase::Telling(at + data.len() as u64);
        cx.answer(op, Event::Chunk(Chunk { offset: at, data }));
        self.tell_on(op, cx);
    }

    pub(super) fn set_full(&mut self, op: OpId, full: bool, cx: &mut Context<'_>) {
        if let Some(fetching) = self.fetches.get_mut(&op) {
            fetching.full = full;
            self.tell_on(op, cx);
        }
    }

    /// Tells how it goes, and notes it now and then.
    pub(super) fn report(&mut self, op: OpId, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        let under_way: u64 = fetching.links.values().map(Link::received).sum();
        let size = fetching.fetch.size;
        let have = (fetching.chunks.bytes() + under_way).min(size);
        let holders = fetching.links.len();
        cx.answer(op, Event::Progress { have, size, holders });
        cx.set_timer(Timer::Report(op), REPORT);
        fetching.ticks += 1;
        if fetching.ticks.is_multiple_of(NOTE) {
            self.note(op, cx);
        }
    }

    fn note(&mut self, op: OpId, cx: &mut Context<'_>) {
        let len = self.config.limits.chunk;
        let Some(fetching) = self.fetches.get(&op) else { return };
        if fetching.chunks.bytes() > 0 && fetching.phase == Phase::Getting {
            let Fetch { sha256, size, .. } = &fetching.fetch;
            let data = resume::encode(sha256, *size, len, &fetching.chunks);
            let note = fetching.note.clone();
            // What is noted must be there whatever happens next.
            let job = cx.run(Job::Sync { file: fetching.part.clone() });
            self.jobs.insert(job, Errand::Safe { note, data });
        }
    }

    pub(super) fn end_fetch(&mut self, op: OpId, result: Result<(), Error>, cx: &mut Context<'_>) {
        if result.is_err() {
            self.note(op, cx);
        }
        self.hang_up(op, cx);
        if self.fetches.remove(&op).is_some() {
            cx.clear_timer(Timer::Report(op));
            cx.clear_timer(Timer::Rest(op));
            cx.finish(op, result);
        }
    }

    pub(super) fn cancel(&mut self, op: OpId, cx: &mut Context<'_>) {
        if !self.cancel_share(op, cx) {
            self.end_fetch(op, Err(Error::Cancelled), cx);
        }
    }

    pub(super) fn stop_fetches(&mut self, cx: &mut Context<'_>) {
        while let Some((&op, _)) = self.fetches.first_key_value() {
            self.end_fetch(op, Err(Error::Stopped), cx);
        }
    }
}

fn error_of(done: &JobDone) -> Option<IoError> {
    match done {
        JobDone::Read(result) => result.as_ref().err().copied(),
        JobDone::Digest(result) => result.as_ref().err().copied(),
        JobDone::Stat(result) => result.as_ref().err().copied(),
        JobDone::Done(result) | JobDone::Written { result, .. } => result.as_ref().err().copied(),
        _ => None,
    }
}
