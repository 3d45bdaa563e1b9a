//! Links that come up and end: dialled with a back-off, or answered; one for each pair of servers.
//!
//! If both dial at once, the connection stays that the server with the lesser name made. A server that comes back while its
//! old connection is still thought to be there shows its password on the new one, which then is the link.

use super::{Dial, LinkEnd, Neighbour};
use crate::deflate::InflateLimits;
use crate::link::{Link, LinkInput, LinkPeer};
use crate::server::{Server, ServerEvent, ServerTimer};
use crate::wire::text::same_nick;
use crate::wire::{Frame, Linked};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::BytesMut;
use core::net::SocketAddr;
use p2p_core::{ConnId, Cx, Duration, StreamInput, Target};

/// How often an open link is told the time: also a sign of life.
const CLOCK_EVERY: Duration = Duration::from_secs(60);
/// How long one may be silent who tells the time: three of those.
const SILENT: Duration = Duration::from_secs(185);
/// The longest wait between two dials.
const BACKOFF_MAX: Duration = Duration::from_secs(300);

impl Server {
    pub(in crate::server) fn start_links(&mut self, cx: &mut Cx<'_, Self>) {
        self.links.dials.resize_with(self.config.links.len(), Dial::default);
        for at in 0..self.config.links.len() {
            self.dial_later(cx, at);
        }
    }

    /// Dials in a while that grows with every failure, and is not the same for two servers.
    fn dial_later(&mut self, cx: &mut Cx<'_, Self>, at: usize) {
        let Some(dial) = self.links.dials.get(at) else { return };
        if self.stopping || dial.ended || !self.config.links.get(at).is_some_and(|config| config.dial) {
            return;
        }
        let wait = Duration::from_secs(1 << dial.failures.min(16)).min(BACKOFF_MAX);
        let wait = wait / 2 + cx.rng().phase(wait / 2);
        cx.set_timer(ServerTimer::Dial(at as u32), wait);
    }

    pub(in crate::server) fn dial_link(&mut self, cx: &mut Cx<'_, Self>, at: usize) {
        let Some(config) = self.config.links.get(at) else { return };
        let Some(target) = config.address.clone() else { return };
        let linked = self.links.map.via(&config.peer.name).is_some();
        let Some(dial) = self.links.dials.get_mut(at) else { return };
        if dial.conn.is_some() || self.links.open.values().any(|other| other.at == at) {
            return;
        }
        if linked {
            // By another way for now; should that end, this one is tried.
            dial.failures += 1;
            return self.dial_later(cx, at);
        }
        let conn = cx.connect(target);
        dial.conn = Some(conn);
        cx.set_timer(ServerTimer::Link(conn), self.config.limits.login_patience);
    }

    fn dialled_by(&self, conn: ConnId) -> Option<usize> {
        self.links.dials.iter().position(|dial| dial.conn == Some(conn))
    }

    /// What happens on a connection that [`Links::owns`](super::Links::owns).
    pub(in crate::server) fn link_stream(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, input: StreamInput) {
        match input {
            StreamInput::Open { peer, .. } => self.link_open(cx, conn, peer),
            StreamInput::Data(data) => {
                if let Some(other) = self.links.open.get_mut(&conn) {
                    other.heard = cx.now();
                    other.link.push(data);
                    self.read_link(cx, conn);
                }
            }
            StreamInput::Full => {
                if let Some(other) = self.links.open.get_mut(&conn) {
                    (other.full, other.unread) = (true, 0);
                }
            }
            StreamInput::Ready => {
                if let Some(other) = self.links.open.get_mut(&conn) {
                    other.full = false;
                }
            }
            StreamInput::Closed(how) => {
                self.link_ended(cx, conn, how.map_or_else(LinkEnd::Io, |()| LinkEnd::Closed));
            }
            StreamInput::Secured(_) => {}
        }
    }

    fn link_open(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, peer: SocketAddr) {
        let Some(at) = self.dialled_by(conn) else { return };
        let config = self.config.links[at].peer.clone();
        let mut out = BytesMut::new();
        let drawn = cx.rng().bits();
        let name = self.config.name.clone();
        let link = Link::dial(name.as_bytes(), config, drawn, InflateLimits::default(), &mut out);
        cx.send(conn, out);
        self.new_neighbour(cx, conn, at, link, peer.port());
    }

    fn new_neighbour(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, at: usize, link: Link, port: u16) {
        let neighbour = Neighbour {
            link,
            at,
            is_up: false,
            port,
            pending: BytesMut::new(),
            full: false,
            unread: 0,
            heard: cx.now(),
            clocks: 0,
            users: 0,
        };
        self.links.open.insert(conn, neighbour);
        cx.set_timer(ServerTimer::Link(conn), self.config.limits.login_patience);
    }

    /// 10010 as the first message of a connection: another server.
    pub(in crate::server) fn link_hello(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, frame: &Frame) {
        if !self.take_login(cx, conn) {
            return;
        }
        let Some(from) = self.sessions.get(&conn).map(|session| session.peer) else { return };
        let (mut out, drawn) = (BytesMut::new(), cx.rng().bits());
        let mut found = None;
        let peers = |name: &[u8]| -> Option<LinkPeer> {
            let at = self.configured(name, from)?;
            found = Some(at);
            Some(self.config.links.get(at)?.peer.clone())
        };
        let own = self.config.name.as_bytes();
        let link = match Link::answer(own, frame, peers, drawn, InflateLimits::default(), &mut out) {
            Ok(link) => link,
            Err(why) => {
                self.stats.refused += 1;
                cx.tell(ServerEvent::LinkRefused { from, why: why.into() });
                return self.drop_session(cx, conn, false);
            }
        };
        let Some(at) = found else { return };
        let name = link.peer().name.clone();
        if let Err(why) = self.make_way(cx, at, &name) {
            cx.tell(ServerEvent::LinkRefused { from, why });
            return self.drop_session(cx, conn, false);
        }
        let Some(rest) = self.release_session(cx, conn) else { return };
        cx.send(conn, out);
        self.new_neighbour(cx, conn, at, link, from.port());
        self.link_stream(cx, conn, StreamInput::Data(rest));
    }

    fn configured(&self, name: &[u8], from: SocketAddr) -> Option<usize> {
        self.config.links.iter().position(|config| {
            let there = match &config.address {
                Some(Target::Addr(address)) => address.ip().to_canonical() == from.ip(),
                _ => true,
            };
            there && same_nick(&config.peer.name, name)
        })
    }

    /// Whether a server may link that begins to; our own dial to it ends if its name is the lesser.
    fn make_way(&mut self, cx: &mut Cx<'_, Self>, at: usize, name: &[u8]) -> Result<(), LinkEnd> {
        if same_nick(name, self.config.name.as_bytes()) {
            return Err(LinkEnd::Loop(name.into()));
        }
        if let Some(via) = self.links.map.via(name)
            && self.links.open.get(&via).is_none_or(|other| other.at != at)
        {
            return Err(LinkEnd::Loop(name.into()));
        }
        let Some(own) = self.links.dials.get(at).and_then(|dial| dial.conn) else { return Ok(()) };
        if self.links.open.get(&own).is_some_and(|other| other.is_up) {
            // It came back, it seems: its password will show it.
            return Ok(());
        }
        if self.config.name.as_bytes().to_ascii_lowercase() < name.to_ascii_lowercase() {
            return Err(LinkEnd::Loop(name.into()));
        }
        self.end_link(cx, own, LinkEnd::Replaced);
        Ok(())
    }

    fn read_link(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        loop {
            let Some(other) = self.links.open.get_mut(&conn) else { return };
            let mut out = BytesMut::new();
            let next = other.link.next(&mut out);
            cx.send(conn, out);
            let done = match next {
                Ok(None) => return,
                Ok(Some(LinkInput::Up { level })) => self.link_up(cx, conn, level),
                Ok(Some(LinkInput::Message(frame))) => self.link_message(cx, conn, &frame),
                Err(why) => Err(why.into()),
            };
            self.end_circles(cx);
            if let Err(why) = done {
                return self.end_link(cx, conn, why);
            }
        }
    }

    fn link_up(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, level: u8) -> Result<(), LinkEnd> {
        let Some((at, port)) = self.links.open.get(&conn).map(|other| (other.at, other.port)) else {
            return Ok(());
        };
        let mut older = self.links.open.iter().filter(|(other, link)| link.at == at && **other != conn);
        if let Some(older) = older.next().map(|(older, _)| *older) {
            self.end_link(cx, older, LinkEnd::Replaced);
        }
        let name = self.neighbour_name(conn);
        if self.links.map.via(&name).is_some() {
            return Err(LinkEnd::Loop(name));
        }
        if let Some(other) = self.links.open.get_mut(&conn) {
            other.is_up = true;
        }
        self.new_server(conn, &name, b"", port, 1)?;
        cx.set_timer(ServerTimer::Link(conn), CLOCK_EVERY);
        cx.tell(ServerEvent::LinkUp { server: name, level });
        self.sync(cx, conn);
        Ok(())
    }

    /// The handshake takes too long, or it is time for a sign of life.
    pub(in crate::server) fn link_timer(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        let Some(other) = self.links.open.get(&conn).filter(|other| other.is_up) else {
            return self.end_link(cx, conn, LinkEnd::Silent);
        };
        if other.clocks > 1 && cx.now().since(other.heard) > SILENT {
            return self.end_link(cx, conn, LinkEnd::Silent);
        }
        self.tell_clock(cx, conn);
        cx.set_timer(ServerTimer::Link(conn), CLOCK_EVERY);
    }

    pub(super) fn tell_clock(&mut self, cx: &Cx<'_, Self>, conn: ConnId) {
        let name = self.config.name.clone();
        self.tell_link(conn, &Linked::Clock { origin: name.as_bytes(), time: cx.unix_now().as_secs() });
    }

    /// Closes a link, or gives up a dial.
    pub(super) fn end_link(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, why: LinkEnd) {
        if self.links.owns(conn) {
            cx.abort(conn);
            self.link_ended(cx, conn, why);
        }
    }

    /// A link is no more: nor, from here, is anybody behind it.
    fn link_ended(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, why: LinkEnd) {
        let dialled = self.dialled_by(conn);
        let was = self.links.open.remove(&conn);
        let Some(at) = dialled.or_else(|| was.as_ref().map(|other| other.at)) else { return };
        self.links.dirty.remove(&conn);
        cx.clear_timer(ServerTimer::Link(conn));
        if let Some(dial) = self.links.dials.get_mut(at) {
            if dialled.is_some() {
                dial.conn = None;
            }
            dial.failures = dial.failures.saturating_add(1);
        }
        if was.is_some_and(|other| other.is_up) {
            self.users_gone(cx, conn, |_| true);
            for name in self.links.map.remove_via(conn) {
                self.relay_server_quit(None, &name);
            }
            self.searches_without(cx, conn);
        }
        let server: Box<[u8]> = self.config.links[at].peer.name.clone();
        cx.tell(ServerEvent::LinkDown { server, why });
        self.dial_later(cx, at);
    }

    /// Everything that both knew is told: the link is one that works.
    pub(super) fn synced(&mut self, conn: ConnId) {
        let at = self.links.open.get(&conn).map(|other| other.at);
        if let Some(dial) = at.and_then(|at| self.links.dials.get_mut(at)) {
            dial.failures = 0;
        }
    }

    /// Closes the links that turned out to be parts of circles.
    fn end_circles(&mut self, cx: &mut Cx<'_, Self>) {
        while let Some((conn, name)) = self.links.circles.pop() {
            self.end_link(cx, conn, LinkEnd::Loop(name));
        }
    }

    pub(in crate::server) fn stop_links(&mut self, cx: &mut Cx<'_, Self>) {
        let conns: Vec<ConnId> = self.links.open.keys().copied().collect();
        let dialled = self.links.dials.iter().filter_map(|dial| dial.conn).collect::<Vec<_>>();
        for conn in conns.into_iter().chain(dialled) {
            self.end_link(cx, conn, LinkEnd::Stopping);
        }
    }
}
