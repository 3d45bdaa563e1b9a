//! Clients that ask for zlib at their login.

use super::rig::{Rig, config, frame, lines};
use bytes::BytesMut;
use p2p_core::ConnId;
use p2p_napster::deflate::Deflater;

/// A client that speaks in a stream.
struct Deflated {
    conn: ConnId,
    deflater: Deflater,
}

impl Deflated {
    fn log_in(rig: &mut Rig, nick: &str, level: u8) -> Self {
        let ip = format!("10.2.0.{}", rig.clients.len() + 1);
        let conn = rig.connect(&ip);
        rig.say(conn, 2, format!("{nick} pw 6699 \"probe\" 7 0 0 {level}"));
        Self { conn, deflater: Deflater::new(level) }
    }

    fn bytes(&mut self, kind: u16, text: &str) -> BytesMut {
        let mut out = BytesMut::new();
        self.deflater.write(&frame(kind, text.as_bytes()), &mut out);
        out
    }

    fn say(&mut self, rig: &mut Rig, kind: u16, text: &str) -> Vec<String> {
        let bytes = self.bytes(kind, text);
        rig.data(self.conn, &bytes);
        lines(&rig.hear(self.conn))
    }
}

const SONG: &str = "\"C:\\a\\Band - Song.mp3\" 11111111111111111111111111111111 5000000 192 44100 200";

#[test]
fn both_directions_are_streams_behind_the_acknowledgement() {
    for level in 1..=9 {
        let mut rig = Rig::new();
        let mut ann = Deflated::log_in(&mut rig, "ann", level);
        let heard = lines(&rig.hear(ann.conn));
        assert_eq!(heard.first(), Some(&format!("3 \\\"anon@servera\\\" {level}")));
        assert_eq!(heard.last(), Some(&String::from("214 0 0 0")));
        assert!(ann.say(&mut rig, 100, SONG).is_empty());
        // Who has no stream finds and hears what comes in one, and the other way round.
        let bob = rig.user("bob");
        let found = lines(&rig.exchange(bob, 200, "FILENAME CONTAINS \"song\" MAX_RESULTS 9"));
        assert!(found.len() == 2 && found[0].contains("Song.mp3"), "{found:?}");
        assert_eq!(ann.say(&mut rig, 205, "bob hi"), Vec::<String>::new());
        assert_eq!(lines(&rig.hear(bob)), ["205 ann hi"]);
        rig.say(bob, 205, "ann hello");
        assert_eq!(lines(&rig.hear(ann.conn)), ["205 bob hello"]);
        // Byte by byte it is the same.
        for byte in ann.bytes(214, "") {
            rig.data(ann.conn, &[byte]);
        }
        assert_eq!(lines(&rig.hear(ann.conn)), ["214 2 1 0"]);
    }
}

#[test]
fn what_follows_the_login_at_once_is_read_as_the_stream() {
    let mut rig = Rig::new();
    let conn = rig.connect("10.0.0.1");
    let mut bytes = frame(2, b"ann pw 6699 \"probe\" 7 0 0 6");
    Deflater::new(6).write(&frame(750, b""), &mut bytes);
    rig.data(conn, &bytes);
    let heard = lines(&rig.hear(conn));
    assert_eq!(heard.last().map(String::as_str), Some("750 servera "), "{heard:?}");
}

#[test]
fn past_the_limit_blocks_are_stored_and_then_nobody_is_let_in() {
    let mut config = config();
    (config.limits.zlib, config.limits.zlib_compressed) = (3, 1);
    config.motd = vec!["all the same ".repeat(100).into()];
    let mut rig = Rig::with(config);
    let users: Vec<Deflated> = ["a", "b", "c"].map(|nick| Deflated::log_in(&mut rig, nick, 9)).into();
    let sent = |rig: &Rig, n: usize| rig.clients[&users[n].conn].bytes;
    assert!(sent(&rig, 0) < 500 && sent(&rig, 1) > 1_300 && sent(&rig, 2) > 1_300);
    for user in &users {
        assert_eq!(lines(&rig.hear(user.conn))[0], "3 \\\"anon@servera\\\" 9");
    }
    let late = Deflated::log_in(&mut rig, "d", 9);
    assert_eq!(
        lines(&rig.hear(late.conn)),
        ["0 3 compressed connections are all there can be: log in without"]
    );
    assert!(!rig.is_open(late.conn));
    rig.user("plain");
    // Who goes makes room, of both kinds.
    rig.leave(users[0].conn);
    let next = Deflated::log_in(&mut rig, "d", 9);
    assert!(rig.is_open(next.conn) && rig.clients[&next.conn].bytes < 500);
}

#[test]
fn a_level_that_is_none_is_refused_and_zero_is_plain() {
    let mut rig = Rig::new();
    for level in [10, 99, 255] {
        let client = Deflated::log_in(&mut rig, "ann", level);
        assert_eq!(lines(&rig.hear(client.conn)), [format!("0 invalid zlib level {level}: 1 to 9")]);
        assert!(!rig.is_open(client.conn));
    }
    let conn = rig.connect("10.0.0.1");
    rig.say(conn, 2, "ann pw 6699 \"probe\" 7 0 0 0");
    assert_eq!(lines(&rig.exchange(conn, 750, ""))[..], ["750 servera "]);
}

#[test]
fn bad_input_02_what_is_no_stream_closes_the_connection_and_nobody_else_s() {
    let mut rig = Rig::new();
    let other = rig.user("other");
    // 4,000 bytes of 0xff: what crashed a server of the time.
    for rubbish in [&[0xff; 4_000][..], b"\x78\x9c\xff\xff\xff", &frame(214, b"")] {
        let client = Deflated::log_in(&mut rig, "ann", 6);
        rig.hear(client.conn);
        rig.data(client.conn, rubbish);
        // A head alone may be a stream: more must come before it is none.
        rig.data(client.conn, &[0xff; 64]);
        assert!(!rig.is_open(client.conn));
        assert!(lines(&rig.hear(client.conn)).is_empty(), "a plain disconnect");
    }
    assert_eq!(lines(&rig.exchange(other, 214, "")), ["214 1 0 0"]);
}

#[test]
fn bad_input_03_a_bomb_closes_the_connection() {
    let mut rig = Rig::new();
    let mut ann = Deflated::log_in(&mut rig, "ann", 9);
    rig.hear(ann.conn);
    // A message that never ends: nothing is answered, so nothing but the ratio stops it.
    let mut bomb = BytesMut::new();
    let body = [&2_000u16.to_le_bytes()[..], &205u16.to_le_bytes(), &[b'x'; 2_000][..]].concat();
    ann.deflater.write(&body.repeat(2_000), &mut bomb);
    assert!(bomb.len() < 60_000, "{}", bomb.len());
    rig.data(ann.conn, &bomb);
    for _ in 0..2_000 {
        rig.pass(p2p_core::Duration::from_secs(60));
    }
    assert!(!rig.is_open(ann.conn));
}

#[test]
fn a_registered_nick_has_its_stream_too() {
    let mut rig = Rig::new();
    let conn = rig.connect("10.0.0.1");
    rig.say(conn, 6, "ann pw 6699 \"probe\" 7 ann@example 0 6");
    let mut deflater = Deflater::new(6);
    let mut out = BytesMut::new();
    deflater.write(&frame(750, b""), &mut out);
    rig.data(conn, &out);
    assert_eq!(lines(&rig.hear(conn)).last().map(String::as_str), Some("750 servera "));
}
