//! [`Trailer`]: what a servent adds to a hit (the "query hit descriptor" of BearShare, which all took over).

use super::{Extensions, VendorCode};
use crate::ggep::MAGIC;
use alloc::borrow::Cow;
use p2p_core::deflate::inflate;

/// What stands between the records of a hit and its GUID.
///
/// | bytes | what |
/// | --- | --- |
/// | 4 | vendor |
/// | 1 | length of the open data |
/// | … | open data: two bytes of flags; in LimeWire's hits two bytes more, the length of the XML |
/// | rest | private data: GGEP, a vendor's own bytes, XML at the end |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer<'a> {
    /// Who made the servent.
    pub vendor: VendorCode,
    /// Data of a form that all know.
    pub open: &'a [u8],
    /// Data of the vendor's own form.
    pub private: Private<'a>,
}

/// The private data of a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Private<'a> {
    bytes: &'a [u8],
    /// Bytes at the end that are XML.
    xml_len: usize,
}

/// The longest XML that is inflated: LimeWire's own limit is 32 kB.
const XML_MAX: usize = 64 << 10;

impl<'a> Trailer<'a> {
    /// Reads it; `None` if it is shorter than it says.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (vendor, rest) = bytes.split_first_chunk()?;
        let (open_len, rest) = rest.split_first()?;
        let (open, private) = rest.split_at_checked(usize::from(*open_len))?;
        let xml_len = match *open {
            [_, _, low, high, ..] => usize::from(u16::from_le_bytes([low, high])),
            _ => 0,
        };
        let xml_len = if xml_len > private.len() { 0 } else { xml_len };
        Some(Self { vendor: VendorCode(*vendor), open, private: Private { bytes: private, xml_len } })
    }

    /// The flags; none of them means anything if the open data is too short.
    #[must_use]
    pub const fn flags(&self) -> HitFlags {
        match *self.open {
            [first, second, ..] => HitFlags([first, second]),
            _ => HitFlags([0, 0]),
        }
    }

    /// The GGEP fields, if the flags announce them.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'a> {
        if self.flags().ggep() != Some(true) {
            return Extensions(&[]);
        }
        let bytes = self.private.bytes;
        // A vendor's own bytes may stand before (GGEP, "QHD private data").
        let start = bytes.iter().position(|byte| *byte == MAGIC);
        let end = bytes.len() - self.private.xml_len;
        Extensions(start.and_then(|start| bytes.get(start..end)).unwrap_or_default())
    }
}

impl<'a> Private<'a> {
    /// All of it.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// LimeWire's XML, without its NUL; `None` if there is none or it cannot be inflated. It is text that a stranger wrote.
    #[must_use]
    pub fn xml(&self) -> Option<Cow<'a, [u8]>> {
        let xml = self.bytes.get(self.bytes.len() - self.xml_len..)?;
        let xml = xml.strip_suffix(&[0]).unwrap_or(xml);
        if let Some(deflated) = xml.strip_prefix(b"{deflate}") {
            return inflate(deflated, XML_MAX).ok().map(Cow::Owned);
        }
        let xml = xml.strip_prefix(b"{plaintext}").or_else(|| xml.strip_prefix(b"{}")).unwrap_or(xml);
        (!xml.is_empty()).then_some(Cow::Borrowed(xml))
    }
}

/// The two bytes of flags. A flag has a bit in one byte that says whether it means anything, and its value in the other: for
/// all but the first the meaning is in the first byte.
///
/// | bit | flag | means something | value |
/// | --- | --- | --- | --- |
/// | 0 | has to be pushed | second byte | first byte |
/// | 2 | all upload slots are taken | first byte | second byte |
/// | 3 | has uploaded something | first byte | second byte |
/// | 4 | the speed was measured | first byte | second byte |
/// | 5 | the private data is GGEP | first byte | second byte |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HitFlags(pub [u8; 2]);

const PUSH: u8 = 1;
const BUSY: u8 = 1 << 2;
const UPLOADED: u8 = 1 << 3;
const MEASURED: u8 = 1 << 4;
const GGEP: u8 = 1 << 5;

impl HitFlags {
    /// Those of a servent that tells whether it has to be pushed, is busy, and has uploaded anything.
    #[must_use]
    pub const fn new(push: bool, busy: bool, uploaded: bool) -> Self {
        let push = if push { PUSH } else { 0 };
        let busy = if busy { BUSY } else { 0 };
        let uploaded = if uploaded { UPLOADED } else { 0 };
        Self([BUSY | UPLOADED | GGEP | push, PUSH | busy | uploaded])
    }

    pub(super) const fn with_ggep(self, ggep: bool) -> Self {
        let [first, second] = self.0;
        Self([first | GGEP, if ggep { second | GGEP } else { second & !GGEP }])
    }

    const fn flag(self, bit: u8) -> Option<bool> {
        let [first, second] = self.0;
        if first & bit == 0 { None } else { Some(second & bit != 0) }
    }

    /// Whether the servent has to be pushed; `None` if it does not say.
    #[must_use]
    pub const fn push(self) -> Option<bool> {
        let [first, second] = self.0;
        if second & PUSH == 0 { None } else { Some(first & PUSH != 0) }
    }

    /// Whether all upload slots are taken.
    #[must_use]
    pub const fn busy(self) -> Option<bool> {
        self.flag(BUSY)
    }

    /// Whether the servent has uploaded anything.
    #[must_use]
    pub const fn uploaded(self) -> Option<bool> {
        self.flag(UPLOADED)
    }

    /// Whether the speed was measured.
    #[must_use]
    pub const fn measured(self) -> Option<bool> {
        self.flag(MEASURED)
    }

    /// Whether the private data is GGEP.
    #[must_use]
    pub const fn ggep(self) -> Option<bool> {
        self.flag(GGEP)
    }
}
