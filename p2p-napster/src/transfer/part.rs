//! Content on its way to the disk, in order: [`Part`].

use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::{FileId, Job, Span};

/// Bytes that make a write worth its while.
const RUN: u64 = 256 * 1024;

/// A file that is being received. One write is under way at a time, so that what is on the disk has no gap: whatever
/// happens, the length of the file says how much of it is here.
#[derive(Debug)]
pub struct Part {
    file: FileId,
    /// Bytes of the file that were handed to a write.
    handed: u64,
    waiting: Vec<Bytes>,
    waiting_len: u64,
    writing: u64,
    /// Whether what is on the disk is to be thrown away first.
    stale: bool,
}

impl Part {
    /// A file of which so many bytes are on the disk.
    #[must_use]
    pub const fn new(file: FileId, len: u64) -> Self {
        Self { file, handed: len, waiting: Vec::new(), waiting_len: 0, writing: 0, stale: false }
    }

    /// Which file it is.
    #[must_use]
    pub const fn file(&self) -> &FileId {
        &self.file
    }

    /// Takes what follows.
    pub fn push(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.waiting_len += data.len() as u64;
            self.waiting.push(data);
        }
    }

    /// Bytes in memory: waiting, or being written.
    #[must_use]
    pub const fn unwritten(&self) -> u64 {
        self.waiting_len + self.writing + self.stale as u64
    }

    /// The next write, if there is none under way and enough waits, or (`now`) anything does.
    pub fn write(&mut self, now: bool) -> Option<Job> {
        if self.stale && self.writing == 0 {
            self.stale = false;
            self.writing = 1;
            return Some(Job::Truncate { file: self.file.clone(), len: 0 });
        }
        if self.writing > 0 || self.waiting_len == 0 || (!now && self.waiting_len < RUN) {
            return None;
        }
        let len = core::mem::take(&mut self.waiting_len);
        let span = Span { file: self.file.clone(), offset: self.handed, len };
        self.writing = len;
        self.handed += len;
        let data = core::mem::take(&mut self.waiting);
        Some(Job::Write { spans: alloc::vec![span], data, digest: None })
    }

    /// What came so far was of another file: all of it is thrown away.
    pub fn begin_again(&mut self) {
        self.give_up();
        self.stale = self.handed > 0;
        self.handed = 0;
    }

    /// Drops what waits: the disk takes no more.
    pub fn give_up(&mut self) {
        self.waiting.clear();
        self.waiting_len = 0;
    }

    /// The write under way was answered.
    pub const fn written(&mut self) {
        self.writing = 0;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use p2p_core::{RelPath, Root};

    #[test]
    fn one_write_at_a_time_and_in_order() {
        let file = FileId::new(Root(0), RelPath::from_parts(["a"]).unwrap());
        let mut part = Part::new(file, 10);
        part.push(Bytes::from_static(b"abc"));
        assert!(part.write(false).is_none());
        let Some(Job::Write { spans, data, .. }) = part.write(true) else { panic!("nothing to write") };
        assert_eq!((spans[0].offset, spans[0].len, data.len()), (10, 3, 1));
        part.push(Bytes::from_static(b"de"));
        assert!(part.write(true).is_none());
        assert_eq!(part.unwritten(), 5);
        part.written();
        let Some(Job::Write { spans, .. }) = part.write(true) else { panic!("nothing to write") };
        assert_eq!((spans[0].offset, spans[0].len), (13, 2));
        part.written();
        assert_eq!(part.unwritten(), 0);
        part.push(alloc::vec![0; RUN as usize].into());
        assert!(part.write(false).is_some());
    }
}
