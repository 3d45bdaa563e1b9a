//! `esm`: a stream from outside, at its viewers' outside again.

use crate::rig::{PATIENCE, Place, Running, content, field, number, run, text};
use std::net::UdpSocket;
use std::time::Duration;

const PACKET: usize = 1_316;
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A source, and how it is joined.
fn source(args: &[&str]) -> (Running, String) {
    let source = Running::new("esm", &[&["broadcast", "--listen", "127.0.0.1:0"], args].concat());
    let line = source.event("broadcasting");
    let door = format!("{}@{}", field(&line, "group"), field(&line, "at"));
    (source, door)
}

/// Packets that know which one they are, as many bytes as a transport stream's.
fn numbered(count: usize) -> Vec<u8> {
    let mut stream = content(count * PACKET, 7);
    for (n, packet) in stream.chunks_mut(PACKET).enumerate() {
        packet[..8].copy_from_slice(&(n as u64).to_be_bytes());
    }
    stream
}

fn first(written: &[u8]) -> usize {
    usize::try_from(u64::from_be_bytes(written[..8].try_into().unwrap())).unwrap()
}

/// What a closed group's viewers write is the file from where they joined on, or from some seconds before.
#[test]
fn a_file_to_viewers_that_have_the_key() {
    let place = Place::new("esm-file");
    let stream = numbered(800);
    place.put("stream", &stream);
    let input = place.at("stream");
    let closed = ["--input", &input, "--rate", "200k", "--key", KEY, "--stripes", "4", "--code", "3"];
    let (source, door) = source(&closed);
    let viewer = |name: &str, more: &[&str]| {
        let out = place.at(name);
        Running::new("esm", &[&["watch", "--join", &door, "--out", &out], more].concat())
    };
    let now = viewer("now", &["--key", KEY]);
    now.event("joined");
    // Long enough for there to be a past.
    std::thread::sleep(Duration::from_millis(2_500));
    let past = viewer("past", &["--key", KEY, "--from", "-2s"]);
    let without = run("esm", &["watch", "--join", &door, "--out", &place.at("without")]);
    assert_eq!(without.status.code(), Some(1));
    assert!(text(&without.stderr).contains("the group is closed"), "{}", text(&without.stderr));
    for (name, viewer) in [("now", now), ("past", past)] {
        let line = viewer.event("ended");
        assert_eq!(number(&line, "gaps"), 0, "{line}");
        assert_eq!(viewer.code(), 0);
        let written = place.read(name);
        let begun = first(&written);
        assert!(written == stream[begun * PACKET..], "{name} from packet {begun} on");
        println!("{name}: from packet {begun} on, {line}");
    }
    assert_eq!(source.code(), 0);
}

/// Datagrams come out as they came in.
#[test]
fn datagrams_to_a_player() {
    let free = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let (encoder, player) = (free(), free());
    let into = free().local_addr().unwrap();
    player.set_read_timeout(Some(PATIENCE)).unwrap();
    let (_source, door) = source(&["--input", &format!("udp://{into}"), "--stripes", "1"]);
    let to = player.local_addr().unwrap().to_string();
    let viewer = Running::new("esm", &["watch", "--join", &door, "--udp", &to]);
    viewer.event("joined");
    // Datagrams of other lengths, too.
    let sent: Vec<Vec<u8>> = (0..100_u8).map(|n| vec![n; 188 * usize::from(n % 7 + 1)]).collect();
    for packet in &sent {
        encoder.send_to(packet, into).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut room = [0; 2_000];
    let mut given: Vec<Vec<u8>> = Vec::new();
    while given.last().is_none_or(|last| last[0] < 99) {
        let (len, _) = player.recv_from(&mut room).unwrap();
        given.push(room[..len].to_vec());
    }
    let begun = usize::from(given[0][0]);
    assert!(begun < 90 && given == sent[begun..], "from {begun} on");
    viewer.interrupt();
    assert_eq!(viewer.code(), 130);
}

/// The page, its player, the stream and the picture.
#[cfg(feature = "page")]
#[test]
fn a_page() {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    let place = Place::new("esm-page");
    let stream = numbered(600);
    place.put("stream", &stream);
    let (_source, door) = source(&["--input", &place.at("stream"), "--rate", "200k"]);
    let viewer = Running::new("esm", &["watch", "--join", &door, "--http", "127.0.0.1:0"]);
    let at = field(&viewer.event("page"), "at");
    let ask = |path: &str| {
        let mut conn = TcpStream::connect(&at).unwrap();
        conn.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(conn, "GET {path} HTTP/1.1\r\nHost: esm\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        conn.read_to_end(&mut answer).unwrap();
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        (text(&answer[..head]), answer[head + 4..].to_vec())
    };
    for (path, kind) in
        [("/", "text/html"), ("/page.js", "text/javascript"), ("/mpegts.js", "text/javascript")]
    {
        let (head, body) = ask(path);
        assert!(
            head.starts_with("HTTP/1.1 200") && head.contains(kind) && body.len() > 200,
            "{path}: {head}"
        );
    }
    assert!(ask("/stream.ts?from=then").0.starts_with("HTTP/1.1 400"));
    let (_, picture) = ask("/picture");
    let picture: serde_json::Value = serde_json::from_slice(&picture).unwrap();
    assert_eq!(picture["trees"].as_array().unwrap().len(), 6);
    assert!(picture["trees"][0]["parent"].is_string(), "{picture}");
    // To the end of the stream; the body is in chunks, whose lengths are left out.
    let (head, body) = ask("/stream.ts?from=now");
    assert!(head.contains("video/mp2t"), "{head}");
    let mut written = Vec::new();
    let mut rest = &body[..];
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let len = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        written.extend_from_slice(&rest[line + 2..][..len]);
        rest = &rest[line + 2 + len + 2..];
    }
    let begun = first(&written);
    assert!(written == stream[begun * PACKET..], "from packet {begun} on, to the end");
}
