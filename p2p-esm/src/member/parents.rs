//! Whom a member gets symbols from: how parents come, say where they are, and go.

use super::{Context, Esm, Live, State};
use crate::api::Event;
use crate::member::choice::is_better;
use crate::member::questions::{Purpose, UNKNOWN};
use crate::member::seek::IN_VAIN;
use crate::member::stamps::Stamps;
use crate::member::tree::{Parent, Seek};
use crate::member::witness::Brought;
use crate::wire::{Known, MemberId, Place, Refusal, Tell};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, TOKEN_LIFE};

/// Who refused is not asked again for so long.
const SHUNNED: Duration = Duration::from_secs(2);
/// A parent gets another token after so long.
pub(super) const RENEWS: Duration = Duration::from_secs(TOKEN_LIFE.as_secs() / 2);
/// And once more after so long, should it not answer.
const RENEWS_AGAIN: Duration = Duration::from_secs(10);
/// What a parent sent that is none any more is under way for so long at most.
pub(super) const UNDER_WAY: Duration = Duration::from_secs(1);

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
    pub(super) fn adopted(
        &mut self,
        tree: u8,
        (id, addr): (MemberId, SocketAddr),
        (place, from): (Place, Option<u32>),
        better: bool,
        cx: &mut Context<'_>,
    ) {
        let (me, now) = (self.me, cx.now());
        let round_trip = self.view.get(addr).and_then(|known| known.round_trip).unwrap_or(UNKNOWN);
        let rests = self.rests(tree);
        let is_unwanted = !self.wants_parent(tree, now) || self.leads_through_us(&place.path, now);
        // It was chosen by what it said of itself, some time ago.
        let half = u16::try_from(round_trip.as_millis() / 2).unwrap_or(u16::MAX);
        let by_it = self.price(place.delay.saturating_add(half), place.path.len(), round_trip);
        let State::Live(live) = &self.state else { return };
        let current = live.trees.get(usize::from(tree)).and_then(|at| at.parent.as_ref());
        let is_worse = better
            && current.is_some_and(|parent| {
                let is_other = parent.addr != addr && !parent.moves && !parent.doubted;
                is_other
                    && !is_better(
                        by_it,
                        self.price(parent.delay(), parent.place.path.len(), parent.round_trip),
                    )
            });
        let Some(live) = self.live() else { return };
        let from = from.map(|from| live.playout.number(from));
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
        let is_refused = is_unwanted || is_worse || place.path.contains(&me);
        let former = match &at.parent {
            _ if is_refused => Some(addr),
            // Two were asked at once, and the first one to answer serves; or the parent that was silent is there after all.
            Some(parent) if !better && !parent.doubted && !parent.moves && parent.addr != addr => Some(addr),
            Some(parent) if parent.addr != addr => Some(parent.addr),
            Some(_) | None => None,
        };
        let is_where_it_was = |parent: &Parent| parent.place.path == place.path && parent.rests == rests;
        let moved = former != Some(addr) && !at.parent.as_ref().is_some_and(is_where_it_was);
        // Who is told to begin with a generation is waited for until then, and the former one sends what is before it.
        let hand_over = former
            .filter(|former| *former != addr)
            .zip(from)
            .map(|(former, from)| at.hands_over(former, from, now));
        if former != Some(addr) {
            if hand_over.is_none() {
                at.hand_over = None;
            }
            let begins = hand_over.map_or(now, |hand_over| hand_over.due);
            let moves = at.parent.as_ref().is_some_and(|parent| parent.moves && parent.addr == addr);
            let fed = at.parent.as_ref().filter(|parent| parent.addr == addr).and_then(|parent| parent.fed);
            let (heard, doubted, answered) = (begins, false, 0);
            let same = at.parent.as_ref().filter(|parent| parent.addr == addr);
            let (brought, stamps) = same.map_or_else(
                || (Brought::new(begins), Stamps::default()),
                |parent| (parent.brought, parent.stamps),
            );
            at.parent = Some(Parent {
                id,
                addr,
                place,
                round_trip,
                heard,
                fed,
                doubted,
                answered,
                rests,
                brought,
                stamps,
                moves,
                renews: now + RENEWS,
            });
            at.seek = None;
            cx.tell(Event::Parent { tree, parent: Some(addr) });
        }
        if let Some(former) = former {
            let ends = hand_over.map_or(now, |hand_over| hand_over.due);
            at.leaves(former, ends + UNDER_WAY);
            let tell = match from.filter(|_| hand_over.is_some()) {
                // The low 32 bits are what the wire has.
                Some(from) => Tell::Until { tree, generation: from as u32 },
                None => Tell::Gone { trees: 1 << tree },
            };
            self.tell_known(former, tell, cx);
        }
        if moved {
            self.tell_place(tree.into(), cx);
        }
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
        let is_settled = (0..live.trees.len()).all(|at| feeds >> at & 1 == 1 || in_vain(at));
        if is_settled
            && feeds != 0
            && let Some(live) = self.live()
            && let Some(op) = live.joining.take()
        {
            cx.finish(op, Ok(()));
        }
    }

    pub(super) fn refused(
        &mut self,
        tree: u8,
        by: SocketAddr,
        why: Refusal,
        instead: &[Known],
        cx: &mut Context<'_>,
    ) {
        let (me, now) = (self.me, cx.now());
        self.view.learn(instead, now);
        for known in instead {
            // What it refused before is no news.
            if let Some(known) = self.view.get_mut(known.addr) {
                known.shunned = known.shunned.min(now);
            }
        }
        if let Some(live) = self.live()
            && let Some(seek) = live.trees.get_mut(usize::from(tree)).and_then(|at| at.seek.as_mut())
        {
            seek.named = instead.iter().filter(|known| known.id != me).map(|known| known.addr).collect();
        }
        // It is asked again before all others, once it knows whether it has room.
        if why == Refusal::Soon
            && let Some(live) = self.live()
            && let Some(at) = live.trees.get_mut(usize::from(tree)).filter(|at| at.parent.is_none())
        {
            at.above = Some(by);
        }
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

    /// Parents that stay for long get another token: what they say is believed for that alone.
    pub(super) fn renew_tokens(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        let mut asked = Vec::new();
        for (tree, at) in (0_u8..).zip(&mut live.trees) {
            if let Some(parent) = at.parent.as_mut().filter(|parent| !parent.moves && parent.renews <= now) {
                parent.renews = now + RENEWS_AGAIN;
                asked.push((tree, parent.addr));
            }
        }
        for (tree, addr) in asked {
            let ask = self.adopt_me(addr, tree, now);
            self.ask(addr, ask, Purpose::Renew(tree), cx);
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
            at.seek = Some(Seek { asked: [to.addr].into(), ..Seek::new(now) });
            self.view.note(to.id, to.addr, now);
            let ask = self.adopt_me(to.addr, tree, now);
            self.ask(to.addr, ask, Purpose::Adopt(tree), cx);
        }
        self.seek(tree, cx);
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
        if lost.doubted {
            self.unlinked(parent, cx);
        }
        self.pace(cx);
        let State::Live(live) = &mut self.state else { return };
        if let Some((id, addr, place)) = live.trees[usize::from(tree)].reserve.take() {
            self.adopted(tree, (id, addr), (place, None), false, cx);
            return;
        }
        live.trees[usize::from(tree)].seek = Some(Seek { was_fed: true, ..Seek::new(now) });
        // Its own parent lost a child, and knows who else is near.
        if !self.has_mesh()
            && let Some(above) = lost.place.above
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
}
