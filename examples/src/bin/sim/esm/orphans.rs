//! `sim esm orphans`: how long children of a killed parent are without one, and what they miss.

use super::{Esm, PolicyName, Promises, everywhere};
use p2p_core::Duration;
use p2p_esm::Shape;
use p2p_examples::groups::{Delays, Setting, orphans};
use p2p_examples::{Line, Table};

impl Esm {
    pub(super) fn orphans(&self, delays: &Delays, promises: &mut Promises<'_>) {
        let members = self.members.unwrap_or(128);
        let mut table = Table::new([
            "seed",
            "members",
            "policy",
            "shape",
            "killed",
            "orphans",
            "adopted p50 ms",
            "p99",
            "max",
            "never",
            "ESM, NICE, Narada",
            "pause p50 ms",
            "p99",
            "max",
            "lost",
            "digest",
        ]);
        let mut kept = Vec::new();
        for seed in self.seeds() {
            let shapes = [("single", Shape::SINGLE), ("6 of 4", Shape::SIX_OF_FOUR)];
            let all =
                self.policy.iter().flat_map(|policy| shapes.map(|(name, shape)| (*policy, name, shape)));
            for (policy, name, shape) in all {
                // A megabit in a second.
                let setting = Setting {
                    shape,
                    packet: 1_316,
                    packets: 95,
                    degree: 4.0,
                    patience: Duration::from_secs(2),
                    flush: Duration::from_millis(100),
                    policy: policy.policy(),
                };
                let run = orphans(seed, members, 40, everywhere(delays), setting);
                promises.out.note(format_args!(
                    "seed {seed}, {name}: {:.0}, {:.0} ms, {} never, {} lost",
                    run.adopted.at(0.5),
                    run.adopted.at(0.99),
                    run.unadopted,
                    run.lost,
                ));
                let mut row = vec![
                    seed.to_string(),
                    members.to_string(),
                    policy.name().to_owned(),
                    name.to_owned(),
                    run.killed.to_string(),
                    run.adopted.count().to_string(),
                ];
                row.extend([0.5, 0.99, 1.0].map(|share| format!("{:.0}", run.adopted.at(share))));
                row.extend([run.unadopted.to_string(), "5 s, 15 s, 60 s".to_owned()]);
                row.extend([0.5, 0.99, 1.0].map(|share| format!("{:.0}", run.pause.at(share))));
                row.extend([run.lost.to_string(), format!("{:016x}", run.digest)]);
                table = table.row(row);
                promises.out.event(
                    Line::new("orphans")
                        .number("seed", seed)
                        .text("policy", policy.name())
                        .text("shape", name)
                        .number("adopted_p50_ms", run.adopted.at(0.5) as i128)
                        .number("adopted_p99_ms", run.adopted.at(0.99) as i128)
                        .number("lost", run.lost as i128)
                        .text("digest", format_args!("{:016x}", run.digest)),
                );
                if policy == PolicyName::Tree {
                    kept.push((seed, name, run));
                }
            }
        }
        promises.out.say(&table);
        for (seed, name, run) in kept {
            let what = |figure| format!("seed {seed}, {name}, {figure}");
            promises.at_most(&what("another parent, median ms"), run.adopted.at(0.5), 400.0);
            promises.at_most(&what("p99 ms"), run.adopted.at(0.99), 1_500.0);
            promises.at_most(&what("no other parent"), f64::from(run.unadopted as u32), 0.0);
            promises.at_most(&what("packets lost"), run.lost as f64, 0.0);
        }
    }
}
