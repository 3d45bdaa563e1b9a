//! What cannot be done is said, with the code for it.

use super::{Node, run};
use crate::rig::{Place, text};

fn fails(args: &[&str], code: i32, says: &str) {
    let ended = run(args);
    let said = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(code), "{args:?}: {said}");
    assert!(said.contains(says), "{args:?}: {said}");
}

#[test]
fn wrong_usage_and_nobody_to_ask() {
    let place = Place::new("gnutella-wrong");
    let to = place.at("to");
    fails(&["search"], 2, "WORDS");
    fails(&["node", "--mode", "king"], 2, "king");
    fails(&["search", "words"], 1, "nobody to ask");
    fails(&["get", "words", "--to", &to], 1, "neither a magnet link nor a URN");
    fails(&["get", "magnet:?kt=words", "--to", &to], 1, "SHA-1");
    fails(&["get", "urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB", "--to", &to], 1, "nobody to ask");
    let urn = "urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB";
    let pushed = format!("magnet:?xt={urn}&xs=push://{}:127.0.0.1:6346/uri-res/N2R?{urn}", "11".repeat(16));
    fails(&["get", &pushed, "--to", &to], 1, "behind a firewall");
    fails(&["get", "http://127.0.0.1:6346/get/one/song.mp3", "--to", &to], 1, "/get/NUMBER/NAME");
    fails(&["node", "--listen", "127.0.0.1:0", "--share", &place.at("nowhere")], 1, "nowhere");
    place.put("file", b"a file");
    fails(&["node", "--listen", "127.0.0.1:0", "--share", &place.at("file")], 1, "is no folder");
    let node = Node::new("ultrapeer", &[]);
    fails(&["node", "--listen", &node.at], 1, "in use");
    let nobody = {
        // A port that was free a moment ago.
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap().to_string()
    };
    fails(&["browse", &nobody], 1, "cannot be listed");
}
