//! Reads recorded conversations: pcap files of Ethernet, IPv4 and TCP, put together again in order.
//!
//! The files in `data` were recorded on loopback from real programs (opennap-ng 0.50, TekNap 1.3g, MP3::Napster 2.04).
//! Packets without payload or flags were left out, and of segments of more than 1,000 bytes on the data ports, which are
//! parts of a song, the first 64 bytes were kept: the rest reads as zeros here.
//!
//! The transcripts that came with 04 and 11 call the shared folder `tmp` where these files say `srv`. Checksums were left
//! to the network card, so nothing tells which was recorded; the tests go by these files.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

/// One TCP connection.
pub(crate) struct Conversation {
    /// Who listened.
    pub(crate) server: SocketAddrV4,
    /// What was sent, in the order of the record.
    pub(crate) segments: Vec<Segment>,
    /// When it was opened.
    pub(crate) opened: At,
    /// When a side ended it, one way or the other.
    pub(crate) ends: Vec<(At, From)>,
    next_seq: [Option<u32>; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}

/// A place in a record: the number of the packet, and its time in microseconds.
pub(crate) type At = (usize, u64);

pub(crate) struct Segment {
    pub(crate) at: At,
    pub(crate) from: From,
    pub(crate) bytes: Vec<u8>,
}

impl Conversation {
    /// All that one side sent.
    pub(crate) fn sent_by(&self, from: From) -> Vec<u8> {
        let segments = self.segments.iter().filter(|segment| segment.from == from);
        segments.flat_map(|segment| segment.bytes.iter().copied()).collect()
    }
}

fn u16_be(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_le(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u32_be(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The conversations of a file in `data`, in the order in which they began.
pub(crate) fn conversations(name: &str) -> Vec<Conversation> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/data").join(format!("{name}.pcap"));
    let file = std::fs::read(path).unwrap();
    assert_eq!((u32_le(&file, 0), u32_le(&file, 20)), (0xa1b2_c3d4, 1), "little-endian pcap of Ethernet");
    let (mut all, mut open) = (Vec::<Conversation>::new(), BTreeMap::new());
    let (mut at, mut number) = (24, 0);
    while at < file.len() {
        let when = (number, u64::from(u32_le(&file, at)) * 1_000_000 + u64::from(u32_le(&file, at + 4)));
        number += 1;
        let len = u32_le(&file, at + 8) as usize;
        let packet = &file[at + 16..at + 16 + len];
        at += 16 + len;
        let ip = &packet[14..];
        let tcp = &ip[usize::from(ip[0] & 15) * 4..];
        let head = usize::from(tcp[12] >> 4) * 4;
        let ends = |addr: usize, port: usize| {
            let octets: [u8; 4] = ip[addr..addr + 4].try_into().unwrap();
            SocketAddrV4::new(Ipv4Addr::from(octets), u16_be(tcp, port))
        };
        let (source, target) = (ends(12, 0), ends(16, 2));
        let (seq, flags) = (u32_be(tcp, 4), tcp[13]);
        let (is_syn, is_ack) = (flags & 2 != 0, flags & 16 != 0);
        if is_syn && !is_ack {
            open.insert((source, target), all.len());
            let next_seq = [Some(seq.wrapping_add(1)), None];
            all.push(Conversation {
                server: target,
                segments: Vec::new(),
                opened: when,
                ends: Vec::new(),
                next_seq,
            });
            continue;
        }
        let (index, from) = match (open.get(&(source, target)), open.get(&(target, source))) {
            (Some(index), _) => (*index, From::Client),
            (None, Some(index)) => (*index, From::Server),
            (None, None) => panic!("{name}: a packet of no connection"),
        };
        let conversation = &mut all[index];
        let next = &mut conversation.next_seq[from as usize];
        if is_syn {
            *next = Some(seq.wrapping_add(1));
            continue;
        }
        // What the IP header says of the length counts, not what was kept.
        let tcp_len = usize::from(u16_be(ip, 2)) - usize::from(ip[0] & 15) * 4;
        let mut bytes = tcp[head.min(tcp.len())..tcp.len().min(tcp_len)].to_vec();
        bytes.resize(tcp_len - head, 0);
        if flags & 5 != 0 {
            conversation.ends.push((when, from));
        }
        let expected = next.unwrap();
        if bytes.is_empty() || seq != expected {
            assert!(bytes.is_empty() || seq.wrapping_sub(expected) > u32::MAX / 2, "{name}: a gap");
            continue;
        }
        *next = Some(seq.wrapping_add(bytes.len() as u32));
        conversation.segments.push(Segment { at: when, from, bytes });
    }
    all
}
