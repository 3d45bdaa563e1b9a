//! [`Ping`] and [`Pong`].

use super::hosts::{put_v4, read_v4};
use super::{Extensions, WireError};
use bytes::{BufMut, Bytes, BytesMut};
use core::net::{Ipv4Addr, SocketAddrV4};

/// Asks for pongs. The payload is extensions (GGEP 0.51), or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ping {
    /// The extensions: `SCP`, `QK`, `GUE` and others.
    pub extensions: Bytes,
}

impl Ping {
    /// What is asked for in particular.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'_> {
        Extensions(&self.extensions)
    }
}

/// A servent and what it shares.
///
/// | bytes | what |
/// | --- | --- |
/// | 2 | port |
/// | 4 | IPv4 address, in network order |
/// | 4 | files shared |
/// | 4 | kB shared; of an ultrapeer a power of two of at least 8 |
/// | rest | extensions |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pong {
    /// Where the servent listens.
    pub addr: SocketAddrV4,
    /// Files that it shares.
    pub files: u32,
    /// Their size in kB.
    pub kilobytes: u32,
    /// The extensions: `VC`, `UP`, `DU`, `IPP` and others.
    pub extensions: Bytes,
}

/// The bytes before the extensions.
const PONG_LEN: usize = 14;

impl Pong {
    pub(super) fn parse(payload: &Bytes) -> Result<Self, WireError> {
        let cut = WireError::new(payload.len(), "a pong of less than 14 bytes");
        let &[p0, p1, a, b, c, d, f0, f1, f2, f3, k0, k1, k2, k3] =
            payload.first_chunk::<PONG_LEN>().ok_or(cut)?;
        Ok(Self {
            addr: SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_le_bytes([p0, p1])),
            files: u32::from_le_bytes([f0, f1, f2, f3]),
            kilobytes: u32::from_le_bytes([k0, k1, k2, k3]),
            extensions: payload.slice(PONG_LEN..),
        })
    }

    pub(super) fn encode(&self, to: &mut BytesMut) {
        to.put_u16_le(self.addr.port());
        to.put_slice(&self.addr.ip().octets());
        to.put_u32_le(self.files);
        to.put_u32_le(self.kilobytes);
        to.put_slice(&self.extensions);
    }

    /// What else is told of the servent.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'_> {
        Extensions(&self.extensions)
    }

    /// Whether the amount shared is the mark of an ultrapeer. The extension `UP` tells it too, and more.
    #[must_use]
    pub const fn is_ultrapeer(&self) -> bool {
        self.kilobytes >= 8 && self.kilobytes.is_power_of_two()
    }

    /// The amount in kB that a servent tells: an ultrapeer's is raised to a power of two of at least 8, a leaf's is made one
    /// that is none.
    #[must_use]
    pub const fn told_kilobytes(shared: u32, ultrapeer: bool) -> u32 {
        match (ultrapeer, shared) {
            (true, ..=8) => 8,
            (true, 0x8000_0001..) => 1 << 31,
            (true, shared) => shared.next_power_of_two(),
            (false, shared) if shared >= 8 && shared.is_power_of_two() => shared + 1,
            (false, shared) => shared,
        }
    }

    /// The address that `IP` tells: where the receiver was seen.
    #[must_use]
    pub fn seen_at(&self) -> Option<SocketAddrV4> {
        let data = self.extensions().data(crate::ggep::fields::name::SEEN_AT)?;
        (&*data).try_into().ok().map(read_v4)
    }
}

/// Appends the address of a field `IP`.
pub fn put_seen_at(addr: SocketAddrV4) -> [u8; 6] {
    let mut data = [0; 6];
    put_v4(addr, &mut &mut data[..]);
    data
}
