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

mod desk;
mod news;
mod operation;

pub use desk::Desk;
pub use news::News;
pub use operation::Operation;

use crate::effect::OpId;
use crate::machine::Machine;
use crate::primitives::{Chunk, Fetch, Join, Publish, Search};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Waker;
use news::Paper;
use operation::Stage;
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

    pub(crate) fn operation<T>(
        &self,
        command: M::Command,
        read: fn(M::Event) -> Option<T>,
    ) -> Operation<M, T> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cx, Input, OpInput};
    use alloc::vec::Vec;
    use core::sync::atomic::AtomicUsize;
    use core::task::{Context, Poll};

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
