//! Files that go out: what their owner is told meanwhile.

use super::peer::Peer;
use super::{Server, share};
use crate::rig::{PATIENCE, Place, field, number};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// More than the sockets of this machine hold.
const LEN: usize = 24 << 20;

/// Somebody fetches a file and does not read for a while: what is told of it grows to the end.
#[test]
fn an_upload_is_told_while_it_lasts() {
    let place = Place::new("napster-uploads");
    let server = Server::new(&place, "");
    place.put("alice/long song.mp3", &vec![7; LEN]);
    let sharer = share(&place, &server.at, "alice", &[]);
    let mut bob = Peer::login(&server.at, "bob", "pw", 6699);
    bob.say(203, "alice \"long song.mp3\"");
    let offer = String::from_utf8(bob.hear(204)).unwrap();
    let port = offer.split(' ').nth(2).unwrap();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut one = [0; 1];
    stream.read_exact(&mut one).unwrap();
    stream.write_all(b"GET").unwrap();
    stream.write_all(b"bob \"long song.mp3\" 1000").unwrap();
    let begins = sharer.event("uploading");
    assert_eq!((field(&begins, "nick"), number(&begins, "offset")), ("bob".into(), 1_000));
    assert_eq!((number(&begins, "size"), number(&begins, "upload")), (LEN as u64, 1));
    let mut left = LEN - 1_000 + LEN.to_string().len();
    let mut room = vec![0; 1 << 20];
    left -= stream.read(&mut room).unwrap();
    // Longer than what lies between two lines, so whatever is sent next is told of.
    std::thread::sleep(Duration::from_millis(600));
    while left > 0 {
        left -= stream.read(&mut room).unwrap();
    }
    drop(stream);
    let (mut have, mut lines) = (1_000, 0);
    loop {
        let line = sharer.rest().unwrap();
        if line.starts_with("{\"event\":\"uploaded\"") {
            assert_eq!(
                (number(&line, "sent"), field(&line, "complete")),
                (LEN as u64 - 1_000, "true".into())
            );
            number(&line, "milliseconds");
            break;
        }
        assert!(line.starts_with("{\"event\":\"progress\",\"state\":\"sending\",\"upload\":1"), "{line}");
        assert_eq!((number(&line, "size"), field(&line, "nick")), (LEN as u64, "bob".into()));
        assert!(number(&line, "have") > have, "{line}");
        have = number(&line, "have");
        lines += 1;
    }
    assert!(lines >= 1);
    sharer.interrupt();
    assert_eq!(sharer.code(), 0);
}
