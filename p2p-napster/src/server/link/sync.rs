//! What a new neighbour is told: the time, the links, everybody with level and count, channels, bans, and that it is all.

use super::bans::ban_text;
use super::map::LinkLine;
use crate::index::UserId;
use crate::server::Server;
use crate::server::bans::Banned;
use crate::wire::{Level, Linked, ToServer};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::BytesMut;
use p2p_core::{ConnId, Cx};

/// Message 612, whose seconds [`ToServer`] does not have.
const BAN: u16 = 612;

impl Server {
    /// Tells all that is true, in one go: what happens from now on is told behind it.
    pub(super) fn sync(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        self.tell_clock(cx, conn);
        for LinkLine { server, peer, peer_port, hops } in self.link_lines(Some(conn)) {
            let line = Linked::LinkMap { server: &server, port: 0, peer: &peer, peer_port, hops };
            self.tell_link(conn, &line);
        }
        let mut out = BytesMut::new();
        for (id, user) in self.users.iter().filter(|(_, user)| user.link() != Some(conn)) {
            Linked::User(self.linked_user(user)).encode(&mut out);
            if user.level != Level::User {
                let origin = user.home.as_ref().map_or(self.config.name.as_bytes(), |home| &home.server);
                Linked::SetLevel { origin, nick: &user.nick, level: user.level }.encode(&mut out);
            }
            if let Some((nick, files, kilobytes)) = self.share_count(id).filter(|(_, files, _)| *files > 0) {
                Linked::ShareCount { nick: &nick, files, kilobytes }.encode(&mut out);
            }
        }
        self.onto(conn, |to| to.extend_from_slice(&out));
        let channels: Vec<Box<[u8]>> = self.channels.keys().cloned().collect();
        for key in channels {
            self.sync_channel(conn, &key);
        }
        for (who, seconds, reason) in self.bans_to_tell(cx) {
            let body = ban_text(&who, &reason, seconds, cx.unix_now());
            self.pass_on_as_server(conn, &ToServer::Other(BAN, &body));
        }
        self.tell_link(conn, &Linked::SyncEnd);
    }

    fn sync_channel(&mut self, conn: ConnId, key: &[u8]) {
        let Some(channel) = self.channels.get(key) else { return };
        let (name, topic, level, limit) =
            (channel.name.clone(), channel.topic.clone(), channel.level, channel.limit);
        let is_plain = channel.has_first_topic();
        let mut members: Vec<(UserId, bool)> =
            channel.members().into_iter().map(|user| (user, channel.is_operator(user))).collect();
        members.reverse();
        let bans: Vec<(Vec<u8>, Box<[u8]>)> =
            channel.bans.iter().map(|(who, reason)| (who.text(), reason.text.clone())).collect();
        for (user, operator) in members {
            if self.link_of(user) == Some(conn) {
                continue;
            }
            self.pass_on(conn, user, &ToServer::JoinChannel(&name));
            if operator {
                self.tell_operator(Some(conn), &name, user, true);
            }
        }
        if !is_plain {
            self.pass_on_as_server(conn, &ToServer::SetTopic { channel: &name, topic: &topic });
        }
        if level != Level::Leech {
            let level = Some(level.name().as_bytes());
            self.pass_on_as_server(conn, &ToServer::ChannelLevel { channel: &name, level });
        }
        if limit != 0 {
            self.pass_on_as_server(conn, &ToServer::ChannelLimit { channel: &name, limit: Some(limit) });
        }
        for (who, reason) in bans {
            let ban = ToServer::ChannelBan { channel: &name, who: &who, reason: Some(&reason) };
            self.pass_on_as_server(conn, &ban);
        }
    }

    /// Our bans, with the seconds that each has left (0: for ever).
    fn bans_to_tell(&self, cx: &Cx<'_, Self>) -> Vec<(Banned, u64, Box<[u8]>)> {
        let now = cx.unix_now();
        let left = |until: Option<p2p_core::UnixTime>| {
            until.map_or(0, |until| until.as_secs().saturating_sub(now.as_secs()).max(1))
        };
        self.bans.iter(now).map(|(who, ban)| (who.clone(), left(ban.until), ban.reason.clone())).collect()
    }
}
