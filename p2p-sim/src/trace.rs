//! Recording what happened to a machine, and playing it again: [`Recorder`] wraps any machine, under any driver.

use crate::audit::restate;
use crate::fold::Fold;
use core::fmt::Write as _;
use p2p_core::{Cx, Effect, Input, Instant, Machine, Rng, Source, UnixTime};

/// One input, and what is needed to give it again.
pub struct Step<M: Machine> {
    /// When.
    pub now: Instant,
    /// The civil time.
    pub civil: UnixTime,
    /// The number of the next handle.
    pub next: u64,
    /// The input.
    pub input: Input<M>,
    /// A digest of the effects that it left, by their `Debug` text.
    pub effects: u64,
}

/// What happened to a machine, from its first input on.
pub struct Trace<M: Machine> {
    seed: [u8; 32],
    steps: Vec<Step<M>>,
    /// The limit was reached, and later inputs are missing.
    cut: bool,
}

impl<M: Machine> core::fmt::Debug for Step<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?} {:?}", self.now, self.input)
    }
}

impl<M: Machine> core::fmt::Debug for Trace<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(&self.steps).finish()
    }
}

/// A machine that did something else when its trace was played again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("step {step} left other effects than when it was recorded")]
pub struct Diverged {
    /// Which step, from 0.
    pub step: usize,
}

impl<M: Machine> Trace<M> {
    /// The inputs.
    pub fn steps(&self) -> &[Step<M>] {
        &self.steps
    }

    /// Whether inputs past the recorder's limit are missing.
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// A digest of all effects.
    pub fn digest(&self) -> u64 {
        let mut fold = Fold::new();
        self.steps.iter().for_each(|step| fold.mix(step.effects));
        fold.value()
    }

    /// Gives the same inputs at the same times with the same dice to a machine in the state that the recorded one
    /// began in. Returns it in its last state.
    ///
    /// # Errors
    /// At the first input whose effects differ from the recorded ones.
    pub fn replay(&self, mut machine: M) -> Result<M, Diverged> {
        let mut rng = Some(Rng::strong(self.seed));
        let mut effects = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let Some(dice) = rng.take() else { break };
            let mut source = Source::resume(dice, step.next);
            machine.handle(step.input.clone(), &mut Cx::new(step.now, step.civil, &mut source, &mut effects));
            rng = Some(source.rng);
            if digest(&effects) != step.effects {
                return Err(Diverged { step: at });
            }
            effects.clear();
        }
        Ok(machine)
    }
}

fn digest<M: Machine>(effects: &[Effect<M>]) -> u64 {
    let mut fold = Fold::new();
    for effect in effects {
        // A digest takes any text.
        let _ = write!(fold, "{effect:?};");
    }
    fold.value()
}

/// A machine that keeps its inputs. Its dice are its own, seeded from the driver's at the first input, so that the
/// record holds all that decides what it does.
pub struct Recorder<M: Machine> {
    inner: M,
    limit: usize,
    dice: Option<Rng>,
    trace: Trace<M>,
    effects: Vec<Effect<M>>,
}

impl<M: Machine> core::fmt::Debug for Recorder<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Recorder").field("steps", &self.trace.steps.len()).finish_non_exhaustive()
    }
}

impl<M: Machine> Recorder<M> {
    /// Records at most `limit` inputs.
    pub const fn new(machine: M, limit: usize) -> Self {
        let trace = Trace { seed: [0; 32], steps: Vec::new(), cut: false };
        Self { inner: machine, limit, dice: None, trace, effects: Vec::new() }
    }

    /// The machine.
    pub const fn inner(&self) -> &M {
        &self.inner
    }

    /// What was recorded so far.
    pub const fn trace(&self) -> &Trace<M> {
        &self.trace
    }

    /// What was recorded, and the machine.
    pub fn into_parts(self) -> (Trace<M>, M) {
        (self.trace, self.inner)
    }
}

impl<M: Machine> Machine for Recorder<M> {
    type Command = M::Command;
    type Event = M::Event;
    type Error = M::Error;
    type Timer = M::Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let Some(input) = input.narrow::<M>(Some, Some) else { return };
        let dice = match self.dice.take() {
            Some(dice) => dice,
            None => {
                self.trace.seed = cx.rng().bytes();
                Rng::strong(self.trace.seed)
            }
        };
        let next = cx.source().next();
        let (now, civil) = (cx.now(), cx.unix_now());
        let mut source = Source::resume(dice, next);
        let mut effects = std::mem::take(&mut self.effects);
        let kept = (self.trace.steps.len() < self.limit).then(|| input.clone());
        self.inner.handle(input, &mut Cx::new(now, civil, &mut source, &mut effects));
        match kept {
            Some(input) => {
                self.trace.steps.push(Step { now, civil, next, input, effects: digest(&effects) });
            }
            None => self.trace.cut = true,
        }
        while cx.source().next() < source.next() {
            cx.source().draw();
        }
        self.dice = Some(source.rng);
        for effect in effects.drain(..) {
            if let Some(effect) = restate(effect) {
                cx.push(effect);
            }
        }
        self.effects = effects;
    }
}
