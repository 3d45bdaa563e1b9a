//! Nodes as points in a cube: [`Space`], the model that Stoica et al. 2003 measured stretch in (table IV).

use p2p_core::{Duration, Instant, Rng};
use p2p_sim::{Links, NodeIx};

/// Nodes at points of a cube, drawn from a seed; a packet takes as long as the straight line is.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    seed: u64,
    /// How long a packet takes along a side.
    side: Duration,
}

impl Space {
    /// A cube with this side.
    #[must_use]
    pub const fn new(seed: u64, side: Duration) -> Self {
        Self { seed, side }
    }

    fn point(&self, node: NodeIx) -> [f64; 3] {
        let mut rng =
            Rng::fast_from(self.seed ^ (node.index() as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        core::array::from_fn(|_| rng.unit())
    }

    /// How long a packet takes from one to the other.
    #[must_use]
    pub fn delay(&self, from: NodeIx, to: NodeIx) -> Duration {
        let (a, b) = (self.point(from), self.point(to));
        let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
        Duration::from_nanos((self.side.as_nanos() as f64 * square.sqrt()) as u64)
    }
}

impl Links for Space {
    fn carry(&mut self, from: NodeIx, to: NodeIx, _: usize, _: Instant, _: &mut Rng) -> Option<Duration> {
        Some(self.delay(from, to))
    }
}
