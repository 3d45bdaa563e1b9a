//! GGEP 0.51: named fields of binary data in blocks, wherever a message has room for extensions.
//!
//! | part | bytes | what |
//! | --- | --- | --- |
//! | magic | 1 | 0xC3, once for each block |
//! | flags | 1 | 0x80 the last field, 0x40 COBS, 0x20 deflated (zlib with its header), 0x10 reserved, 0x0f length of the name |
//! | name | 1–15 | no NUL |
//! | length | 1–3 | 6 bits a byte, high ones first; 0x80 more follow, 0x40 the last |
//! | data | length | |
//!
//! Nothing is copied to read a block, and a block is kept as it came: order, unknown fields and needless bytes of a length
//! included. [`Writer`] writes one, [`fields`] has what is known of the fields themselves.

pub mod cobs;
pub mod fields;

use alloc::borrow::Cow;
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};
use p2p_core::deflate::{deflate, inflate};

/// What a block begins with.
pub const MAGIC: u8 = 0xc3;
/// The longest name in bytes.
pub const NAME_MAX: usize = 15;
/// The longest data in bytes, as it is sent.
pub const DATA_MAX: usize = (1 << 18) - 1;
/// The most that one field may hold once it is inflated. The longest known are lists of some hundred addresses.
pub const INFLATED_MAX: usize = 64 << 10;

const LAST: u8 = 0x80;
const COBS: u8 = 0x40;
const DEFLATED: u8 = 0x20;

/// Why bytes are no GGEP field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GgepError {
    /// It ends within a field.
    #[error("cut within a field")]
    Cut,
    /// A name of no bytes, or with a NUL.
    #[error("a name of no bytes or with a NUL")]
    Name,
    /// A length of more than three bytes, or one that neither ends nor goes on.
    #[error("malformed length")]
    Length,
    /// Data that is said to be COBS and is not.
    #[error("data is not COBS")]
    Cobs,
    /// Data that is said to be deflated and is not, or holds more than [`INFLATED_MAX`].
    #[error("data cannot be inflated")]
    Inflate,
}

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name, as it is written: case matters.
    pub name: &'a [u8],
    flags: u8,
    raw: &'a [u8],
}

impl<'a> Field<'a> {
    /// The field at the beginning of `from`, behind the magic, how many bytes it takes, and whether it is its block's
    /// last.
    ///
    /// # Errors
    /// If there is none.
    pub fn parse(from: &'a [u8]) -> Result<(Self, usize, bool), GgepError> {
        let (flags, rest) = from.split_first().ok_or(GgepError::Cut)?;
        let (name, rest) = rest.split_at_checked(usize::from(flags & 0x0f)).ok_or(GgepError::Cut)?;
        if name.is_empty() || name.contains(&0) {
            return Err(GgepError::Name);
        }
        let (len, width) = parse_len(rest)?;
        let raw = rest.get(width..width + len).ok_or(GgepError::Cut)?;
        let used = 1 + name.len() + width + len;
        Ok((Self { name, flags: *flags, raw }, used, flags & LAST != 0))
    }

    /// The data as it is sent.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether the data is sent as it is.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.flags & (COBS | DEFLATED) == 0
    }

    /// The data. Only what is encoded is copied.
    ///
    /// # Errors
    /// If it is not encoded as it says, or holds more than [`INFLATED_MAX`].
    pub fn data(&self) -> Result<Cow<'a, [u8]>, GgepError> {
        let mut data = Cow::Borrowed(self.raw);
        if self.flags & COBS != 0 {
            data = Cow::Owned(cobs::decode(&data).ok_or(GgepError::Cobs)?);
        }
        if self.flags & DEFLATED != 0 {
            data = Cow::Owned(inflate(&data, INFLATED_MAX).map_err(|_| GgepError::Inflate)?);
        }
        Ok(data)
    }
}

/// The length at the beginning of `from`, and how many bytes it takes.
fn parse_len(from: &[u8]) -> Result<(usize, usize), GgepError> {
    let mut len = 0;
    for (at, byte) in from.iter().take(3).enumerate() {
        len = len << 6 | usize::from(byte & 0x3f);
        match byte & 0xc0 {
            0x40 => return Ok((len, at + 1)),
            0x80 => {}
            _ => return Err(GgepError::Length),
        }
    }
    Err(if from.len() < 3 { GgepError::Cut } else { GgepError::Length })
}

fn put_len(len: usize, to: &mut BytesMut) {
    if len >= 1 << 12 {
        to.put_u8(0x80 | (len >> 12 & 0x3f) as u8);
    }
    if len >= 1 << 6 {
        to.put_u8(0x80 | (len >> 6 & 0x3f) as u8);
    }
    to.put_u8(0x40 | (len & 0x3f) as u8);
}

/// Writes one block: it is complete after each field, and nothing is written if there are none.
#[derive(Debug)]
pub struct Writer<'a> {
    to: &'a mut BytesMut,
    /// Where the flags of the last field are.
    last: Option<usize>,
    nul_free: bool,
}

impl<'a> Writer<'a> {
    /// A block in which NULs may stand: in pings, pongs, queries, pushes, vendor messages and the private data of hits.
    #[must_use]
    pub const fn new(to: &'a mut BytesMut) -> Self {
        Self { to, last: None, nul_free: false }
    }

    /// A block without any NUL: data that holds one is written as COBS. So it has to be within the records of a hit.
    #[must_use]
    pub const fn nul_free(to: &'a mut BytesMut) -> Self {
        Self { to, last: None, nul_free: true }
    }

    /// Adds a field.
    ///
    /// # Panics
    /// If the name has no or more than 15 bytes, or the data more than [`DATA_MAX`]: both are the caller's.
    pub fn put(&mut self, name: &str, data: &[u8]) {
        self.field(name, 0, data);
    }

    /// Adds a field whose data is deflated if that makes it shorter.
    ///
    /// # Panics
    /// As [`put`](Self::put).
    pub fn put_deflated(&mut self, name: &str, data: &[u8]) {
        let deflated = deflate(data);
        if deflated.len() < data.len() {
            self.field(name, DEFLATED, &deflated);
        } else {
            self.field(name, 0, data);
        }
    }

    /// Adds a field of another block as it came.
    pub fn copy(&mut self, field: &Field<'_>) {
        self.put_raw(field.name, field.flags & !LAST, field.raw);
    }

    fn field(&mut self, name: &str, mut flags: u8, data: &[u8]) {
        assert!((1..=NAME_MAX).contains(&name.len()), "a name of {} bytes", name.len());
        let encoded: Vec<u8>;
        let mut data = data;
        if self.nul_free && data.contains(&0) {
            encoded = cobs::encode(data);
            data = &encoded;
            flags |= COBS;
        }
        assert!(data.len() <= DATA_MAX, "{} bytes of data", data.len());
        self.put_raw(name.as_bytes(), flags, data);
    }

    fn put_raw(&mut self, name: &[u8], flags: u8, data: &[u8]) {
        match self.last {
            None => self.to.put_u8(MAGIC),
            Some(before) => self.to.as_mut()[before] &= !LAST,
        }
        self.last = Some(self.to.len());
        self.to.put_u8(flags | LAST | name.len() as u8);
        self.to.put_slice(name);
        put_len(data.len(), self.to);
        self.to.put_slice(data);
    }
}
