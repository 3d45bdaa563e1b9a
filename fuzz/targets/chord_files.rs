//! Files by ranges: holders and guests that say anything, disks that fail, in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_chord::files::{Command, Config, Fetch, Files};
use p2p_core::hash::{Hasher as _, Sha256};
use p2p_core::{FileId, Id, RelPath, Root};
use p2p_fuzz::{Bench, Script};
use std::net::SocketAddr;

fn file(name: &str) -> FileId {
    FileId::new(Root(0), RelPath::from_parts([name]).expect("a plain name"))
}

/// What a holder or a guest might say.
fn said(script: &mut Script<'_>, content: &[u8]) -> Vec<u8> {
    let size = content.len();
    let (from, to) = (usize::from(script.byte() % 4) * 1_000, usize::from(script.byte() % 5) * 1_000);
    let digest = Id(Sha256::digest(content).0);
    match script.byte() % 16 {
        0..=4 => {
            let to = to.max(from + 1).min(size);
            let (from, size) = (from.min(to - 1), if script.byte() == 7 { size + 1 } else { size });
            let mut answer = format!(
                "HTTP/1.1 206 OK\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{size}\r\n\r\n",
                to - from,
                to - 1
            )
            .into_bytes();
            answer.extend_from_slice(&content[from..to]);
            if script.byte() == 9 {
                *answer.last_mut().expect("a head") ^= 1;
            }
            answer
        }
        5 => format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes(),
        6 => format!("HTTP/1.1 {} No\r\nContent-Length: 0\r\n\r\n", 400 + u16::from(script.byte())).into_bytes(),
        7 => b"HTTP/1.1 206 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n".to_vec(),
        8..=10 => format!("GET /sha256/{digest} HTTP/1.1\r\nRange: bytes={from}-{to}\r\n\r\n").into_bytes(),
        11 => format!("GET /sha256/{digest} HTTP/1.0\r\n\r\n").into_bytes(),
        12 => format!("HEAD /sha256/{digest} HTTP/1.1\r\nRange: bytes=-{to}\r\n\r\n").into_bytes(),
        13 => content.iter().skip(from).take(to).copied().collect(),
        _ => script.bytes().to_vec(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let content: Vec<u8> = (0..4_100_u32).map(|n| ((n * n) >> 7) as u8).collect();
    let mut config = Config::default();
    config.listen = Some(SocketAddr::from(([10, 0, 0, 1], 80)));
    config.limits.chunk = 1_000;
    config.limits.guests = 8;
    config.limits.fetches = 3;
    let limits = config.limits.clone();
    let mut bench = Bench::new(Files::new(config), content.clone());
    bench.settle();
    bench.ask(Command::Share(file("shared")));
    bench.settle();
    while !script.is_over() {
        match script.byte() {
            0..40 => {
                let holders = (0..script.byte() % 5).map(|host| SocketAddr::from(([192, 0, 2, host], 80)));
                let sha256 = if script.byte() == 3 { [3; 32] } else { Sha256::digest(&content).0 };
                let to = file(["one", "two", "three", "four"][script.below(4)]);
                let size = [content.len() as u64, content.len() as u64, 0, u64::MAX][script.below(4)];
                let read = script.byte() & 1 == 1;
                let fetch = Fetch { sha256, size, holders: holders.collect(), to, read };
                bench.ask(Command::Fetch(fetch));
            }
            40..50 => bench.ask(Command::Share(file("shared"))),
            50 => bench.ask(Command::Unshare(Sha256::digest(&content).0)),
            51..80 => bench.settle(),
            _ => bench.step(&mut script, &mut |script| said(script, &content)),
        }
        let (guests, links) = bench.machine.inner().load();
        assert!(guests <= limits.guests && links <= limits.fetches * limits.holders);
    }
});
