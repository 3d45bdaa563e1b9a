//! A paused stream: nothing of it is read, and its end is told as soon as nothing unread lies before it.

use crate::kit::{Hand, Heard, Puppet, local, pattern, soon};
use p2p_core::{ConnId, Cx, Input, IoError, StreamInput};
use p2p_transport_tokio::Options;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Pauses each stream at its first bytes, and sends so much that answers of the driver are queued at the same time.
fn pause_at_once(heard: &Heard, cx: &mut Cx<'_, Puppet>) {
    if let Input::Stream(conn, StreamInput::Data(_)) = heard {
        cx.pause(*conn, true);
        cx.send(*conn, vec![1; 300_000]);
    }
}

fn data_of(conn: ConnId, heard: &[Heard]) -> usize {
    heard
        .iter()
        .filter(|heard| matches!(heard, Input::Stream(id, StreamInput::Data(_)) if *id == conn))
        .count()
}

#[tokio::test]
async fn no_data_comes_after_pause() {
    let mut hand = Hand::of(Puppet::reacting(pause_at_once), Options::default());
    let (_, at) = hand.listen(local()).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let tcp = TcpStream::connect(at).await.unwrap();
        streams.push((hand.opened().await, tcp));
    }
    let mut talkers = Vec::new();
    for (conn, tcp) in streams {
        let (mut from, mut to) = tcp.into_split();
        // Each writes for as long as it can, and reads what it is sent.
        let writer = tokio::spawn(async move { while to.write_all(&[2; 100_000]).await.is_ok() {} });
        let reader = tokio::spawn(async move {
            let mut scratch = vec![0; 65_536];
            while from.read(&mut scratch).await.is_ok_and(|n| n > 0) {}
        });
        talkers.push((conn, writer, reader));
    }
    let mut heard = Vec::new();
    for (conn, ..) in &talkers {
        while data_of(*conn, &heard) == 0 {
            heard.push(hand.next().await);
        }
    }
    hand.settle().await;
    heard.extend(hand.rest());
    for (conn, writer, reader) in &talkers {
        assert_eq!(data_of(*conn, &heard), 1, "one read before the pause, none after");
        writer.abort();
        reader.abort();
    }
}

#[tokio::test]
async fn what_lies_before_the_end_comes_first() {
    let mut hand = Hand::new(Options::default());
    let (_, at) = hand.listen(local()).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    hand.make(move |cx| cx.pause(conn, true)).await;
    let sent = pattern(4, 50_000);
    tcp.write_all(&sent).await.unwrap();
    drop(tcp);
    hand.settle().await;
    assert!(hand.rest().is_empty(), "paused over unread bytes: nothing is told");
    hand.make(move |cx| cx.pause(conn, false)).await;
    assert!(hand.bytes(conn, sent.len()).await == sent);
    assert_eq!(hand.closed(conn).await, Ok(()));
}

#[tokio::test]
async fn a_paused_stream_with_nothing_unread_ends_at_once() {
    let mut hand = Hand::new(Options::default());
    let (_, at) = hand.listen(local()).await;
    for (reset, end) in [(false, Ok(())), (true, Err(IoError::Reset))] {
        let tcp = TcpStream::connect(at).await.unwrap();
        let conn = hand.opened().await;
        hand.make(move |cx| cx.pause(conn, true)).await;
        if reset {
            socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(tcp);
        assert_eq!(hand.closed(conn).await, end);
    }
}

#[tokio::test]
async fn a_paused_stream_that_breaks_while_it_sends_ends_without_more_data() {
    let mut hand = Hand::new(Options::default());
    let (_, at) = hand.listen(local()).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    hand.make(move |cx| cx.pause(conn, true)).await;
    tcp.write_all(&[3; 1000]).await.unwrap();
    socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).unwrap();
    drop(tcp);
    // More than the first write after a reset: the second fails.
    for _ in 0..2 {
        hand.make(move |cx| cx.send(conn, vec![0; 10_000])).await;
        hand.settle().await;
    }
    let end = soon("the end", async {
        loop {
            match hand.next().await {
                Input::Stream(_, StreamInput::Data(_)) => panic!("data after pause"),
                Input::Stream(id, StreamInput::Closed(end)) if id == conn => return end,
                _ => {}
            }
        }
    });
    assert_eq!(end.await, Err(IoError::Reset));
}

#[tokio::test]
async fn pause_and_go_on_as_often_as_one_likes() {
    let mut hand = Hand::new(Options::default());
    let (_, at) = hand.listen(local()).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    let sent = pattern(5, 400_000);
    let all = sent.clone();
    let writer = tokio::spawn(async move {
        tcp.write_all(&all).await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut nothing = Vec::new();
        tcp.read_to_end(&mut nothing).await.unwrap();
    });
    let mut got = Vec::new();
    while got.len() < sent.len() {
        hand.make(move |cx| {
            cx.pause(conn, true);
            cx.pause(conn, false);
            cx.pause(conn, true);
        })
        .await;
        hand.make(move |cx| cx.pause(conn, false)).await;
        match hand.next().await {
            Input::Stream(_, StreamInput::Data(data)) => got.extend_from_slice(&data),
            other => panic!("{other:?}"),
        }
    }
    assert!(got == sent);
    assert_eq!(hand.closed(conn).await, Ok(()));
    writer.await.unwrap();
}
