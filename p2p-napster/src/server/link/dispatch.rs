//! What each message of a linked server does.
//!
//! A message that cannot be read ends the link. One in the name of somebody who is not behind the link does nothing: it may
//! have been on its way while that user went, or gave its nick to another.

use super::LinkEnd;
use crate::index::UserId;
use crate::server::Server;
use crate::server::bans::Kind;
use crate::wire::message::{encapsulated, split_origin};
use crate::wire::{Fields, Frame, Level, Linked, Malformed, ToClient, ToServer, put_frame};
use p2p_core::{ConnId, Cx};

/// Message 10101, which between servers says what 10020 says.
const DISCONNECTED: u16 = 10101;

/// Who a message comes from.
#[derive(Clone, Copy)]
enum Origin {
    User(UserId),
    Server,
}

/// What a server may have another's client told: answers to what it asked of somebody there. Never what makes a client go
/// elsewhere, load something, or think that it is thrown out.
const fn is_forwarded(kind: u16) -> bool {
    matches!(
        kind,
        204..=206 | 210 | 212 | 213 | 404 | 501 | 601 | 604 | 605 | 609 | 620 | 626 | 640..=642 | 751 | 752
    )
}

impl Server {
    /// A message of an open link.
    pub(super) fn link_message(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        frame: &Frame,
    ) -> Result<(), LinkEnd> {
        let bad = |why: Malformed| LinkEnd::Malformed { kind: frame.kind, why };
        self.stats.messages += 1;
        match Linked::parse(frame.kind, &frame.body).map_err(bad)? {
            Linked::Hello { .. } | Linked::Proof(_) => return Err(LinkEnd::Unexpected(frame.kind)),
            Linked::User(user) => self.linked_login(cx, conn, &user)?,
            Linked::Quit(nick) => self.linked_quit(cx, conn, nick),
            Linked::SetLevel { origin, nick, level } => self.linked_level(cx, conn, origin, nick, level),
            Linked::ShareCount { nick, files, kilobytes } => self.linked_count(conn, nick, files, kilobytes),
            Linked::Browse { origin, nick, max } => self.linked_browse(cx, conn, frame, (origin, nick), max),
            Linked::UploadRequest { origin, nick, file, .. } => {
                self.linked_request(cx, conn, frame, (origin, nick), file);
            }
            Linked::Search { nick, id, query } => self.linked_search(cx, conn, (nick, id), query),
            Linked::SearchHit { id, nick, file } => self.linked_hit(cx, conn, (id, nick), &file),
            Linked::SearchEnd(id) => self.linked_search_end(cx, conn, id),
            Linked::Encapsulated { nick, frame: inner, .. } => {
                self.linked_answer(cx, conn, frame, nick, inner).map_err(bad)?;
            }
            Linked::LinkMap { server, port, peer, peer_port, hops } => {
                self.link_map(conn, (server, peer), (port, peer_port), hops)?;
            }
            Linked::ServerQuit(text) => self.server_quit(cx, conn, text),
            Linked::Clock { time, .. } => self.linked_clock(cx, conn, time)?,
            Linked::SyncEnd => self.tell_link(conn, &Linked::SyncEndAck),
            Linked::SyncEndAck => self.synced(conn),
            // Accounts are each server's own, and passwords' hashes are not taken from others.
            Linked::Registration { .. } => {}
            Linked::Other(kind, body) => {
                // What has no origin is nothing that we know.
                if kind == DISCONNECTED {
                    self.server_quit(cx, conn, body);
                } else if kind < 10_000 || matches!(kind, 10204 | 10205) {
                    self.of_origin(cx, conn, kind, body).map_err(bad)?;
                }
            }
        }
        Ok(())
    }

    fn linked_clock(&mut self, cx: &Cx<'_, Self>, conn: ConnId, time: u64) -> Result<(), LinkEnd> {
        let off = cx.unix_now().as_secs().abs_diff(time);
        if off > self.config.limits.link_clock.as_secs() {
            return Err(LinkEnd::Clock(off));
        }
        if let Some(other) = self.links.open.get_mut(&conn) {
            other.clocks = other.clocks.saturating_add(1);
        }
        Ok(())
    }

    /// Who a message is from, if that is behind the link.
    fn origin(&self, conn: ConnId, name: &[u8]) -> Option<Origin> {
        if self.links.map.via(name) == Some(conn) {
            return Some(Origin::Server);
        }
        let user = self.users.find(name).filter(|user| self.link_of(*user) == Some(conn))?;
        Some(Origin::User(user))
    }

    /// Whether a message for a user goes on over another link; if so, it is sent there.
    fn goes_on(&mut self, conn: ConnId, nick: &[u8], kind: u16, body: &[u8]) -> bool {
        let Some(link) = self.users.find(nick).and_then(|user| self.link_of(user)) else { return false };
        if link != conn {
            self.onto(link, |out| super::route::put_raw(out, kind, body));
        }
        true
    }

    fn linked_browse(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        frame: &Frame,
        (origin, nick): (&[u8], &[u8]),
        max: Option<u32>,
    ) {
        let Some(Origin::User(asker)) = self.origin(conn, origin) else { return };
        if self.goes_on(conn, nick, frame.kind, &frame.body) {
            return;
        }
        self.links.acting = Some(asker);
        self.browse(cx, conn, nick, max.unwrap_or(u32::MAX));
        self.links.acting = None;
    }

    fn linked_request(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        frame: &Frame,
        (origin, nick): (&[u8], &[u8]),
        file: &[u8],
    ) {
        let Some(Origin::User(asker)) = self.origin(conn, origin) else { return };
        if self.goes_on(conn, nick, frame.kind, &frame.body) {
            return;
        }
        self.links.acting = Some(asker);
        self.request_for(cx, conn, asker, nick, file);
        self.links.acting = None;
    }

    /// 10018: what a client's server would tell it.
    fn linked_answer(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        frame: &Frame,
        nick: &[u8],
        inner: &[u8],
    ) -> Result<(), Malformed> {
        let (kind, body) = encapsulated(inner)?;
        if self.goes_on(conn, nick, frame.kind, &frame.body) {
            return Ok(());
        }
        let Some(user) = self.users.find(nick) else { return Ok(()) };
        let Some(answer) = ToClient::parse(kind, body).ok().filter(|_| is_forwarded(kind)) else {
            self.stats.malformed += 1;
            return Ok(());
        };
        self.list_answered(user, &answer);
        let Some(to) = self.users.get(user).map(|user| user.conn) else { return Ok(()) };
        let mut out = self.buffer();
        put_frame(&mut out, kind, |to| {
            to.raw(body);
        });
        self.deliver(cx, to, out);
        Ok(())
    }

    /// A client's message behind its origin.
    fn of_origin(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        kind: u16,
        body: &[u8],
    ) -> Result<(), Malformed> {
        let (name, rest) = split_origin(body)?;
        let message = ToServer::parse(kind, rest)?;
        let Some(origin) = self.origin(conn, name) else { return Ok(()) };
        if let Some(nick) = target(&message)
            && self.goes_on(conn, nick, kind, body)
        {
            return Ok(());
        }
        match origin {
            Origin::Server => self.of_linked_server(cx, conn, &message, (kind, rest)),
            Origin::User(user) => {
                self.links.acting = Some(user);
                self.of_linked_user(cx, conn, user, &message, (kind, rest));
                self.links.acting = None;
            }
        }
        Ok(())
    }

    /// What a server says in its own name.
    fn of_linked_server(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        message: &ToServer<'_>,
        (kind, body): (u16, &[u8]),
    ) {
        let trust = self.trust(conn);
        match message {
            ToServer::SetTopic { .. }
            | ToServer::ChannelLevel { .. }
            | ToServer::ChannelLimit { .. }
            | ToServer::ChannelBan { .. } => self.linked_channel(cx, conn, message),
            ToServer::Other(10204 | 10205, text) => {
                if let Some(names) = two_words(text) {
                    self.linked_operator(cx, conn, None, names, kind == 10204);
                }
            }
            ToServer::Kill { nick, reason } if trust >= Level::Moderator => {
                let victim = self.users.named(nick).filter(|(_, user)| user.level < trust);
                if let Some((victim, _)) = victim {
                    self.throw_out(cx, victim, reason.unwrap_or_default());
                }
            }
            ToServer::Ban { .. } if trust >= Level::Admin => self.linked_ban(cx, conn, Kind::Ban, body),
            ToServer::Unban { who, .. } if trust >= Level::Admin => {
                self.linked_lift(cx, conn, Kind::Ban, who);
            }
            ToServer::Muzzle { .. } if trust >= Level::Moderator => {
                self.linked_ban(cx, conn, Kind::Muzzle, body);
            }
            ToServer::Unmuzzle { nick, .. } if trust >= Level::Moderator => {
                self.linked_lift(cx, conn, Kind::Muzzle, nick);
            }
            _ => {}
        }
    }

    /// What somebody behind the link says.
    fn of_linked_user(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        message: &ToServer<'_>,
        (kind, body): (u16, &[u8]),
    ) {
        match *message {
            ToServer::PrivateMessage { nick, text } => self.private_message(cx, conn, user, nick, text),
            ToServer::Ping { nick, text } => self.ping(cx, conn, user, nick, text, false),
            ToServer::Pong { nick, text } => self.ping(cx, conn, user, nick, text, true),
            ToServer::PortError(nick) => self.port_error(cx, conn, user, nick),
            ToServer::DirectBrowse(nick) => self.direct_browse(cx, conn, user, nick),
            ToServer::AcceptBrowse(nick) => self.accept_browse(cx, conn, user, nick),
            ToServer::RefuseBrowse { nick, text } => self.refuse_browse(cx, user, nick, text),
            ToServer::Whois(nick) => self.whois(cx, conn, user, nick),
            ToServer::LinkSpeed(nick) => self.link_speed(cx, conn, nick),
            ToServer::DownloadStart | ToServer::DownloadEnd | ToServer::UploadStart | ToServer::UploadEnd => {
                self.count_transfer(user, kind);
                self.relay_of(user, message);
            }
            ToServer::SetOwnSpeed(speed) => {
                self.linked_speed(user, speed);
                self.relay_of(user, message);
            }
            ToServer::DataPort(port) => {
                self.set_port(user, port);
                self.relay_of(user, message);
            }
            ToServer::JoinChannel(channel) => self.linked_join(cx, user, channel),
            ToServer::PartChannel(channel) => self.linked_part(cx, user, channel),
            ToServer::Say { channel, text } => self.say(cx, conn, user, channel, text),
            ToServer::Emote { channel, text } => self.emote(cx, conn, user, channel, text),
            ToServer::SetTopic { channel, topic } if !topic.is_empty() => {
                self.topic(cx, conn, user, channel, topic);
            }
            ToServer::Kick { channel, nick, reason } => {
                self.kick(cx, conn, user, channel, nick, reason.unwrap_or_default());
                if let Some(kicked) = self.users.find(nick) {
                    self.still_in(conn, kicked, channel);
                }
            }
            ToServer::ClearChannel(channel) => {
                self.clear_channel(cx, conn, user, channel);
                for member in self.members_of(channel) {
                    self.still_in(conn, member, channel);
                }
            }
            ToServer::Other(10204 | 10205, text) => {
                if let Some(names) = two_words(text) {
                    self.linked_operator(cx, conn, Some(user), names, kind == 10204);
                }
            }
            _ => self.of_linked_operator(cx, conn, user, message, body),
        }
    }

    /// What an operator behind the link does; answers would only repeat those of its own server.
    fn of_linked_operator(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        message: &ToServer<'_>,
        body: &[u8],
    ) {
        match *message {
            ToServer::Kill { nick, reason } => self.kill(cx, conn, user, nick, reason.unwrap_or_default()),
            ToServer::SetPort { nick, port } => self.order_port(cx, conn, user, nick, port),
            ToServer::SetSpeed { nick, speed } => self.order_speed(cx, conn, user, nick, speed),
            ToServer::Redirect { nick, host, port } => {
                self.redirect(cx, conn, user, nick, &ToClient::Redirect { host, port });
            }
            ToServer::Cycle { nick, host } => self.redirect(cx, conn, user, nick, &ToClient::Cycle(host)),
            _ => {
                self.links.acting = None;
                match *message {
                    ToServer::ChannelLevel { channel, level } => {
                        self.channel_level(cx, conn, user, channel, level);
                    }
                    ToServer::ChannelLimit { channel, limit } => {
                        self.channel_limit(cx, conn, user, channel, limit);
                    }
                    ToServer::ChannelBan { channel, who, reason } => {
                        self.channel_ban(cx, conn, user, channel, who, reason);
                    }
                    ToServer::ChannelUnban { channel, who, .. } => {
                        self.channel_unban(cx, conn, user, channel, Some(who));
                    }
                    ToServer::ChannelBanClear(channel) => self.channel_unban(cx, conn, user, channel, None),
                    ToServer::Ban { .. } => self.order_ban(cx, conn, user, Kind::Ban, body),
                    ToServer::Muzzle { .. } => self.order_ban(cx, conn, user, Kind::Muzzle, body),
                    ToServer::Unban { who, .. } => self.order_lift(cx, conn, user, Kind::Ban, who),
                    ToServer::Unmuzzle { nick, .. } => self.order_lift(cx, conn, user, Kind::Muzzle, nick),
                    ToServer::OperatorMessage(text) => self.operator_message(cx, conn, user, text),
                    ToServer::GlobalMessage(text) => self.global_message(cx, conn, user, text),
                    _ => {}
                }
            }
        }
    }
}

/// The one user whom a message is for.
const fn target<'a>(message: &ToServer<'a>) -> Option<&'a [u8]> {
    match *message {
        ToServer::PrivateMessage { nick, .. }
        | ToServer::Ping { nick, .. }
        | ToServer::Pong { nick, .. }
        | ToServer::PortError(nick)
        | ToServer::DirectBrowse(nick)
        | ToServer::AcceptBrowse(nick)
        | ToServer::RefuseBrowse { nick, .. }
        | ToServer::Kill { nick, .. }
        | ToServer::SetPort { nick, .. }
        | ToServer::SetSpeed { nick, .. }
        | ToServer::Redirect { nick, .. }
        | ToServer::Cycle { nick, .. } => Some(nick),
        _ => None,
    }
}

/// `#channel nick`, and whatever follows.
fn two_words(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Fields::new(text);
    Some((fields.next().ok()??.bytes, fields.next().ok()??.bytes))
}
