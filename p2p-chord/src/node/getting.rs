//! Getting what is stored under a key, from whoever on the way has it or from the replicas in turn.

use super::lookups::Goal;
use super::tasks::Work;
use super::{Chord, Context, Purpose};
use crate::api::{Event, Get};
use crate::contact::Contact;
use crate::error::Error;
use crate::id::RingId;
use crate::lookup::Report;
use crate::peer::{Peer, Place};
use crate::pending::Insistence;
use crate::record::{Coded, ENOUGH, Fragment, Kind, Record};
use crate::store::{Held, Prefix};
use crate::wire::{Answer, Ask};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use p2p_core::OpId;

/// Replicas that must say that they have nothing before there is nothing: the first ones may be new.
const LACKING: usize = 3;
/// Lookups of one get: a list of replicas that is named may end within them.
const LOOKUPS: u8 = 8;

/// Pointers of one get that are followed: each node may name other places.
const FOLLOWED: u8 = 4;

/// What becomes of what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Somebody waits for it.
    Tell,
    /// It is kept here, because many ask.
    Cache,
    /// It is kept by one more.
    Lodge,
}

/// A get under way.
#[derive(Clone, Debug)]
pub(super) struct Getting {
    get: Get,
    /// Whom to ask next, the next last.
    owners: Vec<Peer>,
    /// Everybody who was named as a replica, in order.
    named: Vec<Peer>,
    outstanding: usize,
    /// Who answered, and which version they have.
    heard: Vec<(Contact, Option<u64>)>,
    /// The newest.
    best: Option<(Record, u32)>,
    /// Somebody gave it who keeps it because many ask.
    cached: bool,
    then: Then,
    /// Pointers that were followed.
    followed: u8,
    /// Fragments, by their numbers.
    parts: BTreeMap<usize, Fragment>,
    /// Replicas that did not answer in time.
    silent: Vec<Peer>,
    /// They are asked again, patiently: nobody else has it.
    patient: bool,
    /// Lookups that were made.
    lookups: u8,
}

impl Getting {
    /// How many are to be heard.
    fn want(&self) -> usize {
        if self.get.kind == Kind::Coded { ENOUGH } else { usize::from(self.get.quorum.max(1)) }
    }

    fn is_enough(&self) -> bool {
        match self.get.kind {
            Kind::Coded => self.parts.len() >= ENOUGH,
            _ => self.best.is_some() && self.heard.len() >= self.want(),
        }
    }

    /// Whether nobody has it, as far as can be told.
    fn is_absent(&self) -> bool {
        let few = if self.get.kind == Kind::Coded { LACKING } else { LACKING.max(self.want()) };
        self.best.is_none() && self.parts.is_empty() && !self.patient && self.lacking() >= few
    }

    fn lacking(&self) -> usize {
        self.heard.iter().filter(|(_, version)| version.is_none()).count()
    }
}

/// What tells versions of a record apart.
pub(super) const fn version(record: &Record) -> u64 {
    match record {
        Record::Signed(signed) => signed.seq,
        Record::Pointer(pointer) => pointer.seq,
        Record::Value(_) | Record::Provider(_) | Record::Coded(_) | Record::Fragment(_) => 0,
    }
}

impl Chord {
    pub(super) fn get(&mut self, op: OpId, get: Get, cx: &mut Context<'_>) {
        let ways = if get.ways == 0 { self.config.ways } else { get.ways };
        // Of what is in fragments, and of pointers, no one replica has enough.
        let one_is_enough = get.kind != Kind::Coded && !self.config.bounded;
        if ways > 1 && one_is_enough && !(get.kind == Kind::Value && self.has_value(get.key, cx)) {
            return self.get_redundantly(op, get, usize::from(ways), cx);
        }
        let may_be_here =
            get.kind == Kind::Value || get.kind != Kind::Coded && get.quorum <= 1 && self.owns(get.key);
        self.begin_get(Some(op), get, Then::Tell, may_be_here, cx);
    }

    /// Gets what many ask for here.
    pub(super) fn get_to_cache(&mut self, key: RingId, kind: Kind, cx: &mut Context<'_>) {
        self.begin_get(None, Get { fresh: true, ..Get::new(key, kind) }, Then::Cache, false, cx);
    }

    /// Gets what is to be kept by one more.
    pub(super) fn get_to_lodge(&mut self, key: RingId, kind: Kind, cx: &mut Context<'_>) {
        self.begin_get(None, Get { fresh: true, ..Get::new(key, kind) }, Then::Lodge, false, cx);
    }

    fn begin_get(&mut self, op: Option<OpId>, get: Get, then: Then, may_be_here: bool, cx: &mut Context<'_>) {
        let key = get.key;
        let work = Work::Get(Getting {
            cached: false,
            then,
            followed: 0,
            get,
            owners: Vec::new(),
            named: Vec::new(),
            outstanding: 0,
            heard: Vec::new(),
            best: None,
            parts: BTreeMap::new(),
            silent: Vec::new(),
            patient: false,
            lookups: 1,
        });
        let Some(task) = self.begin_task(op, key, work, cx) else { return };
        if may_be_here {
            let records = self.records(key, get.kind, cx);
            if !records.is_empty() && !matches!(records[0].0, Record::Pointer(_)) {
                return self.found(task, records, cx);
            }
        }
        self.look_up(key, Goal::Get(task), cx);
    }

    fn has_value(&self, key: RingId, cx: &mut Context<'_>) -> bool {
        !self.records(key, Kind::Value, cx).is_empty()
    }

    fn getting(&mut self, number: u32) -> Option<&mut Getting> {
        match &mut self.task(number)?.work {
            Work::Get(getting) => Some(getting),
            Work::Put(_) | Work::Redundant(_) => None,
        }
    }

    /// What a lookup asks on its way.
    pub(super) fn step_towards(&self, target: RingId, goal: Goal) -> Ask {
        if let Goal::Get(task) = goal
            && let Some(task) = self.storage.tasks.get(&task)
            && let Work::Get(getting) = &task.work
            // With a quorum, a version found on the way is one of several.
            && getting.get.quorum <= 1
            && !getting.get.fresh
            // Nobody has all of what is in fragments.
            && getting.get.kind != Kind::Coded
            && getting.lookups == 1
        {
            return Ask::Get { key: target, kind: getting.get.kind, routed: true };
        }
        Ask::Step(target)
    }

    /// Who named the owners has nothing; it may be one itself, and need not be asked again.
    pub(super) fn has_nothing(&mut self, goal: Goal, contact: Contact) {
        let Goal::Get(number) = goal else { return };
        let is_asked = |getting: &&mut Getting| {
            getting.get.quorum <= 1
                && !getting.get.fresh
                && getting.get.kind != Kind::Coded
                && getting.lookups == 1
        };
        if let Some(getting) = self.getting(number).filter(is_asked) {
            getting.heard.push((contact, None));
        }
    }

    /// The lookup ended at these.
    pub(super) fn get_from(
        &mut self,
        number: u32,
        mut owners: Vec<Peer>,
        report: Report,
        cx: &mut Context<'_>,
    ) {
        if let Some(task) = self.task(number) {
            task.report.add(report);
        }
        let me = self.peer();
        let Some(getting) = self.getting(number) else { return };
        owners.retain(|owner| !getting.named.contains(owner));
        let is_ours = me.is_some_and(|me| owners.contains(&me));
        getting.named.extend(&owners);
        // Who named them counts if it is one of them.
        getting.heard.retain(|(contact, _)| getting.named.contains(&contact.peer));
        owners.retain(|owner| !getting.heard.iter().any(|(contact, _)| contact.peer == *owner));
        owners.retain(|owner| Some(*owner) != me);
        owners.reverse();
        getting.owners = owners;
        let (get, me) = (getting.get, me.filter(|_| is_ours));
        if let Some(me) = me {
            let records = self.records(get.key, get.kind, cx);
            self.heard_of(number, Contact::unmet(me), records, cx);
        } else {
            self.get_on(number, cx);
        }
    }

    /// Somebody on the way has it.
    pub(super) fn met_holder(
        &mut self,
        number: u32,
        contact: Contact,
        answer: Answer,
        report: Report,
        cx: &mut Context<'_>,
    ) {
        let Some(task) = self.task(number) else { return };
        task.report.add(report);
        if let Some(getting) = self.getting(number) {
            // Should it be no sound record, the rest of the ring is asked, without it.
            getting.outstanding += 1;
            self.take_answer(number, contact, answer, cx);
        }
    }

    /// Asks the next replica, if it is time to.
    fn get_on(&mut self, number: u32, cx: &mut Context<'_>) {
        loop {
            let Some(getting) = self.getting(number) else { return };
            if getting.is_enough() || getting.is_absent() {
                return self.settle_get(number, cx);
            }
            let has = if getting.get.kind == Kind::Coded { getting.parts.len() } else { getting.heard.len() };
            if getting.outstanding > 0 && has + getting.outstanding >= getting.want() {
                return;
            }
            let Some(owner) = getting.owners.pop() else {
                if getting.outstanding == 0 {
                    self.look_behind(number, cx);
                }
                return;
            };
            getting.outstanding += 1;
            let insistence = if getting.patient { Insistence::Thrice } else { Insistence::Once };
            let Get { key, kind, .. } = getting.get;
            if let Some(task) = self.task(number) {
                task.report.messages += 1;
            }
            let ask = Ask::Get { key, kind, routed: false };
            self.ask(Contact::unmet(owner), ask, insistence, Purpose::Get(number), cx);
        }
    }

    /// Nobody is left to ask of those that were named: who is behind the last of them?
    fn look_behind(&mut self, number: u32, cx: &mut Context<'_>) {
        let replicas = match self.getting(number) {
            Some(getting) => getting.get.kind,
            None => return,
        };
        let replicas = self.replicas(replicas);
        let Some(getting) = self.getting(number) else { return };
        if getting.patient
            || getting.lookups >= LOOKUPS
            || getting.named.len().saturating_sub(getting.silent.len()) >= replicas
        {
            return self.settle_get(number, cx);
        }
        getting.lookups += 1;
        // If nobody was named, who was met on the way lied: the owners are looked for without asking for the record.
        let place = getting.named.last().map_or(getting.get.key, |last| last.id().plus_power(0));
        self.look_up(place, Goal::Get(number), cx);
    }

    /// A node answered.
    pub(super) fn got(&mut self, number: u32, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let Some(task) = self.task(number) else { return };
        task.report.messages += 1;
        self.take_answer(number, contact, answer, cx);
    }

    fn take_answer(&mut self, number: u32, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let Some(getting) = self.getting(number) else { return };
        let Get { key, kind, .. } = getting.get;
        let is_cached = matches!(answer, Answer::Cached(_));
        match answer {
            Answer::Cached(_) if getting.get.fresh || getting.get.quorum > 1 => {
                self.no_help(number, contact, cx)
            }
            Answer::Records(mut records) | Answer::Cached(mut records) => {
                getting.cached = is_cached;
                getting.outstanding -= 1;
                let was_empty = records.is_empty();
                let is_sound =
                    |record: &Record| record.kind() == kind && record.key() == key && record.check().is_ok();
                records.retain(|(record, _)| is_sound(record));
                if was_empty || !records.is_empty() {
                    self.heard_of(number, contact, records, cx);
                } else {
                    self.get_on(number, cx);
                }
            }
            Answer::Large => {
                if let Some(task) = self.task(number) {
                    task.report.messages += 1;
                }
                self.dial(contact, Ask::Get { key, kind, routed: false }, Purpose::Get(number), cx);
            }
            // It has left, say.
            _ => self.no_help(number, contact, cx),
        }
    }

    fn no_help(&mut self, number: u32, contact: Contact, cx: &mut Context<'_>) {
        if let Some(getting) = self.getting(number) {
            getting.outstanding -= 1;
            getting.silent.push(contact.peer);
            self.get_on(number, cx);
        }
    }

    /// A replica has these.
    fn heard_of(&mut self, number: u32, contact: Contact, records: Vec<(Record, u32)>, cx: &mut Context<'_>) {
        let Some(getting) = self.getting(number) else { return };
        if getting.get.kind == Kind::Provider && !records.is_empty() {
            return self.found(number, records, cx);
        }
        if getting.get.kind == Kind::Coded {
            getting.heard.push((contact, records.first().map(|_| 0)));
            getting.parts.extend(records.into_iter().filter_map(|(record, _)| match record {
                Record::Fragment(fragment) => Some((fragment.number(), fragment)),
                _ => None,
            }));
            return self.get_on(number, cx);
        }
        if let Some((Record::Pointer(pointer), _)) = records.first() {
            let places: Vec<Place> = pointer.at.clone();
            return self.follow_pointer(number, contact, places, cx);
        }
        let has = records.into_iter().next();
        getting.heard.push((contact, has.as_ref().map(|(record, _)| version(record))));
        if let Some((record, left)) = has
            && getting.best.as_ref().is_none_or(|(best, _)| version(best) < version(&record))
        {
            getting.best = Some((record, left));
        }
        self.get_on(number, cx);
    }

    /// A replica knows who has it.
    fn follow_pointer(&mut self, number: u32, contact: Contact, places: Vec<Place>, cx: &mut Context<'_>) {
        let (network, me) = (self.config.network, self.peer());
        let Some(getting) = self.getting(number) else { return };
        let mut next: Vec<Peer> = places.into_iter().filter_map(|place| place.peer(network)).collect();
        next.retain(|peer| {
            *peer != contact.peer && !getting.heard.iter().any(|(heard, _)| heard.peer == *peer)
        });
        if getting.followed >= FOLLOWED || next.is_empty() {
            getting.heard.push((contact, None));
            return self.get_on(number, cx);
        }
        getting.followed += 1;
        let is_ours = next.iter().any(|peer| Some(*peer) == me);
        next.retain(|peer| Some(*peer) != me);
        getting.owners.retain(|owner| !next.contains(owner));
        // Before all who have a pointer too, at best.
        getting.owners.extend(next.into_iter().rev());
        let Get { key, kind, .. } = getting.get;
        if let Some(me) = me.filter(|_| is_ours) {
            let mut records = self.records(key, kind, cx);
            records.retain(|(record, _)| !matches!(record, Record::Pointer(_)));
            return self.heard_of(number, Contact::unmet(me), records, cx);
        }
        self.get_on(number, cx);
    }

    pub(super) fn not_got(&mut self, number: u32, peer: Peer, cx: &mut Context<'_>) {
        if let Some(task) = self.task(number) {
            task.report.timeouts += 1;
        }
        if let Some(getting) = self.getting(number) {
            getting.outstanding -= 1;
            getting.silent.push(peer);
            self.get_on(number, cx);
        }
    }

    /// The lookup led nowhere. Whether it is tried again, from the beginning.
    pub(super) fn get_again(&mut self, number: u32) -> bool {
        let Some(getting) = self.getting(number).filter(|getting| getting.lookups < LOOKUPS) else {
            return false;
        };
        getting.lookups += 1;
        getting.named.clear();
        getting.silent.clear();
        getting.patient = false;
        getting.outstanding == 0
    }

    /// Everybody was heard who was to be.
    fn settle_get(&mut self, number: u32, cx: &mut Context<'_>) {
        let Some(getting) = self.getting(number) else { return };
        if getting.parts.len() >= ENOUGH {
            // All fragments were checked: only who published it can have made them not fit together.
            return match Coded::rebuild(getting.parts.values()) {
                Ok(coded) => self.found(number, Vec::from([(Record::Coded(coded), 0)]), cx),
                Err(error) => self.task_failed(number, Error::Record(error), cx),
            };
        }
        match getting.best.clone() {
            Some((record, left)) => {
                let heard = core::mem::take(&mut getting.heard);
                if getting.get.quorum > 1 {
                    self.repair(&record, left, heard, cx);
                }
                self.found(number, Vec::from([(record, left)]), cx);
            }
            None if !getting.patient && !getting.silent.is_empty() => {
                // One of them may be the only one that has it.
                getting.owners = core::mem::take(&mut getting.silent);
                getting.patient = true;
                self.get_on(number, cx);
            }
            None if getting.lacking() > 0 => self.task_failed(number, Error::Absent, cx),
            None => self.no_way(number, Error::NoRoute, cx),
        }
    }

    /// Gives the newest version to those that have an older one or none.
    fn repair(
        &mut self,
        record: &Record,
        left: u32,
        heard: Vec<(Contact, Option<u64>)>,
        cx: &mut Context<'_>,
    ) {
        let Some(me) = self.peer() else { return };
        let expires = cx.unix_now().as_secs() + u64::from(left);
        let held = Held { record: record.clone(), expires, publisher: Prefix::of(me.addr().ip()) };
        let newest = version(record);
        let is_behind = |has: Option<u64>| has.is_none_or(|has| has < newest);
        for (contact, _) in heard.into_iter().filter(|(_, has)| is_behind(*has)) {
            if contact.peer == me {
                self.keep_copy(held.clone(), cx);
                continue;
            }
            let ask = Ask::Keep(Vec::from([held.clone()]));
            self.ask_or_dial(contact, ask, Insistence::Thrice, Purpose::Repair, cx);
        }
    }

    /// The records, and for how many seconds each is kept where it came from.
    fn found(&mut self, number: u32, records: Vec<(Record, u32)>, cx: &mut Context<'_>) {
        let Some(task) = self.end_task(number, cx) else { return };
        let Work::Get(getting) = &task.work else { return };
        match getting.then {
            Then::Tell => {}
            Then::Cache => {
                let name = (getting.get.key, getting.get.kind);
                let cache = self.storage.cache.get_or_insert_default();
                return cache.keep(name, records, &self.config.limits, cx.now());
            }
            Then::Lodge => {
                for (record, left) in records {
                    self.lodge_again(record, left, cx);
                }
                return;
            }
        }
        let cached = getting.cached;
        let records = records.into_iter().map(|(record, _)| record).collect();
        let event = Event::Found { key: task.key, records, cached, report: task.report };
        self.end_op(task.op, event, Ok(()), cx);
    }
}
