//! Users behind links: who comes (2), goes (10000), what they share (10012) and may do (606).
//!
//! If two servers link and each has a user of the same nick, both keep the one who has been online longer (by the time that
//! its own server told; of the same second, the one on the server with the lesser name). The other is logged out by its own
//! server. So both come to the same end without asking each other.

use super::{Home, LinkEnd};
use crate::index::UserId;
use crate::server::Server;
use crate::server::nick::is_valid;
use crate::server::users::{Rates, Transfers, User};
use crate::wire::message::LinkedUser;
use crate::wire::text::same_nick;
use crate::wire::{Level, Linked, Speed, ToClient, WireAddr};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use p2p_core::{ConnId, Cx, Duration};

/// What stands where opennap-ng sends a user's password.
const NO_PASSWORD: &[u8] = b"*";
/// The most kB that a user is believed to share, a petabyte: so many users' add up to no overflow.
const KILOBYTES_MAX: u64 = 1 << 40;
/// Where a user has no address of mail.
const NO_EMAIL: &[u8] = b"unknown";
/// How long changes of what users share are gathered before neighbours are told.
pub(in crate::server) const COUNTS_EVERY: Duration = Duration::from_secs(2);

impl Server {
    /// A user as our neighbours are told of it.
    pub(super) fn linked_user<'a>(&'a self, user: &'a User) -> LinkedUser<'a> {
        let (server, server_port) = match &user.home {
            Some(home) => (&*home.server, home.port),
            None => {
                let port = self.sessions.get(&user.conn).map_or(0, |session| session.peer.port());
                (self.config.name.as_bytes(), port)
            }
        };
        LinkedUser {
            nick: &user.nick,
            password: NO_PASSWORD,
            port: user.port,
            client: &user.client,
            speed: user.speed,
            speed_quoted: false,
            email: if user.email.is_empty() { NO_EMAIL } else { &user.email },
            since: user.login_time.as_secs(),
            addr: crate::server::answers::wire_addr(user.ip),
            server,
            server_port,
        }
    }

    /// One of our users logged in: all neighbours are told.
    pub(in crate::server) fn tell_links_of_login(&mut self, id: UserId) {
        if !self.links.are_any_up() {
            return;
        }
        let Some(user) = self.users.get(id) else { return };
        let (mut out, level) = (bytes::BytesMut::new(), user.level);
        Linked::User(self.linked_user(user)).encode(&mut out);
        if level != Level::User {
            let origin = self.config.name.as_bytes();
            Linked::SetLevel { origin, nick: &user.nick, level }.encode(&mut out);
        }
        let conns: Vec<ConnId> = self.links.open.keys().copied().collect();
        for conn in conns {
            self.onto(conn, |to| to.extend_from_slice(&out));
        }
    }

    /// One of our users has another level.
    pub(in crate::server) fn tell_links_of_level(&mut self, id: UserId) {
        let Some((nick, level)) = self.users.get(id).map(|user| (user.nick.clone(), user.level)) else {
            return;
        };
        let name = self.config.name.clone();
        self.relay(None, &Linked::SetLevel { origin: name.as_bytes(), nick: &nick, level });
    }

    /// One of our users is gone.
    pub(in crate::server) fn tell_links_of_logout(&mut self, id: UserId, nick: &[u8]) {
        self.links.uncounted.remove(&id);
        self.links.lists.forget(id);
        self.relay(None, &Linked::Quit(nick));
    }

    /// 2: somebody came behind a link.
    pub(super) fn linked_login(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        told: &LinkedUser<'_>,
    ) -> Result<(), LinkEnd> {
        let Some(server) = self.server_behind(conn, told.server)? else { return Ok(()) };
        if !is_valid(told.nick, self.config.limits.nick) {
            self.stats.malformed += 1;
            return Ok(());
        }
        if let Some((id, user)) = self.users.named(told.nick) {
            let theirs = (told.since, server.to_ascii_lowercase());
            if theirs >= self.seniority(user) {
                return Ok(());
            }
            self.give_way(cx, conn, id);
        }
        let Some(other) = self.links.open.get_mut(&conn) else { return Ok(()) };
        if other.users >= self.config.limits.linked_users {
            return Err(LinkEnd::TooMany("users"));
        }
        other.users += 1;
        self.links.users += 1;
        let most = self.config.limits.client_name;
        let cut = |text: &[u8]| -> Box<[u8]> { text.get(..most).unwrap_or(text).into() };
        let now = cx.now();
        let user = User {
            conn,
            serial: self.users.next_serial(),
            nick: told.nick.into(),
            client: cut(told.client),
            email: if told.email == NO_EMAIL { Box::default() } else { cut(told.email) },
            ip: IpAddr::V4(Ipv4Addr::from(told.addr)),
            port: if told.addr == WireAddr(0) { 0 } else { told.port },
            speed: told.speed,
            level: Level::User,
            registered: false,
            since: now,
            login_time: p2p_core::UnixTime::from_secs(told.since),
            shared: 0,
            transfers: Transfers::default(),
            rates: Rates::of_user(&self.config.limits, now),
            social: None,
            home: Some(Box::new(Home { server, port: told.server_port, kilobytes: 0 })),
        };
        let (nick, speed) = (user.nick.clone(), user.speed);
        self.users.insert(user);
        self.relay(Some(conn), &Linked::User(LinkedUser { password: NO_PASSWORD, ..*told }));
        self.tell_watchers(cx, &nick, &ToClient::SignedOn { nick: &nick, speed });
        Ok(())
    }

    /// The server's name, if users of it may come over this link. One that nobody has heard of yet is behind it.
    fn server_behind(&mut self, conn: ConnId, name: &[u8]) -> Result<Option<Arc<[u8]>>, LinkEnd> {
        match self.links.map.via(name) {
            Some(via) if via == conn => {}
            Some(_) => return Ok(None),
            None if same_nick(name, self.config.name.as_bytes()) => return Ok(None),
            None => {
                let neighbour = self.neighbour_name(conn);
                self.new_server(conn, name, &neighbour, 0, 2)?;
            }
        }
        Ok(self.links.map.name(name))
    }

    /// Who of two with the same nick stays: the lesser.
    fn seniority(&self, user: &User) -> (u64, Vec<u8>) {
        let server = user.home.as_ref().map_or(self.config.name.as_bytes(), |home| &home.server);
        (user.login_time.as_secs(), server.to_ascii_lowercase())
    }

    /// Somebody who has been here longer has this nick on another server.
    fn give_way(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, id: UserId) {
        match self.link_of(id) {
            None => self.throw_out(cx, id, b"Somebody on a linked server has had your nick for longer"),
            Some(link) => {
                let nick = self.nick_of(id);
                self.vanish(cx, id);
                let others: Vec<ConnId> = self
                    .links
                    .open
                    .keys()
                    .copied()
                    .filter(|other| *other != link && *other != conn)
                    .collect();
                for other in others {
                    self.tell_link(other, &Linked::Quit(&nick));
                }
            }
        }
    }

    /// 10000: somebody behind a link went.
    pub(super) fn linked_quit(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, nick: &[u8]) {
        let Some(id) = self.users.find(nick).filter(|id| self.link_of(*id) == Some(conn)) else { return };
        self.vanish(cx, id);
        self.relay(Some(conn), &Linked::Quit(nick));
    }

    /// Somebody behind a link is not there any more: channels and hotlists are told.
    fn vanish(&mut self, cx: &mut Cx<'_, Self>, id: UserId) {
        self.part_all(cx, id);
        let Some(user) = self.users.remove(id) else { return };
        let Some(home) = &user.home else { return };
        self.links.users -= 1;
        self.links.files -= u64::from(user.shared);
        self.links.kilobytes -= home.kilobytes;
        if let Some(other) = self.links.open.get_mut(&user.conn) {
            other.users -= 1;
        }
        self.lists_end(cx, &user.nick);
        self.tell_watchers(cx, &user.nick, &ToClient::SignedOff(&user.nick));
    }

    /// All users behind a link, or those of them on one server, are gone.
    pub(super) fn users_gone(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, which: impl Fn(&Home) -> bool) {
        for id in self.behind(conn) {
            if !self.users.get(id).and_then(|user| user.home.as_ref()).is_some_and(|home| which(home)) {
                continue;
            }
            let nick = self.nick_of(id);
            self.vanish(cx, id);
            self.relay(Some(conn), &Linked::Quit(&nick));
        }
    }

    /// 10012: what somebody behind a link shares.
    pub(super) fn linked_count(&mut self, conn: ConnId, nick: &[u8], files: u32, kilobytes: u64) {
        let Some(id) = self.users.find(nick).filter(|id| self.link_of(*id) == Some(conn)) else { return };
        let kilobytes = kilobytes.min(KILOBYTES_MAX);
        let Some(user) = self.users.get_mut(id) else { return };
        let Some(home) = &mut user.home else { return };
        self.links.files = self.links.files - u64::from(user.shared) + u64::from(files);
        self.links.kilobytes = self.links.kilobytes - home.kilobytes + kilobytes;
        (user.shared, home.kilobytes) = (files, kilobytes);
        self.relay(Some(conn), &Linked::ShareCount { nick, files, kilobytes });
    }

    /// What one of our users shares has changed: neighbours are told in a while.
    pub(in crate::server) fn count_changed(&mut self, cx: &mut Cx<'_, Self>, id: UserId) {
        if self.links.open.is_empty() {
            return;
        }
        if self.links.uncounted.is_empty() {
            cx.set_timer(crate::server::ServerTimer::Counts, COUNTS_EVERY);
        }
        self.links.uncounted.insert(id);
    }

    pub(in crate::server) fn tell_share_counts(&mut self) {
        for id in core::mem::take(&mut self.links.uncounted) {
            let Some((nick, files, kilobytes)) = self.share_count(id) else { continue };
            self.relay(None, &Linked::ShareCount { nick: &nick, files, kilobytes });
        }
    }

    /// How many files a user shares, and how many kB.
    pub(super) fn share_count(&self, id: UserId) -> Option<(Arc<[u8]>, u32, u64)> {
        let user = self.users.get(id)?;
        let kilobytes =
            user.home.as_ref().map_or_else(|| self.index.totals_of(id).bytes / 1024, |home| home.kilobytes);
        Some((user.nick.clone(), user.shared, kilobytes))
    }

    /// 606: what somebody may do. A server says so of its own users, up to where it is trusted; an operator behind it
    /// may change one of ours as ours may.
    pub(super) fn linked_level(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        origin: &[u8],
        nick: &[u8],
        level: Level,
    ) {
        let Some(id) = self.users.find(nick) else { return };
        match self.link_of(id) {
            Some(link) if link == conn => {
                let trusted = self.trust(conn).min(level);
                if let Some(user) = self.users.get_mut(id) {
                    user.level = trusted;
                }
                self.relay(Some(conn), &Linked::SetLevel { origin, nick, level });
                // What we know of the account of that nick, as opennap-ng says it: no more than we were told.
                let known = self.accounts.get(nick).map(|account| account.level);
                if known == Some(trusted) && known == Some(level) {
                    let name = self.config.name.clone();
                    self.tell_link(conn, &Linked::SetLevel { origin: name.as_bytes(), nick, level });
                }
            }
            Some(link) => self.tell_link(link, &Linked::SetLevel { origin, nick, level }),
            None => {
                if let Some(by) = self.users.find(origin).filter(|by| self.link_of(*by) == Some(conn)) {
                    self.links.acting = Some(by);
                    self.order_level(cx, conn, by, nick, level);
                    self.links.acting = None;
                }
            }
        }
    }

    /// The highest level of users behind a link.
    pub(super) fn trust(&self, conn: ConnId) -> Level {
        let at = self.links.open.get(&conn).map(|other| other.at);
        at.and_then(|at| self.config.links.get(at)).map_or(Level::User, |config| config.trust)
    }

    /// The line or data port of somebody behind a link.
    pub(super) fn linked_speed(&mut self, id: UserId, speed: Speed) {
        self.users.set_speed(id, speed);
    }
}
