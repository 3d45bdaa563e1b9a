//! Narada's mesh as one member sees it: who is there, its neighbours, and how far everybody is by each of them
//! ([`Mesh`]; Chu, Rao and Zhang 2000, sections 3 and 4).
//!
//! A member numbers its refreshes, and its number goes through the mesh with the distance to it. A way to it counts only
//! as long as its number is one of the last two that are known, so ways that lead in a circle, or to who is gone, end by
//! themselves (the sequence numbers of Perkins and Bhagwat's DSDV, 1994; Narada tells whole paths for that). Who uses a
//! neighbour for a way tells it that it has none, so two never send each other back and forth.

use crate::wire::{Known, MemberId, ROUTES, Route, SAMPLE};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::ops::Bound;
use p2p_core::{Duration, Instant, Rng};

/// Neighbours that are looked for.
pub(crate) const LEAST: usize = 3;
/// Members that are kept in mind at most.
const MOST_MEMBERS: usize = 4_096;
/// Who was not refreshed for so long is gone.
const DEAD: Duration = Duration::from_secs(60);
/// Who was not refreshed for so long may be cut off: it is to be a neighbour.
const CUT_OFF: Duration = Duration::from_secs(35);
/// A neighbour that tells nothing for so long is none.
const SILENT: Duration = Duration::from_secs(25);
/// A new link is kept for so long at least: nobody knows yet what it is good for.
const TRIAL: Duration = Duration::from_secs(30);
/// A link is added if all ways together become shorter by one in so many, and dropped if fewer lead over it.
const SHARE: usize = 20;
/// The distance to whom there is no way.
const NOWHERE: u16 = u16::MAX;

#[derive(Clone, Debug)]
struct Member {
    addr: SocketAddr,
    number: u32,
    /// When its number grew.
    heard: Instant,
    /// How far it is, and by which neighbour.
    way: Option<(u16, SocketAddr)>,
}

/// Who tells us how far others are.
#[derive(Clone, Debug)]
pub(crate) struct Neighbour {
    pub(crate) id: MemberId,
    pub(crate) addr: SocketAddr,
    /// To prove our address to it with.
    pub(crate) token: u32,
    round_trip: Duration,
    since: Instant,
    heard: Instant,
    /// Ways of its own that lead over us.
    uses: u16,
    /// Number and distance of those that it told of.
    told: BTreeMap<MemberId, (u32, u16)>,
}

impl Neighbour {
    fn half(&self) -> u16 {
        half(self.round_trip)
    }
}

fn half(round_trip: Duration) -> u16 {
    u16::try_from(round_trip.as_millis() / 2).unwrap_or(NOWHERE)
}

/// Who is looked at as a neighbour to be, page by page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Survey {
    addr: SocketAddr,
    /// The last member of the last page.
    pub(crate) after: MemberId,
    /// By how much ways would be shorter, of a thousand of each, in all.
    gain: u64,
}

impl Survey {
    pub(crate) const fn new(addr: SocketAddr) -> Self {
        Self { addr, after: MemberId(0), gain: 0 }
    }
}

/// The mesh, as one member sees it.
#[derive(Clone, Debug)]
pub(crate) struct Mesh {
    me: MemberId,
    source: Option<MemberId>,
    number: u32,
    members: BTreeMap<MemberId, Member>,
    neighbours: Vec<Neighbour>,
    pub(crate) survey: Option<Survey>,
    /// By whom neighbours were told that the source is reached.
    told_source: Option<SocketAddr>,
    /// Who has no room for a neighbour named these.
    pub(crate) named: Vec<SocketAddr>,
    pub(crate) next_refresh: Instant,
    pub(crate) next_link: Instant,
    pub(crate) next_look: Instant,
}

impl Mesh {
    pub(crate) const fn new(me: MemberId, is_source: bool) -> Self {
        Self {
            me,
            source: if is_source { Some(me) } else { None },
            number: 0,
            members: BTreeMap::new(),
            neighbours: Vec::new(),
            survey: None,
            told_source: None,
            named: Vec::new(),
            next_refresh: Instant::ZERO,
            next_link: Instant::ZERO,
            next_look: Instant::ZERO,
        }
    }

    pub(crate) fn neighbours(&self) -> &[Neighbour] {
        &self.neighbours
    }

    pub(crate) const fn source(&self) -> Option<MemberId> {
        self.source
    }

    pub(crate) fn is_neighbour(&self, addr: SocketAddr) -> bool {
        self.neighbours.iter().any(|neighbour| neighbour.addr == addr)
    }

    /// There is a link to it from now on.
    pub(crate) fn link(
        &mut self,
        (id, addr): (MemberId, SocketAddr),
        token: u32,
        round_trip: Duration,
        now: Instant,
    ) {
        if let Some(neighbour) = self.neighbours.iter_mut().find(|neighbour| neighbour.addr == addr) {
            (neighbour.id, neighbour.token, neighbour.heard) = (id, token, now);
            return;
        }
        let told = BTreeMap::new();
        self.neighbours.push(Neighbour {
            id,
            addr,
            token,
            round_trip,
            since: now,
            heard: now,
            uses: 0,
            told,
        });
    }

    /// There is none any more. False if there was none.
    pub(crate) fn unlink(&mut self, addr: SocketAddr) -> bool {
        let before = self.neighbours.len();
        self.neighbours.retain(|neighbour| neighbour.addr != addr);
        let ids: Vec<_> = self.members.keys().copied().collect();
        ids.into_iter().for_each(|id| self.look(id));
        self.neighbours.len() < before
    }

    /// How long an answer of a neighbour takes.
    pub(crate) fn measured(&mut self, addr: SocketAddr, round_trip: Duration) {
        if let Some(neighbour) = self.neighbours.iter_mut().find(|neighbour| neighbour.addr == addr) {
            neighbour.round_trip = round_trip;
        }
    }

    /// What a neighbour tells. False if it is none.
    pub(crate) fn hear(
        &mut self,
        from: SocketAddr,
        source: Option<MemberId>,
        uses: u16,
        routes: &[Route],
        now: Instant,
    ) -> bool {
        let Some(at) = self.neighbours.iter().position(|neighbour| neighbour.addr == from) else {
            return false;
        };
        self.source = self.source.or(source);
        let neighbour = &mut self.neighbours[at];
        (neighbour.heard, neighbour.uses) = (now, uses);
        let me = self.me;
        for route in routes.iter().filter(|route| route.id != me) {
            let is_known = self.members.contains_key(&route.id);
            // Nobody knows its own address.
            let addr = if route.id == self.neighbours[at].id { from } else { route.addr };
            let is_somewhere = addr.port() != 0 && !addr.ip().is_unspecified();
            let is_new = is_somewhere && route.delay != NOWHERE && self.members.len() < MOST_MEMBERS;
            if !is_known && !is_new {
                continue;
            }
            let number = route.number;
            let new = || Member { addr, number, heard: now, way: None };
            let member = self.members.entry(route.id).or_insert_with(new);
            if number > member.number && is_somewhere {
                (member.addr, member.number, member.heard) = (addr, number, now);
            }
            self.neighbours[at].told.insert(route.id, (number, route.delay));
            self.look(route.id);
        }
        true
    }

    /// Finds the shortest way to a member.
    fn look(&mut self, id: MemberId) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let by = |neighbour: &Neighbour| {
            let (number, delay) = *neighbour.told.get(&id)?;
            let counts = delay != NOWHERE && number.saturating_add(1) >= member.number;
            counts.then(|| (delay.saturating_add(neighbour.half()), neighbour.addr))
        };
        member.way = self.neighbours.iter().filter_map(by).min();
    }

    /// Milliseconds to the source by each neighbour that has a way, which does not lead over us.
    pub(crate) fn to_source(&self) -> impl Iterator<Item = (u16, SocketAddr)> {
        let source = self.source;
        self.neighbours.iter().filter_map(move |neighbour| {
            let id = source?;
            if neighbour.id == id {
                return Some((neighbour.half(), neighbour.addr));
            }
            let newest = self.members.get(&id).map_or(0, |member| member.number);
            let (number, delay) = *neighbour.told.get(&id)?;
            let counts = delay != NOWHERE && number.saturating_add(1) >= newest;
            counts.then(|| (delay.saturating_add(neighbour.half()), neighbour.addr))
        })
    }

    /// A new number, and whoever is gone is forgotten. Whose links end by that.
    pub(crate) fn refresh(&mut self, now: Instant) -> Vec<SocketAddr> {
        self.number += 1;
        // Nobody refreshes it, so all ways to it are of before.
        let stale = self.members.iter().filter(|(_, member)| now.since(member.heard) >= SILENT);
        let stale: Vec<_> = stale.map(|(id, _)| *id).collect();
        for id in stale {
            self.neighbours.iter_mut().for_each(|neighbour| {
                neighbour.told.remove(&id);
            });
            self.look(id);
        }
        self.members.retain(|_, member| now.since(member.heard) < DEAD);
        let members = &self.members;
        self.neighbours
            .iter_mut()
            .for_each(|neighbour| neighbour.told.retain(|id, _| members.contains_key(id)));
        let silent = self.neighbours.iter().filter(|neighbour| now.since(neighbour.heard) >= SILENT);
        let silent: Vec<_> = silent.map(|neighbour| neighbour.addr).collect();
        silent.iter().for_each(|addr| {
            self.unlink(*addr);
        });
        silent
    }

    /// How many ways lead over a neighbour.
    fn uses(&self, addr: SocketAddr) -> u16 {
        let over = self.members.values().filter(|member| member.way.is_some_and(|(_, by)| by == addr));
        // At most as many as there are members.
        over.count() as u16
    }

    /// What neighbours are told at once: the way to the source, if it leads over another one than they know. Who waits for
    /// the next refresh of everybody between is without the stream meanwhile.
    pub(crate) fn news_of_source(&mut self) -> Option<Route> {
        let id = self.source.filter(|id| *id != self.me)?;
        let member = self.members.get(&id)?;
        let by = member.way.map(|(_, by)| by);
        if core::mem::replace(&mut self.told_source, by) == by {
            return None;
        }
        let delay = member.way.map_or(NOWHERE, |(delay, _)| delay);
        Some(Route { id, addr: member.addr, number: member.number, delay })
    }

    /// Such news as it is for one of them.
    pub(crate) fn news_to(&self, to: SocketAddr, news: Route) -> (u16, Route) {
        let delay = if self.told_source == Some(to) { NOWHERE } else { news.delay };
        (self.uses(to), Route { delay, ..news })
    }

    /// What a neighbour is told: everybody, ourselves first, and how many ways lead over it.
    pub(crate) fn told_to(&self, to: SocketAddr) -> (u16, Vec<Route>) {
        let over = |member: &Member| member.way.is_some_and(|(_, by)| by == to);
        let addr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let me = Route { id: self.me, addr, number: self.number, delay: 0 };
        let others = self.members.iter().map(|(id, member)| {
            let delay = member.way.filter(|_| !over(member)).map_or(NOWHERE, |(delay, _)| delay);
            Route { id: *id, addr: member.addr, number: member.number, delay }
        });
        (self.uses(to), core::iter::once(me).chain(others).collect())
    }

    /// Those behind a member, in the order of their numbers: a page.
    pub(crate) fn page(&self, after: MemberId) -> Vec<Route> {
        let behind = self.members.range((Bound::Excluded(after), Bound::Unbounded));
        let routes = behind.map(|(id, member)| {
            let delay = member.way.map_or(NOWHERE, |(delay, _)| delay);
            Route { id: *id, addr: member.addr, number: member.number, delay }
        });
        routes.take(ROUTES).collect()
    }

    /// A page of who is looked at. Whether it would be a good neighbour, once that is known.
    pub(crate) fn surveyed(
        &mut self,
        from: SocketAddr,
        page: &[Route],
        round_trip: Duration,
    ) -> Option<bool> {
        let half = half(round_trip);
        let survey = self.survey.as_mut().filter(|survey| survey.addr == from)?;
        for route in page.iter().filter(|route| route.delay != NOWHERE) {
            let by_it = route.delay.saturating_add(half);
            survey.gain += match self.members.get(&route.id).map(|member| member.way) {
                Some(Some((now, _))) if now > by_it => u64::from(now - by_it) * 1_000 / u64::from(now),
                Some(Some(_)) | None => 0,
                Some(None) => 1_000,
            };
        }
        if let Some(last) = page.last()
            && page.len() == ROUTES
        {
            survey.after = last.id;
            return None;
        }
        let gain = survey.gain;
        self.survey = None;
        Some(gain > (self.members.len() / SHARE).max(1) as u64 * 1_000)
    }

    /// Some of those who are there.
    pub(crate) fn some(&self, but: SocketAddr, rng: &mut Rng) -> Vec<Known> {
        let known = |(id, member): (&MemberId, &Member)| Known { id: *id, addr: member.addr, age: 0 };
        let mut others: Vec<_> = self.members.iter().map(known).filter(|known| known.addr != but).collect();
        rng.shuffle(&mut others);
        others.truncate(SAMPLE);
        others
    }

    /// Neighbours that told nothing for so long.
    pub(crate) fn quiet(&self, span: Duration, now: Instant) -> Vec<SocketAddr> {
        let quiet = self.neighbours.iter().filter(|neighbour| now.since(neighbour.heard) >= span);
        quiet.map(|neighbour| neighbour.addr).collect()
    }

    /// Somebody who is no neighbour.
    pub(crate) fn stranger(&self, rng: &mut Rng) -> Option<SocketAddr> {
        let strangers = self.members.values().filter(|member| !self.is_neighbour(member.addr));
        let strangers: Vec<_> = strangers.map(|member| member.addr).collect();
        rng.choose(&strangers).copied()
    }

    /// Somebody who may be in another part of a mesh that fell apart.
    pub(crate) fn cut_off(&self, rng: &mut Rng, now: Instant) -> Option<SocketAddr> {
        let silent = self.members.values().filter(|member| now.since(member.heard) >= CUT_OFF);
        let silent: Vec<_> = silent.map(|member| member.addr).collect();
        rng.choose(&silent).copied()
    }

    /// The neighbour that is of least use, to us and to itself, if that is next to none; those that are needed excepted.
    pub(crate) fn useless(&self, needed: &[SocketAddr], now: Instant) -> Option<SocketAddr> {
        let old = self.neighbours.iter().filter(|neighbour| now.since(neighbour.since) >= TRIAL);
        let unneeded = old.filter(|neighbour| !needed.contains(&neighbour.addr));
        // Both ends are to agree: the larger of what each has of it counts.
        let uses = unneeded.map(|neighbour| (self.uses(neighbour.addr).max(neighbour.uses), neighbour.addr));
        uses.min().filter(|(uses, _)| usize::from(*uses) * SHARE < self.members.len()).map(|(_, addr)| addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOP: Duration = Duration::from_millis(20);

    fn addr(host: u64) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host as u8], 1))
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn route(id: u64, number: u32, delay: u16) -> Route {
        Route { id: MemberId(id), addr: addr(id), number, delay }
    }

    /// Members of a mesh, who tell each other once a second.
    struct Net(Vec<Mesh>);

    impl Net {
        fn new(members: u64, links: &[(u64, u64)]) -> Self {
            let mut net = Self((0..members).map(|id| Mesh::new(MemberId(id), id == 0)).collect());
            for (a, b) in links {
                net.0[*a as usize].link((MemberId(*b), addr(*b)), 0, HOP, at(0));
                net.0[*b as usize].link((MemberId(*a), addr(*a)), 0, HOP, at(0));
            }
            net
        }

        fn tell(&mut self, now: Instant) {
            for from in 0..self.0.len() {
                self.0[from].refresh(now);
                for to in 0..self.0.len() {
                    let (uses, routes) = self.0[from].told_to(addr(to as u64));
                    let source = self.0[from].source();
                    self.0[to].hear(addr(from as u64), source, uses, &routes, now);
                }
            }
        }

        fn way(&self, from: usize, to: u64) -> Option<(u16, SocketAddr)> {
            self.0[from].members.get(&MemberId(to))?.way
        }
    }

    #[test]
    fn shortest_ways() {
        let mut net = Net::new(5, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]);
        (1..6).for_each(|second| net.tell(at(second)));
        assert_eq!(net.way(2, 0), Some((20, addr(1))));
        assert_eq!(net.way(3, 0), Some((20, addr(4))));
        let best: Vec<_> = net.0[2].to_source().collect();
        assert_eq!(best, [(20, addr(1)), (30, addr(3))]);
    }

    /// Whoever is gone is nowhere after two of its refreshes did not come, however many tell each other of it.
    #[test]
    fn no_way_leads_in_a_circle_for_long() {
        let mut net = Net::new(5, &[(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)]);
        (1..6).for_each(|second| net.tell(at(second)));
        assert_eq!(net.way(4, 0).map(|(delay, _)| delay), Some(30));
        net.0[0].neighbours.clear();
        assert!(net.0[1].unlink(addr(0)));
        (6..80).for_each(|second| net.tell(at(second)));
        assert!((1..5).all(|from| net.way(from, 0).is_none()));
        assert!((1..5).all(|from| !net.0[from].members.contains_key(&MemberId(0))));
        assert!((1..5).all(|from| net.way(from, 1 + from as u64 % 4).is_some()));
    }

    #[test]
    fn what_a_link_is_good_for() {
        let mut chain = Net::new(8, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)]);
        (1..12).for_each(|second| chain.tell(at(second)));
        let page = chain.0[0].page(MemberId(0));
        assert_eq!(page.len(), 7);
        let end = &mut chain.0[7];
        end.survey = Some(Survey::new(addr(0)));
        assert_eq!(end.surveyed(addr(0), &page, HOP), Some(true), "the ends of a chain");
        end.survey = Some(Survey::new(addr(0)));
        assert_eq!(end.surveyed(addr(0), &page, HOP * 20), Some(false), "a long way is of no use");
        assert_eq!(end.useless(&[], at(60)), None, "all ways lead over its only neighbour");
    }

    #[test]
    fn strangers_are_bounded() {
        let mut mesh = Mesh::new(MemberId(1), false);
        mesh.link((MemberId(2), addr(2)), 0, HOP, at(0));
        let many: Vec<_> = (3..10_000).map(|id| route(id, 1, 5)).collect();
        assert!(mesh.hear(addr(2), None, 0, &many, at(1)));
        assert_eq!(mesh.members.len(), MOST_MEMBERS);
        assert!(!mesh.hear(addr(3), None, 0, &many, at(1)), "no neighbour");
        mesh.refresh(at(100));
        assert!(mesh.members.is_empty() && mesh.neighbours.is_empty());
    }
}
