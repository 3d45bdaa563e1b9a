//! TLS in both roles: from the first byte, in place on an open stream, and what is not trusted.

use crate::kit::{Echo, Hand, Served, local, pattern, soon};
use bytes::Bytes;
use p2p_core::{ConnId, Input, IoError, ListenerId, Security, StreamInput};
use p2p_transport_tokio::{Options, Tls, spawn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

const CERT: &[u8] = include_bytes!("data/localhost.cert.der");
const KEY: &[u8] = include_bytes!("data/localhost.key.der");

fn client(trusting: bool) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if trusting {
        roots.add(CertificateDer::from(CERT)).unwrap();
    }
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

fn server() -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(KEY));
    let config = ServerConfig::builder().with_no_client_auth();
    Arc::new(config.with_single_cert(vec![CertificateDer::from(CERT)], key).unwrap())
}

fn both() -> Options {
    Options::default().with_connector(Tls::new().with_client(client(true)).with_server(server()))
}

fn named(name: &str) -> Security {
    Security::Client(name.to_owned())
}

#[tokio::test]
async fn streams_are_secured_from_the_first_byte() {
    let mut echo = spawn(Echo::at(local()).secured(), both());
    let Some(Served::At(at)) = soon("the address", echo.news.next()).await else { panic!("it listens") };
    let mut hand = Hand::new(both());
    for salt in 0..5 {
        let conn = hand.make(move |cx| cx.connect_secured(at, named("localhost"))).await;
        assert_eq!(hand.opened().await, conn);
        // Large enough to be told `Full`, on both sides of the encryption.
        let sent = pattern(salt, 1_500_000);
        let bytes = Bytes::from(sent.clone());
        hand.make(move |cx| cx.send(conn, bytes.clone())).await;
        assert!(hand.bytes(conn, sent.len()).await == sent);
        hand.make(move |cx| cx.close(conn)).await;
        assert_eq!(soon("the end", echo.news.next()).await, Some(Served::Over));
    }
    let echo = echo.stop().await;
    assert_eq!((echo.opened, echo.ended, echo.bytes), (5, 5, 7_500_000), "ended well, not cut off");
}

#[tokio::test]
async fn a_wrong_name_or_an_unknown_root_is_insecure() {
    let mut echo = spawn(Echo::at(local()).secured(), both());
    let Some(Served::At(at)) = soon("the address", echo.news.next()).await else { panic!("it listens") };
    let mut hand = Hand::new(both());
    for name in ["example.org", "127.0.0.1", "no name at all"] {
        let conn = hand.make(move |cx| cx.connect_secured(at, named(name))).await;
        assert_eq!(hand.closed(conn).await, Err(IoError::Insecure), "{name}");
    }
    let wary = Options::default().with_connector(Tls::new().with_client(client(false)));
    let mut wary = Hand::new(wary);
    let conn = wary.make(move |cx| cx.connect_secured(at, named("localhost"))).await;
    assert_eq!(wary.closed(conn).await, Err(IoError::Insecure));
    // Who speaks no TLS at all is never heard of.
    let mut tcp = TcpStream::connect(at).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = soon("the end", tcp.read_to_end(&mut rest)).await;
    let refused = Arc::clone(&echo.counts);
    soon("a count", async {
        while refused.streams_refused.load(Ordering::Relaxed) < 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(echo.stop().await.opened, 0);
}

#[tokio::test]
async fn a_role_without_a_configuration_is_unsupported() {
    let door = TcpListener::bind(local()).await.unwrap();
    let at = door.local_addr().unwrap();
    for options in [Options::default(), Options::default().with_connector(Tls::new().with_server(server()))] {
        let mut hand = Hand::new(options);
        let conn = hand.make(move |cx| cx.connect_secured(at, named("localhost"))).await;
        assert_eq!(hand.closed(conn).await, Err(IoError::Unsupported));
    }
}

#[tokio::test]
async fn a_handshake_that_stalls_times_out_in_both_roles() {
    let door = TcpListener::bind(local()).await.unwrap();
    let silent = door.local_addr().unwrap();
    let mut options = both();
    options.connect_timeout = Duration::from_millis(50);
    let mut hand = Hand::new(options);
    let conn = hand.make(move |cx| cx.connect_secured(silent, named("localhost"))).await;
    assert_eq!(hand.closed(conn).await, Err(IoError::TimedOut));
    let listener: ListenerId = hand.make(|cx| cx.listen_secured(local(), Security::Server)).await;
    let at = hand.listened(listener).await.unwrap();
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let mut byte = [0];
    assert!(matches!(soon("the end", tcp.read(&mut byte)).await, Ok(0) | Err(_)));
    assert_eq!(hand.running.counts.streams_refused.load(Ordering::Relaxed), 1);
}

async fn secured(hand: &mut Hand, conn: ConnId) -> Result<(), IoError> {
    hand.until(|heard| match heard {
        Input::Stream(id, StreamInput::Secured(result)) if id == conn => Some(result),
        Input::Stream(_, StreamInput::Data(_)) => panic!("data before it is secured"),
        _ => None,
    })
    .await
}

/// Two machines with a plain stream between them.
async fn pair() -> (Hand, ConnId, Hand, ConnId, SocketAddr) {
    let (mut server, mut client) = (Hand::new(both()), Hand::new(both()));
    let (_, at) = server.listen(local()).await;
    let dialled = client.make(move |cx| cx.connect(at)).await;
    let accepted = server.opened().await;
    assert_eq!(client.opened().await, dialled);
    (server, accepted, client, dialled, at)
}

#[tokio::test]
async fn an_open_stream_is_secured_in_place() {
    let (mut server, accepted, mut client, dialled, _) = pair().await;
    client.make(move |cx| cx.send(dialled, &b"STARTTLS"[..])).await;
    assert_eq!(server.bytes(accepted, 8).await, b"STARTTLS");
    // The last plain word goes out plain, what is sent after goes out secured.
    server
        .make(move |cx| {
            cx.send(accepted, &b"GO"[..]);
            cx.secure(accepted, Security::Server);
            cx.send(accepted, &b"secret of the server"[..]);
        })
        .await;
    assert_eq!(client.bytes(dialled, 2).await, b"GO");
    client
        .make(move |cx| {
            cx.secure(dialled, named("localhost"));
            cx.send(dialled, &b"secret of the client"[..]);
        })
        .await;
    assert_eq!(secured(&mut client, dialled).await, Ok(()));
    assert_eq!(client.bytes(dialled, 20).await, b"secret of the server");
    assert_eq!(secured(&mut server, accepted).await, Ok(()));
    assert_eq!(server.bytes(accepted, 20).await, b"secret of the client");
    client.make(move |cx| cx.close(dialled)).await;
    assert_eq!(server.closed(accepted).await, Ok(()));
}

/// Plain words, and behind them the hello, in one read of the other end.
#[tokio::test]
async fn what_came_with_the_last_plain_word_is_read_by_who_secures_the_stream() {
    for plain in [&b"GO"[..], b"GO, and more"] {
        let mut server = Hand::new(both());
        let (_, at) = server.listen(local()).await;
        let mut tcp = TcpStream::connect(at).await.unwrap();
        tcp.write_all(plain).await.unwrap();
        let accepted = server.opened().await;
        assert_eq!(server.bytes(accepted, plain.len()).await, plain);
        // The machine read the whole hello: it is in no socket any more.
        let name = tokio_rustls::rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let mut session = tokio_rustls::rustls::ClientConnection::new(client(true), name).unwrap();
        let mut hello = Vec::new();
        session.write_tls(&mut hello).unwrap();
        tcp.write_all(&hello).await.unwrap();
        let unread = server.bytes(accepted, hello.len()).await;
        assert!(unread == hello);
        server
            .make(move |cx| {
                cx.secure_with(accepted, Security::Server, unread.clone());
                cx.send(accepted, &b"secret"[..]);
            })
            .await;
        let mut said = Vec::new();
        while said.len() < 6 {
            let mut bytes = [0; 4_096];
            let n = soon("an answer", tcp.read(&mut bytes)).await.unwrap();
            assert!(n > 0);
            session.read_tls(&mut &bytes[..n]).unwrap();
            session.process_new_packets().unwrap();
            let mut out = Vec::new();
            while session.wants_write() {
                session.write_tls(&mut out).unwrap();
            }
            tcp.write_all(&out).await.unwrap();
            let _ = std::io::Read::read_to_end(&mut session.reader(), &mut said);
        }
        assert_eq!(said, b"secret");
        assert_eq!(secured(&mut server, accepted).await, Ok(()));
    }
}

#[tokio::test]
async fn what_is_given_back_to_a_plain_stream_comes_again() {
    let (mut server, accepted, client, dialled, _) = pair().await;
    client.make(move |cx| cx.send(dialled, &b"once"[..])).await;
    let unread = server.bytes(accepted, 4).await;
    server.make(move |cx| cx.secure_with(accepted, Security::None, unread.clone())).await;
    assert_eq!(secured(&mut server, accepted).await, Ok(()));
    client.make(move |cx| cx.send(dialled, &b" more"[..])).await;
    assert_eq!(server.bytes(accepted, 9).await, b"once more");
}

#[tokio::test]
async fn what_is_given_back_and_is_no_hello_is_insecure() {
    let (mut server, accepted, mut client, dialled, _) = pair().await;
    let garbage = Bytes::from(pattern(1, 5_000));
    server.make(move |cx| cx.secure_with(accepted, Security::Server, garbage.clone())).await;
    assert_eq!(secured(&mut server, accepted).await, Err(IoError::Insecure));
    assert_eq!(server.closed(accepted).await, Err(IoError::Insecure));
    // An alert, or nothing, and the end.
    client.closed(dialled).await.ok();
}

/// A certificate that nobody vouches for.
#[tokio::test]
async fn among_strangers_any_certificate_will_do() {
    let mut echo = spawn(Echo::at(local()).secured(), both());
    let Some(Served::At(at)) = soon("the address", echo.news.next()).await else { panic!("it listens") };
    let mut hand = Hand::new(Options::default().with_connector(Tls::new().with_any_server().unwrap()));
    for name in ["example.org", "127.0.0.1"] {
        let conn = hand.make(move |cx| cx.connect_secured(at, named(name))).await;
        assert_eq!(hand.opened().await, conn);
        hand.make(move |cx| cx.send(conn, &b"heard by nobody else"[..])).await;
        assert_eq!(hand.bytes(conn, 20).await, b"heard by nobody else");
        hand.make(move |cx| cx.close(conn)).await;
        assert_eq!(soon("the end", echo.news.next()).await, Some(Served::Over));
    }
}

#[tokio::test]
async fn a_stream_that_cannot_be_secured_says_so_and_is_over() {
    let (_server, _accepted, mut client, dialled, _) = pair().await;
    client.make(move |cx| cx.secure(dialled, named("not a name"))).await;
    assert_eq!(secured(&mut client, dialled).await, Err(IoError::Insecure));
    assert_eq!(client.closed(dialled).await, Err(IoError::Insecure));
}

#[tokio::test]
async fn a_secured_stream_that_is_cut_off_does_not_end_well() {
    // No closing word of TLS: the end may be forged.
    let door = TcpListener::bind(local()).await.unwrap();
    let at = door.local_addr().unwrap();
    let mut hand = Hand::new(both());
    let conn = hand.make(move |cx| cx.connect_secured(at, named("localhost"))).await;
    let (tcp, _) = door.accept().await.unwrap();
    let mut tls = tokio_rustls::TlsAcceptor::from(server()).accept(tcp).await.unwrap();
    assert_eq!(hand.opened().await, conn);
    tls.write_all(b"half a sen").await.unwrap();
    tls.flush().await.unwrap();
    assert_eq!(hand.bytes(conn, 10).await, b"half a sen");
    drop(tls);
    assert_eq!(hand.closed(conn).await, Err(IoError::Short));
}
