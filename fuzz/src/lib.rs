//! A driver for one machine that reads from a fuzzer's bytes what happens next.

pub use bytes::BytesMut;
use p2p_core::{
    Bytes, ConnId, Cx, Datagram, Digest, Duration, Effect, Input, Instant, IoError, Job, JobDone, JobId,
    ListenerId, LookupId, Machine, OpId, OpInput, Rng, SocketId, Source, Stat, StreamInput, UnixTime,
};
use p2p_core::{DigestKind, Digester};
use p2p_sim::Audit;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// The fuzzer's bytes, read from the front. At their end everything is zero.
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// All of it.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { usize::from(self.byte()) % n }
    }

    /// Some bytes: a length, then so many.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (front, rest) = self.0.split_at(len);
        self.0 = rest;
        front
    }

    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// One machine below an audit, and all that it waits for.
pub struct Bench<M: Machine> {
    pub machine: Audit<M>,
    now: Instant,
    source: Source,
    timers: BTreeMap<M::Timer, Instant>,
    pub conns: Vec<ConnId>,
    dialled: Vec<ConnId>,
    listeners: Vec<ListenerId>,
    sockets: Vec<SocketId>,
    lookups: Vec<LookupId>,
    jobs: VecDeque<(JobId, Job)>,
    ops: Vec<OpId>,
    halted: bool,
    /// What it sent last to each address.
    datagrams: BTreeMap<SocketAddr, Bytes>,
    /// What it sent, if that is looked at.
    pub sent: Option<BTreeMap<ConnId, Vec<u8>>>,
    /// What files hold, for reads and digests that go well.
    content: Vec<u8>,
}

impl<M: Machine> Bench<M> {
    /// Starts a machine whose files hold `content` at their own offsets.
    pub fn new(machine: M, content: Vec<u8>) -> Self {
        let mut bench = Self {
            machine: Audit::new(machine),
            now: Instant::ZERO,
            source: Source::new(Rng::fast_from(1)),
            timers: BTreeMap::new(),
            conns: Vec::new(),
            dialled: Vec::new(),
            listeners: Vec::new(),
            sockets: Vec::new(),
            lookups: Vec::new(),
            jobs: VecDeque::new(),
            ops: Vec::new(),
            halted: false,
            datagrams: BTreeMap::new(),
            sent: None,
            content,
        };
        bench.give(Input::Start);
        bench
    }

    pub fn give(&mut self, input: Input<Audit<M>>) {
        if self.halted {
            return;
        }
        let mut effects = Vec::new();
        let civil = UnixTime::from_secs(Self::CIVIL);
        let mut cx = Cx::new(self.now, civil, &mut self.source, &mut effects);
        self.machine.handle(input, &mut cx);
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect<Audit<M>>) {
        match effect {
            Effect::Send(id, data) => {
                if let Some(sent) = &mut self.sent {
                    sent.entry(id).or_default().extend_from_slice(&data);
                }
            }
            Effect::Listen(id, ..) => self.listeners.push(id),
            Effect::Unlisten(id) => self.listeners.retain(|known| *known != id),
            Effect::Connect(id, ..) => self.dialled.push(id),
            Effect::Close(id) | Effect::Abort(id) => {
                self.conns.retain(|known| *known != id);
                self.dialled.retain(|known| *known != id);
            }
            Effect::Bind(id, _) => self.sockets.push(id),
            Effect::Unbind(id) => self.sockets.retain(|known| *known != id),
            Effect::Resolve(id, ..) => self.lookups.push(id),
            Effect::SendTo(_, datagram) => drop(self.datagrams.insert(datagram.peer, datagram.data)),
            Effect::SetTimer(timer, at) => drop(self.timers.insert(timer, at)),
            Effect::ClearTimer(timer) => drop(self.timers.remove(&timer)),
            Effect::Run(id, job) => self.jobs.push_back((id, job)),
            Effect::Finish(op, _) => self.ops.retain(|known| *known != op),
            Effect::Halt => self.halted = true,
            _ => {}
        }
    }

    /// Seconds since 1970, as the machine is told.
    pub const CIVIL: u64 = 1_700_000_000;

    /// A datagram comes in, if a socket is there.
    pub fn datagram(&mut self, from: SocketAddr, data: impl Into<Bytes>) {
        if let Some(&socket) = self.sockets.first() {
            self.give(Input::Datagram(socket, Datagram::new(from, data.into())));
        }
    }

    /// The bytes that it sent last to an address, by datagram.
    pub fn last_to(&self, to: SocketAddr) -> Option<&Bytes> {
        self.datagrams.get(&to)
    }

    /// The job asked for first, to be answered by whoever takes it.
    pub fn next_job(&mut self) -> Option<(JobId, Job)> {
        self.jobs.pop_front()
    }

    /// Sockets are bound and listeners listen.
    pub fn bind(&mut self) {
        let at = SocketAddr::from(([10, 0, 0, 1], 4_000));
        for socket in self.sockets.clone() {
            self.give(Input::Bound(socket, Ok(at)));
        }
        for listener in self.listeners.clone() {
            self.give(Input::Listener(listener, Ok(at)));
        }
    }

    /// Whether it is done, and takes no more.
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// Asks something of it.
    pub fn ask(&mut self, command: M::Command) {
        let op = OpId::from_raw(self.source.draw());
        self.ops.push(op);
        self.give(Input::Op(op, OpInput::Ask(command)));
    }

    /// A stranger's stream.
    pub fn accept(&mut self, peer: SocketAddr) -> Option<ConnId> {
        let listener = *self.listeners.first()?;
        let conn = ConnId::from_raw(self.source.draw());
        self.conns.push(conn);
        self.give(Input::Stream(conn, StreamInput::Open { peer, listener: Some(listener) }));
        Some(conn)
    }

    pub fn data(&mut self, conn: ConnId, data: impl Into<Bytes>) {
        let data = data.into();
        if !data.is_empty() && self.conns.contains(&conn) {
            self.give(Input::Stream(conn, StreamInput::Data(data)));
        }
    }

    /// Answers what it asked of its surroundings, well.
    pub fn settle(&mut self) {
        let at = SocketAddr::from(([10, 0, 0, 1], 6881));
        for listener in self.listeners.clone() {
            self.give(Input::Listener(listener, Ok(at)));
        }
        for socket in self.sockets.clone() {
            self.give(Input::Bound(socket, Ok(at)));
        }
        for _ in 0..10_000 {
            let Some((id, job)) = self.jobs.pop_front() else { break };
            let done = self.done(job, None);
            self.give(Input::Job(id, done));
        }
    }

    /// One thing happens that the script says. Data for streams comes from `data`.
    pub fn step(&mut self, script: &mut Script<'_>, data: &mut dyn FnMut(&mut Script<'_>) -> Vec<u8>) {
        match script.byte() % 16 {
            0 => {
                let host = 1 + script.byte() % 8;
                self.accept(SocketAddr::from(([192, 0, 2, host], 5000 + u16::from(host))));
            }
            1..=5 => {
                if let Some(&conn) = self.conns.get(script.below(self.conns.len())) {
                    let bytes = data(script);
                    self.data(conn, bytes);
                }
            }
            6 => {
                let at = script.below(self.conns.len());
                if at < self.conns.len() {
                    let conn = self.conns.remove(at);
                    let how = if script.byte() & 1 == 0 { Ok(()) } else { Err(IoError::Reset) };
                    self.give(Input::Stream(conn, StreamInput::Closed(how)));
                }
            }
            7 => self.dial_ends(script),
            8..=10 => {
                let at = script.below(self.jobs.len());
                if let Some((id, job)) = self.jobs.remove(at) {
                    let error = match script.byte() % 8 {
                        0 => Some(IoError::NoSpace),
                        1 => Some(IoError::Short),
                        _ => None,
                    };
                    let done = self.done(job, error);
                    self.give(Input::Job(id, done));
                }
            }
            11 | 12 => self.next_timer(),
            13 => {
                self.now = match script.byte() {
                    // A clock that went back.
                    0 => Instant::from_nanos(self.now.as_nanos() / 2),
                    n => self.now + Duration::from_millis(u64::from(n) * 100),
                };
            }
            14 => {
                if let Some(&conn) = self.conns.get(script.below(self.conns.len())) {
                    let input = if script.byte() & 1 == 0 { StreamInput::Full } else { StreamInput::Ready };
                    self.give(Input::Stream(conn, input));
                }
            }
            _ => self.rarely(script),
        }
    }

    fn dial_ends(&mut self, script: &mut Script<'_>) {
        let at = script.below(self.dialled.len());
        if at >= self.dialled.len() {
            return;
        }
        let conn = self.dialled.remove(at);
        if script.byte() & 1 == 0 {
            self.conns.push(conn);
            let peer = SocketAddr::from(([192, 0, 2, 9], 80));
            self.give(Input::Stream(conn, StreamInput::Open { peer, listener: None }));
        } else {
            self.give(Input::Stream(conn, StreamInput::Closed(Err(IoError::Refused))));
        }
    }

    fn next_timer(&mut self) {
        let next = self.timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (*timer, *at));
        if let Some((timer, at)) = next {
            self.timers.remove(&timer);
            self.now = self.now.max(at);
            self.give(Input::Timer(timer));
        }
    }

    fn rarely(&mut self, script: &mut Script<'_>) {
        match script.byte() % 6 {
            0 => {
                if let Some(&socket) = self.sockets.get(script.below(self.sockets.len())) {
                    let peer = SocketAddr::from(([192, 0, 2, 7], 6969));
                    let data = script.bytes().to_vec();
                    self.give(Input::Datagram(socket, Datagram::new(peer, data)));
                }
            }
            1 => {
                if let Some(lookup) = self.lookups.pop() {
                    let found = match script.byte() & 1 {
                        0 => Ok(vec![SocketAddr::from(([192, 0, 2, 9], 80))]),
                        _ => Err(IoError::Unresolved),
                    };
                    self.give(Input::Resolved(lookup, found));
                }
            }
            2 => {
                if let Some(op) = self.ops.pop() {
                    self.give(Input::Op(op, OpInput::Cancel));
                }
            }
            3 => {
                if let Some(&op) = self.ops.last() {
                    let input = if script.byte() & 1 == 0 { OpInput::Full } else { OpInput::Ready };
                    self.give(Input::Op(op, input));
                }
            }
            4 if script.byte() == 0xff => self.give(Input::Stop),
            _ => {}
        }
    }

    /// The answer to a job.
    fn done(&self, job: Job, error: Option<IoError>) -> JobDone {
        let slice = |offset: u64, len: u64| -> Option<&[u8]> {
            let (from, to) = (usize::try_from(offset).ok()?, usize::try_from(offset.checked_add(len)?).ok()?);
            self.content.get(from..to)
        };
        let digest = |kind: DigestKind, spans: Vec<p2p_core::Span>| -> Result<Digest, IoError> {
            let mut digester = Digester::new(kind);
            for span in spans {
                digester.update(slice(span.offset, span.len).ok_or(IoError::Short)?);
            }
            Ok(digester.finish())
        };
        match job {
            Job::Read { spans } => JobDone::Read(match error {
                Some(error) => Err(error),
                None => {
                    let parts: Option<Vec<&[u8]>> =
                        spans.iter().map(|span| slice(span.offset, span.len)).collect();
                    parts.map(|parts| parts.concat().into()).ok_or(IoError::Short)
                }
            }),
            Job::Write { data, digest, .. } => {
                let digest = digest.map(|mut digest| {
                    data.iter().for_each(|data| digest.update(data));
                    digest
                });
                JobDone::Written { result: error.map_or(Ok(()), Err), digest }
            }
            Job::Digest { kind, data } => {
                let mut digester = Digester::new(kind);
                data.iter().for_each(|data| digester.update(data));
                JobDone::Digest(error.map_or(Ok(digester.finish()), Err))
            }
            Job::DigestSpans { kind, spans } => {
                JobDone::Digest(error.map_or_else(|| digest(kind, spans), Err))
            }
            Job::Load { .. } => JobDone::Read(Err(error.unwrap_or(IoError::NotFound))),
            Job::Stat { .. } => {
                let stat = Stat { len: self.content.len() as u64, modified: UnixTime::from_secs(1) };
                JobDone::Stat(error.map_or(Ok((!self.content.is_empty()).then_some(stat)), Err))
            }
            // Every path is a file.
            Job::List { .. } => JobDone::List(Err(error.unwrap_or(IoError::NotAFile))),
            Job::Derive { .. } => JobDone::Derived(Err(error.unwrap_or(IoError::Unsupported))),
            _ => JobDone::Done(error.map_or(Ok(()), Err)),
        }
    }
}
