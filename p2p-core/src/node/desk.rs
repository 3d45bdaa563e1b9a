//! The driver's side of a node.

use super::news::Paper;
use super::{Answers, Ask, Counter, OpError, Signal, lock};
use crate::effect::OpId;
use crate::machine::{Input, Machine, OpInput};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use core::fmt;
use core::task::{Context, Poll};
use std::sync::Mutex;

/// The driver's side: where asks come from, and where events and ends go. No method of it ever waits.
pub struct Desk<M: Machine> {
    pub(super) counter: Arc<Counter<M>>,
    pub(super) paper: Arc<Mutex<Paper<M::Event>>>,
    pub(super) open: BTreeMap<OpId, Arc<Mutex<Answers<M>>>>,
}

impl<M: Machine> fmt::Debug for Desk<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("open", &self.open.len()).finish_non_exhaustive()
    }
}

impl<M: Machine> Desk<M> {
    /// The next thing that the application wants of the machine, always an [`Input::Op`]. `None` when no handle and no
    /// operation is left that could want anything ever again.
    pub fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Option<Input<M>>> {
        loop {
            let (ask, signal, waiter) = {
                let mut queues = lock(&self.counter.queues);
                let signal = queues.signals.pop_front();
                let ask = if signal.is_none() { queues.asks.pop_front() } else { None };
                let waiter = if ask.is_some() { queues.waiting.pop_first() } else { None };
                if ask.is_none() && signal.is_none() {
                    if Arc::strong_count(&self.counter) == 1 {
                        return Poll::Ready(None);
                    }
                    match &mut queues.driver {
                        Some(waker) => waker.clone_from(cx.waker()),
                        none => *none = Some(cx.waker().clone()),
                    }
                    return Poll::Pending;
                }
                (ask, signal, waiter)
            };
            if let Some((_, waker)) = waiter {
                waker.wake();
            }
            if let Some(Ask { op, command, answers }) = ask {
                if lock(&answers).reader_gone {
                    // Dropped before the machine heard of it; its `Cancel` then finds nothing to cancel.
                    continue;
                }
                self.open.insert(op, answers);
                return Poll::Ready(Some(Input::Op(op, OpInput::Ask(command))));
            }
            let input = match signal {
                Some((op, Signal::Ready)) if self.open.contains_key(&op) => Input::Op(op, OpInput::Ready),
                Some((op, Signal::Cancel)) if self.open.remove(&op).is_some() => {
                    Input::Op(op, OpInput::Cancel)
                }
                _ => continue,
            };
            return Poll::Ready(Some(input));
        }
    }

    /// Hands over an event: an answer to an operation, or news. What it returns is an input that the machine must be
    /// given soon: `Full` or `Cancel`.
    #[must_use = "the machine must be given what this returns"]
    pub fn event(&mut self, op: Option<OpId>, event: M::Event) -> Option<Input<M>> {
        let Some(op) = op else {
            self.news(event);
            return None;
        };
        let limits = self.counter.limits;
        let (reader, input) = {
            let mut answers = lock(self.open.get(&op)?);
            if answers.reader_gone {
                return None;
            }
            if answers.queue.len() >= limits.answers_hard {
                answers.end = Some(Err(OpError::Lagged));
                (answers.reader.take(), Some(OpInput::Cancel))
            } else {
                answers.queue.push_back(event);
                let full = !answers.told_full && answers.queue.len() >= limits.answers;
                answers.told_full |= full;
                (answers.reader.take(), full.then_some(OpInput::Full))
            }
        };
        if let Some(reader) = reader {
            reader.wake();
        }
        if matches!(input, Some(OpInput::Cancel)) {
            self.open.remove(&op);
        }
        input.map(|input| Input::Op(op, input))
    }

    /// Ends an operation. Does nothing if it has ended, or was cancelled.
    pub fn finish(&mut self, op: OpId, result: Result<(), M::Error>) {
        if let Some(answers) = self.open.remove(&op) {
            end(&answers, result.map_err(OpError::Failed));
        }
    }

    /// How many operations the machine owes an end to that somebody waits for.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    fn news(&mut self, event: M::Event) {
        let reader = {
            let mut paper = lock(&self.paper);
            if paper.reader_gone {
                return;
            }
            if paper.news.len() >= self.counter.limits.news {
                paper.missed += 1;
                return;
            }
            paper.news.push_back(event);
            paper.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

fn end<M: Machine>(answers: &Mutex<Answers<M>>, result: Result<(), OpError<M::Error>>) {
    let reader = {
        let mut answers = lock(answers);
        answers.end = Some(result);
        answers.reader.take()
    };
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl<M: Machine> Drop for Desk<M> {
    /// Ends all operations as [`OpError::Gone`], and the news.
    fn drop(&mut self) {
        let (asks, waiting) = {
            let mut queues = lock(&self.counter.queues);
            queues.gone = true;
            queues.signals = VecDeque::new();
            (core::mem::take(&mut queues.asks), core::mem::take(&mut queues.waiting))
        };
        for ask in asks {
            end(&ask.answers, Err(OpError::Gone));
        }
        for waker in waiting.into_values() {
            waker.wake();
        }
        for answers in core::mem::take(&mut self.open).into_values() {
            end(&answers, Err(OpError::Gone));
        }
        let reader = {
            let mut paper = lock(&self.paper);
            paper.writer_gone = true;
            paper.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}
