//! `sim gnutella flood`: messages and reach by the TTL, of the closed form and of real servents.

use super::Gnutella;
use super::known::{ALL, Known, TTLS};
use p2p_core::Rng;
use p2p_examples::servents::{Flood, Graph, Holders, flood_by_machines};
use p2p_examples::{Failure, Line, Output, Table};
use p2p_gnutella::strategy::{Scratch, flood};

/// Half of the last digit of what is known of a graph that is the same: nothing is drawn there.
const ROUNDED: f64 = 0.05;

fn near(is: f64, known: f64, tolerance: f64) -> bool {
    (is / known - 1.0).abs() <= tolerance
}

pub(super) fn run(asked: &Gnutella, out: &mut Output) -> Result<bool, Failure> {
    let mut table = Table::new(["graph", "TTL", "messages", "known", "reach", "known", "machines agree"]);
    let mut kept = true;
    for (known, graph) in asked.graphs()? {
        kept &= first_agrees(&known, &graph);
        let mut rng = Rng::fast_from(asked.seed.wrapping_add(1));
        let is_same = known.graph.is_none();
        let sources: Vec<usize> = if is_same {
            (0..graph.nodes()).collect()
        } else {
            (0..asked.sources).map(|_| rng.index(graph.nodes())).collect()
        };
        let (holders, mut scratch) = (Holders::none(&graph), Scratch::default());
        let wanted: Vec<(usize, u8)> = TTLS
            .into_iter()
            .flat_map(|ttl| sources.iter().take(asked.floods).map(move |at| (*at, ttl)))
            .collect();
        let by_machines = flood_by_machines(&graph, asked.seed, &wanted);
        let whole = 2 * graph.edges().count() as u64 - (graph.nodes() as u64 - 1);
        for ((ttl, row), machines) in
            TTLS.into_iter().zip(known.floods).zip(by_machines.chunks(asked.floods.max(1)))
        {
            let mut sums = (0, 0);
            let mut agree = true;
            for (at, source) in sources.iter().enumerate() {
                let cost = flood(&holders, *source, ttl.into(), &mut scratch);
                sums = (sums.0 + cost.messages, sums.1 + cost.reached);
                let form = Flood { messages: cost.messages, reached: cost.reached };
                agree &= machines.get(at).is_none_or(|machines| *machines == form);
                kept &= ttl != ALL || cost.messages == whole;
            }
            let mean = |sum: u64| sum as f64 / sources.len() as f64;
            let (messages, reach) = (mean(sums.0), mean(sums.1));
            kept &= agree;
            for (is, known_is) in [(messages, row.0), (reach, row.1)] {
                kept &= if is_same {
                    (is - known_is).abs() <= ROUNDED + 1e-9
                } else {
                    near(is, known_is, known.tolerance)
                };
            }
            table = table.row([
                known.name.to_owned(),
                if ttl == ALL { "all".into() } else { ttl.to_string() },
                format!("{messages:.1}"),
                format!("{:.1}", row.0),
                format!("{reach:.1}"),
                format!("{:.1}", row.1),
                format!("{agree} ({})", machines.len()),
            ]);
            out.event(
                Line::new("flood")
                    .text("graph", known.name)
                    .number("ttl", ttl)
                    .number("messages_milli", (messages * 1e3) as i128)
                    .number("reach_milli", (reach * 1e3) as i128)
                    .number("machines_agree", i128::from(agree)),
            );
        }
    }
    out.say(&table);
    Ok(kept)
}

/// Whether floods of the first node cost what is known, to the message.
fn first_agrees(known: &Known, graph: &Graph) -> bool {
    let (holders, mut scratch) = (Holders::none(graph), Scratch::default());
    known.first.into_iter().flatten().zip(1..).all(|((messages, reached), ttl)| {
        let cost = flood(&holders, 0, ttl, &mut scratch);
        (cost.messages, cost.reached) == (messages, reached)
    })
}
