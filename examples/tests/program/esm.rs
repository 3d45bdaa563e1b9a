//! `esm`: a stream from outside, at its viewers' outside again.

use crate::rig::{PATIENCE, Place, Running, content, field, number, run, text};
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PACKET: usize = 1_316;
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A source, and how it is joined. It reads its standard input, so that the stream goes on until all who are to watch
/// do, however long that takes.
fn source(args: &[&str]) -> (Running, String) {
    let source = Running::talking("esm", &[&["broadcast", "--listen", "127.0.0.1:0"], args].concat());
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

/// What a closed group's viewers write is the stream from where they joined on, or from some seconds before.
#[test]
fn a_stream_to_viewers_that_have_the_key() {
    let place = Place::new("esm-file");
    let stream = numbered(800);
    let closed = ["--input", "-", "--rate", "200k", "--key", KEY, "--stripes", "4", "--code", "3"];
    let (mut source, door) = source(&closed);
    let viewer = |name: &str, more: &[&str]| {
        let out = place.at(name);
        let usual = ["watch", "--join", &door, "--out", &out, "--patience", "20"];
        Running::new("esm", &[&usual, more].concat())
    };
    let now = viewer("now", &["--key", KEY]);
    now.event("joined");
    let (begin, rest) = stream.split_at(400 * PACKET);
    source.pour(begin);
    // Long enough for there to be a past.
    std::thread::sleep(Duration::from_millis(2_500));
    let past = viewer("past", &["--key", KEY, "--from", "-2s"]);
    past.event("joined");
    let without = run("esm", &["watch", "--join", &door, "--out", &place.at("without")]);
    assert_eq!(without.status.code(), Some(1));
    assert!(text(&without.stderr).contains("the group is closed"), "{}", text(&without.stderr));
    source.pour(rest);
    source.hush();
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
    let viewer = Running::new("esm", &["watch", "--join", &door, "--udp", &to, "--patience", "20"]);
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
    let stream = numbered(4_000);
    let (mut source, door) = source(&["--input", "-", "--rate", "200k"]);
    let usual = ["watch", "--join", &door, "--http", "127.0.0.1:0", "--patience", "20"];
    let viewer = Running::new("esm", &usual);
    let at = field(&viewer.event("page"), "at");
    let begin = |path: &str| {
        let mut conn = TcpStream::connect(&at).unwrap();
        conn.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(conn, "GET {path} HTTP/1.1\r\nHost: esm\r\nConnection: close\r\n\r\n").unwrap();
        conn
    };
    let end = |mut conn: TcpStream| {
        let mut answer = Vec::new();
        conn.read_to_end(&mut answer).unwrap();
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        (text(&answer[..head]), answer[head + 4..].to_vec())
    };
    let ask = |path: &str| end(begin(path));
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
    let viewing = begin("/stream.ts?from=now");
    // The stream goes on until it is seen.
    viewing.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
    let mut poured = 0;
    let mut pour = |packets: usize| {
        source.pour(&stream[poured..poured + packets * PACKET]);
        poured += packets * PACKET;
    };
    while viewing.peek(&mut [0]).is_err() {
        pour(20);
    }
    viewing.set_read_timeout(Some(PATIENCE)).unwrap();
    pour(100);
    source.hush();
    let (head, body) = end(viewing);
    assert!(head.contains("video/mp2t"), "{head}");
    let mut written = Vec::new();
    let mut rest = &body[..];
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let len = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        written.extend_from_slice(&rest[line + 2..][..len]);
        rest = &rest[line + 2 + len + 2..];
    }
    let begun = first(&written);
    assert!(written == stream[begun * PACKET..poured], "from packet {begun} on, to the end");
}

/// A link between a source and one viewer that keeps what the viewer is sent.
struct Link {
    /// Where the viewer sees the source.
    front: UdpSocket,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    viewer: Option<SocketAddr>,
    sent: Vec<Vec<u8>>,
}

impl Link {
    fn new(source: &str) -> Self {
        let bind = || Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let (front, back) = (bind(), bind());
        let source: SocketAddr = source.parse().unwrap();
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let (kept, ears) = (heard.clone(), (front.clone(), back.clone()));
        // Both threads end with the test.
        std::thread::spawn(move || {
            let mut room = [0; 2_000];
            while let Ok((len, from)) = ears.0.recv_from(&mut room) {
                kept.lock().unwrap().viewer.get_or_insert(from);
                let _ = ears.1.send_to(&room[..len], source);
            }
        });
        let (kept, ears) = (heard.clone(), (front.try_clone().unwrap(), back));
        std::thread::spawn(move || {
            let mut room = [0; 2_000];
            while let Ok((len, _)) = ears.1.recv_from(&mut room) {
                let mut kept = kept.lock().unwrap();
                kept.sent.push(room[..len].to_vec());
                if let Some(viewer) = kept.viewer {
                    let _ = ears.0.send_to(&room[..len], viewer);
                }
            }
        });
        Self { front: front.try_clone().unwrap(), heard }
    }

    fn door(&self, group: &str) -> String {
        format!("{group}@{}", self.front.local_addr().unwrap())
    }
}

/// Bytes of memory that a program had at most.
#[cfg(target_os = "linux")]
fn peak(program: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

/// The source starts again with the same key, and what was recorded of it before is sent to a viewer of the new stream,
/// beside what is recorded of this one, as it is and changed; by a stranger, and as if the source sent it.
#[test]
fn what_was_recorded_is_sent_again() {
    let place = Place::new("esm-replay");
    let stream = numbered(1_500);
    let key = place.at("source-key");
    let begin = || {
        let usual = ["--input", "-", "--rate", "300k", "--source-key", &key];
        let (source, door) = source(&usual);
        let (group, at) = door.split_once('@').unwrap();
        (source, Link::new(at), group.to_owned())
    };
    let watch = |link: &Link, group: &str, out: &str| {
        let (door, out) = (link.door(group), place.at(out));
        Running::new("esm", &["watch", "--join", &door, "--out", &out, "--patience", "20"])
    };
    let (mut source, link, group) = begin();
    let viewer = watch(&link, &group, "before");
    viewer.event("joined");
    source.pour(&stream[..300 * PACKET]);
    source.hush();
    assert_eq!(number(&viewer.event("ended"), "gaps"), 0);
    let before = std::mem::take(&mut link.heard.lock().unwrap().sent);
    assert!(before.len() > 300, "{} datagrams", before.len());
    drop((source, viewer));

    let (mut source, link, again) = begin();
    assert_eq!(group, again, "viewers know it by the same key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else is to read it");
    }
    let viewer = watch(&link, &group, "after");
    viewer.event("joined");
    let at = link.heard.lock().unwrap().viewer.unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    // So that no packet of the stream is lost for want of room, a few at a time.
    let portions = stream.chunks(30 * PACKET);
    let mut attacks = 0_u64;
    for portion in portions {
        source.pour(portion);
        let now: Vec<_> = {
            let heard = link.heard.lock().unwrap();
            heard.sent[heard.sent.len().saturating_sub(60)..].to_vec()
        };
        for (n, recorded) in before.iter().skip(attacks as usize % 200).take(100).chain(&now).enumerate() {
            stranger.send_to(recorded, at).unwrap();
            let mut changed = recorded.clone();
            *changed.last_mut().unwrap() ^= 1 << (n % 8);
            stranger.send_to(&changed, at).unwrap();
            attacks += 2;
            if n % 16 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        for recorded in &now {
            link.front.send_to(recorded, at).unwrap();
        }
    }
    #[cfg(target_os = "linux")]
    {
        let peak = peak(&viewer);
        println!("{attacks} datagrams of a stranger, {} MiB at most", peak >> 20);
        assert!(peak < 96 << 20, "{peak} bytes");
    }
    source.hush();
    let line = viewer.event("ended");
    let written = place.read("after");
    let begun = first(&written);
    assert!(written == stream[begun * PACKET..], "from packet {begun} on: {line}");
    assert_eq!(number(&line, "gaps"), 0, "{line}");
    // Some of them may find no room on their way.
    assert!(number(&line, "bad") > 1_000, "{attacks} attacks: {line}");
    println!("{line}");
}
