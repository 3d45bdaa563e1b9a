//! [`QueryHit`]: files that match a query, and who has them.

use super::{Extensions, HitFlags, Trailer, VendorCode, WireError};
use crate::ggep::fields::{self, name};
use crate::{Guid, Urn};
use bytes::{BufMut, Bytes, BytesMut};
use core::net::{Ipv4Addr, SocketAddrV4};
use p2p_core::hash::{Sha1Hash, Tth};

/// Files that match a query, and who has them.
///
/// | bytes | what |
/// | --- | --- |
/// | 1 | how many records |
/// | 2, 4 | port, IPv4 address in network order |
/// | 4 | speed in kbit/s |
/// | … | the records: see [`Record`] |
/// | … | what the servent adds: see [`Trailer`] |
/// | 16 | the servent's GUID |
///
/// It is read from both ends: records from the front, the GUID from the back, and what is left is the trailer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryHit {
    /// Where the files are served.
    pub addr: SocketAddrV4,
    /// In kbit/s, as somebody once typed it.
    pub speed: u32,
    /// The files.
    pub records: Records,
    /// What the servent adds, as it came; empty of the oldest servents.
    pub trailer: Bytes,
    /// Whom a push is for.
    pub servent: Guid,
}

/// The bytes before the records.
const HEAD_LEN: usize = 11;
/// Bytes of a GUID, the last of a hit.
const GUID_LEN: usize = 16;

impl QueryHit {
    pub(super) fn parse(payload: &Bytes) -> Result<Self, WireError> {
        let cut = WireError::new(payload.len(), "a hit of less than 27 bytes");
        let (front, servent) = payload.split_last_chunk::<GUID_LEN>().ok_or(cut)?;
        let &[count, p0, p1, a, b, c, d, s0, s1, s2, s3] = front.first_chunk::<HEAD_LEN>().ok_or(cut)?;
        let mut rest = front.get(HEAD_LEN..).unwrap_or_default();
        for _ in 0..count {
            let at = front.len() - rest.len();
            let (_, behind) =
                Record::split(rest).ok_or_else(|| WireError::new(at, "a record that is cut"))?;
            rest = behind;
        }
        let end = front.len() - rest.len();
        Ok(Self {
            addr: SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_le_bytes([p0, p1])),
            speed: u32::from_le_bytes([s0, s1, s2, s3]),
            records: Records { count, bytes: payload.slice(HEAD_LEN..end) },
            trailer: payload.slice(end..front.len()),
            servent: Guid(*servent),
        })
    }

    pub(super) fn encode(&self, to: &mut BytesMut) {
        to.put_u8(self.records.count);
        to.put_u16_le(self.addr.port());
        to.put_slice(&self.addr.ip().octets());
        to.put_u32_le(self.speed);
        to.put_slice(&self.records.bytes);
        to.put_slice(&self.trailer);
        to.put_slice(&self.servent.0);
    }

    /// What the servent adds; `None` if it is missing or no such thing.
    #[must_use]
    pub fn trailer(&self) -> Option<Trailer<'_>> {
        Trailer::parse(&self.trailer)
    }

    /// Whether the servent has to be asked for a connection: it says so itself.
    #[must_use]
    pub fn needs_push(&self) -> Option<bool> {
        self.trailer()?.flags().push()
    }
}

/// The records of a hit, as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    count: u8,
    bytes: Bytes,
}

impl Records {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The records, in order.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let mut rest = &self.bytes[..];
        core::iter::from_fn(move || {
            let (record, behind) = Record::split(rest)?;
            rest = behind;
            Some(record)
        })
        .take(self.len())
    }
}

/// A file that matches.
///
/// | bytes | what |
/// | --- | --- |
/// | 4 | the servent's number for it |
/// | 4 | its size; all ones if `LF` has it |
/// | … | its name, and a NUL |
/// | … | extensions without a NUL, and a NUL |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The servent's number for it.
    pub index: u32,
    /// Its size in bytes as four bytes hold it: see [`size`](Self::size).
    pub small_size: u32,
    /// Its name: bytes of UTF-8 or of an older charset. A stranger wrote them.
    pub name: &'a [u8],
    /// The extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> Record<'a> {
    /// The record at the beginning of `from`, and what is behind it.
    fn split(from: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (index, rest) = from.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let mut parts = rest.splitn(3, |byte| *byte == 0);
        let (name, extensions, behind) = (parts.next()?, parts.next()?, parts.next()?);
        let record = Self {
            index: u32::from_le_bytes(*index),
            small_size: u32::from_le_bytes(*size),
            name,
            extensions: Extensions(extensions),
        };
        Some((record, behind))
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        let large = self.extensions.data(name::LARGE_FILE).and_then(|data| fields::large_file(&data));
        large.unwrap_or_else(|| self.small_size.into())
    }

    /// Its SHA-1, if it is told in any way.
    #[must_use]
    pub fn sha1(&self) -> Option<Sha1Hash> {
        self.extensions.urns().find_map(|urn| urn.sha1())
    }

    /// The root of its tiger tree, if it is told in any way.
    #[must_use]
    pub fn tth(&self) -> Option<Tth> {
        let field = || self.extensions.data(name::TTH)?[..].try_into().ok().map(Tth);
        self.extensions.urns().find_map(|urn| urn.tth()).or_else(field)
    }

    /// When the file was made, in seconds since 1970.
    #[must_use]
    pub fn created(&self) -> Option<u64> {
        self.extensions.data(name::CREATED).and_then(|data| fields::number(&data))
    }
}

/// Makes a hit, record by record.
#[derive(Debug)]
pub struct HitBuilder {
    addr: SocketAddrV4,
    speed: u32,
    count: u8,
    bytes: BytesMut,
}

impl HitBuilder {
    /// A hit of a servent that serves here, at this speed in kbit/s.
    #[must_use]
    pub fn new(addr: SocketAddrV4, speed: u32) -> Self {
        Self { addr, speed, count: 0, bytes: BytesMut::new() }
    }

    /// How many records there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the records: a hit of more than a few kB is dropped on its way.
    #[must_use]
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record; whether there was room for it, which there is for 255. `extend` writes the extensions, of which
    /// nothing is kept from a NUL on ([`Writer::nul_free`](crate::ggep::Writer::nul_free) writes none); a NUL of the name
    /// becomes a space. The size of a file of 4 GiB and more is written as the field `LF` too.
    pub fn record(&mut self, index: u32, size: u64, name: &[u8], extend: impl FnOnce(&mut BytesMut)) -> bool {
        let Some(count) = self.count.checked_add(1) else { return false };
        self.count = count;
        self.bytes.put_u32_le(index);
        self.bytes.put_u32_le(u32::try_from(size).unwrap_or(u32::MAX));
        self.bytes.extend(name.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }));
        self.bytes.put_u8(0);
        let at = self.bytes.len();
        extend(&mut self.bytes);
        if size >= u64::from(u32::MAX) {
            let mut ggep = crate::ggep::Writer::nul_free(&mut self.bytes);
            ggep.put(name::LARGE_FILE, &fields::put_number(size));
        }
        let end = self.bytes.iter().skip(at).position(|byte| *byte == 0);
        self.bytes.truncate(end.map_or(self.bytes.len(), |end| at + end));
        self.bytes.put_u8(0);
        true
    }

    /// The hit, with a trailer that says who made the servent, two bytes of flags, and private data that `private` writes
    /// (a GGEP block; the flag that announces it is set if there is any).
    #[must_use]
    pub fn finish(
        self,
        vendor: VendorCode,
        flags: HitFlags,
        servent: Guid,
        private: impl FnOnce(&mut BytesMut),
    ) -> QueryHit {
        let mut trailer = BytesMut::new();
        trailer.put_slice(&vendor.0);
        trailer.put_slice(&[2, 0, 0]);
        let at = trailer.len();
        private(&mut trailer);
        let flags = flags.with_ggep(trailer.len() > at);
        trailer.as_mut()[5..7].copy_from_slice(&flags.0);
        QueryHit {
            addr: self.addr,
            speed: self.speed,
            records: Records { count: self.count, bytes: self.bytes.freeze() },
            trailer: trailer.freeze(),
            servent,
        }
    }
}

/// The extension that names a file by its content in a record: `H` for who welcomes it, else a URN as text, with the root
/// of the tiger tree as `TT` beside it.
pub fn put_content(urn: &Urn, binary: bool, to: &mut BytesMut) {
    if let (true, Some(data)) = (binary, fields::put_h(urn)) {
        crate::ggep::Writer::nul_free(to).put(name::H, &data);
        return;
    }
    let text = match (urn.sha1(), urn.tth()) {
        (Some(sha1), _) => Urn::Sha1(sha1),
        _ => *urn,
    };
    to.put_slice(alloc::format!("{text}").as_bytes());
    if let (Some(_), Some(tth)) = (urn.sha1(), urn.tth()) {
        to.put_u8(super::extensions::SEPARATOR);
        crate::ggep::Writer::nul_free(to).put(name::TTH, &tth.0);
    }
}
