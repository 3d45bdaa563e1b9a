//! A torrent's files: looking at them at the start, resume data, answers of jobs, and what a failing disk means.

use super::{Client, Context, Timer, TorrentKey, Work};
use crate::check::{Check, Next};
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::event::Event;
use crate::resume::{self, Resume};
use crate::torrent::{Goal, Phase, Torrent, spans};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use p2p_core::{Bitfield, Bytes, Digest, DigestKind, FileId, IoError, Job, OpId, Stat};

/// Resume data being put together: the files are asked for size and time first.
#[derive(Debug)]
pub(crate) struct Saving {
    resume: Resume,
    next: u32,
    due: u32,
}

impl Client {
    fn run(&mut self, key: TorrentKey, job: Job, work: Work, cx: &mut Context<'_>) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.jobs += 1;
            let id = cx.run(job);
            self.jobs.insert(id, (key, work));
        }
    }

    fn resume_file(&self, key: TorrentKey) -> Option<FileId> {
        let root = self.config.state?;
        let path = resume::path(self.torrents.get(&key)?.info_hash())?;
        Some(FileId::new(root, path))
    }

    /// Starts to look at a torrent's files.
    pub(super) fn check(&mut self, key: TorrentKey, full: bool, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let info = &torrent.metainfo.info;
        torrent.phase = Phase::Checking(Box::new(Check::new(info, full)));
        torrent.have = Bitfield::new(info.pieces().count());
        torrent.checked = false;
        torrent.picker = None;
        torrent.complete_told = false;
        self.held = self.held.saturating_sub(torrent.store.drop_waiting());
        torrent.suspects.close();
        self.begin_check(key, cx);
        self.start_reporting(key, cx);
    }

    /// Begins to look at the files, unless jobs of before are under way: a write that is late would change what was
    /// looked at.
    pub(super) fn begin_check(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let hash = torrent.info_hash();
        let Phase::Checking(check) = &mut torrent.phase else { return };
        if check.begun || torrent.jobs > 0 || self.lingering.values().any(|(other, _)| *other == hash) {
            return;
        }
        check.begun = true;
        torrent.store = crate::store::Store::default();
        let limit = resume::limit(&torrent.metainfo.info);
        match self.resume_file(key) {
            Some(file) => self.run(key, Job::Load { file, limit }, Work::LoadResume, cx),
            None => self.check_on(key, cx),
        }
    }

    /// Asks the disk what it is to be asked next.
    fn check_on(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let jobs = self.config.limits.check_jobs as u32;
        loop {
            if self.stopping.is_some() {
                return;
            }
            let Some(torrent) = self.torrents.get_mut(&key) else { return };
            let Phase::Checking(check) = &mut torrent.phase else { return };
            let info = &torrent.metainfo.info;
            match check.next(info, &mut torrent.have, jobs) {
                Next::Wait => return,
                Next::Done => return self.checked(key, cx),
                Next::Stat(file) => {
                    let Some(stored) = torrent.layout.file(file as usize) else { continue };
                    self.run(key, Job::Stat { file: stored }, Work::Stat(file), cx);
                }
                Next::Digest(piece) => {
                    let spans = spans(&torrent.layout, piece, 0, info.pieces().len_of(piece));
                    self.run(key, Job::DigestSpans { kind: DigestKind::Sha1, spans }, Work::Check(piece), cx);
                }
            }
        }
    }

    pub(super) fn resume_loaded(
        &mut self,
        key: TorrentKey,
        data: Result<Bytes, IoError>,
        cx: &mut Context<'_>,
    ) {
        if let Some(torrent) = self.torrents.get_mut(&key)
            && let Phase::Checking(check) = &mut torrent.phase
            && let Ok(data) = data
        {
            // Anything but our own sound data is as good as none: the pieces are digested.
            check.resume = Resume::decode(&data, &torrent.metainfo.info);
        }
        self.check_on(key, cx);
    }

    /// A file's size and time, or that it is not at the place where it would be put.
    pub(super) fn looked_at(&mut self, key: TorrentKey, file: u32, stat: Option<Stat>, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        match torrent.layout.elsewhere(file as usize) {
            Some(other) if stat.is_none() => {
                self.run(key, Job::Stat { file: other }, Work::StatElsewhere(file), cx);
            }
            _ => self.noted(key, file, stat, cx),
        }
    }

    /// A file that was made here, or fetched by another client, has the torrent's own name for it.
    pub(super) fn looked_elsewhere(
        &mut self,
        key: TorrentKey,
        file: u32,
        stat: Option<Stat>,
        cx: &mut Context<'_>,
    ) {
        if stat.is_some()
            && let Some(torrent) = self.torrents.get_mut(&key)
            && matches!(torrent.phase, Phase::Checking(_))
        {
            torrent.layout.found_elsewhere(file as usize);
        }
        self.noted(key, file, stat, cx);
    }

    fn noted(&mut self, key: TorrentKey, file: u32, stat: Option<Stat>, cx: &mut Context<'_>) {
        if let Some(torrent) = self.torrents.get_mut(&key)
            && let Phase::Checking(check) = &mut torrent.phase
        {
            check.stat(file, stat);
        }
        self.check_on(key, cx);
    }

    pub(super) fn piece_checked(
        &mut self,
        key: TorrentKey,
        piece: u32,
        digest: Result<Digest, IoError>,
        cx: &mut Context<'_>,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let Phase::Checking(check) = &mut torrent.phase else { return };
        check.digested();
        match digest {
            Ok(digest) => {
                if torrent
                    .metainfo
                    .info
                    .piece_hash(piece)
                    .is_some_and(|right| digest.as_ref() == right.as_ref())
                {
                    torrent.have.set(piece);
                }
            }
            // Gone or cut short since we looked: not had. Anything else is the disk failing, and to believe that
            // nothing is there would fetch it all again.
            Err(IoError::Short | IoError::NotFound) => {}
            Err(why) => {
                let path = torrent.path_at(piece, 0);
                return self.fail(key, Error::Disk { doing: "reading", path, why }, cx);
            }
        }
        self.check_on(key, cx);
    }

    fn checked(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let Phase::Checking(check) = core::mem::replace(&mut torrent.phase, Phase::Paused) else { return };
        torrent.checked = true;
        let info_hash = torrent.info_hash();
        let (have, pieces) = (torrent.have.count(), torrent.have.len());
        if let Some(resume) = &check.resume {
            torrent.downloaded = torrent.downloaded.max(resume.downloaded);
            torrent.uploaded = torrent.uploaded.max(resume.uploaded);
        }
        let event = Event::Checked { info_hash, have, pieces, digested: check.digested };
        for (op, _) in torrent.waiting.clone() {
            cx.answer(op, event.clone());
        }
        cx.tell(event);
        let kept = torrent.kept;
        let verifying: Vec<_> =
            torrent.waiting.iter().filter(|(_, goal)| *goal == Goal::Verify).map(|&(op, _)| op).collect();
        for op in verifying {
            // Which pieces these are: the torrent may be gone before anybody can ask.
            if let Some(status) = self.status(key, cx) {
                cx.answer(op, Event::Status(Box::new(status)));
            }
        }
        let missing = pieces - have;
        let verdict = move |_: &Goal| match missing {
            0 => Ok(()),
            missing => Err(Error::Incomplete { missing, pieces }),
        };
        self.end_ops(key, Goal::Verify, cx, verdict);
        if !kept {
            self.fail_ops(key, &Error::Removed, cx);
            return self.forget_torrent(key, cx);
        }
        if check.resume.as_ref().is_some_and(|resume| !resume.partial.is_empty()) {
            self.start_picker(key, Some(&check), cx);
        }
        let Some(torrent) = self.torrents.get(&key) else { return };
        let empty: Vec<FileId> = check
            .empty_files(&torrent.metainfo.info)
            .filter(|&file| torrent.file_priority(file) > 0)
            .filter_map(|file| torrent.layout.file(file as usize))
            .collect();
        for file in empty {
            self.run(key, Job::Truncate { file, len: 0 }, Work::Empty, cx);
        }
        self.end_ops(key, Goal::Seed, cx, verdict);
        if self.torrents.get(&key).is_some_and(|torrent| !torrent.paused) {
            self.activate(key, cx);
        }
        self.check_complete(key, cx);
        self.feed_readers(key, cx);
    }

    /// Makes the picker of a torrent that is not all here, if there is none: when there is somebody to ask.
    pub(super) fn need_picker(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        if torrent.picker.is_none() && torrent.is_active() && !torrent.have.is_full() {
            self.start_picker(key, None, cx);
            self.hurry(key, cx);
        }
    }

    /// Makes the picker of a torrent that is not all here.
    fn start_picker(&mut self, key: TorrentKey, check: Option<&Check>, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.have.is_full() {
            torrent.picker = None;
            return;
        }
        let pieces = torrent.pieces();
        let mut whole = Vec::new();
        let mut picker = Box::new(crate::picker::Picker::new(pieces, &torrent.have, cx.rng()));
        picker.set_mode(torrent.order);
        if torrent.priorities.is_some() {
            for piece in 0..pieces.count() {
                picker.set_priority(piece, torrent.piece_priority(piece));
            }
        }
        if let Some(check) = check
            && let Some(resume) = &check.resume
            && !check.full
        {
            for (&piece, blocks) in &resume.partial {
                let info = &torrent.metainfo.info;
                let sure = info
                    .spans(piece, 0, pieces.len_of(piece))
                    .all(|span| span.padding || check.vouched(span.file as u32));
                if torrent.have.get(piece) || !sure {
                    continue;
                }
                let written = blocks.ones().map(|block| pieces.block_len(piece, block)).sum();
                torrent.store.restore(piece, pieces.len_of(piece), written);
                if picker.restore_partial(piece, blocks) {
                    whole.push(piece);
                }
            }
        }
        torrent.picker = Some(picker);
        for piece in whole {
            self.reread(key, piece, cx);
        }
    }

    pub(super) fn look_failed(&mut self, key: TorrentKey, file: u32, why: IoError, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        let path = torrent.layout.file(file as usize).map(|file| file.path().as_str().into());
        self.fail(key, Error::Disk { doing: "looking at", path: path.unwrap_or_default(), why }, cx);
    }

    pub(super) fn write_failed(
        &mut self,
        key: TorrentKey,
        piece: u32,
        begin: u32,
        len: u32,
        why: IoError,
        cx: &mut Context<'_>,
    ) {
        self.held = self.held.saturating_sub(u64::from(len));
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.store.lost(piece, len);
        let path = torrent.path_at(piece, begin);
        self.fail(key, Error::Disk { doing: "writing", path, why }, cx);
    }

    pub(super) fn reread_failed(&mut self, key: TorrentKey, piece: u32, why: IoError, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let path = torrent.path_at(piece, 0);
        self.fail(key, Error::Disk { doing: "reading back", path, why }, cx);
    }

    /// A torrent stops with an error. What is verified stays verified; what was not is fetched again when it goes on.
    pub(super) fn fail(&mut self, key: TorrentKey, error: Error, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if matches!(torrent.phase, Phase::Failed(_)) {
            return;
        }
        torrent.phase = Phase::Failed(error.clone());
        self.held = self.held.saturating_sub(torrent.store.drop_waiting());
        let info_hash = torrent.info_hash();
        self.drop_all(key, DropReason::TorrentStopped, cx);
        self.leave_trackers(key, cx);
        cx.tell(Event::Stopped(info_hash, error.clone()));
        self.report_now(key, cx);
        self.fail_ops(key, &error, cx);
        self.save_now(key, cx);
    }

    /// Goes on after a pause or an error: what was received and not verified is asked for again.
    pub(super) fn go_on(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.jobs > 0 || !torrent.checked {
            // Writes of before may still be on their way; look at the files when they are done.
            return self.check(key, false, cx);
        }
        self.held = self.held.saturating_sub(torrent.store.drop_waiting());
        torrent.store = crate::store::Store::default();
        torrent.picker = None;
        self.activate(key, cx);
        self.check_complete(key, cx);
        self.feed_readers(key, cx);
    }

    /// Notes that resume data is to be written some time.
    pub(super) fn save_later(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        if self.config.state.is_none() {
            return;
        }
        if let Some(torrent) = self.torrents.get_mut(&key)
            && !torrent.timers.save
        {
            torrent.timers.save = true;
            cx.set_timer(Timer::Save(key), self.config.save_after);
        }
    }

    pub(super) fn save_due(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.timers.save = false;
        }
        self.save_now(key, cx);
    }

    /// Writes resume data: the bits as they are now, then size and time of each file, so that a later change shows.
    pub(super) fn save_now(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let state = self.config.state;
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.saving.is_some() || !torrent.checked || state.is_none() {
            torrent.save_again = torrent.saving.is_some();
            if state.is_none() || !torrent.checked {
                // What was written down before holds.
                self.end_ops(key, Goal::Save, cx, |_| Ok(()));
            }
            return;
        }
        let resume = Resume {
            have: torrent.have.clone(),
            partial: partial_blocks(torrent),
            files: alloc::vec![None; torrent.metainfo.info.files().len()],
            downloaded: torrent.downloaded,
            uploaded: torrent.uploaded,
        };
        torrent.saving = Some(Box::new(Saving { resume, next: 0, due: 0 }));
        self.save_on(key, cx);
    }

    fn save_on(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        loop {
            let Some(torrent) = self.torrents.get_mut(&key) else { return };
            let Some(saving) = &mut torrent.saving else { return };
            let files = torrent.metainfo.info.files().len();
            if (saving.next as usize) < files {
                if saving.due >= self.config.limits.check_jobs as u32 {
                    return;
                }
                let file = saving.next;
                saving.next += 1;
                let Some(stored) = torrent.layout.file(file as usize) else { continue };
                saving.due += 1;
                // Only what is on the device outlives a crash.
                match torrent.unsynced.remove(&file) {
                    true => self.run(key, Job::Sync { file: stored }, Work::SaveSync(file), cx),
                    false => self.run(key, Job::Stat { file: stored }, Work::SaveStat(file), cx),
                }
            } else if saving.due > 0 {
                return;
            } else {
                let data = saving.resume.encode(&torrent.metainfo.info);
                let Some(file) = self.resume_file(key) else { return };
                return self.run(key, Job::Replace { file, data }, Work::Save, cx);
            }
        }
    }

    /// A file's content is on the device, or could not be brought there: then nothing vouches for it.
    pub(super) fn save_synced(
        &mut self,
        key: TorrentKey,
        file: u32,
        result: Result<(), IoError>,
        cx: &mut Context<'_>,
    ) {
        let stored = self.torrents.get(&key).and_then(|torrent| torrent.layout.file(file as usize));
        match (result, stored) {
            (Ok(()), Some(file_id)) => {
                self.run(key, Job::Stat { file: file_id }, Work::SaveStat(file), cx);
            }
            _ => {
                if let Some(torrent) = self.torrents.get_mut(&key) {
                    torrent.unsynced.insert(file);
                }
                self.save_stat(key, file, None, cx);
            }
        }
    }

    pub(super) fn save_stat(&mut self, key: TorrentKey, file: u32, stat: Option<Stat>, cx: &mut Context<'_>) {
        if let Some(torrent) = self.torrents.get_mut(&key)
            && let Some(saving) = &mut torrent.saving
        {
            saving.due -= 1;
            if let Some(slot) = saving.resume.files.get_mut(file as usize) {
                *slot = stat;
            }
        }
        self.save_on(key, cx);
    }

    pub(super) fn saved(&mut self, key: TorrentKey, result: Result<(), IoError>, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.saving = None;
        let again = core::mem::take(&mut torrent.save_again);
        self.end_ops(key, Goal::Save, cx, |_| {
            result.map_err(|why| Error::Disk { doing: "writing", path: "resume data".into(), why })
        });
        if again {
            self.save_now(key, cx);
        }
    }

    /// Reads for the operations that want the content, as far as it is verified.
    pub(super) fn feed_readers(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.readers.is_empty() || !torrent.is_active() {
            return;
        }
        let pieces = torrent.pieces();
        let mut reads = Vec::new();
        let mut ended = Vec::new();
        for reader in &mut torrent.readers {
            if reader.reading || reader.full {
                continue;
            }
            let Some((at, end)) = reader.next() else {
                ended.push(reader.op);
                continue;
            };
            let piece = pieces.piece_at(at);
            if !torrent.have.get(piece) {
                continue;
            }
            let begin = at - pieces.offset_of(piece);
            let len = (end - at).min(u64::from(pieces.len_of(piece)) - begin).min(crate::reader::CHUNK);
            reader.reading = true;
            let spans = spans(&torrent.layout, piece, begin as u32, len as u32);
            reads.push((reader.op, spans));
        }
        for (op, spans) in reads {
            self.run(key, Job::Read { spans }, Work::Reader(op), cx);
        }
        for op in ended {
            self.end_reader(key, op, Ok(()), cx);
        }
        self.hurry(key, cx);
    }

    /// The pieces that readers need next are wanted soonest.
    fn hurry(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        const WINDOW: u64 = 8 << 20;
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let pieces = torrent.pieces();
        let Some(picker) = &mut torrent.picker else { return };
        for reader in &torrent.readers {
            let Some((at, end)) = reader.next() else { continue };
            let last = pieces.piece_at((at + WINDOW).min(end).saturating_sub(1));
            for piece in pieces.piece_at(at)..=last {
                if picker.wants(piece) {
                    picker.set_deadline(piece, Some(cx.now()));
                }
            }
        }
    }

    pub(super) fn reader_read(
        &mut self,
        key: TorrentKey,
        op: OpId,
        data: Result<Bytes, IoError>,
        cx: &mut Context<'_>,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let Some(reader) = torrent.readers.iter_mut().find(|reader| reader.op == op) else { return };
        reader.reading = false;
        match data {
            Ok(data) => {
                if let Some((offset, _)) = reader.next() {
                    reader.advance(data.len() as u64);
                    cx.answer(op, Event::Chunk(p2p_core::Chunk { offset, data }));
                }
                self.feed_readers(key, cx);
            }
            Err(why) => self.fail(key, Error::Disk { doing: "reading", path: "content".into(), why }, cx),
        }
    }

    pub(super) fn reader_full(&mut self, op: OpId, full: bool, cx: &mut Context<'_>) {
        let Some(&key) = self.ops.get(&op) else { return };
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if let Some(reader) = torrent.readers.iter_mut().find(|reader| reader.op == op) {
            reader.full = full;
            if !full {
                self.feed_readers(key, cx);
            }
        }
    }
}

/// The blocks on disk of pieces that are not verified.
fn partial_blocks(torrent: &Torrent) -> BTreeMap<u32, Bitfield> {
    let Some(picker) = &torrent.picker else { return BTreeMap::new() };
    picker
        .partial()
        // What waits in memory or is being written is not on disk yet.
        .filter(|(piece, _)| torrent.store.is_on_disk(*piece))
        .collect()
}
