//! Questions to the server about one user, and the list of channels: browse, whois, ping.

use super::event::{Event, Whois};
use super::searches::of_file;
use super::{Client, Context, Error, Timer};
use crate::wire::message::{SharedFile, ToServer};
use crate::wire::text::same_nick;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::{ConnId, OpId};

/// A question without an answer.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) what: Asked,
    /// Whom it is about; nobody for the list of channels.
    pub(super) nick: Bytes,
    /// Answers so far.
    pub(super) count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Whois,
    Browse,
    /// Until the user accepts.
    DirectBrowse,
    /// The list comes by this stream.
    List(ConnId),
    Ping,
    Channels,
}

impl Client {
    pub(super) fn question(&mut self, op: OpId, what: Asked, nick: Bytes, cx: &mut Context<'_>) {
        if !self.is_online() {
            return cx.finish(op, Err(Error::Offline));
        }
        if self.questions.len() >= self.config.limits.questions {
            return cx.finish(op, Err(Error::Limit { what: "questions" }));
        }
        let message = match what {
            Asked::Whois => ToServer::Whois(&nick),
            Asked::Browse => ToServer::Browse(&nick),
            Asked::DirectBrowse => ToServer::DirectBrowse(&nick),
            Asked::Ping => ToServer::Ping { nick: &nick, text: b"" },
            Asked::List(_) | Asked::Channels => ToServer::ChannelList,
        };
        self.say(&message, cx);
        self.questions.insert(op, Question { what, nick: nick.clone(), count: 0 });
        cx.set_timer(Timer::Question(op), self.config.limits.answer);
    }

    /// The first such question about this user.
    pub(super) fn asked(&self, nick: &[u8], is: impl Fn(Asked) -> bool) -> Option<OpId> {
        let mut questions = self.questions.iter();
        let found = questions.find(|(_, question)| is(question.what) && same_nick(&question.nick, nick));
        found.map(|(op, _)| *op)
    }

    pub(super) fn answered(&mut self, op: OpId, result: Result<(), Error>, cx: &mut Context<'_>) {
        if let Some(question) = self.questions.remove(&op) {
            cx.clear_timer(Timer::Question(op));
            cx.finish(op, result);
            if let Asked::List(conn) = question.what {
                self.drop_stream(conn, cx);
            }
        }
    }

    pub(super) fn question_late(&mut self, op: OpId, cx: &mut Context<'_>) {
        self.answered(op, Err(Error::TimedOut), cx);
    }

    /// The server is gone; lists that come from users go on.
    pub(super) fn questions_failed(&mut self, why: &Error, cx: &mut Context<'_>) {
        let failed: Vec<OpId> = self
            .questions
            .iter()
            .filter(|(_, question)| !matches!(question.what, Asked::List(_)))
            .map(|(op, _)| *op)
            .collect();
        for op in failed {
            self.answered(op, Err(why.clone()), cx);
        }
    }

    pub(super) fn whois(&mut self, whois: Box<Whois>, cx: &mut Context<'_>) {
        if let Some(op) = self.asked(&whois.nick, |what| what == Asked::Whois) {
            cx.answer(op, Event::Whois(whois));
            self.answered(op, Ok(()), cx);
        }
    }

    pub(super) fn pong(&mut self, nick: &[u8], cx: &mut Context<'_>) {
        if let Some(op) = self.asked(nick, |what| what == Asked::Ping) {
            self.answered(op, Ok(()), cx);
        }
    }

    pub(super) fn browse_entry(&mut self, nick: &[u8], file: &SharedFile<'_>, cx: &mut Context<'_>) {
        let Some(op) = self.asked(nick, |what| what == Asked::Browse) else { return };
        let Some(question) = self.questions.get_mut(&op) else { return };
        question.count += 1;
        // A long list is a sign of life; one without end is not.
        if question.count <= self.config.limits.browse {
            if question.count.is_multiple_of(256) {
                cx.set_timer(Timer::Question(op), self.config.limits.answer);
            }
            cx.answer(op, Event::Hit(Box::new(of_file(file, nick, None, 0))));
        }
    }

    pub(super) fn browse_end(&mut self, nick: &[u8], cx: &mut Context<'_>) {
        if let Some(op) = self.asked(nick, |what| what == Asked::Browse) {
            self.answered(op, Ok(()), cx);
        }
    }

    pub(super) fn channel_entry(&mut self, channel: &[u8], users: u32, topic: &[u8], cx: &mut Context<'_>) {
        if let Some(op) = self.asked(b"", |what| what == Asked::Channels) {
            let name = Bytes::copy_from_slice(channel);
            let topic = Bytes::copy_from_slice(topic);
            cx.answer(op, Event::Channel { name, users: users.into(), topic });
        }
    }

    pub(super) fn channels_end(&mut self, cx: &mut Context<'_>) {
        if let Some(op) = self.asked(b"", |what| what == Asked::Channels) {
            self.answered(op, Ok(()), cx);
        }
    }

    /// 210: said also of a user who was browsed and is not there; 213 follows.
    pub(super) fn questions_of_gone(&mut self, nick: &[u8], cx: &mut Context<'_>) {
        let is = |what| matches!(what, Asked::Browse | Asked::DirectBrowse | Asked::Ping);
        while let Some(op) = self.asked(nick, is) {
            self.answered(op, Err(Error::NoSuchUser), cx);
        }
    }

    /// The server says in words that it knows no such user.
    pub(super) fn user_unknown(&mut self, nick: &[u8], cx: &mut Context<'_>) {
        while let Some(op) = self.asked(nick, |what| !matches!(what, Asked::List(_) | Asked::Channels)) {
            self.answered(op, Err(Error::NoSuchUser), cx);
        }
    }
}
