//! The header lines of a head: [`Headers`].

use alloc::string::String;
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};
use core::fmt;

/// Header lines in their order. Names compare without regard to case.
///
/// All text lies in one run of memory, whatever the number of lines.
#[derive(Clone, Default)]
pub struct Headers {
    /// Names and values, one behind the other.
    text: Vec<u8>,
    /// Where each line's name and value end in `text`.
    ends: Vec<(u32, u32)>,
}

impl Headers {
    /// No lines.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: Vec::new(), ends: Vec::new() }
    }

    pub(super) fn from_lines(lines: &[httparse::Header<'_>]) -> Self {
        let size = lines.iter().map(|line| line.name.len() + line.value.len()).sum();
        let mut headers = Self { text: Vec::with_capacity(size), ends: Vec::with_capacity(lines.len()) };
        lines.iter().for_each(|line| headers.push(line.name, line.value));
        headers
    }

    /// Adds a line. What would break it is replaced, so a stranger's text can be passed: control characters of the value
    /// become spaces, bytes that no name may hold become `-`. Space around the value is dropped.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let safe = |byte: u8| {
            if byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte) { byte } else { b'-' }
        };
        self.text.extend(name.bytes().map(safe));
        let name_end = self.text.len() as u32;
        let value = value.as_ref().trim_ascii();
        self.text.extend(value.iter().map(|byte| match byte {
            b'\t' => b'\t',
            0..32 | 127 => b' ',
            other => *other,
        }));
        self.ends.push((name_end, self.text.len() as u32));
    }

    /// How many lines there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Names and values, in order. A value need not be text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let starts = core::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        starts.zip(&self.ends).map(|(start, (name_end, end))| {
            let part = |from: u32, to: u32| self.text.get(from as usize..to as usize).unwrap_or_default();
            (str::from_utf8(part(start, *name_end)).unwrap_or_default(), part(*name_end, *end))
        })
    }

    /// The values of all lines of this name.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(is, _)| is.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The first value of this name, as bytes.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The first value of this name, if it is text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// Whether one of the lines of this name holds `token`, in any case, in its list separated by commas.
    #[must_use]
    pub fn lists(&self, name: &str, token: &str) -> bool {
        let mut tokens = self.all(name).flat_map(|value| value.split(|byte| *byte == b','));
        tokens.any(|is| is.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Whether the connection stays open after a message of HTTP/1.`minor` with these lines.
    pub(super) fn keeps_alive(&self, minor: u8) -> bool {
        if minor == 0 { self.lists("connection", "keep-alive") } else { !self.lists("connection", "close") }
    }

    /// Appends the lines, and the empty one that ends a head.
    pub fn encode(&self, to: &mut BytesMut) {
        to.reserve(self.text.len() + 4 * self.ends.len() + 2);
        for (name, value) in self.iter() {
            to.put_slice(name.as_bytes());
            to.put_slice(b": ");
            to.put_slice(value);
            to.put_slice(b"\r\n");
        }
        to.put_slice(b"\r\n");
    }
}

impl PartialEq for Headers {
    /// The same names (in any case) and values in the same order.
    fn eq(&self, other: &Self) -> bool {
        let lines = || self.iter().zip(other.iter());
        self.len() == other.len() && lines().all(|(a, b)| a.0.eq_ignore_ascii_case(b.0) && a.1 == b.1)
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name, String::from_utf8_lossy(value))))
            .finish()
    }
}
