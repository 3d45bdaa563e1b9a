//! A driver that does what drivers may do, in any order: it keeps every handle of one audited machine, and lets a test
//! choose what happens next. It never gives an input that no driver gives.

use p2p_core::{
    Bytes, ConnId, Cx, Datagram, Digester, Duration, Effect, FileId, Input, Instant, IoError, Job, JobDone,
    JobId, ListenerId, LookupId, Machine, OpId, OpInput, Rng, SocketId, Source, Span, Stat, StreamInput,
    UnixTime,
};
use p2p_sim::Audit;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A stream as the driver knows it.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) open: bool,
    pub(crate) dialled: bool,
    pub(crate) paused: bool,
    pub(crate) full: bool,
    /// What the machine sent and nobody has looked at.
    pub(crate) sent: Vec<Bytes>,
}

pub(crate) struct Rig<M: Machine> {
    pub(crate) machine: Audit<M>,
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    source: Source,
    next_op: u64,
    pub(crate) streams: BTreeMap<ConnId, Stream>,
    pub(crate) listeners: BTreeMap<ListenerId, bool>,
    pub(crate) sockets: BTreeMap<SocketId, bool>,
    pub(crate) lookups: Vec<LookupId>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) timers: BTreeMap<M::Timer, Instant>,
    pub(crate) ops: Vec<OpId>,
    pub(crate) datagrams: Vec<(SocketId, Datagram)>,
    pub(crate) news: Vec<M::Event>,
    pub(crate) files: BTreeMap<FileId, Vec<u8>>,
    pub(crate) halted: bool,
    pub(crate) most_effects: usize,
}

impl<M: Machine> Rig<M> {
    pub(crate) fn new(machine: M, seed: u64) -> Self {
        let mut rng = Rng::fast_from(seed);
        let source = Source::new(rng.split());
        let mut rig = Self {
            machine: Audit::new(machine).most_effects(5_000),
            now: Instant::ZERO + Duration::from_secs(1_000),
            rng,
            source,
            next_op: 1 << 40,
            streams: BTreeMap::new(),
            listeners: BTreeMap::new(),
            sockets: BTreeMap::new(),
            lookups: Vec::new(),
            jobs: BTreeMap::new(),
            timers: BTreeMap::new(),
            ops: Vec::new(),
            datagrams: Vec::new(),
            news: Vec::new(),
            files: BTreeMap::new(),
            halted: false,
            most_effects: 0,
        };
        rig.give(Input::Start);
        rig
    }

    pub(crate) fn give(&mut self, input: Input<Audit<M>>) {
        if self.halted {
            return;
        }
        let mut effects = Vec::new();
        let civil = UnixTime::from_nanos((1 << 60) + self.now.as_nanos());
        self.machine.handle(input, &mut Cx::new(self.now, civil, &mut self.source, &mut effects));
        self.most_effects = self.most_effects.max(effects.len());
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect<Audit<M>>) {
        match effect {
            Effect::Listen(id, ..) => drop(self.listeners.insert(id, false)),
            Effect::Unlisten(id) => drop(self.listeners.remove(&id)),
            Effect::Connect(id, ..) => {
                self.streams.insert(id, Stream { dialled: true, ..Stream::default() });
            }
            Effect::Send(id, data) => {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.sent.push(data);
                }
            }
            Effect::Pause(id, paused) => {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.paused = paused;
                }
            }
            Effect::Close(id) | Effect::Abort(id) => drop(self.streams.remove(&id)),
            Effect::Bind(id, _) => drop(self.sockets.insert(id, false)),
            Effect::Unbind(id) => drop(self.sockets.remove(&id)),
            Effect::SendTo(id, datagram) => self.datagrams.push((id, datagram)),
            Effect::Resolve(id, ..) => self.lookups.push(id),
            Effect::SetTimer(timer, at) => drop(self.timers.insert(timer, at)),
            Effect::ClearTimer(timer) => drop(self.timers.remove(&timer)),
            Effect::Run(id, job) => drop(self.jobs.insert(id, job)),
            Effect::Event(None, event) => self.news.push(event),
            Effect::Finish(op, _) => self.ops.retain(|other| *other != op),
            Effect::Halt => self.halted = true,
            Effect::Secure(..) | Effect::JoinGroup(..) | Effect::LeaveGroup(..) | Effect::Event(..) => {}
        }
    }

    pub(crate) fn ask(&mut self, command: M::Command) {
        let op = OpId::from_raw(self.next_op);
        self.next_op += 1;
        self.ops.push(op);
        self.give(Input::Op(op, OpInput::Ask(command)));
    }

    /// Something happens to an operation under way.
    pub(crate) fn bother(&mut self) {
        let Some(&op) = self.rng.choose(&self.ops) else { return };
        let what = match self.rng.below(3) {
            0 => OpInput::Full,
            1 => OpInput::Ready,
            _ => OpInput::Cancel,
        };
        self.give(Input::Op(op, what));
    }

    pub(crate) fn accept(&mut self, peer: SocketAddr) -> Option<ConnId> {
        let (&listener, _) = self.listeners.iter().find(|(_, bound)| **bound)?;
        let conn = ConnId::from_raw(self.source.draw());
        self.streams.insert(conn, Stream { open: true, ..Stream::default() });
        self.give(Input::Stream(conn, StreamInput::Open { peer, listener: Some(listener) }));
        Some(conn)
    }

    pub(crate) fn opened(&mut self, conn: ConnId, peer: SocketAddr) {
        if let Some(stream) = self.streams.get_mut(&conn) {
            stream.open = true;
            self.give(Input::Stream(conn, StreamInput::Open { peer, listener: None }));
        }
    }

    pub(crate) fn data(&mut self, conn: ConnId, data: impl Into<Bytes>) {
        let data = data.into();
        if self.streams.get(&conn).is_some_and(|stream| stream.open) && !data.is_empty() {
            self.give(Input::Stream(conn, StreamInput::Data(data)));
        }
    }

    pub(crate) fn closed(&mut self, conn: ConnId, how: Result<(), IoError>) {
        if self.streams.remove(&conn).is_some() {
            self.give(Input::Stream(conn, StreamInput::Closed(how)));
        }
    }

    /// A send queue fills up, or empties.
    pub(crate) fn queue(&mut self, conn: ConnId) {
        let Some(stream) = self.streams.get_mut(&conn).filter(|stream| stream.open) else { return };
        stream.full = !stream.full;
        let input = if stream.full { StreamInput::Full } else { StreamInput::Ready };
        self.give(Input::Stream(conn, input));
    }

    pub(crate) fn some_stream(&mut self, is: impl Fn(&Stream) -> bool) -> Option<ConnId> {
        let conns: Vec<ConnId> =
            self.streams.iter().filter(|(_, stream)| is(stream)).map(|(conn, _)| *conn).collect();
        self.rng.choose(&conns).copied()
    }

    /// Answers a request for a listener or a socket, or ends it later.
    pub(crate) fn settle_sockets(&mut self, goes_well: bool) {
        let at = SocketAddr::from(([10, 0, 0, 9], 6881));
        let listeners: Vec<_> = self.listeners.keys().copied().collect();
        for id in listeners {
            let result = if goes_well { Ok(at) } else { Err(IoError::InUse) };
            if goes_well && self.listeners.get(&id) == Some(&true) {
                continue;
            }
            if goes_well {
                self.listeners.insert(id, true);
            } else {
                self.listeners.remove(&id);
            }
            self.give(Input::Listener(id, result));
        }
        let sockets: Vec<_> = self.sockets.keys().copied().collect();
        for id in sockets {
            if goes_well && self.sockets.get(&id) == Some(&true) {
                continue;
            }
            if goes_well {
                self.sockets.insert(id, true);
            } else {
                self.sockets.remove(&id);
            }
            self.give(Input::Bound(id, if goes_well { Ok(at) } else { Err(IoError::Denied) }));
        }
    }

    pub(crate) fn resolve(&mut self) {
        if self.lookups.is_empty() {
            return;
        }
        let at = self.rng.index(self.lookups.len());
        let id = self.lookups.swap_remove(at);
        let found = match self.rng.below(3) {
            0 => Err(IoError::Unresolved),
            1 => Ok(vec![SocketAddr::from(([8, 8, 8, 8], 80)); 40]),
            _ => Ok(vec![SocketAddr::from(([10, 0, 0, 7], 80))]),
        };
        self.give(Input::Resolved(id, found));
    }

    /// Time jumps, and what is due goes off in any order. Now and then the clock stands still, or jumps back.
    pub(crate) fn pass(&mut self) {
        let step = match self.rng.below(8) {
            0 => Duration::from_secs(self.rng.below(4_000)),
            1 | 2 => Duration::from_secs(self.rng.below(30)),
            _ => Duration::from_millis(self.rng.below(2_000)),
        };
        self.now = match self.rng.below(40) {
            0 => Instant::from_nanos(self.now.as_nanos().saturating_sub(step.as_nanos() as u64)),
            _ => self.now + step,
        };
        self.fire();
    }

    pub(crate) fn fire(&mut self) {
        let mut due: Vec<M::Timer> =
            self.timers.iter().filter(|(_, at)| **at <= self.now).map(|(timer, _)| *timer).collect();
        self.rng.shuffle(&mut due);
        for timer in due {
            // One that went off before it may have cleared this one, or set it anew.
            if self.timers.get(&timer).is_some_and(|at| *at <= self.now) {
                self.timers.remove(&timer);
                self.give(Input::Timer(timer));
            }
        }
    }

    /// A job ends, any of those under way: done, failed, or (a driver's fault) answered as another kind.
    pub(crate) fn work(&mut self, fails: f64, wrong: f64) {
        let ids: Vec<JobId> = self.jobs.keys().copied().collect();
        let Some(&id) = self.rng.choose(&ids) else { return };
        let Some(job) = self.jobs.remove(&id) else { return };
        let done = if self.rng.chance(wrong) {
            JobDone::Derived(Err(IoError::Unsupported))
        } else if self.rng.chance(fails) {
            let all = [IoError::NoSpace, IoError::Device, IoError::NotFound, IoError::Short, IoError::Denied];
            failed(&job, *self.rng.choose(&all).unwrap_or(&IoError::Other))
        } else {
            self.run(job)
        };
        self.give(Input::Job(id, done));
    }

    /// One job ends well.
    pub(crate) fn do_job(&mut self, id: JobId) {
        if let Some(job) = self.jobs.remove(&id) {
            let done = self.run(job);
            self.give(Input::Job(id, done));
        }
    }

    fn bytes_of(&self, spans: &[Span]) -> Result<Vec<u8>, IoError> {
        let mut all = Vec::new();
        for span in spans {
            if span.file == FileId::zeros() {
                all.resize(all.len() + span.len as usize, 0);
                continue;
            }
            let file = self.files.get(&span.file).ok_or(IoError::NotFound)?;
            let part = file.get(span.offset as usize..(span.offset + span.len) as usize);
            all.extend_from_slice(part.ok_or(IoError::Short)?);
        }
        Ok(all)
    }

    fn run(&mut self, job: Job) -> JobDone {
        match job {
            Job::Read { spans } => JobDone::Read(self.bytes_of(&spans).map(Bytes::from)),
            Job::Write { spans, data, mut digest } => {
                let mut all: Vec<u8> = Vec::new();
                data.iter().for_each(|part| all.extend_from_slice(part));
                assert_eq!(all.len() as u64, spans.iter().map(|span| span.len).sum::<u64>());
                let mut at = 0;
                for span in spans.iter().filter(|span| span.file != FileId::zeros()) {
                    let file = self.files.entry(span.file.clone()).or_default();
                    let end = (span.offset + span.len) as usize;
                    if file.len() < end {
                        file.resize(end, 0);
                    }
                    file[span.offset as usize..end].copy_from_slice(&all[at..at + span.len as usize]);
                    at += span.len as usize;
                }
                if let Some(digest) = &mut digest {
                    digest.update(&all);
                }
                JobDone::Written { result: Ok(()), digest: digest.filter(|_| !self.rng.chance(0.1)) }
            }
            Job::DigestSpans { kind, spans } => JobDone::Digest(self.bytes_of(&spans).map(|bytes| {
                let mut digester = Digester::new(kind);
                digester.update(&bytes);
                digester.finish()
            })),
            Job::Load { file, .. } => {
                JobDone::Read(self.files.get(&file).cloned().map(Bytes::from).ok_or(IoError::NotFound))
            }
            Job::Replace { file, data } => {
                self.files.insert(file, data.to_vec());
                JobDone::Done(Ok(()))
            }
            Job::Stat { file } => JobDone::Stat(Ok(self
                .files
                .get(&file)
                .map(|data| Stat { len: data.len() as u64, modified: UnixTime::default() }))),
            Job::Truncate { file, len } => {
                self.files.entry(file).or_default().resize(len as usize, 0);
                JobDone::Done(Ok(()))
            }
            Job::List { .. } => JobDone::List(Ok(Vec::new())),
            Job::Sync { .. } => JobDone::Done(Ok(())),
            other => failed(&other, IoError::Unsupported),
        }
    }

    /// Does all that is under way, until nothing is left or the machine halts.
    pub(crate) fn drain(&mut self) {
        for _ in 0..100_000 {
            if self.jobs.is_empty() || self.halted {
                return;
            }
            self.work(0.0, 0.0);
        }
        panic!("jobs without end: {:?}", self.jobs);
    }

    /// Asks the machine to end, and does what it waits for: it must halt.
    pub(crate) fn end(&mut self) {
        self.give(Input::Stop);
        for _ in 0..1_000 {
            self.drain();
            if self.halted {
                return;
            }
            let Some(at) = self.timers.values().min() else { break };
            self.now = self.now.max(*at);
            self.fire();
        }
        panic!("it does not halt; timers: {:?}, operations: {:?}", self.timers, self.ops);
    }
}

fn failed(job: &Job, why: IoError) -> JobDone {
    match job {
        Job::Read { .. } | Job::Load { .. } => JobDone::Read(Err(why)),
        Job::Write { .. } => JobDone::Written { result: Err(why), digest: None },
        Job::Digest { .. } | Job::DigestSpans { .. } => JobDone::Digest(Err(why)),
        Job::Stat { .. } => JobDone::Stat(Err(why)),
        Job::List { .. } => JobDone::List(Err(why)),
        Job::Derive { .. } => JobDone::Derived(Err(why)),
        _ => JobDone::Done(Err(why)),
    }
}

/// Lives of a machine, one per seed: the seeds that once failed, then as many as the environment says. A life that
/// panics says its seed, which repeats it.
pub(crate) fn lives(known: &[u64], usual: u64, life: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual);
    for seed in known.iter().copied().chain(0..cases) {
        if let Err(panic) = std::panic::catch_unwind(|| life(seed)) {
            eprintln!("the seed of this life is {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
