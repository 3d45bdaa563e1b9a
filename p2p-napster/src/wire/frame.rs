//! Cuts a stream into messages, and writes them: `length: u16, type: u16` little-endian, then `length` bytes.

use alloc::vec::Vec;
use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::text::Writer;

/// Bytes of a message's head.
pub const HEAD_LEN: usize = 4;

/// The longest body that OpenNap servers take from a client; a longer one closes the connection.
pub const FROM_CLIENT_MAX: u16 = 2048;

/// The longest body that a server or a linked server may send: all that the length can say.
pub const FROM_SERVER_MAX: u16 = u16::MAX;

/// One message as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is: a number of the tables in [`message`](super::message).
    pub kind: u16,
    /// Its text.
    pub body: Bytes,
}

/// The body is left out: it may hold a password.
impl core::fmt::Debug for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Frame").field("kind", &self.kind).field("len", &self.body.len()).finish()
    }
}

/// Why a stream cannot be read on; nothing behind can be trusted, so the connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A body longer than this direction allows.
    #[error("message {kind} of {len} bytes, where {limit} are allowed")]
    TooLong {
        /// The message's type.
        kind: u16,
        /// The length that it states.
        len: u16,
        /// The longest that is taken.
        limit: u16,
    },
}

/// Takes what a stream brings and gives its messages.
///
/// A message that lies in one chunk is a slice of it. What is left of a chunk behind its last whole message is copied, so
/// that a stranger who sends half a message holds that half and not the driver's receive buffer.
#[derive(Clone)]
pub struct Decoder {
    /// What came and was not looked at yet.
    chunk: Bytes,
    /// The beginning of a message whose end has not come: always shorter than the message.
    partial: Vec<u8>,
    limit: u16,
}

impl core::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Decoder").field("len", &self.len()).field("limit", &self.limit).finish()
    }
}

impl Decoder {
    /// Takes bodies of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: u16) -> Self {
        Self { chunk: Bytes::new(), partial: Vec::new(), limit }
    }

    /// Adds what came. Call [`next`](Self::next) until it gives `None` before adding more: what waits is not limited here.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else if !chunk.is_empty() {
            let mut joined = BytesMut::with_capacity(self.chunk.len() + chunk.len());
            joined.put(self.chunk.split_off(0));
            joined.put(chunk);
            self.chunk = joined.freeze();
        }
    }

    /// How many bytes are held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.chunk.len() + self.partial.len()
    }

    /// Whether no byte is held: the stream may end here.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next message; `None` if its end has not come.
    ///
    /// # Errors
    /// If a message is longer than allowed; every further call says so again.
    #[expect(clippy::should_implement_trait, reason = "more may come after None")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if !self.partial.is_empty() {
            return self.complete();
        }
        let Some(head) = self.chunk.first_chunk() else {
            self.keep_partial();
            return Ok(None);
        };
        let (kind, len) = self.head(*head)?;
        if self.chunk.len() < HEAD_LEN + len {
            self.keep_partial();
            return Ok(None);
        }
        self.chunk.advance(HEAD_LEN);
        Ok(Some(Frame { kind, body: self.chunk.split_to(len) }))
    }

    /// Everything that is held, in order, for whoever reads the stream on: behind a login with compression the next byte
    /// is part of a zlib stream.
    #[must_use]
    pub fn into_rest(self) -> Bytes {
        if self.partial.is_empty() {
            return self.chunk;
        }
        let mut rest = self.partial;
        rest.extend_from_slice(&self.chunk);
        rest.into()
    }

    /// Completes the message that began in an earlier chunk.
    fn complete(&mut self) -> Result<Option<Frame>, FrameError> {
        if !self.fill(HEAD_LEN) {
            return Ok(None);
        }
        let Some(head) = self.partial.first_chunk() else { return Ok(None) };
        let (kind, len) = self.head(*head)?;
        if !self.fill(HEAD_LEN + len) {
            return Ok(None);
        }
        let mut whole = Bytes::from(core::mem::take(&mut self.partial));
        whole.advance(HEAD_LEN);
        Ok(Some(Frame { kind, body: whole }))
    }

    /// Moves bytes of the chunk behind the partial message until that has `len`; whether it has.
    fn fill(&mut self, len: usize) -> bool {
        let n = len.saturating_sub(self.partial.len()).min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk.split_to(n));
        self.partial.len() >= len
    }

    fn keep_partial(&mut self) {
        self.partial.extend_from_slice(&self.chunk);
        self.chunk = Bytes::new();
    }

    const fn head(&self, head: [u8; HEAD_LEN]) -> Result<(u16, usize), FrameError> {
        let len = u16::from_le_bytes([head[0], head[1]]);
        let kind = u16::from_le_bytes([head[2], head[3]]);
        if len > self.limit {
            return Err(FrameError::TooLong { kind, len, limit: self.limit });
        }
        Ok((kind, len as usize))
    }
}

/// Appends one message whose body `fill` writes. A body over 65,535 bytes is cut there, for the length can say no more.
pub fn put_frame(out: &mut BytesMut, kind: u16, fill: impl FnOnce(&mut Writer<'_>)) {
    let at = out.len();
    out.put_u16_le(0);
    out.put_u16_le(kind);
    fill(&mut Writer::new(out));
    let body = at + HEAD_LEN;
    let len = u16::try_from(out.len() - body).unwrap_or(u16::MAX);
    out.truncate(body + usize::from(len));
    if let Some(head) = out.get_mut(at..at + 2) {
        head.copy_from_slice(&len.to_le_bytes());
    }
}
