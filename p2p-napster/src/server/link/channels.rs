//! Channels whose members are on several servers: each server has all members, and tells its own.
//!
//! Where two servers had a channel of the same name before they linked, both end with the members, operators and bans of
//! both; topic, level and limit are those of the server with the lesser name, if they were ever changed there.

use crate::index::UserId;
use crate::server::Server;
use crate::server::bans::Banned;
use crate::server::channel::{Reason, name};
use crate::server::chat::key;
use crate::wire::{Level, ToClient, ToServer};
use alloc::format;
use p2p_core::{ConnId, Cx};

/// Message 10204: somebody is an operator of a channel.
const OPERATOR: u16 = 10204;
/// Message 10205: not any more.
const NO_OPERATOR: u16 = 10205;

impl Server {
    /// One of our users came into a channel.
    pub(in crate::server) fn tell_links_of_join(&mut self, user: UserId, channel: &[u8], operator: bool) {
        if self.links.are_any_up() {
            self.relay_of(user, &ToServer::JoinChannel(channel));
            if operator {
                self.tell_operator(None, channel, user, true);
            }
        }
    }

    /// Who may change a channel: for one link, or all but the one that the user is behind.
    pub(super) fn tell_operator(&mut self, to: Option<ConnId>, channel: &[u8], user: UserId, operator: bool) {
        let created = self.channels.get(&key(channel)).map_or(0, |channel| channel.created.as_secs());
        let created = format!(" :{created}");
        let text = [channel, b" ", &self.nick_of(user)[..], created.as_bytes()].concat();
        let message = ToServer::Other(if operator { OPERATOR } else { NO_OPERATOR }, &text);
        match to {
            Some(conn) => self.pass_on_as_server(conn, &message),
            None => self.relay_as_server(self.link_of(user), &message),
        }
    }

    /// 400 from a link. Its server has let it in; here only the bounds count.
    pub(super) fn linked_join(&mut self, cx: &mut Cx<'_, Self>, user: UserId, text: &[u8]) {
        let limits = &self.config.limits;
        let Some(name) = name(text, limits.channel_name) else { return };
        let key = key(&name);
        let (most, members) = (limits.channels, limits.channel_members);
        let is_in = self.users.get(user).and_then(|user| user.social.as_ref());
        let has_room = is_in.is_none_or(|social| social.channels.len() < limits.channels_per_user);
        let fits = match self.channels.get(&key) {
            Some(channel) => !channel.contains(user) && channel.len() < members,
            None => self.channels.len() < most,
        };
        if !fits || !has_room {
            return;
        }
        let others = self.enter(user, &name, false, cx.unix_now());
        self.tell_of_member(cx, &name, user, others, true);
        self.relay_of(user, &ToServer::JoinChannel(&name));
    }

    /// 401 from a link.
    pub(super) fn linked_part(&mut self, cx: &mut Cx<'_, Self>, user: UserId, text: &[u8]) {
        let name = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        if self.leave(cx, user, &key(name)) {
            self.relay_of(user, &ToServer::PartChannel(name));
        }
    }

    /// 10204, 10205: from a server, or from somebody who may say so.
    pub(super) fn linked_operator(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        by: Option<UserId>,
        (channel, nick): (&[u8], &[u8]),
        operator: bool,
    ) {
        let Some(user) = self.users.find(nick) else { return };
        match by {
            Some(by) => self.set_channel_operator(cx, conn, by, (channel, nick), operator),
            // A server says so of its own users.
            None if self.link_of(user) == Some(conn) => {
                if let Some(channel) = self.channels.get_mut(&key(channel))
                    && channel.set_operator(user, operator)
                {
                    let name = channel.name.clone();
                    self.tell_operator(None, &name, user, operator);
                }
            }
            None => {}
        }
    }

    /// What a server says of a channel at the beginning of a link.
    pub(super) fn linked_channel(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, message: &ToServer<'_>) {
        let (most_topic, most_bans) = (self.config.limits.topic, self.config.limits.channel_bans);
        let senior = *self.neighbour_name(conn).to_ascii_lowercase()
            < *self.config.name.as_bytes().to_ascii_lowercase();
        let (ToServer::SetTopic { channel, .. }
        | ToServer::ChannelLevel { channel, .. }
        | ToServer::ChannelLimit { channel, .. }
        | ToServer::ChannelBan { channel, .. }) = message
        else {
            return;
        };
        let by = self.neighbour_name(conn);
        let Some(channel) = self.channels.get_mut(&key(channel)) else { return };
        match *message {
            ToServer::SetTopic { topic, .. } if senior || channel.has_first_topic() => {
                let topic = topic.get(..most_topic).unwrap_or(topic);
                channel.topic = topic.into();
                let (name, members) = (channel.name.clone(), channel.members());
                self.tell_all(cx, members, &ToClient::Topic { channel: &name, topic });
            }
            ToServer::ChannelLevel { level: Some(level), .. } if senior || channel.level == Level::Leech => {
                channel.level = Level::from_name(level).unwrap_or(channel.level);
            }
            ToServer::ChannelLimit { limit: Some(limit), .. } if senior || channel.limit == 0 => {
                channel.limit = limit;
            }
            ToServer::ChannelBan { who, reason, .. } if channel.bans.len() < most_bans => {
                let text = reason.unwrap_or_default().into();
                channel.bans.insert(Banned::parse(who), Reason { by, text });
            }
            // Ours stays, and is what the other server takes.
            _ => return,
        }
        self.relay_as_server(Some(conn), message);
    }

    /// An operator behind a link may not do here what its server let it: who it was done to is still here, and that
    /// server is told so.
    pub(super) fn still_in(&mut self, conn: ConnId, user: UserId, channel: &[u8]) {
        let is_in = self.channels.get(&key(channel)).is_some_and(|channel| channel.contains(user));
        if is_in && self.link_of(user) != Some(conn) {
            self.pass_on(conn, user, &ToServer::JoinChannel(channel));
        }
    }
}
