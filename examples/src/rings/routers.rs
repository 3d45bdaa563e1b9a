//! A quarter of the nodes lie about lookups: Castro et al. 2002, "Secure routing for structured peer-to-peer overlay
//! networks".

use super::settled::draw_up;
use super::{Profile, Spread};
use bytes::BytesMut;
use p2p_chord::record::{Kind, Record, SecretKey, Signed};
use p2p_chord::wire::{Answer, Ask, Packet};
use p2p_chord::{Chord, Command, Config, Error, Event, Get, NetworkId, Peer, Put, Report, RingId, Timer};
use p2p_core::{Cx, Datagram, Duration, Effect, Input, Machine, OpId, Own, Rng};
use p2p_sim::{NodeIx, Sim, Uniform};
use std::collections::BTreeMap;
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
    /// That their band is responsible, and whoever asks one of the band for a value is given another one, and for a signed
    /// record the version before the last.
    Forge,
    /// With any of these, by dice.
    Any,
}

/// Those that lie, around the ring: they know each other.
#[derive(Debug)]
struct Band {
    peers: Vec<Peer>,
    network: NetworkId,
    lie: Lie,
    /// Signed records that have been replaced.
    old: BTreeMap<RingId, Record>,
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
        let any = [Lie::Lead, Lie::Claim, Lie::Silence, Lie::Absent, Lie::Forge];
        let lie = if self.lie == Lie::Any { any[rng.index(any.len())] } else { self.lie };
        let owners = || Answer::Owners(self.behind(place).take(8).map(Peer::place).collect());
        Some(Some(match lie {
            Lie::Silence => return None,
            Lie::Forge if matches!(ask, Ask::Get { .. }) => {
                let other = Record::Value(place.as_bytes().to_vec().into());
                Answer::Records(vec![(self.old.get(&place).cloned().unwrap_or(other), 3_600)])
            }
            // Who is asked as one of those that have it.
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
    /// How many replicas are to be heard of signed records, of which liars have an older version; 0: of values, of which
    /// one is enough.
    pub quorum: u8,
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
    /// Gets that found a version that was replaced.
    pub old: usize,
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

/// Where gets end: the operation, whether it found what was replaced, and its cost.
type Ends = Arc<Mutex<Vec<(OpId, p2p_core::Instant, bool, Report)>>>;
/// The last version of signed records.
const LAST: u64 = 2;

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
        let (is_old, report) = match event {
            Event::Found { records, report, .. } => {
                (matches!(records.first(), Some(Record::Signed(signed)) if signed.seq < LAST), report)
            }
            Event::Failed { report, .. } => (false, report),
            _ => return false,
        };
        if let Some(op) = op {
            tell.lock().unwrap_or_else(PoisonError::into_inner).push((op, at, is_old, *report));
        }
        false
    });
    let mut rng = Rng::fast_from(seed ^ 0x1ae5);
    let records = records((hostile.gets / 4).clamp(50, 2_000), hostile.quorum > 0, &mut rng);
    for version in &records {
        store(&mut sim, version, &mut rng);
    }
    let keys: Vec<RingId> = records[0].iter().map(Record::key).collect();
    let mut nodes: Vec<NodeIx> = sim.nodes().collect();
    rng.shuffle(&mut nodes);
    let honest = nodes.split_off((hostile.nodes as f64 * hostile.share) as usize);
    let mut peers: Vec<Peer> = nodes.iter().map(|node| sim.machine(*node).me).collect();
    peers.sort_unstable_by_key(Peer::id);
    let old = records[..records.len() - 1].iter().flatten();
    let old = old.map(|record| (record.key(), record.clone())).collect();
    let band = Arc::new(Band { peers, network: config.network, lie: hostile.lie, old });
    for node in nodes {
        sim.machine_mut(node).band = Some(band.clone());
    }
    drop(members);
    let stored: Vec<RingId> = (0..hostile.gets).map(|at| keys[at % keys.len()]).collect();
    let absent_of = (hostile.gets / 10).max(20);
    let nowhere: Vec<RingId> = (0..absent_of).map(|_| RingId::random(&mut rng)).collect();
    let got = get_all(&mut sim, &honest, &stored, hostile.quorum, &ends, &mut rng);
    let lacking = get_all(&mut sim, &honest, &nowhere, hostile.quorum, &ends, &mut rng);
    let found = || got.iter().filter(|end| end.error.is_none());
    Routers {
        failed: got.iter().filter_map(|end| end.error).collect(),
        old: got.iter().filter(|end| end.is_old).count(),
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
    let mut sim = Sim::new(seed, Uniform::ms(20..60));
    let members =
        draw_up(&mut sim, nodes, profile, config, None, |chord, me| Router { chord, me, band: None });
    sim.run_for(Duration::from_nanos(1));
    (sim, members)
}

/// So many values, or signed records in each version.
fn records(count: usize, is_signed: bool, rng: &mut Rng) -> Vec<Vec<Record>> {
    if !is_signed {
        let value = |_| Record::Value(rng.bytes::<100>().to_vec().into());
        return vec![(0..count).map(value).collect()];
    }
    let secrets: Vec<SecretKey> = (0..count).map(|_| SecretKey::random(rng)).collect();
    let mut sign = |secret: &SecretKey, seq| Signed::sign(secret, "", seq, rng.bytes::<100>().to_vec()).ok();
    (1..=LAST)
        .map(|seq| secrets.iter().filter_map(|secret| sign(secret, seq)).map(Record::Signed).collect())
        .collect()
}

/// Stores records.
fn store(sim: &mut Sim<Router>, records: &[Record], rng: &mut Rng) {
    let nodes: Vec<NodeIx> = sim.nodes().collect();
    for some in records.chunks(100) {
        let put = |record: &Record| {
            rng.choose(&nodes).map(|node| sim.ask(*node, Command::Put(Put::new(record.clone()))))
        };
        let ops: Vec<OpId> = some.iter().filter_map(put).collect();
        sim.finish(&ops, Duration::from_secs(60));
    }
    sim.run_for(Duration::from_secs(5));
}

/// How a get ended.
struct End {
    error: Option<Error>,
    is_old: bool,
    report: Report,
    seconds: f64,
}

/// Gets all of them, so many replicas of each signed record; 0: values.
fn get_all(
    sim: &mut Sim<Router>,
    nodes: &[NodeIx],
    keys: &[RingId],
    quorum: u8,
    ends: &Ends,
    rng: &mut Rng,
) -> Vec<End> {
    let get = |key: RingId| match quorum {
        0 => Get::new(key, Kind::Value),
        _ => Get { quorum, ..Get::new(key, Kind::Signed) },
    };
    let mut all = Vec::with_capacity(keys.len());
    for some in keys.chunks(100) {
        let from = sim.now();
        let ops: Vec<OpId> = some
            .iter()
            .filter_map(|key| Some(sim.ask(*rng.choose(nodes)?, Command::Get(get(*key)))))
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
            let seconds = end.map_or(0.0, |(_, at, ..)| at.since(from).as_nanos() as f64 / 1e9);
            let is_old = end.is_some_and(|(.., is_old, _)| *is_old);
            End { error, is_old, report: end.map_or_else(Report::default, |(.., report)| *report), seconds }
        }));
    }
    all
}
