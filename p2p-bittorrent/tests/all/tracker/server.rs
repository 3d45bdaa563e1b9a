//! The server against clients that the test plays.

use super::bench::{Bench, HASH};
use p2p_bittorrent::tracker::udp::{Request, Response};
use p2p_bittorrent::tracker::{
    Announce, AnnounceReply, Config, Event, Reply, Stats, Tracker, TrackerCommand, TrackerError,
    TrackerEvent, http,
};
use p2p_bittorrent::{InfoHash, PeerId};
use p2p_core::{Bytes, ConnId, Datagram, Duration, Effect, Input, Rng, SocketId, StreamInput};
use std::net::SocketAddr;

type Server = Bench<Tracker>;

fn server(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::default();
    change(&mut config);
    let mut bench = Bench::new(Tracker::new(config));
    let effects = bench.take();
    assert!(matches!(effects[..], [Effect::Listen(..), Effect::Bind(..)]), "{effects:?}");
    bench
}

fn open(bench: &mut Server, peer: &str) -> ConnId {
    let conn = ConnId::from_raw(bench.source.draw());
    bench.give(Input::Stream(conn, StreamInput::Open { peer: peer.parse().unwrap(), listener: None }));
    conn
}

fn send(bench: &mut Server, conn: ConnId, bytes: impl AsRef<[u8]>) {
    bench.give(Input::Stream(conn, StreamInput::Data(Bytes::copy_from_slice(bytes.as_ref()))));
}

/// What was sent on a connection, and whether it was closed then.
fn sent(bench: &mut Server, conn: ConnId) -> (Vec<u8>, bool) {
    let (mut bytes, mut closed) = (Vec::new(), false);
    for effect in bench.take() {
        match effect {
            Effect::Send(to, data) => {
                assert_eq!((to, closed), (conn, false));
                bytes.extend_from_slice(&data);
            }
            Effect::Close(of) | Effect::Abort(of) => {
                assert_eq!(of, conn);
                closed = true;
            }
            other => panic!("{other:?}"),
        }
    }
    (bytes, closed)
}

fn body(response: &[u8]) -> &[u8] {
    let at = response.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    &response[at + 4..]
}

fn get(bench: &mut Server, peer: &str, target: &str) -> Vec<u8> {
    let conn = open(bench, peer);
    send(bench, conn, format!("GET {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
    let (response, closed) = sent(bench, conn);
    assert!(closed);
    response
}

fn target(id: u8, port: u16, more: &str) -> String {
    let hash = "%AA".repeat(20);
    format!("/announce?info_hash={hash}&peer_id={}&port={port}&left=5{more}", format!("%{id:02x}").repeat(20))
}

fn announce(bench: &mut Server, peer: &str, target: &str) -> AnnounceReply {
    let response = get(bench, peer, target);
    match http::decode_announce(body(&response), 200).unwrap() {
        Reply::Announce(reply) => reply,
        Reply::Failure { reason, .. } => panic!("{reason}"),
    }
}

fn refused(bench: &mut Server, peer: &str, target: &str) -> String {
    let response = get(bench, peer, target);
    match http::decode_announce(body(&response), 200).unwrap() {
        Reply::Failure { reason, .. } => reason,
        Reply::Announce(reply) => panic!("{reply:?}"),
    }
}

fn stats(bench: &mut Server) -> Stats {
    bench.events();
    bench.ask(TrackerCommand::Stats);
    assert_eq!(bench.finished.pop(), Some(Ok(())));
    match bench.events().pop() {
        Some(TrackerEvent::Stats(stats)) => stats,
        other => panic!("{other:?}"),
    }
}

#[test]
fn http_peers_find_each_other() {
    let mut bench = server(|_| {});
    let first = announce(&mut bench, "1.0.0.1:50000", &target(1, 6001, "&event=started"));
    assert_eq!((first.peers.len(), first.incomplete, first.complete), (0, Some(1), Some(0)));
    assert_eq!((first.interval, first.min_interval), (Some(1800), Some(60)));
    assert_eq!(first.external_ip, Some([1, 0, 0, 1].into()));
    let second = announce(&mut bench, "1.0.0.2:50000", &target(2, 6002, "&left=0"));
    assert_eq!((second.peers, second.complete), (vec!["1.0.0.1:6001".parse().unwrap()], Some(1)));
    announce(&mut bench, "[2001:470::3]:50000", &target(3, 6003, ""));
    let reply = announce(&mut bench, "1.0.0.1:50000", &target(1, 6001, ""));
    assert_eq!(reply.peers, ["1.0.0.2:6002".parse().unwrap(), "[2001:470::3]:6003".parse().unwrap()]);
    // A seed has no use for seeds.
    let reply = announce(&mut bench, "1.0.0.4:50000", &target(4, 6004, "&left=0"));
    assert!(!reply.peers.contains(&"1.0.0.2:6002".parse().unwrap()) && reply.peers.len() == 2);
    let gone = announce(&mut bench, "1.0.0.1:50000", &target(1, 6001, "&event=stopped"));
    assert_eq!((gone.peers.len(), gone.incomplete), (0, Some(1)));
    assert_eq!(announce(&mut bench, "1.0.0.2:50000", &target(2, 6002, "&numwant=0")).peers.len(), 0);
}

#[test]
fn dictionaries_with_and_without_peer_ids() {
    let mut bench = server(|_| {});
    announce(&mut bench, "1.0.0.1:50000", &target(b'x', 6001, ""));
    let full = get(&mut bench, "1.0.0.2:50000", &target(2, 6002, "&compact=0"));
    let text = String::from_utf8_lossy(body(&full)).into_owned();
    assert!(text.contains("5:peersld2:ip7:1.0.0.17:peer id20:xxxxxxxxxxxxxxxxxxxx4:porti6001eee"), "{text}");
    let bare = get(&mut bench, "1.0.0.2:50000", &target(2, 6002, "&compact=0&no_peer_id=1"));
    assert!(String::from_utf8_lossy(&bare).contains("5:peersld2:ip7:1.0.0.14:porti6001eee"));
    assert_eq!(announce(&mut bench, "1.0.0.2:50000", &target(2, 6002, "&compact=0")).peers.len(), 1);
}

#[test]
fn bad_requests_get_a_bencoded_400() {
    let mut bench = server(|_| {});
    for (path, reason) in [
        ("/announce", "missing info_hash"),
        ("/announce?info_hash=abc", "invalid info_hash"),
        (
            "/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb&port=1",
            "invalid peer_id",
        ),
        ("/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb", "missing port"),
        ("/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=99999", "invalid port"),
        ("/scrape", "missing info_hash"),
    ] {
        let response = get(&mut bench, "1.0.0.1:5", path);
        assert!(response.starts_with(b"HTTP/1.1 400 Bad Request\r\n"), "{path}");
        assert_eq!(
            http::decode_announce(body(&response), 1).unwrap(),
            Reply::Failure { reason: reason.into(), retry: None }
        );
    }
    assert!(get(&mut bench, "1.0.0.1:5", "/").starts_with(b"HTTP/1.1 404 "));
    for junk in [
        "POST /announce HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
        "\x16\x03\x01\x00",
        "GET /\0 x\r\n\r\n",
    ] {
        let conn = open(&mut bench, "1.0.0.1:5");
        send(&mut bench, conn, junk);
        let (response, closed) = sent(&mut bench, conn);
        assert!(response.starts_with(b"HTTP/1.1 400 ") && closed, "{junk:?}");
    }
    let stats = stats(&mut bench);
    assert_eq!((stats.malformed, stats.connections, stats.torrents), (11, 0, 0));
}

#[test]
fn percent_25_is_one_percent_sign() {
    let mut bench = server(|_| {});
    let path = "/announce?info_hash=%25%41aaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=7";
    announce(&mut bench, "1.0.0.1:5", path);
    let scraped = get(&mut bench, "1.0.0.1:5", "/scrape?info_hash=%25Aaaaaaaaaaaaaaaaaaa");
    let mut text = b"d5:filesd20:%Aaaaaaaaaaaaaaaaaaad8:complete".to_vec();
    text.extend_from_slice(b"i0e10:downloadedi0e10:incompletei1eeee");
    assert_eq!(body(&scraped), text);
}

#[test]
fn requests_are_kept_alive_and_pipelined_and_may_come_in_pieces() {
    let mut bench = server(|_| {});
    let conn = open(&mut bench, "1.0.0.1:5");
    let one = format!("GET {} HTTP/1.1\r\nHost: t\r\n\r\n", target(1, 6001, ""));
    send(&mut bench, conn, one.repeat(3) + &one[..20]);
    let (responses, closed) = sent(&mut bench, conn);
    assert_eq!((String::from_utf8_lossy(&responses).matches("HTTP/1.1 200 OK").count(), closed), (3, false));
    for byte in one[20..].bytes() {
        send(&mut bench, conn, [byte]);
    }
    assert_eq!(String::from_utf8_lossy(&sent(&mut bench, conn).0).matches("HTTP/1.1 200 OK").count(), 1);
    // A client that does not read is not read from, and is answered when it reads again.
    bench.give(Input::Stream(conn, StreamInput::Full));
    assert!(matches!(bench.take()[..], [Effect::Pause(_, true)]));
    send(&mut bench, conn, &one);
    assert!(bench.take().is_empty());
    bench.give(Input::Stream(conn, StreamInput::Ready));
    assert!(matches!(bench.take()[..], [Effect::Pause(_, false), Effect::Send(..)]));
    // HTTP/1.0 closes unless it asks not to.
    send(&mut bench, conn, "GET /scrape HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let (response, closed) = sent(&mut bench, conn);
    assert!(String::from_utf8_lossy(&response).contains("Connection: keep-alive") && !closed);
    send(&mut bench, conn, "GET /scrape HTTP/1.0\r\n\r\n");
    assert!(sent(&mut bench, conn).1);
    assert!(bench.next_timer().is_some());
}

#[test]
fn whoever_dribbles_is_cut_off_after_ten_seconds() {
    let mut bench = server(|_| {});
    let conn = open(&mut bench, "1.0.0.1:5");
    for _ in 0..9 {
        bench.pass(Duration::from_secs(1));
        send(&mut bench, conn, "G");
        assert!(bench.take().is_empty());
    }
    bench.pass(Duration::from_secs(1));
    assert!(matches!(bench.take()[..], [Effect::Abort(of)] if of == conn));
    let conn = open(&mut bench, "1.0.0.1:5");
    send(&mut bench, conn, vec![b'x'; 9_000]);
    assert!(sent(&mut bench, conn).1, "an endless head");
    assert_eq!(stats(&mut bench).connections, 0);
}

#[test]
fn connections_are_bounded_in_all_and_per_address() {
    let mut bench = server(|config| {
        config.limits.connections = 5;
        config.limits.connections_per_address = 2;
    });
    let first = open(&mut bench, "1.0.0.1:1");
    open(&mut bench, "1.0.0.1:2");
    open(&mut bench, "1.0.0.1:3");
    assert!(matches!(bench.take()[..], [Effect::Abort(_)]));
    for n in 2..5 {
        open(&mut bench, &format!("1.0.0.{n}:1"));
    }
    assert!(bench.take().is_empty());
    open(&mut bench, "1.0.0.9:1");
    assert!(matches!(bench.take()[..], [Effect::Abort(_)]));
    bench.give(Input::Stream(first, StreamInput::Closed(Ok(()))));
    open(&mut bench, "1.0.0.1:4");
    assert!(bench.take().is_empty());
    assert_eq!(stats(&mut bench).throttled, 2);
}

#[test]
fn peers_are_forgotten_after_two_intervals() {
    let mut bench = server(|_| {});
    announce(&mut bench, "1.0.0.1:5", &target(1, 6001, ""));
    bench.pass(Duration::from_secs(1800));
    announce(&mut bench, "1.0.0.2:5", &target(2, 6002, ""));
    bench.pass(Duration::from_secs(1790));
    assert_eq!(stats(&mut bench).peers, 2);
    bench.pass(Duration::from_secs(400));
    assert_eq!(stats(&mut bench).peers, 1);
    bench.pass(Duration::from_secs(1800));
    assert_eq!((stats(&mut bench).peers, stats(&mut bench).torrents), (0, 0));
}

#[test]
fn the_whitelist_serves_what_is_on_it() {
    let mut bench = server(|config| {
        config.whitelist = true;
        config.limits.whitelist = 1;
    });
    assert_eq!(refused(&mut bench, "1.0.0.1:5", &target(1, 6001, "")), "unregistered torrent");
    bench.ask(TrackerCommand::Allow(HASH));
    announce(&mut bench, "1.0.0.1:5", &target(1, 6001, ""));
    bench.ask(TrackerCommand::Allow(InfoHash([1; 20])));
    assert_eq!(bench.finished.pop(), Some(Err(TrackerError::WhitelistFull)));
    bench.ask(TrackerCommand::Disallow(HASH));
    let stats = stats(&mut bench);
    assert_eq!((stats.peers, stats.refused, stats.announces), (0, 1, 1));
    assert_eq!(refused(&mut bench, "1.0.0.1:5", &target(1, 6001, "")), "unregistered torrent");
    bench.ask(TrackerCommand::Whitelist(false));
    announce(&mut bench, "1.0.0.1:5", &target(1, 6001, ""));
}

#[test]
fn an_address_has_so_many_requests() {
    let mut bench = server(|config| {
        config.limits.burst = 3;
        config.limits.rate = 1;
    });
    (0..3).for_each(|n| drop(announce(&mut bench, "1.0.0.1:5", &target(n, 6001, ""))));
    assert!(refused(&mut bench, "1.0.0.1:5", &target(1, 6001, "")).contains("too many requests"));
    announce(&mut bench, "1.0.0.2:5", &target(1, 6001, ""));
    // Addresses of one IPv6 customer share.
    (0..3).for_each(|n| drop(announce(&mut bench, &format!("[2001:470::{n}]:5"), &target(n, 6001, ""))));
    refused(&mut bench, "[2001:470::9]:5", &target(1, 6001, ""));
    bench.pass(Duration::from_secs(1));
    announce(&mut bench, "1.0.0.1:5", &target(1, 6001, ""));
    assert_eq!(stats(&mut bench).throttled, 2);
}

#[test]
fn who_accepts_no_peers_is_not_named() {
    let mut bench = server(|_| {});
    announce(&mut bench, "1.0.0.1:5", &target(1, 0, ""));
    assert_eq!(announce(&mut bench, "1.0.0.2:5", &target(2, 6002, "")).peers, []);
}

#[test]
fn nobody_announces_for_others() {
    let victim = &target(1, 80, "&ip=9.9.9.9");
    for (trust, client, expected) in [
        (false, "1.0.0.1:5", "1.0.0.1:80"),
        (true, "1.0.0.1:5", "1.0.0.1:80"),
        (false, "192.168.0.7:5", "192.168.0.7:80"),
        (true, "192.168.0.7:5", "9.9.9.9:80"),
    ] {
        let mut bench = server(|config| config.trust_local_ip = trust);
        announce(&mut bench, client, victim);
        assert_eq!(
            announce(&mut bench, "1.0.0.2:5", &target(2, 6002, "")).peers,
            [expected.parse().unwrap()]
        );
    }
}

// ---- UDP

const SOCKET: SocketId = SocketId::from_raw(99);

fn udp(bench: &mut Server, peer: &str, request: &Request) -> Option<Response> {
    let mut bytes = Vec::new();
    request.encode(&mut bytes);
    raw_udp(bench, peer, &bytes)
}

fn raw_udp(bench: &mut Server, peer: &str, bytes: &[u8]) -> Option<Response> {
    let peer: SocketAddr = peer.parse().unwrap();
    bench.give(Input::Datagram(SOCKET, Datagram::new(peer, Bytes::copy_from_slice(bytes))));
    bench.take().pop().map(|effect| {
        let Effect::SendTo(SOCKET, datagram) = effect else { panic!("{effect:?}") };
        assert_eq!(datagram.peer, peer);
        Response::decode(&datagram.data, peer.is_ipv6(), 500).unwrap()
    })
}

fn connect(bench: &mut Server, peer: &str) -> u64 {
    match udp(bench, peer, &Request::Connect { transaction: 1 }) {
        Some(Response::Connect { transaction: 1, connection }) => connection,
        other => panic!("{other:?}"),
    }
}

fn udp_announce(connection: u64, id: u8, want: Option<u32>) -> Request {
    let announce = Announce {
        want,
        left: Some(9),
        event: Event::Started,
        ..Announce::new(HASH, PeerId([id; 20]), 6_000 + u16::from(id))
    };
    Request::Announce { connection, transaction: 2, announce, url_data: b"/announce".to_vec() }
}

#[test]
fn udp_peers_find_each_other_within_their_family() {
    let mut bench = server(|_| {});
    for n in 1..4u8 {
        let peer = format!("1.0.0.{n}:50");
        let id = connect(&mut bench, &peer);
        let Some(Response::Announce { transaction: 2, reply }) =
            udp(&mut bench, &peer, &udp_announce(id, n, None))
        else {
            panic!()
        };
        assert_eq!(
            (reply.interval, reply.incomplete, reply.peers.len()),
            (Some(1800), Some(n.into()), usize::from(n) - 1)
        );
    }
    let id = connect(&mut bench, "[2001:470::1]:50");
    let Some(Response::Announce { reply, .. }) =
        udp(&mut bench, "[2001:470::1]:50", &udp_announce(id, 4, None))
    else {
        panic!()
    };
    assert_eq!((reply.incomplete, reply.peers.len()), (Some(4), 0));
    let id = connect(&mut bench, "[2001:470::2]:50");
    let Some(Response::Announce { reply, .. }) =
        udp(&mut bench, "[2001:470::2]:50", &udp_announce(id, 5, None))
    else {
        panic!()
    };
    assert_eq!(reply.peers, ["[2001:470::1]:6004".parse().unwrap()]);
    let scrape = Request::Scrape { connection: id, transaction: 3, hashes: vec![InfoHash([1; 20]), HASH] };
    let Some(Response::Scrape { counts, .. }) = udp(&mut bench, "[2001:470::2]:50", &scrape) else {
        panic!()
    };
    assert_eq!((counts[0].incomplete, counts[1].incomplete), (0, 5));
}

#[test]
fn a_connection_id_cannot_be_guessed_stolen_or_kept() {
    let mut bench = server(|_| {});
    let id = connect(&mut bench, "1.0.0.1:50");
    let bad = |bench: &mut Server, peer: &str, id: u64| {
        let answer = udp(bench, peer, &udp_announce(id, 1, None));
        assert!(matches!(answer, Some(Response::Error { .. })), "{answer:?}");
    };
    bad(&mut bench, "1.0.0.2:50", id);
    let mut rng = Rng::fast_from(3);
    for guess in
        (0..500).map(|_| rng.bits()).chain([0, 1, u64::MAX, id ^ 1, id.swap_bytes(), 0x0417_2710_1980])
    {
        bad(&mut bench, "1.0.0.1:50", guess);
    }
    assert_eq!(stats(&mut bench).peers, 0);
    let good = |bench: &mut Server, id| {
        let answer = udp(bench, "1.0.0.1:51", &udp_announce(id, 1, None));
        assert!(matches!(answer, Some(Response::Announce { .. })), "{answer:?}");
    };
    // Another port may be a router's doing.
    good(&mut bench, id);
    bench.pass(Duration::from_secs(119));
    good(&mut bench, id);
    bench.pass(Duration::from_secs(125));
    bad(&mut bench, "1.0.0.1:50", id);
    // Another tracker's key is another.
    let mut other = Bench::new(Tracker::new(Config::default()));
    other.source.rng = Rng::fast_from(8);
    other.give(Input::Start);
    other.take();
    let there = connect(&mut other, "1.0.0.1:50");
    assert_ne!(there, connect(&mut bench, "1.0.0.1:50"));
}

#[test]
fn nothing_is_amplified_before_an_address_is_known() {
    let mut bench = server(|_| {});
    let requests = [
        Request::Connect { transaction: 1 },
        udp_announce(7, 1, Some(200)),
        Request::Scrape { connection: 7, transaction: 1, hashes: vec![HASH] },
    ];
    for request in requests {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        for cut in 0..=bytes.len() {
            bench.give(Input::Datagram(
                SOCKET,
                Datagram::new("1.0.0.1:53".parse().unwrap(), Bytes::copy_from_slice(&bytes[..cut])),
            ));
            for effect in bench.take() {
                let Effect::SendTo(_, answer) = effect else { panic!("{effect:?}") };
                assert!(answer.data.len() <= cut, "{} bytes for {cut}", answer.data.len());
            }
        }
    }
}

#[test]
fn a_large_swarm_fits_into_a_datagram() {
    let mut bench = server(|_| {});
    for n in 0..300u16 {
        let addr = format!("1.0.{}.{}:50", n / 250, n % 250);
        let id = connect(&mut bench, &addr);
        udp(&mut bench, &addr, &udp_announce(id, 1, None));
        let addr = format!("[2001:470:{n:x}::1]:50");
        let id = connect(&mut bench, &addr);
        udp(&mut bench, &addr, &udp_announce(id, 1, None));
    }
    let mut asked = |peer: &str, want| {
        let id = connect(&mut bench, peer);
        let mut bytes = Vec::new();
        udp_announce(id, 2, want).encode(&mut bytes);
        bench.give(Input::Datagram(SOCKET, Datagram::new(peer.parse().unwrap(), bytes)));
        let Some(Effect::SendTo(_, answer)) = bench.take().pop() else { panic!() };
        assert!(answer.data.len() <= 1_400);
        let unique: std::collections::BTreeSet<_> = match peer.starts_with('[') {
            true => answer.data[20..].chunks(18).map(<[u8]>::to_vec).collect(),
            false => answer.data[20..].chunks(6).map(<[u8]>::to_vec).collect(),
        };
        unique.len()
    };
    assert_eq!(asked("9.0.0.1:50", None), 50);
    assert_eq!(asked("9.0.0.1:50", Some(u32::MAX >> 1)), 200);
    assert_eq!(asked("9.0.0.1:50", Some(0)), 0);
    assert_eq!(asked("[2001:471::1]:50", Some(1_000)), 76);
}

#[test]
fn connect_requests_cost_a_spoofed_victim_nothing() {
    let mut bench = server(|config| {
        config.limits.burst = 2;
        config.limits.rate = 1;
    });
    for _ in 0..1_000 {
        connect(&mut bench, "1.0.0.1:50");
    }
    announce(&mut bench, "1.0.0.1:5", &target(1, 6001, ""));
    let id = connect(&mut bench, "1.0.0.1:50");
    assert!(udp(&mut bench, "1.0.0.1:50", &udp_announce(id, 1, None)).is_some());
    assert_eq!(udp(&mut bench, "1.0.0.1:50", &udp_announce(id, 1, None)), None, "over its rate");
    assert_eq!(stats(&mut bench).throttled, 1);
}

#[test]
fn sockets_are_told_and_stopping_halts() {
    let mut bench = server(|_| {});
    let at: SocketAddr = "127.0.0.1:6969".parse().unwrap();
    bench.give(Input::Bound(SOCKET, Ok(at)));
    bench.give(Input::Bound(SOCKET, Err(p2p_core::IoError::InUse)));
    assert_eq!(bench.events(), [TrackerEvent::Udp(at), TrackerEvent::Down(p2p_core::IoError::InUse)]);
    bench.give(Input::Stop);
    assert!(matches!(bench.take()[..], [Effect::Halt]));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_answered_or_dropped(
        pieces in proptest::collection::vec((proptest::prelude::any::<bool>(), proptest::collection::vec(proptest::prelude::any::<u8>(), 1..150)), 1..10),
        heads in proptest::collection::vec("(GET|POST|) ?/(announce|scrape|)[?&=%a-f0-9]{0,40} HTTP/1.[01]\r\n(Host: x\r\n)?\r\n", 0..4),
    ) {
        let mut bench = server(|_| {});
        let id = connect(&mut bench, "1.0.0.1:50");
        let mut conn = open(&mut bench, "1.0.0.1:5");
        let texts = heads.into_iter().map(|head| (true, head.into_bytes()));
        for (stream, bytes) in pieces.into_iter().chain(texts) {
            if stream {
                send(&mut bench, conn, &bytes);
                if bench.take().iter().any(|effect| matches!(effect, Effect::Close(_) | Effect::Abort(_))) {
                    conn = open(&mut bench, "1.0.0.1:5");
                }
            } else {
                let led = [&id.to_be_bytes()[..], &[0, 0, 0, bytes[0] % 4], &bytes].concat();
                raw_udp(&mut bench, "1.0.0.1:50", &led);
            }
        }
        proptest::prop_assert!(stats(&mut bench).connections <= 1);
    }
}
