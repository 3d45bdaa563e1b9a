//! The end: what was received is written, then the machine halts.

use super::{Client, Context, Error, Timer};
use alloc::vec::Vec;

impl Client {
    pub(super) fn stop(&mut self, cx: &mut Context<'_>) {
        self.stopping = true;
        self.session.forget_servers();
        self.disconnect(&Error::Stopping, cx);
        if let Some(listener) = self.listener.take() {
            cx.unlisten(listener);
        }
        let whole = self.downloads.iter().filter(|(_, download)| download.range.is_none());
        let keys: Vec<u32> = whole.map(|(key, _)| *key).collect();
        for key in keys {
            self.end_download(key, Err(Error::Stopping), cx);
        }
        let questions: Vec<_> = self.questions.keys().copied().collect();
        for op in questions {
            self.answered(op, Err(Error::Stopping), cx);
        }
        let streams: Vec<_> = self.streams.keys().copied().collect();
        for conn in streams {
            self.drop_stream(conn, cx);
        }
        for op in self.shares.all_ops() {
            cx.finish(op, Err(Error::Stopping));
        }
        cx.set_timer(Timer::Farewell, self.config.farewell);
    }

    pub(super) fn farewell_over(&mut self, cx: &mut Context<'_>) {
        if self.stopping && !self.halted {
            self.halted = true;
            // What is not written by now is not waited for.
            for op in core::mem::take(&mut self.download_ops).into_keys() {
                cx.finish(op, Err(Error::Stopping));
            }
            cx.halt();
        }
    }

    /// Halts once nothing is being written any more.
    pub(super) fn check_stopped(&mut self, cx: &mut Context<'_>) {
        if self.stopping && !self.halted && self.downloads.is_empty() {
            self.halted = true;
            cx.clear_timer(Timer::Farewell);
            cx.halt();
        }
    }
}
