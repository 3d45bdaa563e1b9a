//! Members whose ways out differ, and are too few: Birrer and Bustamante 2007, table IX (access links of Gnutella hosts).

use super::{Audience, HEADS, Setting};
use crate::rings::Spread;
use p2p_core::{Duration, Instant, Rng};
use p2p_sim::churn::Session;
use p2p_sim::{Bandwidth, Links, NodeIx, Setup};

/// A class of access links.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// What it is called.
    pub name: &'static str,
    /// Of 100 hosts.
    pub share: u32,
    /// Bits in a second up.
    pub up: u64,
    /// Bits in a second down.
    pub down: u64,
}

/// As hosts of Gnutella said of themselves, and as they were measured (Saroiu, Gummadi and Gribble 2002: 8 % behind
/// modems, 22 % with less than 100 kbit/s up, most behind cable and DSL, 8 % with 10 Mbit/s up or more).
pub const GNUTELLA: [Access; 6] = [
    Access { name: "modem", share: 8, up: 33_600, down: 56_000 },
    Access { name: "ISDN", share: 14, up: 96_000, down: 128_000 },
    Access { name: "DSL", share: 28, up: 256_000, down: 1_500_000 },
    Access { name: "cable", share: 30, up: 384_000, down: 3_000_000 },
    Access { name: "T1", share: 12, up: 1_544_000, down: 1_544_000 },
    Access { name: "LAN", share: 8, up: 10_000_000, down: 10_000_000 },
];

/// What the members of a class were given.
#[derive(Debug, Clone)]
pub struct ClassGiven {
    /// What it is called.
    pub name: &'static str,
    /// How many times the stream each of them can send.
    pub degree: f64,
    /// How many sessions.
    pub members: usize,
    /// Packets that went out, of those that were sent meanwhile.
    pub delivered: f64,
}

/// What members were given.
#[derive(Debug, Clone)]
pub struct Scarce {
    /// What all can send, the source included, of what all would be sent: below 1 not all can have everything.
    pub index: f64,
    /// Packets that went out, of those that were sent while each member watched.
    pub delivered: f64,
    /// Milliseconds from the source to the output.
    pub delay: f64,
    /// Class by class.
    pub classes: Vec<ClassGiven>,
    /// Bytes that each member sent in a second beside the stream, heads of UDP and IP included.
    pub control: f64,
    /// Seconds from asking to join to the first packet.
    pub first: Spread,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// So much of its way out a member gives to the stream: the rest is for what else it says, and for heads.
const GIVEN: f64 = 0.85;
/// Each is as far behind a burst at most.
const HEAD: f64 = 46.0;

/// Hosts of these classes join over a minute, stay for `up` and are replaced by others of their class, for so long.
#[must_use]
pub fn scarce(
    seed: u64,
    hosts: usize,
    links: impl Links,
    setting: Setting,
    classes: &[Access],
    (up, span): (Session, Duration),
) -> Scarce {
    let mut dice = Rng::fast_from(seed);
    let mut audience = Audience::new(seed, links, setting);
    // Bits in a second of one copy, heads of UDP and IP and ours included.
    let copy = (setting.packet as f64 + HEAD) * f64::from(setting.packets) * setting.shape.expansion() * 8.0;
    let degree = |class: &Access| GIVEN * class.up as f64 / copy * setting.shape.expansion();
    let class_of = |host: usize| {
        let mut at = (host * 100 / hosts) as u32;
        classes
            .iter()
            .position(|class| {
                at < class.share || {
                    at -= class.share;
                    false
                }
            })
            .unwrap_or(0)
    };
    let begin = Duration::from_secs(60);
    let mut next: Vec<(Instant, Option<NodeIx>)> =
        (0..hosts).map(|_| (Instant::ZERO + begin.mul_f64(dice.unit()), None)).collect();
    let from = Instant::ZERO + begin + Duration::from_secs(60);
    let mut gone: Vec<(usize, NodeIx)> = Vec::new();
    while audience.sim.now() < from + span {
        let now = audience.sim.now();
        for (host, (at, there)) in next.iter_mut().enumerate() {
            if *at > now {
                continue;
            }
            if let Some(node) = there.take() {
                gone.push((class_of(host), node));
                if dice.chance(0.5) { audience.sim.kill(node) } else { audience.sim.stop(node) }
            }
            let class = &classes[class_of(host)];
            let setup = Setup::new().bandwidth(Bandwidth::bits(class.up, class.down));
            *there = Some(audience.join_as(setup, degree(class), None));
            *at = now + up.draw(&mut dice).max(Duration::from_secs(1));
        }
        audience.stream(Duration::from_secs(1));
    }
    let there = next.iter().enumerate().filter_map(|(host, (_, node))| Some((class_of(host), (*node)?)));
    let all: Vec<(usize, NodeIx)> = gone.into_iter().chain(there).collect();
    let mut sums = vec![(0_usize, 0_u64, 0_u64); classes.len()];
    let (mut control, mut watched) = (0.0, 0.0);
    for (class, node) in all {
        let counts = audience.sim.machine(node).counts();
        let Some(given) = audience.given(node) else { continue };
        let until =
            if audience.sim.is_alive(node) { audience.sim.now() - setting.patience } else { given.at };
        let last = audience.sent_before(until).max(given.last + 1);
        let sum = &mut sums[class];
        *sum = (sum.0 + 1, sum.1 + last - given.first, sum.2 + given.packets);
        watched += (last - given.first) as f64 / f64::from(setting.packets);
        control += counts.control.all().with_heads(HEADS) as f64;
    }
    let share = |due: u64, given: u64| given as f64 / due.max(1) as f64;
    let (due, given) = sums.iter().fold((0, 0), |all, class| (all.0 + class.1, all.1 + class.2));
    let supply: f64 = (0..hosts).map(|host| degree(&classes[class_of(host)])).sum();
    let named = classes.iter().zip(&sums).map(|(class, (members, due, given))| ClassGiven {
        name: class.name,
        degree: degree(class),
        members: *members,
        delivered: share(*due, *given),
    });
    Scarce {
        index: (supply + setting.degree) / hosts as f64 / setting.shape.expansion(),
        delivered: share(due, given),
        delay: audience.delay(),
        classes: named.collect(),
        control: control / f64::max(watched, 1.0),
        first: audience.waits().into_iter().collect(),
        digest: audience.sim.digest(),
    }
}
