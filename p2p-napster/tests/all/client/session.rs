//! Logging in, going on to the next server, and telling each of them everything once.

use super::rig::{ALICE, Rig, config, noise, number};
use bytes::Bytes;
use p2p_core::{Duration, Input, IoError, StreamInput};
use p2p_napster::client::{Bootstrap, Command, Error, Event, Timer, Wanted};
use std::collections::BTreeSet;
use std::net::SocketAddr;

const SERVERS: [&str; 3] = ["198.51.100.1:8888", "198.51.100.2:7777", "198.51.100.3:4444"];

fn servers() -> Bootstrap {
    Bootstrap::servers(SERVERS.map(|at| at.parse::<SocketAddr>().unwrap()))
}

fn at(rig: &Rig, conn: p2p_core::ConnId) -> String {
    rig.streams[&conn].to.unwrap().to_string()
}

#[test]
fn goes_on_to_the_next_server_with_jitter_and_shares_once_at_each() {
    let mut waits = BTreeSet::new();
    for seed in 0..40 {
        let mut rig = Rig::seeded(config(), seed);
        rig.ask(Command::Join(servers()));
        rig.let_in();
        let names: BTreeSet<String> = (0..50).map(|n| format!("song {n:02}.mp3")).collect();
        for name in &names {
            rig.share(name, noise(100, 1));
        }
        let told = rig.said_of(100);
        assert_eq!(told.len(), 50);
        rig.download(Wanted::new(&b"alice"[..], &b"x.mp3"[..]));
        rig.says(620, "alice \"x.mp3\" 5 1");
        for server in &SERVERS[1..] {
            let gone = rig.server.unwrap();
            rig.closes(gone, Err(IoError::Reset));
            assert_eq!(rig.dialled(), [], "not at once: so would do all users of a server");
            let wait = rig.timers[&Timer::Reconnect].since(rig.now);
            let (least, most) = (Duration::from_secs(1), Duration::from_secs(2));
            assert!(wait >= least && wait <= most, "{wait:?}");
            waits.insert(wait);
            rig.pass(wait);
            let [next] = rig.dialled()[..] else { panic!() };
            assert_eq!(at(&rig, next), *server);
            rig.let_in();
            let said = rig.said();
            let of = |kind: u16| said.iter().filter(move |(of, _)| *of == kind).map(|(_, text)| text.clone());
            assert_eq!(of(100).count(), 50, "each once");
            let again: BTreeSet<_> = of(100).map(|text| text.split('"').nth(1).unwrap().to_owned()).collect();
            assert_eq!(again, names);
            assert_eq!(
                of(203).collect::<Vec<_>>(),
                ["alice \"x.mp3\""],
                "and what is wanted is asked for again"
            );
            rig.says(620, "alice \"x.mp3\" 5 1");
            rig.secs(30);
            assert_eq!(rig.said_of(100).len(), 0, "and never again");
        }
    }
    assert!(waits.len() > 60, "drawn, not fixed: {}", waits.len());
}

#[test]
fn waits_longer_each_time_nobody_answers_up_to_a_limit() {
    let mut rig = Rig::new(config());
    rig.ask(Command::Join(servers()));
    rig.let_in();
    let gone = rig.server.take().unwrap();
    rig.closes(gone, Ok(()));
    let mut waits = Vec::new();
    for _ in 0..14 {
        let wait = rig.timers[&Timer::Reconnect].since(rig.now);
        waits.push(wait.as_secs_f64());
        rig.pass(wait);
        let [conn] = rig.dialled()[..] else { panic!() };
        rig.closes(conn, Err(IoError::Refused));
    }
    for (n, wait) in waits.iter().enumerate() {
        let span = (2.0 * f64::from(1 << n.min(20))).min(300.0);
        assert!(*wait >= span / 2.0 - 0.001 && *wait <= span + 0.001, "wait {n}: {wait} of {span}");
    }
    // And it is there again as soon as one answers.
    let wait = rig.timers[&Timer::Reconnect].since(rig.now);
    rig.pass(wait);
    rig.let_in();
    assert!(matches!(rig.take_events().last(), Some(Event::LoggedIn { .. })));
}

#[test]
fn a_join_tries_each_server_once() {
    let mut rig = Rig::new(config());
    let join = rig.ask(Command::Join(servers()));
    let mut tried = Vec::new();
    for _ in 0..3 {
        rig.pass(Duration::ZERO);
        let [conn] = rig.dialled()[..] else { panic!() };
        tried.push(at(&rig, conn));
        rig.closes(conn, Err(IoError::Refused));
    }
    assert_eq!(tried, SERVERS);
    assert_eq!(rig.finished.get(&join), Some(&Err(Error::Unreachable(IoError::Refused))));
    rig.secs(3_600);
    assert_eq!(rig.dialled(), [], "a join that failed goes on no more");
    // One that says nothing is left, one that refuses is, the third lets it in.
    let join = rig.ask(Command::Join(servers()));
    let [silent] = rig.dialled()[..] else { panic!() };
    rig.opens(silent);
    rig.secs(30);
    assert!(rig.is_closed(silent));
    rig.pass(Duration::ZERO);
    let [refuses] = rig.dialled()[..] else { panic!() };
    rig.opens(refuses);
    rig.is_server(refuses);
    rig.says(0, "This server is full (18000 connections)");
    rig.pass(Duration::ZERO);
    rig.let_in();
    assert_eq!(rig.finished.get(&join), Some(&Ok(())));
    assert_eq!(Rig::new(config()).ask_and_end(Command::Join(Bootstrap::default())), Err(Error::NoServer));
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    for (kind, text) in [(0, "Invalid Password"), (0, "me is already active")] {
        let mut rig = Rig::new(config());
        let join = rig.ask(Command::Join(Bootstrap::servers([SERVERS[0].parse::<SocketAddr>().unwrap()])));
        let [conn] = rig.dialled()[..] else { panic!() };
        rig.opens(conn);
        rig.is_server(conn);
        assert_eq!(rig.said(), [(2, format!("me pw 6699 \"p2p {}\" 0", env!("CARGO_PKG_VERSION")))]);
        rig.says(kind, text);
        assert_eq!(rig.finished.get(&join), Some(&Err(Error::Refused(Bytes::from(text.to_owned())))));
        assert!(rig.is_closed(conn));
    }
    // Somebody else logs in with the nick, as opennap says it.
    let mut rig = Rig::online(config());
    rig.take_events();
    rig.says(748, "");
    let [Event::LoggedOut(Error::Refused(_))] = &rig.take_events()[..] else { panic!() };
}

#[test]
fn a_nick_is_registered_only_where_it_is_free() {
    for (answer, then) in [((8, ""), Some(6)), ((9, ""), Some(2)), ((10, "reserved"), None)] {
        let mut config = config();
        config.email = Bytes::from_static(b"me@x.org");
        let mut rig = Rig::new(config);
        let bootstrap = Bootstrap::servers([SERVERS[0].parse::<SocketAddr>().unwrap()]).registering();
        let join = rig.ask(Command::Join(bootstrap));
        let [conn] = rig.dialled()[..] else { panic!() };
        rig.opens(conn);
        rig.is_server(conn);
        assert_eq!(rig.said(), [(7, "me".into())]);
        rig.says(answer.0, answer.1);
        match then {
            Some(kind) => {
                let said = rig.said();
                assert_eq!(said[0].0, kind);
                assert_eq!(said[0].1.ends_with(" me@x.org"), kind == 6, "{said:?}");
                rig.says(3, "me@x.org");
                assert_eq!(rig.finished[&join], Ok(()));
            }
            None => assert_eq!(rig.finished[&join], Err(Error::Nick(Bytes::from_static(b"reserved")))),
        }
    }
}

#[test]
fn ten_thousand_files_are_told_as_the_stream_takes_them() {
    let mut rig = Rig::new(config());
    for n in 0..10_000 {
        rig.share(&format!("song {n:05}.mp3"), b"abc".to_vec());
    }
    rig.ask(Command::Join(servers()));
    rig.let_in();
    let server = rig.server.unwrap();
    let (mut told, mut rounds) = (0, 0);
    loop {
        rig.give(Input::Stream(server, StreamInput::Full));
        let queued: usize = rig.streams[&server].writes.iter().map(Bytes::len).sum();
        assert!(queued < 80_000, "{queued} bytes queued at a full stream");
        let now = rig.said_of(100).len();
        rig.secs(5);
        assert_eq!(rig.said_of(100).len(), 0, "nothing while it is full");
        told += now;
        rounds += 1;
        if now == 0 {
            break;
        }
        rig.give(Input::Stream(server, StreamInput::Ready));
    }
    assert_eq!(told, 10_000);
    assert!(rounds > 5, "{rounds}");
}

#[test]
fn a_queue_is_asked_again_and_another_holder_meanwhile() {
    // 620 of the only holder: after a while.
    let mut rig = Rig::online(config());
    rig.said();
    let op = rig.download(Wanted::new(&b"alice"[..], &b"x.mp3"[..]).sized(3));
    for _ in 0..5 {
        assert_eq!(rig.said_of(203), ["alice \"x.mp3\""]);
        rig.says(620, "alice \"x.mp3\" 3 4");
        rig.secs(44);
        assert_eq!(rig.said_of(203), [""; 0]);
        rig.secs(1);
    }
    let (conn, _) = rig.alice_accepts("x.mp3");
    rig.data(conn, "3abc");
    assert_eq!(rig.finished[&op], Ok(()));
    let queued = rig.events.iter().filter(|(_, event)| {
        matches!(event, Event::Progress(progress) if progress.state == p2p_napster::client::State::Queued(4))
    });
    assert_eq!(queued.count(), 5);
    // Of the first of two: the second is asked soon.
    let mut rig = Rig::online(config());
    rig.said();
    rig.download(Wanted::new(&b"bob"[..], &b"y.mp3"[..]).or(&b"alice"[..], &b"x.mp3"[..]).sized(3));
    assert_eq!(rig.said_of(203), ["bob \"y.mp3\""]);
    rig.says(620, "bob \"y.mp3\" 3 4");
    rig.secs(1);
    assert_eq!(rig.said_of(203), ["alice \"x.mp3\""]);
}

#[test]
fn uploads_are_queued_in_order_and_bounded() {
    let mut config = config();
    config.limits.uploads.all = 2;
    config.limits.uploads.per_user = 1;
    config.limits.uploads.queue = 3;
    let mut rig = Rig::online(config);
    rig.share("x.mp3", b"abc".to_vec());
    rig.share("y.mp3", b"defg".to_vec());
    rig.said();
    let ask = |rig: &mut Rig, nick: &str, name: &str| {
        rig.says(607, format!("{nick} \"{name}\""));
        let said: Vec<_> = rig.said().into_iter().filter(|(kind, _)| ![220, 221].contains(kind)).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        said[0].0
    };
    assert_eq!(ask(&mut rig, "a", "x.mp3"), 608);
    assert_eq!(ask(&mut rig, "a", "y.mp3"), 619, "one each");
    assert_eq!(ask(&mut rig, "b", "x.mp3"), 608);
    assert_eq!(ask(&mut rig, "c", "x.mp3"), 619);
    assert_eq!(ask(&mut rig, "d", "x.mp3"), 619);
    for n in 0..100 {
        assert_eq!(ask(&mut rig, &format!("e{n}"), "x.mp3"), 619);
    }
    assert_eq!(rig.client.inner().load().queued, 3);
    // A gets its file: now it is c's turn, and not d's.
    let conn = rig.accept();
    rig.data(conn, "GET");
    rig.data(conn, "a \"x.mp3\" 0");
    rig.moment();
    assert_eq!(rig.heard(conn), b"13abc");
    rig.closes(conn, Ok(()));
    assert_eq!(ask(&mut rig, "d", "x.mp3"), 619);
    assert_eq!(ask(&mut rig, "a", "y.mp3"), 608, "who came first");
    rig.secs(61);
    // Nobody came for what was granted; who does not ask any more has lost its place.
    assert_eq!(ask(&mut rig, "c", "x.mp3"), 608);
    assert_eq!(ask(&mut rig, "d", "x.mp3"), 608);
    rig.secs(300);
    assert_eq!(ask(&mut rig, "z", "x.mp3"), 608);
    assert_eq!(rig.client.inner().load().queued, 0);
}

#[test]
fn uploads_are_told_from_their_beginning_to_their_end() {
    let mut config = config();
    config.limits.read = 10;
    config.report_every = Duration::from_millis(500);
    let mut rig = Rig::online(config);
    rig.share("x.mp3", noise(100, 3));
    rig.take_events();
    for nick in ["a", "b"] {
        rig.says(607, format!("{nick} \"x.mp3\""));
    }
    rig.manual = true;
    let streams = [("a", 20), ("b", 0)].map(|(nick, offset)| {
        let conn = rig.accept();
        rig.data(conn, "GET");
        rig.data(conn, format!("{nick} \"x.mp3\" {offset}"));
        rig.moment();
        conn
    });
    // Ten bytes of each in 200 ms: of those that are quicker than that, not every step is told.
    for _ in 0..7 {
        rig.pass(Duration::from_millis(200));
        rig.work_one();
        rig.work_one();
    }
    rig.closes(streams[1], Err(IoError::Reset));
    while rig.work_one() {}
    let told: Vec<String> = rig
        .take_events()
        .into_iter()
        .map(|event| match event {
            Event::Uploading { upload, nick, offset, size, .. } => {
                format!("{upload} to {nick:?} from {offset} of {size}")
            }
            Event::UploadProgress { upload, nick, have, size, .. } => {
                format!("{upload} to {nick:?} {have} of {size}")
            }
            Event::Uploaded { upload, nick, sent, complete, .. } => {
                format!("{upload} to {nick:?} ended with {sent} {complete}")
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "1 to b\"a\" from 20 of 100",
            "2 to b\"b\" from 0 of 100",
            "1 to b\"a\" 30 of 100",
            "2 to b\"b\" 10 of 100",
            "1 to b\"a\" 60 of 100",
            "2 to b\"b\" 40 of 100",
            "1 to b\"a\" 90 of 100",
            "2 to b\"b\" 70 of 100",
            "2 to b\"b\" ended with 70 false",
            "1 to b\"a\" ended with 80 true",
        ]
    );
}

#[test]
fn of_the_ignored_nothing_is_heard_shown_or_given() {
    let mut rig = Rig::online(config());
    rig.share("x.mp3", b"abc".to_vec());
    rig.said();
    rig.ask(Command::Ignore(Bytes::from_static(b"Eve")));
    assert_eq!(rig.said(), [(322, "Eve".into())]);
    rig.take_events();
    rig.says(205, "EVE hello");
    rig.says(403, "#lobby eve hello");
    rig.says(824, "#lobby eve \"waves\"");
    assert!(rig.take_events().is_empty());
    rig.says(607, "eve \"x.mp3\"");
    assert_eq!(rig.said(), [(609, "eve \"x.mp3\"".into())]);
    rig.says(640, "eve");
    assert_eq!(rig.said(), [(642, "eve".into())]);
    let search =
        rig.ask(<p2p_napster::Client as p2p_core::Search>::search(p2p_core::Keywords::new("x").into()));
    rig.says(201, format!("\"x.mp3\" 0 3 128 44100 60 eve {} 7", number(ALICE)));
    rig.says(201, format!("\"x.mp3\" 0 3 128 44100 60 bob {} 7", number(ALICE)));
    rig.says(202, "");
    let hits: Vec<_> = rig.events.iter().filter(|(op, _)| *op == Some(search)).collect();
    assert_eq!(hits.len(), 1);
    // The next server is told, too.
    let gone = rig.server.unwrap();
    rig.closes(gone, Ok(()));
    rig.secs(2);
    rig.let_in();
    assert_eq!(rig.said_of(322), ["eve"]);
    rig.ask(Command::Unignore(Bytes::from_static(b"eve")));
    assert_eq!(rig.said_of(323), ["eve"]);
    rig.says(607, "eve \"x.mp3\"");
    assert_eq!(rig.said_of(608), ["eve \"x.mp3\""]);
}

#[test]
fn hotlists_and_channels_outlive_a_server() {
    let mut rig = Rig::online(config());
    rig.said();
    rig.ask(Command::Watch(Bytes::from_static(b"alice")));
    rig.ask(Command::Enter(Bytes::from_static(b"#lobby")));
    rig.ask(Command::Enter(Bytes::from_static(b"#other")));
    rig.ask(Command::Part(Bytes::from_static(b"#other")));
    let said = rig.said();
    let kinds: Vec<_> = said.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [207, 400, 400, 401]);
    let gone = rig.server.unwrap();
    rig.closes(gone, Ok(()));
    rig.secs(2);
    rig.let_in();
    let said = rig.said();
    assert!(said.contains(&(208, "alice".into())) && said.contains(&(400, "#lobby".into())), "{said:?}");
    assert_eq!(said.iter().filter(|(kind, _)| *kind == 400).count(), 1);
    rig.ask(Command::Leave);
    rig.server = None;
    rig.secs(3_600);
    assert_eq!(rig.dialled(), [], "who has left stays away");
    assert_eq!(rig.ask_and_end(Command::Ping(Bytes::from_static(b"alice"))), Err(Error::Offline));
}

#[test]
fn messages_that_have_no_command_are_said_and_their_answers_told() {
    let mut rig = Rig::online(config());
    rig.said();
    rig.take_events();
    let text = Bytes::from_static;
    for (command, said) in [
        (Command::Emote { channel: text(b"#a"), text: text(b"waves") }, (824, "#a \"waves\"")),
        (Command::SetTopic { channel: text(b"#a"), text: text(b"all of it") }, (410, "#a all of it")),
        (Command::Raw { kind: 612, text: text(b"10.0.0.0/8 \"spam\"") }, (612, "10.0.0.0/8 \"spam\"")),
        (Command::Raw { kind: 615, text: Bytes::new() }, (615, "")),
    ] {
        assert_eq!(rig.ask_and_end(command), Ok(()));
        assert_eq!(rig.said(), [(said.0, said.1.to_owned())]);
    }
    rig.says(616, "10.0.0.0 boss \"spam\" 900 0");
    rig.says(31_337, "what is this");
    let told = rig.take_events().into_iter().map(|event| match event {
        Event::Other { kind, text } => (kind, text),
        other => panic!("{other:?}"),
    });
    let bans = (616, text(b"10.0.0.0 boss \"spam\" 900 0"));
    assert_eq!(told.collect::<Vec<_>>(), [bans, (31_337, text(b"what is this"))]);
    // What would confuse the client itself, and what no server would take.
    for kind in [2, 6, 100, 110, 200, 203, 215, 500, 608, 703, 870, 10_300] {
        assert_eq!(rig.ask_and_end(Command::Raw { kind, text: Bytes::new() }), Err(Error::Own(kind)));
    }
    let long = Command::Raw { kind: 205, text: vec![b'x'; 2_049].into() };
    assert!(matches!(rig.ask_and_end(long), Err(Error::Limit { .. })));
    assert_eq!(rig.said(), []);
    let mut offline = Rig::new(config());
    assert_eq!(offline.ask_and_end(Command::Raw { kind: 615, text: Bytes::new() }), Err(Error::Offline));
}

#[test]
fn a_closed_data_port_is_told_to_its_owner() {
    let mut rig = Rig::online(config());
    for (why, told) in [(IoError::Refused, 1), (IoError::TimedOut, 1), (IoError::Reset, 0)] {
        rig.said();
        rig.download(Wanted::new(&b"alice"[..], format!("{why}.mp3").into_bytes()).sized(3));
        rig.says(204, format!("alice {} 6699 \"{why}.mp3\" 0 7", number(ALICE)));
        let [conn] = rig.dialled()[..] else { panic!() };
        rig.closes(conn, Err(why));
        assert_eq!(rig.said_of(626), vec!["alice"; told], "{why}");
    }
    rig.take_events();
    rig.says(626, "bob");
    let told = rig.take_events();
    assert!(matches!(&told[..], [Event::Unreachable { nick }] if nick == "bob"), "{told:?}");
}

#[test]
fn searches_are_one_at_a_time_and_paced() {
    let mut rig = Rig::online(config());
    rig.said();
    let search = |rig: &mut Rig, word: &str| {
        rig.ask(<p2p_napster::Client as p2p_core::Search>::search(p2p_core::Keywords::new(word).into()))
    };
    let ops: Vec<_> = (0..20).map(|n| search(&mut rig, &format!("word{n}"))).collect();
    let mut sent_at = Vec::new();
    for op in &ops {
        for _ in 0..100 {
            if !rig.said_of(200).is_empty() {
                break;
            }
            rig.pass(Duration::from_millis(100));
        }
        sent_at.push(rig.now);
        rig.says(202, "");
        assert_eq!(rig.finished[op], Ok(()));
    }
    assert_eq!(sent_at[9].since(sent_at[0]), Duration::ZERO, "a burst");
    let gap = sent_at[19].since(sent_at[15]);
    assert!(gap >= Duration::from_secs(8) && gap < Duration::from_secs(9), "{gap:?}");
    // One that is cancelled has to end before the next: its hits are not taken for those of the next.
    let first = search(&mut rig, "first");
    let second = search(&mut rig, "second");
    rig.secs(5);
    rig.give(Input::Op(first, p2p_core::OpInput::Cancel));
    rig.said();
    rig.says(201, format!("\"first.mp3\" 0 3 128 44100 60 bob {} 7", number(ALICE)));
    rig.says(202, "");
    rig.secs(5);
    assert_eq!(rig.said_of(200).len(), 1);
    rig.says(201, format!("\"second.mp3\" 0 3 128 44100 60 bob {} 7", number(ALICE)));
    rig.says(202, "");
    let hits: Vec<_> = rig.events.iter().filter(|(op, _)| *op == Some(second)).collect();
    assert_eq!((hits.len(), rig.finished[&second].clone()), (1, Ok(())));
    // A server that does not end a search is not waited for without end.
    let late = search(&mut rig, "late");
    rig.secs(210);
    assert_eq!(rig.finished[&late], Err(Error::TimedOut));
}

#[test]
fn a_stop_writes_what_came_and_ends_everything() {
    let mut rig = Rig::online(config());
    rig.share("x.mp3", b"abc".to_vec());
    rig.said();
    let op = rig.download(Wanted::new(&b"alice"[..], &b"x.mp3"[..]).sized(1_000));
    let (conn, _) = rig.alice_accepts("x.mp3");
    rig.data(conn, "1000");
    rig.data(conn, [b'x'; 300]);
    let whois = rig.ask(Command::Whois(Bytes::from_static(b"alice")));
    rig.give(Input::Stop);
    assert!(rig.halted);
    assert_eq!(rig.finished[&op], Err(Error::Stopping));
    assert_eq!(rig.finished[&whois], Err(Error::Stopping));
    assert_eq!(rig.disk[&super::rig::down("x.mp3.1000.part")], [b'x'; 300]);
    assert_eq!(rig.disk[&super::rig::down("x.mp3.1000.part.kept")], b"300");
}

/// A disk that does not answer holds a stop up for so long and no longer, and every operation is told.
#[test]
fn a_stop_does_not_wait_for_a_dead_disk() {
    let mut rig = Rig::online(config());
    rig.said();
    let op = rig.download(Wanted::new(&b"alice"[..], &b"x.mp3"[..]).sized(1_000));
    let (conn, _) = rig.alice_accepts("x.mp3");
    rig.manual = true;
    rig.data(conn, "1000");
    rig.data(conn, [b'x'; 300]);
    rig.give(Input::Stop);
    assert!(!rig.halted && !rig.finished.contains_key(&op), "what came is being written");
    rig.secs(5);
    assert!(rig.halted);
    assert_eq!(rig.finished[&op], Err(Error::Stopping));
}
