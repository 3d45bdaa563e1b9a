//! What is sent down a tree: a [`Symbol`] of a generation, and its datagram.
//!
//! | byte | meaning |
//! | --- | --- |
//! | 0 | [`KIND`] |
//! | 1..5 | the group's [tag](crate::GroupKey::tag) |
//! | 5..9 | the generation, big-endian, modulo 2^32 |
//! | 9 | the symbol's number in it |
//! | 10.. | a packet of the stream; or, from [`Shape::data`](crate::Shape::data) on, parity: one byte that says how many packets the generation has, then the code over its packets, each behind its length (2 bytes, big-endian) |
//!
//! A node passes a symbol on as it came: there is nothing in it that changes from hop to hop. Only where somebody sends
//! symbols in a parent's name does it put a *stamp* before it ([`stamped`]): a byte, [`STAMPED`], and the token that its
//! child gave it (4 bytes, big-endian).

use crate::shape::LARGEST_PACKET;
use bytes::{BufMut, Bytes, BytesMut};
use p2p_core::hash::{Hasher, Sha256};

/// The first byte of a symbol's datagram.
pub const KIND: u8 = 0xe1;

/// The first byte of a symbol's datagram that has a stamp.
pub const STAMPED: u8 = 0xe4;

/// Bytes of the head.
pub const HEAD: usize = 10;

/// Bytes of a stamp.
pub const STAMP: usize = 5;

/// Bytes behind the head at most: the code over the longest packet (with what encryption adds) and its length.
pub const LARGEST_BODY: usize = 1 + 2 + LARGEST_PACKET + TAG;

/// What encryption adds to a packet.
pub(crate) const TAG: usize = crate::seal::GROWTH;

/// Bytes of a symbol's digest: a second packet with the same one takes 2^96 tries, while the stream is live.
pub const DIGEST: usize = 12;

/// A symbol's digest, as the source signs it.
pub type SymbolDigest = [u8; DIGEST];

/// A symbol as it is on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The low 32 bits of its generation's number.
    pub generation: u32,
    /// Its number in the generation.
    pub index: u8,
    /// What is behind the head.
    pub body: Bytes,
}

/// Why a datagram is not a symbol of this group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SymbolError {
    /// Shorter than its head, or longer than any.
    #[error("no symbol is that long")]
    Length,
    /// Of another kind.
    #[error("not a symbol")]
    Kind,
    /// Of another group.
    #[error("of another group")]
    Group,
}

impl Symbol {
    /// The symbol in a datagram; its body is a slice of that.
    ///
    /// # Errors
    /// If it is none of this group.
    pub fn decode(datagram: &Bytes, tag: [u8; 4]) -> Result<Self, SymbolError> {
        let Some((head, body)) = datagram.split_first_chunk::<HEAD>() else {
            return Err(SymbolError::Length);
        };
        let [kind, group @ .., a, b, c, d, index] = *head;
        if kind != KIND {
            return Err(SymbolError::Kind);
        }
        if group != tag {
            return Err(SymbolError::Group);
        }
        if body.len() > LARGEST_BODY {
            return Err(SymbolError::Length);
        }
        Ok(Self { generation: u32::from_be_bytes([a, b, c, d]), index, body: datagram.slice(HEAD..) })
    }

    /// Writes its datagram.
    pub fn encode(&self, tag: [u8; 4], to: &mut BytesMut) {
        to.reserve(HEAD + self.body.len());
        to.put_u8(KIND);
        to.put_slice(&tag);
        to.put_u32(self.generation);
        to.put_u8(self.index);
        to.put_slice(&self.body);
    }

    /// What the source signs of it: the first bytes of the SHA-256 of the generation's number (all 64 bits of it), the
    /// symbol's, and the body.
    #[must_use]
    pub fn digest(generation: u64, index: u8, body: &[u8]) -> SymbolDigest {
        let mut hasher = Sha256::default();
        hasher.update(&generation.to_be_bytes());
        hasher.update(&[index]);
        hasher.update(body);
        let digest = hasher.finish();
        let mut short = [0; DIGEST];
        short.copy_from_slice(&digest.as_ref()[..DIGEST]);
        short
    }
}

/// A symbol's datagram with a stamp.
#[must_use]
pub fn stamped(datagram: &[u8], token: u32) -> Bytes {
    let mut to = BytesMut::with_capacity(STAMP + datagram.len());
    to.put_u8(STAMPED);
    to.put_u32(token);
    to.put_slice(datagram);
    to.freeze()
}

/// What is behind a stamp, and the token in it. `None` if there is no stamp.
#[must_use]
pub fn unstamped(datagram: &Bytes) -> Option<(u32, Bytes)> {
    let [kind, a, b, c, d] = *datagram.first_chunk::<STAMP>()?;
    (kind == STAMPED).then(|| (u32::from_be_bytes([a, b, c, d]), datagram.slice(STAMP..)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAG: [u8; 4] = *b"abcd";

    proptest! {
        #[test]
        fn comes_back(generation: u32, index: u8, token: u32, body in proptest::collection::vec(any::<u8>(), 0..=LARGEST_BODY)) {
            let symbol = Symbol { generation, index, body: body.into() };
            let mut wire = BytesMut::new();
            symbol.encode(TAG, &mut wire);
            prop_assert_eq!(wire.len(), HEAD + symbol.body.len());
            let wire = wire.freeze();
            prop_assert_eq!(Symbol::decode(&wire, TAG), Ok(symbol));
            prop_assert_eq!(unstamped(&wire), None);
            prop_assert_eq!(unstamped(&stamped(&wire, token)), Some((token, wire)));
        }

        #[test]
        fn junk_is_told(mut junk in proptest::collection::vec(any::<u8>(), 0..1_500), kind: bool) {
            if kind && junk.len() > 5 {
                junk[0] = KIND;
                junk[1..5].copy_from_slice(&TAG);
            }
            if let Ok(symbol) = Symbol::decode(&junk.clone().into(), TAG) {
                let mut wire = BytesMut::new();
                symbol.encode(TAG, &mut wire);
                prop_assert_eq!(&wire[..], &junk[..]);
            }
        }
    }

    #[test]
    fn of_whom_and_how_long() {
        let mut wire = BytesMut::new();
        Symbol { generation: 1, index: 2, body: Bytes::from_static(b"x") }.encode(TAG, &mut wire);
        let wire = wire.freeze();
        assert_eq!(Symbol::decode(&wire, *b"abce"), Err(SymbolError::Group));
        assert_eq!(Symbol::decode(&wire.slice(..HEAD - 1), TAG), Err(SymbolError::Length));
        assert_eq!(Symbol::decode(&Bytes::from(alloc::vec![0xe0; 20]), TAG), Err(SymbolError::Kind));
        let mut long = BytesMut::from(&wire[..HEAD]);
        long.resize(HEAD + LARGEST_BODY + 1, 0);
        assert_eq!(Symbol::decode(&long.freeze(), TAG), Err(SymbolError::Length));
    }
}
