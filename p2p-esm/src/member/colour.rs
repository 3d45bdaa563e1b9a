//! A member passes symbols on in one tree, its own. Which one that is follows from its number, so all trees have as many
//! such members, until chance or failures have it otherwise: then whoever is not needed in its own tree takes another
//! one in which there is no room.

use super::{Context, Esm, State};
use crate::member::questions::Purpose;
use p2p_core::{Duration, Instant, Rng};

/// How often it looks whether another tree needs it more.
const LOOK: Duration = Duration::from_secs(8);
/// Members that said of late how they are, without which nothing is known.
const ENOUGH: usize = 8;

/// When it looks next.
pub(super) fn next_look(now: Instant, rng: &mut Rng) -> Instant {
    now + LOOK / 2 + rng.phase(LOOK)
}

impl Esm {
    /// Takes another tree for its own, if it has no child in it and others have much less room.
    pub(super) fn recolour(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let State::Live(live) = &mut self.state else { return };
        if live.next_colour > now {
            return;
        }
        live.next_colour = next_look(now, cx.rng());
        let is_free = live.source.is_none() && live.leaving.is_none() && live.copies > 0;
        if !is_free || live.trees.len() < 2 || live.staying() > 0 {
            return;
        }
        // What is urgent is asked for of anybody, so no room known of in a tree counts most.
        let mut known = 0;
        let mut rooms = alloc::vec![0_u32; live.trees.len()];
        for other in self.view.iter() {
            let statuses =
                (0_u8..).zip(&mut rooms).filter_map(|(tree, room)| Some((room, other.status(tree, now)?)));
            let mut said = false;
            for (room, status) in statuses {
                *room += u32::from(status.room);
                said = true;
            }
            known += usize::from(said);
        }
        let Some((scarcest, least)) = rooms.iter().copied().enumerate().min_by_key(|(_, room)| *room) else {
            return;
        };
        let own = live.own;
        // Many look at the same time: one after the other is enough.
        if known < ENOUGH || least * 4 + u32::from(live.copies) > rooms[own] || cx.rng().chance(0.5) {
            return;
        }
        live.own = scarcest;
        self.counts.recoloured += 1;
        // Parents are to know in which tree it passes symbols on.
        for tree in [own as u8, scarcest as u8] {
            let State::Live(live) = &self.state else { return };
            let parent = live.trees[usize::from(tree)].parent.as_ref();
            if let Some((addr, round_trip)) = parent.map(|parent| (parent.addr, parent.round_trip)) {
                let ask = self.adopt_me(addr, tree, now);
                self.ask_within(addr, ask, Purpose::Doubt(tree), Some(round_trip * 2 + super::SLACK), cx);
            }
        }
    }
}
