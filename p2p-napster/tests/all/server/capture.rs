//! Captures of real conversations (tcpdump's format, Ethernet frames of a loopback), as the bytes of each connection.

use std::collections::BTreeMap;

/// Something that happened, in the order of the capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Somebody connected to a port of the server: number of the connection, address, port.
    Open(usize, [u8; 4], u16),
    /// The client of that connection sent bytes.
    Client(usize, Vec<u8>),
    /// The server did.
    Server(usize, Vec<u8>),
    /// The client closed.
    Close(usize),
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn le32(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// The conversations with servers at these ports.
pub(crate) fn events(pcap: &[u8], ports: &[u16]) -> Vec<Event> {
    assert_eq!(pcap[..4], [0xd4, 0xc3, 0xb2, 0xa1], "a capture in this machine's order");
    let (mut at, mut events) = (24, Vec::new());
    let mut numbers: BTreeMap<([u8; 4], u16, u16), usize> = BTreeMap::new();
    let mut seen: BTreeMap<(usize, bool), u32> = BTreeMap::new();
    let mut count = 0;
    while at < pcap.len() {
        let len = le32(pcap, at + 8);
        let packet = &pcap[at + 16 + 14..at + 16 + len];
        at += 16 + len;
        let ip_header = usize::from(packet[0] & 15) * 4;
        let total = usize::from(be16(packet, 2)).min(packet.len());
        let tcp = &packet[ip_header..total];
        let (from, to, flags) = (be16(tcp, 0), be16(tcp, 2), tcp[13]);
        let payload = &tcp[usize::from(tcp[12] >> 4) * 4..];
        let seq = u32::from_be_bytes(tcp[4..8].try_into().unwrap());
        let by_client = ports.contains(&to);
        if !by_client && !ports.contains(&from) {
            continue;
        }
        let (client, server) = if by_client { (12, 16) } else { (16, 12) };
        let (client_ip, server_ip): ([u8; 4], [u8; 4]) =
            (packet[client..client + 4].try_into().unwrap(), packet[server..server + 4].try_into().unwrap());
        let key = if by_client { (server_ip, from, to) } else { (server_ip, to, from) };
        if by_client && flags & 0x02 != 0 {
            numbers.insert(key, count);
            events.push(Event::Open(count, client_ip, to));
            count += 1;
            continue;
        }
        let Some(&number) = numbers.get(&key) else { continue };
        if !payload.is_empty() {
            // What was sent twice is taken once.
            let next = seen.entry((number, by_client)).or_insert(seq);
            if seq == *next {
                *next = seq.wrapping_add(payload.len() as u32);
                let bytes = payload.to_vec();
                events.push(if by_client {
                    Event::Client(number, bytes)
                } else {
                    Event::Server(number, bytes)
                });
            }
        }
        if by_client && flags & 0x05 != 0 {
            events.push(Event::Close(number));
        }
    }
    events
}
