//! Every order in which messages, time-outs, crashes and joins can happen in small rings of real nodes.

mod rules;

use p2p_chord::{Chord, Config, Peer};
use p2p_sim::explore::{Explored, Explorer, Order};
use rules::{Detail, Zave};
use std::net::SocketAddr;
use std::time::Instant;

/// A ring to be explored.
#[derive(Clone, Debug)]
struct Ring {
    r: usize,
    /// Which places around the ring have nodes of the base.
    base: Vec<bool>,
    /// And which nodes are members in the beginning; the others join.
    begin: Vec<bool>,
    crashes: u8,
    boots: u8,
    doors: usize,
    joining: usize,
    detail: Detail,
    most: usize,
}

impl Ring {
    /// `pattern` has a letter for each place: `B` of the base, `m` another member, `.` nobody yet.
    fn new(r: usize, pattern: &str) -> Self {
        let base: Vec<bool> = pattern.chars().map(|place| place == 'B').collect();
        let begin = pattern.chars().map(|place| place != '.').collect();
        let detail = Detail::Movers;
        Self { r, base, begin, crashes: 0, boots: 0, doors: 1, joining: usize::MAX, detail, most: usize::MAX }
    }

    fn rules(&self) -> Zave {
        let mut config = Config::default();
        config.successors = self.r;
        config.parallel = 1;
        let mut peers: Vec<Peer> = (1..=self.base.len() as u8)
            .map(|host| Peer::new(config.network, SocketAddr::from(([10, 0, 0, host], 4000))))
            .collect();
        peers.sort_by_key(Peer::id);
        Zave {
            config,
            peers,
            base: self.base.clone(),
            doors: self.doors,
            joining: self.joining,
            detail: self.detail,
            spares: true,
            checks: true,
        }
    }

    fn explorer(&self) -> Explorer<Chord, Zave> {
        let rules = self.rules();
        let members: Vec<usize> = (0..self.base.len()).filter(|node| self.begin[*node]).collect();
        let machines: Vec<Chord> = members.iter().map(|node| rules.settled(&members, *node)).collect();
        let mut explorer = Explorer::new(rules.peers.iter().map(Peer::addr), rules.clone());
        for (node, machine) in members.iter().zip(machines) {
            explorer.up(*node, machine, None);
        }
        explorer.settle(2);
        explorer.crashes(self.crashes);
        explorer.boots(self.boots);
        explorer.most(self.most);
        explorer
    }

    fn explore(&self) -> Explored {
        let began = Instant::now();
        let mut explorer = self.explorer();
        explorer.order(Order::Depth);
        let found = explorer.run();
        let explored = found.unwrap_or_else(|example| panic!("{self:?}\n{example}"));
        println!("{self:?}\n  {explored:?} in {:.1?}", began.elapsed());
        explored
    }
}

#[test]
fn scratch() {
    let var = |name: &str, or: &str| std::env::var(name).unwrap_or_else(|_| or.into());
    let mut ring = Ring::new(var("R", "2").parse().unwrap(), &var("PATTERN", "BB.B"));
    ring.crashes = var("CRASHES", "0").parse().unwrap();
    ring.boots = var("BOOTS", "1").parse().unwrap();
    ring.doors = var("DOORS", "1").parse().unwrap();
    ring.joining = var("JOINING", "9").parse().unwrap();
    ring.most = var("MOST", "3000000").parse().unwrap();
    if var("FULL", "") == "1" {
        ring.detail = Detail::Full;
    }
    p2p_chord::MASK.store(var("MASK", "0").parse().unwrap(), std::sync::atomic::Ordering::Relaxed);
    ring.explore();
}
