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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn bytes_as_in_bep_23_and_bep_7() {
        let mut bytes = Vec::new();
        put("10.10.10.5:128".parse().unwrap(), &mut bytes);
        put("[::ffff:1.2.3.4]:6881".parse().unwrap(), &mut bytes);
        assert_eq!(bytes, [10, 10, 10, 5, 0, 128, 1, 2, 3, 4, 0x1a, 0xe1]);
        let found: Vec<_> = list_v4(&bytes).collect();
        assert_eq!(found, ["10.10.10.5:128".parse().unwrap(), "1.2.3.4:6881".parse().unwrap()]);
        let mut bytes = Vec::new();
        put("[2001:db8::1]:51413".parse().unwrap(), &mut bytes);
        assert_eq!(bytes, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xc8, 0xd5]);
    }

    #[test]
    fn six_n_and_three_bytes_give_n_peers() {
        assert_eq!(list_v4(&vec![1; 6 * 50 + 3]).count(), 50);
        assert_eq!(list_v6(&vec![1; 18 * 50 + 17]).count(), 50);
        assert_eq!(list_v4(&[]).count() + list_v6(&[0; 17]).count(), 0);
    }

    #[test]
    fn global_and_not() {
        for ip in ["8.8.8.8", "100.128.0.1", "2a00:1450:4001::1", "64:ff9b::808:808", "172.32.0.1"] {
            assert!(is_global(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "172.31.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "198.18.0.1",
            "::127.0.0.1",
        ] {
            assert!(!is_global(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn nobody_is_dialled_at_port_0_or_at_a_group() {
        for addr in [
            "1.2.3.4:0",
            "0.0.0.0:80",
            "0.1.2.3:80",
            "239.1.1.1:80",
            "255.255.255.255:80",
            "[ff02::1]:80",
            "[::]:80",
        ] {
            assert!(!is_dialable(addr.parse().unwrap()), "{addr}");
        }
        assert!(is_dialable("127.0.0.1:80".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn round_trip(ip: [u8; 4], ip6: [u8; 16], port: u16) {
            let addr = SocketAddr::from((ip, port));
            let mut bytes = Vec::new();
            put(addr, &mut bytes);
            prop_assert_eq!(list_v4(&bytes).collect::<Vec<_>>(), vec![addr]);
            let addr = SocketAddr::from((ip6, port));
            if addr.ip().to_canonical().is_ipv6() {
                let mut bytes = Vec::new();
                put(addr, &mut bytes);
                prop_assert_eq!(list_v6(&bytes).collect::<Vec<_>>(), vec![addr]);
            }
        }
    }
}
