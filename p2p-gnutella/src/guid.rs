//! The 16 bytes that name a message, a query or a servent: [`Guid`].

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::str::FromStr;
use data_encoding::{BASE32_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use p2p_core::Rng;

/// A name of a message, of a query (and of all its hits), or of a servent.
///
/// | bytes | what they tell | source |
/// | --- | --- | --- |
/// | 8 | 0xff: the sender is no servent of 2000 | Gnutella 0.6 draft, section 2.2.1 |
/// | 15 | 0: reserved; gtk-gnutella has 3 in pings and bit 0 for a query asked again | the same |
/// | 0–3, 13–14 | where hits of a query can be sent by UDP: IPv4 in network order, port little-endian | out-of-band, section B |
/// | 0–7, 8–15 | times of asking and answering in a time sync | GTKG/9v1, GTKG/10v1 |
///
/// Those of servents carry no mark. None of it is proof of anything: whoever forwards a message can change it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// All zeros: what vendor messages between neighbours carry.
    pub const ZERO: Self = Self([0; 16]);

    /// A fresh name of a message, marked as today's servents do.
    #[must_use]
    pub fn of_message(rng: &mut Rng) -> Self {
        let mut bytes = rng.bytes::<16>();
        bytes[8] = 0xff;
        bytes[15] = 0;
        Self(bytes)
    }

    /// A fresh name of a servent.
    #[must_use]
    pub fn of_servent(rng: &mut Rng) -> Self {
        Self(rng.bytes())
    }

    /// A fresh name of a query whose hits may be sent to `to` by UDP.
    #[must_use]
    pub fn out_of_band(to: SocketAddrV4, rng: &mut Rng) -> Self {
        let mut bytes = rng.bytes::<16>();
        bytes[..4].copy_from_slice(&to.ip().octets());
        bytes[13..15].copy_from_slice(&to.port().to_le_bytes());
        bytes[15] = 0;
        Self(bytes)
    }

    /// Where hits go by UDP, if the query has the flag that says so. It may be any address, also one that did not ask.
    #[must_use]
    pub const fn reply_to(&self) -> SocketAddrV4 {
        let [a, b, c, d, .., low, high, _] = self.0;
        SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_le_bytes([low, high]))
    }

    /// Whether it has the mark of servents since 2001.
    #[must_use]
    pub const fn is_modern(&self) -> bool {
        self.0[8] == 0xff
    }

    /// Whether it is all zeros.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// As 26 characters of base32, which is how a push proxy is asked over HTTP (push proxy 0.6, section 5).
    #[must_use]
    pub fn to_base32(&self) -> alloc::string::String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// Reads those 26 characters, in any case.
    #[must_use]
    pub fn from_base32(text: &str) -> Option<Self> {
        crate::huge::base32(text.as_bytes()).map(Self)
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// 32 hex digits, as in `GIV` and in the header `GUID`.
impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 32];
        HEXLOWER.encode_mut(&self.0, &mut text);
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

/// Text is no GUID: it is not 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 32 hex digits")]
pub struct NotAGuid;

impl FromStr for Guid {
    type Err = NotAGuid;

    fn from_str(text: &str) -> Result<Self, NotAGuid> {
        let mut bytes = [0; 16];
        if text.len() != 32 {
            return Err(NotAGuid);
        }
        HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut bytes).map_err(|_| NotAGuid)?;
        Ok(Self(bytes))
    }
}
