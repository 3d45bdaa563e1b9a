//! `sim chord`: rings of real nodes beside the papers' figures.

mod churn;
mod scale;
mod state;

use clap::{Args as Arguments, ValueEnum};
use p2p_examples::rings::{Profile, failures, hops};
use p2p_examples::{Line, Output, Table};
use std::ops::RangeInclusive;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// Nodes on a path, N = 2^10 and on, against 1/2 log2 N + 0.87
    Hops,
    /// A share of 1,000 nodes dies at once, and nothing is repaired
    Failures,
    /// Nodes come and go: lookups that name the wrong one, and what it costs
    Churn,
    /// 10,000 nodes come and go for an hour: what that costs to simulate
    Hour,
    /// A ring of --nodes: messages a CPU second, and memory
    Scale,
    /// What a node holds in memory
    State,
}

#[derive(Debug, Arguments)]
pub(crate) struct Chord {
    /// What is measured
    pub(crate) what: What,
    /// The largest ring is of 2^N nodes
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u32).range(4..=22))]
    pub(crate) largest: u32,
    /// Lookups of each run
    #[arg(long, default_value_t = 20_000)]
    pub(crate) lookups: usize,
    /// Nodes of `scale`
    #[arg(long, default_value_t = 100_000)]
    pub(crate) nodes: usize,
    /// Virtual seconds of `scale`
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// The seed of the run
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Several runs, one for each of these seeds: A..B, B included (`churn`, `hour`, `scale`)
    #[arg(long, value_name = "A..B", value_parser = super::args::range, conflicts_with = "seed")]
    pub(crate) seeds: Option<RangeInclusive<u64>>,
    /// Exit code 1 if something promised is missed
    #[arg(long)]
    pub(crate) check: bool,
}

impl Chord {
    fn seeds(&self) -> RangeInclusive<u64> {
        self.seeds.clone().unwrap_or(self.seed..=self.seed)
    }

    /// Runs; whether all that is promised was kept.
    pub(crate) fn run(&self, out: &mut Output) -> bool {
        match self.what {
            What::Hops => self.hops(out),
            What::Failures => self.failures(out),
            What::Churn => churn::run(self, out),
            What::Hour => scale::hour(self, out),
            What::Scale => scale::run(self, out),
            What::State => state::run(self, out),
        }
    }

    fn hops(&self, out: &mut Output) -> bool {
        let profile = Profile::plain(1);
        let mut table = Table::new([
            "nodes", "profile", "mean", "theory", "sd", "binomial", "p1", "p50", "p99", "max", "wrong",
        ]);
        let mut kept = true;
        for power in (10..=self.largest).step_by(2) {
            let run = hops(self.seed, 1 << power, self.lookups, &profile);
            let (mean, theory) = (run.hops.mean(), f64::from(power) / 2.0 + 0.87);
            let (sd, binomial) = (run.hops.deviation(), f64::from(power).sqrt() / 2.0);
            kept &=
                run.wrong == 0 && (mean / theory - 1.0).abs() <= 0.01 && (sd / binomial - 1.0).abs() <= 0.05;
            let mut row = vec![format!("2^{power}"), profile.to_string()];
            row.extend([mean, theory, sd, binomial].map(|figure| format!("{figure:.3}")));
            row.extend([0.01, 0.5, 0.99, 1.0].map(|share| format!("{:.0}", run.hops.at(share))));
            row.push(run.wrong.to_string());
            table = table.row(row);
            let milli = |figure: f64| (figure * 1e3) as i128;
            out.event(
                Line::new("hops")
                    .number("nodes", 1_i128 << power)
                    .number("mean_milli", milli(mean))
                    .number("theory_milli", milli(theory))
                    .number("sd_milli", milli(sd))
                    .number("wrong", run.wrong as i128)
                    .text("digest", format_args!("{:016x}", run.digest)),
            );
        }
        out.say(&table);
        kept
    }

    fn failures(&self, out: &mut Output) -> bool {
        let mut table = Table::new([
            "dead",
            "profile",
            "failed",
            "hops",
            "time-outs",
            "stalls",
            "messages",
            "dead owner first",
        ]);
        let mut kept = true;
        for parallel in [1, 3] {
            let profile = Profile { parallel, ..Profile::plain(20) };
            for tenths in 0..=5 {
                let run = failures(self.seed, 1_000, f64::from(tenths) / 10.0, self.lookups, &profile);
                kept &= run.failed == 0;
                table = table.row([
                    format!("{}0 %", tenths),
                    profile.to_string(),
                    run.failed.to_string(),
                    format!("{:.2}", run.hops.mean()),
                    format!(
                        "{:.2} ({:.0}, {:.0})",
                        run.timeouts.mean(),
                        run.timeouts.at(0.01),
                        run.timeouts.at(0.99)
                    ),
                    format!("{:.2}", run.stalls.mean()),
                    format!("{:.2}", run.messages.mean()),
                    run.dead.to_string(),
                ]);
            }
        }
        out.say(&table);
        kept
    }
}
