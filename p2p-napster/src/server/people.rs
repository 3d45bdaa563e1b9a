//! Users about users: whois, line speeds, hotlists, ignore lists, private messages, pings.

use super::Server;
use super::nick::{fold, is_valid};
use crate::index::UserId;
use crate::wire::message::Whois;
use crate::wire::{Level, ToClient, ToServer};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use p2p_core::{ConnId, Cx};

impl Server {
    pub(super) fn whois(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, asker: UserId, nick: &[u8]) {
        let Some((_, user)) = self.users.named(nick) else { return self.whowas(cx, conn, nick) };
        let mut channels = Vec::new();
        for key in user.social.iter().flat_map(|social| &social.channels) {
            channels.extend_from_slice(self.channels.get(key).map_or(key, |channel| &channel.name));
            channels.push(b' ');
        }
        if channels.is_empty() {
            channels.push(b' ');
        }
        let sees_all = self.users.get(asker).is_some_and(|asker| asker.level >= Level::Moderator);
        let more = if sees_all {
            let of_session = || self.sessions.get(&user.conn).map_or(0, |session| session.peer.port());
            let port = user.home.as_ref().map_or_else(of_session, |home| home.port);
            let (done, email) = (user.transfers, user.email.escape_ascii());
            format!(
                "{} {} {} {port} {} \"{}\"",
                done.downloads_done,
                done.uploads_done,
                user.ip,
                user.port,
                alloc::string::ToString::to_string(&email).replace('"', "'"),
            )
        } else {
            alloc::string::String::new()
        };
        let whois = Whois {
            nick: &user.nick.clone(),
            level: user.level.name().as_bytes(),
            online_seconds: cx.now().since(user.since).as_secs(),
            channels: &channels,
            status: b"Active",
            files: user.shared,
            downloads: user.transfers.downloads.into(),
            uploads: user.transfers.uploads.into(),
            speed: user.speed,
            client: &user.client.clone(),
            more: more.as_bytes(),
        };
        self.tell(cx, conn, &ToClient::Whois(whois));
    }

    fn whowas(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, nick: &[u8]) {
        if let Some(account) = self.accounts.get(nick) {
            let (nick, level, last_seen) = (account.nick.clone(), account.level, account.seen.as_secs());
            let level = level.name().as_bytes();
            return self.tell(cx, conn, &ToClient::Whowas { nick: &nick, level, last_seen });
        }
        self.not_known(cx, conn, nick);
    }

    fn not_known(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, nick: &[u8]) {
        let text = [b"user ", nick, b" is not a known user"].concat();
        self.tell(cx, conn, &ToClient::Notice(&text));
        self.notice(cx, conn, "User is not currently online.");
    }

    pub(super) fn link_speed(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, nick: &[u8]) {
        match self.users.named(nick).map(|(_, user)| (user.nick.clone(), user.speed)) {
            Some((nick, speed)) => self.tell(cx, conn, &ToClient::LinkSpeed { nick: &nick, speed }),
            None => self.not_known(cx, conn, nick),
        }
    }

    /// 301, or 302; and 209 if the nick is here.
    pub(super) fn hotlist_add(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, nick: &[u8]) {
        let limits = &self.config.limits;
        let (valid, most) = (is_valid(nick, limits.nick), limits.list);
        let watched = fold(nick);
        let watched = watched.as_slice();
        let Some(watcher) = self.users.get_mut(user) else { return };
        let hotlist = &mut watcher.social().hotlist;
        let known = hotlist.iter().any(|other| **other == *watched);
        if !known {
            if !valid || hotlist.len() >= most {
                return self.tell(cx, conn, &ToClient::HotlistError(nick));
            }
            hotlist.push(watched.into());
            self.watch(watched, user);
        }
        self.tell(cx, conn, &ToClient::HotlistAck(nick));
        if let Some(speed) = self.users.named(nick).map(|(_, user)| user.speed) {
            self.tell(cx, conn, &ToClient::SignedOn { nick, speed });
        }
    }

    pub(super) fn hotlist_remove(&mut self, user: UserId, nick: &[u8]) {
        let watched = fold(nick);
        let Some(social) = self.users.get_mut(user).and_then(|user| user.social.as_mut()) else { return };
        social.hotlist.retain(|other| **other != *watched.as_slice());
        self.unwatch(watched.as_slice(), user);
    }

    pub(super) fn ignore_list(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId) {
        let mut out = self.buffer();
        let ignored = self.users.get(user).and_then(|user| user.social.as_ref());
        let ignored: &[Box<[u8]>] = ignored.map_or(&[], |social| &social.ignored);
        for nick in ignored {
            ToClient::IgnoreEntry(nick).encode(&mut out);
        }
        ToClient::IgnoreListEnd(ignored.len() as u32).encode(&mut out);
        self.deliver(cx, conn, out);
    }

    pub(super) fn ignore(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, nick: &[u8]) {
        let limits = &self.config.limits;
        let (valid, most) = (is_valid(nick, limits.nick), limits.list);
        let Some(user) = self.users.get_mut(user) else { return };
        if user.ignores(nick) {
            return self.tell(cx, conn, &ToClient::AlreadyIgnored(nick));
        }
        let ignored = &mut user.social().ignored;
        if !valid || ignored.len() >= most {
            return self.notice(cx, conn, "ignore failed: invalid nick, or too many of them");
        }
        ignored.push(nick.into());
        self.tell(cx, conn, &ToClient::Ignored(nick));
    }

    pub(super) fn unignore(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, nick: &[u8]) {
        let Some(user) = self.users.get_mut(user) else { return };
        if user.ignores(nick) {
            user.social().ignored.retain(|ignored| !ignored.eq_ignore_ascii_case(nick));
            self.tell(cx, conn, &ToClient::Unignored(nick));
        } else {
            self.tell(cx, conn, &ToClient::NotIgnored(nick));
        }
    }

    pub(super) fn ignore_clear(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId) {
        let social = self.users.get_mut(user).and_then(|user| user.social.as_mut());
        let count = social.map_or(0, |social| core::mem::take(&mut social.ignored).len());
        self.tell(cx, conn, &ToClient::IgnoreCleared(count as u32));
    }

    /// Whether a user may not speak; it is told so.
    pub(super) fn is_muzzled(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId) -> bool {
        let Some(user) = self.users.get(user) else { return true };
        let muzzled =
            user.level < Level::Moderator && self.muzzles.find(&user.nick, user.ip, cx.unix_now()).is_some();
        if muzzled {
            self.notice(cx, conn, "You have been muzzled: nobody hears you");
        }
        muzzled
    }

    /// Whom a message goes to; or says why it does not.
    fn reach(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, from: UserId, to: &[u8]) -> Option<UserId> {
        let by = self.nick_of(from);
        match self.users.named(to).map(|(id, user)| (id, user.ignores(&by))) {
            Some((id, false)) => return Some(id),
            Some((_, true)) => self.notice_of(cx, conn, to, " is ignoring you"),
            None => self.notice_of(cx, conn, to, " is not online"),
        }
        None
    }

    pub(super) fn private_message(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        to: &[u8],
        text: &[u8],
    ) {
        if self.is_muzzled(cx, conn, user) {
            return;
        }
        let Some(id) = self.reach(cx, conn, user, to) else { return };
        if let Some(link) = self.link_of(id) {
            return self.pass_on(link, user, &ToServer::PrivateMessage { nick: to, text });
        }
        let nick = self.nick_of(user);
        self.tell_user(cx, id, &ToClient::PrivateMessage { nick: &nick, text });
    }

    pub(super) fn ping(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        to: &[u8],
        text: &[u8],
        pong: bool,
    ) {
        let Some(id) = self.reach(cx, conn, user, to) else { return };
        if let Some(link) = self.link_of(id) {
            let message =
                if pong { ToServer::Pong { nick: to, text } } else { ToServer::Ping { nick: to, text } };
            return self.pass_on(link, user, &message);
        }
        let nick = self.nick_of(user);
        let message =
            if pong { ToClient::Pong { nick: &nick, text } } else { ToClient::Ping { nick: &nick, text } };
        self.tell_user(cx, id, &message);
    }

    /// Somebody could not reach another's data port, who is told.
    pub(super) fn port_error(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, to: &[u8]) {
        let Some(id) = self.reach(cx, conn, user, to) else { return };
        if let Some(link) = self.link_of(id) {
            return self.pass_on(link, user, &ToServer::PortError(to));
        }
        let nick = self.nick_of(user);
        self.tell_user(cx, id, &ToClient::PortError(&nick));
    }
}
