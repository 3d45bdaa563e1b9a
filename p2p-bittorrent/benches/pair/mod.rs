//! Two clients back to back in memory: no socket, no disk, no digest, no clock. What is left is the machine.

use p2p_bittorrent::metainfo::{Limits, Metainfo};
use p2p_bittorrent::{Client, Command, Config, Timer, Torrent};
use p2p_core::hash::{DigestKind, Digester};
use p2p_core::{
    Bytes, ConnId, Cx, Digest, Duration, Effect, Input, Instant, IoError, Job, JobDone, ListenerId, Machine,
    OpId, OpInput, Rng, Source, Stat, StreamInput, UnixTime,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

const PIECE: usize = 1 << 20;
/// The marks of the tokio driver: bytes queued on a stream at which its machine is told `Full`, and then `Ready`.
const HIGH: usize = 256 * 1024;
const LOW: usize = 128 * 1024;
/// Inputs that one side takes before the other has its turn.
const TURN: usize = 64;
/// What time passes per payload: 8 GiB/s or so, but the same in every run.
const TICK: Duration = Duration::from_nanos(2_000);

struct Side {
    machine: Client,
    source: Source,
    effects: Vec<Effect<Client>>,
    inputs: VecDeque<Input<Client>>,
    /// Bytes on their way to this side.
    net: VecDeque<Bytes>,
    arriving: usize,
    timers: BTreeMap<Timer, Instant>,
    conn: Option<ConnId>,
    listener: Option<ListenerId>,
    paused: bool,
    told_full: bool,
    seeds: bool,
    finished: Option<bool>,
}

/// A seed and a leech. Everything that a machine asks of its disk is there at once.
pub(crate) struct Pair {
    sides: [Side; 2],
    now: Instant,
    content: Bytes,
    digest: Digest,
    total: u64,
    /// Payload that was written.
    pub(crate) written: u64,
}

/// A torrent of one file, all of whose pieces are alike.
fn torrent(pieces: usize, digest: Digest) -> Arc<Metainfo> {
    let mut text = format!(
        "d4:infod6:lengthi{}e4:name4:pair12:piece lengthi{PIECE}e6:pieces{}:",
        PIECE * pieces,
        pieces * 20
    )
    .into_bytes();
    (0..pieces).for_each(|_| text.extend_from_slice(digest.as_ref()));
    text.extend_from_slice(b"ee");
    Arc::new(Metainfo::parse(&text, &Limits::default()).expect("a torrent"))
}

impl Side {
    fn new(seeds: bool) -> Self {
        let mut config = Config::default();
        config.state = None;
        config.listen = seeds.then(|| addr(true));
        Self {
            machine: Client::new(config),
            source: Source::new(Rng::fast_from(u64::from(seeds))),
            effects: Vec::new(),
            inputs: VecDeque::from([Input::Start]),
            net: VecDeque::new(),
            arriving: 0,
            timers: BTreeMap::new(),
            conn: None,
            listener: None,
            paused: false,
            told_full: false,
            seeds,
            finished: None,
        }
    }

    /// The next input: what waits, then what came in, then timers that are due.
    fn next(&mut self, now: Instant) -> Option<Input<Client>> {
        if let Some(input) = self.inputs.pop_front() {
            return Some(input);
        }
        if let (false, Some(conn)) = (self.paused, self.conn)
            && let Some(data) = self.net.pop_front()
        {
            self.arriving -= data.len();
            return Some(Input::Stream(conn, StreamInput::Data(data)));
        }
        let due = self.timers.iter().find(|(_, at)| **at <= now).map(|(timer, _)| *timer)?;
        self.timers.remove(&due);
        Some(Input::Timer(due))
    }
}

fn addr(seed: bool) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, if seed { 1 } else { 2 }], 6881))
}

impl Pair {
    /// A seed of so many pieces of 1 MiB, and a leech that was told of it.
    pub(crate) fn new(pieces: usize) -> Self {
        let content = Bytes::from(vec![0; PIECE]);
        let mut digester = Digester::new(DigestKind::Sha1);
        digester.update(&content);
        let digest = digester.finish();
        let metainfo = torrent(pieces, digest);
        let mut pair = Self {
            sides: [Side::new(true), Side::new(false)],
            now: Instant::from_nanos(1_000_000_000),
            content,
            digest,
            total: (PIECE * pieces) as u64,
            written: 0,
        };
        let ask = |command| Input::Op(OpId::from_raw(1), OpInput::Ask(command));
        let torrent = Torrent::new(metainfo);
        pair.sides[0].inputs.push_back(ask(Command::Seed(Box::new(torrent.clone()))));
        while pair.turn(0) {}
        assert_eq!(pair.sides[0].finished, Some(true), "the seed is checked");
        let leech = Command::Download(Box::new(torrent.with_peers([addr(true)])));
        pair.sides[1].inputs.push_back(ask(leech));
        pair
    }

    /// Runs until so many bytes were written, or all that there are.
    pub(crate) fn run_to(&mut self, bytes: u64) {
        while self.written < bytes.min(self.total) {
            let busy = self.turn(1) | self.turn(0);
            if !busy {
                let next = self.sides.iter().flat_map(|side| side.timers.values()).min().copied();
                self.now = next.expect("nothing left to happen").max(self.now);
            }
        }
    }

    /// Whether the leech says that it is done.
    pub(crate) fn finish(&mut self) -> bool {
        self.run_to(self.total);
        while self.turn(1) | self.turn(0) {}
        self.sides[1].finished == Some(true)
    }

    /// Gives one side its inputs; whether there were any.
    fn turn(&mut self, at: usize) -> bool {
        for n in 0..TURN {
            let side = &mut self.sides[at];
            let Some(input) = side.next(self.now) else { return n > 0 };
            if matches!(&input, Input::Stream(_, StreamInput::Data(data)) if data.len() > 1000) {
                self.now += TICK;
            }
            let mut effects = std::mem::take(&mut side.effects);
            let mut cx =
                Cx::new(self.now, UnixTime::from_secs(1_700_000_000), &mut side.source, &mut effects);
            side.machine.handle(input, &mut cx);
            for effect in effects.drain(..) {
                self.carry_out(at, effect);
            }
            self.sides[at].effects = effects;
            self.relieve(1 - at);
        }
        true
    }

    /// Tells the sender that there is room again, once there is.
    fn relieve(&mut self, sender: usize) {
        if self.sides[sender].told_full && self.sides[1 - sender].arriving <= LOW {
            let side = &mut self.sides[sender];
            side.told_full = false;
            if let Some(conn) = side.conn {
                side.inputs.push_back(Input::Stream(conn, StreamInput::Ready));
            }
        }
    }

    fn carry_out(&mut self, at: usize, effect: Effect<Client>) {
        match effect {
            Effect::Listen(id, addr, _) => {
                self.sides[at].listener = Some(id);
                self.sides[at].inputs.push_back(Input::Listener(id, Ok(addr)));
            }
            Effect::Connect(id, ..) => {
                let open = |peer, listener| StreamInput::Open { peer, listener };
                let other = &mut self.sides[1 - at];
                let accepted = ConnId::from_raw(other.source.draw());
                other.conn = Some(accepted);
                let listener = other.listener;
                other.inputs.push_back(Input::Stream(accepted, open(addr(false), listener)));
                self.sides[at].conn = Some(id);
                self.sides[at].inputs.push_back(Input::Stream(id, open(addr(true), None)));
            }
            Effect::Send(conn, data) => {
                let other = &mut self.sides[1 - at];
                other.arriving += data.len();
                other.net.push_back(data);
                if other.arriving >= HIGH && !std::mem::replace(&mut self.sides[at].told_full, true) {
                    self.sides[at].inputs.push_back(Input::Stream(conn, StreamInput::Full));
                }
            }
            Effect::Pause(_, paused) => self.sides[at].paused = paused,
            Effect::Close(_) | Effect::Abort(_) => {
                self.sides[at].conn = None;
                if let Some(conn) = self.sides[1 - at].conn.take() {
                    self.sides[1 - at].inputs.push_back(Input::Stream(conn, StreamInput::Closed(Ok(()))));
                }
            }
            Effect::SetTimer(timer, due) => drop(self.sides[at].timers.insert(timer, due)),
            Effect::ClearTimer(timer) => drop(self.sides[at].timers.remove(&timer)),
            Effect::Run(id, job) => {
                let done = self.job(at, job);
                self.sides[at].inputs.push_back(Input::Job(id, done));
            }
            Effect::Finish(_, result) => self.sides[at].finished = Some(result.is_ok()),
            _ => {}
        }
    }

    fn job(&mut self, at: usize, job: Job) -> JobDone {
        match job {
            Job::Read { spans } => {
                let (begin, len) =
                    (spans[0].offset as usize % PIECE, spans.iter().map(|span| span.len).sum::<u64>());
                JobDone::Read(Ok(self.content.slice(begin..begin + len as usize)))
            }
            Job::Write { data, .. } => {
                self.written += data.iter().map(|part| part.len() as u64).sum::<u64>();
                // No digest is run along: the machine asks for that of the whole piece.
                JobDone::Written { result: Ok(()), digest: None }
            }
            Job::DigestSpans { .. } => JobDone::Digest(Ok(self.digest)),
            Job::Stat { .. } => {
                let stat = Stat { len: self.total, modified: UnixTime::from_secs(1) };
                JobDone::Stat(Ok(self.sides[at].seeds.then_some(stat)))
            }
            Job::Load { .. } => JobDone::Read(Err(IoError::NotFound)),
            _ => JobDone::Done(Ok(())),
        }
    }
}
