//! Trackers that mean harm, and a client that asks them: what they say is bounded, believed for what it is, and does
//! not keep the client from its other peers.

use super::rig::Rig;
use super::scene::{torrent, within};
use p2p_bittorrent::metainfo::{Builder, Details};
use p2p_bittorrent::tracker::AnnounceReply;
use p2p_bittorrent::tracker::udp::Response;
use p2p_bittorrent::{Client, Command, Config, Event, Metainfo, Timer, Torrent};
use p2p_core::hash::{Hasher, Sha1};
use p2p_core::{ConnId, Datagram, Duration, Input, IoError};
use std::net::SocketAddr;
use std::sync::Arc;

const TRACKER: &str = "10.0.0.7:80";

/// A torrent with this tracker.
fn tracked(url: &str) -> Arc<Metainfo> {
    let (_, content) = torrent();
    let mut builder = Builder::folder(
        "attacked",
        vec![(vec!["one.bin".to_owned()], content.len() as u64)],
        Some(64 * 1024),
    )
    .unwrap();
    for (piece, data) in (0u32..).zip(content.chunks(64 * 1024)) {
        builder.set(piece, Sha1::digest(data)).unwrap();
    }
    let details = Details { announce: vec![vec![url.to_owned()]], ..Details::default() };
    let file = builder.finish(&details).unwrap();
    Arc::new(Metainfo::parse(&file, &p2p_bittorrent::metainfo::Limits::default()).unwrap())
}

/// A client that fetches a torrent with this tracker; the stream to it, if it is one over HTTP.
fn client(url: &str) -> (Rig<Client>, Option<ConnId>) {
    let mut config = Config::default();
    config.state = None;
    let mut rig = Rig::new(Client::new(config), 1);
    rig.settle_sockets(true);
    rig.ask(Command::Download(Box::new(Torrent::new(tracked(url)))));
    rig.drain();
    rig.settle_sockets(true);
    let conn = rig.streams.keys().next().copied();
    if let Some(conn) = conn {
        rig.opened(conn, TRACKER.parse().unwrap());
    }
    (rig, conn)
}

fn over_http(answer: &[u8]) -> Rig<Client> {
    let (mut rig, conn) = client("http://10.0.0.7/announce");
    let conn = conn.expect("it dials the tracker");
    // As a driver reads it: in parts.
    for part in answer.chunks(60_000) {
        if rig.streams.contains_key(&conn) {
            rig.data(conn, part.to_vec());
        }
        within(&rig.machine.inner().load(), &Config::default().limits);
    }
    if rig.streams.contains_key(&conn) && !answer.is_empty() {
        rig.closed(conn, Ok(()));
    }
    rig
}

fn ok(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn said(rig: &Rig<Client>) -> Vec<Result<u32, String>> {
    rig.news
        .iter()
        .filter_map(|event| match event {
            Event::Announced { result, .. } => Some(result.clone()),
            _ => None,
        })
        .collect()
}

/// When the tracker is asked again.
fn next(rig: &Rig<Client>) -> Duration {
    let (_, at) = rig.timers.iter().find(|(timer, _)| matches!(timer, Timer::Announce(_))).unwrap();
    at.since(rig.now)
}

#[test]
fn a_tracker_that_answers_a_million_peers() {
    let mut body = b"d8:intervali1800e5:peers6000000:".to_vec();
    body.extend((0..1_000_000u32).flat_map(|n| [11, (n >> 16) as u8, (n >> 8) as u8, n as u8, 26, 225]));
    body.push(b'e');
    let rig = over_http(&ok(&body));
    assert_eq!(rig.machine.inner().load().candidates, 0, "past a MiB it is no answer");
    assert!(said(&rig)[0].is_err());
    // As many as fit.
    let mut body = b"d8:intervali1800e5:peers900000:".to_vec();
    body.extend((0..150_000u32).flat_map(|n| [11, (n >> 16) as u8, (n >> 8) as u8, n as u8, 26, 225]));
    body.push(b'e');
    let rig = over_http(&ok(&body));
    assert_eq!(said(&rig), [Ok(200)]);
    let load = rig.machine.inner().load();
    assert_eq!((load.candidates, load.streams), (200, Config::default().limits.dials_per_torrent));
}

#[test]
fn a_tracker_that_names_a_victim_a_thousand_times() {
    // All ports of one address: it is dialled, but only so often at a time, and no peer of it gets more places.
    let mut body = b"d8:intervali1800e5:peers1200:".to_vec();
    body.extend((1..=200u32).flat_map(|n| [11, 0, 0, 1, 0, n as u8]));
    body.push(b'e');
    let mut rig = over_http(&ok(&body));
    let mut dials = 0;
    for _ in 0..60 {
        let dialled: Vec<ConnId> =
            rig.streams.iter().filter(|(_, stream)| !stream.open).map(|(conn, _)| *conn).collect();
        // One more is the tracker.
        assert!(dialled.len() <= Config::default().limits.dials_per_torrent + 1);
        dials += dialled.len();
        dialled.into_iter().for_each(|conn| rig.closed(conn, Err(IoError::Refused)));
        rig.now += Duration::from_secs(60);
        rig.fire();
    }
    assert!(dials <= 3 * 200, "three times an hour each: {dials}");
}

#[test]
fn trackers_that_answer_garbage_without_end_or_with_huge_heads() {
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'd'; 3 << 20]].concat();
    let head = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'x'; 100_000]].concat();
    let chunks =
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), b"1\r\nd\r\n".repeat(1 << 20)]
            .concat();
    let mut deep = vec![b'l'; 100_000];
    deep.extend(vec![b'e'; 100_000]);
    for answer in [
        ok(b"hello"),
        ok(&deep),
        ok(b"d8:intervali-99999999999999999999e5:peers0:e"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        b"\0\0\0\0".to_vec(),
        endless,
        head,
        chunks,
    ] {
        let rig = over_http(&answer);
        assert!(matches!(said(&rig)[..], [Err(_)]), "{:?}", said(&rig));
        assert_eq!(rig.streams.len(), 0, "the stream is let go");
        assert!(next(&rig) >= Duration::from_secs(5), "{:?}", next(&rig));
    }
}

#[test]
fn a_tracker_that_redirects_in_a_circle() {
    let (mut rig, conn) = client("http://10.0.0.7/announce");
    let mut conn = conn.unwrap();
    let mut turns = 0;
    loop {
        rig.data(conn, &b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.7/announce\r\n\r\n"[..]);
        turns += 1;
        let Some(again) = rig.streams.keys().next().copied() else { break };
        conn = again;
        rig.opened(conn, TRACKER.parse().unwrap());
        assert!(turns < 10);
    }
    assert_eq!(turns, 6);
    assert!(matches!(said(&rig)[..], [Err(_)]));
}

#[test]
fn a_tracker_that_says_nothing() {
    let (mut rig, _) = client("http://10.0.0.7/announce");
    rig.now += Duration::from_secs(31);
    rig.fire();
    assert!(matches!(said(&rig)[..], [Err(_)]));
    assert!(rig.streams.is_empty());
}

#[test]
fn intervals_of_nothing_and_of_centuries() {
    for (interval, least, most) in
        [("0", 60, 60), ("4294967295", 3600, 3600), ("9223372036854775807", 3600, 3600)]
    {
        let rig = over_http(&ok(format!("d8:intervali{interval}e5:peers0:e").as_bytes()));
        assert_eq!(said(&rig), [Ok(0)]);
        let wait = next(&rig).as_secs();
        assert!((least..=most).contains(&wait), "{interval}: {wait}");
    }
}

/// The transaction of the last request, and from which tracker its answer must come.
fn asked(rig: &mut Rig<Client>) -> (u32, SocketAddr) {
    let (_, datagram) = rig.datagrams.pop().expect("it asks");
    // Connect: id, action, transaction; the others: connection, action, transaction.
    (u32::from_be_bytes(*datagram.data[12..].first_chunk().unwrap()), datagram.peer)
}

fn answer(rig: &mut Rig<Client>, from: SocketAddr, response: &Response) {
    let mut out = bytes::BytesMut::new();
    response.encode(false, &mut out);
    let socket = *rig.sockets.keys().next().unwrap();
    rig.give(Input::Datagram(socket, Datagram::new(from, out.freeze())));
}

fn with_peers(transaction: u32) -> Response {
    let peers = vec![SocketAddr::from(([11, 0, 0, 1], 6881))];
    let reply = AnnounceReply { interval: Some(1800), peers, ..AnnounceReply::default() };
    Response::Announce { transaction, reply }
}

#[test]
fn answers_over_udp_that_somebody_else_made_up() {
    let (mut rig, _) = client("udp://10.0.0.7:80");
    let (transaction, tracker) = asked(&mut rig);
    let elsewhere = SocketAddr::from(([10, 0, 0, 8], 80));
    let other_port = SocketAddr::from(([10, 0, 0, 7], 81));
    // Wrong transactions, and the right one from where the tracker is not.
    for guess in 0..2_000u32 {
        answer(
            &mut rig,
            tracker,
            &Response::Connect { transaction: transaction ^ (guess + 1), connection: 666 },
        );
    }
    answer(&mut rig, elsewhere, &Response::Connect { transaction, connection: 666 });
    answer(&mut rig, other_port, &Response::Connect { transaction, connection: 666 });
    assert!(rig.datagrams.is_empty() && said(&rig).is_empty());
    answer(&mut rig, tracker, &Response::Connect { transaction, connection: 7 });
    let announce = rig.datagrams.last().unwrap().1.data.clone();
    assert_eq!(announce[..8], 7u64.to_be_bytes(), "the id that the tracker gave");
    let (transaction, _) = asked(&mut rig);
    answer(&mut rig, elsewhere, &with_peers(transaction));
    answer(&mut rig, tracker, &with_peers(transaction.wrapping_add(1)));
    assert_eq!((said(&rig).len(), rig.machine.inner().load().candidates), (0, 0));
    answer(&mut rig, tracker, &with_peers(transaction));
    assert_eq!(said(&rig), [Ok(1)]);
    assert_eq!(rig.machine.inner().load().candidates, 1);
}

#[test]
fn datagrams_of_every_length_from_a_tracker() {
    for len in 0..40 {
        let (mut rig, _) = client("udp://10.0.0.7:80");
        let (transaction, tracker) = asked(&mut rig);
        let mut data = vec![0xff; len];
        for (to, from) in data.iter_mut().skip(4).zip(transaction.to_be_bytes()) {
            *to = from;
        }
        let socket = *rig.sockets.keys().next().unwrap();
        rig.give(Input::Datagram(socket, Datagram::new(tracker, data)));
        assert_eq!(rig.machine.inner().load().candidates, 0);
    }
}

#[test]
fn a_torrent_of_nothing_but_hostile_trackers_still_finds_the_peers_that_are_known() {
    let mut rig = over_http(&ok(b"garbage"));
    let hash = tracked("http://10.0.0.7/announce").info.info_hash();
    rig.ask(Command::AddPeers(hash, vec![SocketAddr::from(([10, 0, 0, 9], 1))]));
    assert_eq!(rig.streams.len(), 1, "it is dialled");
}
