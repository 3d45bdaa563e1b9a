//! Files between programs: published, fetched, and fetched on when a holder is killed.

use super::{Node, bad, good};
use crate::rig::{Place, Running, content, field, number};

fn publish(file: &str, at: &str, more: &[&str]) -> (Running, String) {
    let running = Running::new("chord", &[&["publish", file, "--via", at], more].concat());
    let sha256 = field(&running.event("published"), "sha256");
    running.event("publishing");
    (running, sha256)
}

#[test]
fn a_file_comes_by_its_name_and_by_its_content() {
    let place = Place::new("chord-files");
    let (first, to) = (Node::first(), place.at("to"));
    let second = first.by();
    let bytes = content(3_000_000, 1);
    place.put("song.ogg", &bytes);
    place.put("empty", b"");
    let (_publisher, sha256) = publish(&place.at("song.ogg"), &first.at, &[]);
    let (_empty, _) = publish(&place.at("empty"), &second.at, &["--name", "nothing at all"]);
    let saved = good(&["fetch", "song.ogg", "--to", &to, "--json"], &second.at);
    assert!(place.read("to/song.ogg") == bytes, "{saved}");
    let saved = saved.lines().last().unwrap();
    assert_eq!((field(saved, "event"), number(saved, "bytes")), ("saved".into(), 3_000_000));
    good(&["fetch", &sha256, "--to", &to], &first.at);
    assert!(place.read(&format!("to/{sha256}")) == bytes);
    good(&["fetch", "nothing at all", "--to", &to], &first.at);
    assert_eq!(std::fs::metadata(place.at("to/nothing at all")).unwrap().len(), 0);
    // It is there already.
    good(&["fetch", "song.ogg", "--to", &to], &second.at);
    // What it must be it is not.
    let other = "0".repeat(64);
    assert!(bad(&["fetch", "song.ogg", "--to", &to, "--sha256", &other], &first.at).contains("nothing"));
    bad(&["fetch", "no such song", "--to", &to], &first.at);
    place.put("to/song.ogg", b"something else");
    assert!(bad(&["fetch", "song.ogg", "--to", &to], &first.at).contains("another file of that name"));
    bad(&["publish", &place.at("missing")], &first.at);
}

#[test]
fn a_name_leads_out_of_no_folder() {
    let place = Place::new("chord-names");
    let node = Node::first();
    place.put("evil", b"evil");
    let name = "../../.bashrc\u{1b}[2J";
    let (_publisher, _) = publish(&place.at("evil"), &node.at, &["--name", name]);
    let said = good(&["fetch", name, "--to", &place.at("deep/down")], &node.at);
    assert!(!said.contains('\u{1b}'), "{said:?}");
    let here: Vec<_> = std::fs::read_dir(place.at("deep/down")).unwrap().collect();
    assert_eq!(here.len(), 1);
    assert!(!std::path::Path::new(&place.at(".bashrc")).exists());
}

/// Two have it, and one is killed while it gives.
#[test]
fn a_holder_that_is_killed_is_made_up_for() {
    let place = Place::new("chord-killed");
    let node = Node::first();
    let bytes = content(12_000_000, 3);
    place.put("one/film", &bytes);
    place.put("two/film", &bytes);
    let slowly = ["--upload-rate", "4M"];
    let (one, _) = publish(&place.at("one/film"), &node.at, &slowly);
    let (two, _) = publish(&place.at("two/film"), &node.at, &slowly);
    let to = place.at("to");
    let args = ["fetch", "film", "--to", &to, "--via", &node.at];
    let fetching = Running::new("chord", &args);
    let found = fetching.event("found");
    assert_eq!(found.matches("127.0.0.1:").count(), 2, "{found}");
    // It gives something, and dies.
    one.event("served");
    one.kill();
    fetching.event("saved");
    assert_eq!(fetching.code(), 0);
    assert!(place.read("to/film") == bytes);
    drop(two);
}

/// Who fetches is killed as well, and goes on.
#[test]
fn a_fetch_that_is_interrupted_goes_on() {
    let place = Place::new("chord-resumed");
    let node = Node::first();
    let bytes = content(12_000_000, 4);
    place.put("film", &bytes);
    let (publisher, _) = publish(&place.at("film"), &node.at, &["--upload-rate", "6M"]);
    let to = place.at("to");
    let args = ["fetch", "film", "--to", &to, "--via", &node.at];
    let fetching = Running::new("chord", &args);
    fetching.wait("half of it", |line| {
        line.starts_with("{\"event\":\"progress\"") && number(line, "have") > 4_000_000
    });
    fetching.interrupt();
    assert_eq!(fetching.code(), 130);
    assert!(place.read("to/film").is_empty());
    let fetching = Running::new("chord", &args);
    let first = number(&fetching.event("progress"), "have");
    assert!(first > 2_000_000, "{first} were kept");
    fetching.event("saved");
    assert!(place.read("to/film") == bytes);
    drop(publisher);
}
