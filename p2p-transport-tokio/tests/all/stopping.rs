//! A stop that loses nothing: queued bytes are sent, jobs under way are done, the machine comes back.

use crate::kit::{Gate, Hand, Puppet, Wires, file, local, pattern, soon};
use bytes::Bytes;
use p2p_core::{Input, IoError, Job, JobDone, Span, StreamInput};
use p2p_transport_tokio::{Memory, Options, Storage};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn what_is_queued_is_sent_before_the_machine_comes_back() {
    const BYTES: usize = 6_000_000;
    let mut hand = Hand::new(Options::default());
    let (_, at) = hand.listen(local()).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    let sent = pattern(6, BYTES);
    let bytes = Bytes::from(sent.clone());
    hand.make(move |cx| cx.send(conn, bytes.clone())).await;
    let reader = tokio::spawn(async move {
        let mut got = Vec::new();
        tcp.read_to_end(&mut got).await.unwrap();
        got
    });
    let puppet = soon("the machine", hand.running.stop()).await;
    assert!(!puppet.stubborn);
    assert!(soon("the end", reader).await.unwrap() == sent);
    assert!(TcpStream::connect(at).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn who_does_not_read_cannot_hold_up_a_stop() {
    let mut options = Options::default();
    options.linger = Duration::from_millis(50);
    let mut hand = Hand::new(options);
    let (_, at) = hand.listen(local()).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    let bytes = Bytes::from(vec![1; 64_000_000]);
    hand.make(move |cx| cx.send(conn, bytes.clone())).await;
    soon("the machine", hand.running.stop()).await;
    // What could not be sent is lost, and the reader can tell.
    let mut got = Vec::new();
    assert!(soon("the end", tcp.read_to_end(&mut got)).await.is_err());
    assert!(got.len() < 64_000_000);
}

#[tokio::test]
async fn jobs_under_way_are_done() {
    const JOBS: u64 = 200;
    let gate = Gate::shut();
    let hand = Hand::new(Options::default().with_storage(gate.clone()));
    hand.make(|cx| {
        for n in 0..JOBS {
            let span = Span { file: file("all"), offset: n * 10, len: 10 };
            cx.run(Job::Write {
                spans: vec![span],
                data: vec![Bytes::from(vec![n as u8; 10])],
                digest: None,
            });
        }
    })
    .await;
    gate.wait_for(2).await;
    assert_eq!(gate.done(), 0);
    let stopping = tokio::spawn(hand.running.stop());
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    gate.open();
    soon("the machine", stopping).await.unwrap();
    assert_eq!(gate.done() as u64, JOBS);
    let all = gate.load(&file("all"), 10_000).unwrap();
    assert!(
        all.chunks(10).zip(0..JOBS).all(|(part, n)| part == [n as u8; 10]) && all.len() as u64 == JOBS * 10
    );
}

#[tokio::test]
async fn the_last_wishes_of_a_machine_are_granted() {
    // Written, sent and halted in one input: all of it before the machine is handed back.
    fn wishes(heard: &crate::kit::Heard, cx: &mut p2p_core::Cx<'_, Puppet>) {
        if let Input::Stream(conn, StreamInput::Data(data)) = heard {
            cx.run(Job::Replace { file: file("will"), data: data.clone() });
            cx.send(*conn, data.clone());
            cx.halt();
            // Nothing follows a halt.
            cx.send(*conn, &b"ghost"[..]);
        }
    }
    let memory = Arc::new(Memory::new(1000));
    let mut options = Options::default();
    options.storage = Arc::<Memory>::clone(&memory);
    let mut hand = Hand::of(Puppet::reacting(wishes), options);
    let (_, at) = hand.listen(local()).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    hand.opened().await;
    tcp.write_all(b"to my heirs").await.unwrap();
    soon("the machine", hand.running.halted()).await;
    let mut got = Vec::new();
    soon("the end", tcp.read_to_end(&mut got)).await.unwrap();
    assert_eq!(got, b"to my heirs");
    assert_eq!(memory.load(&file("will"), 100).unwrap(), &b"to my heirs"[..]);
}

#[tokio::test]
async fn a_machine_that_stays_is_stopped_when_its_grace_is_over() {
    let mut options = Options::default();
    options.grace = Duration::from_millis(30);
    let hand = Hand::of(Puppet::stubborn(), options);
    hand.settle().await;
    let mut news = hand.running;
    let node = news.node.clone();
    assert!(news.news.try_next().is_none());
    let puppet = soon("the machine", news.stop()).await;
    assert!(puppet.stubborn && node.is_gone());
}

#[tokio::test]
async fn dropping_the_handle_stops_in_the_background() {
    let mut hand = Hand::new(Options::default());
    let (_, at) = hand.listen(local()).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    hand.opened().await;
    let node = hand.running.node.clone();
    drop(hand);
    let mut byte = [0];
    assert_eq!(soon("the end", tcp.read(&mut byte)).await.unwrap(), 0);
    drop(tcp);
    soon("gone", async {
        while !node.is_gone() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn dials_under_way_and_in_the_queue_end_with_the_machine() {
    let (wires, dialled) = Wires::new(0);
    let mut options = Options::default().with_connector(wires);
    options.half_open = 2;
    let hand = Hand::new(options);
    hand.make(|cx| {
        for _ in 0..10 {
            cx.connect(local());
        }
    })
    .await;
    hand.settle().await;
    soon("the machine", hand.running.stop()).await;
    assert!(dialled.all() <= 3 && dialled.most() == 2, "stopping begins no dials: {}", dialled.all());
}

#[tokio::test]
async fn a_closed_stream_whose_peer_never_finishes_is_let_go_after_the_linger() {
    let mut options = Options::default();
    (options.linger, options.connections) = (Duration::from_millis(30), 1);
    let mut hand = Hand::new(options);
    let door = TcpListener::bind(local()).await.unwrap();
    let at = door.local_addr().unwrap();
    let conn = hand.make(move |cx| cx.connect(at)).await;
    let (mut tcp, _) = door.accept().await.unwrap();
    hand.opened().await;
    hand.make(move |cx| {
        cx.send(conn, &b"all"[..]);
        cx.close(conn);
    })
    .await;
    // It still takes the only place, until the linger is over.
    let next = soon("a place", async {
        loop {
            let conn = hand.make(move |cx| cx.connect(at)).await;
            match hand.next().await {
                Input::Stream(id, StreamInput::Open { .. }) if id == conn => return conn,
                Input::Stream(_, StreamInput::Closed(Err(IoError::Limit))) => tokio::task::yield_now().await,
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    // The peer lost nothing, and no reset waits behind what it has not read yet.
    let mut got = Vec::new();
    tcp.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"all");
    hand.make(move |cx| cx.abort(next)).await;
}

#[tokio::test]
async fn a_storage_that_panics_fails_one_job() {
    struct Broken;
    #[rustfmt::skip]
    impl Storage for Broken {
        fn read(&self, _: &p2p_core::FileId, _: u64, _: &mut [u8]) -> Result<(), IoError> { panic!("broken disk") }
        fn write(&self, _: &p2p_core::FileId, _: u64, _: &[std::io::IoSlice<'_>]) -> Result<(), IoError> { Ok(()) }
        fn load(&self, _: &p2p_core::FileId, _: u64) -> Result<Bytes, IoError> { Ok(Bytes::new()) }
        fn replace(&self, _: &p2p_core::FileId, _: &[u8]) -> Result<(), IoError> { Ok(()) }
        fn sync(&self, _: &p2p_core::FileId) -> Result<(), IoError> { Ok(()) }
        fn stat(&self, _: &p2p_core::FileId) -> Result<Option<p2p_core::Stat>, IoError> { Ok(None) }
        fn list(&self, _: &p2p_core::FileId, _: u32) -> Result<Vec<p2p_core::Entry>, IoError> { Ok(Vec::new()) }
        fn rename(&self, _: &p2p_core::FileId, _: &p2p_core::FileId) -> Result<(), IoError> { Ok(()) }
        fn truncate(&self, _: &p2p_core::FileId, _: u64) -> Result<(), IoError> { Ok(()) }
        fn remove(&self, _: &p2p_core::FileId) -> Result<(), IoError> { Ok(()) }
    }
    let mut options = Options::default().with_storage(Broken);
    options.workers = 1;
    let mut hand = Hand::new(options);
    for _ in 0..3 {
        hand.make(|cx| cx.run(Job::Read { spans: vec![Span { file: file("a"), offset: 0, len: 1 }] })).await;
        assert!(matches!(hand.next().await, Input::Job(_, JobDone::Read(Err(IoError::Other)))));
        hand.make(|cx| cx.run(Job::Stat { file: file("a") })).await;
        assert!(matches!(hand.next().await, Input::Job(_, JobDone::Stat(Ok(None)))));
    }
}
