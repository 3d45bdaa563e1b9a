//! What operators may do: levels, throwing out, bans and muzzles, sending users elsewhere, speaking to everybody.

use super::Server;
use super::bans::{Banned, Kind};
use super::keeping::Sentence;
use super::password::Purpose;
use crate::index::UserId;
use crate::wire::text::decimal;
use crate::wire::{Fields, Level, Speed, ToClient, ToServer};
use alloc::format;
use alloc::vec::Vec;
use p2p_core::{ConnId, Cx, Duration};

/// What an operator says of somebody: `who [seconds] ["reason"]`, in either order.
pub(super) struct Order<'a> {
    pub(super) who: &'a [u8],
    pub(super) during: Option<Duration>,
    pub(super) reason: &'a [u8],
}

impl<'a> Order<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(body);
        let mut order = Self { who: fields.require().ok()?.bytes, during: None, reason: b"" };
        let mut is_timed = false;
        while let Some(field) = fields.next().ok()? {
            match decimal(field.bytes).filter(|_| !field.quoted) {
                // Behind the seconds a linked server says when the ban was set.
                Some(_) if is_timed => {}
                Some(seconds) => {
                    is_timed = true;
                    // 0 is for ever.
                    order.during = (seconds > 0).then(|| Duration::from_secs(seconds));
                }
                None => order.reason = field.bytes,
            }
        }
        Some(order)
    }
}

impl Server {
    /// Whether a user is that mighty; else it is told so.
    pub(super) fn is_allowed(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        least: Level,
        what: &str,
    ) -> bool {
        let allowed = self.users.get(user).is_some_and(|user| user.level >= least);
        if !allowed {
            let text = if what.is_empty() {
                "permission denied".into()
            } else {
                format!("{what} failed: permission denied")
            };
            self.notice(cx, conn, &text);
        }
        allowed
    }

    /// The user of that nick, if it is less mighty than who wants to do something to it; else says why not.
    fn lesser(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        nick: &[u8],
        what: &str,
    ) -> Option<UserId> {
        let own = self.users.get(user)?.level;
        match self.users.named(nick).map(|(id, other)| (id, other.level)) {
            Some((id, level)) if level < own || id == user || own == Level::Elite => return Some(id),
            Some(_) => self.notice(cx, conn, &format!("{what} failed: permission denied")),
            None => self.notice(cx, conn, &format!("{what} failed: no such user")),
        }
        None
    }

    pub(super) fn kill(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        nick: &[u8],
        reason: &[u8],
    ) {
        if !self.is_allowed(cx, conn, user, Level::Moderator, "kill") {
            return;
        }
        if let Some(victim) = self.lesser(cx, conn, user, nick, "kill") {
            let by = self.nick_of(user);
            self.tell_operators(cx, &[&by[..], b" killed ", nick, b": ", reason].concat());
            if let Some(link) = self.link_of(victim) {
                let reason = Some(reason);
                return self.pass_on(link, user, &ToServer::Kill { nick, reason });
            }
            let text = [b"You were killed by ", &by[..], b": ", reason].concat();
            self.throw_out(cx, victim, &text);
        }
    }

    /// 612, 622: a ban or a muzzle of a nick or a network, for some time or for ever.
    pub(super) fn order_ban(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        kind: Kind,
        body: &[u8],
    ) {
        let (least, what) = match kind {
            Kind::Ban => (Level::Admin, ""),
            Kind::Muzzle => (Level::Moderator, "muzzle"),
        };
        if !self.is_allowed(cx, conn, user, least, what) {
            return;
        }
        let Some(order) = Order::parse(body) else { return self.notice(cx, conn, "invalid parameters") };
        let who = Banned::parse(order.who);
        // Nobody bans somebody mightier, nor a network with one in it, himself included.
        let own = self.users.get(user).map_or(Level::Leech, |user| user.level);
        let mightier = |other: &super::users::User| match &who {
            Banned::Nick(nick) => other.nick.eq_ignore_ascii_case(nick),
            Banned::Network(network) => kind == Kind::Ban && network.contains(other.ip),
        };
        let refused = own < Level::Elite
            && self.users.iter().any(|(id, other)| id != user && other.level >= own && mightier(other));
        if refused {
            return self.denied(cx, conn);
        }
        let by = self.nick_of(user);
        let sentence = Sentence { by: &by, reason: order.reason, during: order.during };
        let verb: &[u8] = if kind == Kind::Ban { b" banned " } else { b" muzzled " };
        let text = [&by[..], verb, order.who, b": ", order.reason].concat();
        let waiting = self.order(user, Some(&text));
        if !self.ban(cx, kind, &who, &sentence, waiting) {
            return self.notice(cx, conn, "there are too many bans");
        }
        let type_of = if kind == Kind::Ban { 612 } else { 622 };
        self.relay_of(user, &ToServer::Other(type_of, body));
        if kind == Kind::Ban {
            self.throw_out_banned(cx, &who);
        }
    }

    /// Closes the connections of those that a new ban is about, but for operators.
    pub(super) fn throw_out_banned(&mut self, cx: &mut Cx<'_, Self>, who: &Banned) {
        let victims: Vec<UserId> = match who {
            Banned::Nick(nick) => {
                self.users.find(nick).into_iter().filter(|id| self.link_of(*id).is_none()).collect()
            }
            Banned::Network(network) => {
                let ours = self.users.iter().filter(|(_, user)| user.home.is_none());
                let of_network = ours.filter(|(_, user)| network.contains(user.ip));
                of_network.filter(|(_, user)| user.level < Level::Moderator).map(|(id, _)| id).collect()
            }
        };
        for victim in victims {
            self.throw_out(cx, victim, b"You are banned from this server");
        }
    }

    /// 614, 623.
    pub(super) fn order_lift(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        kind: Kind,
        who: &[u8],
    ) {
        let least = if kind == Kind::Ban { Level::Admin } else { Level::Moderator };
        if !self.is_allowed(cx, conn, user, least, "") {
            return;
        }
        let waiting = self.order(user, None);
        if self.lift(cx, kind, &Banned::parse(who), waiting) {
            let type_of = if kind == Kind::Ban { 614 } else { 623 };
            self.relay_of(user, &ToServer::Other(type_of, who));
        } else {
            self.notice_of(cx, conn, who, " is not banned");
        }
    }

    /// 615: 616 for each network, 629 for each nick, 615.
    pub(super) fn list_bans(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId) {
        if !self.is_allowed(cx, conn, user, Level::Moderator, "") {
            return;
        }
        let mut out = self.buffer();
        for (who, ban) in self.bans.iter(cx.unix_now()) {
            let text = who.text();
            match who {
                Banned::Network(_) => {
                    let (since, until) = (ban.since.as_secs(), ban.until.map(|until| until.as_secs()));
                    let seconds = until.map_or(0, |until| until.saturating_sub(since).max(1));
                    let (setter, reason) = (&ban.by, &ban.reason);
                    ToClient::BanEntry { who: &text, setter, reason, since, seconds }.encode(&mut out);
                }
                Banned::Nick(_) => ToClient::BanEntryNick(&text).encode(&mut out),
            }
        }
        ToClient::BanListEnd.encode(&mut out);
        self.deliver(cx, conn, out);
    }

    /// 606: the level of somebody who is here, and of the account if there is one.
    pub(super) fn order_level(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        nick: &[u8],
        level: Level,
    ) {
        const WHAT: &str = "set user level";
        if !self.is_allowed(cx, conn, user, Level::Admin, WHAT) {
            return;
        }
        let own = self.users.get(user).map_or(Level::Leech, |user| user.level);
        let of_account = self.accounts.get(nick).map(|account| account.level);
        let denied =
            level > own || (own < Level::Elite && of_account.is_some_and(|of_account| of_account >= own));
        if denied {
            return self.notice(cx, conn, &format!("{WHAT} failed: permission denied"));
        }
        if of_account.is_some() {
            if let Some(account) = self.accounts.get_mut(nick) {
                account.level = level;
            }
            self.changed(cx, nick, None);
        } else {
            let Some(other) = self.lesser(cx, conn, user, nick, WHAT) else { return };
            if let Some(link) = self.link_of(other) {
                return self.pass_on(link, user, &ToServer::SetLevel { nick, level });
            }
            if let Some(other) = self.users.get_mut(other) {
                other.level = level;
            }
        }
        if let Some(other) = self.users.find(nick).filter(|other| self.link_of(*other).is_none()) {
            self.tell_links_of_level(other);
            let by = self.nick_of(user);
            let text = [&by[..], b" set your user level to ", level.name().as_bytes()].concat();
            self.tell_user(cx, other, &ToClient::Notice(&text));
        }
    }

    /// 611: an account is deleted.
    pub(super) fn nuke(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, nick: &[u8]) {
        if !self.is_allowed(cx, conn, user, Level::Admin, "nuke") {
            return;
        }
        let own = self.users.get(user).map_or(Level::Leech, |user| user.level);
        match self.accounts.get(nick).map(|account| account.level) {
            Some(level) if level < own => {
                self.unregister(cx, nick, None);
            }
            Some(_) => self.notice(cx, conn, "nuke failed: permission denied"),
            None => self.notice(cx, conn, "nuke failed: no such account"),
        }
    }

    /// 613, 625: what another has for a data port, or a line.
    pub(super) fn order_port(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        nick: &[u8],
        port: u16,
    ) {
        if !self.is_allowed(cx, conn, user, Level::Moderator, "") {
            return;
        }
        if let Some(other) = self.lesser(cx, conn, user, nick, "set port") {
            if let Some(link) = self.link_of(other) {
                return self.pass_on(link, user, &ToServer::SetPort { nick, port });
            }
            self.relay_of(other, &ToServer::DataPort(port));
            self.set_port(other, port);
            self.tell_user(cx, other, &ToClient::SetPort(port));
        }
    }

    pub(super) fn order_speed(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        nick: &[u8],
        speed: Speed,
    ) {
        if !self.is_allowed(cx, conn, user, Level::Moderator, "") {
            return;
        }
        let Some(other) = self.lesser(cx, conn, user, nick, "set speed") else { return };
        if let Some(link) = self.link_of(other) {
            return self.pass_on(link, user, &ToServer::SetSpeed { nick, speed });
        }
        self.set_speed(other, speed);
    }

    /// The line of one of our users.
    pub(super) fn set_speed(&mut self, user: UserId, speed: Speed) {
        self.relay_of(user, &ToServer::SetOwnSpeed(speed));
        self.users.set_speed(user, speed);
    }

    pub(super) fn set_port(&mut self, user: UserId, port: u16) {
        self.users.set_port(user, port);
    }

    /// 701, 753: an account's new password.
    pub(super) fn set_password(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, nick: &[u8], password: &[u8]) {
        let valid = !password.is_empty() && password.len() <= self.config.limits.password;
        if self.accounts.get(nick).is_none() || !valid {
            return self.notice(
                cx,
                conn,
                "the password was not changed: no such account, or no such password",
            );
        }
        let salt = self.new_salt(cx);
        if !self.derive(cx, Purpose::Change(nick.into()), password, salt) {
            self.notice(cx, conn, "the password was not changed: try again later");
        }
    }

    pub(super) fn order_password(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        nick: &[u8],
        password: &[u8],
    ) {
        if !self.is_allowed(cx, conn, user, Level::Admin, "") {
            return;
        }
        let own = self.users.get(user).map_or(Level::Leech, |user| user.level);
        if self.accounts.get(nick).is_some_and(|account| account.level >= own) {
            return self.denied(cx, conn);
        }
        self.set_password(cx, conn, nick, password);
    }

    /// 702: the own address of mail.
    pub(super) fn set_email(&mut self, cx: &mut Cx<'_, Self>, user: UserId, email: &[u8]) {
        let email = email.get(..self.config.limits.client_name).unwrap_or(email);
        let Some(user) = self.users.get_mut(user) else { return };
        user.email = email.into();
        let (nick, registered) = (user.nick.clone(), user.registered);
        if registered && let Some(account) = self.accounts.get_mut(&nick) {
            account.email = email.into();
            self.changed(cx, &nick, None);
        }
    }

    /// 821, 822: another is sent to another server.
    pub(super) fn redirect(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        nick: &[u8],
        to: &ToClient<'_>,
    ) {
        if !self.is_allowed(cx, conn, user, Level::Admin, "") {
            return;
        }
        if let Some(other) = self.lesser(cx, conn, user, nick, "redirect") {
            if let Some(link) = self.link_of(other) {
                let message = match *to {
                    ToClient::Redirect { host, port } => ToServer::Redirect { nick, host, port },
                    ToClient::Cycle(host) => ToServer::Cycle { nick, host },
                    _ => return,
                };
                return self.pass_on(link, user, &message);
            }
            self.tell_user(cx, other, to);
        }
    }

    /// 627: to all operators.
    pub(super) fn operator_message(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        text: &[u8],
    ) {
        if self.is_allowed(cx, conn, user, Level::Moderator, "") {
            self.relay_of(user, &ToServer::OperatorMessage(text));
            let (nick, operators) = (self.nick_of(user), self.operators());
            self.tell_all(cx, operators, &ToClient::OperatorMessage { nick: &nick, text });
        }
    }

    /// 628: to everybody.
    pub(super) fn global_message(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, text: &[u8]) {
        if self.is_allowed(cx, conn, user, Level::Moderator, "") {
            let nick = self.nick_of(user);
            self.relay_of(user, &ToServer::GlobalMessage(text));
            let everybody: Vec<UserId> = self.users.iter().map(|(id, _)| id).collect();
            self.tell_all(cx, everybody, &ToClient::GlobalMessage { nick: &nick, text });
        }
    }

    fn operators(&self) -> Vec<UserId> {
        self.users.iter().filter(|(_, user)| user.level >= Level::Moderator).map(|(id, _)| id).collect()
    }

    pub(super) fn tell_operators(&mut self, cx: &mut Cx<'_, Self>, text: &[u8]) {
        let operators = self.operators();
        self.tell_all(cx, operators, &ToClient::Notice(text));
    }

    /// 831: everybody, with the address: for operators.
    pub(super) fn list_users(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId) {
        if !self.is_allowed(cx, conn, user, Level::Moderator, "") {
            return;
        }
        let mut out = self.buffer();
        for (_, user) in self.users.iter() {
            let ip = format!(" {}", user.ip);
            ToClient::UserListEntry(&[&user.nick[..], ip.as_bytes()].concat()).encode(&mut out);
        }
        ToClient::Other(831, b"").encode(&mut out);
        self.deliver(cx, conn, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders() {
        let order =
            |text: &'static [u8]| Order::parse(text).map(|order| (order.who, order.during, order.reason));
        let hour = Some(Duration::from_secs(3_600));
        assert_eq!(order(b"eve"), Some((&b"eve"[..], None, &b""[..])));
        assert_eq!(
            order(b"10.0.0.0/8 3600 \"too much\""),
            Some((&b"10.0.0.0/8"[..], hour, &b"too much"[..]))
        );
        assert_eq!(order(b"eve \"7\" 3600"), Some((&b"eve"[..], hour, &b"7"[..])));
        assert_eq!(order(b"eve \"x\" 0 1795349790"), Some((&b"eve"[..], None, &b"x"[..])));
        assert_eq!(order(b"eve 0"), Some((&b"eve"[..], None, &b""[..])));
        assert_eq!(order(b""), None);
        assert_eq!(order(b"eve \"x"), None);
    }
}
