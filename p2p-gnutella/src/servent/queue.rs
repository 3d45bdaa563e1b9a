//! [`Queue`]: what waits for a neighbour that takes too little.

use crate::wire::Kind;
use alloc::collections::VecDeque;
use bytes::Bytes;

/// Messages that wait, by what they are worth: the end of the link and its tables, hits and pushes, pongs, queries, pings.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    lanes: [VecDeque<Bytes>; LANES],
    bytes: usize,
}

const LANES: usize = 5;
/// The lanes in the order in which they lose something: a query is worth the less the older it is, and its sender asks
/// others too; a hit is what all the work was for.
const VICTIMS: [usize; 4] = [4, 3, 2, 1];

const fn lane(kind: Kind) -> usize {
    match kind {
        Kind::QUERY_HIT | Kind::PUSH => 1,
        Kind::PONG => 2,
        Kind::QUERY => 3,
        Kind::PING => 4,
        // What neighbours say of the link itself: tables lose their meaning with any part of them.
        _ => 0,
    }
}

impl Queue {
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Bytes that wait.
    pub(crate) const fn len(&self) -> usize {
        self.bytes
    }

    /// Adds a message; how many others were dropped for it, or 1 if it was itself. What is worth less goes first, and of
    /// the same the oldest. Messages about the link are always taken: their number is the sender's own.
    pub(crate) fn push(&mut self, kind: Kind, message: Bytes, cap: usize) -> u64 {
        let own = lane(kind);
        let mut dropped = 0;
        while own > 0 && self.bytes + message.len() > cap {
            let victim = VICTIMS.into_iter().find(|lane| *lane >= own && !self.lanes[*lane].is_empty());
            let Some(old) = victim.and_then(|lane| self.lanes[lane].pop_front()) else { return dropped + 1 };
            self.bytes -= old.len();
            dropped += 1;
        }
        self.bytes += message.len();
        self.lanes[own].push_back(message);
        dropped
    }

    /// The message that goes next.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let message = self.lanes.iter_mut().find_map(VecDeque::pop_front)?;
        self.bytes -= message.len();
        if self.bytes == 0 {
            // A neighbour that once was slow holds nothing for it.
            *self = Self::default();
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 6] = [Kind::PING, Kind::QUERY, Kind::PONG, Kind::QUERY_HIT, Kind::PUSH, Kind::VENDOR];

    #[test]
    fn what_is_worth_more_goes_first_and_stays_longest() {
        let mut queue = Queue::default();
        for round in 0..100u8 {
            for (at, kind) in KINDS.into_iter().enumerate() {
                queue.push(kind, Bytes::from(alloc::vec![at as u8, round, 0, 0, 0, 0, 0, 0, 0, 0]), 2_000);
            }
        }
        let mut order = alloc::vec::Vec::new();
        while let Some(message) = queue.pop() {
            order.push((message[0], message[1]));
        }
        assert!(queue.is_empty());
        assert_eq!(order.iter().filter(|(kind, _)| *kind == 5).count(), 100, "all about the link");
        let hits = order.iter().filter(|(kind, _)| matches!(kind, 3 | 4)).count();
        assert_eq!(
            hits, 101,
            "hits as far as there was room when the last came, before what is about the link"
        );
        assert!(order.iter().all(|(kind, _)| *kind >= 3), "and nothing that is worth less");
        assert!(order.is_sorted_by_key(|(kind, _)| *kind < 5));
        assert_eq!(order.last(), Some(&(4, 99)), "the newest is there");
    }

    #[test]
    fn the_oldest_query_makes_room() {
        let mut queue = Queue::default();
        let dropped: u64 =
            (0..50u8).map(|at| queue.push(Kind::QUERY, Bytes::from(alloc::vec![at; 10]), 100)).sum();
        assert_eq!((dropped, queue.len()), (40, 100));
        assert_eq!(queue.pop().map(|message| message[0]), Some(40));
        assert_eq!(queue.push(Kind::PING, Bytes::from(alloc::vec![0; 20]), 100), 1, "it drops itself alone");
        assert_eq!(queue.push(Kind::QUERY_HIT, Bytes::from(alloc::vec![0; 20]), 100), 1);
    }
}
