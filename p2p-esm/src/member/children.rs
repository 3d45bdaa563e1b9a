//! Whom a member sends symbols to.

use super::{Context, Esm, Live, State};
use crate::member::tree::Child;
use crate::wire::{Answer, DEEPEST, Flow, Known, MemberId, Place, Refusal, SAMPLE, Tell};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// Children in a tree that may rest: as many LANs as can have one of their stand-bys here.
const MOST_RESTING: usize = 64;
/// How often a child is told where it is, should nothing have changed.
const PLACE: Duration = Duration::from_secs(3);
/// Who is told to find another parent is sent symbols for so long.
pub(super) const MOVING: Duration = Duration::from_secs(3);

impl Live {
    /// The tree in which the member passes symbols on: one of them, so that who fails is missed in one tree only.
    pub(super) fn own_tree(&self, me: MemberId) -> usize {
        // A tree's number is below 64.
        (me.0 % self.trees.len() as u64) as usize
    }

    fn staying(&self) -> usize {
        self.trees.iter().map(super::Tree::staying).sum()
    }

    /// Children that it has room for in a tree.
    pub(super) fn room(&self, me: MemberId, tree: usize) -> usize {
        let copies = usize::from(self.copies);
        if self.source.is_some() {
            // The same in each.
            return (copies / self.trees.len()).saturating_sub(self.trees[tree].staying());
        }
        if tree == self.own_tree(me) { copies.saturating_sub(self.staying()) } else { 0 }
    }

    fn place(&self, me: MemberId, tree: usize) -> Option<Place> {
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
        spare: u8,
        urgent: bool,
        cx: &mut Context<'_>,
    ) -> Answer {
        let (me, now) = (self.me, cx.now());
        let tree_at = usize::from(tree);
        let refuse = |why| Answer::Refused { why, instead: Vec::new() };
        let State::Live(live) = &mut self.state else { return Answer::Nothing };
        if live.leaving.is_some() {
            return refuse(Refusal::Leaving);
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
        let new = Child { id, addr, token, heard: now, spare, rests, moves: None };
        if let Some(child) = live.trees[tree_at].child(addr) {
            *child = new;
            if let Flow::From(generation) = flow {
                self.catch_up(addr, tree, generation, cx);
            }
            return Answer::Adopted(place);
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
        let room = live.room(me, tree_at);
        // Who found no parent elsewhere is taken by whoever has upload left, in any tree.
        let any = urgent && live.source.is_none() && live.staying() < usize::from(live.copies);
        let mut displaced = None;
        if room == 0 && !any {
            // Who can pass it on goes before who cannot: that one finds room below it.
            let children = live.trees[tree_at].children.iter_mut();
            let weakest = children
                .filter(|child| child.moves.is_none() && !child.rests)
                .min_by_key(|child| child.spare);
            match weakest {
                Some(child) if child.spare == 0 && spare > 0 => {
                    child.moves = Some(now + MOVING);
                    displaced = Some((child.addr, child.token));
                }
                _ => {
                    let children = live.trees[tree_at].children.iter().filter(|child| child.moves.is_none());
                    let instead = children.filter(|child| child.spare > 0).take(SAMPLE);
                    let instead =
                        instead.map(|child| Known { id: child.id, addr: child.addr, age: 0 }).collect();
                    return Answer::Refused { why: Refusal::Full, instead };
                }
            }
        }
        live.trees[tree_at].children.push(new);
        if let Flow::From(generation) = flow {
            self.catch_up(addr, tree, generation, cx);
        }
        if let Some((child, token)) = displaced {
            let to = Some(Known { id, addr, age: 0 });
            self.tell(child, token, Tell::Move { tree, to }, cx);
        }
        Answer::Adopted(place)
    }

    pub(super) fn child_is_here(&mut self, peer: SocketAddr, id: MemberId, trees: u64, now: Instant) {
        let Some(live) = self.live() else { return };
        for (at, tree) in live.trees.iter_mut().enumerate() {
            if trees >> at & 1 == 1
                && let Some(child) = tree.child(peer)
                && child.id == id
            {
                child.heard = now;
            }
        }
    }

    pub(super) fn child_is_gone(&mut self, peer: SocketAddr, trees: u64) {
        let Some(live) = self.live() else { return };
        for (_, tree) in live.trees.iter_mut().enumerate().filter(|(at, _)| trees >> at & 1 == 1) {
            tree.children.retain(|child| child.addr != peer);
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

    /// Tells children where they are, and parents that their children are there.
    pub(super) fn tell_places(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        if live.next_place > now {
            return;
        }
        live.next_place = now + PLACE / 2 + cx.rng().phase(PLACE);
        for tree in 0..live.trees.len() {
            self.tell_place(tree, cx);
        }
        let Some(live) = self.live() else { return };
        for (addr, trees) in live.parents() {
            self.tell_known(addr, Tell::Here { trees }, cx);
        }
    }

    /// Tells the children in a tree where they are.
    pub(super) fn tell_place(&mut self, tree: usize, cx: &mut Context<'_>) {
        let me = self.me;
        let Some(live) = self.live() else { return };
        let Some(place) = live.place(me, tree) else { return };
        let children: Vec<_> =
            live.trees[tree].children.iter().map(|child| (child.addr, child.token)).collect();
        for (addr, token) in children {
            // A tree's number is below 64.
            self.tell(addr, token, Tell::Place { tree: tree as u8, place: place.clone() }, cx);
        }
    }
}
