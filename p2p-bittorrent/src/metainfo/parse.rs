//! Reading torrent files that strangers made: every fault has a name and a place.

use super::{FileEntry, FileKind, Info, Metainfo};
use crate::InfoHash;
use crate::bencode::{self, Doc, Mode, Value};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use p2p_core::chunk::Pieces;
use p2p_core::path::{Distinct, PathError};
use p2p_core::{RelPath, UnixTime};

/// How much a torrent may ask of its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The text. 128 MiB, depth 100, and 16,000,000 values: a torrent of a million files with long paths has some
    /// 100 MB and 8 million values.
    pub text: bencode::Limits,
    /// The longest piece in bytes. 256 MiB: what the large clients accept, no tool makes longer ones, and nothing of
    /// a piece can be checked before all of it is there.
    pub piece_len: u32,
    /// The most files. 2,000,000: twice the largest torrents seen.
    pub files: usize,
    /// The most parts of a path. 64: no file system is nested deeper in practice.
    pub depth: usize,
    /// The most trackers, and the most web seeds. 256: public lists that people append have some 100.
    pub urls: usize,
    /// The longest URL in bytes. 2,048: what browsers and servers take.
    pub url_len: usize,
    /// The longest comment, and name of a program, in bytes; the rest is cut off. 4,096: it is shown, not stored.
    pub note_len: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text: bencode::Limits { bytes: 128 << 20, depth: 100, tokens: 16_000_000 },
            piece_len: 256 << 20,
            files: 2_000_000,
            depth: 64,
            urls: 256,
            url_len: 2_048,
            note_len: 4_096,
        }
    }
}

/// Why a torrent was refused: what is wrong, of which key, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what} (byte {at})")]
pub struct Error {
    /// Which value.
    pub place: Place,
    /// Where its text begins in the document; that of the dictionary around it if it is missing.
    pub at: usize,
    /// What is wrong with it.
    pub what: What,
}

/// The place of a value in a torrent, shown as `info.files[3].path[1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The key, with those around it; empty for the document itself.
    pub key: &'static str,
    /// Which file, counted from 0.
    pub file: Option<u32>,
    /// The key in that file's dictionary.
    pub of_file: &'static str,
    /// Which part of its path, counted from 0.
    pub part: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.key.is_empty() { "torrent" } else { self.key })?;
        if let Some(file) = self.file {
            write!(f, "[{file}]")?;
        }
        if !self.of_file.is_empty() {
            write!(f, ".{}", self.of_file)?;
        }
        if let Some(part) = self.part {
            write!(f, "[{part}]")?;
        }
        Ok(())
    }
}

/// What is wrong with a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum What {
    /// It is not bencode.
    #[error("{0}")]
    Bencode(bencode::What),
    /// A key that must be there is not.
    #[error("missing")]
    Missing,
    /// Not an integer.
    #[error("not an integer")]
    NotInt,
    /// Not a string.
    #[error("not a string")]
    NotString,
    /// Not a list.
    #[error("not a list")]
    NotList,
    /// Not a dictionary.
    #[error("not a dictionary")]
    NotDict,
    /// A negative number.
    #[error("negative")]
    Negative,
    /// Zero.
    #[error("zero")]
    Zero,
    /// A number, or a count, past its limit.
    #[error("past the limit")]
    TooLarge,
    /// The lengths of all files add up to more than 63 bits.
    #[error("the files add up to too many bytes")]
    Overflow,
    /// Not a multiple of 20 bytes.
    #[error("not a multiple of 20 bytes")]
    NotHashes,
    /// Not one hash per piece.
    #[error("not as many hashes as pieces")]
    Count,
    /// `length` and `files` are both there.
    #[error("both `length` and `files`")]
    Both,
    /// A list that must not be empty is.
    #[error("empty")]
    Empty,
    /// All files together have no byte. There is no piece that anyone could have or lack, so there is no swarm.
    #[error("no content")]
    NoContent,
    /// A name of which nothing is left that could be a path.
    #[error("{0}")]
    Path(PathError),
    /// A torrent of version 2 only (BEP 52), which is not supported.
    #[error("version 2 only, which is not supported")]
    V2Only,
}

const DOC: Place = Place { key: "", file: None, of_file: "", part: None };

const fn place(key: &'static str) -> Place {
    Place { key, ..DOC }
}

const fn file_place(file: u32, of_file: &'static str, part: Option<u32>) -> Place {
    Place { key: "info.files", file: Some(file), of_file, part }
}

fn wrong<T>(place: Place, value: &Value<'_>, what: What) -> Result<T, Error> {
    Err(Error { place, at: value.span().start, what })
}

fn text(error: bencode::Error) -> Error {
    Error { place: DOC, at: error.at, what: What::Bencode(error.what) }
}

pub(super) fn metainfo(bytes: &[u8], limits: &Limits) -> Result<Metainfo, Error> {
    let doc = Doc::parse_prefix(bytes, &limits.text, Mode::Lenient).map_err(text)?;
    let used = doc.bytes().len();
    if bytes.iter().skip(used).any(|byte| !byte.is_ascii_whitespace()) {
        return Err(text(bencode::Error { at: used, what: bencode::What::Trailing }));
    }
    let root = doc.root();
    let entries = root.as_dict();
    let Some(entries) = entries else { return wrong(DOC, &root, What::NotDict) };
    let [mut info, mut announce, mut list, mut urls, mut comment, mut by, mut date] = [None; 7];
    for (key, value) in entries {
        let slot = match key {
            b"info" => &mut info,
            b"announce" => &mut announce,
            b"announce-list" => &mut list,
            b"url-list" => &mut urls,
            b"comment" => &mut comment,
            b"created by" => &mut by,
            b"creation date" => &mut date,
            _ => continue,
        };
        slot.get_or_insert(value);
    }
    let Some(info) = info else { return wrong(place("info"), &root, What::Missing) };
    let parsed = Reader { limits, info }.read(|| Bytes::copy_from_slice(info.raw()))?;
    let note = |value: Option<Value<'_>>| Some(short(value?.as_bytes()?, limits.note_len));
    Ok(Metainfo {
        announce: tiers(announce, list, limits),
        web_seeds: urls.map(|urls| web_seeds(&urls, limits)).unwrap_or_default(),
        comment: note(comment),
        created_by: note(by),
        creation_date: date.and_then(|date| date.as_u64()).map(UnixTime::from_secs),
        info: Arc::new(parsed),
    })
}

pub(super) fn info(raw: Bytes, limits: &Limits) -> Result<Info, Error> {
    let doc = Doc::parse(&raw, &limits.text, Mode::Lenient).map_err(text)?;
    let info = doc.root();
    Reader { limits, info }.read(|| raw.clone())
}

/// Text for showing, cut to `most` bytes.
fn short(text: &[u8], most: usize) -> Box<str> {
    String::from_utf8_lossy(text.get(..most).unwrap_or(text)).into()
}

fn url(value: &Value<'_>, limits: &Limits) -> Option<String> {
    value.as_str().filter(|url| !url.is_empty() && url.len() <= limits.url_len).map(String::from)
}

/// BEP 12: where there is a list, `announce` is ignored.
fn tiers(announce: Option<Value<'_>>, list: Option<Value<'_>>, limits: &Limits) -> Vec<Vec<String>> {
    let mut left = limits.urls;
    let mut tiers = Vec::new();
    for tier in list.and_then(|list| list.as_list()).into_iter().flatten() {
        let urls = tier.as_list().into_iter().flatten().filter_map(|value| url(&value, limits));
        let urls: Vec<String> = urls.take(left).collect();
        left -= urls.len();
        if !urls.is_empty() {
            tiers.push(urls);
        }
        if left == 0 {
            break;
        }
    }
    if tiers.is_empty()
        && let Some(url) = announce.and_then(|announce| url(&announce, limits))
    {
        tiers.push(alloc::vec![url]);
    }
    tiers
}

/// One URL, or a list of them.
fn web_seeds(urls: &Value<'_>, limits: &Limits) -> Vec<String> {
    match urls.as_list() {
        Some(list) => list.filter_map(|value| url(&value, limits)).take(limits.urls).collect(),
        None => url(urls, limits).into_iter().collect(),
    }
}

/// Reads an info dictionary.
struct Reader<'a> {
    limits: &'a Limits,
    info: Value<'a>,
}

/// The values of an info dictionary that matter.
#[derive(Default)]
struct Keys<'a> {
    name: Option<Value<'a>>,
    name_utf8: Option<Value<'a>>,
    piece_len: Option<Value<'a>>,
    pieces: Option<Value<'a>>,
    length: Option<Value<'a>>,
    files: Option<Value<'a>>,
    private: Option<Value<'a>>,
    version: Option<Value<'a>>,
}

/// The values of a file's dictionary that matter.
#[derive(Default)]
struct FileKeys<'a> {
    length: Option<Value<'a>>,
    path: Option<Value<'a>>,
    path_utf8: Option<Value<'a>>,
    attr: Option<Value<'a>>,
}

impl<'a> Reader<'a> {
    fn read(&self, raw: impl FnOnce() -> Bytes) -> Result<Info, Error> {
        let keys = self.keys()?;
        let piece_len = self.piece_len(&keys)?;
        let hashes = self.hashes(&keys)?;
        let Some(name) = keys.name else { return wrong(place("info.name"), &self.info, What::Missing) };
        let Some(bytes) = name.as_bytes() else { return wrong(place("info.name"), &name, What::NotString) };
        let shown = utf8(bytes, keys.name_utf8.and_then(|name| name.as_str()));
        let root = safe([shown.as_bytes()]).or_else(|what| wrong(place("info.name"), &name, what))?;
        let (files, own, folder) = match (keys.length, keys.files) {
            (Some(_), Some(files)) => return wrong(place("info.files"), &files, What::Both),
            (None, None) => return wrong(place("info.length"), &self.info, What::Missing),
            (Some(length), None) => {
                let len = natural(place("info.length"), &length)?;
                let own = RelPath::local([&*shown]).ok().filter(|own| *own != root);
                let own = own.map(|own| (0, own)).into_iter().collect();
                (alloc::vec![FileEntry { path: root, len, offset: 0, kind: FileKind::Data }], own, false)
            }
            (None, Some(files)) => {
                let (files, own) = self.files(&files, &shown, &root)?;
                (files, own, true)
            }
        };
        let total = files.last().map_or(0, |file| file.offset + file.len);
        if total == 0 {
            return wrong(
                place(if folder { "info.files" } else { "info.length" }),
                &self.info,
                What::NoContent,
            );
        }
        let private = match keys.private {
            None => false,
            Some(private) => match private.as_int() {
                Some(int) => int != 0,
                None => return wrong(place("info.private"), &private, What::NotInt),
            },
        };
        let count = hashes.as_bytes().map_or(0, <[u8]>::len) / 20;
        let pieces = Pieces::new(total, piece_len).ok().filter(|pieces| pieces.count() as usize == count);
        let Some(pieces) = pieces else { return wrong(place("info.pieces"), &hashes, What::Count) };
        let raw = raw();
        let end = hashes.span().end - self.info.span().start;
        Ok(Info {
            name: (&*shown).into(),
            pieces,
            hashes: raw.slice(end - count * 20..end),
            files: files.into(),
            own: own.into(),
            folder,
            private,
            info_hash: InfoHash::of(&raw),
            raw,
        })
    }

    fn keys(&self) -> Result<Keys<'a>, Error> {
        let Some(entries) = self.info.as_dict() else {
            return wrong(place("info"), &self.info, What::NotDict);
        };
        let mut keys = Keys::default();
        for (key, value) in entries {
            let slot = match key {
                b"name" => &mut keys.name,
                b"name.utf-8" => &mut keys.name_utf8,
                b"piece length" => &mut keys.piece_len,
                b"pieces" => &mut keys.pieces,
                b"length" => &mut keys.length,
                b"files" => &mut keys.files,
                b"private" => &mut keys.private,
                b"meta version" => &mut keys.version,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        Ok(keys)
    }

    /// Any length of at least 1: powers of two are a habit, not a rule.
    fn piece_len(&self, keys: &Keys<'_>) -> Result<u32, Error> {
        let place = place("info.piece length");
        let Some(value) = keys.piece_len else { return wrong(place, &self.info, What::Missing) };
        match natural(place, &value)? {
            0 => wrong(place, &value, What::Zero),
            len => match u32::try_from(len) {
                Ok(len) if len <= self.limits.piece_len => Ok(len),
                _ => wrong(place, &value, What::TooLarge),
            },
        }
    }

    fn hashes(&self, keys: &Keys<'a>) -> Result<Value<'a>, Error> {
        let at = place("info.pieces");
        let Some(value) = keys.pieces else {
            let v2 = keys.version.and_then(|version| version.as_int()) == Some(2);
            return wrong(at, &self.info, if v2 { What::V2Only } else { What::Missing });
        };
        match value.as_bytes() {
            None => wrong(at, &value, What::NotString),
            Some(bytes) if bytes.len() % 20 != 0 => wrong(at, &value, What::NotHashes),
            Some(_) => Ok(value),
        }
    }

    /// The files, and the paths by their own names of those that must be stored under another.
    #[expect(clippy::type_complexity, reason = "two lists that belong to one reading")]
    fn files(
        &self,
        list: &Value<'a>,
        name: &str,
        root: &RelPath,
    ) -> Result<(Vec<FileEntry>, Vec<(u32, RelPath)>), Error> {
        let at = place("info.files");
        let Some(items) = list.as_list() else { return wrong(at, list, What::NotList) };
        let count = items.clone().count();
        if count == 0 {
            return wrong(at, list, What::Empty);
        }
        if count > self.limits.files {
            return wrong(at, list, What::TooLarge);
        }
        let mut files = Vec::with_capacity(count);
        let mut own_paths = Vec::new();
        let mut stored = Distinct::new();
        let mut offset = 0u64;
        for (index, file) in items.enumerate() {
            let (mut entry, own) = self.file(index as u32, &file, offset, name, root)?;
            // 63 bits, so that lengths fit an integer of bencode as well.
            match offset.checked_add(entry.len).filter(|&end| end <= i64::MAX as u64) {
                Some(end) => offset = end,
                None => return wrong(file_place(index as u32, "length", None), &file, What::Overflow),
            }
            if entry.kind == FileKind::Data {
                entry.path = stored.admit(entry.path);
                // Never two files under one name, nor a file where a folder must be: then the safe name alone serves.
                let own = own.filter(|own| *own != entry.path && stored.admit(own.clone()) == *own);
                own_paths.extend(own.map(|own| (index as u32, own)));
            }
            files.push(entry);
        }
        Ok((files, own_paths))
    }

    fn file(
        &self,
        index: u32,
        file: &Value<'a>,
        offset: u64,
        name: &str,
        root: &RelPath,
    ) -> Result<(FileEntry, Option<RelPath>), Error> {
        let Some(entries) = file.as_dict() else {
            return wrong(file_place(index, "", None), file, What::NotDict);
        };
        let mut keys = FileKeys::default();
        for (key, value) in entries {
            let slot = match key {
                b"length" => &mut keys.length,
                b"path" => &mut keys.path,
                b"path.utf-8" => &mut keys.path_utf8,
                b"attr" => &mut keys.attr,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        let attr = keys.attr.and_then(|attr| attr.as_bytes()).unwrap_or_default();
        let kind = if attr.contains(&b'l') {
            FileKind::Link
        } else if attr.contains(&b'p') {
            FileKind::Padding
        } else {
            FileKind::Data
        };
        let at = file_place(index, "length", None);
        let len = match (keys.length, kind) {
            // BEP 47: a link has no bytes, whatever its length says.
            (_, FileKind::Link) => 0,
            (Some(length), _) => natural(at, &length)?,
            (None, _) => return wrong(at, file, What::Missing),
        };
        // Padding is never stored, its name does not matter: all of it shares the torrent's.
        let (path, own) = match kind {
            FileKind::Padding => (root.clone(), None),
            _ => self.path(index, file, &keys, name, root)?,
        };
        Ok((FileEntry { path, len, offset, kind }, own))
    }

    fn path(
        &self,
        index: u32,
        file: &Value<'a>,
        keys: &FileKeys<'a>,
        name: &str,
        root: &RelPath,
    ) -> Result<(RelPath, Option<RelPath>), Error> {
        let at = file_place(index, "path", None);
        let Some(list) = keys.path else { return wrong(at, file, What::Missing) };
        let Some(items) = list.as_list() else { return wrong(at, &list, What::NotList) };
        let mut better = keys.path_utf8.and_then(|path| path.as_list());
        let mut parts: Vec<Cow<'_, str>> = Vec::new();
        for (part, item) in items.enumerate() {
            let at = file_place(index, "path", Some(part as u32));
            let Some(bytes) = item.as_bytes() else { return wrong(at, &item, What::NotString) };
            if part >= self.limits.depth {
                return wrong(at, &item, What::TooLarge);
            }
            let better = better.as_mut().and_then(Iterator::next).and_then(|part| part.as_str());
            parts.push(utf8(bytes, better));
        }
        if parts.is_empty() {
            return wrong(at, &list, What::Empty);
        }
        let bytes = parts.iter().map(|part| part.as_bytes());
        let path = safe(core::iter::once(root.as_str().as_bytes()).chain(bytes));
        let path = path.or_else(|what| wrong(at, &list, what))?;
        if !path.as_str().contains('/') {
            // The torrent's own name alone is the folder, not a file in it.
            return wrong(at, &list, What::Path(PathError::Empty));
        }
        let own_parts = || core::iter::once(name).chain(parts.iter().map(|part| &**part));
        // Usual names are their own, which costs no second path.
        let own = if path.parts().eq(own_parts()) { None } else { RelPath::local(own_parts()).ok() };
        Ok((path, own))
    }
}

/// The text, or its other spelling if it is not UTF-8 (older tools wrote both), or what can be read of it.
fn utf8<'a>(bytes: &'a [u8], other: Option<&'a str>) -> Cow<'a, str> {
    match core::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => other.map_or_else(|| String::from_utf8_lossy(bytes), Cow::Borrowed),
    }
}

/// The one way from a stranger's name to a path.
fn safe<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<RelPath, What> {
    RelPath::sanitised(parts).map_err(What::Path)
}

fn natural(place: Place, value: &Value<'_>) -> Result<u64, Error> {
    match value.as_int() {
        None => wrong(place, value, What::NotInt),
        Some(int) => u64::try_from(int).or_else(|_| wrong(place, value, What::Negative)),
    }
}
