//! How a state came about, in words: [`Counterexample`].

use super::world::Step;
use super::{Fault, Rules, World};
use p2p_core::Machine;
use std::fmt;

/// A state that breaks a rule, and how it came about.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// What is wrong.
    pub fault: String,
    /// The steps from the beginning to it.
    pub steps: Vec<String>,
    /// The state.
    pub picture: String,
    /// What becomes of it, if the fault is that the goal is not reached.
    pub later: Option<String>,
    /// States that were visited up to there.
    pub states: usize,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (state {})", self.fault, self.states)?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{:3}. {step}", number + 1)?;
        }
        write!(f, "{}", self.picture)?;
        self.later.as_ref().map_or(Ok(()), |later| write!(f, "\nin the end\n{later}"))
    }
}

impl std::error::Error for Counterexample {}

/// Walks from the beginning by the numbers of its steps.
pub(super) fn follow<M: Machine + Clone, R: Rules<M>>(
    mut world: World<M>,
    rules: &R,
    numbers: &[u16],
    fault: Fault,
    states: usize,
) -> Counterexample {
    let mut steps = Vec::new();
    let mut possible = Vec::new();
    for number in numbers {
        world.steps(rules, &mut possible);
        let step = possible[usize::from(*number)];
        steps.push(in_words(&step, &world, rules));
        world.apply(step, rules);
    }
    Counterexample { fault: fault.what, steps, picture: rules.picture(&world), later: fault.later, states }
}

fn in_words<M: Machine + Clone, R: Rules<M>>(step: &Step<M::Timer>, world: &World<M>, rules: &R) -> String {
    match step {
        Step::Deliver(at) => {
            let letter = &world.letters()[*at];
            format!("{} hears of {}: {}", letter.to, letter.from, rules.describe(letter, world))
        }
        Step::Nudge(node, nudge) => match nudge.about {
            Some(about) => format!("{node}: {} {about}", nudge.why),
            None => format!("{node}: {}", nudge.why),
        },
        Step::Crash(node) => format!("{node} crashes"),
        Step::Boot(node, variant) => format!("{node} comes up ({variant})"),
    }
}
