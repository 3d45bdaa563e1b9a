//! Storing a record at the node that is responsible for its place.

use super::lookups::Goal;
use super::placing::Client;
use super::storage::Wish;
use super::tasks::{AGAIN, Work};
use super::{Chord, Context, Purpose};
use crate::api::{Event, Put, Timer};
use crate::contact::Contact;
use crate::error::Error;
use crate::id::RingId;
use crate::lookup::Report;
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::store::Refusal;
use crate::wire::{Answer, Ask};
use alloc::vec::Vec;
use p2p_core::OpId;

/// Times that the owner is looked for: it may have changed in between.
const LOOKUPS: u8 = 5;
/// Nodes that are asked to store it in the place of an owner that does not answer.
const HEIRS: usize = 4;

/// A put under way.
#[derive(Clone, Debug)]
pub(super) struct Putting {
    put: Put,
    /// Whom to ask next, the next last.
    owners: Vec<Peer>,
    /// Behind those that were named.
    behind: RingId,
    lookups: u8,
    /// Somebody before them did not answer.
    heir: bool,
}

impl Chord {
    pub(super) fn put(&mut self, op: OpId, put: Put, cx: &mut Context<'_>) {
        if let Err(error) = put.record.check_form() {
            return cx.finish(op, Err(Error::Record(error)));
        }
        self.begin_put(Some(op), put, cx);
    }

    pub(super) fn begin_put(&mut self, op: Option<OpId>, put: Put, cx: &mut Context<'_>) {
        let key = put.record.key();
        let work = Work::Put(Putting { put, owners: Vec::new(), behind: key, lookups: 1, heir: false });
        if let Some(task) = self.begin_task(op, key, work, cx) {
            self.look_up(key, Goal::Put(task), cx);
        }
    }

    fn putting(&mut self, number: u32) -> Option<&mut Putting> {
        match &mut self.task(number)?.work {
            Work::Put(putting) => Some(putting),
            Work::Get(_) | Work::Redundant(_) => None,
        }
    }

    /// The lookup ended at these.
    pub(super) fn put_at(
        &mut self,
        number: u32,
        mut owners: Vec<Peer>,
        report: Report,
        cx: &mut Context<'_>,
    ) {
        if let Some(task) = self.task(number) {
            task.report.add(report);
        }
        owners.truncate(HEIRS);
        owners.reverse();
        if let Some(putting) = self.putting(number) {
            putting.behind = owners.first().map_or(putting.behind, |last| last.id().plus_power(0));
            putting.owners = owners;
            self.put_next(number, cx);
        }
    }

    fn put_next(&mut self, number: u32, cx: &mut Context<'_>) {
        let me = self.peer();
        let Some(putting) = self.putting(number) else { return };
        let Some(owner) = putting.owners.pop() else {
            let behind = putting.behind;
            return self.put_again(number, behind, Error::NoRoute, cx);
        };
        let Put { record, ttl, swap, .. } = putting.put.clone();
        let heir = putting.heir;
        let ttl = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
        if Some(owner) == me {
            let wish = Wish { record, ttl, swap, heir };
            if let Err(refusal) = self.take(wish, owner.addr(), Client::Task(number), cx) {
                self.task_failed(number, Error::Refused(refusal), cx);
            }
            return;
        }
        if let Some(task) = self.task(number) {
            task.report.messages += 1;
        }
        let ask = Ask::Put { record, ttl, swap, heir };
        self.ask_or_dial(Contact::unmet(owner), ask, Insistence::Slowly, Purpose::Put(number), cx);
    }

    /// A node answered.
    pub(super) fn put_answered(&mut self, number: u32, answer: Answer, cx: &mut Context<'_>) {
        if let Some(task) = self.task(number) {
            task.report.messages += 1;
        }
        self.put_done(number, answer, cx);
    }

    pub(super) fn put_done(&mut self, number: u32, answer: Answer, cx: &mut Context<'_>) {
        match answer {
            Answer::Stored { copies, messages } => {
                let Some(mut task) = self.end_task(number, cx) else { return };
                task.report.messages = task.report.messages.saturating_add(messages);
                let event = Event::Stored { key: task.key, copies, report: task.report };
                if let Work::Put(putting) = &task.work {
                    self.put_again_later(&putting.put, cx);
                }
                self.end_op(task.op, event, Ok(()), cx);
            }
            Answer::Refused(Refusal::NotResponsible) => self.owner_changed(number, cx),
            Answer::Refused(refusal) => self.task_failed(number, Error::Refused(refusal), cx),
            _ => self.not_put(number, cx),
        }
    }

    /// Who was asked is not the owner: who is?
    fn owner_changed(&mut self, number: u32, cx: &mut Context<'_>) {
        let Some(putting) = self.putting(number) else { return };
        let (key, lookups) = (putting.put.record.key(), putting.lookups);
        let refused = Error::Refused(Refusal::NotResponsible);
        if lookups == 1 {
            self.put_again(number, key, refused, cx);
        } else if self.put_anew(number) {
            // Those before it hold it for the owner, and it has yet to see that its predecessor is dead; or who named it does
            // not hear who is responsible, and never will: then it stands in.
            if let Some(putting) = self.putting(number) {
                putting.heir = lookups > 2;
            }
            cx.set_timer(Timer::Again(number), AGAIN);
        } else {
            self.task_failed(number, refused, cx);
        }
    }

    /// Looks for somebody to store it, a few times.
    fn put_again(&mut self, number: u32, place: RingId, or: Error, cx: &mut Context<'_>) {
        let Some(putting) = self.putting(number) else { return };
        if putting.lookups >= LOOKUPS {
            return self.task_failed(number, or, cx);
        }
        putting.lookups += 1;
        self.look_up(place, Goal::Put(number), cx);
    }

    /// The lookup led nowhere. Whether it is tried again, from the beginning.
    pub(super) fn put_anew(&mut self, number: u32) -> bool {
        let Some(putting) = self.putting(number).filter(|putting| putting.lookups < LOOKUPS) else {
            return false;
        };
        putting.lookups += 1;
        putting.heir = false;
        true
    }

    /// A node does not answer: who is behind it stands in.
    pub(super) fn not_put(&mut self, number: u32, cx: &mut Context<'_>) {
        if let Some(task) = self.task(number) {
            task.report.timeouts += 1;
        }
        if let Some(putting) = self.putting(number) {
            putting.heir = true;
            self.put_next(number, cx);
        }
    }
}
