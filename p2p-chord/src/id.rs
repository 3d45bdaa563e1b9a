//! Places on the ring: [`RingId`], 160 bits, of nodes and of keys alike; and [`NetworkId`], which ring it is.

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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RingId([u8; 20]);

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
        Self::of(&input)
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

    /// How far it is clockwise from here to there.
    #[must_use]
    pub fn distance_to(self, to: Self) -> Self {
        Self(self.id().clockwise_to(to.id()).0)
    }

    /// The place this far clockwise.
    #[must_use]
    pub fn plus(self, distance: Self) -> Self {
        Self(self.id().wrapping_add(distance.id()).0)
    }

    /// The place 2^`k` clockwise, for `k` below 160.
    #[must_use]
    pub fn plus_power(self, k: u32) -> Self {
        Self(self.id().plus_power(k).0)
    }

    /// Whether this lies strictly between the two, clockwise; between a place and itself that is everywhere else.
    #[must_use]
    pub fn between(self, from: Self, to: Self) -> bool {
        self.id().between(from.id(), to.id())
    }

    /// Whether this lies after `from` and not after `to`: a node at `to` whose predecessor is at `from` is responsible
    /// for it.
    #[must_use]
    pub fn in_arc_to(self, from: Self, to: Self) -> bool {
        self.id().in_arc_to(from.id(), to.id())
    }

    /// The number of the highest bit that is set, 0 for the lowest; `None` of zero.
    #[must_use]
    pub fn highest_bit(self) -> Option<u32> {
        (Self::BITS - 1).checked_sub(self.id().leading_zeros())
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
