//! What is sent: queues flushed once per turn, the marks, the rates, and what waits until all is on its way.

use super::{Driver, GRANT, Place, READS, Slot, conn_at};
use crate::begun::begun;
use crate::conn::{Conn, Phase, Read, Written};
use crate::receive::Receive;
use bytes::Bytes;
use p2p_core::limit::TokenBucket;
use p2p_core::{ConnId, Duration, Input, Instant, IoError, Machine, StreamInput};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::task::Wake;

impl<M: Machine> Driver<M> {
    pub(super) fn send(&mut self, id: ConnId, data: Bytes) {
        let high = self.options.high_mark;
        let Some(Place::At(slot)) = self.conns.get(&id).copied() else { return };
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        if conn.broken.is_some() {
            return;
        }
        if conn.queue.capacity() == 0 {
            conn.queue = self.spare.pop().unwrap_or_default();
        }
        conn.queued += data.len();
        conn.queue.push_back(data);
        if conn.queued >= high && !conn.told_full {
            conn.told_full = true;
            self.answers.push_back(Input::Stream(id, StreamInput::Full));
        }
        self.touch(slot);
    }

    pub(super) fn touch(&mut self, slot: u32) {
        if let Some(conn) = conn_at(&mut self.slots, slot)
            && !std::mem::replace(&mut conn.touched, true)
        {
            self.touched.push(slot);
        }
    }

    pub(super) fn touch_udp(&mut self, slot: u32) {
        if let Some(Slot::Udp(udp)) = self.slots.get_mut(slot as usize)
            && !std::mem::replace(&mut udp.touched, true)
        {
            self.touched.push(slot);
        }
    }

    /// Writes what was queued in this turn, each stream's in as few calls as can be.
    pub(super) fn flush(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        for slot in touched.drain(..) {
            match self.slots.get_mut(slot as usize) {
                Some(Slot::Conn(conn)) => {
                    conn.touched = false;
                    self.flush_conn(slot);
                }
                Some(Slot::Udp(udp)) => {
                    udp.touched = false;
                    self.flush_datagrams(slot);
                }
                _ => {}
            }
        }
        // Carrying on may have touched others: what `flush_conn` itself touched waits for the next turn.
        let fresh = std::mem::replace(&mut self.touched, touched);
        for slot in fresh {
            if let Some(Slot::Conn(conn)) = self.slots.get_mut(slot as usize) {
                conn.touched = false;
            }
            self.wake(slot);
        }
    }

    pub(super) fn flush_datagrams(&mut self, slot: u32) {
        if let Some(Slot::Udp(udp)) = self.slots.get_mut(slot as usize) {
            let dropped = udp.flush();
            self.counts.datagrams_dropped.fetch_add(dropped, Ordering::Relaxed);
        }
    }

    pub(super) fn flush_conn(&mut self, slot: u32) {
        let room = usize::try_from(self.upload.available(self.now)).unwrap_or(usize::MAX);
        let low = self.options.low_mark;
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        if matches!(conn.phase, Phase::Waiting(_) | Phase::Opening { .. } | Phase::Securing(_)) {
            return;
        }
        if room == 0 && !conn.queue.is_empty() {
            let until = grant(&self.upload, self.now);
            self.starve(slot, until);
            return;
        }
        let room = if self.upload.is_unlimited() { room } else { room.min(GRANT as usize) };
        let room = if let Phase::Draining { plain, .. } = conn.phase { room.min(plain) } else { room };
        let id = conn.id;
        let (sent, all) = match conn.write(room, &mut self.spare) {
            Written::All(sent) => (sent, true),
            Written::Part(sent) => (sent, false),
            Written::Failed(error) => return self.write_failed(slot, error),
        };
        let starving = !all && sent >= room;
        let mut drained = false;
        if let Phase::Draining { plain, .. } = &mut conn.phase {
            *plain = plain.saturating_sub(sent);
            drained = *plain == 0 && !conn.unfinished();
        }
        let ready = conn.told_full && conn.queued <= low;
        if sent > 0 {
            conn.last = self.now;
        }
        if ready {
            conn.told_full = false;
        }
        self.upload.spend(self.now, sent as u64);
        if ready && self.conns.get(&id) == Some(&Place::At(slot)) {
            self.answers.push_back(Input::Stream(id, StreamInput::Ready));
        }
        if drained || all {
            self.written(slot);
        } else if starving {
            self.wake(slot);
        }
    }

    /// All that was queued on a stream is on its way: what waited for that goes on.
    pub(super) fn written(&mut self, slot: u32) {
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        match &mut conn.phase {
            Phase::Draining { security, unread, .. } => {
                let (security, unread) = (std::mem::take(security), std::mem::take(unread));
                let Some(stream) = conn.stream.take() else { return };
                let stream = begun(stream, unread);
                conn.phase = Phase::Securing(self.options.connector.secure(stream, security));
                conn.wake.wake_by_ref();
                self.deadlines.set(slot, self.now + self.options.connect_timeout);
            }
            Phase::Closing { shut, heard_end, .. } => {
                let heard_end = *heard_end;
                if !*shut {
                    if conn.shut().is_pending() {
                        return;
                    }
                    if let Phase::Closing { shut, .. } = &mut conn.phase {
                        *shut = true;
                    }
                }
                // A socket that is dropped with bytes unread tells the other end to forget what it was sent: hear
                // it out first.
                if heard_end || drained(conn, &mut self.receive) {
                    self.free(slot);
                }
            }
            _ => {}
        }
    }

    pub(super) fn write_failed(&mut self, slot: u32, error: IoError) {
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        conn.queue = VecDeque::new();
        conn.queued = 0;
        match conn.phase {
            Phase::Closing { .. } => self.free(slot),
            // What the other end said before it went may still be there to be read, if it is wanted.
            Phase::Open => {
                conn.broken = Some(error);
                conn.wake.wake_by_ref();
            }
            _ => self.end(slot, Err(error)),
        }
    }

    /// Puts a slot aside until the rate allows more.
    pub(super) fn starve(&mut self, slot: u32, until: Option<Instant>) {
        let until = until.unwrap_or(Instant::MAX).max(self.now + Duration::from_millis(1));
        self.starved_until = Some(self.starved_until.map_or(until, |before| before.min(until)));
        if let Some(conn) = conn_at(&mut self.slots, slot)
            && !std::mem::replace(&mut conn.starved, true)
        {
            self.starved.push(slot);
        }
    }
}

/// When a stream that waits for the rate may go on.
pub(super) fn grant(bucket: &TokenBucket, now: Instant) -> Option<Instant> {
    bucket.when(now, GRANT).or_else(|| bucket.when(now, 1))
}

/// Reads and forgets; true when the other end has finished.
fn drained(conn: &mut Conn, receive: &mut Receive) -> bool {
    for _ in 0..READS {
        match conn.read(receive, usize::MAX) {
            Read::Data(_) => {}
            Read::Nothing => return false,
            Read::End | Read::Failed(_) => return true,
        }
    }
    conn.wake.wake_by_ref();
    false
}
