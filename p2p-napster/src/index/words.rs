//! Words of names and of searches.

/// Whether a byte is a part of a word: a letter, a digit, or anything that is not ASCII (names come in any charset).
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// The words of a text, as they are written. Compared without regard to ASCII case.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !is_word(*byte)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn split() {
        let of = |text: &'static [u8]| words(text).collect::<Vec<_>>();
        assert_eq!(
            of(b"C:\\Snoop_Dogg - don't (17).mp3"),
            [&b"C"[..], b"Snoop", b"Dogg", b"don", b"t", b"17", b"mp3"]
        );
        assert_eq!(of(b"\xdcber\x80 \xc3\xa9t\xc3\xa9"), [&b"\xdcber\x80"[..], b"\xc3\xa9t\xc3\xa9"]);
        assert!(of(b"").is_empty() && of(b" -!\x7f\x00").is_empty());
    }
}
