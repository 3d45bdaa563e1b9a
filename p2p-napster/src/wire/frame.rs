//! Cuts a stream into messages, and writes them: `length: u16, type: u16` little-endian, then `length` bytes.

use bytes::{BufMut, Bytes, BytesMut};
use p2p_core::LengthPrefixed;

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

/// Takes what a stream brings and gives its messages, cut as [`LengthPrefixed`] says.
#[derive(Clone)]
pub struct Decoder {
    stream: LengthPrefixed<HEAD_LEN>,
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
        Self { stream: LengthPrefixed::new(), limit }
    }

    /// Adds what came. Call [`next`](Self::next) until it gives `None` before adding more: what waits is not limited here.
    pub fn push(&mut self, chunk: Bytes) {
        self.stream.push(chunk);
    }

    /// How many bytes are held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.stream.len()
    }

    /// Whether no byte is held: the stream may end here.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.stream.is_empty()
    }

    /// The next message; `None` if its end has not come.
    ///
    /// # Errors
    /// If a message is longer than allowed; every further call says so again.
    #[expect(clippy::should_implement_trait, reason = "more may come after None")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let limit = self.limit;
        let message = self.stream.next(|&[len_0, len_1, kind_0, kind_1]| {
            let len = u16::from_le_bytes([len_0, len_1]);
            let kind = u16::from_le_bytes([kind_0, kind_1]);
            if len > limit { Err(FrameError::TooLong { kind, len, limit }) } else { Ok((kind, len.into())) }
        })?;
        Ok(message.map(|(kind, body)| Frame { kind, body }))
    }

    /// Everything that is held, in order, for whoever reads the stream on: behind a login with compression the next byte
    /// is part of a zlib stream.
    #[must_use]
    pub fn into_rest(self) -> Bytes {
        self.stream.into_rest()
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
