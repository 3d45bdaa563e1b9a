//! A secret that is kept in a file.

use crate::Failure;
use p2p_core::Id;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// The 32 secret bytes of a file, which has them as 64 hexadecimal digits. Drawn, and kept there for its owner alone
/// (mode 0600), if there is no such file.
///
/// # Errors
/// If the file can be neither read nor made, or has something else in it.
pub fn of(file: &Path) -> Result<[u8; 32], Failure> {
    match std::fs::read_to_string(file) {
        Ok(text) => {
            let secret: Result<Id<32>, _> = text.trim().parse();
            let wrong = "not a secret key of 64 hexadecimal digits";
            secret.map(|Id(secret)| secret).map_err(|_| Failure::during(file.display())(wrong))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).map_err(Failure::during("no random numbers"))?;
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let written = options.open(file).and_then(|mut file| writeln!(file, "{}", Id(secret)));
            written.map_err(Failure::during(file.display()))?;
            Ok(secret)
        }
        Err(error) => Err(Failure::during(file.display())(error)),
    }
}
