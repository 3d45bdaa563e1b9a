//! Addresses as messages carry them: [`Hosts`], [`Hosts6`].

use bytes::BufMut;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

/// Stands where an IPv4 address has to be and the sender has none (IPv6-Ready, section 2.1).
pub const NO_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 0);

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
