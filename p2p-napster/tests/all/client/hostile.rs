//! What section 7 of the facts tried on clients of the time, numbers 12 to 16: a clear answer or a closed stream, and
//! nothing that the application did not ask for.

use super::crowd::{Crowd, Manners};
use super::rig::{ALICE, Rig, config, down, noise, number};
use bytes::Bytes;
use p2p_core::{Duration, IoError, Rng};
use p2p_napster::client::{Bootstrap, Command, Error, Event, SourceError, Suggestion, Wanted};
use p2p_napster::transfer::address::BadAddress;
use p2p_napster::transfer::intake::Useless;
use std::net::{Ipv4Addr, SocketAddr};

/// Downloads a file of this name of a user who has it; what it is called in the end.
fn saved_as(name: &[u8]) -> String {
    let mut rig = Rig::online(config());
    rig.said();
    let op = rig.download(Wanted::new(&b"alice"[..], name.to_vec()).sized(4));
    let mut offer = format!("alice {} 6699 \"", number(ALICE)).into_bytes();
    offer.extend(name);
    offer.extend(b"\" 0 7");
    rig.says(204, offer);
    let conn = rig.answers((ALICE, 6699));
    rig.get_on(conn);
    rig.data(conn, "4");
    rig.data(conn, "evil");
    assert_eq!(rig.finished.get(&op), Some(&Ok(())), "{}", name.escape_ascii());
    rig.check_folder();
    rig.saved().unwrap().0.path().as_str().to_owned()
}

#[test]
fn bad_input_12_no_name_leads_out_of_the_folder() {
    for name in [
        &b"Z:\\nap\\../../evil.mp3"[..],
        b"/abs/evil.mp3",
        b"C:\\..\\..\\evil.mp3",
        b"../../../evil.mp3",
        b"..\\..\\evil.mp3",
        b"\\\\host\\share\\evil.mp3",
        b"/etc/cron.d/../evil.mp3",
    ] {
        assert_eq!(saved_as(name), "evil.mp3", "{}", name.escape_ascii());
    }
    // Names without a last part.
    for name in [&b".."[..], b"a/..", b".", b"/", b"a\\", b"./", b"..\\.."] {
        let path = saved_as(name);
        assert!(!path.is_empty() && !path.contains(".."), "{} became {path}", name.escape_ascii());
    }
    // What file systems change or give a meaning to.
    for name in [
        &b"trailing.mp3."[..],
        b"trailing ",
        b"dots...",
        b"CON",
        b"con.mp3",
        b"AUX.txt",
        b"COM1",
        b"lpt9.mp3",
        b"NUL",
        b"stream.mp3:hidden",
        b"what?*<>|.mp3",
        b"a\tb",
        b"a\x7fb",
        b"a\0b",
        b"\x1b]0;title\x07\x1b[2J.mp3",
        b"\xff\xfe\x80.mp3",
        b"~",
        b"-rf",
        b"$(reboot)",
    ] {
        let path = saved_as(name);
        let stem = path.split('.').next().unwrap().to_ascii_uppercase();
        assert!(!["CON", "AUX", "COM1", "LPT9", "NUL"].contains(&&*stem), "{path}");
        assert!(!path.contains(['<', '>', ':', '"', '|', '?', '*', '\u{1b}']), "{path}");
    }
    assert_eq!(saved_as(b"/home/me/.bashrc"), "_bashrc");
    let mut long = vec![b'x'; 300];
    long.extend(b".mp3");
    let path = saved_as(&long);
    assert!(path.len() <= 255 && path.ends_with(".mp3"));
    // The two of a pair stay two files.
    let mut rig = Rig::online(config());
    rig.disk.insert(down("evil.mp3"), b"older".to_vec());
    let wanted = Wanted::new(&b"alice"[..], &b"../evil.mp3"[..]).sized(4);
    rig.said();
    rig.download(wanted);
    let (conn, _) = rig.alice_accepts("../evil.mp3");
    rig.data(conn, "4evil");
    assert_eq!(rig.saved().unwrap().0, &down("evil (2).mp3"));
    assert_eq!(rig.disk[&down("evil.mp3")], b"older");
}

#[test]
fn bad_input_13_only_exact_names_are_given() {
    const NAME: &str = "C:\\mp3\\Band - Song.mp3";
    let mut rig = Rig::online(config());
    rig.share(NAME, noise(5_000, 1));
    rig.said();
    let wrong = [
        "../../../../etc/passwd",
        "/etc/passwd",
        "Band - Song.mp3",
        "c:\\mp3\\band - song.mp3",
        "C:\\mp3\\..\\mp3\\Band - Song.mp3",
        "C:\\mp3\\",
        "C:\\mp3\\Band - Song.mp3.",
        "C:/mp3/Band - Song.mp3",
        "1.mp3",
    ];
    for name in wrong {
        rig.says(607, format!("eve \"{name}\""));
        assert_eq!(rig.said(), [(609, format!("eve \"{name}\""))], "it is not shared");
    }
    // And the same once another request of that user was accepted.
    for name in wrong {
        rig.says(607, format!("eve \"{NAME}\""));
        assert_eq!(rig.said_of(608).len(), 1);
        let conn = rig.accept();
        assert_eq!(rig.heard(conn), b"1");
        rig.data(conn, "GET");
        rig.data(conn, format!("eve \"{name}\" 0"));
        rig.moment();
        assert_eq!(rig.heard(conn), b"INVALID REQUEST", "{name}");
        assert!(rig.is_closed(conn));
    }
    assert!(!rig.events.iter().any(|(_, event)| matches!(event, Event::Uploading { .. })));
}

const BAD: [(Ipv4Addr, u16, BadAddress); 13] = [
    (Ipv4Addr::new(203, 0, 113, 9), 22, BadAddress::LowPort),
    (Ipv4Addr::new(203, 0, 113, 9), 25, BadAddress::LowPort),
    (Ipv4Addr::new(203, 0, 113, 9), 1_023, BadAddress::LowPort),
    (Ipv4Addr::new(0, 0, 0, 0), 6_699, BadAddress::Unset),
    (Ipv4Addr::new(0, 1, 2, 3), 6_699, BadAddress::Unset),
    (Ipv4Addr::new(127, 0, 0, 1), 6_699, BadAddress::Loopback),
    (Ipv4Addr::new(127, 9, 9, 9), 8_080, BadAddress::Loopback),
    (Ipv4Addr::new(224, 0, 0, 1), 6_699, BadAddress::NotAHost),
    (Ipv4Addr::new(255, 255, 255, 255), 6_699, BadAddress::NotAHost),
    (Ipv4Addr::new(10, 0, 0, 1), 8_080, BadAddress::Private),
    (Ipv4Addr::new(192, 168, 1, 1), 8_080, BadAddress::Private),
    (Ipv4Addr::new(169, 254, 169, 254), 8_080, BadAddress::Private),
    // Where this client listens itself.
    (Ipv4Addr::new(192, 0, 2, 77), 6_699, BadAddress::Own),
];

#[test]
fn bad_input_14_a_204_cannot_aim_a_client_at_a_port() {
    for (ip, port, why) in BAD {
        let mut rig = Rig::online(config());
        let op = rig.download(Wanted::new(&b"eve"[..], &b"x.mp3"[..]).sized(9));
        rig.says(204, format!("eve {} {port} \"x.mp3\" 0 7", number(ip)));
        assert_eq!(rig.dialled(), [], "{ip}:{port} was dialled");
        assert_eq!(rig.finished.get(&op), Some(&Err(Error::Source(why.into()))), "{ip}:{port}");
    }
    // One that nobody asked for, one for another file, one of another user.
    let mut rig = Rig::online(config());
    rig.says(204, format!("eve {} 6699 \"x.mp3\" 0 7", number(ALICE)));
    rig.download(Wanted::new(&b"eve"[..], &b"x.mp3"[..]));
    rig.says(204, format!("eve {} 6699 \"y.mp3\" 0 7", number(ALICE)));
    rig.says(204, format!("mallory {} 6699 \"x.mp3\" 0 7", number(ALICE)));
    assert_eq!(rig.dialled(), []);
    rig.says(204, format!("EVE {} 6699 \"x.mp3\" 0 7", number(ALICE)));
    assert_eq!(rig.dialled().len(), 1, "nicks are one in any case");
    // The same answer again dials nobody again.
    rig.says(204, format!("eve {} 6700 \"x.mp3\" 0 7", number(ALICE)));
    assert_eq!(rig.dialled().len(), 1);
}

#[test]
fn bad_input_14_a_501_is_obeyed_only_for_what_was_accepted() {
    let order = |ip: Ipv4Addr, port: u16, name: &str| format!("bob {} {port} \"{name}\" 0 9", number(ip));
    for (ip, port, _) in BAD {
        let mut rig = Rig::online(config());
        rig.share("song.mp3", noise(100, 1));
        rig.says(607, "bob \"song.mp3\"");
        assert_eq!(rig.said_of(608).len(), 1);
        rig.says(501, order(ip, port, "song.mp3"));
        assert_eq!(rig.dialled(), [], "{ip}:{port} was dialled");
    }
    let mut rig = Rig::online(config());
    rig.share("song.mp3", noise(100, 1));
    rig.share("other.mp3", noise(100, 2));
    rig.says(501, order(ALICE, 6_699, "song.mp3"));
    rig.says(501, order(ALICE, 6_699, "nothing.mp3"));
    assert_eq!(rig.dialled(), [], "nothing was accepted");
    rig.says(607, "bob \"song.mp3\"");
    rig.says(501, order(ALICE, 6_699, "other.mp3"));
    assert_eq!(rig.dialled(), [], "another file was");
    rig.says(501, order(ALICE, 6_699, "song.mp3"));
    assert_eq!(rig.dialled().len(), 1);
    rig.says(501, order(ALICE, 6_698, "song.mp3"));
    assert_eq!(rig.dialled().len(), 1, "once");
    // An acceptance does not last.
    let mut rig = Rig::online(config());
    rig.share("song.mp3", noise(100, 1));
    rig.says(607, "bob \"song.mp3\"");
    rig.secs(61);
    rig.says(501, order(ALICE, 6_699, "song.mp3"));
    assert_eq!(rig.dialled(), []);
}

#[test]
fn bad_input_14_a_641_cannot_aim_a_client_at_a_port() {
    for (ip, port, why) in BAD {
        let mut rig = Rig::online(config());
        let op = rig.ask(Command::BrowseDirect(Bytes::from_static(b"eve")));
        rig.says(641, format!("eve {} {port}", number(ip)));
        assert_eq!(rig.dialled(), [], "{ip}:{port} was dialled");
        assert_eq!(rig.finished.get(&op), Some(&Err(Error::Source(why.into()))), "{ip}:{port}");
    }
    let mut rig = Rig::online(config());
    rig.says(641, format!("eve {} 6699", number(ALICE)));
    assert_eq!(rig.dialled(), [], "nobody asked");
}

#[test]
fn bad_input_14_who_has_no_transfer_here_gets_nothing() {
    let mut rig = Rig::online(config());
    rig.share("song.mp3", noise(5_000, 1));
    rig.says(607, "bob \"song.mp3\"");
    rig.download(Wanted::new(&b"alice"[..], &b"x.mp3"[..]).sized(9));
    for words in [
        // Of nobody, and of somebody whose request was for another file.
        &b"stranger \"song.mp3\" 0"[..],
        b"bob \"x.mp3\" 0",
        // Offsets that are none, or lie behind the file.
        b"bob \"song.mp3\" -5",
        b"bob \"song.mp3\" 5001",
        b"bob \"song.mp3\" 1099511627776",
        b"bob \"song.mp3\" 99999999999999999999999",
        b"bob \"song.mp3\" x",
        b"bob song.mp3 0",
        b"bob \"\" 0",
        b"\"\" \"song.mp3\" 0",
        b"bob",
    ] {
        let conn = rig.accept();
        rig.heard(conn);
        rig.data(conn, "GET");
        rig.data(conn, words);
        rig.moment();
        if !rig.is_closed(conn) {
            // It may still become a request: it has so long.
            rig.secs(31);
        }
        let answer = rig.heard(conn);
        assert!(answer.is_empty() || answer == b"INVALID REQUEST", "{}", words.escape_ascii());
        assert!(rig.is_closed(conn), "{}", words.escape_ascii());
    }
    for words in [&b"stranger \"x.mp3\" 9"[..], b"alice \"x.mp3\" 9", b"alice \"song.mp3\" 9"] {
        // Nobody was asked to dial: alice was asked for the file, and has not said that she cannot be dialled.
        let conn = rig.accept();
        rig.heard(conn);
        rig.data(conn, "SEND");
        rig.data(conn, words);
        rig.moment();
        assert_eq!(rig.heard(conn), b"INVALID REQUEST", "{}", words.escape_ascii());
        assert!(rig.is_closed(conn));
    }
    assert_eq!(rig.disk.len(), 1, "nothing was written");
    assert!(!rig.events.iter().any(|(_, event)| matches!(event, Event::Uploading { .. })));
    // Nobody else is affected: the one that was accepted gets it.
    rig.says(607, "bob \"song.mp3\"");
    let conn = rig.accept();
    rig.heard(conn);
    rig.data(conn, "GET");
    rig.data(conn, "bob \"song.mp3\" 4990");
    rig.moment();
    assert_eq!(rig.heard(conn), [b"5000", &noise(5_000, 1)[4_990..]].concat());
}

#[test]
fn bad_input_14_a_file_brought_must_be_the_one_asked_for() {
    let sizes = ["0", "4", "1099511627776", "-5", "99999999999999999999999"];
    for size in sizes {
        let mut rig = Rig::online(config());
        let op = rig.download(Wanted::new(&b"alice"[..], &b"a\\x.mp3"[..]).sized(9));
        rig.says(204, format!("alice {} 0 \"a\\x.mp3\" 0 7", number(ALICE)));
        // Another file of the same user.
        let conn = rig.accept();
        rig.heard(conn);
        rig.data(conn, "SEND");
        rig.data(conn, "alice \"y.mp3\" 9");
        rig.moment();
        assert_eq!(rig.heard(conn), b"INVALID REQUEST");
        // The file, of another size.
        let conn = rig.accept();
        rig.heard(conn);
        rig.data(conn, "SEND");
        rig.data(conn, format!("alice \"x.mp3\" {size}"));
        rig.moment();
        assert_eq!(rig.heard(conn), b"INVALID REQUEST", "{size}");
        assert!(rig.is_closed(conn));
        match size.parse::<u64>() {
            Ok(said) => {
                let why = SourceError::Useless(Useless::Size { said, wanted: 9 });
                assert_eq!(rig.finished.get(&op), Some(&Err(Error::Source(why))));
            }
            // What is no number is of nobody; the one that was asked has its time.
            Err(_) => {
                rig.secs(600);
                assert!(rig.finished[&op].is_err());
            }
        }
        assert!(rig.disk.is_empty());
    }
    // More than the size is dropped, whatever it is: 2^40 bytes would be read one buffer at a time and held never.
    let mut rig = Rig::online(config());
    let op = rig.download(Wanted::new(&b"alice"[..], &b"x.mp3"[..]).sized(9));
    rig.says(204, format!("alice {} 0 \"x.mp3\" 0 7", number(ALICE)));
    let conn = rig.accept();
    rig.heard(conn);
    rig.data(conn, "SEND");
    rig.data(conn, "alice \"x.mp3\" 9");
    rig.moment();
    assert_eq!(rig.heard(conn), b"0");
    rig.data(conn, noise(100_000, 1));
    assert_eq!(rig.finished.get(&op), Some(&Ok(())));
    assert_eq!(rig.saved().unwrap().1, &noise(100_000, 1)[..9]);
    // A size that nobody knew before is believed, and costs nothing until bytes come.
    let op = rig.download(Wanted::new(&b"alice"[..], &b"z.mp3"[..]));
    rig.says(204, format!("alice {} 6699 \"z.mp3\" 0 7", number(ALICE)));
    let conn = rig.answers((ALICE, 6699));
    rig.get_on(conn);
    rig.data(conn, "1099511627776");
    rig.data(conn, "abc");
    rig.closes(conn, Ok(()));
    assert!(rig.client.inner().load().unwritten < 100);
    rig.secs(3_600);
    assert!(matches!(rig.finished[&op], Err(Error::Source(_))), "{:?}", rig.finished[&op]);
}

#[test]
fn bad_input_15_nothing_but_shares_is_served_and_long_messages_are_held_in_bounds() {
    // CVE-2000-0412: any readable file was served. Nothing is shared here, so there is nothing to ask for.
    let mut rig = Rig::online(config());
    rig.disk.insert(down("secret"), b"secret".to_vec());
    for verb in ["GET", "get", "HEAD / HTTP/1.0\r\n\r\n", "GET /etc/passwd HTTP/1.0\r\n\r\n", "SSH-2.0-x\r\n"]
    {
        let conn = rig.accept();
        rig.heard(conn);
        rig.data(conn, verb);
        rig.data(conn, "eve \"secret\" 0");
        rig.secs(31);
        let answer = rig.heard(conn);
        assert!(answer.is_empty() || answer == b"INVALID REQUEST", "{verb:?}: {}", answer.escape_ascii());
        assert!(rig.is_closed(conn), "{verb:?}");
    }
    // CVE-2000-0281: a long message. The longest that the wire can carry comes as it is.
    let text = "x".repeat(60_000);
    rig.take_events();
    rig.says(205, format!("eve {text}"));
    let events = rig.take_events();
    let [Event::Message { text: got, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(got.len(), text.len());
    // A stranger who says much and never what it wants.
    for piece in [1, 100, 10_000] {
        let conn = rig.accept();
        rig.heard(conn);
        for _ in 0..(20_000 / piece) {
            rig.data(conn, vec![b'G'; piece]);
        }
        assert!(rig.is_closed(conn));
        assert!(rig.client.inner().load().heard <= 2_400);
    }
    let conn = rig.accept();
    rig.data(conn, "GET");
    for _ in 0..3_000 {
        rig.data(conn, "x");
    }
    assert!(rig.is_closed(conn) && rig.client.inner().load().heard <= 2_400);
}

#[test]
fn bad_input_15_strangers_on_the_data_port_are_bounded() {
    let file = noise(200_000, 3);
    let mut crowd = Crowd::new(500).with(&file, Manners::default());
    let mut rig = Rig::online(config());
    let op = rig.download(crowd.wanted());
    let mut rng = Rng::fast_from(1);
    for _ in 0..20 {
        crowd.step(&mut rig, &mut rng);
    }
    let conns: Vec<_> = (0..1_000).map(|_| rig.accept()).collect();
    let limit = 32 + 2;
    assert!(rig.client.inner().load().streams <= limit);
    for conn in conns {
        rig.data(conn, "GE");
    }
    crowd.run(&mut rig, &mut rng, op);
    assert_eq!(rig.finished[&op], Ok(()), "the download went on");
    rig.secs(31);
    assert_eq!(rig.client.inner().load().streams, 0, "nobody may stay without a word");
}

#[test]
fn bad_input_16_a_hostile_server_changes_nothing() {
    let mut rig = Rig::online(config());
    rig.share("song.mp3", noise(100, 1));
    rig.said();
    rig.take_events();
    let (dialled, listening) = (rig.streams.len(), rig.client.inner().listening());
    for (kind, text) in [
        (5, "2.0 203.0.113.9:/evil.exe"),
        (613, "22"),
        (821, "203.0.113.9 8888"),
        (822, "203.0.113.9"),
        (900, "203.0.113.9 25 HELO"),
        (901, "2222 10 data"),
    ] {
        rig.says(kind, text);
        assert_eq!(rig.said(), [], "{kind}");
    }
    assert_eq!(rig.streams.len(), dialled, "nobody was dialled");
    assert_eq!(rig.client.inner().listening(), listening, "it listens where it did");
    assert!(!rig.is_closed(rig.server.unwrap()));
    let suggested: Vec<_> = rig
        .take_events()
        .into_iter()
        .map(|event| if let Event::Suggested(what) = event { what } else { panic!("{event:?}") })
        .collect();
    assert_eq!(
        suggested,
        [
            Suggestion::Upgrade(Bytes::from_static(b"2.0 203.0.113.9:/evil.exe")),
            Suggestion::Port(22),
            Suggestion::Server(Bytes::from_static(b"203.0.113.9:8888")),
            Suggestion::Metaserver(Bytes::from_static(b"203.0.113.9")),
            Suggestion::Dial(Bytes::from_static(b"203.0.113.9 25 HELO")),
            Suggestion::Listen(Bytes::from_static(b"2222 10 data")),
        ]
    );
    // Before it has let the client in, no less.
    let mut rig = Rig::new(config());
    rig.ask(Command::Join(Bootstrap::servers(["198.51.100.1:8888".parse::<SocketAddr>().unwrap()])));
    let [server] = rig.dialled()[..] else { panic!() };
    rig.opens(server);
    rig.is_server(server);
    rig.said();
    for (kind, text) in
        [(8, ""), (5, "2.0 h:/f"), (613, "22"), (821, "203.0.113.9 8888"), (822, "x"), (900, "x"), (901, "x")]
    {
        rig.says(kind, text);
    }
    assert_eq!((rig.dialled().len(), rig.said()), (0, vec![]));
    // With the application's consent it goes there, and is told everything there once.
    rig.says(3, "anon@server");
    rig.ask(Command::Join(Bootstrap::servers(["203.0.113.9:8888".parse::<SocketAddr>().unwrap()])));
    rig.let_in();
    assert!(rig.is_closed(server));
}

#[test]
fn bad_input_16_what_a_server_says_without_end_is_bounded() {
    let mut bounded = config();
    bounded.limits.hits = 50;
    bounded.limits.browse = 50;
    let mut rig = Rig::online(bounded);
    let search =
        rig.ask(<p2p_napster::Client as p2p_core::Search>::search(p2p_core::Keywords::new("song").into()));
    let browse = rig.ask(Command::Browse(Bytes::from_static(b"alice")));
    for n in 0..500 {
        rig.says(201, format!("\"song{n}.mp3\" 0 100 128 44100 60 alice {} 7", number(ALICE)));
        rig.says(212, format!("alice \"song{n}.mp3\" 0 100 128 44100 60"));
    }
    let hits = |op| {
        rig.events.iter().filter(|(of, event)| *of == Some(op) && matches!(event, Event::Hit(_))).count()
    };
    assert_eq!((hits(search), hits(browse)), (50, 50));
    // Garbage is survived for a while, and then the server is left.
    let server = rig.server.unwrap();
    for _ in 0..99 {
        rig.says(201, "\"unclosed");
    }
    assert!(!rig.is_closed(server));
    rig.says(201, "\"unclosed");
    assert!(rig.is_closed(server));
    assert_eq!(rig.finished[&search], Err(Error::ServerGone));
    assert_eq!(rig.finished[&browse], Err(Error::ServerGone));
    // A message that is announced and does not come holds no more than itself.
    let mut rig = Rig::online(config());
    let server = rig.server.unwrap();
    rig.data(server, [0xff, 0xff, 0xc9, 0]);
    for _ in 0..100 {
        rig.data(server, [b'x'; 500]);
    }
    assert!(rig.client.inner().load().session <= 66_000);
    rig.closes(server, Err(IoError::Reset));
    assert_eq!(rig.client.inner().load().session, 0);
    rig.pass(Duration::from_secs(1));
}
