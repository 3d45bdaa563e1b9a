//! Rings of one network that came apart, or began apart, become one: [`Merging`].
//!
//! ```text
//!                          who follows me, as you have it?      who is beside you?
//!  somebody we knew once ◄─────────────────────────────── me ─────────────────────► the one that was named
//!                                                          │   it is nearer than our successor: we follow it
//!                                                          └──────► our contacts: ask there, too (`Others`)
//! ```
//!
//! From time to time a node asks an address that it does not hear from any more (a bootstrap node, a contact that was
//! lost) who follows it on the ring, by a lookup that begins there. In one ring that is its successor. In another ring it
//! may be somebody nearer, who is then asked and followed as if our successor had named it: that is the second half of
//! Zave's "stabilise", and all that she requires of it holds, for between us and our successor there is nobody whom a list
//! could skip. Who found something nearer tells those that it knows, who look for themselves; within a few rounds
//! everybody has looked, and stabilising does the rest. All that a lie can do is to make a node look up its own place once
//! a round.
//!
//! The whole ring asks about once a second, whatever its size: a node asks the more rarely the more of them there are. Who
//! is in a small ring and finds a large one joins it where it stands, and tells the others to.

use super::{Chord, Context, Goal, Purpose, State, answers::Asked, peers};
use crate::api::Timer;
use crate::block::Block;
use crate::contact::Contact;
use crate::peer::{Peer, Place};
use crate::pending::Insistence;
use crate::ring::Ring;
use crate::wire::{Answer, Ask};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// Addresses of contacts that were lost and are kept in mind.
const LOST: usize = 16;
/// Members up to which each asks as often as [`Config::merge`](crate::Config::merge) says; in larger rings each asks as
/// many times more rarely.
const CROWD: u64 = 64;
/// How much more rarely at most: in a ring of a million.
const RARELY: u64 = 16_384;
/// Contacts that are told of another ring.
const TOLD: usize = 16;
/// Addresses that are heeded of those that somebody tells us of.
const HEEDED: usize = 4;

/// What a node knows of where others of its network may be.
#[derive(Clone, Debug, Default)]
pub(super) struct Merging {
    /// Contacts that were lost.
    lost: Vec<SocketAddr>,
    /// When we looked last because somebody told us to, and when we told others.
    heeded: Option<Instant>,
    told: Option<Instant>,
    /// Records that may be others'.
    pub(super) homing: Option<super::homing::Homing>,
}

impl Chord {
    pub(super) fn merging(&mut self) -> &mut Merging {
        self.merging.get_or_insert_with(Box::default)
    }

    /// Keeps in mind somebody who does not answer any more: the network may have come apart.
    pub(super) fn keep_in_mind(&mut self, gone: Peer, cx: &mut Context<'_>) {
        if self.known(gone).is_none() {
            return;
        }
        let addr = gone.addr();
        let (at, alike) = (cx.rng().index(LOST), self.config.alike);
        let lost = &mut self.merging().lost;
        if lost.contains(&addr) || !Block::has_room(addr, alike, lost.iter().copied()) {
            return;
        }
        if lost.len() < LOST {
            lost.push(addr);
        } else if let Some(old) = lost.get_mut(at) {
            // By dice, so that some of a great loss outlast many small ones.
            *old = addr;
        }
    }

    /// How long until we ask again, on average.
    fn merge_period(&self) -> Duration {
        let gap = self.ring().map_or(0, Ring::gap);
        let members = u64::MAX.checked_div(gap).unwrap_or(1);
        self.config.merge * u32::try_from((members / CROWD).clamp(1, RARELY)).unwrap_or(1)
    }

    pub(super) fn set_merge_timer(&self, cx: &mut Context<'_>) {
        let every = self.merge_period();
        let after = every / 2 + cx.rng().phase(every);
        cx.set_timer(Timer::Merge, after);
    }

    /// Time to ask somebody we do not hear of.
    pub(super) fn look_for_others(&mut self, cx: &mut Context<'_>) {
        if !self.is_member() {
            return;
        }
        self.set_merge_timer(cx);
        let network = self.config.network;
        let lost = self.merging.as_ref().map_or(&[][..], |merging| &merging.lost);
        let all = self.bootstrap.iter().chain(lost).map(|addr| Peer::new(network, *addr));
        let strange = all.filter(|peer| Some(*peer) != self.peer() && self.known(*peer).is_none());
        let strange: Vec<Peer> = strange.collect();
        if let Some(peer) = cx.rng().choose(&strange).copied() {
            self.look_by([Contact::unmet(peer)], cx);
        }
    }

    /// Looks up our own place by way of these.
    pub(super) fn look_by(&mut self, by: impl IntoIterator<Item = Contact>, cx: &mut Context<'_>) {
        let Some(me) = self.peer().filter(|_| self.is_member() && !self.config.classic) else { return };
        if !self.is_looking_for(Goal::Merge) {
            self.look_up_from(me.id().plus_power(0), Goal::Merge, by, cx);
        }
    }

    /// These follow us, as somebody has it.
    pub(super) fn others_found(&mut self, owners: &[Peer], cx: &mut Context<'_>) {
        let Some(me) = self.peer() else { return };
        let Some(ring) = self.ring() else { return };
        let is_small = ring.is_small();
        let mut others = owners.iter().copied().filter(|peer| *peer != me);
        let Some(next) = others.next() else { return };
        // Of our own ring; of a small one somebody may have gone into a large one.
        if !is_small && ring.successors().iter().any(|contact| contact.peer == next) {
            return;
        }
        // Whoever named them may not know yet that the first are dead.
        let more = others.take(if is_small { HEEDED } else { 0 });
        for peer in core::iter::once(next).chain(more) {
            self.ask_member(Contact::unmet(peer), Purpose::Other, cx);
        }
    }

    /// Who may follow us answers.
    pub(super) fn other_answered(&mut self, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let network = self.config.network;
        let Answer::Neighbours { small, predecessor, successors: Some(list) } = answer else { return };
        let Some(ring) = self.ring() else { return };
        let (me, is_known) = (ring.me(), ring.successors().iter().any(|at| at.peer == contact.peer));
        if is_known && (!ring.is_small() || small) {
            return;
        }
        match (ring.is_small(), small) {
            (true, true) => {
                for peer in peers(network, list).into_iter().chain([contact.peer]) {
                    if peer != me && self.known(peer).is_none() {
                        self.ask_to_enter(peer, cx);
                    }
                }
            }
            (true, false) => self.join_in_place(contact, &peers(network, list), cx),
            (false, true) => {
                let them: Vec<Contact> = peers(network, list).into_iter().map(Contact::unmet).collect();
                self.tell_of(me, them.into_iter().chain([contact]).take(TOLD).collect(), cx);
            }
            (false, false) if ring.is_nearer_successor(contact.peer) => {
                let ours = self.contacts(cx);
                self.follow(contact, small, list, cx);
                self.look_between(predecessor, cx);
                self.ask_successor(0, cx);
                self.tell_round(contact.peer, ours, cx);
            }
            (false, false) => {
                // It does not know of us, nor of those between us: it is to look for itself.
                let before = predecessor.and_then(|place| place.peer(network));
                let knows = before
                    .is_some_and(|before| before == me || before.id().between(me.id(), contact.peer.id()));
                if !knows {
                    self.tell_round(me, Vec::from([contact]), cx);
                }
            }
        }
    }

    /// Our small ring meets a large one: we join it, and so may the others.
    fn join_in_place(&mut self, contact: Contact, list: &[Peer], cx: &mut Context<'_>) {
        let Some(ring) = self.ring() else { return };
        let (me, others) = (ring.me(), ring.successors().to_vec());
        // It may hold us for one of its own still.
        let list: Vec<Peer> = list.iter().copied().filter(|peer| *peer != me).collect();
        let Some(ring) = Ring::joined(me, self.config.successors, contact, &list) else { return };
        self.state = State::Member(ring);
        self.tell_of(contact.peer, others, cx);
        self.ask_successor(0, cx);
    }

    /// Some of our contacts.
    fn contacts(&self, cx: &mut Context<'_>) -> Vec<Contact> {
        let ring =
            self.ring().into_iter().flat_map(|ring| ring.successors().iter().chain(ring.predecessor()));
        let mut all: Vec<Contact> = self.fingers.contacts().chain(ring).copied().collect();
        cx.rng().shuffle(&mut all);
        all.truncate(TOLD);
        all
    }

    /// Tells these of somebody of another ring, once a round at most.
    fn tell_round(&mut self, of: Peer, them: Vec<Contact>, cx: &mut Context<'_>) {
        let (now, every) = (cx.now(), self.config.stabilise);
        let merging = self.merging();
        if merging.told.is_none_or(|told| now.since(told) >= every) {
            merging.told = Some(now);
            self.tell_of(of, them, cx);
        }
    }

    fn tell_of(&mut self, of: Peer, them: Vec<Contact>, cx: &mut Context<'_>) {
        for contact in them {
            if contact.peer != of {
                let ask = Ask::Others(Vec::from([of.place()]));
                self.ask(contact, ask, Insistence::Once, Purpose::Told, cx);
            }
        }
    }

    /// A member tells us of others.
    pub(super) fn told_of_others(
        &mut self,
        asked: Asked,
        places: Vec<Place>,
        cx: &mut Context<'_>,
    ) -> Answer {
        let (now, every) = (cx.now(), self.config.stabilise);
        let is_soon = |merging: &Merging| merging.heeded.is_some_and(|last| now.since(last) < every);
        let is_heeded = asked.member && self.is_member() && !self.merging.as_deref().is_some_and(is_soon);
        if is_heeded {
            self.merging().heeded = Some(now);
            let me = self.peer();
            let them = peers(self.config.network, places).into_iter();
            let them: Vec<Contact> =
                them.filter(|peer| Some(*peer) != me).take(HEEDED).map(Contact::unmet).collect();
            self.look_by(them, cx);
        }
        Answer::Pong(Place::from(asked.from))
    }
}
