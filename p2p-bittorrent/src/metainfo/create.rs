//! Making torrent files: [`Builder`] says what to hash, takes the hashes, and writes the canonical text.

use super::layout::Spans;
use super::{FileEntry, FileKind};
use crate::bencode::{Dict, Encoder};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::BytesMut;
use p2p_core::chunk::Pieces;
use p2p_core::hash::Sha1Hash;
use p2p_core::path::PathError;
use p2p_core::{RelPath, UnixTime};

/// Why a torrent cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// No file has any byte: there is nothing to share.
    #[error("no content")]
    NoContent,
    /// The piece length is 0 or past the limit of 256 MiB, or there would be too many pieces.
    #[error("bad piece length")]
    PieceLen,
    /// The lengths of all files add up to more than 63 bits.
    #[error("the files add up to too many bytes")]
    Overflow,
    /// A name that no file here can have, or a path too long or too deep.
    #[error("file {file}: {error}")]
    Path {
        /// Which file, in sorted order; 0 too for the torrent's own name.
        file: usize,
        /// What is wrong with its name.
        error: PathError,
    },
    /// A path is there twice, or leads through another file.
    #[error("file {0} has the path of the one before it, or lies below it")]
    Duplicate(usize),
    /// There is no such piece.
    #[error("there is no piece {0}")]
    NoPiece(u32),
    /// The hash of a piece was not set.
    #[error("the hash of piece {0} is missing")]
    Unhashed(u32),
}

/// What a torrent file says beside its info dictionary, and whether it is private.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Tracker URLs in tiers (BEP 12); the first one is `announce` too, and alone if there is but one.
    pub announce: Vec<Vec<String>>,
    /// URLs of web seeds (BEP 19).
    pub web_seeds: Vec<String>,
    /// Whether peers may be had from the trackers only (BEP 27). Changes the info-hash.
    pub private: bool,
    /// A remark.
    pub comment: Option<String>,
    /// The program.
    pub created_by: Option<String>,
    /// When; whole seconds are kept.
    pub creation_date: Option<UnixTime>,
}

/// The default piece length for so many bytes: the power of two that gives 1,024 to 2,047 pieces, some 1,500 on average,
/// but at least 16 KiB (a block) and at most 16 MiB (all that some clients take).
///
/// Fewer pieces make peers wait longer until they have something
/// to give; more make the file, every bitfield and every `have` dearer.
#[must_use]
pub const fn piece_len_for(total: u64) -> u32 {
    let mut len = 16 << 10;
    while len < 16 << 20 && total / len as u64 >= 2_048 {
        len *= 2;
    }
    len
}

/// A torrent in the making. It touches no file: for every piece, hash the bytes of [`Builder::piece_spans`], joined,
/// and [`Builder::set`] the result, in any order; then [`Builder::finish`].
#[derive(Debug, Clone)]
pub struct Builder {
    name: String,
    /// The parts of each file's path, sorted; empty for a torrent that is one file.
    paths: Vec<Vec<String>>,
    files: Vec<FileEntry>,
    pieces: Pieces,
    hashes: Vec<u8>,
    done: Vec<bool>,
}

impl Builder {
    /// A torrent of one file.
    ///
    /// # Errors
    /// If the name or a number cannot be.
    pub fn file(name: &str, len: u64, piece_len: Option<u32>) -> Result<Self, CreateError> {
        let path = root(name)?;
        let files = alloc::vec![FileEntry { path, len, offset: 0, kind: FileKind::Data }];
        Self::with(name, Vec::new(), files, piece_len)
    }

    /// A torrent of a folder: the parts of each file's path below it, and its length. They are sorted by their parts,
    /// so that the same files always give the same torrent.
    ///
    /// # Errors
    /// If a name or a number cannot be.
    pub fn folder(
        name: &str,
        mut list: Vec<(Vec<String>, u64)>,
        piece_len: Option<u32>,
    ) -> Result<Self, CreateError> {
        root(name)?;
        list.sort();
        let mut files = Vec::with_capacity(list.len());
        let mut paths: Vec<Vec<String>> = Vec::with_capacity(list.len());
        let mut offset = 0u64;
        for (index, (parts, len)) in list.into_iter().enumerate() {
            let checked = if parts.is_empty() {
                Err(PathError::Empty)
            } else {
                RelPath::local(core::iter::once(name).chain(parts.iter().map(String::as_str)))
            };
            let path = checked.map_err(|error| CreateError::Path { file: index, error })?;
            if paths.last().is_some_and(|before| parts.starts_with(before)) {
                return Err(CreateError::Duplicate(index));
            }
            files.push(FileEntry { path, len, offset, kind: FileKind::Data });
            paths.push(parts);
            offset = offset.checked_add(len).ok_or(CreateError::Overflow)?;
        }
        Self::with(name, paths, files, piece_len)
    }

    fn with(
        name: &str,
        paths: Vec<Vec<String>>,
        files: Vec<FileEntry>,
        piece_len: Option<u32>,
    ) -> Result<Self, CreateError> {
        let total = files.last().map_or(0, |file| file.offset + file.len);
        if total == 0 {
            return Err(CreateError::NoContent);
        }
        if total > i64::MAX as u64 {
            return Err(CreateError::Overflow);
        }
        let piece_len = piece_len.unwrap_or_else(|| piece_len_for(total));
        if piece_len > super::Limits::default().piece_len {
            return Err(CreateError::PieceLen);
        }
        let pieces = Pieces::new(total, piece_len).map_err(|_| CreateError::PieceLen)?;
        let count = pieces.count() as usize;
        let bytes = count.checked_mul(20).ok_or(CreateError::PieceLen)?;
        let (hashes, done) = (alloc::vec![0; bytes], alloc::vec![false; count]);
        Ok(Self { name: name.into(), paths, files, pieces, hashes, done })
    }

    /// How the bytes are cut.
    #[must_use]
    pub const fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// The files in the order of their bytes, with the torrent's name in front of their paths: the very names that the
    /// files have here, whatever other systems make of them.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// The bytes of a piece as spans of [`Builder::files`], in order; none if there is no such piece.
    #[must_use]
    pub fn piece_spans(&self, piece: u32) -> Spans<'_> {
        let at = self.pieces.offset_of(piece);
        Spans::new(&self.files, at, at + u64::from(self.pieces.len_of(piece)))
    }

    /// Takes the hash of a piece.
    ///
    /// # Errors
    /// If there is no such piece.
    pub fn set(&mut self, piece: u32, hash: Sha1Hash) -> Result<(), CreateError> {
        let index = piece as usize;
        let (Some(slot), Some(done)) =
            (self.hashes.get_mut(index * 20..index * 20 + 20), self.done.get_mut(index))
        else {
            return Err(CreateError::NoPiece(piece));
        };
        slot.copy_from_slice(&hash.0);
        *done = true;
        Ok(())
    }

    /// The torrent file, canonical: the same input gives the same bytes.
    ///
    /// # Errors
    /// If the hash of a piece is missing.
    pub fn finish(&self, details: &Details) -> Result<Vec<u8>, CreateError> {
        if let Some(piece) = self.done.iter().position(|done| !done) {
            return Err(CreateError::Unhashed(piece as u32));
        }
        let mut out = BytesMut::with_capacity(self.hashes.len() + 512);
        Encoder::new(&mut out).dict(|torrent| {
            details.write_before(torrent);
            torrent.dict("info", |info| self.write_info(info, details.private));
            match details.web_seeds.as_slice() {
                [] => {}
                urls => torrent.list("url-list", |list| urls.iter().for_each(|url| list.bytes(url))),
            }
        });
        Ok(out.into())
    }

    fn write_info(&self, info: &mut Dict<'_>, private: bool) {
        if self.paths.is_empty() {
            info.int("length", self.pieces.total() as i64);
        } else {
            info.list("files", |list| {
                for (file, path) in self.files.iter().zip(&self.paths) {
                    list.dict(|entry| {
                        entry.int("length", file.len as i64);
                        entry.list("path", |parts| path.iter().for_each(|part| parts.bytes(part)));
                    });
                }
            });
        }
        info.bytes("name", &self.name);
        info.int("piece length", i64::from(self.pieces.piece_len()));
        info.bytes("pieces", &self.hashes);
        if private {
            info.int("private", 1);
        }
    }
}

impl Details {
    /// The keys that sort before `info`.
    fn write_before(&self, torrent: &mut Dict<'_>) {
        let tiers = || self.announce.iter().filter(|tier| !tier.is_empty());
        if let Some(first) = tiers().flatten().next() {
            torrent.bytes("announce", first);
        }
        if tiers().flatten().count() > 1 {
            torrent.list("announce-list", |list| {
                tiers().for_each(|tier| list.list(|urls| tier.iter().for_each(|url| urls.bytes(url))));
            });
        }
        if let Some(comment) = &self.comment {
            torrent.bytes("comment", comment);
        }
        if let Some(program) = &self.created_by {
            torrent.bytes("created by", program);
        }
        if let Some(date) = self.creation_date {
            torrent.int("creation date", date.as_secs() as i64);
        }
    }
}

fn root(name: &str) -> Result<RelPath, CreateError> {
    RelPath::local([name]).map_err(|error| CreateError::Path { file: 0, error })
}
