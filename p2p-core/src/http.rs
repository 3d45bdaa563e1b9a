//! The part of HTTP/1.x that peer-to-peer systems speak: heads, body framing, ranges, URLs, raw bytes in queries.
//!
//! Trackers, web seeds, and the transfers of Gnutella and FastTrack need heads and little else; a client library would
//! bring its own sockets. Heads are parsed by `httparse` from the bytes at hand, within fixed limits:
//!
//! ```
//! use p2p_core::http::{BodyLen, Request, Response};
//!
//! let mut out = bytes::BytesMut::new();
//! Request::get("/announce?left=0").header("Host", "tracker.example").encode(&mut out);
//! assert_eq!(&out[..], b"GET /announce?left=0 HTTP/1.1\r\nHost: tracker.example\r\n\r\n");
//!
//! let came = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nd2:";
//! assert!(Response::parse(&came[..20])?.is_none(), "not complete yet");
//! let (head, used) = Response::parse(came)?.unwrap();
//! assert_eq!((head.status, head.body()?), (200, BodyLen::Sized(3)));
//! assert_eq!(&came[used..], b"d2:");
//! # Ok::<(), p2p_core::http::HeadError>(())
//! ```

mod body;
mod headers;
mod percent;
mod range;
mod url;

pub use body::{BodyError, BodyLen, BodyPart, Chunked};
pub use headers::Headers;
pub use percent::{Plus, decode as percent_decode, encode as percent_encode};
pub use range::{ByteRange, ContentRange};
pub use url::{Scheme, Url, UrlError};

use alloc::string::String;
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};

/// The most header lines of a head. Real ones have about ten; the list is on the stack while parsing.
pub const MAX_HEADERS: usize = 64;
/// The longest head, in bytes: room for a tracker's longest announce; a stranger makes us keep no more.
pub const MAX_HEAD: usize = 8_192;

/// Why bytes are not the head of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// Longer than [`MAX_HEAD`], and perhaps endless.
    #[error("the head is longer than 8 KiB")]
    TooLong,
    /// More than [`MAX_HEADERS`] lines.
    #[error("more than 64 header lines")]
    TooManyHeaders,
    /// Not HTTP/1.x.
    #[error("malformed head: {0}")]
    Malformed(&'static str),
    /// `Content-Length` is no number, or there are two that differ, or one beside a `Transfer-Encoding`.
    #[error("the length of the body is not clear")]
    Length,
    /// A `Transfer-Encoding` other than `chunked`.
    #[error("unknown transfer encoding")]
    Encoding,
}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooManyHeaders,
            httparse::Error::HeaderName => Self::Malformed("header name"),
            httparse::Error::HeaderValue => Self::Malformed("header value"),
            httparse::Error::NewLine => Self::Malformed("line end"),
            httparse::Error::Status => Self::Malformed("status"),
            httparse::Error::Version => Self::Malformed("version"),
            _ => Self::Malformed("token"),
        }
    }
}

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, ..., as sent.
    pub method: String,
    /// What is asked for: path and query, still encoded.
    pub target: String,
    /// The minor version: 0 or 1.
    pub minor: u8,
    /// The header lines.
    pub headers: Headers,
}

/// The head of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The minor version: 0 or 1.
    pub minor: u8,
    /// The status code, 100 to 999.
    pub status: u16,
    /// The text behind it, for people.
    pub reason: String,
    /// The header lines.
    pub headers: Headers,
}

/// The bytes that may be a head; an error if it is too long already.
fn within_limit<T>(from: &[u8], parsed: httparse::Result<T>) -> Result<Option<(T, usize)>, HeadError> {
    match parsed? {
        httparse::Status::Complete(found) => Ok(Some((found, 0))),
        httparse::Status::Partial if from.len() >= MAX_HEAD => Err(HeadError::TooLong),
        httparse::Status::Partial => Ok(None),
    }
}

fn head_part(from: &[u8]) -> &[u8] {
    from.get(..MAX_HEAD).unwrap_or(from)
}

impl Request {
    /// A `GET` of HTTP/1.1 without header lines.
    #[must_use]
    pub fn get(target: impl Into<String>) -> Self {
        Self { method: "GET".into(), target: target.into(), minor: 1, headers: Headers::new() }
    }

    /// The same with one more header line; see [`Headers::push`].
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The head at the beginning of `from` and its length with the empty line; `None` if it is not complete yet.
    ///
    /// # Errors
    /// If it is no request of HTTP/1.x, or over a limit.
    pub fn parse(from: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        let part = head_part(from);
        let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut lines);
        let parsed = head.parse(part);
        let Some((used, _)) = within_limit(part, parsed)? else { return Ok(None) };
        let request = Self {
            method: head.method.unwrap_or_default().into(),
            target: head.path.unwrap_or_default().into(),
            minor: head.version.unwrap_or_default(),
            headers: Headers::from_lines(head.headers),
        };
        Ok(Some((request, used)))
    }

    /// Appends the head with its empty line. Bytes of the method or target that would break the line are encoded.
    pub fn encode(&self, to: &mut BytesMut) {
        put_line_text(to, &self.method);
        to.put_u8(b' ');
        put_line_text(to, &self.target);
        to.put_slice(if self.minor == 0 { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" });
        self.headers.encode(to);
    }

    /// The target up to its `?`, still encoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// The target behind its `?`, still encoded; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The `key=value` pairs of the query, still encoded. A part without `=` has an empty value.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        let parts = self.query().split('&').filter(|part| !part.is_empty());
        parts.map(|part| part.split_once('=').unwrap_or((part, "")))
    }

    /// The first value of a parameter, decoded to raw bytes; `+` is taken as it is, as trackers do. `None` if there is
    /// none or its encoding is broken.
    #[must_use]
    pub fn param(&self, key: &str) -> Option<Vec<u8>> {
        let (_, value) = self.params().find(|(name, _)| *name == key)?;
        percent_decode(value, Plus::Literal)
    }

    /// How long the body is. Without a header that says so there is none.
    ///
    /// # Errors
    /// If the headers contradict each other or name an unknown encoding.
    pub fn body(&self) -> Result<BodyLen, HeadError> {
        Ok(body::len_from(&self.headers)?.unwrap_or(BodyLen::Sized(0)))
    }

    /// Whether the connection may serve another request afterwards.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        self.headers.keeps_alive(self.minor)
    }
}

impl Response {
    /// A response of HTTP/1.1 without header lines.
    #[must_use]
    pub fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { minor: 1, status, reason: reason.into(), headers: Headers::new() }
    }

    /// The same with one more header line; see [`Headers::push`].
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The head at the beginning of `from` and its length with the empty line; `None` if it is not complete yet.
    ///
    /// # Errors
    /// If it is no response of HTTP/1.x, or over a limit.
    pub fn parse(from: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        let part = head_part(from);
        let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut lines);
        let parsed = head.parse(part);
        let Some((used, _)) = within_limit(part, parsed)? else { return Ok(None) };
        let response = Self {
            minor: head.version.unwrap_or_default(),
            status: head.code.unwrap_or_default(),
            reason: head.reason.unwrap_or_default().into(),
            headers: Headers::from_lines(head.headers),
        };
        Ok(Some((response, used)))
    }

    /// Appends the head with its empty line. Control characters of the reason become spaces.
    pub fn encode(&self, to: &mut BytesMut) {
        to.put_slice(if self.minor == 0 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
        let status = self.status.clamp(100, 999);
        to.put_slice(&[status / 100, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8));
        to.put_u8(b' ');
        to.extend(self.reason.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
        to.put_slice(b"\r\n");
        self.headers.encode(to);
    }

    /// How long the body is. Without a header that says so it ends with the connection. The answer to a `HEAD` has
    /// none, whatever this says.
    ///
    /// # Errors
    /// If the headers contradict each other or name an unknown encoding.
    pub fn body(&self) -> Result<BodyLen, HeadError> {
        if matches!(self.status, 100..=199 | 204 | 304) {
            return Ok(BodyLen::Sized(0));
        }
        Ok(body::len_from(&self.headers)?.unwrap_or(BodyLen::UntilClose))
    }

    /// Whether the connection may serve another request afterwards.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        self.headers.keeps_alive(self.minor)
    }
}

/// The header lines at the beginning of `from`, up to an empty line, and their length with it; `None` if they are not
/// complete yet. The line before them is the caller's (see [`first_line`]): `GNUTELLA CONNECT/0.6`, or a request with
/// spaces in its target.
///
/// # Errors
/// If they are no header lines, or over a limit.
pub fn parse_headers(from: &[u8]) -> Result<Option<(Headers, usize)>, HeadError> {
    let part = head_part(from);
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let parsed = httparse::parse_headers(part, &mut lines);
    let Some(((used, lines), _)) = within_limit(part, parsed)? else { return Ok(None) };
    Ok(Some((Headers::from_lines(lines), used)))
}

/// The first line of `from` without its end, and its length with it (`\r\n` or `\n`); `None` if it is not complete yet.
///
/// # Errors
/// If it is longer than [`MAX_HEAD`].
pub fn first_line(from: &[u8]) -> Result<Option<(&[u8], usize)>, HeadError> {
    let part = head_part(from);
    match part.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = part.get(..end).unwrap_or_default();
            Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1)))
        }
        None if part.len() >= MAX_HEAD => Err(HeadError::TooLong),
        None => Ok(None),
    }
}

/// Puts text that must hold no space and no control character.
fn put_line_text(to: &mut BytesMut, text: &str) {
    for byte in text.bytes() {
        match byte {
            0..=b' ' | 0x7f => percent::put_byte(to, byte),
            _ => to.put_u8(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    #[test]
    fn an_announce_as_clients_send_it() {
        let came = b"GET /announce?info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A&port=6881&compact=1&event HTTP/1.1\r\nHost: t:80\r\nUser-Agent:  x \r\nX-Empty:\r\n\r\nrest";
        for cut in 0..came.len() - 4 {
            assert_eq!(Request::parse(&came[..cut]), Ok(None), "{cut}");
        }
        let (head, used) = Request::parse(came).unwrap().unwrap();
        assert_eq!(&came[used..], b"rest");
        assert_eq!((head.method.as_str(), head.path(), head.minor), ("GET", "/announce", 1));
        let hash = b"\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78\x9a";
        assert_eq!(head.param("info_hash").unwrap(), hash);
        assert_eq!((head.param("event"), head.param("left")), (Some(Vec::new()), None));
        assert_eq!(head.headers.get("USER-agent"), Some("x"));
        assert_eq!((head.headers.get("x-empty"), head.headers.get("accept")), (Some(""), None));
        assert_eq!((head.body(), head.keeps_alive()), (Ok(BodyLen::Sized(0)), true));
    }

    #[test]
    fn a_response_with_bare_newlines() {
        let (head, used) = Response::parse(b"HTTP/1.0 404 Not Found\nA: b\n\nx").unwrap().unwrap();
        assert_eq!((head.status, head.reason.as_str(), head.minor, used), (404, "Not Found", 0, 29));
        assert_eq!((head.body(), head.keeps_alive()), (Ok(BodyLen::UntilClose), false));
        assert_eq!(Response::new(204, "").body(), Ok(BodyLen::Sized(0)));
    }

    #[test]
    fn a_gnutella_handshake_leaves_its_first_line_to_the_caller() {
        let came = b"GNUTELLA CONNECT/0.6\r\nUser-Agent: LimeWire/4.18.8\r\nX-Ultrapeer: False\r\nX-Try: 1.2.3.4:6346,5.6.7.8:6346\r\n\r\n";
        let (line, start) = first_line(came).unwrap().unwrap();
        assert_eq!(line, b"GNUTELLA CONNECT/0.6");
        assert_eq!(parse_headers(&came[start..came.len() - 1]), Ok(None));
        let (headers, used) = parse_headers(&came[start..]).unwrap().unwrap();
        assert_eq!(start + used, came.len());
        assert_eq!(headers.get("x-ultrapeer"), Some("False"));
        assert!(headers.lists("x-try", "5.6.7.8:6346") && !headers.lists("x-try", "5.6.7.8"));
        assert_eq!(first_line(b"GNUTELLA"), Ok(None));
    }

    #[test]
    fn limits() {
        let long = [b'a'; MAX_HEAD + 10];
        assert_eq!(Request::parse(&long[..MAX_HEAD - 1]), Ok(None));
        assert_eq!(Request::parse(&long), Err(HeadError::TooLong));
        assert_eq!(first_line(&long), Err(HeadError::TooLong));
        assert_eq!(parse_headers(&long), Err(HeadError::TooLong));
        let response = |lines: usize| {
            let mut head = Response::new(200, "OK");
            (0..lines).for_each(|i| head.headers.push(&format!("h{i}"), "v"));
            let mut out = BytesMut::new();
            head.encode(&mut out);
            Response::parse(&out)
        };
        assert_eq!(response(64).unwrap().unwrap().0.headers.len(), 64);
        assert_eq!(response(65), Err(HeadError::TooManyHeaders));
        // A complete head, but longer than the limit.
        let mut out = BytesMut::new();
        Response::new(200, "OK").header("a", &long[..]).encode(&mut out);
        assert_eq!(Response::parse(&out), Err(HeadError::TooLong));
    }

    #[test]
    fn nothing_can_be_smuggled_into_a_head() {
        let mut out = BytesMut::new();
        Request::get("/a b\r\nEvil: 1").header("X\r\nY", "v\r\nZ: 1\0").encode(&mut out);
        assert_eq!(&out[..], b"GET /a%20b%0D%0AEvil:%201 HTTP/1.1\r\nX--Y: v  Z: 1 \r\n\r\n");
        let mut out = BytesMut::new();
        Response::new(9_999, "no\r\nway").encode(&mut out);
        assert_eq!(&out[..], b"HTTP/1.1 999 no  way\r\n\r\n");
    }

    proptest! {
        #[test]
        fn junk_never_panics(junk in prop::collection::vec(any::<u8>(), 0..300), start in 0usize..4) {
            let starts: [&[u8]; 4] = [b"", b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\na:"];
            let bytes = [starts[start], &junk].concat();
            for (used, headers) in [
                Request::parse(&bytes).ok().flatten().map(|(head, used)| (used, head.headers)),
                Response::parse(&bytes).ok().flatten().map(|(head, used)| (used, head.headers)),
                parse_headers(&bytes).ok().flatten().map(|(headers, used)| (used, headers)),
            ].into_iter().flatten() {
                prop_assert!(used <= bytes.len() && headers.len() <= MAX_HEADERS);
                let _ = body::len_from(&headers);
            }
        }

        #[test]
        fn what_is_encoded_parses_back(
            target in "/[ -~\u{80}-\u{ff}]{0,40}", status in 100u16..1000, reason in "[!-~][ -~]{0,20}",
            lines in prop::collection::vec(("[A-Za-z0-9-]{1,12}", "([!-~]([ -~]{0,20}[!-~])?)?"), 0..20),
        ) {
            let target = target.replace(' ', "%20");
            let (mut request, mut response) = (Request::get(&target), Response::new(status, reason.trim()));
            for (name, value) in &lines {
                request = request.header(name, value);
                response = response.header(name, value);
            }
            let mut out = BytesMut::new();
            request.encode(&mut out);
            prop_assert_eq!(Request::parse(&out), Ok(Some((request, out.len()))));
            out.clear();
            response.encode(&mut out);
            prop_assert_eq!(Response::parse(&out), Ok(Some((response, out.len()))));
        }
    }
}
