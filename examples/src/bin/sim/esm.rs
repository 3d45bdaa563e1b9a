//! `sim esm`: groups of real members beside the papers' figures.

mod churn;
mod control;
mod crowd;
mod load;
mod orphans;
mod scarce;
mod stress;
mod tree;

use clap::{Args as Arguments, ValueEnum};
use p2p_core::Duration;
use p2p_esm::{Policy, Shape};
use p2p_examples::groups::{Delays, Setting};
use p2p_examples::{Failure, Output};
use p2p_sim::Matrix;
use std::ops::RangeInclusive;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// How much longer the way by a tree is than the direct one, after five minutes; each member may have four children
    Tree,
    /// Members stay for five minutes and are away for two, half of them crash
    Churn,
    /// What members say beside the stream while they come and go, by how many they are
    Control,
    /// A member that passes the stream on is killed, again and again
    Orphans,
    /// Who carries the stream in four trees, where each gives a quarter more than it gets
    Load,
    /// Access links of Gnutella hosts; then a stream for which there is not enough
    Scarce,
    /// Links of a generated internet that packets cross again and again: 16 LANs with 8 hosts each
    Stress,
    /// 1,000 members join within ten seconds
    Crowd,
    /// 10,000 members come and go for ten minutes: what that costs to simulate
    Scale,
}

/// How parents are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyName {
    /// Of members that are known by gossip and were asked how they are: End System Multicast
    Tree,
    /// Of the neighbours in a mesh of which everybody knows everybody: Narada
    Narada,
}

impl PolicyName {
    const fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree first",
            Self::Narada => "Narada",
        }
    }

    const fn policy(self) -> Policy {
        match self {
            Self::Tree => Policy::Tree,
            Self::Narada => Policy::Mesh,
        }
    }
}

#[derive(Debug, Arguments)]
pub(crate) struct Esm {
    /// What is measured
    pub(crate) what: What,
    /// Members, if not those of the papers
    #[arg(long)]
    pub(crate) members: Option<usize>,
    /// Measured round-trip times: an upper triangle of 16-bit numbers of tenths of milliseconds. Drawn, if not given
    #[arg(long, value_name = "FILE")]
    pub(crate) delays: Option<PathBuf>,
    /// Seconds, after all have joined, if not those of the papers
    #[arg(long)]
    pub(crate) seconds: Option<u64>,
    /// The seed of the run
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Several runs, one for each of these seeds: A..B, B included. In `tree` their mean counts
    #[arg(long, value_name = "A..B", value_parser = super::args::range, conflicts_with = "seed")]
    pub(crate) seeds: Option<RangeInclusive<u64>>,
    /// How parents are found in `tree`, `churn`, `control` and `orphans`, again for each if there are several. Promises
    /// are of `tree` alone
    #[arg(long, value_enum, value_delimiter = ',', default_value = "tree")]
    pub(crate) policy: Vec<PolicyName>,
    /// Exit code 1 if something promised is missed
    #[arg(long)]
    pub(crate) check: bool,
}

/// What is promised, and whether it was kept.
struct Promises<'a> {
    out: &'a mut Output,
    kept: bool,
}

impl Promises<'_> {
    fn at_most(&mut self, what: &str, figure: f64, most: f64) {
        self.hold(what, figure, most, figure <= most);
    }

    fn at_least(&mut self, what: &str, figure: f64, least: f64) {
        self.hold(what, figure, least, figure >= least);
    }

    fn hold(&mut self, what: &str, figure: f64, bound: f64, is_kept: bool) {
        let word = if is_kept { "kept" } else { "MISSED" };
        self.out.say(format_args!("{word}: {what}: {figure:.4}, promised {bound}"));
        self.kept &= is_kept;
    }
}

/// Ten packets of 100 bytes a second, as the papers on churn have it, and their 3.2 s of playout buffer.
fn slow(shape: Shape) -> Setting {
    Setting {
        shape,
        packet: 100,
        packets: 10,
        degree: 4.0,
        patience: Duration::from_millis(3_200),
        flush: Duration::from_millis(400),
        policy: Policy::Tree,
    }
}

impl Esm {
    /// Runs; whether all that is promised was kept.
    ///
    /// # Errors
    /// If the measured delays cannot be read.
    pub(crate) fn run(&self, out: &mut Output) -> Result<bool, Failure> {
        let delays = match &self.delays {
            None => Delays::drawn(1, 512),
            Some(path) => Delays::read(path)?,
        };
        let mut promises = Promises { out, kept: true };
        match self.what {
            What::Tree => self.tree(&delays, &mut promises),
            What::Churn => self.churn(&delays, &mut promises),
            What::Control => self.control(&delays, &mut promises),
            What::Orphans => self.orphans(&delays, &mut promises),
            What::Load => self.load(&delays, &mut promises),
            What::Scarce => self.scarce(&delays, &mut promises),
            What::Stress => self.stress(&mut promises),
            What::Crowd => self.crowd(&delays, &mut promises),
            What::Scale => self.scale(&delays, &mut promises),
        }
        Ok(promises.kept)
    }

    fn seeds(&self) -> RangeInclusive<u64> {
        self.seeds.clone().unwrap_or(self.seed..=self.seed)
    }

    fn span(&self, usual: u64) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(usual))
    }
}

/// More members than there are hosts share those.
fn everywhere(delays: &Delays) -> Matrix {
    delays.links(&(0..delays.sites()).collect::<Vec<_>>())
}
