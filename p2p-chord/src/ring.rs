//! A node's view of the ring: [`Ring`], its predecessor and successors, and the only steps that change them.
//!
//! The steps are those of Zave 2017, "Reasoning about identifier spaces: how to make Chord correct": each changes one
//! node only. Two rules hold always: a list is full (`r` entries) and nobody becomes predecessor or first successor
//! before it answered. A ring of fewer than `3 (r + 1)` members is *small*: there everybody knows everybody, because a
//! large ring of one node, and a list that is filled up with repetitions, can come apart for ever (her figures 3
//! and 4).

mod classic;

use crate::contact::Contact;
use crate::id::RingId;
use crate::peer::Peer;
use crate::wire::fingerprint;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A node's view of the ring.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ring {
    me: Peer,
    /// Entries of a list in a large ring.
    r: usize,
    small: bool,
    /// The list goes around clockwise: always, but by the rules of 2001.
    ordered: bool,
    /// Fingerprint of the list that our successor had when it last told us; 0 if that was another's.
    heard: u32,
    predecessor: Option<Contact>,
    /// Who was before our successor when we joined. It is told to whoever asks as long as we have no predecessor, and
    /// never acted upon: whoever is told asks it.
    rumour: Option<Box<Peer>>,
    /// In a small ring: all other members. Never empty in a large one.
    successors: Vec<Contact>,
}

/// A rule that a view breaks; it cannot happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A node stands twice in the extended list (the node itself, then its successors).
    #[error("a node stands twice in a successor list")]
    Duplicates,
    /// The extended list does not go around clockwise.
    #[error("a successor list is out of order")]
    Order,
    /// A list in a large ring does not have `r` entries.
    #[error("a successor list is not full")]
    NotFull,
}

impl Ring {
    /// A small ring of one.
    pub(crate) const fn alone(me: Peer, r: usize) -> Self {
        Self {
            me,
            r,
            small: true,
            ordered: true,
            heard: 0,
            predecessor: None,
            rumour: None,
            successors: Vec::new(),
        }
    }

    pub(crate) const fn me(&self) -> Peer {
        self.me
    }

    pub(crate) const fn is_small(&self) -> bool {
        self.small
    }

    pub(crate) const fn predecessor(&self) -> Option<&Contact> {
        self.predecessor.as_ref()
    }

    /// Who is before us, as far as we know or were told.
    pub(crate) fn before(&self) -> Option<Peer> {
        self.predecessor.map(|before| before.peer).or_else(|| self.rumour.as_deref().copied())
    }

    /// Who joins is told who was before its successor.
    pub(crate) fn was_told(&mut self, rumour: Option<Peer>) {
        self.rumour = rumour.filter(|peer| *peer != self.me).map(Box::new);
    }

    pub(crate) fn successors(&self) -> &[Contact] {
        &self.successors
    }

    /// See [`Chord::touch`](crate::Chord::touch): each other entry, for one is not as long as a line of memory.
    pub(crate) fn touch(&self) -> u64 {
        self.successors.iter().step_by(2).fold(0, |sum, contact| sum ^ u64::from(contact.token()))
    }

    /// Bytes on the heap.
    pub(crate) const fn memory(&self) -> usize {
        self.successors.capacity() * size_of::<Contact>()
    }

    /// Where in the list a node stands. A node behind the end of the list is told by the last entry alone: a list is
    /// several lines of memory.
    fn position(&self, peer: Peer) -> Option<usize> {
        let last = self.successors.last()?;
        let from = self.me.id();
        if self.ordered && from.distance_to(peer.id()) > from.distance_to(last.peer.id()) {
            return None;
        }
        self.successors.iter().position(|contact| contact.peer == peer)
    }

    /// What is kept of a node, if it is in the view.
    pub(crate) fn find(&self, peer: Peer) -> Option<&Contact> {
        let at = self.position(peer).map(|at| &self.successors[at]);
        at.or_else(|| self.predecessor.as_ref().filter(|before| before.peer == peer))
    }

    /// Keeps what was learnt of a node, if it is in the view.
    pub(crate) fn note(&mut self, contact: Contact) {
        if let Some(at) = self.position(contact.peer) {
            self.successors[at] = contact;
        }
        if let Some(before) = self.predecessor.as_mut().filter(|before| before.peer == contact.peer) {
            *before = contact;
        }
    }

    /// What our successor need not tell us again.
    pub(crate) const fn heard(&self) -> u32 {
        self.heard
    }

    /// Members at which a ring stops being small.
    const fn large_from(&self) -> usize {
        3 * (self.r + 1)
    }

    /// Whether this node is responsible for a place; one without a predecessor holds itself responsible for all that
    /// comes its way.
    pub(crate) fn owns(&self, place: RingId) -> bool {
        self.predecessor.is_none_or(|before| place.in_arc_to(before.peer.id(), self.me.id()))
    }

    /// Whether this node tells others that it is responsible for a place. In a large ring one that knows of nobody
    /// before it does not: who is looking for its own place, and is told so, would skip half the ring.
    fn vouches_for(&self, place: RingId) -> bool {
        self.owns(place) && (self.small || self.predecessor.is_some())
    }

    /// The members from the one responsible for a place on, if this view reaches as far.
    pub(crate) fn owners(&self, place: RingId) -> Option<impl Iterator<Item = &Peer>> {
        let me = core::iter::once(&self.me);
        let first = if self.vouches_for(place) {
            0
        } else {
            let reaches = |contact: &Contact| place.in_arc_to(self.me.id(), contact.peer.id());
            // Most places lie behind the list, which its last entry tells; no need to read all of it.
            if self.ordered && !self.successors.last().is_some_and(reaches) {
                return None;
            }
            1 + self.successors.iter().position(reaches)?
        };
        Some(me.chain(self.successors.iter().map(|contact| &contact.peer)).skip(first))
    }

    /// Joins a large ring: behind us is `successor`, and behind that one its list.
    ///
    /// `None` if the list is not full, or stands in no order with us: then whoever joins looks again.
    pub(crate) fn joined(me: Peer, r: usize, successor: Contact, list: &[Peer]) -> Option<Self> {
        let mut ring = Self::alone(me, r);
        ring.small = false;
        ring.follow(successor, list).then_some(ring)
    }

    /// A view that somebody else vouches for: a ring that was drawn up at once, or one that was saved.
    pub(crate) fn settled(me: Peer, r: usize, predecessor: Peer, successors: &[Peer]) -> Self {
        let successors = successors.iter().map(|peer| Contact::unmet(*peer)).collect();
        let predecessor = Some(Contact::unmet(predecessor));
        Self { me, r, small: false, ordered: true, heard: 0, predecessor, rumour: None, successors }
    }

    /// The list is `head` and all but the last of its list ("stabilise"). Tells whether it was taken over: a list
    /// with a node twice, or with ourselves, is of a ring too small for it.
    pub(crate) fn follow(&mut self, head: Contact, list: &[Peer]) -> bool {
        let rest = list.iter().take(self.r.saturating_sub(1));
        let mut new = Vec::with_capacity(self.r);
        new.push(head);
        new.extend(rest.map(|peer| {
            let known = self.successors.iter().find(|contact| contact.peer == *peer);
            Contact::unmet(*peer).or_met(known)
        }));
        let old = core::mem::replace(&mut self.successors, new);
        if self.check().is_err() {
            self.successors = old;
            return false;
        }
        self.heard = fingerprint(list.iter().map(Peer::id));
        true
    }

    /// Whether a node would be our first successor, if it answers.
    pub(crate) fn is_nearer_successor(&self, peer: Peer) -> bool {
        let head = self.successors.first();
        head.is_some_and(|head| peer.id().between(self.me.id(), head.peer.id()))
    }

    /// Whether a node that notified us would be our predecessor, if it answers ("rectify").
    pub(crate) fn is_nearer_predecessor(&self, peer: Peer) -> bool {
        peer.id() != self.me.id()
            && self.predecessor.is_none_or(|before| peer.id().between(before.peer.id(), self.me.id()))
    }

    /// Takes a node that answered as predecessor.
    pub(crate) fn precede(&mut self, contact: Contact) {
        self.rumour = None;
        self.predecessor = Some(contact);
    }

    /// Takes a node that answered into a small ring. The ring may be large then.
    pub(crate) fn enter(&mut self, contact: Contact) {
        let id = contact.peer.id();
        if !self.small || id == self.me.id() {
            return;
        }
        let from = self.me.id();
        let place =
            self.successors.binary_search_by_key(&from.distance_to(id), |at| from.distance_to(at.peer.id()));
        let Err(at) = place else { return };
        self.successors.insert(at, contact);
        self.predecessor = self.successors.last().copied();
        self.grow();
    }

    /// A member of a small ring does not answer any more.
    pub(crate) fn lose(&mut self, peer: Peer) {
        if self.small {
            self.successors.retain(|contact| contact.peer != peer);
            self.predecessor = self.successors.last().copied();
        }
    }

    /// Makes a small ring large once it has so many members, or is told that it is by one that knows more.
    fn grow(&mut self) {
        if self.successors.len() + 1 >= self.large_from() {
            self.become_large();
        }
    }

    /// Others hold the ring for large: so do we, if our list can be full.
    pub(crate) fn become_large(&mut self) {
        if self.small && self.successors.len() >= self.r {
            self.small = false;
            self.successors.truncate(self.r);
        }
    }

    /// A list of a large ring can be full no more: what is left are these members, who answered.
    pub(crate) fn become_small(&mut self, members: impl Iterator<Item = Contact>) {
        let mut ring = Self::alone(self.me, self.r);
        for member in members.take(self.large_from() - 2) {
            ring.enter(member);
        }
        *self = ring;
    }

    /// The rules of lists: no node twice, in order, and full where the ring is large.
    pub(crate) fn check(&self) -> Result<(), Broken> {
        let from = self.me.id();
        let mut last = RingId::new([0; 20]);
        for contact in &self.successors {
            let distance = from.distance_to(contact.peer.id());
            if distance == last || contact.peer.id() == from {
                return Err(Broken::Duplicates);
            }
            if distance < last {
                return Err(Broken::Order);
            }
            last = distance;
        }
        if !self.small && self.successors.len() != self.r {
            return Err(Broken::NotFull);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetworkId;
    use core::net::SocketAddr;

    #[test]
    fn who_just_joined_vouches_for_no_place_before_it() {
        let network = NetworkId::named("test");
        let at = |host| Peer::new(network, SocketAddr::from(([10, 0, 0, host], 4000)));
        let mut peers: Vec<Peer> = (1..=5).map(at).collect();
        peers.sort_by_key(Peer::id);
        let mut ring = Ring::joined(peers[0], 2, Contact::unmet(peers[1]), &peers[2..4]).unwrap();
        // Behind its list, so before it, and so its own by what it knows.
        let place = peers[4].id();
        assert!(ring.owns(place));
        assert!(ring.owners(place).is_none());
        assert_eq!(ring.owners(peers[2].id()).unwrap().next(), Some(&peers[2]), "what its list says");
        ring.precede(Contact::unmet(peers[3]));
        assert_eq!(ring.owners(place).unwrap().next(), Some(&peers[0]));
    }
}
