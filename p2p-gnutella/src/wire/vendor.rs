//! Vendor messages (Vendor-Message 0.1, 2003): [`Vendor`] as it came, [`VendorMessage`] as what it says.
//!
//! | type | what | source |
//! | --- | --- | --- |
//! | 0/0v0 | messages supported | `vendor_msg`, section 4 |
//! | 0/10v0 | features supported | as seen from gtk-gnutella |
//! | BEAR/4v1 | hops flow | `vendor_msg`, section 5 |
//! | BEAR/7v1 | TCP connect back | `msg/connect_back` |
//! | BEAR/11v1, 12v1 | query status: asked for, told | `leaf_guided_queries` |
//! | GTKG/7v1, 7v2 | UDP connect back | `msg/connect_back` |
//! | GTKG/9v1, 10v1 | time sync: asked for, told | `msg/time_sync` |
//! | GTKG/21v1 | push proxy no more | `msg/proxy_cancel` |
//! | GTKG/22v1 | node info asked for | `msg/node_info` |
//! | LIME/5v1, 6v1 | crawler: asked, told | gtk-gnutella's sources |
//! | LIME/11v1–3 | hits by UDP: so many are wanted | `out-of-band`, `out-of-band-v3` |
//! | LIME/12v1–3 | hits by UDP: so many there are | the same |
//! | LIME/13v1 | no proxying of hits by UDP | `out-of-band-v3` |
//! | LIME/21v1–2, 22v1–2 | push proxy: asked, agreed | `push_proxy` |
//! | LIME/23v1–2, 24v1–2 | HEAD ping, HEAD pong | `msg/head_ping`, `msg/head_pong`, IPv6-Ready |

mod crawler;
mod head;
mod lists;
mod message;

pub use crawler::{CrawlerPing, CrawlerPong};
pub use head::{HeadCode, HeadPing, HeadPong, HeadReport};
pub use lists::{Feature, Features, MessageType, SupportedMessages};
pub use message::{Stamp, VendorMessage};

use super::WireError;
use bytes::{BufMut, Bytes, BytesMut};
use core::fmt;

/// Four letters that name who made a servent; case matters.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VendorCode(pub [u8; 4]);

impl VendorCode {
    /// Nobody: messages that all know.
    pub const NONE: Self = Self([0; 4]);
    /// BearShare.
    pub const BEAR: Self = Self(*b"BEAR");
    /// gtk-gnutella.
    pub const GTKG: Self = Self(*b"GTKG");
    /// LimeWire.
    pub const LIME: Self = Self(*b"LIME");
}

impl fmt::Debug for VendorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Bytes that are not printable are shown as dots.
impl fmt::Display for VendorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.map(|byte| if byte.is_ascii_graphic() { byte } else { b'.' });
        f.write_str(str::from_utf8(&shown).unwrap_or_default())
    }
}

/// A vendor message as it came: its type is `vendor/selector`, and its version.
///
/// | bytes | what |
/// | --- | --- |
/// | 4 | vendor |
/// | 2 | selector |
/// | 2 | version |
/// | rest | body |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// The type.
    pub of: MessageType,
    /// What it says.
    pub body: Bytes,
}

const VENDOR_LEN: usize = 8;

impl Vendor {
    pub(super) fn parse(payload: &Bytes) -> Result<Self, WireError> {
        let head = payload.first_chunk::<VENDOR_LEN>();
        let head =
            head.ok_or_else(|| WireError::new(payload.len(), "a vendor message of less than 8 bytes"))?;
        Ok(Self { of: MessageType::from_bytes(*head), body: payload.slice(VENDOR_LEN..) })
    }

    pub(super) fn encode(&self, to: &mut BytesMut) {
        to.put_slice(&self.of.to_bytes());
        to.put_slice(&self.body);
    }

    /// What it says.
    ///
    /// # Errors
    /// If it is shorter than its type allows. Of a type that is not known here the body is kept.
    pub fn read(&self) -> Result<VendorMessage, WireError> {
        VendorMessage::parse(self)
    }
}
