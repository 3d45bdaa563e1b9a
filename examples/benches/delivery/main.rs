//! What a delivered packet costs: a source and 31 viewers over loopback UDP, each with a socket and a driver of its own, in
//! one process; and one member's core alone. `cargo bench -p p2p-examples --bench delivery`; `-- --check` fails when a goal is
//! missed, `-- "one tree, open"` runs that one only.

mod alone;

use alone::CHILDREN;
use p2p_core::{Bytes, Rng};
use p2p_esm::playout::Output;
use p2p_esm::{Command, Config, Esm, Event, LARGEST_PACKET, Shape, SharedKey, SourceKey};
use p2p_examples::cost::cpu;
use p2p_transport_tokio::{Options, Running, spawn};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const MEMBERS: usize = 32;
/// Bytes in a second of the stream.
const RATE: u32 = 9_000_000;
/// Megabytes delivered for a second of CPU (issue 6's table), encrypted and not.
const CLOSED: f64 = 100.0;
const OPEN: f64 = 400.0;
/// Microseconds that the machine takes for a packet, cryptography apart.
const CORE: f64 = 1.0;
/// Bytes on the wire for one of the stream and one that the code adds.
const WIRE: f64 = 1.08;
/// Packets that the source is given at a time, 36 times in a second.
const PORTION: usize = 192;
/// Packets that are kept for others, by each member.
const HISTORY: usize = 1_024;
/// Heads of IPv4 and UDP.
const HEADS: u64 = 28;

fn config(shape: Shape, shared: Option<SharedKey>) -> Config {
    let mut config = Config::default();
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    (config.shape, config.shared) = (shape, shared);
    (config.rate, config.upload) = (RATE, 5 * RATE);
    // Nothing is given up, however slow the machine is: all of it is there to be asked for.
    config.patience = Duration::from_secs(600);
    config.history = HISTORY / usize::from(shape.data());
    config.window = 4 * config.history;
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
    let joining = (1..MEMBERS).map(|_| {
        let member = spawn(Esm::new(config(shape, shared.clone())), options());
        tokio::spawn(async move {
            member.node.run(Command::Join { group, by: vec![at] }).await.expect("a place");
            member
        })
    });
    let mut members: Vec<Running<Esm>> = Vec::new();
    for joining in joining.collect::<Vec<_>>() {
        members.push(joining.await.expect("a member"));
    }
    let played: Vec<Arc<AtomicUsize>> = members.iter().map(|_| Arc::default()).collect();
    for (member, played) in members.iter().zip(&played) {
        let (mut watch, played) = (member.node.ask(Command::Watch), Arc::clone(played));
        tokio::spawn(async move {
            while let Ok(Some(event)) = watch.try_next().await {
                if let Event::Output(Output::Packet { data, .. }) = event {
                    assert_eq!(data.len(), LARGEST_PACKET);
                    played.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    // Everybody has found a place that stays.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let packet = Bytes::from(Rng::fast_from(1).bytes::<LARGEST_PACKET>().to_vec());
    let turn = Duration::from_secs_f64((PORTION * LARGEST_PACKET) as f64 / f64::from(RATE));
    let mut turns = tokio::time::interval(turn);
    let mut sent = 0;
    // Nothing follows before what was sent is with everybody: a slow machine has a slower stream, and loses nothing.
    let mut broadcast = async |portions: usize| {
        for _ in 0..portions {
            turns.tick().await;
            source.node.run(Command::Send(vec![packet.clone(); PORTION])).await.expect("it is sent");
            sent += PORTION;
            while played.iter().any(|played| played.load(Ordering::Relaxed) < sent) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    // As long as it takes until history is full, and memory is used again.
    let before = HISTORY.min(packets).div_ceil(PORTION);
    broadcast(before).await;
    let began = cpu();
    broadcast(packets / PORTION).await;
    let took = cpu() - began;
    let all = before * PORTION + packets;
    for played in &played {
        assert_eq!(played.load(Ordering::Relaxed), all, "packets that a viewer was given");
    }
    let (mut wire, mut counts) = (0, vec![source.stop().await.counts()]);
    let leaving: Vec<_> = members.into_iter().map(|member| tokio::spawn(member.stop())).collect();
    for left in leaving {
        counts.push(left.await.expect("a member").counts());
    }
    for count in counts {
        wire += count.sent_bytes + count.control.all().with_heads(HEADS) + count.sent * HEADS;
    }
    let bytes = |packets: usize| ((MEMBERS - 1) * packets * LARGEST_PACKET) as f64;
    Cost { speed: bytes(packets) / 1e6 / took.as_secs_f64(), wire: wire as f64 / bytes(all) }
}

fn main() -> ExitCode {
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let packets = if has("--test") { PORTION } else { 20 * PORTION };
    let say = |text: std::fmt::Arguments<'_>| {
        let _ = writeln!(std::io::stdout(), "{text}");
    };
    let mut met = true;
    if only.is_none() {
        let alone::Cost { whole, cryptography } = alone::cost(RATE, packets * 10);
        let core = whole - cryptography;
        say(format_args!(
            "a member alone, one tree: {core:.2} us a packet to {CHILDREN} children and a viewer (goal {CORE}), and \
             {cryptography:.2} us of digests and signatures"
        ));
        met &= core <= CORE;
    }
    let key = SharedKey::new([3; 32]);
    for (name, shape) in [("one tree", Shape::SINGLE), ("6 of 4 trees", Shape::SIX_OF_FOUR)] {
        for (kind, shared, goal) in [("open", None, OPEN), ("closed", Some(key.clone()), CLOSED)] {
            if only.as_ref().is_some_and(|only| *only != format!("{name}, {kind}")) {
                continue;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let cost = runtime.expect("a runtime").block_on(delivery(shape, shared, packets));
            let wire = cost.wire / shape.expansion();
            say(format_args!(
                "{MEMBERS} members, {name}, {kind}: {:.0} MB for a second of CPU (goal {goal}), {wire:.3} times the \
                 expansion on the wire (goal {WIRE})",
                cost.speed
            ));
            met &= wire <= WIRE && (cost.speed >= goal || shape != Shape::SINGLE);
        }
    }
    if has("--check") && !met { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
