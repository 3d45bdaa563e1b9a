//! [`Handshake`]: one connection, from its first byte to a link or to none.

use super::{FirstLine, HandshakeError, Introduction, Peer, Refusal, Role};
use crate::head::{Head, HeadReader};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::net::{IpAddr, SocketAddr};
use p2p_core::http::Headers;

/// A connection that is no link yet.
#[derive(Debug)]
pub struct Handshake {
    state: State,
    reader: HeadReader,
    peer: Box<Peer>,
    /// What came behind a leg that nothing was said to yet: it belongs to the link.
    rest: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It was dialled: the first leg is to come.
    Hearing,
    /// The first leg came: something is to be said.
    Asked { old: bool },
    /// The second leg was sent: the third is to come.
    Agreed { ours: Ours },
    /// It dialled: the second leg is to come.
    Asking { ours: Ours },
    /// The second leg came: something is to be said.
    Answered { ours: Ours },
    /// It dialled in the old way: `GNUTELLA OK` is to come.
    AskingOld,
    /// It is a link, or none.
    Over,
}

/// What this side offered, as far as it decides what the link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ours {
    role: Role,
    accepts_deflate: bool,
    sends_deflate: bool,
    tls: bool,
}

/// What has come.
#[derive(Debug)]
pub enum Event {
    /// The other side asks for a link: [`agree`](Handshake::agree), [`refuse`](Handshake::refuse), or
    /// [`tell_crawler`](Handshake::tell_crawler).
    Asked,
    /// The other side goes on: [`agree`](Handshake::agree) or [`refuse`](Handshake::refuse).
    Answered,
    /// It is a link.
    Linked(Box<Link>),
    /// The other side refused; its addresses to try are in [`peer`](Handshake::peer).
    Refused(u16, String),
}

/// What was agreed on.
#[derive(Debug)]
pub struct Link {
    /// What the other side told of itself.
    pub peer: Peer,
    /// What this side is on this link.
    pub role: Role,
    /// What the other side is.
    pub peer_role: Role,
    /// Whether it is a link of 0.4: nobody told anything.
    pub old: bool,
    /// Whether what comes is a zlib stream.
    pub inflate: bool,
    /// Whether what goes has to be one.
    pub deflate: bool,
    /// Whether all of that is inside TLS, which begins here; who dialled is its client.
    pub tls: bool,
    /// What came behind the handshake: the first bytes of the link.
    pub rest: Bytes,
}

/// How a servent goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Terms {
    /// In the second leg: whether the other side is to be an ultrapeer, or had better be a leaf.
    pub ultrapeer_needed: bool,
    /// In the third leg: this side, an ultrapeer, becomes a leaf.
    pub become_leaf: bool,
}

impl Ours {
    const fn of(us: &Introduction) -> Self {
        Self {
            role: us.role,
            accepts_deflate: us.accepts_deflate,
            sends_deflate: us.sends_deflate,
            tls: us.tls,
        }
    }
}

fn put_response(code: u16, reason: &str, headers: &Headers, out: &mut BytesMut) {
    out.put_slice(b"GNUTELLA/0.6 ");
    out.put_slice(code.clamp(100, 999).to_string().as_bytes());
    out.put_u8(b' ');
    out.extend(reason.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
    out.put_slice(b"\r\n");
    headers.encode(out);
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ")
}

impl Handshake {
    const fn begin(state: State, peer: Box<Peer>) -> Self {
        Self { state, reader: HeadReader::new(), peer, rest: Bytes::new() }
    }

    /// Dials: asks a servent at `addr` for a link.
    #[must_use]
    pub fn dial(us: &Introduction, addr: IpAddr, out: &mut BytesMut) -> Self {
        out.put_slice(b"GNUTELLA CONNECT/0.6\r\n");
        us.asking(addr).encode(out);
        Self::begin(State::Asking { ours: Ours::of(us) }, Box::default())
    }

    /// Dials in the way of 0.4, which tells nothing. No servent of today answers.
    #[must_use]
    pub fn dial_old(out: &mut BytesMut) -> Self {
        out.put_slice(b"GNUTELLA CONNECT/0.4\n\n");
        Self::begin(State::AskingOld, Box::default())
    }

    /// Was dialled: waits for the first leg.
    #[must_use]
    pub fn accept() -> Self {
        Self::begin(State::Hearing, Box::default())
    }

    /// What the other side told so far.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether the other side asked for a link of 0.4.
    #[must_use]
    pub const fn is_old(&self) -> bool {
        matches!(self.state, State::Asked { old: true } | State::AskingOld)
    }

    /// Takes what came. After an event it is kept, up to the length of a leg, until the event is answered; who was dialled
    /// pushes nothing once then, to see whether the third leg has come already.
    ///
    /// # Errors
    /// If it is no leg, or too long, or not the other side's turn; the connection is to be closed.
    pub fn push(&mut self, mut data: Bytes) -> Result<Option<Event>, HandshakeError> {
        match self.state {
            State::Asked { .. } | State::Answered { .. } => {
                // Bytes that came early belong to the link; more than a leg of them nobody sends before an answer.
                if self.rest.len() + data.len() > p2p_core::http::MAX_HEAD {
                    return Err(HandshakeError::Turn);
                }
                self.rest = [&self.rest[..], &data[..]].concat().into();
                return Ok(None);
            }
            State::Over => return Err(HandshakeError::Turn),
            _ => {}
        }
        if !self.rest.is_empty() {
            // Of a servent that did not wait for its answer.
            data = [&core::mem::take(&mut self.rest)[..], &data[..]].concat().into();
        }
        let Some(head) = self.reader.read(&mut data)? else { return Ok(None) };
        self.rest = data;
        self.head(head).map(Some)
    }

    fn head(&mut self, head: Head) -> Result<Event, HandshakeError> {
        let line = FirstLine::parse(&head.first)?;
        self.peer.learn(&head.headers);
        let wrong = |line: &FirstLine| Err(HandshakeError::Line(alloc::format!("{line:?}")));
        match (self.state, line) {
            (State::Hearing, FirstLine::Connect { major: 0, minor: 4 }) => {
                self.state = State::Asked { old: true };
                Ok(Event::Asked)
            }
            // Later versions are answered with this one (handshaking, section 3).
            (State::Hearing, FirstLine::Connect { major, minor }) if (major, minor) >= (0, 6) => {
                self.state = State::Asked { old: false };
                Ok(Event::Asked)
            }
            (State::AskingOld, FirstLine::Old) => {
                let ours =
                    Ours { role: Role::Ultrapeer, accepts_deflate: false, sends_deflate: false, tls: false };
                Ok(Event::Linked(Box::new(self.link(ours, true))))
            }
            (State::Asking { ours }, FirstLine::Response { code: 200, .. }) => {
                self.state = State::Answered { ours };
                Ok(Event::Answered)
            }
            (State::Agreed { ours }, FirstLine::Response { code: 200, .. }) => {
                Ok(Event::Linked(Box::new(self.link(ours, false))))
            }
            (
                State::Asking { .. } | State::Agreed { .. } | State::AskingOld,
                FirstLine::Response { code, reason },
            ) => {
                self.state = State::Over;
                Ok(Event::Refused(code, reason))
            }
            (_, line) => wrong(&line),
        }
    }

    /// Goes on. Who was dialled tells of itself to `addr`, and waits for the third leg; who dialled has a link.
    ///
    /// `us` is what this side is introduced as: to who was dialled, as before.
    pub fn agree(
        &mut self,
        us: &Introduction,
        addr: IpAddr,
        terms: Terms,
        out: &mut BytesMut,
    ) -> Option<Link> {
        match self.state {
            State::Asked { old: true } => {
                out.put_slice(b"GNUTELLA OK\n\n");
                Some(self.link(Ours { accepts_deflate: false, sends_deflate: false, ..Ours::of(us) }, true))
            }
            State::Asked { old: false } => {
                let headers = us.answering(addr, &self.peer, terms.ultrapeer_needed);
                put_response(200, "OK", &headers, out);
                self.state = State::Agreed { ours: Ours::of(us) };
                None
            }
            State::Answered { mut ours } => {
                let mut headers = Headers::new();
                if ours.sends_deflate && self.peer.accepts_deflate {
                    headers.push("Content-Encoding", "deflate");
                }
                if ours.tls && self.peer.offers_tls && self.peer.upgrades {
                    headers.push("Connection", "Upgrade");
                }
                if terms.become_leaf {
                    headers.push("X-Ultrapeer", "False");
                    ours.role = Role::Leaf;
                }
                put_response(200, "OK", &headers, out);
                Some(self.link(ours, false))
            }
            _ => None,
        }
    }

    /// Refuses, and tells others to try; the connection is to be closed once it is sent.
    pub fn refuse(&mut self, us: &Introduction, addr: IpAddr, refusal: &Refusal, out: &mut BytesMut) {
        // Who speaks 0.4 understands no refusal but the end.
        if !self.is_old() {
            let mut headers = Headers::new();
            headers.push("User-Agent", &us.user_agent);
            headers.push("Remote-IP", addr.to_string());
            if !refusal.ultrapeers.is_empty() {
                headers.push("X-Try-Ultrapeers", list(&refusal.ultrapeers));
            }
            put_response(refusal.code, &refusal.reason, &headers, out);
        }
        self.state = State::Over;
    }

    /// Tells a crawler the neighbours; the connection is to be closed once it is sent.
    pub fn tell_crawler(
        &mut self,
        us: &Introduction,
        ultrapeers: &[SocketAddr],
        leaves: &[SocketAddr],
        out: &mut BytesMut,
    ) {
        let mut headers = Headers::new();
        headers.push("User-Agent", &us.user_agent);
        headers.push("X-Ultrapeer", if us.role == Role::Ultrapeer { "True" } else { "False" });
        headers.push("Peers", list(ultrapeers));
        headers.push("Leaves", list(leaves));
        put_response(200, "OK", &headers, out);
        self.state = State::Over;
    }

    fn link(&mut self, ours: Ours, old: bool) -> Link {
        self.state = State::Over;
        let peer = core::mem::take(&mut *self.peer);
        let peer_role = if peer.ultrapeer == Some(false) { Role::Leaf } else { Role::Ultrapeer };
        Link {
            role: ours.role,
            peer_role,
            old,
            inflate: !old && ours.accepts_deflate && peer.sends_deflate,
            deflate: !old && ours.sends_deflate && peer.accepts_deflate,
            tls: ours.tls && peer.offers_tls && peer.upgrades,
            rest: core::mem::take(&mut self.rest),
            peer,
        }
    }
}
