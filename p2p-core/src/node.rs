//! The async handle to a running machine, the same for every driver: [`Node`], [`Operation`], [`News`], and [`Desk`],
//! the driver's side of them.
//!
//! A driver calls [`desk`] once, gives the [`Node`] and the [`News`] to the application and keeps the [`Desk`]. No
//! queue here is without a bound, and nothing that the application does or leaves undone can hold up the driver:
//!
//! - asks wait in one queue of [`DeskLimits::asks`]; an operation past it waits at its first poll;
//! - answers wait in one queue per operation; at [`DeskLimits::answers`] the machine is told `Full`, at half of it
//!   `Ready`, and past [`DeskLimits::answers_hard`] the operation ends as [`OpError::Lagged`];
//! - news nobody reads is dropped past [`DeskLimits::news`], and counted.

use crate::effect::OpId;
use crate::machine::{Input, Machine, OpInput};
use crate::primitives::{Chunk, Fetch, Join, Publish, Search};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Poll, Waker};
use futures_core::Stream;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How much may wait between an application and a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeskLimits {
    /// Asks that the machine has not taken yet. A driver takes them at its next turn, so few ever wait.
    pub asks: usize,
    /// Answers of one operation at which the machine is told `Full`. Half of it is where it is told `Ready`.
    pub answers: usize,
    /// Answers of one operation past which it ends as lagged: what a machine may still say after `Full`.
    pub answers_hard: usize,
    /// News that nobody has read yet.
    pub news: usize,
}

impl Default for DeskLimits {
    /// 64 asks; 64 answers (1 MiB of 16 KiB chunks), 1024 at the most; 1024 news.
    fn default() -> Self {
        Self { asks: 64, answers: 64, answers_hard: 1024, news: 1024 }
    }
}

/// Why an operation did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpError<E> {
    /// The machine says so.
    #[error(transparent)]
    Failed(E),
    /// The answers were not read fast enough, and the machine did not stop sending them.
    #[error("the answers were not read in time")]
    Lagged,
    /// The machine is not running any more.
    #[error("the machine has stopped")]
    Gone,
}

/// Makes the three ends of a desk: for the application, for whoever reads the news, and for the driver.
#[must_use]
pub fn desk<M: Machine>(limits: DeskLimits) -> (Node<M>, News<M::Event>, Desk<M>) {
    let counter = Arc::new(Counter {
        next: AtomicU64::new(1),
        limits,
        queues: Mutex::new(Queues {
            asks: VecDeque::new(),
            waiting: BTreeMap::new(),
            signals: VecDeque::new(),
            driver: None,
            gone: false,
        }),
    });
    let paper = Arc::new(Mutex::new(Paper {
        news: VecDeque::new(),
        missed: 0,
        reader: None,
        reader_gone: false,
        writer_gone: false,
    }));
    let node = Node { counter: Arc::clone(&counter) };
    let news = News { paper: Arc::clone(&paper) };
    (node, news, Desk { counter, paper, open: BTreeMap::new() })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of others runs under these locks, so a poisoned one holds a sound state.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What applications and the driver share.
struct Counter<M: Machine> {
    next: AtomicU64,
    limits: DeskLimits,
    queues: Mutex<Queues<M>>,
}

struct Queues<M: Machine> {
    asks: VecDeque<Ask<M>>,
    /// Operations that found the queue of asks full, oldest first.
    waiting: BTreeMap<OpId, Waker>,
    /// What readers have to say: at most one `Ready` and one `Cancel` per operation.
    signals: VecDeque<(OpId, Signal)>,
    driver: Option<Waker>,
    gone: bool,
}

struct Ask<M: Machine> {
    op: OpId,
    command: M::Command,
    answers: Arc<Mutex<Answers<M>>>,
}

#[derive(Clone, Copy)]
enum Signal {
    Ready,
    Cancel,
}

impl<M: Machine> Counter<M> {
    fn signal(&self, op: OpId, signal: Signal) {
        let driver = {
            let mut queues = lock(&self.queues);
            if queues.gone {
                return;
            }
            queues.signals.push_back((op, signal));
            queues.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

/// The answers of one operation on their way.
struct Answers<M: Machine> {
    queue: VecDeque<M::Event>,
    end: Option<Result<(), OpError<M::Error>>>,
    reader: Option<Waker>,
    told_full: bool,
    reader_gone: bool,
}

/// The handle to a running machine: ask it for something, from any task. Cheap to clone.
///
/// The machine lives on when all handles are dropped; its driver stops it.
pub struct Node<M: Machine> {
    counter: Arc<Counter<M>>,
}

impl<M: Machine> Clone for Node<M> {
    fn clone(&self) -> Self {
        Self { counter: Arc::clone(&self.counter) }
    }
}

impl<M: Machine> fmt::Debug for Node<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("gone", &self.is_gone()).finish()
    }
}

impl<M: Machine> Node<M> {
    /// Asks for something; all events of the operation come as they are. Nothing is sent before the first poll.
    #[must_use = "an operation is sent when it is first polled"]
    pub fn ask(&self, command: M::Command) -> Operation<M, M::Event> {
        self.operation(command, Some)
    }

    /// Asks for something of which only the end matters.
    ///
    /// # Errors
    /// If the operation failed, or the machine is gone.
    pub async fn run(&self, command: M::Command) -> Result<(), OpError<M::Error>> {
        self.ask(command).finished().await
    }

    /// Whether the machine has stopped.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        lock(&self.counter.queues).gone
    }

    fn operation<T>(&self, command: M::Command, read: fn(M::Event) -> Option<T>) -> Operation<M, T> {
        let op = OpId::from_raw(self.counter.next.fetch_add(1, Ordering::Relaxed));
        let answers =
            Answers { queue: VecDeque::new(), end: None, reader: None, told_full: false, reader_gone: false };
        Operation {
            op,
            stage: Stage::Unsent(command),
            answers: Arc::new(Mutex::new(answers)),
            counter: Arc::clone(&self.counter),
            read,
        }
    }
}

impl<M: Join> Node<M> {
    /// Becomes a part of the system; ready when it is.
    ///
    /// # Errors
    /// If the operation failed, or the machine is gone.
    pub async fn join(&self, to: M::Bootstrap) -> Result<(), OpError<M::Error>> {
        self.run(M::join(to)).await
    }
}

impl<M: Publish> Node<M> {
    /// Makes something findable; ready when those of [`Publish::REACH`] were told.
    ///
    /// # Errors
    /// If the operation failed, or the machine is gone.
    pub async fn publish(&self, item: M::Item) -> Result<(), OpError<M::Error>> {
        self.run(M::publish(item)).await
    }
}

impl<M: Search> Node<M> {
    /// Searches; hits come as they are found.
    #[must_use = "an operation is sent when it is first polled"]
    pub fn search(&self, query: M::Query) -> Operation<M, M::Hit> {
        self.operation(M::search(query), M::hit)
    }
}

impl<M: Fetch> Node<M> {
    /// Fetches; verified chunks come in order.
    #[must_use = "an operation is sent when it is first polled"]
    pub fn fetch(&self, what: M::Locator) -> Operation<M, Chunk> {
        self.operation(M::fetch(what), M::chunk)
    }
}

/// An operation under way: a stream of its answers that ends when it is finished, or with one error.
///
/// It is sent to the machine at the first poll. Dropping it cancels it.
#[must_use = "an operation is sent when it is first polled, and dropping it cancels it"]
pub struct Operation<M: Machine, T> {
    op: OpId,
    stage: Stage<M::Command>,
    answers: Arc<Mutex<Answers<M>>>,
    counter: Arc<Counter<M>>,
    read: fn(M::Event) -> Option<T>,
}

enum Stage<C> {
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

/// What a machine tells nobody in particular, in order. What is not read in time is dropped and counted.
pub struct News<E> {
    paper: Arc<Mutex<Paper<E>>>,
}

struct Paper<E> {
    news: VecDeque<E>,
    missed: u64,
    reader: Option<Waker>,
    reader_gone: bool,
    writer_gone: bool,
}

impl<E> fmt::Debug for News<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News").field("missed", &self.missed()).finish_non_exhaustive()
    }
}

impl<E> News<E> {
    /// How many were dropped because nobody read them in time.
    #[must_use]
    pub fn missed(&self) -> u64 {
        lock(&self.paper).missed
    }

    /// The next; `None` when the machine has stopped and all was read.
    pub async fn next(&mut self) -> Option<E> {
        core::future::poll_fn(|cx| self.poll_news(cx)).await
    }

    /// The next if there is one now.
    pub fn try_next(&mut self) -> Option<E> {
        lock(&self.paper).news.pop_front()
    }

    /// What [`Stream::poll_next`] does, without a trait to import.
    pub fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<Option<E>> {
        let mut paper = lock(&self.paper);
        match paper.news.pop_front() {
            Some(news) => Poll::Ready(Some(news)),
            None if paper.writer_gone => Poll::Ready(None),
            None => {
                paper.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<E> Stream for News<E> {
    type Item = E;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<E>> {
        self.poll_news(cx)
    }
}

impl<E> Drop for News<E> {
    fn drop(&mut self) {
        let mut paper = lock(&self.paper);
        paper.reader_gone = true;
        paper.news = VecDeque::new();
    }
}

/// The driver's side: where asks come from, and where events and ends go. No method of it ever waits.
pub struct Desk<M: Machine> {
    counter: Arc<Counter<M>>,
    paper: Arc<Mutex<Paper<M::Event>>>,
    open: BTreeMap<OpId, Arc<Mutex<Answers<M>>>>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cx;
    use alloc::vec::Vec;
    use core::sync::atomic::AtomicUsize;

    /// A machine that is never run: the tests play its driver.
    #[derive(Debug)]
    struct Mute;

    #[derive(Debug, PartialEq, Eq, thiserror::Error)]
    #[error("no")]
    struct No;

    impl Machine for Mute {
        type Command = u8;
        type Event = u32;
        type Error = No;
        type Timer = ();
        fn handle(&mut self, _: Input<Self>, _: &mut Cx<'_, Self>) {}
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn waker() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    fn limits() -> DeskLimits {
        DeskLimits { asks: 2, answers: 4, answers_hard: 8, news: 3 }
    }

    fn inputs(desk: &mut Desk<Mute>) -> Vec<Input<Mute>> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut all = Vec::new();
        while let Poll::Ready(Some(input)) = desk.poll_input(&mut cx) {
            all.push(input);
        }
        all
    }

    #[test]
    fn asks_wait_for_room_and_a_dropped_one_passes_its_place_on() {
        let (node, _news, mut desk) = desk::<Mute>(limits());
        let (count, waker) = waker();
        let mut cx = Context::from_waker(&waker);
        let mut ops: Vec<_> = (0..5).map(|n| node.ask(n)).collect();
        for op in &mut ops {
            assert!(op.poll_answer(&mut cx).is_pending());
        }
        let mut driver = Context::from_waker(Waker::noop());
        let taken = desk.poll_input(&mut driver);
        assert!(matches!(taken, Poll::Ready(Some(Input::Op(_, OpInput::Ask(0))))), "{taken:?}");
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        drop(ops.remove(2));
        assert_eq!(count.0.load(Ordering::Relaxed), 2, "the next was woken in its place");
        assert!(ops[2].poll_answer(&mut cx).is_pending());
        let heard: Vec<_> = inputs(&mut desk)
            .into_iter()
            .filter_map(|input| match input {
                Input::Op(_, OpInput::Ask(n)) => Some(n),
                _ => None,
            })
            .collect();
        assert_eq!(heard, [1, 3]);
    }

    #[test]
    fn full_once_ready_once_and_lagged_past_the_cap() {
        let (node, _news, mut desk) = desk::<Mute>(limits());
        let mut cx = Context::from_waker(Waker::noop());
        let mut op = node.ask(1);
        assert!(op.poll_answer(&mut cx).is_pending());
        assert_eq!(inputs(&mut desk).len(), 1);
        let told: Vec<_> = (0..6).filter_map(|n| desk.event(Some(op.id()), n)).collect();
        assert!(matches!(told[..], [Input::Op(_, OpInput::Full)]), "{told:?}");
        for n in 0..4 {
            assert_eq!(op.poll_answer(&mut cx), Poll::Ready(Some(Ok(n))));
        }
        let told = inputs(&mut desk);
        assert!(matches!(told[..], [Input::Op(_, OpInput::Ready)]), "{told:?}");
        let told: Vec<_> = (6..20).filter_map(|n| desk.event(Some(op.id()), n)).collect();
        assert!(matches!(told[..], [Input::Op(_, OpInput::Full), Input::Op(_, OpInput::Cancel)]), "{told:?}");
        for n in 4..12 {
            assert_eq!(op.poll_answer(&mut cx), Poll::Ready(Some(Ok(n))));
        }
        assert_eq!(op.poll_answer(&mut cx), Poll::Ready(Some(Err(OpError::Lagged))));
        assert_eq!(op.poll_answer(&mut cx), Poll::Ready(None));
        drop(op);
        assert!(inputs(&mut desk).is_empty(), "it had its cancel");
    }

    #[test]
    fn dropping_cancels_once_and_the_end_is_told_once() {
        let (node, _news, mut desk) = desk::<Mute>(limits());
        let mut cx = Context::from_waker(Waker::noop());
        let mut dropped = node.ask(1);
        let mut failed = node.ask(2);
        assert!(dropped.poll_answer(&mut cx).is_pending());
        assert!(failed.poll_answer(&mut cx).is_pending());
        assert_eq!(inputs(&mut desk).len(), 2);
        let id = dropped.id();
        drop(dropped);
        assert!(desk.event(Some(id), 1).is_none());
        assert!(matches!(inputs(&mut desk)[..], [Input::Op(at, OpInput::Cancel)] if at == id));
        desk.finish(id, Ok(()));
        desk.finish(failed.id(), Err(No));
        assert_eq!(failed.poll_answer(&mut cx), Poll::Ready(Some(Err(OpError::Failed(No)))));
        drop(failed);
        assert!(inputs(&mut desk).is_empty());
        assert_eq!(desk.open(), 0);
    }

    #[test]
    fn one_never_polled_is_never_sent_and_one_dropped_early_is_never_heard_of() {
        let (node, _news, mut desk) = desk::<Mute>(limits());
        let mut cx = Context::from_waker(Waker::noop());
        drop(node.ask(1));
        let mut early = node.ask(2);
        assert!(early.poll_answer(&mut cx).is_pending());
        drop(early);
        assert!(inputs(&mut desk).is_empty());
    }

    #[test]
    fn news_is_bounded_and_counted_and_ends_with_the_desk() {
        let (node, mut news, mut desk) = desk::<Mute>(limits());
        let mut cx = Context::from_waker(Waker::noop());
        for n in 0..5 {
            assert!(desk.event(None, n).is_none());
        }
        assert_eq!(news.missed(), 2);
        let mut op = node.ask(1);
        assert!(op.poll_answer(&mut cx).is_pending());
        drop(desk);
        assert_eq!(op.poll_answer(&mut cx), Poll::Ready(Some(Err(OpError::Gone))));
        assert_eq!(node.ask(2).poll_answer(&mut cx), Poll::Ready(Some(Err(OpError::Gone))));
        for n in 0..3 {
            assert_eq!(news.poll_news(&mut cx), Poll::Ready(Some(n)));
        }
        assert_eq!(news.poll_news(&mut cx), Poll::Ready(None));
    }

    #[test]
    fn without_handles_the_desk_says_so() {
        let (node, _news, mut desk) = desk::<Mute>(limits());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(desk.poll_input(&mut cx).is_pending());
        drop(node);
        assert!(matches!(desk.poll_input(&mut cx), Poll::Ready(None)));
    }
}
