//! A world for one client machine: a server and users whose words the test says, a disk, a clock that the test moves.

use bytes::{Bytes, BytesMut};
use p2p_core::{
    ConnId, Cx, Digester, Duration, Effect, FileId, Input, Instant, IoError, Job, JobDone, JobId, ListenerId,
    Machine, OpId, OpInput, RelPath, Rng, Root, Security, Source, Stat, StreamInput, Target, UnixTime,
};
use p2p_napster::Client;
use p2p_napster::client::{Bootstrap, Command, Config, Error, Event, SharedFile, Timer, Wanted};
use p2p_napster::wire::{Decoder, put_frame};
use p2p_sim::Audit;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

/// The server of most tests.
pub(crate) const SERVER: &str = "198.51.100.1:8888";
/// A user of most tests.
pub(crate) const ALICE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);

/// A message: its type and its text.
pub(crate) type Said = (u16, String);

/// A stream, as the world sees it.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Whom the client dialled; `None` if it was dialled.
    pub(crate) to: Option<SocketAddr>,
    /// Whose certificate the other end must have, if it is to be secured.
    pub(crate) name: Option<String>,
    /// Whether it is open; a stream that is dialled is not.
    pub(crate) open: bool,
    /// Whether the client closed it or broke it off.
    pub(crate) ended: bool,
    pub(crate) paused: bool,
    /// What the client wrote, by writes.
    pub(crate) writes: Vec<Bytes>,
}

pub(crate) struct Rig {
    pub(crate) client: Audit<Client>,
    pub(crate) now: Instant,
    source: Source,
    pub(crate) streams: BTreeMap<ConnId, Stream>,
    pub(crate) timers: BTreeMap<Timer, Instant>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    /// Jobs wait until the test lets them run.
    pub(crate) manual: bool,
    pub(crate) disk: BTreeMap<FileId, Vec<u8>>,
    /// All that was ever written to, emptied, renamed or removed.
    pub(crate) touched: Vec<FileId>,
    pub(crate) events: Vec<(Option<OpId>, Event)>,
    pub(crate) finished: BTreeMap<OpId, Result<(), Error>>,
    pub(crate) halted: bool,
    listener: Option<ListenerId>,
    pub(crate) server: Option<ConnId>,
    decoder: Decoder,
    next_op: u64,
}

pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.nick = Bytes::from_static(b"me");
    config.password = Bytes::from_static(b"pw");
    config
}

pub(crate) fn frame(kind: u16, text: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    put_frame(&mut out, kind, |to| {
        to.raw(text);
    });
    out.freeze()
}

/// A file below the download folder.
pub(crate) fn down(name: &str) -> FileId {
    FileId::new(Root(0), RelPath::from_parts([name]).unwrap())
}

/// The part of an earlier attempt, and its mark.
pub(crate) fn part(name: &str, content: &[u8]) -> [(FileId, Vec<u8>); 2] {
    let mark = content.len().to_string().into_bytes();
    [(down(name), content.to_vec()), (down(&format!("{name}.kept")), mark)]
}

/// A file below the shared folder.
pub(crate) fn shared(name: &str) -> FileId {
    FileId::new(Root(1), RelPath::from_parts([name]).unwrap())
}

/// Bytes without a pattern, the same for the same length and seed.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Rng::fast_from(seed).fill(&mut bytes);
    bytes
}

/// The number that the protocol has for an address.
pub(crate) fn number(ip: Ipv4Addr) -> u32 {
    u32::from_le_bytes(ip.octets())
}

impl Rig {
    /// A client that is nowhere yet, and listens.
    pub(crate) fn new(config: Config) -> Self {
        Self::with(config, BTreeMap::new())
    }

    pub(crate) fn with(config: Config, disk: BTreeMap<FileId, Vec<u8>>) -> Self {
        Self::of(config, disk, 7)
    }

    /// One whose dice are others.
    pub(crate) fn seeded(config: Config, seed: u64) -> Self {
        Self::of(config, BTreeMap::new(), seed)
    }

    fn of(config: Config, disk: BTreeMap<FileId, Vec<u8>>, seed: u64) -> Self {
        let port = config.listen.map_or(0, |at| at.port());
        let mut rig = Self {
            client: Audit::new(Client::new(config)),
            now: Instant::ZERO + Duration::from_secs(1_000),
            source: Source::new(Rng::fast_from(seed)),
            streams: BTreeMap::new(),
            timers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            manual: false,
            disk,
            touched: Vec::new(),
            events: Vec::new(),
            finished: BTreeMap::new(),
            halted: false,
            listener: None,
            server: None,
            decoder: Decoder::new(u16::MAX),
            next_op: 1,
        };
        rig.give(Input::Start);
        if let Some(listener) = rig.listener {
            rig.give(Input::Listener(listener, Ok(([192, 0, 2, 77], port).into())));
        }
        rig
    }

    /// A client that is logged in.
    pub(crate) fn online(config: Config) -> Self {
        let mut rig = Self::new(config);
        rig.log_in();
        rig
    }

    pub(crate) fn log_in(&mut self) {
        let join = self.ask(Command::Join(Bootstrap::servers([SERVER.parse::<SocketAddr>().unwrap()])));
        self.let_in();
        assert_eq!(self.finished.get(&join), Some(&Ok(())));
    }

    /// The server that is being dialled lets the client in.
    pub(crate) fn let_in(&mut self) {
        let [server] = self.dialled()[..] else { panic!("dialled {:?}", self.dialled()) };
        self.opens(server);
        self.is_server(server);
        let said = self.said();
        assert!(said.iter().any(|(kind, _)| *kind == 2), "{said:?}");
        self.says(3, "anon@server");
    }

    /// This stream is the one to the server from now on.
    pub(crate) fn is_server(&mut self, conn: ConnId) {
        self.server = Some(conn);
        self.decoder = Decoder::new(u16::MAX);
    }

    pub(crate) fn give(&mut self, input: Input<Audit<Client>>) {
        assert!(!self.halted, "an input after the end");
        let mut effects = Vec::new();
        let civil = UnixTime::from_secs(1_700_000_000);
        self.client.handle(input, &mut Cx::new(self.now, civil, &mut self.source, &mut effects));
        for effect in effects {
            self.carry_out(effect);
        }
        if !self.manual {
            self.work();
        }
    }

    fn carry_out(&mut self, effect: Effect<Audit<Client>>) {
        match effect {
            Effect::Listen(id, ..) => self.listener = Some(id),
            Effect::Unlisten(_) => self.listener = None,
            Effect::Connect(id, to, security) => {
                let to = match to {
                    Target::Addr(to) => to,
                    Target::Name { port, .. } => ([198, 51, 100, 99], port).into(),
                };
                let name = if let Security::Client(name) = security { Some(name) } else { None };
                self.streams.insert(id, Stream { to: Some(to), name, ..Stream::default() });
            }
            Effect::Send(conn, data) => {
                let stream = self.streams.get_mut(&conn).expect("sent to a known stream");
                assert!(stream.open && !stream.ended, "sent on a closed stream");
                stream.writes.push(data);
            }
            Effect::Pause(conn, paused) => self.streams.get_mut(&conn).unwrap().paused = paused,
            Effect::Close(conn) | Effect::Abort(conn) => self.streams.get_mut(&conn).unwrap().ended = true,
            Effect::SetTimer(timer, at) => drop(self.timers.insert(timer, at)),
            Effect::ClearTimer(timer) => drop(self.timers.remove(&timer)),
            Effect::Run(id, job) => drop(self.jobs.insert(id, job)),
            Effect::Event(op, event) => self.events.push((op, event)),
            Effect::Finish(op, result) => drop(self.finished.insert(op, result)),
            Effect::Halt => self.halted = true,
            other => panic!("a client has no use for {other:?}"),
        }
    }

    /// Does all jobs, and those that follow.
    pub(crate) fn work(&mut self) {
        while self.work_one() {}
    }

    /// Does the oldest job.
    pub(crate) fn work_one(&mut self) -> bool {
        let Some((id, job)) = self.jobs.pop_first() else { return false };
        let done = self.run(job);
        if !self.halted {
            let manual = std::mem::replace(&mut self.manual, true);
            self.give(Input::Job(id, done));
            self.manual = manual;
        }
        true
    }

    fn read(&self, file: &FileId, offset: u64, len: u64) -> Result<&[u8], IoError> {
        let data = self.disk.get(file).ok_or(IoError::NotFound)?;
        data.get(offset as usize..(offset + len) as usize).ok_or(IoError::Short)
    }

    fn run(&mut self, job: Job) -> JobDone {
        match job {
            Job::Read { spans } => {
                let parts: Result<Vec<_>, _> =
                    spans.iter().map(|span| self.read(&span.file, span.offset, span.len)).collect();
                JobDone::Read(parts.map(|parts| parts.concat().into()))
            }
            Job::Write { spans, data, .. } => {
                let [span] = &spans[..] else { panic!("one span") };
                let data = data.concat();
                assert_eq!(span.len, data.len() as u64);
                self.touched.push(span.file.clone());
                let file = self.disk.entry(span.file.clone()).or_default();
                let end = span.offset as usize + data.len();
                assert!(span.offset as usize <= file.len(), "a gap in {:?}", span.file);
                file.resize(file.len().max(end), 0);
                file[span.offset as usize..end].copy_from_slice(&data);
                JobDone::Written { result: Ok(()), digest: None }
            }
            Job::Load { file, limit } => JobDone::Read(match self.disk.get(&file) {
                Some(data) if data.len() as u64 <= limit => Ok(data.clone().into()),
                Some(_) => Err(IoError::Limit),
                None => Err(IoError::NotFound),
            }),
            Job::Replace { file, data } => {
                self.touched.push(file.clone());
                self.disk.insert(file, data.to_vec());
                JobDone::Done(Ok(()))
            }
            Job::DigestSpans { kind, spans } => {
                let mut digester = Digester::new(kind);
                for span in spans {
                    match self.read(&span.file, span.offset, span.len) {
                        Ok(data) => digester.update(data),
                        Err(why) => return JobDone::Digest(Err(why)),
                    }
                }
                JobDone::Digest(Ok(digester.finish()))
            }
            Job::Stat { file } => {
                let stat = |data: &Vec<u8>| Stat { len: data.len() as u64, modified: UnixTime::from_secs(1) };
                JobDone::Stat(Ok(self.disk.get(&file).map(stat)))
            }
            Job::Truncate { file, len } => {
                self.touched.push(file.clone());
                self.disk.entry(file).or_default().resize(len as usize, 0);
                JobDone::Done(Ok(()))
            }
            Job::Rename { from, to } => {
                self.touched.push(to.clone());
                match self.disk.remove(&from) {
                    Some(data) => {
                        assert!(self.disk.insert(to, data).is_none(), "written over");
                        JobDone::Done(Ok(()))
                    }
                    None => JobDone::Done(Err(IoError::NotFound)),
                }
            }
            Job::Remove { file } => {
                self.touched.push(file.clone());
                self.disk.remove(&file);
                JobDone::Done(Ok(()))
            }
            Job::Sync { .. } => JobDone::Done(Ok(())),
            other => panic!("a client has no use for {other:?}"),
        }
    }

    pub(crate) fn ask(&mut self, command: Command) -> OpId {
        let op = OpId::from_raw(self.next_op);
        self.next_op += 1;
        self.give(Input::Op(op, OpInput::Ask(command)));
        op
    }

    /// What became of something that ends at once.
    pub(crate) fn ask_and_end(&mut self, command: Command) -> Result<(), Error> {
        let op = self.ask(command);
        self.finished[&op].clone()
    }

    pub(crate) fn download(&mut self, wanted: Wanted) -> OpId {
        self.ask(Command::Download(Box::new(wanted)))
    }

    /// Shares a file of this content.
    pub(crate) fn share(&mut self, name: &str, content: Vec<u8>) {
        let file = shared(&format!("{}.mp3", self.disk.len()));
        self.disk.insert(file.clone(), content);
        let op = self.ask(Command::Share(Box::new(SharedFile::new(name.as_bytes().to_vec(), file))));
        if self.server.is_some() {
            assert_eq!(self.finished.get(&op), Some(&Ok(())), "{name}");
        }
    }

    /// Streams that the client dials, and nobody has answered.
    pub(crate) fn dialled(&self) -> Vec<ConnId> {
        let dialled = self.streams.iter().filter(|(_, s)| s.to.is_some() && !s.open && !s.ended);
        dialled.map(|(conn, _)| *conn).collect()
    }

    /// A dialled stream is open.
    pub(crate) fn opens(&mut self, conn: ConnId) {
        let stream = self.streams.get_mut(&conn).unwrap();
        stream.open = true;
        let peer = stream.to.unwrap();
        self.give(Input::Stream(conn, StreamInput::Open { peer, listener: None }));
    }

    /// The only stream that is dialled, which opens; it must go to this address.
    pub(crate) fn answers(&mut self, at: (Ipv4Addr, u16)) -> ConnId {
        let [conn] = self.dialled()[..] else { panic!("dialled {:?}", self.dialled()) };
        assert_eq!(self.streams[&conn].to, Some(at.into()));
        self.opens(conn);
        conn
    }

    /// Somebody dials the data port.
    pub(crate) fn accept(&mut self) -> ConnId {
        let conn = ConnId::from_raw(self.source.draw());
        self.streams.insert(conn, Stream { open: true, ..Stream::default() });
        let (peer, listener) = ((ALICE, 40_000).into(), self.listener);
        assert!(listener.is_some(), "it listens");
        self.give(Input::Stream(conn, StreamInput::Open { peer, listener }));
        conn
    }

    /// The other end of a stream says this.
    pub(crate) fn data(&mut self, conn: ConnId, data: impl AsRef<[u8]>) {
        let data = Bytes::copy_from_slice(data.as_ref());
        if !data.is_empty() && !self.streams[&conn].ended {
            self.give(Input::Stream(conn, StreamInput::Data(data)));
        }
    }

    /// The other end of a stream is done.
    pub(crate) fn closes(&mut self, conn: ConnId, how: Result<(), IoError>) {
        let stream = self.streams.get_mut(&conn).unwrap();
        if !stream.ended {
            stream.ended = true;
            self.give(Input::Stream(conn, StreamInput::Closed(how)));
        }
    }

    /// All that the client wrote to a stream since it was last looked at.
    pub(crate) fn heard(&mut self, conn: ConnId) -> Vec<u8> {
        std::mem::take(&mut self.streams.get_mut(&conn).unwrap().writes).concat()
    }

    pub(crate) fn is_closed(&self, conn: ConnId) -> bool {
        self.streams[&conn].ended
    }

    /// The server says this.
    pub(crate) fn says(&mut self, kind: u16, text: impl AsRef<[u8]>) {
        let server = self.server.expect("a server");
        self.data(server, frame(kind, text.as_ref()));
    }

    /// What the client told the server since it was last asked.
    pub(crate) fn said(&mut self) -> Vec<Said> {
        let bytes = self.heard(self.server.expect("a server"));
        self.decoder.push(bytes.into());
        let frames = std::iter::from_fn(|| self.decoder.next().unwrap());
        frames.map(|frame| (frame.kind, String::from_utf8_lossy(&frame.body).into_owned())).collect()
    }

    /// What the client told the server of this type since it was last asked; the rest is forgotten.
    pub(crate) fn said_of(&mut self, kind: u16) -> Vec<String> {
        self.said().into_iter().filter(|(of, _)| *of == kind).map(|(_, text)| text).collect()
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events).into_iter().map(|(_, event)| event).collect()
    }

    /// Time passes; what is due goes off in its order.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((&timer, &at)) =
            self.timers.iter().min_by_key(|(_, at)| **at).filter(|(_, at)| **at <= end)
        {
            self.timers.remove(&timer);
            self.now = self.now.max(at);
            self.give(Input::Timer(timer));
            if self.halted {
                return;
            }
        }
        self.now = end;
    }

    pub(crate) fn secs(&mut self, secs: u64) {
        self.pass(Duration::from_secs(secs));
    }

    /// A moment in which second writes leave and what has no end counts as ended.
    pub(crate) fn moment(&mut self) {
        self.pass(Duration::from_millis(300));
    }

    /// `alice` accepts a download that was asked for, and its stream is open: what is said on it was looked at up to the
    /// client's request.
    pub(crate) fn alice_accepts(&mut self, name: &str) -> (ConnId, String) {
        assert_eq!(self.said_of(203), [format!("alice \"{name}\"")]);
        self.says(204, format!("alice {} 6699 \"{name}\" 0 7", number(ALICE)));
        let conn = self.answers((ALICE, 6699));
        (conn, self.get_on(conn))
    }

    /// Greets, and takes the client's request.
    pub(crate) fn get_on(&mut self, conn: ConnId) -> String {
        self.data(conn, "1");
        assert_eq!(self.heard(conn), b"GET", "the verb is a write of its own");
        self.moment();
        String::from_utf8_lossy(&self.heard(conn)).into_owned()
    }

    /// Bytes in the download folder, marks left out.
    pub(crate) fn kept(&self) -> usize {
        let parts = self.disk.iter().filter(|(file, _)| file.root() == Root(0));
        parts.filter(|(file, _)| !file.path().as_str().ends_with(".kept")).map(|(_, data)| data.len()).sum()
    }

    /// Where a download was saved, and its content.
    pub(crate) fn saved(&self) -> Option<(&FileId, &[u8])> {
        self.events.iter().find_map(|(_, event)| match event {
            Event::Saved { file, .. } => Some((file, &self.disk[file][..])),
            _ => None,
        })
    }

    /// Nothing was ever touched but in the download folder, at its top.
    pub(crate) fn check_folder(&self) {
        for file in &self.touched {
            let path = file.path().as_str();
            assert_eq!(file.root(), Root(0), "{path}");
            assert!(!path.contains(['/', '\\']) && path != ".." && path != ".", "{path}");
            assert!(!path.starts_with('.') && !path.ends_with(['.', ' ']), "{path}");
            assert!(path.len() <= 255 && !path.chars().any(char::is_control), "{path:?}");
        }
    }
}
