//! What jobs are run for: [`Errand`].

use super::{Context, Files};
use bytes::Bytes;
use p2p_core::{ConnId, FileId, Job, JobDone, JobId, OpId, Stat};

/// What a job is run for.
#[derive(Debug, Clone)]
pub(super) enum Errand {
    /// To share a file: its size.
    LookAt { op: OpId, file: FileId },
    /// And its digest.
    Digest { op: OpId, file: FileId, stat: Stat },
    /// Whether a file that a guest wants is as it was.
    Look(ConnId),
    /// The next bytes for a guest.
    Read(ConnId),
    /// The next step of a fetch.
    Step(OpId),
    /// A chunk of a fetch goes to the disk.
    Write(OpId, u32),
    /// The digest of a chunk.
    Chunk(OpId, u32),
    /// What came of a fetch is on the disk; this is then noted in that file.
    Safe { note: FileId, data: Bytes },
    /// What came of a fetch is noted.
    Note,
}

impl Errand {
    /// The operation that shares a file by this.
    pub(super) const fn shares(&self) -> Option<OpId> {
        match self {
            Self::LookAt { op, .. } | Self::Digest { op, .. } => Some(*op),
            _ => None,
        }
    }
}

impl Files {
    pub(super) fn job(&mut self, job: JobId, done: JobDone, cx: &mut Context<'_>) {
        let Some(errand) = self.jobs.remove(&job) else { return };
        match (errand, done) {
            (Errand::LookAt { op, file }, JobDone::Stat(stat)) => self.looked_at(op, file, stat, cx),
            (Errand::Digest { op, file, stat }, JobDone::Digest(digest)) => {
                self.digested(op, file, stat, digest, cx);
            }
            (Errand::Look(conn), JobDone::Stat(stat)) => self.looked(conn, stat, cx),
            (Errand::Read(conn), JobDone::Read(data)) => self.read(conn, data, cx),
            (Errand::Step(op), done) => self.stepped(op, done, cx),
            (Errand::Write(op, chunk), JobDone::Written { result, .. }) => {
                self.written(op, chunk, result, cx);
            }
            (Errand::Chunk(op, chunk), JobDone::Digest(digest)) => self.chunk_digested(op, chunk, digest, cx),
            (Errand::Safe { note, data }, JobDone::Done(Ok(()))) => {
                let job = cx.run(Job::Replace { file: note, data });
                self.jobs.insert(job, Errand::Note);
            }
            _ => {}
        }
        self.halt_when_idle(cx);
    }
}
