//! [`Bye`]: the last message of a link.

use super::WireError;
use bytes::{BufMut, Bytes, BytesMut};

/// Why a link ends (gtk-gnutella's `bye`, 2002). Whoever receives it closes the link and answers nothing.
///
/// | bytes | what |
/// | --- | --- |
/// | 2 | a [`code`]: 2xx the receiver did nothing wrong, 4xx it did, 5xx the sender failed |
/// | rest | a sentence; behind CR LF headers as in HTTP and an empty line; a NUL |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bye {
    /// The code.
    pub code: u16,
    /// What follows, with its NUL.
    pub text: Bytes,
}

/// Registered codes (gtk-gnutella's `doc/public/bye_codes`).
pub mod code {
    /// The servent ends.
    pub const SHUTDOWN: u16 = 200;
    /// Its user ended the link.
    pub const REMOVED: u16 = 201;
    /// It becomes a leaf, or an ultrapeer.
    pub const MODE_CHANGED: u16 = 203;
    /// A message over the limit.
    pub const TOO_LARGE: u16 = 400;
    /// Too many messages twice.
    pub const DUPLICATES: u16 = 401;
    /// A message that may live for too long.
    pub const HIGH_TTL: u16 = 403;
    /// Nothing came for too long.
    pub const INACTIVE: u16 = 405;
    /// No answer to a ping with a TTL of 1.
    pub const NO_PONG: u16 = 406;
    /// A message with a TTL of 0.
    pub const NO_TTL: u16 = 408;
    /// A table's patch that fits none: before a reset, out of order, too long.
    pub const ROUTE_SEQUENCE: u16 = 413;
    /// A leaf that relays.
    pub const LEAF_RELAYS: u16 = 414;
    /// Something failed here.
    pub const INTERNAL: u16 = 500;
    /// The stream makes no sense any more.
    pub const OUT_OF_STEP: u16 = 501;
    /// The receiver takes too little of what waits for it.
    pub const QUEUE_FULL: u16 = 502;
}

impl Bye {
    /// A bye with a sentence and the header `Server`, or without it if `server` is empty.
    #[must_use]
    pub fn new(code: u16, sentence: &str, server: &str) -> Self {
        let mut text = BytesMut::new();
        let safe = |byte: u8| if byte < b' ' { b' ' } else { byte };
        text.extend(sentence.bytes().map(safe));
        if !server.is_empty() {
            text.put_slice(b"\r\nServer: ");
            text.extend(server.bytes().map(safe));
            text.put_slice(b"\r\n\r\n");
        }
        text.put_u8(0);
        Self { code, text: text.freeze() }
    }

    pub(super) fn parse(payload: &Bytes) -> Result<Self, WireError> {
        let code =
            payload.first_chunk().ok_or_else(|| WireError::new(payload.len(), "a bye without a code"))?;
        Ok(Self { code: u16::from_le_bytes(*code), text: payload.slice(2..) })
    }

    pub(super) fn encode(&self, to: &mut BytesMut) {
        to.put_u16_le(self.code);
        to.put_slice(&self.text);
    }

    /// The sentence: bytes of an unknown charset, for people.
    #[must_use]
    pub fn sentence(&self) -> &[u8] {
        let end = self.text.iter().position(|byte| matches!(*byte, b'\r' | b'\n' | 0));
        self.text.get(..end.unwrap_or(self.text.len())).unwrap_or_default()
    }
}
