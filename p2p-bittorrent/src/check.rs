//! Looking at a torrent's files when it starts: [`Check`] decides what resume data vouches for and what is digested.

use crate::metainfo::{FileKind, Info};
use crate::resume::Resume;
use alloc::vec::Vec;
use p2p_core::{Bitfield, Stat};

/// The state of looking at a torrent's files: resume data is loaded, files are asked for their size and time, pieces
/// in doubt are digested.
#[derive(Debug)]
pub(crate) struct Check {
    /// Digest everything, whatever resume data says.
    pub(crate) full: bool,
    /// Jobs of before are over: what is on disk stays as it is.
    pub(crate) begun: bool,
    pub(crate) resume: Option<Resume>,
    /// Per file: `None` until asked, then what the disk says.
    stats: Vec<Option<Stat>>,
    next_stat: u32,
    stats_out: u32,
    /// Pieces still to be digested.
    doubt: Option<Bitfield>,
    next_piece: u32,
    pieces_out: u32,
    pub(crate) digested: u32,
}

/// What is to be asked of the disk next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Size and time of this file.
    Stat(u32),
    /// The digest of this piece.
    Digest(u32),
    /// Nothing until an answer comes.
    Wait,
    /// It is done.
    Done,
}

impl Check {
    pub(crate) fn new(info: &Info, full: bool) -> Self {
        Self {
            full,
            begun: false,
            resume: None,
            stats: alloc::vec![None; info.files().len()],
            next_stat: 0,
            stats_out: 0,
            doubt: None,
            next_piece: 0,
            pieces_out: 0,
            digested: 0,
        }
    }

    /// The next thing to ask, with at most `jobs` under way.
    pub(crate) fn next(&mut self, info: &Info, have: &mut Bitfield, jobs: u32) -> Next {
        if self.stats_out + self.pieces_out >= jobs {
            return Next::Wait;
        }
        while let Some(file) = info.files().get(self.next_stat as usize) {
            let index = self.next_stat;
            self.next_stat += 1;
            if file.kind == FileKind::Data {
                self.stats_out += 1;
                return Next::Stat(index);
            }
        }
        if self.stats_out > 0 {
            return Next::Wait;
        }
        let doubt = match &mut self.doubt {
            Some(doubt) => doubt,
            none => none.insert(Self::decide(self.full, self.resume.as_ref(), &self.stats, info, have)),
        };
        while self.next_piece < doubt.len() {
            let piece = self.next_piece;
            self.next_piece += 1;
            if doubt.get(piece) {
                self.pieces_out += 1;
                self.digested += 1;
                return Next::Digest(piece);
            }
        }
        if self.pieces_out > 0 { Next::Wait } else { Next::Done }
    }

    pub(crate) fn stat(&mut self, file: u32, stat: Option<Stat>) {
        self.stats_out = self.stats_out.saturating_sub(1);
        if let Some(slot) = self.stats.get_mut(file as usize) {
            *slot = stat;
        }
    }

    pub(crate) const fn digested(&mut self) {
        self.pieces_out = self.pieces_out.saturating_sub(1);
    }

    /// Files of no bytes that are not there yet.
    pub(crate) fn empty_files<'a>(&'a self, info: &'a Info) -> impl Iterator<Item = u32> + 'a {
        (0u32..)
            .zip(info.files().iter().zip(&self.stats))
            .filter(|(_, (file, stat))| file.len == 0 && file.kind == FileKind::Data && stat.is_none())
            .map(|(index, _)| index)
    }

    /// Whether a file is as resume data left it.
    pub(crate) fn vouched(&self, file: u32) -> bool {
        vouched(self.resume.as_ref(), &self.stats, file)
    }

    /// Sets in `have` what resume data vouches for, and returns the pieces to be digested: those whose files are long
    /// enough to hold them, and of which a file is not as resume data says (size and time of change).
    fn decide(
        full: bool,
        resume: Option<&Resume>,
        stats: &[Option<Stat>],
        info: &Info,
        have: &mut Bitfield,
    ) -> Bitfield {
        let mut doubt = Bitfield::new(info.pieces().count());
        for piece in 0..info.pieces().count() {
            let mut there = true;
            let mut sure = !full && resume.is_some();
            for span in info.spans(piece, 0, info.pieces().len_of(piece)).filter(|span| !span.padding) {
                let stat = stats.get(span.file).copied().flatten();
                there &= stat.is_some_and(|stat| stat.len >= span.offset + span.len);
                sure &= vouched(resume, stats, span.file as u32);
            }
            if sure {
                if there && resume.is_some_and(|resume| resume.have.get(piece)) {
                    have.set(piece);
                }
            } else if there {
                doubt.set(piece);
            }
        }
        doubt
    }
}

fn vouched(resume: Option<&Resume>, stats: &[Option<Stat>], file: u32) -> bool {
    let file = file as usize;
    resume.is_some_and(|resume| {
        resume.files.get(file).is_some_and(|then| *then == stats.get(file).copied().flatten())
    })
}
