//! The end: byes, and nothing owed.

use super::event::Parting;
use super::{Error, Servent, Timer};
use crate::wire::bye_code;
use p2p_core::{Cx, Duration, Input, Machine as _};

/// How long byes may take to be sent.
const FAREWELL: Duration = Duration::from_millis(200);

impl Servent {
    pub(super) fn stop(&mut self, cx: &mut Cx<'_, Self>) {
        if core::mem::replace(&mut self.stopping, true) {
            return;
        }
        for op in self.searches.drain().flatten() {
            cx.finish(op, Err(Error::Stopped));
        }
        self.dynamics.clear();
        while let Some((op, _)) = self.joins.pop_first() {
            cx.finish(op, Err(Error::Stopped));
        }
        let links = self.links.ids();
        // Who has nobody to say it to need not wait.
        self.farewell_over = links.is_empty();
        for id in links {
            self.say_bye(id, bye_code::SHUTDOWN, "Servent shutdown", Parting::Ours, cx);
        }
        while let Some((conn, _)) = self.visitors.pop_first() {
            cx.abort(conn);
        }
        if let Some(listener) = self.listener.take() {
            cx.unlisten(listener);
        }
        if let Some(socket) = self.socket.take() {
            cx.unbind(socket);
        }
        self.with_transfers(cx, |transfers, cx| transfers.handle(Input::Stop, cx));
        if !self.farewell_over {
            cx.set_timer(Timer::Farewell, FAREWELL);
        }
    }

    pub(super) fn farewell_over(&mut self, cx: &mut Cx<'_, Self>) {
        self.farewell_over = self.stopping;
        self.check_halted(cx);
    }

    /// Ends when byes had their time and what was fetched is kept.
    pub(super) fn check_halted(&mut self, cx: &mut Cx<'_, Self>) {
        if self.farewell_over && self.errands.over && !core::mem::replace(&mut self.halted, true) {
            cx.halt();
        }
    }
}
