//! One exchange with one tracker, from its name to its answer: [`Attempt`].

use super::announcer::{Failure, Pending};
use super::guard::{GARBAGE_PENALTY, may_ask};
use super::http::{self, ScrapeReply};
use super::identity::Identity;
use super::{Announce, AnnounceReply, Event, Reply, Scraped, udp};
use crate::InfoHash;
use crate::compact;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::frames::Frames;
use p2p_core::http::{BodyLen, BodyPart, Chunked, Request, Response, Scheme, Url};
use p2p_core::{
    ConnId, Cx, Datagram, Duration, Instant, IoError, LookupId, Machine, Security, SocketId, StreamInput,
};

/// Redirects that are followed.
const REDIRECTS_MOST: u8 = 5;
/// Addresses of one name that are considered.
const ADDRS_MOST: usize = 16;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Announce(Announce),
    Scrape(InfoHash),
}

impl Ask {
    pub(super) const fn event(&self) -> Option<Event> {
        match self {
            Self::Announce(announce) => Some(announce.event),
            Self::Scrape(_) => None,
        }
    }

    const fn is_farewell(&self) -> bool {
        matches!(self.event(), Some(Event::Stopped))
    }
}

/// What was answered.
#[derive(Debug)]
pub(super) enum Answer {
    Announced(AnnounceReply),
    Scraped(Scraped),
}

/// `Some` once the exchange is over.
pub(super) type Progress = Option<Result<Answer, Failure>>;

/// One exchange with one tracker.
#[derive(Debug)]
pub(super) struct Attempt {
    /// Whose: a place in the announcer's list.
    pub(super) endpoint: usize,
    pub(super) ask: Ask,
    /// What is requested, query and all.
    url: Url,
    /// Differs from one attempt to the next, so that all addresses of a name get their turn.
    turn: usize,
    redirects: u8,
    after_global: bool,
    pub(super) deadline: Instant,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// Not yet begun, or over.
    Idle,
    Resolving(LookupId),
    Http {
        conn: ConnId,
        peer: SocketAddr,
        reader: Reader,
    },
    Udp(UdpStep),
}

#[derive(Debug, Clone, Copy)]
struct UdpStep {
    socket: SocketId,
    peer: SocketAddr,
    transaction: u32,
    /// The id that the request under way bears; `None` while one is asked for.
    connection: Option<u64>,
    /// Whether the id comes from an earlier exchange; the tracker may have been restarted since.
    remembered: bool,
    tries: u32,
}

impl Attempt {
    /// Begins an exchange.
    pub(super) fn begin<M: Machine>(
        cx: &mut Cx<'_, M>,
        identity: &mut Identity,
        url: &str,
        ask: Ask,
        (endpoint, turn): (usize, usize),
    ) -> Result<Self, Failure> {
        let url = request_url(url, &ask)?;
        let mut attempt = Self {
            endpoint,
            ask,
            url,
            turn,
            redirects: 0,
            after_global: false,
            deadline: Instant::MAX,
            step: Step::Idle,
        };
        attempt.resolve(cx, identity)?;
        Ok(attempt)
    }

    /// What the exchange waits for.
    pub(super) const fn pending(&self) -> Option<Pending> {
        match &self.step {
            Step::Idle => None,
            Step::Resolving(lookup) => Some(Pending::Lookup(*lookup)),
            Step::Http { conn, .. } => Some(Pending::Conn(*conn)),
            Step::Udp(step) => Some(Pending::Transaction(step.transaction)),
        }
    }

    /// Gives up.
    pub(super) fn abandon<M: Machine>(&mut self, cx: &mut Cx<'_, M>) {
        if let Step::Http { conn, .. } = self.step {
            cx.abort(conn);
        }
        self.step = Step::Idle;
    }

    fn resolve<M: Machine>(&mut self, cx: &mut Cx<'_, M>, identity: &mut Identity) -> Result<(), Failure> {
        self.deadline = cx.now() + self.patience(identity.policy.http_timeout);
        if let Some(ip) = self.url.ip() {
            return self.address(cx, identity, &[SocketAddr::new(ip, self.url.port)]);
        }
        self.step = Step::Resolving(cx.resolve(self.url.host.as_str(), self.url.port));
        Ok(())
    }

    /// A farewell is worth little waiting.
    fn patience(&self, usual: Duration) -> Duration {
        if self.ask.is_farewell() { usual.min(Duration::from_secs(5)) } else { usual }
    }

    /// Chooses among a name's addresses and begins to speak.
    fn address<M: Machine>(
        &mut self,
        cx: &mut Cx<'_, M>,
        identity: &mut Identity,
        addrs: &[SocketAddr],
    ) -> Result<(), Failure> {
        let (now, mut why) = (cx.now(), Failure::Forbidden);
        let mut usable = Vec::new();
        for addr in addrs.iter().take(ADDRS_MOST) {
            let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
            if !may_ask(&self.url, addr.ip(), self.after_global) {
                continue;
            }
            if let Some(until) = identity.penalties.until(addr, now) {
                why = Failure::LeftAlone(until);
            } else if self.url.scheme == Scheme::Udp && identity.sockets.of(addr).is_none() {
                why = Failure::NoSocket;
            } else {
                usable.push(addr);
            }
        }
        let turn = self.turn.checked_rem(usable.len()).unwrap_or(0);
        let peer = *usable.get(turn).ok_or(why)?;
        match self.url.scheme {
            Scheme::Udp => {
                let socket = identity.sockets.of(peer).ok_or(Failure::NoSocket)?;
                let connection = identity.connections.fresh(peer, now);
                let remembered = connection.is_some();
                self.step =
                    Step::Udp(UdpStep { socket, peer, transaction: 0, connection, remembered, tries: 0 });
                self.send_udp(cx, identity.policy.udp_timeout);
            }
            Scheme::Http | Scheme::Https => {
                let security = match self.url.scheme {
                    Scheme::Https => Security::Client(self.url.host.clone()),
                    _ => Security::None,
                };
                let conn = cx.connect_secured(peer, security);
                self.step = Step::Http { conn, peer, reader: Reader::new(identity.policy.body_most) };
            }
        }
        Ok(())
    }

    /// The answer to a look-up of this attempt.
    pub(super) fn resolved<M: Machine>(
        &mut self,
        cx: &mut Cx<'_, M>,
        identity: &mut Identity,
        found: Result<Vec<SocketAddr>, IoError>,
    ) -> Progress {
        self.step = Step::Idle;
        let begun = found.map_err(Failure::Unresolved).and_then(|addrs| self.address(cx, identity, &addrs));
        begun.err().map(Err)
    }

    /// The deadline passed.
    pub(super) fn timed_out<M: Machine>(&mut self, cx: &mut Cx<'_, M>, identity: &mut Identity) -> Progress {
        if let Step::Udp(step) = &mut self.step {
            step.tries += 1;
            // The socket may have broken meanwhile.
            let usable = identity.sockets.of(step.peer) == Some(step.socket);
            if usable && step.tries <= identity.policy.udp_retries && !self.ask.is_farewell() {
                // A retransmission may be so late that the id has expired.
                step.connection = identity.connections.fresh(step.peer, cx.now());
                self.send_udp(cx, identity.policy.udp_timeout);
                return None;
            }
        }
        self.abandon(cx);
        Some(Err(Failure::TimedOut))
    }

    // ---- UDP

    /// Sends what is due: a request for a connection id, or what is asked. BEP 15: the n-th repetition after
    /// 15 * 2^n seconds.
    fn send_udp<M: Machine>(&mut self, cx: &mut Cx<'_, M>, usual: Duration) {
        let patience = self.patience(usual);
        let Step::Udp(step) = &mut self.step else { return };
        step.transaction = cx.rng().bits() as u32;
        let transaction = step.transaction;
        let request = match (step.connection, &self.ask) {
            (None, _) => udp::Request::Connect { transaction },
            (Some(connection), Ask::Announce(announce)) => {
                let url_data = self.url.path_and_query.as_bytes();
                let url_data = if url_data == b"/" { Vec::new() } else { url_data.to_vec() };
                udp::Request::Announce { connection, transaction, announce: announce.clone(), url_data }
            }
            (Some(connection), Ask::Scrape(hash)) => {
                udp::Request::Scrape { connection, transaction, hashes: Vec::from([*hash]) }
            }
        };
        let mut datagram = BytesMut::with_capacity(udp::ANNOUNCE_LEN + 64);
        request.encode(&mut datagram);
        cx.send_to(step.socket, step.peer, datagram);
        self.deadline = cx.now() + patience * (1 << step.tries.min(8));
    }

    /// A datagram with this attempt's transaction.
    pub(super) fn datagram<M: Machine>(
        &mut self,
        cx: &mut Cx<'_, M>,
        identity: &mut Identity,
        datagram: &Datagram,
    ) -> Progress {
        let Step::Udp(step) = &mut self.step else { return None };
        let peer = SocketAddr::new(datagram.peer.ip().to_canonical(), datagram.peer.port());
        // Anyone can send from elsewhere; only the tracker saw the transaction.
        if peer != step.peer || udp::transaction_of(&datagram.data) != Some(step.transaction) {
            return None;
        }
        let answer = udp::Response::decode(&datagram.data, peer.is_ipv6(), identity.policy.peers_most);
        let done = match (answer, step.connection, &self.ask) {
            (Ok(udp::Response::Connect { connection, .. }), None, _) => {
                identity.connections.keep(peer, connection, cx.now());
                step.connection = Some(connection);
                step.remembered = false;
                self.send_udp(cx, identity.policy.udp_timeout);
                return None;
            }
            (Ok(udp::Response::Announce { reply, .. }), Some(_), Ask::Announce(_)) => {
                Ok(Answer::Announced(reply))
            }
            (Ok(udp::Response::Scrape { counts, .. }), Some(_), Ask::Scrape(_)) => {
                counts.first().map(|counts| Answer::Scraped(*counts)).ok_or(Failure::Garbage)
            }
            (Ok(udp::Response::Error { .. }), Some(_), _) if step.remembered => {
                // Most likely it does not know the id any more. Ask for another, once.
                identity.connections.forget(peer);
                step.connection = None;
                step.remembered = false;
                self.send_udp(cx, identity.policy.udp_timeout);
                return None;
            }
            (Ok(udp::Response::Error { message, .. }), _, _) => {
                identity.connections.forget(peer);
                Err(Failure::Refused { reason: message, retry: None })
            }
            _ => Err(Failure::Garbage),
        };
        self.step = Step::Idle;
        Some(done.inspect_err(|why| punish(cx, identity, peer, why)))
    }

    // ---- HTTP

    /// Something happened to this attempt's stream.
    pub(super) fn stream<M: Machine>(
        &mut self,
        cx: &mut Cx<'_, M>,
        identity: &mut Identity,
        input: StreamInput,
    ) -> Progress {
        let Step::Http { conn, peer, reader } = &mut self.step else { return None };
        let (conn, peer) = (*conn, *peer);
        let is_open = !matches!(input, StreamInput::Closed(_));
        let read = match input {
            StreamInput::Open { .. } => {
                let mut head = BytesMut::with_capacity(512);
                Request::get(self.url.path_and_query.as_str())
                    .header("Host", self.url.authority())
                    .header("User-Agent", &identity.user_agent)
                    .header("Accept-Encoding", "identity")
                    .header("Connection", "close")
                    .encode(&mut head);
                cx.send(conn, head);
                return None;
            }
            StreamInput::Data(data) => reader.take(data),
            StreamInput::Closed(Ok(())) => Some(reader.end()),
            StreamInput::Closed(Err(error)) => Some(Err(Failure::Connection(error))),
            StreamInput::Full | StreamInput::Ready | StreamInput::Secured(_) => return None,
        }?;
        if is_open {
            cx.abort(conn);
        }
        self.step = Step::Idle;
        let done = match read {
            Ok(message) if matches!(message.status, 301 | 302 | 303 | 307 | 308) => {
                match self.redirect(cx, identity, peer, &message) {
                    Ok(()) => return None,
                    Err(why) => Err(why),
                }
            }
            Ok(message) => self.read(&message, identity.policy.peers_most),
            Err(why) => Err(why),
        };
        Some(done.inspect_err(|why| punish(cx, identity, peer, why)))
    }

    fn redirect<M: Machine>(
        &mut self,
        cx: &mut Cx<'_, M>,
        identity: &mut Identity,
        from: SocketAddr,
        message: &Message,
    ) -> Result<(), Failure> {
        self.redirects += 1;
        if self.redirects > REDIRECTS_MOST {
            return Err(Failure::Redirects);
        }
        let location = message.location.as_deref().ok_or(Failure::Garbage)?;
        let next = self.url.join(location).map_err(|_| Failure::Forbidden)?;
        // What was said in secret, a pass key perhaps, is not to be said in the open.
        if next.scheme == Scheme::Udp || (self.url.scheme == Scheme::Https && next.scheme == Scheme::Http) {
            return Err(Failure::Forbidden);
        }
        self.after_global |= compact::is_global(from.ip());
        self.url = next;
        self.resolve(cx, identity)
    }

    fn read(&self, message: &Message, most: usize) -> Result<Answer, Failure> {
        let garbage =
            || if message.status == 200 { Failure::Garbage } else { Failure::Status(message.status) };
        let refused = |reason, retry| Err(Failure::Refused { reason, retry });
        match &self.ask {
            Ask::Announce(_) => match http::decode_announce(&message.body, most) {
                Ok(Reply::Failure { reason, retry }) => refused(reason, retry),
                Ok(Reply::Announce(reply)) if message.status == 200 => Ok(Answer::Announced(reply)),
                _ => Err(garbage()),
            },
            Ask::Scrape(hash) => match http::decode_scrape(&message.body) {
                Ok(ScrapeReply::Failure { reason, retry }) => refused(reason, retry),
                Ok(ScrapeReply::Counts(counts)) if message.status == 200 => {
                    let of_this = counts.iter().find(|(of, _)| of == hash);
                    Ok(Answer::Scraped(of_this.map(|(_, counts)| *counts).unwrap_or_default()))
                }
                _ => Err(garbage()),
            },
        }
    }
}

/// Remembers an address that answers with something else than an answer.
fn punish<M: Machine>(cx: &mut Cx<'_, M>, identity: &mut Identity, peer: SocketAddr, why: &Failure) {
    if why.is_garbage() {
        let until = cx.now() + GARBAGE_PENALTY + cx.rng().phase(GARBAGE_PENALTY / 10);
        identity.penalties.add(peer, until);
    }
}

/// The whole URL of a request.
fn request_url(url: &str, ask: &Ask) -> Result<Url, Failure> {
    let mut url = Url::parse(url).map_err(Failure::Url)?;
    match (url.scheme, ask) {
        (Scheme::Udp, _) => {}
        (_, Ask::Announce(announce)) => http::push_announce(&mut url, announce),
        (_, Ask::Scrape(hash)) => {
            url = http::scrape_url(&url).ok_or(Failure::NoScrape)?;
            http::push_scrape(&mut url, &[*hash]);
        }
    }
    Ok(url)
}

/// A whole HTTP response, as far as it matters here.
#[derive(Debug)]
struct Message {
    status: u16,
    location: Option<alloc::string::String>,
    body: Bytes,
}

/// Reads one response within a limit.
#[derive(Debug)]
struct Reader {
    most: usize,
    /// The head until it is complete, then the body.
    inbox: BytesMut,
    head: Option<(u16, BodyLen)>,
    chunks: Option<(Chunked, Frames)>,
}

impl Reader {
    fn new(most: usize) -> Self {
        Self { most, inbox: BytesMut::new(), head: None, chunks: None }
    }

    /// Takes bytes; `Some` when the response is complete or will never be.
    fn take(&mut self, data: Bytes) -> Option<Result<Message, Failure>> {
        match self.try_take(data) {
            Ok(None) => None,
            Ok(Some(message)) => Some(Ok(message)),
            Err(why) => Some(Err(why)),
        }
    }

    fn try_take(&mut self, mut data: Bytes) -> Result<Option<Message>, Failure> {
        if self.head.is_none() {
            let ends = data.contains(&b'\n');
            self.inbox.extend_from_slice(&data);
            if !ends && self.inbox.len() <= p2p_core::http::MAX_HEAD {
                return Ok(None);
            }
            let Some((head, used)) = Response::parse(&self.inbox).map_err(|_| Failure::Garbage)? else {
                return Ok(None);
            };
            let _ = self.inbox.split_to(used);
            if let Some(location) = head.headers.get("location").filter(|_| (300..400).contains(&head.status))
            {
                let location = Some(location.to_string());
                return Ok(Some(Message { status: head.status, location, body: Bytes::new() }));
            }
            // We said `identity`; whoever compresses all the same could make a megabyte a thousand.
            let coded = head
                .headers
                .get("content-encoding")
                .is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
            let len = head.body().map_err(|_| Failure::Garbage)?;
            if coded {
                return Err(Failure::Garbage);
            }
            self.head = Some((head.status, len));
            data = self.inbox.split().freeze();
            if len == BodyLen::Chunked {
                self.chunks = Some((Chunked::new(self.most as u64), Frames::new()));
            }
        }
        self.body(data)
    }

    fn body(&mut self, data: Bytes) -> Result<Option<Message>, Failure> {
        let Some((_, len)) = self.head else { return Ok(None) };
        if let Some((chunked, frames)) = &mut self.chunks {
            frames.push(data);
            while let Some(part) = chunked.next(frames).map_err(|_| Failure::Garbage)? {
                match part {
                    BodyPart::Data(data) => self.inbox.extend_from_slice(&data),
                    BodyPart::End => return Ok(self.message()),
                }
            }
            return Ok(None);
        }
        let most = match len {
            BodyLen::Sized(len) => {
                usize::try_from(len).ok().filter(|len| *len <= self.most).ok_or(Failure::Garbage)?
            }
            _ => self.most,
        };
        let room = most.saturating_sub(self.inbox.len());
        if len == BodyLen::UntilClose && data.len() > room {
            return Err(Failure::Garbage);
        }
        self.inbox.extend_from_slice(data.get(..room).unwrap_or(&data));
        let complete = len != BodyLen::UntilClose && self.inbox.len() >= most;
        Ok(if complete { self.message() } else { None })
    }

    /// The other end finished.
    fn end(&mut self) -> Result<Message, Failure> {
        match self.head {
            Some((_, BodyLen::UntilClose)) => self.message().ok_or(Failure::Garbage),
            Some(_) => Err(Failure::Connection(IoError::Reset)),
            None if self.inbox.is_empty() => Err(Failure::Connection(IoError::Reset)),
            None => Err(Failure::Garbage),
        }
    }

    fn message(&mut self) -> Option<Message> {
        let (status, _) = self.head?;
        Some(Message { status, location: None, body: self.inbox.split().freeze() })
    }
}
