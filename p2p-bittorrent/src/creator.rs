//! Makes torrents of what is on the disk: [`Creator`], a machine of its own.
//!
//! ```text
//!  Create ── list the folder ─┬─ a folder ─────────────────┐
//!                             └─ none ── stat the file ────┴─ plan ── digest pieces, a few at a time ── Created
//! ```
//!
//! The content never passes through the machine: its driver reads every byte once, on as many threads as it has.

use crate::metainfo::{Builder, CreateError, Details};
use crate::resume;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::convert::Infallible;
use p2p_core::hash::Sha1Hash;
use p2p_core::path::PathError;
use p2p_core::{
    Cx, Digest, DigestKind, Duration, Entry, FileId, Input, Instant, IoError, Job, JobDone, JobId, Machine,
    OpId, OpInput, RelPath, Root, Span, Stat,
};

/// How a [`Creator`] behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Digests under way for one torrent. Twice the threads of a usual driver, so that none waits for the machine.
    pub jobs: usize,
    /// How often an operation is told its progress.
    pub report_every: Duration,
    /// The most files of one torrent. 1,000,000: past what any client loads.
    pub files: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { jobs: 8, report_every: Duration::from_millis(100), files: 1_000_000 }
    }
}

/// What is to be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Create {
    /// The root that the file or folder is in.
    pub root: Root,
    /// The name of the file or folder below the root: the torrent's name, too.
    pub name: String,
    /// Bytes in a piece; chosen by the size of the content if `None`.
    pub piece_len: Option<u32>,
    /// Trackers and whatever else is not content. Without a date the torrent is made the same bytes each time.
    pub details: Details,
    /// Whether the torrent says when it was made.
    pub dated: bool,
}

impl Create {
    /// A public torrent of what has this name in the first root, with no trackers and no date.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { root: Root(0), name: name.into(), piece_len: None, details: Details::default(), dated: false }
    }

    /// The same, with these details.
    #[must_use]
    pub fn with(self, details: Details) -> Self {
        Self { details, ..self }
    }
}

/// What a [`Creator`] answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// How far it is, at most every [`Config::report_every`].
    Progress {
        /// Pieces digested.
        digested: u32,
        /// Pieces in all.
        pieces: u32,
        /// Bytes of a piece (the last one may be shorter).
        piece_len: u32,
    },
    /// The torrent file.
    Created(Bytes),
}

/// Why a torrent was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What is to be made has no usable name.
    #[error("name: {0}")]
    Name(#[from] PathError),
    /// The content cannot be a torrent.
    #[error(transparent)]
    Content(#[from] CreateError),
    /// The disk failed, or a file was cut short meanwhile.
    #[error("reading {path}: {why}")]
    Disk {
        /// The path below the root.
        path: String,
        /// The reason.
        why: IoError,
    },
    /// The machine stopped, or nobody waits any more.
    #[error("stopped")]
    Stopped,
}

/// A machine that makes torrents of files and folders. It uses no network and no timer.
#[derive(Debug, Default)]
pub struct Creator {
    config: Config,
    making: BTreeMap<OpId, Making>,
    jobs: BTreeMap<JobId, (OpId, Work)>,
}

#[derive(Debug, Clone, Copy)]
enum Work {
    List,
    Stat,
    Piece(u32),
}

/// A torrent in the making.
#[derive(Debug)]
struct Making {
    wanted: Create,
    at: FileId,
    plan: Option<Box<Builder>>,
    /// The next piece to digest, and how many are digested.
    next: u32,
    digested: u32,
    under_way: usize,
    told: Instant,
    reader_full: bool,
}

impl Creator {
    /// A creator that has nothing to do yet.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self { config, making: BTreeMap::new(), jobs: BTreeMap::new() }
    }

    fn create(&mut self, op: OpId, wanted: Create, cx: &mut Cx<'_, Self>) {
        let path = match RelPath::local([wanted.name.as_str()]) {
            Ok(path) => path,
            Err(error) => return cx.finish(op, Err(error.into())),
        };
        let at = FileId::new(wanted.root, path);
        let job = cx.run(Job::List { dir: at.clone(), limit: self.config.files });
        self.jobs.insert(job, (op, Work::List));
        let making = Making {
            wanted,
            at,
            plan: None,
            next: 0,
            digested: 0,
            under_way: 0,
            told: cx.now(),
            reader_full: false,
        };
        self.making.insert(op, making);
    }

    fn job(&mut self, job: JobId, done: JobDone, cx: &mut Cx<'_, Self>) {
        let Some((op, work)) = self.jobs.remove(&job) else { return };
        let result = match (work, done) {
            (Work::List, JobDone::List(Ok(entries))) => self.listed(op, entries),
            // No folder: a file, then, or nothing.
            (Work::List, JobDone::List(Err(IoError::NotAFile | IoError::NotFound))) => {
                let Some(making) = self.making.get(&op) else { return };
                let job = cx.run(Job::Stat { file: making.at.clone() });
                self.jobs.insert(job, (op, Work::Stat));
                return;
            }
            (Work::List, JobDone::List(Err(why))) => self.disk(op, why),
            (Work::Stat, JobDone::Stat(Ok(Some(stat)))) => self.found(op, stat),
            (Work::Stat, JobDone::Stat(Ok(None))) => self.disk(op, IoError::NotFound),
            (Work::Stat, JobDone::Stat(Err(why))) => self.disk(op, why),
            (Work::Piece(piece), JobDone::Digest(digest)) => self.digested(op, piece, digest),
            // A driver that answers one job as another cannot be worked with.
            _ => self.disk(op, IoError::Unsupported),
        };
        match result {
            Ok(()) => self.go_on(op, cx),
            Err(error) => self.end(op, Err(error), cx),
        }
    }

    fn disk(&self, op: OpId, why: IoError) -> Result<(), Error> {
        let path = self.making.get(&op).map_or_else(String::new, |making| making.wanted.name.clone());
        Err(Error::Disk { path, why })
    }

    fn listed(&mut self, op: OpId, entries: Vec<Entry>) -> Result<(), Error> {
        let Some(making) = self.making.get_mut(&op) else { return Ok(()) };
        let parts = |entry: Entry| (entry.path.split('/').map(String::from).collect(), entry.stat.len);
        // What a client keeps beside the content of a download is no part of it.
        let ours = |entry: &Entry| entry.path.split('/').next() == Some(resume::FOLDER);
        let files = entries.into_iter().filter(|entry| !ours(entry)).map(parts).collect();
        let plan = Builder::folder(&making.wanted.name, files, making.wanted.piece_len)?;
        making.plan = Some(Box::new(plan));
        Ok(())
    }

    fn found(&mut self, op: OpId, stat: Stat) -> Result<(), Error> {
        let Some(making) = self.making.get_mut(&op) else { return Ok(()) };
        making.plan = Some(Box::new(Builder::file(&making.wanted.name, stat.len, making.wanted.piece_len)?));
        Ok(())
    }

    fn digested(&mut self, op: OpId, piece: u32, digest: Result<Digest, IoError>) -> Result<(), Error> {
        let Some(making) = self.making.get_mut(&op) else { return Ok(()) };
        let Some(plan) = &mut making.plan else { return Ok(()) };
        let digest = digest.map_err(|why| {
            let first = plan.piece_spans(piece).next().and_then(|span| plan.files().get(span.file));
            Error::Disk { path: first.map_or_else(String::new, |file| file.path.as_str().into()), why }
        })?;
        let hash = digest.as_ref().try_into().map(Sha1Hash).map_err(|_| CreateError::Unhashed(piece))?;
        plan.set(piece, hash)?;
        making.under_way -= 1;
        making.digested += 1;
        Ok(())
    }

    /// Asks for more digests, tells how far it is, or ends it.
    fn go_on(&mut self, op: OpId, cx: &mut Cx<'_, Self>) {
        let Some(making) = self.making.get_mut(&op) else { return };
        let Some(plan) = &making.plan else { return };
        let (pieces, piece_len) = (plan.pieces().count(), plan.pieces().piece_len());
        while making.next < pieces && making.under_way < self.config.jobs.max(1) {
            let piece = making.next;
            let job = cx.run(Job::DigestSpans {
                kind: DigestKind::Sha1,
                spans: spans(plan, piece, making.wanted.root),
            });
            self.jobs.insert(job, (op, Work::Piece(piece)));
            making.next += 1;
            making.under_way += 1;
        }
        let over = making.digested == pieces;
        if over || (!making.reader_full && cx.now().since(making.told) >= self.config.report_every) {
            making.told = cx.now();
            cx.answer(op, Event::Progress { digested: making.digested, pieces, piece_len });
        }
        if over {
            let mut details = core::mem::take(&mut making.wanted.details);
            if making.wanted.dated {
                details.creation_date = Some(cx.unix_now());
            }
            let result = plan.finish(&details).map(|file| cx.answer(op, Event::Created(file.into())));
            self.end(op, result.map_err(Error::from), cx);
        }
    }

    fn end(&mut self, op: OpId, result: Result<(), Error>, cx: &mut Cx<'_, Self>) {
        // Answers of jobs still under way find nothing to belong to.
        if self.making.remove(&op).is_some() {
            cx.finish(op, result);
        }
    }
}

fn spans(plan: &Builder, piece: u32, root: Root) -> Vec<Span> {
    plan.piece_spans(piece)
        .filter_map(|span| {
            let file = FileId::new(root, plan.files().get(span.file)?.path.clone());
            Some(Span { file, offset: span.offset, len: span.len })
        })
        .collect()
}

impl Machine for Creator {
    type Command = Create;
    type Event = Event;
    type Error = Error;
    /// It has none.
    type Timer = Infallible;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Op(op, OpInput::Ask(wanted)) => self.create(op, wanted, cx),
            Input::Op(op, OpInput::Full) => self.reader(op, true),
            Input::Op(op, OpInput::Ready) => self.reader(op, false),
            Input::Op(op, OpInput::Cancel) => self.end(op, Err(Error::Stopped), cx),
            Input::Job(job, done) => self.job(job, done, cx),
            Input::Stop => {
                for op in core::mem::take(&mut self.making).into_keys() {
                    cx.finish(op, Err(Error::Stopped));
                }
                cx.halt();
            }
            Input::Timer(never) => match never {},
            // It asked for no sockets.
            Input::Start
            | Input::Stream(..)
            | Input::Listener(..)
            | Input::Bound(..)
            | Input::Datagram(..)
            | Input::Resolved(..) => {}
        }
    }
}

impl Creator {
    fn reader(&mut self, op: OpId, full: bool) {
        if let Some(making) = self.making.get_mut(&op) {
            making.reader_full = full;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::{Limits, Metainfo};
    use alloc::collections::VecDeque;
    use alloc::string::ToString;
    use alloc::vec;
    use p2p_core::hash::{Hasher, Sha1};
    use p2p_core::{Effect, Rng, Source, UnixTime};

    /// A driver whose disk is a map, and which answers the youngest job first.
    struct Bench {
        creator: Creator,
        source: Source,
        disk: BTreeMap<&'static str, Vec<u8>>,
        jobs: VecDeque<(JobId, Job)>,
        answers: Vec<Event>,
        ends: Vec<Result<(), Error>>,
        most: usize,
        read: u64,
    }

    impl Bench {
        fn new(disk: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Self {
            Self {
                creator: Creator::new(Config { jobs: 3, report_every: Duration::ZERO, ..Config::default() }),
                source: Source::new(Rng::fast_from(1)),
                disk: disk.into_iter().collect(),
                jobs: VecDeque::new(),
                answers: Vec::new(),
                ends: Vec::new(),
                most: 0,
                read: 0,
            }
        }

        fn input(&mut self, input: Input<Creator>) {
            let mut effects = Vec::new();
            let civil = UnixTime::from_secs(1_000);
            self.creator.handle(input, &mut Cx::new(Instant::ZERO, civil, &mut self.source, &mut effects));
            for effect in effects {
                match effect {
                    Effect::Run(id, job) => self.jobs.push_back((id, job)),
                    Effect::Event(Some(_), event) => self.answers.push(event),
                    Effect::Finish(_, result) => self.ends.push(result),
                    Effect::Halt => {}
                    other => panic!("{other:?}"),
                }
            }
            self.most = self.most.max(self.jobs.len());
        }

        fn ask(&mut self, wanted: Create) {
            self.input(Input::Op(OpId::from_raw(1), OpInput::Ask(wanted)));
        }

        fn step(&mut self) -> bool {
            let Some((id, job)) = self.jobs.pop_back() else { return false };
            let done = self.answer(job);
            self.input(Input::Job(id, done));
            true
        }

        fn answer(&mut self, job: Job) -> JobDone {
            let stat = |bytes: &Vec<u8>| Stat { len: bytes.len() as u64, modified: UnixTime::default() };
            match job {
                Job::List { dir, .. } => {
                    let folder = alloc::format!("{}/", dir.path().as_str());
                    let below = self.disk.iter().filter_map(|(path, bytes)| {
                        Some(Entry {
                            path: path.strip_prefix(folder.as_str())?.to_string(),
                            stat: stat(bytes),
                        })
                    });
                    let entries: Vec<_> = below.collect();
                    JobDone::List(if entries.is_empty() { Err(IoError::NotAFile) } else { Ok(entries) })
                }
                Job::Stat { file } => JobDone::Stat(Ok(self.disk.get(file.path().as_str()).map(stat))),
                Job::DigestSpans { kind: DigestKind::Sha1, spans } => {
                    let mut digester = p2p_core::Digester::new(DigestKind::Sha1);
                    for span in spans {
                        let bytes = &self.disk[span.file.path().as_str()];
                        let Some(run) = bytes.get(span.offset as usize..(span.offset + span.len) as usize)
                        else {
                            return JobDone::Digest(Err(IoError::Short));
                        };
                        self.read += span.len;
                        digester.update(run);
                    }
                    JobDone::Digest(Ok(digester.finish()))
                }
                other => panic!("{other:?}"),
            }
        }

        fn torrent(&self) -> Metainfo {
            let Some(Event::Created(file)) = self.answers.last() else { panic!("{:?}", self.answers) };
            Metainfo::parse(file, &Limits::default()).unwrap()
        }
    }

    fn filled(len: usize, with: u8) -> Vec<u8> {
        (0..len).map(|i| (i as u8).wrapping_mul(31) ^ with).collect()
    }

    #[test]
    fn a_folder_read_once_with_few_jobs_at_a_time() {
        let (a, c) = (filled(100_000, 1), filled(70_000, 2));
        let mut bench = Bench::new([
            ("d/.p2p-resume/0123.resume", vec![9; 100]),
            ("d/a", a.clone()),
            ("d/b/empty", vec![]),
            ("d/c", c.clone()),
            ("e", vec![1]),
        ]);
        let details = Details { announce: vec![vec!["http://t/announce".into()]], ..Details::default() };
        bench.ask(Create { piece_len: Some(16_384), dated: true, ..Create::new("d").with(details) });
        while bench.step() {}
        assert_eq!(bench.ends, [Ok(())]);
        assert_eq!((bench.most, bench.read), (3, 170_000));
        let torrent = bench.torrent();
        assert_eq!(torrent.creation_date, Some(UnixTime::from_secs(1_000)));
        assert_eq!(torrent.announce, [["http://t/announce"]]);
        let paths: Vec<_> = torrent.info.files().iter().map(|file| (file.path.as_str(), file.len)).collect();
        assert_eq!(paths, [("d/a", 100_000), ("d/b/empty", 0), ("d/c", 70_000)]);
        let all = [a, c].concat();
        for (piece, bytes) in all.chunks(16_384).enumerate() {
            assert_eq!(torrent.info.piece_hash(piece as u32), Some(Sha1::digest(bytes)), "{piece}");
        }
        let progress =
            bench.answers.iter().filter(|event| matches!(event, Event::Progress { pieces: 11, .. })).count();
        assert!(progress >= 11, "{:?}", bench.answers);
    }

    #[test]
    fn a_file_and_nothing_and_an_empty_folder() {
        let mut bench = Bench::new([("one", filled(40_000, 3)), ("none/x", vec![])]);
        bench.ask(Create::new("one"));
        while bench.step() {}
        let torrent = bench.torrent();
        assert!(!torrent.info.is_folder());
        assert_eq!((torrent.info.total(), torrent.creation_date), (40_000, None));
        for (name, why) in [
            ("gone", Error::Disk { path: "gone".into(), why: IoError::NotFound }),
            ("none", Error::Content(CreateError::NoContent)),
            ("..", Error::Name(PathError::Escapes)),
        ] {
            bench.ask(Create::new(name));
            while bench.step() {}
            assert_eq!(bench.ends.pop(), Some(Err(why)));
        }
    }

    #[test]
    fn a_file_cut_short_meanwhile() {
        let mut bench = Bench::new([("d/a", filled(50_000, 1)), ("d/b", filled(50_000, 1))]);
        bench.ask(Create { piece_len: Some(16_384), ..Create::new("d") });
        assert!(bench.step());
        bench.disk.insert("d/b", vec![0; 10]);
        while bench.step() {}
        assert_eq!(bench.ends.len(), 1);
        assert!(
            matches!(&bench.ends[0], Err(Error::Disk { path, why: IoError::Short }) if path.starts_with("d/"))
        );
    }

    #[test]
    fn cancelled_and_stopped() {
        let mut bench = Bench::new([("d/a", filled(500_000, 1))]);
        bench.ask(Create { piece_len: Some(16_384), ..Create::new("d") });
        bench.step();
        bench.input(Input::Op(OpId::from_raw(1), OpInput::Cancel));
        while bench.step() {}
        assert_eq!(bench.ends, [Err(Error::Stopped)]);
        assert!(bench.read <= 3 * 16_384, "it went on");
        bench.ask(Create::new("d"));
        bench.input(Input::Stop);
        assert_eq!(bench.ends.len(), 2);
    }
}
