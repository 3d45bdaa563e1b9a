//! What an exhaustive explorer sees of a node, and the one thing that it does to it: it lets questions be overdue when
//! their answer can come no more, for its time stands still. Nothing else needs this.

use super::answers::most;
use super::{Chord, Purpose, State};
use crate::contact::Contact;
use crate::peer::Peer;
use crate::wire::{Answer, Ask, Packet};
use core::hash::{Hash as _, Hasher};
use core::net::SocketAddr;
use p2p_core::Instant;
use siphasher::sip::SipHasher13;

/// Where the number of a question lies in a datagram (see [`wire`](crate::wire)).
const TRANSACTION: core::ops::Range<usize> = 6..10;
/// And the token that is shown.
const TOKEN: core::ops::Range<usize> = 10..14;

/// How much of a state is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Whole,
    /// What the ring depends on: see [`Chord::outline`].
    Ring,
}

impl View {
    pub(crate) fn hash_contacts<'a>(
        self,
        contacts: impl IntoIterator<Item = &'a Contact>,
        into: &mut impl Hasher,
    ) {
        for contact in contacts {
            match self {
                Self::Whole => contact.hash(into),
                Self::Ring => contact.peer.hash(into),
            }
        }
        // Behind a list.
        u8::MAX.hash(into);
    }
}

impl Chord {
    /// All that the node's later behaviour depends on, but for times and for numbers that only tell questions apart.
    #[doc(hidden)]
    pub fn essence(&self, mut into: &mut dyn Hasher) {
        self.hash_state(View::Whole, &mut into);
    }

    /// The same without what it cannot see the ring change by:
    ///
    /// - *Tokens*: whoever shows none, or one that is not known any more, is told to show one, and nothing else happens on
    ///   either side ([`asks_for_proof`](Self::asks_for_proof)). So the same question with and without a token differ in how
    ///   long they take.
    /// - *Round trips*: how patient it is. Time stands still.
    /// - *What our successor need not tell again*: a list that it does not tell is the one that we follow already, because
    ///   nothing else changes ours while we wait for it.
    /// - *Who is not heard*, once: it takes two rounds to count, and [`hears_all`](Self::hears_all) comes before.
    /// - *The rumour* of who was before our successor: it is told to whoever asks who is before us, and of that answer
    ///   nothing is read where the ring is concerned, but that there was one.
    #[doc(hidden)]
    pub fn outline(&self, mut into: &mut dyn Hasher) {
        self.hash_state(View::Ring, &mut into);
    }

    fn hash_state(&self, view: View, into: &mut impl Hasher) {
        core::mem::discriminant(&self.state).hash(into);
        match &self.state {
            State::Outside | State::Guest => {}
            State::Joining(joining) => joining.essence(view, into),
            State::Member(ring) if view == View::Whole => ring.hash(into),
            State::Member(ring) => {
                ring.is_small().hash(into);
                ring.predecessor().map(|before| before.peer).hash(into);
                view.hash_contacts(ring.successors(), into);
            }
        }
        view.hash_contacts(self.fingers.contacts(), into);
        self.everybody.hash(into);
        (self.finger, self.resort, self.alone, self.is_entering(), self.lookups.len()).hash(into);
        if view == View::Whole {
            self.unheard.hash(into);
        }
        for running in self.lookups.values() {
            running.essence(view, into);
        }
        // In no order that matters.
        let questions = self.pending.iter().map(|question| {
            let mut one = SipHasher13::new();
            (question.to, question.repeats).hash(&mut one);
            self.hash_purpose(&question.purpose, view, &mut one);
            match view {
                View::Whole => {
                    question.repeated.hash(&mut one);
                    hash_datagram(question.sent.packet(), &mut one);
                }
                View::Ring => self.hash_ask(question.sent.packet(), &mut one),
            }
            one.finish()
        });
        questions.fold(0_u64, u64::wrapping_add).hash(into);
    }

    fn hash_purpose(&self, purpose: &Purpose, view: View, into: &mut impl Hasher) {
        core::mem::discriminant(purpose).hash(into);
        match purpose {
            Purpose::Step(lookup)
            | Purpose::Widen(lookup)
            | Purpose::Owner(lookup)
            | Purpose::Route(lookup) => self.lookups.keys().position(|number| number == lookup).hash(into),
            Purpose::Predecessor(claimant) => view.hash_contacts([claimant], into),
            other => other.hash(into),
        }
    }

    /// A question without its token and without what need not be told again. It can be sent once more.
    fn hash_ask(&self, datagram: &[u8], into: &mut impl Hasher) {
        match Packet::decode(datagram, self.config.network) {
            Ok(Packet::Ask { ask: Ask::Neighbours { notify, .. }, member, .. }) => {
                (member, notify).hash(into)
            }
            _ => datagram[TOKEN.end..].hash(into),
        }
    }

    /// Whether all that comes of a question from there is that it is to be asked again with a proof of the address. Its
    /// sender then does so, and nothing else.
    #[doc(hidden)]
    pub fn asks_for_proof(&self, from: SocketAddr, datagram: &[u8], now: Instant) -> bool {
        let Ok(Packet::Ask { token, member, ask, .. }) = Packet::decode(datagram, self.config.network) else {
            return false;
        };
        let is_short = |answer: &Answer| most(answer) <= datagram.len();
        !self.tokens.is_of(token, from, now)
            && match ask {
                Ask::Neighbours { notify, .. } if notify && member && self.is_news(from) => true,
                Ask::Neighbours { known, .. } => !is_short(&self.neighbours(known)),
                Ask::Step(target) => !is_short(&self.step(target)),
                Ask::Follow => member,
                Ask::Enter => true,
                _ => false,
            }
    }

    /// Whether it joined and waits for its successor to know of it: then it also heeds who was before that one.
    #[doc(hidden)]
    pub const fn waits_to_be_known(&self) -> bool {
        self.is_entering()
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

    /// Nobody stands between it and its successor whom it does not hear. That is for links by which some hear each other
    /// and others do not, of which an explorer has none: here it would only be one more who is dead, or is back.
    #[doc(hidden)]
    pub fn hears_all(&mut self) {
        self.unheard = None;
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
