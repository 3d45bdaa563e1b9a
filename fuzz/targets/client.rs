//! A client with a torrent, to which anything can happen in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_bittorrent::metainfo::{Builder, Details, Limits};
use p2p_bittorrent::peer::handshake::{Handshake, Reserved};
use p2p_bittorrent::peer::wire::{Block, Message, encode};
use p2p_bittorrent::{Client, Command, Config, Metainfo, PeerId, Torrent};
use p2p_core::Bytes;
use p2p_core::hash::{Hasher, Sha1};
use p2p_fuzz::{Bench, Script};
use std::sync::{Arc, OnceLock};

const PIECE: u32 = 16 * 1024;
const LEN: usize = 5 * PIECE as usize + 100;

fn torrent() -> &'static (Arc<Metainfo>, Vec<u8>) {
    static TORRENT: OnceLock<(Arc<Metainfo>, Vec<u8>)> = OnceLock::new();
    TORRENT.get_or_init(|| {
        let content: Vec<u8> = (0..LEN).map(|n| (n / 7) as u8).collect();
        let mut builder = Builder::file("x", LEN as u64, Some(PIECE)).unwrap();
        for (piece, data) in (0u32..).zip(content.chunks(PIECE as usize)) {
            builder.set(piece, Sha1::digest(data)).unwrap();
        }
        let file = builder.finish(&Details::default()).unwrap();
        (Arc::new(Metainfo::parse(&file, &Limits::default()).unwrap()), content)
    })
}

/// Something that a peer might say, or just bytes.
fn message(script: &mut Script<'_>, content: &[u8]) -> Vec<u8> {
    let piece = u32::from(script.byte() % 8);
    let block = Block { piece, begin: 0, len: if piece == 5 { 100 } else { PIECE } };
    let message = match script.byte() % 16 {
        0 => Message::Choke,
        1 => Message::Unchoke,
        2 => Message::Interested,
        3 => Message::NotInterested,
        4 => Message::Have(piece),
        5 => Message::HaveAll,
        6 => Message::HaveNone,
        7 => Message::Bitfield(Bytes::copy_from_slice(&[script.byte() & 0xfc])),
        8 => Message::Request(block),
        9 => Message::Cancel(block),
        10 => Message::Reject(block),
        11 => Message::AllowedFast(piece),
        12 | 13 => {
            // A block, right or wrong.
            let mut bytes = bytes_of(&Message::Piece(block));
            let from = (piece * PIECE) as usize;
            let data = content.get(from..from + block.len as usize).unwrap_or(&content[..block.len as usize]);
            bytes.extend_from_slice(data);
            if script.byte().is_multiple_of(4)
                && let Some(last) = bytes.last_mut()
            {
                *last ^= 1;
            }
            return bytes;
        }
        14 => Message::Extended { id: script.byte() % 3, payload: Bytes::copy_from_slice(script.bytes()) },
        _ => return script.bytes().to_vec(),
    };
    bytes_of(&message)
}

fn bytes_of(message: &Message) -> Vec<u8> {
    let mut out = p2p_fuzz::BytesMut::new();
    encode(message, &mut out);
    out.to_vec()
}

fuzz_target!(|bytes: &[u8]| {
    let (metainfo, content) = torrent();
    let mut script = Script::new(bytes);
    let kind = script.byte();
    let mut config = Config::default();
    config.fast = kind & 1 == 0;
    config.state = None;
    let stored = if kind & 2 == 0 { content.clone() } else { Vec::new() };
    let mut bench = Bench::new(Client::new(config), stored);
    bench.settle();
    let wanted = Box::new(Torrent::new(metainfo.clone()).with_peers(["192.0.2.9:80".parse().unwrap()]));
    bench.ask(if kind & 4 == 0 { Command::Fetch(wanted) } else { Command::Download(wanted) });
    bench.settle();
    let info_hash = metainfo.info.info_hash();
    let hello =
        |n: u8| Handshake { reserved: Reserved::OURS, info_hash, peer_id: PeerId([n; 20]) }.encode().to_vec();
    let mut said = 0;
    while !script.is_over() {
        match script.byte() {
            n @ 0..8 => {
                let at = std::net::SocketAddr::from(([192, 0, 2, n], 1000));
                if let Some(conn) = bench.accept(at) {
                    bench.data(conn, hello(n));
                }
            }
            8 => {
                if let Some(&conn) = bench.conns.get(script.below(bench.conns.len())) {
                    bench.data(conn, hello(100_u8.wrapping_add(said)));
                    said = said.wrapping_add(1);
                }
            }
            9 => bench.ask(match script.byte() % 10 {
                0 => Command::Pause(info_hash, true),
                1 => Command::Pause(info_hash, false),
                2 => Command::Recheck(info_hash),
                3 => Command::Status(info_hash),
                4 => Command::Remove(info_hash),
                5 => Command::Verify(Box::new(Torrent::new(metainfo.clone()))),
                6 => Command::Seed(Box::new(Torrent::new(metainfo.clone()))),
                7 => Command::SetPriority(info_hash, 0, script.byte()),
                8 => Command::SetDeadline(info_hash, u32::from(script.byte()), Some(5)),
                _ => Command::SetRates { upload: Some(u64::from(script.byte()) * 1000), download: None },
            }),
            _ => bench.step(&mut script, &mut |script| message(script, content)),
        }
    }
});
