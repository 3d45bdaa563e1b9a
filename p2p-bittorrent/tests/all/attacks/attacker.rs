//! A peer that keeps no rule: it says what a script tells it to, on any number of streams.

use p2p_bittorrent::peer::handshake::{Handshake, HandshakeDecoder, Reserved};
use p2p_bittorrent::peer::wire::{Decoder, Message, WireLimits, encode};
use p2p_bittorrent::peer::{Block, wire};
use p2p_bittorrent::{InfoHash, PeerId};
use p2p_core::{Bytes, ConnId, Cx, Duration, Input, Machine, OpInput, StreamInput};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What happened on one of its streams.
#[derive(Debug)]
pub(crate) enum Heard {
    /// It is open.
    Open,
    /// The other end's handshake came.
    Hello,
    /// The other end said something.
    Said(Message),
    /// 100 ms have passed since the last tick.
    Tick,
}

/// What it does about it.
#[derive(Debug, Default)]
pub(crate) struct Mouth {
    out: Vec<Bytes>,
    /// How often this stream's script was called before.
    pub(crate) step: u32,
    /// Which of its streams this is, from 0 on.
    pub(crate) stream: usize,
}

impl Mouth {
    pub(crate) fn raw(&mut self, bytes: impl Into<Bytes>) {
        self.out.push(bytes.into());
    }

    pub(crate) fn say(&mut self, message: &Message) {
        self.raw(bytes(message));
    }

    /// Sends a block whose content it makes up.
    pub(crate) fn block(&mut self, block: Block, fill: impl Into<Bytes>) {
        self.raw(Bytes::copy_from_slice(&wire::piece_head(block)));
        self.raw(fill);
    }
}

pub(crate) fn bytes(message: &Message) -> Bytes {
    let mut out = bytes::BytesMut::new();
    encode(message, &mut out);
    out.freeze()
}

/// A handshake with this id, with or without the fast extension; always with the extension protocol.
pub(crate) fn hello(info_hash: InfoHash, id: u8, fast: bool) -> Bytes {
    let reserved = Reserved([0, 0, 0, 0, 0, 0x10, 0, if fast { 4 } else { 0 }]);
    let mut peer_id = [id; 20];
    peer_id[..8].copy_from_slice(b"-XX0666-");
    Bytes::copy_from_slice(&Handshake { reserved, info_hash, peer_id: PeerId(peer_id) }.encode())
}

pub(crate) type Script = Box<dyn FnMut(Heard, &mut Mouth) + Send>;

struct Stream {
    index: usize,
    hello: Option<HandshakeDecoder>,
    decoder: Decoder,
    step: u32,
}

pub(crate) struct Attacker {
    victim: SocketAddr,
    listen: Option<SocketAddr>,
    script: Script,
    streams: BTreeMap<ConnId, Stream>,
    next: usize,
    /// Bytes that the victim sent to it.
    pub(crate) received: u64,
    /// Streams that the victim ended.
    pub(crate) ended: usize,
}

/// What the test asks of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attack {
    /// Dial the victim this often.
    Dial(usize),
}

const TICK: Duration = Duration::from_millis(100);

impl Attacker {
    pub(crate) fn new(victim: SocketAddr, listen: Option<SocketAddr>, script: Script) -> Self {
        let streams = BTreeMap::new();
        Self { victim, listen, script, streams, next: 0, received: 0, ended: 0 }
    }

    fn heard(&mut self, conn: ConnId, heard: Heard, cx: &mut Cx<'_, Self>) {
        let Some(stream) = self.streams.get_mut(&conn) else { return };
        let mut mouth = Mouth { step: stream.step, stream: stream.index, ..Mouth::default() };
        stream.step += 1;
        (self.script)(heard, &mut mouth);
        for out in mouth.out {
            cx.send(conn, out);
        }
    }

    fn data(&mut self, conn: ConnId, mut data: Bytes, cx: &mut Cx<'_, Self>) {
        self.received += data.len() as u64;
        loop {
            let Some(stream) = self.streams.get_mut(&conn) else { return };
            if let Some(hello) = &mut stream.hello {
                if hello.next(&mut data).expect("the victim speaks BitTorrent").is_none() {
                    return;
                }
                stream.hello = None;
                self.heard(conn, Heard::Hello, cx);
                continue;
            }
            match stream.decoder.next(&mut data).expect("the victim keeps to the protocol") {
                Some(message) => self.heard(conn, Heard::Said(message), cx),
                None => return,
            }
        }
    }
}

impl Machine for Attacker {
    type Command = Attack;
    type Event = ();
    type Error = std::convert::Infallible;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => {
                if let Some(at) = self.listen {
                    cx.listen(at);
                }
                cx.set_timer((), TICK);
            }
            Input::Op(op, OpInput::Ask(Attack::Dial(times))) => {
                for _ in 0..times {
                    cx.connect(self.victim);
                }
                cx.finish(op, Ok(()));
            }
            Input::Timer(()) => {
                let conns: Vec<ConnId> = self.streams.keys().copied().collect();
                for conn in conns {
                    self.heard(conn, Heard::Tick, cx);
                }
                cx.set_timer((), TICK);
            }
            Input::Stream(conn, StreamInput::Open { .. }) => {
                let index = self.next;
                self.next += 1;
                let hello = Some(HandshakeDecoder::new());
                let decoder = Decoder::new(&WireLimits::default());
                self.streams.insert(conn, Stream { index, hello, decoder, step: 0 });
                self.heard(conn, Heard::Open, cx);
            }
            Input::Stream(conn, StreamInput::Data(data)) => self.data(conn, data, cx),
            Input::Stream(conn, StreamInput::Closed(_)) => {
                self.ended += usize::from(self.streams.remove(&conn).is_some());
            }
            _ => {}
        }
    }
}
