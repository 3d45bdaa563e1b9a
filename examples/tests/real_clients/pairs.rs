//! One of ours and one real client, each as the seed, with one file and with fifty.

use crate::clients::{Kind, Ours, Settings, Theirs, create};
use crate::content::{Content, PIECE};
use crate::stage::Stage;

/// Both shapes at once: Transmission lets a new peer wait ten seconds, so one after the other would take twice as long.
fn contents(stage: &mut Stage) -> [Content; 2] {
    let (single, many) = (stage.folder("single"), stage.folder("many"));
    [Content::single(single, 5 * 1024 * 1024 + 12_345), Content::many(many)]
}

fn ours_seeds_to(name: &'static str, kind: Kind) {
    let mut stage = Stage::new(name, 100);
    let mut running = Vec::new();
    for content in contents(&mut stage) {
        let (seed_host, leech_host) = (stage.host(), stage.host());
        let (torrent, _) = create(&mut stage, &seed_host, &content, PIECE, &[]);
        let folder = stage.folder("leech");
        let leech = Theirs::start(&mut stage, &leech_host, kind, &torrent, &folder, &Settings::default());
        let dial = ["--peer".into(), leech.address.to_string()];
        let seed = Ours::seed(&mut stage, &seed_host, &torrent, &content.parent, &dial);
        running.push((content, seed, seed_host, leech, leech_host, folder));
    }
    for (content, _seed, _, leech, leech_host, folder) in &mut running {
        leech.wait_complete(&stage, leech_host);
        content.assert_fetched_by(kind, folder);
    }
}

fn they_seed_to_ours(name: &'static str, kind: Kind) {
    let mut stage = Stage::new(name, 100);
    let mut running = Vec::new();
    for content in contents(&mut stage) {
        let (seed_host, leech_host) = (stage.host(), stage.host());
        let (torrent, _) = create(&mut stage, &seed_host, &content, PIECE, &[]);
        let mut seed =
            Theirs::start(&mut stage, &seed_host, kind, &torrent, &content.parent, &Settings::default());
        seed.wait_seeding(&stage, &seed_host);
        let folder = stage.folder("leech");
        let dial = ["--peer".into(), seed.address.to_string()];
        let leech = Ours::get(&mut stage, &leech_host, &torrent, &folder, &dial);
        running.push((content, seed, seed_host, leech, leech_host, folder));
    }
    for (content, _seed, _, leech, _, folder) in &mut running {
        leech.wait_complete(&stage);
        stage.wait_end(&mut leech.process);
        content.assert_in(folder, name);
    }
}

#[test]
#[ignore = "needs aria2 and libtorrent"]
fn ours_seeds_to_aria2() {
    ours_seeds_to("ours-seeds-to-aria2", Kind::Aria2);
}

#[test]
#[ignore = "needs libtorrent"]
fn ours_seeds_to_libtorrent() {
    ours_seeds_to("ours-seeds-to-libtorrent", Kind::Libtorrent);
}

#[test]
#[ignore = "needs transmission-daemon and libtorrent"]
fn ours_seeds_to_transmission() {
    ours_seeds_to("ours-seeds-to-transmission", Kind::Transmission);
}

#[test]
#[ignore = "needs aria2 and libtorrent"]
fn aria2_seeds_to_ours() {
    they_seed_to_ours("aria2-seeds-to-ours", Kind::Aria2);
}

#[test]
#[ignore = "needs libtorrent"]
fn libtorrent_seeds_to_ours() {
    they_seed_to_ours("libtorrent-seeds-to-ours", Kind::Libtorrent);
}

#[test]
#[ignore = "needs transmission-daemon and libtorrent"]
fn transmission_seeds_to_ours() {
    they_seed_to_ours("transmission-seeds-to-ours", Kind::Transmission);
}

/// libtorrent is the one that can be told to dial: our seed answers.
#[test]
#[ignore = "needs libtorrent"]
fn libtorrent_dials_our_seed() {
    let mut stage = Stage::new("libtorrent-dials-our-seed", 100);
    for content in contents(&mut stage) {
        let (seed_host, leech_host) = (stage.host(), stage.host());
        let (torrent, _) = create(&mut stage, &seed_host, &content, PIECE, &[]);
        let seed = Ours::seed(&mut stage, &seed_host, &torrent, &content.parent, &[]);
        let folder = stage.folder("leech");
        let settings = Settings { dial: Some(seed.address), ..Settings::default() };
        let mut leech =
            Theirs::start(&mut stage, &leech_host, Kind::Libtorrent, &torrent, &folder, &settings);
        leech.wait_complete(&stage, &leech_host);
        content.assert_in(&folder, "libtorrent that dialled");
    }
}
