//! The first 68 bytes in each direction (BEP 3): protocol name, reserved bits, info-hash, peer id.

use crate::{InfoHash, PeerId};
use bytes::{Buf, Bytes};

/// Bytes of a handshake.
pub const HANDSHAKE_LEN: usize = 68;

const NAME: &[u8; 20] = b"\x13BitTorrent protocol";

/// The eight reserved bytes, in which a client says what it knows beyond BEP 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    /// The bits of what this crate speaks: the extension protocol and the fast extension.
    pub const OURS: Self = Self([0, 0, 0, 0, 0, 0x10, 0, 0x04]);

    /// The same with the DHT bit set or clear (BEP 5).
    #[must_use]
    pub const fn with_dht(mut self, on: bool) -> Self {
        if on {
            self.0[7] |= 0x01;
        } else {
            self.0[7] &= !0x01;
        }
        self
    }

    /// Speaks the extension protocol (BEP 10).
    #[must_use]
    pub const fn extended(self) -> bool {
        self.0[5] & 0x10 != 0
    }

    /// Speaks the fast extension (BEP 6).
    #[must_use]
    pub const fn fast(self) -> bool {
        self.0[7] & 0x04 != 0
    }

    /// Runs a DHT node (BEP 5).
    #[must_use]
    pub const fn dht(self) -> bool {
        self.0[7] & 0x01 != 0
    }

    /// Can upgrade to version 2 of the protocol (BEP 52).
    #[must_use]
    pub const fn v2(self) -> bool {
        self.0[7] & 0x10 != 0
    }

    /// What both ends speak: an extension counts only if both set its bit.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self((u64::from_be_bytes(self.0) & u64::from_be_bytes(other.0)).to_be_bytes())
    }
}

/// What a peer says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// What it speaks beyond BEP 3.
    pub reserved: Reserved,
    /// The torrent it means.
    pub info_hash: InfoHash,
    /// The name it gives itself.
    pub peer_id: PeerId,
}

impl Handshake {
    /// The handshake as it goes over the wire.
    #[must_use]
    pub fn encode(&self) -> [u8; HANDSHAKE_LEN] {
        let mut bytes = [0; HANDSHAKE_LEN];
        let parts = NAME.iter().chain(&self.reserved.0).chain(&self.info_hash.0).chain(&self.peer_id.0);
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = *from;
        }
        bytes
    }

    fn decode(bytes: &[u8; HANDSHAKE_LEN]) -> Option<Self> {
        let (_, rest) = bytes.split_first_chunk::<20>()?;
        let (reserved, rest) = rest.split_first_chunk()?;
        let (info_hash, rest) = rest.split_first_chunk()?;
        let peer_id = rest.first_chunk()?;
        Some(Self {
            reserved: Reserved(*reserved),
            info_hash: InfoHash(*info_hash),
            peer_id: PeerId(*peer_id),
        })
    }
}

/// Why the first bytes of a connection are no handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The bytes do not begin with the protocol's name; they may be encrypted.
    #[error("not the BitTorrent protocol")]
    Protocol,
}

/// Gathers a handshake from however many parts it comes in.
#[derive(Clone, Debug)]
pub struct HandshakeDecoder {
    held: [u8; HANDSHAKE_LEN],
    len: u8,
}

impl Default for HandshakeDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl HandshakeDecoder {
    /// A decoder that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { held: [0; HANDSHAKE_LEN], len: 0 }
    }

    /// Takes the bytes of the handshake off the front of `input`; what follows it stays there.
    ///
    /// # Errors
    /// As soon as a byte differs from the protocol's name. [`HandshakeDecoder::held`] then has all that was taken.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Handshake>, HandshakeError> {
        let room = self.held.get_mut(usize::from(self.len)..).unwrap_or_default();
        let taken = room.len().min(input.len());
        room[..taken].copy_from_slice(&input[..taken]);
        input.advance(taken);
        // At most 68.
        self.len += taken as u8;
        if self.held().iter().zip(NAME).any(|(is, should)| is != should) {
            return Err(HandshakeError::Protocol);
        }
        Ok(if self.held().len() == HANDSHAKE_LEN { Handshake::decode(&self.held) } else { None })
    }

    /// The torrent that is meant, known 20 bytes before the end: some peers send their id only after our answer.
    #[must_use]
    pub fn info_hash(&self) -> Option<InfoHash> {
        self.held().get(28..48)?.first_chunk().map(|hash| InfoHash(*hash))
    }

    /// The bytes taken so far.
    #[must_use]
    pub fn held(&self) -> &[u8] {
        self.held.get(..usize::from(self.len)).unwrap_or_default()
    }
}
