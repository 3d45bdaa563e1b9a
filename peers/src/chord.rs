//! Our Chord: machines in one loop, and nodes over UDP.

use crate::figures::{Figures, Idle, Watch};
use p2p_chord::record::{Kind, Record};
use p2p_chord::{Chord, Command, Config, Get, Peer, Put, RingId};
use p2p_core::{
    Cx, Datagram, Effect, Input, Instant, Machine as _, OpId, OpInput, Rng, SocketId, Source, UnixTime,
};
use p2p_examples::loopback::{Loopback, get, put};
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

const OPS: usize = 2_000;
/// How long is watched what passes when nothing is asked.
const REST: Duration = Duration::from_secs(10);

fn config() -> Config {
    let mut config = Config::default();
    config.base_bits = 4;
    config
}

fn values(seed: u64, count: usize) -> Vec<Record> {
    let mut dice = Rng::fast_from(seed);
    (0..count).map(|_| Record::Value(dice.bytes::<100>().to_vec().into())).collect()
}

/// Machines whose datagrams are handed from one to the other at once.
struct World {
    nodes: Vec<(SocketAddr, Chord, Source)>,
    index: BTreeMap<SocketAddr, usize>,
    wire: VecDeque<(usize, Datagram)>,
    effects: Vec<Effect<Chord>>,
    messages: u64,
    succeeded: usize,
}

impl World {
    fn new(count: usize) -> Self {
        let config = config();
        let at = |node: usize| SocketAddr::from(([10, 0, (node >> 8) as u8, node as u8], 4000));
        let mut peers: Vec<Peer> = (0..count).map(|node| Peer::new(config.network, at(node))).collect();
        peers.sort_by_key(Peer::id);
        let around = |place: usize| peers[place % count];
        let nodes = peers.iter().enumerate().map(|(place, me)| {
            let successors: Vec<Peer> = (1..=config.successors).map(|step| around(place + step)).collect();
            let fingers = (config.successors + 1..count).map(|step| around(place + step));
            let chord = Chord::settled(config.clone(), *me, around(place + count - 1), &successors, fingers);
            (me.addr(), chord, Source::new(Rng::fast_from(place as u64)))
        });
        let nodes: Vec<_> = nodes.collect();
        let index = nodes.iter().enumerate().map(|(node, (addr, ..))| (*addr, node)).collect();
        let (wire, effects) = (VecDeque::new(), Vec::new());
        let mut world = Self { nodes, index, wire, effects, messages: 0, succeeded: 0 };
        (0..count).for_each(|node| world.input(node, Input::Start));
        world
    }

    fn input(&mut self, node: usize, input: Input<Chord>) {
        let (addr, chord, source) = &mut self.nodes[node];
        let civil = UnixTime::from_secs(1_767_225_600);
        chord.handle(input, &mut Cx::new(Instant::ZERO, civil, source, &mut self.effects));
        for effect in self.effects.drain(..) {
            match effect {
                Effect::SendTo(_, datagram) => {
                    let to = self.index[&datagram.peer];
                    self.wire.push_back((to, Datagram { peer: *addr, ..datagram }));
                    self.messages += 1;
                }
                Effect::Finish(_, result) => self.succeeded += usize::from(result.is_ok()),
                _ => {}
            }
        }
    }

    fn run(&mut self, rng: &mut Rng, commands: Vec<Command>) -> crate::figures::Cost {
        let (count, messages, succeeded, watch) =
            (commands.len(), self.messages, self.succeeded, Watch::new(Idle::default()));
        for (op, command) in (1..).zip(commands) {
            let node = rng.index(self.nodes.len());
            self.input(node, Input::Op(OpId::from_raw(op), OpInput::Ask(command)));
            while let Some((to, datagram)) = self.wire.pop_front() {
                self.input(to, Input::Datagram(SocketId::from_raw(1), datagram));
            }
        }
        let failed = count - (self.succeeded - succeeded);
        watch.stop(count, failed, Some(self.messages - messages))
    }
}

pub fn in_process(count: usize) -> Figures {
    let (mut world, mut rng) = (World::new(count), Rng::fast_from(1));
    let puts =
        |records: &[Record]| records.iter().cloned().map(|record| Command::Put(Put::new(record))).collect();
    // Everybody has met whom it talks to.
    world.run(&mut rng, puts(&values(2, OPS / 2)));
    let records = values(3, OPS);
    let put = world.run(&mut rng, puts(&records));
    let gets = records.iter().map(|record| Command::Get(Get::new(record.key(), Kind::Value))).collect();
    let get = world.run(&mut rng, gets);
    Figures { put, get }
}

pub fn over_udp(count: usize) -> Result<Figures, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (ring, mut rng) = (Loopback::settled(count, &config()).await?, Rng::fast_from(1));
        for record in values(2, OPS / 2) {
            put(ring.node(rng.index(count)), record).await?;
        }
        // They look after each other all the time; that is not what is asked about.
        let rest = Watch::new(Idle::default());
        tokio::time::sleep(REST).await;
        let idle = rest.idle();
        let records = values(3, OPS);
        let (watch, mut failed) = (Watch::new(idle), 0);
        for record in &records {
            failed += usize::from(put(ring.node(rng.index(count)), record.clone()).await.is_err());
        }
        let put = watch.stop(OPS, failed, None);
        let (watch, mut failed) = (Watch::new(idle), 0);
        for record in &records {
            let key: RingId = record.key();
            failed += usize::from(get(ring.node(rng.index(count)), key, Kind::Value).await.is_err());
        }
        let get = watch.stop(OPS, failed, None);
        Ok(Figures { put, get })
    })
}
