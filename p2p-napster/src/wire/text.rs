//! Fields of a message's text: reading, writing, nicks, and showing a stranger's text.
//!
//! A field is bytes up to the next space, tab, CR or LF, or bytes between double quotes. A quote inside quotes cannot be
//! written: there is no escape. Some messages end in free text, which is all that follows one separator.

use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};
use core::fmt;

/// Why a body is no message of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{fault} at byte {at}")]
pub struct Malformed {
    /// Offset in the body, in bytes.
    pub at: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The body ends where a field must follow.
    #[error("a field is missing")]
    Missing,
    /// A quote is opened and not closed.
    #[error("a quote is not closed")]
    Unclosed,
    /// A field that is no decimal number, or is too large for what it counts.
    #[error("not a number in range")]
    Number,
    /// A field that is none of the words allowed there.
    #[error("an unknown word")]
    Word,
    /// More parts than a message of this type may have.
    #[error("too many parts")]
    TooMany,
    /// A message between servers that does not name its origin.
    #[error("no origin")]
    Origin,
}

/// One field, with the way it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// What it says, without its quotes.
    pub bytes: &'a [u8],
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Where it begins in the body.
    pub at: usize,
}

/// Whether a byte separates fields.
#[must_use]
pub const fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Reads a body field by field.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Begins at the first field of `body`.
    #[must_use]
    pub const fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0 }
    }

    /// The offset up to which the body was read.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// That `fault` is the case here.
    #[must_use]
    pub const fn malformed(&self, fault: Fault) -> Malformed {
        Malformed { at: self.at, fault }
    }

    /// The next field; `None` at the end of the body.
    ///
    /// # Errors
    /// If a quote is not closed.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of results would be read on after an error"
    )]
    pub fn next(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        let left = self.body.get(self.at..).unwrap_or_default();
        let Some(skip) = left.iter().position(|byte| !is_separator(*byte)) else {
            self.at = self.body.len();
            return Ok(None);
        };
        self.at += skip;
        let (at, left) = (self.at, left.get(skip..).unwrap_or_default());
        if let Some((b'"', inside)) = left.split_first() {
            let Some(len) = inside.iter().position(|byte| *byte == b'"') else {
                return Err(self.malformed(Fault::Unclosed));
            };
            self.at += len + 2;
            return Ok(Some(Field { bytes: inside.get(..len).unwrap_or_default(), quoted: true, at }));
        }
        let len = left.iter().position(|byte| is_separator(*byte)).unwrap_or(left.len());
        self.at += len;
        Ok(Some(Field { bytes: left.get(..len).unwrap_or_default(), quoted: false, at }))
    }

    /// The next field, which must be there.
    ///
    /// # Errors
    /// If it is not, or its quote is not closed.
    pub fn require(&mut self) -> Result<Field<'a>, Malformed> {
        self.next()?.ok_or_else(|| self.malformed(Fault::Missing))
    }

    /// The next field as a decimal number, with or without quotes.
    ///
    /// # Errors
    /// If there is no field, or it is no number that fits.
    pub fn number<N: Number>(&mut self) -> Result<N, Malformed> {
        self.require()?.number()
    }

    /// All that follows the one separator behind the last field: free text, which may be empty.
    pub fn rest(&mut self) -> &'a [u8] {
        let left = self.body.get(self.at..).unwrap_or_default();
        let rest = match left.split_first() {
            Some((byte, rest)) if self.at > 0 && is_separator(*byte) => rest,
            _ => left,
        };
        self.at = self.body.len();
        rest
    }

    /// Whether only separators follow.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.body.get(self.at..).unwrap_or_default().iter().all(|byte| is_separator(*byte))
    }
}

impl Field<'_> {
    /// The field as a decimal number.
    ///
    /// # Errors
    /// If it is none, or does not fit.
    pub fn number<N: Number>(&self) -> Result<N, Malformed> {
        decimal(self.bytes).and_then(N::from_u64).ok_or(Malformed { at: self.at, fault: Fault::Number })
    }
}

/// Decimal digits as a number; `None` for anything else, a sign included, and for more than fits.
#[must_use]
pub fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// What can stand on the wire as a decimal number.
pub trait Number: Copy {
    /// The number, if it is in range.
    fn from_u64(number: u64) -> Option<Self>;
    /// What is written.
    fn to_u64(self) -> u64;
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl Number for $ty {
            fn from_u64(number: u64) -> Option<Self> {
                Self::try_from(number).ok()
            }
            fn to_u64(self) -> u64 {
                u64::from(self)
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64);

/// Writes the fields of one body, with one space between them.
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut BytesMut,
    begun: bool,
}

impl<'b> Writer<'b> {
    /// Writes behind what `out` has.
    pub const fn new(out: &'b mut BytesMut) -> Self {
        Self { out, begun: false }
    }

    /// A field without quotes, if it can stand without them; else with them.
    pub fn word(&mut self, word: &[u8]) -> &mut Self {
        if word.is_empty() || word.first() == Some(&b'"') || word.iter().any(|byte| is_separator(*byte)) {
            return self.quoted(word);
        }
        self.separate();
        self.out.put_slice(word);
        self
    }

    /// A field in quotes. A quote inside, for which the protocol has no form, becomes an apostrophe.
    pub fn quoted(&mut self, text: &[u8]) -> &mut Self {
        self.separate();
        self.out.put_u8(b'"');
        for (i, part) in text.split(|byte| *byte == b'"').enumerate() {
            if i > 0 {
                self.out.put_u8(b'\'');
            }
            self.out.put_slice(part);
        }
        self.out.put_u8(b'"');
        self
    }

    /// A number.
    pub fn number<N: Number>(&mut self, number: N) -> &mut Self {
        self.separate();
        put_decimal(self.out, number.to_u64());
        self
    }

    /// A number in quotes.
    pub fn quoted_number<N: Number>(&mut self, number: N) -> &mut Self {
        self.separate();
        self.out.put_u8(b'"');
        put_decimal(self.out, number.to_u64());
        self.out.put_u8(b'"');
        self
    }

    /// Free text as it is: nothing can follow it. No separator is written before an empty one.
    pub fn rest(&mut self, text: &[u8]) -> &mut Self {
        if !text.is_empty() {
            self.separate();
            self.out.put_slice(text);
        }
        self
    }

    /// A colon and a name: who a message between servers comes from.
    pub fn origin(&mut self, name: &[u8]) -> &mut Self {
        self.separate();
        self.out.put_u8(b':');
        self.out.put_slice(name);
        self
    }

    /// Bytes as they are, without a separator before them.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.begun = true;
        self.out.put_slice(bytes);
        self
    }

    fn separate(&mut self) {
        if self.begun {
            self.out.put_u8(b' ');
        }
        self.begun = true;
    }
}

/// Appends a number in decimal digits.
pub fn put_decimal(out: &mut BytesMut, mut number: u64) {
    let mut digits = [0; 20];
    let mut from = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        from -= 1;
        if number == 0 {
            break;
        }
    }
    out.put_slice(digits.get(from..).unwrap_or_default());
}

/// Whether two nicks are the same user: ASCII letters are compared without their case, all other bytes as they are.
#[must_use]
pub const fn same_nick(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// A stranger's text for people's eyes: UTF-8 if it is that, else Windows' CP1252, which nearly all clients of the time
/// wrote. Control characters, the escapes of terminals and marks that turn the writing direction are left out.
#[must_use]
pub const fn shown(text: &[u8]) -> Shown<'_> {
    Shown(text)
}

/// Text that is shown: see [`shown`].
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        match core::str::from_utf8(self.0) {
            Ok(text) => text.chars().filter(is_visible).try_for_each(|c| f.write_char(c)),
            Err(_) => {
                let text = self.0.iter().map(|byte| from_cp1252(*byte));
                text.filter(is_visible).try_for_each(|c| f.write_char(c))
            }
        }
    }
}

fn is_visible(c: &char) -> bool {
    !(c.is_control()
        || matches!(*c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
}

/// A text in Windows' CP1252, if it has all its characters.
#[must_use]
pub fn to_cp1252(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| (0..=u8::MAX).find(|byte| from_cp1252(*byte) == c)).collect()
}

/// The character of a byte in CP1252 (Unicode's table CP1252.TXT); the five bytes that it leaves free are C1 controls.
const fn from_cp1252(byte: u8) -> char {
    match byte {
        0x80 => '€',
        0x82 => '‚',
        0x83 => 'ƒ',
        0x84 => '„',
        0x85 => '…',
        0x86 => '†',
        0x87 => '‡',
        0x88 => 'ˆ',
        0x89 => '‰',
        0x8a => 'Š',
        0x8b => '‹',
        0x8c => 'Œ',
        0x8e => 'Ž',
        0x91 => '‘',
        0x92 => '’',
        0x93 => '“',
        0x94 => '”',
        0x95 => '•',
        0x96 => '–',
        0x97 => '—',
        0x98 => '˜',
        0x99 => '™',
        0x9a => 'š',
        0x9b => '›',
        0x9c => 'œ',
        0x9e => 'ž',
        0x9f => 'Ÿ',
        _ => byte as char,
    }
}
