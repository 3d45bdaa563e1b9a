//! How a parent is looked for in a tree that has none: those that may serve are asked, a few at once.

use super::{Context, Esm, State};
use crate::member::choice::BETTER;
use crate::member::questions::{Purpose, UNKNOWN};
use crate::member::tree::Seek;
use crate::wire::{AsChild, Ask, Flow};
use core::net::SocketAddr;
use p2p_core::Instant;

/// Members that are asked how they are at once where no parent is known of.
const PROBES: usize = 6;
/// Without luck for so many rounds, whoever has upload left is asked, in any tree.
const URGENT: u8 = 3;
/// Without luck for so many rounds there is no room for all: what there is of the stream is given out.
pub(super) const IN_VAIN: u8 = 10;
/// Members that are asked at once to be the parent in a tree.
pub(super) const AT_ONCE: usize = 2;

impl Esm {
    /// What is asked of a parent to be.
    pub(super) fn adopt_me(&mut self, to: SocketAddr, tree: u8, now: Instant) -> Ask {
        let token = self.tokens.of(to, now);
        let (flow, island) = (self.flow(tree), self.lan.is_some());
        let distance = self.view.get(to).and_then(|known| known.round_trip);
        let distance = distance.map_or(u16::MAX, |took| u16::try_from(took.as_millis()).unwrap_or(u16::MAX));
        let (within, hand_over) = (self.within(to, tree), self.hand_over_at(to, tree, now));
        let Some(live) = self.live() else { return Ask::Probe };
        let at = usize::from(tree);
        // Who has had no parent yet begins with what goes out first.
        let first = (live.trees[at].turned.is_none()).then(|| live.playout.position());
        // The low 32 bits are what the wire has.
        let from = live.trees[at].behind.or(hand_over).or(first);
        let flow = from.filter(|_| flow == Flow::All).map_or(flow, |from| Flow::From(from as u32));
        let spare = if live.own == at { u8::try_from(live.room(at)).unwrap_or(u8::MAX) } else { 0 };
        let native = live.own == at && live.copies > 0;
        let urgent = live.trees[at].seek.as_ref().is_some_and(|seek| seek.urgent);
        let claim = live.claim(Some(at));
        let parent = live.trees[at].parent.as_ref();
        let orphan = parent.is_none_or(|parent| parent.doubted);
        let doubts = parent.is_some_and(|parent| parent.doubted && !parent.moves);
        let stamped = live.wants_stamps(to, now);
        let as_child =
            AsChild { native, spare, claim, distance, urgent, orphan, doubts, island, stamped, within };
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
        let several = live.trees.len() > 1;
        let at = &mut live.trees[usize::from(tree)];
        if !at.is_unsettled() {
            at.seek = None;
            return;
        }
        let seek = at.seek.get_or_insert_with(|| Seek::new(now));
        let (open, due, rounds) = (seek.asked.len(), seek.next <= now, seek.rounds);
        // Where many find nothing for long, asking them all again and again would be most of what is sent.
        let pause = pause * (1 << seek.rounds.saturating_sub(IN_VAIN).min(4));
        // Who still has a parent has time, and what several send at once comes twice.
        let at_once = if at.parent.is_some() { 1 } else { AT_ONCE };
        if open >= at_once || !due && rounds >= URGENT {
            return;
        }
        let current = at.parent.as_ref().map(|parent| parent.addr);
        let at_above = at.above.filter(|_| current.is_none());
        if let Some(addr) = current
            && rounds >= URGENT
            && due
        {
            // Nobody else has room: whoever sent us away is asked to keep us.
            seek.next = now + pause;
            self.stay(tree, addr, cx);
            return;
        }
        let (was_fed, named) = (seek.was_fed && several, seek.named.clone());
        let native = self.is_native(tree);
        let is_open = |addr: &SocketAddr| self.view.get(*addr).is_none_or(|known| known.shunned <= now);
        let mut urgent = rounds >= URGENT;
        let mut candidates = self.candidates(tree, native, urgent, now);
        if candidates.is_empty() {
            candidates = named;
            candidates.retain(|addr| is_open(addr) && !self.is_near(*addr, now));
        }
        if candidates.is_empty() && was_fed && open == 0 {
            // The stream is missed already: this tree is full, as far as is known, and others may not be.
            urgent = true;
            candidates = self.candidates(tree, native, true, now);
        }
        // Who lost a child as we lost a parent has room, or finds out that it has.
        let above = at_above.filter(is_open);
        if let Some(above) = above {
            candidates.retain(|addr| *addr != above);
            candidates.insert(0, above);
        }
        let State::Live(live) = &mut self.state else { return };
        let Some(seek) = &mut live.trees[usize::from(tree)].seek else { return };
        candidates.retain(|addr| !seek.asked.contains(addr) && Some(*addr) != current);
        seek.urgent |= urgent;
        if candidates.is_empty() {
            if due && open == 0 {
                seek.rounds = seek.rounds.saturating_add(1);
                seek.next = now + pause / 2 + cx.rng().phase(pause);
                // A mesh tells by itself who is near.
                if !self.has_mesh() {
                    self.probe_some(PROBES, cx);
                }
            }
            return;
        }
        candidates.truncate(at_once - open);
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
}
