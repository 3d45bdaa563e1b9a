//! Where the hosts of a LAN meet: a multicast group and a port of their own for each stream ([`group_at`]).

use crate::group::GroupKey;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use p2p_core::hash::{Hasher, Sha256};

/// What the digest begins with that the address is made of.
const CONTEXT: &[u8] = b"p2p-esm lan 1";

/// The group's address and port. IPv4: in 239.255.0.0/16, the local scope (RFC 2365, section 6.1), but for its last
/// 256 addresses, which are given out. IPv6: in ff12::/16, not permanent and of link-local scope (RFC 4291, section
/// 2.7), with a number that is chosen and not given out (RFC 3307, section 4.3). A port that no service is registered
/// for (RFC 6335, section 6).
#[must_use]
pub fn group_at(key: GroupKey, is_ipv6: bool) -> SocketAddr {
    let mut hasher = Sha256::default();
    hasher.update(CONTEXT);
    hasher.update(&key.0);
    let digest = hasher.finish();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    let [a, b, c, d, e, f, g, h, high, low, ..] = bytes;
    let ip = if is_ipv6 {
        let pair = |one: u8, other: u8| u16::from_be_bytes([one, other]);
        let number = [pair(a, b), pair(c, d), pair(e, f) | 0x8000, pair(g, h)];
        IpAddr::V6(Ipv6Addr::new(0xff12, 0, 0, 0, number[0], number[1], number[2], number[3]))
    } else {
        IpAddr::V4(Ipv4Addr::new(239, 255, a % 255, b))
    };
    SocketAddr::new(ip, u16::from_be_bytes([high, low]) | 0xc000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_the_scopes_and_each_its_own() {
        let mut seen = alloc::collections::BTreeSet::new();
        for n in 0..=255 {
            let key = GroupKey([n; 32]);
            let IpAddr::V4(v4) = group_at(key, false).ip() else { panic!("IPv4") };
            assert!(matches!(v4.octets(), [239, 255, 0..=254, _]), "{v4}");
            let v6 = group_at(key, true);
            let IpAddr::V6(ip) = v6.ip() else { panic!("IPv6") };
            assert_eq!(ip.segments()[0], 0xff12, "link-local scope, not permanent");
            assert!(ip.segments()[6] >= 0x8000 && v6.port() >= 0xc000);
            seen.insert(group_at(key, false));
        }
        assert_eq!(seen.len(), 256, "of so few, no two are the same");
    }
}
