//! A get by several ways ("redundant routing"): see [`Ways`].
//!
//! What is found is verified by its hash or its signature, so one honest replica is enough for a value. A signed record
//! can be an old version, and anybody can name itself as a provider: [`Get::quorum`] says how many are to be heard.

use super::tasks::Work;
use super::{Chord, Context, Purpose, State, peers};
use crate::api::{Event, Get};
use crate::contact::Contact;
use crate::error::Error;
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::record::{Kind, Record};
use crate::ring::Ring;
use crate::ways::{Next, Ways};
use crate::wire::{Answer, Ask};
use alloc::boxed::Box;
use alloc::vec::Vec;
use p2p_core::OpId;

/// Contacts at which ways may begin.
const SEEDS: usize = 64;

/// A get by several ways.
#[derive(Clone, Debug)]
pub(super) struct Redundant {
    get: Get,
    ways: Ways,
    /// Nodes that had something sound.
    had: usize,
    /// What they had: the newest version, or all providers.
    found: Vec<Record>,
}

impl Redundant {
    fn take(&mut self, records: Vec<Record>) {
        self.had += 1;
        for record in records {
            match (&record, self.found.first()) {
                (Record::Provider(_), _) if !self.found.contains(&record) => self.found.push(record),
                (Record::Signed(new), Some(Record::Signed(old))) if new.seq > old.seq => {
                    self.found = Vec::from([record]);
                }
                (_, None) => self.found.push(record),
                _ => {}
            }
        }
    }
}

impl Chord {
    /// Gets something by so many ways, one after the other as long as all is well.
    pub(super) fn get_redundantly(&mut self, op: OpId, get: Get, most: usize, cx: &mut Context<'_>) {
        let count = self.config.replicas;
        let mut gap = 0;
        let mut owners: Vec<Peer> = Vec::new();
        let seeds: Vec<Contact> = match &self.state {
            State::Member(ring) => {
                gap = ring.gap();
                let is_sure = ring.is_small() || ring.predecessor().is_some();
                owners.extend(ring.owners(get.key).filter(|_| is_sure).into_iter().flatten());
                let seeds: Vec<Contact> = self.closest(ring, get.key, SEEDS).copied().collect();
                if seeds.is_empty() { ring.successors().to_vec() } else { seeds }
            }
            State::Guest => self.fingers.contacts().copied().collect(),
            State::Outside | State::Joining(_) => return cx.finish(op, Err(Error::NotJoined)),
        };
        let mut ways = Ways::new(get.key, most, count, self.config.alike, gap, seeds);
        ways.know(&owners);
        let redundant = Redundant { get, ways, had: 0, found: Vec::new() };
        let work = Work::Redundant(Box::new(redundant));
        if let Some(task) = self.begin_task(Some(op), get.key, work, cx) {
            self.go_ways(task, cx);
        }
    }

    fn redundant(&mut self, number: u32) -> Option<&mut Redundant> {
        match &mut self.task(number)?.work {
            Work::Redundant(redundant) => Some(redundant),
            _ => None,
        }
    }

    /// Does what is to be done next.
    fn go_ways(&mut self, number: u32, cx: &mut Context<'_>) {
        let (parallel, me) = (self.config.parallel, self.peer());
        loop {
            let Some(redundant) = self.redundant(number) else { return };
            let Get { key, kind, quorum, .. } = redundant.get;
            if redundant.had >= usize::from(quorum.max(1)) {
                return self.end_ways(number, cx);
            }
            match redundant.ways.next(parallel) {
                Next::Route(contact) => {
                    // On the way only a value is as good as at its place.
                    let ask = match kind {
                        Kind::Value => Ask::Get { key, kind, routed: true },
                        _ => Ask::Step(key),
                    };
                    self.ask(contact, ask, Insistence::Once, Purpose::Way(number), cx);
                }
                Next::Replica(contact, _) if Some(contact.peer) == me => {
                    let records = self.records(key, kind, cx).into_iter().map(|(record, _)| record);
                    let records: Vec<Record> = records.collect();
                    self.replica_has(number, contact.peer, records);
                }
                Next::Replica(contact, is_patient) => {
                    let insistence = if is_patient { Insistence::Thrice } else { Insistence::Once };
                    let ask = Ask::Get { key, kind, routed: false };
                    self.ask(contact, ask, insistence, Purpose::Replica(number), cx);
                }
                Next::Wait => return,
                Next::Over => return self.end_ways(number, cx),
            }
        }
    }

    fn replica_has(&mut self, number: u32, peer: Peer, records: Vec<Record>) {
        let Some(redundant) = self.redundant(number) else { return };
        redundant.ways.replica_told(peer, !records.is_empty());
        if !records.is_empty() {
            redundant.take(records);
        }
    }

    fn sound(get: Get, records: Vec<(Record, u32)>) -> Vec<Record> {
        let records = records.into_iter().map(|(record, _)| record);
        let is_sound =
            |record: &Record| record.kind() == get.kind && record.key() == get.key && record.check().is_ok();
        records.filter(is_sound).collect()
    }

    /// Somebody on a way answered.
    pub(super) fn way_told(&mut self, number: u32, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let network = self.config.network;
        let Some(redundant) = self.redundant(number) else { return };
        let (get, peer) = (redundant.get, contact.peer);
        match answer {
            Answer::Closer(list) => redundant.ways.closer(peer, peers(network, list)),
            Answer::Owners(list) => redundant.ways.owners(peer, &peers(network, list)),
            Answer::Large => {
                redundant.ways.holder(peer);
                let ask = Ask::Get { key: get.key, kind: get.kind, routed: false };
                return self.dial(contact, ask, Purpose::Replica(number), cx);
            }
            // A value is its key's, or it is none, whoever keeps it.
            Answer::Records(records) | Answer::Cached(records) => {
                let sound = Self::sound(get, records);
                if sound.is_empty() {
                    redundant.ways.no_help(peer, true);
                } else {
                    redundant.ways.holder(peer);
                    redundant.take(sound);
                }
            }
            _ => redundant.ways.no_help(peer, true),
        }
        self.go_ways(number, cx);
    }

    pub(super) fn way_failed(&mut self, number: u32, peer: Peer, cx: &mut Context<'_>) {
        if let Some(redundant) = self.redundant(number) {
            redundant.ways.no_help(peer, false);
            self.go_ways(number, cx);
        }
    }

    /// One of those that may have it answered.
    pub(super) fn replica_told(
        &mut self,
        number: u32,
        contact: Contact,
        answer: Answer,
        cx: &mut Context<'_>,
    ) {
        let Some(redundant) = self.redundant(number) else { return };
        let get = redundant.get;
        match answer {
            Answer::Records(records) => {
                let sound = Self::sound(get, records);
                self.replica_has(number, contact.peer, sound);
            }
            Answer::Large => {
                redundant.ways.report.messages += 2;
                let ask = Ask::Get { key: get.key, kind: get.kind, routed: false };
                return self.dial(contact, ask, Purpose::Replica(number), cx);
            }
            _ => self.replica_has(number, contact.peer, Vec::new()),
        }
        self.go_ways(number, cx);
    }

    pub(super) fn replica_failed(&mut self, number: u32, peer: Peer, cx: &mut Context<'_>) {
        if let Some(redundant) = self.redundant(number) {
            redundant.ways.replica_silent(peer);
            self.go_ways(number, cx);
        }
    }

    fn end_ways(&mut self, number: u32, cx: &mut Context<'_>) {
        let Some(task) = self.task(number) else { return };
        let Work::Redundant(redundant) = &mut task.work else { return };
        task.report = redundant.ways.report;
        let found = core::mem::take(&mut redundant.found);
        let was_answered = redundant.ways.was_answered();
        match found.is_empty() {
            false => {
                let Some(task) = self.end_task(number, cx) else { return };
                let event =
                    Event::Found { key: task.key, records: found, cached: false, report: task.report };
                self.end_op(task.op, event, Ok(()), cx);
            }
            true if was_answered => self.task_failed(number, Error::Absent, cx),
            true => self.task_failed(number, Error::NoRoute, cx),
        }
    }
}

impl Ring {
    /// How far apart the neighbours stand, by the first 64 bits of the distance; 0 if there are none.
    pub(crate) fn gap(&self) -> u64 {
        let count = self.successors().len() as u64;
        self.successors().last().map_or(0, |last| {
            let [a, b, c, d, e, f, g, h, ..] = *self.me().id().distance_to(last.peer.id()).as_bytes();
            u64::from_be_bytes([a, b, c, d, e, f, g, h]) / count
        })
    }
}
