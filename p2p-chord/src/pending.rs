//! Questions that were asked and not answered yet: [`Pending`].

use crate::peer::Peer;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::{Duration, Instant};

/// How long it takes to ask others, almost always.
const OTHERS: Duration = Duration::from_millis(400);

/// A question under way.
#[derive(Clone, Debug)]
pub(crate) struct Question<P> {
    pub(crate) transaction: u32,
    pub(crate) to: Peer,
    pub(crate) asked: Instant,
    pub(crate) due: Instant,
    /// In milliseconds.
    patience: u32,
    /// How often it is repeated yet.
    pub(crate) repeats: u8,
    /// It was repeated: its answer does not tell how long a round trip takes (Karn 1987).
    pub(crate) repeated: bool,
    pub(crate) purpose: P,
    pub(crate) sent: Sent,
}

/// A datagram that may be sent again: in place if it is short, and without the zeros behind it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// How long it was in all.
    whole: u16,
    packet: Kept,
}

#[derive(Clone, Debug)]
enum Kept {
    Short(u8, [u8; IN_PLACE]),
    Long(Box<[u8]>),
}

/// A step of a lookup takes 36 bytes.
const IN_PLACE: usize = 37;

impl Sent {
    /// Of a datagram, of which so much is not zeros.
    pub(crate) fn new(datagram: &[u8], len: usize) -> Self {
        let packet = &datagram[..len];
        let mut short = [0; IN_PLACE];
        let packet = match short.get_mut(..len) {
            Some(room) => {
                room.copy_from_slice(packet);
                Kept::Short(len as u8, short)
            }
            None => Kept::Long(packet.into()),
        };
        Self { whole: datagram.len() as u16, packet }
    }

    /// Without the zeros behind it.
    pub(crate) fn packet(&self) -> &[u8] {
        match &self.packet {
            Kept::Short(len, bytes) => &bytes[..usize::from(*len)],
            Kept::Long(bytes) => bytes,
        }
    }

    fn whole(&self) -> Bytes {
        let packet = self.packet();
        if packet.len() == usize::from(self.whole) {
            return Bytes::copy_from_slice(packet);
        }
        let mut whole = Vec::with_capacity(usize::from(self.whole));
        whole.extend_from_slice(packet);
        whole.resize(usize::from(self.whole), 0);
        whole.into()
    }
}

/// The questions of a node; few at a time, so a list serves.
#[derive(Clone, Debug)]
pub(crate) struct Pending<P> {
    questions: Vec<Question<P>>,
    /// When the timer is set to.
    armed: Option<Instant>,
}

impl<P> Pending<P> {
    pub(crate) const fn new() -> Self {
        Self { questions: Vec::new(), armed: None }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Question<P>> {
        self.questions.iter()
    }

    /// See [`Chord::touch`](crate::Chord::touch).
    pub(crate) fn touch(&self) -> u64 {
        self.questions
            .iter()
            .fold(0, |sum, question| sum ^ u64::from(question.transaction) ^ u64::from(question.sent.whole))
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        let long = self.questions.iter().map(|question| match &question.sent.packet {
            Kept::Short(..) => 0,
            Kept::Long(packet) => packet.len(),
        });
        self.questions.capacity() * size_of::<Question<P>>() + long.sum::<usize>()
    }

    pub(crate) fn is_pending(&self, is: impl Fn(&P) -> bool) -> bool {
        self.questions.iter().any(|question| is(&question.purpose))
    }

    pub(crate) fn contains(&self, transaction: u32) -> bool {
        self.questions.iter().any(|question| question.transaction == transaction)
    }

    /// Notes a question that was sent. Gives when to wake up, if that is earlier than was said before.
    pub(crate) fn ask(&mut self, question: Question<P>) -> Option<Instant> {
        let due = question.due;
        // Room for one or two at first: most nodes ask no more at a time.
        if self.questions.len() == self.questions.capacity() {
            self.questions.reserve_exact(self.questions.len().max(1));
        }
        self.questions.push(question);
        self.arm(due)
    }

    fn arm(&mut self, due: Instant) -> Option<Instant> {
        if self.armed.is_some_and(|armed| armed <= due) {
            return None;
        }
        self.armed = Some(due);
        Some(due)
    }

    /// The question of an answer from this address, and how long it took since it was asked first.
    pub(crate) fn answered(
        &mut self,
        transaction: u32,
        from: core::net::SocketAddr,
        now: Instant,
    ) -> Option<(Question<P>, Duration)> {
        let is = |question: &Question<P>| question.transaction == transaction && question.to.is_at(from);
        let at = self.questions.iter().position(is)?;
        let question = self.questions.swap_remove(at);
        self.rest();
        let took = now.since(question.asked);
        Some((question, took))
    }

    /// Forgets questions that nobody wants answered any more.
    pub(crate) fn forget(&mut self, is: impl Fn(&P) -> bool) {
        self.questions.retain(|question| !is(&question.purpose));
        self.rest();
    }

    /// Who waits for nothing holds nothing.
    fn rest(&mut self) {
        if self.questions.is_empty() {
            self.questions = Vec::new();
        }
    }

    /// The questions to a node are overdue, and where it is gone not to be repeated.
    pub(crate) fn hasten(&mut self, to: Peer, is_gone: bool) {
        for question in self.questions.iter_mut().filter(|question| question.to == to) {
            question.due = Instant::ZERO;
            question.repeats = if is_gone { 0 } else { question.repeats };
        }
    }

    /// The timer rang: what is to be sent again, what has failed, and when to wake up next.
    pub(crate) fn due(&mut self, now: Instant) -> Due<P> {
        let mut due = Due { again: Vec::new(), failed: Vec::new(), next: None };
        self.armed = None;
        for question in
            self.questions.iter_mut().filter(|question| question.due <= now && question.repeats > 0)
        {
            question.repeats -= 1;
            question.repeated = true;
            question.patience = question.patience.saturating_mul(2);
            question.due = now + Duration::from_millis(question.patience.into());
            due.again.push((question.to, question.sent.whole()));
        }
        due.failed.extend(self.questions.extract_if(.., |question| question.due <= now));
        self.rest();
        if let Some(next) = self.questions.iter().map(|question| question.due).min() {
            due.next = self.arm(next);
        }
        due
    }
}

/// What is to be done when the timer rang.
pub(crate) struct Due<P> {
    pub(crate) again: Vec<(Peer, Bytes)>,
    pub(crate) failed: Vec<Question<P>>,
    pub(crate) next: Option<Instant>,
}

/// How patiently something is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Insistence {
    /// Once: there are others to ask.
    Once,
    /// Twice: one lost datagram is no death.
    Twice,
    /// Three times, each time waiting twice as long: silence then counts as death.
    Thrice,
    /// Twice, and who is asked has to ask others before it can answer.
    Slowly,
}

impl Insistence {
    pub(crate) const fn repeats(self) -> u8 {
        match self {
            Self::Once => 0,
            Self::Twice | Self::Slowly => 1,
            Self::Thrice => 2,
        }
    }

    /// How much longer than a round trip an answer may take.
    pub(crate) const fn allowance(self) -> Duration {
        match self {
            Self::Once | Self::Twice | Self::Thrice => Duration::ZERO,
            Self::Slowly => OTHERS,
        }
    }
}

impl<P> Question<P> {
    pub(crate) fn new(
        (transaction, to): (u32, Peer),
        now: Instant,
        patience: Duration,
        insistence: Insistence,
        purpose: P,
        sent: Sent,
    ) -> Self {
        Self {
            transaction,
            to,
            asked: now,
            due: now + patience,
            patience: u32::try_from(patience.as_millis()).unwrap_or(u32::MAX),
            repeats: insistence.repeats(),
            repeated: false,
            purpose,
            sent,
        }
    }
}
