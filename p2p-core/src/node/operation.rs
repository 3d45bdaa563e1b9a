//! An operation under way, as the application sees it.

use super::{Answers, Ask, Counter, OpError, Signal, lock};
use crate::effect::OpId;
use crate::machine::Machine;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;
use std::sync::Mutex;

/// An operation under way: a stream of its answers that ends when it is finished, or with one error.
///
/// It is sent to the machine at the first poll. Dropping it cancels it.
#[must_use = "an operation is sent when it is first polled, and dropping it cancels it"]
pub struct Operation<M: Machine, T> {
    pub(super) op: OpId,
    pub(super) stage: Stage<M::Command>,
    pub(super) answers: Arc<Mutex<Answers<M>>>,
    pub(super) counter: Arc<Counter<M>>,
    pub(super) read: fn(M::Event) -> Option<T>,
}

pub(super) enum Stage<C> {
    Unsent(C),
    Sent,
    Over,
}

// Nothing in it is ever pinned.
impl<M: Machine, T> Unpin for Operation<M, T> {}

impl<M: Machine, T> fmt::Debug for Operation<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operation").field(&self.op).finish()
    }
}

impl<M: Machine, T> Operation<M, T> {
    /// The number under which the machine knows it.
    #[must_use]
    pub const fn id(&self) -> OpId {
        self.op
    }

    /// The next answer; `None` when the operation has finished well.
    pub async fn next(&mut self) -> Option<Result<T, OpError<M::Error>>> {
        core::future::poll_fn(|cx| self.poll_answer(cx)).await
    }

    /// The next answer; `None` when the operation has finished well.
    ///
    /// # Errors
    /// If the operation failed, or the machine is gone.
    pub async fn try_next(&mut self) -> Result<Option<T>, OpError<M::Error>> {
        self.next().await.transpose()
    }

    /// Waits for the end, and lets the answers go by.
    ///
    /// # Errors
    /// If the operation failed, or the machine is gone.
    pub async fn finished(mut self) -> Result<(), OpError<M::Error>> {
        while self.try_next().await?.is_some() {}
        Ok(())
    }

    /// What [`Stream::poll_next`] does, without a trait to import.
    pub fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, OpError<M::Error>>>> {
        match self.poll_sent(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
            Poll::Pending => return Poll::Pending,
        }
        if matches!(self.stage, Stage::Over) {
            return Poll::Ready(None);
        }
        let mark = self.counter.limits.answers / 2;
        let (polled, ready) = {
            let mut answers = lock(&self.answers);
            let polled = loop {
                let Some(event) = answers.queue.pop_front() else { break None };
                if let Some(answer) = (self.read)(event) {
                    break Some(answer);
                }
            };
            let ready = answers.told_full && answers.queue.len() <= mark;
            if ready {
                answers.told_full = false;
            }
            let polled = match polled {
                Some(answer) => Poll::Ready(Some(Ok(answer))),
                None => match answers.end.take() {
                    Some(end) => Poll::Ready(end.err().map(Err)),
                    None => {
                        answers.reader = Some(cx.waker().clone());
                        Poll::Pending
                    }
                },
            };
            (polled, ready)
        };
        let over = matches!(polled, Poll::Ready(None | Some(Err(_))));
        if over {
            self.stage = Stage::Over;
        } else if ready {
            self.counter.signal(self.op, Signal::Ready);
        }
        polled
    }

    /// Sends the command if that was not done yet, as soon as the queue has room.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OpError<M::Error>>> {
        if !matches!(self.stage, Stage::Unsent(_)) {
            return Poll::Ready(Ok(()));
        }
        let driver = {
            let mut queues = lock(&self.counter.queues);
            if queues.gone {
                self.stage = Stage::Over;
                return Poll::Ready(Err(OpError::Gone));
            }
            if queues.asks.len() >= self.counter.limits.asks {
                queues.waiting.insert(self.op, cx.waker().clone());
                return Poll::Pending;
            }
            queues.waiting.remove(&self.op);
            if let Stage::Unsent(command) = core::mem::replace(&mut self.stage, Stage::Sent) {
                queues.asks.push_back(Ask { op: self.op, command, answers: Arc::clone(&self.answers) });
            }
            queues.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl<M: Machine, T> Stream for Operation<M, T> {
    type Item = Result<T, OpError<M::Error>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_answer(cx)
    }
}

impl<M: Machine, T> Drop for Operation<M, T> {
    fn drop(&mut self) {
        match self.stage {
            Stage::Over => {}
            Stage::Sent => {
                let ended = {
                    let mut answers = lock(&self.answers);
                    answers.reader_gone = true;
                    answers.queue = VecDeque::new();
                    answers.end.is_some()
                };
                if !ended {
                    self.counter.signal(self.op, Signal::Cancel);
                }
            }
            Stage::Unsent(_) => {
                // It may have been woken for a place that it will not take now: pass that on.
                let next = {
                    let mut queues = lock(&self.counter.queues);
                    queues.waiting.remove(&self.op);
                    let room = queues.asks.len() < self.counter.limits.asks;
                    if room { queues.waiting.pop_first() } else { None }
                };
                if let Some((_, waker)) = next {
                    waker.wake();
                }
            }
        }
    }
}
