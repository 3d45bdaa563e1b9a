//! Making a file one that can be had: its size and digest are found out first.

use super::api::{Error, Event};
use super::jobs::Errand;
use super::{Context, Files, Shared};
use alloc::vec::Vec;
use p2p_core::{Digest, DigestKind, FileId, IoError, Job, OpId, Span, Stat};

/// A SHA-256 of a job.
pub(super) fn sha256_of(digest: Digest) -> [u8; 32] {
    let mut sha256 = [0; 32];
    let bytes = digest.as_ref();
    sha256[..bytes.len()].copy_from_slice(bytes);
    sha256
}

/// The job that digests a part of a file.
pub(super) fn digest(file: FileId, part: core::ops::Range<u64>) -> Job {
    let spans = Vec::from([Span { file, offset: part.start, len: part.end - part.start }]);
    Job::DigestSpans { kind: DigestKind::Sha256, spans }
}

impl Files {
    pub(super) fn share(&mut self, op: OpId, file: FileId, cx: &mut Context<'_>) {
        let under_way = self.jobs.values().filter(|errand| errand.shares().is_some()).count();
        if self.shared.len() + under_way >= self.config.limits.shared {
            return cx.finish(op, Err(Error::Busy));
        }
        let job = cx.run(Job::Stat { file: file.clone() });
        self.jobs.insert(job, Errand::LookAt { op, file });
    }

    pub(super) fn looked_at(
        &mut self,
        op: OpId,
        file: FileId,
        stat: Result<Option<Stat>, IoError>,
        cx: &mut Context<'_>,
    ) {
        let stat = match stat.and_then(|stat| stat.ok_or(IoError::NotFound)) {
            Ok(stat) => stat,
            Err(why) => return cx.finish(op, Err(Error::Disk(why))),
        };
        let job = cx.run(digest(file.clone(), 0..stat.len));
        self.jobs.insert(job, Errand::Digest { op, file, stat });
    }

    pub(super) fn digested(
        &mut self,
        op: OpId,
        file: FileId,
        stat: Stat,
        digest: Result<Digest, IoError>,
        cx: &mut Context<'_>,
    ) {
        match digest {
            Ok(digest) => {
                let sha256 = sha256_of(digest);
                self.shared.insert(sha256, Shared { file: file.clone(), stat });
                cx.answer(op, Event::Shared { file, sha256, size: stat.len });
                cx.finish(op, Ok(()));
            }
            Err(why) => cx.finish(op, Err(Error::Disk(why))),
        }
    }

    /// Ends the operations of files that are being digested.
    pub(super) fn stop_sharing(&mut self, cx: &mut Context<'_>) {
        let jobs = self.jobs.extract_if(.., |_, errand| errand.shares().is_some());
        for (_, errand) in jobs {
            if let Some(op) = errand.shares() {
                cx.finish(op, Err(Error::Stopped));
            }
        }
    }

    /// Nobody waits any more for a file to be digested. Whether that was under way.
    pub(super) fn cancel_share(&mut self, op: OpId, cx: &mut Context<'_>) -> bool {
        let job = self.jobs.iter().find(|(_, errand)| errand.shares() == Some(op)).map(|(job, _)| *job);
        if let Some(job) = job {
            self.jobs.remove(&job);
            cx.finish(op, Err(Error::Cancelled));
        }
        job.is_some()
    }
}
