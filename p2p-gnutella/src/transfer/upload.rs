//! [`Upload`]: a part of a file on its way from the disk to a guest, as the buffers that the disk gave.

use super::guest::Doing;
use super::{Context, Event, Stream, Timer, Transfers, Work};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Range;
use p2p_core::hash::Sha1Hash;
use p2p_core::{ConnId, FileId, Job, JobDone, Span};

/// The fewest bytes that are read at once where the rate is limited.
const PORTION_MIN: u64 = 4 << 10;

/// A part of a file on its way out.
#[derive(Debug)]
pub(super) struct Upload {
    file: FileId,
    sha1: Sha1Hash,
    start: u64,
    /// What is not read yet.
    rest: Range<u64>,
    /// Bytes that are being read.
    reading: u64,
}

impl Upload {
    pub(super) const fn new(file: FileId, sha1: Sha1Hash, part: Range<u64>) -> Self {
        Self { file, sha1, start: part.start, rest: part, reading: 0 }
    }

    pub(super) const fn ended(&self, peer: SocketAddr) -> Event {
        Event::Uploaded { peer, sha1: self.sha1, sent: self.rest.start - self.reading - self.start }
    }
}

impl Transfers {
    /// Reads the next bytes for a guest, if the stream and the rate have room.
    pub(super) fn pump(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let now = cx.now();
        let (read, available) = (self.config.limits.read, self.bucket.available(now));
        let Some(Stream::Guest(guest)) = self.streams.get_mut(&conn) else { return };
        let Doing::Sending(upload) = &mut guest.doing else { return };
        if upload.reading > 0 {
            return;
        }
        if upload.rest.is_empty() {
            cx.tell(upload.ended(guest.peer));
            // Whoever goes on at once keeps the slot.
            let within = self.config.limits.head;
            return self.served(conn, within, cx);
        }
        if guest.full {
            return;
        }
        if available == 0 {
            if !self.throttled.contains(&conn) {
                self.throttled.push_back(conn);
            }
            return self.wait_for_rate(cx);
        }
        let left = upload.rest.end - upload.rest.start;
        let len = left.min(read).min(available.max(PORTION_MIN));
        self.bucket.spend(now, len);
        let span = Span { file: upload.file.clone(), offset: upload.rest.start, len };
        upload.reading = len;
        upload.rest.start += len;
        let job = cx.run(Job::Read { spans: Vec::from([span]) });
        self.jobs.insert(job, Work::Read(conn));
    }

    fn wait_for_rate(&self, cx: &mut Context<'_>) {
        if let Some(at) = self.bucket.when(cx.now(), PORTION_MIN.min(self.config.upload_rate.max(1))) {
            cx.set_timer_at(Timer::Rate, at);
        }
    }

    /// The rate has room again: everybody who waits has a turn.
    pub(super) fn rate_due(&mut self, cx: &mut Context<'_>) {
        for _ in 0..self.throttled.len() {
            let Some(conn) = self.throttled.pop_front() else { break };
            self.pump(conn, cx);
        }
        if !self.throttled.is_empty() {
            self.wait_for_rate(cx);
        }
    }

    pub(super) fn part_read(&mut self, conn: ConnId, done: JobDone, cx: &mut Context<'_>) {
        let silence = self.config.limits.silence;
        let Some(guest) = self.guest(conn) else { return };
        let Doing::Sending(upload) = &mut guest.doing else { return };
        let asked = core::mem::take(&mut upload.reading);
        match done {
            JobDone::Read(Ok(data)) if data.len() as u64 == asked => {
                cx.send(conn, data);
                cx.set_timer(Timer::Stream(conn), silence);
                self.pump(conn, cx);
            }
            // It was changed or taken away meanwhile; its length was promised already.
            _ => {
                upload.rest.start -= asked;
                if let Some(Stream::Guest(guest)) = self.drop_stream(conn, true, cx) {
                    self.guest_gone(conn, &guest, cx);
                }
            }
        }
    }
}
