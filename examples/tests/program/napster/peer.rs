//! A stranger at a plain socket, who speaks the protocol word by word.

use crate::rig::PATIENCE;
use bytes::{Bytes, BytesMut};
use p2p_napster::wire::{Decoder, put_frame};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

/// A connection to a server.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    decoder: Decoder,
}

impl Peer {
    pub(crate) fn connect(server: &str) -> Self {
        Self::of(TcpStream::connect(server).unwrap())
    }

    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, decoder: Decoder::new(u16::MAX) }
    }

    /// Somebody who is logged in.
    pub(crate) fn login(server: &str, nick: &str, password: &str, port: u16) -> Self {
        let mut peer = Self::connect(server);
        peer.say(2, format!("{nick} {password} {port} \"probe\" 7"));
        peer.welcome();
        peer
    }

    /// Waits until it is let in, and has been told the counts, with which a welcome ends.
    pub(crate) fn welcome(&mut self) {
        self.hear(3);
        self.hear(214);
    }

    pub(crate) fn say(&mut self, kind: u16, text: impl AsRef<[u8]>) {
        self.stream.write_all(&frame(kind, text)).unwrap();
    }

    /// The next message; `None` if the server closed.
    pub(crate) fn next(&mut self) -> Option<(u16, Vec<u8>)> {
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return Some((frame.kind, frame.body.to_vec()));
            }
            let mut room = [0; 16 * 1024];
            match self.stream.read(&mut room) {
                Ok(0) => return None,
                Ok(len) => self.decoder.push(Bytes::copy_from_slice(&room[..len])),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return None;
                }
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    /// The text of the next message of this type; what comes before is passed over.
    pub(crate) fn hear(&mut self, kind: u16) -> Vec<u8> {
        loop {
            match self.next() {
                Some((next, text)) if next == kind => return text,
                Some((0, text)) => panic!("refused: {}", text.escape_ascii()),
                Some(_) => {}
                None => panic!("closed before a message {kind}"),
            }
        }
    }

    /// All messages of one type until one of another, which ends them.
    pub(crate) fn list(&mut self, kind: u16, end: u16) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            match self.next() {
                Some((next, text)) if next == kind => all.push(text),
                Some((next, _)) if next == end => return all,
                Some(_) => {}
                None => panic!("closed before a message {end}"),
            }
        }
    }

    /// Waits until the server has done all that was said.
    pub(crate) fn settle(&mut self) {
        self.say(214, "");
        self.hear(214);
    }

    /// How many users there are.
    pub(crate) fn users(&mut self) -> u64 {
        self.say(214, "");
        let text = self.hear(214);
        let first = text.split(|byte| *byte == b' ').next().unwrap();
        std::str::from_utf8(first).unwrap().parse().unwrap()
    }
}

pub(crate) fn frame(kind: u16, text: impl AsRef<[u8]>) -> BytesMut {
    let mut out = BytesMut::new();
    put_frame(&mut out, kind, |to| {
        to.raw(text.as_ref());
    });
    out
}
