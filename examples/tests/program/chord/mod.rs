//! `chord` against `chord`: a ring of programs, what is put and got, published and fetched, and what kill -9 leaves.

mod files;
mod kill;

use crate::rig::{Running, field, number, run, text};
use std::process::Output;

/// A node of a ring at work, at an address.
pub(super) struct Node {
    pub(super) running: Running,
    pub(super) at: String,
}

impl Node {
    pub(super) fn new(args: &[&str]) -> Self {
        let running = Running::new("chord", &[&["node"], args].concat());
        let at = running.listening();
        running.event("joined");
        Self { running, at }
    }

    pub(super) fn first() -> Self {
        Self::new(&["--listen", "127.0.0.1:0"])
    }

    pub(super) fn by(&self) -> Self {
        Self::new(&["--listen", "127.0.0.1:0", "--bootstrap", &self.at])
    }
}

fn via(args: &[&str], at: &str) -> Output {
    run("chord", &[args, &["--via", at]].concat())
}

/// What it says if it succeeds.
fn good(args: &[&str], at: &str) -> String {
    let out = via(args, at);
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    text(&out.stdout)
}

/// The line it ends with if it fails, with exit code 1.
fn bad(args: &[&str], at: &str) -> String {
    let out = via(args, at);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{args:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    said
}

#[test]
fn what_one_puts_others_get() {
    let nodes = Node::first();
    let second = nodes.by();
    let third = nodes.by();
    // By the key alone, from another place.
    good(&["put", "greeting", "hello there"], &nodes.at);
    assert_eq!(good(&["get", "greeting"], &second.at), "hello there");
    // The newest counts.
    let stored = good(&["put", "greeting", "good bye", "--json"], &third.at);
    assert_eq!((number(&stored, "seq"), number(&stored, "copies")), (2, 3), "{stored}");
    let value = good(&["get", "greeting", "--json"], &nodes.at);
    assert_eq!((field(&value, "text"), number(&value, "seq")), ("good bye".into(), 2));
    // Compare and swap.
    bad(&["put", "greeting", "lost", "--if-seq", "1"], &second.at);
    good(&["put", "greeting", "won", "--if-seq", "2"], &second.at);
    assert_eq!(good(&["get", "greeting"], &third.at), "won");
    // By hash.
    let stored = good(&["put", "--by-hash", "for ever", "--json"], &nodes.at);
    assert_eq!(good(&["get", "--by-hash", &field(&stored, "key")], &third.at), "for ever");
    assert!(bad(&["get", "nothing"], &nodes.at).contains("nothing is stored there"));
    assert!(bad(&["get", "--by-hash", "zz"], &nodes.at).contains("40 hexadecimal digits"));
    // Nobody is there.
    drop(nodes);
    let ring = good(&["ring", "--json"], &second.at);
    assert!(ring.lines().count() >= 2, "{ring}");
}

#[test]
fn values_of_files_and_keys_of_files() {
    let place = crate::rig::Place::new("chord-values");
    let node = Node::first();
    let value = crate::rig::content(65_536, 1);
    place.put("value", &value);
    place.put("larger", &crate::rig::content(65_537, 2));
    good(&["put", "large", &format!("@{}", place.at("value"))], &node.at);
    let got = via(&["get", "large"], &node.at);
    assert!(got.status.success() && got.stdout == value);
    let refused = bad(&["put", "larger", &format!("@{}", place.at("larger"))], &node.at);
    assert!(refused.contains("chord publish"), "{refused}");
    // A key pair of its own: who has not got its file cannot write.
    let secret = place.at("secret");
    let stored = good(&["put", "mine", "one", "--secret", &secret, "--json"], &node.at);
    let public = field(&stored, "public");
    assert_eq!(good(&["get", "mine", "--public", &public], &node.at), "one");
    good(&["put", "mine", "of another", "--secret", &place.at("other")], &node.at);
    good(&["put", "mine", "two", "--secret", &secret], &node.at);
    assert_eq!(good(&["get", "mine", "--public", &public], &node.at), "two");
    assert!(bad(&["get", "mine"], &node.at).contains("nothing is stored"), "under the word itself");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    place.put("secret", b"not a key");
    bad(&["put", "mine", "three", "--secret", &secret], &node.at);
    bad(&["put", "mine", "@/no/such/file"], &node.at);
}

#[test]
fn the_ring_is_shown_and_networks_do_not_mix() {
    let first = Node::first();
    let others: Vec<Node> = (0..4).map(|_| first.by()).collect();
    let ring = good(&["ring", "--json"], &others[3].at);
    for node in others.iter().chain([&first]) {
        assert!(ring.contains(&format!("\"addr\":\"{}\"", node.at)), "{} is not in {ring}", node.at);
    }
    let last = ring.lines().last().unwrap();
    assert_eq!((number(last, "nodes"), field(last, "closed")), (5, "true".into()));
    let shown = good(&["ring"], &first.at);
    assert!(shown.contains("5 nodes, and back to the first"), "{shown}");
    // Of another network nobody is there.
    let other =
        Running::new("chord", &["get", "x", "--via", &first.at, "--network", "another", "--patience", "2"]);
    assert_eq!(other.code(), 1);
    // Whose port is taken says so.
    let taken = run("chord", &["node", "--listen", &first.at]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(text(&taken.stderr).contains("cannot listen"), "{}", text(&taken.stderr));
    let nowhere = run("chord", &["node", "--listen", "0.0.0.0:0"]);
    assert!(text(&nowhere.stderr).contains("--advertise"), "{}", text(&nowhere.stderr));
    first.running.interrupt();
    assert_eq!(first.running.code(), 0);
}
