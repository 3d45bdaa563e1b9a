//! Which parent is the best one of those that are known of, and when it is worth to change for a better one.

use super::{Context, Esm, State};
use crate::member::questions::{Purpose, UNKNOWN};
use crate::view::Acquaintance;
use crate::wire::{DEEPEST, Place, TreeStatus};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// How often a nearer parent is looked for in a tree.
pub(super) const BETTER: Duration = Duration::from_secs(6);
/// A parent is changed for one that is nearer by so many milliseconds at least, and a twentieth of the delay.
const GAIN: u32 = 10;
/// What a hop costs beside its way, in milliseconds: a tree is not to grow deep for the sake of a few of them.
const HOP: u32 = 5;
/// Trees that are deeper serve, should there be nothing else.
const DEEP: u32 = 6;
/// What it is worth to be the child of who has more room, in milliseconds for each child up to four, to who passes
/// nothing on in the tree: so that many give a little.
const ROOMY: u32 = 12;

/// How often the way to a parent counts beside its delay where it is a LAN's.
const DETOUR: u32 = 3;

/// What it costs to ask who has no room.
const CROWDED: u32 = 1_000;
/// What it costs, in milliseconds, that somebody else is sent away who passes nothing on: it is without the tree until it
/// has another place.
const DISPLACES: u32 = 25;

/// What another parent may cost at most for it to be worth to change from one that costs so much.
fn limit(current: u32) -> Option<u32> {
    current.checked_sub(GAIN.max(current / 20))
}

/// Whether a child that has a parent gains nothing by one at this place.
pub(super) fn is_beyond(place: &Place, within: u16, has_mesh: bool) -> bool {
    let far = if has_mesh { place.delay.into() } else { cost(place.delay, place.path.len()) };
    within < u16::MAX && far > within.into()
}

/// Whether it is worth to change from a parent that costs so much to another one.
pub(super) fn is_better(other: u32, current: u32) -> bool {
    limit(current).is_some_and(|limit| other <= limit)
}

/// What it costs to be so many milliseconds and hops from the source.
fn cost(delay: u16, depth: usize) -> u32 {
    let depth = u32::try_from(depth).unwrap_or(u32::MAX);
    u32::from(delay) + HOP * depth + 100 * depth.saturating_sub(DEEP)
}

impl Esm {
    /// What it would cost to be a child in a tree, and whether we would be taken.
    fn offer(
        &self,
        known: &Acquaintance,
        status: TreeStatus,
        (native, urgent): (bool, bool),
        now: Instant,
    ) -> Option<u32> {
        let took = known.round_trip.unwrap_or(UNKNOWN);
        let distance = u16::try_from(took.as_millis()).unwrap_or(u16::MAX);
        let has_room = status.room > 0 || native && distance < status.far || urgent;
        if !has_room || usize::from(status.depth) + 1 >= DEEPEST {
            return None;
        }
        let cost = self.price(status.delay.saturating_add(distance / 2), usize::from(status.depth) + 1, took);
        let full = if native { 0 } else { 4 - u32::from(status.room.min(4)) };
        // Who is full takes nobody but for another one, so who has room is asked first, if only in other trees.
        let crowded = match (status.room, native && distance < status.far) {
            (0, true) if status.far == u16::MAX => DISPLACES,
            (0, false) if known.has_room(now) => CROWDED,
            (0, false) => 2 * CROWDED,
            _ => 0,
        };
        Some(cost + ROOMY * full + crowded)
    }

    /// What the way to a parent costs beside its delay, for whoever fetches the stream for a LAN: three times as much, so
    /// that LANs have it from LANs nearby, and links far away carry it once.
    fn detour(&self, round_trip: Duration) -> u32 {
        if self.lan.is_some() { (round_trip.as_millis() / 2) as u32 * DETOUR } else { 0 }
    }

    /// How far from the source whoever is asked to be a nearer parent may be, hops counted in: what it said of itself may
    /// be long ago, and who takes us as a child sends symbols before we can tell it that it is not needed.
    pub(super) fn within(&self, asked: SocketAddr, tree: u8) -> u16 {
        let State::Live(live) = &self.state else { return u16::MAX };
        let at = &live.trees[usize::from(tree)];
        let is_asked = at.bettering == Some(asked);
        let parent = at.parent.as_ref().filter(|parent| is_asked && !parent.moves && !parent.doubted);
        let Some(parent) = parent else { return u16::MAX };
        let current = self.price(parent.delay(), parent.place.path.len(), parent.round_trip);
        let took = self.view.get(asked).and_then(|known| known.round_trip).unwrap_or(UNKNOWN);
        let half = took.as_millis() as u32 / 2;
        let way = half + if self.has_mesh() { 0 } else { self.detour(took) };
        let within = limit(current).unwrap_or(0).saturating_sub(way);
        u16::try_from(within).unwrap_or(u16::MAX).min(u16::MAX - 1)
    }

    /// What a parent costs by which we are so many milliseconds and hops from the source. A mesh has no say in hops.
    pub(super) fn price(&self, delay: u16, depth: usize, round_trip: Duration) -> u32 {
        if self.has_mesh() { delay.into() } else { cost(delay, depth) + self.detour(round_trip) }
    }

    /// Who could be our parent in a tree, nearest to the source first.
    pub(super) fn candidates(&self, tree: u8, native: bool, urgent: bool, now: Instant) -> Vec<SocketAddr> {
        let mut found = self.offers(tree, native, urgent, now);
        found.sort_unstable();
        found.into_iter().map(|(_, addr)| addr).collect()
    }

    fn offers(&self, tree: u8, native: bool, urgent: bool, now: Instant) -> Vec<(u32, SocketAddr)> {
        if let Some(offers) = self.mesh_offers(tree, now) {
            return offers;
        }
        let State::Live(live) = &self.state else { return Vec::new() };
        let at = &live.trees[usize::from(tree)];
        self.view
            .fresh(now)
            .filter(|known| known.shunned <= now && !self.is_near(known.addr, now))
            .filter(|known| at.children.iter().all(|child| child.addr != known.addr))
            .filter_map(|known| {
                let status = known.status(tree, now)?;
                Some((self.offer(known, status, (native, urgent), now)?, known.addr))
            })
            .collect()
    }

    /// Looks for a nearer parent in one tree after the other.
    pub(super) fn better_parents(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        if live.next_better > now || live.source.is_some() || live.leaving.is_some() {
            return;
        }
        let trees = live.trees.len();
        live.next_better = now + (BETTER / 2 + cx.rng().phase(BETTER)) / trees as u32;
        // Below 64.
        let tree = cx.rng().index(trees) as u8;
        let Some(live) = self.live() else { return };
        let at = &live.trees[usize::from(tree)];
        let (Some(parent), None) = (&at.parent, at.bettering) else { return };
        if parent.rests || parent.moves {
            return;
        }
        let (depth, addr) = (parent.place.path.len(), parent.addr);
        let (delay, took) = (parent.delay(), parent.round_trip);
        let current = self.price(delay, depth, took);
        let mut offers = self.offers(tree, self.is_native(tree), false, now);
        offers.retain(|(_, other)| *other != addr);
        let Some((by_it, best)) = offers.into_iter().min() else { return };
        if !is_better(by_it, current) {
            return;
        }
        if let Some(live) = self.live() {
            live.trees[usize::from(tree)].bettering = Some(best);
        }
        let ask = self.adopt_me(best, tree, now);
        self.ask(best, ask, Purpose::Better(tree), cx);
    }

    /// Who might be a better parent, but has not said for a while how it is: a parent's parent, or who was near the source
    /// when it said so last.
    pub(super) fn promising(&mut self, cx: &mut Context<'_>) -> Option<SocketAddr> {
        let now = cx.now();
        let State::Live(live) = &self.state else { return None };
        let tree = cx.rng().index(live.trees.len());
        let parent = live.trees[tree].parent.as_ref()?;
        let is_fresh = |addr| self.view.get(addr).is_some_and(|known| !known.is_stale(now));
        let above = parent.place.above.filter(|above| !is_fresh(*above));
        if let Some(above) = above
            && let [.., grandparent, _] = parent.place.path[..]
        {
            self.view.note(grandparent, above, now);
            return Some(above);
        }
        let current = self.price(parent.delay(), parent.place.path.len(), parent.round_trip);
        let promises = |known: &Acquaintance| {
            let (_, trees) = known.status.as_ref()?;
            let status = trees.get(tree)?;
            let half = known.round_trip?.as_millis() as u32 / 2;
            let cost = u32::from(status.delay) + half + HOP * (u32::from(status.depth) + 1);
            let cost = cost + self.detour(known.round_trip?);
            (cost + GAIN < current).then_some((cost, known.addr))
        };
        let stale = self.view.iter().filter(|known| known.is_stale(now) && known.shunned <= now);
        stale.filter_map(promises).min().map(|(_, addr)| addr)
    }
}
