//! Beginning and end of a member's part in a broadcast.

use super::{Context, Esm, Live, State};
use crate::announcement::Announcement;
use crate::api::Timer;
use crate::config::Config;
use crate::error::Error;
use crate::group::GroupKey;
use crate::manifest::Checker;
use crate::member::colour::next_look;
use crate::member::flow::SOON;
use crate::member::questions::Purpose;
use crate::member::repair::Repair;
use crate::member::source::Source;
use crate::member::tree::Tree;
use crate::member::witness::Witness;
use crate::playout::Playout;
use crate::seal::Seal;
use crate::shape::{LARGEST_PACKET, Shape};
use crate::wire::{Answer, Ask, Known, Tell};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, OpId};

/// Who leaves sends on for so long at most.
const FAREWELL: Duration = Duration::from_secs(3);

/// Bytes that are kept for viewers that begin in the past at most: ten minutes of 2 Mbit/s, with parity.
const MOST_KEPT: usize = 256 << 20;

/// Who is to be joined by has so long to answer, the first time.
const GREETING: Duration = Duration::from_millis(750);

impl Esm {
    pub(super) fn broadcast(&mut self, op: OpId, cx: &mut Context<'_>) {
        if !matches!(self.state, State::Idle) {
            cx.finish(op, Err(Error::Busy));
            return;
        }
        if let Some(Err(error)) = self.bound {
            cx.finish(op, Err(Error::NoSocket(error)));
            return;
        }
        let Some(key) = self.config.source.clone() else {
            cx.finish(op, Err(Error::NoKey));
            return;
        };
        let (run, started, rate, shape) =
            (cx.rng().bytes(), cx.unix_now().as_secs(), self.config.rate, self.config.shape);
        let shared = self.config.shared.as_ref();
        let announcement = Announcement::sign(&key.0, run, started, rate, shape, shared);
        let key_group = key.group();
        let Some(mut live) = self.begin(key_group, announcement, self.config.first) else {
            cx.finish(op, Err(Error::BadKey));
            return;
        };
        live.source = Some(Source::new(key.0, live.broadcast, self.config.first, self.config.pace, cx.now()));
        live.mesh = self.new_mesh(true);
        self.state = State::Live(live);
        self.enter_lan(key_group, cx);
        self.pace(cx);
        cx.finish(op, Ok(()));
    }

    pub(super) fn join(&mut self, op: OpId, group: GroupKey, by: Vec<SocketAddr>, cx: &mut Context<'_>) {
        if self.config.source.as_ref().is_some_and(|key| key.group() == group) {
            return self.broadcast(op, cx);
        }
        if !matches!(self.state, State::Idle) {
            cx.finish(op, Err(Error::Busy));
            return;
        }
        match self.bound {
            Some(Err(error)) => cx.finish(op, Err(Error::NoSocket(error))),
            bound => {
                self.state = State::Greeting { op, group, by, at: 0 };
                self.enter_lan(group, cx);
                if bound.is_some() {
                    self.greet_next(cx);
                }
            }
        }
    }

    /// Asks the next one of those to join by; each four times before it is given up, more patiently each time.
    pub(super) fn greet_next(&mut self, cx: &mut Context<'_>) {
        let State::Greeting { op, by, at, .. } = &mut self.state else { return };
        if *at >= by.len() * 4 {
            let op = *op;
            self.state = State::Idle;
            self.exit_lan(cx);
            cx.finish(op, Err(Error::NoBroadcast));
            return;
        }
        let (to, round) = (by[*at % by.len()], *at / by.len());
        *at += 1;
        let patience = GREETING * (1 << round);
        self.ask_within(to, Ask::Hello, Purpose::Hello, Some(patience), cx);
    }

    /// What is broadcast, said by a member.
    pub(super) fn greeted(
        &mut self,
        announcement: &Announcement,
        (heard, oldest): (u64, u64),
        cx: &mut Context<'_>,
    ) {
        let (now, begin) = (cx.now(), self.config.begin);
        let State::Greeting { op, group, by, .. } = &mut self.state else { return };
        let (op, group, doors) = (*op, *group, core::mem::take(by));
        // Generations that were sent before we joined are not missed, unless we want to begin with them.
        let past = generations(begin, announcement);
        let from = heard.max(oldest).saturating_sub(past).max(oldest);
        let Some(mut live) = self.begin(group, *announcement, from) else {
            // Whoever said so lies.
            if let State::Greeting { by, .. } = &mut self.state {
                *by = doors;
            }
            self.greet_next(cx);
            return;
        };
        if from < heard {
            live.playout.begin_in_the_past(heard, now + self.config.patience * 2 + begin / 2, now);
        }
        live.joining = Some(op);
        live.next_colour = next_look(cx.now(), cx.rng());
        live.doors = doors;
        live.mesh = self.new_mesh(false);
        self.state = State::Live(live);
        self.seek_all(cx);
        self.pace(cx);
    }

    fn begin(&self, group: GroupKey, announcement: Announcement, from: u64) -> Option<Box<Live>> {
        let (broadcast, key) = announcement.checked(group, self.config.verified.as_ref())?;
        let shape = broadcast.shape;
        let config = &self.config;
        let shared = config.shared.as_ref();
        let shared = shared.filter(|shared| announcement.sealed == Some(shared.mark(&broadcast.run)));
        let seal = shared.map(|shared| Seal::new(shared, &broadcast.run));
        let (window, history) = depth(config, &announcement, shape);
        Some(Box::new(Live {
            tag: group.tag(),
            announcement,
            broadcast,
            checker: Checker::with(broadcast, key).sharing(config.verified.clone()),
            playout: Playout::new(shape, from, window, history, config.patience),
            trees: (0..shape.trees()).map(|_| Tree::default()).collect(),
            source: None,
            repair: Repair::default(),
            witness: Witness::default(),
            signed: 0,
            wary: p2p_core::Instant::ZERO,
            doors: Vec::new(),
            joining: None,
            viewers: Vec::new(),
            seal,
            copies: copies(config.upload, announcement.rate, shape),
            // Below 64.
            own: (self.me.0 % u64::from(shape.trees())) as usize,
            next_probe: p2p_core::Instant::ZERO,
            next_place: p2p_core::Instant::ZERO,
            next_better: p2p_core::Instant::ZERO,
            next_gone: p2p_core::Instant::ZERO,
            next_colour: p2p_core::Instant::ZERO,
            mesh: None,
            tick_at: p2p_core::Instant::ZERO,
            play_at: p2p_core::Instant::ZERO,
            leaving: None,
        }))
    }

    /// The answer to [`Ask::Hello`].
    pub(super) fn describe(&mut self, peer: SocketAddr, cx: &mut Context<'_>) -> Answer {
        let now = cx.now();
        let State::Live(live) = &self.state else { return Answer::Nothing };
        if live.leaving.is_some() {
            return Answer::Nothing;
        }
        let (announcement, heard, oldest) = (live.announcement, live.playout.heard(), live.playout.oldest());
        Answer::Broadcast { announcement, heard, oldest, sample: self.view.sample(peer, now, cx.rng()) }
    }

    /// Leaves: children are told to move, and sent symbols until they have.
    pub(super) fn leave(&mut self, op: Option<OpId>, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else {
            if let Some(op) = op {
                cx.finish(op, Err(Error::NotJoined));
            }
            return;
        };
        match (&mut live.leaving, op) {
            (Some((waiting @ None, _)), Some(op)) => *waiting = Some(op),
            (Some(_), Some(op)) => cx.finish(op, Err(Error::Stopped)),
            // Asked to stop: `Halt` follows as soon as it has left.
            (Some(_), None) => {}
            (None, _) => {
                live.leaving = Some((op, now + FAREWELL));
                let mut out = Vec::new();
                if let Some(source) = &mut live.source {
                    for op in source.unsent() {
                        cx.finish(op, Err(Error::Stopped));
                    }
                    if !source.is_ended {
                        source.end(unix_micros(cx), &mut out);
                    }
                }
                // Where the source leaves there is nothing to move for: it stays for a while, for who misses the end.
                let is_source = live.source.is_some();
                let moves: Vec<_> = (0_u8..)
                    .zip(&live.trees)
                    .filter(|_| !is_source)
                    .flat_map(|(tree, at)| {
                        let to = at.parent.as_ref().map(|parent| Known {
                            id: parent.id,
                            addr: parent.addr,
                            age: 0,
                        });
                        at.children.iter().map(move |child| (tree, child.addr, child.token, to))
                    })
                    .collect();
                self.emit(out, cx);
                if is_source {
                    self.tell_all_still(cx);
                    if let Some(live) = self.live() {
                        live.next_place = now + SOON;
                    }
                }
                for (tree, addr, token, to) in moves {
                    self.tell(addr, token, Tell::Move { tree, to }, cx);
                }
            }
        }
        if op.is_none() {
            // Stopping: nothing else may begin.
            if let Some(live) = self.live()
                && let Some(joining) = live.joining.take()
            {
                cx.finish(joining, Err(Error::Stopped));
            }
        }
        self.leave_if_alone(op.is_none(), cx);
        self.pace(cx);
    }

    /// Is gone once nobody is left who needs it, or it has waited for long enough.
    pub(super) fn leave_if_alone(&mut self, stopping: bool, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        let Some((op, until)) = live.leaving else { return };
        let needed = live.source.is_some() || live.trees.iter().any(|tree| !tree.children.is_empty());
        if until > now && needed {
            return;
        }
        for (addr, trees) in live.parents() {
            self.tell_known(addr, Tell::Gone { trees }, cx);
        }
        self.unlink_all(cx);
        self.end(Error::Stopped, cx);
        if let Some(op) = op {
            cx.finish(op, Ok(()));
        }
        if stopping || op.is_none() {
            cx.halt();
        }
    }

    /// Takes part in nothing any more; whoever waits is told why.
    pub(super) fn end(&mut self, why: Error, cx: &mut Context<'_>) {
        self.exit_lan(cx);
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Idle => {}
            State::Greeting { op, .. } => cx.finish(op, Err(why)),
            State::Live(live) => {
                if let Some(op) = live.joining {
                    cx.finish(op, Err(why));
                }
                for viewer in live.viewers {
                    cx.finish(viewer.op(), Err(why));
                }
            }
        }
        self.view = Default::default();
        self.questions = Default::default();
        for timer in [Timer::Playout, Timer::Repair, Timer::Overdue, Timer::Tick, Timer::Flush, Timer::Pace] {
            cx.clear_timer(timer);
        }
    }
}

/// Microseconds since 1970.
pub(super) fn unix_micros(cx: &Context<'_>) -> u64 {
    cx.unix_now().as_nanos() / 1_000
}

/// Generations of so much of the stream, by the rate that its source announced.
fn generations(of: Duration, announcement: &Announcement) -> u64 {
    let generation = LARGEST_PACKET as u64 * u64::from(announcement.shape[1].max(1));
    let bytes = of.as_nanos() * u128::from(announcement.rate) / 1_000_000_000;
    u64::try_from(bytes / u128::from(generation)).unwrap_or(u64::MAX)
}

/// Generations of the playout: in all, and behind the output.
fn depth(config: &Config, announcement: &Announcement, shape: Shape) -> (usize, usize) {
    let most = MOST_KEPT / (usize::from(shape.symbols()) * LARGEST_PACKET);
    let kept = generations(config.keep.max(config.begin), announcement);
    // A little more: a batch is closed behind its packets.
    let kept = usize::try_from(kept.saturating_add(kept / 8)).unwrap_or(most).min(most);
    let history = config.history.min(config.window / 2).max(kept);
    (config.window.saturating_add(kept), history)
}

/// Symbols in a second, as children in one tree, that so much upload is good for: a tree's share of the stream, with a
/// twentieth for heads and manifests.
fn copies(upload: u32, rate: u32, shape: Shape) -> u16 {
    let share = f64::from(rate.max(1)) * shape.expansion() * 1.05 / f64::from(shape.trees());
    // Saturates.
    (f64::from(upload) / share) as u16
}
