//! Names that not every system can have: kept by whoever makes a torrent of them, made safe by whoever fetches it.

use p2p_bittorrent::bencode::Encoder;
use p2p_bittorrent::metainfo::{Builder, CreateError, Layout, Limits};
use p2p_bittorrent::{Client, Command, Config, Error, Metainfo, Torrent};
use p2p_core::path::PathError;
use p2p_core::{Bytes, Duration, FileId, RelPath, Root};
use p2p_sim::{Disk, Setup, Sim, Uniform};
use std::net::SocketAddr;
use std::sync::Arc;

const PIECE: u32 = 16 * 1024;
const LEN: usize = 10_000;

/// Names of a folder here, and what each is stored as by whoever fetches it.
static NAMES: [(&[&str], &str); 7] = [
    (&["CON", "aux.txt"], ""),
    (&["a\\b"], "a_b"),
    (&["line\nbreak"], "line_break"),
    (&["plain.mp3"], "plain.mp3"),
    (&["tail."], "tail_"),
    (&["what: a folder?", "x"], "what_ a folder_/x"),
    (&["what?.mp3"], "what_.mp3"),
];

fn made() -> (Arc<Metainfo>, Vec<(RelPath, Bytes)>) {
    let list =
        NAMES.iter().map(|(parts, _)| (parts.iter().map(|part| String::from(*part)).collect(), LEN as u64));
    let builder = Builder::folder("odd? names", list.collect(), Some(PIECE)).unwrap();
    let files: Vec<(RelPath, Bytes)> = (0u8..)
        .zip(builder.files())
        .map(|(index, file)| (file.path.clone(), vec![index; LEN].into()))
        .collect();
    let all = files.iter().flat_map(|(_, data)| data.to_vec()).collect::<Vec<_>>();
    (crate::made::made(builder, &all), files)
}

#[test]
fn made_with_the_names_that_are_here_and_read_with_safe_ones() {
    let (metainfo, files) = made();
    for ((index, (parts, safe)), (path, _)) in NAMES.iter().enumerate().zip(&files) {
        assert_eq!(path.parts().skip(1).collect::<Vec<_>>(), *parts);
        let entry = &metainfo.info.files()[index];
        if !safe.is_empty() {
            assert_eq!(entry.path.as_str(), format!("odd_ names/{safe}"));
        }
        // Safe by the rules of every system.
        assert_eq!(RelPath::from_parts(entry.path.parts()).as_ref(), Ok(&entry.path));
        assert_eq!(metainfo.info.own_path(index), Some(path), "the torrent's name is odd, so all are");
    }
    assert_eq!(metainfo.info.own_path(NAMES.len()), None);
}

#[test]
fn what_no_torrent_can_carry_is_refused() {
    for (bad, error) in [
        ("", PathError::Empty),
        ("..", PathError::Escapes),
        (".", PathError::Escapes),
        ("a/b", PathError::Forbidden),
        ("a\0", PathError::Forbidden),
    ] {
        let name = Builder::file(bad, 1, None).unwrap_err();
        assert_eq!(name, CreateError::Path { file: 0, error }, "{bad:?}");
        let below = Builder::folder("x", vec![(vec!["ok".into(), bad.into()], 1)], None).unwrap_err();
        assert_eq!(below, CreateError::Path { file: 0, error }, "{bad:?}");
    }
}

/// A stranger's torrent of files of one byte with these paths.
fn foreign(paths: &[&[&str]]) -> Metainfo {
    let mut out = bytes::BytesMut::new();
    Encoder::new(&mut out).dict(|torrent| {
        torrent.dict("info", |info| {
            info.list("files", |files| {
                for path in paths {
                    files.dict(|file| {
                        file.int("length", 1);
                        file.list("path", |parts| path.iter().for_each(|part| parts.bytes(part)));
                    });
                }
            });
            info.bytes("name", "t");
            info.int("piece length", 16_384);
            info.bytes("pieces", [0u8; 20]);
        });
    });
    Metainfo::parse(&out, &Limits::default()).unwrap()
}

#[test]
fn no_two_files_are_looked_for_under_one_name() {
    let metainfo = foreign(&[
        &["a?"],
        &["a?"],      // twice
        &["A?"],      // the same where case does not count
        &["a?", "b"], // below a file
        &["d"],
        &["d", "e:"],   // below a plain file
        &["..", "up?"], // not a path as it is
        &["up/../down?"],
        &["x?", "y"],
    ]);
    let info = &metainfo.info;
    let own: Vec<_> = (0..9).map(|index| info.own_path(index).map(RelPath::as_str)).collect();
    assert_eq!(own, [Some("t/a?"), None, None, None, None, None, None, None, Some("t/x?/y")]);
    let layout = Layout::new(Arc::clone(info), Root(0), None).unwrap();
    for index in 0..9 {
        let file = layout.file(index).unwrap();
        assert_eq!(RelPath::from_parts(file.path().parts()).as_ref(), Ok(file.path()));
    }
    let mut layout = layout;
    layout.found_elsewhere(0);
    layout.found_elsewhere(1);
    assert_eq!(layout.file(0).unwrap().path().as_str(), "t/a?");
    assert_eq!((layout.elsewhere(0), layout.elsewhere(1)), (None, None));
    assert_ne!(layout.file(1).unwrap().path().as_str(), "t/a?");
    let folder = RelPath::from_parts(["to"]).unwrap();
    let layout = Layout::new(Arc::clone(info), Root(0), Some(&folder)).unwrap();
    assert_eq!((layout.elsewhere(0), layout.file(8).unwrap().path().as_str()), (None, "to/t/x_/y"));
}

fn client() -> Client {
    let mut config = Config::default();
    config.listen = Some(SocketAddr::from(([0, 0, 0, 0], 6881)));
    Client::new(config)
}

fn disk<'a>(files: impl IntoIterator<Item = (&'a RelPath, &'a Bytes)>) -> Disk {
    files.into_iter().fold(Disk::default(), |disk, (path, data)| {
        disk.with_file(FileId::new(Root(0), path.clone()), data.clone())
    })
}

#[test]
fn seeded_from_where_they_were_made_and_fetched_under_safe_names() {
    let (metainfo, files) = made();
    let mut sim = Sim::new(5, Uniform::ms(10..50));
    let full = disk(files.iter().map(|(path, data)| (path, data)));
    let from = sim.add_with(Setup::new().disk(full), client());
    let seeded = sim.ask(from, Command::Seed(Box::new(Torrent::new(metainfo.clone()))));
    assert!(sim.finish(&[seeded], Duration::from_secs(60)));
    assert_eq!(sim.outcome(seeded), Some(&Ok(())));
    let to = sim.add(client());
    let peer = SocketAddr::new(sim.addr(from), 6881);
    let torrent = Torrent::new(metainfo.clone()).with_peers([peer]);
    let fetched = sim.ask(to, Command::Download(Box::new(torrent)));
    assert!(sim.finish(&[fetched], Duration::from_secs(60)));
    for (entry, (own, data)) in metainfo.info.files().iter().zip(&files) {
        let at = FileId::new(Root(0), entry.path.clone());
        assert_eq!(sim.disk(to).content(&at).as_ref(), Some(data), "{}", entry.path);
        assert_eq!(sim.disk(to).content(&FileId::new(Root(0), own.clone())), None);
        // The seed keeps its own names, and makes no other files.
        assert_eq!(sim.disk(from).content(&at), None);
    }
    // And what was fetched is found again under the safe names.
    let again = sim.ask(to, Command::Verify(Box::new(Torrent::new(metainfo))));
    assert!(sim.finish(&[again], Duration::from_secs(60)));
    assert_eq!(sim.outcome(again), Some(&Ok(())));
}

#[test]
fn a_part_under_its_own_name_is_gone_on_with_there() {
    let (metainfo, files) = made();
    let mut sim = Sim::new(6, Uniform::ms(10..50));
    let from = sim.add_with(Setup::new().disk(disk(files.iter().map(|(path, data)| (path, data)))), client());
    sim.ask(from, Command::Seed(Box::new(Torrent::new(metainfo.clone()))));
    let peer = SocketAddr::new(sim.addr(from), 6881);
    // Another client left the first half of a file under its own name.
    let (own, data) = &files[6];
    let part = data.slice(..LEN / 2);
    let to = sim.add_with(Setup::new().disk(disk([(own, &part)])), client());
    let incomplete = sim.ask(to, Command::Verify(Box::new(Torrent::new(metainfo.clone()))));
    assert!(sim.finish(&[incomplete], Duration::from_secs(60)));
    assert!(matches!(sim.outcome(incomplete), Some(Err(Error::Incomplete { .. }))));
    let torrent = Torrent::new(metainfo.clone()).with_peers([peer]);
    let fetched = sim.ask(to, Command::Download(Box::new(torrent)));
    assert!(sim.finish(&[fetched], Duration::from_secs(60)));
    assert_eq!(sim.disk(to).content(&FileId::new(Root(0), own.clone())).as_ref(), Some(data));
    let safe = FileId::new(Root(0), metainfo.info.files()[6].path.clone());
    assert_eq!(sim.disk(to).content(&safe), None, "not twice");
}
