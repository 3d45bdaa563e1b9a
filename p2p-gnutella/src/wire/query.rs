//! [`Query`]: a search.

use super::{Extensions, WireError};
use bytes::{BufMut, Bytes, BytesMut};

/// The text that asks for the newest files, beside the extension `WH`.
pub const WHATS_NEW: &[u8] = b"WhatIsNewXOXO";

/// The two bytes that were a speed: since 2003 flags, big-endian (gtk-gnutella's `min_speed`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryFlags(pub u16);

impl QueryFlags {
    /// They are flags. Without it they are a speed in kbit/s, little-endian, and today's servents drop the query.
    pub const MARK: u16 = 0x8000;
    /// Who asks is behind a firewall: those who are too have nothing to offer.
    pub const FIREWALLED: u16 = 0x4000;
    /// LimeWire's XML is welcome in hits.
    pub const XML: u16 = 0x2000;
    /// The leaf tells its ultrapeer how many hits it has (leaf guided queries).
    pub const LEAF_GUIDED: u16 = 0x1000;
    /// GGEP `H` is welcome in hits, in place of a URN as text.
    pub const BINARY_HASHES: u16 = 0x0800;
    /// Hits can be sent by UDP to the address in the GUID (out-of-band).
    pub const OUT_OF_BAND: u16 = 0x0400;
    /// Transfers between two firewalled servents are possible.
    pub const FIREWALL_TRANSFER: u16 = 0x0200;
    /// Semi-reliable UDP is welcome (gtk-gnutella).
    pub const RELIABLE_UDP: u16 = 0x0100;

    /// Whether all of these are set, and the mark.
    #[must_use]
    pub const fn has(self, flags: u16) -> bool {
        self.0 & (flags | Self::MARK) == flags | Self::MARK
    }

    /// Whether they are flags at all.
    #[must_use]
    pub const fn is_marked(self) -> bool {
        self.0 & Self::MARK != 0
    }

    /// The same without these.
    #[must_use]
    pub const fn without(self, flags: u16) -> Self {
        Self(self.0 & !flags)
    }

    /// The most hits that are welcome; `None` if it is not said.
    #[must_use]
    pub const fn max_hits(self) -> Option<u8> {
        match self.0 as u8 {
            0 => None,
            _ if !self.is_marked() => None,
            hits => Some(hits),
        }
    }
}

/// A search: two bytes of flags, a text and its NUL, extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// What the sender can do.
    pub flags: QueryFlags,
    /// The words, in bytes of UTF-8 or of an older charset; empty if the extensions name a file.
    pub text: Bytes,
    /// The extensions, with the NUL behind them if there is one.
    pub extensions: Bytes,
}

impl Query {
    pub(super) fn parse(payload: &Bytes) -> Result<Self, WireError> {
        let flags =
            payload.first_chunk().ok_or_else(|| WireError::new(payload.len(), "a query without flags"))?;
        let Some(end) = payload.iter().skip(2).position(|byte| *byte == 0) else {
            return Err(WireError::new(payload.len(), "a query's text without its NUL"));
        };
        Ok(Self {
            flags: QueryFlags(u16::from_be_bytes(*flags)),
            text: payload.slice(2..2 + end),
            extensions: payload.slice(3 + end..),
        })
    }

    pub(super) fn encode(&self, to: &mut BytesMut) {
        to.put_u16(self.flags.0);
        to.put_slice(&self.text);
        to.put_u8(0);
        to.put_slice(&self.extensions);
    }

    /// The extensions.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'_> {
        Extensions(&self.extensions)
    }

    /// Whether the newest files are asked for.
    #[must_use]
    pub fn is_whats_new(&self) -> bool {
        &self.text[..] == WHATS_NEW && self.extensions().has(crate::ggep::fields::name::WHATS_NEW)
    }
}
