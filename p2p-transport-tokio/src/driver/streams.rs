//! A stream's life: what is read from it, and how it ends.

use super::sending::grant;
use super::{Driver, GRANT, Place, READS, Slot, conn_at};
use crate::conn::{Phase, Read};
use p2p_core::{Input, IoError, Machine, StreamInput};
use std::task::{Context, Poll, Wake};

/// Times that a closed stream which is still sending is given `Options::linger` again: a slow line, or a rate, is no
/// reason to lose what was queued, but a peer that takes a byte now and then must not keep a place for ever.
const EXTENSIONS: u8 = 12;

impl<M: Machine> Driver<M> {
    pub(super) fn poll_conn(&mut self, slot: u32) {
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        let mut cx = Context::from_waker(&conn.waker);
        match &mut conn.phase {
            Phase::Waiting(_) => {}
            Phase::Opening { opening, listener, dialled } => {
                let (listener, dialled) = (*listener, *dialled);
                if let Poll::Ready(opened) = opening.as_mut().poll(&mut cx) {
                    self.opened(slot, opened, listener, dialled);
                }
            }
            Phase::Open => {
                if !conn.queue.is_empty() || conn.unfinished() {
                    self.touch(slot);
                }
                self.read_conn(slot);
            }
            Phase::Draining { .. } => self.touch(slot),
            Phase::Securing(securing) => {
                if let Poll::Ready(secured) = securing.as_mut().poll(&mut cx) {
                    self.secured(slot, secured);
                }
            }
            Phase::Closing { .. } => self.touch(slot),
        }
    }

    /// Reads a stream, twice at most, and gives what came.
    pub(super) fn read_conn(&mut self, slot: u32) {
        for _ in 0..READS {
            let Some(conn) = conn_at(&mut self.slots, slot) else { return };
            if !conn.reads() {
                if let Some(result) = conn.ended_while_paused() {
                    self.end(slot, result);
                }
                return;
            }
            let room = usize::try_from(self.download.available(self.now)).unwrap_or(usize::MAX);
            if room == 0 {
                let until = grant(&self.download, self.now);
                self.starve(slot, until);
                return;
            }
            let share = if self.download.is_unlimited() { room } else { room.min(GRANT as usize) };
            let id = conn.id;
            match conn.read(&mut self.receive, self.options.read_at_once.min(share).max(1)) {
                Read::Nothing => return,
                Read::Data(data) => {
                    conn.last = self.now;
                    self.download.spend(self.now, data.len() as u64);
                    self.give(Input::Stream(id, StreamInput::Data(data)));
                }
                Read::End => {
                    let result = conn.broken.map_or(Ok(()), Err);
                    return self.end(slot, result);
                }
                Read::Failed(error) => {
                    let error = conn.broken.unwrap_or(error);
                    return self.end(slot, Err(error));
                }
            }
        }
        self.wake(slot);
    }

    /// A stream is over: the machine is told, and what is queued still goes out if it can.
    pub(super) fn end(&mut self, slot: u32, result: Result<(), IoError>) {
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        let id = conn.id;
        self.conns.insert(id, Place::Over);
        self.answers.push_back(Input::Stream(id, StreamInput::Closed(result)));
        if result.is_ok() && conn.stream.is_some() {
            self.close_slot(slot, true);
        } else {
            self.free(slot);
        }
    }

    pub(super) fn close_slot(&mut self, slot: u32, heard_end: bool) {
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        if conn.stream.is_none() || conn.broken.is_some() {
            // Not open yet, or not able to send: there is nothing to finish.
            return self.free(slot);
        }
        conn.phase = Phase::Closing { shut: false, heard_end, extended: 0 };
        self.deadlines.set(slot, self.now + self.options.linger);
        self.touch(slot);
    }

    pub(super) fn abort_slot(&mut self, slot: u32) {
        if let Some(conn) = conn_at(&mut self.slots, slot) {
            conn.reset();
            self.free(slot);
        }
    }

    pub(super) fn deadline(&mut self, slot: u32) {
        let Some(conn) = conn_at(&mut self.slots, slot) else {
            match self.slots.get(slot as usize) {
                Some(Slot::Listener(listener)) => listener.wake.wake_by_ref(),
                Some(Slot::Lookup(lookup)) => {
                    let id = lookup.id;
                    self.free(slot);
                    self.give(Input::Resolved(id, Err(IoError::TimedOut)));
                }
                _ => {}
            }
            return;
        };
        match &mut conn.phase {
            Phase::Opening { listener, dialled, .. } => {
                let (listener, dialled) = (*listener, *dialled);
                self.opened(slot, Err(IoError::TimedOut), listener, dialled);
            }
            Phase::Securing(_) => self.secured(slot, Err(IoError::TimedOut)),
            // All was sent, and the other end does not finish: no reason to make it forget what it has not read yet.
            Phase::Closing { shut: true, .. } => self.free(slot),
            Phase::Closing { extended, .. } => {
                let linger = self.options.linger;
                if *extended < EXTENSIONS && self.now.since(conn.last) < linger {
                    *extended += 1;
                    self.deadlines.set(slot, conn.last + linger);
                } else {
                    self.abort_slot(slot);
                }
            }
            Phase::Open | Phase::Draining { .. } => {
                let Some(idle) = self.options.idle_timeout else { return };
                if self.now.since(conn.last) >= idle {
                    self.end(slot, Err(IoError::TimedOut));
                } else {
                    self.watch_idle(slot);
                }
            }
            Phase::Waiting(_) => {}
        }
    }

    pub(super) fn watch_idle(&mut self, slot: u32) {
        if let Some(idle) = self.options.idle_timeout
            && let Some(conn) = conn_at(&mut self.slots, slot)
        {
            self.deadlines.set(slot, conn.last + idle);
        }
    }
}
