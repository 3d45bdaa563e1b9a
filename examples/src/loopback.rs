//! Rings of Chord over real UDP, all nodes in one process on loopback: [`Loopback`].

use crate::Failure;
use p2p_chord::record::{Kind, Record};
use p2p_chord::{Chord, Command, Config, Error, Event, Get, Peer, Put, Report, RingId};
use p2p_core::node::{Node, OpError};
use p2p_transport_tokio::{Options, Running, spawn};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// How often free ports are looked for: somebody else may take one in between.
const TRIES: usize = 5;

/// A ring on loopback.
#[derive(Debug)]
pub struct Loopback {
    nodes: Vec<Running<Chord>>,
    peers: Vec<Peer>,
}

impl Loopback {
    /// A ring of so many nodes that all know it as it is, with all other nodes as candidates for fingers.
    ///
    /// # Errors
    /// If there are not so many free ports.
    pub async fn settled(count: usize, config: &Config) -> Result<Self, Failure> {
        for _ in 0..TRIES {
            if let Some(ring) = Self::attempt(count, config).await? {
                return Ok(ring);
            }
        }
        Err(Failure::new("ports are taken as soon as they are found to be free"))
    }

    async fn attempt(count: usize, config: &Config) -> Result<Option<Self>, Failure> {
        let mut peers: Vec<Peer> = free(count)?.into_iter().map(|at| Peer::new(config.network, at)).collect();
        peers.sort_by_key(Peer::id);
        let around = |place: usize| peers[place % count];
        let nodes = (0..count).map(|place| {
            let mut config = config.clone();
            config.listen = peers[place].addr();
            let successors: Vec<Peer> = (1..=config.successors).map(|step| around(place + step)).collect();
            let fingers = (config.successors + 1..count).map(|step| around(place + step));
            let node = Chord::settled(config, peers[place], around(place + count - 1), &successors, fingers);
            spawn(node, Options::default())
        });
        let mut nodes: Vec<Running<Chord>> = nodes.collect();
        for node in &mut nodes {
            loop {
                match node.news.next().await {
                    Some(Event::Listening(_)) => break,
                    Some(Event::NoSocket(_)) | None => return Ok(None),
                    Some(_) => {}
                }
            }
        }
        Ok(Some(Self { nodes, peers }))
    }

    /// How many nodes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes as others know them, in order of their places.
    #[must_use]
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// One of the nodes.
    #[must_use]
    pub fn node(&self, place: usize) -> &Node<Chord> {
        &self.nodes[place].node
    }

    /// Stops all nodes and gives them back as they were; none waits for another.
    pub async fn stop(self) -> Vec<Chord> {
        let ending: Vec<_> = self.nodes.into_iter().map(|node| tokio::spawn(node.stop())).collect();
        let mut ended = Vec::new();
        for node in ending {
            ended.extend(node.await);
        }
        ended
    }
}

/// Free UDP ports of loopback; all were free at the same time.
fn free(count: usize) -> Result<Vec<SocketAddr>, Failure> {
    let sockets: Result<Vec<UdpSocket>, _> =
        (0..count).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))).collect();
    let sockets = sockets.map_err(Failure::during("looking for free ports"))?;
    sockets.iter().map(|socket| socket.local_addr().map_err(Failure::new)).collect()
}

/// Puts a record by a node; how many copies there are, and what it cost.
///
/// # Errors
/// As the node says.
pub async fn put(node: &Node<Chord>, record: Record) -> Result<(u8, Report), OpError<Error>> {
    let mut asked = node.ask(Command::Put(Put::new(record)));
    let mut stored = Err(OpError::Gone);
    while let Some(event) = asked.try_next().await? {
        if let Event::Stored { copies, report, .. } = event {
            stored = Ok((copies, report));
        }
    }
    stored
}

/// Gets a record by a node, and what it cost.
///
/// # Errors
/// As the node says.
pub async fn get(node: &Node<Chord>, key: RingId, kind: Kind) -> Result<(Record, Report), OpError<Error>> {
    let mut asked = node.ask(Command::Get(Get::new(key, kind)));
    let mut found = Err(OpError::Gone);
    while let Some(event) = asked.try_next().await? {
        if let Event::Found { records, report, .. } = event
            && let Some(record) = records.into_iter().next()
        {
            found = Ok((record, report));
        }
    }
    found
}
