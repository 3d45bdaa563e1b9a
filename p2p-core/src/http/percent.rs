//! Raw bytes in a query: `%` and two hexadecimal digits.

use alloc::string::String;
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};

/// What a `+` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plus {
    /// Itself: in a path, and in a BitTorrent query.
    Literal,
    /// A space: in what an HTML form sent.
    Space,
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

const fn encoded(byte: u8) -> [u8; 3] {
    [b'%', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]
}

/// Appends one byte as `%XX`.
pub(super) fn put_byte(to: &mut BytesMut, byte: u8) {
    to.put_slice(&encoded(byte));
}

/// Appends raw bytes with all but the unreserved characters of RFC 3986 (letters, digits, `-._~`) as `%XX`.
pub fn encode(bytes: &[u8], to: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            to.push(char::from(byte));
        } else {
            to.extend(encoded(byte).map(char::from));
        }
    }
}

/// The raw bytes of encoded text; `None` if a `%` is not followed by two hexadecimal digits.
#[must_use]
pub fn decode(text: &str, plus: Plus) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? << 4 | digit()?) as u8
            }
            b'+' if plus == Plus::Space => b' ',
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plus_is_what_the_caller_says() {
        assert_eq!(decode("a+b%2B%20", Plus::Literal).unwrap(), b"a+b+ ");
        assert_eq!(decode("a+b%2B%20", Plus::Space).unwrap(), b"a b+ ");
        for bad in ["%", "%1", "%1g", "%+1", "a%%20"] {
            assert_eq!(decode(bad, Plus::Literal), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut text = String::new();
            encode(&bytes, &mut text);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !b"&=?#+/".contains(&byte)));
            prop_assert_eq!(decode(&text, Plus::Space).unwrap(), bytes.clone());
            prop_assert_eq!(decode(&text.to_lowercase(), Plus::Space).map(|b| b.len()), Some(bytes.len()));
        }

        #[test]
        fn any_text_is_taken_or_refused(text in "[%0-9a-fg+é]{0,40}") {
            if let Some(bytes) = decode(&text, Plus::Literal) {
                prop_assert!(bytes.len() <= text.len());
            }
        }
    }
}
