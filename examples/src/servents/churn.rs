//! Networks of real servents that come and go: two tiers, free riders, and a partition if there is to be one.

use p2p_core::{Duration, FileId, Instant, OpId, RelPath, Rng, Root};
use p2p_gnutella::handshake::Role;
use p2p_gnutella::servent::{Bootstrap, Command, Config, Event, Mode, Wish};
use p2p_gnutella::{Servent, transfer};
use p2p_sim::churn::Session;
use p2p_sim::{NodeIx, Sim, Uniform};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// A network that comes and goes.
#[derive(Debug, Clone, Copy)]
pub struct Churn {
    /// Servents at any time; one of ten is an ultrapeer, and links to ten others.
    pub nodes: usize,
    /// How long each stays. Another comes in its place at once.
    pub session: Session,
    /// How long it is watched, once it is built.
    pub span: Duration,
    /// The share of them that offers nothing.
    pub free_riders: f64,
    /// Searches in an hour by each.
    pub searches: f64,
    /// When the network comes apart into halves, and how long for.
    pub partition: Option<(Duration, Duration)>,
}

/// Sessions with a median of an hour, of the shape that Stutzbach and Rejaie (2006) measured in Gnutella.
#[must_use]
pub const fn gnutella_sessions() -> Session {
    // The median is 0.537 of the scale.
    Session::Weibull { shape: 0.59, scale: Duration::from_secs(6_700) }
}

/// How searches went in a part of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Searched {
    /// Searches that ended, or whose searcher went.
    pub searches: u64,
    /// Those of them that found a holder.
    pub found: u64,
    /// Hits.
    pub hits: u64,
}

/// What became of it.
#[derive(Debug, Clone, Default)]
pub struct Course {
    /// Before the partition, during it, and after it.
    pub searched: [Searched; 3],
    /// Servents that went, half of them without a word.
    pub departures: u64,
    /// The mean share of leaves that were linked to an ultrapeer, looked at every half minute.
    pub linked: f64,
    /// The largest part of the ultrapeers that hung together at the end, as a share of all.
    pub together: f64,
    /// Messages of all kinds that servents sent to neighbours.
    pub messages: u64,
    /// Queries among them.
    pub queries: u64,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// One of so many servents is an ultrapeer.
const TIERS: usize = 10;
/// Ultrapeers that an ultrapeer links to.
const DEGREE: u16 = 10;
/// Files for so many servents that offer something: each has one of them.
const COPIES: usize = 70;
/// Addresses that a newcomer knows, as from a host cache: some of those are gone.
const KNOWN: usize = 6;
/// How closely it is watched.
const STEP: Duration = Duration::from_millis(500);
/// How often it is looked at as a whole.
const LOOK: Duration = Duration::from_secs(30);
/// How long the network takes to be built, and to settle.
const BUILT: Duration = Duration::from_secs(180);

fn config(mode: Mode) -> Config {
    let mut config = Config::new(mode);
    config.degree = DEGREE;
    // So that who lacks one finds a place at once.
    config.limits.ultrapeers = usize::from(DEGREE) * 2;
    // Two of them for each link of an ultrapeer are 700 kB, and as many of these as there are nodes have to fit into a
    // computer.
    config.deflate = false;
    // There are 70 copies: to find 50, as is usual, most of the network would be asked, by whoever looks for one.
    config.leaf_hits = 10;
    config
}

type Hits = Arc<Mutex<BTreeMap<OpId, u64>>>;

struct Run<'a> {
    churn: &'a Churn,
    sim: Sim<Servent>,
    rng: Rng,
    nodes: Vec<NodeIx>,
    /// What each offers.
    offers: Vec<Option<usize>>,
    files: usize,
    agenda: BTreeSet<(Instant, usize)>,
    /// Those that were told to stop, and when they end at the latest.
    leaving: BTreeSet<(Instant, usize)>,
    hits: Hits,
    under_way: Vec<(OpId, usize)>,
    course: Course,
}

impl Churn {
    const fn ultrapeers(&self) -> usize {
        self.nodes / TIERS
    }

    /// Runs it.
    #[must_use]
    pub fn run(&self, seed: u64) -> Course {
        let mut sim: Sim<Servent> = Sim::new(seed, Uniform::ms(20..80));
        sim.reserve(self.nodes);
        sim.look_into(Servent::touch);
        sim.look_into_for(Servent::touch_for);
        let hits = Hits::default();
        let tell = hits.clone();
        sim.on_event(move |_, _, op, event| {
            if let (Some(op), Event::Hit(_), Ok(mut hits)) = (op, event, tell.lock()) {
                *hits.entry(op).or_insert(0) += 1;
            }
            false
        });
        let run = Run {
            churn: self,
            sim,
            rng: Rng::fast_from(seed ^ 0x6e),
            nodes: Vec::new(),
            offers: Vec::new(),
            files: ((self.nodes as f64 * (1.0 - self.free_riders)) as usize / COPIES).max(1),
            agenda: BTreeSet::new(),
            leaving: BTreeSet::new(),
            hits,
            under_way: Vec::new(),
            course: Course::default(),
        };
        run.go()
    }
}

impl Run<'_> {
    fn mode(&self, place: usize) -> Mode {
        if place < self.churn.ultrapeers() { Mode::Ultrapeer } else { Mode::Leaf }
    }

    fn machine(&mut self, place: usize) -> Servent {
        Servent::new(config(self.mode(place)), &mut self.rng)
    }

    /// A servent begins: it offers its file, and knows some ultrapeers.
    fn begin(&mut self, place: usize) {
        let node = self.nodes[place];
        if let Some(file) = self.offers[place] {
            let name = RelPath::local([&*format!("file{file} of many")]).expect("a plain name");
            let shared = FileId::new(Root(0), name);
            let disk = std::mem::take(self.sim.disk(node));
            *self.sim.disk(node) = disk.with_file(shared.clone(), &b"."[..]);
            self.sim.ask(node, Command::Transfer(transfer::Command::Share(shared)));
        }
        let ultrapeers = self.churn.ultrapeers().min(self.nodes.len());
        let known: BTreeSet<usize> =
            (0..KNOWN).map(|_| self.rng.index(ultrapeers)).filter(|other| *other != place).collect();
        let peers =
            known.iter().map(|other| SocketAddr::new(self.sim.addr(self.nodes[*other]), 6346)).collect();
        self.sim.ask(node, Command::Join(Bootstrap { peers, ..Bootstrap::default() }));
        let stays = self.churn.session.draw(&mut self.rng);
        self.agenda.insert((self.sim.now() + stays, place));
    }

    fn build(&mut self) {
        for place in 0..self.churn.nodes {
            let machine = self.machine(place);
            let node = self.sim.add(machine);
            self.nodes.push(node);
            let rides = self.rng.chance(self.churn.free_riders);
            let file = self.rng.index(self.files);
            self.offers.push((!rides).then_some(file));
        }
        // Everybody at once would be more than ultrapeers take in a minute.
        let each = self.churn.nodes.div_ceil(100);
        for chunk in 0..self.churn.nodes.div_ceil(each) {
            (chunk * each..((chunk + 1) * each).min(self.churn.nodes)).for_each(|place| self.begin(place));
            self.sim.run_for(Duration::from_millis(600));
        }
        self.sim.run_for(BUILT);
    }

    /// A servent goes; half of them say bye.
    fn depart(&mut self, place: usize) {
        self.course.departures += 1;
        let node = self.nodes[place];
        if self.rng.chance(0.5) {
            self.sim.stop(node);
            self.leaving.insert((self.sim.now() + Duration::from_secs(1), place));
        } else {
            self.sim.kill(node);
            self.replace(place);
        }
    }

    fn replace(&mut self, place: usize) {
        let machine = self.machine(place);
        let node = self.nodes[place];
        if self.sim.is_alive(node) {
            self.sim.kill(node);
        }
        self.sim.restart(node, machine);
        self.begin(place);
    }

    fn search(&mut self) {
        let place = self.rng.index(self.nodes.len());
        let file = self.rng.index(self.files);
        // Whoever has it does not look for it.
        if self.sim.is_alive(self.nodes[place]) && self.offers[place] != Some(file) {
            let op = self.sim.ask(self.nodes[place], Command::Search(Wish::words(format!("file{file}"))));
            self.under_way.push((op, self.part()));
        }
    }

    /// Before the partition, during it, after it.
    fn part(&self) -> usize {
        let Some((from, span)) = self.churn.partition else { return 0 };
        let at = self.sim.now().since(Instant::ZERO + self.built());
        if at < from {
            0
        } else if at < from + span {
            1
        } else {
            2
        }
    }

    fn built(&self) -> Duration {
        BUILT + Duration::from_millis(600) * self.churn.nodes.div_ceil(self.churn.nodes.div_ceil(100)) as u32
    }

    fn go(mut self) -> Course {
        self.build();
        let began = self.sim.now();
        let mut looked = (0.0, 0u32);
        let (mut next_look, mut halves) = (began, false);
        // In searches a step.
        let rate = self.churn.searches * self.churn.nodes as f64 / 3_600.0 * STEP.as_secs_f64();
        let mut owed = 0.0;
        while self.sim.now() < began + self.churn.span {
            let now = self.sim.now();
            let apart = self.part() == 1;
            if apart != halves {
                halves = apart;
                self.divide(apart);
            }
            while let Some(&(at, place)) = self.leaving.first().filter(|(at, _)| *at <= now) {
                self.leaving.remove(&(at, place));
                self.replace(place);
            }
            while let Some(&(at, place)) = self.agenda.first().filter(|(at, _)| *at <= now) {
                self.agenda.remove(&(at, place));
                self.depart(place);
            }
            owed += rate;
            while owed >= 1.0 {
                owed -= 1.0;
                self.search();
            }
            if now >= next_look {
                next_look = now + LOOK;
                looked = (looked.0 + self.linked(), looked.1 + 1);
                self.count_searches(false);
            }
            self.sim.run_for(STEP);
        }
        self.count_searches(true);
        self.course.linked = looked.0 / f64::from(looked.1.max(1));
        self.course.together = self.together();
        for node in &self.nodes {
            let counts = self.sim.machine(*node).counts();
            self.course.messages += counts.messages_out;
            self.course.queries += counts.queries_out;
        }
        self.course.digest = self.sim.digest();
        self.course
    }

    fn divide(&mut self, apart: bool) {
        if apart {
            let (one, other): (Vec<_>, Vec<_>) = self.nodes.iter().partition(|node| node.index() % 2 == 0);
            self.sim.partition(&[&one, &other]);
        } else {
            self.sim.heal();
        }
    }

    fn count_searches(&mut self, all: bool) {
        let Ok(mut hits) = self.hits.lock() else { return };
        let sim = &self.sim;
        let searched = &mut self.course.searched;
        self.under_way.retain(|(op, part)| {
            let is_over = all || sim.outcome(*op).is_some();
            if is_over {
                let found = hits.remove(op).unwrap_or(0);
                searched[*part].searches += 1;
                searched[*part].found += u64::from(found > 0);
                searched[*part].hits += found;
            }
            !is_over
        });
    }

    /// The share of leaves that live and are linked.
    fn linked(&self) -> f64 {
        let leaves = self.nodes.iter().skip(self.churn.ultrapeers()).filter(|node| self.sim.is_alive(**node));
        let (mut all, mut linked) = (0u32, 0u32);
        for node in leaves {
            all += 1;
            linked += u32::from(self.sim.machine(*node).neighbours().next().is_some());
        }
        f64::from(linked) / f64::from(all.max(1))
    }

    /// The largest part of the ultrapeers that hangs together.
    fn together(&self) -> f64 {
        let ultrapeers = self.churn.ultrapeers();
        let place_of: BTreeMap<_, _> = self
            .nodes
            .iter()
            .take(ultrapeers)
            .enumerate()
            .map(|(at, node)| (self.sim.addr(*node), at))
            .collect();
        let mut seen = vec![false; ultrapeers];
        let mut largest = 0;
        for from in 0..ultrapeers {
            let (mut open, mut size) = (vec![from], 0);
            while let Some(at) = open.pop() {
                if std::mem::replace(&mut seen[at], true) {
                    continue;
                }
                size += 1;
                let others = self.sim.machine(self.nodes[at]).neighbours();
                let others = others.filter(|other| other.role == Role::Ultrapeer);
                open.extend(others.filter_map(|other| place_of.get(&other.addr.ip())));
            }
            largest = largest.max(size);
        }
        largest as f64 / ultrapeers.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small one: what is there is found, and two runs are the same.
    #[test]
    fn what_is_there_is_found_while_servents_come_and_go() {
        let churn = Churn {
            nodes: 200,
            session: Session::Exponential { mean: Duration::from_secs(600) },
            span: Duration::from_secs(300),
            free_riders: 0.3,
            searches: 6.0,
            partition: Some((Duration::from_secs(100), Duration::from_secs(100))),
        };
        let course = churn.run(3);
        assert_eq!(course.digest, churn.run(3).digest);
        assert_ne!(course.digest, churn.run(4).digest);
        assert!(course.departures > 50, "{course:?}");
        assert!(course.linked > 0.9 && course.together > 0.9, "{course:?}");
        let before = course.searched[0];
        assert!(before.searches > 10 && before.found * 10 >= before.searches * 8, "{course:?}");
    }
}
