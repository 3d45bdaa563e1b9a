//! zlib (RFC 1950): connections whose directions are one stream each (Napster, Gnutella), and small things by themselves.
//!
//! A stream never ends: its writer flushes at the end of each batch (`00 00 ff ff`), so that the reader has all of it. A
//! stranger's stream is inflated a few kB at a time, and only as far as its ratio is that of honest content; a thing by
//! itself only up to the length that the caller allows.

use alloc::boxed::Box;
use alloc::vec::Vec;
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

impl InflateLimits {
    /// No limit but that of each call: for a reader that counts what comes out itself.
    pub const NONE: Self = Self { ratio: u32::MAX, slack: u32::MAX };
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
    /// The stream ended, which that of a connection never does.
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
    /// Whether something was written that is not flushed.
    unflushed: bool,
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
            return Self { way: Way::Stored { begun: false }, unflushed: false };
        }
        let mut state = Box::<CompressorOxide>::default();
        state.set_format_and_level(DataFormat::Zlib, level.min(LEVEL_MAX));
        Self { way: Way::Compressed(state), unflushed: false }
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
                out.extend_from_slice(&FLUSHED);
            }
            Way::Compressed(state) => compress(state, input, MZFlush::Sync, out),
        }
        self.unflushed = false;
    }

    /// Appends as much of `input` as the compressor gives up by itself; the reader has all of it after a
    /// [`flush`](Self::flush). Several messages in one flush take less room than one each: about a half for messages of
    /// 100 bytes.
    pub fn push(&mut self, input: &[u8], out: &mut BytesMut) {
        match &mut self.way {
            Way::Stored { .. } => self.write(input, out),
            Way::Compressed(state) => {
                compress(state, input, MZFlush::None, out);
                self.unflushed |= !input.is_empty();
            }
        }
    }

    /// Whether the reader may lack something that was [pushed](Self::push).
    #[must_use]
    pub const fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// Appends what the reader lacks of what was [pushed](Self::push); nothing if it has all.
    pub fn flush(&mut self, out: &mut BytesMut) {
        if core::mem::replace(&mut self.unflushed, false) {
            self.write(&[], out);
        }
    }
}

/// A whole zlib stream of `input`, at level 6.
#[must_use]
pub fn deflate(input: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(input, 6)
}

/// The content of a whole zlib stream, at most `max` bytes of it.
///
/// # Errors
/// If it is no zlib stream, has no end, or holds more.
pub fn inflate(input: &[u8], max: usize) -> Result<Vec<u8>, InflateError> {
    miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(input, max).map_err(|error| match error.status {
        miniz_oxide::inflate::TINFLStatus::HasMoreOutput => {
            InflateError::Bomb { read: input.len() as u64, written: max as u64 + 1 }
        }
        _ => InflateError::Corrupt,
    })
}

/// Writes the content of a whole zlib stream into `out`; how many bytes that are. What is behind its end counts for nothing.
///
/// # Errors
/// If it is no zlib stream, has no end, or holds more than there is room for.
pub fn inflate_into(input: &[u8], out: &mut [u8]) -> Result<usize, InflateError> {
    use miniz_oxide::inflate::TINFLStatus;
    use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
    let flags = inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER
        | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
        | inflate_flags::TINFL_FLAG_COMPUTE_ADLER32;
    match decompress(&mut DecompressorOxide::new(), input, out, 0, flags) {
        (TINFLStatus::Done, _, written) => Ok(written),
        (TINFLStatus::HasMoreOutput, read, written) => {
            Err(InflateError::Bomb { read: read as u64, written: written as u64 + 1 })
        }
        _ => Err(InflateError::Corrupt),
    }
}

/// Stored blocks, each with its length and the complement of that.
fn store(input: &[u8], out: &mut BytesMut) {
    for part in input.chunks(usize::from(u16::MAX)) {
        let len = part.len() as u16;
        out.extend_from_slice(&[0]);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(part);
    }
}

fn compress(state: &mut CompressorOxide, mut input: &[u8], flush: MZFlush, out: &mut BytesMut) {
    let mut buffer = [0; 4 << 10];
    loop {
        let result = miniz_oxide::deflate::stream::deflate(state, input, &mut buffer, flush);
        out.extend_from_slice(buffer.get(..result.bytes_written).unwrap_or_default());
        input = input.get(result.bytes_consumed..).unwrap_or_default();
        // A full buffer may hide more; an error is only that there is nothing left to do.
        if result.status.is_err() || (input.is_empty() && result.bytes_written < buffer.len()) {
            return;
        }
    }
}
