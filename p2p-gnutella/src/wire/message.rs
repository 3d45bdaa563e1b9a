//! [`Message`]: a payload read as what its kind says.

use super::{Bye, Horizon, Kind, Ping, Pong, Push, Query, QueryHit, Route, Vendor, WireError};
use bytes::{Bytes, BytesMut};

/// A payload. [`encode`](Self::encode) writes what [`parse`](Self::parse) read, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// Asks for pongs.
    Ping(Ping),
    /// A servent.
    Pong(Pong),
    /// The end of a link.
    Bye(Bye),
    /// A part of a routing table.
    Route(Route),
    /// A vendor message: [`Vendor::read`] reads on.
    Vendor(Vendor),
    /// A vendor message that became everybody's.
    Standard(Vendor),
    /// Asks a servent to connect.
    Push(Push),
    /// A search.
    Query(Query),
    /// What was found.
    QueryHit(QueryHit),
    /// How much there is.
    Horizon(Horizon),
    /// A kind that has no form of its own here, and its payload.
    Other(Kind, Bytes),
}

impl Message {
    /// Reads a payload. Nothing but a few fields is copied, and nothing allocated.
    ///
    /// # Errors
    /// If it is not of the form that its kind has. The stream can be read on all the same.
    pub fn parse(kind: Kind, payload: &Bytes) -> Result<Self, WireError> {
        Ok(match kind {
            Kind::PING => Self::Ping(Ping { extensions: payload.clone() }),
            Kind::PONG => Self::Pong(Pong::parse(payload)?),
            Kind::BYE => Self::Bye(Bye::parse(payload)?),
            Kind::ROUTE => Self::Route(Route::parse(payload)?),
            Kind::VENDOR => Self::Vendor(Vendor::parse(payload)?),
            Kind::STANDARD => Self::Standard(Vendor::parse(payload)?),
            Kind::PUSH => Self::Push(Push::parse(payload)?),
            Kind::QUERY => Self::Query(Query::parse(payload)?),
            Kind::QUERY_HIT => Self::QueryHit(QueryHit::parse(payload)?),
            Kind::HORIZON => Self::Horizon(Horizon::parse(payload)?),
            other => Self::Other(other, payload.clone()),
        })
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Ping(_) => Kind::PING,
            Self::Pong(_) => Kind::PONG,
            Self::Bye(_) => Kind::BYE,
            Self::Route(_) => Kind::ROUTE,
            Self::Vendor(_) => Kind::VENDOR,
            Self::Standard(_) => Kind::STANDARD,
            Self::Push(_) => Kind::PUSH,
            Self::Query(_) => Kind::QUERY,
            Self::QueryHit(_) => Kind::QUERY_HIT,
            Self::Horizon(_) => Kind::HORIZON,
            Self::Other(kind, _) => *kind,
        }
    }

    /// Appends the payload.
    pub fn encode(&self, to: &mut BytesMut) {
        match self {
            Self::Ping(ping) => to.extend_from_slice(&ping.extensions),
            Self::Pong(pong) => pong.encode(to),
            Self::Bye(bye) => bye.encode(to),
            Self::Route(route) => route.encode(to),
            Self::Vendor(vendor) | Self::Standard(vendor) => vendor.encode(to),
            Self::Push(push) => push.encode(to),
            Self::Query(query) => query.encode(to),
            Self::QueryHit(hit) => hit.encode(to),
            Self::Horizon(horizon) => horizon.encode(to),
            Self::Other(_, payload) => to.extend_from_slice(payload),
        }
    }

    /// The payload.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        // Most are shorter.
        let mut payload = BytesMut::with_capacity(128);
        self.encode(&mut payload);
        payload.freeze()
    }
}
