//! What a closed group's packets are encrypted with: [`SharedKey`].
//!
//! The source encrypts each packet (ChaCha20-Poly1305, RFC 8439) before it is coded and signed, and whoever is given the
//! stream opens it: members pass on what they cannot read, and need the key only to watch. A packet's nonce is its
//! generation (8 bytes, big-endian), its number in that, and zeros; the key is drawn from the shared one and the run, so
//! that no nonce is used twice. The signature stands for whom a packet is of: all members have the key.

use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use core::fmt;
use p2p_core::hash::{Hasher, Sha256};

/// Bytes by which a packet grows.
pub(crate) const GROWTH: usize = 16;

/// A secret that the source of a closed group shares with whoever may watch.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedKey([u8; 32]);

impl SharedKey {
    /// From 32 secret bytes that nobody can guess.
    #[must_use]
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// By which a member tells that it has the key of a run, and which says nothing else of it.
    pub(crate) fn mark(&self, run: &[u8; 16]) -> [u8; 8] {
        let mut mark = [0; 8];
        mark.copy_from_slice(&self.derive(b"p2p-esm mark 1", run)[..8]);
        mark
    }

    fn derive(&self, purpose: &[u8], run: &[u8; 16]) -> [u8; 32] {
        let mut hasher = Sha256::default();
        for part in [purpose, &self.0, run] {
            hasher.update(part);
        }
        let mut key = [0; 32];
        key.copy_from_slice(hasher.finish().as_ref());
        key
    }
}

// What is secret is not shown.
impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey")
    }
}

/// Encrypts and opens the packets of one run.
pub(crate) struct Seal(ChaCha20Poly1305);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    pub(crate) fn new(key: &SharedKey, run: &[u8; 16]) -> Self {
        Self(ChaCha20Poly1305::new(&key.derive(b"p2p-esm packets 1", run).into()))
    }

    pub(crate) fn close(&self, generation: u64, index: u8, packet: &[u8]) -> Bytes {
        let mut sealed = Vec::with_capacity(packet.len() + GROWTH);
        sealed.extend_from_slice(packet);
        // Only what is longer than 256 GB cannot be.
        if self.0.encrypt_in_place(&nonce(generation, index), &[], &mut sealed).is_err() {
            unreachable!("a packet is no longer than a datagram");
        }
        sealed.into()
    }

    /// `None` if nobody who has the key made it.
    pub(crate) fn open(&self, generation: u64, index: u8, sealed: &[u8]) -> Option<Bytes> {
        let (packet, tag) = sealed.split_at_checked(sealed.len().checked_sub(GROWTH)?)?;
        let tag = tag.try_into().ok()?;
        let mut packet = BytesMut::from(packet);
        let nonce = nonce(generation, index);
        self.0.decrypt_inout_detached(&nonce, &[], (&mut packet[..]).into(), &tag).ok()?;
        Some(packet.freeze())
    }
}

fn nonce(generation: u64, index: u8) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&generation.to_be_bytes());
    nonce[8] = index;
    nonce.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_in_its_place_and_run() {
        let key = SharedKey::new([1; 32]);
        let seal = Seal::new(&key, &[2; 16]);
        for len in [0, 1, 1_316] {
            let packet = alloc::vec![7; len];
            let sealed = seal.close(9, 3, &packet);
            assert_eq!(sealed.len(), len + GROWTH);
            assert_eq!(seal.open(9, 3, &sealed).as_deref(), Some(&packet[..]));
            assert_eq!(seal.open(9, 2, &sealed), None);
            assert_eq!(seal.open(8, 3, &sealed), None);
            assert_eq!(Seal::new(&key, &[3; 16]).open(9, 3, &sealed), None);
            assert_eq!(Seal::new(&SharedKey::new([0; 32]), &[2; 16]).open(9, 3, &sealed), None);
            let mut bad = sealed.to_vec();
            bad[len / 2] ^= 1;
            assert_eq!(seal.open(9, 3, &bad), None);
        }
        assert_eq!(seal.open(9, 3, &[0; GROWTH - 1]), None);
    }

    #[test]
    fn a_mark_is_of_a_key_and_a_run() {
        let key = SharedKey::new([1; 32]);
        assert_ne!(key.mark(&[2; 16]), key.mark(&[3; 16]));
        assert_ne!(key.mark(&[2; 16]), SharedKey::new([0; 32]).mark(&[2; 16]));
    }
}
