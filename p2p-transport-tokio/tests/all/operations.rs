//! What an application asks and hears: cancelled by dropping, ended as gone, news missed and counted.

use crate::kit::{Hand, local, soon};
use p2p_core::node::OpError;
use p2p_core::{Cx, Input, Machine, OpId, OpInput};
use p2p_transport_tokio::{Options, drive, spawn};
use std::collections::BTreeSet;

/// Answers asks when it is told to, one by one; until then they stay open.
#[derive(Debug, Default)]
struct Keeper {
    open: BTreeSet<OpId>,
    cancelled: BTreeSet<OpId>,
}

#[derive(Debug, Clone)]
enum Ask {
    /// Stays open, and answers once.
    Wait,
    /// Says so much news, and ends.
    Tell(u32),
    /// Ends badly.
    Fail,
    /// Panics.
    Panic,
    /// Halts, and leaves all open.
    Halt,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was to fail")]
struct Failed;

impl Machine for Keeper {
    type Command = Ask;
    type Event = u32;
    type Error = Failed;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Op(op, OpInput::Ask(Ask::Wait)) => {
                self.open.insert(op);
                cx.answer(op, 1);
            }
            Input::Op(op, OpInput::Ask(Ask::Tell(n))) => {
                (0..n).for_each(|n| cx.tell(n));
                cx.finish(op, Ok(()));
            }
            Input::Op(op, OpInput::Ask(Ask::Fail)) => cx.finish(op, Err(Failed)),
            Input::Op(_, OpInput::Ask(Ask::Panic)) => panic!("as asked"),
            Input::Op(_, OpInput::Ask(Ask::Halt)) | Input::Stop => cx.halt(),
            Input::Op(op, OpInput::Cancel) => {
                assert!(self.open.remove(&op) && self.cancelled.insert(op));
                cx.tell(0);
                // Still owed, and goes nowhere.
                cx.finish(op, Ok(()));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn dropping_an_operation_cancels_it() {
    let mut keeper = spawn(Keeper::default(), Options::default());
    let mut kept = keeper.node.ask(Ask::Wait);
    let mut dropped = keeper.node.ask(Ask::Wait);
    assert_eq!(soon("an answer", kept.next()).await, Some(Ok(1)));
    assert_eq!(soon("an answer", dropped.next()).await, Some(Ok(1)));
    let id = dropped.id();
    drop(dropped);
    assert_eq!(soon("the cancel", keeper.news.next()).await, Some(0));
    // One that was never polled is never heard of.
    drop(keeper.node.ask(Ask::Wait));
    keeper.node.run(Ask::Tell(0)).await.unwrap();
    let keeper = keeper.stop().await;
    assert_eq!(keeper.cancelled, BTreeSet::from([id]));
    assert_eq!(keeper.open, BTreeSet::from([kept.id()]));
    // What was still open ended with the machine.
    assert_eq!(soon("the end", kept.next()).await, Some(Err(OpError::Gone)));
    assert_eq!(soon("nothing more", kept.next()).await, None);
}

#[tokio::test]
async fn failures_are_the_machines_own() {
    let keeper = spawn(Keeper::default(), Options::default());
    assert_eq!(keeper.node.run(Ask::Fail).await, Err(OpError::Failed(Failed)));
    let node = keeper.node.clone();
    keeper.stop().await;
    assert!(node.is_gone());
    assert_eq!(node.run(Ask::Fail).await, Err(OpError::Gone));
}

#[tokio::test]
async fn news_that_nobody_reads_is_dropped_and_counted() {
    let mut options = Options::default();
    options.desk.news = 10;
    let mut keeper = spawn(Keeper::default(), options);
    keeper.node.run(Ask::Tell(25)).await.unwrap();
    assert_eq!(keeper.news.missed(), 15);
    for n in 0..10 {
        assert_eq!(keeper.news.next().await, Some(n), "the oldest are kept");
    }
    assert_eq!(keeper.news.try_next(), None);
    keeper.node.run(Ask::Tell(3)).await.unwrap();
    assert_eq!((keeper.news.next().await, keeper.news.missed()), (Some(0), 15));
}

#[tokio::test]
async fn a_machine_that_halts_ends_what_is_open() {
    let mut keeper = spawn(Keeper::default(), Options::default());
    let mut open = keeper.node.ask(Ask::Wait);
    assert_eq!(soon("an answer", open.next()).await, Some(Ok(1)));
    assert_eq!(keeper.node.run(Ask::Halt).await, Err(OpError::Gone));
    assert_eq!(soon("the end", open.next()).await, Some(Err(OpError::Gone)));
    assert_eq!(soon("the end of news", keeper.news.next()).await, None);
    assert_eq!(soon("the machine", keeper.halted()).await.open.len(), 1);
}

#[tokio::test]
#[should_panic(expected = "as asked")]
async fn a_panic_of_the_machine_is_its_owners() {
    let keeper = spawn(Keeper::default(), Options::default());
    assert_eq!(keeper.node.run(Ask::Panic).await, Err(OpError::Gone));
    keeper.stop().await;
}

#[tokio::test]
async fn the_loop_runs_as_a_future_without_a_task() {
    let (node, mut news, run) = drive(Keeper::default(), Options::default(), std::future::pending());
    let work = async {
        node.run(Ask::Tell(1)).await.unwrap();
        assert_eq!(news.next().await, Some(0));
        assert_eq!(node.run(Ask::Halt).await, Err(OpError::Gone));
    };
    let (keeper, ()) = soon("both", async { tokio::join!(run, work) }).await;
    assert!(keeper.open.is_empty());
}

#[tokio::test]
async fn a_seed_makes_the_dice_repeat() {
    let mut first = Vec::new();
    for _ in 0..2 {
        let mut options = Options::default();
        options.seed = Some([9; 32]);
        let hand = Hand::new(options);
        first.push(hand.make(|cx| cx.rng().bytes::<32>()).await);
    }
    let other = Hand::new(Options::default()).make(|cx| cx.rng().bytes::<32>()).await;
    assert!(first[0] == first[1] && first[0] != other);
}

#[tokio::test]
async fn timers_come_in_their_order_and_not_before_their_time() {
    let mut hand = Hand::new(Options::default());
    let set = hand
        .make(|cx| {
            let millis = std::time::Duration::from_millis;
            cx.set_timer(1, millis(30));
            cx.set_timer(2, millis(5));
            cx.set_timer(3, millis(1));
            cx.set_timer(4, millis(1));
            // Replaced, and cleared.
            cx.set_timer(3, millis(15));
            cx.clear_timer(4);
            cx.now()
        })
        .await;
    for (name, after) in [(2, 5), (3, 15), (1, 30)] {
        match hand.next().await {
            Input::Timer(heard) => assert_eq!(heard, name),
            other => panic!("{other:?}"),
        }
        let now = hand.make(|cx| cx.now()).await;
        assert!(now.since(set) >= std::time::Duration::from_millis(after));
    }
    // Many at once are all given, and others have their turn between them.
    hand.make(|cx| (0..2000).for_each(|name| cx.set_timer(name, std::time::Duration::ZERO))).await;
    hand.make(|cx| cx.listen(local())).await;
    let (mut timers, mut before) = (0, None);
    while timers < 2000 || before.is_none() {
        match hand.next().await {
            Input::Timer(name) => {
                assert_eq!(name, timers, "those of one time are given in the order of their names");
                timers += 1;
            }
            Input::Listener(_, Ok(_)) => before = Some(timers),
            other => panic!("{other:?}"),
        }
    }
    assert!(before < Some(2000), "the listener had to wait for all timers");
}
