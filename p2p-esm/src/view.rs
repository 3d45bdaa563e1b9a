//! The members that a member knows of: a small part of all of them, that changes all the time ([`View`]).

use crate::wire::{Known, MemberId, SAMPLE, TreeStatus};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use p2p_core::{Duration, Instant, Rng};

/// Members that are known of at most.
const MOST: usize = 64;
/// Who was not heard of for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// Questions in a row without an answer after which a member is gone.
const SILENT: u8 = 2;
/// What a member said of itself counts for so long.
const FRESH: Duration = Duration::from_secs(30);
/// What it said may be asked for again after so long.
const STALE: Duration = Duration::from_secs(8);

/// A member that is known of.
#[derive(Clone, Debug)]
pub(crate) struct Acquaintance {
    pub(crate) id: MemberId,
    pub(crate) addr: SocketAddr,
    /// To prove our address to it with; 0 if it gave us nothing yet.
    pub(crate) token: u32,
    /// What it said of itself, and when.
    pub(crate) status: Option<(Instant, Vec<TreeStatus>)>,
    /// How long an answer of it takes.
    pub(crate) round_trip: Option<Duration>,
    /// It refused, or did not answer: it is not asked before.
    pub(crate) shunned: Instant,
    /// Questions in a row that it did not answer.
    pub(crate) silent: u8,
}

impl Acquaintance {
    /// What it said of itself in a tree, if it is not too long ago.
    pub(crate) fn status(&self, tree: u8, now: Instant) -> Option<TreeStatus> {
        let (said, trees) = self.status.as_ref()?;
        (now.since(*said) < FRESH).then(|| trees.get(usize::from(tree)).copied()).flatten()
    }

    /// Whether it has room for a child in any tree, if it said so not too long ago.
    pub(crate) fn has_room(&self, now: Instant) -> bool {
        let status = self.status.as_ref().filter(|(said, _)| now.since(*said) < FRESH);
        status.is_some_and(|(_, trees)| trees.iter().any(|tree| tree.room > 0))
    }

    /// Whether it may be asked again how it is.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        self.status.as_ref().is_none_or(|(said, _)| now.since(*said) >= STALE)
    }
}

/// Some members of the group.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    known: Vec<Acquaintance>,
    /// Hashes of their addresses, in the same order: most look-ups are of who is not here, or of one of many.
    hashes: Vec<u32>,
    /// Who was heard of when, in the same order.
    marks: Vec<Mark>,
    /// Who said when how it is, in the same order; zero of who has not: few of them did of late.
    said: Vec<Instant>,
}

/// Who is known of, in short: when anybody heard of it last; of one that is taken for gone, when it went. The token of who
/// is gone is kept: should it be there after all, it is to be told that we are no child of it.
///
/// A number, which is less the sooner it gives way to another one: it is looked for among all with each new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark(u64);

/// Not of who is gone. No clock of ours runs for 292 years.
const HERE: u64 = 1 << 63;

impl Mark {
    const fn new(gone: bool, heard: Instant) -> Self {
        Self(heard.as_nanos() & !HERE | if gone { 0 } else { HERE })
    }

    const fn is_gone(self) -> bool {
        self.0 & HERE == 0
    }

    const fn heard(self) -> Instant {
        Instant::from_nanos(self.0 & !HERE)
    }
}

/// Hashes that are compared side by side.
const LANES: usize = 16;

/// A hash of an address; nothing but speed depends on it.
fn hash(addr: SocketAddr) -> u32 {
    let ip = match addr.ip() {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) as u64,
    };
    // Fibonacci hashing (Knuth 6.4).
    ((ip << 16 | u64::from(addr.port())).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

impl View {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Acquaintance> {
        self.known.iter().zip(&self.marks).filter(|(_, mark)| !mark.is_gone()).map(|(known, _)| known)
    }

    /// Those that said of late how they are.
    pub(crate) fn fresh(&self, now: Instant) -> impl Iterator<Item = &Acquaintance> {
        let said = self.said.iter().zip(&self.marks).zip(&self.known);
        let fresh = said.filter(move |((said, mark), _)| now.since(**said) < FRESH && !mark.is_gone());
        fresh.map(|(_, known)| known).filter(|known| known.status.is_some())
    }

    /// It said how it is.
    pub(crate) fn said(&mut self, addr: SocketAddr, now: Instant, trees: Vec<TreeStatus>) {
        if let Some(at) = self.at(addr) {
            (self.known[at].status, self.said[at]) = (Some((now, trees)), now);
        }
    }

    fn at(&self, addr: SocketAddr) -> Option<usize> {
        let hash = hash(addr);
        for (chunk, hashes) in self.hashes.chunks(LANES).enumerate() {
            // Compared side by side: mostly none is the same.
            let mut any = false;
            for other in hashes {
                any |= *other == hash;
            }
            if !any {
                continue;
            }
            let same = hashes.iter().enumerate().filter(|(_, other)| **other == hash);
            let found = same.map(|(at, _)| chunk * LANES + at).find(|at| self.known[*at].addr == addr);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    pub(crate) fn get(&self, addr: SocketAddr) -> Option<&Acquaintance> {
        self.at(addr).map(|at| &self.known[at])
    }

    pub(crate) fn get_mut(&mut self, addr: SocketAddr) -> Option<&mut Acquaintance> {
        self.at(addr).map(|at| &mut self.known[at])
    }

    /// Notes a member that we heard of so long ago, or that was. Where there is no room, another one that was heard of
    /// even longer ago gives way.
    pub(crate) fn note(&mut self, id: MemberId, addr: SocketAddr, heard: Instant) {
        if let Some(at) = self.at(addr) {
            let (known, mark) = (&mut self.known[at], &mut self.marks[at]);
            if heard > mark.heard() {
                if known.id != id {
                    // It started again.
                    (known.id, known.status, known.token) = (id, None, 0);
                    self.said[at] = Instant::ZERO;
                }
                *mark = Mark::new(false, heard);
            }
            return;
        }
        let oldest = if self.known.len() < MOST {
            None
        } else {
            let mut least = Mark(u64::MAX);
            for mark in &self.marks {
                least = if mark.0 < least.0 { *mark } else { least };
            }
            if !least.is_gone() && least.heard() >= heard {
                return;
            }
            self.marks.iter().position(|mark| *mark == least)
        };
        let new = Acquaintance {
            id,
            addr,
            token: 0,
            status: None,
            round_trip: None,
            shunned: Instant::ZERO,
            silent: 0,
        };
        let (hash, mark) = (hash(addr), Mark::new(false, heard));
        match oldest {
            Some(at) => {
                (self.known[at], self.hashes[at], self.marks[at]) = (new, hash, mark);
                self.said[at] = Instant::ZERO;
            }
            None => {
                self.known.push(new);
                self.hashes.push(hash);
                self.marks.push(mark);
                self.said.push(Instant::ZERO);
            }
        }
    }

    /// Notes whom another member names.
    pub(crate) fn learn(&mut self, sample: &[Known], now: Instant) {
        for known in sample {
            let age = Duration::from_secs(known.age.into());
            if age < FORGOTTEN && known.addr.port() != 0 && !known.addr.ip().is_unspecified() {
                // Only what was heard of counts: the age a member is said to have grows on its way.
                self.note(known.id, known.addr, now - age);
            }
        }
    }

    /// It did not answer: once is a lost datagram, then it is gone.
    pub(crate) fn unanswered(&mut self, addr: SocketAddr, until: Instant) {
        if let Some(known) = self.get_mut(addr) {
            known.silent += 1;
            known.shunned = until;
            if known.silent >= SILENT {
                self.forget(addr, until);
            }
        }
    }

    /// It is gone, until somebody hears of it later than now.
    pub(crate) fn forget(&mut self, addr: SocketAddr, now: Instant) {
        if let Some(at) = self.at(addr) {
            let (known, mark) = (&mut self.known[at], &mut self.marks[at]);
            (known.status, known.silent, self.said[at]) = (None, 0, Instant::ZERO);
            *mark = Mark::new(true, mark.heard().max(now));
        }
    }

    /// Forgets who was not heard of for long.
    pub(crate) fn tidy(&mut self, now: Instant) {
        for at in (0..self.marks.len()).rev() {
            if now.since(self.marks[at].heard()) >= FORGOTTEN {
                self.known.swap_remove(at);
                self.hashes.swap_remove(at);
                self.marks.swap_remove(at);
                self.said.swap_remove(at);
            }
        }
    }

    /// Members in an order that is drawn, first those that have not said of late how they are; none of `but`.
    pub(crate) fn draw(
        &self,
        count: usize,
        but: impl Iterator<Item = SocketAddr>,
        now: Instant,
        rng: &mut Rng,
    ) -> Vec<SocketAddr> {
        let but = but.filter_map(|addr| self.at(addr)).fold(0_u64, |bits, at| bits | 1 << at);
        let mut places = [0_u8; MOST];
        let mut drawn = 0;
        for (at, mark) in (0_u8..).zip(&self.marks) {
            if !mark.is_gone() && but >> at & 1 == 0 {
                places[drawn] = at;
                drawn += 1;
            }
        }
        let places = &mut places[..drawn];
        rng.shuffle(places);
        // One after the other, and no more of them than it takes: what is known of all is much to look at.
        let is_known = |at: &u8| {
            let at = usize::from(*at);
            now.since(self.said[at]) < FRESH && self.known[at].status(0, now).is_some()
        };
        let mut found: Vec<u8> = places.iter().copied().filter(|at| !is_known(at)).take(count).collect();
        let left = count - found.len();
        if left > 0 {
            found.extend(places.iter().copied().filter(is_known).take(left));
        }
        found.into_iter().map(|at| self.known[usize::from(at)].addr).collect()
    }

    /// Some members, other than the one that is told.
    pub(crate) fn sample(&self, but: SocketAddr, now: Instant, rng: &mut Rng) -> Vec<Known> {
        let mut sample: Vec<Known> = Vec::with_capacity(SAMPLE);
        let mut places = [0_u8; MOST];
        let places = &mut places[..self.marks.len()];
        (0_u8..).zip(places.iter_mut()).for_each(|(at, place)| *place = at);
        // The first of a shuffle (Durstenfeld 1964), as far as it is needed.
        for first in 0..places.len() {
            if sample.len() == SAMPLE {
                break;
            }
            places.swap(first, first + rng.index(places.len() - first));
            let at = usize::from(places[first]);
            let (known, mark) = (&self.known[at], self.marks[at]);
            if known.addr != but && !mark.is_gone() {
                let age = now.since(mark.heard()).as_secs().min(255) as u8;
                sample.push(Known { id: known.id, addr: known.addr, age });
            }
        }
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn addr(of: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], of))
    }

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    fn full() -> View {
        let mut view = View::default();
        // Not in the order of their age.
        (1..=64).for_each(|of| view.note(MemberId(of.into()), addr(of), at(100 + u64::from(of * 7 % 64))));
        view
    }

    #[test]
    fn who_is_gone_gives_way_first_and_then_who_was_heard_of_longest_ago() {
        let mut view = full();
        view.forget(addr(9), at(400));
        view.note(MemberId(100), addr(100), at(200));
        assert!(view.get(addr(9)).is_none() && view.get(addr(100)).is_some());
        // 64 * 7 is a multiple of 64, so it is the oldest, and the newcomer is no older.
        view.note(MemberId(101), addr(101), at(100));
        assert!(view.get(addr(64)).is_some() && view.get(addr(101)).is_none());
        view.note(MemberId(101), addr(101), at(101));
        assert!(view.get(addr(64)).is_none() && view.get(addr(101)).is_some());
        assert_eq!(view.iter().count(), MOST);
    }

    #[test]
    fn who_said_nothing_of_late_is_drawn_first() {
        let (mut view, mut rng) = (full(), Rng::fast_from(1));
        let status = TreeStatus { depth: 1, room: 1, delay: 1, far: 0 };
        let now = at(200);
        (4..=64).for_each(|of| view.said(addr(of), now, vec![status]));
        view.said(addr(3), at(200) - FRESH, vec![status]);
        assert_eq!(view.fresh(now).count(), 61);
        view.forget(addr(64), now);
        assert_eq!(view.fresh(now).count(), 60);
        for _ in 0..20 {
            let mut drawn = view.draw(2, [addr(2), addr(999)].into_iter(), now, &mut rng);
            drawn.sort_unstable();
            assert_eq!(drawn, [addr(1), addr(3)]);
        }
        let all = view.draw(100, core::iter::empty(), now, &mut rng);
        assert_eq!(all.len(), 63);
        assert!(all[..3].iter().all(|drawn| drawn.port() <= 3) && !all.contains(&addr(64)));
    }
}
