//! [`Push`]: asks a servent behind a firewall to connect.

use super::{Extensions, NO_ADDRESS, WireError};
use crate::Guid;
use crate::ggep::{self, fields::name};
use bytes::{BufMut, Bytes, BytesMut};
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Asks a servent to connect and to say `GIV`. It goes the way back that the servent's hits came.
///
/// | bytes | what |
/// | --- | --- |
/// | 16 | the servent's GUID |
/// | 4 | the file's number; 0 for any |
/// | 4, 2 | IPv4 address in network order, port: where to connect |
/// | rest | extensions |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Who is meant.
    pub servent: Guid,
    /// The file.
    pub index: u32,
    /// Who waits. It may be anybody: a servent connects to few of them, and says nothing that harms.
    pub addr: SocketAddrV4,
    /// The extensions: `TLS`, `6`.
    pub extensions: Bytes,
}

const PUSH_LEN: usize = 26;

impl Push {
    /// The number of the file that stands for a transfer between two firewalled servents (LimeWire).
    pub const FIREWALL_TRANSFER: u32 = 0x7fff_fffd;

    /// A push for somebody who waits at these addresses, of which there is at least one.
    #[must_use]
    pub fn new(servent: Guid, index: u32, v4: Option<SocketAddrV4>, v6: Option<SocketAddrV6>) -> Self {
        let port = v6.map_or(0, |v6| v6.port());
        let mut extensions = BytesMut::new();
        if let Some(v6) = v6 {
            ggep::Writer::new(&mut extensions).put(name::IPV6, &v6.ip().octets());
        }
        let addr = v4.unwrap_or_else(|| SocketAddrV4::new(NO_ADDRESS, port));
        Self { servent, index, addr, extensions: extensions.freeze() }
    }

    /// Where whoever waits can be dialled, by IPv4 if that is possible; the port is the same for both (IPv6-Ready, section
    /// 2.1).
    #[must_use]
    pub fn target(&self) -> SocketAddr {
        match self.extensions().ipv6() {
            Some(v6) if *self.addr.ip() == NO_ADDRESS => SocketAddr::from((v6, self.addr.port())),
            _ => SocketAddr::V4(self.addr),
        }
    }

    pub(super) fn parse(payload: &Bytes) -> Result<Self, WireError> {
        let cut = WireError::new(payload.len(), "a push of less than 26 bytes");
        let &[servent @ .., i0, i1, i2, i3, a, b, c, d, p0, p1] =
            payload.first_chunk::<PUSH_LEN>().ok_or(cut)?;
        Ok(Self {
            servent: Guid(servent),
            index: u32::from_le_bytes([i0, i1, i2, i3]),
            addr: SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_le_bytes([p0, p1])),
            extensions: payload.slice(PUSH_LEN..),
        })
    }

    pub(super) fn encode(&self, to: &mut BytesMut) {
        to.put_slice(&self.servent.0);
        to.put_u32_le(self.index);
        super::hosts::put_v4(self.addr, to);
        to.put_slice(&self.extensions);
    }

    /// The extensions.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'_> {
        Extensions(&self.extensions)
    }
}
