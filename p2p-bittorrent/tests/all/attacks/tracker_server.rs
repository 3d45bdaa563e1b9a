//! Floods at a tracker: hashes without number, scrapes without end, requests that are none, addresses that are not.

use super::rig::Rig;
use p2p_bittorrent::tracker::udp::{Request, Response};
use p2p_bittorrent::tracker::{Announce, Config, Stats, Tracker, TrackerCommand, TrackerEvent};
use p2p_bittorrent::{InfoHash, PeerId};
use p2p_core::{Datagram, Duration, Input, SocketId};
use std::net::SocketAddr;

fn tracker(change: impl FnOnce(&mut Config)) -> (Rig<Tracker>, SocketId) {
    let mut config = Config::default();
    change(&mut config);
    let mut rig = Rig::new(Tracker::new(config), 1);
    rig.settle_sockets(true);
    let socket = *rig.sockets.keys().next().unwrap();
    (rig, socket)
}

fn hash(n: u32) -> InfoHash {
    let mut hash = [7; 20];
    hash[..4].copy_from_slice(&n.to_be_bytes());
    InfoHash(hash)
}

/// Asks over UDP: the bytes asked and the answer's.
fn ask(
    rig: &mut Rig<Tracker>,
    socket: SocketId,
    from: SocketAddr,
    request: &Request,
) -> (usize, Option<Vec<u8>>) {
    let mut out = bytes::BytesMut::new();
    request.encode(&mut out);
    let len = out.len();
    rig.datagrams.clear();
    rig.give(Input::Datagram(socket, Datagram::new(from, out.freeze())));
    (len, rig.datagrams.pop().map(|(_, answer)| answer.data.to_vec()))
}

fn connection(rig: &mut Rig<Tracker>, socket: SocketId, from: SocketAddr) -> u64 {
    let (_, answer) = ask(rig, socket, from, &Request::Connect { transaction: 1 });
    match Response::decode(&answer.unwrap(), false, 1) {
        Ok(Response::Connect { connection, .. }) => connection,
        other => panic!("{other:?}"),
    }
}

fn announce(connection: u64, hash: InfoHash, port: u16) -> Request {
    let announce = Announce { left: Some(1), ..Announce::new(hash, PeerId([3; 20]), port) };
    Request::Announce { connection, transaction: 5, announce, url_data: Vec::new() }
}

/// What the tracker holds, from its own figures.
fn stats(rig: &Rig<Tracker>) -> Stats {
    rig.machine.inner().counts()
}

#[test]
fn a_hundred_thousand_torrents_announced_by_one_address() {
    let (mut rig, socket) = tracker(|config| config.limits.torrents = 20_000);
    let from = SocketAddr::from(([1, 2, 3, 4], 5));
    let id = connection(&mut rig, socket, from);
    let mut answered = 0;
    for n in 0..100_000 {
        answered += usize::from(ask(&mut rig, socket, from, &announce(id, hash(n), 6881)).1.is_some());
    }
    let limits = Config::default().limits;
    assert_eq!(answered as u64, limits.burst, "its burst, then silence");
    assert_eq!(stats(&rig).torrents, limits.burst);
    // A thousand addresses do it together: the limit of torrents holds.
    for host in 0..1_000u32 {
        let from = SocketAddr::from(([2, 3, (host >> 8) as u8, host as u8], 5));
        let id = connection(&mut rig, socket, from);
        for n in 0..50 {
            ask(&mut rig, socket, from, &announce(id, hash(1 << 20 | host << 8 | n), 6881));
        }
    }
    let stats = stats(&rig);
    assert!(stats.torrents <= 20_000 && stats.evicted > 0, "{stats:?}");
    assert!(stats.memory < 20_000 * 400, "{stats:?}");
    // And an honest peer is served.
    let honest = SocketAddr::from(([9, 9, 9, 9], 5));
    let id = connection(&mut rig, socket, honest);
    assert!(ask(&mut rig, socket, honest, &announce(id, hash(3), 6881)).1.is_some());
}

#[test]
fn a_flood_from_one_address_leaves_others_alone() {
    let (mut rig, socket) = tracker(|_| {});
    let from = SocketAddr::from(([1, 2, 3, 4], 5));
    let id = connection(&mut rig, socket, from);
    let mut answered = 0;
    for _ in 0..10 {
        for _ in 0..2_000 {
            answered += u64::from(ask(&mut rig, socket, from, &announce(id, hash(1), 6881)).1.is_some());
        }
        rig.now += Duration::from_secs(1);
    }
    let limits = Config::default().limits;
    assert!(answered <= limits.burst + 10 * limits.rate, "{answered}");
    let other = SocketAddr::from(([1, 2, 3, 5], 5));
    let id = connection(&mut rig, socket, other);
    assert!(ask(&mut rig, socket, other, &announce(id, hash(1), 6881)).1.is_some());
}

#[test]
fn connection_ids_that_were_guessed_or_given_to_another() {
    let (mut rig, socket) = tracker(|_| {});
    let from = SocketAddr::from(([1, 2, 3, 4], 5));
    let id = connection(&mut rig, socket, from);
    let victim = SocketAddr::from(([6, 6, 6, 6], 5));
    for n in 0..2_000u64 {
        let (asked, answer) = ask(&mut rig, socket, victim, &announce(id.wrapping_add(n), hash(1), 80));
        let answer = answer.unwrap_or_default();
        assert!(answer.len() <= asked, "an answer to an address that is not proven is never longer");
        assert!(answer.is_empty() || answer[3] == 3, "and no answer but an error");
    }
    assert_eq!(stats(&rig).peers, 0, "nobody is announced in another's name");
}

#[test]
fn nothing_is_amplified_for_an_address_that_is_not_proven() {
    let (mut rig, socket) = tracker(|_| {});
    let from = SocketAddr::from(([1, 2, 3, 4], 5));
    let id = connection(&mut rig, socket, from);
    (0..100).for_each(|n| drop(ask(&mut rig, socket, from, &announce(id, hash(n), 6881))));
    let victim = SocketAddr::from(([6, 6, 6, 6], 5));
    let mut requests = vec![Request::Connect { transaction: 9 }];
    for count in [0, 1, 2, 70, 74, 200] {
        let hashes = (0..count).map(hash).collect();
        requests.push(Request::Scrape { connection: 1, transaction: 9, hashes });
    }
    requests.push(announce(1, hash(1), 6881));
    for request in requests {
        let (asked, answer) = ask(&mut rig, socket, victim, &request);
        assert!(answer.as_ref().is_none_or(|answer| answer.len() <= asked), "{request:?}");
    }
    // Nor for what is no request at all.
    for len in 0..200 {
        rig.datagrams.clear();
        rig.give(Input::Datagram(socket, Datagram::new(victim, vec![0; len])));
        assert!(rig.datagrams.iter().all(|(_, answer)| answer.data.len() <= len));
    }
}

#[test]
fn a_scrape_of_thousands_of_hashes() {
    let (mut rig, socket) = tracker(|_| {});
    let from = SocketAddr::from(([1, 2, 3, 4], 5));
    let id = connection(&mut rig, socket, from);
    let hashes: Vec<InfoHash> = (0..3_000).map(hash).collect();
    let (_, answer) =
        ask(&mut rig, socket, from, &Request::Scrape { connection: id, transaction: 9, hashes });
    assert!(answer.is_none_or(|answer| answer.len() <= 8 + 74 * 12), "as many as BEP 15 lets one ask for");
    // Over HTTP a head of so many does not fit.
    let conn = rig.accept(from).unwrap();
    let query: String = (0..3_000)
        .map(|n| format!("info_hash={}&", "%07".repeat(19) + &format!("%{:02x}", n % 256)))
        .collect();
    let request = format!("GET /scrape?{query} HTTP/1.1\r\n\r\n");
    for part in request.as_bytes().chunks(4_000) {
        rig.data(conn, part.to_vec());
    }
    assert!(!rig.streams.contains_key(&conn), "who sends a head without end is let go");
}

#[test]
fn requests_that_are_none_over_http() {
    let (mut rig, _) = tracker(|_| {});
    for (n, bytes) in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..],
        b"GET\r\n\r\n",
        b"GET /announce HTTP/9.9\r\n\r\n",
        b"GET /announce HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /announce HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"PUT /announce HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\r\n\r\nx\r\n\r\n",
        &[0; 3_000],
    ]
    .iter()
    .enumerate()
    {
        let conn = rig.accept(SocketAddr::from(([1, 2, 3, n as u8], 5))).unwrap();
        rig.data(conn, bytes.to_vec());
        // Answered and closed, or cut off when its time is over.
        rig.now += Duration::from_secs(11);
        rig.fire();
        assert!(!rig.streams.contains_key(&conn), "{n}");
    }
    assert!(stats(&rig).connections == 0 && stats(&rig).peers == 0);
}

#[test]
fn slow_requests_from_everywhere_are_bounded_and_end() {
    let (mut rig, _) = tracker(|config| config.limits.connections = 50);
    for n in 0..500u32 {
        let from = SocketAddr::from(([1, 2, (n >> 8) as u8, n as u8], 5));
        if let Some(conn) = rig.accept(from) {
            rig.data(conn, &b"GET /ann"[..]);
        }
    }
    assert_eq!(rig.streams.len(), 50);
    for _ in 0..12 {
        rig.now += Duration::from_secs(1);
        rig.fire();
        // A byte now and then does not buy more time.
        let conns: Vec<_> = rig.streams.keys().copied().collect();
        conns.into_iter().for_each(|conn| rig.data(conn, &b"o"[..]));
    }
    assert!(rig.streams.is_empty());
}

#[test]
fn peers_with_port_0_and_addresses_that_nobody_has() {
    let (mut rig, socket) = tracker(|_| {});
    for ip in [[1, 2, 3, 4], [0, 0, 0, 0], [255, 255, 255, 255], [224, 0, 0, 1]] {
        let from = SocketAddr::from((ip, 5));
        let id = connection(&mut rig, socket, from);
        ask(&mut rig, socket, from, &announce(id, hash(1), 0));
    }
    let asker = SocketAddr::from(([8, 8, 8, 8], 5));
    let id = connection(&mut rig, socket, asker);
    let (_, answer) = ask(&mut rig, socket, asker, &announce(id, hash(1), 6881));
    let Ok(Response::Announce { reply, .. }) = Response::decode(&answer.unwrap(), false, 100) else {
        panic!()
    };
    assert_eq!(reply.peers, []);
    // The command works beside all of it.
    rig.ask(TrackerCommand::Stats);
    assert!(rig.ops.is_empty() && !rig.news.contains(&TrackerEvent::Down(p2p_core::IoError::Other)));
}
