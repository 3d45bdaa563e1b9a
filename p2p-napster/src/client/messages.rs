//! What the server says, and who is to hear of it.

use super::event::{Chat, Event, Suggestion, Whois};
use super::{Client, Context, Error, SourceError};
use crate::wire::message::{self, ToClient, ToServer};
use alloc::boxed::Box;
use bytes::Bytes;

/// Text kept beyond the message that it came in.
fn kept(text: &[u8]) -> Bytes {
    Bytes::copy_from_slice(text)
}

impl Client {
    pub(super) fn message(&mut self, kind: u16, body: &[u8], cx: &mut Context<'_>) {
        let Ok(message) = ToClient::parse(kind, body) else {
            self.session.malformed += 1;
            if self.session.malformed >= self.config.limits.malformed {
                self.session_failed(Error::Garbled, cx);
            }
            return;
        };
        if self.is_online() {
            self.heard(&message, (kind, body), cx)
        } else {
            self.heard_at_login(&message, cx)
        }
    }

    fn heard_at_login(&mut self, message: &ToClient<'_>, cx: &mut Context<'_>) {
        match *message {
            ToClient::LoginAck(ack) => self.logged_in(ack.zlib, cx),
            ToClient::LoginError(text) => self.session_failed(Error::Refused(kept(text)), cx),
            ToClient::Disconnecting(_) => self.session_failed(Error::ServerGone, cx),
            ToClient::NickFree => self.nick_checked(Ok(()), cx),
            ToClient::NickTaken => self.nick_checked(Err((9, Bytes::new())), cx),
            ToClient::NickInvalid(text) => self.nick_checked(Err((10, kept(text))), cx),
            ToClient::Motd(text) => cx.tell(Event::Motd(kept(text))),
            ToClient::Notice(text) => cx.tell(Event::Notice(kept(text))),
            ToClient::AutoUpgrade(text) => cx.tell(Event::Suggested(Suggestion::Upgrade(kept(text)))),
            _ => {}
        }
    }

    fn heard(&mut self, message: &ToClient<'_>, as_is: (u16, &[u8]), cx: &mut Context<'_>) {
        if self.ignores(message, cx) {
            return;
        }
        match *message {
            ToClient::LoginError(text) | ToClient::GhostLogin(text) => {
                self.session_failed(Error::Refused(kept(text)), cx);
            }
            ToClient::Disconnecting(_) => self.session_failed(Error::ServerGone, cx),
            ToClient::Hit(hit) => self.search_hit(&hit, cx),
            ToClient::SearchEnd => self.search_end(cx),
            ToClient::ResumeMatch(found) => self.holder_found(&found, cx),
            ToClient::ResumeEnd => self.holders_end(cx),
            ToClient::BrowseEntry { nick, file } => self.browse_entry(nick, &file, cx),
            ToClient::BrowseEnd { nick, .. } => self.browse_end(nick, cx),
            ToClient::Whois(whois) => self.whois(online(&whois), cx),
            ToClient::Whowas { nick, level, last_seen } => self.whois(gone(nick, level, last_seen), cx),
            ToClient::Pong { nick, .. } => self.pong(nick, cx),
            ToClient::Ping { nick, text } => self.say(&ToServer::Pong { nick, text }, cx),
            ToClient::ServerPing(text) => self.say(&ToServer::ServerPing(text), cx),
            ToClient::ChannelEntry { channel, users, topic } => self.channel_entry(channel, users, topic, cx),
            ToClient::ChannelListEnd => self.channels_end(cx),
            _ if self.heard_of_file(message, cx) => {}
            _ => self.heard_news(message, as_is, cx),
        }
    }

    /// Whether it comes of a user of whom nothing is to be heard.
    fn ignores(&mut self, message: &ToClient<'_>, cx: &mut Context<'_>) -> bool {
        let (nick, asks) = match *message {
            ToClient::PrivateMessage { nick, .. }
            | ToClient::Said { nick, .. }
            | ToClient::Emote { nick, .. }
            | ToClient::Ping { nick, .. }
            | ToClient::PushOrder(message::Offer { nick, .. }) => (nick, None),
            ToClient::Hit(ref hit) => (hit.nick, None),
            ToClient::ResumeMatch(ref found) => (found.nick, None),
            ToClient::UploadRequest { nick, file, .. } => (nick, Some(ToServer::RefuseUpload { nick, file })),
            ToClient::BrowseRequest(nick) => (nick, Some(ToServer::RefuseBrowse { nick, text: None })),
            _ => return false,
        };
        let ignored = self.is_ignored(nick);
        if let Some(refusal) = asks.filter(|_| ignored) {
            self.say(&refusal, cx);
        }
        ignored
    }

    /// Whether it was about a transfer.
    fn heard_of_file(&mut self, message: &ToClient<'_>, cx: &mut Context<'_>) -> bool {
        match *message {
            ToClient::DownloadAck(offer) => self.offered(&offer, cx),
            ToClient::DownloadError { nick, file } => self.refused(nick, file, SourceError::Offline, cx),
            ToClient::UploadRefused { nick, file } => self.refused(nick, file, SourceError::Refused, cx),
            ToClient::QueueLimit { nick, file, limit, .. } => self.queued(nick, file, limit.into(), cx),
            ToClient::UploadRequest { nick, file, .. } => self.upload_asked(nick, file, cx),
            ToClient::PushOrder(offer) => self.push_ordered(&offer, cx),
            ToClient::BrowseRequest(nick) => self.list_asked(nick, cx),
            ToClient::BrowseAccepted { nick, addr, port } => self.list_offered(nick, addr, port, cx),
            ToClient::BrowseError { nick, .. } => self.list_refused(nick, cx),
            _ => return false,
        }
        true
    }

    fn heard_news(&mut self, message: &ToClient<'_>, (kind, body): (u16, &[u8]), cx: &mut Context<'_>) {
        let event = match *message {
            ToClient::Motd(text) => Event::Motd(kept(text)),
            ToClient::Notice(text) => {
                self.perhaps_unknown(text, cx);
                Event::Notice(kept(text))
            }
            ToClient::Stats { users, files, gigabytes } => {
                Event::Stats { users: users.into(), files, gigabytes }
            }
            ToClient::PrivateMessage { nick, text }
            | ToClient::OperatorMessage { nick, text }
            | ToClient::GlobalMessage { nick, text } => Event::Message { from: kept(nick), text: kept(text) },
            ToClient::SignedOn { nick, .. } => Event::SignedOn(kept(nick)),
            ToClient::SignedOff(nick) => {
                self.questions_of_gone(nick, cx);
                Event::SignedOff(kept(nick))
            }
            ToClient::PortError(nick) => Event::Unreachable { nick: kept(nick) },
            ToClient::AutoUpgrade(text) => Event::Suggested(Suggestion::Upgrade(kept(text))),
            ToClient::SetPort(port) => Event::Suggested(Suggestion::Port(port)),
            ToClient::Redirect { host, port } => {
                let mut server = host.to_vec();
                server.extend_from_slice(alloc::format!(":{port}").as_bytes());
                Event::Suggested(Suggestion::Server(server.into()))
            }
            ToClient::Cycle(host) => Event::Suggested(Suggestion::Metaserver(kept(host))),
            ToClient::ConnectTest(text) => Event::Suggested(Suggestion::Dial(kept(text))),
            ToClient::ListenTest(text) => Event::Suggested(Suggestion::Listen(kept(text))),
            ref other => match self.chat(other) {
                Some(chat) => Event::Chat(chat),
                None => Event::Other { kind, text: kept(body) },
            },
        };
        cx.tell(event);
    }

    fn chat(&mut self, message: &ToClient<'_>) -> Option<Chat> {
        let member = |member: &message::Member<'_>, came| Chat::Member {
            channel: kept(member.channel),
            nick: kept(member.nick),
            shared: member.files.into(),
            came,
        };
        Some(match *message {
            ToClient::Joined(channel) => Chat::Entered(kept(channel)),
            ToClient::Parted(channel) => {
                self.channels.remove(channel);
                Chat::Left(kept(channel))
            }
            ToClient::UserJoined(ref of) => member(of, true),
            ToClient::Member(ref of) => member(of, false),
            ToClient::UserParted(ref of) => Chat::Parted { channel: kept(of.channel), nick: kept(of.nick) },
            ToClient::Topic { channel, topic } => Chat::Topic { channel: kept(channel), text: kept(topic) },
            ToClient::Said { channel, nick, text } => {
                Chat::Said { channel: kept(channel), nick: kept(nick), text: kept(text), emote: false }
            }
            ToClient::Emote { channel, nick, text } => {
                Chat::Said { channel: kept(channel), nick: kept(nick), text: kept(text), emote: true }
            }
            _ => return None,
        })
    }

    /// A refusal of a download that was asked for by 203 or 500.
    fn refused(&mut self, nick: &[u8], file: &[u8], why: SourceError, cx: &mut Context<'_>) {
        if let Some(key) = self.asked_of(nick, file) {
            self.source_failed(key, why, cx);
        }
    }

    /// 404 has no cause in it, but for a user who is not known the words name the nick.
    fn perhaps_unknown(&mut self, text: &[u8], cx: &mut Context<'_>) {
        let mut words = text.split(|byte| *byte == b' ');
        let unknown = text.ends_with(b"is not a known user") && words.next() == Some(b"user");
        if let Some(nick) = words.next().filter(|_| unknown) {
            self.user_unknown(&kept(nick), cx);
        }
    }
}

fn online(whois: &message::Whois<'_>) -> Box<Whois> {
    Box::new(Whois {
        nick: kept(whois.nick),
        level: kept(whois.level),
        seconds: whois.online_seconds,
        channels: kept(whois.channels.trim_ascii()),
        status: kept(whois.status),
        shared: whois.files.into(),
        downloads: whois.downloads.into(),
        uploads: whois.uploads.into(),
        speed: whois.speed.0,
        client: kept(whois.client),
        online: true,
    })
}

fn gone(nick: &[u8], level: &[u8], last_seen: u64) -> Box<Whois> {
    Box::new(Whois {
        nick: kept(nick),
        level: kept(level),
        seconds: last_seen,
        channels: Bytes::new(),
        status: Bytes::new(),
        shared: 0,
        downloads: 0,
        uploads: 0,
        speed: 0,
        client: Bytes::new(),
        online: false,
    })
}
