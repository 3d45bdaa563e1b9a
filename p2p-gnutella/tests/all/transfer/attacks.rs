//! What strangers do to harm: each with a bound on what it costs, and an honest transfer beside it that must get through.

use super::rig::{Do, Door, Raw, Say, Scene, addr, answer, config, content, disk, sha1, urn, wanted};
use bytes::Bytes;
use core::time::Duration;
use p2p_gnutella::Guid;
use p2p_gnutella::transfer::{Ask, Command, Locator, SourceError};
use p2p_sim::{Disk, NodeIx};

/// A servent that shares one file, an attacker, and somebody honest.
fn scene(seed: u64) -> (Scene, NodeIx, NodeIx, NodeIx, Bytes) {
    let mut scene = Scene::new(seed);
    let bytes = content(seed, 500_000);
    let server = scene.sharer(1, &[("f", &bytes)]);
    let attacker = scene.raw(2, Raw::default());
    let honest = scene.door(3, Disk::default(), Door::new(config(3)));
    scene.run(2);
    (scene, server, attacker, honest, bytes)
}

fn honest_gets_it(scene: &mut Scene, honest: NodeIx, bytes: &Bytes) {
    let op = scene.fetch(honest, bytes, "f", &[1]);
    scene.must_have(honest, op, bytes, "f", 120);
}

#[test]
fn no_path_leads_out_of_what_is_shared() {
    let (mut scene, _, attacker, _, _) = scene(1);
    for target in [
        "/../state/library",
        "/get/1/../../state/library",
        "/get/1/..%2f..%2fstate%2flibrary",
        "/get/1/%2e%2e/state/library",
        "/get/0/f",
        "/get/2/f",
        "/get/4294967295/f",
        "/get/-1/f",
        "/uri-res/N2R?file:///etc/passwd",
        "/uri-res/N2R?urn:sha1:../../../../etc/passwd",
        "/uri-res/N2X?urn:sha1:../../../../etc/passwd",
        "//etc/passwd",
        "http://10.0.0.1/f",
    ] {
        let came =
            scene.exchange(attacker, 1, format!("GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n"), 2);
        let (head, body) = answer(&came);
        assert_eq!((head.status, body.len()), (404, 0), "{target}");
    }
}

#[test]
fn no_name_of_a_stranger_leads_out_of_the_downloads() {
    let mut scene = Scene::new(2);
    let bytes = content(2, 1_000);
    scene.sharer(1, &[("f", &bytes)]);
    for (at, name) in
        ["../../x", "/etc/passwd", "..\\..\\y", "..", "", "a\0b", "con", "\u{202e}gpj.exe", "n/../.ssh"]
            .iter()
            .enumerate()
    {
        let to = scene.door(10 + at as u8, Disk::default(), Door::new(config(10 + at as u8)));
        scene.run(2);
        let op = scene.fetch(to, &bytes, name, &[1]);
        assert!(scene.sim.finish(&[op], Duration::from_secs(30)), "{name:?}");
        let saved: Vec<String> = scene
            .sim
            .disk(to)
            .files()
            .map(|file| file.path().to_string())
            .filter(|path| !path.starts_with("state/"))
            .collect();
        assert_eq!(saved.len(), 1, "{name:?}: {saved:?}");
        assert!(!saved[0].contains('/') && !saved[0].starts_with('.'), "{name:?} became {saved:?}");
    }
}

#[test]
fn floods_of_headers_are_cut_off() {
    for (seed, line, lines) in
        [(3, "X: y\r\n", 10_000), (4, "X", 1_000_000), (5, "\r\n", 100), (6, "X-Alt: 1.2.3.4\r\n", 60)]
    {
        let (mut scene, server, attacker, honest, bytes) = scene(seed);
        let flood = format!("GET /{} HTTP/1.1\r\n{}", urn(&bytes), line.repeat(lines));
        scene.exchange(attacker, 1, flood, 3);
        let load = scene.door_of(server).transfers.load();
        assert!(load.heard <= 8_192, "{load:?}");
        honest_gets_it(&mut scene, honest, &bytes);
        scene.run(70);
        assert_eq!(scene.door_of(server).transfers.load().streams, 0);
    }
}

/// Streams that say a byte now and then, and streams that say nothing.
#[test]
fn slow_ones_are_sent_away() {
    let mut scene = Scene::new(7);
    let bytes = content(7, 500_000);
    let server = scene.sharer(1, &[("f", &bytes)]);
    let slow: Vec<_> = (20..60).map(|node| scene.raw(node, Raw::default())).collect();
    let honest = scene.door(3, Disk::default(), Door::new(config(3)));
    scene.run(2);
    for raw in &slow {
        scene.raw_does(*raw, Do::Dial(addr(1)));
    }
    scene.run(1);
    for raw in &slow {
        scene.raw_does(*raw, Do::Send("GET / HTTP/1.1\r\n".into()));
    }
    for second in 0..30 {
        for raw in &slow {
            scene.raw_does(*raw, Do::Send(format!("X-{second}: y\r\n").into()));
        }
        scene.run(1);
    }
    assert_eq!(scene.door_of(server).transfers.load().streams, 0);
    let answered = slow.iter().filter(|raw| scene.raw_of(**raw).came.starts_with(b"HTTP/1.1 408")).count();
    assert_eq!(answered, slow.len());
    honest_gets_it(&mut scene, honest, &bytes);
}

/// It asks for everything and reads nothing: it holds a slot for a minute, and memory for one read and the stream's queue.
#[test]
fn who_does_not_read_loses_its_slot() {
    let mut scene = Scene::new(8);
    let bytes = content(8, 5_000_000);
    let server = scene.sharer(1, &[("f", &bytes)]);
    let deaf: Vec<_> = (20..24).map(|node| scene.raw(node, Raw { deaf: true, ..Raw::default() })).collect();
    let honest = scene.door(3, Disk::default(), Door::new(config(3)));
    scene.run(2);
    for raw in &deaf {
        scene.exchange(*raw, 1, format!("GET /uri-res/N2R?{} HTTP/1.1\r\n\r\n", urn(&bytes)), 0);
    }
    scene.run(5);
    assert_eq!(scene.door_of(server).transfers.load().uploads, 4);
    honest_gets_it(&mut scene, honest, &bytes);
    scene.run(60);
    assert_eq!(scene.door_of(server).transfers.load().uploads, 0);
}

/// Requests one behind the other without reading an answer.
#[test]
fn answers_do_not_pile_up() {
    let (mut scene, server, _, honest, bytes) = scene(9);
    let deaf = scene.raw(5, Raw { deaf: true, ..Raw::default() });
    let many = format!("HEAD /uri-res/N2R?{} HTTP/1.1\r\n\r\n", urn(&bytes)).repeat(20_000);
    scene.exchange(deaf, 1, many, 10);
    let load = scene.door_of(server).transfers.load();
    assert!(load.heard < 200_000, "{load:?}");
    let sent = scene.sim.bytes(server).0;
    assert!(sent < 3_000_000, "{sent} bytes of answers to somebody who does not read");
    honest_gets_it(&mut scene, honest, &bytes);
}

#[test]
fn more_streams_than_there_is_room_for_are_closed() {
    let mut scene = Scene::new(10);
    let bytes = content(10, 1_000);
    let mut own = config(1);
    own.limits.guests = 10;
    let server = scene.door(1, disk(&[("f", &bytes)]), Door::new(own));
    let raws: Vec<_> = (20..60).map(|node| scene.raw(node, Raw::default())).collect();
    scene.run(2);
    for raw in &raws {
        scene.exchange(*raw, 1, "GET /", 0);
    }
    assert_eq!(scene.door_of(server).transfers.load().streams, 10);
}

#[test]
fn other_methods_and_bodies_are_refused() {
    let (mut scene, _, attacker, _, bytes) = scene(11);
    let urn = urn(&bytes);
    for text in [
        format!("GET /uri-res/N2R?{urn} HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"),
        format!("GET /uri-res/N2R?{urn} HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        format!("GET /uri-res/N2R?{urn} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ] {
        let came = scene.exchange(attacker, 1, text.clone(), 2);
        assert_eq!(answer(&came).0.status, 405, "{text}");
        assert!(scene.raw_of(attacker).closed);
    }
    let came = scene.exchange(attacker, 1, "GET / HTTP/3.0\r\n\r\n", 2);
    assert_eq!(answer(&came).0.status, 400);
}

/// Ranges upside down, beyond all numbers, and the same part a thousand times: each costs the file at most, once.
#[test]
fn ranges_of_nonsense_cost_the_file_at_most() {
    let (mut scene, server, attacker, honest, bytes) = scene(17);
    let all = "0-,".repeat(2_000);
    let ranges = [
        &all,
        "0-0,1-1,-1,0-",
        "499999-0",
        "18446744073709551615-18446744073709551615",
        "18446744073709551616-",
        "-18446744073709551615",
        "0-18446744073709551615",
        "--1",
        "1-2-3",
        " , ,",
        "\u{663}-\u{665}",
    ];
    for range in ranges {
        let before = scene.sim.bytes(server).0;
        let get = format!("GET /uri-res/N2R?{} HTTP/1.1\r\nRange: bytes={range}\r\n\r\n", urn(&bytes));
        let came = scene.exchange(attacker, 1, get, 5);
        let (head, body) = answer(&came);
        match head.status {
            // As if nothing was said of a range, or as far as the file goes.
            200 | 206 => assert!(body == bytes, "{range:.40}: {} bytes", body.len()),
            status => assert_eq!((status, body.len()), (416, 0), "{range:.40}"),
        }
        let sent = scene.sim.bytes(server).0 - before;
        assert!(sent < bytes.len() as u64 * 11 / 10, "{range:.40}: {sent} bytes");
        let load = scene.door_of(server).transfers.load();
        // A slot is kept for the next range.
        assert!(load.heard <= 8_192 && load.uploads <= 1, "{range:.40}: {load:?}");
        scene.raw_does(attacker, Do::Close);
        scene.run(1);
    }
    honest_gets_it(&mut scene, honest, &bytes);
}

/// Pushes have nobody dialled often, and nobody who cannot be a servent.
#[test]
fn pushes_cannot_be_turned_against_others() {
    let (mut scene, server, attacker, _, _) = scene(12);
    let victim = scene.raw(9, Raw::scripted(|_| Vec::new()));
    for _ in 0..100 {
        scene.sim.ask(server, p2p_sim::Either::Left(Say::Give(addr(9), 1)));
    }
    for to in ["0.0.0.0:6346", "255.255.255.255:6346", "10.0.0.9:0", "224.0.0.1:6346"] {
        scene.sim.ask(server, p2p_sim::Either::Left(Say::Give(to.parse().unwrap(), 1)));
    }
    scene.run(5);
    let lines = String::from_utf8_lossy(&scene.raw_of(victim).came).matches("GIV ").count();
    assert_eq!(lines, 3, "three at once, and then one in ten seconds");
    // Over HTTP only for oneself.
    let guid = Guid([7; 16]).to_base32();
    let ask = format!("GET /gnutella/push-proxy?guid={guid} HTTP/1.1\r\nX-Node: 10.0.0.9:6346\r\n\r\n");
    let came = scene.exchange(attacker, 1, ask, 2);
    assert_eq!(answer(&came).0.status, 400);
    assert!(!scene.door_of(server).asks.iter().any(|ask| matches!(ask, Ask::Forward { .. })));
}

#[test]
fn a_giv_that_nobody_waits_for_is_closed() {
    let (mut scene, server, attacker, _, _) = scene(13);
    for text in ["GIV 0:07070707070707070707070707070707/f\n\n", "GIV junk\n\n", "GIV \n\nmore"] {
        scene.exchange(attacker, 1, text, 2);
        assert!(scene.raw_of(attacker).closed, "{text}");
    }
    scene.exchange(attacker, 1, "GIV ".to_owned() + &"x".repeat(100_000), 2);
    assert!(scene.raw_of(attacker).closed);
    assert_eq!(scene.door_of(server).transfers.load().streams, 0);
}

/// Sources that say what their file is like, and then answer with something else, in every way that was thought of. Each is
/// given up for what it did, or waited for, on no more than one stream; and the honest source's file comes through.
#[test]
fn answers_that_lie_about_lengths_and_ranges() {
    use SourceError::{Malformed, Range, Silent, Size, Status};
    let size = 300_000;
    let data = "x".repeat(1_000);
    let lies: Vec<(&str, Option<SourceError>, String)> = vec![
        ("no range", Some(Range), format!("HTTP/1.1 206 OK\r\nContent-Length: 1000\r\n\r\n{data}")),
        ("another range", Some(Range), format!("HTTP/1.1 206 OK\r\nContent-Range: bytes 7-1006/{size}\r\nContent-Length: 1000\r\n\r\n{data}")),
        ("past the end", Some(Range), format!("HTTP/1.1 206 OK\r\nContent-Range: bytes 0-999999/{size}\r\nContent-Length: 1000000\r\n\r\n{data}")),
        ("two lengths", Some(Malformed("length")), format!("HTTP/1.1 206 OK\r\nContent-Range: bytes 0-999/{size}\r\nContent-Length: 99999\r\n\r\n{data}")),
        ("another size", Some(Size(size + 1)), format!("HTTP/1.1 206 OK\r\nContent-Range: bytes 0-999/{}\r\nContent-Length: 1000\r\n\r\n{data}", size + 1)),
        ("endless", Some(Size(u64::MAX)), "HTTP/1.1 206 OK\r\nContent-Range: bytes 0-18446744073709551614/18446744073709551615\r\n\r\n".into()),
        ("nothing", Some(Malformed("length")), format!("HTTP/1.1 206 OK\r\nContent-Range: bytes 0-0/{size}\r\nContent-Length: 0\r\n\r\n")),
        ("zero", Some(Size(0)), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into()),
        ("chunks", Some(Malformed("length")), format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{data}")),
        ("a tree that is none", Some(Size(1_000)), format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nX-Thex-URI: /x;R534UNZUNIGKWWWIQELPIYQMPHT7ZRWW6H5NTKA\r\n\r\n{data}")),
        ("no HTTP", Some(Malformed("head")), "ICY 200 OK\r\n\r\n".into()),
        ("a head without end", Some(Malformed("head")), format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(5_000))),
        ("gone", Some(Status(410)), "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n".into()),
        ("elsewhere", Some(Status(302)), "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.77/\r\nContent-Length: 0\r\n\r\n".into()),
        ("a wait of centuries", None, "HTTP/1.1 503 Busy\r\nRetry-After: 4294967295\r\nContent-Length: 0\r\n\r\n".into()),
        ("a queue of centuries", None, "HTTP/1.1 503 Busy\r\nX-Queue: position=1,pollMin=4294967295,pollMax=4294967295\r\nContent-Length: 0\r\n\r\n".into()),
        ("silence", Some(Silent), String::new()),
    ];
    for (seed, (what, given_up, lie)) in (100..).zip(lies) {
        let mut scene = Scene::new(seed);
        let bytes = content(seed, size as usize);
        let liar = scene.raw(
            1,
            Raw::scripted(move |request| {
                if request.starts_with("HEAD") {
                    return format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes();
                }
                lie.clone().into_bytes()
            }),
        );
        scene.sharer(2, &[("f", &bytes)]);
        let to = scene.door(9, Disk::default(), Door::new(config(9)));
        scene.run(2);
        let op = scene.fetch(to, &bytes, "f", &[1]);
        for _ in 0..20 {
            scene.run(30);
            let load = scene.door_of(to).transfers.load();
            assert!(load.streams <= 1 && load.unwritten <= 1_000, "{what}: {load:?}");
        }
        let lost: Vec<_> = scene.lost(to).into_iter().map(|(_, why)| why).collect();
        assert_eq!(lost, Vec::from_iter(given_up), "{what}");
        let asked = String::from_utf8_lossy(&scene.raw_of(liar).came).matches("GET ").count();
        assert!((1..=4).contains(&asked), "{what}: asked {asked} times in ten minutes");
        scene.ask(to, Command::Sources(sha1(&bytes), vec![Locator::at(addr(2))]));
        scene.must_have(to, op, &bytes, "f", 300);
        assert!(!scene.lost(to).iter().any(|(who, _)| *who == Some(addr(2))), "{what}");
    }
}

/// A source that names thousands of others.
#[test]
fn alternates_do_not_pile_up() {
    let mut scene = Scene::new(14);
    let bytes = content(14, 100_000);
    let many: String = (0..1_000).map(|at| format!("10.1.{}.{},", at / 250, at % 250 + 1)).collect();
    scene.raw(
        1,
        Raw::scripted(move |_| {
            format!("HTTP/1.1 503 Busy\r\nX-Alt: {}\r\nContent-Length: 0\r\n\r\n", &many[..4_000])
                .into_bytes()
        }),
    );
    let to = scene.door(9, Disk::default(), Door::new(config(9)));
    scene.run(2);
    let op = scene.ask(to, Command::Download(wanted(&bytes, "f", &[1])));
    scene.run(600);
    let load = scene.door_of(to).transfers.load();
    assert!(load.sources <= 64 && load.alternates <= 24, "{load:?}");
    assert!(load.streams <= 8, "{load:?}");
    scene.sim.cancel(op);
    scene.run(5);
    assert_eq!(scene.door_of(to).transfers.load().streams, 0);
}

/// A file of a size that no disk has, and one of no bytes.
#[test]
fn sizes_at_both_ends() {
    let mut scene = Scene::new(15);
    let empty = Bytes::new();
    scene.raw(
        1,
        Raw::scripted(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n".to_vec()),
    );
    let to = scene.door(9, Disk::default(), Door::new(config(9)));
    scene.run(2);
    let mut huge = wanted(&content(1, 10), "huge", &[1]);
    huge.size = None;
    let op = scene.ask(to, Command::Download(huge));
    scene.run(60);
    assert!(scene.sim.outcome(op).is_none());
    scene.raw(2, Raw::scripted(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()));
    let op = scene.ask(to, Command::Download(wanted(&empty, "empty", &[2])));
    scene.must_have(to, op, &empty, "empty", 60);
}

/// A source that gives a byte a second of the last range that is missing.
#[test]
fn who_trickles_does_not_hold_up_the_rest() {
    let mut scene = Scene::new(16);
    let bytes = content(16, 300_000);
    let size = bytes.len();
    let head = format!(
        "HTTP/1.1 206 OK\r\nContent-Range: bytes 0-{}/{size}\r\nContent-Length: {size}\r\n\r\n",
        size - 1
    );
    let script = move |request: &str| {
        if request.starts_with("HEAD") {
            return format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes();
        }
        head.clone().into_bytes()
    };
    scene.raw(1, Raw { trickles: true, ..Raw::scripted(script) });
    let to = scene.door(9, Disk::default(), Door::new(config(9)));
    scene.run(1);
    let op = scene.fetch(to, &bytes, "f", &[1]);
    scene.run(10);
    scene.sharer(2, &[("f", &bytes)]);
    scene.run(2);
    scene.ask(to, Command::Sources(sha1(&bytes), vec![Locator::at(addr(2))]));
    scene.must_have(to, op, &bytes, "f", 400);
}
