//! Datagrams that wait to be sent: [`Outbox`], in runs that the system can take in one call.

use bytes::Bytes;
use p2p_core::Datagram;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Datagrams of a run at most: what every Linux takes at once (`UDP_MAX_SEGMENTS`).
pub(super) const LONGEST: usize = 64;
/// Bytes of a run at most: with its heads it is one packet of IP until it is cut.
const LARGEST: usize = 65_000;
/// Runs that a datagram may join: a machine that sends to many others in turn makes one of each.
const OPEN: usize = 16;

/// Datagrams to one receiver that are as long as the first one; the last may be shorter.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) peer: SocketAddr,
    pub(super) ttl: Option<u8>,
    pub(super) interface: Option<u32>,
    pub(super) first: Bytes,
    pub(super) more: Vec<Bytes>,
    /// Bytes in all.
    len: usize,
    /// The last one is shorter.
    closed: bool,
}

impl Run {
    fn new(datagram: Datagram) -> Self {
        let Datagram { peer, data, ttl, interface } = datagram;
        Self { peer, ttl, interface, len: data.len(), first: data, more: Vec::new(), closed: false }
    }

    /// How many datagrams it has.
    pub(super) const fn count(&self) -> usize {
        1 + self.more.len()
    }

    fn is_to(&self, datagram: &Datagram) -> bool {
        (self.peer, self.ttl, self.interface) == (datagram.peer, datagram.ttl, datagram.interface)
    }

    fn takes(&self, data: &Bytes) -> bool {
        let fits = self.count() < LONGEST && self.len + data.len() <= LARGEST;
        fits && !self.closed && !data.is_empty() && data.len() <= self.first.len()
    }

    fn add(&mut self, data: Bytes) {
        if self.more.is_empty() {
            self.more.reserve(LONGEST / 4);
        }
        self.len += data.len();
        self.closed = data.len() < self.first.len();
        self.more.push(data);
    }

    /// Its datagrams one by one, in their order.
    pub(super) fn split(self) -> impl Iterator<Item = Self> {
        let Self { peer, ttl, interface, first, more, .. } = self;
        let datagrams = std::iter::once(first).chain(more);
        datagrams.map(move |data| Self::new(Datagram { peer, data, ttl, interface }))
    }
}

/// What waits to be sent. Datagrams to one receiver stay in their order; those to others may be passed.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    runs: VecDeque<Run>,
    /// Datagrams in all of them.
    waiting: usize,
}

impl Outbox {
    /// Datagrams that wait.
    pub(super) const fn len(&self) -> usize {
        self.waiting
    }

    /// Adds a datagram: to the newest run to its receiver if `joined` and that takes it, else as a run of its own.
    pub(super) fn push(&mut self, datagram: Datagram, joined: bool) {
        self.waiting += 1;
        let newest = self.runs.iter_mut().rev().take(OPEN).find(|run| run.is_to(&datagram));
        match newest.filter(|run| joined && run.takes(&datagram.data)) {
            Some(run) => run.add(datagram.data),
            None => self.runs.push_back(Run::new(datagram)),
        }
    }

    /// The run that is sent next.
    pub(super) fn front(&self) -> Option<&Run> {
        self.runs.front()
    }

    /// Takes it.
    pub(super) fn pop(&mut self) -> Option<Run> {
        let run = self.runs.pop_front()?;
        self.waiting -= run.count();
        Some(run)
    }

    /// Puts the datagrams of a run back in front, one by one.
    pub(super) fn put_back(&mut self, run: Run) {
        self.waiting += run.count();
        for (at, single) in run.split().enumerate() {
            self.runs.insert(at, single);
        }
    }

    /// Gives memory back that a burst took.
    pub(super) fn shrink(&mut self) {
        self.runs.shrink_to(64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16, data: Vec<u8>) -> Datagram {
        Datagram::new(SocketAddr::from(([127, 0, 0, 1], port)), data)
    }

    /// The length of each datagram of each run, and to whom it goes.
    fn runs(outbox: &mut Outbox) -> Vec<(u16, Vec<usize>)> {
        let mut runs = Vec::new();
        while let Some(run) = outbox.pop() {
            runs.push((run.peer.port(), run.split().map(|run| run.first.len()).collect()));
        }
        assert_eq!(outbox.len(), 0);
        runs
    }

    #[test]
    fn runs_end_with_what_is_shorter() {
        let mut outbox = Outbox::default();
        for len in [9, 9, 4, 9, 12, 12, 0, 0] {
            outbox.push(to(1, vec![0; len]), true);
        }
        assert_eq!(outbox.len(), 8);
        let expected = [vec![9, 9, 4], vec![9], vec![12, 12], vec![0], vec![0]];
        assert_eq!(runs(&mut outbox), expected.map(|run| (1, run)));
    }

    #[test]
    fn runs_to_others_grow_meanwhile() {
        let mut outbox = Outbox::default();
        for n in 0..3 {
            (1..4).for_each(|port| outbox.push(to(port, vec![n; 5]), true));
        }
        assert_eq!(runs(&mut outbox), [1, 2, 3].map(|port| (port, vec![5; 3])));
        // Too many of them: each is sent as it comes.
        for _ in 0..2 {
            (0..=OPEN as u16).for_each(|port| outbox.push(to(port, vec![0; 5]), true));
        }
        assert_eq!(runs(&mut outbox).len(), 2 * (OPEN + 1));
    }

    #[test]
    fn another_way_is_another_run() {
        let mut outbox = Outbox::default();
        for (ttl, interface) in [(None, None), (Some(1), None), (Some(1), Some(2)), (Some(1), Some(2))] {
            outbox.push(Datagram { ttl, interface, ..to(1, vec![0; 5]) }, true);
        }
        assert_eq!(runs(&mut outbox), [(1, vec![5]), (1, vec![5]), (1, vec![5, 5])]);
        (0..2).for_each(|_| outbox.push(to(1, vec![0; 5]), false));
        assert_eq!(runs(&mut outbox).len(), 2, "where they are not joined");
    }

    #[test]
    fn runs_are_no_larger_than_the_system_takes() {
        let mut outbox = Outbox::default();
        (0..LONGEST + 1).for_each(|_| outbox.push(to(1, vec![0; 5]), true));
        (0..4).for_each(|_| outbox.push(to(2, vec![0; 20_000]), true));
        let lens: Vec<_> = runs(&mut outbox).into_iter().map(|(_, lens)| lens.len()).collect();
        assert_eq!(lens, [LONGEST, 1, 3, 1]);
    }

    #[test]
    fn what_is_put_back_stays_in_order() {
        let mut outbox = Outbox::default();
        for n in 0..3 {
            outbox.push(to(1, vec![n; 5]), true);
        }
        outbox.push(to(2, vec![9; 5]), true);
        let run = outbox.pop().expect("a run");
        outbox.put_back(run);
        assert_eq!(outbox.len(), 4);
        let order: Vec<_> =
            std::iter::from_fn(|| outbox.pop()).map(|run| (run.count(), run.first[0])).collect();
        assert_eq!(order, [(1, 0), (1, 1), (1, 2), (1, 9)]);
    }
}
