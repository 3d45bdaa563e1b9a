//! What real programs said to each other: every message is read, and written again as the same bytes.

use bytes::{Bytes, BytesMut};
use p2p_napster::deflate::{InflateLimits, Inflater};
use p2p_napster::link::proof::{Nonce, Proof};
use p2p_napster::wire::message::{encapsulated, split_origin};
use p2p_napster::wire::{Decoder, Fault, Frame, Linked, ToClient, ToServer};

use crate::capture::{Conversation, From, conversations};

/// The recordings in which clients and servers speak; 06 begins with a metaserver.
const RECORDED: [&str; 8] = [
    "01-register-login",
    "02-share-search-get-browse-whois",
    "03-firewalled-push",
    "04-teknap-both-sides",
    "06-metaserver",
    "09-all-numerics-probe",
    "11-teknap-data-port-cases",
    "12-mp3napster-data-port-cases",
];

/// Frames of a stream that comes in pieces of this length.
fn frames(stream: &[u8], piece: usize) -> Vec<Frame> {
    let (mut decoder, mut frames) = (Decoder::new(u16::MAX), Vec::new());
    for piece in stream.chunks(piece) {
        decoder.push(Bytes::copy_from_slice(piece));
        while let Some(frame) = decoder.next().unwrap() {
            frames.push(frame);
        }
    }
    assert!(decoder.is_empty(), "the stream ends in the middle of a message");
    frames
}

/// Frames of a whole stream, which are the same however it is cut.
fn all_frames(stream: &[u8]) -> Vec<Frame> {
    let whole = frames(stream, usize::MAX);
    assert_eq!(whole, frames(stream, 1));
    assert_eq!(whole, frames(stream, 7));
    whole
}

fn written(encode: impl Fn(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode(&mut out);
    out.to_vec()
}

fn as_bytes(frame: &Frame) -> Vec<u8> {
    let len = u16::try_from(frame.body.len()).unwrap();
    [&len.to_le_bytes()[..], &frame.kind.to_le_bytes(), &frame.body].concat()
}

/// What a stream has that is no whole message: the type, and what is wrong.
type Bad = Vec<(u16, Fault, String)>;

/// Reads and writes each message of one side; those that cannot be read, and how many could.
fn replay(frames: &[Frame], from: From) -> (Bad, usize) {
    let (mut bad, mut good) = (Vec::new(), 0);
    for frame in frames {
        let again = match from {
            From::Client => ToServer::parse(frame.kind, &frame.body).map(|message| {
                assert_eq!(message.kind(), frame.kind);
                written(|out| message.encode(out))
            }),
            From::Server => ToClient::parse(frame.kind, &frame.body).map(|message| {
                assert_eq!(message.kind(), frame.kind);
                written(|out| message.encode(out))
            }),
        };
        match again {
            Ok(again) => {
                assert_eq!(again, as_bytes(frame), "{} {:?}", frame.kind, frame.body);
                good += 1;
            }
            Err(why) => bad.push((frame.kind, why.fault, String::from_utf8_lossy(&frame.body).into_owned())),
        }
    }
    (bad, good)
}

/// Both sides of a conversation between a client and a server.
fn sides(conversation: &Conversation) -> [(From, Vec<Frame>); 2] {
    let client = all_frames(&conversation.sent_by(From::Client));
    let asked = client.iter().find_map(|frame| match ToServer::parse(frame.kind, &frame.body) {
        Ok(ToServer::Login(login)) => login.zlib,
        _ => None,
    });
    let mut stream = conversation.sent_by(From::Server);
    let mut server = Vec::new();
    if asked.is_some() {
        // Behind the acknowledgement the server's side is a zlib stream.
        let mut decoder = Decoder::new(u16::MAX);
        decoder.push(stream.into());
        let ack = decoder.next().unwrap().unwrap();
        let Ok(ToClient::LoginAck(fields)) = ToClient::parse(ack.kind, &ack.body) else { panic!("{ack:?}") };
        assert_eq!(fields.zlib, asked);
        server.push(ack);
        stream = inflated(&decoder.into_rest());
        assert!(!stream.is_empty());
    }
    server.extend(all_frames(&stream));
    [(From::Client, client), (From::Server, server)]
}

fn inflated(stream: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in [1, 50, usize::MAX] {
        let (mut inflater, mut out) = (Inflater::new(InflateLimits::default()), Vec::new());
        for piece in stream.chunks(piece) {
            let mut input = Bytes::copy_from_slice(piece);
            loop {
                let some = inflater.read(&mut input).unwrap();
                if some.is_empty() {
                    break;
                }
                out.extend_from_slice(&some);
            }
            assert!(input.is_empty());
        }
        assert!(all.is_empty() || all == out);
        all = out;
    }
    all
}

fn is_index(conversation: &Conversation) -> bool {
    [8888, 8890].contains(&conversation.server.port())
}

#[test]
fn every_message_is_written_as_it_was_read() {
    let (mut bad, mut good) = (Vec::new(), 0);
    for name in RECORDED {
        for conversation in conversations(name).iter().filter(|conversation| is_index(conversation)) {
            for (from, frames) in sides(conversation) {
                let (some, count) = replay(&frames, from);
                bad.extend(some);
                good += count;
            }
        }
    }
    // The transcripts list 865 messages, and 12 more lie in a zlib stream that they do not inflate.
    assert_eq!(good + bad.len(), 865 + 12);
    let expected = [(200, Fault::Word, r#"FILENAME CONTAINS "a "quoted" string" MAX_RESULTS 100"#)];
    let found: Vec<_> = bad.iter().map(|(kind, fault, body)| (*kind, *fault, body.as_str())).collect();
    assert_eq!(found, expected);
}

/// One direction of a link: the frames in clear, then those of the zlib stream.
fn link_frames(stream: &[u8]) -> (Vec<Frame>, Vec<u8>) {
    let mut decoder = Decoder::new(u16::MAX);
    decoder.push(Bytes::copy_from_slice(stream));
    let clear: Vec<_> = (0..2).map(|_| decoder.next().unwrap().unwrap()).collect();
    (clear, inflated(&decoder.into_rest()))
}

#[test]
fn both_links_are_read_and_written_as_they_were() {
    for (name, level) in [("07-link-zlib-level0", 0), ("08-link-zlib-level6", 6)] {
        let all = conversations(name);
        let is_link = |conversation: &&Conversation| {
            let first = conversation.sent_by(From::Client);
            first.get(2..4) == Some(&10010u16.to_le_bytes()[..])
        };
        let link = all.iter().find(is_link).unwrap();
        let (mut hellos, mut proofs, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        for from in [From::Client, From::Server] {
            let (clear, stream) = link_frames(&link.sent_by(from));
            let Ok(Linked::Hello { nonce, level: asked, .. }) = Linked::parse(clear[0].kind, &clear[0].body)
            else {
                panic!("{:?}", clear[0]);
            };
            assert_eq!(asked, level);
            hellos.push(Nonce::from_text(nonce).unwrap());
            let Ok(Linked::Proof(proof)) = Linked::parse(clear[1].kind, &clear[1].body) else {
                panic!("{:?}", clear[1]);
            };
            proofs.push(proof.to_vec());
            for frame in clear.iter().chain(&all_frames(&stream)) {
                let message = Linked::parse(frame.kind, &frame.body).unwrap();
                assert_eq!(written(|out| message.encode(out)), as_bytes(frame), "{message:?}");
                kinds.push(frame.kind);
                if let Linked::Encapsulated { nick, frame, .. } = message {
                    assert_eq!(nick, b"yuri");
                    let (kind, body) = encapsulated(frame).unwrap();
                    let inner = ToClient::parse(kind, body).unwrap();
                    assert_eq!(written(|out| inner.encode(out)), frame);
                } else if let Linked::Other(kind, body) = message {
                    // A client's message behind its origin.
                    let (origin, body) = split_origin(body).unwrap();
                    assert!([&b"xena"[..], b"yuri", b"serverb"].contains(&origin));
                    let inner = ToServer::parse(kind, body).unwrap();
                    assert!(kind > 10_000 || !matches!(inner, ToServer::Other(..)), "{inner:?}");
                }
            }
        }
        // The passwords with which the two servers were run: each shows its own, and knows the other's.
        let (a, b) = (hellos[0], hellos[1]);
        assert!(Proof::new(&b, &a, b"passA").is(&proofs[0]) && Proof::new(&a, &b, b"passB").is(&proofs[1]));
        assert!(!Proof::new(&a, &b, b"passA").is(&proofs[0]) && !Proof::new(&a, &b, b"passB").is(b""));
        assert_eq!(Proof::new(&b, &a, b"passA").as_bytes(), proofs[0]);
        let count = |kind: u16| kinds.iter().filter(|other| **other == kind).count();
        assert_eq!(
            [10010, 10011, 10023, 10262, 10263, 2, 10012, 10015, 10016, 10017, 10018, 607].map(count),
            [2, 2, 2, 2, 2, 3, 1, 1, 1, 1, 3, 1]
        );
    }
}

#[test]
fn logins_that_were_recorded_say_what_they_said() {
    let all = conversations("09-all-numerics-probe");
    let mut speeds = Vec::new();
    for conversation in &all {
        for frame in all_frames(&conversation.sent_by(From::Client)) {
            if let Ok(ToServer::Login(login)) = ToServer::parse(frame.kind, &frame.body) {
                speeds.push((login.nick.to_vec(), login.port, login.speed.0, login.zlib));
            }
        }
    }
    let says = |nick: &str, port, speed, zlib| speeds.contains(&(nick.into(), port, speed, zlib));
    assert!(says("alice", 6699, 4, None) && says("fr2", 0, 0, Some(6)) && says("a*b", 0, 0, None));
}
