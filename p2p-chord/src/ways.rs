//! Several ways to a place that have little in common: [`Ways`], for where some of those on the way lie.
//!
//! A liar that is asked can send whoever asks to others of its kind, and one of these says that the last of them are
//! responsible. But it cannot make up nodes, because a place on the ring follows from an address, and so it can only hide
//! nodes that are nearer. One way without a liar on it is enough: of all who were named, those nearest behind the
//! place count, whoever named them. So each way begins at another contact of ours, a claim is no end but a reason to
//! ask the next few of those nearest behind the place, and a way that led nowhere is given up for the next one. What a
//! node said on one way is not asked again on another.

use crate::block::Block;
use crate::contact::Contact;
use crate::id::RingId;
use crate::lookup::Report;
use crate::peer::Peer;
use alloc::vec::Vec;

/// Nodes of an answer that are believed to be nearer.
const NAMED: usize = 8;
/// Nodes that a way keeps in mind, those included that it asked.
const CANDIDATES: usize = 48;
/// Nodes that a way asks at most: half again as many as in a ring of a million with base 2.
const STEPS: u8 = 16;
/// Times that somebody on a way may say who is responsible before the way is given up.
const CLAIMS: u8 = 2;
/// Of those nearest behind the place, how many are asked after each claim.
const PICKS: usize = 3;
/// How much farther apart than our own neighbours those behind the place may stand, in tenths, to be believed when they
/// all have nothing (the routing failure test of Castro et al. 2002). Where a quarter lie, those stand four times as far
/// apart; of eight, one in twenty passes by chance.
const SPARSE: u64 = 17;

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This one is asked who is nearer.
    Route(Contact),
    /// This one may have what is wanted; it is asked patiently, if it was silent before.
    Replica(Contact, bool),
    /// Answers are outstanding.
    Wait,
    /// All was tried.
    Over,
}

/// What a node said.
#[derive(Clone, Debug)]
enum Told {
    /// Nothing yet.
    Asked,
    Closer(Vec<Peer>),
    /// Who is responsible, or nothing of use.
    Else,
}

#[derive(Clone, Debug)]
struct Way {
    /// Nearest first, by how far it is from there to the place; and whether its turn is over.
    candidates: Vec<(RingId, Peer, bool)>,
    asks: Option<Peer>,
    steps: u8,
    claims: u8,
    /// Whom somebody on it named first as responsible.
    named: Option<Peer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Asked,
    Lacks,
    Has,
    Silent,
    /// It was asked again.
    Dead,
}

#[derive(Clone, Debug)]
struct Replica {
    peer: Peer,
    /// From the place to there.
    distance: RingId,
    state: State,
}

/// Ways to a place.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    target: RingId,
    /// Where ways begin, the next last.
    seeds: Vec<Contact>,
    /// Ways that may be begun yet.
    left: usize,
    /// Ways that have to agree before all are believed to have nothing.
    agree: usize,
    ways: Vec<Way>,
    told: Vec<(Peer, Told)>,
    /// Who was named as behind the place, nearest first.
    replicas: Vec<Replica>,
    /// Of these, how many count.
    count: usize,
    /// How many may be asked now.
    picks: usize,
    /// All ways are over; those that count are asked one and all.
    is_last: bool,
    /// Of one block of addresses, a way has yet to ask so many; 0: any number.
    alike: usize,
    /// How far apart our own neighbours stand, by the first 64 bits; 0 if that is not known.
    gap: u64,
    pub(crate) report: Report,
}

impl Ways {
    /// At most `most` ways that begin at `seeds`, nearest first. `count` nodes behind the place have what is wanted.
    pub(crate) fn new(
        target: RingId,
        most: usize,
        count: usize,
        alike: usize,
        gap: u64,
        mut seeds: Vec<Contact>,
    ) -> Self {
        seeds.reverse();
        Self {
            target,
            seeds,
            left: most,
            agree: (most / 2).max(4),
            ways: Vec::new(),
            told: Vec::new(),
            replicas: Vec::new(),
            count: count.max(1),
            picks: 0,
            is_last: false,
            alike,
            gap,
            report: Report::default(),
        }
    }

    /// Who we know ourselves to be responsible.
    pub(crate) fn know(&mut self, owners: &[Peer]) {
        self.behind(owners);
        self.picks = self.count;
    }

    fn behind(&mut self, peers: &[Peer]) {
        for peer in peers.iter().take(self.count) {
            let distance = self.target.distance_to(peer.id());
            if let Err(at) = self.replicas.binary_search_by_key(&distance, |replica| replica.distance) {
                self.replicas.insert(at, Replica { peer: *peer, distance, state: State::New });
            }
        }
        self.replicas.truncate(8 * self.count);
    }

    /// Those that count: the nearest that are not silent.
    fn nearest(&self) -> impl Iterator<Item = &Replica> {
        let speaks = |replica: &&Replica| !matches!(replica.state, State::Silent | State::Dead);
        self.replicas.iter().filter(speaks).take(self.count)
    }

    pub(crate) fn next(&mut self, parallel: usize) -> Next {
        loop {
            if let Some(peer) = self.pick() {
                self.report.messages += 1;
                return Next::Replica(Contact::unmet(peer), false);
            }
            let is_asking = self.replicas.iter().any(|replica| replica.state == State::Asked);
            if is_asking || self.is_agreed() {
                return if is_asking { Next::Wait } else { Next::Over };
            }
            if let Some(contact) = self.step(parallel) {
                self.report.messages += 1;
                return Next::Route(contact);
            }
            if self.picks > 0 {
                continue;
            }
            if self.ways.iter().any(|way| way.asks.is_some()) {
                return Next::Wait;
            }
            if !self.is_last {
                self.is_last = true;
                self.picks = self.count;
                continue;
            }
            // Some that were silent may only have been slow.
            let mut nearest = self.replicas.iter_mut().take(2 * self.count);
            let Some(silent) = nearest.find(|replica| replica.state == State::Silent) else {
                return Next::Over;
            };
            silent.state = State::Asked;
            self.report.messages += 1;
            return Next::Replica(Contact::unmet(silent.peer), true);
        }
    }

    /// The next of those that count to be asked for what is wanted.
    fn pick(&mut self) -> Option<Peer> {
        // One after the other, until one of them had nothing.
        let is = |state: State| self.replicas.iter().any(|replica| replica.state == state);
        let all_is_well = !is(State::Lacks) && !is(State::Silent);
        if self.picks == 0 || all_is_well && is(State::Asked) {
            return None;
        }
        let peer = self.nearest().find(|replica| replica.state == State::New).map(|replica| replica.peer);
        match peer {
            Some(peer) => {
                self.picks -= 1;
                self.set(peer, State::Asked);
            }
            None => self.picks = 0,
        }
        peer
    }

    fn set(&mut self, peer: Peer, state: State) {
        for replica in self.replicas.iter_mut().filter(|replica| replica.peer == peer) {
            replica.state =
                if (replica.state, state) == (State::Dead, State::Silent) { State::Dead } else { state };
        }
    }

    /// Goes one step on a way, or on the next one.
    fn step(&mut self, parallel: usize) -> Option<Contact> {
        // One, where all is well.
        let at_a_time = if self.ways.iter().any(|way| way.is_over()) { parallel.max(1) } else { 1 };
        loop {
            for way in 0..self.ways.len() {
                if let Some(peer) = self.step_on(way) {
                    return Some(Contact::unmet(peer));
                }
            }
            if self.picks > 0 || self.left == 0 {
                return None;
            }
            if self.ways.iter().filter(|way| !way.is_over()).count() >= at_a_time {
                return None;
            }
            let seed = self.seeds.pop()?;
            self.left -= 1;
            let distance = seed.peer.id().distance_to(self.target);
            let candidates = Vec::from([(distance, seed.peer, false)]);
            self.ways.push(Way { candidates, asks: None, steps: 0, claims: 0, named: None });
        }
    }

    fn step_on(&mut self, number: usize) -> Option<Peer> {
        loop {
            let way = self.ways.get_mut(number).filter(|way| way.asks.is_none() && !way.is_over())?;
            let (_, peer, was_tried) = way.candidates.iter_mut().find(|(.., was_tried)| !*was_tried)?;
            *was_tried = true;
            let peer = *peer;
            match self.told.iter().find(|(told, _)| *told == peer).map(|(_, told)| told.clone()) {
                None => {
                    way.asks = Some(peer);
                    way.steps += 1;
                    self.told.push((peer, Told::Asked));
                    return Some(peer);
                }
                // Another way asked it before.
                Some(Told::Closer(list)) => way.add(self.target, peer, &list, self.alike),
                Some(Told::Asked | Told::Else) => {}
            }
        }
    }

    /// Notes what a node said that was asked who is nearer, and gives the way that it is on.
    fn note(&mut self, peer: Peer, what: Told) -> Option<&mut Way> {
        if let Some((_, told)) = self.told.iter_mut().find(|(told, _)| *told == peer) {
            *told = what;
        }
        let way = self.ways.iter_mut().find(|way| way.asks == Some(peer))?;
        way.asks = None;
        Some(way)
    }

    /// A node named nearer ones.
    pub(crate) fn closer(&mut self, peer: Peer, mut list: Vec<Peer>) {
        let (target, alike) = (self.target, self.alike);
        self.report.messages += 1;
        list.sort_by_key(|at| at.id().distance_to(target));
        list.truncate(NAMED);
        if let Some(way) = self.note(peer, Told::Closer(list.clone())) {
            way.add(target, peer, &list, alike);
        }
    }

    /// A node named who is responsible.
    pub(crate) fn owners(&mut self, peer: Peer, owners: &[Peer]) {
        self.report.messages += 1;
        let Some(way) = self.note(peer, Told::Else) else { return };
        way.claims += 1;
        way.named = owners.first().copied();
        self.report.hops = u16::from(way.steps) + 1;
        self.picks = self.picks.max(PICKS);
        self.behind(owners);
    }

    /// A node on a way has what is wanted.
    pub(crate) fn holder(&mut self, peer: Peer) {
        self.report.messages += 1;
        if let Some(way) = self.note(peer, Told::Else) {
            self.report.hops = u16::from(way.steps);
        }
    }

    /// A node is no help, or silent.
    pub(crate) fn no_help(&mut self, peer: Peer, answered: bool) {
        if answered {
            self.report.messages += 1;
        } else {
            self.report.timeouts += 1;
        }
        self.note(peer, Told::Else);
    }

    /// One of those behind the place answered: whether it has what is wanted.
    pub(crate) fn replica_told(&mut self, peer: Peer, has: bool) {
        self.report.messages += 1;
        self.set(peer, if has { State::Has } else { State::Lacks });
    }

    /// One of those behind the place is silent.
    pub(crate) fn replica_silent(&mut self, peer: Peer) {
        self.report.timeouts += 1;
        self.set(peer, if self.is_last { State::Dead } else { State::Silent });
    }

    /// Whether somebody behind the place answered at all.
    pub(crate) fn was_answered(&self) -> bool {
        self.replicas.iter().any(|replica| replica.state == State::Lacks)
    }

    /// Whether so many ways ended at the same node that it can be believed to be responsible, and that those behind
    /// the place are who they should be: all of them were asked, and stand close enough.
    fn is_agreed(&self) -> bool {
        let Some(first) = self.nearest().next() else { return false };
        let agreeing = self.ways.iter().filter(|way| way.named == Some(first.peer)).count();
        if agreeing < self.agree || !self.nearest().all(|replica| replica.state == State::Lacks) {
            return false;
        }
        let Some((place, last)) = self.nearest().enumerate().last() else { return false };
        let [a, b, c, d, e, f, g, h, ..] = *last.distance.as_bytes();
        let span = u64::from_be_bytes([a, b, c, d, e, f, g, h]) / (place as u64 + 1);
        place + 1 == self.count && u128::from(span) * 10 <= u128::from(self.gap) * u128::from(SPARSE)
    }
}

impl Way {
    fn is_over(&self) -> bool {
        let is_done = self.candidates.iter().all(|(.., was_tried)| *was_tried)
            || self.steps >= STEPS
            || self.claims >= CLAIMS;
        is_done && self.asks.is_none()
    }

    /// Takes those of a list that are nearer than who named them, and not too many of one block of addresses.
    fn add(&mut self, target: RingId, by: Peer, list: &[Peer], alike: usize) {
        let reach = by.id().distance_to(target);
        for peer in list {
            let distance = peer.id().distance_to(target);
            let others = self.candidates.iter().filter(|(.., was_tried)| !was_tried);
            let others = others.map(|(_, other, _)| other.addr());
            if distance < reach
                && Block::has_room(peer.addr(), alike, others)
                && let Err(at) = self.candidates.binary_search_by_key(&distance, |(at, ..)| *at)
            {
                self.candidates.insert(at, (distance, *peer, false));
            }
        }
        self.candidates.truncate(CANDIDATES);
    }
}
