//! Finding what two nodes hold differently in an arc of the ring, and making it the same ("anti-entropy").
//!
//! ```text
//!            the same
//!  Compare ───────────► done          a few records
//!     ▲ └── an arc differs ──────────────────────────► Exchange ──► each gives the other what it lacks (`Keep`)
//!     └──────── many: it is cut into 16 ◄── ┘
//! ```
//!
//! Two nodes that agree exchange two messages. Who begins keeps the list of arcs that are left; who answers keeps nothing.

use super::answers::Asked;
use super::{Chord, Context, Purpose};
use crate::contact::Contact;
use crate::id::RingId;
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::record::Kind;
use crate::store::{Digest, Name, fingerprint};
use crate::wire::{Answer, Ask};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Arcs that one is cut into.
const CUT: usize = 16;
/// Records of an arc that is not cut any more.
const FEW: u32 = 100;
/// Fingerprints in a message: a key may have more records than an arc should have.
const FINGERPRINTS: usize = 132;
/// Records that are given in answer to one exchange: what is more is found by the next comparison.
const GIVEN: usize = 512;
/// Comparisons that a node may have under way.
const SESSIONS: usize = 32;

/// What lies behind `from` and not behind `to`, and the key that its digests are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arc {
    pub(super) key: u64,
    pub(super) from: RingId,
    pub(super) to: RingId,
    /// Only what is kept in fragments.
    pub(super) coded: bool,
}

/// A comparison under way.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) with: Contact,
    key: u64,
    why: Why,
    /// What is asked about.
    asked: Asking,
    /// What was found to differ, and is asked about next.
    left: Vec<(RingId, RingId, u32)>,
}

/// What two nodes compare for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The asker is responsible for the arc, and the other is to have copies of it.
    Own,
    /// The same, but the other is to have fragments only.
    Fragments,
    /// The asker was, and leaves: the other is to have what it has.
    Leaving,
    /// The other is to have copies of all of it, as the asker has.
    Newcomer,
    /// The asker has no more business with the arc: once the other has something, it goes. What is in fragments too?
    Sweep { coded: bool },
}

impl Why {
    /// Whether the asker is to have from the other what it lacks itself.
    const fn is_mutual(self) -> bool {
        matches!(self, Self::Own | Self::Fragments | Self::Leaving)
    }

    const fn is_coded(self) -> bool {
        matches!(self, Self::Fragments)
    }
}

#[derive(Clone, Debug)]
enum Asking {
    /// The beginning of the first arc, and the ends of all with what was said of them.
    Compare(RingId, Vec<(RingId, Digest)>),
    Exchange(Vec<(Name, [u8; 8])>),
}

impl Chord {
    /// Makes an arc the same here and there, or there as it is here. Whether it begins to: it compares with each node once
    /// at a time.
    pub(super) fn reconcile(
        &mut self,
        with: Contact,
        (from, to): (RingId, RingId),
        why: Why,
        cx: &mut Context<'_>,
    ) -> bool {
        let sessions = &self.storage.copies.sessions;
        if sessions.len() >= SESSIONS || sessions.values().any(|session| session.with.peer == with.peer) {
            return false;
        }
        let (number, key) = (self.storage.draw(), cx.rng().bits());
        let asked = Asking::Exchange(Vec::new());
        let session = Session { with, key, why, asked, left: Vec::new() };
        self.storage.copies.sessions.insert(number, Box::new(session));
        self.ask_to_compare(number, from, Vec::from([to]), cx);
        true
    }

    fn session(&mut self, number: u32) -> Option<&mut Session> {
        self.storage.copies.sessions.get_mut(&number).map(|session| &mut **session)
    }

    fn ask_to_compare(&mut self, number: u32, from: RingId, ends: Vec<RingId>, cx: &mut Context<'_>) {
        let now = cx.unix_now();
        let Some(session) = self.storage.copies.sessions.get_mut(&number) else { return };
        let (key, with, mut begin) = (session.key, session.with, from);
        let coded = session.why.is_coded();
        let mut digest = |to: RingId| {
            let digest = self.storage.store.digest(key, (begin, to), coded, now);
            begin = to;
            (to, digest)
        };
        let arcs: Vec<(RingId, Digest)> = ends.into_iter().map(&mut digest).collect();
        session.asked = Asking::Compare(from, arcs.clone());
        let ask = Ask::Compare { key, from, arcs, coded };
        self.ask(with, ask, Insistence::Thrice, Purpose::Compare(number), cx);
    }

    /// The other node answered.
    pub(super) fn reconciled(&mut self, number: u32, answer: Answer, cx: &mut Context<'_>) {
        let Some(session) = self.session(number) else { return };
        let (key, why, with) = (session.key, session.why, session.with);
        let asked = core::mem::replace(&mut session.asked, Asking::Exchange(Vec::new()));
        match (asked, answer) {
            (Asking::Compare(from, arcs), Answer::Differ(differing)) => {
                let arc = |at: usize| {
                    let begin = at.checked_sub(1).map_or(Some(from), |before| Some(arcs.get(before)?.0));
                    Some((begin?, arcs.get(at)?.0))
                };
                let new = differing.iter().filter_map(|(at, count)| {
                    let (from, to) = arc(usize::from(*at))?;
                    Some((from, to, *count))
                });
                session.left.extend(new);
                if let Why::Sweep { coded } = why {
                    let differs = |at: &usize| differing.iter().any(|(other, _)| usize::from(*other) == *at);
                    for at in (0..arcs.len()).filter(|at| !differs(at)) {
                        let Some((from, to)) = arc(at) else { continue };
                        self.drop_arc(key, (from, to), arcs[at].1, coded, cx);
                    }
                }
            }
            (Asking::Exchange(names), Answer::Lacking(lacking)) => {
                let lacks = lacking.iter().filter_map(|at| names.get(usize::from(*at)));
                let lacks = lacks.map(|(name, _)| *name).collect();
                if let Why::Sweep { coded } = why {
                    let is_lacking = |at: &usize| lacking.iter().any(|other| usize::from(*other) == *at);
                    let there = (0..names.len()).filter(|at| !is_lacking(at)).map(|at| names[at]);
                    self.drop_names(key, there, coded);
                }
                self.hand_what_lacks(with, lacks, why, cx);
            }
            _ => return self.not_reconciled(number, cx),
        }
        self.reconcile_next(number, cx);
    }

    /// Gives a node what it lacks. Fragments that it is to have are made for it, for each node has another one.
    fn hand_what_lacks(&mut self, with: Contact, mut names: Vec<Name>, why: Why, cx: &mut Context<'_>) {
        match why {
            Why::Own | Why::Fragments => {
                let fragments = names.extract_if(.., |name| name.kind() == Kind::Coded);
                let keys: Vec<RingId> = fragments.map(|name| name.key()).collect();
                self.mend(with, keys, cx);
            }
            // Who is responsible sees to it.
            Why::Newcomer => names.retain(|name| name.kind() != Kind::Coded),
            Why::Leaving | Why::Sweep { .. } => {}
        }
        self.hand(with, names, cx);
    }

    fn reconcile_next(&mut self, number: u32, cx: &mut Context<'_>) {
        let now = cx.unix_now();
        let Some(session) = self.storage.copies.sessions.get_mut(&number) else { return };
        let Some((from, to, theirs)) = session.left.pop() else { return self.not_reconciled(number, cx) };
        let store = &self.storage.store;
        let (key, both, coded) = (session.key, session.why.is_mutual(), session.why.is_coded());
        let ours = store.arc(from, to, coded, now).count();
        let theirs = if both { theirs } else { 0 };
        if ours > FEW as usize || theirs > FEW {
            let ends = cut(from, to);
            if ends.len() > 1 {
                return self.ask_to_compare(number, from, ends, cx);
            }
        }
        let few = store.arc(from, to, coded, now).take(FINGERPRINTS);
        let names: Vec<(Name, [u8; 8])> =
            few.map(|(name, held)| (*name, fingerprint(key, name, held).to_le_bytes())).collect();
        let have = names.iter().map(|(_, fingerprint)| *fingerprint).collect();
        session.asked = Asking::Exchange(names);
        let with = session.with;
        let ask = Ask::Exchange { key, from, to, both, have, coded };
        self.ask(with, ask, Insistence::Thrice, Purpose::Compare(number), cx);
    }

    /// A comparison is over, or the other node does not answer.
    pub(super) fn not_reconciled(&mut self, number: u32, cx: &mut Context<'_>) {
        let over = self.storage.copies.sessions.remove(&number);
        if over.is_some_and(|session| matches!(session.why, Why::Sweep { .. })) {
            self.sweep_on(cx);
        }
        self.depart_if_handed(cx);
    }

    /// Another node compares.
    pub(super) fn compared(
        &self,
        key: u64,
        from: RingId,
        arcs: &[(RingId, Digest)],
        coded: bool,
        cx: &Context<'_>,
    ) -> Answer {
        if !self.is_member() {
            return Answer::Absent;
        }
        let (now, mut begin) = (cx.unix_now(), from);
        let mut differing = Vec::new();
        for (number, (to, theirs)) in (0..).zip(arcs.iter().take(CUT)) {
            let ours = self.storage.store.digest(key, (begin, *to), coded, now);
            if ours != *theirs {
                differing.push((number, ours.records));
            }
            begin = *to;
        }
        Answer::Differ(differing)
    }

    /// Another node says what it has in an arc.
    pub(super) fn exchanged(
        &mut self,
        asked: &Asked,
        arc: Arc,
        both: bool,
        have: &[[u8; 8]],
        cx: &mut Context<'_>,
    ) -> Answer {
        if !self.is_member() {
            return Answer::Absent;
        }
        let Arc { key, from, to, coded } = arc;
        let store = &self.storage.store;
        let here = store.arc(from, to, coded, cx.unix_now());
        let here: Vec<(Name, [u8; 8])> =
            here.map(|(name, held)| (*name, fingerprint(key, name, held).to_le_bytes())).collect();
        let ours: BTreeSet<&[u8; 8]> = here.iter().map(|(_, fingerprint)| fingerprint).collect();
        let theirs: BTreeSet<&[u8; 8]> = have.iter().collect();
        let lacking = (0..=u8::MAX).zip(have).filter(|(_, theirs)| !ours.contains(theirs));
        let answer = Answer::Lacking(lacking.map(|(number, _)| number).collect());
        if both && asked.member {
            let lacks = here.iter().filter(|(_, ours)| !theirs.contains(ours)).map(|(name, _)| *name);
            let names: Vec<Name> = lacks.take(GIVEN).collect();
            let peer = Peer::new(self.config.network, asked.from);
            self.hand(Contact::unmet(peer), names, cx);
        }
        answer
    }
}

/// The ends of the parts of an arc: 16 of the same length, or the arc itself if it is too short.
fn cut(from: RingId, to: RingId) -> Vec<RingId> {
    let mut sixteenth = *from.distance_to(to).as_bytes();
    let mut carry = if from == to { 1 } else { 0 };
    for byte in &mut sixteenth {
        (carry, *byte) = (*byte & 0xf, carry << 4 | *byte >> 4);
    }
    let step = RingId::new(sixteenth);
    let mut ends = Vec::with_capacity(CUT);
    if sixteenth != [0; 20] {
        let mut at = from;
        for _ in 1..CUT {
            at = at.plus(step);
            ends.push(at);
        }
    }
    ends.push(to);
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arc_is_cut_into_sixteen() {
        let zero = RingId::new([0; 20]);
        let whole = cut(zero, zero);
        assert_eq!(whole.len(), 16);
        assert_eq!(whole[0].as_bytes()[0], 0x10);
        assert_eq!(whole[14].as_bytes()[0], 0xf0);
        assert_eq!(whole[15], zero);
        let across = cut(RingId::new([0xf0; 20]), RingId::new([0x10; 20]));
        let from = RingId::new([0xf0; 20]);
        let far: Vec<RingId> = across.iter().map(|end| from.distance_to(*end)).collect();
        assert!(far.is_sorted());
        assert_eq!(across.last(), Some(&RingId::new([0x10; 20])));
        assert_eq!(cut(zero, zero.plus_power(3)), [zero.plus_power(3)]);
    }
}
