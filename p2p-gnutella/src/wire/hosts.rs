//! Addresses as messages carry them: [`Hosts`], [`Hosts6`], and who wants which, [`Families`].

use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Stands where an IPv4 address has to be and the sender has none (IPv6-Ready, section 2.1).
pub const NO_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 0);

/// Which addresses somebody can make use of, as `I6` says (IPv6-Ready, section 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// IPv4 addresses.
    pub v4: bool,
    /// IPv6 addresses.
    pub v6: bool,
}

impl Families {
    /// Of a field `I6`, or of none: IPv4 alone.
    #[must_use]
    pub fn of(field: Option<&[u8]>) -> Self {
        Self {
            v4: field.is_none_or(|data| data.first().is_none_or(|flags| flags & 1 == 0)),
            v6: field.is_some(),
        }
    }

    /// The field that says so; `None` for IPv4 alone, which goes without saying.
    #[must_use]
    pub const fn field(self) -> Option<&'static [u8]> {
        match self {
            Self { v6: false, .. } => None,
            Self { v4: true, .. } => Some(b""),
            Self { v4: false, .. } => Some(&[1]),
        }
    }

    /// Whether an address is of use.
    #[must_use]
    pub const fn has(self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        }
    }
}

/// Appends addresses as the two lists that messages have, IPv4 and IPv6, those of other families left out.
#[must_use]
pub fn lists(addrs: &[SocketAddr], families: Families) -> (BytesMut, BytesMut) {
    let (mut v4, mut v6) = (BytesMut::new(), BytesMut::new());
    for addr in addrs.iter().filter(|addr| families.has(addr.ip())) {
        match addr {
            SocketAddr::V4(addr) => put_v4(*addr, &mut v4),
            SocketAddr::V6(addr) => put_v6(*addr, &mut v6),
        }
    }
    (v4, v6)
}

/// The addresses of two such lists, at most so many of each.
#[must_use]
pub fn read_lists(v4: Option<&[u8]>, v6: Option<&[u8]>, most: usize) -> Vec<SocketAddr> {
    let v4 = Hosts(v4.unwrap_or_default()).iter().take(most).map(SocketAddr::V4).collect::<Vec<_>>();
    let v6 = Hosts6(v6.unwrap_or_default()).iter().take(most).map(SocketAddr::V6).collect::<Vec<_>>();
    v4.into_iter().chain(v6).collect()
}

/// A list of IPv4 addresses and ports, 6 bytes each: the address in network order, the port little-endian (`IPP`, `ALT`,
/// `PUSH`, `A`). Bytes behind the last whole one are not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hosts<'a>(pub &'a [u8]);

impl Hosts<'_> {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len() / 6
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The addresses. A stranger wrote them: they may be anything.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddrV4> {
        self.0.as_chunks().0.iter().map(read_v4)
    }
}

/// A list of IPv6 addresses and ports, 18 bytes each, in the same way (`IPP6`, `ALT6`, `PUSH6`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hosts6<'a>(pub &'a [u8]);

impl Hosts6<'_> {
    /// The addresses. A stranger wrote them: they may be anything.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddrV6> {
        self.0.as_chunks::<18>().0.iter().map(|&[ip @ .., low, high]| {
            SocketAddrV6::new(Ipv6Addr::from(ip), u16::from_le_bytes([low, high]), 0, 0)
        })
    }
}

pub(crate) const fn read_v4(bytes: &[u8; 6]) -> SocketAddrV4 {
    let [a, b, c, d, low, high] = *bytes;
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_le_bytes([low, high]))
}

/// Appends an address of such a list.
pub fn put_v4(addr: SocketAddrV4, to: &mut impl BufMut) {
    to.put_slice(&addr.ip().octets());
    to.put_u16_le(addr.port());
}

/// Appends an address of such a list.
pub fn put_v6(addr: SocketAddrV6, to: &mut impl BufMut) {
    to.put_slice(&addr.ip().octets());
    to.put_u16_le(addr.port());
}
