//! The head of a message: [`Header`].

use crate::Guid;
use core::fmt;

/// Bytes of a head.
pub const HEADER_LEN: usize = 23;

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// Asks for pongs.
    pub const PING: Self = Self(0x00);
    /// A servent's address and what it shares.
    pub const PONG: Self = Self(0x01);
    /// The last message of a link, and why it ends.
    pub const BYE: Self = Self(0x02);
    /// A part of a query routing table (QRP 1.0).
    pub const ROUTE: Self = Self(0x30);
    /// A vendor message (Vendor-Message 0.1).
    pub const VENDOR: Self = Self(0x31);
    /// A vendor message that became everybody's: the same form.
    pub const STANDARD: Self = Self(0x32);
    /// Asks a servent behind a firewall to connect.
    pub const PUSH: Self = Self(0x40);
    /// A message of the DHT (Mojito), by UDP; not spoken here.
    pub const DHT: Self = Self(0x44);
    /// A search.
    pub const QUERY: Self = Self(0x80);
    /// What was found.
    pub const QUERY_HIT: Self = Self(0x81);
    /// How many servents there are how far away (HSEP 0.2).
    pub const HORIZON: Self = Self(0xcd);
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::PING => "PING",
            Self::PONG => "PONG",
            Self::BYE => "BYE",
            Self::ROUTE => "ROUTE",
            Self::VENDOR => "VENDOR",
            Self::STANDARD => "STANDARD",
            Self::PUSH => "PUSH",
            Self::DHT => "DHT",
            Self::QUERY => "QUERY",
            Self::QUERY_HIT => "QUERY_HIT",
            Self::HORIZON => "HORIZON",
            Self(other) => return write!(f, "{other:#04x}"),
        })
    }
}

/// A head, without the length of the payload: that is the payload's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The message's name, or that of the query that it belongs to.
    pub guid: Guid,
    /// What it is.
    pub kind: Kind,
    /// How many more servents may receive it. By UDP the high bit says that the payload is deflated, and bit 3 that the
    /// answer may be.
    pub ttl: u8,
    /// How many servents it has passed.
    pub hops: u8,
}

/// Why a message cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// It came with a TTL of 0: nobody may receive it.
    #[error("a TTL of 0")]
    NoTtl,
    /// It has passed 255 servents, or as many as may be.
    #[error("{0} hops")]
    TooFar(u8),
}

impl Header {
    /// The head of a message between neighbours.
    #[must_use]
    pub const fn neighbour(guid: Guid, kind: Kind) -> Self {
        Self { guid, kind, ttl: 1, hops: 0 }
    }

    /// The head as it is from here on, which is the first thing that is done with a message (0.4, section "routing"): one
    /// more hop, one less to live, and together at most `max`. What has no TTL left then goes to no ultrapeer, but to leaves
    /// and up to the servent itself.
    ///
    /// # Errors
    /// If it must not have come here.
    pub const fn stepped(self, max: u8) -> Result<Self, Undeliverable> {
        if self.ttl == 0 {
            return Err(Undeliverable::NoTtl);
        }
        // A hop count of 255 would begin again at 0, and the message live for ever.
        if self.hops == u8::MAX || self.hops >= max {
            return Err(Undeliverable::TooFar(self.hops));
        }
        let hops = self.hops + 1;
        let ttl = if self.ttl - 1 > max - hops { max - hops } else { self.ttl - 1 };
        Ok(Self { ttl, hops, ..self })
    }

    /// The head of an answer to this message, which came with these hops: it may go as far, and `slack` more, for the way
    /// back can be longer. At most 255.
    #[must_use]
    pub const fn answer(self, kind: Kind, slack: u8) -> Self {
        Self { guid: self.guid, kind, ttl: self.hops.saturating_add(slack), hops: 0 }
    }

    /// Reads a head, and the length that it states.
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> (Self, u32) {
        let [guid @ .., kind, ttl, hops, l0, l1, l2, l3] = *bytes;
        (Self { guid: Guid(guid), kind: Kind(kind), ttl, hops }, u32::from_le_bytes([l0, l1, l2, l3]))
    }

    /// The head of a payload of so many bytes.
    #[must_use]
    pub fn to_bytes(&self, payload_len: u32) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..16].copy_from_slice(&self.guid.0);
        bytes[16..19].copy_from_slice(&[self.kind.0, self.ttl, self.hops]);
        bytes[19..].copy_from_slice(&payload_len.to_le_bytes());
        bytes
    }
}
