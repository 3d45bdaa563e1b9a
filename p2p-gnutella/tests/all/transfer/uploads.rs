//! What our uploads answer, byte for byte where it matters.

use super::rig::{Do, Door, Raw, Scene, addr, answer, config, content, disk, urn};
use bytes::Bytes;
use core::time::Duration;
use p2p_gnutella::thex::TigerTree;
use p2p_gnutella::transfer::{Command, Event};
use p2p_gnutella::wire::{Decoder, Message, SizeLimits};

/// A servent with two files, and somebody who asks.
fn scene(seed: u64) -> (Scene, p2p_sim::NodeIx, Bytes) {
    let mut scene = Scene::new(seed);
    let (bytes, small) = (content(seed, 300_000), content(seed + 1, 10));
    scene.sharer(1, &[("blue train.mp3", &bytes), ("a<b>&\"c.txt", &small)]);
    let raw = scene.raw(2, Raw::default());
    scene.run(2);
    (scene, raw, bytes)
}

fn get(urn: &str, lines: &str) -> String {
    format!("GET /uri-res/N2R?{urn} HTTP/1.1\r\n{lines}\r\n")
}

#[test]
fn ranges_sensible_and_not() {
    let (mut scene, raw, bytes) = scene(1);
    let urn = urn(&bytes);
    let size = bytes.len();
    for (range, status, part) in [
        ("", 200, 0..size),
        ("Range: bytes=0-99\r\n", 206, 0..100),
        ("Range: bytes 5-5\r\n", 206, 5..6),
        ("range: BYTES=299990-\r\n", 206, 299_990..size),
        ("Range: bytes=-10\r\n", 206, size - 10..size),
        ("Range: bytes=-99999999999\r\n", 200, 0..size),
        ("Range: bytes=100-99999999999\r\n", 206, 100..size),
        ("Range: bytes=300000-\r\n", 416, 0..0),
        ("Range: bytes=-0\r\n", 416, 0..0),
        // Not a range that can be read: the header means nothing.
        ("Range: bytes=9-5\r\n", 200, 0..size),
        ("Range: bytes=0-1,5-6\r\n", 200, 0..size),
        ("Range: bytes=99999999999999999999-\r\n", 200, 0..size),
        ("Range: bytes=-\r\n", 200, 0..size),
        ("Range: lines=1-2\r\n", 200, 0..size),
        ("Range: bytes=0x10-20\r\n", 200, 0..size),
    ] {
        let came = scene.exchange(raw, 1, get(&urn, range), 3);
        let (head, body) = answer(&came);
        assert_eq!(head.status, status, "{range:?}");
        assert!(body == &bytes[part.clone()], "{range:?}: {} bytes", body.len());
        assert_eq!(head.headers.get("content-length"), Some(&*body.len().to_string()), "{range:?}");
        let said = head.headers.get("content-range").map(ToOwned::to_owned);
        let expected = match status {
            206 => Some(format!("bytes {}-{}/{size}", part.start, part.end - 1)),
            416 => Some(format!("bytes */{size}")),
            _ => None,
        };
        assert_eq!(said, expected, "{range:?}");
        scene.raw_does(raw, Do::Close);
        scene.run(1);
    }
}

#[test]
fn one_stream_serves_request_after_request() {
    let (mut scene, raw, bytes) = scene(3);
    let urn = urn(&bytes);
    // All at once: they are answered one after the other.
    let text = [
        get(&urn, "Range: bytes=0-9\r\n"),
        format!("HEAD /uri-res/N2R?{urn} HTTP/1.1\r\n\r\n"),
        "GET /get/1/a%3Cb%3E&%22c.txt HTTP/1.1\r\nRange: bytes=1-3\r\n\r\n".into(),
        "GET /get/2/blue train.mp3 HTTP/1.1\r\nRange: bytes=5-6\r\n\r\n".into(),
        "GET /get/2/other HTTP/1.1\r\n\r\n".into(),
        "GET /nothing HTTP/1.1\r\n\r\n".into(),
        get(&urn, "Range: bytes=7-7\r\nConnection: close\r\n"),
        get(&urn, "Range: bytes=8-8\r\n"),
    ]
    .concat();
    let came = scene.exchange(raw, 1, text, 5);
    let mut rest = &came[..];
    let small = content(4, 10);
    let expected: [(u16, &[u8]); 7] = [
        (206, &bytes[..10]),
        (200, b""),
        (206, &small[1..4]),
        (206, &bytes[5..7]),
        (404, b""),
        (404, b""),
        (206, &bytes[7..8]),
    ];
    for (at, (status, body)) in expected.into_iter().enumerate() {
        let (head, behind) = answer(rest);
        let len: usize = head.headers.get("content-length").unwrap().parse().unwrap();
        let sent = if at == 1 { 0 } else { len };
        assert_eq!((head.status, &behind[..sent]), (status, body), "{at}");
        assert!(at != 1 || len == bytes.len(), "a HEAD tells the length");
        assert_eq!(head.headers.get("x-features").is_some(), at == 0, "{at}");
        rest = &behind[sent..];
    }
    assert!(rest.is_empty() && scene.raw_of(raw).closed, "nothing is served behind a close");
}

#[test]
fn a_tree_is_served_and_verifies() {
    let (mut scene, raw, bytes) = scene(5);
    let came = scene.exchange(raw, 1, format!("GET /uri-res/N2X?{} HTTP/1.1\r\n\r\n", urn(&bytes)), 3);
    let (head, body) = answer(&came);
    assert_eq!((head.status, head.headers.get("content-type")), (200, Some("application/dime")));
    let root = p2p_gnutella::thex::root(&bytes);
    let tree = TigerTree::from_dime(bytes.len() as u64, &root, body).unwrap();
    assert_eq!(tree.slice_len(), 1_024);
    // If its file is taken away it is made again.
    let place = scene
        .sim
        .disk(scene.sim.nodes().next().unwrap())
        .files()
        .find(|file| file.path().as_str().contains("trees/"));
    assert!(place.is_some());
}

#[test]
fn what_is_shared_is_listed_for_servents_and_for_people() {
    let (mut scene, raw, bytes) = scene(6);
    let came = scene.exchange(raw, 1, "GET / HTTP/1.1\r\nAccept: text/html\r\n\r\n", 3);
    let (head, body) = answer(&came);
    let page = core::str::from_utf8(body).unwrap();
    assert_eq!(head.status, 200);
    assert!(
        page.contains("a&lt;b&gt;&amp;&quot;c.txt") && page.contains(&urn(&bytes)) && !page.contains("a<b>")
    );
    let again = scene.exchange(raw, 1, "GET / HTTP/1.1\r\n\r\n", 3);
    assert_eq!(answer(&again).0.status, 429);
    scene.run(60);
    let came = scene.exchange(raw, 1, "GET / HTTP/1.1\r\nAccept: application/x-gnutella-packets\r\n\r\n", 3);
    let (head, body) = answer(&came);
    assert_eq!(head.headers.get("content-type"), Some("application/x-gnutella-packets"));
    let mut decoder = Decoder::new(SizeLimits::default());
    decoder.push(Bytes::copy_from_slice(body));
    let frame = decoder.next().unwrap().unwrap();
    let Message::QueryHit(hit) = Message::parse(frame.header.kind, &frame.payload).unwrap() else { panic!() };
    let names: Vec<&[u8]> = hit.records.iter().map(|record| record.name).collect();
    assert_eq!(names, [&b"a<b>&\"c.txt"[..], b"blue train.mp3"]);
    assert_eq!(hit.records.iter().nth(1).unwrap().sha1(), Some(super::rig::sha1(&bytes)));
}

#[test]
fn a_servent_browses_another() {
    let (mut scene, _, _) = scene(7);
    let by = scene.door(9, p2p_sim::Disk::default(), Door::new(config(9)));
    scene.run(1);
    let op = scene.ask(by, Command::Browse(addr(1)));
    assert!(scene.sim.finish(&[op], Duration::from_secs(20)));
    assert!(matches!(scene.sim.outcome(op), Some(Ok(()))));
    let files: usize = scene
        .events(by)
        .iter()
        .map(|event| if let Event::Listed(hit) = event { hit.records.len() } else { 0 })
        .sum();
    assert_eq!(files, 2);
    // And fetches what it found.
    let hit = scene.events(by).into_iter().find_map(|event| match event {
        Event::Listed(hit) => Some(hit),
        _ => None,
    });
    let wanted = p2p_gnutella::transfer::Wanted::of_hit(&hit.unwrap()).pop().unwrap();
    let op = scene.ask(by, Command::Download(wanted));
    scene.must_have(by, op, &content(7, 300_000), "blue train.mp3", 30);
}

/// gtk-gnutella 1.2.3 ends at once over an `X-Queued` that names no place, and takes `X-Queue` of 0.1 as well.
#[test]
fn the_queue_tells_places_in_words_that_all_know() {
    let mut scene = Scene::new(8);
    let bytes = content(8, 3_000_000);
    let mut own = config(1);
    own.limits.uploads.uploads = 1;
    own.upload_rate = 10_000;
    scene.door(1, disk(&[("f", &bytes)]), Door::new(own));
    let raws: Vec<_> = (2..=6).map(|node| scene.raw(node, Raw::default())).collect();
    scene.run(2);
    let urn = urn(&bytes);
    scene.exchange(raws[0], 1, get(&urn, ""), 1);
    let told = scene.exchange(raws[1], 1, get(&urn, "X-Queue: 0.1\r\n"), 1);
    let (head, _) = answer(&told);
    assert_eq!(head.headers.get("x-queue"), Some("position=1,length=1,limit=1,pollMin=30,pollMax=120"));
    let told = scene.exchange(raws[2], 1, get(&urn, "X-Queue: 1.0\r\n"), 1);
    let (head, _) = answer(&told);
    assert_eq!(head.headers.get("x-queue"), Some("position=2,length=2,limit=1,pollMin=30,pollMax=120"));
    assert_eq!(head.headers.get("x-queued"), None);
    assert_eq!((head.status, head.headers.get("retry-after")), (503, Some("30")));
    // One that cannot wait is sent away.
    let told = scene.exchange(raws[3], 1, get(&urn, ""), 1);
    assert_eq!((answer(&told).0.status, scene.raw_of(raws[3]).closed), (503, true));
    // One that asks again too soon loses its place.
    scene.raw_does(raws[1], Do::Send(get(&urn, "X-Queue: 0.1\r\n").into()));
    scene.run(1);
    assert!(scene.raw_of(raws[1]).closed);
    // Whoever is first is served when the slot is free.
    scene.raw_does(raws[0], Do::Close);
    scene.run(32);
    scene.raw_does(raws[2], Do::Send(get(&urn, "X-Queue: 1.0\r\nRange: bytes=0-99\r\n").into()));
    scene.run(2);
    assert!(scene.raw_of(raws[2]).came.ends_with(&bytes[..100]));
}

#[test]
fn the_rate_is_kept_and_shared() {
    let mut scene = Scene::new(9);
    let bytes = content(9, 3_000_000);
    let mut own = config(1);
    own.upload_rate = 100_000;
    scene.door(1, disk(&[("f", &bytes)]), Door::new(own));
    let raws: Vec<_> = (2..=4).map(|node| scene.raw(node, Raw::default())).collect();
    scene.run(2);
    for raw in &raws {
        scene.raw_does(*raw, Do::Dial(addr(1)));
    }
    scene.run(1);
    for raw in &raws {
        scene.raw_does(*raw, Do::Send(get(&urn(&bytes), "").into()));
    }
    scene.run(20);
    let got: Vec<usize> = raws.iter().map(|raw| scene.raw_of(*raw).came.len()).collect();
    let all: usize = got.iter().sum();
    assert!((1_900_000..2_300_000).contains(&all), "{got:?}");
    assert!(got.iter().all(|got| *got > all / 3 - 200_000), "{got:?}");
}

#[test]
fn alternates_are_learned_and_told() {
    let (mut scene, raw, bytes) = scene(10);
    let other = scene.raw(3, Raw::default());
    let urn = urn(&bytes);
    let head = |lines: &str| format!("HEAD /uri-res/N2R?{urn} HTTP/1.1\r\n{lines}\r\n");
    let says = head("X-Alt: 10.9.9.9, 10.9.9.8:99, 255.255.255.255, 10.9.9.7:0, junk,tls=F0\r\n");
    scene.exchange(raw, 1, says, 2);
    let came = scene.exchange(other, 1, head("X-Node: 10.0.0.3:7777\r\nX-Downloaded: 5\r\n"), 2);
    assert_eq!(answer(&came).0.headers.get("x-alt"), Some("10.9.9.9,10.9.9.8:99"));
    // It asked for itself from its own address; another's address is not taken for its own.
    let came = scene.exchange(raw, 1, head("X-Node: 10.8.8.8\r\nX-Downloaded: 5\r\nX-NAlt: 10.9.9.9\r\n"), 2);
    assert_eq!(answer(&came).0.headers.get("x-alt"), Some("10.0.0.3:7777,10.9.9.9,10.9.9.8:99"));
    // Two say that it is none.
    let came = scene.exchange(other, 1, head("X-NAlt: 10.9.9.9\r\n"), 2);
    assert_eq!(answer(&came).0.headers.get("x-alt"), Some("10.9.9.8:99"));
}
