//! `sim esm crowd`: everybody comes at once.

use super::{Esm, Promises, everywhere, slow};
use p2p_esm::Shape;
use p2p_examples::groups::{Delays, crowd};
use p2p_examples::{Line, Table};

impl Esm {
    pub(super) fn crowd(&self, delays: &Delays, promises: &mut Promises<'_>) {
        let members = self.members.unwrap_or(1_000);
        let within = self.span(10);
        let mut table =
            Table::new(["seed", "members", "shape", "first packet p50 s", "p95", "max", "without", "digest"]);
        let mut kept = Vec::new();
        for seed in self.seeds() {
            for (name, shape) in [("single", Shape::SINGLE), ("6 of 4", Shape::SIX_OF_FOUR)] {
                let run = crowd(seed, members, within, everywhere(delays), slow(shape));
                let mut row = vec![seed.to_string(), members.to_string(), name.to_owned()];
                row.extend([0.5, 0.95, 1.0].map(|share| format!("{:.2}", run.first.at(share))));
                row.extend([run.without.to_string(), format!("{:016x}", run.digest)]);
                table = table.row(row);
                promises.out.event(
                    Line::new("crowd")
                        .number("seed", seed)
                        .text("shape", name)
                        .number("first_p95_ms", (run.first.at(0.95) * 1e3) as i128)
                        .number("without", run.without as i128)
                        .text("digest", format_args!("{:016x}", run.digest)),
                );
                kept.push((seed, name, run));
            }
        }
        promises.out.say(&table);
        for (seed, name, run) in kept {
            let what = |figure| format!("seed {seed}, {name}, {figure}");
            promises.at_most(&what("first packet, p95 s"), run.first.at(0.95), 2.0);
            promises.at_most(&what("without any"), f64::from(run.without as u32), 0.0);
        }
    }
}
