//! What became of joins, leaves and lookups, and who is responsible meanwhile.

use super::verdict::Verdict;
use super::{LINGER, Lookup, Run, STEP};
use p2p_chord::{Peer, Report, RingId};
use p2p_core::Instant;
use p2p_sim::NodeIx;

impl Run<'_> {
    pub(super) fn watch(&mut self) {
        let sim = &self.sim;
        let (now, mut gone) = (sim.now(), Vec::new());
        self.leaving.retain(|(op, node)| {
            let done = sim.outcome(*op).is_some();
            if done {
                self.left.push((now + LINGER, *node));
            }
            !done
        });
        gone.extend(self.left.extract_if(.., |(at, _)| *at <= now).map(|(_, node)| node));
        let mut lost = Vec::new();
        let course = &mut self.course;
        self.joining.retain(|(op, node)| match sim.outcome(*op) {
            None => sim.is_alive(*node),
            Some(Ok(())) => {
                course.joined.0 += 1;
                self.since.insert(*node, now);
                false
            }
            Some(Err(_)) => {
                course.joined.1 += 1;
                lost.push(*node);
                false
            }
        });
        // Whatever happened since it was last watched may have happened as soon as that.
        self.watch_owners(now - STEP);
        let told = self.told.lock().map(|mut told| std::mem::take(&mut *told)).unwrap_or_default();
        for (at, asker, op, named, report) in told {
            if let Some(lookup) = self.under_way.remove(&op).filter(|lookup| lookup.counts) {
                self.judge(&lookup, (at, asker), named, report);
            }
        }
        self.words.forget_before(now);
        let (sim, course) = (&self.sim, &mut self.course);
        self.under_way.retain(|op, lookup| {
            let over = sim.outcome(*op);
            if let Some(outcome) = over.filter(|_| lookup.counts) {
                course.lookups += 1;
                course.failed += 1;
                course.faults.push(format!("{now:?} {:?}: {outcome:?}", lookup.target));
            }
            over.is_none()
        });
        for node in gone.into_iter().chain(lost) {
            self.bury(node);
        }
    }

    fn judge(&mut self, lookup: &Lookup, (at, asker): (Instant, NodeIx), named: Peer, report: Report) {
        let node = self.sim.node_at(named.addr().ip());
        let seconds = at.since(lookup.began).as_secs_f64();
        let said = self.words.sent(at, asker).unwrap_or(at);
        let verdict = lookup.history.judge(node, said, node.is_some_and(|node| self.is_member(node)));
        let course = &mut self.course;
        course.lookups += 1;
        course.hops += u64::from(report.hops);
        course.timeouts += u64::from(report.timeouts);
        course.seconds += seconds;
        course.slowest = course.slowest.max(seconds);
        match verdict {
            Verdict::Right => return,
            Verdict::Gone => course.gone += 1,
            Verdict::Preceded => course.preceded += 1,
            Verdict::Wrong => course.wrong += 1,
        }
        let fault = self.fault(lookup, (said, at), named, report, verdict);
        self.course.faults.push(fault);
    }

    /// What is known of a lookup that was not right.
    fn fault(
        &self,
        lookup: &Lookup,
        (said, at): (Instant, Instant),
        named: Peer,
        report: Report,
        verdict: Verdict,
    ) -> String {
        let age = |node: NodeIx| match self.since.get(&node) {
            Some(since) => format!("a member for {:.3} s", at.since(*since).as_secs_f64()),
            None => "there from the beginning".to_owned(),
        };
        let tell = |node: NodeIx| {
            let machine = self.sim.machine(node);
            let before = machine.predecessor().and_then(|before| self.sim.node_at(before.addr().ip()));
            let behind = machine.successors().next().and_then(|behind| self.sim.node_at(behind.addr().ip()));
            format!(
                "{node:?} ({}, {}, before it {before:?}, behind it {behind:?})",
                if self.is_member(node) { "member" } else { "gone" },
                age(node)
            )
        };
        let named = self.sim.node_at(named.addr().ip()).map(tell);
        let right = lookup.history.at(at).map(tell);
        format!(
            "{verdict:?} at {at:?} after {:.3} s, last word {} ms before, {report:?}: named {named:?}, right {right:?}",
            at.since(lookup.began).as_secs_f64(),
            at.since(said).as_millis()
        )
    }

    /// Notes who is responsible, as it has been since then at the latest.
    pub(super) fn watch_owners(&mut self, since: Instant) {
        let mut under_way = std::mem::take(&mut self.under_way);
        for lookup in under_way.values_mut() {
            if let Some(owner) = self.owner(lookup.target) {
                lookup.history.note(since, owner);
            }
        }
        self.under_way = under_way;
    }

    /// The member responsible for a place.
    fn owner(&self, target: RingId) -> Option<NodeIx> {
        let joins = |node: &NodeIx| self.joining.iter().any(|(_, joins)| joins == node);
        self.behind(target).find(|node| self.is_member(*node) && !joins(node))
    }

    fn behind(&self, target: RingId) -> impl Iterator<Item = NodeIx> {
        self.places.range(target..).chain(self.places.range(..target)).map(|(_, node)| *node)
    }
}
