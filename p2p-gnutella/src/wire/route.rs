//! [`Route`]: parts of a query routing table (QRP 1.0). What they mean to a table is in [`qrp`](crate::qrp).

use super::WireError;
use bytes::{BufMut, Bytes, BytesMut};

/// A message about a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// 0x00: the table begins anew, with nothing in it.
    Reset {
        /// How many slots it has, a power of two.
        slots: u32,
        /// The distance that stands for nothing.
        infinity: u8,
    },
    /// 0x01: a part of a sequence that changes it.
    Patch(Patch),
    /// Another variant, with its first byte.
    Other(u8, Bytes),
}

/// A part of a sequence that changes a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Its place, from 1 on.
    pub number: u8,
    /// How many parts there are.
    pub count: u8,
    /// How the parts together are compressed.
    pub compressor: Compressor,
    /// Bits for each slot: 8, 4, or 1.
    pub entry_bits: u8,
    /// The part.
    pub data: Bytes,
}

/// How the parts of a patch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compressor {
    /// 0: not at all.
    None,
    /// 1: one zlib stream over all parts.
    Zlib,
    /// Another that nobody agreed on.
    Other(u8),
}

impl Compressor {
    const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::None,
            1 => Self::Zlib,
            other => Self::Other(other),
        }
    }

    const fn to_byte(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Zlib => 1,
            Self::Other(other) => other,
        }
    }
}

impl Route {
    pub(super) fn parse(payload: &Bytes) -> Result<Self, WireError> {
        match payload[..] {
            [] => Err(WireError::new(0, "a routing message without its variant")),
            [0, s0, s1, s2, s3, infinity] => {
                Ok(Self::Reset { slots: u32::from_le_bytes([s0, s1, s2, s3]), infinity })
            }
            [0, ..] => Err(WireError::new(payload.len(), "a reset that is not of 6 bytes")),
            [1, number, count, compressor, entry_bits, ..] => Ok(Self::Patch(Patch {
                number,
                count,
                compressor: Compressor::from_byte(compressor),
                entry_bits,
                data: payload.slice(5..),
            })),
            [1, ..] => Err(WireError::new(payload.len(), "a patch of less than 5 bytes")),
            [other, ..] => Ok(Self::Other(other, payload.slice(1..))),
        }
    }

    pub(super) fn encode(&self, to: &mut BytesMut) {
        match self {
            Self::Reset { slots, infinity } => {
                to.put_u8(0);
                to.put_u32_le(*slots);
                to.put_u8(*infinity);
            }
            Self::Patch(patch) => {
                let compressor = patch.compressor.to_byte();
                to.put_slice(&[1, patch.number, patch.count, compressor, patch.entry_bits]);
                to.put_slice(&patch.data);
            }
            Self::Other(variant, data) => {
                to.put_u8(*variant);
                to.put_slice(data);
            }
        }
    }
}
