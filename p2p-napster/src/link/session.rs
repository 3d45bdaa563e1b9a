//! One link: [`Link`], from the first line to the end of its streams.

use alloc::boxed::Box;
use bytes::{Bytes, BytesMut};
use core::fmt;

use super::proof::{Nonce, Proof};
use crate::deflate::{Deflater, InflateError, InflateLimits, Inflater};
use crate::wire::text::same_nick;
use crate::wire::{Decoder, Frame, FrameError, Linked, Malformed};

/// The longest line of a handshake: a name, a nonce and a level.
const HANDSHAKE_MAX: u16 = 256;

/// Another server, as its operator agreed with ours.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkPeer {
    /// Its name.
    pub name: Box<[u8]>,
    /// The password that it has to show.
    pub password: Box<[u8]>,
    /// The password that we show it; better another one.
    pub own_password: Box<[u8]>,
    /// The zlib level that we ask for, 0 to 9; the lower of both is used.
    pub level: u8,
}

impl fmt::Debug for LinkPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkPeer")
            .field("name", &self.name)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// What a link brings.
#[derive(Debug)]
pub enum LinkInput {
    /// The other showed its password: tell it the time and our users.
    Up {
        /// The zlib level of what we send.
        level: u8,
    },
    /// A message of the open link, for [`Linked::parse`].
    Message(Frame),
}

/// Why there is no link; the connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Another message than the handshake's next.
    #[error("message {0} in the handshake")]
    Unexpected(u16),
    /// A line of the handshake that cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A server that nobody agreed on, or another than was dialled.
    #[error("an unknown server")]
    Unknown,
    /// A nonce that is none, or is ours: who repeats our nonce could repeat our proof.
    #[error("a nonce that proves nothing")]
    Nonce,
    /// The wrong password.
    #[error("the wrong password")]
    Password,
    /// A message that is too long.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A zlib stream that cannot be read.
    #[error(transparent)]
    Stream(#[from] InflateError),
}

/// A link of two servers. Bytes go in by [`push`](Self::push), messages come by [`next`](Self::next), and ours are
/// written by [`send`](Self::send).
pub struct Link {
    peer: LinkPeer,
    nonce: Nonce,
    decoder: Decoder,
    limits: InflateLimits,
    state: State,
}

enum State {
    /// Dialled: the other's first line is to come.
    Hello,
    /// The other's proof is to come.
    Proof {
        expected: Proof,
        level: u8,
    },
    Open(Box<Streams>),
    Failed(LinkError),
}

struct Streams {
    deflater: Deflater,
    inflater: Inflater,
    /// What came and is not inflated yet.
    input: Bytes,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("peer", &self.peer)
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}

impl Link {
    /// Begins a link over a connection that we dialled: appends our first line to `out`. `drawn` are 64 random bits.
    #[must_use]
    pub fn dial(
        own_name: &[u8],
        peer: LinkPeer,
        drawn: u64,
        limits: InflateLimits,
        out: &mut BytesMut,
    ) -> Self {
        let nonce = Nonce::new(drawn);
        hello(own_name, &nonce, peer.level).encode(out);
        Self { peer, nonce, decoder: Decoder::new(HANDSHAKE_MAX), limits, state: State::Hello }
    }

    /// Begins a link over a connection whose first message was `first`: appends both our lines to `out`. `peers` finds
    /// the other by the name that it says. What came behind that message is to be pushed.
    ///
    /// # Errors
    /// If the message is no first line, or its server is not known.
    pub fn answer(
        own_name: &[u8],
        first: &Frame,
        peers: impl FnOnce(&[u8]) -> Option<LinkPeer>,
        drawn: u64,
        limits: InflateLimits,
        out: &mut BytesMut,
    ) -> Result<Self, LinkError> {
        let Linked::Hello { server, nonce: theirs, level } = Linked::parse(first.kind, &first.body)? else {
            return Err(LinkError::Unexpected(first.kind));
        };
        let peer = peers(server).filter(|peer| same_nick(&peer.name, server)).ok_or(LinkError::Unknown)?;
        let nonce = Nonce::new(drawn);
        let mut lines = BytesMut::new();
        hello(own_name, &nonce, peer.level).encode(&mut lines);
        let decoder = Decoder::new(HANDSHAKE_MAX);
        let mut link = Self { peer, nonce, decoder, limits, state: State::Hello };
        link.state = link.greeted(theirs, level, &mut lines)?;
        out.extend_from_slice(&lines);
        Ok(link)
    }

    /// The other server.
    #[must_use]
    pub const fn peer(&self) -> &LinkPeer {
        &self.peer
    }

    /// Whether both have shown their passwords.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Bytes that came and were not looked at, or are parts of messages.
    #[must_use]
    pub fn held(&self) -> usize {
        let waiting = match &self.state {
            State::Open(streams) => streams.input.len(),
            _ => 0,
        };
        self.decoder.len() + waiting
    }

    /// Adds what came. Call [`next`](Self::next) until it gives `None` before adding more.
    pub fn push(&mut self, chunk: Bytes) {
        match &mut self.state {
            State::Open(streams) if streams.input.is_empty() => streams.input = chunk,
            State::Open(streams) => {
                let joined = [&streams.input[..], &chunk[..]].concat();
                streams.input = joined.into();
            }
            State::Hello | State::Proof { .. } => self.decoder.push(chunk),
            State::Failed(_) => {}
        }
    }

    /// What came next; `None` if more has to come. Our lines of the handshake are appended to `out`.
    ///
    /// # Errors
    /// If the other is not who it should be, or its stream cannot be read; every further call says so again.
    pub fn next(&mut self, out: &mut BytesMut) -> Result<Option<LinkInput>, LinkError> {
        self.step(out).inspect_err(|error| self.state = State::Failed(*error))
    }

    /// Appends messages, with their heads, as a part of our stream; nothing before the link is open.
    pub fn send(&mut self, messages: &[u8], out: &mut BytesMut) {
        if let State::Open(streams) = &mut self.state {
            streams.deflater.write(messages, out);
        }
    }

    fn step(&mut self, out: &mut BytesMut) -> Result<Option<LinkInput>, LinkError> {
        loop {
            if let State::Open(streams) = &mut self.state {
                if let Some(frame) = self.decoder.next()? {
                    return Ok(Some(LinkInput::Message(frame)));
                }
                let inflated = streams.inflater.read(&mut streams.input)?;
                if inflated.is_empty() {
                    return Ok(None);
                }
                self.decoder.push(inflated);
                continue;
            }
            if let State::Failed(error) = self.state {
                return Err(error);
            }
            let Some(frame) = self.decoder.next()? else { return Ok(None) };
            if let Some(input) = self.handshake(&frame, out)? {
                return Ok(Some(input));
            }
        }
    }

    fn handshake(&mut self, frame: &Frame, out: &mut BytesMut) -> Result<Option<LinkInput>, LinkError> {
        match (&self.state, Linked::parse(frame.kind, &frame.body)?) {
            (State::Hello, Linked::Hello { server, nonce, level }) => {
                if !same_nick(server, &self.peer.name) {
                    return Err(LinkError::Unknown);
                }
                self.state = self.greeted(nonce, level, out)?;
                Ok(None)
            }
            (State::Proof { expected, level }, Linked::Proof(proof)) => {
                if !expected.is(proof) {
                    return Err(LinkError::Password);
                }
                let level = *level;
                // All that follows is the other's stream, and may be here already.
                let rest = core::mem::replace(&mut self.decoder, Decoder::new(u16::MAX)).into_rest();
                self.state = State::Open(Box::new(Streams {
                    deflater: Deflater::new(level),
                    inflater: Inflater::new(self.limits),
                    input: rest,
                }));
                Ok(Some(LinkInput::Up { level }))
            }
            _ => Err(LinkError::Unexpected(frame.kind)),
        }
    }

    /// The other's nonce is known: appends our proof, and waits for its.
    fn greeted(&self, theirs: &[u8], level: u8, out: &mut BytesMut) -> Result<State, LinkError> {
        let theirs = Nonce::from_text(theirs).filter(|nonce| *nonce != self.nonce).ok_or(LinkError::Nonce)?;
        let proof = Proof::new(&theirs, &self.nonce, &self.peer.own_password);
        Linked::Proof(proof.as_bytes()).encode(out);
        let expected = Proof::new(&self.nonce, &theirs, &self.peer.password);
        Ok(State::Proof { expected, level: level.min(self.peer.level) })
    }
}

const fn hello<'a>(server: &'a [u8], nonce: &'a Nonce, level: u8) -> Linked<'a> {
    Linked::Hello { server, nonce: nonce.as_bytes(), level }
}
