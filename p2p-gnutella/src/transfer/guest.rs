//! [`Guest`]: a stream on which somebody asks for files, one request after the other.

use super::upload::Upload;
use super::{Context, Stream, Timer, Transfers};
use crate::head::HeadReader;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::http::{HeadError, Response};
use p2p_core::{ConnId, Duration};

/// Somebody who asks.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) peer: SocketAddr,
    head: HeadReader,
    /// What came before its time.
    early: Vec<u8>,
    pub(super) doing: Doing,
    /// Requests that were answered.
    pub(super) answered: u32,
    /// Whether addresses of IPv6 are of use to it.
    pub(super) ipv6: bool,
    /// Whether the stream is open for another request after this one.
    pub(super) keep: bool,
    /// The stream takes no more for now.
    pub(super) full: bool,
    paused: bool,
}

/// What a guest is given.
#[derive(Debug)]
pub(super) enum Doing {
    /// Nothing: it is to ask.
    Listening,
    /// A tree is read, or the overlay asked; whether only the head is wanted.
    Waiting {
        head_only: bool,
    },
    Sending(Upload),
}

impl Guest {
    pub(super) fn new(peer: SocketAddr) -> Self {
        Self {
            peer,
            head: HeadReader::default(),
            early: Vec::new(),
            doing: Doing::Listening,
            answered: 0,
            ipv6: peer.ip().to_canonical().is_ipv6(),
            keep: true,
            full: false,
            paused: false,
        }
    }

    pub(super) const fn held(&self) -> usize {
        self.head.len() + self.early.len()
    }
}

impl Transfers {
    pub(super) fn guest(&mut self, conn: ConnId) -> Option<&mut Guest> {
        match self.streams.get_mut(&conn) {
            Some(Stream::Guest(guest)) => Some(guest),
            _ => None,
        }
    }

    pub(super) fn guest_said(&mut self, conn: ConnId, mut data: Bytes, cx: &mut Context<'_>) {
        while !data.is_empty() {
            let early_max = self.config.limits.early;
            let Some(guest) = self.guest(conn) else { return };
            // Who takes no answers is given none: they would pile up here.
            if guest.full || !matches!(guest.doing, Doing::Listening) {
                guest.early.extend_from_slice(&data);
                if guest.early.len() > early_max && !guest.paused {
                    guest.paused = true;
                    cx.pause(conn, true);
                }
                return;
            }
            match guest
                .head
                .read(&mut data)
                .and_then(|head| head.map(crate::head::Head::into_request).transpose())
            {
                Ok(None) => {}
                Ok(Some(request)) => self.serve(conn, &request, cx),
                Err(why) => {
                    let (status, reason) = match why {
                        HeadError::TooLong | HeadError::TooManyHeaders => (431, "Head too long"),
                        _ => (400, "Bad Request"),
                    };
                    guest.keep = false;
                    return self.reply(conn, Response::new(status, reason), &Bytes::new(), false, cx);
                }
            }
        }
    }

    /// Answers with a whole body, and listens again or closes.
    pub(super) fn reply(
        &mut self,
        conn: ConnId,
        answer: Response,
        body: &Bytes,
        head_only: bool,
        cx: &mut Context<'_>,
    ) {
        let len = alloc::format!("{}", body.len());
        self.send_head(conn, answer.header("Content-Length", len), cx);
        if !head_only && !body.is_empty() {
            cx.send(conn, body.clone());
        }
        self.served(conn, self.config.limits.idle, cx);
    }

    /// Sends a head, with what all have.
    pub(super) fn send_head(&mut self, conn: ConnId, mut answer: Response, cx: &mut Context<'_>) {
        let (agent, features) = (self.config.agent.clone(), self.features());
        let Some(guest) = self.guest(conn) else { return };
        let mut head =
            Response::new(answer.status, core::mem::take(&mut answer.reason)).header("Server", agent);
        if !guest.keep {
            head.headers.push("Connection", "close");
        }
        if guest.answered == 0 {
            head.headers.push("X-Features", features);
        }
        answer.headers.iter().for_each(|(name, value)| head.headers.push(name, value));
        let mut bytes = BytesMut::new();
        head.encode(&mut bytes);
        cx.send(conn, bytes);
    }

    /// A request is answered: the next one may take `within`.
    pub(super) fn served(&mut self, conn: ConnId, within: Duration, cx: &mut Context<'_>) {
        let Some(guest) = self.guest(conn) else { return };
        guest.answered += 1;
        guest.doing = Doing::Listening;
        if !guest.keep {
            if let Some(Stream::Guest(guest)) = self.drop_stream(conn, false, cx) {
                self.guest_gone(conn, &guest, cx);
            }
            return;
        }
        cx.set_timer(Timer::Stream(conn), within);
        self.early_is_due(conn, cx);
    }

    /// Looks at what came before its time.
    fn early_is_due(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(guest) = self.guest(conn).filter(|guest| !guest.full) else { return };
        let early = Bytes::from(core::mem::take(&mut guest.early));
        if core::mem::take(&mut guest.paused) {
            cx.pause(conn, false);
        }
        if !early.is_empty() {
            self.guest_said(conn, early, cx);
        }
    }

    pub(super) fn guest_full(&mut self, conn: ConnId, full: bool, cx: &mut Context<'_>) {
        let silence = self.config.limits.silence;
        let Some(guest) = self.guest(conn) else { return };
        guest.full = full;
        if full {
            return;
        }
        if matches!(guest.doing, Doing::Sending(_)) {
            cx.set_timer(Timer::Stream(conn), silence);
            self.pump(conn, cx);
        } else if matches!(guest.doing, Doing::Listening) {
            self.early_is_due(conn, cx);
        }
    }

    /// A guest is silent, does not take what it asked for, or takes too long to ask.
    pub(super) fn guest_late(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        if self.throttled.contains(&conn) {
            // We are slow, not it.
            return cx.set_timer(Timer::Stream(conn), self.config.limits.silence);
        }
        let begun = self.guest(conn).is_some_and(|guest| !guest.head.is_empty());
        if begun && let Some(guest) = self.guest(conn) {
            guest.keep = false;
            return self.reply(conn, Response::new(408, "Request Timeout"), &Bytes::new(), false, cx);
        }
        if let Some(Stream::Guest(guest)) = self.drop_stream(conn, true, cx) {
            self.guest_gone(conn, &guest, cx);
        }
    }

    /// A guest is gone: its slot is another's.
    pub(super) fn guest_gone(&mut self, conn: ConnId, guest: &Guest, cx: &mut Context<'_>) {
        self.slots.leave(conn);
        self.throttled.retain(|waits| *waits != conn);
        if let Doing::Sending(upload) = &guest.doing {
            cx.tell(upload.ended(guest.peer));
        }
    }
}
