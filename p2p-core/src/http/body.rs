//! Where a body ends: [`BodyLen`], and the decoder of chunked ones, [`Chunked`].

use super::{HeadError, Headers};
use crate::frames::Frames;
use bytes::Bytes;

/// How a message says where its body ends (RFC 9112, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLen {
    /// After so many bytes.
    Sized(u64),
    /// As its chunks say; see [`Chunked`].
    Chunked,
    /// With the connection.
    UntilClose,
}

/// The length that header lines name, if they do.
pub(super) fn len_from(headers: &Headers) -> Result<Option<BodyLen>, HeadError> {
    let mut length = None;
    let values = headers.all("content-length").flat_map(|value| value.split(|byte| *byte == b','));
    for value in values {
        let value = decimal(value.trim_ascii()).ok_or(HeadError::Length)?;
        // RFC 9112, 6.3: the same length twice may pass, two lengths are an attack or a bug.
        if length.is_some_and(|old| old != value) {
            return Err(HeadError::Length);
        }
        length = Some(value);
    }
    let mut codings = headers.all("transfer-encoding").map(<[u8]>::trim_ascii);
    match (codings.next(), codings.next(), length) {
        (None, _, length) => Ok(length.map(BodyLen::Sized)),
        (Some(coding), None, None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Some(BodyLen::Chunked)),
        (Some(coding), None, length) if coding.eq_ignore_ascii_case(b"identity") => {
            Ok(length.map(BodyLen::Sized))
        }
        (Some(_), _, None) => Err(HeadError::Encoding),
        (Some(_), _, Some(_)) => Err(HeadError::Length),
    }
}

/// Digits only: no sign, no space, no overflow.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    let digit = |value: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    };
    if text.is_empty() { None } else { text.iter().try_fold(0, digit) }
}

/// Why bytes are no chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// A chunk's size is no hexadecimal number, or is too large for one.
    #[error("malformed chunk size")]
    Size,
    /// A line end is missing.
    #[error("a chunk does not end where it should")]
    LineEnd,
    /// The body, or a line beside it, is longer than allowed.
    #[error("the body is too long")]
    TooLong,
}

/// A part of a chunked body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyPart {
    /// Bytes of the body, at least one.
    Data(Bytes),
    /// The body ended; what is left in the buffer is the next message.
    End,
}

/// Takes a chunked body (RFC 9112, section 7.1) out of a buffer, piece by piece and without copying.
#[derive(Debug, Clone)]
pub struct Chunked {
    state: State,
    /// How many more bytes the body may have.
    left: u64,
    /// How many more bytes of lines are taken before the next data: extensions of a chunk, or all trailers.
    line: u32,
}

/// Extensions and trailers are read and dropped; nobody in the field uses them.
const MAX_LINES: u32 = 8_192;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the digits of a size, of which there were some or not.
    Size {
        size: u64,
        some: bool,
    },
    /// Behind the digits, up to the line end.
    Extension {
        size: u64,
    },
    /// In a chunk, which has so many more bytes.
    Data(u64),
    /// Behind a chunk, at its `\r` or its `\n`.
    DataEnd {
        cr: bool,
    },
    /// In the trailers, on a line of so many bytes.
    Trailer {
        empty: bool,
    },
    Done,
}

impl Chunked {
    /// A decoder of a body of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self { state: State::Size { size: 0, some: false }, left: limit, line: MAX_LINES }
    }

    /// Takes the next part of the body; `Ok(None)` if more bytes have to come. After `End` it is always `End`.
    ///
    /// # Errors
    /// If the framing is broken or the body longer than the limit. It cannot be read on after that.
    pub fn next(&mut self, from: &mut Frames) -> Result<Option<BodyPart>, BodyError> {
        loop {
            match self.state {
                State::Done => return Ok(Some(BodyPart::End)),
                State::Data(left) => {
                    let data = from.take_front(usize::try_from(left).unwrap_or(usize::MAX));
                    if data.is_empty() {
                        return Ok(None);
                    }
                    let left = left - data.len() as u64;
                    self.state = if left == 0 { State::DataEnd { cr: false } } else { State::Data(left) };
                    return Ok(Some(BodyPart::Data(data)));
                }
                _ => {
                    let Some([byte]) = from.peek_array() else { return Ok(None) };
                    from.skip(1);
                    self.line = self.line.checked_sub(1).ok_or(BodyError::TooLong)?;
                    self.state = self.step(byte)?;
                }
            }
        }
    }

    /// The state after a byte that is not data.
    fn step(&mut self, byte: u8) -> Result<State, BodyError> {
        Ok(match (self.state, byte) {
            (State::Size { size, .. }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                let size = size.checked_mul(16).ok_or(BodyError::Size)? | u64::from(digit);
                State::Size { size, some: true }
            }
            (State::Size { some: false, .. }, _) => return Err(BodyError::Size),
            (State::Size { size, .. } | State::Extension { size }, b'\n') => self.begin(size)?,
            (State::Size { size, .. }, b'\r' | b';' | b' ' | b'\t') | (State::Extension { size }, _) => {
                State::Extension { size }
            }
            (State::Size { .. }, _) => return Err(BodyError::Size),
            (State::DataEnd { cr: false }, b'\r') => State::DataEnd { cr: true },
            (State::DataEnd { .. }, b'\n') => State::Size { size: 0, some: false },
            (State::DataEnd { .. }, _) => return Err(BodyError::LineEnd),
            (State::Trailer { empty: true }, b'\n') => State::Done,
            (State::Trailer { .. }, b'\n') => State::Trailer { empty: true },
            (State::Trailer { empty }, b'\r') => State::Trailer { empty },
            (State::Trailer { .. }, _) => State::Trailer { empty: false },
            (state @ (State::Data(_) | State::Done), _) => state,
        })
    }

    /// The state at the beginning of a chunk of `size` bytes.
    fn begin(&mut self, size: u64) -> Result<State, BodyError> {
        if size == 0 {
            return Ok(State::Trailer { empty: true });
        }
        self.left = self.left.checked_sub(size).ok_or(BodyError::TooLong)?;
        self.line = MAX_LINES;
        Ok(State::Data(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn len(lines: &[(&str, &str)]) -> Result<Option<BodyLen>, HeadError> {
        let mut headers = Headers::new();
        lines.iter().for_each(|(name, value)| headers.push(name, value));
        len_from(&headers)
    }

    /// Feeds `bytes` in pieces of `step`, and gives the body and what is left behind it.
    fn decode(bytes: &[u8], step: usize, limit: u64) -> Result<Option<(Vec<u8>, usize)>, BodyError> {
        let (mut frames, mut chunked, mut body) = (Frames::new(), Chunked::new(limit), Vec::new());
        let mut ended = false;
        for piece in bytes.chunks(step) {
            frames.push(Bytes::copy_from_slice(piece));
            while let Some(part) = chunked.next(&mut frames)? {
                match part {
                    BodyPart::Data(data) => body.extend_from_slice(&data),
                    BodyPart::End => {
                        ended = true;
                        break;
                    }
                }
            }
        }
        Ok(ended.then(|| (body, frames.len())))
    }

    #[test]
    fn lengths() {
        let cl = "Content-Length";
        assert_eq!(len(&[]), Ok(None));
        assert_eq!(len(&[(cl, "18446744073709551615")]), Ok(Some(BodyLen::Sized(u64::MAX))));
        assert_eq!(len(&[(cl, "5"), (cl, "5, 5")]), Ok(Some(BodyLen::Sized(5))));
        for bad in ["18446744073709551616", "-1", "+1", "", "1x", "0x10", "5,", "5, 6"] {
            assert_eq!(len(&[(cl, bad)]), Err(HeadError::Length), "{bad}");
        }
        let te = "Transfer-Encoding";
        assert_eq!(len(&[(te, "Chunked")]), Ok(Some(BodyLen::Chunked)));
        assert_eq!(len(&[(te, "gzip, chunked")]), Err(HeadError::Encoding));
        assert_eq!(len(&[(te, "chunked"), (te, "chunked")]), Err(HeadError::Encoding));
        assert_eq!(len(&[(te, "chunked"), (cl, "5")]), Err(HeadError::Length));
        assert_eq!(len(&[(te, "identity"), (cl, "5")]), Ok(Some(BodyLen::Sized(5))));
    }

    #[test]
    fn a_chunked_body_in_pieces_of_any_size() {
        let wire = b"4\r\nWiki\r\n6;x=y\r\npedia \r\nB \r\nin \r\nchunks\r\n0\r\nTrailer: 1\r\n\r\nnext";
        for step in 1..wire.len() {
            let (body, left) = decode(wire, step, 100).unwrap().unwrap();
            assert_eq!(body, b"Wikipedia in \r\nchunks", "{step}");
            assert_eq!(left, 4);
        }
    }

    #[test]
    fn broken_chunks() {
        for (wire, error) in [
            (&b"\r\n"[..], BodyError::Size),
            (b"g\r\n", BodyError::Size),
            (b"-1\r\n", BodyError::Size),
            (b"10000000000000000\r\n", BodyError::Size),
            (b"ffffffffffffffff\r\n", BodyError::TooLong),
            (b"65\r\n", BodyError::TooLong),
            (b"1\r\nab", BodyError::LineEnd),
            (b"1\r\na\r\r", BodyError::LineEnd),
        ] {
            assert_eq!(decode(wire, 1, 100), Err(error), "{wire:?}");
        }
        let endless = [b"1;".to_vec(), [b'x'; 9_000].to_vec()].concat();
        assert_eq!(decode(&endless, 100, 100), Err(BodyError::TooLong));
        let endless = [b"0\r\n".to_vec(), b"a: b\r\n".repeat(2_000)].concat();
        assert_eq!(decode(&endless, 100, 100), Err(BodyError::TooLong));
    }

    proptest! {
        #[test]
        fn any_body_comes_back(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..10), step in 1usize..40) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(alloc::format!("{:X}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
            let body = chunks.concat();
            prop_assert_eq!(decode(&wire, step, body.len() as u64), Ok(Some((body.clone(), 0))));
            if !body.is_empty() {
                prop_assert_eq!(decode(&wire, step, body.len() as u64 - 1), Err(BodyError::TooLong));
            }
        }

        #[test]
        fn junk_never_panics_and_never_exceeds_the_limit(junk in prop::collection::vec(prop::sample::select(&b"0123aF\r\n; x"[..]), 0..200), step in 1usize..20) {
            if let Ok(Some((body, left))) = decode(&junk, step, 50) {
                prop_assert!(body.len() <= 50 && left <= junk.len());
            }
        }
    }
}
