//! What the application asks for.

use super::event::{Command, Event};
use super::{Error, Servent};
use p2p_core::{Cx, Input, Machine as _, OpId, OpInput};

impl Servent {
    pub(super) fn command(&mut self, op: OpId, command: Command, cx: &mut Cx<'_, Self>) {
        if self.stopping {
            return cx.finish(op, Err(Error::Stopped));
        }
        match command {
            Command::Join(to) => self.join_to(op, to, cx),
            Command::Search(wish) => self.search(Some(op), &wish, cx),
            Command::Transfer(command) => self.command_transfers(op, command, cx),
            Command::Neighbours => {
                cx.answer(op, Event::Neighbours(self.neighbours().collect()));
                cx.finish(op, Ok(()));
            }
            Command::Hosts => {
                cx.answer(op, Event::Hosts(self.hosts.to_text(cx.now(), cx.unix_now()).into()));
                cx.finish(op, Ok(()));
            }
            Command::Remember(text) => {
                self.hosts.remember(&text, cx.now(), cx.unix_now());
                self.fill(cx);
                cx.finish(op, Ok(()));
            }
        }
    }

    /// Nobody waits for an operation any more.
    pub(super) fn cancel(&mut self, op: OpId, cx: &mut Cx<'_, Self>) {
        if self.joins.remove(&op).is_some() {
            cx.clear_timer(super::Timer::Join(op));
        } else if let Some(guid) = self.searches.remove(op) {
            self.dynamics.remove(&guid);
            cx.clear_timer(super::Timer::Search(guid));
        } else {
            return self.with_transfers(cx, |transfers, cx| {
                transfers.handle(Input::Op(op, OpInput::Cancel), cx);
            });
        }
        cx.finish(op, Err(Error::Cancelled));
    }
}
