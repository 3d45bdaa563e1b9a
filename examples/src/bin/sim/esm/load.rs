//! `sim esm load`: who carries the stream in four trees.

use super::{Esm, Promises, everywhere, slow};
use p2p_esm::Shape;
use p2p_examples::groups::{Delays, Setting, load};
use p2p_examples::{Line, Table};

/// Birrer and Bustamante 2007, table VII: most that a member sends, in stream rates, and members that send nothing.
const PAPERS: &str = "NICE 18.0 and 83 %, Nemo 10.0 and 52.7 %, two Nemo trees 10.8 and 17.8 %, SplitStream of 16 11.8 and 25.2 %";

impl Esm {
    pub(super) fn load(&self, delays: &Delays, promises: &mut Promises<'_>) {
        let members = self.members.unwrap_or(512);
        let Ok(shape) = Shape::new(4, 4, 0) else { return };
        promises.out.say(format_args!("the papers: {PAPERS}"));
        let mut table = Table::new([
            "seed",
            "members",
            "most children",
            "p99",
            "most sent",
            "send nothing",
            "in several trees",
            "without parents",
            "digest",
        ]);
        let mut kept = Vec::new();
        for seed in self.seeds() {
            let setting = Setting { degree: 1.25, ..slow(shape) };
            let run = load(seed, members, everywhere(delays), setting, self.span(180));
            table = table.row([
                seed.to_string(),
                members.to_string(),
                format!("{:.2}", run.degree.at(1.0)),
                format!("{:.2}", run.degree.at(0.99)),
                format!("{:.2}", run.sent.at(1.0)),
                format!("{:.1} %", run.idle * 100.0),
                format!("{:.1} %", run.mixed * 100.0),
                format!("{:.2} %", run.missing * 100.0),
                format!("{:016x}", run.digest),
            ]);
            promises.out.event(
                Line::new("load")
                    .number("seed", seed)
                    .number("degree_milli", (run.degree.at(1.0) * 1e3) as i128)
                    .number("idle_ppm", (run.idle * 1e6) as i128)
                    .text("digest", format_args!("{:016x}", run.digest)),
            );
            kept.push((seed, run));
        }
        promises.out.say(&table);
        for (seed, run) in kept {
            let what = |figure| format!("seed {seed}, {figure}");
            promises.at_most(&what("most children, in stream rates"), run.degree.at(1.0), 1.25);
            promises.at_most(&what("members that send nothing"), run.idle, 0.15);
            promises.at_most(&what("trees without a parent"), run.missing, 0.001);
        }
    }
}
