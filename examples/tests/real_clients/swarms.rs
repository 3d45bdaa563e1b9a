//! All four clients in one swarm that finds itself through a tracker: ours, or opentracker with a whitelist.

use std::path::Path;
use std::time::Duration;

use crate::clients::{Kind, Ours, Settings, Theirs, Tracker, create};
use crate::content::{Content, PIECE};
use crate::stage::Stage;

/// A leech that hears of no seed in its first announce would ask again only after the tracker's interval.
const ANNOUNCED: Duration = Duration::from_secs(3);

/// Ours seeds; ours, Transmission, aria2 and libtorrent fetch; all of them only know the tracker.
fn ours_seeds_to_everybody(stage: &mut Stage, content: &Content, torrent: &Path, udp_tracker: bool) {
    let settings = Settings { udp_tracker, ..Settings::default() };
    let seed_host = stage.host();
    let _seed = Ours::seed(stage, &seed_host, torrent, &content.parent, &[]);
    stage.pause(ANNOUNCED);
    let mut theirs = Vec::new();
    for kind in Kind::ALL {
        let (host, folder) = (stage.host(), stage.folder("leech"));
        let leech = Theirs::start(stage, &host, kind, torrent, &folder, &settings);
        theirs.push((kind, leech, host, folder));
    }
    let (host, folder) = (stage.host(), stage.folder("leech"));
    let mut ours = Ours::get(stage, &host, torrent, &folder, &["--seed".into()]);
    ours.wait_complete(stage);
    content.assert_in(&folder, "ours");
    for (kind, leech, host, folder) in &mut theirs {
        leech.wait_complete(stage, host);
        content.assert_fetched_by(*kind, folder);
    }
}

/// A real client seeds; ours and another one fetch; all of them only know the tracker.
fn they_seed(stage: &mut Stage, content: &Content, torrent: &Path, kind: Kind) {
    let seed_host = stage.host();
    let mut seed = Theirs::start(stage, &seed_host, kind, torrent, &content.parent, &Settings::default());
    seed.wait_seeding(stage, &seed_host);
    stage.pause(ANNOUNCED);
    let (host, folder) = (stage.host(), stage.folder("leech"));
    let mut ours = Ours::get(stage, &host, torrent, &folder, &[]);
    ours.wait_complete(stage);
    stage.wait_end(&mut ours.process);
    content.assert_in(&folder, "ours");
}

#[test]
#[ignore = "needs transmission-daemon, aria2 and libtorrent"]
fn swarm_of_four_with_our_http_tracker() {
    let mut stage = Stage::new("swarm-http", 120);
    let tracker_host = stage.host();
    let tracker = Tracker::ours(&mut stage, &tracker_host);
    let content = Content::single(stage.folder("content"), 12 * 1024 * 1024 + 1);
    let (torrent, _) = create(&mut stage, &tracker_host, &content, PIECE, &[&tracker.http]);
    ours_seeds_to_everybody(&mut stage, &content, &torrent, false);
}

#[test]
#[ignore = "needs transmission-daemon, aria2 and libtorrent"]
fn swarm_of_four_with_our_udp_tracker() {
    let mut stage = Stage::new("swarm-udp", 120);
    let tracker_host = stage.host();
    let tracker = Tracker::ours(&mut stage, &tracker_host);
    let content = Content::many(stage.folder("content"));
    let (torrent, _) = create(&mut stage, &tracker_host, &content, PIECE, &[&tracker.udp]);
    ours_seeds_to_everybody(&mut stage, &content, &torrent, true);
}

/// The addresses are needed before the torrent, the torrent's info-hash before the tracker starts.
fn with_opentracker(name: &'static str, udp: bool, kind: Kind) {
    let mut stage = Stage::new(name, 150);
    let tracker_host = stage.host();
    let port = tracker_host.free_port();
    let url = format!("{}://{}/announce", if udp { "udp" } else { "http" }, tracker_host.at(port));
    let content = Content::many(stage.folder("content"));
    let other = Content::single(stage.folder("content"), 3 * 1024 * 1024 + 5);
    let (torrent, info_hash) = create(&mut stage, &tracker_host, &content, PIECE, &[&url]);
    let (other_torrent, other_hash) = create(&mut stage, &tracker_host, &other, PIECE, &[&url]);
    let tracker = Tracker::opentracker(&mut stage, &tracker_host, port, &[info_hash, other_hash]);
    assert_eq!(if udp { &tracker.udp } else { &tracker.http }, &url);
    ours_seeds_to_everybody(&mut stage, &content, &torrent, udp);
    they_seed(&mut stage, &other, &other_torrent, kind);
}

#[test]
#[ignore = "needs opentracker, transmission-daemon, aria2 and libtorrent"]
fn opentracker_over_http() {
    with_opentracker("opentracker-http", false, Kind::Transmission);
}

#[test]
#[ignore = "needs opentracker, transmission-daemon, aria2 and libtorrent"]
fn opentracker_over_udp() {
    with_opentracker("opentracker-udp", true, Kind::Libtorrent);
}
