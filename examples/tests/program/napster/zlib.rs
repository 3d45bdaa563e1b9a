//! Users who ask for compressed streams, and what goes over the wire then.

use super::peer::Peer;
use super::{Server, events, names, run, share};
use crate::rig::{Place, content, number, text};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;

/// Stands between a user and a server, for one connection; what the server said.
fn relay(server: &str) -> (String, JoinHandle<Vec<u8>>) {
    let (door, server) = (TcpListener::bind("127.0.0.1:0").unwrap(), server.to_owned());
    let at = door.local_addr().unwrap().to_string();
    let work = std::thread::spawn(move || {
        let (user, _) = door.accept().unwrap();
        let there = TcpStream::connect(server).unwrap();
        let (mut from, mut to) = (user.try_clone().unwrap(), there.try_clone().unwrap());
        let asks = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let (mut user, mut there, mut said, mut room) = (user, there, Vec::new(), [0; 4_096]);
        while let Ok(len @ 1..) = there.read(&mut room) {
            said.extend_from_slice(&room[..len]);
            if user.write_all(&room[..len]).is_err() {
                break;
            }
        }
        asks.join().unwrap();
        said
    });
    (at, work)
}

#[test]
fn a_long_list_comes_compressed() {
    let place = Place::new("napster-zlib");
    let server = Server::new(&place, "motd = [\"be kind\"]");
    let mut alice = Peer::login(&server.at, "alice", "pw", 6699);
    for n in 0..2_000 {
        let digest = format!("{:032x}", u128::from(n * 7_919_u64) << 64);
        alice.say(100, format!("\"C:\\music\\Some Band\\{n} - Blue Song.mp3\" {digest} {n} 128 44100 200"));
    }
    alice.settle();
    let mut sizes = Vec::new();
    for (zlib, stream) in [(&[][..], false), (&["--zlib"], true), (&["--zlib=9"], true)] {
        let (at, work) = relay(&server.at);
        let listed = run(&[&["browse", "alice", "--server", &at, "--json"], zlib].concat());
        assert!(listed.status.success(), "{}", text(&listed.stderr));
        assert_eq!(number(&events(&listed, "listed")[0], "files"), 2_000);
        let said = work.join().unwrap();
        // The acknowledgement is in clear; the header of a stream follows it, or another message.
        let ack = 4 + usize::from(u16::from_le_bytes([said[0], said[1]]));
        assert_eq!((said[2], said[ack] == 0x78), (3, stream), "{zlib:?}: {}", said[..ack + 8].escape_ascii());
        sizes.push(said.len());
    }
    eprintln!("a list of 2,000 files in bytes: {sizes:?}");
    assert!(sizes[1] * 3 < sizes[0] && sizes[2] * 3 < sizes[0], "{sizes:?}");
    assert_eq!(run(&["search", "x", "--server", &server.at, "--zlib=10"]).status.code(), Some(2));
}

/// Files are shared, found and fetched; and past what the server takes, it is said in a line.
#[test]
fn all_goes_on_as_ever() {
    let place = Place::new("napster-zlib-users");
    let server = Server::new(&place, "[limits]\nzlib_clients = 1");
    let song = content(90_000, 3);
    place.put("alice/blue song.mp3", &song);
    let sharer = share(&place, &server.at, "alice", &["--zlib"]);
    let (to, at) = (place.at("got"), ["--server", &server.at, "--json"]);
    let got = run(&[&["get", "blue", "--to", &to], &at[..]].concat());
    assert!(got.status.success(), "{}", text(&got.stdout));
    assert!(place.read("got/blue song.mp3") == song);
    let refused = run(&["search", "blue", "--zlib", "--server", &server.at]);
    let line = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        line.starts_with("error: ") && line.contains("log in without") && line.lines().count() == 1,
        "{line}"
    );
    sharer.interrupt();
    assert_eq!(sharer.code(), 0);
    assert_eq!(names(&run(&[&["search", "blue", "--zlib"], &at[..]].concat())).len(), 0);
}
