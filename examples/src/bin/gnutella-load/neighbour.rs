//! A neighbour that this program plays: one connection, read and written by hand.

use bytes::{Bytes, BytesMut};
use p2p_examples::Failure;
use p2p_gnutella::Guid;
use p2p_gnutella::handshake::{Event, Handshake, Introduction, Role, Terms};
use p2p_gnutella::qrp::{Cut, Table, update};
use p2p_gnutella::wire::{Decoder, Frame, Header, Kind, Message, SizeLimits};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

pub(crate) struct Neighbour {
    stream: TcpStream,
    decoder: Decoder,
}

fn failed(what: &str, why: impl std::fmt::Display) -> Failure {
    Failure::new(format_args!("{what}: {why}"))
}

/// Waits until a servent answers a handshake there; how long that took.
pub(crate) async fn ready(servent: SocketAddrV4, patience: Duration) -> Result<Duration, Failure> {
    let began = Instant::now();
    loop {
        match Neighbour::link(servent, 200, Role::Ultrapeer).await {
            Ok(_) => return Ok(began.elapsed()),
            Err(why) if began.elapsed() > patience => return Err(why),
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

impl Neighbour {
    /// Links to a servent, in the clear, from an address of its own.
    pub(crate) async fn link(servent: SocketAddrV4, number: u8, role: Role) -> Result<Self, Failure> {
        let socket = tokio::net::TcpSocket::new_v4().map_err(|why| failed("a socket", why))?;
        let own = SocketAddrV4::new(Ipv4Addr::new(127, 1, 0, number), 0);
        socket.bind(own.into()).map_err(|why| failed("binding", why))?;
        let mut stream = socket.connect(servent.into()).await.map_err(|why| failed("connecting", why))?;
        stream.set_nodelay(true).map_err(|why| failed("connecting", why))?;
        let mut us = Introduction::new(role, Guid([number; 16]), "gnutella-load");
        (us.accepts_deflate, us.sends_deflate) = (false, false);
        let (mut out, ip) = (BytesMut::new(), (*servent.ip()).into());
        let mut handshake = Handshake::dial(&us, ip, &mut out);
        stream.write_all_buf(&mut out).await.map_err(|why| failed("the handshake", why))?;
        let mut input = BytesMut::with_capacity(4 << 10);
        loop {
            if stream.read_buf(&mut input).await.map_err(|why| failed("the handshake", why))? == 0 {
                return Err(failed("the handshake", "the servent closed"));
            }
            match handshake.push(input.split().freeze()).map_err(|why| failed("the handshake", why))? {
                Some(Event::Answered) => {
                    let link = handshake.agree(&us, ip, Terms::default(), &mut out);
                    let link = link.ok_or_else(|| failed("the handshake", "no link"))?;
                    stream.write_all_buf(&mut out).await.map_err(|why| failed("the handshake", why))?;
                    let mut decoder = Decoder::new(SizeLimits::default());
                    decoder.push(link.rest);
                    return Ok(Self { stream, decoder });
                }
                Some(Event::Refused(code, reason)) => {
                    return Err(failed("refused", format_args!("{code} {reason}")));
                }
                _ => {}
            }
        }
    }

    /// Tells a table of so many slots as bits, with some words in it.
    pub(crate) async fn tell_table(&mut self, bits: u8, number: u8) -> Result<(), Failure> {
        let mut table = Table::new(bits);
        (0..100).for_each(|word| table.insert_name(&format!("word{number}of{word}"), Cut::NONE));
        let mut out = BytesMut::new();
        for route in update(None, &table, 4) {
            let header = Header::neighbour(Guid::ZERO, Kind::ROUTE);
            Frame { header, payload: Message::Route(route).to_bytes() }.encode(&mut out);
        }
        self.write(&out).await
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).await.map_err(|why| failed("sending", why))
    }

    /// The two ends of it: what writes, and what reads.
    pub(crate) fn split(self) -> (tokio::net::tcp::OwnedWriteHalf, Reader) {
        let (reads, writes) = self.stream.into_split();
        (writes, Reader { stream: reads, decoder: self.decoder, input: BytesMut::new() })
    }
}

/// The reading end of a neighbour.
pub(crate) struct Reader {
    stream: tokio::net::tcp::OwnedReadHalf,
    decoder: Decoder,
    input: BytesMut,
}

impl Reader {
    /// Reads until so many messages of a kind have come.
    pub(crate) async fn read(&mut self, kind: Kind, count: usize) -> Result<(), Failure> {
        let mut left = count;
        while left > 0 {
            self.input.reserve(64 << 10);
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) => return Err(failed("receiving", "the servent closed")),
                Ok(_) => {}
                Err(why) => return Err(failed("receiving", why)),
            }
            self.decoder.push(Bytes::from(self.input.split()));
            while let Some(frame) = self.decoder.next().map_err(|why| failed("receiving", why))? {
                left = left.saturating_sub(usize::from(frame.header.kind == kind));
            }
        }
        Ok(())
    }
}
