//! The proof of a link's password (10011): MD5 over both nonces and the password, in upper-case hex.
//!
//! MD5 is what OpenNap servers speak; a password that is long and drawn at random is what keeps it from being guessed.

use core::fmt;
use p2p_core::hash::{Hasher, Md5};

/// Letters of a nonce.
pub const NONCE_LEN: usize = 16;

/// A nonce as it stands on the wire: 16 upper-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce([u8; NONCE_LEN]);

/// A proof as it stands on the wire: 32 upper-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Proof([u8; 32]);

const HEX: [u8; 16] = *b"0123456789ABCDEF";

impl Nonce {
    /// The nonce of 64 bits that were drawn at random.
    #[must_use]
    pub fn new(drawn: u64) -> Self {
        let mut text = [0; NONCE_LEN];
        put_hex(&drawn.to_be_bytes(), &mut text);
        Self(text)
    }

    /// Takes a peer's nonce; `None` if it is not 16 letters or digits.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let text: [u8; NONCE_LEN] = text.try_into().ok()?;
        text.iter().all(u8::is_ascii_alphanumeric).then_some(Self(text))
    }

    /// The text.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Proof {
    /// What a server sends whose nonce is `own`, to one whose nonce is `peer`, with the password that it shows.
    #[must_use]
    pub fn new(peer: &Nonce, own: &Nonce, password: &[u8]) -> Self {
        let mut hasher = Md5::default();
        hasher.update(&peer.0);
        hasher.update(&own.0);
        hasher.update(password);
        let mut text = [0; 32];
        put_hex(hasher.finish().as_ref(), &mut text);
        Self(text)
    }

    /// The text.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether what a peer sent is this proof; how long it takes says nothing of where it differs.
    #[must_use]
    pub fn is(&self, sent: &[u8]) -> bool {
        let differs = |(a, b): (&u8, &u8)| a ^ b.to_ascii_uppercase();
        sent.len() == self.0.len() && self.0.iter().zip(sent).map(differs).fold(0, |all, one| all | one) == 0
    }
}

fn put_hex(bytes: &[u8], text: &mut [u8]) {
    for (byte, digits) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        digits.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.0).unwrap_or_default())
    }
}

/// A proof is no secret, but with its nonces a password can be guessed at.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(...)")
    }
}
