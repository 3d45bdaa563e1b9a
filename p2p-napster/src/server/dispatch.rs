//! What each message of a user does. Every type is done here, or answered "Unknown command code".

use super::Server;
use super::bans::Kind;
use super::session::Action;
use crate::index::UserId;
use crate::wire::{Fields, Frame, Level, ToClient, ToServer};
use alloc::format;
use p2p_core::{ConnId, Cx};

/// The type of a search.
const SEARCH: u16 = 200;

/// Types that are paced as shares or searches are, or come one for each that another was paced for, or change only
/// what the sender says of itself.
const fn is_paced_elsewhere(kind: u16) -> bool {
    matches!(kind, 100 | 870 | 10300 | 200 | 215 | 608 | 609 | 619 | 641 | 642 | 752)
}

impl Server {
    /// A message of a user.
    pub(super) fn online(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, frame: &Frame) {
        match ToServer::parse(frame.kind, &frame.body) {
            Ok(message) => self.of_files(cx, conn, user, message, frame),
            Err(_) if frame.kind == SEARCH => {
                self.stats.malformed += 1;
                self.no_search(cx, conn, user);
            }
            Err(_) => {
                self.stats.malformed += 1;
                self.notice(cx, conn, &format!("invalid parameters for command code {}", frame.kind));
            }
        }
        if !is_paced_elsewhere(frame.kind) {
            self.pace(cx, conn, user, Action::Message, 1);
        }
    }

    /// Sharing, searching, and what leads to a download.
    fn of_files(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        message: ToServer<'_>,
        frame: &Frame,
    ) {
        match message {
            ToServer::Share(file) => self.share(cx, conn, user, &file),
            ToServer::ShareDirectory(directory) => self.share_directory(cx, conn, user, &directory),
            ToServer::ShareMedia { name, size, md5, media } => {
                self.share_media(cx, conn, user, (name, size, md5, media));
            }
            ToServer::Unshare(name) => self.unshare(cx, conn, user, name),
            ToServer::UnshareAll => self.unshare_all(cx, conn, user),
            ToServer::Search(query) => self.search(cx, conn, user, &query),
            ToServer::Resume { md5, size } => self.resume_search(cx, conn, user, md5, size),
            ToServer::Download { nick, file } => self.download(cx, conn, user, nick, file),
            ToServer::DownloadFirewalled { nick, file } => self.push(cx, conn, user, nick, file),
            ToServer::AcceptUpload { nick, file } => self.accept_upload(cx, conn, user, nick, file),
            ToServer::RefuseUpload { nick, file } => self.refuse_upload(cx, user, nick, file),
            ToServer::QueueLimit { nick, file, limit } => self.queue_limit(cx, user, nick, file, limit),
            ToServer::DownloadStart | ToServer::DownloadEnd | ToServer::UploadStart | ToServer::UploadEnd => {
                self.relay_of(user, &message);
                self.count_transfer(user, frame.kind);
            }
            ToServer::Browse(nick) => self.browse_of(cx, conn, user, nick),
            ToServer::DirectBrowse(nick) => self.direct_browse(cx, conn, user, nick),
            ToServer::AcceptBrowse(nick) => self.accept_browse(cx, conn, user, nick),
            ToServer::RefuseBrowse { nick, text } => self.refuse_browse(cx, user, nick, text),
            other => self.of_people(cx, conn, user, other, frame),
        }
    }

    /// Users about users and about themselves.
    fn of_people(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        message: ToServer<'_>,
        frame: &Frame,
    ) {
        match message {
            ToServer::PrivateMessage { nick, text } => self.private_message(cx, conn, user, nick, text),
            ToServer::HotlistAdd(nick) | ToServer::HotlistInitial(nick) => {
                self.hotlist_add(cx, conn, user, nick)
            }
            ToServer::HotlistRemove(nick) => self.hotlist_remove(user, nick),
            ToServer::IgnoreList => self.ignore_list(cx, conn, user),
            ToServer::Ignore(nick) => self.ignore(cx, conn, user, nick),
            ToServer::Unignore(nick) => self.unignore(cx, conn, user, nick),
            ToServer::IgnoreClear => self.ignore_clear(cx, conn, user),
            ToServer::LinkSpeed(nick) => self.link_speed(cx, conn, nick),
            ToServer::Whois(nick) => self.whois(cx, conn, user, nick),
            ToServer::PortError(nick) => self.port_error(cx, conn, user, nick),
            ToServer::Ping { nick, text } => self.ping(cx, conn, user, nick, text, false),
            ToServer::Pong { nick, text } => self.ping(cx, conn, user, nick, text, true),
            ToServer::SetOwnSpeed(speed) => self.set_speed(user, speed),
            ToServer::DataPort(port) => {
                self.set_port(user, port);
                self.relay_of(user, &message);
            }
            // A port to test: the server dials nobody.
            ToServer::OptionalPort(_) => {}
            ToServer::SetOwnPassword(password) => {
                let nick = self.nick_of(user);
                if self.users.get(user).is_some_and(|user| user.registered) {
                    self.set_password(cx, conn, &nick, password);
                }
            }
            ToServer::SetOwnEmail(email) => self.set_email(cx, user, email),
            other => self.of_server(cx, conn, user, other, frame),
        }
    }

    /// Questions to the server itself, and what belongs before the login.
    fn of_server(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        message: ToServer<'_>,
        frame: &Frame,
    ) {
        match message {
            ToServer::Stats => {
                let mut out = self.buffer();
                self.put_counts(&mut out);
                self.deliver(cx, conn, out);
            }
            ToServer::Motd => {
                let mut out = self.buffer();
                self.put_motd(&mut out);
                self.deliver(cx, conn, out);
            }
            ToServer::ServerPing(_) => {
                let name = format!("{} ", self.config.name);
                self.tell(cx, conn, &ToClient::ServerPing(name.as_bytes()));
            }
            ToServer::VersionCheck(_) => self.tell(cx, conn, &ToClient::Version(b"")),
            ToServer::CheckNick(nick) => self.check_nick(cx, conn, nick),
            // Whose password it is was settled by the login.
            ToServer::CheckPassword { .. } | ToServer::RegistrationDetails(_) => {}
            ToServer::Login(_) | ToServer::Register(_) => self.notice(cx, conn, "You are already logged in"),
            ToServer::ServerVersion => {
                if self.is_allowed(cx, conn, user, Level::Moderator, "") {
                    self.notice(cx, conn, concat!("p2p-napster ", env!("CARGO_PKG_VERSION")));
                }
            }
            // What the operator's program is told, not a user.
            ToServer::ReloadConfig(_) | ToServer::SetConfig(_) => self.denied(cx, conn),
            other => self.of_channels(cx, conn, user, other, frame),
        }
    }

    fn of_channels(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        message: ToServer<'_>,
        frame: &Frame,
    ) {
        match message {
            ToServer::JoinChannel(channel) => self.join(cx, conn, user, channel),
            ToServer::PartChannel(channel) => self.part(cx, conn, user, channel),
            ToServer::Say { channel, text } => self.say(cx, conn, user, channel, text),
            ToServer::Emote { channel, text } => self.emote(cx, conn, user, channel, text),
            ToServer::SetTopic { channel, topic } => self.topic(cx, conn, user, channel, topic),
            ToServer::ChannelList => self.list_channels(cx, conn, user, false),
            ToServer::FullChannelList => self.list_channels(cx, conn, user, true),
            ToServer::ChannelNames(channel) => self.names(cx, conn, channel),
            ToServer::ChannelBanList(channel) => self.list_channel_bans(cx, conn, channel),
            ToServer::ChannelBan { channel, who, reason } => {
                self.channel_ban(cx, conn, user, channel, who, reason);
            }
            ToServer::ChannelUnban { channel, who, .. } => {
                self.channel_unban(cx, conn, user, channel, Some(who))
            }
            ToServer::ChannelBanClear(channel) => self.channel_unban(cx, conn, user, channel, None),
            ToServer::ClearChannel(channel) => self.clear_channel(cx, conn, user, channel),
            ToServer::ChannelLevel { channel, level } => self.channel_level(cx, conn, user, channel, level),
            ToServer::ChannelLimit { channel, limit } => self.channel_limit(cx, conn, user, channel, limit),
            ToServer::Kick { channel, nick, reason } => {
                self.kick(cx, conn, user, channel, nick, reason.unwrap_or_default());
            }
            other => self.of_operators(cx, conn, user, other, frame),
        }
    }

    fn of_operators(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        message: ToServer<'_>,
        frame: &Frame,
    ) {
        match message {
            ToServer::SetLevel { nick, level } => self.order_level(cx, conn, user, nick, level),
            ToServer::Kill { nick, reason } => self.kill(cx, conn, user, nick, reason.unwrap_or_default()),
            ToServer::Nuke(nick) => self.nuke(cx, conn, user, nick),
            ToServer::Ban { .. } => self.order_ban(cx, conn, user, Kind::Ban, &frame.body),
            ToServer::Muzzle { .. } => self.order_ban(cx, conn, user, Kind::Muzzle, &frame.body),
            ToServer::Unban { who, .. } => self.order_lift(cx, conn, user, Kind::Ban, who),
            ToServer::Unmuzzle { nick, .. } => self.order_lift(cx, conn, user, Kind::Muzzle, nick),
            ToServer::BanList => self.list_bans(cx, conn, user),
            ToServer::SetPort { nick, port } => self.order_port(cx, conn, user, nick, port),
            ToServer::SetSpeed { nick, speed } => self.order_speed(cx, conn, user, nick, speed),
            ToServer::SetPassword { nick, password, .. } => {
                self.order_password(cx, conn, user, nick, password)
            }
            ToServer::Redirect { nick, host, port } => {
                self.redirect(cx, conn, user, nick, &ToClient::Redirect { host, port });
            }
            ToServer::Cycle { nick, host } => self.redirect(cx, conn, user, nick, &ToClient::Cycle(host)),
            ToServer::OperatorMessage(text) => self.operator_message(cx, conn, user, text),
            ToServer::GlobalMessage(text) => self.global_message(cx, conn, user, text),
            ToServer::UserList(_) => self.list_users(cx, conn, user),
            ToServer::Other(kind, body) => self.of_opennap(cx, conn, user, kind, body),
            // 430, 624, 652 and whatever the table will have: opennap does not know them either.
            _ => self.unknown(cx, conn, frame.kind),
        }
    }

    /// What only opennap has.
    fn of_opennap(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, kind: u16, body: &[u8]) {
        let mut fields = Fields::new(body);
        let mut word = || fields.next().ok().flatten().map(|field| field.bytes);
        match kind {
            920 => {}
            10100 => self.order_link(cx, conn, user, body),
            10101 => self.order_link_end(cx, conn, user, body),
            10112 => self.list_links(cx, conn),
            10115 => {
                let (counts, up) = (self.counts(), cx.now().since(self.started).as_secs());
                let gigabytes = counts.bytes >> 30;
                let began = cx.unix_now().as_secs().saturating_sub(up);
                let text = format!(
                    "{} 0 {} {} {gigabytes} {} 0 {began} {up} 0 {} 0 0 0 0 0 0",
                    counts.users, counts.users, counts.files, counts.channels, counts.accounts,
                );
                self.tell(cx, conn, &ToClient::Other(10115, text.as_bytes()));
            }
            10119 => match word().and_then(|nick| self.users.named(nick)) {
                Some((_, user)) => {
                    let server = user.home.as_ref().map_or(self.config.name.as_bytes(), |home| &home.server);
                    let text = [&user.nick[..], b" is on ", server].concat();
                    self.tell(cx, conn, &ToClient::Notice(&text));
                }
                None => self.notice(cx, conn, "no such user"),
            },
            10204 | 10205 => match (word(), word()) {
                (Some(channel), Some(nick)) => {
                    self.set_channel_operator(cx, conn, user, (channel, nick), kind == 10204);
                }
                _ => self.notice(cx, conn, "invalid parameters"),
            },
            // Voices, invitations and the like of channels that opennap has.
            10206..=10214 => self.notice(cx, conn, "no such channel"),
            // The administration of opennap's links, classes and lines: nobody is its administrator here.
            9998 | 9999 | 10102..=10126 | 10200..=10203 | 10250..=10264 => self.denied(cx, conn),
            _ => self.unknown(cx, conn, kind),
        }
    }

    fn unknown(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, kind: u16) {
        self.stats.malformed += 1;
        self.notice(cx, conn, &format!("Unknown command code {kind}"));
    }
}
