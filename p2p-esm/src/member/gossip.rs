//! Who is there, and how they are: each member asks another one from time to time.

use super::{Context, Esm, State};
use crate::member::questions::Purpose;
use crate::wire::{Answer, Ask, TreeStatus};
use core::net::SocketAddr;
use p2p_core::Duration;

/// How often another member is asked how it is.
const PROBE: Duration = Duration::from_secs(2);
/// The same of who has all of the stream by the group of its LAN: it needs some to turn to, should that end. All hosts of
/// a LAN together are to cost its way out little more than one does.
const PROBE_SHELTERED: Duration = Duration::from_secs(16);

impl Esm {
    /// The answer to [`Ask::Probe`].
    pub(super) fn status(&mut self, peer: SocketAddr, cx: &mut Context<'_>) -> Answer {
        let now = cx.now();
        let State::Live(live) = &self.state else { return Answer::Nothing };
        let trees = (0..live.trees.len()).map(|tree| live.tree_status(tree)).collect();
        Answer::Status { heard: live.known_of(), trees, sample: self.view.sample(peer, now, cx.rng()) }
    }

    pub(super) fn tick(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        if self.live().is_none() {
            return;
        }
        self.leave_if_alone(false, cx);
        let every = if self.is_sheltered() { PROBE_SHELTERED } else { PROBE };
        let Some(live) = self.live() else { return };
        let phase = |span: Duration, cx: &mut Context<'_>| now + span / 2 + cx.rng().phase(span);
        let is_due = live.next_probe <= now;
        if is_due {
            live.next_probe = phase(every, cx);
            self.view.tidy(now);
        }
        if self.has_mesh() {
            self.tend_mesh(cx);
        } else if is_due {
            // Every other time somebody of whom nothing is known.
            match cx.rng().chance(0.5).then(|| self.promising(cx)).flatten() {
                Some(addr) => self.ask(addr, Ask::Probe, Purpose::Probe, cx),
                None => self.probe_some(1, cx),
            }
        }
        self.doubt_the_silent(cx);
        self.renew_tokens(cx);
        self.tidy_children(cx);
        self.tell_places(cx);
        self.better_parents(cx);
        self.recolour(cx);
        self.seek_all(cx);
        if let Some(live) = self.live() {
            live.tick_at = now;
        }
        self.pace(cx);
    }

    /// Asks some members how they are, first those of whom it is not known.
    pub(super) fn probe_some(&mut self, count: usize, cx: &mut Context<'_>) {
        let now = cx.now();
        if self.view.iter().next().is_none()
            && let State::Live(live) = &self.state
            && let Some(door) = cx.rng().choose(&live.doors).copied()
        {
            // Its answer makes it known again.
            self.ask(door, Ask::Probe, Purpose::Probe, cx);
            return;
        }
        let asked = self.questions.of(Purpose::Probe);
        for addr in self.view.draw(count, asked, now, cx.rng()) {
            self.ask(addr, Ask::Probe, Purpose::Probe, cx);
        }
    }
}

impl super::Live {
    /// Where the member is in a tree, in short.
    pub(super) fn tree_status(&self, tree: usize) -> TreeStatus {
        let at = &self.trees[tree];
        let room = u8::try_from(self.room(tree)).unwrap_or(u8::MAX);
        let is_native = self.source.is_some() || self.own == tree;
        let far = if is_native && room == 0 { at.far() } else { 0 };
        match (&self.source, &at.parent) {
            (Some(_), _) => TreeStatus { depth: 0, room, delay: 0, far },
            (None, Some(parent)) if !parent.rests => {
                // A path has 24 members at most.
                TreeStatus { depth: parent.place.path.len() as u8, room, delay: parent.delay(), far }
            }
            (None, _) => TreeStatus { depth: u8::MAX, room: 0, delay: u16::MAX, far: 0 },
        }
    }
}
