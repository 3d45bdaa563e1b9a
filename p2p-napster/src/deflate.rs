//! The zlib streams of clients that log in with a level, and of links between servers: those of p2p-core, in pairs.

use alloc::boxed::Box;
use bytes::{Bytes, BytesMut};

pub use p2p_core::deflate::{Deflater, INFLATED_MAX, InflateError, InflateLimits, Inflater, LEVEL_MAX};

/// The two streams of one connection.
#[derive(Debug)]
pub(crate) struct Streams {
    inflater: Inflater,
    deflater: Deflater,
    /// What came and is not inflated yet.
    input: Bytes,
}

impl Streams {
    /// Both at their beginnings; `input` is what came of the one that is read.
    pub(crate) fn new(deflater: Deflater, input: Bytes) -> Box<Self> {
        Box::new(Self { inflater: Inflater::new(InflateLimits::default()), deflater, input })
    }

    /// Bytes that wait to be inflated.
    pub(crate) const fn waiting(&self) -> usize {
        self.input.len()
    }

    /// Adds what came.
    pub(crate) fn push(&mut self, data: Bytes) {
        self.input = if self.input.is_empty() { data } else { [&self.input[..], &data[..]].concat().into() };
    }

    /// The next bytes of what the other end says, a few kB at a time; nothing if more has to come.
    pub(crate) fn read(&mut self) -> Result<Bytes, InflateError> {
        self.inflater.read(&mut self.input)
    }

    /// Writes a part of the stream that the other end reads.
    pub(crate) fn write(&mut self, data: &[u8]) -> Bytes {
        let mut out = BytesMut::new();
        self.deflater.write(data, &mut out);
        out.freeze()
    }

    pub(crate) const fn compresses(&self) -> bool {
        self.deflater.compresses()
    }
}
