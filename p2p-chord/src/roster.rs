//! Everybody on a ring, for nodes that know all: [`Roster`].
//!
//! What stands in it is hearsay: a node is believed to be there until it does not answer. Nothing of the ring is built
//! upon it; a lookup that it leads to the wrong node goes on from there.

use crate::id::RingId;
use crate::peer::Peer;
use alloc::vec::Vec;

/// Everybody but this node, in the order of identifiers: 38 bytes each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Roster {
    members: Vec<Peer>,
    most: usize,
}

impl Roster {
    /// Nobody yet, and never more than so many.
    pub(crate) const fn new(most: usize) -> Self {
        Self { members: Vec::new(), most }
    }

    pub(crate) const fn len(&self) -> usize {
        self.members.len()
    }

    fn place(&self, id: RingId) -> Result<usize, usize> {
        self.members.binary_search_by_key(&id, Peer::id)
    }

    /// Takes somebody in. Once it is full nobody is: those who are missing are found by fingers.
    pub(crate) fn add(&mut self, peer: Peer) {
        if let Err(at) = self.place(peer.id())
            && self.members.len() < self.most
        {
            self.members.insert(at, peer);
        }
    }

    pub(crate) fn remove(&mut self, peer: Peer) {
        if let Ok(at) = self.place(peer.id()) {
            self.members.remove(at);
        }
    }

    /// From the first one at or behind a place on, once around.
    pub(crate) fn from(&self, place: RingId) -> impl DoubleEndedIterator<Item = &Peer> {
        let at = self.place(place).unwrap_or_else(|at| at);
        self.members[at..].iter().chain(&self.members[..at])
    }

    /// Those before a place, the nearest first.
    pub(crate) fn before(&self, place: RingId) -> impl Iterator<Item = &Peer> {
        self.from(place).rev()
    }

    /// The `count`th behind a place, if there are as many, counted from 1.
    pub(crate) fn nth_behind(&self, place: RingId, count: usize) -> Option<Peer> {
        self.from(place.plus_power(0)).nth(count.checked_sub(1)?).copied()
    }

    /// Those in an arc, in order.
    pub(crate) fn arc(&self, from: RingId, to: RingId) -> impl Iterator<Item = &Peer> {
        self.from(from.plus_power(0)).take_while(move |peer| peer.id().in_arc_to(from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetworkId;
    use core::net::SocketAddr;

    fn peers(count: u8) -> Vec<Peer> {
        let at = |host| Peer::new(NetworkId::named("test"), SocketAddr::from(([10, 0, 0, host], 4000)));
        let mut peers: Vec<Peer> = (1..=count).map(at).collect();
        peers.sort_by_key(Peer::id);
        peers
    }

    #[test]
    fn it_goes_around_from_anywhere() {
        let peers = peers(9);
        let mut roster = Roster::new(9);
        peers.iter().rev().for_each(|peer| roster.add(*peer));
        assert!(roster.members.iter().eq(&peers));
        for (at, peer) in peers.iter().enumerate() {
            let around = |step: usize| peers[(at + step) % 9];
            assert_eq!(roster.from(peer.id()).next(), Some(peer));
            assert_eq!(roster.nth_behind(peer.id(), 2), Some(around(2)));
            assert_eq!(roster.before(peer.id()).next(), Some(&around(8)));
            let arc: Vec<Peer> = roster.arc(peer.id(), around(3).id()).copied().collect();
            assert_eq!(arc, [around(1), around(2), around(3)]);
            assert_eq!(roster.arc(peer.id(), peer.id()).count(), 9, "all around");
        }
        assert_eq!(roster.nth_behind(peers[0].id(), 10), None);
        roster.remove(peers[4]);
        assert!(!roster.members.contains(&peers[4]) && roster.len() == 8);
    }

    #[test]
    fn it_is_never_longer_than_it_may_be() {
        let mut roster = Roster::new(5);
        peers(40).into_iter().for_each(|peer| roster.add(peer));
        assert_eq!(roster.len(), 5);
    }
}
