//! What an exploration is told of the machines that it explores: [`Rules`].

use super::{Letter, Node, Nudge, World};
use p2p_core::Machine;
use std::hash::Hasher;

/// What an exploration is told of the machines that it explores.
pub trait Rules<M: Machine + Clone> {
    /// What counts of a node's state: all that its later behaviour depends on, and nothing else. Time stands still, so
    /// times may be left out; numbers that are drawn only to be told apart must be. What is drawn for a life may
    /// be told by [`Node::life`].
    fn node(&self, node: &Node<M>, into: &mut dyn Hasher);

    /// What counts of a node's state when states of rest are counted: [`Explored::rests`](super::Explored::rests). By
    /// default all that tells states apart. Less than that may be told of a state in detail, to compare it with what is
    /// come to where details are left out.
    fn rest(&self, node: &Node<M>, into: &mut dyn Hasher) {
        self.node(node, into);
    }

    /// What counts of a letter on its way, in the same sense: a number by which its receiver would know it, say, is
    /// replaced by what the receiver knows it as. Sender and receiver are counted already, [`Letter::unprompted`] is
    /// not.
    fn letter(&self, letter: &Letter, world: &World<M>, into: &mut dyn Hasher);

    /// Whether a letter may arrive within the step that sent it, or that made it so, without a loss of generality:
    /// because the order of its arrival and of all that could happen before does not matter. Says no unless it is
    /// known better.
    fn is_prompt(&self, letter: &Letter, world: &World<M>) -> bool {
        let _ = (letter, world);
        false
    }

    /// The nudge of the sender, if any, that may follow at once on a letter that was just sent to a node that is down,
    /// without a loss of generality: because nothing that happens in between makes a difference, nor sees one.
    fn prompt_nudge(&self, lost: &Letter, world: &World<M>) -> Option<Nudge<M::Timer>> {
        let _ = (lost, world);
        None
    }

    /// The timers of a node that may ring now. A machine sets timers for what takes too long as well; they are to ring
    /// only if the answer can come no more. Periodic ones need not ring while what they would start is under way.
    fn nudges(&self, node: usize, world: &World<M>) -> Vec<Nudge<M::Timer>>;

    /// Prepares a machine for a nudge, as time would have: makes the questions to a dead node overdue, say.
    fn prepare(&self, nudge: &Nudge<M::Timer>, machine: &mut M) {
        let _ = (nudge, machine);
    }

    /// Whether a node may crash now, within [`Explorer::crashes`](super::Explorer::crashes).
    fn may_crash(&self, node: usize, world: &World<M>) -> bool {
        let _ = (node, world);
        true
    }

    /// In how many ways a node that is down may come up now, within [`Explorer::boots`](super::Explorer::boots).
    fn boots(&self, node: usize, world: &World<M>) -> usize {
        let _ = (node, world);
        0
    }

    /// The machine of a node that comes up, in one of those ways, and what is asked of it.
    fn boot(&self, node: usize, variant: usize) -> (M, M::Command);

    /// What must hold in every state.
    ///
    /// # Errors
    /// What does not.
    fn check(&self, world: &World<M>) -> Result<(), String>;

    /// What must come to hold once nobody crashes or comes up any more.
    ///
    /// # Errors
    /// What does not hold yet.
    fn goal(&self, world: &World<M>) -> Result<(), String>;

    /// A letter in words, for counterexamples.
    fn describe(&self, letter: &Letter, world: &World<M>) -> String {
        let _ = world;
        format!("{} bytes", letter.data.len())
    }

    /// A state in words, for the end of a counterexample.
    fn picture(&self, world: &World<M>) -> String {
        format!("{world:?}")
    }
}
