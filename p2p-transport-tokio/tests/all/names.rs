//! Names: resolved for a machine, and dialled by.

use crate::kit::{Echo, Hand, Served, local, soon};
use p2p_core::{Input, IoError, StreamInput, Target};
use p2p_transport_tokio::{Options, spawn};

/// No name at all: the system refuses it without asking anybody.
const NO_NAME: &str = "two words";

#[tokio::test]
async fn a_name_is_resolved_to_addresses_with_its_port() {
    let mut hand = Hand::new(Options::default());
    let lookup = hand.make(|cx| cx.resolve("localhost", 4711)).await;
    match hand.next().await {
        Input::Resolved(id, Ok(found)) => {
            assert!(id == lookup && !found.is_empty());
            assert!(found.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 4711), "{found:?}");
        }
        other => panic!("{other:?}"),
    }
    // An address as text is a name as well.
    hand.make(|cx| cx.resolve("::1", 80)).await;
    match hand.next().await {
        Input::Resolved(_, Ok(found)) => assert_eq!(found, ["[::1]:80".parse().unwrap()]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_name_is_not_resolved() {
    let mut hand = Hand::new(Options::default());
    for name in [NO_NAME, ""] {
        hand.make(move |cx| cx.resolve(name, 80)).await;
        match hand.next().await {
            Input::Resolved(_, Err(error)) => assert_eq!(error, IoError::Unresolved),
            // Some systems take an empty name for this machine.
            Input::Resolved(_, Ok(found)) => assert!(name.is_empty(), "{found:?}"),
            other => panic!("{other:?}"),
        }
    }
    let target = Target::Name { host: NO_NAME.to_owned(), port: 80 };
    let conn = hand.make(move |cx| cx.connect(target.clone())).await;
    assert_eq!(hand.closed(conn).await, Err(IoError::Unresolved));
}

#[tokio::test]
async fn no_more_look_ups_than_allowed() {
    let mut options = Options::default();
    options.lookups = 2;
    let mut hand = Hand::new(options);
    hand.make(|cx| {
        for _ in 0..5 {
            cx.resolve("localhost", 1);
        }
    })
    .await;
    let mut answers = Vec::new();
    for _ in 0..5 {
        match hand.next().await {
            Input::Resolved(_, found) => answers.push(found.map(drop)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answers.iter().filter(|answer| **answer == Err(IoError::Limit)).count(), 3);
    hand.make(|cx| cx.resolve("localhost", 1)).await;
    assert!(matches!(hand.next().await, Input::Resolved(_, Ok(_))), "there is room again");
}

#[tokio::test]
async fn a_name_is_dialled_at_whichever_address_answers() {
    // `localhost` may be `::1` first, where nobody listens.
    let mut echo = spawn(Echo::at(local()), Options::default());
    let Some(Served::At(at)) = soon("the address", echo.news.next()).await else { panic!("it listens") };
    let mut hand = Hand::new(Options::default());
    let target = Target::Name { host: "localhost".to_owned(), port: at.port() };
    let conn = hand.make(move |cx| cx.connect(target.clone())).await;
    match hand.next().await {
        Input::Stream(id, StreamInput::Open { peer, listener: None }) => assert!(id == conn && peer == at),
        other => panic!("{other:?}"),
    }
    hand.make(move |cx| cx.send(conn, &b"by name"[..])).await;
    assert_eq!(hand.bytes(conn, 7).await, b"by name");
}
