//! Lookups under way: what they are for, and what becomes of their results.

use super::running::{Doubt, Running};
use super::{Chord, Context, Purpose, State, peers};
use crate::api::{Event, Timer};
use crate::config::Routing;
use crate::contact::Contact;
use crate::error::Error;
use crate::fingers::Slot;
use crate::id::RingId;
use crate::lookup::{Lookup, Report};
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::wire::{Answer, Ask};
use alloc::boxed::Box;
use alloc::vec::Vec;
use p2p_core::{Duration, Instant, OpId};

/// Contacts that a lookup begins with.
const SEEDS: usize = 16;

/// What a lookup is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// To join.
    Join,
    /// The application asked.
    Op(OpId),
    /// To fill a slot with a finger.
    Finger(Slot),
    /// To get something, which whoever has it on the way gives at once.
    Get(u32),
    /// To put something.
    Put(u32),
    /// To see whether there is another ring.
    Merge,
    /// To bring records to whom they belong.
    Home,
    /// To learn who is responsible for what may be here no more.
    Sweep,
}

impl Chord {
    /// Looks for who is responsible for a place.
    pub(super) fn look_up(&mut self, target: RingId, goal: Goal, cx: &mut Context<'_>) {
        let seeds: Vec<Contact> = match &self.state {
            State::Member(ring) => {
                // Who has just joined does not know yet for what it is responsible.
                let is_sure = ring.is_small() || ring.predecessor().is_some();
                let owners = ring.owners(target).filter(|_| is_sure);
                let owners: Vec<Peer> = owners.into_iter().flatten().copied().collect();
                let owners = self.with_unheard(target, owners);
                let mut seeds = Vec::with_capacity(SEEDS);
                seeds.extend(self.closest(ring, target, SEEDS).copied());
                if !owners.is_empty() {
                    let hops = u16::from(owners.first() != Some(&ring.me()));
                    let Some(number) = self.begin(target, goal, seeds, cx) else { return };
                    if let Some(running) = self.lookups.get_mut(&number) {
                        running.lookup.report.hops = hops;
                    }
                    return self.named(number, owners, cx);
                }
                if seeds.is_empty() { ring.successors().to_vec() } else { seeds }
            }
            State::Guest => self.fingers.contacts().copied().collect(),
            State::Outside | State::Joining(_) => return self.not_reached(goal, Error::NotJoined, cx),
        };
        if let Some(guess) = self.guess(target) {
            let before = self.members_before(target, SEEDS / 2).map(Contact::unmet);
            let seeds = before.chain(seeds).collect();
            let Some(number) = self.begin(target, goal, seeds, cx) else { return };
            if let Some(running) = self.lookups.get_mut(&number) {
                running.lookup.guess(guess);
            }
            return self.go_on(number, cx);
        }
        // The answer comes from a stranger, which a node that does not route may be unable to hear.
        if self.config.routing == Routing::Iterative || !self.is_member() || !self.config.routes {
            return self.look_up_from(target, goal, seeds, cx);
        }
        if let Some(number) = self.begin(target, goal, seeds, cx) {
            self.begin_route(number, target, cx);
        }
    }

    pub(super) fn look_up_from(
        &mut self,
        target: RingId,
        goal: Goal,
        seeds: impl IntoIterator<Item = Contact>,
        cx: &mut Context<'_>,
    ) {
        if let Some(number) = self.begin(target, goal, seeds.into_iter().collect(), cx) {
            self.go_on(number, cx);
        }
    }

    /// Notes a lookup, of which nobody was asked yet.
    fn begin(
        &mut self,
        target: RingId,
        goal: Goal,
        seeds: Vec<Contact>,
        cx: &mut Context<'_>,
    ) -> Option<u32> {
        if self.lookups.len() >= self.config.lookups {
            self.not_reached(goal, Error::Busy, cx);
            return None;
        }
        let number = self.next_lookup;
        self.next_lookup = number.wrapping_add(1);
        let parallel = match goal {
            Goal::Get(_) | Goal::Put(_) | Goal::Sweep => self.config.careful,
            // Nobody waits for a finger.
            Goal::Finger(_) => 1,
            Goal::Join | Goal::Op(_) | Goal::Merge | Goal::Home => self.config.parallel,
        };
        let lookup = Lookup::new(target, parallel, &seeds).alike(self.config.alike);
        self.lookups.insert(
            number,
            Box::new(Running {
                lookup,
                goal,
                owners: Vec::new(),
                alive: Vec::new(),
                route: None,
                waited: Instant::ZERO,
                doubt: Doubt::None,
                early: Vec::new(),
            }),
        );
        // A task has its own time, in which several lookups may fall.
        if !matches!(goal, Goal::Get(_) | Goal::Put(_)) {
            cx.set_timer(Timer::Lookup(number), self.config.patience);
        }
        Some(number)
    }

    /// Asks as many as may be asked at a time.
    pub(super) fn go_on(&mut self, number: u32, cx: &mut Context<'_>) {
        let before = self.ring().and_then(|ring| ring.predecessor().copied());
        loop {
            let Some(running) = self.lookups.get_mut(&number) else { return };
            if running.lookup.is_over() && running.doubt == Doubt::Open {
                return self.named(number, Vec::new(), cx);
            }
            if running.lookup.is_over() {
                let Some(contact) = running.lookup.widen() else {
                    // Nobody behind us answers: who is before us knows others.
                    if let Some(before) = before.filter(|_| running.goal != Goal::Merge)
                        && running.lookup.fall_back(before)
                    {
                        continue;
                    }
                    return self.end(number, Err(Error::NoRoute), cx);
                };
                let ask = Ask::Neighbours { notify: false, known: 0 };
                return self.ask(contact, ask, Insistence::Once, Purpose::Widen(number), cx);
            }
            let (target, goal) = (running.lookup.target(), running.goal);
            let Some(contact) = running.lookup.next() else { return };
            let ask = self.step_towards(target, goal);
            self.ask(contact, ask, Insistence::Once, Purpose::Step(number), cx);
        }
    }

    pub(super) fn stepped(&mut self, number: u32, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let (network, me) = (self.config.network, self.peer());
        let Some(running) = self.lookups.get_mut(&number) else { return };
        let goal = running.goal;
        match answer {
            Answer::Owners(list) => {
                let owners = peers(network, list);
                if running.lookup.owners(contact.peer, &owners) {
                    if owners.first() == Some(&contact.peer) {
                        running.hear(contact.peer, cx.now());
                    }
                    // In doubt, whoever is nearest knows best.
                    if running.doubt == Doubt::Open && running.lookup.awaits_nearer(contact.peer) {
                        running.owners.extend(owners);
                        return self.go_on(number, cx);
                    }
                    self.has_nothing(goal, contact);
                    return self.named(number, owners, cx);
                }
            }
            Answer::Closer(list) => {
                // Whoever looks for its own place is named itself, and knows what it knows.
                let closer = list.into_iter().rev().filter_map(|place| place.peer(network));
                let closer = closer.filter(|peer| Some(*peer) != me).map(Contact::unmet);
                running.lookup.closer(contact.peer, closer);
            }
            Answer::Records(_) | Answer::Cached(_) | Answer::Large if matches!(goal, Goal::Get(_)) => {
                running.lookup.holder(contact.peer);
                return self.end_at_holder(number, contact, answer, cx);
            }
            _ => running.lookup.refused(contact.peer),
        }
        self.go_on(number, cx);
    }

    /// The question that is passed on for a lookup has this number.
    pub(super) fn set_route(&mut self, number: u32, route: u32) {
        if let Some(running) = self.lookups.get_mut(&number) {
            running.route = Some(route);
        }
    }

    pub(super) fn lookup_of_route(&self, route: u32) -> Option<u32> {
        let of_route = self.lookups.iter().find(|(_, running)| running.route == Some(route));
        of_route.map(|(number, _)| *number)
    }

    /// Adds what a question cost that was passed on.
    pub(super) fn count_route(&mut self, number: u32, hops: u8, messages: u16, timeouts: u8) {
        if let Some(running) = self.lookups.get_mut(&number) {
            running.lookup.report.routed(hops, messages, timeouts);
        }
    }

    /// The first hop of a question is silent, and will not say that it has it.
    pub(super) fn count_silence(&mut self, number: u32) {
        if let Some(running) = self.lookups.get_mut(&number) {
            running.lookup.report.messages = running.lookup.report.messages.saturating_sub(1);
            running.lookup.report.routed(0, 0, 1);
        }
    }

    /// Whoever is responsible said so itself.
    pub(super) fn route_ends(&mut self, number: u32, owners: Vec<Peer>, cx: &mut Context<'_>) {
        self.end(number, Ok(owners), cx);
    }

    /// No answer to what was passed on. One that comes late is as good.
    pub(super) fn route_late(&mut self, number: u32, cx: &mut Context<'_>) {
        self.count_route(number, 0, 0, 1);
        self.step_by_step(number, cx);
    }

    /// Asks each node itself: passing the question on led nowhere.
    pub(super) fn step_by_step(&mut self, number: u32, cx: &mut Context<'_>) {
        self.pending.forget(|purpose| *purpose == Purpose::Route(number));
        cx.clear_timer(Timer::Route(number));
        self.go_on(number, cx);
    }

    /// Who answered before named all its successors.
    pub(super) fn widened(&mut self, number: u32, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let (network, me) = (self.config.network, self.peer());
        let Some(running) = self.lookups.get_mut(&number) else { return };
        let list = match answer {
            Answer::Neighbours { successors: Some(list), .. } => list,
            _ => Vec::new(),
        };
        let list = peers(network, list);
        let (target, from) = (running.lookup.target(), contact.peer.id());
        let closer = list.iter().rev().copied().filter(|peer| Some(*peer) != me);
        running.lookup.closer(contact.peer, closer.map(Contact::unmet));
        // More of those behind the place than it names when asked for it.
        let is_behind = |peer: &Peer| target.in_arc_to(from, peer.id()) && !running.lookup.is_buried(*peer);
        let owners: Vec<Peer> = list.into_iter().filter(is_behind).collect();
        match owners.is_empty() || running.doubt == Doubt::Open {
            true => self.go_on(number, cx),
            false => self.named(number, owners, cx),
        }
    }

    pub(super) fn step_failed(&mut self, number: u32, peer: Peer, cx: &mut Context<'_>) {
        if let Some(running) = self.lookups.get_mut(&number) {
            running.lookup.failed(peer);
            self.go_on(number, cx);
        }
    }

    pub(super) fn lookup_late(&mut self, number: u32, cx: &mut Context<'_>) {
        self.end(number, Err(Error::Deadline), cx);
    }

    /// A lookup that is over, with its timer and its questions gone.
    fn take_lookup(&mut self, number: u32, cx: &mut Context<'_>) -> Option<Running> {
        let running = self.lookups.remove(&number)?;
        // An empty map keeps its last node, and most nodes look up nothing most of the time.
        if self.lookups.is_empty() {
            self.lookups = alloc::collections::BTreeMap::new();
        }
        cx.clear_timer(Timer::Lookup(number));
        if running.route.is_some() {
            cx.clear_timer(Timer::Route(number));
        }
        self.pending.forget(|purpose| purpose.lookup() == Some(number));
        Some(*running)
    }

    pub(super) fn end(&mut self, number: u32, result: Result<Vec<Peer>, Error>, cx: &mut Context<'_>) {
        let Some(Running { lookup, goal, .. }) = self.take_lookup(number, cx) else { return };
        match (result, goal) {
            (Ok(owners), _) => self.reached(goal, lookup.target(), owners, lookup.report, cx),
            (Err(error), Goal::Op(op)) => {
                let failed = Event::Failed { key: lookup.target(), report: lookup.report };
                self.end_op(Some(op), failed, Err(error), cx);
            }
            (Err(error), _) => self.not_reached(goal, error, cx),
        }
    }

    fn reached(
        &mut self,
        goal: Goal,
        target: RingId,
        owners: Vec<Peer>,
        report: Report,
        cx: &mut Context<'_>,
    ) {
        match goal {
            Goal::Join => self.found_place(&owners, cx),
            Goal::Finger(slot) => self.finger_found(slot, &owners, cx),
            Goal::Merge => self.others_found(&owners, cx),
            Goal::Home => self.home_found(&owners, cx),
            Goal::Get(task) => self.get_from(task, owners, report, cx),
            Goal::Put(task) => self.put_at(task, owners, report, cx),
            Goal::Sweep => self.sweep_found(&owners, cx),
            Goal::Op(op) => {
                cx.answer(op, Event::Owners { target, owners, report });
                cx.finish(op, Ok(()));
            }
        }
    }

    fn not_reached(&mut self, goal: Goal, error: Error, cx: &mut Context<'_>) {
        match goal {
            Goal::Join => self.join_again(cx),
            Goal::Finger(_) | Goal::Merge | Goal::Home => {}
            Goal::Sweep => self.sweep_ends(),
            Goal::Get(task) | Goal::Put(task) => self.no_way(task, error, cx),
            Goal::Op(op) => cx.finish(op, Err(error)),
        }
    }

    /// Whoever was asked on the way has what is wanted.
    fn end_at_holder(&mut self, number: u32, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let Some(running) = self.take_lookup(number, cx) else { return };
        if let Goal::Get(task) = running.goal {
            self.met_holder(task, contact, answer, running.lookup.report, cx);
        }
    }

    /// Whether a lookup is under way for this.
    pub(super) fn is_looking_for(&self, goal: Goal) -> bool {
        self.lookups.values().any(|running| running.goal == goal)
    }

    /// Ends the lookup of a task that is over.
    pub(super) fn drop_lookup(&mut self, goal: Goal, cx: &mut Context<'_>) {
        let of_goal = self.lookups.iter().find(|(_, running)| running.goal == goal);
        if let Some(number) = of_goal.map(|(number, _)| *number) {
            self.take_lookup(number, cx);
        }
    }

    /// An operation is to be over after this time.
    pub(super) fn limit(&self, op: OpId, span: Duration, cx: &mut Context<'_>) {
        let of_op = self.lookups.iter().find(|(_, running)| running.goal == Goal::Op(op));
        if let Some((number, _)) = of_op {
            cx.set_timer(Timer::Lookup(*number), span);
        } else if let Some(number) = self.task_of(op) {
            cx.set_timer(Timer::Task(number), span);
        }
    }

    /// Nobody waits for an operation any more.
    pub(super) fn cancel(&mut self, op: OpId, cx: &mut Context<'_>) {
        let of_op = self.lookups.iter().find(|(_, running)| running.goal == Goal::Op(op));
        match of_op.map(|(number, _)| *number) {
            Some(number) => self.end(number, Err(Error::Cancelled), cx),
            None if self.cancel_task(op, cx) => {}
            None if self.cancel_walk(op, cx) => {}
            None => self.cancel_join(op, cx),
        }
    }

    /// Ends all lookups that somebody waits for.
    pub(super) fn stop_lookups(&mut self, cx: &mut Context<'_>) {
        while let Some((&number, _)) = self.lookups.first_key_value() {
            self.end(number, Err(Error::Stopped), cx);
        }
    }
}
