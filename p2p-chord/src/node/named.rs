//! Whether those who are named as responsible for a place live, and whether somebody joined before them.

use super::lookups::Goal;
use super::running::Doubt;
use super::{Chord, Context, Purpose};
use crate::contact::Contact;
use crate::peer::{Peer, Place};
use crate::pending::{Insistence, Question};
use crate::wire::{Answer, Ask};
use alloc::vec::Vec;
use p2p_core::Instant;

/// Who says so often that it is no member yet is held for dead.
const EARLY: usize = 8;

impl Chord {
    /// Somebody is named as responsible. Whoever asked is told once that one, or the next one, is known to live.
    pub(super) fn named(&mut self, number: u32, owners: Vec<Peer>, cx: &mut Context<'_>) {
        self.pending.forget(|purpose| *purpose == Purpose::Step(number));
        let Some(running) = self.lookups.get_mut(&number) else { return };
        if !matches!(running.goal, Goal::Op(_)) {
            return self.end(number, Ok(owners), cx);
        }
        running.lookup.recall();
        match running.doubt {
            // Somebody nearer has spoken: no more doubt.
            Doubt::Open => {
                running.doubt = Doubt::Settled;
                running.owners.extend(owners);
            }
            Doubt::None | Doubt::Settled => running.owners = owners,
        }
        // Whoever names them may not know of some that were found alive by others.
        running.owners.extend(running.alive.iter().map(|(peer, _)| *peer));
        running.owners.retain(|owner| !running.lookup.is_buried(*owner));
        let target = running.lookup.target();
        running.owners.sort_by_key(|owner| target.distance_to(owner.id()));
        running.owners.dedup();
        self.ask_owner(number, cx);
    }

    /// Asks the first few of those that were named whether they live.
    fn ask_owner(&mut self, number: u32, cx: &mut Context<'_>) {
        let (me, parallel) = (self.peer(), self.config.parallel);
        let Some(running) = self.lookups.get_mut(&number) else { return };
        // All of them are dead: somebody nearer knows who comes next.
        let Some(&owner) = running.owners.first() else { return self.go_on(number, cx) };
        if Some(owner) == me || running.hears(owner, cx.now()) {
            let doubt = core::mem::replace(&mut running.doubt, Doubt::Settled);
            if doubt == Doubt::None
                && running.lookup.has_buried()
                && let Some(contact) = running.lookup.widen()
            {
                running.doubt = Doubt::Open;
                let ask = Ask::Neighbours { notify: false, known: 0 };
                return self.ask(contact, ask, Insistence::Once, Purpose::Widen(number), cx);
            }
            let owners = core::mem::take(&mut running.owners);
            return self.end(number, Ok(owners), cx);
        }
        // One, where all is well; several, once one of them was found dead.
        let all_is_well = running.lookup.report.timeouts == 0;
        let some = if all_is_well { 1 } else { parallel };
        let next: Vec<Peer> = running.owners.iter().take(some).copied().collect();
        for owner in next.into_iter().filter(|owner| Some(*owner) != me) {
            let is_asked = |question: &Question<Purpose>| {
                question.to == owner && question.purpose == Purpose::Owner(number)
            };
            let Some(running) = self.lookups.get_mut(&number) else { return };
            let is_settled = running.has_heard(owner) && running.owners.first() != Some(&owner);
            if !self.pending.iter().any(is_asked) && !is_settled {
                running.lookup.report.messages += 1;
                self.ask(Contact::unmet(owner), Ask::Before, Insistence::Twice, Purpose::Owner(number), cx);
            }
        }
    }

    /// Who was named answers. Lists of successors are as old as the rounds of stabilising that they came through; a
    /// predecessor is known at once, so whoever joined since then is found back from there, and who is not heard by whoever
    /// named it.
    pub(super) fn owner_answered(&mut self, number: u32, owner: Peer, answer: &Answer, cx: &mut Context<'_>) {
        let network = self.config.network;
        let Some(running) = self.lookups.get_mut(&number) else { return };
        if *answer == Answer::Busy {
            running.early.push(owner);
            if running.early.iter().filter(|early| **early == owner).count() < EARLY {
                running.lookup.report.messages += 1;
                running.owners.retain(|named| *named != owner);
                return self.ask_owner(number, cx);
            }
        }
        let Answer::Neighbours { predecessor, successors: claims, .. } = answer else {
            return self.not_owner(number, owner, cx);
        };
        running.lookup.report.messages += 1;
        running.hear(owner, cx.now());
        let peer = |place: &Place| place.peer(network);
        // Who claims to be before it, and is no member yet, is once it is its predecessor.
        let claims = claims.iter().flatten().filter_map(peer).filter(|peer| !running.early.contains(peer));
        let before: Vec<Peer> = predecessor.iter().filter_map(peer).chain(claims).collect();
        let target = running.lookup.target();
        let is_first = |before: &Peer| target.distance_to(before.id()) < target.distance_to(owner.id());
        for before in before.into_iter().filter(is_first) {
            if !running.lookup.is_buried(before) && !running.owners.contains(&before) {
                running.owners.push(before);
            }
        }
        running.owners.sort_by_key(|named| target.distance_to(named.id()));
        // Those that are nearer are still being asked.
        let is_known = running.owners.first().is_some_and(|first| running.has_heard(*first));
        if running.doubt == Doubt::Open && is_known {
            return;
        }
        self.ask_owner(number, cx);
    }

    /// One that was asked at `asked` whether it lives does not answer.
    pub(super) fn owner_failed(&mut self, number: u32, owner: Peer, asked: Instant, cx: &mut Context<'_>) {
        let Some(running) = self.lookups.get_mut(&number) else { return };
        // For several that were asked at the same time it waited once.
        if asked >= running.waited {
            running.waited = cx.now();
            running.lookup.report.stalls = running.lookup.report.stalls.saturating_add(1);
        }
        self.not_owner(number, owner, cx);
    }

    fn not_owner(&mut self, number: u32, owner: Peer, cx: &mut Context<'_>) {
        let Some(running) = self.lookups.get_mut(&number) else { return };
        running.owners.retain(|named| *named != owner);
        running.lookup.buried(owner);
        self.ask_owner(number, cx);
    }
}
