//! Puts and gets that the application asked for: [`Task`].
//!
//! ```text
//!        lookup, which asks for the record on its way       replicas, one after the other
//!  Get ────────────────────────────────────────────► owner ───────────────────────────────► Found, Absent
//!                          └──────── somebody has it ────────────────────────────────────►
//!
//!        lookup             the owner, else who is behind it       enough copies
//!  Put ────────────► owner ─────────────────────────────────────► Stored
//!                      └── it is not the owner any more: lookup again
//! ```

use super::getting::Getting;
use super::lookups::Goal;
use super::putting::Putting;
use super::redundant::Redundant;
use super::{Chord, Context, Purpose};
use crate::api::{Event, Timer};
use crate::error::Error;
use crate::id::RingId;
use crate::lookup::Report;
use alloc::boxed::Box;
use p2p_core::{Duration, OpId};

/// How long after a lookup that led nowhere the next one begins.
pub(super) const AGAIN: Duration = Duration::from_secs(2);

/// A put or a get under way.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// Who waits for it; nobody for what is put again.
    pub(super) op: Option<OpId>,
    pub(super) key: RingId,
    pub(super) report: Report,
    pub(super) work: Work,
}

#[derive(Clone, Debug)]
pub(super) enum Work {
    Get(Getting),
    Put(Putting),
    /// A get by several ways.
    Redundant(Box<Redundant>),
}

impl Report {
    /// Adds what a part of an operation cost.
    pub(super) const fn add(&mut self, other: Self) {
        self.hops = other.hops;
        self.messages = self.messages.saturating_add(other.messages);
        self.timeouts = self.timeouts.saturating_add(other.timeouts);
        self.stalls = self.stalls.saturating_add(other.stalls);
    }
}

impl Chord {
    /// Begins a task; `None` if it cannot be.
    pub(super) fn begin_task(
        &mut self,
        op: Option<OpId>,
        key: RingId,
        work: Work,
        cx: &mut Context<'_>,
    ) -> Option<u32> {
        if self.storage.tasks.len() >= self.config.lookups {
            if let Some(op) = op {
                cx.finish(op, Err(Error::Busy));
            }
            return None;
        }
        let number = self.storage.draw();
        let task = Task { op, key, report: Report::default(), work };
        self.storage.tasks.insert(number, Box::new(task));
        cx.set_timer(Timer::Task(number), self.config.patience);
        Some(number)
    }

    pub(super) fn task(&mut self, number: u32) -> Option<&mut Task> {
        self.storage.tasks.get_mut(&number).map(|task| &mut **task)
    }

    /// Ends a task, with what becomes of it.
    pub(super) fn end_task(&mut self, number: u32, cx: &mut Context<'_>) -> Option<Task> {
        let task = self.storage.tasks.remove(&number)?;
        cx.clear_timer(Timer::Task(number));
        cx.clear_timer(Timer::Again(number));
        self.drop_lookup(Goal::Get(number), cx);
        self.drop_lookup(Goal::Put(number), cx);
        let is_its = |purpose: &Purpose| matches!(purpose, Purpose::Get(of) | Purpose::Put(of) | Purpose::Way(of) | Purpose::Replica(of) if *of == number);
        self.pending.forget(is_its);
        self.hang_up(is_its, cx);
        Some(*task)
    }

    pub(super) fn task_failed(&mut self, number: u32, error: Error, cx: &mut Context<'_>) {
        let Some(task) = self.end_task(number, cx) else { return };
        let (key, report) = (task.key, task.report);
        self.end_op(task.op, Event::Failed { key, report }, Err(error), cx);
        if task.op.is_none() && matches!(task.work, Work::Put(_)) {
            self.not_again(key, error, cx);
        }
    }

    /// Tells whoever waits, if somebody does.
    pub(super) fn end_op(
        &self,
        op: Option<OpId>,
        event: Event,
        result: Result<(), Error>,
        cx: &mut Context<'_>,
    ) {
        if let Some(op) = op {
            cx.answer(op, event);
            cx.finish(op, result);
        }
    }

    /// The lookup of a task led nowhere: too many on the way are dead, and the ring may not have noticed yet.
    pub(super) fn no_way(&mut self, number: u32, error: Error, cx: &mut Context<'_>) {
        let again = error == Error::NoRoute
            && match self.task(number).map(|task| &task.work) {
                Some(Work::Get(_)) => self.get_again(number),
                Some(Work::Put(_)) => self.put_anew(number),
                Some(Work::Redundant(_)) | None => false,
            };
        if again {
            cx.set_timer(Timer::Again(number), AGAIN);
        } else {
            self.task_failed(number, error, cx);
        }
    }

    pub(super) fn look_again(&mut self, number: u32, cx: &mut Context<'_>) {
        let Some(task) = self.task(number) else { return };
        let goal = match task.work {
            Work::Get(_) => Goal::Get(number),
            Work::Put(_) => Goal::Put(number),
            Work::Redundant(_) => return,
        };
        let key = task.key;
        self.look_up(key, goal, cx);
    }

    /// The task of an operation.
    pub(super) fn task_of(&self, op: OpId) -> Option<u32> {
        let of_op = self.storage.tasks.iter().find(|(_, task)| task.op == Some(op));
        of_op.map(|(number, _)| *number)
    }

    /// Nobody waits for it any more. Whether it was a task.
    pub(super) fn cancel_task(&mut self, op: OpId, cx: &mut Context<'_>) -> bool {
        let of_op = self.task_of(op);
        if let Some(number) = of_op {
            self.task_failed(number, Error::Cancelled, cx);
        }
        of_op.is_some()
    }

    pub(super) fn stop_tasks(&mut self, cx: &mut Context<'_>) {
        while let Some((&number, _)) = self.storage.tasks.first_key_value() {
            self.task_failed(number, Error::Stopped, cx);
        }
    }
}
