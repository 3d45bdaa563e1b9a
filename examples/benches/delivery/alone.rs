//! Machines outside of any driver, that hear each other at once: what one of them costs by itself.

use ed25519_dalek::{Signer, SigningKey};
use p2p_core::{Bytes, Cx, Datagram, Effect, Input, Instant, Machine, OpInput, Rng, UnixTime};
use p2p_core::{OpId, SocketId, Source};
use p2p_esm::playout::Output;
use p2p_esm::symbol::Symbol;
use p2p_esm::{Command, Config, Esm, Event, LARGEST_PACKET, Shape, SourceKey, Timer, manifest};
use p2p_examples::cost::cpu;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Children of the member that is measured.
pub(super) const CHILDREN: usize = 4;
/// Packets that the source is given at a time: one batch.
const PORTION: usize = 16;
/// It is measured in so many parts.
const PARTS: usize = 20;
/// How far time moves on at a time.
const STEP: Duration = Duration::from_millis(10);

/// What passing a packet on takes, in microseconds.
pub(super) struct Cost {
    /// All of it.
    pub(super) whole: f64,
    /// Digests and signatures.
    pub(super) cryptography: f64,
}

/// A machine, its timers, and what it wants.
struct Alone {
    machine: Esm,
    source: Source,
    now: Instant,
    timers: BTreeMap<Timer, Instant>,
    effects: Vec<Effect<Esm>>,
    at: SocketAddr,
    socket: SocketId,
    /// Operations that succeeded.
    done: Vec<OpId>,
    /// What it sent, and nobody has heard yet.
    sent: Vec<(SocketAddr, Bytes)>,
}

impl Alone {
    /// It begins.
    fn new(port: u16, config: Config) -> Self {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut alone = Self {
            machine: Esm::new(config),
            source: Source::new(Rng::fast_from(port.into())),
            now: Instant::ZERO,
            timers: BTreeMap::new(),
            effects: Vec::new(),
            at,
            socket: SocketId::from_raw(0),
            done: Vec::new(),
            sent: Vec::new(),
        };
        alone.give(Input::Start);
        let bound = alone.effects.drain(..).find_map(|effect| match effect {
            Effect::Bind(socket, _) => Some(socket),
            _ => None,
        });
        alone.socket = bound.expect("a socket");
        alone.give(Input::Bound(alone.socket, Ok(at)));
        alone
    }

    fn give(&mut self, input: Input<Esm>) {
        let mut cx = Cx::new(self.now, UnixTime::from_secs(1), &mut self.source, &mut self.effects);
        self.machine.handle(input, &mut cx);
    }

    fn ask(&mut self, op: u64, command: Command) {
        self.give(Input::Op(OpId::from_raw(op), OpInput::Ask(command)));
    }

    fn hear(&mut self, from: SocketAddr, data: Bytes) {
        self.give(Input::Datagram(self.socket, Datagram::new(from, data)));
    }

    /// Time moves on, and timers fire.
    fn wait(&mut self, step: Duration) {
        self.now += step;
        while let Some((timer, _)) = self.timers.iter().find(|(_, due)| **due <= self.now) {
            let timer = *timer;
            self.timers.remove(&timer);
            self.give(Input::Timer(timer));
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        for effect in self.effects.drain(..) {
            match effect {
                Effect::SendTo(_, datagram) => self.sent.push((datagram.peer, datagram.data)),
                Effect::SetTimer(timer, at) => {
                    self.timers.insert(timer, at);
                }
                Effect::ClearTimer(timer) => {
                    self.timers.remove(&timer);
                }
                Effect::Finish(op, Ok(())) => self.done.push(op),
                _ => {}
            }
        }
    }
}

/// All of them hear what the others said.
fn exchange(all: &mut [Alone]) {
    loop {
        let mut under_way = Vec::new();
        for one in &mut *all {
            one.carry_out();
            under_way.extend(one.sent.drain(..).map(|(to, data)| (one.at, to, data)));
        }
        if under_way.is_empty() {
            return;
        }
        for (from, to, data) in under_way {
            if let Some(one) = all.iter_mut().find(|one| one.at == to) {
                one.hear(from, data);
            }
        }
    }
}

/// All of them live until this operation succeeded at the last of them.
fn settle(all: &mut [Alone], op: u64) {
    let is_done = |all: &[Alone]| all.last().is_some_and(|one| one.done.contains(&OpId::from_raw(op)));
    for _ in 0..1_000 {
        exchange(all);
        if is_done(all) {
            return;
        }
        all.iter_mut().for_each(|one| one.wait(STEP));
    }
    panic!("no place in ten seconds");
}

/// What a member takes to pass `packets` on to [`CHILDREN`] children and to its own viewer: each arrives at once, and is
/// counted.
pub(super) fn cost(rate: u32, packets: usize) -> Cost {
    let shape = Shape::SINGLE;
    let key = SourceKey::new([7; 32]);
    let group = key.group();
    let member = |upload| {
        let mut config = Config::default();
        (config.shape, config.rate, config.upload) = (shape, rate, upload);
        config
    };
    // Enough for one child.
    let mut source = member(rate + rate / 10);
    source.source = Some(key);
    let mut all = vec![Alone::new(1, source)];
    all[0].ask(1, Command::Broadcast);
    settle(&mut all, 1);
    for port in 2..3 + CHILDREN as u16 {
        let (parent, upload) = if port == 2 { (0, 5 * rate) } else { (1, 0) };
        let parent = all[parent].at;
        let mut one = Alone::new(port, member(upload));
        one.now = all[0].now;
        one.ask(2, Command::Join { group, by: vec![parent] });
        all.push(one);
        settle(&mut all, 2);
    }
    for (at, one) in all.iter().enumerate().skip(1) {
        let above = all[usize::from(at > 1)].at;
        assert!(one.machine.parents().all(|parent| parent == Some(above)), "member {at}");
    }
    let fed = all[1].machine.children().map(|tree| tree.len()).collect::<Vec<_>>();
    assert!(fed.iter().all(|fed| *fed == CHILDREN), "{fed:?} children");

    let packet = Bytes::from(Rng::fast_from(1).bytes::<LARGEST_PACKET>().to_vec());
    let mut datagrams = Vec::new();
    for portion in 0..packets / PORTION {
        all[0].ask(100 + portion as u64, Command::Send(vec![packet.clone(); PORTION]));
        all[0].carry_out();
        datagrams.append(&mut all[0].sent);
    }
    let [source, member, ..] = &mut all[..] else { unreachable!("a source, and who joined it") };
    assert!(datagrams.iter().all(|(to, _)| *to == member.at));
    member.ask(9, Command::Watch);
    member.carry_out();
    let (mut sent, mut played) = (0, 0);
    let key = SigningKey::from_bytes(&[7; 32]);
    let verifier = key.verifying_key();
    let (mut whole, mut cryptography) = (Duration::ZERO, Duration::ZERO);
    // Both in turn, so that both find the same machine.
    for part in datagrams.chunks(datagrams.len().div_ceil(PARTS)) {
        let began = cpu();
        for (_, data) in part {
            member.hear(source.at, data.clone());
            for effect in member.effects.drain(..) {
                match effect {
                    Effect::SendTo(..) => sent += 1,
                    Effect::Event(_, Event::Output(Output::Packet { .. })) => played += 1,
                    _ => {}
                }
            }
        }
        whole += cpu() - began;
        // The same digests and signatures alone.
        let is_manifest = |data: &Bytes| data.first() == Some(&manifest::KIND);
        let manifests = part.iter().map(|(_, data)| data).filter(|data| is_manifest(data));
        let signed: Vec<_> = manifests.map(|data| (data, key.sign(data))).collect();
        let began = cpu();
        for n in 0..(part.len() - signed.len()) as u64 {
            std::hint::black_box(Symbol::digest(n, 0, &packet));
        }
        for (data, signature) in &signed {
            assert!(verifier.verify_strict(data, signature).is_ok());
        }
        cryptography += cpu() - began;
    }
    assert_eq!(played, packets, "packets for the viewer: {:?}", member.machine.counts());
    assert_eq!(sent, datagrams.len() * CHILDREN, "datagrams for the children: {:?}", member.machine.counts());
    let each = |took: Duration| took.as_secs_f64() * 1e6 / packets as f64;
    Cost { whole: each(whole), cryptography: each(cryptography) }
}
