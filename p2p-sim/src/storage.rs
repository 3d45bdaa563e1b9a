//! The disks of simulated nodes: files that outlive a crash; hollow ones for content that is all zeros; and shared ones
//! for content that thousands of nodes hold slices of.

use crate::known::Known;
use bytes::Bytes;
use p2p_core::{
    Digest, DigestKind, Digester, Duration, Entry, FileId, Instant, IoError, Job, JobDone, Rng, Root, Span,
    Stat, UnixTime,
};
use std::collections::BTreeMap;

/// As many zeros as a read of usual size needs: reads of hollow files share them.
pub(crate) static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];
/// What a hollow file holds where something other than zeros was written.
pub const BAD: u8 = 0xbd;
static BADS: [u8; 64 * 1024] = [BAD; 64 * 1024];
/// A write that a crash tears ends at a multiple of this.
const SECTOR: u64 = 512;

/// So many zeros, shared if they are at most 256 KiB: the content to seed in a simulation with hollow disks.
#[must_use]
pub fn zeros(len: usize) -> Bytes {
    match ZEROS.get(..len) {
        Some(shared) => Bytes::from_static(shared),
        None => Bytes::from(vec![0; len]),
    }
}

fn bads(len: usize) -> Bytes {
    match BADS.get(..len) {
        Some(shared) => Bytes::from_static(shared),
        None => Bytes::from(vec![BAD; len]),
    }
}

/// Whether it is all zeros: known at once for slices of the shared ones.
fn is_zero(data: &Bytes) -> bool {
    let (shared, at) = (ZEROS.as_ptr() as usize, data.as_ptr() as usize);
    if at >= shared && at + data.len() <= shared + ZEROS.len() {
        return true;
    }
    data.chunks(256).all(|chunk| chunk.iter().fold(0, |sum, byte| sum | byte) == 0)
}

/// The content of a file: what was written, as it came; the rest up to the length is zeros.
#[derive(Debug, Clone, Default)]
struct Extents {
    parts: BTreeMap<u64, Bytes>,
    len: u64,
}

impl Extents {
    /// Forgets what was written from `from` to `to`.
    fn punch(&mut self, from: u64, to: u64) {
        if self.parts.is_empty() || from >= to {
            return;
        }
        let before = self.parts.range(..from).next_back();
        let before = before.filter(|(at, data)| *at + data.len() as u64 > from).map(|(at, _)| *at);
        let hit: Vec<u64> = before.into_iter().chain(self.parts.range(from..to).map(|(at, _)| *at)).collect();
        for at in hit {
            let Some(data) = self.parts.remove(&at) else { continue };
            let end = at + data.len() as u64;
            if at < from {
                self.parts.insert(at, data.slice(..(end.min(from) - at) as usize));
            }
            if end > to {
                let start = at.max(to);
                self.parts.insert(start, data.slice((start - at) as usize..));
            }
        }
    }

    fn write(&mut self, offset: u64, data: Bytes) {
        let end = offset + data.len() as u64;
        self.punch(offset, end);
        self.len = self.len.max(end);
        if !data.is_empty() {
            self.parts.insert(offset, data);
        }
    }

    /// The same; slices of a shared buffer that lie in it as they lie here become one.
    fn join(&mut self, mut offset: u64, mut data: Bytes, known: &Known) {
        let mut end = offset + data.len() as u64;
        self.punch(offset, end);
        self.len = self.len.max(end);
        if let Some((at, before)) = self.parts.range(..offset).next_back()
            && *at + before.len() as u64 == offset
            && let Some(whole) = known.joined(before, &data)
        {
            // It takes the place of the one before.
            (offset, data) = (*at, whole);
        }
        if let Some(after) = self.parts.get(&end)
            && let Some(whole) = known.joined(&data, after)
        {
            self.parts.remove(&end);
            data = whole;
            end = offset + data.len() as u64;
        }
        if end > offset {
            self.parts.insert(offset, data);
        }
    }

    /// The one slice that a span consists of, if it does.
    fn one(&self, offset: u64, len: u64) -> Option<Bytes> {
        let (at, data) = self.parts.range(..=offset).next_back()?;
        let from = (offset - at) as usize;
        (from + len as usize <= data.len()).then(|| data.slice(from..from + len as usize))
    }

    fn truncate(&mut self, len: u64) {
        if len < self.len {
            self.punch(len, self.len);
        }
        self.len = len;
    }

    /// What a span holds, part by part.
    fn each(&self, offset: u64, len: u64, mut part: impl FnMut(Bytes)) {
        let (mut at, end) = (offset, offset + len);
        let first = self.parts.range(..=offset).next_back().map(|(at, _)| *at).unwrap_or(offset);
        for (start, data) in self.parts.range(first..end) {
            let stop = start + data.len() as u64;
            if stop <= at {
                continue;
            }
            if *start > at {
                each_zero(*start - at, &mut part);
                at = *start;
            }
            let upto = stop.min(end);
            part(data.slice((at - start) as usize..(upto - start) as usize));
            at = upto;
        }
        each_zero(end - at, &mut part);
    }

    /// Nothing was written there.
    fn untouched(&self, offset: u64, len: u64) -> bool {
        self.parts
            .range(..offset + len)
            .next_back()
            .is_none_or(|(start, data)| start + data.len() as u64 <= offset)
    }

    fn read(&self, offset: u64, len: u64) -> Bytes {
        if let Some(one) = self.one(offset, len) {
            return one;
        }
        if self.untouched(offset, len) {
            return zeros(len as usize);
        }
        let mut parts = Vec::new();
        self.each(offset, len, |part| parts.push(part));
        join(parts)
    }
}

pub(crate) fn each_zero(mut len: u64, part: &mut impl FnMut(Bytes)) {
    while len > 0 {
        let now = len.min(ZEROS.len() as u64);
        part(zeros(now as usize));
        len -= now;
    }
}

fn join(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() == 1
        && let Some(part) = parts.pop()
    {
        return part;
    }
    let mut all = Vec::with_capacity(parts.iter().map(Bytes::len).sum());
    parts.iter().for_each(|part| all.extend_from_slice(part));
    Bytes::from(all)
}

/// A change that a crash may undo.
#[derive(Debug, Clone)]
enum Unsynced {
    Write(u64, Bytes),
    Truncate(u64),
}

#[derive(Debug, Clone)]
struct File {
    now: Extents,
    /// What a crash leaves, before what of `unsynced` it leaves; `None` if there is no such file then.
    synced: Option<Extents>,
    unsynced: Vec<Unsynced>,
    modified: UnixTime,
}

/// Where writes go before they are synced, and what of them a crash leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// Bytes are kept as written. Writes that were not synced are lost, torn or kept when the node crashes.
    #[default]
    Kept,
    /// Content is taken to be all zeros: zeros that are written take no memory, and anything else is remembered only
    /// as bad ([`BAD`] is read there). For swarms of thousands of peers. Writes are never lost in a crash, running
    /// digests of writes are declined, digests of zeros are computed once. What is put with `Job::Replace` is kept.
    Hollow,
    /// Bytes are kept as written, but those that are slices of a buffer named with [`Sim::share`](crate::Sim::share)
    /// stay slices of it, neighbours joined, and the digest of a span of it is computed once for all nodes. For swarms
    /// of thousands of peers with real content. Writes are never lost in a crash, running digests of writes are
    /// declined.
    Shared,
}

/// The disk of one node: its files, its size and its speed.
#[derive(Debug, Clone)]
pub struct Disk {
    files: BTreeMap<FileId, File>,
    content: Content,
    capacity: u64,
    used: u64,
    latency: Duration,
    rate: Option<u64>,
    busy_until: Instant,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new(Content::Kept)
    }
}

/// What may go wrong with a disk, as probabilities per job.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DiskFaults {
    /// A read or a digest of a file fails.
    pub read: f64,
    /// A write fails.
    pub write: f64,
}

impl Disk {
    /// An empty disk without bounds.
    #[must_use]
    pub const fn new(content: Content) -> Self {
        Self {
            files: BTreeMap::new(),
            content,
            capacity: u64::MAX,
            used: 0,
            latency: Duration::ZERO,
            rate: None,
            busy_until: Instant::ZERO,
        }
    }

    /// An empty disk for content that is all zeros.
    #[must_use]
    pub const fn hollow() -> Self {
        Self::new(Content::Hollow)
    }

    /// An empty disk for content that many nodes hold slices of.
    #[must_use]
    pub const fn shared() -> Self {
        Self::new(Content::Shared)
    }

    /// With room for so many bytes; the length of a file counts, holes too.
    #[must_use]
    pub const fn capacity(mut self, bytes: u64) -> Self {
        self.capacity = bytes;
        self
    }

    /// With so much time per job, and so many bytes a second.
    #[must_use]
    pub const fn speed(mut self, latency: Duration, rate: Option<u64>) -> Self {
        self.latency = latency;
        self.rate = rate;
        self
    }

    /// With a file on it, synced: content that a node has from its start.
    #[must_use]
    pub fn with_file(mut self, file: FileId, data: impl Into<Bytes>) -> Self {
        let data = data.into();
        self.used += data.len() as u64;
        let mut content = Extents::default();
        content.write(0, data);
        self.settle(file, content, UnixTime::default());
        self
    }

    /// With a file of so many zeros on it, synced, which takes no memory.
    #[must_use]
    pub fn with_zeros(mut self, file: FileId, len: u64) -> Self {
        self.used += len;
        self.settle(file, Extents { parts: BTreeMap::new(), len }, UnixTime::default());
        self
    }

    /// Changes the room: smaller than what is used makes every further write fail.
    pub const fn set_capacity(&mut self, bytes: u64) {
        self.capacity = bytes;
    }

    /// Bytes used.
    #[must_use]
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// The whole content of a file; `None` if there is no such file.
    #[must_use]
    pub fn content(&self, file: &FileId) -> Option<Bytes> {
        let file = self.files.get(file)?;
        Some(file.now.read(0, file.now.len))
    }

    /// The length of a file; `None` if there is no such file.
    #[must_use]
    pub fn len(&self, file: &FileId) -> Option<u64> {
        self.files.get(file).map(|file| file.now.len)
    }

    /// Whether there are no files.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// All files, in order of their names.
    pub fn files(&self) -> impl Iterator<Item = &FileId> {
        self.files.keys()
    }

    /// Spoils a span of a file, as a failing device does: [`BAD`] is read there from now on.
    pub fn spoil(&mut self, file: &FileId, offset: u64, len: u64) {
        if let Some(file) = self.files.get_mut(file) {
            let len = len.min(file.now.len.saturating_sub(offset));
            file.now.write(offset, bads(len as usize));
            if let Some(synced) = &mut file.synced {
                synced.write(offset, bads(len as usize));
            }
        }
    }

    fn settle(&mut self, id: FileId, content: Extents, modified: UnixTime) {
        let synced = Some(content.clone());
        self.files.insert(id, File { now: content, synced, unsynced: Vec::new(), modified });
    }

    /// When a job of so many bytes, asked for now, is done: jobs are done one after the other.
    pub(crate) fn done_at(&mut self, bytes: u64, now: Instant) -> Instant {
        let time = self.rate.map_or(0, |rate| crate::pipes::wire_time(bytes as usize, rate));
        self.busy_until = self.busy_until.max(now) + self.latency + Duration::from_nanos(time);
        self.busy_until
    }

    /// What a crash leaves: of each change that was not synced, in order, all, nothing, or its beginning up to a
    /// sector. Names are journalled: a file whose making was never synced may be there, and may be empty.
    pub(crate) fn crash(&mut self, rng: &mut Rng) {
        self.busy_until = Instant::ZERO;
        let mut lost = Vec::new();
        for (id, file) in &mut self.files {
            if file.unsynced.is_empty() && file.synced.is_some() {
                continue;
            }
            if self.content != Content::Kept {
                continue;
            }
            if file.synced.is_none() && rng.chance(0.5) {
                lost.push(id.clone());
                continue;
            }
            let mut left = file.synced.take().unwrap_or_default();
            for change in file.unsynced.drain(..) {
                match (rng.below(3), change) {
                    (0, _) => {}
                    (1, Unsynced::Write(offset, data)) => left.write(offset, data),
                    (_, Unsynced::Write(offset, data)) => {
                        let end = offset + rng.below(data.len() as u64 + 1);
                        let torn = (end / SECTOR * SECTOR).saturating_sub(offset);
                        left.write(offset, data.slice(..(torn as usize).min(data.len())));
                    }
                    (_, Unsynced::Truncate(len)) => left.truncate(len),
                }
            }
            file.now = left.clone();
            file.synced = Some(left);
        }
        for id in lost {
            self.files.remove(&id);
        }
        self.used = self.files.values().map(|file| file.now.len).sum();
    }

    /// Whether there is room for so many bytes more.
    const fn room(&self, more: u64) -> bool {
        more == 0 || self.used.saturating_add(more) <= self.capacity
    }

    fn file(&mut self, id: &FileId, civil: UnixTime) -> Result<&mut File, IoError> {
        if !self.files.contains_key(id) {
            self.check_name(id)?;
            let file = File { now: Extents::default(), synced: None, unsynced: Vec::new(), modified: civil };
            self.files.insert(id.clone(), file);
        }
        self.files.get_mut(id).ok_or(IoError::NotFound)
    }

    /// A name cannot be a file and a folder.
    fn check_name(&self, id: &FileId) -> Result<(), IoError> {
        let path = id.path().as_str();
        if self.below(id.root(), path).next().is_some() {
            return Err(IoError::NotAFile);
        }
        let below_a_file =
            id.path().folders().any(|folder| self.files.contains_key(&FileId::new(id.root(), folder)));
        if below_a_file { Err(IoError::NotAFile) } else { Ok(()) }
    }

    fn below<'a>(&'a self, root: Root, dir: &'a str) -> impl Iterator<Item = (&'a str, &'a File)> {
        self.files.iter().filter(move |(id, _)| id.root() == root).filter_map(move |(id, file)| {
            let rest = id.path().as_str().strip_prefix(dir)?.strip_prefix('/')?;
            Some((rest, file))
        })
    }

    fn check_spans(&self, spans: &[Span]) -> Result<u64, IoError> {
        let mut total = 0u64;
        for span in spans {
            if span.file.root() == Root::ZEROS {
                total += span.len;
                continue;
            }
            let file = self.files.get(&span.file).ok_or(IoError::NotFound)?;
            if span.offset.checked_add(span.len).is_none_or(|end| end > file.now.len) {
                return Err(IoError::Short);
            }
            total += span.len;
        }
        Ok(total)
    }

    fn read(&self, spans: &[Span]) -> Result<Bytes, IoError> {
        self.check_spans(spans)?;
        let part = |span: &Span| {
            if span.file.root() == Root::ZEROS {
                return zeros(span.len as usize);
            }
            self.files.get(&span.file).map(|file| file.now.read(span.offset, span.len)).unwrap_or_default()
        };
        match spans {
            [one] => Ok(part(one)),
            _ => Ok(join(spans.iter().map(part).collect())),
        }
    }

    fn digest(&self, kind: DigestKind, spans: &[Span], known: &mut Known) -> Result<Digest, IoError> {
        let total = self.check_spans(spans)?;
        let untouched = |span: &Span| {
            span.file.root() == Root::ZEROS
                || self.files.get(&span.file).is_some_and(|file| file.now.untouched(span.offset, span.len))
        };
        if spans.iter().all(untouched) {
            return Ok(known.of(kind, total));
        }
        if let [span] = spans
            && let Some(file) = self.files.get(&span.file)
            && let Some(one) = file.now.one(span.offset, span.len)
        {
            return Ok(known.of_bytes(kind, &[one]));
        }
        let mut digester = Digester::new(kind);
        for span in spans {
            if span.file.root() == Root::ZEROS {
                each_zero(span.len, &mut |part| digester.update(&part));
            } else if let Some(file) = self.files.get(&span.file) {
                file.now.each(span.offset, span.len, |part| digester.update(&part));
            }
        }
        Ok(digester.finish())
    }

    fn write(&mut self, spans: &[Span], data: Vec<Bytes>, at: &Doing<'_>) -> Result<(), IoError> {
        let civil = at.civil;
        let total: u64 = data.iter().map(|part| part.len() as u64).sum();
        if spans.iter().map(|span| span.len).sum::<u64>() != total {
            return Err(IoError::Other);
        }
        let mut parts = data.into_iter();
        let mut part = Bytes::new();
        for span in spans {
            let end = span.offset.checked_add(span.len).ok_or(IoError::NoSpace)?;
            if span.file.root() == Root::ZEROS {
                let mut left = span.len;
                while left > 0 {
                    if part.is_empty() {
                        part = parts.next().ok_or(IoError::Other)?;
                        continue;
                    }
                    left -= part.split_to(left.min(part.len() as u64) as usize).len() as u64;
                }
                continue;
            }
            let old = self.len(&span.file).unwrap_or(0);
            let more = if span.len == 0 { 0 } else { end.saturating_sub(old) };
            if !self.room(more) {
                return Err(IoError::NoSpace);
            }
            let content = self.content;
            let file = self.file(&span.file, civil)?;
            file.modified = civil;
            let mut begin = span.offset;
            while begin < end {
                if part.is_empty() {
                    part = parts.next().ok_or(IoError::Other)?;
                    continue;
                }
                let piece = part.split_to((end - begin).min(part.len() as u64) as usize);
                let len = piece.len() as u64;
                file.put(begin, piece, content, at.known);
                begin += len;
            }
            self.used += more;
        }
        Ok(())
    }

    fn replace(&mut self, id: FileId, data: Bytes, civil: UnixTime) -> Result<(), IoError> {
        let old = self.len(&id);
        let more = (data.len() as u64).saturating_sub(old.unwrap_or(0));
        if !self.room(more) {
            return Err(IoError::NoSpace);
        }
        if old.is_none() {
            self.check_name(&id)?;
        }
        self.used = self.used - old.unwrap_or(0) + data.len() as u64;
        let mut content = Extents::default();
        content.write(0, data);
        self.settle(id, content, civil);
        Ok(())
    }

    fn sync(&mut self, id: &FileId) -> Result<(), IoError> {
        let file = self.files.get_mut(id).ok_or(IoError::NotFound)?;
        let mut base = file.synced.take().unwrap_or_default();
        for change in file.unsynced.drain(..) {
            match change {
                Unsynced::Write(offset, data) => base.write(offset, data),
                Unsynced::Truncate(len) => base.truncate(len),
            }
        }
        file.synced = Some(base);
        Ok(())
    }

    fn truncate(&mut self, id: &FileId, len: u64, civil: UnixTime) -> Result<(), IoError> {
        let old = self.len(id).unwrap_or(0);
        if !self.room(len.saturating_sub(old)) {
            return Err(IoError::NoSpace);
        }
        let kept = self.content == Content::Kept;
        let file = self.file(id, civil)?;
        file.modified = civil;
        file.now.truncate(len);
        if kept {
            file.unsynced.push(Unsynced::Truncate(len));
        }
        self.used = self.used - old + len;
        Ok(())
    }

    fn rename(&mut self, from: &FileId, to: FileId) -> Result<(), IoError> {
        if from.root() != to.root() {
            return Err(IoError::Unsupported);
        }
        if *from == to {
            return self.files.contains_key(from).then_some(()).ok_or(IoError::NotFound);
        }
        let file = self.files.remove(from).ok_or(IoError::NotFound)?;
        if let Err(error) = self.check_name(&to) {
            self.files.insert(from.clone(), file);
            return Err(error);
        }
        if let Some(old) = self.files.insert(to, file) {
            self.used -= old.now.len;
        }
        Ok(())
    }

    fn list(&self, dir: &FileId, limit: u32) -> Result<Vec<Entry>, IoError> {
        if self.files.contains_key(dir) {
            return Err(IoError::NotAFile);
        }
        let mut entries: Vec<Entry> = self
            .below(dir.root(), dir.path().as_str())
            .take(limit as usize + 1)
            .map(|(path, file)| Entry { path: path.to_owned(), stat: file.stat() })
            .collect();
        if entries.len() > limit as usize {
            return Err(IoError::Limit);
        }
        if entries.is_empty() {
            return Err(IoError::NotFound);
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// Does a job.
    pub(crate) fn run(&mut self, job: Job, at: &mut Doing<'_>) -> JobDone {
        match job {
            Job::Read { spans } => JobDone::Read(at.reads().and_then(|()| self.read(&spans))),
            Job::Write { spans, data, digest } => {
                let digest = match self.content {
                    Content::Hollow | Content::Shared => None,
                    Content::Kept => digest.map(|mut digest| {
                        data.iter().for_each(|part| digest.update(part));
                        digest
                    }),
                };
                let result = at.writes().and_then(|()| self.write(&spans, data, at));
                JobDone::Written { result, digest }
            }
            Job::Digest { kind, data } => JobDone::Digest(Ok(at.known.of_bytes(kind, &data))),
            Job::DigestSpans { kind, spans } => {
                JobDone::Digest(at.reads().and_then(|()| self.digest(kind, &spans, at.known)))
            }
            Job::Load { file, limit } => JobDone::Read(at.reads().and_then(|()| {
                let len = self.len(&file).ok_or(IoError::NotFound)?;
                if len > limit {
                    return Err(IoError::Limit);
                }
                self.read(&[Span { file, offset: 0, len }])
            })),
            Job::Replace { file, data } => {
                JobDone::Done(at.writes().and_then(|()| self.replace(file, data, at.civil)))
            }
            Job::Sync { file } => JobDone::Done(at.writes().and_then(|()| self.sync(&file))),
            Job::Stat { file } => {
                JobDone::Stat(if self.below(file.root(), file.path().as_str()).next().is_some() {
                    Err(IoError::NotAFile)
                } else {
                    Ok(self.files.get(&file).map(File::stat))
                })
            }
            Job::List { dir, limit } => JobDone::List(self.list(&dir, limit)),
            Job::Rename { from, to } => JobDone::Done(self.rename(&from, to)),
            Job::Truncate { file, len } => {
                JobDone::Done(at.writes().and_then(|()| self.truncate(&file, len, at.civil)))
            }
            Job::Remove { file } => {
                if let Some(old) = self.files.remove(&file) {
                    self.used -= old.now.len;
                }
                JobDone::Done(Ok(()))
            }
            Job::Derive { password, salt, cost } => JobDone::Derived(derive(&password, &salt, cost)),
        }
    }
}

impl File {
    const fn stat(&self) -> Stat {
        Stat { len: self.now.len, modified: self.modified }
    }

    fn put(&mut self, at: u64, data: Bytes, content: Content, known: &Known) {
        match content {
            Content::Kept => {
                self.now.write(at, data.clone());
                self.unsynced.push(Unsynced::Write(at, data));
            }
            Content::Shared => self.now.join(at, data, known),
            Content::Hollow if is_zero(&data) => {
                let end = at + data.len() as u64;
                self.now.punch(at, end);
                self.now.len = self.now.len.max(end);
            }
            Content::Hollow => self.now.write(at, bads(data.len())),
        }
    }
}

fn derive(password: &[u8], salt: &[u8], cost: p2p_core::Cost) -> Result<[u8; 32], IoError> {
    let mut key = [0; 32];
    let params = argon2::Params::new(cost.memory, cost.passes, 1, Some(key.len()));
    let params = params.map_err(|_| IoError::Unsupported)?;
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(password, salt, &mut key)
        .map_err(|_| IoError::Unsupported)?;
    Ok(key)
}

/// What a job needs beside the disk.
pub(crate) struct Doing<'a> {
    pub(crate) civil: UnixTime,
    pub(crate) faults: DiskFaults,
    pub(crate) rng: &'a mut Rng,
    pub(crate) known: &'a mut Known,
}

impl Doing<'_> {
    fn reads(&mut self) -> Result<(), IoError> {
        self.chance(self.faults.read)
    }

    fn writes(&mut self) -> Result<(), IoError> {
        self.chance(self.faults.write)
    }

    fn chance(&mut self, p: f64) -> Result<(), IoError> {
        if p > 0.0 && self.rng.chance(p) { Err(IoError::Device) } else { Ok(()) }
    }
}
