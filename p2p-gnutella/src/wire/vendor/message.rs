//! [`VendorMessage`]: what a vendor message says.

use super::super::hosts::{put_v4, read_v4};
use super::super::{Extensions, WireError};
use super::{CrawlerPing, CrawlerPong, Features, HeadPing, HeadPong, MessageType};
use super::{SupportedMessages, Vendor, VendorCode};
use crate::Guid;
use crate::ggep::{self, fields::name};
use bytes::{BufMut, Bytes, BytesMut};
use core::net::SocketAddrV4;

/// Civil time as a time sync carries it, big-endian: seconds since 1970 and microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Seconds since 1970.
    pub seconds: u32,
    /// Microseconds of the next.
    pub micros: u32,
}

impl Stamp {
    /// As 8 bytes: half of a time sync's GUID.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        let (s, m) = (self.seconds.to_be_bytes(), self.micros.to_be_bytes());
        [s[0], s[1], s[2], s[3], m[0], m[1], m[2], m[3]]
    }

    /// Of 8 bytes.
    #[must_use]
    pub const fn from_bytes([s0, s1, s2, s3, m0, m1, m2, m3]: [u8; 8]) -> Self {
        Self { seconds: u32::from_be_bytes([s0, s1, s2, s3]), micros: u32::from_be_bytes([m0, m1, m2, m3]) }
    }
}

/// What a vendor message says. What stands behind the known part is left out; [`Vendor`] keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VendorMessage {
    /// The types that the sender understands: the first vendor message of a link.
    Supported(SupportedMessages),
    /// What the sender can do.
    Features(Features),
    /// Queries with so many hops or more are not wanted; 0 for none at all.
    HopsFlow(u8),
    /// The sender asks to be dialled by TCP at this port: `\n\n` is all that is to be said.
    TcpConnectBack(u16),
    /// The sender asks to be pinged by UDP at this port, by a ping with this GUID; with that of the message if there is none.
    UdpConnectBack(u16, Option<Guid>),
    /// How many hits a query has, its ultrapeer asks; the GUID is the query's.
    QueryStatusRequest,
    /// So many hits a query has; 65,535: it can end.
    QueryStatus(u16),
    /// What time it is: bit 0 says that the sender's clock is set by NTP. The GUID's first half is when it was asked.
    TimeSyncRequest(u8),
    /// When the request came. The GUID's halves are when it was asked and when it was answered.
    TimeSync(u8, Stamp),
    /// The sender needs no push proxy any more.
    PushProxyCancel,
    /// What the sender wants to know of the servent, as flags.
    NodeInfoRequest(u32),
    /// A crawler asks.
    CrawlerPing(CrawlerPing),
    /// A crawler is told.
    CrawlerPong(CrawlerPong),
    /// So many hits of those that wait are wanted; the GUID is the query's.
    OobAck {
        /// 1 to 254, or 255 for that many and more.
        wanted: u8,
        /// The field `SO` with the token that the hits shall bear, in version 3; empty before.
        extensions: Bytes,
    },
    /// So many hits wait to be sent by UDP; the GUID is the query's.
    OobReply {
        /// The version: 3 if the hits will bear a token.
        version: u16,
        /// 1 to 254, or 255 for that many and more.
        hits: u8,
        /// Bit 0: the sender can be reached by UDP unasked; bit 1: it is an ultrapeer on the way. Since version 2.
        flags: Option<u8>,
    },
    /// Ultrapeers shall not take the sender's hits themselves: up to this version of the protocol, or at all; 0 allows all.
    OobProxyVeto(Option<u8>),
    /// The sender asks for a push proxy; the GUID is the sender's.
    PushProxyRequest(u16),
    /// The receiver has one: its address, or in version 1 its port alone. The GUID is the receiver's.
    PushProxyAck(Result<SocketAddrV4, u16>),
    /// What a servent has of a file, it is asked.
    HeadPing(HeadPing),
    /// What it has.
    HeadPong(HeadPong),
    /// A type that has no form of its own here.
    Other(Vendor),
}

/// The first `N` bytes of a body.
fn first<const N: usize>(body: &Bytes) -> Result<[u8; N], WireError> {
    body.first_chunk().copied().ok_or_else(|| WireError::new(body.len(), "a vendor message that is cut"))
}

impl VendorMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// If it is shorter than its type allows.
    pub fn parse(vendor: &Vendor) -> Result<Self, WireError> {
        let Vendor { of, body } = vendor;
        Ok(match (&of.vendor.0, of.selector, of.version) {
            (&[0, 0, 0, 0], 0, _) => Self::Supported(SupportedMessages(body.clone())),
            (&[0, 0, 0, 0], 10, _) => Self::Features(Features(body.clone())),
            (b"BEAR", 4, 1) => Self::HopsFlow(first::<1>(body)?[0]),
            (b"BEAR", 7, 1) => Self::TcpConnectBack(u16::from_le_bytes(first(body)?)),
            (b"BEAR", 11, 1) => Self::QueryStatusRequest,
            (b"BEAR", 12, 1) => Self::QueryStatus(u16::from_le_bytes(first(body)?)),
            (b"GTKG", 7, 1) => {
                let [low, high, guid @ ..] = first::<18>(body)?;
                Self::UdpConnectBack(u16::from_le_bytes([low, high]), Some(Guid(guid)))
            }
            (b"GTKG", 7, 2) => Self::UdpConnectBack(u16::from_le_bytes(first(body)?), None),
            (b"GTKG", 9, 1) => Self::TimeSyncRequest(first::<1>(body)?[0]),
            (b"GTKG", 10, 1) => {
                let [flags, stamp @ ..] = first::<9>(body)?;
                Self::TimeSync(flags, Stamp::from_bytes(stamp))
            }
            (b"GTKG", 21, 1) => Self::PushProxyCancel,
            (b"GTKG", 22, 1) => Self::NodeInfoRequest(u32::from_be_bytes(first(body)?)),
            (b"LIME", 5, 1) => Self::CrawlerPing(CrawlerPing::parse(body)?),
            (b"LIME", 6, 1) => Self::CrawlerPong(CrawlerPong::parse(body)?),
            (b"LIME", 11, 1..=2) => Self::OobAck { wanted: first::<1>(body)?[0], extensions: Bytes::new() },
            (b"LIME", 11, 3) => Self::OobAck { wanted: first::<1>(body)?[0], extensions: body.slice(1..) },
            (b"LIME", 12, 1) => Self::OobReply { version: 1, hits: first::<1>(body)?[0], flags: None },
            (b"LIME", 12, version @ 2..=3) => {
                let [hits, flags] = first(body)?;
                Self::OobReply { version, hits, flags: Some(flags) }
            }
            (b"LIME", 13, 1) => Self::OobProxyVeto(body.first().copied()),
            (b"LIME", 21, version @ 1..=2) => Self::PushProxyRequest(version),
            (b"LIME", 22, 1) => Self::PushProxyAck(Err(u16::from_le_bytes(first(body)?))),
            (b"LIME", 22, 2) => Self::PushProxyAck(Ok(read_v4(&first(body)?))),
            (b"LIME", 23, version @ 1..=2) => Self::HeadPing(HeadPing::parse(version, body)?),
            (b"LIME", 24, version @ 1..=2) => Self::HeadPong(HeadPong::parse(version, body)?),
            _ => Self::Other(vendor.clone()),
        })
    }

    /// The type and the version of the message.
    #[must_use]
    pub const fn of(&self) -> MessageType {
        const NONE: VendorCode = VendorCode::NONE;
        let (vendor, selector, version) = match self {
            Self::Supported(_) => (NONE, 0, 0),
            Self::Features(_) => (NONE, 10, 0),
            Self::HopsFlow(_) => (VendorCode::BEAR, 4, 1),
            Self::TcpConnectBack(_) => (VendorCode::BEAR, 7, 1),
            Self::QueryStatusRequest => (VendorCode::BEAR, 11, 1),
            Self::QueryStatus(_) => (VendorCode::BEAR, 12, 1),
            Self::UdpConnectBack(_, Some(_)) => (VendorCode::GTKG, 7, 1),
            Self::UdpConnectBack(_, None) => (VendorCode::GTKG, 7, 2),
            Self::TimeSyncRequest(_) => (VendorCode::GTKG, 9, 1),
            Self::TimeSync(..) => (VendorCode::GTKG, 10, 1),
            Self::PushProxyCancel => (VendorCode::GTKG, 21, 1),
            Self::NodeInfoRequest(_) => (VendorCode::GTKG, 22, 1),
            Self::CrawlerPing(_) => (VendorCode::LIME, 5, 1),
            Self::CrawlerPong(_) => (VendorCode::LIME, 6, 1),
            Self::OobAck { extensions, .. } => {
                (VendorCode::LIME, 11, if extensions.is_empty() { 2 } else { 3 })
            }
            Self::OobReply { version, .. } => (VendorCode::LIME, 12, *version),
            Self::OobProxyVeto(_) => (VendorCode::LIME, 13, 1),
            Self::PushProxyRequest(version) => (VendorCode::LIME, 21, *version),
            Self::PushProxyAck(Err(_)) => (VendorCode::LIME, 22, 1),
            Self::PushProxyAck(Ok(_)) => (VendorCode::LIME, 22, 2),
            Self::HeadPing(ping) => (VendorCode::LIME, 23, ping.version),
            Self::HeadPong(pong) => (VendorCode::LIME, 24, pong.version()),
            Self::Other(vendor) => return vendor.of,
        };
        MessageType::new(vendor, selector, version)
    }

    /// The message as it is sent.
    #[must_use]
    pub fn to_vendor(&self) -> Vendor {
        let mut body = BytesMut::new();
        match self {
            Self::Supported(SupportedMessages(list)) | Self::Features(Features(list)) => body.put_slice(list),
            Self::HopsFlow(byte) | Self::TimeSyncRequest(byte) => body.put_u8(*byte),
            Self::TcpConnectBack(number)
            | Self::QueryStatus(number)
            | Self::UdpConnectBack(number, None)
            | Self::PushProxyAck(Err(number)) => body.put_u16_le(*number),
            Self::UdpConnectBack(port, Some(guid)) => {
                body.put_u16_le(*port);
                body.put_slice(&guid.0);
            }
            Self::TimeSync(flags, stamp) => {
                body.put_u8(*flags);
                body.put_slice(&stamp.to_bytes());
            }
            Self::QueryStatusRequest | Self::PushProxyCancel | Self::PushProxyRequest(_) => {}
            Self::NodeInfoRequest(flags) => body.put_u32(*flags),
            Self::CrawlerPing(ping) => body.put_slice(&[ping.ultrapeers, ping.leaves, ping.features]),
            Self::CrawlerPong(pong) => pong.encode(&mut body),
            Self::OobAck { wanted, extensions } => {
                body.put_u8(*wanted);
                body.put_slice(extensions);
            }
            Self::OobReply { hits, flags, .. } => {
                body.put_u8(*hits);
                body.extend(*flags);
            }
            Self::OobProxyVeto(version) => body.extend(*version),
            Self::PushProxyAck(Ok(addr)) => put_v4(*addr, &mut body),
            Self::HeadPing(ping) => ping.encode(&mut body),
            Self::HeadPong(pong) => pong.encode(&mut body),
            Self::Other(vendor) => body.put_slice(&vendor.body),
        }
        Vendor { of: self.of(), body: body.freeze() }
    }

    /// That hits are wanted, which shall bear this token: without one an address proves nothing.
    #[must_use]
    pub fn oob_ack(wanted: u8, token: &[u8]) -> Self {
        let mut extensions = BytesMut::new();
        if !token.is_empty() {
            ggep::Writer::new(&mut extensions).put(name::SECURE_OOB, token);
        }
        Self::OobAck { wanted, extensions: extensions.freeze() }
    }

    /// The token that the hits shall bear, of a message that says so.
    #[must_use]
    pub fn oob_token(&self) -> Option<Bytes> {
        let Self::OobAck { extensions, .. } = self else { return None };
        let data = Extensions(extensions).data(name::SECURE_OOB)?;
        (!data.is_empty()).then(|| Bytes::copy_from_slice(&data))
    }
}
