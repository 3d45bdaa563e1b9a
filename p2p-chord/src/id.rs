//! Places on the ring: [`RingId`], 160 bits, of nodes and of keys alike; and [`NetworkId`], which ring it is.

use core::cmp::Ordering;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;
use p2p_core::hash::{Hasher, Sha256};
use p2p_core::id::IdError;
use p2p_core::{Id, Rng};
use serde::{Deserialize, Serialize};

/// A place on the ring: a number modulo 2^160 (Stoica et al. 2001, section 4.1, with SHA-256 in SHA-1's place).
///
/// Who is responsible for a key is the first node at or after it, clockwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RingId([u8; 20]);

impl Ord for RingId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.words().cmp(&other.words())
    }
}

impl PartialOrd for RingId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl RingId {
    /// Bits of an identifier.
    pub const BITS: u32 = 160;

    /// An identifier of these bytes, the most significant first.
    #[must_use]
    pub const fn new(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// One drawn at random.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        Self(rng.bytes())
    }

    /// Of these bytes: the first 160 bits of their SHA-256.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Sha256::default();
        hasher.update(bytes);
        Self::cut(&hasher.finish().0)
    }

    /// Where a node is on the ring of a network, given its address: nobody chooses freely, and everybody can check.
    ///
    /// SHA-256 over `"p2p-chord node"`, the network (4 bytes, big-endian), the address (16 bytes, IPv4 mapped into
    /// IPv6) and the port (2 bytes, big-endian).
    #[must_use]
    pub fn of_node(network: NetworkId, addr: SocketAddr) -> Self {
        let ip = match addr.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        // One block of the hash function takes all of it.
        let mut input = [0; 36];
        input[..14].copy_from_slice(b"p2p-chord node");
        input[14..18].copy_from_slice(&network.0.to_be_bytes());
        input[18..34].copy_from_slice(&ip);
        input[34..36].copy_from_slice(&addr.port().to_be_bytes());
        Self::cut(&Sha256::short(&input).0)
    }

    fn cut(digest: &[u8; 32]) -> Self {
        let mut bytes = [0; 20];
        bytes.copy_from_slice(&digest[..20]);
        Self(bytes)
    }

    /// Its bytes, the most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    const fn id(self) -> Id<20> {
        Id(self.0)
    }

    /// The number in two parts, the greater one first: a node compares hundreds of distances for each message.
    #[inline]
    fn words(self) -> (u128, u32) {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, rest @ ..] = self.0;
        let high = u128::from_be_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]);
        (high, u32::from_be_bytes(rest))
    }

    /// The upper 64 bits.
    pub(crate) fn beginning(self) -> u64 {
        (self.words().0 >> 64) as u64
    }

    #[inline]
    fn of_words(high: u128, low: u32) -> Self {
        let mut bytes = [0; 20];
        bytes[..16].copy_from_slice(&high.to_be_bytes());
        bytes[16..].copy_from_slice(&low.to_be_bytes());
        Self(bytes)
    }

    /// How far it is clockwise from here to there.
    #[must_use]
    #[inline]
    pub fn distance_to(self, to: Self) -> Self {
        let ((high, low), (to_high, to_low)) = (self.words(), to.words());
        let (low, borrow) = to_low.overflowing_sub(low);
        Self::of_words(to_high.wrapping_sub(high).wrapping_sub(u128::from(borrow)), low)
    }

    /// The place this far clockwise.
    #[must_use]
    #[inline]
    pub fn plus(self, distance: Self) -> Self {
        let ((high, low), (more_high, more_low)) = (self.words(), distance.words());
        let (low, carry) = low.overflowing_add(more_low);
        Self::of_words(high.wrapping_add(more_high).wrapping_add(u128::from(carry)), low)
    }

    /// The place 2^`k` clockwise, for `k` below 160.
    #[must_use]
    pub fn plus_power(self, k: u32) -> Self {
        Self(self.id().plus_power(k).0)
    }

    /// Whether this lies strictly between the two, clockwise; between a place and itself that is everywhere else.
    #[must_use]
    #[inline]
    pub fn between(self, from: Self, to: Self) -> bool {
        self != from && self != to && (from == to || from.distance_to(self) < from.distance_to(to))
    }

    /// Whether this lies after `from` and not after `to`: a node at `to` whose predecessor is at `from` is responsible
    /// for it.
    #[must_use]
    #[inline]
    pub fn in_arc_to(self, from: Self, to: Self) -> bool {
        from == to || (self != from && from.distance_to(self) <= from.distance_to(to))
    }

    /// The number of the highest bit that is set, 0 for the lowest; `None` of zero.
    #[must_use]
    pub fn highest_bit(self) -> Option<u32> {
        let (high, low) = self.words();
        let zeros = if high == 0 { 128 + low.leading_zeros() } else { high.leading_zeros() };
        (Self::BITS - 1).checked_sub(zeros)
    }
}

impl fmt::Display for RingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.id(), f)
    }
}

impl fmt::Debug for RingId {
    /// The first four bytes, which tell nodes of one ring apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for RingId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse::<Id<20>>().map(|id| Self(id.0))
    }
}

/// Which ring a message is of: nodes of different networks never hear each other, by whatever accident they meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub u32);

impl NetworkId {
    /// The network of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let [a, b, c, d, ..] = RingId::of(name.as_bytes()).0;
        Self(u32::from_be_bytes([a, b, c, d]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_the_hash_of_what_is_said(network: u32, ip: [u8; 4], port: u16) {
            let mut said = b"p2p-chord node".to_vec();
            said.extend(network.to_be_bytes());
            said.extend(core::net::Ipv4Addr::from(ip).to_ipv6_mapped().octets());
            said.extend(port.to_be_bytes());
            prop_assert_eq!(RingId::of_node(NetworkId(network), (ip, port).into()), RingId::of(&said));
        }

        #[test]
        fn words_count_as_bytes_do(a: [u8; 20], b: [u8; 20], c: [u8; 20], near: bool) {
            // Equal upper parts are where a borrow shows.
            let b = if near { let mut near = a; near[15..].copy_from_slice(&b[15..]); near } else { b };
            let (x, y, z) = (RingId(a), RingId(b), RingId(c));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.distance_to(y).0, x.id().clockwise_to(y.id()).0);
            prop_assert_eq!(x.plus(y).0, x.id().wrapping_add(y.id()).0);
            prop_assert_eq!(z.between(x, y), z.id().between(x.id(), y.id()));
            prop_assert_eq!(y.between(x, x), y.id().between(x.id(), x.id()));
            prop_assert_eq!(z.in_arc_to(x, y), z.id().in_arc_to(x.id(), y.id()));
            prop_assert_eq!(y.in_arc_to(x, x), y.id().in_arc_to(x.id(), x.id()));
            prop_assert_eq!(x.highest_bit(), (RingId::BITS - 1).checked_sub(x.id().leading_zeros()));
        }
    }
}
