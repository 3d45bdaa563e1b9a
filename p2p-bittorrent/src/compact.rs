//! Compact addresses (BEP 23, BEP 7): an IPv4 peer in 6 bytes, an IPv6 peer in 18, both in network order.

use bytes::BufMut;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of an IPv4 address with its port.
pub const V4_LEN: usize = 6;
/// Bytes of an IPv6 address with its port.
pub const V6_LEN: usize = 18;

/// An address as it goes over the wire; an IPv4 address mapped into IPv6 is taken for what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compact {
    /// IPv4.
    V4([u8; V4_LEN]),
    /// IPv6.
    V6([u8; V6_LEN]),
}

impl Compact {
    /// The compact form of an address.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        let [high, low] = addr.port().to_be_bytes();
        match addr.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, d] = ip.octets();
                Self::V4([a, b, c, d, high, low])
            }
            IpAddr::V6(ip) => {
                let mut bytes = [0; V6_LEN];
                for (to, from) in bytes.iter_mut().zip(ip.octets().into_iter().chain([high, low])) {
                    *to = from;
                }
                Self::V6(bytes)
            }
        }
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

/// Appends an address: 6 bytes for IPv4 (also where mapped into IPv6), 18 for IPv6.
pub fn put(addr: SocketAddr, into: &mut impl BufMut) {
    into.put_slice(Compact::new(addr).as_bytes());
}

/// The address in 6 bytes.
#[must_use]
pub const fn v4([a, b, c, d, high, low]: [u8; V4_LEN]) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), u16::from_be_bytes([high, low]))
}

/// The address in 18 bytes.
#[must_use]
pub fn v6(bytes: [u8; V6_LEN]) -> SocketAddr {
    let [ip @ .., high, low] = bytes;
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from(ip)), u16::from_be_bytes([high, low]))
}

/// The addresses of a compact IPv4 list. What is left over of an address at its end is passed over, as other clients
/// do.
pub fn list_v4(bytes: &[u8]) -> impl Iterator<Item = SocketAddr> + '_ {
    bytes.as_chunks::<V4_LEN>().0.iter().map(|chunk| v4(*chunk))
}

/// The addresses of a compact IPv6 list. What is left over of an address at its end is passed over.
pub fn list_v6(bytes: &[u8]) -> impl Iterator<Item = SocketAddr> + '_ {
    bytes.as_chunks::<V6_LEN>().0.iter().map(|chunk| v6(*chunk))
}

/// Whether a peer could be dialled there at all: a port, and an address that names one host.
#[must_use]
pub fn is_dialable(addr: SocketAddr) -> bool {
    addr.port() != 0
        && match addr.ip().to_canonical() {
            IpAddr::V4(ip) => {
                !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast() && ip.octets()[0] != 0
            }
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
        }
}

/// Whether an address is of the public Internet: not loopback, private, shared, link-local, documentation or reserved
/// (the special-purpose registries of RFC 6890, where they name ranges that lead into a host or its own network).
#[must_use]
pub fn is_global(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(a == 0
                || ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || (a == 100 && b & 0xc0 == 64)
                || (a == 192 && b == 0 && ip.octets()[2] == 0)
                || (a == 198 && b & 0xfe == 18)
                || a >= 224)
        }
        IpAddr::V6(ip) => {
            // NAT64 and 6to4 carry an IPv4 address that a gateway would dial.
            let [a, b, c, d, e, f, g, h] = ip.segments();
            let inner = match (a, b) {
                (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => Some((g, h)),
                (0x2002, _) => Some((b, c)),
                (0, 0) if [c, d, e, f] == [0; 4] => Some((g, h)),
                _ => None,
            };
            let inner_is_global = inner.is_none_or(|(high, low)| {
                let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
                is_global(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
            });
            inner_is_global
                && !(ip.is_unspecified()
                    || ip.is_loopback()
                    || ip.is_unique_local()
                    || ip.is_unicast_link_local()
                    || ip.is_multicast()
                    || (a == 0x2001 && b == 0xdb8))
        }
    }
}
