//! Whoever is given the stream here: each reads at its own pace, from where it began ([`Viewer`]).

use super::{Context, Esm, Live, State};
use crate::api::{Event, Point, Timer};
use crate::error::Error;
use crate::playout::{Cursor, Output};
use p2p_core::OpId;

/// Who is given the stream.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    op: OpId,
    at: Cursor,
    /// Bytes that it was given.
    given: u64,
    /// It does not keep up: what it is given next stays in the history meanwhile.
    full: bool,
    /// Answers that it may be given before others have their turn, and it can say that it does not keep up.
    turn: usize,
}

/// Answers for a viewer in a row.
const TURN: usize = 16;

impl Esm {
    /// Somebody wants the stream from there on.
    pub(super) fn watch(&mut self, op: OpId, from: Point, cx: &mut Context<'_>) {
        let State::Live(live) = &mut self.state else {
            cx.finish(op, Err(Error::NotJoined));
            return;
        };
        if live.announcement.sealed.is_some() && live.seal.is_none() {
            cx.finish(op, Err(Error::Closed));
            return;
        }
        let begins = match from {
            Point::Now => live.playout.position(),
            Point::Oldest => live.playout.oldest(),
            Point::Ago(past) => {
                let past = live.repair.closed_before(past).unwrap_or_else(|| live.playout.position());
                past.clamp(live.playout.oldest(), live.playout.position())
            }
        };
        live.viewers.push(Viewer { op, at: Cursor::new(begins), given: 0, full: false, turn: 0 });
        self.play(cx);
    }

    /// Somebody does not keep up, or does again.
    pub(super) fn viewer_is(&mut self, op: OpId, full: bool, cx: &mut Context<'_>) {
        let Some(live) = self.live() else { return };
        if let Some(viewer) = live.viewers.iter_mut().find(|viewer| viewer.op == op) {
            viewer.full = full;
            self.play(cx);
        }
    }

    /// Gives all what can go out by now.
    pub(super) fn play(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let State::Live(live) = &mut self.state else { return };
        let Live { playout, viewers, seal, play_at, .. } = &mut **live;
        viewers.iter_mut().for_each(|viewer| viewer.turn = TURN);
        loop {
            let moved = playout.advance(now);
            // Before more is forgotten.
            viewers.retain_mut(|viewer| {
                while !viewer.full
                    && viewer.turn > 0
                    && let Some(mut output) = playout.read(&mut viewer.at)
                {
                    viewer.turn -= 1;
                    if let Output::Packet { generation, index, offset, data } = &mut output {
                        *offset = viewer.given;
                        match seal.as_ref().map(|seal| seal.open(*generation, *index, data)) {
                            None => {}
                            Some(Some(opened)) => *data = opened,
                            // The source signed what nobody can open.
                            Some(None) => {
                                self.counts.bad += 1;
                                let generation = *generation;
                                let gap = Output::Gap { generation, packets: Some(1) };
                                cx.answer(viewer.op, Event::Output(gap));
                                continue;
                            }
                        }
                        viewer.given += data.len() as u64;
                    }
                    let is_end = output == Output::End;
                    cx.answer(viewer.op, Event::Output(output));
                    if is_end {
                        cx.finish(viewer.op, Ok(()));
                        return false;
                    }
                }
                true
            });
            if !moved {
                break;
            }
        }
        let due = if viewers.iter().any(|viewer| !viewer.full && viewer.turn == 0) {
            Some(now)
        } else {
            playout.due()
        };
        // One that fires too soon is left as it is: this is done for every symbol.
        if let Some(due) = due
            && (*play_at <= now || due < *play_at)
        {
            *play_at = due;
            cx.set_timer_at(Timer::Playout, due);
        }
    }

    /// Nobody waits for this operation any more. False if it is none of a viewer.
    pub(super) fn viewer_is_gone(&mut self, op: OpId, cx: &mut Context<'_>) -> bool {
        let Some(live) = self.live() else { return false };
        let before = live.viewers.len();
        live.viewers.retain(|viewer| viewer.op != op);
        let gone = live.viewers.len() < before;
        if gone {
            cx.finish(op, Err(Error::Cancelled));
        }
        gone
    }
}

impl Viewer {
    /// Whose operation it is.
    pub(super) const fn op(&self) -> OpId {
        self.op
    }
}
