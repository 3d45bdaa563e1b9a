//! What clients of the time do differently, each played by a scripted peer.

use super::crowd::{Crowd, Manners};
use super::rig::{ALICE, Rig, config, down, noise, number, part};
use bytes::Bytes;
use p2p_core::hash::Md5Hash;
use p2p_core::{Digest, DigestKind, Digester, IoError, Rng};
use p2p_napster::client::{Bootstrap, Command, Error, Event, Hit, SourceError, State, Wanted};
use p2p_napster::transfer::intake::Useless;
use std::collections::BTreeMap;
use std::net::SocketAddr;

const NAME: &str = "C:\\mp3\\Band - Song.mp3";

/// A download of `size` bytes that alice has accepted, up to the client's request.
fn accepted(size: Option<u64>) -> (Rig, p2p_core::OpId, p2p_core::ConnId, String) {
    let mut rig = Rig::online(config());
    rig.said();
    let mut wanted = Wanted::new(&b"alice"[..], NAME);
    wanted.size = size;
    let op = rig.download(wanted);
    let (conn, request) = rig.alice_accepts(NAME);
    (rig, op, conn, request)
}

/// A file of ours that bob has asked for, and was granted.
fn granted(content: Vec<u8>) -> Rig {
    let mut rig = Rig::online(config());
    rig.share(NAME, content);
    rig.says(607, format!("bob \"{NAME}\""));
    assert_eq!(rig.said_of(608), [format!("bob \"{NAME}\"")]);
    rig
}

#[test]
fn get_is_a_segment_of_its_own_in_both_directions() {
    // As dialler: TekNap and MP3::Napster refuse the two in one.
    let (mut rig, op, conn, request) = accepted(Some(3));
    assert_eq!(request, format!("me \"{NAME}\" 0"));
    rig.data(conn, "3abc");
    assert_eq!(rig.finished[&op], Ok(()));
    // As listener, in two, byte by byte, and before our greeting was read (TekNap).
    for step in [1, 3, 1_000] {
        let mut rig = granted(b"content".to_vec());
        let conn = rig.accept();
        assert_eq!(rig.heard(conn), b"1");
        for part in b"GET".chunks(step).chain(format!("bob \"{NAME}\" 0").as_bytes().chunks(step)) {
            rig.data(conn, part);
        }
        rig.moment();
        assert_eq!(rig.heard(conn), b"7content", "in pieces of {step}");
        assert!(rig.is_closed(conn));
    }
}

#[test]
fn get_glued_to_its_arguments_is_understood() {
    for glued in
        [format!("GETbob \"{NAME}\" 0"), format!("GET bob \"{NAME}\" 0"), format!("GETbob \"{NAME}\" 3")]
    {
        let mut rig = granted(b"content".to_vec());
        let conn = rig.accept();
        rig.heard(conn);
        rig.data(conn, &glued);
        rig.moment();
        let from: usize = glued[glued.len() - 1..].parse().unwrap();
        assert_eq!(rig.heard(conn), [b"7", &b"content"[from..]].concat());
    }
}

#[test]
fn a_size_without_end_before_a_file_of_digits() {
    let file = b"0123456789";
    for step in [1, 2, 3, 100] {
        let (mut rig, op, conn, _) = accepted(Some(10));
        for part in [b"10".as_slice(), file].concat().chunks(step) {
            rig.data(conn, part);
        }
        // More digits than those of the size: it is certain once nothing follows.
        assert!(!rig.finished.contains_key(&op));
        rig.closes(conn, Ok(()));
        assert_eq!(rig.finished[&op], Ok(()), "in pieces of {step}");
        assert_eq!(rig.saved().unwrap().1, file);
    }
    // A holder that leaves the stream open.
    let (mut rig, op, conn, _) = accepted(Some(10));
    rig.data(conn, "100123456789");
    rig.secs(2);
    assert_eq!(rig.finished[&op], Ok(()));
    assert!(rig.is_closed(conn));
    // A size that nobody has said, in a segment of its own, as all clients send it.
    let (mut rig, op, conn, _) = accepted(None);
    rig.data(conn, "10");
    rig.data(conn, file);
    rig.closes(conn, Ok(()));
    assert_eq!(rig.finished[&op], Ok(()));
    assert_eq!(rig.saved().unwrap().1, file);
}

#[test]
fn a_larger_file_does_not_pass_for_one_whose_size_begins_alike() {
    // 4,000 bytes are wanted, 40,000 are there: "4000" and a file that begins with "0", or "40000"?
    let other = noise(40_000, 1);
    for step in [1_000, 3_999, 4_000, 40_005] {
        let (mut rig, op, conn, _) = accepted(Some(4_000));
        for part in [b"40000".as_slice(), &other].concat().chunks(step) {
            rig.data(conn, part);
        }
        let why = SourceError::Useless(Useless::Size { said: 40_000, wanted: 4_000 });
        let said: Vec<_> = rig.events.iter().filter_map(|(_, event)| trying(event)).collect();
        assert_eq!(said[..1], [&why], "in pieces of {step}");
        assert_eq!(rig.finished[&op], Err(Error::Source(why.clone())));
        assert!(rig.saved().is_none());
        assert_eq!(rig.kept(), 0, "nothing of it stays to be gone on with");
    }
    // Another holder has the right one, and is gone on with from the first byte.
    let file = noise(4_000, 2);
    let mut crowd = Crowd::new(700).with(&file, Manners::default()).with(&file, Manners::default());
    crowd.holders[0].file = other;
    let mut rig = Rig::online(config());
    let wanted = Wanted::new(&b"holder0"[..], super::crowd::NAME).or(&b"holder1"[..], super::crowd::NAME);
    let op = rig.download(wanted.sized(4_000));
    crowd.run(&mut rig, &mut Rng::fast_from(1), op);
    assert_eq!(rig.finished[&op], Ok(()));
    assert!(rig.saved().unwrap().1 == file);
    assert_eq!(crowd.holders[1].asked, [0]);
}

fn trying(event: &Event) -> Option<&SourceError> {
    match event {
        Event::Progress(progress) => match &progress.state {
            State::Trying(why) => Some(why),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_size_that_is_another_is_another_file() {
    for said in ["4001", "400", "39999", "5"] {
        let (mut rig, op, conn, _) = accepted(Some(4_000));
        rig.data(conn, said);
        rig.data(conn, [0xff; 100]);
        assert!(rig.is_closed(conn));
        let why = Useless::Size { said: said.parse().unwrap(), wanted: 4_000 };
        assert_eq!(rig.finished[&op], Err(Error::Source(why.into())), "{said}");
    }
}

#[test]
fn refusals_in_words_are_told_in_those_words() {
    for words in ["INVALID REQUEST", "FILE NOT SHARED", "busy, go away"] {
        let (mut rig, op, conn, _) = accepted(Some(4_000));
        for byte in words.bytes() {
            rig.data(conn, [byte]);
        }
        rig.closes(conn, Ok(()));
        let why = Useless::Refused(Bytes::from_static(words.as_bytes()));
        assert_eq!(rig.finished[&op], Err(Error::Source(why.into())));
    }
}

/// A disk that has the beginning of the file that is wanted.
fn begun(file: &[u8], here: usize) -> BTreeMap<p2p_core::FileId, Vec<u8>> {
    let name = format!("Band - Song.mp3.{}.part", file.len());
    BTreeMap::from(part(&name, &file[..here]))
}

#[test]
fn an_uploader_that_ignores_the_offset_is_resumed_from() {
    let file = noise(50_000, 3);
    for here in [1, 1_000, 1_024, 1_025, 30_000, 49_999] {
        let manners = Manners { ignores_offset: true, ..Manners::default() };
        let mut crowd = Crowd::new(777).with(&file, manners);
        let mut rig = Rig::with(config(), begun(&file, here));
        rig.log_in();
        let op = rig.download(crowd.wanted());
        crowd.run(&mut rig, &mut Rng::fast_from(1), op);
        assert_eq!(rig.finished[&op], Ok(()), "{here} bytes were here");
        assert!(rig.saved().unwrap().1 == file);
        assert_eq!(crowd.holders[0].gave, file.len());
    }
}

#[test]
fn an_uploader_that_honours_the_offset_sends_the_rest_only() {
    let file = noise(50_000, 4);
    for (counts_rest, here) in [(false, 30_000), (true, 30_000), (false, 49_999), (true, 1_025)] {
        let manners = Manners { counts_rest, ..Manners::default() };
        let mut crowd = Crowd::new(777).with(&file, manners);
        let mut rig = Rig::with(config(), begun(&file, here));
        rig.log_in();
        let op = rig.download(crowd.wanted());
        crowd.run(&mut rig, &mut Rng::fast_from(1), op);
        assert_eq!(rig.finished[&op], Ok(()), "{here} bytes were here");
        assert!(rig.saved().unwrap().1 == file);
        assert_eq!(crowd.holders[0].asked, [here - 1_024]);
    }
}

#[test]
fn what_differs_from_what_is_here_is_not_appended() {
    let (file, other) = (noise(50_000, 5), noise(50_000, 6));
    for ignores_offset in [false, true] {
        let manners = Manners { ignores_offset, ..Manners::default() };
        let mut crowd = Crowd::new(777).with(&other, manners).with(&file, manners);
        let mut rig = Rig::with(config(), begun(&file, 30_000));
        rig.log_in();
        let op = rig.download(crowd.wanted());
        crowd.run(&mut rig, &mut Rng::fast_from(1), op);
        assert_eq!(rig.finished[&op], Ok(()));
        assert!(rig.saved().unwrap().1 == file);
        let whys: Vec<_> = rig.events.iter().filter_map(|(_, event)| trying(event)).collect();
        assert_eq!(whys, [&SourceError::Useless(Useless::Differs)]);
    }
}

#[test]
fn an_uploader_that_stops_short_is_asked_again_and_given_up_at_last() {
    // giFT never sends the last block: what came is kept, and the end is said.
    let file = noise(10_000, 7);
    let gift = Manners { loses: 2_048, ..Manners::default() };
    let mut crowd = Crowd::new(1_000).with(&file, gift);
    let mut rig = Rig::online(config());
    let op = rig.download(crowd.wanted());
    crowd.run(&mut rig, &mut Rng::fast_from(1), op);
    let short = SourceError::Short { have: 10_000 - 2_048, size: 10_000 };
    assert_eq!(rig.finished[&op], Err(Error::Source(short)));
    assert_eq!(crowd.holders[0].asked.len(), 3, "the limit of attempts");
    assert_eq!(rig.kept(), 10_000 - 2_048);
    // Of a file that is smaller than the block nothing comes at all.
    let mut crowd = Crowd::new(1_000).with(&file[..1_000], gift);
    let mut rig = Rig::online(config());
    let op = rig.download(crowd.wanted());
    crowd.run(&mut rig, &mut Rng::fast_from(1), op);
    assert_eq!(rig.finished[&op], Err(Error::Source(SourceError::Short { have: 0, size: 1_000 })));
    // One that stops every 3,000 bytes comes to the end all the same.
    let mut crowd = Crowd::new(1_000).with(&file, Manners { stops_after: Some(3_000), ..Manners::default() });
    let mut rig = Rig::online(config());
    let op = rig.download(crowd.wanted());
    crowd.run(&mut rig, &mut Rng::fast_from(1), op);
    assert_eq!(rig.finished[&op], Ok(()));
    assert!(rig.saved().unwrap().1 == file);
}

fn md5(content: &[u8]) -> String {
    let mut digester = Digester::new(DigestKind::Md5);
    digester.update(content);
    let digest: Digest = digester.finish();
    Md5Hash(digest.as_ref().try_into().unwrap()).to_string()
}

/// Hits of a search, of this many answers of a server.
fn hits(answers: &[String]) -> Vec<Hit> {
    let mut rig = Rig::online(config());
    let op =
        rig.ask(<p2p_napster::Client as p2p_core::Search>::search(p2p_core::Keywords::new("song").into()));
    for answer in answers {
        rig.says(201, answer);
    }
    rig.says(202, "");
    assert_eq!(rig.finished[&op], Ok(()));
    let events = rig.take_events().into_iter();
    events.filter_map(<p2p_napster::Client as p2p_core::Search>::hit).collect()
}

#[test]
fn digests_of_three_prefixes_and_none_are_told_and_prove_nothing() {
    // Ours is that of Windows' client: 300,032 bytes, or all of a smaller file.
    for len in [299_008, 300_031, 300_032, 300_033, 400_000, 5] {
        let content = noise(len, 8);
        let mut rig = Rig::online(config());
        rig.share(NAME, content.clone());
        let told = rig.said_of(100);
        let want = md5(&content[..len.min(300_032)]);
        assert_eq!(told, [format!("\"{NAME}\" {want} {len} 128 44100 0")]);
    }
    // What others have is over 299,008 bytes (giFT), 300,032 (MP3::Napster), all of it, or no digest (TekNap). One file
    // is fetched of all of them, for none of these says that it is another.
    let file = noise(400_000, 9);
    let digests =
        [md5(&file[..299_008]), md5(&file[..300_032]), md5(&file), "NOMD5COMPUTED".into(), "0".into()];
    let answers: Vec<_> = digests
        .iter()
        .enumerate()
        .map(|(n, md5)| {
            format!("\"{}\" {md5} 400000 128 44100 60 holder{n} {} 7", super::crowd::NAME, number(ALICE))
        })
        .collect();
    let hits = hits(&answers);
    let md5s: Vec<_> = hits.iter().map(|hit| String::from_utf8_lossy(&hit.md5).into_owned()).collect();
    assert_eq!(md5s, digests);
    let mut crowd = (0..5).fold(Crowd::new(5_000), |crowd, _| crowd.with(&file, Manners::default()));
    let wanted = hits[1..]
        .iter()
        .fold(Wanted::from(&hits[0]), |wanted, hit| wanted.or(hit.nick.clone(), hit.name.clone()));
    let mut few = config();
    few.limits.range_min = 20_000;
    let mut rig = Rig::online(few);
    let op = rig.download(wanted);
    crowd.run(&mut rig, &mut Rng::fast_from(1), op);
    assert_eq!(rig.finished[&op], Ok(()));
    assert!(rig.saved().unwrap().1 == file);
}

#[test]
fn a_file_brought_under_the_last_part_of_its_name_is_known() {
    for name in ["Band - Song.mp3", NAME] {
        for glued in [false, true] {
            let mut rig = Rig::online(config());
            rig.said();
            let op = rig.download(Wanted::new(&b"alice"[..], NAME).sized(5));
            rig.says(204, format!("alice {} 0 \"{NAME}\" {} 7", number(ALICE), "0".repeat(32)));
            assert_eq!(rig.said_of(500), [format!("alice \"{NAME}\"")]);
            let conn = rig.accept();
            assert_eq!(rig.heard(conn), b"1");
            if glued {
                rig.data(conn, format!("SENDalice \"{name}\" 5"));
            } else {
                rig.data(conn, "SEND");
                rig.data(conn, format!("alice \"{name}\" 5"));
            }
            rig.moment();
            assert_eq!(rig.heard(conn), b"0");
            rig.data(conn, "bytes");
            assert_eq!(rig.finished[&op], Ok(()));
            assert_eq!(rig.saved().unwrap(), (&down("Band - Song.mp3"), &b"bytes"[..]));
        }
    }
}

#[test]
fn names_of_any_charset_are_kept_byte_for_byte() {
    for (name, shown) in [
        (&b"Bj\xf6rk - J\xf3ga.mp3"[..], "Björk - Jóga.mp3"),
        ("Björk - Jóga.mp3".as_bytes(), "Björk - Jóga.mp3"),
        (b"50 \x80 \x93quoted\x94.mp3", "50 € “quoted”.mp3"),
        // Neither: U+009D has no character in CP1252 and is left out.
        (b"\xe2\x28\xa1 \x9d.mp3", "â(¡ .mp3"),
    ] {
        let mut rig = Rig::online(config());
        rig.said();
        let search =
            rig.ask(<p2p_napster::Client as p2p_core::Search>::search(p2p_core::Keywords::new("x").into()));
        let answer =
            [b"\"", name, format!("\" 0 3 128 44100 60 alice {} 7", number(ALICE)).as_bytes()].concat();
        rig.says(201, answer);
        rig.says(202, "");
        assert_eq!(rig.finished[&search], Ok(()));
        let hit =
            rig.take_events().into_iter().find_map(<p2p_napster::Client as p2p_core::Search>::hit).unwrap();
        assert_eq!(&hit.name[..], name);
        rig.said();
        let op = rig.download(Wanted::from(&hit));
        // The holder is asked with its own bytes, or it would not know the file.
        let raw = rig.heard(rig.server.unwrap());
        assert!(raw.windows(name.len()).any(|window| window == name), "{}", raw.escape_ascii());
        rig.says(204, [format!("alice {} 6699 \"", number(ALICE)).as_bytes(), name, b"\" 0 7"].concat());
        let conn = rig.answers((ALICE, 6699));
        rig.data(conn, "1");
        rig.heard(conn);
        rig.moment();
        assert_eq!(rig.heard(conn), [b"me \"", name, b"\" 0"].concat());
        rig.data(conn, "3abc");
        assert_eq!(rig.finished[&op], Ok(()));
        assert_eq!(rig.saved().unwrap().0.path().as_str(), shown);
    }
    // And what is shared under such a name is found by it.
    let name = b"Bj\xf6rk - J\xf3ga.mp3";
    let mut rig = Rig::online(config());
    let file = super::rig::shared("jóga.mp3");
    rig.disk.insert(file.clone(), b"abc".to_vec());
    rig.ask(Command::Share(Box::new(p2p_napster::client::SharedFile::new(&name[..], file))));
    rig.says(607, [b"bob \"", &name[..], b"\""].concat());
    let conn = rig.accept();
    rig.heard(conn);
    rig.data(conn, "GET");
    rig.data(conn, [b"bob \"", &name[..], b"\" 0"].concat());
    rig.moment();
    assert_eq!(rig.heard(conn), b"3abc");
}

#[test]
fn a_quote_in_a_name_is_mapped_there_and_back() {
    let mut rig = Rig::online(config());
    rig.said();
    rig.share("The \"Best\" of.mp3", b"abc".to_vec());
    let told = rig.said_of(100);
    assert!(told[0].starts_with("\"The 'Best' of.mp3\" "), "{told:?}");
    rig.says(607, "bob \"The 'Best' of.mp3\"");
    assert_eq!(rig.said_of(608), ["bob \"The 'Best' of.mp3\""]);
    let op = rig.ask(Command::Unshare(Bytes::from_static(b"The \"Best\" of.mp3")));
    assert_eq!(rig.finished[&op], Ok(()));
    // 102 takes the name without quotes; with them servers know no such file.
    assert_eq!(rig.said(), [(102, "The 'Best' of.mp3".into())]);
}

#[test]
fn direct_browse_in_every_form_that_was_seen() {
    const LINE: &str = "\"\\srv\\Tek Band - Tek Song.mp3\" NOMD5COMPUTED 40000 128 44100 2\n";
    for answer in [
        // MP3::Napster and the specification, TekNap, and a pushed list's verb.
        format!("alice\n{LINE}\n"),
        format!("SENDLIST\nalice\n{LINE}\n"),
        format!("SENDLIST alice\n{LINE}\n"),
        format!("alice\r\n{}\r\n", LINE.replace('\n', "\r\n")),
    ] {
        for step in [1, 10, 1_000] {
            let mut rig = Rig::online(config());
            rig.said();
            let op = rig.ask(Command::BrowseDirect(Bytes::from_static(b"alice")));
            assert_eq!(rig.said(), [(640, "alice".into())]);
            rig.says(641, format!("alice {} 6699", number(ALICE)));
            let conn = rig.answers((ALICE, 6699));
            rig.data(conn, "1");
            // Without an end of line: TekNap's own has one, which it does not understand itself.
            assert_eq!(rig.heard(conn), b"GETLIST");
            for part in answer.as_bytes().chunks(step) {
                rig.data(conn, part);
            }
            assert_eq!(rig.finished.get(&op), Some(&Ok(())), "{answer:?} in pieces of {step}");
            let hits: Vec<_> = rig
                .take_events()
                .into_iter()
                .filter_map(<p2p_napster::Client as p2p_core::Search>::hit)
                .collect();
            assert_eq!(hits.len(), 1);
            assert_eq!((&hits[0].name[..], hits[0].size), (&b"\\srv\\Tek Band - Tek Song.mp3"[..], 40_000));
            assert!(rig.is_closed(conn));
        }
    }
    // TekNap's verb has an end of line.
    for verb in ["GETLIST", "GETLIST\n", "GETLIST\r\n"] {
        let mut rig = Rig::online(config());
        rig.share(NAME, b"abc".to_vec());
        rig.says(640, "bob");
        assert_eq!(rig.said_of(641), ["bob"]);
        let conn = rig.accept();
        rig.heard(conn);
        rig.data(conn, verb);
        rig.moment();
        let list = String::from_utf8(rig.heard(conn)).unwrap();
        assert_eq!(list, format!("me\n\"{NAME}\" {} 3 128 44100 0\n\n", md5(b"abc")));
        assert!(rig.is_closed(conn));
    }
    // A client that cannot be dialled says 641 with port 0, and brings its list.
    let mut rig = Rig::online(config());
    let op = rig.ask(Command::BrowseDirect(Bytes::from_static(b"alice")));
    rig.says(641, format!("alice {} 0", number(ALICE)));
    let conn = rig.accept();
    rig.data(conn, "SENDLIST alice\n");
    rig.data(conn, LINE);
    rig.data(conn, "\n");
    assert_eq!(rig.finished[&op], Ok(()));
    // TekNap breaks the stream off at once: an error, and nothing hangs.
    let mut rig = Rig::online(config());
    let op = rig.ask(Command::BrowseDirect(Bytes::from_static(b"tek1")));
    rig.says(641, format!("tek1 {} 6711", number(ALICE)));
    let conn = rig.answers((ALICE, 6711));
    rig.data(conn, "1");
    rig.data(conn, "SENDLIST\n");
    rig.closes(conn, Err(IoError::Reset));
    assert_eq!(rig.finished[&op], Err(Error::Source(SourceError::Silent)));
}

#[test]
fn a_metaserver_that_names_loopback_is_busy() {
    let meta: SocketAddr = "198.51.100.9:8875".parse().unwrap();
    for (answer, why) in [
        ("127.0.0.1:8888\n", Error::Busy),
        ("127.9.9.9:8888\n", Error::Busy),
        ("\n", Error::Busy),
        ("busy\n", Error::Garbled),
        ("224.0.0.1:8888\n", Error::Garbled),
        ("0.0.0.0:8888\n", Error::Garbled),
        ("203.0.113.1:0\n", Error::Garbled),
        ("203.0.113.1:25\n", Error::Garbled),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", Error::Garbled),
    ] {
        let mut rig = Rig::new(config());
        let join = rig.ask(Command::Join(Bootstrap::default().with_metaserver(meta)));
        let [conn] = rig.dialled()[..] else { panic!() };
        rig.opens(conn);
        rig.data(conn, answer);
        assert_eq!(rig.finished.get(&join), Some(&Err(why)), "{answer:?}");
        assert!(rig.is_closed(conn));
        rig.secs(10);
        assert_eq!(rig.dialled(), []);
    }
    // In two segments, and without an end of line before the stream ends, as they were recorded.
    for parts in [&["203.0.113.1:88", "88\n"][..], &["203.0.113.1:8888", "\n"], &["203.0.113.1:8888"]] {
        let mut rig = Rig::new(config());
        let join = rig.ask(Command::Join(Bootstrap::default().with_metaserver(meta)));
        let [conn] = rig.dialled()[..] else { panic!() };
        rig.opens(conn);
        for part in parts {
            rig.data(conn, part);
        }
        rig.closes(conn, Ok(()));
        let [server] = rig.dialled()[..] else { panic!("{parts:?}: {:?}", rig.finished) };
        assert_eq!(rig.streams[&server].to, Some("203.0.113.1:8888".parse().unwrap()));
        rig.let_in();
        assert_eq!(rig.finished[&join], Ok(()));
    }
    // A server on this machine may say so: everything is on it then.
    let mut rig = Rig::new(config());
    rig.ask(Command::Join(
        Bootstrap::default().with_metaserver("127.0.0.1:8875".parse::<SocketAddr>().unwrap()),
    ));
    let [conn] = rig.dialled()[..] else { panic!() };
    rig.opens(conn);
    rig.data(conn, "127.0.0.2:8890\n");
    let [server] = rig.dialled()[..] else { panic!() };
    assert_eq!(rig.streams[&server].to, Some("127.0.0.2:8890".parse().unwrap()));
}

#[test]
fn what_comes_unasked_between_question_and_answer_changes_nothing() {
    let mut rig = Rig::online(config());
    let whois = rig.ask(Command::Whois(Bytes::from_static(b"alice")));
    rig.says(404, "You have been thrashing the server.");
    rig.says(214, "2 3 0");
    rig.says(621, "");
    rig.says(205, "server hello");
    rig.says(604, "bob \"User\" 8 \" \" \"Active\" 3 0 0 7 \"v2.0\"");
    assert!(!rig.finished.contains_key(&whois));
    // The moderator's form, and a speed in quotes.
    rig.says(
        604,
        "Alice \"User\" 8 \"#a #b \" \"Active\" 3 0 0 \"7\" \"v2.0\" 1 0 203.0.113.5 4000 6699 \"a@b\"",
    );
    assert_eq!(rig.finished[&whois], Ok(()));
    // Offline: 210, and 213 with or without an address.
    let browse = rig.ask(Command::Browse(Bytes::from_static(b"carol")));
    rig.says(210, "carol");
    assert_eq!(rig.finished[&browse], Err(Error::NoSuchUser));
    rig.says(213, "carol");
    for end in ["alice", "alice 16777343"] {
        let browse = rig.ask(Command::Browse(Bytes::from_static(b"alice")));
        rig.says(213, end);
        assert_eq!(rig.finished[&browse], Ok(()));
    }
    let whois = rig.ask(Command::Whois(Bytes::from_static(b"nosuch")));
    rig.says(404, "user nosuch is not a known user");
    assert_eq!(rig.finished[&whois], Err(Error::NoSuchUser));
}
