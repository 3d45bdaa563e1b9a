//! Names in a torrent that lead out of its folder, or mean something to a system: fetched by a client, none does.

use super::scene::config;
use p2p_bittorrent::bencode::Encoder;
use p2p_bittorrent::{Client, Command, Error, Metainfo, Torrent, metainfo};
use p2p_core::hash::{Hasher, Sha1};
use p2p_core::{Bytes, Duration, FileId, RelPath, Root};
use p2p_sim::{Audit, Disk, Setup, Sim, Uniform};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

const LEN: usize = 3_000;
const PIECE: usize = 16 * 1024;

/// A torrent as a stranger may write one, its names as they are.
fn torrent(name: &[u8], paths: &[Vec<&[u8]>]) -> Result<Arc<Metainfo>, metainfo::Error> {
    let content = content(paths.len());
    let pieces: Vec<u8> = content.chunks(PIECE).flat_map(|piece| Sha1::digest(piece).0).collect();
    let mut out = bytes::BytesMut::new();
    Encoder::new(&mut out).dict(|dict| {
        dict.dict("info", |info| {
            info.list("files", |files| {
                for path in paths {
                    files.dict(|file| {
                        file.int("length", LEN as i64);
                        file.list("path", |parts| path.iter().for_each(|part| parts.bytes(part)));
                    });
                }
            });
            info.bytes("name", name);
            info.int("piece length", PIECE as i64);
            info.bytes("pieces", &pieces);
        });
    });
    Metainfo::parse(&out, &metainfo::Limits::default()).map(Arc::new)
}

fn content(files: usize) -> Vec<u8> {
    (0..files * LEN).map(|at| (at / LEN) as u8 ^ (at % 251) as u8).collect()
}

/// Fetches it from a seed; the paths of all files on the disk of who fetched.
fn fetched(metainfo: &Arc<Metainfo>) -> BTreeSet<String> {
    let content = Bytes::from(content(metainfo.info.files().len()));
    let mut disk = Disk::default();
    for file in metainfo.info.files() {
        let at = file.offset as usize;
        disk = disk.with_file(FileId::new(Root(0), file.path.clone()), content.slice(at..at + LEN));
    }
    let mut sim = Sim::new(3, Uniform::ms(5..10));
    let seed = sim.add_with(Setup::new().disk(disk), Audit::new(Client::new(config())));
    let op = sim.ask(seed, Command::Seed(Box::new(Torrent::new(metainfo.clone()))));
    assert!(sim.finish(&[op], Duration::from_secs(10)));
    let leech = sim.add(Audit::new(Client::new(config())));
    let at = SocketAddr::new(sim.addr(seed), 6881);
    let wanted = Torrent::new(metainfo.clone()).with_peers([at]);
    let op = sim.ask(leech, Command::Download(Box::new(wanted)));
    assert!(sim.finish(&[op], Duration::from_secs(100)));
    assert!(matches!(sim.outcome(op), Some(Ok(()))));
    sim.run_for(Duration::from_secs(60));
    for file in metainfo.info.files() {
        let (id, at) = (FileId::new(Root(0), file.path.clone()), file.offset as usize);
        assert_eq!(sim.disk(leech).content(&id), Some(content.slice(at..at + LEN)), "{}", file.path.as_str());
    }
    sim.disk(leech).files().map(|file| file.path().as_str().to_owned()).collect()
}

#[test]
fn paths_that_lead_elsewhere_are_fetched_into_the_folder() {
    let long = [b'x'; 400];
    let paths: Vec<Vec<&[u8]>> = vec![
        vec![b"..", b"..", b"etc", b"passwd"],
        vec![b"/etc/passwd"],
        vec![b"a/../../b"],
        vec![b"C:\\Windows\\system32"],
        vec![b"\\\\server\\share"],
        vec![b"nul\0byte"],
        vec![b"CON"],
        vec![b"aux.txt"],
        vec![b"LPT1"],
        vec![b"trailing. "],
        vec![b"new\nline"],
        vec![b"\xff\xfe"],
        vec![&long],
        vec!["\u{202e}txt.exe".as_bytes()],
        vec![b"~root"],
        vec![b"file:stream"],
        vec![b".p2p-resume", b"x.resume"],
    ];
    assert!(torrent(b"..", &paths).is_err(), "a name of which nothing is left");
    let metainfo = torrent(b"../../up", &paths).expect("it can be made safe");
    let files = fetched(&metainfo);
    let inside: Vec<&String> = files.iter().filter(|file| !file.starts_with(".p2p-resume/")).collect();
    assert_eq!(inside.len(), paths.len(), "each is a file of its own: {files:?}");
    let folder = inside[0].split('/').next().unwrap();
    for file in &inside {
        assert_eq!(file.split('/').next().unwrap(), folder, "all in one folder");
        // By the strictest rules of all systems.
        let parts: Vec<&str> = file.split('/').collect();
        assert!(RelPath::from_parts(parts.iter().copied()).is_ok(), "{file}");
        assert!(
            parts.iter().all(|part| part.len() <= 255 && *part != ".." && !part.contains('\0')),
            "{file}"
        );
    }
    // What is written beside is our own resume data.
    assert_eq!(files.len(), inside.len() + 1);
}

#[test]
fn no_torrent_is_our_resume_data() {
    // A torrent that calls itself what the folder of resume data is called, and its file what one is called.
    let hash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.resume";
    for name in [".p2p-resume", ".P2P-Resume", ".p2p-resume.", ".p2p-resume "] {
        let metainfo = torrent(name.as_bytes(), &[vec![hash.as_bytes()]]).unwrap();
        let mut sim = Sim::new(3, Uniform::ms(5..10));
        let node = sim.add(Audit::new(Client::new(config())));
        let op = sim.ask(node, Command::Download(Box::new(Torrent::new(metainfo.clone()))));
        assert_eq!(sim.outcome(op), Some(&Err(Error::OwnFolder)), "{name}");
        // In another root it is a name like any other.
        let op = sim.ask(node, Command::Download(Box::new(Torrent::new(metainfo).in_root(Root(1)))));
        assert_eq!(sim.outcome(op), None);
    }
}

#[test]
fn files_that_would_be_one_on_some_system_are_two() {
    let paths: Vec<Vec<&[u8]>> =
        vec![vec![b"a"], vec![b"A"], vec![b"a "], vec![b"a."], vec![b"a", b"b"], vec![b"a\0"]];
    let metainfo = torrent(b"same", &paths).unwrap();
    let files = fetched(&metainfo);
    let lower: BTreeSet<String> = files.iter().map(|file| file.to_lowercase()).collect();
    assert_eq!(lower.len(), files.len());
}
