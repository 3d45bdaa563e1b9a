//! The announcer and the server against each other: effects of one become inputs of the other.

use super::bench::{Bench, Client, Do, HASH};
use p2p_bittorrent::tracker::{
    AnnounceReply, Config, Scraped, Tracker, TrackerCommand, TrackerEvent, Update,
};
use p2p_core::{ConnId, Datagram, Duration, Effect, Input, Machine, SocketId, StreamInput, Target};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

const SERVER: &str = "10.0.0.1:6969";

struct World {
    server: Bench<Tracker>,
    clients: Vec<(SocketAddr, Bench<Client>)>,
    /// The server's stream of a client's, and the other way round.
    streams: BTreeMap<ConnId, (usize, ConnId)>,
}

impl World {
    fn new(url: &str, clients: u8) -> Self {
        let mut server = Bench::new(Tracker::new(Config::default()));
        server.take();
        let clients = (1..=clients)
            .map(|id| {
                let mut bench = Bench::new(Client::new(id, &[&[url]]));
                bench.take();
                (SocketAddr::from(([10, 0, 1, id], 40_000)), bench)
            })
            .collect();
        Self { server, clients, streams: BTreeMap::new() }
    }

    fn ask(&mut self, client: usize, what: Do) {
        self.clients[client].1.ask(what);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for at in 0..self.clients.len() {
                let effects = self.clients[at].1.take();
                quiet &= effects.is_empty();
                effects.into_iter().for_each(|effect| self.client_wants(at, effect));
            }
            let effects = self.server.take();
            quiet &= effects.is_empty();
            effects.into_iter().for_each(|effect| self.server_wants(effect));
            if quiet {
                return;
            }
        }
    }

    fn client_wants(&mut self, at: usize, effect: Effect<Client>) {
        let peer = self.clients[at].0;
        let to: SocketAddr = SERVER.parse().unwrap();
        let theirs =
            |conn: ConnId| self.streams.iter().find(|(_, of)| **of == (at, conn)).map(|(theirs, _)| *theirs);
        match effect {
            Effect::Resolve(lookup, _, port) => {
                let found = Ok(vec![SocketAddr::new(to.ip(), port)]);
                self.clients[at].1.give(Input::Resolved(lookup, found));
            }
            Effect::Connect(conn, Target::Addr(addr), _) => {
                assert_eq!(addr, to);
                let theirs = ConnId::from_raw(self.server.source.draw());
                self.streams.insert(theirs, (at, conn));
                self.server.give(Input::Stream(theirs, StreamInput::Open { peer, listener: None }));
                self.clients[at].1.give(Input::Stream(conn, StreamInput::Open { peer: to, listener: None }));
            }
            Effect::Send(conn, bytes) => {
                if let Some(theirs) = theirs(conn) {
                    self.server.give(Input::Stream(theirs, StreamInput::Data(bytes)));
                }
            }
            Effect::Close(conn) | Effect::Abort(conn) => {
                if let Some(theirs) = theirs(conn) {
                    self.streams.remove(&theirs);
                    self.server.give(Input::Stream(theirs, StreamInput::Closed(Ok(()))));
                }
            }
            Effect::SendTo(socket, datagram) => {
                assert_eq!(datagram.peer, to);
                // The server's socket stands for the client's, so that its answers find back.
                let socket = SocketId::from_raw(socket.raw() * 100 + at as u64);
                self.server.give(Input::Datagram(socket, Datagram::new(peer, datagram.data)));
            }
            other => panic!("{other:?}"),
        }
    }

    fn server_wants(&mut self, effect: Effect<Tracker>) {
        match effect {
            Effect::Send(conn, bytes) => {
                if let Some((at, theirs)) = self.streams.get(&conn) {
                    self.clients[*at].1.give(Input::Stream(*theirs, StreamInput::Data(bytes)));
                }
            }
            Effect::Close(conn) => {
                if let Some((at, theirs)) = self.streams.remove(&conn) {
                    self.clients[at].1.give(Input::Stream(theirs, StreamInput::Closed(Ok(()))));
                }
            }
            Effect::SendTo(socket, datagram) => {
                let (at, socket) = ((socket.raw() % 100) as usize, SocketId::from_raw(socket.raw() / 100));
                assert_eq!(datagram.peer, self.clients[at].0);
                let back = Datagram::new(SERVER.parse().unwrap(), datagram.data);
                self.clients[at].1.give(Input::Datagram(socket, back));
            }
            other => panic!("{other:?}"),
        }
    }

    fn announced(&mut self, client: usize) -> AnnounceReply {
        match self.clients[client].1.events().pop() {
            Some(Update::Announced { reply, .. }) => reply,
            other => panic!("{other:?}"),
        }
    }

    fn pass(&mut self, span: Duration) {
        let until = self.server.now + span;
        while self.server.now < until {
            fn step<M: Machine>(bench: &mut Bench<M>) {
                bench.pass(Duration::from_secs(1));
            }
            step(&mut self.server);
            self.clients.iter_mut().for_each(|(_, bench)| step(bench));
            self.settle();
        }
    }

    fn peers(&mut self) -> (u64, u64, u64) {
        self.server.events();
        self.server.ask(TrackerCommand::Stats);
        match self.server.events().pop() {
            Some(TrackerEvent::Stats(stats)) => (stats.torrents, stats.peers, stats.connections),
            other => panic!("{other:?}"),
        }
    }
}

/// The whole life of three clients at one tracker.
fn life(url: &str) {
    let mut world = World::new(url, 3);
    world.ask(0, Do::Start);
    let reply = world.announced(0);
    assert_eq!((reply.peers.len(), reply.interval), (0, Some(1800)));
    if url.starts_with("http") {
        assert_eq!(reply.external_ip, Some(IpAddr::from([10, 0, 1, 1])));
    }
    world.ask(1, Do::Start);
    assert_eq!(world.announced(1).peers, ["10.0.1.1:6001".parse().unwrap()]);
    world.ask(2, Do::Start);
    assert_eq!(world.announced(2).peers.len(), 2);
    assert_eq!(world.peers(), (1, 3, 0));
    // One completes, and is counted once.
    world.clients[1].1.machine.totals.left = Some(0);
    world.ask(1, Do::Complete);
    assert_eq!(world.announced(1).complete, Some(1));
    world.ask(0, Do::Scrape);
    let Some(Update::Scraped { counts, .. }) = world.clients[0].1.events().pop() else { panic!() };
    assert_eq!(counts, Scraped { complete: 1, downloaded: 1, incomplete: 2 });
    // Regular announces keep everybody known.
    world.pass(Duration::from_secs(3 * 3600));
    assert_eq!(world.peers(), (1, 3, 0));
    for client in 0..3 {
        let updates = world.clients[client].1.events();
        assert!(
            updates.len() >= 5 && updates.iter().all(|update| matches!(update, Update::Announced { .. })),
            "{updates:?}"
        );
        world.ask(client, Do::Stop);
        assert_eq!(world.clients[client].1.events(), [Update::Stopped]);
    }
    assert_eq!(world.peers(), (0, 0, 0));
}

#[test]
fn a_life_over_http() {
    life("http://tracker.example:6969/announce");
}

#[test]
fn a_life_over_udp() {
    life("udp://tracker.example:6969/announce");
}

#[test]
fn a_tracker_that_was_restarted_learns_all_again() {
    let mut world = World::new("udp://tracker.example:6969", 2);
    world.ask(0, Do::Start);
    world.ask(1, Do::Start);
    let now = world.server.now;
    world.server = Bench::new(Tracker::new(Config::default()).allowing([HASH]));
    world.server.source.rng = p2p_core::Rng::fast_from(99);
    world.server.give(Input::Start);
    world.server.take();
    world.server.now = now;
    assert_eq!(world.peers(), (0, 0, 0));
    world.pass(Duration::from_secs(1_801));
    assert_eq!(world.peers(), (1, 2, 0));
}
