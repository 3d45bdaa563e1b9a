//! What others ask of us.

use super::{Chord, Context, Purpose, reconcile, storage};
use crate::contact::Contact;
use crate::id::RingId;
use crate::peer::{Peer, Place};
use crate::pending::Insistence;
use crate::ring::Ring;
use crate::wire::{Answer, Ask, fingerprint};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::ConnId;

/// Nodes named as responsible at most: the first, and those that hold copies.
const OWNERS: usize = 8;
/// Nodes named as nearer: more than one, for some may be dead.
const CLOSER: usize = 6;
/// Nodes named that claim to be before this one.
const CLAIMS: usize = 3;
/// Bytes of an answer's head at most: version, network, kind, transaction, token, kind, length.
const ANSWER_HEAD: usize = 18;
/// Bytes of a place in a message at most, per family.
const PLACE_V4: usize = 8;
const PLACE_V6: usize = 20;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) from: SocketAddr,
    pub(super) transaction: u32,
    /// It is a member of the ring.
    pub(super) member: bool,
    /// It has shown that it hears us there.
    pub(super) is_proven: bool,
    /// How long an answer may be.
    pub(super) room: usize,
    /// The stream that it asks by.
    pub(super) conn: Option<ConnId>,
}

impl Chord {
    pub(super) fn asked(&mut self, asked: Asked, ask: Ask, cx: &mut Context<'_>) {
        let answer = match ask {
            Ask::Ping => Answer::Pong(Place::from(asked.from)),
            Ask::Neighbours { notify, known } => {
                let is_notice = notify && asked.member;
                if is_notice && self.is_news(asked.from) && !asked.is_proven {
                    // Asking it whether it is there would send it more than it sent.
                    Answer::Prove
                } else {
                    let answer = self.neighbours(known);
                    if is_notice && answer != Answer::Absent {
                        self.notified(asked, cx);
                    }
                    answer
                }
            }
            Ask::Enter if !asked.is_proven => Answer::Prove,
            Ask::Enter => self.enters(asked),
            Ask::Before if self.is_entering() => Answer::Busy,
            Ask::Before => self.before(),
            // It is to be asked whether it is there.
            Ask::Follow if asked.member && !asked.is_proven => Answer::Prove,
            Ask::Follow => {
                if asked.member {
                    self.followed(asked.from, cx);
                }
                self.before()
            }
            Ask::Step(target) => self.step(target),
            // Our predecessor has never asked us anything, and so has no token.
            Ask::Leave { .. } if asked.member && !asked.is_proven => Answer::Prove,
            Ask::Leave { predecessor } => {
                if asked.member && asked.is_proven {
                    self.leaves(asked.from, predecessor, cx);
                }
                Answer::Pong(Place::from(asked.from))
            }
            Ask::Get { key, kind, routed } => self.held(&asked, (key, kind), routed, cx),
            Ask::Put { record, ttl, swap, heir } => {
                return self.asked_to_put(asked, storage::Wish { record, ttl, swap, heir }, cx);
            }
            Ask::Keep(copies) => return self.asked_to_keep(asked, copies, cx),
            Ask::Reach { .. } | Ask::Call { .. } if !asked.is_proven => Answer::Prove,
            Ask::Reach { number } => self.asked_for_call(asked, number, cx),
            Ask::Call { to, number } => self.asked_to_call(asked, to, number, cx),
            Ask::Called { number } => {
                self.called(asked.from, number, cx);
                Answer::Absent
            }
            Ask::Others(_) if !asked.is_proven => Answer::Prove,
            Ask::Others(places) => self.told_of_others(asked, places, cx),
            Ask::Lodge { held, most } => return self.asked_to_lodge(asked, held, most, cx),
            Ask::Load if !self.is_member() => Answer::Absent,
            Ask::Load => Answer::Lodged { load: self.load(), refusal: None },
            Ask::Numbers(_) if !self.is_member() => Answer::Absent,
            Ask::Numbers(key) => Answer::Numbers(key, self.fragments_of(key, cx)),
            Ask::Compare { .. } | Ask::Exchange { .. } if !asked.is_proven => Answer::Prove,
            Ask::Compare { key, from, arcs, coded } => self.compared(key, from, &arcs, coded, cx),
            Ask::Exchange { key, from, to, both, have, coded } => {
                self.exchanged(&asked, reconcile::Arc { key, from, to, coded }, both, &have, cx)
            }
            Ask::Route(route) => return self.asked_to_route(asked, route, cx),
            Ask::News { level, came, gone } => return self.told_news(asked, level, (came, gone), cx),
            Ask::Members { from, to, known } => {
                self.members(Peer::new(self.config.network, asked.from), (from, to), known)
            }
        };
        self.reply(asked, answer, cx);
    }

    /// Answers by the way that the question came, if the asker may be sent so much.
    pub(super) fn reply(&mut self, asked: Asked, answer: Answer, cx: &mut Context<'_>) {
        let answer = if asked.is_proven || most(&answer) <= asked.room { answer } else { Answer::Prove };
        match asked.conn {
            Some(conn) => self.answer_stream(conn, asked.transaction, answer, cx),
            None => self.answer(asked.from, asked.transaction, answer, cx),
        }
    }

    pub(super) fn neighbours(&self, known: u32) -> Answer {
        let Some(ring) = self.ring() else { return Answer::Absent };
        let successors = ring.successors();
        let same = fingerprint(successors.iter().map(|contact| contact.peer.id())) == known;
        Answer::Neighbours {
            small: ring.is_small(),
            predecessor: ring.predecessor().map(|contact| contact.peer.place()),
            successors: (!same).then(|| successors.iter().map(|contact| contact.peer.place()).collect()),
        }
    }

    fn before(&self) -> Answer {
        let Some(ring) = self.ring() else { return Answer::Absent };
        let predecessor = ring.before().map(|peer| peer.place());
        let claims = self.pending.iter().filter_map(|question| match question.purpose {
            Purpose::Predecessor(claimant) => Some(claimant.peer.place()),
            Purpose::Heir(_) => Some(question.to.place()),
            _ => None,
        });
        let claims: Vec<Place> = claims.take(CLAIMS).collect();
        let successors = (!claims.is_empty()).then_some(claims);
        Answer::Neighbours { small: ring.is_small(), predecessor, successors }
    }

    pub(super) fn step(&self, target: RingId) -> Answer {
        let Some(ring) = self.ring() else { return Answer::Absent };
        match ring.owners(target) {
            Some(owners) => {
                let owners = self.with_unheard(target, owners.take(OWNERS).copied().collect());
                Answer::Owners(owners.iter().take(OWNERS).map(Peer::place).collect())
            }
            None => {
                let mut closer = Vec::with_capacity(CLOSER);
                closer.extend(self.members_before(target, CLOSER).map(|peer| peer.place()));
                if closer.len() < CLOSER {
                    closer.clear();
                    closer.extend(self.closest(ring, target, CLOSER).map(|at| at.peer.place()));
                }
                Answer::Closer(closer)
            }
        }
    }

    /// The contacts nearest before a place, nearest first. `target` lies behind our whole list.
    pub(super) fn closest<'a>(
        &'a self,
        ring: &'a Ring,
        target: RingId,
        count: usize,
    ) -> impl Iterator<Item = &'a Contact> {
        let me = ring.me().id();
        // The whole ring, if it is our own place.
        let reach = if me == target { RingId::new([0xff; 20]) } else { me.distance_to(target) };
        let is_before = move |contact: &&Contact| me.distance_to(contact.peer.id()) < reach;
        let farthest = ring.successors().last().map(|last| me.distance_to(last.peer.id()));
        // What fingers know nearer than the list's end, the list knows better.
        let behind =
            move |contact: &&Contact| farthest.is_none_or(|far| me.distance_to(contact.peer.id()) > far);
        let fingers = self.fingers.before(reach).take_while(behind);
        fingers.chain(ring.successors().iter().rev()).filter(is_before).take(count)
    }

    /// Whether a question is under way for this.
    pub(super) fn is_asking(&self, is: impl Fn(&Purpose) -> bool) -> bool {
        self.pending.is_pending(is)
    }

    /// Asks somebody whether it is a member of the ring: who left it, or crashed and is not back in it, is there too.
    pub(super) fn ask_member(&mut self, to: Contact, purpose: Purpose, cx: &mut Context<'_>) {
        self.ask(to, Ask::Neighbours { notify: false, known: 0 }, Insistence::Thrice, purpose, cx);
    }

    /// Asks somebody whether it is there.
    pub(super) fn ping(&mut self, to: Contact, purpose: Purpose, cx: &mut Context<'_>) {
        self.ask(to, Ask::Ping, Insistence::Thrice, purpose, cx);
    }
}

/// How long a datagram with this answer is at most.
pub(super) fn most(answer: &Answer) -> usize {
    let places = |places: &Vec<Place>| {
        let of = |place: &Place| if matches!(place, Place::V4(..)) { PLACE_V4 } else { PLACE_V6 };
        places.iter().map(of).sum::<usize>()
    };
    ANSWER_HEAD
        + match answer {
            Answer::Pong(_) => PLACE_V6,
            Answer::Neighbours { successors, .. } => PLACE_V6 + successors.as_ref().map_or(0, places),
            Answer::Owners(list) | Answer::Closer(list) => places(list),
            Answer::Members(list) => list.as_ref().map_or(0, places),
            Answer::Records(records) | Answer::Cached(records) => {
                records.iter().map(|(record, _)| record.wire_len() + 5).sum()
            }
            Answer::Stored { .. } => 4,
            Answer::Refused(_) => 11,
            Answer::Differ(arcs) => 6 * arcs.len(),
            Answer::Lacking(numbers) => numbers.len(),
            Answer::Numbers(..) => 23,
            Answer::Lodged { .. } => 18,
            Answer::Kept(refusals) => 12 * refusals.len(),
            // It does not go to whoever asked, and is as long as the question at most.
            Answer::Routed { .. } => 0,
            Answer::Prove | Answer::Absent | Answer::Large | Answer::Passed | Answer::Busy => 0,
        }
}
