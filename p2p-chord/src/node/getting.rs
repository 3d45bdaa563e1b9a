//! Getting what is stored under a key, from whoever on the way has it or from the replicas in turn.

use super::lookups::Goal;
use super::tasks::Work;
use super::{Chord, Context, Purpose};
use crate::api::{Event, Get};
use crate::contact::Contact;
use crate::error::Error;
use crate::id::RingId;
use crate::lookup::Report;
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::record::{Kind, Record};
use crate::store::{Held, Prefix};
use crate::wire::{Answer, Ask};
use alloc::vec::Vec;
use p2p_core::OpId;

/// Replicas that must say that they have nothing before there is nothing: the first ones may be new.
const LACKING: usize = 3;
/// Lookups of one get: a list of replicas that is named may end within them.
const LOOKUPS: u8 = 8;

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
    /// Replicas that did not answer in time.
    silent: Vec<Peer>,
    /// They are asked again, patiently: nobody else has it.
    patient: bool,
    /// Lookups that were made.
    lookups: u8,
}

impl Getting {
    fn lacking(&self) -> usize {
        self.heard.iter().filter(|(_, version)| version.is_none()).count()
    }
}

/// What tells versions of a record apart.
const fn version(record: &Record) -> u64 {
    match record {
        Record::Signed(signed) => signed.seq,
        Record::Value(_) | Record::Provider(_) => 0,
    }
}

impl Chord {
    pub(super) fn get(&mut self, op: OpId, get: Get, cx: &mut Context<'_>) {
        let key = get.key;
        let may_be_here = get.kind == Kind::Value || get.quorum <= 1 && self.owns(key);
        let work = Work::Get(Getting {
            get,
            owners: Vec::new(),
            named: Vec::new(),
            outstanding: 0,
            heard: Vec::new(),
            best: None,
            silent: Vec::new(),
            patient: false,
            lookups: 1,
        });
        let Some(task) = self.begin_task(Some(op), key, work, cx) else { return };
        if may_be_here {
            let records = self.records(key, get.kind, cx);
            if !records.is_empty() {
                return self.found(task, records.into_iter().map(|(record, _)| record).collect(), cx);
            }
        }
        self.look_up(key, Goal::Get(task), cx);
    }

    fn getting(&mut self, number: u32) -> Option<&mut Getting> {
        match &mut self.task(number)?.work {
            Work::Get(getting) => Some(getting),
            Work::Put(_) => None,
        }
    }

    /// What a lookup asks on its way.
    pub(super) fn step_towards(&self, target: RingId, goal: Goal) -> Ask {
        if let Goal::Get(task) = goal
            && let Some(task) = self.storage.tasks.get(&task)
            && let Work::Get(getting) = &task.work
            // With a quorum, a version found on the way is one of several.
            && getting.get.quorum <= 1
            && getting.lookups == 1
        {
            return Ask::Get { key: target, kind: getting.get.kind, routed: true };
        }
        Ask::Step(target)
    }

    /// Who named the owners has nothing; it may be one itself, and need not be asked again.
    pub(super) fn has_nothing(&mut self, goal: Goal, contact: Contact) {
        let Goal::Get(number) = goal else { return };
        let is_asked = |getting: &&mut Getting| getting.get.quorum <= 1 && getting.lookups == 1;
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
            let want = usize::from(getting.get.quorum.max(1));
            let heard = getting.heard.len();
            let is_enough = getting.best.is_some() && heard >= want;
            let is_absent =
                getting.best.is_none() && !getting.patient && getting.lacking() >= LACKING.max(want);
            if is_enough || is_absent {
                return self.settle_get(number, cx);
            }
            if getting.outstanding > 0 && heard + getting.outstanding >= want {
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
        let replicas = self.config.replicas;
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
        match answer {
            Answer::Records(mut records) => {
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
            _ => {
                getting.outstanding -= 1;
                getting.silent.push(contact.peer);
                self.get_on(number, cx);
            }
        }
    }

    /// A replica has these.
    fn heard_of(&mut self, number: u32, contact: Contact, records: Vec<(Record, u32)>, cx: &mut Context<'_>) {
        let Some(getting) = self.getting(number) else { return };
        if getting.get.kind == Kind::Provider && !records.is_empty() {
            return self.found(number, records.into_iter().map(|(record, _)| record).collect(), cx);
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
        match getting.best.clone() {
            Some((record, left)) => {
                let heard = core::mem::take(&mut getting.heard);
                if getting.get.quorum > 1 {
                    self.repair(&record, left, heard, cx);
                }
                self.found(number, Vec::from([record]), cx);
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

    fn found(&mut self, number: u32, records: Vec<Record>, cx: &mut Context<'_>) {
        let Some(task) = self.end_task(number, cx) else { return };
        let event = Event::Found { key: task.key, records, report: task.report };
        self.end_op(task.op, event, Ok(()), cx);
    }
}
