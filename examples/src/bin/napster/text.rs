//! Strangers' bytes as text: for people and for programs, neither of whom they may steer.

use p2p_examples::escape;
use p2p_napster::wire::text::shown;

/// A name or a nick for people, at most 200 characters of it.
pub(crate) fn name(bytes: &[u8]) -> String {
    escape::name(&shown(bytes).to_string()).to_string()
}

/// A line of chat or of a server for people.
pub(crate) fn line(bytes: &[u8]) -> String {
    escape::text_of(&shown(bytes).to_string(), 2_000).to_string()
}

/// All of it for programs, whose JSON escapes what is harmful.
pub(crate) fn whole(bytes: &[u8]) -> String {
    shown(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        for text in [name(b"a\x1b]0;x\x07\x9b2J\r\nb"), line("a\u{202e}b\u{e0001}".as_bytes())] {
            assert!(text.chars().all(|c| !escape::is_harmful(c)), "{text:?}");
        }
        assert_eq!(name(b"caf\xe9"), "caf\u{e9}");
    }
}
