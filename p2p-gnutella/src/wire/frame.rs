//! Cuts streams and datagrams into messages, and writes them: [`Decoder`], [`Frame`], [`Heads`].

use super::{HEADER_LEN, Header, Kind};
use crate::deflate::inflate;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use p2p_core::LengthPrefixed;

/// In the TTL of a datagram: its payload is deflated (gtk-gnutella's `deflated_udp`).
pub const UDP_DEFLATED: u8 = 0x80;
/// In the TTL of a datagram: the answer may be deflated.
pub const UDP_DEFLATE_WELCOME: u8 = 0x08;

/// A message as it came: its payload is a slice of what the network brought.
///
/// A payload that is kept for long (of a query that waits for hits) is to be [copied](Bytes::copy_from_slice): a slice keeps
/// all that came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its head.
    pub header: Header,
    /// What follows, as many bytes as the head says.
    pub payload: Bytes,
}

/// The longest payloads that are taken, in bytes, by what a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SizeLimits {
    /// Pings and pushes: 26 bytes and extensions.
    pub ask: u32,
    /// Pongs: 14 bytes and lists of hosts.
    pub pong: u32,
    /// Queries. gtk-gnutella relays none over 256 bytes and ends links over 1,024; LimeWire took 64 kB.
    pub query: u32,
    /// Hits, and whatever else: LimeWire's limit of all messages.
    pub other: u32,
    /// Byes: a sentence and headers.
    pub bye: u32,
}

impl Default for SizeLimits {
    fn default() -> Self {
        Self { ask: 1 << 10, pong: 2 << 10, query: 4 << 10, other: 64 << 10, bye: 4 << 10 }
    }
}

impl SizeLimits {
    /// The longest payload of this kind.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> u32 {
        match kind {
            Kind::PING | Kind::PUSH => self.ask,
            Kind::PONG => self.pong,
            Kind::QUERY => self.query,
            Kind::BYE => self.bye,
            _ => self.other,
        }
    }
}

/// Why a stream cannot be read on, or a datagram not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A payload longer than messages of its kind may have: an attack, or the stream is out of step.
    #[error("{kind:?} of {len} bytes, where {limit} are allowed")]
    TooLong {
        /// What the message is.
        kind: Kind,
        /// The length that it states.
        len: u32,
        /// The longest that is taken.
        limit: u32,
    },
    /// A datagram that is no message of exactly its length.
    #[error("a datagram of {0} bytes that is no message")]
    Datagram(usize),
    /// A datagram whose payload cannot be inflated, or is too long then.
    #[error("a deflated datagram that cannot be inflated")]
    Inflate,
}

impl Frame {
    /// Reads a datagram: one message, whose payload may be deflated. The head is as it came but for the flag that says so.
    ///
    /// # Errors
    /// If it is no message, or too long.
    pub fn from_datagram(mut data: Bytes, limits: &SizeLimits) -> Result<Self, FrameError> {
        let Some(head) = data.first_chunk() else { return Err(FrameError::Datagram(data.len())) };
        let (mut header, len) = Header::parse(head);
        if data.len() - HEADER_LEN != len as usize {
            return Err(FrameError::Datagram(data.len()));
        }
        data.advance(HEADER_LEN);
        let limit = limits.of(header.kind);
        if header.ttl & UDP_DEFLATED != 0 {
            header.ttl &= !UDP_DEFLATED;
            data = inflate(&data, limit as usize).map_err(|_| FrameError::Inflate)?.into();
        }
        let len = data.len() as u32;
        if len > limit {
            return Err(FrameError::TooLong { kind: header.kind, len, limit });
        }
        Ok(Self { header, payload: data })
    }

    /// Appends head and payload.
    pub fn encode(&self, to: &mut BytesMut) {
        to.put_slice(&self.header.to_bytes(self.payload.len() as u32));
        to.put_slice(&self.payload);
    }
}

/// Takes what a stream brings and gives its messages, cut as [`LengthPrefixed`] says.
#[derive(Clone, Debug)]
pub struct Decoder {
    stream: LengthPrefixed<HEADER_LEN>,
    limits: SizeLimits,
}

impl Decoder {
    /// Takes payloads within these limits.
    #[must_use]
    pub const fn new(limits: SizeLimits) -> Self {
        Self { stream: LengthPrefixed::new(), limits }
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
    /// If a payload is longer than allowed; every further call says so again.
    #[expect(clippy::should_implement_trait, reason = "more may come after None")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let limits = self.limits;
        let message = self.stream.next(|head| {
            let (header, len) = Header::parse(head);
            let (kind, limit) = (header.kind, limits.of(header.kind));
            if len > limit {
                Err(FrameError::TooLong { kind, len, limit })
            } else {
                Ok((header, len as usize))
            }
        })?;
        Ok(message.map(|(header, payload)| Frame { header, payload }))
    }
}

/// Writes heads, and small messages, into blocks of memory that many of them share, so that relaying one allocates nothing.
///
/// A block is given back when the last message that lies in it was sent: a neighbour that takes nothing holds the blocks of
/// what waits for it, which is at most [`BLOCK`](Self::BLOCK) bytes for each message of its queue.
#[derive(Debug, Default)]
pub struct Heads {
    block: BytesMut,
}

impl Heads {
    /// Bytes of a block.
    pub const BLOCK: usize = 4 << 10;

    /// No block yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The head of this payload: to be sent before it.
    pub fn head(&mut self, header: &Header, payload: &Bytes) -> Bytes {
        self.room(HEADER_LEN);
        self.block.put_slice(&header.to_bytes(payload.len() as u32));
        self.block.split().freeze()
    }

    /// Head and payload in one piece: cheaper than two pieces for what is shorter than a few hundred bytes.
    pub fn whole(&mut self, header: &Header, payload: &[u8]) -> Bytes {
        self.room(HEADER_LEN + payload.len());
        self.block.put_slice(&header.to_bytes(payload.len() as u32));
        self.block.put_slice(payload);
        self.block.split().freeze()
    }

    fn room(&mut self, len: usize) {
        if self.block.capacity() < len {
            self.block = BytesMut::with_capacity(len.max(Self::BLOCK));
        }
    }
}
