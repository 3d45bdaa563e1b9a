//! Heads as servents write them, of handshakes, requests and answers: [`HeadReader`] collects one, [`Head`] is what it says.
//!
//! More is taken than HTTP allows, for old servents wrote it: spaces in targets, lines that go on, bare newlines.

use alloc::string::String;
use alloc::vec::Vec;
use bytes::{Buf, Bytes};
use p2p_core::http::{HeadError, Headers, MAX_HEAD, MAX_HEADERS, Request, Response};

/// Empty lines before a head that are skipped: some write one behind a body.
const EMPTY_MAX: usize = 2;

/// A head: its first line, and its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The first line, without its end.
    pub first: String,
    /// The lines. Those that go on were joined, those that are no headers left out.
    pub headers: Headers,
}

/// Collects a head, a byte at a time if need be, looking at each byte once.
#[derive(Debug, Clone, Default)]
pub struct HeadReader {
    bytes: Vec<u8>,
    lines: usize,
    empty: usize,
    /// Whether something has come since the last newline.
    in_line: bool,
}

impl HeadReader {
    /// Nothing has come.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), lines: 0, empty: 0, in_line: false }
    }

    /// How many bytes are held: at most 8 KiB.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing of a head has come.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes what it needs of `input`, which loses it; the head once it is whole.
    ///
    /// # Errors
    /// If it is over a limit of [`p2p_core::http`]; the stream cannot be read on then.
    pub fn read(&mut self, input: &mut Bytes) -> Result<Option<Head>, HeadError> {
        let mut end = None;
        for (at, byte) in input.iter().enumerate() {
            if self.bytes.len() + at >= MAX_HEAD {
                return Err(HeadError::TooLong);
            }
            match byte {
                b'\n' if self.in_line => {
                    self.in_line = false;
                    self.lines += 1;
                    // The first line is no header.
                    if self.lines > MAX_HEADERS + 1 {
                        return Err(HeadError::TooManyHeaders);
                    }
                }
                b'\n' if self.lines > 0 => {
                    end = Some(at + 1);
                    break;
                }
                b'\n' => {
                    self.empty += 1;
                    if self.empty > EMPTY_MAX {
                        return Err(HeadError::Malformed("empty lines"));
                    }
                }
                b'\r' => {}
                _ => self.in_line = true,
            }
        }
        let taken = end.unwrap_or(input.len());
        self.bytes.extend_from_slice(input.get(..taken).unwrap_or_default());
        input.advance(taken);
        if end.is_none() {
            return Ok(None);
        }
        let bytes = core::mem::take(self).bytes;
        Ok(Some(Head::parse(&bytes)))
    }
}

impl Head {
    fn parse(bytes: &[u8]) -> Self {
        let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut lines = lines.skip_while(|line| line.is_empty());
        let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).trim_end().into();
        let mut headers = Headers::new();
        let mut open: Option<(&str, Vec<u8>)> = None;
        for line in lines {
            match (line.first(), &mut open) {
                (Some(b' ' | b'\t'), Some((_, value))) => {
                    value.push(b' ');
                    value.extend_from_slice(line.trim_ascii());
                }
                _ => {
                    if let Some((name, value)) = open.take() {
                        headers.push(name, value);
                    }
                    let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
                    let (name, value) = line.split_at(colon);
                    let name = str::from_utf8(name.trim_ascii()).unwrap_or_default();
                    if !name.is_empty() {
                        open = Some((name, value.get(1..).unwrap_or_default().into()));
                    }
                }
            }
        }
        if let Some((name, value)) = open {
            headers.push(name, value);
        }
        Self { first, headers }
    }

    /// The head of a request. A target may hold spaces: it goes up to the version.
    ///
    /// # Errors
    /// If the first line is none of HTTP/1.x.
    pub fn into_request(self) -> Result<Request, HeadError> {
        let no_request = HeadError::Malformed("request line");
        let (method, rest) = self.first.split_once(' ').ok_or(no_request)?;
        let (target, version) = rest.rsplit_once(' ').ok_or(no_request)?;
        let minor = version.strip_prefix("HTTP/1.").and_then(|minor| minor.parse::<u8>().ok());
        let minor = minor.ok_or(HeadError::Malformed("version"))?.min(1);
        let target = target.trim();
        if target.is_empty() || method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(no_request);
        }
        Ok(Request { method: method.into(), target: target.into(), minor, headers: self.headers })
    }

    /// The head of an answer. Servents of 2000 leave the minor version out.
    ///
    /// # Errors
    /// If the first line is none of HTTP.
    pub fn into_response(self) -> Result<Response, HeadError> {
        let no_answer = HeadError::Malformed("status line");
        let (version, rest) = self.first.split_once(' ').ok_or(no_answer)?;
        let minor = match version {
            "HTTP/1.1" => 1,
            "HTTP/1.0" | "HTTP" => 0,
            _ => return Err(HeadError::Malformed("version")),
        };
        let (status, reason) = rest.trim_start().split_once(' ').unwrap_or_else(|| (rest.trim(), ""));
        let status = status.parse().ok().filter(|status| (100..1_000).contains(status)).ok_or(no_answer)?;
        Ok(Response { minor, status, reason: reason.trim().into(), headers: self.headers })
    }
}
