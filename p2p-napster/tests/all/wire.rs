//! Frames, fields, messages and queries: round trips, limits, and bytes that are nothing.

use bytes::{Bytes, BytesMut};
use core::net::Ipv4Addr;
use p2p_napster::wire::message::{Login, LoginAck, SharedFile, put_directory, split_origin};
use p2p_napster::wire::query::{Attribute, CLAUSES_MAX, Clause, Comparison, Value};
use p2p_napster::wire::text::{same_nick, shown, to_cp1252};
use p2p_napster::wire::{
    Decoder, Fault, FrameError, Level, Linked, Malformed, Query, Speed, ToClient, ToServer, WireAddr,
    put_frame,
};
use proptest::prelude::*;

fn frame(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    put_frame(&mut out, kind, |to| {
        to.raw(body);
    });
    out.to_vec()
}

#[test]
fn a_message_over_the_limit_is_refused_at_its_head() {
    let mut decoder = Decoder::new(2048);
    decoder.push(frame(2, &[b'x'; 2048]).into());
    assert_eq!(decoder.next().unwrap().unwrap().body.len(), 2048);
    // The head is enough, byte by byte too, and the error stays.
    for byte in [0x01, 0x08, 0xff] {
        decoder.push(Bytes::copy_from_slice(&[byte]));
        assert_eq!(decoder.next(), Ok(None));
    }
    decoder.push(Bytes::from_static(b"\xff"));
    let error = FrameError::TooLong { kind: 0xffff, len: 2049, limit: 2048 };
    assert_eq!((decoder.next(), decoder.next()), (Err(error), Err(error)));
}

#[test]
fn half_a_message_holds_no_receive_buffer() {
    let big = Bytes::from([frame(100, b"x"), vec![5]].concat());
    let mut decoder = Decoder::new(2048);
    decoder.push(big.clone());
    drop(decoder.next().unwrap());
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.len(), 1);
    assert!(big.is_unique(), "the buffer can be used again");
}

#[test]
fn a_body_too_long_to_be_written_is_cut() {
    let mut out = BytesMut::from(&b"before"[..]);
    put_frame(&mut out, 7, |to| {
        to.raw(&[b'x'; 70_000]);
    });
    assert_eq!(out.len(), 6 + 4 + 65_535);
    assert_eq!(out[6..10], [0xff, 0xff, 7, 0]);
}

/// What is wrong with the body of a client's message.
fn fault(kind: u16, body: &[u8]) -> Malformed {
    ToServer::parse(kind, body).unwrap_err()
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let at = |at, fault| Malformed { at, fault };
    assert_eq!(fault(203, b"nick"), at(4, Fault::Missing));
    assert_eq!(fault(203, b"nick \"file"), at(5, Fault::Unclosed));
    assert_eq!(fault(2, b"a b 99999 \"c\" 1"), at(4, Fault::Number));
    assert_eq!(fault(2, b"a b 1 \"c 1"), at(6, Fault::Unclosed));
    assert_eq!(fault(606, b"pat Emperor"), at(4, Fault::Word));
    assert_eq!(fault(870, b"\"d\" \"f\" 0 1 2"), at(13, Fault::Missing));
    assert_eq!(fault(100, b"\"f\" 0 99999999999999999999 1 2 3"), at(6, Fault::Number));
    assert_eq!(fault(200, b"MAX_RESULTS -5"), at(12, Fault::Number));
    assert_eq!(fault(200, b"BITRATE \"ABOUT\" 5"), at(8, Fault::Word));
    assert_eq!(fault(200, b"FILENAME IS \"x\""), at(9, Fault::Word));
    assert_eq!(fault(200, b"FILENAME CONTAINS"), at(17, Fault::Missing));
    assert_eq!(Linked::parse(10023, b"servera 1").unwrap_err(), at(0, Fault::Origin));
    assert_eq!(split_origin(b": x").unwrap_err().fault, Fault::Origin);
    assert_eq!(split_origin(b":a  two words ").unwrap(), (&b"a"[..], &b" two words "[..]));
}

#[test]
fn small_types_are_as_on_the_wire() {
    assert_eq!(WireAddr::from(Ipv4Addr::LOCALHOST), WireAddr(16_777_343));
    assert_eq!(WireAddr(16_777_343).to_string(), "127.0.0.1");
    assert_eq!(Level::from_name(b"eLiTe"), Some(Level::Elite));
    assert!(same_nick(b"Alice", b"aLICE") && !same_nick(b"\xc4", b"\xe4"));
    let file = |md5| SharedFile { md5, ..SharedFile::default() };
    let digest = file(b"b92870e0d41bc8e698cf2f0a1ddfeac7-443332").digest().unwrap();
    assert_eq!(digest[..3], [0xb9, 0x28, 0x70]);
    let none = [&b"0"[..], b"NOMD5COMPUTED", &[b'0'; 32], b"b92870e0d41bc8e698cf2f0a1ddfeac7x", b""];
    assert!(none.iter().all(|md5| file(md5).digest().is_none()));
}

#[test]
fn a_stranger_cannot_steer_a_terminal() {
    assert_eq!(shown(b"a\x1b[2J\0b\r\n\x7f").to_string(), "a[2Jb");
    assert_eq!(shown("caf\u{e9} \u{202e}gpj\u{9b}".as_bytes()).to_string(), "caf\u{e9} gpj");
    assert_eq!(
        shown(b"caf\xe9 \x80 \x93x\x94 \x81\x9b").to_string(),
        "caf\u{e9} \u{20ac} \u{201c}x\u{201d} \u{203a}"
    );
}

#[test]
fn cp1252_is_written_as_it_is_shown() {
    let names = ["caf\u{e9}", "\u{20ac}5 \u{2013} \u{152}uvre", "\u{178}"];
    let bytes = [&b"caf\xe9"[..], b"\x805 \x96 \x8cuvre", b"\x9f"];
    for (name, bytes) in names.into_iter().zip(bytes) {
        assert_eq!(to_cp1252(name).as_deref(), Some(bytes));
        assert_eq!(shown(bytes).to_string(), name);
    }
    assert_eq!(to_cp1252("caf\u{e9} \u{3042}"), None);
}

#[test]
fn passwords_are_not_shown_when_debugging() {
    let frames = [
        (2, &b"nick hunter2 1 \"c\" 1"[..]),
        (6, b"nick hunter2 1 \"c\" 1 a@b.c"),
        (11, b"nick hunter2"),
        (701, b"hunter2"),
        (753, b"nick hunter2"),
    ];
    let hidden = |text: &str| !text.contains("hunter2") && !text.contains("104, 117, 110");
    for (kind, body) in frames {
        let text = format!("{:?}", ToServer::parse(kind, body).unwrap());
        assert!(hidden(&text), "{text}");
        let mut decoder = Decoder::new(2048);
        decoder.push(frame(kind, body).into());
        assert!(hidden(&format!("{decoder:?}")) && hidden(&format!("{:?}", decoder.next())));
    }
    let user = Linked::parse(2, b"xena hunter2 1 \"c\" 4 unknown 5 6 servera 7").unwrap();
    assert!(hidden(&format!("{user:?}")) && format!("{user:?}").contains("120, 101, 110, 97"));
}

#[test]
fn clauses_come_in_any_order_case_and_number() {
    let body = br#"bitrate "at least" "128" TYPE any filename contains "a -b" MAX_RESULTS 0 filename excludes "c d"
        LINESPEED "EQUAL TO" 3 SIZE "AT BEST" 9 DURATION "AT LEAST" 1 FREQ "EQUAL TO" "44100" WMA-FILE LOCAL_ONLY
        FILENAME CONTAINS "e" max_results 7 MAX_RESULTS 9 "#;
    let query = Query::parse(body).unwrap();
    assert_eq!(query.clauses.len(), 14);
    assert_eq!(query.included().collect::<Vec<_>>(), [&b"a"[..], b"e"]);
    assert_eq!(query.excluded().collect::<Vec<_>>(), [&b"b"[..], b"c", b"d"]);
    assert_eq!(query.max_results(), Some(7));
    assert_eq!(Query::parse(b"").unwrap().clauses, []);
    let many = b"WMA-FILE ".repeat(CLAUSES_MAX);
    assert!(Query::parse(&many).is_ok());
    let more = b"WMA-FILE ".repeat(CLAUSES_MAX + 1);
    assert_eq!(Query::parse(&more).unwrap_err().fault, Fault::TooMany);
}

#[test]
fn a_folder_is_shared_in_messages_that_servers_take() {
    let names: Vec<_> = (0..500).map(|i| format!("song number {i}.mp3")).collect();
    let file = |name| SharedFile { name, md5: b"0", size: 1, bitrate: 2, frequency: 3, seconds: 4 };
    let long = vec![b'x'; 2100];
    let files = names.iter().map(|name| file(name.as_bytes())).chain([file(&long)]);
    let mut out = BytesMut::new();
    assert_eq!(put_directory(&mut out, b"C:\\mp3", files), 1);
    let mut decoder = Decoder::new(2048);
    decoder.push(out.freeze());
    let (mut found, mut messages) = (Vec::new(), 0);
    while let Some(frame) = decoder.next().unwrap() {
        let Ok(ToServer::ShareDirectory(directory)) = ToServer::parse(frame.kind, &frame.body) else {
            panic!()
        };
        assert_eq!(directory.dir, b"C:\\mp3");
        found.extend(directory.files().map(|file| String::from_utf8(file.name.to_vec()).unwrap()));
        messages += 1;
    }
    assert_eq!(found, names);
    assert!(messages < 13, "{messages}");
}

/// A name or text: any bytes but the quote, for which there is no form.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>().prop_map(|byte| if byte == b'"' { b'\'' } else { byte }), 0..40)
}

/// A message that is written is read as itself, and names its type.
macro_rules! comes_back {
    ($enum:ident, $message:expr) => {{
        let message = $message;
        let mut out = BytesMut::new();
        message.encode(&mut out);
        let mut decoder = Decoder::new(u16::MAX);
        decoder.push(out.freeze());
        let frame = decoder.next().unwrap().unwrap();
        prop_assert!(decoder.is_empty());
        prop_assert_eq!($enum::parse(frame.kind, &frame.body).unwrap(), message);
    }};
}

fn clause<'a>(text: &'a [u8], pick: u8, number: u64, quoted: bool) -> Clause<'a> {
    let value = Value { number, quoted };
    let of = [
        Attribute::LineSpeed,
        Attribute::Bitrate,
        Attribute::Frequency,
        Attribute::Size,
        Attribute::Duration,
    ];
    let comparison = [Comparison::AtLeast, Comparison::AtBest, Comparison::EqualTo];
    match pick % 8 {
        0 => Clause::Contains(text),
        1 => Clause::Excludes(text),
        2 => Clause::MaxResults(value),
        3 => Clause::Type { name: text, quoted: true },
        4 => Clause::Wma,
        5 => Clause::LocalOnly,
        pick => Clause::Bound {
            of: of[usize::from(pick + number as u8 % 4) % 5],
            comparison: comparison[number as usize % 3],
            value,
        },
    }
}

proptest! {
    #[test]
    fn streams_are_cut_alike_however_they_come(
        bodies in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..60)), 0..20),
        pieces in prop::collection::vec(1usize..40, 1..20),
    ) {
        let stream: Vec<u8> = bodies.iter().flat_map(|(kind, body)| frame(*kind, body)).collect();
        let (mut decoder, mut found, mut left) = (Decoder::new(60), Vec::new(), &stream[..]);
        for piece in pieces.iter().cycle() {
            if left.is_empty() {
                break;
            }
            let (now, later) = left.split_at((*piece).min(left.len()));
            left = later;
            decoder.push(Bytes::copy_from_slice(now));
            while let Some(frame) = decoder.next().unwrap() {
                found.push((frame.kind, frame.body.to_vec()));
            }
            prop_assert!(decoder.len() < 64);
        }
        prop_assert!(decoder.is_empty());
        prop_assert_eq!(found, bodies);
    }

    #[test]
    fn messages_come_back(
        (a, b, c) in (text(), text(), text()),
        numbers: (u16, u32, u64),
        (speed, some) in (any::<u8>(), any::<bool>()),
    ) {
        let (a, b, c, speed) = (&a[..], &b[..], &c[..], Speed(speed));
        let file = SharedFile { name: a, md5: b, size: numbers.2, bitrate: numbers.1, frequency: 1, seconds: 2 };
        let login = Login {
            nick: a, password: b, port: numbers.0, client: c, speed,
            email: some.then_some(a), unused: some.then_some(b), zlib: some.then_some(6),
        };
        comes_back!(ToServer, ToServer::Login(login));
        comes_back!(ToServer, ToServer::Register(login));
        comes_back!(ToServer, ToServer::Share(file));
        comes_back!(ToServer, ToServer::Unshare(a));
        comes_back!(ToServer, ToServer::Download { nick: a, file: b });
        comes_back!(ToServer, ToServer::PrivateMessage { nick: a, text: b });
        comes_back!(ToServer, ToServer::Ban { who: a, reason: some.then_some(b) });
        comes_back!(ToServer, ToServer::ChannelLimit { channel: a, limit: some.then_some(numbers.1) });
        comes_back!(ToServer, ToServer::ShareMedia { name: a, size: numbers.2, md5: b, media: c });
        comes_back!(ToServer, ToServer::SetLevel { nick: a, level: Level::Moderator });
        let hit = p2p_napster::wire::message::Hit {
            file, nick: c, addr: WireAddr(numbers.1), speed, weight: some.then_some(numbers.1),
        };
        comes_back!(ToClient, ToClient::Hit(hit));
        comes_back!(ToClient, ToClient::BrowseEntry { nick: c, file });
        comes_back!(ToClient, ToClient::BrowseEnd { nick: c, addr: some.then_some(WireAddr(numbers.1)) });
        comes_back!(ToClient, ToClient::UploadRequest { nick: a, file: b, speed: some.then_some(speed) });
        comes_back!(ToClient, ToClient::QueueLimit { nick: a, file: b, size: numbers.2, limit: numbers.1 });
        comes_back!(ToClient, ToClient::Emote { channel: a, nick: b, text: c });
        comes_back!(ToClient, ToClient::LoginAck(LoginAck { email: c, zlib: Some(speed.0) }));
        comes_back!(ToClient, ToClient::Notice(a));
        comes_back!(Linked, Linked::SearchHit { id: b, nick: c, file });
        comes_back!(Linked, Linked::Search { nick: b, id: c, query: a });
        comes_back!(Linked, Linked::ShareCount { nick: a, files: numbers.1, kilobytes: numbers.2 });
        comes_back!(Linked, Linked::Encapsulated { origin: b"servera", nick: a, frame: b });
    }

    #[test]
    fn queries_come_back(
        texts in prop::collection::vec((text(), any::<u8>(), any::<u64>(), any::<bool>()), 0..20),
        space_behind: bool,
    ) {
        let clauses: Vec<_> =
            texts.iter().map(|(text, pick, number, quoted)| clause(text, *pick, *number, *quoted)).collect();
        let space_behind = space_behind && !clauses.is_empty();
        comes_back!(ToServer, ToServer::Search(Query { clauses, space_behind }));
    }

    #[test]
    fn no_text_gets_out_of_its_field(a in prop::collection::vec(any::<u8>(), 0..40), b in text()) {
        // Quotes and separators in what a stranger chose make neither another field nor another message.
        let mut out = BytesMut::new();
        ToServer::Download { nick: &a, file: &a }.encode(&mut out);
        ToServer::Whois(&b).encode(&mut out);
        let mut decoder = Decoder::new(u16::MAX);
        decoder.push(out.freeze());
        let first = decoder.next().unwrap().unwrap();
        let Ok(ToServer::Download { nick, file }) = ToServer::parse(first.kind, &first.body) else { panic!() };
        let soft: Vec<_> = a.iter().map(|byte| if *byte == b'"' { b'\'' } else { *byte }).collect();
        prop_assert!(nick == a || nick == soft);
        prop_assert_eq!(file, soft);
        let second = decoder.next().unwrap().unwrap();
        prop_assert_eq!(ToServer::parse(second.kind, &second.body), Ok(ToServer::Whois(&b)));
    }

    #[test]
    fn arbitrary_bodies_are_read_or_refused(
        kind in prop_oneof![0u16..1000, 10_000u16..10_301, any::<u16>()],
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            // What looks like fields gets further.
            r#"(:?[a-z]{1,4} |[0-9]{1,12} |"[a-z ]{0,6}" |"|FILENAME CONTAINS "x" |SIZE "AT LEAST" 1 ){0,12}"#
                .prop_map(String::into_bytes),
        ],
    ) {
        // Who reads a message can write it, and what was written is read as the same; but a quote within a word, which some
        // read and nobody can write, becomes an apostrophe.
        let apostrophes = |said: &str| said.replace("[34", "[39").replace(" 34", " 39");
        macro_rules! stable {
            ($enum:ident) => {
                match $enum::parse(kind, &body) {
                    Ok(message) => {
                        prop_assert_eq!(message.kind(), kind);
                        let mut out = BytesMut::new();
                        message.encode(&mut out);
                        let again = $enum::parse(kind, &out[4..]).map(|again| {
                            let mut once_more = BytesMut::new();
                            again.encode(&mut once_more);
                            (once_more, apostrophes(&format!("{again:?}")))
                        });
                        prop_assert_eq!(again, Ok((out.clone(), apostrophes(&format!("{message:?}")))));
                    }
                    Err(why) => prop_assert!(why.at <= body.len()),
                }
            };
        }
        stable!(ToServer);
        stable!(ToClient);
        stable!(Linked);
        let _ = shown(&body).to_string();
    }
}
