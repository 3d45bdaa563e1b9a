//! `torrent` with itself: its events, its files, its exit codes.

use crate::rig::{Place, Running, content, field, number, text};
use std::fs;
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    crate::rig::run("torrent", args)
}

fn running(args: &[&str]) -> Running {
    Running::new("torrent", args)
}

/// 50 files of all kinds of lengths in folders, one of them empty.
fn folder_of_50(place: &Place, name: &str) -> Vec<(String, Vec<u8>)> {
    (0..50u32)
        .map(|i| {
            let path = format!("{name}/{}/file {i}.{}", i % 4, if i % 5 == 0 { "txt" } else { "bin" });
            let bytes = content((i * i * 41) as usize, i);
            place.put(&path, &bytes);
            (path, bytes)
        })
        .collect()
}

fn make(place: &Place, what: &str, more: &[&str]) -> String {
    let file = place.at("made.torrent");
    let path = place.at(what);
    let args = [&["create", &path, "-o", &file, "--piece-length", "16KiB"], more].concat();
    let made = run(&args);
    assert!(made.status.success(), "{}", text(&made.stderr));
    file
}

#[test]
fn create_show_verify() {
    let place = Place::new("create");
    let files = folder_of_50(&place, "from/album");
    let file =
        make(&place, "from/album", &["--announce", "http://127.0.0.1:1/a,udp://127.0.0.1:2", "--private"]);
    let shown = text(&run(&["show", &file, "--json"]).stdout);
    assert_eq!(field(&shown, "name"), "album");
    assert_eq!(field(&shown, "private"), "true");
    assert_eq!(number(&shown, "bytes"), files.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
    assert!(shown.contains(r#""trackers":["http://127.0.0.1:1/a","udp://127.0.0.1:2"]"#), "{shown}");
    assert_eq!(shown.matches("\"path\":").count(), 50);
    let for_people = text(&run(&["show", &file]).stdout);
    assert!(for_people.contains("album/3/file 47.bin"), "{for_people}");
    // The same content gives the same info-hash, whatever the tracker.
    let again = make(&place, "from/album", &["--private", "--anonymous"]);
    assert_eq!(
        field(&text(&run(&["show", &again, "--json"]).stdout), "info_hash"),
        field(&shown, "info_hash")
    );

    let whole = run(&["verify", &file, "--in", &place.at("from")]);
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let mut spoilt = files[47].1.clone();
    spoilt[1_000] ^= 1;
    place.put(&files[47].0, &spoilt);
    let found = run(&["verify", &file, "--in", &place.at("from"), "--json"]);
    assert_eq!(found.status.code(), Some(1));
    let line = text(&found.stdout).lines().last().unwrap().to_owned();
    assert_eq!(field(&line, "event"), "verified");
    assert_eq!(number(&line, "missing"), 1);
    assert!(line.contains(r#""path":"album/3/file 47.bin""#), "{line}");
}

#[test]
fn fifty_files_from_a_peer_and_again_for_nothing() {
    let place = Place::new("peer");
    let files = folder_of_50(&place, "from/album");
    let file = make(&place, "from/album", &[]);
    let seed = running(&["seed", &file, "--from", &place.at("from"), "--listen", "127.0.0.1:0"]);
    let at = seed.listening();
    let to = place.at("to");
    let args = ["get", &file, "--to", &to, "--peer", &at, "--listen", "127.0.0.1:0", "--json"];
    let got = run(&args);
    assert!(got.status.success(), "{}", text(&got.stderr));
    let first = text(&got.stdout).lines().next().unwrap().to_owned();
    assert!(first.starts_with(r#"{"event":"listening","addr":"127.0.0.1:"#), "{first}");
    for (path, bytes) in &files {
        assert!(place.read(&path.replacen("from", "to", 1)) == *bytes, "{path}");
    }
    let again = run(&args);
    assert!(again.status.success());
    let complete = text(&again.stdout).lines().find(|line| line.contains("\"complete\"")).unwrap().to_owned();
    assert_eq!(number(&complete, "fetched"), 0);
    seed.interrupt();
    assert_eq!(seed.code(), 0);
}

#[test]
fn by_way_of_the_tracker_and_only_some_files() {
    let place = Place::new("tracker");
    let files = folder_of_50(&place, "from/album");
    let tracker = running(&["tracker", "--listen", "127.0.0.1:0"]);
    let line = tracker.event("listening");
    assert!(field(&line, "udp").starts_with("127.0.0.1:"));
    let announce = format!("http://{}/announce", field(&line, "addr"));
    let file = make(&place, "from/album", &["--announce", &announce]);
    let seed = running(&["seed", &file, "--from", &place.at("from"), "--listen", "127.0.0.1:0"]);
    seed.event("announced");
    let to = place.at("to");
    let got =
        run(&["get", &file, "--to", &to, "--listen", "127.0.0.1:0", "--select", "*.txt", "--select", "3"]);
    assert!(got.status.success(), "{}", text(&got.stderr));
    for (path, bytes) in &files {
        if path.ends_with(".txt") || path.contains("/3/") {
            assert!(place.read(&path.replacen("from", "to", 1)) == *bytes, "{path}");
        }
    }
    let unselected = |path: &str| place.read(&path.replacen("from", "to", 1));
    assert!(files.iter().any(|(path, bytes)| unselected(path) != *bytes), "it fetched all");
    tracker.interrupt();
    assert_eq!(tracker.code(), 0);
}

#[test]
fn interrupted_and_resumed() {
    let place = Place::new("resume");
    let bytes = content(3_000_000, 7);
    place.put("from/one", &bytes);
    let file = make(&place, "from/one", &[]);
    let seed = running(&["seed", &file, "--from", &place.at("from"), "--listen", "127.0.0.1:0"]);
    let at = seed.listening();
    let to = place.at("to");
    let args = ["get", &file, "--to", &to, "--peer", &at, "--listen", "127.0.0.1:0"];
    let slow = running(&[&args[..], &["--download-rate", "1M"]].concat());
    slow.wait("some of it", |line| line.contains("\"progress\"") && number(line, "verified") > 300_000);
    slow.interrupt();
    let left = slow.event("interrupted");
    let had = number(&left, "verified");
    assert!(had > 300_000 && had < 3_000_000, "{left}");
    assert_eq!(slow.code(), 130);
    let again = running(&args);
    let checked = again.event("checked");
    assert!(number(&checked, "have") * 16_384 + 16_384 > had, "{checked} after {left}");
    assert_eq!(number(&checked, "digested"), 0, "resume data was not believed");
    let complete = again.event("complete");
    assert!(number(&complete, "fetched") <= 3_000_000 - had + 64 * 16_384, "{complete} after {left}");
    assert_eq!(again.code(), 0);
    assert!(place.read("to/one") == bytes);
}

#[test]
fn what_goes_wrong_in_one_line() {
    let place = Place::new("wrong");
    place.put("junk.torrent", b"d4:infoi1ee");
    place.put("from/one", &content(40_000, 1));
    place.put("empty/nothing", b"");
    let (junk, to) = (place.at("junk.torrent"), place.at("to"));
    let file = make(&place, "from/one", &[]);
    let (from, empty) = (place.at("none"), place.at("empty"));
    for (args, says) in [
        (vec!["show", &junk], "no torrent"),
        (vec!["show", "/does/not/exist"], "/does/not/exist"),
        (vec!["get", "magnet:?xt=urn:btih:a9993e364706816aba3e25717850c26c9cd0d89d", "--to", &to], "magnet"),
        (vec!["get", &file, "--to", &to, "--select", "*.iso"], "*.iso"),
        (vec!["seed", &file, "--from", &from], "no folder"),
        (vec!["seed", &file, "--from", &empty, "--listen", "127.0.0.1:0"], "missing"),
        (vec!["create", &empty, "-o", &to], "no content"),
    ] {
        let ended = run(&args);
        let line = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{args:?}: {line}");
        let error = line.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(error.contains(says), "{args:?}: {line}");
    }
    for args in [vec!["get", &file], vec!["fetch"], vec!["create", &empty, "--piece-length", "100"]] {
        assert_eq!(run(&args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn names_cannot_steer_the_terminal() {
    let place = Place::new("names");
    place.put("evil.torrent", b"d4:infod6:lengthi1e4:name12:a\x1b[2J\xe2\x80\xaeexe.12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee");
    let shown = run(&["show", &place.at("evil.torrent")]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    for out in [shown.stdout, run(&["show", &place.at("evil.torrent"), "--json"]).stdout] {
        let out = text(&out);
        assert!(!out.contains(['\x1b', '\u{202e}']), "{out:?}");
        assert!(out.contains("u{202e}") || out.contains("\\u202e"), "{out:?}");
    }
}

#[test]
fn two_signals_at_once_are_one_wish() {
    let place = Place::new("signals");
    place.put("from/one", &content(40_000, 3));
    let file = make(&place, "from/one", &[]);
    let seed = running(&["seed", &file, "--from", &place.at("from"), "--listen", "127.0.0.1:0"]);
    seed.event("complete");
    // As `timeout` does, to the process and to its group.
    let both = format!("kill -INT {0}; kill -TERM {0}", seed.id());
    Command::new("sh").args(["-c", &both]).status().unwrap();
    assert_eq!(seed.code(), 0);
}

/// A file that cannot be named in a torrent is said, not left out of it.
#[test]
fn a_name_that_is_not_unicode_is_no_torrent() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new("not-unicode");
    place.put("folder/one.bin", b"one");
    let name = std::ffi::OsStr::from_bytes(b"two \xff.bin");
    if fs::write(place.0.join("folder").join(name), b"two").is_err() {
        // This file system has only Unicode.
        return;
    }
    let output = run(&["create", &place.at("folder"), "-o", &place.at("out.torrent")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("not Unicode"), "{output:?}");
    assert!(!place.0.join("out.torrent").exists());
}
