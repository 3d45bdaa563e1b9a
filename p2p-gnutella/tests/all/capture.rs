//! Reads recorded conversations of gtk-gnutella 1.2.3-14 with itself and with small probes.
//!
//! The files in `data` were made once from packet captures: TCP put together in order, UDP as it was, without the heads of
//! lower layers. Addresses are those of a test network: 198.51.100.1 and 203.0.113.1 ultrapeers, 198.51.100.2 a leaf,
//! 203.0.113.2 a leaf that searches, others probes. A file is records one behind the other, numbers little-endian:
//!
//! | record | what follows its byte and the time (4 bytes, milliseconds) |
//! | --- | --- |
//! | 0 | opened: number (2), address and port of who dialled (4 + 2) and of who was dialled |
//! | 1, 2 | bytes of who dialled, of who was dialled: number (2), length (2), bytes |
//! | 3 | bytes that were not kept: number (2), whose as 0 or 1 (1), how many (4) |
//! | 4 | a datagram: from (4 + 2), to (4 + 2), length (2), bytes |
//! | 5 | ended: number (2), by whom as 0 or 1 (1) |

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

/// One TCP connection.
pub(crate) struct Conversation {
    pub(crate) client: SocketAddrV4,
    pub(crate) server: SocketAddrV4,
    pub(crate) pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}

pub(crate) struct Piece {
    pub(crate) from: From,
    /// The bytes; `None` of some that were not kept.
    pub(crate) bytes: Option<Vec<u8>>,
}

pub(crate) struct Datagram {
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Record {
    pub(crate) conversations: Vec<Conversation>,
    pub(crate) datagrams: Vec<Datagram>,
}

impl Conversation {
    /// What one side sent, up to the first byte that was not kept.
    pub(crate) fn sent_by(&self, from: From) -> Vec<u8> {
        let pieces = self.pieces.iter().filter(|piece| piece.from == from);
        pieces.map_while(|piece| piece.bytes.as_deref()).flatten().copied().collect()
    }

    /// Whether it is a link, or was to be one.
    pub(crate) fn is_link(&self) -> bool {
        self.sent_by(From::Client).starts_with(b"GNUTELLA CONNECT/0.")
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().unwrap()
    }

    fn addr(&mut self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from(self.array()), u16::from_le_bytes(self.array()))
    }

    fn short(&mut self) -> usize {
        usize::from(u16::from_le_bytes(self.array()))
    }
}

/// What was recorded in a file of `data`.
pub(crate) fn record(name: &str) -> Record {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/data").join(format!("{name}.streams"));
    let file = std::fs::read(path).unwrap();
    let mut reader = Reader(&file);
    let mut record = Record { conversations: Vec::new(), datagrams: Vec::new() };
    while !reader.0.is_empty() {
        let [kind] = reader.array();
        reader.take(4);
        match kind {
            0 => {
                assert_eq!(reader.short(), record.conversations.len());
                let (client, server) = (reader.addr(), reader.addr());
                record.conversations.push(Conversation { client, server, pieces: Vec::new() });
            }
            1 | 2 => {
                let (number, len) = (reader.short(), reader.short());
                let from = if kind == 1 { From::Client } else { From::Server };
                let bytes = Some(reader.take(len).to_vec());
                record.conversations[number].pieces.push(Piece { from, bytes });
            }
            3 => {
                let number = reader.short();
                let from = if reader.array() == [0] { From::Client } else { From::Server };
                reader.take(4);
                record.conversations[number].pieces.push(Piece { from, bytes: None });
            }
            4 => {
                let (from, to, len) = (reader.addr(), reader.addr(), reader.short());
                record.datagrams.push(Datagram { from, to, bytes: reader.take(len).to_vec() });
            }
            5 => {
                reader.take(3);
            }
            other => panic!("{name}: record {other}"),
        }
    }
    record
}
