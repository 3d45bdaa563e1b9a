//! Files whose digest nobody told, fetched by their holder's number and name as in 0.4.

use super::rig::{Door, Raw, Scene, addr, config, content, urn};
use bytes::Bytes;
use p2p_core::OpId;
use p2p_gnutella::transfer::{Command, Error, Locator, SourceError, Wanted};
use p2p_gnutella::{Guid, Magnet};
use p2p_sim::{Disk, NodeIx};

const NAME: &str = "blue train (take 2).mp3";

fn at(node: u8, number: u32) -> Locator {
    Locator { servent: Some(Guid([node; 16])), number: Some(number), ..Locator::at(addr(node)) }
}

fn fetch(scene: &mut Scene, number: u32, size: Option<u64>) -> (NodeIx, OpId) {
    let to = scene.door(2, Disk::default(), Door::new(config(2)));
    scene.run(2);
    let wanted = Wanted::numbered(at(1, number), Bytes::from_static(NAME.as_bytes()), size);
    let op = scene.ask(to, Command::Download(wanted));
    (to, op)
}

fn not_given(scene: &Scene, op: OpId) {
    let outcome = scene.sim.outcome(op);
    assert!(
        matches!(outcome, Some(Err(p2p_sim::EitherError::Of(p2p_sim::Either::Left(Error::NotGiven))))),
        "{outcome:?}"
    );
}

#[test]
fn of_a_servent_of_today() {
    for (seed, known) in [(1, true), (2, false)] {
        let mut scene = Scene::new(seed);
        let bytes = content(seed, 1_500_000);
        let holder = scene.sharer(1, &[(NAME, &bytes)]);
        scene.run(3);
        let library = scene.door_of(holder).transfers.library();
        let number = library.by_sha1(&super::rig::sha1(&bytes)).unwrap().number;
        let (to, op) = fetch(&mut scene, number, known.then_some(1_500_000));
        scene.must_have(to, op, &bytes, NAME, 60);
    }
}

/// A servent of 2000: it answers `GET` with all of a file, whatever else was asked, and says nothing of what it is.
fn old_servent(bytes: &Bytes, said: String) -> Raw {
    let bytes = bytes.clone();
    Raw::scripted(move |request| {
        if !request.starts_with("GET /get/5/blue%20train%20%28take%202%29.mp3 HTTP/1.") {
            return b"HTTP 405 No\r\n\r\n".to_vec();
        }
        let len = bytes.len();
        let head = format!(
            "HTTP 200 OK\r\nServer: Gnutella\r\nContent-type: application/binary\r\n{said}Content-length: {len}\r\n\r\n"
        );
        [head.as_bytes(), &bytes].concat()
    })
}

#[test]
fn of_a_servent_of_the_year_2000() {
    let mut scene = Scene::new(3);
    let bytes = content(3, 400_000);
    scene.raw(1, old_servent(&bytes, String::new()));
    let (to, op) = fetch(&mut scene, 5, Some(400_000));
    scene.must_have(to, op, &bytes, NAME, 60);
    let asks = &scene.door_of(to).asks;
    assert!(!asks.iter().any(|ask| matches!(ask, p2p_gnutella::transfer::Ask::Search(_))), "{asks:?}");
}

#[test]
fn what_the_holder_says_of_the_content_is_held_against_it() {
    let bytes = content(4, 300_000);
    for (seed, said, right) in [(4, urn(&bytes), true), (5, urn(b"something else"), false)] {
        let mut scene = Scene::new(seed);
        scene.raw(1, old_servent(&bytes, format!("X-Gnutella-Content-URN: {said}\r\n")));
        let (to, op) = fetch(&mut scene, 5, Some(300_000));
        if right {
            scene.must_have(to, op, &bytes, NAME, 60);
        } else {
            scene.run(60);
            assert_eq!(scene.lost(to), [(Some(addr(1)), SourceError::Lied)]);
            not_given(&scene, op);
        }
    }
}

#[test]
fn it_ends_if_the_holder_does_not_give_it() {
    let mut scene = Scene::new(6);
    let bytes = content(6, 1_000);
    scene.raw(1, old_servent(&bytes, String::new()));
    // Of another length than its hit said, and by a number that it does not have.
    for (number, size, why) in [(5, 999, SourceError::Size(1_000)), (6, 1_000, SourceError::Status(405))] {
        let (to, op) = fetch(&mut scene, number, Some(size));
        scene.run(60);
        assert_eq!(scene.lost(to), [(Some(addr(1)), why)]);
        not_given(&scene, op);
    }
    // Nobody knows how long it is, and the holder has no HEAD.
    let (to, op) = fetch(&mut scene, 5, None);
    scene.run(60);
    assert_eq!(scene.lost(to), [(Some(addr(1)), SourceError::Status(405))]);
    not_given(&scene, op);
}

#[test]
fn a_link_says_number_and_name() {
    let link = "magnet:?dn=blue+train.mp3&xl=9&xs=http://192.0.2.1:6346/get/7/blue%2520train.mp3";
    let wanted = Wanted::of_magnet(&link.parse::<Magnet>().unwrap()).unwrap();
    assert_eq!((wanted.numbered.as_deref(), wanted.size), (Some(&b"blue train.mp3"[..]), Some(9)));
    assert_eq!(wanted.sources[0].number, Some(7));
    assert_eq!(wanted.sources[0].addr, Some("192.0.2.1:6346".parse().unwrap()));
    let guid = "11".repeat(16);
    let link = format!("magnet:?xl=9&xs=push://{guid}:192.0.2.9:6346/get/8/x.ogg");
    let pushed = Wanted::of_magnet(&link.parse().unwrap()).unwrap();
    assert_eq!((pushed.sources[0].number, pushed.sources[0].proxies.len()), (Some(8), 1));
    assert_ne!(pushed.sha1, wanted.sha1);
    for no in
        ["magnet:?xs=http://192.0.2.1/get/x/y", "magnet:?xs=http://192.0.2.1/get/1/", "magnet:?kt=words"]
    {
        assert_eq!(Wanted::of_magnet(&no.parse().unwrap()), None, "{no}");
    }
}
