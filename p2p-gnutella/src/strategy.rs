//! Ways to search a network of neighbours, and what each costs: flooding, expanding ring, random walks (Lv, Cao, Cohen, Li,
//! Shenker 2002), on a graph that is given.
//!
//! A message is a query on a link. Costs are as with real servents: a query is led on to all neighbours but the one that it
//! came from, and what came before is dropped. `servent` floods and rings by itself; nobody's wire has walks.

use alloc::vec;
use alloc::vec::Vec;
use p2p_core::Rng;

/// Who links to whom, and who has what is looked for.
pub trait Overlay {
    /// How many nodes there are: they are numbered from 0.
    fn nodes(&self) -> usize;
    /// The neighbours of a node.
    fn neighbours(&self, node: usize) -> &[u32];
    /// Whether a node has what is looked for.
    fn holds(&self, node: usize) -> bool;
}

/// What a search cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cost {
    /// Queries on links.
    pub messages: u64,
    /// Nodes reached, the source not counted; of a ring those of its last flood.
    pub reached: u64,
    /// Questions of walkers to the source whether to go on, not in `messages`.
    pub checks: u64,
    /// Hops to the first holder; `None` if none was found.
    pub hops: Option<u32>,
    /// The TTL of the last flood.
    pub ttl: u32,
}

/// Memory that floods use again: nothing is allocated for each.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    seen: Vec<u32>,
    round: u32,
    front: Vec<u32>,
    next: Vec<u32>,
}

/// A flood that goes on hop by hop.
struct Spread<'a, O> {
    overlay: &'a O,
    scratch: &'a mut Scratch,
    cost: Cost,
}

impl<'a, O: Overlay> Spread<'a, O> {
    fn new(overlay: &'a O, source: usize, scratch: &'a mut Scratch) -> Self {
        if scratch.seen.len() != overlay.nodes() || scratch.round == u32::MAX {
            scratch.seen = vec![0; overlay.nodes()];
            scratch.round = 0;
        }
        scratch.round += 1;
        scratch.seen[source] = scratch.round;
        scratch.front.clear();
        scratch.front.push(source as u32);
        Self { overlay, scratch, cost: Cost::default() }
    }

    /// What it costs with this TTL, which is no lower than it was.
    fn to(&mut self, ttl: u32) -> Cost {
        while self.cost.ttl < ttl && !self.scratch.front.is_empty() {
            self.cost.ttl += 1;
            self.hop();
        }
        self.cost.ttl = ttl;
        self.cost
    }

    fn hop(&mut self) {
        let (cost, scratch) = (&mut self.cost, &mut *self.scratch);
        scratch.next.clear();
        for node in &scratch.front {
            let neighbours = self.overlay.neighbours(*node as usize);
            // Not back to where it came from.
            cost.messages += neighbours.len() as u64 - u64::from(cost.ttl > 1);
            for other in neighbours {
                let seen = &mut scratch.seen[*other as usize];
                if *seen == scratch.round {
                    continue;
                }
                *seen = scratch.round;
                scratch.next.push(*other);
                if cost.hops.is_none() && self.overlay.holds(*other as usize) {
                    cost.hops = Some(cost.ttl);
                }
            }
        }
        cost.reached += scratch.next.len() as u64;
        core::mem::swap(&mut scratch.front, &mut scratch.next);
    }
}

/// A flood with this TTL, as everything goes on to everybody: each node within `ttl - 1` hops sends to its neighbours but
/// one, so a flood of all takes 2E - (N - 1) messages.
pub fn flood(overlay: &impl Overlay, source: usize, ttl: u32, scratch: &mut Scratch) -> Cost {
    Spread::new(overlay, source, scratch).to(ttl)
}

/// Floods with a TTL of 1, 3, 5 and on, until one finds something or reaches nobody more.
pub fn expanding_ring(overlay: &impl Overlay, source: usize, ttl_max: u32, scratch: &mut Scratch) -> Cost {
    // Each goes over the ground of the one before: that is walked once, and counted again.
    let mut spread = Spread::new(overlay, source, scratch);
    let mut all = Cost::default();
    for ttl in (1..=ttl_max.max(1)).step_by(2) {
        let (cost, before) = (spread.to(ttl), all.reached);
        all = Cost { messages: all.messages + cost.messages, ..cost };
        if cost.hops.is_some() || cost.reached == before {
            break;
        }
    }
    all
}

/// How random walks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walks {
    /// How many walkers there are.
    pub walkers: usize,
    /// Every so many steps each asks the source whether to go on.
    pub check_every: u32,
    /// After so many steps they end in any case.
    pub steps_max: u32,
}

impl Walks {
    /// The walks of the paper: checks every four steps.
    #[must_use]
    pub const fn new(walkers: usize) -> Self {
        Self { walkers, check_every: 4, steps_max: 1_024 }
    }
}

/// Walkers that go from node to node, each to a neighbour at random but not back at once where there is another, until one
/// found something and all have asked.
pub fn walk(overlay: &impl Overlay, source: usize, walks: Walks, rng: &mut Rng) -> Cost {
    let mut at: Vec<(u32, u32)> = vec![(source as u32, u32::MAX); walks.walkers];
    let mut cost = Cost::default();
    for step in 1..=walks.steps_max {
        for (node, before) in &mut at {
            let neighbours = overlay.neighbours(*node as usize);
            let next = match neighbours {
                [] => continue,
                [only] => *only,
                more => loop {
                    let drawn = more[rng.index(more.len())];
                    if drawn != *before {
                        break drawn;
                    }
                },
            };
            (*before, *node) = (*node, next);
            cost.messages += 1;
            if cost.hops.is_none() && overlay.holds(next as usize) {
                cost.hops = Some(step);
            }
        }
        if step.is_multiple_of(walks.check_every.max(1)) {
            cost.checks += walks.walkers as u64;
            if cost.hops.is_some() {
                break;
            }
        }
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ring(Vec<[u32; 2]>, u32);

    impl Overlay for Ring {
        fn nodes(&self) -> usize {
            self.0.len()
        }

        fn neighbours(&self, node: usize) -> &[u32] {
            &self.0[node]
        }

        fn holds(&self, node: usize) -> bool {
            node as u32 == self.1
        }
    }

    fn ring(nodes: u32, holder: u32) -> Ring {
        Ring((0..nodes).map(|at| [(at + nodes - 1) % nodes, (at + 1) % nodes]).collect(), holder)
    }

    #[test]
    fn costs_on_a_ring_are_those_of_a_pencil() {
        let (ring, mut scratch) = (ring(10, 3), Scratch::default());
        let one = flood(&ring, 0, 2, &mut scratch);
        assert_eq!((one.messages, one.reached, one.hops), (4, 4, None));
        let all = flood(&ring, 0, 99, &mut scratch);
        assert_eq!((all.messages, all.reached, all.hops), (2 * 10 - 9, 9, Some(3)));
        let rings = expanding_ring(&ring, 0, 99, &mut scratch);
        assert_eq!((rings.messages, rings.hops, rings.ttl), (2 + 6, Some(3), 3));
        // A walker cannot turn, so it comes by: three steps or seven, and asks after four or eight.
        let walked = walk(&ring, 0, Walks::new(1), &mut Rng::fast_from(1));
        assert!(
            matches!((walked.messages, walked.checks, walked.hops), (4, 1, Some(3)) | (8, 2, Some(7))),
            "{walked:?}"
        );
    }

    #[test]
    fn a_ring_costs_as_much_as_its_floods() {
        let (ring, mut scratch) = (ring(40, 14), Scratch::default());
        let floods: Vec<Cost> = (1..=15).step_by(2).map(|ttl| flood(&ring, 0, ttl, &mut scratch)).collect();
        let sum = floods.iter().map(|cost| cost.messages).sum();
        assert_eq!(expanding_ring(&ring, 0, 99, &mut scratch), Cost { messages: sum, ..floods[7] });
        assert_eq!((sum, floods[7].hops), (2 * (1 + 3 + 5 + 7 + 9 + 11 + 13 + 15), Some(14)));
    }

    #[test]
    fn what_nobody_has_ends_too() {
        let (ring, mut scratch) = (ring(6, 99), Scratch::default());
        assert_eq!(expanding_ring(&ring, 0, 1_000, &mut scratch).hops, None);
        let walked = walk(&ring, 0, Walks::new(3), &mut Rng::fast_from(1));
        assert_eq!((walked.hops, walked.messages), (None, 3 * 1_024));
    }
}
