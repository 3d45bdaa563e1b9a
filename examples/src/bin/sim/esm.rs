//! `sim esm`: groups of real members beside the papers' figures.

use clap::{Args as Arguments, ValueEnum};
use p2p_core::Duration;
use p2p_esm::Shape;
use p2p_examples::groups::{Delays, Setting, churn, orphans, overlay};
use p2p_examples::{Line, Output, Table};
use p2p_sim::churn::Session;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// How much longer the way by a tree is than the direct one, after five minutes; each member may have four children
    Tree,
    /// Members stay for five minutes and are away for two, half of them crash
    Churn,
    /// A member that passes the stream on is killed, again and again
    Orphans,
}

#[derive(Debug, Arguments)]
pub(crate) struct Esm {
    /// What is measured
    pub(crate) what: What,
    /// Members; 128 in `tree`, 512 in `churn`, if not given
    #[arg(long)]
    pub(crate) members: Option<usize>,
    /// Measured round-trip times: an upper triangle of 16-bit numbers of tenths of milliseconds. Drawn, if not given
    #[arg(long, value_name = "FILE")]
    pub(crate) delays: Option<PathBuf>,
    /// Seconds, after all have joined: 300 in `tree`, 1,200 in `churn`, if not given
    #[arg(long)]
    pub(crate) seconds: Option<u64>,
    /// The seed of the run
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Exit code 1 if something promised is missed
    #[arg(long)]
    pub(crate) check: bool,
}

impl Esm {
    /// Runs; whether all that is promised was kept.
    pub(crate) fn run(&self, out: &mut Output) -> bool {
        let delays = match &self.delays {
            None => Delays::drawn(self.seed, 512),
            Some(path) => match Delays::read(path) {
                Ok(delays) => delays,
                Err(error) => {
                    out.say(&error);
                    return false;
                }
            },
        };
        match self.what {
            What::Tree => self.tree(&delays, out),
            What::Churn => self.churn(&delays, out),
            What::Orphans => self.orphans(&delays, out),
        }
    }

    fn tree(&self, delays: &Delays, out: &mut Output) -> bool {
        let members = self.members.unwrap_or(128);
        let setting = Setting {
            shape: Shape::SINGLE,
            packet: 100,
            packets: 10,
            degree: 4.0,
            patience: Duration::from_secs(3),
            flush: Duration::from_millis(1_600),
        };
        let run =
            overlay(self.seed, members, delays, setting, Duration::from_secs(self.seconds.unwrap_or(300)));
        let table = Table::new([
            "members",
            "delays",
            "RDP mean",
            "p50",
            "p90",
            "delay ms",
            "max",
            "depth",
            "max",
            "leaves",
            "lost",
            "control B/s",
        ]);
        let figure = |figure: f64| format!("{figure:.2}");
        out.say(table.row([
            members.to_string(),
            delays.name.clone(),
            figure(run.penalty.mean()),
            figure(run.penalty.at(0.5)),
            figure(run.penalty.at(0.9)),
            figure(run.delay.mean()),
            figure(run.delay.at(1.0)),
            figure(run.depth.mean()),
            figure(run.depth.at(1.0)),
            format!("{} %", 100 * run.leaves / members),
            run.lost.to_string(),
            format!("{:.0}", run.control),
        ]));
        out.event(
            Line::new("tree")
                .number("members", members as i128)
                .number("rdp_mean_milli", (run.penalty.mean() * 1e3) as i128)
                .number("rdp_p90_milli", (run.penalty.at(0.9) * 1e3) as i128)
                .number("control", run.control as i128)
                .text("digest", format_args!("{:016x}", run.digest)),
        );
        run.lost == 0 && run.penalty.mean() <= 1.5 && run.penalty.at(0.9) <= 2.4 && run.depth.at(1.0) <= 8.0
    }

    fn orphans(&self, delays: &Delays, out: &mut Output) -> bool {
        let members = self.members.unwrap_or(128);
        let mut table = Table::new([
            "members",
            "shape",
            "killed",
            "orphans",
            "adopted p50 ms",
            "p99",
            "max",
            "never",
            "pause p50 ms",
            "p99",
            "max",
            "lost",
        ]);
        let mut kept = true;
        for (name, shape) in [("single", Shape::SINGLE), ("6 of 4", Shape::SIX_OF_FOUR)] {
            // A megabit in a second.
            let setting = Setting {
                shape,
                packet: 1_316,
                packets: 95,
                degree: 4.0,
                patience: Duration::from_secs(2),
                flush: Duration::from_millis(100),
            };
            let hosts: Vec<usize> = (0..=members).map(|host| (host * 3 + 1) % delays.sites()).collect();
            let run = orphans(self.seed, members, 40, delays.links(&hosts), setting);
            kept &= run.unadopted == 0
                && run.lost == 0
                && run.adopted.at(0.5) <= 400.0
                && run.adopted.at(0.99) <= 1_500.0;
            let mut row = vec![
                members.to_string(),
                name.to_owned(),
                run.killed.to_string(),
                run.adopted.count().to_string(),
            ];
            row.extend([0.5, 0.99, 1.0].map(|share| format!("{:.0}", run.adopted.at(share))));
            row.push(run.unadopted.to_string());
            row.extend([0.5, 0.99, 1.0].map(|share| format!("{:.0}", run.pause.at(share))));
            row.push(run.lost.to_string());
            table = table.row(row);
            out.event(
                Line::new("orphans")
                    .text("shape", name)
                    .number("adopted_p50_ms", run.adopted.at(0.5) as i128)
                    .number("adopted_p99_ms", run.adopted.at(0.99) as i128)
                    .number("lost", run.lost as i128)
                    .text("digest", format_args!("{:016x}", run.digest)),
            );
        }
        out.say(&table);
        kept
    }

    fn churn(&self, delays: &Delays, out: &mut Output) -> bool {
        let hosts = self.members.unwrap_or(512);
        let mut table = Table::new([
            "hosts",
            "shape",
            "ended",
            "delivered",
            "twice",
            "sent",
            "control B/s",
            "delay ms",
            "join p50 s",
            "p95",
            "parents lost",
        ]);
        let mut kept = true;
        for (name, shape, least) in [("single", Shape::SINGLE, 0.998), ("6 of 4", Shape::SIX_OF_FOUR, 0.9995)]
        {
            let setting = Setting {
                shape,
                packet: 100,
                packets: 10,
                degree: 4.0,
                patience: Duration::from_millis(3_200),
                flush: Duration::from_millis(400),
            };
            let hosts_at: Vec<usize> = (0..16 * hosts).map(|host| host % delays.sites()).collect();
            let sessions = (
                Session::Exponential { mean: Duration::from_secs(300) },
                Session::Exponential { mean: Duration::from_secs(120) },
            );
            let span = Duration::from_secs(self.seconds.unwrap_or(1_200));
            let run =
                churn(self.seed, hosts, delays.links(&hosts_at[..delays.sites()]), setting, sessions, span);
            kept &= run.delivered >= least;
            table = table.row([
                hosts.to_string(),
                name.to_owned(),
                run.ended.to_string(),
                format!("{:.5}", run.delivered),
                format!("{:.3}", run.twice),
                format!("{:.3}", run.sent),
                format!("{:.0}", run.control),
                format!("{:.0}", run.delay),
                format!("{:.2}", run.joins.at(0.5)),
                format!("{:.2}", run.joins.at(0.95)),
                run.lost_parents.to_string(),
            ]);
            out.event(
                Line::new("churn")
                    .text("shape", name)
                    .number("delivered_ppm", (run.delivered * 1e6) as i128)
                    .number("control", run.control as i128)
                    .text("digest", format_args!("{:016x}", run.digest)),
            );
        }
        out.say(&table);
        kept
    }
}
