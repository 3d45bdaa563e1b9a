//! Whom a member gets symbols from: how parents are found, doubted, lost and bettered.

use super::{Context, Esm, Live, State};
use crate::api::Event;
use crate::member::questions::{Purpose, UNKNOWN};
use crate::member::tree::{Parent, Seek, Tree};
use crate::member::witness::Brought;
use crate::view::Acquaintance;
use crate::wire::{AsChild, Ask, DEEPEST, Known, MemberId, Place, Refusal, Tell, TreeStatus};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// Who refused is not asked again for so long.
const SHUNNED: Duration = Duration::from_secs(2);
/// How often a nearer parent is looked for in a tree.
const BETTER: Duration = Duration::from_secs(6);
/// A parent is changed for one that is nearer by so many milliseconds at least, and a twentieth of the delay.
const GAIN: u32 = 10;
/// A parent that is silent for so long is asked whether it is there, though the stream may have paused.
const SILENT: Duration = Duration::from_secs(3);
/// While the stream flows, a parent is doubted after this much silence at least.
const DOUBT: Duration = Duration::from_millis(150);
const DOUBT_IN_LAN: Duration = Duration::from_millis(200);
/// What a parent sent that is none any more is under way for so long at most.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// Members that are asked how they are at once where no parent is known of.
const PROBES: usize = 6;
/// Without luck for so many rounds, whoever has upload left is asked, in any tree.
const URGENT: u8 = 3;
/// Without luck for so many rounds there is no room for all: what there is of the stream is given out.
const IN_VAIN: u8 = 10;
/// Members that are asked at once to be the parent in a tree.
const AT_ONCE: usize = 2;
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

/// What it costs to be so many milliseconds and hops from the source.
fn cost(delay: u16, depth: usize) -> u32 {
    let depth = u32::try_from(depth).unwrap_or(u32::MAX);
    u32::from(delay) + HOP * depth + 100 * depth.saturating_sub(DEEP)
}

impl Live {
    /// Each parent once, and the trees in which it is one, bit by bit.
    pub(super) fn parents(&self) -> Vec<(SocketAddr, u64)> {
        let mut parents: Vec<(SocketAddr, u64)> = Vec::new();
        for (at, tree) in self.trees.iter().enumerate() {
            let Some(parent) = &tree.parent else { continue };
            match parents.iter_mut().find(|(addr, _)| *addr == parent.addr) {
                Some((_, trees)) => *trees |= 1 << at,
                None => parents.push((parent.addr, 1 << at)),
            }
        }
        parents
    }
}

impl Tree {
    /// When the parent is to be doubted if it is silent until then.
    pub(super) fn doubt_at(&self, is_island: bool) -> Option<Instant> {
        let parent = self.parent.as_ref().filter(|parent| !parent.doubted)?;
        // Whoever feeds a LAN says so no more while it doubts, and others take its part.
        let least = if is_island { DOUBT_IN_LAN } else { DOUBT };
        // Who rests says where it is, no more.
        let silence = if parent.rests {
            2 * SILENT
        } else {
            ((self.pause * 3 / 2).max(least) * (1 << parent.answered.min(6))).min(SILENT)
        };
        Some(parent.heard + silence)
    }
}

impl Esm {
    /// What is asked of a parent to be.
    pub(super) fn adopt_me(&mut self, to: SocketAddr, tree: u8, now: Instant) -> Ask {
        let token = self.tokens.of(to, now);
        let (flow, island) = (self.flow(tree), self.lan.is_some());
        let distance = self.view.get(to).and_then(|known| known.round_trip);
        let distance = distance.map_or(u16::MAX, |took| u16::try_from(took.as_millis()).unwrap_or(u16::MAX));
        let Some(live) = self.live() else { return Ask::Probe };
        let at = usize::from(tree);
        let spare = if live.own == at { u8::try_from(live.room(at)).unwrap_or(u8::MAX) } else { 0 };
        let native = live.own == at && live.copies > 0;
        let urgent = live.trees[at].seek.as_ref().is_some_and(|seek| seek.rounds >= URGENT);
        let claim = live.claim(Some(at));
        let orphan = live.trees[at].parent.as_ref().is_none_or(|parent| parent.doubted);
        let as_child = AsChild { native, spare, claim, distance, urgent, orphan, island };
        Ask::Adopt { tree, token, as_child, flow }
    }

    /// Looks for a parent in every tree that has none.
    pub(super) fn seek_all(&mut self, cx: &mut Context<'_>) {
        let Some(live) = self.live() else { return };
        if live.source.is_some() || live.leaving.is_some() {
            return;
        }
        for tree in 0..live.trees.len() {
            // Below 64.
            self.seek(tree as u8, cx);
        }
    }

    /// We were cut off: that nobody was found meanwhile says nothing of how many there are.
    pub(super) fn seek_anew(&mut self, now: Instant) {
        let Some(live) = self.live() else { return };
        for seek in live.trees.iter_mut().filter_map(|tree| tree.seek.as_mut()) {
            (seek.rounds, seek.next) = (0, now);
        }
    }

    pub(super) fn seek(&mut self, tree: u8, cx: &mut Context<'_>) {
        let now = cx.now();
        if !self.wants_parent(tree, now) {
            return;
        }
        // A stand-by has time.
        let pause = if self.is_fed_by_group(tree.into(), now) { BETTER } else { UNKNOWN / 2 };
        let State::Live(live) = &mut self.state else { return };
        let at = &mut live.trees[usize::from(tree)];
        if !at.is_unsettled() {
            at.seek = None;
            return;
        }
        let seek = at.seek.get_or_insert(Seek { asked: Vec::new(), next: now, rounds: 0 });
        let (open, due, urgent) = (seek.asked.len(), seek.next <= now, seek.rounds >= URGENT);
        // Where many find nothing for long, asking them all again and again would be most of what is sent.
        let pause = pause * (1 << seek.rounds.saturating_sub(IN_VAIN).min(4));
        if open >= AT_ONCE || !due && urgent {
            return;
        }
        let current = at.parent.as_ref().map(|parent| parent.addr);
        let at_above = at.above.filter(|_| current.is_none());
        if let Some(addr) = current
            && seek.rounds >= URGENT
            && due
        {
            // Nobody else has room: whoever sent us away is asked to keep us.
            seek.next = now + pause;
            self.stay(tree, addr, cx);
            return;
        }
        let mut candidates = self.candidates(tree, self.is_native(tree), urgent, now);
        // Who lost a child as we lost a parent has room, or finds out that it has.
        let above = at_above.filter(|addr| self.view.get(*addr).is_none_or(|known| known.shunned <= now));
        if let Some(above) = above {
            candidates.retain(|addr| *addr != above);
            candidates.insert(0, above);
        }
        let State::Live(live) = &mut self.state else { return };
        let Some(seek) = &mut live.trees[usize::from(tree)].seek else { return };
        candidates.retain(|addr| !seek.asked.contains(addr) && Some(*addr) != current);
        if candidates.is_empty() {
            if due && open == 0 {
                seek.rounds = seek.rounds.saturating_add(1);
                seek.next = now + pause / 2 + cx.rng().phase(pause);
                self.probe_some(PROBES, cx);
            }
            return;
        }
        candidates.truncate(AT_ONCE - open);
        if due {
            seek.rounds = seek.rounds.saturating_add(1);
            seek.next = now + pause / 2 + cx.rng().phase(pause);
        }
        seek.asked.extend_from_slice(&candidates);
        for to in candidates {
            let ask = self.adopt_me(to, tree, now);
            self.ask(to, ask, Purpose::Adopt(tree), cx);
        }
    }

    /// Whether we pass symbols on in this tree, and so go before those that do not.
    pub(super) fn is_native(&self, tree: u8) -> bool {
        matches!(&self.state, State::Live(live) if live.own == usize::from(tree) && live.copies > 0)
    }

    /// What it would cost to be a child in a tree, and whether we would be taken.
    fn offer(&self, known: &Acquaintance, status: TreeStatus, (native, urgent): (bool, bool)) -> Option<u32> {
        let took = known.round_trip.unwrap_or(UNKNOWN);
        let distance = u16::try_from(took.as_millis()).unwrap_or(u16::MAX);
        let has_room = status.room > 0 || native && distance < status.far || urgent;
        if !has_room || usize::from(status.depth) + 1 >= DEEPEST {
            return None;
        }
        let cost = cost(status.delay.saturating_add(distance / 2), usize::from(status.depth) + 1);
        let cost = cost + self.detour(took);
        let full = if native { 0 } else { 4 - u32::from(status.room.min(4)) };
        // Who is full takes nobody but for another one, so who has room is asked first.
        let crowded = if status.room > 0 || native && distance < status.far { 0 } else { CROWDED };
        Some(cost + ROOMY * full + crowded)
    }

    /// What the way to a parent costs beside its delay, for whoever fetches the stream for a LAN: three times as much, so
    /// that LANs have it from LANs nearby, and links far away carry it once.
    fn detour(&self, round_trip: Duration) -> u32 {
        if self.lan.is_some() { (round_trip.as_millis() / 2) as u32 * DETOUR } else { 0 }
    }

    /// Who could be our parent in a tree, nearest to the source first.
    fn candidates(&self, tree: u8, native: bool, urgent: bool, now: Instant) -> Vec<SocketAddr> {
        let mut found = self.offers(tree, native, urgent, now);
        found.sort_unstable();
        found.into_iter().map(|(_, addr)| addr).collect()
    }

    fn offers(&self, tree: u8, native: bool, urgent: bool, now: Instant) -> Vec<(u32, SocketAddr)> {
        let State::Live(live) = &self.state else { return Vec::new() };
        let at = &live.trees[usize::from(tree)];
        self.view
            .iter()
            .filter(|known| known.shunned <= now && !self.is_near(known.addr, now))
            .filter(|known| at.children.iter().all(|child| child.addr != known.addr))
            .filter_map(|known| {
                let status = known.status(tree, now)?;
                Some((self.offer(known, status, (native, urgent))?, known.addr))
            })
            .collect()
    }

    pub(super) fn adopted(
        &mut self,
        tree: u8,
        (id, addr): (MemberId, SocketAddr),
        place: Place,
        better: bool,
        cx: &mut Context<'_>,
    ) {
        let (me, now) = (self.me, cx.now());
        let round_trip = self.view.get(addr).and_then(|known| known.round_trip).unwrap_or(UNKNOWN);
        let rests = self.rests(tree);
        let is_unwanted = !self.wants_parent(tree, now) || self.leads_through_us(&place.path, now);
        let Some(live) = self.live() else { return };
        let Some(at) = live.trees.get_mut(usize::from(tree)) else { return };
        if let Some(seek) = &mut at.seek {
            seek.asked.retain(|asked| *asked != addr);
        }
        at.bettering = at.bettering.filter(|asked| *asked != addr);
        if at.parent.as_ref().is_some_and(|parent| parent.doubted && !parent.moves && parent.addr != addr)
            && !better
            && at.reserve.is_none()
            && !is_unwanted
            && !place.path.contains(&me)
        {
            // The parent may answer yet: a stream that pauses is no reason to shuffle the tree.
            at.reserve = Some((id, addr, place));
            return;
        }
        let is_loop = is_unwanted || place.path.contains(&me);
        let former = match &at.parent {
            _ if is_loop => Some(addr),
            // Two were asked at once, and the first one to answer serves; or the parent that was silent is there after all.
            Some(parent) if !better && !parent.doubted && !parent.moves && parent.addr != addr => Some(addr),
            Some(parent) if parent.addr != addr => Some(parent.addr),
            Some(_) | None => None,
        };
        if former != Some(addr) {
            let moves = at.parent.as_ref().is_some_and(|parent| parent.moves && parent.addr == addr);
            let (heard, doubted, answered) = (now, false, 0);
            let brought = at
                .parent
                .as_ref()
                .filter(|parent| parent.addr == addr)
                .map_or_else(|| Brought::new(now), |parent| parent.brought);
            at.parent =
                Some(Parent { id, addr, place, round_trip, heard, doubted, answered, rests, brought, moves });
            at.seek = None;
            cx.tell(Event::Parent { tree, parent: Some(addr) });
        }
        if let Some(former) = former {
            at.leaves(former, now + UNDER_WAY);
            self.tell_known(former, Tell::Gone { trees: 1 << tree }, cx);
        }
        self.tell_place(tree.into(), cx);
        self.tell_lan(cx);
        self.joined(cx);
        self.repair(cx);
    }

    /// Ends the join once there is a parent in every tree, or in some, and none to be had in the others.
    pub(super) fn joined(&mut self, cx: &mut Context<'_>) {
        let State::Live(live) = &self.state else { return };
        if live.joining.is_none() {
            return;
        }
        let feeds = self.feeds(cx.now());
        let in_vain = |at: usize| live.trees[at].seek.as_ref().is_some_and(|seek| seek.rounds >= IN_VAIN);
        let is_settled = feeds.iter().enumerate().all(|(at, feeds)| *feeds || in_vain(at));
        if is_settled
            && feeds.contains(&true)
            && let Some(live) = self.live()
            && let Some(op) = live.joining.take()
        {
            cx.finish(op, Ok(()));
        }
    }

    pub(super) fn refused(&mut self, tree: u8, by: SocketAddr, why: Refusal, cx: &mut Context<'_>) {
        let now = cx.now();
        let is_above = matches!(&self.state, State::Live(live)
            if live.trees.get(usize::from(tree)).is_some_and(|at| at.above == Some(by)));
        if let Some(known) = self.view.get_mut(by) {
            known.shunned = now + if is_above { SHUNNED / 4 } else { SHUNNED };
            if why == Refusal::Leaving {
                self.view.forget(by, now);
            }
        }
        self.turned_down(tree, by, cx);
    }

    /// Whoever was asked is not our parent.
    pub(super) fn turned_down(&mut self, tree: u8, by: SocketAddr, cx: &mut Context<'_>) {
        let Some(live) = self.live() else { return };
        let Some(at) = live.trees.get_mut(usize::from(tree)) else { return };
        at.bettering = at.bettering.filter(|asked| *asked != by);
        if let Some(seek) = &mut at.seek {
            seek.asked.retain(|asked| *asked != by);
        }
        if at.is_unsettled() {
            self.seek(tree, cx);
        }
        self.joined(cx);
    }

    /// A parent says where it is.
    pub(super) fn placed(&mut self, peer: SocketAddr, tree: u8, place: Place, cx: &mut Context<'_>) {
        let (me, now) = (self.me, cx.now());
        let leads_here = self.leads_through_us(&place.path, now);
        let Some(live) = self.live() else { return };
        let Some(at) = live.trees.get_mut(usize::from(tree)) else { return };
        match &mut at.parent {
            Some(parent) if parent.addr == peer => {
                parent.heard = now;
                parent.doubted = false;
                let moved = parent.place.path != place.path;
                if moved {
                    // Who lied may be above it no more.
                    parent.brought = Brought::new(now);
                }
                let is_loop = leads_here || place.path.contains(&me);
                parent.place = place;
                if is_loop {
                    // Two members chose each other's descendants at the same time: both let go.
                    self.lost(tree, peer, cx);
                    self.tell_known(peer, Tell::Gone { trees: 1 << tree }, cx);
                } else if moved {
                    self.tell_place(tree.into(), cx);
                }
            }
            // It takes us for its child.
            _ => self.tell_known(peer, Tell::Gone { trees: 1 << tree }, cx),
        }
    }

    /// The parent wants us to find another one, and goes on meanwhile.
    pub(super) fn sent_away(&mut self, peer: SocketAddr, tree: u8, to: Option<Known>, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        let Some(at) = live.trees.get_mut(usize::from(tree)) else { return };
        if at.parent.as_ref().is_none_or(|parent| parent.addr != peer) {
            return;
        }
        if let Some(known) = self.view.get_mut(peer) {
            known.shunned = now + SHUNNED;
        }
        let me = self.me;
        let Some(live) = self.live() else { return };
        let at = &mut live.trees[usize::from(tree)];
        if let Some(parent) = &mut at.parent {
            parent.moves = true;
        }
        if let Some(to) = to.filter(|to| to.id != me && to.addr != peer) {
            at.seek = Some(Seek { asked: [to.addr].into(), next: now, rounds: 0 });
            self.view.note(to.id, to.addr, now);
            let ask = self.adopt_me(to.addr, tree, now);
            self.ask(to.addr, ask, Purpose::Adopt(tree), cx);
        }
        self.seek(tree, cx);
    }

    /// Asks parents that are silent whether they are there.
    pub(super) fn doubt_the_silent(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let is_island = self.lan.is_some();
        let Some(live) = self.live() else { return };
        let mut doubted = Vec::new();
        for (tree, at) in (0_u8..).zip(&mut live.trees) {
            let is_silent = at.doubt_at(is_island).is_some_and(|at| at <= now);
            if let Some(parent) = &mut at.parent
                && is_silent
            {
                parent.doubted = true;
                doubted.push((tree, parent.addr, parent.round_trip, parent.rests));
            }
        }
        if !doubted.is_empty() {
            self.tell_lan(cx);
        }
        for (tree, addr, round_trip, rests) in doubted {
            let patience = round_trip * 5 / 4 + DOUBT / 4;
            let ask = self.adopt_me(addr, tree, now);
            self.ask_within(addr, ask, Purpose::Doubt(tree), Some(patience), cx);
            if rests {
                continue;
            }
            // Our children hear nothing either: it is for us to find out why.
            self.tell_place(tree.into(), cx);
            // Meanwhile others are asked, who are sent away again should the parent answer first.
            let mut others = self.candidates(tree, self.is_native(tree), false, now);
            others.retain(|other| *other != addr);
            for other in others.into_iter().take(AT_ONCE) {
                let ask = self.adopt_me(other, tree, now);
                self.ask(other, ask, Purpose::Adopt(tree), cx);
            }
        }
    }

    /// Asks a parent that sent us away to keep us.
    fn stay(&mut self, tree: u8, parent: SocketAddr, cx: &mut Context<'_>) {
        let ask = self.adopt_me(parent, tree, cx.now());
        self.ask(parent, ask, Purpose::Doubt(tree), cx);
    }

    /// The parent is there: whoever was to take its place is not needed.
    fn no_reserve(&mut self, tree: u8, cx: &mut Context<'_>) {
        let now = cx.now();
        let at = self.live().and_then(|live| live.trees.get_mut(usize::from(tree)));
        if let Some(at) = at
            && let Some((_, addr, _)) = at.reserve.take()
        {
            at.leaves(addr, now + UNDER_WAY);
            self.tell_known(addr, Tell::Gone { trees: 1 << tree }, cx);
        }
    }

    /// A parent keeps us.
    pub(super) fn stays(&mut self, tree: u8, by: SocketAddr, cx: &mut Context<'_>) {
        self.no_reserve(tree, cx);
        let Some(live) = self.live() else { return };
        if let Some(at) = live.trees.get_mut(usize::from(tree))
            && let Some(parent) = &mut at.parent
            && parent.addr == by
        {
            parent.moves = false;
            parent.answered += 1;
            at.seek = None;
        }
    }

    /// Whether a parent sent a symbol, or said something, since.
    pub(super) fn was_fed(&self, tree: u8, parent: SocketAddr, since: Instant) -> bool {
        let State::Live(live) = &self.state else { return false };
        let at = live.trees.get(usize::from(tree)).and_then(|at| at.parent.as_ref());
        at.is_some_and(|at| at.addr == parent && at.heard > since)
    }

    /// A parent that was doubted answered.
    pub(super) fn trusted(&mut self, tree: u8, by: SocketAddr, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        if let Some(Some(parent)) = live.trees.get_mut(usize::from(tree)).map(|at| at.parent.as_mut())
            && parent.addr == by
        {
            parent.doubted = false;
            parent.answered += 1;
            parent.heard = now;
        }
        self.no_reserve(tree, cx);
    }

    /// A parent does not do as it should: it is told so, and not asked again for a while.
    pub(super) fn leave_parent(
        &mut self,
        tree: u8,
        parent: SocketAddr,
        shunned: Duration,
        cx: &mut Context<'_>,
    ) {
        let until = cx.now() + shunned;
        if let Some(known) = self.view.get_mut(parent) {
            known.shunned = until;
        }
        self.tell_known(parent, Tell::Gone { trees: 1 << tree }, cx);
        self.lost(tree, parent, cx);
    }

    /// There is no parent any more in a tree.
    pub(super) fn lost(&mut self, tree: u8, parent: SocketAddr, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        let Some(at) = live.trees.get_mut(usize::from(tree)) else { return };
        let Some(lost) = at.parent.take_if(|at| at.addr == parent) else { return };
        at.leaves(parent, now + UNDER_WAY);
        at.above = None;
        self.counts.lost_parents += 1;
        cx.tell(Event::Parent { tree, parent: None });
        self.tell_lan(cx);
        self.pace(cx);
        let State::Live(live) = &mut self.state else { return };
        if let Some((id, addr, place)) = live.trees[usize::from(tree)].reserve.take() {
            self.adopted(tree, (id, addr), place, false, cx);
            return;
        }
        // Its own parent lost a child, and knows who else is near.
        if let Some(above) = lost.place.above
            && let [.., grandparent, _] = lost.place.path[..]
            && grandparent != self.me
        {
            self.view.note(grandparent, above, cx.now());
            if let Some(live) = self.live() {
                live.trees[usize::from(tree)].above = Some(above);
            }
        }
        self.seek(tree, cx);
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
        let (delay, depth, addr) = (parent.delay(), parent.place.path.len(), parent.addr);
        let took = parent.round_trip;
        let current = cost(delay, depth) + self.detour(took);
        let mut offers = self.offers(tree, self.is_native(tree), false, now);
        offers.retain(|(_, other)| *other != addr);
        let Some((by_it, best)) = offers.into_iter().min() else { return };
        if by_it + GAIN.max(current / 20) > current {
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
        let current = cost(parent.delay(), parent.place.path.len()) + self.detour(parent.round_trip);
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
