//! Floods by the real machines.

use super::Graph;
use p2p_core::{Duration, Rng};
use p2p_gnutella::Servent;
use p2p_gnutella::servent::{Bootstrap, Command, Config, Strategy, Wish};
use p2p_sim::{NodeIx, Sim, Uniform};

/// What a flood took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Queries on links.
    pub messages: u64,
    /// Servents that were asked.
    pub reached: u64,
}

/// Floods of real servents linked as a graph says, for each of these sources and TTLs.
#[must_use]
pub fn flood_by_machines(graph: &Graph, seed: u64, asked: &[(usize, u8)]) -> Vec<Flood> {
    let mut sim: Sim<Servent> = Sim::new(seed, Uniform::fixed(Duration::from_millis(10)));
    let mut rng = Rng::fast_from(seed);
    let config = Config::flooding(u8::MAX);
    let nodes: Vec<NodeIx> =
        (0..graph.nodes()).map(|_| sim.add(Servent::new(config.clone(), &mut rng))).collect();
    sim.run_for(Duration::from_millis(100));
    for (at, node) in nodes.iter().enumerate() {
        let lower = graph.neighbours(at).iter().filter(|other| (**other as usize) < at);
        let peers: Vec<_> = lower.map(|other| (sim.addr(nodes[*other as usize]), 6346).into()).collect();
        if !peers.is_empty() {
            sim.ask(*node, Command::Join(Bootstrap { peers, ..Bootstrap::default() }));
        }
    }
    // Who has many neighbours dials them a few at a time.
    let linked =
        |sim: &Sim<Servent>| nodes.iter().map(|node| sim.machine(*node).neighbours().count()).sum::<usize>();
    for _ in 0..60 {
        sim.run_for(Duration::from_secs(2));
        if linked(&sim) == 2 * graph.edges().count() {
            break;
        }
    }
    let count = |sim: &Sim<Servent>| {
        nodes.iter().map(|node| sim.machine(*node).counts()).fold((0, 0), |(messages, reached), counts| {
            (messages + counts.queries_out, reached + counts.queries_new)
        })
    };
    let mut floods = Vec::new();
    let mut before = count(&sim);
    for (source, ttl) in asked {
        sim.ask(nodes[*source], Command::Search(Wish::words("nothing").by(Strategy::Flood(*ttl))));
        sim.run_for(Duration::from_secs(5));
        let after = count(&sim);
        floods.push(Flood { messages: after.0 - before.0, reached: after.1 - before.1 });
        before = after;
    }
    floods
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servents::Holders;
    use p2p_gnutella::strategy::{Scratch, flood};

    #[test]
    fn machines_do_as_the_closed_form_says() {
        let graph = Graph::random(80, 150, &mut Rng::fast_from(4));
        let asked: Vec<_> = (1..=9).map(|ttl| (usize::from(ttl) * 7, ttl)).collect();
        let (holders, mut scratch) = (Holders::none(&graph), Scratch::default());
        for ((source, ttl), by_machines) in asked.iter().zip(flood_by_machines(&graph, 4, &asked)) {
            let form = flood(&holders, *source, (*ttl).into(), &mut scratch);
            assert_eq!(by_machines, Flood { messages: form.messages, reached: form.reached });
        }
    }

    /// As many as the best connected servent of the SNAP graph, dialled by all of them and dialling all of them.
    #[test]
    fn a_hub_has_all_its_neighbours() {
        for hub in [0, 103] {
            let graph = Graph::of_edges(104, (0..104).filter(|at| *at != hub).map(|at| (hub, at)));
            let floods = flood_by_machines(&graph, 5, &[(hub as usize, 1), (50, 2)]);
            assert_eq!(floods, [Flood { messages: 103, reached: 103 }; 2], "{hub}");
        }
    }
}
