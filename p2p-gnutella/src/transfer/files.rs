//! Files that are fetched, on the disk: what is here of them, what comes, and whether it is right.

use super::download::Phase;
use super::event::Error;
use super::kept::Kept;
use super::slices::Giver;
use super::{Context, Timer, Transfers};
use crate::thex::TigerTree;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::hash::Tth;
use p2p_core::{Digest, DigestKind, Digester, IoError, Job, JobDone, Span};

/// Bytes of an unfinished slice that are worth a write of their own.
const RUN: u64 = 256 << 10;
/// Chunks that are: a source that trickles must not make us keep one for each byte.
const CHUNKS: usize = 256;
/// Chunks up to this long are copied, so that they do not hold the buffer that they came in.
const COPIED: usize = 2 << 10;

/// A step of a download that a job does.
#[derive(Debug)]
pub(super) enum Step {
    /// What is kept is read.
    Kept,
    /// The length of the part is looked at, to go on from what is kept.
    Look(Box<Kept>),
    /// So many bytes of a slice are written.
    Write(usize, u64),
    /// A slice is digested, for its running digest is not there.
    Slice(usize),
    /// The same, though it was good once.
    Again(usize),
    /// All of it is digested.
    Whole,
    /// What is to be kept is brought to the device; how many bytes of it are good.
    Sync(Vec<u8>, u64),
    /// What is kept is put in its place.
    Save(u64),
    /// A file of no bytes is made.
    Create,
    /// The whole is brought to the device.
    SyncAll,
    /// Is there a file of its name?
    Target,
    Rename,
    Clean,
    /// A part is read for who wants the content.
    Chunk,
}

/// Bytes of a slice on their way to the disk, in order.
#[derive(Debug, Default)]
pub(super) struct Run {
    data: Vec<Bytes>,
    offset: u64,
    len: u64,
    writing: bool,
    whole: bool,
    digest: Option<Box<Digester>>,
    /// The running digest lacks something.
    undigested: bool,
}

fn exact<const N: usize>(digest: &Digest) -> Option<[u8; N]> {
    digest.as_ref().try_into().ok()
}

impl Transfers {
    pub(super) fn stepped(&mut self, key: u32, step: Step, done: JobDone, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        download.jobs = download.jobs.saturating_sub(1);
        match (step, done) {
            (Step::Kept, done) => {
                let text = if let JobDone::Read(Ok(text)) = done { Some(text) } else { None };
                self.kept_read(key, text, cx);
            }
            (Step::Look(kept), done) => {
                let len = if let JobDone::Stat(Ok(Some(stat))) = done { stat.len } else { 0 };
                self.go_on_from(key, &kept, len, cx);
            }
            (Step::Write(slice, len), JobDone::Written { result, digest }) => {
                self.written(key, slice, len, result, digest, cx);
            }
            (Step::Slice(slice), JobDone::Digest(digest)) => match digest {
                Ok(digest) => self.sliced(key, slice, exact(&digest).map(Tth), cx),
                Err(why) => self.disk_failed(key, "reading", why, cx),
            },
            (Step::Again(slice), JobDone::Digest(digest)) => match digest {
                Ok(digest) => self.again(key, slice, exact(&digest).map(Tth), cx),
                Err(why) => self.disk_failed(key, "reading", why, cx),
            },
            (Step::Whole, JobDone::Digest(digest)) => match digest {
                Ok(digest) => self.whole(key, &digest, cx),
                Err(why) => self.disk_failed(key, "reading", why, cx),
            },
            (Step::Sync(text, good), JobDone::Done(Ok(()))) => {
                let Some(download) = self.downloads.get(&key) else { return };
                let job = Job::Replace { file: download.kept.clone(), data: text.into() };
                self.run(key, Step::Save(good), job, cx);
            }
            (Step::Save(good), JobDone::Done(result)) => {
                download.saving = false;
                if result.is_ok() {
                    download.saved_good = good;
                }
                self.check_complete(key, cx);
            }
            // What cannot be kept is fetched again after a crash, and that is all.
            (Step::Sync(..) | Step::Save(_), _) => {
                download.saving = false;
                self.check_complete(key, cx);
            }
            (Step::Chunk, done) => {
                let data = if let JobDone::Read(data) = done { data } else { Err(IoError::Unsupported) };
                self.chunk_read(key, data, cx);
            }
            (step @ (Step::Create | Step::SyncAll | Step::Target | Step::Rename | Step::Clean), done) => {
                self.finishing(key, &step, done, cx);
            }
            _ => self.disk_failed(key, "working on", IoError::Unsupported, cx),
        }
        self.check_drained(key, cx);
        self.check_ended(key, cx);
    }

    fn kept_read(&mut self, key: u32, text: Option<Bytes>, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        let kept = text.and_then(|text| Kept::from_text(&text));
        let fits =
            |kept: &Kept| kept.sha1 == download.sha1 && download.size.is_none_or(|size| size == kept.size);
        match kept.filter(fits) {
            Some(kept) => {
                let job = Job::Stat { file: download.part.clone() };
                self.run(key, Step::Look(Box::new(kept)), job, cx);
            }
            None => self.begin(key, cx),
        }
    }

    /// Goes on from what was kept: slices that are on the disk, sources, and the tree.
    fn go_on_from(&mut self, key: u32, kept: &Kept, len: u64, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        download.size = Some(kept.size);
        let tree =
            kept.tree.as_ref().and_then(|(root, list)| TigerTree::from_list(kept.size, root, list).ok());
        let fits = tree.as_ref().is_none_or(|tree| {
            tree.slice_len() == kept.slice_len && download.tth.is_none_or(|root| root == tree.root())
        });
        // Slices that no tree vouches for are no help where there is one, and the other way round.
        if fits && tree.is_some() == kept.tree.is_some() && (tree.is_some() || download.tth.is_none()) {
            download.tth = download.tth.or_else(|| tree.as_ref().map(TigerTree::root));
            download.plain = tree.is_none();
            download.tree = tree;
            self.lay_out(key);
            let Some(download) = self.downloads.get_mut(&key) else { return };
            if let Some(slices) =
                download.slices.as_mut().filter(|slices| slices.slice_len() == kept.slice_len)
            {
                for slice in 0..slices.count() {
                    if kept.is_good(slice) && slices.range(slice).end <= len {
                        slices.found_good(slice);
                        download.resumed = true;
                    }
                }
                download.saved_good = slices.good_bytes();
            }
        }
        kept.sources.iter().for_each(|source| self.add_source(key, source.clone(), cx));
        self.begin(key, cx);
    }

    fn begin(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if download.phase != Phase::Looking {
            return;
        }
        download.phase = Phase::Fetching;
        cx.set_timer(Timer::Download(key), self.config.report_every);
        self.check_complete(key, cx);
        self.tend(key, cx);
    }

    /// Takes bytes of a source that follow what it gave of its claim, and gives how many of them were taken.
    pub(super) fn store(&mut self, key: u32, giver: Giver, mut data: Bytes, cx: &mut Context<'_>) -> usize {
        let before = data.len();
        while !data.is_empty() {
            let Some(download) = self.downloads.get_mut(&key) else { break };
            let Some(slices) = &mut download.slices else { break };
            let Some(taken) = slices.take(giver, data.len() as u64) else { break };
            let part = data.split_to(usize::try_from(taken.len).unwrap_or(usize::MAX).min(data.len()));
            let run = download.runs.entry(taken.slice).or_default();
            if run.data.is_empty() {
                run.offset = taken.offset;
            }
            run.len += taken.len;
            run.data.push(if part.len() <= COPIED { Bytes::copy_from_slice(&part) } else { part });
            run.whole |= taken.whole;
            download.unwritten += taken.len;
            download.contributors.insert(giver);
            self.write(key, taken.slice, cx);
        }
        before - data.len()
    }

    /// Writes what waits of a slice, if it is worth it and nothing of it is being written.
    fn write(&mut self, key: u32, slice: usize, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let has_tree = download.tree.is_some();
        let Some(run) = download.runs.get_mut(&slice) else { return };
        if run.writing || run.len == 0 || !run.whole && run.len < RUN && run.data.len() < CHUNKS {
            return;
        }
        let digest = if has_tree && !run.undigested {
            let digest = run.digest.take();
            Some(digest.unwrap_or_else(|| Box::new(Digester::new(DigestKind::TigerTree))))
        } else {
            None
        };
        run.writing = true;
        let len = core::mem::take(&mut run.len);
        let span = Span { file: download.part.clone(), offset: run.offset, len };
        let job = Job::Write { spans: Vec::from([span]), data: core::mem::take(&mut run.data), digest };
        self.run(key, Step::Write(slice, len), job, cx);
    }

    fn written(
        &mut self,
        key: u32,
        slice: usize,
        len: u64,
        result: Result<(), IoError>,
        digest: Option<Box<Digester>>,
        cx: &mut Context<'_>,
    ) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        download.unwritten = download.unwritten.saturating_sub(len);
        if let Err(why) = result {
            return self.disk_failed(key, "writing", why, cx);
        }
        let has_tree = download.tree.is_some();
        let Some(run) = download.runs.get_mut(&slice) else { return };
        run.writing = false;
        run.undigested |= digest.is_none();
        run.digest = digest;
        if run.len == 0 && run.whole {
            let run = download.runs.remove(&slice).unwrap_or_default();
            match run.digest.filter(|_| !run.undigested) {
                _ if !has_tree => self.slice_checked(key, slice, true, cx),
                Some(digest) => self.sliced(key, slice, exact(&digest.finish()).map(Tth), cx),
                None => self.digest_slice(key, slice, Step::Slice(slice), cx),
            }
        } else {
            self.write(key, slice, cx);
        }
        self.hold_back(key, cx);
    }

    fn digest_slice(&mut self, key: u32, slice: usize, step: Step, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        let Some(range) = download.slices.as_ref().map(|slices| slices.range(slice)) else { return };
        let span = Span { file: download.part.clone(), offset: range.start, len: range.end - range.start };
        self.run(key, step, Job::DigestSpans { kind: DigestKind::TigerTree, spans: Vec::from([span]) }, cx);
    }

    fn sliced(&mut self, key: u32, slice: usize, root: Option<Tth>, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        let wanted = download.tree.as_ref().and_then(|tree| tree.slice(slice as u64)).map(|(_, root)| root);
        self.slice_checked(key, slice, root.is_some() && root == wanted, cx);
    }

    /// Digests the whole, if all slices are good.
    pub(super) fn check_complete(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let complete = download.slices.as_ref().is_some_and(super::slices::Slices::is_complete);
        // What is being kept must not come to lie beside the finished file.
        if !complete || download.saving || download.phase != Phase::Fetching {
            return;
        }
        download.phase = Phase::Checking;
        let size = download.size.unwrap_or_default();
        let span = Span { file: download.part.clone(), offset: 0, len: size };
        cx.answer(download.op, super::Event::Progress(download.progress()));
        self.drop_givers(key, cx);
        if size == 0 {
            let empty = Digester::new(DigestKind::Sha1).finish();
            return self.whole(key, &empty, cx);
        }
        self.run(key, Step::Whole, Job::DigestSpans { kind: DigestKind::Sha1, spans: Vec::from([span]) }, cx);
    }

    fn whole(&mut self, key: u32, digest: &Digest, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if download.phase != Phase::Checking {
            return;
        }
        // Of a file that nobody told the digest of it is what its holder says, if he does.
        let is_right = match (&download.numbered, download.told) {
            (None, _) => digest.as_ref() == download.sha1.0,
            (Some(_), told) => told.is_none_or(|told| digest.as_ref() == told.0),
        };
        if is_right {
            download.phase = Phase::Finishing(0);
            return self.finish_file(key, cx);
        }
        if download.tree.is_some() {
            // The disk may have lost something.
            download.phase = Phase::Rechecking(0, 0);
            return self.recheck(key, cx);
        }
        self.all_wrong(key, cx);
    }

    /// Digests the next slice once more.
    fn recheck(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let Phase::Rechecking(slice, bad) = download.phase else { return };
        if download.slices.as_ref().is_some_and(|slices| slice < slices.count()) {
            return self.digest_slice(key, slice, Step::Again(slice), cx);
        }
        if bad > 0 {
            download.phase = Phase::Fetching;
            return self.tend(key, cx);
        }
        self.all_wrong(key, cx);
    }

    fn again(&mut self, key: u32, slice: usize, root: Option<Tth>, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let Phase::Rechecking(_, bad) = &mut download.phase else { return };
        let wanted = download.tree.as_ref().and_then(|tree| tree.slice(slice as u64)).map(|(_, root)| root);
        let is_bad = root.is_none() || root != wanted;
        *bad += usize::from(is_bad);
        download.phase = Phase::Rechecking(slice + 1, *bad);
        if is_bad && let Some(slices) = &mut download.slices {
            slices.spoiled(slice);
        }
        self.recheck(key, cx);
    }

    /// Keeps what is good, if there is more of it than was kept.
    pub(super) fn save(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let good = download.have();
        if download.saving || good <= download.saved_good {
            return;
        }
        let Some(kept) = download.to_kept() else { return };
        download.saving = true;
        let file = download.part.clone();
        self.run(key, Step::Sync(kept.to_text(), good), Job::Sync { file }, cx);
    }

    pub(super) fn disk_failed(&mut self, key: u32, doing: &'static str, why: IoError, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        let path = download.part.path().to_string();
        self.end(key, Err(Error::Disk { doing, path, why }), cx);
    }
}
