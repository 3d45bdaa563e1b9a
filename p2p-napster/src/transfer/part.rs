//! Content on its way to the disk, in order: [`Part`].

use alloc::format;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::{FileId, Job, Span};

/// Bytes that make a write worth its while.
const RUN: u64 = 256 * 1024;
/// The longest mark: digits of the largest `u64`.
pub const MARK_MAX: u64 = 20;

/// A file that is being received. What is written is synced, and then a *mark* beside the file says how long it is, so
/// that a crash of the machine leaves nothing that only looks as if it were here: without the mark, a file that a crash
/// has torn is as long as it should be. One job is under way at a time, and while one is, more comes together for the
/// next.
///
/// ```text
///  [mark 0 ── truncate] ── write ── sync ── mark ── write ── sync ── mark ── ...
/// ```
#[derive(Debug)]
pub struct Part {
    file: FileId,
    mark: FileId,
    /// Bytes of the file that were handed to a write.
    handed: u64,
    waiting: Vec<Bytes>,
    waiting_len: u64,
    writing: u64,
    /// Whether what is on the disk is to be thrown away first.
    stale: bool,
    /// What follows the job that is under way.
    next: Option<Step>,
    busy: bool,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Truncate,
    Sync,
    Mark,
}

impl Part {
    /// A file of which so many bytes are on the disk, and its mark.
    #[must_use]
    pub const fn new(file: FileId, mark: FileId, len: u64) -> Self {
        Self {
            file,
            mark,
            handed: len,
            waiting: Vec::new(),
            waiting_len: 0,
            writing: 0,
            stale: false,
            next: None,
            busy: false,
        }
    }

    /// Which file it is.
    #[must_use]
    pub const fn file(&self) -> &FileId {
        &self.file
    }

    /// Which file says how long it is, in decimal digits.
    #[must_use]
    pub const fn mark(&self) -> &FileId {
        &self.mark
    }

    /// So many bytes are on the disk.
    pub const fn is_here(&mut self, len: u64) {
        self.handed = len;
    }

    /// Takes what follows.
    pub fn push(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.waiting_len += data.len() as u64;
            self.waiting.push(data);
        }
    }

    /// Bytes that are not safe on the disk yet, or 1 if anything else is to be done there.
    #[must_use]
    pub const fn unwritten(&self) -> u64 {
        let bytes = self.waiting_len + self.writing;
        if bytes > 0 { bytes } else { (self.busy || self.stale || self.next.is_some()) as u64 }
    }

    /// The next job, if none is under way and enough waits, or (`now`) anything does.
    pub fn write(&mut self, now: bool) -> Option<Job> {
        if self.busy {
            return None;
        }
        let (file, mark) = (self.file.clone(), self.mark.clone());
        let job = match self.next.take() {
            Some(Step::Truncate) => Job::Truncate { file, len: 0 },
            Some(Step::Sync) => {
                self.next = Some(Step::Mark);
                Job::Sync { file }
            }
            Some(Step::Mark) => Job::Replace { file: mark, data: format!("{}", self.handed).into() },
            None if self.stale => {
                self.stale = false;
                self.next = Some(Step::Truncate);
                Job::Replace { file: mark, data: Bytes::from_static(b"0") }
            }
            None if self.waiting_len == 0 || (!now && self.waiting_len < RUN) => return None,
            None => {
                self.next = Some(Step::Sync);
                let len = core::mem::take(&mut self.waiting_len);
                let span = Span { file, offset: self.handed, len };
                self.writing = len;
                self.handed += len;
                Job::Write {
                    spans: alloc::vec![span],
                    data: core::mem::take(&mut self.waiting),
                    digest: None,
                }
            }
        };
        self.busy = true;
        Some(job)
    }

    /// What came so far was of another file, or cannot be trusted: all of it is thrown away.
    pub fn begin_again(&mut self) {
        self.give_up();
        self.stale = true;
        self.handed = 0;
    }

    /// Drops what waits: the disk takes no more.
    pub fn give_up(&mut self) {
        self.waiting.clear();
        self.waiting_len = 0;
        self.next = None;
        self.stale = false;
        if !self.busy {
            self.writing = 0;
        }
    }

    /// The job under way was answered.
    pub const fn written(&mut self) {
        self.busy = false;
        if self.next.is_none() {
            self.writing = 0;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use p2p_core::{RelPath, Root};

    fn part(len: u64) -> Part {
        let file = |name| FileId::new(Root(0), RelPath::from_parts([name]).unwrap());
        Part::new(file("a"), file("a.kept"), len)
    }

    /// The next job, done at once: its first letter, and where it writes or what it marks.
    fn step(part: &mut Part) -> Option<alloc::string::String> {
        let job = part.write(true)?;
        assert!(part.write(true).is_none() && part.unwritten() > 0, "one at a time");
        part.written();
        Some(match job {
            Job::Write { spans, data, .. } => {
                format!("write {} {} in {}", spans[0].offset, spans[0].len, data.len())
            }
            Job::Sync { .. } => "sync".into(),
            Job::Truncate { len, .. } => format!("truncate {len}"),
            Job::Replace { file, data } => {
                assert_eq!(file.path().as_str(), "a.kept");
                format!("mark {}", core::str::from_utf8(&data).unwrap())
            }
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn what_is_written_is_synced_before_it_is_marked() {
        let mut part = part(10);
        part.push(Bytes::from_static(b"abc"));
        assert!(part.write(false).is_none(), "too little");
        assert_eq!(step(&mut part).unwrap(), "write 10 3 in 1");
        part.push(Bytes::from_static(b"de"));
        part.push(Bytes::from_static(b"f"));
        assert_eq!(part.unwritten(), 6);
        let rest: Vec<_> = core::iter::from_fn(|| step(&mut part)).collect();
        assert_eq!(rest, ["sync", "mark 13", "write 13 3 in 2", "sync", "mark 16"]);
        assert_eq!(part.unwritten(), 0);
        part.push(alloc::vec![0; RUN as usize].into());
        assert!(part.write(false).is_some());
    }

    #[test]
    fn what_is_stale_is_unmarked_before_anything_is_written() {
        let mut part = part(10);
        part.push(Bytes::from_static(b"abc"));
        step(&mut part);
        part.begin_again();
        part.push(Bytes::from_static(b"x"));
        let rest: Vec<_> = core::iter::from_fn(|| step(&mut part)).collect();
        assert_eq!(rest, ["mark 0", "truncate 0", "write 0 1 in 1", "sync", "mark 1"]);
    }
}
