//! A file that is whole goes to its place; nothing there is written over.

use super::download::Phase;
use super::files::Step;
use super::{Context, Event, Transfers};
use alloc::format;
use p2p_core::{FileId, IoError, Job, JobDone, RelPath};

/// Names with a number that are tried before a file is left under its temporary name.
const NUMBERS: u32 = 1_000;

/// The name that is tried: from the second on with a number before its ending.
fn numbered(target: &RelPath, number: u32) -> RelPath {
    if number == 0 {
        return target.clone();
    }
    let name = target.as_str();
    let at = name.rfind('.').filter(|at| *at > 0).unwrap_or(name.len());
    let (stem, ending) = name.split_at(at);
    let name = format!("{stem} ({}){ending}", number + 1);
    RelPath::sanitised([name.as_bytes()]).unwrap_or_else(|_| target.clone())
}

impl Transfers {
    pub(super) fn finish_file(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        let file = download.part.clone();
        if download.size == Some(0) {
            // Nothing was written, so there is no file yet.
            return self.run(key, Step::Create, Job::Truncate { file, len: 0 }, cx);
        }
        self.run(key, Step::SyncAll, Job::Sync { file }, cx);
    }

    pub(super) fn finishing(&mut self, key: u32, step: &Step, done: JobDone, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let Phase::Finishing(number) = &mut download.phase else { return };
        let part = download.part.clone();
        let place = |number| FileId::new(part.root(), numbered(&download.target, number));
        let looks = |number| Job::Stat { file: place(number) };
        match (step, done) {
            (Step::Create, JobDone::Done(Ok(()))) => {
                self.run(key, Step::SyncAll, Job::Sync { file: part }, cx);
            }
            (Step::SyncAll, JobDone::Done(Ok(()))) => {
                let job = looks(*number);
                self.run(key, Step::Target, job, cx);
            }
            // A folder is in the way as well.
            (Step::Target, JobDone::Stat(Ok(Some(_)) | Err(IoError::NotAFile))) => {
                if *number >= NUMBERS {
                    return self.disk_failed(key, "naming", IoError::Exists, cx);
                }
                *number += 1;
                let job = looks(*number);
                self.run(key, Step::Target, job, cx);
            }
            (Step::Target, JobDone::Stat(Ok(None))) => {
                let job = Job::Rename { from: part.clone(), to: place(*number) };
                self.run(key, Step::Rename, job, cx);
            }
            (Step::Rename, JobDone::Done(Ok(()))) => {
                let job = Job::Remove { file: download.kept.clone() };
                self.run(key, Step::Clean, job, cx);
            }
            (Step::Clean, _) => {
                let (op, size, file) = (download.op, download.size.unwrap_or_default(), place(*number));
                cx.answer(op, Event::Saved { file: file.clone(), size });
                if download.reader.is_none() {
                    return self.end(key, Ok(()), cx);
                }
                download.phase = Phase::Reading(file);
                self.feed_reader(key, cx);
            }
            (_, JobDone::Done(Err(why)) | JobDone::Stat(Err(why))) => {
                self.disk_failed(key, "finishing", why, cx)
            }
            _ => self.disk_failed(key, "finishing", IoError::Unsupported, cx),
        }
    }
}
