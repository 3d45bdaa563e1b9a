//! Whom a member gets symbols from: how parents are found, doubted, lost and bettered.

use super::{Context, Esm, Live, State};
use crate::api::Event;
use crate::member::questions::{Purpose, UNKNOWN};
use crate::member::tree::{Parent, Seek};
use crate::wire::{Ask, DEEPEST, Known, MemberId, Place, Refusal, Tell};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// Who refused is not asked again for so long.
const SHUNNED: Duration = Duration::from_secs(2);
/// How often a nearer parent is looked for in a tree.
const BETTER: Duration = Duration::from_secs(6);
/// A parent is changed for one that is nearer by so many milliseconds at least, and a twentieth of the delay.
const GAIN: u16 = 10;
/// A parent that is silent for so long is asked whether it is there, though the stream may have paused.
const SILENT: Duration = Duration::from_secs(3);
/// While the stream flows, a parent is doubted after this much silence at least.
const DOUBT: Duration = Duration::from_millis(200);
/// What a parent sent that is none any more is under way for so long at most.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// Members that are asked how they are at once where no parent is known of.
const PROBES: usize = 6;
/// Without luck for so many rounds, whoever has upload left is asked, in any tree.
const URGENT: u8 = 3;

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

impl Esm {
    /// What is asked of a parent to be.
    pub(super) fn adopt_me(&mut self, to: SocketAddr, tree: u8, now: Instant) -> Ask {
        let token = self.tokens.of(to, now);
        let (me, flow) = (self.me, self.flow(tree));
        let Some(live) = self.live() else { return Ask::Probe };
        let own = live.own_tree(me) == usize::from(tree);
        let spare = if own { u8::try_from(live.copies).unwrap_or(u8::MAX) } else { 0 };
        let urgent = live.trees[usize::from(tree)].seek.as_ref().is_some_and(|seek| seek.rounds >= URGENT);
        Ask::Adopt { tree, token, spare, urgent, flow }
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

    pub(super) fn seek(&mut self, tree: u8, cx: &mut Context<'_>) {
        let now = cx.now();
        if !self.wants_parent(tree, now) {
            return;
        }
        // A stand-by has time.
        let pause = if self.is_fed_by_group(tree.into(), now) { BETTER } else { UNKNOWN / 2 };
        let State::Live(live) = &mut self.state else { return };
        let at = &mut live.trees[usize::from(tree)];
        if at.parent.is_some() {
            at.seek = None;
            return;
        }
        let seek = at.seek.get_or_insert(Seek { asked: Vec::new(), next: now, rounds: 0 });
        if !seek.asked.is_empty() {
            return;
        }
        let (due, urgent) = (seek.next <= now, seek.rounds >= URGENT);
        let mut candidates = self.candidates(tree, self.is_native(tree), urgent, now);
        let State::Live(live) = &mut self.state else { return };
        let Some(seek) = &mut live.trees[usize::from(tree)].seek else { return };
        if candidates.is_empty() {
            if due {
                seek.rounds = seek.rounds.saturating_add(1);
                seek.next = now + pause;
                self.probe_some(PROBES, cx);
            }
            return;
        }
        candidates.truncate(2);
        seek.rounds = seek.rounds.saturating_add(1);
        seek.next = now + UNKNOWN / 2;
        seek.asked.clone_from(&candidates);
        for to in candidates {
            let ask = self.adopt_me(to, tree, now);
            self.ask(to, ask, Purpose::Adopt(tree), cx);
        }
    }

    /// Whether we pass symbols on in this tree, and so go before those that do not.
    fn is_native(&self, tree: u8) -> bool {
        matches!(&self.state, State::Live(live) if live.own_tree(self.me) == usize::from(tree) && live.copies > 0)
    }

    /// Who could be our parent in a tree, nearest to the source first.
    fn candidates(&self, tree: u8, native: bool, urgent: bool, now: Instant) -> Vec<SocketAddr> {
        let State::Live(live) = &self.state else { return Vec::new() };
        let at = &live.trees[usize::from(tree)];
        let trees = live.trees.len() as u64;
        let mut found: Vec<(u32, SocketAddr)> = self
            .view
            .iter()
            .filter(|known| !self.is_near(known.addr, now))
            .filter(|known| known.shunned <= now && at.children.iter().all(|child| child.addr != known.addr))
            .filter_map(|known| {
                let status = known.status(tree, now)?;
                let passes_on = status.depth == 0 || known.id.0 % trees == u64::from(tree);
                let room = status.room > 0 || (native && passes_on) || urgent;
                let half = known.round_trip.map_or(UNKNOWN, |took| took).as_millis() as u32 / 2;
                (room && usize::from(status.depth) + 1 < DEEPEST)
                    .then_some((u32::from(status.delay) + half, known.addr))
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, addr)| addr).collect()
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
        let is_loop = is_unwanted || place.path.contains(&me);
        let former = match &at.parent {
            _ if is_loop => Some(addr),
            // Two were asked at once, and the first one to answer serves; or the parent that was silent is there after all.
            Some(parent) if !better && !parent.doubted && parent.addr != addr => Some(addr),
            Some(parent) if parent.addr != addr => Some(parent.addr),
            Some(_) | None => None,
        };
        if former != Some(addr) {
            at.former = former.map(|former| (former, now + UNDER_WAY));
            at.parent =
                Some(Parent { id, addr, place, round_trip, heard: now, doubted: false, rests, forged: 0 });
            at.seek = None;
            cx.tell(Event::Parent { tree, parent: Some(addr) });
        }
        if let Some(former) = former {
            self.tell_known(former, Tell::Gone { trees: 1 << tree }, cx);
        }
        self.tell_place(tree.into(), cx);
        self.tell_lan(cx);
        self.joined(cx);
        self.repair(cx);
    }

    /// Ends the join once there is a parent in every tree.
    pub(super) fn joined(&mut self, cx: &mut Context<'_>) {
        let State::Live(live) = &self.state else { return };
        if live.joining.is_none() {
            return;
        }
        if self.feeds(cx.now()).iter().all(|feeds| *feeds)
            && let Some(live) = self.live()
            && let Some(op) = live.joining.take()
        {
            cx.finish(op, Ok(()));
        }
    }

    pub(super) fn refused(&mut self, tree: u8, by: SocketAddr, why: Refusal, cx: &mut Context<'_>) {
        let now = cx.now();
        if let Some(known) = self.view.get_mut(by) {
            known.shunned = now + SHUNNED;
            if why == Refusal::Leaving {
                self.view.forget(by);
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
        if at.parent.is_none() {
            self.seek(tree, cx);
        }
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
        match to.filter(|to| to.id != self.me && to.addr != peer) {
            Some(to) => {
                self.view.note(to.id, to.addr, now);
                let ask = self.adopt_me(to.addr, tree, now);
                if let Some(live) = self.live() {
                    live.trees[usize::from(tree)].bettering = Some(to.addr);
                }
                self.ask(to.addr, ask, Purpose::Better(tree), cx);
            }
            None => self.lost(tree, peer, cx),
        }
    }

    /// Asks parents that are silent whether they are there.
    pub(super) fn doubt_the_silent(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        let mut doubted = Vec::new();
        for (tree, at) in (0_u8..).zip(&mut live.trees) {
            let silence = (at.pause * 3 / 2).clamp(DOUBT, SILENT);
            if let Some(parent) = &mut at.parent
                && !parent.doubted
                // Who rests says where it is, no more.
                && (!parent.rests || now.since(parent.heard) > 2 * SILENT)
                && now.since(parent.heard) > silence
            {
                parent.doubted = true;
                doubted.push((tree, parent.addr, parent.round_trip, parent.rests));
            }
        }
        if !doubted.is_empty() {
            self.tell_lan(cx);
        }
        for (tree, addr, round_trip, rests) in doubted {
            let patience = round_trip * 3 / 2 + DOUBT / 4;
            let ask = self.adopt_me(addr, tree, now);
            self.ask_within(addr, ask, Purpose::Doubt(tree), Some(patience), cx);
            if rests {
                continue;
            }
            // Meanwhile another one is asked, who is sent away again should the parent answer first.
            let others = self.candidates(tree, self.is_native(tree), false, now);
            if let Some(other) = others.into_iter().find(|other| *other != addr) {
                let ask = self.adopt_me(other, tree, now);
                self.ask(other, ask, Purpose::Adopt(tree), cx);
            }
        }
    }

    /// A parent that was doubted answered.
    pub(super) fn trusted(&mut self, tree: u8, by: SocketAddr, now: Instant) {
        let Some(live) = self.live() else { return };
        if let Some(Some(parent)) = live.trees.get_mut(usize::from(tree)).map(|at| at.parent.as_mut())
            && parent.addr == by
        {
            parent.doubted = false;
            parent.heard = now;
        }
    }

    /// There is no parent any more in a tree.
    pub(super) fn lost(&mut self, tree: u8, parent: SocketAddr, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        let Some(at) = live.trees.get_mut(usize::from(tree)) else { return };
        let Some(lost) = at.parent.take_if(|at| at.addr == parent) else { return };
        at.former = Some((parent, now + UNDER_WAY));
        self.counts.lost_parents += 1;
        cx.tell(Event::Parent { tree, parent: None });
        self.tell_lan(cx);
        // Its own parent lost a child, and knows who else is near.
        if let Some(above) = lost.place.above
            && let [.., grandparent, _] = lost.place.path[..]
            && grandparent != self.me
        {
            self.view.note(grandparent, above, cx.now());
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
        if parent.rests {
            return;
        }
        let (current, addr) = (parent.delay(), parent.addr);
        let Some(best) =
            self.candidates(tree, self.is_native(tree), false, now).into_iter().find(|best| *best != addr)
        else {
            return;
        };
        let Some(known) = self.view.get(best) else { return };
        let Some(status) = known.status(tree, now) else { return };
        let half =
            known.round_trip.map_or(u16::MAX, |took| u16::try_from(took.as_millis() / 2).unwrap_or(u16::MAX));
        let by_it = status.delay.saturating_add(half);
        if by_it.saturating_add(GAIN.max(current / 20)) > current {
            return;
        }
        if let Some(live) = self.live() {
            live.trees[usize::from(tree)].bettering = Some(best);
        }
        let ask = self.adopt_me(best, tree, now);
        self.ask(best, ask, Purpose::Better(tree), cx);
    }
}
