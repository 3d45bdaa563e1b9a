//! Files given: requests, places, and the bytes from the disk to the stream.

use super::data::{Step, Stream};
use super::event::Event;
use super::{Client, Context, Timer, Work};
use crate::transfer::slots::Verdict;
use crate::transfer::wire::{self, Reply};
use crate::wire::message::{Offer, ToServer};
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::{ConnId, Duration, FileId, Instant, IoError, Job, Span};

/// A file that goes out.
#[derive(Debug)]
pub(super) struct Upload {
    number: u64,
    nick: Bytes,
    name: Bytes,
    file: FileId,
    size: u64,
    from: u64,
    /// The next byte to be read.
    next: u64,
    reading: bool,
    full: bool,
    /// Whether something left since the last look.
    pub(super) moved: bool,
    report_at: Instant,
}

/// A file that is to be brought to somebody who cannot dial us.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) nick: Bytes,
    pub(super) name: Bytes,
    pub(super) size: u64,
    file: FileId,
    pub(super) step: Step,
    pub(super) heard_one: bool,
    /// The offset so far.
    pub(super) heard: Vec<u8>,
}

impl Upload {
    /// Tells how it comes along, now and then.
    fn report(&mut self, every: Duration, cx: &mut Context<'_>) {
        let now = cx.now();
        if now >= self.report_at {
            self.report_at = now + every;
            cx.tell(Event::UploadProgress {
                upload: self.number,
                nick: self.nick.clone(),
                name: self.name.clone(),
                have: self.next,
                size: self.size,
            });
        }
    }
}

impl Push {
    pub(super) fn hear(&mut self, data: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.heard.len());
        self.heard.extend_from_slice(&data[..data.len().min(room)]);
    }
}

impl Client {
    /// 607: somebody wants a file. Only a name that was told to the server, byte for byte, is one of ours.
    pub(super) fn upload_asked(&mut self, nick: &[u8], name: &[u8], cx: &mut Context<'_>) {
        if self.stopping || self.shares.find(name).is_none() {
            return self.say(&ToServer::RefuseUpload { nick, file: name }, cx);
        }
        match self.slots.ask(cx.now(), nick, name) {
            Verdict::Accept => self.say(&ToServer::AcceptUpload { nick, file: name }, cx),
            Verdict::Wait(_) => {
                let limit = u32::try_from(self.config.limits.uploads.all).unwrap_or(u32::MAX);
                self.say(&ToServer::QueueLimit { nick, file: name, limit }, cx);
            }
        }
    }

    /// 501: a user whose request was accepted cannot dial us, so we dial. Nobody else is dialled.
    pub(super) fn push_ordered(&mut self, offer: &Offer<'_>, cx: &mut Context<'_>) {
        let Some(share) = self.shares.find(offer.file) else { return };
        let (file, size) = (share.file.clone(), share.size);
        if !self.slots.is_accepted(cx.now(), offer.nick, offer.file) {
            return;
        }
        let Ok(at) = self.checked_address(offer.addr.into(), offer.port) else { return };
        if !self.slots.begin(cx.now(), offer.nick, offer.file) {
            return;
        }
        let conn = cx.connect(at);
        let push = Push {
            nick: Bytes::copy_from_slice(offer.nick),
            name: Bytes::copy_from_slice(offer.file),
            size,
            file,
            step: Step::Greeting,
            heard_one: false,
            heard: Vec::new(),
        };
        self.streams.insert(conn, Stream::Push(push));
    }

    /// The downloader has answered `SEND`.
    pub(super) fn push_begins(&mut self, conn: ConnId, offset: u64, cx: &mut Context<'_>) {
        cx.clear_timer(Timer::Word(conn));
        let Some(Stream::Push(push)) = self.streams.remove(&conn) else { return };
        self.begin_upload(conn, push.nick, push.name, (push.file, push.size), offset, cx);
    }

    /// A push that did not come to be an upload.
    pub(super) fn push_over(&mut self, push: &Push) {
        self.slots.end(&push.nick);
    }

    /// `GET` of a request that was accepted; of anything else nothing is said but that it is invalid.
    pub(super) fn upload_begins(
        &mut self,
        conn: ConnId,
        nick: &[u8],
        name: &[u8],
        offset: u64,
        cx: &mut Context<'_>,
    ) {
        let share = self.shares.find(name).filter(|share| offset <= share.size);
        let Some((file, size)) = share.map(|share| (share.file.clone(), share.size)) else {
            return self.invalid(conn, cx);
        };
        if !self.slots.begin(cx.now(), nick, name) {
            return self.invalid(conn, cx);
        }
        cx.clear_timer(Timer::Word(conn));
        wire::put_reply(&mut self.out, Reply::Number(size));
        cx.send(conn, self.out.split().freeze());
        let (nick, name) = (Bytes::copy_from_slice(nick), Bytes::copy_from_slice(name));
        self.begin_upload(conn, nick, name, (file, size), offset, cx);
    }

    fn begin_upload(
        &mut self,
        conn: ConnId,
        nick: Bytes,
        name: Bytes,
        (file, size): (FileId, u64),
        offset: u64,
        cx: &mut Context<'_>,
    ) {
        self.uploads += 1;
        let number = self.uploads;
        cx.tell(Event::Uploading { upload: number, nick: nick.clone(), name: name.clone(), offset, size });
        self.tally(&ToServer::UploadStart, cx);
        let upload = Upload {
            number,
            nick,
            name,
            file,
            size,
            from: offset,
            next: offset,
            reading: false,
            full: false,
            moved: true,
            report_at: cx.now() + self.config.report_every,
        };
        self.streams.insert(conn, Stream::Upload(upload));
        cx.set_timer(Timer::Stream(conn), self.config.limits.silence);
        self.pump(conn, cx);
    }

    /// Reads the next bytes, unless the stream is full; closes it after the last.
    fn pump(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(Stream::Upload(upload)) = self.streams.get_mut(&conn) else { return };
        if upload.reading || upload.full {
            return;
        }
        if upload.next >= upload.size {
            return self.close_stream(conn, cx);
        }
        let len = (upload.size - upload.next).min(self.config.limits.read);
        let span = Span { file: upload.file.clone(), offset: upload.next, len };
        upload.reading = true;
        let job = cx.run(Job::Read { spans: alloc::vec![span] });
        self.jobs.insert(job, Work::Upload(conn));
    }

    pub(super) fn upload_read(&mut self, conn: ConnId, data: Result<Bytes, IoError>, cx: &mut Context<'_>) {
        let Some(Stream::Upload(upload)) = self.streams.get_mut(&conn) else { return };
        upload.reading = false;
        match data {
            Ok(data) => {
                upload.next += data.len() as u64;
                upload.moved = true;
                cx.send(conn, data);
                upload.report(self.config.report_every, cx);
                self.pump(conn, cx);
            }
            // It was changed or taken away while it was shared.
            Err(_) => self.drop_stream(conn, cx),
        }
    }

    pub(super) fn stream_full(&mut self, conn: ConnId, full: bool, cx: &mut Context<'_>) {
        match self.streams.get_mut(&conn) {
            Some(Stream::Upload(upload)) => {
                upload.full = full;
                upload.moved |= !full;
                self.pump(conn, cx);
            }
            Some(Stream::ListOut(list)) => {
                list.full = full;
                self.pump_list(conn, cx);
            }
            _ => {}
        }
    }

    /// An upload has ended, one way or the other.
    pub(super) fn upload_over(&mut self, upload: &Upload, cx: &mut Context<'_>) {
        self.slots.end(&upload.nick);
        self.tally(&ToServer::UploadEnd, cx);
        cx.tell(Event::Uploaded {
            upload: upload.number,
            nick: upload.nick.clone(),
            name: upload.name.clone(),
            sent: upload.next - upload.from,
            complete: upload.next >= upload.size,
        });
    }
}
