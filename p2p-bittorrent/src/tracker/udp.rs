//! The UDP tracker protocol (BEP 15), with its URL data option (BEP 41) and 18-byte peers over IPv6.

use super::{Announce, AnnounceReply, Event, Reply, Scraped};
use crate::compact;
use crate::{InfoHash, PeerId};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{Buf, BufMut};
use core::net::{IpAddr, Ipv4Addr};

/// The number that opens every connect request: it tells the protocol from noise.
pub const MAGIC: u64 = 0x0417_2710_1980;
/// Most info-hashes in one scrape: what fits into a datagram of 1,500 bytes.
pub const SCRAPE_MOST: usize = 74;
/// Bytes of a connect request, and of its answer.
pub const CONNECT_LEN: usize = 16;
/// Bytes of an announce request without options.
pub const ANNOUNCE_LEN: usize = 98;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// Why a datagram is not of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UdpError {
    /// It ends before its last field.
    #[error("datagram ends early")]
    Short,
    /// A connect request without the protocol's number.
    #[error("not a connect request of BEP 15")]
    Magic,
    /// An action that does not exist, or not in this direction.
    #[error("unknown action {0}")]
    Action(u32),
    /// A scrape of nothing, or of part of a hash.
    #[error("scrape without whole info-hashes")]
    Scrape,
}

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Asks for a connection id: proof that the client's address is its own.
    Connect {
        /// Repeated in the answer.
        transaction: u32,
    },
    /// Announces.
    Announce {
        /// From a connect answer.
        connection: u64,
        /// Repeated in the answer.
        transaction: u32,
        /// What is announced.
        announce: Announce,
        /// Path and query of the announce URL (BEP 41), as far as it was given.
        url_data: Vec<u8>,
    },
    /// Asks for numbers.
    Scrape {
        /// From a connect answer.
        connection: u64,
        /// Repeated in the answer.
        transaction: u32,
        /// Of which torrents; [`SCRAPE_MOST`] are kept.
        hashes: Vec<InfoHash>,
    },
}

/// What a tracker sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// The connection id, good for a minute at the client.
    Connect {
        /// As in the request.
        transaction: u32,
        /// To be repeated in every request.
        connection: u64,
    },
    /// Peers.
    Announce {
        /// As in the request.
        transaction: u32,
        /// The answer.
        reply: AnnounceReply,
    },
    /// Numbers, in the order of the request.
    Scrape {
        /// As in the request.
        transaction: u32,
        /// One per info-hash.
        counts: Vec<Scraped>,
    },
    /// A refusal.
    Error {
        /// As in the request.
        transaction: u32,
        /// Why.
        message: String,
    },
}

impl Response {
    /// The transaction that it answers.
    #[must_use]
    pub const fn transaction(&self) -> u32 {
        match self {
            Self::Connect { transaction, .. }
            | Self::Announce { transaction, .. }
            | Self::Scrape { transaction, .. }
            | Self::Error { transaction, .. } => *transaction,
        }
    }
}

/// The transaction that a tracker's datagram answers, if it looks like one: for finding whose it is on a shared socket.
#[must_use]
pub fn transaction_of(mut datagram: &[u8]) -> Option<u32> {
    let action = datagram.try_get_u32().ok()?;
    let transaction = datagram.try_get_u32().ok()?;
    (action <= ERROR).then_some(transaction)
}

fn u16(from: &mut &[u8]) -> Result<u16, UdpError> {
    from.try_get_u16().map_err(|_| UdpError::Short)
}

fn u32(from: &mut &[u8]) -> Result<u32, UdpError> {
    from.try_get_u32().map_err(|_| UdpError::Short)
}

fn u64(from: &mut &[u8]) -> Result<u64, UdpError> {
    from.try_get_u64().map_err(|_| UdpError::Short)
}

fn hash(from: &mut &[u8]) -> Result<[u8; 20], UdpError> {
    let (head, rest) = from.split_first_chunk().ok_or(UdpError::Short)?;
    *from = rest;
    Ok(*head)
}

impl Request {
    /// Reads a client's datagram.
    ///
    /// # Errors
    /// If it is not of this protocol.
    pub fn decode(mut from: &[u8]) -> Result<Self, UdpError> {
        let from = &mut from;
        let connection = u64(from)?;
        let action = u32(from)?;
        let transaction = u32(from)?;
        match action {
            CONNECT if connection == MAGIC => Ok(Self::Connect { transaction }),
            CONNECT => Err(UdpError::Magic),
            ANNOUNCE => {
                let announce = read_announce(from)?;
                Ok(Self::Announce { connection, transaction, announce, url_data: url_data(from) })
            }
            SCRAPE => {
                let (hashes, rest) = from.as_chunks::<20>();
                if hashes.is_empty() || !rest.is_empty() {
                    return Err(UdpError::Scrape);
                }
                let hashes = hashes.iter().take(SCRAPE_MOST).map(|hash| InfoHash(*hash)).collect();
                Ok(Self::Scrape { connection, transaction, hashes })
            }
            other => Err(UdpError::Action(other)),
        }
    }

    /// Appends the datagram. URL data goes into as many options as it needs.
    pub fn encode(&self, into: &mut impl BufMut) {
        match self {
            Self::Connect { transaction } => {
                into.put_u64(MAGIC);
                into.put_u32(CONNECT);
                into.put_u32(*transaction);
            }
            Self::Announce { connection, transaction, announce, url_data } => {
                into.put_u64(*connection);
                into.put_u32(ANNOUNCE);
                into.put_u32(*transaction);
                into.put_slice(&announce.info_hash.0);
                into.put_slice(&announce.peer_id.0);
                into.put_u64(announce.downloaded);
                into.put_u64(announce.left.unwrap_or(u64::MAX));
                into.put_u64(announce.uploaded);
                into.put_u32(announce.event.code());
                match announce.ip {
                    Some(IpAddr::V4(ip)) => into.put_u32(ip.into()),
                    _ => into.put_u32(0),
                }
                into.put_u32(announce.key.unwrap_or(0));
                let want = announce.want.map_or(-1, |want| i32::try_from(want).unwrap_or(i32::MAX));
                into.put_i32(want);
                into.put_u16(announce.port);
                for part in url_data.chunks(255) {
                    into.put_u8(2);
                    into.put_u8(part.len() as u8);
                    into.put_slice(part);
                }
            }
            Self::Scrape { connection, transaction, hashes } => {
                into.put_u64(*connection);
                into.put_u32(SCRAPE);
                into.put_u32(*transaction);
                for hash in hashes.iter().take(SCRAPE_MOST) {
                    into.put_slice(&hash.0);
                }
            }
        }
    }
}

fn read_announce(from: &mut &[u8]) -> Result<Announce, UdpError> {
    let info_hash = InfoHash(hash(from)?);
    let peer_id = PeerId(hash(from)?);
    let downloaded = u64(from)?;
    let left = u64(from)?;
    let uploaded = u64(from)?;
    let event = Event::from_code(u32(from)?);
    let ip = u32(from)?;
    let key = u32(from)?;
    let want = u32(from)? as i32;
    let port = u16(from)?;
    Ok(Announce {
        info_hash,
        peer_id,
        port,
        uploaded,
        downloaded,
        left: (left != u64::MAX).then_some(left),
        event,
        want: u32::try_from(want).ok(),
        key: Some(key),
        ip: (ip != 0).then(|| IpAddr::V4(Ipv4Addr::from(ip))),
        compact: true,
        no_peer_id: true,
        tracker_id: None,
    })
}

/// The URL data of BEP 41's options. An unknown option carries a length; one that runs past the end ends the list.
fn url_data(from: &mut &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Ok(kind) = from.try_get_u8() {
        match kind {
            0 => break,
            1 => {}
            _ => {
                let Ok(len) = from.try_get_u8() else { break };
                let Some((part, rest)) = from.split_at_checked(usize::from(len)) else { break };
                *from = rest;
                if kind == 2 {
                    data.extend_from_slice(part);
                }
            }
        }
    }
    data
}

impl Response {
    /// Reads a tracker's datagram that came from an IPv6 address (`v6`) or an IPv4 one, which says how long its peers
    /// are. At most `most` peers, or so many counts, are kept.
    ///
    /// # Errors
    /// If it is not of this protocol.
    pub fn decode(mut from: &[u8], v6: bool, most: usize) -> Result<Self, UdpError> {
        let from = &mut from;
        let action = u32(from)?;
        let transaction = u32(from)?;
        Ok(match action {
            CONNECT => Self::Connect { transaction, connection: u64(from)? },
            ANNOUNCE => {
                let interval = u32(from)?;
                let incomplete = u32(from)?;
                let complete = u32(from)?;
                let usable = |addr: &core::net::SocketAddr| compact::is_dialable(*addr);
                let peers = if v6 {
                    compact::list_v6(from).filter(usable).take(most).collect()
                } else {
                    compact::list_v4(from).filter(usable).take(most).collect()
                };
                let reply = AnnounceReply {
                    interval: Some(interval.into()),
                    complete: Some(complete.into()),
                    incomplete: Some(incomplete.into()),
                    peers,
                    ..AnnounceReply::default()
                };
                Self::Announce { transaction, reply }
            }
            SCRAPE => {
                let counts = from
                    .as_chunks::<12>()
                    .0
                    .iter()
                    .take(most)
                    .map(|&[a, b, c, d, e, f, g, h, i, j, k, l]| Scraped {
                        complete: u32::from_be_bytes([a, b, c, d]).into(),
                        downloaded: u32::from_be_bytes([e, f, g, h]).into(),
                        incomplete: u32::from_be_bytes([i, j, k, l]).into(),
                    })
                    .collect();
                Self::Scrape { transaction, counts }
            }
            ERROR => {
                let text = from.get(..from.len().min(super::TEXT_MOST)).unwrap_or(from);
                Self::Error { transaction, message: String::from_utf8_lossy(text).into_owned() }
            }
            other => return Err(UdpError::Action(other)),
        })
    }

    /// Appends the datagram. Peers of the other address family than `v6` says are left out.
    pub fn encode(&self, v6: bool, into: &mut impl BufMut) {
        match self {
            Self::Connect { transaction, connection } => {
                into.put_u32(CONNECT);
                into.put_u32(*transaction);
                into.put_u64(*connection);
            }
            Self::Announce { transaction, reply } => {
                put_announce_head(
                    *transaction,
                    reply.interval.unwrap_or(0),
                    reply.complete.unwrap_or(0),
                    reply.incomplete.unwrap_or(0),
                    into,
                );
                for peer in &reply.peers {
                    let compact = compact::Compact::new(*peer);
                    if matches!(compact, compact::Compact::V6(_)) == v6 {
                        into.put_slice(compact.as_bytes());
                    }
                }
            }
            Self::Scrape { transaction, counts } => {
                into.put_u32(SCRAPE);
                into.put_u32(*transaction);
                for count in counts {
                    into.put_u32(clamp(count.complete));
                    into.put_u32(clamp(count.downloaded));
                    into.put_u32(clamp(count.incomplete));
                }
            }
            Self::Error { transaction, message } => {
                into.put_u32(ERROR);
                into.put_u32(*transaction);
                into.put_slice(message.as_bytes());
            }
        }
    }

    /// The refusal or answer of a tracker read over HTTP's words, for an owner that treats both alike.
    #[must_use]
    pub fn into_reply(self) -> Option<Reply> {
        match self {
            Self::Announce { reply, .. } => Some(Reply::Announce(reply)),
            Self::Error { message, .. } => Some(Reply::Failure { reason: message, retry: None }),
            Self::Connect { .. } | Self::Scrape { .. } => None,
        }
    }
}

/// Appends the head of an announce answer; compact peers follow as they are.
pub(super) fn put_announce_head(
    transaction: u32,
    interval: u64,
    complete: u64,
    incomplete: u64,
    into: &mut impl BufMut,
) {
    into.put_u32(ANNOUNCE);
    into.put_u32(transaction);
    into.put_u32(clamp(interval));
    into.put_u32(clamp(incomplete));
    into.put_u32(clamp(complete));
}

fn clamp(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn sample() -> Announce {
        Announce {
            uploaded: 3,
            downloaded: 1,
            left: Some(2),
            event: Event::Started,
            key: Some(0x0102_0304),
            ..Announce::new(InfoHash([0xaa; 20]), PeerId(*b"-P20100-abcdefghijkl"), 6881)
        }
    }

    fn bytes(request: &Request) -> Vec<u8> {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        bytes
    }

    #[test]
    fn connect_as_in_bep_15() {
        let request = Request::Connect { transaction: 0x0a0b_0c0d };
        let wire = [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0xa, 0xb, 0xc, 0xd];
        assert_eq!(bytes(&request), wire);
        assert_eq!(Request::decode(&wire), Ok(request));
        let mut other = wire;
        other[0] = 1;
        assert_eq!(Request::decode(&other), Err(UdpError::Magic));
        for cut in 0..16 {
            assert_eq!(Request::decode(&wire[..cut]), Err(UdpError::Short));
        }
    }

    #[test]
    fn announce_fields_lie_where_bep_15_says() {
        let request =
            Request::Announce { connection: 9, transaction: 7, announce: sample(), url_data: Vec::new() };
        let wire = bytes(&request);
        assert_eq!(wire.len(), ANNOUNCE_LEN);
        assert_eq!(wire[..16], [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 7]);
        assert_eq!(wire[16..36], [0xaa; 20]);
        assert_eq!(&wire[36..56], b"-P20100-abcdefghijkl");
        assert_eq!(wire[56..80], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(wire[80..88], [0, 0, 0, 2, 0, 0, 0, 0]);
        assert_eq!(wire[88..98], [1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff, 0x1a, 0xe1]);
    }

    #[test]
    fn url_data_of_bep_41() {
        let mut announce = bytes(&Request::Announce {
            connection: 9,
            transaction: 7,
            announce: sample(),
            url_data: Vec::new(),
        });
        // The example of BEP 41: "/dir?a=b&c=d" in one option, and split with a NOP between.
        let mut split = announce.clone();
        announce.extend_from_slice(b"\x02\x0c/dir?a=b&c=d");
        split.extend_from_slice(b"\x02\x05/dir?\x01\x02\x07a=b&c=d\x00junk");
        for wire in [&announce, &split] {
            let Ok(Request::Announce { url_data, .. }) = Request::decode(wire) else { panic!() };
            assert_eq!(url_data, b"/dir?a=b&c=d");
        }
        announce.extend_from_slice(b"\x02\xff/cut");
        let Ok(Request::Announce { url_data, .. }) = Request::decode(&announce) else { panic!() };
        assert_eq!(url_data, b"/dir?a=b&c=d", "an option past the end is not read");
        let long = Request::Announce {
            connection: 9,
            transaction: 7,
            announce: sample(),
            url_data: vec![b'x'; 600],
        };
        assert_eq!(Request::decode(&bytes(&long)).map(|got| bytes(&got)), Ok(bytes(&long)));
    }

    #[test]
    fn announce_answers_of_both_families() {
        let mut wire = vec![0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 7, 8, 0, 0, 0, 2, 0, 0, 0, 1];
        wire.extend_from_slice(&[1, 2, 3, 4, 0x1a, 0xe1, 5, 6, 7, 8, 0, 80, 9, 9]);
        let Ok(Response::Announce { transaction: 7, reply }) = Response::decode(&wire, false, 200) else {
            panic!()
        };
        assert_eq!((reply.interval, reply.incomplete, reply.complete), (Some(1800), Some(2), Some(1)));
        assert_eq!(reply.peers, ["1.2.3.4:6881".parse().unwrap(), "5.6.7.8:80".parse().unwrap()]);
        wire.truncate(20);
        let mut ip = [0; 18];
        (ip[0], ip[15], ip[17]) = (0x20, 1, 80);
        wire.extend_from_slice(&ip);
        let Ok(Response::Announce { reply, .. }) = Response::decode(&wire, true, 200) else { panic!() };
        assert_eq!(reply.peers, ["[2000::1]:80".parse().unwrap()]);
        let mut again = Vec::new();
        Response::Announce { transaction: 7, reply }.encode(true, &mut again);
        assert_eq!(again, wire);
    }

    #[test]
    fn a_million_peers_leave_two_hundred() {
        let mut wire = vec![0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 7, 8, 0, 0, 0, 2, 0, 0, 0, 1];
        wire.resize(20 + 6 * 1_000_000, 1);
        let Ok(Response::Announce { reply, .. }) = Response::decode(&wire, false, 200) else { panic!() };
        assert_eq!(reply.peers.len(), 200);
        assert!(reply.peers.capacity() <= 512);
    }

    #[test]
    fn scrape_and_error() {
        let request = Request::Scrape { connection: 1, transaction: 2, hashes: vec![InfoHash([3; 20]); 2] };
        assert_eq!(Request::decode(&bytes(&request)), Ok(request.clone()));
        assert_eq!(Request::decode(&bytes(&request)[..50]), Err(UdpError::Scrape));
        assert_eq!(Request::decode(&bytes(&request)[..16]), Err(UdpError::Scrape));
        let counts = vec![Scraped { complete: 1, downloaded: 2, incomplete: 3 }];
        for response in [
            Response::Scrape { transaction: 2, counts },
            Response::Error { transaction: 2, message: "no".into() },
            Response::Connect { transaction: 2, connection: 77 },
        ] {
            let mut wire = Vec::new();
            response.encode(false, &mut wire);
            assert_eq!(transaction_of(&wire), Some(2));
            assert_eq!(Response::decode(&wire, false, 9), Ok(response));
        }
        assert_eq!(transaction_of(&[0, 0, 0, 4, 0, 0, 0, 1]), None);
    }

    proptest! {
        #[test]
        fn any_announce_survives(hash: [u8; 20], peer_id: [u8; 20], numbers: [u64; 3], event in 0u32..4, ip: u32,
            key: u32, want: Option<i32>, port: u16, url in proptest::collection::vec(any::<u8>(), 0..600)) {
            let announce = Announce {
                downloaded: numbers[0], left: (numbers[1] != u64::MAX).then_some(numbers[1]), uploaded: numbers[2],
                event: Event::from_code(event), key: Some(key),
                ip: (ip != 0).then(|| IpAddr::V4(Ipv4Addr::from(ip))),
                want: want.and_then(|want| u32::try_from(want).ok()), no_peer_id: true,
                ..Announce::new(InfoHash(hash), PeerId(peer_id), port)
            };
            let request = Request::Announce { connection: numbers[0], transaction: key, announce, url_data: url };
            prop_assert_eq!(Request::decode(&bytes(&request)), Ok(request));
        }

        #[test]
        fn any_bytes_are_read_or_refused(junk in proptest::collection::vec(any::<u8>(), 0..300), action in 0u8..5, v6: bool) {
            let _ = Request::decode(&junk);
            let _ = Response::decode(&junk, v6, 200);
            let mut led = vec![0, 0, 0, action];
            led.extend_from_slice(&junk);
            if let Ok(response) = Response::decode(&led, v6, 10) {
                let mut wire = Vec::new();
                response.encode(v6, &mut wire);
                prop_assert!(Response::decode(&wire, v6, 10).is_ok());
            }
            let mut request = vec![0; 8];
            request.extend_from_slice(&led);
            let _ = Request::decode(&request);
        }
    }
}
