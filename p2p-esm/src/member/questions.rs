//! Questions that were asked and not answered yet: [`Questions`].

use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// How long to wait for an answer of whom nothing is known.
pub(super) const UNKNOWN: Duration = Duration::from_millis(600);

/// Who gets no answer to so many questions in a row is cut off.
const CUT_OFF: u32 = 6;

/// Why something was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To join by this member.
    Hello,
    /// To learn how it is.
    Probe,
    /// Whether our parent in this tree is still there, and takes us for its child.
    Doubt(u8),
    /// Whether our parent in this tree takes another token of us.
    Renew(u8),
    /// Whether our child in this tree is still there: others need its place.
    Child(u8),
    /// To have it as a parent in this tree.
    Adopt(u8),
    /// The same, in place of one that serves as well, but not as near.
    Better(u8),
    /// To have it as a neighbour in the mesh.
    Link,
    /// To learn whether it would be a good one.
    Survey,
}

/// A question under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) transaction: u32,
    pub(super) to: SocketAddr,
    pub(super) asked: Instant,
    pub(super) due: Instant,
    pub(super) purpose: Purpose,
    /// The generation that a parent was asked to begin with: its low 32 bits.
    pub(super) from: Option<u32>,
    /// It was asked again with a token.
    pub(super) proved: bool,
}

/// Few at a time, so a list serves.
#[derive(Clone, Debug, Default)]
pub(super) struct Questions {
    open: Vec<Question>,
    /// So many in a row were not answered.
    in_vain: u32,
}

impl Questions {
    pub(super) fn push(&mut self, question: Question) {
        self.open.push(question);
    }

    /// The question of an answer.
    pub(super) fn answered(&mut self, transaction: u32, from: SocketAddr) -> Option<Question> {
        let is = |question: &Question| question.transaction == transaction && question.to == from;
        let at = self.open.iter().position(is)?;
        Some(self.open.swap_remove(at))
    }

    /// Somebody answered: whether nobody had for so many questions that we were cut off.
    pub(super) const fn ends_silence(&mut self) -> bool {
        core::mem::replace(&mut self.in_vain, 0) >= CUT_OFF
    }

    pub(super) fn any(&self, is: impl Fn(&Question) -> bool) -> bool {
        self.open.iter().any(is)
    }

    /// Who was asked for this.
    pub(super) fn of(&self, purpose: Purpose) -> impl Iterator<Item = SocketAddr> {
        self.open.iter().filter(move |question| question.purpose == purpose).map(|question| question.to)
    }

    /// Whether this member was asked to be a parent.
    pub(super) fn is_asked_to_adopt(&self, addr: SocketAddr) -> bool {
        let adopts = |purpose| matches!(purpose, Purpose::Adopt(_) | Purpose::Better(_));
        self.any(|question| question.to == addr && adopts(question.purpose))
    }

    /// Those that nobody answered in time.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Question> {
        let overdue: Vec<_> = self.open.extract_if(.., |question| question.due <= now).collect();
        self.in_vain = self.in_vain.saturating_add(u32::try_from(overdue.len()).unwrap_or(u32::MAX));
        overdue
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.open.iter().map(|question| question.due).min()
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}
