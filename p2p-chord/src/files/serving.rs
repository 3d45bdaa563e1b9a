//! Giving files to those who ask: [`Guest`].

use super::api::{Event, Timer};
use super::jobs::Errand;
use super::wire::{give, read_request, refuse};
use super::{Context, Files};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::http::MAX_HEAD;
use p2p_core::{ConnId, FileId, Frames, IoError, Job, Span, Stat, StreamInput};

/// Bytes that are read at a time: as much as a stream queues before it says that it is full.
const BLOCK: u64 = 256 * 1024;

/// Who fetches from us.
#[derive(Debug)]
pub(super) struct Guest {
    from: SocketAddr,
    frames: Frames,
    serve: Option<Serve>,
    full: bool,
}

/// What a guest gets.
#[derive(Debug)]
struct Serve {
    sha256: [u8; 32],
    file: FileId,
    asked: super::wire::Asked,
    from: u64,
    at: u64,
    end: u64,
    /// A job is under way for it.
    waits: bool,
}

impl Files {
    pub(super) fn guest(&mut self, conn: ConnId, from: SocketAddr, cx: &mut Context<'_>) {
        let limits = &self.config.limits;
        let alike = self.guests.values().filter(|guest| guest.from.ip() == from.ip()).count();
        let too_many_alike = alike >= limits.guests_alike && !from.ip().to_canonical().is_loopback();
        if self.stopping || self.guests.len() >= limits.guests || too_many_alike {
            cx.send(conn, refuse(503, None, false));
            return cx.close(conn);
        }
        self.guests.insert(conn, Guest { from, frames: Frames::new(), serve: None, full: false });
        cx.set_timer(Timer::Guest(conn), limits.head);
    }

    pub(super) fn guest_stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Context<'_>) {
        let Some(guest) = self.guests.get_mut(&conn) else { return };
        match input {
            StreamInput::Data(data) => {
                guest.frames.push(data);
                self.next_request(conn, cx);
            }
            StreamInput::Full => guest.full = true,
            StreamInput::Ready => {
                guest.full = false;
                cx.set_timer(Timer::Guest(conn), self.config.limits.stalled);
                self.give_on(conn, cx);
            }
            StreamInput::Closed(_) => self.forget_guest(conn, cx),
            StreamInput::Open { .. } | StreamInput::Secured(_) => {}
        }
    }

    /// Looks at the next requests, as far as none is being served.
    fn next_request(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        while let Some(guest) = self.guests.get_mut(&conn).filter(|guest| guest.serve.is_none()) {
            match read_request(guest.frames.peek_up_to(MAX_HEAD)) {
                Ok(None) => return,
                Ok(Some((asked, used))) => {
                    guest.frames.skip(used);
                    let sha256 = asked.sha256;
                    let Some(shared) = self.shared.get(&sha256) else {
                        self.refuse(conn, 404, None, asked.keeps_alive, cx);
                        continue;
                    };
                    let file = shared.file.clone();
                    let serve =
                        Serve { sha256, file: file.clone(), asked, from: 0, at: 0, end: 0, waits: true };
                    guest.serve = Some(serve);
                    // What else it says waits until it has this.
                    cx.pause(conn, true);
                    cx.clear_timer(Timer::Guest(conn));
                    let job = cx.run(Job::Stat { file });
                    self.jobs.insert(job, Errand::Look(conn));
                }
                Err(status) => self.refuse(conn, status, None, false, cx),
            }
        }
    }

    fn refuse(
        &mut self,
        conn: ConnId,
        status: u16,
        total: Option<u64>,
        keeps_alive: bool,
        cx: &mut Context<'_>,
    ) {
        cx.send(conn, refuse(status, total, keeps_alive));
        self.served(conn, keeps_alive, cx);
    }

    /// Whether the file is as it was when it was digested.
    pub(super) fn looked(&mut self, conn: ConnId, stat: Result<Option<Stat>, IoError>, cx: &mut Context<'_>) {
        let Some(guest) = self.guests.get_mut(&conn) else { return };
        let Some(serve) = guest.serve.as_mut() else { return };
        serve.waits = false;
        let (sha256, range, keeps_alive) = (serve.sha256, serve.asked.range, serve.asked.keeps_alive);
        let Some(shared) = self.shared.get(&sha256) else {
            self.refuse(conn, 404, None, keeps_alive, cx);
            return self.next_request(conn, cx);
        };
        if stat != Ok(Some(shared.stat)) {
            let file = shared.file.clone();
            self.shared.remove(&sha256);
            cx.tell(Event::Changed { file, sha256 });
            self.refuse(conn, 410, None, keeps_alive, cx);
            return self.next_request(conn, cx);
        }
        let total = shared.stat.len;
        let part = match range {
            None => 0..total,
            Some(range) => match range.of(total) {
                Some(part) => part,
                None => {
                    self.refuse(conn, 416, Some(total), keeps_alive, cx);
                    return self.next_request(conn, cx);
                }
            },
        };
        (serve.from, serve.at, serve.end) = (part.start, part.start, part.end);
        if serve.asked.head_only {
            serve.at = part.end;
        }
        cx.send(conn, give(&part, total, range.is_some(), keeps_alive));
        cx.set_timer(Timer::Guest(conn), self.config.limits.stalled);
        self.give_on(conn, cx);
    }

    /// Reads the next bytes, if the guest takes them.
    fn give_on(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(guest) = self.guests.get_mut(&conn) else { return };
        let Some(serve) = guest.serve.as_mut().filter(|serve| !serve.waits) else { return };
        if serve.at >= serve.end {
            let keeps_alive = serve.asked.keeps_alive;
            self.served(conn, keeps_alive, cx);
            return self.next_request(conn, cx);
        }
        if guest.full {
            return;
        }
        serve.waits = true;
        let len = (serve.end - serve.at).min(BLOCK);
        let spans = Vec::from([Span { file: serve.file.clone(), offset: serve.at, len }]);
        let job = cx.run(Job::Read { spans });
        self.jobs.insert(job, Errand::Read(conn));
    }

    pub(super) fn read(&mut self, conn: ConnId, data: Result<Bytes, IoError>, cx: &mut Context<'_>) {
        let Some(guest) = self.guests.get_mut(&conn) else { return };
        let Some(serve) = guest.serve.as_mut() else { return };
        serve.waits = false;
        // The head is out, so only breaking off can say that the rest does not come.
        let Ok(data) = data else { return self.dismiss(conn, cx) };
        serve.at += data.len() as u64;
        cx.send(conn, data);
        cx.set_timer(Timer::Guest(conn), self.config.limits.stalled);
        self.give_on(conn, cx);
    }

    /// A request is answered.
    fn served(&mut self, conn: ConnId, keeps_alive: bool, cx: &mut Context<'_>) {
        let Some(guest) = self.guests.get_mut(&conn) else { return };
        let was_served = guest.serve.take();
        let from = guest.from;
        if let Some(serve) = &was_served {
            tell_served(serve, from, cx);
        }
        if keeps_alive {
            cx.pause(conn, false);
            // Who was given much may still be taking the end of it.
            let limits = &self.config.limits;
            let patience = if was_served.is_some() { limits.stalled } else { limits.head };
            cx.set_timer(Timer::Guest(conn), patience);
        } else {
            self.guests.remove(&conn);
            cx.clear_timer(Timer::Guest(conn));
            cx.close(conn);
        }
    }

    /// Breaks off.
    pub(super) fn dismiss(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        if self.guests.contains_key(&conn) {
            cx.abort(conn);
            self.forget_guest(conn, cx);
        }
    }

    fn forget_guest(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        cx.clear_timer(Timer::Guest(conn));
        if let Some(Guest { serve: Some(serve), from, .. }) = self.guests.remove(&conn) {
            tell_served(&serve, from, cx);
        }
    }
}

fn tell_served(serve: &Serve, to: SocketAddr, cx: &mut Context<'_>) {
    if serve.end > serve.from && !serve.asked.head_only {
        let (sent, whole) = (serve.at - serve.from, serve.at == serve.end);
        cx.tell(Event::Served { to, sha256: serve.sha256, sent, whole });
    }
}
