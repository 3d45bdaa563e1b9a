//! What pongs tell of a servent: `VC`, `UP`, `SCP`.

use crate::wire::VendorCode;

/// `VC`: who made the servent, and its version in half-bytes where it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerVersion {
    /// The vendor.
    pub vendor: VendorCode,
    /// The version, `major << 4 | minor`, as far as four bits hold either.
    pub version: Option<u8>,
}

impl PeerVersion {
    /// Reads the data of `VC`.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let (vendor, rest) = data.split_first_chunk()?;
        Some(Self { vendor: VendorCode(*vendor), version: rest.first().copied() })
    }
}

/// `UP`: the sender is an ultrapeer, and has so many places free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// The version of the ultrapeer protocol, `major << 4 | minor`: 0.2 in use.
    pub version: u8,
    /// Places for leaves.
    pub leaves: u8,
    /// Places for ultrapeers.
    pub ultrapeers: u8,
}

impl Slots {
    /// Reads the data of `UP`.
    #[must_use]
    pub const fn parse(data: &[u8]) -> Option<Self> {
        let [version, leaves, ultrapeers, ..] = *data else { return None };
        Some(Self { version, leaves, ultrapeers })
    }

    /// The data of `UP`.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; 3] {
        [self.version, self.leaves, self.ultrapeers]
    }
}

/// `SCP`: what hosts a ping asks for (UDP host caches; IPv6-Ready, section 5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scp(pub u8);

impl Scp {
    /// Ultrapeers with places for ultrapeers are asked for; else those with places for leaves.
    pub const ULTRAPEER: u8 = 0x01;
    /// IPv6 addresses are welcome.
    pub const IPV6: u8 = 0x04;
    /// No IPv4 addresses.
    pub const NO_IPV4: u8 = 0x08;

    /// Reads the data of `SCP`; without a byte nothing is asked for in particular.
    #[must_use]
    pub fn parse(data: &[u8]) -> Self {
        Self(data.first().copied().unwrap_or_default())
    }

    /// Whether places for ultrapeers are asked for.
    #[must_use]
    pub const fn wants_ultrapeers(self) -> bool {
        self.0 & Self::ULTRAPEER != 0
    }

    /// Whether IPv6 addresses are welcome: those who want no others want them.
    #[must_use]
    pub const fn wants_ipv6(self) -> bool {
        self.0 & (Self::IPV6 | Self::NO_IPV4) != 0
    }

    /// Whether IPv4 addresses are welcome.
    #[must_use]
    pub const fn wants_ipv4(self) -> bool {
        self.0 & Self::NO_IPV4 == 0
    }
}
