//! Lists of files from client to client, in both directions.
//!
//! The list is a nick and an end of line, a line for each file as in type 100, and an empty line. Who was dialled gets
//! `GETLIST`; who cannot be dialled brings `SENDLIST nick`. One client answers `GETLIST` with `SENDLIST` on a line of
//! its own first.

use super::data::{Step, Stream};
use super::event::Event;
use super::questions::Asked;
use super::searches::of_file;
use super::{Client, Context, Error, Timer};
use crate::transfer::wire::{self, GREETING, ListItem, ListReader};
use crate::wire::message::{ToServer, WireAddr};
use alloc::boxed::Box;
use bytes::Bytes;
use core::ops::Bound;
use p2p_core::{ConnId, OpId};

/// Bytes of lines joined into one write.
const BATCH: usize = 32 * 1024;

/// A list that goes out.
#[derive(Debug)]
pub(super) struct ListOut {
    cursor: Bound<Bytes>,
    pub(super) full: bool,
}

/// A list that comes in.
#[derive(Debug)]
pub(super) struct ListIn {
    op: OpId,
    nick: Bytes,
    step: Step,
    reader: ListReader,
    /// Whether the nick's line came.
    named: bool,
    count: usize,
}

impl Client {
    /// 640: somebody wants our list, and will dial for it.
    pub(super) fn list_asked(&mut self, nick: &[u8], cx: &mut Context<'_>) {
        let now = cx.now();
        self.list_requests.retain(|until| *until > now);
        let reachable = self.port() > 0 && !self.stopping;
        if !reachable || self.list_requests.len() >= self.config.limits.list_requests {
            return self.say(&ToServer::RefuseBrowse { nick, text: None }, cx);
        }
        self.list_requests.push(now + self.config.limits.greeting * 2);
        self.say(&ToServer::AcceptBrowse(nick), cx);
    }

    /// `GETLIST`.
    pub(super) fn list_wanted(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let now = cx.now();
        self.list_requests.retain(|until| *until > now);
        if self.list_requests.is_empty() {
            return self.invalid(conn, cx);
        }
        self.list_requests.remove(0);
        cx.clear_timer(Timer::Word(conn));
        wire::put_list_nick(&mut self.out, &self.config.nick);
        self.streams.insert(conn, Stream::ListOut(ListOut { cursor: Bound::Unbounded, full: false }));
        cx.set_timer(Timer::Stream(conn), self.config.limits.silence * 4);
        self.pump_list(conn, cx);
    }

    /// Writes lines until all are written or the stream is full.
    pub(super) fn pump_list(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(Stream::ListOut(list)) = self.streams.get_mut(&conn) else { return };
        if list.full {
            return;
        }
        let mut last = false;
        while self.out.len() < BATCH && !last {
            match self.shares.next(&list.cursor) {
                Some((name, share)) => {
                    share.described(name, |file| wire::put_list_file(&mut self.out, &file));
                    list.cursor = Bound::Excluded(name.clone());
                }
                None => {
                    wire::put_list_end(&mut self.out);
                    last = true;
                }
            }
        }
        cx.send(conn, self.out.split().freeze());
        if last {
            self.close_stream(conn, cx);
        } else {
            // A turn ends here, so that the driver can say whether there is room for more.
            cx.set_timer(Timer::Word(conn), core::time::Duration::ZERO);
        }
    }

    /// 641: the user accepts, and waits at this address.
    pub(super) fn list_offered(&mut self, nick: &[u8], addr: WireAddr, port: u16, cx: &mut Context<'_>) {
        let Some(op) = self.asked(nick, |what| what == Asked::DirectBrowse) else { return };
        if port == 0 {
            // Then the user brings the list, within the time that the question has.
            return;
        }
        match self.checked_address(addr.into(), port) {
            Ok(at) => {
                let conn = cx.connect(at);
                self.list_begins(conn, op, Bytes::copy_from_slice(nick), Step::Greeting, cx);
            }
            Err(why) => self.answered(op, Err(Error::Source(why.into())), cx),
        }
    }

    /// 642.
    pub(super) fn list_refused(&mut self, nick: &[u8], cx: &mut Context<'_>) {
        if let Some(op) = self.asked(nick, |what| what == Asked::DirectBrowse) {
            self.answered(op, Err(Error::Source(super::SourceError::Refused)), cx);
        }
    }

    /// `SENDLIST nick`: of a user that was asked, or of nobody.
    pub(super) fn list_brought(&mut self, conn: ConnId, text: &[u8], cx: &mut Context<'_>) {
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.len() == text.len() {
            // Its end has not come.
            self.streams.insert(conn, Stream::Greeting(text.to_vec()));
            return;
        }
        let nick = line.strip_prefix(b"SENDLIST").unwrap_or_default().trim_ascii();
        let Some(op) = self.asked(nick, |what| what == Asked::DirectBrowse) else {
            return self.drop_stream(conn, cx);
        };
        self.list_begins(conn, op, Bytes::copy_from_slice(nick), Step::Said, cx);
        self.heard_of_list(conn, text, cx);
    }

    fn list_begins(&mut self, conn: ConnId, op: OpId, nick: Bytes, step: Step, cx: &mut Context<'_>) {
        if let Some(question) = self.questions.get_mut(&op) {
            question.what = Asked::List(conn);
        }
        cx.clear_timer(Timer::Word(conn));
        let list = ListIn { op, nick, step, reader: ListReader::new(), named: false, count: 0 };
        self.streams.insert(conn, Stream::ListIn(list));
        cx.set_timer(Timer::Question(op), self.config.limits.answer);
        cx.set_timer(Timer::Stream(conn), self.config.limits.answer * 4);
    }

    pub(super) fn heard_of_list(&mut self, conn: ConnId, mut data: &[u8], cx: &mut Context<'_>) {
        let Some(Stream::ListIn(list)) = self.streams.get_mut(&conn) else { return };
        let op = list.op;
        let refused = Err(Error::Source(super::SourceError::Refused));
        if list.step == Step::Greeting {
            let Some((&GREETING, rest)) = data.split_first() else {
                return self.answered(op, refused, cx);
            };
            data = rest;
            list.step = Step::Said;
            cx.send(conn, Bytes::from_static(b"GETLIST"));
        }
        cx.set_timer(Timer::Question(op), self.config.limits.answer);
        let (nick, limit) = (list.nick.clone(), self.config.limits.browse);
        let (named, count) = (&mut list.named, &mut list.count);
        let ended = list.reader.push(data, |item| match item {
            // A refusal has the form of a nick with a space.
            ListItem::Nick(says) => *named = !says.starts_with(b"INVALID"),
            ListItem::File(file) => {
                *count += 1;
                if *count <= limit {
                    cx.answer(op, Event::Hit(Box::new(of_file(&file, &nick, None, 0))));
                }
            }
        });
        match ended {
            Ok(false) => {}
            Ok(true) if list.named => self.answered(op, Ok(()), cx),
            Ok(true) => self.answered(op, refused, cx),
            Err(_) => self.answered(op, Err(Error::Garbled), cx),
        }
    }

    /// The stream of a list has ended. Some end it without the empty line.
    pub(super) fn list_ended(&mut self, list: &ListIn, cx: &mut Context<'_>) {
        let result = if list.named { Ok(()) } else { Err(Error::Source(super::SourceError::Silent)) };
        self.answered(list.op, result, cx);
    }
}
