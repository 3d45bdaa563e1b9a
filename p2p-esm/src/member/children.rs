//! Whom a member sends symbols to.

use super::{Context, Esm, Live, State};
use crate::member::choice::is_beyond;
use crate::member::flow::SOON;
use crate::member::precedence::claim;
use crate::member::questions::{Purpose, UNKNOWN};
use crate::member::tree::Child;
use crate::wire::{Answer, AsChild, Ask, DEEPEST, Flow, MemberId, Place, Refusal, SAMPLE, Tell};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// Children in a tree that may rest: as many LANs as can have one of their stand-bys here.
const MOST_RESTING: usize = 64;
/// A child that was heard of so recently is there: who lost it has waited for longer before it asks others.
const QUIET: Duration = Duration::from_millis(200);
/// Who is told to find another parent is sent symbols for so long.
pub(super) const MOVING: Duration = Duration::from_secs(3);

impl Live {
    pub(super) fn staying(&self) -> usize {
        self.trees.iter().map(super::Tree::staying).sum()
    }

    /// Whether a child that gives its place to another one is sent symbols until it has a parent. In one tree it is: all
    /// that are behind it would be without meanwhile. Where there are others, it and they are caught up instead, and
    /// nobody ever sends more than it may.
    const fn sees_off(&self) -> bool {
        self.trees.len() == 1
    }

    /// Children that take of what it may send in a tree.
    fn load_of(&self, tree: &super::Tree) -> usize {
        if self.sees_off() { tree.staying() } else { tree.fed_children() }
    }

    /// The same in all trees.
    fn load(&self) -> usize {
        self.trees.iter().map(|tree| self.load_of(tree)).sum()
    }

    /// Children that it has room for in a tree.
    pub(super) fn room(&self, tree: usize) -> usize {
        let copies = usize::from(self.copies);
        if self.source.is_some() {
            // The same in each.
            return (copies / self.trees.len()).saturating_sub(self.load_of(&self.trees[tree]));
        }
        if tree == self.own { copies.saturating_sub(self.load()) } else { 0 }
    }

    /// What it gives for each tree that it gets, or would with this one.
    pub(super) fn claim(&self, with: Option<usize>) -> u16 {
        let has = |(at, tree): &(usize, &super::Tree)| tree.parent.is_some() || Some(*at) == with;
        claim(self.copies, self.trees.iter().enumerate().filter(has).count())
    }

    pub(super) fn place(&self, me: MemberId, tree: usize) -> Option<Place> {
        let at = &self.trees[tree];
        let path = at.path(me, self.source.is_some())?;
        let delay = at.parent.as_ref().map_or(0, super::tree::Parent::delay);
        Some(Place { delay, path, above: at.parent.as_ref().map(|parent| parent.addr) })
    }
}

impl Esm {
    /// The answer to [`crate::wire::Ask::Adopt`].
    pub(super) fn adopt(
        &mut self,
        (id, addr): (MemberId, SocketAddr),
        (tree, flow): (u8, Flow),
        token: u32,
        like: AsChild,
        cx: &mut Context<'_>,
    ) -> Answer {
        let (me, now) = (self.me, cx.now());
        let tree_at = usize::from(tree);
        let refuse = |why| Answer::Refused { why, instead: Vec::new() };
        let by_mesh = self.is_taken_by_mesh(addr);
        let State::Live(live) = &mut self.state else { return Answer::Nothing };
        if live.leaving.is_some() && live.source.is_none() {
            return refuse(Refusal::Leaving);
        }
        if live.repair.ended {
            // Whoever comes now is to hear of the end.
            live.next_place = live.next_place.min(now + SOON);
        }
        if tree_at >= live.trees.len() {
            return refuse(Refusal::NoTree);
        }
        let Some(place) = live.place(me, tree_at) else { return refuse(Refusal::Unsettled) };
        if place.path.contains(&id) {
            return refuse(Refusal::Loop);
        }
        if place.path.len() >= DEEPEST {
            return refuse(Refusal::Full);
        }
        let rests = flow == Flow::Rest;
        // What was before a generation that is here already may miss as well.
        let from = match flow {
            Flow::From(from) => Some(live.playout.number(from)).filter(|from| *from >= live.playout.heard()),
            Flow::All | Flow::Rest => None,
        };
        let (from, until) = (from.unwrap_or(0), u64::MAX);
        let new =
            Child { id, addr, token, heard: now, like, doubted: false, rests, moves: None, from, until };
        live.trees[tree_at].children.retain(|child| child.addr != addr || !child.is_handed_over());
        if let Some(child) = live.trees[tree_at].child(addr) {
            // Who was told to move and asks again found nobody else.
            *child = new;
            if let Flow::From(generation) = flow {
                self.catch_up(addr, tree, generation, cx);
            }
            return Answer::Adopted(place);
        }
        if is_beyond(&place, like.within, by_mesh.is_some()) {
            return self.status(addr, cx);
        }
        if by_mesh == Some(false) {
            return refuse(Refusal::Full);
        }
        if rests {
            // It costs a few bytes now and then, and no place.
            let resting = live.trees[tree_at].children.iter().filter(|child| child.rests).count();
            if resting >= MOST_RESTING {
                return refuse(Refusal::Full);
            }
            live.trees[tree_at].children.push(new);
            return Answer::Adopted(place);
        }
        // Who found no parent elsewhere is taken by whoever has upload left, in any tree.
        let is_link = by_mesh == Some(true);
        let any = is_link || like.urgent && live.source.is_none() && live.load() < usize::from(live.copies);
        let mut displaced = None;
        if live.room(tree_at) == 0 && !any {
            let gives_way = if like.doubts { None } else { live.trees[tree_at].gives_way(like) };
            let Some(child) = gives_way.and_then(|addr| live.trees[tree_at].child(addr)) else {
                let children = live.trees[tree_at].children.iter().filter(|child| child.moves.is_none());
                let instead = children.filter(|child| child.like.spare > 0).take(SAMPLE);
                let instead = instead.map(Child::known).collect();
                let is_soon = like.orphan && self.doubt_children(tree, cx);
                let why = if is_soon { Refusal::Soon } else { Refusal::Full };
                return Answer::Refused { why, instead };
            };
            displaced = Some((child.addr, child.token));
        }
        let sees_off = live.sees_off();
        if let Some((displaced, _)) = displaced {
            if !sees_off {
                live.trees[tree_at].children.retain(|child| child.addr != displaced);
            } else if let Some(child) = live.trees[tree_at].child(displaced) {
                child.moves = Some(now + MOVING);
            }
        }
        let with_room = |child: &&Child| child.like.spare > 0 && child.moves.is_none() && !child.rests;
        let to = displaced.and_then(|_| {
            let others = live.trees[tree_at].children.iter().filter(with_room);
            Some(&new)
                .filter(with_room)
                .or_else(|| others.max_by_key(|child| child.like.spare))
                .map(Child::known)
        });
        live.trees[tree_at].children.push(new);
        if let Flow::From(generation) = flow {
            self.catch_up(addr, tree, generation, cx);
        }
        if let Some((child, token)) = displaced {
            let tell = if sees_off { Tell::Move { tree, to } } else { Tell::Replaced { tree, to } };
            self.tell(child, token, tell, cx);
        }
        Answer::Adopted(place)
    }

    pub(super) fn child_is_here(
        &mut self,
        (peer, id): (SocketAddr, MemberId),
        trees: u64,
        claim: u16,
        now: Instant,
    ) {
        let Some(live) = self.live() else { return };
        for (at, tree) in live.trees.iter_mut().enumerate() {
            if trees >> at & 1 == 1
                && let Some(child) = tree.child(peer)
                && child.id == id
            {
                child.heard = now;
                child.doubted = false;
                child.like.claim = claim;
            }
        }
    }

    /// Somebody has no parent, and there is no room: children that were not heard of for a while may be gone. Whether there
    /// are any.
    fn doubt_children(&mut self, tree: u8, cx: &mut Context<'_>) -> bool {
        let now = cx.now();
        let Some(live) = self.live() else { return false };
        let mut doubted = Vec::new();
        for child in &mut live.trees[usize::from(tree)].children {
            if now.since(child.heard) >= QUIET && !child.doubted && !child.rests {
                child.doubted = true;
                doubted.push(child.addr);
            }
        }
        for addr in doubted {
            let known = self.view.get(addr).and_then(|known| known.round_trip);
            let patience = known.map_or(UNKNOWN, |took| took * 2 + super::SLACK);
            self.ask_within(addr, Ask::Probe, Purpose::Child(tree), Some(patience), cx);
        }
        let State::Live(live) = &self.state else { return false };
        live.trees[usize::from(tree)].children.iter().any(|child| child.doubted)
    }

    /// A child that others need the place of did not answer.
    pub(super) fn child_is_silent(&mut self, peer: SocketAddr, tree: u8, cx: &mut Context<'_>) {
        self.view.forget(peer, cx.now());
        if let Some(live) = self.live()
            && let Some(at) = live.trees.get_mut(usize::from(tree))
        {
            at.children.retain(|child| child.addr != peer || !child.doubted);
        }
    }

    /// A child answered.
    pub(super) fn child_answered(&mut self, peer: SocketAddr, now: Instant) {
        let Some(live) = self.live() else { return };
        for child in live.trees.iter_mut().filter_map(|tree| tree.child(peer)) {
            (child.heard, child.doubted) = (now, false);
        }
    }

    pub(super) fn child_is_gone(&mut self, peer: SocketAddr, trees: u64) {
        let Some(live) = self.live() else { return };
        for (_, tree) in live.trees.iter_mut().enumerate().filter(|(at, _)| trees >> at & 1 == 1) {
            tree.children.retain(|child| child.addr != peer);
        }
    }

    /// A child has another parent, which begins with this generation.
    pub(super) fn child_is_handed_over(&mut self, peer: SocketAddr, tree: u8, generation: u32, now: Instant) {
        let Some(live) = self.live() else { return };
        let until = live.playout.number(generation);
        let Some(at) = live.trees.get_mut(usize::from(tree)) else { return };
        if let Some(child) = at.child(peer) {
            (child.until, child.moves) = (until, Some(now + MOVING));
            at.tidy(now);
        }
    }

    pub(super) fn tidy_children(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        if let Some(live) = self.live() {
            for tree in &mut live.trees {
                tree.tidy(now);
            }
        }
    }
}
