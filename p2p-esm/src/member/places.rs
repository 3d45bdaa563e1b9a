//! Where members are in a tree, as parents tell their children: in full when it changes, and in short from time to time.
//!
//! How long a path is depends on how many members there are; what is said in the steady state does not.

use super::{Context, Esm, State};
use crate::member::flow::SOON;
use crate::member::witness::Brought;
use crate::wire::{MemberId, Place, Tell, digest};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::Duration;

/// How often a child is told where it is, should nothing have changed.
const PLACE: Duration = Duration::from_secs(3);

impl Esm {
    /// Tells children that they are where they were, and parents that their children are there.
    pub(super) fn tell_places(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        if live.next_place > now {
            return;
        }
        // A source that leaves has little time to say so.
        let is_end = live.source.is_some() && live.leaving.is_some();
        live.next_place = now + if is_end { 2 * SOON } else { PLACE / 2 + cx.rng().phase(PLACE) };
        self.tell_all_still(cx);
        let Some(live) = self.live() else { return };
        let claim = live.claim(None);
        for (addr, trees) in live.parents() {
            self.tell_known(addr, Tell::Here { trees, claim }, cx);
        }
    }

    pub(super) fn tell_all_still(&mut self, cx: &mut Context<'_>) {
        let trees = self.live().map_or(0, |live| live.trees.len());
        (0..trees).for_each(|tree| self.tell_still(tree, cx));
    }

    /// Tells the children in a tree that we are where we were.
    pub(super) fn tell_still(&mut self, tree: usize, cx: &mut Context<'_>) {
        let me = self.me;
        let Some(live) = self.live() else { return };
        let (heard, is_source) = (live.known_of(), live.source.is_some());
        let at = &live.trees[tree];
        let parent = at.parent.as_ref().filter(|parent| !parent.rests);
        if at.children.is_empty() || parent.is_none() && !is_source {
            return;
        }
        let (delay, above): (u16, &[MemberId]) = match parent {
            Some(parent) if !is_source => (parent.delay(), &parent.place.path),
            _ => (0, &[]),
        };
        let path = digest(above.iter().chain([&me]));
        // A tree's number is below 64.
        let tell = Tell::Still { tree: tree as u8, delay, path, heard };
        self.tell_children(tree, &tell, cx);
    }

    /// Tells the children in a tree where they are.
    pub(super) fn tell_place(&mut self, tree: usize, cx: &mut Context<'_>) {
        let me = self.me;
        let Some(live) = self.live() else { return };
        if live.trees[tree].children.is_empty() {
            return;
        }
        let Some(place) = live.place(me, tree) else { return };
        // A tree's number is below 64.
        let tell = Tell::Place { tree: tree as u8, place, heard: live.known_of() };
        self.tell_children(tree, &tell, cx);
    }

    fn tell_children(&mut self, tree: usize, tell: &Tell, cx: &mut Context<'_>) {
        let Some(live) = self.live() else { return };
        let children: Vec<_> = live.trees[tree]
            .children
            .iter()
            .filter(|child| !child.is_handed_over())
            .map(|child| (child.addr, child.token))
            .collect();
        for (addr, token) in children {
            self.tell(addr, token, tell.clone(), cx);
        }
    }

    /// A child missed where we are.
    pub(super) fn asked_where(&mut self, peer: SocketAddr, tree: u8, cx: &mut Context<'_>) {
        let (me, tree_at) = (self.me, usize::from(tree));
        let Some(live) = self.live() else { return };
        let Some(token) = live.trees.get_mut(tree_at).and_then(|at| at.child(peer)).map(|child| child.token)
        else {
            return;
        };
        let Some(place) = live.place(me, tree_at) else { return };
        let heard = live.known_of();
        self.tell(peer, token, Tell::Place { tree, place, heard }, cx);
    }

    /// A parent says that it is where it was.
    pub(super) fn is_still(
        &mut self,
        peer: SocketAddr,
        tree: u8,
        (delay, path): (u16, u32),
        cx: &mut Context<'_>,
    ) {
        let now = cx.now();
        let parent = self.live().and_then(|live| live.trees.get_mut(usize::from(tree)));
        let parent = parent.and_then(|at| at.parent.as_mut()).filter(|parent| parent.addr == peer);
        let Some(parent) = parent else {
            if self.has_tree(tree) {
                // It takes us for its child.
                self.tell_known(peer, Tell::Gone { trees: 1 << tree }, cx);
            }
            return;
        };
        // Who is to begin with a later generation is silent until then.
        parent.heard = parent.heard.max(now);
        parent.doubted = false;
        if parent.place.digest() == path {
            parent.place.delay = delay;
            self.leave_if_loop(peer, tree, cx);
        } else {
            self.tell_known(peer, Tell::Where { tree }, cx);
        }
    }

    /// A parent says where it is.
    pub(super) fn placed(&mut self, peer: SocketAddr, tree: u8, place: Place, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        let Some(at) = live.trees.get_mut(usize::from(tree)) else { return };
        match &mut at.parent {
            Some(parent) if parent.addr == peer => {
                parent.heard = parent.heard.max(now);
                parent.doubted = false;
                let moved = parent.place.path != place.path;
                if moved {
                    // Who lied may be above it no more.
                    parent.brought = Brought::new(now);
                }
                parent.place = place;
                if !self.leave_if_loop(peer, tree, cx) && moved {
                    self.tell_place(tree.into(), cx);
                }
            }
            // It takes us for its child.
            _ => self.tell_known(peer, Tell::Gone { trees: 1 << tree }, cx),
        }
    }

    /// Lets go of a parent whose path leads through us.
    fn leave_if_loop(&mut self, parent: SocketAddr, tree: u8, cx: &mut Context<'_>) -> bool {
        let (me, now) = (self.me, cx.now());
        let State::Live(live) = &self.state else { return false };
        let at = live.trees.get(usize::from(tree)).and_then(|at| at.parent.as_ref());
        let Some(path) = at.map(|at| &at.place.path) else { return false };
        let is_loop = path.contains(&me) || self.leads_through_us(path, now);
        if is_loop {
            // Two members chose each other's descendants at the same time: both let go.
            self.lost(tree, parent, cx);
            self.tell_known(parent, Tell::Gone { trees: 1 << tree }, cx);
        }
        is_loop
    }

    fn has_tree(&self, tree: u8) -> bool {
        matches!(&self.state, State::Live(live) if usize::from(tree) < live.trees.len())
    }
}
