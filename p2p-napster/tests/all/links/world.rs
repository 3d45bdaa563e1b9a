//! A world of servers that link with each other, and of clients on them, in the simulator.

use bytes::Bytes;
use p2p_core::hash::Md5Hash;
use p2p_core::{Duration, FileId, Join, Keywords, RelPath, Root, Search};
use p2p_napster::Client;
use p2p_napster::client::{self, Bootstrap, Command, Event, Hit, Query, SharedFile};
use p2p_napster::link::LinkPeer;
use p2p_napster::server::{self, LinkConfig, LinkEnd, Rate, Server, ServerCommand, ServerEvent};
use p2p_napster::wire::Level;
use p2p_sim::either::EitherError;
use p2p_sim::{Disk, Either, NodeIx, Setup, Sim, Uniform};
use std::collections::BTreeSet;
use std::net::SocketAddr;

pub(crate) const SPAN: Duration = Duration::from_secs(60);

/// Longer than a dead link is taken for alive, and than the dials that follow wait.
pub(crate) const LONG: Duration = Duration::from_secs(700);

pub(crate) struct World {
    pub(crate) sim: Sim<Either<Server, Client>>,
    pub(crate) servers: Vec<NodeIx>,
    configs: Vec<server::Config>,
}

pub(crate) fn name(server: usize) -> String {
    ["alpha", "beta", "gamma", "delta"][server].into()
}

fn address(server: usize) -> SocketAddr {
    SocketAddr::from(([10, 200, 0, server as u8 + 1], 8888))
}

/// The password that one server shows another.
fn password(from: usize, to: usize) -> Box<[u8]> {
    format!("secret of {from} for {to}").into_bytes().into()
}

/// A server that links with those: `(other, whether it dials)`.
pub(crate) fn config(own: usize, links: &[(usize, bool)], level: u8) -> server::Config {
    let mut config = server::Config::default();
    config.name = name(own);
    config.stats_every = Duration::ZERO;
    // The simulation asks for more at once than people do.
    config.limits.searches = Rate::UNLIMITED;
    config.limits.messages = Rate::UNLIMITED;
    config.links = links
        .iter()
        .map(|&(other, dials)| {
            let peer = LinkPeer {
                name: name(other).into_bytes().into(),
                password: password(other, own),
                own_password: password(own, other),
                level,
            };
            let link = LinkConfig::new(peer).trust(Level::Moderator);
            if dials { link.dial(address(other)) } else { link }
        })
        .collect();
    config
}

impl World {
    pub(crate) fn new(seed: u64, configs: Vec<server::Config>) -> Self {
        eprintln!("seed {seed}");
        let mut sim = Sim::new(seed, Uniform::ms(5..40));
        let servers = (0..configs.len())
            .map(|n| {
                let setup = Setup::new().addr(address(n).ip());
                sim.add_with(setup, Either::Left(Server::new(configs[n].clone())))
            })
            .collect();
        Self { sim, servers, configs }
    }

    /// Two servers, linked.
    pub(crate) fn pair(seed: u64) -> Self {
        let configs = vec![config(0, &[(1, true)], 6), config(1, &[(0, false)], 6)];
        let mut world = Self::new(seed, configs);
        assert!(world.wait_linked(SPAN), "no link");
        world
    }

    pub(crate) fn server(&self, n: usize) -> &Server {
        match self.sim.machine(self.servers[n]) {
            Either::Left(server) => server,
            Either::Right(_) => panic!("a client"),
        }
    }

    /// What a server told since this was asked last.
    pub(crate) fn take_news(&mut self, n: usize) -> Vec<ServerEvent> {
        let told = self.sim.take_events(self.servers[n]);
        let events = told.into_iter().filter_map(|told| match told.event {
            Either::Left(event) => Some(event),
            Either::Right(_) => None,
        });
        events.collect()
    }

    pub(crate) fn ends(&mut self, n: usize) -> Vec<LinkEnd> {
        let news = self.take_news(n).into_iter().filter_map(|event| match event {
            ServerEvent::LinkDown { why, .. } => Some(why),
            _ => None,
        });
        news.collect()
    }

    /// Waits until every server is reached from every other.
    pub(crate) fn wait_linked(&mut self, span: Duration) -> bool {
        let servers = self.servers.clone();
        self.sim.wait(span, |sim| {
            servers.iter().all(|node| match sim.machine(*node) {
                Either::Left(server) => server.counts().links >= 1,
                Either::Right(_) => false,
            })
        })
    }

    pub(crate) fn restart(&mut self, n: usize) {
        self.sim.restart(self.servers[n], Either::Left(Server::new(self.configs[n].clone())));
    }

    /// A client that is logged in to a server, and comes back by itself.
    pub(crate) fn client(&mut self, nick: &str, at: usize) -> NodeIx {
        self.client_with(nick, at, Some(6699), Disk::new(Default::default()))
    }

    pub(crate) fn client_with(&mut self, nick: &str, at: usize, port: Option<u16>, disk: Disk) -> NodeIx {
        let node = self.add_client(nick, port, disk);
        self.done(node, Client::join(Bootstrap::servers([address(at)])));
        node
    }

    pub(crate) fn add_client(&mut self, nick: &str, port: Option<u16>, disk: Disk) -> NodeIx {
        let mut config = client::Config::default();
        config.nick = Bytes::copy_from_slice(nick.as_bytes());
        config.password = Bytes::from_static(b"secret");
        config.listen = port.map(|port| SocketAddr::from(([0, 0, 0, 0], port)));
        self.sim.add_with(Setup::new().disk(disk), Either::Right(Client::new(config)))
    }

    pub(crate) fn join(&mut self, node: NodeIx, at: usize) {
        self.sim.ask(node, Either::Right(Client::join(Bootstrap::servers([address(at)]))));
    }

    /// What an operation told that ended well.
    pub(crate) fn done(&mut self, node: NodeIx, command: Command) -> Vec<Event> {
        let op = self.sim.ask(node, Either::Right(command));
        self.sim.finish(&[op], SPAN);
        let outcome = self.sim.outcome(op);
        assert!(matches!(outcome, Some(Ok(()))), "{outcome:?}");
        let told = self.sim.take_events(node).into_iter().filter(|told| told.op == Some(op));
        told.filter_map(|told| if let Either::Right(event) = told.event { Some(event) } else { None })
            .collect()
    }

    pub(crate) fn failed(&mut self, node: NodeIx, command: Command) -> client::Error {
        let op = self.sim.ask(node, Either::Right(command));
        self.sim.finish(&[op], SPAN);
        match self.sim.outcome(op) {
            Some(Err(EitherError::Of(Either::Right(error)))) => error.clone(),
            outcome => panic!("{outcome:?}"),
        }
    }

    pub(crate) fn order(&mut self, server: usize, command: ServerCommand) {
        let op = self.sim.ask(self.servers[server], Either::Left(command));
        assert!(self.sim.finish(&[op], SPAN));
        assert!(matches!(self.sim.outcome(op), Some(Ok(()))));
    }

    /// What a client told since this was asked last.
    pub(crate) fn told(&mut self, node: NodeIx) -> Vec<Event> {
        let told = self.sim.take_events(node).into_iter();
        told.filter_map(|told| if let Either::Right(event) = told.event { Some(event) } else { None })
            .collect()
    }

    pub(crate) fn share(&mut self, node: NodeIx, name: &str) {
        let file = file(name);
        self.sim.disk(node);
        let mut shared = SharedFile::new(name.as_bytes().to_vec(), file);
        shared.size = Some(5_000_000);
        shared.md5 = Some(Md5Hash([7; 16]));
        self.done(node, Command::Share(Box::new(shared)));
    }

    pub(crate) fn search(&mut self, node: NodeIx, words: &str) -> Vec<Hit> {
        self.search_for(node, Query::from(Keywords::new(words)))
    }

    pub(crate) fn search_for(&mut self, node: NodeIx, query: Query) -> Vec<Hit> {
        let found = self.done(node, Client::search(query));
        found.into_iter().filter_map(Client::hit).collect()
    }

    /// Who is where, as a server knows it: nick and server.
    pub(crate) fn who(&self, n: usize) -> BTreeSet<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let own = name(n);
        let who = self.server(n).who();
        who.map(|who| (text(who.nick), who.server.map_or_else(|| own.clone(), text))).collect()
    }

    /// All servers know of the same users, on the same servers, with as many files, and no others.
    pub(crate) fn assert_alike(&self) {
        let first = self.who(0);
        for n in 1..self.servers.len() {
            assert_eq!(self.who(n), first, "{} and {}", name(n), name(0));
        }
        for n in 0..self.servers.len() {
            let counts = self.server(n).counts();
            assert_eq!((counts.users + counts.linked_users) as usize, first.len());
        }
    }

    pub(crate) fn members(&self, n: usize, channel: &str) -> BTreeSet<String> {
        let members = self.server(n).members(channel.as_bytes());
        members.map(|nick| String::from_utf8(nick.to_vec()).unwrap()).collect()
    }
}

pub(crate) fn file(name: &str) -> FileId {
    let base = name.rsplit('\\').next().unwrap();
    FileId::new(Root(1), RelPath::from_parts([base]).unwrap())
}

pub(crate) fn nicks(who: &[(&str, usize)]) -> BTreeSet<(String, String)> {
    who.iter().map(|(nick, at)| ((*nick).to_owned(), name(*at))).collect()
}
