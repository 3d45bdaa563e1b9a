//! `sim chord`: rings of real nodes beside the papers' figures.

mod churn;
mod load;
mod one_hop;
mod routers;
mod scale;
mod state;
mod stretch;

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
    /// How long lookups take among 2^largest nodes in a cube, beside a question straight to whoever is responsible
    Stretch,
    /// Everybody knows everybody, and nodes come and go, each for an hour: N = 2^8, 2^10, 2^12
    OneHop,
    /// A quarter of 10,000 nodes lie about lookups; gets by one way and by several
    Routers,
    /// Records of each of 10,000 machines, of a million, by how many places each has on the ring
    Load,
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
            What::Stretch => self.stretch(out),
            What::OneHop => self.one_hop(out),
            What::Routers => self.routers(out),
            What::Load => self.load(out),
            What::Churn => churn::run(self, out),
            What::Hour => scale::hour(self, out),
            What::Scale => scale::run(self, out),
            What::State => state::run(self, out),
        }
    }

    fn hops(&self, out: &mut Output) -> bool {
        let mut table = Table::new([
            "nodes", "profile", "mean", "theory", "sd", "binomial", "p1", "p50", "p99", "max", "wrong",
        ]);
        let mut kept = true;
        let plain = Profile::plain(1);
        let wide = |base_bits| Profile { base_bits, ..Profile::plain(32) };
        let short = Profile::base16();
        let powers = (10..=self.largest).step_by(2);
        // Larger wide ones would take gigabytes.
        let all = |power| {
            let all = [plain, wide(4), short, wide(5)];
            all.into_iter().take(if power <= 16 { 4 } else { 1 }).map(move |profile| (power, profile))
        };
        for (power, profile) in powers.flat_map(all) {
            let run = hops(self.seed, 1 << power, self.lookups, &profile);
            let (mean, theory) = (run.hops.mean(), f64::from(power) / 2.0 + 0.87);
            let (sd, binomial) = (run.hops.deviation(), f64::from(power).sqrt() / 2.0);
            let is_plain = profile == plain;
            kept &= run.wrong == 0
                && if is_plain {
                    (mean / theory - 1.0).abs() <= 0.01 && (sd / binomial - 1.0).abs() <= 0.05
                } else {
                    // With one finger a slot, 2^16 nodes are 15/16 + 15/16 + 7/8 + 1 = 3.75 hops away with base 16 and 32
                    // successors: what is promised of base 16 takes four.
                    profile != short || mean <= 3.5
                };
            let mut row = vec![format!("2^{power}"), profile.to_string()];
            let figures = [
                Some(mean),
                Some(theory).filter(|_| is_plain),
                Some(sd),
                Some(binomial).filter(|_| is_plain),
            ];
            row.extend(figures.map(|figure| figure.map_or(String::new(), |figure| format!("{figure:.3}"))));
            row.extend([0.01, 0.5, 0.99, 1.0].map(|share| format!("{:.0}", run.hops.at(share))));
            row.push(run.wrong.to_string());
            table = table.row(row);
            let milli = |figure: f64| (figure * 1e3) as i128;
            out.event(
                Line::new("hops")
                    .number("nodes", 1_i128 << power)
                    .number("base", 1_i128 << profile.base_bits)
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
            "of these late",
            "hops",
            "time-outs",
            "stalls",
            "messages",
            "dead owner first",
        ]);
        let mut kept = true;
        let mut alone = 0.0;
        for parallel in [1, 3] {
            let profile = Profile { parallel, ..Profile::plain(20) };
            for tenths in 0..=5 {
                // What is promised is of half the nodes: of that there are as many as asked for.
                let lookups = if tenths == 5 { self.lookups } else { self.lookups.min(20_000) };
                let run = failures(self.seed, 1_000, f64::from(tenths) / 10.0, lookups, &profile);
                kept &= run.failed == 0;
                let messages = run.messages.mean();
                match (parallel, tenths) {
                    (1, 5) => alone = messages,
                    // Rounds of waiting, and what it costs not to wait longer.
                    (3, 5) => kept &= run.stalls.mean() <= 1.0 && messages <= 2.5 * alone,
                    _ => {}
                }
                let milli = |figure: f64| (figure * 1e3) as i128;
                out.event(
                    Line::new("failures")
                        .number("dead_percent", 10 * i128::from(tenths))
                        .number("parallel", parallel as i128)
                        .number("failed", run.failed as i128)
                        .number("late", run.late as i128)
                        .number("hops_milli", milli(run.hops.mean()))
                        .number("stalls_milli", milli(run.stalls.mean()))
                        .number("messages_milli", milli(messages)),
                );
                table = table.row([
                    format!("{}0 %", tenths),
                    profile.to_string(),
                    run.failed.to_string(),
                    run.late.to_string(),
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
