//! `sim chord`: rings of real nodes beside the papers' figures.

use clap::{Args as Arguments, ValueEnum};
use p2p_core::Duration;
use p2p_examples::rings::{Churn, Going, Profile, failures, hops, scale};
use p2p_sim::churn::Session;
use p2p_examples::{Line, Output, Table};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// Nodes on a path, N = 2^10 and on, against 1/2 log2 N + 0.87
    Hops,
    /// A share of 1,000 nodes dies at once, and nothing is repaired
    Failures,
    /// A ring that is whole, its upkeep and lookups: what the simulator carries
    Scale,
    /// Nodes come and go
    Churn,
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
    /// Nodes
    #[arg(long, default_value_t = 100_000)]
    pub(crate) nodes: usize,
    /// Virtual seconds
    #[arg(long, default_value_t = 30)]
    pub(crate) secs: u64,
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
            What::Scale => self.scale(out),
            What::Churn => self.churn(out),
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

    fn scale(&self, out: &mut Output) -> bool {
        let profile = Profile { parallel: 1, upkeep: Duration::from_secs(10), ..Profile::plain(8) };
        let run = scale(self.seed, self.nodes, Duration::from_secs(self.secs), Duration::from_secs(10), &profile);
        out.say(format_args!("{run:?} {:.3} M/s", run.messages as f64 / run.cpu / 1e6));
        true
    }

    fn churn(&self, out: &mut Output) -> bool {
        let secs = Duration::from_secs;
        let cases = [
            (Going::Leave(0.4), 30, 1.0),
            (Going::Crash(Session::Exponential { mean: secs(600) }), 10, 4.0),
            (Going::Crash(Session::Exponential { mean: secs(120) }), 5, 10.0),
            (Going::Crash(Session::Weibull { shape: 0.5, scale: secs(300) }), 10, 4.0),
            (Going::Crash(Session::Weibull { shape: 0.5, scale: secs(175) }), 5, 10.0),
        ];
        let only = std::env::var("CASE").ok().and_then(|case| case.parse::<usize>().ok());
        for (at, (going, upkeep, rate)) in cases.into_iter().enumerate() {
            if only.is_some_and(|only| only != at) { continue; }
            let upkeep = std::env::var("UPKEEP").ok().and_then(|case| case.parse::<u64>().ok()).unwrap_or(upkeep * 1000);
            let r = std::env::var("R").ok().and_then(|case| case.parse::<usize>().ok()).unwrap_or(20);
            let nearest_of = std::env::var("PROX").ok().and_then(|case| case.parse::<usize>().ok()).unwrap_or(16);
            let profile = Profile { upkeep: Duration::from_millis(upkeep), parallel: 3, nearest_of, ..Profile::plain(r) };
            let churn = Churn { nodes: 1_000, going, profile, lookups: self.lookups, rate, warm_up: secs(300) };
            let run = churn.run(self.seed);
            out.say(format_args!("{going:?} {upkeep} ms: bad {:.2} of 10^4, {:.2} msg/s {:.0} B/s, mean {:.2} s {:.2} hops {:.2} timeouts; {run:?}", run.bad_of_10_000(), run.messages_rate(), run.bytes_rate(), run.seconds / run.lookups as f64,run.hops as f64 / run.lookups as f64,run.timeouts as f64 / run.lookups as f64 ));
        }
        true
    }
}
