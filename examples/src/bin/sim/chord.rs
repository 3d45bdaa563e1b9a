//! `sim chord`: rings of real nodes beside the papers' figures.

use clap::{Args as Arguments, ValueEnum};
use p2p_examples::rings::{Placement, Profile, failures, hops, load};
use p2p_examples::{Line, Output, Table};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// Nodes on a path, N = 2^10 and on, against 1/2 log2 N + 0.87
    Hops,
    /// A share of 1,000 nodes dies at once, and nothing is repaired
    Failures,
    /// Records of each of 10,000 machines, of a million, by how many places each has on the ring
    Load,
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
    /// The seed of the run
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Exit code 1 if something promised is missed
    #[arg(long)]
    pub(crate) check: bool,
}

impl Chord {
    /// Runs; whether all that is promised was kept.
    pub(crate) fn run(&self, out: &mut Output) -> bool {
        match self.what {
            What::Hops => self.hops(out),
            What::Failures => self.failures(out),
            What::Load => self.load(out),
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

    fn load(&self, out: &mut Output) -> bool {
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
