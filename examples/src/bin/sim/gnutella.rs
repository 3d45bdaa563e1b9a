//! `sim gnutella`: floods, searches and tiers, beside the figures of an independent simulation and of the papers; networks
//! that come and go.

mod churn;
mod flood;
mod known;
mod search;
mod tiers;

use clap::{Args as Arguments, ValueEnum};
use known::Known;
use p2p_core::Rng;
use p2p_examples::servents::Graph;
use p2p_examples::{Failure, Output};
use std::ops::RangeInclusive;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// Messages and reach of a flood by its TTL: the closed form over all sources, and real servents that must agree
    Flood,
    /// What finding one copy costs: expanding ring, 32 walkers, one walker; beside known figures, and how sure both are
    Search,
    /// Ultrapeers and leaves with tables and dynamic queries, all of them real servents
    Tiers,
    /// --nodes servents of which 30 % offer nothing come and go for half an hour, ten minutes of it in halves
    Churn,
    /// --nodes servents come and go for an hour (100,000 is what it has to carry): what that costs to simulate
    Hour,
}

#[derive(Debug, Arguments)]
pub(crate) struct Gnutella {
    /// What is measured
    pub(crate) what: What,
    /// The graph of 4 August 2002 as SNAP has it (p2p-Gnutella04.txt), beside the graphs that are drawn
    #[arg(long, value_name = "FILE")]
    pub(crate) snap: Option<PathBuf>,
    /// Sources of the closed form for each graph that is drawn; all of the SNAP graph's nodes
    #[arg(long, default_value_t = 2_000)]
    pub(crate) sources: usize,
    /// Floods of real servents for each graph and TTL
    #[arg(long, default_value_t = 2)]
    pub(crate) floods: usize,
    /// Searches of each kind for each replication at least: they go on until the mean's standard error is 0.5 %; of tiers
    /// queries, 20 at most
    #[arg(long, default_value_t = 2_000)]
    pub(crate) queries: usize,
    /// Ultrapeers of the tiers; nine leaves for each
    #[arg(long, default_value_t = 1_000)]
    pub(crate) ultrapeers: usize,
    /// Servents that come and go (`churn`, `hour`)
    #[arg(long, default_value_t = 10_000)]
    pub(crate) nodes: usize,
    /// Several runs, one for each of these seeds: A..B, B included (`churn`, `hour`)
    #[arg(long, value_name = "A..B", value_parser = super::args::range, conflicts_with = "seed")]
    pub(crate) seeds: Option<RangeInclusive<u64>>,
    /// The seed of the run
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Exit code 1 if a figure is not what it has to be
    #[arg(long)]
    pub(crate) check: bool,
}

impl Gnutella {
    /// Runs; whether all figures are what they have to be.
    ///
    /// # Errors
    /// If the SNAP graph cannot be read.
    pub(crate) fn run(&self, out: &mut Output) -> Result<bool, Failure> {
        match self.what {
            What::Flood => flood::run(self, out),
            What::Search => search::run(self, out),
            What::Tiers => Ok(tiers::run(self, out)),
            What::Churn => Ok(churn::churn(self, out)),
            What::Hour => Ok(churn::hour(self, out)),
        }
    }

    fn seeds(&self) -> RangeInclusive<u64> {
        self.seeds.clone().unwrap_or(self.seed..=self.seed)
    }

    /// The SNAP graph, if its path was given.
    fn snap(&self) -> Result<Option<Graph>, Failure> {
        let Some(path) = &self.snap else { return Ok(None) };
        let text = std::fs::read_to_string(path).map_err(Failure::during(path.display()))?;
        Graph::of_text(&text).map(Some).map_err(Failure::during(path.display()))
    }

    /// The graphs, with what is known of them.
    fn graphs(&self) -> Result<Vec<(Known, Graph)>, Failure> {
        let snap = self.snap()?.map(|graph| (known::SNAP, graph));
        let drawn = known::DRAWINGS.into_iter().filter_map(|known| {
            let graph = known.graph?(&mut Rng::fast_from(self.seed));
            Some((known, graph))
        });
        Ok(snap.into_iter().chain(drawn).collect())
    }
}
