//! Other nodes: [`Peer`], an address and the place on the ring that follows from it.

use crate::id::{NetworkId, RingId};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use serde::{Deserialize, Serialize};

/// A node as others know it: packed, because a node keeps dozens and a simulation millions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    id: RingId,
    /// IPv4 is mapped into IPv6.
    ip: [u8; 16],
    port: u16,
}

impl Peer {
    /// The node of a network at an address.
    #[must_use]
    pub fn new(network: NetworkId, addr: SocketAddr) -> Self {
        let ip = match addr.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        Self { id: RingId::of_node(network, addr), ip: ip.octets(), port: addr.port() }
    }

    /// Where it is on the ring.
    #[must_use]
    pub const fn id(&self) -> RingId {
        self.id
    }

    /// Its address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        let ip = Ipv6Addr::from(self.ip);
        let ip = ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4);
        SocketAddr::new(ip, self.port)
    }

    /// Whether it has this address.
    pub(crate) fn is_at(&self, addr: SocketAddr) -> bool {
        let ip = match addr.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        self.port == addr.port() && self.ip == ip.octets()
    }

    /// As it is written in messages.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::from(self.addr())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{}", self.id, self.addr())
    }
}

/// A peer in a message: its address. Its place on the ring is not sent, for it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// IPv4 and a port.
    V4([u8; 4], u16),
    /// IPv6 and a port.
    V6([u8; 16], u16),
}

impl Place {
    /// The peer that it is in a network; `None` if nobody can be there: no port, no address, or one of a group.
    #[must_use]
    pub fn peer(self, network: NetworkId) -> Option<Peer> {
        let addr = SocketAddr::from(self);
        let nobody = addr.port() == 0 || addr.ip().is_unspecified() || addr.ip().is_multicast();
        (!nobody).then(|| Peer::new(network, addr))
    }
}

impl From<SocketAddr> for Place {
    fn from(addr: SocketAddr) -> Self {
        match addr.ip().to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets(), addr.port()),
            IpAddr::V6(ip) => Self::V6(ip.octets(), addr.port()),
        }
    }
}

impl From<Place> for SocketAddr {
    fn from(place: Place) -> Self {
        match place {
            Place::V4(ip, port) => Self::new(Ipv4Addr::from(ip).into(), port),
            Place::V6(ip, port) => Self::new(IpAddr::V6(Ipv6Addr::from(ip)).to_canonical(), port),
        }
    }
}
