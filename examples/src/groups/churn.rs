//! A group whose members come and go: Birrer and Bustamante 2004, section 5 (512 hosts, sessions of 5 minutes, 2 minutes
//! away; 10 packets of 100 bytes a second; 3.2 s of playout buffer).

use super::{Audience, Given, HEADS, Setting};
use crate::rings::Spread;
use p2p_core::{Duration, Instant, Rng};
use p2p_esm::wire::Kind;
use p2p_esm::{Counts, Sent};
use p2p_sim::churn::Session;
use p2p_sim::{Links, NodeIx};
use std::collections::{BTreeMap, VecDeque};

/// Whoever leaves is gone by then.
const LEAVES: Duration = Duration::from_secs(10);

/// What a group went through.
#[derive(Debug, Clone)]
pub struct Churn {
    /// Hosts that come and go.
    pub hosts: usize,
    /// How many sessions ended.
    pub ended: usize,
    /// Packets that went out, of those that were sent while each member watched.
    pub delivered: f64,
    /// Symbols that came twice, or too late to be kept, of all members together, for each packet that was sent: what
    /// the paper counts. Those that came down a tree, from a parent or who was one.
    pub twice: f64,
    /// The same of those that came from somebody else: most of them were asked for.
    pub asked_twice: f64,
    /// Manifests that came twice, counted so.
    pub signed_twice: f64,
    /// Symbols sent for each that a member needed.
    pub sent: f64,
    /// Bytes that each member sent in a second beside the stream, heads of UDP and IP included.
    pub control: f64,
    /// The same until counting began.
    pub control_before: f64,
    /// The same of each [`Kind`], in their order.
    pub control_of: [f64; Kind::ALL.len()],
    /// Milliseconds from the source to the output.
    pub delay: f64,
    /// Seconds from asking to join to a place in every tree.
    pub joins: Spread,
    /// Parents lost in all.
    pub lost_parents: u64,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// How hosts come and go.
#[derive(Debug, Clone, Copy)]
pub struct Going {
    /// They join over so long.
    pub begin: Duration,
    /// They are left alone for so long then, and their sessions begin only then; what was until then does not count. Zero:
    /// everything counts, and nobody goes before all have come.
    pub rest: Duration,
    /// From then on each is there for so long.
    pub up: Session,
    /// And away for so long.
    pub down: Session,
    /// It is looked at them for so long.
    pub span: Duration,
}

impl Going {
    /// Sessions of five minutes, two minutes away, for so long.
    #[must_use]
    pub const fn often(span: Duration) -> Self {
        let up = Session::Exponential { mean: Duration::from_secs(300) };
        let down = Session::Exponential { mean: Duration::from_secs(120) };
        Self { begin: Duration::from_secs(200), rest: Duration::ZERO, up, down, span }
    }
}

/// Hosts join, and then come and go. Half of those who go crash.
#[must_use]
pub fn churn(seed: u64, hosts: usize, links: impl Links, setting: Setting, going: Going) -> Churn {
    let Going { begin, rest, up, down, span } = going;
    let mut dice = Rng::fast_from(seed);
    let mut audience = Audience::new(seed, links, setting);
    // When each host changes next, and who it is while it is there.
    let mut next: Vec<(Instant, Option<NodeIx>)> =
        (0..hosts).map(|_| (Instant::ZERO + begin.mul_f64(dice.unit()), None)).collect();
    let settled = Instant::ZERO + begin + rest;
    let until = settled + span;
    let (mut ended, mut due, mut given, mut watched) = (0, 0_u64, 0_u64, 0.0);
    // What does not count of those that were there when counting began.
    let mut before: BTreeMap<NodeIx, (Counts, Option<Given>)> = BTreeMap::new();
    let (mut first, mut control_before) = (0, 0.0);
    let mut counts = Counts::default();
    let mut lost_parents = 0;
    let mut add = |audience: &Audience, node: NodeIx, before: &BTreeMap<NodeIx, (Counts, Option<Given>)>| {
        let (was, was_given) = before.get(&node).copied().unwrap_or_default();
        let machine = audience.sim.machine(node).counts();
        counts.twice += machine.twice - was.twice;
        counts.asked_twice += machine.asked_twice - was.asked_twice;
        counts.signed_twice += machine.signed_twice - was.signed_twice;
        counts.sent += machine.sent - was.sent;
        counts.control.add_since(&machine.control, &was.control);
        lost_parents += machine.lost_parents - was.lost_parents;
        if let Some(given_now) = audience.given(node) {
            let first = was_given.map_or(given_now.first, |given| given.last + 1);
            // What is sent just now may still come.
            let last = audience.sent_before(audience.sim.now() - setting.patience).max(given_now.last + 1);
            due += last.saturating_sub(first);
            given += given_now.packets - was_given.map_or(0, |given| given.packets);
            watched += last.saturating_sub(first) as f64 / f64::from(setting.packets);
        }
    };
    // Who is gone, and when it will have left.
    let mut gone: VecDeque<(Instant, NodeIx)> = VecDeque::new();
    while audience.sim.now() < until {
        let now = audience.sim.now();
        if before.is_empty() && !rest.is_zero() && now >= settled {
            let there = next.iter().filter_map(|(_, there)| *there);
            let so_far = |node| (node, (audience.sim.machine(node).counts(), audience.given(node)));
            before = there.map(so_far).collect();
            let (mut sent, mut packets) = (0, 0);
            for (counts, given) in before.values() {
                sent += counts.control.all().with_heads(HEADS);
                packets += given.map_or(0, |given| given.last - given.first);
            }
            control_before = sent as f64 * f64::from(setting.packets) / packets.max(1) as f64;
            first = audience.sent();
        }
        while let Some((_, node)) = gone.pop_front_if(|(left, _)| *left <= now) {
            audience.forget(node);
        }
        for (at, there) in &mut next {
            if *at > now {
                continue;
            }
            match there.take() {
                None => {
                    *there = Some(audience.join());
                    let session = up.draw(&mut dice);
                    *at = now + session;
                    if now < settled {
                        // Those whose sessions would be over by then are not to go all at once, where there is time to rest.
                        *at = if rest.is_zero() { settled.max(*at) } else { settled + session };
                    }
                }
                Some(node) => {
                    add(&audience, node, &before);
                    if dice.chance(0.5) {
                        audience.sim.kill(node)
                    } else {
                        audience.sim.stop(node)
                    }
                    gone.push_back((now + LEAVES, node));
                    ended += 1;
                    *at = now + down.draw(&mut dice);
                }
            }
        }
        audience.stream(Duration::from_secs(1));
    }
    for node in next.iter().filter_map(|(_, there)| *there) {
        add(&audience, node, &before);
    }
    let (expansion, packets) = (setting.shape.expansion(), (audience.sent() - first).max(1) as f64);
    let rate = |sent: Sent| sent.with_heads(HEADS) as f64 / f64::max(watched, 1.0);
    Churn {
        hosts,
        ended,
        delivered: given as f64 / due.max(1) as f64,
        twice: counts.twice as f64 / packets,
        asked_twice: counts.asked_twice as f64 / packets,
        signed_twice: counts.signed_twice as f64 / packets,
        sent: counts.sent as f64 / (due.max(1) as f64 * expansion),
        control: rate(counts.control.all()),
        control_before,
        control_of: Kind::ALL.map(|kind| rate(counts.control.of(kind))),
        delay: audience.delay(),
        joins: audience.joins.iter().copied().collect(),
        lost_parents,
        digest: audience.sim.digest(),
    }
}
