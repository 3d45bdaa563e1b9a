//! Everybody comes at once, as to the beginning of a match.

use super::{Audience, Setting};
use crate::rings::Spread;
use p2p_core::{Duration, Instant, Rng};
use p2p_sim::Links;

/// What newcomers were given.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// How many came.
    pub members: usize,
    /// Seconds from asking to join to the first packet.
    pub first: Spread,
    /// Members that were given nothing in the end.
    pub without: usize,
    /// Everything that happened, in 64 bits.
    pub digest: u64,
}

/// So many members join at random moments within `within`, all by the source; twenty seconds later it is looked.
#[must_use]
pub fn crowd(seed: u64, members: usize, within: Duration, links: impl Links, setting: Setting) -> Crowd {
    let mut dice = Rng::fast_from(seed);
    let mut audience = Audience::new(seed, links, setting);
    let mut moments: Vec<Instant> =
        (0..members).map(|_| Instant::ZERO + within.mul_f64(dice.unit())).collect();
    moments.sort_unstable();
    let mut moments = moments.into_iter().peekable();
    let end = Instant::ZERO + within + Duration::from_secs(20);
    let step = Duration::from_secs(1) / setting.packets;
    while audience.sim.now() < end {
        while moments.next_if(|at| *at <= audience.sim.now()).is_some() {
            audience.join();
        }
        audience.stream(step);
    }
    let waits = audience.waits();
    let without = members - waits.len();
    Crowd { members, first: waits.into_iter().collect(), without, digest: audience.sim.digest() }
}
