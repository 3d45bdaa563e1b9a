//! Questions that are passed on from node to node, and answered straight to the asker ("recursive" routing).
//!
//! ```text
//!   asker ── Route ──► a ── Route ──► b ── Route ──► owner
//!     ▲ ◄── Passed ──┘  ◄── Passed ──┘  ◄── Passed ──┘ │
//!     └──────────────────── Routed ────────────────────┘
//! ```
//!
//! Whoever passes a question on waits for the next node's word that it has it, as long as its round trip lets expect,
//! and takes another way when that does not come. Nothing is kept for it but the question to that next node: the route
//! is read from it again. The asker waits for the answer, and else asks step by step.

use super::answers::Asked;
use super::{Chord, Context, Purpose, peers};
use crate::api::Timer;
use crate::contact::Contact;
use crate::id::RingId;
use crate::peer::{Peer, Place};
use crate::pending::{Insistence, Question};
use crate::wire::{Answer, Ask, Packet, Role, Route};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// Bytes of [`Answer::Routed`] and of all around it, but for the nodes it names.
const ROUTED_HEAD: usize = 21;
/// Bytes of a place at most, per family.
const PLACE_V4: usize = 8;
const PLACE_V6: usize = 20;
/// An answer is waited for as long as so many usual answers: half of them for a path, half for nodes on it that are
/// dead.
const WAITS: u32 = 4;

/// Where a question goes next.
enum Next {
    /// This node is responsible.
    Here,
    To(Contact, Role),
    Nowhere,
}

/// What an answer to the asker says.
#[derive(Debug)]
pub(super) struct Routed {
    pub(super) hops: u8,
    pub(super) messages: u16,
    pub(super) timeouts: u8,
    pub(super) owners: Vec<Place>,
}

impl Chord {
    /// Where a question goes from here.
    fn onward(&self, target: RingId, role: Role) -> Next {
        let Some(ring) = self.ring() else { return Next::Nowhere };
        if role != Role::Nearer {
            // Somebody may have come in between whom the sender does not know yet, or may only be slow to answer it.
            let before = ring.predecessor().filter(|_| !ring.owns(target));
            return before.map_or(Next::Here, |before| Next::To(*before, Role::Owner));
        }
        let owner = ring.owners(target).map(|mut owners| owners.next().copied());
        match owner {
            Some(Some(owner)) if owner == ring.me() => Next::Here,
            Some(Some(owner)) => Next::To(Contact::unmet(owner), Role::Owner),
            Some(None) => Next::Nowhere,
            None => {
                let nearest = self.closest(ring, target, 1).next();
                nearest.map_or(Next::Nowhere, |nearest| Next::To(*nearest, Role::Nearer))
            }
        }
    }

    /// Where it goes when this node, which was held for that, does not take it.
    fn around(&self, target: RingId, silent: Peer, role: Role) -> Next {
        let Some(ring) = self.ring() else { return Next::Nowhere };
        let away = |contact: &Contact| ring.me().id().distance_to(contact.peer.id());
        let reach = ring.me().id().distance_to(silent.id());
        if role == Role::Nearer {
            let nearer = self.closest(ring, target, usize::MAX).find(|contact| away(contact) < reach);
            return nearer.map_or(Next::Nowhere, |nearer| Next::To(*nearer, Role::Nearer));
        }
        // Behind our predecessor come we.
        if ring.predecessor().is_some_and(|before| before.peer == silent) {
            return Next::Here;
        }
        let heir = ring.successors().iter().find(|contact| away(contact) > reach);
        heir.map_or(Next::Nowhere, |heir| Next::To(*heir, Role::Heir))
    }

    /// Somebody passes a question on to us, or asks us to.
    pub(super) fn asked_to_route(&mut self, asked: Asked, mut route: Route, cx: &mut Context<'_>) {
        if !asked.is_proven {
            return self.reply(asked, Answer::Prove, cx);
        }
        let is_first = route.asker.is_none();
        let asker = route.asker.unwrap_or_else(|| Place::from(asked.from));
        if asker.peer(self.config.network).is_none() || route.hops == 0 {
            return;
        }
        route.asker = Some(asker);
        let passing = self.pending.iter().filter(|question| question.purpose == Purpose::Pass).count();
        match self.onward(route.target, route.role) {
            Next::Here => {
                // To the asker the answer says as much.
                if !is_first {
                    self.reply(asked, Answer::Passed, cx);
                    route.messages = route.messages.saturating_add(1);
                }
                self.tell_asker(&route, true, cx);
            }
            Next::To(..) if passing >= self.config.passing => self.reply(asked, Answer::Busy, cx),
            Next::To(to, role) if route.hops < Route::FARTHEST => {
                self.reply(asked, Answer::Passed, cx);
                self.pass(to, role, route, Purpose::Pass, cx);
            }
            Next::To(..) | Next::Nowhere => self.reply(asked, Answer::Absent, cx),
        }
    }

    fn pass(&mut self, to: Contact, role: Role, mut route: Route, purpose: Purpose, cx: &mut Context<'_>) {
        route.role = role;
        route.hops = route.hops.saturating_add(1);
        match purpose {
            Purpose::Route(lookup) => self.count_route(lookup, 0, 2, 0),
            _ => route.messages = route.messages.saturating_add(2),
        }
        self.ask(to, Ask::Route(route), Insistence::Once, purpose, cx);
    }

    /// Whom we passed a question on to does not take it, or is silent.
    pub(super) fn pass_by(&mut self, question: &Question<Purpose>, is_silent: bool, cx: &mut Context<'_>) {
        let Ok(Packet::Ask { ask: Ask::Route(mut route), .. }) =
            Packet::decode(question.sent.packet(), self.config.network)
        else {
            return;
        };
        let role = route.role;
        route.hops = route.hops.saturating_sub(1);
        match question.purpose {
            _ if !is_silent => {}
            Purpose::Route(lookup) => self.count_silence(lookup),
            _ => {
                route.messages = route.messages.saturating_sub(1);
                route.timeouts = route.timeouts.saturating_add(1);
            }
        }
        let waited = cx.now().since(question.asked).as_millis();
        route.left = route.left.saturating_sub(u16::try_from(waited).unwrap_or(u16::MAX));
        if route.left == 0 {
            return;
        }
        match (self.around(route.target, question.to, role), question.purpose) {
            (Next::To(to, role), purpose) => self.pass(to, role, route, purpose, cx),
            (Next::Here, Purpose::Route(lookup)) => {
                let owners = self.us_and_behind();
                self.named(lookup, owners, cx);
            }
            (Next::Nowhere, Purpose::Route(lookup)) => self.step_by_step(lookup, cx),
            (Next::Here, _) => {
                route.messages = route.messages.saturating_add(1);
                self.tell_asker(&route, true, cx);
            }
            (Next::Nowhere, _) => self.tell_asker(&route, false, cx),
        }
    }

    /// We and our successors.
    fn us_and_behind(&self) -> Vec<Peer> {
        let Some(ring) = self.ring() else { return Vec::new() };
        let behind = ring.successors().iter().map(|contact| contact.peer);
        core::iter::once(ring.me()).chain(behind).collect()
    }

    /// Answers the asker of a question: that we are responsible, or that there is no way from here.
    fn tell_asker(&mut self, route: &Route, is_here: bool, cx: &mut Context<'_>) {
        let Some(asker) = route.asker.and_then(|place| place.peer(self.config.network)) else { return };
        let mut room = Route::LEAST - ROUTED_HEAD;
        let mut owners = Vec::new();
        for place in self.us_and_behind().iter().filter(|_| is_here).map(Peer::place) {
            let bytes = if matches!(place, Place::V4(..)) { PLACE_V4 } else { PLACE_V6 };
            let Some(rest) = room.checked_sub(bytes) else { break };
            room = rest;
            owners.push(place);
        }
        let Route { number, hops, messages, timeouts, .. } = *route;
        self.answer(asker.addr(), number, Answer::Routed { hops, messages, timeouts, owners }, cx);
    }

    /// Sends a lookup's question on its way.
    pub(super) fn begin_route(&mut self, lookup: u32, target: RingId, cx: &mut Context<'_>) {
        let Next::To(to, role) = self.onward(target, Role::Nearer) else {
            return self.step_by_step(lookup, cx);
        };
        let number = cx.rng().bits() as u32;
        let wait = (self.typical.patience() * WAITS).min(self.config.patience / 2);
        self.set_route(lookup, number);
        cx.set_timer(Timer::Route(lookup), wait);
        let left = u16::try_from(wait.as_millis()).unwrap_or(u16::MAX);
        let route = Route { target, asker: None, number, hops: 0, messages: 0, timeouts: 0, left, role };
        self.pass(to, role, route, Purpose::Route(lookup), cx);
    }

    /// Whoever is responsible answers, or who found no way.
    pub(super) fn routed(
        &mut self,
        from: SocketAddr,
        number: u32,
        token: u32,
        routed: Routed,
        cx: &mut Context<'_>,
    ) {
        let network = self.config.network;
        let Some(lookup) = self.lookup_of_route(number) else { return };
        self.pending.forget(|purpose| *purpose == Purpose::Route(lookup));
        cx.clear_timer(Timer::Route(lookup));
        let owners = peers(network, routed.owners);
        self.count_route(lookup, routed.hops, routed.messages, routed.timeouts);
        let Some(&first) = owners.first() else { return self.step_by_step(lookup, cx) };
        let mut contact = Contact::unmet(Peer::new(network, from));
        contact = contact.or_met(self.known(contact.peer));
        contact.set_token(token);
        self.note(contact);
        // Who answers lives; whom somebody else names is asked.
        if first == contact.peer {
            self.learn(contact);
            self.route_ends(lookup, owners, cx);
        } else {
            self.named(lookup, owners, cx);
        }
    }
}
