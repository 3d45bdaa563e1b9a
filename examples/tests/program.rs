//! The program `torrent` from outside: ours against ours on loopback, its events, its files, its exit codes.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own for a test, gone at its end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("program-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn at(&self, below: &str) -> String {
        self.0.join(below).to_str().unwrap().to_owned()
    }

    fn put(&self, below: &str, bytes: &[u8]) {
        let path = self.0.join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn read(&self, below: &str) -> Vec<u8> {
        fs::read(self.0.join(below)).unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn torrent(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_torrent"));
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    torrent(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The program at work with `--json`, its lines as they come. Dropped, it is killed.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn new(args: &[&str]) -> Self {
        let mut child = torrent(args).arg("--json").stdout(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = sync_channel(10_000);
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The first line from here on that `fits`.
    fn wait(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if fits(&line) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("{what} did not come"),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {what}"),
            }
        }
    }

    fn event(&self, name: &str) -> String {
        let start = format!("{{\"event\":\"{name}\"");
        self.wait(name, |line| line.starts_with(&start))
    }

    fn listening(&self) -> String {
        field(&self.event("listening"), "addr")
    }

    fn interrupt(&self) {
        assert!(
            Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status().unwrap().success()
        );
    }

    fn code(mut self) -> i32 {
        // What it still says must be taken, or it would wait for a reader.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A value of a JSON line, as it stands there but for quotes.
fn field(line: &str, key: &str) -> String {
    let start = format!("\"{key}\":");
    let rest = &line[line.find(&start).unwrap_or_else(|| panic!("no {key} in {line}")) + start.len()..];
    let end = match rest.strip_prefix('"') {
        Some(quoted) => return quoted[..quoted.find('"').unwrap()].to_owned(),
        None => rest.find([',', '}', ']']).unwrap(),
    };
    rest[..end].to_owned()
}

fn number(line: &str, key: &str) -> u64 {
    field(line, key).parse().unwrap()
}

/// Bytes that no two offsets share.
fn content(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .collect()
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
    let seed = Running::new(&["seed", &file, "--from", &place.at("from"), "--listen", "127.0.0.1:0"]);
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
    let tracker = Running::new(&["tracker", "--listen", "127.0.0.1:0"]);
    let line = tracker.event("listening");
    assert!(field(&line, "udp").starts_with("127.0.0.1:"));
    let announce = format!("http://{}/announce", field(&line, "addr"));
    let file = make(&place, "from/album", &["--announce", &announce]);
    let seed = Running::new(&["seed", &file, "--from", &place.at("from"), "--listen", "127.0.0.1:0"]);
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
    let seed = Running::new(&["seed", &file, "--from", &place.at("from"), "--listen", "127.0.0.1:0"]);
    let at = seed.listening();
    let to = place.at("to");
    let args = ["get", &file, "--to", &to, "--peer", &at, "--listen", "127.0.0.1:0"];
    let slow = Running::new(&[&args[..], &["--download-rate", "1M"]].concat());
    slow.wait("some of it", |line| line.contains("\"progress\"") && number(line, "verified") > 300_000);
    slow.interrupt();
    let left = slow.event("interrupted");
    let had = number(&left, "verified");
    assert!(had > 300_000 && had < 3_000_000, "{left}");
    assert_eq!(slow.code(), 130);
    let again = Running::new(&args);
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
    let seed = Running::new(&["seed", &file, "--from", &place.at("from"), "--listen", "127.0.0.1:0"]);
    seed.event("complete");
    // As `timeout` does, to the process and to its group.
    let both = format!("kill -INT {0}; kill -TERM {0}", seed.child.id());
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
