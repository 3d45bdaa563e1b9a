//! Names from strangers, clients that do not read, and clients that hardly speak.

use super::peer::{Peer, frame};
use super::{Server, events, run};
use crate::rig::{Place, number, text};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

/// Whatever a stranger calls a file, it is shown harmlessly and lands in the folder.
#[test]
fn names_steer_neither_the_terminal_nor_the_disk() {
    let place = Place::new("napster-names");
    let server = Server::new(&place, "");
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut eve = Peer::login(&server.at, "eve", "pw", door.local_addr().unwrap().port());
    let bad: [&[u8]; 7] = [
        b"Z:\\nap\\../../../evil blue.mp3",
        b"/etc/blue",
        b"..",
        b"C:\\..\\..\\blue\x1b[2J\x9b\r.mp3",
        b"blue .bashrc/.bashrc",
        b"blue\xe2\x80\xaegpj.exe",
        b"CON blue/CON",
    ];
    for (i, name) in bad.iter().enumerate() {
        eve.say(100, [b"\"", *name, format!("\" {i:032x} 5 128 44100 1").as_bytes()].concat());
    }
    eve.settle();
    eve.say(211, "eve");
    let shared = eve.list(212, 213).len();
    assert!(shared >= 5, "{shared} are shared");
    // Whatever is wanted, it gets five bytes.
    let serve = std::thread::spawn(move || {
        loop {
            let asked = match eve.next() {
                Some((607, asked)) => asked,
                Some(_) => continue,
                None => return,
            };
            eve.say(608, asked);
            let (mut stream, _) = door.accept().unwrap();
            stream.write_all(b"1").unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b" 0") {
                let mut room = [0; 1_024];
                let len = stream.read(&mut room).unwrap();
                assert!(len > 0, "it left after {}", heard.escape_ascii());
                heard.extend_from_slice(&room[..len]);
            }
            stream.write_all(b"5hello").unwrap();
        }
    });
    let at = ["--server", &server.at];
    for args in [&["browse", "eve"][..], &["browse", "eve", "--json"], &["search", "blue"]] {
        let shown = run(&[args, &at[..]].concat());
        assert!(shown.status.success(), "{}", text(&shown.stderr));
        for out in [text(&shown.stdout), text(&shown.stderr)] {
            let harmful = |c: char| c != '\n' && p2p_examples::escape::is_harmful(c);
            assert!(!out.contains(harmful), "{args:?}: {out:?}");
        }
    }
    let to = place.at("deep/down/here/got");
    let listed = run(&[&["browse", "eve", "--json"], &at[..]].concat());
    let mut fetched = 0;
    for hit in events(&listed, "hit") {
        let value: serde_json::Value = serde_json::from_str(&hit).unwrap();
        let name = value["name"].as_str().unwrap();
        let got = run(&[&["get", "--from", "eve", "--to", &to], &at[..], &["--", name]].concat());
        assert!(got.status.success(), "{name:?}: {}", text(&got.stderr));
        fetched += 1;
    }
    assert_eq!(fetched, shared);
    let mut here = Vec::new();
    below(&place.0, &mut here);
    here.retain(|path| !path.ends_with("napster.toml"));
    let own = here.iter().filter(|path| path.starts_with(&to)).count();
    assert_eq!((here.len(), own), (shared, shared), "{here:?}");
    let hidden = |path: &String| path.rsplit('/').next().unwrap().starts_with('.');
    assert!(!here.iter().any(hidden), "{here:?}");
    drop(server);
    serve.join().unwrap();
}

fn below(dir: &std::path::Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            below(&entry.path(), into);
        } else {
            into.push(entry.path().to_str().unwrap().to_owned());
        }
    }
}

/// A client that asks for a lot and reads nothing is closed; meanwhile everybody else is served.
#[test]
fn who_does_not_read_is_closed_and_nobody_else_waits() {
    let place = Place::new("napster-unread");
    let limits = "[limits]\nunread_seconds = 1\nmessages = { per_minute = 1000000, burst = 1000000 }\n\
                  messages_per_address = { per_minute = 1000000, burst = 1000000 }\n\
                  searches = { per_minute = 1000000, burst = 1000000 }";
    let server = Server::new(&place, limits);
    let mut alice = Peer::login(&server.at, "alice", "pw", 6699);
    for i in 0..2_000 {
        let line = format!(
            "\"C:\\music\\Some Band - A Blue Song With A Long Name {i}.mp3\" {i:032x} 5000 128 44100 1"
        );
        alice.stream.write_all(&frame(100, line)).unwrap();
    }
    alice.settle();
    // A small window, so that what the system takes in is soon full.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let at: std::net::SocketAddr = server.at.parse().unwrap();
    socket.connect(&at.into()).unwrap();
    let mut deaf = Peer::of(TcpStream::from(socket));
    deaf.say(2, "deaf pw 0 \"probe\" 7");
    deaf.welcome();
    // 200 kB each, some 40 MB in all. The server stops reading, too, so not all of it can be said.
    let mut asking = deaf.stream.try_clone().unwrap();
    let asked = std::thread::spawn(move || {
        let browse = frame(211, "alice");
        (0..200).take_while(|_| asking.write_all(&browse).is_ok()).count()
    });
    let mut bob = Peer::login(&server.at, "bob", "pw", 6699);
    let began = Instant::now();
    let mut slowest = std::time::Duration::ZERO;
    let mut searches = 0;
    // Until the deaf one is gone, others search.
    while bob.users() > 2 {
        assert!(began.elapsed() < crate::rig::PATIENCE, "the deaf one is still there");
        let asked = Instant::now();
        bob.say(200, "FILENAME CONTAINS \"blue\" MAX_RESULTS 50");
        assert_eq!(bob.list(201, 202).len(), 50);
        slowest = slowest.max(asked.elapsed());
        searches += 1;
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    println!(
        "{searches} searches beside it, the slowest took {slowest:?}; closed after {:?}",
        began.elapsed()
    );
    asked.join().unwrap();
    assert!(searches > 0);
    let mut room = [0; 64 * 1024];
    while deaf.stream.read(&mut room).is_ok_and(|len| len > 0) {}
    alice.settle();
    let last = server.last();
    assert_eq!(number(&last, "unread"), 1, "{last}");
}

/// Connections that say nothing, or a byte now and then, are closed when their time is over.
#[test]
fn slow_loris() {
    let place = Place::new("napster-loris");
    let server = Server::new(&place, "[limits]\nlogin_seconds = 1\nconnections = 60");
    let mut silent: Vec<TcpStream> = (0..25).map(|_| TcpStream::connect(&server.at).unwrap()).collect();
    let dribbling: Vec<TcpStream> = (0..25).map(|_| TcpStream::connect(&server.at).unwrap()).collect();
    let dribble = std::thread::spawn(move || {
        let login = frame(2, "eve pw 6699 \"a program with a name\" 7");
        let mut open: Vec<(TcpStream, usize)> = dribbling.into_iter().map(|stream| (stream, 0)).collect();
        let began = Instant::now();
        // A byte at a time, over far more than a second.
        for byte in login.iter().take(login.len() - 1) {
            open.retain_mut(|(stream, said)| {
                *said += 1;
                stream.write_all(&[*byte]).is_ok()
            });
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        println!("the last of those who dribble is gone after {:?}", began.elapsed());
        open.len()
    });
    // Somebody who means it comes in beside them.
    let mut user = Peer::login(&server.at, "user", "pw", 6699);
    for stream in &mut silent {
        stream.set_read_timeout(Some(crate::rig::PATIENCE)).unwrap();
        let closed = stream.read(&mut [0; 16]);
        assert!(
            matches!(closed, Ok(0))
                || closed.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
        );
    }
    assert_eq!(dribble.join().unwrap(), 0, "some still dribble");
    assert_eq!(user.users(), 1, "the user is still there");
    let last = server.last();
    assert_eq!((number(&last, "logins"), number(&last, "connections_v4")), (1, 1), "{last}");
}
