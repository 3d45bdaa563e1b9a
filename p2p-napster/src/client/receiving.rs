//! Content of files wanted, from the stream to its place on the disk.

use super::downloads::{Sink, Stage};
use super::event::{Event, State};
use super::{Client, Context, Error, SourceError, Timer, Work};
use crate::transfer::intake::{Known, Useless};
use crate::transfer::name;
use crate::wire::message::ToServer;
use alloc::string::ToString;
use bytes::Bytes;
use p2p_core::{Chunk, ConnId, FileId, IoError, Job, Stat};

/// Names with a number that are tried before a file is left under its temporary name.
const NUMBERS: u32 = 1_000;

impl Client {
    /// The holder begins to answer on this stream.
    pub(super) fn receiving(&mut self, key: u32, conn: ConnId, cx: &mut Context<'_>) {
        self.set_stage(key, Stage::Connected(conn), cx);
        if let Some(download) = self.downloads.get_mut(&key) {
            download.heard = cx.now();
            download.paused = false;
        }
        cx.set_timer(Timer::Download(key), self.config.limits.silence);
        self.tally(&ToServer::DownloadStart, cx);
        self.progress(key, State::Receiving, cx);
    }

    /// Bytes of the holder.
    pub(super) fn received(&mut self, key: u32, data: Bytes, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let Some(intake) = &mut download.intake else { return };
        let before = download.known.len;
        let new = match intake.take(data, &mut download.known) {
            Ok(new) => new,
            Err(why) => return self.useless(key, why, cx),
        };
        if !intake.awaits_size() {
            download.size = intake.size();
        }
        let (now, op) = (cx.now(), download.op);
        download.heard = now;
        if !new.is_empty() {
            download.gained(now);
            match &mut download.sink {
                Sink::Stream => cx.answer(op, Event::Chunk(Chunk { offset: before, data: new })),
                Sink::Disk { part, .. } => part.push(new),
            }
        }
        let due = now >= download.report_at;
        if self.end_reached(key, cx) {
            return;
        }
        // What comes slowly is written now and then all the same: a crash must not lose minutes of it.
        self.write_part(key, due, cx);
        self.hold_back(key, cx);
        if due {
            self.progress(key, State::Receiving, cx);
        }
        self.split(key, cx);
    }

    /// What a holder sends is not the file.
    fn useless(&mut self, key: u32, why: Useless, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if let Stage::Connected(conn) = download.stage {
            self.drop_stream(conn, cx);
        }
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if download.intake.take().is_some_and(|intake| intake.is_doubtful()) {
            // All that is here is of another file, and begins in the middle of its size.
            match &mut download.sink {
                Sink::Stream => return self.end_download(key, Err(SourceError::from(why).into()), cx),
                Sink::Disk { part, .. } => {
                    download.known = Known::nothing();
                    part.begin_again();
                }
            }
        }
        self.source_failed(key, why.into(), cx);
    }

    /// Stops reading a holder that is faster than the disk or the reader, and goes on with it.
    pub(super) fn hold_back(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let Stage::Connected(conn) = download.stage else { return };
        let limit = self.config.limits.unwritten;
        let unwritten = download.unwritten();
        let paused = match download.sink {
            Sink::Stream => download.reader_full,
            Sink::Disk { .. } => unwritten > if download.paused { limit / 2 } else { limit },
        };
        if paused != download.paused {
            download.paused = paused;
            download.heard = cx.now();
            cx.pause(conn, paused);
        }
    }

    /// The stream of a download has ended.
    pub(super) fn receiving_ended(&mut self, key: u32, how: Result<(), IoError>, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        if download.size.is_some_and(|size| download.position() == size) {
            // That nothing followed was all that was missing.
            return self.line_done(key, false, cx);
        }
        let refusal = download.intake.as_ref().and_then(|intake| intake.refusal());
        let silent = download.intake.as_ref().is_none_or(|intake| intake.awaits_size());
        let why = match (refusal, how, download.size) {
            (Some(refusal), ..) => SourceError::Useless(refusal),
            (None, Err(why), _) => SourceError::Connection(why),
            (None, Ok(()), Some(size)) if !silent => SourceError::Short { have: download.position(), size },
            (None, Ok(()), _) => SourceError::Useless(Useless::Refused(Bytes::new())),
        };
        self.source_failed(key, why, cx);
    }

    /// Hands what waits to the disk, all of it or only what is worth a write.
    pub(super) fn write_part(&mut self, key: u32, now: bool, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if let Sink::Disk { part, .. } = &mut download.sink
            && let Some(job) = part.write(now)
        {
            let job = cx.run(job);
            self.jobs.insert(job, Work::Write(key));
        }
    }

    pub(super) fn part_written(&mut self, key: u32, result: Result<(), IoError>, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if let Sink::Disk { part, .. } = &mut download.sink {
            part.written();
        }
        if let Err(why) = result {
            return self.disk_failed(key, "writing", why, cx);
        }
        match download.stage {
            Stage::Finishing(_) => self.finish_file(key, cx),
            Stage::Ending(_) => {
                self.write_part(key, true, cx);
                self.check_ended(key, cx);
            }
            Stage::Idle | Stage::Joining => self.written_for_join(key, cx),
            Stage::Connected(_) => {
                self.write_part(key, false, cx);
                self.hold_back(key, cx);
            }
            _ => self.write_part(key, true, cx),
        }
    }

    /// Everything is here.
    pub(super) fn received_all(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        download.intake = None;
        let streamed = matches!(download.sink, Sink::Stream);
        if let Stage::Connected(conn) = download.stage {
            self.drop_stream(conn, cx);
            self.tally(&ToServer::DownloadEnd, cx);
        }
        self.progress(key, State::Receiving, cx);
        if streamed {
            return self.end_download(key, Ok(()), cx);
        }
        self.set_stage(key, Stage::Finishing(0), cx);
        self.finish_file(key, cx);
    }

    /// Brings what is left to the disk, and then to the device.
    fn finish_file(&mut self, key: u32, cx: &mut Context<'_>) {
        self.write_part(key, true, cx);
        let Some(download) = self.downloads.get(&key) else { return };
        let Sink::Disk { part, .. } = &download.sink else { return };
        if part.unwritten() > 0 {
            return;
        }
        let (file, empty) = (part.file().clone(), download.known.len == 0);
        let (job, work) = if empty {
            // Nothing was written, so there is no file yet.
            (cx.run(Job::Truncate { file, len: 0 }), Work::Create(key))
        } else {
            (cx.run(Job::Sync { file }), Work::Sync(key))
        };
        self.jobs.insert(job, work);
    }

    /// A step of bringing the file to its place is done.
    pub(super) fn finishing(
        &mut self,
        key: u32,
        work: &Work,
        done: Result<(), IoError>,
        cx: &mut Context<'_>,
    ) {
        let Some(download) = self.downloads.get(&key) else { return };
        let (Stage::Finishing(number), Sink::Disk { target, part }) = (&download.stage, &download.sink)
        else {
            return;
        };
        let (number, part) = (*number, part.file().clone());
        let place = FileId::new(part.root(), place(target, number));
        if let Err(why) = done {
            return self.disk_failed(key, "finishing", why, cx);
        }
        match work {
            Work::Create(_) => {
                let job = cx.run(Job::Sync { file: part });
                self.jobs.insert(job, Work::Sync(key));
            }
            Work::Rename(_) => {
                let (op, len) = (download.op, download.known.len);
                let _ = cx.run(Job::Remove { file: FileId::new(part.root(), name::mark(part.path())) });
                cx.answer(op, Event::Saved { file: place, len });
                self.end_download(key, Ok(()), cx);
            }
            _ => {
                let job = cx.run(Job::Stat { file: place });
                self.jobs.insert(job, Work::TargetStat(key));
            }
        }
    }

    /// Whether the file's name is taken: nothing is written over.
    pub(super) fn target_looked_at(
        &mut self,
        key: u32,
        stat: Result<Option<Stat>, IoError>,
        cx: &mut Context<'_>,
    ) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let (Stage::Finishing(number), Sink::Disk { target, part }) = (&mut download.stage, &download.sink)
        else {
            return;
        };
        let from = part.file().clone();
        match stat {
            // A folder is in the way as well.
            Ok(Some(_)) | Err(IoError::NotAFile) if *number < NUMBERS => {
                *number += 1;
                let file = FileId::new(from.root(), place(target, *number));
                let job = cx.run(Job::Stat { file });
                self.jobs.insert(job, Work::TargetStat(key));
            }
            Ok(None) => {
                let to = FileId::new(from.root(), place(target, *number));
                let job = cx.run(Job::Rename { from, to });
                self.jobs.insert(job, Work::Rename(key));
            }
            Ok(Some(_)) => self.disk_failed(key, "finishing", IoError::Exists, cx),
            Err(why) => self.disk_failed(key, "finishing", why, cx),
        }
    }

    pub(super) fn disk_failed(&mut self, key: u32, doing: &'static str, why: IoError, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if download.range.is_some() {
            return self.range_lost(key, cx);
        }
        let Sink::Disk { part, .. } = &mut download.sink else { return };
        let path = part.file().path().to_string();
        // What waits would only fail as well.
        part.give_up();
        self.end_download(key, Err(Error::Disk { doing, path, why }), cx);
    }
}

/// The name that is tried at this number.
fn place(target: &p2p_core::RelPath, number: u32) -> p2p_core::RelPath {
    if number == 0 { target.clone() } else { name::numbered(target, number + 1) }
}
