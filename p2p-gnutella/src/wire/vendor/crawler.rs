//! The crawler by UDP: [`CrawlerPing`], [`CrawlerPong`].

use super::super::{Hosts, WireError};
use bytes::{BufMut, Bytes, BytesMut};
use core::net::SocketAddrV4;

/// Asks an ultrapeer for its neighbours: three bytes, and what later versions add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrawlerPing {
    /// How many ultrapeers are asked for; 255 for all.
    pub ultrapeers: u8,
    /// How many leaves; 255 for all.
    pub leaves: u8,
    /// What is asked of them beside their addresses.
    pub features: u8,
}

impl CrawlerPing {
    /// How long each has been connected.
    pub const CONNECTION_TIME: u8 = 0x01;
    /// The language of each.
    pub const LOCALE: u8 = 0x02;
    /// Only those that answer crawlers.
    pub const CRAWLABLE: u8 = 0x04;
    /// The programs of all.
    pub const USER_AGENTS: u8 = 0x08;

    pub(super) fn parse(body: &Bytes) -> Result<Self, WireError> {
        match body[..] {
            [ultrapeers, leaves, features, ..] => Ok(Self { ultrapeers, leaves, features }),
            _ => Err(WireError::new(body.len(), "a crawler's ping of less than 3 bytes")),
        }
    }
}

/// The neighbours of an ultrapeer: counts of ultrapeers and leaves, the features that are told, and for each neighbour 6
/// bytes of address, 2 of minutes and 2 of language as far as they are told. The programs stand behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrawlerPong {
    /// How many ultrapeers are told.
    pub ultrapeers: u8,
    /// How many leaves are told, behind them.
    pub leaves: u8,
    /// What is told of each.
    pub features: u8,
    /// What follows.
    pub rest: Bytes,
}

impl CrawlerPong {
    pub(super) fn parse(body: &Bytes) -> Result<Self, WireError> {
        match body[..] {
            [ultrapeers, leaves, features, ..] => {
                Ok(Self { ultrapeers, leaves, features, rest: body.slice(3..) })
            }
            _ => Err(WireError::new(body.len(), "a crawler's pong of less than 3 bytes")),
        }
    }

    pub(super) fn encode(&self, to: &mut BytesMut) {
        to.put_slice(&[self.ultrapeers, self.leaves, self.features]);
        to.put_slice(&self.rest);
    }

    /// The addresses of the ultrapeers and then of the leaves, as many as are there, and whether each is an ultrapeer.
    pub fn neighbours(&self) -> impl Iterator<Item = (SocketAddrV4, bool)> {
        let told = |feature| if self.features & feature != 0 { 2 } else { 0 };
        let width = 6 + told(CrawlerPing::CONNECTION_TIME) + told(CrawlerPing::LOCALE);
        let ultrapeers = usize::from(self.ultrapeers);
        let entries = self.rest.chunks_exact(width).take(ultrapeers + usize::from(self.leaves));
        let addresses = entries.filter_map(|entry| Hosts(entry).iter().next());
        addresses.enumerate().map(move |(at, addr)| (addr, at < ultrapeers))
    }
}
