//! What a servent has of a file, asked for by UDP or through its ultrapeer: [`HeadPing`], [`HeadPong`].

use super::super::{Extensions, Families, WireError, lists, read_lists};
use super::VendorCode;
use crate::ggep::fields::name;
use crate::{Guid, Urn, ggep};
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::net::SocketAddr;

/// Asks for a file: a byte of flags, a URN as text, and GGEP where the flags announce it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadPing {
    /// 1, or 2: what version of an answer is wanted.
    pub version: u16,
    /// What is asked for.
    pub flags: u8,
    /// Which file, as text.
    pub urn: Bytes,
    /// The extensions: `PUSH` with the GUID of the leaf that is meant, `I6`.
    pub extensions: Bytes,
}

impl HeadPing {
    /// The ranges that are there.
    pub const RANGES: u8 = 0x01;
    /// Other holders.
    pub const ALTERNATES: u8 = 0x02;
    /// Other holders behind firewalls.
    pub const PUSH_ALTERNATES: u8 = 0x04;
    /// Of those only such as can be reached by reliable UDP.
    pub const RUDP: u8 = 0x08;
    /// Extensions follow.
    pub const GGEP: u8 = 0x10;

    /// Asks for a file in version 2.
    #[must_use]
    pub fn new(urn: &Urn, flags: u8) -> Self {
        Self {
            version: 2,
            flags: flags & !Self::GGEP,
            urn: urn.to_string().into_bytes().into(),
            extensions: Bytes::new(),
        }
    }

    /// The same, to be handed on by an ultrapeer to its leaf with this GUID.
    #[must_use]
    pub fn through(self, leaf: Guid) -> Self {
        let families = self.extensions().families();
        self.extend(Some(leaf), families)
    }

    /// The same of somebody to whom these addresses are of use.
    #[must_use]
    pub fn wanting(self, families: Families) -> Self {
        let leaf = self.leaf();
        self.extend(leaf, families)
    }

    fn extend(mut self, leaf: Option<Guid>, families: Families) -> Self {
        let mut extensions = BytesMut::new();
        let mut ggep = ggep::Writer::new(&mut extensions);
        // In the order of gtk-gnutella.
        if let Some(leaf) = leaf {
            ggep.put(name::PUSH, &leaf.0);
        }
        if let Some(wants) = families.field() {
            ggep.put(name::IPV6_WANTED, wants);
        }
        self.flags = if extensions.is_empty() { self.flags & !Self::GGEP } else { self.flags | Self::GGEP };
        self.extensions = extensions.freeze();
        self
    }

    pub(super) fn parse(version: u16, body: &Bytes) -> Result<Self, WireError> {
        let flags = *body.first().ok_or_else(|| WireError::new(0, "a HEAD ping without flags"))?;
        // A URN is ASCII, so the first magic begins the extensions.
        let announced = flags & Self::GGEP != 0;
        let end = body.iter().position(|byte| announced && *byte == ggep::MAGIC).unwrap_or(body.len());
        Ok(Self { version, flags, urn: body.slice(1..end.max(1)), extensions: body.slice(end.max(1)..) })
    }

    pub(super) fn encode(&self, to: &mut BytesMut) {
        to.put_u8(self.flags);
        to.put_slice(&self.urn);
        to.put_slice(&self.extensions);
    }

    /// Which file, if it is named in a way that is known here.
    #[must_use]
    pub fn urn(&self) -> Option<Urn> {
        Urn::parse(&self.urn).ok()
    }

    /// The extensions.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'_> {
        Extensions(&self.extensions)
    }

    /// The leaf that is meant, if the ping is to be handed on: once, over TCP, and not answered on the way.
    #[must_use]
    pub fn leaf(&self) -> Option<Guid> {
        Extensions(&self.extensions).data(name::PUSH)?.first_chunk().map(|guid| Guid(*guid))
    }
}

/// What a servent has of a file.
///
/// Version 1 is a byte of flags, a code, and if the file is there a vendor (4), a place in the queue (1) and lists that each
/// begin with their length in two bytes, big-endian: ranges, holders behind firewalls, holders, as far as the flags say.
/// Version 2 is a GGEP block: `C`, `V`, `Q`, `F`, `A`, `T`, `A6`, `T6`, `P`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the two versions")]
pub enum HeadPong {
    V1 { flags: u8, code: u8, rest: Bytes },
    V2 { extensions: Bytes },
}

/// What a HEAD pong tells, of whatever version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadReport {
    /// What is there.
    pub code: HeadCode,
    /// Who made the servent.
    pub vendor: Option<VendorCode>,
    /// 127: no upload at all. Else servents differ in what its sign means.
    pub queue: Option<i8>,
    /// Other holders.
    pub alternates: Vec<SocketAddr>,
}

/// What a servent has of a file: the low bits of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadCode(pub u8);

impl HeadCode {
    /// Nothing.
    pub const NOT_FOUND: Self = Self(0);
    /// All of it.
    pub const COMPLETE: Self = Self(1);
    /// A part of it.
    pub const PARTIAL: Self = Self(2);

    /// The same without what is told of the servent.
    #[must_use]
    pub const fn file(self) -> Self {
        Self(self.0 & 3)
    }

    /// Whether the servent is behind a firewall.
    #[must_use]
    pub const fn is_firewalled(self) -> bool {
        self.0 & 4 != 0
    }

    /// Whether the servent is downloading the file.
    #[must_use]
    pub const fn is_downloading(self) -> bool {
        self.0 & 8 != 0
    }
}

impl HeadPong {
    /// The version of the message.
    #[must_use]
    pub const fn version(&self) -> u16 {
        match self {
            Self::V1 { .. } => 1,
            Self::V2 { .. } => 2,
        }
    }

    /// An answer of version 2.
    #[must_use]
    pub fn new(report: &HeadReport) -> Self {
        let mut extensions = BytesMut::new();
        let mut ggep = ggep::Writer::new(&mut extensions);
        ggep.put(name::HEAD_CODE, &[report.code.0]);
        if let Some(queue) = report.queue {
            ggep.put(name::HEAD_QUEUE, &queue.to_le_bytes());
        }
        if let Some(vendor) = report.vendor {
            ggep.put(name::HEAD_VENDOR, &vendor.0);
        }
        let (v4, v6) = lists(&report.alternates, Families { v4: true, v6: true });
        if !v4.is_empty() {
            ggep.put(name::HEAD_ALT, &v4);
        }
        if !v6.is_empty() {
            ggep.put(name::HEAD_ALT6, &v6);
        }
        Self::V2 { extensions: extensions.freeze() }
    }

    pub(super) fn parse(version: u16, body: &Bytes) -> Result<Self, WireError> {
        if version >= 2 {
            return Ok(Self::V2 { extensions: body.clone() });
        }
        match body[..] {
            [flags, code, ..] => Ok(Self::V1 { flags, code, rest: body.slice(2..) }),
            _ => Err(WireError::new(body.len(), "a HEAD pong of less than 2 bytes")),
        }
    }

    pub(super) fn encode(&self, to: &mut BytesMut) {
        match self {
            Self::V1 { flags, code, rest } => {
                to.put_slice(&[*flags, *code]);
                to.put_slice(rest);
            }
            Self::V2 { extensions } => to.put_slice(extensions),
        }
    }

    /// What it tells; `None` if it is malformed.
    #[must_use]
    pub fn report(&self) -> Option<HeadReport> {
        match self {
            Self::V1 { code, .. } if HeadCode(*code).file() == HeadCode::NOT_FOUND => {
                Some(HeadReport { code: HeadCode(*code), vendor: None, queue: None, alternates: Vec::new() })
            }
            Self::V1 { flags, code, rest } => {
                let (vendor, rest) = rest.split_first_chunk()?;
                let (queue, mut rest) = rest.split_first()?;
                let mut list = |flag: u8| {
                    if flags & flag == 0 {
                        return Some(&[][..]);
                    }
                    let (len, behind) = rest.split_first_chunk()?;
                    let (list, behind) = behind.split_at_checked(u16::from_be_bytes(*len).into())?;
                    rest = behind;
                    Some(list)
                };
                // Their order is fixed, and is not that of the flags.
                let (_ranges, _push) = (list(HeadPing::RANGES)?, list(HeadPing::PUSH_ALTERNATES)?);
                let alternates = read_lists(Some(list(HeadPing::ALTERNATES)?), None, usize::MAX);
                Some(HeadReport {
                    code: HeadCode(*code),
                    vendor: Some(VendorCode(*vendor)),
                    queue: Some(queue.cast_signed()),
                    alternates,
                })
            }
            Self::V2 { extensions } => {
                let fields = Extensions(extensions);
                let byte = |name| fields.data(name).and_then(|data| data.first().copied());
                Some(HeadReport {
                    code: HeadCode(byte(name::HEAD_CODE)?),
                    vendor: fields
                        .data(name::HEAD_VENDOR)
                        .and_then(|data| data.first_chunk().map(|code| VendorCode(*code))),
                    queue: byte(name::HEAD_QUEUE).map(u8::cast_signed),
                    alternates: fields.addresses(name::HEAD_ALT, name::HEAD_ALT6, usize::MAX),
                })
            }
        }
    }
}
