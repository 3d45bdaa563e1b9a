//! One run of a crowd, and the model that its end is compared with.

use super::catalogue::{Catalogue, draw_count};
use bytes::Bytes;
use p2p_core::hash::Md5Hash;
use p2p_core::{Duration, FileId, Join, Keywords, RelPath, Rng, Root, Search};
use p2p_napster::client::{self, Bootstrap, Command, Event, Query, SharedFile};
use p2p_napster::link::LinkPeer;
use p2p_napster::server::{self, LinkConfig, Rate, Server, ServerEvent};
use p2p_napster::{Client, wire};
use p2p_sim::{Either, NodeIx, Setup, Sim, Uniform};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What runs.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    pub(super) users: usize,
    pub(super) seed: u64,
    /// Shares are smaller than those of real users by this factor.
    pub(super) scale: f64,
    /// In how many seconds all log in, and in how many they then search, each once on average.
    pub(super) arrive: u64,
    pub(super) busy: u64,
    /// Searches at the end whose results are compared with the model's.
    pub(super) checked: usize,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { users: 500, seed: 1, scale: 33.0, arrive: 120, busy: 600, checked: 300 }
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Outcome {
    pub(super) digest: u64,
    pub(super) users: u64,
    pub(super) files: u64,
    pub(super) searches: u64,
    pub(super) found: u64,
    /// Checked searches that found something on the other server.
    pub(super) over_links: u64,
    pub(super) crashed: u64,
    pub(super) left: u64,
    /// Users that ended on another server than the first that they tried.
    pub(super) moved: u64,
    /// Times that a link was up, as the server that does not crash saw it.
    pub(super) linked: u64,
}

struct User {
    node: NodeIx,
    nick: String,
    home: usize,
    firewalled: bool,
    share: Vec<u32>,
    online: bool,
}

const SERVERS: [&str; 2] = ["alpha", "beta"];

fn address(server: usize) -> SocketAddr {
    SocketAddr::from(([10, 200, 0, server as u8 + 1], 8888))
}

fn server(own: usize, users: usize) -> Server {
    let other = 1 - own;
    let password = |from: usize| format!("of {from}").into_bytes().into();
    let name = |server: usize| SERVERS[server].as_bytes().into();
    let peer =
        LinkPeer { name: name(other), password: password(other), own_password: password(own), level: 1 };
    let mut config = server::Config::default();
    config.name = SERVERS[own].into();
    config.links = vec![LinkConfig::new(peer).dial(address(other))];
    // A crowd that searches all at once is what this is about; limits have tests of their own.
    config.limits.connections = users * 2;
    config.limits.linked_searches = users;
    config.limits.searches = Rate::UNLIMITED;
    config.stats_every = Duration::ZERO;
    Server::new(config)
}

struct World {
    sim: Sim<Either<Server, Client>>,
    servers: [NodeIx; 2],
    catalogue: Catalogue,
    users: Vec<User>,
    dice: Rng,
    outcome: Outcome,
    found: Arc<AtomicU64>,
    linked: Arc<AtomicU64>,
    keep: Arc<AtomicBool>,
    any: FileId,
}

impl World {
    fn new(crowd: &Crowd) -> Self {
        let mut dice = Rng::fast_from(crowd.seed);
        let mut sim = Sim::new(crowd.seed, Uniform::ms(5..80));
        sim.reserve(crowd.users + 2);
        let servers = [0, 1]
            .map(|n| sim.add_with(Setup::new().addr(address(n).ip()), Either::Left(server(n, crowd.users))));
        // What nobody looks at is not kept.
        let keep = Arc::new(AtomicBool::new(false));
        let (found, linked) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (keeps, hits, links, alpha) = (keep.clone(), found.clone(), linked.clone(), servers[0]);
        sim.on_event(move |_, node, _, event| {
            match event {
                Either::Right(Event::Hit(_)) => drop(hits.fetch_add(1, Ordering::Relaxed)),
                Either::Left(ServerEvent::LinkUp { .. }) if node == alpha => {
                    links.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            }
            keeps.load(Ordering::Relaxed)
        });
        let catalogue = Catalogue::new(crowd.users / 3 + 20, &mut dice);
        let any = FileId::new(Root(1), RelPath::from_parts(["song.mp3"]).unwrap());
        let mut world = Self {
            sim,
            servers,
            catalogue,
            users: Vec::new(),
            dice,
            outcome: Outcome::default(),
            found,
            linked,
            keep,
            any,
        };
        for n in 0..crowd.users {
            let firewalled = world.dice.chance(0.25);
            let count = draw_count(crowd.scale, &mut world.dice);
            let share = world.catalogue.draw_share(count, &mut world.dice);
            let (nick, home) = (format!("user{n}"), n % 2);
            let node = world.sim.add(Either::Right(client(&nick, firewalled)));
            world.users.push(User { node, nick, home, firewalled, share, online: false });
        }
        world
    }

    /// A user tells its client what to share, and where to log in.
    fn log_in(&mut self, n: usize) {
        let user = &mut self.users[n];
        user.online = true;
        for song in &user.share {
            let mut file =
                SharedFile::new(self.catalogue.songs[*song as usize].name.clone(), self.any.clone());
            file.size = Some(4_000_000 + u64::from(*song));
            let mut digest = [1; 16];
            digest[..4].copy_from_slice(&song.to_le_bytes());
            file.md5 = Some(Md5Hash(digest));
            self.sim.ask(user.node, Either::Right(Command::Share(Box::new(file))));
        }
        let servers = [address(user.home), address(1 - user.home)];
        self.sim.ask(user.node, Either::Right(Client::join(Bootstrap::servers(servers))));
    }

    fn search(&mut self, n: usize) {
        let song = self.catalogue.draw(&mut self.dice);
        let query = Query::from(Keywords::new(&self.catalogue.songs[song].words.join(" ")));
        self.sim.ask(self.users[n].node, Either::Right(Client::search(query)));
        self.outcome.searches += 1;
    }

    /// Something that a user does in the busy time.
    fn act(&mut self, n: usize) {
        let user = &mut self.users[n];
        match self.dice.below(100) {
            0..3 if user.online => {
                self.sim.kill(user.node);
                user.online = false;
                self.outcome.crashed += 1;
            }
            3..5 if user.online => {
                self.sim.ask(user.node, Either::Right(Command::Leave));
                user.online = false;
                self.outcome.left += 1;
            }
            5..40 if !user.online => {
                let machine = client(&user.nick, user.firewalled);
                self.sim.restart(user.node, Either::Right(machine));
                self.log_in(n);
            }
            _ if user.online => self.search(n),
            _ => {}
        }
    }

    fn busy(&mut self, crowd: &Crowd, seconds: u64) {
        for second in 0..seconds {
            // Spread over the whole time, each user acts as often as the crowd is busy in all.
            let from = crowd.users as u64 * second / crowd.busy;
            let to = crowd.users as u64 * (second + 1) / crowd.busy;
            for _ in from..to {
                let n = self.dice.index(self.users.len());
                self.act(n);
            }
            self.sim.run_for(Duration::from_secs(1));
        }
    }

    fn server(&self, n: usize) -> &Server {
        match self.sim.machine(self.servers[n]) {
            Either::Left(server) => server,
            Either::Right(_) => panic!("a client"),
        }
    }

    /// Until all who want to be online are, and the servers know of each other's users and what they share.
    fn settle(&mut self) {
        let wanted = self.users.iter().filter(|user| user.online).count() as u64;
        let files: u64 =
            self.users.iter().filter(|user| user.online).map(|user| user.share.len() as u64).sum();
        for _ in 0..3_600 {
            self.sim.run_for(Duration::from_secs(1));
            let is_settled = |n: usize| {
                let counts = self.server(n).counts();
                counts.users + counts.linked_users == wanted && counts.files + counts.linked_files == files
            };
            if is_settled(0) && is_settled(1) {
                (self.outcome.users, self.outcome.files) = (wanted, files);
                return;
            }
        }
        panic!(
            "{wanted} users with {files} files, but {:?} and {:?}",
            self.server(0).counts(),
            self.server(1).counts()
        );
    }

    /// Every user that is online is on one server, with all that it shares; both servers know who is where.
    fn compare_indexes(&mut self) {
        let mut place = BTreeMap::new();
        for (n, other) in [(0, 1), (1, 0)] {
            for who in self.server(n).who() {
                let nick = std::str::from_utf8(who.nick).unwrap().to_owned();
                match who.server {
                    None => assert_eq!(place.insert(nick, n), None, "on both servers"),
                    Some(server) => assert_eq!(server, SERVERS[other].as_bytes()),
                }
            }
        }
        let online: BTreeSet<&str> =
            self.users.iter().filter(|user| user.online).map(|user| &*user.nick).collect();
        assert_eq!(place.keys().map(|nick| &**nick).collect::<BTreeSet<_>>(), online);
        for user in self.users.iter().filter(|user| user.online) {
            let at = place[&user.nick];
            self.outcome.moved += u64::from(at != user.home);
            let shares = |server: &Server| -> BTreeSet<Vec<u8>> {
                server.files_of(user.nick.as_bytes()).map(|file| file.name()).collect()
            };
            let model: BTreeSet<Vec<u8>> = user.share.iter().map(|song| self.name(*song)).collect();
            assert_eq!(shares(self.server(at)), model, "{}", user.nick);
            assert_eq!(shares(self.server(1 - at)).len(), 0, "{} shares from elsewhere", user.nick);
        }
    }

    fn name(&self, song: u32) -> Vec<u8> {
        self.catalogue.songs[song as usize].name.clone().into_bytes()
    }

    /// What searches find is what a look at every user's list finds.
    fn compare_searches(&mut self, checked: usize) {
        let mut holders: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (n, user) in self.users.iter().enumerate().filter(|(_, user)| user.online) {
            for song in &user.share {
                holders.entry(*song).or_default().push(n);
            }
        }
        self.keep.store(true, Ordering::Relaxed);
        for _ in 0..checked {
            let asker = loop {
                let n = self.dice.index(self.users.len());
                if self.users[n].online {
                    break n;
                }
            };
            let mut words = self.catalogue.songs[self.catalogue.draw(&mut self.dice)].words.clone();
            self.dice.shuffle(&mut words);
            words.truncate(1 + self.dice.index(3));
            let found = self.find(asker, &words);
            let has_all =
                |song: u32| words.iter().all(|word| self.catalogue.songs[song as usize].words.contains(word));
            let mut model = BTreeSet::new();
            for (song, users) in holders.iter().filter(|(song, _)| has_all(**song)) {
                for &n in users {
                    let hidden = self.users[n].firewalled && self.users[asker].firewalled;
                    if n != asker && !hidden {
                        model.insert((self.users[n].nick.clone(), self.name(*song)));
                    }
                }
            }
            let (asks, most) = (&self.users[asker].nick, 100);
            assert!(found.is_subset(&model), "{asks}, {words:?}: {:?}", found.difference(&model).next());
            assert_eq!(found.len(), model.len().min(most), "{asks}, {words:?}");
            let own = self.server(0).files_of(self.users[asker].nick.as_bytes()).next().is_some();
            let elsewhere = found
                .iter()
                .any(|(nick, _)| self.server(0).files_of(nick.as_bytes()).next().is_some() != own);
            self.outcome.over_links += u64::from(elsewhere);
        }
    }

    fn find(&mut self, asker: usize, words: &[String]) -> BTreeSet<(String, Vec<u8>)> {
        let node = self.users[asker].node;
        self.sim.take_events(node);
        let query = Query::from(Keywords::new(&words.join(" ")));
        let op = self.sim.ask(node, Either::Right(Client::search(query)));
        assert!(self.sim.finish(&[op], Duration::from_secs(60)), "the search has no end");
        assert!(matches!(self.sim.outcome(op), Some(Ok(()))), "{:?}", self.sim.outcome(op));
        let told = self.sim.take_events(node).into_iter().filter(|told| told.op == Some(op));
        let hits = told.filter_map(|told| match told.event {
            Either::Right(event) => Client::hit(event),
            Either::Left(_) => None,
        });
        let text = |bytes: &Bytes| wire::text::shown(bytes).to_string();
        hits.map(|hit| (text(&hit.nick), hit.name.to_vec())).collect()
    }
}

fn client(nick: &str, firewalled: bool) -> Client {
    let mut config = client::Config::default();
    config.nick = Bytes::copy_from_slice(nick.as_bytes());
    config.password = Bytes::from_static(b"secret");
    config.listen = (!firewalled).then(|| SocketAddr::from(([0, 0, 0, 0], 6699)));
    Client::new(config)
}

pub(super) fn run(crowd: &Crowd) -> Outcome {
    let mut world = World::new(crowd);
    for second in 0..crowd.arrive {
        let (from, to) = (second, second + 1);
        let at = |second: u64| (crowd.users as u64 * second / crowd.arrive) as usize;
        for n in at(from)..at(to) {
            world.log_in(n);
        }
        world.sim.run_for(Duration::from_secs(1));
    }
    world.busy(crowd, crowd.busy / 4);
    // The link parts, and is given up; users go on.
    let [alpha, beta] = world.servers;
    world.sim.cut(alpha, beta);
    world.sim.cut(beta, alpha);
    world.busy(crowd, crowd.busy / 4);
    world.sim.heal();
    world.busy(crowd, crowd.busy / 4);
    // One server crashes; those on it go to the other, or wait.
    world.sim.kill(beta);
    world.busy(crowd, crowd.busy / 8);
    world.sim.restart(beta, Either::Left(server(1, crowd.users)));
    world.busy(crowd, crowd.busy / 8);
    world.settle();
    world.compare_indexes();
    world.compare_searches(crowd.checked);
    world.outcome.found = world.found.load(Ordering::Relaxed);
    world.outcome.linked = world.linked.load(Ordering::Relaxed);
    world.outcome.digest = world.sim.digest();
    world.outcome
}
