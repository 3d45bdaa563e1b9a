//! How a file is asked for and given: HTTP/1.1, so that any client of it can fetch (RFC 9110, 9112).
//!
//! ```text
//! GET /sha256/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 HTTP/1.1
//! Host: 192.0.2.1:4001
//! Range: bytes=1048576-2097151
//!
//! HTTP/1.1 206 Partial Content
//! Content-Length: 1048576
//! Content-Range: bytes 1048576-2097151/5000000
//! Accept-Ranges: bytes
//! Content-Type: application/octet-stream
//!
//! (the bytes)
//! ```
//!
//! A connection serves one request after the other. `HEAD` is answered, too. Status 404: not shared here; 410: it has
//! changed since; 416: no such range; 503: come again later. A file's name is not said: its digest is enough.

use super::api::Fault;
use alloc::format;
use alloc::string::{String, ToString};
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use core::ops::Range;
use p2p_core::Id;
use p2p_core::http::{BodyLen, ByteRange, ContentRange, HeadError, MAX_HEAD, Request, Response};

/// What comes before the digest in a path.
const PATH: &str = "/sha256/";

/// The head of a request for a part of a file.
pub(super) fn ask(sha256: &[u8; 32], from: SocketAddr, part: &Range<u64>) -> Bytes {
    let mut out = BytesMut::new();
    Request::get(format!("{PATH}{}", Id(*sha256)))
        .header("Host", from.to_string())
        .header("Range", ByteRange::FromTo(part.start, part.end.saturating_sub(1)).to_string())
        .encode(&mut out);
    out.freeze()
}

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) sha256: [u8; 32],
    pub(super) range: Option<ByteRange>,
    /// Only about it.
    pub(super) head_only: bool,
    pub(super) keeps_alive: bool,
}

/// The request in front of `from`, and its length; `None` if it is not complete yet.
///
/// # Errors
/// The status that it is to be answered with before the connection is closed.
pub(super) fn read_request(from: &[u8]) -> Result<Option<(Asked, usize)>, u16> {
    let (request, used) = match Request::parse(from) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        Err(HeadError::TooLong | HeadError::TooManyHeaders) => return Err(431),
        Err(_) => return Err(400),
    };
    // Nobody has to send us anything.
    if !matches!(request.body(), Ok(BodyLen::Sized(0))) {
        return Err(400);
    }
    let head_only = match request.method.as_str() {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(405),
    };
    let digest = request.path().strip_prefix(PATH).and_then(|digits| digits.parse::<Id<32>>().ok());
    let Some(Id(sha256)) = digest else { return Err(404) };
    let range = request.headers.get("range").and_then(ByteRange::parse);
    Ok(Some((Asked { sha256, range, head_only, keeps_alive: request.keeps_alive() }, used)))
}

/// The head of an answer that has bytes to give.
pub(super) fn give(part: &Range<u64>, total: u64, is_part: bool, keeps_alive: bool) -> Bytes {
    let (status, reason) = if is_part { (206, "Partial Content") } else { (200, "OK") };
    let mut head =
        Response::new(status, reason).header("Content-Length", (part.end - part.start).to_string());
    if is_part {
        head = head.header("Content-Range", ContentRange::new(part.clone(), total).to_string());
    }
    head = head.header("Accept-Ranges", "bytes").header("Content-Type", "application/octet-stream");
    written(head, keeps_alive)
}

/// An answer that has none.
pub(super) fn refuse(status: u16, total: Option<u64>, keeps_alive: bool) -> Bytes {
    let reason = match status {
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        410 => "Gone",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    let mut head = Response::new(status, reason).header("Content-Length", "0");
    match (status, total) {
        (405, _) => head = head.header("Allow", "GET, HEAD"),
        (416, Some(total)) => {
            head = head.header("Content-Range", ContentRange { part: None, total: Some(total) }.to_string());
        }
        (503, _) => head = head.header("Retry-After", "5"),
        _ => {}
    }
    written(head, keeps_alive)
}

fn written(head: Response, keeps_alive: bool) -> Bytes {
    let head = if keeps_alive { head } else { head.header("Connection", "close") };
    let mut out = BytesMut::new();
    head.encode(&mut out);
    out.freeze()
}

/// What a holder answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// The part follows; whether another request may.
    Part { keeps_alive: bool },
    /// It has too much to do.
    Busy,
}

/// The answer to a request for `part` of `size` bytes in front of `from`, and its length; `None` if it is not complete
/// yet.
///
/// # Errors
/// What is wrong with the holder.
pub(super) fn read_answer(
    from: &[u8],
    part: &Range<u64>,
    size: u64,
) -> Result<Option<(Answered, usize)>, Fault> {
    let Some((head, used)) = Response::parse(from).map_err(|_| Fault::Malformed)? else {
        return if from.len() >= MAX_HEAD { Err(Fault::Malformed) } else { Ok(None) };
    };
    match head.status {
        200 | 206 => {}
        404 | 410 => return Err(Fault::Lacks),
        // The file is shorter there than it should be.
        416 => return Err(Fault::Size),
        429 | 503 => return Ok(Some((Answered::Busy, used))),
        status => return Err(Fault::Refused(status)),
    }
    let len = part.end - part.start;
    let given: Option<String> = head.headers.get("content-range").map(Into::into);
    let total = match (head.status, given) {
        // It knows no ranges: then all of it is as good, where all of it is wanted.
        (200, _) => match head.body() {
            Ok(BodyLen::Sized(total)) => total,
            _ => return Err(Fault::Malformed),
        },
        (_, Some(given)) => {
            let Some(range) = ContentRange::parse(&given) else { return Err(Fault::Malformed) };
            let Some(total) = range.total else { return Err(Fault::Malformed) };
            if total == size && range.part != Some((part.start, part.end - 1)) {
                return Err(Fault::Malformed);
            }
            total
        }
        (_, None) => return Err(Fault::Malformed),
    };
    if total != size {
        return Err(Fault::Size);
    }
    match head.body() {
        Ok(BodyLen::Sized(body)) if body == len => {
            Ok(Some((Answered::Part { keeps_alive: head.keeps_alive() }, used)))
        }
        _ => Err(Fault::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_asked_is_understood() {
        let digest = [0xab; 32];
        let head = ask(&digest, SocketAddr::from(([192, 0, 2, 1], 80)), &(100..200));
        for cut in 0..head.len() {
            assert_eq!(read_request(&head[..cut]), Ok(None), "{cut}");
        }
        let (asked, used) = read_request(&head).unwrap().unwrap();
        assert_eq!(used, head.len());
        let range = Some(ByteRange::FromTo(100, 199));
        assert_eq!(asked, Asked { sha256: digest, range, head_only: false, keeps_alive: true });
    }

    #[test]
    fn what_is_no_request_has_its_status() {
        let path = "ab".repeat(32);
        for (wrong, status) in [
            ("nonsense\r\n\r\n".into(), 400),
            ("GET / HTTP/1.1\r\n\r\n".into(), 404),
            ("GET /sha256/00 HTTP/1.1\r\n\r\n".into(), 404),
            (format!("GET /sha256/../{path} HTTP/1.1\r\n\r\n"), 404),
            (format!("POST /sha256/{path} HTTP/1.1\r\n\r\n"), 405),
            (format!("GET /sha256/{path} HTTP/1.1\r\nContent-Length: 5\r\n\r\n"), 400),
            (format!("GET /sha256/{path} HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(9_000)), 431),
        ] {
            assert_eq!(read_request(wrong.as_bytes()), Err(status), "{wrong}");
        }
        // Nonsense for a range is none (RFC 9110, 14.2): the whole file is sent.
        for range in ["bytes=5-3", "bytes=a-b", "lines=0-1", "bytes=0-1,5-6"] {
            let head = format!("GET /sha256/{path} HTTP/1.1\r\nRange: {range}\r\n\r\n");
            assert_eq!(read_request(head.as_bytes()).unwrap().unwrap().0.range, None, "{range}");
        }
    }

    #[test]
    fn an_answer_is_to_what_was_asked_or_a_fault() {
        let part = 100..200;
        let good = give(&part, 1_000, true, true);
        let answered = Answered::Part { keeps_alive: true };
        assert_eq!(read_answer(&good, &part, 1_000), Ok(Some((answered, good.len()))));
        assert_eq!(read_answer(&good, &part, 999), Err(Fault::Size), "it lies about the size");
        assert_eq!(read_answer(&good, &(0..100), 1_000), Err(Fault::Malformed), "another part");
        assert_eq!(read_answer(&good, &(100..150), 1_000), Err(Fault::Malformed), "a longer one");
        let whole = give(&(0..1_000), 1_000, false, false);
        let answered = Answered::Part { keeps_alive: false };
        assert_eq!(read_answer(&whole, &(0..1_000), 1_000), Ok(Some((answered, whole.len()))));
        assert_eq!(read_answer(&whole, &part, 1_000), Err(Fault::Malformed), "all in place of a part");
        for (status, expected) in [
            (404, Err(Fault::Lacks)),
            (410, Err(Fault::Lacks)),
            (416, Err(Fault::Size)),
            (400, Err(Fault::Refused(400))),
        ] {
            assert_eq!(read_answer(&refuse(status, Some(5), false), &part, 1_000), expected, "{status}");
        }
        let busy = refuse(503, None, false);
        assert_eq!(read_answer(&busy, &part, 1_000), Ok(Some((Answered::Busy, busy.len()))));
        let endless =
            b"HTTP/1.1 206 OK\r\nTransfer-Encoding: chunked\r\nContent-Range: bytes 100-199/1000\r\n\r\n";
        assert_eq!(read_answer(endless, &part, 1_000), Err(Fault::Malformed));
    }

    proptest! {
        #[test]
        fn junk_is_refused(junk in prop::collection::vec(any::<u8>(), 0..300), from in 0u64..1_000, len in 1u64..1_000) {
            let _ = read_request(&junk);
            if let Ok(Some((_, used))) = read_answer(&junk, &(from..from + len), from + len) {
                prop_assert!(used <= junk.len());
            }
        }

        #[test]
        fn any_part_is_given_as_it_was_asked(size in 1u64..1 << 40, from in any::<u64>(), len in any::<u64>()) {
            let from = from % size;
            let part = from..from + 1 + len % (size - from);
            let head = ask(&[7; 32], SocketAddr::from(([192, 0, 2, 1], 80)), &part);
            let (asked, _) = read_request(&head).unwrap().unwrap();
            let served = asked.range.unwrap().of(size).unwrap();
            prop_assert_eq!(&served, &part);
            let answer = give(&served, size, true, true);
            let expected = Ok(Some((Answered::Part { keeps_alive: true }, answer.len())));
            prop_assert_eq!(read_answer(&answer, &part, size), expected);
        }
    }
}
