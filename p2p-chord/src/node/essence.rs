//! What an exhaustive explorer sees of a node, and the one thing that it does to it: it lets questions be overdue when
//! their answer can come no more, for its time stands still. Nothing else needs this.

use super::{Chord, Purpose, State};
use crate::peer::Peer;
use core::hash::{Hash as _, Hasher};
use siphasher::sip::SipHasher13;

/// Where the number of a question lies in a datagram (see [`wire`](crate::wire)).
const TRANSACTION: core::ops::Range<usize> = 6..10;

impl Chord {
    /// All that the node's later behaviour depends on, but for times and for numbers that only tell questions apart.
    #[doc(hidden)]
    pub fn essence(&self, mut into: &mut dyn Hasher) {
        let into = &mut into;
        core::mem::discriminant(&self.state).hash(into);
        match &self.state {
            State::Outside | State::Guest => {}
            State::Joining(joining) => joining.essence(into),
            State::Member(ring) => ring.hash(into),
        }
        for contact in self.fingers.contacts() {
            contact.hash(into);
        }
        self.everybody.hash(into);
        (self.finger, self.resort, self.alone, &self.unheard, self.is_entering(), self.lookups.len())
            .hash(into);
        for running in self.lookups.values() {
            running.essence(into);
        }
        // In no order that matters.
        let questions = self.pending.iter().map(|question| {
            let mut one = SipHasher13::new();
            (question.to, question.repeats, question.repeated).hash(&mut one);
            self.hash_purpose(&question.purpose, &mut one);
            hash_datagram(question.sent.packet(), &mut one);
            one.finish()
        });
        questions.fold(0_u64, u64::wrapping_add).hash(into);
    }

    fn hash_purpose(&self, purpose: &Purpose, into: &mut impl Hasher) {
        core::mem::discriminant(purpose).hash(into);
        match purpose {
            Purpose::Step(lookup)
            | Purpose::Widen(lookup)
            | Purpose::Owner(lookup)
            | Purpose::Route(lookup) => self.lookups.keys().position(|number| number == lookup).hash(into),
            other => other.hash(into),
        }
    }

    /// The questions that it waits for answers to: their numbers, whom they were put to, and what for.
    #[doc(hidden)]
    pub fn questions(&self) -> impl Iterator<Item = (u32, Peer, &'static str)> {
        self.pending.iter().map(|question| {
            let what = match question.purpose {
                Purpose::Greet => "greet",
                Purpose::Step(_) | Purpose::Widen(_) => "step",
                Purpose::Owner(_) => "owner",
                Purpose::Copy => "copy",
                Purpose::Enter => "enter",
                Purpose::Stabilise(0) => "stabilise",
                Purpose::Stabilise(_) => "next",
                Purpose::Nearer => "nearer",
                Purpose::Predecessor(_) => "predecessor",
                Purpose::Heir(_) => "heir",
                Purpose::Farewell => "farewell",
                Purpose::Member => "member",
                Purpose::Finger => "finger",
                Purpose::Get(_) | Purpose::Put(_) => "record",
                Purpose::Keep(_) | Purpose::Repair | Purpose::Hand => "copy of a record",
                Purpose::Compare(_) => "compare",
                Purpose::Route(_) | Purpose::Pass => "route",
                Purpose::Sample(..) => "sample",
                Purpose::News | Purpose::Members => "members",
                Purpose::Other => "nearer",
                Purpose::Follow => "follow",
                Purpose::Told => "others",
                Purpose::Reach => "greet",
                Purpose::Way(_) => "step",
                Purpose::Replica(_) => "record",
                Purpose::Lodge(_) => "lodge",
                Purpose::Load => "load",
                Purpose::Mend => "fragment",
                Purpose::Sweep => "sweep",
                Purpose::Walk(_) => "walk",
            };
            (question.transaction, question.to, what)
        })
    }

    /// The questions to a node are overdue; if it is gone, they have been repeated as often as they will be.
    #[doc(hidden)]
    pub fn hasten(&mut self, to: Peer, is_gone: bool) {
        self.pending.hasten(to, is_gone);
    }
}

/// A datagram but for its number.
fn hash_datagram(datagram: &[u8], into: &mut impl Hasher) {
    datagram[..TRANSACTION.start].hash(into);
    datagram[TRANSACTION.end..].hash(into);
}
