//! A hit of a search (201) as it goes out.
//!
//! A search that finds a hundred files writes ten thousand bytes, and does little else: so a hit is written in few
//! pieces. What has a known longest form is put together in an array first.

use super::card::{Card, TEXT, put_holder};
use super::users::User;
use crate::index::FileRef;
use bytes::{BufMut, BytesMut};

/// The type of a hit.
const HIT: u16 = 201;
/// Bytes of a hit without its name, about.
pub(super) const HIT_BYTES: usize = 90;
/// The longest end of a hit: `"`, a fingerprint of 32, numbers of 20, 5, 10 and 10 digits, each behind a space; a card.
const TAIL: usize = 1 + 33 + 21 + 6 + 11 + 11 + TEXT;

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    pairs
};

/// What follows the name.
struct Tail {
    text: [u8; TAIL],
    len: usize,
}

impl Tail {
    /// `" md5 size bitrate freq seconds`
    fn of(file: &FileRef<'_>) -> Self {
        let mut tail = Self { text: [0; TAIL], len: 0 };
        tail.text[..2].copy_from_slice(b"\" ");
        let (md5, len) = file.fingerprint.padded();
        tail.text[2..34].copy_from_slice(md5);
        tail.len = 2 + len;
        tail.number(file.size);
        tail.number(file.bitrate.into());
        tail.number(file.freq.into());
        tail.number(file.seconds.into());
        tail
    }

    /// A space and a number.
    fn number(&mut self, mut number: u64) {
        self.text[self.len] = b' ';
        self.len += 2 + number.checked_ilog10().unwrap_or(0) as usize;
        let mut from = self.len;
        while number >= 100 {
            from -= 2;
            self.text[from..from + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
            number /= 100;
        }
        if number >= 10 {
            self.text[from - 2..from].copy_from_slice(&PAIRS[number as usize]);
        } else {
            self.text[from - 1] = b'0' + number as u8;
        }
    }

    fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }
}

/// `"folder and name" md5 size bitrate freq seconds nick ip speed`. The holder is looked at only if its card is not
/// enough.
pub(super) fn put_hit<'u>(
    out: &mut BytesMut,
    file: &FileRef<'_>,
    card: &Card,
    holder: impl FnOnce() -> Option<&'u User>,
) {
    let mut tail = Tail::of(file);
    let mut long = BytesMut::new();
    match card.text() {
        Some((text, len)) => {
            tail.text[tail.len..tail.len + TEXT].copy_from_slice(text);
            tail.len += len;
        }
        None => {
            if let Some(user) = holder() {
                put_holder(&mut long, user);
            }
        }
    }
    let tail = tail.text();
    // The index has no name that is so long that this does not fit.
    let len = (1 + file.folder.len() + file.base.len() + tail.len() + long.len()) as u16;
    out.reserve(4 + usize::from(len));
    let ([low, high], [kind, kind_high]) = (len.to_le_bytes(), HIT.to_le_bytes());
    out.put_slice(&[low, high, kind, kind_high, b'"']);
    out.put_slice(file.folder);
    out.put_slice(file.base);
    out.put_slice(tail);
    out.put_slice(&long);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{Fingerprint, Kind};
    use alloc::string::String;
    use proptest::prelude::*;

    proptest! {
        /// As the fields are written one by one elsewhere.
        #[test]
        fn written_like_any_other_message(
            folder in "[^\"]{0,40}",
            base in "[^\"]{0,40}",
            md5 in prop_oneof!["[0-9a-f]{32}", "[!#-~]{1,40}", Just(String::new())],
            numbers in any::<(u64, u16, u32, u32)>(),
            shift in 0..64u32,
        ) {
            let file = FileRef {
                folder: folder.as_bytes(),
                base: base.as_bytes(),
                fingerprint: Fingerprint::new(md5.as_bytes()),
                size: numbers.0 >> shift,
                bitrate: numbers.1,
                freq: numbers.2,
                seconds: numbers.3,
                kind: Kind::Mp3,
            };
            let mut out = BytesMut::from(&b"before"[..]);
            let card = Card::default();
            put_hit(&mut out, &file, &card, || None);
            let mut expected = BytesMut::from(&b"before"[..]);
            crate::wire::put_frame(&mut expected, HIT, |to| {
                to.quoted(&file.name()).word(file.fingerprint.as_bytes());
                to.number(file.size).number(file.bitrate).number(file.freq).number(file.seconds);
            });
            prop_assert_eq!(out, expected);
        }
    }
}
