//! Streams of the data port: who greets whom, and what each stream is for.
//!
//! ```text
//!  accepted ── "1" out ─┬─ GET ── nick "file" offset ─────── upload
//!                       ├─ SEND ── nick "file" size ── offset out ── download
//!                       ├─ GETLIST ── list out
//!                       └─ SENDLIST nick ── list in
//!  dialled ── "1" in ───┬─ GET, nick "file" offset out ───── download
//!                       ├─ SEND, nick "file" size out ── offset in ── upload
//!                       └─ GETLIST out ── list in
//! ```
//!
//! What is said after a verb has no end of its own. A number that cannot go on, a known one, or a short silence ends it.

use super::browse::{ListIn, ListOut};
use super::downloads::Stage;
use super::uploads::{Push, Upload};
use super::{Client, Context, SourceError, Timer};
use crate::transfer::intake::{Intake, Useless};
use crate::transfer::wire::{self, GREETING, REQUEST_MAX, Read, Refusal, Reply, Request};
use crate::wire::message::ToServer;
use crate::wire::text::decimal;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::{ConnId, Duration, IoError, StreamInput};

/// How long the second write of a request waits for the first to have left: real clients read the verb alone.
const BETWEEN_WRITES: Duration = Duration::from_millis(20);
/// How long after the last byte something without an end counts as ended.
const QUIET: Duration = Duration::from_millis(200);
/// Digits of the largest `u64`, and a blank.
const NUMBER: usize = 21;

/// A stream of the data port.
#[derive(Debug)]
pub(super) enum Stream {
    /// Accepted: what it wants is not understood yet.
    Greeting(Vec<u8>),
    /// We dialled to get a file for this download.
    Get { key: u32, step: Step },
    /// A holder dialled to bring a file for this download.
    Brought { key: u32 },
    /// We dialled to bring a file.
    Push(Push),
    /// A file goes out.
    Upload(Upload),
    /// A list goes out.
    ListOut(ListOut),
    /// A list comes in.
    ListIn(ListIn),
}

/// How far a dialled stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Until the other end says "1".
    Greeting,
    /// The verb was sent; what follows is a write of its own.
    Verb,
    /// All was said.
    Said,
}

/// Whether a port that was dialled is as good as none.
const fn is_closed_port(how: Result<(), IoError>) -> bool {
    matches!(how, Err(IoError::Refused | IoError::TimedOut | IoError::Unreachable))
}

impl Stream {
    /// Bytes kept that are not understood yet.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Greeting(text) => text.len(),
            Self::Push(push) => push.heard.len(),
            _ => 0,
        }
    }
}

impl Client {
    pub(super) fn dial_for_file(&mut self, conn: ConnId, key: u32) {
        self.streams.insert(conn, Stream::Get { key, step: Step::Greeting });
    }

    pub(super) fn data_stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Context<'_>) {
        match input {
            StreamInput::Open { listener: Some(_), .. } => self.accepted(conn, cx),
            StreamInput::Open { listener: None, .. } => {
                if self.streams.contains_key(&conn) {
                    cx.set_timer(Timer::Stream(conn), self.config.limits.greeting);
                }
            }
            StreamInput::Data(data) => self.heard_on(conn, data, cx),
            StreamInput::Full => self.stream_full(conn, true, cx),
            StreamInput::Ready => self.stream_full(conn, false, cx),
            StreamInput::Secured(_) => {}
            StreamInput::Closed(how) => self.stream_closed(conn, how, cx),
        }
    }

    fn accepted(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        if self.stopping {
            return cx.abort(conn);
        }
        let greeting = |stream: &Stream| matches!(stream, Stream::Greeting(_));
        let mut waiting = self.streams.iter().filter(|(_, stream)| greeting(stream)).map(|(conn, _)| *conn);
        if let Some(oldest) = waiting.next()
            && waiting.count() + 1 >= self.config.limits.greeting_streams
        {
            self.drop_stream(oldest, cx);
        }
        self.streams.insert(conn, Stream::Greeting(Vec::new()));
        cx.set_timer(Timer::Stream(conn), self.config.limits.greeting);
        cx.send(conn, Bytes::from_static(&[GREETING]));
    }

    /// Forgets a stream and breaks it off.
    pub(super) fn drop_stream(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        if let Some(stream) = self.forget_stream(conn, cx) {
            cx.abort(conn);
            self.stream_over(&stream, cx);
        }
    }

    /// Forgets a stream after what is queued on it has left.
    pub(super) fn close_stream(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        if let Some(stream) = self.forget_stream(conn, cx) {
            cx.close(conn);
            self.stream_over(&stream, cx);
        }
    }

    fn forget_stream(&mut self, conn: ConnId, cx: &mut Context<'_>) -> Option<Stream> {
        let stream = self.streams.remove(&conn)?;
        cx.clear_timer(Timer::Stream(conn));
        cx.clear_timer(Timer::Word(conn));
        Some(stream)
    }

    /// What a stream held is free again.
    fn stream_over(&mut self, stream: &Stream, cx: &mut Context<'_>) {
        match stream {
            Stream::Upload(upload) => self.upload_over(upload, cx),
            Stream::Push(push) => self.push_over(push),
            _ => {}
        }
    }

    fn stream_closed(&mut self, conn: ConnId, how: Result<(), IoError>, cx: &mut Context<'_>) {
        let Some(stream) = self.forget_stream(conn, cx) else { return };
        self.stream_over(&stream, cx);
        match stream {
            Stream::Get { key, step: Step::Greeting } if is_closed_port(how) => {
                self.port_is_closed(key, cx);
                self.receiving_ended(key, how, cx);
            }
            Stream::Get { key, .. } | Stream::Brought { key } => self.receiving_ended(key, how, cx),
            Stream::ListIn(list) => self.list_ended(&list, cx),
            _ => {}
        }
    }

    /// Lets a holder know that nobody gets through to its data port: it may not know that yet.
    fn port_is_closed(&mut self, key: u32, cx: &mut Context<'_>) {
        let source = self.downloads.get(&key).and_then(|download| download.source());
        if let Some(nick) = source.map(|source| source.nick.clone()) {
            self.say(&ToServer::PortError(&nick), cx);
        }
    }

    /// It has waited long enough.
    pub(super) fn stream_late(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        match self.streams.get_mut(&conn) {
            Some(Stream::Upload(upload)) if upload.moved => {
                upload.moved = false;
                cx.set_timer(Timer::Stream(conn), self.config.limits.silence);
            }
            Some(Stream::Get { key, .. }) => {
                let key = *key;
                self.drop_stream(conn, cx);
                self.source_failed(key, SourceError::Silent, cx);
            }
            Some(_) => self.drop_stream(conn, cx),
            None => {}
        }
    }

    fn heard_on(&mut self, conn: ConnId, data: Bytes, cx: &mut Context<'_>) {
        match self.streams.get_mut(&conn) {
            Some(Stream::Greeting(text)) => {
                let room = (REQUEST_MAX + 1).saturating_sub(text.len());
                text.extend_from_slice(&data[..data.len().min(room)]);
                self.understand(conn, false, cx);
            }
            Some(Stream::Get { .. }) => self.heard_from_holder(conn, data, cx),
            Some(Stream::Brought { key }) => {
                let key = *key;
                self.received(key, data, cx);
            }
            Some(Stream::Push(push)) => {
                if push.heard_one || push.step != Step::Greeting {
                    push.hear(&data, NUMBER);
                    self.offset_heard(conn, false, cx);
                } else if data.first() == Some(&GREETING) {
                    push.heard_one = true;
                    push.hear(&data[1..], NUMBER);
                    cx.send(conn, Bytes::from_static(b"SEND"));
                    self.second_write_due(conn, Step::Verb, cx);
                } else {
                    self.drop_stream(conn, cx);
                }
            }
            Some(Stream::ListIn(_)) => self.heard_of_list(conn, &data, cx),
            // Who gets something has nothing more to say.
            Some(Stream::Upload(_) | Stream::ListOut(_)) | None => {}
        }
    }

    fn heard_from_holder(&mut self, conn: ConnId, mut data: Bytes, cx: &mut Context<'_>) {
        let Some(Stream::Get { key, step }) = self.streams.get(&conn) else { return };
        let (key, step) = (*key, *step);
        if step == Step::Greeting {
            if data.first() == Some(&GREETING) {
                let _ = data.split_to(1);
                cx.send(conn, Bytes::from_static(b"GET"));
                self.second_write_due(conn, Step::Verb, cx);
                let intake = self.new_intake(key);
                if let Some(download) = self.downloads.get_mut(&key) {
                    download.intake = intake;
                }
            } else {
                self.drop_stream(conn, cx);
                let words = Bytes::copy_from_slice(&data[..data.len().min(64)]);
                return self.source_failed(key, Useless::Refused(words).into(), cx);
            }
        }
        if !data.is_empty() {
            self.received(key, data, cx);
        }
    }

    pub(super) fn second_write_due(&mut self, conn: ConnId, step: Step, cx: &mut Context<'_>) {
        match self.streams.get_mut(&conn) {
            Some(Stream::Get { step: at, .. }) => *at = step,
            Some(Stream::Push(push)) => push.step = step,
            _ => {}
        }
        cx.set_timer(Timer::Word(conn), BETWEEN_WRITES);
    }

    /// The second write is due, or what has no end counts as ended.
    pub(super) fn word_due(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        match self.streams.get_mut(&conn) {
            Some(Stream::Greeting(_)) => self.understand(conn, true, cx),
            Some(Stream::Get { key, step }) if *step == Step::Verb => {
                *step = Step::Said;
                let key = *key;
                let Some(download) = self.downloads.get(&key) else { return };
                let Some(source) = download.source() else { return };
                let offset = download.intake.as_ref().map_or(0, Intake::asks_from);
                let request = Request::Download { nick: &self.config.nick, file: &source.name, offset };
                request.put_arguments(&mut self.out);
                cx.send(conn, self.out.split().freeze());
                cx.clear_timer(Timer::Stream(conn));
                self.receiving(key, conn, cx);
            }
            Some(Stream::Push(push)) if push.step == Step::Verb => {
                push.step = Step::Said;
                let request = Request::Upload { nick: &self.config.nick, file: &push.name, size: push.size };
                request.put_arguments(&mut self.out);
                cx.send(conn, self.out.split().freeze());
                self.offset_heard(conn, false, cx);
            }
            // Nothing followed a file whose size was in doubt.
            Some(Stream::Get { key, .. }) => {
                let key = *key;
                self.line_done(key, false, cx);
            }
            Some(Stream::Push(_)) => self.offset_heard(conn, true, cx),
            Some(Stream::ListOut(_)) => self.pump_list(conn, cx),
            _ => {}
        }
    }

    /// What an accepted stream wants, as far as it has said so; `ended` says that no more comes of it.
    fn understand(&mut self, conn: ConnId, ended: bool, cx: &mut Context<'_>) {
        let Some(Stream::Greeting(text)) = self.streams.get_mut(&conn) else { return };
        let text = core::mem::take(text);
        let (request, len) = match wire::read_request(&text) {
            Ok(Read::Done(request, len)) => (request, len),
            Ok(Read::Maybe(request, len)) if ended => (request, len),
            unclear @ Ok(Read::Incomplete | Read::Maybe(..)) => {
                if matches!(unclear, Ok(Read::Maybe(..))) {
                    cx.set_timer(Timer::Word(conn), QUIET);
                }
                self.streams.insert(conn, Stream::Greeting(text));
                return;
            }
            Err(_) => return self.invalid(conn, cx),
        };
        match request {
            Request::Download { nick, file, offset } => self.upload_begins(conn, nick, file, offset, cx),
            Request::Upload { nick, file, size } => self.brought(conn, (nick, file), size, &text[len..], cx),
            Request::GetList => self.list_wanted(conn, cx),
            Request::SendList => self.list_brought(conn, &text, cx),
        }
    }

    /// Says no, and closes.
    pub(super) fn invalid(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        wire::put_reply(&mut self.out, Reply::Refused(Refusal::InvalidRequest));
        cx.send(conn, self.out.split().freeze());
        self.close_stream(conn, cx);
    }

    /// `SEND`: a holder that was asked by 500 brings the file. Some say only the last part of its name.
    fn brought(
        &mut self,
        conn: ConnId,
        (nick, name): (&[u8], &[u8]),
        size: u64,
        rest: &[u8],
        cx: &mut Context<'_>,
    ) {
        let is_name = |known: &[u8]| known == name || crate::transfer::name::base(known) == name;
        let found = self.waiting_for(nick, is_name, |stage| matches!(stage, Stage::Pushed));
        let Some(key) = found else { return self.invalid(conn, cx) };
        let Some(intake) = self.new_intake(key) else { return };
        let from = intake.asks_from();
        let Some(download) = self.downloads.get_mut(&key) else { return };
        match intake.said(size, &download.known) {
            Ok(intake) => {
                download.size = Some(size);
                download.intake = Some(intake);
                self.streams.insert(conn, Stream::Brought { key });
                cx.clear_timer(Timer::Stream(conn));
                cx.clear_timer(Timer::Word(conn));
                wire::put_reply(&mut self.out, Reply::Number(from));
                cx.send(conn, self.out.split().freeze());
                self.receiving(key, conn, cx);
                // A file of no bytes is complete.
                self.received(key, Bytes::copy_from_slice(rest), cx);
            }
            Err(why) => {
                self.invalid(conn, cx);
                self.source_failed(key, why.into(), cx);
            }
        }
    }

    /// The offset that a downloader answers `SEND` with.
    fn offset_heard(&mut self, conn: ConnId, ended: bool, cx: &mut Context<'_>) {
        let Some(Stream::Push(push)) = self.streams.get(&conn) else { return };
        if push.step != Step::Said || push.heard.is_empty() {
            return;
        }
        let Some(offset) = decimal(push.heard.trim_ascii()).filter(|offset| *offset <= push.size) else {
            return self.drop_stream(conn, cx);
        };
        // A number that begins with 0 cannot go on.
        if !ended && push.heard != b"0" {
            return cx.set_timer(Timer::Word(conn), QUIET);
        }
        self.push_begins(conn, offset, cx);
    }
}
