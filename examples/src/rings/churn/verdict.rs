//! Whether a lookup named the right node: [`History`], [`Verdict`].

use p2p_core::Instant;
use p2p_sim::NodeIx;

/// Who has been responsible for a place since a lookup began.
#[derive(Default)]
pub(super) struct History(Vec<(Instant, NodeIx)>);

/// What is to be said of the node that a lookup named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was responsible when the last word was given on which the lookup rests, and when that arrived.
    Right,
    /// It was responsible when that was given, and crashed or left while it was on its way.
    Gone,
    /// It was responsible when that was given, and another one finished its join while it was on its way.
    Preceded,
    /// It was not responsible when that was given.
    Wrong,
}

impl History {
    /// This one is responsible, and has been since then at the latest.
    pub(super) fn note(&mut self, since: Instant, owner: NodeIx) {
        if self.0.last().map(|(_, last)| *last) != Some(owner) {
            self.0.push((since, owner));
        }
    }

    /// Who was responsible at a moment.
    pub(super) fn at(&self, moment: Instant) -> Option<NodeIx> {
        let noted = self.0.iter().rfind(|(since, _)| *since <= moment).or_else(|| self.0.first());
        noted.map(|(_, owner)| *owner)
    }

    /// Of a lookup that named this one, when the last word that it rests on was given at `said`.
    pub(super) fn judge(&self, named: Option<NodeIx>, said: Instant, is_there: bool) -> Verdict {
        if named.is_none() || self.at(said) != named {
            Verdict::Wrong
        } else if self.0.last().map(|(_, last)| *last) == named {
            Verdict::Right
        } else if is_there {
            Verdict::Preceded
        } else {
            Verdict::Gone
        }
    }
}
