//! Files: found across ultrapeers, fetched, fetched on after a crash, listed, noticed when they come and go.

use super::{Node, link, pair, run, search, sharer};
use crate::rig::{Place, Running, content, field, number, text};
use std::fs;

#[test]
fn what_a_leaf_shares_is_found_and_fetched_by_another() {
    let place = Place::new("gnutella-find");
    let bytes = content(3_000_001, 7);
    place.put("music/Band/Blue Train.flac", &bytes);
    place.put("music/.hidden", b"nobody's business");
    place.put("other/Blue Train.flac", &bytes);
    let [up, far] = pair();
    let (first, second) = (sharer(&place, "music", &up.at, &[]), sharer(&place, "other", &far.at, &[]));
    let hits = search("train blue", &far.at, 2);
    assert!(hits.iter().all(|hit| field(hit, "name") == "Blue Train.flac"), "{hits:?}");
    assert!(hits.iter().all(|hit| number(hit, "size") == 3_000_001 && !link(hit).is_empty()), "{hits:?}");
    let got = run(&["get", &link(&hits[0]), "--to", &place.at("to"), "--peer", &far.at, "--json"]);
    assert!(got.status.success(), "{}", text(&got.stderr));
    assert!(place.read("to/Blue Train.flac") == bytes);
    let lines = text(&got.stdout);
    let saved = lines.lines().find(|line| line.starts_with("{\"event\":\"saved\"")).unwrap();
    assert_eq!(number(saved, "bytes"), 3_000_001);
    // By its digest alone: whoever has it is searched for. And by the URL of one who has it.
    let urn = link(&hits[0]).split("xt=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let got = run(&["get", &urn, "--to", &place.at("by urn"), "--peer", &up.at]);
    assert!(got.status.success(), "{}", text(&got.stderr));
    let name = fs::read_dir(place.at("by urn")).unwrap().next().unwrap().unwrap().file_name();
    assert!(fs::read(place.0.join("by urn").join(name)).unwrap() == bytes);
    let url = format!("http://{}/uri-res/N2R?{urn}", first.at);
    let got = run(&["get", &url, "--to", &place.at("by url")]);
    assert!(got.status.success(), "{}", text(&got.stderr));
    // A second time it is another file beside the first.
    let again = run(&["get", &link(&hits[0]), "--to", &place.at("to")]);
    assert!(again.status.success(), "{}", text(&again.stderr));
    assert!(place.read("to/Blue Train (2).flac") == bytes);
    for node in [first, second, up, far] {
        node.program.interrupt();
        assert_eq!(node.program.code(), 0);
    }
}

/// An empty folder is nothing wrong: files may come.
#[test]
fn a_folder_may_be_empty_at_first() {
    let place = Place::new("gnutella-empty");
    fs::create_dir_all(place.at("shared")).unwrap();
    let node = Node::new("ultrapeer", &["--share", &place.at("shared")]);
    let is = |line: &str, name: &str| line.starts_with(&format!("{{\"event\":\"{name}\""));
    let first = node.program.wait("its files", |line| is(line, "sharing") || is(line, "unreadable"));
    assert!(is(&first, "sharing") && number(&first, "files") == 0, "{first}");
    place.put("shared/Late Train.flac", b"it came later");
    node.shares(1);
}

/// By UDP, one ultrapeer after the other: the second is known by what the first says.
#[test]
fn what_is_rare_is_asked_for_by_datagrams() {
    let place = Place::new("gnutella-guess");
    place.put("music/Rare Train.flac", b"hardly anybody has it");
    let [up, far] = pair();
    let _leaf = sharer(&place, "music", &far.at, &[]);
    search("rare", &far.at, 1);
    let words = ["search", "rare", "--peer", &up.at, "--guess", "10", "--for", "60", "--most", "1", "--json"];
    for _ in 0..20 {
        let found = run(&words);
        assert!(found.status.success(), "{}", text(&found.stderr));
        let lines = text(&found.stdout);
        if let Some(hit) = lines.lines().find(|line| line.starts_with("{\"event\":\"hit\"")) {
            assert_eq!(field(hit, "name"), "Rare Train.flac");
            return;
        }
        // A datagram that is late by seconds counts as lost.
    }
    panic!("not found");
}

#[test]
fn a_get_that_was_killed_goes_on_from_there() {
    let place = Place::new("gnutella-kill");
    let bytes = content(12 << 20, 9);
    place.put("share/large.bin", &bytes);
    let up = Node::new("ultrapeer", &[]);
    let giver = sharer(&place, "share", &up.at, &["--up", "3MiB"]);
    let hit = search("large", &up.at, 1).remove(0);
    let to = place.at("to");
    let args = ["get", &link(&hit), "--to", &to];
    let first = Running::new("gnutella", &args);
    first.wait("half of it", |line| {
        line.starts_with("{\"event\":\"progress\"") && number(line, "have") >= 4 << 20
    });
    // What is kept is so some moments later.
    first.wait("a bit more", |line| line.starts_with("{\"event\":\"progress\""));
    first.wait("and more", |line| line.starts_with("{\"event\":\"progress\""));
    first.kill();
    let got = run(&[&args[..], &["--json"]].concat());
    assert!(got.status.success(), "{}", text(&got.stderr));
    let lines = text(&got.stdout);
    let begun = lines.lines().find(|line| line.starts_with("{\"event\":\"progress\"")).unwrap();
    assert!(number(begun, "have") >= 2 << 20, "{begun}");
    assert!(place.read("to/large.bin") == bytes);
    let left: Vec<_> = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["large.bin"], "nothing else is left");
    drop(giver);
}

#[test]
fn what_comes_and_goes_in_a_folder_is_noticed_and_listed() {
    let place = Place::new("gnutella-browse");
    place.put("share/one.txt", b"the first");
    let up = Node::new("ultrapeer", &[]);
    let state = place.at("state");
    let leaf = sharer(&place, "share", &up.at, &["--state", &state]);
    let listed = |files: u64| {
        let listed = run(&["browse", &leaf.at, "--json"]);
        assert!(listed.status.success(), "{}", text(&listed.stderr));
        let lines = text(&listed.stdout);
        assert_eq!(number(lines.lines().last().unwrap(), "files"), files, "{lines}");
        lines
    };
    search("first", &up.at, 0);
    let lines = listed(1);
    let file = lines.lines().find(|line| line.starts_with("{\"event\":\"file\"")).unwrap();
    assert_eq!((field(file, "name"), number(file, "size")), ("one.txt".into(), 9));
    place.put("share/below/two strange.txt", b"the second one");
    leaf.shares(2);
    assert_eq!(search("strange", &up.at, 1).len(), 1);
    fs::remove_file(place.0.join("share/one.txt")).unwrap();
    leaf.shares(1);
    // Digests and addresses are kept.
    leaf.program.interrupt();
    while leaf.program.rest().is_some() {}
    let kept = text(&fs::read(place.0.join("state/hosts")).unwrap());
    assert!(kept.contains(&up.at), "{kept}");
    assert!(fs::read_dir(&state).unwrap().count() > 1);
    let again = Node::new("leaf", &["--share", &place.at("share"), "--state", &state]);
    // With nobody named, it finds whom it knew, be it before or after it has looked at its folder.
    again.program.all(
        "its files and whom it knew",
        &[&|line| line.starts_with("{\"event\":\"sharing\"") && number(line, "files") == 1, &|line| {
            line.starts_with("{\"event\":\"linked\"") && line.contains("\"role\":\"ultrapeer\"")
        }],
    );
}

#[test]
fn who_is_interrupted_says_goodbye() {
    let up = Node::new("ultrapeer", &[]);
    let leaf = Node::new("leaf", &["--peer", &up.at]);
    leaf.linked("ultrapeer");
    up.linked("leaf");
    leaf.program.interrupt();
    let parted = up.program.event("parted");
    assert!(field(&parted, "why").contains("bye: 200"), "{parted}");
    assert_eq!(leaf.program.code(), 0);
}
