//! What the application asks for.

use super::ask::Command;
use super::questions::Asked;
use super::{Client, Context, Error};
use crate::transfer::slots::folded;
use crate::wire::frame::FROM_CLIENT_MAX;
use crate::wire::message::ToServer;
use p2p_core::OpId;

/// What the client says when it is time: said by somebody else, it would no longer know what the server knows, or whose
/// answers come.
const fn is_own(kind: u16) -> bool {
    matches!(
        kind,
        2 | 6
            | 7
            | 11
            | 100
            | 102
            | 110
            | 870
            | 10300
            | 200
            | 203
            | 211
            | 215
            | 500
            | 603
            | 617
            | 207
            | 208
            | 303
            | 322
            | 323
            | 326
            | 400
            | 401
            | 608
            | 609
            | 619
            | 640..=642 | 703 | 751 | 752
    )
}

impl Client {
    pub(super) fn command(&mut self, op: OpId, command: Command, cx: &mut Context<'_>) {
        if self.stopping {
            return cx.finish(op, Err(Error::Stopping));
        }
        match command {
            Command::Join(bootstrap) => return self.join(op, bootstrap, cx),
            Command::Share(file) => return self.share(op, *file, cx),
            Command::Unshare(name) => return self.unshare(op, &name, cx),
            Command::Search(query) => return self.search(op, query, cx),
            Command::Holders { md5, size } => return self.holders(op, md5, size, cx),
            Command::Download(wanted) => return self.download(op, *wanted, true, cx),
            Command::Fetch(wanted) => return self.download(op, *wanted, false, cx),
            Command::Browse(nick) => return self.question(op, Asked::Browse, nick, cx),
            Command::BrowseDirect(nick) => return self.question(op, Asked::DirectBrowse, nick, cx),
            Command::Whois(nick) => return self.question(op, Asked::Whois, nick, cx),
            Command::Ping(nick) => return self.question(op, Asked::Ping, nick, cx),
            Command::Channels => {
                let nobody = bytes::Bytes::new();
                return self.question(op, Asked::Channels, nobody, cx);
            }
            Command::Leave => self.leave(cx),
            Command::Watch(nick) => {
                self.say(&ToServer::HotlistAdd(&nick), cx);
                self.watched.insert(nick);
            }
            Command::Unwatch(nick) => {
                self.say(&ToServer::HotlistRemove(&nick), cx);
                self.watched.remove(&nick);
            }
            Command::Ignore(nick) => {
                self.say(&ToServer::Ignore(&nick), cx);
                self.ignored.insert(folded(&nick));
            }
            Command::Unignore(nick) => {
                self.say(&ToServer::Unignore(&nick), cx);
                self.ignored.remove(&folded(&nick));
            }
            Command::Enter(channel) => {
                self.say(&ToServer::JoinChannel(&channel), cx);
                self.channels.insert(channel);
            }
            Command::Part(channel) => {
                self.say(&ToServer::PartChannel(&channel), cx);
                self.channels.remove(&channel);
            }
            Command::Message { to, text } => {
                return self.speak(op, &ToServer::PrivateMessage { nick: &to, text: &text }, cx);
            }
            Command::Emote { channel, text } => {
                return self.speak(op, &ToServer::Emote { channel: &channel, text: &text }, cx);
            }
            Command::SetTopic { channel, text } => {
                return self.speak(op, &ToServer::SetTopic { channel: &channel, topic: &text }, cx);
            }
            Command::Raw { kind, .. } if is_own(kind) => return cx.finish(op, Err(Error::Own(kind))),
            Command::Raw { text, .. } if text.len() > usize::from(FROM_CLIENT_MAX) => {
                return cx.finish(op, Err(Error::Limit { what: "2048 bytes of a message" }));
            }
            Command::Raw { kind, text } => return self.speak(op, &ToServer::Other(kind, &text), cx),
            Command::Say { channel, text } => {
                return self.speak(op, &ToServer::Say { channel: &channel, text: &text }, cx);
            }
        }
        cx.finish(op, Ok(()));
    }

    /// Says something that is of no use later.
    fn speak(&mut self, op: OpId, message: &ToServer<'_>, cx: &mut Context<'_>) {
        if !self.is_online() {
            return cx.finish(op, Err(Error::Offline));
        }
        self.say(message, cx);
        cx.finish(op, Ok(()));
    }

    pub(super) fn reader_full(&mut self, op: OpId, full: bool, cx: &mut Context<'_>) {
        if let Some(&key) = self.download_ops.get(&op)
            && let Some(download) = self.downloads.get_mut(&key)
        {
            download.reader_full = full;
            self.hold_back(key, cx);
        }
    }

    pub(super) fn cancel(&mut self, op: OpId, cx: &mut Context<'_>) {
        if let Some(&key) = self.download_ops.get(&op) {
            return self.end_download(key, Err(Error::Cancelled), cx);
        }
        if self.questions.contains_key(&op) {
            return self.answered(op, Err(Error::Cancelled), cx);
        }
        if self.search_cancelled(op) || self.session.join_cancelled(op) || self.shares.cancelled(op) {
            cx.finish(op, Err(Error::Cancelled));
        }
    }
}
