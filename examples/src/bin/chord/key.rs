//! What a key of the command line stands for: a key pair, and a place on the ring.

use p2p_chord::record::{MAX_SALT, PublicKey, SecretKey};
use p2p_core::{Bytes, Id};
use p2p_examples::{Failure, escape};
use std::path::Path;

/// The key pair of a file, made if it is not there.
pub(crate) fn secret(file: &Path) -> Result<SecretKey, Failure> {
    p2p_examples::secret::of(file).map(SecretKey)
}

/// Under a key pair of a file, the key tells records apart.
pub(crate) fn salt(key: &str) -> Result<Bytes, Failure> {
    if key.len() > MAX_SALT {
        let key = escape::name(key);
        return Err(Failure::new(format_args!("with a key pair a key has {MAX_SALT} bytes at most: {key}")));
    }
    Ok(Bytes::copy_from_slice(key.as_bytes()))
}

/// A public key in digits.
pub(crate) fn shown(public: PublicKey) -> Id<32> {
    Id(public.0)
}
