//! A client of Napster that shares, searches and downloads, to which anything can happen in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_core::{FileId, Keywords, RelPath, Root, Search};
use p2p_fuzz::{Bench, BytesMut, Script};
use p2p_napster::Client;
use p2p_napster::client::{Bootstrap, Command, Config, SharedFile, Wanted};
use p2p_napster::wire::put_frame;
use std::net::SocketAddr;

const NICKS: [&str; 3] = ["alice", "bob", "eve"];
const NAMES: [&str; 3] = ["C:\\mp3\\one.mp3", "../two.mp3", "three.mp3"];
const SIZES: [u64; 3] = [5_000, 40_000, 3];

fn frame(kind: u16, text: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    put_frame(&mut out, kind, |to| {
        to.raw(text);
    });
    out.to_vec()
}

/// Something that a server might say, or a user on the data port, or just bytes.
fn said(script: &mut Script<'_>, content: &[u8]) -> Vec<u8> {
    let nick = NICKS[script.below(3)];
    let which = script.below(3);
    let (name, size) = (NAMES[which], SIZES[which]);
    let port = [6_699, 0, 25][script.below(3)];
    match script.byte() % 40 {
        0 => frame(3, b"anon@server"),
        1 => frame(201, format!("\"{name}\" 0 {size} 128 44100 60 {nick} 151126208 7").as_bytes()),
        2 => frame(202, b""),
        3 | 4 => frame(204, format!("{nick} 151126208 {port} \"{name}\" 0 7").as_bytes()),
        5 => frame(206, format!("{nick} \"{name}\"").as_bytes()),
        6 | 7 => frame(607, format!("{nick} \"shared.mp3\"").as_bytes()),
        8 => frame(501, format!("{nick} 151126208 {port} \"shared.mp3\" 0 7").as_bytes()),
        9 => frame(609, format!("{nick} \"{name}\"").as_bytes()),
        10 => frame(620, format!("{nick} \"{name}\" {size} 1").as_bytes()),
        11 => frame(212, format!("{nick} \"{name}\" 0 {size} 128 44100 60").as_bytes()),
        12 => frame(213, nick.as_bytes()),
        13 => frame(640, nick.as_bytes()),
        14 => frame(641, format!("{nick} 151126208 {port}").as_bytes()),
        15 => frame(604, format!("{nick} \"User\" 8 \" \" \"Active\" 3 0 0 7 \"v2.0\"").as_bytes()),
        16 => frame(210, nick.as_bytes()),
        17 => frame(404, format!("user {nick} is not a known user").as_bytes()),
        18 => frame(216, format!("{nick} 151126208 6699 \"{name}\" 0 {size} 7").as_bytes()),
        19 => frame(217, b""),
        20 => {
            frame([0, 5, 8, 9, 10, 310, 316, 613, 748, 821, 822, 900, 901][script.below(13)], script.bytes())
        }
        21 => frame(u16::from_le_bytes([script.byte(), script.byte()]), script.bytes()),
        22 | 23 => b"1".to_vec(),
        24 => b"GET".to_vec(),
        25 => format!("{nick} \"shared.mp3\" {}", script.byte()).into_bytes(),
        26 => b"SEND".to_vec(),
        27 => format!("{nick} \"{name}\" {size}").into_bytes(),
        28 => b"GETLIST".to_vec(),
        29 => format!("SENDLIST {nick}\n\"{name}\" 0 {size} 128 44100 60\n\n").into_bytes(),
        30 => format!("{nick}\n\"{name}\" 0 {size} 128 44100 60\n\n").into_bytes(),
        31 | 32 => size.to_string().into_bytes(),
        33..=35 => {
            let from = usize::from(script.byte()) * 160;
            content[from..].iter().take(usize::from(script.byte()) * 160).copied().collect()
        }
        36 => b"INVALID REQUEST".to_vec(),
        37 => b"192.0.2.9:8888\n".to_vec(),
        // From here on both directions are streams.
        38 => frame(3, b"\"anon@server\" 6"),
        _ => script.bytes().to_vec(),
    }
}

fn command(script: &mut Script<'_>) -> Command {
    let nick = NICKS[script.below(3)].as_bytes();
    let which = script.below(3);
    let wanted = || {
        let first = Wanted::new(nick, NAMES[which].as_bytes()).sized(SIZES[which]);
        Box::new(NICKS.iter().fold(first, |wanted, nick| wanted.or(nick.as_bytes(), NAMES[which].as_bytes())))
    };
    match script.byte() % 16 {
        0 => Command::Join(Bootstrap::servers([SocketAddr::from(([192, 0, 2, 9], 8888))])),
        1 => Command::Join(
            Bootstrap::default().with_metaserver(SocketAddr::from(([192, 0, 2, 9], 8875))).registering(),
        ),
        2 => Command::Leave,
        3 => Client::search(Keywords::new("song").into()),
        4 | 5 => Command::Download(wanted()),
        6 => Command::Fetch(wanted()),
        7 => Command::Browse(nick.into()),
        8 => Command::BrowseDirect(nick.into()),
        9 => Command::Whois(nick.into()),
        10 => Command::Ping(nick.into()),
        11 => Command::Holders { md5: nick.into(), size: 5 },
        12 => Command::Unshare("shared.mp3".into()),
        13 => Command::Ignore(nick.into()),
        14 => Command::Unignore(nick.into()),
        _ => Command::Download(Box::new(Wanted::new(nick, NAMES[which].as_bytes()))),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let content: Vec<u8> = (0..41_000_u32).map(|n| ((n * n) >> 9) as u8).collect();
    let kind = script.byte();
    let mut config = Config::default();
    config.zlib = Some(6);
    config.nick = "me".into();
    config.limits.range_min = 5_000;
    if kind & 1 == 1 {
        config.listen = None;
    }
    // What a disk holds is the same at every file: sizes of parts that fit, and that do not.
    let stored =
        [&content[..], &content[..2_000], &content[..0], &content[..40_000]][usize::from(kind >> 1) % 4];
    let mut bench = Bench::new(Client::new(config), stored.to_vec());
    bench.settle();
    let file = FileId::new(Root(1), RelPath::from_parts(["shared.mp3"]).expect("a plain name"));
    let mut shared = SharedFile::new("shared.mp3", file);
    shared.size = Some(stored.len() as u64);
    bench.ask(Command::Share(Box::new(shared)));
    bench.settle();
    bench.ask(Command::Join(Bootstrap::servers([SocketAddr::from(([192, 0, 2, 9], 8888))])));
    while !script.is_over() {
        match script.byte() {
            0..40 => bench.ask(command(&mut script)),
            40..60 => bench.settle(),
            _ => bench.step(&mut script, &mut |script| said(script, &content)),
        }
        let load = bench.machine.inner().load();
        assert!(load.streams <= 200 && load.heard <= 200 * 2_400 && load.session <= 66_000, "{load:?}");
    }
});
