//! The zlib streams (RFC 1950) of clients that log in with a level, and of links between servers.
//!
//! Each direction is one stream that never ends: the writer flushes at the end of each batch (`00 00 ff ff`), so that the
//! reader has all of it. A stranger's stream is inflated a few kB at a time, and only as far as its ratio is that of text.

use alloc::boxed::Box;
use bytes::{Buf, Bytes, BytesMut};
use miniz_oxide::deflate::core::CompressorOxide;
use miniz_oxide::inflate::stream::InflateState;
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

/// The most bytes that one call of [`Inflater::read`] gives.
pub const INFLATED_MAX: usize = 8 << 10;

/// The highest level of compression.
pub const LEVEL_MAX: u8 = 9;

/// How much a stranger's stream may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateLimits {
    /// Bytes that come out for each that goes in, over the whole stream. A list of shared files reaches 10, the lines of
    /// a server's messages 20; zeros would reach 1,000.
    pub ratio: u32,
    /// Bytes that come out before the ratio counts, so that a stream may begin with something repeated.
    pub slack: u32,
}

impl Default for InflateLimits {
    fn default() -> Self {
        Self { ratio: 50, slack: 64 << 10 }
    }
}

/// Why a stream cannot be inflated on; the connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InflateError {
    /// The bytes are no zlib stream.
    #[error("not a zlib stream")]
    Corrupt,
    /// The stream ended, which none of this protocol does.
    #[error("the zlib stream ended")]
    Ended,
    /// More comes out than text could give.
    #[error("{written} bytes of {read}: a zlib bomb")]
    Bomb {
        /// Bytes that went in.
        read: u64,
        /// Bytes that came out.
        written: u64,
    },
}

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

/// Reads one zlib stream. It holds 43 kB, whatever comes.
pub struct Inflater {
    state: Box<InflateState>,
    limits: InflateLimits,
    read: u64,
    written: u64,
    failed: Option<InflateError>,
}

impl core::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Inflater")
            .field("read", &self.read)
            .field("written", &self.written)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl Inflater {
    /// Begins a stream, at its header.
    #[must_use]
    pub fn new(limits: InflateLimits) -> Self {
        let state = InflateState::new_boxed(DataFormat::Zlib);
        Self { state, limits, read: 0, written: 0, failed: None }
    }

    /// Inflates what it can of `input`, which loses what was used: at most [`INFLATED_MAX`] bytes. Call it until it
    /// gives nothing: then all of `input` is used, and all that it says was given.
    ///
    /// # Errors
    /// If the stream is corrupt, ends, or grows too much; every further call says so again.
    pub fn read(&mut self, input: &mut Bytes) -> Result<Bytes, InflateError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.step(input).inspect_err(|error| self.failed = Some(*error))
    }

    fn step(&mut self, input: &mut Bytes) -> Result<Bytes, InflateError> {
        let mut out = [0; INFLATED_MAX];
        loop {
            let result =
                miniz_oxide::inflate::stream::inflate(&mut self.state, input, &mut out, MZFlush::None);
            input.advance(result.bytes_consumed);
            self.read += result.bytes_consumed as u64;
            self.written += result.bytes_written as u64;
            let allowed = self.read.saturating_mul(self.limits.ratio.into()) + u64::from(self.limits.slack);
            if self.written > allowed {
                return Err(InflateError::Bomb { read: self.read, written: self.written });
            }
            let given = out.get(..result.bytes_written).unwrap_or_default();
            match result.status {
                // Its last bytes are given; the next call says that it ended.
                Ok(MZStatus::StreamEnd) if given.is_empty() => return Err(InflateError::Ended),
                Ok(_) if given.is_empty() && result.bytes_consumed > 0 && !input.is_empty() => {}
                Ok(_) | Err(MZError::Buf) => return Ok(Bytes::copy_from_slice(given)),
                Err(_) => return Err(InflateError::Corrupt),
            }
        }
    }
}

/// Writes one zlib stream. At level 0 it holds nothing but whether it began; at any other 320 kB, so who may have one is to
/// be limited.
pub struct Deflater {
    way: Way,
}

enum Way {
    /// Stored blocks (RFC 1951, section 3.2.4), which need no state; whether the stream's header is written.
    Stored {
        begun: bool,
    },
    Compressed(Box<CompressorOxide>),
}

/// The header of a stream whose writer took no pains.
const STORED_HEADER: [u8; 2] = [0x78, 0x01];
/// The end of a flush: an empty stored block.
const FLUSHED: [u8; 5] = [0, 0, 0, 0xff, 0xff];

impl core::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}

impl Deflater {
    /// Begins a stream at this level, 0 (stored) to 9.
    #[must_use]
    pub fn new(level: u8) -> Self {
        if level == 0 {
            return Self { way: Way::Stored { begun: false } };
        }
        let mut state = Box::<CompressorOxide>::default();
        state.set_format_and_level(DataFormat::Zlib, level.min(LEVEL_MAX));
        Self { way: Way::Compressed(state) }
    }

    /// Whether it makes what it writes smaller.
    #[must_use]
    pub const fn compresses(&self) -> bool {
        matches!(self.way, Way::Compressed(_))
    }

    /// Appends `input` to `out`, compressed and flushed: the reader can inflate all of it.
    pub fn write(&mut self, input: &[u8], out: &mut BytesMut) {
        match &mut self.way {
            Way::Stored { begun } => {
                if !core::mem::replace(begun, true) {
                    out.extend_from_slice(&STORED_HEADER);
                }
                store(input, out);
            }
            Way::Compressed(state) => compress(state, input, out),
        }
    }
}

/// Stored blocks, each with its length and the complement of that, and the flush.
fn store(input: &[u8], out: &mut BytesMut) {
    for part in input.chunks(usize::from(u16::MAX)) {
        let len = part.len() as u16;
        out.extend_from_slice(&[0]);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&FLUSHED);
}

fn compress(state: &mut CompressorOxide, mut input: &[u8], out: &mut BytesMut) {
    let mut buffer = [0; 4 << 10];
    loop {
        let result = miniz_oxide::deflate::stream::deflate(state, input, &mut buffer, MZFlush::Sync);
        out.extend_from_slice(buffer.get(..result.bytes_written).unwrap_or_default());
        input = input.get(result.bytes_consumed..).unwrap_or_default();
        // A full buffer may hide more; an error is only that there is nothing left to do.
        if result.status.is_err() || (input.is_empty() && result.bytes_written < buffer.len()) {
            return;
        }
    }
}
