//! What strangers try, against the machine itself: bounded memory and work, and honest neighbours served.

use bytes::{Bytes, BytesMut};
use p2p_core::{
    ConnId, Cx, Datagram, Digester, Duration, Effect, FileId, Input, Instant, IoError, Job, JobDone, Machine,
    RelPath, Rng, Root, Source, Stat, StreamInput, UnixTime,
};
use p2p_gnutella::deflate::Deflater;
use p2p_gnutella::handshake::{Event as Shaken, Handshake, Introduction, Role, Terms};
use p2p_gnutella::qrp::{Cut, Table, update};
use p2p_gnutella::servent::{Command, Config, Event, Mode, Parting};
use p2p_gnutella::wire::{
    Compressor, Decoder, Frame, Header, HitBuilder, HitFlags, Kind, Message, Patch, Ping, Push, Query,
    QueryFlags, Route, SizeLimits, VendorCode,
};
use p2p_gnutella::{Guid, Servent, transfer};
use p2p_sim::Audit;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// A servent, and strangers that say what they like to it.
pub(crate) struct Victim {
    machine: Audit<Servent>,
    source: Source,
    now: Instant,
    listener: p2p_core::ListenerId,
    socket: Option<p2p_core::SocketId>,
    pub(crate) told: Vec<Event>,
    pub(crate) sent: Vec<(ConnId, Bytes)>,
    datagrams: Vec<Datagram>,
    closed: Vec<ConnId>,
}

/// A stranger: how it is linked, and what it heard.
pub(crate) struct Stranger {
    conn: ConnId,
    deflater: Option<Deflater>,
}

/// What comes of a job on a disk on which every file has ten zeros.
fn done(job: &Job) -> Option<JobDone> {
    Some(match job {
        Job::List { .. } => JobDone::List(Err(IoError::NotAFile)),
        Job::Stat { .. } => JobDone::Stat(Ok(Some(Stat { len: 10, modified: UnixTime::from_secs(1) }))),
        Job::DigestSpans { kind, .. } => {
            let mut digester = Digester::new(*kind);
            digester.update(&[0; 10]);
            JobDone::Digest(Ok(digester.finish()))
        }
        _ => return None,
    })
}

const LISTENS: &str = "192.0.2.77:6346";

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
                _ => {}
            }
        }
    }

    pub(crate) fn wait(&mut self, secs: u64) {
        self.now += Duration::from_secs(secs);
    }

    pub(crate) fn servent(&self) -> &Servent {
        self.machine.inner()
    }

    pub(crate) fn open(&mut self, from: SocketAddr) -> ConnId {
        let conn = ConnId::from_raw(self.source.draw());
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
        let conn = self.open(SocketAddr::from(([198, 51, 100, number], 40_000)));
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
        Stranger { conn, deflater: deflate.then(|| Deflater::new(6)) }
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

fn guid(number: u32) -> Guid {
    let mut bytes = [1; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Guid(bytes)
}

fn query(text: &str) -> Message {
    Message::Query(Query {
        flags: QueryFlags(QueryFlags::MARK),
        text: Bytes::copy_from_slice(text.as_bytes()),
        extensions: Bytes::new(),
    })
}

const fn head(guid: Guid, kind: Kind, ttl: u8, hops: u8) -> Header {
    Header { guid, kind, ttl, hops }
}

fn ultrapeer() -> Victim {
    Victim::new(Config::new(Mode::Ultrapeer))
}

#[test]
fn a_ttl_of_255_is_cut_and_hops_of_255_go_nowhere() {
    let mut victim = ultrapeer();
    let (mut a, b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    let from = victim.sent.len();
    victim.say(&mut a, head(guid(1), Kind::QUERY, 255, 0), &query("far"));
    victim.say(&mut a, head(guid(2), Kind::QUERY, 255, 255), &query("wraps"));
    victim.say(&mut a, head(guid(3), Kind::QUERY, 0, 3), &query("dead"));
    victim.say(&mut a, head(guid(4), Kind::QUERY, 7, 6), &query("last"));
    let heard: Vec<_> =
        victim.heard(&b, from).iter().map(|f| (f.header.guid, f.header.ttl, f.header.hops)).collect();
    assert_eq!(heard, [(guid(1), 6, 1)], "together seven at most");
    assert_eq!(victim.servent().counts().malformed, 2);
}

#[test]
fn loops_and_reused_guids_are_dropped() {
    let mut victim = ultrapeer();
    let (mut a, mut b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    let c = victim.link(3, Role::Ultrapeer, false);
    let from = victim.sent.len();
    for _ in 0..50 {
        victim.say(&mut a, head(guid(1), Kind::QUERY, 4, 1), &query("again"));
        victim.say(&mut b, head(guid(1), Kind::QUERY, 4, 2), &query("another text"));
    }
    assert_eq!(victim.heard(&c, from).len(), 1);
    assert_eq!(victim.servent().counts().duplicates, 99);
}

#[test]
fn a_probe_may_be_followed_once_a_ttl_and_by_its_sender_only() {
    let mut victim = ultrapeer();
    let (mut a, mut b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    let c = victim.link(3, Role::Ultrapeer, false);
    victim.share("probed");
    let from = victim.sent.len();
    victim.say(&mut a, head(guid(1), Kind::QUERY, 1, 0), &query("probed"));
    assert_eq!(victim.heard(&c, from).len(), 0);
    victim.say(&mut b, head(guid(1), Kind::QUERY, 3, 0), &query("probed"));
    assert_eq!(victim.heard(&c, from).len(), 0, "it is not his");
    victim.say(&mut a, head(guid(1), Kind::QUERY, 3, 0), &query("probed"));
    victim.say(&mut a, head(guid(1), Kind::QUERY, 3, 0), &query("probed"));
    assert_eq!(victim.heard(&c, from).len(), 1);
    let hits = victim.heard(&a, from).iter().filter(|frame| frame.header.kind == Kind::QUERY_HIT).count();
    assert_eq!(hits, 1, "what is here is told once");
}

#[test]
fn a_hit_nobody_asked_for_goes_nowhere() {
    let mut victim = ultrapeer();
    let (mut a, mut b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    victim.say(&mut a, head(guid(1), Kind::QUERY, 3, 0), &query("mine"));
    let mut hit = HitBuilder::new(SocketAddrV4::new([1, 2, 3, 4].into(), 5), 6);
    hit.record(1, 2, b"mine.txt", |_| {});
    let hit = Message::QueryHit(hit.finish(VendorCode(*b"EVIL"), HitFlags::default(), Guid([8; 16]), |_| {}));
    let from = victim.sent.len();
    victim.say(&mut b, head(guid(7), Kind::QUERY_HIT, 3, 0), &hit);
    victim.say(&mut a, head(guid(1), Kind::QUERY_HIT, 3, 0), &hit);
    assert!(
        victim.heard(&a, from).is_empty() && victim.heard(&b, from).is_empty(),
        "nor back to who sent it"
    );
    assert_eq!(victim.servent().counts().astray, 2);
    victim.say(&mut b, head(guid(1), Kind::QUERY_HIT, 3, 0), &hit);
    assert_eq!(victim.heard(&a, from).len(), 1);
    // A servent's name is led to who last had a hit of it; a push with another goes nowhere.
    let push = |servent| {
        Message::Push(Push {
            servent,
            index: 0,
            addr: SocketAddrV4::new([9, 9, 9, 9].into(), 9),
            extensions: Bytes::new(),
        })
    };
    victim.say(&mut a, head(guid(20), Kind::PUSH, 4, 0), &push(Guid([8; 16])));
    victim.say(&mut a, head(guid(21), Kind::PUSH, 4, 0), &push(Guid([66; 16])));
    assert_eq!(victim.heard(&b, from).iter().filter(|frame| frame.header.kind == Kind::PUSH).count(), 1);
}

#[test]
fn a_flood_of_queries_is_bounded_in_memory_and_in_what_goes_on() {
    let mut config = Config::new(Mode::Ultrapeer);
    config.limits.query_rate = 100;
    config.limits.routes = 1_000;
    let mut victim = Victim::new(config);
    let (mut a, b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    let from = victim.sent.len();
    for number in 0..5_000 {
        victim.say(&mut a, head(guid(number), Kind::QUERY, 4, 1), &query("flood"));
    }
    assert_eq!(victim.heard(&b, from).len(), 400, "a burst of four seconds");
    assert_eq!(victim.servent().counts().flooded, 4_600);
    for _ in 0..100 {
        victim.wait(4);
        for _ in 0..400 {
            let drawn = Guid(victim.source.rng.bytes());
            victim.say(&mut a, head(drawn, Kind::QUERY, 4, 1), &query("flood"));
        }
        assert!(victim.servent().load().routes <= 1_000 + 2 * 125);
    }
}

#[test]
fn a_neighbour_that_takes_nothing_costs_its_queue() {
    let mut victim = ultrapeer();
    let (mut a, b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    victim.give(Input::Stream(b.conn, StreamInput::Full));
    let from = victim.sent.len();
    for number in 0..8_000 {
        victim.say(&mut a, head(guid(number), Kind::QUERY, 4, 1), &query("while it sleeps"));
    }
    assert!(victim.heard(&b, from).is_empty());
    let held = victim.servent().load().held;
    assert!((60_000..=66_000).contains(&held), "{held} bytes");
    assert!(victim.servent().counts().crowded_out > 6_000);
    victim.give(Input::Stream(b.conn, StreamInput::Ready));
    let heard = victim.heard(&b, from);
    assert_eq!(heard.last().unwrap().header.guid, guid(7_999), "the newest is what it gets");
    assert_eq!(victim.servent().load().held, 0);
}

#[test]
fn a_decompression_bomb_ends_its_link() {
    let mut victim = ultrapeer();
    let mut a = victim.link(1, Role::Ultrapeer, true);
    // Zeros: pings without a TTL, 23 bytes each, a thousand to one.
    let (mut deflater, mut bomb) = (a.deflater.take().unwrap(), BytesMut::new());
    let zeros = vec![0; 1 << 20];
    (0..64).for_each(|_| deflater.write(&zeros, &mut bomb));
    for chunk in bomb.chunks(16 << 10) {
        if victim.is_closed(a.conn) {
            break;
        }
        victim.data(a.conn, Bytes::copy_from_slice(chunk));
    }
    assert!(victim.is_closed(a.conn));
    assert!(matches!(victim.parted()[..], [Parting::Garbled(_)]));
    let counts = victim.servent().counts();
    assert!(counts.messages_in < 200_000, "{} messages of 2.9 million", counts.messages_in);
}

#[test]
fn a_patch_that_overflows_its_table_ends_its_link() {
    for (number, bad) in [
        Patch {
            number: 1,
            count: 1,
            compressor: Compressor::None,
            entry_bits: 8,
            data: vec![1; 60_000].into(),
        },
        Patch { number: 2, count: 2, compressor: Compressor::None, entry_bits: 8, data: vec![1; 10].into() },
        Patch { number: 1, count: 1, compressor: Compressor::Zlib, entry_bits: 8, data: vec![1; 10].into() },
    ]
    .into_iter()
    .enumerate()
    {
        let mut victim = ultrapeer();
        let mut a = victim.link(1, Role::Leaf, false);
        let from = victim.sent.len();
        let header = head(Guid::ZERO, Kind::ROUTE, 1, 0);
        victim.say(&mut a, header, &Message::Route(Route::Reset { slots: 1 << 13, infinity: 7 }));
        victim.say(&mut a, header, &Message::Route(Route::Patch(bad)));
        assert!(victim.is_closed(a.conn), "{number}");
        let bye = victim.heard(&a, from).pop().unwrap();
        assert!(
            matches!(Message::parse(bye.header.kind, &bye.payload), Ok(Message::Bye(bye)) if bye.code == 413)
        );
    }
    // A patch before any reset, as gtk-gnutella answers it; and resets without end.
    let mut victim = ultrapeer();
    let (mut a, mut b) = (victim.link(1, Role::Leaf, false), victim.link(2, Role::Leaf, false));
    let header = head(Guid::ZERO, Kind::ROUTE, 1, 0);
    let mut table = Table::new(16);
    table.insert_name("a name", Cut::NONE);
    let messages = update(None, &table, 4);
    victim.say(&mut a, header, &Message::Route(messages[1].clone()));
    assert!(victim.is_closed(a.conn));
    for _ in 0..5 {
        assert!(!victim.is_closed(b.conn));
        victim.say(&mut b, header, &Message::Route(messages[0].clone()));
    }
    victim.say(&mut b, header, &Message::Route(messages[0].clone()));
    assert!(victim.is_closed(b.conn), "a reset costs its table's size");
}

#[test]
fn a_leaf_that_relays_is_told_to_go() {
    let mut victim = ultrapeer();
    let mut a = victim.link(1, Role::Leaf, false);
    let from = victim.sent.len();
    victim.say(&mut a, head(guid(1), Kind::QUERY, 3, 2), &query("not mine"));
    let bye = victim.heard(&a, from).pop().unwrap();
    assert!(
        matches!(Message::parse(bye.header.kind, &bye.payload), Ok(Message::Bye(bye)) if bye.code == 414)
    );
    assert!(victim.is_closed(a.conn));
}

#[test]
fn oversized_and_empty_messages() {
    let mut victim = ultrapeer();
    let (mut a, mut b) = (victim.link(1, Role::Ultrapeer, false), victim.link(2, Role::Ultrapeer, false));
    for kind in [Kind::QUERY, Kind::QUERY_HIT, Kind::PONG, Kind::PUSH, Kind::ROUTE, Kind::VENDOR, Kind(0x99)]
    {
        victim.say(&mut a, head(guid(1), kind, 3, 0), &Message::Other(kind, Bytes::new()));
    }
    assert!(!victim.is_closed(a.conn), "an empty message is dropped and no more");
    // A head that promises 4 GB: nothing is waited for, nothing allocated.
    let mut promise = head(guid(9), Kind::QUERY, 3, 0).to_bytes(u32::MAX).to_vec();
    promise.extend([0; 100]);
    victim.data(a.conn, promise);
    assert!(victim.is_closed(a.conn));
    assert_eq!(victim.servent().load().held, 0);
    let from = victim.sent.len();
    victim.say(&mut b, head(guid(10), Kind::PING, 1, 0), &Message::Ping(Ping { extensions: Bytes::new() }));
    assert_eq!(victim.heard(&b, from).len(), 1, "others are served");
}

#[test]
fn pings_again_and_again_are_answered_a_few_times() {
    let mut victim = ultrapeer();
    let mut a = victim.link(1, Role::Ultrapeer, false);
    let from = victim.sent.len();
    for number in 0..1_000 {
        victim.say(
            &mut a,
            head(guid(number), Kind::PING, 7, 0),
            &Message::Ping(Ping { extensions: Bytes::new() }),
        );
    }
    assert_eq!(victim.heard(&a, from).len(), 10);
}

#[test]
fn slow_loris_and_header_floods_hold_a_place_for_a_while() {
    let mut config = Config::new(Mode::Ultrapeer);
    config.limits.visitors = 8;
    config.limits.per_address = 1_000;
    let mut victim = Victim::new(config);
    let mut slow = Vec::new();
    for number in 0..20 {
        let conn = victim.open(SocketAddr::from(([198, 51, 100, number], 1_000)));
        victim.data(conn, &b"GNUTELLA CONN"[..]);
        slow.push(conn);
        assert!(victim.servent().load().visitors <= 8);
    }
    assert!(slow[..12].iter().all(|conn| victim.is_closed(*conn)), "the oldest make room");
    let late = slow[15];
    victim.give(Input::Timer(p2p_gnutella::servent::Timer::Door(late)));
    assert!(victim.is_closed(late), "and none may take for ever");
    // Headers without end.
    let conn = victim.open(SocketAddr::from(([198, 51, 100, 77], 1_000)));
    victim.data(conn, &b"GNUTELLA CONNECT/0.6\r\n"[..]);
    for _ in 0..10_000 {
        if victim.is_closed(conn) {
            break;
        }
        victim.data(conn, &b"X-More: and more\r\n"[..]);
    }
    assert!(victim.is_closed(conn));
    let other = victim.link(90, Role::Ultrapeer, false);
    assert!(!victim.is_closed(other.conn), "somebody else gets in");
}

#[test]
fn one_address_cannot_take_all_places() {
    let mut victim = ultrapeer();
    let mut taken = 0;
    for port in 0..100 {
        let conn = victim.open(SocketAddr::from(([198, 51, 100, 5], 1_000 + port)));
        taken += usize::from(!victim.is_closed(conn));
    }
    assert_eq!(taken, 20);
    let other = victim.link(90, Role::Ultrapeer, false);
    assert!(!victim.is_closed(other.conn));
}

#[test]
fn pings_by_udp_are_answered_a_few_times_each() {
    let mut victim = ultrapeer();
    let mut ping = BytesMut::new();
    let payload = Bytes::from_static(b"\xc3\x83SCP\x41\x01");
    Frame { header: head(guid(1), Kind::PING, 1, 0), payload }.encode(&mut ping);
    let (ping, socket) = (ping.freeze(), victim.socket.unwrap());
    for _ in 0..1_000 {
        let peer = SocketAddr::from(([192, 0, 2, 66], 9_999));
        victim.give(Input::Datagram(socket, Datagram::new(peer, ping.clone())));
    }
    assert_eq!(victim.datagrams.len(), 5, "whoever's address that is");
    for number in 0..10_000u32 {
        let [a, b, c, d] = number.to_be_bytes();
        let peer = SocketAddr::from(([100 + a, b, c, d], 9_999));
        victim.give(Input::Datagram(socket, Datagram::new(peer, ping.clone())));
    }
    assert_eq!(victim.datagrams.len(), 200, "and in all");
    for rubbish in [&b""[..], &b"GET / HTTP/1.1"[..], &[0xff; 200]] {
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        victim.give(Input::Datagram(socket, Datagram::new(peer, rubbish.to_vec())));
    }
    assert_eq!(victim.datagrams.len(), 200);
}

#[test]
fn pongs_and_addresses_fill_no_memory() {
    let mut victim = ultrapeer();
    let mut a = victim.link(1, Role::Ultrapeer, false);
    for number in 0..20_000u32 {
        let addr = SocketAddrV4::new(Ipv4Addr::from(0x0b00_0000 + number), 6346);
        let pong = p2p_gnutella::wire::Pong { addr, files: 1, kilobytes: 64, extensions: Bytes::new() };
        victim.say(&mut a, head(guid(number), Kind::PONG, 3, 2), &Message::Pong(pong));
    }
    assert!(victim.servent().load().hosts <= 1_000);
}

#[test]
fn arbitrary_bytes_break_nothing() {
    for seed in 0..20 {
        let mut rng = Rng::fast_from(seed);
        let mut victim = ultrapeer();
        let deflate = rng.chance(0.3);
        let mut a = victim.link(1, Role::Ultrapeer, deflate);
        let b = victim.link(2, Role::Leaf, false);
        for _ in 0..200 {
            if victim.is_closed(a.conn) {
                break;
            }
            let kinds = [0x00, 0x01, 0x02, 0x30, 0x31, 0x32, 0x40, 0x80, 0x81, 0xcd];
            let kind = Kind(*rng.choose(&kinds).unwrap());
            let len = rng.index(80);
            let mut payload = vec![0; len];
            rng.fill(&mut payload);
            // Bye ends it, which is right.
            let kind = if kind == Kind::BYE { Kind::PING } else { kind };
            let header = Header {
                guid: guid(rng.below(8) as u32),
                kind,
                ttl: rng.below(9) as u8,
                hops: rng.below(4) as u8,
            };
            victim.say(&mut a, header, &Message::Other(kind, payload.into()));
        }
        assert!(!victim.is_closed(b.conn), "seed {seed}");
    }
}
