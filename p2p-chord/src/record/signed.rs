//! Records that the holder of a key pair can replace: [`Signed`], in BEP 44's format.

use super::{MAX_SALT, MAX_VALUE, RecordError};
use crate::id::RingId;
use alloc::format;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use ed25519_dalek::Signer as _;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use p2p_core::Rng;
use p2p_core::hash::{Hasher as _, Sha256};
use serde::{Deserialize, Serialize};

/// The seed of an ed25519 key pair (RFC 8032, section 5.1.5).
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(pub [u8; 32]);

impl SecretKey {
    /// A new one. The dice must be good: those of a real driver are.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        Self(rng.bytes())
    }

    /// The one of a word: whoever knows the word can read and replace what is stored under it, and nobody else can. The
    /// nodes that store it do not learn the word, but they may guess one that is easy to guess.
    ///
    /// SHA-256 over `"p2p-chord word"`, and the word.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        let mut hasher = Sha256::default();
        hasher.update(b"p2p-chord word");
        hasher.update(word.as_bytes());
        Self(hasher.finish().0)
    }

    /// What others check its signatures with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(SigningKey::from_bytes(&self.0).verifying_key().to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

/// An ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Where the record of this key and salt is on the ring: SHA-256 of both, joined.
    #[must_use]
    pub fn place(&self, salt: &[u8]) -> RingId {
        RingId::of(&[&self.0, salt].concat())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A value under a public key and a salt. Of two, the one with the higher sequence number is true.
///
/// What is signed is BEP 44's buffer with the value as a byte string, so an item of BEP 44 whose `v` is a byte string is
/// one of ours, with the same signature:
///
/// ```text
/// 4:salt<length>:<salt>3:seqi<sequence number>e1:v<length>:<value>        (without a salt, from "3:seq" on)
/// ```
///
/// The network is not part of it: who has a record may carry it to another ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Whose it is.
    pub public: PublicKey,
    /// Tells records of one key apart; at most [`MAX_SALT`] bytes, and none is usual.
    pub salt: Bytes,
    /// Which version it is; below 2^63.
    pub seq: u64,
    /// The value.
    pub value: Bytes,
    /// The two halves of the signature.
    pub signature: [[u8; 32]; 2],
}

impl Signed {
    /// Signs a value.
    ///
    /// # Errors
    /// If the value, the salt or the sequence number is too large.
    pub fn sign(
        secret: &SecretKey,
        salt: impl Into<Bytes>,
        seq: u64,
        value: impl Into<Bytes>,
    ) -> Result<Self, RecordError> {
        let key = SigningKey::from_bytes(&secret.0);
        let public = PublicKey(key.verifying_key().to_bytes());
        let mut signed =
            Self { public, salt: salt.into(), seq, value: value.into(), signature: [[0; 32]; 2] };
        signed.check_lengths()?;
        let signature = key.sign(&signed.buffer());
        signed.signature = [*signature.r_bytes(), *signature.s_bytes()];
        Ok(signed)
    }

    /// Where it is on the ring.
    #[must_use]
    pub fn key(&self) -> RingId {
        self.public.place(&self.salt)
    }

    pub(super) fn check_lengths(&self) -> Result<(), RecordError> {
        if self.value.len() > MAX_VALUE {
            return Err(RecordError::TooLarge(self.value.len()));
        }
        if self.salt.len() > MAX_SALT {
            return Err(RecordError::Salt(self.salt.len()));
        }
        if self.seq > i64::MAX as u64 {
            return Err(RecordError::Sequence);
        }
        Ok(())
    }

    /// Checks lengths and the signature.
    pub(super) fn check(&self) -> Result<(), RecordError> {
        self.check_lengths()?;
        let key = VerifyingKey::from_bytes(&self.public.0).map_err(|_| RecordError::Signature)?;
        let [r, s] = self.signature;
        // Strict: a key of small order would sign anything, and there is one signature of each content only.
        key.verify_strict(&self.buffer(), &Signature::from_components(r, s))
            .map_err(|_| RecordError::Signature)
    }

    fn buffer(&self) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(self.value.len() + self.salt.len() + 64);
        if !self.salt.is_empty() {
            buffer.extend_from_slice(format!("4:salt{}:", self.salt.len()).as_bytes());
            buffer.extend_from_slice(&self.salt);
        }
        buffer.extend_from_slice(format!("3:seqi{}e1:v{}:", self.seq, self.value.len()).as_bytes());
        buffer.extend_from_slice(&self.value);
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let mut bytes = [0; N];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
        }
        bytes
    }

    /// The test vectors 1 and 2 of BEP 44.
    #[test]
    fn items_of_bep_44_are_signed_records() {
        let public = PublicKey(hex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548"));
        for (salt, first, second) in [
            (
                "",
                "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff",
                "1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01",
            ),
            (
                "foobar",
                "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d",
                "df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08",
            ),
        ] {
            let signature = [hex(first), hex(second)];
            let value = Bytes::from_static(b"Hello World!");
            let mut signed =
                Signed { public, salt: Bytes::from_static(salt.as_bytes()), seq: 1, value, signature };
            assert_eq!(signed.check(), Ok(()));
            signed.seq = 2;
            assert_eq!(signed.check(), Err(RecordError::Signature));
        }
    }

    /// The first test of RFC 8032, section 7.1: its key pair.
    #[test]
    fn a_secret_key_is_a_seed_of_rfc_8032() {
        let secret = SecretKey(hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
        let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(secret.public(), PublicKey(public));
    }
}
