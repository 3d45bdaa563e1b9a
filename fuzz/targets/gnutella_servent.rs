//! A servent that shares, searches and fetches, to which anything can happen in any order: links of all kinds and versions,
//! messages of all kinds, datagrams, requests of strangers, answers to its own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_core::hash::{Hasher as _, Sha1};
use p2p_core::{Bytes, FileId, RelPath, Root};
use p2p_fuzz::{Bench, BytesMut, Script};
use p2p_gnutella::qrp::{Cut, Table, update};
use p2p_gnutella::servent::{Bootstrap, Command, Config, Mode, Strategy, Wish};
use p2p_gnutella::transfer::{self, Locator, Wanted};
use p2p_gnutella::wire::vendor::{CrawlerPing, HeadPing};
use p2p_gnutella::wire::{
    Frame, Header, HitBuilder, HitFlags, Kind, Message, Pong, Push, Query, QueryFlags, VendorCode, VendorMessage,
    put_content,
};
use p2p_gnutella::{Guid, Servent, Urn};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

const PEER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 9), 6346);

fn guid(script: &mut Script<'_>) -> Guid {
    Guid([script.byte() % 4; 16])
}

fn message(script: &mut Script<'_>, sha1: &Urn) -> Message {
    let vendor = |said: VendorMessage| Message::Vendor(said.to_vendor());
    let number = script.byte();
    match script.byte() % 20 {
        0..=2 => Message::Query(Query {
            flags: QueryFlags(u16::from(number) << 8),
            text: Bytes::from_static(b"shared file"),
            extensions: Bytes::copy_from_slice(script.bytes()),
        }),
        3..=5 => {
            let mut hit = HitBuilder::new(PEER, 1);
            hit.record(number.into(), 5_000, b"../shared.bin", |to| put_content(sha1, number & 1 == 0, to));
            let private = script.bytes();
            Message::QueryHit(hit.finish(VendorCode(*b"FUZZ"), HitFlags::new(number & 1 == 0, false, false), Guid([2; 16]), |to| {
                to.extend_from_slice(private);
            }))
        }
        6 => Message::Pong(Pong { addr: PEER, files: 1, kilobytes: 64, extensions: Bytes::copy_from_slice(script.bytes()) }),
        7 => Message::Push(Push { servent: guid(script), index: 1, addr: PEER, extensions: Bytes::new() }),
        8 => vendor(VendorMessage::OobReply { version: 2 + u16::from(number & 1), hits: number, flags: Some(1) }),
        9 => vendor(VendorMessage::oob_ack(number, b"mine")),
        10 => vendor(VendorMessage::TcpConnectBack(number.into())),
        11 => vendor(VendorMessage::UdpConnectBack(number.into(), None)),
        12 => vendor(VendorMessage::PushProxyRequest(2)),
        13 => vendor(VendorMessage::HeadPing(HeadPing::new(sha1, number))),
        14 => vendor(VendorMessage::CrawlerPing(CrawlerPing { ultrapeers: number, leaves: 255, features: 0 })),
        15 => vendor(VendorMessage::QueryStatus(number.into())),
        16 => {
            let mut table = Table::new(12);
            table.insert_name("shared file", Cut::NONE);
            let mut routes = update(None, &table, [1, 4, 8][usize::from(number) % 3]);
            let at = usize::from(number) % routes.len();
            Message::Route(routes.swap_remove(at))
        }
        _ => Message::Other(Kind(number), Bytes::copy_from_slice(script.bytes())),
    }
}

fn framed(script: &mut Script<'_>, sha1: &Urn) -> Vec<u8> {
    let mut out = BytesMut::new();
    let message = message(script, sha1);
    let header = Header { guid: guid(script), kind: message.kind(), ttl: script.byte() % 8, hops: script.byte() % 4 };
    Frame { header, payload: message.to_bytes() }.encode(&mut out);
    out.to_vec()
}

/// Something that a servent might say first or later, or ask for, or answer; or just bytes.
fn said(script: &mut Script<'_>, sha1: &Urn, content: &[u8]) -> Vec<u8> {
    match script.byte() % 24 {
        0 => b"GNUTELLA CONNECT/0.6\r\nX-Ultrapeer: True\r\nX-Query-Routing: 0.1\r\nVendor-Message: 0.2\r\n\r\n".to_vec(),
        1 => b"GNUTELLA CONNECT/0.6\r\nX-Ultrapeer: False\r\nX-Query-Routing: 0.1\r\nBye-Packet: 0.1\r\n\r\n".to_vec(),
        2 => b"GNUTELLA CONNECT/0.4\n\n".to_vec(),
        3 => b"GNUTELLA/0.6 200 OK\r\nX-Ultrapeer: True\r\nX-Query-Routing: 0.1\r\n\r\n".to_vec(),
        4 => b"GNUTELLA/0.6 200 OK\r\n\r\n".to_vec(),
        5 => b"GNUTELLA/0.6 503 Full\r\nX-Try-Ultrapeers: 192.0.2.8:6346\r\n\r\n".to_vec(),
        6 => format!("GET /uri-res/N2R?{sha1} HTTP/1.1\r\nRange: bytes={}-\r\n\r\n", script.byte()).into_bytes(),
        7 => format!("HEAD /uri-res/N2X?{sha1} HTTP/1.1\r\n\r\n").into_bytes(),
        8 => b"GET /gwc?get=1&net=gnutella&ip=192.0.2.9:5 HTTP/1.1\r\n\r\n".to_vec(),
        9 => b"GIV 0:02020202020202020202020202020202/x\n\n".to_vec(),
        10 => b"\n\n".to_vec(),
        11 => {
            let (from, len) = (usize::from(script.byte()) * 16, usize::from(script.byte()) * 16);
            let part: Vec<u8> = content.iter().skip(from).take(len).copied().collect();
            let head = format!(
                "HTTP/1.1 206 OK\r\nContent-Range: bytes {from}-{}/{}\r\nContent-Length: {len}\r\n\r\n",
                from + len.saturating_sub(1),
                content.len()
            );
            [head.into_bytes(), part].concat()
        }
        12 => b"HTTP/1.1 503 Queued\r\nX-Queued: position=2,pollMin=1,pollMax=9\r\nContent-Length: 0\r\n\r\n".to_vec(),
        13..=21 => framed(script, sha1),
        _ => script.bytes().to_vec(),
    }
}

fn command(script: &mut Script<'_>, sha1: &Urn) -> Command {
    let wish = match script.byte() % 6 {
        0 => Wish::newest(),
        1 => Wish::urn(*sha1),
        2 => Wish::words("wanted").by(Strategy::ExpandingRing(5)),
        3 => Wish::words("wanted").by(Strategy::Flood(3)),
        _ => Wish::words("wanted thing"),
    };
    match script.byte() % 8 {
        0 | 1 => Command::Join(Bootstrap { peers: vec![PEER.into()], ..Bootstrap::default() }),
        2 => Command::Join(Bootstrap { web_caches: vec!["http://192.0.2.9/gwc".into()], ..Bootstrap::default() }),
        3 | 4 => Command::Search(wish),
        5 => Command::Neighbours,
        6 => Command::Hosts,
        _ => {
            let mut wanted = Wanted::new(sha1.sha1().expect("it is one"));
            wanted.sources.push(Locator::at(PEER.into()));
            Command::Transfer(transfer::Command::Fetch(wanted))
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let content: Vec<u8> = (0..5_000_u32).map(|n| ((n * n) >> 9) as u8).collect();
    let sha1 = Urn::Sha1(Sha1::digest(&content));
    let mode = [Mode::Leaf, Mode::Ultrapeer, Mode::Auto, Mode::Flat][script.below(4)];
    let mut config = Config::new(mode);
    config.limits.per_address = 1_000;
    let servent = Servent::new(config, &mut p2p_core::Rng::fast_from(script.byte().into()));
    let mut bench = Bench::new(servent, content.clone());
    bench.settle();
    let file = FileId::new(Root(0), RelPath::from_parts(["shared file.bin"]).expect("a plain name"));
    bench.ask(Command::Transfer(transfer::Command::Share(file)));
    bench.settle();
    while !script.is_over() {
        match script.byte() {
            0..40 => {
                let asked = command(&mut script, &sha1);
                bench.ask(asked);
            }
            40..60 => bench.settle(),
            60..90 => {
                let data = framed(&mut script, &sha1);
                bench.datagram(PEER.into(), data);
            }
            90..100 => drop(bench.accept(SocketAddr::from(([192, 0, 2, script.byte()], 4_000)))),
            _ => bench.step(&mut script, &mut |script| said(script, &sha1, &content)),
        }
        let load = bench.machine.inner().load();
        let is_bounded = load.visitors <= 110 && load.links <= 140 && load.held <= 8 << 20 && load.offers <= 512;
        assert!(is_bounded && load.hosts <= 1_000, "{load:?}");
    }
});
