//! A world for one server machine: connections that keep what they are sent, a disk, a clock that the test moves.

use bytes::{Bytes, BytesMut};
use p2p_core::{
    ConnId, Cx, Duration, Effect, Input, Instant, IoError, Job, JobDone, JobId, ListenerId, Machine, OpId,
    OpInput, Rng, Source, StreamInput, UnixTime,
};
use p2p_napster::deflate::{InflateLimits, Inflater};
use p2p_napster::server::{
    Batch, Change, Config, Server, ServerCommand, ServerError, ServerEvent, ServerTimer,
};
use p2p_napster::wire::message::LoginAck;
use p2p_napster::wire::{Decoder, ToClient, put_frame};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// What a client was sent: a type and its text.
pub(crate) type Heard = (u16, Vec<u8>);

pub(crate) struct Client {
    pub(crate) open: bool,
    pub(crate) paused: bool,
    /// Sends, each of which is a write.
    pub(crate) writes: usize,
    pub(crate) bytes: usize,
    decoder: Decoder,
    heard: Vec<Heard>,
    /// What the server sends lies in a stream: so its acknowledgement said.
    inflater: Option<Inflater>,
    /// All that it was sent, and nothing else, if the other end of a link is played.
    pub(crate) raw: Option<Vec<u8>>,
}

impl Client {
    fn new() -> Self {
        let (decoder, heard) = (Decoder::new(u16::MAX), Vec::new());
        Self { open: true, paused: false, writes: 0, bytes: 0, decoder, heard, inflater: None, raw: None }
    }

    fn take(&mut self, mut data: Bytes) {
        self.writes += 1;
        self.bytes += data.len();
        if let Some(raw) = &mut self.raw {
            return raw.extend_from_slice(&data);
        }
        if let Some(inflater) = &mut self.inflater {
            loop {
                let some = inflater.read(&mut data).unwrap();
                if some.is_empty() {
                    break;
                }
                self.decoder.push(some);
            }
        } else {
            self.decoder.push(data);
        }
        while let Some(frame) = self.decoder.next().unwrap() {
            if let Ok(ToClient::LoginAck(LoginAck { zlib: Some(_), .. })) =
                ToClient::parse(frame.kind, &frame.body)
            {
                assert!(self.decoder.is_empty(), "the acknowledgement is the last that is plain");
                self.inflater = Some(Inflater::new(InflateLimits::default()));
            }
            self.heard.push((frame.kind, frame.body.to_vec()));
        }
    }
}

pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) now: Instant,
    source: Source,
    pub(crate) clients: BTreeMap<ConnId, Client>,
    pub(crate) timers: BTreeMap<ServerTimer, Instant>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) news: Vec<ServerEvent>,
    pub(crate) finished: BTreeMap<OpId, Result<(), ServerError>>,
    /// Changes that were told and not answered.
    pub(crate) told: Option<(Batch, Vec<Change>)>,
    /// What was kept, a batch each.
    pub(crate) kept: Vec<Vec<Change>>,
    /// Jobs and changes wait until the test lets them go on.
    pub(crate) manual: bool,
    /// Nothing can be kept.
    pub(crate) store_fails: bool,
    pub(crate) halted: bool,
    /// Connections that the server dialled.
    pub(crate) dialled: Vec<ConnId>,
    /// Civil time at the rig's zero, in seconds.
    pub(crate) civil: u64,
    keeps: bool,
    next_op: u64,
}

pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.name = "servera".into();
    config
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::of(Server::new(config))
    }

    pub(crate) fn of(server: Server) -> Self {
        Self::keeping(server, false)
    }

    /// One whose changes are kept.
    pub(crate) fn keeping(server: Server, keeps: bool) -> Self {
        let mut rig = Self {
            keeps,
            server,
            now: Instant::ZERO + Duration::from_secs(1_000),
            source: Source::new(Rng::fast_from(7)),
            clients: BTreeMap::new(),
            timers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            news: Vec::new(),
            finished: BTreeMap::new(),
            told: None,
            kept: Vec::new(),
            manual: false,
            store_fails: false,
            halted: false,
            dialled: Vec::new(),
            civil: 1_700_000_000,
            next_op: 1,
        };
        rig.give(Input::Start);
        rig
    }

    pub(crate) fn give(&mut self, input: Input<Server>) {
        assert!(!self.halted, "an input after the end");
        let mut effects = Vec::new();
        let civil = UnixTime::from_secs(self.civil + self.now.as_nanos() / 1_000_000_000);
        self.server.handle(input, &mut Cx::new(self.now, civil, &mut self.source, &mut effects));
        for effect in effects {
            assert!(!self.halted, "an effect after the end");
            self.carry_out(effect);
        }
        if !self.manual {
            self.work();
        }
    }

    fn carry_out(&mut self, effect: Effect<Server>) {
        match effect {
            Effect::Send(conn, data) => {
                let client = self.clients.get_mut(&conn).expect("sent to a known connection");
                assert!(client.open, "sent to a closed connection");
                client.take(data);
            }
            Effect::Pause(conn, paused) => {
                let client = self.clients.get_mut(&conn).expect("paused a known connection");
                assert!(client.open, "paused a closed connection");
                client.paused = paused;
            }
            Effect::Close(conn) | Effect::Abort(conn) => {
                let client = self.clients.get_mut(&conn).expect("closed a known connection");
                assert!(client.open, "closed twice");
                client.open = false;
            }
            Effect::SetTimer(timer, at) => drop(self.timers.insert(timer, at)),
            Effect::ClearTimer(timer) => drop(self.timers.remove(&timer)),
            Effect::Run(id, job) => drop(self.jobs.insert(id, job)),
            Effect::Event(_, event) => {
                if let ServerEvent::Changes { batch, changes } = &event {
                    let before = self.told.replace((*batch, changes.clone()));
                    assert!(before.is_none() || !self.keeps, "one batch at a time");
                }
                self.news.push(event);
            }
            Effect::Finish(op, result) => {
                assert!(self.finished.insert(op, result).is_none(), "finished twice")
            }
            Effect::Halt => self.halted = true,
            Effect::Connect(conn, ..) => {
                let client = Client { raw: Some(Vec::new()), ..Client::new() };
                self.clients.insert(conn, client);
                self.dialled.push(conn);
            }
            Effect::Listen(..) | Effect::Unlisten(_) => {}
            other => panic!("a server has no use for {other:?}"),
        }
    }

    /// Does all jobs and keeps all changes, and those that follow.
    pub(crate) fn work(&mut self) {
        let manual = std::mem::replace(&mut self.manual, true);
        while self.work_one() || self.keep() {}
        self.manual = manual;
    }

    /// Keeps the changes that were told, or fails to; false if there are none.
    pub(crate) fn keep(&mut self) -> bool {
        let Some((batch, changes)) = self.told.take().filter(|_| self.keeps) else { return false };
        let result = if self.store_fails {
            Err(IoError::NoSpace)
        } else {
            self.kept.push(changes);
            Ok(())
        };
        self.ask(ServerCommand::Kept { batch, result });
        true
    }

    /// Does one job, the oldest.
    pub(crate) fn work_one(&mut self) -> bool {
        let Some((id, job)) = self.jobs.pop_first() else { return false };
        let done = self.run(job);
        self.give(Input::Job(id, done));
        true
    }

    fn run(&mut self, job: Job) -> JobDone {
        match job {
            // Not argon2id, which is the driver's: something that depends on all that it is given.
            Job::Derive { password, salt, .. } => {
                let mut hash = [0u8; 32];
                for (i, byte) in salt.iter().chain(password.iter()).enumerate() {
                    hash[i % 32] = hash[i % 32].wrapping_mul(31).wrapping_add(*byte).wrapping_add(i as u8);
                }
                JobDone::Derived(Ok(hash))
            }
            other => panic!("a server has no use for {other:?}"),
        }
    }

    pub(crate) fn ask(&mut self, command: ServerCommand) -> OpId {
        let op = OpId::from_raw(self.next_op);
        self.next_op += 1;
        self.give(Input::Op(op, OpInput::Ask(command)));
        op
    }

    pub(crate) fn connect(&mut self, ip: &str) -> ConnId {
        let conn = ConnId::from_raw(self.source.draw());
        let ip: IpAddr = ip.parse().unwrap();
        self.clients.insert(conn, Client::new());
        let peer = SocketAddr::new(ip, 40_000 + conn.raw() as u16);
        let listener = Some(ListenerId::from_raw(1));
        self.give(Input::Stream(conn, StreamInput::Open { peer, listener }));
        conn
    }

    pub(crate) fn data(&mut self, conn: ConnId, data: &[u8]) {
        if self.clients[&conn].open && !data.is_empty() {
            let data = Bytes::copy_from_slice(data);
            self.give(Input::Stream(conn, StreamInput::Data(data)));
        }
    }

    pub(crate) fn say(&mut self, conn: ConnId, kind: u16, text: impl AsRef<[u8]>) {
        self.data(conn, &frame(kind, text.as_ref()));
    }

    /// Says something, and returns what this client was sent since it was last listened to.
    pub(crate) fn exchange(&mut self, conn: ConnId, kind: u16, text: impl AsRef<[u8]>) -> Vec<Heard> {
        self.hear(conn);
        self.say(conn, kind, text);
        self.hear(conn)
    }

    pub(crate) fn hear(&mut self, conn: ConnId) -> Vec<Heard> {
        std::mem::take(&mut self.clients.get_mut(&conn).unwrap().heard)
    }

    pub(crate) fn is_open(&self, conn: ConnId) -> bool {
        self.clients[&conn].open
    }

    pub(crate) fn leave(&mut self, conn: ConnId) {
        if std::mem::replace(&mut self.clients.get_mut(&conn).unwrap().open, false) {
            self.give(Input::Stream(conn, StreamInput::Closed(Ok(()))));
        }
    }

    /// Somebody at an address of its own who can be dialled, and has read its welcome.
    pub(crate) fn user(&mut self, nick: &str) -> ConnId {
        let ip = format!("10.1.{}.{}", self.clients.len() / 250, self.clients.len() % 250 + 1);
        self.user_at(nick, &ip, 6699)
    }

    pub(crate) fn user_at(&mut self, nick: &str, ip: &str, port: u16) -> ConnId {
        let conn = self.connect(ip);
        self.say(conn, 2, format!("{nick} pw {port} \"probe\" 7"));
        let heard = self.hear(conn);
        assert_eq!(heard.first().map(|(kind, _)| *kind), Some(3), "{nick}: {heard:?}");
        conn
    }

    /// An operator, by an account that the application made.
    pub(crate) fn operator(&mut self, nick: &str, level: p2p_napster::wire::Level) -> ConnId {
        let op = self.ask(ServerCommand::Register {
            nick: nick.as_bytes().into(),
            password: Bytes::from_static(b"pw"),
            level,
        });
        assert_eq!(self.finished.get(&op), Some(&Ok(())));
        self.user(nick)
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
        }
        self.now = end;
    }

    /// Lets what waits for its turn go on, without time passing.
    pub(crate) fn settle(&mut self) {
        self.pass(Duration::ZERO);
    }
}

pub(crate) fn frame(kind: u16, text: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    put_frame(&mut out, kind, |to| {
        to.raw(text);
    });
    out
}

/// What was heard, as lines to compare with.
pub(crate) fn lines(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(|(kind, text)| format!("{kind} {}", text.escape_ascii())).collect()
}
