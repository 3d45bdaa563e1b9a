//! The announcer against trackers that the test plays.

use super::bench::{Bench, Client, Do};
use p2p_bittorrent::tracker::udp::{self, Request, Response};
use p2p_bittorrent::tracker::{AnnounceReply, Event, Failure, Pending, Update};
use p2p_core::{
    Bytes, ConnId, Datagram, Duration, Effect, Input, Instant, IoError, Security, SocketId, StreamInput,
    Target,
};
use std::net::SocketAddr;

const GLOBAL: &str = "93.184.216.34:80";
fn answer(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn good() -> Vec<u8> {
    answer(b"d8:intervali900e5:peers6:\x01\x02\x03\x04\x1a\xe1e")
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn client(tiers: &[&[&str]]) -> Bench<Client> {
    let mut bench = Bench::new(Client::new(1, tiers));
    bench.take();
    bench
}

/// Answers a look-up, and gives the address dialled.
fn dialled(bench: &mut Bench<Client>, addr: &str) -> Option<(ConnId, SocketAddr)> {
    let mut dialled = None;
    for _ in 0..4 {
        for effect in bench.take() {
            match effect {
                Effect::Resolve(lookup, _, port) => {
                    let mut addr: SocketAddr = addr.parse().unwrap();
                    addr.set_port(port);
                    bench.give(Input::Resolved(lookup, Ok(vec![addr])));
                }
                Effect::Connect(conn, Target::Addr(addr), _) => dialled = Some((conn, addr)),
                Effect::Abort(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    dialled
}

/// Opens the stream, and gives the request.
fn requested(bench: &mut Bench<Client>, conn: ConnId) -> String {
    let peer = GLOBAL.parse().unwrap();
    bench.give(Input::Stream(conn, StreamInput::Open { peer, listener: None }));
    let Some(Effect::Send(to, bytes)) = bench.take().pop() else { panic!("nothing sent") };
    assert_eq!(to, conn);
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Plays one whole exchange; the request.
fn exchange(bench: &mut Bench<Client>, addr: &str, reply: &[u8]) -> String {
    let (conn, _) = dialled(bench, addr).expect("a dial");
    let request = requested(bench, conn);
    data(bench, conn, reply);
    request
}

fn data(bench: &mut Bench<Client>, conn: ConnId, bytes: &[u8]) {
    bench.give(Input::Stream(conn, StreamInput::Data(Bytes::copy_from_slice(bytes))));
}

fn announced(bench: &mut Bench<Client>) -> (AnnounceReply, Instant) {
    match bench.events().pop() {
        Some(Update::Announced { reply, next, .. }) => (reply, next),
        other => panic!("{other:?}"),
    }
}

fn failure(bench: &mut Bench<Client>) -> Failure {
    match bench.events().pop() {
        Some(Update::Failed { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_what_trackers_expect() {
    let mut bench = client(&[&["https://tracker.example:8443/announce?pass=x"]]);
    bench.ask(Do::Start);
    let effects = bench.take();
    let [Effect::Resolve(lookup, host, 8443)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(
        (host.as_str(), bench.machine.announcer.pending()),
        ("tracker.example", Some(Pending::Lookup(*lookup)))
    );
    bench.give(Input::Resolved(*lookup, Ok(vec!["93.184.216.34:8443".parse().unwrap()])));
    let effects = bench.take();
    let [Effect::Connect(conn, Target::Addr(_), Security::Client(name))] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(
        (name.as_str(), bench.machine.announcer.pending()),
        ("tracker.example", Some(Pending::Conn(*conn)))
    );
    let request = requested(&mut bench, *conn);
    assert!(request.starts_with("GET /announce?pass=x&info_hash=%AA%AA"), "{request}");
    for part in [
        "&peer_id=%01%01",
        "&port=6001",
        "&uploaded=1",
        "&downloaded=2",
        "&left=3",
        "&compact=1",
        "&numwant=80",
        "&event=started",
        "&key=",
        "\r\nHost: tracker.example:8443\r\n",
        "\r\nAccept-Encoding: identity\r\n",
        "\r\nConnection: close\r\n",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    data(&mut bench, *conn, &good());
    let (reply, next) = announced(&mut bench);
    assert_eq!(reply.peers, ["1.2.3.4:6881".parse().unwrap()]);
    assert_eq!((next, bench.next_timer()), (bench.now + secs(900), Some(next)));
    assert!(matches!(bench.take()[..], [Effect::Abort(_)]));
}

#[test]
fn bodies_end_by_length_by_chunks_or_with_the_connection() {
    let body = b"d8:intervali900e5:peers6:\x01\x02\x03\x04\x1a\xe1e".as_slice();
    let chunked = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
        &body[..5],
        b"\r\n1b\r\n",
        &body[5..],
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let unsized_one = [b"HTTP/1.0 200 OK\r\n\r\n", body].concat();
    for (wire, closes) in [(answer(body), false), (chunked, false), (unsized_one, true)] {
        for step in [1, 7, 1_000] {
            let mut bench = client(&[&["http://t.example/announce"]]);
            bench.ask(Do::Start);
            let (conn, _) = dialled(&mut bench, GLOBAL).unwrap();
            requested(&mut bench, conn);
            wire.chunks(step).for_each(|piece| data(&mut bench, conn, piece));
            if closes {
                assert!(bench.events.is_empty());
                bench.give(Input::Stream(conn, StreamInput::Closed(Ok(()))));
            }
            assert_eq!(announced(&mut bench).0.peers.len(), 1);
        }
    }
    let mut bench = client(&[&["http://t.example/announce"]]);
    bench.ask(Do::Start);
    let (conn, _) = dialled(&mut bench, GLOBAL).unwrap();
    requested(&mut bench, conn);
    data(&mut bench, conn, &good()[..good().len() - 3]);
    bench.give(Input::Stream(conn, StreamInput::Closed(Ok(()))));
    assert_eq!(failure(&mut bench), Failure::Connection(IoError::Reset), "cut short");
}

#[test]
fn answers_that_flood_are_cut_or_refused() {
    let mut many = b"d8:intervali900e5:peers900003:".to_vec();
    many.resize(many.len() + 900_003, 9);
    many.push(b'e');
    let mut bench = client(&[&["http://t.example/announce"]]);
    bench.ask(Do::Start);
    exchange(&mut bench, GLOBAL, &answer(&many));
    assert_eq!(announced(&mut bench).0.peers.len(), 200);

    let million = b"HTTP/1.1 200 OK\r\nContent-Length: 6000030\r\n\r\nd8:";
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'd'; 2 << 20]].concat();
    let endless_head = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'x'; 10_000]].concat();
    let bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n";
    for flood in [&million[..], &endless, &endless_head, bomb, b"SSH-2.0-OpenSSH\r\n"] {
        let mut bench = client(&[&["http://t.example/announce"]]);
        bench.ask(Do::Start);
        exchange(&mut bench, GLOBAL, flood);
        assert_eq!(failure(&mut bench), Failure::Garbage);
        assert!(matches!(bench.take()[..], [Effect::Abort(_)]));
    }
}

#[test]
fn an_address_that_answers_garbage_is_asked_three_times_an_hour_by_all_urls_together() {
    // Names without number that all lead to one victim.
    let urls: Vec<String> = (0..40).map(|n| format!("http://t{n}.example/announce?{n}")).collect();
    let tiers: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut bench = client(&[&tiers]);
    bench.ask(Do::Start);
    let mut times = Vec::new();
    let end = bench.now + secs(6 * 3600);
    while bench.now < end {
        while let Some((conn, _)) = dialled(&mut bench, GLOBAL) {
            requested(&mut bench, conn);
            times.push(bench.now);
            data(&mut bench, conn, b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nhi");
        }
        if bench.next_timer().is_none_or(|at| at > end) {
            break;
        }
        bench.fire();
    }
    assert!(times.len() >= 6, "it does try again: {times:?}");
    for (first, fourth) in times.iter().zip(times.iter().skip(3)) {
        assert!(*fourth - *first >= secs(3600), "{times:?}");
    }
}

#[test]
fn intervals_are_clamped() {
    for (interval, expected) in [
        ("i0e", 60),
        ("i-1e", 1800),
        ("i2147483648e", 3600),
        ("i59e", 60),
        ("i61e", 61),
        ("i3601e", 3600),
        ("i9223372036854775807e", 3600),
        ("3:900", 1800),
    ] {
        let mut bench = client(&[&["http://t.example/announce"]]);
        bench.ask(Do::Start);
        exchange(&mut bench, GLOBAL, &answer(format!("d8:interval{interval}5:peers0:e").as_bytes()));
        assert_eq!(announced(&mut bench).1 - bench.now, secs(expected), "{interval}");
    }
    let mut bench = client(&[&["http://t.example/announce"]]);
    bench.ask(Do::Start);
    exchange(&mut bench, GLOBAL, &answer(b"d8:intervali900e12:min intervali300e5:peers0:e"));
    assert_eq!(announced(&mut bench).1 - bench.now, secs(900));
    let start = bench.now;
    bench.pass(secs(10));
    bench.ask(Do::More);
    assert_eq!(
        bench.next_timer(),
        Some(start + secs(300)),
        "more peers are asked for, but not before the tracker allows"
    );
    bench.fire();
    let request = exchange(&mut bench, GLOBAL, &good());
    assert!(!request.contains("event="), "{request}");
}

#[test]
fn tiers_are_tried_in_order_and_who_answers_moves_to_the_front() {
    let mut bench = client(&[
        &["http://a.example/announce", "http://b.example/announce"],
        &["http://c.example/announce"],
    ]);
    let order: Vec<String> = bench.machine.announcer.trackers().map(ToString::to_string).collect();
    assert_eq!(order[2], "http://c.example/announce");
    bench.ask(Do::Start);
    for expected in &order[..1] {
        let (conn, _) = dialled(&mut bench, GLOBAL).unwrap();
        bench.give(Input::Stream(conn, StreamInput::Closed(Err(IoError::Refused))));
        let Some(Update::Failed { tracker, why: Failure::Connection(IoError::Refused) }) =
            bench.events().pop()
        else {
            panic!()
        };
        assert_eq!(&*tracker, expected);
    }
    exchange(&mut bench, GLOBAL, &good());
    let Some(Update::Announced { tracker, .. }) = bench.events().pop() else { panic!() };
    assert_eq!(*tracker, *order[1]);
    let now: Vec<String> = bench.machine.announcer.trackers().map(ToString::to_string).collect();
    assert_eq!(now, [order[1].clone(), order[0].clone(), order[2].clone()]);
    // The next announce goes to the one that answered, and is no `started` for it.
    bench.fire();
    let request = exchange(&mut bench, GLOBAL, &good());
    assert!(
        request.contains(&format!("Host: {}", &order[1]["http://".len()..16])) && !request.contains("event=")
    );
}

#[test]
fn tiers_are_shuffled_within_but_not_across() {
    let mut firsts = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let client = Client::new(seed, &[&["udp://a:1", "udp://b:1", "udp://c:1"], &["udp://d:1"]]);
        let order: Vec<String> = client.announcer.trackers().map(ToString::to_string).collect();
        assert_eq!(order[3], "udp://d:1");
        firsts.insert(order[0].clone());
    }
    assert_eq!(firsts.len(), 3);
}

#[test]
fn back_off_doubles_up_to_an_hour() {
    let mut bench = client(&[&["http://t.example/announce"]]);
    bench.ask(Do::Start);
    let mut waits = Vec::new();
    for _ in 0..14 {
        let (conn, _) = dialled(&mut bench, GLOBAL).unwrap();
        bench.give(Input::Stream(conn, StreamInput::Closed(Err(IoError::Refused))));
        assert_eq!(failure(&mut bench), Failure::Connection(IoError::Refused));
        bench.take();
        waits.push(bench.next_timer().unwrap() - bench.now);
        bench.fire();
    }
    for (n, wait) in waits.iter().enumerate() {
        let least = secs((5 << n).min(3600));
        assert!(*wait >= least && *wait <= least + least / 4, "{n}: {wait:?}");
    }
    // An answer makes the count start anew.
    exchange(&mut bench, GLOBAL, &good());
    bench.fire();
    let (conn, _) = dialled(&mut bench, GLOBAL).unwrap();
    bench.give(Input::Stream(conn, StreamInput::Closed(Err(IoError::Refused))));
    bench.take();
    assert!(bench.next_timer().unwrap() - bench.now < secs(7));
}

fn moved(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n").into_bytes()
}

#[test]
fn redirects_are_followed_five_times_at_most() {
    let mut bench = client(&[&["http://t.example/announce"]]);
    bench.ask(Do::Start);
    for n in 0..6 {
        assert!(bench.events.is_empty());
        let request = exchange(&mut bench, GLOBAL, &moved(&format!("/announce/{n}?x")));
        assert_eq!(request.starts_with("GET /announce?info_hash"), n == 0);
    }
    assert_eq!(failure(&mut bench), Failure::Redirects);
}

#[test]
fn redirects_lead_nowhere_they_should_not() {
    for (from, location, to) in [
        ("http://t.example/announce", "http://127.0.0.1/announce", GLOBAL),
        ("http://t.example/announce", "http://inside.example/announce", "10.0.0.1:80"),
        ("http://t.example/announce", "http://inside.example/announce", "[fd00::1]:80"),
        ("http://t.example/announce", "http://[::ffff:127.0.0.1]/announce", GLOBAL),
        ("http://t.example/announce", "file:///etc/passwd", GLOBAL),
        ("http://t.example/announce", "udp://8.8.8.8:53", GLOBAL),
        ("https://t.example/announce", "http://t.example/announce", GLOBAL),
    ] {
        let mut bench = client(&[&[from]]);
        bench.ask(Do::Start);
        exchange(&mut bench, GLOBAL, &moved(location));
        assert_eq!(dialled(&mut bench, to), None, "{location}");
        assert_eq!(failure(&mut bench), Failure::Forbidden, "{location}");
    }
    // Within the own network it may, but only to where trackers are.
    for (location, allowed) in
        [("http://10.0.0.2/announce", true), ("http://10.0.0.2/reboot", false), ("http://8.8.8.8/x", true)]
    {
        let mut bench = client(&[&["http://10.0.0.1/announce"]]);
        bench.ask(Do::Start);
        exchange(&mut bench, GLOBAL, &moved(location));
        assert_eq!(dialled(&mut bench, GLOBAL).is_some(), allowed, "{location}");
    }
}

#[test]
fn urls_of_the_own_network_are_asked_only_where_trackers_are() {
    for (url, resolved, asked) in [
        ("http://127.0.0.1:6969/announce", GLOBAL, true),
        ("http://127.0.0.1:8080/admin?x=announce", GLOBAL, false),
        ("http://rebound.example/admin", "127.0.0.1:80", false),
        ("http://metadata.example/latest/meta-data", "169.254.169.254:80", false),
        ("http://t.example/anything", GLOBAL, true),
        ("file:///etc/passwd", GLOBAL, false),
        ("ws://t.example/announce", GLOBAL, false),
    ] {
        let mut bench = client(&[&[url]]);
        bench.ask(Do::Start);
        assert_eq!(dialled(&mut bench, resolved).is_some(), asked, "{url}");
        if !asked {
            assert!(matches!(failure(&mut bench), Failure::Forbidden | Failure::Url(_)), "{url}");
        }
    }
}

#[test]
fn a_tracker_that_says_never_is_not_asked_again() {
    let mut bench = client(&[&["http://t.example/announce"]]);
    bench.ask(Do::Start);
    exchange(&mut bench, GLOBAL, &answer(b"d14:failure reason4:gone8:retry in5:nevere"));
    assert!(matches!(failure(&mut bench), Failure::Refused { reason, .. } if reason == "gone"));
    assert_eq!(bench.next_timer(), None);
    let mut bench = client(&[&["http://t.example/announce"]]);
    bench.ask(Do::Start);
    exchange(&mut bench, GLOBAL, &answer(b"d14:failure reason4:busy8:retry ini10ee"));
    let wait = bench.next_timer().unwrap() - bench.now;
    assert!((secs(600)..=secs(750)).contains(&wait), "{wait:?}");
}

#[test]
fn started_completed_and_stopped_are_told() {
    let mut bench = client(&[&["http://t.example/announce"]]);
    bench.ask(Do::Start);
    assert!(exchange(&mut bench, GLOBAL, &good()).contains("event=started"));
    bench.machine.totals.left = Some(0);
    bench.ask(Do::Complete);
    let request = exchange(&mut bench, GLOBAL, &good());
    assert!(request.contains("event=completed") && request.contains("left=0"), "{request}");
    bench.events();
    bench.ask(Do::Stop);
    let request = exchange(&mut bench, GLOBAL, &good());
    assert!(request.contains("event=stopped") && request.contains("numwant=0"), "{request}");
    assert_eq!(bench.events(), [Update::Stopped]);
    assert!(bench.machine.announcer.is_idle());
    assert_eq!(bench.next_timer(), None);
    // Who was told nothing is not told good-bye.
    let mut bench = client(&[&["http://t.example/announce"]]);
    bench.ask(Do::Stop);
    assert_eq!(bench.events(), [Update::Stopped]);
    // Nobody waits long for a farewell.
    let mut bench = client(&[&["http://t.example/announce"]]);
    bench.ask(Do::Start);
    exchange(&mut bench, GLOBAL, &good());
    bench.events();
    bench.ask(Do::Stop);
    bench.pass(secs(5));
    assert!(bench.events().contains(&Update::Stopped));
}

#[test]
fn a_silent_tracker_times_out() {
    let mut bench = client(&[&["http://t.example/announce"]]);
    bench.ask(Do::Start);
    let (conn, _) = dialled(&mut bench, GLOBAL).unwrap();
    requested(&mut bench, conn);
    bench.pass(secs(29));
    // A byte now and then does not help.
    data(&mut bench, conn, b"H");
    assert!(bench.events.is_empty());
    bench.pass(secs(1));
    assert_eq!(failure(&mut bench), Failure::TimedOut);
    assert!(matches!(bench.take()[..], [Effect::Abort(_)]));
}

// ---- UDP

fn sent(bench: &mut Bench<Client>) -> (SocketId, SocketAddr, Request) {
    match bench.take().pop() {
        Some(Effect::SendTo(socket, datagram)) => {
            (socket, datagram.peer, Request::decode(&datagram.data).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn reply(bench: &mut Bench<Client>, socket: SocketId, from: SocketAddr, response: &Response) {
    let mut bytes = Vec::new();
    response.encode(from.is_ipv6(), &mut bytes);
    bench.give(Input::Datagram(socket, Datagram::new(from, bytes)));
}

#[test]
fn udp_repeats_after_15_30_60_and_120_seconds_then_asks_the_next() {
    let mut bench = client(&[&["udp://8.8.8.8:6969/announce"], &["udp://9.9.9.9:6969"]]);
    bench.ask(Do::Start);
    let mut transactions = std::collections::BTreeSet::new();
    for wait in [15, 30, 60, 120] {
        let (_, to, Request::Connect { transaction }) = sent(&mut bench) else { panic!() };
        assert_eq!((to.to_string().as_str(), transactions.insert(transaction)), ("8.8.8.8:6969", true));
        assert_eq!(bench.next_timer(), Some(bench.now + secs(wait)));
        bench.fire();
    }
    assert_eq!(failure(&mut bench), Failure::TimedOut);
    let (_, to, Request::Connect { .. }) = sent(&mut bench) else { panic!() };
    assert_eq!(to.to_string(), "9.9.9.9:6969");
}

#[test]
fn udp_connects_announces_and_keeps_its_id_for_a_minute() {
    let mut bench = client(&[&["udp://8.8.8.8:6969/announce?k=1"]]);
    bench.ask(Do::Start);
    let (socket, at, Request::Connect { transaction }) = sent(&mut bench) else { panic!() };
    // Somebody who did not see the request guesses, from elsewhere or with another number.
    reply(
        &mut bench,
        socket,
        "8.8.8.8:6970".parse().unwrap(),
        &Response::Connect { transaction, connection: 6 },
    );
    reply(&mut bench, socket, at, &Response::Connect { transaction: transaction ^ 1, connection: 6 });
    assert!(bench.take().is_empty());
    reply(&mut bench, socket, at, &Response::Connect { transaction, connection: 5 });
    let (_, _, Request::Announce { connection: 5, transaction, announce, url_data }) = sent(&mut bench)
    else {
        panic!()
    };
    assert_eq!(
        (announce.event, announce.left, &url_data[..]),
        (Event::Started, Some(3), &b"/announce?k=1"[..])
    );
    assert_eq!(bench.machine.announcer.pending(), Some(Pending::Transaction(transaction)));
    let peers = vec!["1.2.3.4:5".parse().unwrap()];
    let answer = AnnounceReply {
        interval: Some(70),
        complete: Some(1),
        incomplete: Some(2),
        peers,
        ..AnnounceReply::default()
    };
    reply(&mut bench, socket, at, &Response::Announce { transaction, reply: answer.clone() });
    assert_eq!(announced(&mut bench).0, answer);
    // Within the minute the id serves again; after it a new one is asked for.
    bench.pass(secs(20));
    bench.ask(Do::Scrape);
    let (_, _, Request::Scrape { connection: 5, transaction, .. }) = sent(&mut bench) else { panic!() };
    // The tracker was restarted: one more try with a new id.
    reply(&mut bench, socket, at, &Response::Error { transaction, message: "id?".into() });
    let (_, _, Request::Connect { transaction }) = sent(&mut bench) else { panic!() };
    reply(&mut bench, socket, at, &Response::Connect { transaction, connection: 8 });
    let (_, _, Request::Scrape { connection: 8, transaction, .. }) = sent(&mut bench) else { panic!() };
    reply(&mut bench, socket, at, &Response::Error { transaction, message: "no".into() });
    assert_eq!(failure(&mut bench), Failure::Refused { reason: "no".into(), retry: None });
    bench.pass(secs(50));
    assert!(matches!(sent(&mut bench), (_, _, Request::Connect { .. })));
}

#[test]
fn udp_garbage_is_garbage() {
    let mut bench = client(&[&["udp://8.8.8.8:6969"]]);
    bench.ask(Do::Start);
    let (socket, at, Request::Connect { transaction }) = sent(&mut bench) else { panic!() };
    let mut short = vec![0, 0, 0, 0];
    short.extend_from_slice(&transaction.to_be_bytes());
    bench.give(Input::Datagram(socket, Datagram::new(at, short)));
    assert_eq!(failure(&mut bench), Failure::Garbage);
    assert!(bench.next_timer().unwrap() - bench.now >= secs(1200));
    assert_eq!(udp::transaction_of(&[1, 2, 3]), None);
}

#[test]
fn an_idle_announcer_is_small() {
    let mut bench = client(&[&["http://a.example/announce"], &["udp://b.example:1"], &["udp://c.example:1"]]);
    assert!(bench.machine.announcer.size() <= 300, "{} bytes", bench.machine.announcer.size());
    bench.ask(Do::Start);
    exchange(&mut bench, GLOBAL, &good());
    assert!(bench.machine.announcer.size() <= 300, "{} bytes", bench.machine.announcer.size());
    let many: Vec<String> = (0..10_000).map(|n| format!("udp://t{n}.example:1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(Client::new(1, &[&many]).announcer.trackers().count(), 64);
}

proptest::proptest! {
    #[test]
    fn any_bytes_end_in_an_answer_a_failure_or_a_timeout(
        pieces in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 1..60), 0..8),
        start in 0usize..4,
    ) {
        let starts = [&b""[..], b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 302 x\r\nLocation: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"];
        let mut bench = client(&[&["http://t.example/announce"]]);
        bench.ask(Do::Start);
        let (conn, _) = dialled(&mut bench, GLOBAL).unwrap();
        requested(&mut bench, conn);
        if !starts[start].is_empty() {
            data(&mut bench, conn, starts[start]);
        }
        pieces.iter().for_each(|piece| data(&mut bench, conn, piece));
        bench.give(Input::Stream(conn, StreamInput::Closed(Ok(()))));
        bench.pass(secs(31));
        proptest::prop_assert!(!bench.events().is_empty());
        proptest::prop_assert!(bench.next_timer().is_some());
    }
}
