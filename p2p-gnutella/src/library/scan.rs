//! Looking through the watched folders, and digesting what is new, by jobs.

use super::cache::{self, Cache, Known};
use super::{Library, list_of};
use crate::thex::slice_len;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use p2p_core::hash::{Sha1Hash, Tth};
use p2p_core::{
    Cx, Digest, DigestKind, Entry, FileId, IoError, Job, JobDone, JobId, Machine, RelPath, Span, Stat,
};

/// How often a file that changes while it is digested is digested again before the next scan.
const CHANGES_MAX: u8 = 3;

/// What the library has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// All folders were looked through, and all that is new is digested.
    Ready {
        /// How many files are shared.
        files: usize,
        /// Their bytes.
        bytes: u64,
        /// Files that are left out, for there are too many.
        left_out: usize,
    },
    /// A file or folder could not be read. What was known of it before is shared on if it is a folder that is there. A
    /// folder without files is as one that is not there.
    Unreadable {
        /// Which.
        file: FileId,
        /// Why.
        why: IoError,
    },
    /// The cache of digests could not be written.
    Unsaved(IoError),
}

#[derive(Debug)]
enum Work {
    Load,
    List(FileId),
    /// What is shared is a file, not a folder.
    Single(FileId),
    Sha1(FileId),
    Slice(FileId),
    Look(FileId),
    Tree,
    Save,
}

/// A file that is being digested.
#[derive(Debug)]
struct Digesting {
    stat: Stat,
    changes: u8,
    sha1: Option<Sha1Hash>,
    slices: Vec<Tth>,
    /// Jobs under way.
    jobs: u8,
    failed: Option<IoError>,
}

#[derive(Debug, Default)]
pub(super) struct Scanner {
    loaded: bool,
    jobs: BTreeMap<JobId, Work>,
    /// Listings that have not been answered.
    listings: usize,
    found: BTreeMap<FileId, Stat>,
    /// Those that could not be listed, and whether there is nothing to be listed.
    unlisted: Vec<(FileId, bool)>,
    left_out: usize,
    queue: VecDeque<(FileId, Stat, u8)>,
    digesting: BTreeMap<FileId, Digesting>,
    /// Bytes digested that the saved cache does not know of.
    unsaved: u64,
    saving: bool,
    /// The cache differs from what is saved, if only by files that are gone.
    dirty: bool,
    told: bool,
}

impl Scanner {
    fn is_listing(&self) -> bool {
        self.listings > 0 || self.jobs.values().any(|work| matches!(work, Work::Load))
    }
}

/// The slices of a file of this size: one at least.
fn slice_count(size: u64) -> u64 {
    size.div_ceil(slice_len(size)).max(1)
}

impl Library {
    /// Looks through the watched folders, unless that is under way.
    pub fn scan<M: Machine>(&mut self, cx: &mut Cx<'_, M>) {
        if self.scanner.is_listing() {
            return;
        }
        self.scanner.told = false;
        let cache = self.config.state.as_ref().and_then(cache::cache_file);
        match cache.filter(|_| !self.scanner.loaded) {
            Some(file) => {
                let job = cx.run(Job::Load { file, limit: cache::FILE_MAX });
                self.scanner.jobs.insert(job, Work::Load);
            }
            None => self.list(cx),
        }
    }

    /// The tree of a content cannot be read: its files are digested once more, and not shared until then.
    pub(crate) fn digest_again<M: Machine>(&mut self, sha1: &Sha1Hash, cx: &mut Cx<'_, M>) {
        let numbers = self.by_sha1.get(sha1).cloned().unwrap_or_default();
        for number in numbers {
            let Some(shared) = self.files.get(&number) else { continue };
            let (file, stat) = (shared.file.clone(), Stat { len: shared.size, modified: shared.modified });
            self.cache.0.remove(&file);
            self.unshare(&file);
            self.scanner.queue.push_back((file, stat, 0));
            self.scanner.told = false;
        }
        self.go_on(&mut Vec::new(), cx);
    }

    /// Whether this job is one of the library's.
    #[must_use]
    pub fn owns(&self, job: JobId) -> bool {
        self.scanner.jobs.contains_key(&job)
    }

    /// Whether it is looking through folders or digesting.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.scanner.is_listing() || !self.scanner.queue.is_empty() || !self.scanner.digesting.is_empty()
    }

    /// Takes the answer of one of its jobs.
    pub fn job<M: Machine>(&mut self, job: JobId, done: JobDone, cx: &mut Cx<'_, M>) -> Vec<News> {
        let mut news = Vec::new();
        match (self.scanner.jobs.remove(&job), done) {
            (Some(Work::Load), done) => {
                self.scanner.loaded = true;
                // No cache, or none that can be read, is an empty one.
                if let JobDone::Read(Ok(text)) = done {
                    self.cache = Cache::from_text(&text);
                }
                self.list(cx);
            }
            (Some(Work::List(file)), JobDone::List(Err(IoError::NotAFile))) => {
                let job = cx.run(Job::Stat { file: file.clone() });
                self.scanner.jobs.insert(job, Work::Single(file));
            }
            (Some(Work::List(folder)), JobDone::List(entries)) => self.listed(folder, entries, &mut news, cx),
            (Some(Work::Single(file)), JobDone::Stat(stat)) => self.looked_for(file, stat, &mut news, cx),
            (Some(Work::List(folder) | Work::Single(folder)), _) => {
                self.listed(folder, Err(IoError::Unsupported), &mut news, cx);
            }
            (Some(Work::Sha1(file)), JobDone::Digest(digest)) => {
                let digest = digest.and_then(|digest| exact(digest).map(Sha1Hash));
                self.digested(&file, |of| digest.map(|sha1| of.sha1 = Some(sha1)), cx);
            }
            (Some(Work::Slice(file)), JobDone::Digest(digest)) => {
                let digest = digest.and_then(|digest| exact(digest).map(Tth));
                self.digested(&file, |of| digest.map(|root| of.slices.push(root)), cx);
            }
            (Some(Work::Sha1(file) | Work::Slice(file)), _) => {
                self.digested(&file, |_| Err(IoError::Unsupported), cx);
            }
            (Some(Work::Look(file)), JobDone::Stat(stat)) => self.looked_at(file, stat, &mut news, cx),
            (Some(Work::Look(file)), _) => self.looked_at(file, Err(IoError::Unsupported), &mut news, cx),
            // A tree that is not on the disk is not served, and that is all.
            (Some(Work::Tree) | None, _) => {}
            (Some(Work::Save), done) => {
                self.scanner.saving = false;
                if let JobDone::Done(Err(why)) = done {
                    news.push(News::Unsaved(why));
                }
            }
        }
        self.go_on(&mut news, cx);
        news
    }

    fn list<M: Machine>(&mut self, cx: &mut Cx<'_, M>) {
        self.scanner.found.clear();
        self.scanner.unlisted.clear();
        self.scanner.left_out = 0;
        self.scanner.listings = self.config.folders.len();
        for folder in self.config.folders.clone() {
            self.list_one(folder, cx);
        }
        if self.config.folders.is_empty() {
            self.compare();
        }
    }

    fn list_one<M: Machine>(&mut self, folder: FileId, cx: &mut Cx<'_, M>) {
        // More than are shared, so that it can be told.
        let limit = self.config.files_max.saturating_mul(2);
        let job = cx.run(Job::List { dir: folder.clone(), limit });
        self.scanner.jobs.insert(job, Work::List(folder));
    }

    /// Shares a file, or a folder's files, from here on.
    pub(crate) fn add<M: Machine>(&mut self, folder: FileId, cx: &mut Cx<'_, M>) {
        if self.config.folders.contains(&folder) {
            return self.scan(cx);
        }
        self.config.folders.push(folder.clone());
        if self.scanner.listings == 0 {
            // What is about to list lists this too.
            return self.scan(cx);
        }
        self.scanner.told = false;
        self.scanner.listings += 1;
        self.list_one(folder, cx);
    }

    /// Shares a file or a folder's files no more; whether they were shared.
    pub(crate) fn leave(&mut self, folder: &FileId) -> bool {
        let Some(at) = self.config.folders.iter().position(|is| is == folder) else { return false };
        self.config.folders.remove(at);
        let others = self.config.folders.clone();
        let is_gone = |file: &FileId| covers(folder, file) && !others.iter().any(|other| covers(other, file));
        let gone: Vec<FileId> = self.by_path.keys().filter(|file| is_gone(file)).cloned().collect();
        gone.iter().for_each(|file| self.unshare(file));
        self.scanner.queue.retain(|(file, ..)| !is_gone(file));
        self.scanner.found.retain(|file, _| !is_gone(file));
        true
    }

    /// Whether all of a file or folder was looked at and digested that can be.
    pub(crate) fn is_settled(&self, folder: &FileId) -> bool {
        let waits = |file: &FileId| covers(folder, file);
        !self.scanner.is_listing()
            && !self.scanner.digesting.keys().any(waits)
            && !self.scanner.queue.iter().any(|(file, ..)| waits(file))
    }

    fn looked_for<M: Machine>(
        &mut self,
        file: FileId,
        stat: Result<Option<Stat>, IoError>,
        news: &mut Vec<News>,
        cx: &mut Cx<'_, M>,
    ) {
        let stat = match stat.and_then(|stat| stat.ok_or(IoError::NotFound)) {
            Ok(stat) => stat,
            Err(why) => return self.listed(file, Err(why), news, cx),
        };
        if self.scanner.found.len() < self.config.files_max as usize {
            self.scanner.found.insert(file.clone(), stat);
        } else {
            self.scanner.left_out += 1;
        }
        self.listed(file, Ok(Vec::new()), news, cx);
    }

    fn listed<M: Machine>(
        &mut self,
        folder: FileId,
        entries: Result<Vec<Entry>, IoError>,
        news: &mut Vec<News>,
        cx: &mut Cx<'_, M>,
    ) {
        match entries {
            // It was shared when it was asked for, and is not any more.
            _ if !self.config.folders.contains(&folder) => {
                self.scanner.found.retain(|file, _| *file != folder);
            }
            Ok(entries) => {
                let shown = entries.into_iter().filter(is_shown);
                for entry in shown {
                    let path =
                        RelPath::local(entry.path.split('/')).and_then(|path| folder.path().join(&path));
                    let Ok(path) = path else { continue };
                    if self.scanner.found.len() >= self.config.files_max as usize {
                        self.scanner.left_out += 1;
                        continue;
                    }
                    self.scanner.found.insert(FileId::new(folder.root(), path), entry.stat);
                }
            }
            Err(why) => {
                news.push(News::Unreadable { file: folder.clone(), why });
                self.scanner.unlisted.push((folder, why == IoError::NotFound));
            }
        }
        self.scanner.listings = self.scanner.listings.saturating_sub(1);
        if self.scanner.listings == 0 {
            self.compare();
            self.go_on(news, cx);
        }
    }

    /// What is there is compared with what is shared and with what is known.
    fn compare(&mut self) {
        let found = core::mem::take(&mut self.scanner.found);
        let unlisted = core::mem::take(&mut self.scanner.unlisted);
        let is_unlisted = |file: &FileId| unlisted.iter().any(|(folder, _)| covers(folder, file));
        // What lies in a folder that is not there is not there, though its digests may be of use again.
        let is_unknown =
            |file: &FileId| unlisted.iter().any(|(folder, is_gone)| !is_gone && covers(folder, file));
        let gone: Vec<FileId> = self
            .by_path
            .keys()
            .filter(|file| !found.contains_key(file) && !is_unknown(file))
            .cloned()
            .collect();
        gone.iter().for_each(|file| self.unshare(file));
        let before = self.cache.0.len();
        self.cache.0.retain(|file, _| found.contains_key(file) || is_unlisted(file));
        self.scanner.dirty |= self.cache.0.len() != before;
        for (file, stat) in found {
            let shared = self.by_path.get(&file).and_then(|number| self.files.get(number));
            if shared.is_some_and(|shared| shared.size == stat.len && shared.modified == stat.modified) {
                continue;
            }
            let underway = self.scanner.digesting.get(&file).is_some_and(|of| of.stat == stat);
            let waits = self.scanner.queue.iter().any(|(is, of, _)| *is == file && *of == stat);
            if underway || waits {
                continue;
            }
            // Without its tree a file that is known by its digests cannot be served to those who check it.
            let known = self.cache.of(&file, &stat).copied().filter(|_| self.config.state.is_some());
            match known {
                Some(known) => self.share(file, stat.len, stat.modified, known.sha1, known.tth),
                None => {
                    self.unshare(&file);
                    self.scanner.queue.push_back((file, stat, 0));
                }
            }
        }
    }

    /// Begins to digest as many files as may be, saves, and tells when nothing is left to do.
    fn go_on<M: Machine>(&mut self, news: &mut Vec<News>, cx: &mut Cx<'_, M>) {
        while self.scanner.digesting.len() < self.config.digesting_max.max(1) {
            let Some((file, stat, changes)) = self.scanner.queue.pop_front() else { break };
            if self.scanner.digesting.contains_key(&file) {
                continue;
            }
            let spans = Vec::from([Span { file: file.clone(), offset: 0, len: stat.len }]);
            let job = cx.run(Job::DigestSpans { kind: DigestKind::Sha1, spans });
            self.scanner.jobs.insert(job, Work::Sha1(file.clone()));
            let digesting =
                Digesting { stat, changes, sha1: None, slices: Vec::new(), jobs: 1, failed: None };
            self.scanner.digesting.insert(file.clone(), digesting);
            self.next_slice(&file, cx);
        }
        let idle = !self.is_busy();
        if self.scanner.unsaved >= self.config.save_after || idle && self.scanner.dirty {
            self.save(cx);
        }
        if idle && !core::mem::replace(&mut self.scanner.told, true) {
            news.push(News::Ready {
                files: self.len(),
                bytes: self.total(),
                left_out: self.scanner.left_out,
            });
        }
    }

    fn next_slice<M: Machine>(&mut self, file: &FileId, cx: &mut Cx<'_, M>) {
        let Some(of) = self.scanner.digesting.get_mut(file) else { return };
        let (size, at) = (of.stat.len, of.slices.len() as u64);
        if of.failed.is_some() || at >= slice_count(size) {
            return;
        }
        let offset = at * slice_len(size);
        let len = slice_len(size).min(size - offset);
        of.jobs += 1;
        let spans = Vec::from([Span { file: file.clone(), offset, len }]);
        let job = cx.run(Job::DigestSpans { kind: DigestKind::TigerTree, spans });
        self.scanner.jobs.insert(job, Work::Slice(file.clone()));
    }

    fn digested<M: Machine>(
        &mut self,
        file: &FileId,
        take: impl FnOnce(&mut Digesting) -> Result<(), IoError>,
        cx: &mut Cx<'_, M>,
    ) {
        let Some(of) = self.scanner.digesting.get_mut(file) else { return };
        of.jobs = of.jobs.saturating_sub(1);
        let sliced = of.slices.len();
        let taken = take(of);
        of.failed = of.failed.or_else(|| taken.err());
        if of.slices.len() > sliced {
            self.next_slice(file, cx);
        }
        let Some(of) = self.scanner.digesting.get(file) else { return };
        if of.jobs == 0 {
            // It may have changed meanwhile.
            let job = cx.run(Job::Stat { file: file.clone() });
            self.scanner.jobs.insert(job, Work::Look(file.clone()));
        }
    }

    /// All of a file is digested: it is shared if it is still the same.
    fn looked_at<M: Machine>(
        &mut self,
        file: FileId,
        stat: Result<Option<Stat>, IoError>,
        news: &mut Vec<News>,
        cx: &mut Cx<'_, M>,
    ) {
        let Some(of) = self.scanner.digesting.remove(&file) else { return };
        if !self.config.folders.iter().any(|folder| covers(folder, &file)) {
            // It was shared when that began, and is not any more.
            return;
        }
        match stat {
            Err(why) => return news.push(News::Unreadable { file, why }),
            // Gone.
            Ok(None) => return,
            Ok(Some(stat)) if stat != of.stat => {
                if of.changes < CHANGES_MAX {
                    self.scanner.queue.push_back((file, stat, of.changes + 1));
                }
                return;
            }
            Ok(Some(_)) => {}
        }
        if let Some(why) = of.failed {
            return news.push(News::Unreadable { file, why });
        }
        let (Some(sha1), Some((tth, list))) = (of.sha1, list_of(of.stat.len, of.slices)) else { return };
        match self.config.state.as_ref().and_then(|state| cache::tree_file(state, &sha1)) {
            Some(place) => {
                let job = cx.run(Job::Replace { file: place, data: list.into() });
                self.scanner.jobs.insert(job, Work::Tree);
            }
            None => {
                self.trees.insert(sha1, Box::from(list));
            }
        }
        self.cache.0.insert(file.clone(), Known { stat: of.stat, sha1, tth });
        self.scanner.unsaved += of.stat.len;
        self.scanner.dirty = true;
        self.share(file, of.stat.len, of.stat.modified, sha1, tth);
    }

    fn save<M: Machine>(&mut self, cx: &mut Cx<'_, M>) {
        let Some(file) = self.config.state.as_ref().and_then(cache::cache_file) else { return };
        if core::mem::replace(&mut self.scanner.saving, true) {
            return;
        }
        (self.scanner.unsaved, self.scanner.dirty) = (0, false);
        let job = cx.run(Job::Replace { file, data: self.cache.to_text().into() });
        self.scanner.jobs.insert(job, Work::Save);
    }
}

/// Whether a file is shared at all: hidden ones are not, nor what lies in hidden folders, nor empty ones.
fn is_shown(entry: &Entry) -> bool {
    entry.stat.len > 0 && entry.path.split('/').all(|part| !part.starts_with('.'))
}

/// Whether a file is what is shared, or in it.
fn covers(shared: &FileId, file: &FileId) -> bool {
    shared == file || is_below(shared, file)
}

fn is_below(folder: &FileId, file: &FileId) -> bool {
    let below = file.path().as_str().strip_prefix(folder.path().as_str());
    folder.root() == file.root() && below.is_some_and(|rest| rest.starts_with('/'))
}

fn exact<const N: usize>(digest: Digest) -> Result<[u8; N], IoError> {
    digest.as_ref().try_into().map_err(|_| IoError::Unsupported)
}
