//! Limits: streams in all, dials under way, streams per address, look-ups, time, rates.

use crate::kit::{Hand, Wires, local, soon};
use p2p_core::{ConnId, Input, IoError, StreamInput};
use p2p_transport_tokio::{Options, Rate};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

#[tokio::test]
async fn no_more_streams_than_allowed_and_the_rest_wait() {
    let mut options = Options::default();
    options.connections = 3;
    let mut hand = Hand::new(options);
    let (_, at) = hand.listen(local()).await;
    let mut outside = Vec::new();
    for _ in 0..6 {
        // The system completes these; the driver does not take them all.
        outside.push(TcpStream::connect(at).await.unwrap());
    }
    let mut inside = Vec::new();
    for _ in 0..3 {
        inside.push(hand.opened().await);
    }
    hand.settle().await;
    assert!(hand.rest().is_empty(), "a fourth stream");
    // A dial past the limit fails at once.
    let conn = hand.make(move |cx| cx.connect(at)).await;
    assert_eq!(hand.closed(conn).await, Err(IoError::Limit));
    // For each that goes, one comes in.
    for conn in inside {
        hand.make(move |cx| cx.abort(conn)).await;
        hand.opened().await;
    }
    hand.settle().await;
    assert!(hand.rest().is_empty(), "a seventh stream");
}

#[tokio::test]
async fn a_listener_that_found_no_room_comes_back() {
    // The one place is taken by a dial each time the listener wakes.
    let mut options = Options::default();
    options.connections = 1;
    let mut hand = Hand::new(options);
    let (_, at) = hand.listen(local()).await;
    let door = TcpListener::bind(local()).await.unwrap();
    let to = door.local_addr().unwrap();
    for _ in 0..3 {
        let dialled = hand.make(move |cx| cx.connect(to)).await;
        assert_eq!(hand.opened().await, dialled);
        let mut visitor = TcpStream::connect(at).await.unwrap();
        hand.settle().await;
        hand.make(move |cx| cx.abort(dialled)).await;
        let accepted = hand.opened().await;
        visitor.write_all(b"in").await.unwrap();
        assert_eq!(hand.bytes(accepted, 2).await, b"in");
        hand.make(move |cx| cx.abort(accepted)).await;
    }
}

#[tokio::test]
async fn so_many_dials_at_once_and_the_rest_wait_their_turn() {
    const DIALS: usize = 10;
    let (wires, dialled) = Wires::new(0);
    let mut options = Options::default().with_connector(wires);
    options.half_open = 3;
    let hand = Hand::new(options);
    let dials: Vec<ConnId> = hand.make(|cx| (0..DIALS).map(|_| cx.connect(local())).collect()).await;
    hand.settle().await;
    assert_eq!((dialled.most(), dialled.all()), (3, 3));
    for (given_up, conn) in (1..).zip(dials) {
        hand.make(move |cx| cx.abort(conn)).await;
        hand.settle().await;
        assert_eq!((dialled.most(), dialled.all()), (3, DIALS.min(3 + given_up)));
    }
}

#[tokio::test]
async fn dials_that_take_too_long_give_way_to_those_that_wait() {
    const DIALS: usize = 10;
    const TIMEOUT: Duration = Duration::from_millis(30);
    let (wires, dialled) = Wires::new(0);
    let mut options = Options::default().with_connector(wires);
    (options.half_open, options.connect_timeout) = (3, TIMEOUT);
    let mut hand = Hand::new(options);
    let begun = Instant::now();
    let mut dials: BTreeSet<ConnId> = hand.make(|cx| (0..DIALS).map(|_| cx.connect(local())).collect()).await;
    while !dials.is_empty() {
        match hand.next().await {
            Input::Stream(conn, StreamInput::Closed(Err(IoError::TimedOut))) => assert!(dials.remove(&conn)),
            other => panic!("{other:?}"),
        }
    }
    // Four rounds, none of which can be shorter, on however slow a machine.
    assert!(begun.elapsed() >= 4 * TIMEOUT && dialled.most() <= 3);
}

#[tokio::test]
async fn dials_given_up_in_the_queue_are_never_begun() {
    let (wires, dialled) = Wires::new(0);
    let mut options = Options::default().with_connector(wires);
    (options.half_open, options.connections) = (1, 50);
    let hand = Hand::new(options);
    for _ in 0..20 {
        // One is under way, the others wait; all are let go.
        hand.make(|cx| {
            let dials: Vec<_> = (0..50).map(|_| cx.connect(local())).collect();
            dials.into_iter().rev().for_each(|conn| cx.abort(conn));
        })
        .await;
        hand.settle().await;
    }
    assert_eq!(dialled.most().max(1), 1);
    assert!(dialled.all() <= 20, "{} were begun", dialled.all());
}

/// An address of this machine that is not the loopback's.
fn own_address() -> Option<IpAddr> {
    // Nothing is sent: the system only chooses a route. 192.0.2.1 is of RFC 5737.
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let addr = socket.local_addr().ok()?.ip();
    (!addr.is_loopback() && !addr.is_unspecified()).then_some(addr)
}

#[tokio::test]
async fn no_more_streams_of_one_address_than_allowed() {
    let Some(own) = own_address() else {
        eprintln!("skipped: this machine has no address but the loopback's, which is excepted");
        return;
    };
    let mut options = Options::default();
    options.per_address = 2;
    let mut hand = Hand::new(options);
    let (_, at) = hand.listen(SocketAddr::new(own, 0)).await;
    let mut inside = Vec::new();
    for _ in 0..2 {
        let tcp = TcpStream::connect(at).await.unwrap();
        inside.push((hand.opened().await, tcp));
    }
    let refused = |_| async move {
        let mut tcp = TcpStream::connect(at).await.unwrap();
        let mut byte = [0];
        soon("a reset", tcp.read(&mut byte)).await.map_err(|error| error.kind())
    };
    for n in 0..3 {
        assert_eq!(refused(n).await, Err(ErrorKind::ConnectionReset));
    }
    assert_eq!(hand.running.counts.streams_refused.load(Ordering::Relaxed), 3);
    let (conn, _tcp) = inside.remove(0);
    hand.make(move |cx| cx.abort(conn)).await;
    let _tcp = TcpStream::connect(at).await.unwrap();
    hand.opened().await;
    assert!(hand.rest().is_empty());
}

#[tokio::test]
async fn the_loopback_is_no_stranger() {
    let mut options = Options::default();
    options.per_address = 1;
    let mut hand = Hand::new(options);
    let (_, at) = hand.listen(local()).await;
    let mut inside = Vec::new();
    for _ in 0..5 {
        inside.push(TcpStream::connect(at).await.unwrap());
        hand.opened().await;
    }
}

#[tokio::test]
async fn silence_ends_a_stream_that_may_not_be_silent() {
    let mut options = Options::default();
    options.idle_timeout = Some(Duration::from_millis(40));
    let mut hand = Hand::new(options);
    let (_, at) = hand.listen(local()).await;
    let _tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    assert_eq!(hand.closed(conn).await, Err(IoError::TimedOut));
}

/// Half a second of this and its burst: slow enough to see, fast enough to wait for.
const RATE: Rate = Rate { bytes: 400_000, burst: 100_000 };
const ALL: usize = 300_000;

#[tokio::test]
async fn sending_keeps_to_its_rate_over_all_streams() {
    let mut options = Options::default();
    options.upload = Some(RATE);
    let mut hand = Hand::new(options);
    let (_, at) = hand.listen(local()).await;
    let begun = Instant::now();
    let mut readers = Vec::new();
    for _ in 0..3 {
        let mut tcp = TcpStream::connect(at).await.unwrap();
        let conn = hand.opened().await;
        hand.make(move |cx| {
            cx.send(conn, vec![1; ALL / 3]);
            cx.close(conn);
        })
        .await;
        readers.push(tokio::spawn(async move {
            let mut got = Vec::new();
            tcp.read_to_end(&mut got).await.unwrap();
            got.len()
        }));
    }
    for reader in readers {
        assert_eq!(soon("a third", reader).await.unwrap(), ALL / 3, "the rate loses nothing");
    }
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn receiving_keeps_to_its_rate_over_all_streams() {
    let mut options = Options::default();
    options.download = Some(RATE);
    let mut hand = Hand::new(options);
    let (_, at) = hand.listen(local()).await;
    let begun = Instant::now();
    for _ in 0..3 {
        tokio::spawn(async move {
            let mut tcp = TcpStream::connect(at).await.unwrap();
            tcp.write_all(&[1; ALL / 3]).await.unwrap();
        });
    }
    let mut got = 0;
    while got < ALL {
        if let Input::Stream(_, StreamInput::Data(data)) = hand.next().await {
            got += data.len();
            let allowed = 100_000.0 + begun.elapsed().as_secs_f64() * 400_000.0;
            assert!(got as f64 <= allowed + 1.0, "{got} bytes where {allowed} are allowed");
        }
    }
}

/// Dials again at once whenever it is refused, for ever.
fn stubborn_dialler(heard: &crate::kit::Heard, cx: &mut p2p_core::Cx<'_, crate::kit::Puppet>) {
    if let Input::Stream(_, StreamInput::Closed(Err(IoError::Limit))) = heard {
        cx.connect(local());
    }
}

#[tokio::test]
async fn a_machine_that_asks_for_what_it_is_refused_does_not_stop_its_sockets() {
    let mut options = Options::default();
    options.connections = 1;
    let mut hand = Hand::of(crate::kit::Puppet::reacting(stubborn_dialler), options);
    let (_, at) = hand.listen(local()).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    hand.make(|cx| cx.connect(local())).await;
    tcp.write_all(b"still heard").await.unwrap();
    assert_eq!(hand.bytes(conn, 11).await, b"still heard");
}
