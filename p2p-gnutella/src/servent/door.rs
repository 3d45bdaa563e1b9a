//! Streams that are no links yet: who knocks, who was dialled, and what becomes of them.

use super::event::Parting;
use super::links::{Link, LinkId};
use super::{Event, Mode, Servent, Timer};
use crate::Guid;
use crate::handshake::{self, Greeting, Handshake, Refusal, Role, Situation, Terms, Verdict, greeting};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::{IpAddr, SocketAddr};
use p2p_core::{ConnId, Cx, Security, StreamInput, Target};

/// Who is called so is a neighbour already, says who was dialled.
const CONNECTED: u16 = 409;

/// The other end of a stream that may become a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) addr: SocketAddr,
    /// Whether this side dialled.
    pub(super) dialled: bool,
    /// Whether the stream is secured already.
    pub(super) secured: bool,
}

/// A stream that is no link yet.
#[derive(Debug)]
pub(super) enum Visitor {
    /// It was dialled, and is not open.
    Dialled(SocketAddr),
    /// It was accepted, and its first bytes do not tell what it is for.
    Unheard(Caller, BytesMut),
    /// It was accepted and begins with TLS: what it is for comes inside.
    Veiled(SocketAddr),
    /// It is to become a link.
    Shaking(Caller, Box<Handshake>),
    /// It asked to be dialled, and is.
    Knocking(SocketAddr),
    /// Both agreed to go on with TLS, which begins.
    Securing(Caller, Box<handshake::Link>),
    /// Something about web caches.
    Web(SocketAddr, Box<super::hosts::web::Talk>),
}

impl Visitor {
    const fn addr(&self) -> SocketAddr {
        match self {
            Self::Dialled(addr) | Self::Knocking(addr) | Self::Veiled(addr) | Self::Web(addr, _) => *addr,
            Self::Unheard(caller, _) | Self::Shaking(caller, _) | Self::Securing(caller, _) => caller.addr,
        }
    }

    /// Whether this side dialled it.
    fn is_dialled(&self) -> bool {
        match self {
            Self::Dialled(_) => true,
            Self::Shaking(caller, _) | Self::Securing(caller, _) => caller.dialled,
            Self::Web(_, talk) => talk.is_asking(),
            _ => false,
        }
    }
}

/// Ultrapeers that who is refused is told of.
const TOLD: usize = 10;

/// Whether it can be told who is to answer.
fn is_enough(greeting: Greeting, heard: &[u8]) -> bool {
    greeting != Greeting::Http || heard.len() >= super::hosts::web::TOLD_BY
}

impl Servent {
    /// Dials somebody, to link to.
    pub(super) fn dial(&mut self, addr: SocketAddr, cx: &mut Cx<'_, Self>) {
        let conn = cx.connect(addr);
        self.visitors.insert(conn, Visitor::Dialled(addr));
        cx.set_timer(Timer::Door(conn), self.config.limits.greeting);
    }

    /// Dials a web cache.
    pub(super) fn dial_web(&mut self, to: Target, talk: super::hosts::web::Talk, cx: &mut Cx<'_, Self>) {
        let addr = match &to {
            Target::Addr(addr) => *addr,
            Target::Name { port, .. } => SocketAddr::from(([0, 0, 0, 0], *port)),
        };
        let conn = cx.connect(to);
        self.visitors.insert(conn, Visitor::Web(addr, Box::new(talk)));
        cx.set_timer(Timer::Door(conn), self.config.limits.greeting);
    }

    /// How many dials are under way, and whether this address is dialled.
    pub(super) fn dialling(&self, addr: SocketAddr) -> (usize, bool) {
        let dialled = || self.visitors.values().filter(|visitor| visitor.is_dialled());
        (dialled().count(), dialled().any(|visitor| visitor.addr() == addr))
    }

    /// Something happened to a stream that is no link.
    pub(super) fn visitor(&mut self, conn: ConnId, input: StreamInput, cx: &mut Cx<'_, Self>) {
        match input {
            StreamInput::Open { peer, listener: Some(_) } => self.knocked(conn, peer, cx),
            StreamInput::Open { .. } => self.opened(conn, cx),
            StreamInput::Data(data) => self.visitor_data(conn, data, cx),
            StreamInput::Closed(_) => {
                if let Some(visitor) = self.visitors.remove(&conn) {
                    cx.clear_timer(Timer::Door(conn));
                    self.visitor_gone(visitor, cx);
                }
            }
            StreamInput::Secured(Ok(())) => self.upgraded(conn, cx),
            // That it could not be secured is followed by its end.
            StreamInput::Full | StreamInput::Ready | StreamInput::Secured(Err(_)) => {}
        }
    }

    fn knocked(&mut self, conn: ConnId, peer: SocketAddr, cx: &mut Cx<'_, Self>) {
        if self.stopping || !self.knocks.take(cx.now(), &peer.ip(), 60) {
            self.counts.turned_away += 1;
            return cx.abort(conn);
        }
        let waits = |visitor: &Visitor| !visitor.is_dialled() && !matches!(visitor, Visitor::Knocking(_));
        if self.visitors.values().filter(|visitor| waits(visitor)).count() >= self.config.limits.visitors {
            // Handles count up: the first has waited longest.
            let oldest = self.visitors.iter().find(|(_, visitor)| waits(visitor)).map(|(conn, _)| *conn);
            if let Some(oldest) = oldest {
                self.dismiss(oldest, cx);
            }
        }
        let caller = Caller { addr: peer, dialled: false, secured: false };
        self.visitors.insert(conn, Visitor::Unheard(caller, BytesMut::new()));
        cx.set_timer(Timer::Door(conn), self.config.limits.greeting);
    }

    fn opened(&mut self, conn: ConnId, cx: &mut Cx<'_, Self>) {
        let mut us = self.introduction();
        let Some(visitor) = self.visitors.get_mut(&conn) else { return };
        match visitor {
            Visitor::Dialled(addr) => {
                let mut out = BytesMut::new();
                let addr = *addr;
                us.tls &= !self.hosts.is_plain(addr);
                let handshake = if self.config.mode == Mode::Flat {
                    Handshake::dial_old(&mut out)
                } else {
                    Handshake::dial(&us, addr.ip(), &mut out)
                };
                let caller = Caller { addr, dialled: true, secured: false };
                *visitor = Visitor::Shaking(caller, Box::new(handshake));
                cx.send(conn, out.freeze());
            }
            Visitor::Web(_, talk) => cx.send(conn, talk.request()),
            Visitor::Knocking(_) => self.knock(conn, cx),
            _ => {}
        }
    }

    /// Ends a stream that became nothing.
    pub(super) fn dismiss(&mut self, conn: ConnId, cx: &mut Cx<'_, Self>) {
        let Some(visitor) = self.visitors.remove(&conn) else { return };
        cx.clear_timer(Timer::Door(conn));
        cx.abort(conn);
        self.visitor_gone(visitor, cx);
    }

    fn visitor_gone(&mut self, visitor: Visitor, cx: &mut Cx<'_, Self>) {
        let addr = visitor.addr();
        if matches!(&visitor, Visitor::Securing(..)) {
            // It may know no kind of TLS that is spoken here: the next time it is asked for none.
            self.hosts.speaks_plain(addr);
        }
        match visitor {
            Visitor::Dialled(_)
            | Visitor::Securing(Caller { dialled: true, .. }, _)
            | Visitor::Shaking(Caller { dialled: true, .. }, _) => {
                self.hosts.failed(addr, cx.now());
                cx.tell(Event::Refused(addr, 0, String::new()));
                self.fill(cx);
            }
            Visitor::Web(_, talk) if talk.is_asking() => self.web_told(*talk, cx),
            Visitor::Knocking(_) => {}
            _ => self.counts.turned_away += 1,
        }
    }

    pub(super) fn visitor_late(&mut self, conn: ConnId, cx: &mut Cx<'_, Self>) {
        self.dismiss(conn, cx);
    }

    fn visitor_data(&mut self, conn: ConnId, data: Bytes, cx: &mut Cx<'_, Self>) {
        match self.visitors.get_mut(&conn) {
            Some(Visitor::Unheard(caller, heard)) => {
                // 17 bytes always tell; what comes with them is as long as a driver's buffer.
                heard.extend_from_slice(&data);
                let Some(greeting) = greeting(heard).filter(|greeting| is_enough(*greeting, heard)) else {
                    return;
                };
                let (caller, first) = (*caller, heard.split().freeze());
                self.greeted(conn, caller, greeting, first, cx);
            }
            Some(Visitor::Shaking(..)) => self.shake(conn, data, cx),
            Some(Visitor::Web(..)) => self.web_data(conn, data, cx),
            Some(Visitor::Dialled(_) | Visitor::Knocking(_) | Visitor::Veiled(_) | Visitor::Securing(..))
            | None => {}
        }
    }

    fn greeted(
        &mut self,
        conn: ConnId,
        caller: Caller,
        greeting: Greeting,
        first: Bytes,
        cx: &mut Cx<'_, Self>,
    ) {
        // Whoever it is, and whatever for: it was reached.
        if greeting != Greeting::Unknown {
            self.was_reached_by_tcp(cx);
        }
        let addr = caller.addr;
        match greeting {
            Greeting::Gnutella => {
                self.visitors.insert(conn, Visitor::Shaking(caller, Box::new(Handshake::accept())));
                self.shake(conn, first, cx);
            }
            Greeting::Http if super::hosts::web::is_for_cache(&first) => {
                let talk = super::hosts::web::Talk::asked();
                self.visitors.insert(conn, Visitor::Web(addr, Box::new(talk)));
                self.web_data(conn, first, cx);
            }
            Greeting::Http | Greeting::Giv => {
                self.visitors.remove(&conn);
                cx.clear_timer(Timer::Door(conn));
                let taken =
                    self.with_transfers(cx, |transfers, cx| transfers.open(conn, addr, greeting, first, cx));
                if !taken {
                    self.counts.turned_away += 1;
                    cx.abort(conn);
                }
            }
            Greeting::Tls if self.config.tls && !caller.secured => {
                self.visitors.insert(conn, Visitor::Veiled(addr));
                cx.secure_with(conn, Security::Server, first);
            }
            Greeting::ConnectBack | Greeting::Tls | Greeting::Unknown => self.dismiss(conn, cx),
        }
    }

    /// Where it stands while it judges a handshake.
    fn situation(&self, addr: SocketAddr, guid: Option<Guid>) -> Situation {
        let limits = &self.config.limits;
        let ultrapeers = match self.role {
            Role::Leaf => self.config.leaf_ultrapeers,
            Role::Ultrapeer => limits.ultrapeers,
        };
        Situation {
            leaf_place: self.role == Role::Ultrapeer && self.links.count(Role::Leaf) < limits.leaves,
            ultrapeer_place: self.links.count(Role::Ultrapeer) < ultrapeers,
            linked: self.links.iter().any(|link| {
                link.addr == addr || link.listens_at == Some(addr) || guid.is_some() && link.guid == guid
            }),
        }
    }

    /// Whether ultrapeers had better be one more, which is what leaf guidance tells.
    fn ultrapeer_needed(&self) -> bool {
        self.links.count(Role::Ultrapeer) < usize::from(self.config.degree)
    }

    fn shake(&mut self, conn: ConnId, data: Bytes, cx: &mut Cx<'_, Self>) {
        let Some(Visitor::Shaking(caller, handshake)) = self.visitors.get_mut(&conn) else { return };
        let caller = *caller;
        let mut event = handshake.push(data);
        loop {
            match event {
                Ok(None) => return,
                Ok(Some(handshake::Event::Asked | handshake::Event::Answered)) => {
                    if let Some(link) = self.judge(conn, caller, cx) {
                        return self.linked(conn, caller, link, cx);
                    }
                    // It may have said more before it was answered.
                    let Some(Visitor::Shaking(.., handshake)) = self.visitors.get_mut(&conn) else { return };
                    event = handshake.push(Bytes::new());
                }
                Ok(Some(handshake::Event::Linked(link))) => {
                    return self.linked(conn, caller, *link, cx);
                }
                Ok(Some(handshake::Event::Refused(code, reason))) => {
                    return self.refused(conn, caller.addr, code, reason, cx);
                }
                Err(_) => return self.dismiss(conn, cx),
            }
        }
    }

    /// Answers a leg; the link if it is one now.
    fn judge(&mut self, conn: ConnId, caller: Caller, cx: &mut Cx<'_, Self>) -> Option<handshake::Link> {
        let Caller { addr, dialled, secured } = caller;
        let mut us = self.introduction();
        us.tls &= !secured;
        let Some(Visitor::Shaking(.., handshake)) = self.visitors.get(&conn) else { return None };
        let peer = handshake.peer();
        let old = handshake.is_old();
        let mut policy = self.config.policy;
        // Who speaks 0.4 can tell nothing of itself: it is a neighbour like those of then.
        policy.roles &= !old;
        let situation = self.situation(addr, peer.guid);
        let verdict = policy.judge(&us, peer, situation, dialled);
        if peer.ultrapeer == Some(false) {
            us.sends_deflate = false;
        }
        let terms = Terms { ultrapeer_needed: self.ultrapeer_needed(), become_leaf: false };
        let become_leaf = matches!(verdict, Verdict::BecomeLeaf)
            && self.config.mode == Mode::Auto
            && self.links.count(Role::Leaf) == 0;
        let Some(Visitor::Shaking(.., handshake)) = self.visitors.get_mut(&conn) else { return None };
        // A leaf takes no ultrapeer that dials it, and may be glad to dial that.
        let calls = handshake.peer();
        let ultrapeer =
            calls.listens_at.filter(|at| !dialled && calls.ultrapeer == Some(true) && at.ip() == addr.ip());
        let mut out = BytesMut::new();
        match verdict {
            Verdict::Agree(_) | Verdict::BecomeLeaf => {
                let link = handshake.agree(&us, addr.ip(), Terms { become_leaf, ..terms }, &mut out);
                cx.send(conn, out.freeze());
                if become_leaf {
                    self.become_role(Role::Leaf, cx);
                }
                return link;
            }
            Verdict::Crawl => {
                let of = |role| -> Vec<SocketAddr> {
                    self.links
                        .iter()
                        .filter(|link| link.peer_role == role)
                        .filter_map(|link| link.listens_at)
                        .collect()
                };
                handshake.tell_crawler(&us, &of(Role::Ultrapeer), &of(Role::Leaf), &mut out);
            }
            Verdict::Refuse(refusal) => {
                if let Some(ultrapeer) = ultrapeer.filter(|_| self.role == Role::Leaf) {
                    self.hosts.heard_of(ultrapeer, true, cx.now());
                }
                let mut others = self.hosts.to_tell(TOLD, true, Some(addr));
                let ipv6 = addr.is_ipv6() || handshake.peer().has_feature("IP");
                others.retain(|other| ipv6 || other.is_ipv4());
                handshake.refuse(&us, addr.ip(), &Refusal { ultrapeers: others, ..refusal }, &mut out);
            }
        }
        cx.send(conn, out.freeze());
        self.visitors.remove(&conn);
        cx.clear_timer(Timer::Door(conn));
        cx.close(conn);
        if dialled {
            self.hosts.refused(addr, cx.now());
            self.fill(cx);
        } else {
            self.counts.turned_away += 1;
        }
        None
    }

    fn refused(&mut self, conn: ConnId, addr: SocketAddr, code: u16, reason: String, cx: &mut Cx<'_, Self>) {
        if let Some(Visitor::Shaking(.., handshake)) = self.visitors.remove(&conn) {
            let peer = handshake.peer();
            for other in &peer.ultrapeers {
                self.hosts.heard_of(*other, true, cx.now());
            }
            for other in &peer.others {
                self.hosts.heard_of(*other, false, cx.now());
            }
        }
        cx.clear_timer(Timer::Door(conn));
        cx.close(conn);
        if code == CONNECTED {
            // An address more of a neighbour, or of this servent: of no use as long as that is so.
            self.hosts.failed(addr, cx.now());
        } else {
            self.hosts.refused(addr, cx.now());
        }
        cx.tell(Event::Refused(addr, code, reason));
        self.fill(cx);
    }

    fn linked(&mut self, conn: ConnId, caller: Caller, mut link: handshake::Link, cx: &mut Cx<'_, Self>) {
        if !link.tls {
            return self.link_up(conn, caller, link, cx);
        }
        let security = if caller.dialled {
            // Who was dialled waits for a hello, in the clear it has nothing to say.
            if !link.rest.is_empty() {
                return self.dismiss(conn, cx);
            }
            Security::Client(caller.addr.ip().to_string())
        } else {
            Security::Server
        };
        // A hello may have come with the third leg: it is whoever secures the stream that reads it.
        let hello = core::mem::take(&mut link.rest);
        self.visitors.insert(conn, Visitor::Securing(caller, Box::new(link)));
        cx.secure_with(conn, security, hello);
    }

    /// A stream was secured.
    fn upgraded(&mut self, conn: ConnId, cx: &mut Cx<'_, Self>) {
        match self.visitors.remove(&conn) {
            Some(Visitor::Securing(caller, link)) => {
                self.link_up(conn, Caller { secured: true, ..caller }, *link, cx);
            }
            Some(Visitor::Veiled(addr)) => {
                let caller = Caller { addr, dialled: false, secured: true };
                self.visitors.insert(conn, Visitor::Unheard(caller, BytesMut::new()));
            }
            Some(other) => drop(self.visitors.insert(conn, other)),
            None => {}
        }
    }

    fn link_up(&mut self, conn: ConnId, caller: Caller, link: handshake::Link, cx: &mut Cx<'_, Self>) {
        let Caller { addr, dialled, secured } = caller;
        self.visitors.remove(&conn);
        cx.clear_timer(Timer::Door(conn));
        let now = cx.now();
        for other in &link.peer.ultrapeers {
            self.hosts.heard_of(*other, true, now);
        }
        if let Some(ip) = link.peer.sees_us_at.filter(|ip| !ip.is_unspecified()) {
            match ip {
                IpAddr::V4(v4) => self.seen_at = Some(v4),
                IpAddr::V6(v6) => self.seen_at6 = Some(v6),
            }
        }
        // Several may have been dialled at once, and fewer be wanted now; or it was dialled in the role before.
        let fits = link.old || link.role == self.role;
        let mut us = Link::new(conn, addr, dialled, &link, &self.config.limits, now);
        us.secured = secured;
        us.takes_tables &= self.config.mode != Mode::Flat;
        let Some(id) = fits.then(|| self.links.add(us)).flatten() else {
            self.counts.turned_away += 1;
            cx.close(conn);
            return self.tend_by(now, cx);
        };
        if dialled {
            self.hosts.linked(addr, now);
            if link.peer.guess.is_some() && link.peer_role == Role::Ultrapeer {
                self.hosts.is_guessed(addr);
            }
        }
        if let Some(link) = self.links.get(id) {
            cx.tell(Event::Linked(link.told_as()));
        }
        self.greet_link(id, cx);
        self.joined(cx);
        if !link.rest.is_empty() {
            self.heard(id, link.rest, cx);
        }
    }

    /// A link ended, or is ended.
    pub(super) fn part(&mut self, id: LinkId, why: Parting, cx: &mut Cx<'_, Self>) {
        let Some(link) = self.links.remove(id) else { return };
        if !matches!(why, Parting::Closed) {
            cx.close(link.conn);
        }
        if link.peer_role == Role::Leaf {
            self.tables_changed(cx);
            self.dynamics.retain(|_, dynamic| !dynamic.is_of(id));
            self.proxied.drop_of(id);
        }
        cx.tell(Event::Parted(link.addr, why));
        self.fill(cx);
    }
}
