//! `sim chord load`: how evenly records are spread, beside the paper's figures.

use super::Chord;
use p2p_examples::rings::{Placement, load};
use p2p_examples::{Line, Output, Table};

impl Chord {
    pub(super) fn load(&self, out: &mut Output) -> bool {
        let (machines, keys, seeds) = (10_000, 1_000_000, 10);
        let mut table =
            Table::new(["places", "bounded", "p1", "p50", "p99", "max", "the paper's p99", "re-simulated"]);
        let mut kept = true;
        // Stoica et al. 2003, figures 8 and 9; a re-simulation: p1, p50, p99, max.
        let rows = [
            (1, None, "4.8", "0, .69, 4.58, 10.7"),
            (2, None, "", ".07, .84, 3.32, 6.2"),
            (5, None, "", ".24, .93, 2.35, 3.6"),
            (10, None, "", ".38, .96, 1.93, 2.7"),
            (20, None, "1.6", ".51, .98, 1.65, 2.07"),
            (1, Some(20), "", ""),
            (20, Some(20), "", ""),
        ];
        for (places, bounded, paper, again) in rows {
            let placement = Placement { machines, places, bounded };
            let runs: Vec<_> =
                (self.seed..self.seed + seeds).map(|seed| load(seed, &placement, keys)).collect();
            // The mean of so many seeds.
            let mean = |share: f64| runs.iter().map(|run| run.at(share)).sum::<f64>() / runs.len() as f64;
            let [p1, p50, p99, max] = [0.01, 0.5, 0.99, 1.0].map(mean);
            kept &= match (places, bounded) {
                (20, None) => p99 <= 1.70,
                (_, Some(_)) => max <= 1.25,
                _ => true,
            };
            let mut row = vec![
                places.to_string(),
                bounded.map_or_else(|| "no".into(), |list| format!("list of {list}")),
            ];
            row.extend([p1, p50, p99, max].map(|figure| format!("{figure:.2}")));
            row.extend([paper.to_owned(), again.to_owned()]);
            table = table.row(row);
            let milli = |figure: f64| (figure * 1e3) as i128;
            out.event(
                Line::new("load")
                    .number("places", places as i128)
                    .number("bounded", bounded.unwrap_or(0) as i128)
                    .number("p1_milli", milli(p1))
                    .number("p50_milli", milli(p50))
                    .number("p99_milli", milli(p99))
                    .number("max_milli", milli(max)),
            );
        }
        out.say(&table);
        kept
    }
}
