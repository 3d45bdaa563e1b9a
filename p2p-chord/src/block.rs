//! Blocks of addresses that one party can easily have all of: [`Block`], and what is limited by them.
//!
//! An identifier follows from an address and a port, so whoever has one address can be at 65,536 places of the ring, and
//! whoever has a /24 at 16 million. What a node may choose it therefore chooses from many blocks
//! ([`Config::alike`](crate::Config::alike)): its fingers, whom a lookup asks, whom it keeps in mind when they are lost.
//!
//! Who stands beside it on the ring it cannot choose. A successor list is the next `r` nodes or the ring is none: who left
//! out a successor would answer for places that are another's, and its list could lose its last live entry (Zave 2017).
//! What it can do without harm to the ring is not to take a newcomer as predecessor
//! ([`Config::neighbours_alike`](crate::Config::neighbours_alike)): nobody but our predecessor learns of newcomers, and
//! from us alone, so a newcomer that is refused is no part of the ring, whoever else it tells. It is let in should
//! another successor of its find that there are fewer of its kind. But one that is in and breaks the rules can let in
//! its own before itself: the limit keeps out crowds, not those who were let in one by one. Since that limits small networks of one block as well,
//! it is left to who runs the node.
//!
//! Loopback, private and local addresses are of no block.

use core::net::{IpAddr, SocketAddr};

/// An IPv4 /24 or an IPv6 /48, of addresses that everybody can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block(u64);

impl Block {
    /// The block of an address; `None` if not everybody can reach it.
    pub(crate) fn of(addr: SocketAddr) -> Option<Self> {
        if is_local(addr.ip()) {
            return None;
        }
        Some(match addr.ip().to_canonical() {
            // No IPv6 network has 40 zeros in front.
            IpAddr::V4(ip) => Self(u64::from(u32::from(ip) >> 8)),
            IpAddr::V6(ip) => Self((u128::from(ip) >> 64) as u64 & !0xffff),
        })
    }

    /// Whether there is room for one more of its block among these; `most` 0: always.
    pub(crate) fn has_room(addr: SocketAddr, most: usize, among: impl Iterator<Item = SocketAddr>) -> bool {
        let Some(block) = Self::of(addr).filter(|_| most > 0) else { return true };
        among.filter(|other| Self::of(*other) == Some(block)).take(most).count() < most
    }
}

/// Whether an address means something on one machine or in one network only.
pub(crate) fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // 100.64.0.0/10 is shared by the customers of a provider (RFC 6598).
            let is_shared = a == 100 && b & 0xc0 == 64;
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 4000)
    }

    #[test]
    fn a_block_is_what_one_party_has() {
        assert_eq!(Block::of(at("198.51.100.1")), Block::of(at("198.51.100.200")));
        assert_ne!(Block::of(at("198.51.100.1")), Block::of(at("198.51.101.1")));
        assert_eq!(Block::of(at("2001:db8:1:2::1")), Block::of(at("2001:db8:1:ffff::9")));
        assert_ne!(Block::of(at("2001:db8:1::1")), Block::of(at("2001:db8:2::1")));
        assert_eq!(Block::of(at("::ffff:198.51.100.1")), Block::of(at("198.51.100.1")));
        for local in
            ["127.0.0.1", "10.1.2.3", "192.168.1.1", "100.64.0.1", "169.254.1.1", "::1", "fd00::1", "fe80::1"]
        {
            assert_eq!(Block::of(at(local)), None, "{local}");
        }
    }

    #[test]
    fn so_many_of_one_block_find_room() {
        let among = [at("198.51.100.1"), at("198.51.100.2"), at("203.0.113.1"), at("10.0.0.1")];
        let has_room = |addr, most| Block::has_room(at(addr), most, among.into_iter());
        assert!(!has_room("198.51.100.3", 2) && has_room("198.51.100.3", 3));
        assert!(has_room("203.0.113.9", 2) && has_room("10.0.0.2", 1) && has_room("198.51.100.3", 0));
    }
}
