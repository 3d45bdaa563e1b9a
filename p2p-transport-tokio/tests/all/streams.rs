//! Streams in both roles: echoes, half closes, closes and aborts, listeners and what refuses them.

use crate::kit::{Echo, Hand, Served, local, pattern, soon};
use p2p_core::{Input, IoError, StreamInput, Target};
use p2p_transport_tokio::{Options, Running, spawn};
use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn echo(options: Options) -> (Running<Echo>, SocketAddr) {
    let mut echo = spawn(Echo::at(local()), options);
    let Some(Served::At(at)) = soon("the bound address", echo.news.next()).await else {
        panic!("it listens")
    };
    assert_ne!(at.port(), 0);
    (echo, at)
}

/// Sends bytes, finishes sending, and reads all that comes back: the half close must not lose any of it.
async fn round_trip(mut tcp: TcpStream, salt: u64, len: usize) {
    let sent = pattern(salt, len);
    let (mut from, mut to) = tcp.split();
    let send = async {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let mut back = Vec::new();
    let receive = from.read_to_end(&mut back);
    let ((), received) = soon("the echo", async { tokio::join!(send, receive) }).await;
    received.unwrap();
    assert!(back == sent, "stream {salt}: {} bytes came back of {len}", back.len());
}

#[tokio::test]
async fn an_echo_serves_many_and_loses_nothing_at_a_half_close() {
    const STREAMS: u64 = 150;
    const BYTES: usize = 40_000;
    let (mut echo, at) = echo(Options::default()).await;
    let clients: Vec<_> = (0..STREAMS)
        .map(|salt| {
            tokio::spawn(async move {
                round_trip(TcpStream::connect(at).await.unwrap(), salt, BYTES + salt as usize).await;
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    for _ in 0..STREAMS {
        assert_eq!(soon("the end of a stream", echo.news.next()).await, Some(Served::Over));
    }
    let echo = echo.stop().await;
    assert_eq!((echo.opened as u64, echo.ended as u64), (STREAMS, STREAMS));
    assert_eq!(echo.bytes, (0..STREAMS).map(|salt| BYTES as u64 + salt).sum::<u64>());
}

#[tokio::test]
async fn a_dialled_stream_echoes_as_an_accepted_one_does() {
    let echo = spawn(Echo::default(), Options::default());
    let door = TcpListener::bind(local()).await.unwrap();
    let at = door.local_addr().unwrap();
    for salt in 0..5 {
        echo.node.run(Target::Addr(at)).await.unwrap();
        let (tcp, _) = door.accept().await.unwrap();
        round_trip(tcp, salt, 300_000).await;
    }
    assert_eq!(echo.stop().await.opened, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_machines_on_a_runtime_of_threads() {
    let (server, at) = echo(Options::default()).await;
    let mut client = Hand::new(Options::default());
    let conn = client.make(move |cx| cx.connect(at)).await;
    assert_eq!(client.opened().await, conn);
    let sent = pattern(1, 3_000_000);
    let bytes = bytes::Bytes::from(sent.clone());
    client.make(move |cx| cx.send(conn, bytes.clone())).await;
    assert!(client.bytes(conn, sent.len()).await == sent);
    client.make(move |cx| cx.close(conn)).await;
    client.running.stop().await;
    assert_eq!(server.stop().await.bytes, 3_000_000);
}

#[tokio::test]
async fn addresses_of_the_other_family_are_listened_to_apart() {
    let mut hand = Hand::new(Options::default());
    let (_, four) = hand.listen(local()).await;
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, four.port()));
    let listener = hand.make(move |cx| cx.listen(any)).await;
    match hand.listened(listener).await {
        // Both at one port: an IPv6 address does not take IPv4 with it.
        Ok(six) => {
            assert_eq!(six.port(), four.port());
            let loopback = SocketAddr::from((Ipv6Addr::LOCALHOST, six.port()));
            let tcp = soon("a stream over IPv6", TcpStream::connect(loopback)).await.unwrap();
            let (peer, through) = hand
                .until(|heard| match heard {
                    Input::Stream(_, StreamInput::Open { peer, listener }) => Some((peer, listener)),
                    _ => None,
                })
                .await;
            assert_eq!((peer, through), (tcp.local_addr().unwrap(), Some(listener)));
        }
        Err(error) => eprintln!("skipped: this machine has no IPv6 ({error})"),
    }
}

#[tokio::test]
async fn close_sends_what_is_queued_and_then_ends() {
    const BYTES: usize = 8_000_000;
    let mut hand = Hand::new(Options::default());
    let door = TcpListener::bind(local()).await.unwrap();
    let at = door.local_addr().unwrap();
    let conn = hand.make(move |cx| cx.connect(at)).await;
    let (mut tcp, _) = door.accept().await.unwrap();
    assert_eq!(hand.opened().await, conn);
    let sent = pattern(2, BYTES);
    let bytes = bytes::Bytes::from(sent.clone());
    hand.make(move |cx| {
        cx.send(conn, bytes.clone());
        cx.close(conn);
        // The handle is dead: this goes nowhere.
        cx.send(conn, &b"late"[..]);
    })
    .await;
    let mut got = Vec::new();
    soon("all bytes and the end", tcp.read_to_end(&mut got)).await.unwrap();
    assert!(got == sent, "{} of {BYTES} bytes", got.len());
    hand.settle().await;
    assert!(hand.rest().is_empty(), "nothing is told of a stream that the machine closed");
}

#[tokio::test]
async fn close_hears_out_who_is_still_sending() {
    // A socket closed over unread bytes resets the other end, which could lose what was sent to it last.
    let mut hand = Hand::new(Options::default());
    let (_, at) = hand.listen(local()).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    hand.make(move |cx| {
        cx.pause(conn, true);
        cx.send(conn, &b"good-bye"[..]);
        cx.close(conn);
    })
    .await;
    let talk = pattern(3, 500_000);
    soon("all is taken", tcp.write_all(&talk)).await.unwrap();
    tcp.shutdown().await.unwrap();
    let mut got = Vec::new();
    soon("the last words", tcp.read_to_end(&mut got)).await.unwrap();
    assert_eq!(got, b"good-bye");
}

#[tokio::test]
async fn abort_resets_and_drops_what_is_queued() {
    const BYTES: usize = 64_000_000;
    let mut hand = Hand::new(Options::default());
    let (_, at) = hand.listen(local()).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    let bytes = bytes::Bytes::from(vec![7; BYTES]);
    hand.make(move |cx| {
        cx.send(conn, bytes.clone());
    })
    .await;
    hand.make(move |cx| cx.abort(conn)).await;
    let mut got = Vec::new();
    let end = soon("the end", tcp.read_to_end(&mut got)).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(got.len() < BYTES, "what was queued is lost");
}

#[tokio::test]
async fn ends_are_told_with_their_reasons() {
    let mut hand = Hand::new(Options::default());
    let (_, at) = hand.listen(local()).await;
    let tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    drop(tcp);
    assert_eq!(hand.closed(conn).await, Ok(()));
    let tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    socket2::SockRef::from(&tcp).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(tcp);
    assert_eq!(hand.closed(conn).await, Err(IoError::Reset));
    // Nobody listens where a listener just was.
    let nobody = TcpListener::bind(local()).await.unwrap().local_addr().unwrap();
    let conn = hand.make(move |cx| cx.connect(nobody)).await;
    assert_eq!(hand.closed(conn).await, Err(IoError::Refused));
}

#[tokio::test]
async fn a_peer_that_says_something_and_resets_is_heard_and_then_over() {
    let mut hand = Hand::new(Options::default());
    let (_, at) = hand.listen(local()).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    tcp.write_all(b"last words").await.unwrap();
    assert_eq!(hand.bytes(conn, 10).await, b"last words");
    socket2::SockRef::from(&tcp).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(tcp);
    hand.make(move |cx| cx.send(conn, vec![0; 100_000])).await;
    assert_eq!(hand.closed(conn).await, Err(IoError::Reset));
}

#[tokio::test]
async fn listeners_answer_with_their_address_or_a_typed_error() {
    let mut hand = Hand::new(Options::default());
    let (_, at) = hand.listen(local()).await;
    assert!(at.ip().is_loopback() && at.port() != 0);
    let again = hand.make(move |cx| cx.listen(at)).await;
    assert_eq!(hand.listened(again).await, Err(IoError::InUse));
    // TEST-NET-3 of RFC 5737, an address of nobody's.
    let elsewhere = SocketAddr::from(([203, 0, 113, 7], 0));
    let listener = hand.make(move |cx| cx.listen(elsewhere)).await;
    assert_eq!(hand.listened(listener).await, Err(IoError::NotFound));
}

#[tokio::test]
async fn unlisten_shuts_the_door_and_keeps_who_is_in() {
    let mut hand = Hand::new(Options::default());
    let (listener, at) = hand.listen(local()).await;
    let mut inside = TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    hand.make(move |cx| cx.unlisten(listener)).await;
    let outside = TcpStream::connect(at).await;
    assert_eq!(outside.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    inside.write_all(b"still here").await.unwrap();
    assert_eq!(hand.bytes(conn, 10).await, b"still here");
    // Opened and shut in one breath: the address is not told of what is gone.
    hand.make(move |cx| {
        let listener = cx.listen(local());
        cx.unlisten(listener);
    })
    .await;
    hand.settle().await;
    assert!(hand.rest().is_empty());
}
