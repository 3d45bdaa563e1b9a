//! Torrent files: what is refused and where, what is tolerated, how bytes lie in files, and making torrents.

use bytes::Bytes;
use p2p_bittorrent::InfoHash;
use p2p_bittorrent::bencode::{self, Doc, Mode};
use p2p_bittorrent::metainfo::{
    Builder, CreateError, Details, Error, FileEntry, FileKind, Info, Layout, Limits, Metainfo, Part, What,
    piece_len_for, zeros,
};
use p2p_core::hash::{Hasher, Sha1, Sha1Hash};
use p2p_core::path::PathError;
use p2p_core::{RelPath, Root, Span, UnixTime};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

// Writing bencode as a stranger would, right or wrong.

fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [text.len().to_string().as_bytes(), b":", text].concat()
}

fn int(number: i128) -> Vec<u8> {
    format!("i{number}e").into()
}

fn list(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let items: Vec<u8> = items.into_iter().flatten().collect();
    [b"l", &items[..], b"e"].concat()
}

fn dict<'a>(entries: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Vec<u8> {
    let entries: Vec<u8> =
        entries.into_iter().flat_map(|(key, value)| [string(key), value].concat()).collect();
    [b"d", &entries[..], b"e"].concat()
}

fn path(parts: &[&str]) -> Vec<u8> {
    list(parts.iter().map(string))
}

fn file(len: i128, parts: &[&str]) -> Vec<u8> {
    dict([("length", int(len)), ("path", path(parts))])
}

fn attr_file(attr: &str, len: i128, parts: &[&str]) -> Vec<u8> {
    dict([("attr", string(attr)), ("length", int(len)), ("path", path(parts))])
}

/// A right info dictionary of one file (40 bytes, 2 pieces) with some values changed or taken away.
fn one(changes: &[(&'static str, Option<Vec<u8>>)]) -> Vec<u8> {
    let mut keys = BTreeMap::from([
        ("length", int(40)),
        ("name", string("a")),
        ("piece length", int(32)),
        ("pieces", string([7; 40])),
    ]);
    for (key, value) in changes {
        match value {
            Some(value) => keys.insert(key, value.clone()),
            None => keys.remove(key),
        };
    }
    dict(keys)
}

fn change(key: &'static str, value: Vec<u8>) -> Vec<u8> {
    one(&[(key, Some(value))])
}

/// A right info dictionary of a folder, for as many bytes as its files have; pieces of 32 bytes.
fn folder(total: u64, files: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let hashes = vec![7; 20 * total.div_ceil(32) as usize];
    one(&[
        ("length", None),
        ("files", Some(list(files))),
        ("name", Some(string("root"))),
        ("pieces", Some(string(hashes))),
    ])
}

fn torrent(info: &[u8]) -> Vec<u8> {
    [b"d4:info", info, b"e"].concat()
}

fn parse(info: &[u8]) -> Result<Info, Error> {
    Info::parse(Bytes::copy_from_slice(info), &Limits::default())
}

/// Both ways in, the file and the metadata that peers send, refuse it at the same place; `text` is what begins there.
#[track_caller]
fn refused(info: &[u8], place: &str, what: What, text: &str) {
    let error = parse(info).unwrap_err();
    assert_eq!((error.place.to_string().as_str(), error.what), (place, what));
    let from = &info[error.at..];
    assert!(from.starts_with(text.as_bytes()), "{}", from[..from.len().min(40)].escape_ascii());
    let whole = Metainfo::parse(&torrent(info), &Limits::default()).unwrap_err();
    assert_eq!(whole, Error { at: error.at + 7, ..error });
}

#[test]
fn a_torrent_of_one_file() {
    let info = parse(&one(&[])).unwrap();
    assert_eq!((info.name(), info.total(), info.is_folder(), info.is_private()), ("a", 40, false, false));
    assert_eq!((info.pieces().count(), info.pieces().piece_len()), (2, 32));
    assert_eq!(info.files().len(), 1);
    let path = RelPath::from_parts(["a"]).unwrap();
    assert_eq!(info.files()[0], FileEntry { path, len: 40, offset: 0, kind: FileKind::Data });
    assert_eq!((info.piece_hash(1), info.piece_hash(2)), (Some(Sha1Hash([7; 20])), None));
    assert_eq!(info.piece_hash(u32::MAX), None);
}

#[test]
fn the_info_hash_is_of_the_bytes_as_they_came() {
    // Unsorted, a key twice, and keys that nobody knows.
    let odd =
        [&b"d5:zzzzzli-1ee4:name1:a4:name1:b6:lengthi40e12:piece lengthi32e6:pieces40:"[..], &[7; 40], b"e"]
            .concat();
    let info = parse(&odd).unwrap();
    assert_eq!((info.name(), info.info_hash()), ("a", InfoHash::of(&odd)));
    assert_eq!(info.raw(), &odd);
    let whole = Metainfo::parse(&torrent(&odd), &Limits::default()).unwrap();
    assert_eq!((whole.info.info_hash(), whole.info.raw()), (InfoHash::of(&odd), &Bytes::from(odd)));
    assert_eq!(whole.info.piece_hash(0), Some(Sha1Hash([7; 20])));
}

// B3: numbers.

#[test]
fn b3_piece_length_zero() {
    refused(&change("piece length", int(0)), "info.piece length", What::Zero, "i0e");
}

#[test]
fn b3_piece_length_negative() {
    refused(&change("piece length", int(-32)), "info.piece length", What::Negative, "i-32e");
}

#[test]
fn b3_piece_length_huge() {
    for len in [(256 << 20) + 1, 1 << 31, 1 << 32, (1 << 32) + 32, i64::MAX.into()] {
        refused(&change("piece length", int(len)), "info.piece length", What::TooLarge, "i");
    }
    assert!(
        parse(&one(&[("piece length", Some(int(256 << 20))), ("pieces", Some(string([7; 20])))])).is_ok()
    );
}

#[test]
fn b3_piece_length_not_a_number() {
    refused(&change("piece length", string("32")), "info.piece length", What::NotInt, "2:32");
    refused(&one(&[("piece length", None)]), "info.piece length", What::Missing, "d6:length");
}

#[test]
fn b3_a_piece_length_that_is_no_power_of_two_works_exactly() {
    let (len, total) = (1_986_560, 5_000_000u64);
    let changes = [("length", total.into(), "piece length", len.into())];
    let [(a, total_text, b, len_text)] =
        changes.map(|(a, x, b, y): (_, i128, _, i128)| (a, int(x), b, int(y)));
    let info = parse(&one(&[(a, Some(total_text)), (b, Some(len_text)), ("pieces", Some(string([7; 60])))]))
        .unwrap();
    assert_eq!(info.pieces().count(), 3);
    let last: Vec<_> = info.spans(2, 0, u32::MAX).collect();
    assert_eq!(last.len(), 1);
    assert_eq!((last[0].offset, last[0].len), (2 * 1_986_560, total - 2 * 1_986_560));
}

#[test]
fn b3_pieces_not_a_multiple_of_20() {
    for len in [1, 19, 39, 41] {
        refused(&change("pieces", string(vec![7; len])), "info.pieces", What::NotHashes, &format!("{len}:"));
    }
}

#[test]
fn b3_pieces_too_few_or_too_many() {
    for count in [0, 1, 3, 1_000] {
        let len = count * 20;
        refused(&change("pieces", string(vec![7; len])), "info.pieces", What::Count, &format!("{len}:"));
    }
}

#[test]
fn b3_pieces_not_a_string_or_missing() {
    refused(&change("pieces", list([])), "info.pieces", What::NotString, "le");
    refused(&one(&[("pieces", None)]), "info.pieces", What::Missing, "d6:length");
}

#[test]
fn b3_lengths_that_are_no_length() {
    refused(&change("length", int(-1)), "info.length", What::Negative, "i-1e");
    refused(&change("length", string("40")), "info.length", What::NotInt, "2:40");
    refused(&one(&[("length", None)]), "info.length", What::Missing, "d4:name");
    refused(&change("length", int(0)), "info.length", What::NoContent, "d6:length");
    // More pieces than 32 bits number.
    refused(&change("length", int(i64::MAX.into())), "info.pieces", What::Count, "40:");
    refused(&folder(32, [file(-1, &["x"])]), "info.files[0].length", What::Negative, "i-1e");
    refused(
        &folder(32, [file(1, &["x"]), dict([("path", path(&["y"]))])]),
        "info.files[1].length",
        What::Missing,
        "d4:path",
    );
    let not = dict([("length", list([])), ("path", path(&["y"]))]);
    refused(&folder(32, [not]), "info.files[0].length", What::NotInt, "le");
}

#[test]
fn b3_the_sum_of_lengths_overflows() {
    let max = i64::MAX.into();
    refused(
        &folder(32, [file(max, &["x"]), file(1, &["y"])]),
        "info.files[1].length",
        What::Overflow,
        "d6:length",
    );
    let three = [file(max - 1, &["x"]), file(1, &["y"]), file(max, &["z"])];
    refused(&folder(32, three), "info.files[2].length", What::Overflow, "d6:length");
    // Just not: then it is the hashes that are too few.
    refused(&folder(32, [file(max - 1, &["x"]), file(1, &["y"])]), "info.pieces", What::Count, "20:");
    // Past 64 bits it is not an integer of bencode at all.
    refused(
        &change("length", int(1 << 64)),
        "torrent",
        What::Bencode(bencode::What::Overflow),
        "i18446744073709551616e",
    );
}

#[test]
fn b3_files_and_length_together_or_neither() {
    let both = one(&[("files", Some(list([file(1, &["x"])])))]);
    refused(&both, "info.files", What::Both, "ld6:length");
    refused(&one(&[("length", None)]), "info.length", What::Missing, "d4:name");
}

#[test]
fn b3_files_that_are_no_list_of_files() {
    let with = |files: Vec<u8>| one(&[("length", None), ("files", Some(files))]);
    refused(&with(int(1)), "info.files", What::NotList, "i1e");
    refused(&with(list([])), "info.files", What::Empty, "le");
    refused(&with(list([file(40, &["x"]), int(1)])), "info.files[1]", What::NotDict, "i1e");
    refused(&with(list([file(0, &["x"]), file(0, &["y"])])), "info.files", What::NoContent, "d5:files");
}

#[test]
fn b3_more_files_than_allowed() {
    let text = folder(96, [file(32, &["x"]), file(32, &["y"]), file(32, &["z"])]);
    let with = |files| Info::parse(text.clone().into(), &Limits { files, ..Limits::default() });
    assert!(with(3).is_ok());
    let error = with(2).unwrap_err();
    assert_eq!((error.place.to_string().as_str(), error.what), ("info.files", What::TooLarge));
}

#[test]
fn b3_empty_files_are_files() {
    let text = folder(33, [file(0, &["a"]), file(33, &["b"]), file(0, &["c"]), file(0, &["d"])]);
    let info = parse(&text).unwrap();
    let lens: Vec<_> = info.files().iter().map(|file| (file.len, file.offset)).collect();
    assert_eq!(lens, [(0, 0), (33, 0), (0, 33), (0, 33)]);
    assert_eq!((info.pieces_of(0), info.pieces_of(1), info.pieces_of(4)), (None, Some(0..=1), None));
    let spans: Vec<_> = info.spans(0, 0, 100).map(|span| (span.file, span.offset, span.len)).collect();
    assert_eq!(spans, [(1, 0, 32)]);
    let layout = Layout::new(Arc::new(info), Root(0), None).unwrap();
    assert_eq!(layout.files().count(), 4, "empty files are to be made");
}

#[test]
fn names_that_are_no_names() {
    refused(&one(&[("name", None)]), "info.name", What::Missing, "d6:length");
    refused(&change("name", int(1)), "info.name", What::NotString, "i1e");
}

#[test]
fn b3_a_single_file_without_a_name() {
    refused(&change("name", string("")), "info.name", What::Path(PathError::Empty), "0:");
}

#[test]
fn private_is_a_number() {
    for (value, private) in [(0, false), (1, true), (2, true), (-1, true)] {
        assert_eq!(parse(&change("private", int(value))).unwrap().is_private(), private);
    }
    refused(&change("private", string("1")), "info.private", What::NotInt, "1:1");
}

#[test]
fn version_2_alone_is_refused_by_name() {
    let text = one(&[("meta version", Some(int(2))), ("length", None), ("pieces", None)]);
    refused(&text, "info.pieces", What::V2Only, "d12:meta version");
    assert!(parse(&change("meta version", int(2))).is_ok(), "a hybrid is read as version 1");
}

#[test]
fn documents_that_are_no_torrents() {
    let refused = |text: &[u8], place: &str, what: What, at: usize| {
        let error = Metainfo::parse(text, &Limits::default()).unwrap_err();
        assert_eq!((error.place.to_string().as_str(), error.what, error.at), (place, what, at));
    };
    refused(b"", "torrent", What::Bencode(bencode::What::Truncated), 0);
    refused(b"<html>", "torrent", What::Bencode(bencode::What::Unexpected), 0);
    refused(b"le", "torrent", What::NotDict, 0);
    refused(b"de", "info", What::Missing, 0);
    refused(b"d4:infoi1ee", "info", What::NotDict, 7);
    let good = torrent(&one(&[]));
    refused(&good[..good.len() - 1], "torrent", What::Bencode(bencode::What::Truncated), good.len() - 1);
    refused(&[&good[..], b"\n x"].concat(), "torrent", What::Bencode(bencode::What::Trailing), good.len());
    assert!(Metainfo::parse(&[&good[..], b"\r\n \t"].concat(), &Limits::default()).is_ok());
    // The metadata of a peer is exactly the dictionary.
    let error = parse(&[&one(&[])[..], b"\n"].concat()).unwrap_err();
    assert_eq!(error.what, What::Bencode(bencode::What::Trailing));
    let error = parse(&good).unwrap_err();
    assert_eq!((error.place.to_string().as_str(), error.what), ("info.piece length", What::Missing));
    assert_eq!(error.to_string(), "info.piece length: missing (byte 0)");
    let deep = torrent(&[&b"d1:x"[..], &b"l".repeat(100_000)].concat());
    refused(&deep, "torrent", What::Bencode(bencode::What::TooDeep), 7 + 4 + 98);
}

// B4: paths.

/// Where the only file of an info dictionary would be stored.
#[track_caller]
fn stored(info: &[u8]) -> String {
    parse(info).unwrap().files()[0].path.as_str().to_owned()
}

#[test]
fn b4_names_that_lead_elsewhere() {
    for (bad, safe) in [
        ("/etc/passwd", "_etc_passwd"),
        ("a/../../b", "a_.._.._b"),
        ("..\\..\\b", ".._.._b"),
        ("\\\\host\\share", "__host_share"),
        ("C:\\x", "C__x"),
        ("a\0b", "a_b"),
        ("trailing.", "trailing_"),
        ("trailing ", "trailing_"),
    ] {
        assert_eq!(stored(&change("name", string(bad))), safe);
        assert_eq!(stored(&folder(32, [file(32, &[bad])])), format!("root/{safe}"));
        assert_eq!(stored(&folder(32, [file(32, &["a", "b", bad, "c"])])), format!("root/a/b/{safe}/c"));
        // The other spelling is on the same way.
        let both =
            dict([("length", int(32)), ("path", list([string(b"\xff")])), ("path.utf-8", path(&[bad]))]);
        assert_eq!(stored(&folder(32, [both])), format!("root/{safe}"));
        assert_eq!(stored(&one(&[("name", Some(string(b"\xff"))), ("name.utf-8", Some(string(bad)))])), safe);
    }
}

#[test]
fn b4_names_that_say_nothing() {
    for bad in ["", ".", ".."] {
        let text = format!("{}:{bad}", bad.len());
        refused(&change("name", string(bad)), "info.name", What::Path(PathError::Empty), &text);
        let only = folder(32, [file(31, &["ok"]), file(1, &[bad])]);
        refused(&only, "info.files[1].path", What::Path(PathError::Empty), "l");
        assert_eq!(stored(&folder(32, [file(32, &["a", bad, "c"])])), "root/a/c");
    }
}

#[test]
fn b4_names_of_devices() {
    for bad in ["con", "NUL.txt", "Com1", "lpt9.tar.gz", "aux"] {
        let path = stored(&folder(32, [file(32, &[bad])]));
        assert_ne!(path, format!("root/{bad}"));
        let name = path.strip_prefix("root/").unwrap();
        assert!(name.get(..3) == bad.get(..3) && RelPath::from_parts([name]).is_ok(), "{bad}: {name}");
    }
    assert_eq!(stored(&folder(32, [file(32, &["console"])])), "root/console");
}

#[test]
fn b4_names_of_300_bytes() {
    let long = "é".repeat(150);
    let other = ["é".repeat(149), "e".to_owned()].concat();
    let of = |name: &str| stored(&folder(32, [file(32, &["a", name])]));
    assert!(of(&long).strip_prefix("root/a/").unwrap().len() <= 255);
    assert!(of(&long).starts_with("root/a/ééé"));
    assert_ne!(of(&long), of(&other));
    let kept = "x".repeat(255);
    assert_eq!(stored(&change("name", string(&kept))), kept);
}

#[test]
fn b4_paths_that_are_no_paths() {
    let with = |path: Vec<u8>| folder(32, [dict([("length", int(32)), ("path", path)])]);
    refused(&with(string("x")), "info.files[0].path", What::NotList, "1:x");
    refused(&with(list([])), "info.files[0].path", What::Empty, "le");
    refused(&with(list([string("x"), int(1)])), "info.files[0].path[1]", What::NotString, "i1e");
    refused(&folder(32, [dict([("length", int(32))])]), "info.files[0].path", What::Missing, "d6:length");
    assert!(parse(&with(path(&["x"; 64]))).is_ok());
    refused(&with(path(&["x"; 65])), "info.files[0].path[64]", What::TooLarge, "1:xe");
}

/// Where the files of a torrent would be stored, without the torrent's own folder.
#[track_caller]
fn all_stored(files: &[Vec<u8>]) -> Vec<String> {
    let info = parse(&folder(files.len() as u64, files.iter().cloned())).unwrap();
    info.files().iter().map(|file| file.path.as_str().strip_prefix("root/").unwrap().to_owned()).collect()
}

#[test]
fn b4_two_files_of_one_path() {
    let names = |names: &[&str]| all_stored(&names.iter().map(|name| file(1, &[name])).collect::<Vec<_>>());
    assert_eq!(names(&["x", "y", "x", "x"]), ["x", "y", "x (2)", "x (3)"]);
    assert_eq!(names(&["a.txt", "A.TXT", "a.txt"]), ["a.txt", "A (2).TXT", "a (3).txt"]);
    // One byte differs, but is not text: both would be stored as the same name.
    let raw = |byte: u8| dict([("length", int(1)), ("path", list([string([b'x', byte])]))]);
    assert_eq!(all_stored(&[raw(0xfe), raw(0xff)]), ["x\u{fffd}", "x\u{fffd} (2)"]);
}

#[test]
fn b4_a_path_through_another_file() {
    assert_eq!(all_stored(&[file(1, &["x"]), file(1, &["x", "y"])]), ["x", "x (2)/y"]);
    assert_eq!(all_stored(&[file(1, &["x", "y", "z"]), file(1, &["x"])]), ["x/y/z", "x (2)"]);
    // Not by the letters of the joined path: `x-` sorts between `x` and `x/`.
    assert_eq!(
        all_stored(&[file(1, &["x"]), file(1, &["x-"]), file(1, &["x", "y"])]),
        ["x", "x-", "x (2)/y"]
    );
    assert_eq!(all_stored(&[file(1, &["x"]), file(1, &["xy"])]), ["x", "xy"]);
    assert_eq!(all_stored(&[file(1, &["x", "y"]), file(1, &["x", "z"])]), ["x/y", "x/z"]);
}

#[test]
fn b4_links_are_never_made() {
    let link = dict([
        ("attr", string("l")),
        ("length", int(500)),
        ("path", path(&["x"])),
        ("symlink path", path(&["..", "..", "etc"])),
    ]);
    let info = parse(&folder(32, [link, file(32, &["x", "y"])])).unwrap();
    assert_eq!((info.files()[0].kind, info.files()[0].len, info.total()), (FileKind::Link, 0, 32));
    let layout = Layout::new(Arc::new(info), Root(0), None).unwrap();
    assert_eq!(layout.file(0), None);
    assert_eq!(
        layout.files().map(|(file, _)| file.path().as_str().to_owned()).collect::<Vec<_>>(),
        ["root/x/y"]
    );
    // Its own path is checked all the same.
    let bad = attr_file("l", 0, &[".."]);
    refused(&folder(32, [bad, file(32, &["y"])]), "info.files[0].path", What::Path(PathError::Empty), "l");
}

#[test]
fn old_spellings_of_names() {
    let old = dict([
        ("length", int(32)),
        ("path", list([string("ok"), string(b"\xe9")])),
        ("path.utf-8", path(&["other", "é"])),
    ]);
    let info = parse(&folder(32, [old])).unwrap();
    // What is UTF-8 already counts as it is.
    assert_eq!(info.files()[0].path.as_str(), "root/ok/é");
    let alone = dict([("length", int(32)), ("path", list([string(b"a\xe9b")]))]);
    assert_eq!(parse(&folder(32, [alone])).unwrap().files()[0].path.as_str(), "root/a\u{fffd}b");
}

// What is beside the info dictionary is a hint.

fn with_root<'a>(entries: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Metainfo {
    let entries = entries.into_iter().chain([("info", one(&[]))]);
    Metainfo::parse(&dict(entries), &Limits::default()).unwrap()
}

#[test]
fn trackers_in_tiers() {
    let urls = |urls: &[&str]| list(urls.iter().map(string));
    let announce = || ("announce", string("http://a/"));
    assert_eq!(with_root([announce()]).announce, [["http://a/"]]);
    let tiers = list([urls(&["http://b/", "http://c/"]), urls(&[]), urls(&["udp://d:1"])]);
    let both = with_root([announce(), ("announce-list", tiers)]);
    assert_eq!(both.announce, [vec!["http://b/", "http://c/"], vec!["udp://d:1"]]);
    // An empty or broken list leaves the single one.
    for broken in [list([]), list([urls(&[])]), int(1), list([string("http://x/")])] {
        assert_eq!(with_root([announce(), ("announce-list", broken)]).announce, [["http://a/"]]);
    }
    let mixed =
        list([list([int(1), string(b"\xff"), string(""), string("http://e/"), string("x".repeat(2_049))])]);
    assert_eq!(with_root([("announce-list", mixed)]).announce, [["http://e/"]]);
    assert!(with_root([("announce", int(1))]).announce.is_empty());
    let many = list((0..1_000).map(|i| urls(&[&format!("http://{i}/"), "http://y/"])));
    assert_eq!(with_root([("announce-list", many)]).announce.iter().flatten().count(), 256);
}

#[test]
fn web_seeds_alone_or_in_a_list() {
    assert_eq!(with_root([("url-list", string("http://s/"))]).web_seeds, ["http://s/"]);
    let two = list([string("http://s/"), int(1), string(""), string("http://t/")]);
    assert_eq!(with_root([("url-list", two)]).web_seeds, ["http://s/", "http://t/"]);
    for none in [string(""), int(1), list([]), dict([])] {
        assert!(with_root([("url-list", none)]).web_seeds.is_empty());
    }
    let many = list((0..1_000).map(|i| string(format!("http://{i}/"))));
    assert_eq!(with_root([("url-list", many)]).web_seeds.len(), 256);
}

#[test]
fn remarks_are_cut() {
    let torrent = with_root([
        ("comment", string("x".repeat(5_000))),
        ("created by", string(b"a\xff")),
        ("creation date", int(1_700_000_000)),
    ]);
    assert_eq!(torrent.comment.unwrap().len(), 4_096);
    assert_eq!(torrent.created_by.as_deref(), Some("a\u{fffd}"));
    assert_eq!(torrent.creation_date, Some(UnixTime::from_secs(1_700_000_000)));
    let odd = with_root([("comment", int(1)), ("creation date", int(-1))]);
    assert_eq!((odd.comment, odd.creation_date), (None, None));
}

// Padding (BEP 47), and how bytes lie in files.

fn padded() -> Arc<Info> {
    // 20 bytes, 12 of padding to the next piece, 32 bytes, 8 bytes, 24 of padding at the end.
    let files = [
        file(20, &["a"]),
        attr_file("p", 12, &[".pad", "12"]),
        file(32, &["b"]),
        attr_file("x", 8, &["c"]),
        attr_file("px", 24, &[".pad", "12"]),
    ];
    Arc::new(parse(&folder(96, files)).unwrap())
}

#[test]
fn padding_is_never_stored() {
    let layout = Layout::new(padded(), Root(3), Some(&RelPath::from_parts(["to", "here"]).unwrap())).unwrap();
    let stored: Vec<_> =
        layout.files().map(|(file, len)| (file.root(), file.path().as_str().to_owned(), len)).collect();
    let is = |path: &str, len| (Root(3), path.to_owned(), len);
    assert_eq!(stored, [is("to/here/root/a", 20), is("to/here/root/b", 32), is("to/here/root/c", 8)]);
    assert_eq!([layout.file(1), layout.file(4), layout.file(5)], [None, None, None]);
    assert_eq!([0, 1, 2, 3].map(|piece| layout.has_zeros(piece)), [true, false, true, false]);
    let first: Vec<_> = layout.parts(0, 16, 16).collect();
    let span = Span { file: layout.file(0).unwrap(), offset: 16, len: 4 };
    assert_eq!(first, [Part::Stored(span.clone()), Part::Zeros(12)]);
    assert_eq!(layout.stored(0, 16, 16), std::slice::from_ref(&span));
    let (spans, data) = layout.write(0, 16, Bytes::from_static(b"0123456789abcdef"));
    assert_eq!((spans, data), (vec![span], vec![Bytes::from_static(b"0123")]));
    let filled = layout.fill(0, 16, 16, Bytes::from_static(b"0123")).concat();
    assert_eq!(filled, b"0123\0\0\0\0\0\0\0\0\0\0\0\0");
    // Only zeros: nothing is read or written.
    assert_eq!(layout.write(2, 8, Bytes::from_static(&[1; 24])), (vec![], vec![]));
    assert_eq!(layout.fill(2, 8, 24, Bytes::new()).concat(), [0; 24]);
    // Nor is anything that is in no piece.
    assert_eq!(layout.write(3, 0, Bytes::from_static(b"x")), (vec![], vec![]));
    assert_eq!(layout.write(2, u32::MAX, Bytes::from_static(b"x")), (vec![], vec![]));
}

#[test]
fn a_gigabyte_of_zeros_costs_nothing_but_slices() {
    let slices: Vec<Bytes> = zeros((1 << 30) + 5).collect();
    assert_eq!((slices.len(), slices.last().unwrap().len()), (65_537, 5));
    assert!(slices[1..65_536].iter().all(|slice| slice.as_ptr() == slices[0].as_ptr()));
    assert_eq!(zeros(0).count(), 0);
}

/// Any folder: lengths and attributes of files, and the length of pieces.
fn any_info() -> impl Strategy<Value = (Vec<(u64, &'static str)>, u64)> {
    let attr = prop::sample::select(&["", "", "", "p", "x", "l"][..]);
    (prop::collection::vec((0u64..40, attr), 1..10), 1u64..50)
        .prop_filter("a torrent has a byte", |(files, _)| {
            files.iter().any(|(len, attr)| *len > 0 && *attr != "l")
        })
}

fn info_of(files: &[(u64, &str)], piece_len: u64) -> Info {
    let total: u64 = files.iter().filter(|(_, attr)| *attr != "l").map(|(len, _)| len).sum();
    let name = |index: usize| format!("f{index}");
    let files =
        files.iter().enumerate().map(|(index, (len, attr))| attr_file(attr, (*len).into(), &[&name(index)]));
    let hashes = vec![7; 20 * total.div_ceil(piece_len) as usize];
    let text = one(&[
        ("length", None),
        ("files", Some(list(files))),
        ("piece length", Some(int(piece_len.into()))),
        ("pieces", Some(string(hashes))),
    ]);
    parse(&text).unwrap()
}

/// For every byte of the torrent: its file, where in it, whether it is stored.
fn naive(files: &[(u64, &str)]) -> Vec<(usize, u64, bool)> {
    let bytes = files.iter().enumerate().filter(|(_, (_, attr))| *attr != "l");
    bytes.flat_map(|(file, (len, attr))| (0..*len).map(move |offset| (file, offset, *attr != "p"))).collect()
}

proptest! {

    #[test]
    fn spans_are_the_bytes_of_a_naive_model(
        (files, piece_len) in any_info(), begin in 0u32..60, len in 0u32..80,
    ) {
        let info = info_of(&files, piece_len);
        let model = naive(&files);
        prop_assert_eq!(info.total(), model.len() as u64);
        for piece in 0..info.pieces().count() + 1 {
            let all = model.iter().skip(piece as usize * piece_len as usize).take(piece_len as usize);
            let run: Vec<_> = all.skip(begin as usize).take(len as usize).copied().collect();
            let mut spans = Vec::new();
            for span in info.spans(piece, begin, len) {
                prop_assert!(span.len > 0);
                spans.extend((0..span.len).map(|at| (span.file, span.offset + at, !span.padding)));
            }
            prop_assert_eq!(spans, run);
        }
        prop_assert_eq!(info.spans(u32::MAX, begin, len).count(), 0);
        prop_assert_eq!(info.spans(0, u32::MAX, u32::MAX).count(), 0);
        for (file, entry) in info.files().iter().enumerate() {
            let of = |at: usize| at as u32 / piece_len as u32;
            let first = model.iter().position(|byte| byte.0 == file).map(of);
            let last = model.iter().rposition(|byte| byte.0 == file).map(of);
            prop_assert_eq!(info.pieces_of(file), first.zip(last).map(|(first, last)| first..=last));
            prop_assert_eq!(entry.len == 0, first.is_none());
        }
    }

    #[test]
    fn what_is_written_is_what_is_read(
        (files, piece_len) in any_info(), begin in 0u32..60, len in 0u32..80, seed in any::<u8>(),
    ) {
        let layout = Layout::new(Arc::new(info_of(&files, piece_len)), Root(0), None).unwrap();
        let pieces = *layout.info().pieces();
        let model = naive(&files);
        for piece in 0..pieces.count() {
            let from = piece as usize * piece_len as usize + (begin.min(pieces.len_of(piece)) as usize);
            let room = pieces.len_of(piece).saturating_sub(begin).min(len) as usize;
            let data: Vec<u8> = (0..len).map(|at| (at as u8).wrapping_mul(7) ^ seed | 1).collect();
            let (spans, slices) = layout.write(piece, begin, Bytes::from(data.clone()));
            prop_assert_eq!(&spans, &layout.stored(piece, begin, len));
            let written = slices.concat();
            prop_assert_eq!(written.len() as u64, spans.iter().map(|span| span.len).sum::<u64>());
            prop_assert!(slices.iter().all(|slice| !slice.is_empty()));
            // What each stored byte of the run must hold; padding reads as zeros.
            let run = || model.iter().skip(from).take(room).zip(&data);
            let stored: Vec<u8> = run().filter(|((_, _, stored), _)| *stored).map(|(_, byte)| *byte).collect();
            prop_assert_eq!(&written, &stored);
            let whole: Vec<u8> = run().map(|((_, _, stored), byte)| if *stored { *byte } else { 0 }).collect();
            prop_assert_eq!(layout.fill(piece, begin, len, Bytes::from(stored)).concat(), whole);
            let zeros = model.iter().skip(piece as usize * piece_len as usize).take(piece_len as usize);
            prop_assert_eq!(layout.has_zeros(piece), zeros.clone().any(|(_, _, stored)| !stored));
        }
    }

    #[test]
    fn no_two_files_are_stored_as_one(
        paths in prop::collection::vec(prop::collection::vec(prop::sample::select(&["a", "b", "a-", "a.", "B"][..]), 1..4), 1..8),
    ) {
        let stored = all_stored(&paths.iter().map(|path| file(1, path)).collect::<Vec<_>>());
        prop_assert_eq!(stored.len(), paths.len());
        let folded: Vec<Vec<String>> =
            stored.iter().map(|path| path.split('/').map(str::to_lowercase).collect()).collect();
        for (index, path) in folded.iter().enumerate() {
            for other in &folded[..index] {
                prop_assert!(!path.starts_with(other) && !other.starts_with(path), "{:?}", stored);
            }
        }
    }
}

// Hostile input.

/// What must hold of every torrent that was taken.
fn sound(info: &Info) {
    assert!(info.total() > 0);
    assert_eq!(
        info.pieces().count() as usize * 20,
        (0..info.pieces().count()).filter_map(|p| info.piece_hash(p)).count() * 20
    );
    for file in info.files() {
        assert!(
            file.path.as_str().split('/').all(|part| !matches!(part, "" | "." | "..")),
            "{:?}",
            file.path
        );
    }
    for piece in 0..info.pieces().count().min(50) {
        let len: u64 = info.spans(piece, 0, u32::MAX).map(|span| span.len).sum();
        assert_eq!(len, u64::from(info.pieces().len_of(piece)));
    }
}

const REAL: [&[u8]; 7] = [
    include_bytes!("data/mktorrent.torrent"),
    include_bytes!("data/mktorrent-one.torrent"),
    include_bytes!("data/transmission.torrent"),
    include_bytes!("data/transmission-private.torrent"),
    include_bytes!("data/libtorrent.torrent"),
    include_bytes!("data/libtorrent-hybrid.torrent"),
    include_bytes!("data/libtorrent-v2.torrent"),
];

proptest! {

    #[test]
    fn any_bytes_are_no_torrent_or_a_sound_one(bytes in any::<Vec<u8>>()) {
        if let Ok(torrent) = Metainfo::parse(&bytes, &Limits::default()) {
            sound(&torrent.info);
        }
        if let Ok(info) = Info::parse(bytes.into(), &Limits::default()) {
            sound(&info);
        }
    }

    #[test]
    fn a_damaged_torrent_is_refused_or_sound(
        which in 0usize..REAL.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0u8..4, prop::sample::select(&b"0129ide:l-\xff"[..])), 1..4),
    ) {
        let mut bytes = REAL[which].to_vec();
        for (at, how, byte) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes[at] ^= 1,
            }
        }
        if let Ok(torrent) = Metainfo::parse(&bytes, &Limits::default()) {
            sound(&torrent.info);
            let again = Info::parse(torrent.info.raw().clone(), &Limits::default()).unwrap();
            prop_assert_eq!(again.info_hash(), torrent.info.info_hash());
        }
    }
}

#[test]
fn every_beginning_of_a_torrent_is_refused() {
    for real in REAL {
        for cut in 0..real.len() - 1 {
            assert!(Metainfo::parse(&real[..cut], &Limits::default()).is_err(), "{cut}");
        }
    }
}

// What a torrent costs.

/// A torrent of so many files of one byte each, with names of ten bytes; all of it.
fn many_files(count: u64) -> Vec<u8> {
    let mut text = b"d4:infod5:filesl".to_vec();
    for index in 0..count {
        text.extend(format!("d6:lengthi1e4:pathl10:{index:010}ee").bytes());
    }
    let pieces = count.div_ceil(16_384) as usize * 20;
    text.extend(format!("e4:name4:root12:piece lengthi16384e6:pieces{pieces}:").bytes());
    text.extend(std::iter::repeat_n(7, pieces));
    text.extend(b"ee");
    text
}

/// An upper bound of what reading took at its peak, by the sizes of its tables: the text, its copy, the table of
/// tokens, the files with their shared paths (two counters, and the padding of an allocator), the order of paths.
fn cost(text: &[u8], info: &Info) -> usize {
    let table = Doc::parse_prefix(text, &Limits::default().text, Mode::Lenient).unwrap().heap();
    let paths: usize = info.files().iter().map(|file| 16 + 24 + file.path.as_str().len()).sum();
    let files = info.files().len();
    text.len() + info.raw().len() + table + size_of_val(info.files()) + paths + files * 2 * size_of::<usize>()
}

#[test]
fn b3_a_torrent_of_many_files_costs_less_than_a_gibibyte_per_million() {
    let text = many_files(20_000);
    let torrent = Metainfo::parse(&text, &Limits::default()).unwrap();
    assert_eq!((torrent.info.files().len(), torrent.info.total()), (20_000, 20_000));
    assert_eq!(torrent.info.files()[19_999].path.as_str(), "root/0000019999");
    let cost = cost(&text, &torrent.info);
    assert!(cost * 50 < 1 << 30, "{cost} bytes for 20,000 files");
}

#[test]
#[ignore = "takes seconds: a million files, run it by hand or weekly"]
fn b3_a_torrent_of_a_million_files() {
    let text = many_files(1_000_000);
    let torrent = Metainfo::parse(&text, &Limits::default()).unwrap();
    assert_eq!(torrent.info.files().len(), 1_000_000);
    assert!(cost(&text, &torrent.info) < 1 << 30);
}

#[test]
fn an_idle_torrent_of_256_pieces_takes_at_most_7_kib() {
    let hashes = string([7; 256 * 20]);
    let text = one(&[
        ("length", Some(int(256 << 20))),
        ("piece length", Some(int(1 << 20))),
        ("pieces", Some(hashes)),
    ]);
    let info = parse(&text).unwrap();
    let files: usize =
        info.files().iter().map(|file| size_of::<FileEntry>() + 16 + file.path.as_str().len()).sum();
    // The hashes are a slice of the text, so they count once.
    let heap = size_of::<Info>() + 16 + info.raw().len() + info.name().len() + files;
    assert!(heap <= 7 << 10, "{heap} bytes");
}

// Making torrents.

/// Byte `at` of file `number` of the set that the torrents in `data` were made of.
fn content(number: u64, len: u64) -> Vec<u8> {
    (0..len).map(|at| ((at * at + 7 * at) / 8 + 31 * number) as u8).collect()
}

const SET: [(&[&str], u64); 5] = [
    (&["a.bin"], 40_000),
    (&["b.txt"], 7),
    (&["empty"], 0),
    (&["sub", "c.bin"], 33_000),
    (&["sub", "deep", "d é.bin"], 16_384),
];

fn hashed(mut builder: Builder, contents: &[Vec<u8>]) -> Builder {
    for piece in (0..builder.pieces().count()).rev() {
        let mut hasher = Sha1::default();
        for span in builder.piece_spans(piece) {
            hasher.update(&contents[span.file][span.offset as usize..][..span.len as usize]);
        }
        builder.set(piece, hasher.finish()).unwrap();
    }
    builder
}

fn made(builder: &Builder, details: &Details) -> Metainfo {
    Metainfo::parse(&builder.finish(details).unwrap(), &Limits::default()).unwrap()
}

fn the_set(keep_empty: bool) -> Builder {
    let files = SET.iter().enumerate().filter(|(_, (_, len))| keep_empty || *len > 0);
    let contents: Vec<Vec<u8>> =
        files.clone().map(|(number, (_, len))| content(number as u64, *len)).collect();
    // In another order: the builder sorts.
    let list =
        files.rev().map(|(_, (parts, len))| (parts.iter().map(|part| part.to_string()).collect(), *len));
    hashed(Builder::folder("demo", list.collect(), Some(32_768)).unwrap(), &contents)
}

fn real(index: usize) -> Metainfo {
    Metainfo::parse(REAL[index], &Limits::default()).unwrap()
}

#[test]
fn mktorrent_and_libtorrent_make_the_same_info_hash() {
    let ours = made(&the_set(true), &Details::default());
    assert_eq!(ours.info.info_hash().to_string(), "935def0e0068613551bae76aa652aa1c55befe96");
    for theirs in [real(0), real(4)] {
        assert_eq!(theirs.info.raw(), ours.info.raw());
        assert_eq!(theirs.announce, [["http://tracker.example/announce"]]);
    }
    assert_eq!(real(4).web_seeds, ["http://seed.example/files/"]);
    let one = hashed(Builder::file("one.bin", 50_000, Some(32_768)).unwrap(), &[content(9, 50_000)]);
    let ours = made(&one, &Details { private: true, ..Details::default() });
    assert_eq!(ours.info.info_hash().to_string(), "ae9407ffe859de4605cbe180ca1cca80c77ec433");
    assert_eq!(real(1).info.raw(), ours.info.raw());
    assert_eq!(real(1).comment.as_deref(), Some("a comment"));
    assert_eq!(real(1).created_by.as_deref(), Some("mktorrent 1.1"));
}

#[test]
fn transmission_makes_the_same_but_for_empty_files_and_private() {
    let one = hashed(Builder::file("one.bin", 50_000, Some(32_768)).unwrap(), &[content(9, 50_000)]);
    let ours = made(&one, &Details { private: true, ..Details::default() });
    assert_eq!(real(3).info.info_hash(), ours.info.info_hash());
    // It always writes `private`, ours only if it is so.
    let theirs = real(2);
    assert!(!theirs.info.is_private());
    let without = theirs.info.raw().strip_suffix(b"7:privatei0ee").unwrap();
    let ours = made(&the_set(false), &Details::default());
    assert_eq!(ours.info.raw(), &[without, b"e"].concat());
    assert_eq!(theirs.announce, [["http://tracker.example/announce"], ["udp://tracker.example:6969"]]);
    assert_eq!(theirs.info.info_hash().to_string(), "f4330f305f2b5e772cae382c3e577ac016474d5d");
}

#[test]
fn a_hybrid_of_libtorrent_is_read_as_version_1_with_padding() {
    let torrent = real(5);
    let info = &torrent.info;
    assert_eq!(info.info_hash().to_string(), "ab1214323ac49b84bb1cab24a75d16987dc8075c");
    let kinds: Vec<_> = info.files().iter().map(|file| file.kind).collect();
    let (data, pad) = (FileKind::Data, FileKind::Padding);
    assert_eq!(kinds, [data, pad, data, pad, data, data, pad, data, pad]);
    // All its hashes are right when its padding is read as zeros.
    let layout = Layout::new(info.clone(), Root(0), None).unwrap();
    let files: BTreeMap<String, Vec<u8>> = SET
        .iter()
        .enumerate()
        .map(|(number, (parts, len))| (format!("demo/{}", parts.join("/")), content(number as u64, *len)))
        .collect();
    assert_eq!(
        layout.files().map(|(file, _)| file.path().as_str().to_owned()).collect::<Vec<_>>(),
        files.keys().cloned().collect::<Vec<_>>()
    );
    for piece in 0..info.pieces().count() {
        let mut read = Vec::new();
        for span in layout.stored(piece, 0, u32::MAX) {
            let file = &files[span.file.path().as_str()];
            read.extend(&file[span.offset as usize..][..span.len as usize]);
        }
        let whole = layout.fill(piece, 0, u32::MAX, read.into()).concat();
        assert_eq!(Some(Sha1::digest(&whole)), info.piece_hash(piece), "{piece}");
    }
    let error = Metainfo::parse(REAL[6], &Limits::default()).unwrap_err();
    assert_eq!((error.place.to_string().as_str(), error.what), ("info.pieces", What::V2Only));
}

#[test]
fn what_cannot_be_made() {
    let err = |made: Result<Builder, CreateError>| made.map(|_| ()).unwrap_err();
    let folder = |files: &[(&[&str], u64)]| {
        let owned =
            files.iter().map(|(parts, len)| (parts.iter().map(|part| part.to_string()).collect(), *len));
        err(Builder::folder("r", owned.collect(), Some(32)))
    };
    assert_eq!(err(Builder::file("a", 0, None)), CreateError::NoContent);
    assert_eq!(folder(&[]), CreateError::NoContent);
    assert_eq!(folder(&[(&["x"], 0)]), CreateError::NoContent);
    assert_eq!(err(Builder::file("a", 1, Some(0))), CreateError::PieceLen);
    assert_eq!(err(Builder::file("a", 1, Some((256 << 20) + 1))), CreateError::PieceLen);
    assert_eq!(err(Builder::file("a", 1 << 40, Some(1))), CreateError::PieceLen);
    assert_eq!(err(Builder::file("a", u64::MAX, None)), CreateError::Overflow);
    assert_eq!(folder(&[(&["x"], u64::MAX), (&["y"], 1)]), CreateError::Overflow);
    let bad = |error| CreateError::Path { file: 0, error };
    assert_eq!(err(Builder::file("..", 1, None)), bad(PathError::Escapes));
    assert_eq!(folder(&[(&[], 1)]), bad(PathError::Empty));
    assert_eq!(folder(&[(&["a/b"], 1)]), bad(PathError::Forbidden));
    assert_eq!(folder(&[(&["b"], 1), (&["a"], 1), (&["b"], 1)]), CreateError::Duplicate(2));
    assert_eq!(folder(&[(&["a", "b"], 1), (&["a"], 1)]), CreateError::Duplicate(1));
    assert_eq!(folder(&[(&["a"], 1), (&["a-"], 1), (&["a", "b"], 1)]), CreateError::Duplicate(1));
    let mut builder = Builder::file("a", 64, Some(32)).unwrap();
    assert_eq!(builder.set(2, Sha1Hash([0; 20])), Err(CreateError::NoPiece(2)));
    assert_eq!(builder.set(u32::MAX, Sha1Hash([0; 20])), Err(CreateError::NoPiece(u32::MAX)));
    builder.set(0, Sha1Hash([0; 20])).unwrap();
    assert_eq!(builder.finish(&Details::default()), Err(CreateError::Unhashed(1)));
    assert_eq!(builder.piece_spans(2).count(), 0);
}

#[test]
fn default_piece_lengths() {
    for (total, len) in [
        (1, 16 << 10),
        (2_048 * (16 << 10) - 1, 16 << 10),
        (2_048 * (16 << 10), 32 << 10),
        (1 << 30, 1 << 20),
        (100 << 30, 16 << 20),
        (u64::MAX, 16 << 20),
    ] {
        assert_eq!(piece_len_for(total), len, "{total}");
    }
    for power in 26..34 {
        let total = (1u64 << power) + (1 << (power - 1));
        let pieces = total / u64::from(piece_len_for(total));
        assert!((1_024..2_048).contains(&pieces), "{pieces}");
    }
}

fn any_details() -> impl Strategy<Value = Details> {
    let url = || "http://[a-z]{1,8}/[ -~]{0,8}";
    (
        prop::collection::vec(prop::collection::vec(url(), 1..3), 0..3),
        prop::collection::vec(url(), 0..3),
        any::<bool>(),
        prop::option::of("\\PC{0,20}"),
        prop::option::of("\\PC{0,20}"),
        prop::option::of(0u64..1 << 33),
    )
        .prop_map(|(announce, web_seeds, private, comment, created_by, date)| Details {
            announce,
            web_seeds,
            private,
            comment,
            created_by,
            creation_date: date.map(UnixTime::from_secs),
        })
}

proptest! {

    #[test]
    fn what_is_made_is_read(
        names in prop::collection::btree_map("[a-zé ]{0,5}[a-zé]", (0u64..5_000, prop::option::of("[A-Z]{1,3}")), 1..8),
        piece_len in prop::option::of(16u32..3_000), single in any::<bool>(), details in any_details(), seed in any::<u8>(),
    ) {
        prop_assume!(names.values().any(|(len, _)| *len > 0));
        // The names of devices are read as other names.
        let is_device = |name: &str| ["aux", "con", "nul", "prn"].contains(&name.trim().to_lowercase().as_str());
        prop_assume!(!names.iter().any(|(name, (_, below))| is_device(name) || below.as_deref().is_some_and(is_device)));
        let total: u64 = names.values().map(|(len, _)| len).sum();
        let made = if single {
            Builder::file("the name", total, piece_len)
        } else {
            let parts = |name: &String, below: &Option<String>| {
                [Some(name.clone()), below.clone()].into_iter().flatten().collect::<Vec<_>>()
            };
            let list = names.iter().rev().map(|(name, (len, below))| (parts(name, below), *len));
            Builder::folder("the name", list.collect(), piece_len)
        };
        let mut builder = made.unwrap();
        let hash = |piece: u32| Sha1::digest(&[&piece.to_be_bytes()[..], &[seed]].concat());
        for piece in 0..builder.pieces().count() {
            builder.set(piece, hash(piece)).unwrap();
        }
        let text = builder.finish(&details).unwrap();
        let doc = Doc::parse(&text, &bencode::Limits::default(), Mode::Strict);
        prop_assert!(doc.is_ok(), "canonical: {:?}", doc.err());
        let torrent = Metainfo::parse(&text, &Limits::default()).unwrap();
        let info = &torrent.info;
        prop_assert_eq!((info.name(), info.is_folder(), info.is_private()), ("the name", !single, details.private));
        prop_assert_eq!(info.files(), builder.files());
        prop_assert_eq!(info.pieces(), builder.pieces());
        for piece in 0..info.pieces().count() {
            prop_assert_eq!(info.piece_hash(piece), Some(hash(piece)));
            prop_assert!(info.spans(piece, 0, u32::MAX).eq(builder.piece_spans(piece)));
        }
        prop_assert_eq!(&torrent.announce, &details.announce);
        prop_assert_eq!(&torrent.web_seeds, &details.web_seeds);
        prop_assert_eq!(torrent.comment.as_deref(), details.comment.as_deref());
        prop_assert_eq!(torrent.created_by.as_deref(), details.created_by.as_deref());
        prop_assert_eq!(torrent.creation_date, details.creation_date);
        prop_assert_eq!(builder.finish(&details).unwrap(), text);
    }
}
