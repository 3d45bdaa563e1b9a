//! What a key of the command line stands for: a key pair, and a place on the ring.

use p2p_chord::record::{MAX_SALT, PublicKey, SecretKey};
use p2p_core::{Bytes, Id};
use p2p_examples::{Failure, escape};
use std::io::Write;
use std::path::Path;

/// The key pair of a file, made if it is not there.
pub(crate) fn secret(file: &Path) -> Result<SecretKey, Failure> {
    match std::fs::read_to_string(file) {
        Ok(text) => {
            let key: Result<Id<32>, _> = text.trim().parse();
            let wrong = "not a secret key of 64 hexadecimal digits";
            key.map(|Id(seed)| SecretKey(seed)).map_err(|_| Failure::during(file.display())(wrong))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(Failure::during("no random numbers"))?;
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let written = options.open(file).and_then(|mut file| writeln!(file, "{}", Id(seed)));
            written.map_err(Failure::during(file.display()))?;
            Ok(SecretKey(seed))
        }
        Err(error) => Err(Failure::during(file.display())(error)),
    }
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
