//! The answers of jobs: what each was for, and what becomes of those whose torrent moved on meanwhile.

use super::{Client, Context, TorrentKey, Work};
use crate::error::Error;
use crate::torrent::Phase;
use alloc::boxed::Box;
use p2p_core::{Bytes, Digest, Digester, IoError, JobDone, JobId, Stat};

impl Client {
    /// The answer of any job.
    pub(super) fn job(&mut self, id: JobId, done: JobDone, cx: &mut Context<'_>) {
        let Some((key, work)) = self.jobs.remove(&id) else { return };
        let Some(torrent) = self.torrents.get_mut(&key) else { return self.job_of_the_gone(key, &work, cx) };
        torrent.jobs -= 1;
        if matches!(&torrent.phase, Phase::Checking(check) if !check.begun) {
            self.job_before_check(key, work, done, cx);
        } else {
            self.job_done(id, key, work, done, cx);
        }
    }

    /// A job ended whose torrent is not here any more.
    fn job_of_the_gone(&mut self, key: TorrentKey, work: &Work, cx: &mut Context<'_>) {
        if let Work::Write { len, .. } = work {
            self.writing = self.writing.saturating_sub(u64::from(*len));
            self.held = self.held.saturating_sub(u64::from(*len));
            self.disk_caught_up(cx);
        }
        let Some((hash, jobs)) = self.lingering.get_mut(&key) else { return };
        *jobs -= 1;
        if *jobs == 0 {
            let hash = *hash;
            self.lingering.remove(&key);
            if let Some(&again) = self.by_hash.get(&hash) {
                self.begin_check(again, cx);
            }
        }
    }

    /// A job of before ended while a torrent waits to be checked: what it says of the files will be seen there.
    fn job_before_check(&mut self, key: TorrentKey, work: Work, done: JobDone, cx: &mut Context<'_>) {
        match work {
            Work::Write { len, .. } => {
                self.writing = self.writing.saturating_sub(u64::from(len));
                self.held = self.held.saturating_sub(u64::from(len));
                self.disk_caught_up(cx);
            }
            Work::Reader(op) => self.reader_read(key, op, read(done), cx),
            Work::SaveSync(file) | Work::SaveStat(file) => self.save_stat(key, file, None, cx),
            Work::Save => self.saved(key, ended(done), cx),
            _ => {}
        }
        self.begin_check(key, cx);
    }

    fn job_done(&mut self, id: JobId, key: TorrentKey, work: Work, done: JobDone, cx: &mut Context<'_>) {
        match work {
            Work::Write { piece, begin, len } => {
                self.writing = self.writing.saturating_sub(u64::from(len));
                match written(done) {
                    (Ok(()), digest) => self.run_written(key, (piece, begin, len), digest, cx),
                    (Err(why), _) => self.write_failed(key, piece, begin, len, why, cx),
                }
                self.disk_caught_up(cx);
            }
            Work::Upload(conn) => {
                if let Err(error) = self.read_done(conn, id, read(done), cx) {
                    self.fail(key, error, cx);
                }
            }
            Work::Reader(op) => self.reader_read(key, op, read(done), cx),
            Work::Reread(piece) => match digest(done) {
                Ok(digest) => self.piece_digested(key, piece, &digest, cx),
                Err(why) => self.reread_failed(key, piece, why, cx),
            },
            Work::Suspect { piece, block } => self.suspect_digested(key, piece, block, digest(done).ok()),
            Work::Acquit { piece, block } => self.acquitted(key, piece, block, digest(done).ok(), cx),
            Work::Probe { peer, piece, given } => {
                self.probe_compared(key, (peer, piece), *given, digest(done).ok(), cx);
            }
            Work::ProbeDoubt { peer, piece } => self.probe_doubted(key, peer, piece, digest(done).ok(), cx),
            Work::LoadResume => self.resume_loaded(key, read(done), cx),
            Work::Stat(file) => match stat(done) {
                Ok(stat) => self.looked_at(key, file, stat, cx),
                Err(why) => self.look_failed(key, file, why, cx),
            },
            Work::StatElsewhere(file) => match stat(done) {
                Ok(stat) => self.looked_elsewhere(key, file, stat, cx),
                Err(why) => self.look_failed(key, file, why, cx),
            },
            Work::Check(piece) => self.piece_checked(key, piece, digest(done), cx),
            Work::Empty => {
                if let Err(why) = ended(done) {
                    self.fail(key, Error::Disk { doing: "making", path: "an empty file".into(), why }, cx);
                }
            }
            Work::SaveSync(file) => self.save_synced(key, file, ended(done), cx),
            Work::SaveStat(file) => self.save_stat(key, file, stat(done).ok().flatten(), cx),
            Work::Save => self.saved(key, ended(done), cx),
        }
    }
}

// An answer of another kind than asked for is a fault of the driver, and as good as none.

fn read(done: JobDone) -> Result<Bytes, IoError> {
    if let JobDone::Read(data) = done { data } else { Err(IoError::Other) }
}

fn digest(done: JobDone) -> Result<Digest, IoError> {
    if let JobDone::Digest(digest) = done { digest } else { Err(IoError::Other) }
}

fn stat(done: JobDone) -> Result<Option<Stat>, IoError> {
    if let JobDone::Stat(stat) = done { stat } else { Err(IoError::Other) }
}

fn ended(done: JobDone) -> Result<(), IoError> {
    if let JobDone::Done(result) = done { result } else { Err(IoError::Other) }
}

fn written(done: JobDone) -> (Result<(), IoError>, Option<Box<Digester>>) {
    if let JobDone::Written { result, digest } = done {
        (result, digest)
    } else {
        (Err(IoError::Other), None)
    }
}
