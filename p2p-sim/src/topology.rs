//! A generated internet: transit domains, and stub domains that hang on them (Zegura, Calvert, Bhattacharjee 1996).

use crate::links::{Links, jittered};
use crate::node::NodeIx;
use p2p_core::{Duration, Instant, Rng};

/// The size of a generated internet, and the delays of its links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Transit domains.
    pub transits: u32,
    /// Routers of each.
    pub routers: u32,
    /// Stub domains of each of these routers.
    pub stubs: u32,
    /// Routers of each stub domain.
    pub hosts: u32,
    /// The delay of a link between transit domains.
    pub between: Duration,
    /// Of a link within one.
    pub transit: Duration,
    /// Of a link from a transit router to a stub domain.
    pub access: Duration,
    /// Of a link within a stub domain.
    pub local: Duration,
}

impl Default for Shape {
    /// 3 x 8 transit routers with 3 stub domains of 8 routers each: 600 routers, as in much of the literature.
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            transits: 3,
            routers: 8,
            stubs: 3,
            hosts: 8,
            between: ms(40),
            transit: ms(20),
            access: ms(5),
            local: ms(2),
        }
    }
}

/// A graph of few nodes, and its shortest paths.
#[derive(Debug, Clone)]
struct Domain {
    size: usize,
    nanos: Vec<u64>,
    /// The next node on the way.
    next: Vec<u32>,
}

const FAR: u64 = u64::MAX / 4;

impl Domain {
    fn new(size: usize) -> Self {
        let mut domain = Self { size, nanos: vec![FAR; size * size], next: vec![0; size * size] };
        for node in 0..size {
            domain.nanos[node * size + node] = 0;
            domain.next[node * size + node] = node as u32;
        }
        domain
    }

    fn link(&mut self, a: usize, b: usize, delay: Duration) {
        if a != b {
            for (from, to) in [(a, b), (b, a)] {
                self.nanos[from * self.size + to] = delay.as_nanos() as u64;
                self.next[from * self.size + to] = to as u32;
            }
        }
    }

    /// A ring with as many chords again, at random: connected, with more than one way.
    fn ring(&mut self, first: usize, count: usize, delay: Duration, rng: &mut Rng) {
        for at in 0..count {
            if count > 1 {
                self.link(first + at, first + (at + 1) % count, delay);
            }
            if count > 3 && rng.chance(0.5) {
                self.link(first + at, first + rng.index(count), delay);
            }
        }
    }

    /// All shortest paths (Floyd and Warshall).
    fn settle(&mut self) {
        for via in 0..self.size {
            for from in 0..self.size {
                let first = self.nanos[from * self.size + via];
                for to in 0..self.size {
                    let nanos = first + self.nanos[via * self.size + to];
                    if nanos < self.nanos[from * self.size + to] {
                        self.nanos[from * self.size + to] = nanos;
                        self.next[from * self.size + to] = self.next[from * self.size + via];
                    }
                }
            }
        }
    }

    fn delay(&self, from: usize, to: usize) -> u64 {
        self.nanos[from * self.size + to]
    }

    fn path(&self, from: usize, to: usize, mut step: impl FnMut(usize, usize)) {
        let mut at = from;
        while at != to {
            let next = self.next[at * self.size + to] as usize;
            step(at, next);
            at = next;
        }
    }
}

/// A generated internet. Nodes sit at stub routers drawn from the seed; delays follow shortest paths.
#[derive(Debug, Clone)]
pub struct TransitStub {
    seed: u64,
    shape: Shape,
    core: Domain,
    stubs: Vec<Domain>,
    jitter: f64,
    loss: f64,
}

impl TransitStub {
    /// Generates one.
    #[must_use]
    pub fn new(seed: u64, shape: Shape) -> Self {
        let mut rng = Rng::fast_from(seed);
        let (transits, routers) = (shape.transits.max(1) as usize, shape.routers.max(1) as usize);
        let mut core = Domain::new(transits * routers);
        for domain in 0..transits {
            core.ring(domain * routers, routers, shape.transit, &mut rng);
        }
        for a in 0..transits {
            for b in a + 1..transits {
                let (from, to) = (rng.index(routers), rng.index(routers));
                core.link(a * routers + from, b * routers + to, shape.between);
            }
        }
        core.settle();
        let count = transits * routers * shape.stubs.max(1) as usize;
        let stubs = (0..count)
            .map(|_| {
                let size = shape.hosts.max(1) as usize;
                let mut stub = Domain::new(size);
                stub.ring(0, size, shape.local, &mut rng);
                stub.settle();
                stub
            })
            .collect();
        Self { seed, shape, core, stubs, jitter: 0.0, loss: 0.0 }
    }

    /// Adds up to this share of the delay, drawn anew for each packet.
    #[must_use]
    pub const fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// Loses this share of all packets (0 to 1).
    #[must_use]
    pub const fn loss(mut self, share: f64) -> Self {
        self.loss = share;
        self
    }

    /// The stub domain of a node, and its router there.
    #[must_use]
    pub fn place(&self, node: NodeIx) -> (usize, usize) {
        let mut rng =
            Rng::fast_from(self.seed ^ (node.index() as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (rng.index(self.stubs.len()), rng.index(self.shape.hosts.max(1) as usize))
    }

    fn router(&self, stub: usize) -> usize {
        stub / self.shape.stubs.max(1) as usize
    }

    /// The delay between two nodes without jitter.
    #[must_use]
    pub fn delay(&self, from: NodeIx, to: NodeIx) -> Duration {
        let ((a, x), (b, y)) = (self.place(from), self.place(to));
        if a == b {
            // Each node hangs on its router by a link of the stub's kind.
            return Duration::from_nanos(self.stubs[a].delay(x, y)) + self.shape.local * 2;
        }
        // Router 0 of a stub domain is its gateway.
        let inside = self.stubs[a].delay(x, 0) + self.stubs[b].delay(0, y);
        let between = self.core.delay(self.router(a), self.router(b));
        Duration::from_nanos(inside + between) + (self.shape.access + self.shape.local) * 2
    }

    /// The links on the way between two nodes, each named by a number, the same in both directions: to count how
    /// often one packet crosses a link ("stress").
    #[must_use]
    pub fn route(&self, from: NodeIx, to: NodeIx) -> Vec<u64> {
        let ((a, x), (b, y)) = (self.place(from), self.place(to));
        let name = |kind: u64, at: usize, u: usize, v: usize| {
            kind << 60 | (at as u64) << 40 | (u.min(v) as u64) << 20 | u.max(v) as u64
        };
        let mut links = vec![3 << 60 | from.index() as u64];
        if a == b {
            self.stubs[a].path(x, y, |u, v| links.push(name(1, a, u, v)));
        } else {
            self.stubs[a].path(x, 0, |u, v| links.push(name(1, a, u, v)));
            links.push(name(2, 0, a, a));
            self.core.path(self.router(a), self.router(b), |u, v| links.push(name(0, 0, u, v)));
            links.push(name(2, 0, b, b));
            self.stubs[b].path(0, y, |u, v| links.push(name(1, b, u, v)));
        }
        links.push(3 << 60 | to.index() as u64);
        links
    }
}

impl Links for TransitStub {
    fn carry(&mut self, from: NodeIx, to: NodeIx, _: usize, _: Instant, rng: &mut Rng) -> Option<Duration> {
        if self.loss > 0.0 && rng.chance(self.loss) {
            return None;
        }
        Some(jittered(self.delay(from, to), self.jitter, rng))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_connected_and_a_route_adds_up_to_its_delay() {
        let shape = Shape::default();
        let links = TransitStub::new(4, shape);
        for (a, b) in (0..200).map(|n| (NodeIx::new(n), NodeIx::new(n * 7 + 3))) {
            let delay = links.delay(a, b);
            assert!(delay < Duration::from_secs(1), "{delay:?}");
            assert_eq!(delay, links.delay(b, a));
            let there = links.route(a, b);
            let sum: Duration = there
                .iter()
                .map(|link| match link >> 60 {
                    1 | 3 => shape.local,
                    2 => shape.access,
                    _ => {
                        let (u, v) = ((link >> 20) as u32 & 0xf_ffff, *link as u32 & 0xf_ffff);
                        if u / shape.routers == v / shape.routers { shape.transit } else { shape.between }
                    }
                })
                .sum();
            assert_eq!(sum, delay);
        }
    }
}
