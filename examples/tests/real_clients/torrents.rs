//! Torrent files: ours load in every client, theirs load in ours, and the same input gives the same info-hash.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::clients::{TORRENT, create, libtorrent, libtorrent_show};
use crate::content::{Content, PIECE};
use crate::network::Host;
use crate::stage::Stage;

fn info_hash(stage: &Stage, host: &Host, torrent: &Path) -> String {
    libtorrent_show(stage, host, torrent)["info_hash"].as_str().unwrap().to_owned()
}

fn ours(stage: &Stage, host: &Host, args: &[&str], torrent: &Path, more: &[&Path]) -> std::process::Output {
    let mut command: Command = host.command(TORRENT);
    command.arg(args[0]).arg(torrent).args(&args[1..]).args(more);
    stage.output(&mut command)
}

#[test]
#[ignore = "needs transmission-cli, aria2 and libtorrent"]
fn our_torrents_load_everywhere() {
    let mut stage = Stage::new("our-torrents", 60);
    let host = stage.host();
    for content in [Content::single(stage.folder("c"), 999_999), Content::many(stage.folder("c"))] {
        let (torrent, hash) =
            create(&mut stage, &host, &content, PIECE, &["http://tracker.invalid/announce"]);
        let seen = libtorrent_show(&stage, &host, &torrent);
        assert_eq!(seen["name"], content.name);
        assert_eq!(seen["piece_length"], PIECE);
        assert_eq!(seen["trackers"][0], "http://tracker.invalid/announce");
        let transmission = stage.run(host.command("transmission-show").arg(&torrent));
        assert!(transmission.contains(&hash), "{transmission}");
        let aria2 = stage.run(host.command("aria2c").arg("--show-files=true").arg(&torrent));
        assert!(aria2.to_lowercase().contains(&hash), "{aria2}");
        let shown = ours(&stage, &host, &["show"], &torrent, &[]);
        assert!(String::from_utf8_lossy(&shown.stdout).contains(&hash), "{shown:?}");
    }
}

/// libtorrent lists a folder in the order of the file system, so only the sorting makers are compared for folders.
#[test]
#[ignore = "needs mktorrent, transmission-cli and libtorrent"]
fn the_same_input_has_the_same_info_hash() {
    let mut stage = Stage::new("same-info-hash", 60);
    let host = stage.host();
    for content in [Content::single(stage.folder("c"), 3 * PIECE + 1), Content::many(stage.folder("c"))] {
        let (torrent, hash) = create(&mut stage, &host, &content, PIECE, &[]);
        let made = stage.folder("made");
        let theirs = made.join("mktorrent");
        stage.run(host.command("mktorrent").args(["-l", "15", "-o"]).arg(&theirs).arg(content.path()));
        assert_eq!(info_hash(&stage, &host, &theirs), hash, "mktorrent and ours, {}", content.name);
        if content.name != "many" {
            let theirs = made.join("libtorrent");
            let mut command = libtorrent(&host);
            command.arg("create").arg(content.path()).arg("-o").arg(&theirs);
            stage.run(command.args(["--piece-length", &PIECE.to_string()]));
            assert_eq!(info_hash(&stage, &host, &theirs), hash, "libtorrent and ours, {}", content.name);
        }
        // Transmission writes `private` in any case, so only its private torrents can be the same. It makes none
        // without a tracker, which the info-hash does not cover, leaves empty files out, and has names that are not
        // ASCII first (its bytes have signs).
        content.remove_empty_files();
        content.rename_to_ascii();
        let theirs = made.join("transmission");
        let kilobytes = (PIECE / 1024).to_string();
        let mut command = host.command("transmission-create");
        command.args(["--private", "--tracker", "http://tracker.invalid/announce"]);
        command.args(["--piecesize", &kilobytes, "--outfile"]).arg(&theirs).arg(content.path());
        stage.run(&mut command);
        let private = torrent.with_extension("private");
        let mut command = host.command(TORRENT);
        command.arg("create").arg(content.path()).arg("-o").arg(&private);
        stage.run(command.args(["--private", "--piece-length", &PIECE.to_string()]));
        assert_eq!(
            info_hash(&stage, &host, &theirs),
            info_hash(&stage, &host, &private),
            "transmission-create and ours, {}",
            content.name
        );
    }
}

#[test]
#[ignore = "needs mktorrent, transmission-cli and libtorrent"]
fn their_torrents_load_in_ours() {
    let mut stage = Stage::new("their-torrents", 60);
    let host = stage.host();
    for content in [Content::single(stage.folder("c"), 7 * PIECE - 1), Content::many(stage.folder("c"))] {
        let made = stage.folder("made");
        let url = "udp://tracker.invalid:6969/announce";
        let [mktorrent, transmission, lt] =
            ["mktorrent", "transmission", "libtorrent"].map(|name| made.join(name));
        stage.run(
            host.command("mktorrent").args(["-a", url, "-l", "16", "-o"]).arg(&mktorrent).arg(content.path()),
        );
        let mut command = host.command("transmission-create");
        stage.run(command.args(["--tracker", url, "--outfile"]).arg(&transmission).arg(content.path()));
        let mut command = libtorrent(&host);
        command.arg("create").arg(content.path()).arg("-o").arg(&lt);
        stage.run(command.args(["--announce", url, "--piece-length", "65536"]));
        for torrent in [&mktorrent, &transmission, &lt] {
            let hash = info_hash(&stage, &host, torrent);
            let shown = ours(&stage, &host, &["show"], torrent, &[]);
            let text = String::from_utf8_lossy(&shown.stdout);
            assert!(shown.status.success() && text.contains(&hash) && text.contains(url), "{shown:?}");
            let verified = ours(&stage, &host, &["verify", "--in"], torrent, &[&content.parent]);
            assert!(verified.status.success(), "{torrent:?}: {verified:?}");
        }
        let victim =
            if content.path().is_dir() { content.path().join("file 03.bin") } else { content.path() };
        let victim =
            if victim.exists() { victim } else { content.path().join("sub/deeper/still deeper/file 03.bin") };
        let mut bytes = fs::read(&victim).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&victim, bytes).unwrap();
        let verified = ours(&stage, &host, &["verify", "--in"], &mktorrent, &[&content.parent]);
        assert_eq!(verified.status.code(), Some(1), "one changed bit must be found: {verified:?}");
    }
}
