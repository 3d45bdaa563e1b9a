//! One servent, and strangers that say what they like to it: [`Victim`].

use bytes::{Bytes, BytesMut};
use p2p_core::{
    ConnId, Cx, Datagram, Digester, Duration, Effect, FileId, Input, Instant, IoError, Job, JobDone, Machine,
    RelPath, Rng, Root, Source, Stat, StreamInput, UnixTime,
};
use p2p_gnutella::deflate::Deflater;
use p2p_gnutella::handshake::{Event as Shaken, Handshake, Introduction, Role, Terms};
use p2p_gnutella::servent::{Bootstrap, Command, Config, Event, Parting, Timer, Wish};
use p2p_gnutella::wire::{Decoder, Frame, Header, Kind, Message, Query, QueryFlags, SizeLimits};
use p2p_gnutella::{Guid, Servent, transfer};
use p2p_sim::Audit;
use std::net::{Ipv4Addr, SocketAddr};

/// A servent, and strangers that say what they like to it.
pub(crate) struct Victim {
    machine: Audit<Servent>,
    pub(crate) source: Source,
    now: Instant,
    listener: p2p_core::ListenerId,
    pub(crate) socket: Option<p2p_core::SocketId>,
    pub(crate) told: Vec<Event>,
    pub(crate) sent: Vec<(ConnId, Bytes)>,
    pub(crate) datagrams: Vec<Datagram>,
    closed: Vec<ConnId>,
    /// Streams that strangers opened.
    opened: Vec<(SocketAddr, ConnId)>,
    /// How often it dialled anybody.
    pub(crate) connects: usize,
    /// Those that are set.
    pub(crate) timers: std::collections::BTreeSet<Timer>,
}

/// What comes of a job on a disk on which every file has ten zeros.
fn done(job: &Job) -> Option<JobDone> {
    Some(match job {
        Job::List { .. } => JobDone::List(Err(IoError::NotAFile)),
        Job::Load { .. } => JobDone::Read(Err(IoError::NotFound)),
        Job::Stat { .. } => JobDone::Stat(Ok(Some(Stat { len: 10, modified: UnixTime::from_secs(1) }))),
        Job::DigestSpans { kind, .. } => {
            let mut digester = Digester::new(*kind);
            digester.update(&[0; 10]);
            JobDone::Digest(Ok(digester.finish()))
        }
        _ => return None,
    })
}

/// A stranger: how it is linked, and what it heard.
pub(crate) struct Stranger {
    pub(crate) conn: ConnId,
    pub(crate) peer: SocketAddr,
    pub(crate) deflater: Option<Deflater>,
}

pub(crate) const LISTENS: &str = "192.0.2.77:6346";

impl Victim {
    pub(crate) fn new(config: Config) -> Self {
        let mut rng = Rng::fast_from(1);
        let mut victim = Self {
            machine: Audit::new(Servent::new(config, &mut rng)),
            source: Source::new(rng),
            now: Instant::ZERO + Duration::from_secs(1),
            listener: p2p_core::ListenerId::from_raw(0),
            socket: None,
            told: Vec::new(),
            sent: Vec::new(),
            datagrams: Vec::new(),
            closed: Vec::new(),
            opened: Vec::new(),
            connects: 0,
            timers: std::collections::BTreeSet::new(),
        };
        for effect in victim.give_raw(Input::Start) {
            if let Effect::Listen(id, ..) = effect {
                victim.listener = id;
            }
        }
        let listener = victim.listener;
        for effect in victim.give_raw(Input::Listener(listener, Ok(LISTENS.parse().unwrap()))) {
            if let Effect::Bind(id, _) = effect {
                victim.socket = Some(id);
            }
        }
        victim
    }

    pub(crate) fn give_raw(&mut self, input: Input<Audit<Servent>>) -> Vec<Effect<Audit<Servent>>> {
        let mut effects = Vec::new();
        let mut cx = Cx::new(self.now, UnixTime::from_secs(1_800_000_000), &mut self.source, &mut effects);
        self.machine.handle(input, &mut cx);
        effects
    }

    /// Gives an input, and keeps what came of it.
    pub(crate) fn give(&mut self, input: Input<Audit<Servent>>) {
        for effect in self.give_raw(input) {
            match effect {
                Effect::Send(conn, bytes) => self.sent.push((conn, bytes)),
                Effect::SendTo(_, datagram) => self.datagrams.push(datagram),
                Effect::Close(conn) | Effect::Abort(conn) => self.closed.push(conn),
                Effect::Event(_, event) => self.told.push(event),
                Effect::Run(job, what) => {
                    if let Some(done) = done(&what) {
                        self.give(Input::Job(job, done));
                    }
                }
                Effect::Connect(..) => self.connects += 1,
                Effect::SetTimer(timer, _) => drop(self.timers.insert(timer)),
                Effect::ClearTimer(timer) => drop(self.timers.remove(&timer)),
                _ => {}
            }
        }
    }

    pub(crate) fn wait(&mut self, secs: u64) {
        self.now += Duration::from_secs(secs);
    }

    /// The stream that somebody opened.
    pub(crate) fn conn_of(&self, from: SocketAddr) -> ConnId {
        self.opened.iter().rev().find(|(addr, _)| *addr == from).unwrap().1
    }

    pub(crate) fn wait_for(&mut self, time: Duration) {
        self.now += time;
    }

    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn servent(&self) -> &Servent {
        self.machine.inner()
    }

    pub(crate) fn open(&mut self, from: SocketAddr) -> ConnId {
        let conn = ConnId::from_raw(self.source.draw());
        self.opened.push((from, conn));
        self.give(Input::Stream(conn, StreamInput::Open { peer: from, listener: Some(self.listener) }));
        conn
    }

    pub(crate) fn data(&mut self, conn: ConnId, bytes: impl Into<Bytes>) {
        self.give(Input::Stream(conn, StreamInput::Data(bytes.into())));
    }

    pub(crate) fn is_closed(&self, conn: ConnId) -> bool {
        self.closed.contains(&conn)
    }

    /// A stranger becomes a neighbour.
    pub(crate) fn link(&mut self, number: u8, role: Role, deflate: bool) -> Stranger {
        let peer = SocketAddr::from(([198, 51, 100, number], 40_000));
        let conn = self.open(peer);
        let mut us = Introduction::new(role, Guid([number; 16]), "stranger/1");
        us.accepts_deflate = false;
        us.sends_deflate = deflate;
        let (mut out, ip) = (BytesMut::new(), Ipv4Addr::new(203, 0, 113, 1).into());
        let mut handshake = Handshake::dial(&us, ip, &mut out);
        let from = self.sent.len();
        self.data(conn, out.split().freeze());
        let answer = self.heard_raw(conn, from);
        assert!(matches!(handshake.push(answer.into()), Ok(Some(Shaken::Answered))));
        let link = handshake.agree(&us, ip, Terms::default(), &mut out).unwrap();
        self.data(conn, out.freeze());
        assert_eq!(link.deflate, deflate);
        Stranger { conn, peer, deflater: deflate.then(|| Deflater::new(6)) }
    }

    /// A stranger is dialled, and agrees.
    pub(crate) fn dial(&mut self, number: u8, role: Role) -> Stranger {
        self.dial_to(number, role, "stranger/1")
    }

    /// The same, of a program of this name.
    pub(crate) fn dial_to(&mut self, number: u8, role: Role, agent: &str) -> Stranger {
        let peer = SocketAddr::from(([198, 51, 100, number], 6_346));
        let join = Command::Join(Bootstrap { peers: vec![peer], ..Bootstrap::default() });
        let op = p2p_core::OpId::from_raw(self.source.draw());
        let effects = self.give_raw(Input::Op(op, p2p_core::OpInput::Ask(join)));
        let dialled = effects.iter().find_map(|effect| match effect {
            Effect::Connect(conn, ..) => Some(*conn),
            _ => None,
        });
        let (conn, from) = (dialled.unwrap(), self.sent.len());
        self.give(Input::Stream(conn, StreamInput::Open { peer, listener: None }));
        let mut us = Introduction::new(role, Guid([number; 16]), agent);
        (us.accepts_deflate, us.sends_deflate) = (false, false);
        let mut handshake = Handshake::accept();
        assert!(matches!(handshake.push(self.heard_raw(conn, from).into()), Ok(Some(Shaken::Asked))));
        let (mut out, ip) = (BytesMut::new(), Ipv4Addr::new(203, 0, 113, 1).into());
        handshake.agree(&us, ip, Terms::default(), &mut out);
        let from = self.sent.len();
        self.data(conn, out.freeze());
        // The third leg, and what is said first.
        let answer = self.sent[from..].iter().position(|(of, _)| *of == conn).unwrap();
        assert!(matches!(handshake.push(self.sent[from + answer].1.clone()), Ok(Some(Shaken::Linked(_)))));
        Stranger { conn, peer, deflater: None }
    }

    /// Begins a search.
    pub(crate) fn search(&mut self, wish: Wish) {
        let op = p2p_core::OpId::from_raw(self.source.draw());
        self.give(Input::Op(op, p2p_core::OpInput::Ask(Command::Search(wish))));
    }

    /// The name of the query that a stranger was asked since.
    pub(crate) fn asked(&self, stranger: &Stranger, from: usize) -> Option<Guid> {
        let frames = self.heard(stranger, from);
        frames.iter().find(|frame| frame.header.kind == Kind::QUERY).map(|frame| frame.header.guid)
    }

    pub(crate) fn heard_raw(&self, conn: ConnId, from: usize) -> Vec<u8> {
        self.sent[from..].iter().filter(|(of, _)| *of == conn).flat_map(|(_, bytes)| bytes.to_vec()).collect()
    }

    /// The messages that a stranger heard since.
    pub(crate) fn heard(&self, stranger: &Stranger, from: usize) -> Vec<Frame> {
        let mut decoder = Decoder::new(SizeLimits::default());
        decoder.push(self.heard_raw(stranger.conn, from).into());
        std::iter::from_fn(|| decoder.next().unwrap()).collect()
    }

    pub(crate) fn say(&mut self, stranger: &mut Stranger, header: Header, message: &Message) {
        let mut bytes = BytesMut::new();
        Frame { header, payload: message.to_bytes() }.encode(&mut bytes);
        let bytes = match &mut stranger.deflater {
            Some(deflater) => {
                let mut packed = BytesMut::new();
                deflater.write(&bytes, &mut packed);
                packed
            }
            None => bytes,
        };
        self.data(stranger.conn, bytes.freeze());
    }

    pub(crate) fn share(&mut self, name: &str) {
        let file = FileId::new(Root(0), RelPath::local([name]).unwrap());
        let share = Command::Transfer(transfer::Command::Share(file));
        self.give(Input::Op(p2p_core::OpId::from_raw(900), p2p_core::OpInput::Ask(share)));
        assert_eq!(self.servent().transfers().library().len(), 1);
    }

    pub(crate) fn parted(&self) -> Vec<&Parting> {
        self.told.iter().filter_map(of_ref).collect()
    }
}

fn of_ref(event: &Event) -> Option<&Parting> {
    match event {
        Event::Parted(_, why) => Some(why),
        _ => None,
    }
}

/// A name of a message.
pub(crate) fn guid(number: u32) -> Guid {
    let mut bytes = [1; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Guid(bytes)
}

/// A query of these words.
pub(crate) fn query(text: &str) -> Message {
    Message::Query(Query {
        flags: QueryFlags(QueryFlags::MARK),
        text: Bytes::copy_from_slice(text.as_bytes()),
        extensions: Bytes::new(),
    })
}

/// A head.
pub(crate) const fn head(guid: Guid, kind: Kind, ttl: u8, hops: u8) -> Header {
    Header { guid, kind, ttl, hops }
}
