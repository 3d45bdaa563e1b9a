//! Torrent files (BEP 3): [`Metainfo`] reads them, [`Layout`] says where their bytes lie, [`Builder`] makes them.

mod create;
mod layout;
mod parse;

pub use create::{Builder, CreateError, Details, piece_len_for};
pub use layout::{FileSpan, Layout, Part, Spans, zeros};
pub use parse::{Error, Limits, Place, What};

use crate::InfoHash;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use p2p_core::chunk::Pieces;
use p2p_core::hash::Sha1Hash;
use p2p_core::{RelPath, UnixTime};

/// A torrent file: what is shared, and where to find those who share it.
#[derive(Debug, Clone)]
pub struct Metainfo {
    /// What is shared.
    pub info: Arc<Info>,
    /// Tracker URLs in tiers (BEP 12), as the file has them: not yet checked, a stranger wrote them.
    pub announce: Vec<Vec<String>>,
    /// URLs of web seeds (BEP 19), as the file has them.
    pub web_seeds: Vec<String>,
    /// A remark of whoever made the file.
    pub comment: Option<Box<str>>,
    /// The program that made it.
    pub created_by: Option<Box<str>>,
    /// When it was made.
    pub creation_date: Option<UnixTime>,
}

impl Metainfo {
    /// Reads a .torrent file. White space behind it is tolerated, as are unsorted keys (of equal ones the first counts).
    ///
    /// Trackers and web seeds are hints: those that are not text, empty, or past a limit are left out, the rest is
    /// kept. Everything in `info` must be right. Keys that are not known are ignored.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        parse::metainfo(bytes, limits)
    }

    /// A torrent known by its info dictionary alone, as a magnet link gives it.
    #[must_use]
    pub const fn of(info: Arc<Info>) -> Self {
        Self {
            info,
            announce: Vec::new(),
            web_seeds: Vec::new(),
            comment: None,
            created_by: None,
            creation_date: None,
        }
    }
}

/// An info dictionary: the names, lengths and hashes of what is shared.
///
/// Its text is kept once; the hashes of pieces are a slice of it.
#[derive(Clone)]
pub struct Info {
    name: Box<str>,
    pieces: Pieces,
    hashes: Bytes,
    files: Box<[FileEntry]>,
    /// The paths of files by their own names, where these are not [`FileEntry::path`], in order of their files.
    own: Box<[(u32, RelPath)]>,
    folder: bool,
    private: bool,
    info_hash: InfoHash,
    raw: Bytes,
}

/// A file of a torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path below the folder of downloads, made safe: the torrent's name first, then, in a torrent with a folder,
    /// the parts of the file's own path. No two files that are stored have the same one.
    pub path: RelPath,
    /// Its length in bytes.
    pub len: u64,
    /// Where it begins among all bytes of the torrent.
    pub offset: u64,
    /// What it is.
    pub kind: FileKind,
}

/// What a file of a torrent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file like any other; it may be empty.
    Data,
    /// Zeros that align the next file to a piece (BEP 47). Never stored.
    Padding,
    /// A symbolic link (BEP 47). It has no bytes, and is never made: links are a way out of the folder.
    Link,
}

impl Info {
    /// Reads an info dictionary, exactly (BEP 9 gives it so); keeps `raw`.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(raw: Bytes, limits: &Limits) -> Result<Self, Error> {
        parse::info(raw, limits)
    }

    /// The torrent's name as it came, for showing only: it may hold anything. Paths of [`FileEntry`]
    /// are safe ones.
    #[must_use]
    pub const fn name(&self) -> &str {
        &self.name
    }

    /// How the bytes of all files together are cut into pieces.
    #[must_use]
    pub const fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// The length of all files together, padding included, in bytes.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.pieces.total()
    }

    /// The hash of a piece.
    #[must_use]
    pub fn piece_hash(&self, piece: u32) -> Option<Sha1Hash> {
        let at = usize::try_from(piece).ok()?.checked_mul(20)?;
        let hash = self.hashes.get(at..at.checked_add(20)?)?;
        hash.try_into().ok().map(Sha1Hash)
    }

    /// The files in the order of their bytes.
    #[must_use]
    pub const fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// A file's path by the torrent's own names, if [`FileEntry::path`] is another one and this platform can have both
    /// (`what?.mp3` is `what_.mp3` here, but whoever made the torrent may have it under its own name). No two files
    /// have the same one.
    #[must_use]
    pub fn own_path(&self, file: usize) -> Option<&RelPath> {
        let file = u32::try_from(file).ok()?;
        let at = self.own.binary_search_by_key(&file, |(file, _)| *file).ok()?;
        self.own.get(at).map(|(_, path)| path)
    }

    /// Whether the files lie in a folder of the torrent's name; else there is one, with that name.
    #[must_use]
    pub const fn is_folder(&self) -> bool {
        self.folder
    }

    /// Whether peers may be had from its trackers only (BEP 27).
    #[must_use]
    pub const fn is_private(&self) -> bool {
        self.private
    }

    /// The SHA-1 of the dictionary as it came.
    #[must_use]
    pub const fn info_hash(&self) -> InfoHash {
        self.info_hash
    }

    /// The dictionary as it came, unknown keys and all: what is served to those who come by magnet link (BEP 9).
    #[must_use]
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Info")
            .field("info_hash", &self.info_hash)
            .field("pieces", &self.pieces)
            .field("files", &self.files.len())
            .field("private", &self.private)
            .finish_non_exhaustive()
    }
}
