//! What a server keeps when it dies, and what it takes over while it runs.

use super::peer::Peer;
use super::{Server, config, events, names, run, share};
use crate::rig::{PATIENCE, Place, content, field, number, text};
use std::time::Instant;

const OPERATOR: &str = "store = \"napster.redb\"\n[[account]]\nnick = \"boss\"\nlevel = \"Elite\"\n\
    password_file = \"boss.password\"\n[limits]\nlogins = { per_minute = 100000, burst = 100000 }";

/// SIGKILL in the middle of a storm of registrations and bans: who was answered is registered, who was said to be banned
/// is banned, and those who shared come back and share once.
#[test]
fn killed_and_started_again() {
    let place = Place::new("napster-killed");
    place.put("boss.password", b"topsecret\n");
    place.put("alice.password", b"hers\n");
    for i in 0..7 {
        place.put(&format!("alice/blue song {i}.mp3"), &content(10_000, i));
    }
    let server = Server::new(&place, OPERATOR);
    let at = server.at.clone();
    let password = place.at("alice.password");
    let sharer = share(&place, &at, "alice", &["--register", "--password-file", &password]);
    let mut boss = Peer::login(&at, "boss", "topsecret", 0);
    // Eight at a time register; the first ones are awaited, the rest are cut off wherever they are.
    let mut storm: Vec<Peer> = (0..40).map(|_| Peer::connect(&at)).collect();
    for (i, peer) in storm.iter_mut().enumerate() {
        peer.say(6, format!("user{i} secret{i} 0 \"probe\" 4 a@b"));
    }
    for i in 0..10 {
        boss.say(612, format!("mal{i} \"be gone\""));
    }
    storm[5].hear(3);
    while boss.hear(404) != b"boss banned mal0: be gone" {}
    server.program.kill();
    let registered: Vec<bool> = storm
        .into_iter()
        .map(|mut peer| std::iter::from_fn(|| peer.next()).any(|(kind, _)| kind == 3))
        .collect();
    let banned = 1 + std::iter::from_fn(|| boss.next())
        .filter(|(kind, said)| *kind == 404 && said.starts_with(b"boss banned mal"))
        .count();
    let answered = registered.iter().filter(|registered| **registered).count();
    println!("{answered} of 39 more registrations and {banned} of 10 bans were answered before the kill");

    let server = Server::at(&place, &at, OPERATOR);
    let login = |nick: &str, password: &str| {
        let mut peer = Peer::connect(&at);
        peer.say(2, format!("{nick} {password} 0 \"probe\" 4"));
        peer.next().map(|(kind, _)| kind)
    };
    assert_eq!((login("user5", "secret5"), login("user5", "other")), (Some(3), Some(0)));
    for (i, registered) in registered.iter().enumerate() {
        if *registered {
            assert_eq!(login(&format!("user{i}"), &format!("secret{i}")), Some(3), "user{i}");
            assert_eq!(login(&format!("user{i}"), "other"), Some(0), "user{i}");
        }
    }
    for i in 0..banned {
        assert_eq!(login(&format!("mal{i}"), "pw"), Some(0), "mal{i}");
    }
    assert_eq!(login("boss", "topsecret"), Some(3));
    // The sharer comes back by itself.
    sharer.event("logged_out");
    assert_eq!(field(&sharer.event("logged_in"), "server"), at);
    let began = Instant::now();
    let found = loop {
        let found = run(&["search", "blue", "--server", &at, "--json"]);
        assert!(began.elapsed() < PATIENCE, "its files did not come back");
        if events(&found, "hit").len() == 7 {
            break found;
        }
    };
    assert!(names(&found)[6].ends_with("song 6.mp3"));
    assert_eq!(login("alice", "not hers"), Some(0), "her account is there");
    let last = server.last();
    assert_eq!((number(&last, "shares"), number(&last, "files")), (7, 7), "each file once: {last}");
}

/// A server that is gone for good: who shared goes on to the next one, and shares each file there once.
#[test]
fn gone_on_to_another_server() {
    let place = Place::new("napster-moved");
    for i in 0..5 {
        place.put(&format!("alice/blue song {i}.mp3"), &content(1_000, i));
    }
    let first = Server::new(&place, "");
    let second = Server::new(&Place::new("napster-moved-to"), "");
    let dir = place.at("alice");
    let args = ["share", "--server", &first.at, "--server", &second.at, "--nick", "alice", "--dir", &dir];
    let sharer = super::running(&args);
    assert_eq!(field(&sharer.event("logged_in"), "server"), first.at);
    sharer.event("sharing");
    first.program.kill();
    assert_eq!(field(&sharer.event("logged_in"), "server"), second.at);
    let mut eyes = Peer::login(&second.at, "eyes", "pw", 6699);
    let began = Instant::now();
    loop {
        eyes.say(211, "alice");
        if eyes.list(212, 213).len() == 5 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "its files did not come");
    }
    sharer.interrupt();
    assert_eq!(sharer.code(), 0);
    let last = second.last();
    assert_eq!((number(&last, "shares"), number(&last, "logins")), (5, 2), "{last}");
}

/// What the configuration allows a user and an address in a minute.
#[test]
fn rates_of_the_configuration_hold() {
    let place = Place::new("napster-rates");
    let server = Server::new(
        &place,
        "[limits]\nlogins = { per_minute = 1, burst = 3 }\nsearches = { per_minute = 1, burst = 2 }",
    );
    let mut alice = Peer::login(&server.at, "alice", "pw", 6699);
    for _ in 0..4 {
        alice.say(200, "FILENAME CONTAINS \"blue\" MAX_RESULTS 1");
    }
    assert!(alice.hear(404).starts_with(b"You are sending too fast: 1 searches a minute"));
    let mut bob = Peer::login(&server.at, "bob", "pw", 6699);
    bob.say(200, "FILENAME CONTAINS \"blue\" MAX_RESULTS 1");
    bob.hear(202);
    drop(Peer::login(&server.at, "carol", "pw", 6699));
    let refused = run(&["search", "x", "--server", &server.at]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("Connecting too fast"), "{}", text(&refused.stderr));
    let last = server.last();
    assert!(number(&last, "throttled") >= 2 && number(&last, "searches") < 5, "{last}");
}

/// As many results as the operator allows come, however long their names, unless their bytes are limited, too.
#[test]
fn results_are_limited_by_number_and_by_bytes() {
    let place = Place::new("napster-results");
    let server = Server::new(&place, "[limits]\nresults = 300");
    let mut alice = Peer::login(&server.at, "alice", "pw", 6699);
    for n in 0..400 {
        alice.say(100, format!("\"{}\\blue {n}.mp3\" 0 {n} 128 44100 60", "x".repeat(400)));
    }
    alice.settle();
    let mut bob = Peer::login(&server.at, "bob", "pw", 6699);
    let mut found = |max: u32| {
        bob.say(200, format!("FILENAME CONTAINS \"blue\" MAX_RESULTS {max}"));
        bob.list(201, 202).len()
    };
    assert_eq!((found(1_000), found(150)), (300, 150));
    place.put("napster.toml", config("[limits]\nresults = 300\nresult_bytes = 50000").as_bytes());
    server.program.signal("-HUP");
    server.program.event("reloaded");
    let fewer = found(1_000);
    assert!((90..=110).contains(&fewer), "{fewer} of some 500 bytes each");
}

/// SIGHUP: another message of the day, other limits and accounts, and everybody stays.
#[test]
fn reloaded_while_users_are_there() {
    let place = Place::new("napster-reload");
    place.put("boss.password", b"topsecret\n");
    let server = Server::new(&place, "motd = [\"the first\"]");
    let mut alice = Peer::login(&server.at, "alice", "pw", 6699);
    let mut bob = Peer::login(&server.at, "bob", "pw", 6699);
    for i in 0..5 {
        alice.say(100, format!("\"blue {i}.mp3\" {i:032x} 4000 128 44100 240"));
    }
    alice.settle();
    let search = |peer: &mut Peer| {
        peer.say(200, "FILENAME CONTAINS \"blue\" MAX_RESULTS 100");
        peer.list(201, 202).len()
    };
    assert_eq!(search(&mut bob), 5);
    let motd = |nick: &str| {
        let mut peer = Peer::connect(&server.at);
        peer.say(2, format!("{nick} pw 6699 \"probe\" 7"));
        let lines = peer.list(621, 214);
        String::from_utf8(lines.last().unwrap().clone()).unwrap()
    };
    assert_eq!(motd("eve"), "the first");
    let new = "motd = [\"the second\"]\nregistered_only = true\n[[account]]\nnick = \"boss\"\nlevel = \"Admin\"\n\
        password_file = \"boss.password\"\n[limits]\nresults = 2\nfiles_per_user = 5";
    place.put("napster.toml", config(new).as_bytes());
    server.program.signal("-HUP");
    let reloaded = server.program.event("reloaded");
    assert!(reloaded.contains("\"at_next_start\":[\"registered_only\"]"), "{reloaded}");
    assert_eq!(motd("eve"), "the second");
    assert_eq!((search(&mut bob), bob.users()), (2, 2));
    alice.say(100, format!("\"blue 5.mp3\" {:032x} 4000 128 44100 240", 5));
    alice.hear(404);
    drop(Peer::login(&server.at, "boss", "topsecret", 6699));
    // One that is wrong changes nothing.
    place.put(
        "napster.toml",
        config(&new.replace("second", "third").replace("boss.password", "gone")).as_bytes(),
    );
    server.program.signal("-HUP");
    assert!(server.program.event("not_reloaded").contains("gone"));
    assert_eq!(motd("eve"), "the second");
    place.put("napster.toml", config("motd = [\"the third\"]\nresults = 3").as_bytes());
    server.program.signal("-HUP");
    assert!(server.program.event("not_reloaded").contains("unknown field"));
    assert_eq!((search(&mut bob), motd("eve").as_str()), (2, "the second"));
    let last = server.last();
    assert_eq!((number(&last, "users"), number(&last, "shares")), (2, 5), "{last}");
}

#[test]
fn a_store_is_one_server_s_and_outlives_a_clean_stop() {
    let place = Place::new("napster-store");
    place.put("boss.password", b"topsecret\n");
    let server = Server::new(&place, OPERATOR);
    let mut boss = Peer::login(&server.at, "boss", "topsecret", 0);
    boss.say(622, "eve 3600 \"calm down\"");
    boss.hear(404);
    let second = run(&["serve", "--listen", "127.0.0.1:0", "--store", &place.at("napster.redb")]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("napster.redb"), "{}", text(&second.stderr));
    server.last();
    let again = Server::new(&place, OPERATOR);
    let mut eve = Peer::login(&again.at, "eve", "pw", 0);
    eve.say(205, "boss hi");
    assert!(eve.hear(404).starts_with(b"You have been muzzled"));
    let last = again.last();
    assert_eq!(number(&last, "accounts"), 1, "{last}");
}

#[cfg(feature = "metrics")]
#[test]
fn figures_over_http() {
    use std::io::{Read, Write};
    let place = Place::new("napster-figures");
    let server = Server::new(&place, "");
    let other = super::running(&["serve", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
    let line = other.event("listening");
    let (at, metrics) = (field(&line, "addr"), field(&line, "metrics"));
    let mut user = Peer::login(&at, "alice", "pw", 6699);
    user.say(100, format!("\"blue.mp3\" {:032x} 4000 128 44100 240", 1));
    user.settle();
    let get = |path: &str| {
        let mut stream = std::net::TcpStream::connect(&metrics).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let text = get("/metrics");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("text/plain; version=0.0.4"), "{text}");
    assert!(
        text.contains("\np2p_napster_users 1\n") && text.contains("\np2p_napster_shares_total 1\n"),
        "{text}"
    );
    let json = get("/stats?x");
    let body = json.split("\r\n\r\n").nth(1).unwrap();
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((value["files"].as_u64(), value["bytes"].as_u64()), (Some(1), Some(4_000)));
    assert!(get("/other").starts_with("HTTP/1.1 404 "));
    drop(server);
}
