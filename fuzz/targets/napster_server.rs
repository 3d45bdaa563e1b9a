//! A server with several clients, some of whose streams are zlib, and a linked server: messages of all types in any order.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use p2p_core::ConnId;
use p2p_fuzz::{Bench, Script};
use p2p_napster::deflate::{Deflater, InflateLimits};
use p2p_napster::link::{Link, LinkPeer};
use p2p_napster::server::{Config, LinkConfig, Server, ServerCommand};
use p2p_napster::wire::{Level, Linked, put_frame};
use std::collections::BTreeMap;
use std::net::SocketAddr;

const NICKS: [&str; 6] = ["ann", "bob", "eve", "yuri", "zoe", "root"];
const CHANNELS: [&str; 3] = ["#a", "#b", "#c"];
/// Types that do something, of clients and of servers.
const KINDS: [u16; 96] = [
    2, 4, 6, 7, 11, 100, 102, 110, 200, 203, 205, 207, 208, 211, 214, 215, 218, 219, 220, 221, 300, 303, 320,
    322, 323, 326, 400, 401, 402, 410, 420, 422, 423, 424, 430, 500, 600, 603, 606, 607, 608, 609, 610, 611,
    612, 613, 614, 615, 617, 619, 621, 622, 623, 625, 626, 627, 628, 640, 641, 642, 652, 700, 701, 702, 703,
    750, 751, 752, 753, 801, 820, 821, 822, 823, 824, 826, 827, 829, 830, 831, 870, 10000, 10012, 10014,
    10015, 10016, 10017, 10018, 10019, 10020, 10023, 10100, 10112, 10204, 10262, 10300,
];

fn word(script: &mut Script<'_>) -> Vec<u8> {
    match script.byte() % 12 {
        0..=2 => NICKS[script.below(NICKS.len())].into(),
        3 => CHANNELS[script.below(CHANNELS.len())].into(),
        4 => script.byte().to_string().into(),
        5 => format!("\"C:\\Band - Song {}.mp3\"", script.byte() % 8).into(),
        6 => b"11111111111111111111111111111111 5000000 192 44100 200".into(),
        7 => b"FILENAME CONTAINS \"song\" MAX_RESULTS 10".into(),
        8 => b"Moderator".into(),
        9 => b":serverb".into(),
        10 => b":yuri".into(),
        _ => script.bytes().into(),
    }
}

/// A message, of words that mean something and of others.
fn message(script: &mut Script<'_>, origin: bool, out: &mut BytesMut) {
    let kind = KINDS[script.below(KINDS.len())];
    let mut text = if origin && script.byte() & 1 == 0 { b":yuri ".to_vec() } else { Vec::new() };
    for n in 0..script.byte() % 8 {
        if n > 0 {
            text.push(b' ');
        }
        text.extend(word(script));
    }
    put_frame(out, kind, |to| {
        to.raw(&text);
    });
}

fn peer(name: &str) -> LinkPeer {
    let text = |text: &str| text.as_bytes().into();
    LinkPeer { name: text(name), password: text("x"), own_password: text("x"), level: 1 }
}

fn config() -> Config {
    let mut config = Config::default();
    config.name = "servera".into();
    let away = SocketAddr::from(([192, 0, 2, 9], 80));
    config.links = vec![
        LinkConfig::new(peer("serverb")).trust(Level::Admin),
        LinkConfig::new(peer("serverc")).dial(away),
    ];
    let limits = &mut config.limits;
    (limits.channels, limits.channel_members, limits.channel_bans) = (5, 6, 4);
    (limits.list, limits.asked, limits.files_per_user) = (5, 4, 20);
    (limits.linked_users, limits.linked_servers, limits.linked_searches) = (10, 4, 3);
    (limits.bans, limits.accounts, limits.connections) = (8, 8, 20);
    config
}

/// What lies within the limits, whatever was said.
fn check(server: &Server) {
    let (counts, load, limits) = (server.counts(), server.load(), config().limits);
    let users = counts.users as usize + counts.linked_users as usize;
    assert!(load.sessions <= limits.connections && counts.users as usize <= load.sessions);
    assert!(counts.linked_users as usize <= limits.linked_users * load.links);
    assert!(counts.channels as usize <= limits.channels);
    assert!(load.members <= limits.channels * limits.channel_members);
    assert!(load.channel_bans <= limits.channels * limits.channel_bans);
    assert!(load.listed <= users * 2 * limits.list && load.asked <= users * limits.asked);
    assert!(load.servers <= limits.linked_servers && load.searches <= limits.linked_searches);
    assert!(counts.files <= counts.users * u64::from(limits.files_per_user));
    assert!(counts.accounts as usize <= limits.accounts);
    // A message of a client, or of a link, in parts; and what one input brought while it is not read.
    assert!(load.held_bytes <= load.sessions * 600_000 + load.links * 70_000, "{load:?}");
}

/// What somebody is at the other end.
enum End {
    Plain,
    Zlib(Deflater),
    Link(Box<Link>, usize),
}

struct World {
    bench: Bench<Server>,
    ends: BTreeMap<ConnId, End>,
}

impl World {
    fn connect(&mut self, script: &mut Script<'_>) {
        let host = 1 + script.byte() % 8;
        let at = SocketAddr::from(([192, 0, 2, host], 5_000));
        let Some(conn) = self.bench.accept(at) else { return };
        let nick = NICKS[script.below(NICKS.len())];
        let mut out = BytesMut::new();
        let login = |out: &mut BytesMut, text: String| {
            put_frame(out, 2, |to| {
                to.raw(text.as_bytes());
            });
        };
        let end = match script.byte() % 4 {
            0 => {
                login(&mut out, format!("{nick} x 6699 \"c\" 7 0 0 6"));
                End::Zlib(Deflater::new(6))
            }
            1 => {
                let drawn = u64::from(script.byte()) + conn.raw();
                let limits = InflateLimits::default();
                let link = Link::dial(b"serverb", peer("servera"), drawn, limits, &mut out);
                End::Link(Box::new(link), 0)
            }
            2 => End::Plain,
            _ => {
                login(&mut out, format!("{nick} x {} \"c\" 7", u16::from(script.byte()) * 8));
                End::Plain
            }
        };
        self.ends.insert(conn, end);
        self.bench.data(conn, out);
        self.read(conn);
    }

    /// The other end of a link reads, and goes on with the handshake.
    fn read(&mut self, conn: ConnId) {
        let Some(End::Link(link, read)) = self.ends.get_mut(&conn) else { return };
        let sent =
            self.bench.sent.as_ref().and_then(|sent| sent.get(&conn)).map_or(&[][..], |sent| &sent[..]);
        link.push(Bytes::copy_from_slice(&sent[*read..]));
        *read = sent.len();
        let mut out = BytesMut::new();
        while let Ok(Some(_)) = link.next(&mut out) {}
        self.bench.data(conn, out);
    }

    fn say(&mut self, script: &mut Script<'_>) {
        let conns: Vec<ConnId> = self.ends.keys().copied().collect();
        let Some(&conn) = conns.get(script.below(conns.len())) else { return };
        let mut plain = BytesMut::new();
        let is_link = matches!(self.ends.get(&conn), Some(End::Link(..)));
        for _ in 0..=script.byte() % 3 {
            match script.byte() {
                0 => plain.extend_from_slice(script.bytes()),
                1..60 if is_link => {
                    let nick = NICKS[script.below(NICKS.len())];
                    let text = format!("{nick} x 6699 \"c\" 7 u {} 16777343 serverb 9", script.byte());
                    put_frame(&mut plain, 2, |to| {
                        to.raw(text.as_bytes());
                    });
                }
                60 if is_link => {
                    Linked::Clock { origin: b"serverb", time: Bench::<Server>::CIVIL }.encode(&mut plain);
                }
                _ => message(script, is_link, &mut plain),
            }
        }
        let mut out = BytesMut::new();
        match self.ends.get_mut(&conn) {
            Some(End::Zlib(deflater)) => deflater.write(&plain, &mut out),
            Some(End::Link(link, _)) if link.is_open() => link.send(&plain, &mut out),
            _ => out = plain,
        }
        self.bench.data(conn, out);
        self.read(conn);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let mut bench = Bench::new(Server::new(config()), Vec::new());
    bench.sent = Some(BTreeMap::new());
    bench.settle();
    let mut world = World { bench, ends: BTreeMap::new() };
    while !script.is_over() && !world.bench.is_halted() {
        match script.byte() % 16 {
            0 | 1 => world.connect(&mut script),
            2..12 => world.say(&mut script),
            12 => {
                let nick = NICKS[script.below(NICKS.len())].as_bytes().into();
                world.bench.ask(match script.byte() % 4 {
                    0 => ServerCommand::Kill { nick, reason: [].into() },
                    1 => ServerCommand::Announce(Bytes::from_static(b"hear")),
                    2 => ServerCommand::Stats,
                    _ => ServerCommand::SetLevel(nick, Level::Elite),
                });
            }
            _ => world.bench.step(&mut script, &mut |script| script.bytes().to_vec()),
        }
        check(world.bench.machine.inner());
    }
});
