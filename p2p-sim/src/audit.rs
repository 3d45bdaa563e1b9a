//! The rules of the boundary, checked on every input: [`Audit`] wraps any machine.

use p2p_core::{
    ConnId, Cx, Effect, Input, JobDone, JobId, ListenerId, LookupId, Machine, OpId, OpInput, Own, SocketId,
    StreamInput,
};
use std::collections::{BTreeSet, VecDeque};

/// A rule that was broken, by the machine unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// An operation was ended twice, or one that was never asked for.
    #[error("{0:?} was finished, but is not under way")]
    FinishOfNothing(OpId),
    /// An answer to an operation that is over, or was never asked for.
    #[error("{0:?} was answered, but is not under way")]
    AnswerToNothing(OpId),
    /// An effect on a handle that the machine does not hold.
    #[error("an effect on {0}, which is closed or unknown")]
    DeadHandle(String),
    /// An input left more effects than the limit.
    #[error("{0} effects of one input")]
    TooManyEffects(usize),
    /// An effect after `Halt`.
    #[error("an effect after the halt")]
    EffectAfterHalt,
    /// Operations were not over when the machine halted.
    #[error("{0} operations were not finished at the halt")]
    UnfinishedAtHalt(usize),
    /// The driver gave an input after `Halt`.
    #[error("the driver gave an input after the halt")]
    InputAfterHalt,
    /// The driver gave an input of a handle that the machine does not hold.
    #[error("the driver gave an input of {0}, which is closed or unknown")]
    InputOfDeadHandle(String),
}

/// A machine whose every input and effect is checked. It runs under any driver as the machine itself does.
pub struct Audit<M: Machine> {
    inner: M,
    most_effects: usize,
    collects: bool,
    violations: Vec<Violation>,
    /// The last inputs, to be shown with a violation.
    last: VecDeque<Input<M>>,
    ops: BTreeSet<OpId>,
    conns: BTreeSet<ConnId>,
    sockets: BTreeSet<SocketId>,
    listeners: BTreeSet<ListenerId>,
    jobs: BTreeSet<JobId>,
    lookups: BTreeSet<LookupId>,
    halted: bool,
    effects: Vec<Effect<M>>,
}

/// So many inputs are shown with a violation.
const SHOWN: usize = 16;
/// Effects of one input that no sound machine leaves, by default.
const EFFECTS: usize = 100_000;

impl<M: Machine> core::fmt::Debug for Audit<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Audit").field("violations", &self.violations).finish_non_exhaustive()
    }
}

impl<M: Machine> Audit<M> {
    /// Panics at the first violation, and shows the last inputs.
    pub fn new(machine: M) -> Self {
        Self {
            inner: machine,
            most_effects: EFFECTS,
            collects: false,
            violations: Vec::new(),
            last: VecDeque::new(),
            ops: BTreeSet::new(),
            conns: BTreeSet::new(),
            sockets: BTreeSet::new(),
            listeners: BTreeSet::new(),
            jobs: BTreeSet::new(),
            lookups: BTreeSet::new(),
            halted: false,
            effects: Vec::new(),
        }
    }

    /// Notes violations instead of panicking.
    #[must_use]
    pub const fn collecting(mut self) -> Self {
        self.collects = true;
        self
    }

    /// Allows so many effects per input.
    #[must_use]
    pub const fn most_effects(mut self, most: usize) -> Self {
        self.most_effects = most;
        self
    }

    /// The machine.
    pub const fn inner(&self) -> &M {
        &self.inner
    }

    /// The machine, to be changed from outside.
    pub const fn inner_mut(&mut self) -> &mut M {
        &mut self.inner
    }

    /// The machine, without the audit.
    pub fn into_inner(self) -> M {
        self.inner
    }

    /// What was noted.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    fn broken(&mut self, violation: Violation) {
        assert!(
            self.collects,
            "{violation}; the last inputs, newest last:\n{}",
            self.last.iter().map(|input| format!("  {input:?}\n")).collect::<String>()
        );
        self.violations.push(violation);
    }

    fn held(&mut self, holds: bool, handle: &dyn core::fmt::Debug) {
        if !holds {
            self.broken(Violation::DeadHandle(format!("{handle:?}")));
        }
    }

    fn wanted(&mut self, holds: bool, handle: &dyn core::fmt::Debug) {
        if !holds {
            self.broken(Violation::InputOfDeadHandle(format!("{handle:?}")));
        }
    }

    fn check_input(&mut self, input: &Input<M>) {
        if self.halted {
            self.broken(Violation::InputAfterHalt);
        }
        match input {
            Input::Op(op, OpInput::Ask(_)) => drop(self.ops.insert(*op)),
            Input::Stream(id, StreamInput::Open { listener: Some(_), .. }) => drop(self.conns.insert(*id)),
            Input::Stream(id, StreamInput::Closed(_)) => {
                let held = self.conns.remove(id);
                self.wanted(held, id);
            }
            Input::Stream(id, _) => self.wanted(self.conns.contains(id), id),
            Input::Listener(id, result) => {
                self.wanted(self.listeners.contains(id), id);
                if result.is_err() {
                    self.listeners.remove(id);
                }
            }
            Input::Bound(id, result) => {
                self.wanted(self.sockets.contains(id), id);
                if result.is_err() {
                    self.sockets.remove(id);
                }
            }
            Input::Datagram(id, _) => self.wanted(self.sockets.contains(id), id),
            Input::Job(id, _) => {
                let held = self.jobs.remove(id);
                self.wanted(held, id);
            }
            Input::Resolved(id, _) => {
                let held = self.lookups.remove(id);
                self.wanted(held, id);
            }
            Input::Start | Input::Timer(_) | Input::Stop | Input::Op(..) => {}
        }
    }

    fn check_effect(&mut self, effect: &Effect<M>) {
        if self.halted {
            return self.broken(Violation::EffectAfterHalt);
        }
        match effect {
            Effect::Listen(id, ..) => drop(self.listeners.insert(*id)),
            Effect::Unlisten(id) => {
                let held = self.listeners.remove(id);
                self.held(held, id);
            }
            Effect::Connect(id, ..) => drop(self.conns.insert(*id)),
            Effect::Secure(id, ..) | Effect::Send(id, _) | Effect::Pause(id, _) => {
                self.held(self.conns.contains(id), id);
            }
            Effect::Close(id) | Effect::Abort(id) => {
                let held = self.conns.remove(id);
                self.held(held, id);
            }
            Effect::Bind(id, _) => drop(self.sockets.insert(*id)),
            Effect::Unbind(id) => {
                let held = self.sockets.remove(id);
                self.held(held, id);
            }
            Effect::JoinGroup(id, _) | Effect::LeaveGroup(id, _) | Effect::SendTo(id, _) => {
                self.held(self.sockets.contains(id), id);
            }
            Effect::Resolve(id, ..) => drop(self.lookups.insert(*id)),
            Effect::Run(id, _) => drop(self.jobs.insert(*id)),
            Effect::Event(Some(op), _) if !self.ops.contains(op) => {
                self.broken(Violation::AnswerToNothing(*op));
            }
            Effect::Finish(op, _) => {
                if !self.ops.remove(op) {
                    self.broken(Violation::FinishOfNothing(*op));
                }
            }
            Effect::Halt => {
                self.halted = true;
                if !self.ops.is_empty() {
                    self.broken(Violation::UnfinishedAtHalt(self.ops.len()));
                }
            }
            Effect::SetTimer(..) | Effect::ClearTimer(_) | Effect::Event(..) => {}
        }
    }
}

/// The effect as the wrapper's own: the types of both are the same but for their names.
pub(crate) fn restate<M, W>(effect: Effect<M>) -> Option<Effect<W>>
where
    M: Machine,
    W: Machine<Command = M::Command, Event = M::Event, Error = M::Error, Timer = M::Timer>,
{
    effect.lift(
        |timer| timer,
        |own| {
            Some(match own {
                Own::Event(op, event) => Effect::Event(op, event),
                Own::Finish(op, result) => Effect::Finish(op, result),
                Own::Halt => Effect::Halt,
            })
        },
    )
}

impl<M: Machine> Machine for Audit<M> {
    type Command = M::Command;
    type Event = M::Event;
    type Error = M::Error;
    type Timer = M::Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let Some(input) = input.narrow::<M>(Some, Some) else { return };
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(shown(&input));
        self.check_input(&input);
        let mut effects = std::mem::take(&mut self.effects);
        cx.lend(&mut effects, |cx| self.inner.handle(input, cx));
        if effects.len() > self.most_effects {
            self.broken(Violation::TooManyEffects(effects.len()));
        }
        for effect in effects.drain(..) {
            self.check_effect(&effect);
            if let Some(effect) = restate(effect) {
                cx.push(effect);
            }
        }
        self.effects = effects;
    }
}

/// A copy to be shown, without the bytes that a disk gave.
fn shown<M: Machine>(input: &Input<M>) -> Input<M> {
    match input {
        Input::Job(id, JobDone::Read(Ok(data))) => {
            Input::Job(*id, JobDone::Read(Ok(data.slice(..data.len().min(32)))))
        }
        other => other.clone(),
    }
}
