//! [`Download`]: a file that is fetched.
//!
//! ```text
//!  looking ── fetching ── checking ──┬─ finishing ──┬─ reading ── done
//!  (what is    ▲    ▲     (SHA-1)    ▼              └─ done
//!   here)      │    └──────────── rechecking (slices)
//!              └─ draining ◄── all of it is of another file, or its tree lied
//! ```

use super::event::{Error, Progress, SourceError, Wanted};
use super::files::{Run, Step};
use super::kept::Kept;
use super::reading::Reader;
use super::serve::Content;
use super::slices::{Giver, PLAIN_LEN, Slices};
use super::source::{Source, Stage};
use super::{Context, Event, Stream, Timer, Transfers, Work};
use crate::thex::TigerTree;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use data_encoding::BASE32_NOPAD;
use p2p_core::hash::{Sha1Hash, Tth};
use p2p_core::{FileId, Instant, Job, OpId, RelPath};

/// How often a file is begun anew before it is given up.
const LIVES: u32 = 16;
/// Holders that proved to be none, remembered to be told.
const BAD_MAX: usize = 16;

/// What is done with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// What is here of it?
    Looking,
    Fetching,
    /// The whole is digested.
    Checking,
    /// Slices are digested once more, from this one on; how many were bad.
    Rechecking(usize, usize),
    /// It is begun anew once all jobs are answered.
    Draining,
    /// It is brought to its place, at this try of a name.
    Finishing(u32),
    /// It is in its place, and read from there.
    Reading(FileId),
    /// What is here is kept, and then it ends.
    Ending(Error),
}

/// A file that is fetched.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) op: OpId,
    pub(super) sha1: Sha1Hash,
    /// What its holder calls it, if it is asked for by number and name: its digest is not known.
    pub(super) numbered: Option<Bytes>,
    /// What the holder of such a file says that its digest is.
    pub(super) told: Option<Sha1Hash>,
    pub(super) size: Option<u64>,
    /// Whoever asked knows the size; else a source told it.
    size_given: bool,
    pub(super) tth: Option<Tth>,
    /// Whoever asked knows the root; else a source told it.
    pub(super) tth_given: bool,
    pub(super) tree: Option<TigerTree>,
    /// Who gave root and tree.
    pub(super) tree_from: Option<Giver>,
    /// Somebody else gave what agrees with the tree.
    pub(super) tree_proved: bool,
    /// There is no tree to be had.
    pub(super) plain: bool,
    pub(super) slices: Option<Slices>,
    pub(super) runs: BTreeMap<usize, Run>,
    pub(super) sources: Vec<Source>,
    pub(super) phase: Phase,
    pub(super) target: RelPath,
    pub(super) part: FileId,
    pub(super) kept: FileId,
    /// Jobs under way.
    pub(super) jobs: usize,
    pub(super) unwritten: u64,
    /// Its sources are not read for now.
    pub(super) held: bool,
    pub(super) contributors: BTreeSet<Giver>,
    /// One source at a time, so that it is known who lies.
    pub(super) alone: bool,
    lives: u32,
    pub(super) report_at: Instant,
    pub(super) search_at: Instant,
    pub(super) saved_good: u64,
    pub(super) saving: bool,
    pub(super) bad: Vec<SocketAddr>,
    /// Who reads what came.
    pub(super) reader: Option<Reader>,
    /// Some of it was here before, and is not verified again until it is whole.
    pub(super) resumed: bool,
}

impl Download {
    pub(super) const fn unwritten(&self) -> u64 {
        self.unwritten
    }

    pub(super) fn source(&mut self, giver: Giver) -> Option<&mut Source> {
        self.sources.get_mut(giver as usize)
    }

    pub(super) fn have(&self) -> u64 {
        self.slices.as_ref().map_or(0, Slices::good_bytes)
    }

    /// Whether the tree is believed.
    pub(super) const fn tree_believed(&self) -> bool {
        self.tree.is_some() && (self.tth_given || self.tree_proved)
    }

    /// What of it can be given to others: slices that agree with the tree, of which there may be none yet. If nobody proved
    /// the tree, those who take them find out with the same digest as we do.
    pub(super) fn partial(&self) -> Option<Content> {
        let slices = self.slices.as_ref()?;
        let giveable = self.tree.is_some() && self.phase == Phase::Fetching;
        let name = String::from(self.target.parts().next_back().unwrap_or_default());
        Some(Content {
            file: self.part.clone(),
            sha1: self.sha1,
            tth: self.tth.filter(|_| giveable),
            size: slices.size(),
            name,
            available: Some(if giveable { slices.good_ranges() } else { Vec::new() }),
        })
    }

    pub(super) fn progress(&self) -> Progress {
        let is =
            |wanted: fn(&Stage) -> bool| self.sources.iter().filter(|source| wanted(&source.stage)).count();
        Progress {
            have: self.have(),
            size: self.size,
            sources: self.sources.iter().filter(|source| !source.is_lost()).count(),
            giving: is(|stage| matches!(stage, Stage::Connected(_))),
            queued: is(|stage| matches!(stage, Stage::Queued(..))),
            has_tree: self.tree.is_some(),
        }
    }

    /// What is kept to go on from.
    pub(super) fn to_kept(&self) -> Option<Kept> {
        let slices = self.slices.as_ref()?;
        let mut good = alloc::vec![0; slices.count().div_ceil(8)];
        for slice in (0..slices.count()).filter(|slice| slices.is_good(*slice)) {
            good[slice / 8] |= 0x80u8 >> (slice % 8);
        }
        let tree = self.tree.as_ref().map(|tree| (tree.root(), tree.to_list()));
        let sources = self.sources.iter().filter(|source| !source.is_lost());
        Some(Kept {
            sha1: self.sha1,
            size: slices.size(),
            tree,
            slice_len: slices.slice_len(),
            good,
            sources: sources.map(|source| source.at.clone()).collect(),
        })
    }
}

/// What a file of a stranger's name is called here: its last part, made safe, never hidden.
fn target(name: &str, sha1: &Sha1Hash) -> RelPath {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = match last.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => last.into(),
    };
    let nameless = || BASE32_NOPAD.encode(&sha1.0);
    let of = |name: &str| RelPath::sanitised([name.as_bytes()]);
    match of(&shown).or_else(|_| of(&nameless())) {
        Ok(path) => path,
        Err(_) => unreachable!("a digest in base32 is a name"),
    }
}

impl Transfers {
    pub(super) fn fetch(&mut self, op: OpId, wanted: Wanted, reader: Option<Reader>, cx: &mut Context<'_>) {
        if self.by_sha1.contains_key(&wanted.sha1) {
            return cx.finish(op, Err(Error::Underway));
        }
        if self.downloads.len() >= self.config.limits.downloads {
            return cx.finish(op, Err(Error::TooMany));
        }
        let key = self.next_download;
        self.next_download = self.next_download.wrapping_add(1);
        let target = target(&wanted.name, &wanted.sha1);
        let tag = BASE32_NOPAD.encode(&wanted.sha1.0);
        let beside = |ending: &str| {
            let name = format!(".{tag}.{ending}");
            let path = RelPath::from_parts([name.as_str()]);
            FileId::new(self.config.downloads, path.unwrap_or_else(|_| target.clone()))
        };
        let (part, kept) = (beside("part"), beside("kept"));
        let download = Download {
            op,
            sha1: wanted.sha1,
            plain: wanted.numbered.is_some(),
            numbered: wanted.numbered,
            told: None,
            size: wanted.size,
            size_given: wanted.size.is_some(),
            tth: wanted.tth,
            tth_given: wanted.tth.is_some(),
            tree: None,
            tree_from: None,
            tree_proved: false,
            slices: None,
            runs: BTreeMap::new(),
            sources: Vec::new(),
            phase: Phase::Looking,
            target,
            part,
            kept: kept.clone(),
            jobs: 0,
            unwritten: 0,
            held: false,
            contributors: BTreeSet::new(),
            alone: false,
            lives: 0,
            report_at: cx.now(),
            search_at: cx.now(),
            saved_good: 0,
            saving: false,
            bad: Vec::new(),
            reader,
            resumed: false,
        };
        self.downloads.insert(key, download);
        self.by_sha1.insert(wanted.sha1, key);
        wanted.sources.into_iter().for_each(|source| self.add_source(key, source, cx));
        let known: Vec<SocketAddr> =
            self.mesh.tell(&wanted.sha1, core::net::Ipv4Addr::UNSPECIFIED.into(), 16, self.ipv6);
        known.into_iter().for_each(|addr| self.add_source(key, super::Locator::at(addr), cx));
        self.run(key, Step::Kept, Job::Load { file: kept, limit: super::kept::FILE_MAX }, cx);
    }

    /// Runs a job of a download.
    pub(super) fn run(&mut self, key: u32, step: Step, job: Job, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        download.jobs += 1;
        let job = cx.run(job);
        self.jobs.insert(job, Work::Download(key, step));
    }

    pub(super) fn cancel(&mut self, op: OpId, cx: &mut Context<'_>) {
        let key = self.downloads.iter().find(|(_, download)| download.op == op).map(|(key, _)| *key);
        if let Some(key) = key {
            return self.put_aside(key, Error::Cancelled, cx);
        }
        if let Some(at) = self.sharing.iter().position(|(is, _)| *is == op) {
            self.sharing.remove(at);
            return cx.finish(op, Err(Error::Cancelled));
        }
        let browsing = self.streams.iter().find_map(|(conn, stream)| match stream {
            Stream::Browse(listing) if listing.op() == op => Some(*conn),
            _ => None,
        });
        if let Some(conn) = browsing {
            self.drop_stream(conn, true, cx);
            cx.finish(op, Err(Error::Cancelled));
        }
    }

    /// Ends a download, with what is here of it kept.
    pub(super) fn put_aside(&mut self, key: u32, why: Error, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if matches!(download.phase, Phase::Reading(_)) {
            return self.end(key, Err(why), cx);
        }
        // What is being brought to its place gets there; what ends already ends.
        if matches!(download.phase, Phase::Ending(_) | Phase::Finishing(_)) {
            return;
        }
        download.phase = Phase::Ending(why);
        self.drop_givers(key, cx);
        self.save(key, cx);
        self.check_ended(key, cx);
    }

    pub(super) fn check_ended(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        if let Phase::Ending(why) = &download.phase
            && download.jobs == 0
        {
            let why = why.clone();
            self.end(key, Err(why), cx);
        }
    }

    pub(super) fn end(&mut self, key: u32, result: Result<(), Error>, cx: &mut Context<'_>) {
        self.drop_givers(key, cx);
        let Some(download) = self.downloads.remove(&key) else { return };
        self.by_sha1.remove(&download.sha1);
        cx.clear_timer(Timer::Download(key));
        cx.finish(download.op, result);
    }

    /// Closes the streams of all sources.
    pub(super) fn drop_givers(&mut self, key: u32, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let mut conns = Vec::new();
        for (giver, source) in download.sources.iter_mut().enumerate() {
            conns.extend(source.conn());
            if !source.is_lost() {
                source.stage = Stage::Resting(now);
            }
            if let Some(slices) = &mut download.slices {
                slices.release(giver as Giver);
            }
        }
        for conn in conns {
            self.drop_stream(conn, true, cx);
        }
        let proxies: Vec<_> = self
            .streams
            .iter()
            .filter(|(_, stream)| matches!(stream, Stream::Proxy(proxy) if proxy.key == key))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in proxies {
            self.drop_stream(conn, true, cx);
        }
    }

    /// All that came is of no use: it is begun anew, once nothing of it is under way.
    pub(super) fn begin_anew(&mut self, key: u32, cx: &mut Context<'_>) {
        self.drop_givers(key, cx);
        let Some(download) = self.downloads.get_mut(&key) else { return };
        download.lives += 1;
        if download.lives > LIVES {
            return self.put_aside(key, Error::Wrong, cx);
        }
        download.phase = Phase::Draining;
        self.check_drained(key, cx);
    }

    pub(super) fn check_drained(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if download.phase != Phase::Draining || download.jobs > 0 {
            return;
        }
        download.slices = None;
        download.runs.clear();
        download.unwritten = 0;
        download.held = false;
        download.tree = None;
        download.tree_from = None;
        download.tree_proved = false;
        download.plain = download.numbered.is_some();
        download.told = None;
        download.saved_good = 0;
        download.contributors.clear();
        if !download.tth_given {
            download.tth = None;
        }
        if !download.size_given {
            download.size = None;
        }
        for source in &mut download.sources {
            source.good = 0;
            source.strikes = 0;
            source.gave_tree = false;
            source.available = None;
        }
        download.phase = Phase::Fetching;
        self.tend(key, cx);
    }

    /// A source is of no use any more.
    pub(super) fn lose(&mut self, key: u32, giver: Giver, why: SourceError, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let sha1 = download.sha1;
        let Some(source) = download.source(giver).filter(|source| !source.is_lost()) else { return };
        let (conn, at) = (source.conn(), source.at.clone());
        source.stage = Stage::Lost;
        if let Some(addr) = at.addr {
            download.bad.retain(|bad| *bad != addr);
            download.bad.push(addr);
            if download.bad.len() > BAD_MAX {
                download.bad.remove(0);
            }
        }
        if let Some(slices) = &mut download.slices {
            slices.release(giver);
        }
        if let Some(conn) = conn {
            self.drop_stream(conn, true, cx);
        }
        if let Some(addr) = at.addr {
            self.mesh.remove(&sha1, addr);
            if matches!(why, SourceError::Lied | SourceError::Tree | SourceError::Connection(_)) {
                self.ask_overlay(super::Ask::Bad(addr));
            }
        }
        cx.tell(Event::SourceLost { sha1, source: at, why });
        let ends =
            |download: &Download| download.numbered.is_some() && download.sources.iter().all(Source::is_lost);
        if self.downloads.get(&key).is_some_and(ends) {
            self.put_aside(key, Error::NotGiven, cx);
        }
    }

    /// The slices of a file of which all that is needed is known.
    pub(super) fn lay_out(&mut self, key: u32) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let Some(size) = download.size.filter(|_| download.slices.is_none()) else { return };
        let len = match &download.tree {
            Some(tree) => tree.slice_len(),
            // At most 65,536 slices, 2.6 MB here, of a file that is said to be huge.
            None => PLAIN_LEN.max(size.div_ceil(1 << 16).next_multiple_of(PLAIN_LEN)),
        };
        download.slices = Some(Slices::new(size, len));
    }
}
