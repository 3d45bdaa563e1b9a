//! Questions that were asked and not answered yet: [`Questions`].

use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// How long to wait for an answer of whom nothing is known.
pub(super) const UNKNOWN: Duration = Duration::from_millis(600);

/// Why something was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To join by this member.
    Hello,
    /// To learn how it is.
    Probe,
    /// Whether our parent in this tree is still there, and takes us for its child.
    Doubt(u8),
    /// Whether our child in this tree is still there: others need its place.
    Child(u8),
    /// To have it as a parent in this tree.
    Adopt(u8),
    /// The same, in place of one that serves as well, but not as near.
    Better(u8),
}

/// A question under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) transaction: u32,
    pub(super) to: SocketAddr,
    pub(super) asked: Instant,
    pub(super) due: Instant,
    pub(super) purpose: Purpose,
    /// It was asked again with a token.
    pub(super) proved: bool,
}

/// Few at a time, so a list serves.
#[derive(Clone, Debug, Default)]
pub(super) struct Questions(Vec<Question>);

impl Questions {
    pub(super) fn push(&mut self, question: Question) {
        self.0.push(question);
    }

    /// The question of an answer.
    pub(super) fn answered(&mut self, transaction: u32, from: SocketAddr) -> Option<Question> {
        let is = |question: &Question| question.transaction == transaction && question.to == from;
        let at = self.0.iter().position(is)?;
        Some(self.0.swap_remove(at))
    }

    pub(super) fn any(&self, is: impl Fn(&Question) -> bool) -> bool {
        self.0.iter().any(is)
    }

    /// Whether this member was asked to be a parent.
    pub(super) fn is_asked_to_adopt(&self, addr: SocketAddr) -> bool {
        let adopts = |purpose| matches!(purpose, Purpose::Adopt(_) | Purpose::Better(_));
        self.any(|question| question.to == addr && adopts(question.purpose))
    }

    /// Those that nobody answered in time.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Question> {
        self.0.extract_if(.., |question| question.due <= now).collect()
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().map(|question| question.due).min()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
