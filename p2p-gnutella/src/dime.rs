//! DIME (draft-nielsen-dime-02): records one behind the other, in which tiger trees travel.
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | version (5 bits, 1), first record 0x04, last record 0x02, chunked 0x01 |
//! | 1 | what the type is (4 bits): 1 a media type, 2 a URI; reserved (4 bits) |
//! | 2, 2, 2, 4 | lengths of options, id, type, data; big-endian |
//! | … | options, id, type, data: each filled up with zeros to four bytes |

use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};

const VERSION: u8 = 1;
const FIRST: u8 = 0x04;
const LAST: u8 = 0x02;
const CHUNKED: u8 = 0x01;
const HEAD_LEN: usize = 12;
/// The most records of a message: a tree has two.
pub const RECORDS_MAX: usize = 16;

/// What the type of a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeFormat {
    /// A media type: `text/xml`.
    Media,
    /// A URI.
    Uri,
    /// Something else, as its four bits.
    Other(u8),
}

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What its type is.
    pub format: TypeFormat,
    /// A name for it within the message, or nothing.
    pub id: &'a [u8],
    /// Its type.
    pub of: &'a [u8],
    /// Its data.
    pub data: &'a [u8],
}

/// Why bytes are no DIME message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DimeError {
    /// It ends within a record, or before the last one.
    #[error("cut within a record")]
    Cut,
    /// Another version than 1.
    #[error("DIME version {0}")]
    Version(u8),
    /// A record in chunks, which no servent sends.
    #[error("a record in chunks")]
    Chunked,
    /// A first record that is not the first, or none.
    #[error("no first record")]
    Order,
    /// More than [`RECORDS_MAX`] records.
    #[error("more than {RECORDS_MAX} records")]
    TooMany,
}

/// A length, filled up to four bytes.
const fn padded(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// The records of a message. What is behind the last one is not looked at.
///
/// # Errors
/// If it is no message.
pub fn parse(message: &[u8]) -> Result<Vec<Record<'_>>, DimeError> {
    let (mut records, mut rest) = (Vec::new(), message);
    loop {
        let &[flags, format, o0, o1, i0, i1, t0, t1, d0, d1, d2, d3] =
            rest.first_chunk::<HEAD_LEN>().ok_or(DimeError::Cut)?;
        if flags >> 3 != VERSION {
            return Err(DimeError::Version(flags >> 3));
        }
        if flags & CHUNKED != 0 {
            return Err(DimeError::Chunked);
        }
        if records.is_empty() != (flags & FIRST != 0) {
            return Err(DimeError::Order);
        }
        if records.len() == RECORDS_MAX {
            return Err(DimeError::TooMany);
        }
        rest = rest.get(HEAD_LEN..).unwrap_or_default();
        let mut take = |len: usize| {
            let part = rest.get(..len).ok_or(DimeError::Cut)?;
            // The last record's zeros may be missing.
            rest = rest.get(padded(len).min(rest.len())..).unwrap_or_default();
            Ok(part)
        };
        take(u16::from_be_bytes([o0, o1]).into())?;
        let id = take(u16::from_be_bytes([i0, i1]).into())?;
        let of = take(u16::from_be_bytes([t0, t1]).into())?;
        let data = take(u32::from_be_bytes([d0, d1, d2, d3]) as usize)?;
        let format = match format >> 4 {
            1 => TypeFormat::Media,
            2 => TypeFormat::Uri,
            other => TypeFormat::Other(other),
        };
        records.push(Record { format, id, of, data });
        if flags & LAST != 0 {
            return Ok(records);
        }
    }
}

/// Writes a message.
///
/// # Panics
/// If an id or a type is longer than 65,535 bytes, or data longer than 4 GiB: they are the caller's.
pub fn encode(records: &[Record<'_>], to: &mut BytesMut) {
    for (at, record) in records.iter().enumerate() {
        let first = if at == 0 { FIRST } else { 0 };
        let last = if at + 1 == records.len() { LAST } else { 0 };
        to.put_u8(VERSION << 3 | first | last);
        to.put_u8(match record.format {
            TypeFormat::Media => 1 << 4,
            TypeFormat::Uri => 2 << 4,
            TypeFormat::Other(other) => other << 4,
        });
        let short = |part: &[u8]| u16::try_from(part.len()).expect("an id or a type of at most 65,535 bytes");
        to.put_u16(0);
        to.put_u16(short(record.id));
        to.put_u16(short(record.of));
        to.put_u32(u32::try_from(record.data.len()).expect("data of at most 4 GiB"));
        for part in [record.id, record.of, record.data] {
            to.put_slice(part);
            to.put_bytes(0, padded(part.len()) - part.len());
        }
    }
}
