//! Channels: coming, going, speaking, topics, lists, and what a channel's operators may do.

use super::Server;
use super::bans::Banned;
use super::channel::{Channel, Reason, name};
use super::nick::fold;
use crate::index::UserId;
use crate::wire::message::Member;
use crate::wire::{Level, ToClient, ToServer};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::BytesMut;
use p2p_core::{ConnId, Cx, UnixTime};

/// A channel's key: its name in lower case.
pub(super) fn key(name: &[u8]) -> Box<[u8]> {
    name.to_ascii_lowercase().into()
}

impl Server {
    pub(super) fn join(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, text: &[u8]) {
        match self.try_join(user, text, cx.unix_now()) {
            Ok((key, operator)) => self.joined(cx, conn, user, &key, operator),
            Err(why) => self.notice(cx, conn, &format!("join channel failed: {why}")),
        }
    }

    fn try_join(
        &mut self,
        id: UserId,
        text: &[u8],
        now: UnixTime,
    ) -> Result<(Box<[u8]>, bool), &'static str> {
        let limits = &self.config.limits;
        let name = name(text, limits.channel_name).ok_or("invalid channel name")?;
        let user = self.users.get(id).ok_or("you are not here")?;
        let is_in = user.social.as_ref().map_or(0, |social| social.channels.len());
        if is_in >= limits.channels_per_user {
            return Err("you are in too many channels");
        }
        let (key, count) = (key(&name), self.channels.len());
        match self.channels.get(&key) {
            Some(channel) => {
                let most = (channel.limit as usize).min(limits.channel_members);
                let most = if channel.limit == 0 { limits.channel_members } else { most };
                let mighty = user.level >= Level::Moderator;
                if channel.contains(id) {
                    return Err("you are in that channel");
                } else if channel.len() >= most && !mighty {
                    return Err("channel is full");
                } else if user.level < channel.level {
                    return Err("permission denied");
                } else if is_banned(channel, user) && !mighty {
                    return Err("you are banned from that channel");
                }
            }
            None if count >= limits.channels => return Err("too many channels"),
            None => {}
        }
        // The first is its operator.
        let operator = self.channels.get(&key).is_none_or(Channel::is_empty);
        self.enter(id, &name, operator, now);
        Ok((key, operator))
    }

    /// Puts a user into a channel, which is made if need be: the others who are in it.
    pub(super) fn enter(&mut self, id: UserId, name: &[u8], operator: bool, now: UnixTime) -> Vec<UserId> {
        let key = key(name);
        let channel = self.channels.entry(key.clone()).or_insert_with(|| Channel::new(name, now));
        channel.insert(id, operator);
        let others = channel.others(id);
        if let Some(user) = self.users.get_mut(id) {
            user.social().channels.push(key);
        }
        others
    }

    pub(super) fn members_of(&self, channel: &[u8]) -> Vec<UserId> {
        self.channels.get(&key(channel)).map_or_else(Vec::new, Channel::members)
    }

    /// 405, a 408 for each member, 409, the topic; the others get 406.
    fn joined(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, key: &[u8], operator: bool) {
        let mut out = self.buffer();
        let Some(channel) = self.channels.get(key) else { return };
        ToClient::Joined(&channel.name).encode(&mut out);
        for member in channel.members() {
            self.put_member(&mut out, &channel.name, member, ToClient::Member);
        }
        ToClient::MembersEnd(&channel.name).encode(&mut out);
        ToClient::Topic { channel: &channel.name, topic: &channel.topic }.encode(&mut out);
        if operator {
            let text = format!("Server {} set you as operator on channel ", self.config.name);
            ToClient::Notice(&[text.as_bytes(), &channel.name[..]].concat()).encode(&mut out);
        }
        let (name, others) = (channel.name.clone(), channel.others(user));
        self.deliver(cx, conn, out);
        self.tell_of_member(cx, &name, user, others, true);
        self.tell_links_of_join(user, &name, operator);
    }

    fn put_member<'a>(
        &'a self,
        out: &mut BytesMut,
        channel: &'a [u8],
        user: UserId,
        make: impl FnOnce(Member<'a>) -> ToClient<'a>,
    ) {
        let Some(user) = self.users.get(user) else { return };
        make(Member { channel, nick: &user.nick, files: user.shared, speed: user.speed }).encode(out);
    }

    pub(super) fn tell_of_member(
        &mut self,
        cx: &mut Cx<'_, Self>,
        channel: &[u8],
        user: UserId,
        to: Vec<UserId>,
        came: bool,
    ) {
        let Some(user) = self.users.get(user) else { return };
        let (nick, files, speed) = (user.nick.clone(), user.shared, user.speed);
        let member = Member { channel, nick: &nick, files, speed };
        let message = if came { ToClient::UserJoined(member) } else { ToClient::UserParted(member) };
        self.tell_all(cx, to, &message);
    }

    pub(super) fn part(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, text: &[u8]) {
        let name = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        if self.leave(cx, user, &key(name)) {
            self.tell(cx, conn, &ToClient::Parted(name));
            self.relay_of(user, &ToServer::PartChannel(name));
        } else {
            self.notice(cx, conn, "part channel failed: you are not in that channel");
        }
    }

    /// Takes a user out of a channel, and tells the others.
    pub(super) fn leave(&mut self, cx: &mut Cx<'_, Self>, user: UserId, key: &[u8]) -> bool {
        let Some(channel) = self.channels.get_mut(key) else { return false };
        if !channel.remove(user) {
            return false;
        }
        let (name, others) = (channel.name.clone(), channel.members());
        if others.is_empty() {
            self.channels.remove(key);
        }
        if let Some(social) = self.users.get_mut(user).and_then(|user| user.social.as_mut()) {
            social.channels.retain(|channel| **channel != *key);
        }
        self.tell_of_member(cx, &name, user, others, false);
        true
    }

    /// Takes a user out of all channels.
    pub(super) fn part_all(&mut self, cx: &mut Cx<'_, Self>, user: UserId) {
        let social = self.users.get(user).and_then(|user| user.social.as_ref());
        for key in social.map_or_else(Vec::new, |social| social.channels.clone()) {
            self.leave(cx, user, &key);
        }
    }

    /// The members of a channel that a user is in and may speak in, and the channel's name.
    fn audience(&self, user: UserId, channel: &[u8]) -> Option<(Box<[u8]>, Vec<UserId>)> {
        let channel = self.channels.get(&key(channel))?;
        channel.contains(user).then(|| (channel.name.clone(), channel.members()))
    }

    pub(super) fn say(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, to: &[u8], text: &[u8]) {
        if let Some((channel, members)) = self.may_say(cx, conn, user, to) {
            let nick = self.nick_of(user);
            self.relay_to(user, &members, &ToServer::Say { channel: &channel, text });
            let members = self.who_listen(members, &nick);
            self.tell_all(cx, members, &ToClient::Said { channel: &channel, nick: &nick, text });
        }
    }

    pub(super) fn emote(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        to: &[u8],
        text: &[u8],
    ) {
        if let Some((channel, members)) = self.may_say(cx, conn, user, to) {
            let nick = self.nick_of(user);
            self.relay_to(user, &members, &ToServer::Emote { channel: &channel, text });
            let members = self.who_listen(members, &nick);
            self.tell_all(cx, members, &ToClient::Emote { channel: &channel, nick: &nick, text });
        }
    }

    /// Those of them who do not ignore a nick.
    fn who_listen(&self, members: Vec<UserId>, nick: &[u8]) -> Vec<UserId> {
        let listens = |user: &UserId| self.users.get(*user).is_some_and(|user| !user.ignores(nick));
        members.into_iter().filter(listens).collect()
    }

    fn may_say(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        channel: &[u8],
    ) -> Option<(Box<[u8]>, Vec<UserId>)> {
        if self.is_muzzled(cx, conn, user) {
            return None;
        }
        let audience = self.audience(user, channel);
        if audience.is_none() {
            self.notice(cx, conn, "You are not a member of that channel");
        }
        audience
    }

    /// Whether a user may change a channel: its operator, if it is in it, or a moderator of the server.
    fn is_operator(&self, user: UserId, channel: &Channel) -> bool {
        channel.is_operator(user) || self.users.get(user).is_some_and(|user| user.level >= Level::Moderator)
    }

    /// The channel that a user may change; or says why not.
    fn changeable(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        channel: &[u8],
    ) -> Option<&mut Channel> {
        let key = key(channel);
        match self.channels.get(&key) {
            None => self.notice(cx, conn, "no such channel"),
            Some(channel) if !self.is_operator(user, channel) => self.denied(cx, conn),
            Some(_) => return self.channels.get_mut(&key),
        }
        None
    }

    pub(super) fn topic(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        to: &[u8],
        topic: &[u8],
    ) {
        let key = key(to);
        let Some(channel) = self.channels.get(&key) else {
            return self.notice(cx, conn, "topic failed: no such channel");
        };
        if topic.is_empty() {
            let (channel, topic) = (channel.name.clone(), channel.topic.clone());
            return self.tell(cx, conn, &ToClient::Topic { channel: &channel, topic: &topic });
        }
        if !self.is_operator(user, channel) {
            return self.notice(cx, conn, "topic failed: topic is restricted");
        }
        let topic = topic.get(..self.config.limits.topic).unwrap_or(topic);
        let Some(channel) = self.channels.get_mut(&key) else { return };
        channel.topic = topic.into();
        let (channel, members) = (channel.name.clone(), channel.members());
        self.relay_of(user, &ToServer::SetTopic { channel: &channel, topic });
        self.tell_all(cx, members, &ToClient::Topic { channel: &channel, topic });
    }

    /// The channels that a user may join: 618 and 617, or 828 and 827.
    pub(super) fn list_channels(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, whole: bool) {
        let level = self.users.get(user).map_or(Level::Leech, |user| user.level);
        let mut out = self.buffer();
        for channel in self.channels.values().filter(|channel| channel.level <= level) {
            let (users, name, topic) = (channel.len() as u32, &channel.name, &channel.topic);
            if whole {
                // 1 stands for "everybody" in all captures.
                let (level, limit) = ((channel.level as u32).max(1), channel.limit);
                ToClient::FullChannelEntry { channel: name, users, unused: 1, level, limit, topic }
                    .encode(&mut out);
            } else {
                ToClient::ChannelEntry { channel: name, users, topic }.encode(&mut out);
            }
        }
        let end = if whole { ToClient::FullChannelListEnd } else { ToClient::ChannelListEnd };
        end.encode(&mut out);
        self.deliver(cx, conn, out);
    }

    pub(super) fn names(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, channel: &[u8]) {
        let mut out = self.buffer();
        if let Some(channel) = self.channels.get(&key(channel)) {
            for member in channel.members() {
                self.put_member(&mut out, &channel.name, member, ToClient::NamesEntry);
            }
        }
        ToClient::NamesEnd(b"").encode(&mut out);
        self.deliver(cx, conn, out);
    }

    pub(super) fn kick(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        channel: &[u8],
        nick: &[u8],
        reason: &[u8],
    ) {
        if self.changeable(cx, conn, user, channel).is_none() {
            return;
        }
        match self.users.find(nick) {
            Some(kicked) if self.leave(cx, kicked, &key(channel)) => {
                let by = self.nick_of(user);
                self.relay_of(user, &ToServer::Kick { channel, nick, reason: Some(reason) });
                if self.link_of(kicked).is_none() {
                    self.tell_user(cx, kicked, &ToClient::Parted(channel));
                    let text = [b"You were kicked from ", channel, b" by ", &by[..], b": ", reason].concat();
                    self.tell_user(cx, kicked, &ToClient::Notice(&text));
                }
            }
            _ => self.notice_of(cx, conn, nick, " is not in that channel"),
        }
    }

    pub(super) fn clear_channel(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        channel: &[u8],
    ) {
        let Some(others) = self.changeable(cx, conn, user, channel).map(|channel| channel.others(user))
        else {
            return;
        };
        for other in others {
            if self.leave(cx, other, &key(channel)) && self.link_of(other).is_none() {
                self.tell_user(cx, other, &ToClient::Parted(channel));
            }
        }
        self.relay_of(user, &ToServer::ClearChannel(channel));
    }

    pub(super) fn channel_level(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        channel: &[u8],
        level: Option<&[u8]>,
    ) {
        let own = self.users.get(user).map_or(Level::Leech, |user| user.level);
        let Some(channel) = self.changeable(cx, conn, user, channel) else { return };
        let text = match level.map(|name| Level::from_name(name).filter(|level| *level <= own)) {
            None => format!("channel level is {}", channel.level),
            Some(None) => String::from("invalid level"),
            Some(Some(new)) => {
                channel.level = new;
                let name = channel.name.clone();
                self.relay_of(user, &ToServer::ChannelLevel { channel: &name, level });
                format!("channel level is {new} now")
            }
        };
        self.notice(cx, conn, &text);
    }

    pub(super) fn channel_limit(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        channel: &[u8],
        limit: Option<u32>,
    ) {
        let Some(channel) = self.changeable(cx, conn, user, channel) else { return };
        channel.limit = limit.unwrap_or(channel.limit);
        let (name, now) = (channel.name.clone(), channel.limit);
        if limit.is_some() {
            self.relay_of(user, &ToServer::ChannelLimit { channel: &name, limit });
        }
        let text = format!("channel limit is {now}");
        self.notice(cx, conn, &text);
    }

    pub(super) fn set_channel_operator(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        (channel, nick): (&[u8], &[u8]),
        operator: bool,
    ) {
        let other = self.users.find(nick);
        let Some(channel) = self.changeable(cx, conn, user, channel) else { return };
        let name = channel.name.clone();
        match other {
            Some(other) if channel.set_operator(other, operator) => {
                let by = self.nick_of(user);
                let kind = if operator { 10204 } else { 10205 };
                self.relay_of(user, &ToServer::Other(kind, &[&name[..], b" ", nick].concat()));
                let verb: &[u8] = if operator {
                    b" set you as operator on channel "
                } else {
                    b" removed you as operator on channel "
                };
                let text = [&by[..], verb, &name[..]].concat();
                if self.link_of(other).is_none() {
                    self.tell_user(cx, other, &ToClient::Notice(&text));
                }
            }
            _ => self.notice_of(cx, conn, nick, " is not in that channel"),
        }
    }

    pub(super) fn channel_ban(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        channel: &[u8],
        who: &[u8],
        reason: Option<&[u8]>,
    ) {
        let (by, most) = (self.nick_of(user), self.config.limits.channel_bans);
        let name = channel;
        let Some(channel) = self.changeable(cx, conn, user, channel) else { return };
        if channel.bans.len() >= most {
            return self.notice(cx, conn, "too many bans on that channel");
        }
        let text = reason.unwrap_or_default().into();
        channel.bans.insert(Banned::parse(who), Reason { by: (*by).into(), text });
        self.relay_of(user, &ToServer::ChannelBan { channel: name, who, reason });
    }

    /// Lifts one ban, or all.
    pub(super) fn channel_unban(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        channel: &[u8],
        who: Option<&[u8]>,
    ) {
        let name = channel;
        let Some(channel) = self.changeable(cx, conn, user, channel) else { return };
        match who {
            Some(who) if channel.bans.remove(&Banned::parse(who)).is_none() => {
                self.notice_of(cx, conn, who, " is not banned from that channel");
            }
            Some(who) => {
                self.relay_of(user, &ToServer::ChannelUnban { channel: name, who, reason: None });
            }
            None => {
                channel.bans.clear();
                self.relay_of(user, &ToServer::ChannelBanClear(name));
            }
        }
    }

    pub(super) fn list_channel_bans(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, channel: &[u8]) {
        let mut out = self.buffer();
        let channel = self.channels.get(&key(channel));
        for (who, reason) in channel.into_iter().flat_map(|channel| &channel.bans) {
            let text = [&who.text()[..], b" ", &reason.by, b" \"", &reason.text, b"\""].concat();
            ToClient::ChannelBanEntry(&text).encode(&mut out);
        }
        ToClient::ChannelBansEnd(b"").encode(&mut out);
        self.deliver(cx, conn, out);
    }
}

fn is_banned(channel: &Channel, user: &super::users::User) -> bool {
    channel.bans.keys().any(|who| match who {
        Banned::Nick(nick) => **nick == *fold(&user.nick).as_slice(),
        Banned::Network(network) => network.contains(user.ip),
    })
}
