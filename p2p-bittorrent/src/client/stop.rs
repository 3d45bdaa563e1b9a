//! Stopping: say good-bye to peers and trackers, write what is in memory and resume data, then halt.

use super::{Client, Context, Timer, TorrentKey};
use crate::drop_reason::DropReason;
use crate::error::Error;
use alloc::vec::Vec;

/// How far stopping has come.
#[derive(Debug)]
pub(super) struct Stopping {
    saved: bool,
    /// Trackers had their time.
    farewell_over: bool,
}

impl Client {
    pub(super) fn stop(&mut self, cx: &mut Context<'_>) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(Stopping { saved: false, farewell_over: false });
        if let Some(listener) = self.listener.take() {
            cx.unlisten(listener);
        }
        for op in core::mem::take(&mut self.joining) {
            cx.finish(op, Err(Error::Stopping));
        }
        let keys: Vec<TorrentKey> = self.torrents.keys().copied().collect();
        for key in &keys {
            self.leave_trackers(*key, cx);
            self.drop_all(*key, DropReason::Stopping, cx);
            self.flush(*key, cx);
        }
        for conn in self.conns_where(|_| true) {
            self.drop_peer(conn, DropReason::Stopping, cx);
        }
        cx.set_timer(Timer::Farewell, self.config.farewell);
    }

    pub(super) fn farewell_over(&mut self, cx: &mut Context<'_>) {
        if let Some(stopping) = &mut self.stopping {
            stopping.farewell_over = true;
            self.abort_trackers(cx);
        }
    }

    /// Goes on with stopping when what it waited for is done.
    pub(super) fn check_stopped(&mut self, cx: &mut Context<'_>) {
        let Some(stopping) = &mut self.stopping else { return };
        if !self.jobs.is_empty() {
            return;
        }
        if !stopping.saved {
            // All writes are done, so what resume data says of the files stays true.
            stopping.saved = true;
            let keys: Vec<TorrentKey> = self.torrents.keys().copied().collect();
            for key in keys {
                self.save_now(key, cx);
            }
            if !self.jobs.is_empty() {
                return;
            }
        }
        let Some(stopping) = &self.stopping else { return };
        if !stopping.farewell_over && self.trackers_busy() {
            return;
        }
        if self.halted {
            return;
        }
        self.halted = true;
        let keys: Vec<TorrentKey> = self.torrents.keys().copied().collect();
        for key in keys {
            self.fail_ops(key, &Error::Stopping, cx);
            self.forget_timers(key, cx);
        }
        cx.clear_timer(Timer::Farewell);
        self.close_trackers(cx);
        cx.halt();
    }
}
