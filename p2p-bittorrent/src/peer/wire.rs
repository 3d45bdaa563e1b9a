//! The messages of the peer wire (BEP 3, BEP 6, BEP 10): a streaming codec that never copies a block's payload.
//!
//! Every message is `length: u32, id: u8, body`, big-endian; a length of zero is a keep-alive.
//!
//! | id | message | body | source |
//! | --- | --- | --- | --- |
//! | 0, 1, 2, 3 | choke, unchoke, interested, not interested | none | BEP 3 |
//! | 4 | have | piece | BEP 3 |
//! | 5 | bitfield | one bit per piece, highest bit first | BEP 3 |
//! | 6, 8 | request, cancel | piece, begin, length | BEP 3 |
//! | 7 | piece | piece, begin, payload | BEP 3 |
//! | 9 | port | UDP port of the DHT node: u16 | BEP 5 |
//! | 13, 17 | suggest piece, allowed fast | piece | BEP 6 |
//! | 14, 15 | have all, have none | none | BEP 6 |
//! | 16 | reject request | piece, begin, length | BEP 6 |
//! | 20 | extended | id: u8, payload | BEP 10 |

use alloc::vec::Vec;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use core::fmt;

/// Bytes of one block as every client asks for it; only the last of a torrent is shorter.
pub const BLOCK_LEN: u32 = 16 * 1024;

const CHOKE: u8 = 0;
const UNCHOKE: u8 = 1;
const INTERESTED: u8 = 2;
const NOT_INTERESTED: u8 = 3;
const HAVE: u8 = 4;
const BITFIELD: u8 = 5;
const REQUEST: u8 = 6;
const PIECE: u8 = 7;
const CANCEL: u8 = 8;
const PORT: u8 = 9;
const SUGGEST: u8 = 13;
const HAVE_ALL: u8 = 14;
const HAVE_NONE: u8 = 15;
const REJECT: u8 = 16;
const ALLOWED_FAST: u8 = 17;
const EXTENDED: u8 = 20;

/// The longest head of a message: length, id and three numbers of a request.
const HEAD_MAX: usize = 17;

/// A span inside one piece: the unit of asking and answering.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// Index of the piece.
    pub piece: u32,
    /// Offset of the first byte inside the piece.
    pub begin: u32,
    /// Number of bytes.
    pub len: u32,
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}+{}", self.piece, self.begin, self.len)
    }
}

/// One message of the peer wire, or a part of one where a whole would have to be copied together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Nothing, said every two minutes so that the connection is not taken for dead.
    KeepAlive,
    /// Requests will not be answered from now on.
    Choke,
    /// Requests will be answered.
    Unchoke,
    /// The sender would ask if it were not choked.
    Interested,
    /// The sender has nothing to ask for.
    NotInterested,
    /// The sender has completed this piece.
    Have(u32),
    /// The pieces the sender has, highest bit first; only as the first message.
    Bitfield(Bytes),
    /// Asks for a block.
    Request(Block),
    /// Takes a request back.
    Cancel(Block),
    /// The UDP port of the sender's DHT node.
    Port(u16),
    /// Advice to fetch this piece, which the sender has at hand (BEP 6).
    Suggest(u32),
    /// In place of a bitfield: the sender has every piece (BEP 6).
    HaveAll,
    /// In place of a bitfield: the sender has no piece (BEP 6).
    HaveNone,
    /// This request will not be answered (BEP 6).
    Reject(Block),
    /// Requests for this piece are answered even while choked (BEP 6).
    AllowedFast(u32),
    /// A message of an extension (BEP 10); id 0 is the extended handshake.
    Extended {
        /// The number under which the receiver announced the extension.
        id: u8,
        /// What the extension says.
        payload: Bytes,
    },
    /// The head of a block; its payload follows as [`Message::Payload`], together `len` bytes.
    Piece(Block),
    /// A segment of a block's payload: a slice of the buffer in which it was received.
    Payload(Bytes),
    /// The head of a message that nobody here understands; its body is skipped. Encoding it writes the head alone.
    Unknown {
        /// The message's id.
        id: u8,
        /// Bytes of its body.
        len: u32,
    },
}

/// How much of a stranger's message is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireLimits {
    /// The longest payload of one block. Blocks are 16 KiB; 128 KiB is what old clients dared to send.
    pub block: u32,
    /// The longest bitfield in bytes. 1 MiB is 8 million pieces; once the torrent is known, its own size is better.
    pub bitfield: u32,
    /// The longest payload of an extended message. Metadata comes in 16 KiB parts, PEX in a few kB.
    pub extended: u32,
    /// The longest message that is skipped without being understood; beyond it the stream is out of step.
    pub unknown: u32,
}

impl Default for WireLimits {
    fn default() -> Self {
        Self { block: 128 << 10, bitfield: 1 << 20, extended: 1 << 20, unknown: 1 << 20 }
    }
}

/// Why the stream of a peer cannot be read on; the connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A message whose length does not fit its id.
    #[error("message {id} cannot have a length of {len}")]
    Length {
        /// The message's id.
        id: u8,
        /// The length it claims, with the id.
        len: u32,
    },
    /// A message longer than the limit for its kind.
    #[error("message {id} of {len} bytes is over the limit of {limit}")]
    TooLong {
        /// The message's id.
        id: u8,
        /// Bytes of its payload.
        len: u32,
        /// The limit that it passes.
        limit: u32,
    },
}

/// Cuts the bytes of one connection into messages; 48 bytes while nothing longer than a head is held.
#[derive(Debug)]
pub struct Decoder {
    limits: WireLimits,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between messages, or inside the first bytes of one.
    Head { held: [u8; HEAD_MAX], len: u8 },
    /// Inside a body that is wanted whole and came in parts.
    Body { held: Vec<u8>, body: Body },
    /// Inside the payload of a block.
    Payload { left: u32 },
    /// Inside a message that is not understood.
    Skip { left: u32 },
}

impl State {
    const IDLE: Self = Self::Head { held: [0; HEAD_MAX], len: 0 };
}

/// A body that is handed out whole.
#[derive(Clone, Copy, Debug)]
struct Body {
    len: u32,
    /// `None` is a bitfield, else the id of an extended message.
    extended: Option<u8>,
}

impl Body {
    fn message(self, bytes: Bytes) -> Message {
        match self.extended {
            None => Message::Bitfield(bytes),
            Some(id) => Message::Extended { id, payload: bytes },
        }
    }
}

/// What the first bytes of a message say.
enum Head {
    /// This many bytes, counted from the message's first, are needed to say more.
    Needs(usize),
    /// The head took `used` bytes.
    Done { used: usize, then: Then },
}

enum Then {
    Whole(Message),
    Body(Body),
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(&WireLimits::default())
    }
}

impl Decoder {
    /// A decoder for the bytes that follow the handshake.
    #[must_use]
    pub const fn new(limits: &WireLimits) -> Self {
        Self { limits: *limits, state: State::IDLE }
    }

    /// Tightens the limit for bitfields, in bytes, once the number of pieces is known.
    pub const fn limit_bitfield(&mut self, bytes: u32) {
        self.limits.bitfield = bytes;
    }

    /// Whether the stream stands between two messages.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Head { len: 0, .. })
    }

    /// Takes the next message, or the next part of one, off the front of `input`; `None` when all of it is consumed
    /// and more is needed.
    ///
    /// # Errors
    /// When the stream breaks the protocol or a limit. Nothing sensible follows on such a stream.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Message>, WireError> {
        loop {
            match &mut self.state {
                State::Head { held, len } => {
                    let Some((message, state)) = head_step(held, len, input, &self.limits)? else {
                        return Ok(None);
                    };
                    self.state = state;
                    if message.is_some() {
                        return Ok(message);
                    }
                }
                State::Body { held, body } => {
                    let missing = (body.len as usize).saturating_sub(held.len());
                    let taken = missing.min(input.len());
                    let (body, bytes) = if held.is_empty() && taken == missing {
                        (*body, input.split_to(taken))
                    } else {
                        if taken == 0 {
                            return Ok(None);
                        }
                        // Memory follows the bytes that came, not the length that was claimed.
                        held.extend_from_slice(&input.split_to(taken));
                        if taken < missing {
                            return Ok(None);
                        }
                        (*body, Bytes::from(core::mem::take(held)))
                    };
                    self.state = State::IDLE;
                    return Ok(Some(body.message(bytes)));
                }
                State::Payload { left } => {
                    let taken = (*left as usize).min(input.len());
                    if taken == 0 {
                        return Ok(None);
                    }
                    *left -= taken as u32;
                    if *left == 0 {
                        self.state = State::IDLE;
                    }
                    return Ok(Some(Message::Payload(input.split_to(taken))));
                }
                State::Skip { left } => {
                    let taken = (*left as usize).min(input.len());
                    input.advance(taken);
                    *left -= taken as u32;
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.state = State::IDLE;
                }
            }
        }
    }
}

/// Reads on in the head of a message; `None` when `input` ends first.
fn head_step(
    held: &mut [u8; HEAD_MAX],
    len: &mut u8,
    input: &mut Bytes,
    limits: &WireLimits,
) -> Result<Option<(Option<Message>, State)>, WireError> {
    let then = if *len == 0 {
        match read_head(input, limits)? {
            Head::Done { used, then } => {
                input.advance(used);
                then
            }
            Head::Needs(_) => {
                for (slot, byte) in held.iter_mut().zip(input.iter()) {
                    *slot = *byte;
                }
                // A head is at most 17 bytes, so all that is left of the input fits.
                *len = input.len() as u8;
                input.clear();
                return Ok(None);
            }
        }
    } else {
        loop {
            let have = usize::from(*len);
            match read_head(held.get(..have).unwrap_or_default(), limits)? {
                Head::Done { then, .. } => break then,
                Head::Needs(needed) => {
                    let Some(room) = held.get_mut(have..needed) else { return Ok(None) };
                    let taken = room.len().min(input.len());
                    if taken == 0 {
                        return Ok(None);
                    }
                    room[..taken].copy_from_slice(&input[..taken]);
                    input.advance(taken);
                    *len += taken as u8;
                }
            }
        }
    };
    Ok(Some(match then {
        Then::Whole(message) => {
            let state = match message {
                Message::Piece(Block { len, .. }) if len > 0 => State::Payload { left: len },
                Message::Unknown { len, .. } if len > 0 => State::Skip { left: len },
                _ => State::IDLE,
            };
            (Some(message), state)
        }
        Then::Body(body) => (None, State::Body { held: Vec::new(), body }),
    }))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

fn read_head(bytes: &[u8], limits: &WireLimits) -> Result<Head, WireError> {
    let Some(len) = number(bytes, 0) else { return Ok(Head::Needs(4)) };
    let done = |used, message| Ok(Head::Done { used, then: Then::Whole(message) });
    if len == 0 {
        return done(4, Message::KeepAlive);
    }
    let Some(&id) = bytes.get(4) else { return Ok(Head::Needs(5)) };
    let exactly = |expected| if len == expected { Ok(()) } else { Err(WireError::Length { id, len }) };
    let within = |len, limit| if len <= limit { Ok(()) } else { Err(WireError::TooLong { id, len, limit }) };
    match id {
        CHOKE | UNCHOKE | INTERESTED | NOT_INTERESTED | HAVE_ALL | HAVE_NONE => {
            exactly(1)?;
            done(
                5,
                match id {
                    CHOKE => Message::Choke,
                    UNCHOKE => Message::Unchoke,
                    INTERESTED => Message::Interested,
                    NOT_INTERESTED => Message::NotInterested,
                    HAVE_ALL => Message::HaveAll,
                    _ => Message::HaveNone,
                },
            )
        }
        HAVE | SUGGEST | ALLOWED_FAST => {
            exactly(5)?;
            let Some(piece) = number(bytes, 5) else { return Ok(Head::Needs(9)) };
            done(
                9,
                match id {
                    HAVE => Message::Have(piece),
                    SUGGEST => Message::Suggest(piece),
                    _ => Message::AllowedFast(piece),
                },
            )
        }
        REQUEST | CANCEL | REJECT => {
            exactly(13)?;
            let (Some(piece), Some(begin), Some(len)) =
                (number(bytes, 5), number(bytes, 9), number(bytes, 13))
            else {
                return Ok(Head::Needs(17));
            };
            let block = Block { piece, begin, len };
            done(
                17,
                match id {
                    REQUEST => Message::Request(block),
                    CANCEL => Message::Cancel(block),
                    _ => Message::Reject(block),
                },
            )
        }
        PIECE => {
            let Some(payload) = len.checked_sub(9) else { return Err(WireError::Length { id, len }) };
            within(payload, limits.block)?;
            let (Some(piece), Some(begin)) = (number(bytes, 5), number(bytes, 9)) else {
                return Ok(Head::Needs(13));
            };
            done(13, Message::Piece(Block { piece, begin, len: payload }))
        }
        PORT => {
            exactly(3)?;
            let Some(port) = bytes.get(5..).and_then(<[u8]>::first_chunk) else { return Ok(Head::Needs(7)) };
            done(7, Message::Port(u16::from_be_bytes(*port)))
        }
        BITFIELD => {
            within(len - 1, limits.bitfield)?;
            Ok(Head::Done { used: 5, then: Then::Body(Body { len: len - 1, extended: None }) })
        }
        EXTENDED => {
            let Some(payload) = len.checked_sub(2) else { return Err(WireError::Length { id, len }) };
            within(payload, limits.extended)?;
            let Some(&extended) = bytes.get(5) else { return Ok(Head::Needs(6)) };
            Ok(Head::Done { used: 6, then: Then::Body(Body { len: payload, extended: Some(extended) }) })
        }
        _ => {
            within(len - 1, limits.unknown)?;
            done(5, Message::Unknown { id, len: len - 1 })
        }
    }
}

/// The first 13 bytes of a piece message; the block's payload is to follow on the wire as it lies in memory.
#[must_use]
pub const fn piece_head(block: Block) -> [u8; 13] {
    let [a, b, c, d] = block.len.saturating_add(9).to_be_bytes();
    let [e, f, g, h] = block.piece.to_be_bytes();
    let [i, j, k, l] = block.begin.to_be_bytes();
    [a, b, c, d, PIECE, e, f, g, h, i, j, k, l]
}

/// Appends a message as it goes over the wire. [`Message::Payload`] appends its bytes as they are; for blocks it is
/// cheaper to send [`piece_head`] and the payload as two buffers.
pub fn encode(message: &Message, to: &mut BytesMut) {
    match message {
        Message::KeepAlive => to.put_u32(0),
        Message::Choke => bare(to, CHOKE),
        Message::Unchoke => bare(to, UNCHOKE),
        Message::Interested => bare(to, INTERESTED),
        Message::NotInterested => bare(to, NOT_INTERESTED),
        Message::HaveAll => bare(to, HAVE_ALL),
        Message::HaveNone => bare(to, HAVE_NONE),
        Message::Have(piece) => with_piece(to, HAVE, *piece),
        Message::Suggest(piece) => with_piece(to, SUGGEST, *piece),
        Message::AllowedFast(piece) => with_piece(to, ALLOWED_FAST, *piece),
        Message::Request(block) => with_block(to, REQUEST, *block),
        Message::Cancel(block) => with_block(to, CANCEL, *block),
        Message::Reject(block) => with_block(to, REJECT, *block),
        Message::Port(port) => {
            head(to, PORT, 2);
            to.put_u16(*port);
        }
        Message::Bitfield(bits) => {
            head(to, BITFIELD, length(bits));
            to.put_slice(bits);
        }
        Message::Extended { id, payload } => {
            head(to, EXTENDED, length(payload).saturating_add(1));
            to.put_u8(*id);
            to.put_slice(payload);
        }
        Message::Piece(block) => to.put_slice(&piece_head(*block)),
        Message::Payload(bytes) => to.put_slice(bytes),
        Message::Unknown { id, len } => head(to, *id, *len),
    }
}

fn length(bytes: &Bytes) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn head(to: &mut BytesMut, id: u8, body: u32) {
    to.put_u32(body.saturating_add(1));
    to.put_u8(id);
}

fn bare(to: &mut BytesMut, id: u8) {
    head(to, id, 0);
}

fn with_piece(to: &mut BytesMut, id: u8, piece: u32) {
    head(to, id, 4);
    to.put_u32(piece);
}

fn with_block(to: &mut BytesMut, id: u8, block: Block) {
    head(to, id, 12);
    to.put_u32(block.piece);
    to.put_u32(block.begin);
    to.put_u32(block.len);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_decoder_is_small() {
        assert!(size_of::<Decoder>() <= 48, "{}", size_of::<Decoder>());
    }
}
