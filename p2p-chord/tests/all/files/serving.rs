//! Giving files: to whoever asks as HTTP has it, and to nobody for ever.

use super::crook::{Crook, Heard, Say, Vice};
use super::{World, at, config, content, file, honest};
use p2p_chord::files::{Command, Event, Files};
use p2p_core::hash::{Hasher as _, Sha256};
use p2p_core::{Bytes, Duration, Id};
use p2p_sim::storage::Content;
use p2p_sim::{Audit, Disk, Either, NodeIx, Setup, Sim, Uniform};

fn crook(sim: &mut World) -> NodeIx {
    sim.add(Either::Right(Crook::new(Vice::None, Bytes::new())))
}

fn say(sim: &mut World, crook: NodeIx, holder: NodeIx, text: impl Into<Bytes>) {
    let to = at(sim, holder);
    sim.ask(crook, Either::Right(Say(to, text.into())));
}

/// What was heard on each stream, and whether it is over.
fn heard(sim: &mut World, crook: NodeIx) -> Vec<(Vec<u8>, bool)> {
    let mut all: Vec<(Vec<u8>, bool)> = Vec::new();
    for told in sim.take_events(crook) {
        let Either::Right(Heard(number, data, over)) = told.event else { continue };
        if all.len() <= number {
            all.resize(number + 1, (Vec::new(), false));
        }
        all[number].0.extend_from_slice(&data);
        all[number].1 |= over;
    }
    all
}

fn files(sim: &World, node: NodeIx) -> &Files {
    sim.machine(node).left().unwrap().inner()
}

#[test]
fn ranges_as_http_has_them_and_nonsense_refused() {
    let mut sim: World = Sim::new(1, Uniform::ms(1..5));
    let content = content(1_000, 1);
    let path = format!("/sha256/{}", Id(Sha256::digest(&content).0));
    let holder = honest(&mut sim, &content);
    let crook = crook(&mut sim);
    let cases = [
        ("GET", "", 200, 0..1_000),
        ("GET", "Range: bytes=0-0\r\n", 206, 0..1),
        ("GET", "Range: bytes=990-\r\n", 206, 990..1_000),
        ("GET", "Range: bytes=-10\r\n", 206, 990..1_000),
        ("GET", "Range: bytes=990-5000\r\n", 206, 990..1_000),
        ("GET", "Range: bytes=1000-\r\n", 416, 0..0),
        ("GET", "Range: bytes=-0\r\n", 416, 0..0),
        ("GET", "Range: bytes=5-4\r\n", 200, 0..1_000),
        ("GET", "Range: bytes=99999999999999999999-\r\n", 200, 0..1_000),
        ("GET", "Range: bytes=0-1,5-6\r\n", 200, 0..1_000),
        ("HEAD", "", 200, 0..0),
        ("POST", "", 405, 0..0),
        ("GET /\r\n", "", 400, 0..0),
    ];
    for (method, range, ..) in &cases {
        let text = format!("{method} {path} HTTP/1.1\r\n{range}Connection: close\r\n\r\n");
        say(&mut sim, crook, holder, text);
        sim.run_for(Duration::from_millis(200));
    }
    let heard = heard(&mut sim, crook);
    for ((method, range, status, part), (text, over)) in cases.iter().zip(&heard) {
        let shown = String::from_utf8_lossy(text);
        assert!(shown.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {range}: {shown}");
        let body = text.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(text[body..], content[part.clone()], "{method} {range}");
        assert!(over, "{method} {range}");
    }
    assert_eq!(heard.len(), cases.len());
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let mut sim: World = Sim::new(2, Uniform::ms(1..5));
    let content = content(300_000, 2);
    let path = format!("/sha256/{}", Id(Sha256::digest(&content).0));
    let holder = honest(&mut sim, &content);
    let crook = crook(&mut sim);
    // A thousand that are not there, then three that are, all at once.
    let none = format!("GET /sha256/{} HTTP/1.1\r\n\r\n", "0".repeat(64));
    let part = |n: usize| format!("GET {path} HTTP/1.1\r\nRange: bytes={n}-{}\r\n\r\n", n + 99_999);
    let text = format!("{}{}{}{}", none.repeat(1_000), part(0), part(100_000), part(200_000));
    say(&mut sim, crook, holder, text);
    sim.run_for(Duration::from_secs(5));
    let (text, over) = heard(&mut sim, crook).remove(0);
    let count = |what: &[u8]| text.windows(what.len()).filter(|window| *window == what).count();
    assert_eq!((count(b"HTTP/1.1 404 "), count(b"HTTP/1.1 206 "), over), (1_000, 3, false));
    assert!(text.ends_with(&content[200_000..]));
    // It does not rest for ever.
    sim.run_for(Duration::from_secs(60));
    assert!(heard(&mut sim, crook)[0].1);
    assert_eq!(files(&sim, holder).load(), (0, 0));
}

#[test]
fn those_who_hardly_speak_are_sent_away() {
    let mut sim: World = Sim::new(3, Uniform::ms(1..5));
    let content = content(1_000, 3);
    let holder = honest(&mut sim, &content);
    let path = format!("/sha256/{}", Id(Sha256::digest(&content).0));
    let crooks: Vec<NodeIx> = (0..30).map(|_| crook(&mut sim)).collect();
    for crook in &crooks {
        for _ in 0..20 {
            say(&mut sim, *crook, holder, format!("GET {path} HT"));
        }
    }
    sim.run_for(Duration::from_secs(5));
    let limits = config().limits;
    assert_eq!(files(&sim, holder).load(), (limits.guests, 0), "no more than that");
    // Whoever is one too many is told so; nobody has more places than others.
    for crook in &crooks {
        let places = heard(&mut sim, *crook).iter().filter(|(text, _)| text.is_empty()).count();
        assert!(places <= 20 && limits.guests_alike == 8);
    }
    sim.run_for(Duration::from_secs(15));
    assert_eq!(files(&sim, holder).load(), (0, 0), "all gone");
    // And a head without an end.
    say(&mut sim, crooks[0], holder, vec![b'a'; 20_000]);
    sim.run_for(Duration::from_secs(1));
    assert_eq!(files(&sim, holder).load(), (0, 0));
}

#[test]
fn a_file_that_changed_is_not_given() {
    let mut sim: World = Sim::new(4, Uniform::ms(1..5));
    let old = content(1_000, 4);
    let holder = honest(&mut sim, &old);
    let crook = crook(&mut sim);
    let disk = Disk::new(Content::Kept).with_file(file("shared"), content(999, 5));
    *sim.disk(holder) = disk;
    let path = format!("/sha256/{}", Id(Sha256::digest(&old).0));
    for _ in 0..2 {
        say(&mut sim, crook, holder, format!("GET {path} HTTP/1.1\r\n\r\n"));
        sim.run_for(Duration::from_secs(1));
    }
    let heard = heard(&mut sim, crook);
    assert!(heard[0].0.starts_with(b"HTTP/1.1 410 "), "{heard:?}");
    assert!(heard[1].0.starts_with(b"HTTP/1.1 404 "), "{heard:?}");
    let told = sim.take_events(holder).into_iter();
    let changed = told.filter(|told| matches!(told.event, Either::Left(Event::Changed { .. }))).count();
    assert_eq!(changed, 1);
    // Nobody has to share what he does not want to.
    let op = sim.ask(holder, Either::Left(Command::Share(file("shared"))));
    assert!(sim.finish(&[op], Duration::from_secs(1)));
    let sha256 = Sha256::digest(&content(999, 5)).0;
    let op = sim.ask(holder, Either::Left(Command::Unshare(sha256)));
    assert!(sim.finish(&[op], Duration::from_secs(1)) && sim.outcome(op).unwrap().is_ok());
    let op = sim.ask(holder, Either::Left(Command::Unshare(sha256)));
    assert!(sim.finish(&[op], Duration::from_secs(1)) && sim.outcome(op).unwrap().is_err());
    let setup = Setup::new().disk(Disk::new(Content::Kept));
    let node = sim.add_with(setup, Either::Left(Audit::new(Files::new(config()))));
    sim.stop(node);
    sim.stop(holder);
    sim.run_for(Duration::from_secs(1));
    assert!(!sim.is_alive(node) && !sim.is_alive(holder));
}
