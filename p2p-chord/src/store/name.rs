//! What tells records of a store apart, [`Name`], and publishers, [`Prefix`].

use crate::id::RingId;
use crate::peer::Place;
use crate::record::{Kind, Record};
use core::net::{IpAddr, SocketAddr};
use serde::{Deserialize, Serialize};

/// A record's key and kind, and what tells several of one key apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Name {
    key: RingId,
    kind: Kind,
    /// Address and port of a provider, IPv4 mapped into IPv6; the number of a fragment behind zeros; ones of a pointer, zeros else.
    at: [u8; 18],
}

impl Name {
    pub(crate) fn of(record: &Record) -> Self {
        let at = match record {
            Record::Provider(provider) => written(provider.at),
            Record::Fragment(fragment) => {
                let mut at = [0; 18];
                at[17] = fragment.number() as u8;
                at
            }
            Record::Pointer(_) => [1; 18],
            Record::Value(_) | Record::Signed(_) | Record::Coded(_) => [0; 18],
        };
        Self { key: record.key(), kind: record.kind(), at }
    }

    /// The first and the last name of a key and kind.
    pub(crate) const fn range(key: RingId, kind: Kind) -> (Self, Self) {
        (Self { key, kind, at: [0; 18] }, Self { key, kind, at: [0xff; 18] })
    }

    /// Nothing of this key comes before it.
    pub(crate) const fn first_of(key: RingId) -> Self {
        Self { key, kind: Kind::Value, at: [0; 18] }
    }

    /// Nothing of this key comes behind it.
    pub(crate) const fn last_of(key: RingId) -> Self {
        Self { key, kind: Kind::Coded, at: [0xff; 18] }
    }

    pub(crate) const fn key(&self) -> RingId {
        self.key
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) const fn at(&self) -> &[u8; 18] {
        &self.at
    }
}

fn written(at: Place) -> [u8; 18] {
    let addr = SocketAddr::from(at);
    let ip = match addr.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    let mut bytes = [0; 18];
    bytes[..16].copy_from_slice(&ip);
    bytes[16..].copy_from_slice(&addr.port().to_be_bytes());
    bytes
}

/// A block of addresses that is held for one publisher: an IPv4 /24, an IPv6 /64. Whoever has one address of it can
/// often have them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Prefix(u64);

impl Prefix {
    /// The block of an address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            // No IPv6 network has 40 zeros in front.
            IpAddr::V4(ip) => Self(u64::from(u32::from(ip) >> 8)),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        }
    }
}
