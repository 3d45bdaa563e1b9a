//! Links that are secured: between programs, and with strangers who say hello in every way.

use super::{Node, link, run, search, sharer};
use crate::rig::{PATIENCE, Place, content, field, text};
use bytes::{Bytes, BytesMut};
use p2p_core::Security;
use p2p_gnutella::Guid;
use p2p_gnutella::handshake::{Event, Handshake, Introduction, Role, Terms};
use p2p_gnutella::wire::{Decoder, Kind, SizeLimits};
use p2p_transport_tokio::{Connector, Stream, Tls};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The next line of a node that is about a new neighbour, and whether it says that the link is secured.
fn is_secured(node: &Node) -> bool {
    node.program.event("linked").contains("\"secured\":true")
}

#[test]
fn programs_that_can_secure_their_links() {
    let place = Place::new("gnutella-secured");
    let bytes = content(300_001, 7);
    place.put("music/Blue Train.flac", &bytes);
    let first = Node::new("ultrapeer", &["--tls"]);
    let second = Node::new("ultrapeer", &["--peer", &first.at, "--tls"]);
    // Who accepts, and who dials.
    assert!(is_secured(&first) && is_secured(&second));
    let leaf = sharer(&place, "music", &second.at, &["--tls"]);
    assert!(is_secured(&second));
    // Across both links, by who says nothing in the clear; and the file itself, of who is asked in the clear.
    let mut hits = Vec::new();
    for _ in 0..20 {
        let found =
            run(&["search", "train", "--peer", &first.at, "--tls", "--for", "3", "--most", "1", "--json"]);
        assert!(found.status.success(), "{}", text(&found.stderr));
        hits.extend(
            text(&found.stdout)
                .lines()
                .filter(|line| line.starts_with("{\"event\":\"hit\""))
                .map(str::to_owned),
        );
        if !hits.is_empty() {
            break;
        }
    }
    assert_eq!(field(&hits[0], "name"), "Blue Train.flac");
    let got = run(&["get", &link(&hits[0]), "--to", &place.at("to"), "--peer", &first.at, "--tls"]);
    assert!(got.status.success(), "{}", text(&got.stderr));
    assert!(place.read("to/Blue Train.flac") == bytes);
    drop(leaf);
}

#[test]
fn who_cannot_is_linked_to_in_the_clear() {
    let place = Place::new("gnutella-half-secured");
    place.put("music/Blue Train.flac", b"a short one");
    let able = Node::new("ultrapeer", &["--tls"]);
    // The one who dials does not offer it; the one who is dialled does not take it.
    let plain = Node::new("ultrapeer", &["--peer", &able.at]);
    assert!(!is_secured(&able) && !is_secured(&plain));
    let leaf = sharer(&place, "music", &plain.at, &["--tls"]);
    assert!(!is_secured(&plain));
    assert_eq!(search("train", &able.at, 1).len(), 1);
    drop(leaf);
}

/// How a stranger sends what TLS gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// The hello in one write with the third leg.
    Together,
    /// Every byte by itself.
    ByteByByte,
}

/// A stream that sends `before` with what is sent first, or every byte by itself.
struct Odd {
    tcp: TcpStream,
    before: Vec<u8>,
    way: Way,
}

impl AsyncRead for Odd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Odd {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let most = if this.way == Way::ByteByByte { 1.min(buf.len()) } else { buf.len() };
        if this.before.is_empty() {
            return Pin::new(&mut this.tcp).poll_write(cx, &buf[..most]);
        }
        let most = if this.way == Way::ByteByByte { 0 } else { most };
        let first = [&this.before[..], &buf[..most]].concat();
        // A fresh socket takes so little at once.
        assert_eq!(ready!(Pin::new(&mut this.tcp).poll_write(cx, &first))?, first.len());
        this.before.clear();
        if most == 0 { self.poll_write(cx, buf) } else { Poll::Ready(Ok(most)) }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} did not come"))
}

async fn tcp(at: &str) -> TcpStream {
    let tcp = TcpStream::connect(at).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    tcp
}

/// One that nobody is linked to yet.
fn stranger(tls: bool) -> Introduction {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let guid = Guid([NEXT.fetch_add(1, Ordering::Relaxed); 16]);
    let mut us = Introduction::new(Role::Leaf, guid, "stranger/1");
    (us.accepts_deflate, us.sends_deflate, us.tls) = (false, false, tls);
    us
}

/// Says something, and keeps nothing of it back.
async fn say(stream: &mut (impl AsyncWrite + Unpin), what: &[u8]) {
    stream.write_all(what).await.unwrap();
    stream.flush().await.unwrap();
}

/// Asks for a link, and says what would be the third leg: nothing of it is sent.
async fn shaken(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), tls: bool) -> (Vec<u8>, bool) {
    let mut out = BytesMut::new();
    let mut handshake = Handshake::dial(&stranger(tls), HERE, &mut out);
    say(stream, &out.split()).await;
    loop {
        let mut bytes = [0; 4_096];
        let n = soon("an answer", stream.read(&mut bytes)).await.unwrap();
        assert!(n > 0, "no answer");
        match handshake.push(Bytes::copy_from_slice(&bytes[..n])).unwrap() {
            None => {}
            Some(Event::Answered) => break,
            Some(other) => panic!("{other:?}"),
        }
    }
    let link = handshake.agree(&stranger(tls), HERE, Terms::default(), &mut out).unwrap();
    (out.to_vec(), link.tls)
}

async fn secure(tcp: TcpStream, before: Vec<u8>, way: Way) -> Stream {
    let tls = Tls::new().with_any_server().unwrap();
    let stream = Stream::new(Odd { tcp, before, way });
    soon("a secured stream", tls.secure(stream, Security::Client("127.0.0.1".into()))).await.unwrap()
}

/// Waits for a message, which is a first one of an ultrapeer to a leaf.
async fn hears(stream: &mut (impl AsyncRead + Unpin)) {
    let mut decoder = Decoder::new(SizeLimits::default());
    loop {
        let mut bytes = [0; 4_096];
        let n = soon("a message", stream.read(&mut bytes)).await.unwrap();
        assert!(n > 0, "it ended");
        decoder.push(Bytes::copy_from_slice(&bytes[..n]));
        if let Some(frame) = decoder.next().unwrap() {
            assert!([Kind::VENDOR, Kind::PING].contains(&frame.header.kind), "{frame:?}");
            return;
        }
    }
}

#[tokio::test]
async fn a_hello_may_come_with_the_third_leg_or_byte_by_byte() {
    let node = Node::new("ultrapeer", &["--tls"]);
    for way in [Way::Together, Way::ByteByByte] {
        let mut tcp = tcp(&node.at).await;
        let (third, tls) = shaken(&mut tcp, true).await;
        assert!(tls, "it goes on with TLS");
        let mut stream = secure(tcp, third, way).await;
        hears(&mut stream).await;
        assert!(is_secured(&node), "{way:?}");
    }
}

#[tokio::test]
async fn a_stream_may_begin_with_a_hello_whatever_it_is_for() {
    let node = Node::new("ultrapeer", &["--tls"]);
    let mut stream = secure(tcp(&node.at).await, Vec::new(), Way::ByteByByte).await;
    let (third, tls) = shaken(&mut stream, true).await;
    assert!(!tls, "not once more");
    say(&mut stream, &third).await;
    hears(&mut stream).await;
    assert!(is_secured(&node));
    let mut stream = secure(tcp(&node.at).await, Vec::new(), Way::Together).await;
    say(&mut stream, b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await;
    let mut first = [0; 12];
    soon("a page", stream.read_exact(&mut first)).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    // Who is not asked for TLS takes no hello.
    let plain = Node::new("ultrapeer", &[]);
    let tls = Tls::new().with_any_server().unwrap();
    let secured = tls.secure(Stream::from(tcp(&plain.at).await), Security::Client("127.0.0.1".into()));
    assert!(soon("an end", secured).await.is_err());
}

#[tokio::test]
async fn what_is_no_hello_is_no_link() {
    let node = Node::new("ultrapeer", &["--tls"]);
    // Rubbish, a message in the clear, and the beginning of a hello and no more.
    let message = [&[7; 16][..], &[0, 1, 0, 0, 0, 0, 0]].concat();
    for (garbage, shut) in
        [(vec![0xa5; 3_000], false), (message, false), (b"\x16\x03\x01\x02\x00\x01".to_vec(), true)]
    {
        for apart in [false, true] {
            let mut tcp = tcp(&node.at).await;
            let (third, tls) = shaken(&mut tcp, true).await;
            assert!(tls);
            if apart {
                tcp.write_all(&third).await.unwrap();
                tcp.write_all(&garbage).await.unwrap();
            } else {
                tcp.write_all(&[&third[..], &garbage].concat()).await.unwrap();
            }
            if shut {
                tcp.shutdown().await.unwrap();
            }
            let mut rest = Vec::new();
            // An alert, or nothing; and the end, or a reset.
            let _ = soon("the end", tcp.read_to_end(&mut rest)).await;
            assert!(rest.len() < 32, "{rest:?}");
        }
    }
    // The next is the first that it calls a neighbour.
    let mut tcp = tcp(&node.at).await;
    let (third, _) = shaken(&mut tcp, true).await;
    let mut stream = secure(tcp, third, Way::Together).await;
    hears(&mut stream).await;
    assert!(is_secured(&node));
}

#[tokio::test]
async fn who_does_not_confirm_goes_on_in_the_clear() {
    let node = Node::new("ultrapeer", &["--tls"]);
    let mut tcp = tcp(&node.at).await;
    let (_, tls) = shaken(&mut tcp, true).await;
    assert!(tls, "it would");
    tcp.write_all(b"GNUTELLA/0.6 200 OK\r\n\r\n").await.unwrap();
    hears(&mut tcp).await;
    assert!(!is_secured(&node));
}
