//! From ranges to one file: what was here before goes on, and ranges that are done are taken over in their order.
//!
//! A range is taken over when the file ends where it begins, its beginning was found to fit, and nobody adds to it. Its
//! content is read and appended, and its own file is removed once all of it is safe in the other. So a crash leaves
//! both, and what is there twice is compared before it goes on.

use super::downloads::{Sink, Stage};
use super::{Client, Context, Work};
use crate::transfer::intake::OVERLAP;
use bytes::Bytes;
use p2p_core::{IoError, Job, Span};

/// Bytes taken over from the file of a range at once.
const RUN: u64 = 256 * 1024;

impl Client {
    /// What is on the disk of a download, or of a range, is known.
    pub(super) fn looked_at(&mut self, key: u32, cx: &mut Context<'_>) {
        let main = self.main_of(key);
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if main == key {
            download.stage = Stage::Recalling;
            download.ranges.ready = true;
        } else {
            download.stage = Stage::Idle;
            if let Some(download) = self.downloads.get_mut(&main) {
                download.ranges.looking -= 1;
            }
        }
        self.begin(main, cx);
    }

    /// Begins once everything was looked at.
    pub(super) fn begin(&mut self, main: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&main) else { return };
        let ready = download.ranges.ready && download.ranges.looking == 0;
        if !ready || !matches!(download.stage, Stage::Recalling) {
            return;
        }
        let (here, size) = (download.known.len, download.size.unwrap_or(0));
        let mut end = 0;
        for range in self.list(main).to_vec() {
            let Some(download) = self.downloads.get(&range) else { continue };
            let (from, to) = (download.base(), download.position());
            if to <= here || from < end || from == to || to > size {
                self.drop_range(range, cx);
            } else {
                end = to;
            }
        }
        let first = self.list(main).first().copied();
        let Some(range) =
            first.and_then(|range| self.downloads.get(&range)).filter(|range| range.base() < here)
        else {
            return self.go_on(main, cx);
        };
        // It was being taken over: where that stopped, both must be the same.
        let offset = here - range.base();
        let len = offset.min(OVERLAP as u64);
        let Sink::Disk { part, .. } = &range.sink else { return };
        let span = Span { file: part.file().clone(), offset: offset - len, len };
        let job = cx.run(Job::Read { spans: alloc::vec![span] });
        self.jobs.insert(job, Work::Seam(main));
    }

    /// How the next range goes on from where taking it over stopped.
    pub(super) fn seam_read(&mut self, main: u32, data: Result<Bytes, IoError>, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&main) else { return };
        if !matches!(download.stage, Stage::Recalling) {
            return self.check_ended(main, cx);
        }
        if data.is_ok_and(|data| download.known.tail().ends_with(&data)) {
            download.stage = Stage::Joining;
            return self.take_over(main, cx);
        }
        if let Some(&range) = self.list(main).first() {
            self.drop_range(range, cx);
        }
        self.go_on(main, cx);
    }

    /// Everything that fits is here: the rest is asked for, if there is any.
    pub(super) fn go_on(&mut self, main: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&main) else { return };
        if download.size == Some(download.known.len) {
            return self.received_all(main, cx);
        }
        self.ask_source(main, cx);
    }

    /// A write of a range, or of what takes one over, is done.
    pub(super) fn written_for_join(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        if download.range.as_ref().is_some_and(|range| range.gone) {
            return self.range_gone(key, true, cx);
        }
        self.write_part(key, true, cx);
        let main = self.main_of(key);
        match self.downloads.get(&main).map(|main| &main.stage) {
            Some(Stage::Ending(_)) => self.check_ended(main, cx),
            _ => self.take_over(main, cx),
        }
    }

    /// Appends what is here of the next range, once nobody adds to it.
    pub(super) fn take_over(&mut self, main: u32, cx: &mut Context<'_>) {
        loop {
            let Some(download) = self.downloads.get(&main) else { return };
            if !matches!(download.stage, Stage::Joining) || download.ranges.reading {
                return;
            }
            let (here, unwritten) = (download.known.len, download.unwritten());
            let first = self.list(main).first().copied();
            let Some((first, range)) = first.and_then(|key| Some((key, self.downloads.get(&key)?))) else {
                return self.go_on(main, cx);
            };
            if range.base() > here {
                return self.go_on(main, cx);
            }
            if !matches!(range.stage, Stage::Idle) {
                return;
            }
            if range.unwritten() > 0 {
                return self.write_part(first, true, cx);
            }
            let left = range.position().saturating_sub(here);
            if left == 0 {
                // What is here twice is removed only when it is written here.
                if unwritten > 0 {
                    return self.write_part(main, true, cx);
                }
                let joined = range.range.as_ref().is_some_and(|range| range.joined);
                self.drop_range(first, cx);
                if !joined {
                    return self.go_on(main, cx);
                }
                continue;
            }
            if unwritten > self.config.limits.unwritten {
                return;
            }
            let Sink::Disk { part, .. } = &range.sink else { return };
            let span = Span { file: part.file().clone(), offset: here - range.base(), len: left.min(RUN) };
            let job = cx.run(Job::Read { spans: alloc::vec![span] });
            self.jobs.insert(job, Work::TakeOver(main));
            if let Some(download) = self.downloads.get_mut(&main) {
                download.ranges.reading = true;
            }
            return;
        }
    }

    /// The next of a range that is taken over.
    pub(super) fn taken_over(&mut self, main: u32, data: Result<Bytes, IoError>, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&main) else { return };
        download.ranges.reading = false;
        if !matches!(download.stage, Stage::Joining) {
            return self.check_ended(main, cx);
        }
        match data {
            Ok(data) => {
                download.known.append(&data);
                if let Sink::Disk { part, .. } = &mut download.sink {
                    part.push(data);
                }
                self.write_part(main, false, cx);
                self.take_over(main, cx);
            }
            Err(_) => {
                if let Some(&first) = self.list(main).first() {
                    self.drop_range(first, cx);
                }
                self.go_on(main, cx);
            }
        }
    }
}
