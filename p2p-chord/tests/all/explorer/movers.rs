//! What of Chord's letters makes no difference, and which of them arrive at once without a loss of generality.
//!
//! A letter may arrive within the step that sent it if each course of events is equal to one in which it does: either the
//! sending can be put off until the arrival, because nobody sees the sender wait and nothing that it depends on changes
//! meanwhile, or the arrival has the same effect at any time. One by one:
//!
//! - *A question that is only told to come again with a proof*: it changes nothing where it arrives, and makes its sender send
//!   it again. So it is a question on its way that takes longer. If its sender crashes meanwhile, that is as if it had
//!   crashed before it asked; if its receiver does, the question is lost either way.
//! - *Stabilising*, from the timer to the question's arrival: nobody sees that a node waits for its successor's answer, and
//!   which successor it asks could only change by one that is nearer. So not while such a one is asked, or is about to be
//!   because somebody says that it is nearer. A sender that crashes meanwhile could as well crash after the arrival, for
//!   nobody takes it for dead before that ([`Zave`]'s `nudges`).
//! - *All questions of who joins*, for nobody sees anything of it before it is in; whether it is there is
//!   no question of when. And the answer that somebody is there to join by.
//! - *Whether somebody is there*, asked of a member that cannot crash; and an answer of that kind that changes nothing.
//! - *An answer that tells a node what it knows*: its list stays as it is, and nobody who is named is asked. It stays so: the
//!   list of who waits for its successor only changes to a nearer one's, and then nobody waits for the answer any more. Who has
//!   just joined is told by it that its successor knows of it, so that is a step of its own.
//! - *An answer that nobody waits for.*
//! - *Giving up* who was named as nearer, or as an heir, and is dead: nothing comes of it but that the node may ask others.
//!
//! All answers that change a list or a predecessor, and all questions that may change their receiver's, are steps of their own.

use super::rules::{Zave, head};
use p2p_chord::wire::{Answer, Ask, Packet};
use p2p_chord::{Chord, Peer, Place};
use p2p_sim::explore::{Letter, NOW, World};
use std::hash::{Hash as _, Hasher};

/// What somebody says of who is beside it.
struct Said {
    small: bool,
    predecessor: Option<Peer>,
    /// `None`: as the asker knows.
    list: Option<Vec<Peer>>,
}

impl Zave {
    fn at(&self, place: Place) -> Option<Peer> {
        // Not by its identifier, which would have to be computed.
        self.peers.iter().copied().find(|peer| peer.place() == place)
    }

    fn said(&self, answer: Answer) -> Option<Said> {
        let Answer::Neighbours { small, predecessor, successors } = answer else { return None };
        let predecessor = predecessor.and_then(|place| self.at(place));
        let list = successors.map(|list| list.into_iter().filter_map(|place| self.at(place)).collect());
        Some(Said { small, predecessor, list })
    }

    /// What of a letter makes a difference to its receiver, or will: see [`Chord::outline`] for tokens.
    pub(crate) fn outline(&self, letter: &Letter, world: &World<Chord>, into: &mut impl Hasher) {
        match Packet::decode(&letter.data, self.network()) {
            // What need not be told again is not told, and is as it was.
            Ok(Packet::Ask { ask: Ask::Neighbours { notify, .. }, member, .. }) => {
                (member, notify).hash(into)
            }
            Ok(Packet::Ask { .. }) => {
                let zeros = letter.data.iter().rev().take_while(|byte| **byte == 0).count();
                letter.data[14..letter.data.len() - zeros].hash(into);
            }
            Ok(Packet::Answer { answer, .. }) => match (self.purpose(letter, world), self.said(answer)) {
                // That there is an answer is all that is heeded.
                (Some("predecessor" | "heir" | "follow"), Some(_)) => {}
                (Some(what @ ("copy" | "stabilise" | "next" | "nearer")), Some(said)) => {
                    self.outline_of(what, said, letter, world, into);
                }
                _ => letter.data[14..].hash(into),
            },
            Err(_) => letter.data.hash(into),
        }
    }

    /// Of who is beside somebody: a list but for its last entry, for which there is no room behind the head, and who is
    /// before it, if that one may be nearer or is not known, or the asker waits to be known itself.
    fn outline_of(
        &self,
        what: &str,
        said: Said,
        letter: &Letter,
        world: &World<Chord>,
        into: &mut impl Hasher,
    ) {
        let Some(asker) = world.machine(letter.to) else { return };
        let (me, contact) = (self.peers[letter.to], self.peers[letter.from]);
        let has_me = said.list.iter().flatten().any(|peer| *peer == me);
        if said.small || has_me {
            // What is made of it then takes all of it.
            return (true, said.predecessor, said.list).hash(into);
        }
        let rest = self.config.successors - 1;
        match said.list {
            Some(list) => list.iter().take(rest).copied().collect::<Vec<_>>().hash(into),
            None => asker.successors().skip(1).collect::<Vec<_>>().hash(into),
        }
        let named = match what {
            "copy" => None,
            // While it waits, its successor may become another.
            "nearer" => said.predecessor,
            _ if asker.predecessor().is_none() || asker.waits_to_be_known() => said.predecessor,
            _ => said.predecessor.filter(|named| named.id().between(me.id(), contact.id())),
        };
        named.hash(into);
    }

    /// Whether a letter commutes with all that may happen before it arrives.
    pub(crate) fn moves(&self, letter: &Letter, world: &World<Chord>) -> bool {
        let (is_ask, _) = head(letter);
        let purpose = self.purpose(letter, world);
        if is_ask && self.asks_in_vain(letter, world) {
            return true;
        }
        match (is_ask, purpose) {
            // Between the timer and the question's arrival nothing changes that the question depends on.
            (true, Some("stabilise" | "next")) => {
                letter.unprompted && !self.may_get_nearer(letter.from, world)
            }
            // Nobody sees anything of who joins.
            (true, Some("greet" | "step" | "owner" | "copy")) | (false, Some("greet")) => true,
            // Who is a member and cannot crash says the same at any time, as far as it matters.
            (true, Some("predecessor" | "heir" | "member")) => {
                self.stays(letter.to, world) && Self::is_member(world, letter.to)
            }
            // Nobody waits for it.
            (false, None) => true,
            (false, Some(purpose)) => {
                let Ok(Packet::Answer { answer, .. }) = Packet::decode(&letter.data, self.network()) else {
                    return false;
                };
                match (purpose, answer) {
                    // What was asked is asked again as it was, with a proof.
                    (_, Answer::Prove) => true,
                    // It is there, so nothing is done about it.
                    ("predecessor", answer) => answer != Answer::Absent,
                    ("stabilise", answer) => self.is_void(answer, letter, world),
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Whether a question is only told to come again with a proof: see [`Chord::outline`].
    fn asks_in_vain(&self, letter: &Letter, world: &World<Chord>) -> bool {
        let from = world.addr(letter.from);
        world.machine(letter.to).is_some_and(|chord| chord.asks_for_proof(from, &letter.data, NOW))
    }

    /// Whether a node may get another successor than the one that it is about to ask, because somebody nearer is asked, or
    /// says that it is nearer.
    fn may_get_nearer(&self, node: usize, world: &World<Chord>) -> bool {
        world.machine(node).is_some_and(|chord| chord.questions().any(|(.., what)| what == "nearer"))
            || world.letters().iter().any(|letter| {
                letter.to == node && head(letter).0 && self.purpose(letter, world) == Some("follow")
            })
    }

    /// Whether an answer tells nothing new to who waits for it.
    fn is_void(&self, answer: Answer, letter: &Letter, world: &World<Chord>) -> bool {
        let (Some(said), Some(asker)) = (self.said(answer), world.machine(letter.to)) else { return false };
        let (me, contact) = (self.peers[letter.to], self.peers[letter.from]);
        let rest = self.config.successors - 1;
        let is_known = said
            .list
            .is_none_or(|list| list.iter().take(rest).copied().eq(asker.successors().skip(1)) && !said.small);
        let is_between = |named: Peer| named.id().between(me.id(), contact.id());
        // Who knows of nobody before it asks whoever is named.
        let is_asked = |named: Peer| asker.predecessor().is_none() && named != me;
        asker.successors().next() == Some(contact)
            && !asker.waits_to_be_known()
            && is_known
            && !said.predecessor.is_some_and(|named| is_between(named) || is_asked(named))
    }

    /// Whether whoever waits for a letter that is lost may give up at once.
    pub(crate) fn is_given_up(&self, lost: &Letter, world: &World<Chord>) -> bool {
        let Some(asker) = world.machine(lost.from) else { return false };
        let asked = asker.questions().filter(|(_, to, _)| self.number(*to) == lost.to);
        let is_prompt = match self.purpose(lost, world) {
            // Silence counts as death when all that was said before is heard.
            _ if world.letters().iter().any(|letter| letter.from == lost.to) => false,
            // Nobody sees whether it waits.
            Some("stabilise" | "next") => lost.unprompted && !self.may_get_nearer(lost.from, world),
            // Nothing comes of it.
            Some("nearer" | "heir") => true,
            _ => false,
        };
        is_prompt && asked.count() == 1
    }
}
