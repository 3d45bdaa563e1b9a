//! The stream to the server: compressed where both want it, secured where it was asked for.

use super::rig::{Rig, config, frame, noise};
use bytes::{Bytes, BytesMut};
use p2p_core::{ConnId, Input, IoError, StreamInput, Target};
use p2p_napster::client::{Bootstrap, Command, Error, Event, Query};
use p2p_napster::deflate::{Deflater, InflateLimits, Inflater};
use p2p_napster::wire::Decoder;
use std::net::SocketAddr;

/// The server's end of two streams.
struct Server {
    conn: ConnId,
    deflater: Deflater,
    inflater: Inflater,
    decoder: Decoder,
}

impl Server {
    /// A client that asked for this level is let in, with what the server says behind its acknowledgement at once.
    fn lets_in(rig: &mut Rig, welcome: &[(u16, &str)]) -> Self {
        let conn = dialled(rig);
        assert!(rig.said()[0].1.ends_with(" 0 0 6"));
        let mut server = Self {
            conn,
            deflater: Deflater::new(6),
            inflater: Inflater::new(InflateLimits::default()),
            decoder: Decoder::new(u16::MAX),
        };
        let mut bytes = BytesMut::from(&frame(3, b"\"me@x\" 6")[..]);
        bytes.extend_from_slice(&server.written(welcome));
        rig.data(conn, bytes);
        server
    }

    fn written(&mut self, messages: &[(u16, &str)]) -> BytesMut {
        let plain: Vec<u8> = messages.iter().flat_map(|(kind, text)| frame(*kind, text.as_bytes())).collect();
        let mut out = BytesMut::new();
        self.deflater.write(&plain, &mut out);
        out
    }

    fn says(&mut self, rig: &mut Rig, kind: u16, text: &str) {
        let bytes = self.written(&[(kind, text)]);
        rig.data(self.conn, bytes);
    }

    fn said(&mut self, rig: &mut Rig) -> Vec<(u16, String)> {
        let mut input = Bytes::from(rig.heard(self.conn));
        loop {
            let bytes = self.inflater.read(&mut input).unwrap();
            if bytes.is_empty() {
                break;
            }
            self.decoder.push(bytes);
        }
        let frames = std::iter::from_fn(|| self.decoder.next().unwrap());
        frames.map(|frame| (frame.kind, String::from_utf8_lossy(&frame.body).into_owned())).collect()
    }
}

fn joining(zlib: Option<u8>) -> Rig {
    let mut config = config();
    config.zlib = zlib;
    let mut rig = Rig::new(config);
    rig.ask(Command::Join(Bootstrap::servers(["198.51.100.1:8888".parse::<SocketAddr>().unwrap()])));
    rig
}

/// The server that is dialled, open.
fn dialled(rig: &mut Rig) -> ConnId {
    let [conn] = rig.dialled()[..] else { panic!("dialled {:?}", rig.dialled()) };
    rig.opens(conn);
    rig.is_server(conn);
    conn
}

#[test]
fn behind_the_acknowledgement_both_directions_are_streams() {
    let mut rig = joining(Some(6));
    for n in 0..3 {
        rig.share(&format!("song {n}.mp3"), noise(100, n));
    }
    let mut server = Server::lets_in(&mut rig, &[(621, "hello"), (214, "5 6 7")]);
    assert!(rig.events.iter().any(|(_, event)| matches!(event, Event::Motd(text) if text == "hello")));
    assert!(rig.events.iter().any(|(_, event)| matches!(event, Event::Stats { users: 5, .. })));
    let told: Vec<u16> = server.said(&mut rig).iter().map(|(kind, _)| *kind).collect();
    assert_eq!(told, [100, 100, 100]);
    let search = rig.ask(Command::Search(Box::new(Query::from(p2p_core::Keywords::new("blue")))));
    assert_eq!(server.said(&mut rig), [(200, "FILENAME CONTAINS \"blue\" MAX_RESULTS 100".into())]);
    // Byte by byte it is the same.
    let hit = "\"blue.mp3\" 0123456789abcdef0123456789abcdef 5 128 44100 9 bob 83886080 7";
    for byte in server.written(&[(201, hit), (202, "")]) {
        rig.data(server.conn, [byte]);
    }
    assert_eq!(rig.finished[&search], Ok(()));
    assert!(rig.events.iter().any(|(_, event)| matches!(event, Event::Hit(hit) if hit.name == "blue.mp3")));
    server.says(&mut rig, 751, "bob x");
    assert_eq!(server.said(&mut rig), [(752, "bob x".into())]);
    assert_eq!(rig.client.inner().load().session, 0);
}

#[test]
fn a_server_that_knows_no_zlib_goes_on_in_clear() {
    let mut rig = joining(Some(6));
    dialled(&mut rig);
    assert!(rig.said()[0].1.ends_with(" 0 0 6"));
    rig.says(3, "anon@server");
    rig.says(751, "bob x");
    assert_eq!(rig.said(), [(752, "bob x".into())]);
}

#[test]
fn who_asked_for_no_streams_takes_none() {
    let mut rig = joining(None);
    let conn = dialled(&mut rig);
    rig.says(3, "\"me@x\" 6");
    assert!(rig.is_closed(conn));
    let ends: Vec<_> = rig.finished.values().collect();
    assert_eq!(ends, [&Err(Error::Garbled)]);
}

/// No stream, one that ends, and a bomb: the server is left, and after a while the next one is tried, from the beginning.
#[test]
fn what_cannot_be_inflated_ends_the_connection() {
    let bomb = |server: &mut Server| {
        let mut out = BytesMut::new();
        let message = frame(214, &[b' '; 60_000]);
        (0..200).for_each(|_| server.deflater.write(&message, &mut out));
        assert!(out.len() < 200_000, "{}", out.len());
        out
    };
    let junk = |_: &mut Server| BytesMut::from(&[0xff; 64][..]);
    let clear = |_: &mut Server| BytesMut::from(&frame(621, b"in clear again")[..]);
    for bad in [&bomb as &dyn Fn(&mut Server) -> BytesMut, &junk, &clear] {
        let mut rig = joining(Some(6));
        let mut server = Server::lets_in(&mut rig, &[(621, "hello")]);
        rig.take_events();
        let bad = bad(&mut server);
        rig.data(server.conn, bad);
        assert!(rig.is_closed(server.conn));
        let told = rig.take_events();
        assert!(matches!(told.last(), Some(Event::LoggedOut(Error::Garbled))), "{told:?}");
        rig.secs(2);
        let mut again = Server::lets_in(&mut rig, &[]);
        again.says(&mut rig, 751, "bob x");
        assert_eq!(again.said(&mut rig), [(752, "bob x".into())]);
    }
}

/// Those with a certificate come first, and it is asked for by the name, or the address, that was given.
#[test]
fn secured_servers_are_dialled_by_their_names() {
    let plain = "198.51.100.1:8888".parse::<SocketAddr>().unwrap();
    let to = Bootstrap::servers([plain])
        .with_metaserver("198.51.100.2:8875".parse::<SocketAddr>().unwrap())
        .with_secured(Target::Name { host: "napster.example".into(), port: 8889 })
        .with_secured("198.51.100.3:8889".parse::<SocketAddr>().unwrap());
    let mut rig = Rig::new(config());
    let join = rig.ask(Command::Join(to));
    let mut tried = Vec::new();
    for why in [IoError::Insecure, IoError::Refused, IoError::Refused, IoError::TimedOut] {
        rig.secs(0);
        let [conn] = rig.dialled()[..] else { panic!("dialled {:?}", rig.dialled()) };
        let stream = &rig.streams[&conn];
        tried.push((stream.to.unwrap().port(), stream.name.clone()));
        // Nothing is said to who has not shown who it is.
        assert!(stream.writes.is_empty());
        rig.give(Input::Stream(conn, StreamInput::Closed(Err(why))));
        rig.streams.get_mut(&conn).unwrap().ended = true;
    }
    let name = |name: &str| Some(name.to_owned());
    let secured = [(8889, name("napster.example")), (8889, name("198.51.100.3"))];
    assert_eq!(tried, [&secured[..], &[(8888, None), (8875, None)]].concat());
    assert_eq!(rig.finished[&join], Err(Error::Unreachable(IoError::TimedOut)));
}
