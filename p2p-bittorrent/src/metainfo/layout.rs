//! From pieces to files: which bytes of which files a run of a piece is, and where those are stored.

use super::{FileEntry, FileKind, Info};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::path::PathError;
use p2p_core::{FileId, RelPath, Root, Span};

/// A run of bytes of one file of a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSpan {
    /// Which file, an index of [`Info::files`].
    pub file: usize,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// How many bytes it has; never 0.
    pub len: u64,
    /// Whether these are zeros that are never stored (BEP 47).
    pub padding: bool,
}

/// The spans of a run of bytes, in order; together they are the run.
#[derive(Debug, Clone)]
pub struct Spans<'a> {
    files: &'a [FileEntry],
    file: usize,
    at: u64,
    end: u64,
}

impl<'a> Spans<'a> {
    /// The spans of `at..end` of all bytes of `files`; finds the first one by halving.
    pub(super) fn new(files: &'a [FileEntry], at: u64, end: u64) -> Self {
        let file = files.partition_point(|file| file.offset.saturating_add(file.len) <= at);
        Self { files, file, at, end }
    }
}

impl Iterator for Spans<'_> {
    type Item = FileSpan;

    fn next(&mut self) -> Option<FileSpan> {
        while self.at < self.end {
            let index = self.file;
            let file = self.files.get(index)?;
            let end = file.offset.saturating_add(file.len).min(self.end);
            self.file += 1;
            // Empty files are passed over.
            let Some(len) = end.checked_sub(self.at).filter(|&len| len > 0) else { continue };
            let offset = self.at - file.offset;
            self.at = end;
            return Some(FileSpan { file: index, offset, len, padding: file.kind == FileKind::Padding });
        }
        None
    }
}

impl Info {
    /// Which bytes of which files `len` bytes of a piece from `begin` on are. What is past the piece's end is cut off.
    #[must_use]
    pub fn spans(&self, piece: u32, begin: u32, len: u32) -> Spans<'_> {
        let room = self.pieces.len_of(piece);
        let begin = begin.min(room);
        let at = self.pieces.offset_of(piece) + u64::from(begin);
        Spans::new(&self.files, at, at + u64::from(len.min(room - begin)))
    }

    /// The pieces that have bytes of a file, `None` if it is empty or there is no such file.
    #[must_use]
    pub fn pieces_of(&self, file: usize) -> Option<core::ops::RangeInclusive<u32>> {
        let file = self.files.get(file).filter(|file| file.len > 0)?;
        Some(self.pieces.piece_at(file.offset)..=self.pieces.piece_at(file.offset + file.len - 1))
    }
}

/// Where the files of a torrent are stored, decided once: below one root, in a folder of choice, under the torrent's
/// name (a file, or a folder with the files in it).
#[derive(Debug, Clone)]
pub struct Layout {
    info: Arc<Info>,
    root: Root,
    /// The paths with the folder in front; without a folder those in `info` serve.
    moved: Option<Box<[RelPath]>>,
    /// Files that are stored under their own names; none if `moved`.
    own: BTreeSet<usize>,
}

/// A stretch of a torrent: stored somewhere, or known to be zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Bytes of a file.
    Stored(Span),
    /// So many zeros that are not stored.
    Zeros(u64),
}

impl Layout {
    /// Below `root`, in `folder` if there is one.
    ///
    /// # Errors
    /// If a path together with the folder is not a path any more.
    pub fn new(info: Arc<Info>, root: Root, folder: Option<&RelPath>) -> Result<Self, PathError> {
        let moved = match folder {
            None => None,
            Some(folder) => {
                Some(info.files.iter().map(|file| folder.join(&file.path)).collect::<Result<_, _>>()?)
            }
        };
        Ok(Self { info, root, moved, own: BTreeSet::new() })
    }

    /// The torrent.
    #[must_use]
    pub const fn info(&self) -> &Arc<Info> {
        &self.info
    }

    /// Where a file would be if it were stored under its own name and is to be under another ([`Info::own_path`]):
    /// where to look for it when it is not at [`Layout::file`]. Only of a torrent that lies in no folder of choice.
    #[must_use]
    pub fn elsewhere(&self, index: usize) -> Option<FileId> {
        if self.moved.is_some() || self.own.contains(&index) {
            return None;
        }
        Some(FileId::new(self.root, self.info.own_path(index)?.clone()))
    }

    /// From now on the file is at [`Layout::elsewhere`], if it has such a place.
    pub fn found_elsewhere(&mut self, index: usize) {
        if self.elsewhere(index).is_some() {
            self.own.insert(index);
        }
    }

    /// The stored file of an index; `None` for padding and links, which are not stored.
    #[must_use]
    pub fn file(&self, index: usize) -> Option<FileId> {
        let file = self.info.files.get(index).filter(|file| file.kind == FileKind::Data)?;
        let path = match &self.moved {
            None if self.own.contains(&index) => self.info.own_path(index)?,
            None => &file.path,
            Some(paths) => paths.get(index)?,
        };
        Some(FileId::new(self.root, path.clone()))
    }

    /// The stored files, empty ones too, with their lengths.
    pub fn files(&self) -> impl Iterator<Item = (FileId, u64)> + '_ {
        let files = self.info.files.iter().enumerate();
        files.filter_map(|(index, file)| Some((self.file(index)?, file.len)))
    }

    /// What `len` bytes of a piece from `begin` on are made of, in order.
    pub fn parts(&self, piece: u32, begin: u32, len: u32) -> impl Iterator<Item = Part> + '_ {
        self.info.spans(piece, begin, len).map(|span| match self.file(span.file) {
            Some(file) => Part::Stored(Span { file, offset: span.offset, len: span.len }),
            None => Part::Zeros(span.len),
        })
    }

    /// Whether a piece has bytes that are not stored: its digest is not that of its spans.
    #[must_use]
    pub fn has_zeros(&self, piece: u32) -> bool {
        self.info.spans(piece, 0, u32::MAX).any(|span| span.padding)
    }

    /// The stored spans of a run: what to read. [`Layout::fill`] puts the zeros back in.
    #[must_use]
    pub fn stored(&self, piece: u32, begin: u32, len: u32) -> Vec<Span> {
        let parts = self.parts(piece, begin, len);
        parts.filter_map(|part| if let Part::Stored(span) = part { Some(span) } else { None }).collect()
    }

    /// What to write when `data` arrived for `begin` of a piece: spans, and the bytes for them without the zeros.
    /// Nothing is copied. What is past the piece's end is left out.
    #[must_use]
    pub fn write(&self, piece: u32, begin: u32, mut data: Bytes) -> (Vec<Span>, Vec<Bytes>) {
        let (mut spans, mut pieces) = (Vec::new(), Vec::new());
        let mut run = 0;
        let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        for part in self.parts(piece, begin, len) {
            match part {
                Part::Stored(span) => {
                    run += span.len as usize;
                    spans.push(span);
                }
                Part::Zeros(len) => {
                    take(&mut data, run, &mut pieces);
                    run = 0;
                    data = data.split_off((len as usize).min(data.len()));
                }
            }
        }
        take(&mut data, run, &mut pieces);
        (spans, pieces)
    }

    /// The bytes of a run, given those read from [`Layout::stored`], with the zeros between them. Nothing is copied.
    #[must_use]
    pub fn fill(&self, piece: u32, begin: u32, len: u32, mut read: Bytes) -> Vec<Bytes> {
        let mut whole = Vec::new();
        let mut run = 0;
        for span in self.info.spans(piece, begin, len) {
            if span.padding {
                take(&mut read, run, &mut whole);
                run = 0;
                whole.extend(zeros(span.len));
            } else {
                run += span.len as usize;
            }
        }
        take(&mut read, run, &mut whole);
        whole
    }
}

/// Moves the first `len` bytes to `to`, or as many as there are.
fn take(from: &mut Bytes, len: usize, to: &mut Vec<Bytes>) {
    if len > 0 {
        to.push(from.split_to(len.min(from.len())));
    }
}

/// `len` zeros, in slices of one static block.
pub fn zeros(len: u64) -> impl Iterator<Item = Bytes> {
    static ZEROS: [u8; 16_384] = [0; 16_384];
    let mut left = len;
    core::iter::from_fn(move || {
        let now = left.min(ZEROS.len() as u64);
        left -= now;
        ZEROS.get(..now as usize).filter(|zeros| !zeros.is_empty()).map(Bytes::from_static)
    })
}
