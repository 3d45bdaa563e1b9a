//! A leg as it comes: [`HeadReader`] collects it, [`Head`] is its first line and its headers.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{Buf, Bytes};
use p2p_core::http::{Headers, MAX_HEAD, MAX_HEADERS};

/// Why a handshake cannot go on; the connection is to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A leg of more than [`MAX_HEAD`] bytes.
    #[error("a leg of more than {MAX_HEAD} bytes")]
    TooLong,
    /// A leg of more than [`MAX_HEADERS`] lines.
    #[error("a leg of more than {MAX_HEADERS} lines")]
    TooManyLines,
    /// A first line that is none of Gnutella's, or not that of this leg.
    #[error("not a line of this leg: {0:?}")]
    Line(String),
    /// More came where the other side had to wait.
    #[error("it is not the other side's turn")]
    Turn,
}

/// The longest first line that an error shows.
const SHOWN: usize = 64;

/// What a leg begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstLine {
    /// `GNUTELLA CONNECT/0.6`: a link is asked for.
    Connect {
        /// The major number.
        major: u8,
        /// The minor number.
        minor: u8,
    },
    /// `GNUTELLA/0.6 200 OK`: an answer.
    Response {
        /// 200 to go on; anything else ends it.
        code: u16,
        /// For people.
        reason: String,
    },
    /// `GNUTELLA OK`: the answer of 0.4.
    Old,
}

impl FirstLine {
    fn parse(line: &[u8]) -> Option<Self> {
        let line = str::from_utf8(line).ok()?.trim_end();
        if let Some(version) = line.strip_prefix("GNUTELLA CONNECT/") {
            let (major, minor) = version.split_once('.')?;
            return Some(Self::Connect { major: major.parse().ok()?, minor: minor.parse().ok()? });
        }
        if line == "GNUTELLA OK" {
            return Some(Self::Old);
        }
        let (version, rest) = line.strip_prefix("GNUTELLA/")?.split_once(' ')?;
        let (major, minor) = version.split_once('.')?;
        let numbers = [major, minor].iter().all(|number| number.parse::<u8>().is_ok());
        let (code, reason) = rest.trim_start().split_once(' ').unwrap_or_else(|| (rest.trim_start(), ""));
        let code = code.parse().ok().filter(|code| numbers && (100..1_000).contains(code))?;
        Some(Self::Response { code, reason: reason.trim().to_owned() })
    }
}

/// A leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it begins with.
    pub line: FirstLine,
    /// Its headers. Lines that go on were joined, lines that are no headers left out.
    pub headers: Headers,
}

/// Collects a leg, a byte at a time if need be, looking at each byte once.
#[derive(Clone, Debug)]
pub struct HeadReader {
    bytes: Vec<u8>,
    lines: usize,
    /// Whether nothing but a carriage return has come since the last newline.
    line_is_empty: bool,
}

impl Default for HeadReader {
    fn default() -> Self {
        Self::new()
    }
}

impl HeadReader {
    /// Nothing has come.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), lines: 0, line_is_empty: true }
    }

    /// How many bytes are held: at most [`MAX_HEAD`].
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no byte is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes what it needs of `input`, which loses it; the leg once it is complete, and then what is left of `input` is
    /// behind it.
    ///
    /// # Errors
    /// If it is too long, or its first line is none of Gnutella's.
    pub fn read(&mut self, input: &mut Bytes) -> Result<Option<Head>, HandshakeError> {
        let mut end = None;
        for (at, byte) in input.iter().enumerate() {
            if self.bytes.len() + at >= MAX_HEAD {
                return Err(HandshakeError::TooLong);
            }
            match byte {
                b'\n' if self.line_is_empty => {
                    end = Some(at + 1);
                    break;
                }
                b'\n' => {
                    self.line_is_empty = true;
                    self.lines += 1;
                    // The first line is no header.
                    if self.lines > MAX_HEADERS + 1 {
                        return Err(HandshakeError::TooManyLines);
                    }
                }
                b'\r' => {}
                _ => self.line_is_empty = false,
            }
        }
        let taken = end.unwrap_or(input.len());
        self.bytes.extend_from_slice(input.get(..taken).unwrap_or_default());
        input.advance(taken);
        if end.is_none() {
            return Ok(None);
        }
        let bytes = core::mem::take(self).bytes;
        Head::parse(&bytes).map(Some)
    }
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Self, HandshakeError> {
        let mut lines =
            bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = lines.next().unwrap_or_default();
        let line = FirstLine::parse(first).ok_or_else(|| {
            HandshakeError::Line(String::from_utf8_lossy(first.get(..SHOWN).unwrap_or(first)).into_owned())
        })?;
        let mut headers = Headers::new();
        let mut open: Option<(&str, Vec<u8>)> = None;
        for line in lines {
            match (line.first(), &mut open) {
                // A line that goes on.
                (Some(b' ' | b'\t'), Some((_, value))) => {
                    value.push(b' ');
                    value.extend_from_slice(line.trim_ascii());
                }
                _ => {
                    if let Some((name, value)) = open.take() {
                        headers.push(name, value);
                    }
                    let colon = line.iter().position(|byte| *byte == b':');
                    let (name, value) = line.split_at(colon.unwrap_or_default());
                    let name = str::from_utf8(name.trim_ascii()).unwrap_or_default();
                    if !name.is_empty() {
                        open = Some((name, value.get(1..).unwrap_or_default().to_owned()));
                    }
                }
            }
        }
        if let Some((name, value)) = open {
            headers.push(name, value);
        }
        Ok(Self { line, headers })
    }
}
