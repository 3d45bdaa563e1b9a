//! One file of several holders: while one gives it from the beginning on, others give ranges of it.
//!
//! ```text
//!  main    0 ─────────────► . . . . . .│
//!  range                       base ───┴────────► . . . . . .│
//!  range                                             base ───┴──────────► end
//! ```
//!
//! A range is a download of its own into a file of its own, so that the length of each file says how much of it is here,
//! whatever happens. Where one comes to the base of the next it reads on a little: if that is how the next one begins,
//! it is done, and if it is not, the next one is dropped. At the end of the main one the content of the next is appended
//! to it, so what is here from the beginning on is always one file that fits together.
//!
//! Ranges begin at sixteenths of the file, so that they are found again after a restart. A holder that ignores the
//! offset sends how the file begins, and gives no ranges any more.

use super::ask::Source;
use super::downloads::{Download, Sink, Stage, new_part};
use super::{Client, Context, Timer};
use crate::transfer::intake::{Intake, OVERLAP};
use crate::transfer::name;
use crate::wire::message::ToServer;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use p2p_core::{Duration, FileId, Instant, Job};

/// The most ranges that a file is cut into.
const CUTS: u64 = 16;
/// How often it is looked whether another holder could help.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Of what a download is a range.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) parent: u32,
    pub(super) base: u64,
    /// Whether its end was found to be how the next one begins.
    pub(super) joined: bool,
    /// Whether it was dropped, and only a write is to end.
    pub(super) gone: bool,
}

/// The ranges of a download.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    /// In the order of their bases.
    pub(super) list: Vec<u32>,
    /// Those of an earlier run that are still being looked at.
    pub(super) looking: usize,
    /// Whether the size was known from the beginning, as the names of files of ranges need it.
    sized: bool,
    /// Whether the main file was looked at.
    pub(super) ready: bool,
    /// Holders that were of no use for ranges.
    unfit: Vec<Source>,
    /// Bases that are not used again: a write to their old file may be under way.
    spent: BTreeSet<u64>,
    /// Whether a part of the next range is being read.
    pub(super) reading: bool,
    look_at: Instant,
}

impl Download {
    /// Whether it is time to look whether another holder can help.
    pub(super) fn look_again(&mut self, now: Instant) -> bool {
        let due = self.ranges.sized && now >= self.ranges.look_at;
        if due {
            self.ranges.look_at = now + LOOK_EVERY;
        }
        due
    }

    pub(super) fn is_unfit(&self, source: &Source) -> bool {
        self.ranges.unfit.contains(source)
    }
}

impl Client {
    pub(super) fn is_range(&self, key: u32) -> bool {
        self.downloads.get(&key).is_some_and(|download| download.range.is_some())
    }

    /// The download that this is a range of, or itself.
    pub(super) fn main_of(&self, key: u32) -> u32 {
        self.downloads
            .get(&key)
            .and_then(|download| download.range.as_ref())
            .map_or(key, |range| range.parent)
    }

    pub(super) fn list(&self, main: u32) -> &[u32] {
        self.downloads.get(&main).map_or(&[], |download| &download.ranges.list)
    }

    /// Bytes that are here of the whole file.
    pub(super) fn have(&self, key: u32) -> u64 {
        let main = self.main_of(key);
        let lines = core::iter::once(&main).chain(self.list(main));
        lines.filter_map(|line| self.downloads.get(line)).map(|line| line.known.len).sum()
    }

    pub(super) fn ranges_of(&self, main: u32) -> impl Iterator<Item = &Download> {
        self.list(main).iter().filter_map(|key| self.downloads.get(key))
    }

    /// Everything that is under way of a file: where it is, where it has to go on to, and whether it is a range that
    /// nobody gives.
    pub(super) fn lines(&self, main: u32) -> impl Iterator<Item = (u32, u64, u64, bool)> {
        core::iter::once(main).chain(self.list(main).iter().copied()).filter_map(|key| {
            let line = self.downloads.get(&key)?;
            Some((key, line.position(), self.line_end(key)?, matches!(line.stage, Stage::Idle)))
        })
    }

    pub(super) fn is_spent(&self, main: u32, base: u64) -> bool {
        self.downloads.get(&main).is_none_or(|download| download.ranges.spent.contains(&base))
    }

    pub(super) fn new_range(&mut self, main: u32, size: u64, base: u64, cx: &Context<'_>) -> Option<u32> {
        let file = self.range_file(main, size, base)?;
        let key = self.add_range(main, base, file, Stage::Idle, cx)?;
        self.set_ends(main);
        Some(key)
    }

    /// Whether another holder can help is looked at next time.
    fn look_soon(&mut self, main: u32, cx: &mut Context<'_>) {
        if let Some(download) = self.downloads.get_mut(&main) {
            download.ranges.look_at = cx.now();
            self.split(main, cx);
        }
    }

    /// How long the pieces are that a file of this size is cut into.
    pub(super) fn cut(&self, size: u64) -> u64 {
        size.div_ceil(CUTS).max(self.config.limits.range_min).max(2 * OVERLAP as u64)
    }

    fn range_file(&self, main: u32, size: u64, base: u64) -> Option<FileId> {
        let Sink::Disk { target, part } = &self.downloads.get(&main)?.sink else { return None };
        Some(FileId::new(part.file().root(), name::range(target, size, base)))
    }

    /// Whether an earlier run left ranges.
    pub(super) fn look_for_ranges(&mut self, main: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&main) else { return };
        let Some(size) = download.size else { return };
        download.ranges.sized = true;
        let cut = self.cut(size);
        let bases = (1..CUTS).map(|n| n * cut).take_while(|base| base + cut / 2 <= size);
        for base in bases.collect::<Vec<_>>() {
            let Some(file) = self.range_file(main, size, base) else { return };
            let Some(key) = self.add_range(main, base, file, Stage::Looking, cx) else { return };
            self.look(key, cx);
            if let Some(download) = self.downloads.get_mut(&main) {
                download.ranges.looking += 1;
            }
        }
    }

    fn add_range(
        &mut self,
        main: u32,
        base: u64,
        file: FileId,
        stage: Stage,
        cx: &Context<'_>,
    ) -> Option<u32> {
        let download = self.downloads.get(&main)?;
        let Sink::Disk { target, .. } = &download.sink else { return None };
        let sink = Sink::Disk { target: target.clone(), part: new_part(file) };
        let range = Download {
            stage,
            range: Some(Range { parent: main, base, joined: false, gone: false }),
            ..Download::new(download.op, download.size, sink, cx.now())
        };
        let before = |key: &u32| self.downloads.get(key).is_some_and(|other| other.base() < base);
        let place = self.list(main).partition_point(before);
        let key = self.next_download;
        self.next_download += 1;
        self.downloads.insert(key, range);
        self.downloads.get_mut(&main)?.ranges.list.insert(place, key);
        Some(key)
    }

    /// Where a download has to go on to: the next range, or the end of the file.
    fn line_end(&self, key: u32) -> Option<u64> {
        let next = self.next_range(key).and_then(|next| self.downloads.get(&next));
        next.map(Download::base).or_else(|| self.downloads.get(&key)?.size)
    }

    fn next_range(&self, key: u32) -> Option<u32> {
        let base = self.downloads.get(&key)?.base();
        let behind = |key: &&u32| self.downloads.get(key).is_some_and(|other| other.base() > base);
        self.list(self.main_of(key)).iter().find(behind).copied()
    }

    /// Ranges came or went: the others end elsewhere now. What came behind their old ends is content.
    fn set_ends(&mut self, main: u32) {
        for key in core::iter::once(main).chain(self.list(main).to_vec()) {
            let Some(end) = self.line_end(key) else { continue };
            let Some(line) = self.downloads.get_mut(&key) else { continue };
            if let (Some(intake), Sink::Disk { part, .. }) = (&mut line.intake, &mut line.sink) {
                part.push(intake.extend(end, &mut line.known));
            }
        }
    }

    /// Whether what ends elsewhere now is there already.
    fn check_ends(&mut self, main: u32, cx: &mut Context<'_>) {
        for key in core::iter::once(main).chain(self.list(main).to_vec()) {
            self.end_reached(key, cx);
        }
    }

    /// For the next answer of a holder.
    pub(super) fn new_intake(&self, key: u32) -> Option<Intake> {
        let download = self.downloads.get(&key)?;
        let mut intake = Intake::with_size(download.size, &download.known);
        if let Some(range) = &download.range {
            intake = intake.in_range(range.base, self.downloads.get(&range.parent)?.known.head());
        }
        if let Some(end) = self.line_end(key) {
            intake.set_end(end);
        }
        Some(intake)
    }

    /// Whether what was wanted of this holder is here: then that was done about it.
    pub(super) fn end_reached(&mut self, key: u32, cx: &mut Context<'_>) -> bool {
        loop {
            let Some(download) = self.downloads.get(&key) else { return true };
            let (Some(size), Some(end)) = (download.size, self.line_end(key)) else { return false };
            if download.position() < end {
                return false;
            }
            let Some(intake) = &download.intake else { return false };
            let Some(next) = self.next_range(key) else {
                if let (true, Stage::Connected(conn)) = (intake.is_doubtful(), &download.stage) {
                    // If the size was another one, more follows.
                    cx.set_timer(Timer::Word(*conn), LOOK_EVERY);
                } else {
                    self.line_done(key, false, cx);
                }
                return true;
            };
            let needed = usize::try_from(size - end).unwrap_or(OVERLAP).min(OVERLAP);
            let Some(came) = intake.beyond().get(..needed) else { return false };
            let head = self.downloads.get(&next).and_then(|next| next.known.head().get(..needed));
            if head == Some(came) {
                self.line_done(key, true, cx);
                return true;
            }
            // One of the two has other bytes: the one that goes on from the beginning counts.
            let other = self.downloads.get(&next).and_then(|next| next.source()).cloned();
            if let Some(main) = self.downloads.get_mut(&self.main_of(key)) {
                main.ranges.unfit.extend(other);
            }
            self.drop_range(next, cx);
        }
    }

    /// A holder has given all that was wanted of it.
    pub(super) fn line_done(&mut self, key: u32, joined: bool, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if !joined && download.range.is_none() {
            return self.received_all(key, cx);
        }
        download.intake = None;
        if let Stage::Connected(conn) = download.stage {
            self.drop_stream(conn, cx);
            self.tally(&ToServer::DownloadEnd, cx);
        }
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if let Some(range) = &mut download.range {
            range.joined = joined;
            return self.range_stopped(key, cx);
        }
        self.set_stage(key, Stage::Joining, cx);
        self.look_soon(key, cx);
        self.take_over(key, cx);
    }

    /// Nobody gives this range now.
    fn range_stopped(&mut self, key: u32, cx: &mut Context<'_>) {
        let main = self.main_of(key);
        self.set_stage(key, Stage::Idle, cx);
        self.write_part(key, true, cx);
        let Some(download) = self.downloads.get_mut(&key) else { return };
        download.intake = None;
        download.paused = false;
        if download.known.len == 0 {
            self.drop_range(key, cx);
            self.check_ends(main, cx);
        }
        self.look_soon(main, cx);
        self.take_over(main, cx);
    }

    /// The holder of a range failed. What came is kept.
    pub(super) fn range_failed(&mut self, key: u32, cx: &mut Context<'_>) {
        let main = self.main_of(key);
        let source = self.downloads.get(&key).and_then(|range| range.source()).cloned();
        if let Some(download) = self.downloads.get_mut(&main) {
            download.ranges.unfit.extend(source);
        }
        self.range_stopped(key, cx);
    }

    /// The disk failed on a range: it is fetched with the rest, and none is begun any more.
    pub(super) fn range_lost(&mut self, key: u32, cx: &mut Context<'_>) {
        let main = self.main_of(key);
        let looking = self
            .downloads
            .get(&key)
            .is_some_and(|range| matches!(range.stage, Stage::Looking | Stage::Recalling));
        let gone =
            self.downloads.get(&key).and_then(|range| range.range.as_ref()).is_some_and(|range| range.gone);
        if gone {
            self.downloads.remove(&key);
            return;
        }
        self.drop_range(key, cx);
        self.check_ends(main, cx);
        let Some(download) = self.downloads.get_mut(&main) else { return };
        let sources = download.sources.clone();
        download.ranges.unfit.extend(sources);
        if looking {
            download.ranges.looking -= 1;
        }
        match download.stage {
            Stage::Ending(_) => self.check_ended(main, cx),
            Stage::Joining => self.take_over(main, cx),
            _ => self.begin(main, cx),
        }
    }

    /// Forgets a range, and what is on the disk of it.
    pub(super) fn drop_range(&mut self, key: u32, cx: &mut Context<'_>) {
        let main = self.main_of(key);
        let Some(download) = self.downloads.get(&key) else { return };
        if let Stage::Connected(conn) = download.stage {
            self.drop_stream(conn, cx);
        }
        self.set_stage(key, Stage::Idle, cx);
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let (base, any) = (download.base(), download.known.len > 0 || download.unwritten() > 0);
        download.intake = None;
        if let (Some(range), Sink::Disk { part, .. }) = (&mut download.range, &mut download.sink) {
            range.gone = true;
            part.give_up();
        }
        if let Some(download) = self.downloads.get_mut(&main) {
            download.ranges.list.retain(|range| *range != key);
            if any {
                download.ranges.spent.insert(base);
            }
        }
        self.set_ends(main);
        self.range_gone(key, any, cx);
    }

    /// Removes the file of a dropped range, once nothing is written to it any more.
    pub(super) fn range_gone(&mut self, key: u32, any: bool, cx: &mut Context<'_>) {
        let Some(Sink::Disk { part, .. }) = self.downloads.get(&key).map(|range| &range.sink) else { return };
        if part.unwritten() > 0 {
            return;
        }
        if any {
            for file in [part.mark(), part.file()] {
                let _ = cx.run(Job::Remove { file: file.clone() });
            }
        }
        self.downloads.remove(&key);
    }

    /// A download ends: what came of its ranges is written.
    pub(super) fn ranges_end(&mut self, main: u32, cx: &mut Context<'_>) {
        for key in self.list(main).to_vec() {
            if let Some(Stage::Connected(conn)) = self.downloads.get(&key).map(|range| &range.stage) {
                let conn = *conn;
                self.drop_stream(conn, cx);
            }
            self.set_stage(key, Stage::Idle, cx);
            if let Some(range) = self.downloads.get_mut(&key) {
                range.intake = None;
            }
            self.write_part(key, true, cx);
        }
    }

    pub(super) fn ranges_unwritten(&self, main: u32) -> bool {
        self.ranges_of(main).any(|range| range.unwritten() > 0)
    }

    pub(super) fn forget_ranges(&mut self, main: u32) {
        for key in self.list(main).to_vec() {
            self.downloads.remove(&key);
        }
    }
}
