//! The answers of jobs, and whom they are for.

use super::{Client, Context, Work};
use p2p_core::{IoError, JobDone, JobId};

impl Client {
    pub(super) fn job(&mut self, job: JobId, done: JobDone, cx: &mut Context<'_>) {
        let Some(work) = self.jobs.remove(&job) else { return };
        match (work, done) {
            (Work::ShareStat(name), JobDone::Stat(stat)) => self.share_size(name, stat, cx),
            (Work::ShareDigest(name), JobDone::Digest(digest)) => self.share_digest(&name, digest, cx),
            (Work::PartMark(key), JobDone::Read(mark)) => self.mark_found(key, mark, cx),
            (Work::PartStat(key), JobDone::Stat(stat)) => match stat {
                Ok(stat) => self.part_found(key, stat.map_or(0, |stat| stat.len), cx),
                Err(why) => self.disk_failed(key, "looking at", why, cx),
            },
            (Work::PartRead(key), JobDone::Read(edges)) => match edges {
                Ok(edges) => self.part_recalled(key, &edges, cx),
                Err(why) => self.disk_failed(key, "reading", why, cx),
            },
            (Work::Seam(key), JobDone::Read(data)) => self.seam_read(key, data, cx),
            (Work::TakeOver(key), JobDone::Read(data)) => self.taken_over(key, data, cx),
            // Beside the write itself.
            (Work::Write(key), JobDone::Done(result)) => self.part_written(key, result, cx),
            (Work::Write(key), JobDone::Written { result, .. }) => self.part_written(key, result, cx),
            (work @ (Work::Create(key) | Work::Sync(key) | Work::Rename(key)), JobDone::Done(done)) => {
                self.finishing(key, &work, done, cx);
            }
            (Work::TargetStat(key), JobDone::Stat(stat)) => self.target_looked_at(key, stat, cx),
            (Work::Upload(conn), JobDone::Read(data)) => self.upload_read(conn, data, cx),
            // A driver that answers with something else has not done it.
            (work, _) => self.job_unanswered(&work, cx),
        }
    }

    fn job_unanswered(&mut self, work: &Work, cx: &mut Context<'_>) {
        let why = IoError::Unsupported;
        match work {
            Work::ShareStat(name) => self.share_failed(name, "looking at", why, cx),
            Work::ShareDigest(name) => self.share_digest(name, Err(why), cx),
            Work::PartMark(key)
            | Work::PartStat(key)
            | Work::PartRead(key)
            | Work::Create(key)
            | Work::Sync(key)
            | Work::TargetStat(key)
            | Work::Rename(key) => self.disk_failed(*key, "working on", why, cx),
            Work::Seam(key) => self.seam_read(*key, Err(why), cx),
            Work::TakeOver(key) => self.taken_over(*key, Err(why), cx),
            Work::Write(key) => self.part_written(*key, Err(why), cx),
            Work::Upload(conn) => self.upload_read(*conn, Err(why), cx),
        }
    }
}
