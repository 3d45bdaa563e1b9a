//! Which part an input is for, and what becomes of a part's effects: [`Routes`].

use super::{Archive, Context, Next, Timer};
use crate::files::Files;
use crate::node::Chord;
use alloc::collections::BTreeSet;
use p2p_core::{ConnId, Effect, Input, JobId, ListenerId, OpInput, Own, StreamInput};

/// The handles of files; all others are of the ring.
#[derive(Debug)]
pub(super) struct Routes {
    conns: BTreeSet<ConnId>,
    listeners: BTreeSet<ListenerId>,
    jobs: BTreeSet<JobId>,
}

impl Routes {
    pub(super) const fn new() -> Self {
        Self { conns: BTreeSet::new(), listeners: BTreeSet::new(), jobs: BTreeSet::new() }
    }

    /// Whether an input is for files.
    fn is_for_files(&mut self, input: &Input<Archive>) -> bool {
        match input {
            Input::Listener(listener, _) => self.listeners.contains(listener),
            Input::Job(job, _) => self.jobs.remove(job),
            Input::Stream(conn, StreamInput::Open { listener: Some(listener), .. }) => {
                self.listeners.contains(listener) && self.conns.insert(*conn)
            }
            Input::Stream(conn, StreamInput::Closed(_)) => self.conns.remove(conn),
            Input::Stream(conn, _) => self.conns.contains(conn),
            _ => false,
        }
    }

    /// An effect of files.
    fn note(&mut self, effect: &Effect<Files>) {
        match effect {
            Effect::Connect(conn, ..) => {
                self.conns.insert(*conn);
            }
            Effect::Close(conn) | Effect::Abort(conn) => {
                self.conns.remove(conn);
            }
            Effect::Listen(listener, ..) => {
                self.listeners.insert(*listener);
            }
            Effect::Run(job, _) => {
                self.jobs.insert(*job);
            }
            _ => {}
        }
    }
}

impl Archive {
    pub(super) fn route(&mut self, input: Input<Self>, cx: &mut Context<'_>) {
        if self.routes.is_for_files(&input) {
            let input = input.narrow(|_| None, |_| None);
            input.into_iter().for_each(|input| self.give_files(input, cx));
        } else {
            let input = input.narrow(|_| None, |_| None);
            input.into_iter().for_each(|input| self.give_ring(input, cx));
        }
    }

    pub(super) fn give_ring(&mut self, input: Input<Chord>, cx: &mut Context<'_>) {
        if self.over.0 {
            return;
        }
        let mut effects = core::mem::take(&mut self.ring_effects);
        cx.lend(&mut effects, |cx| p2p_core::Machine::handle(&mut self.ring, input, cx));
        for effect in effects.drain(..) {
            let mut own = None;
            let lifted = effect.lift(Timer::Ring, |of_us| {
                own = Some(of_us);
                None
            });
            lifted.into_iter().for_each(|effect| cx.push(effect));
            match own {
                Some(Own::Event(op, event)) => self.ring_event(op, event, cx),
                Some(Own::Finish(op, result)) => self.ring_finished(op, result, cx),
                Some(Own::Halt) => self.over.0 = true,
                None => {}
            }
        }
        self.ring_effects = effects;
    }

    pub(super) fn give_files(&mut self, input: Input<Files>, cx: &mut Context<'_>) {
        if self.over.1 {
            return;
        }
        let mut effects = core::mem::take(&mut self.files_effects);
        cx.lend(&mut effects, |cx| p2p_core::Machine::handle(&mut self.files, input, cx));
        for effect in effects.drain(..) {
            self.routes.note(&effect);
            let mut own = None;
            let lifted = effect.lift(Timer::Files, |of_us| {
                own = Some(of_us);
                None
            });
            lifted.into_iter().for_each(|effect| cx.push(effect));
            match own {
                Some(Own::Event(op, event)) => self.files_event(op, event, cx),
                Some(Own::Finish(op, result)) => self.files_finished(op, result, cx),
                Some(Own::Halt) => self.over.1 = true,
                None => {}
            }
        }
        self.files_effects = effects;
    }

    /// What one part has to do because of the other, and the end once both are over.
    pub(super) fn go_on(&mut self, cx: &mut Context<'_>) {
        while let Some(next) = self.next.pop_front() {
            match next {
                Next::Ring(op, command) if !self.over.0 => {
                    self.give_ring(Input::Op(op, OpInput::Ask(command)), cx);
                }
                Next::Files(op, command) if !self.over.1 => {
                    self.give_files(Input::Op(op, OpInput::Ask(command)), cx);
                }
                Next::Ring(op, _) | Next::Files(op, _) => {
                    self.end(op, Err(super::Error::Ring(crate::Error::Stopped)), cx);
                }
            }
        }
        if self.over == (true, true) && !self.halted {
            self.halted = true;
            cx.halt();
        }
    }
}
