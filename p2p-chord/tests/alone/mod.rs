//! One member of a ring that is not there: [`Alone`], with its clock and its timers, and whoever sends it something.
#![allow(dead_code, reason = "shared by tests of which each needs a part")]

use bytes::{Bytes, BytesMut};
use p2p_chord::wire::{Answer, Ask, Packet};
use p2p_chord::{Chord, Command, Config, Peer, Timer};
use p2p_core::{
    Cx, Datagram, Duration, Effect, Input, Instant, Machine, OpId, OpInput, Rng, SocketId, Source, UnixTime,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A machine, and what it wants of the world.
pub(crate) struct Alone {
    pub(crate) node: Chord,
    pub(crate) config: Config,
    source: Source,
    now: Instant,
    timers: BTreeMap<Timer, Instant>,
    effects: Vec<Effect<Chord>>,
    /// Datagrams that it sent and nobody looked at.
    pub(crate) sent: Vec<Datagram>,
    transaction: u32,
}

/// Those around it, in order, the node itself at [`ME`].
pub(crate) fn peers(config: &Config) -> Vec<Peer> {
    let peer = |last: u8| Peer::new(config.network, SocketAddr::from(([10, 0, 0, last], 4000)));
    let mut peers: Vec<Peer> = (1..=200).map(peer).collect();
    peers.sort_by_key(Peer::id);
    peers
}

pub(crate) const ME: usize = 100;

impl Alone {
    /// A member of a large ring.
    pub(crate) fn member(config: Config) -> Self {
        let peers = peers(&config);
        let successors = &peers[ME + 1..=ME + config.successors];
        let fingers = peers[ME + 1 + config.successors..].iter().copied();
        let node = Chord::settled(config.clone(), peers[ME], peers[ME - 1], successors, fingers);
        Self::run(node, config)
    }

    /// One that founded a ring; with [`Config::routes`] off, or a command, it may be something else.
    pub(crate) fn with(mut config: Config, command: Option<Command>) -> Self {
        config.advertised = Some(SocketAddr::from(([10, 0, 0, 250], 4000)));
        let mut alone = Self::run(Chord::new(config.clone()), config);
        if let Some(command) = command {
            alone.input(Input::Op(OpId::from_raw(1), OpInput::Ask(command)));
        }
        alone
    }

    fn run(node: Chord, config: Config) -> Self {
        let (timers, effects, sent) = (BTreeMap::new(), Vec::new(), Vec::new());
        let source = Source::new(Rng::fast_from(1));
        let mut alone =
            Self { node, config, source, now: Instant::ZERO, timers, effects, sent, transaction: 0 };
        alone.input(Input::Start);
        alone
    }

    pub(crate) fn input(&mut self, input: Input<Chord>) {
        let civil = UnixTime::from_secs(1_767_225_600 + self.now.since(Instant::ZERO).as_secs());
        self.node.handle(input, &mut Cx::new(self.now, civil, &mut self.source, &mut self.effects));
        for effect in self.effects.drain(..) {
            match effect {
                Effect::SetTimer(timer, at) => drop(self.timers.insert(timer, at)),
                Effect::ClearTimer(timer) => drop(self.timers.remove(&timer)),
                Effect::SendTo(_, datagram) => self.sent.push(datagram),
                _ => {}
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some((timer, at)) =
            self.timers.iter().map(|(timer, at)| (*timer, *at)).min_by_key(|(_, at)| *at)
            && at <= until
        {
            self.now = self.now.max(at);
            self.timers.remove(&timer);
            self.input(Input::Timer(timer));
        }
        self.now = until;
    }

    pub(crate) fn encode(&self, packet: &Packet) -> Bytes {
        packet.encode(self.config.network, 0, &mut BytesMut::new())
    }

    /// Somebody sends it bytes.
    pub(crate) fn hear(&mut self, from: SocketAddr, data: Bytes) {
        self.input(Input::Datagram(SocketId::from_raw(1), Datagram::new(from, data)));
    }

    /// Somebody asks it; the answers, with the token of each.
    pub(crate) fn ask(&mut self, from: SocketAddr, token: u32, ask: Ask) -> Vec<(u32, Answer)> {
        self.transaction += 1;
        let transaction = self.transaction;
        let data = self.encode(&Packet::Ask { transaction, token, member: true, ask });
        self.sent.clear();
        self.hear(from, data);
        let network = self.config.network;
        let to_them = self.sent.iter().filter(|datagram| datagram.peer == from);
        to_them
            .filter_map(|datagram| match Packet::decode(&datagram.data, network) {
                Ok(Packet::Answer { token, answer, .. }) => Some((token, answer)),
                _ => None,
            })
            .collect()
    }

    /// Its neighbours keep what they are asked to.
    pub(crate) fn answer_keeps(&mut self) {
        for datagram in core::mem::take(&mut self.sent) {
            if let Ok(Packet::Ask { transaction, ask: Ask::Keep(copies), .. }) =
                Packet::decode(&datagram.data, self.config.network)
            {
                let answer = Answer::Kept(vec![None; copies.len()]);
                let data = self.encode(&Packet::Answer { transaction, token: 1, answer });
                self.hear(datagram.peer, data);
            }
        }
    }

    /// The token that proves an address.
    pub(crate) fn token_of(&mut self, from: SocketAddr) -> u32 {
        self.ask(from, 0, Ask::Enter).first().map_or(0, |(token, _)| *token)
    }
}
