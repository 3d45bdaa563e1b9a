//! Running a scenario.

use super::figures::{Figures, GroupFigures};
use super::member::Member;
use super::scenario::{Access, Conduct, Group, Scenario};
use p2p_bittorrent::metainfo::{Builder, Details, Limits, Metainfo};
use p2p_bittorrent::tracker::{self, Tracker};
use p2p_bittorrent::{Client, Command, Config, Event, Torrent};
use p2p_core::hash::{Hasher, Sha1};
use p2p_core::{Bytes, Duration, FileId, Instant, Rng, Root};
use p2p_sim::storage::Content;
use p2p_sim::{Disk, NodeIx, Setup, Sim, Uniform};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

const PORT: u16 = 6881;
const TRACKER_PORT: u16 = 6969;
/// The address of the first node: the tracker's.
const TRACKER: &str = "10.0.0.1";
const NAME: &str = "content";
/// Between two looks at what was sent.
const LOOK: Duration = Duration::from_secs(20);

/// What machines tell while a run goes on.
#[derive(Default)]
struct Heard {
    complete: BTreeMap<NodeIx, Instant>,
    banned: u64,
}

/// One peer of a run.
struct Place {
    node: NodeIx,
    group: usize,
    came: Instant,
    left: bool,
}

/// What was sent in an interval, in bits.
struct Look {
    since: Instant,
    bits: f64,
    /// What the uplinks could carry.
    up: f64,
    /// No more of that than the downlinks of those could take who still fetched.
    usable: f64,
}

/// A scenario under way.
struct Swarm<'a> {
    scenario: &'a Scenario,
    sim: Sim<Member>,
    content: Bytes,
    metainfo: Arc<Metainfo>,
    seed: NodeIx,
    /// When the first peer may come.
    began: Instant,
    places: Vec<Place>,
    heard: Arc<Mutex<Heard>>,
}

fn random(len: u64) -> Bytes {
    let mut data = vec![0; len as usize];
    Rng::fast_from(len).fill(&mut data);
    data.into()
}

fn metainfo(scenario: &Scenario, content: &[u8]) -> Metainfo {
    let valid = "pieces and lengths that a torrent can have";
    let mut builder = Builder::file(NAME, scenario.total(), Some(scenario.piece_len)).expect(valid);
    for (piece, data) in (0u32..).zip(content.chunks(scenario.piece_len as usize)) {
        builder.set(piece, Sha1::digest(data)).expect(valid);
    }
    let announce = vec![vec![format!("udp://{TRACKER}:{TRACKER_PORT}/announce")]];
    let details = Details { announce, ..Details::default() };
    let torrent = builder.finish(&details).expect(valid);
    Metainfo::parse(&torrent, &Limits::default()).expect(valid)
}

fn client(conduct: Conduct, slots: Option<u16>) -> Client {
    let mut config = Config::default();
    config.listen = Some(SocketAddr::from(([0, 0, 0, 0], PORT)));
    config.state = None;
    config.upload_slots = if conduct == Conduct::FreeRider { Some(0) } else { slots };
    // Whole pieces go to the disk: what waits in memory is a slice of what is there anyway.
    config.flush_after = Duration::from_secs(60);
    // Nobody looks at progress.
    config.report_every = Duration::from_secs(1 << 20);
    Client::new(config)
}

fn member(conduct: Conduct, slots: Option<u16>, dice: u64) -> Member {
    let client = client(conduct, slots);
    match conduct {
        Conduct::Liar(share) => Member::liar(client, share, dice),
        Conduct::Honest | Conduct::FreeRider => Member::client(client),
    }
}

fn secs(span: Duration) -> f64 {
    span.as_secs_f64()
}

/// Runs a scenario from a seed until everybody who fetches has everything, or patience ends.
///
/// # Panics
/// If no torrent can have the scenario's pieces.
#[must_use]
pub fn run(scenario: &Scenario, seed: u64) -> Figures {
    let mut swarm = Swarm::new(scenario, seed);
    swarm.arrive(seed);
    let timeline = swarm.go();
    swarm.figures(seed, timeline)
}

impl<'a> Swarm<'a> {
    /// The tracker and the seed, which is ready.
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let content = random(scenario.total());
        let metainfo = Arc::new(metainfo(scenario, &content));
        let mut sim = Sim::new(seed, Uniform::ms(10..100));
        sim.options().content = Content::Shared;
        sim.share(content.clone());
        let heard = Arc::new(Mutex::new(Heard::default()));
        let ears = heard.clone();
        sim.on_event(move |now, node, _, event| {
            if let Ok(mut heard) = ears.lock() {
                match event {
                    Event::Complete(_) => drop(heard.complete.insert(node, now)),
                    Event::Banned { .. } => heard.banned += 1,
                    _ => {}
                }
            }
            false
        });
        let mut config = tracker::Config::default();
        config.http = Vec::new();
        config.limits.want_most = 30;
        sim.add(Member::Tracker(Box::new(Tracker::new(config))));
        let mut swarm = Self {
            scenario,
            sim,
            content,
            metainfo,
            seed: NodeIx::new(1),
            began: Instant::ZERO,
            places: Vec::new(),
            heard,
        };
        swarm.seed = swarm.seeder(scenario.seed, Conduct::Honest, 0);
        swarm.sim.run_for(Duration::from_secs(5));
        swarm.began = swarm.sim.now();
        swarm
    }

    /// Adds somebody who has everything.
    fn seeder(&mut self, access: Access, conduct: Conduct, dice: u64) -> NodeIx {
        let disk = Disk::shared().with_file(FileId::new(Root(0), path()), self.content.clone());
        let setup = Setup::new().bandwidth(access.bandwidth()).disk(disk);
        let node = self.sim.add_with(setup, member(conduct, self.scenario.slots, dice));
        self.sim.ask(node, Command::Seed(Box::new(Torrent::new(self.metainfo.clone()))));
        node
    }

    /// Adds the peers, all kinds mixed, evenly over the time of their arrivals.
    fn arrive(&mut self, seed: u64) {
        let groups = self.scenario.groups.iter().enumerate();
        let mut order: Vec<usize> =
            groups.flat_map(|(at, group)| std::iter::repeat_n(at, group.count)).collect();
        let mut rng = Rng::fast_from(seed ^ 0x5eed);
        rng.shuffle(&mut order);
        let count = order.len() as u32;
        for (nth, group) in (0u32..).zip(order) {
            self.sim.run_until(self.began + self.scenario.arrivals * nth / count);
            let Group { access, conduct, .. } = self.scenario.groups[group];
            let node = if let Conduct::Liar(_) = conduct {
                self.seeder(access, conduct, rng.bits())
            } else {
                let node = self.sim.add_with(
                    Setup::new().bandwidth(access.bandwidth()),
                    member(conduct, self.scenario.slots, rng.bits()),
                );
                let mut torrent = Torrent::new(self.metainfo.clone());
                torrent.order = self.scenario.order;
                self.sim.ask(node, Command::Download(Box::new(torrent)));
                node
            };
            self.places.push(Place { node, group, came: self.sim.now(), left: false });
        }
    }

    fn conduct(&self, place: &Place) -> Conduct {
        self.scenario.groups[place.group].conduct
    }

    /// Whether it is of those that the run waits for.
    fn fetches(&self, place: &Place) -> bool {
        !matches!(self.conduct(place), Conduct::Liar(_))
    }

    /// Runs to the end; says what was sent in each interval, and could be.
    fn go(&mut self) -> Vec<Look> {
        let fetching: Vec<NodeIx> =
            self.places.iter().filter(|place| self.fetches(place)).map(|p| p.node).collect();
        let end = self.began + Duration::from_secs_f64(self.scenario.bound() * self.scenario.patience);
        let mut timeline = Vec::new();
        let mut before = self.sent();
        let mut since = self.began;
        loop {
            self.sim.run_for(LOOK);
            let (now, sent) = (self.sim.now(), self.sent());
            let (up, usable) = self.capacity(since, now);
            let bits = (sent - before) as f64 * 8.0;
            timeline.push(Look { since, bits, up, usable });
            (before, since) = (sent, now);
            if self.scenario.leave {
                self.leave();
            }
            let complete = self
                .heard
                .lock()
                .is_ok_and(|heard| fetching.iter().all(|node| heard.complete.contains_key(node)));
            if complete || now >= end {
                return timeline;
            }
        }
    }

    /// Who has everything leaves the swarm.
    fn leave(&mut self) {
        let hash = self.metainfo.info.info_hash();
        for place in &mut self.places {
            let complete = self.heard.lock().is_ok_and(|heard| heard.complete.contains_key(&place.node));
            if complete && !std::mem::replace(&mut place.left, true) {
                self.sim.ask(place.node, Command::Pause(hash, true));
            }
        }
    }

    fn progress(&self, node: NodeIx) -> p2p_bittorrent::Progress {
        let hash = self.metainfo.info.info_hash();
        let client = self.sim.machine(node).peer();
        client.and_then(|client| client.progress(hash, self.sim.now())).expect("the torrent is there")
    }

    fn givers(&self) -> impl Iterator<Item = (NodeIx, Access)> + '_ {
        let honest = self.places.iter().filter(|place| self.conduct(place) == Conduct::Honest);
        let honest = honest.map(|place| (place.node, self.scenario.groups[place.group].access));
        std::iter::once((self.seed, self.scenario.seed)).chain(honest)
    }

    /// Bytes that those sent who give.
    fn sent(&self) -> u64 {
        self.givers().map(|(node, _)| self.sim.bytes(node).0).sum()
    }

    /// Bits in a time: what all uplinks of those who give carry, and what is of use of that: no more than the downlinks
    /// of those who fetch take, each until it has everything.
    fn capacity(&self, since: Instant, now: Instant) -> (f64, f64) {
        let up: u64 = self.givers().map(|(_, access)| access.up).sum();
        let Ok(heard) = self.heard.lock() else { return (1.0, 1.0) };
        let (mut longest, mut down) = (0.0f64, 0.0);
        for place in self.places.iter().filter(|place| self.fetches(place)) {
            let end = heard.complete.get(&place.node).map_or(now, |at| (*at).clamp(since, now));
            let span = secs(end.since(since));
            longest = longest.max(span);
            down += self.scenario.groups[place.group].access.down as f64 * span;
        }
        (up as f64 * secs(now.since(since)), (up as f64 * longest).min(down))
    }

    fn figures(&self, seed: u64, timeline: Vec<Look>) -> Figures {
        let scenario = self.scenario;
        let groups: Vec<GroupFigures> =
            scenario.groups.iter().enumerate().map(|(at, group)| self.group(at, group)).collect();
        let honest = |figures: &&GroupFigures| {
            scenario.groups.iter().any(|g| g.name == figures.name && g.conduct == Conduct::Honest)
        };
        let heard = self.heard.lock().map(|heard| (heard.complete.clone(), heard.banned));
        let (complete, banned) = heard.unwrap_or_default();
        let honest_places =
            || self.places.iter().filter(|place| self.conduct(place) == Conduct::Honest).map(|p| p.node);
        let last = honest_places().filter_map(|node| complete.get(&node)).max();
        let last = last.map_or(0.0, |at| secs(at.since(self.began)));
        let (mut downloaded, mut wasted, mut payload) = (0, 0, 0);
        for node in honest_places() {
            let progress = self.progress(node);
            downloaded += progress.downloaded;
            wasted += progress.wasted;
        }
        for (node, _) in self.givers() {
            payload += self.progress(node).uploaded;
        }
        let sent = self.sent();
        let useful = 1.0 - (sent - payload.min(sent)) as f64 / sent as f64;
        let looks =
            || timeline.iter().filter(|look| last == 0.0 || secs(look.since.since(self.began)) < last);
        let (bits, usable) = looks().fold((0.0, 0.0), |sum, look| (sum.0 + look.bits, sum.1 + look.usable));
        let up: u64 = self.givers().map(|(_, access)| access.up).sum();
        Figures {
            name: scenario.name,
            seed,
            finished: groups.iter().filter(honest).all(|group| group.finished == group.count),
            bound: scenario.bound(),
            last,
            utilisation: payload as f64 * 8.0 / (up as f64 * last.max(1.0)),
            usable: bits / usable.max(1.0) * useful,
            wasted: wasted as f64 / (downloaded as f64).max(1.0),
            overhead: (sent - payload.min(sent)) as f64 / (payload as f64).max(1.0),
            groups,
            timeline: timeline.iter().map(|look| look.bits / look.up).collect(),
            digest: self.sim.digest(),
            inputs: self.sim.traffic().inputs,
            banned,
        }
    }

    fn group(&self, at: usize, group: &Group) -> GroupFigures {
        let places = || self.places.iter().filter(|place| place.group == at);
        let mut times: Vec<f64> = Vec::new();
        if let Ok(heard) = self.heard.lock() {
            times.extend(places().filter_map(|p| Some(secs(heard.complete.get(&p.node)?.since(p.came)))));
        }
        times.sort_by(f64::total_cmp);
        let time = |at: usize| times.get(at).copied().unwrap_or(f64::NAN);
        let (mut sent, mut got) = (0, 0);
        for place in places() {
            let progress = self.progress(place.node);
            sent += progress.uploaded;
            got += progress.downloaded;
        }
        GroupFigures {
            name: group.name,
            finished: if matches!(group.conduct, Conduct::Liar(_)) { 0 } else { times.len() },
            count: group.count,
            times: [time(0), time(times.len() / 2), time(times.len().saturating_sub(1))],
            ratio: sent as f64 / (got as f64).max(1.0),
        }
    }
}

fn path() -> p2p_core::RelPath {
    p2p_core::RelPath::from_parts([NAME]).expect("a plain name")
}
