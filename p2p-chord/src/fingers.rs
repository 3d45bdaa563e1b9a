//! Shortcuts across the ring: [`Fingers`], at most one peer for each *slot*, which is a stretch of the ring that doubles
//! in length with its distance (Stoica et al. 2001, section 4.3), or more finely with a larger base.
//!
//! With base `2^b`, slot `(i, d)` is the stretch from `d · 2^(b·i)` clockwise of this node on, `d` from 1 to `2^b - 1`,
//! as long as `2^(b·i)`; it may be cut into parts, which are slots of their own. Any node in a stretch serves: the nearest by round trip does best (proximity neighbour
//! selection, Gummadi et al. 2003).

use crate::contact::Contact;
use crate::id::RingId;
use crate::peer::Peer;
use alloc::vec::Vec;

/// A stretch of the ring, by number: the farther, the higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(u16);

/// A node's fingers, by slot.
#[derive(Clone, Debug)]
pub(crate) struct Fingers {
    base_bits: u8,
    /// A stretch is cut into `2^part_bits` slots.
    part_bits: u8,
    entries: Vec<(Slot, Contact)>,
}

impl Fingers {
    /// None yet, with base `2^base_bits`, `base_bits` from 1 to 8, and stretches in `2^part_bits` parts, `part_bits` up
    /// to 3.
    pub(crate) fn new(base_bits: u8, part_bits: u8) -> Self {
        Self { base_bits: base_bits.clamp(1, 8), part_bits: part_bits.min(3), entries: Vec::new() }
    }

    fn digits(&self) -> u16 {
        (1 << self.base_bits) - 1
    }

    /// How many slots there are on the whole ring.
    pub(crate) fn slots(&self) -> u16 {
        let places = RingId::BITS.div_ceil(u32::from(self.base_bits)) as u16;
        (places * self.digits()) << self.part_bits
    }

    /// The slot of what is so far away; `None` of nothing.
    pub(crate) fn slot(&self, distance: RingId) -> Option<Slot> {
        let bits = u32::from(self.base_bits);
        let place = distance.highest_bit()? / bits;
        let low = place * bits;
        let digit =
            (0..bits).filter(|bit| bit_of(distance, low + bit)).fold(0, |digit, bit| digit | 1_u16 << bit);
        let stretch = place as u16 * self.digits() + digit - 1;
        let parts = u32::from(self.part_bits);
        // The shortest stretches have no parts.
        let Some(low) = low.checked_sub(parts) else { return Some(Slot(stretch << parts)) };
        let part =
            (0..parts).filter(|bit| bit_of(distance, low + bit)).fold(0, |part, bit| part | 1_u16 << bit);
        Some(Slot(stretch << parts | part))
    }

    /// Where a slot begins, as a distance.
    pub(crate) fn begin(&self, slot: Slot) -> RingId {
        let parts = u32::from(self.part_bits);
        let (stretch, part) = (slot.0 >> parts, slot.0 & ((1 << parts) - 1));
        let (place, digit) = (stretch / self.digits(), stretch % self.digits() + 1);
        let low = u32::from(place) * u32::from(self.base_bits);
        let (low, digits) = match low.checked_sub(parts) {
            Some(low) => (low, u32::from(digit) << parts | u32::from(part)),
            None => (low, u32::from(digit)),
        };
        let bits = (0..u32::from(self.base_bits) + parts)
            .filter(|bit| digits >> bit & 1 == 1 && low + bit < RingId::BITS);
        bits.fold(RingId::new([0; 20]), |sum, bit| sum.plus_power(low + bit))
    }

    /// The slot of this number.
    pub(crate) fn nth(&self, number: u16) -> Option<Slot> {
        (number < self.slots()).then_some(Slot(number))
    }

    /// The number of a slot.
    pub(crate) const fn number(slot: Slot) -> u16 {
        slot.0
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Contact> {
        let at = self.entries.binary_search_by_key(&slot, |(at, _)| *at).ok()?;
        self.entries.get(at).map(|(_, contact)| contact)
    }

    pub(crate) fn contacts(&self) -> impl DoubleEndedIterator<Item = &Contact> {
        self.entries.iter().map(|(_, contact)| contact)
    }

    /// See [`Chord::touch`](crate::Chord::touch): each other entry, for one is not as long as a line of memory.
    pub(crate) fn touch(&self) -> u64 {
        self.entries.iter().step_by(2).fold(0, |sum, (slot, _)| sum ^ u64::from(slot.0))
    }

    /// Bytes on the heap.
    pub(crate) const fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<(Slot, Contact)>()
    }

    fn position(&self, me: Peer, peer: Peer) -> Option<usize> {
        let slot = self.slot(me.id().distance_to(peer.id()))?;
        let at = self.entries.binary_search_by_key(&slot, |(at, _)| *at).ok()?;
        (self.entries[at].1.peer == peer).then_some(at)
    }

    /// What is kept of a node, if it is a finger.
    pub(crate) fn find(&self, me: Peer, peer: Peer) -> Option<&Contact> {
        self.position(me, peer).map(|at| &self.entries[at].1)
    }

    /// Keeps what was learnt of a node, if it is a finger.
    pub(crate) fn note(&mut self, me: Peer, contact: Contact) {
        if let Some(at) = self.position(me, contact.peer) {
            self.entries[at].1 = contact;
        }
    }

    /// The fingers up to so far away, the farthest first.
    pub(crate) fn before(&self, distance: RingId) -> impl Iterator<Item = &Contact> {
        let slot = self.slot(distance);
        let end = self.entries.partition_point(|(at, _)| slot.is_some_and(|slot| *at <= slot));
        self.entries[..end].iter().rev().map(|(_, contact)| contact)
    }

    /// Takes a node that answered, if its slot is free or had by one that is farther by round trip.
    pub(crate) fn consider(&mut self, me: Peer, contact: Contact) {
        let Some(slot) = self.slot(me.id().distance_to(contact.peer.id())) else { return };
        match self.entries.binary_search_by_key(&slot, |(at, _)| *at) {
            Err(at) => {
                // A table grows by few entries in its life, and there may be a million tables.
                if self.entries.len() == self.entries.capacity() {
                    self.entries.reserve_exact(1);
                }
                self.entries.insert(at, (slot, contact));
            }
            Ok(at) => {
                let Some((_, has)) = self.entries.get_mut(at) else { return };
                let is_nearer = match (contact.round_trip.mean(), has.round_trip.mean()) {
                    // By a fifth at least: else two alike would take turns.
                    (Some(new), Some(old)) => new * 5 < old * 4,
                    (Some(_), None) => true,
                    (None, _) => false,
                };
                if has.peer == contact.peer || is_nearer {
                    *has = contact;
                }
            }
        }
    }

    /// Takes a node that answered in place of whoever has its slot.
    pub(crate) fn replace(&mut self, me: Peer, contact: Contact) {
        let Some(slot) = self.slot(me.id().distance_to(contact.peer.id())) else { return };
        match self.entries.binary_search_by_key(&slot, |(at, _)| *at) {
            Err(at) => self.entries.insert(at, (slot, contact)),
            Ok(at) => self.entries[at].1 = contact,
        }
    }

    /// Sets fingers that somebody else vouches for.
    pub(crate) fn settle(&mut self, me: Peer, peers: impl Iterator<Item = Peer>) {
        for peer in peers {
            self.consider(me, Contact::unmet(peer));
        }
        self.entries.shrink_to_fit();
    }

    /// A node does not answer any more.
    pub(crate) fn lose(&mut self, peer: Peer) {
        self.entries.retain(|(_, contact)| contact.peer != peer);
    }
}

fn bit_of(id: RingId, bit: u32) -> bool {
    let byte = id.as_bytes()[(RingId::BITS - 1 - bit) as usize / 8];
    byte >> (bit % 8) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use p2p_core::Rng;

    /// Each distance lies between the beginning of its slot and that of the next one.
    #[test]
    fn slots_follow_each_other() {
        let mut rng = Rng::fast_from(7);
        for (base_bits, part_bits) in [(1, 0), (4, 0), (4, 1), (4, 2), (5, 3), (8, 3)] {
            let fingers = Fingers::new(base_bits, part_bits);
            for power in 0..RingId::BITS {
                let mut bytes = *RingId::random(&mut rng).as_bytes();
                let top = (RingId::BITS - 1 - power) as usize;
                bytes[..top / 8].fill(0);
                bytes[top / 8] = bytes[top / 8] & (0xff >> (top % 8)) | 0x80 >> (top % 8);
                let distance = RingId::new(bytes);
                let slot = fingers.slot(distance).expect("a slot");
                let begin = fingers.begin(slot);
                assert!(begin <= distance, "{base_bits} {part_bits}: {distance:?} before {begin:?}");
                assert_eq!(fingers.slot(begin), Some(slot), "{base_bits} {part_bits}");
                // The shortest slots have no parts, and so no beginnings of their own.
                let behind = Fingers::number(slot) + 1..fingers.slots();
                let begins = behind.filter_map(|next| fingers.nth(next)).map(|next| fingers.begin(next));
                let next = begins.into_iter().find(|next| *next != begin);
                assert!(next.is_none_or(|next| distance < next), "{base_bits} {part_bits}: {distance:?}");
            }
        }
    }
}
