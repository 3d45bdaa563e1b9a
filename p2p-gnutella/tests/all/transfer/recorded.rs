//! The exchanges of gtk-gnutella over HTTP, as they were recorded: its answers are given to our downloads, and its requests to
//! our uploads. Bytes of files that were not kept cannot be verified, so these tests end where those begin.

use super::rig::{Do, Door, Raw, Scene, addr, answer, config, content, disk};
use crate::capture::{Conversation, From, record};
use bytes::Bytes;
use p2p_core::http::{BodyLen, ContentRange, Headers, Request, Response};
use p2p_gnutella::transfer::head::{Head, HeadReader};
use p2p_gnutella::transfer::http::{Asked, alternates, node, parse_giv, tree_root};
use p2p_gnutella::transfer::{Command, Locator, SourceError, Wanted};
use p2p_sim::Disk;

const CHARLIE: &str = "urn:sha1:WWGRI4MKNVGVEZJPP76TXPECPUNWOJXP";

/// Its answer to the first GET of a stream, for 1,048,576 bytes. The streams in `data` have no bodies of files, and not the heads
/// before them.
const CUT: &str = "HTTP/1.1 206 Partial Content\r
Server: gtk-gnutella/1.2.3-14-ga331a-dirty (2024-03-03; Topless; Linux x86_64)\r
Date: Sat, 18 Oct 2025 12:55:49 GMT\r
X-Token: aPOORTCa4M5vLL+XrZTxL/XKTO2ueEmIJGy3; s0M=\r
X-Features: browse/1.0, fwalt/0.1, queue/1.1\r
X-Queued: ID=396f965e13f020db9ac589e73ccae8d9\r
Content-Range: bytes 0-524287/2500000\r
Content-Length: 524288\r
Last-Modified: Sat, 18 Oct 2025 12:52:43 GMT\r
Content-Type: application/zip\r
Content-Disposition: inline; filename*=\"utf-8'en'charlie%20quartz%20archive.zip\"\r
X-Gnutella-Content-URN: urn:sha1:WWGRI4MKNVGVEZJPP76TXPECPUNWOJXP\r
X-Thex-URI: /uri-res/N2X?urn:sha1:WWGRI4MKNVGVEZJPP76TXPECPUNWOJXP;R534UNZUNIGKWWWIQELPIYQMPHT7ZRWW6H5NTKA\r
\r
";

fn conversations() -> Vec<Conversation> {
    record("gtkg-plain").conversations.into_iter().filter(|conversation| !conversation.is_link()).collect()
}

/// The conversation in which this was sent first.
fn that_begins(text: &str) -> Conversation {
    let begins =
        |conversation: &Conversation| conversation.sent_by(From::Client).starts_with(text.as_bytes());
    conversations().into_iter().find(begins).unwrap()
}

/// Heads that stand one behind the other, a byte at a time: of requests all, of answers the first.
fn heads(bytes: &[u8]) -> Vec<Head> {
    let (mut reader, mut heads) = (HeadReader::default(), Vec::new());
    for byte in bytes {
        let mut input = Bytes::copy_from_slice(&[*byte]);
        if let Some(head) = reader.read(&mut input).unwrap() {
            heads.push(head);
        }
    }
    heads
}

fn first_answer(conversation: &Conversation) -> Response {
    heads(&conversation.sent_by(From::Server)[..]).remove(0).into_response().unwrap()
}

#[test]
fn all_recorded_heads_are_read() {
    let (mut requests, mut answers, mut givs) = (0, 0, 0);
    for conversation in conversations() {
        let client = conversation.sent_by(From::Client);
        if client.starts_with(b"GIV ") {
            let head = &heads(&client[..client.windows(2).position(|pair| pair == b"\n\n").unwrap() + 2])[0];
            assert_eq!(parse_giv(&head.first).unwrap().0, 0);
            givs += 1;
            continue;
        }
        if !client.starts_with(b"GET ") && !client.starts_with(b"HEAD ") {
            continue;
        }
        for head in heads(&client) {
            let request: Request = head.into_request().unwrap();
            assert!(Asked::of(&request.target) != Asked::Other || request.target == "/favicon.ico");
            requests += 1;
        }
        if conversation.sent_by(From::Server).is_empty() {
            // Not kept.
            continue;
        }
        let answer = first_answer(&conversation);
        assert!(matches!(answer.status, 200 | 206 | 404 | 429), "{answer:?}");
        assert!(answer.body().is_ok());
        answers += 1;
    }
    assert!(requests >= 10 && answers >= 9 && givs == 1, "{requests} {answers} {givs}");
}

#[test]
fn what_it_says_of_a_file_is_understood() {
    let asked = that_begins("HEAD /uri-res/N2R?");
    let said: Headers = first_answer(&asked).headers;
    let root = p2p_gnutella::huge::parse_tth("R534UNZUNIGKWWWIQELPIYQMPHT7ZRWW6H5NTKA");
    assert_eq!(tree_root(&said), root);
    assert_eq!(alternates(&said, "x-alt"), ["198.51.100.1:6346".parse().unwrap()]);
    // Its first GET, cut to 524,288 bytes though more was asked for.
    let fetched = that_begins(&format!("GET /uri-res/N2R?{CHARLIE} HTTP/1.1\r\nUser-Agent: gtk"));
    let request = heads(&fetched.sent_by(From::Client)).remove(0).into_request().unwrap();
    assert_eq!(request.headers.get("range"), Some("bytes=0-1048575"));
    assert_eq!(node(&request.headers), Some("198.51.100.1:6346".parse().unwrap()));
    let cut = heads(CUT.as_bytes()).remove(0).into_response().unwrap();
    assert_eq!(cut.body(), Ok(BodyLen::Sized(524_288)));
    let part = ContentRange::parse(cut.headers.get("content-range").unwrap()).unwrap();
    assert_eq!((part.part, part.total), (Some((0, 524_287)), Some(2_500_000)));
}

/// Its list of files, in chunks.
#[test]
fn a_recorded_list_of_files() {
    let asked = conversations().into_iter().find(|conversation| {
        let client = conversation.sent_by(From::Client);
        client.starts_with(b"GET / ") && client.windows(19).any(|text| text == b"x-gnutella-packets\r")
            || client.starts_with(b"GET / ")
                && String::from_utf8_lossy(&client).contains("x-gnutella-packets")
    });
    let said = asked.unwrap().sent_by(From::Server);
    let mut scene = Scene::new(1);
    scene.raw(1, Raw::scripted(move |_| said.clone()));
    let by = scene.door(2, Disk::default(), Door::new(config(2)));
    scene.run(1);
    let op = scene.ask(by, Command::Browse(addr(1)));
    assert!(scene.sim.finish(&[op], core::time::Duration::from_secs(20)));
    assert!(matches!(scene.sim.outcome(op), Some(Ok(()))), "{:?}", scene.sim.outcome(op));
    let listed: Vec<Wanted> = scene
        .events(by)
        .iter()
        .filter_map(|event| match event {
            p2p_gnutella::transfer::Event::Listed(hit) => Some(Wanted::of_hit(hit)),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(listed.len(), 1);
    assert_eq!((&*listed[0].name, listed[0].size), ("charlie quartz archive.zip", Some(2_500_000)));
    assert_eq!(p2p_gnutella::Urn::Sha1(listed[0].sha1).to_string(), CHARLIE);
}

/// Our download asks gtk-gnutella, as it was recorded: for what the file is like, for the tree, and for a range, which is cut to
/// 524,288 bytes and then goes on from there on the same stream. The bytes are not its, so they are found out by its tree.
#[test]
fn a_download_from_recorded_answers() {
    let said = |text: &str| that_begins(text).sent_by(From::Server);
    let head = said("HEAD /uri-res/N2R?");
    let tree = said(&format!("GET /uri-res/N2X?{CHARLIE}"));
    let mut scene = Scene::new(2);
    let raw = scene.raw(
        1,
        Raw::scripted(move |request| {
            if request.starts_with("HEAD") {
                return head.clone();
            }
            if request.contains("N2X") {
                return tree.clone();
            }
            // The range that is asked for depends on the dice.
            let range = request.split("bytes=").nth(1).unwrap().split("\r\n").next().unwrap();
            [CUT.replace("0-524287", range).as_bytes(), &[0; 524_288]].concat()
        }),
    );
    let to = scene.door(2, Disk::default(), Door::new(config(2)));
    scene.run(1);
    let urn: p2p_gnutella::Urn = CHARLIE.parse().unwrap();
    let mut wanted = Wanted::new(urn.sha1().unwrap());
    wanted.sources = vec![Locator::at(addr(1))];
    scene.ask(to, Command::Download(wanted));
    scene.run(20);
    let came = String::from_utf8_lossy(&scene.raw_of(raw).came).into_owned();
    let lines: Vec<&str> =
        came.lines().filter(|line| line.starts_with("GET") || line.starts_with("HEAD")).collect();
    assert!(
        lines[0].starts_with("HEAD ") && lines[1].contains("N2X") && lines[2].contains("N2R"),
        "{lines:?}"
    );
    let lost = scene.lost(to);
    assert!(lost.contains(&(Some(addr(1)), SourceError::Lied)), "{lost:?}");
}

/// gtk-gnutella's own requests, and what we answer to them.
#[test]
fn its_requests_are_answered_by_our_uploads() {
    let mut scene = Scene::new(3);
    let bytes = content(3, 2_500_000);
    scene.door(1, disk(&[("charlie quartz archive.zip", &bytes)]), Door::new(config(1)));
    let raw = scene.raw(2, Raw::default());
    scene.run(2);
    let ours = super::rig::urn(&bytes);
    let fetched = that_begins(&format!("GET /uri-res/N2R?{CHARLIE} HTTP/1.1\r\nUser-Agent: gtk"));
    // All four of its requests on one stream, as it sent them.
    let text = String::from_utf8(fetched.sent_by(From::Client)).unwrap().replace(CHARLIE, &ours);
    let came = scene.exchange(raw, 1, text.clone(), 10);
    let mut rest = &came[..];
    let mut parts = Vec::new();
    for _ in 0..text.matches("GET ").count() {
        let (head, body) = answer(rest);
        assert_eq!(head.status, 206);
        let part = ContentRange::parse(head.headers.get("content-range").unwrap()).unwrap().part.unwrap();
        let (first, last) = (part.0 as usize, part.1 as usize);
        assert!(body[..=last - first] == bytes[first..=last]);
        rest = &body[last + 1 - first..];
        parts.push((first, last));
    }
    assert_eq!((parts[0], rest.len()), ((0, 1_048_575), 0));
    assert_eq!(parts[1], (1_975_712, 2_499_999));
    // And what a probe asked it.
    for conversation in conversations() {
        let client = conversation.sent_by(From::Client);
        if !client.starts_with(b"HEAD ") && !client.windows(9).any(|text| text == b"ProbeNode") {
            continue;
        }
        let theirs = first_answer(&conversation);
        let text = String::from_utf8(client).unwrap().replace(CHARLIE, &ours);
        scene.raw_does(raw, Do::Close);
        scene.run(61);
        let came = scene.exchange(raw, 1, text.clone(), 3);
        let (head, _) = answer(&came);
        let expected = match () {
            // Past the end it gives the last byte; we say what RFC 9110 says.
            () if text.contains("bytes=9999999-") => 416,
            () if text.contains("favicon") => 404,
            // We forget sooner that somebody has browsed.
            () if theirs.status == 429 => 200,
            () => theirs.status,
        };
        assert_eq!(head.status, expected, "{text}");
        if expected == theirs.status && theirs.status == 206 {
            assert_eq!(head.headers.get("content-range"), theirs.headers.get("content-range"), "{text}");
        }
    }
}
