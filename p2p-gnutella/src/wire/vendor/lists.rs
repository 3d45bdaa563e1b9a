//! What a neighbour tells of itself once: [`SupportedMessages`], [`Features`].

use super::VendorCode;
use bytes::{BufMut, Bytes, BytesMut};
use core::fmt;

/// A type of vendor messages, and a version of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageType {
    /// Who made it up.
    pub vendor: VendorCode,
    /// Which of theirs it is.
    pub selector: u16,
    /// Its version.
    pub version: u16,
}

impl MessageType {
    /// The type `vendor/selector` in this version.
    #[must_use]
    pub const fn new(vendor: VendorCode, selector: u16, version: u16) -> Self {
        Self { vendor, selector, version }
    }

    pub(super) const fn from_bytes([a, b, c, d, s0, s1, v0, v1]: [u8; 8]) -> Self {
        Self {
            vendor: VendorCode([a, b, c, d]),
            selector: u16::from_le_bytes([s0, s1]),
            version: u16::from_le_bytes([v0, v1]),
        }
    }

    pub(super) const fn to_bytes(self) -> [u8; 8] {
        let ([a, b, c, d], [s0, s1], [v0, v1]) =
            (self.vendor.0, self.selector.to_le_bytes(), self.version.to_le_bytes());
        [a, b, c, d, s0, s1, v0, v1]
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}v{}", self.vendor, self.selector, self.version)
    }
}

/// The types that the sender understands: two bytes that say how many, and eight for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportedMessages(pub(super) Bytes);

impl SupportedMessages {
    /// These types, 65,535 at most.
    #[must_use]
    pub fn new(types: &[MessageType]) -> Self {
        let mut body = BytesMut::new();
        let count = u16::try_from(types.len()).unwrap_or(u16::MAX);
        body.put_u16_le(count);
        types.iter().take(count.into()).for_each(|of| body.put_slice(&of.to_bytes()));
        Self(body.freeze())
    }

    /// The types, as many as are said and there.
    pub fn iter(&self) -> impl Iterator<Item = MessageType> {
        let (count, types) = counted::<8>(&self.0);
        types.iter().take(count).map(|of| MessageType::from_bytes(*of))
    }

    /// Whether the sender understands this version.
    #[must_use]
    pub fn has(&self, of: MessageType) -> bool {
        self.iter().any(|is| is == of)
    }
}

/// What the sender can do: four letters and a version each, counted in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features(pub(super) Bytes);

/// Something that a servent can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name: `HSEP`, `WHAT` (newest files), `QRP1` (patches of one bit a slot), `F2FT`, `TCPI`, `TLS!`.
    pub name: VendorCode,
    /// Its version.
    pub version: u16,
}

impl Features {
    /// These features, 65,535 at most.
    #[must_use]
    pub fn new(features: &[Feature]) -> Self {
        let mut body = BytesMut::new();
        let count = u16::try_from(features.len()).unwrap_or(u16::MAX);
        body.put_u16_le(count);
        for feature in features.iter().take(count.into()) {
            body.put_slice(&feature.name.0);
            body.put_u16_le(feature.version);
        }
        Self(body.freeze())
    }

    /// The features, as many as are said and there.
    pub fn iter(&self) -> impl Iterator<Item = Feature> {
        let (count, features) = counted::<6>(&self.0);
        features.iter().take(count).map(|&[name @ .., v0, v1]| Feature {
            name: VendorCode(name),
            version: u16::from_le_bytes([v0, v1]),
        })
    }

    /// The version of a feature, if the sender has it.
    #[must_use]
    pub fn version(&self, name: &[u8; 4]) -> Option<u16> {
        self.iter().find(|feature| feature.name.0 == *name).map(|feature| feature.version)
    }
}

fn counted<const N: usize>(body: &[u8]) -> (usize, &[[u8; N]]) {
    match body.split_first_chunk() {
        Some((count, rest)) => (usize::from(u16::from_le_bytes(*count)), rest.as_chunks().0),
        None => (0, &[]),
    }
}
