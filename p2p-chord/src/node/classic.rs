//! The protocol of 2001 (Stoica et al.), for tests only: [`Config::classic`](crate::Config::classic). Whoever joins copies
//! its successor all over its list, nobody is asked before it becomes a successor or predecessor, lists shorten, and a
//! ring begins with one node. Zave 2012 and 2015 show how such rings come apart.

use super::{Chord, Context, Purpose, State, peers};
use crate::api::Timer;
use crate::config::Config;
use crate::contact::Contact;
use crate::peer::{Peer, Place};
use crate::pending::Insistence;
use crate::ring::Ring;
use crate::wire::{Answer, Ask};
use alloc::sync::Arc;

impl Chord {
    /// A member with any view of the ring, right or not.
    #[doc(hidden)]
    #[must_use]
    pub fn classic(
        config: impl Into<Arc<Config>>,
        me: Peer,
        predecessor: Option<Peer>,
        successors: &[Peer],
    ) -> Self {
        let mut node = Self::new(config);
        node.me = Some(me);
        let ring = Ring::classic(me, node.config.successors, predecessor, successors);
        node.state = State::Member(ring);
        node
    }

    /// Time to ask the successor, and to see whether the predecessor is alive.
    pub(super) fn classic_stabilise(&mut self, cx: &mut Context<'_>) {
        cx.set_timer(Timer::Stabilise, self.config.stabilise);
        let before = self.ring().and_then(Ring::predecessor).copied();
        if let Some(before) = before
            && !self.is_asking(|purpose| matches!(purpose, Purpose::Predecessor(_)))
        {
            self.ask_member(before, Purpose::Predecessor(before), cx);
        }
        if !self.is_asking(|purpose| matches!(purpose, Purpose::Stabilise(_))) {
            self.classic_ask(cx);
        }
    }

    fn classic_ask(&mut self, cx: &mut Context<'_>) {
        let head = self.ring().and_then(|ring| ring.successors().first()).copied();
        if let Some(head) = head {
            self.classic_notify(head, Purpose::Stabilise(0), cx);
        }
    }

    fn classic_notify(&mut self, to: Contact, purpose: Purpose, cx: &mut Context<'_>) {
        self.ask(to, Ask::Neighbours { notify: true, known: 0 }, Insistence::Thrice, purpose, cx);
    }

    pub(super) fn classic_stabilised(&mut self, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let Answer::Neighbours { predecessor, successors: Some(list), .. } = answer else {
            return self.classic_successor_failed(contact.peer, cx);
        };
        let network = self.config.network;
        let list = peers(network, list);
        let between = predecessor.and_then(|place: Place| place.peer(network));
        if let Some(ring) = self.ring_mut()
            && let Some(nearer) = ring.classic_follow(contact, &list, between)
        {
            self.classic_notify(nearer, Purpose::Nearer, cx);
        }
    }

    pub(super) fn classic_successor_failed(&mut self, dead: Peer, cx: &mut Context<'_>) {
        if let Some(ring) = self.ring_mut() {
            ring.classic_lose_head(dead);
            self.classic_ask(cx);
        }
    }

    pub(super) fn classic_notified(&mut self, new: Contact) {
        if let Some(ring) = self.ring_mut()
            && ring.is_nearer_predecessor(new.peer)
        {
            ring.precede(new);
        }
    }

    pub(super) fn classic_predecessor_failed(&mut self, dead: Peer) {
        if let Some(ring) = self.ring_mut() {
            ring.classic_forget_predecessor(dead);
        }
    }
}
