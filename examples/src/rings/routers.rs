//! A quarter of the nodes lie about lookups: Castro et al. 2002, "Secure routing for structured peer-to-peer overlay
//! networks".

use super::settled::fingers;
use super::{Profile, Spread};
use bytes::BytesMut;
use p2p_chord::record::{Kind, Record};
use p2p_chord::wire::{Answer, Ask, Packet};
use p2p_chord::{Chord, Command, Config, Error, Event, Get, NetworkId, Peer, Put, Report, RingId, Timer};
use p2p_core::{Cx, Datagram, Duration, Effect, Input, Machine, OpId, Own, Rng};
use p2p_sim::{NodeIx, Sim, Uniform};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// How liars answer who looks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// With those of their band that are nearest before the place, and these say that their band is responsible.
    Lead,
    /// They say that those of their band behind the place are responsible.
    Claim,
    /// Not at all.
    Silence,
    /// That nothing is stored there.
    Absent,
    /// With any of these, by dice.
    Any,
}

/// Those that lie, around the ring: they know each other.
#[derive(Debug)]
struct Band {
    peers: Vec<Peer>,
    network: NetworkId,
    lie: Lie,
}

impl Band {
    /// Some of the band from a place on, clockwise.
    fn behind(&self, place: RingId) -> impl Iterator<Item = &Peer> {
        let from = self.peers.partition_point(|peer| peer.id() < place);
        self.peers[from..].iter().chain(&self.peers[..from])
    }

    /// And back from it.
    fn before(&self, place: RingId) -> impl Iterator<Item = &Peer> {
        let from = self.peers.partition_point(|peer| peer.id() < place);
        self.peers[..from].iter().rev().chain(self.peers[from..].iter().rev())
    }

    /// What this member answers; `None` is silence, `Some(None)` the truth.
    fn answer(&self, me: Peer, ask: &Ask, rng: &mut Rng) -> Option<Option<Answer>> {
        let (place, routed) = match ask {
            Ask::Step(place) => (*place, true),
            Ask::Get { key, routed, .. } => (*key, *routed),
            _ => return Some(None),
        };
        let any = [Lie::Lead, Lie::Claim, Lie::Silence, Lie::Absent];
        let lie = if self.lie == Lie::Any { any[rng.index(any.len())] } else { self.lie };
        let owners = || Answer::Owners(self.behind(place).take(8).map(Peer::place).collect());
        Some(Some(match lie {
            Lie::Silence => return None,
            _ if !routed => Answer::Records(Vec::new()),
            Lie::Absent if matches!(ask, Ask::Get { .. }) => Answer::Records(Vec::new()),
            Lie::Lead => {
                let reach = me.id().distance_to(place);
                let is_nearer = |peer: &&Peer| peer.id().distance_to(place) < reach;
                let nearer: Vec<_> =
                    self.before(place).take_while(is_nearer).take(8).map(Peer::place).collect();
                if nearer.is_empty() { owners() } else { Answer::Closer(nearer) }
            }
            _ => owners(),
        }))
    }
}

/// A node that keeps to the rules of the ring, and may lie to whoever looks for something.
#[derive(Debug)]
pub struct Router {
    chord: Chord,
    me: Peer,
    band: Option<Arc<Band>>,
}

impl Machine for Router {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        if let (Some(band), Input::Datagram(socket, datagram)) = (&self.band, &input)
            && let Ok(Packet::Ask { transaction, ask, .. }) = Packet::decode(&datagram.data, band.network)
        {
            match band.answer(self.me, &ask, cx.rng()) {
                None => return,
                Some(Some(answer)) => {
                    let packet = Packet::Answer { transaction, token: 1, answer };
                    let data = packet.encode(band.network, 0, &mut BytesMut::new());
                    return cx.push(Effect::SendTo(*socket, Datagram::new(datagram.peer, data)));
                }
                Some(None) => {}
            }
        }
        let Some(input) = input.narrow::<Chord>(Some, Some) else { return };
        let mut effects = Vec::new();
        cx.lend(&mut effects, |cx| self.chord.handle(input, cx));
        for effect in effects {
            let own = |own| {
                Some(match own {
                    Own::Event(op, event) => Effect::Event(op, event),
                    Own::Finish(op, result) => Effect::Finish(op, result),
                    Own::Halt => Effect::Halt,
                })
            };
            if let Some(effect) = effect.lift(|timer| timer, own) {
                cx.push(effect);
            }
        }
    }
}

/// How a ring with liars is made, and what is asked of it.
#[derive(Debug, Clone, Copy)]
pub struct Hostile {
    /// How many nodes.
    pub nodes: usize,
    /// Which share of them lies.
    pub share: f64,
    /// How.
    pub lie: Lie,
    /// By how many ways a get is tried at most.
    pub ways: u8,
    /// How many gets.
    pub gets: usize,
    /// How the nodes are set.
    pub profile: Profile,
}

/// What became of the gets.
#[derive(Debug, Clone)]
pub struct Routers {
    /// Gets of what is stored that found nothing, by the error.
    pub failed: Vec<Error>,
    /// Questions and answers of those that found it.
    pub messages: Spread,
    /// How long these took, in seconds.
    pub seconds: Spread,
    /// Gets of what is not stored that were told so.
    pub absent: usize,
    /// Of how many.
    pub absent_of: usize,
    /// Questions and answers of these.
    pub absent_messages: Spread,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// Where gets end: the operation, whether it found something, and its cost.
type Ends = Arc<Mutex<Vec<(OpId, p2p_core::Instant, Report)>>>;

/// Stores values in a ring; then a share of it begins to lie, and honest nodes get them.
#[must_use]
pub fn routers(seed: u64, hostile: &Hostile) -> Routers {
    let mut config: Config = hostile.profile.config();
    config.ways = hostile.ways;
    let config = Arc::new(config);
    let (mut sim, members) = drawn_up(seed, hostile.nodes, &hostile.profile, &config);
    let ends: Ends = Arc::default();
    let tell = ends.clone();
    sim.on_event(move |at, _, op, event| {
        if let (Some(op), Event::Found { report, .. } | Event::Failed { report, .. }) = (op, event) {
            tell.lock().unwrap_or_else(PoisonError::into_inner).push((op, at, *report));
        }
        false
    });
    let mut rng = Rng::fast_from(seed ^ 0x1ae5);
    let keys = store(&mut sim, (hostile.gets / 4).clamp(50, 2_000), &mut rng);
    let mut nodes: Vec<NodeIx> = sim.nodes().collect();
    rng.shuffle(&mut nodes);
    let honest = nodes.split_off((hostile.nodes as f64 * hostile.share) as usize);
    let mut peers: Vec<Peer> = nodes.iter().map(|node| sim.machine(*node).me).collect();
    peers.sort_unstable_by_key(Peer::id);
    let band = Arc::new(Band { peers, network: config.network, lie: hostile.lie });
    for node in nodes {
        sim.machine_mut(node).band = Some(band.clone());
    }
    drop(members);
    let stored: Vec<RingId> = (0..hostile.gets).map(|at| keys[at % keys.len()]).collect();
    let absent_of = (hostile.gets / 10).max(20);
    let nowhere: Vec<RingId> = (0..absent_of).map(|_| RingId::random(&mut rng)).collect();
    let got = get_all(&mut sim, &honest, &stored, &ends, &mut rng);
    let lacking = get_all(&mut sim, &honest, &nowhere, &ends, &mut rng);
    let found = || got.iter().filter(|end| end.error.is_none());
    Routers {
        failed: got.iter().filter_map(|end| end.error).collect(),
        messages: found().map(|end| f64::from(end.report.messages)).collect(),
        seconds: found().map(|end| end.seconds).collect(),
        absent: lacking.iter().filter(|end| end.error == Some(Error::Absent)).count(),
        absent_of,
        absent_messages: lacking.iter().map(|end| f64::from(end.report.messages)).collect(),
        digest: sim.digest(),
    }
}

fn drawn_up(
    seed: u64,
    nodes: usize,
    profile: &Profile,
    config: &Arc<Config>,
) -> (Sim<Router>, Vec<(Peer, NodeIx)>) {
    let peer =
        |node: NodeIx| Peer::new(config.network, SocketAddr::new(node.usual_addr(), config.listen.port()));
    let mut members: Vec<(Peer, NodeIx)> =
        (0..nodes as u32).map(NodeIx::new).map(|node| (peer(node), node)).collect();
    members.sort_unstable_by_key(|(peer, _)| peer.id());
    let mut places = vec![0; nodes];
    for (place, (_, node)) in members.iter().enumerate() {
        places[node.index()] = place;
    }
    let mut sim = Sim::new(seed, Uniform::ms(20..60));
    sim.reserve(nodes);
    for place in places {
        let around = |step: usize| members[(place + step) % nodes].0;
        let successors: Vec<Peer> = (1..=profile.successors).map(around).collect();
        let me = around(0);
        let fingers = fingers(&members, place, profile, None);
        let chord = Chord::settled(config.clone(), me, around(nodes - 1), &successors, fingers);
        sim.add(Router { chord, me, band: None });
    }
    sim.run_for(Duration::from_nanos(1));
    (sim, members)
}

/// Stores so many values, and gives their keys.
fn store(sim: &mut Sim<Router>, count: usize, rng: &mut Rng) -> Vec<RingId> {
    let nodes: Vec<NodeIx> = sim.nodes().collect();
    let mut keys = Vec::with_capacity(count);
    while keys.len() < count {
        let mut ops = Vec::new();
        for _ in 0..100.min(count - keys.len()) {
            let mut bytes = [0; 100];
            rng.fill(&mut bytes);
            let record = Record::Value(bytes.to_vec().into());
            keys.push(record.key());
            if let Some(node) = rng.choose(&nodes) {
                ops.push(sim.ask(*node, Command::Put(Put::new(record))));
            }
        }
        sim.finish(&ops, Duration::from_secs(60));
    }
    sim.run_for(Duration::from_secs(5));
    keys
}

/// How a get ended.
struct End {
    error: Option<Error>,
    report: Report,
    seconds: f64,
}

fn get_all(sim: &mut Sim<Router>, nodes: &[NodeIx], keys: &[RingId], ends: &Ends, rng: &mut Rng) -> Vec<End> {
    let mut all = Vec::with_capacity(keys.len());
    for some in keys.chunks(100) {
        let from = sim.now();
        let ops: Vec<OpId> = some
            .iter()
            .filter_map(|key| Some(sim.ask(*rng.choose(nodes)?, Command::Get(Get::new(*key, Kind::Value)))))
            .collect();
        sim.finish(&ops, Duration::from_secs(60));
        let told = std::mem::take(&mut *ends.lock().unwrap_or_else(PoisonError::into_inner));
        all.extend(ops.into_iter().map(|op| {
            let end = told.iter().find(|(of, ..)| *of == op);
            let error = match sim.outcome(op) {
                Some(Ok(())) => None,
                Some(Err(error)) => Some(*error),
                None => Some(Error::Deadline),
            };
            let seconds = end.map_or(0.0, |(_, at, _)| at.since(from).as_nanos() as f64 / 1e9);
            End { error, report: end.map_or_else(Report::default, |(.., report)| *report), seconds }
        }));
    }
    all
}
