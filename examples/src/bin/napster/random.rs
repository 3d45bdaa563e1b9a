//! What nobody chose: a nick for who gives none, a password for who needs none.

use p2p_examples::Failure;

/// A word of so many letters and digits, from the system's own dice.
pub(crate) fn word(len: usize) -> Result<String, Failure> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = vec![0u8; len];
    getrandom::fill(&mut bytes).map_err(Failure::during("no random numbers"))?;
    Ok(bytes.into_iter().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect())
}
