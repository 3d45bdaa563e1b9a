//! SIGKILL in the middle of a download, of ours and of theirs: it comes back, goes on and finishes.

use std::fs;

use crate::clients::{Kind, Ours, Settings, Theirs, create};
use crate::content::{Content, written};
use crate::stage::Stage;

const MIB: u64 = 1024 * 1024;
const SIZE: u64 = 64 * MIB + 4_321;
const BIG_PIECE: u64 = 256 * 1024;
/// Slow enough that a kill lands in the middle, fast enough that a test takes some seconds.
const RATE: u64 = 12 * MIB;
/// What may be fetched twice: pieces that were begun, and blocks on their way, when the kill came.
const IN_FLIGHT: u64 = 12 * MIB;

fn big(stage: &mut Stage) -> Content {
    Content::single(stage.folder("content"), SIZE)
}

/// Fetches a third, ends our leech with `signal`, starts it again. The seed's own count of what it sent tells whether
/// something that was verified was fetched a second time. `at_least` gives what must be known after the restart, of
/// what the leech said before its end.
fn ours_comes_back(name: &'static str, signal: &str, at_least: impl Fn(&mut Ours) -> u64) {
    let mut stage = Stage::new(name, 100);
    let content = big(&mut stage);
    let (seed_host, leech_host) = (stage.host(), stage.host());
    let (torrent, _) = create(&mut stage, &seed_host, &content, BIG_PIECE, &[]);
    let limited = Settings { upload_limit: Some(RATE), ..Settings::default() };
    let seed = Theirs::start(&mut stage, &seed_host, Kind::Libtorrent, &torrent, &content.parent, &limited);
    let folder = stage.folder("leech");
    let dial = ["--peer".into(), seed.address.to_string()];
    let mut leech = Ours::get(&mut stage, &leech_host, &torrent, &folder, &dial);
    let before = stage.wait("a third of the download", || {
        assert!(leech.process.ended().is_none(), "our leech ended early");
        leech.process.numbers("progress", "verified").last().copied().filter(|verified| *verified > SIZE / 3)
    });
    assert!(before < SIZE * 9 / 10, "the end came too late to tell anything: {before} of {SIZE}");
    leech.process.signal(signal);
    stage.wait("our leech to end", || leech.process.ended());
    let expected = at_least(&mut leech);
    let mut leech = Ours::get(&mut stage, &leech_host, &torrent, &folder, &dial);
    let checked = stage.wait_event(&mut leech.process, "checked");
    let known = checked["have"].as_u64().unwrap() * BIG_PIECE;
    assert!(known >= expected, "of {expected} bytes that were verified it knows {known} after its restart");
    let complete = stage.wait_event(&mut leech.process, "complete");
    stage.wait_end(&mut leech.process);
    content.assert_in(&folder, "our leech that came back");
    let fetched = complete["fetched"].as_u64().unwrap();
    assert!(fetched + known <= SIZE + BIG_PIECE, "it knew {known} of {SIZE} bytes and fetched {fetched}");
    // The seed tells its count twice a second: the line after the next one says the last word.
    let told = seed.process.numbers("progress", "up").len();
    let sent =
        stage.wait("the seed's count", || seed.process.numbers("progress", "up").get(told + 1).copied());
    assert!((SIZE..=SIZE + IN_FLIGHT).contains(&sent), "the seed sent {sent} bytes of a file of {SIZE}");
}

#[test]
#[ignore = "needs libtorrent"]
fn ours_resumes_after_sigkill() {
    // What was verified a moment ago may not have reached the disk: a second's worth of pieces at most.
    ours_comes_back("ours-killed", "KILL", |leech| {
        leech.process.numbers("progress", "verified").last().unwrap().saturating_sub(RATE)
    });
}

#[test]
#[ignore = "needs libtorrent"]
fn ours_resumes_after_sigint() {
    ours_comes_back("ours-interrupted", "INT", |leech| {
        assert_eq!(leech.process.ended().unwrap().code(), Some(130), "interrupted before it was done");
        leech.process.numbers("interrupted", "verified")[0]
    });
}

/// Our seed dies and comes back on its address; the leech finds it again by itself.
#[test]
#[ignore = "needs libtorrent"]
fn libtorrent_survives_the_kill_of_our_seed() {
    let mut stage = Stage::new("our-seed-killed", 100);
    let content = big(&mut stage);
    let (seed_host, leech_host) = (stage.host(), stage.host());
    let (torrent, _) = create(&mut stage, &seed_host, &content, BIG_PIECE, &[]);
    let at = seed_host.at(seed_host.free_port()).to_string();
    let listen = ["--listen".into(), at];
    let mut seed = Ours::seed(&mut stage, &seed_host, &torrent, &content.parent, &listen);
    let folder = stage.folder("leech");
    let settings = Settings { download_limit: Some(RATE), dial: Some(seed.address), ..Settings::default() };
    let mut leech = Theirs::start(&mut stage, &leech_host, Kind::Libtorrent, &torrent, &folder, &settings);
    stage.wait("a quarter of the download", || {
        leech.process.numbers("progress", "done").last().copied().filter(|done| *done > SIZE / 4)
    });
    assert!(leech.process.event("complete").is_none(), "the kill came too late to tell anything");
    seed.process.kill();
    let _seed = Ours::seed(&mut stage, &seed_host, &torrent, &content.parent, &listen);
    leech.wait_complete(&stage, &leech_host);
    content.assert_in(&folder, "libtorrent");
}

/// They die and come back on their address; our seed, which dialled them, dials again.
fn they_come_back(name: &'static str, kind: Kind) {
    let mut stage = Stage::new(name, 120);
    let content = big(&mut stage);
    let (seed_host, leech_host) = (stage.host(), stage.host());
    let (torrent, _) = create(&mut stage, &seed_host, &content, BIG_PIECE, &[]);
    let folder = stage.folder("leech");
    let limited = Settings { download_limit: Some(RATE), ..Settings::default() };
    let mut leech = Theirs::start(&mut stage, &leech_host, kind, &torrent, &folder, &limited);
    let dial = ["--peer".into(), leech.address.to_string()];
    let _seed = Ours::seed(&mut stage, &seed_host, &torrent, &content.parent, &dial);
    let file = folder.join(content.name);
    stage.wait("a quarter of the download", || (written(&file) > SIZE / 4).then_some(()));
    leech.process.kill();
    let bytes = written(&file);
    assert!(bytes < SIZE * 9 / 10, "the kill came too late to tell anything: {bytes} of {SIZE}");
    assert!(fs::metadata(&file).is_ok());
    leech.restart(&mut stage, &leech_host, &torrent, &folder);
    leech.wait_complete(&stage, &leech_host);
    content.assert_fetched_by(kind, &folder);
}

#[test]
#[ignore = "needs aria2 and libtorrent"]
fn aria2_resumes_from_ours_after_sigkill() {
    they_come_back("aria2-killed", Kind::Aria2);
}

#[test]
#[ignore = "needs libtorrent"]
fn libtorrent_resumes_from_ours_after_sigkill() {
    they_come_back("libtorrent-killed", Kind::Libtorrent);
}

#[test]
#[ignore = "needs transmission-daemon and libtorrent"]
fn transmission_resumes_from_ours_after_sigkill() {
    they_come_back("transmission-killed", Kind::Transmission);
}
