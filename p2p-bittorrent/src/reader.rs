//! A fetch that reads: [`Reader`] follows the verified pieces and hands their bytes out in order.

use alloc::vec::Vec;
use p2p_core::OpId;

/// The state of one reading operation.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) op: OpId,
    /// The byte ranges wanted, in order: start and end.
    ranges: Vec<(u64, u64)>,
    /// The range being read.
    at: usize,
    /// The application has enough for now.
    pub(crate) full: bool,
    /// A read is under way.
    pub(crate) reading: bool,
}

/// The most bytes in one chunk.
pub(crate) const CHUNK: u64 = 256 * 1024;

impl Reader {
    pub(crate) fn new(op: OpId, ranges: Vec<(u64, u64)>) -> Self {
        let mut reader = Self { op, ranges, at: 0, full: false, reading: false };
        reader.skip_empty();
        reader
    }

    /// Where the next byte is; `None` if all were read.
    pub(crate) fn next(&self) -> Option<(u64, u64)> {
        self.ranges.get(self.at).copied()
    }

    /// `len` bytes were handed out.
    pub(crate) fn advance(&mut self, len: u64) {
        if let Some(range) = self.ranges.get_mut(self.at) {
            range.0 += len;
        }
        self.skip_empty();
    }

    fn skip_empty(&mut self) {
        while self.ranges.get(self.at).is_some_and(|range| range.0 >= range.1) {
            self.at += 1;
        }
    }
}
