//! A parent that is silent is asked whether it is there, and others meanwhile whether they would take its place.

use super::{Context, Esm, State};
use crate::member::parents::{RENEWS, UNDER_WAY};
use crate::member::questions::Purpose;
use crate::member::seek::AT_ONCE;
use crate::member::tree::Tree;
use crate::wire::Tell;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// A parent that is silent for so long is asked whether it is there, though the stream may have paused.
const SILENT: Duration = Duration::from_secs(3);
/// While the stream flows, a parent is doubted after this much silence at least.
const DOUBT: Duration = Duration::from_millis(150);
const DOUBT_IN_LAN: Duration = Duration::from_millis(200);

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
            ((self.pause * 2).max(least) * (1 << parent.answered.min(6))).min(SILENT)
        };
        Some(parent.heard + silence)
    }
}

impl Esm {
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
            self.tell_still(tree.into(), cx);
            // Meanwhile others are asked, who are sent away again should the parent answer first. Nobody is to lose its
            // place for a doubt, so only those that have room.
            let mut others = self.candidates(tree, false, false, now);
            others.retain(|other| *other != addr);
            for other in others.into_iter().take(AT_ONCE) {
                let ask = self.adopt_me(other, tree, now);
                self.ask(other, ask, Purpose::Adopt(tree), cx);
            }
        }
    }

    /// Asks a parent that sent us away to keep us.
    pub(super) fn stay(&mut self, tree: u8, parent: SocketAddr, cx: &mut Context<'_>) {
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
        let now = cx.now();
        self.no_reserve(tree, cx);
        let Some(live) = self.live() else { return };
        if let Some(at) = live.trees.get_mut(usize::from(tree))
            && let Some(parent) = &mut at.parent
            && parent.addr == by
        {
            parent.moves = false;
            parent.answered += 1;
            parent.renews = now + RENEWS;
            at.seek = None;
        }
    }

    /// Whether a parent sent a symbol, or said something, since.
    pub(super) fn was_fed(&self, tree: u8, parent: SocketAddr, since: Instant) -> bool {
        let State::Live(live) = &self.state else { return false };
        let at = live.trees.get(usize::from(tree)).and_then(|at| at.parent.as_ref());
        at.is_some_and(|at| at.addr == parent && at.heard > since)
    }

    /// A parent that was doubted looks for one itself. All of its children would only be in its way; but if it does so for
    /// long, those who have another way to the source take it, and it has one by them.
    pub(super) fn is_cut_off_too(&mut self, tree: u8, by: SocketAddr, cx: &mut Context<'_>) {
        let State::Live(live) = &self.state else { return };
        let Some(at) = live.trees.get(usize::from(tree)) else { return };
        let Some(parent) = at.parent.as_ref().filter(|parent| parent.addr == by) else { return };
        let has_other = at.reserve.as_ref().is_some_and(|(_, _, place)| !place.path.contains(&parent.id));
        if parent.answered > 0 && has_other {
            self.tell_known(by, Tell::Gone { trees: 1 << tree }, cx);
            self.lost(tree, by, cx);
        } else {
            self.trusted(tree, by, cx);
        }
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
}
