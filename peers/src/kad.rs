//! libp2p's Kademlia over its memory transport, with plain text and yamux, all swarms in one thread.

use crate::figures::{Cost, Figures, Idle, Watch};
use futures::StreamExt as _;
use libp2p::core::Transport as _;
use libp2p::core::multiaddr::{Multiaddr, Protocol};
use libp2p::core::transport::MemoryTransport;
use libp2p::core::upgrade::Version;
use libp2p::kad::store::MemoryStore;
use libp2p::kad::{self, GetRecordOk, QueryId, QueryResult, Quorum, Record, RecordKey};
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, StreamProtocol, Swarm, SwarmBuilder, plaintext, yamux};
use p2p_core::Rng;
use std::collections::HashMap;
use std::error::Error;
use std::num::NonZeroUsize;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

const OPS: usize = 300;
/// As many as our Chord has, and as many acknowledgements before a put is done.
const REPLICAS: usize = 8;
const QUORUM: usize = 5;

/// Whether it succeeded, and how many requests it took.
type Told = (bool, u32);

enum Ask {
    Put(Vec<u8>, Vec<u8>),
    Get(Vec<u8>),
}

struct Node {
    asks: mpsc::Sender<(Ask, oneshot::Sender<Told>)>,
}

impl Node {
    async fn ask(&self, ask: Ask) -> Told {
        let (tell, told) = oneshot::channel();
        if self.asks.send((ask, tell)).await.is_err() {
            return (false, 0);
        }
        told.await.unwrap_or((false, 0))
    }
}

fn swarm(port: u64) -> Result<Swarm<kad::Behaviour<MemoryStore>>, Box<dyn Error>> {
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_other_transport(|key| {
            MemoryTransport::new()
                .upgrade(Version::V1)
                .authenticate(plaintext::Config::new(key))
                .multiplex(yamux::Config::default())
        })?
        .with_behaviour(|key| {
            let me = PeerId::from(key.public());
            let mut config = kad::Config::new(StreamProtocol::new("/bench/kad/1.0.0"));
            config.set_replication_factor(NonZeroUsize::new(REPLICAS).expect("not zero"));
            let mut behaviour = kad::Behaviour::with_config(me, MemoryStore::new(me), config);
            behaviour.set_mode(Some(kad::Mode::Server));
            behaviour
        })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3_600)));
    let mut swarm = swarm.build();
    swarm.listen_on(at(port))?;
    Ok(swarm)
}

fn at(port: u64) -> Multiaddr {
    Multiaddr::from(Protocol::Memory(port))
}

/// Runs a swarm, and tells whoever asked what came of it.
async fn run(
    mut swarm: Swarm<kad::Behaviour<MemoryStore>>,
    mut asks: mpsc::Receiver<(Ask, oneshot::Sender<Told>)>,
) {
    let mut waiting: HashMap<QueryId, oneshot::Sender<Told>> = HashMap::new();
    loop {
        tokio::select! {
            ask = asks.recv() => {
                let Some((ask, tell)) = ask else { return };
                let kad = swarm.behaviour_mut();
                let query = match ask {
                    Ask::Put(key, value) => {
                        let record = Record::new(RecordKey::from(key), value);
                        kad.put_record(record, Quorum::N(NonZeroUsize::new(QUORUM).expect("not zero"))).ok()
                    }
                    Ask::Get(key) => Some(kad.get_record(RecordKey::from(key))),
                };
                match query {
                    Some(query) => drop(waiting.insert(query, tell)),
                    None => drop(tell.send((false, 0))),
                }
            }
            event = swarm.select_next_some() => {
                let SwarmEvent::Behaviour(kad::Event::OutboundQueryProgressed { id, result, stats, step }) = event
                else {
                    continue;
                };
                let ok = match &result {
                    QueryResult::PutRecord(result) => result.is_ok(),
                    QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(_))) => {
                        // One is enough.
                        if let Some(mut query) = swarm.behaviour_mut().query_mut(&id) {
                            query.finish();
                        }
                        true
                    }
                    QueryResult::GetRecord(_) => false,
                    _ => continue,
                };
                let is_found = ok && matches!(result, QueryResult::GetRecord(_));
                if (step.last || is_found)
                    && let Some(tell) = waiting.remove(&id)
                {
                    let _ = tell.send((ok, stats.num_requests()));
                }
            }
        }
    }
}

/// Nodes that know of each other from the start, as ours do; each bucket takes as many as it has room for.
fn nodes(count: usize) -> Result<Vec<Node>, Box<dyn Error>> {
    // Ports of the memory transport are of the whole process.
    let base = (count as u64) << 32 | 1;
    let ports = (0..count as u64).map(|number| base + number);
    let mut swarms = ports.clone().map(swarm).collect::<Result<Vec<_>, _>>()?;
    let known: Vec<(PeerId, u64)> = swarms.iter().map(|swarm| *swarm.local_peer_id()).zip(ports).collect();
    for swarm in &mut swarms {
        let me = *swarm.local_peer_id();
        for (peer, port) in known.iter().filter(|(peer, _)| *peer != me) {
            swarm.behaviour_mut().add_address(peer, at(*port));
        }
    }
    let spawned = swarms.into_iter().map(|swarm| {
        let (asks, taken) = mpsc::channel(1);
        tokio::task::spawn_local(run(swarm, taken));
        Node { asks }
    });
    Ok(spawned.collect())
}

async fn measure(nodes: &[Node], rng: &mut Rng, asks: Vec<Ask>) -> Cost {
    let (count, watch) = (asks.len(), Watch::new(Idle::default()));
    let (mut failed, mut requests) = (0, 0u64);
    for ask in asks {
        let (ok, took) = nodes[rng.index(nodes.len())].ask(ask).await;
        failed += usize::from(!ok);
        requests += u64::from(took);
    }
    watch.stop(count, failed, Some(2 * requests))
}

pub fn in_process(count: usize) -> Result<Figures, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let nodes = nodes(count)?;
        let (mut rng, mut dice) = (Rng::fast_from(1), Rng::fast_from(2));
        // Connections are made when they are first needed.
        for node in &nodes {
            for _ in 0..2 {
                node.ask(Ask::Get(dice.bytes::<20>().to_vec())).await;
            }
        }
        let records: Vec<(Vec<u8>, Vec<u8>)> =
            (0..OPS).map(|_| (dice.bytes::<20>().to_vec(), dice.bytes::<100>().to_vec())).collect();
        let puts = records.iter().map(|(key, value)| Ask::Put(key.clone(), value.clone())).collect();
        let put = measure(&nodes, &mut rng, puts).await;
        let gets = records.iter().map(|(key, _)| Ask::Get(key.clone())).collect();
        let get = measure(&nodes, &mut rng, gets).await;
        Ok(Figures { put, get })
    })
}
