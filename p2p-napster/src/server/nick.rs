//! Nicks: which are valid, and how one is looked up whatever its case, without memory of its own.

/// The longest nick that can be looked up; longer ones are never valid.
const MOST: usize = 64;

/// A nick in lower case (ASCII only: the charset of the rest is unknown), on the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Folded {
    bytes: [u8; MOST],
    len: usize,
}

impl Folded {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A nick in lower case. One that is too long is cut, and then is longer than any valid one.
pub(super) fn fold(nick: &[u8]) -> Folded {
    let len = nick.len().min(MOST);
    let mut bytes = [0; MOST];
    for (to, from) in bytes.iter_mut().zip(nick) {
        *to = from.to_ascii_lowercase();
    }
    Folded { bytes, len }
}

/// Whether somebody may have that nick: no spaces or control bytes, nothing that would be a field's quote, a channel's
/// mark, a server's prefix, a pattern or a format, and no more than `most` bytes.
pub(super) fn is_valid(nick: &[u8], most: usize) -> bool {
    let most = most.min(MOST - 1);
    !nick.is_empty()
        && nick.len() <= most
        && nick.iter().all(|byte| {
            *byte > b' ' && *byte != 0x7f && !matches!(byte, b'"' | b'#' | b'&' | b':' | b'*' | b'?' | b'%' | b',')
        })
        // A name that reads as an address would make bans ambiguous.
        && super::bans::Network::parse(nick).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicks() {
        for nick in ["a", "al_ice[1]", "J\u{f6}rg", "x.y-z", "a'b"] {
            assert!(is_valid(nick.as_bytes(), 30), "{nick}");
        }
        for nick in
            ["", "a b", "a*b", "%n", ":x", "#x", "a\0b", "a\x1b[2J", "1.2.3.4", "x\"y", &"n".repeat(31)]
        {
            assert!(!is_valid(nick.as_bytes(), 30), "{nick:?}");
        }
        assert!(!is_valid(&[b'x'; 64], 1_000));
        assert_eq!(fold(b"Al\xc4").as_slice(), b"al\xc4");
        assert_ne!(fold(&[b'x'; 2_000]).as_slice(), fold(&[b'x'; 63]).as_slice());
    }
}
