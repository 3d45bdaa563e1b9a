//! What a delivered packet costs: a source and 31 viewers over loopback UDP, each with a socket and a driver of its own, in
//! one process; and one member's core alone. `cargo bench -p p2p-examples --bench delivery`; `-- --check` fails when a goal is
//! missed.

use p2p_core::{Bytes, Cx, Datagram, Effect, Input, Instant, Machine, OpInput, Rng, UnixTime};
use p2p_core::{OpId, SocketId, Source};
use p2p_esm::playout::Output;
use p2p_esm::symbol::Symbol;
use p2p_esm::{Announcement, Command, Config, Esm, Event, LARGEST_PACKET, Shape, SharedKey, SourceKey};
use p2p_examples::cost::cpu;
use p2p_transport_tokio::{Options, Running, spawn};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

const MEMBERS: usize = 32;
/// Bytes in a second of the stream: what 32 members of one process pass on without loss on one busy core.
const RATE: u32 = 3_000_000;
/// Megabytes delivered for a second of CPU (issue 6's table), encrypted and not.
const CLOSED: f64 = 100.0;
const OPEN: f64 = 400.0;
/// Bytes on the wire for one of the stream and one that the code adds.
const WIRE: f64 = 1.08;
/// Heads of IPv4 and UDP.
const HEADS: u64 = 28;

fn config(shape: Shape, shared: Option<SharedKey>) -> Config {
    let mut config = Config::default();
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    (config.shape, config.shared) = (shape, shared);
    (config.rate, config.upload) = (RATE, 5 * RATE);
    config
}

fn options() -> Options {
    let mut options = Options::default();
    options.datagrams = 4_096;
    options.datagram_buffer = 4 << 20;
    options
}

struct Cost {
    /// Megabytes delivered for a second of CPU.
    speed: f64,
    /// Bytes on the wire for one that was delivered.
    wire: f64,
    delivered: f64,
}

async fn delivery(shape: Shape, shared: Option<SharedKey>, packets: usize) -> Cost {
    let key = SourceKey::new([7; 32]);
    let group = key.group();
    let mut at_source = config(shape, shared.clone());
    at_source.source = Some(key);
    let mut source = spawn(Esm::new(at_source), options());
    source.node.run(Command::Broadcast).await.expect("a source");
    let at = loop {
        if let Some(Event::Listening(at)) = source.news.next().await {
            break at;
        }
    };
    let mut members: Vec<Running<Esm>> = Vec::new();
    for _ in 1..MEMBERS {
        let member = spawn(Esm::new(config(shape, shared.clone())), options());
        member.node.run(Command::Join { group, by: vec![at] }).await.expect("a place");
        members.push(member);
    }
    let watching: Vec<_> = members
        .iter()
        .map(|member| {
            let mut watch = member.node.ask(Command::Watch);
            tokio::spawn(async move {
                let mut bytes = 0_u64;
                while let Ok(Some(event)) = watch.try_next().await {
                    if let Event::Output(Output::Packet { data, .. }) = event {
                        bytes += data.len() as u64;
                    }
                }
                bytes
            })
        })
        .collect();
    // Everybody has found a place that stays.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let packet = Bytes::from(Rng::fast_from(1).bytes::<LARGEST_PACKET>().to_vec());
    let began = cpu();
    // As a source has them that reads now and then: fifty times in a second.
    let portion = 64;
    let mut turns =
        tokio::time::interval(Duration::from_secs_f64((portion * LARGEST_PACKET) as f64 / f64::from(RATE)));
    for at in 0..packets / portion {
        turns.tick().await;
        let part = vec![packet.clone(); portion];
        let command =
            if (at + 1) * portion == packets { Command::SendLast(part) } else { Command::Send(part) };
        source.node.run(command).await.expect("it is sent");
    }
    let mut bytes = 0;
    for watching in watching {
        bytes += watching.await.expect("a viewer");
    }
    let took = cpu() - began;
    let (mut wire, mut counts) = (0, vec![source.stop().await.counts()]);
    let leaving: Vec<_> = members.into_iter().map(|member| tokio::spawn(member.stop())).collect();
    for left in leaving {
        counts.push(left.await.expect("a member").counts());
    }
    for count in counts {
        wire += count.sent_bytes + count.control + (count.sent + count.control_sent) * HEADS;
    }
    let all = ((MEMBERS - 1) * packets * LARGEST_PACKET) as f64;
    Cost {
        speed: bytes as f64 / 1e6 / took.as_secs_f64(),
        wire: wire as f64 / bytes as f64,
        delivered: bytes as f64 / all,
    }
}

/// A machine outside of any driver.
struct Alone {
    machine: Esm,
    source: Source,
    now: Instant,
    effects: Vec<Effect<Esm>>,
}

impl Alone {
    fn new(seed: u64, config: Config) -> Self {
        let source = Source::new(Rng::fast_from(seed));
        Self { machine: Esm::new(config), source, now: Instant::ZERO, effects: Vec::new() }
    }

    fn give(&mut self, input: Input<Esm>) {
        let mut cx = Cx::new(self.now, UnixTime::from_secs(1), &mut self.source, &mut self.effects);
        self.machine.handle(input, &mut cx);
    }

    /// Begins, at this address.
    fn begin(&mut self, at: SocketAddr) -> SocketId {
        self.give(Input::Start);
        let socket = self.effects.iter().find_map(|effect| match effect {
            Effect::Bind(socket, ..) => Some(*socket),
            _ => None,
        });
        let socket = socket.expect("a socket");
        self.give(Input::Bound(socket, Ok(at)));
        socket
    }

    /// What it sent.
    fn sent(&mut self) -> Vec<(SocketAddr, Bytes)> {
        let sent = self.effects.drain(..).filter_map(|effect| match effect {
            Effect::SendTo(_, datagram) => Some((datagram.peer, datagram.data)),
            _ => None,
        });
        sent.collect()
    }
}

/// Microseconds that a member takes to pass a packet on to four children and to its own viewer, and those of it that are
/// digests and signatures.
fn core(packets: usize) -> (f64, f64) {
    let shape = Shape::SINGLE;
    let key = SourceKey::new([7; 32]);
    let group = key.group();
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let settings = config(shape, None);
    let mut source_settings = settings.clone();
    source_settings.source = Some(key);
    // Enough for one child.
    source_settings.upload = RATE + RATE / 10;
    let (mut source, mut member) = (Alone::new(1, source_settings), Alone::new(2, settings.clone()));
    let mut children: Vec<_> = (3..7)
        .map(|n| {
            let mut settings = settings.clone();
            settings.upload = 0;
            Alone::new(n, settings)
        })
        .collect();
    let (to_source, to_member) = (source.begin(at(1)), member.begin(at(2)));
    let sockets: Vec<_> = (3..).zip(&mut children).map(|(port, child)| child.begin(at(port))).collect();
    source.give(Input::Op(OpId::from_raw(1), OpInput::Ask(Command::Broadcast)));
    let join = |by| OpInput::Ask(Command::Join { group, by: vec![by] });
    member.give(Input::Op(OpId::from_raw(1), join(at(1))));
    // What they say to each other until all have their places.
    for round in 0..200 {
        if round == 100 {
            for child in &mut children {
                child.give(Input::Op(OpId::from_raw(1), join(at(2))));
            }
        }
        let mut under_way: Vec<(SocketAddr, SocketAddr, Bytes)> = Vec::new();
        for (port, one) in (1..).zip([&mut source, &mut member].into_iter().chain(&mut children)) {
            under_way.extend(one.sent().into_iter().map(|(to, data)| (at(port), to, data)));
            one.now += Duration::from_millis(100);
            if round % 2 == 1 {
                one.give(Input::Timer(p2p_esm::Timer::Tick));
                one.give(Input::Timer(p2p_esm::Timer::Overdue));
            }
        }
        for (from, to, data) in under_way {
            let datagram = Datagram::new(from, data);
            match to.port() {
                1 => source.give(Input::Datagram(to_source, datagram)),
                2 => member.give(Input::Datagram(to_member, datagram)),
                port => {
                    let n = usize::from(port) - 3;
                    children[n].give(Input::Datagram(sockets[n], datagram));
                }
            }
        }
    }
    let fed = member.machine.children().map(|tree| tree.len()).sum::<usize>();
    assert!(fed >= 3, "{fed} children; {:?}, {:?}", member.machine.counts(), children[1].machine.counts());
    member.give(Input::Op(OpId::from_raw(9), OpInput::Ask(Command::Watch)));
    source.sent();
    member.effects.clear();
    let packet = Bytes::from(Rng::fast_from(1).bytes::<LARGEST_PACKET>().to_vec());
    let mut datagrams = Vec::new();
    for n in 0..packets / 16 {
        source.give(Input::Op(
            OpId::from_raw(100 + n as u64),
            OpInput::Ask(Command::Send(vec![packet.clone(); 16])),
        ));
        datagrams.extend(source.sent().into_iter().filter(|(to, _)| *to == at(2)).map(|(_, data)| data));
    }
    let began = cpu();
    for data in &datagrams {
        member.give(Input::Datagram(to_member, Datagram::new(at(1), data.clone())));
        member.effects.clear();
    }
    let whole = (cpu() - began).as_secs_f64() * 1e6 / packets as f64;
    assert!(member.machine.counts().symbols >= packets as u64, "{:?}", member.machine.counts());
    // The same digests and signatures alone.
    let began = cpu();
    for n in 0..packets as u64 {
        std::hint::black_box(Symbol::digest(n, 0, &packet));
    }
    let announcement =
        Announcement::sign(&ed25519_dalek::SigningKey::from_bytes(&[7; 32]), [0; 16], 1, RATE, shape, None);
    for _ in 0..packets / 16 {
        assert!(announcement.broadcast(group).is_some());
    }
    let cryptography = (cpu() - began).as_secs_f64() * 1e6 / packets as f64;
    (whole, cryptography)
}

fn main() -> ExitCode {
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    let packets = if has("--test") { 192 } else { 3_200 };
    let say = |text: std::fmt::Arguments<'_>| {
        let _ = writeln!(std::io::stdout(), "{text}");
    };
    let (whole, cryptography) = core(packets * 10);
    say(format_args!(
        "a member alone: {whole:.2} us a packet to 4 children and a viewer, {cryptography:.2} of it digests and signatures"
    ));
    let mut met = whole - cryptography <= 1.0;
    let key = SharedKey::new([3; 32]);
    for (name, shape) in [("one tree", Shape::SINGLE), ("6 of 4 trees", Shape::SIX_OF_FOUR)] {
        for (kind, shared, goal) in [("open", None, OPEN), ("closed", Some(key.clone()), CLOSED)] {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let cost = runtime.expect("a runtime").block_on(delivery(shape, shared, packets));
            let wire = cost.wire / shape.expansion();
            say(format_args!(
                "{MEMBERS} members, {name}, {kind}: {:.0} MB for a second of CPU (goal {goal}), {wire:.3} times the \
                 expansion on the wire (goal {WIRE}), {:.4} delivered",
                cost.speed, cost.delivered
            ));
            met &= wire <= WIRE && (cost.speed >= goal || shape != Shape::SINGLE);
        }
    }
    if has("--check") && !met { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
